"""Commands at providers: reserved and committed, sent outside any database tx, their outcome committed.

The operation's id is the provider's idempotency key, so a command may be sent again after a crash without being carried
out again. An outcome that is not known blocks the next command until `resolve` has read it at the provider.
"""

from datetime import timedelta
from functools import partial
from typing import Any, Final, Protocol

from sqlalchemy import select, update

from gateway.domain.words import OperationKind, OperationStatus
from gateway.engine.core import Core
from gateway.engine.operations import OPEN, WALLET_KINDS, close, load_operation
from gateway.engine.records import OperationRecord, load_payment
from gateway.engine.refresh import refresh
from gateway.kernel.errors import (
    CallerError,
    DeclinedError,
    ErrorCode,
    GatewayError,
    RepeatedFailureError,
    TemporaryError,
    UnknownOutcomeError,
)
from gateway.kernel.log import Log
from gateway.storage import schema
from gateway.storage.database import Tx

log = Log("engine")

PATIENCE: Final = timedelta(seconds=10)  # before an open command is taken up again: its first sender may still wait
SWEEP_LIMIT: Final = 100  # commands a sweep
_KINDS: Final = tuple(kind.value for kind in OperationKind if kind not in WALLET_KINDS)


class Carrier(Protocol):
    """How one kind of command is carried out; `Any` is whatever its provider answers, handed from one to the next."""

    def send(self, operation: OperationRecord) -> Any:
        """Send it, for the first time or again."""
        ...

    def find(self, operation: OperationRecord) -> Any | None:
        """Look at the provider for what it did; None when it certainly did nothing yet."""
        ...

    def store(self, tx: Tx, operation: OperationRecord, answer: Any) -> None:
        """Record its effect; the caller holds the payment's lock and closes the operation."""
        ...

    def refuse(self, tx: Tx, operation: OperationRecord, reason: str) -> None:
        """Record that it had none."""
        ...


class Commands:
    """Carries out operations; each kind has its carrier."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._carriers: dict[OperationKind, Carrier] = {}

    def carry(self, kind: OperationKind, carrier: Carrier) -> None:
        """Name the carrier of a kind."""
        self._carriers[kind] = carrier

    def run(self, operation: OperationRecord, *, is_first: bool) -> None:
        """Send an operation and record its outcome.

        `is_first`: this very operation was committed just now by the caller, so a provider that certainly did nothing
        ends it; when it may have been sent before, only reading can.

        Raises:
            DeclinedError, CallerError: the provider refused it for good.
            TemporaryError: nothing happened; the operation is over if it was the first sending.
            UnknownOutcomeError: it may have happened; the sweep finds out.
        """
        carrier = self._carriers[operation.kind]
        try:
            answer = carrier.send(operation)
        except RepeatedFailureError as error:
            answer = carrier.find(operation)
            if answer is None:
                self._reject(operation, error)
                raise
        except UnknownOutcomeError:
            self._mark(operation, OperationStatus.UNKNOWN)
            raise
        except (DeclinedError, CallerError) as error:
            self._reject(operation, error)
            raise
        except TemporaryError as error:
            if is_first:
                self._reject(operation, error)
            else:
                self._mark(operation, OperationStatus.SUBMITTED)
            raise
        self._succeed(operation, answer)

    def resolve(self) -> int:
        """Take up what has stayed open: read at the provider, send again while its key is young, or give up.

        Returns:
            How many operations were closed.
        """
        table, attempt = schema.operation, schema.attempt
        cutoff = self._core.clock.now() - PATIENCE
        query = (
            select(table, attempt.c.processor)
            .join(attempt, attempt.c.id == table.c.attempt_id)
            .where(table.c.status.in_(OPEN), table.c.kind.in_(_KINDS), table.c.updated_at < cutoff)
            .order_by(table.c.updated_at)
            .limit(SWEEP_LIMIT)
        )
        found = self._core.db.read(lambda tx: [dict(row) for row in tx.execute(query).mappings()])
        away: set[str] = set()  # a provider that does not answer is left in peace for the rest of this turn
        waiting = [(row.pop("processor"), OperationRecord.of(row)) for row in found]
        return self._core.crew.each([partial(self._resolve, one, processor, away) for processor, one in waiting])

    def _resolve(self, operation: OperationRecord, processor: str, away: set[str]) -> bool:
        """Close one operation if that is possible now; return whether it was."""
        if processor in away:
            return False
        carrier = self._carriers[operation.kind]
        try:
            answer = carrier.find(operation)
            if answer is not None:
                self._succeed(operation, answer)
            elif self._is_key_young(operation, processor):
                self.run(operation, is_first=False)
            else:
                self._reject(operation, TemporaryError(ErrorCode.PROVIDER_UNAVAILABLE, "It was never carried out."))
        except GatewayError as error:
            if isinstance(error, TemporaryError):
                away.add(processor)
            log.info("operation_not_closed", operation_id=operation.id, kind=operation.kind.value, code=error.code)
        closed = self._core.db.read(lambda tx: load_operation(tx, operation.id)).status.value not in OPEN
        if not closed:
            self._touch(operation)
        return closed

    def _is_key_young(self, operation: OperationRecord, processor: str) -> bool:
        """Tell whether the provider still knows the key; an older one could open a second of whatever it opens."""
        return self._core.clock.now() - operation.created_at < self._core.provider(processor).key_lifetime

    def _succeed(self, operation: OperationRecord, answer: Any) -> None:
        def verb(tx: Tx) -> None:
            load_payment(tx, operation.payment_id, lock=True)
            if load_operation(tx, operation.id).status.value not in OPEN:
                return  # somebody else has recorded it
            self._carriers[operation.kind].store(tx, operation, answer)
            close(self._core, tx, operation.id, OperationStatus.SUCCEEDED)
            refresh(self._core, tx, operation.payment_id)

        self._core.db.write(verb)
        self._core.wake_delivery()

    def _reject(self, operation: OperationRecord, error: GatewayError) -> None:
        def verb(tx: Tx) -> None:
            load_payment(tx, operation.payment_id, lock=True)
            if load_operation(tx, operation.id).status.value not in OPEN:
                return
            self._carriers[operation.kind].refuse(tx, operation, error.code.value)
            close(self._core, tx, operation.id, OperationStatus.REJECTED, error.code.value)
            refresh(self._core, tx, operation.payment_id)

        self._core.db.write(verb)
        self._core.wake_delivery()

    def _mark(self, operation: OperationRecord, status: OperationStatus) -> None:
        """Note that it was sent and that its outcome is not known; the payment shows it."""

        def verb(tx: Tx) -> None:
            load_payment(tx, operation.payment_id, lock=True)
            close(self._core, tx, operation.id, status)
            refresh(self._core, tx, operation.payment_id)

        self._core.db.write(verb)

    def _touch(self, operation: OperationRecord) -> None:
        """Put it to the end of the queue, so that one dead provider does not hold up the others."""
        table = schema.operation
        is_it = (table.c.id == operation.id) & table.c.status.in_(OPEN)
        statement = update(table).where(is_it).values(updated_at=self._core.clock.now())
        self._core.db.write(partial(_execute, statement))


def _execute(statement: Any, tx: Tx) -> None:
    tx.execute(statement)
