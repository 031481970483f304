"""Refunds over a chain: build what the merchant's wallet signs, check what it signed, commit it, and send it.

The gateway holds no key that could spend, so a refund is exactly once by what it keeps: its signed bytes are committed
before they are sent, the same bytes may be sent again and again, and other bytes of the same refund must wait until the
chain proves that the earlier ones can no more land. What became of them is read by `engine.outflows`.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from sqlalchemy import insert, select, update

from gateway.domain.ports import RefundRequest, SignedTransfer, WalletProcessor
from gateway.domain.words import OperationKind, OperationStatus, RefundStatus
from gateway.engine.core import Core
from gateway.engine.idempotency import Intent, Reply, amend, forget, once
from gateway.engine.operations import OPEN
from gateway.engine.outflows import operation_values
from gateway.engine.records import OperationRecord, Owner, RefundRecord, load_attempt
from gateway.engine.refresh import refresh
from gateway.engine.refunds import load_refund, own_refund
from gateway.engine.wallets import Wallets
from gateway.engine.wire import money_fields, refund_object
from gateway.kernel.canonical import canonical_json
from gateway.kernel.errors import ConflictError, DeclinedError, ErrorCode, InvalidRequestError, TemporaryError
from gateway.storage import schema
from gateway.storage.database import Tx

OK: Final = 200
_OVER: Final = frozenset({OperationStatus.REJECTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """Who carries a refund, and which of the merchant's wallets may pay it: first the one where the money came."""

    refund: RefundRecord
    processor: WalletProcessor
    wallets: tuple[str, ...]


class RefundTransfers:
    """The verbs between a refund and the merchant's wallet."""

    def __init__(self, core: Core, wallets: Wallets) -> None:
        self._core = core
        self._wallets = wallets

    def build(self, owner: Owner, refund_id: str, *, payer: str | None = None) -> dict[str, Any]:
        """Return the unsigned chain transfer of a refund, built and simulated now.

        `payer` is one of the merchant's receiving wallets; None for the one at which the money came.

        Raises:
            NotFoundError: there is no such refund, or it is somebody else's.
            ConflictError: it does not wait for a signature, or an earlier transfer of it may still land.
            InvalidRequestError: the payer is no receiving wallet of the merchant, or cannot sign.
            DeclinedError: the wallet cannot pay it now; the message says why.
            TemporaryError: the chain does not answer.
        """
        way = self._core.db.read(lambda tx: self._way(tx, owner, refund_id))
        self._core.db.read(lambda tx: _refuse_while_sending(tx, way.refund))
        if way.refund.status is not RefundStatus.REQUIRES_ACTION:
            raise _not_sendable(way.refund)
        request = _request(way, payer or way.wallets[0])
        built = way.processor.build_refund(request)
        return {
            "object": "refund_transfer",
            "refund": refund_id,
            "network": request.network,
            "payer": request.payer,
            "destination": request.destination,
            **money_fields(request.amount),
            "reference_key": request.reference_key,
            "memo": request.memo,
            "payload": built.payload,
            "last_valid_height": built.last_valid_height,
        }

    def submit(self, intent: Intent, refund_id: str, payload: str) -> Reply:
        """Check what the merchant's wallet signed, commit it, then send it; the answer is the refund.

        A crash or time-out after the commit leaves an operation that the sweep sends again, byte for byte.

        Raises:
            NotFoundError: there is no such refund, or it is somebody else's.
            ConflictError: it does not wait for a signature, or other bytes of it may still land.
            InvalidRequestError: the bytes do not send exactly this refund.
            DeclinedError: the chain refused them for good.
            TemporaryError: the chain does not answer; nothing was sent.
        """
        way = self._core.db.read(lambda tx: self._way(tx, intent.owner, refund_id))
        signature, signed = self._checked(way, payload)
        made: list[bool] = []

        def verb(tx: Tx) -> Reply:
            made[:] = [self._reserve(tx, intent.owner, refund_id, signature, signed)]
            return _reply(tx, refund_id)

        reply = once(self._core, intent, verb)
        if reply.is_replay:
            return reply
        self._core.wake_delivery()
        try:
            self._send(way, signature, is_first=made[0])
        except (DeclinedError, TemporaryError):
            forget(self._core, intent)
            raise
        return amend(self._core, intent, self._core.db.read(lambda tx: _reply(tx, refund_id)))

    def _way(self, tx: Tx, owner: Owner, refund_id: str) -> _Way:
        refund = own_refund(tx, owner, refund_id)
        if not refund.is_by_transfer:
            raise _not_sendable(refund)
        transfer, account = schema.chain_transfer, schema.receiving_account
        source = tx.execute(
            select(transfer.c.account, transfer.c.attempt_id).where(transfer.c.id == refund.source_id)
        ).one()
        rows = tx.execute(
            select(account.c.wallet, account.c.account)
            .where(
                account.c.merchant_id == owner.merchant_id,
                account.c.livemode == owner.livemode,
                account.c.network == refund.network,
                account.c.asset == refund.amount.currency,
            )
            .order_by(account.c.id)
        ).all()
        wallets = [row.wallet for row in sorted(rows, key=lambda row: row.account != source.account)]
        processor = self._core.processors[load_attempt(tx, source.attempt_id).processor]
        return _Way(refund=refund, processor=processor, wallets=tuple(wallets))

    def _checked(self, way: _Way, payload: str) -> tuple[str, SignedTransfer | None]:
        """Return the signature, and the proof of what it does; bytes that were committed before need none."""
        who = way.processor.signed_by(payload)
        known = self._core.db.read(lambda tx: _operation(tx, way.refund.id, who.signature))
        if known is not None and known.status not in _OVER:
            return who.signature, None
        return who.signature, way.processor.check_refund(_request(way, who.payer, param="/payload"), payload)

    def _reserve(self, tx: Tx, owner: Owner, refund_id: str, signature: str, signed: SignedTransfer | None) -> bool:
        """Commit signed bytes before they are sent; return whether they are new."""
        refund = own_refund(tx, owner, refund_id, lock=True)
        _refuse_while_sending(tx, refund, but=signature)
        known = _operation(tx, refund_id, signature)
        if known is not None and known.status not in _OVER:
            return False
        if signed is None or refund.status is not RefundStatus.REQUIRES_ACTION:
            raise _not_sendable(refund)
        table = schema.operation
        values = operation_values(self._core, tx, refund, signature)
        values |= {"payload": signed.payload, "last_valid_height": signed.last_valid_height}
        if known is None:
            tx.execute(insert(table), values)
        else:
            again = {name: values[name] for name in ("status", "payload", "last_valid_height", "reason", "updated_at")}
            tx.execute(update(table).where(table.c.id == known.id).values(again))
        refresh(self._core, tx, refund.payment_id)
        return known is None

    def _send(self, way: _Way, signature: str, *, is_first: bool) -> None:
        operation = self._core.db.read(partial(_operation, refund_id=way.refund.id, signature=signature))
        assert operation is not None, "it was committed just now"
        network = way.refund.network
        if operation.status.value in OPEN and operation.payload is not None:
            self._wallets.send(way.processor, network, operation.id, operation.payload, is_first=is_first)
        self._core.wake_monitor(network, signature)


def _request(way: _Way, payer: str, *, param: str = "/payer") -> RefundRequest:
    """Return what a wallet is asked to send.

    Raises:
        InvalidRequestError: the wallet is none of those whose outflows are seen.
    """
    if payer not in way.wallets:
        raise InvalidRequestError(
            ErrorCode.WALLET_ADDRESS_INVALID,
            "A refund is paid from a wallet where this account receives that currency, so that it is seen.",
            param=param,
        )
    refund = way.refund
    assert refund.destination is not None, "a refund over a chain knows where it goes"
    assert refund.reference_key is not None, "and has a key by which it is found"
    return RefundRequest(
        network=refund.network,
        payer=payer,
        destination=refund.destination,
        amount=refund.amount,
        reference_key=refund.reference_key,
        memo=refund.id,
    )


def _refuse_while_sending(tx: Tx, refund: RefundRecord, *, but: str | None = None) -> None:
    """Refuse while bytes of this refund may still land, unless they are those of the signature `but`."""
    table = schema.operation
    is_its = (table.c.refund_id == refund.id) & (table.c.kind == OperationKind.REFUND_TRANSFER.value)
    waiting = tx.scalars(select(table.c.provider_reference).where(is_its, table.c.status.in_(OPEN)))
    if any(signature != but for signature in waiting):
        raise ConflictError(
            ErrorCode.OUTCOME_UNKNOWN,
            "An earlier transfer of this refund may still be on its way. Wait a minute, then try again.",
            object_id=refund.id,
        )


def _operation(tx: Tx, refund_id: str, signature: str) -> OperationRecord | None:
    table = schema.operation
    is_its = (table.c.refund_id == refund_id) & (table.c.kind == OperationKind.REFUND_TRANSFER.value)
    query = select(table).where(is_its, table.c.provider_reference == signature)
    row = tx.execute(query).mappings().one_or_none()
    return None if row is None else OperationRecord.of(row)


def _reply(tx: Tx, refund_id: str) -> Reply:
    return Reply(status_code=OK, body=canonical_json(refund_object(load_refund(tx, refund_id))))


def _not_sendable(refund: RefundRecord) -> ConflictError:
    return ConflictError(
        ErrorCode.REFUND_NOT_SENDABLE,
        "Only a refund of a chain payment that is in requires_action waits for a signed transfer.",
        object_id=refund.id,
    )
