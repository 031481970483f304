"""Conversion: amounts from one currency to another. The only place of the house that rounds.

A rate is a pair of integers: one major unit of the currency that is paid costs `num / den` major units of the currency
that the price is in. Everything in between is an exact fraction (no float, and no Decimal, whose default context
rounds at 28 digits), and each function that rounds names its direction and who gains by it: never more than one atomic
unit.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Protocol

from gateway.kernel.currencies import currency
from gateway.kernel.errors import ErrorCode, InvalidRequestError
from gateway.kernel.money import MAX_ATOMIC, Money

BPS: Final = 10_000


class RateLike(Protocol):
    """Anything that says `num / den`: a `Rate`, a `SourceRate`, a stored quote, a `Ratio`."""

    @property
    def num(self) -> int:
        """The numerator, greater than zero."""
        ...

    @property
    def den(self) -> int:
        """The denominator, greater than zero."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """A positive rate in lowest terms, made by calculation rather than by a source."""

    num: int
    den: int

    def __post_init__(self) -> None:
        assert self.num > 0, "a rate is positive"
        assert self.den > 0, "a rate is positive"


def exact(rate: RateLike) -> Fraction:
    """Return a rate as an exact fraction."""
    assert rate.num > 0, "a rate is positive"
    assert rate.den > 0, "a rate is positive"
    return Fraction(rate.num, rate.den)


def ratio(value: Fraction) -> Ratio:
    """Return an exact positive fraction as a rate in lowest terms."""
    return Ratio(num=value.numerator, den=value.denominator)


def invert(rate: RateLike) -> Ratio:
    """Return the price of one unit of the quote in units of the base; exact."""
    return ratio(1 / exact(rate))


def cross(first: RateLike, second: RateLike) -> Ratio:
    """Chain two rates, A in B and B in C, to A in C; exact."""
    return ratio(exact(first) * exact(second))


def pay_amount(price: Money, rate: RateLike, pay_currency: str, *, spread_bps: int = 0) -> Money:
    """Return how much of `pay_currency` settles `price` at this rate.

    Rounds UP to the atomic unit of `pay_currency`: the merchant gains less than one unit, and what is asked always
    covers the price.

    Args:
        price: what is owed; greater than zero.
        rate: one major unit of `pay_currency` costs `num / den` major units of the price's currency.
        pay_currency: the code of the currency that will be paid.
        spread_bps: our fee on the rate in hundredths of a percent, paid by the payer; 0 to 10,000.

    Raises:
        InvalidRequestError: `amount_too_large`, when the result exceeds what the gateway can book.
    """
    assert price.atomic > 0, "only a positive price can be paid"
    assert 0 <= spread_bps <= BPS, "a spread is between nothing and everything"
    major = Fraction(price.atomic, 10 ** currency(price.currency).exponent) / exact(rate)
    with_spread = major * (BPS + spread_bps) / BPS
    atomic = _ceil(with_spread * 10 ** currency(pay_currency).exponent)
    if atomic > MAX_ATOMIC:
        raise InvalidRequestError(
            ErrorCode.AMOUNT_TOO_LARGE,
            "The amount is larger than the gateway can book in the currency to be paid.",
            param="/amount",
        )
    return Money(atomic, pay_currency)


def covered(parts: Iterable[tuple[int, int]]) -> Fraction:
    """Return which share of one price was paid; exact, and more than 1 when overpaid.

    Args:
        parts: (received, due) for each quote of the price: atomic units of that quote's currency, due greater than
            zero. Half in SOL and half in USDC make 1.
    """
    share = Fraction(0)
    for received, due in parts:
        assert received >= 0, "what was received cannot be negative"
        assert due > 0, "a quote asks for something"
        share += Fraction(received, due)
    return share


def rest_due(share: Fraction, due: Money) -> Money:
    """Return what is still to be paid of `due`, at its kept rate, when `share` of the price is covered.

    Rounds UP to the atomic unit of `due`: the merchant gains less than one unit, and paying the rest always completes
    the payment. Nothing when it is covered.
    """
    assert share >= 0, "a share cannot be negative"
    return Money(max(0, _ceil(due.atomic * (1 - share))), due.currency)


def credited_price(share: Fraction, price: Money) -> Money:
    """Return how much of `price` a share is worth, in the price's currency; more than the price when overpaid.

    Rounds DOWN to the atomic unit of `price`: the merchant gains less than one unit, and a price counts as paid in full
    only when it is covered in full.
    """
    assert share >= 0, "a share cannot be negative"
    return Money(_floor(price.atomic * share), price.currency)


def fee_cover(gift: Money, *, fee_bps: int, fee_fixed: Money) -> Money:
    """Return what a donor adds so that all of `gift` is left after the fee on the whole.

    The fee is `fee_bps` hundredths of a percent of what is charged, and `fee_fixed`. Rounds UP to the atomic unit: the
    charity gains less than one unit, and never gets less than the gift.
    """
    assert gift.atomic > 0, "only a gift has fees"
    assert 0 <= fee_bps < BPS, "a fee is less than everything"
    whole = Fraction((gift + fee_fixed).atomic * BPS, BPS - fee_bps)
    return Money(_ceil(whole) - gift.atomic, gift.currency)


def _ceil(value: Fraction) -> int:
    return -(-value.numerator // value.denominator)


def _floor(value: Fraction) -> int:
    return value.numerator // value.denominator
