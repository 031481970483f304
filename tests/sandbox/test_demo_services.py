"""The Test Bank and the test exchange on one port: each is reached as it is when it is alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from sandbox.demo.services import create_app
from sandbox.exchange.market import Market
from sandbox.test_bank import Bank, RunningBank, serve

KEY = ("sk_test_demo", "")
TIMEOUT_S = 20


def served(path: Path) -> RunningBank:
    """Serve both, the bank with its state in a file."""
    bank = Bank(path=path)
    return serve(bank, app=create_app(bank, Market()))


@pytest.fixture
def services(tmp_path: Path) -> Iterator[RunningBank]:
    """Serve both."""
    with served(tmp_path / "bank.db") as running:
        yield running


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/", "Test Bank"),
        ("/control", "clock"),
        ("/_sandbox", "webhook_endpoints"),
        ("/kraken/0/public/Ticker?pair=SOLUSD", "SOLUSD"),
        ("/coinbase/products/SOL-USD/ticker", "price"),
        ("/bitstamp/api/v2/ticker/solusd/", "last"),
        ("/ecb/stats/eurofxref/eurofxref-daily.xml", "Cube"),
        ("/exchange/control", "reference_day"),
    ],
)
def test_both_answer_at_their_own_addresses(path: str, words: str, services: RunningBank) -> None:
    answer = requests.get(services.url + path, timeout=TIMEOUT_S)
    assert answer.status_code == 200
    assert words in answer.text


def test_the_bank_takes_calls_and_refuses_strangers(services: RunningBank) -> None:
    url = f"{services.url}/v1/customers"
    assert requests.post(url, auth=KEY, timeout=TIMEOUT_S).json()["object"] == "customer"
    assert requests.post(url, timeout=TIMEOUT_S).status_code == 401


def test_the_exchange_is_controlled_beside_the_banks_panel(services: RunningBank) -> None:
    command = {"set_price": {"SOL": "123.00"}}
    assert requests.post(f"{services.url}/exchange/control", json=command, timeout=TIMEOUT_S).ok
    ticker = requests.get(f"{services.url}/coinbase/products/SOL-USD/ticker", timeout=TIMEOUT_S).json()
    assert ticker["price"].startswith("123.")


def test_the_banks_file_survives_a_restart(tmp_path: Path) -> None:
    with served(tmp_path / "bank.db") as running:
        made = requests.post(f"{running.url}/v1/customers", auth=KEY, timeout=TIMEOUT_S).json()
    with served(tmp_path / "bank.db") as running:
        found = requests.get(f"{running.url}/v1/customers/{made['id']}", auth=KEY, timeout=TIMEOUT_S).json()
    assert found == made
