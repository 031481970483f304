"""Three pages and a button."""

from decimal import Decimal

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from shop.models import Purchase
from streampay import StreamPayError
from streampay.adapters.django import gateway
from streampay.gateway import Order

CURRENCY = "USD"
PRODUCTS = {"tee": Decimal("24.00"), "mug": Decimal("12.30"), "stickers": Decimal("3.50")}


def home(request: HttpRequest) -> HttpResponse:
    """Show everything."""
    return render(request, "shop/home.html", {"products": PRODUCTS.items(), "currency": CURRENCY})


@require_POST
def buy(request: HttpRequest) -> HttpResponse:
    """Write the order, then send the shopper to pay it."""
    product = request.POST.get("product", "")
    if product not in PRODUCTS:
        return redirect("home")
    return pay(request, Purchase.objects.create(product=product, amount=PRODUCTS[product]).pk)


@require_POST
def pay(request: HttpRequest, order_id: str) -> HttpResponse:
    """Send the shopper to the payment page: the one that is open for this order, or a new one."""
    purchase = get_object_or_404(Purchase, pk=order_id)
    url = settings.BASE_URL + purchase.get_absolute_url()
    try:
        order = Order(purchase.pk, purchase.amount, CURRENCY, description=purchase.product)
        return redirect(gateway().start(order, success_url=url + "?returned", cancel_url=url).url)
    except StreamPayError:
        return show(request, purchase, notice="We cannot reach the payment page. Nothing was charged.", status=503)


@never_cache
def order(request: HttpRequest, order_id: str) -> HttpResponse:
    """Tell the truth about an order; the shopper may be quicker than the webhook."""
    purchase = get_object_or_404(Purchase, pk=order_id)
    if "returned" in request.GET:
        gateway().returned(purchase.pk)
    return show(request, get_object_or_404(Purchase, pk=order_id))


def show(request: HttpRequest, purchase: Purchase, *, notice: str = "", status: int = 200) -> HttpResponse:
    """Draw the order's page."""
    known = gateway().store.load(purchase.pk)
    facts = {"purchase": purchase, "known": known, "currency": CURRENCY, "notice": notice}
    return render(request, "shop/order.html", facts, status=status)
