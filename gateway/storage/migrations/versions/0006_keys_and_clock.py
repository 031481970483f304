"""What an API key is for and what replaced it, and the steps of the test clock."""

import sqlalchemy as sa
from alembic import op

from gateway.storage.mariadb import MARIADB
from gateway.storage.types import Instant

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add them; keys that exist have no description, and time has not been moved."""
    op.add_column("api_key", sa.Column("description", sa.String(length=200), nullable=True))
    op.add_column("api_key", sa.Column("replaced_by", sa.String(length=40), nullable=True))
    op.create_table(
        "test_clock_step",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seconds", sa.Integer(), nullable=False),
        sa.Column("moved_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_test_clock_step")),
        **MARIADB,
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("test_clock_step")
    for name in ("replaced_by", "description"):
        op.drop_column("api_key", name)
