"""Payouts to charities are canceled, attempts say what they ask with the gift, and each day keeps its gifts' sums."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC
from typing import Any, Final

import sqlalchemy as sa
from alembic import op

from gateway.storage.mariadb import MARIADB
from gateway.storage.types import Atomic, Id, Instant, Json

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

CHUNK: Final = 1000  # gifts read at once
CAMPAIGN_SUMS: Final = ("gifts", "stayed", "received", "reversed", "fee_cover")
CHARITY_SUMS: Final = ("received", "reversed", "owed")

_donation = sa.table(
    "donation",
    sa.column("id", Id()), sa.column("payment_id", Id()), sa.column("charity_id", Id()), sa.column("campaign_id", Id()),
    sa.column("status", sa.String()), sa.column("amount_received", Atomic()), sa.column("amount_reversed", Atomic()),
    sa.column("fee_cover", Atomic()), sa.column("received", Json()), sa.column("reversed", Json()),
    sa.column("owed", Json()), sa.column("received_at", Instant()),
)  # fmt: skip
_account = sa.table("account", sa.column("id", Id()), sa.column("code", sa.String()), sa.column("currency"))
_posting = sa.table(
    "posting", sa.column("account_id", Id()), sa.column("amount", Atomic()), sa.column("layer"), sa.column("subject_id")
)


def upgrade() -> None:
    """Add columns and tables; payouts that exist stand, attempts get their sum, and gifts that came are added up."""
    op.add_column("donation_payout", sa.Column("canceled_at", Instant(), nullable=True))
    op.add_column("donation_payout", sa.Column("cancellation_reason", sa.String(length=500), nullable=True))
    _add_asked_amount()
    _create_days()
    op.add_column("donation", sa.Column("owed", Json(), nullable=True))
    _add_up()
    with op.batch_alter_table("donation") as batch:
        batch.alter_column("owed", nullable=False, existing_type=Json())
    wall = ["campaign_id", "on_wall", "received_at"]
    op.create_index(op.f(f"ix_donation_{'_'.join(wall)}"), "donation", wall)


def downgrade() -> None:
    """Drop them."""
    op.drop_index(op.f("ix_donation_campaign_id_on_wall_received_at"), "donation")
    op.drop_column("donation", "owed")
    op.drop_table("charity_day")
    op.drop_table("campaign_day")
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


def _create_days() -> None:
    op.create_table(
        "campaign_day",
        sa.Column("campaign_id", Id(), nullable=False),
        sa.Column("day", Instant(), autoincrement=False, nullable=False),
        sa.Column("gifts", sa.BigInteger(), nullable=False),
        sa.Column("stayed", sa.BigInteger(), nullable=False),
        sa.Column("received", Atomic(), nullable=False),
        sa.Column("reversed", Atomic(), nullable=False),
        sa.Column("fee_cover", Atomic(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "day", name=op.f("pk_campaign_day")),
        **MARIADB,
    )
    op.create_table(
        "charity_day",
        sa.Column("charity_id", Id(), nullable=False),
        sa.Column("currency", sa.String(length=12), nullable=False),
        sa.Column("day", Instant(), autoincrement=False, nullable=False),
        sa.Column("received", Atomic(), nullable=False),
        sa.Column("reversed", Atomic(), nullable=False),
        sa.Column("owed", Atomic(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("charity_id", "currency", "day", name=op.f("pk_charity_day")),
        **MARIADB,
    )


def _add_up() -> None:
    """Say of each gift what is held for its charity, and add all gifts that came up by day."""
    bind = op.get_bind()
    campaigns: dict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
    charities: dict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
    last = ""
    while rows := bind.execute(
        sa.select(_donation).where(_donation.c.id > last).order_by(_donation.c.id).limit(CHUNK)
    ).all():
        held = _held(bind, [row.payment_id for row in rows])
        for row in rows:
            owed = held[row.payment_id]
            shown = {code: str(units) for code, units in owed.items() if units}
            bind.execute(sa.update(_donation).where(_donation.c.id == row.id).values(owed=shown))
            if row.received_at is not None:
                _count(row, owed, campaigns, charities)
        last = rows[-1].id
    _insert(bind, "campaign_day", ("campaign_id", "day"), CAMPAIGN_SUMS, campaigns)
    _insert(bind, "charity_day", ("charity_id", "currency", "day"), CHARITY_SUMS, charities)


def _held(bind: sa.Connection, payment_ids: Sequence[str]) -> dict[str, Counter[str]]:
    """Return what the books hold for charities of these payments, by payment and currency."""
    is_charitys = _account.c.code.like("donation:charity:%:payable") | _account.c.code.like("donation:charity:%:own")
    query = (
        sa.select(_posting.c.subject_id, _account.c.currency, _posting.c.amount)
        .join(_account, _account.c.id == _posting.c.account_id)
        .where(_posting.c.subject_id.in_(payment_ids), _posting.c.layer == "posted", is_charitys)
    )
    held: dict[str, Counter[str]] = defaultdict(Counter)
    for payment_id, code, amount in bind.execute(query):
        held[payment_id][code] -= amount
    return held


def _count(
    row: Any,
    owed: Counter[str],
    campaigns: dict[tuple[Any, ...], Counter[str]],
    charities: dict[tuple[Any, ...], Counter[str]],
) -> None:
    day = row.received_at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if row.campaign_id is not None:
        sums = {"gifts": 1, "stayed": int(row.status == "received"), "received": row.amount_received}
        sums |= {"reversed": row.amount_reversed, "fee_cover": row.fee_cover}
        campaigns[row.campaign_id, day].update(sums)
    for name, amounts in (("received", row.received), ("reversed", row.reversed), ("owed", owed)):
        for code, units in amounts.items():
            charities[row.charity_id, code, day][name] += int(units)


def _insert(
    bind: sa.Connection,
    name: str,
    keys: tuple[str, ...],
    sums: tuple[str, ...],
    found: dict[tuple[Any, ...], Counter[str]],
) -> None:
    types: dict[str, Any] = {"day": Instant(), "gifts": sa.BigInteger(), "stayed": sa.BigInteger()}
    columns = [sa.column(one, types.get(one, Id() if one in keys else Atomic())) for one in (*keys, *sums)]
    table = sa.table(name, *columns, sa.column("version", sa.BigInteger()))
    rows = [dict(zip(keys, key, strict=True)) | {one: added[one] for one in sums} for key, added in found.items()]
    for place in range(0, len(rows), CHUNK):
        bind.execute(sa.insert(table), [row | {"version": 1} for row in rows[place : place + CHUNK]])
