"""Books: the ledger, its seals, and the monitor's watches."""

import sqlalchemy as sa
from alembic import op

from gateway.storage.mariadb import MARIADB
from gateway.storage.triggers import trigger_statements
from gateway.storage.types import Atomic, Instant, Json

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = (
    "account",
    "balance",
    "balance_audit",
    "journal_entry",
    "network_lease",
    "pending_signature",
    "posting",
    "seal_block",
    "sealed_entry",
    "watch",
)


def upgrade() -> None:
    """Create the tables and close the books to changes."""
    _create_account()
    _create_balance()
    _create_balance_audit()
    _create_journal_entry()
    _create_network_lease()
    _create_pending_signature()
    _create_posting()
    _create_seal_block()
    _create_sealed_entry()
    _create_watch()
    bind = op.get_bind()
    for statement in trigger_statements(bind.dialect.name, ("journal_entry", "posting")):
        bind.exec_driver_sql(statement)


def downgrade() -> None:
    """Drop them."""
    for name in TABLES:
        op.drop_table(name)


def _create_account() -> None:
    op.create_table(
        "account",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("merchant_id", sa.String(length=40), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("code", sa.String(length=80), nullable=False),
        sa.Column("currency", sa.String(length=12), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint(
            "merchant_id", "livemode", "code", "currency", name=op.f("uq_account_merchant_id_livemode_code_currency")
        ),
        **MARIADB,
    )


def _create_balance() -> None:
    op.create_table(
        "balance",
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("debits_posted", Atomic(), nullable=False),
        sa.Column("credits_posted", Atomic(), nullable=False),
        sa.Column("debits_pending", Atomic(), nullable=False),
        sa.Column("credits_pending", Atomic(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "slot", name=op.f("pk_balance")),
        postgresql_with={"fillfactor": 50},
        **MARIADB,
    )


def _create_balance_audit() -> None:
    op.create_table(
        "balance_audit",
        sa.Column("network", sa.String(length=40), nullable=False),
        sa.Column("account", sa.String(length=90), nullable=False),
        sa.Column("audited_at", Instant(), nullable=False),
        sa.Column("slot", sa.BigInteger(), nullable=False),
        sa.Column("on_chain", Atomic(), nullable=False),
        sa.Column("explained", Atomic(), nullable=False),
        sa.Column("gap", Atomic(), nullable=False),
        sa.Column("gap_since", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("network", "account", name=op.f("pk_balance_audit")),
        **MARIADB,
    )


def _create_journal_entry() -> None:
    op.create_table(
        "journal_entry",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("merchant_id", sa.String(length=40), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("subject_id", sa.String(length=40), nullable=False),
        sa.Column("subject_version", sa.Integer(), nullable=False),
        sa.Column("reverses_id", sa.String(length=40), nullable=True),
        sa.Column("rates", Json(), nullable=True),
        sa.Column("effective_at", Instant(), nullable=False),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journal_entry")),
        sa.UniqueConstraint(
            "merchant_id",
            "kind",
            "subject_id",
            "subject_version",
            name=op.f("uq_journal_entry_merchant_id_kind_subject_id_subject_version"),
        ),
        sa.UniqueConstraint("reverses_id", name=op.f("uq_journal_entry_reverses_id")),
        **MARIADB,
    )
    op.create_index(
        op.f("ix_journal_entry_merchant_id_livemode_id"),
        "journal_entry",
        ["merchant_id", "livemode", "id"],
        unique=False,
    )
    op.create_index(op.f("ix_journal_entry_subject_id"), "journal_entry", ["subject_id"], unique=False)


def _create_network_lease() -> None:
    op.create_table(
        "network_lease",
        sa.Column("network", sa.String(length=40), nullable=False),
        sa.Column("holder", sa.String(length=64), nullable=False),
        sa.Column("until", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("network", name=op.f("pk_network_lease")),
        **MARIADB,
    )


def _create_pending_signature() -> None:
    op.create_table(
        "pending_signature",
        sa.Column("network", sa.String(length=40), nullable=False),
        sa.Column("account", sa.String(length=90), nullable=False),
        sa.Column("signature", sa.String(length=90), nullable=False),
        sa.Column("slot", sa.BigInteger(), nullable=False),
        sa.Column("stage", sa.String(length=12), nullable=False),
        sa.Column("misses", sa.Integer(), nullable=False),
        sa.Column("first_seen_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("network", "account", "signature", name=op.f("pk_pending_signature")),
        **MARIADB,
    )


def _create_posting() -> None:
    op.create_table(
        "posting",
        sa.Column("entry_id", sa.String(length=40), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("amount", Atomic(), nullable=False),
        sa.Column("layer", sa.String(length=8), nullable=False),
        sa.Column("subject_id", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("entry_id", "seq", name=op.f("pk_posting")),
        **MARIADB,
    )
    op.create_index(op.f("ix_posting_account_id"), "posting", ["account_id"], unique=False)
    op.create_index(op.f("ix_posting_subject_id"), "posting", ["subject_id"], unique=False)


def _create_seal_block() -> None:
    op.create_table(
        "seal_block",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("leaf_count", sa.Integer(), nullable=False),
        sa.Column("posting_total", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.String(length=64), nullable=False),
        sa.Column("previous_head", sa.String(length=64), nullable=False),
        sa.Column("head", sa.String(length=64), nullable=False),
        sa.Column("sealed_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_seal_block")),
        sa.UniqueConstraint("head", name=op.f("uq_seal_block_head")),
        **MARIADB,
    )


def _create_sealed_entry() -> None:
    op.create_table(
        "sealed_entry",
        sa.Column("entry_id", sa.String(length=40), nullable=False),
        sa.Column("block", sa.BigInteger(), nullable=False),
        sa.Column("leaf", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_sealed_entry")),
        sa.UniqueConstraint("block", "leaf", name=op.f("uq_sealed_entry_block_leaf")),
        **MARIADB,
    )


def _create_watch() -> None:
    op.create_table(
        "watch",
        sa.Column("network", sa.String(length=40), nullable=False),
        sa.Column("account", sa.String(length=90), nullable=False),
        sa.Column("asset", sa.String(length=12), nullable=False),
        sa.Column("cursor", sa.String(length=90), nullable=True),
        sa.Column("cursor_slot", sa.BigInteger(), nullable=True),
        sa.Column("opening", Atomic(), nullable=True),
        sa.Column("scanned_until", Instant(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("network", "account", name=op.f("pk_watch")),
        **MARIADB,
    )
