"""Each table names its owner in ``gateway/storage/schema/``, and no other room writes it.

A write is a SQLAlchemy construct over the table (``insert(t)``, ``t.update()`` …), a call that hands the table to a
writing function of ``gateway/storage``, or SQL text that names it.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.house.sources import python_in, tree

SCHEMA = "gateway.storage.schema"
CONSTRUCTS = {"insert", "update", "delete"}
SQL_WRITE = re.compile(
    r"\b(?:INSERT\s+(?:OR\s+\w+\s+|IGNORE\s+)?INTO|REPLACE\s+INTO|MERGE\s+INTO|UPDATE(?:\s+ONLY)?|DELETE\s+FROM|TRUNCATE(?:\s+TABLE)?)"
    r"\s+[\"`]?(?P<table>\w+)",
    re.IGNORECASE,
)
# (room, table) -> why this room may write a stranger's table.
ALLOWED: dict[tuple[str, str], str] = {}


def owners() -> dict[str, str]:
    """Return the owner of each table, by the table's name."""
    from gateway.storage import schema

    return {name: str(table.info.get("owner", "")) for name, table in schema.metadata.tables.items()}


def table_attributes() -> dict[str, str]:
    """Return the tables' names by the names that the schema module gives them."""
    from gateway.storage import schema

    return {attribute: table.name for attribute, table in vars(schema).items() if isinstance(table, sa.Table)}


def storage_writers() -> set[str]:
    """Return the functions of storage that take a table: whoever hands one over writes it."""
    found = set()
    for path in python_in("gateway/storage"):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef) and any(_is_table(argument) for argument in node.args.args):
                found.add(node.name)
    return found


def _is_table(argument: ast.arg) -> bool:
    return argument.annotation is not None and ast.unparse(argument.annotation) in {"Table", "sa.Table"}


def room_of(path: Path) -> str:
    """Return the gateway's room, or the top-level package elsewhere."""
    parts = path.parts
    return parts[1].removesuffix(".py") if parts[0] == "gateway" and len(parts) > 1 else parts[0]


class Writes:
    """Finds the tables that one module writes."""

    def __init__(self, module: ast.Module, attributes: Mapping[str, str], writers: set[str]) -> None:
        self._module = module
        self._attributes = attributes
        self._writers = writers | CONSTRUCTS
        self._schemas: set[str] = set()
        self._local: dict[str, str] = {}
        self._read_imports()

    def _read_imports(self) -> None:
        for node in ast.walk(self._module):
            match node:
                case ast.ImportFrom(module="gateway.storage", names=names):
                    self._schemas |= {alias.asname or alias.name for alias in names if alias.name == "schema"}
                case ast.ImportFrom(module=module, names=names) if module == SCHEMA:
                    known = [alias for alias in names if alias.name in self._attributes]
                    self._local |= {alias.asname or alias.name: self._attributes[alias.name] for alias in known}
                case ast.Import(names=names):
                    self._schemas |= {alias.asname for alias in names if alias.name == SCHEMA and alias.asname}
                case _:
                    pass
        for node in ast.walk(self._module):
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=value) if found := self.table(value):
                    self._local[name] = found
                case _:
                    pass

    def table(self, node: ast.AST) -> str | None:
        """Return the table that an expression is, if it is one."""
        match node:
            case ast.Name(id=name):
                return self._local.get(name)
            case ast.Attribute(value=ast.Name(id=module), attr=name) if module in self._schemas:
                return self._attributes.get(name)
            case _:
                return None

    def found(self) -> Iterator[tuple[int, str]]:
        """Yield line and table of every write."""
        for node in ast.walk(self._module):
            match node:
                case ast.Call(func=ast.Attribute(value=value, attr=name)) if name in CONSTRUCTS and self.table(value):
                    yield node.lineno, str(self.table(value))
                case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in self._writers:
                    handed = [*node.args, *(keyword.value for keyword in node.keywords)]
                    yield from ((node.lineno, table) for table in map(self.table, handed) if table)
                case ast.Constant(value=str(words)):
                    yield from self._in_sql(node.lineno, words)
                case ast.JoinedStr():
                    yield from self._in_sql(node.lineno, self._spelled_out(node))
                case _:
                    pass

    def _in_sql(self, line: int, words: str) -> Iterator[tuple[int, str]]:
        tables = set(self._attributes.values())
        yield from ((line, match["table"]) for match in SQL_WRITE.finditer(words) if match["table"] in tables)

    def _spelled_out(self, node: ast.JoinedStr) -> str:
        return "".join(self._piece(value) for value in node.values)

    def _piece(self, value: ast.expr) -> str:
        match value:
            case ast.Constant(value=str(words)):
                return words
            case ast.FormattedValue(value=ast.Attribute(value=inner, attr="name")) | ast.FormattedValue(value=inner):
                return self.table(inner) or "?"
            case _:
                return "?"


def test_every_table_names_a_room_as_its_owner() -> None:
    rooms = {room_of(path) for path in python_in("gateway") if len(path.parts) > 2}
    assert {name: owner for name, owner in owners().items() if owner not in rooms} == {}


def test_every_table_is_written_by_its_owner_alone() -> None:
    attributes, writers, owner_of = table_attributes(), storage_writers(), owners()
    strangers, excused = [], set()
    for path in python_in("gateway", "hosted_checkout", "donation_widget"):
        if path.is_relative_to("gateway/storage"):
            continue  # it declares and migrates every table, and is handed the ones it writes
        for line, table in Writes(tree(path), attributes, writers).found():
            pair = (room_of(path), table)
            if pair in ALLOWED:
                excused.add(pair)
            elif pair[0] != owner_of[table]:
                strangers.append(f"{path}:{line} writes {table}, which belongs to {owner_of[table]}")
    assert strangers == []
    assert excused == set(ALLOWED), "an exception is no longer needed: take it away"


@pytest.mark.parametrize(
    "source",
    [
        "from gateway.storage.schema import payment\ninsert(payment)",
        "from gateway.storage.schema import payment as p\ntx.execute(p.update().where(1))",
        "from gateway.storage import schema\ntx.execute(sa.delete(schema.payment))",
        "from gateway.storage import schema as s\ninsert_new(tx, s.payment, {})",
        "import gateway.storage.schema as s\ninsert_new(tx, table=s.payment)",
        "from gateway.storage import schema\np = schema.payment\ninsert(p)",
        "tx.exec_driver_sql('UPDATE payment SET status = 1')",
        "SQL = '''WITH new AS (insert into payment (id) VALUES (1) RETURNING id) SELECT 1'''",
        "from gateway.storage.schema import payment\nf'DELETE FROM {payment.name} WHERE id = 1'",
    ],
)
def test_a_write_is_found(source: str) -> None:
    writes = Writes(ast.parse(source), {"payment": "payment"}, {"insert_new"})
    assert [table for _, table in writes.found()] == ["payment"]


@pytest.mark.parametrize(
    "source",
    [
        "from gateway.storage.schema import payment\nselect(payment).with_for_update()",
        "from gateway.storage import schema\ntx.execute(select(schema.payment.c.id))",
        "headers.update(payment)",
        "text = 'update the payment when it arrives'",
        "payment = {}\npayment.update(other)",
    ],
)
def test_reading_is_no_offence(source: str) -> None:
    writes = Writes(ast.parse(source), {"payment": "payment"}, {"insert_new"})
    assert list(writes.found()) == []
