"""What the shop itself knows: what was ordered, and what the warehouse has to send.

Whether an order is paid, the plugin knows: its tables stand in the same file. Its hook `on_paid` writes a shipment
through the plugin's own open connection, so "the hook has run" and "there is a shipment" are committed together.
"""

import secrets
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from streampay.gateway import HookCall, OrderRecord, OrderStatus, PaymentReading

SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (
    id         TEXT PRIMARY KEY,
    product    TEXT NOT NULL,
    amount     TEXT NOT NULL,
    currency   TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS shipments (           -- the warehouse works through this table
    order_id   TEXT PRIMARY KEY REFERENCES orders (id),
    payment_id TEXT NOT NULL UNIQUE,
    shipped_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);
"""

# What the plugin's status means on the order's page. What is on hold is looked at more closely, see `shown`.
SHOWN = {
    OrderStatus.NEW: "pending",
    OrderStatus.PENDING: "pending",
    OrderStatus.ON_HOLD: "confirming",
    OrderStatus.AUTHORIZED: "confirming",
    OrderStatus.PAID: "paid",
    OrderStatus.PARTLY_REFUNDED: "paid",
    OrderStatus.REFUNDED: "refunded",
    OrderStatus.DISPUTED: "review",
    OrderStatus.FAILED: "expired",
    OrderStatus.EXPIRED: "expired",
}


class UnknownOrderError(LookupError):
    """No such order here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """One order as the shop keeps it; amounts in major units; `shipped_at` is None before."""

    id: str
    product: str
    amount: str
    currency: str
    shipped_at: str | None


class Orders:
    """The orders in one SQLite file."""

    def __init__(self, path: Path | str) -> None:
        self._path = path
        with closing(sqlite3.connect(path)) as db:
            db.executescript("PRAGMA journal_mode = WAL;" + SCHEMA)

    def place(self, product: str, amount: str, currency: str) -> Purchase:
        """Write a new order. Its id is hard to guess: whoever knows it may see the order."""
        order_id = secrets.token_hex(8)
        with closing(sqlite3.connect(self._path, timeout=30)) as db, db:
            db.execute("INSERT INTO orders VALUES (?, ?, ?, ?)", (order_id, product, amount, currency))
        return self.get(order_id)

    def get(self, order_id: str) -> Purchase:
        """Read an order, or raise `UnknownOrderError`."""
        query = "SELECT orders.*, shipped_at FROM orders LEFT JOIN shipments ON order_id = id WHERE id = ?"
        with closing(sqlite3.connect(self._path, timeout=30)) as db:
            db.row_factory = sqlite3.Row
            found = db.execute(query, (order_id,)).fetchone()
        if found is None:
            raise UnknownOrderError
        return Purchase(**found)


def ship(call: HookCall) -> None:
    """Tell the warehouse, in the commit in which the plugin notes that it did."""
    call.tx.execute("INSERT INTO shipments (order_id, payment_id) VALUES (?, ?)", (call.order_id, call.payment_id))


def shown(record: OrderRecord | None) -> str:
    """Return the word that the order's page has for where an order stands."""
    if record is None:
        return "pending"
    readings = record.readings.values()
    payer = paid_by(record)
    if payer is not None and record.status is not OrderStatus.REFUNDED:
        is_odd = payer.status != "paid" or payer.refunds == "failed"  # the chain, or a bank, took something back
        return "review" if is_odd else SHOWN[record.status]
    if record.status is OrderStatus.ON_HOLD:
        if any(one.was_paid for one in readings):
            return "review"  # another sum than the order's
        return "underpaid" if any(one.status == "underpaid" for one in readings) else "confirming"
    return SHOWN[record.status]


def refunded(record: OrderRecord | None) -> str | None:
    """Return how much went back of what paid an order; None for nothing."""
    payer = None if record is None else paid_by(record)
    return None if payer is None or not payer.amount_refunded.strip("0.") else payer.amount_refunded


def paid_by(record: OrderRecord) -> PaymentReading | None:
    """Return the newest that was said of the payment that paid an order."""
    return None if record.paid_by is None else record.readings[record.paid_by]
