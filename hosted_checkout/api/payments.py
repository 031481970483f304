"""`/v1/payments`."""

from typing import Annotated, ClassVar

from pydantic import Field

from gateway.domain.words import PaymentStatus
from gateway.kernel.errors import ErrorCode
from hosted_checkout.api.answers import ListOf, Payment
from hosted_checkout.api.fields import Amount, Reference
from hosted_checkout.api.layer import Answer, Call, Empty, Rooms, Routes, Strict, listed
from hosted_checkout.api.lists import PageQuery

# What a command at a provider may end with, besides what the verb itself refuses.
COMMAND_ERRORS = (ErrorCode.PROVIDER_DECLINED, ErrorCode.PROVIDER_UNAVAILABLE, ErrorCode.OUTCOME_UNKNOWN)

routes = Routes("Payments")


class PaymentQuery(PageQuery):
    """Filters of the list."""

    cursor_prefix: ClassVar[str] = "pay"

    status: Annotated[PaymentStatus, Field(strict=False)] | None = None
    reference: Reference | None = None


class Capture(Strict):
    """How much of the held money to take."""

    amount: Amount | None = Field(default=None, description="In the payment's currency; null takes all that is held.")
    final_capture: bool = Field(
        default=True, description="Lets go of the rest. False keeps it held, where the card allows several captures."
    )


@routes.get("/v1/payments", query=PaymentQuery, answers={200: ListOf[Payment]})
def list_payments(rooms: Rooms, call: Call[Empty, PaymentQuery]) -> Answer:
    """List payments, newest first."""
    query = call.query
    page = rooms.engine.payments.page(call.owner, query.page(), status=query.status, reference=query.reference)
    return listed(page, call.path)


@routes.get("/v1/payments/{id}", prefix="pay", answers={200: Payment})
def retrieve_payment(rooms: Rooms, call: Call[Empty, Empty]) -> Answer:
    """Read a payment.

    It comes with its attempts (what was asked for, where), its transfers (what arrived over a chain) and its charges
    (what a provider took).
    """
    return Answer.of(rooms.engine.payments.retrieve(call.owner, call.id))


@routes.post(
    "/v1/payments/{id}/capture",
    prefix="pay",
    body=Capture,
    answers={200: Payment},
    errors=(ErrorCode.NOTHING_HELD, ErrorCode.AMOUNT_TOO_LARGE, ErrorCode.AMOUNT_TOO_PRECISE, *COMMAND_ERRORS),
)
def capture_payment(rooms: Rooms, call: Call[Capture, Empty]) -> Answer:
    """Take money that a card holds.

    For a payment that is `authorized`, because its session was opened with `capture_method` `manual`.
    """
    body = call.body
    reply = rooms.engine.charges.capture(call.intent, call.id, amount=body.amount, is_final=body.final_capture)
    return Answer.reply(reply)


@routes.post(
    "/v1/payments/{id}/cancel",
    prefix="pay",
    answers={200: Payment},
    errors=(ErrorCode.NOTHING_HELD, *COMMAND_ERRORS),
)
def cancel_payment(rooms: Rooms, call: Call[Empty, Empty]) -> Answer:
    """Let go of money that a card holds.

    For a payment that is `authorized`; it is `canceled` then. To call off one that nobody has paid, expire its session.
    """
    return Answer.reply(rooms.engine.charges.cancel(call.intent, call.id))
