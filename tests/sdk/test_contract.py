"""The real SDK against the real server: every call of the client, and every failure that it tells apart."""

import itertools
import time
from decimal import Decimal

import pytest

import streampay
from streampay import StreamPay, models
from tests.sdk.live_gateway import ORIGIN, WALLET, LiveGateway

_numbers = itertools.count(1)


def a_session(client: StreamPay, **over: object) -> models.CheckoutSession:
    """Open a session for a new order."""
    body: dict[str, object] = {
        "amount": "12.30",
        "currency": "USD",
        "reference": f"order-{next(_numbers)}",
        "success_url": f"{ORIGIN}/thanks",
    }
    return client.checkout.sessions.create(**{**body, **over})  # type: ignore[arg-type]  # a builder takes what it gets


def assert_nothing_unknown(*objects: models.Model) -> None:
    """Fail when the server sent a field that the SDK has no name for."""
    assert [each.extra for each in objects] == [{} for _ in objects]


def test_a_session_comes_back_as_it_was_sent(live_client: StreamPay) -> None:
    session = a_session(
        live_client,
        amount=Decimal("12.3"),
        cancel_url=f"{ORIGIN}/cart",
        customer_email="ada@example.com",
        locale="ar",
        line_items=[models.LineItem(name="Shirt", quantity=2, amount="12.30")],
        methods=["sol"],
        expires_in=600,
        metadata={"cart": "c-77"},
    )
    assert (session.amount, session.currency, session.status, session.payment_status) == (
        "12.30",
        "USD",
        "open",
        "open",
    )
    assert (session.locale, session.methods, session.metadata) == ("ar", ("sol",), {"cart": "c-77"})
    assert session.line_items[0].name == "Shirt"
    assert (session.expires_at - session.created_at).total_seconds() == 600
    assert live_client.checkout.sessions.retrieve(session.id) == session
    assert_nothing_unknown(session, *session.line_items)


def test_sessions_and_payments_are_listed_and_paged(live_client: StreamPay) -> None:
    opened = [a_session(live_client).id for _ in range(3)]
    listed = [each.id for each in live_client.checkout.sessions.list(limit=2)]
    assert listed[:3] == opened[::-1]
    payments = list(live_client.payments.list(limit=2, status="open"))
    assert {each.session for each in payments} >= set(opened)
    assert live_client.payments.retrieve(payments[0].id) == payments[0]
    assert_nothing_unknown(*payments)


def test_an_idempotency_key_is_replayed_and_guarded(live_client: StreamPay) -> None:
    first = a_session(live_client, reference="once", idempotency_key="once-1")
    again = a_session(live_client, reference="once", idempotency_key="once-1")
    assert (again, again.response is not None and again.response.replayed) == (first, True)
    with pytest.raises(streampay.IdempotencyMismatch) as caught:
        a_session(live_client, reference="twice", idempotency_key="once-1")
    assert caught.value.code == "idempotency_mismatch"


def test_an_expired_session_is_a_conflict_that_names_it(live_client: StreamPay) -> None:
    session = a_session(live_client)
    assert live_client.checkout.sessions.expire(session.id).status == "expired"
    with pytest.raises(streampay.Conflict) as caught:
        live_client.checkout.sessions.expire(session.id)
    assert (caught.value.code, caught.value.object_id) == ("session_not_open", session.id)


def test_events_are_read_listed_and_polled(live_client: StreamPay) -> None:
    session = a_session(live_client)
    newest = next(iter(live_client.events.list(types=["checkout.session.created"])))
    assert newest.type == "checkout.session.created"
    assert live_client.events.retrieve(newest.id) == newest
    deadline = time.monotonic() + 10
    polled: list[str] = []
    while newest.id not in polled and time.monotonic() < deadline:
        polled = [each.id for each in live_client.events.list(after="start", limit=100)]
        time.sleep(0.05)
    assert newest.id in polled
    assert session.id


def test_an_endpoint_lives_through_all_its_verbs(live_client: StreamPay) -> None:
    endpoints = live_client.webhook_endpoints
    created = endpoints.create(url="https://hooks.example/in", enabled_events=["ping"], description="Shop")
    assert str(created.secret).startswith("whsec_")
    changed = endpoints.update(created.id, enabled_events=["*"], description="")
    assert (changed.enabled_events, changed.description, changed.secret) == (("*",), None, None)
    assert endpoints.retrieve(created.id) == changed
    assert [each.id for each in endpoints.list()] == [created.id]
    assert endpoints.rotate_secret(created.id, grace_s=0).secret not in {None, created.secret}
    ping = endpoints.test(created.id)
    assert ping.type == "ping"
    assert endpoints.resend(created.id, event=ping.id) == ping
    assert list(endpoints.deliveries.list(created.id)) == []
    assert endpoints.delete(created.id).deleted is True
    assert_nothing_unknown(created, changed, ping)


def test_the_account_its_prices_and_its_books(live_client: StreamPay) -> None:
    account = live_client.account.retrieve()
    assert (account.name, account.origins) == ("Contract & Co", (ORIGIN,))
    assert {each.address for each in account.receiving_addresses} == {WALLET}
    rate = live_client.rates.retrieve(base="SOL", quote="USD")
    assert Decimal(rate.rate) > 0
    assert len(rate.sources) >= 2
    quote = live_client.quotes.create(amount="12.30", currency="USD", method="sol")
    assert quote.pay_currency == "SOL"
    methods = {each.id: each.available for each in live_client.methods.list(amount="12.30", currency="USD")}
    assert methods["sol"] is True
    assert list(live_client.balances.list()) == []
    assert list(live_client.ledger_entries.list()) == []
    assert list(live_client.chain_transfers.list(status="unmatched")) == []
    assert_nothing_unknown(account, rate)


def test_wrong_fields_are_told_apart(live_client: StreamPay) -> None:
    with pytest.raises(streampay.InvalidRequest) as caught:
        a_session(live_client, amount="0.001", success_url="https://evil.example/")
    error = caught.value
    assert (error.status, error.code, error.param) == (400, "amount_too_precise", "/amount")
    assert [each.code for each in error.errors] == ["amount_too_precise", "url_origin_refused"]
    assert str(error.request_id).startswith("req_")


def test_a_wrong_key_and_a_missing_object_are_told_apart(live_client: StreamPay, live_gateway: LiveGateway) -> None:
    with pytest.raises(streampay.NotFound):
        live_client.payments.retrieve("pay_00000000000000000000000000")
    wrong = live_gateway.api_key[:-1] + ("0" if live_gateway.api_key[-1] != "0" else "1")
    with StreamPay(wrong, base_url=live_gateway.base_url) as stranger, pytest.raises(streampay.AuthenticationFailed):
        stranger.account.retrieve()
