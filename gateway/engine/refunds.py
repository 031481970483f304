"""Refunds: an amount is reserved under the payment's lock before anybody is asked to send it.

So refunds that race never give back more than came.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from sqlalchemy import insert, select, update

from gateway.domain.ports import HostedProcessor, WalletProcessor
from gateway.domain.provider import ProviderRefund, RefundCommand
from gateway.domain.returns import DisputeFact, RefundFact, Source, gift_left, own_left, refundable
from gateway.domain.words import GiftRefund, OperationKind, RefundReason, RefundStatus
from gateway.engine.commands import Commands
from gateway.engine.core import Core
from gateway.engine.facts import PaymentFacts, load_facts
from gateway.engine.hosted import command_at
from gateway.engine.idempotency import Intent, Reply, amend, forget, once
from gateway.engine.operations import reserve
from gateway.engine.outflows import store_refund
from gateway.engine.paging import Page, PageRequest, fetch_page
from gateway.engine.payments import own_payment
from gateway.engine.reading import Reading, refund_row
from gateway.engine.records import (
    AttemptRecord,
    OperationRecord,
    Owner,
    PaymentRecord,
    RefundRecord,
    TransferRecord,
    load_attempt,
    load_payment,
    not_found,
)
from gateway.engine.refresh import refresh
from gateway.engine.wire import refund_object
from gateway.kernel.canonical import canonical_json
from gateway.kernel.errors import (
    ConflictError,
    DeclinedError,
    ErrorCode,
    InvalidRequestError,
    TemporaryError,
    UnknownOutcomeError,
)
from gateway.kernel.log import Log
from gateway.kernel.money import Money, parse_money
from gateway.storage import schema
from gateway.storage.database import Tx

log = Log("engine")

CREATED: Final = 201
OK: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRefund:
    """What a merchant asks for.

    Attributes:
        amount: in major units of the received currency; None for all that is left of the source.
        source: the charge or chain transfer whose money goes back; None for the one with most left.
        destination: the wallet that a chain refund goes to; None for the wallet that paid.
        donation: what becomes of a gift on top of the order.
    """

    payment_id: str
    amount: str | None = None
    currency: str | None = None
    source: str | None = None
    destination: str | None = None
    reason: RefundReason | None = None
    donation: GiftRefund = GiftRefund.KEEP
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """So much of one receipt is to go back, `gift` of it from what a charity was given."""

    source: Source
    amount: Money
    gift: Money


class Refunds:
    """The verbs of refunds."""

    def __init__(self, core: Core, commands: Commands, reading: Reading) -> None:
        self._core = core
        self._commands = commands
        self._reading = reading
        commands.carry(OperationKind.REFUND, _Refund(core, reading))
        commands.carry(OperationKind.CANCEL_REFUND, _CancelRefund(core, reading))

    def create(self, intent: Intent, new: NewRefund) -> Reply:
        """Give money back; the answer is the refund as it stands once its provider was asked.

        A provider that does not answer leaves it `pending`: the sweep asks again under the same key. What came over a
        chain waits in `requires_action` for the signature of the merchant's wallet, see `refund_transfers`.

        Raises:
            NotFoundError: there is no such payment, or it is somebody else's.
            ConflictError: nothing was received, or nothing is left to give back.
            InvalidRequestError: more than is left, another currency than came, or no wallet to send it to.
        """
        reserved: list[OperationRecord] = []

        def verb(tx: Tx) -> Reply:
            reserved.clear()  # a tx that lost a race is run again
            payment = own_payment(tx, intent.owner, new.payment_id, lock=True)
            refund, operation = self._reserve(tx, payment, new)
            if operation is not None:
                reserved.append(operation)
            return Reply(status_code=CREATED, body=canonical_json(refund_object(refund)))

        reply = once(self._core, intent, verb)
        if reply.is_replay:
            return reply
        self._core.wake_delivery()
        if not reserved:
            return reply
        self._carry_out(reserved[0])
        return amend(self._core, intent, Reply(status_code=CREATED, body=self._shown(reserved[0])))

    def cancel(self, intent: Intent, refund_id: str) -> Reply:
        """Call off a refund that waits for the customer, or for the signature of the merchant's own wallet.

        Raises:
            NotFoundError: there is no such refund, or it is somebody else's.
            ConflictError: it is done, or cannot be called off any more.
            TemporaryError, UnknownOutcomeError: as for every command.
        """
        reserved: list[OperationRecord] = []

        def verb(tx: Tx) -> Reply:
            reserved.clear()
            refund = own_refund(tx, intent.owner, refund_id, lock=True)
            if refund.status is not RefundStatus.REQUIRES_ACTION:
                raise _not_cancelable(refund)
            if refund.is_by_transfer:
                refund = store_refund(self._core, tx, refund, replace(refund, status=RefundStatus.CANCELED))
                refresh(self._core, tx, refund.payment_id)
                return Reply(status_code=OK, body=canonical_json(refund_object(refund)))
            if refund.reference is None:
                raise _not_cancelable(refund)
            attempt = _attempt_of(tx, refund)
            payload = {"reference": refund.reference}
            reserved.append(reserve(self._core, tx, attempt, OperationKind.CANCEL_REFUND, payload, refund_id=refund.id))
            return Reply(status_code=OK, body=canonical_json(refund_object(refund)))

        reply = once(self._core, intent, verb)
        if reply.is_replay or not reserved:
            self._core.wake_delivery()
            return reply
        try:
            self._commands.run(reserved[0], is_first=True)
        except (ConflictError, DeclinedError, TemporaryError):
            forget(self._core, intent)
            raise
        return amend(self._core, intent, Reply(status_code=OK, body=self._shown(reserved[0])))

    def retrieve(self, owner: Owner, refund_id: str) -> dict[str, Any]:
        """Return a refund of this owner.

        Raises:
            NotFoundError: there is none, or it is somebody else's.
        """
        return self._core.db.read(lambda tx: refund_object(own_refund(tx, owner, refund_id)))

    def page(self, owner: Owner, request: PageRequest, *, payment_id: str | None, status: str | None) -> Page:
        """Return a page of this owner's refunds, newest first."""
        table = schema.refund
        query = select(table)
        if payment_id is not None:
            query = query.where(table.c.payment_id == payment_id)
        if status is not None:
            query = query.where(table.c.status == status)

        def to_object(row: dict[str, Any]) -> dict[str, Any]:
            return refund_object(RefundRecord.of(row))

        return self._core.db.read(lambda tx: fetch_page(tx, table, query, owner, request, to_object))

    def _reserve(self, tx: Tx, payment: PaymentRecord, new: NewRefund) -> tuple[RefundRecord, OperationRecord | None]:
        """Set the amount aside; the operation is what asks the provider, None where a wallet has to sign."""
        facts = load_facts(tx, payment)
        source, left, gift = _source(facts, new)
        if new.currency not in {None, left.currency}:
            raise InvalidRequestError(
                ErrorCode.CURRENCY_MISMATCH, f"This payment was received in {left.currency}.", param="/currency"
            )
        amount = left if new.amount is None else parse_money(new.amount, left.currency)
        if amount > left:
            log.info("refund_too_large", payment_id=payment.id)
            raise InvalidRequestError(
                ErrorCode.AMOUNT_TOO_LARGE, f"At most {left} of this payment can be refunded now.", param="/amount"
            )
        if new.donation is not GiftRefund.ONLY:
            gift = max(Money.zero(amount.currency), amount - (left - gift))  # the order first
        part = _Part(source=source, amount=amount, gift=min(gift, amount))
        charge = next((one for one in facts.charges if one.id == source.id), None)
        if charge is None:
            return self._await_wallet(tx, facts, part, new), None
        if new.destination is not None:
            raise InvalidRequestError(
                ErrorCode.PARAMETER_INVALID, "A card payment goes back to its card alone.", param="/destination"
            )
        attempt = next(one for one in facts.attempts if one.id == charge.attempt_id)
        refund = self._draft(attempt, part, new)
        payload = {
            "reference": charge.reference,
            "amount": amount.atomic,
            "currency": amount.currency,
            "reason": None if new.reason is None else new.reason.value,
        }
        operation = reserve(self._core, tx, attempt, OperationKind.REFUND, payload, refund_id=refund.id)
        return self._insert(tx, replace(refund, operation_id=operation.id)), operation

    def _await_wallet(self, tx: Tx, facts: PaymentFacts, part: "_Part", new: NewRefund) -> RefundRecord:
        """Set money aside that the merchant's own wallet sends back."""
        transfer = next(one for one in facts.transfers if one.id == part.source.id)
        attempt = next(one for one in facts.attempts if one.id == transfer.attempt_id)
        processor = self._core.processors[attempt.processor]
        refund = replace(
            self._draft(attempt, part, new),
            status=RefundStatus.REQUIRES_ACTION,
            destination=_destination(tx, processor, transfer, new.destination),
            reference_key=processor.new_reference(),
        )
        return self._insert(tx, refund)

    def _insert(self, tx: Tx, refund: RefundRecord) -> RefundRecord:
        refund = self._reading.announce_refund(tx, None, refund)
        tx.execute(insert(schema.refund), refund_row(refund))
        refresh(self._core, tx, refund.payment_id)
        return refund

    def _draft(self, attempt: AttemptRecord, part: "_Part", new: NewRefund) -> RefundRecord:
        now = self._core.clock.now()
        return RefundRecord(
            id=self._core.ids.new("re"),
            merchant_id=attempt.merchant_id,
            livemode=attempt.livemode,
            payment_id=attempt.payment_id,
            source_id=part.source.id,
            operation_id=None,
            network=attempt.network,
            reference=None,
            status=RefundStatus.PENDING,
            amount=part.amount,
            gift=part.gift,
            reason=None if new.reason is None else new.reason.value,
            failure_code=None,
            destination=None,
            metadata=new.metadata,
            sequence=0,
            created_at=now,
            updated_at=now,
        )

    def _carry_out(self, operation: OperationRecord) -> None:
        """Ask the provider; what it refuses is recorded in the refund, what it leaves open is asked again later."""
        try:
            self._commands.run(operation, is_first=False)
        except (ConflictError, DeclinedError, InvalidRequestError) as error:
            log.info("refund_refused", refund_id=operation.refund_id, code=error.code)
        except (TemporaryError, UnknownOutcomeError) as error:
            log.warning("refund_open", refund_id=operation.refund_id, code=error.code)

    def _shown(self, operation: OperationRecord) -> str:
        assert operation.refund_id is not None, "it was reserved for a refund"
        refund_id = operation.refund_id
        return canonical_json(self._core.db.read(lambda tx: refund_object(load_refund(tx, refund_id))))


def _source(facts: PaymentFacts, new: NewRefund) -> tuple[Source, Money, Money]:
    """Return what was named, else what has most left to give back, of this currency if some came in it.

    With it, how much is left there, and how much of that is the gift.

    Raises:
        ConflictError: nothing was received, or all of it is gone or contested.
        InvalidRequestError: what was named is none of the payment's receipts.
    """
    refunds, disputes = facts.refund_facts(), facts.dispute_facts()
    found = [(one, *_left(one, refunds, disputes, new)) for one in facts.sources() if new.source in {None, one.id}]
    if new.source is not None and not found:
        raise InvalidRequestError(
            ErrorCode.PARAMETER_INVALID,
            "This is no charge or settled chain transfer of the payment.",
            param="/source",
        )
    found = [one for one in found if one[1].currency == new.currency] or found
    if not any(left for _, left, _ in found):
        raise ConflictError(
            ErrorCode.NOTHING_TO_REFUND,
            "Nothing of this payment is left that could be refunded now.",
            object_id=facts.payment.id,
        )
    return max(found, key=lambda one: one[1].atomic)


def _left(
    source: Source, refunds: Sequence[RefundFact], disputes: Sequence[DisputeFact], new: NewRefund
) -> tuple[Money, Money]:
    """Return what may go back of a source as asked, and how much of that is the gift."""
    every, own = refundable(source, refunds, disputes), own_left(source, refunds, disputes)
    gift = min(every, gift_left(source, refunds))
    match new.donation:
        case GiftRefund.KEEP:
            return own, Money.zero(own.currency)
        case GiftRefund.INCLUDE:
            return every, gift
        case GiftRefund.ONLY:
            return gift, gift


def _destination(tx: Tx, processor: WalletProcessor, transfer: TransferRecord, named: str | None) -> str:
    """Return the wallet that money goes back to: the one named, else the payer's, if a key of his own signs for it.

    Raises:
        InvalidRequestError: the payer is not known to be a wallet, or the merchant himself would be paid.
    """
    if named is None and (transfer.payer is None or not processor.has_own_key(transfer.payer)):
        raise InvalidRequestError(
            ErrorCode.DESTINATION_REQUIRED,
            "Nobody can tell who controls the address that paid. Ask the customer for a wallet and name it.",
            param="/destination",
        )
    wallet = processor.refund_destination(named or str(transfer.payer))
    table = schema.receiving_account
    is_own = (table.c.merchant_id == transfer.merchant_id) & (table.c.livemode == transfer.livemode)
    if tx.execute(select(table.c.id).where(is_own, table.c.wallet == wallet).limit(1)).first() is not None:
        raise InvalidRequestError(
            ErrorCode.WALLET_ADDRESS_INVALID,
            "That is a wallet of your own, so nobody would be refunded. Name the customer's.",
            param="/destination",
        )
    return wallet


def _not_cancelable(refund: RefundRecord) -> ConflictError:
    return ConflictError(
        ErrorCode.REFUND_NOT_CANCELABLE,
        "Only a refund that still waits, for the customer or for a signature, can be called off.",
        object_id=refund.id,
    )


class _OfRefund:
    """What making and calling off a refund share."""

    def __init__(self, core: Core, reading: Reading) -> None:
        self._core = core
        self._reading = reading

    def store(self, tx: Tx, operation: OperationRecord, answer: ProviderRefund) -> None:
        """Bring the refund to what its provider says; a read that began before this is older, and is dropped."""
        payment, attempt = load_payment(tx, operation.payment_id), load_attempt(tx, operation.attempt_id)
        refund = _refund_of(tx, operation)
        ours = replace(answer, operation_id=refund.operation_id)
        self._reading.take_refund(tx, payment, attempt, refund.source_id, ours)
        table = schema.attempt
        tx.execute(update(table).where(table.c.id == attempt.id).values(reads=attempt.reads + 1))

    def _processor(self, operation: OperationRecord) -> tuple[HostedProcessor, AttemptRecord]:
        attempt = self._core.db.read(lambda tx: load_attempt(tx, operation.attempt_id))
        return self._core.provider(attempt.processor), attempt


class _Refund(_OfRefund):
    """Gives captured money back."""

    def send(self, operation: OperationRecord) -> ProviderRefund:
        """Ask for it."""
        processor, attempt = self._processor(operation)
        return processor.refund(_command(operation, attempt))

    def find(self, operation: OperationRecord) -> ProviderRefund | None:
        """Look for it."""
        processor, attempt = self._processor(operation)
        return processor.find_refund(_command(operation, attempt))

    def refuse(self, tx: Tx, operation: OperationRecord, reason: str) -> None:
        """Let the reserved amount go."""
        before = _refund_of(tx, operation)
        after = replace(before, status=RefundStatus.FAILED, failure_code=reason[:60], updated_at=self._core.clock.now())
        after = self._reading.announce_refund(tx, before.status, after)
        table = schema.refund
        tx.execute(update(table).where(table.c.id == after.id).values(refund_row(after)))


class _CancelRefund(_OfRefund):
    """Calls a refund off."""

    def send(self, operation: OperationRecord) -> ProviderRefund:
        """Ask for it."""
        processor, attempt = self._processor(operation)
        reference = json.loads(operation.payload or "{}")["reference"]
        return processor.cancel_refund(command_at(attempt, operation, reference=reference))

    def find(self, operation: OperationRecord) -> ProviderRefund | None:
        """Read whether it is called off, or done after all."""
        found = self._reading.read(operation.attempt_id)
        reference = json.loads(operation.payload or "{}")["reference"]
        open_ones = {RefundStatus.PENDING, RefundStatus.REQUIRES_ACTION}
        refunds: Sequence[ProviderRefund] = () if found is None else found.refunds
        return next((one for one in refunds if one.reference == reference and one.status not in open_ones), None)

    def refuse(self, _tx: Tx, operation: OperationRecord, reason: str) -> None:
        """It goes on."""
        log.info("refund_not_canceled", refund_id=operation.refund_id, reason=reason)


def _command(operation: OperationRecord, attempt: AttemptRecord) -> RefundCommand:
    assert operation.refund_id is not None, "it was reserved for a refund"
    asked = json.loads(operation.payload or "{}")
    return RefundCommand(
        operation_id=operation.id,
        refund_id=operation.refund_id,
        attempt_id=attempt.id,
        payment_id=attempt.payment_id,
        livemode=attempt.livemode,
        reference=asked["reference"],
        amount=Money(asked["amount"], asked["currency"]),
        reason=asked["reason"],
        created_at=operation.created_at,
    )


def load_refund(tx: Tx, refund_id: str) -> RefundRecord:
    """Return a refund that our own rows name."""
    table = schema.refund
    return RefundRecord.of(tx.execute(select(table).where(table.c.id == refund_id)).mappings().one())


def _refund_of(tx: Tx, operation: OperationRecord) -> RefundRecord:
    assert operation.refund_id is not None, "it was reserved for a refund"
    return load_refund(tx, operation.refund_id)


def _attempt_of(tx: Tx, refund: RefundRecord) -> AttemptRecord:
    charge = schema.charge
    attempt_id = tx.scalar(select(charge.c.attempt_id).where(charge.c.id == refund.source_id))
    if attempt_id is None:
        raise _not_cancelable(refund)
    return load_attempt(tx, attempt_id)


def own_refund(tx: Tx, owner: Owner, refund_id: str, *, lock: bool = False) -> RefundRecord:
    """Return a refund of this owner; `lock` holds its payment until the tx ends.

    Raises:
        NotFoundError: there is none, or it is somebody else's.
    """
    table = schema.refund
    is_own = (table.c.merchant_id == owner.merchant_id) & (table.c.livemode == owner.livemode)
    row = tx.execute(select(table).where(table.c.id == refund_id, is_own)).mappings().one_or_none()
    if row is None:
        raise not_found("refund")
    if lock:
        load_payment(tx, row["payment_id"], lock=True)
        return load_refund(tx, refund_id)
    return RefundRecord.of(row)
