"""Checkout of django-oscar: `pip install "streampay[oscar]"`, then docs/oscar.md.

The order is placed by a hook, in the commit that notes that the hook ran: once, whether the webhook or the shopper is
first, and also if the shopper never comes back. What it needs is kept with the plugin's order before the redirect.
"""

from __future__ import annotations

import logging
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.core import serializers
from django.core.signing import BadSignature, Signer
from django.db.transaction import on_commit
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.views.generic import View
from oscar.apps.payment.exceptions import RedirectRequired, UnableToTakePayment
from oscar.core.loading import get_class, get_model
from oscar.core.prices import Price

from streampay import models as sdk
from streampay.adapters.django.conf import gateway
from streampay.adapters.django.models import Order as Kept
from streampay.errors import StreamPayError
from streampay.gateway import SETTLED, HookCall, Hooks, Order, OrderStatus

log = logging.getLogger("streampay")
SIGNER = Signer(salt="streampay.oscar")
SOURCE = "streampay"

Applicator = get_class("offer.applicator", "Applicator")
OrderPlacementMixin: Any = get_class("checkout.mixins", "OrderPlacementMixin")
Repository = get_class("shipping.repository", "Repository")
Selector = get_class("partner.strategy", "Selector")
SurchargeApplicator = get_class("checkout.applicator", "SurchargeApplicator")
Basket = get_model("basket", "Basket")
OscarOrder = get_model("order", "Order")
OrderNote = get_model("order", "OrderNote")
Source = get_model("payment", "Source")
SourceType = get_model("payment", "SourceType")


class StreamPayMixin:
    """Goes before oscar's `PaymentDetailsView`: `class PaymentDetailsView(StreamPayMixin, CorePaymentDetailsView)`."""

    request: HttpRequest

    def submit(self, **submission: Any) -> HttpResponse:
        """Remember what `handle_payment` is not told."""
        self._submission = submission
        response: HttpResponse = super().submit(**submission)  # type: ignore[misc]  # oscar's view comes after us
        return response

    def handle_payment(self, order_number: Any, total: Any, **_: Any) -> None:
        """Send the shopper to pay.

        Raises:
            RedirectRequired: to the gateway's page.
            UnableToTakePayment: it cannot be reached; nothing was charged.
        """
        if not total.incl_tax:
            return
        number, given = str(order_number), self._submission
        user = given["user"]
        email = user.email if user.is_authenticated else given["order_kwargs"].get("guest_email")
        order = Order(number, total.incl_tax, total.currency, description=f"Order {number}", email=email or None)
        signed = {"signed": SIGNER.sign(number)}
        try:
            gateway().store.add(order)
            open_ones = Kept.objects.filter(id=number).exclude(status__in=[str(one) for one in SETTLED])
            open_ones.update(context=_context(given))
            url = (
                gateway()
                .start(
                    order,
                    success_url=self.request.build_absolute_uri(reverse("streampay_oscar:return", kwargs=signed)),
                    cancel_url=self.request.build_absolute_uri(reverse("streampay_oscar:cancel", kwargs=signed)),
                )
                .url
            )
        except StreamPayError as error:
            log.warning("not_started order=%s code=%s", number, error.code)
            raise UnableToTakePayment("The payment page cannot be reached. Nothing was charged; try again.") from error
        raise RedirectRequired(url)


def _context(given: dict[str, Any]) -> dict[str, Any]:
    """Return what placing the order will need, as JSON can hold it."""
    user, charge, total = given["user"], given["shipping_charge"], given["order_total"]
    return {
        "basket": given["basket"].pk,
        "worth": str(given["basket"].total_incl_tax),
        "user": user.pk if user.is_authenticated else None,
        "guest_email": given["order_kwargs"].get("guest_email"),
        "method": given["shipping_method"].code,
        "charge": [charge.currency, str(charge.excl_tax), str(charge.incl_tax)],
        "total": [total.currency, str(total.excl_tax), str(total.incl_tax)],
        "addresses": [
            serializers.serialize("json", [one]) if one else None
            for one in (given["shipping_address"], given["billing_address"])
        ],
    }


def _price(kept: list[str]) -> Price:
    return Price(kept[0], excl_tax=Decimal(kept[1]), incl_tax=Decimal(kept[2]))


def _address(kept: str | None) -> Any:
    return None if kept is None else next(iter(serializers.deserialize("json", kept))).object


class _Placement(OrderPlacementMixin):
    """Oscar's way to place an order, without a shopper at hand."""

    def __init__(self, user: Any) -> None:
        self.request = HttpRequest()
        self.request.user = user


def place(call: HookCall) -> None:
    """Place a paid order; the hook `on_paid`.

    Its total is what was paid. If prices changed while the shopper paid, a note says so.
    """
    if call.order is None or OscarOrder.objects.filter(number=call.order_id).exists():
        return
    kept = Kept.objects.get(id=call.order_id).context
    user = get_user_model().objects.filter(pk=kept["user"]).first() or AnonymousUser()
    basket = Basket.objects.select_for_update().get(pk=kept["basket"])
    basket.strategy = Selector().strategy(user=user)
    Applicator().apply(basket, user)
    shipping, billing = map(_address, kept["addresses"])
    charge, total = _price(kept["charge"]), _price(kept["total"])
    offered = Repository().get_shipping_methods(basket=basket, user=user, shipping_addr=shipping, request=None)
    placement = _Placement(user)
    _add_source(placement, call, total)
    order = placement.place_order(
        order_number=call.order_id,
        user=user,
        basket=basket,
        shipping_address=shipping,
        shipping_method=next(one for one in offered if one.code == kept["method"]),
        shipping_charge=charge,
        order_total=total,
        billing_address=billing,
        surcharges=SurchargeApplicator(placement.request).get_applicable_surcharges(basket, shipping_charge=charge),
        **({} if kept["user"] else {"guest_email": kept["guest_email"]}),
    )
    basket.submit()
    if basket.total_incl_tax != Decimal(kept["worth"]):
        note = f"The basket was worth {kept['worth']} when it was paid, and {basket.total_incl_tax} when it was placed."
        OrderNote.objects.create(order=order, note_type=OrderNote.SYSTEM, message=note)
    on_commit(lambda: placement.send_order_placed_email(order), using=call.tx.alias, robust=True)


def _add_source(placement: Any, call: HookCall, total: Price) -> None:
    kind, _ = SourceType.objects.get_or_create(code=SOURCE, defaults={"name": "StreamPay"})
    source = Source(
        source_type=kind,
        currency=total.currency,
        amount_allocated=total.incl_tax,
        amount_debited=total.incl_tax,
        reference=call.payment_id,
    )
    source.create_deferred_transaction("Debit", total.incl_tax, call.payment_id, "paid")
    placement.add_payment_source(source)
    placement.add_payment_event("Paid", total.incl_tax, call.payment_id)


def note_refund(call: HookCall) -> None:
    """Write down what went back, by whomever; the hook `on_refunded`."""
    source = Source.objects.select_for_update().filter(order__number=call.order_id, reference=call.payment_id).first()
    if source is None or call.order is None:
        return
    back = Decimal(call.order.readings[call.payment_id].amount_refunded) - source.amount_refunded
    if back > 0:
        source.refund(back, call.payment_id, "refunded")


hooks = Hooks(on_paid=place, on_refunded=note_refund)


def refund(order: Any, amount: Decimal | None = None, *, key: str | None = None) -> sdk.Refund:
    """Give an order's money back, in part or in full; see `PaymentGateway.refund`, also for `key`.

    Raises:
        StreamPayError: nothing or less is left, or the gateway does not answer, and asking again is safe.
    """
    return gateway().refund(order.number, amount, key=key)


class ReturnView(OrderPlacementMixin, View):
    """Where the shopper comes back: the order is placed if it is paid and nobody was quicker."""

    def get(self, request: HttpRequest, signed: str) -> HttpResponse:
        """Show the order, or say that it waits."""
        number = _number(signed)
        gateway().returned(number)
        order = OscarOrder.objects.filter(number=number).first()
        if order is None:
            messages.info(request, "Your payment has not arrived yet. We write to you as soon as it does.")
            return redirect("basket:summary")
        self.checkout_session.flush()
        request.session["checkout_order_id"] = order.pk
        return redirect(self.get_success_url())


class CancelView(OrderPlacementMixin, View):
    """Where the shopper gives up: the page is closed before the basket is theirs again."""

    def get(self, request: HttpRequest, signed: str) -> HttpResponse:
        """Thaw the basket, unless money came or is on its way."""
        try:
            record = gateway().abandon(_number(signed))
        except StreamPayError:
            messages.error(request, "We cannot reach the payment page. Try again in a minute.")
            return redirect("basket:summary")
        if record is not None and record.status not in (OrderStatus.NEW, OrderStatus.FAILED, OrderStatus.EXPIRED):
            return redirect("streampay_oscar:return", signed=signed)
        self.restore_frozen_basket()
        if not request.user.is_authenticated:  # his cookie may name a basket that was begun meanwhile and is merged now
            request.cookies_to_delete.append(settings.OSCAR_BASKET_COOKIE_OPEN)  # oscar then sets it anew
        return redirect("basket:summary")


def _number(signed: str) -> str:
    try:
        return SIGNER.unsign(signed)
    except BadSignature as error:
        raise Http404 from error


urls = (
    [
        path("return/<str:signed>/", ReturnView.as_view(), name="return"),
        path("cancel/<str:signed>/", CancelView.as_view(), name="cancel"),
    ],
    "streampay_oscar",
)
