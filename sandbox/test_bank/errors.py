"""Stripe's error shape: one exception that carries what the body says."""

from collections.abc import Mapping
from typing import Any

INVALID_REQUEST = "invalid_request_error"
CARD_ERROR = "card_error"
API_ERROR = "api_error"
IDEMPOTENCY_ERROR = "idempotency_error"

_DOCS = "https://stripe.com/docs/error-codes/"
_LOGS = "https://dashboard.stripe.com/test/logs/"


class ApiError(Exception):
    """A request that ends in an error body.

    Attributes:
        status: the HTTP status.
        kind: Stripe's `type`.
        code: Stripe's `code`, where there is one.
        param: the parameter at fault, spelled as `items[0][quantity]`.
        facts: further fields of the body, such as `decline_code` or the whole `payment_intent`.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = INVALID_REQUEST,
        code: str | None = None,
        param: str | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.kind = kind
        self.code = code
        self.param = param
        self.facts = dict(facts or {})

    def body(self, request_id: str) -> dict[str, Any]:
        """Return the JSON body as Stripe words it."""
        error: dict[str, Any] = {"message": self.message, "type": self.kind, "request_log_url": _LOGS + request_id}
        if self.code is not None:
            error |= {"code": self.code, "doc_url": _DOCS + self.code.replace("_", "-")}
        if self.param is not None:
            error["param"] = self.param
        return {"error": error | self.facts}


class NoSuchError(ApiError, LookupError):
    """An identifier that nothing has; pages catch it as the LookupError that it is."""


def missing(name: str) -> ApiError:
    """Return the refusal of a request that lacks a parameter."""
    return ApiError(f"Missing required param: {name}.", code="parameter_missing", param=name)


def no_such(kind: str, identifier: str, *, param: str, status: int = 404) -> NoSuchError:
    """Return the answer to an identifier that nothing has; in a body Stripe says 400, in a path 404."""
    return NoSuchError(f"No such {kind}: '{identifier}'", status=status, code="resource_missing", param=param)


def not_emulated(what: str, *, param: str | None = None) -> ApiError:
    """Return the honest answer to what this bank does not do: never a success that means nothing."""
    return ApiError(f"StreamPay Test Bank: {what} is not emulated.", status=501, kind=API_ERROR, param=param)
