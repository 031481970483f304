"""Subscriptions as merchants read them, and what they may ask for: pause, resume, cancel, a portal link.

Each command is an operation of the payment with which the subscription began: reserved, sent, and while its outcome is
not known no other command of that payment is. What it did is read at the provider, like everything else.
"""

import json
from typing import Any, Final

from sqlalchemy import select

from gateway.domain.subscriptions import ProviderSubscription, SubscriptionState, SubscriptionStatus
from gateway.domain.words import OperationKind
from gateway.engine.billing import Billing
from gateway.engine.commands import Commands
from gateway.engine.core import Core
from gateway.engine.hosted import command_at
from gateway.engine.idempotency import Intent, Reply, amend, forget, once
from gateway.engine.operations import refuse_while_open, reserve
from gateway.engine.paging import Page, PageRequest, fetch_page
from gateway.engine.records import OperationRecord, Owner, load_attempt, load_payment, not_found
from gateway.engine.recurring import (
    SubscriptionRecord,
    load_subscription,
    own_customer,
    own_subscription,
    shown_subscription,
)
from gateway.kernel.canonical import canonical_json
from gateway.kernel.errors import (
    ConflictError,
    DeclinedError,
    ErrorCode,
    RepeatedFailureError,
    TemporaryError,
    UnknownOutcomeError,
)
from gateway.kernel.log import Log
from gateway.storage import schema
from gateway.storage.database import Tx

log = Log("engine")

OK: Final = 200


class Subscriptions:
    """The verbs of subscriptions."""

    def __init__(self, core: Core, commands: Commands, billing: Billing) -> None:
        self._core = core
        self._commands = commands
        for kind in (OperationKind.PAUSE, OperationKind.RESUME, OperationKind.CANCEL):
            commands.carry(kind, _Change(core, billing))

    def retrieve(self, owner: Owner, subscription_id: str) -> dict[str, Any]:
        """Return a subscription of this owner with its newest periods.

        Raises:
            NotFoundError: there is none, or it is somebody else's.
        """
        return self._core.db.read(lambda tx: shown_subscription(tx, own_subscription(tx, owner, subscription_id)))

    def page(
        self,
        owner: Owner,
        request: PageRequest,
        *,
        customer_id: str | None = None,
        plan_id: str | None = None,
        status: str | None = None,
    ) -> Page:
        """Return a page of this owner's subscriptions, newest first."""
        table = schema.subscription
        query = select(table)
        for column, value in ((table.c.customer_id, customer_id), (table.c.plan_id, plan_id), (table.c.status, status)):
            if value is not None:
                query = query.where(column == value)

        def read(tx: Tx) -> Page:
            found = fetch_page(tx, table, query, owner, request, dict)
            data = [shown_subscription(tx, SubscriptionRecord.of(row)) for row in found.data]
            return Page(data=data, has_more=found.has_more)

        return self._core.db.read(read)

    def pause(self, intent: Intent, subscription_id: str) -> Reply:
        """Stop billing until it is resumed; one that is paused stays so.

        Raises:
            NotFoundError: there is none, or it is somebody else's.
            ConflictError: it has ended, or an earlier command has no outcome yet.
            DeclinedError: the provider refused it.
            TemporaryError: nothing happened; send it again with the same key.
            UnknownOutcomeError: it may have happened; the subscription tells within a minute.
        """
        return self._change(intent, subscription_id, OperationKind.PAUSE, {})

    def resume(self, intent: Intent, subscription_id: str) -> Reply:
        """Bill again from the next period on, and lift an end that was set; one that goes on stays as it is.

        Raises:
            as `pause`.
        """
        return self._change(intent, subscription_id, OperationKind.RESUME, {})

    def cancel(self, intent: Intent, subscription_id: str, *, at_period_end: bool) -> Reply:
        """End it now, or when what is paid is over; one that has ended stays so.

        Raises:
            as `pause`, but never because it has ended.
        """
        return self._change(intent, subscription_id, OperationKind.CANCEL, {"at_period_end": at_period_end})

    def portal_url(self, owner: Owner, customer_id: str, return_url: str) -> str:
        """Return a short-lived link to the provider's page on which a customer sees bills, changes cards and cancels.

        Raises:
            NotFoundError: there is no such customer, or no provider knows one.
            DeclinedError, TemporaryError: the provider offers none now.
        """
        table = schema.customer_reference

        def query(tx: Tx) -> tuple[str, str]:
            customer = own_customer(tx, owner, customer_id)
            is_theirs = table.c.customer_id == customer.id
            # The newest is where the customer paid last.
            found = tx.execute(
                select(table).where(is_theirs).order_by(table.c.created_at.desc()).limit(1)
            ).one_or_none()
            if found is None:
                raise not_found("customer with a subscription")
            return found.network, found.reference

        network, reference = self._core.db.read(query)
        processor = self._core.subscriber(network.partition(":")[0])
        key = self._core.ids.new("op")
        return processor.portal_url(reference, livemode=owner.livemode, key=key, return_url=return_url)

    def _change(self, intent: Intent, subscription_id: str, kind: OperationKind, asked: dict[str, Any]) -> Reply:
        """Reserve under the caller's key, carry out, and let the key answer with the outcome from then on."""
        reserved: list[OperationRecord] = []

        def verb(tx: Tx) -> Reply:
            subscription = own_subscription(tx, intent.owner, subscription_id)
            load_payment(tx, subscription.payment_id, lock=True)
            subscription = own_subscription(tx, intent.owner, subscription_id)
            if not _is_as_asked(kind, asked, subscription.state):
                refuse_while_open(tx, subscription.payment_id)
                _refuse_ended(subscription)
                attempt = load_attempt(tx, subscription.attempt_id)
                reserved.clear()  # a tx that is tried again leaves nothing of its first try
                reserved.append(reserve(self._core, tx, attempt, kind, asked | {"subscription": subscription.id}))
            return Reply(status_code=OK, body=canonical_json(shown_subscription(tx, subscription)))

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
        shown = self._core.db.read(lambda tx: shown_subscription(tx, load_subscription(tx, subscription_id)))
        return amend(self._core, intent, Reply(status_code=OK, body=canonical_json(shown)))


def _is_as_asked(kind: OperationKind, asked: dict[str, Any], state: SubscriptionState) -> bool:
    """Tell whether a subscription is already what a command would make of it."""
    is_ending = state.cancels_at is not None
    match kind:
        case OperationKind.PAUSE:
            return state.status is SubscriptionStatus.PAUSED
        case OperationKind.RESUME:
            return state.status not in {SubscriptionStatus.PAUSED, SubscriptionStatus.CANCELED} and not is_ending
        case _:
            is_over = state.status is SubscriptionStatus.CANCELED
            return is_over or (bool(asked["at_period_end"]) and is_ending)


def _refuse_ended(subscription: SubscriptionRecord) -> None:
    if subscription.status is SubscriptionStatus.CANCELED:
        raise ConflictError(
            ErrorCode.SUBSCRIPTION_ENDED,
            "This subscription has ended. Open a new session to begin another one.",
            object_id=subscription.id,
        )


class _Change:
    """Changes a subscription at its provider; the reading afterwards is the record."""

    def __init__(self, core: Core, billing: Billing) -> None:
        self._core = core
        self._billing = billing

    def send(self, operation: OperationRecord) -> ProviderSubscription:
        """Ask for it; one that is refused may have been carried out before."""
        try:
            self._ask(operation)
        except (ConflictError, DeclinedError):
            found = self.find(operation)
            if found is None:
                raise
            return found
        found = self.find(operation)
        if found is None:
            raise UnknownOutcomeError(ErrorCode.OUTCOME_UNKNOWN, "The provider does not show the outcome yet.")
        return found

    def find(self, operation: OperationRecord) -> ProviderSubscription | None:
        """Read whether the subscription is as it was asked for."""
        asked = _asked(operation)
        found = self._billing.read(asked["subscription"])
        subscription = self._core.db.read(lambda tx: load_subscription(tx, asked["subscription"]))
        is_done = _is_as_asked(operation.kind, asked, subscription.state)
        return found if is_done else None

    def store(self, _tx: Tx, operation: OperationRecord, _answer: ProviderSubscription) -> None:
        """Nothing is left to record."""
        log.info("subscription_changed", subscription_id=_asked(operation)["subscription"], kind=operation.kind.value)

    def refuse(self, _tx: Tx, operation: OperationRecord, reason: str) -> None:
        """Nothing changed."""
        log.info("subscription_not_changed", subscription_id=_asked(operation)["subscription"], reason=reason)

    def _ask(self, operation: OperationRecord) -> None:
        asked = _asked(operation)
        subscription, attempt = self._core.db.read(
            lambda tx: (load_subscription(tx, asked["subscription"]), load_attempt(tx, operation.attempt_id))
        )
        processor = self._core.subscriber(attempt.processor)
        command = command_at(attempt, operation, reference=subscription.reference)
        match operation.kind:
            case OperationKind.PAUSE:
                processor.pause(command)
            case OperationKind.RESUME:
                processor.resume(command)
            case _:
                processor.cancel(command, at_period_end=asked["at_period_end"])


def _asked(operation: OperationRecord) -> dict[str, Any]:
    asked: dict[str, Any] = json.loads(operation.payload or "{}")
    return asked
