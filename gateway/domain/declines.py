"""Why a provider said no, in our own words, and what is worth trying next. A table, pure.

Every processor parses its provider's codes into a `Decline`; routing and pages read this table alone. What is not in a
processor's parser is `Decline.UNKNOWN`, which no machine retries.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from gateway.kernel.errors import DeclinedError, ErrorCode


class Decline(StrEnum):
    """A reason for a refusal, the same for every provider."""

    AMOUNT_REFUSED = "amount_refused"
    AUTHENTICATION_FAILED = "authentication_failed"
    AUTHENTICATION_REQUIRED = "authentication_required"
    BALANCE_TOO_LOW = "balance_too_low"
    BANK_ACCOUNT_UNUSABLE = "bank_account_unusable"
    BLOCKED = "blocked"
    CARD_EXPIRED = "card_expired"
    CARD_LOST_OR_STOLEN = "card_lost_or_stolen"
    CARD_NOT_SUPPORTED = "card_not_supported"
    CARD_REFUSED = "card_refused"
    CHARGE_DISPUTED = "charge_disputed"
    CURRENCY_REFUSED = "currency_refused"
    DETAILS_INCORRECT = "details_incorrect"
    DUPLICATE = "duplicate"
    FRAUD_SUSPECTED = "fraud_suspected"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    ISSUER_UNAVAILABLE = "issuer_unavailable"
    LIMIT_EXCEEDED = "limit_exceeded"
    PAGE_TIME_OVER = "page_time_over"
    PROCESSING_ERROR = "processing_error"
    REFUNDED_ALREADY = "refunded_already"
    REQUEST_REFUSED = "request_refused"
    UNKNOWN = "unknown"


class DeclineAction(StrEnum):
    """What is worth trying after a refusal.

    `retry_same` and `retry_other_psp` are for a machine, once each; `ask_customer` and `step_up_3ds` need the shopper
    before anything may be sent again; `stop` means that nothing helps.
    """

    RETRY_SAME = "retry_same"
    RETRY_OTHER_PSP = "retry_other_psp"
    ASK_CUSTOMER = "ask_customer"
    STEP_UP_3DS = "step_up_3ds"
    STOP = "stop"


ACTIONS: Final[Mapping[Decline, DeclineAction]] = MappingProxyType(
    {
        Decline.AMOUNT_REFUSED: DeclineAction.RETRY_OTHER_PSP,
        Decline.AUTHENTICATION_FAILED: DeclineAction.ASK_CUSTOMER,
        Decline.AUTHENTICATION_REQUIRED: DeclineAction.STEP_UP_3DS,
        Decline.BALANCE_TOO_LOW: DeclineAction.STOP,
        Decline.BANK_ACCOUNT_UNUSABLE: DeclineAction.ASK_CUSTOMER,
        Decline.BLOCKED: DeclineAction.STOP,
        Decline.CARD_EXPIRED: DeclineAction.ASK_CUSTOMER,
        Decline.CARD_LOST_OR_STOLEN: DeclineAction.STOP,
        Decline.CARD_NOT_SUPPORTED: DeclineAction.ASK_CUSTOMER,
        Decline.CARD_REFUSED: DeclineAction.ASK_CUSTOMER,
        Decline.CHARGE_DISPUTED: DeclineAction.STOP,
        Decline.CURRENCY_REFUSED: DeclineAction.RETRY_OTHER_PSP,
        Decline.DETAILS_INCORRECT: DeclineAction.ASK_CUSTOMER,
        Decline.DUPLICATE: DeclineAction.STOP,
        Decline.FRAUD_SUSPECTED: DeclineAction.STOP,
        Decline.INSUFFICIENT_FUNDS: DeclineAction.ASK_CUSTOMER,
        Decline.ISSUER_UNAVAILABLE: DeclineAction.RETRY_SAME,
        Decline.LIMIT_EXCEEDED: DeclineAction.ASK_CUSTOMER,
        Decline.PAGE_TIME_OVER: DeclineAction.RETRY_SAME,
        Decline.PROCESSING_ERROR: DeclineAction.RETRY_SAME,
        Decline.REFUNDED_ALREADY: DeclineAction.STOP,
        Decline.REQUEST_REFUSED: DeclineAction.RETRY_OTHER_PSP,
        Decline.UNKNOWN: DeclineAction.ASK_CUSTOMER,
    }
)

_REFUSED: Final = "The card was declined. Try another card or another way to pay."
# What the shopper may read. Lost, stolen, fraud and blocked read like any other refusal: a thief learns nothing here.
_SENTENCES: Final[Mapping[Decline, str]] = MappingProxyType(
    {
        Decline.AMOUNT_REFUSED: "The payment provider does not take this amount. Choose another way to pay.",
        Decline.AUTHENTICATION_FAILED: "Your bank could not confirm that it is you. Try again or use another card.",
        Decline.AUTHENTICATION_REQUIRED: "Your bank asks you to confirm this payment. Try again and follow its steps.",
        Decline.BALANCE_TOO_LOW: "The provider's balance is too small for this. Add money to it and try again.",
        Decline.BANK_ACCOUNT_UNUSABLE: "This bank account cannot be charged. Use another account or a card.",
        Decline.BLOCKED: _REFUSED,
        Decline.CARD_EXPIRED: "The card has expired. Use another card.",
        Decline.CARD_LOST_OR_STOLEN: _REFUSED,
        Decline.CARD_NOT_SUPPORTED: "The card does not support this purchase. Use another card.",
        Decline.CARD_REFUSED: _REFUSED,
        Decline.CHARGE_DISPUTED: "The charge is disputed; a refund now would pay twice. Wait for the dispute's end.",
        Decline.CURRENCY_REFUSED: "The payment provider does not take this currency. Choose another way to pay.",
        Decline.DETAILS_INCORRECT: "The card's number, date or security code is wrong. Check them and try again.",
        Decline.DUPLICATE: "The same amount was just paid with this card. Look at your statement before trying again.",
        Decline.FRAUD_SUSPECTED: _REFUSED,
        Decline.INSUFFICIENT_FUNDS: "There is not enough money on the card. Use another card or another way to pay.",
        Decline.ISSUER_UNAVAILABLE: "Your bank does not answer at the moment. Try again shortly.",
        Decline.LIMIT_EXCEEDED: "The card's limit is reached. Use another card or ask your bank.",
        Decline.PAGE_TIME_OVER: "The time for opening this payment has passed. Start it again.",
        Decline.PROCESSING_ERROR: "The payment could not be processed. Try again shortly.",
        Decline.REFUNDED_ALREADY: "The charge has been refunded already.",
        Decline.REQUEST_REFUSED: "The payment provider refused this. Choose another way to pay.",
        Decline.UNKNOWN: "The payment was declined. Try another card or another way to pay.",
    }
)


def action_for(decline: Decline) -> DeclineAction:
    """Return what is worth trying after this refusal."""
    return ACTIONS[decline]


def sentence_for(decline: Decline) -> str:
    """Return what a person may be told of this refusal."""
    return _SENTENCES[decline]


class ProviderDeclinedError(DeclinedError):
    """A provider's final no to a command, with its reason; the message is for people."""

    def __init__(self, decline: Decline) -> None:
        super().__init__(ErrorCode.PROVIDER_DECLINED, sentence_for(decline))
        self.decline: Final = decline
