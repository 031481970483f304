"""`/v1/donation_campaigns`: what a charity collects for, and what came of it."""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from gateway.domain.donations import Frequency
from gateway.engine.donations import campaigns as verbs
from gateway.kernel.errors import ErrorCode
from gateway.reporting.donations import CampaignReport as Report
from gateway.reporting.donations import Sums
from hosted_checkout.api.answers import ListOf
from hosted_checkout.api.answers_giving import CampaignReport, DonationCampaign
from hosted_checkout.api.fields import (
    LOCALES,
    Amount,
    CharityRef,
    CurrencyCode,
    Flag,
    Line,
    Metadata,
    Moment,
    Origins,
    Prose,
)
from hosted_checkout.api.layer import Answer, Call, Empty, Rooms, Routes, Strict, changes_of, listed
from hosted_checkout.api.lists import PageQuery

MAX_FEE_BPS = 2_000  # a fifth; no provider takes as much

Title = Annotated[Line, Field(max_length=120, examples=["Clean rivers"])]
Story = Annotated[Prose, Field(max_length=5000)]
Presets = Annotated[list[Amount], Field(max_length=6)]
Frequencies = Annotated[list[Annotated[Frequency, Field(strict=False)]], Field(min_length=1, max_length=4)]
FeeBps = Annotated[int, Field(ge=0, le=MAX_FEE_BPS)]
FormLocale = Annotated[str, Field(pattern=f"^({'|'.join(LOCALES)})$", examples=["de"])]
FormLocales = Annotated[list[FormLocale], Field(max_length=len(LOCALES))]
_AMOUNT_ERRORS = (
    ErrorCode.AMOUNT_INVALID,
    ErrorCode.AMOUNT_NOT_POSITIVE,
    ErrorCode.AMOUNT_TOO_LARGE,
    ErrorCode.AMOUNT_TOO_PRECISE,
)

routes = Routes("Donation campaigns")


class NewCampaign(Strict):
    """What a charity collects for, and what its form offers."""

    charity: CharityRef = Field(description="For whom it collects.")
    title: Title = Field(description="What it collects for.")
    # Fields that others are checked against stand before them.
    currency: CurrencyCode
    min_amount: Amount = Field(description="The smallest gift.")
    max_amount: Amount = Field(description="The largest gift.")
    story: Story = Field(default="", description="Plain text; an empty line begins a paragraph.")
    presets: Presets = Field(default_factory=list, description="Amounts to choose from, beside one's own.")
    frequencies: Frequencies = Field(
        default_factory=lambda: [Frequency.ONCE], description="How often one may give; the form begins with once."
    )
    goal: Amount | None = Field(default=None, description="What is wanted.")
    offers_fee_cover: bool = Field(default=False, description="Lets donors add what a payment costs you.")
    fee_bps: FeeBps = Field(default=0, description="What a payment costs you: hundredths of a percent of it.")
    fee_fixed: Amount | None = Field(default=None, description="What a payment costs you beside that.")
    offers_tribute: bool = Field(default=False, description="Lets donors give in honour or in memory of somebody.")
    offers_comment: bool = Field(default=False, description="Lets donors write; nothing is shown before you read it.")
    shows_wall: bool = Field(default=False, description="Shows the names of donors who wish it.")
    locales: FormLocales = Field(default_factory=list, description="Languages of the form; empty for all.")
    origins: Origins = Field(default_factory=list, description="Sites that may frame the form.")
    ends_at: Moment | None = Field(default=None, description="When it ends by itself, in UTC.")
    metadata: Metadata = Field(default_factory=dict, description="Texts of your own, given back with the campaign.")


class CampaignChanges(Strict):
    """What to change; what is not named, or null, stays. Charity and currency never change."""

    title: Title | None = Field(default=None, description="What it collects for.")
    min_amount: Amount | None = Field(default=None, description="The smallest gift.")
    max_amount: Amount | None = Field(default=None, description="The largest gift.")
    story: Story | None = Field(default=None, description="Plain text; an empty line begins a paragraph.")
    presets: Presets | None = Field(default=None, description="Replaces all of them.")
    frequencies: Frequencies | None = Field(default=None, description="Replaces all of them.")
    goal: Amount | None = Field(default=None, description="null removes it.")
    offers_fee_cover: bool | None = Field(default=None, description="Lets donors add what a payment costs you.")
    fee_bps: FeeBps | None = Field(default=None, description="What a payment costs: hundredths of a percent of it.")
    fee_fixed: Amount | None = Field(default=None, description="null removes it.")
    offers_tribute: bool | None = Field(default=None, description="Lets donors give in honour of somebody.")
    offers_comment: bool | None = Field(default=None, description="Lets donors write.")
    shows_wall: bool | None = Field(default=None, description="Shows the names of donors who wish it.")
    locales: FormLocales | None = Field(default=None, description="Languages of the form; empty for all.")
    origins: Origins | None = Field(default=None, description="Replaces all sites that may frame the form.")
    ends_at: Moment | None = Field(default=None, description="null removes it.")
    metadata: Metadata | None = Field(default=None, description="Replaces all texts.")


class CampaignQuery(PageQuery):
    """Filters of the list."""

    cursor_prefix: ClassVar[str] = "cmp"

    charity: CharityRef | None = Field(default=None, description="Only campaigns of this charity.")
    is_open: Flag | None = Field(default=None, description="Only campaigns that take gifts, or only those that do not.")


@routes.post(
    "/v1/donation_campaigns",
    body=NewCampaign,
    answers={201: DonationCampaign},
    errors=(ErrorCode.NOT_FOUND, ErrorCode.CHARITY_ARCHIVED, ErrorCode.CURRENCY_UNKNOWN, *_AMOUNT_ERRORS),
)
def create_donation_campaign(rooms: Rooms, call: Call[NewCampaign, Empty]) -> Answer:
    """Make a campaign.

    Its page is at `url`, ready to be linked to; `origins` are the sites that may frame its form.
    """
    names = {"charity_id": call.body.charity} | {
        name: getattr(call.body, name) for name in NewCampaign.model_fields if name != "charity"
    }
    return Answer.reply(rooms.engine.campaigns.create(call.intent, verbs.NewCampaign(**names)))


@routes.get("/v1/donation_campaigns", query=CampaignQuery, answers={200: ListOf[DonationCampaign]})
def list_donation_campaigns(rooms: Rooms, call: Call[Empty, CampaignQuery]) -> Answer:
    """List campaigns, newest first."""
    query, campaigns = call.query, rooms.engine.campaigns
    page = campaigns.page(call.owner, query.page(), charity_id=query.charity, is_open=query.is_open)
    return listed(page, call.path)


@routes.get("/v1/donation_campaigns/{id}", prefix="cmp", answers={200: DonationCampaign})
def retrieve_donation_campaign(rooms: Rooms, call: Call[Empty, Empty]) -> Answer:
    """Read a campaign."""
    return Answer.of(rooms.engine.campaigns.retrieve(call.owner, call.id))


@routes.patch(
    "/v1/donation_campaigns/{id}",
    prefix="cmp",
    body=CampaignChanges,
    answers={200: DonationCampaign},
    errors=_AMOUNT_ERRORS,
)
def update_donation_campaign(rooms: Rooms, call: Call[CampaignChanges, Empty]) -> Answer:
    """Change what a campaign's form says and offers."""
    changes = changes_of(call.body, emptied_by_null={"goal", "fee_fixed", "ends_at"})
    return Answer.of(rooms.engine.campaigns.update(call.owner, call.id, changes))


@routes.post("/v1/donation_campaigns/{id}/close", prefix="cmp", answers={200: DonationCampaign})
def close_donation_campaign(rooms: Rooms, call: Call[Empty, Empty]) -> Answer:
    """Take no more gifts, for good.

    Gifts that repeat go on until their donors stop them.
    """
    return Answer.reply(rooms.engine.campaigns.close(call.intent, call.id))


@routes.get("/v1/donation_campaigns/{id}/report", prefix="cmp", answers={200: CampaignReport})
def retrieve_campaign_report(rooms: Rooms, call: Call[Empty, Empty]) -> Answer:
    """Read what a campaign collected, as a whole and by month.

    `streampay-server donations report` writes every gift of it as CSV.
    """
    campaign = rooms.engine.campaigns.retrieve(call.owner, call.id)
    return Answer.of(_report(campaign, rooms.donations.campaign(call.id)))


def _report(campaign: dict[str, Any], report: Report) -> dict[str, Any]:
    return {
        "object": "campaign_report",
        "campaign": campaign["id"],
        "charity": campaign["charity"],
        "livemode": campaign["livemode"],
        "currency": campaign["currency"],
        "goal": campaign["goal"],
        **_sums(report.whole),
        "months": [{"month": one.name, **_sums(one.sums)} for one in report.months],
    }


def _sums(sums: Sums) -> dict[str, Any]:
    return {
        "gift_count": sums.count,
        "amount_received": sums.received.major,
        "amount_reversed": sums.reversed_.major,
        "amount_raised": (sums.received - sums.reversed_).major,
        "fee_cover": sums.fee_cover.major,
    }
