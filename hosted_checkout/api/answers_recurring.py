"""What the API answers about customers, plans and subscriptions; see `answers`."""

from typing import Literal

from pydantic import Field

from gateway.domain.subscriptions import Interval, PeriodStatus, SubscriptionStatus
from hosted_checkout.api.shown import (
    Currency,
    CustomerId,
    Instant,
    MajorUnits,
    PaymentId,
    PlanId,
    SessionId,
    Shown,
    SubscriptionId,
)


class Customer(Shown):
    """Who pays again and again."""

    id: CustomerId
    object: Literal["customer"]
    livemode: bool
    email: str | None
    name: str | None
    metadata: dict[str, str]
    created_at: Instant
    updated_at: Instant


class DeletedCustomer(Shown):
    """What is left of a deleted customer; payments and books stay, nameless."""

    id: CustomerId
    object: Literal["customer"]
    deleted: Literal[True]


class PortalLink(Shown):
    """A short-lived link to the provider's page; send the customer there at once, and never store it."""

    object: Literal["portal_session"]
    url: str


class Plan(Shown):
    """What a subscription costs and how it repeats: every `interval_count` of `interval`. It never changes."""

    id: PlanId
    object: Literal["plan"]
    livemode: bool
    name: str
    amount: MajorUnits
    currency: Currency
    interval: Interval
    interval_count: int
    trial_days: int
    grace_days: int = Field(description="How long `access_until` reaches beyond what is paid, while a renewal is due.")
    is_active: bool = Field(description="Whether one may subscribe to it.")
    metadata: dict[str, str]
    created_at: Instant


class Period(Shown):
    """One period of a subscription and where its bill stands; `failed` will be tried again."""

    starts_at: Instant
    ends_at: Instant
    status: PeriodStatus
    amount: MajorUnits
    currency: Currency
    payment: PaymentId | None = Field(description="Null while nothing was charged: a trial, or a bill in the making.")
    next_attempt_at: Instant | None
    provider_reference: str


class Subscription(Shown):
    """A customer's subscription. A paid bill is the truth for its period: serve until `access_until`."""

    id: SubscriptionId
    object: Literal["subscription"]
    livemode: bool
    status: SubscriptionStatus
    customer: CustomerId
    plan: PlanId
    session: SessionId = Field(description="With which it began.")
    amount: MajorUnits
    currency: Currency
    period_start: Instant | None
    period_end: Instant | None
    paid_until: Instant | None = Field(description="The end of the last period that is paid, or free.")
    access_until: Instant | None = Field(description="Until when to serve: `paid_until`, and the plan's grace.")
    trial_ends_at: Instant | None
    cancels_at: Instant | None = Field(description="When it will end by itself; null while it goes on.")
    canceled_at: Instant | None
    ended_at: Instant | None
    provider_reference: str
    periods: list[Period] = Field(description="The newest twelve, newest first.")
    metadata: dict[str, str]
    created_at: Instant
    updated_at: Instant
