"""Money: parsing what callers send, exact arithmetic, and the limits of every database."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.kernel.currencies import Currency, CurrencyKind, all_currencies, register_token
from gateway.kernel.errors import ErrorCode, InvalidRequestError
from gateway.kernel.money import MAX_ATOMIC, Money, parse_money

WEI = Currency(code="TESTWEI", exponent=18, kind=CurrencyKind.CRYPTO, name="A coin of 18 decimals")
CODES = [row.code for row in all_currencies()]


@pytest.fixture(autouse=True, scope="module")
def wei() -> None:
    """Know a coin with the decimals of ether."""
    register_token(WEI)


GOOD = [
    ("12.30", "USD", 1230),
    ("12.3", "USD", 1230),
    ("12", "USD", 1200),
    ("0.01", "USD", 1),
    ("000012.30", "USD", 1230),
    ("1000", "JPY", 1000),
    ("1.234", "KWD", 1234),
    ("0.000000001", "SOL", 1),
    ("1", "SOL", 10**9),
    ("0.000001", "USDC", 1),
    ("0.000000000000000001", "TESTWEI", 1),
    ("123456789012345678901234567890.123456789", "SOL", 123456789012345678901234567890123456789),
    ("9" * 65, "JPY", MAX_ATOMIC),
    ("9" * 63 + ".99", "USD", MAX_ATOMIC),
]


@pytest.mark.parametrize(("text", "code", "atomic"), GOOD)
def test_a_decimal_string_becomes_exactly_so_many_atomic_units(text: str, code: str, atomic: int) -> None:
    assert parse_money(text, code) == Money(atomic, code)


BAD = [
    *(
        (text, "USD", ErrorCode.AMOUNT_INVALID)
        for text in (
            "", " ", ".", ".5", "5.", "1,50", "1 000", " 12", "12 ", "12\n", "\n12", "+1", "--1", "1e3", "1E3", "0x10",
            "NaN", "nan", "inf", "Infinity", "-inf", "1_000", "1.2.3", "12.3.", "$12", "12 USD", "1/2", "\x0012",
            "12\x00", "\u0661\u0662", "\u0967", "\uff11\uff12", "\U0001d7d9", "\u00b2", "1\u00b2", "1\u066b5",
            "1\u200b", "\u22121", "\u20111", "\ud800", "'; DROP TABLE payment; --", "9" * 67, "0." + "0" * 67,
            "1" * 100_000,
        )
    ),
    ("12.345", "USD", ErrorCode.AMOUNT_TOO_PRECISE),
    ("12.340", "USD", ErrorCode.AMOUNT_TOO_PRECISE),
    ("1.0", "JPY", ErrorCode.AMOUNT_TOO_PRECISE),
    ("1.2345", "KWD", ErrorCode.AMOUNT_TOO_PRECISE),
    ("0.0000000001", "SOL", ErrorCode.AMOUNT_TOO_PRECISE),
    ("0", "USD", ErrorCode.AMOUNT_NOT_POSITIVE),
    ("0.00", "USD", ErrorCode.AMOUNT_NOT_POSITIVE),
    ("-0", "USD", ErrorCode.AMOUNT_NOT_POSITIVE),
    ("-1.00", "USD", ErrorCode.AMOUNT_NOT_POSITIVE),
    ("1" + "0" * 65, "JPY", ErrorCode.AMOUNT_TOO_LARGE),
    ("1" + "0" * 63, "USD", ErrorCode.AMOUNT_TOO_LARGE),
    ("9" * 66, "SOL", ErrorCode.AMOUNT_TOO_LARGE),
    ("12.30", "usd", ErrorCode.CURRENCY_UNKNOWN),
    ("12.30", "USD ", ErrorCode.CURRENCY_UNKNOWN),
    ("12.30", "XXX", ErrorCode.CURRENCY_UNKNOWN),
    ("12.30", "", ErrorCode.CURRENCY_UNKNOWN),
    ("12.30", "\uff35SD", ErrorCode.CURRENCY_UNKNOWN),
]  # fmt: skip


@pytest.mark.parametrize(("text", "code", "error"), BAD)
def test_a_hostile_amount_is_refused_by_its_code_and_not_repeated(text: str, code: str, error: ErrorCode) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_money(text, code)
    assert caught.value.code is error
    assert caught.value.param == ("/currency" if error is ErrorCode.CURRENCY_UNKNOWN else "/amount")
    assert len(text) < 8 or text not in caught.value.message


def test_an_error_names_the_parameter_that_the_door_gave() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_money("no", "USD", param="/line_items/0/amount")
    assert caught.value.param == "/line_items/0/amount"


@given(st.integers(1, MAX_ATOMIC), st.sampled_from([*CODES, "TESTWEI"]))
def test_every_amount_comes_back_from_its_own_text(atomic: int, code: str) -> None:
    money = Money(atomic, code)
    assert parse_money(money.major, code) == money


@given(st.text(max_size=80))
def test_any_text_is_an_amount_or_a_refusal_and_never_a_crash(text: str) -> None:
    try:
        money = parse_money(text, "SOL")
    except InvalidRequestError:
        return
    assert set(text) <= set("0123456789.")
    assert 0 < money.atomic <= MAX_ATOMIC


@pytest.mark.parametrize(
    ("atomic", "code", "text"),
    [(0, "USD", "0.00"), (-5, "USD", "-0.05"), (-1230, "USD", "-12.30"), (0, "JPY", "0"), (-7, "JPY", "-7"),
     (1, "TESTWEI", "0.000000000000000001"), (-MAX_ATOMIC, "JPY", "-" + "9" * 65)],
)  # fmt: skip
def test_the_text_has_every_decimal_of_the_currency(atomic: int, code: str, text: str) -> None:
    assert Money(atomic, code).major == text


@given(st.integers(-(10**64), 10**64), st.integers(-(10**64), 10**64))
def test_sums_differences_and_order_are_those_of_integers(left: int, right: int) -> None:
    one, other = Money(left, "SOL"), Money(right, "SOL")
    assert (one + other).atomic == left + right
    assert (one - other).atomic == left - right
    assert (-one).atomic == -left
    assert (one < other, one <= other, one > other, one >= other) == (
        left < right, left <= right, left > right, left >= right,
    )  # fmt: skip
    assert bool(one) is (left != 0)


@pytest.mark.parametrize(
    "mix",
    [lambda one, other: one + other, lambda one, other: one - other, lambda one, other: one < other,
     lambda one, other: one <= other, lambda one, other: one > other, lambda one, other: one >= other],
)  # fmt: skip
def test_two_currencies_never_mix(mix: object) -> None:
    assert callable(mix)
    with pytest.raises(AssertionError, match="do not mix"):
        mix(Money(1, "USD"), Money(1, "EUR"))


@pytest.mark.parametrize("atomic", [1.0, True, "1", None, MAX_ATOMIC + 1, -MAX_ATOMIC - 1])
def test_only_whole_units_that_every_database_holds_are_money(atomic: object) -> None:
    with pytest.raises(AssertionError):
        Money(atomic, "USD")  # type: ignore[arg-type]  # this is the mistake
