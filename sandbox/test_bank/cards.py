"""The test cards: the only numbers that Test Bank takes, and what each of them makes happen.

The numbers are those that Stripe publishes (https://docs.stripe.com/testing), so that what is tried here can be tried
there too. Anything else is refused, so that nobody types a real card into a test page. A whole number is compared and
forgotten: beyond this file only ``last4`` is kept.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MAX_TYPED: Final = 40
"""Longest text that is looked at as a card number: 19 digits, and whatever people put between them."""
_SEPARATORS: Final = str.maketrans("", "", " -\u00a0\u2009\u202f")
_DIGITS: Final = frozenset("0123456789")
_HIGHEST_SINGLE_DIGIT: Final = 9


class CardEffect(StrEnum):
    """What paying with a card leads to; the word after `then` is what follows a passed 3-D Secure challenge."""

    SUCCESS = "success"
    DECLINE = "decline"
    CHALLENGE = "challenge_then_success"
    CHALLENGE_UNLESS_SET_UP = "challenge_unless_set_up"
    CHALLENGE_THEN_DECLINE = "challenge_then_decline"
    ATTACH_THEN_FAIL = "attach_then_fail"
    BLOCKED = "blocked"
    DISPUTE_FRAUD = "dispute_fraud"
    DISPUTE_NOT_RECEIVED = "dispute_not_received"
    INQUIRY = "inquiry"
    EARLY_FRAUD_WARNING = "early_fraud_warning"
    REFUND_PENDING_OK = "refund_pending_then_ok"
    REFUND_FAILS = "refund_fails"
    AVAILABLE_AT_ONCE = "available_at_once"


class Risk(StrEnum):
    """How Stripe's `outcome.risk_level` judges a charge."""

    NORMAL = "normal"
    ELEVATED = "elevated"
    HIGHEST = "highest"


_RISK_SCORES: Final = {Risk.NORMAL: 24, Risk.ELEVATED: 70, Risk.HIGHEST: 92}

_MESSAGES: Final = {
    "insufficient_funds": "Your card has insufficient funds.",
    "expired_card": "Your card has expired.",
    "incorrect_cvc": "Your card's security code is incorrect.",
    "incorrect_number": "Your card number is incorrect.",
    "processing_error": "An error occurred while processing your card. Try again in a little bit.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TestCard:
    """One test card.

    `code` and `decline_code` are Stripe's words for the failure, and None where nothing is declined; `country` is ISO
    3166 alpha-2; `purpose` says in a few words to a person what the card is for.
    """

    __test__ = False  # pytest would take it for a suite by its name

    number: str
    brand: str
    effect: CardEffect
    purpose: str
    code: str | None = None
    decline_code: str | None = None
    country: str = "US"
    funding: str = "credit"
    risk: Risk = Risk.NORMAL

    @property
    def last4(self) -> str:
        """The four digits that may be stored and shown."""
        return self.number[-4:]

    @property
    def risk_score(self) -> int:
        """Stripe's `outcome.risk_score`, 0 to 99."""
        return _RISK_SCORES[self.risk]

    @property
    def message(self) -> str:
        """The sentence that a shopper reads when the card is declined."""
        return _MESSAGES.get(self.decline_code or self.code or "", "Your card was declined.")


def _good(number: str, brand: str, purpose: str) -> TestCard:
    return TestCard(number=number, brand=brand, effect=CardEffect.SUCCESS, purpose=purpose)


def _visa(number: str, effect: CardEffect, purpose: str, *, country: str = "US", risk: Risk = Risk.NORMAL) -> TestCard:
    return TestCard(number=number, brand="visa", effect=effect, purpose=purpose, country=country, risk=risk)


def _declined(
    number: str,
    purpose: str,
    *,
    code: str = "card_declined",
    decline_code: str | None,
    effect: CardEffect = CardEffect.DECLINE,
    country: str = "US",
    risk: Risk = Risk.NORMAL,
) -> TestCard:
    return TestCard(
        number=number,
        brand="visa",
        effect=effect,
        purpose=purpose,
        code=code,
        decline_code=decline_code,
        country=country,
        risk=risk,
    )


ALL: Final[tuple[TestCard, ...]] = (
    _good("4242424242424242", "visa", "Succeeds (Visa)"),
    _good("5555555555554444", "mastercard", "Succeeds (Mastercard)"),
    _good("378282246310005", "amex", "Succeeds (American Express)"),
    _good("3566002020360505", "jcb", "Succeeds (JCB), held money is captured once"),
    _visa("4000000000000077", CardEffect.AVAILABLE_AT_ONCE, "Succeeds, funds available at once"),
    _visa("4000000000003220", CardEffect.CHALLENGE, "3-D Secure, then succeeds"),
    _visa("4000002500003155", CardEffect.CHALLENGE_UNLESS_SET_UP, "3-D Secure unless set up before", country="FR"),
    _declined(
        "4000008400001629",
        "3-D Secure, then declined",
        decline_code="generic_decline",
        effect=CardEffect.CHALLENGE_THEN_DECLINE,
    ),
    _declined(
        "4000008260003178",
        "3-D Secure, then insufficient funds",
        decline_code="insufficient_funds",
        effect=CardEffect.CHALLENGE_THEN_DECLINE,
        country="GB",
    ),
    _declined("4000000000000002", "Declined", decline_code="generic_decline"),
    _declined("4000000000009995", "Insufficient funds", decline_code="insufficient_funds"),
    _declined("4000000000009987", "Lost card", decline_code="lost_card"),
    _declined("4000000000009979", "Stolen card", decline_code="stolen_card"),
    _declined("4000000000000069", "Expired card", code="expired_card", decline_code="expired_card"),
    _declined("4000000000000127", "Wrong security code", code="incorrect_cvc", decline_code="incorrect_cvc"),
    _declined("4000000000000119", "Processing error", code="processing_error", decline_code="processing_error"),
    _declined("4242424242424241", "Wrong number", code="incorrect_number", decline_code=None),
    _declined(
        "4000000000000341",
        "Is saved, later charges fail",
        decline_code="generic_decline",
        effect=CardEffect.ATTACH_THEN_FAIL,
    ),
    _declined(
        "4100000000000019",
        "Blocked as fraudulent",
        decline_code="fraudulent",
        effect=CardEffect.BLOCKED,
        risk=Risk.HIGHEST,
    ),
    _visa("4000000000004954", CardEffect.SUCCESS, "Succeeds, highest risk", risk=Risk.HIGHEST),
    _visa("4000000000009235", CardEffect.SUCCESS, "Succeeds, elevated risk", risk=Risk.ELEVATED),
    _visa("4000000000000259", CardEffect.DISPUTE_FRAUD, "Succeeds, disputed as fraudulent"),
    _visa("4000000000002685", CardEffect.DISPUTE_NOT_RECEIVED, "Succeeds, disputed as not received"),
    _visa("4000000000001976", CardEffect.INQUIRY, "Succeeds, then an inquiry"),
    _visa("4000000000005423", CardEffect.EARLY_FRAUD_WARNING, "Succeeds, early fraud warning"),
    _visa("4000000000007726", CardEffect.REFUND_PENDING_OK, "Refund pending, then succeeds"),
    _visa("4000000000005126", CardEffect.REFUND_FAILS, "Refund succeeds, then fails"),
)
_BY_NUMBER: Final = {card.number: card for card in ALL}
_BRANDS: Final = (
    ("4", "visa"),
    ("34", "amex"),
    ("37", "amex"),
    ("35", "jcb"),
    *((str(two), "mastercard") for two in range(51, 56)),
)


def find(number: str) -> TestCard | None:
    """Return the test card of a number as people type it, with or without separators; None when it is not listed."""
    return _BY_NUMBER.get(digits_of(number) or "")


def digits_of(text: str) -> str | None:
    """Return the digits of a typed number, or None when it holds anything but ASCII digits and separators."""
    digits = text.translate(_SEPARATORS) if len(text) <= MAX_TYPED else ""
    return digits if digits and set(digits) <= _DIGITS else None


def brand_of(digits: str) -> str:
    """Return the brand that a number begins like, as Stripe spells it; `unknown` for the rest."""
    return next((brand for prefix, brand in _BRANDS if digits.startswith(prefix)), "unknown")


def is_luhn_valid(digits: str) -> bool:
    """Return whether the check digit fits (ISO/IEC 7812-1, annex B)."""
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(value - 9 if value > _HIGHEST_SINGLE_DIGIT else value for value in doubled) % 10 == 0
