"""Statements of charities, reports of campaigns, and what has been owed for long. Reads only."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import func, select

from gateway.domain.ageing import EDGES, Bucket, Movement, ageing
from gateway.domain.donations import PAYOUT_CANCELED_ENTRY, PAYOUT_ENTRY
from gateway.domain.postings import POSTED, charity_paid_account, owed_account
from gateway.kernel.clock import rfc3339
from gateway.kernel.money import Money
from gateway.ledger.journal import Journal
from gateway.storage.database import Database, Tx
from gateway.storage.schema import account, campaign, charity, donation, donation_payout, journal_entry, posting
from gateway.storage.statements import total

CSV_HEAD: Final = (
    "donation", "received_at", "status", "kind", "frequency", "charity", "campaign", "payment", "currency", "amount",
    "fee_cover", "amount_received", "amount_reversed",
)  # fmt: skip
CHUNK: Final = 1000  # rows that a read brings at once
_SUMMED: Final = ("amount_received", "amount_reversed", "fee_cover")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a charity was given in one currency: `gifts` = `reversed` + `paid_out` + `paid_at_source` + `owed`.

    Attributes:
        paid_out: what payouts say that were written down and stand.
        payouts_canceled: what payouts said that were written down by mistake: part of nothing else here.
        paid_at_source: what payers sent to the charity's own address.
        kept: what the account holder's own charity was given and owes nobody.
        ages: how long it has been owed, the youngest first.
    """

    gifts: Money
    reversed_: Money
    paid_out: Money
    payouts_canceled: Money
    paid_at_source: Money
    kept: Money
    owed: Money
    ages: Sequence[Bucket]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """What gifts add up to."""

    count: int
    received: Money
    reversed_: Money
    fee_cover: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """What the gifts of one month add up to; `name` as `2026-11`, in UTC."""

    name: str
    sums: Sums


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignReport:
    """What a campaign collected, as a whole and by month, the oldest first."""

    whole: Sums
    months: Sequence[Month]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overdue:
    """What a charity has been owed for longer than somebody asked about."""

    charity_id: str
    charity_name: str
    livemode: bool
    amount: Money
    ages: Sequence[Bucket]


class DonationReports:
    """Reads what was given, to whom, and where it is."""

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db = db
        self._journal = journal

    def statement(self, charity_id: str, now: datetime) -> list[Standing]:
        """Return where the gifts of a charity that exists stand, by currency."""
        return self._db.snapshot(lambda tx: _statement(tx, self._journal, charity_id, now))

    def campaign(self, campaign_id: str) -> CampaignReport:
        """Return what a campaign that exists collected."""
        return self._db.snapshot(lambda tx: _campaign(tx, campaign_id))

    def campaigns(self, merchant_id: str, *, livemode: bool) -> dict[str, Sums]:
        """Return what each campaign of an account collected in a mode, by its id; without those without gifts."""
        return self._db.read(lambda tx: _by_campaign(tx, merchant_id, livemode=livemode))

    def rows(self, *, charity_id: str | None = None, campaign_id: str | None = None) -> list[tuple[str, ...]]:
        """Return every gift that came as fields of a table, under `CSV_HEAD`, the oldest first."""
        return self._db.snapshot(lambda tx: list(_rows(tx, charity_id, campaign_id)))

    def overdue(self, now: datetime, *, older_than_days: int, merchant_id: str | None = None) -> list[Overdue]:
        """Return what charities, of all accounts or of one, have been owed for longer than so many days.

        Args:
            now: the time to count from.
            older_than_days: 0, or one of `EDGES`.
            merchant_id: whose charities; None for everybody's.
        """
        assert older_than_days in {0, *EDGES}, "ages are counted in steps"
        return self._db.snapshot(lambda tx: list(_overdue(tx, self._journal, merchant_id, now, older_than_days)))


def _statement(tx: Tx, journal: Journal, charity_id: str, now: datetime) -> list[Standing]:
    gifts, reversed_ = _gifts(tx, charity_id)
    owing, own = owed_account(charity_id, is_own=False), owed_account(charity_id, is_own=True)
    paid = charity_paid_account(charity_id)
    stands = _balances(tx, journal, charity_id, (owing, own, paid))
    recorded, canceled = (_recorded(tx, charity_id, is_canceled=is_canceled) for is_canceled in (False, True))
    codes = {code for code, amount in gifts.items() if amount} | {code for _, code in stands}
    return [
        Standing(
            gifts=Money(gifts[code], code),
            reversed_=Money(reversed_[code], code),
            paid_out=Money(recorded[code], code),
            payouts_canceled=Money(canceled[code], code),
            paid_at_source=Money(stands[paid, code] - recorded[code], code),
            kept=Money(stands[own, code], code),
            owed=Money(stands[owing, code], code),
            ages=_ages(tx, owing, Money(stands[owing, code], code), now),
        )
        for code in sorted(codes)
    ]


def _gifts(tx: Tx, charity_id: str) -> tuple[Counter[str], Counter[str]]:
    """Return what came for a charity and what of it went back, in atomic units by the currency that came."""
    came: Counter[str] = Counter()
    went: Counter[str] = Counter()
    query = select(donation.c.received, donation.c.reversed).where(
        donation.c.charity_id == charity_id, donation.c.received_at.is_not(None)
    )
    for received, gone in tx.execute(query.execution_options(yield_per=CHUNK)):
        came.update({code: int(units) for code, units in received.items()})
        went.update({code: int(units) for code, units in gone.items()})
    return came, went


def _balances(tx: Tx, journal: Journal, charity_id: str, accounts: Sequence[str]) -> Counter[tuple[str, str]]:
    """Return what stands on a charity's accounts, credits positive, by account and currency."""
    row = tx.execute(select(charity.c.merchant_id, charity.c.livemode).where(charity.c.id == charity_id)).one()
    found = journal.balances(tx, row.merchant_id, row.livemode, accounts=accounts)
    return Counter({(one.account, one.currency): -one.posted.atomic for one in found})


def _recorded(tx: Tx, charity_id: str, *, is_canceled: bool) -> Counter[str]:
    """Return what payouts say that stand, or that were canceled, in atomic units by currency."""
    table = donation_payout
    is_wanted = table.c.canceled_at.is_not(None) if is_canceled else table.c.canceled_at.is_(None)
    query = select(table.c.currency, total(tx, table.c.amount)).where(table.c.charity_id == charity_id, is_wanted)
    return Counter({code: int(amount) for code, amount in tx.execute(query.group_by(table.c.currency))})


def _ages(tx: Tx, code: str, owed: Money, now: datetime) -> Sequence[Bucket]:
    return ageing(_movements(tx, code, owed.currency), owed.atomic, now)


def _movements(tx: Tx, code: str, currency: str) -> Iterator[Movement]:
    """Yield what gifts changed on an account, newest first, read only as far as somebody asks."""
    query = (
        select(posting.c.entry_id, posting.c.subject_id, posting.c.amount, journal_entry.c.effective_at)
        .join(account, account.c.id == posting.c.account_id)
        .join(journal_entry, journal_entry.c.id == posting.c.entry_id)
        .where(account.c.code == code, account.c.currency == currency, posting.c.layer == POSTED)
        .where(journal_entry.c.kind.not_in((PAYOUT_ENTRY, PAYOUT_CANCELED_ENTRY)))
        .order_by(posting.c.entry_id.desc())
        .limit(CHUNK)
    )
    rows = tx.execute(query).all()
    while rows:
        for row in rows:
            yield Movement(subject=row.subject_id, amount=-row.amount, at=row.effective_at)
        rows = tx.execute(query.where(posting.c.entry_id < rows[-1].entry_id)).all()


def _campaign(tx: Tx, campaign_id: str) -> CampaignReport:
    code = tx.execute(select(campaign.c.currency).where(campaign.c.id == campaign_id)).scalar_one()
    names = _SUMMED
    query = select(donation.c.received_at, *(donation.c[name] for name in names)).where(
        donation.c.campaign_id == campaign_id, donation.c.received_at.is_not(None)
    )
    whole: Counter[str] = Counter()
    months: dict[str, Counter[str]] = defaultdict(Counter)
    for received_at, *amounts in tx.execute(query.execution_options(yield_per=CHUNK)):
        gift = {"count": 1, **dict(zip(names, amounts, strict=True))}
        months[received_at.astimezone(UTC).strftime("%Y-%m")].update(gift)
        whole.update(gift)
    return CampaignReport(
        whole=_sums(whole, code),
        months=[Month(name=name, sums=_sums(found, code)) for name, found in sorted(months.items())],
    )


def _by_campaign(tx: Tx, merchant_id: str, *, livemode: bool) -> dict[str, Sums]:
    sums = [total(tx, donation.c[name]).label(name) for name in _SUMMED]
    query = (
        select(campaign.c.id, campaign.c.currency, func.count().label("count"), *sums)
        .join(donation, donation.c.campaign_id == campaign.c.id)
        .where(campaign.c.merchant_id == merchant_id, campaign.c.livemode == livemode)
        .where(donation.c.received_at.is_not(None))
        .group_by(campaign.c.id, campaign.c.currency)
    )
    found = tx.execute(query).mappings()
    return {
        one["id"]: _sums(Counter({name: int(one[name]) for name in ("count", *_SUMMED)}), one["currency"])
        for one in found
    }


def _sums(found: Counter[str], code: str) -> Sums:
    return Sums(
        count=found["count"],
        received=Money(found["amount_received"], code),
        reversed_=Money(found["amount_reversed"], code),
        fee_cover=Money(found["fee_cover"], code),
    )


def _rows(tx: Tx, charity_id: str | None, campaign_id: str | None) -> Iterator[tuple[str, ...]]:
    wanted = {"charity_id": charity_id, "campaign_id": campaign_id}
    is_wanted = [donation.c[name] == value for name, value in wanted.items() if value is not None]
    assert is_wanted, "a report is about a charity or a campaign"
    query = select(donation).where(*is_wanted, donation.c.received_at.is_not(None))
    for row in tx.execute(query.order_by(donation.c.received_at, donation.c.id)).mappings():
        code = row["currency"]
        names = ("amount", "fee_cover", "amount_received", "amount_reversed")
        amounts = [Money(row[name], code).major for name in names]
        about = [row[name] or "" for name in ("status", "kind", "frequency", "charity_id", "campaign_id", "payment_id")]
        yield (row["id"], rfc3339(row["received_at"]), *about, code, *amounts)


def _overdue(tx: Tx, journal: Journal, merchant_id: str | None, now: datetime, days: int) -> Iterator[Overdue]:
    query = select(charity.c.id, charity.c.name, charity.c.livemode)
    if merchant_id is not None:
        query = query.where(charity.c.merchant_id == merchant_id)
    for row in tx.execute(query.order_by(charity.c.id)).all():
        owing = owed_account(row.id, is_own=False)
        for (_, code), amount in sorted(_balances(tx, journal, row.id, (owing,)).items()):
            ages = [one for one in _ages(tx, owing, Money(amount, code), now) if one.from_days >= days]
            late = Money(sum(one.amount for one in ages), code)
            if late:
                yield Overdue(charity_id=row.id, charity_name=row.name, livemode=row.livemode, amount=late, ages=ages)
