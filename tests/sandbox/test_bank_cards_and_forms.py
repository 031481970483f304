"""The bank's card list and its forms, without a browser or a bank: what is taken, and that no number comes back."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.test_bank import cards, page_views
from sandbox.test_bank.money import CURRENCIES, exponent
from sandbox.test_bank.page_forms import (
    MISTYPED,
    NOT_LISTED,
    CardForm,
    Problems,
    filled_with,
    kept_of,
    read_card_form,
    spaced,
)

TODAY = date(2026, 11, 20)
GOOD = {
    "number": "4242 4242 4242 4242",
    "expiry": "12 / 34",
    "cvc": "123",
    "name": "Ada",
    "email": "ada@example.com",
}
UNLISTED = "4539578763621486"  # Luhn-valid, and no test card


def read(**changes: str) -> CardForm | Problems:
    return read_card_form(GOOD | changes, today=TODAY, asks_email=True)


def problem(field: str, typed: str) -> str | None:
    found = read(**{field: typed})
    return found.get(field) if isinstance(found, dict) else None


# --- cards -------------------------------------------------------------------------------------------------------


def test_every_card_of_the_list_is_found_however_it_is_typed() -> None:
    for card in cards.ALL:
        assert cards.find(card.number) is card
        assert cards.find(spaced(card.number)) is card
        assert cards.find(card.number.replace("4", "4-")) is card


def test_the_list_has_no_number_twice_and_no_ending_twice() -> None:
    assert len({card.number for card in cards.ALL}) == len(cards.ALL)
    assert len({card.last4 for card in cards.ALL}) == len(cards.ALL)


def test_only_the_mistyped_card_fails_its_check_digit() -> None:
    assert [card.last4 for card in cards.ALL if not cards.is_luhn_valid(card.number)] == ["4241"]


def test_every_card_begins_like_its_brand() -> None:
    assert {card.number for card in cards.ALL if cards.brand_of(card.number) != card.brand} == set()
    assert cards.brand_of("6011000990139424") == "unknown"


@given(st.text(max_size=60))
def test_only_a_listed_number_is_a_card(typed: str) -> None:
    found = cards.find(typed)
    assert found is None or cards.digits_of(typed) == found.number


@pytest.mark.parametrize("typed", ["", "٤٢٤٢ ٤٢٤٢ ٤٢٤٢ ٤٢٤٢", "4242\n424242424242", "+4242424242424242", "4" * 10_000])
def test_digits_are_ascii_and_few(typed: str) -> None:
    assert cards.digits_of(typed) is None
    assert cards.find(typed) is None


@given(st.text(alphabet="0123456789", min_size=12, max_size=19))
def test_changing_one_digit_breaks_the_check_digit(digits: str) -> None:
    changed = str((int(digits[0]) + 1) % 10) + digits[1:]
    assert not (cards.is_luhn_valid(digits) and cards.is_luhn_valid(changed))


# --- the form ----------------------------------------------------------------------------------------------------


def test_a_good_form_is_read() -> None:
    form = read()
    assert isinstance(form, CardForm)
    assert (form.card.last4, form.exp_month, form.exp_year, form.email) == ("4242", 12, 2034, "ada@example.com")


def test_every_test_card_fills_a_form_without_a_problem() -> None:
    for card in cards.ALL:
        assert isinstance(read_card_form(filled_with(card, TODAY), today=TODAY, asks_email=True), CardForm)


def test_an_email_that_was_not_asked_for_is_not_taken() -> None:
    form = read_card_form(GOOD | {"email": "not one"}, today=TODAY, asks_email=False)
    assert isinstance(form, CardForm)
    assert form.email is None


@pytest.mark.parametrize("typed", ["12/34", "1234", "12 / 2034", "12-34", "1/34", " 12 /34 "])
def test_a_date_is_read_as_people_write_it(typed: str) -> None:
    assert problem("expiry", typed) is None


@pytest.mark.parametrize("typed", ["", "13/34", "00/34", "1/2/34", "12/1934", "١٢/٣٤", "10/26", "12/77", "12/34x"])
def test_a_wrong_or_past_date_is_a_problem(typed: str) -> None:
    assert problem("expiry", typed)


def test_the_month_that_runs_is_not_over() -> None:
    assert problem("expiry", "11/26") is None


@pytest.mark.parametrize(
    ("typed", "number"),
    [("12", "4242424242424242"), ("1234", "4242424242424242"), ("123", "378282246310005"), ("abc", "1"), ("", "1")],
)
def test_a_security_code_has_the_digits_of_its_brand(typed: str, number: str) -> None:
    found = read(cvc=typed, number=number)
    assert isinstance(found, dict)
    assert "cvc" in found


@pytest.mark.parametrize("typed", ["", "no at", "a@b", "a b@example.com", "a@b.example\n", "x" * 250 + "@example.com"])
def test_a_wrong_email_is_a_problem(typed: str) -> None:
    assert problem("email", typed) is not None or typed.endswith("\n")  # an end of line is stripped, not taken


@pytest.mark.parametrize("typed", ["", "A" * 121, "Ada\x00", "Ada\u202eevol", UNLISTED])
def test_a_name_is_printable_short_and_no_number(typed: str) -> None:
    assert problem("name", typed)


def test_a_real_number_and_a_mistyped_one_are_told_apart() -> None:
    assert problem("number", UNLISTED) == NOT_LISTED
    assert problem("number", "4242 4242 4242 4243") == MISTYPED
    assert problem("number", "x") == MISTYPED
    assert problem("number", " ") == "Enter a card number."


@given(st.dictionaries(st.sampled_from([*GOOD]), st.text(max_size=40)))
def test_any_input_is_read_or_refused_by_field_and_no_sentence_repeats_it(typed: dict[str, str]) -> None:
    marked = {field: f"{text}\u2603" for field, text in typed.items()}  # no field may hold a snowman but the name
    found = read_card_form(marked, today=TODAY, asks_email=True)
    assert isinstance(found, dict)
    assert {"number", "expiry", "cvc"} <= set(found) <= set(GOOD)
    assert "\u2603" not in "".join(found.values())


@pytest.mark.parametrize("field", ["number", "expiry", "name", "email"])
def test_an_unlisted_number_never_stands_in_the_form_again(field: str) -> None:
    for typed in (UNLISTED, spaced(UNLISTED), f"{UNLISTED}@example.com", "-".join(UNLISTED)):
        kept = kept_of(GOOD | {field: typed})
        assert UNLISTED not in "".join(kept.values()).replace(" ", "").replace("-", "")
    assert "cvc" not in kept_of(GOOD)


# --- words and money ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (2490, "eur", "€24.90"),
        (5, "usd", "$0.05"),
        (123456789, "gbp", "£1,234,567.89"),
        (1200, "jpy", "¥1,200"),
        (1500, "kwd", "KWD\u00a01.500"),
        (500, "ugx", "UGX\u00a05.00"),
        (0, "chf", "CHF\u00a00.00"),
        (-250, "eur", "\u2212€2.50"),
    ],
)
def test_an_amount_is_shown_with_the_decimals_of_its_currency(amount: int, currency: str, text: str) -> None:
    assert page_views.amount_text(amount, currency) == text


@given(st.integers(min_value=0, max_value=10**15), st.sampled_from(sorted(CURRENCIES)))
def test_an_amount_loses_no_digit_on_its_way_to_the_page(amount: int, currency: str) -> None:
    text = page_views.amount_text(amount, currency)
    assert int("".join(letter for letter in text if letter in "0123456789")) == amount
    assert len(text.partition(".")[2]) == exponent(currency)


def a_session(**changes: Any) -> dict[str, Any]:
    line = {
        "description": "Coffee",
        "quantity": 1,
        "amount_total": 1_000,
        "currency": "eur",
        "price": {"recurring": {"interval": "month", "interval_count": 1}},
    }
    return {
        "id": "cs_test_1",
        "status": "open",
        "mode": "subscription",
        "amount_total": 1_000,
        "currency": "eur",
        "payment_status": "unpaid",
        "success_url": "https://shop.example/{CHECKOUT_SESSION_ID}",
        "line_items": {"data": [line]},
    } | changes


def test_a_subscription_says_what_it_costs_and_how_often() -> None:
    view = page_views.view_of(a_session())
    assert (view.heading, view.amount, view.every, view.button) == (
        "Start a subscription",
        "€10.00",
        "every month",
        "Subscribe",
    )
    assert view.lines[0].every == "every month"
    assert not view.takes_debit


def test_a_subscription_that_costs_nothing_today_is_a_trial() -> None:
    assert page_views.view_of(a_session(amount_total=0)).button == "Start trial"


@pytest.mark.parametrize(
    ("changes", "title"),
    [
        ({"status": "expired"}, "This checkout has expired"),
        ({}, "The subscription has started"),
        ({"mode": "setup"}, "The card is saved"),
        ({"mode": "payment", "payment_status": "paid"}, "This is paid"),
        ({"mode": "payment", "payment_status": "no_payment_required"}, "The order is placed"),
        ({"mode": "payment", "payment_intent": {"status": "processing"}}, "The bank debit is on its way"),
        ({"mode": "payment", "payment_intent": {"status": "requires_capture"}}, "The amount is reserved"),
        ({"mode": "payment", "payment_intent": {"status": "requires_payment_method"}}, "The bank debit failed"),
        ({"mode": "payment", "payment_intent": {"status": "canceled"}}, "The amount was released"),
        ({"mode": "payment", "payment_intent": {"status": "from a later version"}}, "The order is placed"),
        ({"mode": "payment", "payment_intent": "pi_1"}, "The order is placed"),
        ({"mode": "payment", "payment_intent": None}, "The order is placed"),
    ],
)
def test_a_session_that_is_over_is_told_as_it_is(changes: dict[str, Any], title: str) -> None:
    assert page_views.view_of(a_session(status="complete") | changes).told.title == title


def test_a_return_address_that_is_no_web_address_leads_nowhere() -> None:
    view = page_views.view_of(a_session(success_url="javascript:alert(1)", cancel_url="data:text/html,x"))
    assert (view.return_url, view.cancel_url, view.shop) == (None, None, "the shop")


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "//shop.example",
        "/orders",
        "http:///x",
        "https://[bad/",
        " https://shop.example",
        "https://shop.example/\nx",
        "",
        None,
        7,
    ],
)
def test_an_address_that_is_no_web_address_is_no_link(url: object) -> None:
    assert page_views.safe_link(url) is None


def test_a_web_address_is_a_link_word_for_word() -> None:
    assert page_views.safe_link("https://shop.example/o/1?a=b&c=%7B%7D#x") == "https://shop.example/o/1?a=b&c=%7B%7D#x"


def test_every_test_card_is_in_one_group_beside_the_form() -> None:
    listed = [card for group in page_views.card_lists().groups for card in group.cards]
    assert sorted(card.number for card in listed) == sorted(card.number for card in cards.ALL)
    assert [words for words, _ in page_views.card_lists().quick] == ["Succeeds", "3-D Secure", "Declined", "No funds"]


def test_an_unknown_decline_gets_the_general_sentence_and_not_itself() -> None:
    assert page_views.decline_sentence("<b>rob</b>") == "Your card was declined."
    assert page_views.decline_sentence("insufficient_funds") == "Your card has insufficient funds."
    assert page_views.decline_sentence(None) is None
