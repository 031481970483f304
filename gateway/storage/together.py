"""Several inserts that belong together: one statement where the database can, and compiled once everywhere.

PostgreSQL takes them as data-modifying CTEs of one statement, so a create is one round trip instead of five; the others
take them one by one, through the driver, without SQLAlchemy putting each together again. `bench create` is why.
"""

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from sqlalchemy import Connection, Dialect, Insert

_BIND: Final = re.compile(r"%\((\w+)\)s")
_Row = Mapping[str, Any]


class Together:
    """Inserts that are always made together; `execute` takes a row for each, in the same order."""

    def __init__(self, *inserts: Insert) -> None:
        self._inserts = inserts

    def parts(self, dialect: Dialect) -> list["Part"]:
        """Return each insert as it would be sent alone; `bench create` sends them so."""
        return [Part(insert, dialect, place) for place, insert in enumerate(self._inserts)]

    def execute(self, tx: Connection, *rows: _Row) -> None:
        """Insert one row by each statement; a broken unique key raises `IntegrityError`, as from any insert."""
        assert len(rows) == len(self._inserts), "each insert gets its row"
        for sql, bind in _plan(self._inserts, tx.dialect):
            tx.exec_driver_sql(sql, bind(rows))


_Plan = tuple[tuple[str, Callable[[tuple[_Row, ...]], Any]], ...]


@cache
def _plan(inserts: tuple[Insert, ...], dialect: Dialect) -> _Plan:
    """Return the texts to send and how to bind the rows; compiled once for each connected database."""
    parts = [Part(insert, dialect, place) for place, insert in enumerate(inserts)]
    if dialect.name != "postgresql":
        return tuple((part.sql, part.bind) for part in parts)
    *first, last = parts
    ctes = ", ".join(f"w{part.place} AS ({part.sql})" for part in first)
    return (
        (
            f"WITH {ctes} {last.sql}",
            lambda rows: {key: value for part in parts for key, value in part.bind(rows).items()},
        ),
    )


class Part:
    """One compiled insert; on PostgreSQL its parameters are named after its place."""

    def __init__(self, insert: Insert, dialect: Dialect, place: int) -> None:
        names = [column.key for column in insert.table.columns] if insert.select is None else []
        self.place = place
        self._compiled = insert.compile(dialect=dialect, column_keys=names or None)
        self._processors: Mapping[str, Any] = self._compiled._bind_processors  # noqa: SLF001 - what execute() uses
        self._nulls = dict.fromkeys(names)  # a column that a row leaves out
        self._prefix = f"p{place}_"
        self.sql = _BIND.sub(rf"%({self._prefix}\1)s", str(self._compiled))

    def bind(self, rows: tuple[_Row, ...]) -> Any:
        """Return this part's parameters: named on PostgreSQL and MariaDB, in order on SQLite."""
        values = self._compiled.construct_params({**self._nulls, **rows[self.place]})
        bound = {name: self._processed(name, value) for name, value in values.items()}
        order = self._compiled.positiontup
        if order is not None:
            return tuple(bound[name] for name in order)
        return {f"{self._prefix}{name}": value for name, value in bound.items()}

    def _processed(self, name: str, value: Any) -> Any:
        process = self._processors.get(name)
        return value if process is None else process(value)
