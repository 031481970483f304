"""`/v1/donation_configs`: what shoppers are offered to give at checkout."""

from typing import Annotated, ClassVar

from pydantic import Field

from gateway.domain.donations import MAX_FIXED, ConfigMode, GiftTerms, WholeTotals
from gateway.engine.donations import configs as verbs
from gateway.kernel.errors import ErrorCode
from gateway.kernel.money import parse_money
from hosted_checkout.api.answers import ListOf
from hosted_checkout.api.answers_giving import DonationConfig, DonationOffer
from hosted_checkout.api.fields import Amount, CharityRef, CurrencyCode, Flag, Moment, Prose
from hosted_checkout.api.layer import Answer, Call, Empty, Rooms, Routes, Strict, listed
from hosted_checkout.api.lists import PageQuery

routes = Routes("Donation configs")


class NewDonationConfig(Strict):
    """What shoppers are offered, in one currency."""

    charity: CharityRef = Field(description="For whom it collects.")
    # Fields that others are checked against stand before them.
    currency: CurrencyCode
    mode: Annotated[ConfigMode, Field(strict=False)] = Field(description="What is offered.")
    unit: Amount = Field(default="1", description="Totals are rounded up to a multiple of it: 1, 5, 10.")
    cap: Amount = Field(description="Nothing above it is ever offered.", examples=["5"])
    amounts: list[Amount] = Field(default_factory=list, max_length=MAX_FIXED, description="The fixed amounts.")
    whole_totals: Annotated[WholeTotals, Field(strict=False)] = Field(
        default=WholeTotals.NEXT, description="What a whole total is offered: the `next` unit, or nothing (`hide`)."
    )
    disclosure: Annotated[Prose, Field(min_length=1, max_length=500)] = Field(
        description="What shoppers read before they choose, for example how much of it reaches the charity."
    )
    payout_terms: Annotated[Prose, Field(max_length=500)] = Field(
        default="", description="When and how you pay it out, for example every quarter."
    )
    starts_at: Moment | None = Field(default=None, description="When it begins, in UTC; null for now.")
    ends_at: Moment | None = Field(default=None, description="When it ends, in UTC; null for never.")


class ConfigQuery(PageQuery):
    """Filters of the list."""

    cursor_prefix: ClassVar[str] = "dcf"

    charity: CharityRef | None = Field(default=None, description="Only configs of this charity.")
    is_active: Flag | None = Field(default=None, description="Only those not archived, or only archived ones.")


class OfferQuery(Strict):
    """What is paid."""

    currency: CurrencyCode
    amount: Amount = Field(description="What the shopper pays without a gift.")


@routes.post(
    "/v1/donation_configs",
    body=NewDonationConfig,
    answers={201: DonationConfig},
    errors=(
        ErrorCode.NOT_FOUND,
        ErrorCode.CHARITY_ARCHIVED,
        ErrorCode.CURRENCY_UNKNOWN,
        ErrorCode.AMOUNT_INVALID,
        ErrorCode.AMOUNT_NOT_POSITIVE,
        ErrorCode.AMOUNT_TOO_LARGE,
        ErrorCode.AMOUNT_TOO_PRECISE,
    ),
)
def create_donation_config(rooms: Rooms, call: Call[NewDonationConfig, Empty]) -> Answer:
    """Offer gifts at checkout.

    A config never changes, because shoppers agreed to its terms: make another one and archive this. Of those in force
    in a currency the newest counts.
    """
    body = call.body
    new = verbs.NewConfig(
        charity_id=body.charity,
        terms=GiftTerms(
            mode=body.mode,
            unit=parse_money(body.unit, body.currency),
            cap=parse_money(body.cap, body.currency),
            amounts=tuple(parse_money(each, body.currency) for each in dict.fromkeys(body.amounts)),
            whole_totals=body.whole_totals,
            starts_at=body.starts_at,
            ends_at=body.ends_at,
        ),
        disclosure=body.disclosure,
        payout_terms=body.payout_terms,
    )
    return Answer.reply(rooms.engine.donation_configs.create(call.intent, new))


@routes.get("/v1/donation_configs", query=ConfigQuery, answers={200: ListOf[DonationConfig]})
def list_donation_configs(rooms: Rooms, call: Call[Empty, ConfigQuery]) -> Answer:
    """List donation configs, newest first."""
    query, configs = call.query, rooms.engine.donation_configs
    page = configs.page(call.owner, query.page(), charity_id=query.charity, is_active=query.is_active)
    return listed(page, call.path)


@routes.get(
    "/v1/donation_configs/active",
    query=OfferQuery,
    answers={200: DonationOffer},
    errors=(ErrorCode.NOT_FOUND, ErrorCode.CURRENCY_UNKNOWN, ErrorCode.AMOUNT_INVALID, ErrorCode.AMOUNT_TOO_PRECISE),
)
def retrieve_active_donation_config(rooms: Rooms, call: Call[Empty, OfferQuery]) -> Answer:
    """Read what shoppers are offered on top of an amount now.

    The checkout page asks by itself; this is for a cart of your own. `options` may be empty.
    """
    price = parse_money(call.query.amount, call.query.currency)
    return Answer.of(rooms.engine.donation_configs.active(call.owner, price))


@routes.get("/v1/donation_configs/{id}", prefix="dcf", answers={200: DonationConfig})
def retrieve_donation_config(rooms: Rooms, call: Call[Empty, Empty]) -> Answer:
    """Read a donation config."""
    return Answer.of(rooms.engine.donation_configs.retrieve(call.owner, call.id))


@routes.post("/v1/donation_configs/{id}/archive", prefix="dcf", answers={200: DonationConfig})
def archive_donation_config(rooms: Rooms, call: Call[Empty, Empty]) -> Answer:
    """Offer nothing by a config any more.

    Gifts that were chosen stay.
    """
    return Answer.reply(rooms.engine.donation_configs.archive(call.intent, call.id))
