"""Column types that keep values exact on SQLite, PostgreSQL and MariaDB.

`Atomic` holds atomic units as Python `int` of up to 65 digits (NUMERIC(78,0), DECIMAL(65,0), TEXT on SQLite). There an
amount is text: it neither sorts nor compares as a number, and sums need the functions `isum` and `iadd`.
`Instant` holds microseconds since 1970 as an integer, so that no driver, server or session time zone can shift it.
"""

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Dialect, Numeric, String, Text
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeDecorator, TypeEngine

from gateway.kernel.canonical import canonical_json
from gateway.kernel.clock import from_micros, to_micros
from gateway.kernel.money import MAX_ATOMIC


class Atomic(TypeDecorator[int]):
    """Atomic units, signed, exact."""

    impl = Numeric(78, 0)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the exact type of this database."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(Numeric(78, 0))
        if dialect.name in {"mysql", "mariadb"}:
            return dialect.type_descriptor(mysql.DECIMAL(65, 0))
        return dialect.type_descriptor(Text())

    def process_bind_param(self, value: int | None, dialect: Dialect) -> Any:
        """Send an `int`, as canonical text to SQLite and as Decimal elsewhere."""
        if value is None:
            return None
        assert type(value) is int, "atomic units are whole"
        assert abs(value) <= MAX_ATOMIC, "amount exceeds every database column"
        return str(value) if dialect.name == "sqlite" else Decimal(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> int | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Return an `int`; a Decimal never leaves the cellar."""
        return None if value is None else int(value)


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime, exact to the microsecond."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - as above
        """Send microseconds."""
        return None if value is None else to_micros(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - as above
        """Return the aware datetime."""
        return None if value is None else from_micros(value)


class Json(TypeDecorator[Any]):
    """A JSON value as canonical text, so that its bytes are the same on every database."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return a text type that holds 16 MiB on MariaDB."""
        if dialect.name in {"mysql", "mariadb"}:
            return dialect.type_descriptor(mysql.MEDIUMTEXT())
        return dialect.type_descriptor(Text())

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002 - as above
        """Send canonical JSON; `None` is SQL NULL."""
        return None if value is None else canonical_json(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ARG002 - as above
        """Return the value."""
        return None if value is None else json.loads(value)


class LongText(TypeDecorator[str]):
    """Text of up to 16 MiB on every database."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the wide text type of MariaDB, plain text elsewhere."""
        if dialect.name in {"mysql", "mariadb"}:
            return dialect.type_descriptor(mysql.MEDIUMTEXT())
        return dialect.type_descriptor(Text())


def Id() -> String:  # noqa: N802 - reads as a type in the schema
    """Return the type of a TypeID: ASCII, at most 40 characters."""
    return String(40)
