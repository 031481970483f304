"""What the API answers about charities, campaigns, gifts at checkout, donations and their payouts; see `answers`."""

from typing import Literal

from pydantic import Field

from gateway.domain.donations import ConfigMode, DonationStatus, Frequency, GiftKind, WholeTotals
from hosted_checkout.api.shown import (
    CampaignId,
    CharityId,
    CharityPayoutId,
    ConfigId,
    Currency,
    DonationId,
    Instant,
    MajorUnits,
    PaymentId,
    PledgeId,
    SessionId,
    Shown,
    SubscriptionId,
)


class SessionGift(Shown):
    """The gift of a session: on top of the order, which `amount` alone is, or the whole of it, to a `campaign`."""

    id: DonationId
    charity: CharityId
    charity_name: str
    campaign: CampaignId | None = Field(description="Null for a gift on top of an order.")
    kind: GiftKind
    frequency: Frequency
    amount: MajorUnits
    fee_cover: MajorUnits = Field(description="The part of the amount that the donor added for fees.")
    currency: Currency


class Donation(Shown):
    """One gift of one payment; nothing of the person is in it. `reversed`: all of it went back."""

    id: DonationId
    object: Literal["donation"]
    livemode: bool
    status: DonationStatus
    kind: GiftKind
    frequency: Frequency
    charity: CharityId
    campaign: CampaignId | None = Field(description="Null for a gift at checkout.")
    donation_config: ConfigId | None = Field(description="Whose offer it was; null for a campaign's gift.")
    session: SessionId
    payment: PaymentId
    subscription: SubscriptionId | None = Field(description="By which it repeats.")
    pledge: PledgeId | None = Field(description="The promise to give again that it began, or keeps.")
    amount: MajorUnits
    currency: Currency
    fee_cover: MajorUnits = Field(description="The part of the amount that the donor added for fees.")
    amount_received: MajorUnits
    amount_reversed: MajorUnits = Field(description="What of it went back, by refunds and lost disputes.")
    anonymous: bool
    created_at: Instant
    received_at: Instant | None


class DonationPayout(Shown):
    """Money that you sent to a charity, with what proves it."""

    id: CharityPayoutId
    object: Literal["donation_payout"]
    livemode: bool
    charity: CharityId
    amount: MajorUnits
    currency: Currency
    paid_at: Instant = Field(description="When the money left you.")
    reference: str = Field(description="What the transfer is called at your bank, or its signature on a chain.")
    evidence: str = Field(description="What proves it: a link or a text.")
    created_at: Instant
    canceled_at: Instant | None = Field(description="It was written down by mistake, and counts no more.")
    cancellation_reason: str | None = Field(description="Why, in your words.")


class Charity(Shown):
    """For whom is collected, and what receipts say of it."""

    id: CharityId
    object: Literal["charity"]
    livemode: bool
    name: str
    legal_name: str
    tax_id: str | None
    address: str | None
    country: str | None
    tax_statement: str | None
    website: str | None
    email: str | None
    receipt_prefix: str = Field(description="Stands before the numbers of its receipts.")
    solana_address: str | None = Field(description="Where its part of a wallet's payment goes at once.")
    is_own: bool = Field(description="You are this charity: gifts to it are your own money, and nothing is owed.")
    is_active: bool = Field(description="Whether anything new is collected for it.")
    metadata: dict[str, str]
    created_at: Instant
    updated_at: Instant


class OwedAge(Shown):
    """What is owed since more than `from_days` and at most `to_days`; null for no end."""

    from_days: int
    to_days: int | None
    amount: MajorUnits


class CharityStanding(Shown):
    """Where gifts are in one currency: `gifts` = `reversed` + `paid_out` + `paid_at_source` + `kept` + `owed`."""

    currency: Currency
    gifts: MajorUnits
    reversed: MajorUnits = Field(description="What went back, by refunds and lost disputes.")
    paid_out: MajorUnits = Field(description="What you wrote down as paid out.")
    payouts_canceled: MajorUnits = Field(description="What you wrote down and canceled; part of none of the others.")
    paid_at_source: MajorUnits = Field(description="What payers' wallets sent to the charity's own address.")
    kept: MajorUnits = Field(description="What your own charity was given; nobody is owed it.")
    owed: MajorUnits = Field(description="Below zero where more was paid out than stayed given.")
    ages: list[OwedAge] = Field(description="How long it has been owed; payouts count against the oldest gifts.")


class CharityStatement(Shown):
    """What a charity was given, what it got, and what it is owed."""

    object: Literal["charity_statement"]
    charity: CharityId
    charity_name: str
    livemode: bool
    as_of: Instant
    standings: list[CharityStanding]


class DonationCampaign(Shown):
    """What a charity collects for, and what its form offers. Link to `url`, or frame it from one of `origins`."""

    id: CampaignId
    object: Literal["donation_campaign"]
    livemode: bool
    charity: CharityId
    title: str
    story: str
    currency: Currency
    presets: list[MajorUnits]
    min_amount: MajorUnits
    max_amount: MajorUnits
    frequencies: list[Frequency]
    goal: MajorUnits | None
    offers_fee_cover: bool
    fee_bps: int = Field(description="What a payment costs, as donors who cover it add it: hundredths of a percent.")
    fee_fixed: MajorUnits = Field(description="What a payment costs beside that.")
    offers_tribute: bool
    offers_comment: bool
    shows_wall: bool
    locales: list[str] = Field(description="Languages of the form; empty for all.")
    origins: list[str] = Field(description="Sites that may frame the form.")
    is_open: bool = Field(description="Whether it takes gifts now.")
    url: str = Field(description="Its page.")
    metadata: dict[str, str]
    ends_at: Instant | None
    closed_at: Instant | None
    created_at: Instant
    updated_at: Instant


class CampaignMonth(Shown):
    """What the gifts of one month add up to."""

    month: str = Field(description="In UTC.", examples=["2026-11"])
    gift_count: int
    amount_received: MajorUnits
    amount_reversed: MajorUnits
    amount_raised: MajorUnits
    fee_cover: MajorUnits


class CampaignReport(Shown):
    """What a campaign collected: `amount_raised` is `amount_received` less `amount_reversed`."""

    object: Literal["campaign_report"]
    campaign: CampaignId
    charity: CharityId
    livemode: bool
    currency: Currency
    goal: MajorUnits | None
    gift_count: int
    amount_received: MajorUnits
    amount_reversed: MajorUnits
    amount_raised: MajorUnits
    fee_cover: MajorUnits = Field(description="What of it donors added for fees.")
    months: list[CampaignMonth] = Field(description="The oldest first.")


class DonationConfig(Shown):
    """What shoppers are offered to give at checkout. It never changes; it is archived, and another one made."""

    id: ConfigId
    object: Literal["donation_config"]
    livemode: bool
    charity: CharityId
    currency: Currency
    mode: ConfigMode
    unit: MajorUnits = Field(description="Totals are rounded up to a multiple of it.")
    cap: MajorUnits = Field(description="Nothing above it is ever offered.")
    amounts: list[MajorUnits] = Field(description="The fixed amounts.")
    whole_totals: WholeTotals = Field(description="What a whole total is offered: the next unit, or nothing.")
    disclosure: str
    payout_terms: str
    starts_at: Instant | None
    ends_at: Instant | None
    is_active: bool = Field(description="Whether it is not archived.")
    created_at: Instant


class GiftOption(Shown):
    """One choice: give `amount`, after which the shopper pays `total`."""

    kind: GiftKind
    amount: MajorUnits
    total: MajorUnits


class DonationOffer(Shown):
    """What shoppers are offered on top of `amount` now, and what they read before they choose."""

    object: Literal["donation_offer"]
    donation_config: ConfigId
    charity: CharityId
    charity_name: str
    disclosure: str
    payout_terms: str
    amount: MajorUnits
    currency: Currency
    options: list[GiftOption]
