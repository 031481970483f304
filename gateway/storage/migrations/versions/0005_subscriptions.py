"""Customers, plans, subscriptions and their periods, and the sessions that begin them."""

import sqlalchemy as sa
from alembic import op

from gateway.storage.mariadb import MARIADB
from gateway.storage.types import Atomic, Instant, Json

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLES = ("customer", "customer_reference", "plan", "subscription", "subscription_period")
SESSION_COLUMNS = ("customer_id", "plan_id", "subscription_id")


def upgrade() -> None:
    """Create the tables; sessions that exist begin no subscription."""
    for name in SESSION_COLUMNS:
        op.add_column("checkout_session", sa.Column(name, sa.String(length=40), nullable=True))
    op.add_column("checkout_session", sa.Column("page_over_at", Instant(), nullable=True))
    op.add_column("checkout_session", sa.Column("saved_method", Json(), nullable=True))
    op.create_index(op.f("ix_checkout_session_customer_id"), "checkout_session", ["customer_id"], unique=False)
    _create_customer()
    _create_customer_reference()
    _create_plan()
    _create_subscription()
    _create_subscription_period()


def downgrade() -> None:
    """Drop them."""
    for name in TABLES:
        op.drop_table(name)
    op.drop_index("ix_checkout_session_customer_id", "checkout_session")
    for name in (*SESSION_COLUMNS, "page_over_at", "saved_method"):
        op.drop_column("checkout_session", name)


def _tenant() -> tuple[sa.Column[str], sa.Column[bool]]:
    return (
        sa.Column("merchant_id", sa.String(length=40), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
    )


def _create_customer() -> None:
    op.create_table(
        "customer",
        sa.Column("id", sa.String(length=40), nullable=False),
        *_tenant(),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("name", sa.String(length=200), nullable=True),
        sa.Column("metadata", Json(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.Column("deleted_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer")),
        **MARIADB,
    )
    op.create_index(op.f("ix_customer_merchant_id_livemode_id"), "customer", ["merchant_id", "livemode", "id"])


def _create_customer_reference() -> None:
    op.create_table(
        "customer_reference",
        sa.Column("network", sa.String(length=40), nullable=False),
        sa.Column("reference", sa.String(length=120), nullable=False),
        sa.Column("customer_id", sa.String(length=40), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("network", "reference", name=op.f("pk_customer_reference")),
        **MARIADB,
    )
    op.create_index(op.f("ix_customer_reference_customer_id"), "customer_reference", ["customer_id"])


def _create_plan() -> None:
    op.create_table(
        "plan",
        sa.Column("id", sa.String(length=40), nullable=False),
        *_tenant(),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("currency", sa.String(length=12), nullable=False),
        sa.Column("amount", Atomic(), nullable=False),
        sa.Column("interval", sa.String(length=8), nullable=False),
        sa.Column("interval_count", sa.Integer(), nullable=False),
        sa.Column("trial_days", sa.Integer(), nullable=False),
        sa.Column("grace_days", sa.Integer(), nullable=False),
        sa.Column("metadata", Json(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("archived_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan")),
        **MARIADB,
    )
    op.create_index(op.f("ix_plan_merchant_id_livemode_id"), "plan", ["merchant_id", "livemode", "id"])


def _create_subscription() -> None:
    op.create_table(
        "subscription",
        sa.Column("id", sa.String(length=40), nullable=False),
        *_tenant(),
        *(
            sa.Column(name, sa.String(length=40), nullable=False)
            for name in ("customer_id", "plan_id", "session_id", "payment_id", "attempt_id", "network")
        ),
        sa.Column("reference", sa.String(length=120), nullable=False),
        sa.Column("customer_reference", sa.String(length=120), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        *(
            sa.Column(name, Instant(), nullable=True)
            for name in (
                "period_start", "period_end", "paid_until", "access_until", "trial_ends_at", "cancels_at",
                "canceled_at", "ended_at", "noticed_at",
            )
        ),
        sa.Column("metadata", Json(), nullable=False),
        sa.Column("reads", sa.Integer(), nullable=False),
        sa.Column("hints", sa.Integer(), nullable=False),
        sa.Column("due_at", Instant(), nullable=True),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscription")),
        sa.UniqueConstraint("network", "reference", name=op.f("uq_subscription_network_reference")),
        **MARIADB,
    )  # fmt: skip
    for columns in (["customer_id"], ["plan_id"], ["due_at"], ["merchant_id", "livemode", "id"]):
        op.create_index(op.f(f"ix_subscription_{'_'.join(columns)}"), "subscription", columns)


def _create_subscription_period() -> None:
    op.create_table(
        "subscription_period",
        sa.Column("id", sa.String(length=40), nullable=False),
        *_tenant(),
        sa.Column("subscription_id", sa.String(length=40), nullable=False),
        sa.Column("starts_at", Instant(), nullable=False),
        sa.Column("ends_at", Instant(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("currency", sa.String(length=12), nullable=False),
        sa.Column("amount", Atomic(), nullable=False),
        sa.Column("network", sa.String(length=40), nullable=False),
        sa.Column("reference", sa.String(length=120), nullable=False),
        sa.Column("payment_id", sa.String(length=40), nullable=True),
        sa.Column("next_attempt_at", Instant(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscription_period")),
        sa.UniqueConstraint(
            "subscription_id", "starts_at", name=op.f("uq_subscription_period_subscription_id_starts_at")
        ),
        sa.UniqueConstraint("network", "reference", name=op.f("uq_subscription_period_network_reference")),
        **MARIADB,
    )
    op.create_index(op.f("ix_subscription_period_payment_id"), "subscription_period", ["payment_id"])
    op.create_index(
        op.f("ix_subscription_period_merchant_id_livemode_id"), "subscription_period", ["merchant_id", "livemode", "id"]
    )
