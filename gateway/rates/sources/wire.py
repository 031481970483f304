"""What every source shares: its shape, and strict readers of decimals, times and JSON.

A reader refuses whatever it does not understand wholly, and whatever it refuses leaves as `UnusableAnswerError`: a
price that was guessed from half an answer is worse than none.
"""

import json
import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any, Final, Never, Protocol

from gateway.domain.ports import SourceRate
from gateway.kernel.clock import from_micros
from gateway.kernel.errors import ErrorCode, TemporaryError

# Twelve digits on each side hold BTC in rupiah and any meme coin in dollars, and keep the product of three rates
# (see book.py) below the 65 digits of the narrowest database column.
_DECIMAL: Final = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,12}))?", re.ASCII)
_SECONDS: Final = re.compile(r"[0-9]{1,11}", re.ASCII)
_INSTANT: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?Z", re.ASCII)
# A book so thin that its middle means nothing: best bid and best ask further apart than this.
MAX_SPREAD: Final = Fraction(2, 100)


class UnusableAnswerError(TemporaryError):
    """A source answered with something that is no price; `reason` is a slug for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(ErrorCode.PROVIDER_UNAVAILABLE, "A price source gave an answer that cannot be used.")
        self.reason: Final = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A market: the price of one `base` in `quote`."""

    base: str
    quote: str

    def __str__(self) -> str:
        return f"{self.base}/{self.quote}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One GET and the market it asks for; `pair` is None when the answer holds a whole table."""

    url: str
    pair: Pair | None


class Source(Protocol):
    """One outside source of rates."""

    @property
    def name(self) -> str:
        """The name under which its word is stored as evidence."""
        ...

    @property
    def is_reference(self) -> bool:
        """Whether it publishes daily reference rates of fiat currencies against EUR, instead of market prices."""
        ...

    @property
    def every(self) -> timedelta:
        """How long its answer is good enough that asking again would be impolite."""
        ...

    def questions(self, wanted: AbstractSet[Pair]) -> tuple[Question, ...]:
        """Return what to ask for the markets that are wanted and that this source has."""
        ...

    def parse(self, body: bytes, question: Question, asked_at: datetime) -> tuple[SourceRate, ...]:
        """Read an answer.

        Args:
            body: the bytes of a 200 answer.
            question: what was asked.
            asked_at: when it was asked: the time of a price whose source states none.

        Raises:
            UnusableAnswerError: the answer is not exactly what this source promises; nothing else, for any bytes.
        """
        ...


def refuse(reason: str) -> Never:
    """Raise the error of an answer that cannot be used."""
    raise UnusableAnswerError(reason)


def read_json(body: bytes) -> dict[str, Any]:
    """Read a JSON object whose numbers stay strings; no NaN, no Infinity, no key twice."""
    try:
        parsed = json.loads(
            body.decode("utf-8"),
            parse_float=str,
            parse_int=str,
            parse_constant=lambda _: refuse("not_a_number"),
            object_pairs_hook=_object,
        )
    except (ValueError, RecursionError):
        refuse("not_json")
    return expect_object(parsed)


def expect_object(value: Any) -> dict[str, Any]:
    """Return a JSON object as it is, and refuse anything else."""
    if not isinstance(value, dict):
        refuse("not_an_object")
    return value


def read_decimal(value: Any) -> Fraction:
    """Read a positive decimal string exactly: ASCII digits with an optional point, at most twelve on each side."""
    matched = _DECIMAL.fullmatch(value) if isinstance(value, str) else None
    if matched is None:
        refuse("not_a_decimal")
    decimals = matched[2] or ""
    number = int(matched[1] + decimals)
    if number == 0:
        refuse("zero_price")
    return Fraction(number, 10 ** len(decimals))


def read_seconds(value: Any) -> datetime:
    """Read whole seconds since 1970."""
    if not isinstance(value, str) or _SECONDS.fullmatch(value) is None:
        refuse("not_a_time")
    return from_micros(int(value) * 1_000_000)


def read_instant(value: Any) -> datetime:
    """Read an RFC 3339 time in UTC; what is finer than a microsecond is cut off."""
    matched = _INSTANT.fullmatch(value) if isinstance(value, str) else None
    if matched is None:
        refuse("not_a_time")
    try:
        whole = datetime.fromisoformat(matched[1]).replace(tzinfo=UTC)
    except ValueError:
        refuse("not_a_time")
    return whole + timedelta(microseconds=int((matched[2] or "")[:6].ljust(6, "0")))


def middle(bid: Any, ask: Any) -> Fraction:
    """Return the exact middle of the best bid and the best ask, both decimal strings.

    The middle of the book is a price of now; the last trade of a quiet market may be hours old without saying so.
    """
    low, high = read_decimal(bid), read_decimal(ask)
    if low > high:
        refuse("bid_above_ask")
    centre = (low + high) / 2
    if high - low > MAX_SPREAD * centre:
        refuse("book_too_thin")
    return centre


def word(source: str, pair: Pair, price: Fraction, as_of: datetime) -> SourceRate:
    """Return a price as the evidence that is stored."""
    return SourceRate(
        source=source, base=pair.base, quote=pair.quote, num=price.numerator, den=price.denominator, as_of=as_of
    )


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) != len(members):
        refuse("duplicate_key")
    return found
