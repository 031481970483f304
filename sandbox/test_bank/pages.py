"""The bank's pages for people: pay by card or bank debit, answer a 3-D Secure challenge, and what follows from them.

Every page works without script. A POST that did something answers 303, so that a reload repeats nothing; one that did
nothing (a field is wrong) answers 422 with the form. The way back to the shop is a page of its own, because the
policy's `form-action 'self'` stops a form whose answer redirects to another origin (measured in Chromium): it leads on
by a refresh, and by a link for whoever has refreshes switched off.

Card numbers come in with one request and stay in it: they are neither logged nor stored, and only a listed test card's
stands in the form again.
"""

from datetime import UTC, date, datetime
from typing import Final, Literal, Protocol
from urllib.parse import urlsplit

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from sandbox.test_bank import page_frame, page_views
from sandbox.test_bank.desk import Command, Desk, Hall, PayAnswer, Portal
from sandbox.test_bank.front import add_front
from sandbox.test_bank.page_forms import CardForm, Problems, filled_with, kept_of, read_card_form
from sandbox.test_bank.portal import add_portal

_DEBIT_OUTCOMES: Final[dict[str, Literal["succeed", "fail"]]] = {"succeed": "succeed", "fail": "fail"}


class BankOfPages(Desk, Hall, Protocol):
    """The bank as all of its pages together know it."""


def build(bank: BankOfPages, *, command: Command | None = None, portal: Portal | None = None) -> Blueprint:
    """Return the blueprint with the front page, the checkout and the challenge.

    Args:
        bank: the bank.
        command: takes the orders of the control panel; without it there is no panel.
        portal: the customer portal's side of the bank; without it there is no portal.
    """
    pages = Blueprint("pages", __name__, template_folder="templates")
    page_frame.install(pages)
    add_front(pages, bank, command)
    _add_checkout(pages, bank)
    _add_challenge(pages, bank)
    if portal is not None:
        add_portal(pages, portal)
    return pages


def _add_checkout(pages: Blueprint, bank: Desk) -> None:
    @pages.get("/c/pay/<session_id>")
    def pay(session_id: str) -> AnyResponse:
        view = page_views.view_of(bank.checkout_session(session_id))
        card = page_views.card_of_last4(request.args.get("card", ""))
        return _pay_page(bank, view, typed=filled_with(card, _today(bank)) if card else {})

    @pages.post("/c/pay/<session_id>")
    def pay_submitted(session_id: str) -> AnyResponse:
        view = page_views.view_of(bank.checkout_session(session_id))
        if view.status != "open":
            return _onward(session_id)
        if request.form.get("method") == "debit":
            return _pay_by_debit(bank, view)
        return _pay_by_card(bank, view)

    @pages.get("/c/pay/<session_id>/return")
    def leave(session_id: str) -> AnyResponse:
        view = page_views.view_of(bank.checkout_session(session_id))
        if view.status != "complete":
            return _back_to_form(session_id)
        return make_response(render_template("test_bank/leave.html", view=view))

    @pages.get("/c/expired")
    def expired() -> AnyResponse:
        return make_response(render_template("test_bank/expired.html"))


def _add_challenge(pages: Blueprint, bank: Desk) -> None:
    @pages.get("/3ds/<challenge_id>")
    def challenge(challenge_id: str) -> AnyResponse:
        asked = bank.challenge(challenge_id)
        amount = page_views.amount_text(asked["amount"], asked["currency"]) if asked.get("amount") else None
        brand = page_views.brand_name(asked.get("brand") or "")
        return make_response(render_template("test_bank/challenge.html", asked=asked, amount=amount, brand=brand))

    @pages.post("/3ds/<challenge_id>")
    def challenge_answered(challenge_id: str) -> AnyResponse:
        asked = bank.challenge(challenge_id)
        answer = request.form.get("answer")
        if answer not in {"complete", "fail"}:
            return redirect(url_for("pages.challenge", challenge_id=challenge_id), code=303)
        result = bank.answer_challenge(challenge_id, passed=answer == "complete")
        if asked.get("session") is None:
            return redirect(url_for("pages.challenge", challenge_id=challenge_id), code=303)
        if result.kind == "declined" and answer == "fail":
            return _back_to_form(asked["session"], declined=page_views.CHALLENGE_FAILED)
        return _follow(result, asked["session"])


def _pay_by_card(bank: Desk, view: page_views.SessionView) -> AnyResponse:
    form = read_card_form(request.form, today=_today(bank), asks_email=view.asks_email)
    if not isinstance(form, CardForm):
        return _pay_page(bank, view, typed=kept_of(request.form), problems=form)
    result = bank.pay_by_card(
        view.id,
        number=form.card.number,
        exp_month=form.exp_month,
        exp_year=form.exp_year,
        cvc=form.cvc,
        name=form.name,
        email=form.email,
    )
    return _follow(result, view.id, reason=form.card.code)


def _pay_by_debit(bank: Desk, view: page_views.SessionView) -> AnyResponse:
    outcome = _DEBIT_OUTCOMES.get(request.form.get("outcome", ""))
    if not view.takes_debit or outcome is None:
        return _pay_page(bank, view, typed={}, problems={"outcome-succeed": "Choose how the debit ends."})
    return _follow(bank.pay_by_bank(view.id, outcome=outcome), view.id)


def _today(bank: Desk) -> date:
    return datetime.fromtimestamp(bank.clock.now(), UTC).date()


def _follow(result: PayAnswer, session_id: str, *, reason: str | None = None) -> AnyResponse:
    """Lead to what came of a try: the way back to the shop, the challenge, or the form with the reason.

    A mistyped number is declined without a decline code; `reason` is the word for it then.
    """
    match result.kind:
        case "challenge" if result.redirect_url is not None:
            # The path alone: the origin that the bank knows itself by may have another name than the browser's.
            return redirect(urlsplit(result.redirect_url).path, code=303)
        case "declined":
            return _back_to_form(session_id, declined=result.decline_code or reason or page_views.GENERIC_DECLINE)
        case _:
            return _onward(session_id)


def _onward(session_id: str) -> AnyResponse:
    return redirect(url_for("pages.leave", session_id=session_id), code=303)


def _back_to_form(session_id: str, *, declined: str | None = None) -> AnyResponse:
    return redirect(url_for("pages.pay", session_id=session_id, declined=declined), code=303)


def _pay_page(
    bank: Desk, view: page_views.SessionView, *, typed: dict[str, str], problems: Problems | None = None
) -> Response:
    """Print the session as it is: the form while it is open, else the truth about it."""
    if view.status != "open":
        return make_response(render_template("test_bank/closed.html", view=view))
    is_debit = view.takes_debit and (request.args.get("method") == "debit" or request.form.get("method") == "debit")
    page = render_template(
        "test_bank/pay.html",
        view=view,
        typed=typed,
        problems=problems or {},
        decline=None if problems else page_views.decline_sentence(request.args.get("declined")),
        is_abandoned="left" in request.args,
        is_debit=is_debit,
        card_lists=page_views.card_lists(),
        today=_today(bank),
    )
    return make_response(page, 422 if problems else 200)
