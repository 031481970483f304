"""A small shop that sells three things through StreamPay.

    STREAMPAY_API_KEY=sk_test_… STREAMPAY_BASE_URL=http://127.0.0.1:8080 STREAMPAY_WEBHOOK_SECRET=whsec_… \
        python examples/shop_flask/app.py --port 8081

Further settings: SHOP_BASE_URL, how shoppers reach the shop (http://127.0.0.1:<port>), and SHOP_DATABASE (shop.db).
"""

import argparse
import os
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit

import click
from flask import Blueprint, Flask, Response, abort, current_app, redirect, render_template, url_for
from orders import Orders, Purchase, UnknownOrderError, refunded, ship, shown
from werkzeug.wrappers import Response as AnyResponse

from streampay import StreamPay, StreamPayError
from streampay.adapters.flask import blueprint
from streampay.gateway import Hooks, Order, OrderLine, PaymentGateway, SqliteOrderStore


class Product(NamedTuple):
    """Something to buy; `amount` in US dollars."""

    id: str
    name: str
    line: str
    amount: str


PRODUCTS = {
    product.id: product
    for product in (
        Product("tee", "Ledger tee", "Heavy cotton. Debits left, credits right.", "24.00"),
        Product("mug", "Finality mug", "Thirty-two confirmations of coffee.", "12.30"),
        Product("stickers", "Sticker sheet", "Six small ways to say paid.", "3.50"),
    )
}
CURRENCY = "USD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """What the views work with."""

    gateway: PaymentGateway
    orders: Orders
    base_url: str


views = Blueprint("shop", __name__, cli_group=None)


def shop() -> Shop:
    """Return the shop of this app."""
    found: Shop = current_app.extensions["shop"]
    return found


# --- selling -----------------------------------------------------------------------------------------------------


@views.get("/")
def home() -> str:
    """Show everything."""
    return render_template("home.html", products=PRODUCTS.values(), currency=CURRENCY)


@views.get("/products/<product_id>")
def product(product_id: str) -> str:
    """Show one thing and its Buy button."""
    return render_template("product.html", product=PRODUCTS.get(product_id) or abort(404), currency=CURRENCY)


@views.post("/products/<product_id>/buy")
def buy(product_id: str) -> AnyResponse:
    """Write the order, then send the shopper to pay it."""
    wanted = PRODUCTS.get(product_id) or abort(404)
    return pay(shop().orders.place(wanted.id, wanted.amount, CURRENCY))  # committed before the gateway hears of it


@views.post("/orders/<order_id>/pay")
def pay_again(order_id: str) -> AnyResponse:
    """Send the shopper back to the payment page, in a new session if the last one is over."""
    return pay(shop().orders.get(order_id))


def pay(bought: Purchase) -> AnyResponse:
    """Redirect to where the order is paid; a second click leads to the same page, a paid order to its own."""
    line = OrderLine(PRODUCTS[bought.product].name, bought.amount)
    order = Order(bought.id, bought.amount, bought.currency, lines=(line,))
    page = shop().base_url + url_for("shop.order", order_id=bought.id)
    back = shop().base_url + url_for("streampay.returned", order_id=bought.id)
    try:
        answer = shop().gateway.start(order, success_url=back, cancel_url=page)
    except StreamPayError as error:
        current_app.logger.warning("pay_failed order=%s error=%s", bought.id, error)
        return show(bought, notice="We could not reach the payment page. Nothing was charged.", status=503)
    return redirect(page if answer.is_done else answer.url, 303)


# --- giving money back ---------------------------------------------------------------------------------------------


@views.cli.command("refund")
@click.argument("order_id")
@click.argument("amount", required=False)
def refund(order_id: str, amount: str | None) -> None:
    """Give AMOUNT of an order's money back, or all of it: `flask refund ORDER_ID [AMOUNT]`."""
    try:
        back = shop().gateway.refund(shop().orders.get(order_id).id, amount)
    except UnknownOrderError:
        raise click.ClickException("There is no such order.") from None
    except StreamPayError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{back.amount} {back.currency}: {back.status}")


@views.cli.command("run-hooks")
def run_hooks() -> None:
    """Try what failed again, and ship it: `flask run-hooks`, once a minute."""
    click.echo(shop().gateway.run_hooks(limit=1_000))


# --- the order page ------------------------------------------------------------------------------------------------


@views.get("/orders/<order_id>")
def order(order_id: str) -> AnyResponse:
    """Tell the truth about an order; the page reloads itself while something is still to come."""
    return show(shop().orders.get(order_id))


def show(bought: Purchase, *, notice: str | None = None, status: int = 200) -> Response:
    """Render the order's page."""
    record = shop().gateway.store.load(bought.id)
    words = {"status": shown(record), "refunded": refunded(record), "notice": notice}
    page = render_template("order.html", order=bought, product=PRODUCTS[bought.product], **words)
    return Response(page, status, {"Cache-Control": "no-store"})


@views.app_errorhandler(UnknownOrderError)
@views.app_errorhandler(404)
def not_found(_: Exception) -> tuple[str, int]:
    """Answer 404, and show the way back."""
    return render_template("not_found.html"), 404


@views.after_app_request
def harden(response: Response) -> Response:
    """Forbid scripts, frames and foreign content."""
    gateway = urlsplit(shop().gateway.client.base_url)
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; "
        f"form-action 'self' {gateway.scheme}://{gateway.netloc}"  # browsers check the redirect after the form, too
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"  # an order's address is its key
    return response


def create_app() -> Flask:
    """Build the shop from the environment."""
    app = Flask(__name__)
    database = os.environ.get("SHOP_DATABASE", "shop.db")
    gateway = PaymentGateway(
        StreamPay(app_info="shop_flask/1.0"),  # STREAMPAY_API_KEY, STREAMPAY_BASE_URL and STREAMPAY_WEBHOOK_SECRET
        SqliteOrderStore(database),
        hooks=Hooks(on_paid=ship),
    )
    app.extensions["shop"] = Shop(
        gateway=gateway,
        orders=Orders(database),
        base_url=os.environ.get("SHOP_BASE_URL", "http://127.0.0.1:8081").rstrip("/"),
    )
    app.register_blueprint(views)
    app.register_blueprint(blueprint(gateway, order_url=lambda order_id: url_for("shop.order", order_id=order_id)))
    return app


def main() -> None:
    """Serve the shop."""
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("--host", default="127.0.0.1")
    command.add_argument("--port", type=int, default=8081)
    options = command.parse_args()
    os.environ.setdefault("SHOP_BASE_URL", f"http://{options.host}:{options.port}")
    create_app().run(options.host, options.port, threaded=True)


if __name__ == "__main__":
    main()
