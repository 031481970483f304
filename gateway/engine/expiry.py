"""Expiry: a payment's window closes only after the scanner has read past the deadline, so money is never overlooked."""

from datetime import timedelta
from functools import partial
from typing import Final

from sqlalchemy import BigInteger, ColumnElement, select, type_coerce, update

from gateway.domain.payments import LATE_GRACE
from gateway.domain.words import AttemptStage, PaymentStatus
from gateway.engine.core import Core
from gateway.engine.records import load_payment
from gateway.engine.refresh import refresh
from gateway.storage import schema
from gateway.storage.database import Tx

SWEEP_LIMIT: Final = 500  # payments a sweep; the next one goes on
_CLOSABLE: Final = (
    PaymentStatus.OPEN.value,
    PaymentStatus.REQUIRES_ACTION.value,
    PaymentStatus.UNDERPAID.value,
)
_UNFINISHED: Final = (AttemptStage.REGISTERING.value, AttemptStage.OPEN.value)


def expire_due(core: Core) -> int:
    """Close the windows that are over; return how many were closed."""
    cutoff = core.clock.now() - LATE_GRACE
    table = schema.payment
    # Payments that wait for their scanner are left out here, else those of one dead network would fill every sweep.
    query = (
        select(table.c.id)
        .where(table.c.status.in_(_CLOSABLE), table.c.expires_at < cutoff, table.c.closed_at.is_(None), _is_scanned())
        .order_by(table.c.expires_at)
        .limit(SWEEP_LIMIT)
    )
    due = core.db.read(lambda tx: list(tx.scalars(query)))
    closed = sum(core.db.write(partial(_close, core, payment_id)) for payment_id in due)
    if closed:
        core.wake_delivery()
    return closed


def _close(core: Core, payment_id: str, tx: Tx) -> bool:
    payment = load_payment(tx, payment_id, lock=True)
    is_due = payment.status.value in _CLOSABLE and payment.closed_at is None
    if not is_due or core.clock.now() < payment.expires_at + LATE_GRACE:
        return False
    table = schema.payment
    if tx.scalar(select(table.c.id).where(table.c.id == payment_id, _is_scanned())) is None:
        return False
    tx.execute(update(table).where(table.c.id == payment_id).values(closed_at=core.clock.now()))
    refresh(core, tx, payment_id)
    return True


def _is_scanned() -> ColumnElement[bool]:
    """Tell of a payment whether every account that it showed to a shopper has been read past the deadline.

    A provider's page counts as read once the provider says that nobody can pay on it any more.
    """
    payment, attempt, watch = schema.payment, schema.attempt, schema.watch
    deadline = type_coerce(payment.c.expires_at, BigInteger) + LATE_GRACE // timedelta(microseconds=1)
    is_same = (watch.c.network == attempt.c.network) & (watch.c.account == attempt.c.account)
    unread = (
        select(attempt.c.id)
        .select_from(attempt.outerjoin(watch, is_same))
        .where(
            attempt.c.payment_id == payment.c.id,
            attempt.c.stage.in_(_UNFINISHED)
            | (
                attempt.c.stage.is_(None)
                & (watch.c.scanned_until.is_(None) | (type_coerce(watch.c.scanned_until, BigInteger) <= deadline))
            ),
        )
        .correlate(payment)
    )
    return ~unread.exists()
