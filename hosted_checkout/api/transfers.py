"""`/v1/chain_transfers`: money that arrived, and the queue of what belongs to nobody yet."""

from typing import ClassVar, Literal

from pydantic import Field

from gateway.kernel.errors import ErrorCode
from hosted_checkout.api.answers import ChainTransfer, ListOf
from hosted_checkout.api.fields import PaymentRef
from hosted_checkout.api.layer import Answer, Call, Empty, Rooms, Routes, Strict, listed
from hosted_checkout.api.lists import PageQuery

routes = Routes("Chain transfers")


class TransferQuery(PageQuery):
    """Filters of the list."""

    cursor_prefix: ClassVar[str] = "xfer"

    status: Literal["unmatched", "matched"] | None = None


class Match(Strict):
    """What a transfer pays."""

    payment: PaymentRef = Field(description="The payment to credit.")


@routes.get("/v1/chain_transfers", query=TransferQuery, answers={200: ListOf[ChainTransfer]})
def list_chain_transfers(rooms: Rooms, call: Call[Empty, TransferQuery]) -> Answer:
    """List chain transfers, newest first; `status=unmatched` is the queue to work through."""
    page = rooms.engine.unmatched.page(call.owner, call.query.page(), status=call.query.status)
    return listed(page, call.path)


@routes.post(
    "/v1/chain_transfers/{id}/match",
    prefix="xfer",
    body=Match,
    answers={200: ChainTransfer},
    errors=(ErrorCode.PAYMENT_NOT_PAYABLE, ErrorCode.TRANSFER_ALREADY_MATCHED),
)
def match_chain_transfer(rooms: Rooms, call: Call[Match, Empty]) -> Answer:
    """Credit a transfer to a payment by hand."""
    return Answer.reply(rooms.engine.unmatched.match(call.intent, call.id, call.body.payment))
