"""A test exchange over real HTTP, on a clock that stands still, and a book that reads it with the real sources."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from gateway.kernel.clock import ManualClock
from gateway.rates.book import RateBook
from gateway.rates.http import RatesHttp
from gateway.rates.sources import all_sources
from sandbox.exchange import Market, RunningExchange, serve

WEDNESDAY = datetime(2026, 11, 18, 16, 30, tzinfo=UTC)


@pytest.fixture
def clock() -> ManualClock:
    """Return a clock on a Wednesday, after the day's reference rates were published."""
    return ManualClock(WEDNESDAY)


@pytest.fixture
def exchange(clock: ManualClock) -> Iterator[RunningExchange]:
    """Serve a test exchange that lives by the manual clock."""
    with serve(Market(now=clock.now)) as running:
        yield running


@pytest.fixture
def market(exchange: RunningExchange) -> Market:
    """Return the exchange's market: 200 USD for one SOL, 1 USD for one USDC, 1.10 USD for one EUR."""
    exchange.market.set_price("SOL", 200_000_000)
    exchange.market.set_price("USDC", 1_000_000)
    exchange.market.set_euro("USD", 1_100_000)
    return exchange.market


@pytest.fixture
def book(exchange: RunningExchange, market: Market, clock: ManualClock) -> RateBook:
    """Return a book of all four sources, with short time-outs."""
    del market  # It fixes the prices.
    http = RatesHttp(connect_timeout_s=1.0, read_timeout_s=1.0, total_timeout_s=1.0)
    return RateBook(all_sources(exchange.addresses), clock, http=http, round_wait_s=10.0)
