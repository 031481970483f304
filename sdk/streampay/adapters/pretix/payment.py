"""The payment provider of an event."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from django import forms
from django.core.signing import Signer
from django.db.models import F, Sum
from django.db.transaction import atomic
from django.http import HttpRequest
from django.utils.html import format_html
from pretix.base.forms import SecretKeySettingsField
from pretix.base.models import OrderPayment, OrderRefund, Quota
from pretix.base.payment import BasePaymentProvider, PaymentException
from pretix.multidomain.urlreverse import eventreverse_absolute

from streampay import models
from streampay.adapters.django_rows import RowStore
from streampay.errors import ApiError, ConfigurationError, RateLimited, ServerError, StreamPayError
from streampay.gateway import Order, OrderRecord, OrderStatus, PaymentGateway, SettingsError
from streampay.gateway.orders import plain

log = logging.getLogger("streampay")
SIGNER = Signer(salt="streampay.return")
_OPEN = (OrderPayment.PAYMENT_STATE_CREATED, OrderPayment.PAYMENT_STATE_PENDING)
_COUNTED = (
    OrderRefund.REFUND_STATE_CREATED,
    OrderRefund.REFUND_STATE_TRANSIT,
    OrderRefund.REFUND_STATE_DONE,
    OrderRefund.REFUND_STATE_EXTERNAL,
)


class PaymentRows(RowStore):
    """The payments of an event, each an order of the plugin by its full id, `CODE-P-1`; the record is in `info`."""

    def __init__(self, event: Any) -> None:
        self._event = event

    def find(self, order_id: str, *, lock: bool) -> Any:
        """Return a payment; a row is locked by writing to it, as SQLite has no other way."""
        code, _, number = order_id.rpartition("-P-")
        if not number.isascii() or not number.isdecimal():
            return None
        rows = OrderPayment.objects.filter(
            order__event=self._event, order__code=code, local_id=int(number), provider=StreamPayProvider.identifier
        )
        if lock:  # before anything is read: SQLite refuses at once to lock what changed since a transaction read it
            rows.update(info=F("info"))
        return rows.first()

    def read(self, row: Any) -> Mapping[str, Any] | None:
        """Return what was kept."""
        return row.info_data.get("streampay")

    def keep(self, row: Any, record: OrderRecord) -> None:
        """Write the record; pretix itself is told by `StreamPayProvider.settle`, after the commit."""
        row.info_data = row.info_data | {"streampay": record.to_dict()}
        row.save(update_fields=["info"])


class StreamPayProvider(BasePaymentProvider):
    """Sends customers to the gateway's page and believes its word alone."""

    identifier = "streampay"
    verbose_name = "StreamPay"
    abort_pending_allowed = True

    def __init__(self, event: Any) -> None:
        super().__init__(event)
        self.rows = PaymentRows(event)

    @property
    def public_name(self) -> str:
        """What customers read."""
        return self.settings.get("title") or "Card or crypto wallet"

    @property
    def settings_form_fields(self) -> dict[str, Any]:
        """What an organizer fills in."""
        own = [
            ("title", forms.CharField(label="Title", required=False, help_text="What customers read.")),
            ("base_url", forms.URLField(label="Gateway", help_text="Such as https://pay.example.com.")),
            ("api_key", SecretKeySettingsField(label="Secret key", help_text="sk_test_… or sk_live_…")),
            (
                "webhook_secrets",
                SecretKeySettingsField(label="Webhook secret", help_text="whsec_…; two while rotating"),
            ),
        ]
        return OrderedDict([*super().settings_form_fields.items(), *own])

    def settings_content_render(self, request: HttpRequest) -> str:  # noqa: ARG002 - pretix's
        """Tell which address to add at the gateway."""
        url = eventreverse_absolute(self.event, "plugins:streampay_pretix:webhook")
        return format_html("<p>Add this webhook endpoint at your gateway: <code>{}</code></p>", url)

    @property
    def test_mode_message(self) -> str:
        """Tell whether money moves while the event is in test mode."""
        if (self.settings.get("api_key") or "").startswith("sk_test_"):
            return "This is a test: no money moves."
        return "This event is in test mode, but the gateway's key is not: real money will move."

    @contextmanager
    def plugin(self) -> Iterator[PaymentGateway]:
        """Open the gateway with this event's keys."""
        given = {name: self.settings.get(name) or "" for name in ("base_url", "api_key", "webhook_secrets")}
        prefix = f"{self.event.organizer.slug}-{self.event.slug}-"
        plugin = PaymentGateway.from_settings(given, self.rows, prefix=prefix)
        try:
            yield plugin
        finally:
            plugin.client.close()

    def is_allowed(self, request: HttpRequest, total: Decimal | None = None) -> bool:
        """Be offered only with a key."""
        return bool(self.settings.get("api_key")) and super().is_allowed(request, total)

    def payment_is_valid_session(self, request: HttpRequest) -> bool:  # noqa: ARG002 - pretix's
        """Need nothing: everything is asked on the gateway's page."""
        return True

    def payment_form_render(self, *_: Any, **__: Any) -> str:
        """Say what comes next."""
        return "After you have placed your order you pay on our payment page, then you come back."

    checkout_confirm_render = payment_form_render

    # --- paying ------------------------------------------------------------------------------------------------------

    def execute_payment(self, request: HttpRequest, payment: Any) -> str | None:  # noqa: ARG002 - pretix's
        """Return where to pay."""
        signed = {"signed": SIGNER.sign(payment.full_id)}
        url = eventreverse_absolute(self.event, "plugins:streampay_pretix:return", kwargs=signed)
        order = Order(
            id=payment.full_id,
            amount=payment.amount,
            currency=self.event.currency,
            description=f"{self.event.name} {payment.order.code}",
            email=payment.order.email or None,
            metadata={"pretix_order": payment.order.code},
        )
        try:
            with self.plugin() as plugin:
                return plugin.start(order, success_url=url, cancel_url=url).url
        except (StreamPayError, SettingsError) as error:
            log.warning("not_started order=%s error=%s", payment.full_id, error)
            raise PaymentException("The payment page cannot be reached. Nothing was charged; try again.") from error

    def settle(self, plugin: PaymentGateway, record: OrderRecord) -> None:
        """Tell pretix what a record means. Called again it changes nothing, so a crash before or within is mended."""
        payment = self.rows.find(record.id, lock=False)
        if payment is None:
            return
        if record.is_settled:
            self._confirm(payment)
            self._settle_refunds(plugin, record)
        elif payment.state in _OPEN and record.status in (OrderStatus.FAILED, OrderStatus.EXPIRED):
            payment.fail(send_mail=record.status is OrderStatus.FAILED)
        elif record.status in (OrderStatus.ON_HOLD, OrderStatus.AUTHORIZED):
            rows = OrderPayment.objects.filter(pk=payment.pk, state=OrderPayment.PAYMENT_STATE_CREATED)
            rows.update(state=OrderPayment.PAYMENT_STATE_PENDING)

    def _confirm(self, payment: Any) -> None:
        if payment.state in (OrderPayment.PAYMENT_STATE_CONFIRMED, OrderPayment.PAYMENT_STATE_REFUNDED):
            return
        try:
            payment.confirm()
        except Quota.QuotaExceededException:
            log.warning("sold_out order=%s", payment.full_id)  # the payment is kept; pretix shows it to the organizer

    def cancel_payment(self, payment: Any) -> None:
        """Close the page on which the customer could still pay, then cancel."""
        try:
            with self.plugin() as plugin:
                record = plugin.abandon(payment.full_id)
        except (StreamPayError, SettingsError) as error:
            raise PaymentException("The gateway does not answer. Try again in a minute.") from error
        is_over = (OrderStatus.NEW, OrderStatus.FAILED, OrderStatus.EXPIRED)
        if record is not None and record.status not in is_over:
            raise PaymentException("Money came or is on its way: this payment cannot be canceled.")
        payment.refresh_from_db()
        super().cancel_payment(payment)

    # --- giving money back -------------------------------------------------------------------------------------------

    def payment_refund_supported(self, payment: Any) -> bool:
        """Only what was paid here."""
        record = self.rows.record(payment)
        return record is not None and record.paid_by is not None

    payment_partial_refund_supported = payment_refund_supported

    def execute_refund(self, refund: Any) -> None:
        """Give money back. While the outcome is unknown a refund stays in transit, and is never sent as another one."""
        try:
            with self.plugin() as plugin:
                self._read_refund(plugin, refund)
        except (ConfigurationError, SettingsError) as error:
            raise PaymentException(str(error)) from error
        except ApiError as error:
            if not isinstance(error, (RateLimited, ServerError)):
                raise PaymentException(error.message) from error
            self._wait(refund, error)
        except StreamPayError as error:
            self._wait(refund, error)
        if refund.state == OrderRefund.REFUND_STATE_FAILED:
            raise PaymentException("The payment provider refused the refund.")

    def _wait(self, refund: Any, error: StreamPayError) -> None:
        log.warning("refund_unknown refund=%s code=%s", refund.full_id, error.code)
        refund.state = OrderRefund.REFUND_STATE_TRANSIT
        refund.save(update_fields=["state"])

    def _read_refund(self, plugin: PaymentGateway, refund: Any) -> None:
        """Send a refund, or read it if it was sent; its id is its idempotency key."""
        known = refund.info_data.get("id")
        made = plugin.client.refunds.retrieve(known) if known else self._send_refund(plugin, refund)
        if refund.info_data != (told := {"id": made.id, "status": made.status}):
            refund.info_data = told
            refund.save(update_fields=["info"])
        if made.status == "succeeded":
            if refund.state != OrderRefund.REFUND_STATE_DONE:
                refund.done()
        elif made.status in ("failed", "canceled"):
            self._undo(refund)
        elif refund.state != OrderRefund.REFUND_STATE_TRANSIT:
            refund.state = OrderRefund.REFUND_STATE_TRANSIT
            refund.save(update_fields=["state"])

    def _send_refund(self, plugin: PaymentGateway, refund: Any) -> models.Refund:
        record = self.rows.record(refund.payment)
        if record is None or record.paid_by is None:
            raise PaymentException("This payment was not paid through StreamPay.")
        return plugin.client.refunds.create(
            payment=record.paid_by,
            amount=plain(refund.amount),
            metadata={"pretix_refund": refund.full_id},
            idempotency_key=f"{plugin.prefix}{refund.full_id}",
        )

    def _undo(self, refund: Any) -> None:
        """Note that a refund failed, which also happens weeks after it succeeded."""
        refund.state = OrderRefund.REFUND_STATE_FAILED
        refund.save(update_fields=["state"])
        refund.order.log_action("pretix.event.order.refund.failed", {"local_id": refund.local_id})
        again = OrderPayment.objects.filter(pk=refund.payment.pk, state=OrderPayment.PAYMENT_STATE_REFUNDED)
        again.update(state=OrderPayment.PAYMENT_STATE_CONFIRMED)

    def _settle_refunds(self, plugin: PaymentGateway, record: OrderRecord) -> None:
        """Bring our refunds to their end, and note what went back by another hand."""
        payment, paid = self.rows.find(record.id, lock=False), record.readings[record.paid_by or ""]
        doubtful = [OrderRefund.REFUND_STATE_TRANSIT]
        doubtful += [OrderRefund.REFUND_STATE_DONE] if paid.refunds == "failed" else []
        for refund in payment.refunds.filter(provider=self.identifier, state__in=doubtful):
            self._read_refund(plugin, refund)
        with atomic():  # of two deliveries one notes the difference
            payment = self.rows.find(record.id, lock=True)
            known = payment.refunds.filter(state__in=_COUNTED).aggregate(sum=Sum("amount"))["sum"] or Decimal(0)
            now = (self.rows.record(payment) or record).readings[paid.id]
            by_others = Decimal(now.amount_refunded) - known
            if by_others > 0:
                payment.create_external_refund(amount=by_others)

    # --- what staff and auditors see ---------------------------------------------------------------------------------

    def payment_control_render(self, request: HttpRequest, payment: Any) -> str:  # noqa: ARG002 - pretix's
        """Show where a payment stands, and what to look at."""
        record = self.rows.record(payment)
        if record is None:
            return ""
        said = ", ".join([record.status.value, *record.reviews])
        return format_html(
            '<p><a href="{}">{}</a>: {}</p>', record.receipt_url or "#", self.matching_id(payment) or "-", said
        )

    def api_payment_details(self, payment: Any) -> dict[str, Any]:
        """Give the REST API the payment's id and what to look at."""
        record = self.rows.record(payment)
        reviews = [] if record is None else list(record.reviews)
        return {"payment_id": self.matching_id(payment), "reviews": reviews}

    def matching_id(self, payment: Any) -> str | None:
        """Return the gateway's id."""
        record = self.rows.record(payment)
        return None if record is None else record.paid_by or record.payment_id

    def refund_matching_id(self, refund: Any) -> str | None:
        """Return the gateway's id."""
        return refund.info_data.get("id")

    def shred_payment_info(self, obj: Any) -> None:
        """Keep ids and sums, which name nobody; the pages, which do, are forgotten."""
        kept = obj.info_data
        own, no_pages = kept.get("streampay"), dict[str, Any](url=None, pages={})
        obj.info_data = {"streampay": own | no_pages} if own else {n: kept[n] for n in ("id", "status") if n in kept}
        obj.save(update_fields=["info"])
