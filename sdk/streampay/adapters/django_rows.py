"""Orders that are rows of somebody else's table: the plugin's record lives in the row of the payment it is about."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db.transaction import atomic

from streampay.gateway import HookCall, Order, OrderRecord, OrderTx
from streampay.gateway.stores import Run


class RowStore(ABC):
    """An `OrderStore` over such rows. There are no hooks: what follows from a record is done where it is kept.

    A delivery that comes twice is read twice, which changes nothing: a record is a set of readings.
    """

    @abstractmethod
    def find(self, order_id: str, *, lock: bool) -> Any | None:
        """Return the row; locked, if asked, until the surrounding `atomic` block ends."""

    @abstractmethod
    def read(self, row: Any) -> Mapping[str, Any] | None:
        """Return what was kept in a row."""

    @abstractmethod
    def keep(self, row: Any, record: OrderRecord) -> None:
        """Write a record into its locked row, with all that follows from it."""

    def load(self, order_id: str) -> OrderRecord | None:
        """Read an order; None if it is not known."""
        return self.record(self.find(order_id, lock=False))

    def record(self, row: Any | None) -> OrderRecord | None:
        """Return the record in a row."""
        kept = None if row is None else self.read(row)
        return OrderRecord.from_dict(kept) if kept else None

    def add(self, order: Order) -> OrderRecord:
        """Make an order known, unless it is; return it as it stands."""
        with atomic():
            row = self.find(order.id, lock=True)
            record = self.record(row)
            if record is None:
                record = OrderRecord.new(order)
                self.keep(row, record)
        return record

    @contextmanager
    def locked(self, order_id: str) -> Iterator[OrderTx]:
        """Lock an order until the block ends."""
        with atomic():
            yield _RowTx(self, self.find(order_id, lock=True))

    def run_due(self, run: Run, limit: int) -> int:  # noqa: ARG002 - the port's words
        """Run nothing: nothing waits."""
        return 0


class _RowTx:
    """Implements `OrderTx`."""

    def __init__(self, store: RowStore, row: Any | None) -> None:
        self._store = store
        self._row = row
        self.record = store.record(row)

    def claim(self, event_id: str) -> bool:  # noqa: ARG002 - a repeated reading changes nothing
        return True

    def save(self, record: OrderRecord) -> None:
        self._store.keep(self._row, record)
        self.record = record

    def queue(self, calls: Iterable[HookCall]) -> None:
        """Keep nothing: what follows from a record is done by `keep`."""
