"""What is true of every route: keys, versions, request ids, limits, problem documents, and logs without secrets."""

import json
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from gateway.kernel.errors import ErrorCode, TemporaryError
from gateway.kernel.log import JsonFormatter
from gateway.keys.tokens import new_api_key
from hosted_checkout.api import Limit, Limits, create_api
from tests.api.conftest import ORIGIN, Door, a_door, an_app, an_order, conforming
from tests.engine.paper import Shop

ACCOUNT = "/v1/account"


# --- keys --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "api_key_missing"),
        ("", "api_key_missing"),
        ("Bearer", "api_key_missing"),
        ("Bearer ", "api_key_missing"),
        ("Basic c2s6", "api_key_missing"),
        ("Bearer sk_test_short", "api_key_invalid"),
        pytest.param(f"Bearer {new_api_key(livemode=False)}", "api_key_invalid", id="a test key of nobody"),
        pytest.param(f"Bearer {new_api_key(livemode=True)}", "api_key_invalid", id="a live key of nobody"),
        ("Bearer schlüssel", "api_key_invalid"),
        ("Bearer '; DROP TABLE api_key; --", "api_key_missing"),
    ],
)
def test_without_a_living_key_nobody_comes_in(door: Door, header: str | None, code: str) -> None:
    headers = {} if header is None else {"Authorization": header}
    answer = conforming("GET", door.client.get(ACCOUNT, headers=headers))
    assert (answer.status_code, answer.json["code"]) == (401, code)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_the_word_bearer_may_be_written_in_any_case(door: Door) -> None:
    assert door.client.get(ACCOUNT, headers={"Authorization": f"bEARER  {door.key}"}).status_code == 200


def test_a_revoked_key_ends_at_once(door: Door) -> None:
    assert door.get(ACCOUNT).status_code == 200
    door.shop.engine.merchants.revoke_key(door.shop.engine.merchants.keys(door.shop.merchant.id)[0].id)
    assert door.get(ACCOUNT).json["code"] == "api_key_invalid"


def test_a_rolled_key_ends_after_its_grace(door: Door) -> None:
    merchants = door.shop.engine.merchants
    fresh = merchants.roll_key(merchants.keys(door.shop.merchant.id)[0].id, timedelta(hours=1))
    door.shop.clock.advance(timedelta(minutes=59))
    assert door.get(ACCOUNT).status_code == 200
    door.shop.clock.advance(timedelta(minutes=1))
    assert door.get(ACCOUNT).json["code"] == "api_key_invalid"
    door.key = fresh
    assert door.get(ACCOUNT).status_code == 200


def test_the_key_chooses_the_mode(door: Door) -> None:
    live = a_door(door.shop, livemode=True)
    assert live.get(ACCOUNT).json["livemode"] is True
    assert door.get(ACCOUNT).json["livemode"] is False
    session = door.post("/v1/checkout/sessions", an_order()).json
    assert live.get(f"/v1/checkout/sessions/{session['id']}").status_code == 404
    assert live.get("/v1/checkout/sessions").json["data"] == []


# --- versions and ids --------------------------------------------------------------------------------------------


def test_an_unknown_version_is_refused(door: Door) -> None:
    assert door.get(ACCOUNT, headers={"StreamPay-Version": "2026-11-20"}).status_code == 200
    answer = door.get(ACCOUNT, headers={"StreamPay-Version": "2019-01-01"})
    assert (answer.status_code, answer.json["code"]) == (400, "api_version_unknown")


def test_every_request_has_an_id_of_its_own(door: Door) -> None:
    assert door.get(ACCOUNT).headers["Request-Id"] != door.get(ACCOUNT).headers["Request-Id"]


# --- nothing but problem documents -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    ["/v1", "/v1/", "/v1//account", "/v1/account/", "/v1/nothing", "/v1/account%0A", "/v1/../v1/x", "/v1/payments/a/b"],
)
def test_a_path_that_leads_nowhere_is_a_problem_document(door: Door, path: str) -> None:
    answer = door.get(path)
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/v1/payments", "GET, HEAD"),
        ("POST", "/v1/payments", "GET, HEAD"),
        ("PUT", "/v1/webhook_endpoints/we_1", "DELETE, GET, HEAD, PATCH"),
        ("OPTIONS", "/v1/checkout/sessions", "GET, HEAD, POST"),
        ("TRACE", "/v1/account", "GET, HEAD"),
        ("BREW", "/v1/account", "GET, HEAD"),
        ("GET", "/v1/quotes", "POST"),
    ],
)
def test_another_method_is_refused_with_those_that_are_allowed(
    door: Door, method: str, path: str, allowed: str
) -> None:
    answer = door.send(method, path)
    assert (answer.status_code, answer.json["code"], answer.headers["Allow"]) == (405, "method_not_allowed", allowed)


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/nothing"), ("DELETE", "/v1/payments"), ("OPTIONS", "/v1")])
def test_a_stranger_is_asked_for_his_key_wherever_he_goes(door: Door, method: str, path: str) -> None:
    assert conforming(method, door.client.open(path, method=method)).json["code"] == "api_key_missing"


def test_head_is_get_without_a_body(door: Door) -> None:
    answer = door.send("HEAD", ACCOUNT)
    assert (answer.status_code, answer.data) == (200, b"")


def test_our_own_fault_is_a_problem_document_that_tells_nothing(
    door: Door, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the secret inside")

    monkeypatch.setattr(door.shop.engine.merchants, "wallets", fail)
    answer = door.get(ACCOUNT)
    assert (answer.status_code, answer.json["code"], answer.json["retryable"]) == (500, "internal", True)
    assert "secret inside" not in answer.text
    failed = next(record for record in caplog.records if record.message == "request_failed")
    assert failed.exc_info is not None
    assert failed.__dict__["fields"]["request_id"] == answer.headers["Request-Id"]


def test_nothing_outside_v1_is_taken(door: Door) -> None:
    assert door.client.get("/v1x").mimetype == "text/html"


# --- rate limits -------------------------------------------------------------------------------------------------


def test_a_bucket_empties_refuses_and_fills_again(shop: Shop) -> None:
    door = a_door(shop, limits=Limits(test=Limit(quota=2, window_s=10)))
    assert door.get(ACCOUNT).headers["RateLimit"] == '"test";r=1;t=5'
    answer = door.get(ACCOUNT)
    assert answer.headers["RateLimit-Policy"] == '"test";q=2;w=10'
    assert answer.headers["RateLimit"] == '"test";r=0;t=10'
    refused = door.get(ACCOUNT)
    assert (refused.status_code, refused.json["code"], refused.json["retryable"]) == (429, "rate_limited", True)
    assert refused.headers["Retry-After"] == "5"
    shop.clock.advance(timedelta(seconds=5))
    assert door.get(ACCOUNT).status_code == 200
    assert door.get(ACCOUNT).status_code == 429


def test_reads_writes_and_test_mode_have_buckets_of_their_own(shop: Shop) -> None:
    one = Limit(quota=1, window_s=60)
    app = an_app(shop, Limits(read=one, write=one, test=one))
    merchants = shop.engine.merchants
    live = Door(shop=shop, client=app.test_client(), key=merchants.create_key(shop.merchant.id, livemode=True))
    test = Door(shop=shop, client=app.test_client(), key=merchants.create_key(shop.merchant.id, livemode=False))
    other = Door(shop=shop, client=app.test_client(), key=merchants.create_key(shop.merchant.id, livemode=False))
    assert live.get(ACCOUNT).headers["RateLimit-Policy"].startswith('"read"')
    assert live.post("/v1/quotes").headers["RateLimit-Policy"].startswith('"write"')
    assert live.get(ACCOUNT).status_code == 429
    assert live.post("/v1/quotes").status_code == 429
    assert test.get(ACCOUNT).headers["RateLimit-Policy"].startswith('"test"')
    assert test.get(ACCOUNT).status_code == 429
    assert other.get(ACCOUNT).status_code == 200


def test_guessing_keys_is_slowed_down_by_address(shop: Shop) -> None:
    door = a_door(shop, limits=Limits(anonymous=Limit(quota=2, window_s=60)))
    good, door.key = door.key, new_api_key(livemode=False)
    assert [door.get(ACCOUNT).status_code for _ in range(3)] == [401, 401, 429]
    door.key = good
    assert door.get(ACCOUNT).status_code == 200


# --- logs --------------------------------------------------------------------------------------------------------


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """Return a function that gives all log lines as they would be written."""
    caplog.set_level(logging.DEBUG)
    formatter = JsonFormatter()
    return lambda: [formatter.format(record) for record in caplog.records]


def test_a_request_is_one_line_with_ids_and_no_contents(door: Door, lines: Any) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    answer = door.post(
        "/v1/checkout/sessions",
        an_order(customer_email="ada@example.com"),
        key="the-caller's-key",
        headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"},
    )
    written = [json.loads(line) for line in lines() if '"request"' in line]
    assert len(written) == 1
    assert written[0] | {"time": "", "took_ms": 0} == {
        "time": "",
        "level": "info",
        "logger": "gateway.api",
        "event": "request",
        "method": "POST",
        "route": "/v1/checkout/sessions",
        "status": 201,
        "took_ms": 0,
        "request_id": answer.headers["Request-Id"],
        "key_id": door.shop.engine.merchants.keys(door.shop.merchant.id)[0].id,
        "trace_id": trace,
    }


def test_logs_show_no_secret(door: Door, lines: Any) -> None:
    endpoint = door.post("/v1/webhook_endpoints", {"url": "https://hooks.example/in"}, key="w").json
    door.post("/v1/checkout/sessions", an_order(customer_email="ada@example.com"), key="k")
    door.post("/v1/checkout/sessions", an_order(amount=1, customer_email="ada@example.com"), key="k")
    door.get(f"/v1/nothing/{door.key}")
    door.get(f"/v1/payments?reference={door.key}")
    door.send(door.key, "/v1/payments")
    everything = "\n".join(lines())
    for secret in (door.key, endpoint["secret"], "ada@example.com", "order-1001", ORIGIN):
        assert secret not in everything


# --- beside /v1 --------------------------------------------------------------------------------------------------


def test_the_process_is_alive(door: Door) -> None:
    assert door.client.get("/healthz").json == {"status": "alive"}


def test_readiness_is_the_sum_of_its_checks(shop: Shop) -> None:
    def broken() -> bool:
        raise RuntimeError("no route to postgres://user:password@db")

    def ready(**checks: Any) -> Any:
        app = Flask("ready")
        app.register_blueprint(create_api(shop.engine, clock=shop.clock, ids=shop.ids, checks=checks))
        return app.test_client().get("/readyz")

    assert ready(database=lambda: True).json == {"status": "ready", "checks": {"database": "ok"}}
    answer = ready(database=lambda: True, schema=lambda: False)
    assert (answer.status_code, answer.json["checks"]) == (503, {"database": "ok", "schema": "failed"})
    answer = ready(database=broken)
    assert (answer.status_code, answer.json["checks"]) == (503, {"database": "failed"})
    assert "password" not in answer.text


def test_a_busy_database_asks_for_patience(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: object) -> None:
        raise TemporaryError(ErrorCode.PROVIDER_UNAVAILABLE, "The database is busy.", retry_after_s=1)

    monkeypatch.setattr(door.shop.engine.payments, "page", lambda *_, **__: busy())
    answer = door.get("/v1/payments")
    assert (answer.status_code, answer.headers["Retry-After"], answer.json["retryable"]) == (503, "1", True)
