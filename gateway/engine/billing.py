"""Billing: a subscription is read at its provider, and each bill becomes a period and, where money moves, a payment.

The provider keeps the schedule; nothing is ever charged from here. Webhooks only mark a subscription as due; whoever
comes first reads it: the inbox at once, or the sweep. The period's row is written before anything is made of its bill,
in the same tx, so reports that come twice, late or in any order meet the row that is there.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from sqlalchemy import select, update

from gateway.domain.events import Event, EventType
from gateway.domain.subscriptions import (
    PeriodStatus,
    ProviderSubscription,
    SubscriptionStatus,
    derive,
    is_trial_ending,
    next_look,
    subscription_events,
)
from gateway.engine.core import Core
from gateway.engine.reading import Reading
from gateway.engine.recurring import (
    SubscriptionRecord,
    load_periods,
    load_plan,
    load_subscription,
    shown_subscription,
)
from gateway.engine.renewals import Renewals
from gateway.kernel.errors import ErrorCode, NotFoundError, TemporaryError, WorldError
from gateway.kernel.log import Log
from gateway.outbox.events import append
from gateway.storage import schema
from gateway.storage.database import Tx

log = Log("engine")

READ_LIMIT: Final = 4  # tries to store one read, as of an attempt
DUE_LIMIT: Final = 50  # subscriptions a turn
RETRY_AFTER: Final = timedelta(minutes=1)  # a provider that did not answer is asked again then
_OVERLAP: Final = timedelta(days=1)  # read again behind what is settled: the provider's clock is not ours
_SETTLED: Final = frozenset({PeriodStatus.PAID, PeriodStatus.VOID})


class Billing:
    """Reads subscriptions at their providers."""

    def __init__(self, core: Core, reading: Reading) -> None:
        self._core = core
        self._reading = reading
        self._renewals = Renewals(core)

    def hint(self, network: str, references: Sequence[str]) -> bool:
        """Mark the subscription that a notification names as due; return whether there was one."""
        found = self._core.db.read(partial(_named, network, references))
        if found is None:
            return False
        table = schema.subscription
        values = {"due_at": self._core.clock.now(), "hints": table.c.hints + 1}
        self._core.db.write(lambda tx: tx.execute(update(table).where(table.c.id == found).values(values)))
        return True

    def read_due(self) -> int:
        """Read every subscription that is due; return how many."""
        table = schema.subscription
        query = (
            select(table.c.id).where(table.c.due_at <= self._core.clock.now()).order_by(table.c.due_at).limit(DUE_LIMIT)
        )
        due = self._core.db.read(lambda tx: list(tx.scalars(query)))
        return self._core.crew.each([partial(self._attempted, subscription_id) for subscription_id in due])

    def read(self, subscription_id: str) -> ProviderSubscription:
        """Read a subscription, store what it says, and read the charges that are news.

        Raises:
            TemporaryError: the provider does not answer, or others keep storing newer reads.
            NotFoundError: the provider does not know it.
        """
        for _ in range(READ_LIMIT):
            began, since = self._core.db.read(partial(_began, subscription_id))
            processor = self._core.subscriber(began.network.partition(":")[0])
            found = processor.retrieve(began.reference, livemode=began.livemode, since=since)
            attempts = self._core.db.write(partial(self._store, began, found))
            if attempts is None:
                continue
            self._core.wake_delivery()
            for attempt_id in attempts:
                self._reading.read(attempt_id)
            self._core.db.write(partial(self._put_off, began, found))
            return found
        raise TemporaryError(
            ErrorCode.PROVIDER_UNAVAILABLE, "This subscription changes too fast to be read. Ask again."
        )

    def _attempted(self, subscription_id: str) -> bool:
        """Read one; what the world fails at is left to a later turn."""
        try:
            self.read(subscription_id)
        except (WorldError, NotFoundError) as error:
            log.warning("subscription_not_read", subscription_id=subscription_id, code=error.code)
            table = schema.subscription
            later = self._core.clock.now() + RETRY_AFTER
            is_it = table.c.id == subscription_id
            self._core.db.write(lambda tx: tx.execute(update(table).where(is_it).values(due_at=later)))
            return False
        return True

    def _store(self, began: SubscriptionRecord, found: ProviderSubscription, tx: Tx) -> list[str] | None:
        """Store a read if none was stored since it began.

        Returns:
            The attempts whose charges are to be read; None if it was not stored.
        """
        assert found.is_livemode == began.livemode, "a provider's test and live worlds never meet"
        before = load_subscription(tx, began.id, lock=True)
        if before.reads != began.reads:
            return None
        attempts = [one for invoice in found.invoices for one in self._renewals.take(tx, before, invoice)]
        if found.status is SubscriptionStatus.CANCELED:
            self._renewals.release(tx, before)
        self._store_state(tx, before, found)
        return list(dict.fromkeys(attempts))

    def _store_state(self, tx: Tx, before: SubscriptionRecord, found: ProviderSubscription) -> None:
        now = self._core.clock.now()
        facts = [one.fact for one in load_periods(tx, before.id)]
        state = derive(found, facts, grace=load_plan(tx, before.plan_id).grace)
        after = replace(
            before,
            status=state.status,
            period_start=found.period_start,
            period_end=found.period_end,
            paid_until=state.paid_until,
            access_until=state.access_until,
            trial_ends_at=found.trial_ends_at,
            cancels_at=state.cancels_at,
            canceled_at=found.canceled_at,
            ended_at=found.ended_at,
            reads=before.reads + 1,
        )
        types = list(subscription_events(None if before.reads == 0 else before.state, state))
        if before.noticed_at is None and is_trial_ending(state.status, found.trial_ends_at, now):
            after = replace(after, noticed_at=now)
            types.append(EventType.SUBSCRIPTION_TRIAL_WILL_END)
        if types or after != replace(before, reads=after.reads):
            after = replace(after, updated_at=now, sequence=before.sequence + len(types))
        table = schema.subscription
        tx.execute(update(table).where(table.c.id == after.id).values(after.row()))
        self._announce(tx, before, after, types)

    def _announce(
        self, tx: Tx, before: SubscriptionRecord, after: SubscriptionRecord, types: Sequence[EventType]
    ) -> None:
        previous = {} if before.status is after.status else {"status": before.status.value}
        for sequence, event_type in enumerate(types, start=before.sequence + 1):
            append(
                tx,
                Event(
                    id=self._core.ids.new("evt"),
                    type=event_type,
                    merchant_id=after.merchant_id,
                    livemode=after.livemode,
                    object_id=after.id,
                    sequence=sequence,
                    created_at=self._core.clock.now(),
                    data=shown_subscription(tx, after),
                    previous=previous if sequence > 1 else None,
                ),
            )

    def _put_off(self, began: SubscriptionRecord, found: ProviderSubscription, tx: Tx) -> None:
        """Say when to look again, unless a hint came since the read began: then it stays due."""
        subscription = load_subscription(tx, began.id, lock=True)
        if subscription.hints != began.hints:
            return
        facts = [one.fact for one in load_periods(tx, began.id)]
        due_at = next_look(subscription.state, found, facts, self._core.clock.now())
        table = schema.subscription
        tx.execute(update(table).where(table.c.id == began.id).values(due_at=due_at))


def _named(network: str, references: Sequence[str], tx: Tx) -> str | None:
    """Return the subscription that one of these is, or whose bill it is."""
    table, periods = schema.subscription, schema.subscription_period
    is_it = (table.c.network == network) & table.c.reference.in_(references)
    is_bill = (periods.c.network == network) & periods.c.reference.in_(references)
    found = tx.scalar(select(table.c.id).where(is_it).limit(1))
    return found or tx.scalar(select(periods.c.subscription_id).where(is_bill).limit(1))


def _began(subscription_id: str, tx: Tx) -> tuple[SubscriptionRecord, datetime | None]:
    """Return a subscription before its read, and since when its invoices may have changed."""
    periods = load_periods(tx, subscription_id)
    unsettled = [one.created_at for one in periods if one.status not in _SETTLED]
    newest = [max(one.created_at for one in periods)] if periods else []
    since = min([*unsettled, *newest], default=None)
    return load_subscription(tx, subscription_id), None if since is None else since - _OVERLAP
