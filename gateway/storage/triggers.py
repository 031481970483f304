"""Triggers that make the books append-only on every database: a row is never changed, never deleted."""

from collections.abc import Iterator, Sequence

_POSTGRES_FUNCTION = """
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME || ' is append-only'; END $$
"""


def trigger_statements(dialect: str, tables: Sequence[str]) -> Iterator[str]:
    """Yield the DDL that closes these tables to changes on `sqlite`, `postgresql`, or `mysql`/`mariadb`."""
    if dialect == "postgresql":
        yield _POSTGRES_FUNCTION
        for table in tables:
            yield (
                f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
                "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
            )
            yield (
                f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
            )
        return
    refusal = "SELECT RAISE(ABORT, '{0} is append-only');" if dialect == "sqlite" else _MARIADB_REFUSAL
    for table in tables:
        for change in ("UPDATE", "DELETE"):
            yield (
                f"CREATE TRIGGER {table}_no_{change.lower()} BEFORE {change} ON {table} "
                f"FOR EACH ROW BEGIN {refusal.format(table)} END"
            )


_MARIADB_REFUSAL = "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '{0} is append-only';"
