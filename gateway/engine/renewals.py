"""Renewals: what a provider's bill makes of its period: a row, and a payment once money is asked for.

The first bill with money is paid by the session's own payment. Each later one gets a session and a payment of its own,
without a page: its provider collects. The charge that pays it is an attempt like any other, so that books, refunds and
disputes need to know nothing of subscriptions.
"""

from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy import insert, select, update

from gateway.domain.subscriptions import PeriodStatus, ProviderInvoice
from gateway.domain.words import AttemptStage, PaymentStatus, SessionStatus
from gateway.engine.adoption import COLLECTING
from gateway.engine.attempts import attempt_row
from gateway.engine.core import Core
from gateway.engine.donations.giving import repeat_donation
from gateway.engine.records import (
    AttemptRecord,
    PaymentRecord,
    SessionRecord,
    load_attempt,
    load_merchant,
    load_payment,
    load_session,
)
from gateway.engine.recurring import PeriodRecord, SubscriptionRecord, load_plan
from gateway.engine.refresh import refresh
from gateway.engine.sessions import payment_row, session_row
from gateway.kernel.ids import secret_token
from gateway.kernel.log import Log
from gateway.kernel.money import Money
from gateway.storage import schema
from gateway.storage.database import Tx

log = Log("engine")

_UNPAID: Final = frozenset({PaymentStatus.OPEN, PaymentStatus.REQUIRES_ACTION})


class Renewals:
    """Turns bills into periods and payments."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def take(self, tx: Tx, subscription: SubscriptionRecord, invoice: ProviderInvoice) -> list[str]:
        """Bring the period of a bill to what its provider says; the caller holds the subscription's lock.

        Returns:
            The attempts whose charges are to be read, because the bill changed or its payment is behind it.
        """
        before = self._period(tx, subscription, invoice)
        is_another = before.reference != invoice.reference
        if is_another and before.status is PeriodStatus.VOID:
            before = replace(
                before, reference=invoice.reference, payment_id=None
            )  # this one takes the void one's place
        elif is_another and before.status is PeriodStatus.PAID:
            log.warning("period_billed_twice", subscription_id=subscription.id, invoice=invoice.reference)
        after = before if before.reference != invoice.reference else self._moved(before, invoice)
        if invoice.charges and invoice.amount.atomic and after.payment_id is None:
            after = replace(after, payment_id=self._payment(tx, subscription, invoice.amount))
        self._write(tx, before, after)
        if after.payment_id is None:
            return []
        payment = load_payment(tx, after.payment_id, lock=True)
        if after.status is PeriodStatus.VOID and payment.status in _UNPAID:
            self._call_off(tx, payment)
        attempts = self._attempts(tx, subscription, payment, invoice)
        is_behind = (after.status is PeriodStatus.PAID) is not (payment.status is PaymentStatus.PAID)
        return attempts if is_behind or after != before or is_another else []

    def release(self, tx: Tx, subscription: SubscriptionRecord) -> None:
        """Call off the session's own payment if the subscription ended before anything was charged: in its trial."""
        table = schema.subscription_period
        if tx.execute(select(table.c.id).where(table.c.payment_id == subscription.payment_id)).first() is not None:
            return
        payment = load_payment(tx, subscription.payment_id, lock=True)
        if payment.status in _UNPAID:
            self._call_off(tx, payment)

    def _period(self, tx: Tx, subscription: SubscriptionRecord, invoice: ProviderInvoice) -> PeriodRecord:
        """Return the row of a bill's period; inserts it if nobody has."""
        table = schema.subscription_period
        of_bill = (table.c.network == subscription.network) & (table.c.reference == invoice.reference)
        is_same = (table.c.subscription_id == subscription.id) & (table.c.starts_at == invoice.period_start)
        for condition in (of_bill, is_same):
            row = tx.execute(select(table).where(condition)).mappings().one_or_none()
            if row is not None:
                return PeriodRecord.of(row)
        now = self._core.clock.now()
        period = PeriodRecord(
            id=self._core.ids.new("per"),
            merchant_id=subscription.merchant_id,
            livemode=subscription.livemode,
            subscription_id=subscription.id,
            starts_at=invoice.period_start,
            ends_at=invoice.period_end,
            status=PeriodStatus.OPEN,
            amount=invoice.amount,
            network=subscription.network,
            reference=invoice.reference,
            payment_id=None,
            next_attempt_at=None,
            created_at=invoice.created_at,
            updated_at=now,
        )
        tx.execute(insert(table), period.row())
        return period

    def _moved(self, period: PeriodRecord, invoice: ProviderInvoice) -> PeriodRecord:
        return replace(
            period,
            ends_at=invoice.period_end,
            status=invoice.status,
            amount=invoice.amount,
            next_attempt_at=invoice.next_attempt_at,
        )

    def _write(self, tx: Tx, before: PeriodRecord, after: PeriodRecord) -> None:
        if after == before:
            return
        table = schema.subscription_period
        values = replace(after, updated_at=self._core.clock.now()).row()
        tx.execute(update(table).where(table.c.id == after.id).values(values))

    def _payment(self, tx: Tx, subscription: SubscriptionRecord, amount: Money) -> str:
        """Return the payment of a period: the session's own for the first with money, else a new one."""
        table = schema.subscription_period
        is_taken = (table.c.subscription_id == subscription.id) & (table.c.payment_id == subscription.payment_id)
        is_free = load_payment(tx, subscription.payment_id).canceled_at is None
        if is_free and tx.execute(select(table.c.id).where(is_taken)).first() is None:
            return subscription.payment_id
        first = load_session(tx, subscription.session_id)
        session = repeat_donation(self._core, tx, first, self._session(tx, subscription, first, amount))
        rules = load_merchant(tx, subscription.merchant_id).settings.rules()
        tx.execute(insert(schema.checkout_session), session_row(session))
        tx.execute(insert(schema.payment), payment_row(session) | {"rules": rules})
        log.info("renewal_opened", subscription_id=subscription.id, payment_id=session.payment_id)
        return session.payment_id

    def _session(self, tx: Tx, subscription: SubscriptionRecord, first: SessionRecord, amount: Money) -> SessionRecord:
        plan, now = load_plan(tx, subscription.plan_id), self._now()
        return replace(
            first,
            id=self._core.ids.new("cs"),
            payment_id=self._core.ids.new("pay"),
            token=secret_token(),
            status=SessionStatus.COMPLETE,
            open_key=None,
            amount=amount,
            line_items=[{"name": plan.name, "quantity": 1, "amount": amount.major}],
            attempt_id=None,
            sequence=0,
            created_at=now,
            expires_at=now + COLLECTING,
            extended_at=None,
            completed_at=now,
            subscription_id=subscription.id,
            page_over_at=now,
        )

    def _attempts(
        self, tx: Tx, subscription: SubscriptionRecord, payment: PaymentRecord, invoice: ProviderInvoice
    ) -> list[str]:
        """Return the attempts of a bill's charges, each known once by the provider's id; a page has its own."""
        if invoice.is_first:
            return [subscription.attempt_id]
        return [self._attempt(tx, subscription, payment, charge) for charge in invoice.charges]

    def _attempt(self, tx: Tx, subscription: SubscriptionRecord, payment: PaymentRecord, charge: str) -> str:
        table = schema.attempt
        is_it = (table.c.network == subscription.network) & (table.c.provider_reference == charge)
        known = tx.scalar(select(table.c.id).where(is_it))
        if known is not None:
            return str(known)
        first, attempt_id = load_attempt(tx, subscription.attempt_id), self._core.ids.new("att")
        attempt = AttemptRecord(
            id=attempt_id,
            merchant_id=payment.merchant_id,
            livemode=payment.livemode,
            payment_id=payment.id,
            processor=first.processor,
            method=first.method,
            network=first.network,
            due=payment.amount,
            gift=payment.gift,
            quote_id=None,
            reference_key=attempt_id,
            wallet="",
            account="",
            created_at=self._now(),
            expires_at=payment.expires_at,
            stage=AttemptStage.COMPLETE,
        )
        tx.execute(insert(table), attempt_row(attempt) | {"provider_reference": charge})
        sessions = schema.checkout_session
        tx.execute(update(sessions).where(sessions.c.id == payment.session_id).values(attempt_id=attempt_id))
        return attempt_id

    def _call_off(self, tx: Tx, payment: PaymentRecord) -> None:
        table = schema.payment
        tx.execute(update(table).where(table.c.id == payment.id).values(canceled_at=self._now()))
        refresh(self._core, tx, payment.id)

    def _now(self) -> datetime:
        return self._core.clock.now()
