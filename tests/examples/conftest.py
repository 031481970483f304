"""The example shop, in this process, against a gateway that says what the test wrote down."""

import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from tests.examples.woocommerce.woo import WooShop
from tests.sdk.objects import SECRET
from tests.sdk.scripted_gateway import TEST_KEY, ScriptedGateway, running

SHOP = Path(__file__).parents[2] / "examples" / "shop_flask"
sys.path.insert(0, str(SHOP))  # the shop is a script: its modules are neighbours


@pytest.fixture
def gateway() -> Iterator[ScriptedGateway]:
    """Run a gateway that says what the test wrote down."""
    with running() as scripted:
        yield scripted


@pytest.fixture
def shop_app(gateway: ScriptedGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """Build the shop on a fresh database."""
    from app import create_app

    monkeypatch.setenv("STREAMPAY_API_KEY", TEST_KEY)
    monkeypatch.setenv("STREAMPAY_BASE_URL", gateway.base_url)
    monkeypatch.setenv("STREAMPAY_WEBHOOK_SECRET", SECRET)
    monkeypatch.setenv("SHOP_BASE_URL", "https://shop.example")
    monkeypatch.setenv("SHOP_DATABASE", str(tmp_path / "shop.db"))
    app = create_app()
    app.testing = True
    yield app
    app.extensions["shop"].gateway.client.close()


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Return a function that finds a port nobody listens on."""

    def find() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
            return port

    return find


@pytest.fixture
def woo(php: str, tmp_path: Path) -> WooShop:
    """Return a WooCommerce shop whose gateway nobody can reach: what it needs to know comes with the webhooks."""
    shop = WooShop(php, tmp_path)
    shop.set_up("http://127.0.0.1:9")
    return shop
