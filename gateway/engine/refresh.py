"""The heart: derive a payment's state from its facts, and bring row, books and outbox to it in the caller's tx.

Every verb that adds a fact to a payment ends here, with the payment's row locked. Running it twice changes nothing.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import update

from gateway.domain.announcements import Standing, payment_events
from gateway.domain.events import Event, EventType
from gateway.domain.payments import PaymentState
from gateway.domain.returns import disputes_status, refunded, refunds_status
from gateway.domain.words import PaymentException, PaymentKind, PaymentStatus, SessionStatus
from gateway.engine.core import Core
from gateway.engine.donations.booking import follow_gift
from gateway.engine.facts import PaymentFacts, load_facts
from gateway.engine.outflows import follow_refunds
from gateway.engine.posting import Subject, post_difference
from gateway.engine.records import Owner, PaymentRecord, SessionRecord, load_payment, load_session
from gateway.engine.wire import payment_object, session_object
from gateway.kernel.log import Log
from gateway.outbox.events import append
from gateway.storage import schema
from gateway.storage.database import Tx

log = Log("engine")

_SESSION_EVENTS: Final = {
    SessionStatus.COMPLETE: EventType.SESSION_COMPLETED,
    SessionStatus.EXPIRED: EventType.SESSION_EXPIRED,
}


def refresh(core: Core, tx: Tx, payment_id: str) -> PaymentRecord:
    """Re-derive one payment; write what changed: journal entry, row, session, events.

    Returns:
        The payment as it stands now.
    """
    before = load_payment(tx, payment_id, lock=True)
    facts = load_facts(tx, before)
    if follow_refunds(core, tx, facts):
        facts = load_facts(tx, before)
    state = facts.state()
    now = core.clock.now()
    subject = Subject(owner=before.owner, id=payment_id, version=before.version + 1)
    target = facts.target(state)
    has_posted = post_difference(core, tx, subject, target, _effective_at(facts, now))
    after = _derived(facts, state, now)
    follow_gift(core, tx, replace(facts, payment=after), state, target)
    if not has_posted and after == before and not _session_lags(tx, before):
        return before
    after = replace(after, version=subject.version)
    after = replace(
        after, sequence=before.sequence + _announce_payment(core, tx, before, replace(facts, payment=after))
    )
    _store(tx, after)
    _follow(core, tx, after)
    if before.status is not after.status:
        log.info("payment_status", payment_id=payment_id, before=before.status.value, after=after.status.value)
    return after


def _effective_at(facts: PaymentFacts, now: datetime) -> datetime:
    """Return when the money moved: the chain's own time of the newest transfer, never later than now."""
    times = [one.occurred_at for one in facts.transfers if one.occurred_at is not None]
    if times:
        received = {one.id for one in facts.transfers}
        times += [one.updated_at for one in facts.refunds if one.source_id in received]
    return min(max(times), now) if times else now


def _derived(facts: PaymentFacts, state: PaymentState, now: datetime) -> PaymentRecord:
    """Return the payment as its facts make it."""
    before, refunds = facts.payment, facts.refund_facts()
    return replace(
        before,
        status=state.status,
        exceptions=tuple(sorted(state.exceptions)),
        amount_received=state.amount_received,
        amount_capturable=state.amount_capturable,
        amount_refunded=refunded(refunds, before.amount.currency),
        refunds=refunds_status(facts.sources(), refunds),
        dispute=disputes_status(facts.dispute_facts()),
        paid_at=(before.paid_at or now) if state.status is PaymentStatus.PAID else None,
    )


def _session_status(payment: PaymentRecord, session: SessionRecord) -> SessionStatus:
    if session.page_over_at is not None or payment.status in {PaymentStatus.PAID, PaymentStatus.AUTHORIZED}:
        return SessionStatus.COMPLETE
    is_over = (
        payment.closed_at is not None or payment.canceled_at is not None or payment.status is PaymentStatus.CANCELED
    )
    return SessionStatus.EXPIRED if is_over else SessionStatus.OPEN


def _session_lags(tx: Tx, payment: PaymentRecord) -> bool:
    """Tell whether the session must follow although the payment stands: an underpaid one whose window closed."""
    session = load_session(tx, payment.session_id)
    return session.status is not _session_status(payment, session)


def _follow(core: Core, tx: Tx, payment: PaymentRecord) -> None:
    """Bring the session to where its payment stands, and tell."""
    before = load_session(tx, payment.session_id)
    status = _session_status(payment, before)
    if status is before.status:
        return
    after = replace(
        before,
        status=status,
        # A session that a reorg reopens does not get its order's place back: another one may hold it by now.
        open_key=before.open_key if status is SessionStatus.OPEN else None,
        completed_at=(payment.paid_at or core.clock.now()) if status is SessionStatus.COMPLETE else None,
        sequence=before.sequence + (status in _SESSION_EVENTS),
    )
    table = schema.checkout_session
    changes = {
        "status": after.status.value,
        "open_key": after.open_key,
        "completed_at": after.completed_at,
        "sequence": after.sequence,
    }
    tx.execute(update(table).where(table.c.id == after.id).values(changes))
    if status in _SESSION_EVENTS:
        shown = session_object(after, payment_status=payment.status, url=core.page_url(after.token))
        event = _event(core, after.owner, _SESSION_EVENTS[status], after.id)
        append(tx, replace(event, sequence=after.sequence, data=shown, previous={"status": before.status.value}))


def _announce_payment(core: Core, tx: Tx, before: PaymentRecord, facts: PaymentFacts) -> int:
    """Append the events of this change; return how many. Of nothing that was owed there is nothing to tell."""
    after = facts.payment
    if after.kind is PaymentKind.SETUP:
        return 0
    data = payment_object(after, facts.attempts, facts.transfers, facts.charges)
    count = 0
    for count, event_type in enumerate(payment_events(_standing(before), _standing(after)), start=1):
        event = _event(core, after.owner, event_type, after.id)
        append(tx, replace(event, sequence=before.sequence + count, data=data, previous=dict(_previous(before, after))))
    return count


def _standing(payment: PaymentRecord) -> Standing:
    return Standing(
        status=payment.status,
        exceptions=frozenset(payment.exceptions),
        amount_received=payment.amount_received,
        amount_refunded=payment.amount_refunded,
        refunds=payment.refunds,
    )


def _event(core: Core, owner: Owner, event_type: EventType, object_id: str) -> Event:
    return Event(
        id=core.ids.new("evt"),
        type=event_type,
        merchant_id=owner.merchant_id,
        livemode=owner.livemode,
        object_id=object_id,
        sequence=1,
        created_at=core.clock.now(),
        data={},
    )


def _previous(before: PaymentRecord, after: PaymentRecord) -> Iterator[tuple[str, Any]]:
    if before.status is not after.status:
        yield "status", before.status.value
    if before.exceptions != after.exceptions:
        yield "exceptions", [PaymentException(word).value for word in before.exceptions]
    for name in ("amount_received", "amount_capturable", "amount_refunded"):
        if getattr(before, name) != getattr(after, name):
            yield name, getattr(before, name).major
    for name in ("refunds", "dispute"):
        if getattr(before, name) is not getattr(after, name):
            yield name, getattr(before, name).value


def _store(tx: Tx, payment: PaymentRecord) -> None:
    tx.execute(
        update(schema.payment)
        .where(schema.payment.c.id == payment.id)
        .values(
            status=payment.status.value,
            exceptions=[word.value for word in payment.exceptions],
            amount_received=payment.amount_received.atomic,
            amount_capturable=payment.amount_capturable.atomic,
            amount_refunded=payment.amount_refunded.atomic,
            refunds=payment.refunds.value,
            dispute=payment.dispute.value,
            version=payment.version,
            sequence=payment.sequence,
            paid_at=payment.paid_at,
        )
    )
