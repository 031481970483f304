"""Disputes as merchants read them; they change only by what their provider reports."""

from typing import Any

from sqlalchemy import select

from gateway.engine.core import Core
from gateway.engine.paging import Page, PageRequest, fetch_page
from gateway.engine.records import DisputeRecord, Owner, not_found
from gateway.engine.wire import dispute_object
from gateway.storage import schema
from gateway.storage.database import Tx


class Disputes:
    """Reads of disputes."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def retrieve(self, owner: Owner, dispute_id: str) -> dict[str, Any]:
        """Return a dispute of this owner.

        Raises:
            NotFoundError: there is none, or it is somebody else's.
        """
        table = schema.dispute
        is_own = (table.c.merchant_id == owner.merchant_id) & (table.c.livemode == owner.livemode)

        def query(tx: Tx) -> dict[str, Any]:
            row = tx.execute(select(table).where(table.c.id == dispute_id, is_own)).mappings().one_or_none()
            if row is None:
                raise not_found("dispute")
            return dispute_object(DisputeRecord.of(row))

        return self._core.db.read(query)

    def page(self, owner: Owner, request: PageRequest, *, payment_id: str | None, status: str | None) -> Page:
        """Return a page of this owner's disputes, newest first."""
        table = schema.dispute
        query = select(table)
        if payment_id is not None:
            query = query.where(table.c.payment_id == payment_id)
        if status is not None:
            query = query.where(table.c.status == status)

        def to_object(row: dict[str, Any]) -> dict[str, Any]:
            return dispute_object(DisputeRecord.of(row))

        return self._core.db.read(lambda tx: fetch_page(tx, table, query, owner, request, to_object))
