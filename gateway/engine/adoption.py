"""Adoption: what a provider's page has begun or saved becomes ours, in the tx that stores the page's read."""

from dataclasses import asdict
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import insert, select, update

from gateway.domain.provider import ProviderSnapshot
from gateway.domain.subscriptions import SubscriptionStatus
from gateway.domain.words import AttemptStage, SessionMode
from gateway.engine.core import Core
from gateway.engine.customers import NewCustomer, insert_customer
from gateway.engine.records import AttemptRecord, PaymentRecord, SessionRecord, load_session
from gateway.engine.recurring import SubscriptionRecord, load_plan
from gateway.kernel.log import Log
from gateway.storage import schema
from gateway.storage.database import Tx
from gateway.storage.statements import insert_new

log = Log("engine")

COLLECTING: Final = timedelta(days=60)  # the longest that a provider tries to collect one bill; afterwards it is late


def adopt(core: Core, tx: Tx, payment: PaymentRecord, attempt: AttemptRecord, found: ProviderSnapshot) -> None:
    """Keep the subscription that a read of a page names; the caller holds the payment's lock. Twice changes nothing."""
    if found.subscription is None or found.customer is None:
        return
    table = schema.subscription
    is_it = (table.c.network == attempt.network) & (table.c.reference == found.subscription)
    if tx.execute(select(table.c.id).where(is_it)).first() is not None:
        return
    session = load_session(tx, payment.session_id)
    if session.mode is not SessionMode.SUBSCRIPTION or session.plan_id is None:
        return
    customer_id = _customer_of(core, tx, session, attempt, found.customer)
    subscription = _draft(core, session, attempt, found, customer_id=customer_id)
    tx.execute(insert(table), subscription.row())
    _bind_session(core, tx, session, subscription, is_free=_is_free(found))
    _bind_gift(tx, session, subscription)
    log.info("subscription_adopted", subscription_id=subscription.id, payment_id=payment.id)


def _bind_gift(tx: Tx, session: SessionRecord, subscription: SubscriptionRecord) -> None:
    """Let the gift that began a subscription, and the promise behind it, know it."""
    if session.donation is None:
        return
    donations, pledges = schema.donation, schema.pledge
    values = {"subscription_id": subscription.id}
    is_first = donations.c.payment_id == session.payment_id
    tx.execute(update(donations).where(is_first).values(values))
    pledge_id = tx.scalar(select(donations.c.pledge_id).where(is_first))
    tx.execute(update(pledges).where(pledges.c.id == pledge_id).values(values))


def keep_method(core: Core, tx: Tx, payment: PaymentRecord, attempt: AttemptRecord, found: ProviderSnapshot) -> None:
    """Keep what a page has saved for later, and close the session; the first one stays. Twice changes nothing."""
    if found.saved is None or found.customer is None or found.stage is not AttemptStage.COMPLETE:
        return
    session = load_session(tx, payment.session_id)
    if session.mode is not SessionMode.SETUP or session.is_page_over:
        return
    values = {
        "customer_id": _customer_of(core, tx, session, attempt, found.customer),
        "page_over_at": core.clock.now(),
        "saved_method": {
            "network": attempt.network,
            "reference": found.saved.reference,
            "customer_reference": found.customer,
            "instrument": asdict(found.saved.instrument),
        },
    }
    table = schema.checkout_session
    tx.execute(update(table).where(table.c.id == session.id).values(values))
    log.info("method_saved", session_id=session.id, customer_id=values["customer_id"])


def _customer_of(core: Core, tx: Tx, session: SessionRecord, attempt: AttemptRecord, reference: str) -> str:
    """Return the session's customer, made now if it has none, and keep by what id the provider knows it."""
    customer_id = session.customer_id
    if customer_id is None:
        customer_id = insert_customer(core, tx, session.owner, NewCustomer(email=session.customer_email)).id
    known = {"network": attempt.network, "reference": reference, "customer_id": customer_id}
    insert_new(tx, schema.customer_reference, known | {"created_at": core.clock.now()})
    return customer_id


def _is_free(found: ProviderSnapshot) -> bool:
    """Tell whether the page was completed with nothing to pay now: a trial."""
    has_total = found.total is None or found.total.atomic > 0
    return found.stage is AttemptStage.COMPLETE and found.charge is None and not has_total


def _draft(
    core: Core, session: SessionRecord, attempt: AttemptRecord, found: ProviderSnapshot, *, customer_id: str
) -> SubscriptionRecord:
    now = core.clock.now()
    assert session.plan_id is not None, "a session that begins a subscription names its plan"
    assert found.subscription is not None, "the caller has seen it"
    assert found.customer is not None, "the caller has seen it"
    return SubscriptionRecord(
        id=core.ids.new("sub"),
        merchant_id=session.merchant_id,
        livemode=session.livemode,
        customer_id=customer_id,
        plan_id=session.plan_id,
        session_id=session.id,
        payment_id=session.payment_id,
        attempt_id=attempt.id,
        network=attempt.network,
        reference=found.subscription,
        customer_reference=found.customer,
        status=SubscriptionStatus.INCOMPLETE,
        period_start=None,
        period_end=None,
        paid_until=None,
        access_until=None,
        trial_ends_at=None,
        cancels_at=None,
        canceled_at=None,
        ended_at=None,
        noticed_at=None,
        metadata=session.metadata,
        reads=0,
        hints=0,
        due_at=now,
        sequence=0,
        created_at=now,
        updated_at=now,
    )


def _bind_session(
    core: Core, tx: Tx, session: SessionRecord, subscription: SubscriptionRecord, *, is_free: bool
) -> None:
    """Name the subscription on its session; the obligation of one that begins free waits for the trial's end."""
    table, payments, attempts = schema.checkout_session, schema.payment, schema.attempt
    values: dict[str, Any] = {
        "customer_id": subscription.customer_id,
        "subscription_id": session.subscription_id or subscription.id,
    }
    if is_free:
        now = core.clock.now()
        later = now + timedelta(days=load_plan(tx, subscription.plan_id).trial_days) + COLLECTING
        tx.execute(update(payments).where(payments.c.id == session.payment_id).values(expires_at=later))
        tx.execute(update(attempts).where(attempts.c.id == subscription.attempt_id).values(expires_at=later))
        values = values | {"page_over_at": now, "expires_at": later}
    tx.execute(update(table).where(table.c.id == session.id).values(values))
