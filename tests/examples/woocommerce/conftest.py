"""The shop, and the real gateway with the Test Bank behind it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from gateway.storage.database import open_database
from gateway.storage.migrate import upgrade
from gateway.workers.loops import Workers, all_loops
from hosted_checkout.app import create_app
from streampay import StreamPay
from tests.api.live import serving
from tests.cards.stage import GOOD, CardShop, a_bank, a_card_shop
from tests.examples.woocommerce.woo import WooShop

_LOOPS = {"delivery", "feed"}


@dataclass(slots=True)
class Live:
    """A shop that is served, the gateway that it talks to, and the bank behind that."""

    woo: WooShop
    url: str
    cards: CardShop
    client: StreamPay
    key: str
    base_url: str
    secret: str = ""

    def connect(self) -> None:
        """Add the shop's webhook endpoint at the gateway, and store what both need of each other."""
        for endpoint in self.client.webhook_endpoints.list():
            self.client.webhook_endpoints.delete(endpoint.id)
        self.secret = str(self.client.webhook_endpoints.create(url=f"{self.url}/?wc-api=streampay").secret)
        self.woo.set_up(self.base_url, key=self.key, secrets=self.secret)
        self.woo.do("options", {"home": self.url})
        self.cards.clock.advance(datetime.now(UTC) - self.cards.clock.now())

    def disconnect(self) -> None:
        """Lose every webhook from now on."""
        for endpoint in self.client.webhook_endpoints.list():
            self.client.webhook_endpoints.delete(endpoint.id)

    def pay_at_bank(self, url: str, number: str = GOOD) -> None:
        """Do what the shopper does at `url`: choose the card, pay at the bank, come back."""
        session = self.cards.reload(url.rpartition("/")[2])
        self.cards.pay_at_bank(self.cards.start(session), number)
        self.cards.engine.checkout.returned(session.token)


@pytest.fixture(scope="module")
def stage(php: str, create_database: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Serve a shop and a gateway for a module."""
    url = create_database("sqlite")
    database = open_database(url)
    upgrade(database)
    database.close()
    woo = WooShop(php, tmp_path_factory.mktemp("woo"))
    woo.do("log")  # makes the tables
    with woo.serving() as shop_url, a_bank() as bank:
        hosts = {"STREAMPAY_WEBHOOK_ALLOWED_HOSTS": shop_url.removeprefix("http://")}
        with a_card_shop(url, bank, hosts) as cards:
            workers = Workers([loop for loop in all_loops(cards.house.work) if loop.name in _LOOPS])
            workers.start()
            key = cards.engine.merchants.create_key(cards.owner.merchant_id, livemode=False)
            with serving(create_app(cards.house)) as base_url, StreamPay(key, base_url=base_url) as client:
                yield Live(woo=woo, url=shop_url, cards=cards, client=client, key=key, base_url=base_url)
            workers.stop()


@pytest.fixture
def live(stage: Live) -> Live:
    """Return the stage, connected anew."""
    stage.connect()
    return stage
