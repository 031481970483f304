"""Migrations: a migrated database is the schema, on every database; the books refuse change."""

from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import BigInteger, Boolean, Integer, String, delete, insert, inspect, select, update
from sqlalchemy import column as sa_column
from sqlalchemy import table as sa_table
from sqlalchemy.exc import DBAPIError

from gateway.storage import migrate, schema
from gateway.storage.database import Database, Tx, open_database
from gateway.storage.migrate import current_revision, newest_revision, upgrade
from gateway.storage.types import Atomic, Instant, Json

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


def test_gifts_from_before_are_added_up_by_day(fresh_database_url: str) -> None:
    database = open_database(fresh_database_url)
    _step(database, "0008")
    late, next_day = datetime(2026, 11, 20, 23, 59, 59, tzinfo=UTC), datetime(2026, 11, 21, tzinfo=UTC)
    gifts = [("don_1", 10**30, 10**30, late), ("don_2", 10**30 + 1, 0, late), ("don_3", 7, 0, next_day)]
    _put(database, "account", _owed_accounts())
    for place, (gift_id, units, gone, at) in enumerate([*gifts, ("don_4", 9, 0, None)]):
        _put(database, "donation", [_old_gift(gift_id, units, gone, at)])
        held = units - gone if at else 0
        _put(database, "posting", [_old_posting(f"je_{place}", f"pay_{gift_id}", -held)])
    _put(database, "attempt", [_old_attempt()])
    upgrade(database)
    days = database.read(lambda tx: tx.execute(select(schema.campaign_day).order_by(schema.campaign_day.c.day)).all())
    assert [(one.day, one.gifts, one.stayed, one.received, one.reversed, one.fee_cover) for one in days] == [
        (datetime(2026, 11, 20, tzinfo=UTC), 2, 1, 2 * 10**30 + 1, 10**30, 2), (next_day, 1, 1, 7, 0, 1),
    ]  # fmt: skip
    owed = database.read(lambda tx: tx.execute(select(schema.charity_day).order_by(schema.charity_day.c.day)).all())
    assert [(one.currency, one.received, one.reversed, one.owed) for one in owed] == [
        ("USD", 2 * 10**30 + 1, 10**30, 10**30 + 1), ("USD", 7, 0, 7),
    ]  # fmt: skip
    kept = select(schema.donation.c.owed).order_by(schema.donation.c.id)
    assert database.read(lambda tx: list(tx.scalars(kept))) == [{}, {"USD": str(10**30 + 1)}, {"USD": "7"}, {}]
    assert database.read(lambda tx: tx.scalar(select(schema.attempt.c.asked_amount))) == 10**30 + 5
    database.close()


def _step(database: Database, revision: str) -> None:
    """Bring an empty database up to an older revision."""
    config = migrate._config()
    with database.engine.execution_options(sqlite_immediate=True).begin() as tx:
        config.attributes["connection"] = tx
        command.upgrade(config, revision)


def _put(database: Database, name: str, rows: list[dict[str, Any]]) -> None:
    """Insert rows into a table as it is at that revision, with what they do not name left empty."""
    table = schema.metadata.tables[name]
    old = {column["name"] for column in inspect(database.engine).get_columns(name)}
    filled = [{column.name: _empty(column) for column in table.c if column.name in old} | row for row in rows]
    columns = [column for column in table.c if column.name in old]
    then = sa_table(name, *(sa_column(column.name, column.type) for column in columns))
    database.write(lambda tx: tx.execute(insert(then), filled))


def _empty(column: Any) -> Any:
    if column.nullable:
        return None
    kind = column.type
    return next(value for known, value in _EMPTY if isinstance(kind, known))


_EMPTY: tuple[tuple[type, Any], ...] = (
    (Atomic, 0), (Instant, NOW), (Json, {}), (Boolean, False), (String, "x"), (BigInteger, 0), (Integer, 0),
)  # fmt: skip


def _owed_accounts() -> list[dict[str, Any]]:
    return [{"id": "acct_1", "code": "donation:charity:cha_1:payable", "currency": "USD"}]


def _old_gift(gift_id: str, units: int, gone: int, at: datetime | None) -> dict[str, Any]:
    return {
        "id": gift_id, "payment_id": f"pay_{gift_id}", "charity_id": "cha_1", "campaign_id": "cmp_1", "currency": "USD",
        "status": "reversed" if gone else "received", "amount_received": units, "amount_reversed": gone, "fee_cover": 1,
        "received": {"USD": str(units)}, "reversed": {"USD": str(gone)} if gone else {}, "received_at": at,
    }  # fmt: skip


def _old_posting(entry_id: str, payment_id: str, amount: int) -> dict[str, Any]:
    return {
        "entry_id": entry_id, "seq": 0, "account_id": "acct_1", "amount": amount, "layer": "posted",
        "subject_id": payment_id,
    }  # fmt: skip


def _old_attempt() -> dict[str, Any]:
    return {"id": "att_1", "pay_amount": 10**30, "gift_amount": 5}
