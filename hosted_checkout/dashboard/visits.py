"""Sign-in: a link that works once becomes a cookie; without one, every page says how to get a link."""

from http import HTTPStatus
from typing import Final

from flask import Blueprint, Response, abort, g, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from gateway.engine.records import Owner
from gateway.engine.staff import LIFETIME, Staff
from hosted_checkout.i18n import use_session_locale
from hosted_checkout.security import is_same_origin
from hosted_checkout.theme import theme_name

OPEN_TO_ALL: Final = frozenset({"dashboard.enter_page", "dashboard.enter"})


def add_visit_routes(blueprint: Blueprint, staff: Staff, *, is_secure: bool) -> None:
    """Add what lets staff in and out, and stand before every other route.

    Args:
        blueprint: the dashboard.
        staff: the engine's verbs.
        is_secure: the gateway is reached by HTTPS alone, so its cookies travel by it alone.
    """
    cookie = "__Host-streampay-staff" if is_secure else "streampay-staff"

    @blueprint.before_request
    def admit() -> AnyResponse | None:
        use_session_locale("en")
        if request.method == "POST" and not is_same_origin():
            abort(HTTPStatus.FORBIDDEN)
        if request.endpoint in OPEN_TO_ALL:
            return None
        g.visit = staff.visit(request.cookies.get(cookie, ""))
        return None if g.visit is not None else render("outside.html", status=HTTPStatus.UNAUTHORIZED)

    @blueprint.get("/enter/<link>")
    def enter_page(link: str) -> AnyResponse:
        """Ask for one press: programs that look at every address they see must not use the link up."""
        del link
        return render("enter.html")

    @blueprint.post("/enter/<link>")
    def enter(link: str) -> AnyResponse:
        secret = staff.enter(link)
        if secret is None:
            return render("outside.html", status=HTTPStatus.UNAUTHORIZED, is_stale=True)
        response = redirect(url_for("dashboard.donations"), HTTPStatus.SEE_OTHER)
        response.set_cookie(cookie, secret, max_age=LIFETIME, secure=is_secure, httponly=True, samesite="Lax", path="/")
        return response

    @blueprint.post("/leave")
    def leave() -> AnyResponse:
        staff.leave(request.cookies.get(cookie, ""))
        response = render("outside.html", has_left=True)
        response.delete_cookie(cookie, secure=is_secure, httponly=True, samesite="Lax", path="/")
        return response

    @blueprint.post("/mode")
    def mode() -> AnyResponse:
        """Show test money instead of real money, or real money again."""
        staff.look_at(g.visit, livemode=request.form.get("mode") == "live")
        return redirect(url_for("dashboard.donations"), HTTPStatus.SEE_OTHER)


def owner() -> Owner:
    """Return whose pages this request may see."""
    seen: Owner = g.visit.owner
    return seen


def render(template: str, *, status: HTTPStatus = HTTPStatus.OK, **values: object) -> Response:
    """Render a page of the dashboard."""
    visit = g.get("visit")
    common = {
        "language": "en",
        "direction": "ltr",
        "theme_url": url_for("checkout.theme", name=theme_name(None)),
        "is_inside": visit is not None,
        "is_test": visit is not None and not visit.owner.livemode,
        "is_stale": False,
        "has_left": False,
    }
    return make_response(render_template(f"dashboard/{template}", **common | values), status)
