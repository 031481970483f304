"""The lease of a network: of several workers one looks, so that its nodes are asked once and not once a worker.

Nothing hangs on it but their patience: facts are credited once whoever sees them, and clocks that disagree only let two
look for a while. A holder that dies is followed within `LEASE`; one that is stopped gives its lease back.

The lease of a day is of the same kind: whoever has done that day's work keeps it until the day is over.
"""

import os
import socket
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import delete, or_, select, update

from gateway.kernel.clock import Clock, real_clock
from gateway.storage.database import Database, Tx
from gateway.storage.schema import network_lease
from gateway.storage.statements import insert_new

LEASE: Final = timedelta(seconds=6)  # a shopper whose worker died waits no longer for the next one
TURN: Final = timedelta(minutes=10)  # longer than a day's work takes: who holds it that long has died
DAY: Final = timedelta(days=1)
RENEW: Final = timedelta(seconds=3)  # one write in three seconds instead of one in each turn


class NetworkLease:
    """One process's claim on one network; used by one thread at a time."""

    def __init__(self, db: Database, clock: Clock, network: str, *, holder: str | None = None) -> None:
        self._db = db
        self._clock = real_clock(clock)  # a test clock that is moved ends nobody's turn
        self._network = network
        self._holder = holder or _holder(db)
        self._until: datetime | None = None

    def hold(self) -> bool:
        """Take or keep the lease; return whether it is ours now."""
        now = self._clock.now()
        if self._until is None and self._is_taken(now):
            return False
        if self._until is None or self._until - now <= RENEW:
            until = now + LEASE
            self._until = until if self._db.write(lambda tx: self._claim(tx, now, until)) else None
        return self._until is not None

    def release(self) -> None:
        """Give the lease back, so that another may look at once."""
        self._until = None
        table = network_lease
        statement = delete(table).where(table.c.network == self._network, table.c.holder == self._holder)
        self._db.write(lambda tx: tx.execute(statement))

    def _is_taken(self, now: datetime) -> bool:
        """Read before writing: those who wait ask every second."""
        query = select(network_lease.c.holder, network_lease.c.until).where(network_lease.c.network == self._network)
        row = self._db.read(lambda tx: tx.execute(query).one_or_none())
        return row is not None and row.holder != self._holder and now < row.until <= now + LEASE

    def _claim(self, tx: Tx, now: datetime, until: datetime) -> bool:
        table = network_lease
        # A time beyond any lease was written by a clock that ran ahead, and holds nobody up.
        is_free = or_(table.c.holder == self._holder, table.c.until <= now, table.c.until > now + LEASE)
        values = {"holder": self._holder, "until": until}
        statement = update(table).where(table.c.network == self._network, is_free).values(values)
        return tx.execute(statement).rowcount == 1 or insert_new(tx, table, {"network": self._network, **values})


class DayLease:
    """One process's claim on what is done once a day, of UTC, by all of them together; kept over restarts."""

    def __init__(self, db: Database, clock: Clock, name: str, *, holder: str | None = None) -> None:
        self._db = db
        self._clock = clock
        self._name = name
        self._holder = holder or _holder(db)
        self._day_ends = clock.now()

    def take(self) -> bool:
        """Claim today's work; False once it is done, and while somebody is at it. Call `finish` after the work."""
        now = self._clock.now()
        query = select(network_lease.c.until).where(network_lease.c.network == self._name)
        until = self._db.read(lambda tx: tx.scalar(query))
        if until is not None and not _is_over(until, now):
            return False
        self._day_ends = now.replace(hour=0, minute=0, second=0, microsecond=0) + DAY
        return self._db.write(lambda tx: self._claim(tx, now))

    def finish(self) -> None:
        """Keep what was claimed from being done again on its day."""
        table = network_lease
        is_ours = (table.c.network == self._name) & (table.c.holder == self._holder)
        statement = update(table).where(is_ours).values(until=self._day_ends)
        self._db.write(lambda tx: tx.execute(statement))

    def _claim(self, tx: Tx, now: datetime) -> bool:
        table = network_lease
        values = {"holder": self._holder, "until": now + TURN}
        statement = update(table).where(table.c.network == self._name, _is_over(table.c.until, now)).values(values)
        return tx.execute(statement).rowcount == 1 or insert_new(tx, table, {"network": self._name, **values})


def _is_over(until: Any, now: datetime) -> Any:
    """Tell whether a day's lease has ended; a time beyond the day was written by a clock that ran ahead."""
    return (until <= now) | (until > now + DAY)


def _holder(db: Database) -> str:
    """Name this process; an embedded database has one server, which takes its own lease up again after a crash."""
    return "embedded" if db.dialect == "sqlite" else f"{socket.gethostname()[:50]}:{os.getpid()}"
