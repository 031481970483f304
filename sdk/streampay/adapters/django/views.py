"""The door for the gateway's deliveries."""

from django.core.exceptions import RequestDataTooBig
from django.db.transaction import non_atomic_requests
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from streampay.adapters.django.conf import gateway
from streampay.gateway import PaymentGateway, WebhookResult

MAX_BODY_BYTES = 1 << 20  # fifty times what the gateway sends


def take(request: HttpRequest, plugin: PaymentGateway) -> WebhookResult:
    """Hand a delivery to a plugin: its raw bytes, if they are not too many."""
    try:
        length = int(request.META.get("CONTENT_LENGTH") or 0)
        body = request.body if length <= MAX_BODY_BYTES else None
    except (ValueError, RequestDataTooBig):
        body = None
    if body is None or len(body) > MAX_BODY_BYTES:
        return WebhookResult(413, "too_large")
    return plugin.handle_webhook(body, request.headers)


@csrf_exempt
@require_POST
@non_atomic_requests
def webhook(request: HttpRequest) -> HttpResponse:
    """Take a delivery; answered with 2xx only after the COMMIT."""
    result = take(request, gateway())
    return HttpResponse(result.code, status=result.status_code, content_type="text/plain")
