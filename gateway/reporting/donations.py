"""Statements of charities, reports of campaigns, and what has been owed for long. Reads only."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from sqlalchemy import RowMapping, Select, func, select

from gateway.domain.ageing import EDGES, Bucket, GiftsOfDay, ageing
from gateway.domain.postings import charity_paid_account, owed_account
from gateway.kernel.clock import rfc3339
from gateway.kernel.money import Money
from gateway.ledger.journal import Journal
from gateway.storage.database import Database, Tx
from gateway.storage.schema import campaign, campaign_day, charity, charity_day, donation, donation_payout
from gateway.storage.statements import total

CSV_HEAD: Final = (
    "donation", "received_at", "status", "kind", "frequency", "charity", "campaign", "payment", "currency", "amount",
    "fee_cover", "amount_received", "amount_reversed",
)  # fmt: skip
CHUNK: Final = 1000  # rows that a read brings at once
_SUMMED: Final = ("gifts", "received", "reversed", "fee_cover")  # of a campaign's days


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

    def rows(self, *, charity_id: str | None = None, campaign_id: str | None = None) -> Iterator[tuple[str, ...]]:
        """Yield every gift that came as fields of a table, under `CSV_HEAD`, the oldest first.

        Read in chunks, each as it is asked for: whoever reads slowly holds neither memory nor a connection.
        """
        wanted = {"charity_id": charity_id, "campaign_id": campaign_id}
        is_wanted = [donation.c[name] == value for name, value in wanted.items() if value is not None]
        assert is_wanted, "a report is about a charity or a campaign"
        query = select(donation).where(*is_wanted, donation.c.received_at.is_not(None))
        query = query.order_by(donation.c.received_at, donation.c.id).limit(CHUNK)
        rows = self._db.read(lambda tx: tx.execute(query).mappings().all())
        while rows:
            yield from (_fields(row) for row in rows)
            rows = self._db.read(partial(_rows_after, query=query, last=rows[-1]))

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
            ages=_ages(tx, charity_id, Money(stands[owing, code], code), now),
        )
        for code in sorted(codes)
    ]


def _gifts(tx: Tx, charity_id: str) -> tuple[Counter[str], Counter[str]]:
    """Return what came for a charity and what of it went back, in atomic units by the currency that came."""
    table = charity_day
    sums = (total(tx, table.c.received), total(tx, table.c.reversed))
    query = select(table.c.currency, *sums).where(table.c.charity_id == charity_id).group_by(table.c.currency)
    rows = tx.execute(query).all()
    came, went = (Counter({row[0]: int(row[place]) for row in rows}) for place in (1, 2))
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


def _ages(tx: Tx, charity_id: str, owed: Money, now: datetime) -> Sequence[Bucket]:
    return ageing(_days(tx, charity_id, owed.currency), owed.atomic, now.astimezone(UTC).date())


def _days(tx: Tx, charity_id: str, code: str) -> Iterator[GiftsOfDay]:
    """Yield what is owed of the gifts of each day if nothing was paid out, newest first, read when somebody asks."""
    table = charity_day
    query = select(table.c.day, table.c.owed).where(table.c.charity_id == charity_id, table.c.currency == code)
    for day, amount in tx.execute(query.order_by(table.c.day.desc())):
        yield GiftsOfDay(day=day.date(), amount=amount)


def _by_campaign(tx: Tx, merchant_id: str, *, livemode: bool) -> dict[str, Sums]:
    table = campaign_day
    amounts = [total(tx, table.c[name]).label(name) for name in _SUMMED[1:]]
    query = (
        select(campaign.c.id, campaign.c.currency, func.sum(table.c.gifts).label("gifts"), *amounts)
        .join(table, table.c.campaign_id == campaign.c.id)
        .where(campaign.c.merchant_id == merchant_id, campaign.c.livemode == livemode, table.c.gifts > 0)
        .group_by(campaign.c.id, campaign.c.currency)
    )
    return {
        one["id"]: _sums(Counter({name: int(one[name]) for name in _SUMMED}), one["currency"])
        for one in tx.execute(query).mappings()
    }


def _campaign(tx: Tx, campaign_id: str) -> CampaignReport:
    code = tx.execute(select(campaign.c.currency).where(campaign.c.id == campaign_id)).scalar_one()
    table = campaign_day
    query = select(table.c.day, *(table.c[name] for name in _SUMMED)).where(table.c.campaign_id == campaign_id)
    months: dict[str, Counter[str]] = defaultdict(Counter)
    for day, *sums in tx.execute(query.where(table.c.gifts > 0)):
        months[day.strftime("%Y-%m")].update(dict(zip(_SUMMED, sums, strict=True)))
    return CampaignReport(
        whole=_sums(sum(months.values(), start=Counter()), code),
        months=[Month(name=name, sums=_sums(found, code)) for name, found in sorted(months.items())],
    )


def _sums(found: Counter[str], code: str) -> Sums:
    return Sums(
        count=found["gifts"],
        received=Money(found["received"], code),
        reversed_=Money(found["reversed"], code),
        fee_cover=Money(found["fee_cover"], code),
    )


def _rows_after(tx: Tx, *, query: Select[Any], last: RowMapping) -> Sequence[RowMapping]:
    """Return the chunk behind a row."""
    at, is_later = donation.c.received_at, donation.c.id > last["id"]
    is_behind = (at >= last["received_at"]) & ((at > last["received_at"]) | is_later)
    return tx.execute(query.where(is_behind)).mappings().all()


def _fields(row: RowMapping) -> tuple[str, ...]:
    code = row["currency"]
    names = ("amount", "fee_cover", "amount_received", "amount_reversed")
    amounts = [Money(row[name], code).major for name in names]
    about = [row[name] or "" for name in ("status", "kind", "frequency", "charity_id", "campaign_id", "payment_id")]
    return (row["id"], rfc3339(row["received_at"]), *about, code, *amounts)


def _overdue(tx: Tx, journal: Journal, merchant_id: str | None, now: datetime, days: int) -> Iterator[Overdue]:
    query = select(charity.c.id, charity.c.name, charity.c.livemode)
    if merchant_id is not None:
        query = query.where(charity.c.merchant_id == merchant_id)
    for row in tx.execute(query.order_by(charity.c.id)).all():
        owing = owed_account(row.id, is_own=False)
        for (_, code), amount in sorted(_balances(tx, journal, row.id, (owing,)).items()):
            ages = [one for one in _ages(tx, row.id, Money(amount, code), now) if one.from_days >= days]
            late = Money(sum(one.amount for one in ages), code)
            if late:
                yield Overdue(charity_id=row.id, charity_name=row.name, livemode=row.livemode, amount=late, ages=ages)
