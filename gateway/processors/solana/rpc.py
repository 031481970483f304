"""JSON-RPC to Solana nodes: several endpoints, batches, bounded answers, and no foreign exception.

Every endpoint is asked at most once per request, healthy ones first; one that fails rests for a while. Nothing here
sleeps: a caller that gets a `TemporaryError` comes back with its next round.
"""

import json
import math
import re
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter

from gateway.kernel.errors import ErrorCode, TemporaryError, UnknownOutcomeError, WorldError
from gateway.kernel.log import Log

CONNECT_TIMEOUT_S: Final = 4  # a node that does not even accept in this time is down
READ_TIMEOUT_S: Final = 15  # between two pieces of an answer
TOTAL_TIMEOUT_S: Final = 30  # for one whole answer, so that a dripping node holds nobody
MAX_ANSWER_BYTES: Final = 8 * 2**20  # the largest chain transfer has about one; a batch beyond it is asked in halves
BATCH_LIMIT: Final = 50  # calls in one HTTP request; what common providers take
REST_S: Final = 5  # a failed endpoint stands at the end of the line for so long
MAX_WAIT_S: Final = 60  # whatever Retry-After says
_CHUNK_BYTES: Final = 65_536
_TOO_MANY: Final = 429
_SERVER_ERROR: Final = 500
_BUSY_CODES: Final = frozenset({429, -32005, -32429, -32014, -32016})  # rate limits and nodes that lag behind

log: Final = Log("processors.solana.rpc")

Call = tuple[str, list[Any]]


class NodeError(TemporaryError):
    """A node answered with a JSON-RPC error; `rpc_code` and `details` are what it said, never shown to callers."""

    def __init__(self, rpc_code: int, details: Any) -> None:
        super().__init__(ErrorCode.PROVIDER_UNAVAILABLE, "The network's node could not answer. Try again in a moment.")
        self.rpc_code: Final = rpc_code
        self.details: Final = details


@dataclass(slots=True)
class _Endpoint:
    """One URL; `must_wait`: it named the time itself (Retry-After), so it is not asked before."""

    url: str
    resting_until_s: float = 0
    must_wait: bool = False
    takes_batches: bool = True


class _EndpointError(Exception):
    """One endpoint failed; `was_sent`: the request may have been acted on; `wait_s`: it asked for so much patience."""

    def __init__(self, reason: str, *, was_sent: bool, wait_s: int | None = None) -> None:
        super().__init__(reason)
        self.reason: Final = reason
        self.was_sent: Final = was_sent
        self.wait_s: Final = wait_s


class _ConnectionLostError(_EndpointError):
    """The connection broke after the request had left."""


class _AnswerTooLargeError(_EndpointError):
    """The answer exceeds the limit."""


@dataclass(slots=True)
class RpcClient:
    """A client of one network; safe among threads. `calls` counts what was asked, by method."""

    urls: Sequence[str]
    calls: Counter[str] = field(default_factory=Counter)
    _endpoints: list[_Endpoint] = field(init=False)
    _session: requests.Session = field(init=False)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        assert self.urls, "an RPC client needs an endpoint"
        self._endpoints = [_Endpoint(url) for url in self.urls]
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy and no .netrc decides about money
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=16))

    def call(self, method: str, *params: Any, has_effect: bool = False) -> Any:
        """Ask one question and return its `result`.

        Args:
            method: the JSON-RPC method.
            params: its positional parameters.
            has_effect: the call sends something; a silence is then an unknown outcome.

        Raises:
            NodeError: the node answered with an error.
            TemporaryError: no endpoint answered.
            UnknownOutcomeError: with `has_effect`: it may have been taken.
        """
        answer = self._round([(method, list(params))], has_effect=has_effect)[0]
        if isinstance(answer, NodeError):
            raise answer
        return answer

    def batch(self, calls: Sequence[Call]) -> list[Any]:
        """Ask many questions in as few HTTP requests as allowed; an answer that is an error comes as `NodeError`.

        Raises:
            TemporaryError: no endpoint answered.
        """
        answers: list[Any] = []
        for start in range(0, len(calls), BATCH_LIMIT):
            answers += self._round(calls[start : start + BATCH_LIMIT], has_effect=False)
        return answers

    def batch_all(self, calls: Sequence[Call]) -> list[Any]:
        """Do as `batch`, but insist on every answer.

        Raises:
            NodeError: one of the answers is an error.
            TemporaryError: no endpoint answered.
        """
        answers = self.batch(calls)
        for answer in answers:
            if isinstance(answer, NodeError):
                raise answer
        return answers

    def close(self) -> None:
        """Give kept connections back; the client can still be used and opens new ones."""
        self._session.close()

    def _round(self, calls: Sequence[Call], *, has_effect: bool) -> list[Any]:
        """Ask the endpoints in turn until one answers."""
        failures: list[_EndpointError] = []
        for endpoint in self._in_turn():
            try:
                return self._ask_twice(endpoint, calls, has_effect=has_effect)
            except _EndpointError as failure:
                failures.append(failure)
                endpoint.must_wait = failure.wait_s is not None
                endpoint.resting_until_s = time.monotonic() + (failure.wait_s or REST_S)
                log.warning("rpc_endpoint_failed", method=calls[0][0], reason=failure.reason)
        ready_s = min(endpoint.resting_until_s for endpoint in self._endpoints) - time.monotonic()
        raise _exhausted(failures, has_effect=has_effect, retry_after_s=max(math.ceil(ready_s), 1))

    def _in_turn(self) -> list[_Endpoint]:
        """Return rested endpoints in order of preference, then those that failed lately; never one that said wait."""
        now_s = time.monotonic()
        may = [endpoint for endpoint in self._endpoints if endpoint.resting_until_s <= now_s or not endpoint.must_wait]
        return sorted(may, key=lambda endpoint: endpoint.resting_until_s > now_s)

    def _ask_twice(self, endpoint: _Endpoint, calls: Sequence[Call], *, has_effect: bool) -> list[Any]:
        """Ask, and once more if the connection broke: a kept one may have been closed by the other side just now."""
        try:
            return self._ask(endpoint, calls)
        except _ConnectionLostError:
            if has_effect:
                raise
            return self._ask(endpoint, calls)

    def _ask(self, endpoint: _Endpoint, calls: Sequence[Call]) -> list[Any]:
        if len(calls) > 1 and not endpoint.takes_batches:
            return [self._ask(endpoint, [call])[0] for call in calls]
        try:
            return self._ask_at_once(endpoint, calls)
        except _AnswerTooLargeError:
            if len(calls) == 1:
                raise
            # Strangers choose how large a chain transfer's answer is: together they must not keep us from any of them.
            middle = len(calls) // 2
            return self._ask(endpoint, calls[:middle]) + self._ask(endpoint, calls[middle:])

    def _ask_at_once(self, endpoint: _Endpoint, calls: Sequence[Call]) -> list[Any]:
        with self._lock:
            self.calls.update(method for method, _ in calls)
        bodies = [
            {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
            for number, (method, params) in enumerate(calls)
        ]
        answer = self._post(endpoint.url, bodies if len(calls) > 1 else bodies[0])
        if len(calls) > 1 and isinstance(answer, dict):
            endpoint.takes_batches = False
            log.warning("rpc_endpoint_refuses_batches")
            return self._ask(endpoint, calls)
        return _in_order(answer, len(calls))

    def _post(self, url: str, body: Any) -> Any:
        deadline_s = time.monotonic() + TOTAL_TIMEOUT_S
        try:
            with self._session.post(
                url,
                json=body,
                timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S),
                stream=True,
                allow_redirects=False,
            ) as response:
                _require_success(response)
                return _parsed(_read_bounded(response, deadline_s))
        except requests.ConnectTimeout as error:
            raise _EndpointError("connect_timeout", was_sent=False) from error
        except requests.ConnectionError as error:
            if _never_connected(error):
                raise _EndpointError("connection_refused", was_sent=False) from error
            raise _ConnectionLostError("connection_lost", was_sent=True) from error
        except requests.RequestException as error:
            raise _EndpointError(type(error).__name__, was_sent=True) from error


def _exhausted(failures: Sequence[_EndpointError], *, has_effect: bool, retry_after_s: int) -> WorldError:
    if has_effect and any(failure.was_sent for failure in failures):
        return UnknownOutcomeError(
            ErrorCode.OUTCOME_UNKNOWN, "The network's node did not answer. The transfer may still arrive."
        )
    return TemporaryError(
        ErrorCode.PROVIDER_UNAVAILABLE,
        "The network's node does not answer at the moment. Try again shortly.",
        retry_after_s=retry_after_s,
    )


def _never_connected(error: requests.ConnectionError) -> bool:
    # urllib3 wraps "refused" and "no such host" in NewConnectionError; anything else broke after the request left.
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return type(reason).__name__ in {"NewConnectionError", "NameResolutionError", "ConnectTimeoutError"}


def _require_success(response: requests.Response) -> None:
    status = response.status_code
    if status == _TOO_MANY:
        raise _EndpointError("http_429", was_sent=False, wait_s=_wait_s(response))
    if status >= _SERVER_ERROR:
        raise _EndpointError(f"http_{status}", was_sent=True, wait_s=_wait_s(response))
    # Nodes put JSON-RPC errors also into 4xx answers; a body that is none fails as malformed.


def _wait_s(response: requests.Response) -> int | None:
    text = response.headers.get("Retry-After", "")
    return min(max(int(text), 1), MAX_WAIT_S) if re.fullmatch(r"[0-9]{1,6}", text) else None


def _read_bounded(response: requests.Response, deadline_s: float) -> bytes:
    body = bytearray()
    for chunk in response.iter_content(_CHUNK_BYTES):
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise _AnswerTooLargeError("answer_too_large", was_sent=True)
        if time.monotonic() > deadline_s:
            raise _EndpointError("answer_too_slow", was_sent=True)
    return bytes(body)


def _parsed(body: bytes) -> Any:
    try:
        # Decimals stay text: they are only display values, and evidence must keep their digits.
        return json.loads(body, parse_float=str)
    except (ValueError, RecursionError) as error:
        raise _EndpointError("answer_is_not_json", was_sent=True) from error


def _in_order(answer: Any, count: int) -> list[Any]:
    """Return results by the ids of the questions.

    Raises:
        _EndpointError: an answer is missing, malformed, or says that the node is busy or behind.
    """
    entries = answer if isinstance(answer, list) else [answer]
    by_id = {entry.get("id"): entry for entry in entries if isinstance(entry, dict) and _is_id(entry.get("id"))}
    if count == 1 and len(entries) == 1 and by_id.keys() == {None}:
        by_id = {0: by_id[None]}  # errors about the whole request carry no id
    if not set(range(count)) <= by_id.keys():
        raise _EndpointError("answer_is_incomplete", was_sent=True)
    return [_result(by_id[number]) for number in range(count)]


def _is_id(value: Any) -> bool:
    return value is None or type(value) is int


def _result(entry: dict[str, Any]) -> Any:
    if "error" not in entry or entry["error"] is None:
        if "result" not in entry:
            raise _EndpointError("answer_is_malformed", was_sent=True)
        return entry["result"]
    error = entry["error"]
    code = error.get("code") if isinstance(error, dict) else None
    if not isinstance(code, int):
        raise _EndpointError("answer_is_malformed", was_sent=True)
    if code in _BUSY_CODES:
        raise _EndpointError(f"rpc_{code}", was_sent=False)
    return NodeError(code, error.get("data"))
