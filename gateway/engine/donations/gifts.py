"""Gifts at checkout: what a shopper is offered, and his choice, which the server keeps and adds to what is asked."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select, update

from gateway.domain.donations import DonationStatus, Frequency, GiftKind, GiftOffer, gift_offers
from gateway.domain.words import AttemptStage, CaptureMethod, PaymentStatus, SessionMode, SessionStatus
from gateway.engine.core import Core
from gateway.engine.donations.giving import gift_on_session, insert_donation
from gateway.engine.donations.records import (
    CharityRecord,
    ConfigRecord,
    DonationRecord,
    donation_of,
    load_charity,
)
from gateway.engine.hosted import Hosted
from gateway.engine.operations import refuse_while_open
from gateway.engine.records import (
    Owner,
    PaymentRecord,
    SessionRecord,
    load_attempts,
    load_payment,
    load_session,
    load_transfers,
)
from gateway.kernel.errors import ConflictError, ErrorCode, InvalidRequestError
from gateway.kernel.money import Money
from gateway.storage import schema
from gateway.storage.database import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveConfig:
    """What an account offers in one currency now, and for whom."""

    config: ConfigRecord
    charity: CharityRecord


class Gifts:
    """The verbs of gifts at checkout."""

    def __init__(self, core: Core, hosted: Hosted) -> None:
        self._core = core
        self._hosted = hosted

    def active(self, owner: Owner, code: str) -> ActiveConfig | None:
        """Return the newest config of this account and currency that is in force now; None without one."""
        return self._core.db.read(lambda tx: self._active(tx, owner, code))

    def offers(self, owner: Owner, price: Money) -> tuple[ActiveConfig | None, Sequence[GiftOffer]]:
        """Return what shoppers of this account are offered on top of a price now."""
        active = self.active(owner, price.currency)
        if active is None:
            return None, ()
        return active, gift_offers(active.config.terms, price, self._core.clock.now())

    def choose(self, session: SessionRecord, kind: GiftKind, amount: Money) -> None:
        """Add a gift to what an open session asks for; another choice takes its place.

        Raises:
            InvalidRequestError: `gift_not_offered`: not one of the offers of this moment.
            ConflictError: `gift_not_changeable`: money was seen, or the session takes no gifts.
            WorldError: a provider does not say whether its page is closed.
        """
        active, offers = self.offers(session.owner, session.amount)
        if active is None or not any((one.kind, one.amount) == (kind, amount) for one in offers):
            raise InvalidRequestError(ErrorCode.GIFT_NOT_OFFERED, "This gift is not on offer.", param="/gift")
        self._hosted.close_pages(session.payment_id)
        self._core.db.write(lambda tx: self._put(tx, session, active, kind, amount))

    def drop(self, session: SessionRecord) -> None:
        """Take the gift off again.

        Raises:
            ConflictError: `gift_not_changeable`.
            WorldError: a provider does not say whether its page is closed.
        """
        if session.donation is None:
            return
        self._hosted.close_pages(session.payment_id)
        self._core.db.write(lambda tx: self._take_off(tx, session))

    def _active(self, tx: Tx, owner: Owner, code: str) -> ActiveConfig | None:
        table, now = schema.donation_config, self._core.clock.now()
        query = (
            select(table)
            .where(
                table.c.merchant_id == owner.merchant_id,
                table.c.livemode == owner.livemode,
                table.c.currency == code,
                table.c.archived_at.is_(None),
                table.c.starts_at.is_(None) | (table.c.starts_at <= now),
                table.c.ends_at.is_(None) | (table.c.ends_at > now),
            )
            .order_by(table.c.id.desc())
            .limit(1)
        )
        row = tx.execute(query).mappings().one_or_none()
        if row is None:
            return None
        config = ConfigRecord.of(row)
        return ActiveConfig(config=config, charity=load_charity(tx, config.charity_id))

    def _put(self, tx: Tx, session: SessionRecord, active: ActiveConfig, kind: GiftKind, amount: Money) -> None:
        payment = _changeable(tx, session)
        before = donation_of(tx, payment.id)
        if before is not None and (before.kind, before.amount, before.config_id) == (kind, amount, active.config.id):
            return
        self._remove(tx, payment)
        donation = self._draft(session, active, kind, amount)
        insert_donation(tx, donation, session)
        shown = gift_on_session(donation, charity_name=active.charity.name)
        _store(tx, session, charity_id=active.charity.id, amount=amount, shown=shown)

    def _take_off(self, tx: Tx, session: SessionRecord) -> None:
        self._remove(tx, _changeable(tx, session))
        _store(tx, session, charity_id=None, amount=Money.zero(session.amount.currency), shown=None)

    def _remove(self, tx: Tx, payment: PaymentRecord) -> None:
        table = schema.donation
        tx.execute(delete(table).where(table.c.payment_id == payment.id))

    def _draft(self, session: SessionRecord, active: ActiveConfig, kind: GiftKind, amount: Money) -> DonationRecord:
        now, zero = self._core.clock.now(), Money.zero(amount.currency)
        return DonationRecord(
            id=self._core.ids.new("don"),
            merchant_id=session.merchant_id,
            livemode=session.livemode,
            charity_id=active.charity.id,
            campaign_id=None,
            config_id=active.config.id,
            session_id=session.id,
            payment_id=session.payment_id,
            subscription_id=None,
            pledge_id=None,
            kind=kind,
            frequency=Frequency.ONCE,
            status=DonationStatus.PENDING,
            amount=amount,
            fee_cover=zero,
            amount_received=zero,
            amount_reversed=zero,
            received={},
            reversed_={},
            owed={},
            is_anonymous=True,
            on_wall=False,
            locale=session.locale,
            form_id=None,
            sequence=0,
            created_at=now,
            updated_at=now,
            received_at=None,
        )


def takes_gifts(session: SessionRecord, payment: PaymentRecord) -> bool:
    """Tell whether a gift may be added to a session now, changed, or taken off.

    Not to what is held and captured later, what repeats, what saves a card, and what is a donation itself.
    """
    is_order = session.mode is SessionMode.PAYMENT and session.capture_method is CaptureMethod.AUTOMATIC
    is_campaign = session.donation is not None and session.donation["campaign"] is not None
    is_open = session.status is SessionStatus.OPEN and payment.status is PaymentStatus.OPEN
    return is_order and not is_campaign and is_open and payment.closed_at is None and payment.canceled_at is None


def _changeable(tx: Tx, session: SessionRecord) -> PaymentRecord:
    """Return the payment, locked, if nothing was paid, sent or begun that counts on what is asked now."""
    payment = load_payment(tx, session.payment_id, lock=True)
    refuse_while_open(tx, payment.id)
    living = {AttemptStage.REGISTERING, AttemptStage.OPEN}
    is_begun = any(one.stage in living for one in load_attempts(tx, payment.id)) or load_transfers(tx, payment.id)
    if is_begun or not takes_gifts(load_session(tx, session.id), payment):
        raise ConflictError(
            ErrorCode.GIFT_NOT_CHANGEABLE, "The payment has begun; the gift stays as it is.", object_id=session.id
        )
    return payment


def _store(
    tx: Tx, session: SessionRecord, *, charity_id: str | None, amount: Money, shown: dict[str, object] | None
) -> None:
    sessions, payments = schema.checkout_session, schema.payment
    tx.execute(update(sessions).where(sessions.c.id == session.id).values(donation=shown, attempt_id=None))
    values = {"charity_id": charity_id, "gift_amount": amount.atomic}
    tx.execute(update(payments).where(payments.c.id == session.payment_id).values(values))
