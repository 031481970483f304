"""The error tree: whatever fails inside the SDK leaves as a `StreamPayError`.

    StreamPayError                      `code`, `message`, `request_id`
    ├── ConfigurationError              a key, URL or secret is missing or malformed: nothing was sent
    ├── SignatureVerificationError      the webhook is not from your gateway, or not from now: answer 400
    ├── ConnectionFailed                no answer; `should_retry`, `idempotency_key` to send it again safely
    │   └── Timeout                     no answer in time
    └── ApiError                        `status`, `param`, `errors`, `doc_url`, `idempotency_key`, `retryable`
        ├── InvalidRequest              400 and kin: the request is wrong; `param` points at the place
        ├── AuthenticationFailed        401 no key, or not a key of this gateway
        ├── PaymentDeclined             402 the provider said no; `decline_code`
        ├── PermissionDenied            403 this key may not do that
        ├── NotFound                    404
        ├── Conflict                    409 the object's state forbids it; `object_id`
        ├── IdempotencyMismatch         422 one idempotency key, two different bodies
        ├── RateLimited                 429 `retry_after_s`
        └── ServerError                 5xx, or an answer that cannot be understood

All of them pickle. None holds a key, a secret or a body.
"""
# ruff: noqa: N818 - the names say what happened; only the families end in Error

from __future__ import annotations

from dataclasses import dataclass


class StreamPayError(Exception):
    """The root. `code` is stable and made for programs, `message` a sentence for people."""

    def __init__(self, message: str, *, code: str, request_id: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.request_id = request_id

    def __str__(self) -> str:
        return f"{self.message} [{', '.join(self._facts())}]"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.args, self.__dict__)

    def _facts(self) -> list[str]:
        return [fact for fact in (self.code, self.request_id) if fact]


def _rebuild(kind: type[StreamPayError], args: tuple[object, ...], facts: dict[str, object]) -> StreamPayError:
    """Restore a pickled error without its constructor, whose arguments are keyword-only."""
    error = kind.__new__(kind, *args)
    error.__dict__.update(facts)
    return error


class ConfigurationError(StreamPayError):
    """The client or verifier cannot work with what it was given; nothing was sent."""


class SignatureVerificationError(StreamPayError):
    """The webhook cannot be trusted; `code` says why, for your log. Answer 400, never 2xx."""

    def __init__(self, code: str, message: str | None = None) -> None:
        super().__init__(message or "the webhook cannot be trusted", code=code)


class ConnectionFailed(StreamPayError):
    """No answer came; the request may or may not have taken effect.

    Sending it again with the same `idempotency_key` is safe.
    """

    def __init__(
        self, message: str, *, code: str, should_retry: bool = True, idempotency_key: str | None = None
    ) -> None:
        super().__init__(message, code=code)
        self.should_retry = should_retry
        self.idempotency_key = idempotency_key


class Timeout(ConnectionFailed):
    """No answer came in time."""


@dataclass(frozen=True)
class FieldProblem:
    """One thing wrong in the request: `param` is a JSON pointer such as `/line_items/0/amount`."""

    param: str | None
    code: str
    detail: str


@dataclass(frozen=True)
class Problem:
    """The facts of a problem document (RFC 9457); `status` None means refused before it was sent."""

    code: str
    status: int | None = None
    request_id: str | None = None
    param: str | None = None
    errors: tuple[FieldProblem, ...] = ()
    doc_url: str | None = None
    idempotency_key: str | None = None
    retryable: bool = False
    object_id: str | None = None
    retry_after_s: float | None = None
    decline_code: str | None = None


class ApiError(StreamPayError):
    """The gateway refused or failed. `retryable`: the same request, with the same key, may succeed later."""

    def __init__(self, message: str, problem: Problem) -> None:
        super().__init__(message, code=problem.code, request_id=problem.request_id)
        self.status = problem.status
        self.param = problem.param
        self.errors = problem.errors
        self.doc_url = problem.doc_url
        self.idempotency_key = problem.idempotency_key
        self.retryable = problem.retryable
        self.object_id = problem.object_id
        self.retry_after_s = problem.retry_after_s
        self.decline_code = problem.decline_code

    def _facts(self) -> list[str]:
        return [*super()._facts(), *(fact for fact in (self.param, self.doc_url) if fact)]


class InvalidRequest(ApiError):
    """The request is wrong as it stands; `param` and `errors` say where."""


class AuthenticationFailed(ApiError):
    """No key, or not a key of this gateway."""


class PaymentDeclined(ApiError):
    """The provider said no for good; `decline_code` says why."""


class PermissionDenied(ApiError):
    """The key is good but may not do this."""


class NotFound(ApiError):
    """No such object for this merchant and mode."""


class Conflict(ApiError):
    """The object's state forbids it; `object_id` names the object."""


class IdempotencyMismatch(ApiError):
    """One idempotency key was used with two different bodies; nothing was done."""


class RateLimited(ApiError):
    """Too many requests; `retry_after_s` says when to come back."""


class ServerError(ApiError):
    """The gateway failed, or answered what cannot be understood."""


_BY_STATUS: dict[int, type[ApiError]] = {
    401: AuthenticationFailed,
    402: PaymentDeclined,
    403: PermissionDenied,
    404: NotFound,
    409: Conflict,
    429: RateLimited,
}
SERVER_ERRORS_FROM = 500


def api_error(message: str, problem: Problem) -> ApiError:
    """Return the error whose class fits the problem's code and status."""
    if problem.code == "idempotency_mismatch":
        return IdempotencyMismatch(message, problem)
    if problem.status is not None and problem.status >= SERVER_ERRORS_FROM:
        return ServerError(message, problem)
    return _BY_STATUS.get(problem.status or 0, InvalidRequest)(message, problem)


def refused(message: str, *, code: str, param: str) -> InvalidRequest:
    """Return the error for a request that is wrong before it is sent."""
    return InvalidRequest(message, Problem(code=code, param=param))
