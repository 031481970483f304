"""The plugin in a FastAPI or Starlette shop: `pip install "streampay[fastapi]"` or `"streampay[starlette]"`.

app.routes.extend(routes(gateway, order_url=lambda order_id: f"/orders/{order_id}"))
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from streampay.gateway import PaymentGateway
from streampay.webhooks import MAX_BODY_BYTES


def routes(
    gateway: PaymentGateway,
    *,
    url: str = "/webhooks/streampay",
    order_url: Callable[[str], str] | None = None,
    return_url: str = "/streampay/return/{order_id}",
    name: str = "streampay",
) -> list[Route]:
    """Return the webhook, and with `order_url` the address to which shoppers come back.

    The arguments are those of `streampay.adapters.flask.blueprint`; `request.url_for("streampay.returned", order_id=…)`
    is the `success_url`. The plugin works in a thread: call it from views that are plain `def`.
    """

    async def webhook(request: Request) -> Response:
        return await _webhook(gateway, request)

    async def returned(request: Request) -> Response:
        order_id = str(request.path_params["order_id"])
        if order_url is None or await run_in_threadpool(gateway.returned, order_id) is None:
            raise HTTPException(404)
        return RedirectResponse(order_url(order_id), 303)

    found = [Route(url, webhook, methods=["POST"], name=f"{name}.webhook")]
    if order_url is not None:
        found.append(Route(return_url, returned, methods=["GET"], name=f"{name}.returned"))
    return found


async def _webhook(gateway: PaymentGateway, request: Request) -> Response:
    try:
        body = await _bounded(request)
    except ClientDisconnect:
        return _answer(400, "body_invalid")
    if body is None:
        return _answer(413, "body_too_large")
    result = await run_in_threadpool(gateway.handle_webhook, body, request.headers.raw)
    return _answer(result.status_code, result.code)


async def _bounded(request: Request) -> bytes | None:
    """Return the body's own bytes, over which the signature is; None for more than a delivery can have."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            return None
    return bytes(body)


def _answer(status: int, code: str) -> Response:
    return PlainTextResponse(code, status, {"Cache-Control": "no-store"})
