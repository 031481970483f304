"""Charges: take held money, in whole or in parts, or let it go."""

import json
from collections.abc import Callable
from typing import Any

from gateway.domain.provider import ProviderSnapshot
from gateway.domain.words import ChargeStatus, OperationKind, PaymentStatus
from gateway.engine.commands import Commands
from gateway.engine.core import Core
from gateway.engine.hosted import command_at
from gateway.engine.idempotency import Intent, Reply, amend, forget, once
from gateway.engine.operations import refuse_while_open, reserve
from gateway.engine.payments import own_payment, shown_payment
from gateway.engine.reading import Reading, charge_of
from gateway.engine.records import (
    AttemptRecord,
    ChargeRecord,
    OperationRecord,
    PaymentRecord,
    load_attempt,
    load_charges,
)
from gateway.kernel.canonical import canonical_json
from gateway.kernel.errors import (
    ConflictError,
    DeclinedError,
    ErrorCode,
    InvalidRequestError,
    NotFoundError,
    RepeatedFailureError,
    TemporaryError,
    UnknownOutcomeError,
)
from gateway.kernel.log import Log
from gateway.kernel.money import Money, parse_money
from gateway.storage.database import Tx

log = Log("engine")

OK = 200


class Charges:
    """The verbs of held money."""

    def __init__(self, core: Core, commands: Commands, reading: Reading) -> None:
        self._core = core
        self._commands = commands
        commands.carry(OperationKind.CAPTURE, _Capture(core, reading))
        commands.carry(OperationKind.VOID, _Void(core, reading))

    def capture(self, intent: Intent, payment_id: str, *, amount: str | None, is_final: bool) -> Reply:
        """Take held money: all of it, or `amount` in major units; `is_final` lets the rest go.

        Raises:
            NotFoundError: there is no such payment, or it is somebody else's.
            ConflictError: nothing is held, or an earlier command has no outcome yet.
            InvalidRequestError: more than is held.
            DeclinedError: the provider refused it; nothing was taken.
            TemporaryError: nothing happened; send it again with the same key.
            UnknownOutcomeError: it may have happened; the payment tells within a minute.
        """

        def reservation(tx: Tx, _payment: PaymentRecord, charge: ChargeRecord) -> OperationRecord:
            wanted = charge.capturable if amount is None else parse_money(amount, charge.amount.currency)
            if wanted > charge.capturable:
                raise InvalidRequestError(
                    ErrorCode.AMOUNT_TOO_LARGE,
                    f"At most {charge.capturable} is held and may be captured.",
                    param="/amount",
                )
            payload = {
                "amount": wanted.atomic,
                "currency": wanted.currency,
                "is_final": is_final,
                "captured_before": charge.captured.atomic,
            }
            attempt = load_attempt(tx, charge.attempt_id)
            return reserve(self._core, tx, attempt, OperationKind.CAPTURE, payload)

        return self._command(intent, payment_id, reservation)

    def cancel(self, intent: Intent, payment_id: str) -> Reply:
        """Let held money go.

        Raises:
            as `capture`.
        """

        def reservation(tx: Tx, _payment: PaymentRecord, charge: ChargeRecord) -> OperationRecord:
            return reserve(self._core, tx, load_attempt(tx, charge.attempt_id), OperationKind.VOID, {})

        return self._command(intent, payment_id, reservation)

    def _command(self, intent: Intent, payment_id: str, reservation: Any) -> Reply:
        """Reserve under the caller's key, carry out, and let the key answer with the outcome from then on."""
        reserved: list[OperationRecord] = []

        def verb(tx: Tx) -> Reply:
            payment = own_payment(tx, intent.owner, payment_id, lock=True)
            refuse_while_open(tx, payment.id)
            reserved.clear()  # a tx that is tried again leaves nothing of its first try
            reserved.append(reservation(tx, payment, _held(tx, payment)))
            return Reply(status_code=OK, body=canonical_json(shown_payment(tx, payment.id)))

        reply = once(self._core, intent, verb)
        if reply.is_replay or not reserved:
            return reply
        try:
            self._commands.run(reserved[0], is_first=True)
        except UnknownOutcomeError as error:
            if isinstance(error, RepeatedFailureError):
                forget(self._core, intent)
            raise
        except (ConflictError, DeclinedError, TemporaryError):
            forget(self._core, intent)
            raise
        body = self._core.db.read(lambda tx: canonical_json(shown_payment(tx, payment_id)))
        return amend(self._core, intent, Reply(status_code=OK, body=body))


def _held(tx: Tx, payment: PaymentRecord) -> ChargeRecord:
    held = [one for one in load_charges(tx, payment.id) if one.status is ChargeStatus.AUTHORIZED and one.capturable]
    if payment.status is not PaymentStatus.AUTHORIZED or not held:
        raise ConflictError(
            ErrorCode.NOTHING_HELD,
            "This payment holds no money that could be captured or released.",
            object_id=payment.id,
        )
    return held[-1]


class _OfCharge:
    """What captures and voids share: after the command, the charge is read and the reading is the record."""

    def __init__(self, core: Core, reading: Reading) -> None:
        self._core = core
        self._reading = reading

    def store(self, _tx: Tx, _operation: OperationRecord, _answer: ProviderSnapshot) -> None:
        """Nothing is left to record."""

    def refuse(self, _tx: Tx, _operation: OperationRecord, _reason: str) -> None:
        """Nothing changed."""

    def _attempt(self, operation: OperationRecord) -> AttemptRecord:
        return self._core.db.read(lambda tx: load_attempt(tx, operation.attempt_id))

    def _confirmed(self, look: Callable[[], ProviderSnapshot | None]) -> ProviderSnapshot:
        """Read the effect of a command that its provider has just accepted.

        Raises:
            UnknownOutcomeError: it cannot be read now. A `TemporaryError` would say that nothing happened, and its
                caller would take another part of the hold.
        """
        try:
            found = look()
        except (TemporaryError, NotFoundError) as error:
            log.warning("outcome_not_read", code=error.code)
            found = None
        if found is None:
            raise UnknownOutcomeError(ErrorCode.OUTCOME_UNKNOWN, "The provider does not show the outcome yet.")
        return found


class _Capture(_OfCharge):
    """Takes held money."""

    def send(self, operation: OperationRecord) -> ProviderSnapshot:
        """Take it."""
        asked, attempt = _asked(operation), self._attempt(operation)
        charge = self._core.db.read(lambda tx: charge_of(tx, attempt.id))
        assert charge is not None, "what is captured was read before"
        self._core.provider(attempt.processor).capture(
            command_at(attempt, operation, reference=charge.reference),
            Money(asked["amount"], asked["currency"]),
            is_final=asked["is_final"],
        )
        return self._confirmed(lambda: self.find(operation))

    def find(self, operation: OperationRecord) -> ProviderSnapshot | None:
        """Read whether more is taken than before."""
        asked, found = _asked(operation), self._reading.read(operation.attempt_id)
        if found is None or found.charge is None:
            return None
        is_taken = found.charge.captured.atomic >= asked["captured_before"] + asked["amount"]
        return found if is_taken else None


class _Void(_OfCharge):
    """Lets held money go."""

    def send(self, operation: OperationRecord) -> ProviderSnapshot:
        """Let it go."""
        attempt = self._attempt(operation)
        charge = self._core.db.read(lambda tx: charge_of(tx, attempt.id))
        assert charge is not None, "what is released was read before"
        command = command_at(attempt, operation, reference=charge.reference)
        self._core.provider(attempt.processor).void(command)
        return self._confirmed(lambda: self.find(operation))

    def find(self, operation: OperationRecord) -> ProviderSnapshot | None:
        """Read whether nothing is held any more."""
        found = self._reading.read(operation.attempt_id)
        if found is None or found.charge is None:
            return None
        return found if found.charge.status is ChargeStatus.CANCELED or not found.charge.capturable else None


def _asked(operation: OperationRecord) -> dict[str, Any]:
    asked: dict[str, Any] = json.loads(operation.payload or "{}")
    return asked
