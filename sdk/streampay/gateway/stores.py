"""Where a plugin keeps orders: the four methods that a shop's own store has, and one on a SQLite file."""

from __future__ import annotations

import json
import logging
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from streampay.gateway.orders import Hook, HookCall, Order, OrderRecord, OrderStatus

log = logging.getLogger("streampay")

RETRY_S = (10, 60, 300, 1_800, 7_200, 21_600, 86_400)  # after each failure of a hook; then once a day
KEPT_EVENTS_S = 30 * 86_400  # the gateway gives an event up after three days; a resend by hand may come later
Run = Callable[[HookCall], None]


class OrderTx(Protocol):
    """One order, held by a lock until the transaction ends; an exception undoes everything."""

    @property
    def record(self) -> OrderRecord | None:
        """The order as it stands; None for one that the store does not know."""
        ...

    def claim(self, event_id: str) -> bool:
        """Remember an event; False if it is remembered already."""
        ...

    def save(self, record: OrderRecord) -> None:
        """Keep the order."""
        ...

    def queue(self, calls: Iterable[HookCall]) -> None:
        """Keep what is to be done after the commit, leaving out every call whose key is known, done or not."""
        ...


class OrderStore(Protocol):
    """A shop's orders, as the plugin needs them."""

    def load(self, order_id: str) -> OrderRecord | None:
        """Read an order; None if it is not known."""
        ...

    def add(self, order: Order) -> OrderRecord:
        """Make an order known, committed, unless it is; return it as it stands."""
        ...

    def locked(self, order_id: str) -> AbstractContextManager[OrderTx]:
        """Lock an order for as long as the block runs, then commit; others who want it wait."""
        ...

    def run_due(self, run: Run, limit: int) -> int:
        """Run up to `limit` queued calls, an order's own one after the other, each in a transaction that also notes it.

        Of several workers one runs a call. A call that raises is kept and tried again later; one that `must_wait` is
        kept and stands in nobody's way.

        Returns:
            How many were run to their end.
        """
        ...


def is_overtaken(call: HookCall) -> bool:
    """Tell whether a call has lost its sense while it waited.

    Nobody wants to hear that an order has expired which was paid, or for which another page was opened since.
    """
    order = call.order
    if order is None:
        return False
    if call.hook is Hook.PAID:
        return order.status is OrderStatus.REFUNDED
    is_about_one_try = call.hook in (Hook.FAILED, Hook.EXPIRED)
    is_another_open = is_about_one_try and order.payment_id not in (None, call.payment_id)
    return is_another_open or (order.is_settled and (is_about_one_try or call.hook is Hook.PENDING))


def must_wait(call: HookCall) -> bool:
    """Tell whether a call waits for its order: nothing is shipped while its money is disputed.

    It stays queued, in nobody's way, and is due again when the dispute is won.
    """
    return call.hook is Hook.PAID and call.order is not None and call.order.status is OrderStatus.DISPUTED


def work_off(due: Callable[[int], Iterable[int]], attempt: Callable[[int], bool], limit: int) -> int:
    """Attempt what is due, and what becomes due by that: an order's next call. Return how many came to their end.

    `due` gives up to so many numbers of calls, `attempt` tells whether it ran one.
    """
    done = 0
    while numbers := list(due(limit - done)):
        count = sum(attempt(number) for number in numbers)
        done += count
        if not count:  # the others are waiting for their time, or another worker has them
            break
    return done


def retry_after_s(failures: int) -> int:
    """Return how long a call waits after so many failures."""
    return RETRY_S[min(failures, len(RETRY_S)) - 1]


_SCHEMA = """
CREATE TABLE IF NOT EXISTS streampay_order (
    id TEXT PRIMARY KEY, status TEXT NOT NULL, state TEXT NOT NULL, updated_at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS streampay_event (id TEXT PRIMARY KEY, order_id TEXT NOT NULL, received_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS streampay_hook (
    id INTEGER PRIMARY KEY, order_id TEXT NOT NULL, hook TEXT NOT NULL, subject TEXT NOT NULL,
    due_at REAL NOT NULL, failures INTEGER NOT NULL DEFAULT 0, error TEXT, done_at REAL,
    UNIQUE (order_id, hook, subject)
);
CREATE INDEX IF NOT EXISTS streampay_hook_due ON streampay_hook (due_at) WHERE done_at IS NULL;
"""
_DUE = """
SELECT one.id FROM streampay_hook AS one LEFT JOIN streampay_order AS placed ON placed.id = one.order_id
WHERE one.done_at IS NULL AND one.due_at <= ? AND NOT (one.hook = 'paid' AND placed.status IS 'disputed')
AND NOT EXISTS (
    SELECT 1 FROM streampay_hook AS earlier
    WHERE earlier.order_id = one.order_id AND earlier.id < one.id AND earlier.done_at IS NULL
    AND NOT (earlier.hook = 'paid' AND placed.status IS 'disputed')
) ORDER BY one.id LIMIT 1
"""  # for 'paid' and 'disputed' see `must_wait`


class SqliteOrderStore:
    """Orders in a SQLite file, three tables beside the shop's own; `HookCall.tx` is the open `sqlite3.Connection`.

    A hook must write to the same file through `call.tx`: the file is locked while it runs.

    Args:
        path: the file, made if it is missing.
        clock: Unix time in seconds.
    """

    def __init__(self, path: str | Path, *, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        db = sqlite3.connect(path, timeout=30)
        try:
            db.executescript("PRAGMA journal_mode = WAL;" + _SCHEMA)
        finally:
            db.close()

    def load(self, order_id: str) -> OrderRecord | None:
        """Read an order; None if it is not known."""
        with self._tx("DEFERRED") as db:
            return _record(db, order_id)

    def add(self, order: Order) -> OrderRecord:
        """Make an order known, committed, unless it is; return it as it stands."""
        record = OrderRecord.new(order)
        with self._tx() as db:
            db.execute(
                "INSERT INTO streampay_order VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (record.id, record.status.value, json.dumps(record.to_dict()), self._clock()),
            )
            return _record(db, order.id) or record

    @contextmanager
    def locked(self, order_id: str) -> Iterator[OrderTx]:
        """Lock the file until the block ends, then commit."""
        with self._tx() as db:
            yield _SqliteTx(db, order_id, self._clock())

    def run_due(self, run: Run, limit: int) -> int:
        """Run queued calls; see `OrderStore.run_due`."""
        done = 0
        for _ in range(limit):
            found, error = None, ""
            try:
                with self._tx() as db:
                    found = db.execute(_DUE, (self._clock(),)).fetchone()
                    if found is None:
                        return done
                    self._run_one(db, found[0], run)
                    done += 1
            except Exception as failure:  # a shop's hook may raise anything, and the others must go on
                if found is None:
                    raise
                log.exception("hook_failed id=%s", found[0])
                error = type(failure).__name__
            if error and found is not None:
                self._postpone(found[0], error)
        return done

    def _run_one(self, db: sqlite3.Connection, number: int, run: Run) -> None:
        order_id, hook, subject = db.execute(
            "SELECT order_id, hook, subject FROM streampay_hook WHERE id = ?", (number,)
        ).fetchone()
        call = HookCall(order_id, Hook(hook), subject, order=_record(db, order_id), tx=db)
        if not is_overtaken(call):
            run(call)
        db.execute("UPDATE streampay_hook SET done_at = ? WHERE id = ?", (self._clock(), number))

    def _postpone(self, number: int, error: str) -> None:
        with self._tx() as db:
            (failures,) = db.execute("SELECT failures FROM streampay_hook WHERE id = ?", (number,)).fetchone()
            due_at = self._clock() + retry_after_s(failures + 1)
            db.execute(
                "UPDATE streampay_hook SET failures = failures + 1, error = ?, due_at = ? WHERE id = ?",
                (error, due_at, number),
            )

    @contextmanager
    def _tx(self, mode: str = "IMMEDIATE") -> Iterator[sqlite3.Connection]:
        """Open a transaction; IMMEDIATE takes the write lock at once, so that two doors wait for each other."""
        db = sqlite3.connect(self._path, timeout=30, isolation_level=None)
        try:
            db.execute(f"BEGIN {mode}")
            yield db
            db.execute("COMMIT")
        finally:
            db.close()  # without a COMMIT this rolls back


class _SqliteTx:
    """Implements `OrderTx`."""

    def __init__(self, db: sqlite3.Connection, order_id: str, now: float) -> None:
        self._db = db
        self._now = now
        self._order_id = order_id
        self.record = _record(db, order_id)

    def claim(self, event_id: str) -> bool:
        self._db.execute("DELETE FROM streampay_event WHERE received_at < ?", (self._now - KEPT_EVENTS_S,))
        row = (event_id, self._order_id, self._now)
        return self._db.execute("INSERT INTO streampay_event VALUES (?, ?, ?) ON CONFLICT DO NOTHING", row).rowcount > 0

    def save(self, record: OrderRecord) -> None:
        values = (record.status.value, json.dumps(record.to_dict()), self._now, record.id)
        self._db.execute("UPDATE streampay_order SET status = ?, state = ?, updated_at = ? WHERE id = ?", values)
        self.record = replace(record)

    def queue(self, calls: Iterable[HookCall]) -> None:
        self._db.executemany(
            "INSERT INTO streampay_hook (order_id, hook, subject, due_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            [(call.order_id, call.hook.value, call.subject, self._now) for call in calls],
        )


def _record(db: sqlite3.Connection, order_id: str) -> OrderRecord | None:
    row: Any = db.execute("SELECT state FROM streampay_order WHERE id = ?", (order_id,)).fetchone()
    return None if row is None else OrderRecord.from_dict(json.loads(row[0]))
