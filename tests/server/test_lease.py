"""The lease of a network: one looks, another follows soon, and no clock can shut everybody out."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import pytest

from gateway.kernel.clock import ManualClock
from gateway.monitor.lease import LEASE, RENEW, NetworkLease
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
