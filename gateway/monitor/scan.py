"""What a listing means: which signatures to read, what to tell, how far the cursor may go. Pure.

The cursor may pass a signature only if it is final, was read, and every older one was, too. Anything above it is
remembered until then, so that a fork that drops it is noticed and a second landing is seen.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from gateway.domain.chain import ChainObservation, ListedSignature, StageChange
from gateway.domain.words import TransferStage
from gateway.monitor.watches import Pending, Progress, Watch

MAX_MISSES: Final = 5  # ticks without a trace, at nodes that have come that far, before a signature counts as dropped
MAX_READS: Final = 2000  # signatures read for one page of accounts in one tick; dust beyond it waits for the next
MIN_READS: Final = 20  # of them for each account with news, however much dust the others get
BLOCK_TIME_SLACK: Final = timedelta(seconds=10)  # block time is whole seconds of a vote, not our clock

_ORDER: Final = {TransferStage.SEEN: 1, TransferStage.CONFIRMED: 2, TransferStage.FINAL: 3, TransferStage.DROPPED: 0}

Reads = Mapping[str, Sequence[ChainObservation] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The signatures above a cursor, oldest first; `is_complete` False if the newest did not fit."""

    rows: Sequence[ListedSignature]
    is_complete: bool


@dataclass(slots=True)
class Findings:
    """What one account's listing led to."""

    observations: list[ChainObservation] = field(default_factory=list)
    changes: list[StageChange] = field(default_factory=list)
    keep: list[Pending] = field(default_factory=list)
    forget: list[str] = field(default_factory=list)
    cursor: tuple[str, int] | None = None
    unreadable: int = 0
    waiting: int = 0

    def progress(self, watch: Watch) -> Progress:
        """Return what is to be written; clean means that nothing seen was left unread."""
        is_clean = not self.unreadable and not self.waiting
        return Progress(watch=watch, keep=self.keep, forget=self.forget, cursor=self.cursor, is_clean=is_clean)


def is_history(watch: Watch, row: ListedSignature | ChainObservation) -> bool:
    """Tell whether something landed before the watch began; what has no block time is not history."""
    return row.occurred_at is not None and row.occurred_at < watch.created_at - BLOCK_TIME_SLACK


def is_above_cursor(watch: Watch, row: ListedSignature) -> bool:
    """Tell whether a listed signature may be news.

    A node that forgot the cursor lists everything; then the slot tells old from new or, for a local chain that began
    again, the time.
    """
    if watch.cursor_slot is None or row.slot >= watch.cursor_slot or row.occurred_at is None:
        return True
    return row.occurred_at >= (watch.scanned_until or watch.created_at) - BLOCK_TIME_SLACK


def missing(listing: Listing, pending: Mapping[str, Pending]) -> list[str]:
    """Return remembered signatures that the listing does not show and should."""
    if not listing.is_complete:
        return []
    listed = {row.signature for row in listing.rows}
    return [signature for signature in pending if signature not in listed]


def fair_share(listings: Sequence[Listing]) -> int:
    """Return how many signatures each account of a page may have read in one tick."""
    busy = sum(bool(listing.rows) for listing in listings)
    return max(MAX_READS // max(busy, 1), MIN_READS)


def to_read(
    listing: Listing, pending: Mapping[str, Pending], stages: Mapping[str, TransferStage | None], *, limit: int
) -> list[str]:
    """Return the signatures to read now, oldest first."""
    hidden = [one.signature for one in pending.values() if one.stage is None and stages.get(one.signature)]
    fresh = [row.signature for row in listing.rows if not row.has_failed and not _is_told(row, pending)]
    return [*hidden, *fresh][:limit]


def conclude(
    watch: Watch,
    listing: Listing,
    *,
    pending: Mapping[str, Pending],
    stages: Mapping[str, TransferStage | None],
    reads: Reads,
) -> Findings:
    """Return what is to be told and remembered after one account's listing.

    Args:
        watch: the account.
        listing: what the chain lists above its cursor.
        pending: what is remembered of it, by signature.
        stages: the stages of the remembered signatures that `missing` named; None for one that the chain lost, left
            out where nobody can tell.
        reads: the effects of the signatures that `to_read` named; None for one that could not be read.
    """
    findings = Findings(waiting=0 if listing.is_complete else 1)
    may_advance = True
    for row in listing.rows:
        is_done = _take_row(findings, watch, row, pending.get(row.signature), reads)
        may_advance = may_advance and is_done and row.stage is TransferStage.FINAL
        if may_advance:
            findings.cursor = (row.signature, row.slot)
            findings.keep = []  # everything up to here is settled
            findings.forget += [row.signature] if row.signature in pending else []
    for signature in missing(listing, pending):
        if signature in stages:
            _take_missing(findings, watch, pending[signature], stages[signature], reads)
        else:  # the node that answered is behind: it stays as it is, and the window open
            findings.waiting += 1
    return findings


def _is_told(row: ListedSignature, pending: Mapping[str, Pending]) -> bool:
    known = pending.get(row.signature)
    return known is not None and known.stage is not None and known.slot == row.slot


def _take_row(findings: Findings, watch: Watch, row: ListedSignature, known: Pending | None, reads: Reads) -> bool:
    """Take one listed signature; return whether the sink will know all about it."""
    if row.has_failed:
        if known is not None:  # it landed again after a fork, and failed this time
            _drop(findings, watch, known)
        return True
    if known is not None and known.stage is not None and known.slot == row.slot:
        _move(findings, watch, known, row.stage)
        findings.keep.append(replace(known, stage=_later(known.stage, row.stage), misses=0))
        return True
    if row.signature not in reads:
        findings.waiting += 1
        return False
    told = _tell(findings, watch, row.signature, reads, stage=row.stage, slot=row.slot)
    if told is None:
        findings.unreadable += 1
    elif told == 0 and known is not None:  # it landed again after a fork, and does nothing for us this time
        findings.changes.append(_change(watch, known, TransferStage.DROPPED))
    stage = None if told is None else row.stage
    findings.keep.append(Pending(account=watch.account, signature=row.signature, slot=row.slot, stage=stage))
    return told is not None


def _take_missing(findings: Findings, watch: Watch, known: Pending, stage: TransferStage | None, reads: Reads) -> None:
    """Take a remembered signature that the list does not show: hidden from the index, or lost."""
    if stage is None:
        if known.stage is TransferStage.FINAL:
            # No chain takes that back, only a node forgets: the balance audit shows it if money is gone indeed.
            findings.forget.append(known.signature)
        elif known.misses + 1 >= MAX_MISSES:
            _drop(findings, watch, known)
        else:
            findings.keep.append(replace(known, misses=known.misses + 1))
        return
    if known.stage is None:
        told = _tell(findings, watch, known.signature, reads, stage=stage, slot=None)
        if told is None:
            findings.unreadable += 1
            findings.keep.append(replace(known, misses=0))
            return
    else:
        _move(findings, watch, known, stage)
    if stage is TransferStage.FINAL:
        findings.forget.append(known.signature)
    else:
        findings.keep.append(replace(known, stage=_later(known.stage or stage, stage), misses=0))


def _tell(
    findings: Findings, watch: Watch, signature: str, reads: Reads, *, stage: TransferStage, slot: int | None
) -> int | None:
    """Add the effects of a read signature on this account; return their number, None if it could not be read."""
    effects = reads.get(signature)
    if effects is None:
        return None
    own = [effect for effect in effects if effect.account == watch.account]
    # The list was made before the read: what it says of the stage holds, unless a fork moved the signature between.
    findings.observations += [
        replace(effect, stage=_later(effect.stage, stage)) if slot in {None, effect.slot} else effect for effect in own
    ]
    return len(own)


def _move(findings: Findings, watch: Watch, known: Pending, stage: TransferStage) -> None:
    if known.stage is not None and _ORDER[stage] > _ORDER[known.stage]:
        findings.changes.append(_change(watch, known, stage))


def _drop(findings: Findings, watch: Watch, known: Pending) -> None:
    findings.changes.append(_change(watch, known, TransferStage.DROPPED))
    findings.forget.append(known.signature)


def _change(watch: Watch, known: Pending, stage: TransferStage) -> StageChange:
    return StageChange(
        network=watch.network, signature=known.signature, account=watch.account, stage=stage, slot=known.slot
    )


def _later(one: TransferStage, other: TransferStage) -> TransferStage:
    return max(one, other, key=_ORDER.__getitem__)
