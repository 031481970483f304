"""Every route's good answers. `Door` holds each answer to the model that the document promises for its status."""

import json
from typing import Any

import pytest
from sqlalchemy import select

from gateway.domain.events import EventType
from gateway.outbox.events import publish
from gateway.storage import schema
from gateway.storage.database import Database
from hosted_checkout.api.answers import EVENT_OBJECTS, Event
from tests.api.conftest import ORIGIN, Door, an_order
from tests.engine.paper import lamports

SESSIONS = "/v1/checkout/sessions"
ENDPOINTS = "/v1/webhook_endpoints"
PROOF = {"reference": "SEPA 1", "evidence": "a letter"}


@pytest.fixture
def db(every_db: Database) -> Database:
    """Run on all three databases."""
    return every_db


def paid(door: Door, reference: str = "order-1001", amount: str = "12.30") -> dict[str, Any]:
    """Return a session that was paid in SOL: 200 USD each."""
    session: dict[str, Any] = door.post(SESSIONS, an_order(reference=reference, amount=amount)).json
    record = door.shop.reload(session["url"].rpartition("/")[2])
    attempt = door.shop.engine.attempts.choose(record, "sol")
    door.shop.engine.observations.observe([door.shop.observation(attempt.due.atomic, attempt.reference_key)])
    return session


def stored_events(door: Door) -> list[str]:
    """Return the bodies of a merchant's events as they are stored."""
    query = select(schema.event.c.body).where(schema.event.c.merchant_id == door.shop.merchant.id)
    return [str(body) for body in door.shop.db.read(lambda tx: tx.scalars(query).all())]


# --- sessions and payments ---------------------------------------------------------------------------------------


def test_a_session_is_created_with_everything_it_was_given(door: Door) -> None:
    body = an_order(
        cancel_url=f"{ORIGIN}/cart",
        customer_email="ada@example.com",
        customer_country="AT",
        capture_method="manual",
        locale="de-AT",
        line_items=[{"name": "Shirt", "quantity": 2, "amount": "10.3"}, {"name": "Postage", "amount": "2"}],
        methods=["usdc", "sol", "usdc"],
        expires_in=300,
        mode="payment",
        metadata={"cart": "c-77", "note": "line one\nline two"},
    )
    session = door.post(SESSIONS, body).json
    assert session["line_items"] == [
        {"name": "Shirt", "quantity": 2, "amount": "10.30"},
        {"name": "Postage", "quantity": 1, "amount": "2.00"},
    ]
    assert session["methods"] == ["usdc", "sol"]
    assert session["locale"] == "de"
    assert (session["customer_country"], session["capture_method"]) == ("AT", "manual")
    assert session["metadata"] == body["metadata"]
    assert session["url"].startswith("http://gateway.test/pay/")
    assert session["created_at"] == "2026-11-20T12:00:00.000Z"
    assert session["expires_at"] == "2026-11-20T12:05:00.000Z"
    assert door.get(f"{SESSIONS}/{session['id']}").json == session


def test_the_longest_session_fits_every_database(door: Door) -> None:
    wide = "\N{MONEY BAG}"
    body = an_order(
        amount=f"{'9' * 63}.99",
        reference=wide * 120,
        success_url=f"{ORIGIN}/{'s' * (2047 - len(ORIGIN))}",
        cancel_url=f"{ORIGIN}/{'c' * (2047 - len(ORIGIN))}",
        customer_email=f"{'a' * 64}@{'b' * 181}.example",
        locale="ar-Arab-EG",
        line_items=[{"name": wide * 200, "quantity": 1_000_000, "amount": f"{'9' * 63}.99"}],
        metadata={wide * 38 + f"{number:02}": "v" * 500 for number in range(50)},
        expires_in=604_800,
    )
    session = door.post(SESSIONS, body, key="k" * 255).json
    for name in ("amount", "reference", "success_url", "cancel_url", "customer_email", "metadata"):
        assert session[name] == body[name], name
    assert door.get(f"{SESSIONS}/{session['id']}").json == session
    assert len(door.get(f"/v1/payments?reference={wide * 120}").json["data"]) == 1


@pytest.mark.parametrize(
    "text", ["a'b\"c\\d%_;--", "  two  spaces ", "\u200d\U0001f469\u0301", "\N{SNOWMAN}", "null", "0"]
)
def test_texts_come_back_exactly(door: Door, text: str) -> None:
    session = door.post(SESSIONS, an_order(metadata={"text": text})).json
    assert door.get(f"{SESSIONS}/{session['id']}").json["metadata"] == {"text": text}
    assert door.get(f"/v1/payments/{session['payment']}").json["metadata"] == {"text": text}


def test_references_differ_by_case_accent_and_space(door: Door) -> None:
    names = ["order-a", "order-A", "order-á", "order-a ", "order-\uff41"]
    assert len({door.post(SESSIONS, an_order(reference=name)).json["id"] for name in names}) == len(names)
    for name in names:
        found = door.client.get(
            "/v1/payments", query_string={"reference": name}, headers={"Authorization": f"Bearer {door.key}"}
        )
        assert [each["reference"] for each in found.json["data"]] == [name]


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [("12.3", "USD", "12.30"), ("0012", "JPY", "12"), ("0.000000001", "SOL", "0.000000001"), ("1.5", "BHD", "1.500")],
)
def test_amounts_are_shown_with_every_decimal(door: Door, amount: str, currency: str, shown: str) -> None:
    session = door.post(SESSIONS, an_order(amount=amount, currency=currency)).json
    assert (session["amount"], session["currency"]) == (shown, currency)


def test_an_open_session_can_be_expired_once(door: Door) -> None:
    session = door.post(SESSIONS, an_order()).json
    assert door.post(f"{SESSIONS}/{session['id']}/expire").json["status"] == "expired"
    answer = door.post(f"{SESSIONS}/{session['id']}/expire")
    assert (answer.status_code, answer.json["code"]) == (409, "session_not_open")
    assert answer.json["object_id"] == session["id"]


def test_a_paid_session_cannot_be_expired(door: Door) -> None:
    session = paid(door)
    answer = door.post(f"{SESSIONS}/{session['id']}/expire")
    assert (answer.status_code, answer.json["code"]) == (409, "session_not_open")
    assert door.get(f"{SESSIONS}/{session['id']}").json["payment_status"] == "paid"


def test_an_expired_session_is_not_reopened_by_its_own_key(door: Door) -> None:
    first = door.post(SESSIONS, an_order(), key="k")
    door.post(f"{SESSIONS}/{first.json['id']}/expire")
    assert door.post(SESSIONS, an_order(), key="k").data == first.data
    assert door.get(f"{SESSIONS}/{first.json['id']}").json["status"] == "expired"


def test_a_post_without_a_body_is_an_empty_one(door: Door) -> None:
    session = door.post(SESSIONS, an_order()).json
    assert door.send("POST", f"{SESSIONS}/{session['id']}/expire").status_code == 200


def test_lists_are_newest_first_and_filtered(door: Door) -> None:
    for number in range(3):
        door.post(SESSIONS, an_order(reference=f"order-{number}"))
    paid(door, "order-3")
    listing = door.get(SESSIONS).json
    assert [each["reference"] for each in listing["data"]] == ["order-3", "order-2", "order-1", "order-0"]
    assert (listing["has_more"], listing["url"]) == (False, SESSIONS)
    assert [each["reference"] for each in door.get(f"{SESSIONS}?status=complete").json["data"]] == ["order-3"]
    assert [each["reference"] for each in door.get(f"{SESSIONS}?reference=order-1").json["data"]] == ["order-1"]
    assert [each["reference"] for each in door.get("/v1/payments?status=paid").json["data"]] == ["order-3"]
    assert [each["reference"] for each in door.get("/v1/payments?reference=order-2").json["data"]] == ["order-2"]


def test_cursors_lead_through_a_list_and_back(door: Door) -> None:
    for number in range(5):
        door.post(SESSIONS, an_order(reference=f"order-{number}"))
    first = door.get("/v1/payments?limit=2").json
    second = door.get(f"/v1/payments?limit=2&starting_after={first['data'][-1]['id']}").json
    third = door.get(f"/v1/payments?limit=2&starting_after={second['data'][-1]['id']}").json
    assert [len(page["data"]) for page in (first, second, third)] == [2, 2, 1]
    assert [page["has_more"] for page in (first, second, third)] == [True, True, False]
    back = door.get(f"/v1/payments?limit=2&ending_before={third['data'][0]['id']}").json
    assert back["data"] == second["data"]
    assert back["has_more"] is True


def test_a_payment_shows_what_was_asked_and_what_came(door: Door) -> None:
    session = paid(door)
    payment = door.get(f"/v1/payments/{session['payment']}").json
    assert (payment["status"], payment["amount_received"]) == ("paid", "12.30")
    assert payment["attempts"][0]["amount"] == "0.061500000"
    assert payment["transfers"][0]["stage"] == "final"
    assert door.get("/v1/payments").json["data"] == [payment]


# --- events ------------------------------------------------------------------------------------------------------


def test_an_event_is_read_as_webhooks_carry_it(door: Door) -> None:
    door.post(SESSIONS, an_order())
    event = door.get("/v1/events").json["data"][0]
    (stored,) = stored_events(door)
    assert door.get(f"/v1/events/{event['id']}").text == stored
    assert json.loads(stored) == event


def test_polling_gives_events_oldest_first_after_the_last_one(door: Door) -> None:
    door.post(SESSIONS, an_order(reference="first"))
    publish(door.shop.db, door.shop.clock)
    cursor = door.get("/v1/events").json["data"][0]["id"]
    paid(door, "second")
    publish(door.shop.db, door.shop.clock)
    seen = []
    while page := door.get(f"/v1/events?after={cursor}&limit=1").json["data"]:
        seen.append(page[0]["type"])
        cursor = page[0]["id"]
    assert seen[0] == "checkout.session.created"
    assert set(seen) == {"checkout.session.created", "payment.succeeded", "checkout.session.completed"}
    newest = door.get("/v1/events?types=payment.succeeded,ping").json["data"]
    assert [each["type"] for each in newest] == ["payment.succeeded"]


def test_every_stored_event_keeps_to_the_schema_of_its_type(door: Door) -> None:
    shop = door.shop
    paid(door, "exact")
    endpoint = door.post(ENDPOINTS, {"url": "https://hooks.example/in"}).json
    door.post(f"{ENDPOINTS}/{endpoint['id']}/test")
    expired = door.post(SESSIONS, an_order(reference="given up")).json
    door.post(f"{SESSIONS}/{expired['id']}/expire")
    for reference, share in (("under", "0.03"), ("over", "0.09")):
        session = door.post(SESSIONS, an_order(reference=reference)).json
        attempt = shop.engine.attempts.choose(shop.reload(session["url"].rpartition("/")[2]), "sol")
        shop.engine.observations.observe([shop.observation(lamports(share), attempt.reference_key)])
    shop.engine.observations.observe([shop.observation(lamports("1"))])
    seen = set()
    for body in stored_events(door):
        kind = EventType(json.loads(body)["type"])
        Event.__class_getitem__(EVENT_OBJECTS[kind]).model_validate_json(body, strict=False)  # type: ignore[union-attr]  # a class by now
        seen.add(kind)
    assert {EventType.PING, EventType.TRANSFER_UNMATCHED, EventType.PAYMENT_OVERPAID, EventType.SESSION_EXPIRED} < seen
    assert {EventType.PAYMENT_SUCCEEDED, EventType.PAYMENT_PARTIALLY_PAID, EventType.PAYMENT_CANCELED} < seen


# --- webhook endpoints -------------------------------------------------------------------------------------------


def test_an_endpoint_lives_through_all_its_verbs(door: Door) -> None:
    body = {"url": "https://hooks.example/in", "enabled_events": ["ping", "payment.late"], "description": "Shop"}
    created = door.post(ENDPOINTS, body)
    assert created.status_code == 201
    endpoint = created.json
    secret = endpoint.pop("secret")
    path = f"{ENDPOINTS}/{endpoint['id']}"
    assert door.get(path).json == endpoint
    assert door.get(ENDPOINTS).json["data"] == [endpoint]

    changed = door.send("PATCH", path, json={"enabled_events": ["*"], "status": "disabled", "description": None}).json
    assert (changed["enabled_events"], changed["status"], changed["description"]) == (["*"], "disabled", None)
    assert changed["url"] == endpoint["url"]
    assert door.post(f"{path}/test").status_code == 409
    assert door.send("PATCH", path, json={"status": "enabled"}).json["disabled_reason"] is None
    assert door.send("PATCH", path, json={}).json["status"] == "enabled"

    ping = door.post(f"{path}/test")
    assert (ping.status_code, ping.json["type"]) == (202, "ping")
    again = door.post(f"{path}/resend", {"event": ping.json["id"]})
    assert (again.status_code, again.json) == (202, ping.json)
    assert door.get(f"{path}/deliveries").json["data"] == []

    rotated = door.post(f"{path}/rotate_secret", {"grace_s": 60}).json
    assert rotated["secret"] not in {secret, None}
    assert door.send("DELETE", path).json == {"id": endpoint["id"], "object": "webhook_endpoint", "deleted": True}
    assert door.get(path).status_code == 404
    assert door.get(ENDPOINTS).json["data"] == []


def test_the_seventeenth_endpoint_is_refused(door: Door) -> None:
    for number in range(16):
        assert door.post(ENDPOINTS, {"url": f"https://hooks.example/{number}"}).status_code == 201
    answer = door.post(ENDPOINTS, {"url": "https://hooks.example/16"})
    assert (answer.status_code, answer.json["code"]) == (409, "endpoint_limit_reached")


def test_deliveries_are_listed(door: Door) -> None:
    endpoint = door.post(ENDPOINTS, {"url": "https://hooks.example/in"}).json
    ping = door.post(f"{ENDPOINTS}/{endpoint['id']}/test").json
    values = {
        "id": door.shop.ids.new("dlv"),
        "event_id": ping["id"],
        "endpoint_id": endpoint["id"],
        "attempt": 1,
        "outcome": "failed",
        "status_code": 500,
        "error": None,
        "latency_ms": 12,
        "response_excerpt": "<html>",
        "created_at": door.shop.clock.now(),
        "next_attempt_at": door.shop.clock.now(),
    }
    door.shop.db.write(lambda tx: tx.execute(schema.delivery.insert(), values))
    (delivery,) = door.get(f"{ENDPOINTS}/{endpoint['id']}/deliveries").json["data"]
    assert (delivery["event_type"], delivery["outcome"], delivery["status_code"]) == ("ping", "failed", 500)


# --- books -------------------------------------------------------------------------------------------------------


def test_the_books_show_a_payment(door: Door) -> None:
    session = paid(door)
    balances = {(row["account"], row["currency"]): row["posted"] for row in door.get("/v1/balances").json["data"]}
    assert balances["merchant:available", "SOL"] == "-0.061500000"
    entries = door.get(f"/v1/ledger_entries?payment={session['payment']}").json["data"]
    assert entries
    assert {entry["subject"] for entry in entries} == {session["payment"]}
    total = sum(float(posting["amount"]) for posting in entries[0]["postings"])
    assert total == 0
    assert door.get("/v1/ledger_entries?payment=pay_00000000000000000000000000").json["data"] == []


def test_entries_are_paged_in_both_directions(door: Door) -> None:
    for number in range(4):
        paid(door, f"order-{number}")
    everything = door.get("/v1/ledger_entries?limit=100").json["data"]
    assert len(everything) >= 4
    first = door.get("/v1/ledger_entries?limit=2").json
    assert (first["data"], first["has_more"]) == (everything[:2], True)
    second = door.get(f"/v1/ledger_entries?limit=2&starting_after={everything[1]['id']}").json
    assert second["data"] == everything[2:4]
    back = door.get(f"/v1/ledger_entries?limit=2&ending_before={everything[3]['id']}").json
    assert (back["data"], back["has_more"]) == (everything[1:3], True)


# --- prices ------------------------------------------------------------------------------------------------------


def test_a_rate_names_its_sources(door: Door) -> None:
    rate = door.get("/v1/rates?base=SOL&quote=USD").json
    assert (rate["rate"], [source["name"] for source in rate["sources"]]) == ("200", ["one", "two"])


def test_a_missing_rate_asks_to_come_back(door: Door) -> None:
    answer = door.get("/v1/rates?base=SOL&quote=EUR")
    assert (answer.status_code, answer.json["code"], answer.json["retryable"]) == (503, "rate_unavailable", True)


def test_a_quote_is_locked(door: Door) -> None:
    quote = door.post("/v1/quotes", {"amount": "12.30", "currency": "USD", "method": "sol"}, key="q")
    assert (quote.status_code, quote.json["pay_amount"], quote.json["rate"]) == (201, "0.061500000", "200")
    assert door.post("/v1/quotes", {"amount": "12.30", "currency": "USD", "method": "sol"}, key="q").json == quote.json
    answer = door.post("/v1/quotes", {"amount": "12.30", "currency": "USD", "method": "doge"})
    assert (answer.status_code, answer.json["code"], answer.json["param"]) == (400, "method_unavailable", "/method")
    answer = door.post("/v1/quotes", {"amount": "12.30", "currency": "EUR", "method": "sol"})
    assert (answer.status_code, answer.json["code"]) == (503, "rate_unavailable")


def test_a_price_beyond_every_book_is_refused(door: Door) -> None:
    amount = f"{'9' * 63}.99"
    answer = door.post("/v1/quotes", {"amount": amount, "currency": "USD", "method": "sol"})
    assert (answer.status_code, answer.json["code"]) == (400, "amount_too_large")
    methods = door.get(f"/v1/methods?amount={amount}&currency=USD").json["data"]
    assert {each["available"] for each in methods} == {False}


def test_methods_say_why_they_are_not_available(door: Door) -> None:
    methods = door.get("/v1/methods").json["data"]
    assert [(each["id"], each["available"]) for each in methods] == [("sol", True), ("usdc", True)]
    priced = door.get("/v1/methods?amount=12.30&currency=EUR").json["data"]
    assert [(each["available"], bool(each["reason"])) for each in priced] == [(False, True), (False, True)]
    assert all(each["available"] for each in door.get("/v1/methods?amount=12&currency=USD").json["data"])


def test_a_method_without_an_address_is_not_available(door: Door) -> None:
    stranger = door.shop.engine.merchants.create("No wallet", door.shop.merchant.settings)
    door.key = door.shop.engine.merchants.create_key(stranger.id, livemode=False)
    for path in ("/v1/methods", "/v1/methods?amount=12&currency=USD"):
        assert {each["available"] for each in door.get(path).json["data"]} == {False}


# --- chain transfers and account ---------------------------------------------------------------------------------


def test_unmatched_money_is_listed_and_matched_once(door: Door) -> None:
    session = door.post(SESSIONS, an_order()).json
    door.shop.engine.attempts.choose(door.shop.reload(session["url"].rpartition("/")[2]), "sol")
    door.shop.engine.observations.observe([door.shop.observation(lamports("0.0615"))])
    (transfer,) = door.get("/v1/chain_transfers?status=unmatched").json["data"]
    assert session["payment"] in transfer["suggestions"]
    path = f"/v1/chain_transfers/{transfer['id']}/match"
    matched = door.post(path, {"payment": session["payment"]}, key="m")
    assert (matched.json["status"], matched.json["payment"]) == ("matched", session["payment"])
    assert door.get(f"{SESSIONS}/{session['id']}").json["payment_status"] == "paid"
    assert door.get("/v1/chain_transfers?status=unmatched").json["data"] == []
    assert len(door.get("/v1/chain_transfers?status=matched").json["data"]) == 1
    other = door.post(SESSIONS, an_order(reference="other")).json
    door.shop.engine.attempts.choose(door.shop.reload(other["url"].rpartition("/")[2]), "sol")
    answer = door.post(path, {"payment": other["payment"]})
    assert (answer.status_code, answer.json["code"]) == (409, "transfer_already_matched")


def test_the_account_shows_its_rules(door: Door) -> None:
    account = door.get("/v1/account").json
    assert (account["id"], account["name"]) == (door.shop.merchant.id, "Paper & Sons")
    assert (account["origins"], account["brand_color"]) == ([ORIGIN], "#0a7cff")
    assert account["receiving_addresses"] == [{"network": "solana:localnet", "address": door.shop.wallet}]
