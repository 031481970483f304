"""Outflows: chain transfers out of a merchant's accounts, and the refunds that they pay.

A refund by chain transfer is signed by the merchant's own wallet, so what became of it is read from the chain like
everything else: its status follows from the outflows that name it and from the signed bytes that may still land, in any
order and as often as one likes. The one outflow that counts stands in the books of the payment, every other one that
names the refund is money that the merchant moved himself.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import insert, or_, select, update

from gateway.domain.announcements import refund_events
from gateway.domain.attribution import NamedRefund, named_refunds
from gateway.domain.chain import ChainObservation
from gateway.domain.events import Event
from gateway.domain.postings import Target, unmatched_target
from gateway.domain.returns import OutflowFact, paying_outflow, refundable, transfer_refund_status
from gateway.domain.words import OperationKind, OperationStatus, RefundStatus, TransferStage, UnmatchedReason
from gateway.engine.core import Core
from gateway.engine.facts import PaymentFacts
from gateway.engine.operations import OPEN
from gateway.engine.posting import Subject, post_difference
from gateway.engine.records import OperationRecord, Owner, RefundRecord, TransferRecord
from gateway.engine.wire import refund_object
from gateway.kernel.log import Log
from gateway.kernel.money import Money
from gateway.outbox.events import append
from gateway.storage import schema
from gateway.storage.database import Tx

log = Log("engine")

# References of an outflow that are looked up: ours has one, and a chain transfer holds a few dozen keys at the most.
_REFERENCE_LIMIT: Final = 64


def named_refund(tx: Tx, owner: Owner, observation: ChainObservation) -> NamedRefund | None:
    """Return the one refund of this owner that an outflow names; None for none, and for more than one."""
    if observation.net >= 0:
        return None
    table = schema.refund
    is_named = or_(
        table.c.id.in_(named_refunds(observation.memo)),
        table.c.reference_key.in_(observation.references[:_REFERENCE_LIMIT]),
    )
    query = select(table.c.id, table.c.currency).where(
        is_named,
        table.c.merchant_id == owner.merchant_id,
        table.c.livemode == owner.livemode,
        table.c.network == observation.network,
        table.c.reference_key.is_not(None),
    )
    found = tx.execute(query).all()
    if len(found) > 1:
        log.warning("refund_ambiguous", network=observation.network, signature=observation.signature)
    return NamedRefund(refund_id=found[0].id, asset=found[0].currency) if len(found) == 1 else None


def payment_of_refund(tx: Tx, refund_id: str) -> str:
    """Return the payment of a refund that our own rows name."""
    table = schema.refund
    return str(tx.scalar(select(table.c.payment_id).where(table.c.id == refund_id)))


def follow_refunds(core: Core, tx: Tx, facts: PaymentFacts) -> bool:
    """Bring a payment's refunds by chain transfer to what chain and operations say; return whether one changed.

    The caller holds the payment's lock.
    """
    refunds = {one.id: one for one in facts.refunds}
    ours = [one for one in facts.refunds if one.is_by_transfer]
    outflows = _load_outflows(tx, ours)
    for before in ours:
        named = [one for one in outflows if one.refund_id == before.id]
        paying = paying_outflow(before.amount, [_outflow_fact(one) for one in named])
        if before.status is RefundStatus.CANCELED and not _has_room(facts, list(refunds.values()), before):
            paying = None  # its money was given back otherwise: what lands now is the merchant's own affair
        else:
            refunds[before.id] = _follow(core, tx, before, paying, named)
        for one in named:
            _book(core, tx, one, counts=paying is not None and one.id == paying.id)
    return any(refunds[one.id] != one for one in ours)


def _follow(
    core: Core, tx: Tx, before: RefundRecord, paying: OutflowFact | None, named: Sequence[TransferRecord]
) -> RefundRecord:
    """Bring one refund to what the outflows that name it say."""
    sent = _follow_operations(core, tx, before, named)
    after = replace(
        before,
        status=transfer_refund_status(before.status, paying, is_sent=sent is not None),
        reference=sent if paying is None else paying.signature,
    )
    return before if after == before else store_refund(core, tx, before, after)


def _has_room(facts: PaymentFacts, refunds: Sequence[RefundRecord], canceled: RefundRecord) -> bool:
    """Tell whether a refund that was called off, and was paid after all, still fits into what came."""
    taken = [one for one in replace(facts, refunds=refunds).refund_facts() if one.id != canceled.id]
    source = next((one for one in facts.sources() if one.id == canceled.source_id), None)
    return source is not None and refundable(source, taken, ()) >= canceled.amount


def _follow_operations(core: Core, tx: Tx, refund: RefundRecord, named: Sequence[TransferRecord]) -> str | None:
    """Bring the operations of a refund to what the chain says; return the signature of one that may still land.

    One that was seen stays open until it is final: what a fork drops may land again, and other bytes must wait for it.
    """
    landed = {one.signature: one for one in named}
    operations = _load_operations(tx, refund.id)
    for operation in operations:
        transfer = landed.pop(str(operation.provider_reference), None)
        if transfer is not None:
            _move_operation(core, tx, operation, transfer.stage)
    for transfer in landed.values():
        if transfer.stage in {TransferStage.SEEN, TransferStage.CONFIRMED} and _amount_out(transfer) == refund.amount:
            _adopt_operation(core, tx, refund, transfer)
    waiting = [one for one in _load_operations(tx, refund.id) if one.status.value in OPEN]
    return waiting[0].provider_reference if waiting else None


def _move_operation(core: Core, tx: Tx, operation: OperationRecord, stage: TransferStage) -> None:
    status = operation.status
    if stage is TransferStage.FINAL:
        status = OperationStatus.SUCCEEDED
    elif status is OperationStatus.SUCCEEDED or (
        status is OperationStatus.REJECTED and stage is not TransferStage.DROPPED
    ):
        status = OperationStatus.SUBMITTED
    if status is not operation.status:
        table = schema.operation
        values = {"status": status.value, "reason": None, "updated_at": core.clock.now()}
        tx.execute(update(table).where(table.c.id == operation.id).values(values))


def _adopt_operation(core: Core, tx: Tx, refund: RefundRecord, transfer: TransferRecord) -> None:
    """Keep an eye on what another tool sent: without its bytes, only time tells that it can no more land."""
    values = operation_values(core, tx, refund, transfer.signature)
    tx.execute(insert(schema.operation), values | {"status": OperationStatus.SUBMITTED.value})


def operation_values(core: Core, tx: Tx, refund: RefundRecord, signature: str) -> dict[str, Any]:
    """Return the row of the operation that sends a refund under this signature."""
    now, table = core.clock.now(), schema.chain_transfer
    attempt_id = tx.scalar(select(table.c.attempt_id).where(table.c.id == refund.source_id))
    assert attempt_id is not None, "money that can go back belongs to an attempt"
    return {
        "id": core.ids.new("op"),
        "merchant_id": refund.merchant_id,
        "livemode": refund.livemode,
        "payment_id": refund.payment_id,
        "attempt_id": attempt_id,
        "refund_id": refund.id,
        "kind": OperationKind.REFUND_TRANSFER.value,
        "status": OperationStatus.RESERVED.value,
        "provider_reference": signature,
        "payload": None,
        "last_valid_height": None,
        "reason": None,
        "created_at": now,
        "updated_at": now,
    }


def store_refund(core: Core, tx: Tx, before: RefundRecord, after: RefundRecord) -> RefundRecord:
    """Store where a refund stands now, and tell."""
    after = announce_refund(core, tx, before.status, replace(after, updated_at=core.clock.now()))
    table = schema.refund
    values = {
        "reference": after.reference,
        "status": after.status.value,
        "sequence": after.sequence,
        "updated_at": after.updated_at,
    }
    tx.execute(update(table).where(table.c.id == after.id).values(values))
    return after


def announce_refund(core: Core, tx: Tx, before: RefundStatus | None, after: RefundRecord) -> RefundRecord:
    """Append the events of a refund's change; return it with its new sequence."""
    for event_type in refund_events(before, after.status):
        after = replace(after, sequence=after.sequence + 1)
        append(
            tx,
            Event(
                id=core.ids.new("evt"),
                type=event_type,
                merchant_id=after.merchant_id,
                livemode=after.livemode,
                object_id=after.id,
                sequence=after.sequence,
                created_at=core.clock.now(),
                data=refund_object(after),
            ),
        )
    return after


def _book(core: Core, tx: Tx, outflow: TransferRecord, *, counts: bool) -> None:
    """Bring the books of an outflow to where it must stand: nowhere while its payment's books hold it."""
    target: Target = {}
    if not counts:
        reason = UnmatchedReason.OUTFLOW
        target = unmatched_target(outflow.network, outflow.amount, outflow.stage, reason, is_fee=False)
    owner = Owner(merchant_id=outflow.merchant_id, livemode=outflow.livemode)
    # Which outflow counts may change while the outflow itself stands still, so each entry takes a version of its own.
    subject = Subject(owner=owner, id=outflow.id, version=outflow.version + 1)
    if not post_difference(core, tx, subject, target, outflow.occurred_at or outflow.first_seen_at):
        return
    table = schema.chain_transfer
    tx.execute(update(table).where(table.c.id == outflow.id).values(version=subject.version))
    if target:
        log.warning("refund_transfer_not_counted", refund_id=outflow.refund_id, transfer_id=outflow.id)


def _outflow_fact(record: TransferRecord) -> OutflowFact:
    return OutflowFact(
        id=record.id,
        amount=_amount_out(record),
        stage=record.stage,
        slot=record.slot,
        signature=record.signature,
    )


def _amount_out(record: TransferRecord) -> Money:
    return Money(-record.amount.atomic, record.amount.currency)


def _load_outflows(tx: Tx, refunds: Iterable[RefundRecord]) -> list[TransferRecord]:
    refund_ids = [one.id for one in refunds]
    if not refund_ids:
        return []
    table = schema.chain_transfer
    query = select(table).where(table.c.refund_id.in_(refund_ids)).order_by(table.c.id)
    return [TransferRecord.of(row) for row in tx.execute(query).mappings()]


def _load_operations(tx: Tx, refund_id: str) -> list[OperationRecord]:
    table = schema.operation
    is_its = (table.c.refund_id == refund_id) & (table.c.kind == OperationKind.REFUND_TRANSFER.value)
    return [OperationRecord.of(row) for row in tx.execute(select(table).where(is_its).order_by(table.c.id)).mappings()]
