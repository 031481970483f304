"""Payouts to charities: what a merchant sent, with what proves it. Nothing is moved here; the books are."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import insert, select, update

from gateway.domain.events import Event, EventType
from gateway.domain.postings import charity_paid_account, owed_account
from gateway.engine.core import Core
from gateway.engine.donations.records import CharityRecord, own_charity
from gateway.engine.idempotency import Intent, Reply, once
from gateway.engine.paging import Page, PageRequest, fetch_page
from gateway.engine.records import Owner, not_found
from gateway.kernel.canonical import canonical_json
from gateway.kernel.clock import rfc3339
from gateway.kernel.errors import ConflictError, ErrorCode, InvalidRequestError
from gateway.kernel.log import Log
from gateway.kernel.money import Money
from gateway.ledger.entries import EntryDraft, Leg
from gateway.outbox.events import append
from gateway.storage import schema
from gateway.storage.database import Tx

log: Final = Log("engine")

CREATED: Final = 201
OK: Final = 200
PAYOUT_ENTRY: Final = "donation_payout"
CANCELED_ENTRY: Final = "donation_payout_canceled"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDonationPayout:
    """What a merchant sent to a charity; texts already checked by the door.

    Attributes:
        paid_at: when the money left him.
        reference: what the transfer is called at his bank, or its signature on a chain.
        evidence: what proves it.
    """

    charity_id: str
    amount: Money
    paid_at: datetime
    reference: str
    evidence: str


class DonationPayouts:
    """The verbs of payouts to charities."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def record(self, intent: Intent, new: NewDonationPayout) -> Reply:
        """Write a payout down, and book it: what is owed becomes what was paid out, in the same tx.

        Payouts of one charity wait for each other, so together they never exceed what it was owed.

        Raises:
            NotFoundError: there is no such charity, or it is somebody else's.
            InvalidRequestError: it lies in the future.
            ConflictError: `payout_exceeds_owed`.
        """
        if new.paid_at > self._core.clock.now():
            raise InvalidRequestError(
                ErrorCode.PARAMETER_INVALID, "Write down what was paid, not what will be.", param="/paid_at"
            )
        reply = once(self._core, intent, lambda tx: self._record(tx, intent.owner, new))
        self._core.wake_delivery()
        return reply

    def cancel(self, intent: Intent, payout_id: str, reason: str) -> Reply:
        """Take back what was written down by mistake: the payout stays, a reversing entry makes the charity owed again.

        What was canceled stays as it was canceled first, whoever cancels it again. Payouts of one charity wait for each
        other, so a new one sees either all of this or nothing.

        Raises:
            NotFoundError: there is no such payout, or it is somebody else's.
        """
        reply = once(self._core, intent, lambda tx: self._cancel(tx, intent.owner, payout_id, reason))
        self._core.wake_delivery()
        return reply

    def retrieve(self, owner: Owner, payout_id: str) -> dict[str, Any]:
        """Return a payout of this owner.

        Raises:
            NotFoundError: there is none, or it is somebody else's.
        """
        return self._core.db.read(lambda tx: donation_payout_object(_own_payout(tx, owner, payout_id)))

    def page(self, owner: Owner, request: PageRequest, *, charity_id: str | None = None) -> Page:
        """Return a page of this owner's payouts, newest first."""
        table = schema.donation_payout
        query = select(table) if charity_id is None else select(table).where(table.c.charity_id == charity_id)
        to_object = donation_payout_object
        return self._core.db.read(lambda tx: fetch_page(tx, table, query, owner, request, to_object))

    def _record(self, tx: Tx, owner: Owner, new: NewDonationPayout) -> Reply:
        charity = own_charity(tx, owner, new.charity_id, lock=True)
        owed = self._owed(tx, charity, new.amount.currency)
        if new.amount > owed:
            raise ConflictError(
                ErrorCode.PAYOUT_EXCEEDS_OWED,
                f"At most {max(owed, Money.zero(owed.currency))} can be written down as paid out to this charity.",
                object_id=charity.id,
            )
        row = self._row(owner, new)
        tx.execute(insert(schema.donation_payout), row)
        self._book(tx, charity, row["id"], new)
        self._tell(tx, EventType.DONATION_PAYOUT_RECORDED, row)
        log.info("donation_payout_recorded", charity_id=charity.id, donation_payout_id=row["id"])
        return Reply(status_code=CREATED, body=canonical_json(donation_payout_object(row)))

    def _cancel(self, tx: Tx, owner: Owner, payout_id: str, reason: str) -> Reply:
        charity_id = _own_payout(tx, owner, payout_id)["charity_id"]
        own_charity(tx, owner, charity_id, lock=True)
        row = _own_payout(tx, owner, payout_id, lock=True)  # read again: another may have canceled it meanwhile
        if row["canceled_at"] is None:
            changes = {"canceled_at": self._core.clock.now(), "cancellation_reason": reason}
            table = schema.donation_payout
            tx.execute(update(table).where(table.c.id == payout_id).values(changes))
            row |= changes
            self._take_back(tx, row)
            self._tell(tx, EventType.DONATION_PAYOUT_CANCELED, row)
            log.info("donation_payout_canceled", charity_id=charity_id, donation_payout_id=payout_id)
        return Reply(status_code=OK, body=canonical_json(donation_payout_object(row)))

    def _owed(self, tx: Tx, charity: CharityRecord, code: str) -> Money:
        """Return what the books owe a charity; the caller holds its row."""
        account = owed_account(charity.id, is_own=False)
        found = self._core.journal.balances(tx, charity.merchant_id, charity.livemode, accounts=(account,))
        return -next((one.posted for one in found if one.currency == code), Money.zero(code))

    def _row(self, owner: Owner, new: NewDonationPayout) -> dict[str, Any]:
        return {
            "id": self._core.ids.new("dpo"),
            "merchant_id": owner.merchant_id,
            "livemode": owner.livemode,
            "charity_id": new.charity_id,
            "currency": new.amount.currency,
            "amount": new.amount.atomic,
            "paid_at": new.paid_at,
            "reference": new.reference,
            "evidence": new.evidence,
            "created_at": self._core.clock.now(),
            "canceled_at": None,
            "cancellation_reason": None,
        }

    def _book(self, tx: Tx, charity: CharityRecord, payout_id: str, new: NewDonationPayout) -> None:
        draft = EntryDraft(
            merchant_id=charity.merchant_id,
            livemode=charity.livemode,
            kind=PAYOUT_ENTRY,
            subject_id=payout_id,
            subject_version=1,
            legs=(
                Leg(owed_account(charity.id, is_own=False), new.amount),
                Leg(charity_paid_account(charity.id), -new.amount),
            ),
            effective_at=new.paid_at,
        )
        self._core.journal.post(tx, draft)

    def _take_back(self, tx: Tx, row: Mapping[str, Any]) -> None:
        """Post the mirror of what a payout booked."""
        (booked,) = self._core.journal.entries(tx, row["merchant_id"], row["livemode"], subject_id=row["id"], limit=2)
        self._core.journal.reverse(
            tx, booked.id, subject_version=2, effective_at=row["canceled_at"], kind=CANCELED_ENTRY
        )

    def _tell(self, tx: Tx, kind: EventType, row: Mapping[str, Any]) -> None:
        """Append the first event of a payout, or the second, which says that it is canceled."""
        is_first = row["canceled_at"] is None
        append(
            tx,
            Event(
                id=self._core.ids.new("evt"),
                type=kind,
                merchant_id=row["merchant_id"],
                livemode=row["livemode"],
                object_id=row["id"],
                sequence=1 if is_first else 2,
                created_at=row["canceled_at"] or row["created_at"],
                data=donation_payout_object(row),
                previous=None if is_first else {"canceled_at": None},
            ),
        )


def _own_payout(tx: Tx, owner: Owner, payout_id: str, *, lock: bool = False) -> dict[str, Any]:
    """Return the row of a payout of this owner; `lock` holds it until the tx ends.

    Raises:
        NotFoundError: there is none, or it is somebody else's.
    """
    table = schema.donation_payout
    is_own = (table.c.merchant_id == owner.merchant_id) & (table.c.livemode == owner.livemode)
    query = select(table).where(table.c.id == payout_id, is_own)
    row = tx.execute(query.with_for_update() if lock else query).mappings().one_or_none()
    if row is None:
        raise not_found("donation payout")
    return dict(row)


def donation_payout_object(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a `donation_payout`."""
    return {
        "id": row["id"],
        "object": "donation_payout",
        "livemode": row["livemode"],
        "charity": row["charity_id"],
        "amount": Money(row["amount"], row["currency"]).major,
        "currency": row["currency"],
        "paid_at": rfc3339(row["paid_at"]),
        "reference": row["reference"],
        "evidence": row["evidence"],
        "created_at": rfc3339(row["created_at"]),
        "canceled_at": None if row["canceled_at"] is None else rfc3339(row["canceled_at"]),
        "cancellation_reason": row["cancellation_reason"],
    }
