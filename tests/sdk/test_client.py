"""The client over a real socket: what it sends and what it returns."""

import json
import os
import pickle
import threading
from decimal import Decimal
from typing import Any

import pytest

import streampay
from streampay import StreamPay, errors
from streampay._http import HttpRequest, HttpResponse, RequestsTransport
from streampay.models import LineItem
from tests.sdk import objects
from tests.sdk.objects import ORDER
from tests.sdk.scripted_gateway import TEST_KEY, Answer, ScriptedGateway, problem


def test_a_created_session_is_typed_and_says_how_it_came(client: StreamPay, gateway: ScriptedGateway) -> None:
    gateway.says(Answer(status=201, body=objects.SESSION))
    session = client.checkout.sessions.create(**ORDER)
    assert session.url == objects.SESSION["url"]
    assert session.line_items == (LineItem(name="T-shirt", quantity=1, amount="12.30"),)
    assert not session.is_paid
    assert session.response is not None
    assert (session.response.status, session.response.request_id, session.response.replayed) == (201, "req_head", False)
    assert session.to_dict() == objects.SESSION


def test_a_request_carries_key_version_and_agent(client: StreamPay, gateway: ScriptedGateway) -> None:
    gateway.says(Answer(body=objects.SESSION))
    client.checkout.sessions.create(**ORDER)
    sent = gateway.last
    assert (sent.method, sent.target) == ("POST", "/v1/checkout/sessions")
    assert sent.headers["authorization"] == f"Bearer {TEST_KEY}"
    assert sent.headers["streampay-version"] == "2026-11-20"
    assert sent.headers["content-type"] == "application/json"
    assert sent.headers["user-agent"].startswith(f"streampay-python/{streampay.__version__} python/")
    assert sent.json == ORDER  # what is not given is not sent


def test_every_option_of_a_session_reaches_the_wire(client: StreamPay, gateway: ScriptedGateway) -> None:
    gateway.says(Answer(body=objects.SESSION))
    client.checkout.sessions.create(
        **{**ORDER, "amount": Decimal("1230E-2")},
        cancel_url="https://shop.example/",
        customer_email="a@b.example",
        customer_country="DE",
        locale="ar",
        line_items=[
            LineItem(name="Tee", amount="10.00"),
            {"name": "Post", "quantity": 1, "amount": Decimal("2.30")},
        ],
        methods=("sol", "usdc"),
        expires_in=600,
        customer="cus_01jd0000000000000000000001",
        capture_method="manual",
        metadata={"cart": "7"},
        idempotency_key="order-1001-1",
    )
    assert gateway.last.headers["idempotency-key"] == "order-1001-1"
    assert gateway.last.json == {
        **ORDER,
        "cancel_url": "https://shop.example/",
        "customer_email": "a@b.example",
        "customer_country": "DE",
        "locale": "ar",
        "line_items": [
            {"name": "Tee", "quantity": 1, "amount": "10.00"},
            {"name": "Post", "quantity": 1, "amount": "2.30"},
        ],
        "methods": ["sol", "usdc"],
        "expires_in": 600,
        "customer": "cus_01jd0000000000000000000001",
        "capture_method": "manual",
        "metadata": {"cart": "7"},
    }


@pytest.mark.parametrize("amount", ["12.30", Decimal("12.30"), Decimal("1E+2"), Decimal("0.000000001")])
def test_amounts_go_out_as_exact_decimal_strings(amount: Any, client: StreamPay, gateway: ScriptedGateway) -> None:
    gateway.says(Answer(body=objects.QUOTE))
    client.quotes.create(amount=amount, currency="USD", method="sol")
    assert Decimal(gateway.last.json["amount"]) == Decimal(amount)
    assert "E" not in gateway.last.json["amount"]


@pytest.mark.parametrize("amount", [1230, 12.3, True, None, Decimal("NaN"), Decimal("Infinity"), b"12.30", ["12.30"]])
def test_amounts_of_another_kind_are_refused_with_a_hint_and_sent_nowhere(
    amount: Any, client: StreamPay, gateway: ScriptedGateway
) -> None:
    with pytest.raises(errors.InvalidRequest, match=r"'12\.30'") as caught:
        client.checkout.sessions.create(**{**ORDER, "amount": amount})
    assert (caught.value.code, caught.value.param, caught.value.status) == ("amount_invalid", "/amount", None)
    with pytest.raises(errors.InvalidRequest) as caught:
        client.checkout.sessions.create(**ORDER, line_items=[{"name": "Tee", "amount": amount}])
    assert caught.value.param == "/line_items/0/amount"
    assert gateway.received == []


@pytest.mark.parametrize("object_id", ["", " ", ".", "..", None, 7, "\ud800"])
def test_an_empty_id_never_becomes_a_list(object_id: Any, client: StreamPay, gateway: ScriptedGateway) -> None:
    with pytest.raises(errors.InvalidRequest):
        client.payments.retrieve(object_id)
    assert gateway.received == []


def test_an_id_cannot_leave_its_place_in_the_path(client: StreamPay, gateway: ScriptedGateway) -> None:
    gateway.says(Answer(body=objects.PAYMENT))
    client.payments.retrieve("pay_1/../x?y#z\r\n")
    assert gateway.last.target == "/v1/payments/pay_1%2F..%2Fx%3Fy%23z%0D%0A"


# call, method, target, body on the wire, answer
CALLS: list[tuple[Any, str, str, Any, dict[str, Any]]] = [
    (lambda c: c.checkout.sessions.retrieve("cs_1"), "GET", "/v1/checkout/sessions/cs_1", None, objects.SESSION),
    (lambda c: c.checkout.sessions.expire("cs_1"), "POST", "/v1/checkout/sessions/cs_1/expire", {}, objects.SESSION),
    (lambda c: c.payments.retrieve("pay_1"), "GET", "/v1/payments/pay_1", None, objects.PAYMENT),
    (lambda c: c.payments.capture("pay_1"), "POST", "/v1/payments/pay_1/capture", {}, objects.PAYMENT),
    (
        lambda c: c.payments.capture("pay_1", amount=Decimal("2.30"), final_capture=False),
        "POST",
        "/v1/payments/pay_1/capture",
        {"amount": "2.30", "final_capture": False},
        objects.PAYMENT,
    ),
    (lambda c: c.payments.cancel("pay_1"), "POST", "/v1/payments/pay_1/cancel", {}, objects.PAYMENT),
    (lambda c: c.refunds.create(payment="pay_1"), "POST", "/v1/refunds", {"payment": "pay_1"}, objects.REFUND),
    (
        lambda c: c.refunds.create(
            payment="pay_1", amount="2.30", currency="USD", reason="duplicate", metadata={"ticket": "7"}
        ),
        "POST",
        "/v1/refunds",
        {
            "payment": "pay_1",
            "amount": "2.30",
            "currency": "USD",
            "reason": "duplicate",
            "metadata": {"ticket": "7"},
        },
        objects.REFUND,
    ),
    (lambda c: c.refunds.retrieve("re_1"), "GET", "/v1/refunds/re_1", None, objects.REFUND),
    (lambda c: c.refunds.cancel("re_1"), "POST", "/v1/refunds/re_1/cancel", {}, objects.REFUND),
    (lambda c: c.disputes.retrieve("dsp_1"), "GET", "/v1/disputes/dsp_1", None, objects.DISPUTE),
    (lambda c: c.payouts.retrieve("po_1"), "GET", "/v1/payouts/po_1", None, objects.PAYOUT),
    (lambda c: c.payouts.settlement("po_1"), "GET", "/v1/payouts/po_1/settlement", None, objects.SETTLEMENT),
    (lambda c: c.events.retrieve("evt_1"), "GET", "/v1/events/evt_1", None, objects.EVENT),
    (
        lambda c: c.webhook_endpoints.create(url="https://s.example/w", enabled_events=["ping"], description="d"),
        "POST",
        "/v1/webhook_endpoints",
        {"url": "https://s.example/w", "enabled_events": ["ping"], "description": "d"},
        objects.ENDPOINT,
    ),
    (lambda c: c.webhook_endpoints.retrieve("we_1"), "GET", "/v1/webhook_endpoints/we_1", None, objects.ENDPOINT),
    (
        lambda c: c.webhook_endpoints.update("we_1", description="", status="disabled"),
        "PATCH",
        "/v1/webhook_endpoints/we_1",
        {"description": "", "status": "disabled"},
        objects.ENDPOINT,
    ),
    (
        lambda c: c.webhook_endpoints.update("we_1", url="https://s.example/x", enabled_events="ping"),
        "PATCH",
        "/v1/webhook_endpoints/we_1",
        {"url": "https://s.example/x", "enabled_events": ["ping"]},
        objects.ENDPOINT,
    ),
    (
        lambda c: c.webhook_endpoints.delete("we_1"),
        "DELETE",
        "/v1/webhook_endpoints/we_1",
        None,
        {"id": "we_1", "object": "webhook_endpoint", "deleted": True},
    ),
    (
        lambda c: c.webhook_endpoints.rotate_secret("we_1", grace_s=0),
        "POST",
        "/v1/webhook_endpoints/we_1/rotate_secret",
        {"grace_s": 0},
        objects.ENDPOINT,
    ),
    (lambda c: c.webhook_endpoints.test("we_1"), "POST", "/v1/webhook_endpoints/we_1/test", {}, objects.EVENT),
    (
        lambda c: c.webhook_endpoints.resend("we_1", event="evt_1"),
        "POST",
        "/v1/webhook_endpoints/we_1/resend",
        {"event": "evt_1"},
        objects.EVENT,
    ),
    (lambda c: c.account.retrieve(), "GET", "/v1/account", None, objects.ACCOUNT),
    (lambda c: c.rates.retrieve(base="SOL", quote="USD"), "GET", "/v1/rates?base=SOL&quote=USD", None, objects.RATE),
    (
        lambda c: c.quotes.create(amount="12.30", currency="USD", method="sol"),
        "POST",
        "/v1/quotes",
        {"amount": "12.30", "currency": "USD", "method": "sol"},
        objects.QUOTE,
    ),
    (
        lambda c: c.chain_transfers.match("xfer_1", payment="pay_1"),
        "POST",
        "/v1/chain_transfers/xfer_1/match",
        {"payment": "pay_1"},
        objects.TRANSFER,
    ),
]


@pytest.mark.parametrize("row", CALLS, ids=[f"{row[1]} {row[2]}" for row in CALLS])
def test_every_call_asks_its_route_and_gives_its_object_back(
    row: Any, client: StreamPay, gateway: ScriptedGateway
) -> None:
    call, method, target, body, answer = row
    gateway.says(Answer(body=answer))
    result = call(client)
    sent = gateway.last
    assert (sent.method, sent.target) == (method, target)
    assert (sent.json if sent.body else None) == body
    assert ("idempotency-key" in sent.headers) == (method == "POST")
    assert_same_wire(result.to_dict(), answer)
    assert pickle.loads(pickle.dumps(result)) == result  # noqa: S301 - our own bytes
    hash(result)


def assert_same_wire(ours: Any, theirs: Any) -> None:
    """Whatever the gateway said is in `to_dict`; fields that it left out may be there as null or empty."""
    if isinstance(theirs, dict):
        for name, value in theirs.items():
            assert_same_wire(ours[name], value)
    elif isinstance(theirs, list):
        assert len(ours) == len(theirs)
        for mine, other in zip(ours, theirs, strict=True):
            assert_same_wire(mine, other)
    else:
        assert ours == theirs


LISTS: list[tuple[Any, str, dict[str, Any]]] = [
    (
        lambda c: c.checkout.sessions.list(status="open", reference="a b&c"),
        "/v1/checkout/sessions?status=open&reference=a+b%26c",
        objects.SESSION,
    ),
    (lambda c: c.payments.list(limit=5), "/v1/payments?limit=5", objects.PAYMENT),
    (
        lambda c: c.refunds.list(payment="pay_1", status="pending"),
        "/v1/refunds?payment=pay_1&status=pending",
        objects.REFUND,
    ),
    (lambda c: c.disputes.list(status="needs_response"), "/v1/disputes?status=needs_response", objects.DISPUTE),
    (lambda c: c.payouts.list(limit=2), "/v1/payouts?limit=2", objects.PAYOUT),
    (
        lambda c: c.events.list(types=["payment.succeeded", "ping"], after="evt_0"),
        "/v1/events?types=payment.succeeded%2Cping&after=evt_0",
        objects.EVENT,
    ),
    (lambda c: c.webhook_endpoints.list(), "/v1/webhook_endpoints", objects.ENDPOINT),
    (
        lambda c: c.webhook_endpoints.deliveries.list("we_1"),
        "/v1/webhook_endpoints/we_1/deliveries",
        objects.DELIVERY,
    ),
    (lambda c: c.balances.list(), "/v1/balances", objects.BALANCE),
    (lambda c: c.ledger_entries.list(payment="pay_1"), "/v1/ledger_entries?payment=pay_1", objects.ENTRY),
    (
        lambda c: c.methods.list(amount=Decimal("12.30"), currency="USD"),
        "/v1/methods?amount=12.30&currency=USD",
        objects.METHOD,
    ),
    (lambda c: c.chain_transfers.list(status="unmatched"), "/v1/chain_transfers?status=unmatched", objects.TRANSFER),
]


@pytest.mark.parametrize(("call", "target", "item"), LISTS, ids=[row[1] for row in LISTS])
def test_every_list_asks_its_route_and_gives_typed_items(
    call: Any, target: str, item: dict[str, Any], client: StreamPay, gateway: ScriptedGateway
) -> None:
    gateway.says(Answer(body=objects.listing(item)))
    items = list(call(client))
    assert gateway.last.target == target
    assert len(items) == 1
    assert_same_wire(items[0].to_dict(), item)


# --- pages -----------------------------------------------------------------------------------------------------------


def page_of(*numbers: int, has_more: bool) -> Answer:
    return Answer(
        body=objects.listing(*(objects.but(objects.PAYMENT, id=f"pay_{n}") for n in numbers), has_more=has_more)
    )


def test_iterating_goes_through_all_pages_and_page_holds_one(client: StreamPay, gateway: ScriptedGateway) -> None:
    gateway.says(page_of(5, 4, has_more=True), page_of(3, 2, has_more=True), page_of(1, has_more=False))
    payments = client.payments.list(limit=2, status="paid")
    assert [payment.id for payment in payments.page] == ["pay_5", "pay_4"]
    assert len(gateway.received) == 1  # nothing is fetched before it is asked for
    assert [payment.id for payment in payments] == ["pay_5", "pay_4", "pay_3", "pay_2", "pay_1"]
    assert [sent.target for sent in gateway.received] == [
        "/v1/payments?status=paid&limit=2",
        "/v1/payments?status=paid&limit=2&starting_after=pay_4",
        "/v1/payments?status=paid&limit=2&starting_after=pay_2",
    ]


def test_pages_before_an_object_run_away_from_it(client: StreamPay, gateway: ScriptedGateway) -> None:
    gateway.says(page_of(4, 3, has_more=True), page_of(6, 5, has_more=False))
    assert [payment.id for payment in client.payments.list(ending_before="pay_2")] == [
        "pay_3",
        "pay_4",
        "pay_5",
        "pay_6",
    ]
    assert gateway.last.target == "/v1/payments?ending_before=pay_4"


def test_polling_events_goes_on_after_the_last_one_seen(client: StreamPay, gateway: ScriptedGateway) -> None:
    def events(*numbers: int, has_more: bool) -> Answer:
        items = (objects.but(objects.EVENT, id=f"evt_{n}") for n in numbers)
        return Answer(body=objects.listing(*items, has_more=has_more))

    gateway.says(events(2, 3, has_more=True), events(4, has_more=False))
    assert [event.id for event in client.events.list(after="evt_1")] == ["evt_2", "evt_3", "evt_4"]
    assert gateway.last.target == "/v1/events?after=evt_3"


def test_a_list_that_does_not_advance_ends_with_an_error(client: StreamPay, gateway: ScriptedGateway) -> None:
    gateway.says(page_of(1, has_more=True))
    with pytest.raises(errors.ServerError, match="does not advance"):
        list(client.payments.list())


# --- the rest --------------------------------------------------------------------------------------------------------


def test_the_escape_hatch_has_the_same_keys_retries_and_errors(client: StreamPay, gateway: ScriptedGateway) -> None:
    gateway.says(problem(500, "internal"), Answer(status=201, body={"new": "thing"}, headers={"X-Thing": "1"}))
    raw = client.request(
        "POST", "/v1/things", json={"amount": Decimal("1.50")}, params={"dry": True, "n": 3, "z": None}
    )
    assert raw.json == {"new": "thing"}
    assert raw.response.status == 201
    assert raw.headers["x-thing"] == "1"
    assert gateway.last.target == "/v1/things?dry=true&n=3"
    assert gateway.last.json == {"amount": "1.50"}
    assert gateway.last.headers["idempotency-key"].startswith("auto_")


@pytest.mark.parametrize(
    "arguments",
    [
        {"method": "BREW", "path": "/v1/x"},
        {"method": "GET", "path": "v1/x"},
        {"method": "GET", "path": "//evil.example/x"},
        {"method": "GET", "path": "/v1/../x"},
        {"method": "GET", "path": "/v1/x?y"},
        {"method": "GET", "path": "/v1/x\r\n"},
        {"method": "GET", "path": None},
        {"method": "POST", "path": "/v1/x", "json": {"a": object()}},
        {"method": "POST", "path": "/v1/x", "json": {"a": float("nan")}},
        {"method": "POST", "path": "/v1/x", "json": {"a": "\ud800"}},
        {"method": "POST", "path": "/v1/x", "idempotency_key": ""},
        {"method": "POST", "path": "/v1/x", "idempotency_key": "a\nb"},
        {"method": "POST", "path": "/v1/x", "idempotency_key": "x" * 256},
        {"method": "POST", "path": "/v1/x", "idempotency_key": 7},
        {"method": "GET", "path": "/v1/x", "params": {"a": "\ud800"}},
    ],
)
def test_what_cannot_be_sent_is_an_error_of_ours(
    arguments: dict[str, Any], client: StreamPay, gateway: ScriptedGateway
) -> None:
    with pytest.raises(errors.StreamPayError):
        client.request(**arguments)
    assert gateway.received == []


def test_waiting_ends_when_the_session_is_no_longer_open(
    client: StreamPay, gateway: ScriptedGateway, sleeps: list[float]
) -> None:
    paid = objects.but(objects.SESSION, status="complete", payment_status="paid")
    gateway.says(Answer(body=objects.SESSION), Answer(body=objects.SESSION), Answer(body=paid))
    assert client.checkout.sessions.wait("cs_1", poll_s=0.25).is_paid
    assert sleeps == [0.25, 0.25]
    gateway.says(Answer(body=objects.SESSION))
    assert client.checkout.sessions.wait("cs_1", until=lambda session: session.status == "open").status == "open"
    with pytest.raises(errors.Timeout):
        client.checkout.sessions.wait("cs_1", timeout_s=0)


def test_another_transport_may_carry_the_requests() -> None:
    class Recorded:
        def __init__(self) -> None:
            self.sent: list[HttpRequest] = []
            self.is_closed = False

        def send(self, request: HttpRequest) -> HttpResponse:
            self.sent.append(request)
            return HttpResponse(status=200, headers={}, body=json.dumps(objects.ACCOUNT).encode())

        def close(self) -> None:
            self.is_closed = True

    transport = Recorded()
    with StreamPay(
        TEST_KEY, base_url="https://pay.shop.example/sub/", transport=transport, app_info="shop/1.2"
    ) as client:
        assert client.account.retrieve().name == "Shop"
    assert transport.sent[0].url == "https://pay.shop.example/sub/v1/account"
    assert transport.sent[0].headers["User-Agent"].endswith(" shop/1.2")
    assert transport.sent[0].timeout_s == (3.0, 20.0)
    assert transport.is_closed


def test_a_netrc_file_does_not_replace_the_key(
    client: StreamPay, gateway: ScriptedGateway, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login thief password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    gateway.says(Answer(body=objects.ACCOUNT))
    client.account.retrieve()
    assert gateway.last.headers["authorization"] == f"Bearer {TEST_KEY}"


def test_cookies_are_not_kept(client: StreamPay, gateway: ScriptedGateway) -> None:
    gateway.says(Answer(body=objects.ACCOUNT, headers={"Set-Cookie": "a=b; Path=/"}))
    client.account.retrieve()
    client.account.retrieve()
    assert "cookie" not in gateway.last.headers


def test_an_endless_answer_is_cut_off(
    client: StreamPay, gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streampay._http.MAX_ANSWER_BYTES", 100_000)
    gateway.says(Answer(body=b" " * 300_000))
    with pytest.raises(errors.ConnectionFailed, match="too large"):
        client.account.retrieve()
    assert len(gateway.received) == 1


def test_threads_share_a_client(client: StreamPay, gateway: ScriptedGateway) -> None:
    gateway.says(Answer(body=objects.SESSION))
    threads = [
        threading.Thread(target=lambda: [client.checkout.sessions.create(**ORDER) for _ in range(5)]) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({sent.headers["idempotency-key"] for sent in gateway.received}) == 40


def test_a_forked_child_opens_its_own_connections(gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    transport = RequestsTransport()
    client = StreamPay(TEST_KEY, base_url=gateway.base_url, transport=transport)
    gateway.says(Answer(body=objects.ACCOUNT))
    client.account.retrieve()
    before = transport._session
    monkeypatch.setattr(os, "getpid", lambda: -1)  # as it is in a child
    client.account.retrieve()
    assert transport._session is not before
    before.close()
    client.close()
