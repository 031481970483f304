"""The balance audit: what the chain holds against what we can explain.

A signature that a provider hides from its index moves money all the same: it shows here as a gap.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import select, update

from gateway.domain.chain import AccountBalance
from gateway.domain.ports import ChainReader
from gateway.domain.words import TransferStage
from gateway.kernel.log import Log
from gateway.monitor.watches import Watch
from gateway.storage.database import Tx
from gateway.storage.schema import balance_audit
from gateway.storage.statements import insert_new

log: Final = Log("monitor")

# What our books say an account gained since its watch began: final transfers and outflows, fees included.
Explained = Callable[[str, str], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """An account whose balance is not what we can explain: `amount` is on chain minus explained, atomic units."""

    network: str
    account: str
    asset: str
    amount: int
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """The outcome for one network; `unsettled` accounts had final news above their cursor and were not judged."""

    audited: int
    unsettled: int
    gaps: Sequence[Gap]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One account's figures; `explained` includes the opening balance."""

    watch: Watch
    slot: int
    on_chain: int
    explained: int

    @property
    def gap(self) -> int:
        """Money on chain that nothing explains; negative when it is missing."""
        return self.on_chain - self.explained


def compare(reader: ChainReader, watches: Sequence[Watch], explained: Explained) -> tuple[list[Finding], int]:
    """Compare settled accounts; return the findings and how many accounts were left out.

    Balance first, then our books, then the list: if the list shows nothing final above the cursor, everything that the
    balance held had been told to the books.

    Raises:
        TemporaryError: the node does not answer.
    """
    ready = [watch for watch in watches if watch.opening is not None]
    if not ready:
        return [], len(watches)
    balances = {one.account: one for one in reader.balances({watch.account: watch.asset for watch in ready})}
    findings = [_finding(watch, balances[watch.account], explained) for watch in ready]
    settled = [finding for finding in findings if not _has_final_news(reader, finding.watch)]
    return settled, len(watches) - len(settled)


def _finding(watch: Watch, balance: AccountBalance, explained: Explained) -> Finding:
    assert watch.opening is not None, "only watches with an opening balance are compared"
    total = watch.opening + explained(watch.network, watch.account)
    return Finding(watch=watch, slot=balance.slot, on_chain=balance.amount, explained=total)


def _has_final_news(reader: ChainReader, watch: Watch) -> bool:
    rows = reader.signatures(watch.account, until=watch.cursor, before=None, limit=1000)
    return any(row.stage is TransferStage.FINAL for row in rows)


def record_all(tx: Tx, *, findings: Sequence[Finding], now: datetime) -> list[Gap]:
    """Write the figures of many accounts; return the gaps."""
    found = [_record(tx, finding, now=now) for finding in findings]
    return [gap for gap in found if gap is not None]


def _record(tx: Tx, finding: Finding, *, now: datetime) -> Gap | None:
    """Write one account's figures; return its gap with the time since when it has had one."""
    table, watch = balance_audit, finding.watch
    key = (table.c.network == watch.network, table.c.account == watch.account)
    since = tx.execute(select(table.c.gap_since).where(*key)).scalar()
    gap_since = (since or now) if finding.gap else None
    figures = {
        "audited_at": now,
        "slot": finding.slot,
        "on_chain": finding.on_chain,
        "explained": finding.explained,
        "gap": finding.gap,
        "gap_since": gap_since,
    }
    if not insert_new(tx, table, {"network": watch.network, "account": watch.account, **figures}):
        tx.execute(update(table).where(*key).values(**figures))
    if gap_since is None:
        return None
    return Gap(network=watch.network, account=watch.account, asset=watch.asset, amount=finding.gap, since=gap_since)


def report_gap(gap: Gap) -> None:
    """Say it aloud: somebody must look."""
    log.error(
        "balance_gap",
        network=gap.network,
        account=gap.account,
        asset=gap.asset,
        gap=str(gap.amount),
        since=gap.since.isoformat(),
    )
