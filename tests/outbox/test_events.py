"""Events: one row and its fan-out, and a feed in the order of commits that skips nobody."""

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import delete, select
from sqlalchemy import event as sa_event

from gateway.domain.events import EventType
from gateway.kernel.errors import InvalidRequestError, NotFoundError
from gateway.outbox import events
from gateway.outbox.events import HORIZON
from gateway.storage.database import open_database
from gateway.storage.schema import event, event_feed, outbox
from tests.outbox.conftest import MERCHANT, STRANGER, Shop


def feed(shop: Shop, **over: Any) -> list[str]:
    wanted = {"livemode": False, "limit": 100, **over}
    merchant_id = wanted.pop("merchant_id", MERCHANT)
    return [each.id for each in shop.db.read(lambda tx: events.feed(tx, merchant_id, **wanted)).items]


def test_an_event_fans_out_to_enabled_subscribed_endpoints_of_its_merchant_and_mode(shop: Shop) -> None:
    meant = [
        shop.endpoint("/all"),
        shop.endpoint("/typed", enabled_events=["payment.succeeded", "payment.late"]),
        shop.endpoint("/both", enabled_events=["*", "payment.succeeded"]),
    ]
    shop.endpoint("/other-type", enabled_events=["payment.late"])
    shop.endpoint("/live", livemode=True, url="https://shop.example/hook")
    shop.endpoint("/stranger", merchant_id=STRANGER)
    off, gone = shop.endpoint("/off"), shop.endpoint("/gone")
    shop.db.write(lambda tx: shop.endpoints.disable(tx, MERCHANT, off.endpoint.id, livemode=False))
    shop.db.write(lambda tx: shop.endpoints.delete(tx, MERCHANT, gone.endpoint.id, livemode=False))
    (sent,) = shop.append()
    rows = shop.outbox_rows()
    assert {row.endpoint_id for row in rows} == {each.endpoint.id for each in meant}
    assert {(row.event_id, row.status, row.attempts, row.due_at) for row in rows} == {
        (sent.id, "pending", 0, sent.created_at)
    }


def test_appending_costs_two_statements_and_on_postgresql_one(shop: Shop) -> None:
    shop.endpoint()
    count = []
    sa_event.listen(shop.db.engine, "before_cursor_execute", lambda _c, _cur, text, *_: count.append(text))
    shop.append()
    sent = [text for text in count if text.lstrip().startswith(("INSERT", "WITH"))]
    assert len(sent) == (1 if shop.db.dialect == "postgresql" else 2)
    assert len([text for text in count if text.lstrip()[:6] in {"SELECT", "UPDATE", "DELETE"}]) == 0


def test_a_verb_that_fails_leaves_no_event(shop: Shop) -> None:
    shop.endpoint()

    def verb(tx: Any) -> None:
        events.append(tx, shop.event())
        raise RuntimeError

    with pytest.raises(RuntimeError):
        shop.db.write(verb)
    assert (shop.count(event), shop.count(outbox)) == (0, 0)


def test_a_late_commit_with_an_older_id_still_appears_after_what_was_published(shop: Shop, url: str) -> None:
    older = shop.event()
    shop.advance(seconds=30)
    newer = shop.append(3)
    if shop.db.dialect == "sqlite":  # one writer: a late commit is one that simply comes later
        assert events.publish(shop.db, shop.clock) == 3
        shop.db.write(lambda tx: events.append(tx, older))
    else:
        slow = open_database(url)
        with slow.engine.begin() as tx:
            events.append(tx, older)
            assert events.publish(shop.db, shop.clock) == 3
        slow.close()
    before = feed(shop)
    assert older.id < before[0]
    assert events.publish(shop.db, shop.clock) == 1
    assert feed(shop) == [*before, older.id]
    assert feed(shop, after_event_id=before[-1]) == [older.id], "who polls by the newest he saw misses nothing"
    assert set(before) == {each.id for each in newer}


def in_threads(*jobs: Callable[[], None]) -> list[threading.Thread]:
    threads = [threading.Thread(target=job) for job in jobs]
    for thread in threads:
        thread.start()
    return threads


def test_writers_and_publishers_at_once_skip_and_repeat_nothing(shop: Shop) -> None:
    seen: list[str] = []
    stop = threading.Event()

    def write() -> None:
        for _ in range(25):
            shop.append()

    def publish() -> None:
        while not stop.is_set():
            events.publish(shop.db, shop.clock)

    def poll() -> None:
        while len(seen) < 100:
            seen.extend(feed(shop, after_event_id=seen[-1] if seen else None, limit=7))

    publishers = in_threads(publish, publish)
    for thread in in_threads(write, write, write, write, poll):
        thread.join(timeout=60)
    stop.set()
    for thread in publishers:
        thread.join()
    assert len(seen) == len(set(seen)) == 100
    positions = shop.db.read(lambda tx: tx.execute(select(event_feed.c.position)).scalars().all())
    assert sorted(positions) == list(range(1, 101))


def test_a_night_without_a_publisher_loses_nothing(shop: Shop) -> None:
    shop.append(2)
    assert events.publish(shop.db, shop.clock) == 2
    shop.advance(seconds=1)
    late = shop.append(3)
    shop.clock.advance(10 * HORIZON)
    assert events.publish(shop.db, shop.clock) == 3
    assert set(feed(shop)[2:]) == {each.id for each in late}


def test_the_horizon_keeps_a_run_from_reading_all_history(shop: Shop) -> None:
    (old,) = shop.append()
    events.publish(shop.db, shop.clock)
    shop.clock.advance(2 * HORIZON)
    shop.append()
    events.publish(shop.db, shop.clock)
    with shop.db.engine.begin() as tx:
        tx.execute(delete(event_feed).where(event_feed.c.event_id == old.id))
    assert events.publish(shop.db, shop.clock) == 0, "beyond the horizon nobody looks any more"


def test_the_feed_filters_pages_and_keeps_merchants_and_modes_apart(shop: Shop) -> None:
    mine = shop.append(3)
    (typed,) = shop.append(type=EventType.PAYMENT_LATE)
    (live,) = shop.append(livemode=True)
    (foreign,) = shop.append(merchant_id=STRANGER)
    events.publish(shop.db, shop.clock)
    assert set(feed(shop)) == {*(each.id for each in mine), typed.id}
    assert feed(shop, livemode=True) == [live.id]
    assert feed(shop, merchant_id=STRANGER) == [foreign.id]
    assert feed(shop, types=["payment.late"]) == [typed.id]
    page = shop.db.read(lambda tx: events.feed(tx, MERCHANT, livemode=False, limit=3))
    assert (len(page.items), page.has_more) == (3, True)
    for cursor in (foreign.id, live.id, "evt_nonsense", ""):
        with pytest.raises(InvalidRequestError):
            feed(shop, after_event_id=cursor)
    (unpublished,) = shop.append()
    assert feed(shop, after_event_id=unpublished.id) == []


def test_events_are_read_by_their_owner_newest_first(shop: Shop) -> None:
    made = []
    for _ in range(5):
        made += shop.append()
        shop.advance(seconds=1)
    (foreign,) = shop.append(merchant_id=STRANGER)
    expected = [each.id for each in reversed(made)]

    def page(**cursor: Any) -> tuple[list[str], bool]:
        found = shop.db.read(lambda tx: events.list_events(tx, MERCHANT, livemode=False, limit=2, **cursor))
        return [each.id for each in found.items], found.has_more

    assert page() == (expected[:2], True)
    assert page(starting_after=expected[3]) == (expected[4:], False)
    assert page(ending_before=expected[1]) == (expected[:1], False)
    assert page(types=["payment.late"]) == ([], False)
    for cursor in ({"starting_after": "pay_x"}, {"starting_after": expected[0], "ending_before": expected[1]}):
        with pytest.raises(InvalidRequestError):
            page(**cursor)
    stored = shop.db.read(lambda tx: events.retrieve(tx, MERCHANT, made[0].id, livemode=False))
    assert stored.body == made[0].body()
    assert json.loads(stored.body)["id"] == made[0].id
    for event_id, livemode in ((foreign.id, False), (made[0].id, True), ("evt_x", False)):
        with pytest.raises(NotFoundError):
            shop.db.read(lambda tx, e=event_id, m=livemode: events.retrieve(tx, MERCHANT, e, livemode=m))  # type: ignore[misc]  # mypy infers no lambda defaults
