"""Card numbers: how one is recognised where none belongs, so that it is neither stored nor logged (PCI DSS 4.0, 3.3).

A number is a card's if its network's prefix, its length (ISO/IEC 7812-1) and its check digit (Luhn) fit together. Of
random figures of the right length one in about seventy does; such a reference is refused as well.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Final

_SEPARATOR: Final = r"[ \-\u00a0\u2010-\u2015]"
# Digits with at most one separator between two of them. What follows a decimal point is a fraction, not a card.
_RUN: Final = re.compile(rf"(?<![0-9])(?<![0-9]\.)[0-9](?:{_SEPARATOR}?[0-9]){{11,}}")
_HASH: Final = re.compile(r"[0-9a-fA-F]{32,}")
_SHORTEST: Final = 12
_LONGEST: Final = 19
_KEPT: Final = 4  # digits that a masked number still shows, as receipts do
# Prefixes and lengths by network: https://en.wikipedia.org/wiki/Payment_card_number#Issuer_identification_number_(IIN)
_NETWORKS: Final = (
    (re.compile(r"4"), frozenset({13, 16, 19})),
    (re.compile(r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720"), frozenset({16})),
    (re.compile(r"3[47]"), frozenset({15})),
    (re.compile(r"6011|64[4-9]|65|62|81"), frozenset({16, 17, 18, 19})),
    (re.compile(r"30[0-5]|36|38|39"), frozenset({14, 16, 19})),
    (re.compile(r"35(2[89]|[3-8])"), frozenset({16, 17, 18, 19})),
    (re.compile(r"5018|5020|5038|5893|6304|6759|676[1-3]"), frozenset(range(12, 20))),
)


def has_card_number(text: str) -> bool:
    """Tell whether a text holds something that reads as a card number, in any script's digits."""
    plain = _HASH.sub(" ", _plain_digits(text))
    return any(True for run in _RUN.finditer(plain) for _ in _cards_in(run[0]))


def mask_card_numbers(text: str) -> str:
    """Replace all but the last four digits of what reads as a card number."""
    if len(text) < _SHORTEST:
        return text
    plain = _plain_digits(text)
    for run in _RUN.finditer(plain):
        for start, end in _cards_in(run[0]):
            begin, stop = run.start() + start, run.start() + end
            text = text[:begin] + _stars(plain[begin:stop]) + text[stop:]
    return text


def _plain_digits(text: str) -> str:
    """Write every script's digits as 0 to 9, each where it stood."""
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(each)) if each.isdecimal() else each for each in text)


def _stars(number: str) -> str:
    hidden = sum(each.isdigit() for each in number) - _KEPT
    shown = []
    for each in number:
        shown.append("*" if each.isdigit() and hidden > 0 else each)
        hidden -= each.isdigit()
    return "".join(shown)


def _cards_in(run: str) -> Iterator[tuple[int, int]]:
    """Yield where cards stand in a run; each begins and ends with a group, and none overlaps the one before."""
    groups = [(match.start(), match.end()) for match in re.finditer(r"[0-9]+", run)]
    first = 0
    while first < len(groups):
        last = _card_from(run, groups, first)
        if last is not None:
            yield groups[first][0], groups[last][1]
        first = first + 1 if last is None else last + 1


def _card_from(run: str, groups: Sequence[tuple[int, int]], first: int) -> int | None:
    """Return the last group of a card that begins with the group `first`."""
    digits = ""
    for last in range(first, len(groups)):
        digits += run[groups[last][0] : groups[last][1]]
        if len(digits) > _LONGEST:
            return None
        if len(digits) >= _SHORTEST and _is_card(digits):
            return last
    return None


def _is_card(digits: str) -> bool:
    return any(prefix.match(digits) and len(digits) in lengths for prefix, lengths in _NETWORKS) and _has_check(digits)


def _has_check(digits: str) -> bool:
    """Tell whether the last digit is the check digit of the others (Luhn)."""
    doubled = [int(each) * 2 for each in digits[-2::-2]]
    return (sum(int(each) for each in digits[-1::-2]) + sum(each // 10 + each % 10 for each in doubled)) % 10 == 0
