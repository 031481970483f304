"""What the journal cannot even be asked to post."""

from datetime import datetime

import pytest

from gateway.kernel.money import Money
from gateway.ledger.entries import Layer, Leg
from tests.ledger.books import AVAILABLE, HOT, a_receipt, legs


@pytest.mark.parametrize(
    "unbalanced",
    [
        legs((HOT, 2), (AVAILABLE, -1)),
        legs((HOT, 1), (AVAILABLE, 1)),
        (*legs((HOT, 1)), *legs((AVAILABLE, -1), currency="SOL")),
        (*legs((HOT, 1)), *legs((AVAILABLE, -1), layer=Layer.PENDING)),
        legs((HOT, 10**60), (AVAILABLE, -(10**60) + 1)),
    ],
)
def test_an_entry_that_does_not_sum_to_zero_per_currency_and_layer_cannot_be_made(unbalanced: tuple[Leg, ...]) -> None:
    with pytest.raises(AssertionError, match="sums to zero"):
        a_receipt(legs=unbalanced)


def test_an_entry_may_mix_currencies_and_layers_that_each_sum_to_zero() -> None:
    mixed = (*legs((HOT, 1), (AVAILABLE, -1)), *legs((HOT, -3), (AVAILABLE, 3), currency="SOL", layer=Layer.PENDING))
    assert len(a_receipt(legs=mixed).legs) == 4


def test_an_entry_has_two_legs_at_least() -> None:
    with pytest.raises(AssertionError, match="two legs"):
        a_receipt(legs=())


def test_a_leg_moves_something_on_a_named_account() -> None:
    with pytest.raises(AssertionError, match="moves something"):
        Leg(HOT, Money(0, "USDC"))
    with pytest.raises(AssertionError, match="names its account"):
        Leg("", Money(1, "USDC"))


def test_an_instant_without_zone_is_refused() -> None:
    with pytest.raises(AssertionError, match="aware"):
        a_receipt(effective_at=datetime(2026, 1, 1))  # noqa: DTZ001 - that is the point
