"""Customers, plans, subscriptions, and the periods that they are billed for."""

from sqlalchemy import Column, Index, Integer, String, UniqueConstraint

from gateway.storage.schema.base import table, tenant
from gateway.storage.types import Atomic, Id, Instant, Json

customer = table(
    "customer",
    "engine",
    Column("id", Id(), primary_key=True),
    *tenant(),
    Column("email", String(254)),
    Column("name", String(200)),
    Column("metadata", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    # What was known of the person is erased then; the row stays, because books refer to it.
    Column("deleted_at", Instant),
    Index(None, "merchant_id", "livemode", "id"),
)

# A provider's own ids of a customer. It may know one person twice: whoever pays on two pages at once.
customer_reference = table(
    "customer_reference",
    "engine",
    Column("network", String(40), primary_key=True),
    Column("reference", String(120), primary_key=True),
    Column("customer_id", Id(), nullable=False, index=True),
    Column("created_at", Instant, nullable=False),
)

# A plan never changes, except that it is archived: who subscribed agreed to these terms.
plan = table(
    "plan",
    "engine",
    Column("id", Id(), primary_key=True),
    *tenant(),
    Column("name", String(120), nullable=False),
    Column("currency", String(12), nullable=False),
    Column("amount", Atomic, nullable=False),
    Column("interval", String(8), nullable=False),
    Column("interval_count", Integer, nullable=False),
    Column("trial_days", Integer, nullable=False),
    Column("grace_days", Integer, nullable=False),
    Column("metadata", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("archived_at", Instant),
    Index(None, "merchant_id", "livemode", "id"),
)

subscription = table(
    "subscription",
    "engine",
    Column("id", Id(), primary_key=True),
    *tenant(),
    Column("customer_id", Id(), nullable=False, index=True),
    Column("plan_id", Id(), nullable=False, index=True),
    # Where it began: the session, its payment, and the visit to the provider's page.
    Column("session_id", Id(), nullable=False),
    Column("payment_id", Id(), nullable=False),
    Column("attempt_id", Id(), nullable=False),
    Column("network", String(40), nullable=False),
    Column("reference", String(120), nullable=False),
    Column("customer_reference", String(120), nullable=False),
    Column("status", String(12), nullable=False),
    Column("period_start", Instant),
    Column("period_end", Instant),
    Column("paid_until", Instant),
    Column("access_until", Instant),
    Column("trial_ends_at", Instant),
    Column("cancels_at", Instant),
    Column("canceled_at", Instant),
    Column("ended_at", Instant),
    # When the merchant was told that the trial ends.
    Column("noticed_at", Instant),
    Column("metadata", Json, nullable=False),
    # Counts the reads that were stored, so that an older one never overwrites a newer one.
    Column("reads", Integer, nullable=False),
    # Counts the hints that something changed, so that none is lost that comes during a read.
    Column("hints", Integer, nullable=False),
    # When it is to be read at its provider; NULL when nothing more can happen.
    Column("due_at", Instant, index=True),
    # Counts the events of this subscription.
    Column("sequence", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    UniqueConstraint("network", "reference"),
    Index(None, "merchant_id", "livemode", "id"),
)

# One row a period, written before anything is made of its bill: whoever bills it a second time meets the first.
subscription_period = table(
    "subscription_period",
    "engine",
    Column("id", Id(), primary_key=True),
    *tenant(),
    Column("subscription_id", Id(), nullable=False),
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("status", String(16), nullable=False),
    Column("currency", String(12), nullable=False),
    Column("amount", Atomic, nullable=False),
    Column("network", String(40), nullable=False),
    # The provider's invoice.
    Column("reference", String(120), nullable=False),
    # NULL while nothing was charged: a trial, a draft, a bill that was paid elsewhere.
    Column("payment_id", Id(), index=True),
    Column("next_attempt_at", Instant),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    UniqueConstraint("subscription_id", "starts_at"),
    UniqueConstraint("network", "reference"),
    Index(None, "merchant_id", "livemode", "id"),
)
