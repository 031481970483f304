"""What people type into the bank's forms: read, checked field by field, and never handed back when it is a card number.

Every problem is a sentence that says what to do, beside the field that it is about. No sentence repeats the input.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from sandbox.test_bank.cards import TestCard, digits_of, find, is_luhn_valid

MAX_NAME: Final = 120
MAX_EMAIL: Final = 254  # RFC 5321 leaves an address no more
MAX_YEARS_AHEAD: Final = 50
_EXPIRY: Final = re.compile(r"(0?[1-9]|1[0-2])\s?[/.-]?\s?(20)?([0-9]{2})", re.ASCII)
_EMAIL: Final = re.compile(r"[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f]+\.[^@\s.\x00-\x1f]{2,}")
_CVC: Final = re.compile(r"[0-9]{3,4}", re.ASCII)
_AMEX_CVC_DIGITS: Final = 4
_CVC_DIGITS: Final = 3
_CENTURY: Final = 2000

Problems = dict[str, str]
"""A sentence by the name of its field, in the order of the form."""

NOT_LISTED: Final = "Use one of the test cards below. This page takes no real card."
MISTYPED: Final = "Check the number: a digit is wrong or missing."


@dataclass(frozen=True, slots=True, kw_only=True)
class CardForm:
    """A card form without a problem; `email` is None where the page did not ask for it."""

    card: TestCard
    exp_month: int
    exp_year: int
    cvc: str
    name: str
    email: str | None


def read_card_form(form: Mapping[str, str], *, today: date, asks_email: bool) -> CardForm | Problems:
    """Return the form, or what is wrong with each of its fields; `today` is the bank's day."""
    card = find(form.get("number", ""))
    expiry = _expiry(form.get("expiry", ""))
    cvc, name, email = (form.get(field, "").strip() for field in ("cvc", "name", "email"))
    found = {
        "email": _email_problem(email) if asks_email else None,
        "number": None if card else _number_problem(form.get("number", "")),
        "expiry": _expiry_problem(expiry, today),
        "cvc": _cvc_problem(cvc, card),
        "name": _name_problem(name),
    }
    problems = {field: sentence for field, sentence in found.items() if sentence is not None}
    if problems or card is None or expiry is None:
        return problems
    return CardForm(
        card=card,
        exp_year=expiry[0],
        exp_month=expiry[1],
        cvc=cvc,
        name=name,
        email=email if asks_email else None,
    )


def kept_of(form: Mapping[str, str]) -> dict[str, str]:
    """Return what may stand in the form again: no security code, and a number only when it is a test card's."""
    card = find(form.get("number", ""))
    kept = {field: form.get(field, "")[:MAX_EMAIL] for field in ("email", "expiry", "name")}
    # A name or an expiry may be a real card's number in the wrong field; nothing that looks like one is shown again.
    harmless = {field: text for field, text in kept.items() if not _holds_card_number(text)}
    return harmless | {"number": spaced(card.number) if card else ""}


def filled_with(card: TestCard, today: date) -> dict[str, str]:
    """Return the form filled with a test card and a made-up person."""
    return {
        "email": "shopper@example.com",
        "number": spaced(card.number),
        "expiry": f"12 / {(today.year + 3) % 100:02}",
        "cvc": "1234" if card.brand == "amex" else "123",
        "name": "Test Shopper",
    }


def spaced(digits: str) -> str:
    """Group a number as it is printed on the card: 4-6-5 for American Express, else fours."""
    ends = (4, 10, 15) if digits.startswith(("34", "37")) else tuple(range(4, len(digits) + 4, 4))
    starts = (0, *ends)
    return " ".join(part for start, end in zip(starts, ends, strict=False) if (part := digits[start:end]))


def _holds_card_number(text: str) -> bool:
    digits = re.sub(r"[^0-9]", "", text)
    return len(digits) >= 12  # noqa: PLR2004 -- the shortest card numbers have twelve digits (ISO/IEC 7812)


def _number_problem(typed: str) -> str:
    if not typed.strip():
        return "Enter a card number."
    digits = digits_of(typed)
    return NOT_LISTED if digits is not None and is_luhn_valid(digits) else MISTYPED


def _expiry(typed: str) -> tuple[int, int] | None:
    matched = _EXPIRY.fullmatch(typed.strip())
    return (_CENTURY + int(matched[3]), int(matched[1])) if matched else None


def _expiry_problem(expiry: tuple[int, int] | None, today: date) -> str | None:
    if expiry is None:
        return "Enter the expiry date as month and year, for example 12 / 34."
    if expiry < (today.year, today.month):
        return "This date is over. Enter a month that is still to come."
    return "Enter a year that is less far away." if expiry[0] > today.year + MAX_YEARS_AHEAD else None


def _cvc_problem(cvc: str, card: TestCard | None) -> str | None:
    wanted = _AMEX_CVC_DIGITS if card is not None and card.brand == "amex" else _CVC_DIGITS
    if not _CVC.fullmatch(cvc) or (card is not None and len(cvc) != wanted):
        return f"Enter the security code: {wanted} digits, any will do here."
    return None


def _name_problem(name: str) -> str | None:
    if not name or len(name) > MAX_NAME or not name.isprintable():
        return f"Enter the name on the card, up to {MAX_NAME} letters."
    return "Enter a name, not a number." if _holds_card_number(name) else None


def _email_problem(email: str) -> str | None:
    is_good = len(email) <= MAX_EMAIL and _EMAIL.fullmatch(email) is not None
    return None if is_good else "Enter an e-mail address, for example shopper@example.com."
