"""Checkout sessions: create, retrieve, list, expire, extend. A session has exactly one payment."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from gateway.domain.events import Event, EventType
from gateway.domain.payments import LATE_GRACE
from gateway.domain.words import (
    CaptureMethod,
    DisputesStatus,
    OperationKind,
    OperationStatus,
    PaymentKind,
    PaymentStatus,
    RefundsStatus,
    SessionMode,
    SessionStatus,
)
from gateway.engine.core import Core
from gateway.engine.hosted import Hosted, has_open_page
from gateway.engine.idempotency import REMEMBER, Intent, Reply, memory, once
from gateway.engine.paging import Page, PageRequest, fetch_page
from gateway.engine.records import Owner, PaymentRecord, SessionRecord, load_payment, load_session, not_found
from gateway.engine.refresh import refresh
from gateway.engine.wire import session_object
from gateway.kernel.canonical import canonical_json
from gateway.kernel.errors import ConflictError, ErrorCode, NotFoundError
from gateway.kernel.ids import is_secret_token, secret_token
from gateway.kernel.money import Money
from gateway.outbox.events import APPEND, append_rows
from gateway.storage import schema
from gateway.storage.database import Tx
from gateway.storage.together import Together

CREATED: Final = 201
OK: Final = 200
EXTENSION: Final = timedelta(minutes=15)  # what "I need more time" adds, once
_CREATE_PARTS: Final = (insert(schema.checkout_session), insert(schema.payment), *APPEND)
_CREATE: Final = Together(*_CREATE_PARTS)
_CREATE_ONCE: Final = Together(*_CREATE_PARTS, REMEMBER)
_KINDS: Final = {
    SessionMode.PAYMENT: PaymentKind.SALE,
    SessionMode.SUBSCRIPTION: PaymentKind.RECURRING,
    SessionMode.SETUP: PaymentKind.SETUP,
}
_UNTOUCHED: Final = frozenset({PaymentStatus.OPEN, PaymentStatus.REQUIRES_ACTION})


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSession:
    """What a merchant asks for; already checked by the door."""

    amount: Money
    reference: str
    success_url: str
    cancel_url: str | None
    customer_email: str | None
    locale: str | None
    line_items: Sequence[dict[str, Any]]
    methods: Sequence[str] | None
    expires_in: timedelta
    metadata: dict[str, str]
    mode: SessionMode = SessionMode.PAYMENT
    capture_method: CaptureMethod = CaptureMethod.AUTOMATIC
    customer_id: str | None = None
    plan_id: str | None = None
    customer_country: str | None = None
    donation: dict[str, Any] | None = None


class Sessions:
    """The verbs of checkout sessions."""

    def __init__(self, core: Core, hosted: Hosted) -> None:
        self._core = core
        self._hosted = hosted

    def create(self, intent: Intent, new: NewSession) -> Reply:
        """Open a session with its payment, or answer with the open one for the same reference, amount and currency.

        One tx: the reply under the idempotency key, session, payment, event and outbox.

        Raises:
            IdempotencyMismatchError: the key was used with another body.
            InFlightError: the same key is being worked on.
        """
        try:
            reply = once(self._core, intent, lambda tx: self._insert(tx, intent, new), is_one_statement=True)
        except IntegrityError:
            # Not the key's row, so the natural key: this order has an open session.
            reply = self._answer_with_open(intent, new)
        self._core.wake_delivery()
        return reply

    def retrieve(self, owner: Owner, session_id: str) -> dict[str, Any]:
        """Return a session of this owner.

        Raises:
            NotFoundError: there is none, or it is somebody else's.
        """
        return self._core.db.read(lambda tx: self._object(tx, self._own(tx, owner, session_id)))

    def page(self, owner: Owner, request: PageRequest, *, status: str | None, reference: str | None) -> Page:
        """Return a page of this owner's sessions, newest first."""
        table = schema.checkout_session
        query = select(table, schema.payment.c.status.label("payment_status")).join(
            schema.payment, schema.payment.c.id == table.c.payment_id
        )
        if status is not None:
            query = query.where(table.c.status == status)
        if reference is not None:
            query = query.where(table.c.reference == reference)

        def to_object(row: dict[str, Any]) -> dict[str, Any]:
            payment_status = PaymentStatus(row.pop("payment_status"))
            session = SessionRecord.of(row)
            return session_object(session, payment_status=payment_status, url=self._core.page_url(session.token))

        return self._core.db.read(lambda tx: fetch_page(tx, table, query, owner, request, to_object))

    def expire(self, intent: Intent, session_id: str) -> Reply:
        """Call a session off before anything was paid.

        Raises:
            ConflictError: it is complete or expired, or money has been seen or sent.
            WorldError: a provider does not say whether its page is closed.
            NotFoundError: there is none, or it is somebody else's.
        """
        session = self._core.db.read(lambda tx: self._own(tx, intent.owner, session_id))
        self._hosted.close_pages(session.payment_id)
        reply = once(self._core, intent, lambda tx: self._expire(tx, intent.owner, session_id))
        self._core.wake_delivery()
        return reply

    def extend(self, session: SessionRecord) -> None:
        """Give the shopper more time, once; a rate that still holds to the session's end is kept as long.

        Raises:
            ConflictError: it was extended before, or is not open.
        """
        now = self._core.clock.now()

        def verb(tx: Tx) -> None:
            payment = load_payment(tx, session.payment_id, lock=True)
            current = load_session(tx, session.id)
            is_over = payment.closed_at or current.is_page_over
            if current.status is not SessionStatus.OPEN or current.extended_at or is_over:
                raise ConflictError(
                    ErrorCode.SESSION_NOT_OPEN, "This checkout cannot be extended again.", object_id=session.id
                )
            later = max(current.expires_at, now) + EXTENSION
            _move_deadline(tx, payment, current.expires_at, later, now)
            refresh(self._core, tx, payment.id)  # what came a little late is in time now

        self._core.db.write(verb)

    def call_off(self, session: SessionRecord) -> None:
        """Give an open session up on the shopper's wish.

        Raises:
            ConflictError: it is over, or money has been seen.
        """
        self._hosted.close_pages(session.payment_id)
        self._core.db.write(lambda tx: self._expire(tx, session.owner, session.id))
        self._core.wake_delivery()

    def _answer_with_open(self, intent: Intent, new: NewSession) -> Reply:
        try:
            return once(self._core, intent, lambda tx: self._reuse(tx, intent, new))
        except IntegrityError:
            # That one was over, and somebody else was quicker to open the next.
            return once(self._core, intent, lambda tx: self._reuse(tx, intent, new))

    def _insert(self, tx: Tx, intent: Intent, new: NewSession) -> Reply:
        rows, body = _rows(self._core, draft_session(self._core, intent.owner, new))
        reply = Reply(status_code=CREATED, body=canonical_json(body), is_remembered=intent.key is not None)
        if intent.key is None:
            _CREATE.execute(tx, *rows)
        else:
            _CREATE_ONCE.execute(tx, *rows, memory(self._core, intent, reply))
        return reply

    def _reuse(self, tx: Tx, intent: Intent, new: NewSession) -> Reply:
        owner = intent.owner
        table = schema.checkout_session
        row = (
            tx.execute(
                select(table).where(
                    table.c.merchant_id == owner.merchant_id,
                    table.c.livemode == owner.livemode,
                    table.c.open_key == _open_key(new),
                )
            )
            .mappings()
            .one_or_none()
        )
        # None: it closed in this very moment. Either way there is room for a new one now.
        if row is None or self._gives_place(tx, SessionRecord.of(row)):
            return self._insert(tx, intent, new)
        return Reply(status_code=OK, body=canonical_json(self._object(tx, SessionRecord.of(row))))

    def _gives_place(self, tx: Tx, session: SessionRecord) -> bool:
        """Let a session that is over, and only waits for its scanner to be closed, give its order's place away.

        Else an order could not be paid while a chain's node is away. One that money is on its way to keeps its place.
        """
        payment = load_payment(tx, session.payment_id, lock=True)
        is_over = self._core.clock.now() > payment.expires_at + LATE_GRACE
        if not is_over or payment.status not in _UNTOUCHED or _is_on_its_way(tx, payment.id):
            return False
        table = schema.checkout_session
        is_it = (table.c.id == session.id) & (table.c.open_key == session.open_key)
        tx.execute(update(table).where(is_it).values(open_key=None))
        return True

    def _expire(self, tx: Tx, owner: Owner, session_id: str) -> Reply:
        session = self._own(tx, owner, session_id)
        payment = load_payment(tx, session.payment_id, lock=True)
        if payment.status not in _UNTOUCHED or payment.closed_at is not None or session.is_page_over:
            raise ConflictError(
                ErrorCode.SESSION_NOT_OPEN,
                "Only an open session without any payment can be expired.",
                object_id=session.id,
            )
        if _is_on_its_way(tx, payment.id) or has_open_page(tx, payment.id):
            raise ConflictError(
                ErrorCode.OUTCOME_UNKNOWN,
                "Money for this session may be on its way. Ask again in a minute.",
                object_id=session.id,
            )
        tx.execute(
            update(schema.payment).where(schema.payment.c.id == payment.id).values(canceled_at=self._core.clock.now())
        )
        refresh(self._core, tx, payment.id)
        return Reply(status_code=OK, body=canonical_json(self._object(tx, load_session(tx, session.id))))

    def _own(self, tx: Tx, owner: Owner, session_id: str) -> SessionRecord:
        table = schema.checkout_session
        row = (
            tx.execute(
                select(table).where(
                    table.c.id == session_id,
                    table.c.merchant_id == owner.merchant_id,
                    table.c.livemode == owner.livemode,
                )
            )
            .mappings()
            .one_or_none()
        )
        if row is None:
            raise not_found("checkout session")
        return SessionRecord.of(row)

    def _object(self, tx: Tx, session: SessionRecord) -> dict[str, Any]:
        payment = load_payment(tx, session.payment_id)
        return session_object(session, payment_status=payment.status, url=self._core.page_url(session.token))


def draft_session(core: Core, owner: Owner, new: NewSession) -> SessionRecord:
    """Return a session as it is opened; nothing is stored."""
    now = core.clock.now()
    return SessionRecord(
        id=core.ids.new("cs"),
        merchant_id=owner.merchant_id,
        livemode=owner.livemode,
        payment_id=core.ids.new("pay"),
        token=secret_token(),
        status=SessionStatus.OPEN,
        open_key=_open_key(new),
        reference=new.reference,
        amount=new.amount,
        success_url=new.success_url,
        cancel_url=new.cancel_url,
        customer_email=new.customer_email,
        locale=new.locale,
        line_items=new.line_items,
        methods=new.methods,
        mode=new.mode,
        capture_method=new.capture_method,
        customer_id=new.customer_id,
        plan_id=new.plan_id,
        customer_country=new.customer_country,
        donation=new.donation,
        metadata=new.metadata,
        attempt_id=None,
        sequence=1,
        created_at=now,
        expires_at=now + new.expires_in,
        extended_at=None,
        completed_at=None,
    )


def store_session(core: Core, tx: Tx, session: SessionRecord) -> None:
    """Store a session with its payment, its event and outbox."""
    rows, _ = _rows(core, session)
    _CREATE.execute(tx, *rows)


def _rows(core: Core, session: SessionRecord) -> tuple[tuple[dict[str, Any], ...], dict[str, Any]]:
    """Return what opening a session inserts, and the session as its event shows it."""
    body = session_object(session, payment_status=PaymentStatus.OPEN, url=core.page_url(session.token))
    event = Event(
        id=core.ids.new("evt"),
        type=EventType.SESSION_CREATED,
        merchant_id=session.merchant_id,
        livemode=session.livemode,
        object_id=session.id,
        sequence=session.sequence,
        created_at=session.created_at,
        data=body,
    )
    return (session_row(session), payment_row(session), *append_rows(event)), body


def session_by_token(tx: Tx, token: str) -> SessionRecord:
    """Return the session whose page has this address.

    Raises:
        NotFoundError: no page has it.
    """
    table, row = schema.checkout_session, None
    if is_secret_token(token):  # the rest has no page, and a database may not even take it: PostgreSQL refuses NUL
        row = tx.execute(select(table).where(table.c.token == token)).mappings().one_or_none()
    if row is None:
        raise NotFoundError(ErrorCode.NOT_FOUND, "There is no such checkout page.")
    return SessionRecord.of(row)


def _is_on_its_way(tx: Tx, payment_id: str) -> bool:
    """Tell whether we sent signed bytes whose outcome the chain has not told yet."""
    table = schema.operation
    is_open = table.c.status.not_in([OperationStatus.SUCCEEDED.value, OperationStatus.REJECTED.value])
    is_ours = table.c.kind == OperationKind.BROADCAST.value
    return (
        tx.execute(select(table.c.id).where(table.c.payment_id == payment_id, is_open, is_ours).limit(1)).first()
        is not None
    )


def _open_key(new: NewSession) -> str:
    terms = [new.plan_id, new.customer_id] if new.mode is not SessionMode.PAYMENT else []
    natural = canonical_json([new.reference, str(new.amount.atomic), new.amount.currency, *terms])
    return hashlib.sha256(natural.encode()).hexdigest()


def _move_deadline(tx: Tx, payment: PaymentRecord, old: datetime, new: datetime, now: datetime) -> None:
    """Move session, payment and the attempts that would have ended with the session.

    Quotes that end earlier keep their end, and those that are over stay over: else the shopper held a rate for days, or
    got one back that the market has left.
    """
    sessions, attempts = schema.checkout_session, schema.attempt
    tx.execute(update(sessions).where(sessions.c.id == payment.session_id).values(expires_at=new, extended_at=now))
    tx.execute(update(schema.payment).where(schema.payment.c.id == payment.id).values(expires_at=new))
    moves = (attempts.c.payment_id == payment.id) & (attempts.c.expires_at >= old)
    if now > old:
        moves &= attempts.c.quote_id.is_(None)
    tx.execute(update(attempts).where(moves).values(expires_at=new))


def session_row(session: SessionRecord) -> dict[str, Any]:
    """Return a session as its row."""
    return {
        "id": session.id,
        "merchant_id": session.merchant_id,
        "livemode": session.livemode,
        "payment_id": session.payment_id,
        "token": session.token,
        "status": session.status.value,
        "open_key": session.open_key,
        "reference": session.reference,
        "amount": session.amount.atomic,
        "currency": session.amount.currency,
        "success_url": session.success_url,
        "cancel_url": session.cancel_url,
        "customer_email": session.customer_email,
        "locale": session.locale,
        "line_items": list(session.line_items),
        "methods": None if session.methods is None else list(session.methods),
        "mode": session.mode.value,
        "capture_method": session.capture_method.value,
        "customer_country": session.customer_country,
        "metadata": session.metadata,
        "customer_id": session.customer_id,
        "plan_id": session.plan_id,
        "subscription_id": session.subscription_id,
        "page_over_at": session.page_over_at,
        "saved_method": session.saved_method,
        "donation": session.donation,
        "attempt_id": None,
        "sequence": session.sequence,
        "created_at": session.created_at,
        "expires_at": session.expires_at,
        "extended_at": None,
        "completed_at": session.completed_at,
    }


def payment_row(session: SessionRecord) -> dict[str, Any]:
    """Return the row of a session's payment, of which nothing has been seen."""
    return {
        "id": session.payment_id,
        "merchant_id": session.merchant_id,
        "livemode": session.livemode,
        "session_id": session.id,
        "kind": _KINDS[session.mode].value,
        "status": PaymentStatus.OPEN.value,
        "exceptions": [],
        "reference": session.reference,
        "amount": session.amount.atomic,
        "currency": session.amount.currency,
        "amount_received": 0,
        "amount_capturable": 0,
        "amount_refunded": 0,
        "refunds": RefundsStatus.NONE.value,
        "dispute": DisputesStatus.NONE.value,
        "version": 1,
        "sequence": 0,
        "created_at": session.created_at,
        "expires_at": session.expires_at,
        "closed_at": None,
        "canceled_at": None,
        "paid_at": None,
        "charity_id": None if session.donation is None else session.donation["charity"],
        "gift_amount": 0,
        "metadata": session.metadata,
    }
