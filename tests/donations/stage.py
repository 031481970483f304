"""Charities and givers, on the stage of the card shop."""

import itertools
from collections import Counter, defaultdict
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Table, insert, select

from gateway.domain.donations import ConfigMode, DonationStatus, Frequency, GiftKind, GiftTerms, WholeTotals
from gateway.domain.postings import charity_paid_account, owed_account
from gateway.engine.donations.days import SUMS, count_gift
from gateway.engine.donations.giving import Donor, NewGift
from gateway.engine.donations.records import (
    CampaignRecord,
    CharityRecord,
    ConfigRecord,
    DonationRecord,
    donation_of,
)
from gateway.engine.engine import Engine
from gateway.engine.records import Owner, SessionRecord
from gateway.kernel.money import Money, parse_money
from gateway.ledger.proof import verify
from gateway.storage import schema
from tests.cards.stage import GOOD, CardShop


class Charities:
    """What a merchant collects for others: charities, campaigns, what is offered at checkout, and the books of it."""

    def __init__(self, engine: Engine, owner: Owner) -> None:
        self.engine = engine
        self.db = engine.core.db
        self.owner = owner
        self.charity = self.add_charity()

    def add_charity(self, **more: Any) -> CharityRecord:
        now = self.engine.core.clock.now()
        row: dict[str, Any] = {
            "id": self.engine.core.ids.new("cha"), "merchant_id": self.owner.merchant_id, "livemode": False,
            "name": "River Fund", "legal_name": "River Fund e.V.", "tax_id": "12/345/67890", "address": None,
            "country": "DE", "tax_statement": None, "website": None, "email": None, "receipt_prefix": "RF",
            "solana_address": None, "is_own": False, "metadata": {}, "created_at": now, "updated_at": now,
            "archived_at": None,
        }  # fmt: skip
        charity = CharityRecord(**row | more)
        self._insert(schema.charity, charity.row())
        return charity

    def add_campaign(self, charity: CharityRecord | None = None, currency: str = "USD", **more: Any) -> CampaignRecord:
        now = self.engine.core.clock.now()
        row: dict[str, Any] = {
            "id": self.engine.core.ids.new("cmp"), "merchant_id": self.owner.merchant_id, "livemode": False,
            "charity_id": (charity or self.charity).id, "title": "Clean rivers", "story": "We clean rivers.",
            "presets": (parse_money("10", currency), parse_money("25", currency)),
            "min_amount": parse_money("1", currency), "max_amount": parse_money("1000", currency),
            "frequencies": tuple(Frequency), "goal": None, "offers_fee_cover": True, "fee_bps": 290,
            "fee_fixed": Money(30, currency), "offers_tribute": True, "offers_comment": True, "shows_wall": True,
            "locales": (), "origins": (), "metadata": {}, "created_at": now, "updated_at": now, "ends_at": None,
            "closed_at": None,
        }  # fmt: skip
        campaign = CampaignRecord(**row | more)
        self._insert(schema.campaign, campaign.row())
        return campaign

    def add_gift(self, campaign: CampaignRecord, units: int, at: datetime | None, *, gone: int = 0) -> None:
        """Write down that a campaign was given so much then, without the payment: for what only reads."""
        ids, code = self.engine.core.ids, campaign.currency
        status = DonationStatus.REVERSED if gone == units else DonationStatus.RECEIVED
        status = DonationStatus.PENDING if at is None else status
        donation = DonationRecord(
            id=ids.new("don"), merchant_id=campaign.merchant_id, livemode=False, charity_id=campaign.charity_id,
            campaign_id=campaign.id, config_id=None, session_id=ids.new("cs"), payment_id=ids.new("pay"),
            subscription_id=None, pledge_id=None, kind=GiftKind.CAMPAIGN, frequency=Frequency.ONCE, status=status,
            amount=Money(units, code), fee_cover=Money.zero(code), amount_received=Money(units, code),
            amount_reversed=Money(gone, code), received={code: units}, reversed_={code: gone} if gone else {},
            owed={code: units - gone} if units > gone else {},
            is_anonymous=False, on_wall=False, locale=None, form_id=None, sequence=1, received_at=at,
            created_at=campaign.created_at, updated_at=campaign.created_at,
        )  # fmt: skip
        self._insert(schema.donation, donation.row())
        self.db.write(lambda tx: count_gift(tx, None, donation))

    def offer(self, charity: CharityRecord | None = None, currency: str = "USD", **terms: Any) -> ConfigRecord:
        """Let the checkout offer gifts in this currency."""
        values: dict[str, Any] = {
            "mode": ConfigMode.BOTH, "unit": parse_money("1", currency), "cap": parse_money("5", currency),
            "amounts": (parse_money("2", currency),), "whole_totals": WholeTotals.NEXT,
        }  # fmt: skip
        config = ConfigRecord(
            id=self.engine.core.ids.new("dcf"), merchant_id=self.owner.merchant_id, livemode=False,
            charity_id=(charity or self.charity).id, terms=GiftTerms(**values | terms), disclosure="It all goes there.",
            payout_terms="Every quarter.", created_at=self.engine.core.clock.now(), archived_at=None,
        )  # fmt: skip
        self._insert(schema.donation_config, config.row())
        return config

    def donation(self, session: SessionRecord) -> DonationRecord | None:
        return self.db.read(lambda tx: donation_of(tx, session.payment_id))

    def donations(self) -> list[DonationRecord]:
        """Return every donation of this merchant, oldest first."""
        table = schema.donation
        query = select(table).where(table.c.merchant_id == self.owner.merchant_id).order_by(table.c.id)
        return self.db.read(lambda tx: [DonationRecord.of(row) for row in tx.execute(query).mappings()])

    def posted(self, account: str, currency: str = "USD") -> int:
        """Return what is posted on an account, in atomic units."""
        rows = self.db.read(
            lambda tx: self.engine.core.journal.balances(tx, self.owner.merchant_id, self.owner.livemode)
        )
        return sum(row.posted.atomic for row in rows if (row.account, row.currency) == (account, currency))

    def owed(self, charity: CharityRecord | None = None, currency: str = "USD") -> int:
        """Return what the books owe a charity, in atomic units."""
        one = charity or self.charity
        return -self.posted(owed_account(one.id, is_own=one.is_own), currency)

    def paid_out(self, charity: CharityRecord | None = None, currency: str = "USD") -> int:
        """Return what the books say that a charity was paid."""
        return -self.posted(charity_paid_account((charity or self.charity).id), currency)

    def check(self) -> None:
        """The books balance; per charity and currency, gifts are what is owed, was paid out and was reversed."""
        assert not self.db.snapshot(verify).problems
        given: Counter[tuple[str, str]] = Counter()
        gone: Counter[tuple[str, str]] = Counter()
        for one in self.donations():
            given.update({(one.charity_id, code): units for code, units in one.received.items()})
            gone.update({(one.charity_id, code): units for code, units in one.reversed_.items()})
        for charity_id, code in given:
            places = [charity_paid_account(charity_id)]
            places += [owed_account(charity_id, is_own=is_own) for is_own in (False, True)]
            held = -sum(self.posted(place, code) for place in places)
            assert given[charity_id, code] == held + gone[charity_id, code]
        self.check_days()

    def check_days(self) -> None:
        """The sums of days are those of the gifts, added up here once more, and what is owed by day is in the books."""
        campaigns: dict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
        charities: dict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
        for one in self.donations():
            if one.received_at is None:
                continue
            day = f"{one.received_at.astimezone(UTC):%Y-%m-%d}"
            campaigns[one.campaign_id, day].update(
                gifts=1, stayed=one.status is DonationStatus.RECEIVED, received=one.amount_received.atomic,
                reversed=one.amount_reversed.atomic, fee_cover=one.fee_cover.atomic,
            )  # fmt: skip
            for name, sums in (("received", one.received), ("reversed", one.reversed_), ("owed", one.owed)):
                for code, units in sums.items():
                    charities[one.charity_id, code, day][name] += units
        campaigns = {key: sums for key, sums in campaigns.items() if key[0] is not None}
        assert self._days(schema.campaign_day, "campaign_id", {key[0] for key in campaigns}) == campaigns
        assert self._days(schema.charity_day, "charity_id", {key[0] for key in charities}) == charities
        owed: Counter[tuple[str, str]] = Counter()
        for (charity_id, code, _), sums in charities.items():
            owed[charity_id, code] += sums["owed"]
        assert dict(owed) == {key: self._booked(*key) for key in owed}

    def _booked(self, charity_id: str, code: str) -> int:
        """Return what is owed to a charity, or kept by one's own, with what payouts took of it."""
        table = schema.donation_payout
        query = select(table.c.amount).where(table.c.charity_id == charity_id, table.c.currency == code)
        stands = query.where(table.c.canceled_at.is_(None))
        paid_out: int = self.db.read(lambda tx: sum(tx.scalars(stands)))
        held = sum(self.posted(owed_account(charity_id, is_own=is_own), code) for is_own in (False, True))
        return paid_out - held

    def _days(self, table: Table, subject: str, wanted: set[str]) -> dict[tuple[Any, ...], Counter[str]]:
        """Return the rows of days of these subjects that say something, by their keys."""
        rows = self.db.read(lambda tx: tx.execute(select(table).where(table.c[subject].in_(wanted))).mappings().all())
        found = {}
        for row in rows:
            sums = Counter({name: row[name] for name in SUMS[table]})
            if any(sums.values()):
                *names, day = (row[column.name] for column in table.primary_key)
                found[*names, f"{day:%Y-%m-%d}"] = sums
        return found

    def _insert(self, table: Any, row: dict[str, Any]) -> None:
        self.db.write(lambda tx: tx.execute(insert(table), row))


class GivingShop(Charities):
    """A card shop with a charity, which shoppers and donors give to."""

    def __init__(self, shop: CardShop) -> None:
        super().__init__(shop.engine, shop.owner)
        self.shop = shop
        self._forms = itertools.count()

    def choose(self, session: SessionRecord, kind: GiftKind, amount: str) -> SessionRecord:
        self.engine.gifts.choose(session, kind, parse_money(amount, session.amount.currency))
        return self.shop.reload(session.token)

    def buy(self, amount: str, gift: str, *, number: str = GOOD) -> SessionRecord:
        """Buy something by card and round it up."""
        session = self.choose(self.shop.open(amount), GiftKind.ROUND_UP, gift)
        self.pay(session, number=number)
        return self.shop.reload(session.token)

    def pay(self, session: SessionRecord, *, number: str = GOOD) -> None:
        """Pay a session by card, come back, and let the webhooks arrive."""
        self.shop.pay_at_bank(self.shop.start(session), number)
        self.engine.checkout.returned(session.token)
        self.engine.sweep()
        self.shop.catch_up()

    def give(self, campaign: CampaignRecord, amount: str = "25", **more: Any) -> SessionRecord:
        """Fill in a campaign's form."""
        gift = NewGift(
            amount=parse_money(amount, campaign.currency),
            form_id=more.pop("form_id", f"{campaign.id}-{next(self._forms)}"),
            donor=more.pop("donor", Donor(name="Jo Doe", email="jo@example.com")),
            **more,
        )
        return self.engine.giving.give(campaign, gift)
