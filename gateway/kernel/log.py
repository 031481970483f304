"""Structured logs: one JSON line per event, ids not objects, no secret ever.

`log.info("payment_confirmed", payment_id=…)`. Field names on the redaction list lose their values, so a careless call
cannot leak a key; text that looks like one of our secrets is masked wherever it stands.
"""

import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import Any, Final

from gateway.kernel.cards import mask_card_numbers

# Names of fields and headers whose value is never written, whatever it looks like.
_SECRET_FIELD: Final = re.compile(
    r"(^|_)(authorization|body|card|cookie|email|mnemonic|seed|token)$|secret|password|private|(^|_)api_key$|^key$"
)
# No word boundary before the prefix: in JSON a line break is a backslash and an `n`, and would hide what follows it.
_SECRET_TEXT: Final = re.compile(
    r"((?:sk|pk|rk)_(?:test|live)_|whsec_|/(?:pay|solana|receipt|statement|stop|thanks)/(?=[A-Za-z0-9_\-]{43})|bearer\s+"
    r"|[?&](?:api[-_]?key|access[-_]?token|token)=)[A-Za-z0-9_\-+/=.~]+",
    re.IGNORECASE,
)
_SMALLEST_CARD: Final = 10**11  # no card has fewer than twelve digits


class Log:
    """A named logger that writes events with fields."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(f"gateway.{name}")

    def debug(self, event: str, **fields: Any) -> None:
        """Write an event that only a developer wants."""
        self._write(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: Any) -> None:
        """Write an event of normal work."""
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        """Write an event that somebody should look at."""
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, **fields: Any) -> None:
        """Write an event that somebody must look at."""
        self._write(logging.ERROR, event, fields)

    def exception(self, event: str, **fields: Any) -> None:
        """Write an event that somebody must look at, with the traceback of the exception being handled."""
        self._write(logging.ERROR, event, fields, exc_info=True)

    def _write(self, level: int, event: str, fields: dict[str, Any], *, exc_info: bool = False) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, event, extra={"fields": fields}, exc_info=exc_info)


class JsonFormatter(logging.Formatter):
    """Render a record as one JSON line with masked secrets."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; foreign libraries' records keep their message."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        line |= _without_secrets(getattr(record, "fields", {}))
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        # Card numbers are masked value by value: stars in the place of a bare number would not be JSON.
        text = json.dumps(_without_cards(line), default=lambda value: mask_card_numbers(str(value)), ensure_ascii=False)
        return mask_secrets(text)


def mask_secrets(text: str) -> str:
    """Cut keys, signing secrets, bearer tokens and addresses of checkout pages down to their prefix."""
    return _SECRET_TEXT.sub(r"\1***", text)


def configure_logging(level: str = "INFO") -> None:
    """Send every record to standard error as JSON lines; called once by a command."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it greets on every connection


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: "***" if _is_secret(name) else _without_secrets(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_secrets(inner) for inner in value]
    return value


def _without_cards(value: Any) -> Any:
    """Mask card numbers in texts; a figure that reads as one becomes a masked text, any other stays as it is."""
    if isinstance(value, dict):
        return {mask_card_numbers(str(name)): _without_cards(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_cards(inner) for inner in value]
    if isinstance(value, str):
        return mask_card_numbers(value)
    if isinstance(value, int) and value >= _SMALLEST_CARD:
        masked = mask_card_numbers(str(value))
        return masked if masked != str(value) else value
    return value


def _is_secret(name: object) -> bool:
    return _SECRET_FIELD.search(str(name).lower().replace("-", "_")) is not None
