"""Wallets: build what the shopper signs, send what he signed, remember what his wallet says it sent.

A signed chain transfer is a command that moves money, so it is an operation: its bytes and signature are committed
before they are sent; the same bytes may be sent again and again; and only the chain says what became of it.
"""

from datetime import timedelta
from fractions import Fraction
from typing import Any, Final

from sqlalchemy import func, insert, select, update

from gateway.domain.conversion import rest_due
from gateway.domain.payments import PaymentState, late_policy_at
from gateway.domain.ports import GiftRequest, SignedTransfer, TransferRequest, UnsignedTransfer, WalletProcessor
from gateway.domain.words import LatePolicy, OperationKind, OperationStatus, PaymentStatus, SessionStatus, TransferStage
from gateway.engine.core import Core
from gateway.engine.facts import load_facts, payment_terms
from gateway.engine.operations import WALLET_KINDS
from gateway.engine.records import (
    AttemptRecord,
    OperationRecord,
    SessionRecord,
    load_merchant,
    load_payment,
)
from gateway.engine.refresh import refresh
from gateway.kernel.errors import (
    ConflictError,
    DeclinedError,
    ErrorCode,
    InvalidRequestError,
    TemporaryError,
    UnknownOutcomeError,
)
from gateway.kernel.log import Log
from gateway.kernel.money import Money
from gateway.storage import schema
from gateway.storage.database import Tx

log = Log("engine")

HINT_LIMIT: Final = 20  # signatures a page may name for one payment; a wallet never needs more
SWEEP_LIMIT: Final = 200  # operations a sweep
PATIENCE: Final = timedelta(seconds=10)  # before an open operation is asked about
HINT_LIFETIME: Final = timedelta(minutes=10)  # then a signature that no chain knows is given up
_KINDS: Final = (OperationKind.BROADCAST.value, OperationKind.WALLET_SEND.value)
_SENT: Final = tuple(kind.value for kind in WALLET_KINDS)
_OPEN: Final = (OperationStatus.RESERVED.value, OperationStatus.SUBMITTED.value, OperationStatus.UNKNOWN.value)


class Wallets:
    """The verbs between a checkout page and a wallet."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def request(self, session: SessionRecord) -> TransferRequest:
        """Return what the shown attempt still asks for: the rest at the kept rate, counting what was already seen.

        Raises:
            ConflictError: no method is chosen, or nothing is due.
        """
        return self._core.db.read(lambda tx: self._request(tx, session))

    def build(self, session: SessionRecord, payer: str, *, legacy: bool = False) -> UnsignedTransfer:
        """Build the chain transfer that `payer` is to sign now.

        Raises:
            ConflictError: nothing is due, the quote is over, or a transfer of this payment is on its way.
            InvalidRequestError: the payer's address is malformed.
            DeclinedError: the payer cannot pay this; the message says why.
            TemporaryError: the chain does not answer.
        """
        request, processor = self._open_request(session)
        self._core.db.read(lambda tx: _refuse_while_sending(tx, session.payment_id))
        return processor.build(request, payer=payer, legacy=legacy)

    def submit(self, session: SessionRecord, payload: str) -> str:
        """Check what a wallet signed, commit it, then send it; return its signature.

        A crash or time-out after the commit leaves an operation that `reconcile` sends again, byte for byte.

        Raises:
            ConflictError: nothing is due, or other bytes of this payment may still be on their way.
            InvalidRequestError: it does not pay this request.
            DeclinedError: the chain refused it for good.
            TemporaryError: the chain does not answer; nothing was sent.
        """
        request, processor = self._open_request(session)
        signed = processor.check_signed(request, payload)
        operation_id, is_first = self._core.db.write(lambda tx: self._reserve(tx, session, request, signed))
        self.send(processor, request.network, operation_id, signed.payload, is_first=is_first)
        self._core.wake_monitor(request.network, signed.signature)
        return signed.signature

    def hint(self, session: SessionRecord, signature: str) -> None:
        """Remember a signature that the shopper's wallet claims to have sent; it proves nothing.

        Raises:
            ConflictError: no method is chosen.
            InvalidRequestError: too many different signatures.
        """
        attempt = self._core.db.read(lambda tx: shown_attempt(tx, session))
        if attempt is None:
            raise _nothing_due(session.payment_id)
        self._core.db.write(lambda tx: self._remember(tx, attempt, signature))
        self._core.wake_monitor(attempt.network, signature)

    def reconcile(self) -> int:
        """Ask the chain about open operations: landed, lost, or to be sent again. Return how many were closed."""
        cutoff = self._core.clock.now() - PATIENCE
        table = schema.operation
        query = (
            select(table, schema.attempt.c.network, schema.attempt.c.processor)
            .join(schema.attempt, schema.attempt.c.id == table.c.attempt_id)
            .where(table.c.status.in_(_OPEN), table.c.kind.in_(_SENT), table.c.updated_at < cutoff)
            .order_by(table.c.updated_at)
            .limit(SWEEP_LIMIT)
        )
        rows = self._core.db.read(lambda tx: [dict(row) for row in tx.execute(query).mappings()])
        closed = 0
        for row in rows:
            network, processor = row.pop("network"), self._core.processors[row.pop("processor")]
            closed += self._reconcile(OperationRecord.of(row), network, processor)
        return closed

    def _reconcile(self, operation: OperationRecord, network: str, processor: WalletProcessor) -> bool:
        assert operation.provider_reference is not None, "wallet operations know their signature"
        try:
            state = processor.signature_state(network, operation.provider_reference)
        except TemporaryError:
            self._touch(operation.id)  # to the end of the queue, so that a dead network does not hold up the others
            return False
        # A refund is signed anew only when its old bytes can no more land: what a fork took back might.
        is_refund = operation.kind is OperationKind.REFUND_TRANSFER
        if state.has_failed and (not is_refund or state.stage is TransferStage.FINAL):
            return self._close(operation, OperationStatus.REJECTED, "failed_on_chain")
        if state.stage is not None:
            is_old = self._core.clock.now() - operation.created_at > HINT_LIFETIME
            if is_old and state.stage is TransferStage.FINAL and not is_refund:
                return self._close(operation, OperationStatus.REJECTED, "no_effect")
            # It landed: the monitor reads it, and its observation closes the operation.
            self._core.wake_monitor(network, operation.provider_reference)
            self._touch(operation.id)
            return False
        if self._is_lost(operation, state.finalized_height):
            return self._close(operation, OperationStatus.REJECTED, "never_seen")
        if operation.payload is not None:
            self._send_again(processor, network, operation)
        else:
            self._touch(operation.id)
        return False

    def _is_lost(self, operation: OperationRecord, finalized_height: int) -> bool:
        """Tell whether a signature that the chain does not know can no more land: past its height, or given up."""
        if operation.last_valid_height is not None:
            return finalized_height > operation.last_valid_height
        return self._core.clock.now() - operation.created_at > HINT_LIFETIME

    def _send_again(self, processor: WalletProcessor, network: str, operation: OperationRecord) -> None:
        assert operation.payload is not None, "a broadcast keeps its bytes"
        try:
            self.send(processor, network, operation.id, operation.payload, is_first=False)
        except (DeclinedError, TemporaryError):
            log.info("broadcast_again_failed", operation_id=operation.id)

    def send(
        self, processor: WalletProcessor, network: str, operation_id: str, payload: str, *, is_first: bool
    ) -> None:
        """Send signed bytes and record the outcome; unknown stays open, and is no error for the shopper.

        A refusal proves that nothing was sent only when these bytes were never sent before; later, an earlier sending
        may have landed, and only the chain closes the operation.
        """
        try:
            processor.broadcast(network, payload)
        except (DeclinedError, TemporaryError) as error:
            if is_first:
                self._outcome(operation_id, OperationStatus.REJECTED, error.code.value)
            else:
                self._touch(operation_id)
            raise
        except UnknownOutcomeError as error:
            self._outcome(operation_id, OperationStatus.UNKNOWN, error.code.value)
        else:
            self._outcome(operation_id, OperationStatus.SUBMITTED, None)

    def _request(self, tx: Tx, session: SessionRecord) -> TransferRequest:
        attempt = shown_attempt(tx, session)
        if attempt is None:
            raise _nothing_due(session.payment_id)
        rest, gift = rest_of(load_facts(tx, load_payment(tx, session.payment_id)).state(), attempt)
        if not rest:
            raise _nothing_due(session.payment_id)
        merchant = load_merchant(tx, session.merchant_id)
        return TransferRequest(
            network=attempt.network,
            wallet=attempt.wallet,
            account=attempt.account,
            due=rest,
            reference_key=attempt.reference_key,
            label=merchant.name,
            message=session.reference,
            memo=session.payment_id,
            gift=gift,
        )

    def _open_request(self, session: SessionRecord) -> tuple[TransferRequest, WalletProcessor]:
        """Return what is due and who takes it, if the kept rate still holds."""
        attempt = self._core.db.read(lambda tx: shown_attempt(tx, session))
        if attempt is None or not self._takes_money(session, attempt):
            raise _nothing_due(session.payment_id)
        return self.request(session), self._core.processors[attempt.processor]

    def _takes_money(self, session: SessionRecord, attempt: AttemptRecord) -> bool:
        """An open session at a rate that holds; or the rest of an underpaid one, where late money counts."""
        if session.status is SessionStatus.OPEN and self._core.clock.now() < attempt.expires_at:
            return True
        payment = self._core.db.read(lambda tx: load_payment(tx, session.payment_id))
        settings = self._core.db.read(lambda tx: payment_terms(tx, payment)).settings
        policy = late_policy_at(settings, attempt.expires_at, self._core.clock.now())
        return payment.status is PaymentStatus.UNDERPAID and policy is LatePolicy.ACCEPT

    def _reserve(
        self, tx: Tx, session: SessionRecord, request: TransferRequest, signed: SignedTransfer
    ) -> tuple[str, bool]:
        """Commit the signed bytes before they are sent; return the operation, and whether it is new.

        The same bytes twice are one operation. Other bytes wait while earlier ones may still land: both could, and the
        shopper, with a second tab or an impatient finger, would pay twice.
        """
        load_payment(tx, session.payment_id, lock=True)
        _refuse_while_sending(tx, session.payment_id, but=signed.signature)
        attempt = shown_attempt(tx, session)
        if attempt is None or self._request(tx, session) != request:
            raise _nothing_due(session.payment_id)  # money or another choice came while the bytes were checked
        values = _operation_row(self._core, attempt, OperationKind.BROADCAST, signed.signature)
        values.update(payload=signed.payload, last_valid_height=signed.last_valid_height)
        return _insert_operation(tx, values)

    def _remember(self, tx: Tx, attempt: AttemptRecord, signature: str) -> None:
        load_payment(tx, attempt.payment_id, lock=True)
        table = schema.operation
        count = tx.scalar(select(func.count()).select_from(table).where(table.c.payment_id == attempt.payment_id))
        if count is not None and count >= HINT_LIMIT:
            raise InvalidRequestError(
                ErrorCode.PARAMETER_INVALID, "Too many signatures for one payment.", param="/signature"
            )
        values = _operation_row(self._core, attempt, OperationKind.WALLET_SEND, signature)
        values["status"] = OperationStatus.SUBMITTED.value
        _insert_operation(tx, values)

    def _close(self, operation: OperationRecord, status: OperationStatus, reason: str) -> bool:
        self._outcome(operation.id, status, reason)
        return True

    def _touch(self, operation_id: str) -> None:
        """Note that an operation was asked about; what is known of it stays."""
        table = schema.operation
        statement = update(table).where(table.c.id == operation_id).values(updated_at=self._core.clock.now())
        self._core.db.write(lambda tx: tx.execute(statement))

    def _outcome(self, operation_id: str, status: OperationStatus, reason: str | None) -> None:
        """Record what became of an operation, unless the chain has already said so; the payment follows."""
        table = schema.operation

        def verb(tx: Tx) -> None:
            payment_id = tx.scalar(select(table.c.payment_id).where(table.c.id == operation_id))
            assert payment_id is not None, "operations are never deleted"
            load_payment(tx, payment_id, lock=True)
            is_open = table.c.status != OperationStatus.SUCCEEDED.value
            values = {"status": status.value, "reason": reason, "updated_at": self._core.clock.now()}
            tx.execute(update(table).where(table.c.id == operation_id, is_open).values(values))
            refresh(self._core, tx, payment_id)

        self._core.db.write(verb)


def rest_of(state: PaymentState, attempt: AttemptRecord) -> tuple[Money, GiftRequest | None]:
    """Return what an attempt still asks for, at the kept rate and counting what was seen: of the order, of the gift.

    Once the order is covered nothing more is asked for: a gift is never dunned.
    """
    rest = rest_due(min(state.announced, Fraction(1)), attempt.due)
    gift = rest_due(min(state.gift_announced, Fraction(1)), attempt.gift)
    if not rest or not gift:
        return rest, None
    return rest, GiftRequest(amount=gift, wallet=attempt.gift_wallet, account=attempt.gift_account)


def shown_attempt(tx: Tx, session: SessionRecord) -> AttemptRecord | None:
    """Return the attempt that the session's page shows now."""
    sessions, attempts = schema.checkout_session, schema.attempt
    query = select(attempts).join(sessions, sessions.c.attempt_id == attempts.c.id).where(sessions.c.id == session.id)
    row = tx.execute(query).mappings().one_or_none()
    return None if row is None else AttemptRecord.of(row)


def _refuse_while_sending(tx: Tx, payment_id: str, *, but: str | None = None) -> None:
    """Refuse while bytes that we sent may still land, unless they are those of the signature `but`.

    What a wallet says it sent blocks nothing: it is a hint, and may name another network.
    """
    for one in wallet_operations(tx, payment_id):
        is_open = one.kind is OperationKind.BROADCAST and one.status.value in _OPEN
        if is_open and one.provider_reference != but:
            raise ConflictError(
                ErrorCode.OUTCOME_UNKNOWN,
                "An earlier transfer of this payment may still be on its way. Wait a minute, then try again.",
                object_id=payment_id,
            )


def wallet_operations(tx: Tx, payment_id: str) -> list[OperationRecord]:
    """Return what wallets signed or sent for a payment, oldest first."""
    table = schema.operation
    query = select(table).where(table.c.payment_id == payment_id, table.c.kind.in_(_KINDS)).order_by(table.c.id)
    return [OperationRecord.of(row) for row in tx.execute(query).mappings()]


def _insert_operation(tx: Tx, values: dict[str, Any]) -> tuple[str, bool]:
    table = schema.operation
    known = select(table.c.id).where(
        table.c.kind == values["kind"], table.c.provider_reference == values["provider_reference"]
    )
    found = tx.scalar(known)
    if found is not None:
        return str(found), False
    tx.execute(insert(table), values)
    return str(values["id"]), True


def _operation_row(core: Core, attempt: AttemptRecord, kind: OperationKind, signature: str) -> dict[str, Any]:
    now = core.clock.now()
    return {
        "id": core.ids.new("op"),
        "merchant_id": attempt.merchant_id,
        "livemode": attempt.livemode,
        "payment_id": attempt.payment_id,
        "attempt_id": attempt.id,
        "kind": kind.value,
        "status": OperationStatus.RESERVED.value,
        "provider_reference": signature,
        "payload": None,
        "last_valid_height": None,
        "reason": None,
        "created_at": now,
        "updated_at": now,
    }


def _nothing_due(payment_id: str) -> ConflictError:
    return ConflictError(
        ErrorCode.PAYMENT_NOT_PAYABLE,
        "Nothing can be paid here now. Reload the page to see where the payment stands.",
        object_id=payment_id,
    )
