"""Hosted payment pages: open one at a provider exactly once, send the shopper there, take him back, close it in time.

The operation is committed before the provider is called, the provider's id and url before the shopper is sent on. So a
crash at any moment ends in one page and one truth.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Final

from sqlalchemy import insert, select, update

from gateway.domain.declines import DeclineAction, ProviderDeclinedError, action_for
from gateway.domain.ports import HostedProcessor, Method
from gateway.domain.provider import Command, ProviderSnapshot, Registration, RegistrationLine
from gateway.domain.words import AttemptStage, OperationKind, PaymentStatus
from gateway.engine.attempts import attempt_row
from gateway.engine.commands import Commands
from gateway.engine.core import Core
from gateway.engine.operations import open_operations, refuse_while_open, reserve
from gateway.engine.reading import Reading
from gateway.engine.records import (
    AttemptRecord,
    OperationRecord,
    PaymentRecord,
    SessionRecord,
    load_attempt,
    load_attempts,
    load_merchant,
    load_payment,
    load_session,
)
from gateway.engine.registrations import (
    provider_customer,
    read_registration,
    recurring_terms,
    registration_payload,
)
from gateway.kernel.errors import (
    ConflictError,
    DeclinedError,
    ErrorCode,
    NotFoundError,
    TemporaryError,
    UnknownOutcomeError,
    WorldError,
)
from gateway.kernel.log import Log
from gateway.kernel.money import parse_money
from gateway.storage import schema
from gateway.storage.database import Tx

log = Log("engine")

PAGE_LIFETIME: Final = timedelta(minutes=31)  # the least that providers allow, and a minute for the call
POLL_EVERY: Final = timedelta(minutes=15)  # webhooks may be lost; a page that stays open is read this often
CLOSE_LIMIT: Final = 50  # pages a sweep closes
POLL_LIMIT: Final = 20  # pages a sweep reads
_STARTABLE: Final = frozenset({PaymentStatus.OPEN, PaymentStatus.REQUIRES_ACTION})
_LIVING: Final = frozenset({AttemptStage.REGISTERING, AttemptStage.OPEN})


class Hosted:
    """The verbs between our checkout page and a provider's."""

    def __init__(self, core: Core, commands: Commands, reading: Reading) -> None:
        self._core = core
        self._commands = commands
        self._reading = reading
        commands.carry(OperationKind.REGISTER, _Register(core, reading))
        commands.carry(OperationKind.EXPIRE, _Expire(core, reading))

    def start(self, session: SessionRecord, methods: Sequence[Method]) -> str:
        """Return the address of the provider's page for this payment; opens it if there is none yet.

        `methods` are tried in order: the next one only when the one before certainly opened nothing, and another
        provider may do better. A page that stands is gone on with, wherever it is.

        Raises:
            ConflictError: the payment takes no more money, or an earlier command has no outcome yet.
            DeclinedError: the provider refuses such a payment.
            TemporaryError: no provider answers; nothing was opened.
            UnknownOutcomeError: it may have been opened; asking again finds it.
        """
        self._look(session.payment_id)
        standing = {
            one.processor
            for one in self._core.db.read(lambda tx: load_attempts(tx, session.payment_id))
            if one.stage in _LIVING
        }
        *others, last = sorted(methods, key=lambda method: method.processor not in standing)
        for method in others:
            try:
                return self._start(session, method)
            except (DeclinedError, TemporaryError) as error:
                if not _may_fail_over(error):
                    raise
                log.warning("processor_failed_over", payment_id=session.payment_id, processor=method.processor)
        return self._start(session, last)

    def _start(self, session: SessionRecord, method: Method) -> str:
        operation, attempt, is_first = self._core.db.write(lambda tx: self._reserve(tx, session, method))
        if operation is not None:
            self._commands.run(operation, is_first=is_first)
            attempt = self._core.db.read(lambda tx: load_attempt(tx, attempt.id))
        if attempt.redirect_url is None:
            raise TemporaryError(ErrorCode.PROVIDER_UNAVAILABLE, "The payment page is not ready yet. Try again.")
        return attempt.redirect_url

    def returned(self, session: SessionRecord) -> None:
        """Read the session's pages at their providers: the shopper is back, and the webhook may be late.

        A provider that does not answer now is no error here: its webhook or the sweep will tell.
        """
        self._look(session.payment_id)

    def close_pages(self, payment_id: str) -> None:
        """Close every page of a payment on which somebody could still pay.

        Raises:
            WorldError: a provider does not say whether it is closed.
        """
        attempts = self._core.db.read(lambda tx: load_attempts(tx, payment_id))
        for attempt in (one for one in attempts if one.stage is AttemptStage.REGISTERING):
            for operation in self._core.db.read(lambda tx: open_operations(tx, payment_id)):
                if operation.attempt_id == attempt.id:
                    self._commands.run(operation, is_first=False)
        attempts = self._core.db.read(lambda tx: load_attempts(tx, payment_id))
        for attempt in (one for one in attempts if one.stage is AttemptStage.OPEN):
            self._close(attempt)

    def sweep(self) -> int:
        """Close the pages of payments that are over, and read those that have been silent; return how many."""
        away: set[str] = set()
        overdue = self._core.db.read(self._overdue)
        done = self._core.crew.each([partial(self._in_sweep, self._close, one, away) for one in overdue])
        silent = self._core.db.read(self._silent)
        return done + self._core.crew.each([partial(self._in_sweep, self._read, one, away) for one in silent])

    def _read(self, attempt: AttemptRecord) -> None:
        self._reading.read(attempt.id)

    def _in_sweep(self, act: Callable[[AttemptRecord], None], attempt: AttemptRecord, away: set[str]) -> bool:
        """Do something for one page; a provider that does not answer is left in peace for the rest of this sweep.

        What failed goes to the end of the queue, so that it does not keep the others waiting.
        """
        if attempt.processor in away:
            return False
        if _attempted(partial(act, attempt), attempt):
            return True
        away.add(attempt.processor)
        table = schema.attempt
        statement = update(table).where(table.c.id == attempt.id).values(read_at=self._core.clock.now())
        self._core.db.write(lambda tx: tx.execute(statement))
        return False

    def _look(self, payment_id: str) -> None:
        attempts = self._core.db.read(lambda tx: load_attempts(tx, payment_id))
        for attempt in (one for one in attempts if one.stage is AttemptStage.OPEN):
            _attempted(partial(self._reading.read, attempt.id), attempt)

    def _reserve(
        self, tx: Tx, session: SessionRecord, method: Method
    ) -> tuple[OperationRecord | None, AttemptRecord, bool]:
        """Commit what is to be opened, or find what is open; whoever clicks twice gets the same page."""
        payment = load_payment(tx, session.payment_id, lock=True)
        is_done = load_session(tx, session.id).is_page_over
        is_over = is_done or payment.closed_at or payment.canceled_at or self._core.clock.now() >= payment.expires_at
        if payment.status not in _STARTABLE or is_over:
            raise ConflictError(
                ErrorCode.PAYMENT_NOT_PAYABLE, "This payment does not take money any more.", object_id=payment.id
            )
        living = [
            one
            for one in load_attempts(tx, payment.id)
            if one.method == method.id and one.processor == method.processor and one.stage in _LIVING
        ]
        if living:
            attempt = living[-1]
            sessions = schema.checkout_session
            tx.execute(update(sessions).where(sessions.c.id == session.id).values(attempt_id=attempt.id))
            waiting = [one for one in open_operations(tx, payment.id) if one.attempt_id == attempt.id]
            if any(one.kind is not OperationKind.REGISTER for one in waiting):
                refuse_while_open(tx, payment.id)
            return (waiting[0] if waiting else None), attempt, False
        refuse_while_open(tx, payment.id)
        attempt = self._open_attempt(tx, session, payment, method)
        payload = registration_payload(self._registration(tx, session, payment, attempt))
        return reserve(self._core, tx, attempt, OperationKind.REGISTER, payload), attempt, True

    def _open_attempt(self, tx: Tx, session: SessionRecord, payment: PaymentRecord, method: Method) -> AttemptRecord:
        now, attempt_id = self._core.clock.now(), self._core.ids.new("att")
        attempt = AttemptRecord(
            id=attempt_id,
            merchant_id=payment.merchant_id,
            livemode=payment.livemode,
            payment_id=payment.id,
            processor=method.processor,
            method=method.id,
            network=method.network,
            due=payment.amount,
            gift=payment.gift,
            quote_id=None,
            reference_key=attempt_id,
            wallet="",
            account="",
            created_at=now,
            expires_at=max(payment.expires_at, now + PAGE_LIFETIME),
            stage=AttemptStage.REGISTERING,
        )
        tx.execute(insert(schema.attempt), attempt_row(attempt))
        sessions, payments = schema.checkout_session, schema.payment
        tx.execute(update(sessions).where(sessions.c.id == session.id).values(attempt_id=attempt.id))
        if payment.rules is None:
            rules = load_merchant(tx, payment.merchant_id).settings.rules()
            tx.execute(update(payments).where(payments.c.id == payment.id).values(rules=rules))
        return attempt

    def _registration(
        self, tx: Tx, session: SessionRecord, payment: PaymentRecord, attempt: AttemptRecord
    ) -> Registration:
        url = self._core.page_url(session.token)
        return Registration(
            operation_id="",
            attempt_id=attempt.id,
            payment_id=payment.id,
            livemode=attempt.livemode,
            mode=session.mode,
            amount=attempt.due + attempt.gift,
            capture_method=session.capture_method,
            lines=_lines(session, attempt),
            reference=session.reference,
            merchant_name=load_merchant(tx, session.merchant_id).name,
            customer_email=session.customer_email,
            customer=provider_customer(tx, session, attempt.network),
            recurring=recurring_terms(tx, session),
            locale=session.locale,
            success_url=f"{url}/return",
            cancel_url=f"{url}/return",
            created_at=attempt.created_at,
            expires_at=attempt.expires_at,
        )

    def _close(self, attempt: AttemptRecord) -> None:
        operation, is_first = self._core.db.write(lambda tx: self._reserve_close(tx, attempt))
        if operation is not None:
            self._commands.run(operation, is_first=is_first)

    def _reserve_close(self, tx: Tx, attempt: AttemptRecord) -> tuple[OperationRecord | None, bool]:
        load_payment(tx, attempt.payment_id, lock=True)
        if load_attempt(tx, attempt.id).stage is not AttemptStage.OPEN:
            return None, False
        waiting = [one for one in open_operations(tx, attempt.payment_id) if one.kind is OperationKind.EXPIRE]
        if waiting:
            return waiting[0], False
        return reserve(self._core, tx, attempt, OperationKind.EXPIRE, {}), True

    def _overdue(self, tx: Tx) -> list[AttemptRecord]:
        """Return open pages whose payment is over, or is being paid in another way."""
        attempt, payment, session = schema.attempt, schema.payment, schema.checkout_session
        is_over = (
            (payment.c.expires_at < self._core.clock.now())
            | payment.c.canceled_at.is_not(None)
            | payment.c.closed_at.is_not(None)
            | payment.c.status.not_in([status.value for status in _STARTABLE])
            | (session.c.attempt_id != attempt.c.id)
        )
        query = (
            select(attempt)
            .join(payment, payment.c.id == attempt.c.payment_id)
            .join(session, session.c.id == payment.c.session_id)
            .where(attempt.c.stage == AttemptStage.OPEN.value, is_over)
            .order_by(attempt.c.read_at)
            .limit(CLOSE_LIMIT)
        )
        return [AttemptRecord.of(row) for row in tx.execute(query).mappings()]

    def _silent(self, tx: Tx) -> list[AttemptRecord]:
        """Return open pages that nothing was heard of for a while."""
        table = schema.attempt
        cutoff = self._core.clock.now() - POLL_EVERY
        query = (
            select(table)
            .where(table.c.stage == AttemptStage.OPEN.value, table.c.read_at < cutoff)
            .order_by(table.c.read_at)
            .limit(POLL_LIMIT)
        )
        return [AttemptRecord.of(row) for row in tx.execute(query).mappings()]


class _Register:
    """Opens a page."""

    def __init__(self, core: Core, reading: Reading) -> None:
        self._core = core
        self._reading = reading

    def send(self, operation: OperationRecord) -> ProviderSnapshot:
        """Open it."""
        return self._processor(operation).register(read_registration(operation))

    def find(self, operation: OperationRecord) -> ProviderSnapshot | None:
        """Look for it."""
        return self._processor(operation).find_registration(read_registration(operation))

    def store(self, tx: Tx, operation: OperationRecord, answer: ProviderSnapshot) -> None:
        """Keep its reference and address: only now may the shopper be sent there."""
        table = schema.attempt
        reference = {"provider_reference": answer.reference}
        tx.execute(update(table).where(table.c.id == operation.attempt_id).values(reference))
        payment, attempt = load_payment(tx, operation.payment_id), load_attempt(tx, operation.attempt_id)
        self._reading.take(tx, payment, attempt, answer)

    def refuse(self, tx: Tx, operation: OperationRecord, _reason: str) -> None:
        """Nothing was opened."""
        table = schema.attempt
        tx.execute(update(table).where(table.c.id == operation.attempt_id).values(stage=AttemptStage.REFUSED.value))

    def _processor(self, operation: OperationRecord) -> HostedProcessor:
        attempt = self._core.db.read(lambda tx: load_attempt(tx, operation.attempt_id))
        return self._core.provider(attempt.processor)


class _Expire:
    """Closes a page."""

    def __init__(self, core: Core, reading: Reading) -> None:
        self._core = core
        self._reading = reading

    def send(self, operation: OperationRecord) -> ProviderSnapshot:
        """Close it; one that cannot be closed is paid or over already, and reading it says which."""
        attempt = self._core.db.read(lambda tx: load_attempt(tx, operation.attempt_id))
        try:
            self._core.provider(attempt.processor).expire(command_at(attempt, operation))
        except ConflictError:
            log.info("page_was_over", attempt_id=attempt.id)
        try:
            found = self.find(operation)
        except TemporaryError as error:  # the close was sent: that it cannot be read now does not undo it
            raise UnknownOutcomeError(ErrorCode.OUTCOME_UNKNOWN, "The payment page cannot be read now.") from error
        if found is None:
            raise UnknownOutcomeError(ErrorCode.OUTCOME_UNKNOWN, "The payment page still seems to be open.")
        return found

    def find(self, operation: OperationRecord) -> ProviderSnapshot | None:
        """Read whether it is closed."""
        found = self._reading.read(operation.attempt_id)
        return None if found is None or found.stage is AttemptStage.OPEN else found

    def store(self, _tx: Tx, operation: OperationRecord, _answer: ProviderSnapshot) -> None:
        """Nothing is left to record: the reading has stored how the page ended."""
        log.info("page_closed", attempt_id=operation.attempt_id)

    def refuse(self, _tx: Tx, operation: OperationRecord, reason: str) -> None:
        """It stays open; the sweep tries again."""
        log.warning("page_not_closed", attempt_id=operation.attempt_id, reason=reason)


def command_at(attempt: AttemptRecord, operation: OperationRecord, *, reference: str | None = None) -> Command:
    """Return what a command names: an attempt's page, or another object of it at the provider."""
    reference = reference or attempt.provider_reference
    assert reference is not None, "a page without a reference was never opened"
    return Command(
        operation_id=operation.id,
        attempt_id=attempt.id,
        payment_id=attempt.payment_id,
        livemode=attempt.livemode,
        reference=reference,
    )


def _may_fail_over(error: DeclinedError | TemporaryError) -> bool:
    """Tell whether another provider may do what this one certainly did not; an unknown outcome never comes here."""
    if isinstance(error, ProviderDeclinedError):
        return action_for(error.decline) is DeclineAction.RETRY_OTHER_PSP
    return isinstance(error, TemporaryError)


def _lines(session: SessionRecord, attempt: AttemptRecord) -> tuple[RegistrationLine, ...]:
    """Return what the provider's page lists: the order's lines, and a gift on a line of its own."""
    lines = [
        RegistrationLine(
            name=str(line["name"]),
            quantity=int(line["quantity"]),
            amount=parse_money(str(line["amount"]), session.amount.currency),
        )
        for line in session.line_items
    ]
    if attempt.gift and session.donation is not None:
        order = lines or [RegistrationLine(name=session.reference, quantity=1, amount=attempt.due)]
        lines = [*order, RegistrationLine(name=session.donation["charity_name"], quantity=1, amount=attempt.gift)]
    return tuple(lines)


def has_open_page(tx: Tx, payment_id: str) -> bool:
    """Tell whether somebody could still pay a payment on a provider's page."""
    return any(one.stage in _LIVING for one in load_attempts(tx, payment_id))


def _attempted(act: Callable[[], object], attempt: AttemptRecord) -> bool:
    """Do something with a provider; what the world fails at is left to the next sweep."""
    try:
        act()
    except (WorldError, ConflictError, NotFoundError) as error:
        log.warning("page_not_reached", attempt_id=attempt.id, code=error.code)
        return False
    return True
