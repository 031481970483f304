"""The error tree.

    GatewayError
    ├── CallerError             the caller can mend it: 4xx, with `code`, a sentence, and `param`
    │   ├── InvalidRequestError     400  the request is wrong
    │   ├── AuthenticationError     401  who are you
    │   ├── PermissionDeniedError   403  this key may not do that
    │   ├── NotFoundError           404  no such object, or not yours: the same answer
    │   ├── ConflictError           409  the object's state forbids it
    │   │   └── InFlightError           409  the same request is being worked on: ask again
    │   ├── IdempotencyMismatchError 422 one key, two bodies
    │   ├── PayloadTooLargeError    413
    │   ├── UnsupportedMediaError   415  the body is not JSON by its own word
    │   └── RateLimitedError        429  with `retry_after_s`
    └── WorldError              nobody's fault here
        ├── DeclinedError           the provider said no: final
        ├── TemporaryError          try again with the same key: 503
        └── UnknownOutcomeError     it may have happened: reconcile, never send again
            └── RepeatedFailureError    the provider keeps its failure under this key: nothing more will happen with it

Programmers' errors are assertions. Messages say what to do and never repeat the caller's input.
"""

from enum import StrEnum
from typing import ClassVar, Final


class ErrorCode(StrEnum):
    """Every code that a problem document can carry; `docs/errors.md` explains each."""

    AMOUNT_INVALID = "amount_invalid"
    AMOUNT_NOT_POSITIVE = "amount_not_positive"
    AMOUNT_TOO_LARGE = "amount_too_large"
    AMOUNT_TOO_PRECISE = "amount_too_precise"
    API_KEY_INVALID = "api_key_invalid"
    API_KEY_LIMIT_REACHED = "api_key_limit_reached"
    API_KEY_MISSING = "api_key_missing"
    API_KEY_NEEDED = "api_key_needed"
    API_KEY_NOT_ACTIVE = "api_key_not_active"
    API_VERSION_UNKNOWN = "api_version_unknown"
    BODY_NOT_JSON = "body_not_json"
    BODY_TOO_LARGE = "body_too_large"
    CONTENT_TYPE_UNSUPPORTED = "content_type_unsupported"
    CURRENCY_MISMATCH = "currency_mismatch"
    CURRENCY_UNKNOWN = "currency_unknown"
    CURSOR_INVALID = "cursor_invalid"
    CUSTOMER_IN_USE = "customer_in_use"
    DESTINATION_REQUIRED = "destination_required"
    ENDPOINT_DISABLED = "endpoint_disabled"
    ENDPOINT_LIMIT_REACHED = "endpoint_limit_reached"
    ENDPOINT_URL_REFUSED = "endpoint_url_refused"
    IDEMPOTENCY_IN_FLIGHT = "idempotency_in_flight"
    IDEMPOTENCY_KEY_INVALID = "idempotency_key_invalid"
    IDEMPOTENCY_MISMATCH = "idempotency_mismatch"
    INTERNAL = "internal"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    METHOD_UNAVAILABLE = "method_unavailable"
    NOTHING_HELD = "nothing_held"
    NOTHING_TO_REFUND = "nothing_to_refund"
    NOT_FOUND = "not_found"
    NOTIFICATION_REFUSED = "notification_refused"
    PARAMETER_INVALID = "parameter_invalid"
    PARAMETER_MISSING = "parameter_missing"
    PARAMETER_UNKNOWN = "parameter_unknown"
    PAYMENT_NOT_PAYABLE = "payment_not_payable"
    PLAN_ARCHIVED = "plan_archived"
    CAMPAIGN_CLOSED = "campaign_closed"
    CHARITY_ARCHIVED = "charity_archived"
    AMOUNT_OUT_OF_BOUNDS = "amount_out_of_bounds"
    GIFT_NOT_OFFERED = "gift_not_offered"
    GIFT_NOT_CHANGEABLE = "gift_not_changeable"
    FORM_EXPIRED = "form_expired"
    GIVING_PAUSED = "giving_paused"
    COMMENT_PRIVATE = "comment_private"
    PAYOUT_EXCEEDS_OWED = "payout_exceeds_owed"
    PROVIDER_DECLINED = "provider_declined"
    PROVIDER_UNAVAILABLE = "provider_unavailable"
    OUTCOME_UNKNOWN = "outcome_unknown"
    RATE_LIMITED = "rate_limited"
    RATE_UNAVAILABLE = "rate_unavailable"
    REFUND_NOT_CANCELABLE = "refund_not_cancelable"
    REFUND_NOT_SENDABLE = "refund_not_sendable"
    SESSION_NOT_OPEN = "session_not_open"
    SUBSCRIPTION_ENDED = "subscription_ended"
    TEST_CLOCK_LIMIT_REACHED = "test_clock_limit_reached"
    TEST_CLOCK_OFF = "test_clock_off"
    TRANSFER_ALREADY_MATCHED = "transfer_already_matched"
    URL_INVALID = "url_invalid"
    URL_ORIGIN_REFUSED = "url_origin_refused"
    WALLET_ADDRESS_INVALID = "wallet_address_invalid"
    WALLET_PAYLOAD_REFUSED = "wallet_payload_refused"


class GatewayError(Exception):
    """The root: `status` is a door's HTTP status, `retryable`: the same request may be sent again."""

    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        code: ErrorCode,
        message: str,
        *,
        param: str | None = None,
        object_id: str | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code: Final = code
        self.message: Final = message
        self.param: Final = param
        self.object_id: Final = object_id
        self.retry_after_s: Final = retry_after_s


class CallerError(GatewayError):
    """The caller can mend it."""

    status = 400


class InvalidRequestError(CallerError):
    """The request is wrong as it stands."""


class AuthenticationError(CallerError):
    """No key, or not a key of ours."""

    status = 401


class PermissionDeniedError(CallerError):
    """The key is good but may not do this."""

    status = 403


class NotFoundError(CallerError):
    """No such object for this merchant; a foreign object looks exactly the same."""

    status = 404


class ConflictError(CallerError):
    """The state of the object forbids it; `object_id` names the object."""

    status = 409


class InFlightError(ConflictError):
    """The same request is being worked on; ask again."""

    retryable = True


class PayloadTooLargeError(CallerError):
    """The body exceeds the limit."""

    status = 413


class UnsupportedMediaError(CallerError):
    """The body is not JSON by its own word."""

    status = 415


class IdempotencyMismatchError(CallerError):
    """One idempotency key was used with two different bodies."""

    status = 422


class RateLimitedError(CallerError):
    """Too many requests; `retry_after_s` says when to come back."""

    status = 429
    retryable = True


class WorldError(GatewayError):
    """Something outside failed; nobody here is at fault."""

    status = 503


class DeclinedError(WorldError):
    """The provider refused for good."""

    status = 402


class TemporaryError(WorldError):
    """The provider could not be reached or asked for patience; the same key may be sent again."""

    retryable = True


class UnknownOutcomeError(WorldError):
    """The command may have taken effect; only reconciliation may close it."""


class RepeatedFailureError(UnknownOutcomeError):
    """The provider repeats a stored failure for this key: whatever did not happen by now will not happen with it."""
