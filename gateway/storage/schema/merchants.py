"""Merchants, their receiving accounts, keys and staff, what an idempotency key remembers, and the test clock."""

from sqlalchemy import Boolean, Column, Index, Integer, String, UniqueConstraint

from gateway.storage.schema.base import table, tenant
from gateway.storage.types import Id, Instant, Json, LongText

merchant = table(
    "merchant",
    "engine",
    Column("id", Id(), primary_key=True),
    Column("name", String(120), nullable=False),
    Column("settings", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
)

receiving_account = table(
    "receiving_account",
    "engine",
    Column("id", Id(), primary_key=True),
    *tenant(),
    Column("processor", String(20), nullable=False),
    Column("network", String(40), nullable=False),
    Column("asset", String(12), nullable=False),
    Column("wallet", String(90), nullable=False),
    Column("account", String(90), nullable=False),
    Column("is_active", Boolean(create_constraint=False), nullable=False),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("network", "account"),
    Index(None, "merchant_id", "livemode"),
)

api_key = table(
    "api_key",
    "engine",
    Column("id", Id(), primary_key=True),
    *tenant(),
    Column("digest", String(64), nullable=False, unique=True),
    Column("hint", String(24), nullable=False),
    Column("description", String(200)),
    Column("replaced_by", Id()),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("revoked_at", Instant),
    Column("last_used_at", Instant),
    Index(None, "merchant_id"),
)

# A link to the dashboard, and the visit that it becomes; of both only hashes are kept.
staff_visit = table(
    "staff_visit",
    "engine",
    Column("id", Id(), primary_key=True),
    *tenant(),
    Column("link_digest", String(64), nullable=False, unique=True),
    Column("digest", String(64), unique=True),
    Column("created_at", Instant, nullable=False, index=True),
    Column("entered_at", Instant),
    Column("seen_at", Instant),
    Column("left_at", Instant),
)

idempotency = table(
    "idempotency",
    "engine",
    Column("merchant_id", Id(), primary_key=True),
    Column("livemode", Boolean(create_constraint=False), primary_key=True),
    Column("route", String(80), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("request_hash", String(64), nullable=False),
    Column("status_code", Integer, nullable=False),
    Column("response", LongText, nullable=False),
    Column("created_at", Instant, nullable=False, index=True),
)

# How far a gateway for testing has let time pass, and when; `moved_at` is the real time.
test_clock_step = table(
    "test_clock_step",
    "engine",
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("seconds", Integer, nullable=False),
    Column("moved_at", Instant, nullable=False),
)
