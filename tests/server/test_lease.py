"""The lease of a network: one looks, another follows soon, and no clock can shut everybody out."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta

import pytest

from gateway.kernel.clock import ManualClock
from gateway.monitor.lease import LEASE, RENEW, TURN, DayLease, NetworkLease
from gateway.storage.database import Database, open_database
from gateway.storage.migrate import upgrade

NETWORK = "solana:localnet"


@pytest.fixture
def db(fresh_database_url: str) -> Iterator[Database]:
    with closing(open_database(fresh_database_url)) as database:
        upgrade(database)
        yield database


def test_one_holds_it_as_long_as_he_lives_and_another_follows(db: Database) -> None:
    clock = ManualClock()
    first, second = (NetworkLease(db, clock, NETWORK, holder=name) for name in ("first", "second"))
    for _ in range(20):
        assert (first.hold(), second.hold()) == (True, False)
        clock.advance(timedelta(seconds=1))
    clock.advance(LEASE)  # the first has died
    assert second.hold()
    assert not first.hold(), "what he remembers is over"


def test_who_gives_it_back_is_followed_at_once(db: Database) -> None:
    clock = ManualClock()
    first, second = (NetworkLease(db, clock, NETWORK, holder=name) for name in ("first", "second"))
    assert (first.hold(), second.hold()) == (True, False)
    second.release()
    assert not second.hold(), "nobody gives back what another holds"
    first.release()
    assert second.hold()


def test_networks_are_held_apart(db: Database) -> None:
    clock = ManualClock()
    assert NetworkLease(db, clock, NETWORK, holder="first").hold()
    assert NetworkLease(db, clock, "solana:mainnet", holder="second").hold()


def test_a_clock_that_ran_ahead_shuts_nobody_out(db: Database) -> None:
    ahead, right = ManualClock(), ManualClock()
    ahead.advance(timedelta(days=1))
    assert NetworkLease(db, ahead, NETWORK, holder="ahead").hold()
    assert NetworkLease(db, right, NETWORK, holder="right").hold()


def test_holding_costs_a_write_only_when_half_of_it_is_over(db: Database) -> None:
    clock = ManualClock()
    lease = NetworkLease(db, clock, NETWORK, holder="first")
    writes = 0
    write = db.write

    def counted(verb: object) -> object:
        nonlocal writes
        writes += 1
        return write(verb)  # type: ignore[arg-type]  # it passes on what it is given

    lease._db = type("Counting", (), {"write": staticmethod(counted), "read": db.read})()
    for _ in range(12):
        assert lease.hold()
        clock.advance(timedelta(seconds=1))
    assert writes == 12 * timedelta(seconds=1) / RENEW


# --- what is done once a day -----------------------------------------------------------------------------------------


def test_a_days_work_is_done_once_whoever_comes_and_however_often(db: Database) -> None:
    clock = ManualClock()
    first, second = (DayLease(db, clock, "owed", holder=name) for name in ("first", "second"))
    for _ in range(3):
        assert (first.take(), second.take()) == (True, False)
        first.finish()
        for _ in range(23):
            clock.advance(timedelta(hours=1))
            started_again = DayLease(db, clock, "owed", holder="first")
            assert [one.take() for one in (first, second, started_again)] == [False] * 3
        clock.advance(timedelta(hours=1))


def test_of_many_who_come_at_once_one_does_the_days_work(db: Database) -> None:
    leases = [DayLease(db, ManualClock(), "owed", holder=f"worker {number}") for number in range(8)]
    with ThreadPoolExecutor(max_workers=8) as racers:
        assert sum(racers.map(DayLease.take, leases)) == 1


def test_who_dies_over_a_days_work_is_followed(db: Database) -> None:
    clock = ManualClock()
    first, second = (DayLease(db, clock, "owed", holder=name) for name in ("first", "second"))
    assert first.take()
    clock.advance(TURN - timedelta(seconds=1))
    assert not second.take()
    clock.advance(timedelta(seconds=1))
    assert second.take()
    second.finish()
    assert not first.take()


def test_work_that_ends_after_midnight_leaves_the_new_day_to_do(db: Database) -> None:
    clock = ManualClock()
    clock.advance(timedelta(hours=23, minutes=58))
    lease = DayLease(db, clock, "owed", holder="first")
    assert lease.take()
    clock.advance(timedelta(minutes=5))
    lease.finish()
    assert lease.take()


def test_a_clock_that_ran_ahead_takes_nobodys_day(db: Database) -> None:
    ahead, right = ManualClock(), ManualClock()
    ahead.advance(timedelta(days=3))
    lease = DayLease(db, ahead, "owed", holder="ahead")
    assert lease.take()
    lease.finish()
    assert DayLease(db, right, "owed", holder="right").take()
