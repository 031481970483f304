"""A table with one column of each of our types, and short words for it."""

import itertools

from sqlalchemy import Column, Integer, MetaData, String, Table, insert, select

from gateway.storage.database import Tx
from gateway.storage.types import Atomic, Instant, Json, LongText

probe = Table(
    "probe",
    MetaData(),
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("amount", Atomic),
    Column("at", Instant),
    Column("value", Json),
    Column("long", LongText),
    Column("word", String(20), nullable=False, unique=True),
    mysql_charset="utf8mb4",
    mysql_collate="utf8mb4_nopad_bin",
)

numbers = itertools.count(1)


def put(tx: Tx, **values: object) -> int:
    """Insert a row and return its id."""
    number = next(numbers)
    tx.execute(insert(probe).values({"id": number, "word": f"w{number}", **values}))
    return number


def words(tx: Tx) -> set[str]:
    """Return the words of every row."""
    return set(tx.scalars(select(probe.c.word)))
