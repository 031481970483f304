"""Ids: TypeIDs, a type prefix and a UUIDv7 in Crockford base 32.

`pay_01jd4k…`: sortable by creation time, safe in URLs, not secret. Links and keys are
256 random bits, `secret_token()`.
Source: TypeID specification 0.3 (github.com/jetify-com/typeid); RFC 9562 section 5.7.
"""

import re
import secrets
from datetime import datetime
from threading import Lock
from typing import Final, Protocol

from gateway.kernel.clock import Clock, to_micros

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_SUFFIX_LENGTH: Final = 26
_ID: Final = re.compile(r"[a-z]{2,8}_[0-7][0-9a-hjkmnp-tv-z]{25}", re.ASCII)
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


class Ids(Protocol):
    """Where new ids come from."""

    def new(self, prefix: str) -> str:
        """Return a new id that begins with `prefix` and an underscore."""
        ...


class RandomIds:
    """UUIDv7 ids: 48 bits of milliseconds, 12 bits of the microseconds within, 62 random bits.

    Of those that one process makes in the same moment, each is larger than the one before: what a verb makes in order
    is found in order (RFC 9562 section 6.2, method 2).
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._moment: datetime | None = None
        self._entropy = 0

    def new(self, prefix: str) -> str:
        """Return a new id; unique by 61 random bits within a microsecond's quarter."""
        now = self._clock.now()
        with self._lock:
            if now == self._moment:
                self._entropy += 1 + secrets.randbits(32)
            else:
                self._moment, self._entropy = now, secrets.randbits(61)
            entropy = self._entropy
        return id_at(prefix, now, entropy=entropy)


def id_at(prefix: str, instant: datetime, *, entropy: int = 0) -> str:
    """Return the id of `instant`; with no entropy it is the smallest id of that time, for range queries."""
    millis, micros = divmod(to_micros(instant), 1000)
    number = (millis & (1 << 48) - 1) << 80 | 0x7 << 76 | (micros << 12) // 1000 << 64 | 0b10 << 62 | entropy
    digits = [_ALPHABET[number >> 5 * place & 31] for place in range(_SUFFIX_LENGTH - 1, -1, -1)]
    return f"{prefix}_{''.join(digits)}"


def is_id(text: str, prefix: str) -> bool:
    """Tell whether `text` has the form of an id with this prefix."""
    return text.startswith(f"{prefix}_") and _ID.fullmatch(text) is not None


def secret_token() -> str:
    """Return 256 random bits as 43 URL-safe characters."""
    return secrets.token_urlsafe(32)


def is_secret_token(text: str) -> bool:
    """Tell whether `text` has the form of `secret_token()`."""
    return _TOKEN.fullmatch(text) is not None
