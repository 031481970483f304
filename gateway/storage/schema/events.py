"""Events, their outbox, and the endpoints they are delivered to."""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Text, UniqueConstraint

from gateway.storage.schema.base import table, tenant
from gateway.storage.types import Id, Instant, LongText

event = table(
    "event",
    "outbox",
    Column("id", Id(), primary_key=True),
    *tenant(),
    Column("type", String(60), nullable=False),
    Column("object_id", Id(), nullable=False),
    Column("sequence", Integer, nullable=False),
    # The exact bytes that are signed and sent, on every try and every resend.
    Column("body", LongText, nullable=False),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("object_id", "sequence"),
    Index(None, "merchant_id", "livemode", "id"),
)

event_feed = table(
    "event_feed",
    "outbox",
    # The order of publication: ids are made before the commit, so their order is not the order in which rows appear.
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("event_id", Id(), nullable=False, unique=True),
    *tenant(),
    Column("type", String(60), nullable=False),
    Index(None, "merchant_id", "livemode", "position"),
)

webhook_endpoint = table(
    "webhook_endpoint",
    "outbox",
    Column("id", Id(), primary_key=True),
    *tenant(),
    Column("url", Text, nullable=False),
    Column("description", String(200)),
    Column("status", String(12), nullable=False),
    Column("disabled_reason", String(200)),
    Column("failing_since", Instant),
    Column("created_at", Instant, nullable=False),
    Column("deleted_at", Instant),
    Index(None, "merchant_id", "livemode", "id"),
)

webhook_subscription = table(
    "webhook_subscription",
    "outbox",
    Column("endpoint_id", Id(), primary_key=True),
    # An event type, or `*`.
    Column("type", String(60), primary_key=True),
    *tenant(),
    Index(None, "merchant_id", "livemode", "type"),
)

webhook_secret = table(
    "webhook_secret",
    "outbox",
    Column("id", Id(), primary_key=True),
    Column("endpoint_id", Id(), nullable=False, index=True),
    Column("sealed_secret", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
)

outbox = table(
    "outbox",
    "outbox",
    Column("event_id", Id(), primary_key=True),
    Column("endpoint_id", Id(), primary_key=True),
    Column("status", String(12), nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("lease", String(43)),
    Column("created_at", Instant, nullable=False),
    Index(None, "status", "due_at"),
    Index(None, "endpoint_id", "status", "due_at"),
)

delivery = table(
    "delivery",
    "outbox",
    Column("id", Id(), primary_key=True),
    Column("event_id", Id(), nullable=False, index=True),
    Column("endpoint_id", Id(), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("outcome", String(12), nullable=False),
    Column("status_code", Integer),
    Column("error", String(200)),
    Column("latency_ms", Integer, nullable=False),
    Column("response_excerpt", Text),
    Column("created_at", Instant, nullable=False),
    Column("next_attempt_at", Instant),
    Index(None, "endpoint_id", "id"),
)
