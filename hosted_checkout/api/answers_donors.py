"""What the API answers about receipts, and about the people behind gifts; see `answers`."""

from typing import Literal

from pydantic import Field

from gateway.domain.donations import CommentStatus
from hosted_checkout.api.shown import CampaignId, CharityId, Currency, DonationId, Instant, MajorUnits, Shown


class ReceiptIssuer(Shown):
    """The charity as it was when the receipt was issued."""

    name: str | None
    legal_name: str | None
    tax_id: str | None
    address: str | None
    country: str | None
    tax_statement: str | None
    website: str | None
    email: str | None
    prefix: str | None = Field(description="What its numbers begin with.")


class DonationReceipt(Shown):
    """A donor's receipt; `canceled`: all of the gift went back, and the number stays in its series."""

    object: Literal["donation_receipt"]
    number: str = Field(examples=["RF-2026-000001"], description="Without a gap in each charity and year.")
    livemode: bool
    status: Literal["issued", "canceled"]
    donation: DonationId
    charity: CharityId
    campaign: CampaignId | None
    amount: MajorUnits = Field(description="What came in all.")
    currency: Currency
    amount_reversed: MajorUnits = Field(description="What of it went back.")
    amount_that_counts: MajorUnits = Field(description="What was given and not given back.")
    issuer: ReceiptIssuer
    issued_at: Instant
    canceled_at: Instant | None


class ReceiptWithLink(DonationReceipt):
    """A receipt with its address. Whoever has the address sees the document: pass it on to the donor alone."""

    url: str


class StatementTotal(Shown):
    """What counts in one currency."""

    amount: MajorUnits
    currency: Currency


class DonationStatement(Shown):
    """A year's gifts of one donor to one charity."""

    object: Literal["donation_statement"]
    livemode: bool
    year: int
    issuer: ReceiptIssuer
    receipts: list[DonationReceipt]
    totals: list[StatementTotal]


class ReceiptMail(Shown):
    """A receipt that is on its way by mail."""

    object: Literal["receipt_mail"]
    donation: DonationId
    receipt: str = Field(description="The receipt's number.")
    status: Literal["waiting"]


class DonorErasure(Shown):
    """What was about a person who is not known here any more."""

    object: Literal["donor_erasure"]
    donations: int = Field(description="Gifts that are nameless now.")
    pledges: int = Field(description="Promises that ended.")


class Tribute(Shown):
    """In whose honour, or in memory of whom, somebody gave."""

    kind: Literal["honor", "memory"]
    name: str


class DonationComment(Shown):
    """What a donor wrote with a gift, and whether the donor wall shows it; `private`: it is not meant for the wall."""

    id: DonationId = Field(description="The donation's.")
    object: Literal["donation_comment"]
    livemode: bool
    status: CommentStatus
    charity: CharityId
    campaign: CampaignId | None
    name: str | None = Field(description="Null for who wished to stay anonymous.")
    text: str | None = Field(description="Null for who wished to stand on the wall without words, or dedicated only.")
    tribute: Tribute | None = Field(description="The dedication; the wall does not show it, the receipt does.")
    amount: MajorUnits
    currency: Currency
    received_at: Instant | None
