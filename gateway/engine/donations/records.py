"""Rows of donations as immutable records, and the objects that the API and events show of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from sqlalchemy import select

from gateway.domain.donations import ConfigMode, DonationStatus, Frequency, GiftKind, GiftTerms, WholeTotals
from gateway.engine.records import Owner, Row, not_found
from gateway.engine.wire import money_fields
from gateway.kernel.clock import rfc3339
from gateway.kernel.money import Money, parse_money
from gateway.storage import schema
from gateway.storage.database import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class CharityRecord:
    """A row of `charity`.

    Attributes:
        is_own: the account holder himself is this charity, so that nothing is owed to it.
        solana_address: where its part of a wallet's payment goes at once.
    """

    id: str
    merchant_id: str
    livemode: bool
    name: str
    legal_name: str
    tax_id: str | None
    address: str | None
    country: str | None
    tax_statement: str | None
    website: str | None
    email: str | None
    receipt_prefix: str
    solana_address: str | None
    is_own: bool
    metadata: dict[str, str]
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None

    @classmethod
    def of(cls, row: Row) -> Self:
        """Read a row."""
        return cls(**dict(row))

    def row(self) -> dict[str, Any]:
        """Return it as its row."""
        return {name: getattr(self, name) for name in type(self).__dataclass_fields__}

    @property
    def owner(self) -> Owner:
        """Whose it is."""
        return Owner(merchant_id=self.merchant_id, livemode=self.livemode)


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignRecord:
    """A row of `campaign`."""

    id: str
    merchant_id: str
    livemode: bool
    charity_id: str
    title: str
    story: str
    presets: tuple[Money, ...]
    min_amount: Money
    max_amount: Money
    frequencies: tuple[Frequency, ...]
    goal: Money | None
    offers_fee_cover: bool
    fee_bps: int
    fee_fixed: Money
    offers_tribute: bool
    offers_comment: bool
    shows_wall: bool
    locales: tuple[str, ...]
    origins: tuple[str, ...]
    metadata: dict[str, str]
    created_at: datetime
    updated_at: datetime
    ends_at: datetime | None
    closed_at: datetime | None

    @classmethod
    def of(cls, row: Row) -> Self:
        """Read a row."""
        values = dict(row)
        code = values.pop("currency")
        for name in ("min_amount", "max_amount", "fee_fixed"):
            values[name] = Money(values[name], code)
        values["goal"] = None if values["goal"] is None else Money(values["goal"], code)
        values["presets"] = tuple(parse_money(text, code) for text in values["presets"])
        values["frequencies"] = tuple(Frequency(word) for word in values["frequencies"])
        for name in ("locales", "origins"):
            values[name] = tuple(values[name])
        return cls(**values)

    def row(self) -> dict[str, Any]:
        """Return it as its row."""
        values = {name: getattr(self, name) for name in type(self).__dataclass_fields__}
        return values | {
            "currency": self.currency,
            "min_amount": self.min_amount.atomic,
            "max_amount": self.max_amount.atomic,
            "fee_fixed": self.fee_fixed.atomic,
            "goal": None if self.goal is None else self.goal.atomic,
            "presets": [money.major for money in self.presets],
            "frequencies": [word.value for word in self.frequencies],
            "locales": list(self.locales),
            "origins": list(self.origins),
        }

    @property
    def owner(self) -> Owner:
        """Whose it is."""
        return Owner(merchant_id=self.merchant_id, livemode=self.livemode)

    @property
    def currency(self) -> str:
        """The currency that it collects."""
        return self.min_amount.currency

    def is_open(self, now: datetime) -> bool:
        """Tell whether it takes gifts."""
        return self.closed_at is None and (self.ends_at is None or now < self.ends_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigRecord:
    """A row of `donation_config`: what shoppers are offered at checkout."""

    id: str
    merchant_id: str
    livemode: bool
    charity_id: str
    terms: GiftTerms
    disclosure: str
    payout_terms: str
    created_at: datetime
    archived_at: datetime | None

    @classmethod
    def of(cls, row: Row) -> Self:
        """Read a row."""
        values = dict(row)
        code = values.pop("currency")
        terms = GiftTerms(
            mode=ConfigMode(values.pop("mode")),
            unit=Money(values.pop("unit"), code),
            cap=Money(values.pop("cap"), code),
            amounts=tuple(parse_money(text, code) for text in values.pop("amounts")),
            whole_totals=WholeTotals(values.pop("whole_totals")),
            starts_at=values.pop("starts_at"),
            ends_at=values.pop("ends_at"),
        )
        return cls(terms=terms, **values)

    def row(self) -> dict[str, Any]:
        """Return it as its row."""
        values = {name: getattr(self, name) for name in type(self).__dataclass_fields__ if name != "terms"}
        return values | {
            "currency": self.terms.unit.currency,
            "mode": self.terms.mode.value,
            "unit": self.terms.unit.atomic,
            "cap": self.terms.cap.atomic,
            "amounts": [money.major for money in self.terms.amounts],
            "whole_totals": self.terms.whole_totals.value,
            "starts_at": self.terms.starts_at,
            "ends_at": self.terms.ends_at,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class DonationRecord:
    """A row of `donation`: one gift of one payment.

    Attributes:
        fee_cover: the part of `amount` that the donor added for fees.
        amount_received, amount_reversed: in the currency of the price.
        received, reversed_: the same as it lies in the books: atomic units by the currency that came.
        owed: what of it the merchant holds for the charity: neither there at once, nor gone back.
        form_id: the form that it was given with; sent twice, it gives once.
    """

    id: str
    merchant_id: str
    livemode: bool
    charity_id: str
    campaign_id: str | None
    config_id: str | None
    session_id: str
    payment_id: str
    subscription_id: str | None
    pledge_id: str | None
    kind: GiftKind
    frequency: Frequency
    status: DonationStatus
    amount: Money
    fee_cover: Money
    amount_received: Money
    amount_reversed: Money
    received: Mapping[str, int]
    reversed_: Mapping[str, int]
    owed: Mapping[str, int]
    is_anonymous: bool
    on_wall: bool
    locale: str | None
    form_id: str | None
    sequence: int
    created_at: datetime
    updated_at: datetime
    received_at: datetime | None

    @classmethod
    def of(cls, row: Row) -> Self:
        """Read a row."""
        values = dict(row)
        code = values.pop("currency")
        for name in ("amount", "fee_cover", "amount_received", "amount_reversed"):
            values[name] = Money(values[name], code)
        values["received"] = {asset: int(units) for asset, units in values["received"].items()}
        values["reversed_"] = {asset: int(units) for asset, units in values.pop("reversed").items()}
        values["owed"] = {asset: int(units) for asset, units in values["owed"].items()}
        values["kind"] = GiftKind(values["kind"])
        values["frequency"] = Frequency(values["frequency"])
        values["status"] = DonationStatus(values["status"])
        return cls(**values)

    def row(self) -> dict[str, Any]:
        """Return it as its row."""
        values = {name: getattr(self, name) for name in type(self).__dataclass_fields__ if name != "reversed_"}
        moneys = ("amount", "fee_cover", "amount_received", "amount_reversed")
        return values | {
            "currency": self.amount.currency,
            **{name: getattr(self, name).atomic for name in moneys},
            "received": {asset: str(units) for asset, units in self.received.items()},
            "reversed": {asset: str(units) for asset, units in self.reversed_.items()},
            "owed": {asset: str(units) for asset, units in self.owed.items()},
            "kind": self.kind.value,
            "frequency": self.frequency.value,
            "status": self.status.value,
        }

    @property
    def owner(self) -> Owner:
        """Whose it is."""
        return Owner(merchant_id=self.merchant_id, livemode=self.livemode)


def donation_object(donation: DonationRecord) -> dict[str, Any]:
    """Return a `donation`; nothing of the person is in it."""
    return {
        "id": donation.id,
        "object": "donation",
        "livemode": donation.livemode,
        "status": donation.status.value,
        "kind": donation.kind.value,
        "frequency": donation.frequency.value,
        "charity": donation.charity_id,
        "campaign": donation.campaign_id,
        "donation_config": donation.config_id,
        "session": donation.session_id,
        "payment": donation.payment_id,
        "subscription": donation.subscription_id,
        "pledge": donation.pledge_id,
        **money_fields(donation.amount),
        "fee_cover": donation.fee_cover.major,
        "amount_received": donation.amount_received.major,
        "amount_reversed": donation.amount_reversed.major,
        "anonymous": donation.is_anonymous,
        "created_at": rfc3339(donation.created_at),
        "received_at": None if donation.received_at is None else rfc3339(donation.received_at),
    }


def donation_of(tx: Tx, payment_id: str) -> DonationRecord | None:
    """Return the gift of a payment; None for a payment without one."""
    table = schema.donation
    row = tx.execute(select(table).where(table.c.payment_id == payment_id)).mappings().one_or_none()
    return None if row is None else DonationRecord.of(row)


def load_charity(tx: Tx, charity_id: str, *, lock: bool = False) -> CharityRecord:
    """Return a charity that our own rows name; `lock` holds its row until the tx ends."""
    query = select(schema.charity).where(schema.charity.c.id == charity_id)
    return CharityRecord.of(tx.execute(query.with_for_update() if lock else query).mappings().one())


def load_campaign(tx: Tx, campaign_id: str) -> CampaignRecord:
    """Return a campaign that our own rows name."""
    return CampaignRecord.of(
        tx.execute(select(schema.campaign).where(schema.campaign.c.id == campaign_id)).mappings().one()
    )


def own_charity(tx: Tx, owner: Owner, charity_id: str, *, lock: bool = False) -> CharityRecord:
    """Return a charity of this owner; `lock` holds its row until the tx ends.

    Raises:
        NotFoundError: there is none, or it is somebody else's.
    """
    return CharityRecord.of(_own(tx, owner, schema.charity, charity_id, "charity", lock=lock))


def own_campaign(tx: Tx, owner: Owner, campaign_id: str, *, lock: bool = False) -> CampaignRecord:
    """Return a campaign of this owner; `lock` holds its row until the tx ends.

    Raises:
        NotFoundError: there is none, or it is somebody else's.
    """
    return CampaignRecord.of(_own(tx, owner, schema.campaign, campaign_id, "campaign", lock=lock))


def own_config(tx: Tx, owner: Owner, config_id: str, *, lock: bool = False) -> ConfigRecord:
    """Return a donation config of this owner; `lock` holds its row until the tx ends.

    Raises:
        NotFoundError: there is none, or it is somebody else's.
    """
    return ConfigRecord.of(_own(tx, owner, schema.donation_config, config_id, "donation config", lock=lock))


def own_donation(tx: Tx, owner: Owner, donation_id: str) -> DonationRecord:
    """Return a donation of this owner.

    Raises:
        NotFoundError: there is none, or it is somebody else's.
    """
    return DonationRecord.of(_own(tx, owner, schema.donation, donation_id, "donation"))


def _own(tx: Tx, owner: Owner, table: Any, object_id: str, noun: str, *, lock: bool = False) -> Row:
    is_own = (table.c.merchant_id == owner.merchant_id) & (table.c.livemode == owner.livemode)
    query = select(table).where(table.c.id == object_id, is_own)
    row = tx.execute(query.with_for_update() if lock else query).mappings().one_or_none()
    if row is None:
        raise not_found(noun)
    return row
