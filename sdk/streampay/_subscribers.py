"""What the gateway answers of who pays again and again: customers, plans, subscriptions. `models` names them all."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from streampay._decoding import READERS, Model, many, one


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer(Model):
    """Who pays again and again."""

    OBJECT: ClassVar[str | None] = "customer"

    id: str
    livemode: bool = False
    email: str | None = None
    name: str | None = None
    metadata: dict[str, str] = field(default_factory=dict, hash=False)
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalSession(Model):
    """A short-lived link to the provider's page; send the customer there at once, and never store it."""

    OBJECT: ClassVar[str | None] = "portal_session"

    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(Model):
    """What is due every `interval_count` of `interval`: day, week, month or year. A plan never changes."""

    OBJECT: ClassVar[str | None] = "plan"

    id: str
    livemode: bool
    name: str
    amount: str
    currency: str
    interval: str
    interval_count: int
    trial_days: int
    grace_days: int
    is_active: bool
    metadata: dict[str, str] = field(default_factory=dict, hash=False)
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Period(Model):
    """One period of a subscription; `status` is open, failed, paid, uncollectible or void."""

    starts_at: datetime
    ends_at: datetime
    status: str
    amount: str
    currency: str
    payment: str | None = None
    next_attempt_at: datetime | None = None
    provider_reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription(Model):
    """A customer's subscription: serve until `access_until`.

    `status` is incomplete, trialing, active, past_due, paused or canceled; `periods` are the newest, newest first.
    """

    OBJECT: ClassVar[str | None] = "subscription"

    id: str
    livemode: bool
    status: str
    customer: str
    plan: str
    session: str
    amount: str
    currency: str
    period_start: datetime | None = None
    period_end: datetime | None = None
    paid_until: datetime | None = None
    access_until: datetime | None = None
    trial_ends_at: datetime | None = None
    cancels_at: datetime | None = None
    canceled_at: datetime | None = None
    ended_at: datetime | None = None
    provider_reference: str | None = None
    periods: tuple[Period, ...] = ()
    metadata: dict[str, str] = field(default_factory=dict, hash=False)
    created_at: datetime
    updated_at: datetime


READERS.update(
    {
        "tuple[Period, ...]": many(one(Period)),
    }
)
