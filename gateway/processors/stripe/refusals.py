"""Stripe's words for a refusal, parsed into ours.

Decline codes come from card networks (https://docs.stripe.com/declines/codes), error codes from the API
(https://docs.stripe.com/error-codes). Both lists are open: what is not here is `Decline.UNKNOWN`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from gateway.domain.declines import Decline

_WORDS: Final[Mapping[Decline, str]] = MappingProxyType(
    {
        Decline.AMOUNT_REFUSED: (
            "amount_too_large amount_too_small invalid_amount invalid_charge_amount charge_exceeds_source_limit "
            "charge_exceeds_transaction_limit"
        ),
        Decline.AUTHENTICATION_FAILED: (
            "payment_intent_authentication_failure setup_intent_authentication_failure authentication_not_handled "
            "payment_intent_payment_attempt_expired"
        ),
        Decline.AUTHENTICATION_REQUIRED: (
            "authentication_required approve_with_id mobile_device_authentication_required offline_pin_required "
            "online_or_offline_pin_required"
        ),
        Decline.BALANCE_TOO_LOW: "balance_insufficient",
        Decline.BANK_ACCOUNT_UNUSABLE: (
            "account_closed account_frozen bank_account_declined bank_account_restricted bank_account_unusable "
            "bank_account_unverified bank_ownership_changed debit_not_authorized invalid_account "
            "invalid_account_number no_account payment_method_bank_account_blocked recipient_deceased "
            "refer_to_customer payment_method_microdeposit_failed"
        ),
        Decline.BLOCKED: "merchant_blacklist blocked highest_risk_level rule",
        Decline.CARD_EXPIRED: "expired_card",
        Decline.CARD_LOST_OR_STOLEN: "lost_card stolen_card pickup_card restricted_card",
        Decline.CARD_NOT_SUPPORTED: (
            "card_not_supported not_permitted service_not_allowed transaction_not_allowed payment_method_not_available"
        ),
        Decline.CARD_REFUSED: (
            "card_declined generic_decline do_not_honor do_not_try_again call_issuer no_action_taken "
            "revocation_of_all_authorizations revocation_of_authorization security_violation stop_payment_order "
            "testmode_decline new_account_information_available payment_intent_payment_attempt_failed "
            "payment_method_provider_decline"
        ),
        Decline.CHARGE_DISPUTED: "charge_disputed",
        Decline.CURRENCY_REFUSED: "currency_not_supported invalid_currency payment_method_currency_mismatch",
        Decline.DETAILS_INCORRECT: (
            "incorrect_address incorrect_cvc incorrect_number incorrect_pin incorrect_zip invalid_cvc "
            "invalid_expiry_month invalid_expiry_year invalid_number invalid_pin"
        ),
        Decline.DUPLICATE: "duplicate_transaction",
        Decline.FRAUD_SUSPECTED: "fraudulent suspected_fraud",
        Decline.INSUFFICIENT_FUNDS: "insufficient_funds",
        Decline.ISSUER_UNAVAILABLE: "issuer_not_available payment_method_provider_timeout",
        Decline.LIMIT_EXCEEDED: (
            "card_velocity_exceeded withdrawal_count_limit_exceeded pin_try_exceeded "
            "card_decline_rate_limit_exceeded payment_method_customer_decline_limit"
        ),
        Decline.PROCESSING_ERROR: "processing_error reenter_transaction try_again_later",
        Decline.REFUNDED_ALREADY: "charge_already_refunded",
    }
)
_BY_WORD: Final[Mapping[str, Decline]] = MappingProxyType(
    {word: decline for decline, words in _WORDS.items() for word in words.split()}
)
# The parameter that a request was refused for, where the code does not say it.
_BY_PARAM: Final[Mapping[str, Decline]] = MappingProxyType(
    {
        "amount": Decline.AMOUNT_REFUSED,
        "amount_to_capture": Decline.AMOUNT_REFUSED,
        "currency": Decline.CURRENCY_REFUSED,
        "expires_at": Decline.PAGE_TIME_OVER,
    }
)


def parse_decline(code: str | None, decline_code: str | None) -> Decline:
    """Return our word for a declined payment; the issuer's own code says more than the error's."""
    return _BY_WORD.get(decline_code or "") or _BY_WORD.get(code or "") or Decline.UNKNOWN


def parse_refusal(code: str | None, param: str | None) -> Decline:
    """Return our word for a request that Stripe's API refused."""
    return _BY_WORD.get(code or "") or _BY_PARAM.get(_last(param), Decline.REQUEST_REFUSED)


def _last(param: str | None) -> str:
    """Return the field itself: `currency` of `line_items[0][price_data][currency]`."""
    return (param or "").replace("]", "").rpartition("[")[2]
