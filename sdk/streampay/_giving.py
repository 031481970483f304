"""What the gateway answers of giving: charities, campaigns, offers, donations, payouts. `models` names them all."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from streampay._decoding import READERS, Model, many, one


@dataclass(frozen=True, slots=True, kw_only=True)
class Donation(Model):
    """One gift of one payment; nothing of the person is in it.

    `status` is pending, received, reversed (all of it went back) or canceled; `kind` is campaign, round_up or fixed;
    `frequency` is once, monthly, quarterly or yearly. `amount_reversed` is what went back, by refunds and disputes.
    """

    OBJECT: ClassVar[str | None] = "donation"

    id: str
    livemode: bool
    status: str
    kind: str
    frequency: str
    charity: str
    campaign: str | None = None
    donation_config: str | None = None
    session: str
    payment: str
    subscription: str | None = None
    amount: str
    currency: str
    fee_cover: str
    amount_received: str
    amount_reversed: str
    anonymous: bool
    created_at: datetime
    received_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DonationPayout(Model):
    """Money that you sent to a charity: when, what the transfer is called, and what proves it.

    With `canceled_at` it was written down by mistake, and counts no more.
    """

    OBJECT: ClassVar[str | None] = "donation_payout"

    id: str
    livemode: bool
    charity: str
    amount: str
    currency: str
    paid_at: datetime
    reference: str
    evidence: str
    created_at: datetime
    canceled_at: datetime | None = None
    cancellation_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Charity(Model):
    """For whom is collected, and what receipts say of it.

    With `is_own` you are this charity, and nothing is owed to it.
    """

    OBJECT: ClassVar[str | None] = "charity"

    id: str
    livemode: bool
    name: str
    legal_name: str
    tax_id: str | None = None
    address: str | None = None
    country: str | None = None
    tax_statement: str | None = None
    website: str | None = None
    email: str | None = None
    receipt_prefix: str
    solana_address: str | None = None
    is_own: bool
    is_active: bool
    metadata: dict[str, str] = field(default_factory=dict, hash=False)
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OwedAge(Model):
    """What has been owed for more than `from_days` and at most `to_days`; None for no end."""

    from_days: int
    to_days: int | None = None
    amount: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CharityStanding(Model):
    """Where gifts are in one currency: `gifts` = `reversed` + `paid_out` + `paid_at_source` + `kept` + `owed`."""

    currency: str
    gifts: str
    reversed: str
    paid_out: str
    payouts_canceled: str
    paid_at_source: str
    kept: str
    owed: str
    ages: tuple[OwedAge, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CharityStatement(Model):
    """What a charity was given, what it got, and what it is owed, in each currency."""

    OBJECT: ClassVar[str | None] = "charity_statement"

    charity: str
    charity_name: str
    livemode: bool
    as_of: datetime
    standings: tuple[CharityStanding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DonationCampaign(Model):
    """What a charity collects for, and what its form offers: link to `url`, or frame it from one of `origins`.

    `frequencies` are of once, monthly, quarterly, yearly. Donors who cover the fees add `fee_bps` hundredths of a
    percent and `fee_fixed`.
    """

    OBJECT: ClassVar[str | None] = "donation_campaign"

    id: str
    livemode: bool
    charity: str
    title: str
    story: str
    currency: str
    presets: tuple[str, ...]
    min_amount: str
    max_amount: str
    frequencies: tuple[str, ...]
    goal: str | None = None
    offers_fee_cover: bool
    fee_bps: int
    fee_fixed: str
    offers_tribute: bool
    offers_comment: bool
    shows_wall: bool
    locales: tuple[str, ...]
    origins: tuple[str, ...]
    is_open: bool
    url: str
    metadata: dict[str, str] = field(default_factory=dict, hash=False)
    ends_at: datetime | None = None
    closed_at: datetime | None = None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignMonth(Model):
    """What the gifts of one month, such as `2026-11`, add up to."""

    month: str
    gift_count: int
    amount_received: str
    amount_reversed: str
    amount_raised: str
    fee_cover: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignReport(Model):
    """What a campaign collected: `amount_raised` is `amount_received` less `amount_reversed`."""

    OBJECT: ClassVar[str | None] = "campaign_report"

    campaign: str
    charity: str
    livemode: bool
    currency: str
    goal: str | None = None
    gift_count: int
    amount_received: str
    amount_reversed: str
    amount_raised: str
    fee_cover: str
    months: tuple[CampaignMonth, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DonationConfig(Model):
    """What shoppers are offered to give at checkout. It never changes.

    `mode` is round_up, fixed or both; `whole_totals` says what a whole total is offered: next (unit), or hide.
    """

    OBJECT: ClassVar[str | None] = "donation_config"

    id: str
    livemode: bool
    charity: str
    currency: str
    mode: str
    unit: str
    cap: str
    amounts: tuple[str, ...]
    whole_totals: str
    disclosure: str
    payout_terms: str
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    is_active: bool
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class GiftOption(Model):
    """One choice: give `amount`, after which the shopper pays `total`; `kind` is round_up or fixed (or campaign)."""

    kind: str
    amount: str
    total: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DonationOffer(Model):
    """What shoppers are offered on top of `amount` now, and what they read before they choose."""

    OBJECT: ClassVar[str | None] = "donation_offer"

    donation_config: str
    charity: str
    charity_name: str
    disclosure: str
    payout_terms: str
    amount: str
    currency: str
    options: tuple[GiftOption, ...]


READERS.update(
    {
        "tuple[CampaignMonth, ...]": many(one(CampaignMonth)),
        "tuple[CharityStanding, ...]": many(one(CharityStanding)),
        "tuple[GiftOption, ...]": many(one(GiftOption)),
        "tuple[OwedAge, ...]": many(one(OwedAge)),
    }
)
