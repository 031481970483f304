"""`/v1/balances` and `/v1/ledger_entries`: the books, read only."""

from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import Field

from hosted_checkout.api.answers import ListOf
from hosted_checkout.api.answers_books import Balance, LedgerEntry
from hosted_checkout.api.fields import PaymentRef
from hosted_checkout.api.layer import Answer, Call, Empty, Rooms, Routes, listed
from hosted_checkout.api.lists import PageQuery

routes = Routes("Ledger")


class EntryQuery(PageQuery):
    """Filters of the list."""

    cursor_prefix: ClassVar[str] = "je"

    payment: PaymentRef | None = Field(default=None, description="Only entries about this payment.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A list that is always shown whole."""

    data: list[dict[str, Any]]
    has_more: bool = False


@routes.get("/v1/balances", answers={200: ListOf[Balance]})
def list_balances(rooms: Rooms, call: Call[Empty, Empty]) -> Answer:
    """List what stands on each ledger account in each currency."""
    owner = call.owner
    return listed(Whole(data=rooms.books.balances(owner.merchant_id, livemode=owner.livemode)), call.path)


@routes.get("/v1/ledger_entries", query=EntryQuery, answers={200: ListOf[LedgerEntry]})
def list_ledger_entries(rooms: Rooms, call: Call[Empty, EntryQuery]) -> Answer:
    """List journal entries, newest first."""
    owner, query = call.owner, call.query
    page = rooms.books.entries(
        owner.merchant_id,
        livemode=owner.livemode,
        subject_id=query.payment,
        limit=query.limit,
        starting_after=query.starting_after,
        ending_before=query.ending_before,
    )
    return listed(page, call.path)
