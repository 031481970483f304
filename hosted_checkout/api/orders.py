"""`/api/v1/payment`: the small payment API, for shops that want three calls and no more. A thin layer over sessions."""

import json
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field, ValidationInfo, field_validator

from gateway.domain.words import SessionMode
from gateway.engine.paging import PageRequest
from gateway.engine.records import not_found
from gateway.engine.sessions import NewSession
from gateway.kernel.errors import ErrorCode, InvalidRequestError
from gateway.kernel.ids import is_id
from gateway.kernel.money import Money, parse_money
from hosted_checkout.api.answers import Order
from hosted_checkout.api.conditional import ABSENT, conditional, needed_where
from hosted_checkout.api.fields import (
    Amount,
    Country,
    CurrencyCode,
    Email,
    Line,
    Locale,
    Metadata,
    PlanRef,
    Reference,
    ReturnUrl,
    invalid,
)
from hosted_checkout.api.layer import Answer, Call, Empty, Rooms, Routes, Strict
from hosted_checkout.api.sessions import EXPIRES_DEFAULT_S, EXPIRES_MAX_S, EXPIRES_MIN_S, SESSION_ERRORS

CARD = "card"  # the id of every processor's card method

routes = Routes("Payment integration")


class MethodFilter(StrEnum):
    """Cards, or alternative payment methods: everything else."""

    CARD = "CARD"
    APM = "APM"


class Kind(StrEnum):
    """One time, or again and again."""

    SALE = "SALE"
    RECC = "RECC"


_BY_KIND: Final[list[Any]] = [
    {"required": ["amount", "currency"], "properties": {"kind": {"const": "SALE"}, "plan": ABSENT}},
    {
        "required": ["kind", "plan"],
        "properties": {
            "kind": {"const": "RECC"},
            **dict.fromkeys(("amount", "currency", "description", "method"), ABSENT),
        },
    },
]


class NewOrder(Strict):
    """An order to be paid, or a plan to be subscribed to."""

    model_config = ConfigDict(json_schema_extra={"oneOf": _BY_KIND})

    # Fields that others are checked against stand before them.
    kind: Annotated[Kind, Field(strict=False)] = Field(
        default=Kind.SALE, description="`RECC` begins a subscription: name a `plan`, which says amount and currency."
    )
    plan: Annotated[PlanRef | None, needed_where("kind", Kind.RECC)] = conditional(
        "What the order begins a subscription to; it says amount and currency."
    )
    currency: Annotated[CurrencyCode | None, needed_where("kind", Kind.SALE)] = conditional()
    amount: Annotated[Amount | None, needed_where("kind", Kind.SALE)] = conditional()
    reference: Reference = Field(
        description="Your order's number. While it is open, the same order is not opened twice."
    )
    description: Line | None = Field(default=None, description="What is bought, as the page shows it.")
    return_url: ReturnUrl = Field(description="Where the page leads after payment; no proof of payment.")
    cancel_url: ReturnUrl | None = Field(default=None, description="Where the page's way back leads.")
    method: Annotated[MethodFilter, Field(strict=False)] | None = Field(
        default=None, description="Offer cards alone, or everything but cards; null offers all."
    )
    customer_email: Email | None = Field(default=None, description="For the receipt.")
    customer_country: Country | None = Field(default=None, description="ISO 3166 alpha-2.")
    locale: Locale | None = Field(default=None, description="Language of the page; null lets the browser choose.")
    expires_in: int = Field(
        default=EXPIRES_DEFAULT_S, ge=EXPIRES_MIN_S, le=EXPIRES_MAX_S, description="Seconds the shopper has."
    )
    metadata: Metadata = Field(default_factory=dict, description="Texts of your own, kept with the payment.")

    @field_validator("description", "method")
    @classmethod
    def _of_sale(cls, field: object, info: ValidationInfo) -> object:
        if field is not None and info.data.get("kind") is Kind.RECC:
            raise invalid("Leave this out with kind RECC: the plan says what is bought, and cards alone pay it.")
        return field


class OrderQuery(Strict):
    """Which payment."""

    ref: Reference = Field(description="The payment's `id`, or your order's `reference`: then its newest payment.")


@routes.post(
    "/api/v1/payment",
    body=NewOrder,
    answers={201: Order, 200: Order},
    errors=(*SESSION_ERRORS, ErrorCode.METHOD_UNAVAILABLE, ErrorCode.NOT_FOUND, ErrorCode.PLAN_ARCHIVED),
)
def create_order_payment(rooms: Rooms, call: Call[NewOrder, Empty]) -> Answer:
    """Open a payment for an order.

    Send the shopper to its `url`. While the same order is open, with the same amount and currency, that payment is
    answered with 200 instead of a second one. Capture, refunds and webhooks are those of `/v1`: `id` is a payment.
    """
    body = call.body
    price, lines = _price(rooms, call)
    new = NewSession(
        amount=price,
        reference=body.reference,
        success_url=body.return_url,
        cancel_url=body.cancel_url,
        customer_email=body.customer_email,
        customer_country=body.customer_country,
        locale=body.locale,
        line_items=lines,
        methods=_methods(rooms, body.method, livemode=call.owner.livemode),
        expires_in=timedelta(seconds=body.expires_in),
        metadata=body.metadata,
        mode=SessionMode.PAYMENT if body.plan is None else SessionMode.SUBSCRIPTION,
        plan_id=body.plan,
    )
    reply = rooms.engine.sessions.create(call.intent, new)
    return _answer(json.loads(reply.body), status=reply.status_code, is_replay=reply.is_replay)


@routes.get("/api/v1/payment", query=OrderQuery, answers={200: Order}, errors=(ErrorCode.NOT_FOUND,))
def retrieve_order_payment(rooms: Rooms, call: Call[Empty, OrderQuery]) -> Answer:
    """Read the state of a payment.

    Ship on `paid` and on nothing else.
    """
    return _answer(rooms.engine.sessions.retrieve(call.owner, _session_id(rooms, call)))


@routes.post(
    "/api/v1/payment/expire",
    query=OrderQuery,
    answers={200: Order},
    errors=(
        ErrorCode.NOT_FOUND,
        ErrorCode.SESSION_NOT_OPEN,
        ErrorCode.PROVIDER_UNAVAILABLE,
        ErrorCode.OUTCOME_UNKNOWN,
    ),
)
def expire_order_payment(rooms: Rooms, call: Call[Empty, OrderQuery]) -> Answer:
    """Call a payment off before anything was paid."""
    reply = rooms.engine.sessions.expire(call.intent, _session_id(rooms, call))
    return _answer(json.loads(reply.body), status=reply.status_code, is_replay=reply.is_replay)


def _price(rooms: Rooms, call: Call[NewOrder, Empty]) -> tuple[Money, list[dict[str, Any]]]:
    """Return what is asked and for what: the plan's price, or the order's."""
    body = call.body
    if body.plan is not None:
        plan = rooms.engine.plans.offered(call.owner, body.plan)
        return plan.amount, [{"name": plan.name, "quantity": 1, "amount": plan.amount.major}]
    assert body.amount is not None, "the model asks for it"
    assert body.currency is not None, "the model asks for it"
    price = parse_money(body.amount, body.currency)
    return price, [{"name": body.description, "quantity": 1, "amount": price.major}] if body.description else []


def _methods(rooms: Rooms, wanted: MethodFilter | None, *, livemode: bool) -> list[str] | None:
    """Return the ids of the methods on offer; None for all."""
    if wanted is None:
        return None
    known = [method.id for method in rooms.engine.core.methods(livemode=livemode)]
    found = [method_id for method_id in known if (method_id == CARD) is (wanted is MethodFilter.CARD)]
    if not found:
        raise InvalidRequestError(
            ErrorCode.METHOD_UNAVAILABLE, "There is no such method in this mode. See GET /v1/methods.", param="/method"
        )
    return found


def _session_id(rooms: Rooms, call: Call[Any, OrderQuery]) -> str:
    ref = call.query.ref
    if is_id(ref, "pay"):
        return str(rooms.engine.payments.retrieve(call.owner, ref)["session"])
    page = rooms.engine.payments.page(call.owner, PageRequest(limit=1), status=None, reference=ref)
    if not page.data:
        raise not_found("payment")
    return str(page.data[0]["session"])


def _answer(session: Mapping[str, Any], *, status: int = 200, is_replay: bool = False) -> Answer:
    shown = {
        "id": session["payment"],
        "url": session["url"],
        "reference": session["reference"],
        "state": session["payment_status"],
    }
    answer = Answer.of(shown, status)
    return Answer(status=answer.status, body=answer.body, is_replay=is_replay)
