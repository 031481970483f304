"""The test exchange answers as the real ones do, by seed and time alone, and breaks on demand."""

import itertools
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient

from sandbox.exchange import Fault, FaultKind, Market, create_app, exchange_blueprint, serve

NOW = datetime(2026, 11, 18, 16, 30, 5, 250_000, tzinfo=UTC)
KRAKEN = "/kraken/0/public/Ticker?pair=SOLUSD"
COINBASE = "/coinbase/products/SOL-USD/ticker"
BITSTAMP = "/bitstamp/api/v2/ticker/solusd/"
ECB = "/ecb/stats/eurofxref/eurofxref-daily.xml"


@pytest.fixture
def market() -> Market:
    market = Market(now=lambda: NOW)
    market.set_price("SOL", 200_000_000)
    return market


@pytest.fixture
def client(market: Market) -> FlaskClient:
    return create_app(market).test_client()


def _json(client: FlaskClient, path: str) -> Any:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.get_json()


# --- wire formats ------------------------------------------------------------------------------------------------


def test_kraken_answers_under_its_own_names_and_all_or_nothing(client: FlaskClient) -> None:
    answer = _json(client, "/kraken/0/public/Ticker?pair=SOLUSD,USDTUSD")
    assert answer["error"] == []
    assert set(answer["result"]) == {"SOLUSD", "USDTZUSD"}
    assert set(answer["result"]["SOLUSD"]) == set("abcvptlho")
    assert answer["result"]["SOLUSD"]["a"] == ["200.020000", "12", "12.000"]
    assert answer["result"]["SOLUSD"]["b"][0] == "199.980000"
    for pair in ("SOLUSD,NONE", ""):
        assert _json(client, f"/kraken/0/public/Ticker?pair={pair}") == {"error": ["EQuery:Unknown asset pair"]}


def test_coinbase_states_nanoseconds_and_has_no_dollar_market_of_usdc(client: FlaskClient) -> None:
    answer = _json(client, COINBASE)
    assert set(answer) == {"ask", "bid", "volume", "trade_id", "price", "size", "time", "rfq_volume"}
    assert answer["time"] == "2026-11-18T16:30:05.250000789Z"
    assert answer["price"] == "200.030000"
    missing = client.get("/coinbase/products/USDC-USD/ticker")
    assert (missing.status_code, missing.get_json()) == (404, {"message": "NotFound"})


def test_bitstamp_states_seconds_as_a_string(client: FlaskClient) -> None:
    answer = _json(client, BITSTAMP)
    assert answer["timestamp"] == str(int(NOW.timestamp()))
    assert all(isinstance(value, str) for value in answer.values())
    assert client.get("/bitstamp/api/v2/ticker/nonesuch/").status_code == 404


@pytest.mark.parametrize(
    ("now", "day"),
    [
        (datetime(2026, 11, 18, 14, 59, tzinfo=UTC), "2026-11-17"),  # not published yet
        (datetime(2026, 11, 18, 15, 0, tzinfo=UTC), "2026-11-18"),
        (datetime(2026, 11, 20, 15, 0, tzinfo=UTC), "2026-11-20"),  # Friday
        (datetime(2026, 11, 21, 23, 0, tzinfo=UTC), "2026-11-20"),
        (datetime(2026, 11, 22, 12, 0, tzinfo=UTC), "2026-11-20"),
        (datetime(2026, 11, 23, 14, 0, tzinfo=UTC), "2026-11-20"),
        (datetime(2026, 11, 23, 15, 0, tzinfo=UTC), "2026-11-23"),
    ],
)
def test_the_reference_table_is_that_of_the_last_published_working_day(now: datetime, day: str) -> None:
    body = create_app(Market(now=lambda: now)).test_client().get(ECB).get_data(as_text=True)
    assert f"<Cube time='{day}'>" in body
    assert "<Cube currency='JPY' rate='1" in body


# --- prices ------------------------------------------------------------------------------------------------------


def test_prices_are_a_function_of_seed_and_time() -> None:
    first, same, other = (Market(seed=seed, now=lambda: NOW).price("kraken", "SOL", "USD") for seed in (7, 7, 8))
    assert first == same != other


def test_a_price_drifts_gently_and_stays_near_where_it_began() -> None:
    now = NOW
    market = Market(now=lambda: now)
    prices = []
    for _ in range(480):
        prices.append(market.price("kraken", "SOL", "USD"))
        now += timedelta(seconds=15)
    steps = [abs(after - before) for before, after in itertools.pairwise(prices)]
    assert max(steps) < 200_000_000 * 2 // 10_000  # two hundredths of a percent
    assert 199_000_000 <= min(prices) < max(prices) <= 201_000_000
    assert max(prices) - min(prices) > 1_500_000


# --- control -----------------------------------------------------------------------------------------------------


def _command(client: FlaskClient, command: object) -> int:
    return client.post("/control", data=json.dumps(command)).status_code


def test_a_price_can_be_set_and_every_source_follows(client: FlaskClient) -> None:
    assert _command(client, {"set_price": {"SOL": "150.5"}}) == 200
    assert _json(client, KRAKEN)["result"]["SOLUSD"]["c"][0] == "150.500000"
    assert _json(client, COINBASE)["price"] == "150.522575"
    assert _command(client, {"set_euro": {"USD": "2"}}) == 200
    assert _json(client, "/kraken/0/public/Ticker?pair=SOLEUR")["result"]["SOLEUR"]["c"][0] == "75.250000"
    assert "<Cube currency='USD' rate='2'/>" in client.get(ECB).get_data(as_text=True)
    assert _json(client, "/control")["usd"]["SOL"] == "150.500000"


def test_one_source_can_be_wrong_while_the_others_are_right(client: FlaskClient) -> None:
    assert _command(client, {"fault": {"source": "kraken", "kind": "skew", "skew_bps": 1000}}) == 200
    assert _json(client, KRAKEN)["result"]["SOLUSD"]["c"][0] == "220.000000"
    assert _json(client, COINBASE)["price"] == "200.030000"
    assert _command(client, {"mend": "kraken"}) == 200
    assert _json(client, KRAKEN)["result"]["SOLUSD"]["c"][0] == "200.000000"


def test_sources_break_as_they_are_told(client: FlaskClient) -> None:
    _command(client, {"fault": {"source": "kraken", "kind": "status", "status": 429}})
    _command(client, {"fault": {"source": "bitstamp", "kind": "body", "body": "{"}})
    _command(client, {"fault": {"source": "coinbase", "kind": "age", "seconds": 600}})
    assert client.get(KRAKEN).status_code == 429
    assert client.get(BITSTAMP).data == b"{"
    assert _json(client, COINBASE)["time"].startswith("2026-11-18T16:20:05")
    assert _json(client, "/control")["faults"] == {"kraken": "status", "coinbase": "age", "bitstamp": "body"}
    assert _command(client, {"reset": True}) == 200
    assert _json(client, "/control")["faults"] == {}


def test_a_market_can_be_delisted(client: FlaskClient, market: Market) -> None:
    for source in ("kraken", "coinbase", "bitstamp"):
        market.set_fault(source, Fault(kind=FaultKind.MISSING))
    assert _json(client, KRAKEN) == {"error": ["EQuery:Unknown asset pair"]}
    assert client.get(COINBASE).status_code == client.get(BITSTAMP).status_code == 404


def test_a_frozen_exchange_states_an_ever_older_time() -> None:
    now = NOW
    market = Market(now=lambda: now)
    client = create_app(market).test_client()
    assert _command(client, {"freeze": True}) == 200
    now += timedelta(hours=1)
    assert _json(client, COINBASE)["time"].startswith("2026-11-18T16:30:05")
    assert _command(client, {"freeze": False}) == 200
    assert _json(client, COINBASE)["time"].startswith("2026-11-18T17:30:05")


@pytest.mark.parametrize(
    "command",
    [
        None,
        [],
        {},
        {"explode": True},
        {"reset": 1},
        {"freeze": "yes"},
        {"reset": True, "freeze": True},
        {"mend": "mtgox"},
        {"mend": ["kraken"]},
        {"set_price": {}},
        {"set_price": {"SOL": 150}},
        {"set_price": {"SOL": "-1"}},
        {"set_price": {"SOL": "0"}},
        {"set_price": {"SOL": "1e9"}},
        {"set_price": {"SOL": "1.1234567"}},
        {"set_price": {"SOL": "150", "DOGE": "1"}},
        {"set_euro": {"EUR": "1"}},
        {"fault": "kraken"},
        {"fault": {"source": "mtgox", "kind": "hang"}},
        {"fault": {"source": "kraken", "kind": "fire"}},
        {"fault": {"source": "kraken"}},
        {"fault": {"source": "kraken", "kind": "status", "status": 200}},
        {"fault": {"source": "kraken", "kind": "status", "status": True}},
        {"fault": {"source": "kraken", "kind": "status", "seconds": 3}},
        {"fault": {"source": "kraken", "kind": "missing", "seconds": 3}},
        {"fault": {"source": "kraken", "kind": "body", "body": 3}},
    ],
)
def test_a_wrong_command_is_refused_and_changes_nothing(client: FlaskClient, command: object) -> None:
    before = _json(client, "/control")
    assert _command(client, command) == 400
    assert _json(client, "/control") == before


# --- serving -----------------------------------------------------------------------------------------------------


def test_the_blueprint_lives_in_another_application_with_its_control_under_its_name(market: Market) -> None:
    app = Flask("sandbox")
    app.register_blueprint(exchange_blueprint(market))
    client = app.test_client()
    for path in (KRAKEN, COINBASE, BITSTAMP, ECB, "/exchange/control"):
        assert client.get(path).status_code == 200
    assert client.post("/exchange/control", json={"freeze": True}).status_code == 200
    assert client.get("/control").status_code == 404


def test_it_is_served_on_loopback_only_and_a_taken_port_is_an_error() -> None:
    with pytest.raises(ValueError, match="loopback"), serve(host="0.0.0.0"):  # noqa: S104 - it must be refused
        pass
    with serve() as running:
        assert requests.get(running.addresses["ecb"] + ECB.removeprefix("/ecb"), timeout=5).status_code == 200
        with pytest.raises(OSError, match="in use"), serve(port=int(running.url.rpartition(":")[2])):
            pass


@pytest.fixture
def command() -> Iterator[subprocess.Popen[str]]:
    """Run the command on a free port."""
    with subprocess.Popen(
        [sys.executable, "-m", "sandbox.exchange", "--port", "0", "--seed", "7"], stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


def test_the_command_says_where_it_listens_and_ends_when_told(command: subprocess.Popen[str]) -> None:
    assert command.stdout is not None
    ready = json.loads(command.stdout.readline())
    assert ready["event"] == "exchange_ready"
    assert requests.get(ready["url"] + KRAKEN, timeout=5).json()["error"] == []
    command.send_signal(signal.SIGTERM)
    assert command.wait(10) == 0
