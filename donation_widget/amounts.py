"""Amounts as donors write them, and what they add for fees. `static/donate.js` follows the same two rules."""

import re
from typing import Final

from gateway.domain.conversion import fee_cover
from gateway.engine.donations.records import CampaignRecord
from gateway.kernel.errors import ErrorCode, InvalidRequestError
from gateway.kernel.money import Money, parse_money

MAX_LENGTH: Final = 40
# Arabic-Indic and Persian digits with their decimal separator, as phones write them there.
_DIGITS: Final = str.maketrans(
    "\u0660\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668\u0669"
    "\u06f0\u06f1\u06f2\u06f3\u06f4\u06f5\u06f6\u06f7\u06f8\u06f9\u066b,",
    "01234567890123456789..",
)
_SPACES: Final = re.compile(r"[\s\u00a0\u202f']", re.UNICODE)
_AMOUNT: Final = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)


def written_amount(text: str, code: str) -> Money:
    """Read `12`, `12.5`, `12,50` or `1 000`: digits with at most one point or comma, which is the decimal one.

    `1,234` in a currency of two decimals is refused rather than guessed.

    Raises:
        InvalidRequestError: it is no positive amount of this currency.
    """
    plain = _SPACES.sub("", text[: MAX_LENGTH + 1]).translate(_DIGITS)
    if len(text) > MAX_LENGTH or not _AMOUNT.fullmatch(plain):
        raise InvalidRequestError(ErrorCode.AMOUNT_INVALID, "Write the amount in figures.", param="/amount")
    return parse_money(plain, code)


def cover_of(campaign: CampaignRecord, amount: Money) -> Money:
    """Return what a donor adds who covers the fees; nothing where the campaign does not offer it."""
    if not campaign.offers_fee_cover:
        return Money.zero(amount.currency)
    return fee_cover(amount, fee_bps=campaign.fee_bps, fee_fixed=campaign.fee_fixed)
