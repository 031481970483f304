"""A provider for django-payments: `pip install "streampay[django-payments]"`, then docs/django-payments.md.

PAYMENT_VARIANTS = {"streampay": ("streampay.adapters.django_payments.StreamPayProvider", {"prefix": "gift-"})}
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.db.models import F
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from payments import FraudStatus, PaymentError, PaymentStatus, RedirectNeeded, get_payment_model
from payments.core import BasicProvider

from streampay.adapters.django.views import take
from streampay.adapters.django_rows import RowStore
from streampay.errors import SignatureVerificationError, StreamPayError
from streampay.gateway import Order, OrderLine, OrderRecord, OrderStatus, PaymentGateway
from streampay.gateway.orders import plain

_OPEN = (PaymentStatus.WAITING, PaymentStatus.INPUT, PaymentStatus.PREAUTH, PaymentStatus.REJECTED)
_MEANING = {
    OrderStatus.NEW: PaymentStatus.WAITING,
    OrderStatus.PENDING: PaymentStatus.INPUT,
    OrderStatus.ON_HOLD: PaymentStatus.WAITING,
    OrderStatus.AUTHORIZED: PaymentStatus.PREAUTH,
    OrderStatus.PAID: PaymentStatus.CONFIRMED,
    OrderStatus.PARTLY_REFUNDED: PaymentStatus.CONFIRMED,
    OrderStatus.DISPUTED: PaymentStatus.CONFIRMED,
    OrderStatus.REFUNDED: PaymentStatus.REFUNDED,
    OrderStatus.FAILED: PaymentStatus.REJECTED,
    OrderStatus.EXPIRED: PaymentStatus.REJECTED,
}


class StreamPayProvider(BasicProvider):
    """Sends the donor to the gateway's page, and lets its word alone change a payment.

    Args:
        capture: False holds a card's money until `payment.capture()`.
        prefix: begins every reference, so that other shops of the account are left alone.
        settings: values of `PaymentGateway.fields`; what is missing is read from the environment.
    """

    def __init__(self, capture: bool = True, *, prefix: str = "", **settings: Any) -> None:  # noqa: FBT001, FBT002 - BasicProvider's
        super().__init__(capture=capture)
        settings["capture_method"] = "automatic" if capture else "manual"
        self.plugin = PaymentGateway.from_settings(settings, PaymentRows(), prefix=prefix)

    def get_form(self, payment: Any, data: Any = None) -> Any:  # noqa: ARG002 - BasicProvider's
        """Send the donor to pay.

        Raises:
            RedirectNeeded: always, unless the gateway refuses.
            PaymentError: it refuses, or does not answer; nothing was charged.
        """
        back = self.get_return_url(payment)
        try:
            url = self.plugin.start(_order(payment), success_url=back, cancel_url=back).url
        except StreamPayError as error:
            raise PaymentError(str(error), code=error.code) from error
        payment.refresh_from_db()
        raise RedirectNeeded(url)

    def get_token_from_request(self, payment: Any, request: HttpRequest) -> str:  # noqa: ARG002 - BasicProvider's
        """Return whose delivery it is; `code` of the error is the HTTP status that the gateway gets."""
        try:
            token = self.plugin.order_of(request.body, request.headers)
        except SignatureVerificationError as error:
            raise PaymentError(error.code, code=400) from error
        except StreamPayError as error:
            raise PaymentError("unavailable", code=503) from error
        if token is None:
            raise PaymentError("ignored", code=200)  # a test event, or another shop's
        return token

    def process_data(self, payment: Any, request: HttpRequest) -> HttpResponse:
        """Take a delivery in, or receive the donor, who may be quicker than it."""
        if request.method == "POST":
            result = take(request, self.plugin)
            return HttpResponse(result.code, status=result.status_code, content_type="text/plain")
        self.plugin.returned(payment.token)
        payment.refresh_from_db()
        is_bad = payment.status in (PaymentStatus.REJECTED, PaymentStatus.ERROR, PaymentStatus.INPUT)
        return HttpResponseRedirect(payment.get_failure_url() if is_bad else payment.get_success_url())

    def capture(self, payment: Any, amount: Decimal | None = None) -> Decimal:
        """Take held money and return how much; the rest is let go."""
        held = self._known(payment)
        try:
            self.plugin.client.payments.capture(held, amount=None if amount is None else plain(amount))
        except StreamPayError as error:
            raise PaymentError(str(error), code=error.code) from error
        return payment.total if amount is None else amount

    def release(self, payment: Any) -> None:
        """Let go of what is held."""
        try:
            self.plugin.client.payments.cancel(self._known(payment))
        except StreamPayError as error:
            raise PaymentError(str(error), code=error.code) from error

    def refund(self, payment: Any, amount: Decimal | None = None) -> Decimal:
        """Give money back and return how much."""
        before = payment.captured_amount
        try:
            refund = self.plugin.refund(payment.token, amount)
        except StreamPayError as error:
            raise PaymentError(str(error), code=error.code) from error
        payment.refresh_from_db()
        payment.captured_amount = before  # `payment.refund()` subtracts what is returned from it, and saves
        return Decimal(refund.amount)

    def cancel(self, payment: Any) -> None:
        """Close the page on which the donor could still pay."""
        try:
            record = self.plugin.abandon(payment.token)
        except StreamPayError as error:
            raise PaymentError(str(error), code=error.code) from error
        payment.refresh_from_db()
        if record is not None and record.status not in (OrderStatus.NEW, OrderStatus.FAILED, OrderStatus.EXPIRED):
            raise PaymentError("Money came or is on its way.", code="not_cancelable")

    def _known(self, payment: Any) -> str:
        record = self.plugin.store.load(payment.token)
        if record is None or record.payment_id is None:
            raise PaymentError("This payment was never begun here.", code="not_begun")
        return next((one.id for one in record.readings.values() if one.status == "authorized"), record.payment_id)


class PaymentRows(RowStore):
    """The project's payment model; the record is `payment.attrs.streampay`."""

    def find(self, order_id: str, *, lock: bool) -> Any | None:
        """Return the payment of a token; a row is locked by writing to it, as SQLite has no other way."""
        rows = get_payment_model()._default_manager.filter(token=order_id)  # noqa: SLF001 - Django's public name of it
        if lock and order_id:
            rows.update(extra_data=F("extra_data"))
        return rows.first() if order_id else None

    def read(self, row: Any) -> Mapping[str, Any] | None:
        """Return what was kept."""
        return getattr(row.attrs, "streampay", None)

    def keep(self, row: Any, record: OrderRecord) -> None:
        """Write the record, and change the payment's status if that is news: its signal comes once."""
        row.attrs.streampay = record.to_dict()
        row.transaction_id = record.paid_by or record.payment_id or ""
        if record.paid_by is not None:
            paid = record.readings[record.paid_by]
            row.captured_amount = Decimal(paid.amount) - Decimal(paid.amount_refunded)
        row.save(update_fields=["extra_data", "transaction_id", "captured_amount"])
        status = _MEANING[record.status]
        if record.status is OrderStatus.DISPUTED and row.fraud_status != FraudStatus.REVIEW:
            row.change_fraud_status(FraudStatus.REVIEW, "disputed")
        if row.status != status and (record.is_settled or row.status in _OPEN):
            row.change_status(status, ", ".join(record.reviews))


def _order(payment: Any) -> Order:
    items = [OrderLine(item.name, item.price * item.quantity, item.quantity) for item in payment.get_purchased_items()]
    adds_up = sum((Decimal(item.amount) for item in items), Decimal(0)) == payment.total
    return Order(
        id=payment.token,
        amount=Decimal(payment.total),
        currency=payment.currency,
        description=payment.description or None,
        lines=tuple(items) if adds_up else (),
        email=payment.billing_email or None,
        country=payment.billing_country_code or None,
    )
