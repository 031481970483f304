"""Donations as they are read: never with what is known of the person."""

from typing import Any

from sqlalchemy import select

from gateway.domain.donations import DonationStatus
from gateway.engine.core import Core
from gateway.engine.donations.records import DonationRecord, donation_object, own_donation
from gateway.engine.paging import Page, PageRequest, fetch_page
from gateway.engine.records import Owner
from gateway.storage import schema


class Donations:
    """Reads donations; they are made by checkouts and by campaigns' forms."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def retrieve(self, owner: Owner, donation_id: str) -> dict[str, Any]:
        """Return a donation of this owner.

        Raises:
            NotFoundError: there is none, or it is somebody else's.
        """
        return self._core.db.read(lambda tx: donation_object(own_donation(tx, owner, donation_id)))

    def page(
        self,
        owner: Owner,
        request: PageRequest,
        *,
        charity_id: str | None = None,
        campaign_id: str | None = None,
        pledge_id: str | None = None,
        status: DonationStatus | None = None,
    ) -> Page:
        """Return a page of this owner's donations, newest first."""
        table = schema.donation
        wanted = {"charity_id": charity_id, "campaign_id": campaign_id, "pledge_id": pledge_id}
        wanted["status"] = status and status.value
        query = select(table).where(*(table.c[name] == value for name, value in wanted.items() if value is not None))

        def to_object(row: dict[str, Any]) -> dict[str, Any]:
            return donation_object(DonationRecord.of(row))

        return self._core.db.read(lambda tx: fetch_page(tx, table, query, owner, request, to_object))
