"""Comments: what donors wrote. Staff read it; what the donor wished on the wall, they show there or hide.

Only the owner's own staff get here. The public gets what is `shown`, by `Showing`, and nothing else.
"""

from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select, update

from gateway.domain.donations import CommentStatus, DonationStatus
from gateway.engine.core import Core
from gateway.engine.donations.records import own_donation
from gateway.engine.idempotency import Intent, Reply, once
from gateway.engine.paging import Page, PageRequest, fetch_page
from gateway.engine.records import Owner, Row, not_found
from gateway.engine.wire import money_fields
from gateway.kernel.canonical import canonical_json
from gateway.kernel.clock import rfc3339
from gateway.kernel.errors import ConflictError, ErrorCode
from gateway.kernel.log import Log
from gateway.kernel.money import Money
from gateway.storage import schema
from gateway.storage.database import Tx

log = Log("engine")

OK = 200


class Comments:
    """The verbs of staff about what donors wrote."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def page(
        self,
        owner: Owner,
        request: PageRequest,
        *,
        status: CommentStatus | None = None,
        campaign_id: str | None = None,
    ) -> Page:
        """Return a page of comments on gifts that came, newest gift first; `pending` are those that wait to be read."""
        query = _comments().where(schema.donation.c.status == DonationStatus.RECEIVED.value)
        if status is not None:
            query = query.where(_stands_at(status))
        if campaign_id is not None:
            query = query.where(schema.donation.c.campaign_id == campaign_id)
        return self._core.db.read(lambda tx: fetch_page(tx, schema.donation, query, owner, request, comment_object))

    def waiting(self, owner: Owner) -> int:
        """Return how many comments on gifts that came wait to be read before the wall shows them."""
        gifts = schema.donation
        is_own = (gifts.c.merchant_id == owner.merchant_id) & (gifts.c.livemode == owner.livemode)
        has_come = gifts.c.status == DonationStatus.RECEIVED.value
        query = _comments().where(is_own, has_come, _stands_at(CommentStatus.PENDING))
        return self._core.db.read(lambda tx: int(tx.scalar(select(func.count()).select_from(query.subquery())) or 0))

    def retrieve(self, owner: Owner, donation_id: str) -> dict[str, Any]:
        """Return the comment of a donation of this owner.

        Raises:
            NotFoundError: there is no such donation, its donor wrote nothing, or was forgotten.
        """
        return self._core.db.read(lambda tx: comment_object(_own_comment(tx, owner, donation_id)))

    def moderate(self, intent: Intent, donation_id: str, status: CommentStatus) -> Reply:
        """Show a comment on its campaign's wall, or hide it, from this moment on; twice changes nothing.

        Args:
            intent: whose it is, and the caller's name for it.
            donation_id: of the gift.
            status: `shown` or `hidden`; a decision can be changed, not taken back.

        Raises:
            NotFoundError: there is no such donation, its donor wrote nothing, or was forgotten.
            ConflictError: `comment_private`.
        """
        assert status in {CommentStatus.SHOWN, CommentStatus.HIDDEN}, "nobody decides that something waits"

        def verb(tx: Tx) -> Reply:
            row = _own_comment(tx, intent.owner, donation_id)
            if not row["on_wall"]:
                raise ConflictError(
                    ErrorCode.COMMENT_PRIVATE, "The donor wrote this to you, not to the wall.", object_id=donation_id
                )
            donors = schema.donor
            tx.execute(update(donors).where(donors.c.donation_id == donation_id).values(comment_status=status.value))
            body = canonical_json(comment_object({**row, "comment_status": status.value}))
            return Reply(status_code=OK, body=body)

        reply = once(self._core, intent, verb)
        log.info("comment_moderated", donation_id=donation_id, status=status.value)
        return reply


def comment_object(row: Row) -> dict[str, Any]:
    """Return a `donation_comment`: of the person only the name, unless the donor wished to be anonymous."""
    return {
        "id": row["id"],
        "object": "donation_comment",
        "livemode": row["livemode"],
        "status": (CommentStatus(row["comment_status"]) if row["on_wall"] else CommentStatus.PRIVATE).value,
        "charity": row["charity_id"],
        "campaign": row["campaign_id"],
        "name": None if row["is_anonymous"] else row["name"],
        "text": row["comment"],
        "tribute": row["tribute"],
        **money_fields(Money(row["amount"], row["currency"])),
        "received_at": None if row["received_at"] is None else rfc3339(row["received_at"]),
    }


def _comments() -> Select[Any]:
    """Return the query of gifts with words, a dedication, or a wish to stand on the wall."""
    gifts, donors = schema.donation, schema.donor
    names = ("id", "livemode", "charity_id", "campaign_id", "amount", "currency", "is_anonymous", "on_wall")
    return (
        select(*(gifts.c[name] for name in names), gifts.c.received_at)
        .add_columns(donors.c.name, donors.c.comment, donors.c.comment_status, donors.c.tribute)
        .join(donors, donors.c.donation_id == gifts.c.id)
        .where(or_(donors.c.comment.is_not(None), donors.c.tribute.is_not(None), gifts.c.on_wall.is_(True)))
    )


def _stands_at(status: CommentStatus) -> ColumnElement[bool]:
    on_wall = schema.donation.c.on_wall
    if status is CommentStatus.PRIVATE:
        return on_wall.is_(False)
    return on_wall.is_(True) & (schema.donor.c.comment_status == status.value)


def _own_comment(tx: Tx, owner: Owner, donation_id: str) -> Row:
    """Return the row of a comment of this owner.

    Raises:
        NotFoundError: there is none, or it is somebody else's.
    """
    own_donation(tx, owner, donation_id)
    row = tx.execute(_comments().where(schema.donation.c.id == donation_id)).mappings().one_or_none()
    if row is None:
        raise not_found("comment")
    return row
