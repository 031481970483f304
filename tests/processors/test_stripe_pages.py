"""The body that opens a page: the right amount, the same bytes every time, our ids on everything."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.declines import Decline, ProviderDeclinedError
from gateway.domain.provider import RecurringTerms, Registration, RegistrationLine
from gateway.domain.words import CaptureMethod, SessionMode
from gateway.kernel.money import Money
from gateway.processors.stripe.amounts import accepts, from_wire
from gateway.processors.stripe.pages import LONGEST, SHORTEST, expires_at, page_params, stripe_locale
from tests.processors.stripe_stage import OPENED_SESSION, ScriptedStripe, a_line, a_processor, a_registration, says

CURRENCIES = ("EUR", "JPY", "KWD", "ISK", "MGA", "USD")


def total_of(params: dict[str, Any]) -> Money:
    """Add the lines up as Stripe will."""
    lines = params["line_items"]
    (code,) = {line["price_data"]["currency"] for line in lines}
    return from_wire(sum(line["quantity"] * line["price_data"]["unit_amount"] for line in lines), code)


def names_of(params: dict[str, Any]) -> list[str]:
    return [line["price_data"]["product_data"]["name"] for line in params["line_items"]]


LINES = st.lists(
    st.builds(
        RegistrationLine,
        name=st.text(max_size=300),
        quantity=st.integers(0, 7),
        amount=st.builds(Money, st.integers(-5, 40_000), st.sampled_from(CURRENCIES)),
    ),
    max_size=5,
)


@given(LINES, st.sampled_from(CURRENCIES), st.integers(50, 99_999), st.booleans())
def test_whatever_the_lines_are_the_page_asks_exactly_the_amount(
    lines: list[RegistrationLine],
    code: str,
    amount: int,
    adds_up: bool,  # noqa: FBT001 - hypothesis draws it
) -> None:
    due = Money(amount, code)
    if adds_up:
        lines = [replace(line, amount=Money(abs(line.amount.atomic), code)) for line in lines]
        due = Money(sum(line.amount.atomic for line in lines), code)
    if not accepts(due):
        with pytest.raises(ProviderDeclinedError):
            page_params(a_registration(due, lines=lines))
        return
    params = page_params(a_registration(due, lines=lines))
    assert total_of(params) == due
    assert all(0 < len(name) <= 250 for name in names_of(params))
    assert all(line["quantity"] >= 1 and line["price_data"]["unit_amount"] >= 0 for line in params["line_items"])


def test_lines_that_add_up_are_shown_one_by_one() -> None:
    lines = (a_line("Shirt", 2, Money(2_000, "EUR")), a_line("Postage", 1, Money(490, "EUR")))
    params = page_params(a_registration(Money(2_490, "EUR"), lines=lines))
    assert [(line["quantity"], line["price_data"]["unit_amount"]) for line in params["line_items"]] == [
        (2, 1_000),
        (1, 490),
    ]


def test_three_for_ten_is_one_line_because_no_price_of_one_makes_it() -> None:
    params = page_params(a_registration(Money(1_000, "EUR"), lines=(a_line("Sock", 3, Money(1_000, "EUR")),)))
    assert names_of(params) == ["3 x Sock"]
    assert total_of(params) == Money(1_000, "EUR")


@pytest.mark.parametrize(
    "lines",
    [
        (),
        (a_line("Shirt", 1, Money(2_000, "EUR")),),
        (a_line("Shirt", 1, Money(3_000, "EUR")), a_line("Discount", 1, Money(-510, "EUR"))),
        (a_line("Shirt", 1, Money(2_490, "USD")),),
        (a_line(" ", 1, Money(2_490, "EUR")),),
        (*[a_line("Pin", 1, Money(24, "EUR"))] * 100, a_line("Box", 1, Money(90, "EUR"))),
    ],
)
def test_lines_that_stripe_cannot_show_become_one_with_the_orders_name(lines: tuple[RegistrationLine, ...]) -> None:
    params = page_params(a_registration(Money(2_490, "EUR"), lines=lines))
    assert names_of(params) == ["order-1"]
    assert total_of(params) == Money(2_490, "EUR")


@pytest.mark.parametrize(
    ("wanted", "granted"),
    [
        (timedelta(minutes=-5), SHORTEST),
        (timedelta(minutes=1), SHORTEST),
        (timedelta(minutes=30), SHORTEST),
        (timedelta(hours=2), timedelta(hours=2)),
        (timedelta(hours=24), LONGEST),
        (timedelta(days=30), LONGEST),
    ],
)
def test_pitfall_14_the_time_is_within_stripes_limits_with_a_minute_to_spare(
    wanted: timedelta, granted: timedelta
) -> None:
    made = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
    registration = a_registration(created_at=made, expires_at=made + wanted)
    assert expires_at(registration) == int((made + granted).timestamp())
    assert timedelta(minutes=30) < granted < timedelta(hours=24)


def test_pitfall_17_addresses_go_out_verbatim_and_unescaped_once() -> None:
    """A literal placeholder is never put in; what the caller wrote arrives as he wrote it."""
    success, cancel = "https://shop.example/r?token=a%2Fb&x={y}&z=ü", "https://shop.example/cart#top"
    with ScriptedStripe(says(OPENED_SESSION)) as stripe:
        processor = a_processor(stripe.url)
        processor.register(a_registration(success_url=success, cancel_url=cancel))
        processor.close()
        form = stripe.asked[0].form
    assert (form["success_url"], form["cancel_url"]) == (success, cancel)
    assert not [value for value in form.values() if "CHECKOUT_SESSION_ID" in value]


def test_the_same_registration_is_the_same_bytes_whenever_it_is_sent() -> None:
    registration = a_registration(lines=(a_line("Shirt", 1, Money(1_230, "EUR")),), customer_email="jane@example.org")
    with ScriptedStripe(says(OPENED_SESSION)) as stripe:
        for _ in range(2):
            processor = a_processor(stripe.url)
            processor.register(registration)
            processor.close()
        first, second = stripe.asked
    assert first.raw == second.raw
    assert stripe.keys == [registration.operation_id] * 2


MARKS = ("sp_op", "sp_attempt", "sp_payment")


@pytest.mark.parametrize("mode", SessionMode)
def test_pitfall_31_our_ids_are_on_the_session_and_on_what_it_makes(mode: SessionMode) -> None:
    inner = {
        SessionMode.PAYMENT: "payment_intent_data",
        SessionMode.SUBSCRIPTION: "subscription_data",
        SessionMode.SETUP: "setup_intent_data",
    }
    registration = a_registration(mode=mode, recurring=RecurringTerms(interval="month", interval_count=1, trial_days=0))
    params = page_params(registration)
    expected = dict(
        zip(MARKS, (registration.operation_id, registration.attempt_id, registration.payment_id), strict=True)
    )
    assert params["metadata"] == params[inner[mode]]["metadata"] == expected
    assert params["client_reference_id"] == registration.payment_id
    assert not [name for name in inner.values() if name != inner[mode] and name in params]


def test_a_subscription_repeats_as_agreed_after_its_trial() -> None:
    terms = RecurringTerms(interval="month", interval_count=3, trial_days=14)
    params = page_params(a_registration(mode=SessionMode.SUBSCRIPTION, recurring=terms))
    (line,) = params["line_items"]
    assert line["price_data"]["recurring"] == {"interval": "month", "interval_count": 3}
    assert params["subscription_data"]["trial_period_days"] == 14
    without = page_params(a_registration(mode=SessionMode.SUBSCRIPTION, recurring=replace(terms, trial_days=0)))
    assert "trial_period_days" not in without["subscription_data"]


def test_only_a_manual_capture_is_spelt_out() -> None:
    assert "capture_method" not in page_params(a_registration())["payment_intent_data"]
    held = page_params(a_registration(capture_method=CaptureMethod.MANUAL))
    assert held["payment_intent_data"]["capture_method"] == "manual"
    assert held["payment_method_options"] == {"card": {"request_multicapture": "if_available"}}
    assert "payment_method_options" not in page_params(a_registration())


def test_a_known_customer_is_named_and_else_the_address() -> None:
    known = page_params(a_registration(customer="cus_1", customer_email="jane@example.org"))
    assert known["customer"] == "cus_1"
    assert "customer_email" not in known
    assert page_params(a_registration(customer_email="jane@example.org"))["customer_email"] == "jane@example.org"


@pytest.mark.parametrize(
    ("tag", "locale"),
    [
        ("de", "de"), ("de-AT", "de"), ("EN", "en"), ("en-GB", "en-GB"), ("en-US", "en"), ("pt-BR", "pt-BR"),
        ("pt_BR", "pt-BR"), ("no", "nb"), ("nn-NO", "nb"), ("hi", "hi-IN"), ("zh-CN", "zh"), ("zh-Hant", "zh-TW"),
        ("es-419", "es-419"), ("ar", "auto"), ("tlh", "auto"), ("", "auto"), (None, "auto"), ("-", "auto"),
    ],
)  # fmt: skip
def test_a_language_is_stripes_or_the_browsers(tag: str | None, locale: str) -> None:
    assert stripe_locale(tag) == locale


@pytest.mark.parametrize("amount", [Money(49, "EUR"), Money(5_121, "KWD"), Money(10**9, "SOL"), Money(0, "EUR")])
def test_an_amount_that_stripe_does_not_take_is_declined_before_it_is_sent(amount: Money) -> None:
    for mode in (SessionMode.PAYMENT, SessionMode.SUBSCRIPTION):
        terms = RecurringTerms(interval="month", interval_count=1, trial_days=0)
        with pytest.raises(ProviderDeclinedError) as refusal:
            page_params(a_registration(amount, mode=mode, recurring=terms))
        assert refusal.value.decline is Decline.AMOUNT_REFUSED


def test_no_field_of_a_card_is_ever_sent() -> None:
    def names(value: Any) -> set[str]:
        if isinstance(value, dict):
            return set(value) | {name for inner in value.values() for name in names(inner)}
        return {name for inner in value for name in names(inner)} if isinstance(value, list) else set()

    registrations: list[Registration] = [
        a_registration(mode=mode, recurring=RecurringTerms(interval="day", interval_count=1, trial_days=0))
        for mode in SessionMode
    ]
    sent = {name for registration in registrations for name in names(page_params(registration))}
    assert not sent & {"card", "number", "cvc", "exp_month", "payment_method", "payment_method_data"}
