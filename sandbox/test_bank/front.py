"""The bank's hall: what this is, what happened last, and the panel with which a person can play a whole card life.

The panel's forms give the same orders as the control API; this file only turns a form into one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from sandbox.test_bank import page_views
from sandbox.test_bank.desk import Command, Hall, Wire
from sandbox.test_bank.errors import ApiError

MAX_ROWS: Final = 20  # a page to look at; the API lists the rest
_ADVANCES: Final = (("1 hour", 3_600), ("1 day", 86_400), ("8 days", 691_200), ("32 days", 2_764_800))
_FAULTS: Final = (
    ("500_before", "Error 500, not done"),
    ("500_after", "Error 500, but done"),
    ("timeout_before", "Time-out, not done"),
    ("timeout_after", "Time-out, but done"),
    ("drop_before", "Cut off, not done"),
    ("drop_after", "Cut off, but done"),
    ("429", "Too many requests"),
)
_CALLS: Final = (
    ("any", "Any call"),
    ("POST /v1/checkout/sessions", "Create a session"),
    ("POST /v1/refunds", "Create a refund"),
)
_WEBHOOK_FAULTS: Final = (
    ("delay", "Late"),
    ("duplicate", "Twice"),
    ("reorder", "In another order"),
    ("lose", "Lost"),
    ("bad_signature", "Badly signed"),
    ("stale", "An old one again"),
)
_REASONS: Final = (("fraudulent", "Fraudulent"), ("product_not_received", "Not received"), ("duplicate", "Duplicate"))
_OPEN_DISPUTES: Final = frozenset({"needs_response", "under_review", "warning_needs_response", "warning_under_review"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One object in a list: what may be done with it stands in `can`."""

    id: str
    what: str
    status: str
    at: str
    url: str | None = None
    can: frozenset[str] = frozenset()


def add_front(pages: Blueprint, bank: Hall, command: Command | None) -> None:
    """Add the front page, and the control panel where orders can be given."""

    @pages.get("/")
    def front() -> AnyResponse:
        page = render_template(
            "test_bank/front.html",
            sessions=_rows(bank, "checkout.session", _session_row),
            events=_rows(bank, "event", _event_row),
            cards=page_views.card_lists(),
            has_control=command is not None,
        )
        return make_response(page)

    if command is not None:
        _add_control(pages, bank, command)


def _add_control(pages: Blueprint, bank: Hall, command: Command) -> None:
    @pages.get("/control")
    def control() -> AnyResponse:
        page = render_template(
            "test_bank/control.html",
            now=page_views.time_text(bank.clock.now()),
            advances=_ADVANCES,
            faults=_FAULTS,
            calls=_CALLS,
            webhook_faults=_WEBHOOK_FAULTS,
            reasons=_REASONS,
            charges=_rows(bank, "charge", _charge_row),
            disputes=_rows(bank, "dispute", _dispute_row),
            refunds=_rows(bank, "refund", _refund_row),
            is_done="done" in request.args,
        )
        return make_response(page)

    @pages.post("/control")
    def control_ordered() -> AnyResponse:
        path, body = order_of(request.form)
        command(path, body)
        return redirect(url_for("pages.control", done=1), code=303)


def order_of(form: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """Return the path and body of the control API's order that a form of the panel stands for.

    Raises:
        ApiError: there is no such form.
    """
    subject = form.get("subject", "")
    body: dict[str, Any] = {}
    match form.get("order"):
        case "advance":
            path, body = "clock/advance", {"seconds": _whole(form.get("seconds", ""))}
        case "fault":
            path, body = "faults", {"on": form.get("on", ""), "kind": form.get("kind", ""), "times": 1}
        case "webhook_fault":
            path, body = "webhook_faults", {"kind": form.get("kind", ""), "times": 1}
        case "dispute":
            path = "disputes"
            body = {"charge": subject, "kind": form.get("kind", ""), "reason": form.get("reason", "")}
        case "won" | "lost" as outcome:
            path, body = f"disputes/{subject}/close", {"outcome": outcome}
        case "fail" | "succeed" as outcome:
            path = f"refunds/{subject}/{outcome}"
        case "settle":
            path = "settle_delayed"
        case "payout":
            path = "payouts"
        case _:
            raise ApiError("The control panel has no such button.")
    return path, body


def _whole(typed: str) -> int:
    if not typed.isascii() or not typed.isdigit() or len(typed) > 9:  # noqa: PLR2004 -- thirty years of seconds
        raise ApiError("Send a whole number of seconds.", param="seconds")
    return int(typed)


def _rows(bank: Hall, kind: str, row: Callable[[Wire], Row]) -> list[Row]:
    return [row(one) for one in bank.newest(kind, limit=MAX_ROWS)]


def _session_row(session: Wire) -> Row:
    status = session["status"] if session["status"] != "complete" else f"complete, {session['payment_status']}"
    return Row(
        id=session["id"],
        what=_amount(session, "amount_total"),
        status=status,
        at=page_views.time_text(session["created"]),
        url=url_for("pages.pay", session_id=session["id"]),
    )


def _event_row(event: Wire) -> Row:
    subject = event["data"]["object"].get("id", "")
    return Row(id=event["id"], what=event["type"], status=subject, at=page_views.time_text(event["created"]))


def _charge_row(charge: Wire) -> Row:
    refunded = "partly refunded" if charge["amount_refunded"] else charge["status"]
    status = "disputed" if charge["disputed"] else "refunded" if charge["refunded"] else refunded
    is_open = charge["status"] == "succeeded" and not charge["disputed"]
    can = frozenset({"dispute"}) if is_open else frozenset[str]()
    return Row(
        id=charge["id"],
        what=_amount(charge, "amount"),
        status=status,
        at=page_views.time_text(charge["created"]),
        can=can,
    )


def _dispute_row(dispute: Wire) -> Row:
    return Row(
        id=dispute["id"],
        what=_amount(dispute, "amount"),
        status=dispute["status"].replace("_", " "),
        at=page_views.time_text(dispute["created"]),
        can=frozenset({"close"}) if dispute["status"] in _OPEN_DISPUTES else frozenset(),
    )


def _refund_row(refund: Wire) -> Row:
    by_status = {"pending": {"succeed", "fail"}, "requires_action": {"succeed", "fail"}, "succeeded": {"fail"}}
    return Row(
        id=refund["id"],
        what=_amount(refund, "amount"),
        status=refund["status"],
        at=page_views.time_text(refund["created"]),
        can=frozenset(by_status.get(refund["status"], set())),
    )


def _amount(thing: Wire, field: str) -> str:
    return page_views.amount_text(thing[field], thing["currency"]) if thing.get(field) is not None else "no amount"
