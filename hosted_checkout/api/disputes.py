"""`/v1/disputes`: what customers' banks contest."""

from typing import Annotated, ClassVar

from pydantic import Field

from gateway.domain.words import DisputeStatus
from hosted_checkout.api.answers import Dispute, ListOf
from hosted_checkout.api.fields import PaymentRef
from hosted_checkout.api.layer import Answer, Call, Empty, Rooms, Routes, listed
from hosted_checkout.api.lists import PageQuery

routes = Routes("Disputes")


class DisputeQuery(PageQuery):
    """Filters of the list."""

    cursor_prefix: ClassVar[str] = "dsp"

    payment: PaymentRef | None = Field(default=None, description="Only the disputes of this payment.")
    status: Annotated[DisputeStatus, Field(strict=False)] | None = None


@routes.get("/v1/disputes", query=DisputeQuery, answers={200: ListOf[Dispute]})
def list_disputes(rooms: Rooms, call: Call[Empty, DisputeQuery]) -> Answer:
    """List disputes, newest first."""
    query = call.query
    page = rooms.engine.disputes.page(call.owner, query.page(), payment_id=query.payment, status=query.status)
    return listed(page, call.path)


@routes.get("/v1/disputes/{id}", prefix="dsp", answers={200: Dispute})
def retrieve_dispute(rooms: Rooms, call: Call[Empty, Empty]) -> Answer:
    """Read a dispute.

    Answer it at the provider, before `evidence_due_by`.
    """
    return Answer.of(rooms.engine.disputes.retrieve(call.owner, call.id))
