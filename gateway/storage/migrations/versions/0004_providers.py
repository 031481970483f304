"""Providers: notifications, charges, refunds, disputes, balance lines and payouts, and what refers to them."""

import sqlalchemy as sa
from alembic import op

from gateway.storage.mariadb import MARIADB
from gateway.storage.types import Atomic, Instant, Json, LongText

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TABLES = ("balance_line", "charge", "dispute", "notification", "payout", "refund")


def upgrade() -> None:
    """Create the tables; rows that exist are of payments that were paid once, at once, from a wallet."""
    _extend_attempt()
    _extend_chain_transfer()
    _extend_checkout_session()
    _extend_operation()
    _extend_payment()
    _create_balance_line()
    _create_charge()
    _create_dispute()
    _create_notification()
    _create_payout()
    _create_refund()


def downgrade() -> None:
    """Drop them."""
    for name in TABLES:
        op.drop_table(name)
    op.drop_index("ix_attempt_network_provider_reference", "attempt")
    op.drop_index("ix_attempt_stage_read_at", "attempt")
    op.drop_column("attempt", "stage")
    op.drop_column("attempt", "provider_reference")
    op.drop_column("attempt", "redirect_url")
    op.drop_column("attempt", "reads")
    op.drop_column("attempt", "read_at")
    op.drop_index("ix_chain_transfer_refund_id", "chain_transfer")
    op.drop_column("chain_transfer", "refund_id")
    op.drop_column("checkout_session", "mode")
    op.drop_column("checkout_session", "capture_method")
    op.drop_column("checkout_session", "customer_country")
    op.drop_column("operation", "refund_id")
    op.drop_column("payment", "amount_capturable")
    op.drop_column("payment", "amount_refunded")
    op.drop_column("payment", "refunds")
    op.drop_column("payment", "dispute")


def _extend_attempt() -> None:
    op.add_column("attempt", sa.Column("stage", sa.String(length=12), nullable=True))
    op.add_column("attempt", sa.Column("provider_reference", sa.String(length=120), nullable=True))
    op.add_column("attempt", sa.Column("redirect_url", sa.Text(), nullable=True))
    op.add_column("attempt", sa.Column("reads", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("attempt", sa.Column("read_at", Instant(), nullable=True))
    op.create_index(
        op.f("ix_attempt_network_provider_reference"), "attempt", ["network", "provider_reference"], unique=True
    )
    op.create_index(op.f("ix_attempt_stage_read_at"), "attempt", ["stage", "read_at"], unique=False)


def _extend_chain_transfer() -> None:
    op.add_column("chain_transfer", sa.Column("refund_id", sa.String(length=40), nullable=True))
    op.create_index(op.f("ix_chain_transfer_refund_id"), "chain_transfer", ["refund_id"], unique=False)


def _extend_checkout_session() -> None:
    op.add_column("checkout_session", sa.Column("mode", sa.String(length=12), nullable=False, server_default="payment"))
    op.add_column(
        "checkout_session",
        sa.Column("capture_method", sa.String(length=12), nullable=False, server_default="automatic"),
    )
    op.add_column("checkout_session", sa.Column("customer_country", sa.String(length=2), nullable=True))


def _extend_operation() -> None:
    op.add_column("operation", sa.Column("refund_id", sa.String(length=40), nullable=True))


def _extend_payment() -> None:
    op.add_column("payment", sa.Column("amount_capturable", Atomic(), nullable=False, server_default="0"))
    op.add_column("payment", sa.Column("amount_refunded", Atomic(), nullable=False, server_default="0"))
    op.add_column("payment", sa.Column("refunds", sa.String(length=12), nullable=False, server_default="none"))
    op.add_column("payment", sa.Column("dispute", sa.String(length=12), nullable=False, server_default="none"))
    # ### end Alembic commands ###


def _create_balance_line() -> None:
    op.create_table(
        "balance_line",
        sa.Column("network", sa.String(length=40), nullable=False),
        sa.Column("reference", sa.String(length=120), nullable=False),
        sa.Column("type", sa.String(length=60), nullable=False),
        sa.Column("charge_id", sa.String(length=40), nullable=True),
        sa.Column("payment_id", sa.String(length=40), nullable=True),
        sa.Column("currency", sa.String(length=12), nullable=False),
        sa.Column("amount", Atomic(), nullable=False),
        sa.Column("fee", Atomic(), nullable=False),
        sa.Column("net", Atomic(), nullable=False),
        sa.Column("payout", sa.String(length=120), nullable=True),
        sa.Column("available_on", Instant(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("network", "reference", name=op.f("pk_balance_line")),
        **MARIADB,
    )
    op.create_index(op.f("ix_balance_line_charge_id"), "balance_line", ["charge_id"], unique=False)
    op.create_index(op.f("ix_balance_line_payment_id"), "balance_line", ["payment_id"], unique=False)
    op.create_index(op.f("ix_balance_line_payout"), "balance_line", ["payout"], unique=False)


def _create_charge() -> None:
    op.create_table(
        "charge",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("merchant_id", sa.String(length=40), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("payment_id", sa.String(length=40), nullable=False),
        sa.Column("attempt_id", sa.String(length=40), nullable=False),
        sa.Column("network", sa.String(length=40), nullable=False),
        sa.Column("reference", sa.String(length=120), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("currency", sa.String(length=12), nullable=False),
        sa.Column("amount", Atomic(), nullable=False),
        sa.Column("captured", Atomic(), nullable=False),
        sa.Column("capturable", Atomic(), nullable=False),
        sa.Column("authorized_at", Instant(), nullable=True),
        sa.Column("capture_before", Instant(), nullable=True),
        sa.Column("failure_code", sa.String(length=60), nullable=True),
        sa.Column("instrument", Json(), nullable=True),
        sa.Column("risk_level", sa.String(length=20), nullable=True),
        sa.Column("has_fraud_warning", sa.Boolean(), nullable=False),
        sa.Column("is_refundable", sa.Boolean(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_charge")),
        sa.UniqueConstraint("attempt_id", name=op.f("uq_charge_attempt_id")),
        sa.UniqueConstraint("network", "reference", name=op.f("uq_charge_network_reference")),
        **MARIADB,
    )
    op.create_index(op.f("ix_charge_payment_id"), "charge", ["payment_id"], unique=False)


def _create_dispute() -> None:
    op.create_table(
        "dispute",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("merchant_id", sa.String(length=40), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("payment_id", sa.String(length=40), nullable=False),
        sa.Column("charge_id", sa.String(length=40), nullable=False),
        sa.Column("network", sa.String(length=40), nullable=False),
        sa.Column("reference", sa.String(length=120), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("currency", sa.String(length=12), nullable=False),
        sa.Column("amount", Atomic(), nullable=False),
        sa.Column("withdrawn", Atomic(), nullable=False),
        sa.Column("reinstated", Atomic(), nullable=False),
        sa.Column("reason", sa.String(length=60), nullable=False),
        sa.Column("evidence_due_by", Instant(), nullable=True),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dispute")),
        sa.UniqueConstraint("network", "reference", name=op.f("uq_dispute_network_reference")),
        **MARIADB,
    )
    op.create_index(
        op.f("ix_dispute_merchant_id_livemode_id"), "dispute", ["merchant_id", "livemode", "id"], unique=False
    )
    op.create_index(op.f("ix_dispute_payment_id"), "dispute", ["payment_id"], unique=False)


def _create_notification() -> None:
    op.create_table(
        "notification",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("network", sa.String(length=40), nullable=False),
        sa.Column("event_id", sa.String(length=255), nullable=False),
        sa.Column("type", sa.String(length=255), nullable=False),
        sa.Column("references", Json(), nullable=False),
        sa.Column("attempt_id", sa.String(length=40), nullable=True),
        sa.Column("is_fraud_warning", sa.Boolean(), nullable=False),
        sa.Column("body", LongText(), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("due_at", Instant(), nullable=False),
        sa.Column("received_at", Instant(), nullable=False),
        sa.Column("handled_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notification")),
        sa.UniqueConstraint("network", "event_id", name=op.f("uq_notification_network_event_id")),
        **MARIADB,
    )
    op.create_index(op.f("ix_notification_received_at"), "notification", ["received_at"], unique=False)
    op.create_index(op.f("ix_notification_status_due_at"), "notification", ["status", "due_at"], unique=False)


def _create_payout() -> None:
    op.create_table(
        "payout",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("merchant_id", sa.String(length=40), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("network", sa.String(length=40), nullable=False),
        sa.Column("reference", sa.String(length=120), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("currency", sa.String(length=12), nullable=False),
        sa.Column("amount", Atomic(), nullable=False),
        sa.Column("is_automatic", sa.Boolean(), nullable=False),
        sa.Column("arrives_on", Instant(), nullable=False),
        sa.Column("settled_at", Instant(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payout")),
        sa.UniqueConstraint("network", "reference", name=op.f("uq_payout_network_reference")),
        **MARIADB,
    )
    op.create_index(
        op.f("ix_payout_merchant_id_livemode_id"), "payout", ["merchant_id", "livemode", "id"], unique=False
    )


def _create_refund() -> None:
    op.create_table(
        "refund",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("merchant_id", sa.String(length=40), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("payment_id", sa.String(length=40), nullable=False),
        sa.Column("source_id", sa.String(length=40), nullable=False),
        sa.Column("operation_id", sa.String(length=40), nullable=True),
        sa.Column("network", sa.String(length=40), nullable=False),
        sa.Column("reference", sa.String(length=120), nullable=True),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("currency", sa.String(length=12), nullable=False),
        sa.Column("amount", Atomic(), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("failure_code", sa.String(length=60), nullable=True),
        sa.Column("destination", sa.String(length=90), nullable=True),
        sa.Column("reference_key", sa.String(length=90), nullable=True),
        sa.Column("metadata", Json(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refund")),
        sa.UniqueConstraint("network", "reference", name=op.f("uq_refund_network_reference")),
        sa.UniqueConstraint("network", "reference_key", name=op.f("uq_refund_network_reference_key")),
        sa.UniqueConstraint("operation_id", name=op.f("uq_refund_operation_id")),
        **MARIADB,
    )
    op.create_index(
        op.f("ix_refund_merchant_id_livemode_id"), "refund", ["merchant_id", "livemode", "id"], unique=False
    )
    op.create_index(op.f("ix_refund_payment_id"), "refund", ["payment_id"], unique=False)
