"""Reading: an attempt is read again at its provider, and what was read becomes its facts.

Reads never overtake each other: each is stored only if no other was stored since it began, so what stands is always at
least as new as what stood before. Webhooks, the shopper's return, the sweep and commands all end here.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import insert, select, update

from gateway.domain.announcements import DisputeStanding, dispute_events
from gateway.domain.events import Event, EventType
from gateway.domain.provider import (
    BalanceLine,
    ProviderCharge,
    ProviderDispute,
    ProviderRefund,
    ProviderSnapshot,
)
from gateway.domain.returns import gift_left, own_left
from gateway.domain.words import AttemptStage, RefundStatus
from gateway.engine.adoption import adopt, keep_method
from gateway.engine.core import Core
from gateway.engine.facts import load_facts
from gateway.engine.outflows import announce_refund
from gateway.engine.records import (
    AttemptRecord,
    ChargeRecord,
    DisputeRecord,
    PaymentRecord,
    RefundRecord,
    load_attempt,
    load_payment,
)
from gateway.engine.refresh import refresh
from gateway.engine.wire import dispute_object
from gateway.kernel.errors import ErrorCode, TemporaryError
from gateway.kernel.log import Log
from gateway.kernel.money import Money
from gateway.outbox.events import append
from gateway.storage import schema
from gateway.storage.database import Tx
from gateway.storage.statements import insert_new

log = Log("engine")

READ_LIMIT: Final = (
    4  # tries to store one read; each lost one was stored by somebody else, who read later than we began
)
_TOLD_LATER: Final = ("charge_id", "payment_id", "payout")  # of a balance line; the rest of it never changes
_OVER: Final = frozenset({AttemptStage.COMPLETE, AttemptStage.EXPIRED, AttemptStage.REFUSED})


class Reading:
    """Reads attempts at their providers."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def read(self, attempt_id: str, *, also: Callable[[Tx], None] = lambda _tx: None) -> ProviderSnapshot | None:
        """Read an attempt and store what it says; `also` runs in the same tx, before the payment is derived.

        Returns:
            What was read; None for an attempt that its provider does not know yet.

        Raises:
            TemporaryError: the provider does not answer, or others keep storing newer reads.
        """
        for _ in range(READ_LIMIT):
            attempt = self._core.db.read(lambda tx: load_attempt(tx, attempt_id))
            if attempt.provider_reference is None:
                return None
            processor = self._core.provider(attempt.processor)
            found = processor.retrieve(attempt.provider_reference, livemode=attempt.livemode)
            if self._core.db.write(partial(self._store, attempt, found, also)):
                self._core.wake_delivery()
                return found
        raise TemporaryError(ErrorCode.PROVIDER_UNAVAILABLE, "This payment changes too fast to be read. Ask again.")

    def _store(self, began: AttemptRecord, found: ProviderSnapshot, also: Callable[[Tx], None], tx: Tx) -> bool:
        """Store a read if none was stored since it began; return whether it was."""
        payment = load_payment(tx, began.payment_id, lock=True)
        attempt = load_attempt(tx, began.id)
        if attempt.reads != began.reads:
            return False
        self.take(tx, payment, attempt, found)
        also(tx)
        refresh(self._core, tx, payment.id)
        return True

    def take(self, tx: Tx, payment: PaymentRecord, attempt: AttemptRecord, found: ProviderSnapshot) -> None:
        """Bring the rows of an attempt to what one read said; the caller holds the payment's lock."""
        assert found.is_livemode == attempt.livemode, "a provider's test and live worlds never meet"
        now = self._core.clock.now()
        if found.charge is not None:
            charge_id = self._take_charge(tx, attempt, found.charge, now)
            for refund in found.refunds:
                self.take_refund(tx, payment, attempt, charge_id, refund)
            for dispute in found.disputes:
                self._take_dispute(tx, payment, attempt, charge_id, dispute)
            for line in sorted(found.lines, key=attrgetter("reference")):
                take_line(tx, attempt.network, line, charge_id=charge_id, payment_id=payment.id)
        table = schema.attempt
        stage = found.stage if attempt.stage not in _OVER or found.stage in _OVER else attempt.stage
        tx.execute(
            update(table)
            .where(table.c.id == attempt.id)
            .values(stage=stage.value, redirect_url=found.url, reads=attempt.reads + 1, read_at=now)
        )
        adopt(self._core, tx, payment, attempt, found)
        keep_method(self._core, tx, payment, attempt, found)

    def _take_charge(self, tx: Tx, attempt: AttemptRecord, found: ProviderCharge, now: datetime) -> str:
        table = schema.charge
        known = charge_of(tx, attempt.id)
        values: dict[str, Any] = {
            "reference": found.reference,
            "status": found.status.value,
            "currency": found.amount.currency,
            "amount": found.amount.atomic,
            "captured": found.captured.atomic,
            "capturable": found.capturable.atomic,
            "authorized_at": _done_at(found, known, now),
            "capture_before": found.capture_before,
            "failure_code": found.failure_code,
            "instrument": None
            if found.instrument is None
            else {name: getattr(found.instrument, name) for name in ("type", "brand", "last4", "country")},
            "risk_level": found.risk_level,
            "is_refundable": found.is_refundable,
            "updated_at": now,
        }
        if found.has_fraud_warning:
            values["has_fraud_warning"] = True  # once there was one, it stays
        if known is not None:
            tx.execute(update(table).where(table.c.id == known.id).values(values))
            return known.id
        charge_id = self._core.ids.new("ch")
        own = {
            "id": charge_id,
            "merchant_id": attempt.merchant_id,
            "livemode": attempt.livemode,
            "payment_id": attempt.payment_id,
            "attempt_id": attempt.id,
            "network": attempt.network,
            "has_fraud_warning": False,
            "created_at": now,
        }
        tx.execute(insert(table), own | values)
        return charge_id

    def take_refund(
        self, tx: Tx, payment: PaymentRecord, attempt: AttemptRecord, source_id: str, found: ProviderRefund
    ) -> RefundRecord:
        """Bring a refund to what its provider says, or adopt one that was made there."""
        table, now = schema.refund, self._core.clock.now()
        is_ours = (table.c.network == attempt.network) & (table.c.reference == found.reference)
        if found.operation_id is not None:
            is_ours |= (table.c.operation_id == found.operation_id) & (table.c.payment_id == payment.id)
        row = tx.execute(select(table).where(is_ours)).mappings().one_or_none()
        if row is None:
            return self._adopt_refund(tx, attempt, source_id, found)
        before = RefundRecord.of(row)
        after = replace(
            before,
            reference=found.reference,
            status=found.status,
            failure_code=found.failure_code,
            updated_at=now
            if (found.status, found.reference) != (before.status, before.reference)
            else before.updated_at,
        )
        if after == before:
            return before
        after = self.announce_refund(tx, before.status, after)
        tx.execute(
            update(table)
            .where(table.c.id == after.id)
            .values(
                reference=after.reference,
                status=after.status.value,
                failure_code=after.failure_code,
                sequence=after.sequence,
                updated_at=after.updated_at,
            )
        )
        return after

    def _adopt_refund(self, tx: Tx, attempt: AttemptRecord, source_id: str, found: ProviderRefund) -> RefundRecord:
        """Take in a refund that was made at the provider itself."""
        now = self._core.clock.now()
        refund = RefundRecord(
            id=self._core.ids.new("re"),
            merchant_id=attempt.merchant_id,
            livemode=attempt.livemode,
            payment_id=attempt.payment_id,
            source_id=source_id,
            operation_id=None,
            network=attempt.network,
            reference=found.reference,
            status=found.status,
            amount=found.amount,
            gift=_gift_of(tx, attempt.payment_id, source_id, found.amount),
            reason=found.reason,
            failure_code=found.failure_code,
            destination=None,
            metadata={},
            sequence=0,
            created_at=now,
            updated_at=now,
        )
        refund = self.announce_refund(tx, None, refund)
        tx.execute(insert(schema.refund), refund_row(refund))
        return refund

    def announce_refund(self, tx: Tx, before: RefundStatus | None, after: RefundRecord) -> RefundRecord:
        """Append the events of a refund's change; return it with its new sequence."""
        return announce_refund(self._core, tx, before, after)

    def _take_dispute(
        self, tx: Tx, payment: PaymentRecord, attempt: AttemptRecord, charge_id: str, found: ProviderDispute
    ) -> None:
        table, now = schema.dispute, self._core.clock.now()
        is_it = (table.c.network == attempt.network) & (table.c.reference == found.reference)
        row = tx.execute(select(table).where(is_it)).mappings().one_or_none()
        before = None if row is None else DisputeRecord.of(row)
        after = DisputeRecord(
            id=self._core.ids.new("dsp") if before is None else before.id,
            merchant_id=payment.merchant_id,
            livemode=payment.livemode,
            payment_id=payment.id,
            charge_id=charge_id,
            network=attempt.network,
            reference=found.reference,
            status=found.status,
            amount=found.amount,
            withdrawn=_contested(found, found.withdrawn),
            reinstated=_contested(found, found.reinstated),
            reason=found.reason,
            evidence_due_by=found.evidence_due_by,
            sequence=0 if before is None else before.sequence,
            created_at=now if before is None else before.created_at,
            updated_at=now if before is None else before.updated_at,
        )
        if after == before:
            return
        after = replace(after, updated_at=now)
        for event_type in dispute_events(None if before is None else _standing(before), _standing(after)):
            after = replace(after, sequence=after.sequence + 1)
            self._append(tx, event_type, after, after.sequence, dispute_object(after))
        if before is None:
            tx.execute(insert(table), _dispute_row(after))
        else:
            tx.execute(update(table).where(table.c.id == after.id).values(_dispute_row(after)))

    def _append(self, tx: Tx, event_type: EventType, about: DisputeRecord, sequence: int, data: dict[str, Any]) -> None:
        append(
            tx,
            Event(
                id=self._core.ids.new("evt"),
                type=event_type,
                merchant_id=about.merchant_id,
                livemode=about.livemode,
                object_id=about.id,
                sequence=sequence,
                created_at=self._core.clock.now(),
                data=data,
            ),
        )


def take_line(tx: Tx, network: str, line: BalanceLine, *, charge_id: str | None, payment_id: str | None) -> str | None:
    """Store what a provider booked, or what was not known of it: whose it is, and which payout took it along.

    Either may be told first: after an outage payouts are often read before the charges that they paid out.

    Returns:
        The payment whose books this changes; None if nothing changed, or while the line is nobody's.
    """
    table = schema.balance_line
    row = _line_row(network, line, charge_id=charge_id, payment_id=payment_id)
    is_it = (table.c.network == network) & (table.c.reference == line.reference)
    query = select(*(table.c[name] for name in _TOLD_LATER)).where(is_it)
    stored = tx.execute(query).mappings().one_or_none()
    if stored is None:
        if insert_new(tx, table, row):
            return payment_id
        stored = tx.execute(query).mappings().one()  # somebody else stored it in this moment
    news = {name: row[name] for name in _TOLD_LATER if stored[name] is None and row[name] is not None}
    if not news:
        return None
    tx.execute(update(table).where(is_it).values(news))
    owner: str | None = stored["payment_id"] or payment_id
    return owner


def _line_row(network: str, line: BalanceLine, *, charge_id: str | None, payment_id: str | None) -> dict[str, Any]:
    return {
        "network": network,
        "reference": line.reference,
        "type": line.type,
        "charge_id": charge_id,
        "payment_id": payment_id,
        "currency": line.amount.currency,
        "amount": line.amount.atomic,
        "fee": line.fee.atomic,
        "net": line.net.atomic,
        "payout": line.payout,
        "available_on": line.available_on,
        "created_at": line.created_at,
    }


def refund_row(refund: RefundRecord) -> dict[str, Any]:
    """Return a refund as its row."""
    row = {name: getattr(refund, name) for name in RefundRecord.__dataclass_fields__}
    money = {"amount": refund.amount.atomic, "gift_amount": row.pop("gift").atomic, "currency": refund.amount.currency}
    return row | money | {"status": refund.status.value}


def _gift_of(tx: Tx, payment_id: str, source_id: str, amount: Money) -> Money:
    """Return how much of a refund that was made at the provider is the gift: what is more than the order's part."""
    facts, zero = load_facts(tx, load_payment(tx, payment_id)), Money.zero(amount.currency)
    source = next((one for one in facts.sources() if one.id == source_id), None)
    if source is None or source.gift is None or amount.currency != source.received.currency:
        return zero
    refunds = facts.refund_facts()
    return min(gift_left(source, refunds), max(zero, amount - own_left(source, refunds, facts.dispute_facts())))


def _dispute_row(dispute: DisputeRecord) -> dict[str, Any]:
    row = {name: getattr(dispute, name) for name in DisputeRecord.__dataclass_fields__}
    return row | {
        "status": dispute.status.value,
        "currency": dispute.amount.currency,
        "amount": dispute.amount.atomic,
        "withdrawn": dispute.withdrawn.atomic,
        "reinstated": dispute.reinstated.atomic,
    }


def _done_at(found: ProviderCharge, known: ChargeRecord | None, now: datetime) -> datetime | None:
    """Return when the shopper's part was done: as it was told first, and no later than we heard of it.

    A provider whose clock is ahead would else make late money of what came in time. A hold that was let go had been
    one, so what is known stays known.
    """
    before = None if known is None else known.authorized_at
    told = [one for one in (before, found.authorized_at) if one is not None]
    return min(*told, now) if told else None


def _contested(dispute: ProviderDispute, moved: Money) -> Money:
    """Return what was moved for a dispute in its own currency; a provider that settles in another moves all of it."""
    if moved.currency == dispute.amount.currency:
        return moved
    return dispute.amount if moved else Money.zero(dispute.amount.currency)


def _standing(dispute: DisputeRecord) -> DisputeStanding:
    return DisputeStanding(status=dispute.status, withdrawn=dispute.withdrawn, reinstated=dispute.reinstated)


def charge_of(tx: Tx, attempt_id: str) -> ChargeRecord | None:
    """Return the charge of an attempt; None before there is one."""
    table = schema.charge
    row = tx.execute(select(table).where(table.c.attempt_id == attempt_id)).mappings().one_or_none()
    return None if row is None else ChargeRecord.of(row)
