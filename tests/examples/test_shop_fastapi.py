"""The one-file shop on the real FastAPI, with the real gateway and the Test Bank."""

import re
import runpy
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tests.plugin.street import Street, a_street

SHOP = Path(__file__).parents[2] / "examples" / "shop_fastapi" / "main.py"


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory, create_database: Callable[[str], str]) -> Iterator[Street]:
    """Open the real gateway."""
    with a_street(tmp_path_factory.mktemp("street"), create_database) as opened:
        yield opened


@pytest.fixture
def shop(street: Street, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """Build the shop on a fresh database."""
    for name, value in street.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SHOP_DATABASE", str(tmp_path / "shop.db"))
    app = runpy.run_path(str(SHOP))["create_app"]()
    return TestClient(app, base_url="http://localhost", follow_redirects=False)


def parcels(tmp_path: Path) -> list[str]:
    """Return what the warehouse has to send."""
    with closing(sqlite3.connect(tmp_path / "shop.db")) as db:
        return [row[0] for row in db.execute("SELECT order_id FROM parcels")]


def buy(shop: TestClient, street: Street) -> tuple[str, str]:
    """Press Buy; return where the order is paid, and its id."""
    url = shop.post("/buy").headers["location"]
    (newest, *_) = street.client.checkout.sessions.list(limit=1)
    assert newest.url == url
    assert newest.success_url == f"http://localhost/streampay/return/{newest.reference}"
    return url, newest.reference


def test_a_mug_is_bought_and_packed_once(shop: TestClient, street: Street, tmp_path: Path) -> None:
    assert "Buy" in shop.get("/").text
    url, order_id = buy(shop, street)
    assert "Waiting for your payment." in shop.get(f"/orders/{order_id}").text
    street.pay(url)
    sent = street.carry()
    assert sent
    for _ in range(2):
        assert {shop.post("/webhooks/streampay", content=body, headers=head).status_code for body, head in sent} == {
            200
        }
    body, headers = sent[0]
    assert shop.post("/webhooks/streampay", content=body + b" ", headers=headers).status_code == 400
    back = shop.get(f"/streampay/return/{order_id}")
    assert (back.status_code, back.headers["location"]) == (303, f"/orders/{order_id}")
    assert "Paid. Thank you." in shop.get(f"/orders/{order_id}").text
    assert parcels(tmp_path) == [order_id]


def test_an_expired_window_is_followed_by_another_and_the_shopper_is_quicker_than_the_webhook(
    shop: TestClient, street: Street, tmp_path: Path
) -> None:
    _, order_id = buy(shop, street)
    (session,) = street.client.checkout.sessions.list(reference=order_id)
    street.client.checkout.sessions.expire(session.id)
    shop.get(f"/streampay/return/{order_id}")
    assert re.search("called off|has closed", shop.get(f"/orders/{order_id}").text)
    street.pay(shop.post(f"/orders/{order_id}/pay").headers["location"])
    shop.get(f"/streampay/return/{order_id}")
    assert parcels(tmp_path) == [order_id]


def test_a_stranger_finds_nothing(shop: TestClient) -> None:
    assert [shop.get("/orders/7").status_code, shop.post("/orders/7/pay").status_code] == [404, 404]
