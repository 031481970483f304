"""`/v1/donations/…`: receipts, and what a charity does when the person behind a gift asks for something."""

from typing import Annotated

from pydantic import Field

from gateway.engine.donations.receipts import receipt_object, statement_object
from gateway.kernel.errors import ErrorCode
from hosted_checkout.api.answers_donors import DonationStatement, DonorErasure, ReceiptMail, ReceiptWithLink
from hosted_checkout.api.fields import Email
from hosted_checkout.api.layer import Answer, Call, Empty, Rooms, Routes, Strict

routes = Routes("Donations")

FIRST_YEAR, LAST_YEAR = 2000, 9999


class ResendReceipt(Strict):
    """Where a receipt is sent once more."""

    email: Email | None = Field(default=None, description="Another address than the donor left.")


class StatementQuestion(Strict):
    """Whose year is asked for. The address stands in the body, because addresses of requests are written to logs."""

    charity: Annotated[str, Field(pattern=r"^cha_[0-7][0-9a-hjkmnp-tv-z]{25}$")] = Field(description="Given to whom.")
    email: Email = Field(description="The donor's address, however it is spelled.")
    year: int = Field(ge=FIRST_YEAR, le=LAST_YEAR, description="Of the receipts, in UTC.")


class Person(Strict):
    """Who asked to be forgotten."""

    email: Email = Field(description="The address that the person gave under, however it is spelled.")


@routes.get("/v1/donations/{id}/receipt", prefix="don", answers={200: ReceiptWithLink})
def retrieve_donation_receipt(rooms: Rooms, call: Call[Empty, Empty]) -> Answer:
    """Read the receipt of a donation.

    Gifts to campaigns have one from the moment in which they are received; gifts at checkout have none (404).
    """
    view = rooms.engine.receipts.retrieve(call.owner, call.id)
    return Answer.of(receipt_object(view) | {"url": rooms.engine.receipts.url(view)})


@routes.post("/v1/donations/{id}/resend_receipt", prefix="don", body=ResendReceipt, answers={202: ReceiptMail})
def resend_donation_receipt(rooms: Rooms, call: Call[ResendReceipt, Empty]) -> Answer:
    """Send a receipt once more.

    To the address that the donor left, or to the one that you name. `parameter_missing` when there is neither.
    """
    return Answer.reply(rooms.engine.receipts.resend(call.intent, call.id, email=call.body.email))


@routes.post(
    "/v1/donations/statement",
    body=StatementQuestion,
    answers={200: DonationStatement},
    errors=(ErrorCode.NOT_FOUND,),
)
def ask_donation_statement(rooms: Rooms, call: Call[StatementQuestion, Empty]) -> Answer:
    """Read what somebody gave to a charity in a year.

    By the date of the receipts, in UTC. Nothing given in that year is a 404.
    """
    asked = call.body
    view = rooms.engine.receipts.statement_of(call.owner, asked.charity, asked.email, asked.year)
    return Answer.of(statement_object(view))


@routes.post(
    "/v1/donations/erase",
    body=Person,
    answers={200: DonorErasure},
    errors=(
        ErrorCode.CUSTOMER_IN_USE,
        ErrorCode.PROVIDER_DECLINED,
        ErrorCode.PROVIDER_UNAVAILABLE,
        ErrorCode.OUTCOME_UNKNOWN,
    ),
)
def erase_donor(rooms: Rooms, call: Call[Person, Empty]) -> Answer:
    """Forget the person behind an address, here and at the providers, and end what they promised to give.

    Donations, receipts with their numbers, and the books stay, nameless. Send it again after an error: what was erased
    until then stays erased.
    """
    return Answer.of(rooms.engine.donors.erase(call.owner, call.body.email))
