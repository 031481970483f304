"""The real gateway behind a socket: the whole house as the server builds it, with a test exchange and no chain."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from gateway.domain.merchants import MerchantSettings
from gateway.engine.records import Owner
from gateway.settings import load_settings
from gateway.storage.migrate import upgrade
from gateway.wiring import build_house
from gateway.workers.loops import Workers, all_loops
from hosted_checkout.app import create_app
from sandbox.exchange import server as exchange_server
from tests.api.live import serving

ORIGIN = "https://shop.example"
WALLET = "7S3P4HxJpyyigGzodYwHtCxZyUQe9JiBMHyRWXArAaKv"
_LOOPS = {"sweep", "feed", "rates"}  # those that need no chain and no receiver


@dataclass(frozen=True, slots=True)
class LiveGateway:
    """Where it is, and a test key of its only merchant."""

    base_url: str
    api_key: str = field(repr=False)


@contextmanager
def a_live_gateway(database_url: str) -> Iterator[LiveGateway]:
    """Serve a gateway from an empty database until the block ends."""
    with exchange_server.serve() as exchange:
        environment = {
            "STREAMPAY_DATABASE_URL": database_url,
            "STREAMPAY_BASE_URL": "http://127.0.0.1:8080",
            "STREAMPAY_SECRET_KEYS": base64.b64encode(b"contract" * 4).decode(),
            "STREAMPAY_SOLANA_TEST_NETWORK": "solana:localnet",
            "STREAMPAY_SOLANA_TEST_RPC_URLS": "http://127.0.0.1:9",
            "STREAMPAY_SOLANA_LIVE_NETWORK": "",
            "STREAMPAY_RATES_BASE_URL": exchange.url,
        }
        house = build_house(load_settings(environment))
        upgrade(house.db)
        merchant = house.engine.merchants.create("Contract & Co", MerchantSettings(origins=(ORIGIN,)))
        house.engine.merchants.set_wallet(Owner(merchant_id=merchant.id, livemode=False), "solana", WALLET)
        key = house.engine.merchants.create_key(merchant.id, livemode=False)
        house.work.rates.refresh()
        workers = Workers([loop for loop in all_loops(house.work) if loop.name in _LOOPS])
        workers.start()
        try:
            with serving(create_app(house)) as base_url:
                yield LiveGateway(base_url, key)
        finally:
            workers.stop()
            house.close()
