"""SQLite: connections that keep its promises, and one writer thread with group commit."""

import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event

from gateway.kernel.errors import ErrorCode, TemporaryError

Result = TypeVar("Result")

QUEUE_LIMIT: Final = 4096  # verbs waiting; beyond it the caller is told to come back
GROUP_LIMIT: Final = 256  # verbs a commit; more would only delay the first
READERS: Final = 16  # connections kept open for reading; each costs some 100 kB
WAIT_S: Final = 30  # a verb that waits longer found a stuck disk


class _Sum:
    """`isum(x)`: the exact sum of atomic amounts that SQLite holds as text."""

    def __init__(self) -> None:
        self.total = 0

    def step(self, value: str | None) -> None:
        """Add one row."""
        self.total += int(value or 0)

    def finalize(self) -> str:
        """Return canonical text."""
        return str(self.total)


def sqlite_engine(url: URL) -> Engine:
    """Return an engine whose connections are WAL, durable, and leave BEGIN to us.

    The driver's own tx handling is switched off (`isolation_level=None`), else savepoints misbehave; SQLAlchemy's
    begin emits BEGIN, deferred for readers; the writer asks for IMMEDIATE by an execution option.
    """
    engine = create_engine(
        url,
        pool_size=READERS,
        max_overflow=READERS,
        hide_parameters=True,  # an error that is logged must not carry what customers entrusted to a row
        connect_args={"timeout": 30, "check_same_thread": False},
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    # Else INSERT OR REPLACE would delete a row of the books without asking their triggers.
    connection.execute("PRAGMA recursive_triggers=ON")
    connection.create_function("iadd", 2, _add, deterministic=True)
    connection.create_aggregate("isum", 1, _Sum)  # type: ignore[arg-type]  # typeshed wants finalize() -> int


def busy() -> TemporaryError:
    """Return what a caller is told when his turn does not come; nothing was written."""
    return TemporaryError(
        ErrorCode.PROVIDER_UNAVAILABLE, "The gateway is busy. Send the same request again.", retry_after_s=1
    )


def _add(left: str, right: str) -> str:
    return str(int(left) + int(right))


def _begin(connection: Connection) -> None:
    immediate = connection.get_execution_options().get("sqlite_immediate", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


class GroupCommitWriter:
    """Runs every write on one thread; a group of queued verbs shares one durable commit.

    Each verb stands in a savepoint: its failure is its caller's alone. Callers wake only after the commit: nothing is
    acknowledged that a crash could take back. A failed commit fails the whole group.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._queue: queue.Queue[tuple[Callable[[Connection], Any], Future[Any]] | None] = queue.Queue(QUEUE_LIMIT)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def run(self, verb: Callable[[Connection], Result]) -> Result:
        """Queue `verb`, wait for the durable commit, return its result or raise its error."""
        assert threading.current_thread() is not self._thread, "a verb must not open a second tx"
        self._start()
        future: Future[Result] = Future()
        try:
            self._queue.put((verb, future), timeout=1)
            return future.result(timeout=WAIT_S)
        except (queue.Full, TimeoutError) as error:
            if future.cancel():
                raise busy() from error
            return future.result()  # it is being committed right now: only its outcome is an honest answer

    def close(self) -> None:
        """Finish what is queued, then stop."""
        with self._lock:
            if self._thread is not None:
                self._queue.put(None)
                self._thread.join()
                self._thread = None

    def _start(self) -> None:
        """Start the thread at first use: servers fork before they serve, and threads do not survive a fork.

        One that could not open its file has died, and is replaced.
        """
        if self._thread is None or not self._thread.is_alive():
            with self._lock:
                if self._thread is None or not self._thread.is_alive():
                    self._thread = threading.Thread(target=self._loop, name="sqlite-writer", daemon=True)
                    self._thread.start()

    def _loop(self) -> None:
        with self._engine.connect().execution_options(sqlite_immediate=True) as connection:
            while (job := self._queue.get()) is not None:
                group = [job]
                stop = False
                while len(group) < GROUP_LIMIT and not stop:
                    try:
                        more = self._queue.get_nowait()
                    except queue.Empty:
                        break
                    if more is None:
                        stop = True
                    else:
                        group.append(more)
                _commit_group(connection, group)
                if stop:
                    return


def _commit_group(connection: Connection, group: list[tuple[Callable[[Connection], Any], Future[Any]]]) -> None:
    """Run every verb in a savepoint of one tx, commit, and only then wake the callers."""
    accepted = [(verb, future) for verb, future in group if future.set_running_or_notify_cancel()]
    outcomes: list[tuple[Future[Any], Any, BaseException | None]] = []
    try:
        with connection.begin():
            outcomes.extend((future, *_in_savepoint(connection, verb)) for verb, future in accepted)
    except BaseException as error:  # noqa: BLE001 - the group's door: every caller gets the error that broke the commit
        # After a failed COMMIT SQLAlchemy takes the tx for ended while SQLite still holds it open.
        _raw(connection).rollback()
        for _, future in accepted:
            future.set_exception(error)
        return
    for future, result, failure in outcomes:
        if failure is None:
            future.set_result(result)
        else:
            future.set_exception(failure)


def _in_savepoint(connection: Connection, verb: Callable[[Connection], Any]) -> tuple[Any, BaseException | None]:
    """Return the verb's result or its error; what a failed verb wrote is gone."""
    raw = _raw(connection)
    raw.execute("SAVEPOINT verb")  # the driver's own: SQLAlchemy's costs as much as the verb
    try:
        result = verb(connection)
    except BaseException as error:
        if not raw.in_transaction:
            # SQLITE_FULL and friends roll the whole tx back by themselves: nobody in the group may be acknowledged.
            raise
        raw.execute("ROLLBACK TO verb")
        raw.execute("RELEASE verb")
        return None, error
    raw.execute("RELEASE verb")
    return result, None


def _raw(connection: Connection) -> Any:
    """Return the driver's own connection, a `sqlite3.Connection`."""
    raw = connection.connection.dbapi_connection
    assert raw is not None
    return raw
