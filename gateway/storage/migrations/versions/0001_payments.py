"""Payments: merchants, sessions, payments and what chains report."""

import sqlalchemy as sa
from alembic import op

from gateway.storage.mariadb import MARIADB
from gateway.storage.types import Atomic, Instant, Json, LongText

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = (
    "api_key",
    "attempt",
    "chain_evidence",
    "chain_transfer",
    "checkout_session",
    "idempotency",
    "merchant",
    "operation",
    "payment",
    "quote",
    "receiving_account",
)


def upgrade() -> None:
    """Create the tables."""
    _create_api_key()
    _create_attempt()
    _create_chain_evidence()
    _create_chain_transfer()
    _create_checkout_session()
    _create_idempotency()
    _create_merchant()
    _create_operation()
    _create_payment()
    _create_quote()
    _create_receiving_account()


def downgrade() -> None:
    """Drop them."""
    for name in TABLES:
        op.drop_table(name)


def _create_api_key() -> None:
    op.create_table(
        "api_key",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("merchant_id", sa.String(length=40), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("hint", sa.String(length=24), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=True),
        sa.Column("revoked_at", Instant(), nullable=True),
        sa.Column("last_used_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_key")),
        sa.UniqueConstraint("digest", name=op.f("uq_api_key_digest")),
        **MARIADB,
    )
    op.create_index(op.f("ix_api_key_merchant_id"), "api_key", ["merchant_id"], unique=False)


def _create_attempt() -> None:
    op.create_table(
        "attempt",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("merchant_id", sa.String(length=40), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("payment_id", sa.String(length=40), nullable=False),
        sa.Column("processor", sa.String(length=20), nullable=False),
        sa.Column("method", sa.String(length=20), nullable=False),
        sa.Column("network", sa.String(length=40), nullable=False),
        sa.Column("pay_currency", sa.String(length=12), nullable=False),
        sa.Column("pay_amount", Atomic(), nullable=False),
        sa.Column("quote_id", sa.String(length=40), nullable=True),
        sa.Column("reference_key", sa.String(length=90), nullable=False),
        sa.Column("wallet", sa.String(length=90), nullable=False),
        sa.Column("account", sa.String(length=90), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempt")),
        sa.UniqueConstraint("network", "reference_key", name=op.f("uq_attempt_network_reference_key")),
        **MARIADB,
    )
    op.create_index(op.f("ix_attempt_account_pay_amount"), "attempt", ["account", "pay_amount"], unique=False)
    op.create_index(op.f("ix_attempt_payment_id"), "attempt", ["payment_id"], unique=False)


def _create_chain_evidence() -> None:
    op.create_table(
        "chain_evidence",
        sa.Column("network", sa.String(length=40), nullable=False),
        sa.Column("signature", sa.String(length=90), nullable=False),
        sa.Column("raw", LongText(), nullable=False),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("network", "signature", name=op.f("pk_chain_evidence")),
        **MARIADB,
    )


def _create_chain_transfer() -> None:
    op.create_table(
        "chain_transfer",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("merchant_id", sa.String(length=40), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("network", sa.String(length=40), nullable=False),
        sa.Column("signature", sa.String(length=90), nullable=False),
        sa.Column("account", sa.String(length=90), nullable=False),
        sa.Column("path", sa.String(length=20), nullable=False),
        sa.Column("asset", sa.String(length=12), nullable=False),
        sa.Column("amount", Atomic(), nullable=False),
        sa.Column("stage", sa.String(length=12), nullable=False),
        sa.Column("highest_stage", sa.String(length=12), nullable=False),
        sa.Column("slot", sa.BigInteger(), nullable=False),
        sa.Column("occurred_at", Instant(), nullable=True),
        sa.Column("first_seen_at", Instant(), nullable=False),
        sa.Column("payer", sa.String(length=90), nullable=True),
        sa.Column("references", Json(), nullable=False),
        sa.Column("memo", sa.String(length=600), nullable=True),
        sa.Column("payment_id", sa.String(length=40), nullable=True),
        sa.Column("attempt_id", sa.String(length=40), nullable=True),
        sa.Column("unmatched_reason", sa.String(length=40), nullable=True),
        sa.Column("is_accepted_by_hand", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chain_transfer")),
        sa.UniqueConstraint(
            "network", "signature", "account", "path", name=op.f("uq_chain_transfer_network_signature_account_path")
        ),
        **MARIADB,
    )
    op.create_index(op.f("ix_chain_transfer_account_stage"), "chain_transfer", ["account", "stage"], unique=False)
    op.create_index(
        op.f("ix_chain_transfer_merchant_id_livemode_id"),
        "chain_transfer",
        ["merchant_id", "livemode", "id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_chain_transfer_merchant_id_livemode_unmatched_reason"),
        "chain_transfer",
        ["merchant_id", "livemode", "unmatched_reason"],
        unique=False,
    )
    op.create_index(op.f("ix_chain_transfer_payment_id"), "chain_transfer", ["payment_id"], unique=False)


def _create_checkout_session() -> None:
    op.create_table(
        "checkout_session",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("merchant_id", sa.String(length=40), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("payment_id", sa.String(length=40), nullable=False),
        sa.Column("token", sa.String(length=43), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("open_key", sa.String(length=64), nullable=True),
        sa.Column("reference", sa.String(length=120), nullable=False),
        sa.Column("amount", Atomic(), nullable=False),
        sa.Column("currency", sa.String(length=12), nullable=False),
        sa.Column("success_url", sa.Text(), nullable=False),
        sa.Column("cancel_url", sa.Text(), nullable=True),
        sa.Column("customer_email", sa.String(length=254), nullable=True),
        sa.Column("locale", sa.String(length=12), nullable=True),
        sa.Column("line_items", Json(), nullable=False),
        sa.Column("methods", Json(), nullable=True),
        sa.Column("metadata", Json(), nullable=False),
        sa.Column("attempt_id", sa.String(length=40), nullable=True),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("extended_at", Instant(), nullable=True),
        sa.Column("completed_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_checkout_session")),
        sa.UniqueConstraint(
            "merchant_id", "livemode", "open_key", name=op.f("uq_checkout_session_merchant_id_livemode_open_key")
        ),
        sa.UniqueConstraint("payment_id", name=op.f("uq_checkout_session_payment_id")),
        sa.UniqueConstraint("token", name=op.f("uq_checkout_session_token")),
        **MARIADB,
    )
    op.create_index(
        op.f("ix_checkout_session_merchant_id_livemode_id"),
        "checkout_session",
        ["merchant_id", "livemode", "id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_checkout_session_merchant_id_livemode_reference"),
        "checkout_session",
        ["merchant_id", "livemode", "reference"],
        unique=False,
    )


def _create_idempotency() -> None:
    op.create_table(
        "idempotency",
        sa.Column("merchant_id", sa.String(length=40), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("route", sa.String(length=80), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.Column("status_code", sa.Integer(), nullable=False),
        sa.Column("response", LongText(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("merchant_id", "livemode", "route", "key", name=op.f("pk_idempotency")),
        **MARIADB,
    )
    op.create_index(op.f("ix_idempotency_created_at"), "idempotency", ["created_at"], unique=False)


def _create_merchant() -> None:
    op.create_table(
        "merchant",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("settings", Json(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_merchant")),
        **MARIADB,
    )


def _create_operation() -> None:
    op.create_table(
        "operation",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("merchant_id", sa.String(length=40), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("payment_id", sa.String(length=40), nullable=False),
        sa.Column("attempt_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("provider_reference", sa.String(length=120), nullable=True),
        sa.Column("payload", LongText(), nullable=True),
        sa.Column("last_valid_height", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operation")),
        sa.UniqueConstraint("kind", "provider_reference", name=op.f("uq_operation_kind_provider_reference")),
        **MARIADB,
    )
    op.create_index(op.f("ix_operation_payment_id"), "operation", ["payment_id"], unique=False)
    op.create_index(op.f("ix_operation_status_updated_at"), "operation", ["status", "updated_at"], unique=False)


def _create_payment() -> None:
    op.create_table(
        "payment",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("merchant_id", sa.String(length=40), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("session_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("exceptions", Json(), nullable=False),
        sa.Column("reference", sa.String(length=120), nullable=False),
        sa.Column("amount", Atomic(), nullable=False),
        sa.Column("currency", sa.String(length=12), nullable=False),
        sa.Column("amount_received", Atomic(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("closed_at", Instant(), nullable=True),
        sa.Column("canceled_at", Instant(), nullable=True),
        sa.Column("paid_at", Instant(), nullable=True),
        sa.Column("metadata", Json(), nullable=False),
        sa.Column("rules", Json(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment")),
        sa.UniqueConstraint("session_id", name=op.f("uq_payment_session_id")),
        **MARIADB,
    )
    op.create_index(
        op.f("ix_payment_merchant_id_livemode_id"), "payment", ["merchant_id", "livemode", "id"], unique=False
    )
    op.create_index(
        op.f("ix_payment_merchant_id_livemode_reference"),
        "payment",
        ["merchant_id", "livemode", "reference"],
        unique=False,
    )
    op.create_index(op.f("ix_payment_status_expires_at"), "payment", ["status", "expires_at"], unique=False)


def _create_quote() -> None:
    op.create_table(
        "quote",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("merchant_id", sa.String(length=40), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("method", sa.String(length=20), nullable=False),
        sa.Column("amount", Atomic(), nullable=False),
        sa.Column("currency", sa.String(length=12), nullable=False),
        sa.Column("pay_amount", Atomic(), nullable=False),
        sa.Column("pay_currency", sa.String(length=12), nullable=False),
        sa.Column("rate_num", Atomic(), nullable=False),
        sa.Column("rate_den", Atomic(), nullable=False),
        sa.Column("evidence", Json(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quote")),
        **MARIADB,
    )


def _create_receiving_account() -> None:
    op.create_table(
        "receiving_account",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("merchant_id", sa.String(length=40), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("processor", sa.String(length=20), nullable=False),
        sa.Column("network", sa.String(length=40), nullable=False),
        sa.Column("asset", sa.String(length=12), nullable=False),
        sa.Column("wallet", sa.String(length=90), nullable=False),
        sa.Column("account", sa.String(length=90), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receiving_account")),
        sa.UniqueConstraint("network", "account", name=op.f("uq_receiving_account_network_account")),
        **MARIADB,
    )
    op.create_index(
        op.f("ix_receiving_account_merchant_id_livemode"),
        "receiving_account",
        ["merchant_id", "livemode"],
        unique=False,
    )
