"""Bad input gets an exact problem, names every wrong field at once, repeats nothing of it, and changes nothing."""

import itertools
import json
from collections.abc import Callable, Iterator

import pytest

from gateway.domain.merchants import MerchantSettings
from gateway.storage.database import Database, open_database
from tests.api.conftest import ORIGIN, Door, a_door, an_order, row_counter
from tests.engine.paper import Shop

Rows = Callable[[], dict[str, int]]
SESSIONS = "/v1/checkout/sessions"

_references = itertools.count()


@pytest.fixture(scope="module")
def module_db(migrated_sqlite: str, copy_database: Callable[[str], str]) -> Iterator[Database]:
    """Open one database for all these tests: what they send changes nothing."""
    database = open_database(copy_database(migrated_sqlite))
    yield database
    database.close()


@pytest.fixture(scope="module")
def module_shop(module_db: Database) -> Shop:
    """Return the merchant of all these tests."""
    return Shop(module_db, settings=MerchantSettings(origins=(ORIGIN,)))


@pytest.fixture(scope="module")
def door(module_shop: Shop) -> Door:
    """Return his way in, with a test key."""
    return a_door(module_shop)


@pytest.fixture
def rows(module_db: Database) -> Rows:
    """Count the rows of every table."""
    return row_counter(module_db)


def a_new_order(**over: object) -> dict[str, object]:
    """Return an order that nobody has placed before."""
    return an_order(reference=f"order-{next(_references)}", **over)


FORM = 'Send the amount as a string of digits in major units, such as "12.30".'
POSITIVE = "The amount must be greater than zero."
HOSTILE_AMOUNTS = [
    ("1e3", "amount_invalid", FORM),
    ("١٢", "amount_invalid", FORM),
    ("12\uff13", "amount_invalid", FORM),
    ("0x10", "amount_invalid", FORM),
    ("1,000.00", "amount_invalid", FORM),
    (" 1", "amount_invalid", FORM),
    ("1 ", "amount_invalid", FORM),
    ("1\n", "amount_invalid", FORM),
    ("+1", "amount_invalid", FORM),
    ("1_000", "amount_invalid", FORM),
    ("NaN", "amount_invalid", FORM),
    ("Infinity", "amount_invalid", FORM),
    ("", "amount_invalid", FORM),
    (".5", "amount_invalid", FORM),
    ("5.", "amount_invalid", FORM),
    ("1" * 400, "amount_invalid", FORM),
    (12.3, "amount_invalid", FORM),
    (12, "amount_invalid", FORM),
    (True, "amount_invalid", FORM),
    (None, "parameter_missing", "This field is required."),
    (["12"], "amount_invalid", FORM),
    ({"value": "12"}, "amount_invalid", FORM),
    ("-1", "amount_not_positive", POSITIVE),
    ("-0.01", "amount_not_positive", POSITIVE),
    ("0", "amount_not_positive", POSITIVE),
    ("0.00", "amount_not_positive", POSITIVE),
    ("0.001", "amount_too_precise", "USD has 2 decimals; send no more than that."),
    ("1.000", "amount_too_precise", "USD has 2 decimals; send no more than that."),
    (str(10**70), "amount_invalid", FORM),
    (str(10**64), "amount_too_large", "The amount is larger than the gateway can book."),
]


@pytest.mark.parametrize(("amount", "code", "detail"), HOSTILE_AMOUNTS)
def test_a_hostile_amount_is_refused_and_changes_nothing(
    door: Door, rows: Rows, amount: object, code: str, detail: str
) -> None:
    before = rows()
    answer = door.post(SESSIONS, an_order(amount=amount), key="k")
    assert (answer.status_code, answer.json["code"], answer.json["param"]) == (400, code, "/amount")
    assert answer.json["detail"] == detail
    assert rows() == before


def test_nan_as_a_number_is_not_an_amount(door: Door, rows: Rows) -> None:
    before = rows()
    text = json.dumps(an_order()).replace('"12.30"', "NaN")
    answer = door.send("POST", SESSIONS, data=text, content_type="application/json")
    assert (answer.status_code, answer.json["code"]) == (400, "amount_invalid")
    assert rows() == before


A_PLAN = "plan_01jd0000000000000000000001"
A_SUBSCRIPTION = {"mode": "subscription", "plan": A_PLAN, "amount": ..., "currency": ...}
WRONG_FIELDS = [
    ({"amount": ...}, "/amount", "parameter_missing"),
    ({"currency": ...}, "/currency", "parameter_missing"),
    ({"reference": ...}, "/reference", "parameter_missing"),
    ({"success_url": ...}, "/success_url", "parameter_missing"),
    ({"currency": "usd"}, "/currency", "currency_unknown"),
    ({"currency": "XXX"}, "/currency", "currency_unknown"),
    ({"currency": 840}, "/currency", "parameter_invalid"),
    ({"refrence": "a"}, "/refrence", "parameter_unknown"),
    ({"a/b~c": "a"}, "/a~1b~0c", "parameter_unknown"),
    ({"reference": ""}, "/reference", "parameter_invalid"),
    ({"reference": "x" * 121}, "/reference", "parameter_invalid"),
    ({"reference": "a\x00b"}, "/reference", "parameter_invalid"),
    ({"reference": "abc\u202egnp"}, "/reference", "parameter_invalid"),
    ({"reference": 1001}, "/reference", "parameter_invalid"),
    ({"expires_in": 299}, "/expires_in", "parameter_invalid"),
    ({"expires_in": 604801}, "/expires_in", "parameter_invalid"),
    ({"expires_in": "1800"}, "/expires_in", "parameter_invalid"),
    ({"expires_in": 1800.0}, "/expires_in", "parameter_invalid"),
    ({"expires_in": True}, "/expires_in", "parameter_invalid"),
    ({"locale": "fr"}, "/locale", "parameter_invalid"),
    ({"locale": "deutsch"}, "/locale", "parameter_invalid"),
    ({"mode": "gift"}, "/mode", "parameter_invalid"),
    ({"mode": "subscription", "amount": ..., "currency": ...}, "/plan", "parameter_missing"),
    ({"mode": "subscription", "plan": A_PLAN, "currency": ...}, "/amount", "parameter_invalid"),
    ({"mode": "subscription", "plan": A_PLAN, "amount": ...}, "/currency", "parameter_invalid"),
    (A_SUBSCRIPTION | {"capture_method": "manual"}, "/capture_method", "parameter_invalid"),
    (A_SUBSCRIPTION | {"line_items": []}, "/line_items", "parameter_invalid"),
    (A_SUBSCRIPTION | {"plan": "plan_1"}, "/plan", "parameter_invalid"),
    (A_SUBSCRIPTION | {"customer": "cus_1"}, "/customer", "parameter_invalid"),
    ({"plan": A_PLAN}, "/plan", "parameter_invalid"),
    ({"customer_email": "ada"}, "/customer_email", "parameter_invalid"),
    ({"customer_email": "ada@x.example\nBcc: all"}, "/customer_email", "parameter_invalid"),
    ({"customer_country": "de"}, "/customer_country", "parameter_invalid"),
    ({"customer_country": "DEU"}, "/customer_country", "parameter_invalid"),
    ({"methods": []}, "/methods", "parameter_invalid"),
    ({"methods": ["sol", "doge"]}, "/methods/1", "parameter_invalid"),
    ({"metadata": {"k" * 41: "v"}}, "/metadata", "parameter_invalid"),
    ({"metadata": {"k": "v" * 501}}, "/metadata", "parameter_invalid"),
    ({"metadata": {"k": "a\x00b"}}, "/metadata", "parameter_invalid"),
    ({"metadata": {"k": 1}}, "/metadata/k", "parameter_invalid"),
    ({"metadata": {str(n): "v" for n in range(51)}}, "/metadata", "parameter_invalid"),
    ({"capture_method": "later"}, "/capture_method", "parameter_invalid"),
    ({"reference": "4242424242424242"}, "/reference", "parameter_invalid"),
    ({"reference": "card 4242-4242-4242-4242"}, "/reference", "parameter_invalid"),
    ({"customer_email": "4242424242424242@x.example"}, "/customer_email", "parameter_invalid"),
    ({"success_url": f"{ORIGIN}/?pan=4242424242424242"}, "/success_url", "parameter_invalid"),
    ({"metadata": {"note": "4242 4242 4242 4242 12/30"}}, "/metadata", "parameter_invalid"),
    ({"metadata": {"4242424242424242": "v"}}, "/metadata", "parameter_invalid"),
    ({"metadata": {"note": "\uff14242424242424242"}}, "/metadata", "parameter_invalid"),
    ({"line_items": [{"name": "4242424242424242", "amount": "12.30"}]}, "/line_items/0/name", "parameter_invalid"),
    ({"line_items": [{"name": "A", "amount": "12.29"}]}, "/line_items", "parameter_invalid"),
    ({"line_items": [{"name": "A", "amount": "12.301"}]}, "/line_items/0/amount", "amount_too_precise"),
    ({"line_items": [{"name": "A", "amount": 12.3}]}, "/line_items/0/amount", "amount_invalid"),
    ({"line_items": [{"name": "A", "amount": "12.30", "quantity": 0}]}, "/line_items/0/quantity", "parameter_invalid"),
    ({"line_items": [{"amount": "12.30"}]}, "/line_items/0/name", "parameter_missing"),
    ({"line_items": [{"name": "A", "amount": "0.01"}] * 101}, "/line_items", "parameter_invalid"),
]


@pytest.mark.parametrize(("over", "param", "code"), WRONG_FIELDS)
def test_a_wrong_field_is_named_and_changes_nothing(
    door: Door, rows: Rows, over: dict[str, object], param: str, code: str
) -> None:
    before = rows()
    answer = door.post(SESSIONS, an_order(**over), key="k")
    assert (answer.status_code, answer.json["param"], answer.json["code"]) == (400, param, code)
    assert rows() == before


BAD_URLS = [
    ("https://evil.example/thanks", "url_origin_refused"),
    ("https://shop.example.evil.example/", "url_origin_refused"),
    ("https://shop.example:444/", "url_origin_refused"),
    ("http://shop.example/", "url_origin_refused"),
    ("https://shop.example@evil.example/", "url_invalid"),
    ("https://user:pass@shop.example/", "url_invalid"),
    ("https://shop.example\\@evil.example/", "url_invalid"),
    ("https://shop.example/\r\nSet-Cookie: a=b", "url_invalid"),
    ("https://shop.example/\n", "url_invalid"),
    ("//shop.example/", "url_invalid"),
    ("/thanks", "url_invalid"),
    ("javascript:alert(1)", "url_invalid"),
    ("data:text/html,x", "url_invalid"),
    ("ftp://shop.example/", "url_invalid"),
    ("https://", "url_invalid"),
    ("https://shop.example:99999/", "url_invalid"),
    ("https://sh..op.example/", "url_invalid"),
    (f"{ORIGIN}/{'x' * 2048}", "url_invalid"),
    ("https://shöp.example/", "url_invalid"),
    ("http://127.0.0.1.evil.example/", "url_origin_refused"),
    ("http://localhost.evil.example/", "url_origin_refused"),
]


@pytest.mark.parametrize("field", ["success_url", "cancel_url"])
@pytest.mark.parametrize(("url", "code"), BAD_URLS)
def test_shoppers_are_sent_to_the_merchants_origins_only(
    door: Door, rows: Rows, field: str, url: str, code: str
) -> None:
    before = rows()
    answer = door.post(SESSIONS, an_order(**{field: url}))
    assert (answer.status_code, answer.json["param"], answer.json["code"]) == (400, f"/{field}", code)
    assert rows() == before


@pytest.mark.parametrize(
    "url",
    [
        ORIGIN,
        f"{ORIGIN}/thanks?order=1&x=%20#paid",
        "HTTPS://SHOP.example:443/thanks",
        "http://127.0.0.1:8081/thanks",
        "http://localhost:8081/thanks",
        "http://[::1]:8081/thanks",
        "http://shop.localhost/thanks",
    ],
)
def test_in_test_mode_origins_and_loopback_are_good(door: Door, url: str) -> None:
    assert door.post(SESSIONS, a_new_order(success_url=url)).status_code == 201


@pytest.mark.parametrize(
    ("url", "code"),
    [("http://127.0.0.1/", "url_invalid"), ("https://127.0.0.1/", "url_origin_refused"), (ORIGIN, None)],
)
def test_in_live_mode_only_https_origins_are_good(door: Door, url: str, code: str | None) -> None:
    live = a_door(door.shop, livemode=True)
    answer = live.post(SESSIONS, a_new_order(success_url=url))
    assert answer.json.get("code") == code


def test_every_wrong_field_is_named_at_once(door: Door, rows: Rows) -> None:
    before = rows()
    wrong = an_order(amount=12, reference=..., success_url="https://evil.example/", expires_in=1, colour="red")
    answer = door.post(SESSIONS, wrong)
    assert {(each["param"], each["code"]) for each in answer.json["errors"]} == {
        ("/amount", "amount_invalid"),
        ("/reference", "parameter_missing"),
        ("/success_url", "url_origin_refused"),
        ("/expires_in", "parameter_invalid"),
        ("/colour", "parameter_unknown"),
    }
    assert rows() == before


def test_a_problem_never_repeats_what_was_sent(door: Door) -> None:
    secret = "hunter2-very-secret"
    body = an_order(
        amount=secret,
        currency=secret,
        reference=secret * 20,
        success_url=secret,
        cancel_url=f"https://{secret}.example",
        customer_email=secret,
        locale=secret,
        methods=[secret],
        mode=secret,
        metadata={"k": [secret]},
        line_items=[{"name": "A", "amount": secret, "quantity": secret}],
        expires_in=secret,
    )
    answer = door.post(SESSIONS, body)
    assert len(answer.json["errors"]) >= 10
    assert secret not in answer.text


def test_a_long_field_name_is_cut(door: Door) -> None:
    answer = door.post(SESSIONS, an_order(**{"x" * 5000: 1, "y\x00\u202e": 1}))
    assert len(answer.data) < 2000
    assert "\\u202e" not in answer.text
    assert "\u202e" not in answer.text


BROKEN_BODIES = [
    (b"{", "body_not_json"),
    (b'{"amount": "12.30",}', "body_not_json"),
    (b"amount=12.30", "body_not_json"),
    (b'{"amount": "\xff"}', "body_not_json"),
    (b'{"amount": "\\ud800"}', "body_not_json"),
    (b"[" * 10_000, "body_not_json"),
    (b'{"a":' * 5_000, "body_not_json"),
    (b"[]", "body_not_json"),
    (b"null", "body_not_json"),
    (b'"12.30"', "body_not_json"),
    (b"\xef\xbb\xbf{}", "body_not_json"),
    (b" " * 10, "body_not_json"),
    (b"\x00", "body_not_json"),
]


@pytest.mark.parametrize(("raw", "code"), BROKEN_BODIES)
def test_a_broken_body_is_refused_and_changes_nothing(door: Door, rows: Rows, raw: bytes, code: str) -> None:
    before = rows()
    answer = door.send("POST", SESSIONS, data=raw, content_type="application/json", headers={"Idempotency-Key": "k"})
    assert (answer.status_code, answer.json["code"]) == (400, code)
    assert rows() == before


def test_a_body_of_64_kib_is_read_and_one_byte_more_is_not(door: Door, rows: Rows) -> None:
    before = rows()
    fits = json.dumps({"padding": "x" * (65_536 - len('{"padding": ""}'))})
    assert len(fits) == 65_536
    answer = door.send("POST", SESSIONS, data=fits, content_type="application/json")
    assert answer.json["errors"][-1]["code"] == "parameter_unknown"
    answer = door.send("POST", SESSIONS, data=fits + " ", content_type="application/json")
    assert (answer.status_code, answer.json["code"]) == (413, "body_too_large")
    assert rows() == before


@pytest.mark.parametrize(
    "content_type",
    ["application/x-www-form-urlencoded", "text/plain", "", "application/json; charset=latin-1", "application/json+x"],
)
def test_a_body_that_is_not_json_by_its_own_word_is_refused(door: Door, rows: Rows, content_type: str) -> None:
    before = rows()
    answer = door.send("POST", SESSIONS, data=json.dumps(an_order()), content_type=content_type)
    assert (answer.status_code, answer.json["code"]) == (415, "content_type_unsupported")
    assert rows() == before


def test_json_with_its_charset_named_is_json(door: Door) -> None:
    text = json.dumps(a_new_order())
    answer = door.send("POST", SESSIONS, data=text, content_type="application/json; charset=UTF-8")
    assert answer.status_code == 201


BAD_QUERIES = [
    ("/v1/payments?limit=0", "/limit", "parameter_invalid"),
    ("/v1/payments?limit=101", "/limit", "parameter_invalid"),
    ("/v1/payments?limit=", "/limit", "parameter_invalid"),
    ("/v1/payments?limit=1.0", "/limit", "parameter_invalid"),
    ("/v1/payments?limit=%D9%A1", "/limit", "parameter_invalid"),
    ("/v1/payments?limit=1_0", "/limit", "parameter_invalid"),
    ("/v1/payments?limit=+5", "/limit", "parameter_invalid"),
    ("/v1/payments?limit=5&limit=6", "/limit", "parameter_invalid"),
    ("/v1/payments?status=paidd", "/status", "parameter_invalid"),
    ("/v1/payments?reference=%00", "/reference", "parameter_invalid"),
    ("/v1/payments?colour=red", "/colour", "parameter_unknown"),
    ("/v1/payments?starting_after=pay_1", "/starting_after", "cursor_invalid"),
    ("/v1/payments?starting_after=cs_00000000000000000000000000", "/starting_after", "cursor_invalid"),
    ("/v1/payments?ending_before=%00", "/ending_before", "cursor_invalid"),
    ("/v1/events?types=ping,pong", "/types", "parameter_invalid"),
    ("/v1/events?after=nothing", "/after", "cursor_invalid"),
    ("/v1/events?after=evt_00000000000000000000000000", "/after", "cursor_invalid"),
    ("/v1/ledger_entries?payment=42", "/payment", "parameter_invalid"),
    ("/v1/chain_transfers?status=lost", "/status", "parameter_invalid"),
    ("/v1/refunds?payment=42", "/payment", "parameter_invalid"),
    ("/v1/refunds?status=lost", "/status", "parameter_invalid"),
    ("/v1/refunds?starting_after=pay_00000000000000000000000000", "/starting_after", "cursor_invalid"),
    ("/v1/disputes?status=open", "/status", "parameter_invalid"),
    ("/v1/disputes?ending_before=dsp_1", "/ending_before", "cursor_invalid"),
    ("/v1/rates?base=SOL", "/quote", "parameter_missing"),
    ("/v1/rates?base=SOL&quote=LOL", "/quote", "currency_unknown"),
    ("/v1/methods?amount=12", "/amount", "parameter_missing"),
    ("/v1/methods?amount=1e3&currency=USD", "/amount", "amount_invalid"),
    ("/v1/account?x=1", "/x", "parameter_unknown"),
    (f"/v1/payments?reference={'x' * 5000}", None, "parameter_invalid"),
]


@pytest.mark.parametrize(("path", "param", "code"), BAD_QUERIES)
def test_a_wrong_query_is_named(door: Door, path: str, param: str | None, code: str) -> None:
    answer = door.get(path)
    assert (answer.status_code, answer.json["param"], answer.json["code"]) == (400, param, code)


def test_two_cursors_at_once_are_refused(door: Door) -> None:
    cursor = "pay_00000000000000000000000000"
    answer = door.get(f"/v1/payments?starting_after={cursor}&ending_before={cursor}")
    assert (answer.status_code, answer.json["code"]) == (400, "cursor_invalid")


@pytest.mark.parametrize("key", ["", "k" * 256, "schlüssel", '"open', "a\tb", "4242424242424242"])
def test_a_malformed_idempotency_key_is_refused(door: Door, rows: Rows, key: str) -> None:
    before = rows()
    answer = door.post(SESSIONS, an_order(), key=key)
    assert (answer.status_code, answer.json["code"]) == (400, "idempotency_key_invalid")
    assert rows() == before


BAD_ENDPOINTS = [
    ({"url": "http://shop.example/in"}, "/url", "endpoint_url_refused"),
    ({"url": "https://127.0.0.1/in"}, "/url", "endpoint_url_refused"),
    ({"url": "https://169.254.169.254/latest"}, "/url", "endpoint_url_refused"),
    ({"url": "https://user:pw@shop.example/in"}, "/url", "url_invalid"),
    ({"url": "shop.example"}, "/url", "url_invalid"),
    ({"url": 7}, "/url", "parameter_invalid"),
    ({}, "/url", "parameter_missing"),
    ({"url": "https://shop.example/in", "enabled_events": []}, "/enabled_events", "parameter_invalid"),
    (
        {"url": "https://shop.example/in", "enabled_events": ["ping", "payment.won"]},
        "/enabled_events/1",
        "parameter_invalid",
    ),
    ({"url": "https://shop.example/in", "description": "x" * 201}, "/description", "parameter_invalid"),
    ({"url": "https://shop.example/4242424242424242"}, "/url", "parameter_invalid"),
    ({"url": "https://shop.example/in", "description": "4242424242424242"}, "/description", "parameter_invalid"),
    ({"url": "https://shop.example/in", "secret": "whsec_mine"}, "/secret", "parameter_unknown"),
]


@pytest.mark.parametrize(("body", "param", "code"), BAD_ENDPOINTS)
def test_a_bad_endpoint_is_refused_and_changes_nothing(
    door: Door, rows: Rows, body: dict[str, object], param: str | None, code: str
) -> None:
    before = rows()
    answer = door.post("/v1/webhook_endpoints", body, key="k")
    assert (answer.status_code, answer.json["code"]) == (400, code)
    assert param is None or answer.json["param"] == param
    assert rows() == before
