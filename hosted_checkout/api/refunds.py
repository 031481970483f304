"""`/v1/refunds`: money that goes back."""

from typing import Annotated, ClassVar

from pydantic import Field

from gateway.domain.words import GiftRefund, RefundReason, RefundStatus
from gateway.engine import refunds as verbs
from gateway.kernel.errors import ErrorCode
from hosted_checkout.api.answers import ListOf, Refund
from hosted_checkout.api.fields import Amount, CurrencyCode, Metadata, PaymentRef, SourceRef, Wallet
from hosted_checkout.api.layer import Answer, Call, Empty, Rooms, Routes, Strict, listed
from hosted_checkout.api.lists import PageQuery
from hosted_checkout.api.payments import COMMAND_ERRORS

routes = Routes("Refunds")


class NewRefund(Strict):
    """What is to go back."""

    payment: PaymentRef = Field(description="The payment whose money goes back.")
    # Stands before the amount, which is checked against it.
    currency: CurrencyCode | None = Field(
        default=None, description="The currency in which the money came; null trusts that you know it."
    )
    amount: Amount | None = Field(
        default=None, description="In the currency received; null gives back all that is left."
    )
    source: SourceRef | None = Field(
        default=None, description="The charge or chain transfer whose money goes back; null for the one with most left."
    )
    destination: Wallet | None = Field(
        default=None, description="The wallet to which a chain refund goes; null for the one that paid."
    )
    donation: Annotated[GiftRefund, Field(strict=False)] = Field(
        default=GiftRefund.KEEP,
        description="A gift on top of the order: `keep` lets it be, `include` gives it back after the order, `only` "
        "gives back nothing else.",
    )
    reason: Annotated[RefundReason, Field(strict=False)] | None = Field(
        default=None, description="For your books, and for the provider."
    )
    metadata: Metadata = Field(default_factory=dict, description="Texts of your own, given back with the refund.")


class RefundQuery(PageQuery):
    """Filters of the list."""

    cursor_prefix: ClassVar[str] = "re"

    payment: PaymentRef | None = Field(default=None, description="Only the refunds of this payment.")
    status: Annotated[RefundStatus, Field(strict=False)] | None = None


@routes.post(
    "/v1/refunds",
    body=NewRefund,
    answers={201: Refund},
    errors=(
        ErrorCode.NOT_FOUND,
        ErrorCode.NOTHING_TO_REFUND,
        ErrorCode.AMOUNT_TOO_LARGE,
        ErrorCode.AMOUNT_TOO_PRECISE,
        ErrorCode.CURRENCY_MISMATCH,
        ErrorCode.DESTINATION_REQUIRED,
        ErrorCode.WALLET_ADDRESS_INVALID,
    ),
)
def create_refund(rooms: Rooms, call: Call[NewRefund, Empty]) -> Answer:
    """Give money back, in part or in full.

    The amount is set aside before the provider is asked, so refunds that race never exceed what was received. What
    the provider refuses is answered as a refund that has `failed`; while its answer is missing the refund is
    `pending`, and the gateway goes on asking: never send it again under another key.

    What came over a chain goes back over it, signed by the account's own wallet: such a refund is in
    `requires_action` until its transfer was built (`GET …/transfer`), signed and sent (`POST …/transfer`).
    """
    body = call.body
    new = verbs.NewRefund(
        payment_id=body.payment,
        amount=body.amount,
        currency=body.currency,
        source=body.source,
        destination=body.destination,
        donation=body.donation,
        reason=body.reason,
        metadata=body.metadata,
    )
    return Answer.reply(rooms.engine.refunds.create(call.intent, new))


@routes.get("/v1/refunds", query=RefundQuery, answers={200: ListOf[Refund]})
def list_refunds(rooms: Rooms, call: Call[Empty, RefundQuery]) -> Answer:
    """List refunds, newest first, those made at the provider included."""
    query = call.query
    page = rooms.engine.refunds.page(call.owner, query.page(), payment_id=query.payment, status=query.status)
    return listed(page, call.path)


@routes.get("/v1/refunds/{id}", prefix="re", answers={200: Refund})
def retrieve_refund(rooms: Rooms, call: Call[Empty, Empty]) -> Answer:
    """Read a refund."""
    return Answer.of(rooms.engine.refunds.retrieve(call.owner, call.id))


@routes.post(
    "/v1/refunds/{id}/cancel",
    prefix="re",
    answers={200: Refund},
    errors=(ErrorCode.REFUND_NOT_CANCELABLE, *COMMAND_ERRORS),
)
def cancel_refund(rooms: Rooms, call: Call[Empty, Empty]) -> Answer:
    """Call off a refund that waits for the customer or for a signature (`requires_action`)."""
    return Answer.reply(rooms.engine.refunds.cancel(call.intent, call.id))
