"""Plans, subscriptions, saved cards and payouts in the fake gateway and in the real one."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Any

import pytest

from gateway.storage.database import open_database
from gateway.storage.migrate import upgrade
from hosted_checkout.app import create_app
from sandbox.test_bank import billing_dates
from streampay import ConfigurationError, StreamPay, models
from streampay.testing import FakeStreamPay
from streampay.testing._members import _moved
from tests.api.live import serving
from tests.cards.stage import a_bank, a_card_shop
from tests.sdk.worlds import Life, Played, Real, Teller, assert_told_alike

WEEK = 7.2  # days: a bill is collected an hour after its period began


def a_member(teller: Teller, subscription_id: str) -> models.Subscription:
    """Note a subscription with the lengths of its periods, which masked times hide."""
    found = teller.client.subscriptions.retrieve(subscription_id)
    teller.note(found)
    lengths = [min(28, (one.ends_at - one.starts_at).days) for one in found.periods]  # months differ, and so do dates
    teller.lines.append((lengths, [one.payment is not None for one in found.periods]))
    return found


def the_newest(teller: Teller) -> models.Subscription:
    (found,) = teller.client.subscriptions.list(limit=1).page
    return a_member(teller, found.id)


def a_club(teller: Teller) -> None:
    plan = teller.client.plans.create(
        name="Tea club", amount="10", currency="USD", interval="week", metadata={"box": "3"}, idempotency_key="plan-1"
    )
    teller.note(plan)
    terms = {"plan": plan.id, "mode": "subscription"}
    session = teller.begin("club", **terms, customer_email="jo@example.com", metadata={"m": "7"})
    teller.begin("club", **terms)
    teller.world.decline(session)
    teller.payment(session)
    teller.world.subscribe(session)
    teller.payment(session)
    member = the_newest(teller)
    for steps in ((WEEK,), (WEEK,), (2 * WEEK,)):
        teller.world.pass_days(*steps)
        member = a_member(teller, member.id)
    for payment in list(teller.client.payments.list(reference="club"))[:-1]:  # the first is read again meanwhile
        teller.note(payment)
        teller.ask(partial(teller.client.checkout.sessions.retrieve, str(payment.session)))
    teller.ask(lambda: teller.client.refunds.create(payment=str(member.periods[0].payment), amount="4.00"))
    teller.ask(lambda: teller.client.customers.delete(member.customer))
    teller.ask(lambda: teller.client.customers.retrieve(member.customer))
    teller.ask(lambda: teller.client.customers.create_portal_session(member.customer, return_url="http://localhost/"))
    teller.ask(lambda: teller.client.customers.create_portal_session(member.customer, return_url="ftp://x"))
    teller.events("club")


def pauses_and_ends(teller: Teller) -> None:
    verbs = teller.client.subscriptions
    plan = teller.client.plans.create(name="Coffee", amount="5.00", currency="EUR", interval="week", grace_days=0)
    who = teller.client.customers.create(email="eva@example.com", name="Eva")
    session = teller.begin("coffee", plan=plan.id, mode="subscription", customer=who.id)
    teller.world.subscribe(session)
    member = the_newest(teller)
    teller.ask(lambda: verbs.resume(member.id))
    teller.ask(lambda: verbs.pause(member.id, idempotency_key="pause-1"))
    teller.ask(lambda: verbs.pause(member.id, idempotency_key="pause-1"))
    teller.ask(lambda: verbs.pause(member.id))
    teller.world.pass_days(WEEK, WEEK)
    a_member(teller, member.id)
    teller.ask(lambda: verbs.resume(member.id))
    teller.world.pass_days(WEEK)
    a_member(teller, member.id)
    teller.ask(lambda: verbs.cancel(member.id))
    teller.ask(lambda: verbs.cancel(member.id))
    teller.ask(lambda: verbs.resume(member.id))
    teller.ask(lambda: verbs.cancel(member.id, at_period_end=True))
    teller.world.pass_days(WEEK)
    a_member(teller, member.id)
    teller.ask(lambda: verbs.cancel(member.id, at_period_end=False))
    teller.ask(lambda: verbs.pause(member.id))
    teller.ask(lambda: verbs.resume(member.id))
    second = teller.begin("coffee", plan=plan.id, mode="subscription", customer=who.id)
    teller.world.subscribe(second)
    other = the_newest(teller)
    teller.ask(lambda: verbs.cancel(other.id, at_period_end=False))
    for found in (
        verbs.list(customer=who.id),
        verbs.list(plan=plan.id, status="canceled"),
        verbs.list(plan=plan.id, status="active"),
    ):
        teller.lines.append([teller.plain(one.id) for one in found])
    teller.ask(lambda: teller.client.customers.delete(who.id))
    teller.payment(second)
    a_member(teller, other.id)
    teller.events("coffee")


def trials(teller: Teller) -> None:
    plan = teller.client.plans.create(name="Yoga", amount="20.00", currency="USD", interval="month", trial_days=14)
    session = teller.begin("yoga", plan=plan.id, mode="subscription")
    teller.world.subscribe(session)
    teller.payment(session)
    member = the_newest(teller)
    teller.world.pass_days(12)
    a_member(teller, member.id)
    teller.world.pass_days(2.2)
    a_member(teller, member.id)
    teller.payment(session)
    quitter = teller.begin("yoga-2", plan=plan.id, mode="subscription")
    teller.world.subscribe(quitter)
    gone = the_newest(teller)
    teller.ask(lambda: teller.client.subscriptions.cancel(gone.id))
    teller.world.pass_days(15)
    a_member(teller, gone.id)
    teller.payment(quitter)
    year = teller.client.plans.create(name="Yoga", amount="200.00", currency="USD", interval="year")
    teller.world.subscribe(teller.begin("yoga-3", plan=year.id, mode="subscription"))
    the_newest(teller)
    teller.events("yoga", "yoga-2", "yoga-3")


def a_card_that_fails_later(teller: Teller) -> None:
    plan = teller.client.plans.create(
        name="Milk", amount="3.00", currency="USD", interval="week", trial_days=7, grace_days=5
    )
    session = teller.begin("milk", plan=plan.id, mode="subscription")
    teller.world.subscribe(session, fails_later=True)
    member = the_newest(teller)
    teller.world.pass_days(5, 2.2)
    a_member(teller, member.id)
    teller.payment(session)
    teller.world.mend_card(member)
    teller.world.pass_days(3.2)
    a_member(teller, member.id)
    teller.payment(session)
    teller.events("milk")


def a_card_that_is_never_mended(teller: Teller) -> None:
    plan = teller.client.plans.create(name="Eggs", amount="3.00", currency="USD", interval="week", trial_days=7)
    lost = teller.begin("eggs", plan=plan.id, mode="subscription")
    teller.world.subscribe(lost, fails_later=True)
    member = the_newest(teller)
    teller.world.pass_days(7.2, 3.2, 5.2, 7.2)
    a_member(teller, member.id)
    teller.payment(lost)
    teller.events("eggs")


def saved_cards(teller: Teller) -> None:
    session = teller.begin("saved", mode="setup", currency="EUR", customer_email="ada@example.com")
    teller.begin("saved", mode="setup", currency="EUR")
    teller.world.save_card(session)
    found = teller.client.checkout.sessions.retrieve(session.id)
    teller.note(found)
    teller.ask(lambda: teller.client.checkout.sessions.expire(session.id))
    teller.ask(lambda: teller.client.customers.retrieve(str(found.customer)))
    again = teller.begin("saved", mode="setup", currency="EUR", customer=found.customer)
    teller.world.save_card(again)
    teller.ask(lambda: teller.client.checkout.sessions.retrieve(again.id))
    teller.ask(lambda: teller.client.customers.delete(str(found.customer)))
    teller.ask(lambda: teller.client.checkout.sessions.retrieve(session.id))
    over = teller.begin("unsaved", mode="setup", currency="JPY")
    teller.ask(lambda: teller.client.checkout.sessions.expire(over.id))
    teller.world.run_out(teller.begin("forgotten", mode="setup", currency="USD"))
    teller.lines.append([one.status for one in teller.client.checkout.sessions.list(reference="forgotten")])
    teller.lines.append([one.id for one in teller.client.payments.list(reference="saved")])
    teller.events("saved", "unsaved", "forgotten")


def wrong_plans_and_modes(teller: Teller) -> None:
    plans = teller.client.plans
    terms: dict[str, Any] = {"name": "Tea", "amount": "1.00", "currency": "USD", "interval": "day"}
    for over in (
        {"name": ""}, {"name": "x" * 121}, {"amount": "0"}, {"amount": "1.001"}, {"currency": "XXX"},
        {"interval": "hour"}, {"interval_count": 0}, {"interval": "year", "interval_count": 4}, {"trial_days": 731},
        {"interval_count": 1096}, {"interval": "fortnight", "interval_count": 1000}, {"grace_days": 61},
        {"metadata": {"": "x"}}, {"interval": "week", "interval_count": 156}, {"amount": "x", "trial_days": -1},
    ):  # fmt: skip
        teller.ask(partial(plans.create, **terms | over))
    plan, raw = plans.create(**terms), teller.client.request
    for body in (
        {"plan": plan.id}, {"mode": "subscription"}, {"mode": "subscription", "plan": plan.id, "amount": "1.00"},
        {"mode": "subscription", "plan": plan.id, "currency": "USD"}, {"mode": "setup"}, {"mode": "gift"},
        {"mode": "setup", "currency": "EUR", "amount": "1.00"}, {"mode": "setup", "currency": "EUR", "plan": plan.id},
        {"mode": "setup", "currency": "EUR", "capture_method": "manual"}, {"mode": "payment", "currency": "EUR"},
        {"mode": "subscription", "plan": plan.id, "line_items": [{"name": "A", "amount": "1.00"}]},
        {"mode": "subscription", "plan": plan.id, "customer": "cus_01jd4k00000000000000000000"},
        {"mode": "subscription", "plan": "plan_01jd4k00000000000000000000"}, {"mode": "subscription", "plan": "tea"},
    ):  # fmt: skip
        wanted = {"reference": "wrong-mode", "success_url": "http://localhost/", **body}
        teller.ask(partial(raw, "POST", "/v1/checkout/sessions", json=wanted))  # type: ignore[arg-type]  # all of them are refused
    teller.ask(lambda: plans.archive(plan.id))
    teller.ask(lambda: plans.archive(plan.id))
    teller.ask(lambda: teller.begin("wrong-mode", mode="subscription", plan=plan.id))
    teller.ask(lambda: plans.retrieve("plan_01jd4k00000000000000000000"))
    for is_active in (True, False, None):
        found = [teller.plain(one.id) for one in plans.list(is_active=is_active, limit=3).page]
        teller.lines.append(found[:1] if is_active is not True else [])
    for path, query in (
        ("/v1/plans", {"is_active": "maybe"}), ("/v1/subscriptions", {"status": "gone"}),
        ("/v1/subscriptions", {"plan": "tea"}), ("/v1/subscriptions/sub_01jd4k00000000000000000000", {}),
        ("/v1/payouts", {"status": "paid"}), ("/v1/payouts/po_01jd4k00000000000000000000/settlement", {}),
    ):  # fmt: skip
        teller.ask(partial(raw, "GET", path, params=query))  # type: ignore[arg-type]  # all of them are refused


LIVES: tuple[Life, ...] = (
    a_club,
    pauses_and_ends,
    trials,
    a_card_that_fails_later,
    a_card_that_is_never_mended,
    saved_cards,
    wrong_plans_and_modes,
)


@pytest.mark.parametrize("life", LIVES, ids=lambda life: life.__name__)
def test_the_fake_keeps_members_as_the_gateway_does(real: Real, life: Life) -> None:
    assert_told_alike(real, life)


def payouts(teller: Teller) -> None:
    assert list(teller.client.payouts.list()) == []
    sold, part, contested = (teller.open(name, amount=amount) for name, amount in BASKETS)
    teller.world.pay(sold)
    teller.world.pay(part)
    teller.ask(lambda: teller.client.refunds.create(payment=str(part.payment), amount="5.00"))
    teller.world.dispute(contested)
    teller.world.pay_out()
    a_settlement(teller)
    teller.world.pay(teller.open("in yen", amount="1000", currency="JPY"))
    teller.world.pay(teller.open("later", amount="12.30"))
    teller.world.pay_out()
    for payout in sorted(teller.client.payouts.list(limit=2), key=lambda one: one.amount):
        teller.note(payout)
    for event in teller.client.events.list(types=["payout.settled"]):
        teller.lines.append((event.type, event.sequence, event.data.previous))


BASKETS = (("sold", "100.00"), ("part", "20.00"), ("contested", "50.00"))


def a_settlement(teller: Teller) -> None:
    """Note a payout's report; lines of one moment come in any order."""
    (payout,) = teller.client.payouts.list().page
    report = teller.client.payouts.settlement(payout.id)
    teller.note(teller.client.payouts.retrieve(payout.id))
    lines = sorted((one.type, one.amount, one.fee, one.net, teller.plain(one.payment)) for one in report.lines)
    told = {name: value for name, value in report.to_dict().items() if name != "lines"}
    teller.lines.append((teller.plain(told), lines))


def test_the_fake_pays_out_as_the_gateways_bank_does(create_database: Callable[[str], str]) -> None:
    """In a world of its own: a payout sends everything that the bank has."""
    told, played = in_a_world_of_its_own(create_database("sqlite"), payouts), Teller(Played())
    payouts(played)
    assert played.lines == told.lines


def in_a_world_of_its_own(url: str, life: Life) -> Teller:
    database = open_database(url)
    upgrade(database)
    database.close()
    with a_bank() as bank, a_card_shop(url, bank) as shop:
        key = shop.engine.merchants.create_key(shop.owner.merchant_id, livemode=False)
        with serving(create_app(shop.house)) as base_url, StreamPay(key, base_url=base_url) as client:
            teller = Teller(Real(shop, client))
            life(teller)
            return teller


# --- what only the fake can do ---------------------------------------------------------------------------------------


@pytest.fixture
def fake() -> FakeStreamPay:
    return FakeStreamPay()


@pytest.fixture
def client(fake: FakeStreamPay) -> StreamPay:
    return StreamPay("sk_test_fake_tests", base_url="http://fake.example", transport=fake)


def joined(client: StreamPay, fake: FakeStreamPay, **terms: Any) -> models.Subscription:
    plan = client.plans.create(**{"name": "Tea", "amount": "1.00", "currency": "USD", "interval": "month"} | terms)
    session = client.checkout.sessions.create(plan=plan.id, reference="tea", success_url="http://localhost/")
    return fake.subscribe(session)


@pytest.mark.parametrize("interval", ["day", "week", "month", "year"])
@pytest.mark.parametrize("day", [date(2027, 1, 31), date(2027, 11, 30), date(2028, 2, 29), date(2026, 12, 1)])
def test_periods_are_counted_as_the_bank_counts_them(interval: str, day: date) -> None:
    anchor = datetime(day.year, day.month, day.day, 9, 30, tzinfo=UTC)
    for count in (1, 5):
        recurring = {"interval": interval, "interval_count": count}
        for periods in range(30):
            theirs = billing_dates.moved(int(anchor.timestamp()), recurring, periods)
            assert _moved(anchor, recurring, periods).timestamp() == theirs


def test_a_year_in_one_step_is_billed_month_by_month_and_told_once(client: StreamPay, fake: FakeStreamPay) -> None:
    member = joined(client, fake)
    fake.advance(366 * 86_400)
    found = client.subscriptions.retrieve(member.id)
    assert len(list(client.payments.list(reference="tea"))) == 13
    assert len(found.periods) == 12, "the newest are shown"
    assert all(after.ends_at == before.starts_at for before, after in pairwise(found.periods))
    assert [one.event.type for one in fake.events].count("subscription.renewed") == 1
    assert found.access_until == found.periods[0].ends_at + timedelta(days=3)


def test_a_bill_stands_open_for_an_hour_before_it_is_charged(client: StreamPay, fake: FakeStreamPay) -> None:
    member = joined(client, fake, interval="day")
    fake.advance(86_400)
    (period, _) = client.subscriptions.retrieve(member.id).periods
    assert (period.status, period.payment, client.subscriptions.retrieve(member.id).status) == ("open", None, "active")
    fake.advance(3_600)
    assert client.subscriptions.retrieve(member.id).periods[0].status == "paid"


def test_pages_do_what_they_were_opened_for_and_only_once(client: StreamPay, fake: FakeStreamPay) -> None:
    order = client.checkout.sessions.create(
        amount="1.00", currency="USD", reference="o", success_url="http://localhost/"
    )
    setup = client.checkout.sessions.create(
        mode="setup", currency="USD", reference="s", success_url="http://localhost/"
    )
    joined(client, fake)
    (begun,) = client.checkout.sessions.list(reference="tea")
    assert fake.save_card(setup).status == "complete"
    for wrong in (
        lambda: fake.subscribe(order),
        lambda: fake.save_card(order),
        lambda: fake.save_card(setup),
        lambda: fake.subscribe(begun),
        lambda: fake.pay(setup),
        lambda: fake.pay(begun),
        lambda: fake.break_card("sub_unknown"),
    ):
        with pytest.raises(ConfigurationError):
            wrong()
    plan = client.plans.create(name="Tea", amount="1.00", currency="USD", interval="month")
    other = client.checkout.sessions.create(plan=plan.id, reference="t-2", success_url="http://localhost/")
    with pytest.raises(ConfigurationError, match="subscribe"):
        fake.pay(other)
    assert fake.decline(other).status == "open"
    assert fake.expire(other).status == "expired"


def test_what_comes_back_is_paid_out_and_what_a_chain_brought_is_not(client: StreamPay, fake: FakeStreamPay) -> None:
    assert fake.pay_out() == ()
    sold, contested, by_wallet = (
        client.checkout.sessions.create(
            amount="100.00", currency="USD", reference=name, success_url="http://localhost/"
        )
        for name in ("sold", "contested", "by wallet")
    )
    payment = fake.pay(sold)
    refund = client.refunds.create(payment=payment.id, amount="40.00")
    dispute = fake.dispute(fake.pay(contested))
    fake.underpay(by_wallet, "100.00")
    (first,) = fake.pay_out()
    assert (first.amount, first.currency, fake.pay_out()) == ("38.60", "USD", ())
    fake.settle_refund(refund, "failed")
    fake.close_dispute(dispute, is_won=True)
    (second,) = fake.pay_out()
    report = client.payouts.settlement(second.id)
    assert [(one.type, one.amount, one.fee) for one in report.totals] == [
        ("adjustment", "100.00", "0.00"),
        ("refund_failure", "40.00", "0.00"),
    ]
    assert (second.amount, report.gap, report.line_count) == ("140.00", "0.00", 2)


def test_a_client_that_is_told_to_wait_waits_as_long(monkeypatch: pytest.MonkeyPatch) -> None:
    moment = [0.0]
    monkeypatch.setattr("streampay.testing._limits.monotonic", lambda: moment[0])
    client = StreamPay(
        "sk_test_fake_tests", base_url="http://fake.example", transport=FakeStreamPay(requests_per_minute=3)
    )
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        moment[0] += seconds

    client._api.sleep = sleep
    for _ in range(4):
        client.account.retrieve()
    assert [round(seconds) for seconds in slept] == [20]
