"""Payouts to charities that were written down by mistake are canceled."""

import sqlalchemy as sa
from alembic import op

from gateway.storage.types import Instant

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; payouts that exist stand."""
    op.add_column("donation_payout", sa.Column("canceled_at", Instant(), nullable=True))
    op.add_column("donation_payout", sa.Column("cancellation_reason", sa.String(length=500), nullable=True))


def downgrade() -> None:
    """Drop them."""
    op.drop_column("donation_payout", "cancellation_reason")
    op.drop_column("donation_payout", "canceled_at")
