"""The door of the API: keys, versions, faults and idempotency, around each call and in Stripe's order."""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sandbox.test_bank import brackets
from sandbox.test_bank.bank import Bank
from sandbox.test_bank.errors import API_ERROR, ApiError, not_emulated
from sandbox.test_bank.faults import Fault, FaultKind
from sandbox.test_bank.idempotency import Saved, fingerprint_of, is_kept
from sandbox.test_bank.vault import Call

_TEST_KEYS: Final = ("sk_test_", "rk_test_")
_LIVE_KEYS: Final = ("sk_live_", "rk_live_")
_FORM: Final = "application/x-www-form-urlencoded"
_CONNECTED_ACCOUNT: Final = ("stripe-account", "stripe-context")
WRITE: Final = "POST"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request as it came in; header names in lower case."""

    method: str
    path: str
    query: str
    body: bytes
    headers: Mapping[str, str]
    base_url: str


@dataclass(slots=True, kw_only=True)
class Reply:
    """What goes back; when `is_dropped` the connection ends without it."""

    status: int
    body: str
    headers: dict[str, str] = field(default_factory=dict)
    is_dropped: bool = False


class Door:
    """Answers requests from any number of threads."""

    def __init__(self, bank: Bank) -> None:
        self._bank = bank

    def answer(self, request: Request) -> Reply:
        """Answer one request."""
        request_id = self._bank.request_id()
        try:
            reply = self._admitted(request, request_id)
        except ApiError as error:
            reply = _refused(error, request_id)
        reply.headers.setdefault("Request-Id", request_id)
        reply.headers["Stripe-Version"] = self._bank.vault.spec.version
        if key := request.headers.get("idempotency-key"):
            reply.headers["Idempotency-Key"] = key[:255]
        return reply

    def _admitted(self, request: Request, request_id: str) -> Reply:
        _authenticate(request.headers)
        self._check_version(request.headers)
        found = self._bank.vault.spec.route(request.method, request.path)
        if found is None or not self._bank.is_emulated(found[0].name):
            raise not_emulated(f"{request.method} {request.path[:200]}")
        operation, named = found
        fields = _fields(request)
        key = request.headers.get("idempotency-key") if request.method == WRITE else None
        saved = self._begin(key, request, fields)
        if saved is not None:
            replayed = {"Idempotent-Replayed": "true", "Original-Request": saved.request_id}
            return Reply(status=saved.status, body=saved.body, headers=replayed)
        try:
            with self._bank.lock:
                fault = self._bank.faults.take(request.method, request.path, operation.template)
            if fault is not None and fault.kind.is_before:
                return self._failed(fault, request_id)
            call = Call(
                operation=operation,
                path=request.path,
                params=self._bank.vault.spec.checked(operation, fields),
                identifier=named.get("id", ""),
                request_id=request_id,
                idempotency_key=key,
                base_url=request.base_url,
            )
            return self._executed(call, fault, request_id)
        finally:
            if key:
                with self._bank.lock:
                    self._bank.keys.end(key)

    def _begin(self, key: str | None, request: Request, fields: Mapping[str, Any]) -> Saved | None:
        if not key:
            return None
        with self._bank.lock:
            return self._bank.keys.begin(key, fingerprint_of(request.method, request.path, fields))

    def _executed(self, call: Call, fault: Fault | None, request_id: str) -> Reply:
        # One lock around the effect and the saving of its answer: a restart knows both or neither.
        with self._bank.lock:
            try:
                reply = Reply(status=200, body=self._bank.execute(call))
            except ApiError as error:
                if not is_kept(error):
                    raise
                reply = _refused(error, request_id)
            if fault is not None and fault.kind is FaultKind.ERROR_AFTER:
                reply = _refused(_internal_error(), request_id)
            if call.idempotency_key:
                saved = Saved(status=reply.status, body=reply.body, request_id=request_id)
                self._bank.keys.save(call.idempotency_key, saved)
                self._bank.vault.store.commit()
        if fault is not None and fault.kind is not FaultKind.ERROR_AFTER:
            return self._failed(fault, request_id)
        return reply

    def _failed(self, fault: Fault, request_id: str) -> Reply:
        match fault.kind:
            case FaultKind.ERROR_BEFORE | FaultKind.ERROR_AFTER:
                return _refused(_internal_error(), request_id)
            case FaultKind.RATE_LIMIT:
                error = ApiError("Too many requests hit the API too quickly.", status=429, code="rate_limit")
                return _refused(error, request_id)
            case FaultKind.TIMEOUT_BEFORE | FaultKind.TIMEOUT_AFTER:
                self._bank.stopping.wait(fault.seconds)
            case FaultKind.DROP_BEFORE | FaultKind.DROP_AFTER:
                pass
        return Reply(status=500, body="", is_dropped=True)

    def _check_version(self, headers: Mapping[str, str]) -> None:
        spoken = self._bank.vault.spec.version
        if headers.get("stripe-version", spoken) != spoken:
            raise ApiError(f"StreamPay Test Bank speaks API version {spoken} alone: set it as Stripe-Version.")
        if any(name in headers for name in _CONNECTED_ACCOUNT):
            raise not_emulated("acting for a connected account")


def _authenticate(headers: Mapping[str, str]) -> None:
    key = _key_of(headers.get("authorization", ""))
    if not key:
        raise ApiError(
            "You did not provide an API key. You need to provide your API key in the Authorization header, using "
            "Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
            status=401,
        )
    if key.startswith(_LIVE_KEYS):
        raise ApiError(
            "This is StreamPay Test Bank, where no money moves, and it refuses live keys. Keep the key secret: it was "
            "sent to the wrong place.",
            status=401,
        )
    if not key.startswith(_TEST_KEYS):
        raise ApiError("Invalid API Key provided: it must begin with sk_test_ or rk_test_.", status=401)


def _key_of(authorization: str) -> str:
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _fields(request: Request) -> dict[str, Any]:
    fields = brackets.decode(request.query)
    if not request.body:
        return fields
    kind = request.headers.get("content-type", _FORM).partition(";")[0].strip().lower()
    if kind != _FORM:
        raise ApiError(f"Invalid request: the body must be {_FORM}.")
    try:
        return fields | brackets.decode(request.body.decode())
    except UnicodeDecodeError:
        raise ApiError("Invalid request body: it must be form-encoded UTF-8.") from None


def _refused(error: ApiError, request_id: str) -> Reply:
    headers = {"Stripe-Should-Retry": "true"} if error.status == 409 else {}  # noqa: PLR2004 - HTTP's Conflict
    return Reply(status=error.status, body=json.dumps(error.body(request_id)), headers=headers)


def _internal_error() -> ApiError:
    return ApiError(
        "Sorry! There was an error while talking to one of our backends. (This fault was asked for.)",
        status=500,
        kind=API_ERROR,
    )
