"""Card numbers are recognised in any dress, and what only looks like one is left alone."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.kernel.cards import has_card_number, mask_card_numbers
from gateway.kernel.ids import id_at
from tests.engine.paper import START

CARDS = [
    "4242424242424242",
    "4222222222222",
    "5555555555554444",
    "2223003122003222",
    "378282246310005",
    "6011111111111117",
    "36227206271667",
    "3566002020360505",
    "6205500000000000004",
    "5018000000000009",
]
DRESSES = ["{}", "card {} exp 12/30", "\n{}", "x{}y", "12 {} 123", "é{}"]
NO_CARDS = [
    "",
    "order-1001",
    "4242424242424241",  # the check digit is another
    "1234567812345670",  # no network begins so
    "424242424242",  # too short for its network
    "4" * 500,
    "51.50735091234567",  # a latitude
    "0.4242424242424242",
    "1795165200123",  # milliseconds
    "2026-11-20 12:34:56",
    "f0e1" * 7 + "4242424242424242" + "abcd",  # a part of a hash
]


def grouped(number: str, between: str) -> str:
    return between.join(number[at : at + 4] for at in range(0, len(number), 4))


@pytest.mark.parametrize("dress", DRESSES)
@pytest.mark.parametrize("between", ["", " ", "-", "\N{NO-BREAK SPACE}", "\N{EN DASH}"])
@pytest.mark.parametrize("number", CARDS)
def test_a_card_number_is_found_and_masked_in_any_dress(number: str, between: str, dress: str) -> None:
    text = dress.format(grouped(number, between))
    assert has_card_number(text)
    masked = mask_card_numbers(text)
    assert not has_card_number(masked)
    assert len(masked) == len(text)
    assert masked.replace(between or " ", "").count("*") == len(number) - 4


@pytest.mark.parametrize("zero", ["\u0660", "\u0966", "\uff10"])
def test_digits_of_other_scripts_count(zero: str) -> None:
    text = "".join(chr(ord(zero) + int(digit)) for digit in CARDS[0])
    assert has_card_number(text)
    assert mask_card_numbers(text) == "*" * 12 + "4242"


@pytest.mark.parametrize("text", NO_CARDS)
def test_what_is_no_card_number_is_left_alone(text: str) -> None:
    assert not has_card_number(text)


def test_a_long_way_before_a_card_does_not_hide_it() -> None:
    assert has_card_number("1 " * 200 + "4242 4242 4242 4242")


def test_every_card_of_a_text_is_masked() -> None:
    text = f"{CARDS[0]} and {grouped(CARDS[4], '-')}"
    assert mask_card_numbers(text) == "************4242 and ****-****-***0-005"


@given(st.uuids(), st.integers(min_value=0, max_value=2**62 - 1))
def test_our_own_ids_are_no_card_numbers(value: uuid.UUID, entropy: int) -> None:
    for text in (id_at("pay", START, entropy=entropy), value.hex):
        assert not has_card_number(text)


@given(st.text())
def test_a_text_without_one_is_not_changed(text: str) -> None:
    if not has_card_number(text):
        assert mask_card_numbers(text) == text
