"""Charities: for whom is collected. One that is archived collects nothing new; its books and receipts stay."""

from dataclasses import dataclass, field, replace
from typing import Any, Final

from sqlalchemy import insert, select, update

from gateway.engine.core import Core
from gateway.engine.donations.records import CharityRecord, own_charity
from gateway.engine.idempotency import Intent, Reply, once
from gateway.engine.paging import Page, PageRequest, fetch_page
from gateway.engine.records import Owner
from gateway.kernel.canonical import canonical_json
from gateway.kernel.clock import rfc3339
from gateway.kernel.errors import ConflictError, ErrorCode, InvalidRequestError
from gateway.storage import schema
from gateway.storage.database import Tx

CREATED: Final = 201
OK: Final = 200
_CHAIN: Final = "solana"  # the processor that splits a gift at source


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCharity:
    """What a merchant says of a charity; texts already checked by the door."""

    name: str
    legal_name: str
    receipt_prefix: str
    tax_id: str | None = None
    address: str | None = None
    country: str | None = None
    tax_statement: str | None = None
    website: str | None = None
    email: str | None = None
    solana_address: str | None = None
    is_own: bool = False
    metadata: dict[str, str] = field(default_factory=dict)


class Charities:
    """The verbs of charities."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def create(self, intent: Intent, new: NewCharity) -> Reply:
        """Make a charity.

        Raises:
            InvalidRequestError: its address is none of that chain.
        """
        address = self._wallet(new.solana_address)

        def verb(tx: Tx) -> Reply:
            charity = self._draft(intent.owner, replace(new, solana_address=address))
            tx.execute(insert(schema.charity), charity.row())
            return Reply(status_code=CREATED, body=canonical_json(charity_object(charity)))

        return once(self._core, intent, verb)

    def retrieve(self, owner: Owner, charity_id: str) -> dict[str, Any]:
        """Return a charity of this owner.

        Raises:
            NotFoundError: there is none, or it is somebody else's.
        """
        return self._core.db.read(lambda tx: charity_object(own_charity(tx, owner, charity_id)))

    def page(self, owner: Owner, request: PageRequest, *, is_active: bool | None = None) -> Page:
        """Return a page of this owner's charities, newest first."""
        table = schema.charity
        query = select(table)
        if is_active is not None:
            query = query.where(table.c.archived_at.is_(None) if is_active else table.c.archived_at.is_not(None))

        def to_object(row: dict[str, Any]) -> dict[str, Any]:
            return charity_object(CharityRecord.of(row))

        return self._core.db.read(lambda tx: fetch_page(tx, table, query, owner, request, to_object))

    def update(self, owner: Owner, charity_id: str, changes: dict[str, Any]) -> dict[str, Any]:
        """Change what is said of a charity; receipts that were issued keep what they said.

        Whose money its gifts are, and the name of its series of receipts, never change.

        Raises:
            NotFoundError: there is none, or it is somebody else's.
            InvalidRequestError: its address is none of that chain.
        """
        if "solana_address" in changes:
            changes = changes | {"solana_address": self._wallet(changes["solana_address"])}

        def verb(tx: Tx) -> dict[str, Any]:
            charity = own_charity(tx, owner, charity_id, lock=True)
            after = replace(charity, **changes, updated_at=self._core.clock.now())
            table = schema.charity
            values = {name: getattr(after, name) for name in (*changes, "updated_at")}
            tx.execute(update(table).where(table.c.id == charity.id).values(values))
            return charity_object(after)

        return self._core.db.write(verb)

    def archive(self, intent: Intent, charity_id: str) -> Reply:
        """Collect nothing new for a charity: its campaigns are closed, and no checkout offers it any more.

        What is owed to it stays owed, and gifts that repeat go on until their donors stop them.

        Raises:
            NotFoundError: there is none, or it is somebody else's.
        """

        def verb(tx: Tx) -> Reply:
            charity, now = own_charity(tx, intent.owner, charity_id, lock=True), self._core.clock.now()
            if charity.archived_at is None:
                charity = replace(charity, archived_at=now, updated_at=now)
                charities, campaigns, configs = schema.charity, schema.campaign, schema.donation_config
                tx.execute(update(charities).where(charities.c.id == charity.id).values(charity.row()))
                is_open = (campaigns.c.charity_id == charity.id) & campaigns.c.closed_at.is_(None)
                tx.execute(update(campaigns).where(is_open).values(closed_at=now, updated_at=now))
                is_offered = (configs.c.charity_id == charity.id) & configs.c.archived_at.is_(None)
                tx.execute(update(configs).where(is_offered).values(archived_at=now))
            return Reply(status_code=OK, body=canonical_json(charity_object(charity)))

        return once(self._core, intent, verb)

    def _wallet(self, address: str | None) -> str | None:
        """Return a charity's address as its chain writes it."""
        if address is None:
            return None
        processor = self._core.processors.get(_CHAIN)
        if processor is None:
            raise InvalidRequestError(
                ErrorCode.METHOD_UNAVAILABLE, "This gateway takes no money over that chain.", param="/solana_address"
            )
        try:
            return processor.refund_destination(address)
        except InvalidRequestError as error:
            raise InvalidRequestError(error.code, error.message, param="/solana_address") from None

    def _draft(self, owner: Owner, new: NewCharity) -> CharityRecord:
        now = self._core.clock.now()
        return CharityRecord(
            id=self._core.ids.new("cha"),
            merchant_id=owner.merchant_id,
            livemode=owner.livemode,
            **{name: getattr(new, name) for name in NewCharity.__dataclass_fields__},
            created_at=now,
            updated_at=now,
            archived_at=None,
        )


def active_charity(tx: Tx, owner: Owner, charity_id: str) -> CharityRecord:
    """Return a charity that something new may collect for, and hold it until the tx ends.

    Raises:
        NotFoundError: there is none, or it is somebody else's.
        ConflictError: `charity_archived`.
    """
    charity = own_charity(tx, owner, charity_id, lock=True)
    if charity.archived_at is not None:
        raise ConflictError(
            ErrorCode.CHARITY_ARCHIVED, "Nothing new is collected for this charity.", object_id=charity.id
        )
    return charity


def charity_object(charity: CharityRecord) -> dict[str, Any]:
    """Return a `charity`."""
    hidden = {"merchant_id", "archived_at", "created_at", "updated_at"}
    shown = {name: value for name, value in charity.row().items() if name not in hidden}
    return {
        "object": "charity",
        **shown,
        "is_active": charity.archived_at is None,
        "created_at": rfc3339(charity.created_at),
        "updated_at": rfc3339(charity.updated_at),
    }
