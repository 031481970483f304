"""The door itself: finds the route, asks for the key, counts, calls, answers, and writes one line of log.

One view takes everything under `/v1` and `/api/v1`, so that whatever goes wrong there, a wrong path included, is
answered by a problem document and never by a page.
"""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from flask import Blueprint, Response, request
from flask.blueprints import BlueprintSetupState
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter, Rule

from gateway.domain.events import API_VERSION
from gateway.engine.engine import Engine
from gateway.engine.merchants import Principal
from gateway.kernel.canonical import canonical_json
from gateway.kernel.clock import Clock
from gateway.kernel.errors import (
    AuthenticationError,
    ErrorCode,
    GatewayError,
    InvalidRequestError,
    RateLimitedError,
)
from gateway.kernel.ids import Ids
from gateway.kernel.log import Log
from gateway.reporting.books import Books
from gateway.reporting.donations import DonationReports
from gateway.reporting.settlements import Settlements
from hosted_checkout.api import (
    accounts,
    books,
    campaigns,
    charities,
    comments,
    customers,
    disputes,
    donation_configs,
    donations,
    donors,
    events,
    keys,
    orders,
    payments,
    payouts,
    plans,
    prices,
    refund_transfers,
    refunds,
    sessions,
    subscriptions,
    test_clock,
    transfers,
    webhook_endpoints,
)
from hosted_checkout.api.layer import Answer, Rooms, Route, read_call
from hosted_checkout.api.limits import Allowance, Kind, Limits, RateLimiter
from hosted_checkout.api.openapi import document
from hosted_checkout.api.problems import (
    MEDIA_TYPE,
    InternalError,
    MethodNotAllowedError,
    NoSuchRouteError,
    problem,
)

Checks = Mapping[str, Callable[[], bool]]

ROUTES: Final[Sequence[Route]] = (
    *sessions.routes.all,
    *payments.routes.all,
    *refunds.routes.all,
    *refund_transfers.routes.all,
    *disputes.routes.all,
    *payouts.routes.all,
    *customers.routes.all,
    *plans.routes.all,
    *subscriptions.routes.all,
    *donors.routes.all,
    *orders.routes.all,
    *charities.routes.all,
    *campaigns.routes.all,
    *donation_configs.routes.all,
    *donations.routes.all,
    *comments.routes.all,
    *events.routes.all,
    *webhook_endpoints.routes.all,
    *books.routes.all,
    *prices.routes.all,
    *transfers.routes.all,
    *accounts.routes.all,
    *keys.routes.all,
    *test_clock.routes.all,
)
_READS: Final = frozenset({"GET", "HEAD"})
_BEARER: Final = re.compile(r"bearer +(\S+) *", re.IGNORECASE | re.ASCII)
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?", re.ASCII)
_log: Final = Log("api")


def create_api(
    engine: Engine, *, clock: Clock, ids: Ids, limits: Limits | None = None, checks: Checks | None = None
) -> Blueprint:
    """Return the API as a blueprint: `/v1`, `/api/v1`, `/openapi.json`, `/healthz`, `/readyz`.

    Args:
        engine: all verbs.
        clock: what rate limits run by.
        ids: where request ids come from.
        limits: requests a key may send; see `Limits`.
        checks: what `/readyz` asks, by name; each answers quickly whether all is well, or raises.
    """
    rooms = Rooms(
        engine=engine,
        books=Books(engine.core.db, engine.core.journal),
        settlements=Settlements(engine.core.db),
        donations=DonationReports(engine.core.db, engine.core.journal),
    )
    door = _Door(rooms, clock=clock, ids=ids, limiter=RateLimiter(limits or Limits(), clock))
    api = Blueprint("api", __name__)
    described = canonical_json(document(ROUTES, base_url=engine.core.base_url))

    def register(state: BlueprintSetupState) -> None:
        # A converter of our own: Werkzeug's `path` would answer `/v1//x` with a redirect, an HTML page.
        state.app.url_map.converters["api_path"] = _AnyPath
        for prefix in ("/v1", "/api/v1"):
            state.app.url_map.add(Rule(f"{prefix}<api_path:rest>", endpoint="api.v1"))
        state.app.view_functions["api.v1"] = door.open

    @api.get("/openapi.json")
    def openapi() -> Response:
        return Response(described, mimetype="application/json")

    @api.get("/healthz")
    def healthz() -> Response:
        return _status(is_well=True, detail={"status": "alive"})

    @api.get("/readyz")
    def readyz() -> Response:
        found = {name: _passes(name, check) for name, check in (checks or {}).items()}
        is_ready = all(found.values())
        words = {name: "ok" if passed else "failed" for name, passed in found.items()}
        return _status(is_well=is_ready, detail={"status": "ready" if is_ready else "not_ready", "checks": words})

    api.record_once(register)
    return api


class _AnyPath(BaseConverter):
    regex = r"(?:/[\s\S]*)?"
    part_isolating = False


@dataclass(slots=True, kw_only=True)
class _Visit:
    """What is known of one request so far; the log line and the headers are written from it."""

    request_id: str
    route: Route | None = None
    principal: Principal | None = None
    allowance: Allowance | None = None


class _Door:
    def __init__(self, rooms: Rooms, *, clock: Clock, ids: Ids, limiter: RateLimiter) -> None:
        self._rooms = rooms
        self._ids = ids
        self._clock = clock
        self._limiter = limiter
        self._map = RouteMap(ROUTES)

    def open(self, rest: str) -> Response:
        """Answer one request, whatever it is."""
        started = time.perf_counter_ns()
        visit = _Visit(request_id=self._ids.new("req"))
        try:
            response = _response(self._serve(visit, f"{_prefix()}{rest}"))
        except GatewayError as error:
            response = self._problem(visit, error)
        except HTTPException as error:  # a body that breaks off, a header that Werkzeug refuses
            response = self._problem(visit, _of_http(error))
        except Exception:  # noqa: BLE001 - the door of the house: logged, and never shown
            _log.exception("request_failed", request_id=visit.request_id, route=_name(visit))
            response = self._problem(
                visit, InternalError(ErrorCode.INTERNAL, "Something failed on our side. Send the request again.")
            )
        self._stamp(visit, response)
        _write_line(visit, response.status_code, (time.perf_counter_ns() - started) // 1_000_000)
        return response

    def _serve(self, visit: _Visit, path: str) -> Answer:
        visit.route, object_id = self._map.find(request.method, path)
        visit.principal = self._who(visit)
        self._count(visit, _kind(visit.principal, request.method), visit.principal.key_id)
        if visit.route is None:
            raise self._map.refusal(path)
        version = request.headers.get("StreamPay-Version")
        if version not in {None, API_VERSION}:
            raise InvalidRequestError(
                ErrorCode.API_VERSION_UNKNOWN, f"Send StreamPay-Version: {API_VERSION}, or leave the header out."
            )
        call = read_call(self._rooms, visit.route, object_id, request, visit.principal)
        return visit.route.handler(self._rooms, call)

    def _who(self, visit: _Visit) -> Principal:
        sent = _BEARER.fullmatch(request.headers.get("Authorization", ""))
        try:
            return self._rooms.engine.merchants.authenticate(sent[1] if sent else None)
        except AuthenticationError:
            self._count(visit, Kind.ANONYMOUS, request.remote_addr or "")
            raise

    def _count(self, visit: _Visit, kind: Kind, name: str) -> None:
        visit.allowance = self._limiter.take(kind, name)
        if not visit.allowance.is_granted:
            raise RateLimitedError(
                ErrorCode.RATE_LIMITED,
                "Too many requests. Wait as long as Retry-After says.",
                retry_after_s=visit.allowance.retry_after_s,
            )

    def _problem(self, visit: _Visit, error: GatewayError) -> Response:
        shown = problem(error, request_id=visit.request_id, base_url=self._rooms.engine.core.base_url)
        response = Response(canonical_json(shown), status=error.status, mimetype=MEDIA_TYPE)
        if error.retry_after_s is not None:
            response.headers["Retry-After"] = str(error.retry_after_s)
        if isinstance(error, AuthenticationError):
            response.headers["WWW-Authenticate"] = 'Bearer realm="StreamPay"'
        if isinstance(error, MethodNotAllowedError):
            response.headers["Allow"] = ", ".join(self._map.methods(request.path))
        return response

    def _stamp(self, visit: _Visit, response: Response) -> None:
        response.headers["Request-Id"] = visit.request_id
        response.headers["StreamPay-Version"] = API_VERSION
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Content-Type-Options"] = "nosniff"
        if visit.allowance is not None:
            response.headers.update(visit.allowance.headers())


class RouteMap:
    """Finds a route by method and path; `{id}` stands for one segment."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._fixed: dict[str, dict[str, Route]] = {}
        self._named: dict[str, tuple[re.Pattern[str], dict[str, Route]]] = {}
        for route in routes:
            if "{id}" not in route.path:
                self._fixed.setdefault(route.path, {})[route.method] = route
                continue
            pattern = re.compile(re.escape(route.path).replace(r"\{id\}", "([^/]+)"))
            self._named.setdefault(route.path, (pattern, {}))[1][route.method] = route

    def find(self, method: str, path: str) -> tuple[Route | None, str]:
        """Return the route, or None, and the id in the path, or ""."""
        routes, object_id = self._at(path)
        return routes.get("GET" if method == "HEAD" else method), object_id

    def refusal(self, path: str) -> GatewayError:
        """Return why nothing was found at a path."""
        if not self._at(path)[0]:
            return NoSuchRouteError(ErrorCode.NOT_FOUND, "There is no such route. See /openapi.json for all of them.")
        return MethodNotAllowedError(
            ErrorCode.METHOD_NOT_ALLOWED, "This route does not take that method; the header Allow names those it does."
        )

    def methods(self, path: str) -> list[str]:
        """Return the methods that a path takes."""
        known = set(self._at(path)[0])
        return sorted(known | {"HEAD"} if "GET" in known else known)

    def _at(self, path: str) -> tuple[Mapping[str, Route], str]:
        if path in self._fixed:
            return self._fixed[path], ""
        for pattern, routes in self._named.values():
            matched = pattern.fullmatch(path)
            if matched is not None:
                return routes, matched[1]
        return {}, ""


def _prefix() -> str:
    """Return what the matched rule begins with: `/v1`, or `/api/v1` of the small payment API."""
    assert request.url_rule is not None, "a rule has led here"
    return request.url_rule.rule.partition("<")[0]


def _kind(principal: Principal, method: str) -> Kind:
    if not principal.owner.livemode:
        return Kind.TEST
    return Kind.READ if method in _READS else Kind.WRITE


def _response(answer: Answer) -> Response:
    response = Response(answer.body, status=answer.status, mimetype="application/json")
    if answer.is_replay:
        response.headers["Idempotent-Replayed"] = "true"
    return response


def _of_http(error: HTTPException) -> GatewayError:
    _log.warning("request_refused", reason=type(error).__name__)
    return InvalidRequestError(ErrorCode.BODY_NOT_JSON, "The request could not be read to its end.")


def _name(visit: _Visit) -> str:
    return visit.route.path if visit.route is not None else "unknown"


def _write_line(visit: _Visit, status: int, took_ms: int) -> None:
    trace = _TRACEPARENT.fullmatch(request.headers.get("traceparent", ""))
    _log.info(
        "request",
        method=request.method if visit.route is not None else "other",
        route=_name(visit),
        status=status,
        took_ms=took_ms,
        request_id=visit.request_id,
        key_id=None if visit.principal is None else visit.principal.key_id,
        trace_id=None if trace is None else trace[1],
    )


def _passes(name: str, check: Callable[[], bool]) -> bool:
    try:
        return check()
    except Exception:  # noqa: BLE001 - a check that fails in any way has failed; the log says how
        _log.warning("readiness_check_failed", check=name)
        return False


def _status(*, is_well: bool, detail: dict[str, Any]) -> Response:
    response = Response(canonical_json(detail), status=200 if is_well else 503, mimetype="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response
