"""Migrations: a migrated database is the schema, on every database; the books refuse change."""

from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import DBAPIError

from gateway.storage import schema
from gateway.storage.database import Database, Tx, open_database
from gateway.storage.migrate import current_revision, newest_revision, upgrade

NOW = datetime(2026, 11, 20, tzinfo=UTC)
ROWS: dict[str, dict[str, Any]] = {
    "event": {
        "id": "evt_1", "merchant_id": "mer_1", "livemode": False, "type": "ping", "object_id": "x", "sequence": 1,
        "body": "{}", "created_at": NOW,
    },
    "journal_entry": {
        "id": "je_1", "merchant_id": "mer_1", "livemode": False, "kind": "receipt", "subject_id": "pay_1",
        "subject_version": 1, "effective_at": NOW, "recorded_at": NOW,
    },
    "posting": {
        "entry_id": "je_1", "seq": 0, "account_id": "acct_1", "amount": 7, "layer": "posted", "subject_id": "pay_1",
    },
}  # fmt: skip


def test_an_empty_database_has_no_revision_and_an_upgraded_one_the_newest(fresh_database_url: str) -> None:
    database = open_database(fresh_database_url)
    assert current_revision(database) is None
    upgrade(database)
    upgrade(database)
    assert current_revision(database) == newest_revision()
    database.close()


def test_a_migrated_database_differs_in_nothing_from_the_schema(db: Database) -> None:
    def differences(tx: Tx) -> list[Any]:
        context = MigrationContext.configure(tx, opts={"compare_type": True})
        found = compare_metadata(context, schema.metadata)
        return [one for one in found if not _is_probe(one)]

    assert db.read(differences) == []


def _is_probe(difference: Any) -> bool:
    name = getattr(difference[1], "name", None)
    table = getattr(getattr(difference[1], "table", None), "name", None)
    return "probe" in {name, table}


def _run(statement: Any, tx: Tx) -> None:
    tx.execute(statement)


def test_each_append_only_table_has_a_row_here() -> None:
    assert set(ROWS) == set(schema.APPEND_ONLY)


@pytest.mark.parametrize("name", schema.APPEND_ONLY)
def test_the_books_refuse_to_change_or_forget(db: Database, name: str) -> None:
    table = schema.metadata.tables[name]
    db.write(lambda tx: tx.execute(insert(table), ROWS[name]))
    column = next(iter(table.primary_key))
    attacks: list[Any] = [
        update(table).values({"merchant_id" if name != "posting" else "account_id": "x"}),
        delete(table),
    ]
    for attack in attacks:
        with pytest.raises(DBAPIError, match="append-only"):
            db.write(partial(_run, attack))
    assert db.read(lambda tx: tx.scalar(select(column))) == ROWS[name][column.name]
    if db.dialect == "postgresql":
        with pytest.raises(DBAPIError, match="append-only"):
            db.write(lambda tx: tx.exec_driver_sql(f"TRUNCATE {name}"))
    if db.dialect == "sqlite":
        with pytest.raises(DBAPIError, match="append-only"):
            db.write(lambda tx: tx.execute(insert(table).prefix_with("OR REPLACE"), ROWS[name]))
