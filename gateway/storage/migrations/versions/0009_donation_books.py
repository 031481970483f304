"""Payouts to charities that were written down by mistake are canceled; attempts say what they ask with the gift."""

import sqlalchemy as sa
from alembic import op

from gateway.storage.types import Atomic, Instant

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; payouts that exist stand, and attempts get their sum."""
    op.add_column("donation_payout", sa.Column("canceled_at", Instant(), nullable=True))
    op.add_column("donation_payout", sa.Column("cancellation_reason", sa.String(length=500), nullable=True))
    _add_asked_amount()


def downgrade() -> None:
    """Drop them."""
    op.drop_index(op.f("ix_attempt_account_asked_amount"), "attempt")
    op.drop_column("attempt", "asked_amount")
    op.drop_column("donation_payout", "cancellation_reason")
    op.drop_column("donation_payout", "canceled_at")


def _add_asked_amount() -> None:
    op.add_column("attempt", sa.Column("asked_amount", Atomic(), nullable=False, server_default="0"))
    attempt = sa.table("attempt", sa.column("pay_amount"), sa.column("gift_amount"), sa.column("asked_amount"))
    pay, gift = attempt.c.pay_amount, attempt.c.gift_amount
    # SQLite keeps amounts as text, which `+` would turn into floating point.
    asked = sa.func.iadd(pay, gift) if op.get_bind().dialect.name == "sqlite" else pay + gift
    op.execute(sa.update(attempt).values(asked_amount=asked))
    with op.batch_alter_table("attempt") as batch:
        batch.alter_column("asked_amount", server_default=None, existing_type=Atomic(), existing_nullable=False)
    op.create_index(op.f("ix_attempt_account_asked_amount"), "attempt", ["account", "asked_amount"])
