"""What stripe-python raises, as errors of ours. The question is always: may it have happened?

    card error, invalid request          certain: declined, or a conflict with the object's state
    never connected, 401, 403, 409, 429  certain: nothing happened, the same key may be sent again
    the key is in use at this moment     unknown: an earlier call may be at work
    time-out, lost connection, >= 500    a read: temporary; a command: unknown
    a failure that is replayed           the key is used up: whatever did not happen will not

Stripe's own messages may name what a caller sent; they are neither raised nor logged.
"""

import ssl
from collections.abc import Iterator
from typing import Final

import requests
import stripe

from gateway.domain.declines import Decline, ProviderDeclinedError
from gateway.kernel.errors import (
    ConflictError,
    ErrorCode,
    GatewayError,
    NotFoundError,
    RepeatedFailureError,
    TemporaryError,
    UnknownOutcomeError,
)
from gateway.kernel.log import Log
from gateway.processors.stripe.refusals import parse_decline, parse_refusal

log: Final = Log("processors.stripe")

_MAX_WAIT_S: Final = 60  # whatever Retry-After says
_MAX_WAIT_DIGITS: Final = 6
_NOT_FOUND: Final = 404
_CONFLICT: Final = 409
_SERVER_ERROR: Final = 500
_NOT_EMULATED: Final = 501
# Codes by which Stripe says that the object's state forbids a command.
_STATE_CODES: Final = frozenset(
    {
        "payment_intent_unexpected_state",
        "charge_already_captured",
        "charge_expired_for_capture",
        "intent_invalid_state",
        "capture_unauthorized_payment",
    }
)
_KEY_IN_USE: Final = "idempotency_key_in_use"


def translated(error: stripe.StripeError, *, has_effect: bool, refuses_by_state: bool = False) -> GatewayError:
    """Return the error of ours for one that a call to Stripe raised, and log it for the operator.

    Args:
        error: what stripe-python raised.
        has_effect: the call was a command, so that a silence is an unknown outcome.
        refuses_by_state: only the object's state can make Stripe refuse this command.
    """
    _log(error)
    match error:
        case stripe.CardError():
            return ProviderDeclinedError(parse_decline(_code(error), _said(error, "decline_code")))
        case stripe.InvalidRequestError():
            return _refused(error, has_effect=has_effect, refuses_by_state=refuses_by_state)
        case stripe.IdempotencyError():
            # The key was used with another body: nothing more will happen with it, so what it did is looked for.
            return _repeated()
        case _ if not has_effect or not may_have_happened(error):
            return _certain_failure(error)
        case _ if (error.headers or {}).get("Idempotent-Replayed") == "true":
            return _repeated()
        case _:
            return unknown()


def unknown() -> UnknownOutcomeError:
    """Return the error of a command whose effect nobody knows."""
    return UnknownOutcomeError(
        ErrorCode.OUTCOME_UNKNOWN, "The payment provider did not answer. What became of it is being checked."
    )


def unreadable(*, has_effect: bool) -> TemporaryError | UnknownOutcomeError:
    """Return the error of an answer that does not have Stripe's shape."""
    log.error("stripe_answer_unreadable", has_effect=has_effect)
    return unknown() if has_effect else _temporary()


def is_worth_repeating(error: stripe.StripeError) -> bool:
    """Tell whether the same call, with the same key, may be sent once more at once.

    A kept connection that Stripe closed, and a stray 5xx, are worth it. A time-out is not: the shopper has waited long
    enough, and the janitor comes.
    """
    if isinstance(error, stripe.APIConnectionError):
        return not isinstance(error.__cause__, requests.Timeout)
    says = (error.headers or {}).get("Stripe-Should-Retry")
    status = error.http_status or 0
    return status >= _SERVER_ERROR and status != _NOT_EMULATED and says != "false"


def may_have_happened(error: stripe.StripeError) -> bool:
    """Tell whether a command that ended so may have taken effect."""
    match error:
        case stripe.APIConnectionError():
            return not never_connected(error)
        case stripe.RateLimitError() | stripe.AuthenticationError() | stripe.PermissionError():
            return False
        case _:
            return _code(error) == _KEY_IN_USE or error.http_status not in {_CONFLICT, _NOT_EMULATED}


def never_connected(error: stripe.APIConnectionError) -> bool:
    """Tell whether the request certainly never left: refused, no such host, too slow to connect, a bad certificate."""
    return any(_is_before_sending(cause) for cause in _causes(error.__cause__))


def _is_before_sending(cause: object) -> bool:
    if isinstance(cause, requests.ConnectTimeout | ssl.SSLCertVerificationError):
        return True
    # urllib3 wraps "refused" and "no such host" in these; anything else broke after the request left.
    return type(cause).__name__ in {"NewConnectionError", "NameResolutionError", "ConnectTimeoutError"}


def _causes(error: object) -> Iterator[object]:
    """Yield an error and what it wraps; urllib3 keeps causes in `reason` or as the first argument."""
    for _ in range(6):
        if not isinstance(error, BaseException):
            return
        yield error
        error = getattr(error, "reason", None) or (error.args[0] if error.args else None)


def _refused(error: stripe.InvalidRequestError, *, has_effect: bool, refuses_by_state: bool) -> GatewayError:
    if error.http_status == _NOT_FOUND and not has_effect:
        return NotFoundError(ErrorCode.NOT_FOUND, "The payment provider knows no such object.")
    if _code(error) in _STATE_CODES or (refuses_by_state and error.http_status != _NOT_FOUND):
        return ConflictError(
            ErrorCode.PAYMENT_NOT_PAYABLE, "The payment's state at the provider does not allow this. Look at it again."
        )
    return ProviderDeclinedError(parse_refusal(_code(error), _said(error, "param")))


def _certain_failure(error: stripe.StripeError) -> GatewayError:
    if error.http_status == _NOT_EMULATED:
        return ProviderDeclinedError(Decline.REQUEST_REFUSED)
    return _temporary(retry_after_s=_retry_after_s(error))


def _temporary(*, retry_after_s: int | None = None) -> TemporaryError:
    return TemporaryError(
        ErrorCode.PROVIDER_UNAVAILABLE,
        "The payment provider does not answer at the moment. Try again shortly.",
        retry_after_s=retry_after_s,
    )


def _repeated() -> RepeatedFailureError:
    return RepeatedFailureError(
        ErrorCode.OUTCOME_UNKNOWN, "The payment provider failed. What became of it is being checked."
    )


def _retry_after_s(error: stripe.StripeError) -> int | None:
    text = (error.headers or {}).get("Retry-After", "")
    if not text.isascii() or not text.isdigit() or len(text) > _MAX_WAIT_DIGITS:
        return None
    return min(max(int(text), 1), _MAX_WAIT_S)


def _code(error: stripe.StripeError) -> str | None:
    return _said(error, "code")


def _said(error: stripe.StripeError, name: str) -> str | None:
    """Return a field of the error object that Stripe sent; stripe-python leaves some out of some classes."""
    body = error.json_body if isinstance(error.json_body, dict) else {}
    sent = body.get("error")
    value = sent.get(name) if isinstance(sent, dict) else None
    return value if isinstance(value, str) else None


def _log(error: stripe.StripeError) -> None:
    """Log what an operator needs to find the call at Stripe: ids and codes, never a message or a body."""
    fields = {
        "kind": type(error).__name__,
        "http_status": error.http_status,
        "stripe_code": _code(error),
        "param": _said(error, "param"),
        "request_id": error.request_id,
    }
    match error:
        case stripe.CardError():
            log.info("stripe_declined", **fields)
        case stripe.IdempotencyError():
            log.error("stripe_key_used_with_another_body", **fields)
        case stripe.AuthenticationError() | stripe.PermissionError():
            log.error("stripe_key_refused", **fields)
        case _:
            log.warning("stripe_call_failed", **fields)
