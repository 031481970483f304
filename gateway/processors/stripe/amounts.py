"""Amounts: our atomic units to Stripe's, and back. Exact, or refused; nothing rounds.

Stripe counts most currencies as ISO 4217 does. The exceptions stand in one table
(https://docs.stripe.com/currencies#zero-decimal, #special-cases, #three-decimal): ISK and UGX, which have no decimals,
are still written with two that must be zeros; MGA is written without its decimals; amounts of three-decimal currencies
must end in a zero.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from gateway.kernel.currencies import CurrencyKind, all_currencies, currency
from gateway.kernel.money import Money

# Decimals on Stripe's wire where they differ from ISO 4217.
_WIRE_EXPONENTS: Final[Mapping[str, int]] = MappingProxyType({"ISK": 2, "UGX": 2, "MGA": 0})
_THREE_DECIMALS: Final = 3
_THREE_DECIMAL_STEP: Final = 10
MAX_WIRE: Final = 99_999_999  # eight digits; Stripe takes more in a few currencies, by contract
_MAX_READ: Final = 10**18  # beyond every balance there is; a larger number is no amount
# The least that Stripe charges, in wire units, where it says so; the currency that an account settles in may ask more.
# https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts
_MIN_WIRE: Final[Mapping[str, int]] = MappingProxyType(
    {
        "AED": 200, "AUD": 50, "BGN": 100, "BRL": 50, "CAD": 50, "CHF": 50, "CZK": 1500, "DKK": 250, "EUR": 50,
        "GBP": 30, "HKD": 400, "HUF": 17500, "INR": 50, "JPY": 50, "MXN": 1000, "MYR": 200, "NOK": 300, "NZD": 50,
        "PLN": 200, "RON": 200, "SEK": 300, "SGD": 50, "THB": 1000, "USD": 50,
    }
)  # fmt: skip


class AmountError(ValueError):
    """An amount has no exact counterpart on the other side."""


def accepts(price: Money) -> bool:
    """Tell whether Stripe charges exactly this amount in this currency."""
    if currency(price.currency).kind is not CurrencyKind.FIAT:
        return False
    try:
        wire = to_wire(price)
    except AmountError:
        return False
    return max(_MIN_WIRE.get(price.currency, 1), 1) <= wire <= MAX_WIRE


def to_wire(amount: Money) -> int:
    """Return an amount in Stripe's units.

    Raises:
        AmountError: Stripe cannot say it: a third decimal that is not zero, or decimals where it has none.
    """
    row = currency(amount.currency)
    step, factor = _scale(row.code, row.exponent)
    if amount.atomic % step:
        raise AmountError(f"Stripe cannot say so few {row.code}")
    if row.exponent == _THREE_DECIMALS and amount.atomic % _THREE_DECIMAL_STEP:
        raise AmountError(f"Stripe wants the last digit of {row.code} to be zero")
    return amount.atomic // step * factor


def from_wire(amount: int, code: str) -> Money:
    """Return Stripe's amount as ours; `code` in any case. Fees of three-decimal currencies may use every digit.

    Raises:
        AmountError: we do not know the currency, or cannot say the amount in whole atomic units.
    """
    row = _BY_WIRE_CODE.get(code.lower())
    if abs(amount) > _MAX_READ:
        raise AmountError("Stripe named a number that is no amount")
    if row is None:
        raise AmountError("Stripe named a currency that is not known here")
    step, factor = _scale(*row)
    if amount % factor:
        raise AmountError(f"Stripe named a part of the smallest {row[0]}")
    return Money(amount // factor * step, row[0])


def _scale(code: str, exponent: int) -> tuple[int, int]:
    """Return (step, factor): `step` atomic units of ours are `factor` of Stripe's; one of them is 1."""
    wire = _WIRE_EXPONENTS.get(code, exponent)
    return 10 ** max(exponent - wire, 0), 10 ** max(wire - exponent, 0)


_BY_WIRE_CODE: Final[Mapping[str, tuple[str, int]]] = MappingProxyType(
    {row.code.lower(): (row.code, row.exponent) for row in all_currencies() if row.kind is CurrencyKind.FIAT}
)
