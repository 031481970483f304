"""The routes of receipts, statements and stop links. The token in an address is the only key, and opens one thing."""

from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, Response, jsonify, make_response, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from donation_widget.presentation import frequency_words
from donation_widget.receipts_papers import Paper, Rows, receipt_paper, statement_paper
from donation_widget.receipts_pdf import pdf_of
from gateway.engine.donations.pledges import Pledges, PledgeView
from gateway.engine.donations.receipts import (
    Receipts,
    ReceiptView,
    StatementView,
    receipt_object,
)
from gateway.engine.donations.stopping import Stopping
from gateway.kernel.errors import ConflictError, GatewayError, NotFoundError, WorldError
from gateway.kernel.log import Log
from hosted_checkout.i18n import asked_language, direction, locale, money_text, use_session_locale
from hosted_checkout.i18n import gettext as _
from hosted_checkout.theme import theme_name

log = Log("donation_widget")

OK = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class StopView:
    """The page of a stop link; `problem` says why it did not work."""

    title: str
    sentence: str
    rows: Rows
    button: str
    can_stop: bool
    problem: str | None


def receipts_blueprint(receipts: Receipts, pledges: Pledges, stopping: Stopping) -> Blueprint:
    """Return every route of the door."""
    blueprint = Blueprint("receipts", __name__, template_folder="templates")
    _add_receipt_routes(blueprint, receipts)
    _add_statement_routes(blueprint, receipts)
    _add_stop_routes(blueprint, pledges, stopping)
    blueprint.register_error_handler(GatewayError, _answer_error)
    return blueprint


def _add_receipt_routes(blueprint: Blueprint, receipts: Receipts) -> None:
    def found(token: str) -> ReceiptView:
        view = receipts.by_token(token)
        use_session_locale(view.donation.locale)
        return view

    @blueprint.get("/donations/receipt/<token>")
    def receipt(token: str) -> AnyResponse:
        paper = receipt_paper(found(token))
        return _page(paper, url_for("receipts.receipt_pdf", token=token, lang=asked_language()))

    @blueprint.get("/donations/receipt/<token>.pdf")
    def receipt_pdf(token: str) -> AnyResponse:
        view = found(token)
        return _pdf(receipt_paper(view), issued_at=view.changed_at)

    @blueprint.get("/donations/receipt/<token>.json")
    def receipt_json(token: str) -> AnyResponse:
        view = found(token)
        donor = {"name": view.donor_name, "address": view.donor_address}
        return jsonify(receipt_object(view) | {"donor": donor})


def _add_statement_routes(blueprint: Blueprint, receipts: Receipts) -> None:
    def found(token: str, year: int) -> StatementView:
        view = receipts.statement(token, year)
        use_session_locale(view.lines[-1].donation.locale)
        return view

    @blueprint.get("/donations/statement/<token>/<int:year>")
    def statement(token: str, year: int) -> AnyResponse:
        paper = statement_paper(found(token, year))
        return _page(paper, url_for("receipts.statement_pdf", token=token, year=year, lang=asked_language()))

    @blueprint.get("/donations/statement/<token>/<int:year>.pdf")
    def statement_pdf(token: str, year: int) -> AnyResponse:
        view = found(token, year)
        return _pdf(statement_paper(view), issued_at=view.changed_at)


def _add_stop_routes(blueprint: Blueprint, pledges: Pledges, stopping: Stopping) -> None:
    @blueprint.get("/donations/stop/<token>")
    def stop_page(token: str) -> AnyResponse:
        """Show what would be stopped: programs that look at every link of a mail must stop nothing."""
        return _stop_page(pledges.by_token(token))

    @blueprint.post("/donations/stop/<token>")
    def stop(token: str) -> AnyResponse:
        """Stop it: by the page's button, or by a mail program's (RFC 8058), which sends no cookie and no origin."""
        try:
            return _stop_page(stopping.stop(token))
        except (ConflictError, WorldError) as error:
            log.warning("pledge_not_stopped", code=error.code)
            return _stop_page(pledges.by_token(token), has_failed=True)


def _stop_page(view: PledgeView, *, has_failed: bool = False) -> AnyResponse:
    use_session_locale(view.pledge.locale)
    status = WorldError.status if has_failed else OK
    return _rendered("receipts/stop.html", status=status, view=_stop_view(view, has_failed=has_failed))


def _stop_view(view: PledgeView, *, has_failed: bool) -> StopView:
    is_stopped = view.pledge.stopped_at is not None
    ended = _("It is stopped. Nothing more is charged, and no reminder comes.")
    asked = _("Do you want to stop this regular gift? What you gave stays given.")
    return StopView(
        title=_("Your regular gift is stopped") if is_stopped else _("Stop a regular gift"),
        sentence=ended if is_stopped else asked,
        rows=[
            (_("Given to"), view.charity_name),
            (_("Campaign"), view.campaign.title),
            (_("Amount"), money_text(view.pledge.amount)),
            (_("How often"), frequency_words()[view.pledge.frequency]),
            (_("Given so far"), money_text(view.given)),
        ],
        button=_("Stop it now"),
        can_stop=not is_stopped,
        problem=_("It could not be stopped now. Try again in a few minutes.") if has_failed else None,
    )


def _page(paper: Paper, pdf_url: str) -> AnyResponse:
    return _rendered("receipts/paper.html", paper=paper, pdf_url=pdf_url)


def _pdf(paper: Paper, *, issued_at: datetime) -> AnyResponse:
    content = pdf_of(paper, language=str(locale().language), is_rtl=direction() == "rtl", issued_at=issued_at)
    response = Response(content, mimetype="application/pdf")
    response.headers["Content-Disposition"] = f'inline; filename="{paper.name}.pdf"'
    return response


def _rendered(template: str, *, status: int = OK, **values: object) -> AnyResponse:
    language = {
        "language": str(locale().language),
        "direction": direction(),
        "theme_url": url_for("checkout.theme", name=theme_name(None)),
    }
    return make_response(render_template(template, **language, **values), status)


def _answer_error(error: GatewayError) -> AnyResponse:
    if not isinstance(error, NotFoundError):
        log.warning("receipt_not_shown", code=error.code, endpoint=request.endpoint)
    return _rendered("receipts/gone.html", status=error.status)
