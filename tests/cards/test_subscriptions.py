"""Subscriptions from the page to the books: a year of them, trials, failures, pauses and ends, on the real engine."""

import random
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from gateway.domain.subscriptions import PeriodStatus, SubscriptionStatus
from gateway.domain.words import DisputesStatus, PaymentKind, PaymentStatus, SessionStatus
from gateway.engine.commands import PATIENCE
from gateway.engine.customers import NewCustomer
from gateway.engine.operations import OPEN
from gateway.engine.paging import PageRequest
from gateway.engine.records import load_payment
from gateway.engine.refunds import NewRefund
from gateway.kernel.errors import (
    ConflictError,
    ErrorCode,
    InvalidRequestError,
    NotFoundError,
    UnknownOutcomeError,
)
from gateway.storage import schema
from tests.cards.stage import CardShop, field
from tests.cards.subscribers import FAILS_LATER, Club

S = SubscriptionStatus
DAY = timedelta(days=1)


@pytest.fixture
def club(shop: CardShop) -> Iterator[Club]:
    """Return a shop with members; afterwards nobody looks after them, because their bank is closed."""
    yield Club(shop)
    table = schema.subscription
    shop.db.write(lambda tx: tx.execute(update(table).values(due_at=None)))


def test_joining_pays_the_first_period_with_the_sessions_own_payment(club: Club, shop: CardShop) -> None:
    member = club.join()
    assert (member.status, member.paid_until) == (S.ACTIVE, member.period_end)
    (period,), (payment,) = club.periods(member), club.payments(member)
    assert (period.status, period.payment_id) == (PeriodStatus.PAID, member.payment_id)
    assert (payment.status, payment.kind, payment.amount.major) == (PaymentStatus.PAID, PaymentKind.RECURRING, "10.00")
    assert club.events() == ["created"]
    assert shop.events("checkout") == ["checkout.session.created", "checkout.session.completed"]
    club.check()


def test_a_year_of_renewals_is_twelve_payments_and_no_more(club: Club, shop: CardShop) -> None:
    member = club.join()
    club.months(11)
    payments = club.payments(member)
    assert [one.status for one in payments] == [PaymentStatus.PAID] * 12
    assert {one.kind for one in payments} == {PaymentKind.RECURRING}
    assert len(club.charged(member)) == club.payments_in_all() == 12
    assert club.events() == ["created", *["renewed"] * 11]
    assert shop.events("checkout") == ["checkout.session.created", "checkout.session.completed"]
    club.check()


def test_without_any_webhook_the_sweep_finds_every_renewal(club: Club) -> None:
    """Pitfall: webhooks may be lost for good."""
    member = club.join()
    club.months(3, deliver=False)
    assert [one.status for one in club.payments(member)] == [PaymentStatus.PAID] * 4
    club.check()


def test_doubled_and_shuffled_webhooks_make_nothing_twice(club: Club, shop: CardShop) -> None:
    """Pitfalls 1, 6 and 8, for bills."""
    member = club.join()
    news = shop.post_from_bank()
    for _ in range(3):
        shop.pass_time(31 * DAY)
        news += shop.post_from_bank()
    deck = [*news, *news]
    random.Random(7).shuffle(deck)
    for event in deck:
        shop.deliver([event])
    assert [one.status for one in club.payments(member)] == [PaymentStatus.PAID] * 4
    assert club.payments_in_all() == 4
    assert len(set(club.events())) <= 2
    club.check()


def test_the_bill_that_comes_before_its_page_was_read_is_not_lost(club: Club, shop: CardShop) -> None:
    session = club.open(club.plan())
    shop.pay_at_bank(shop.start(session))
    bills = [event for event in shop.post_from_bank() if event["type"].startswith("invoice.")]
    shop.deliver(bills)
    club.engine.sweep()
    assert club.status() is S.ACTIVE
    assert shop.payment(session).status is PaymentStatus.PAID
    club.check()


def test_a_trial_completes_the_session_without_a_payment(club: Club, shop: CardShop) -> None:
    """The zero first invoice is no payment."""
    member = club.join(trial_days=14)
    assert (member.status, member.access_until) == (S.TRIALING, member.trial_ends_at and member.trial_ends_at + 3 * DAY)
    (period,) = club.periods(member)
    assert (period.status, period.amount.atomic, period.payment_id) == (PeriodStatus.PAID, 0, None)
    assert shop.events("payment") == []
    assert shop.events("checkout")[-1] == "checkout.session.completed"
    assert club.charged(member) == []
    assert shop.balances() == {}


def test_the_first_charge_after_a_trial_is_the_sessions_own_payment(club: Club, shop: CardShop) -> None:
    member = club.join(trial_days=14)
    club.days(12, 5)
    club.months(1)
    member = club.newest()
    assert member.status is S.ACTIVE
    assert club.payments(member)[0].id == member.payment_id
    assert [one.status for one in club.payments(member)] == [PaymentStatus.PAID] * 2
    assert club.events() == ["created", "trial_will_end", "renewed", "renewed"]
    assert not any(one.exceptions for one in club.payments(member))
    assert shop.events("checkout") == ["checkout.session.created", "checkout.session.completed"]
    club.check()


def test_a_trial_that_is_canceled_in_time_costs_nothing(club: Club, shop: CardShop) -> None:
    member = club.join(trial_days=14)
    club.cancel(member, at_period_end=True)
    assert club.newest().cancels_at is not None
    club.months(1)
    assert club.status() is S.CANCELED
    assert shop.db.read(lambda tx: load_payment(tx, member.payment_id)).status is PaymentStatus.CANCELED
    assert club.charged(member) == []
    assert shop.balances() == {}


def test_a_failed_renewal_is_past_due_with_grace_and_a_mended_card_brings_it_back(club: Club, shop: CardShop) -> None:
    member = club.join(FAILS_LATER, trial_days=14, grace_days=5)
    club.days(12, 2.2)
    member = club.newest()
    assert member.status is S.PAST_DUE
    assert member.paid_until is not None
    assert member.access_until == member.paid_until + 5 * DAY
    assert club.periods(member)[-1].status is PeriodStatus.FAILED
    (owed,) = club.payments(member)
    assert owed.status is PaymentStatus.OPEN
    assert shop.balances() == {}
    club.mend_card()
    club.days(4, 4)
    member = club.newest()
    assert member.status is S.ACTIVE
    assert [one.status for one in club.payments(member)] == [PaymentStatus.PAID]
    assert club.events() == ["created", "trial_will_end", "past_due", "renewed"]
    club.check()


def test_a_renewal_that_never_succeeds_ends_the_subscription_and_books_nothing(club: Club, shop: CardShop) -> None:
    member = club.join(FAILS_LATER, trial_days=7)
    club.months(2)
    member = club.newest()
    assert member.status in {S.CANCELED, S.PAST_DUE}
    assert member.access_until is not None
    assert member.access_until <= shop.clock.now()
    assert shop.balances() == {}
    assert club.charged(member) == []


def test_a_paused_subscription_is_not_billed_until_it_is_resumed(club: Club, shop: CardShop) -> None:
    member = club.join()
    reply = club.verbs.pause(shop.intent(), member.id)
    assert field(reply, "status") == "paused"
    club.months(2)
    assert len(club.charged(member)) == 1
    assert club.payments_in_all() == 1
    assert field(club.verbs.resume(shop.intent(), member.id), "status") == "active"
    club.months(1)
    assert len(club.charged(member)) == 2
    assert [one for one in club.events() if one != "renewed"] == ["created", "paused", "resumed"]
    club.check()


def test_canceled_now_it_ends_now(club: Club, shop: CardShop) -> None:
    member = club.join()
    shop.pass_time(3 * DAY)
    reply = club.cancel(member, at_period_end=False)
    member = club.newest()
    assert (field(reply, "status"), member.status) == ("canceled", S.CANCELED)
    assert (member.access_until, member.due_at) == (member.ended_at, None)
    club.months(2)
    assert len(club.charged(member)) == 1
    assert club.events() == ["created", "canceled"]
    club.check()


def test_canceled_at_the_periods_end_it_serves_what_is_paid(club: Club) -> None:
    member = club.join()
    club.cancel(member, at_period_end=True)
    member = club.newest()
    assert (member.status, member.cancels_at, member.access_until) == (S.ACTIVE, member.period_end, member.paid_until)
    club.months(2)
    assert club.status() is S.CANCELED
    assert len(club.charged(member)) == 1
    assert club.events() == ["created", "updated", "canceled"]
    club.check()


def test_an_end_that_was_set_is_lifted_by_resuming(club: Club, shop: CardShop) -> None:
    member = club.join()
    club.cancel(member, at_period_end=True)
    assert field(club.verbs.resume(shop.intent(), member.id), "cancels_at") is None
    club.months(1)
    assert len(club.charged(member)) == 2
    club.check()


def test_what_ended_is_not_paused_and_canceling_again_changes_nothing(club: Club, shop: CardShop) -> None:
    member = club.join()
    club.cancel(member, at_period_end=False)
    assert field(club.cancel(member, at_period_end=False), "status") == "canceled"
    with pytest.raises(ConflictError) as refused:
        club.verbs.pause(shop.intent(), member.id)
    assert refused.value.code is ErrorCode.SUBSCRIPTION_ENDED
    assert club.events() == ["created", "canceled"]


@pytest.mark.parametrize("fault", ["drop_before", "drop_after", "500_before", "500_after"])
def test_a_cancel_without_an_answer_is_known_within_two_sweeps(club: Club, shop: CardShop, fault: str) -> None:
    member = club.join()
    shop.fault(fault, f"POST /v1/subscriptions/{member.reference}")
    shop.fault("drop_before", f"POST /v1/subscriptions/{member.reference}")
    with suppress(UnknownOutcomeError):
        club.cancel(member, at_period_end=True, key="once")
    for _ in range(2):
        shop.clock.advance(PATIENCE + timedelta(seconds=1))
        club.engine.sweep()
    table = schema.operation
    is_mine = (table.c.merchant_id == shop.owner.merchant_id) & table.c.status.in_(OPEN)
    assert shop.db.read(lambda tx: tx.execute(select(table.c.id).where(is_mine)).all()) == []
    assert club.newest().cancels_at is not None
    assert club.events() == ["created", "updated"]


def test_while_a_cancel_is_unknown_no_other_command_is_sent(club: Club, shop: CardShop) -> None:
    member = club.join()
    shop.fault("drop_before", f"POST /v1/subscriptions/{member.reference}", times=2)
    with pytest.raises(UnknownOutcomeError):
        club.cancel(member, at_period_end=True)
    with pytest.raises(ConflictError) as refused:
        club.verbs.pause(shop.intent(), member.id)
    assert refused.value.code is ErrorCode.OUTCOME_UNKNOWN


def test_a_crash_between_the_bill_and_its_charge_is_made_good_by_the_sweep(
    club: Club, shop: CardShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = club.join()
    shop.pass_time(31 * DAY)

    def die(*_: object, **__: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(club.engine.reading, "read", die)
        with pytest.raises(SystemExit):
            club.engine.billing.read_due()
    assert [one.status for one in club.payments(member)] == [PaymentStatus.PAID, PaymentStatus.OPEN]
    club.engine.sweep()
    assert [one.status for one in club.payments(member)] == [PaymentStatus.PAID] * 2
    club.check()


def test_a_renewal_is_refunded_like_any_payment(club: Club, shop: CardShop) -> None:
    member = club.join()
    club.months(1)
    renewal = club.payments(member)[1]
    reply = club.engine.refunds.create(shop.intent(), NewRefund(payment_id=renewal.id, amount="4.00"))
    assert field(reply, "status") == "succeeded"
    club.check()


def test_a_renewal_is_disputed_like_any_payment(club: Club, shop: CardShop) -> None:
    member = club.join()
    club.months(1)
    newest = max(club.charged(member), key=lambda charge: charge["created"])
    shop.control("disputes", charge=newest["id"])
    shop.catch_up()
    first, renewal = club.payments(member)
    assert (first.dispute, renewal.dispute) == (DisputesStatus.NONE, DisputesStatus.OPEN)
    assert shop.posted("dispute:reserve") == 1000
    assert club.status() is S.ACTIVE, "the bank's quarrel is about money; the merchant decides about the service"


def test_a_renewals_session_has_no_page_to_pay_on_but_a_receipt(club: Club, shop: CardShop) -> None:
    member = club.join()
    club.months(1)
    renewal = club.payments(member)[1]
    shown = shop.engine.sessions.retrieve(shop.owner, renewal.session_id)
    assert (shown["status"], shown["subscription"], shown["mode"]) == ("complete", member.id, "subscription")
    page = shop.engine.checkout.page(shown["url"].rsplit("/", 1)[1])
    assert (page.session_status, page.payment_status, page.methods) == (SessionStatus.COMPLETE, PaymentStatus.PAID, ())


def test_what_has_begun_cannot_be_begun_again_on_its_page(club: Club, shop: CardShop) -> None:
    """Pitfall: a duplicate checkout would bill the customer twice."""
    session = club.open(club.plan(trial_days=7))
    shop.pay_at_bank(shop.start(session))
    shop.engine.checkout.returned(session.token)
    with pytest.raises((ConflictError, InvalidRequestError)):
        shop.start(session)
    with pytest.raises(ConflictError):
        shop.engine.checkout.cancel(session.token)
    assert shop.engine.checkout.page(session.token).methods == ()


def test_a_customer_is_known_again_at_the_provider(club: Club, shop: CardShop) -> None:
    reply = club.engine.customers.create(shop.intent(), NewCustomer(email="jo@example.com", name="Jo"))
    customer_id = str(field(reply, "id"))
    plan = club.plan()
    for number in range(2):
        session = club.open(plan, customer_id=customer_id, reference=f"club-{number}")
        shop.pay_at_bank(shop.start(session))
        shop.engine.checkout.returned(session.token)
        club.engine.sweep()
    page = club.verbs.page(shop.owner, PageRequest(), customer_id=customer_id)
    assert len(page.data) == 2
    assert len({one["customer"] for one in shop.bank.newest("subscription", limit=10)}) == 1


def test_a_deleted_customer_is_forgotten_and_the_books_stay(club: Club, shop: CardShop) -> None:
    member = club.join()
    with pytest.raises(ConflictError) as refused:
        club.engine.customers.delete(shop.owner, member.customer_id)
    assert refused.value.code is ErrorCode.CUSTOMER_IN_USE
    club.cancel(member, at_period_end=False)
    balances = shop.balances()
    club.engine.customers.delete(shop.owner, member.customer_id)
    with pytest.raises(NotFoundError):
        club.engine.customers.retrieve(shop.owner, member.customer_id)
    tables = (schema.customer, schema.checkout_session, schema.operation)
    mine = [select(table).where(table.c.merchant_id == shop.owner.merchant_id) for table in tables]
    rows = shop.db.read(lambda tx: [tx.execute(query).mappings().all() for query in mine])
    assert all(rows)
    assert "jo@example.com" not in str(rows)
    assert shop.balances() == balances
    club.check()


def test_nobody_subscribes_to_an_archived_plan(club: Club, shop: CardShop) -> None:
    plan = club.plan()
    club.engine.plans.archive(shop.intent(), plan)
    with pytest.raises(ConflictError) as refused:
        club.engine.plans.offered(shop.owner, plan)
    assert refused.value.code is ErrorCode.PLAN_ARCHIVED
