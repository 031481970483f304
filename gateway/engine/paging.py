"""Keyset pages: newest first, a cursor is an id, and the cost does not grow with the page's number."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Select, Table

from gateway.engine.records import Owner
from gateway.storage.database import Tx

MAX_LIMIT: Final = 100
DEFAULT_LIMIT: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """How many, and from which id on; at most one of the cursors is given."""

    limit: int = DEFAULT_LIMIT
    starting_after: str | None = None
    ending_before: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Objects in order, and whether more follow in the direction that was asked."""

    data: Sequence[dict[str, Any]]
    has_more: bool


def fetch_page(
    tx: Tx,
    table: Table,
    query: Select[Any],
    owner: Owner,
    request: PageRequest,
    to_object: Callable[[dict[str, Any]], dict[str, Any]],
) -> Page:
    """Run `query`, narrowed to this owner and the cursor, and turn its rows into objects."""
    query = query.where(table.c.merchant_id == owner.merchant_id, table.c.livemode == owner.livemode)
    backwards = request.ending_before is not None
    if request.starting_after is not None:
        query = query.where(table.c.id < request.starting_after)
    if request.ending_before is not None:
        query = query.where(table.c.id > request.ending_before)
    query = query.order_by(table.c.id.asc() if backwards else table.c.id.desc()).limit(request.limit + 1)
    rows = [dict(row) for row in tx.execute(query).mappings()]
    has_more = len(rows) > request.limit
    rows = rows[: request.limit]
    return Page(data=[to_object(row) for row in (reversed(rows) if backwards else rows)], has_more=has_more)
