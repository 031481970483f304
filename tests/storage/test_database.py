"""The façade on every database: retries, snapshots, insert-once."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError, OperationalError

from gateway.kernel.errors import TemporaryError
from gateway.storage import database as room
from gateway.storage.database import Database, Tx, is_retryable, open_database
from gateway.storage.statements import insert_new
from tests.databases import MARIADB, POSTGRESQL
from tests.storage.probe import numbers, probe, put, words

WAIT_S = 30


# SQLite has one writer: nothing to cross.
among_writers = pytest.mark.parametrize("database_kind", [POSTGRESQL, MARIADB], scope="session")


def test_a_verb_that_fails_leaves_nothing(db: Database) -> None:
    def verb(tx: Tx) -> None:
        put(tx, word="half")
        raise LookupError

    with pytest.raises(LookupError):
        db.write(verb)
    assert "half" not in db.read(words)


def test_a_snapshot_sees_one_moment(db: Database) -> None:
    db.write(lambda tx: put(tx, word="snapshot-1"))

    def query(tx: Tx) -> tuple[set[str], set[str]]:
        first = words(tx)
        db.write(lambda other: put(other, word="snapshot-2"))
        return first, words(tx)

    first, second = db.snapshot(query)
    assert first == second
    assert "snapshot-2" in db.read(words)


def crossing(db: Database, touch: Callable[[Tx, int], None]) -> list[int]:
    """Run two verbs that lock two rows in opposite order; return how often each had to run."""
    runs = [0, 0]
    meeting = threading.Barrier(2)

    def verb(place: int, tx: Tx) -> None:
        runs[place] += 1
        touch(tx, place)
        if max(runs) == 1:
            meeting.wait(WAIT_S)
        touch(tx, 1 - place)

    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(db.write, lambda tx, place=place: verb(place, tx)) for place in (0, 1)]:
            future.result(WAIT_S)
    return runs


@among_writers
def test_a_deadlock_is_run_again_and_both_verbs_succeed(db: Database) -> None:
    rows = [db.write(lambda tx: put(tx, amount=0)) for _ in range(2)]

    def touch(tx: Tx, place: int) -> None:
        tx.execute(update(probe).where(probe.c.id == rows[place]).values(amount=probe.c.amount + 1))

    assert sum(crossing(db, touch)) >= 3, "somebody was the victim"
    amounts = select(probe.c.amount).where(probe.c.id.in_(rows))
    assert db.read(lambda tx: list(tx.scalars(amounts))) == [2, 2]


@among_writers
def test_a_deadlock_inside_an_insert_is_run_again(db: Database) -> None:
    """MariaDB takes the whole tx back, and with it the savepoint: the complaint about that must not hide the cause."""
    names = [f"crossed-{next(numbers)}" for _ in range(2)]
    found: list[bool] = []

    def touch(tx: Tx, place: int) -> None:
        found.append(insert_new(tx, probe, {"id": next(numbers), "word": names[place]}))

    assert sum(crossing(db, touch)) >= 3, "somebody was the victim"
    assert set(names) <= db.read(words)
    assert found.count(True) >= 2


def test_insert_new_says_whether_the_row_is_new_and_keeps_the_tx(db: Database) -> None:
    def verb(tx: Tx) -> list[bool]:
        values = {"id": next(numbers), "word": "once"}
        other = {"id": next(numbers), "word": "once"}
        answers = [insert_new(tx, probe, values), insert_new(tx, probe, values), insert_new(tx, probe, other)]
        put(tx, word="after it")
        return answers

    assert db.write(verb) == [True, False, False]
    assert {"once", "after it"} <= db.read(words)


def test_insert_new_takes_no_other_broken_rule_for_a_duplicate(db: Database) -> None:
    with pytest.raises(DBAPIError):
        db.write(lambda tx: insert_new(tx, probe, {"id": next(numbers), "word": None}))


def test_sixteen_racers_insert_one_row(db: Database) -> None:
    start = threading.Barrier(16)
    rows = [next(numbers) for _ in range(16)]

    def race(number: int) -> bool:
        start.wait(WAIT_S)
        return db.write(lambda tx: insert_new(tx, probe, {"id": number, "word": "raced for"}))

    with ThreadPoolExecutor(16) as pool:
        assert sorted(pool.map(race, rows)) == [False] * 15 + [True]


@among_writers
def test_who_never_gets_his_lock_is_told_busy(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MAX_RETRIES", 2)
    number = db.write(lambda tx: put(tx, amount=0))
    row = update(probe).where(probe.c.id == number).values(amount=1)

    def impatient(tx: Tx) -> Any:
        wait = "SET LOCAL lock_timeout = '50ms'" if db.dialect == "postgresql" else "SET innodb_lock_wait_timeout = 1"
        tx.exec_driver_sql(wait)
        return tx.execute(row)

    def holder(tx: Tx) -> None:
        tx.execute(row)
        with pytest.raises(TemporaryError) as caught, ThreadPoolExecutor(1) as pool:
            pool.submit(db.write, impatient).result(WAIT_S)
        assert caught.value.retry_after_s == 1

    db.write(holder)


@among_writers
def test_who_gets_no_connection_is_told_busy(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db.engine.pool, "_timeout", 0.05)
    with ThreadPoolExecutor(room.POOL_SIZE) as pool:
        gate, held = threading.Event(), threading.Barrier(room.POOL_SIZE + 1)

        def hold(_tx: Tx) -> None:
            held.wait(WAIT_S)
            gate.wait(WAIT_S)

        holders = [pool.submit(db.write, hold) for _ in range(room.POOL_SIZE)]
        held.wait(WAIT_S)
        try:
            for ask in (db.write, db.read):
                with pytest.raises(TemporaryError):
                    ask(words)
        finally:
            gate.set()
        for holder in holders:
            holder.result(WAIT_S)


def test_only_the_databases_own_wish_is_retried() -> None:
    assert not is_retryable(OperationalError("SELECT", {}, Exception(2006, "gone away")))
    assert is_retryable(OperationalError("SELECT", {}, Exception(1213, "Deadlock found")))


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "oracle://x", "mssql+pymssql://x/y"])
def test_what_cannot_keep_a_promise_is_not_opened(url: str) -> None:
    with pytest.raises(ValueError, match=r"SQLite needs a file|is not supported"):
        open_database(url)
