"""The plugin in a Flask shop: `pip install "streampay[flask]"`.

app.register_blueprint(blueprint(gateway, order_url=lambda order_id: url_for("order", order_id=order_id)))
"""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response, abort, redirect, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.wrappers import Response as AnyResponse

from streampay.gateway import PaymentGateway
from streampay.webhooks import MAX_BODY_BYTES


def blueprint(
    gateway: PaymentGateway,
    *,
    url: str = "/webhooks/streampay",
    order_url: Callable[[str], str] | None = None,
    return_url: str = "/streampay/return/<order_id>",
    name: str = "streampay",
) -> Blueprint:
    """Return the webhook, and with `order_url` the address to which shoppers come back.

    A guard against forged forms must let the webhook pass, for its signature is its guard: Flask-WTF's
    `csrf.exempt(blueprint)`.

    Args:
        gateway: the plugin.
        url: of the webhook.
        order_url: leads to the page of an order. With it, hand `url_for("streampay.returned", order_id=…,
            _external=True)` to `gateway.start` as `success_url`: the order is brought up to date before it is shown.
        return_url: the path of that address.
        name: of the blueprint; a second gateway needs another one.
    """
    views = Blueprint(name, __name__)

    @views.post(url)
    def webhook() -> Response:
        return _webhook(gateway)

    if order_url is not None:

        @views.get(return_url)
        def returned(order_id: str) -> AnyResponse:
            if gateway.returned(order_id) is None:
                abort(404)
            return redirect(order_url(order_id), 303)

    return views


def _webhook(gateway: PaymentGateway) -> Response:
    """Answer a delivery; errors are answered here, before a shop's own error pages make something else of them."""
    request.max_content_length = MAX_BODY_BYTES
    try:
        body = request.get_data(cache=False)  # the signature is over these bytes; never request.json
    except RequestEntityTooLarge:
        return _answer(413, "body_too_large")
    except HTTPException:  # the sender went away
        return _answer(400, "body_invalid")
    result = gateway.handle_webhook(body, request.headers)
    return _answer(result.status_code, result.code)


def _answer(status: int, code: str) -> Response:
    """Say what became of a delivery: the gateway's delivery log shows it."""
    return Response(code, status, {"Cache-Control": "no-store"}, mimetype="text/plain")
