"""Amounts on Stripe's wire: exact both ways, or refused (pitfall 26)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.kernel.currencies import CurrencyKind, all_currencies, currency
from gateway.kernel.money import Money
from gateway.processors.stripe.amounts import MAX_WIRE, AmountError, accepts, from_wire, to_wire

FIAT = [row.code for row in all_currencies() if row.kind is CurrencyKind.FIAT]

# (atomic units of ours, currency, Stripe's number), as https://docs.stripe.com/currencies has them
VECTORS = [
    (1_000, "USD", 1_000),
    (500, "JPY", 500),
    (5, "ISK", 500),
    (7, "UGX", 700),
    (5_120, "KWD", 5_120),
    (300, "MGA", 3),
    (17_500, "HUF", 17_500),
    (100, "TWD", 100),
    (0, "EUR", 0),
    (-250, "EUR", -250),
]


@pytest.mark.parametrize(("atomic", "code", "wire"), VECTORS)
def test_an_amount_means_the_same_on_both_sides(atomic: int, code: str, wire: int) -> None:
    """Pitfall 26: currencies of no and of three decimals, and those whose wire has others than they have."""
    assert to_wire(Money(atomic, code)) == wire
    assert from_wire(wire, code.lower()) == Money(atomic, code)


@pytest.mark.parametrize("code", FIAT)
def test_one_major_unit_is_one_major_unit(code: str) -> None:
    wire_exponent = {"ISK": 2, "UGX": 2, "MGA": 0}.get(code, currency(code).exponent)
    assert to_wire(Money(10 ** currency(code).exponent, code)) == 10**wire_exponent


@given(st.sampled_from(FIAT), st.integers(-(10**12), 10**12))
def test_what_can_be_said_comes_back_as_it_was(code: str, atomic: int) -> None:
    try:
        wire = to_wire(Money(atomic, code))
    except AmountError:
        assert code == "MGA" or currency(code).exponent == 3
        return
    assert from_wire(wire, code) == Money(atomic, code)


@given(st.sampled_from(FIAT), st.integers(-(10**12), 10**12))
def test_what_stripe_says_is_read_exactly_or_refused(code: str, wire: int) -> None:
    try:
        money = from_wire(wire, code)
    except AmountError:
        assert code in {"ISK", "UGX"}
        assert wire % 100
        return
    if currency(code).exponent != 3 or wire % 10 == 0:
        assert to_wire(money) == wire


@given(st.sampled_from(FIAT), st.integers(-10, 10**10))
def test_what_is_accepted_can_be_said_and_has_at_most_eight_digits(code: str, atomic: int) -> None:
    if accepts(Money(atomic, code)):
        assert 0 < to_wire(Money(atomic, code)) <= MAX_WIRE


@pytest.mark.parametrize(
    ("atomic", "code", "is_accepted"),
    [
        (50, "USD", True),
        (49, "USD", False),
        (30, "GBP", True),
        (29, "GBP", False),
        (17_499, "HUF", False),
        (1, "UGX", True),
        (99_999_999, "EUR", True),
        (100_000_000, "EUR", False),
        (999_999, "ISK", True),
        (1_000_000, "ISK", False),
        (5_124, "KWD", False),
        (5_120, "KWD", True),
        (150, "MGA", False),
        (0, "USD", False),
        (-100, "USD", False),
        (1_000_000_000, "SOL", False),
        (1_000_000, "USDC", False),
    ],
)
def test_only_what_stripe_charges_is_accepted(atomic: int, code: str, is_accepted: bool) -> None:  # noqa: FBT001 - a column of the table
    assert accepts(Money(atomic, code)) is is_accepted


@pytest.mark.parametrize("code", ["usdc", "sol", "xyz", "", "us d", "\u0435ur"])
def test_a_currency_that_is_not_ours_is_refused(code: str) -> None:
    with pytest.raises(AmountError):
        from_wire(100, code)
