"""Billing in the bank: subscriptions begun, renewed for a year, failing, paused, ended, and what customers may do."""

import contextlib
import itertools
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
import stripe
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sandbox.test_bank import Bank
from sandbox.test_bank.billing_dates import moved
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
from tests.sandbox.test_bank_stage import CHALLENGED, DECLINED, OK, HandClock, Stage, event_complaints, pay, staged

MONTH = {"interval": "month", "interval_count": 1}


@pytest.fixture
def stage() -> Iterator[Stage]:
    with staged(Bank(seed="billing", real_time_s=HandClock(JANUARY_31))) as made:
        yield made


# --- begun on the page -----------------------------------------------------------------------------------------------


def test_a_subscription_begins_when_its_page_is_paid(stage: Stage) -> None:
    session = signup(stage, client_reference_id="pay_1")
    assert (session.subscription, session.invoice, session.payment_status) == (None, None, "unpaid")
    assert stage.pay(session, email="jenny@example.com").redirect_url == f"http://shop.test/ok?cs={session.id}"
    assert stage.names() == [
        "customer.created",
        "payment_intent.created",
        "charge.succeeded",
        "payment_method.attached",
        "payment_intent.succeeded",
        "customer.subscription.created",
        "invoice.created",
        "invoice.finalized",
        "invoice_payment.paid",
        "invoice.paid",
        "invoice.payment_succeeded",
        "customer.subscription.updated",
        "checkout.session.completed",
    ]
    session = stage.v1.checkout.sessions.retrieve(session.id, {"expand": ["subscription", "invoice.payments"]})
    assert (session.status, session.payment_status, session.payment_intent) == ("complete", "paid", None)
    assert (session.amount_total, session.invoice.amount_paid) == (1_000, 1_000)
    subscription, invoice = session.subscription, session.invoice
    assert (subscription.status, subscription.latest_invoice) == ("active", invoice.id)
    assert subscription.metadata.to_dict() == {"sp_op": "op_1"}
    assert (invoice.billing_reason, invoice.status, invoice.attempt_count) == ("subscription_create", "paid", 1)
    assert invoice.parent.subscription_details.subscription == subscription.id
    assert invoice.parent.subscription_details.metadata.to_dict() == {"sp_op": "op_1"}
    assert (invoice.lines.data[0].period.start, invoice.lines.data[0].period.end) == period_of(subscription)


@pytest.mark.parametrize(("trial", "button"), [({}, "Subscribe"), ({"trial_period_days": 7}, "Start trial")])
def test_the_page_says_what_comes_back_and_when(stage: Stage, trial: dict[str, int], button: str) -> None:
    page = requests.get(signup(stage, subscription_data=trial).url, timeout=10).text
    for told in ("€10.00", "every month", button):
        assert told in page


def test_the_invoice_behind_a_payment_is_found_through_its_invoice_payment(stage: Stage) -> None:
    subscription = subscribed(stage)
    payment = stage.v1.invoice_payments.list({"invoice": subscription.latest_invoice.id}).data[0]
    assert (payment.status, payment.amount_paid, payment.payment.type) == ("paid", 1_000, "payment_intent")
    wanted = {"type": "payment_intent", "payment_intent": payment.payment.payment_intent}
    assert [found.id for found in stage.v1.invoice_payments.list({"payment": wanted}).data] == [payment.id]
    with pytest.raises(stripe.InvalidRequestError, match="a status of succeeded"):
        stage.v1.payment_intents.confirm(payment.payment.payment_intent)
    refund = stage.v1.refunds.create({"payment_intent": payment.payment.payment_intent})
    assert (refund.status, refund.amount) == ("succeeded", 1_000)


def test_a_declined_first_payment_leaves_no_subscription_behind(stage: Stage) -> None:
    session = signup(stage)
    assert stage.pay(session, DECLINED).decline_code == "generic_decline"
    assert stage.v1.subscriptions.list({"status": "all"}).data == []
    assert stage.pay(session).kind == "paid"
    assert len(stage.v1.subscriptions.list().data) == 1
    assert Counter(stage.names())["payment_intent.created"] == 1


def test_a_session_that_expires_after_a_decline_lets_its_payment_go(stage: Stage) -> None:
    session = signup(stage)
    stage.pay(session, DECLINED)
    stage.v1.checkout.sessions.expire(session.id)
    assert stage.names()[-2:] == ["payment_intent.canceled", "checkout.session.expired"]
    assert stage.pay(session).kind == "closed"


@pytest.mark.parametrize("mode", ["setup", "subscription"])
def test_a_challenge_that_outlives_its_session_saves_and_begins_nothing(stage: Stage, mode: str) -> None:
    if mode == "setup":
        session = stage.v1.checkout.sessions.create(
            {"mode": "setup", "success_url": "http://shop.test/ok", "currency": "eur"}
        )
    else:
        session = signup(stage, subscription_data={"trial_period_days": 7})
    challenge = str(stage.pay(session, CHALLENGED).redirect_url).rpartition("/")[2]
    stage.v1.checkout.sessions.expire(session.id)
    assert stage.bank.answer_challenge(challenge, passed=True).kind == "closed"
    assert stage.v1.checkout.sessions.retrieve(session.id).status == "expired"
    assert stage.v1.subscriptions.list({"status": "all"}).data == []
    assert stage.names()[-2:] == ["setup_intent.canceled", "checkout.session.expired"]


def test_a_challenged_first_payment_begins_the_subscription_when_it_is_passed(stage: Stage) -> None:
    session = signup(stage)
    challenge = str(stage.pay(session, CHALLENGED).redirect_url).rpartition("/")[2]
    assert stage.v1.subscriptions.list({"status": "all"}).data == []
    assert stage.bank.answer_challenge(challenge, passed=True).kind == "paid"
    done = stage.v1.checkout.sessions.retrieve(session.id, {"expand": ["subscription"]})
    assert (done.subscription.status, done.payment_status) == ("active", "paid")


def test_what_is_sold_once_stands_on_the_first_invoice_alone(stage: Stage) -> None:
    mug = {"currency": "eur", "unit_amount": 700, "product_data": {"name": "Mug"}}
    lines = [{"quantity": 2, "price_data": monthly()}, {"quantity": 1, "price_data": mug}]
    subscription = subscribed(stage, line_items=lines)
    assert subscription.latest_invoice.amount_paid == 2_700
    stage.bank.advance(29 * DAY_S)
    assert [invoice.total for invoice in invoices_of(stage, subscription)] == [2_700, 2_000]


# --- renewals --------------------------------------------------------------------------------------------------------


def test_a_year_of_renewals_bills_each_month_once_and_finds_the_31st_again(stage: Stage) -> None:
    subscription = subscribed(stage)
    stage.bank.advance(365 * DAY_S + HOUR_S)
    invoices = invoices_of(stage, subscription)
    assert [invoice.status for invoice in invoices] == ["paid"] * 13
    periods = [(invoice.lines.data[0].period.start, invoice.lines.data[0].period.end) for invoice in invoices]
    assert [end for _, end in periods[:-1]] == [start for start, _ in periods[1:]]
    days = [datetime.fromtimestamp(start, UTC).day for start, _ in periods]
    assert days == [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 31]
    assert len({invoice.number for invoice in invoices}) == 13
    charges = stage.v1.charges.list({"customer": subscription.customer, "limit": 100}).data
    assert sum(charge.amount_captured for charge in charges) == 13 * 1_000


def test_a_renewal_is_a_draft_for_an_hour_and_then_told_in_order(stage: Stage) -> None:
    subscription = subscribed(stage)
    news = News(stage)
    stage.bank.advance(28 * DAY_S)
    assert news.names() == ["customer.subscription.updated", "invoice.created"]
    draft = read(stage, subscription).latest_invoice
    assert (draft.status, draft.auto_advance, draft.number) == ("draft", True, None)
    assert draft.billing_reason == "subscription_cycle"
    assert (draft.period_start, draft.period_end) == period_of(subscription)
    assert draft.lines.data[0].period.start == draft.period_end
    stage.bank.advance(HOUR_S)
    assert news.names() == ["invoice.finalized", "invoice_payment.paid", "invoice.paid", "invoice.payment_succeeded"]


def test_a_change_of_metadata_is_copied_to_the_draft_and_to_no_invoice_before_it(stage: Stage) -> None:
    subscription = subscribed(stage)
    stage.bank.advance(28 * DAY_S)
    stage.v1.subscriptions.update(subscription.id, {"metadata": {"sp_op": "op_2"}})
    stage.bank.advance(HOUR_S)
    copied = [invoice.parent.subscription_details.metadata["sp_op"] for invoice in invoices_of(stage, subscription)]
    assert copied == ["op_1", "op_2"]


def test_other_prices_and_quantities_count_from_the_next_invoice_on(stage: Stage) -> None:
    subscription = begun(stage)
    row = subscription["items"].data[0]
    dearer = recurring_price(stage, 1_500)
    change = {"items": [{"id": row.id, "price": dearer.id, "quantity": 2}]}
    with pytest.raises(stripe.APIError, match="proration"):
        stage.v1.subscriptions.update(subscription.id, change)
    stage.v1.subscriptions.update(subscription.id, {**change, "proration_behavior": "none"})
    stage.bank.advance(29 * DAY_S)
    assert [invoice.total for invoice in invoices_of(stage, subscription)] == [1_000, 3_000]


def test_a_restarted_bank_goes_on_billing(tmp_path: Path) -> None:
    clock = HandClock(JANUARY_31)
    path = tmp_path / "bank.sqlite"
    with staged(Bank(path=path, seed="restart", real_time_s=clock)) as before:
        subscription = subscribed(before)
        before.bank.advance(28 * DAY_S)
    with staged(Bank(path=path, seed="restart", real_time_s=clock)) as after:
        after.bank.advance(32 * DAY_S)
        assert [invoice.status for invoice in invoices_of(after, subscription)] == ["paid"] * 3


def test_a_repeated_request_begins_one_subscription(stage: Stage) -> None:
    customer, price = member(stage), recurring_price(stage)
    asked = {"customer": customer.id, "items": [{"price": price.id}]}
    made = [stage.v1.subscriptions.create(asked, {"idempotency_key": "once"}) for _ in range(2)]
    assert made[0].id == made[1].id
    assert len(stage.v1.charges.list({"customer": customer.id}).data) == 1


# --- trials ----------------------------------------------------------------------------------------------------------


def test_a_trial_begins_with_an_invoice_of_zero_that_is_no_payment(stage: Stage) -> None:
    session = signup(stage, subscription_data={"trial_period_days": 14})
    assert (session.amount_total, session.payment_status) == (0, "no_payment_required")
    assert stage.pay(session).kind == "paid"
    done = stage.v1.checkout.sessions.retrieve(session.id, {"expand": ["subscription", "invoice.payments"]})
    assert done.payment_status == "no_payment_required"
    invoice, subscription = done.invoice, done.subscription
    assert (invoice.status, invoice.total, invoice.payments.data) == ("paid", 0, [])
    assert (subscription.status, subscription.trial_end) == ("trialing", JANUARY_31 + 14 * DAY_S)
    assert period_of(subscription) == (JANUARY_31, JANUARY_31 + 14 * DAY_S)
    assert stage.v1.charges.list().data == []


def test_a_trial_announces_its_end_three_days_before_and_is_then_billed(stage: Stage) -> None:
    subscription = subscribed(stage, subscription_data={"trial_period_days": 14})
    news = News(stage)
    stage.bank.advance(11 * DAY_S)
    assert news.names() == ["customer.subscription.trial_will_end"]
    stage.bank.advance(3 * DAY_S)
    updated, drafted = news.events()
    assert (updated["type"], drafted["type"]) == ("customer.subscription.updated", "invoice.created")
    assert updated["data"]["previous_attributes"]["status"] == "trialing"
    stage.bank.advance(HOUR_S)
    current = read(stage, subscription)
    assert (current.status, current.latest_invoice.amount_paid) == ("active", 1_000)
    assert current.billing_cycle_anchor == subscription.trial_end


def test_a_trial_that_ends_now_is_billed_at_once(stage: Stage) -> None:
    subscription = subscribed(stage, subscription_data={"trial_period_days": 14})
    stage.v1.subscriptions.update(subscription.id, {"trial_end": "now"})
    current = read(stage, subscription)
    assert (current.status, current.latest_invoice.status) == ("active", "paid")
    stage.bank.advance(15 * DAY_S)
    assert len(invoices_of(stage, subscription)) == 2


def test_a_longer_trial_is_billed_later_and_once(stage: Stage) -> None:
    subscription = subscribed(stage, subscription_data={"trial_period_days": 14})
    stage.v1.subscriptions.update(subscription.id, {"trial_end": JANUARY_31 + 20 * DAY_S})
    stage.bank.advance(19 * DAY_S)
    assert read(stage, subscription).status == "trialing"
    stage.bank.advance(2 * DAY_S)
    assert [invoice.total for invoice in invoices_of(stage, subscription)] == [0, 1_000]


@pytest.mark.parametrize(
    ("behavior", "status"), [("cancel", "canceled"), ("pause", "paused"), ("create_invoice", "past_due")]
)
def test_a_trial_without_a_card_ends_as_was_chosen(stage: Stage, behavior: str, status: str) -> None:
    customer = stage.v1.customers.create({"name": "Jenny Rosen"})
    subscription = stage.v1.subscriptions.create(
        {
            "customer": customer.id,
            "items": [{"price": recurring_price(stage).id}],
            "trial_period_days": 7,
            "trial_settings": {"end_behavior": {"missing_payment_method": behavior}},
        }
    )
    stage.bank.advance(8 * DAY_S)
    assert read(stage, subscription).status == status


# --- renewals that fail ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "status"), [("cancel", "canceled"), ("unpaid", "unpaid"), ("past_due", "past_due")]
)
def test_a_failed_renewal_is_retried_three_times_and_then_given_up(stage: Stage, outcome: str, status: str) -> None:
    stage.order("dunning", {"outcome": outcome})
    subscription = subscribed(stage, ATTACHES_THEN_FAILS, subscription_data={"trial_period_days": 7})
    stage.bank.advance(7 * DAY_S + HOUR_S)
    tries = []
    for days in (3, 5, 7):
        current = read(stage, subscription)
        tries.append(current.latest_invoice.attempt_count)
        assert current.status == "past_due"
        assert current.latest_invoice.next_payment_attempt == stage.bank.vault.now() + days * DAY_S
        stage.bank.advance(days * DAY_S)
    current = read(stage, subscription)
    assert tries == [1, 2, 3]
    assert (current.status, current.latest_invoice.attempt_count) == (status, 4)
    assert (current.latest_invoice.status, current.latest_invoice.next_payment_attempt) == ("open", None)
    assert Counter(stage.names())["invoice.payment_failed"] == 4
    assert stage.v1.customers.retrieve(subscription.customer).delinquent is True


def test_a_subscription_that_was_given_up_says_why(stage: Stage) -> None:
    subscription = subscribed(stage, ATTACHES_THEN_FAILS, subscription_data={"trial_period_days": 7})
    news = News(stage)
    stage.bank.advance(60 * DAY_S)
    assert news.names()[-1] == "customer.subscription.deleted"
    current = read(stage, subscription)
    assert current.cancellation_details.reason == "payment_failed"
    assert current.ended_at == JANUARY_31 + 22 * DAY_S + HOUR_S
    assert len(invoices_of(stage, subscription)) == 2


def test_a_card_that_was_taken_away_pays_nothing(stage: Stage) -> None:
    subscription = subscribed(stage)
    stage.v1.payment_methods.detach(subscription.default_payment_method)
    stage.bank.advance(29 * DAY_S)
    current = read(stage, subscription)
    assert (current.status, current.latest_invoice.attempt_count) == ("past_due", 1)
    assert len(stage.v1.charges.list({"customer": subscription.customer}).data) == 1


def test_another_card_saves_a_subscription_at_the_next_retry(stage: Stage) -> None:
    subscription = begun(stage)
    use_card(stage, subscription.customer, ATTACHES_THEN_FAILS)
    stage.bank.advance(29 * DAY_S)
    assert read(stage, subscription).status == "past_due"
    use_card(stage, subscription.customer, OK)
    news = News(stage)
    stage.bank.advance(3 * DAY_S)
    assert news.names() == [
        "invoice_payment.paid",
        "invoice.paid",
        "invoice.payment_succeeded",
        "customer.subscription.updated",
    ]
    current = read(stage, subscription)
    assert (current.status, current.latest_invoice.attempt_count) == ("active", 2)
    assert stage.v1.customers.retrieve(subscription.customer).delinquent is False


def test_the_newest_invoice_alone_decides_whether_a_subscription_is_paid(stage: Stage) -> None:
    stage.order("dunning", {"outcome": "past_due"})
    subscription = begun(stage)
    use_card(stage, subscription.customer, ATTACHES_THEN_FAILS)
    stage.bank.advance(65 * DAY_S)
    older, newest = invoices_of(stage, subscription, status="open")
    use_card(stage, subscription.customer, OK)
    stage.v1.invoices.pay(older.id)
    assert read(stage, subscription).status == "past_due"
    stage.v1.invoices.pay(newest.id)
    assert read(stage, subscription).status == "active"


def test_an_unpaid_subscription_drafts_invoices_that_nobody_collects(stage: Stage) -> None:
    stage.order("dunning", {"outcome": "unpaid"})
    subscription = begun(stage)
    use_card(stage, subscription.customer, ATTACHES_THEN_FAILS)
    stage.bank.advance(70 * DAY_S)
    drafts = invoices_of(stage, subscription, status="draft")
    assert [draft.auto_advance for draft in drafts] == [False]
    use_card(stage, subscription.customer, OK)
    stage.v1.invoices.pay(drafts[0].id)
    assert read(stage, subscription).status == "active"


def test_a_renewal_that_asks_for_a_challenge_waits_for_the_customer(stage: Stage) -> None:
    subscription = begun(stage)
    use_card(stage, subscription.customer, CHALLENGED)
    news = News(stage)
    stage.bank.advance(28 * DAY_S + HOUR_S)
    assert news.names()[-2:] == ["invoice.payment_action_required", "customer.subscription.updated"]
    current = read(stage, subscription)
    intent = stage.v1.payment_intents.retrieve(current.latest_invoice.payments.data[0].payment.payment_intent)
    assert (current.status, intent.status) == ("past_due", "requires_action")
    challenge = intent.next_action.redirect_to_url.url.rpartition("/")[2]
    assert stage.bank.answer_challenge(challenge, passed=True).kind == "paid"
    current = read(stage, subscription)
    assert (current.status, current.latest_invoice.status) == ("active", "paid")
    stage.bank.advance(4 * DAY_S)
    assert read(stage, subscription).latest_invoice.attempt_count == 1


# --- the first payment by API ----------------------------------------------------------------------------------------


def test_a_subscription_waits_for_the_merchants_page(stage: Stage) -> None:
    subscription = begun(stage, payment_behavior="default_incomplete")
    current = stage.v1.subscriptions.retrieve(subscription.id, {"expand": ["latest_invoice.confirmation_secret"]})
    assert (current.status, current.latest_invoice.status) == ("incomplete", "open")
    intent_id = current.latest_invoice.confirmation_secret.client_secret.partition("_secret")[0]
    stage.v1.payment_intents.confirm(intent_id, {"payment_method": "pm_card_visa"})
    assert read(stage, subscription).status == "active"
    stage.bank.advance(DAY_S)
    assert read(stage, subscription).status == "active"


def test_a_subscription_that_is_never_paid_lapses_after_23_hours(stage: Stage) -> None:
    subscription = begun(stage, ATTACHES_THEN_FAILS)
    assert subscription.status == "incomplete"
    assert "invoice.payment_failed" in stage.names()
    stage.bank.advance(23 * HOUR_S)
    current = read(stage, subscription)
    assert (current.status, current.latest_invoice.status) == ("incomplete_expired", "void")
    intent = stage.v1.payment_intents.retrieve(current.latest_invoice.payments.data[0].payment.payment_intent)
    assert (intent.status, intent.cancellation_reason) == ("canceled", "void_invoice")


def test_an_incomplete_subscription_ends_with_its_canceling_or_its_voided_invoice(stage: Stage) -> None:
    canceled = begun(stage, payment_behavior="default_incomplete")
    stage.v1.subscriptions.cancel(canceled.id)
    voided = begun(stage, payment_behavior="default_incomplete")
    stage.v1.invoices.void_invoice(voided.latest_invoice)
    assert {read(stage, one).status for one in (canceled, voided)} == {"incomplete_expired"}
    assert read(stage, canceled).latest_invoice.status == "void"


def test_a_customer_without_a_card_cannot_subscribe_by_api(stage: Stage) -> None:
    customer = stage.v1.customers.create({})
    asked = {"customer": customer.id, "items": [{"price": recurring_price(stage).id}]}
    with pytest.raises(stripe.InvalidRequestError, match="default payment method"):
        stage.v1.subscriptions.create(asked)
    assert stage.v1.subscriptions.list({"status": "all"}).data == []


def test_a_card_saved_in_setup_mode_pays_a_subscription(stage: Stage) -> None:
    customer = stage.v1.customers.create({})
    session = stage.v1.checkout.sessions.create(
        {"mode": "setup", "success_url": "http://shop.test/ok", "customer": customer.id, "currency": "eur"}
    )
    challenge = str(stage.pay(session, "4000002500003155").redirect_url).rpartition("/")[2]
    stage.bank.answer_challenge(challenge, passed=True)
    saved = stage.v1.checkout.sessions.retrieve(session.id, {"expand": ["setup_intent"]})
    assert (saved.status, saved.payment_status, saved.setup_intent.status) == (
        "complete",
        "no_payment_required",
        "succeeded",
    )
    subscription = stage.v1.subscriptions.create(
        {
            "customer": customer.id,
            "items": [{"price": recurring_price(stage).id}],
            "default_payment_method": saved.setup_intent.payment_method,
        }
    )
    assert subscription.status == "active"


# --- dates, and money through it all ---------------------------------------------------------------------------------


@given(
    anchor=st.datetimes(datetime(2000, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - the strategy adds the zone itself
    interval=st.sampled_from(["day", "week", "month", "year"]),
    count=st.integers(1, 12),
    periods=st.integers(0, 40),
)
@example(anchor=datetime(2024, 2, 29, tzinfo=UTC), interval="year", count=1, periods=4)
def test_periods_follow_each_other_on_the_anchors_day(
    anchor: datetime, interval: str, count: int, periods: int
) -> None:
    recurring = {"interval": interval, "interval_count": count}
    start, end = (moved(int(anchor.timestamp()), recurring, number) for number in (periods, periods + 1))
    assert start < end
    begins = datetime.fromtimestamp(start, UTC)
    assert (begins.hour, begins.minute, begins.second) == (anchor.hour, anchor.minute, anchor.second)
    if interval in {"month", "year"}:
        assert begins.day == anchor.day or (begins.day < anchor.day and (begins.day >= 28))
        assert (begins.year * 12 + begins.month) - (anchor.year * 12 + anchor.month) == periods * count * (
            1 if interval == "month" else 12
        )
    else:
        assert (start - int(anchor.timestamp())) == periods * count * (1 if interval == "day" else 7) * DAY_S


_STEPS = st.one_of(
    st.tuples(st.just("advance"), st.integers(1, 45)),
    st.tuples(st.just("card"), st.sampled_from([OK, ATTACHES_THEN_FAILS, CHALLENGED])),
    st.tuples(st.just("pause"), st.just(0)),
    st.tuples(st.just("resume"), st.sampled_from(["now", "unchanged"])),
    st.tuples(st.just("collect"), st.sampled_from(["void", "keep_as_draft", "mark_uncollectible", ""])),
    st.tuples(st.just("ending"), st.booleans()),
    st.tuples(st.just("pay"), st.just(0)),
)


@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(_STEPS, max_size=12), st.sampled_from([None, 10]))
def test_no_period_is_billed_twice_and_every_payment_is_of_one_invoice(
    steps: list[tuple[str, Any]], trial_days: int | None
) -> None:
    """Whatever happens to a subscription, its periods do not overlap and money and invoices agree."""
    with staged(Bank(seed="steps", real_time_s=HandClock(JANUARY_31))) as stage:
        data = {} if trial_days is None else {"trial_period_days": trial_days}
        session = signup(stage, subscription_data=data)
        pay(stage.bank, session.id)
        subscription = stage.v1.subscriptions.list().data[0]
        for name, value in steps:
            with contextlib.suppress(stripe.InvalidRequestError, stripe.CardError):
                _step(stage, subscription, name, value)
        stage.bank.advance(2 * HOUR_S)
        invoices = invoices_of(stage, subscription)
        periods = [(one.lines.data[0].period.start, one.lines.data[0].period.end) for one in invoices]
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(periods)), periods
        charged = [charge.amount for charge in stage.v1.charges.list({"limit": 100}).data if charge.paid]
        assert sum(charged) == sum(one.amount_paid for one in invoices)
        assert len(charged) == sum(1 for one in invoices if one.status == "paid" and one.total)
        assert [found for event in stage.events() if (found := event_complaints(event))] == []


def _step(stage: Stage, subscription: Any, name: str, value: Any) -> None:
    subscriptions = stage.v1.subscriptions
    match name:
        case "advance":
            stage.bank.advance(value * DAY_S)
        case "card":
            portal = stage.v1.billing_portal.sessions.create({"customer": subscription.customer})
            typed = {"number": value, "expiry": "12/34", "cvc": "123", "name": "Jenny Rosen"}
            assert requests.post(f"{portal.url}/card", data=typed, timeout=10).status_code == 200
        case "pause":
            subscriptions.pause(subscription.id)
        case "resume":
            with contextlib.suppress(stripe.APIError):
                subscriptions.resume(subscription.id, {"billing_cycle_anchor": {"type": value}})
        case "collect":
            paused = {"behavior": value} if value else ""
            subscriptions.update(subscription.id, {"pause_collection": paused})
        case "ending":
            subscriptions.update(subscription.id, {"cancel_at_period_end": value})
        case "pay":
            stage.v1.invoices.pay(subscriptions.retrieve(subscription.id).latest_invoice)
