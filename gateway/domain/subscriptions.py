"""Subscriptions: what one is, given what its provider says of it and of its invoices. Pure.

A paid invoice is the truth for its period, and nothing else is: not the completed page, not the provider's own status.
Whatever order reports come in, the same reads lead to the same state.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from gateway.domain.events import EventType
from gateway.kernel.money import Money

TRIAL_NOTICE: Final = timedelta(days=3)  # how long before the first charge the merchant is told, as card networks ask
POLL_OPEN: Final = timedelta(hours=1)  # while a bill is not settled: providers finalize one an hour after its period
POLL_MAX: Final = timedelta(days=1)  # a lost webhook is made good within a day
POLL_ENDED: Final = timedelta(days=60)  # a bill that was left open may still be paid after the end
_AFTER_PERIOD: Final = timedelta(minutes=1)  # providers take a moment to renew


class SubscriptionStatus(StrEnum):
    """Where a subscription stands."""

    INCOMPLETE = "incomplete"
    TRIALING = "trialing"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    PAUSED = "paused"
    CANCELED = "canceled"


class PeriodStatus(StrEnum):
    """Where the bill of one period stands; `failed`: it was tried, and will be tried again."""

    OPEN = "open"
    FAILED = "failed"
    PAID = "paid"
    UNCOLLECTIBLE = "uncollectible"
    VOID = "void"


class Interval(StrEnum):
    """The unit in which a plan repeats."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


LIVING: Final = frozenset({SubscriptionStatus.TRIALING, SubscriptionStatus.ACTIVE, SubscriptionStatus.PAST_DUE})
_OWED: Final = frozenset({PeriodStatus.OPEN, PeriodStatus.FAILED})


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderInvoice:
    """A provider's bill for one period.

    Attributes:
        amount: what is to be collected; zero for a trial, or where a credit covers it.
        period_start, period_end: of the service that is billed, not of the invoice.
        charges: the provider's ids of the charges that pay it, the paying one first; none for one without money.
        is_first: it came with the subscription itself, and was asked for on the page.
    """

    reference: str
    status: PeriodStatus
    amount: Money
    period_start: datetime
    period_end: datetime
    charges: Sequence[str]
    is_first: bool
    next_attempt_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSubscription:
    """Everything that one read of a subscription at its provider said.

    Attributes:
        status: the provider's own, in our words; `is_held` says that collecting is paused.
        cancels_at: when it will end by itself; None while it goes on.
        ended_at: when it ended; None before.
        invoices: newest last; all since the time that was asked for.
    """

    reference: str
    is_livemode: bool
    status: SubscriptionStatus
    is_held: bool
    customer: str
    period_start: datetime
    period_end: datetime
    trial_ends_at: datetime | None
    cancels_at: datetime | None
    canceled_at: datetime | None
    ended_at: datetime | None
    invoices: Sequence[ProviderInvoice]


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodFact:
    """One period and where its bill stands."""

    starts_at: datetime
    ends_at: datetime
    status: PeriodStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionState:
    """What follows from the facts.

    Attributes:
        paid_until: the end of the last paid (or free) period; None before the first.
        access_until: until when the merchant should serve: `paid_until`, and the grace while renewal is still expected.
    """

    status: SubscriptionStatus
    paid_until: datetime | None
    access_until: datetime | None
    cancels_at: datetime | None


def derive(found: ProviderSubscription, periods: Sequence[PeriodFact], *, grace: timedelta) -> SubscriptionState:
    """Return the state that these facts make; the order of the periods does not matter."""
    status = _status(found, periods)
    paid_until = max((one.ends_at for one in periods if one.status is PeriodStatus.PAID), default=None)
    cancels_at = found.cancels_at if status is not SubscriptionStatus.CANCELED else None
    return SubscriptionState(
        status=status,
        paid_until=paid_until,
        access_until=_access_until(status, paid_until, cancels_at or found.ended_at, grace=grace),
        cancels_at=cancels_at,
    )


def _status(found: ProviderSubscription, periods: Sequence[PeriodFact]) -> SubscriptionStatus:
    if found.status is SubscriptionStatus.CANCELED or found.ended_at is not None:
        return SubscriptionStatus.CANCELED
    if found.is_held:
        return SubscriptionStatus.PAUSED
    if found.status is SubscriptionStatus.ACTIVE and any(one.status is PeriodStatus.FAILED for one in periods):
        return SubscriptionStatus.PAST_DUE
    return found.status


def _access_until(
    status: SubscriptionStatus, paid_until: datetime | None, ends_at: datetime | None, *, grace: timedelta
) -> datetime | None:
    """Return how long to serve: never beyond its end, and with grace only while money is still expected."""
    if paid_until is None:
        return None
    if ends_at is not None:
        return min(paid_until, ends_at)
    return paid_until + grace if status in LIVING else paid_until


def subscription_events(before: SubscriptionState | None, after: SubscriptionState) -> Iterator[EventType]:
    """Yield the events of a change, in the order in which they should be read; `before` is None for the first read."""
    former = SubscriptionStatus.INCOMPLETE if before is None else before.status
    if after.status is SubscriptionStatus.INCOMPLETE:
        return
    if former is SubscriptionStatus.INCOMPLETE:
        yield EventType.SUBSCRIPTION_CREATED
    elif before is not None and _grew(before.paid_until, after.paid_until):
        yield EventType.SUBSCRIPTION_RENEWED
    if former is SubscriptionStatus.PAUSED and after.status in LIVING:
        yield EventType.SUBSCRIPTION_RESUMED
    if former is not after.status and after.status in _BY_STATUS:
        yield _BY_STATUS[after.status]
    elif former in LIVING and before is not None and before.cancels_at != after.cancels_at:
        yield EventType.SUBSCRIPTION_UPDATED


_BY_STATUS: Final = {
    SubscriptionStatus.PAST_DUE: EventType.SUBSCRIPTION_PAST_DUE,
    SubscriptionStatus.PAUSED: EventType.SUBSCRIPTION_PAUSED,
    SubscriptionStatus.CANCELED: EventType.SUBSCRIPTION_CANCELED,
}


def _grew(before: datetime | None, after: datetime | None) -> bool:
    return after is not None and (before is None or after > before)


def is_trial_ending(status: SubscriptionStatus, trial_ends_at: datetime | None, now: datetime) -> bool:
    """Tell whether the first charge after a trial is near."""
    if status is not SubscriptionStatus.TRIALING or trial_ends_at is None:
        return False
    return trial_ends_at - TRIAL_NOTICE <= now < trial_ends_at


def next_look(
    state: SubscriptionState, found: ProviderSubscription, periods: Sequence[PeriodFact], now: datetime
) -> datetime | None:
    """Return when to read the subscription again if no webhook comes; None once nothing more can happen."""
    is_owed = any(one.status in _OWED for one in periods)
    if state.status is SubscriptionStatus.CANCELED:
        is_over = now >= (found.ended_at or found.period_end) + POLL_ENDED
        return None if is_over or not is_owed else now + POLL_MAX
    looks = [now + POLL_MAX]
    if is_owed or found.period_end <= now:
        looks.append(now + POLL_OPEN)
    if found.trial_ends_at is not None:
        looks.append(found.trial_ends_at - TRIAL_NOTICE)
    looks.append(found.period_end + _AFTER_PERIOD)
    return min(one for one in looks if one > now)
