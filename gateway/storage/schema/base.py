"""What every page of the schema is made with: one metadata, names for keys and indexes, the owner of each table."""

from typing import Any, Final

from sqlalchemy import Boolean, Column, MetaData, Table
from sqlalchemy.schema import SchemaItem

from gateway.storage.mariadb import MARIADB
from gateway.storage.types import Id

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def table(name: str, owner: str, *items: SchemaItem, **more: Any) -> Table:
    """Define a table that only the room `owner` writes."""
    return Table(name, metadata, *items, info={"owner": owner}, **MARIADB, **more)


def tenant() -> tuple[Column[Any], Column[Any]]:
    """Return whose row it is, and in which mode: part of every key that a merchant can reach."""
    return Column("merchant_id", Id(), nullable=False), Column(
        "livemode", Boolean(create_constraint=False), nullable=False
    )
