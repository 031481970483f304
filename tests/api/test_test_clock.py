"""The test clock: time passes at a word, in every process, and what the world outside measures stays real."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from gateway.domain.chain import ListedSignature
from gateway.domain.words import TransferStage
from gateway.engine.clockwork import MAX_AHEAD
from gateway.engine.idempotency import prune
from gateway.kernel.clock import ManualClock, MovedClock, Step
from gateway.monitor.lease import NetworkLease
from gateway.monitor.moved_time import MovedTimeReader
from gateway.outbox import claims
from gateway.outbox.events import publish
from gateway.outbox.schedule import DISABLE_AFTER
from gateway.settings import SettingsError, load_settings
from gateway.storage.database import Database
from gateway.wiring import House, build_house
from gateway.workers.loops import Workers, serving_loops
from hosted_checkout.app import create_app
from sandbox.demo.clock import follow
from sandbox.test_bank.server import RunningBank
from streampay.webhooks import Webhook
from tests.api.conftest import Door
from tests.api.live import serving
from tests.cards.stage import CardShop, a_bank, a_card_shop, settings_of
from tests.outbox.receivers import Receiver, receiving

CLOCK, ADVANCE = "/v1/test/clock", "/v1/test/clock/advance"
DAY_S = 86_400


@pytest.fixture
def bank() -> Iterator[RunningBank]:
    """Serve a bank of this test's own."""
    with a_bank() as running:
        yield running


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Serve a merchant's endpoint."""
    with receiving() as running:
        yield running


@pytest.fixture
def shop(
    migrated_sqlite: str, copy_database: Callable[[str], str], bank: RunningBank, receiver: Receiver
) -> Iterator[CardShop]:
    """Open a shop whose gateway has a test clock; `shop.clock` is the real time."""
    more = {"STREAMPAY_TEST_CLOCK": "yes", "STREAMPAY_WEBHOOK_ALLOWED_HOSTS": receiver.authority}
    with a_card_shop(copy_database(migrated_sqlite), bank, more) as opened:
        yield opened


@pytest.fixture
def door(shop: CardShop) -> Door:
    """Return its way into the API."""
    key = shop.engine.merchants.create_key(shop.owner.merchant_id, livemode=False)
    return Door(shop=shop, client=create_app(shop.house).test_client(), key=key)


def advanced(door: Door, seconds: int, **more: Any) -> Any:
    """Let time pass."""
    answer = door.post(ADVANCE, {"seconds": seconds}, **more)
    assert answer.status_code == 200
    return answer.json


def another_house(shop: CardShop) -> House:
    """Return a second process of the same gateway, with a real clock of its own that agrees."""
    return build_house(shop.house.settings, clock=shop.clock)


def told(answer: Any) -> tuple[int, str]:
    """Return status and code of a problem."""
    return answer.status_code, answer.json["code"]


# --- what it offers ----------------------------------------------------------------------------------------------


def test_time_passes_for_what_the_gateway_does(door: Door, shop: CardShop, bank: RunningBank) -> None:
    session = shop.open(minutes=60)
    assert door.get(CLOCK).json["ahead_s"] == 0
    moved = advanced(door, 7200)
    assert moved["also_advance"] == [f"{bank.url}/_sandbox/clock/advance"]
    assert requests.post(moved["also_advance"][0], json={"seconds": 7200}, timeout=10).ok
    shop.engine.sweep()
    assert door.get(f"/v1/checkout/sessions/{session.id}").json["status"] == "expired"
    assert door.get(CLOCK).json["ahead_s"] == 7200
    assert door.post("/v1/customers", {"name": "Ada"}).json["created_at"] >= moved["now"]


def test_a_card_is_taken_after_a_month(door: Door, shop: CardShop, bank: RunningBank) -> None:
    advanced(door, 30 * DAY_S)
    bank.bank.advance(30 * DAY_S)
    session = shop.buy()
    shop.catch_up()
    assert shop.payment(session).status == "paid"
    shop.check()


@pytest.mark.parametrize("seconds", [0, -1, "60", 1.5, True, None, MAX_AHEAD // timedelta(seconds=1) + 1])
def test_a_step_out_of_bounds_is_refused(door: Door, seconds: object) -> None:
    answer = door.post(ADVANCE, {"seconds": seconds})
    assert (told(answer), answer.json["param"]) == ((400, "parameter_invalid"), "/seconds")
    assert door.get(CLOCK).json["ahead_s"] == 0


def test_it_goes_four_hundred_days_in_all(door: Door) -> None:
    advanced(door, 399 * DAY_S)
    assert told(door.post(ADVANCE, {"seconds": DAY_S + 1})) == (409, "test_clock_limit_reached")
    assert advanced(door, DAY_S)["ahead_s"] == 400 * DAY_S


def test_a_live_key_has_no_test_clock(door: Door, shop: CardShop) -> None:
    key = shop.engine.merchants.create_key(shop.owner.merchant_id, livemode=True)
    live = Door(shop=shop, client=door.client, key=key)
    assert told(live.get(CLOCK)) == told(live.post(ADVANCE, {"seconds": 1})) == (404, "test_clock_off")


def test_a_gateway_without_the_setting_has_none(
    migrated_sqlite: str, copy_database: Callable[[str], str], bank: RunningBank
) -> None:
    with a_card_shop(copy_database(migrated_sqlite), bank) as shop:
        key = shop.engine.merchants.create_key(shop.owner.merchant_id, livemode=False)
        door = Door(shop=shop, client=create_app(shop.house).test_client(), key=key)
        assert told(door.get(CLOCK)) == told(door.post(ADVANCE, {"seconds": 1})) == (404, "test_clock_off")
        assert "clock" not in {loop.name for loop in serving_loops(shop.house.work)}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"SOLANA_LIVE_NETWORK": "solana:mainnet"}, "never beside real money"),
        ({"STRIPE_LIVE_KEY": "sk_live_x", "STRIPE_LIVE_WEBHOOK_SECRETS": "whsec_x"}, "never beside real money"),
        (
            {"STRIPE_ACCOUNTS": '[{"name": "eu", "key": "sk_live_x", "webhook_secrets": ["whsec_x"]}]'},
            "never beside real money",
        ),
        (
            {"STRIPE_ACCOUNTS": '[{"name": "eu", "key": "sk_test_x", "webhook_secrets": ["whsec_x"]}]'},
            "own clock does not follow",
        ),
    ],
)
def test_it_does_not_start_beside_real_money_or_a_foreign_clock(more: dict[str, str], words: str) -> None:
    environment = settings_of("sqlite:///x.db", "http://127.0.0.1:9") | {"STREAMPAY_TEST_CLOCK": "yes"}
    load_settings(environment)
    with pytest.raises(SettingsError, match=f"STREAMPAY_TEST_CLOCK: .*{words}"):
        load_settings(environment | {f"STREAMPAY_{name}": value for name, value in more.items()})


# --- every process, once -----------------------------------------------------------------------------------------


def test_another_process_follows_within_a_second_and_after_a_restart(door: Door, shop: CardShop) -> None:
    with closing(another_house(shop)) as other:
        workers = Workers([loop for loop in serving_loops(other.work) if loop.name == "clock"])
        workers.start()
        advanced(door, 30 * DAY_S)
        deadline = time.monotonic() + 1
        while other.clock.now() < shop.house.clock.now() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert other.clock.now() == shop.house.clock.now()
        workers.stop()
    with closing(another_house(shop)) as restarted:
        restarted.engine.clockwork.follow()
        assert restarted.clock.now() == shop.house.clock.now()


def test_the_same_key_moves_time_once_even_when_it_was_moved_by_a_week(door: Door, shop: CardShop) -> None:
    first = advanced(door, 8 * DAY_S, key="a-week")
    assert prune(shop.engine.core) == 0, "the answer may be asked again: in real time it is young"
    assert advanced(door, 8 * DAY_S, key="a-week") == first
    assert door.get(CLOCK).json["ahead_s"] == 8 * DAY_S
    shop.clock.advance(timedelta(days=8))
    assert prune(shop.engine.core) > 0


def test_of_advances_at_the_same_moment_none_is_lost(door: Door, shop: CardShop) -> None:
    count = 6
    barrier, doors = threading.Barrier(count), [another_house(shop) for _ in range(count)]

    def advance(house: House) -> None:
        barrier.wait()
        house.engine.clockwork.advance(shop.intent(), 10)

    racers = [threading.Thread(target=advance, args=(house,)) for house in doors]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(20)
    shop.engine.clockwork.follow()
    assert door.get(CLOCK).json["ahead_s"] == 10 * count
    for house in doors:
        house.close()


def test_the_clock_of_the_demos_bank_follows(door: Door, shop: CardShop, bank: RunningBank) -> None:
    advanced(door, 40 * DAY_S)
    with serving(create_app(shop.house)) as url:
        assert [follow(url, bank.url, door.key) for _ in range(2)] == [40 * DAY_S, 0]
    assert requests.get(f"{bank.url}/_sandbox", timeout=10).json()["offset_s"] == 40 * DAY_S


# --- what stays real ---------------------------------------------------------------------------------------------


def test_a_webhook_is_signed_in_real_time(door: Door, shop: CardShop, receiver: Receiver) -> None:
    endpoint = door.post("/v1/webhook_endpoints", {"url": receiver.url("/hook")}).json
    advanced(door, 30 * DAY_S)
    assert door.post(f"/v1/webhook_endpoints/{endpoint['id']}/test").status_code == 202
    shop.house.work.dispatcher.drain()
    (received,) = receiver.at("/hook")
    receivers_clock = shop.clock.now().timestamp
    event = Webhook(endpoint["secret"], clock=receivers_clock).verify(received.body, received.headers)
    assert event.timestamp - shop.clock.now() > timedelta(days=29), "what happened, happened in the gateway's time"


def test_what_is_being_sent_is_not_sent_a_second_time(door: Door, shop: CardShop, receiver: Receiver) -> None:
    endpoint = door.post("/v1/webhook_endpoints", {"url": receiver.url("/hook")}).json
    door.post(f"/v1/webhook_endpoints/{endpoint['id']}/test")

    def claimed(db: Database) -> int:
        now = shop.house.clock.now()
        return len(
            db.write(lambda tx: claims.claim(tx, now, lease="mine", limit=9, full=(), after="", room=lambda _id: 9))
        )

    assert claimed(shop.db) == 1
    advanced(door, 30 * DAY_S)
    assert claimed(shop.db) == 0
    shop.clock.advance(claims.LEASE)
    assert claimed(shop.db) == 1, "a sender that died is followed all the same"


def test_days_that_are_skipped_are_no_days_of_failures(door: Door, shop: CardShop, receiver: Receiver) -> None:
    endpoint = door.post("/v1/webhook_endpoints", {"url": receiver.url("/hook")}).json
    receiver.answers["/hook"] = 500

    def fail() -> str:
        door.post(f"/v1/webhook_endpoints/{endpoint['id']}/test")
        assert shop.house.work.dispatcher.drain().failed > 0
        return str(door.get(f"/v1/webhook_endpoints/{endpoint['id']}").json["status"])

    assert fail() == "enabled"
    advanced(door, 40 * DAY_S)
    assert fail() == "enabled"
    shop.clock.advance(DISABLE_AFTER)
    assert fail() == "disabled"


def test_a_workers_turn_does_not_end(door: Door, shop: CardShop) -> None:
    clock = shop.house.clock
    first, second = (NetworkLease(shop.db, clock, "solana:localnet", holder=name) for name in ("first", "second"))
    assert first.hold()
    advanced(door, 30 * DAY_S)
    assert not second.hold()
    assert first.hold()


def test_rate_limits_do_not_fill_up(door: Door) -> None:
    def left() -> int:
        return int(door.get(CLOCK).headers["RateLimit"].partition(";r=")[2].partition(";")[0])

    before = left()
    advanced(door, DAY_S)
    assert left() == before - 2


def test_an_event_of_a_process_that_lags_still_finds_its_place_in_the_feed(door: Door, shop: CardShop) -> None:
    with closing(another_house(shop)) as lagging:
        advanced(door, 30 * DAY_S)
        ahead = door.post("/v1/webhook_endpoints", {"url": "https://hooks.example/in"}).json
        door.post(f"/v1/webhook_endpoints/{ahead['id']}/test")
        publish(shop.db, shop.house.clock)
        lagging.engine.webhooks.send_test(shop.intent(), ahead["id"])
        publish(shop.db, shop.house.clock)
    assert len(door.get("/v1/events?after=start").json["data"]) == 2


# --- chains ------------------------------------------------------------------------------------------------------


def test_block_times_are_told_in_the_gateways_time_and_stay_in_order(door: Door, shop: CardShop) -> None:
    clock = shop.house.clock
    assert isinstance(clock, MovedClock)
    real = [shop.clock.now()]
    for _ in range(3):
        advanced(door, DAY_S)
        real.append(shop.clock.advance(timedelta(seconds=1)))
    moved = [clock.of(moment - timedelta(milliseconds=500)) for moment in real]
    assert moved == sorted(moved)
    assert moved[0] == real[0] - timedelta(milliseconds=500), "before the first step nothing was moved"
    assert moved[-1] - real[-1] == timedelta(days=3) - timedelta(milliseconds=500)


def test_a_reader_moves_what_the_chain_tells() -> None:
    real = ManualClock(datetime(2026, 11, 20, tzinfo=UTC))
    clock = MovedClock(real)
    clock.follow([Step(moved_at=real.now(), by=timedelta(days=1))])

    def row(at: datetime | None) -> ListedSignature:
        return ListedSignature(signature="s", slot=1, stage=TransferStage.FINAL, has_failed=False, occurred_at=at)

    moment = timedelta(seconds=1)
    rows = [row(real.now() + moment), row(real.now() - moment), row(None)]
    plain: Any = SimpleNamespace(signatures=lambda *_args, **_limits: rows, read=lambda *_: {"s": None, "t": rows})
    reader: Any = MovedTimeReader(plain, clock)
    told_at = [real.now() + moment + timedelta(days=1), real.now() - moment, None]
    assert [one.occurred_at for one in reader.signatures("a", until=None, before=None, limit=3)] == told_at
    assert reader.read(["s", "t"], {}) == {"s": None, "t": [row(at) for at in told_at]}
