"""`/v1/donations` and `/v1/donation_payouts`: what was given, and what you sent to charities."""

from typing import Annotated, ClassVar

from pydantic import Field

from gateway.domain.donations import DonationStatus
from gateway.engine.donations.payouts import NewDonationPayout as New
from gateway.kernel.errors import ErrorCode
from gateway.kernel.money import parse_money
from hosted_checkout.api.answers import ListOf
from hosted_checkout.api.answers_giving import Donation, DonationPayout
from hosted_checkout.api.fields import (
    Amount,
    CampaignRef,
    CharityRef,
    CurrencyCode,
    Moment,
    PledgeRef,
    Prose,
    Reference,
)
from hosted_checkout.api.layer import Answer, Call, Empty, Rooms, Routes, Strict, listed
from hosted_checkout.api.lists import PageQuery

routes = Routes("Donations")


class DonationQuery(PageQuery):
    """Filters of the list."""

    cursor_prefix: ClassVar[str] = "don"

    charity: CharityRef | None = Field(default=None, description="Only gifts for this charity.")
    campaign: CampaignRef | None = Field(default=None, description="Only gifts to this campaign.")
    pledge: PledgeRef | None = Field(default=None, description="Only what came of this promise.")
    status: Annotated[DonationStatus, Field(strict=False)] | None = None


class NewDonationPayout(Strict):
    """What you sent to a charity."""

    charity: CharityRef = Field(description="Whom you paid.")
    # Stands before the amount, which is checked against it.
    currency: CurrencyCode
    amount: Amount = Field(description="At most what the charity is owed in this currency.")
    paid_at: Moment = Field(description="When the money left you.")
    reference: Reference = Field(description="What the transfer is called at your bank, or its signature on a chain.")
    evidence: Annotated[Prose, Field(min_length=1, max_length=2000)] = Field(
        description="What proves it: a link to the bank's statement, the charity's confirmation."
    )


class PayoutCancellation(Strict):
    """Why a payout does not count."""

    reason: Annotated[Prose, Field(min_length=1, max_length=500, examples=["Written down twice."])] = Field(
        description="In your words; the payout keeps them."
    )


class PayoutQuery(PageQuery):
    """Filters of the list."""

    cursor_prefix: ClassVar[str] = "dpo"

    charity: CharityRef | None = Field(default=None, description="Only payouts to this charity.")


@routes.get("/v1/donations", query=DonationQuery, answers={200: ListOf[Donation]})
def list_donations(rooms: Rooms, call: Call[Empty, DonationQuery]) -> Answer:
    """List donations, newest first; nothing of the donors is in them."""
    query = call.query
    page = rooms.engine.donations.page(
        call.owner,
        query.page(),
        charity_id=query.charity,
        campaign_id=query.campaign,
        pledge_id=query.pledge,
        status=query.status,
    )
    return listed(page, call.path)


@routes.get("/v1/donations/{id}", prefix="don", answers={200: Donation})
def retrieve_donation(rooms: Rooms, call: Call[Empty, Empty]) -> Answer:
    """Read a donation; nothing of the donor is in it."""
    return Answer.of(rooms.engine.donations.retrieve(call.owner, call.id))


@routes.post(
    "/v1/donation_payouts",
    body=NewDonationPayout,
    answers={201: DonationPayout},
    errors=(
        ErrorCode.NOT_FOUND,
        ErrorCode.PAYOUT_EXCEEDS_OWED,
        ErrorCode.CURRENCY_UNKNOWN,
        ErrorCode.AMOUNT_INVALID,
        ErrorCode.AMOUNT_NOT_POSITIVE,
        ErrorCode.AMOUNT_TOO_PRECISE,
    ),
)
def record_donation_payout(rooms: Rooms, call: Call[NewDonationPayout, Empty]) -> Answer:
    """Write down what you sent to a charity.

    The gateway moves no money: it books what is owed as paid out, with your evidence, in one step. Never more than the
    charity is owed, however many write at once.
    """
    body = call.body
    new = New(
        charity_id=body.charity,
        amount=parse_money(body.amount, body.currency),
        paid_at=body.paid_at,
        reference=body.reference,
        evidence=body.evidence,
    )
    return Answer.reply(rooms.engine.donation_payouts.record(call.intent, new))


@routes.get("/v1/donation_payouts", query=PayoutQuery, answers={200: ListOf[DonationPayout]})
def list_donation_payouts(rooms: Rooms, call: Call[Empty, PayoutQuery]) -> Answer:
    """List payouts to charities, newest first."""
    query = call.query
    page = rooms.engine.donation_payouts.page(call.owner, query.page(), charity_id=query.charity)
    return listed(page, call.path)


@routes.get("/v1/donation_payouts/{id}", prefix="dpo", answers={200: DonationPayout})
def retrieve_donation_payout(rooms: Rooms, call: Call[Empty, Empty]) -> Answer:
    """Read a payout to a charity."""
    return Answer.of(rooms.engine.donation_payouts.retrieve(call.owner, call.id))


@routes.post("/v1/donation_payouts/{id}/cancel", prefix="dpo", body=PayoutCancellation, answers={200: DonationPayout})
def cancel_donation_payout(rooms: Rooms, call: Call[PayoutCancellation, Empty]) -> Answer:
    """Cancel a payout that was written down by mistake.

    It stays in your books beside a reversing entry, and the charity is owed again, for as long as it was before.
    Canceled twice, it stays as it was canceled first.
    """
    return Answer.reply(rooms.engine.donation_payouts.cancel(call.intent, call.id, call.body.reason))
