"""Chains: what was observed, and the monitor's eyes."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, UniqueConstraint

from gateway.storage.schema.base import table, tenant
from gateway.storage.types import Atomic, Id, Instant, Json, LongText

chain_transfer = table(
    "chain_transfer",
    "engine",
    Column("id", Id(), primary_key=True),
    *tenant(),
    Column("network", String(40), nullable=False),
    Column("signature", String(90), nullable=False),
    Column("account", String(90), nullable=False),
    Column("path", String(20), nullable=False),
    Column("asset", String(12), nullable=False),
    Column("amount", Atomic, nullable=False),
    Column("stage", String(12), nullable=False),
    # The furthest it ever came: a reorg of settled money is never forgotten.
    Column("highest_stage", String(12), nullable=False),
    Column("slot", BigInteger, nullable=False),
    Column("occurred_at", Instant),
    Column("first_seen_at", Instant, nullable=False),
    Column("payer", String(90)),
    Column("references", Json, nullable=False),
    Column("memo", String(600)),
    Column("payment_id", Id(), index=True),
    Column("attempt_id", Id()),
    # The refund that an outflow names in its memo or by its reference key, whether or not it is the one that counts.
    Column("refund_id", Id(), index=True),
    # Why nobody was credited: no_reference, ambiguous, unknown_reference …; NULL once a payment has it.
    Column("unmatched_reason", String(40)),
    Column("is_accepted_by_hand", Boolean(create_constraint=False), nullable=False),
    Column("version", Integer, nullable=False),
    UniqueConstraint("network", "signature", "account", "path"),
    # The audit adds up an account's final transfers once a minute.
    Index(None, "account", "stage"),
    Index(None, "merchant_id", "livemode", "id"),
    Index(None, "merchant_id", "livemode", "unmatched_reason"),
)

chain_evidence = table(
    "chain_evidence",
    "engine",
    Column("network", String(40), primary_key=True),
    Column("signature", String(90), primary_key=True),
    Column("raw", LongText, nullable=False),
    Column("recorded_at", Instant, nullable=False),
)


watch = table(
    "watch",
    "monitor",
    Column("network", String(40), primary_key=True),
    Column("account", String(90), primary_key=True),
    Column("asset", String(12), nullable=False),
    # The newest signature below which everything is final and recorded; NULL before the first.
    Column("cursor", String(90)),
    Column("cursor_slot", BigInteger),
    # The balance below the cursor when the watch began; NULL until the first tick has taken it.
    Column("opening", Atomic),
    # Every transfer that happened before this time has been read.
    Column("scanned_until", Instant),
    Column("created_at", Instant, nullable=False),
)

pending_signature = table(
    "pending_signature",
    "monitor",
    Column("network", String(40), primary_key=True),
    Column("account", String(90), primary_key=True),
    Column("signature", String(90), primary_key=True),
    Column("slot", BigInteger, nullable=False),
    Column("stage", String(12), nullable=False),
    Column("misses", Integer, nullable=False),
    Column("first_seen_at", Instant, nullable=False),
)

# Who looks at a network now; only a courtesy to its nodes: two who look at once see the same, and credit it once.
network_lease = table(
    "network_lease",
    "monitor",
    Column("network", String(40), primary_key=True),
    Column("holder", String(64), nullable=False),
    Column("until", Instant, nullable=False),
)

balance_audit = table(
    "balance_audit",
    "monitor",
    Column("network", String(40), primary_key=True),
    Column("account", String(90), primary_key=True),
    Column("audited_at", Instant, nullable=False),
    Column("slot", BigInteger, nullable=False),
    Column("on_chain", Atomic, nullable=False),
    Column("explained", Atomic, nullable=False),
    Column("gap", Atomic, nullable=False),
    Column("gap_since", Instant),
)
