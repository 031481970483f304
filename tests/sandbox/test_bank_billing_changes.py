"""What is billed, changed: paused, resumed, ended, paid by hand, moved by a test clock, looked after in the portal."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
import stripe

from sandbox.test_bank import Bank
from tests.sandbox.test_bank_billing_scenes import (
    ATTACHES_THEN_FAILS,
    DAY_S,
    HOUR_S,
    JANUARY_31,
    News,
    begun,
    invoices_of,
    member,
    monthly,
    period_of,
    read,
    recurring_price,
    signup,
    subscribed,
    use_card,
)
from tests.sandbox.test_bank_stage import CHALLENGED, DECLINED, OK, HandClock, Stage, staged


@pytest.fixture
def stage() -> Iterator[Stage]:
    with staged(Bank(seed="billing", real_time_s=HandClock(JANUARY_31))) as made:
        yield made


# --- paused ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("behavior", "statuses"),
    [
        ("void", ["paid", "void", "paid"]),
        ("mark_uncollectible", ["paid", "uncollectible", "paid"]),
        ("keep_as_draft", ["paid", "draft", "paid"]),
    ],
)
def test_a_pause_of_collection_decides_what_its_invoices_become(
    stage: Stage, behavior: str, statuses: list[str]
) -> None:
    subscription = subscribed(stage)
    pause = {"behavior": behavior, "resumes_at": JANUARY_31 + 40 * DAY_S}
    stage.v1.subscriptions.update(subscription.id, {"pause_collection": pause})
    stage.bank.advance(39 * DAY_S)
    assert read(stage, subscription).pause_collection.behavior == behavior
    stage.bank.advance(30 * DAY_S)
    current = read(stage, subscription)
    assert (current.status, current.pause_collection) == ("active", None)
    assert [invoice.status for invoice in invoices_of(stage, subscription)] == statuses


def test_a_paused_subscription_bills_nothing_until_it_is_resumed(stage: Stage) -> None:
    subscription = subscribed(stage)
    news = News(stage)
    paused = stage.v1.subscriptions.pause(subscription.id)
    assert (paused.status, paused.status_details.paused.subscription.type) == ("paused", "pause_requested")
    assert news.names() == ["customer.subscription.updated", "customer.subscription.paused"]
    stage.bank.advance(100 * DAY_S)
    assert len(invoices_of(stage, subscription)) == 1
    resumed = stage.v1.subscriptions.resume(subscription.id)
    assert (resumed.status, period_of(resumed)[0]) == ("active", JANUARY_31 + 100 * DAY_S)
    assert "status_details" not in resumed
    assert [invoice.billing_reason for invoice in invoices_of(stage, subscription)] == [
        "subscription_create",
        "subscription_update",
    ]
    assert news.names()[-1] == "customer.subscription.resumed"
    stage.bank.advance(32 * DAY_S)
    assert len(invoices_of(stage, subscription)) == 3


def test_a_subscription_resumed_in_its_old_rhythm_owes_nothing_for_the_pause(stage: Stage) -> None:
    subscription = subscribed(stage)
    stage.v1.subscriptions.pause(subscription.id)
    stage.bank.advance(100 * DAY_S)
    resumed = stage.v1.subscriptions.resume(
        subscription.id, {"billing_cycle_anchor": {"type": "unchanged"}, "proration_behavior": "none"}
    )
    start, end = period_of(resumed)
    assert start <= stage.bank.vault.now() < end
    assert datetime.fromtimestamp(start, UTC).day == 30
    assert len(invoices_of(stage, subscription)) == 1
    stage.bank.advance(end - stage.bank.vault.now() + HOUR_S)
    assert len(invoices_of(stage, subscription)) == 2


def test_a_period_that_was_paid_is_billed_again_only_when_the_merchant_says_so(stage: Stage) -> None:
    subscription = subscribed(stage)
    stage.v1.subscriptions.pause(subscription.id)
    with pytest.raises(stripe.APIError, match="proration_behavior=none"):
        stage.v1.subscriptions.resume(subscription.id)
    assert read(stage, subscription).status == "paused"
    stage.v1.subscriptions.resume(subscription.id, {"proration_behavior": "none"})
    assert len(invoices_of(stage, subscription)) == 2


def test_a_trial_that_was_paused_can_be_billed_at_once_or_go_on(stage: Stage) -> None:
    subscription = subscribed(stage, subscription_data={"trial_period_days": 14})
    stage.v1.subscriptions.pause(subscription.id)
    unchanged = {"billing_cycle_anchor": {"type": "unchanged"}}
    assert stage.v1.subscriptions.resume(subscription.id, unchanged).status == "trialing"
    stage.v1.subscriptions.pause(subscription.id)
    billed = stage.v1.subscriptions.resume(subscription.id, {"proration_behavior": "none"})
    assert (billed.status, billed.trial_end, period_of(billed)[0]) == ("active", JANUARY_31, JANUARY_31)
    assert [invoice.total for invoice in invoices_of(stage, subscription)] == [0, 1_000]


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_only_what_runs_is_paused_and_only_what_is_paused_resumed(stage: Stage, verb: str) -> None:
    subscription = begun(stage)
    if verb == "pause":
        stage.v1.subscriptions.pause(subscription.id)
    with pytest.raises(stripe.InvalidRequestError, match="subscriptions can be"):
        getattr(stage.v1.subscriptions, verb)(subscription.id)


# --- ended -----------------------------------------------------------------------------------------------------------


def test_a_subscription_that_is_canceled_ends_now_and_is_gone(stage: Stage) -> None:
    subscription = subscribed(stage)
    news = News(stage)
    canceled = stage.v1.subscriptions.cancel(subscription.id)
    assert (canceled.status, canceled.ended_at) == ("canceled", JANUARY_31)
    assert news.names() == ["customer.subscription.deleted"]
    stage.bank.advance(60 * DAY_S)
    assert len(invoices_of(stage, subscription)) == 1
    assert stage.v1.subscriptions.list().data == []
    assert [one.id for one in stage.v1.subscriptions.list({"status": "ended"}).data] == [subscription.id]
    with pytest.raises(stripe.InvalidRequestError, match="No such subscription"):
        stage.v1.subscriptions.cancel(subscription.id)


def test_a_subscription_ends_with_its_period_and_is_not_billed_again(stage: Stage) -> None:
    subscription = subscribed(stage)
    ending = stage.v1.subscriptions.update(subscription.id, {"cancel_at_period_end": True})
    assert (ending.status, ending.cancel_at, ending.canceled_at) == ("active", period_of(ending)[1], JANUARY_31)
    news = News(stage)
    stage.bank.advance(29 * DAY_S)
    assert news.names() == ["customer.subscription.deleted"]
    current = read(stage, subscription)
    assert (current.status, current.ended_at) == ("canceled", ending.cancel_at)
    assert current.cancellation_details.reason == "cancellation_requested"
    assert len(invoices_of(stage, subscription)) == 1


def test_a_cancellation_at_the_periods_end_can_be_taken_back(stage: Stage) -> None:
    subscription = subscribed(stage)
    stage.v1.subscriptions.update(subscription.id, {"cancel_at_period_end": True})
    kept = stage.v1.subscriptions.update(subscription.id, {"cancel_at_period_end": False})
    assert (kept.cancel_at, kept.canceled_at, kept.cancellation_details.reason) == (None, None, None)
    stage.bank.advance(29 * DAY_S)
    assert len(invoices_of(stage, subscription)) == 2


def test_a_paused_subscription_still_ends_with_its_period(stage: Stage) -> None:
    subscription = subscribed(stage)
    stage.v1.subscriptions.update(subscription.id, {"cancel_at_period_end": True})
    stage.v1.subscriptions.pause(subscription.id)
    stage.bank.advance(29 * DAY_S)
    assert read(stage, subscription).status == "canceled"


def test_a_subscription_ends_at_the_moment_that_was_chosen(stage: Stage) -> None:
    subscription = subscribed(stage)
    stage.v1.subscriptions.update(subscription.id, {"cancel_at": JANUARY_31 + 40 * DAY_S})
    stage.bank.advance(60 * DAY_S)
    current = read(stage, subscription)
    assert (current.status, current.ended_at) == ("canceled", JANUARY_31 + 40 * DAY_S)
    assert len(invoices_of(stage, subscription)) == 2


def test_a_deleted_customer_takes_his_subscriptions_along(stage: Stage) -> None:
    subscription = begun(stage)
    stage.v1.customers.delete(subscription.customer)
    stage.bank.advance(60 * DAY_S)
    assert read(stage, subscription).status == "canceled"
    assert len(invoices_of(stage, subscription)) == 1


def test_nobody_goes_on_collecting_for_a_subscription_that_ended(stage: Stage) -> None:
    subscription = begun(stage)
    use_card(stage, subscription.customer, ATTACHES_THEN_FAILS)
    stage.bank.advance(29 * DAY_S)
    stage.v1.subscriptions.cancel(subscription.id)
    use_card(stage, subscription.customer, OK)
    stage.bank.advance(30 * DAY_S)
    left = invoices_of(stage, subscription)[-1]
    assert (left.status, left.attempt_count, left.next_payment_attempt) == ("open", 1, None)
    assert stage.v1.invoices.pay(left.id).status == "paid"
    assert read(stage, subscription).status == "canceled"


# --- invoices by API -------------------------------------------------------------------------------------------------


def test_an_invoice_is_paid_by_hand_once(stage: Stage) -> None:
    subscription = begun(stage)
    use_card(stage, subscription.customer, ATTACHES_THEN_FAILS)
    stage.bank.advance(29 * DAY_S)
    invoice = read(stage, subscription).latest_invoice
    with pytest.raises(stripe.CardError, match="declined"):
        stage.v1.invoices.pay(invoice.id)
    again = stage.v1.invoices.retrieve(invoice.id)
    assert (again.attempt_count, again.next_payment_attempt) == (1, invoice.next_payment_attempt)
    other = stage.v1.payment_methods.attach("pm_card_mastercard", {"customer": subscription.customer})
    assert stage.v1.invoices.pay(invoice.id, {"payment_method": other.id}).status == "paid"
    with pytest.raises(stripe.InvalidRequestError, match="already paid"):
        stage.v1.invoices.pay(invoice.id)


def test_an_invoice_that_needs_the_customer_says_so(stage: Stage) -> None:
    subscription = begun(stage, CHALLENGED, payment_behavior="default_incomplete")
    with pytest.raises(stripe.CardError) as caught:
        stage.v1.invoices.pay(subscription.latest_invoice)
    assert caught.value.code == "invoice_payment_intent_requires_action"
    assert "invoice.payment_action_required" in stage.names()


def test_an_invoice_paid_elsewhere_charges_nobody(stage: Stage) -> None:
    subscription = begun(stage, payment_behavior="default_incomplete")
    news = News(stage)
    paid = stage.v1.invoices.pay(subscription.latest_invoice, {"paid_out_of_band": True})
    assert (paid.status, paid.amount_paid_off_stripe) == ("paid", 1_000)
    assert news.names() == ["invoice.paid", "customer.subscription.updated"]
    assert stage.v1.charges.list().data == []


def test_a_payment_of_an_invoice_is_not_canceled_behind_its_back(stage: Stage) -> None:
    subscription = begun(stage, payment_behavior="default_incomplete")
    payment = read(stage, subscription).latest_invoice.payments.data[0]
    with pytest.raises(stripe.InvalidRequestError, match="Void the invoice"):
        stage.v1.payment_intents.cancel(payment.payment.payment_intent)


@pytest.mark.parametrize("verb", ["void_invoice", "mark_uncollectible", "finalize_invoice"])
def test_a_paid_invoice_stays_paid(stage: Stage, verb: str) -> None:
    subscription = begun(stage)
    with pytest.raises(stripe.InvalidRequestError, match="has a status of `paid`"):
        getattr(stage.v1.invoices, verb)(subscription.latest_invoice)


# --- test clocks -----------------------------------------------------------------------------------------------------


def test_a_test_clock_moves_its_own_customers_and_nobody_else(stage: Stage) -> None:
    clocks = stage.v1.test_helpers.test_clocks
    clock = clocks.create({"frozen_time": JANUARY_31})
    customer, price = member(stage, test_clock=clock.id), recurring_price(stage)
    made = stage.v1.subscriptions.create({"customer": customer.id, "items": [{"price": price.id}]})
    bystander = begun(stage)
    now = stage.bank.vault.now()
    answered = clocks.advance(clock.id, {"frozen_time": JANUARY_31 + 365 * DAY_S + HOUR_S})
    assert answered.status == "advancing"
    after = clocks.retrieve(clock.id)
    assert (after.status, after.frozen_time) == ("ready", JANUARY_31 + 365 * DAY_S + HOUR_S)
    invoices = invoices_of(stage, made)
    assert [invoice.status for invoice in invoices] == ["paid"] * 13
    assert [invoice.test_clock for invoice in invoices] == [clock.id] * 13
    assert invoices[1].created == made["items"].data[0].current_period_end
    assert (stage.bank.vault.now(), len(invoices_of(stage, bystander))) == (now, 1)
    names = stage.names()
    assert names.index("test_helpers.test_clock.advancing") < names.index("test_helpers.test_clock.ready")


def test_a_test_clock_goes_forward_alone_and_takes_its_customers_along(stage: Stage) -> None:
    clocks = stage.v1.test_helpers.test_clocks
    clock = clocks.create({"frozen_time": JANUARY_31})
    customer = member(stage, test_clock=clock.id)
    made = stage.v1.subscriptions.create({"customer": customer.id, "items": [{"price": recurring_price(stage).id}]})
    for moment in (JANUARY_31, JANUARY_31 + 3 * 366 * DAY_S):
        with pytest.raises(stripe.InvalidRequestError):
            clocks.advance(clock.id, {"frozen_time": moment})
    assert clocks.delete(clock.id).deleted is True
    assert read(stage, made).status == "canceled"
    assert stage.v1.customers.retrieve(customer.id).deleted is True
    with pytest.raises(stripe.InvalidRequestError):
        clocks.retrieve(clock.id)


# --- the portal ------------------------------------------------------------------------------------------------------


def test_a_customer_looks_after_his_subscription_in_the_portal(stage: Stage) -> None:
    subscription = subscribed(stage)
    portal = stage.v1.billing_portal.sessions.create(
        {"customer": subscription.customer, "return_url": "http://shop.test/account"}
    )
    page = requests.get(portal.url, timeout=10).text
    for told in ("€10.00", "every month", "Visa ending in 4242", "http://shop.test/account"):
        assert told in page
    asked = {"subscription": subscription.id}
    assert "ends with its current period" in requests.post(f"{portal.url}/cancel", data=asked, timeout=10).text
    assert read(stage, subscription).cancel_at_period_end is True
    requests.post(f"{portal.url}/resume", data=asked, timeout=10)
    assert read(stage, subscription).cancel_at is None


def test_a_card_changed_in_the_portal_pays_the_next_invoice(stage: Stage) -> None:
    subscription = subscribed(stage)
    portal = stage.v1.billing_portal.sessions.create({"customer": subscription.customer})
    typed = {"number": "5555555555554444", "expiry": "12/34", "cvc": "123", "name": "Jenny Rosen"}
    declined = requests.post(f"{portal.url}/card", data={**typed, "number": DECLINED}, timeout=10)
    assert "declined=generic_decline" in declined.url
    requests.post(f"{portal.url}/card", data=typed, timeout=10)
    stage.bank.advance(29 * DAY_S)
    charge = stage.v1.charges.list({"customer": subscription.customer}).data[0]
    assert (charge.payment_method_details.card.brand, charge.status) == ("mastercard", "succeeded")


def test_the_portal_shows_and_changes_its_own_customers_alone(stage: Stage) -> None:
    mine, other = subscribed(stage), subscribed(stage)
    portal = stage.v1.billing_portal.sessions.create({"customer": mine.customer})
    assert requests.get(portal.url, timeout=10).text.count('class="plan"') == 1
    refused = requests.post(f"{portal.url}/cancel", data={"subscription": other.id}, timeout=10)
    assert refused.status_code == 404
    assert read(stage, other).cancel_at_period_end is False


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"items": []}, stripe.InvalidRequestError),
        ({"items": [{"quantity": 1}]}, stripe.InvalidRequestError),
        ({"items": [{"price": "price_nobody"}]}, stripe.InvalidRequestError),
        ({"customer": "cus_nobody"}, stripe.InvalidRequestError),
        ({"trial_period_days": 5_000}, stripe.InvalidRequestError),
        ({"trial_period_days": 5, "trial_end": JANUARY_31 + DAY_S}, stripe.InvalidRequestError),
        ({"trial_end": JANUARY_31}, stripe.InvalidRequestError),
        ({"cancel_at": JANUARY_31}, stripe.InvalidRequestError),
        ({"default_payment_method": "pm_card_visa"}, stripe.InvalidRequestError),
        ({"collection_method": "send_invoice"}, stripe.APIError),
        ({"payment_behavior": "error_if_incomplete"}, stripe.APIError),
        ({"backdate_start_date": JANUARY_31}, stripe.APIError),
        ({"cancel_at": "max_period_end"}, stripe.APIError),
    ],
)
def test_a_subscription_that_cannot_be_is_refused_before_anything_is_done(
    stage: Stage, change: dict[str, Any], error: type[stripe.StripeError]
) -> None:
    customer = member(stage)
    asked = {"customer": customer.id, "items": [{"price": recurring_price(stage).id}]}
    with pytest.raises(error):
        stage.v1.subscriptions.create(asked | change)
    assert stage.v1.subscriptions.list({"status": "all"}).data == []
    assert stage.v1.charges.list().data == []


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"subscription_data": {"trial_end": JANUARY_31 + DAY_S}}, stripe.InvalidRequestError),
        ({"subscription_data": {"trial_period_days": 0}}, stripe.InvalidRequestError),
        ({"subscription_data": {"billing_cycle_anchor": JANUARY_31 + DAY_S}}, stripe.APIError),
        ({"line_items": [{"quantity": 1, "price_data": monthly(10)}]}, stripe.InvalidRequestError),
        (
            {
                "line_items": [
                    {"quantity": 1, "price_data": monthly()},
                    {"quantity": 1, "price_data": monthly(recurring={"interval": "year"})},
                ]
            },
            stripe.APIError,
        ),
    ],
)
def test_a_page_that_could_not_begin_its_subscription_is_refused(
    stage: Stage, change: dict[str, Any], error: type[stripe.StripeError]
) -> None:
    with pytest.raises(error):
        signup(stage, **change)
