"""What all pages of the bank share: their headers, their static files, and the answers to what does not exist."""

import hashlib
from pathlib import Path
from typing import Final

from flask import Blueprint, Response, abort, make_response, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from sandbox.test_bank import page_forms
from sandbox.test_bank.errors import ApiError

MAX_FORM_BYTES: Final = 16 * 1024  # the longest form that the pages send is under 1 KiB
_STATIC: Final = Path(__file__).parent / "static"
_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # The address names the session, and no other site needs it; our own forms still say where they come from.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex",
}


def install(pages: Blueprint) -> None:
    """Give a blueprint the headers, the static files, the lock against other sites' forms, and its error pages."""
    files = {path.name: path.read_bytes() for path in sorted(_STATIC.iterdir()) if path.suffix in _TYPES}
    version = hashlib.sha256(b"\0".join(files.values())).hexdigest()[:12]

    @pages.get("/page-assets/<asked>/<name>")
    def asset(asked: str, name: str) -> Response:
        if asked != version or name not in files:
            abort(404)
        response = Response(files[name], mimetype=_TYPES[Path(name).suffix])
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response

    @pages.context_processor
    def words() -> dict[str, object]:
        def asset_url(name: str) -> str:
            assert name in files, f"there is no static file {name}"
            return url_for("pages.asset", asked=version, name=name)

        return {"asset_url": asset_url, "spaced": page_forms.spaced, "not_listed": page_forms.NOT_LISTED}

    pages.before_request(_refuse_other_sites)
    pages.after_request(_with_headers)
    pages.register_error_handler(ApiError, _refused)


def _refuse_other_sites() -> AnyResponse | None:
    """Refuse a form that another site's page sends: the browser's own word, or the older `Origin`."""
    if request.method != "POST":
        return None
    request.max_content_length = MAX_FORM_BYTES
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is not None:
        is_ours = site in {"same-origin", "none"}
    else:
        is_ours = origin is None or origin.partition("://")[2] == request.host
    return None if is_ours else Response("This form belongs to another site.", status=403, mimetype="text/plain")


def _with_headers(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _refused(error: ApiError) -> AnyResponse:
    """Print why the bank refused; its sentences are its own and name at most an identifier."""
    return make_response(render_template("test_bank/gone.html", error=error), error.status)
