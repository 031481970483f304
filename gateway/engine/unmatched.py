"""The unmatched queue: money that arrived and that nobody could be credited with beyond doubt."""

from typing import Any

from sqlalchemy import select, update

from gateway.domain.words import TransferStage, UnmatchedReason
from gateway.engine.core import Core
from gateway.engine.idempotency import Intent, Reply, once
from gateway.engine.observations import UNMATCHED_INFLOWS, book_unmatched, suggestions
from gateway.engine.paging import Page, PageRequest, fetch_page
from gateway.engine.records import AttemptRecord, Owner, TransferRecord, load_attempts, load_payment, not_found
from gateway.engine.refresh import refresh
from gateway.engine.wire import chain_transfer_object
from gateway.kernel.canonical import canonical_json
from gateway.kernel.errors import ConflictError, ErrorCode, InvalidRequestError
from gateway.storage import schema
from gateway.storage.database import Tx


class Unmatched:
    """The verbs of the queue."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def page(self, owner: Owner, request: PageRequest, *, status: str | None) -> Page:
        """Return chain transfers, newest first; `status` is `matched`, `unmatched` or None for both."""
        table = schema.chain_transfer
        query = select(table).where(table.c.path != "fee", table.c.amount != 0)
        if status == "unmatched":
            # Named one by one, so that an index finds the few among millions of matched ones.
            query = query.where(table.c.unmatched_reason.in_(UNMATCHED_INFLOWS))
            # What a fork took back is no money: it returns to the queue if it lands again.
            query = query.where(table.c.stage != TransferStage.DROPPED.value)
        elif status == "matched":
            query = query.where(table.c.payment_id.is_not(None))

        def query_page(tx: Tx) -> Page:
            def to_object(row: dict[str, Any]) -> dict[str, Any]:
                record = TransferRecord.of(row)
                return chain_transfer_object(record, [] if record.payment_id else suggestions(tx, record))

            return fetch_page(tx, table, query, owner, request, to_object)

        return self._core.db.read(query_page)

    def match(self, intent: Intent, transfer_id: str, payment_id: str) -> Reply:
        """Credit a transfer to a payment by hand; it then counts whenever it came.

        A transfer of the same payment that was late and refused is accepted by the same verb.

        Raises:
            NotFoundError: no such transfer or payment of this owner.
            ConflictError: it belongs to another payment, or went out instead of in.
            InvalidRequestError: the payment never asked for this asset on this account.
        """
        reply = once(self._core, intent, lambda tx: self._match(tx, intent.owner, transfer_id, payment_id))
        self._core.wake_delivery()
        return reply

    def _match(self, tx: Tx, owner: Owner, transfer_id: str, payment_id: str) -> Reply:
        transfer = _own_transfer(tx, owner, transfer_id)
        attempt = _fitting_attempt(tx, owner, transfer, payment_id)
        if transfer.payment_id not in {None, payment_id} or transfer.unmatched_reason is UnmatchedReason.OUTFLOW:
            raise ConflictError(
                ErrorCode.TRANSFER_ALREADY_MATCHED,
                "This chain transfer belongs to another payment.",
                object_id=transfer.payment_id,
            )
        load_payment(tx, payment_id, lock=True)
        table = schema.chain_transfer
        tx.execute(
            update(table)
            .where(table.c.id == transfer.id)
            .values(
                payment_id=payment_id,
                attempt_id=attempt.id,
                unmatched_reason=None,
                is_accepted_by_hand=True,
                version=transfer.version + 1,
            )
        )
        matched = _own_transfer(tx, owner, transfer_id)
        if transfer.payment_id is None:
            book_unmatched(self._core, tx, matched)
        refresh(self._core, tx, payment_id)
        return Reply(status_code=200, body=canonical_json(chain_transfer_object(matched, [])))


def _own_transfer(tx: Tx, owner: Owner, transfer_id: str) -> TransferRecord:
    table = schema.chain_transfer
    query = select(table).where(
        table.c.id == transfer_id, table.c.merchant_id == owner.merchant_id, table.c.livemode == owner.livemode
    )
    row = tx.execute(query.with_for_update()).mappings().one_or_none()
    if row is None:
        raise not_found("chain transfer")
    return TransferRecord.of(row)


def _fitting_attempt(tx: Tx, owner: Owner, transfer: TransferRecord, payment_id: str) -> AttemptRecord:
    """Return the attempt whose kept rate counts: its own, or the newest that asks for this asset on this account."""
    table = schema.payment
    is_own = (table.c.merchant_id == owner.merchant_id) & (table.c.livemode == owner.livemode)
    if tx.execute(select(table.c.id).where(table.c.id == payment_id, is_own)).one_or_none() is None:
        raise not_found("payment")
    attempts = load_attempts(tx, payment_id)
    for attempt in attempts:
        if transfer.payment_id == payment_id and attempt.id == transfer.attempt_id:
            return attempt
    for attempt in reversed(attempts):
        if (attempt.account, attempt.due.currency) == (transfer.account, transfer.amount.currency):
            return attempt
    raise InvalidRequestError(
        ErrorCode.PAYMENT_NOT_PAYABLE,
        "The shopper never chose to pay this payment in that currency, so there is no rate to count it at.",
        param="/payment",
    )
