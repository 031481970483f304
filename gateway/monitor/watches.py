"""The monitor's memory: watched accounts, their cursors, and signatures that are not settled yet."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from sqlalchemy import ColumnElement, delete, or_, select, update

from gateway.domain.words import TransferStage
from gateway.storage.database import Database, Tx
from gateway.storage.schema import pending_signature, watch
from gateway.storage.statements import insert_new

PAGE: Final = 100  # accounts worked on together: their reads share batches, their progress one commit
MAX_PENDING: Final = 100_000  # unsettled signatures of one page of accounts; more wait in the listing for their turn
_IN_LIMIT: Final = 500  # values in one IN list
_UNREAD: Final = "unread"


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """A watched account; `cursor` is the newest signature below which everything is final and told."""

    network: str
    account: str
    asset: str
    cursor: str | None
    cursor_slot: int | None
    opening: int | None
    scanned_until: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A signature above the cursor that is remembered: `stage` as last told, None while it could not be read.

    `misses`: ticks in a row in which the chain did not know it.
    """

    account: str
    signature: str
    slot: int
    stage: TransferStage | None
    misses: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What one tick learned about one account, to be written after the sink has it."""

    watch: Watch
    keep: Sequence[Pending]
    forget: Sequence[str]
    cursor: tuple[str, int] | None
    is_clean: bool


def add_watch(tx: Tx, *, network: str, account: str, asset: str, now: datetime) -> bool:
    """Begin to watch an account; return False if it is watched already.

    What landed before `now` is history, and never told; the first tick takes the opening balance.
    """
    row = {"network": network, "account": account, "asset": asset, "created_at": now}
    return insert_new(tx, watch, row)


def pages(db: Database, network: str) -> Iterator[list[Watch]]:
    """Yield the watches of a network, a page at a time, ordered by account."""
    after = ""
    while page := db.read(partial(_page, network=network, after=after)):
        yield page
        after = page[-1].account


def _page(tx: Tx, *, network: str, after: str) -> list[Watch]:
    columns = [watch.c[name] for name in Watch.__dataclass_fields__]
    query = select(*columns).where(watch.c.network == network, watch.c.account > after)
    return [Watch(**row) for row in tx.execute(query.order_by(watch.c.account).limit(PAGE)).mappings()]


def load_pending(tx: Tx, network: str, accounts: Sequence[str]) -> dict[str, dict[str, Pending]]:
    """Return the unsettled signatures of accounts, by account and signature."""
    table = pending_signature
    query = (
        select(table.c.account, table.c.signature, table.c.slot, table.c.stage, table.c.misses)
        .where(table.c.network == network, table.c.account.in_(accounts))
        .order_by(table.c.account, table.c.slot)
        .limit(MAX_PENDING)
    )
    found: dict[str, dict[str, Pending]] = {account: {} for account in accounts}
    for account, signature, slot, stage, misses in tx.execute(query):
        found[account][signature] = Pending(
            account=account, signature=signature, slot=slot, stage=_stage(stage), misses=misses
        )
    return found


def set_baseline(tx: Tx, start: Watch, *, opening: int, cursor: tuple[str, int] | None) -> None:
    """Record where the watch begins, unless another monitor did it first."""
    signature, slot = cursor or (None, None)
    tx.execute(
        update(watch)
        .where(*_key(start), watch.c.opening.is_(None))
        .values(opening=opening, cursor=signature, cursor_slot=slot)
    )


def save(tx: Tx, progress: Sequence[Progress], *, known: Mapping[str, Mapping[str, Pending]], now: datetime) -> None:
    """Write what a tick learned about accounts of one network; `now` is the time before their listing began."""
    for one in progress:
        _forget(tx, one)
        for pending in one.keep:
            _remember(tx, one.watch.network, pending, known[one.watch.account].get(pending.signature), now)
        if one.cursor is not None:
            _move_cursor(tx, one.watch, one.cursor)
    clean = [one.watch for one in progress if one.is_clean]
    if clean:
        tx.execute(
            update(watch)
            .where(
                watch.c.network == clean[0].network,
                watch.c.account.in_([one.account for one in clean]),
                or_(watch.c.scanned_until.is_(None), watch.c.scanned_until < now),
            )
            .values(scanned_until=now)
        )


def remember(tx: Tx, network: str, pending: Pending, *, now: datetime) -> None:
    """Note a signature that was told already, unless it is known."""
    insert_new(tx, pending_signature, _row(network, pending, now))


def _remember(tx: Tx, network: str, pending: Pending, known: Pending | None, now: datetime) -> None:
    if pending == known:
        return
    if insert_new(tx, pending_signature, _row(network, pending, now)):
        return
    table = pending_signature
    tx.execute(
        update(table)
        .where(table.c.network == network, table.c.account == pending.account, table.c.signature == pending.signature)
        .values(slot=pending.slot, stage=pending.stage or _UNREAD, misses=pending.misses)
    )


def _row(network: str, pending: Pending, now: datetime) -> dict[str, object]:
    return {
        "network": network,
        "account": pending.account,
        "signature": pending.signature,
        "slot": pending.slot,
        "stage": pending.stage or _UNREAD,
        "misses": pending.misses,
        "first_seen_at": now,
    }


def _forget(tx: Tx, progress: Progress) -> None:
    table = pending_signature
    for start in range(0, len(progress.forget), _IN_LIMIT):
        some = progress.forget[start : start + _IN_LIMIT]
        tx.execute(
            delete(table).where(
                table.c.network == progress.watch.network,
                table.c.account == progress.watch.account,
                table.c.signature.in_(some),
            )
        )


def _move_cursor(tx: Tx, start: Watch, cursor: tuple[str, int]) -> None:
    """Move on from where this tick began; if another monitor has moved it meanwhile, its cursor stands."""
    at_start = watch.c.cursor.is_(None) if start.cursor is None else watch.c.cursor == start.cursor
    tx.execute(update(watch).where(*_key(start), at_start).values(cursor=cursor[0], cursor_slot=cursor[1]))


def _key(start: Watch) -> tuple[ColumnElement[bool], ...]:
    return watch.c.network == start.network, watch.c.account == start.account


def _stage(text: str) -> TransferStage | None:
    return None if text == _UNREAD else TransferStage(text)
