"""The outbox's SQL: claim due rows under a lease, record what became of them.

A claim pushes `due_at` ahead by the lease and writes a token; whoever completes a row must still hold its token. A
dispatcher that dies leaves rows that become due again by themselves: nothing is lost, something may be sent twice.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    and_,
    bindparam,
    case,
    exists,
    func,
    insert,
    literal,
    select,
    text,
    type_coerce,
    update,
)

from gateway.kernel.canonical import canonical_json
from gateway.kernel.clock import to_micros
from gateway.outbox import endpoints
from gateway.outbox.model import DeliveryOutcome, EndpointStatus, OutboxStatus
from gateway.storage.database import Tx
from gateway.storage.schema import delivery, event, outbox, webhook_endpoint
from gateway.storage.types import Instant

LEASE: Final = timedelta(seconds=30)  # longer than one try can last (guard: 20 s) with a margin for recording it
ENDPOINTS_PER_CLAIM: Final = 50  # statements a claim; the others have their turn in the next one


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One claimed row: what to send where, and until when we may."""

    event_id: str
    endpoint_id: str
    merchant_id: str
    livemode: bool
    url: str
    is_failing: bool
    sealed_secrets: tuple[str, ...]
    body: bytes
    attempt: int
    lease: str
    lease_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How one try ended. `next_at` is None after a success and after the last try."""

    job: Job
    delivery_id: str
    at: datetime
    outcome: DeliveryOutcome
    status_code: int | None
    error: str | None
    latency_ms: int
    excerpt: str | None
    next_at: datetime | None

    @property
    def is_success(self) -> bool:
        """Tell whether the receiver took the event."""
        return self.outcome is DeliveryOutcome.SUCCEEDED


def claim(
    tx: Tx,
    now: datetime,
    *,
    lease: str,
    limit: int,
    full: Sequence[str],
    after: str,
    room: Callable[[str], int],
) -> list[Job]:
    """Claim up to `limit` due rows, oldest first within an endpoint, endpoint by endpoint in turns.

    Args:
        tx: the database tx.
        now: rows due by now are claimed until now plus the lease.
        lease: a fresh secret token.
        limit: rows in all.
        full: endpoints whose lanes take in nothing now.
        after: the endpoint that had the last turn.
        room: how many rows an endpoint's lane takes in.
    """
    rows: list[Any] = []
    targets = {row.id: row for row in _due_endpoints(tx, now, full, after)}
    for endpoint_id in targets:
        quota = min(limit - len(rows), room(endpoint_id))
        if quota > 0:
            rows += _claim_of(tx, endpoint_id, now, lease, quota)
    claimed = list(dict.fromkeys(row.endpoint_id for row in rows))
    secrets = endpoints.valid_secrets(tx, claimed, now)
    return [
        Job(
            event_id=row.event_id,
            endpoint_id=row.endpoint_id,
            merchant_id=targets[row.endpoint_id].merchant_id,
            livemode=targets[row.endpoint_id].livemode,
            url=targets[row.endpoint_id].url,
            is_failing=targets[row.endpoint_id].failing_since is not None,
            sealed_secrets=tuple(secrets.get(row.endpoint_id, ())),
            body=row.body.encode(),
            attempt=row.attempts + 1,
            lease=lease,
            lease_until=now + LEASE,
        )
        for row in rows
    ]


def next_due(tx: Tx) -> datetime | None:
    """Return when the next pending row is due, leases included; None when nothing waits."""
    due: datetime | None = tx.execute(
        select(func.min(outbox.c.due_at)).where(outbox.c.status == OutboxStatus.PENDING.value)
    ).scalar()
    return due


def record(tx: Tx, results: Sequence[Result]) -> None:
    """Log every try, and complete or postpone the rows whose lease still holds."""
    _log(tx, results)
    _complete(tx, [each.job for each in results if each.is_success])
    postponed = [each for each in results if each.next_at is not None]
    exhausted = [each for each in results if each.next_at is None and not each.is_success]
    if postponed:
        values: dict[str, Any] = {"due_at": bindparam("new_due"), "attempts": bindparam("new_attempts"), "lease": None}
        rows = [{**_held(each.job), "new_due": each.next_at, "new_attempts": each.job.attempt} for each in postponed]
        tx.execute(update(outbox).where(_HOLDS).values(**values), rows)
    if exhausted:
        failed: dict[str, Any] = {
            "status": OutboxStatus.FAILED.value,
            "attempts": bindparam("new_attempts"),
            "lease": None,
        }
        rows = [{**_held(each.job), "new_attempts": each.job.attempt} for each in exhausted]
        tx.execute(update(outbox).where(_HOLDS).values(**failed), rows)
    _record_health(tx, results)


def _complete(tx: Tx, jobs: Sequence[Job]) -> None:
    """Mark rows succeeded that are still ours: one statement on PostgreSQL, elsewhere one for each endpoint."""
    if not jobs:
        return
    ordered = sorted(jobs, key=lambda each: (each.event_id, each.endpoint_id))
    if tx.dialect.name == "postgresql":
        arrays = {name: [getattr(each, name) for each in ordered] for name in ("event_id", "endpoint_id", "lease")}
        tx.execute(_COMPLETE_AT_ONCE, arrays)
        return
    groups: dict[tuple[str, str], list[str]] = {}
    for each in ordered:
        groups.setdefault((each.endpoint_id, each.lease), []).append(each.event_id)
    for (endpoint_id, lease), event_ids in sorted(groups.items()):
        is_held = and_(outbox.c.event_id.in_(event_ids), outbox.c.endpoint_id == endpoint_id, outbox.c.lease == lease)
        done = {"status": OutboxStatus.SUCCEEDED.value, "attempts": outbox.c.attempts + 1, "lease": None}
        tx.execute(update(outbox).where(is_held).values(**done))


def carry_leases(tx: Tx, step: timedelta) -> None:
    """Move the ends of leases with a clock that is moved by `step`: what is being sent is not sent a second time."""
    is_held = (outbox.c.status == OutboxStatus.PENDING.value) & outbox.c.lease.is_not(None)
    tx.execute(update(outbox).where(is_held).values(due_at=_later(outbox.c.due_at, step)))


def carry_failures(tx: Tx, step: timedelta) -> None:
    """Move since when endpoints fail with a clock that is moved by `step`: in days that were skipped nobody tried."""
    since = webhook_endpoint.c.failing_since
    tx.execute(update(webhook_endpoint).where(since.is_not(None)).values(failing_since=_later(since, step)))


def _later(instant: ColumnElement[datetime], step: timedelta) -> ColumnElement[datetime]:
    return type_coerce(instant + literal(step // timedelta(microseconds=1), BigInteger), Instant)


def release(tx: Tx, jobs: Sequence[Job], now: datetime) -> None:
    """Give claimed rows back untried: they are due now again."""
    if jobs:
        rows = [{**_held(each), "new_due": now} for each in jobs]
        tx.execute(update(outbox).where(_HOLDS).values(due_at=bindparam("new_due"), lease=None), rows)


_HOLDS: Final = and_(
    outbox.c.event_id == bindparam("held_event"),
    outbox.c.endpoint_id == bindparam("held_endpoint"),
    outbox.c.lease == bindparam("held_lease"),
)


def _held(job: Job) -> dict[str, str]:
    return {"held_event": job.event_id, "held_endpoint": job.endpoint_id, "held_lease": job.lease}


def _due_endpoints(tx: Tx, now: datetime, full: Sequence[str], after: str) -> Sequence[Any]:
    """Return enabled endpoints with due rows, beginning after the one that had the last turn."""
    due = exists().where(
        outbox.c.endpoint_id == webhook_endpoint.c.id,
        outbox.c.status == OutboxStatus.PENDING.value,
        outbox.c.due_at <= now,
    )
    columns = (
        webhook_endpoint.c.id,
        webhook_endpoint.c.merchant_id,
        webhook_endpoint.c.livemode,
        webhook_endpoint.c.url,
        webhook_endpoint.c.failing_since,
    )
    query = select(*columns).where(
        webhook_endpoint.c.status == EndpointStatus.ENABLED.value, webhook_endpoint.c.deleted_at.is_(None), due
    )
    if full:
        query = query.where(webhook_endpoint.c.id.not_in(full))
    turn = case((webhook_endpoint.c.id > after, 0), else_=1)
    return tx.execute(query.order_by(turn, webhook_endpoint.c.id).limit(ENDPOINTS_PER_CLAIM)).all()


def _claim_of(tx: Tx, endpoint_id: str, now: datetime, lease: str, limit: int) -> Sequence[Any]:
    """Claim due rows of one endpoint; rows that another dispatcher holds right now are passed over, not waited for."""
    if tx.dialect.name == "postgresql":
        values = {"endpoint_id": endpoint_id, "now": to_micros(now), "until": to_micros(now + LEASE)}
        return tx.execute(_CLAIM_AT_ONCE, {**values, "lease": lease, "limit": limit}).all()
    picked = (
        select(outbox.c.event_id)
        .where(
            outbox.c.endpoint_id == endpoint_id,
            outbox.c.status == OutboxStatus.PENDING.value,
            outbox.c.due_at <= now,
        )
        .order_by(outbox.c.due_at, outbox.c.event_id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    event_ids = tx.execute(picked).scalars().all()
    if not event_ids:
        return ()
    is_picked = and_(outbox.c.event_id.in_(event_ids), outbox.c.endpoint_id == endpoint_id)
    tx.execute(update(outbox).where(is_picked).values(due_at=now + LEASE, lease=lease))
    columns = (outbox.c.event_id, outbox.c.endpoint_id, outbox.c.attempts, event.c.body)
    return tx.execute(select(*columns).join(event, event.c.id == outbox.c.event_id).where(is_picked)).all()


def _log(tx: Tx, results: Sequence[Result]) -> None:
    """Insert a delivery for each try; PostgreSQL takes all of them in one JSON value, five times cheaper than rows."""
    rows = [_logged(each) for each in results]
    if tx.dialect.name != "postgresql":
        tx.execute(insert(delivery), rows)
        return
    for row in rows:
        row["created_at"] = to_micros(row["created_at"])
        row["next_attempt_at"] = row["next_attempt_at"] and to_micros(row["next_attempt_at"])
    tx.execute(_LOG_AT_ONCE, {"rows": canonical_json(rows)})


# PostgreSQL says in one statement what the others need three for: `bench webhooks` shows that it pays.
_CLAIM_AT_ONCE: Final = text(
    "WITH picked AS MATERIALIZED (SELECT event_id FROM outbox WHERE endpoint_id = :endpoint_id "
    "AND status = 'pending' AND due_at <= :now ORDER BY due_at, event_id LIMIT :limit FOR UPDATE SKIP LOCKED) "
    "UPDATE outbox SET due_at = :until, lease = :lease FROM picked, event "
    "WHERE outbox.event_id = picked.event_id AND outbox.endpoint_id = :endpoint_id AND event.id = picked.event_id "
    "RETURNING outbox.event_id, outbox.endpoint_id, outbox.attempts, event.body"
)
_COMPLETE_AT_ONCE: Final = text(
    "UPDATE outbox SET status = 'succeeded', attempts = outbox.attempts + 1, lease = NULL FROM "
    "unnest(CAST(:event_id AS text[]), CAST(:endpoint_id AS text[]), CAST(:lease AS text[])) "
    "AS done(event_id, endpoint_id, lease) WHERE outbox.event_id = done.event_id "
    "AND outbox.endpoint_id = done.endpoint_id AND outbox.lease = done.lease"
)
_LOG_AT_ONCE: Final = text(
    "INSERT INTO delivery (id, event_id, endpoint_id, attempt, outcome, status_code, error, latency_ms, "
    "response_excerpt, created_at, next_attempt_at) "
    "SELECT id, event_id, endpoint_id, attempt, outcome, status_code, error, latency_ms, response_excerpt, "
    "created_at, next_attempt_at FROM json_to_recordset(CAST(:rows AS json)) AS r(id text, event_id text, "
    "endpoint_id text, attempt int, outcome text, status_code int, error text, latency_ms int, "
    "response_excerpt text, created_at bigint, next_attempt_at bigint)"
)


def _logged(result: Result) -> dict[str, Any]:
    return {
        "id": result.delivery_id,
        "event_id": result.job.event_id,
        "endpoint_id": result.job.endpoint_id,
        "attempt": result.job.attempt,
        "outcome": result.outcome.value,
        "status_code": result.status_code,
        "error": result.error,
        "latency_ms": result.latency_ms,
        "response_excerpt": result.excerpt,
        "created_at": result.at,
        "next_attempt_at": result.next_at,
    }


def _record_health(tx: Tx, results: Sequence[Result]) -> None:
    """Note since when each endpoint has had nothing but failures; one success ends that."""
    taken = {each.job.endpoint_id for each in results if each.is_success}
    well = sorted(taken & {each.job.endpoint_id for each in results if each.job.is_failing or not each.is_success})
    ill = {
        each.job.endpoint_id: each.at for each in results if not each.is_success and each.job.endpoint_id not in well
    }
    if well:
        tx.execute(
            update(webhook_endpoint)
            .where(webhook_endpoint.c.id.in_(well), webhook_endpoint.c.failing_since.is_not(None))
            .values(failing_since=None)
        )
    for endpoint_id, at in sorted(ill.items()):
        tx.execute(
            update(webhook_endpoint)
            .where(webhook_endpoint.c.id == endpoint_id, webhook_endpoint.c.failing_since.is_(None))
            .values(failing_since=at)
        )


def failing_since_before(tx: Tx, endpoint_ids: Sequence[str], instant: datetime) -> list[str]:
    """Return which of these endpoints have had nothing but failures since before `instant`."""
    if not endpoint_ids:
        return []
    query = select(webhook_endpoint.c.id).where(
        webhook_endpoint.c.id.in_(endpoint_ids), webhook_endpoint.c.failing_since <= instant
    )
    return list(tx.execute(query.order_by(webhook_endpoint.c.id)).scalars())
