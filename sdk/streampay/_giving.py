"""What the gateway answers of giving: charities, campaigns, offers, donations, payouts. `models` names them all."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from streampay._decoding import READERS, Model, many, one, or_none


@dataclass(frozen=True, slots=True, kw_only=True)
class Donation(Model):
    """One gift of one payment; nothing of the person is in it.

    `status` is pending, received, reversed (all of it went back) or canceled; `kind` is campaign, round_up or fixed;
    `frequency` is once, monthly, quarterly or yearly. `amount_reversed` is what went back, by refunds and disputes.
    `pledge` is the promise to give again that it began, or keeps.
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
    pledge: str | None = None
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
class Tribute(Model):
    """Whom a gift is dedicated to; `kind` is honor or memory."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DonationComment(Model):
    """What a donor wrote with a gift, as plain text; its `id` is the donation's.

    `status` is pending (nobody has read it), shown (on the donor wall), hidden, or private (not meant for the wall).
    `name` is None for who wished to stay anonymous, `text` for who wrote nothing but a name or a dedication.
    """

    OBJECT: ClassVar[str | None] = "donation_comment"

    id: str
    livemode: bool
    status: str
    charity: str
    campaign: str | None = None
    name: str | None = None
    text: str | None = None
    tribute: Tribute | None = None
    amount: str
    currency: str
    received_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptIssuer(Model):
    """The charity as it was when a receipt was issued; the receipt's number begins with `prefix`."""

    name: str | None = None
    legal_name: str | None = None
    tax_id: str | None = None
    address: str | None = None
    country: str | None = None
    tax_statement: str | None = None
    website: str | None = None
    email: str | None = None
    prefix: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DonationReceipt(Model):
    """A donor's receipt. `status` is issued, or canceled: all of the gift went back, and the number stays taken.

    `amount_that_counts` was given and not given back. Whoever has `url` sees the document; a statement's lines lack it.
    """

    OBJECT: ClassVar[str | None] = "donation_receipt"

    number: str
    livemode: bool
    status: str
    donation: str
    charity: str
    campaign: str | None = None
    amount: str
    currency: str
    amount_reversed: str
    amount_that_counts: str
    issuer: ReceiptIssuer
    issued_at: datetime
    canceled_at: datetime | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementTotal(Model):
    """What counts in one currency."""

    amount: str
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DonationStatement(Model):
    """A year's gifts of one donor to one charity, by the dates of their receipts."""

    OBJECT: ClassVar[str | None] = "donation_statement"

    livemode: bool
    year: int
    issuer: ReceiptIssuer
    receipts: tuple[DonationReceipt, ...]
    totals: tuple[StatementTotal, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptMail(Model):
    """A receipt, by its number, that is on its way by mail: its `status` is waiting."""

    OBJECT: ClassVar[str | None] = "receipt_mail"

    donation: str
    receipt: str
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DonorErasure(Model):
    """How many gifts of a person are nameless now, and how many promises ended."""

    OBJECT: ClassVar[str | None] = "donor_erasure"

    donations: int
    pledges: int


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
        "Tribute | None": or_none(one(Tribute)),
        "ReceiptIssuer": one(ReceiptIssuer),
        "tuple[DonationReceipt, ...]": many(one(DonationReceipt)),
        "tuple[StatementTotal, ...]": many(one(StatementTotal)),
        "tuple[CharityStanding, ...]": many(one(CharityStanding)),
        "tuple[GiftOption, ...]": many(one(GiftOption)),
        "tuple[OwedAge, ...]": many(one(OwedAge)),
    }
)
