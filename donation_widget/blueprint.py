"""The routes of campaigns. A view parses, calls one verb, renders; each may be framed by the campaign's own sites."""

import hashlib
import json
from dataclasses import dataclass, replace

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from donation_widget.embedding import add_embed_routes
from donation_widget.form import Reading, Written
from donation_widget.framing import Place, place_of
from donation_widget.presentation import GiftView, campaign_view, gift_view, offered_languages
from donation_widget.tokens import ASKABLE, FormTokens
from donation_widget.visitors import client_address
from gateway.domain.giving_limits import Admission, is_proof
from gateway.engine.donations.giving import Giving, NewGift
from gateway.engine.donations.guard import Guard, Verdict, Visitor
from gateway.engine.donations.pledges import PledgeRecord, Pledges
from gateway.engine.donations.records import CampaignRecord
from gateway.engine.donations.showing import CampaignPage, GiftPage, Showing
from gateway.kernel.clock import Clock
from gateway.kernel.errors import (
    CallerError,
    ConflictError,
    ErrorCode,
    GatewayError,
    InvalidRequestError,
    NotFoundError,
    RateLimitedError,
)
from gateway.kernel.log import Log
from hosted_checkout.i18n import asked_language, direction, locale, use_session_locale
from hosted_checkout.i18n import gettext as _
from hosted_checkout.security import is_same_origin
from hosted_checkout.theme import theme_name

log = Log("donation_widget")

UNPROCESSABLE = 422
TOO_MANY = 429
RETRY_AFTER_S = "20"


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """What the views work with."""

    showing: Showing
    giving: Giving
    pledges: Pledges
    guard: Guard
    tokens: FormTokens
    clock: Clock
    proxies: int


def donation_blueprint(door: Door, *, base_url: str) -> Blueprint:
    """Return every route of the door; `base_url` is the gateway's public origin, which printed codes carry."""
    blueprint = Blueprint("donations", __name__, template_folder="templates")
    _add_campaign_routes(blueprint, door)
    _add_gift_routes(blueprint, door)
    add_embed_routes(blueprint, door.showing, base_url)
    blueprint.before_request(_refuse_other_sites)
    blueprint.register_error_handler(GatewayError, _answer_error)
    return blueprint


def _add_campaign_routes(blueprint: Blueprint, door: Door) -> None:
    @blueprint.get("/donate/<campaign_id>")
    def campaign(campaign_id: str) -> AnyResponse:
        page = _campaign(door, campaign_id)
        return _form_page(door, page, Written.asked(request.args, page.campaign))

    @blueprint.post("/donate/<campaign_id>")
    def give(campaign_id: str) -> AnyResponse:
        page = _campaign(door, campaign_id)
        written = Written.of(request.form)
        if not page.campaign.is_open(door.clock.now()):
            return _form_page(door, page, written, status=ConflictError.status)
        try:
            form_id = door.tokens.read(request.form.get("form", ""), campaign_id)
        except InvalidRequestError as error:
            return _form_page(door, page, written, problem=_expired(), status=error.status)
        reading = Reading(page.campaign, written, _pledge(door, page, written))
        gift = reading.gift(form_id, locale=str(locale().language))
        if gift is None:
            return _form_page(door, page, written, problems=reading.problems, form=request.form["form"])
        return _given(door, page, written, gift)

    @blueprint.get("/donate/<campaign_id>/forms/<form>")
    def form_status(campaign_id: str, form: str) -> AnyResponse:
        """Tell the framed form where its gift's page is, once another window has sent it."""
        page = _campaign(door, campaign_id)
        form_id = door.tokens.read(form, campaign_id, lifetime=ASKABLE)
        gift = door.showing.gift_of_form(campaign_id, form_id)
        place = place_of(page.campaign)
        return _conditional({"page": None if gift is None else _thanks_url(campaign_id, gift.token, place)})


def _add_gift_routes(blueprint: Blueprint, door: Door) -> None:
    @blueprint.get("/donate/<campaign_id>/thanks/<token>")
    def thanks(campaign_id: str, token: str) -> AnyResponse:
        page = _gift(door, campaign_id, token)
        view, place = gift_view(page), place_of(page.campaign)
        return _rendered(
            "donate/thanks.html",
            place,
            view=view,
            theme_url=_theme_url(page.brand_color),
            status_url=url_for("donations.gift_status", campaign_id=campaign_id, token=token, lang=asked_language()),
            pay_url=url_for("checkout.pay", token=token, lang=asked_language()),
            campaign_url=_campaign_url(campaign_id, place),
            receipt_url=_receipt_url(page),
        )

    @blueprint.get("/donate/<campaign_id>/thanks/<token>/status")
    def gift_status(campaign_id: str, token: str) -> AnyResponse:
        return _conditional(_status_of(gift_view(_gift(door, campaign_id, token))))


def _given(door: Door, page: CampaignPage, written: Written, gift: NewGift) -> AnyResponse:
    """Give, and lead to the payment page; say why not, with everything that was written still there."""
    before = door.showing.sent(gift.form_id)
    if before is not None and before != replace(gift, locale=before.locale, pledge_id=before.pledge_id):
        # The donor went back and changed his mind: the same form gives the same gift, so this one needs its own.
        return _form_page(door, page, written, problem=_changed(), status=ConflictError.status)
    if before is None:
        verdict = _admitted(door, page, gift)
        if verdict.admission is not Admission.ADMITTED:
            return _not_admitted(door, page, written, verdict)
    try:
        session = door.giving.give(page.campaign, gift)
    except (InvalidRequestError, ConflictError, RateLimitedError) as error:
        log.warning("gift_refused", campaign_id=page.campaign.id, code=error.code)
        problem = None if error.code is ErrorCode.CAMPAIGN_CLOSED else _later()
        return _form_page(door, _campaign(door, page.campaign.id), written, problem=problem, status=error.status)
    if before is None:
        door.guard.begun(verdict, session)
    return redirect(url_for("checkout.pay", token=session.token, lang=asked_language()), code=303)


def _admitted(door: Door, page: CampaignPage, gift: NewGift) -> Verdict:
    """Ask the guard; under attack, whether the browser has done its work on this very form."""
    form, answer = request.form["form"], request.form.get("proof", "")
    visitor = Visitor(address=client_address(request, door.proxies), email=gift.donor.email)
    return door.guard.admit(page.campaign, visitor, lambda bits: is_proof(form, answer, bits))


def _not_admitted(door: Door, page: CampaignPage, written: Written, verdict: Verdict) -> AnyResponse:
    """Keep all that was written; let the browser do the work that is asked for, or say when to try again."""
    if verdict.admission is Admission.PROOF_NEEDED:
        work, form = verdict.bits, request.form["form"]
        return _form_page(door, page, written, problem=_busy(), form=form, work=work, status=TOO_MANY)
    response = _form_page(door, page, written, problem=_later(), status=TOO_MANY)
    response.headers["Retry-After"] = RETRY_AFTER_S
    return response


def _form_page(
    door: Door,
    page: CampaignPage,
    written: Written,
    *,
    problems: dict[str, str] | None = None,
    problem: str | None = None,
    form: str | None = None,
    work: int | None = None,
    status: int | None = None,
) -> AnyResponse:
    """Render the page; a form that was refused keeps its token where that is still good.

    `work`: how many bits of work the browser has to do on the token before the form is taken.
    """
    view, place = campaign_view(page, door.clock.now()), place_of(page.campaign)
    token = form or door.tokens.issue(page.campaign.id)
    return _rendered(
        "donate/campaign.html",
        place,
        status=status or (UNPROCESSABLE if problems else 200),
        view=view,
        written=written,
        problems=problems or {},
        problem=problem,
        form_token=token,
        work=work,
        keeps_promise=_pledge(door, page, written) is not None,
        theme_url=_theme_url(page.brand_color),
        form_url=url_for("donations.give", campaign_id=page.campaign.id, lang=asked_language()),
        form_status_url=url_for(
            "donations.form_status", campaign_id=page.campaign.id, form=token, **place.query, lang=asked_language()
        ),
        campaign_url=_campaign_url(page.campaign.id, place),
    )


def _pledge(door: Door, page: CampaignPage, written: Written) -> PledgeRecord | None:
    """Return the promise that a reminder's link speaks of; None for a link that is not good, as without one."""
    return door.pledges.by_link(written.pledge, page.campaign.id) if written.pledge else None


def _expired() -> str:
    return _("This form was open for too long, or was changed on its way. Look it over and send it again.")


def _changed() -> str:
    return _("You had sent this form already, with other words or another amount. Send it again to give as it is now.")


def _busy() -> str:
    return _("Somebody misuses this form right now. Your browser works for a moment, then sends your gift by itself.")


def _later() -> str:
    return _("Your gift could not be taken now. Nothing was charged. Try again in a few minutes.")


def _campaign(door: Door, campaign_id: str) -> CampaignPage:
    page = door.showing.campaign(campaign_id)
    _speak(page.campaign, None)
    return page


def _gift(door: Door, campaign_id: str, token: str) -> GiftPage:
    page = door.showing.gift(campaign_id, token)
    _speak(page.campaign, page.locale)
    return page


def _speak(campaign: CampaignRecord, known: str | None) -> None:
    """Speak the language of the gift, else the one among the campaign's that the browser likes best."""
    offered = offered_languages(campaign)
    use_session_locale(known or request.accept_languages.best_match(offered, offered[0]), offered=offered)


def _campaign_url(campaign_id: str, place: Place) -> str:
    return url_for("donations.campaign", campaign_id=campaign_id, **place.query, lang=asked_language())


def _thanks_url(campaign_id: str, token: str, place: Place) -> str:
    return url_for("donations.thanks", campaign_id=campaign_id, token=token, **place.query, lang=asked_language())


def _receipt_url(page: GiftPage) -> str | None:
    if page.receipt_token is None:
        return None
    return url_for("receipts.receipt", token=page.receipt_token, lang=asked_language())


def _theme_url(brand_color: str | None) -> str:
    return url_for("checkout.theme", name=theme_name(brand_color))


def _rendered(template: str, place: Place, *, status: int = 200, **values: object) -> AnyResponse:
    language = {"language": str(locale().language), "direction": direction(), "asked_language": asked_language()}
    response = make_response(render_template(template, place=place, **language, **values), status)
    place.allow_framing(response)
    return response


def _status_of(view: GiftView) -> dict[str, object]:
    return {
        "state": view.state,
        "tone": view.tone,
        "sentence": view.sentence,
        "final": view.is_final,
        "fingerprint": view.fingerprint,
    }


def _conditional(body: dict[str, object]) -> AnyResponse:
    """Answer as JSON, or 304."""
    text = json.dumps(body, ensure_ascii=False)
    response = Response(text, mimetype="application/json")
    response.set_etag(hashlib.sha256(text.encode()).hexdigest()[:20])
    response.headers["Cache-Control"] = "no-store"
    return response.make_conditional(request)


def _refuse_other_sites() -> AnyResponse | None:
    """Refuse a form that another site's page sends: its pages lead to ours, where the donor sees what he gives."""
    if request.method == "POST" and not is_same_origin():
        log.warning("cross_site_refused", endpoint=request.endpoint)
        return Response(status=403)
    return None


def _answer_error(error: GatewayError) -> AnyResponse:
    """Answer for the door: JSON to the script, a page of its own to a wrong address."""
    if not isinstance(error, CallerError):
        log.warning("donation_world_error", code=error.code, endpoint=request.endpoint)
    if request.endpoint in {"donations.form_status", "donations.gift_status"}:
        return Response(json.dumps({"code": error.code.value}), status=error.status, mimetype="application/json")
    return _rendered(
        "donate/gone.html",
        Place(),
        status=error.status,
        theme_url=_theme_url(None),
        is_unknown=isinstance(error, NotFoundError),
    )
