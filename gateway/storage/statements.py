"""The few statements that SQLAlchemy does not say the same way to all three databases."""

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Insert, Table, func, select
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.exc import IntegrityError

_MARIADB_DUPLICATE: Final = 1062


def insert_new(tx: Connection, table: Table, values: dict[str, Any]) -> bool:
    """Insert a row unless a unique key already holds it; return whether it is new. The tx stays usable."""
    count = {"preserve_rowcount": True}
    if tx.dialect.name == "postgresql":
        statement = postgresql.insert(table).values(values).on_conflict_do_nothing()
        return tx.execute(statement, execution_options=count).rowcount == 1
    if tx.dialect.name == "sqlite":
        lite = sqlite.insert(table).values(values).on_conflict_do_nothing()
        return tx.execute(lite, execution_options=count).rowcount == 1
    try:  # INSERT IGNORE would also swallow truncation and bad values
        with tx.begin_nested():
            tx.execute(table.insert().values(values))
    except IntegrityError as error:
        if error.orig is None or error.orig.args[:1] != (_MARIADB_DUPLICATE,):
            raise
        return False
    return True


def add_to_rows(tx: Connection, table: Table, rows: Sequence[dict[str, Any]], amounts: Sequence[str]) -> None:
    """Insert rows, or add their `amounts` columns to the rows that stand there; `version` counts the changes.

    The rows are locked in the order given: sort them the same way everywhere, or deadlock. SQLite and MariaDB get the
    rows as parameters of a statement that is compiled once (MariaDB's driver still sends one statement).
    """
    if not rows:
        return
    if tx.dialect.name == "postgresql":
        pg = postgresql.insert(table).values(list(rows))
        added: dict[str, Any] = {name: table.c[name] + pg.excluded[name] for name in amounts}
        added["version"] = table.c.version + pg.excluded.version
        tx.execute(pg.on_conflict_do_update(index_elements=list(table.primary_key), set_=added))
    else:
        tx.execute(_addition(tx.dialect.name, table, tuple(amounts)), rows)


@cache
def _addition(dialect: str, table: Table, amounts: tuple[str, ...]) -> Insert:
    """Return the statement that adds one row, built once: building it costs more than running it."""
    if dialect == "sqlite":
        lite = sqlite.insert(table)
        added: dict[str, Any] = {name: func.iadd(table.c[name], lite.excluded[name]) for name in amounts}
        added["version"] = table.c.version + lite.excluded.version
        return lite.on_conflict_do_update(index_elements=list(table.primary_key), set_=added)
    maria = mysql.insert(table)
    added = {name: table.c[name] + maria.inserted[name] for name in amounts}
    added["version"] = table.c.version + maria.inserted.version
    return maria.on_duplicate_key_update(added)


def exact_sum(tx: Connection, column: ColumnElement[int]) -> int:
    """Return the sum of atomic amounts, exact on every database; 0 over no rows."""
    return int(tx.scalar(select(total(tx, column))) or 0)


def total(tx: Connection, column: ColumnElement[int]) -> ColumnElement[Any]:
    """Return the exact sum of atomic amounts as a column; on SQLite it is text, and to be compared as text."""
    return func.isum(column) if tx.dialect.name == "sqlite" else func.sum(column)
