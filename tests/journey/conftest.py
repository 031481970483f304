"""Streets for journey tests: a fresh chain and a fresh copy of a migrated database for each test."""

from collections.abc import Callable, Iterator
from datetime import datetime

import pytest

from gateway.kernel.clock import ManualClock
from gateway.storage.database import open_database
from gateway.storage.migrate import upgrade
from sandbox.exchange import server as exchange_server
from sandbox.exchange.market import Market
from sandbox.exchange.server import RunningExchange
from tests.journey.street import Shop, Street, a_street


class SharedTime:
    """Lets one exchange serve many tests, each with a clock of its own."""

    def __init__(self) -> None:
        self.clock = ManualClock()

    def now(self) -> datetime:
        """Return the time of the test that runs now."""
        return self.clock.now()


@pytest.fixture(scope="session")
def shared_time() -> SharedTime:
    """Return the time of the exchange."""
    return SharedTime()


@pytest.fixture(scope="session")
def open_exchange(shared_time: SharedTime) -> Iterator[RunningExchange]:
    """Serve the test exchange."""
    with exchange_server.serve(Market(now=shared_time.now)) as running:
        yield running


@pytest.fixture
def clock(shared_time: SharedTime) -> ManualClock:
    """Return the one clock of chain, exchange and house."""
    shared_time.clock = ManualClock()
    return shared_time.clock


@pytest.fixture
def exchange(open_exchange: RunningExchange, clock: ManualClock) -> Iterator[RunningExchange]:
    """Return an exchange without faults, on which a SOL costs about 200 dollars."""
    assert open_exchange.market.now() == clock.now(), "all of the street keeps one time"
    open_exchange.market.set_price("SOL", 200_000_000)
    open_exchange.market.set_price("USDC", 1_000_000)
    yield open_exchange
    open_exchange.market.reset()


@pytest.fixture(scope="session")
def migrated(create_database: Callable[[str], str]) -> Callable[[str], str]:
    """Return ``(kind) -> url`` of a migrated database to be copied."""
    known: dict[str, str] = {}

    def find(kind: str) -> str:
        if kind not in known:
            url = create_database(kind)
            database = open_database(url)
            upgrade(database)
            database.close()
            known[kind] = url
        return known[kind]

    return find


@pytest.fixture
def street(
    migrated: Callable[[str], str], copy_database: Callable[[str], str], exchange: RunningExchange, clock: ManualClock
) -> Iterator[Street]:
    """Return a street on SQLite."""
    with a_street(copy_database(migrated("sqlite")), exchange, clock) as street:
        yield street


@pytest.fixture
def street_everywhere(
    database_kind: str,
    migrated: Callable[[str], str],
    copy_database: Callable[[str], str],
    exchange: RunningExchange,
    clock: ManualClock,
) -> Iterator[Street]:
    """Return a street, once on every database."""
    with a_street(copy_database(migrated(database_kind)), exchange, clock) as street:
        yield street


@pytest.fixture
def shop(street: Street) -> Shop:
    """Return a merchant with open accounts, watched."""
    return street.shop()
