"""One key, one intent: replays, other bodies, other paths, natural keys, and secrets that are shown again."""

import json
import threading
from collections.abc import Callable

import pytest
from sqlalchemy import select

from gateway.storage import schema
from gateway.storage.database import Database
from tests.api.conftest import Door, a_door, an_order
from tests.engine.paper import Shop

SESSIONS = "/v1/checkout/sessions"
Rows = Callable[[], dict[str, int]]


@pytest.fixture
def db(every_db: Database) -> Database:
    """Run on all three databases."""
    return every_db


def test_the_same_key_and_body_get_the_same_answer_once(door: Door, rows: Rows) -> None:
    first = door.post(SESSIONS, an_order(), key="k")
    assert "Idempotent-Replayed" not in first.headers
    before = rows()
    again = door.post(SESSIONS, an_order(), key="k")
    assert (again.status_code, again.data, again.headers["Idempotent-Replayed"]) == (201, first.data, "true")
    assert again.headers["Request-Id"] != first.headers["Request-Id"]
    assert rows() == before


def test_spelling_does_not_matter_but_meaning_does(door: Door) -> None:
    first = door.post(SESSIONS, an_order(), key="k")
    turned = json.dumps(dict(reversed(an_order().items())), indent=4)
    again = door.send(
        "POST", SESSIONS, data=turned, content_type="application/json", headers={"Idempotency-Key": '"k"'}
    )
    assert again.data == first.data
    other = door.post(SESSIONS, an_order(amount="12.31"), key="k")
    assert (other.status_code, other.json["code"]) == (422, "idempotency_mismatch")


def test_keys_differ_by_case(door: Door) -> None:
    one, two = (door.post(SESSIONS, an_order(reference=key), key=key).json["id"] for key in ("key-a", "key-A"))
    assert one != two


def test_a_refused_request_does_not_use_its_key_up(door: Door) -> None:
    assert door.post(SESSIONS, an_order(amount="0"), key="k").status_code == 400
    assert door.post(SESSIONS, an_order(), key="k").status_code == 201


def test_a_key_belongs_to_account_mode_and_route(door: Door, db: Database) -> None:
    assert door.post(SESSIONS, an_order(), key="k").status_code == 201
    stranger = a_door(Shop(db))
    assert stranger.post(SESSIONS, an_order(success_url="http://localhost/"), key="k").status_code == 201
    assert a_door(door.shop, livemode=True).post(SESSIONS, an_order(), key="k").status_code == 201
    quote = {"amount": "12.30", "currency": "USD", "method": "sol"}
    assert door.post("/v1/quotes", quote, key="k").status_code == 201


def test_one_key_for_two_objects_is_a_mismatch(door: Door) -> None:
    one, two = (door.post(SESSIONS, an_order(reference=name)).json["id"] for name in ("one", "two"))
    assert door.post(f"{SESSIONS}/{one}/expire", key="k").json["id"] == one
    answer = door.post(f"{SESSIONS}/{two}/expire", key="k")
    assert (answer.status_code, answer.json["code"]) == (422, "idempotency_mismatch")
    assert door.get(f"{SESSIONS}/{two}").json["status"] == "open"


def test_the_same_order_is_not_opened_twice_while_it_is_open(door: Door) -> None:
    first = door.post(SESSIONS, an_order(), key="one")
    again = door.post(SESSIONS, an_order(), key="two")
    assert (again.status_code, again.json["id"]) == (200, first.json["id"])
    assert len(door.get("/v1/payments").json["data"]) == 1
    assert door.post(SESSIONS, an_order(amount="12.31"), key="three").json["id"] != first.json["id"]
    door.post(f"{SESSIONS}/{first.json['id']}/expire")
    assert door.post(SESSIONS, an_order(), key="four").status_code == 201


def test_two_at_once_are_one(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    entered, leave = threading.Event(), threading.Event()
    second = a_door(door.shop)
    second.key = door.key
    create = door.shop.engine.sessions._insert

    def slow(*arguments: object) -> object:
        entered.set()
        assert leave.wait(10)
        return create(*arguments)

    monkeypatch.setattr(door.shop.engine.sessions, "_insert", slow)
    first: list[int] = []
    thread = threading.Thread(target=lambda: first.append(door.post(SESSIONS, an_order(), key="k").status_code))
    thread.start()
    assert entered.wait(10)
    answer = second.post(SESSIONS, an_order(), key="k")
    leave.set()
    thread.join(10)
    assert (answer.status_code, answer.json["code"]) == (409, "idempotency_in_flight")
    assert (answer.headers["Retry-After"], answer.json["retryable"]) == ("1", True)
    assert first == [201]


def test_a_secret_is_replayed_and_never_stored_in_the_clear(door: Door, db: Database) -> None:
    first = door.post("/v1/webhook_endpoints", {"url": "https://hooks.example/in"}, key="k").json
    again = door.post("/v1/webhook_endpoints", {"url": "https://hooks.example/in"}, key="k")
    assert (again.json["secret"], again.headers["Idempotent-Replayed"]) == (first["secret"], "true")
    path = f"/v1/webhook_endpoints/{first['id']}/rotate_secret"
    rotated = door.post(path, {"grace_s": 0}, key="r").json["secret"]
    assert rotated == door.post(path, {"grace_s": 0}, key="r").json["secret"] != first["secret"]
    table = schema.idempotency
    query = select(table.c.response).where(table.c.merchant_id == door.shop.merchant.id)
    stored = "".join(db.read(lambda tx: tx.scalars(query).all()))
    assert first["secret"] not in stored
    assert rotated not in stored
    assert "whsec_" not in stored
