"""Events: stored in the verb's own database tx, fanned out to endpoints, published in the order of commits.

Ids are made before the commit, so neither id nor time tells the order in which events become visible. `publish` gives
every committed event a position in `event_feed`; whoever polls reads positions and misses nothing.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import bindparam, exists, func, insert, literal, null, select
from sqlalchemy.exc import IntegrityError

from gateway.domain.events import Event
from gateway.kernel.clock import Clock, MovedClock, from_micros
from gateway.kernel.errors import ErrorCode, InvalidRequestError, NotFoundError
from gateway.kernel.ids import id_at, is_id
from gateway.outbox.model import ALL_EVENTS, EndpointStatus, OutboxStatus, Page, StoredEvent
from gateway.outbox.paging import MAX_LIMIT, newest_first
from gateway.storage.database import Database, Tx
from gateway.storage.schema import event, event_feed, outbox, webhook_endpoint, webhook_subscription
from gateway.storage.together import Together

# Longer than any database tx may live: a statement ends after 30 s, an idle tx after 60 s, retries within minutes.
HORIZON: Final = timedelta(minutes=10)
PUBLISH_BATCH: Final = 1000  # rows a statement: tens of milliseconds
PUBLISH_ROUNDS: Final = 20  # batches a call: the loop that calls it comes back at once
_ENTROPY_MAX: Final = (1 << 62) - 1
_COLUMNS: Final = (event.c.id, event.c.type, event.c.object_id, event.c.body, event.c.created_at)


_OUTBOX_COLUMNS: Final = ["event_id", "endpoint_id", "status", "due_at", "attempts", "lease", "created_at"]
# Built once: putting a statement together costs more than sending it, and every verb sends these two.
_STORE: Final = insert(event)
_FAN_OUT: Final = insert(outbox).from_select(
    _OUTBOX_COLUMNS,
    select(
        bindparam("event_id", type_=event.c.id.type),
        webhook_endpoint.c.id,
        literal(OutboxStatus.PENDING.value),
        bindparam("now", type_=outbox.c.due_at.type),
        literal(0),
        null(),
        bindparam("now", type_=outbox.c.created_at.type),
    ).where(
        webhook_endpoint.c.merchant_id == bindparam("merchant_id"),
        webhook_endpoint.c.livemode == bindparam("livemode"),
        webhook_endpoint.c.status == EndpointStatus.ENABLED.value,
        webhook_endpoint.c.deleted_at.is_(None),
        exists().where(
            webhook_subscription.c.endpoint_id == webhook_endpoint.c.id,
            webhook_subscription.c.type.in_([bindparam("type"), ALL_EVENTS]),
        ),
    ),
)


# What `append` inserts, for a verb that inserts more together with it; `append_rows` gives the rows.
APPEND: Final = (_STORE, _FAN_OUT)
_APPEND: Final = Together(*APPEND)


def append(tx: Tx, fact: Event) -> None:
    """Store an event and its way to every enabled endpoint that subscribed to it."""
    _APPEND.execute(tx, *append_rows(fact))


def append_rows(fact: Event) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the rows of `APPEND`."""
    way = {
        "event_id": fact.id,
        "merchant_id": fact.merchant_id,
        "livemode": fact.livemode,
        "type": fact.type.value,
        "now": fact.created_at,
    }
    return _event_row(fact), way


def store(tx: Tx, fact: Event) -> None:
    """Store an event that goes to no endpoint by itself; `append` is what verbs call."""
    tx.execute(_STORE, _event_row(fact))


def _event_row(fact: Event) -> dict[str, Any]:
    return {
        "id": fact.id,
        "merchant_id": fact.merchant_id,
        "livemode": fact.livemode,
        "type": fact.type.value,
        "object_id": fact.object_id,
        "sequence": fact.sequence,
        "body": fact.body(),
        "created_at": fact.created_at,
    }


def next_sequence(tx: Tx, object_id: str) -> int:
    """Return the number of the next event of an object; the caller holds the lock of that object's row."""
    newest = tx.execute(select(func.max(event.c.sequence)).where(event.c.object_id == object_id)).scalar()
    return (newest or 0) + 1


# --- publication -------------------------------------------------------------------------------------------------


def publish(db: Database, clock: Clock) -> int:
    """Give committed events their place in the feed; return how many were placed.

    Events within the horizon that have no position yet are found by their absence, never by `id > last_seen`, so a tx
    that commits late is still seen. Two publishers at once meet in the primary key of `event_feed`: one gives way, and
    a position is visible only after every smaller one.
    """
    placed = 0
    for _ in range(PUBLISH_ROUNDS):
        try:
            count = db.write(lambda tx: _publish_batch(tx, clock.now(), _reach_back(clock)))
        except IntegrityError:
            return placed  # another publisher took these positions: it places the same events
        placed += count
        if count < PUBLISH_BATCH:
            break
    return placed


def _reach_back(clock: Clock) -> timedelta:
    """Return how old an event may be that has no position yet; a clock that was just moved makes all of them older."""
    return HORIZON + (clock.moved_within(HORIZON) if isinstance(clock, MovedClock) else timedelta(0))


def _publish_batch(tx: Tx, now: datetime, reach_back: timedelta) -> int:
    unplaced = (
        select(event.c.id, event.c.merchant_id, event.c.livemode, event.c.type)
        .where(event.c.id >= _horizon(tx, now, reach_back), ~exists().where(event_feed.c.event_id == event.c.id))
        .order_by(event.c.id)
        .limit(PUBLISH_BATCH)
        .subquery()
    )
    newest = select(func.coalesce(func.max(event_feed.c.position), 0)).scalar_subquery()
    rows = select(
        newest + func.row_number().over(order_by=unplaced.c.id),
        unplaced.c.id,
        unplaced.c.merchant_id,
        unplaced.c.livemode,
        unplaced.c.type,
    )
    statement = insert(event_feed).from_select(["position", "event_id", "merchant_id", "livemode", "type"], rows)
    return tx.execute(statement, execution_options={"preserve_rowcount": True}).rowcount


def _horizon(tx: Tx, now: datetime, reach_back: timedelta) -> str:
    """Return the smallest id that may still lack a position.

    Counted from the newest published event, not from now: after a night without a publisher nothing is skipped. Ids
    from beyond now (a clock that was set back) do not move it.
    """
    reach = id_at("evt", now, entropy=_ENTROPY_MAX)
    newest = tx.execute(select(func.max(event_feed.c.event_id)).where(event_feed.c.event_id <= reach)).scalar()
    return "" if newest is None else id_at("evt", _instant(newest) - reach_back)


def _instant(event_id: str) -> datetime:
    """Return the time of a TypeID to the millisecond: the first 48 of its 128 bits (RFC 9562, UUIDv7)."""
    digits = "0123456789abcdefghjkmnpqrstvwxyz"
    number = 0
    for character in event_id.partition("_")[2]:
        number = number << 5 | digits.index(character)
    return from_micros((number >> 80) * 1000)


# --- reads -------------------------------------------------------------------------------------------------------


def feed(
    tx: Tx,
    merchant_id: str,
    *,
    livemode: bool,
    after_event_id: str | None = None,
    types: Sequence[str] = (),
    limit: int = 10,
) -> Page[StoredEvent]:
    """Return published events, oldest first, after a given one: the polling transport.

    An event that is stored but not published yet may be the cursor; its page is empty until it is.

    Raises:
        InvalidRequestError: `cursor_invalid`: the cursor is no event of this merchant and mode.
    """
    assert 1 <= limit <= MAX_LIMIT, "doors check the limit"
    query = (
        select(*_COLUMNS)
        .join(event_feed, event_feed.c.event_id == event.c.id)
        .where(event_feed.c.merchant_id == merchant_id, event_feed.c.livemode == livemode)
        .order_by(event_feed.c.position)
        .limit(limit + 1)
    )
    if after_event_id is not None:
        position = _position(tx, merchant_id, after_event_id, livemode=livemode)
        if position is None:
            return Page(items=(), has_more=False)
        query = query.where(event_feed.c.position > position)
    if types:
        query = query.where(event_feed.c.type.in_(list(types)))
    rows = tx.execute(query).all()
    return Page(items=tuple(map(_stored, rows[:limit])), has_more=len(rows) > limit)


def retrieve(tx: Tx, merchant_id: str, event_id: str, *, livemode: bool) -> StoredEvent:
    """Return one event.

    Raises:
        NotFoundError: no such event of this merchant and mode.
    """
    row = None
    if is_id(event_id, "evt"):
        row = tx.execute(
            select(*_COLUMNS).where(
                event.c.id == event_id, event.c.merchant_id == merchant_id, event.c.livemode == livemode
            )
        ).one_or_none()
    if row is None:
        raise NotFoundError(ErrorCode.NOT_FOUND, "There is no such event.")
    return _stored(row)


def list_events(
    tx: Tx,
    merchant_id: str,
    *,
    livemode: bool,
    types: Sequence[str] = (),
    limit: int = 10,
    starting_after: str | None = None,
    ending_before: str | None = None,
) -> Page[StoredEvent]:
    """Return events, newest first.

    Raises:
        InvalidRequestError: `cursor_invalid`.
    """
    query = select(*_COLUMNS).where(event.c.merchant_id == merchant_id, event.c.livemode == livemode)
    if types:
        query = query.where(event.c.type.in_(list(types)))
    rows, has_more = newest_first(
        tx,
        query,
        event.c.id,
        prefix="evt",
        limit=limit,
        starting_after=starting_after,
        ending_before=ending_before,
    )
    return Page(items=tuple(map(_stored, rows)), has_more=has_more)


def _position(tx: Tx, merchant_id: str, event_id: str, *, livemode: bool) -> int | None:
    """Return where an event of this merchant stands in the feed; None if it is not published yet."""
    row = None
    if is_id(event_id, "evt"):
        row = tx.execute(
            select(event_feed.c.position)
            .select_from(event.outerjoin(event_feed, event_feed.c.event_id == event.c.id))
            .where(event.c.id == event_id, event.c.merchant_id == merchant_id, event.c.livemode == livemode)
        ).one_or_none()
    if row is None:
        raise InvalidRequestError(ErrorCode.CURSOR_INVALID, "Send the id of an event of yours.", param="/after")
    position: int | None = row.position
    return position


def _stored(row: Any) -> StoredEvent:
    return StoredEvent(id=row.id, type=row.type, object_id=row.object_id, body=row.body, created_at=row.created_at)
