"""Currencies: exponents by ISO 4217, and what may not be registered."""

import pytest

from gateway.kernel.currencies import Currency, CurrencyKind, all_currencies, currency, parse_currency, register_token
from gateway.kernel.errors import InvalidRequestError

# ISO 4217 list one, minor units; the ones that programs get wrong.
EXPONENTS = {
    "USD": 2, "EUR": 2, "GBP": 2, "CHF": 2, "HUF": 2, "TWD": 2, "IDR": 2, "COP": 2,
    "JPY": 0, "KRW": 0, "VND": 0, "CLP": 0, "ISK": 0, "UGX": 0, "PYG": 0, "XOF": 0, "XAF": 0,
    "KWD": 3, "BHD": 3, "OMR": 3, "JOD": 3, "TND": 3,
    "SOL": 9, "USDC": 6, "USDT": 6, "EURC": 6, "PYUSD": 6,
}  # fmt: skip


@pytest.mark.parametrize(("code", "exponent"), EXPONENTS.items())
def test_the_exponent_is_the_standards(code: str, exponent: int) -> None:
    assert currency(code).exponent == exponent


def test_codes_are_unique_upper_case_and_fit_their_column() -> None:
    codes = [row.code for row in all_currencies()]
    assert codes == sorted(set(codes))
    assert all(code.isascii() and code.isupper() and 3 <= len(code) <= 12 for code in codes)


@pytest.mark.parametrize("code", ["usd", "US", "USDD", "", " USD", "USD\n", "\u0405OL", "__class__"])
def test_an_unknown_code_from_outside_is_refused(code: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_currency(code, param="/price/currency")
    assert (caught.value.code.value, caught.value.param) == ("currency_unknown", "/price/currency")


def test_an_unknown_code_of_our_own_is_a_programmers_error() -> None:
    with pytest.raises(KeyError):
        currency("NOPE")


def test_a_known_token_cannot_come_back_with_another_exponent() -> None:
    coin = Currency(code="TESTCOIN", exponent=4, kind=CurrencyKind.CRYPTO, name="Coin")
    register_token(coin)
    register_token(coin)
    assert parse_currency("TESTCOIN") is coin
    with pytest.raises(ValueError, match="exponent 4, not 5"):
        register_token(Currency(code="TESTCOIN", exponent=5, kind=CurrencyKind.CRYPTO, name="Coin"))
    with pytest.raises(ValueError, match="exponent 2"):
        register_token(Currency(code="USD", exponent=6, kind=CurrencyKind.CRYPTO, name="A false dollar"))
