"""Reconciliation cases: where our records and the providers' do not agree, and nobody has explained it yet. Reads only.

A case is a question for a person. It goes away when what it asks about is settled, never by being read.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import String, select, type_coerce

from gateway.kernel.money import Money
from gateway.storage.database import Database, Tx
from gateway.storage.schema import account, balance_line, notification, operation, payment, payout, posting
from gateway.storage.statements import total

CLEARING_PATIENCE: Final = timedelta(days=10)  # the slowest ordinary payout schedule, and a weekend
OPERATION_PATIENCE: Final = timedelta(minutes=10)  # two sweeps close what can be closed
LIMIT: Final = 500  # cases of a kind; more than that is one problem, not many
_CLEARING: Final = "psp:%:clearing"
_FAILED: Final = "failed"  # a payout's status, in the provider's word
_SENT_BACK: Final = "payout_failure"  # the provider's word for the line that brings a failed payout's money again


class CaseKind(StrEnum):
    """What does not agree."""

    CLEARING_OPEN = "clearing_open"
    OPERATION_OPEN = "operation_open"
    PAYMENT_EXCEPTION = "payment_exception"
    NOTIFICATION_OPEN = "notification_open"
    PAYOUT_GAP = "payout_gap"
    PAYOUT_FAILED = "payout_failed"


_EXPLANATIONS: Final = {
    CaseKind.CLEARING_OPEN: "the provider owes for this payment, or has paid too much, and no payout explains it",
    CaseKind.OPERATION_OPEN: "a command has no outcome yet; the provider may be away",
    CaseKind.PAYMENT_EXCEPTION: "the payment was charged twice, or with another sum than was asked",
    CaseKind.NOTIFICATION_OPEN: "a notification could not be followed for a long time",
    CaseKind.PAYOUT_GAP: "the lines of this payout do not add up to it",
    CaseKind.PAYOUT_FAILED: "your bank sent this payout back, and no later one has brought its money again",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One question: `subject` names a payment, operation, notification or payout; `amount` what is missing."""

    kind: CaseKind
    subject: str
    since: datetime
    amount: Money | None = None
    detail: str | None = None

    @property
    def explanation(self) -> str:
        """What the case means, in a sentence for a person."""
        return _EXPLANATIONS[self.kind]


def cases(db: Database, now: datetime, *, clearing_patience: timedelta = CLEARING_PATIENCE) -> list[Case]:
    """Return every open case, the oldest of each kind first."""
    finders: tuple[Callable[[Tx], Iterator[Case]], ...] = (
        lambda tx: _open_clearing(tx, now - clearing_patience),
        lambda tx: _open_operations(tx, now - OPERATION_PATIENCE),
        _exceptions,
        lambda tx: _open_notifications(tx, now - OPERATION_PATIENCE),
        _payout_gaps,
        _failed_payouts,
    )
    return db.snapshot(lambda tx: [case for find in finders for case in find(tx)])


def _open_clearing(tx: Tx, cutoff: datetime) -> Iterator[Case]:
    """A clearing account must come back to zero for each payment once its payout has arrived."""
    rest = total(tx, posting.c.amount)
    query = (
        select(posting.c.subject_id, account.c.currency, payment.c.paid_at, rest.label("rest"))
        .join(account, account.c.id == posting.c.account_id)
        .join(payment, payment.c.id == posting.c.subject_id)
        .where(account.c.code.like(_CLEARING), posting.c.layer == "posted", payment.c.paid_at < cutoff)
        .group_by(posting.c.subject_id, account.c.currency, payment.c.paid_at)
        .having(rest != _zero(tx))
        .order_by(payment.c.paid_at)
        .limit(LIMIT)
    )
    for row in tx.execute(query):
        yield Case(
            kind=CaseKind.CLEARING_OPEN,
            subject=row.subject_id,
            since=row.paid_at,
            amount=Money(int(row.rest), row.currency),
        )


def _zero(tx: Tx) -> str | int:
    return "0" if tx.dialect.name == "sqlite" else 0


def _open_operations(tx: Tx, cutoff: datetime) -> Iterator[Case]:
    is_open = operation.c.status.in_(("reserved", "submitted", "unknown"))
    query = (
        select(operation.c.id, operation.c.kind, operation.c.payment_id, operation.c.created_at)
        .where(is_open, operation.c.created_at < cutoff, operation.c.kind.not_in(("broadcast", "wallet_send")))
        .order_by(operation.c.created_at)
        .limit(LIMIT)
    )
    for row in tx.execute(query):
        detail = f"{row.kind} of {row.payment_id}"
        yield Case(kind=CaseKind.OPERATION_OPEN, subject=row.id, since=row.created_at, detail=detail)


def _exceptions(tx: Tx) -> Iterator[Case]:
    words = ("double_payment", "amount_mismatch")
    text = type_coerce(payment.c.exceptions, String)
    is_one = text.like(f"%{words[0]}%") | text.like(f"%{words[1]}%")
    query = select(payment.c.id, payment.c.exceptions, payment.c.created_at, payment.c.refunds).where(
        is_one, payment.c.refunds == "none"
    )
    for row in tx.execute(query.order_by(payment.c.created_at).limit(LIMIT)):
        detail = ", ".join(word for word in row.exceptions if word in words)
        yield Case(kind=CaseKind.PAYMENT_EXCEPTION, subject=row.id, since=row.created_at, detail=detail)


def _open_notifications(tx: Tx, cutoff: datetime) -> Iterator[Case]:
    query = (
        select(notification.c.id, notification.c.type, notification.c.received_at)
        .where(notification.c.status == "pending", notification.c.received_at < cutoff)
        .order_by(notification.c.received_at)
        .limit(LIMIT)
    )
    for row in tx.execute(query):
        yield Case(kind=CaseKind.NOTIFICATION_OPEN, subject=row.id, since=row.received_at, detail=row.type)


def _payout_gaps(tx: Tx) -> Iterator[Case]:
    query = select(payout).where(payout.c.settled_at.is_not(None)).order_by(payout.c.created_at.desc()).limit(LIMIT)
    for row in tx.execute(query).mappings().all():
        is_its = (balance_line.c.network == row["network"]) & (balance_line.c.payout == row["reference"])
        lines = tx.execute(select(balance_line.c.net).where(is_its)).scalars()
        gap = row["amount"] - sum(lines)
        if gap:
            amount = Money(gap, row["currency"])
            yield Case(kind=CaseKind.PAYOUT_GAP, subject=row["id"], since=row["created_at"], amount=amount)


def _failed_payouts(tx: Tx) -> Iterator[Case]:
    """A payout that failed is booked as paid out until its money comes again, as a line of a later payout."""
    is_brought_again = (
        select(balance_line.c.reference)
        .where(balance_line.c.network == payout.c.network, balance_line.c.type == _SENT_BACK)
        .where(balance_line.c.currency == payout.c.currency, balance_line.c.net == payout.c.amount)
        .where(balance_line.c.payout.is_not(None), balance_line.c.created_at >= payout.c.created_at)
        .exists()
    )
    query = select(payout).where(payout.c.status == _FAILED, payout.c.settled_at.is_not(None), ~is_brought_again)
    for row in tx.execute(query.order_by(payout.c.created_at).limit(LIMIT)).mappings():
        amount = Money(row["amount"], row["currency"])
        yield Case(kind=CaseKind.PAYOUT_FAILED, subject=row["id"], since=row["created_at"], amount=amount)
