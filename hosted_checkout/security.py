"""Response headers: one strict policy for every answer, and the place where browsers report what it stopped.

The policy of https://www.w3.org/TR/CSP3/ allows our own origin and nothing else, and
https://www.w3.org/TR/trusted-types/ closes the DOM's string sinks. A view that needs another value sets the header
itself, before: what stands there already stays (`/solana/<token>` answers every origin, a campaign's form may be framed
by the sites that its charity registered).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

from flask import Flask, Response, request

from gateway.kernel.log import Log

log = Log("security")

REPORT_PATH: Final = "/csp"
MAX_REPORT_BYTES: Final = 16 * 1024  # a report is under 2 KiB; anything larger is not one
MAX_LOGGED_REPORTS: Final = 200  # a process logs no more: a broken browser extension must not fill the disk
# The names a browser may report; anything else could write a stranger's words into our logs.
_DIRECTIVE_LETTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyz-")


@dataclass(slots=True, eq=False)
class CspReports:
    """How many violations browsers reported to this process."""

    _count: int = 0
    _lock: Lock = field(default_factory=Lock)

    @property
    def count(self) -> int:
        """Reports since the start."""
        with self._lock:
            return self._count

    def add(self, directive: str) -> None:
        """Count one, and log it while the limit allows."""
        with self._lock:
            self._count += 1
            count = self._count
        if count <= MAX_LOGGED_REPORTS:
            log.warning("csp_violation", directive=directive, count=count)


def content_security_policy(
    *, connect: Sequence[str] = (), form_action: Sequence[str] = (), frame_ancestors: Sequence[str] = ()
) -> str:
    """Return the policy; `connect` and `form_action` are origins allowed beside our own, `frame_ancestors` at all."""
    return "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",  # a wallet brings its icon as data:
            " ".join(["connect-src", "'self'", *connect]),
            " ".join(["form-action", "'self'", *form_action]),
            "base-uri 'none'",
            " ".join(["frame-ancestors", *(frame_ancestors or ("'none'",))]),
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
            f"report-uri {REPORT_PATH}",
        ]
    )


def install_security(
    app: Flask, *, sandbox_wallet: bool, sandbox_rpc_origin: str | None = None, form_action: tuple[str, ...] = ()
) -> CspReports:
    """Send the headers with every answer, and take reports at `/csp`.

    Args:
        app: the whole gateway; the headers are the same for every door.
        sandbox_wallet: the test wallet is served.
        sandbox_rpc_origin: the dev chain's origin, to which pages may then talk; only with `sandbox_wallet`.
        form_action: origins to which a form may lead, for example a card provider's page.
    """
    assert sandbox_wallet == (sandbox_rpc_origin is not None), "the test wallet needs its chain, and nobody else does"
    policy = content_security_policy(
        connect=(sandbox_rpc_origin,) if sandbox_rpc_origin else (), form_action=form_action
    )
    reports = CspReports()

    @app.after_request
    def add_headers(response: Response) -> Response:
        return _with_headers(response, policy)

    @app.post(REPORT_PATH)
    def csp_report() -> Response:
        request.max_content_length = MAX_REPORT_BYTES
        reports.add(_directive(request.get_data(cache=False)))
        return Response(status=204)

    app.extensions["csp_reports"] = reports
    return reports


def is_same_origin() -> bool:
    """Say whether the request came from one of our own pages, or from no page at all.

    A cross-site form would need the secret address already, so this is the second lock on that door.
    `Sec-Fetch-Site` is the browser's own word (https://www.w3.org/TR/fetch-metadata/); older ones send `Origin`.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = request.headers.get("Origin")
    return origin is None or origin.partition("://")[2] == request.host


def _with_headers(response: Response, policy: str) -> Response:
    for name, value in (
        ("Content-Security-Policy", policy),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
        # The address is a secret: no other site may learn it from a Referer. Our own forms still send Origin.
        ("Referrer-Policy", "same-origin"),
        # Wallets open windows of their own and need their opener.
        ("Cross-Origin-Opener-Policy", "same-origin-allow-popups"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
        ("Cache-Control", "no-store"),
        ("X-Robots-Tag", "noindex"),
    ):
        response.headers.setdefault(name, value)
    if "frame-ancestors 'none'" not in response.headers["Content-Security-Policy"]:
        del response.headers["X-Frame-Options"]  # it cannot name the origins that the policy names
    if request.is_secure:
        response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    return response


def _directive(body: bytes) -> str:
    """Return the violated directive, and nothing else: addresses in a report carry session tokens."""
    try:
        report = json.loads(body)
        directive = report["csp-report"]["effective-directive"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return "unreadable"
    if not isinstance(directive, str) or not directive or set(directive) - _DIRECTIVE_LETTERS:
        return "unreadable"
    return directive[:40]
