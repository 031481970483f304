"""API keys through the API: shown once, rolled in peace, and nobody locks himself out by accident."""

import json
import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from gateway.engine import api_keys
from gateway.engine.api_keys import MAX_KEYS
from gateway.engine.records import Owner
from gateway.kernel.errors import AuthenticationError, ConflictError
from gateway.storage import schema
from gateway.storage.database import Database
from tests.api.conftest import Door, a_door
from tests.engine.paper import Shop

KEYS = "/v1/api_keys"


def with_key(door: Door, key: str) -> Door:
    """Return the same way in with another key."""
    return Door(shop=door.shop, client=door.client, key=key)


def own_id(door: Door) -> str:
    """Return the id of the key that asks."""
    return str(door.shop.engine.merchants.authenticate(door.key).key_id)


def made(door: Door, **body: object) -> Any:
    """Make a further key."""
    answer = door.post(KEYS, body)
    assert answer.status_code == 201
    return answer.json


def told(answer: Any) -> tuple[int, str]:
    """Return status and code of a problem."""
    return answer.status_code, answer.json["code"]


def test_a_new_key_is_shown_once_and_opens_the_same_account_and_mode(door: Door) -> None:
    key = made(door, description="The warehouse")
    assert (key["description"], key["status"], key["livemode"], key["last_used_at"]) == (
        "The warehouse", "active", False, None,
    )  # fmt: skip
    other = with_key(door, key["secret"])
    assert other.get("/v1/account").json == door.get("/v1/account").json
    shown = other.get(f"{KEYS}/{key['id']}").json
    assert "secret" not in shown
    assert (shown["hint"], shown["last_used_at"] is None) == (f"sk_test_…{key['secret'][-3:]}", False)
    assert [each["id"] for each in door.get(KEYS).json["data"]] == [key["id"], own_id(door)]
    assert key["secret"] not in door.get(KEYS).text


def test_the_memory_of_an_answer_holds_the_secret_sealed_and_gives_it_again(door: Door) -> None:
    first = door.post(KEYS, {}, key="mine")
    again = door.post(KEYS, {}, key="mine")
    assert (again.json, again.headers["Idempotent-Replayed"]) == (first.json, "true")
    stored = door.shop.db.read(lambda tx: tx.scalars(select(schema.idempotency.c.response)).all())
    assert len(stored) == 1
    assert first.json["secret"] not in stored[0]
    assert json.loads(stored[0])["id"] == first.json["id"]


def test_a_rolled_key_works_for_its_grace_and_not_a_moment_longer(door: Door) -> None:
    old = own_id(door)
    fresh = door.post(f"{KEYS}/{old}/roll", {"grace_s": 3600}).json
    new = with_key(door, fresh["secret"])
    shown = new.get(f"{KEYS}/{old}").json
    assert (shown["status"], shown["replaced_by"]) == ("ending", fresh["id"])
    door.shop.clock.advance(timedelta(minutes=59))
    assert door.get("/v1/account").status_code == 200
    door.shop.clock.advance(timedelta(minutes=1))
    assert told(door.get("/v1/account")) == (401, "api_key_invalid")
    assert new.get(f"{KEYS}/{old}").json["status"] == "ended"
    assert new.get("/v1/account").status_code == 200


def test_a_roll_without_grace_reaches_the_memory_of_keys_at_once(door: Door) -> None:
    other = made(door)
    stranger = with_key(door, other["secret"])
    assert stranger.get("/v1/account").status_code == 200
    assert door.post(f"{KEYS}/{other['id']}/roll", {"grace_s": 0}).status_code == 201
    assert told(stranger.get("/v1/account")) == (401, "api_key_invalid")


def test_a_revoked_key_opens_nothing_at_once(door: Door) -> None:
    other = made(door)
    stranger = with_key(door, other["secret"])
    assert stranger.get("/v1/account").status_code == 200
    revoked = door.post(f"{KEYS}/{other['id']}/revoke").json
    assert (revoked["status"], revoked["revoked_at"] is None) == ("revoked", False)
    assert told(stranger.get("/v1/account")) == (401, "api_key_invalid")
    assert door.post(f"{KEYS}/{other['id']}/revoke").json == revoked, "it has ended once"


@pytest.mark.parametrize("grace_s", [-1, 604_801, "60", 1.5])
def test_a_grace_out_of_bounds_is_refused(door: Door, grace_s: object) -> None:
    answer = door.post(f"{KEYS}/{own_id(door)}/roll", {"grace_s": grace_s})
    assert (told(answer), answer.json["param"]) == ((400, "parameter_invalid"), "/grace_s")


def test_the_key_that_asks_is_revoked_by_force_alone(door: Door) -> None:
    made(door)
    assert told(door.post(f"{KEYS}/{own_id(door)}/revoke")) == (409, "api_key_needed")
    assert door.post(f"{KEYS}/{own_id(door)}/revoke", {"force": True}).json["status"] == "revoked"
    assert told(door.get("/v1/account")) == (401, "api_key_invalid")


def test_a_key_that_rolls_itself_keeps_a_minute_to_hear_the_answer_again(door: Door) -> None:
    mine = own_id(door)
    assert told(door.post(f"{KEYS}/{mine}/roll", {"grace_s": 59})) == (409, "api_key_needed")
    first = door.post(f"{KEYS}/{mine}/roll", {"grace_s": 60}, key="roll-1")
    lost = door.post(f"{KEYS}/{mine}/roll", {"grace_s": 60}, key="roll-1")
    assert (lost.json["secret"], lost.status_code) == (first.json["secret"], 201)


def test_a_key_that_rolls_itself_ends_at_once_by_force(door: Door) -> None:
    fresh = door.post(f"{KEYS}/{own_id(door)}/roll", {"grace_s": 0, "force": True}).json
    assert told(door.get("/v1/account")) == (401, "api_key_invalid")
    assert with_key(door, fresh["secret"]).get("/v1/account").status_code == 200


def test_a_key_on_its_way_out_reads_the_list_and_manages_nothing(door: Door) -> None:
    fresh = door.post(f"{KEYS}/{own_id(door)}/roll").json
    assert door.get(KEYS).status_code == 200
    refused = [
        door.post(KEYS),
        door.post(f"{KEYS}/{fresh['id']}/roll"),
        door.post(f"{KEYS}/{fresh['id']}/revoke", {"force": True}),
    ]
    assert [told(each) for each in refused] == [(403, "api_key_not_active")] * 3
    new = with_key(door, fresh["secret"])
    assert told(new.post(f"{KEYS}/{own_id(door)}/roll")) == (409, "api_key_not_active"), "it was rolled already"
    assert new.post(f"{KEYS}/{own_id(door)}/revoke").json["status"] == "revoked"


def test_a_key_that_another_process_revoked_makes_no_new_one_within_its_second(door: Door) -> None:
    made(door)
    mine = own_id(door)  # known for a second from here on
    door.shop.db.write(lambda tx: api_keys.revoke_key(door.shop.engine.core, tx, mine))
    assert door.get("/v1/account").status_code == 200
    assert told(door.post(KEYS)) == (401, "api_key_invalid")


def test_there_are_a_hundred_keys_at_the_most(door: Door) -> None:
    merchants = door.shop.engine.merchants
    for _ in range(MAX_KEYS - 1):
        merchants.create_key(door.shop.merchant.id, livemode=False)
    assert told(door.post(KEYS)) == (409, "api_key_limit_reached")
    assert told(door.post(f"{KEYS}/{own_id(door)}/roll")) == (409, "api_key_limit_reached")
    with pytest.raises(ConflictError):
        merchants.create_key(door.shop.merchant.id, livemode=False)
    assert a_door(door.shop, livemode=True).get("/v1/account").status_code == 200, "the other mode has its own"


def test_a_key_sees_the_keys_of_its_own_mode_alone(door: Door) -> None:
    live = a_door(door.shop, livemode=True)
    assert [each["livemode"] for each in live.get(KEYS).json["data"]] == [True]
    assert made(live)["secret"].startswith("sk_live_")
    assert told(live.post(f"{KEYS}/{own_id(door)}/revoke", {"force": True})) == (404, "not_found")


@pytest.fixture
def db(every_db: Database) -> Database:
    """Run this file on every database: two who revoke each other meet in its locks."""
    return every_db


def test_of_two_keys_that_revoke_each_other_one_stays(shop: Shop) -> None:
    keys, merchants = shop.engine.api_keys, shop.engine.merchants
    pair = [merchants.authenticate(merchants.create_key(shop.merchant.id, livemode=False)).key_id for _ in range(2)]
    barrier, refused = threading.Barrier(2), []

    def revoke(asking: str, other: str) -> None:
        barrier.wait()
        try:
            keys.revoke(shop.intent(), asking, other, is_forced=False)
        except (ConflictError, AuthenticationError) as error:
            refused.append(error.code.value)

    racers = [threading.Thread(target=revoke, args=each) for each in (pair, pair[::-1])]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(10)
    assert refused == ["api_key_invalid"]
    owner = Owner(merchant_id=shop.merchant.id, livemode=False)
    living = shop.db.write(lambda tx: api_keys.living_keys(tx, owner, shop.clock.now()))
    assert len(living) == 1
