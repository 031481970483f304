"""A form, a button, and the page of a gift."""

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST
from payments import PaymentError, PaymentStatus, RedirectNeeded

from charity.models import Gift

CURRENCY = "USD"
UNPAID = (PaymentStatus.WAITING, PaymentStatus.INPUT, PaymentStatus.REJECTED)


class GiftForm(forms.Form):
    """How much."""

    amount = forms.DecimalField(min_value=1, max_value=10_000, decimal_places=2)


def home(request: HttpRequest) -> HttpResponse:
    """Ask for a gift."""
    return render(request, "charity/home.html", {"form": GiftForm(initial={"amount": 25}), "currency": CURRENCY})


@require_POST
def give(request: HttpRequest) -> HttpResponse:
    """Write the gift down, then send the donor to pay it."""
    form = GiftForm(request.POST)
    if not form.is_valid():
        return render(request, "charity/home.html", {"form": form, "currency": CURRENCY}, status=400)
    gift = Gift.objects.create(
        variant="streampay", description="A gift", total=form.cleaned_data["amount"], currency=CURRENCY
    )
    return pay(request, gift.token)


@require_POST
def pay(request: HttpRequest, token: str) -> HttpResponse:
    """Send the donor to the payment page: the one that is open for this gift, or a new one."""
    found = get_object_or_404(Gift, token=token)
    page = found.get_success_url()
    try:
        found.get_form()
    except RedirectNeeded as there:
        page = str(there)
    except PaymentError:
        return show(request, found, notice="We cannot reach the payment page. Nothing was charged.", status=503)
    return redirect(page)


@never_cache
def gift(request: HttpRequest, token: str) -> HttpResponse:
    """Tell the truth about a gift."""
    return show(request, get_object_or_404(Gift, token=token))


def show(request: HttpRequest, found: Gift, *, notice: str = "", status: int = 200) -> HttpResponse:
    """Draw the gift's page."""
    facts = {"gift": found, "can_pay": found.status in UNPAID, "notice": notice}
    return render(request, "charity/gift.html", facts, status=status)
