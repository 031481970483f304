"""Builders of the ledger's tests: entries in one line, a journal over a migrated database."""

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count

from gateway.kernel.clock import ManualClock
from gateway.kernel.ids import RandomIds
from gateway.kernel.money import Money
from gateway.ledger.entries import EntryDraft, Layer, Leg
from gateway.ledger.journal import Journal
from gateway.ledger.proof import VerifyReport, verify
from gateway.storage.database import Database, Tx
from gateway.storage.schema import APPEND_ONLY

MERCHANT = "mer_one"
HOT, AVAILABLE, PENDING = "chain:solana:localnet:hot", "merchant:available", "merchant:pending"
NOW = datetime(2026, 11, 20, 9, 21, 0, 123456, tzinfo=UTC)

_versions = count(1)


def legs(*moves: tuple[str, int], currency: str = "USDC", layer: Layer = Layer.POSTED) -> tuple[Leg, ...]:
    return tuple(Leg(account, Money(amount, currency), layer) for account, amount in moves)


def a_receipt(amount: int = 1_000_000, **changes: object) -> EntryDraft:
    """Build an entry that books `amount` of USDC from the chain to the merchant, with a version of its own."""
    values: dict[str, object] = {
        "merchant_id": MERCHANT,
        "livemode": False,
        "kind": "receipt",
        "subject_id": "pay_one",
        "subject_version": next(_versions),
        "legs": legs((HOT, amount), (AVAILABLE, -amount)),
        "effective_at": NOW,
    }
    return EntryDraft(**(values | changes))  # type: ignore[arg-type]  # a builder takes any change


@dataclass
class Books:
    """A database with a journal and a clock."""

    db: Database
    clock: ManualClock
    journal: Journal

    def post(self, draft: EntryDraft) -> str:
        return self.db.write(lambda tx: self.journal.post(tx, draft))

    def post_many(self, *drafts: EntryDraft) -> tuple[str, ...]:
        return self.db.write(lambda tx: self.journal.post_many(tx, drafts))

    def reverse(self, entry_id: str) -> str:
        version = next(_versions)
        return self.db.write(lambda tx: self.journal.reverse(tx, entry_id, subject_version=version, effective_at=NOW))

    def posted(self, merchant_id: str = MERCHANT) -> dict[tuple[str, str], int]:
        balances = self.db.read(lambda tx: self.journal.balances(tx, merchant_id, False))  # noqa: FBT003 - test mode
        return {(balance.account, balance.currency): balance.posted.atomic for balance in balances}

    def verify(self) -> VerifyReport:
        return self.db.snapshot(verify)


def books_over(db: Database, **slots: int) -> Books:
    clock = ManualClock()
    codes = {name.replace("_", ":"): number for name, number in slots.items()}
    return Books(db, clock, Journal(RandomIds(clock), clock, slots=codes))


def open_by_force(db: Database) -> None:
    """Drop the triggers that keep the books append-only, as an intruder with the database would."""

    def drop(tx: Tx) -> None:
        for table in APPEND_ONLY:
            if db.dialect == "postgresql":
                tx.exec_driver_sql(f"DROP TRIGGER {table}_append_only ON {table}")
            else:
                tx.exec_driver_sql(f"DROP TRIGGER {table}_no_update")
                tx.exec_driver_sql(f"DROP TRIGGER {table}_no_delete")

    db.write(drop)


def change(tx: Tx, *statements: str) -> None:
    """Change the books behind the ledger's back; every statement must hit something."""
    for statement in statements:
        assert tx.exec_driver_sql(statement).rowcount > 0, f"nothing was changed by {statement}"


def tamper(db: Database, *statements: str) -> None:
    """Open the books by force and change them for good."""
    open_by_force(db)
    db.write(lambda tx: change(tx, *statements))
