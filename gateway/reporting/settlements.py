"""The settlement report: what a provider's payout consists of, with fees and net. Reads only."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import RowMapping, select

from gateway.kernel.money import Money
from gateway.storage.database import Database, Tx
from gateway.storage.schema import balance_line, payout

CSV_HEAD: Final = ("provider_reference", "type", "payment", "amount", "fee", "net", "currency", "created_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementLine:
    """One booking on the provider's account; `payment_id` is None for what is about none of our payments."""

    reference: str
    type: str
    payment_id: str | None
    amount: Money
    fee: Money
    net: Money
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementTotal:
    """All lines of one type in one payout: `net` is `amount` less `fee`."""

    type: str
    count: int
    amount: Money
    fee: Money
    net: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What a payout consists of; `gap` is what its lines do not explain."""

    totals: Sequence[SettlementTotal]
    lines: Sequence[SettlementLine]
    gap: Money

    def rows(self) -> Iterator[tuple[str, ...]]:
        """Yield every line as fields of a table, under `CSV_HEAD`."""
        for one in self.lines:
            money = (one.amount.major, one.fee.major, one.net.major, one.amount.currency)
            yield (one.reference, one.type, one.payment_id or "", *money, one.created_at.isoformat())


class Settlements:
    """Reads settlement reports."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def report(self, payout_id: str) -> Settlement:
        """Return the report of a payout that exists."""
        return self._db.snapshot(lambda tx: _report(tx, payout_id))


def _report(tx: Tx, payout_id: str) -> Settlement:
    row = tx.execute(select(payout).where(payout.c.id == payout_id)).mappings().one()
    is_its = (balance_line.c.network == row["network"]) & (balance_line.c.payout == row["reference"])
    order = (balance_line.c.created_at, balance_line.c.reference)
    lines = [_line(one) for one in tx.execute(select(balance_line).where(is_its).order_by(*order)).mappings()]
    paid = sum((one.net for one in lines), start=Money.zero(row["currency"]))
    return Settlement(totals=_totals(lines), lines=lines, gap=Money(row["amount"], row["currency"]) - paid)


def _line(row: RowMapping) -> SettlementLine:
    code = row["currency"]
    return SettlementLine(
        reference=row["reference"],
        type=row["type"],
        payment_id=row["payment_id"],
        amount=Money(row["amount"], code),
        fee=Money(row["fee"], code),
        net=Money(row["net"], code),
        created_at=row["created_at"],
    )


def _totals(lines: Sequence[SettlementLine]) -> list[SettlementTotal]:
    by_type: dict[str, list[SettlementLine]] = {}
    for line in lines:
        by_type.setdefault(line.type, []).append(line)
    return [
        SettlementTotal(
            type=name,
            count=len(found),
            amount=_sum([one.amount for one in found]),
            fee=_sum([one.fee for one in found]),
            net=_sum([one.net for one in found]),
        )
        for name, found in sorted(by_type.items())
    ]


def _sum(amounts: Sequence[Money]) -> Money:
    return sum(amounts, start=Money.zero(amounts[0].currency))
