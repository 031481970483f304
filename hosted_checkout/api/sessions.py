"""`/v1/checkout/sessions`."""

from datetime import timedelta
from typing import Annotated, Any, ClassVar, Final

from pydantic import ConfigDict, Field, ValidationInfo, field_validator

from gateway.domain.words import CaptureMethod, SessionMode, SessionStatus
from gateway.engine.sessions import NewSession
from gateway.kernel.errors import CallerError, ErrorCode
from gateway.kernel.money import Money, parse_money
from hosted_checkout.api.answers import CheckoutSession, ListOf
from hosted_checkout.api.conditional import ABSENT, conditional, needed_where
from hosted_checkout.api.fields import (
    Amount,
    Country,
    CurrencyCode,
    CustomerRef,
    Email,
    Line,
    Locale,
    Metadata,
    MethodIds,
    PlanRef,
    Reference,
    ReturnUrl,
    invalid,
    refuse,
)
from hosted_checkout.api.layer import Answer, Call, Empty, Rooms, Routes, Strict, listed
from hosted_checkout.api.lists import PageQuery

MAX_LINES = 100
MAX_QUANTITY = 1_000_000
EXPIRES_MIN_S = 300
EXPIRES_MAX_S = 604_800
EXPIRES_DEFAULT_S = 1800
SESSION_ERRORS = (
    ErrorCode.AMOUNT_INVALID,
    ErrorCode.AMOUNT_NOT_POSITIVE,
    ErrorCode.AMOUNT_TOO_LARGE,
    ErrorCode.AMOUNT_TOO_PRECISE,
    ErrorCode.CURRENCY_UNKNOWN,
    ErrorCode.URL_INVALID,
    ErrorCode.URL_ORIGIN_REFUSED,
)

routes = Routes("Checkout sessions")


class NewLineItem(Strict):
    """One line of the order; `amount` is for the whole quantity, in the session's currency."""

    name: Line
    quantity: int = Field(default=1, ge=1, le=MAX_QUANTITY)
    amount: Amount


_WITHOUT_ORDER: Final = frozenset({SessionMode.SUBSCRIPTION, SessionMode.SETUP})
_BY_MODE: Final[list[Any]] = [
    {"required": ["amount", "currency"], "properties": {"mode": {"const": "payment"}, "plan": ABSENT}},
    {
        "required": ["mode", "plan"],
        "properties": {
            "mode": {"const": "subscription"},
            "capture_method": {"const": "automatic"},
            **dict.fromkeys(("amount", "currency", "line_items"), ABSENT),
        },
    },
    {
        "required": ["mode", "currency"],
        "properties": {
            "mode": {"const": "setup"},
            "capture_method": {"const": "automatic"},
            **dict.fromkeys(("amount", "plan", "line_items"), ABSENT),
        },
    },
]


class NewCheckoutSession(Strict):
    """An order to be paid, a plan to be subscribed to, or a card to be saved."""

    model_config = ConfigDict(json_schema_extra={"oneOf": _BY_MODE})

    # Fields that others are checked against stand before them.
    mode: Annotated[SessionMode, Field(strict=False)] = Field(
        default=SessionMode.PAYMENT,
        description="`subscription` begins one: name a `plan`, which says amount and currency. `setup` only saves a "
        "card with the customer, in the `currency` that you will charge it in; nothing is charged.",
    )
    plan: Annotated[PlanRef | None, needed_where("mode", SessionMode.SUBSCRIPTION)] = conditional(
        "What the session begins a subscription to; it says amount and currency."
    )
    currency: Annotated[CurrencyCode | None, needed_where("mode", SessionMode.PAYMENT, SessionMode.SETUP)] = (
        conditional()
    )
    amount: Annotated[Amount | None, needed_where("mode", SessionMode.PAYMENT)] = conditional()
    reference: Reference = Field(
        description="Your order's number. While it is open, the same order is not opened twice."
    )
    success_url: ReturnUrl = Field(description="Where the page leads after payment; no proof of payment.")
    cancel_url: ReturnUrl | None = Field(default=None, description="Where the page's way back leads.")
    customer: CustomerRef | None = Field(default=None, description="One of `GET /v1/customers`; null makes a new one.")
    customer_email: Email | None = Field(default=None, description="For the receipt.")
    customer_country: Country | None = Field(
        default=None, description="ISO 3166 alpha-2; the operator may route payments by it."
    )
    locale: Locale | None = Field(default=None, description="Language of the page; null lets the browser choose.")
    line_items: Annotated[list[NewLineItem], Field(max_length=MAX_LINES)] | None = Field(
        default=None, description="What is bought; the lines add up to `amount`."
    )
    methods: MethodIds | None = Field(default=None, description="Ids of `GET /v1/methods`; null offers all.")
    expires_in: int = Field(
        default=EXPIRES_DEFAULT_S, ge=EXPIRES_MIN_S, le=EXPIRES_MAX_S, description="Seconds the shopper has."
    )
    capture_method: Annotated[CaptureMethod, Field(strict=False)] = Field(
        default=CaptureMethod.AUTOMATIC,
        description="`manual` only holds a card's money, until you capture it; other methods take it at once.",
    )
    metadata: Metadata = Field(default_factory=dict, description="Texts of your own, given back with every object.")

    @field_validator("capture_method")
    @classmethod
    def _at_once(cls, method: CaptureMethod, info: ValidationInfo) -> CaptureMethod:
        if method is CaptureMethod.MANUAL and info.data.get("mode") in _WITHOUT_ORDER:
            raise invalid("Only an order's payment can be held. Subscriptions are collected at once.")
        return method

    @field_validator("line_items")
    @classmethod
    def _adds_up(cls, lines: list[NewLineItem] | None, info: ValidationInfo) -> list[NewLineItem] | None:
        if lines is not None and info.data.get("mode") in _WITHOUT_ORDER:
            raise invalid("Only an order has lines; a subscription's is its plan. Leave them out.")
        code, amount = info.data.get("currency"), info.data.get("amount")
        if not lines or code is None:
            return lines
        moneys = []
        for index, line in enumerate(lines):
            try:
                moneys.append(parse_money(line.amount, code))
            except CallerError as error:
                raise refuse(error.code, error.message, at=f"/{index}/amount") from None
        if amount is not None and sum(money.atomic for money in moneys) != parse_money(amount, code).atomic:
            raise invalid("The lines do not add up to the amount. Add shipping or a discount as a line of its own.")
        return lines


class SessionQuery(PageQuery):
    """Filters of the list."""

    cursor_prefix: ClassVar[str] = "cs"

    status: Annotated[SessionStatus, Field(strict=False)] | None = None
    reference: Reference | None = None


@routes.post(
    "/v1/checkout/sessions",
    body=NewCheckoutSession,
    answers={201: CheckoutSession, 200: CheckoutSession},
    errors=(*SESSION_ERRORS, ErrorCode.NOT_FOUND, ErrorCode.PLAN_ARCHIVED),
)
def create_checkout_session(rooms: Rooms, call: Call[NewCheckoutSession, Empty]) -> Answer:
    """Open a session.

    Send the shopper to its `url`. While a session with the same reference, amount and currency (or plan and customer)
    is open, that one is answered with 200 instead of a second one.
    """
    body = call.body
    amount, lines = _price(rooms, call)
    known = None if body.customer is None else rooms.engine.customers.retrieve(call.owner, body.customer)
    new = NewSession(
        amount=amount,
        reference=body.reference,
        success_url=body.success_url,
        cancel_url=body.cancel_url,
        customer_email=body.customer_email or (known or {}).get("email"),
        customer_country=body.customer_country,
        locale=body.locale,
        line_items=lines,
        methods=body.methods,
        expires_in=timedelta(seconds=body.expires_in),
        metadata=body.metadata,
        mode=body.mode,
        capture_method=body.capture_method,
        customer_id=body.customer,
        plan_id=body.plan,
    )
    return Answer.reply(rooms.engine.sessions.create(call.intent, new))


def _price(rooms: Rooms, call: Call[NewCheckoutSession, Empty]) -> tuple[Money, list[dict[str, Any]]]:
    """Return what is asked and for what: the plan's price, the order's, or nothing."""
    body = call.body
    if body.plan is not None:
        plan = rooms.engine.plans.offered(call.owner, body.plan)
        return plan.amount, [{"name": plan.name, "quantity": 1, "amount": plan.amount.major}]
    assert body.currency is not None, "the model asks for it"
    code = body.currency
    if body.mode is SessionMode.SETUP:
        return Money.zero(code), []
    assert body.amount is not None, "the model asks for it"
    lines = [
        {"name": line.name, "quantity": line.quantity, "amount": parse_money(line.amount, code).major}
        for line in body.line_items or ()
    ]
    return parse_money(body.amount, code), lines


@routes.get("/v1/checkout/sessions", query=SessionQuery, answers={200: ListOf[CheckoutSession]})
def list_checkout_sessions(rooms: Rooms, call: Call[Empty, SessionQuery]) -> Answer:
    """List sessions, newest first."""
    query = call.query
    page = rooms.engine.sessions.page(call.owner, query.page(), status=query.status, reference=query.reference)
    return listed(page, call.path)


@routes.get("/v1/checkout/sessions/{id}", prefix="cs", answers={200: CheckoutSession})
def retrieve_checkout_session(rooms: Rooms, call: Call[Empty, Empty]) -> Answer:
    """Read a session."""
    return Answer.of(rooms.engine.sessions.retrieve(call.owner, call.id))


@routes.post(
    "/v1/checkout/sessions/{id}/expire",
    prefix="cs",
    answers={200: CheckoutSession},
    errors=(ErrorCode.SESSION_NOT_OPEN, ErrorCode.PROVIDER_UNAVAILABLE, ErrorCode.OUTCOME_UNKNOWN),
)
def expire_checkout_session(rooms: Rooms, call: Call[Empty, Empty]) -> Answer:
    """Close an open session before anything was paid.

    A provider's page on which somebody could still pay is closed first. Money that still comes afterwards is recorded
    as late, never dropped.
    """
    return Answer.reply(rooms.engine.sessions.expire(call.intent, call.id))
