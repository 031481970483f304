"""The routes of the checkout page. A view parses, calls one verb, renders; what is shown is decided elsewhere."""

import hashlib
import json
from urllib.parse import urlsplit

from flask import Blueprint, Response, abort, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from gateway.engine.page import CheckoutPage, CheckoutVerbs
from gateway.kernel.clock import Clock
from gateway.kernel.errors import (
    CallerError,
    ConflictError,
    ErrorCode,
    GatewayError,
    InvalidRequestError,
    NotFoundError,
    RateLimitedError,
    WorldError,
)
from gateway.kernel.log import Log
from hosted_checkout.checkout.gallery import add_gallery_routes
from hosted_checkout.checkout.giving import read_choice
from hosted_checkout.checkout.presentation import PageView, view_of
from hosted_checkout.checkout.rendering import SandboxWallet, page_language, render_page
from hosted_checkout.checkout.sentences import page_problem, problem_sentence
from hosted_checkout.checkout.wallet import add_wallet_routes
from hosted_checkout.i18n import asked_language, use_session_locale
from hosted_checkout.security import is_same_origin
from hosted_checkout.theme import theme_name, theme_of_name

log = Log("checkout")


def checkout_blueprint(
    verbs: CheckoutVerbs,
    *,
    clock: Clock,
    sandbox_wallet: SandboxWallet | None = None,
    form_action: tuple[str, ...] = (),
) -> Blueprint:
    """Return every route of the door.

    Args:
        verbs: the engine.
        clock: says what is over.
        form_action: the origins to which the policy lets a form lead: those of providers' pages.
        sandbox_wallet: given in test mode on the local chain only; adds the test wallet and `/dev/states`.
    """
    blueprint = Blueprint("checkout", __name__)
    add_page_routes(blueprint, verbs, clock, sandbox_wallet)
    add_form_routes(blueprint, verbs)
    add_provider_routes(blueprint, verbs, form_action)
    add_wallet_routes(blueprint, verbs)
    _add_theme_route(blueprint)
    blueprint.before_request(_refuse_other_sites)
    blueprint.register_error_handler(GatewayError, _answer_error)
    if sandbox_wallet is not None:
        add_gallery_routes(blueprint, clock, sandbox_wallet)
    return blueprint


def add_page_routes(
    blueprint: Blueprint, verbs: CheckoutVerbs, clock: Clock, sandbox_wallet: SandboxWallet | None
) -> None:
    """Add the page and its status."""

    @blueprint.get("/pay/<token>")
    def pay(token: str) -> Response:
        page = _read(verbs, token)
        view = view_of(page, clock.now(), _page_url(token))
        is_offered = sandbox_wallet is not None and not page.livemode
        return render_page(view, sandbox_wallet=sandbox_wallet if is_offered else None)

    @blueprint.get("/pay/<token>/status")
    def status(token: str) -> AnyResponse:
        view = view_of(_read(verbs, token), clock.now(), _page_url(token))
        return _status_response(view)


def add_form_routes(blueprint: Blueprint, verbs: CheckoutVerbs) -> None:
    """Add what the page's forms do; each leads back to the page (303), so a reload repeats nothing."""

    @blueprint.post("/pay/<token>/renew")
    def renew(token: str) -> AnyResponse:
        verbs.renew_quote(token)
        return _back_to_page(token)

    @blueprint.post("/pay/<token>/gift")
    def gift(token: str) -> AnyResponse:
        choice = read_choice(request.form.get("gift", ""))
        try:
            if choice is None:
                verbs.drop_gift(token)
            else:
                verbs.choose_gift(token, *choice)
        except (ConflictError, InvalidRequestError, WorldError) as error:
            log.warning("gift_not_changed", code=error.code)
            is_ours = isinstance(error, CallerError)
            return _back_to_page(token, problem=error.code.value if is_ours else "page_not_closed")
        return _back_to_page(token)

    @blueprint.post("/pay/<token>/extend")
    def extend(token: str) -> AnyResponse:
        verbs.extend(token)
        return _back_to_page(token)

    @blueprint.post("/pay/<token>/cancel")
    def cancel(token: str) -> AnyResponse:
        try:
            verbs.cancel(token)
        except WorldError as error:  # only a provider's page that does not close makes the world fail here
            log.warning("page_not_closed", code=error.code)
            return _back_to_page(token, problem="page_not_closed")
        return _back_to_page(token)


def add_provider_routes(blueprint: Blueprint, verbs: CheckoutVerbs, form_action: tuple[str, ...]) -> None:
    """Add the choice of a way to pay, which may lead to a provider's page, and the way back from there."""

    @blueprint.post("/pay/<token>/method")
    def method(token: str) -> AnyResponse:
        chosen = request.form.get("method", "")
        page = _read(verbs, token)
        offered = next((one for one in page.methods if one.id == chosen), None)
        if offered is None:  # a page that stood open for long, in another tab perhaps
            code = ErrorCode.METHOD_UNAVAILABLE if page.methods else ErrorCode.PAYMENT_NOT_PAYABLE
            return _back_to_page(token, problem=code.value)
        if not offered.is_hosted:
            verbs.choose_method(token, chosen)
            return _back_to_page(token)
        try:
            return _lead_to(verbs.redirect(token, chosen), form_action)
        except (ConflictError, WorldError) as error:
            log.warning("provider_page_not_opened", session_id=page.session_id, code=error.code)
            return _back_to_page(token, problem=page_problem(error))

    @blueprint.get("/pay/<token>/return")
    def come_back(token: str) -> AnyResponse:
        """Take the shopper back. What the address says of the payment counts for nothing: the provider is asked."""
        try:
            verbs.returned(token)
        except (RateLimitedError, WorldError) as error:
            log.warning("return_not_read", code=error.code)  # a notification or the sweep will tell
        return _back_to_page(token)


def _lead_to(url: str, form_action: tuple[str, ...]) -> AnyResponse:
    """Lead to a provider's page: at once where the policy lets a form go, else by a page in between.

    Chromium stops a form's redirect to an origin that `form-action` does not name; a provider may give its page any
    name, for example one of the merchant's own.
    """
    parts = urlsplit(url)
    if f"{parts.scheme}://{parts.netloc}" in form_action:
        return redirect(url, code=303)
    language = page_language()
    theme_url = url_for("checkout.theme", name=theme_name(None))
    return make_response(
        render_template("checkout/leave.html", url=url, host=parts.netloc, theme_url=theme_url, **language)
    )


def _read(verbs: CheckoutVerbs, token: str) -> CheckoutPage:
    page = verbs.page(token)
    use_session_locale(page.locale)
    return page


def _page_url(token: str) -> str:
    return url_for("checkout.pay", token=token, _external=True)


def _status_response(view: PageView) -> AnyResponse:
    """Answer the state as JSON, or 304; the tag covers language and time too, because the body does."""
    body = json.dumps(
        {
            "state": view.status.state,
            "tone": view.status.tone,
            "title": view.title,
            "sentence": view.status.sentence,
            "final": view.is_final,
            "fingerprint": view.fingerprint,
        },
        ensure_ascii=False,
    )
    response = Response(body, mimetype="application/json")
    response.set_etag(hashlib.sha256(body.encode()).hexdigest()[:20])
    response.headers["Cache-Control"] = "no-store"
    return response.make_conditional(request)


def _back_to_page(token: str, problem: str | None = None) -> AnyResponse:
    return redirect(url_for("checkout.pay", token=token, lang=asked_language(), problem=problem), code=303)


def _add_theme_route(blueprint: Blueprint) -> None:
    @blueprint.get("/theme/<name>")
    def theme(name: str) -> Response:
        css = theme_of_name(name)
        if css is None:
            abort(404)
        response = Response(css, mimetype="text/css")
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def _refuse_other_sites() -> AnyResponse | None:
    """Refuse a command that another site's page sends, except where every wallet may ask (Solana Pay)."""
    is_open_to_all = request.endpoint is not None and request.endpoint.endswith(("solana_pay", "solana_pay_build"))
    if request.method == "POST" and not is_open_to_all and not is_same_origin():
        log.warning("cross_site_refused", endpoint=request.endpoint)
        return Response(status=403)
    return None


def _answer_error(error: GatewayError) -> AnyResponse:
    """Answer for the door: JSON to the script, the page itself to a form, a page of its own to a wrong address."""
    token = (request.view_args or {}).get("token")
    if not isinstance(error, CallerError):
        log.warning("checkout_world_error", code=error.code, endpoint=request.endpoint)
    if "/wallet/" in request.path or request.path.startswith("/solana/") or request.path.endswith("/status"):
        return _json_error(error)
    if (
        request.method == "POST"
        and token is not None
        and isinstance(error, ConflictError | RateLimitedError | WorldError)
    ):
        return _back_to_page(token, problem=error.code.value)
    status = error.status if isinstance(error, NotFoundError) else max(error.status, 400)
    return make_response(
        render_template(
            "checkout/gone.html",
            theme_url=url_for("checkout.theme", name=theme_name(None)),
            is_unknown=isinstance(error, NotFoundError),
            **page_language(),
        ),
        status,
    )


def _json_error(error: GatewayError) -> AnyResponse:
    body = {"code": error.code.value, "message": problem_sentence(error.code.value), "retryable": error.retryable}
    response = Response(json.dumps(body, ensure_ascii=False), status=error.status, mimetype="application/json")
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response
