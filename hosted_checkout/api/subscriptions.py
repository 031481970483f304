"""`/v1/subscriptions`: what goes on until somebody ends it. One begins by a checkout session."""

from typing import Annotated, ClassVar

from pydantic import Field

from gateway.domain.subscriptions import SubscriptionStatus
from gateway.kernel.errors import ErrorCode
from hosted_checkout.api.answers import ListOf
from hosted_checkout.api.answers_recurring import Subscription
from hosted_checkout.api.fields import CustomerRef, PlanRef
from hosted_checkout.api.layer import Answer, Call, Empty, Rooms, Routes, Strict, listed
from hosted_checkout.api.lists import PageQuery
from hosted_checkout.api.payments import COMMAND_ERRORS

routes = Routes("Subscriptions")


class Cancellation(Strict):
    """When a subscription ends."""

    at_period_end: bool = Field(default=True, description="False ends it at once; nothing is given back by itself.")


class SubscriptionQuery(PageQuery):
    """Filters of the list."""

    cursor_prefix: ClassVar[str] = "sub"

    customer: CustomerRef | None = None
    plan: PlanRef | None = None
    status: Annotated[SubscriptionStatus, Field(strict=False)] | None = None


@routes.get("/v1/subscriptions", query=SubscriptionQuery, answers={200: ListOf[Subscription]})
def list_subscriptions(rooms: Rooms, call: Call[Empty, SubscriptionQuery]) -> Answer:
    """List subscriptions, newest first."""
    query = call.query
    page = rooms.engine.subscriptions.page(
        call.owner, query.page(), customer_id=query.customer, plan_id=query.plan, status=query.status
    )
    return listed(page, call.path)


@routes.get("/v1/subscriptions/{id}", prefix="sub", answers={200: Subscription})
def retrieve_subscription(rooms: Rooms, call: Call[Empty, Empty]) -> Answer:
    """Read a subscription with its newest periods."""
    return Answer.of(rooms.engine.subscriptions.retrieve(call.owner, call.id))


@routes.post(
    "/v1/subscriptions/{id}/pause",
    prefix="sub",
    answers={200: Subscription},
    errors=(ErrorCode.SUBSCRIPTION_ENDED, *COMMAND_ERRORS),
)
def pause_subscription(rooms: Rooms, call: Call[Empty, Empty]) -> Answer:
    """Stop billing until the subscription is resumed.

    Periods that begin meanwhile are not billed, now or later. One that is paused stays so.
    """
    return Answer.reply(rooms.engine.subscriptions.pause(call.intent, call.id))


@routes.post(
    "/v1/subscriptions/{id}/resume",
    prefix="sub",
    answers={200: Subscription},
    errors=(ErrorCode.SUBSCRIPTION_ENDED, *COMMAND_ERRORS),
)
def resume_subscription(rooms: Rooms, call: Call[Empty, Empty]) -> Answer:
    """Bill again from the next period on, and lift an end that was set."""
    return Answer.reply(rooms.engine.subscriptions.resume(call.intent, call.id))


@routes.post(
    "/v1/subscriptions/{id}/cancel",
    prefix="sub",
    body=Cancellation,
    answers={200: Subscription},
    errors=COMMAND_ERRORS,
)
def cancel_subscription(rooms: Rooms, call: Call[Cancellation, Empty]) -> Answer:
    """End a subscription, when what is paid is over or at once.

    One that has ended stays so. Give money back by `POST /v1/refunds`.
    """
    reply = rooms.engine.subscriptions.cancel(call.intent, call.id, at_period_end=call.body.at_period_end)
    return Answer.reply(reply)
