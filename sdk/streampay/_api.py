"""Calls with meaning: headers, idempotency keys, retries, errors and objects, on top of a `Transport`."""

from __future__ import annotations

import json
import logging
import os
import platform
import random
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime, timezone
from decimal import Decimal
from email.utils import parsedate_to_datetime
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar
from urllib.parse import quote, urlencode

from streampay import errors
from streampay._http import HttpRequest, HttpResponse, Transport
from streampay._pages import Page
from streampay._version import API_VERSION, __version__
from streampay.models import M, Model, ResponseMeta, WireError, decode

if TYPE_CHECKING:
    from typing_extensions import Self  # a type checker brings it; a shop need not have it

log = logging.getLogger("streampay")

BACKOFF_FIRST_S = 0.5
BACKOFF_MAX_S = 8.0
RETRY_AFTER_MAX_S = 30.0  # a shop's worker must not sleep for an hour because a server says so
DETAIL_MAX = 500
_WHERE = "does base_url point at the gateway?"
METHODS = ("GET", "POST", "PATCH", "PUT", "DELETE")
_KEY = re.compile(r"[!-~]{1,255}", re.ASCII)
_TRACE = re.compile(r"[!-~]{1,128}", re.ASCII)
_PATH = re.compile(r"/[!-\"$->@-~]*", re.ASCII)  # no query, no fragment, no blank
_SECONDS = re.compile(r"[0-9]{1,9}", re.ASCII)


class Unchanged(Enum):
    """What an update leaves as it is: the default of each field, because None empties one."""

    UNCHANGED = "unchanged"


UNCHANGED: Final = Unchanged.UNCHANGED
Json = Mapping[str, object]
A = TypeVar("A", bound="Api")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Everything that a client is configured with; checked by the client."""

    api_key: str = field(repr=False)
    base_url: str
    api_version: str = API_VERSION
    timeout_s: tuple[float, float] = (3, 20)
    max_retries: int = 2
    app_info: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RawResponse:
    """What `StreamPay.request` returns: the parsed body and how it came."""

    json: object = field(repr=False)  # the secret of a new endpoint or key may be in it
    response: ResponseMeta
    headers: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Found(Generic[M]):
    """One page as it was read, and the query of the one that follows."""

    objects: tuple[M, ...]
    has_more: bool
    response: ResponseMeta
    is_reversed: bool
    following: Json


Done = HttpResponse | errors.ConnectionFailed | None  # what came of a step; None after a pause
Steps = Generator[
    HttpRequest | float, Done, R
]  # a call: yields a request to send or seconds to wait, returns its result


class Api(ABC):
    """What the resources call. Calls are written once, as steps without I/O; `run` carries them out.

    Resources return what these methods return and look at nothing of it, so that they serve both clients: `SyncApi`
    gives objects, `AsyncApi` awaitables of them.
    """

    def __init__(self, options: Options) -> None:
        self.options = options

    @abstractmethod
    def run(self, steps: Steps[R]) -> R:
        """Carry out the steps of a call and return its result."""

    @abstractmethod
    def page(self, kind: type[M], path: str, query: Json) -> Page[M]:
        """Read one page of a list; it fetches the following ones by itself while it is iterated."""

    def with_options(self, options: Options) -> Self:
        """Return the same way to the gateway, configured otherwise."""
        other = copy(self)
        other.options = options
        return other

    def get(self, kind: type[M], path: str, query: Json | None = None) -> M:
        """Read one object."""
        return self.run(self._calling(kind, "GET", path, query=query))

    def post(self, kind: type[M], path: str, body: Json, idempotency_key: str | None) -> M:
        """Send a command and return its object."""
        return self.run(self._calling(kind, "POST", path, body=body, idempotency_key=idempotency_key))

    def patch(self, kind: type[M], path: str, body: Json) -> M:
        """Change an object and return it."""
        return self.run(self._calling(kind, "PATCH", path, body=body))

    def delete(self, kind: type[M], path: str) -> M:
        """Delete an object and return what is left of it."""
        return self.run(self._calling(kind, "DELETE", path))

    def wait(self, kind: type[M], path: str, is_over: Callable[[M], bool], *, timeout_s: float, poll_s: float) -> M:
        """Read one object again and again until `is_over(object)` holds.

        Raises:
            Timeout: it did not happen within `timeout_s` seconds.
        """
        return self.run(self._waiting(kind, path, is_over, timeout_s, poll_s))

    # --- steps ---------------------------------------------------------------------------------------------------

    def sending(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        query: Json | None = None,
        idempotency_key: str | None = None,
    ) -> Steps[RawResponse]:
        """Send a request, again if that is safe and of use, and return the parsed answer.

        Raises:
            StreamPayError: whatever went wrong.
        """
        if method not in METHODS:
            raise errors.ConfigurationError(f"method is one of {', '.join(METHODS)}", code="method_invalid")
        key = _idempotency_key(method, idempotency_key)
        request = self._request(method, path, body, query, key)
        retries = 0
        while True:
            outcome = _outcome(request, (yield request), key, retries + 1)
            if isinstance(outcome, RawResponse):
                return outcome
            if retries == self.options.max_retries or not should_retry(outcome):
                raise outcome
            yield pause_s(outcome, retries)
            retries += 1

    def _calling(
        self,
        kind: type[M],
        method: str,
        path: str,
        *,
        body: Json | None = None,
        query: Json | None = None,
        idempotency_key: str | None = None,
    ) -> Steps[M]:
        raw = yield from self.sending(method, path, body=body, query=query, idempotency_key=idempotency_key)
        return _decoded(kind, raw.json, raw, raw.response)

    def _waiting(
        self, kind: type[M], path: str, is_over: Callable[[M], bool], timeout_s: float, poll_s: float
    ) -> Steps[M]:
        deadline = time.monotonic() + timeout_s
        while True:
            found = yield from self._calling(kind, "GET", path)
            if is_over(found):
                return found
            rest_s = deadline - time.monotonic()
            if rest_s <= 0:
                status = getattr(found, "status", "not there")
                raise errors.Timeout(f"the object is still {status}", code="wait_timeout", should_retry=False)
            yield max(0.0, min(poll_s, rest_s))

    def _finding(self, kind: type[M], path: str, query: Json) -> Steps[Found[M]]:
        raw = yield from self.sending("GET", path, query=query)
        wire = raw.json if isinstance(raw.json, dict) else {}
        items, has_more = wire.get("data"), wire.get("has_more", False)
        if not isinstance(items, list) or type(has_more) is not bool:
            raise _misunderstood(raw, "the answer is not a list")
        objects = tuple([_decoded(kind, item, raw) for item in items])
        is_reversed = query.get("ending_before") is not None
        following = {**query, **_cursor(query, objects, is_reversed=is_reversed)}
        if has_more and following == dict(query):
            raise _misunderstood(raw, "the list does not advance")
        return Found(objects, has_more, raw.response, is_reversed, following)

    def _request(self, method: str, path: str, body: object, query: Json | None, key: str | None) -> HttpRequest:
        if not isinstance(path, str) or _PATH.fullmatch(path) is None or {"", ".", ".."} & set(path[1:].split("/")):
            raise errors.refused(
                "the path is plain and absolute, such as /v1/payments", code="path_invalid", param="path"
            )
        content = None if body is None else _to_json(body)
        return HttpRequest(
            method=method,
            url=self.options.base_url + path + _query(query),
            headers=self._headers(content is not None, key),
            body=content,
            timeout_s=self.options.timeout_s,
        )

    def _headers(self, has_body: bool, key: str | None) -> dict[str, str]:  # noqa: FBT001 - private, one caller
        agent = f"streampay-python/{__version__} python/{platform.python_version()}"
        headers = {
            "Authorization": f"Bearer {self.options.api_key}",
            "Accept": "application/json, application/problem+json",
            "Accept-Encoding": "identity",  # what comes is what counts: a few kB cannot unfold to gigabytes
            "StreamPay-Version": self.options.api_version,
            "User-Agent": f"{agent} {self.options.app_info}" if self.options.app_info else agent,
        }
        if has_body:
            headers["Content-Type"] = "application/json"
        if key is not None:
            headers["Idempotency-Key"] = key
        return headers


class SyncApi(Api):
    """Carries calls out in the calling thread.

    Args:
        options: the configuration.
        transport: carries single requests.
        sleep: waits for seconds.
    """

    def __init__(self, options: Options, transport: Transport, sleep: Callable[[float], None] = time.sleep) -> None:
        super().__init__(options)
        self.transport = transport
        self.sleep = sleep

    def run(self, steps: Steps[R]) -> R:
        """Carry out the steps of a call and return its result."""
        done: Done = None
        while True:
            try:
                step = steps.send(done)
            except StopIteration as end:
                result: R = end.value
                return result
            done = self._do(step)

    def page(self, kind: type[M], path: str, query: Json) -> Page[M]:
        """Read one page of a list; it fetches the following ones by itself while it is iterated."""
        found = self.run(self._finding(kind, path, query))
        following = partial(self.page, kind, path, found.following)
        return Page(found.objects, found.has_more, found.response, following, found.is_reversed)

    def _do(self, step: HttpRequest | float) -> Done:
        if not isinstance(step, HttpRequest):
            self.sleep(step)
            return None
        try:
            return self.transport.send(step)
        except errors.ConnectionFailed as error:
            return error


# --- before it is sent -------------------------------------------------------------------------------------------


def amount_text(value: str | Decimal | None, param: str) -> str:
    """Return an amount in major units as the exact decimal string of the wire.

    Raises:
        InvalidRequest: it is missing, or a number of another kind; a float is not exact, and an int hides whether it
            counts units or cents.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, Decimal) and value.is_finite():
        return format(value, "f")
    raise errors.refused(
        "write the amount as a decimal string or Decimal in major units, such as '12.30' or Decimal('12.30'); "
        "int and float are refused so that nobody charges a hundredfold by mistake",
        code="amount_invalid",
        param=param,
    )


def instant_text(value: datetime | str | None, param: str) -> str | None:
    """Return an instant as the wire has it, in UTC and exact to a millisecond; text and None stay as they are.

    Raises:
        InvalidRequest: it has no time zone, so that nobody knows when it is.
    """
    if value is None or isinstance(value, str):
        return value
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise errors.refused("give a datetime with its time zone", code="parameter_invalid", param=param)
    return value.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def path_with(prefix: str, object_id: str, suffix: str = "") -> str:
    """Return a path with an id in it.

    Raises:
        InvalidRequest: the id is empty or not text; an empty one would ask for the whole list.
    """
    if not isinstance(object_id, str) or not object_id.strip():
        raise errors.refused("give the id of an object, such as pay_01…", code="parameter_missing", param="id")
    try:
        quoted = quote(object_id, safe="")
    except UnicodeEncodeError:
        quoted = ""
    if quoted in ("", ".", ".."):
        raise errors.refused("this is not an id", code="parameter_invalid", param="id")
    return f"{prefix}/{quoted}{suffix}"


def given(**fields: object) -> dict[str, object]:
    """Return the fields that are not None."""
    return {name: value for name, value in fields.items() if value is not None}


def kept(value: object, write: Callable[[Any], object]) -> object:
    """Return a value as it is written on the wire; None and UNCHANGED stay."""
    return value if value is None or value is UNCHANGED else write(value)


def changed(**fields: object) -> dict[str, object]:
    """Return the fields that an update names; None is sent as null, which empties a field."""
    return {name: value for name, value in fields.items() if value is not UNCHANGED}


def _idempotency_key(method: str, key: str | None) -> str | None:
    if method != "POST":
        return None
    if key is None:
        return f"auto_{os.urandom(16).hex()}"
    if not isinstance(key, str) or _KEY.fullmatch(key) is None:
        raise errors.refused(
            "an idempotency key is 1 to 255 printable ASCII characters without blanks",
            code="idempotency_key_invalid",
            param="idempotency_key",
        )
    return key


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return amount_text(value, "json")
    if isinstance(value, Model):
        return value.to_dict()
    raise TypeError(f"{type(value).__name__} cannot be sent as JSON")


def _to_json(body: object) -> bytes:
    try:
        return json.dumps(body, default=_plain, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, TypeError) else "the request cannot be written as JSON"
    raise errors.refused(reason, code="parameter_invalid", param="json")


def _query(query: Json | None) -> str:
    parts = {name: _query_text(value) for name, value in (query or {}).items() if value is not None}
    try:
        return "?" + urlencode(parts) if parts else ""
    except UnicodeEncodeError:
        param = "params"
    raise errors.refused("a parameter holds characters that cannot be sent", code="parameter_invalid", param=param)


def _query_text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)


# --- after it came back ------------------------------------------------------------------------------------------


def should_retry(failure: errors.StreamPayError) -> bool:
    """Tell whether the same request, with the same idempotency key, may be sent again and may then succeed."""
    if isinstance(failure, errors.ConnectionFailed):
        return failure.should_retry
    if isinstance(failure, errors.ServerError):
        # An unknown outcome is closed by the gateway's reconciliation only; an answer that was understood to be
        # broken (status below 500) comes again as it was.
        return failure.code != "outcome_unknown" and (failure.status or 0) >= errors.SERVER_ERRORS_FROM
    return isinstance(failure, errors.RateLimited) or failure.code == "idempotency_in_flight"


def pause_s(failure: errors.StreamPayError, retries_done: int) -> float:
    """Return the seconds to wait: full jitter (https://aws.amazon.com/builders-library), at least Retry-After."""
    backoff_s = random.uniform(0, min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2**retries_done))  # noqa: S311 - no secret
    asked_s = failure.retry_after_s if isinstance(failure, errors.ApiError) else None
    return backoff_s if asked_s is None else max(backoff_s, min(asked_s, RETRY_AFTER_MAX_S))


def _outcome(request: HttpRequest, done: Done, key: str | None, count: int) -> RawResponse | errors.StreamPayError:
    if isinstance(done, errors.ConnectionFailed):
        done.idempotency_key = key
        log.debug("api_try method=%s try=%d outcome=%s", request.method, count, done.code)
        return done
    assert done is not None, "a request was answered by a pause"
    meta = _meta(done)
    log.debug("api_try method=%s try=%d status=%d request_id=%s", request.method, count, done.status, meta.request_id)
    if 200 <= done.status < 300:  # noqa: PLR2004 - HTTP's own figures
        return _success(done, meta)
    return _failure(done, meta, key)


def _decoded(kind: type[M], wire: object, raw: RawResponse, meta: ResponseMeta | None = None) -> M:
    try:
        return decode(kind, wire, meta)
    except WireError as error:
        failure = _misunderstood(raw, str(error))
    raise failure


def _success(answer: HttpResponse, meta: ResponseMeta) -> RawResponse | errors.StreamPayError:
    parsed = _parse(answer.body) if answer.body else {}
    if parsed is None:
        problem = errors.Problem(code="answer_invalid", status=answer.status, request_id=meta.request_id)
        return errors.ServerError(f"the answer is not JSON: {_WHERE}", problem)
    return RawResponse(json=parsed, response=meta, headers=answer.headers)


def _failure(answer: HttpResponse, meta: ResponseMeta, key: str | None) -> errors.StreamPayError:
    if 300 <= answer.status < 400:  # noqa: PLR2004 - HTTP's own figures
        return errors.ConfigurationError(
            "the gateway redirects: set base_url to its final address", code="base_url_redirects"
        )
    if answer.status < 300:  # noqa: PLR2004 - HTTP's own figure
        problem = errors.Problem(
            code="answer_invalid", status=answer.status, request_id=meta.request_id, idempotency_key=key
        )
        return errors.ServerError(f"HTTP {answer.status} is no answer: {_WHERE}", problem)
    parsed = _parse(answer.body)
    wire: dict[str, object] = parsed if isinstance(parsed, dict) else {}
    problem = errors.Problem(
        code=_short(wire.get("code")) or f"http_{answer.status}",
        status=answer.status,
        request_id=meta.request_id or _short(wire.get("request_id")),
        param=_short(wire.get("param")),
        errors=_field_problems(wire.get("errors")),
        doc_url=_short(wire.get("doc_url")),
        idempotency_key=key,
        retryable=wire.get("retryable") is True,
        object_id=_short(wire.get("object_id")),
        retry_after_s=_retry_after_s(answer.headers.get("retry-after")),
        decline_code=_short(wire.get("decline_code")),
    )
    message = _short(wire.get("detail")) or _short(wire.get("title"))
    return errors.api_error(message or f"HTTP {answer.status} came without an explanation: {_WHERE}", problem)


def _misunderstood(raw: RawResponse, reason: str) -> errors.ServerError:
    problem = errors.Problem(code="answer_invalid", status=raw.response.status, request_id=raw.response.request_id)
    return errors.ServerError(
        f"the answer cannot be understood ({reason}): {_WHERE} Is this SDK older than it?", problem
    )


def _parse(body: bytes) -> object:
    """Return parsed JSON; None when it is not JSON (or the literal null, which no answer is)."""
    try:
        parsed: object = json.loads(body.decode())
    except (ValueError, RecursionError):
        return None
    return parsed


def _short(value: object) -> str | None:
    return value[:DETAIL_MAX] if isinstance(value, str) and value else None


def _field_problems(value: object) -> tuple[errors.FieldProblem, ...]:
    if not isinstance(value, list):
        return ()
    return tuple(
        errors.FieldProblem(_short(item.get("param")), _short(item.get("code")) or "", _short(item.get("detail")) or "")
        for item in value
        if isinstance(item, dict)
    )


def _meta(answer: HttpResponse) -> ResponseMeta:
    request_id = answer.headers.get("request-id", "")
    return ResponseMeta(
        status=answer.status,
        request_id=request_id if _TRACE.fullmatch(request_id) else None,
        replayed=answer.headers.get("idempotent-replayed", "").lower() == "true",
    )


def _retry_after_s(header: str | None) -> float | None:
    """Read Retry-After (RFC 9110, section 10.2.3): seconds or a date."""
    if header is None:
        return None
    if _SECONDS.fullmatch(header.strip()):
        return float(header)
    try:
        instant = parsedate_to_datetime(header)
    except (TypeError, ValueError, OverflowError):  # a time zone of centuries
        return None
    if instant.tzinfo is None:
        return None
    return max(0.0, (instant - datetime.now(timezone.utc)).total_seconds())


def _cursor(query: Json, objects: tuple[Model, ...], *, is_reversed: bool) -> dict[str, object]:
    """Return the parameter that asks for the following page: `after` for events in order of publication."""
    ids = [each.id for each in (objects[:1] if is_reversed else objects[-1:]) if hasattr(each, "id")]
    if not ids:
        return {}
    if query.get("after") is not None:
        return {"after": ids[0]}
    return {"ending_before" if is_reversed else "starting_after": ids[0]}
