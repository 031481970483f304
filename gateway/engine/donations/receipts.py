"""Receipts of gifts to campaigns: numbered without a gap in each charity and year, in the tx that books the gift.

Gifts at a merchant's checkout have their line on the session's receipt and none of their own: who gives them to the
charity is what the merchant discloses there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, Self

from sqlalchemy import ColumnElement, func, insert, select, update

from gateway.domain.donations import DonationStatus, GiftKind
from gateway.engine.core import Core
from gateway.engine.donations.mails import MailKind, NewMail, queue_mail
from gateway.engine.donations.records import CharityRecord, DonationRecord, load_charity, own_charity, own_donation
from gateway.engine.idempotency import Intent, Reply, once
from gateway.engine.records import Owner, Row, not_found
from gateway.engine.wire import money_fields
from gateway.kernel.canonical import canonical_json
from gateway.kernel.clock import rfc3339
from gateway.kernel.errors import ErrorCode, InvalidRequestError
from gateway.kernel.ids import is_secret_token, secret_token
from gateway.kernel.log import Log
from gateway.kernel.money import Money
from gateway.storage import schema
from gateway.storage.database import Tx
from gateway.storage.statements import insert_new

log = Log("engine")

MAX_LINES: Final = 10_000  # gifts of one donor to one charity in a year; thirty a day
ACCEPTED: Final = 202


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptRecord:
    """A row of `donation_receipt`.

    Attributes:
        amount: what came in all; what went back of it is said by the donation.
        issuer: the charity's names, address and tax data as they were when it was issued; texts by name.
        canceled_at: all of the gift went back; the number stays taken.
    """

    id: str
    merchant_id: str
    livemode: bool
    donation_id: str
    charity_id: str
    token: str
    year: int
    number: int
    amount: Money
    issuer: Mapping[str, str | None]
    issued_at: datetime
    canceled_at: datetime | None

    @classmethod
    def of(cls, row: Row) -> Self:
        """Read a row."""
        values = dict(row)
        values["amount"] = Money(values["amount"], values.pop("currency"))
        return cls(**values)

    def row(self) -> dict[str, Any]:
        """Return it as its row."""
        values = {name: getattr(self, name) for name in type(self).__dataclass_fields__}
        return values | {"amount": self.amount.atomic, "currency": self.amount.currency, "issuer": dict(self.issuer)}

    @property
    def name(self) -> str:
        """Its number as people read it: `RF-2026-000001`."""
        return f"{self.issuer['prefix']}-{self.year}-{self.number:06d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptView:
    """A receipt with what it is about; the person is None where nobody is known, or somebody was forgotten."""

    receipt: ReceiptRecord
    donation: DonationRecord
    campaign_title: str | None
    donor_name: str | None
    donor_address: str | None
    tribute: Mapping[str, str] | None

    @property
    def changed_at(self) -> datetime:
        """When it was issued, or canceled."""
        return self.receipt.canceled_at or self.receipt.issued_at

    @property
    def counts_for(self) -> Money:
        """What was given and not given back."""
        zero = Money.zero(self.receipt.amount.currency)
        is_canceled = self.receipt.canceled_at is not None
        return zero if is_canceled else self.receipt.amount - self.donation.amount_reversed


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementView:
    """A year's gifts of one donor to one charity, oldest first.

    Attributes:
        issuer: as on the newest receipt.
        totals: what counts, by currency.
    """

    issuer: Mapping[str, str | None]
    livemode: bool
    year: int
    donor_name: str | None
    donor_address: str | None
    lines: Sequence[ReceiptView]

    @property
    def changed_at(self) -> datetime:
        """When the newest of its receipts was issued or canceled."""
        return max(line.changed_at for line in self.lines)

    @property
    def totals(self) -> Sequence[Money]:
        """What was given and not given back, by currency."""
        sums: dict[str, Money] = {}
        for line in self.lines:
            code = line.receipt.amount.currency
            sums[code] = sums.get(code, Money.zero(code)) + line.counts_for
        return [sums[code] for code in sorted(sums)]


def follow_receipt(core: Core, tx: Tx, donation: DonationRecord) -> None:
    """Bring the receipt of a gift to where the gift stands; the caller holds the lock of the gift's payment.

    Issued when the gift is received, canceled when all of it went back, in force again should it return after all.
    """
    if donation.kind is not GiftKind.CAMPAIGN:
        return
    before = receipt_of(tx, donation.id)
    counts = donation.status is DonationStatus.RECEIVED
    if before is None:
        if counts:
            _issue(core, tx, donation)
        return
    canceled_at = None if counts else before.canceled_at or core.clock.now()
    after = replace(before, amount=donation.amount_received if counts else before.amount, canceled_at=canceled_at)
    if after != before:
        table = schema.donation_receipt
        tx.execute(update(table).where(table.c.id == after.id).values(after.row()))


def _issue(core: Core, tx: Tx, donation: DonationRecord) -> None:
    now = core.clock.now()
    year = now.astimezone(UTC).year
    receipt = ReceiptRecord(
        id=core.ids.new("rcp"),
        merchant_id=donation.merchant_id,
        livemode=donation.livemode,
        donation_id=donation.id,
        charity_id=donation.charity_id,
        token=secret_token(),
        year=year,
        number=_next_number(tx, donation.charity_id, year),
        amount=donation.amount_received,
        issuer=_issuer(load_charity(tx, donation.charity_id)),
        issued_at=now,
        canceled_at=None,
    )
    tx.execute(insert(schema.donation_receipt), receipt.row())
    recipient = tx.scalar(select(schema.donor.c.email).where(schema.donor.c.donation_id == donation.id))
    if recipient is not None:
        queue_mail(core, tx, _mail(receipt, donation, recipient, dedup_key=f"receipt:{receipt.id}"))
    log.info("receipt_issued", receipt_id=receipt.id, donation_id=donation.id)


def _next_number(tx: Tx, charity_id: str, year: int) -> int:
    """Return the next number of a charity's year; its row stays locked, so one that is rolled back is given again."""
    table = schema.receipt_counter
    is_it = (table.c.charity_id == charity_id) & (table.c.year == year)
    query = select(table.c.last).where(is_it).with_for_update()
    last = tx.scalar(query)
    if last is None:
        insert_new(tx, table, {"charity_id": charity_id, "year": year, "last": 0})
        last = tx.scalar(query)
    number = int(last or 0) + 1
    tx.execute(update(table).where(is_it).values(last=number))
    return number


def _issuer(charity: CharityRecord) -> dict[str, str | None]:
    names = ("name", "legal_name", "tax_id", "address", "country", "tax_statement", "website", "email")
    return {name: getattr(charity, name) for name in names} | {"prefix": charity.receipt_prefix}


def _mail(receipt: ReceiptRecord, donation: DonationRecord, recipient: str, *, dedup_key: str) -> NewMail:
    return NewMail(
        owner=donation.owner,
        kind=MailKind.RECEIPT if donation.pledge_id is None else MailKind.RECURRING,
        subject_id=receipt.id,
        recipient=recipient,
        locale=donation.locale,
        dedup_key=dedup_key,
    )


class Receipts:
    """The verbs of receipts and of a year's statement."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def by_token(self, token: str) -> ReceiptView:
        """Return the receipt of a link.

        Raises:
            NotFoundError: there is none.
        """
        if not is_secret_token(token):
            raise not_found("receipt")
        return self._one(schema.donation_receipt.c.token == token)

    def by_payment(self, payment_id: str) -> ReceiptView | None:
        """Return the receipt of a payment's gift; None without one."""
        found = self._core.db.read(lambda tx: _views(tx, schema.donation.c.payment_id == payment_id))
        return found[0] if found else None

    def retrieve(self, owner: Owner, donation_id: str) -> ReceiptView:
        """Return the receipt of a donation of this owner.

        Raises:
            NotFoundError: there is no such donation, or it has no receipt.
        """
        self._core.db.read(lambda tx: own_donation(tx, owner, donation_id))
        return self._one(schema.donation_receipt.c.donation_id == donation_id)

    def url(self, view: ReceiptView) -> str:
        """Return the address at which a donor sees a receipt."""
        return receipt_url(self._core, view.receipt)

    def resend(self, intent: Intent, donation_id: str, *, email: str | None = None) -> Reply:
        """Send a receipt once more: to the address that the donor left, or to another.

        Raises:
            NotFoundError: there is no such donation, or it has no receipt.
            InvalidRequestError: the donor left no address, and none is named.
        """

        def verb(tx: Tx) -> Reply:
            donation = own_donation(tx, intent.owner, donation_id)
            receipt = receipt_of(tx, donation.id)
            if receipt is None:
                raise not_found("receipt")
            left = tx.scalar(select(schema.donor.c.email).where(schema.donor.c.donation_id == donation.id))
            recipient = email or left
            if recipient is None:
                raise InvalidRequestError(
                    ErrorCode.PARAMETER_MISSING, "The donor left no address: name one.", param="/email"
                )
            name = f"again:{self._core.ids.new('mail')}"
            queue_mail(self._core, tx, _mail(receipt, donation, recipient, dedup_key=name))
            shown = {"object": "receipt_mail", "donation": donation.id, "receipt": receipt.name, "status": "waiting"}
            return Reply(status_code=ACCEPTED, body=canonical_json(shown))

        return once(self._core, intent, verb)

    def statement(self, token: str, year: int) -> StatementView:
        """Return the year's statement of a link; see `donor.statement_token`.

        Raises:
            NotFoundError: there is no such link, or nothing was given in that year.
        """
        if not is_secret_token(token):
            raise not_found("statement")
        donors = schema.donor
        query = select(donors.c.donation_id, donors.c.charity_id, donors.c.email)
        found = self._core.db.read(lambda tx: tx.execute(query.where(donors.c.statement_token == token)).one_or_none())
        if found is None:
            raise not_found("statement")
        is_theirs = donors.c.donation_id == found.donation_id
        if found.email is not None:
            is_theirs = _is_email(donors.c.email, found.email)
        return self._statement(found.charity_id, year, is_theirs)

    def statement_of(self, owner: Owner, charity_id: str, email: str, year: int) -> StatementView:
        """Return what somebody gave to a charity of this owner in a year.

        Raises:
            NotFoundError: there is no such charity, or nothing was given in that year.
        """
        self._core.db.read(lambda tx: own_charity(tx, owner, charity_id))
        return self._statement(charity_id, year, _is_email(schema.donor.c.email, email))

    def _statement(self, charity_id: str, year: int, is_theirs: ColumnElement[bool]) -> StatementView:
        receipts = schema.donation_receipt
        where = (receipts.c.charity_id == charity_id) & (receipts.c.year == year) & is_theirs
        lines = self._core.db.read(lambda tx: _views(tx, where))
        if not lines:
            raise not_found("statement")
        newest = lines[-1]
        return StatementView(
            issuer=newest.receipt.issuer,
            livemode=newest.receipt.livemode,
            year=year,
            donor_name=newest.donor_name,
            donor_address=newest.donor_address,
            lines=lines,
        )

    def _one(self, where: ColumnElement[bool]) -> ReceiptView:
        return self._core.db.read(lambda tx: one_view(tx, where))


def one_view(tx: Tx, where: ColumnElement[bool]) -> ReceiptView:
    """Return one receipt with what it is about.

    Raises:
        NotFoundError: there is none.
    """
    found = _views(tx, where)
    if not found:
        raise not_found("receipt")
    return found[0]


def receipt_of(tx: Tx, donation_id: str) -> ReceiptRecord | None:
    """Return the receipt of a donation; None without one."""
    table = schema.donation_receipt
    row = tx.execute(select(table).where(table.c.donation_id == donation_id)).mappings().one_or_none()
    return None if row is None else ReceiptRecord.of(row)


def receipt_url(core: Core, receipt: ReceiptRecord) -> str:
    """Return the address at which a donor sees a receipt."""
    return f"{core.base_url}/donations/receipt/{receipt.token}"


def receipt_object(view: ReceiptView) -> dict[str, Any]:
    """Return a `donation_receipt`; without the person, whom only the document names."""
    receipt = view.receipt
    return {
        "object": "donation_receipt",
        "number": receipt.name,
        "livemode": receipt.livemode,
        "status": "issued" if receipt.canceled_at is None else "canceled",
        "donation": receipt.donation_id,
        "charity": receipt.charity_id,
        "campaign": view.donation.campaign_id,
        **money_fields(receipt.amount),
        "amount_reversed": view.donation.amount_reversed.major,
        "amount_that_counts": view.counts_for.major,
        "issuer": dict(receipt.issuer),
        "issued_at": rfc3339(receipt.issued_at),
        "canceled_at": None if receipt.canceled_at is None else rfc3339(receipt.canceled_at),
    }


def statement_object(view: StatementView) -> dict[str, Any]:
    """Return a `donation_statement`."""
    return {
        "object": "donation_statement",
        "livemode": view.livemode,
        "year": view.year,
        "issuer": dict(view.issuer),
        "receipts": [receipt_object(line) for line in view.lines],
        "totals": [money_fields(total) for total in view.totals],
    }


def _is_email(column: ColumnElement[str | None], email: str) -> ColumnElement[bool]:
    """Tell whether an address is this one, however it was spelled."""
    return func.lower(column) == email.lower()


def _views(tx: Tx, where: ColumnElement[bool]) -> list[ReceiptView]:
    """Return receipts in the order of their numbers, each with its gift and its donor, if he is known."""
    receipts, donations, donors, campaigns = schema.donation_receipt, schema.donation, schema.donor, schema.campaign
    joined = (
        receipts.join(donations, donations.c.id == receipts.c.donation_id)
        .outerjoin(donors, donors.c.donation_id == receipts.c.donation_id)
        .outerjoin(campaigns, campaigns.c.id == donations.c.campaign_id)
    )
    query = (
        select(receipts, donations, donors.c.name, donors.c.address, donors.c.tribute, campaigns.c.title)
        .select_from(joined)
        .where(where)
        .order_by(receipts.c.year, receipts.c.number)
        .limit(MAX_LINES)
    )
    return [
        ReceiptView(
            receipt=ReceiptRecord.of({column.name: row[column] for column in receipts.c}),
            donation=DonationRecord.of({column.name: row[column] for column in donations.c}),
            campaign_title=row[campaigns.c.title],
            donor_name=row[donors.c.name],
            donor_address=row[donors.c.address],
            tribute=row[donors.c.tribute],
        )
        for row in tx.execute(query).mappings()
    ]
