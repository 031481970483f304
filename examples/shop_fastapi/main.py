"""A shop in one file: one mug, sold through StreamPay.

    STREAMPAY_API_KEY=sk_test_… STREAMPAY_BASE_URL=http://127.0.0.1:8080 STREAMPAY_WEBHOOK_SECRET=whsec_… \
        uvicorn --factory main:create_app --port 5000

SHOP_DATABASE is its file (shop.db).
"""

import os
import secrets
import sqlite3
from contextlib import closing
from html import escape

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from streampay import StreamPay, StreamPayError
from streampay.adapters.starlette import routes
from streampay.gateway import HookCall, Hooks, Order, OrderStatus, PaymentGateway, SqliteOrderStore

PRICE, CURRENCY = "12.30", "USD"
WORDS = {
    OrderStatus.PENDING: "Waiting for your payment.",
    OrderStatus.ON_HOLD: "Payment seen. We pack as soon as it is final.",
    OrderStatus.PAID: "Paid. Thank you.",
    OrderStatus.REFUNDED: "Your money is on its way back.",
    OrderStatus.FAILED: "The payment was called off.",
    OrderStatus.EXPIRED: "The payment window has closed.",
}


def pack(call: HookCall) -> None:
    """Write what the warehouse sends; committed together with the note that this was done."""
    call.tx.execute("INSERT INTO parcels (order_id) VALUES (?)", (call.order_id,))


def create_app() -> FastAPI:
    """Build the shop from the environment."""
    database = os.environ.get("SHOP_DATABASE", "shop.db")
    with closing(sqlite3.connect(database)) as db:
        db.execute("CREATE TABLE IF NOT EXISTS parcels (order_id TEXT PRIMARY KEY)")
    gateway = PaymentGateway(StreamPay(), SqliteOrderStore(database), hooks=Hooks(on_paid=pack))
    app = FastAPI(title="One mug", openapi_url=None)
    app.routes.extend(routes(gateway, order_url=lambda order_id: f"/orders/{order_id}"))

    @app.get("/", response_class=HTMLResponse)
    def home() -> str:
        return page(f"A mug, {PRICE} {CURRENCY}", '<form method="post" action="/buy"><button>Buy</button></form>')

    @app.post("/buy")
    def buy(request: Request) -> RedirectResponse:  # plain def: FastAPI runs it in a thread, as `start` waits
        order = Order(secrets.token_hex(8), PRICE, CURRENCY, description="Mug")  # whoever knows its id may see it
        return pay(request, order)

    @app.post("/orders/{order_id}/pay")
    def pay_again(request: Request, order_id: str) -> RedirectResponse:
        if gateway.store.load(order_id) is None:
            raise HTTPException(404)
        return pay(request, Order(order_id, PRICE, CURRENCY, description="Mug"))

    @app.get("/orders/{order_id}", response_class=HTMLResponse)
    def show(order_id: str) -> str:
        record = gateway.store.load(order_id)
        if record is None:
            raise HTTPException(404)
        words = WORDS.get(record.status, "We are looking at your payment.")
        is_over = record.status in (OrderStatus.FAILED, OrderStatus.EXPIRED)
        again = f'<form method="post" action="/orders/{escape(order_id)}/pay"><button>Pay again</button></form>'
        return page(words, f"<p>Order {escape(order_id)}</p>{again if is_over else ''}")

    def pay(request: Request, order: Order) -> RedirectResponse:
        back = str(request.url_for("streampay.returned", order_id=order.id))
        try:
            return RedirectResponse(gateway.start(order, success_url=back).url, 303)
        except StreamPayError as error:
            raise HTTPException(503, "We could not reach the payment page. Nothing was charged.") from error

    return app


def page(title: str, body: str) -> str:
    """Return a page."""
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
    return f"{head}<main><h1>{escape(title)}</h1>{body}</main></html>"
