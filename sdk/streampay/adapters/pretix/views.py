"""The doors for the gateway and for the customer who comes back."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from django.core.signing import BadSignature
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from pretix.base.models import OrderPayment
from pretix.multidomain.urlreverse import eventreverse

from streampay.adapters.django.views import take
from streampay.adapters.pretix.payment import SIGNER, StreamPayProvider
from streampay.errors import StreamPayError


@csrf_exempt
@require_POST
def webhook(request: HttpRequest, *_: Any, **__: Any) -> HttpResponse:
    """Take a delivery; what raises here is answered with 500, and the gateway sends it again."""
    provider = StreamPayProvider(request.event)
    with provider.plugin() as plugin:
        result = take(request, plugin)
        if result.status_code == 200 and result.order is not None:  # noqa: PLR2004 - HTTP's OK
            provider.settle(plugin, result.order)
    return HttpResponse(result.code, status=result.status_code, content_type="text/plain")


def back(request: HttpRequest, signed: str, *_: Any, **__: Any) -> HttpResponse:
    """Receive the customer, who may be quicker than the webhook, and show the order."""
    provider = StreamPayProvider(request.event)
    try:
        payment = provider.rows.find(SIGNER.unsign(signed), lock=False)
    except BadSignature:
        payment = None
    if payment is None:
        raise Http404
    with suppress(StreamPayError), provider.plugin() as plugin:  # the webhook will tell
        record = plugin.returned(payment.full_id)
        if record is not None:
            provider.settle(plugin, record)
    payment.refresh_from_db()
    known = {"order": payment.order.code, "secret": payment.order.secret}
    paid = "?paid=yes" if payment.state == OrderPayment.PAYMENT_STATE_CONFIRMED else ""
    return HttpResponseRedirect(eventreverse(request.event, "presale:event.order", kwargs=known) + paid)
