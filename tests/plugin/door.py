"""The real gateway, with the Test Bank behind it, for shops of any process.

Shops such as pretix run where the gateway cannot be imported. They speak to its API as every merchant does; what a test
does besides (open an account, pay at the bank, receive what was delivered) it asks at a door; see account.py.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, jsonify, request

from gateway.domain.merchants import MerchantSettings
from gateway.storage.database import open_database
from gateway.storage.migrate import upgrade
from hosted_checkout.app import create_app
from tests.api.live import serving
from tests.cards.stage import CardShop, a_bank, a_card_shop

ORIGINS = (
    "https://shop.example",
    "http://testserver",
    "http://example.com",
)  # of the suites' shops, django's and pretix's


@contextmanager
def a_gateway(create_database: Callable[[str], str], *hosts: str) -> Iterator[str]:
    """Serve a gateway until the block ends; yield the address of its door.

    Args:
        create_database: the suite's.
        hosts: `host:port` of shops to which the gateway shall deliver by itself.
    """
    url, door = create_database("sqlite"), Flask("door")
    database = open_database(url)
    upgrade(database)
    database.close()
    with a_bank() as bank, serving(door) as door_url:
        allowed = {"STREAMPAY_WEBHOOK_ALLOWED_HOSTS": ",".join([urlsplit(door_url).netloc, *hosts])}
        with a_card_shop(url, bank, allowed) as cards:
            app = create_app(cards.house)
            walls: list[int] = []
            app.before_request(lambda: _fallen(walls[-1]) if walls else None)
            with serving(app) as base_url:
                _open(door, cards, base_url=base_url, door_url=door_url, walls=walls)
                yield door_url


def _fallen(status: int) -> tuple[Response, int]:
    return jsonify(status=status, code="internal_error", title="It fails."), status


def _open(door: Flask, cards: CardShop, *, base_url: str, door_url: str, walls: list[int]) -> None:
    """Let the door answer."""
    carried: dict[str, list[dict[str, Any]]] = {}

    @door.before_request
    def keep_time() -> None:
        """Keep the gateway's clock near the real one, by which shops judge signatures."""
        behind_s = int((datetime.now(UTC) - cards.clock.now()).total_seconds())
        if behind_s > 0:
            cards.pass_time(timedelta(seconds=behind_s))

    @door.post("/accounts")
    def open_account() -> dict[str, str]:
        merchant = cards.engine.merchants.create("Shop", MerchantSettings(origins=ORIGINS))
        carried[merchant.id] = []
        key = cards.engine.merchants.create_key(merchant.id, livemode=False)
        return {"base_url": base_url, "api_key": key, "carried_to": f"{door_url}/carried/{merchant.id}"}

    @door.post("/carried/<merchant_id>")
    def carry(merchant_id: str) -> str:
        signed = {name: value for name, value in request.headers.items() if name.lower().startswith("webhook-")}
        carried[merchant_id].append({"body": request.get_data(as_text=True), "headers": signed})
        return ""

    @door.get("/carried/<merchant_id>")
    def hand_over(merchant_id: str) -> list[dict[str, Any]]:
        cards.house.work.dispatcher.drain()
        news, carried[merchant_id] = carried[merchant_id], []
        return news

    @door.post("/pay")
    def pay() -> str:
        asked = request.get_json()
        session = cards.reload(asked["url"].rpartition("/")[2])
        cards.pay_at_bank(cards.start(session), asked["card"])
        cards.engine.checkout.returned(session.token)
        return ""

    @door.post("/bank/<path:command>")
    def do_at_bank(command: str) -> str:
        cards.control(command)
        cards.catch_up()
        return ""

    @door.post("/walls")
    def set_wall() -> str:
        walls[:] = request.get_json()
        return ""
