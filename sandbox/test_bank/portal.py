"""The customer portal: what somebody who subscribed may do alone: see, end and keep subscriptions, change the card.

The page knows the `Portal` port and nothing of how subscriptions are renewed.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from sandbox.test_bank import page_views
from sandbox.test_bank.desk import Portal, Wire
from sandbox.test_bank.page_forms import CardForm, Problems, filled_with, kept_of, read_card_form

_STATUSES: Final = {
    "active": "Active",
    "canceled": "Ended",
    "incomplete": "Waiting for the first payment",
    "incomplete_expired": "Never started",
    "past_due": "Payment overdue",
    "paused": "Paused",
    "trialing": "Trial",
    "unpaid": "Unpaid",
}
_RUNNING: Final = frozenset({"active", "past_due", "trialing", "unpaid", "paused"})
_SAID: Final = {
    "ending": "Done. The subscription ends with its current period.",
    "kept": "Done. The subscription goes on.",
    "card": "Done. Future payments use the new card.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanView:
    """One subscription, ready to print."""

    id: str
    name: str
    price: str
    every: str | None
    status: str
    until: str | None
    is_ending: bool
    is_running: bool
    card: str | None


def add_portal(pages: Blueprint, portal: Portal) -> None:
    """Add the portal's routes to the pages."""

    @pages.get("/p/session/<portal_id>")
    def portal_home(portal_id: str) -> AnyResponse:
        session = portal.portal_session(portal_id)
        page = render_template(
            "test_bank/portal.html",
            portal_id=portal_id,
            plans=[_plan(subscription) for subscription in portal.portal_subscriptions(portal_id)],
            return_url=page_views.safe_link(session.get("return_url")),
            said=_SAID.get(request.args.get("done", "")),
        )
        return make_response(page)

    @pages.post("/p/session/<portal_id>/cancel")
    def portal_cancel(portal_id: str) -> AnyResponse:
        portal.portal_cancel(portal_id, request.form.get("subscription", ""))
        return _home(portal_id, "ending")

    @pages.post("/p/session/<portal_id>/resume")
    def portal_resume(portal_id: str) -> AnyResponse:
        portal.portal_resume(portal_id, request.form.get("subscription", ""))
        return _home(portal_id, "kept")

    _add_card_routes(pages, portal)


def _add_card_routes(pages: Blueprint, portal: Portal) -> None:
    @pages.get("/p/session/<portal_id>/card")
    def portal_card(portal_id: str) -> AnyResponse:
        portal.portal_session(portal_id)
        card = page_views.card_of_last4(request.args.get("card", ""))
        typed = filled_with(card, _today(portal)) if card else {}
        declined = page_views.decline_sentence(request.args.get("declined"))
        return _card_page(portal, portal_id, typed=typed, decline=declined)

    @pages.post("/p/session/<portal_id>/card")
    def portal_card_submitted(portal_id: str) -> AnyResponse:
        portal.portal_session(portal_id)
        form = read_card_form(request.form, today=_today(portal), asks_email=False)
        if not isinstance(form, CardForm):
            return _card_page(portal, portal_id, typed=kept_of(request.form), problems=form)
        result = portal.portal_update_card(
            portal_id,
            number=form.card.number,
            exp_month=form.exp_month,
            exp_year=form.exp_year,
            cvc=form.cvc,
            name=form.name,
        )
        if result.kind == "paid":
            return _home(portal_id, "card")
        reason = result.decline_code or form.card.code or page_views.GENERIC_DECLINE
        return redirect(url_for("pages.portal_card", portal_id=portal_id, declined=reason), code=303)


def _card_page(
    portal: Portal,
    portal_id: str,
    *,
    typed: dict[str, str],
    problems: Problems | None = None,
    decline: str | None = None,
) -> AnyResponse:
    page = render_template(
        "test_bank/portal_card.html",
        portal_id=portal_id,
        typed=typed,
        problems=problems or {},
        decline=decline,
        card_lists=page_views.card_lists(),
        today=_today(portal),
    )
    return make_response(page, 422 if problems else 200)


def _home(portal_id: str, done: str) -> AnyResponse:
    return redirect(url_for("pages.portal_home", portal_id=portal_id, done=done), code=303)


def _today(portal: Portal) -> date:
    return datetime.fromtimestamp(portal.clock.now(), UTC).date()


def _plan(subscription: Wire) -> PlanView:
    items = subscription["items"]["data"]
    price = items[0]["price"]
    card = (subscription.get("default_payment_method") or {}).get("card")
    ends_at = subscription.get("ended_at") or max(item["current_period_end"] for item in items)
    amount = sum((item["price"]["unit_amount"] or 0) * (item.get("quantity") or 1) for item in items)
    return PlanView(
        id=subscription["id"],
        name=subscription.get("description") or price.get("nickname") or "Subscription",
        price=page_views.amount_text(amount, subscription["currency"]),
        every=page_views.every_text(price.get("recurring")),
        status=_STATUSES.get(subscription["status"], "Unknown"),
        until=page_views.day_text(ends_at),
        is_ending=bool(subscription.get("cancel_at_period_end")),
        is_running=subscription["status"] in _RUNNING,
        card=f"{page_views.brand_name(card['brand'])} ending in {card['last4']}" if card else None,
    )
