"""Logs of a whole purchase at DEBUG: every line is JSON, each request has one, and no secret stands in any."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from sandbox.devchain.wallet import TestWallet
from tests.server.town import HTTP_S, SOL, Town, a_town, hook_of, link_of, until

EMAIL = "ada.lovelace@example.org"
PROVIDER_KEY = "rpc-provider-key-0123456789"
PASSWORD = "hunter2-of-the-database"

pytestmark = pytest.mark.slow


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """Return a town whose gateway is embedded, and whose node asks for a key in its address."""
    with a_town(tmp_path, f"sqlite:///{tmp_path / 'gateway.db'}") as found:
        found.environment |= {
            "STREAMPAY_LOG_LEVEL": "DEBUG",
            "STREAMPAY_SOLANA_TEST_RPC_URLS": f"{found.chain_url}/?api-key={PROVIDER_KEY}",
        }
        yield found


def test_a_purchase_leaves_no_secret_in_the_log(town: Town) -> None:
    shop = town.open_shop()
    server = town.serve()
    secret = shop.listen(hook_of(town))
    order = shop.order("order-1", customer_email=EMAIL)
    page, token = order["url"], order["url"].rpartition("/")[2]
    wallet = TestWallet(town.chain_url)
    wallet.wait(wallet.airdrop(SOL))
    signature = wallet.pay_link(link_of(page))
    requests.post(f"{page}/wallet/hint", json={"signature": signature}, timeout=HTTP_S)
    until(lambda: shop.payment(order["payment"])["status"] == "paid")
    until(lambda: any(event["type"] == "payment.succeeded" for event in town.receiver.events()))
    _be_a_nuisance(town, shop.key, token)
    time.sleep(0.2)
    assert server.end()[0] == 0

    text = server.log.read_text()
    seal = town.environment["STREAMPAY_SECRET_KEYS"]
    for hidden in (shop.key, secret, EMAIL, token, PROVIDER_KEY, seal, EMAIL.partition("@")[0]):
        assert hidden not in text, f"a secret that begins with {hidden[:8]} stands in the log"
    assert not re.search(r"bearer\s+(?!\*\*\*)\S", text, re.IGNORECASE)
    lines = server.lines()
    assert {line["level"] for line in lines} >= {"debug", "info", "warning"}
    asked = [(line["logger"], line["route"]) for line in lines if line["event"] == "request"]
    assert ("gateway.api", "/v1/checkout/sessions") in asked
    assert asked.count(("gateway.pages", "/pay/<token>/wallet/hint")) == 2
    assert ("gateway.pages", "/pay/<token>/method") in asked
    assert ("gateway.pages", "/pay/<token>") in asked


def _be_a_nuisance(town: Town, key: str, token: str) -> None:
    """Put secrets where they do not belong: the requests fail, and what failed is logged."""
    bearer = {"Authorization": f"Bearer {key}"}
    for path in (
        f"/pay/{token}x",
        f"/solana/{token}",
        f"/nowhere/{token}",
        f"/v1/payments/{key}",
        f"/v1/events?after={key}",
    ):
        requests.get(f"{town.url}{path}", headers=bearer, timeout=HTTP_S)
    requests.get(f"{town.url}/v1/payments", headers={"Authorization": f"Basic {key}"}, timeout=HTTP_S)
    requests.post(
        f"{town.url}/v1/checkout/sessions", data=f'{{"customer_email": "{EMAIL}", ', headers=bearer, timeout=HTTP_S
    )
    requests.post(f"{town.url}/pay/{token}/method", data={"method": EMAIL}, timeout=HTTP_S)
    requests.post(f"{town.url}/pay/{token}/wallet/hint", json={"signature": token}, timeout=HTTP_S)
    report = {"csp-report": {"document-uri": f"{town.url}/pay/{token}", "effective-directive": "script-src"}}
    requests.post(f"{town.url}/csp", json=report, headers={"Referer": f"{town.url}/pay/{token}"}, timeout=HTTP_S)


def test_a_failure_inside_the_database_hides_what_the_row_held(town: Town) -> None:
    """Triggers stand for any constraint that a defect may break: the error names the statement, not its values."""
    import sqlite3

    shop = town.open_shop()
    server = town.serve()
    with sqlite3.connect(town.environment["STREAMPAY_DATABASE_URL"].removeprefix("sqlite:///")) as connection:
        connection.execute(
            "CREATE TRIGGER broken BEFORE INSERT ON checkout_session "
            "BEGIN SELECT RAISE(ABORT, 'broken on purpose'); END"
        )
    body = {
        "amount": "3.00",
        "currency": "USD",
        "reference": "r",
        "customer_email": EMAIL,
        "success_url": "http://127.0.0.1/",
    }
    answer = requests.post(f"{town.url}/v1/checkout/sessions", json=body, headers=shop.headers, timeout=HTTP_S)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert server.end()[0] == 0
    text = server.log.read_text()
    assert "broken on purpose" in text
    assert "hidden" in text, "SQLAlchemy says that it hides parameters"
    assert EMAIL not in text
    assert "broken on purpose" not in answer.text
