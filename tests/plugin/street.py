"""The plugin's shop on the real street: a Flask shop on a socket, the real gateway, and the Test Bank behind it."""

import itertools
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, request

from gateway.storage.database import open_database
from gateway.storage.migrate import upgrade
from hosted_checkout.app import create_app
from streampay import StreamPay, models
from streampay.adapters.flask import blueprint
from streampay.gateway import HookCall, Hooks, Order, OrderRecord, PaymentGateway, Redirect, SqliteOrderStore
from tests.api.live import serving
from tests.cards.stage import GOOD, CardShop, a_bank, a_card_shop

_numbers = itertools.count(1)


class Street:
    """A merchant with the plugin, and what shoppers do to him."""

    def __init__(
        self, cards: CardShop, plugin: PaymentGateway, database: Path, app: Flask, *, environment: dict[str, str],
        carried: list[tuple[bytes, dict[str, str]]], walls: list[int],
    ) -> None:  # fmt: skip
        self.cards = cards
        self.plugin = plugin
        self.client = plugin.client
        self.database = database
        self.app = app
        self.environment = environment
        self.walls: list[int] = walls  # what stands before the shop answers with, if there is something
        self._carried: list[tuple[bytes, dict[str, str]]] = carried

    def order(self, amount: str = "12.30", **more: Any) -> Order:
        """Return a new order."""
        return Order(f"order-{next(_numbers)}", amount, "USD", description="Mug", **more)

    def start(self, order: Order) -> Redirect:
        return self.plugin.start(order, success_url="http://localhost/thanks")

    def pay(self, url: str, number: str = GOOD) -> None:
        """Pay by card on the hosted page, and come back to the gateway."""
        session = self.cards.reload(url.rpartition("/")[2])
        self.cards.pay_at_bank(self.cards.start(session), number)
        self.cards.engine.checkout.returned(session.token)

    def deliver(self) -> None:
        """Let the gateway send every webhook that waits, over the real socket."""
        self.cards.house.work.dispatcher.drain()

    def carry(self) -> list[tuple[bytes, dict[str, str]]]:
        """Return what was sent, signed, to the endpoint of a shop that is set up by `environment`."""
        self.deliver()
        sent = list(self._carried)
        self._carried.clear()
        return sent

    def record(self, order: Order) -> OrderRecord:
        found = self.plugin.store.load(order.id)
        assert found is not None
        return found

    def status(self, order: Order) -> str:
        return str(self.record(order).status)

    def told(self, order: Order) -> list[str]:
        """Return the hooks that ran for an order, in order."""
        with closing(sqlite3.connect(self.database)) as db:
            query = "SELECT hook FROM told WHERE order_id = ? ORDER BY rowid"
            return [row[0] for row in db.execute(query, (order.id,))]

    def sessions(self, order: Order) -> list[models.CheckoutSession]:
        """Return the order's sessions as the gateway has them, newest first."""
        return list(self.client.checkout.sessions.list(reference=self.plugin.prefix + order.id))


def _tell(call: HookCall) -> None:
    call.tx.execute("INSERT INTO told VALUES (?, ?, ?)", (call.order_id, str(call.hook), call.status))


def hooks() -> Hooks:
    """Return hooks that write down what was called."""
    names = ("paid", "pending", "failed", "expired", "refunded", "disputed", "review")
    return Hooks(**{f"on_{name}": _tell for name in names})


@contextmanager
def a_street(folder: Path, create_database: Callable[[str], str]) -> Iterator[Street]:
    """Open the street, with the shop's endpoint made known to the gateway."""
    url, database, app = create_database("sqlite"), folder / "shop.db", Flask("merchant")
    opened = open_database(url)
    upgrade(opened)
    opened.close()
    with closing(sqlite3.connect(database)) as db:
        db.execute("CREATE TABLE told (order_id TEXT, hook TEXT, status TEXT)")
    with a_bank() as bank, serving(app) as shop_url:
        allowed = {"STREAMPAY_WEBHOOK_ALLOWED_HOSTS": urlsplit(shop_url).netloc}
        with a_card_shop(url, bank, allowed) as cards, serving(create_app(cards.house)) as base_url:
            key = cards.engine.merchants.create_key(cards.owner.merchant_id, livemode=False)
            with StreamPay(key, base_url=base_url) as client:
                hook_url = f"{shop_url}/webhooks/streampay"
                secret = client.webhook_endpoints.create(url=hook_url).secret
                assert secret is not None
                store = SqliteOrderStore(database)
                plugin = PaymentGateway(client, store, secrets=[secret], hooks=hooks(), webhook_url=hook_url)
                app.register_blueprint(blueprint(plugin, order_url=lambda order_id: f"/orders/{order_id}"))
                carried: list[tuple[bytes, dict[str, str]]] = []
                walls: list[int] = []

                @app.before_request
                def wall() -> tuple[str, int] | None:
                    return ("Attention required", walls[0]) if walls else None

                @app.post("/carried")
                def carry() -> str:
                    carried.append((request.get_data(), dict(request.headers)))
                    return ""

                other = client.webhook_endpoints.create(url=f"{shop_url}/carried").secret
                assert other is not None
                environment = {"API_KEY": key, "BASE_URL": base_url, "WEBHOOK_SECRET": other}
                environment = {f"STREAMPAY_{name}": value for name, value in environment.items()}
                yield Street(cards, plugin, database, app, environment=environment, carried=carried, walls=walls)
