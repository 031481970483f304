"""What only the fake can do: verbs of time and banks, faults, storms of threads, and delivery to any web app."""

import threading
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path
from flask import Flask, request

import streampay
from streampay import ConfigurationError, SignatureVerificationError, StreamPay, Webhook, models
from streampay.testing import FakeStreamPay, event, receiver
from tests.plugin import django_project

ORDER = {"amount": "12.30", "currency": "USD", "success_url": "http://localhost/thanks"}


@pytest.fixture
def fake() -> FakeStreamPay:
    return FakeStreamPay()


@pytest.fixture
def client(fake: FakeStreamPay) -> StreamPay:
    found = StreamPay("sk_test_fake_tests", base_url="http://fake.example", transport=fake)
    found._api.sleep = lambda _: None
    return found


def a_session(client: StreamPay, reference: str = "o-1", **over: Any) -> models.CheckoutSession:
    return client.checkout.sessions.create(reference=reference, **{**ORDER, **over})


def kinds(fake: FakeStreamPay) -> list[str]:
    return [one.event.type for one in fake.events]


def test_too_little_then_the_rest_over_a_chain(client: StreamPay, fake: FakeStreamPay) -> None:
    session = a_session(client)
    payment = fake.underpay(session, "5.00")
    assert (payment.status, payment.amount_received, payment.transfers[0].amount) == ("underpaid", "5.00", "5.000000")
    payment = fake.underpay(session, "8.00")
    assert (payment.status, payment.amount_received, payment.exceptions) == ("paid", "13.00", ("overpaid",))
    assert kinds(fake)[1:] == [
        "payment.partially_paid",
        "payment.succeeded",
        "payment.overpaid",
        "checkout.session.completed",
    ]
    refund = client.refunds.create(payment=payment.id, amount="0.70", currency="USDC")
    assert (refund.status, refund.amount, refund.destination) == (
        "requires_action",
        "0.700000",
        payment.transfers[0].payer,
    )
    assert client.refunds.cancel(refund.id).status == "canceled"


def test_money_after_the_end_is_late(client: StreamPay, fake: FakeStreamPay) -> None:
    session = a_session(client, expires_in=300)
    fake.advance(361)
    assert client.checkout.sessions.retrieve(session.id).status == "expired"
    payment = fake.underpay(session, "12.30")
    assert (payment.status, payment.exceptions) == ("paid", ("late",))
    assert kinds(fake)[-3:] == ["payment.succeeded", "payment.late", "checkout.session.completed"]
    with pytest.raises(ConfigurationError, match="session is over"):
        fake.pay(session)


def test_a_price_in_a_coin_is_paid_in_that_coin(client: StreamPay, fake: FakeStreamPay) -> None:
    payment = fake.underpay(a_session(client, amount="0.5", currency="SOL"), "0.5")
    assert (payment.status, payment.transfers[0].currency, payment.amount_received) == ("paid", "SOL", "0.500000000")


def test_a_bank_may_ask_wait_fail_and_warn(client: StreamPay, fake: FakeStreamPay) -> None:
    session = a_session(client)
    assert fake.challenge(session).status == "requires_action"
    assert fake.process(session).status == "processing"
    assert fake.fail(session).status == "open"
    assert fake.pay(session).status == "paid"
    assert len(client.payments.retrieve(str(session.payment)).charges) == 2
    assert fake.warn(session).exceptions == ("early_fraud_warning",)
    assert kinds(fake) == [
        "checkout.session.created",
        "payment.requires_action",
        "payment.processing",
        "payment.failed",
        "payment.succeeded",
        "checkout.session.completed",
        "payment.fraud_warning",
    ]


def test_a_dispute_takes_the_money_and_a_won_one_brings_it_back(client: StreamPay, fake: FakeStreamPay) -> None:
    payment = fake.pay(a_session(client))
    dispute = fake.dispute(payment)
    assert client.payments.retrieve(payment.id).dispute == "open"
    with pytest.raises(streampay.Conflict) as caught:
        client.refunds.create(payment=payment.id)
    assert caught.value.code == "nothing_to_refund"
    assert fake.close_dispute(dispute, is_won=True).amount_reinstated == "12.30"
    assert client.refunds.create(payment=payment.id, amount="1.00").status == "succeeded"
    inquiry = fake.dispute(fake.pay(a_session(client, "o-2")), is_inquiry=True)
    assert (inquiry.amount_withdrawn, fake.close_dispute(inquiry, is_won=False).status) == ("0.00", "inquiry_closed")


def test_a_refund_may_wait_and_may_fail_weeks_later(client: StreamPay, fake: FakeStreamPay) -> None:
    payment = fake.pay(a_session(client))
    fake.refund_outcome = "pending"
    refund = client.refunds.create(payment=payment.id, amount="2.30")
    assert client.payments.retrieve(payment.id).refunds == "pending"
    assert fake.settle_refund(refund).status == "succeeded"
    assert fake.settle_refund(refund, "failed").failure_code == "declined"
    found = client.payments.retrieve(payment.id)
    assert (found.refunds, found.amount_refunded, found.version) == ("failed", "0.00", 5)
    with pytest.raises(ConfigurationError):
        fake.refund_elsewhere(payment, "12.31")


def test_a_lost_answer_is_repeated_without_a_second_refund(client: StreamPay, fake: FakeStreamPay) -> None:
    payment = fake.pay(a_session(client))
    fake.fault("lost_answer")
    refund = client.refunds.create(payment=payment.id, amount="2.30")
    assert refund.response is not None
    assert refund.response.replayed
    assert [one.id for one in client.refunds.list(payment=payment.id)] == [refund.id]
    for kind, error in (
        ("timeout", streampay.Timeout),
        ("internal", streampay.ServerError),
        ("rate_limited", streampay.RateLimited),
    ):
        fake.fault(kind, times=3)
        with pytest.raises(error):
            client.account.retrieve()
    fake.fault("unavailable")
    assert client.account.retrieve().livemode is False
    with pytest.raises(ConfigurationError, match="a fault is one of"):
        fake.fault("flood")


def test_one_key_at_once_is_in_flight_and_then_replayed(client: StreamPay, fake: FakeStreamPay) -> None:
    fake.latency_s = 0.2
    codes: list[str] = []

    def ask() -> None:
        try:
            codes.append(a_session(client.with_options(max_retries=0), idempotency_key="same").id)
        except streampay.Conflict as error:
            codes.append(error.code)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert codes.count("idempotency_in_flight") == 2
    assert a_session(client, idempotency_key="same").id in codes


def test_many_threads_refund_no_more_than_came(client: StreamPay, fake: FakeStreamPay) -> None:
    payment = fake.pay(a_session(client))

    def ask() -> None:
        for _ in range(5):
            try:
                client.refunds.create(payment=payment.id, amount="1.00")
            except streampay.ApiError as error:
                assert error.code in {"amount_too_large", "nothing_to_refund"}  # noqa: PT017 - one of two

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert client.payments.retrieve(payment.id).amount_refunded == "12.00"
    sequences = [one.event.sequence for one in fake.events if one.event.payment and one.event.payment.id == payment.id]
    assert sequences == list(range(1, len(sequences) + 1))


def test_events_are_polled_from_where_one_stopped(client: StreamPay, fake: FakeStreamPay) -> None:
    fake.pay(a_session(client))
    polled = list(client.events.list(after="start", limit=1))
    assert [one.type for one in polled] == kinds(fake)
    assert list(client.events.list(after=polled[0].id, types=["payment.succeeded"])) == [polled[1]]
    assert client.events.retrieve(polled[1].id) == polled[1]
    assert [one.id for one in client.events.list(limit=2)] == [one.id for one in polled[::-1]]


def test_keys_of_others_live_keys_and_unplayed_routes_are_refused() -> None:
    fake = FakeStreamPay(api_key="sk_test_the_only_one", origins=["https://shop.example"])
    with pytest.raises(streampay.AuthenticationFailed):
        StreamPay("sk_test_another_one", base_url="http://x.example", transport=fake).account.retrieve()
    with pytest.raises(streampay.AuthenticationFailed):
        StreamPay("sk_live_whatever1", base_url="https://x.example", transport=FakeStreamPay()).account.retrieve()
    client = StreamPay("sk_test_the_only_one", base_url="http://x.example", transport=fake)
    with pytest.raises(streampay.InvalidRequest) as caught:
        a_session(client, success_url="https://evil.example/")
    assert caught.value.code == "url_origin_refused"
    for ask in (client.balances.list, client.api_keys.list, lambda: client.rates.retrieve(base="SOL", quote="USD")):
        with pytest.raises(ConfigurationError) as refused:
            ask()
        assert refused.value.code == "fake_has_no_route"
    assert client.request("POST", "/v1/test/clock/advance", json={"seconds": 60}).response.status == 200
    with pytest.raises(ConfigurationError):
        fake.pay("pay_unknown")


def verified(body: bytes, headers: Any) -> int:
    try:
        Webhook("whsec_c3RyZWFtcGF5LXRlc3Rpbmctc2VjcmV0").verify(body, headers)
    except SignatureVerificationError:
        return 400
    return 204


def a_flask_app() -> Flask:
    app = Flask("shop")
    app.add_url_rule("/hook", view_func=lambda: ("", verified(request.get_data(), request.headers)), methods=["POST"])
    return app


def a_wsgi_app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    status = verified(environ["wsgi.input"].read(), environ)
    start_response(f"{status} OK", [])
    return [b""]


async def an_asgi_app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    message = await receive()
    await send({"type": "http.response.start", "status": verified(message["body"], scope["headers"]), "headers": []})
    await send({"type": "http.response.body", "body": b""})


urlpatterns: list[Any] = []


def a_django_view(http: HttpRequest) -> HttpResponse:
    return HttpResponse(status=verified(http.body, http.META))


def assert_reached(app: object) -> None:
    made, send = event("payment.succeeded"), receiver(app, "/hook")
    assert send(made.body, made.headers("whsec_c3RyZWFtcGF5LXRlc3Rpbmctc2VjcmV0")) == 204
    assert send(made.body, made.headers("whsec_" + "A" * 32)) == 400


@pytest.mark.parametrize(
    "make", [a_flask_app, lambda: a_flask_app().test_client(), lambda: a_wsgi_app, lambda: an_asgi_app]
)
def test_events_reach_any_web_app(make: Callable[[], object]) -> None:
    assert_reached(make())


def test_events_reach_a_django_client() -> None:
    django_project.set_up()
    urlpatterns[:] = [path("hook", a_django_view)]
    with override_settings(ROOT_URLCONF=__name__):
        assert_reached(Client())


def test_what_was_not_accepted_is_delivered_again(client: StreamPay, fake: FakeStreamPay) -> None:
    fake.pay(a_session(client))
    answers = iter([204, 500, None])
    assert [one.status for one in fake.deliver(lambda *_: next(answers))] == [204, 500, 204]
    assert [(one.event.type, one.status) for one in fake.deliver(verified)] == [("payment.succeeded", 204)]
    assert fake.deliver(verified) == []
    for wrong in (7, lambda *_: "yes"):
        with pytest.raises(ConfigurationError):
            receiver(wrong)(b"", {})
