"""Orders in any database that SQLAlchemy speaks to: `pip install "streampay[sqlalchemy]"`."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    Float,
    FromClause,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    delete,
    exists,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.mysql import MEDIUMTEXT, VARCHAR
from sqlalchemy.exc import IntegrityError

from streampay.gateway.orders import Hook, HookCall, Order, OrderRecord, OrderStatus
from streampay.gateway.stores import KEPT_EVENTS_S, OrderTx, Run, is_overtaken, must_wait, retry_after_s, work_off

log = logging.getLogger("streampay")

# Case counts in an order's number: MariaDB and MySQL compare text without it unless a column says so.
_ORDER_ID = String(120).with_variant(VARCHAR(120, collation="utf8mb4_bin"), "mysql", "mariadb")


class SqlAlchemyOrderStore:
    """Orders in three tables of the shop's own database; `HookCall.tx` is the open `sqlalchemy.Connection`.

    A row is locked by writing to it, which every database does alike. On SQLite a hook must write through `call.tx`.

    Args:
        engine: of the database.
        metadata: where the tables are declared; hand in your own to let Alembic see them.
        clock: Unix time in seconds.
    """

    def __init__(
        self, engine: Engine, *, metadata: MetaData | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._engine = engine
        self._clock = clock
        self.tables = _Tables(MetaData() if metadata is None else metadata)

    def create_tables(self) -> None:
        """Make the tables that are missing; a shop with migrations declares them there instead."""
        tables = self.tables
        tables.order.metadata.create_all(self._engine, tables=[tables.order, tables.event, tables.hook])

    def load(self, order_id: str) -> OrderRecord | None:
        """Read an order; None if it is not known."""
        with self._engine.connect() as connection:
            return self.tables.record(connection, order_id)

    def add(self, order: Order) -> OrderRecord:
        """Make an order known, committed, unless it is; return it as it stands."""
        known = self.load(order.id)
        if known is not None:
            return known
        record = OrderRecord.new(order)
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(self.tables.order), self.tables.row(record, self._clock()))
        except IntegrityError:  # somebody was quicker
            return self.load(order.id) or record
        return record

    @contextmanager
    def locked(self, order_id: str) -> Iterator[OrderTx]:
        """Lock an order until the block ends, then commit."""
        with self._engine.begin() as connection:
            yield _Tx(connection, self.tables, order_id, self._clock())

    def run_due(self, run: Run, limit: int) -> int:
        """Run queued calls; see `OrderStore.run_due`."""
        event = self.tables.event
        with self._engine.begin() as connection:
            connection.execute(delete(event).where(event.c.received_at < self._clock() - KEPT_EVENTS_S))
        return work_off(self._due, lambda number: self._attempt(number, run), limit)

    def _attempt(self, number: int, run: Run) -> bool:
        try:
            with self._engine.begin() as connection:
                return self._run_one(connection, number, run)
        except Exception as failure:  # a shop's hook may raise anything, and the others must go on
            log.exception("hook_failed id=%s", number)
            self._postpone(number, type(failure).__name__)
            return False

    def _due(self, limit: int) -> list[int]:
        hook, earlier = self.tables.hook, self.tables.hook.alias()
        is_next = ~exists().where(
            earlier.c.order_id == hook.c.order_id, earlier.c.id < hook.c.id, self._is_ready(earlier)
        )
        due = select(hook.c.id).where(self._is_ready(hook), hook.c.due_at <= self._clock(), is_next)
        with self._engine.connect() as connection:
            return list(connection.scalars(due.order_by(hook.c.id).limit(limit)))

    def _is_ready(self, hook: FromClause) -> ColumnElement[bool]:
        """Return what is true of all calls to run but those that `must_wait`."""
        order = self.tables.order.alias()
        is_disputed = exists().where(order.c.id == hook.c.order_id, order.c.status == OrderStatus.DISPUTED.value)
        return hook.c.done_at.is_(None) & ~((hook.c.hook == Hook.PAID.value) & is_disputed)

    def _run_one(self, connection: Connection, number: int, run: Run) -> bool:
        """Take a call, unless another worker has it or had it; whoever updates its row first runs it."""
        hook = self.tables.hook
        is_open = (hook.c.id == number) & hook.c.done_at.is_(None)
        if connection.execute(update(hook).where(is_open).values(done_at=self._clock())).rowcount == 0:
            return False
        row = connection.execute(select(hook).where(hook.c.id == number)).one()
        record = self.tables.record(connection, row.order_id)
        call = HookCall(row.order_id, Hook(row.hook), row.subject, order=record, tx=connection)
        if must_wait(call):  # since it was found to be due
            connection.execute(update(hook).where(hook.c.id == number).values(done_at=None))
            return False
        if not is_overtaken(call):
            run(call)
        return True

    def _postpone(self, number: int, error: str) -> None:
        hook = self.tables.hook
        with self._engine.begin() as connection:
            failures = connection.execute(select(hook.c.failures).where(hook.c.id == number)).scalar_one() + 1
            values = {"failures": failures, "error": error, "due_at": self._clock() + retry_after_s(failures)}
            connection.execute(update(hook).where(hook.c.id == number).values(values))


class _Tables:
    """The three tables, declared in the shop's metadata."""

    def __init__(self, metadata: MetaData) -> None:
        self.order = Table(
            "streampay_order",
            metadata,
            Column("id", _ORDER_ID, primary_key=True),
            Column("status", String(20), nullable=False),
            Column("state", Text().with_variant(MEDIUMTEXT(), "mysql", "mariadb"), nullable=False),
            Column("version", Integer, nullable=False),
            Column("updated_at", Float(53), nullable=False),
            extend_existing=True,
        )
        self.event = Table(
            "streampay_event",
            metadata,
            Column("id", String(120), primary_key=True),
            Column("order_id", _ORDER_ID, nullable=False),
            Column("received_at", Float(53), nullable=False, index=True),
            extend_existing=True,
        )
        self.hook = Table(
            "streampay_hook",
            metadata,
            Column("id", Integer, primary_key=True),
            Column("order_id", _ORDER_ID, nullable=False),
            Column("hook", String(20), nullable=False),
            Column("subject", String(120), nullable=False),
            Column("due_at", Float(53), nullable=False),
            Column("failures", Integer, nullable=False),
            Column("error", String(200)),
            Column("done_at", Float(53)),
            UniqueConstraint("order_id", "hook", "subject"),
            extend_existing=True,
        )

    def row(self, record: OrderRecord, now: float) -> dict[str, object]:
        state = json.dumps(record.to_dict())
        return {"id": record.id, "status": record.status.value, "state": state, "version": 0, "updated_at": now}

    def record(self, connection: Connection, order_id: str) -> OrderRecord | None:
        state = connection.execute(select(self.order.c.state).where(self.order.c.id == order_id)).scalar()
        return None if state is None else OrderRecord.from_dict(json.loads(state))


class _Tx:
    """Implements `OrderTx`."""

    def __init__(self, connection: Connection, tables: _Tables, order_id: str, now: float) -> None:
        self._connection = connection
        self._tables = tables
        self._order_id = order_id
        self._now = now
        table = tables.order
        touch = update(table).where(table.c.id == order_id).values(version=table.c.version + 1)
        is_known = connection.execute(touch).rowcount > 0  # the lock
        self.record = tables.record(connection, order_id) if is_known else None

    def claim(self, event_id: str) -> bool:
        table = self._tables.event
        if self._connection.execute(select(func.count()).where(table.c.id == event_id)).scalar_one():
            return False
        row = {"id": event_id, "order_id": self._order_id, "received_at": self._now}
        self._connection.execute(insert(table), row)
        return True

    def save(self, record: OrderRecord) -> None:
        table = self._tables.order
        values = {"status": record.status.value, "state": json.dumps(record.to_dict()), "updated_at": self._now}
        self._connection.execute(update(table).where(table.c.id == record.id).values(values))
        self.record = record

    def queue(self, calls: Iterable[HookCall]) -> None:
        table = self._tables.hook
        known = self._connection.execute(
            select(table.c.hook, table.c.subject).where(table.c.order_id == self._order_id)
        )
        told = {(row.hook, row.subject) for row in known}
        for call in calls:
            name = (call.hook.value, call.subject)
            if name not in told:
                told.add(name)
                row = {
                    "order_id": call.order_id,
                    "hook": name[0],
                    "subject": name[1],
                    "due_at": self._now,
                    "failures": 0,
                }
                self._connection.execute(insert(table), row)
