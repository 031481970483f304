"""`/v1/customers`: who pays again and again."""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from gateway.engine import customers as verbs
from gateway.kernel.errors import ErrorCode
from hosted_checkout.api.answers import ListOf
from hosted_checkout.api.answers_recurring import Customer, DeletedCustomer, PortalLink
from hosted_checkout.api.fields import Email, Line, Metadata, ReturnUrl
from hosted_checkout.api.layer import Answer, Call, Empty, Rooms, Routes, Strict, listed
from hosted_checkout.api.lists import PageQuery

Name = Annotated[Line, Field(examples=["Ada Lovelace"])]

routes = Routes("Customers")


class NewCustomer(Strict):
    """What you know of a person."""

    email: Email | None = Field(default=None, description="Where receipts go.")
    name: Name | None = Field(default=None, description="As receipts show it.")
    metadata: Metadata = Field(default_factory=dict, description="Texts of your own, given back with the customer.")


class CustomerChanges(Strict):
    """What to change; what is not named stays, `null` empties a field."""

    email: Email | None = Field(default=None, description="Where receipts go.")
    name: Name | None = Field(default=None, description="As receipts show it.")
    metadata: Metadata = Field(default_factory=dict, description="Replaces all texts.")


class CustomerQuery(PageQuery):
    """Filters of the list."""

    cursor_prefix: ClassVar[str] = "cus"

    email: Email | None = Field(default=None, description="Only customers with exactly this address.")


class NewPortalLink(Strict):
    """Where the portal's way back leads."""

    return_url: ReturnUrl = Field(description="Where the page's way back leads.")


@routes.post("/v1/customers", body=NewCustomer, answers={201: Customer})
def create_customer(rooms: Rooms, call: Call[NewCustomer, Empty]) -> Answer:
    """Make a customer.

    Name the customer when you open a session with `mode: subscription`; without one, one is made.
    """
    body = call.body
    new = verbs.NewCustomer(email=body.email, name=body.name, metadata=body.metadata)
    return Answer.reply(rooms.engine.customers.create(call.intent, new))


@routes.get("/v1/customers", query=CustomerQuery, answers={200: ListOf[Customer]})
def list_customers(rooms: Rooms, call: Call[Empty, CustomerQuery]) -> Answer:
    """List customers, newest first, without deleted ones."""
    query = call.query
    return listed(rooms.engine.customers.page(call.owner, query.page(), email=query.email), call.path)


@routes.get("/v1/customers/{id}", prefix="cus", answers={200: Customer})
def retrieve_customer(rooms: Rooms, call: Call[Empty, Empty]) -> Answer:
    """Read a customer."""
    return Answer.of(rooms.engine.customers.retrieve(call.owner, call.id))


@routes.patch("/v1/customers/{id}", prefix="cus", body=CustomerChanges, answers={200: Customer})
def update_customer(rooms: Rooms, call: Call[CustomerChanges, Empty]) -> Answer:
    """Change what you know of a customer."""
    changes: dict[str, Any] = {name: getattr(call.body, name) for name in call.body.model_fields_set}
    return Answer.of(rooms.engine.customers.update(call.owner, call.id, changes))


@routes.delete(
    "/v1/customers/{id}",
    prefix="cus",
    answers={200: DeletedCustomer},
    errors=(
        ErrorCode.CUSTOMER_IN_USE,
        ErrorCode.PROVIDER_DECLINED,
        ErrorCode.PROVIDER_UNAVAILABLE,
        ErrorCode.OUTCOME_UNKNOWN,
    ),
)
def delete_customer(rooms: Rooms, call: Call[Empty, Empty]) -> Answer:
    """Erase what is known of a person, here and at the providers.

    Payments, subscriptions that have ended, and the books stay, nameless. Cancel a subscription that runs first.
    """
    return Answer.of(rooms.engine.customers.delete(call.owner, call.id))


@routes.post(
    "/v1/customers/{id}/portal_session",
    prefix="cus",
    body=NewPortalLink,
    answers={201: PortalLink},
    errors=(
        ErrorCode.URL_INVALID,
        ErrorCode.URL_ORIGIN_REFUSED,
        ErrorCode.PROVIDER_DECLINED,
        ErrorCode.PROVIDER_UNAVAILABLE,
        ErrorCode.OUTCOME_UNKNOWN,
    ),
)
def create_portal_session(rooms: Rooms, call: Call[NewPortalLink, Empty]) -> Answer:
    """Make a link to the page on which a customer sees bills, changes cards and cancels.

    It is the provider's page, and the link is good for minutes. A customer who never paid has none (404).
    """
    url = rooms.engine.subscriptions.portal_url(call.owner, call.id, call.body.return_url)
    return Answer.of({"object": "portal_session", "url": url}, 201)
