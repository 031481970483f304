"""Where a watch begins: the opening balance and the cursor below which everything is history.

Payments may arrive between the moment an account is watched and its first tick. They are no history: the cursor stays
below them, and their effect is taken out of the opening balance.
"""

from dataclasses import dataclass
from typing import Final

from gateway.domain.chain import ListedSignature
from gateway.domain.ports import ChainReader
from gateway.domain.words import TransferStage
from gateway.kernel.log import Log
from gateway.monitor.scan import is_history
from gateway.monitor.watches import Watch

MAX_PAGES: Final = 20  # of a thousand: what can arrive between watching and the first tick, with room
TRIES: Final = 3  # list, balance, list again; a busy account is tried again in the next tick
_LIMIT: Final = 1000

log: Final = Log("monitor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The balance when the watch began, and the newest signature of its history; `calls` it took."""

    opening: int
    cursor: tuple[str, int] | None


@dataclass(slots=True)
class CallCount:
    """Calls made to the chain so far."""

    calls: int = 0


def take_baseline(reader: ChainReader, watch: Watch, count: CallCount) -> Baseline | None:
    """Return where the watch begins, None if the account would not stand still or cannot be read yet.

    The balance counts only if the list shows the same final signatures before and after it was read.

    Raises:
        TemporaryError: the node does not answer.
    """
    for _ in range(TRIES):
        before = _recent(reader, watch, count)
        (balance,) = reader.balances({watch.account: watch.asset})
        count.calls += 1
        after = _recent(reader, watch, count)
        if before is None or after is None:
            return None
        if _final(before) == _final(after):
            return _baseline(reader, watch, after, balance.amount, count)
    log.info("baseline_postponed", network=watch.network, account=watch.account)
    return None


def _recent(reader: ChainReader, watch: Watch, count: CallCount) -> list[ListedSignature] | None:
    """Return the newest signatures down to the first final one of the watch's history, newest first."""
    rows: list[ListedSignature] = []
    before: str | None = None
    for _ in range(MAX_PAGES):
        page = reader.signatures(watch.account, until=None, before=before, limit=_LIMIT)
        count.calls += 1
        for row in page:
            rows.append(row)
            if row.stage is TransferStage.FINAL and is_history(watch, row):
                return rows
        if len(page) < _LIMIT:
            return rows
        before = page[-1].signature
    log.error("baseline_too_deep", network=watch.network, account=watch.account)
    return None


def _final(rows: list[ListedSignature]) -> list[str]:
    return [row.signature for row in rows if row.stage is TransferStage.FINAL]


def _baseline(
    reader: ChainReader, watch: Watch, rows: list[ListedSignature], balance: int, count: CallCount
) -> Baseline | None:
    oldest = rows[-1] if rows else None
    has_history = oldest is not None and oldest.stage is TransferStage.FINAL and is_history(watch, oldest)
    cursor = (oldest.signature, oldest.slot) if oldest is not None and has_history else None
    young = [
        row.signature
        for row in (rows[:-1] if has_history else rows)
        if row.stage is TransferStage.FINAL and not row.has_failed
    ]
    reads = reader.read(young, {watch.account: watch.asset}) if young else {}
    count.calls += len(young)
    opening = balance
    for effects in reads.values():
        if effects is None:
            return None
        opening -= sum(effect.net - effect.fee for effect in effects)
    return Baseline(opening=opening, cursor=cursor)
