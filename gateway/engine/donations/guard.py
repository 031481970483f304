"""The guard at a campaign's form: counts who begins to give and what banks refuse, and closes what is tried too often.

Nothing here decides on money: a refusal that is counted late, or twice, costs somebody a page and never a cent.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, func, insert, select, update

from gateway.domain.giving_limits import (
    ADDRESS_WINDOW,
    ATTACK_WINDOW,
    CARD_WINDOW,
    CLOSING_FROM,
    EMAIL_WINDOW,
    MINUTE,
    Admission,
    Pressure,
    admission,
    session_limit,
)
from gateway.domain.words import PaymentStatus, SessionStatus
from gateway.engine.core import Core
from gateway.engine.donations.records import CampaignRecord
from gateway.engine.records import Owner, SessionRecord
from gateway.engine.sessions import Sessions
from gateway.kernel.errors import CallerError, NotFoundError, WorldError
from gateway.kernel.log import Log
from gateway.outbox.model import SecretBox
from gateway.storage import schema
from gateway.storage.database import Tx
from gateway.storage.statements import insert_new

log = Log("engine")

TRIAL: Final = timedelta(minutes=5)  # an admitted gift that was not paid by then is not waited for
CLOSE_LIMIT: Final = 50  # pages closed for one refusal; the next closes more
PROVED: Final = "proved"
_GIVEN, _DECLINED, _BLOCKED = "given", "declined", "blocked"
_UNPAID: Final = (PaymentStatus.OPEN.value, PaymentStatus.REQUIRES_ACTION.value)


Proof = Callable[[int], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Who stands at the form, as far as the door knows: the network address, and an e-mail if one was given."""

    address: str | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What becomes of a gift that somebody wants to begin.

    Attributes:
        bits: how hard a proof must be, if one is needed.
        signal_id: under which it is remembered.
    """

    admission: Admission
    bits: int
    signal_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A charge that a bank refused: the provider's id of the news, and its word for the card."""

    reference: str
    card: str | None


class Guard:
    """Keeps card testers from campaigns."""

    def __init__(self, core: Core, box: SecretBox, sessions: Sessions) -> None:
        self._core = core
        self._box = box
        self._sessions = sessions

    def admit(self, campaign: CampaignRecord, visitor: Visitor, proof: Proof | None = None) -> Verdict:
        """Decide whether a gift may be begun now, and remember that it was, or was not.

        `proof` tells whether its sender has done work of so many bits; it is asked only under attack.
        """
        return self._core.db.write(lambda tx: self._admit(tx, campaign, visitor, proof))

    def begun(self, verdict: Verdict, session: SessionRecord) -> None:
        """Remember which session an admitted gift became, so that what is refused there counts for its sender, too."""
        table = schema.giving_signal
        values = {"payment_id": session.payment_id}
        self._core.db.write(lambda tx: tx.execute(update(table).where(table.c.id == verdict.signal_id).values(values)))

    def note(self, attempt_id: str, refusals: Sequence[Refusal]) -> None:
        """Count what a bank refused, and close what has had its share; twice counts once."""
        if refusals:
            for session in self._core.db.write(lambda tx: self._note(tx, attempt_id, refusals)):
                self._close(session)

    def blocked(self, owner: Owner, *, limit: int = 100) -> list[dict[str, Any]]:
        """Return what was stopped or refused here, newest first, for staff: nothing of the person."""
        table = schema.giving_signal
        query = (
            select(table.c.id, table.c.campaign_id, table.c.kind, table.c.reason, table.c.occurred_at)
            .where(_is_own(owner), table.c.kind != _GIVEN)
            .order_by(table.c.id.desc())
            .limit(limit)
        )
        return self._core.db.read(lambda tx: [dict(row) for row in tx.execute(query).mappings()])

    def _admit(self, tx: Tx, campaign: CampaignRecord, visitor: Visitor, proof: Proof | None) -> Verdict:
        marks, now = self._marks(visitor), self._core.clock.now()
        pressure = self._pressure(tx, campaign.owner, campaign.id, marks, now)
        is_proved = pressure.is_attack and proof is not None and proof(pressure.bits)
        decided = admission(pressure, is_proved=is_proved)
        is_in, signal_id = decided is Admission.ADMITTED, self._core.ids.new("sig")
        row = {
            "id": signal_id,
            "merchant_id": campaign.merchant_id,
            "livemode": campaign.livemode,
            "campaign_id": campaign.id,
            "kind": _GIVEN if is_in else _BLOCKED,
            "reason": decided.value if not is_in else PROVED if pressure.is_attack else None,
            "occurred_at": now,
            **marks,
        }
        tx.execute(insert(schema.giving_signal), row)
        if not is_in:
            log.info("gift_not_admitted", campaign_id=campaign.id, reason=decided.value)
        return Verdict(admission=decided, bits=pressure.bits, signal_id=signal_id)

    def _marks(self, visitor: Visitor) -> dict[str, str | None]:
        """Return keyed hashes: enough to count by, and nothing of the person."""
        email = None if visitor.email is None else visitor.email.strip().lower()
        return {
            "address_hash": self._mark("address", visitor.address),
            "email_hash": self._mark("email", email),
        }

    def _mark(self, purpose: str, text: str | None) -> str | None:
        return None if not text else self._box.digest(text, purpose=f"giving:{purpose}")

    def _pressure(
        self, tx: Tx, owner: Owner, campaign_id: str, marks: dict[str, str | None], now: datetime
    ) -> Pressure:
        table = schema.giving_signal
        is_given = _is_own(owner) & (table.c.kind == _GIVEN)
        is_refused = (table.c.kind == _DECLINED) & (table.c.campaign_id == campaign_id)
        by = {
            name: _count(tx, is_given, getattr(table.c, f"{name}_hash") == mark, table.c.occurred_at > now - window)
            for name, window in (("address", ADDRESS_WINDOW), ("email", EMAIL_WINDOW))
            if (mark := marks[f"{name}_hash"]) is not None
        }
        return Pressure(
            by_address=by.get("address", 0),
            by_email=by.get("email", 0),
            refused_lately=_count(tx, is_refused, table.c.occurred_at > now - ATTACK_WINDOW),
            refused_this_minute=_count(tx, is_refused, table.c.occurred_at > now - MINUTE),
            on_trial=self._on_trial(tx, campaign_id, now),
        )

    def _on_trial(self, tx: Tx, campaign_id: str, now: datetime) -> int:
        """Count gifts that were admitted under attack and are neither paid nor refused nor closed."""
        table, payment = schema.giving_signal, schema.payment
        is_admitted = (table.c.campaign_id == campaign_id) & (table.c.kind == _GIVEN) & (table.c.reason == PROVED)
        is_young = table.c.occurred_at > now - TRIAL
        is_waiting = table.c.payment_id.is_(None) | payment.c.status.in_(_UNPAID)
        query = (
            select(func.count())
            .select_from(table.outerjoin(payment, payment.c.id == table.c.payment_id))
            .where(is_admitted, is_young, is_waiting)
        )
        return int(tx.scalar(query) or 0)

    def _note(self, tx: Tx, attempt_id: str, refusals: Sequence[Refusal]) -> list[SessionRecord]:
        """Store what is new, and return the sessions that must close now."""
        session = _session_of(tx, attempt_id)
        campaign_id = None if session is None or session.donation is None else session.donation["campaign"]
        if session is None or campaign_id is None:
            return []
        now, table = self._core.clock.now(), schema.giving_signal
        marks = self._known_marks(tx, session)
        for refusal in refusals:
            row = {
                "id": self._core.ids.new("sig"),
                "merchant_id": session.merchant_id,
                "livemode": session.livemode,
                "campaign_id": campaign_id,
                "payment_id": session.payment_id,
                "kind": _DECLINED,
                "card_hash": self._mark("card", refusal.card),
                "reference": refusal.reference[:120],
                "occurred_at": now,
                **marks,
            }
            insert_new(tx, table, row)
        pressure = self._pressure(tx, session.owner, campaign_id, marks, now)
        limit = session_limit(pressure, self._refused_card(tx, session.owner, refusals, now))
        is_this = (table.c.kind == _DECLINED) & (table.c.payment_id == session.payment_id)
        closing = [session] if _count(tx, is_this) >= limit else []
        if pressure.refused_this_minute >= CLOSING_FROM:
            closing += [one for one in _unproved(tx, campaign_id) if one.id != session.id]
        return closing

    def _known_marks(self, tx: Tx, session: SessionRecord) -> dict[str, str | None]:
        table = schema.giving_signal
        is_its = (table.c.kind == _GIVEN) & (table.c.payment_id == session.payment_id)
        query = select(table.c.address_hash, table.c.email_hash).where(is_its).limit(1)
        row = tx.execute(query).mappings().one_or_none()
        return {"address_hash": None, "email_hash": None} if row is None else dict(row)

    def _refused_card(self, tx: Tx, owner: Owner, refusals: Sequence[Refusal], now: datetime) -> int:
        table = schema.giving_signal
        marks = [self._mark("card", one.card) for one in refusals if one.card is not None]
        is_it = _is_own(owner) & (table.c.kind == _DECLINED) & table.c.card_hash.in_(marks)
        return _count(tx, is_it, table.c.occurred_at > now - CARD_WINDOW) if marks else 0

    def _close(self, session: SessionRecord) -> None:
        try:
            self._sessions.call_off(session)
        except (CallerError, NotFoundError, WorldError) as error:  # paid meanwhile, closed already, or closed next time
            log.info("session_not_closed", session_id=session.id, code=error.code)
        else:
            log.info("session_closed_by_guard", session_id=session.id)


def _is_own(owner: Owner) -> ColumnElement[bool]:
    table = schema.giving_signal
    return (table.c.merchant_id == owner.merchant_id) & (table.c.livemode == owner.livemode)


def _count(tx: Tx, *conditions: ColumnElement[bool]) -> int:
    return int(tx.scalar(select(func.count()).select_from(schema.giving_signal).where(*conditions)) or 0)


def _session_of(tx: Tx, attempt_id: str) -> SessionRecord | None:
    attempt, session = schema.attempt, schema.checkout_session
    query = (
        select(session).join(attempt, attempt.c.payment_id == session.c.payment_id).where(attempt.c.id == attempt_id)
    )
    row = tx.execute(query).mappings().one_or_none()
    return None if row is None else SessionRecord.of(row)


def _unproved(tx: Tx, campaign_id: str) -> list[SessionRecord]:
    """Return open sessions of a campaign that were begun without a proof, oldest first."""
    table, session, donation = schema.giving_signal, schema.checkout_session, schema.donation
    proved = select(table.c.payment_id).where(
        table.c.campaign_id == campaign_id, table.c.kind == _GIVEN, table.c.reason == PROVED,
        table.c.payment_id.is_not(None),
    )  # fmt: skip
    query = (
        select(session)
        .join(donation, donation.c.payment_id == session.c.payment_id)
        .where(
            donation.c.campaign_id == campaign_id,
            session.c.status == SessionStatus.OPEN.value,
            session.c.payment_id.not_in(proved),
        )
        .order_by(session.c.id)
        .limit(CLOSE_LIMIT)
    )
    return [SessionRecord.of(row) for row in tx.execute(query).mappings()]
