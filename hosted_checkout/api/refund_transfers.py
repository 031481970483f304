"""`/v1/refunds/{id}/transfer`: a refund over a chain is built here and signed by the merchant's own wallet."""

from typing import Annotated

from pydantic import Field

from gateway.kernel.errors import ErrorCode
from hosted_checkout.api.answers import Refund, RefundTransfer
from hosted_checkout.api.fields import Wallet
from hosted_checkout.api.layer import Answer, Call, Empty, Rooms, Routes, Strict
from hosted_checkout.api.payments import COMMAND_ERRORS

MAX_PAYLOAD = 8192  # characters; a chain transfer has 1,644 today

routes = Routes("Refunds")


class Payer(Strict):
    """Who is to sign."""

    payer: Wallet | None = Field(
        default=None, description="One of the account's receiving wallets; the one at which the money came by default."
    )


class SignedRefund(Strict):
    """What the wallet returned."""

    payload: Annotated[str, Field(min_length=1, max_length=MAX_PAYLOAD, pattern=r"^[0-9A-Za-z+/]+={0,2}$")] = Field(
        description="The signed chain transfer, base64."
    )


@routes.get(
    "/v1/refunds/{id}/transfer",
    prefix="re",
    query=Payer,
    answers={200: RefundTransfer},
    errors=(
        ErrorCode.REFUND_NOT_SENDABLE,
        ErrorCode.WALLET_ADDRESS_INVALID,
        ErrorCode.METHOD_UNAVAILABLE,
        *COMMAND_ERRORS,
    ),
)
def build_refund_transfer(rooms: Rooms, call: Call[Empty, Payer]) -> Answer:
    """Build the chain transfer of a refund, for the account's wallet to sign.

    It is made now and tried out against the chain, so ask for it when the signer is ready: it ages within a minute.
    """
    built = rooms.engine.refund_transfers.build(call.owner, call.id, payer=call.query.payer)
    return Answer.of(built)


@routes.post(
    "/v1/refunds/{id}/transfer",
    prefix="re",
    body=SignedRefund,
    answers={200: Refund},
    errors=(
        ErrorCode.REFUND_NOT_SENDABLE,
        ErrorCode.WALLET_ADDRESS_INVALID,
        ErrorCode.WALLET_PAYLOAD_REFUSED,
        ErrorCode.METHOD_UNAVAILABLE,
        *COMMAND_ERRORS,
    ),
)
def submit_refund_transfer(rooms: Rooms, call: Call[SignedRefund, Empty]) -> Answer:
    """Send a refund that the account's wallet has signed.

    The bytes must do nothing but pay this refund. They are stored before they are sent, and sent again until they land
    or can no more: sending the same ones again is harmless, other ones are refused meanwhile (`outcome_unknown`).
    """
    return Answer.reply(rooms.engine.refund_transfers.submit(call.intent, call.id, call.body.payload))
