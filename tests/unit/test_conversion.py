"""Conversion: what is asked always covers the price, and nobody gains more than one atomic unit."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.conversion import (
    Ratio,
    covered,
    credited_price,
    cross,
    exact,
    invert,
    pay_amount,
    ratio,
    rest_due,
)
from gateway.kernel import currencies
from gateway.kernel.currencies import Currency, CurrencyKind, currency
from gateway.kernel.errors import ErrorCode, InvalidRequestError
from gateway.kernel.money import MAX_ATOMIC, Money


@dataclass(frozen=True)
class _Said:
    num: int
    den: int


@pytest.fixture(autouse=True, scope="module")
def _wei() -> Iterator[None]:
    """Give the module a currency of 18 decimals, as tokens of EVM chains have."""
    row = Currency(code="TESTWEI", exponent=18, kind=CurrencyKind.CRYPTO, name="Test")
    currencies._CURRENCIES["TESTWEI"] = row
    yield
    del currencies._CURRENCIES["TESTWEI"]


@pytest.mark.parametrize(
    ("price", "rate", "pay_currency", "spread_bps", "atomic"),
    [
        (Money(10_000, "USD"), (200, 1), "SOL", 0, 500_000_000),  # 100.00 USD at 200 = 0.5 SOL
        (Money(1, "USD"), (3, 1), "SOL", 0, 3_333_334),  # a third is rounded up
        (Money(3, "USD"), (3, 1), "SOL", 0, 10_000_000),  # what is exact stays exact
        (Money(1_000, "USD"), (1, 1), "USDC", 0, 10_000_000),
        (Money(1_000, "USD"), (9_998, 10_000), "USDC", 0, 10_002_001),
        (Money(1_000, "USD"), (1, 1), "USDC", 50, 10_050_000),  # 0.5 % for the gateway
        (Money(1_000, "JPY"), (30_000, 1), "SOL", 0, 33_333_334),  # a price without decimals
        (Money(1_000, "KWD"), (61, 1), "SOL", 0, 16_393_443),  # a price with three
        (Money(1, "USD"), (10**12, 1), "USDC", 0, 1),  # never nothing
        (Money(10**18, "TESTWEI"), (1, 2_000), "USD", 0, 200_000),
        (Money(1, "TESTWEI"), (1, 2_000), "JPY", 0, 1),
    ],
)
def test_the_amount_to_pay_is_rounded_up_to_the_atomic_unit(
    price: Money, rate: tuple[int, int], pay_currency: str, spread_bps: int, atomic: int
) -> None:
    due = pay_amount(price, _Said(*rate), pay_currency, spread_bps=spread_bps)
    assert due == Money(atomic, pay_currency)


def test_an_amount_beyond_every_column_is_refused_and_not_crashed_upon() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        pay_amount(Money(MAX_ATOMIC, "USD"), _Said(1, 10**12), "TESTWEI")
    assert caught.value.code is ErrorCode.AMOUNT_TOO_LARGE


@pytest.mark.parametrize("rate", [(0, 1), (1, 0), (-1, 1), (1, -1)])
def test_a_rate_that_is_not_positive_is_a_programmers_error(rate: tuple[int, int]) -> None:
    with pytest.raises(AssertionError):
        pay_amount(Money(1, "USD"), _Said(*rate), "SOL")


@pytest.mark.parametrize("atomic", [0, -1])
def test_a_price_that_is_not_positive_is_a_programmers_error(atomic: int) -> None:
    with pytest.raises(AssertionError):
        pay_amount(Money(atomic, "USD"), _Said(1, 1), "SOL")


def test_two_currencies_cover_one_price_together() -> None:
    share = covered([(250_000_000, 500_000_000), (50_000_000, 100_000_000)])
    assert share == 1
    assert rest_due(share, Money(500_000_000, "SOL")) == Money(0, "SOL")


def test_nothing_received_leaves_everything_due() -> None:
    assert covered([]) == 0
    assert rest_due(covered([]), Money(500, "SOL")) == Money(500, "SOL")
    assert credited_price(covered([]), Money(500, "USD")) == Money(0, "USD")


def test_an_overpaid_price_is_credited_beyond_itself_and_leaves_nothing_due() -> None:
    share = covered([(15, 10)])
    assert credited_price(share, Money(1_000, "USD")) == Money(1_500, "USD")
    assert rest_due(share, Money(10, "SOL")) == Money(0, "SOL")


def test_a_price_short_of_one_atomic_unit_is_not_credited_in_full() -> None:
    share = covered([(499_999_999, 500_000_000)])
    assert credited_price(share, Money(10_000, "USD")) == Money(9_999, "USD")
    assert rest_due(share, Money(500_000_000, "SOL")) == Money(1, "SOL")


def test_a_rate_is_inverted_and_crossed_in_integers() -> None:
    assert invert(_Said(1085, 1000)) == Ratio(num=200, den=217)
    assert cross(_Said(200, 1), invert(_Said(1085, 1000))) == Ratio(num=40_000, den=217)


CODES = st.sampled_from(["JPY", "USD", "USDC", "KWD", "SOL", "TESTWEI"])
POSITIVE = st.integers(1, 10**30)
RATES = st.builds(_Said, num=st.integers(1, 10**24), den=st.integers(1, 10**24))
PRICES = st.builds(Money, st.integers(1, 10**18), CODES)


def _price_of(paid: Money, rate: _Said, quote: str) -> Fraction:
    """Return the exact price, in atomic units of `quote`, of what was paid."""
    major = exact(rate) * Fraction(paid.atomic, 10 ** currency(paid.currency).exponent)
    return major * Fraction(10 ** currency(quote).exponent)


@settings(deadline=None)
@given(price=PRICES, rate=RATES, pay_currency=CODES)
def test_paying_the_quoted_amount_covers_the_price_and_one_unit_less_does_not(
    price: Money, rate: _Said, pay_currency: str
) -> None:
    due = pay_amount(price, rate, pay_currency)
    assert _price_of(due, rate, price.currency) >= price.atomic
    assert _price_of(Money(due.atomic - 1, pay_currency), rate, price.currency) < price.atomic
    assert covered([(due.atomic, due.atomic)]) == 1


@settings(deadline=None)
@given(price=PRICES, rate=RATES, pay_currency=CODES, spread_bps=st.integers(0, 10_000))
def test_a_spread_never_asks_for_less_and_is_exact_to_one_unit(
    price: Money, rate: _Said, pay_currency: str, spread_bps: int
) -> None:
    plain = Fraction(price.atomic, 10 ** currency(price.currency).exponent) / exact(rate)
    wanted = plain * 10 ** currency(pay_currency).exponent * (10_000 + spread_bps) / 10_000
    assert 0 <= pay_amount(price, rate, pay_currency, spread_bps=spread_bps).atomic - wanted < 1


@settings(deadline=None)
@given(due=st.integers(1, 10**30), received=st.integers(0, 10**31))
def test_paying_the_rest_completes_a_payment_and_never_asks_a_unit_too_much(due: int, received: int) -> None:
    share = covered([(received, due)])
    rest = rest_due(share, Money(due, "SOL")).atomic
    assert rest == max(0, due - received)
    assert covered([(received + rest, due)]) >= 1


@settings(deadline=None)
@given(parts=st.lists(st.tuples(st.integers(0, 10**20), POSITIVE), max_size=5), due=POSITIVE)
def test_the_rest_in_another_currency_completes_a_payment_and_one_unit_less_does_not(
    parts: list[tuple[int, int]], due: int
) -> None:
    share = covered(parts)
    rest = rest_due(share, Money(due, "SOL")).atomic
    assert share + Fraction(rest, due) >= 1
    assert rest == 0 or share + Fraction(rest - 1, due) < 1


@settings(deadline=None)
@given(price=st.integers(1, 10**18), due=POSITIVE, received=st.integers(0, 10**31))
def test_credit_is_never_more_than_was_paid_and_full_only_when_covered(price: int, due: int, received: int) -> None:
    share = covered([(received, due)])
    credit = credited_price(share, Money(price, "USD")).atomic
    assert 0 <= share * price - credit < 1
    assert (credit >= price) == (share >= 1)


@settings(deadline=None)
@given(first=RATES, second=RATES)
def test_inverting_twice_and_crossing_back_are_exact(first: _Said, second: _Said) -> None:
    assert invert(invert(first)) == ratio(exact(first))
    assert cross(cross(first, second), invert(second)) == ratio(exact(first))
    assert cross(first, invert(first)) == Ratio(num=1, den=1)
