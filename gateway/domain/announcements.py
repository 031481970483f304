"""Which events a change of state is worth. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from gateway.domain.events import EventType
from gateway.domain.words import (
    DisputeStatus,
    PaymentException,
    PaymentStatus,
    RefundsStatus,
    RefundStatus,
)
from gateway.kernel.money import Money

_BY_STATUS: Final = {
    PaymentStatus.REQUIRES_ACTION: EventType.PAYMENT_REQUIRES_ACTION,
    PaymentStatus.PROCESSING: EventType.PAYMENT_PROCESSING,
    PaymentStatus.CONFIRMING: EventType.PAYMENT_PROCESSING,
    PaymentStatus.AUTHORIZED: EventType.PAYMENT_AUTHORIZED,
    PaymentStatus.UNDERPAID: EventType.PAYMENT_PARTIALLY_PAID,
    PaymentStatus.PAID: EventType.PAYMENT_SUCCEEDED,
    PaymentStatus.CANCELED: EventType.PAYMENT_CANCELED,
}
_BY_EXCEPTION: Final = (
    (PaymentException.OVERPAID, EventType.PAYMENT_OVERPAID),
    (PaymentException.LATE, EventType.PAYMENT_LATE),
    (PaymentException.AMOUNT_MISMATCH, EventType.PAYMENT_AMOUNT_MISMATCH),
    (PaymentException.EARLY_FRAUD_WARNING, EventType.PAYMENT_FRAUD_WARNING),
)
_BY_REFUND: Final = {
    RefundStatus.SUCCEEDED: EventType.REFUND_SUCCEEDED,
    RefundStatus.FAILED: EventType.REFUND_FAILED,
    RefundStatus.CANCELED: EventType.REFUND_CANCELED,
}
_CLOSED: Final = frozenset({DisputeStatus.WON, DisputeStatus.LOST, DisputeStatus.INQUIRY_CLOSED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What of a payment is news when it changes."""

    status: PaymentStatus
    exceptions: frozenset[PaymentException]
    amount_received: Money
    amount_refunded: Money
    refunds: RefundsStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeStanding:
    """What of a dispute is news when it changes."""

    status: DisputeStatus
    withdrawn: Money
    reinstated: Money


def payment_events(before: Standing, after: Standing) -> Iterator[EventType]:
    """Yield the events of a payment's change, in the order in which they should be read."""
    if before.status is PaymentStatus.PAID and after.status is not PaymentStatus.PAID:
        yield EventType.PAYMENT_REVERSED
    if before.status is PaymentStatus.PROCESSING and after.status is PaymentStatus.OPEN:
        yield EventType.PAYMENT_FAILED
    if before.status is PaymentStatus.AUTHORIZED and after.amount_received > before.amount_received:
        yield EventType.PAYMENT_CAPTURED
    if before.status is not after.status and after.status in _BY_STATUS:
        yield _BY_STATUS[after.status]
    appeared = after.exceptions - before.exceptions
    for exception, event_type in _BY_EXCEPTION:
        if exception in appeared:
            yield event_type
    if after.amount_refunded > before.amount_refunded or _became_full(before.refunds, after.refunds):
        yield EventType.PAYMENT_REFUNDED


def _became_full(before: RefundsStatus, after: RefundsStatus) -> bool:
    """Tell whether a refund in another currency than the price's, which has no sum here, completed the refunds."""
    return before is not after and after in {RefundsStatus.PARTIAL, RefundsStatus.FULL}


def refund_events(before: RefundStatus | None, after: RefundStatus) -> Iterator[EventType]:
    """Yield the events of a refund's change; `before` is None for a new one."""
    if before is None:
        yield EventType.REFUND_CREATED
    if before is not after and after in _BY_REFUND:
        yield _BY_REFUND[after]


def dispute_events(before: DisputeStanding | None, after: DisputeStanding) -> Iterator[EventType]:
    """Yield the events of a dispute's change; `before` is None for a new one."""
    if before is None:
        yield EventType.DISPUTE_OPENED
    elif before.status is not after.status and after.status not in _CLOSED:
        yield EventType.DISPUTE_UPDATED
    zero = Money.zero(after.withdrawn.currency)
    if after.withdrawn > (zero if before is None else before.withdrawn):
        yield EventType.DISPUTE_FUNDS_WITHDRAWN
    if after.reinstated > (zero if before is None else before.reinstated):
        yield EventType.DISPUTE_FUNDS_REINSTATED
    if after.status in _CLOSED and (before is None or before.status is not after.status):
        yield EventType.DISPUTE_CLOSED
