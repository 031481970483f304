"""The writer of SQLite: one thread, groups, and nobody woken before the commit."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError, OperationalError

from gateway.kernel.errors import TemporaryError
from gateway.storage import sqlite as room
from gateway.storage.database import Database, DatabaseUnavailableError, Tx
from tests.storage.probe import put, words

WAIT_S = 10


@contextmanager
def one_group(db: Database) -> Iterator[Callable[[Callable[[Tx], Any]], Any]]:
    """Hold the writer until the block ends, so that everything submitted in it shares the next commit."""
    gate, held = threading.Event(), threading.Event()

    def hold(_tx: Tx) -> None:
        held.set()
        assert gate.wait(WAIT_S)

    with ThreadPoolExecutor(40) as pool:
        holder = pool.submit(db.write, hold)
        assert held.wait(WAIT_S)
        assert db._writer is not None
        try:
            yield lambda verb: pool.submit(db.write, verb)
            deadline = time.monotonic() + 0.3
            while time.monotonic() < deadline and db._writer._queue.qsize() == 0:
                time.sleep(0.001)
            time.sleep(0.05)
        finally:
            gate.set()
        holder.result(WAIT_S)


def commits_of(db: Database) -> list[int]:
    """Return a list that grows by one at each commit."""
    seen: list[int] = []
    event.listen(db.engine, "commit", lambda _connection: seen.append(len(seen)))
    return seen


def test_a_failing_verb_harms_only_its_own_caller(sqlite: Database) -> None:
    commits = commits_of(sqlite)

    def fails(tx: Tx) -> None:
        put(tx, word="lost")
        raise LookupError("mine alone")

    def breaks_a_rule(tx: Tx) -> None:
        put(tx, word="a")

    with one_group(sqlite) as submit:
        good = [submit(partial(put, word=word)) for word in ("a", "b", "c")]
        bad, worse = submit(fails), submit(breaks_a_rule)
    outcomes = [future.exception(WAIT_S) for future in (*good, bad, worse)]
    assert isinstance(outcomes[3], LookupError)
    # Whoever came second with the word `a` broke the rule; nobody else is harmed.
    assert [type(one) for one in outcomes if one is not None and one is not outcomes[3]] == [IntegrityError]
    assert sqlite.read(words) == {"a", "b", "c"}
    assert len(commits) == 2, "one for the holder, one for the whole group"


class ExitError(BaseException):
    """What a library throws to end a thread."""


def test_even_an_exit_inside_a_verb_reaches_its_caller_and_the_writer_lives(sqlite: Database) -> None:
    def exits(tx: Tx) -> None:
        put(tx, word="lost")
        raise ExitError

    with ThreadPoolExecutor(1) as pool:
        assert isinstance(pool.submit(sqlite.write, exits).exception(WAIT_S), ExitError)
    sqlite.write(lambda tx: put(tx, word="after"))
    assert sqlite.read(words) == {"after"}


def test_callers_wake_only_after_the_commit(sqlite: Database) -> None:
    awake: list[str] = []
    before: list[list[str]] = []

    def at_commit(_connection: Any) -> None:
        time.sleep(0.05)
        before.append(list(awake))

    def write(word: str) -> None:
        sqlite.write(lambda tx: put(tx, word=word))
        awake.append(word)

    event.listen(sqlite.engine, "commit", at_commit)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, "abcd"))
    assert before[0] == [], "nobody of the first group was awake when it was committed"
    assert sqlite.read(words) == set("abcd")


def test_a_failed_commit_fails_the_whole_group_and_leaves_nothing(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit, commits = sqlite.engine.dialect.do_commit, commits_of(sqlite)

    def no_second_commit(connection: Any) -> None:
        if len(commits) == 2:
            raise OperationalError("COMMIT", {}, OSError("disk I/O error"))
        commit(connection)

    monkeypatch.setattr(sqlite.engine.dialect, "do_commit", no_second_commit)
    with one_group(sqlite) as submit:
        futures = [submit(partial(put, word=word)) for word in "abc"]
    errors = [future.exception(WAIT_S) for future in futures]
    monkeypatch.undo()
    assert {type(error) for error in errors} == {OperationalError}
    assert sqlite.read(words) == set()
    sqlite.write(lambda tx: put(tx, word="after"))
    assert sqlite.read(words) == {"after"}


def test_a_full_disk_is_a_clean_error_and_writing_goes_on_after(sqlite: Database) -> None:
    def fill(tx: Tx) -> None:
        put(tx, long="x" * 200_000)

    def limit(pages: int) -> Callable[[Tx], Any]:
        return lambda tx: tx.exec_driver_sql(f"PRAGMA max_page_count = {pages}").all()

    sqlite.write(lambda tx: put(tx, word="acknowledged"))
    sqlite.write(limit(1))  # SQLite raises it to the present size: nothing more fits
    with one_group(sqlite) as submit:
        futures = [submit(fill) for _ in range(3)]
    errors = [future.exception(WAIT_S) for future in futures]
    assert all(isinstance(error, DatabaseUnavailableError) for error in errors)
    assert sqlite.read(words) == {"acknowledged"}, "reading goes on while the disk is full"
    sqlite.write(limit(1_000_000))
    sqlite.write(fill)
    assert len(sqlite.read(words)) == 2
    assert sqlite.read(lambda tx: tx.exec_driver_sql("PRAGMA integrity_check").scalar()) == "ok"


def test_who_waits_too_long_is_told_busy_and_his_verb_never_runs(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "WAIT_S", 0.05)
    with one_group(sqlite) as submit:
        late = submit(lambda tx: put(tx, word="late"))
        error = late.exception(WAIT_S)
    assert isinstance(error, TemporaryError)
    assert error.retry_after_s == 1
    assert sqlite.read(words) == set()


def test_who_runs_when_patience_ends_hears_the_true_outcome(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "WAIT_S", 0.02)

    def slow(tx: Tx) -> str:
        put(tx, word="slow")
        time.sleep(0.2)
        return "done"

    assert sqlite.write(slow) == "done"
    assert sqlite.read(words) == {"slow"}


def test_a_full_queue_says_busy(create_database: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    from gateway.storage.database import open_database

    monkeypatch.setattr(room, "QUEUE_LIMIT", 2)
    db = open_database(create_database("sqlite"))
    with one_group(db) as submit:
        futures = [submit(lambda _tx: None) for _ in range(4)]
        time.sleep(1.2)
    refused = [future.exception(WAIT_S) for future in futures]
    assert sum(isinstance(error, TemporaryError) for error in refused) == 2
    db.close()


def test_closing_finishes_what_is_queued(sqlite: Database) -> None:
    with one_group(sqlite) as submit:
        futures = [submit(partial(put, word=word)) for word in "abcdefgh"]
        closer = threading.Thread(target=sqlite.close)
        time.sleep(0.1)
        closer.start()
        time.sleep(0.05)
    closer.join(WAIT_S)
    assert [future.exception(WAIT_S) for future in futures] == [None] * 8
    assert sqlite.read(words) == set("abcdefgh")


def test_a_verb_may_not_open_a_second_tx(sqlite: Database) -> None:
    with pytest.raises(AssertionError, match="second tx"):
        sqlite.write(lambda _tx: sqlite.write(words))


def test_a_writer_that_could_not_open_its_file_tries_again(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "WAIT_S", 0.2)
    monkeypatch.setattr(threading, "excepthook", lambda _arguments: None)
    sqlite.close()

    def no_file() -> Any:
        raise OSError("no such file")

    with monkeypatch.context() as broken:
        broken.setattr(sqlite.engine, "connect", no_file, raising=True)
        with pytest.raises((TemporaryError, OSError)):
            sqlite.write(lambda tx: put(tx, word="lost"))
    sqlite.write(lambda tx: put(tx, word="found"))
    assert "found" in sqlite.read(words)


def test_eight_threads_get_equal_shares(sqlite: Database) -> None:
    done: Counter[int] = Counter()
    start, stop = threading.Barrier(8), time.monotonic() + 1.0

    def work(number: int) -> None:
        start.wait()
        while time.monotonic() < stop:
            sqlite.write(lambda tx: tx.exec_driver_sql("SELECT 1").scalar())
            done[number] += 1

    with ThreadPoolExecutor(8) as pool:
        for _ in pool.map(work, range(8)):
            pass
    assert min(done.values()) >= 0.5 * max(done.values()), dict(done)


def test_a_read_sees_one_moment_and_its_writes_are_undone(sqlite: Database) -> None:
    sqlite.write(lambda tx: put(tx, word="before"))

    def query(tx: Tx) -> tuple[set[str], set[str]]:
        first = words(tx)
        sqlite.write(lambda other: put(other, word="meanwhile"))
        return first, words(tx)

    first, second = sqlite.read(query)
    assert first == second == {"before"}
    sqlite.read(lambda tx: put(tx, word="never"))
    assert sqlite.read(words) == {"before", "meanwhile"}
