"""Charities, campaigns, gifts at checkout, donations, receipts, payouts to charities, and mails."""

import sqlalchemy as sa
from alembic import op

from gateway.storage.mariadb import MARIADB
from gateway.storage.types import Atomic, Instant, Json

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TABLES = (
    "charity",
    "campaign",
    "donation_config",
    "donation",
    "donor",
    "pledge",
    "receipt_counter",
    "donation_receipt",
    "donation_payout",
    "mail",
    "giving_signal",
)
GIFT_COLUMNS = {
    "payment": ("gift_amount", "charity_id"),
    "attempt": ("gift_amount", "gift_wallet", "gift_account"),
    "refund": ("gift_amount",),
    "checkout_session": ("donation",),
    "notification": ("is_decline", "card"),
}


def upgrade() -> None:
    """Create the tables; payments that exist carry no gift."""
    for table in ("payment", "attempt", "refund"):
        op.add_column(table, sa.Column("gift_amount", Atomic(), nullable=False, server_default="0"))
        with op.batch_alter_table(table) as batch:
            batch.alter_column("gift_amount", server_default=None, existing_type=Atomic(), existing_nullable=False)
    op.add_column("payment", sa.Column("charity_id", sa.String(length=40), nullable=True))
    for name in ("gift_wallet", "gift_account"):
        op.add_column("attempt", sa.Column(name, sa.String(length=90), nullable=True))
    op.add_column("checkout_session", sa.Column("donation", Json(), nullable=True))
    op.add_column("notification", sa.Column("is_decline", sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table("notification") as batch:
        batch.alter_column("is_decline", server_default=None, existing_type=sa.Boolean(), existing_nullable=False)
    op.add_column("notification", sa.Column("card", sa.String(length=255), nullable=True))
    for create in CREATE:
        create()


def downgrade() -> None:
    """Drop them."""
    for name in TABLES:
        op.drop_table(name)
    for table, columns in GIFT_COLUMNS.items():
        for name in columns:
            op.drop_column(table, name)


def _tenant() -> tuple[sa.Column[str], sa.Column[bool]]:
    return (
        sa.Column("merchant_id", sa.String(length=40), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
    )


def _create_charity() -> None:
    op.create_table(
        "charity",
        sa.Column("id", sa.String(length=40), nullable=False),
        *_tenant(),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("legal_name", sa.String(length=200), nullable=False),
        sa.Column("tax_id", sa.String(length=60), nullable=True),
        sa.Column("address", sa.String(length=500), nullable=True),
        sa.Column("country", sa.String(length=2), nullable=True),
        sa.Column("tax_statement", sa.Text(), nullable=True),
        sa.Column("website", sa.String(length=300), nullable=True),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("receipt_prefix", sa.String(length=12), nullable=False),
        sa.Column("solana_address", sa.String(length=90), nullable=True),
        sa.Column("is_own", sa.Boolean(), nullable=False),
        sa.Column("metadata", Json(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.Column("archived_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_charity")),
        **MARIADB,
    )
    for columns in (["merchant_id", "livemode", "id"],):
        op.create_index(op.f(f"ix_charity_{'_'.join(columns)}"), "charity", columns)


def _create_campaign() -> None:
    op.create_table(
        "campaign",
        sa.Column("id", sa.String(length=40), nullable=False),
        *_tenant(),
        sa.Column("charity_id", sa.String(length=40), nullable=False),
        sa.Column("title", sa.String(length=120), nullable=False),
        sa.Column("story", sa.Text(), nullable=False),
        sa.Column("currency", sa.String(length=12), nullable=False),
        sa.Column("presets", Json(), nullable=False),
        sa.Column("min_amount", Atomic(), nullable=False),
        sa.Column("max_amount", Atomic(), nullable=False),
        sa.Column("frequencies", Json(), nullable=False),
        sa.Column("goal", Atomic(), nullable=True),
        sa.Column("offers_fee_cover", sa.Boolean(), nullable=False),
        sa.Column("fee_bps", sa.Integer(), nullable=False),
        sa.Column("fee_fixed", Atomic(), nullable=False),
        sa.Column("offers_tribute", sa.Boolean(), nullable=False),
        sa.Column("offers_comment", sa.Boolean(), nullable=False),
        sa.Column("shows_wall", sa.Boolean(), nullable=False),
        sa.Column("locales", Json(), nullable=False),
        sa.Column("origins", Json(), nullable=False),
        sa.Column("metadata", Json(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.Column("ends_at", Instant(), nullable=True),
        sa.Column("closed_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaign")),
        **MARIADB,
    )
    for columns in (
        ["charity_id"],
        ["merchant_id", "livemode", "id"],
    ):
        op.create_index(op.f(f"ix_campaign_{'_'.join(columns)}"), "campaign", columns)


def _create_donation_config() -> None:
    op.create_table(
        "donation_config",
        sa.Column("id", sa.String(length=40), nullable=False),
        *_tenant(),
        sa.Column("charity_id", sa.String(length=40), nullable=False),
        sa.Column("currency", sa.String(length=12), nullable=False),
        sa.Column("mode", sa.String(length=12), nullable=False),
        sa.Column("unit", Atomic(), nullable=False),
        sa.Column("cap", Atomic(), nullable=False),
        sa.Column("amounts", Json(), nullable=False),
        sa.Column("whole_totals", sa.String(length=8), nullable=False),
        sa.Column("disclosure", sa.String(length=500), nullable=False),
        sa.Column("payout_terms", sa.String(length=500), nullable=False),
        sa.Column("starts_at", Instant(), nullable=True),
        sa.Column("ends_at", Instant(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("archived_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_donation_config")),
        **MARIADB,
    )
    for columns in (
        ["charity_id"],
        ["merchant_id", "livemode", "currency", "id"],
        ["merchant_id", "livemode", "id"],
    ):
        op.create_index(op.f(f"ix_donation_config_{'_'.join(columns)}"), "donation_config", columns)


def _create_donation() -> None:
    op.create_table(
        "donation",
        sa.Column("id", sa.String(length=40), nullable=False),
        *_tenant(),
        sa.Column("charity_id", sa.String(length=40), nullable=False),
        sa.Column("campaign_id", sa.String(length=40), nullable=True),
        sa.Column("config_id", sa.String(length=40), nullable=True),
        sa.Column("session_id", sa.String(length=40), nullable=False),
        sa.Column("payment_id", sa.String(length=40), nullable=False),
        sa.Column("subscription_id", sa.String(length=40), nullable=True),
        sa.Column("pledge_id", sa.String(length=40), nullable=True),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("frequency", sa.String(length=12), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("currency", sa.String(length=12), nullable=False),
        sa.Column("amount", Atomic(), nullable=False),
        sa.Column("fee_cover", Atomic(), nullable=False),
        sa.Column("amount_received", Atomic(), nullable=False),
        sa.Column("amount_reversed", Atomic(), nullable=False),
        sa.Column("received", Json(), nullable=False),
        sa.Column("reversed", Json(), nullable=False),
        sa.Column("is_anonymous", sa.Boolean(), nullable=False),
        sa.Column("on_wall", sa.Boolean(), nullable=False),
        sa.Column("locale", sa.String(length=12), nullable=True),
        sa.Column("form_id", sa.String(length=64), nullable=True),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.Column("received_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_donation")),
        sa.UniqueConstraint("form_id", name=op.f("uq_donation_form_id")),
        sa.UniqueConstraint("payment_id", name=op.f("uq_donation_payment_id")),
        **MARIADB,
    )
    for columns in (
        ["campaign_id", "received_at"],
        ["charity_id", "received_at"],
        ["merchant_id", "livemode", "id"],
        ["pledge_id"],
        ["session_id"],
        ["subscription_id"],
    ):
        op.create_index(op.f(f"ix_donation_{'_'.join(columns)}"), "donation", columns)


def _create_donor() -> None:
    op.create_table(
        "donor",
        sa.Column("donation_id", sa.String(length=40), nullable=False),
        *_tenant(),
        sa.Column("charity_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=True),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("address", sa.String(length=500), nullable=True),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("comment_status", sa.String(length=8), nullable=False),
        sa.Column("tribute", Json(), nullable=True),
        sa.Column("statement_token", sa.String(length=43), nullable=False),
        sa.PrimaryKeyConstraint("donation_id", name=op.f("pk_donor")),
        sa.UniqueConstraint("statement_token", name=op.f("uq_donor_statement_token")),
        **MARIADB,
    )
    for columns in (["merchant_id", "livemode", "email"],):
        op.create_index(op.f(f"ix_donor_{'_'.join(columns)}"), "donor", columns)


def _create_pledge() -> None:
    op.create_table(
        "pledge",
        sa.Column("id", sa.String(length=40), nullable=False),
        *_tenant(),
        sa.Column("charity_id", sa.String(length=40), nullable=False),
        sa.Column("campaign_id", sa.String(length=40), nullable=False),
        sa.Column("subscription_id", sa.String(length=40), nullable=True),
        sa.Column("token", sa.String(length=43), nullable=False),
        sa.Column("frequency", sa.String(length=12), nullable=False),
        sa.Column("currency", sa.String(length=12), nullable=False),
        sa.Column("amount", Atomic(), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("name", sa.String(length=200), nullable=True),
        sa.Column("locale", sa.String(length=12), nullable=True),
        sa.Column("next_at", Instant(), nullable=True),
        sa.Column("reminders", sa.Integer(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("stopped_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pledge")),
        sa.UniqueConstraint("subscription_id", name=op.f("uq_pledge_subscription_id")),
        sa.UniqueConstraint("token", name=op.f("uq_pledge_token")),
        **MARIADB,
    )
    for columns in (
        ["campaign_id"],
        ["merchant_id", "livemode", "email"],
        ["next_at"],
    ):
        op.create_index(op.f(f"ix_pledge_{'_'.join(columns)}"), "pledge", columns)


def _create_receipt_counter() -> None:
    op.create_table(
        "receipt_counter",
        sa.Column("charity_id", sa.String(length=40), nullable=False),
        sa.Column("year", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("charity_id", "year", name=op.f("pk_receipt_counter")),
        **MARIADB,
    )


def _create_donation_receipt() -> None:
    op.create_table(
        "donation_receipt",
        sa.Column("id", sa.String(length=40), nullable=False),
        *_tenant(),
        sa.Column("donation_id", sa.String(length=40), nullable=False),
        sa.Column("charity_id", sa.String(length=40), nullable=False),
        sa.Column("token", sa.String(length=43), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(length=12), nullable=False),
        sa.Column("amount", Atomic(), nullable=False),
        sa.Column("issuer", Json(), nullable=False),
        sa.Column("issued_at", Instant(), nullable=False),
        sa.Column("canceled_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_donation_receipt")),
        sa.UniqueConstraint("charity_id", "year", "number", name=op.f("uq_donation_receipt_charity_id_year_number")),
        sa.UniqueConstraint("donation_id", name=op.f("uq_donation_receipt_donation_id")),
        sa.UniqueConstraint("token", name=op.f("uq_donation_receipt_token")),
        **MARIADB,
    )
    for columns in (["merchant_id", "livemode", "id"],):
        op.create_index(op.f(f"ix_donation_receipt_{'_'.join(columns)}"), "donation_receipt", columns)


def _create_donation_payout() -> None:
    op.create_table(
        "donation_payout",
        sa.Column("id", sa.String(length=40), nullable=False),
        *_tenant(),
        sa.Column("charity_id", sa.String(length=40), nullable=False),
        sa.Column("currency", sa.String(length=12), nullable=False),
        sa.Column("amount", Atomic(), nullable=False),
        sa.Column("paid_at", Instant(), nullable=False),
        sa.Column("reference", sa.String(length=120), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_donation_payout")),
        **MARIADB,
    )
    for columns in (
        ["charity_id"],
        ["merchant_id", "livemode", "id"],
    ):
        op.create_index(op.f(f"ix_donation_payout_{'_'.join(columns)}"), "donation_payout", columns)


def _create_mail() -> None:
    op.create_table(
        "mail",
        sa.Column("id", sa.String(length=40), nullable=False),
        *_tenant(),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("subject_id", sa.String(length=40), nullable=False),
        sa.Column("recipient", sa.String(length=254), nullable=True),
        sa.Column("locale", sa.String(length=12), nullable=True),
        sa.Column("details", Json(), nullable=False),
        sa.Column("dedup_key", sa.String(length=120), nullable=False),
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", Instant(), nullable=False),
        sa.Column("failure", sa.String(length=200), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("sent_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail")),
        sa.UniqueConstraint("dedup_key", name=op.f("uq_mail_dedup_key")),
        **MARIADB,
    )
    for columns in (
        ["status", "due_at"],
        ["subject_id"],
    ):
        op.create_index(op.f(f"ix_mail_{'_'.join(columns)}"), "mail", columns)


def _create_giving_signal() -> None:
    op.create_table(
        "giving_signal",
        sa.Column("id", sa.String(length=40), nullable=False),
        *_tenant(),
        sa.Column("campaign_id", sa.String(length=40), nullable=True),
        sa.Column("payment_id", sa.String(length=40), nullable=True),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("address_hash", sa.String(length=64), nullable=True),
        sa.Column("email_hash", sa.String(length=64), nullable=True),
        sa.Column("card_hash", sa.String(length=64), nullable=True),
        sa.Column("reference", sa.String(length=120), nullable=True),
        sa.Column("occurred_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_giving_signal")),
        sa.UniqueConstraint("reference", name=op.f("uq_giving_signal_reference")),
        **MARIADB,
    )
    for columns in (
        ["address_hash", "occurred_at"],
        ["campaign_id", "kind", "occurred_at"],
        ["card_hash", "occurred_at"],
        ["email_hash", "occurred_at"],
        ["merchant_id", "livemode", "id"],
        ["payment_id", "kind"],
    ):
        op.create_index(op.f(f"ix_giving_signal_{'_'.join(columns)}"), "giving_signal", columns)


CREATE = (
    _create_charity,
    _create_campaign,
    _create_donation_config,
    _create_donation,
    _create_donor,
    _create_pledge,
    _create_receipt_counter,
    _create_donation_receipt,
    _create_donation_payout,
    _create_mail,
    _create_giving_signal,
)
