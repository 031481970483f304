"""Column types: what goes in comes out, to the last digit, on every database."""

from datetime import UTC, datetime, timedelta, timezone
from functools import partial

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import StatementError

from gateway.kernel.money import MAX_ATOMIC
from gateway.storage.database import Database, Tx
from gateway.storage.statements import exact_sum
from tests.storage.probe import probe, put

AMOUNTS = [
    0, 1, -1, 9, 10, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), 2**64 + 1, 10**18 + 1, 10**27 + 1, 10**28 + 1,
    12345678901234567890123456789012345678901234567890, 10**64, -(10**64), MAX_ATOMIC, -MAX_ATOMIC, None,
]  # fmt: skip


@pytest.mark.parametrize("amount", AMOUNTS)
def test_an_amount_is_kept_to_the_last_unit(db: Database, amount: int | None) -> None:
    number = db.write(lambda tx: put(tx, amount=amount))
    found = db.read(lambda tx: tx.scalar(select(probe.c.amount).where(probe.c.id == number)))
    assert found == amount
    assert type(found) is type(amount), "a Decimal never leaves the cellar"


@pytest.mark.parametrize("amount", [MAX_ATOMIC + 1, -MAX_ATOMIC - 1, 1.0, True, "1"])
def test_what_a_database_could_not_hold_is_never_sent(db: Database, amount: object) -> None:
    with pytest.raises((AssertionError, StatementError)):
        db.write(lambda tx: put(tx, amount=amount))


def test_amounts_are_found_by_equality(db: Database) -> None:
    number = db.write(lambda tx: put(tx, amount=10**40 + 7))
    assert db.read(lambda tx: tx.scalar(select(probe.c.id).where(probe.c.amount == 10**40 + 7))) == number


def test_a_sum_of_huge_amounts_is_exact(db: Database) -> None:
    amounts = [10**63 + 1, 10**63 + 1, -(10**18) - 1, 5, 0]

    def verb(tx: Tx) -> list[int]:
        return [put(tx, amount=amount) for amount in amounts]

    mine = db.write(verb)
    rows = select(probe.c.amount).where(probe.c.id.in_(mine)).subquery()
    assert db.read(lambda tx: exact_sum(tx, rows.c.amount)) == sum(amounts)
    nothing = select(probe.c.amount).where(probe.c.id == -1).subquery()
    assert db.read(lambda tx: exact_sum(tx, nothing.c.amount)) == 0


INSTANTS = [
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(2026, 11, 20, 9, 21, 0, 123_456, tzinfo=UTC),
    datetime(2026, 10, 25, 1, 30, 0, 999_999, tzinfo=UTC),  # the hour that comes twice in Berlin
    datetime(2026, 3, 29, 2, 30, tzinfo=timezone(timedelta(hours=1))),  # the hour that Berlin skips
    datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
]


@pytest.mark.parametrize("instant", INSTANTS)
def test_an_instant_is_kept_to_the_microsecond(db: Database, instant: datetime) -> None:
    number = db.write(lambda tx: put(tx, at=instant))
    found = db.read(lambda tx: tx.scalar(select(probe.c.at).where(probe.c.id == number)))
    assert found == instant
    assert found.utcoffset() == timedelta(0)


def test_instants_sort_by_time(db: Database) -> None:
    def verb(tx: Tx) -> list[int]:
        return [put(tx, at=instant) for instant in INSTANTS]

    mine = db.write(verb)
    query = select(probe.c.at).where(probe.c.id.in_(mine)).order_by(probe.c.at)
    assert db.read(lambda tx: list(tx.scalars(query))) == sorted(INSTANTS)


def test_a_naive_instant_is_refused(db: Database) -> None:
    with pytest.raises((AssertionError, StatementError)):
        db.write(lambda tx: put(tx, at=datetime(2026, 1, 1)))  # noqa: DTZ001 - this is the mistake


VALUES = [
    {"b": 1, "a": [True, None, "é", "𝄞", "\x00", '"', "\\", "</script>"]}, [], {}, "", 0, False, "x" * 100_000,
    {"amount": 10**40},
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES)
def test_json_is_kept_as_the_same_text_everywhere(db: Database, value: object) -> None:
    number = db.write(lambda tx: put(tx, value=value))
    assert db.read(lambda tx: tx.scalar(select(probe.c.value).where(probe.c.id == number))) == value


def test_json_keys_are_sorted_in_the_row(db: Database) -> None:
    number = db.write(lambda tx: put(tx, value={"b": 1, "a": {"d": 2, "c": "é"}}))
    sql = f"SELECT value FROM probe WHERE id = {number}"  # noqa: S608 - our own number
    assert db.read(lambda tx: tx.exec_driver_sql(sql).scalar()) == '{"a":{"c":"é","d":2},"b":1}'


def test_no_value_is_null_and_not_the_word(db: Database) -> None:
    number = db.write(lambda tx: put(tx, value=None))
    count = select(func.count()).where(probe.c.id == number, probe.c.value.is_(None))
    assert db.read(lambda tx: tx.scalar(count)) == 1


def test_a_long_text_of_a_megabyte_is_kept_whole(db: Database) -> None:
    text = "é𝄞\n" * 250_000
    number = db.write(lambda tx: put(tx, long=text))
    assert db.read(lambda tx: tx.scalar(select(probe.c.long).where(probe.c.id == number))) == text


def test_words_are_compared_byte_by_byte(db: Database) -> None:
    """Case, accents and trailing blanks count in ids, tokens and references, on MariaDB too."""
    spellings = ["Order", "order", "ordér", "order ", "ORDER"]

    def verb(tx: Tx) -> None:
        for word in spellings:
            put(tx, word=word)

    db.write(verb)
    for word in spellings:
        assert db.read(partial(_count, word)) == 1


def _count(word: str, tx: Tx) -> int | None:
    return tx.scalar(select(func.count()).select_from(probe).where(probe.c.word == word))
