"""One key, one intent: run a verb once, and give the same answer to whoever asks again.

The key's row and what the verb writes are one tx, so there is no moment at which one exists without the other. The
scope is merchant, mode, route and key. Rules follow draft-ietf-httpapi-idempotency-key-header-07: 422 for another body,
409 while the first request is being worked on.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from gateway.engine.core import Core
from gateway.engine.records import Owner
from gateway.kernel.clock import real_clock
from gateway.kernel.errors import CallerError, ErrorCode, IdempotencyMismatchError, InFlightError
from gateway.storage import schema
from gateway.storage.database import Tx

KEPT_FOR: Final = timedelta(days=7)
REMEMBER: Final = insert(schema.idempotency)
_PRUNE_LIMIT: Final = 1000  # rows a sweep, so that it never holds locks for long


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A caller's name for one intent; without a key nothing is remembered."""

    owner: Owner
    route: str
    key: str | None
    request_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer: HTTP status, JSON text, and whether it was given before."""

    status_code: int
    body: str
    is_replay: bool = False
    # The verb has written the memory of this reply itself, together with what it is about.
    is_remembered: bool = False


class _InFlight:
    """Intents that this process works on; those of other processes wait on the unique key in the database."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: set[tuple[str, bool, str, str]] = set()

    @contextmanager
    def hold(self, intent: Intent) -> Iterator[None]:
        """Hold an intent, or refuse because somebody does."""
        name = (intent.owner.merchant_id, intent.owner.livemode, intent.route, intent.key or "")
        with self._lock:
            if name in self._held:
                raise InFlightError(
                    ErrorCode.IDEMPOTENCY_IN_FLIGHT,
                    "The same request is being worked on. Send it again in a second.",
                    retry_after_s=1,
                )
            self._held.add(name)
        try:
            yield
        finally:
            with self._lock:
                self._held.discard(name)


_in_flight: Final = _InFlight()


def once(core: Core, intent: Intent, verb: Callable[[Tx], Reply], *, is_one_statement: bool = False) -> Reply:
    """Run `verb` in one tx and remember its reply under the key; replay it when the key is known.

    A verb that `is_one_statement` where the database can makes its reply remembered in that very statement.

    Raises:
        InFlightError: another thread works on the same key now.
        IdempotencyMismatchError: the key came with another body before.
        IntegrityError: the verb itself broke a unique key; nothing was written.
    """
    write = core.db.write_at_once if is_one_statement else core.db.write
    if intent.key is None:
        return write(verb)
    with _in_flight.hold(intent):
        try:
            return write(lambda tx: _run(core, tx, intent, verb))
        except (IntegrityError, CallerError):
            # The key may be known: asking only now keeps one statement out of every first request.
            known = core.db.read(lambda tx: _replay(tx, intent))
            if known is None:
                raise
            return known


def prune(core: Core) -> int:
    """Forget replies older than seven days; return how many."""
    table = schema.idempotency
    horizon = real_clock(core.clock).now() - KEPT_FOR

    def verb(tx: Tx) -> int:
        old = tx.execute(
            select(table.c.merchant_id, table.c.livemode, table.c.route, table.c.key)
            .where(table.c.created_at < horizon)
            .limit(_PRUNE_LIMIT)
        ).all()
        for merchant_id, livemode, route, key in old:
            same_scope = (table.c.merchant_id == merchant_id) & (table.c.livemode == livemode)
            tx.execute(delete(table).where(same_scope & (table.c.route == route) & (table.c.key == key)))
        return len(old)

    return core.db.write(verb)


def _run(core: Core, tx: Tx, intent: Intent, verb: Callable[[Tx], Reply]) -> Reply:
    reply = verb(tx)
    if not reply.is_remembered:
        tx.execute(REMEMBER, memory(core, intent, reply))
    return reply


def memory(core: Core, intent: Intent, reply: Reply) -> dict[str, Any]:
    """Return the row of `REMEMBER`, for a verb that writes it itself."""
    return {
        "merchant_id": intent.owner.merchant_id,
        "livemode": intent.owner.livemode,
        "route": intent.route,
        "key": intent.key,
        "request_hash": intent.request_hash,
        "status_code": reply.status_code,
        "response": reply.body,
        "created_at": real_clock(core.clock).now(),  # requests are repeated in real time, whatever a test clock says
    }


def amend(core: Core, intent: Intent, reply: Reply) -> Reply:
    """Let a key answer with `reply` from now on: its verb had a second half, at a provider."""
    if intent.key is not None:
        values = {"status_code": reply.status_code, "response": reply.body}
        core.db.write(lambda tx: tx.execute(update(schema.idempotency).where(_is(intent)).values(values)))
    return reply


def forget(core: Core, intent: Intent) -> None:
    """Let a key be used again: its verb's second half certainly did nothing."""
    if intent.key is not None:
        core.db.write(lambda tx: tx.execute(delete(schema.idempotency).where(_is(intent))))


def _is(intent: Intent) -> ColumnElement[bool]:
    table = schema.idempotency
    scope = (table.c.merchant_id == intent.owner.merchant_id) & (table.c.livemode == intent.owner.livemode)
    return scope & (table.c.route == intent.route) & (table.c.key == intent.key)


def _replay(tx: Tx, intent: Intent) -> Reply | None:
    table = schema.idempotency
    row = tx.execute(
        select(table.c.request_hash, table.c.status_code, table.c.response).where(_is(intent))
    ).one_or_none()
    if row is None:
        return None
    if row.request_hash != intent.request_hash:
        raise IdempotencyMismatchError(
            ErrorCode.IDEMPOTENCY_MISMATCH,
            "This idempotency key was used with another body. Use a new key for a new request.",
        )
    return Reply(status_code=row.status_code, body=row.response, is_replay=True)
