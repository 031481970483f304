"""Orders for people: what the gateway said of each, what to look at, and a button that asks it again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from streampay.adapters.django.conf import gateway
from streampay.adapters.django.models import Hook, Order
from streampay.errors import StreamPayError

MAX_READ = 100  # each is a request to the gateway, and a person waits


class _ReadOnly:
    """Nothing is typed in here: the gateway's word alone changes an order."""

    def has_add_permission(self, *_: object) -> bool:
        return False

    def has_change_permission(self, *_: object) -> bool:
        return False

    def has_delete_permission(self, *_: object) -> bool:
        return False


class HookInline(_ReadOnly, admin.TabularInline):
    """What was and is to be done for an order."""

    model = Hook
    fields = readonly_fields = ("hook", "subject", "failures", "error", "due", "done")

    @admin.display
    def due(self, hook: Hook) -> datetime:
        """When it is tried next."""
        return _when(hook.due_at)

    @admin.display
    def done(self, hook: Hook) -> datetime | None:
        """When it ran."""
        return None if hook.done_at is None else _when(hook.done_at)


@admin.register(Order)
class OrderAdmin(_ReadOnly, admin.ModelAdmin):
    """Orders, the last changed first."""

    list_display = ("id", "status", "amount", "reviews", "updated")
    list_filter = ("status",)
    search_fields = ("id",)
    ordering = ("-updated_at",)
    fields = ("id", "status", "amount", "page", "reviews", "readings", "context", "updated")
    inlines = (HookInline,)
    actions: ClassVar[Sequence[Any]] = ("read_again",)

    def has_read_permission(self, request: HttpRequest) -> bool:
        """Asking again changes an order, so it needs that right."""
        return admin.ModelAdmin.has_change_permission(self, request)

    @admin.action(description="Read again at the gateway", permissions=["read"])
    def read_again(self, request: HttpRequest, orders: QuerySet[Order]) -> None:
        """Reconcile the chosen orders."""
        ids = list(orders.values_list("id", flat=True)[: MAX_READ + 1])
        try:
            for order_id in ids[:MAX_READ]:
                gateway().reconcile(order_id)
        except StreamPayError as error:
            self.message_user(request, f"The gateway does not answer: {error}", messages.ERROR)
            return
        more = f" Only the first {MAX_READ} were read." if len(ids) > MAX_READ else ""
        self.message_user(request, f"{len(ids[:MAX_READ])} read at the gateway.{more}", messages.SUCCESS)

    @admin.display
    def amount(self, order: Order) -> str:
        """What is asked for."""
        return f"{order.record.amount} {order.record.currency}"

    @admin.display
    def updated(self, order: Order) -> datetime:
        """When it was last heard of."""
        return _when(order.updated_at)

    @admin.display
    def page(self, order: Order) -> SafeString | str:
        """Where the shopper pays, or paid."""
        url = order.record.receipt_url
        return format_html('<a href="{}" rel="noreferrer">{}</a>', url, order.record.payment_id) if url else "-"

    @admin.display
    def reviews(self, order: Order) -> str:
        """What a person should look at."""
        return ", ".join(order.record.reviews) or "-"

    @admin.display
    def readings(self, order: Order) -> SafeString | str:
        """What the gateway said of each payment."""
        rows = (
            (one.id, f"{one.amount} {one.currency}", one.status, one.refunds, one.amount_refunded, one.dispute)
            for one in order.record.readings.values()
        )
        return format_html_join("", "{}: {}, {}; refunds {} ({}), dispute {}<br>", rows) or "-"


def _when(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, tz=timezone.utc)
