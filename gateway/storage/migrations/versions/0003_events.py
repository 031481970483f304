"""Events: the outbox, its endpoints and deliveries."""

import sqlalchemy as sa
from alembic import op

from gateway.storage.mariadb import MARIADB
from gateway.storage.triggers import trigger_statements
from gateway.storage.types import Instant, LongText

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TABLES = ("delivery", "event", "event_feed", "outbox", "webhook_endpoint", "webhook_secret", "webhook_subscription")


def upgrade() -> None:
    """Create the tables and close the books to changes."""
    _create_delivery()
    _create_event()
    _create_event_feed()
    _create_outbox()
    _create_webhook_endpoint()
    _create_webhook_secret()
    _create_webhook_subscription()
    bind = op.get_bind()
    for statement in trigger_statements(bind.dialect.name, ("event",)):
        bind.exec_driver_sql(statement)


def downgrade() -> None:
    """Drop them."""
    for name in TABLES:
        op.drop_table(name)


def _create_delivery() -> None:
    op.create_table(
        "delivery",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("event_id", sa.String(length=40), nullable=False),
        sa.Column("endpoint_id", sa.String(length=40), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=12), nullable=False),
        sa.Column("status_code", sa.Integer(), nullable=True),
        sa.Column("error", sa.String(length=200), nullable=True),
        sa.Column("latency_ms", sa.Integer(), nullable=False),
        sa.Column("response_excerpt", sa.Text(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("next_attempt_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
        **MARIADB,
    )
    op.create_index(op.f("ix_delivery_endpoint_id_id"), "delivery", ["endpoint_id", "id"], unique=False)
    op.create_index(op.f("ix_delivery_event_id"), "delivery", ["event_id"], unique=False)


def _create_event() -> None:
    op.create_table(
        "event",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("merchant_id", sa.String(length=40), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("type", sa.String(length=60), nullable=False),
        sa.Column("object_id", sa.String(length=40), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("body", LongText(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
        sa.UniqueConstraint("object_id", "sequence", name=op.f("uq_event_object_id_sequence")),
        **MARIADB,
    )
    op.create_index(op.f("ix_event_merchant_id_livemode_id"), "event", ["merchant_id", "livemode", "id"], unique=False)


def _create_event_feed() -> None:
    op.create_table(
        "event_feed",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("event_id", sa.String(length=40), nullable=False),
        sa.Column("merchant_id", sa.String(length=40), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("type", sa.String(length=60), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_event_feed")),
        sa.UniqueConstraint("event_id", name=op.f("uq_event_feed_event_id")),
        **MARIADB,
    )
    op.create_index(
        op.f("ix_event_feed_merchant_id_livemode_position"),
        "event_feed",
        ["merchant_id", "livemode", "position"],
        unique=False,
    )


def _create_outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("event_id", sa.String(length=40), nullable=False),
        sa.Column("endpoint_id", sa.String(length=40), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("due_at", Instant(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease", sa.String(length=43), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", "endpoint_id", name=op.f("pk_outbox")),
        **MARIADB,
    )
    op.create_index(
        op.f("ix_outbox_endpoint_id_status_due_at"), "outbox", ["endpoint_id", "status", "due_at"], unique=False
    )
    op.create_index(op.f("ix_outbox_status_due_at"), "outbox", ["status", "due_at"], unique=False)


def _create_webhook_endpoint() -> None:
    op.create_table(
        "webhook_endpoint",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("merchant_id", sa.String(length=40), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("description", sa.String(length=200), nullable=True),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("disabled_reason", sa.String(length=200), nullable=True),
        sa.Column("failing_since", Instant(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("deleted_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_endpoint")),
        **MARIADB,
    )
    op.create_index(
        op.f("ix_webhook_endpoint_merchant_id_livemode_id"),
        "webhook_endpoint",
        ["merchant_id", "livemode", "id"],
        unique=False,
    )


def _create_webhook_secret() -> None:
    op.create_table(
        "webhook_secret",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("endpoint_id", sa.String(length=40), nullable=False),
        sa.Column("sealed_secret", sa.Text(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_secret")),
        **MARIADB,
    )
    op.create_index(op.f("ix_webhook_secret_endpoint_id"), "webhook_secret", ["endpoint_id"], unique=False)


def _create_webhook_subscription() -> None:
    op.create_table(
        "webhook_subscription",
        sa.Column("endpoint_id", sa.String(length=40), nullable=False),
        sa.Column("type", sa.String(length=60), nullable=False),
        sa.Column("merchant_id", sa.String(length=40), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("endpoint_id", "type", name=op.f("pk_webhook_subscription")),
        **MARIADB,
    )
    op.create_index(
        op.f("ix_webhook_subscription_merchant_id_livemode_type"),
        "webhook_subscription",
        ["merchant_id", "livemode", "type"],
        unique=False,
    )
