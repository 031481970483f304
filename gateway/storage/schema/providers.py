"""What providers report: notifications as they came, charges, refunds, disputes, and the lines of their accounts."""

from sqlalchemy import Boolean, Column, Index, Integer, String, UniqueConstraint

from gateway.storage.schema.base import table, tenant
from gateway.storage.types import Atomic, Id, Instant, Json, LongText

# Webhooks of providers, byte for byte. Each is a hint, stored before it is answered, and worked on afterwards.
notification = table(
    "notification",
    "engine",
    Column("id", Id(), primary_key=True),
    Column("network", String(40), nullable=False),
    Column("event_id", String(255), nullable=False),
    Column("type", String(255), nullable=False),
    Column("references", Json, nullable=False),
    Column("attempt_id", Id()),
    Column("is_fraud_warning", Boolean(create_constraint=False), nullable=False),
    # A bank refused a charge, of which card: the provider's word for it.
    Column("is_decline", Boolean(create_constraint=False), nullable=False),
    Column("card", String(255)),
    Column("body", LongText, nullable=False),
    # pending, done, or ignored: it is about nothing of ours.
    Column("status", String(12), nullable=False),
    Column("tries", Integer, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("handled_at", Instant),
    UniqueConstraint("network", "event_id"),
    Index(None, "status", "due_at"),
    Index(None, "received_at"),
)

charge = table(
    "charge",
    "engine",
    Column("id", Id(), primary_key=True),
    *tenant(),
    Column("payment_id", Id(), nullable=False, index=True),
    Column("attempt_id", Id(), nullable=False, unique=True),
    Column("network", String(40), nullable=False),
    Column("reference", String(120), nullable=False),
    Column("status", String(20), nullable=False),
    Column("currency", String(12), nullable=False),
    Column("amount", Atomic, nullable=False),
    Column("captured", Atomic, nullable=False),
    Column("capturable", Atomic, nullable=False),
    Column("authorized_at", Instant),
    Column("capture_before", Instant),
    Column("failure_code", String(60)),
    Column("instrument", Json),
    Column("risk_level", String(20)),
    Column("has_fraud_warning", Boolean(create_constraint=False), nullable=False),
    Column("is_refundable", Boolean(create_constraint=False), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    UniqueConstraint("network", "reference"),
)

refund = table(
    "refund",
    "engine",
    Column("id", Id(), primary_key=True),
    *tenant(),
    Column("payment_id", Id(), nullable=False, index=True),
    # The charge or chain transfer whose money goes back.
    Column("source_id", Id(), nullable=False),
    # Our command; NULL for a refund that was made at the provider.
    Column("operation_id", Id(), unique=True),
    Column("network", String(40), nullable=False),
    # The provider's id of it, or the signature of the chain transfer; NULL before it is known.
    Column("reference", String(120)),
    Column("status", String(20), nullable=False),
    Column("currency", String(12), nullable=False),
    Column("amount", Atomic, nullable=False),
    # How much of it is taken from the gift.
    Column("gift_amount", Atomic, nullable=False),
    Column("reason", String(40)),
    Column("failure_code", String(60)),
    # Where a chain refund goes, and the key in its chain transfer by which it is found.
    Column("destination", String(90)),
    Column("reference_key", String(90)),
    Column("metadata", Json, nullable=False),
    # Counts the events of this refund.
    Column("sequence", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    UniqueConstraint("network", "reference"),
    UniqueConstraint("network", "reference_key"),
    Index(None, "merchant_id", "livemode", "id"),
)

dispute = table(
    "dispute",
    "engine",
    Column("id", Id(), primary_key=True),
    *tenant(),
    Column("payment_id", Id(), nullable=False, index=True),
    Column("charge_id", Id(), nullable=False),
    Column("network", String(40), nullable=False),
    Column("reference", String(120), nullable=False),
    Column("status", String(20), nullable=False),
    Column("currency", String(12), nullable=False),
    Column("amount", Atomic, nullable=False),
    # What the provider took from its balance, and what it gave back.
    Column("withdrawn", Atomic, nullable=False),
    Column("reinstated", Atomic, nullable=False),
    Column("reason", String(60), nullable=False),
    Column("evidence_due_by", Instant),
    # Counts the events of this dispute.
    Column("sequence", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    UniqueConstraint("network", "reference"),
    Index(None, "merchant_id", "livemode", "id"),
)

# What a provider booked on its account for one of our charges; with `payout` set it has left for the merchant's bank.
balance_line = table(
    "balance_line",
    "engine",
    Column("network", String(40), primary_key=True),
    Column("reference", String(120), primary_key=True),
    Column("type", String(60), nullable=False),
    Column("charge_id", Id(), index=True),
    Column("payment_id", Id(), index=True),
    Column("currency", String(12), nullable=False),
    Column("amount", Atomic, nullable=False),
    Column("fee", Atomic, nullable=False),
    Column("net", Atomic, nullable=False),
    Column("payout", String(120), index=True),
    Column("available_on", Instant, nullable=False),
    Column("created_at", Instant, nullable=False),
)

payout = table(
    "payout",
    "engine",
    Column("id", Id(), primary_key=True),
    *tenant(),
    Column("network", String(40), nullable=False),
    Column("reference", String(120), nullable=False),
    Column("status", String(20), nullable=False),
    Column("currency", String(12), nullable=False),
    Column("amount", Atomic, nullable=False),
    Column("is_automatic", Boolean(create_constraint=False), nullable=False),
    Column("arrives_on", Instant, nullable=False),
    # Every line of it has been read; NULL before.
    Column("settled_at", Instant),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("network", "reference"),
    Index(None, "merchant_id", "livemode", "id"),
)
