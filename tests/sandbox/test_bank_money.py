"""Amounts, currencies and the fee, as Stripe takes them."""

import pytest

from sandbox.test_bank import cards, money
from sandbox.test_bank.cards import CardEffect
from sandbox.test_bank.errors import ApiError


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [(1_230, "usd", "12.30 USD"), (500, "jpy", "500 JPY"), (1_230, "kwd", "1.230 KWD"), (-5, "eur", "-0.05 EUR")],
)
def test_amounts_are_shown_in_their_currencys_decimals(amount: int, currency: str, text: str) -> None:
    assert money.shown(amount, currency) == text


@pytest.mark.parametrize(
    ("amount", "currency", "is_fine"),
    [
        (50, "usd", True),
        (49, "usd", False),
        (50, "jpy", True),
        (1_231, "kwd", False),
        (1_230, "kwd", True),
        (12_345, "ugx", False),
        (12_300, "isk", True),
        (99_999_999, "eur", True),
        (100_000_000, "eur", False),
        (0, "eur", False),
        (-1, "eur", False),
    ],
)
def test_an_amount_must_suit_its_currency(amount: int, currency: str, *, is_fine: bool) -> None:
    if is_fine:
        money.check_amount(amount, currency)
        return
    with pytest.raises(ApiError):
        money.check_amount(amount, currency)


def test_the_fee_is_2_9_percent_and_30_rounded_half_up() -> None:
    assert [money.fee_of(amount) for amount in (1_000, 3_000, 50, 17, 18)] == [59, 117, 31, 30, 31]


def test_effects_that_are_listed_are_all_known_to_the_bank() -> None:
    assert {card.effect for card in cards.ALL} == set(CardEffect)
