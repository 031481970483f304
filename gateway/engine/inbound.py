"""Notifications of providers: verified, stored byte for byte, answered at once; worked on afterwards, as hints.

What a notification says is never believed. It only names what must be read again, so it may come twice, late, or in any
order.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from sqlalchemy import RowMapping, delete, func, select, update

from gateway.domain.provider import Notification
from gateway.engine.billing import Billing
from gateway.engine.core import Core
from gateway.engine.donations.guard import Guard, Refusal
from gateway.engine.reading import Reading
from gateway.kernel.clock import real_clock
from gateway.kernel.errors import ErrorCode, NotFoundError, WorldError
from gateway.kernel.log import Log
from gateway.storage import schema
from gateway.storage.database import Tx
from gateway.storage.statements import insert_new

log = Log("engine")

BATCH: Final = 100  # notifications read at once
MAX_ROUNDS: Final = 100  # batches a turn; the loop comes back at once when another notification wakes it
PRUNE_LIMIT: Final = 1_000  # rows a sweep, so that it never holds locks for long
KEPT_FOR: Final = timedelta(days=30)  # for audit; providers repeat for three days at the most
NO_BODY: Final = "{}"  # of a notification whose words named a person
MAX_TRIES: Final = 12  # about three hours; the sweep reads the page on its own anyway
WAIT_MAX: Final = timedelta(minutes=30)
_PENDING, _DONE, _IGNORED = "pending", "done", "ignored"
# By which of our rows a notification may be known.
_NAMED: Final = (
    (schema.attempt, schema.attempt.c.id),
    (schema.attempt, schema.attempt.c.provider_reference),
    (schema.charge, schema.charge.c.reference),
    (schema.subscription, schema.subscription.c.reference),
    (schema.subscription_period, schema.subscription_period.c.reference),
)


class Inbound:
    """The inbox."""

    def __init__(self, core: Core, reading: Reading, billing: Billing, guard: Guard) -> None:
        self._core = core
        self._reading = reading
        self._billing = billing
        self._guard = guard

    def accept(self, processor: str, body: bytes, headers: Mapping[str, str]) -> bool:
        """Verify and store one notification; return whether it is new. Durable when it returns.

        Raises:
            NotFoundError: no such processor is configured.
            InvalidRequestError: `notification_refused`.
        """
        now = self._core.clock.now()
        room = self._core.hosted.get(processor)
        if room is None:
            raise NotFoundError(ErrorCode.NOT_FOUND, "No such provider is connected.")
        found = room.read_notification(body, headers, now=real_clock(self._core.clock).now())
        network = f"{processor}:{'live' if found.is_livemode else 'test'}"
        row = _row(self._core.ids.new("ntf"), network, found, body.decode(), now)
        is_new = self._core.db.write(lambda tx: insert_new(tx, schema.notification, row))
        if is_new:
            self._core.wake_inbox()
        if is_new and found.is_about_payout:
            self._core.wake_payouts()
        return is_new

    def drain(self) -> int:
        """Read again what pending notifications name, until none is left that is due; return how many."""
        handled = 0
        for _ in range(MAX_ROUNDS):
            count = self._drain_batch()
            handled += count
            if count < BATCH:
                break
        return handled

    def prune(self) -> int:
        """Forget notifications that were worked on long ago; return how many."""
        table, horizon = schema.notification, self._core.clock.now() - KEPT_FOR
        is_old = (table.c.received_at < horizon) & (table.c.status != _PENDING)

        def verb(tx: Tx) -> int:
            old = list(tx.scalars(select(table.c.id).where(is_old).limit(PRUNE_LIMIT)))
            if old:
                tx.execute(delete(table).where(table.c.id.in_(old)))
            return len(old)

        return self._core.db.write(verb)

    def _drain_batch(self) -> int:
        """Work on one batch; each object is read once, however many notifications name it."""
        table, now = schema.notification, self._core.clock.now()
        query = (
            select(table).where(table.c.status == _PENDING, table.c.due_at <= now).order_by(table.c.due_at).limit(BATCH)
        )
        rows = self._core.db.read(lambda tx: tx.execute(query).mappings().all())
        known = self._core.db.read(partial(_known, rows))
        ours = [row for row in rows if not known.isdisjoint(_names(row))]
        self._leave([row for row in rows if known.isdisjoint(_names(row))])
        by_attempt: dict[str | None, list[RowMapping]] = {}
        followed = {row["id"] for row in ours if self._billing.hint(row["network"], row["references"])}
        for row in ours:
            attempt_id = self._core.db.read(partial(_attempt_of, row, is_marked=row["id"] not in followed))
            if attempt_id is None and row["id"] in followed:
                self._close([row], _DONE)  # the subscription keeps the hint
            else:
                by_attempt.setdefault(attempt_id, []).append(row)
        self._core.crew.each([partial(self._work_on, attempt_id, named) for attempt_id, named in by_attempt.items()])
        if followed:
            self._billing.read_due()
        return len(rows)

    def _work_on(self, attempt_id: str | None, named: list[RowMapping]) -> bool:
        if attempt_id is None:
            self._leave(named)
            return False
        warn = any(row["is_fraud_warning"] for row in named)
        try:
            found = self._reading.read(attempt_id, also=partial(_warn, attempt_id) if warn else _nothing_else)
        except (WorldError, NotFoundError) as error:
            log.warning("notification_not_followed", attempt_id=attempt_id, code=error.code)
            found = None
        if found is None:
            self._put_off(named)
        else:
            self._close(named, _DONE)
        self._guard.note(attempt_id, [_refusal(row) for row in named if row["is_decline"]])
        return found is not None

    def _leave(self, strangers: list[RowMapping]) -> None:
        """Close what is not about us; a fraud warning comes again, for its charge may not have been read yet.

        Everything else that a notification could tell is read with the page anyway.
        """
        warnings = [row for row in strangers if row["is_fraud_warning"]]
        others = [row for row in strangers if not row["is_fraud_warning"]]
        if warnings:
            self._put_off(warnings)
        if others:
            self._close(others, _IGNORED)

    def _close(self, named: list[RowMapping], status: str) -> None:
        table = schema.notification
        values = {"status": status, "handled_at": self._core.clock.now()}
        is_them = table.c.id.in_([row["id"] for row in named])
        self._core.db.write(lambda tx: tx.execute(update(table).where(is_them).values(values)))

    def _put_off(self, named: list[RowMapping]) -> None:
        """Come back later, ever more rarely; after the last try the sweep alone watches the page."""
        table, now = schema.notification, self._core.clock.now()

        def verb(tx: Tx) -> None:
            for row in named:
                tries = row["tries"] + 1
                due_at = now + min(timedelta(seconds=2**tries), WAIT_MAX)
                status = _PENDING if tries < MAX_TRIES else _IGNORED
                changes = {"tries": tries, "due_at": due_at, "status": status}
                tx.execute(update(table).where(table.c.id == row["id"]).values(changes))

        self._core.db.write(verb)


def _refusal(row: RowMapping) -> Refusal:
    return Refusal(reference=f"{row['network']}:{row['event_id']}", card=row["card"])


def _warn(attempt_id: str, tx: Tx) -> None:
    """Keep a fraud warning: reading a charge does not show it, and nobody takes one back."""
    table = schema.charge
    tx.execute(update(table).where(table.c.attempt_id == attempt_id).values(has_fraud_warning=True))


def _nothing_else(_tx: Tx) -> None:
    """Add nothing to a reading."""


def _row(row_id: str, network: str, found: Notification, body: str, now: datetime) -> dict[str, Any]:
    return {
        "id": row_id,
        "network": network,
        "event_id": found.event_id,
        "type": found.type,
        "references": list(found.references),
        "attempt_id": found.attempt_id,
        "is_fraud_warning": found.is_fraud_warning,
        "is_decline": found.is_decline,
        "card": found.card,
        "body": NO_BODY if found.is_about_person else body,
        "status": _PENDING,
        "tries": 0,
        "due_at": now,
        "received_at": now,
        "handled_at": None,
    }


def _names(row: RowMapping) -> set[str]:
    """Return every id that a notification names."""
    return {*row["references"], *([] if row["attempt_id"] is None else [row["attempt_id"]])}


def _known(rows: Sequence[RowMapping], tx: Tx) -> set[str]:
    """Return the names in a batch that we know; on an account with other uses, most are of somebody else's objects."""
    known: set[str] = set()
    for network in {row["network"] for row in rows}:
        names = {name for row in rows if row["network"] == network for name in _names(row)}
        for table, column in _NAMED:
            known.update(tx.scalars(select(column).where(table.c.network == network, column.in_(names))))
    return known


def _attempt_of(row: RowMapping, tx: Tx, *, is_marked: bool) -> str | None:
    """Return the attempt that a notification is about: by our own mark on it, or by a reference that we know.

    The mark on a bill is that of the page on which its subscription began: it helps only while that is not known yet.
    """
    attempt, charge = schema.attempt, schema.charge
    is_ours = attempt.c.network == row["network"]
    if row["attempt_id"] is not None and is_marked:
        found = tx.scalar(select(attempt.c.id).where(attempt.c.id == row["attempt_id"], is_ours))
        if found is not None:
            return str(found)
    if not row["references"]:
        return None
    by_page = select(attempt.c.id).where(is_ours, attempt.c.provider_reference.in_(row["references"]))
    by_charge = select(charge.c.attempt_id).where(
        charge.c.network == row["network"], charge.c.reference.in_(row["references"])
    )
    found = tx.scalar(by_page.limit(1)) or tx.scalar(by_charge.limit(1))
    return None if found is None else str(found)


def forget_person(tx: Tx, email: str, payments: Sequence[str]) -> None:
    """Empty the notifications that name a person, by address or by payment; what they were about stays known."""
    table, attempts = schema.notification, schema.attempt
    tries = select(attempts.c.id).where(attempts.c.payment_id.in_(payments))
    names_them = func.lower(table.c.body).contains(email.lower(), autoescape=True)
    tx.execute(update(table).where(table.c.attempt_id.in_(tries) | names_them).values(body=NO_BODY))
