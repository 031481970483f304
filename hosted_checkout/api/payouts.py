"""`/v1/payouts`: what card providers sent to the bank, and the settlement report of each."""

from typing import Any, ClassVar, Final

from gateway.kernel.clock import rfc3339
from gateway.reporting.settlements import Settlement as Report
from gateway.reporting.settlements import SettlementLine
from hosted_checkout.api.answers import ListOf
from hosted_checkout.api.answers_books import Payout, Settlement
from hosted_checkout.api.layer import Answer, Call, Empty, Rooms, Routes, listed
from hosted_checkout.api.lists import PageQuery

routes = Routes("Payouts")

MAX_LINES: Final = 1_000  # of one answer; a day of a large shop is for the command


class PayoutQuery(PageQuery):
    """Filters of the list."""

    cursor_prefix: ClassVar[str] = "po"


@routes.get("/v1/payouts", query=PayoutQuery, answers={200: ListOf[Payout]})
def list_payouts(rooms: Rooms, call: Call[Empty, PayoutQuery]) -> Answer:
    """List payouts, newest first."""
    return listed(rooms.engine.payouts.page(call.owner, call.query.page()), call.path)


@routes.get("/v1/payouts/{id}", prefix="po", answers={200: Payout})
def retrieve_payout(rooms: Rooms, call: Call[Empty, Empty]) -> Answer:
    """Read a payout; `settled_at` says that every line of it is booked."""
    return Answer.of(rooms.engine.payouts.retrieve(call.owner, call.id))


@routes.get("/v1/payouts/{id}/settlement", prefix="po", answers={200: Settlement})
def retrieve_settlement(rooms: Rooms, call: Call[Empty, Empty]) -> Answer:
    """Read what a payout consists of, with fees and net."""
    shown = rooms.engine.payouts.retrieve(call.owner, call.id)
    return Answer.of(settlement_object(rooms.settlements.report(call.id), shown))


def settlement_object(report: Report, payout: dict[str, Any]) -> dict[str, Any]:
    """Return a `settlement`."""
    return {
        "object": "settlement",
        "payout": payout,
        "currency": payout["currency"],
        "totals": [
            {
                "type": one.type,
                "count": one.count,
                "amount": one.amount.major,
                "fee": one.fee.major,
                "net": one.net.major,
            }
            for one in report.totals
        ],
        "lines": [_line(one) for one in report.lines[:MAX_LINES]],
        "line_count": len(report.lines),
        "gap": report.gap.major,
    }


def _line(line: SettlementLine) -> dict[str, Any]:
    return {
        "provider_reference": line.reference,
        "type": line.type,
        "payment": line.payment_id,
        "amount": line.amount.major,
        "fee": line.fee.major,
        "net": line.net.major,
        "created_at": rfc3339(line.created_at),
    }
