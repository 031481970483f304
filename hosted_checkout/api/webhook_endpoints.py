"""`/v1/webhook_endpoints`: where events go, and the log of what was sent."""

from typing import Annotated, ClassVar, Final

from pydantic import AfterValidator, Field, WithJsonSchema

from gateway.domain.events import EventType
from gateway.engine.webhooks import NewEndpoint
from gateway.kernel.errors import ErrorCode
from gateway.outbox.endpoints import GRACE_DEFAULT_S, GRACE_MAX_S
from gateway.outbox.model import ALL_EVENTS, EndpointChanges, EndpointStatus
from hosted_checkout.api.answers import (
    AnyEvent,
    DeletedWebhookEndpoint,
    Delivery,
    IssuedWebhookEndpoint,
    ListOf,
    WebhookEndpoint,
)
from hosted_checkout.api.fields import Description, EndpointUrl, EventRef, invalid
from hosted_checkout.api.layer import Answer, Call, Empty, Rooms, Routes, Strict, listed
from hosted_checkout.api.lists import PageQuery

routes = Routes("Webhook endpoints")
_URL_ERRORS = (ErrorCode.URL_INVALID, ErrorCode.ENDPOINT_URL_REFUSED)


def _known(word: str) -> str:
    if word not in _WORDS:
        raise invalid("There is no such event type. The API reference lists them; `*` is all.")
    return word


_WORDS: Final = (ALL_EVENTS, *EventType)
EventWord = Annotated[str, AfterValidator(_known), WithJsonSchema({"enum": [str(word) for word in _WORDS]})]
EventTypes = Annotated[list[EventWord], Field(min_length=1, max_length=len(_WORDS))]


class NewWebhookEndpoint(Strict):
    """Where to send which events."""

    url: EndpointUrl = Field(description="https, on the public internet; allow-listed hosts in test mode.")
    enabled_events: EventTypes = Field(default=["*"], description="Event types, or `*` for all.")
    description: Description | None = Field(default=None, description="For you: nothing reads it.")


class WebhookEndpointChanges(Strict):
    """What to change; a field that is left out stays."""

    url: EndpointUrl | None = Field(default=None, description="Where events go from now on.")
    enabled_events: EventTypes | None = Field(default=None, description="Event types, or `*` for all.")
    description: Description | None = Field(default=None, description="null removes it.")
    status: Annotated[EndpointStatus, Field(strict=False)] | None = Field(
        default=None, description="What waited for a disabled endpoint goes out when it is enabled."
    )


class Rotation(Strict):
    """How the old secret ends."""

    grace_s: int = Field(
        default=GRACE_DEFAULT_S, ge=0, le=GRACE_MAX_S, description="Seconds for which the old secret signs as well."
    )


class Resend(Strict):
    """What to send again."""

    event: EventRef = Field(description="The event to send again.")


class EndpointQuery(PageQuery):
    """The list has no filters."""

    cursor_prefix: ClassVar[str] = "we"


class DeliveryQuery(PageQuery):
    """The list has no filters."""

    cursor_prefix: ClassVar[str] = "dlv"


@routes.post(
    "/v1/webhook_endpoints",
    body=NewWebhookEndpoint,
    answers={201: IssuedWebhookEndpoint},
    errors=(*_URL_ERRORS, ErrorCode.ENDPOINT_LIMIT_REACHED),
)
def create_webhook_endpoint(rooms: Rooms, call: Call[NewWebhookEndpoint, Empty]) -> Answer:
    """Add an endpoint.

    The answer, and no later one, shows the signing secret. Deliveries follow Standard Webhooks.
    """
    new = NewEndpoint(
        url=call.body.url, enabled_events=tuple(map(str, call.body.enabled_events)), description=call.body.description
    )
    return Answer.reply(rooms.engine.webhooks.create(call.intent, new))


@routes.get("/v1/webhook_endpoints", query=EndpointQuery, answers={200: ListOf[WebhookEndpoint]})
def list_webhook_endpoints(rooms: Rooms, call: Call[Empty, EndpointQuery]) -> Answer:
    """List endpoints, newest first."""
    return listed(rooms.engine.webhooks.page(call.owner, call.query.page()), call.path)


@routes.get("/v1/webhook_endpoints/{id}", prefix="we", answers={200: WebhookEndpoint})
def retrieve_webhook_endpoint(rooms: Rooms, call: Call[Empty, Empty]) -> Answer:
    """Read an endpoint."""
    return Answer.of(rooms.engine.webhooks.retrieve(call.owner, call.id))


@routes.patch(
    "/v1/webhook_endpoints/{id}",
    prefix="we",
    body=WebhookEndpointChanges,
    answers={200: WebhookEndpoint},
    errors=_URL_ERRORS,
)
def update_webhook_endpoint(rooms: Rooms, call: Call[WebhookEndpointChanges, Empty]) -> Answer:
    """Change an endpoint.

    One that is enabled again gets at once what waited for it.
    """
    body = call.body
    is_cleared = "description" in body.model_fields_set and body.description is None
    changes = EndpointChanges(
        url=body.url,
        enabled_events=None if body.enabled_events is None else tuple(map(str, body.enabled_events)),
        description="" if is_cleared else body.description,
        status=body.status,
    )
    return Answer.of(rooms.engine.webhooks.update(call.owner, call.id, changes))


@routes.delete("/v1/webhook_endpoints/{id}", prefix="we", answers={200: DeletedWebhookEndpoint})
def delete_webhook_endpoint(rooms: Rooms, call: Call[Empty, Empty]) -> Answer:
    """Delete an endpoint.

    Nothing is sent to it any more; the log of its deliveries is kept.
    """
    rooms.engine.webhooks.delete(call.owner, call.id)
    return Answer.of({"id": call.id, "object": "webhook_endpoint", "deleted": True})


@routes.post(
    "/v1/webhook_endpoints/{id}/rotate_secret",
    prefix="we",
    body=Rotation,
    answers={200: IssuedWebhookEndpoint},
)
def rotate_webhook_secret(rooms: Rooms, call: Call[Rotation, Empty]) -> Answer:
    """Make a new signing secret.

    For `grace_s` seconds each delivery carries the signatures of both, so that a receiver changes over in peace.
    """
    return Answer.reply(rooms.engine.webhooks.rotate_secret(call.intent, call.id, grace_s=call.body.grace_s))


@routes.post(
    "/v1/webhook_endpoints/{id}/test",
    prefix="we",
    answers={202: AnyEvent},
    errors=(ErrorCode.PARAMETER_INVALID,),
)
def send_test_event(rooms: Rooms, call: Call[Empty, Empty]) -> Answer:
    """Send a `ping` event to this endpoint only."""
    return Answer.reply(rooms.engine.webhooks.send_test(call.intent, call.id))


@routes.post(
    "/v1/webhook_endpoints/{id}/resend",
    prefix="we",
    body=Resend,
    answers={202: AnyEvent},
    errors=(ErrorCode.PARAMETER_INVALID,),
)
def resend_event(rooms: Rooms, call: Call[Resend, Empty]) -> Answer:
    """Send an event to this endpoint once more: the same id, the same bytes."""
    return Answer.reply(rooms.engine.webhooks.resend(call.intent, call.id, call.body.event))


@routes.get("/v1/webhook_endpoints/{id}/deliveries", prefix="we", query=DeliveryQuery, answers={200: ListOf[Delivery]})
def list_deliveries(rooms: Rooms, call: Call[Empty, DeliveryQuery]) -> Answer:
    """List the tries to deliver to an endpoint, newest first."""
    return listed(rooms.engine.webhooks.deliveries(call.owner, call.id, call.query.page()), call.path)
