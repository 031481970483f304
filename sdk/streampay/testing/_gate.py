"""The fake's door: idempotency, routes, rate limits, problems and pages."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from streampay._http import HttpRequest, HttpResponse
from streampay._version import API_VERSION
from streampay.errors import ConfigurationError, ConnectionFailed, Timeout
from streampay.testing._events import new_id, to_bytes
from streampay.testing._limits import ANONYMOUS, Bucket
from streampay.testing._rules import (
    CONFLICT,
    TOO_MANY,
    Check,
    Fields,
    Refusal,
    email,
    object_id,
    one_of,
    refuse,
    taken,
    text,
    truth,
    whole,
)

Wire = dict[str, Any]
Call = tuple[int, object]
Handler = Callable[[str, Wire], Call]
OK, CREATED, ACCEPTED = 200, 201, 202
SERVER_ERRORS_FROM = 500
FAULTS = ("timeout", "lost_answer", "internal", "unavailable", "rate_limited")
_KEY = re.compile(r'"[\x20\x21\x23-\x5b\x5d-\x7e]{1,255}"|[\x21\x23-\x7e]([\x20-\x7e]{0,253}[\x21-\x7e])?', re.ASCII)
_STATUSES = {
    "cs": "open complete expired",
    "pay": "open requires_action processing confirming authorized underpaid paid expired canceled",
    "re": "pending requires_action succeeded failed canceled",
    "dsp": "inquiry inquiry_closed needs_response under_review won lost",
    "sub": "incomplete trialing active past_due paused canceled",
}

_FILTERS: Mapping[str, tuple[str, Mapping[str, Check]]] = {
    "/v1/checkout/sessions": ("cs", {"reference": text(120)}),
    "/v1/payments": ("pay", {"reference": text(120)}),
    "/v1/refunds": ("re", {"payment": object_id("pay")}),
    "/v1/disputes": ("dsp", {"payment": object_id("pay")}),
    "/v1/customers": ("cus", {"email": email}),
    "/v1/plans": ("plan", {"is_active": truth}),
    "/v1/subscriptions": ("sub", {"customer": object_id("cus"), "plan": object_id("plan")}),
    "/v1/payouts": ("po", {}),
    "/v1/webhook_endpoints": ("we", {}),
}


class Gate:
    """A transport that answers by itself; what it answers is made by the verbs in `fake`."""

    def __init__(self, api_key: str | None, requests_per_minute: int) -> None:
        self.latency_s = 0.0
        self._api_key = api_key
        self._quota = requests_per_minute
        self._buckets = {"": Bucket("anonymous", ANONYMOUS)}
        self._lock = threading.RLock()
        self._objects: dict[str, dict[str, Wire]] = {prefix: {} for prefix, _ in _FILTERS.values()}
        self._replies: dict[tuple[str, str], tuple[str, int, bytes]] = {}
        self._in_flight: set[tuple[str, str]] = set()
        self._faults: list[str] = []
        self._routes: dict[str, tuple[str, Handler]] = {}

    def fault(self, kind: str, *, times: int = 1) -> None:
        """Let the next requests go wrong: `timeout` and `internal` before, `lost_answer` after they took effect.

        Raises:
            ConfigurationError: there is no such fault.
        """
        if kind not in FAULTS:
            raise ConfigurationError(f"a fault is one of {', '.join(FAULTS)}", code="fault_unknown")
        self._faults += [kind] * times

    def send(self, request: HttpRequest) -> HttpResponse:
        """Answer a request, see `Transport.send`."""
        with self._lock:
            fault = self._faults.pop(0) if self._faults else None
        if fault == "timeout":
            raise Timeout("the gateway did not answer in time (a fault that the test asked for)", code="timeout")
        request_id, is_replay, retry_after_s = new_id("req"), False, 0
        limits: dict[str, str] = {}
        try:
            _fail(fault)
            status, body, is_replay = self._answer(request, limits)
        except Refusal as refusal:
            status, body = refusal.status, to_bytes(_problem(refusal, request, request_id))
            retry_after_s = refusal.retry_after_s
        if fault == "lost_answer":
            raise ConnectionFailed("the answer was lost (a fault that the test asked for)", code="connection_failed")
        headers = {"content-type": "application/json", "request-id": request_id, "streampay-version": API_VERSION}
        headers |= limits
        if is_replay:
            headers["idempotent-replayed"] = "true"
        if retry_after_s:
            headers["retry-after"] = str(retry_after_s)
        return HttpResponse(status=status, headers=headers, body=body)

    def close(self) -> None:
        """Do nothing: there is no connection."""

    def _before(self) -> None:
        """Let time do its work; runs before each request, under the lock."""

    def _answer(self, request: HttpRequest, limits: dict[str, str]) -> tuple[int, bytes, bool]:
        url = urlsplit(request.url)
        path = url.path[url.path.find("/v1") :]
        headers = {name.lower(): value for name, value in request.headers.items()}
        self._who(headers.get("authorization", ""), limits)
        route, handler, object_id = self._find(request.method, path)
        if headers.get("streampay-version", API_VERSION) != API_VERSION:
            raise Refusal("api_version_unknown", f"Send StreamPay-Version: {API_VERSION}.")
        key = headers.get("idempotency-key") if request.method == "POST" else None
        if request.method == "GET":
            sent: Wire = dict(parse_qsl(url.query, keep_blank_values=True))
        else:
            sent = _json(request.body or b"{}")
        if key is None:
            with self._lock:
                self._before()
                status, shown = handler(object_id, sent)
                return status, _bytes(shown), False
        if _KEY.fullmatch(key) is None:
            raise Refusal("idempotency_key_invalid", "Send an Idempotency-Key of 1 to 255 printable ASCII characters.")
        return self._once((route, key.strip('"')), path, sent, lambda: handler(object_id, sent))

    def _once(self, name: tuple[str, str], path: str, sent: Wire, verb: Callable[[], Call]) -> tuple[int, bytes, bool]:
        print_of = hashlib.sha256(to_bytes([path, sent])).hexdigest()
        with self._holding(name):
            time.sleep(self.latency_s)
            with self._lock:
                known = self._replies.get(name)
                if known is not None and known[0] != print_of:
                    detail = "This idempotency key was used with another body."
                    raise Refusal("idempotency_mismatch", detail, status=422)
                if known is not None:
                    return known[1], known[2], True
                self._before()
                status, shown = verb()
                body = _bytes(shown)
                self._replies[name] = (print_of, status, body)
                return status, body, False

    @contextmanager
    def _holding(self, name: tuple[str, str]) -> Iterator[None]:
        with self._lock:
            if name in self._in_flight:
                raise Refusal("idempotency_in_flight", "The same request is being worked on.", status=CONFLICT)
            self._in_flight.add(name)
        try:
            yield
        finally:
            with self._lock:
                self._in_flight.discard(name)

    def _who(self, sent: str, limits: dict[str, str]) -> None:
        key = sent.removeprefix("Bearer ")
        is_good = key.startswith("sk_test_") and self._api_key in {None, key}
        self._count(key if is_good else "", limits)
        if not key:
            raise Refusal("api_key_missing", "Send Authorization: Bearer sk_test_….", status=401)
        if not is_good:
            raise Refusal("api_key_invalid", "FakeStreamPay takes test keys only.", status=401)

    def _count(self, key: str, limits: dict[str, str]) -> None:
        with self._lock:
            bucket = self._buckets.setdefault(key, Bucket("test", self._quota))
            headers, retry_after_s = bucket.take()
        limits |= headers
        if retry_after_s:
            refusal = Refusal("rate_limited", "Too many requests. Wait as long as Retry-After says.", status=TOO_MANY)
            refusal.retry_after_s = retry_after_s
            raise refusal

    def _find(self, method: str, path: str) -> tuple[str, Handler, str]:
        for route, (prefix, handler) in self._routes.items():
            verb, _, pattern = route.partition(" ")
            matched = re.fullmatch(pattern.replace("{id}", "([^/]+)"), path) if verb == method else None
            if matched is None:
                continue
            object_id = unquote(matched[1]) if matched.groups() else ""
            if object_id and not _is_id(object_id, prefix):
                raise not_found()
            return route, handler, object_id
        raise ConfigurationError(
            f"FakeStreamPay does not play {method} {path}; test against the gateway with its Test Bank",
            code="fake_has_no_route",
        )

    def _own(self, prefix: str, object_id: str) -> Wire:
        found = self._objects[prefix].get(object_id)
        if found is None:
            raise not_found()
        return found

    def _reads(self) -> Iterator[tuple[str, tuple[str, Handler]]]:
        """Yield the routes that only read."""
        for path, (prefix, filters) in _FILTERS.items():
            words = {"status": one_of(*_STATUSES[prefix].split())} if prefix in _STATUSES else {}
            yield f"GET {path}", (prefix, partial(self._list, path, prefix, {**words, **filters}))
            yield f"GET {path}/{{id}}", (prefix, partial(self._retrieve, prefix))

    def _list(self, path: str, prefix: str, asked: Mapping[str, Check], _: str, sent: Wire) -> Call:
        query = page_query(sent, asked, prefix)
        items = self._objects[prefix].values()
        chosen = [one for one in items if all(query[name] in {None, one.get(name)} for name in asked)]
        return OK, cut(chosen, query, path)

    def _retrieve(self, prefix: str, object_id: str, sent: Wire) -> Call:
        taken(sent, {})
        return OK, self._own(prefix, object_id)


def _is_id(text: str, prefix: str) -> bool:
    return re.fullmatch(rf"{prefix}_[0-7][0-9a-hjkmnp-tv-z]{{25}}", text, re.ASCII) is not None


def not_found() -> Refusal:
    """Return the answer to a stranger's id."""
    return Refusal("not_found", "There is no such object in this account and mode.", status=404)


def page_query(sent: Wire, asked: Mapping[str, Check], prefix: str) -> Wire:
    """Return a list's query, checked."""

    def cursor(value: Any, found: Mapping[str, Any]) -> Any:
        if not _is_id(value, prefix) or found.get("starting_after"):
            raise refuse("A cursor is the id of an object of this list; send one.", "cursor_invalid")
        return value

    fields: Fields = {
        "limit": (whole(1, 100), 10),
        "starting_after": (cursor, None),
        "ending_before": (cursor, None),
    }
    return taken(sent, {**fields, **{name: (check, None) for name, check in asked.items()}})


def cut(items: list[Wire], query: Wire, path: str, *, is_reversed: bool = False) -> Wire:
    """Return a page of a list: newest first, or oldest first."""
    after, before, limit = query["starting_after"], query["ending_before"], query["limit"]
    found = [one for one in items if (not after or one["id"] < after) and (not before or one["id"] > before)]
    is_rising = is_reversed or before is not None
    found.sort(key=lambda one: str(one["id"]), reverse=not is_rising)
    shown = found[:limit][::-1] if before else found[:limit]
    return {"object": "list", "data": shown, "has_more": len(found) > limit, "url": path}


def _bytes(shown: object) -> bytes:
    return shown if isinstance(shown, bytes) else to_bytes(shown)


def _json(body: bytes) -> Wire:
    try:
        found: Wire = json.loads(body)
    except ValueError:
        found = {}
        is_json = False
    else:
        is_json = isinstance(found, dict)
    if not is_json:
        raise Refusal("body_not_json", "The body must be one JSON object.")
    return found


def _fail(fault: str | None) -> None:
    if fault == "internal":
        raise Refusal("internal", "Something failed (a fault that the test asked for).", status=500)
    if fault == "unavailable":
        raise Refusal("provider_unavailable", "A provider is away (a fault that the test asked for).", status=503)
    if fault == "rate_limited":
        raise Refusal("rate_limited", "Too many requests (a fault that the test asked for).", status=TOO_MANY)


def _problem(refusal: Refusal, request: HttpRequest, request_id: str) -> Wire:
    parts = urlsplit(request.url)
    doc_url = f"{parts.scheme}://{parts.netloc}/docs/errors#{refusal.code}"
    shown = {
        "type": doc_url,
        "title": refusal.code.replace("_", " "),
        "status": refusal.status,
        "detail": refusal.detail,
        "code": refusal.code,
        "param": refusal.param,
        "errors": refusal.errors,
        "request_id": request_id,
        "doc_url": doc_url,
        "retryable": refusal.status >= SERVER_ERRORS_FROM or refusal.code in {"rate_limited", "idempotency_in_flight"},
    }
    return shown if refusal.about is None else {**shown, "object_id": refusal.about}
