"""Donors: what is known of a person is erased on request, here and at the providers; gifts, numbers and books stay."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, select, update

from gateway.domain.words import OperationKind, OperationStatus
from gateway.engine.core import Core
from gateway.engine.customers import Customers
from gateway.engine.donations.mails import MailStatus
from gateway.engine.donations.pledges import PledgeRecord
from gateway.engine.donations.stopping import Stopping
from gateway.engine.inbound import forget_person
from gateway.engine.records import Owner
from gateway.kernel.log import Log
from gateway.storage import schema
from gateway.storage.database import Tx

log = Log("engine")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Traces:
    """Where somebody is known: pledges, customers of providers, and the gifts with their sessions and payments."""

    pledges: Sequence[PledgeRecord]
    customers: Sequence[str]
    donations: Sequence[str]
    sessions: Sequence[str]
    payments: Sequence[str]


class Donors:
    """The verbs of the people behind gifts."""

    def __init__(self, core: Core, customers: Customers, stopping: Stopping) -> None:
        self._core = core
        self._customers = customers
        self._stopping = stopping

    def erase(self, owner: Owner, email: str) -> dict[str, Any]:
        """Erase what is known of the person behind an address, and end what that person promised.

        Gifts, receipts with their numbers, and books stay, nameless. Twice changes nothing.

        Raises:
            ConflictError: a provider's customer has a subscription that is no gift; cancel it first.
            WorldError: a provider does not answer. Ask again: what was erased until then stays erased.
        """
        found = self._core.db.read(lambda tx: self._traces(tx, owner, email))
        for pledge in found.pledges:
            if pledge.stopped_at is None:
                self._stopping.end(pledge)
        for customer_id in found.customers:
            self._customers.delete(owner, customer_id)
        self._core.db.write(lambda tx: self._erase(tx, owner, email))
        log.info("donor_erased", donations=len(found.donations))
        return {"object": "donor_erasure", "donations": len(found.donations), "pledges": len(found.pledges)}

    def _traces(self, tx: Tx, owner: Owner, email: str) -> _Traces:
        donors, donations, pledges = schema.donor, schema.donation, schema.pledge
        is_theirs = _is_person(donors, owner, email)
        promises = tx.execute(select(pledges).where(_is_person(pledges, owner, email))).mappings()
        gifts = tx.execute(
            select(donations.c.id, donations.c.session_id, donations.c.payment_id)
            .join(donors, donors.c.donation_id == donations.c.id)
            .where(is_theirs)
        ).all()
        sessions = [gift.session_id for gift in gifts]
        return _Traces(
            pledges=[PledgeRecord.of(row) for row in promises],
            customers=_living_customers(tx, sessions),
            donations=[gift.id for gift in gifts],
            sessions=sessions,
            payments=[gift.payment_id for gift in gifts],
        )

    def _erase(self, tx: Tx, owner: Owner, email: str) -> None:
        found = self._traces(tx, owner, email)
        donors, pledges, sessions, mails = schema.donor, schema.pledge, schema.checkout_session, schema.mail
        tx.execute(delete(donors).where(donors.c.donation_id.in_(found.donations)))
        nobody = {"email": None, "name": None, "next_at": None}
        tx.execute(update(pledges).where(pledges.c.id.in_([one.id for one in found.pledges])).values(nobody))
        is_to_them = _is_person(mails, owner, email, column="recipient")
        values = {"recipient": None, "status": MailStatus.DROPPED.value}
        tx.execute(update(mails).where(is_to_them).values(values))
        tx.execute(update(sessions).where(sessions.c.id.in_(found.sessions)).values(customer_email=None))
        operations = schema.operation
        # What was sent to open a page names the person, and is never sent again.
        is_over = operations.c.status.in_([OperationStatus.SUCCEEDED.value, OperationStatus.REJECTED.value])
        is_page = (operations.c.kind == OperationKind.REGISTER.value) & operations.c.payment_id.in_(found.payments)
        tx.execute(update(operations).where(is_page, is_over).values(payload=None))
        forget_person(tx, email, found.payments)


def _living_customers(tx: Tx, sessions: Sequence[str]) -> list[str]:
    """Return the customers that providers know from these sessions."""
    subscriptions, customers, visits = schema.subscription, schema.customer, schema.checkout_session
    began = select(subscriptions.c.customer_id).where(subscriptions.c.session_id.in_(sessions))
    named = select(visits.c.customer_id).where(visits.c.id.in_(sessions))
    is_theirs = customers.c.id.in_(began) | customers.c.id.in_(named)
    return list(tx.scalars(select(customers.c.id).where(is_theirs, customers.c.deleted_at.is_(None))))


def _is_person(table: Any, owner: Owner, email: str, *, column: str = "email") -> Any:
    """Tell of a row whether it is of this owner and about this address, however it was spelled."""
    is_own = (table.c.merchant_id == owner.merchant_id) & (table.c.livemode == owner.livemode)
    return is_own & (func.lower(table.c[column]) == email.lower())
