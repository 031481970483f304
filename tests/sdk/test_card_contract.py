"""The real SDK against the real server that takes cards: holds, captures, refunds, disputes, payouts."""

import itertools
from collections.abc import Iterator
from datetime import timedelta

import pytest

import streampay
from hosted_checkout.app import create_app
from streampay import StreamPay, models
from tests.api.live import serving
from tests.cards.stage import CAPTURED_ONCE, DISPUTED, GOOD, CardShop
from tests.sdk.blocking import KINDS, a_client

_numbers = itertools.count(1)


@pytest.fixture(scope="module", params=KINDS)
def client(request: pytest.FixtureRequest, cards: CardShop) -> Iterator[StreamPay]:
    """Return a client of its gateway, a sync one and then an async one."""
    key = cards.engine.merchants.create_key(cards.owner.merchant_id, livemode=False)
    with serving(create_app(cards.house)) as url, a_client(request.param, key, base_url=url) as found:
        yield found


def paid(client: StreamPay, cards: CardShop, *, number: str = GOOD, capture_method: str = "automatic") -> str:
    """Open a session, pay it by card, come back; return the payment's id."""
    session = client.checkout.sessions.create(
        amount="12.30",
        currency="USD",
        reference=f"order-{next(_numbers)}",
        success_url="http://localhost/thanks",
        capture_method=capture_method,
        customer_country="DE",
    )
    assert (session.capture_method, session.customer_country, session.extra) == (capture_method, "DE", {})
    record = cards.reload(session.url.rpartition("/")[2])
    cards.pay_at_bank(cards.start(record), number)
    cards.engine.checkout.returned(record.token)
    return str(session.payment)


def assert_nothing_unknown(*objects: models.Model) -> None:
    """Fail when the server sent a field that the SDK has no name for."""
    assert [each.extra for each in objects] == [{} for _ in objects]


def test_a_payment_by_card_is_typed_throughout(client: StreamPay, cards: CardShop) -> None:
    payment = client.payments.retrieve(paid(client, cards))
    (charge,), (attempt,) = payment.charges, payment.attempts
    assert charge.instrument is not None
    assert (payment.is_paid, charge.instrument.last4, attempt.stage) == (True, "4242", "complete")
    assert_nothing_unknown(payment, charge, charge.instrument, attempt)


def test_held_money_is_captured_or_let_go(client: StreamPay, cards: CardShop) -> None:
    held = paid(client, cards, capture_method="manual")
    assert client.payments.retrieve(held).amount_capturable == "12.30"
    captured = client.payments.capture(held, amount="10.00")
    assert (captured.amount_received, captured.amount_capturable) == ("10.00", "0.00")
    with pytest.raises(streampay.Conflict) as caught:
        client.payments.capture(held)
    assert caught.value.code == "nothing_held"
    assert client.payments.cancel(paid(client, cards, capture_method="manual")).status == "canceled"


def test_a_hold_is_captured_in_parts(client: StreamPay, cards: CardShop) -> None:
    held = paid(client, cards, capture_method="manual")
    part = client.payments.capture(held, amount="2.30", final_capture=False)
    assert (part.status, part.amount_received, part.amount_capturable) == ("authorized", "2.30", "10.00")
    assert client.payments.cancel(held).status == "paid"


def test_payouts_and_what_they_consist_of(client: StreamPay, cards: CardShop) -> None:
    payment = paid(client, cards)
    cards.pass_time(timedelta(days=3))
    cards.engine.payouts.settle()
    payout = next(iter(client.payouts.list(limit=1)))
    assert client.payouts.retrieve(payout.id) == payout
    assert payout.settled_at is not None
    report = client.payouts.settlement(payout.id)
    (line,) = [one for one in report.lines if one.payment == payment]
    assert (line.amount, line.fee, line.net) == ("12.30", "0.66", "11.64")
    assert (report.payout, report.gap, report.line_count) == (payout, "0.00", len(report.lines))
    assert sum(one.count for one in report.totals) == report.line_count
    assert_nothing_unknown(payout, report, report.payout, *report.lines, *report.totals)
    (event,) = client.events.list(types=["payout.settled"], limit=1).page
    assert event.data.object == payout
    with pytest.raises(streampay.NotFound):
        client.payouts.settlement("po_01jzzzzzzzzzzzzzzzzzzzzzzz")


def test_a_decline_says_why(client: StreamPay, cards: CardShop) -> None:
    held = paid(client, cards, number=CAPTURED_ONCE, capture_method="manual")
    with pytest.raises(streampay.PaymentDeclined) as caught:
        client.payments.capture(held, amount="1.00", final_capture=False)
    assert (caught.value.code, caught.value.decline_code) == ("provider_declined", "request_refused")


def test_money_goes_back(client: StreamPay, cards: CardShop) -> None:
    payment = paid(client, cards)
    refund = client.refunds.create(
        payment=payment, amount="2.30", currency="USD", reason="duplicate", metadata={"ticket": "7"}
    )
    assert (refund.status, refund.amount, refund.metadata) == ("succeeded", "2.30", {"ticket": "7"})
    assert client.refunds.retrieve(refund.id) == refund
    assert list(client.refunds.list(payment=payment)) == [refund]
    assert client.payments.retrieve(payment).amount_refunded == "2.30"
    with pytest.raises(streampay.InvalidRequest) as too_large:
        client.refunds.create(payment=payment, amount="10.01")
    assert (too_large.value.code, too_large.value.param) == ("amount_too_large", "/amount")
    with pytest.raises(streampay.Conflict) as done:
        client.refunds.cancel(refund.id)
    assert done.value.code == "refund_not_cancelable"
    assert_nothing_unknown(refund)


def test_disputes_and_events_are_typed(client: StreamPay, cards: CardShop) -> None:
    payment = paid(client, cards, number=DISPUTED)
    cards.catch_up()
    (dispute,) = client.disputes.list(payment=payment)
    assert client.disputes.retrieve(dispute.id) == dispute
    kinds = {type(each.data.object) for each in client.events.list(types=["refund.created", "dispute.opened"])}
    assert kinds == {models.Refund, models.Dispute}
    assert_nothing_unknown(dispute)


def test_the_card_has_no_currency_of_its_own(client: StreamPay) -> None:
    (card,) = client.methods.list()
    assert (card.id, card.currency, card.available) == ("card", None, True)


def test_a_customer_subscribes_to_a_plan_and_every_object_is_known(client: StreamPay, cards: CardShop) -> None:
    plan = client.plans.create(name="Tea club", amount="10.00", currency="USD", interval="month", metadata={"tea": "1"})
    customer = client.customers.create(email="jo@example.com", name="Jo")
    session = client.checkout.sessions.create(
        plan=plan.id, customer=customer.id, reference="member-7", success_url="http://localhost/welcome"
    )
    assert (session.mode, session.plan, session.amount) == ("subscription", plan.id, "10.00")
    record = cards.reload(session.url.rpartition("/")[2])
    cards.pay_at_bank(cards.start(record))
    cards.engine.checkout.returned(record.token)
    cards.engine.sweep()
    (member,) = client.subscriptions.list(customer=customer.id, plan=plan.id, status="active")
    assert client.subscriptions.retrieve(member.id) == member
    assert client.checkout.sessions.retrieve(session.id).subscription == member.id
    assert member.access_until is not None
    portal = client.customers.create_portal_session(customer.id, return_url="http://localhost/club")
    assert_nothing_unknown(plan, customer, session, member, *member.periods, portal)
    assert client.subscriptions.pause(member.id).status == "paused"
    assert client.subscriptions.resume(member.id).status == "active"
    with pytest.raises(streampay.Conflict):
        client.customers.delete(customer.id)
    assert client.subscriptions.cancel(member.id).cancels_at == member.period_end
    assert client.subscriptions.cancel(member.id, at_period_end=False).status == "canceled"
    told = [event for event in client.events.list() if isinstance(event.data.object, models.Subscription)]
    assert {event.type.partition(".")[0] for event in told} == {"subscription"}


def test_plans_and_customers_are_listed_changed_and_put_away(client: StreamPay) -> None:
    plan = client.plans.create(name="Tea", amount="1.00", currency="EUR", interval="week", trial_days=7, grace_days=0)
    assert client.plans.retrieve(plan.id) == plan
    assert plan.id in {one.id for one in client.plans.list(is_active=True)}
    assert client.plans.archive(plan.id).is_active is False
    assert plan.id not in {one.id for one in client.plans.list(is_active=True)}
    customer = client.customers.create(email="ida@example.com")
    assert client.customers.update(customer.id, name="Ida", metadata={"shoe": "41"}).name == "Ida"
    assert [one.id for one in client.customers.list(email="ida@example.com")] == [customer.id]
    assert client.customers.delete(customer.id).deleted is True
    with pytest.raises(streampay.NotFound):
        client.customers.retrieve(customer.id)


def test_a_card_is_saved_without_a_price(client: StreamPay, cards: CardShop) -> None:
    session = client.checkout.sessions.create(
        mode="setup", currency="EUR", reference="member-7", success_url="http://localhost/thanks"
    )
    record = cards.reload(session.url.rpartition("/")[2])
    cards.pay_at_bank(cards.start(record))
    cards.engine.checkout.returned(record.token)
    found = client.checkout.sessions.retrieve(session.id)
    assert (found.status, found.payment, found.payment_status, found.is_paid) == (
        "complete", None, "no_payment_required", False,
    )  # fmt: skip
    assert found.saved_method is not None
    assert (found.saved_method.instrument.brand, found.saved_method.instrument.last4) == ("visa", "4242")
    assert found.customer is not None
    assert client.customers.retrieve(found.customer).id == found.customer
