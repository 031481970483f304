"""What an order becomes when the gateway has said something: a pure function, and every rule is somebody's accident.

- Whatever paid stays paid: only money that goes back, or a dispute, leads on from there.
- Any try may pay an order; only the newest one may fail or expire it.
- Another sum or currency than the order's is never enough: somebody has to look at it.
- An order is paid once. A second payment is for a person, not for a second parcel.
- Money on its way is not money.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

from streampay.gateway.orders import Hook, HookCall, OrderRecord, OrderStatus, PaymentReading

# What a try that has brought no money means to its order. A word that is not here, a future one, changes nothing.
_WAITING = {
    "open": OrderStatus.PENDING,
    "requires_action": OrderStatus.PENDING,
    "expired": OrderStatus.EXPIRED,
    "canceled": OrderStatus.FAILED,
}
_UNDER_WAY = {
    "authorized": OrderStatus.AUTHORIZED,
    "processing": OrderStatus.ON_HOLD,
    "confirming": OrderStatus.ON_HOLD,
    "underpaid": OrderStatus.ON_HOLD,
}
_LOOK_AT = ("early_fraud_warning", "double_payment", "overpaid", "reorg")
_SHIPPABLE = (OrderStatus.PAID, OrderStatus.PARTLY_REFUNDED)


def reduce(record: OrderRecord, reading: PaymentReading) -> tuple[OrderRecord, list[HookCall]]:
    """Return the order as it stands after a reading, and what is to be done for it; each call is made once for ever."""
    known = record.readings.get(reading.id)
    readings = {**record.readings, reading.id: reading if known is None else known.joined(reading)}
    record = replace(record, readings=readings)
    paid_by = record.paid_by or _payer(record)
    record = replace(record, paid_by=paid_by)
    record = replace(record, status=_status(record), reviews=tuple(sorted({*record.reviews, *_reviews(record)})))
    return record, list(_calls(record))


def _payer(record: OrderRecord) -> str | None:
    """Return the first payment that has paid the order; ids sort by the time they were made."""
    return min((one.id for one in record.readings.values() if one.was_paid and _fits(record, one)), default=None)


def _fits(record: OrderRecord, reading: PaymentReading) -> bool:
    return Decimal(reading.amount) == Decimal(record.amount) and reading.currency == record.currency


def _status(record: OrderRecord) -> OrderStatus:
    if record.paid_by is not None:
        return _after_paying(record.readings[record.paid_by])
    readings = record.readings.values()
    if any(one.was_paid for one in readings):
        return OrderStatus.ON_HOLD  # the wrong sum
    under_way = {_UNDER_WAY[one.status] for one in readings if one.status in _UNDER_WAY}
    for status in (OrderStatus.AUTHORIZED, OrderStatus.ON_HOLD):
        if status in under_way:
            return status
    newest = record.readings.get(record.payment_id or "")
    waiting = record.status if record.status in _WAITING.values() else OrderStatus.PENDING
    return waiting if newest is None else _WAITING.get(newest.status, waiting)


def _after_paying(reading: PaymentReading) -> OrderStatus:
    if reading.refunds == "full":
        return OrderStatus.REFUNDED
    if reading.dispute in ("open", "lost"):
        return OrderStatus.DISPUTED
    return OrderStatus.PARTLY_REFUNDED if Decimal(reading.amount_refunded) else OrderStatus.PAID


def _reviews(record: OrderRecord) -> Iterator[str]:
    """Yield what a person should look at."""
    for one in record.readings.values():
        if one.was_paid and not _fits(record, one):
            yield f"amount_mismatch:{one.id}"
        elif one.was_paid and one.id != record.paid_by:
            yield f"paid_twice:{one.id}"
        if one.was_paid and one.status != "paid":
            yield f"reorg:{one.id}"
        if one.status == "underpaid":
            yield f"underpaid:{one.id}"
        if one.refunds == "failed":
            yield f"refund_failed:{one.id}"
        yield from (f"{word}:{one.id}" for word in _LOOK_AT if word in one.exceptions)


def _calls(record: OrderRecord) -> Iterator[HookCall]:
    """Yield everything that the record asks for; the store leaves out what was asked before."""
    payer = record.paid_by
    if payer is not None and record.status in _SHIPPABLE:
        yield HookCall(record.id, Hook.PAID, payer)
    if payer is not None:
        reading = record.readings[payer]
        if Decimal(reading.amount_refunded):
            yield HookCall(record.id, Hook.REFUNDED, f"{payer}:{reading.amount_refunded}")
        if reading.dispute not in ("none", "inquiry"):
            yield HookCall(record.id, Hook.DISPUTED, f"{payer}:{reading.dispute}")
    elif record.status in (OrderStatus.ON_HOLD, OrderStatus.AUTHORIZED):
        for one in record.readings.values():
            if one.status in _UNDER_WAY:
                yield HookCall(record.id, Hook.PENDING, one.id)
    elif record.payment_id in record.readings and record.status in (OrderStatus.FAILED, OrderStatus.EXPIRED):
        hook = Hook.FAILED if record.status is OrderStatus.FAILED else Hook.EXPIRED
        yield HookCall(record.id, hook, record.payment_id or "")
    for review in record.reviews:
        word, _, payment_id = review.partition(":")
        yield HookCall(record.id, Hook.REVIEW, f"{payment_id}:{word}")
