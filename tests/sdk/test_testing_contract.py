"""The fake gateway against the real one: the same life, told by both, word for word except ids and times."""

from functools import partial
from typing import Any

import pytest

import streampay
from hosted_checkout.api.limits import Limit, Limits
from streampay import StreamPay
from streampay.testing import FakeStreamPay
from tests.api.conftest import an_app
from tests.api.live import serving
from tests.cards.stage import CardShop
from tests.sdk.worlds import Life, Real, Teller, assert_told_alike


def a_purchase(teller: Teller) -> None:
    session = teller.open(
        "bought", line_items=[{"name": "Shirt", "amount": "12.3"}], metadata={"cart": "7"}, locale="de-AT"
    )
    teller.payment(session)
    teller.world.pay(session)
    teller.payment(session)
    teller.ask(lambda: teller.client.checkout.sessions.expire(session.id))
    teller.open("bought")
    teller.events("bought")


def one_order_is_opened_once(teller: Teller) -> None:
    first = teller.open("once", idempotency_key="k-1")
    teller.open("once", idempotency_key="k-1")
    teller.open("once")
    teller.open("once", amount="12.31")
    teller.ask(lambda: teller.open("twice", idempotency_key="k-1"))
    teller.ask(lambda: teller.client.checkout.sessions.expire(first.id, idempotency_key="k-1"))
    teller.payment(first)
    teller.ask(lambda: teller.client.checkout.sessions.expire(first.id))
    teller.open("once")
    for page in (
        teller.client.checkout.sessions.list(reference="once"),
        teller.client.payments.list(reference="once", limit=1),
    ):
        teller.lines.append([(each.status, teller.plain(each.id)) for each in page])
    teller.events("once")


def a_declined_card_may_try_again(teller: Teller) -> None:
    session = teller.open("declined")
    teller.world.decline(session)
    teller.payment(session)
    teller.world.pay(session)
    teller.payment(session)
    other = teller.open("declined-2")
    teller.world.decline(other)
    teller.ask(lambda: teller.client.checkout.sessions.expire(other.id))
    teller.payment(other)
    teller.events("declined", "declined-2")


def holds(teller: Teller) -> None:
    payments = teller.client.payments
    whole, part, gone = (teller.open(f"held-{number}", capture_method="manual") for number in range(3))
    teller.ask(lambda: payments.capture(str(whole.payment)))
    for session in (whole, part, gone):
        teller.world.pay(session)
        teller.payment(session)
    teller.ask(lambda: payments.capture(str(whole.payment), amount="12.31"))
    teller.ask(lambda: payments.capture(str(whole.payment), amount="1.234"))
    teller.ask(lambda: payments.capture(str(whole.payment), amount="10.00", idempotency_key="c-1"))
    teller.ask(lambda: payments.capture(str(whole.payment), amount="10.00", idempotency_key="c-1"))
    teller.ask(lambda: payments.capture(str(whole.payment)))
    teller.ask(lambda: payments.capture(str(part.payment), amount="2.00", final_capture=False))
    teller.ask(lambda: payments.cancel(str(part.payment)))
    teller.ask(lambda: payments.cancel(str(gone.payment)))
    for session in (whole, part, gone):
        teller.payment(session)
    teller.events("held-0", "held-1", "held-2")


def refunds(teller: Teller) -> None:
    session, refunds = teller.open("refunded"), teller.client.refunds
    payment = str(session.payment)
    teller.ask(lambda: refunds.create(payment=payment))
    teller.world.pay(session)
    teller.ask(lambda: refunds.create(payment=payment, amount="12.31"))
    teller.ask(lambda: refunds.create(payment=payment, amount="1.00", currency="EUR"))
    teller.ask(lambda: refunds.create(payment=payment, amount="1.001", currency="USD"))
    teller.ask(lambda: refunds.create(payment=payment, amount="1.001"))
    teller.ask(lambda: refunds.create(payment=payment, destination="abc"))
    teller.ask(lambda: refunds.create(payment=payment, source="ch_01jd4k00000000000000000000"))
    teller.ask(lambda: refunds.create(payment=payment, reason="because"))
    teller.ask(lambda: refunds.create(payment="pay_01jd4k00000000000000000000"))
    teller.ask(
        lambda: refunds.create(
            payment=payment, amount="2.30", reason="duplicate", metadata={"t": "7"}, idempotency_key="r-1"
        )
    )
    teller.ask(
        lambda: refunds.create(
            payment=payment, amount="2.30", reason="duplicate", metadata={"t": "7"}, idempotency_key="r-1"
        )
    )
    teller.payment(session)
    teller.world.refund_elsewhere(session, "5.00")
    found = list(refunds.list(payment=payment))
    teller.lines += [teller.plain(each.to_dict()) for each in found]
    teller.ask(lambda: refunds.cancel(found[0].id))
    teller.ask(lambda: refunds.create(payment=payment))
    teller.ask(lambda: refunds.create(payment=payment))
    teller.events("refunded")


def refunds_that_wait(teller: Teller) -> None:
    session = teller.open("waits")
    teller.world.pay(session, refunds_wait=True)
    teller.ask(lambda: teller.client.refunds.create(payment=str(session.payment), amount="2.00"))
    teller.ask(lambda: teller.client.refunds.create(payment=str(session.payment), amount="10.31"))
    teller.payment(session)
    teller.events("waits")


def time_runs_out(teller: Teller) -> None:
    session = teller.open("late", expires_in=300)
    teller.world.run_out(session)
    teller.payment(session)
    teller.ask(lambda: teller.client.checkout.sessions.expire(session.id))
    teller.open("late", expires_in=300)
    teller.events("late")


def wrong_requests(teller: Teller) -> None:
    wrongs: list[dict[str, Any]] = [
        {"amount": "0"}, {"amount": "1.234"}, {"amount": "-1"}, {"amount": "1e3"}, {"currency": "usd"},
        {"reference": ""}, {"reference": "x" * 121}, {"reference": "a\nb"}, {"success_url": "ftp://x"},
        {"success_url": "/thanks"}, {"expires_in": 299}, {"customer_email": "nobody"}, {"customer_country": "de"},
        {"locale": "fr"}, {"methods": ["cash"]}, {"methods": []}, {"metadata": {"k": "x" * 501}},
        {"metadata": {"": "x"}}, {"capture_method": "later"}, {"customer": "cus_1"},
        {"customer": "cus_01jd4k00000000000000000000"}, {"methods": ["card"]},
        {"line_items": [{"name": "A", "amount": "1.00"}]}, {"line_items": [{"name": "A", "amount": "x"}]},
        {"line_items": [{"name": "A", "amount": "12.305"}]}, {"line_items": [{"amount": "12.30"}]},
        {"line_items": [{"name": "A", "amount": "12.30", "price": "1"}]}, {"currency": "JPY"},
        {"amount": "0.001", "expires_in": 1, "locale": "fr"}, {"currency": "JPY", "amount": "1000"},
    ]  # fmt: skip
    for number, over in enumerate(wrongs):
        teller.ask(partial(teller.open, **{"reference": f"wrong-{number}", **over}))
    raw = teller.client.request
    for method, path, body in (
        ("POST", "/v1/checkout/sessions", {"reference": "x", "colour": "red"}),
        ("POST", "/v1/refunds", {"payment": "nope"}),
        ("GET", "/v1/payments/nope", None),
        ("GET", "/v1/payments/pay_01jd4k00000000000000000000", None),
    ):
        teller.ask(partial(raw, method, path, json=body))  # type: ignore[arg-type]  # all of them are refused
    for query in ({"limit": 0}, {"limit": 101}, {"status": "done"}, {"colour": "red"}, {"starting_after": "pay_x"}):
        teller.ask(partial(raw, "GET", "/v1/payments", params=query))  # type: ignore[arg-type]  # as above
    for query in ({"types": "nonsense"}, {"after": "evt_01jd4k00000000000000000000"}, {"after": "x"}):
        teller.ask(partial(raw, "GET", "/v1/events", params=query))  # type: ignore[arg-type]  # as above


def disputes(teller: Teller) -> None:
    session = teller.open("contested")
    teller.world.dispute(session)
    (dispute,) = teller.client.disputes.list(payment=str(session.payment))
    teller.note(dispute)
    teller.ask(lambda: teller.client.refunds.create(payment=str(session.payment)))


def people(teller: Teller) -> None:
    customers = teller.client.customers
    made = customers.create(email="ada@example.com", name="Ada", metadata={"shoe": "41"})
    teller.note(made)
    teller.ask(lambda: customers.update(made.id, name="Ada L.", metadata={}))
    teller.ask(lambda: customers.update(made.id, name=None))
    teller.lines.append([teller.plain(each.id) for each in customers.list(email="ada@example.com")])
    session = teller.open("hers", customer=made.id)
    assert session.customer_email == "ada@example.com"
    teller.ask(lambda: customers.create(email="x"))
    teller.ask(lambda: customers.delete(made.id))
    teller.ask(lambda: customers.retrieve(made.id))


def endpoints(teller: Teller) -> None:
    made = teller.client.webhook_endpoints.create(
        url="https://hooks.example/in", enabled_events=["ping"], description="Shop"
    )
    teller.note(made)
    for over in (
        {"description": ""},
        {"enabled_events": ["*"]},
        {"status": "disabled"},
        {"url": "http://10.0.0.1/"},
        {"status": "off"},
    ):
        teller.ask(partial(teller.client.webhook_endpoints.update, made.id, **over))
    teller.ask(lambda: teller.client.webhook_endpoints.test(made.id))
    teller.ask(lambda: teller.client.webhook_endpoints.update(made.id, status="enabled"))
    ping = teller.client.webhook_endpoints.test(made.id)
    teller.note(ping)
    teller.ask(lambda: teller.client.webhook_endpoints.resend(made.id, event=ping.id))
    teller.ask(lambda: teller.client.webhook_endpoints.create(url="https://127.0.0.1/"))
    teller.ask(lambda: teller.client.webhook_endpoints.create(url="hooks"))
    teller.ask(lambda: teller.client.webhook_endpoints.rotate_secret(made.id, grace_s=0))
    teller.ask(lambda: teller.client.webhook_endpoints.delete(made.id))
    teller.ask(lambda: teller.client.webhook_endpoints.retrieve(made.id))


LIVES: tuple[Life, ...] = (
    a_purchase,
    one_order_is_opened_once,
    a_declined_card_may_try_again,
    holds,
    refunds,
    refunds_that_wait,
    wrong_requests,
    disputes,
    people,
    endpoints,
    time_runs_out,
)


@pytest.mark.parametrize("life", LIVES, ids=lambda life: life.__name__)
def test_the_fake_answers_as_the_gateway_does(real: Real, life: Life) -> None:
    assert_told_alike(real, life)


def test_the_fake_lets_as_many_requests_through(cards: CardShop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both clocks stand still, so that no bucket fills while this runs."""
    monkeypatch.setattr("streampay.testing._limits.monotonic", lambda: 0.0)
    key = cards.engine.merchants.create_key(cards.owner.merchant_id, livemode=False)
    app = an_app(cards, Limits(test=Limit(quota=3, window_s=60)))
    fake = FakeStreamPay(api_key=key, requests_per_minute=3)
    with (
        serving(app) as url,
        StreamPay(key, base_url=url) as real,
        StreamPay(key, base_url=url, transport=fake) as mine,
    ):
        told, found = limited(real), limited(mine)
        assert found == told
        assert told[-1] == ("rate_limited", 429, 20.0, True)
        strangers = [one.with_options(api_key="sk_test_a_stranger_1") for one in (real, mine)]
        assert limited(strangers[1]) == limited(strangers[0])


def limited(client: StreamPay) -> list[Any]:
    """Return what is said of the limits, request by request."""
    said = list[Any]()
    for path in ("/v1/account", "/v1/payments/nope", "/v1/payments", "/v1/account"):
        try:
            answer = client.with_options(max_retries=0).request("GET", path)
            said.append([value for name, value in sorted(answer.headers.items()) if name.startswith("ratelimit")])
        except streampay.ApiError as error:
            said.append((error.code, error.status, error.retry_after_s, error.retryable))
    return said
