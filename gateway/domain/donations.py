"""Gifts: what a shopper is offered at checkout, how often a donor gives, and what became of a gift. Pure."""

import calendar
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from gateway.domain.subscriptions import Interval
from gateway.kernel.money import Money

_MONTHS: Final = 12
MAX_FIXED: Final = 3  # choices beside "no": more of them slow everybody down


class GiftKind(StrEnum):
    """Where a gift comes from: a campaign's form, or a checkout, rounded up or of a fixed amount."""

    CAMPAIGN = "campaign"
    ROUND_UP = "round_up"
    FIXED = "fixed"


class Frequency(StrEnum):
    """How often a donor gives."""

    ONCE = "once"
    MONTHLY = "monthly"
    QUARTERLY = "quarterly"
    YEARLY = "yearly"


# How a frequency repeats: the interval, and how many of them.
REPEATS: Final[Mapping[Frequency, tuple[Interval, int]]] = MappingProxyType(
    {
        Frequency.MONTHLY: (Interval.MONTH, 1),
        Frequency.QUARTERLY: (Interval.MONTH, 3),
        Frequency.YEARLY: (Interval.YEAR, 1),
    }
)


class DonationStatus(StrEnum):
    """Where a gift stands; `reversed`: all of it went back, by a refund or a lost dispute."""

    PENDING = "pending"
    RECEIVED = "received"
    REVERSED = "reversed"
    CANCELED = "canceled"


class CommentStatus(StrEnum):
    """Where what a donor wrote stands: to be read, on the wall, kept off it; `private`: never meant for the wall."""

    PENDING = "pending"
    SHOWN = "shown"
    HIDDEN = "hidden"
    PRIVATE = "private"


class ConfigMode(StrEnum):
    """What a checkout offers."""

    ROUND_UP = "round_up"
    FIXED = "fixed"
    BOTH = "both"


class WholeTotals(StrEnum):
    """What a total that is whole already is offered: to go on to the next unit, or nothing."""

    NEXT = "next"
    HIDE = "hide"


@dataclass(frozen=True, slots=True, kw_only=True)
class GiftTerms:
    """What a merchant's checkout offers for a charity, in one currency.

    Attributes:
        unit: totals are rounded up to a multiple of it.
        cap: nothing above it is ever offered.
        amounts: the fixed choices, in this order.
        starts_at, ends_at: when it is offered; None for no bound.
    """

    mode: ConfigMode
    unit: Money
    cap: Money
    amounts: tuple[Money, ...] = ()
    whole_totals: WholeTotals = WholeTotals.NEXT
    starts_at: datetime | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GiftOffer:
    """One choice: give `amount`, after which the shopper pays `total`."""

    kind: GiftKind
    amount: Money
    total: Money


def gift_offers(terms: GiftTerms, price: Money, now: datetime) -> tuple[GiftOffer, ...]:
    """Return what a shopper may give on top of a price now: rounding up first, then the fixed amounts."""
    is_early = terms.starts_at is not None and now < terms.starts_at
    is_late = terms.ends_at is not None and now >= terms.ends_at
    if price.currency != terms.unit.currency or price.atomic <= 0 or is_early or is_late:
        return ()
    found = []
    if terms.mode is not ConfigMode.FIXED:
        found.append((GiftKind.ROUND_UP, _to_the_next(terms, price)))
    if terms.mode is not ConfigMode.ROUND_UP:
        found += [(GiftKind.FIXED, amount) for amount in terms.amounts]
    return tuple(
        GiftOffer(kind=kind, amount=amount, total=price + amount)
        for kind, amount in found
        if 0 < amount.atomic <= terms.cap.atomic
    )


def _to_the_next(terms: GiftTerms, price: Money) -> Money:
    """Return what is missing to the next multiple of the unit; nothing for a whole total that is let be."""
    missing = -price.atomic % terms.unit.atomic
    if not missing and terms.whole_totals is WholeTotals.NEXT:
        return terms.unit
    return Money(missing, price.currency)


def donation_status(*, received: Money, gone: Money, is_over: bool) -> DonationStatus:
    """Return where a gift stands: what came of it, what went back, and whether nothing more will come."""
    if received.atomic:
        return DonationStatus.REVERSED if gone >= received else DonationStatus.RECEIVED
    return DonationStatus.CANCELED if is_over else DonationStatus.PENDING


def next_due(start: datetime, frequency: Frequency, now: datetime) -> datetime:
    """Return when a gift that repeats is due next after `now`, counted in calendar months from `start`.

    The 31st falls on the last day of a shorter month, and on the 31st again after it.
    """
    step = _months_of(frequency)
    dues = (_months_later(start, turn * step) for turn in itertools.count(max(1, _passed(start, now) // step)))
    return next(due for due in dues if due > now)


def last_dues(start: datetime, frequency: Frequency, now: datetime) -> tuple[datetime, datetime]:
    """Return the newest date of a gift that repeats which has come, and the one before it; `start` is the first."""
    step = _months_of(frequency)
    turn = max(0, _passed(start, now) // step)
    if turn and _months_later(start, turn * step) > now:
        turn -= 1
    return _months_later(start, turn * step), _months_later(start, max(0, turn - 1) * step)


def is_given_already(received: Iterable[datetime], dues: tuple[datetime, datetime]) -> bool:
    """Tell whether what a date asks for has been given: since that date, or twice between the one before and it.

    Args:
        received: when gifts of the pledge came.
        dues: the date and the one before it, as `last_dues` returns them.
    """
    due, before = dues
    times = list(received)
    return any(one >= due for one in times) or sum(before <= one < due for one in times) > 1


def _months_of(frequency: Frequency) -> int:
    interval, count = REPEATS[frequency]
    return count * (_MONTHS if interval is Interval.YEAR else 1)


def _passed(start: datetime, now: datetime) -> int:
    return (now.year - start.year) * _MONTHS + now.month - start.month


def _months_later(start: datetime, months: int) -> datetime:
    years, month = divmod(start.month - 1 + months, _MONTHS)
    year = start.year + years
    return start.replace(year=year, month=month + 1, day=min(start.day, calendar.monthrange(year, month + 1)[1]))
