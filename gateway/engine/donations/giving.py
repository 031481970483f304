"""Giving to a campaign: a donor's wish becomes a donation with a checkout session, exactly once for each form."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from gateway.domain.conversion import fee_cover
from gateway.domain.donations import REPEATS, CommentStatus, DonationStatus, Frequency, GiftKind
from gateway.domain.words import SessionMode
from gateway.engine.core import Core
from gateway.engine.donations.pledges import PledgeRecord
from gateway.engine.donations.records import (
    CampaignRecord,
    DonationRecord,
    donation_of,
    load_charity,
)
from gateway.engine.plans import NewPlan, insert_plan
from gateway.engine.records import SessionRecord, load_session
from gateway.engine.sessions import NewSession, draft_session, store_session
from gateway.kernel.errors import ConflictError, ErrorCode, InvalidRequestError
from gateway.kernel.ids import secret_token
from gateway.kernel.money import Money
from gateway.storage import schema
from gateway.storage.database import Tx

LIFETIME: Final = timedelta(hours=1)  # of the checkout page that a donor is sent to


@dataclass(frozen=True, slots=True, kw_only=True)
class Donor:
    """What a donor tells of himself, and writes; all of it may be missing."""

    name: str | None = None
    email: str | None = None
    address: str | None = None
    comment: str | None = None
    tribute: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewGift:
    """What a donor asks for; its texts are already checked by the door.

    Attributes:
        amount: the gift, without what covers the fees.
        form_id: names the form; sent twice, it gives once.
        by_wallet: a gift that repeats is given from a wallet, on a reminder; else a card is charged.
        pledge_id: the promise that it keeps; see `keeping`.
    """

    amount: Money
    form_id: str
    frequency: Frequency = Frequency.ONCE
    covers_fees: bool = False
    by_wallet: bool = False
    is_anonymous: bool = False
    on_wall: bool = False
    locale: str | None = None
    donor: Donor = field(default_factory=Donor)
    pledge_id: str | None = None


def keeping(pledge: PledgeRecord, gift: NewGift) -> NewGift:
    """Return a gift as one that keeps a promise; what the donor left out is as it was when he made it."""
    name, email = gift.donor.name or pledge.name, gift.donor.email or pledge.email
    donor = replace(gift.donor, name=name, email=email)
    return replace(gift, frequency=pledge.frequency, by_wallet=True, donor=donor, pledge_id=pledge.id)


class Giving:
    """The verb behind a campaign's form."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def give(self, campaign: CampaignRecord, gift: NewGift) -> SessionRecord:
        """Return the checkout session of a gift; the same form gives the same one.

        Raises:
            ConflictError: `campaign_closed`.
            InvalidRequestError: the amount is out of bounds, or the campaign does not take such a gift.
        """
        self._check(campaign, gift)
        try:
            session = self._core.db.write(lambda tx: self._once(tx, campaign, gift))
        except IntegrityError:  # the same form came twice at once, and the other one's gift is there by now
            session = self._core.db.write(lambda tx: self._once(tx, campaign, gift))
        self._core.wake_delivery()
        return session

    def _check(self, campaign: CampaignRecord, gift: NewGift) -> None:
        if not campaign.is_open(self._core.clock.now()):
            raise ConflictError(ErrorCode.CAMPAIGN_CLOSED, "This campaign takes no gifts now.", object_id=campaign.id)
        if gift.amount.currency != campaign.currency:
            raise InvalidRequestError(
                ErrorCode.CURRENCY_MISMATCH, f"This campaign collects {campaign.currency}.", param="/currency"
            )
        if not campaign.min_amount <= gift.amount <= campaign.max_amount:
            raise InvalidRequestError(
                ErrorCode.AMOUNT_OUT_OF_BOUNDS,
                f"Give from {campaign.min_amount} to {campaign.max_amount}.",
                param="/amount",
            )
        if gift.pledge_id is None and gift.frequency not in campaign.frequencies:
            raise InvalidRequestError(
                ErrorCode.PARAMETER_INVALID, "This campaign is not given to so often.", param="/frequency"
            )
        if gift.covers_fees and not campaign.offers_fee_cover:
            raise InvalidRequestError(
                ErrorCode.PARAMETER_INVALID, "This campaign does not ask for fees.", param="/covers_fees"
            )

    def _once(self, tx: Tx, campaign: CampaignRecord, gift: NewGift) -> SessionRecord:
        table = schema.donation
        known = tx.scalar(select(table.c.session_id).where(table.c.form_id == gift.form_id))
        if known is not None:
            return load_session(tx, known)
        donation = self._donation(campaign, gift)
        if gift.pledge_id is None and gift.frequency is not Frequency.ONCE:
            donation = replace(donation, pledge_id=self._pledge(tx, campaign, gift, donation))
        session = self._session(tx, campaign, gift, donation)
        store_session(self._core, tx, session)
        insert_donation(tx, donation, session)
        insert_donor(tx, donation, gift.donor)
        return session

    def _donation(self, campaign: CampaignRecord, gift: NewGift) -> DonationRecord:
        cover = Money.zero(campaign.currency)
        if gift.covers_fees:
            cover = fee_cover(gift.amount, fee_bps=campaign.fee_bps, fee_fixed=campaign.fee_fixed)
        now, zero = self._core.clock.now(), Money.zero(campaign.currency)
        return DonationRecord(
            id=self._core.ids.new("don"),
            merchant_id=campaign.merchant_id,
            livemode=campaign.livemode,
            charity_id=campaign.charity_id,
            campaign_id=campaign.id,
            config_id=None,
            session_id="",
            payment_id="",
            subscription_id=None,
            pledge_id=gift.pledge_id,
            kind=GiftKind.CAMPAIGN,
            frequency=gift.frequency,
            status=DonationStatus.PENDING,
            amount=gift.amount + cover,
            fee_cover=cover,
            amount_received=zero,
            amount_reversed=zero,
            received={},
            reversed_={},
            owed={},
            is_anonymous=gift.is_anonymous,
            on_wall=gift.on_wall,
            locale=gift.locale,
            form_id=gift.form_id,
            sequence=0,
            created_at=now,
            updated_at=now,
            received_at=None,
        )

    def _pledge(self, tx: Tx, campaign: CampaignRecord, gift: NewGift, donation: DonationRecord) -> str:
        """Store the promise to give again, with the token that stops it; return its id."""
        pledge_id = self._core.ids.new("plg")
        values = {
            "id": pledge_id,
            "merchant_id": campaign.merchant_id,
            "livemode": campaign.livemode,
            "charity_id": campaign.charity_id,
            "campaign_id": campaign.id,
            "token": secret_token(),
            "frequency": gift.frequency.value,
            "currency": donation.amount.currency,
            "amount": donation.amount.atomic,
            "email": gift.donor.email,
            "name": gift.donor.name,
            "locale": gift.locale,
            "reminders": 0,
            "created_at": donation.created_at,
        }
        tx.execute(insert(schema.pledge), values)
        return pledge_id

    def _session(self, tx: Tx, campaign: CampaignRecord, gift: NewGift, donation: DonationRecord) -> SessionRecord:
        is_collected = gift.frequency is not Frequency.ONCE and not gift.by_wallet
        page = f"{self._core.base_url}/donate/{campaign.id}"
        new = NewSession(
            amount=donation.amount,
            reference=donation.id,
            success_url=page,
            cancel_url=page,
            # A reminder may have been passed on: who pays need not read the donor's address at the provider.
            customer_email=gift.donor.email if gift.pledge_id is None else None,
            locale=gift.locale,
            line_items=[],
            methods=None,
            expires_in=LIFETIME,
            metadata={},
            mode=SessionMode.SUBSCRIPTION if is_collected else SessionMode.PAYMENT,
            plan_id=self._plan(tx, campaign, donation) if is_collected else None,
            donation=gift_on_session(donation, charity_name=load_charity(tx, campaign.charity_id).name),
        )
        session = draft_session(self._core, campaign.owner, new)
        return replace(session, success_url=f"{page}/thanks/{session.token}")

    def _plan(self, tx: Tx, campaign: CampaignRecord, donation: DonationRecord) -> str:
        """Return the plan of such a gift: the one of an earlier donor, else a new one."""
        interval, count = REPEATS[donation.frequency]
        table, metadata = schema.plan, {"campaign": campaign.id}
        query = select(table.c.id).where(
            table.c.merchant_id == campaign.merchant_id,
            table.c.livemode == campaign.livemode,
            table.c.name == campaign.title,
            table.c.currency == donation.amount.currency,
            table.c.amount == donation.amount.atomic,
            table.c.interval == interval.value,
            table.c.interval_count == count,
            table.c.metadata == metadata,
            table.c.archived_at.is_(None),
        )
        known = tx.scalar(query.limit(1))
        if known is not None:
            return str(known)
        new = NewPlan(
            name=campaign.title, amount=donation.amount, interval=interval, interval_count=count, metadata=metadata
        )
        return insert_plan(self._core, tx, campaign.owner, new).id


def gift_on_session(donation: DonationRecord, *, charity_name: str) -> dict[str, Any]:
    """Return the gift as its session keeps and shows it."""
    return {
        "id": donation.id,
        "charity": donation.charity_id,
        "charity_name": charity_name,
        "campaign": donation.campaign_id,
        "kind": donation.kind.value,
        "frequency": donation.frequency.value,
        "amount": donation.amount.major,
        "fee_cover": donation.fee_cover.major,
        "currency": donation.amount.currency,
    }


def insert_donation(tx: Tx, donation: DonationRecord, session: SessionRecord) -> None:
    """Store the gift of a session."""
    values = donation.row() | {"session_id": session.id, "payment_id": session.payment_id}
    tx.execute(insert(schema.donation), values)


def repeat_donation(core: Core, tx: Tx, first: SessionRecord, again: SessionRecord) -> SessionRecord:
    """Give once more: store the gift of a renewal, with its donor, and return its session with that gift."""
    before = donation_of(tx, first.payment_id)
    if before is None or again.donation is None:
        return again
    now, zero = core.clock.now(), Money.zero(again.amount.currency)
    donation = replace(
        before,
        id=core.ids.new("don"),
        subscription_id=again.subscription_id,
        status=DonationStatus.PENDING,
        amount=again.amount,
        amount_received=zero,
        amount_reversed=zero,
        received={},
        reversed_={},
        owed={},
        form_id=None,
        sequence=0,
        created_at=now,
        updated_at=now,
        received_at=None,
    )
    session = replace(again, donation={**again.donation, "id": donation.id, "amount": again.amount.major})
    insert_donation(tx, donation, session)
    donors = schema.donor
    row = tx.execute(select(donors).where(donors.c.donation_id == before.id)).mappings().one_or_none()
    if row is None:
        insert_donor(tx, donation, Donor())
    else:  # what staff have read of the name holds for each renewal
        known = Donor(name=row["name"], email=row["email"], address=row["address"])
        insert_donor(tx, donation, known, status=CommentStatus(row["comment_status"]))
    return session


def insert_donor(
    tx: Tx, donation: DonationRecord, donor: Donor, *, status: CommentStatus = CommentStatus.PENDING
) -> None:
    """Store what is known of who gave, and whether somebody has read it."""
    values = {
        "donation_id": donation.id,
        "merchant_id": donation.merchant_id,
        "livemode": donation.livemode,
        "charity_id": donation.charity_id,
        "name": donor.name,
        "email": donor.email,
        "address": donor.address,
        "comment": donor.comment,
        "comment_status": status.value,
        "tribute": None if donor.tribute is None else dict(donor.tribute),
        "statement_token": secret_token(),
    }
    tx.execute(insert(schema.donor), values)
