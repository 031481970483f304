"""What the public sees of a campaign, and a donor of his gift. Reads only.

Nothing that a donor wrote leaves here before somebody has read it and let it be `shown`, and of a person only what he
wished to stand on the donor wall.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, func, select, true

from gateway.domain.donations import CommentStatus, DonationStatus, Frequency
from gateway.domain.words import PaymentStatus, SessionMode
from gateway.engine.core import Core
from gateway.engine.donations.giving import Donor, NewGift
from gateway.engine.donations.receipts import receipt_of
from gateway.engine.donations.records import (
    CampaignRecord,
    CharityRecord,
    DonationRecord,
    load_campaign,
    load_charity,
)
from gateway.engine.records import SessionRecord, load_merchant, load_payment, load_session, not_found
from gateway.engine.sessions import session_by_token
from gateway.kernel.ids import is_id
from gateway.kernel.money import Money
from gateway.storage import schema
from gateway.storage.database import Tx
from gateway.storage.statements import total

WALL_LIMIT: Final = 12  # the newest: a wall is there to be glanced at


@dataclass(frozen=True, slots=True, kw_only=True)
class WallEntry:
    """A gift on the donor wall; no name for who gave anonymously."""

    name: str | None
    amount: Money
    comment: str | None
    given_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignPage:
    """Everything that a campaign's page shows.

    Attributes:
        raised: what came and was not given back, with what covers the fees.
        gifts: how many came, without those that went back.
    """

    campaign: CampaignRecord
    charity: CharityRecord
    brand_color: str | None
    raised: Money
    gifts: int
    wall: tuple[WallEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GiftPage:
    """What became of a gift, for whoever holds the token of its session.

    Attributes:
        version: how often the payment has changed.
        receipt_token: opens the gift's receipt, once there is one.
    """

    campaign: CampaignRecord
    charity: CharityRecord
    brand_color: str | None
    token: str
    donation: DonationRecord
    payment_status: PaymentStatus
    version: int
    locale: str | None
    by_wallet: bool
    receipt_token: str | None


class Showing:
    """The public's verbs."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def campaign(self, campaign_id: str) -> CampaignPage:
        """Return a campaign, its progress and its donor wall.

        Raises:
            NotFoundError: there is none.
        """
        return self._core.db.snapshot(lambda tx: _campaign_page(tx, campaign_id))

    def gift(self, campaign_id: str, token: str) -> GiftPage:
        """Return the gift of a checkout session.

        Raises:
            NotFoundError: no session has this token, or it gives nothing to this campaign.
        """
        return self._core.db.snapshot(lambda tx: _gift_page(tx, campaign_id, session_by_token(tx, token)))

    def gift_of_form(self, campaign_id: str, form_id: str) -> GiftPage | None:
        """Return the gift that a form gave; None before it was sent."""

        def query(tx: Tx) -> GiftPage | None:
            found = _donation(tx, schema.donation.c.form_id == form_id)
            return None if found is None else _gift_page(tx, campaign_id, load_session(tx, found.session_id))

        return self._core.db.snapshot(query)

    def sent(self, form_id: str) -> NewGift | None:
        """Return what a form asked for when it was sent; None before that."""
        return self._core.db.snapshot(lambda tx: _sent(tx, form_id))


def _campaign_page(tx: Tx, campaign_id: str) -> CampaignPage:
    campaign = _public_campaign(tx, campaign_id)
    table, code = schema.campaign_day, campaign.currency
    sums = (total(tx, table.c.received), total(tx, table.c.reversed), func.sum(table.c.stayed))
    received, reversed_, gifts = tx.execute(select(*sums).where(table.c.campaign_id == campaign.id)).one()
    return CampaignPage(
        campaign=campaign,
        charity=load_charity(tx, campaign.charity_id),
        brand_color=load_merchant(tx, campaign.merchant_id).settings.brand_color,
        raised=Money(int(received or 0) - int(reversed_ or 0), code),
        gifts=int(gifts or 0),
        wall=_wall(tx, campaign) if campaign.shows_wall else (),
    )


def _wall(tx: Tx, campaign: CampaignRecord) -> tuple[WallEntry, ...]:
    gifts, donors = schema.donation, schema.donor
    query = (
        select(gifts.c.is_anonymous, gifts.c.amount_received, gifts.c.received_at, donors.c.name, donors.c.comment)
        .join(donors, donors.c.donation_id == gifts.c.id)
        .where(
            gifts.c.campaign_id == campaign.id,
            gifts.c.received_at.is_not(None),
            gifts.c.status == DonationStatus.RECEIVED.value,
            gifts.c.on_wall == true(),
            donors.c.comment_status == CommentStatus.SHOWN.value,
        )
        .order_by(gifts.c.received_at.desc(), gifts.c.id.desc())
        .limit(WALL_LIMIT)
    )
    return tuple(
        WallEntry(
            name=None if row["is_anonymous"] else row["name"],
            amount=Money(row["amount_received"], campaign.currency),
            comment=row["comment"],
            given_at=row["received_at"],
        )
        for row in tx.execute(query).mappings()
    )


def _gift_page(tx: Tx, campaign_id: str, session: SessionRecord) -> GiftPage:
    donation = _donation(tx, schema.donation.c.session_id == session.id)
    if donation is None or donation.campaign_id != campaign_id:
        raise not_found("gift")
    campaign, payment = load_campaign(tx, campaign_id), load_payment(tx, session.payment_id)
    receipt = receipt_of(tx, donation.id)
    return GiftPage(
        campaign=campaign,
        charity=load_charity(tx, campaign.charity_id),
        brand_color=load_merchant(tx, campaign.merchant_id).settings.brand_color,
        token=session.token,
        donation=donation,
        payment_status=payment.status,
        version=payment.version,
        locale=session.locale,
        by_wallet=_is_by_wallet(donation, session),
        receipt_token=None if receipt is None else receipt.token,
    )


def _sent(tx: Tx, form_id: str) -> NewGift | None:
    donation = _donation(tx, schema.donation.c.form_id == form_id)
    if donation is None:
        return None
    table = schema.donor
    row = tx.execute(select(table).where(table.c.donation_id == donation.id)).mappings().one_or_none()
    known: dict[str, Any] = {} if row is None else dict(row)
    return NewGift(
        amount=donation.amount - donation.fee_cover,
        form_id=form_id,
        frequency=donation.frequency,
        covers_fees=bool(donation.fee_cover),
        by_wallet=_is_by_wallet(donation, load_session(tx, donation.session_id)),
        is_anonymous=donation.is_anonymous,
        on_wall=donation.on_wall,
        locale=donation.locale,
        pledge_id=donation.pledge_id,
        donor=Donor(**{name: known.get(name) for name in ("name", "email", "address", "comment", "tribute")}),
    )


def _is_by_wallet(donation: DonationRecord, session: SessionRecord) -> bool:
    return donation.frequency is not Frequency.ONCE and session.mode is SessionMode.PAYMENT


def _donation(tx: Tx, is_it: ColumnElement[bool]) -> DonationRecord | None:
    table = schema.donation
    row = tx.execute(select(table).where(is_it).limit(1)).mappings().one_or_none()
    return None if row is None else DonationRecord.of(row)


def _public_campaign(tx: Tx, campaign_id: str) -> CampaignRecord:
    """Return a campaign by the id in an address, whosever it is."""
    table = schema.campaign
    row = None
    if is_id(campaign_id, "cmp"):
        row = tx.execute(select(table).where(table.c.id == campaign_id)).mappings().one_or_none()
    if row is None:
        raise not_found("campaign")
    return CampaignRecord.of(row)
