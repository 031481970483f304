"""Signed sample events: whole ones, made from the gateway's own description. Standard library only."""

from __future__ import annotations

import json
import os
import pkgutil
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from decimal import Decimal
from functools import cache
from typing import Any

from streampay._decoding import decode
from streampay._events import Event
from streampay._version import API_VERSION
from streampay.errors import ConfigurationError
from streampay.webhooks import sign

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_ID = re.compile(r'"([a-z]+)_01jd4k00000000000000000000"')
_LOCK = threading.Lock()
_last = [0]
Instant = int | float | datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleEvent:
    """An event as the gateway would send it: `body` is the exact text, `event` the same as an object."""

    body: bytes = field(repr=False)
    event: Event

    def headers(self, secret: str, at: Instant | None = None) -> dict[str, str]:
        """Return the headers that sign it, sent at `at` (default now)."""
        return sign_headers(self.body, secret, message_id=self.event.id, at=at)


def sign_headers(body: bytes | str, secret: str, *, message_id: str, at: Instant | None = None) -> dict[str, str]:
    """Return the three Standard Webhooks headers that sign a body.

    Args:
        body: the exact bytes; a string is encoded in UTF-8.
        secret: `whsec_…`.
        message_id: the event's id.
        at: when it is sent, as Unix seconds or an aware datetime; default now.

    Raises:
        ConfigurationError: the secret or the id is malformed, or `at` is a datetime without a time zone.
    """
    if isinstance(at, datetime) and at.tzinfo is None:
        raise ConfigurationError("at is a datetime without a time zone", code="timestamp_invalid")
    moment = time.time() if at is None else at.timestamp() if isinstance(at, datetime) else at
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(moment)),
        "webhook-signature": sign(secret, message_id, int(moment), body),
    }


def event(
    kind: str,
    /,
    *,
    event_id: str | None = None,
    sequence: int | None = None,
    at: datetime | None = None,
    livemode: bool = False,
    **over: object,
) -> SampleEvent:
    """Return a whole event of the catalogue: `event("payment.succeeded", reference="order-7", amount="5.00")`.

    Args:
        kind: its type.
        event_id: its id; default a new one.
        sequence: its number among the events of its object; default 1, or 2 for one that follows another.
        at: its timestamp, aware; default now.
        livemode: whether it is about real money.
        over: fields of its object; `amount`, `currency` and ids also change where they are repeated inside it.

    Raises:
        ConfigurationError: there is no such event or field, or an amount is an int or float.
    """
    found: list[Any] | None = catalogue()["events"].get(kind)
    if found is None:
        raise ConfigurationError(f"there is no event {kind!r}; see event_types()", code="event_unknown")
    name, changes, previous = found
    shown = _with_own_ids({**catalogue()["objects"][name], **changes})
    if "livemode" in shown:
        shown["livemode"] = livemode
    wrong = sorted(set(over) - set(shown))
    if wrong:
        raise ConfigurationError(f"the object of {kind} has no field {wrong[0]}", code="field_unknown")
    shown = _overridden(shown, {each: _plain(each, value) for each, value in over.items()})
    instant = datetime.now(timezone.utc) if at is None else at
    wire = {
        "id": event_id or new_id("evt"),
        "object": "event",
        "type": kind,
        "timestamp": rfc3339(instant),
        "api_version": API_VERSION,
        "livemode": livemode,
        "sequence": sequence or (1 if previous is None else 2),
        "data": {"object": shown, "previous": previous},
    }
    return sample(wire)


def event_types() -> tuple[str, ...]:
    """Return the types of the catalogue."""
    return tuple(catalogue()["events"])


def sample(wire: Mapping[str, object]) -> SampleEvent:
    """Return an event with its exact bytes; raises ConfigurationError when the SDK cannot read it."""
    try:
        return SampleEvent(body=to_bytes(wire), event=decode(Event, dict(wire)))
    except ValueError as error:
        reason = str(error)
    raise ConfigurationError(f"this makes no event: {reason}", code="field_invalid")


def to_bytes(wire: object) -> bytes:
    """Return JSON as the gateway writes it: minified, with sorted keys."""
    return json.dumps(wire, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


@cache
def catalogue() -> dict[str, Any]:
    """Return the samples: `objects`, `events` as differences to them, and the `exponents` of currencies."""
    content = pkgutil.get_data("streampay.testing", "samples.json")
    assert content is not None, "the package holds it"
    found: dict[str, Any] = json.loads(content)
    return found


def rfc3339(instant: datetime) -> str:
    """Return an instant as the gateway writes it."""
    return instant.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def new_id(prefix: str, moment_s: float | None = None) -> str:
    """Return an id of the gateway's form; each is larger than those that this process made before."""
    millis = int((time.time() if moment_s is None else moment_s) * 1000)
    number = (millis << 80) | (0x7 << 76) | (0b10 << 62) | (int.from_bytes(os.urandom(2), "big") << 16)
    with _LOCK:
        number = _last[0] = max(number, _last[0] + 1)
    return f"{prefix}_" + "".join(_ALPHABET[number >> 5 * place & 31] for place in range(25, -1, -1))


def _with_own_ids(shown: dict[str, Any]) -> dict[str, Any]:
    """Give every object in it an id of this event's own."""
    ids: dict[str, str] = {}
    text = _ID.sub(lambda found: f'"{ids.setdefault(found[1], new_id(found[1]))}"', json.dumps(shown))
    made: dict[str, Any] = json.loads(text)
    return made


def _overridden(shown: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Set fields, and whatever repeats the former id, amount or currency further inside."""
    for name in {"id", "amount", "currency"} & set(over):
        shown = _replaced(shown, shown[name], over[name])
    return {**shown, **over}


def _replaced(value: Any, old: object, new: object) -> Any:
    if isinstance(value, dict):
        return {name: _replaced(each, old, new) for name, each in value.items()}
    if isinstance(value, list):
        return [_replaced(each, old, new) for each in value]
    return new if isinstance(value, str) and value == old else value


def _plain(name: str, value: object) -> object:
    if name.startswith("amount") and not isinstance(value, (str, Decimal)):
        raise ConfigurationError(f"{name} is text or a Decimal in major units: '12.30'", code="amount_invalid")
    if isinstance(value, Decimal):
        return format(value, "f")
    return rfc3339(value) if isinstance(value, datetime) else value
