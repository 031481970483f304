"""Links to the dashboard, and the visits that they become."""

import sqlalchemy as sa
from alembic import op

from gateway.storage.mariadb import MARIADB
from gateway.storage.types import Id, Instant

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "staff_visit",
        sa.Column("id", Id(), nullable=False),
        sa.Column("merchant_id", Id(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("link_digest", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("entered_at", Instant(), nullable=True),
        sa.Column("seen_at", Instant(), nullable=True),
        sa.Column("left_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_visit")),
        sa.UniqueConstraint("link_digest", name=op.f("uq_staff_visit_link_digest")),
        sa.UniqueConstraint("digest", name=op.f("uq_staff_visit_digest")),
        **MARIADB,
    )
    op.create_index(op.f("ix_staff_visit_created_at"), "staff_visit", ["created_at"])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("staff_visit")
