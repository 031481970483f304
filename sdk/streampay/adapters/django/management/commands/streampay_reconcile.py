"""`manage.py streampay_reconcile`: ask the gateway about orders that wait; for cron, and before any auto-cancel."""

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from streampay.adapters.django.conf import gateway
from streampay.adapters.django.models import Order
from streampay.adapters.django.store import DjangoOrderStore
from streampay.errors import StreamPayError
from streampay.gateway import OrderStatus

WAITING = [str(status) for status in (OrderStatus.PENDING, OrderStatus.ON_HOLD, OrderStatus.AUTHORIZED)]


class Command(BaseCommand):
    """Reads the longest unheard first; an answer makes an order young again, so each has its turn."""

    help = "Read waiting orders again at the gateway."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add which, and how many."""
        parser.add_argument("--older-than", type=int, default=600, metavar="SECONDS", help="unheard for so long (600)")
        parser.add_argument("--limit", type=int, default=500)

    def handle(self, *_: Any, **options: Any) -> None:
        """Ask."""
        plugin = gateway()
        assert isinstance(plugin.store, DjangoOrderStore)
        waiting = Order.objects.using(plugin.store.using).filter(
            status__in=WAITING, updated_at__lt=time.time() - options["older_than"]
        )
        for order_id in list(waiting.order_by("updated_at").values_list("id", flat=True)[: options["limit"]]):
            try:
                result = plugin.reconcile(order_id)
            except StreamPayError as error:
                raise CommandError(f"The gateway does not answer: {error}. Cancel nothing now.") from error
            self.stdout.write(f"{order_id}: {result.order.status if result.order else result.code}")
