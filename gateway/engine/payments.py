"""Payments as merchants read them."""

from collections import defaultdict
from typing import Any, Final

from sqlalchemy import select

from gateway.domain.words import PaymentKind, PaymentStatus
from gateway.engine.core import Core
from gateway.engine.paging import Page, PageRequest, fetch_page
from gateway.engine.records import (
    AttemptRecord,
    ChargeRecord,
    Owner,
    PaymentRecord,
    TransferRecord,
    load_payment,
    not_found,
)
from gateway.engine.wire import payment_object
from gateway.storage import schema
from gateway.storage.database import Tx

_AWAITED: Final = (PaymentStatus.OPEN.value, PaymentStatus.CONFIRMING.value, PaymentStatus.UNDERPAID.value)

# A session that only saves a method has the row that every session has, and nothing that anybody would call a payment.
_IS_OWED: Final = schema.payment.c.kind != PaymentKind.SETUP.value


class Payments:
    """Reads of payments; their state changes only by facts."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def retrieve(self, owner: Owner, payment_id: str) -> dict[str, Any]:
        """Return a payment of this owner with its attempts and chain transfers.

        Raises:
            NotFoundError: there is none, or it is somebody else's.
        """

        def query(tx: Tx) -> dict[str, Any]:
            return shown_payment(tx, own_payment(tx, owner, payment_id).id)

        return self._core.db.read(query)

    def is_money_awaited(self, network: str) -> bool:
        """Tell whether a shopper may be paying on this network now: then the monitor looks more often."""
        payment, attempt = schema.payment, schema.attempt
        query = (
            select(payment.c.id)
            .join(attempt, attempt.c.payment_id == payment.c.id)
            .where(payment.c.status.in_(_AWAITED), payment.c.closed_at.is_(None), attempt.c.network == network)
            .limit(1)
        )
        return self._core.db.read(lambda tx: tx.execute(query).first()) is not None

    def page(self, owner: Owner, request: PageRequest, *, status: str | None, reference: str | None) -> Page:
        """Return a page of this owner's payments, newest first; four queries, however long the page."""
        table = schema.payment
        query = select(table).where(_IS_OWED)
        if status is not None:
            query = query.where(table.c.status == status)
        if reference is not None:
            query = query.where(table.c.reference == reference)

        def read(tx: Tx) -> Page:
            found = fetch_page(tx, table, query, owner, request, dict)
            payments = [PaymentRecord.of(row) for row in found.data]
            attempts, transfers, charges = _children(tx, [payment.id for payment in payments])
            data = [payment_object(one, attempts[one.id], transfers[one.id], charges[one.id]) for one in payments]
            return Page(data=data, has_more=found.has_more)

        return self._core.db.read(read)


def own_payment(tx: Tx, owner: Owner, payment_id: str, *, lock: bool = False) -> PaymentRecord:
    """Return a payment of this owner; `lock` holds its row until the tx ends.

    Raises:
        NotFoundError: there is none, or it is somebody else's.
    """
    table = schema.payment
    is_own = (table.c.merchant_id == owner.merchant_id) & (table.c.livemode == owner.livemode)
    query = select(table).where(table.c.id == payment_id, is_own, _IS_OWED)
    row = tx.execute(query.with_for_update() if lock else query).mappings().one_or_none()
    if row is None:
        raise not_found("payment")
    return PaymentRecord.of(row)


def shown_payment(tx: Tx, payment_id: str) -> dict[str, Any]:
    """Return a payment as the API shows it now."""
    attempts, transfers, charges = _children(tx, [payment_id])
    return payment_object(
        load_payment(tx, payment_id), attempts[payment_id], transfers[payment_id], charges[payment_id]
    )


def _children(
    tx: Tx, payment_ids: list[str]
) -> tuple[dict[str, list[AttemptRecord]], dict[str, list[TransferRecord]], dict[str, list[ChargeRecord]]]:
    attempts: dict[str, list[AttemptRecord]] = defaultdict(list)
    transfers: dict[str, list[TransferRecord]] = defaultdict(list)
    charges: dict[str, list[ChargeRecord]] = defaultdict(list)
    if payment_ids:
        table = schema.attempt
        rows = tx.execute(select(table).where(table.c.payment_id.in_(payment_ids)).order_by(table.c.id)).mappings()
        for row in rows:
            attempts[row["payment_id"]].append(AttemptRecord.of(row))
        other = schema.chain_transfer
        is_theirs = other.c.payment_id.in_(payment_ids) & (other.c.amount != 0)
        rows = tx.execute(
            select(other).where(is_theirs).order_by(other.c.slot, other.c.signature, other.c.path)
        ).mappings()
        for row in rows:
            transfers[row["payment_id"]].append(TransferRecord.of(row))
    if any(one.stage is not None for found in attempts.values() for one in found):
        charge = schema.charge
        rows = tx.execute(select(charge).where(charge.c.payment_id.in_(payment_ids)).order_by(charge.c.id)).mappings()
        for row in rows:
            charges[row["payment_id"]].append(ChargeRecord.of(row))
    return attempts, transfers, charges
