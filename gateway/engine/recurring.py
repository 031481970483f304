"""Customers, plans, subscriptions and periods: their rows as immutable records, and as the API shows them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from sqlalchemy import select

from gateway.domain.subscriptions import Interval, PeriodFact, PeriodStatus, SubscriptionState, SubscriptionStatus
from gateway.engine.records import Owner, Row, not_found
from gateway.engine.wire import money_fields
from gateway.kernel.clock import rfc3339
from gateway.kernel.money import Money
from gateway.storage import schema
from gateway.storage.database import Tx

SHOWN_PERIODS = 12  # a subscription shows its newest bills; the list of periods has all


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerRecord:
    """A row of `customer`."""

    id: str
    merchant_id: str
    livemode: bool
    email: str | None
    name: str | None
    metadata: dict[str, str]
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRecord:
    """A row of `plan`."""

    id: str
    merchant_id: str
    livemode: bool
    name: str
    amount: Money
    interval: Interval
    interval_count: int
    trial_days: int
    grace_days: int
    metadata: dict[str, str]
    created_at: datetime
    archived_at: datetime | None

    @classmethod
    def of(cls, row: Row) -> Self:
        """Read a row."""
        values = dict(row)
        values["amount"] = Money(values["amount"], values.pop("currency"))
        values["interval"] = Interval(values["interval"])
        return cls(**values)

    @property
    def grace(self) -> timedelta:
        """How long to serve beyond a period whose renewal failed."""
        return timedelta(days=self.grace_days)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionRecord:
    """A row of `subscription`."""

    id: str
    merchant_id: str
    livemode: bool
    customer_id: str
    plan_id: str
    session_id: str
    payment_id: str
    attempt_id: str
    network: str
    reference: str
    customer_reference: str
    status: SubscriptionStatus
    period_start: datetime | None
    period_end: datetime | None
    paid_until: datetime | None
    access_until: datetime | None
    trial_ends_at: datetime | None
    cancels_at: datetime | None
    canceled_at: datetime | None
    ended_at: datetime | None
    noticed_at: datetime | None
    metadata: dict[str, str]
    reads: int
    hints: int
    due_at: datetime | None
    sequence: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, row: Row) -> Self:
        """Read a row."""
        return cls(**{**row, "status": SubscriptionStatus(row["status"])})

    @property
    def owner(self) -> Owner:
        """Whose it is."""
        return Owner(merchant_id=self.merchant_id, livemode=self.livemode)

    @property
    def state(self) -> SubscriptionState:
        """What was derived last."""
        return SubscriptionState(
            status=self.status,
            paid_until=self.paid_until,
            access_until=self.access_until,
            cancels_at=self.cancels_at,
        )

    def row(self) -> dict[str, Any]:
        """Return it as its row."""
        values = {name: getattr(self, name) for name in type(self).__dataclass_fields__}
        return values | {"status": self.status.value}


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodRecord:
    """A row of `subscription_period`."""

    id: str
    merchant_id: str
    livemode: bool
    subscription_id: str
    starts_at: datetime
    ends_at: datetime
    status: PeriodStatus
    amount: Money
    network: str
    reference: str
    payment_id: str | None
    next_attempt_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, row: Row) -> Self:
        """Read a row."""
        values = dict(row)
        values["amount"] = Money(values["amount"], values.pop("currency"))
        values["status"] = PeriodStatus(values["status"])
        return cls(**values)

    def row(self) -> dict[str, Any]:
        """Return it as its row."""
        values = {name: getattr(self, name) for name in type(self).__dataclass_fields__}
        amount = {"amount": self.amount.atomic, "currency": self.amount.currency}
        return values | amount | {"status": self.status.value}

    @property
    def fact(self) -> PeriodFact:
        """What it says about the subscription."""
        return PeriodFact(starts_at=self.starts_at, ends_at=self.ends_at, status=self.status)


def customer_object(customer: CustomerRecord) -> dict[str, Any]:
    """Return a `customer`."""
    return {
        "id": customer.id,
        "object": "customer",
        "livemode": customer.livemode,
        "email": customer.email,
        "name": customer.name,
        "metadata": customer.metadata,
        "created_at": rfc3339(customer.created_at),
        "updated_at": rfc3339(customer.updated_at),
    }


def plan_object(plan: PlanRecord) -> dict[str, Any]:
    """Return a `plan`."""
    return {
        "id": plan.id,
        "object": "plan",
        "livemode": plan.livemode,
        "name": plan.name,
        **money_fields(plan.amount),
        "interval": plan.interval.value,
        "interval_count": plan.interval_count,
        "trial_days": plan.trial_days,
        "grace_days": plan.grace_days,
        "is_active": plan.archived_at is None,
        "metadata": plan.metadata,
        "created_at": rfc3339(plan.created_at),
    }


def subscription_object(
    subscription: SubscriptionRecord, plan: PlanRecord, periods: Sequence[PeriodRecord]
) -> dict[str, Any]:
    """Return a `subscription` with its newest periods, newest first."""
    instants = (
        "period_start", "period_end", "paid_until", "access_until", "trial_ends_at", "cancels_at", "canceled_at",
        "ended_at",
    )  # fmt: skip
    return {
        "id": subscription.id,
        "object": "subscription",
        "livemode": subscription.livemode,
        "status": subscription.status.value,
        "customer": subscription.customer_id,
        "plan": subscription.plan_id,
        "session": subscription.session_id,
        **money_fields(plan.amount),
        **{name: _instant(getattr(subscription, name)) for name in instants},
        "provider_reference": subscription.reference,
        "periods": [_period_object(period) for period in periods],
        "metadata": subscription.metadata,
        "created_at": rfc3339(subscription.created_at),
        "updated_at": rfc3339(subscription.updated_at),
    }


def _period_object(period: PeriodRecord) -> dict[str, Any]:
    return {
        "starts_at": rfc3339(period.starts_at),
        "ends_at": rfc3339(period.ends_at),
        "status": period.status.value,
        **money_fields(period.amount),
        "payment": period.payment_id,
        "next_attempt_at": _instant(period.next_attempt_at),
        "provider_reference": period.reference,
    }


def _instant(value: datetime | None) -> str | None:
    return None if value is None else rfc3339(value)


def load_subscription(tx: Tx, subscription_id: str, *, lock: bool = False) -> SubscriptionRecord:
    """Return a subscription that our own rows name; `lock` holds its row until the tx ends."""
    query = select(schema.subscription).where(schema.subscription.c.id == subscription_id)
    return SubscriptionRecord.of(tx.execute(query.with_for_update() if lock else query).mappings().one())


def load_plan(tx: Tx, plan_id: str) -> PlanRecord:
    """Return a plan that our own rows name."""
    return PlanRecord.of(tx.execute(select(schema.plan).where(schema.plan.c.id == plan_id)).mappings().one())


def load_periods(tx: Tx, subscription_id: str, *, limit: int | None = None) -> list[PeriodRecord]:
    """Return the periods of a subscription, newest first."""
    table = schema.subscription_period
    query = select(table).where(table.c.subscription_id == subscription_id).order_by(table.c.starts_at.desc())
    return [PeriodRecord.of(row) for row in tx.execute(query.limit(limit)).mappings()]


def shown_subscription(tx: Tx, subscription: SubscriptionRecord) -> dict[str, Any]:
    """Return a subscription as the API shows it now."""
    periods = load_periods(tx, subscription.id, limit=SHOWN_PERIODS)
    return subscription_object(subscription, load_plan(tx, subscription.plan_id), periods)


def own_customer(tx: Tx, owner: Owner, customer_id: str) -> CustomerRecord:
    """Return a customer of this owner who was not deleted.

    Raises:
        NotFoundError: there is none, or it is somebody else's.
    """
    table = schema.customer
    is_own = (table.c.merchant_id == owner.merchant_id) & (table.c.livemode == owner.livemode)
    query = select(table).where(table.c.id == customer_id, is_own, table.c.deleted_at.is_(None))
    row = tx.execute(query).mappings().one_or_none()
    if row is None:
        raise not_found("customer")
    return CustomerRecord(**row)


def own_plan(tx: Tx, owner: Owner, plan_id: str) -> PlanRecord:
    """Return a plan of this owner.

    Raises:
        NotFoundError: there is none, or it is somebody else's.
    """
    table = schema.plan
    is_own = (table.c.merchant_id == owner.merchant_id) & (table.c.livemode == owner.livemode)
    row = tx.execute(select(table).where(table.c.id == plan_id, is_own)).mappings().one_or_none()
    if row is None:
        raise not_found("plan")
    return PlanRecord.of(row)


def own_subscription(tx: Tx, owner: Owner, subscription_id: str) -> SubscriptionRecord:
    """Return a subscription of this owner.

    Raises:
        NotFoundError: there is none, or it is somebody else's.
    """
    table = schema.subscription
    is_own = (table.c.merchant_id == owner.merchant_id) & (table.c.livemode == owner.livemode)
    row = tx.execute(select(table).where(table.c.id == subscription_id, is_own)).mappings().one_or_none()
    if row is None:
        raise not_found("subscription")
    return SubscriptionRecord.of(row)
