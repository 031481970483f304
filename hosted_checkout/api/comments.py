"""`/v1/donation_comments`, `/v1/donations/{id}/comment`: what donors wrote, for the charity's staff alone."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from gateway.domain.donations import CommentStatus
from gateway.kernel.errors import ErrorCode
from hosted_checkout.api.answers import ListOf
from hosted_checkout.api.answers_donors import DonationComment
from hosted_checkout.api.fields import CampaignRef
from hosted_checkout.api.layer import Answer, Call, Empty, Rooms, Routes, Strict, listed
from hosted_checkout.api.lists import PageQuery

routes = Routes("Donations")


class CommentQuery(PageQuery):
    """Filters of the list."""

    cursor_prefix: ClassVar[str] = "don"

    campaign: CampaignRef | None = Field(default=None, description="Only comments on gifts to this campaign.")
    status: Annotated[CommentStatus, Field(strict=False)] | None = Field(
        default=None, description="`pending` are those that wait to be read."
    )


class Moderation(Strict):
    """What becomes of a comment."""

    status: Literal["shown", "hidden"] = Field(description="On the donor wall from now on, or off it.")


@routes.get("/v1/donation_comments", query=CommentQuery, answers={200: ListOf[DonationComment]})
def list_donation_comments(rooms: Rooms, call: Call[Empty, CommentQuery]) -> Answer:
    """List what donors wrote, newest gift first.

    Of gifts that came, and were not given back in full. What a donor wrote is plain text: escape it where you show it.
    """
    query = call.query
    page = rooms.engine.comments.page(call.owner, query.page(), status=query.status, campaign_id=query.campaign)
    return listed(page, call.path)


@routes.get("/v1/donations/{id}/comment", prefix="don", answers={200: DonationComment})
def retrieve_donation_comment(rooms: Rooms, call: Call[Empty, Empty]) -> Answer:
    """Read what a donor wrote with a gift; 404 where that is nothing, or the donor was forgotten."""
    return Answer.of(rooms.engine.comments.retrieve(call.owner, call.id))


@routes.post(
    "/v1/donations/{id}/comment",
    prefix="don",
    body=Moderation,
    answers={200: DonationComment},
    errors=(ErrorCode.COMMENT_PRIVATE,),
)
def moderate_donation_comment(rooms: Rooms, call: Call[Moderation, Empty]) -> Answer:
    """Show what a donor wrote on the donor wall, or hide it, from this moment on.

    Name and words go together. A decision may be changed as often as you like.
    """
    return Answer.reply(rooms.engine.comments.moderate(call.intent, call.id, CommentStatus(call.body.status)))
