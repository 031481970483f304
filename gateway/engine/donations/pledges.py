"""Promises to give again: a card's are collected by its provider, a wallet's are asked for by mail.

A reminder is written in the tx that moves its pledge on to the next date, so each date is asked for once, whoever looks
and wherever it crashes. Dates that passed while nobody looked are one reminder, not many, and a date for which
somebody has given already is none. A reminder's link names its pledge, so that what is given there keeps the promise.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final, Self

from sqlalchemy import select, update

from gateway.domain.donations import DonationStatus, Frequency, is_given_already, last_dues, next_due
from gateway.domain.words import SessionMode
from gateway.engine.core import Core
from gateway.engine.donations.mails import MailKind, NewMail, queue_mail
from gateway.engine.donations.records import CampaignRecord, DonationRecord, load_campaign, load_charity
from gateway.engine.records import Owner, Row, not_found
from gateway.kernel.clock import rfc3339
from gateway.kernel.ids import is_secret_token
from gateway.kernel.money import Money
from gateway.storage import schema
from gateway.storage.database import Tx
from gateway.storage.statements import total

REMIND_LIMIT: Final = 500  # pledges a turn; the next one goes on
LINK_LIFETIME: Final = timedelta(days=90)  # who opens an older mail gives as anybody does
_LINK: Final = re.compile(r"(plg_[0-9a-z]{26})\.([0-9]{1,11})\.([A-Za-z0-9_-]{43})", re.ASCII)
_NEWEST: Final = 100  # gifts that are looked at: more in one period only say again that it is given


@dataclass(frozen=True, slots=True, kw_only=True)
class PledgeRecord:
    """A row of `pledge`.

    Attributes:
        next_at: when to remind; None where a provider collects, where no address is known, and once it is stopped.
        reminders: how many were written.
    """

    id: str
    merchant_id: str
    livemode: bool
    charity_id: str
    campaign_id: str
    subscription_id: str | None
    token: str
    frequency: Frequency
    amount: Money
    email: str | None
    name: str | None
    locale: str | None
    next_at: datetime | None
    reminders: int
    created_at: datetime
    stopped_at: datetime | None

    @classmethod
    def of(cls, row: Row) -> Self:
        """Read a row."""
        values = dict(row)
        values["amount"] = Money(values["amount"], values.pop("currency"))
        values["frequency"] = Frequency(values["frequency"])
        return cls(**values)

    @property
    def owner(self) -> Owner:
        """Whose it is."""
        return Owner(merchant_id=self.merchant_id, livemode=self.livemode)


@dataclass(frozen=True, slots=True, kw_only=True)
class PledgeView:
    """A pledge with what it is for.

    Attributes:
        given: what came of it, and was not given back.
    """

    pledge: PledgeRecord
    campaign: CampaignRecord
    charity_name: str
    charity_email: str | None
    given: Money


def follow_pledge(core: Core, tx: Tx, donation: DonationRecord) -> None:
    """Set the first reminder when the first gift of a pledge has come, unless a provider collects the next ones."""
    if donation.pledge_id is None or donation.status is not DonationStatus.RECEIVED:
        return
    pledge = load_pledge(tx, donation.pledge_id)
    sessions = schema.checkout_session
    mode = tx.scalar(select(sessions.c.mode).where(sessions.c.payment_id == donation.payment_id))
    is_collected = mode == SessionMode.SUBSCRIPTION.value
    if is_collected or pledge.next_at is not None or pledge.stopped_at is not None or pledge.email is None:
        return
    due = next_due(pledge.created_at, pledge.frequency, core.clock.now())
    table = schema.pledge
    tx.execute(update(table).where(table.c.id == pledge.id, table.c.stopped_at.is_(None)).values(next_at=due))


class Pledges:
    """What reads pledges, and reminds."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def by_token(self, token: str) -> PledgeView:
        """Return the pledge of a stop link.

        Raises:
            NotFoundError: there is none.
        """
        if not is_secret_token(token):
            raise not_found("pledge")
        table = schema.pledge

        def query(tx: Tx) -> PledgeView:
            row = tx.execute(select(table).where(table.c.token == token)).mappings().one_or_none()
            if row is None:
                raise not_found("pledge")
            return pledge_view(tx, PledgeRecord.of(row))

        return self._core.db.read(query)

    def by_link(self, link: str, campaign_id: str) -> PledgeRecord | None:
        """Return the pledge that a reminder's link names; None where it is none of ours, or nobody is asked any more.

        Too old, of another campaign, of a pledge that ended: whoever follows such a link gives as anybody does.
        """
        found = _LINK.fullmatch(link)
        if found is None:
            return None
        issued_at = datetime.fromtimestamp(int(found[2]), UTC)
        row = self._core.db.read(lambda tx: _pledge_row(tx, found[1]))
        if row is None or self._core.clock.now() - issued_at > LINK_LIFETIME:
            return None
        pledge = PledgeRecord.of(row)
        is_ours = hmac.compare_digest(link, reminder_link(pledge, issued_at))
        is_living = pledge.stopped_at is None and pledge.subscription_id is None
        return pledge if is_ours and is_living and pledge.campaign_id == campaign_id else None

    def remind(self) -> int:
        """Write the reminders that are due; return how many."""
        table, now = schema.pledge, self._core.clock.now()
        query = select(table).where(table.c.next_at <= now).order_by(table.c.next_at).limit(REMIND_LIMIT)
        due = self._core.db.read(lambda tx: [PledgeRecord.of(row) for row in tx.execute(query).mappings()])
        return sum(self._core.db.write(partial(self._remind, pledge=pledge)) for pledge in due)

    def _remind(self, tx: Tx, *, pledge: PledgeRecord) -> bool:
        """Move a pledge on to its next date and write its reminder, unless somebody else has."""
        assert pledge.next_at is not None, "only pledges that are due come here"
        table, now = schema.pledge, self._core.clock.now()
        is_open = load_campaign(tx, pledge.campaign_id).is_open(now)
        is_same = (table.c.id == pledge.id) & (table.c.next_at == pledge.next_at)
        values: dict[str, Any] = {"next_at": None}
        if is_open:
            due = next_due(pledge.created_at, pledge.frequency, now)
            values = {"next_at": due, "reminders": table.c.reminders + 1}
        is_given = is_given_already(gift_times(tx, pledge.id), last_dues(pledge.created_at, pledge.frequency, now))
        if is_given:
            values.pop("reminders", None)
        has_moved = tx.execute(update(table).where(is_same).values(values)).rowcount == 1
        if not has_moved or not is_open or is_given or pledge.email is None:
            return False
        mail = NewMail(
            owner=pledge.owner,
            kind=MailKind.REMINDER,
            subject_id=pledge.id,
            recipient=pledge.email,
            locale=pledge.locale,
            dedup_key=f"reminder:{pledge.id}:{rfc3339(pledge.next_at)}",
        )
        return queue_mail(self._core, tx, mail)


def reminder_link(pledge: PledgeRecord, issued_at: datetime) -> str:
    """Return what a reminder's link carries: the pledge, when it was written, and a signature over both.

    The pledge's own secret signs, so that whoever has the link cannot stop the pledge, and nobody can make another.
    """
    named = f"{pledge.id}.{int(issued_at.timestamp())}"
    signature = hmac.digest(pledge.token.encode(), f"give again: {named}".encode(), hashlib.sha256)
    return f"{named}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def gift_times(tx: Tx, pledge_id: str) -> Sequence[datetime]:
    """Return when the newest gifts of a pledge came, without those that went back."""
    table = schema.donation
    has_come = (table.c.pledge_id == pledge_id) & (table.c.status == DonationStatus.RECEIVED.value)
    return tx.scalars(
        select(table.c.received_at).where(has_come).order_by(table.c.received_at.desc()).limit(_NEWEST)
    ).all()


def _pledge_row(tx: Tx, pledge_id: str) -> Row | None:
    return tx.execute(select(schema.pledge).where(schema.pledge.c.id == pledge_id)).mappings().one_or_none()


def load_pledge(tx: Tx, pledge_id: str) -> PledgeRecord:
    """Return a pledge that our own rows name."""
    return PledgeRecord.of(tx.execute(select(schema.pledge).where(schema.pledge.c.id == pledge_id)).mappings().one())


def pledge_view(tx: Tx, pledge: PledgeRecord) -> PledgeView:
    """Return a pledge with what it is for."""
    charity = load_charity(tx, pledge.charity_id)
    campaign = load_campaign(tx, pledge.campaign_id)
    return PledgeView(
        pledge=pledge,
        campaign=campaign,
        charity_name=charity.name,
        charity_email=charity.email,
        given=_given(tx, pledge),
    )


def _given(tx: Tx, pledge: PledgeRecord) -> Money:
    table = schema.donation
    sums = select(total(tx, table.c.amount_received), total(tx, table.c.amount_reversed))
    received, reversed_ = tx.execute(sums.where(table.c.pledge_id == pledge.id)).one()
    return Money(int(received or 0) - int(reversed_ or 0), pledge.amount.currency)
