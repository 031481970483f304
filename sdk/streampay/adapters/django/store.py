"""Orders in the project's own database, through Django's ORM."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from django.db import IntegrityError, connections, router
from django.db.models import Exists, F, OuterRef
from django.db.transaction import atomic

from streampay.adapters.django import models
from streampay.gateway import Hook, HookCall, Order, OrderRecord, OrderStatus, OrderTx
from streampay.gateway.stores import KEPT_EVENTS_S, Run, is_overtaken, must_wait, retry_after_s, work_off

log = logging.getLogger("streampay")


class DjangoOrderStore:
    """Orders in the app's three tables; what a hook writes through the ORM is committed with the note that it ran.

    A row is locked by writing to it, which every database does alike. Each method commits by itself, and refuses to be
    called inside an `atomic` block of yours (a RuntimeError): an order must be known before the gateway hears of it.
    With ATOMIC_REQUESTS, put `non_atomic_requests` on the views that call the plugin.

    Args:
        using: alias of the database; default: where the router writes this app's models.
        clock: Unix time in seconds.
    """

    def __init__(self, *, using: str | None = None, clock: Callable[[], float] = time.time) -> None:
        self.using: str = using or router.db_for_write(models.Order)
        self._clock = clock

    def load(self, order_id: str) -> OrderRecord | None:
        """Read an order; None if it is not known."""
        return _record(self.using, order_id)

    def add(self, order: Order) -> OrderRecord:
        """Make an order known, committed, unless it is; return it as it stands."""
        known = self.load(order.id)
        if known is not None:
            return known
        record = OrderRecord.new(order)
        row = models.Order(id=order.id, status=record.status, state=record.to_dict(), updated_at=self._clock())
        try:
            with atomic(self.using, durable=True):
                row.save(using=self.using, force_insert=True)
        except IntegrityError:  # somebody was quicker
            return self.load(order.id) or record
        return record

    @contextmanager
    def locked(self, order_id: str) -> Iterator[OrderTx]:
        """Lock an order until the block ends, then commit."""
        with atomic(self.using, durable=True):
            yield _Tx(self.using, order_id, self._clock())

    def run_due(self, run: Run, limit: int) -> int:
        """Run queued calls; see `OrderStore.run_due`."""
        models.Event.objects.using(self.using).filter(received_at__lt=self._clock() - KEPT_EVENTS_S).delete()
        return work_off(self._due, lambda number: self._attempt(number, run), limit)

    def _due(self, limit: int) -> list[int]:
        open_hooks = models.Hook.objects.using(self.using).filter(done_at=None)
        ready = open_hooks.exclude(hook=Hook.PAID, order__status=OrderStatus.DISPUTED)  # all but those that `must_wait`
        earlier = ready.filter(order_id=OuterRef("order_id"), id__lt=OuterRef("id"))
        due = ready.filter(~Exists(earlier), due_at__lte=self._clock())
        return list(due.order_by("id").values_list("id", flat=True)[:limit])

    def _attempt(self, number: int, run: Run) -> bool:
        try:
            with atomic(self.using, durable=True):
                return self._run_one(number, run)
        except Exception as failure:  # a shop's hook may raise anything, and the others must go on
            log.exception("hook_failed id=%s", number)
            self._postpone(number, type(failure).__name__)
            return False

    def _run_one(self, number: int, run: Run) -> bool:
        """Take a call, unless another worker has it or had it; whoever updates its row first runs it."""
        hooks = models.Hook.objects.using(self.using).filter(id=number)
        if not hooks.filter(done_at=None).update(done_at=self._clock()):
            return False
        row = hooks.get()
        record = _record(self.using, row.order_id)
        call = HookCall(row.order_id, Hook(row.hook), row.subject, order=record, tx=connections[self.using])
        if must_wait(call):  # since it was found to be due
            hooks.update(done_at=None)
            return False
        if not is_overtaken(call):
            run(call)
        return True

    def _postpone(self, number: int, error: str) -> None:
        hooks = models.Hook.objects.using(self.using).filter(id=number)
        with atomic(self.using, durable=True):
            hooks.update(failures=F("failures") + 1, error=error[:200])  # the lock
            due_at = self._clock() + retry_after_s(hooks.get().failures)
            hooks.update(due_at=due_at)


class _Tx:
    """Implements `OrderTx`."""

    def __init__(self, using: str, order_id: str, now: float) -> None:
        self._using = using
        self._order_id = order_id
        self._now = now
        self._row = models.Order.objects.using(using).filter(id=order_id)
        is_known = self._row.update(version=F("version") + 1)  # the lock
        self.record = _record(using, order_id) if is_known else None

    def claim(self, event_id: str) -> bool:
        events = models.Event.objects.using(self._using)
        if events.filter(id=event_id).exists():
            return False
        events.create(id=event_id, order_id=self._order_id, received_at=self._now)
        return True

    def save(self, record: OrderRecord) -> None:
        self._row.update(status=record.status.value, state=record.to_dict(), updated_at=self._now)
        self.record = record

    def queue(self, calls: Iterable[HookCall]) -> None:
        hooks = models.Hook.objects.using(self._using)
        told = set(hooks.filter(order_id=self._order_id).values_list("hook", "subject"))
        for call in calls:
            name = (call.hook.value, call.subject)
            if name not in told:
                told.add(name)
                hooks.create(order_id=call.order_id, hook=name[0], subject=name[1], due_at=self._now)


def _record(using: str, order_id: str) -> OrderRecord | None:
    row = models.Order.objects.using(using).filter(id=order_id).first()
    return None if row is None else row.record
