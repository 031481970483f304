"""The book against the test exchange over HTTP: what may be quoted, and what is refused with a reason."""

import contextlib
import gzip
import json
import logging
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from gateway.domain.conversion import exact, pay_amount
from gateway.domain.ports import Rates
from gateway.kernel.clock import ManualClock
from gateway.kernel.errors import ErrorCode, TemporaryError
from gateway.kernel.money import MAX_ATOMIC, Money
from gateway.rates.book import RateBook
from gateway.rates.http import MAX_BODY_BYTES, RatesHttp, UnreachableError
from gateway.rates.sources import UnusableAnswerError, all_sources
from sandbox.exchange import Fault, FaultKind, Market, RunningExchange

DEAD = Fault(kind=FaultKind.STATUS, status=503)


def _sources(book: RateBook, base: str, quote: str) -> list[str]:
    return [said.source for said in book.rate(base, quote).sources]


def _reason(book: Rates, base: str, quote: str) -> str:
    with pytest.raises(TemporaryError) as caught:
        book.rate(base, quote)
    assert caught.value.code is ErrorCode.RATE_UNAVAILABLE
    assert caught.value.retryable
    return caught.value.message


# --- what may be quoted ------------------------------------------------------------------------------------------


def test_a_price_in_dollars_is_the_median_of_three_exchanges_and_keeps_every_word(book: RateBook) -> None:
    book.refresh()
    rate = book.rate("SOL", "USD")
    # The exchanges differ by habit: Kraken says 200, Coinbase 200.03, Bitstamp 199.976.
    assert exact(rate) == 200
    assert {said.source: exact(said) for said in rate.sources} == {
        "bitstamp": Fraction("199.976"),
        "coinbase": Fraction("200.03"),
        "kraken": Fraction(200),
    }
    assert pay_amount(Money(10_000, "USD"), rate, "SOL") == Money(500_000_000, "SOL")


def test_a_stablecoin_is_priced_by_the_market_and_not_assumed_to_be_one_dollar(book: RateBook, market: Market) -> None:
    market.set_price("USDC", 880_000)  # as in March 2023
    book.refresh()
    rate = book.rate("USDC", "USD")
    assert Fraction("0.8799") < exact(rate) < Fraction("0.8801")
    assert _sources(book, "USDC", "USD") == ["bitstamp", "kraken"]


def test_a_price_in_euro_takes_the_euro_market_directly(book: RateBook) -> None:
    book.refresh()
    assert _sources(book, "SOL", "EUR") == ["bitstamp", "coinbase", "kraken"]
    assert abs(exact(book.rate("SOL", "EUR")) - Fraction(200_000, 1_100)) < Fraction(1, 1000)


def test_a_price_in_euro_is_crossed_when_too_few_euro_markets_answer(
    exchange: RunningExchange, market: Market, clock: ManualClock
) -> None:
    market.set_fault("bitstamp", DEAD)
    book = RateBook(all_sources(exchange.addresses), clock, assets=("SOL",))
    book._wanted = frozenset(pair for pair in book._wanted if pair.quote == "USD")  # nobody has a euro market
    book.refresh()
    rate = book.rate("SOL", "EUR")
    assert [(said.source, said.base, said.quote) for said in rate.sources] == [
        ("coinbase", "SOL", "USD"),
        ("kraken", "SOL", "USD"),
        ("ecb", "EUR", "USD"),
    ]
    assert exact(rate) == Fraction("200.015") / Fraction("1.1")


def test_other_currencies_are_crossed_through_the_central_bank_with_both_legs_as_evidence(
    book: RateBook, market: Market
) -> None:
    market.set_euro("JPY", 165_000_000)
    book.refresh()
    rate = book.rate("SOL", "JPY")
    assert exact(rate) == 200 * Fraction(165) / Fraction("1.1")
    assert [(said.source, said.quote) for said in rate.sources if said.base == "EUR"] == [
        ("ecb", "USD"),
        ("ecb", "JPY"),
    ]
    assert rate.as_of == datetime(2026, 11, 18, 13, 15, tzinfo=UTC)  # as old as its oldest word


def test_two_fiat_currencies_are_crossed_by_the_central_bank_alone(book: RateBook, market: Market) -> None:
    market.set_euro("GBP", 850_000)
    book.refresh()
    assert exact(book.rate("GBP", "USD")) == Fraction("1.1") / Fraction("0.85")
    assert exact(book.rate("EUR", "USD")) == Fraction("1.1")


def test_a_price_in_one_coin_is_payable_in_another_and_the_other_way_round(book: RateBook) -> None:
    book.refresh()
    assert exact(book.rate("SOL", "USDC")) * exact(book.rate("USDC", "SOL")) == 1
    assert exact(book.rate("SOL", "USD")) * exact(book.rate("USD", "SOL")) == 1


def test_a_coin_in_itself_is_one_without_any_source(book: RateBook) -> None:
    rate = book.rate("USDC", "USDC")
    assert (rate.num, rate.den, rate.sources) == (1, 1, ())


def test_every_rate_fits_the_narrowest_database_column(book: RateBook, market: Market) -> None:
    market.set_price("SOL", 199_999_999)
    market.set_price("USDC", 999_983)
    for code in ("USD", "JPY", "IDR", "KRW"):
        market.set_euro(code, 1_234_567_891)
    book.refresh()
    for quote in ("USD", "EUR", "JPY", "IDR", "KRW", "USDC"):
        rate = book.rate("SOL", quote)
        assert max(rate.num, rate.den) <= MAX_ATOMIC


# --- what is refused ---------------------------------------------------------------------------------------------


def test_before_the_first_refresh_nothing_is_quoted(book: RateBook) -> None:
    assert _reason(book, "SOL", "USD") == (
        "No exchange has a fresh price of SOL in USD at the moment. Try again in a minute, or pay in another way."
    )


def test_one_source_alone_is_not_quoted_and_the_reason_counts_it(book: RateBook, market: Market) -> None:
    market.set_fault("kraken", DEAD)
    market.set_fault("coinbase", DEAD)
    book.refresh()
    assert "1 of at least 2" in _reason(book, "SOL", "USD")


def test_a_stablecoin_with_one_dollar_market_left_is_crossed_through_its_euro_markets(
    book: RateBook, market: Market, clock: ManualClock
) -> None:
    market.set_fault("kraken", DEAD)
    book.refresh()
    rate = book.rate("USDC", "USD")  # Coinbase has no dollar market of it
    assert [(said.source, said.quote) for said in rate.sources] == [
        ("bitstamp", "EUR"),
        ("coinbase", "EUR"),
        ("ecb", "USD"),
    ]
    assert abs(exact(rate) - 1) < Fraction(1, 1000)
    market.set_fault("bitstamp", DEAD)
    clock.advance(timedelta(seconds=121))
    book.refresh()
    assert "1 of at least 2" in _reason(book, "USDC", "EUR")


def test_an_outlier_among_three_is_dropped_and_named(book: RateBook, market: Market) -> None:
    market.set_fault("kraken", Fault(kind=FaultKind.SKEW, skew_bps=90_000))  # ten times too dear
    book.refresh()
    assert _sources(book, "SOL", "USD") == ["bitstamp", "coinbase"]
    assert [(said.source, why) for said, why in book.judge("SOL", "USD").refused] == [("kraken", "outlier")]


def test_two_sources_that_disagree_are_not_quoted(book: RateBook, market: Market) -> None:
    market.set_fault("bitstamp", DEAD)
    market.set_fault("coinbase", Fault(kind=FaultKind.SKEW, skew_bps=400))
    book.refresh()
    assert _reason(book, "SOL", "USD").startswith("The exchanges disagree about the price of SOL in USD")


def test_a_disagreement_is_not_hidden_by_going_another_way_round(
    exchange: RunningExchange, market: Market, clock: ManualClock
) -> None:
    book = RateBook(all_sources(exchange.addresses), clock)
    book.refresh()
    market.set_fault("coinbase", Fault(kind=FaultKind.SKEW, skew_bps=400))
    market.set_fault("bitstamp", Fault(kind=FaultKind.SKEW, skew_bps=-400))
    book._wanted = frozenset(pair for pair in book._wanted if pair.quote == "USD")  # the euro markets still agree
    clock.advance(timedelta(seconds=30))
    book.refresh()
    assert book.judge("SOL", "EUR").price is not None
    assert "disagree" in _reason(book, "SOL", "USD")
    assert "disagree" in _reason(book, "SOL", "JPY")


def test_a_source_whose_own_time_is_old_does_not_count(book: RateBook, market: Market) -> None:
    market.set_fault("coinbase", Fault(kind=FaultKind.AGE, seconds=121))
    market.set_fault("bitstamp", Fault(kind=FaultKind.AGE, seconds=121))
    book.refresh()
    assert "1 of at least 2" in _reason(book, "SOL", "USD")


def test_rates_expire_when_the_sources_fall_silent_and_return_with_them(
    book: RateBook, market: Market, clock: ManualClock
) -> None:
    book.refresh()
    for source in ("kraken", "coinbase", "bitstamp"):
        market.set_fault(source, DEAD)
    clock.advance(timedelta(seconds=120))
    book.refresh()
    assert exact(book.rate("SOL", "USD")) == 200  # two minutes old, and still good
    clock.advance(timedelta(seconds=1))
    assert _reason(book, "SOL", "USD").startswith("No exchange has a fresh price")
    market.reset()
    clock.advance(timedelta(minutes=5))
    book.refresh()
    assert book.rate("SOL", "USD").sources


def test_the_last_good_price_does_not_stay_for_ever_when_a_source_answers_nonsense(
    book: RateBook, market: Market, clock: ManualClock
) -> None:
    book.refresh()
    for source in ("kraken", "coinbase", "bitstamp"):
        market.set_fault(source, Fault(kind=FaultKind.BODY, body='{"error":[],"result":{"SOLUSD":{"a":["NaN"]}}}'))
    for _ in range(5):
        clock.advance(timedelta(seconds=30))
        book.refresh()
    assert _reason(book, "SOL", "USD")


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind=FaultKind.STATUS, status=429),
        Fault(kind=FaultKind.STATUS, status=500),
        Fault(kind=FaultKind.STATUS, status=404),
        Fault(kind=FaultKind.STATUS, status=403),
        Fault(kind=FaultKind.BODY, body=""),
        Fault(kind=FaultKind.BODY, body="<html>maintenance</html>"),
        Fault(kind=FaultKind.BODY, body=" " * 70_000),
        Fault(kind=FaultKind.MISSING),
        Fault(kind=FaultKind.HANG, seconds=30),
        Fault(kind=FaultKind.DRIP, seconds=30),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status}",
)
def test_a_broken_source_costs_only_its_own_word(book: RateBook, market: Market, fault: Fault) -> None:
    market.set_fault("kraken", fault)
    started_s = time.monotonic()
    book.refresh()
    assert time.monotonic() - started_s < 10
    assert _sources(book, "SOL", "USD") == ["bitstamp", "coinbase"]


def test_a_dead_port_costs_only_its_own_word(exchange: RunningExchange, market: Market, clock: ManualClock) -> None:
    del market  # It fixes the prices.
    addresses = {**exchange.addresses, "coinbase": "http://127.0.0.1:1", "ecb": "http://no-such-host.localhost:1"}
    book = RateBook(all_sources(addresses), clock)
    book.refresh()
    assert _sources(book, "SOL", "USD") == ["bitstamp", "kraken"]
    assert _reason(book, "SOL", "JPY") == "There is no reference exchange rate for USD. Pay in another way."


def test_a_hanging_source_does_not_hold_up_a_refresh_and_is_not_asked_twice(
    exchange: RunningExchange, market: Market, clock: ManualClock
) -> None:
    market.set_fault("bitstamp", Fault(kind=FaultKind.HANG, seconds=30))
    book = RateBook(all_sources(exchange.addresses), clock, round_wait_s=0.2)
    for _ in range(3):
        clock.advance(timedelta(seconds=31))
        book.refresh()
    give_up_s = time.monotonic() + 10
    while book.judge("SOL", "USD").price is None and time.monotonic() < give_up_s:
        time.sleep(0.01)  # A busy machine answers after the refresh has gone on, which it may.
    assert _sources(book, "SOL", "USD") == ["coinbase", "kraken"]
    asking = [thread for thread in threading.enumerate() if thread.name == "rates-bitstamp"]
    assert len(asking) == 1
    market.stopping.set()  # The exchange lets its callers go.
    asking[0].join(10)
    assert not asking[0].is_alive()


# --- fiat --------------------------------------------------------------------------------------------------------


def test_a_currency_that_the_central_bank_does_not_list_is_not_quoted(book: RateBook) -> None:
    book.refresh()
    assert _reason(book, "SOL", "KWD") == "There is no reference exchange rate for KWD. Pay in another way."


@pytest.mark.parametrize(
    ("set_on", "asked_at", "is_good"),
    [
        (datetime(2026, 11, 20, 16, 0, tzinfo=UTC), datetime(2026, 11, 23, 14, 0, tzinfo=UTC), True),  # a weekend
        (datetime(2026, 12, 24, 16, 0, tzinfo=UTC), datetime(2026, 12, 28, 14, 0, tzinfo=UTC), True),  # Christmas
        (datetime(2027, 3, 25, 16, 0, tzinfo=UTC), datetime(2027, 3, 30, 14, 5, tzinfo=UTC), True),  # Easter
        (
            datetime(2026, 11, 18, 16, 0, tzinfo=UTC),
            datetime(2026, 11, 23, 20, 0, tzinfo=UTC),
            False,
        ),  # silent for days
    ],
)
def test_reference_rates_stand_over_weekends_and_holidays_and_no_longer(
    book: RateBook, market: Market, clock: ManualClock, set_on: datetime, asked_at: datetime, *, is_good: bool
) -> None:
    clock.advance(set_on - clock.now())
    book.refresh()
    market.set_fault("ecb", DEAD)
    clock.advance(asked_at - clock.now())
    book.refresh()
    if is_good:
        assert book.rate("SOL", "JPY").sources[-1].as_of.date() == set_on.date()
    else:
        assert _reason(book, "SOL", "JPY") == "The reference exchange rate for USD is out of date. Pay in another way."
    assert exact(book.rate("SOL", "USD")) == 200  # dollars need no central bank


def test_a_table_dated_ahead_of_our_clock_is_no_better_than_an_old_one(
    exchange: RunningExchange, market: Market, clock: ManualClock
) -> None:
    del market
    behind = ManualClock(clock.now() - timedelta(days=1))
    book = RateBook(all_sources(exchange.addresses), behind)
    book.refresh()
    assert "out of date" in _reason(book, "EUR", "USD")


def test_a_currency_that_left_the_table_has_no_rate_any_more(
    book: RateBook, market: Market, clock: ManualClock
) -> None:
    book.refresh()
    assert book.rate("EUR", "JPY")
    table = (
        "<Envelope xmlns='http://www.ecb.int/vocabulary/2002-08-01/eurofxref'><Cube>"
        "<Cube time='2026-11-18'><Cube currency='USD' rate='1.1'/></Cube></Cube></Envelope>"
    )
    market.set_fault("ecb", Fault(kind=FaultKind.BODY, body=table))
    clock.advance(timedelta(hours=1))
    book.refresh()
    assert exact(book.rate("EUR", "USD")) == Fraction("1.1")
    assert "no reference exchange rate for JPY" in _reason(book, "EUR", "JPY")


# --- rounds ------------------------------------------------------------------------------------------------------


class _CountingHttp(RatesHttp):
    """Counts what is asked, and asks it."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []

    def get(self, url: str) -> bytes:
        self.urls.append(url)
        return super().get(url)

    def count(self, name: str) -> int:
        """Return how often a source was asked since the last count."""
        asked = [url for url in self.urls if f"/{name}/" in url]
        self.urls = [url for url in self.urls if f"/{name}/" not in url]
        return len(asked)


def test_a_source_is_asked_when_it_is_due_and_not_before(
    exchange: RunningExchange, market: Market, clock: ManualClock
) -> None:
    del market
    http = _CountingHttp()
    book = RateBook(all_sources(exchange.addresses), clock, http=http)
    book.refresh()
    assert [http.count(name) for name in ("kraken", "coinbase", "bitstamp", "ecb")] == [4, 3, 4, 1]
    clock.advance(timedelta(seconds=29))
    book.refresh()
    assert http.urls == []
    clock.advance(timedelta(seconds=1))
    book.refresh()
    assert [http.count(name) for name in ("kraken", "coinbase", "bitstamp", "ecb")] == [4, 3, 4, 0]
    clock.advance(timedelta(hours=1))
    book.refresh()
    assert http.count("ecb") == 1


def test_a_failing_source_is_left_alone_longer_and_longer_and_asked_once_only(
    exchange: RunningExchange, market: Market, clock: ManualClock
) -> None:
    market.set_fault("kraken", DEAD)
    http = _CountingHttp()
    book = RateBook(all_sources({"kraken": exchange.addresses["kraken"]}), clock, http=http)
    pauses_s = []
    book.refresh()
    for _ in range(6):
        assert http.count("kraken") == 1
        waited_s = 0
        while not http.urls:
            clock.advance(timedelta(seconds=10))
            waited_s += 10
            book.refresh()
        pauses_s.append(waited_s)
    assert pauses_s == [30, 60, 120, 240, 300, 300]


def test_failures_are_logged_once_without_the_body_and_so_is_the_recovery(
    book: RateBook, market: Market, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    market.set_fault("kraken", Fault(kind=FaultKind.BODY, body="secret nonsense"))
    for _ in range(3):
        book.refresh()
        clock.advance(timedelta(minutes=5))
    market.reset()
    book.refresh()
    logged = [(record.getMessage(), record.__dict__["fields"]) for record in caplog.records if "rates" in record.name]
    markets = ("SOL/USD", "SOL/EUR", "USDC/USD", "USDC/EUR")
    assert sorted(logged, key=str) == sorted(
        [
            *(("rate_source_failed", {"source": "kraken", "market": name, "reason": "not_json"}) for name in markets),
            *(("rate_source_recovered", {"source": "kraken", "market": name}) for name in markets),
        ],
        key=str,
    )
    assert "secret nonsense" not in json.dumps([str(record.__dict__) for record in caplog.records])


def test_reading_and_refreshing_at_once_never_shows_half_a_book(
    book: RateBook, market: Market, clock: ManualClock
) -> None:
    book.refresh()
    wrong: list[object] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            rate = book.rate("SOL", "JPY")
            if len(rate.sources) != 5:
                wrong.append(rate)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for step in range(4):
        market.set_price("SOL", 200_000_000 + step)
        clock.advance(timedelta(seconds=30))
        book.refresh()
    done.set()
    for reader in readers:
        reader.join()
    assert wrong == []


# --- the wire ----------------------------------------------------------------------------------------------------


@pytest.fixture
def http() -> RatesHttp:
    """Return connections with short time-outs."""
    return RatesHttp(connect_timeout_s=1.0, read_timeout_s=1.0, total_timeout_s=0.5)


def test_a_body_that_drips_is_cut_off(exchange: RunningExchange, market: Market, http: RatesHttp) -> None:
    market.set_fault("ecb", Fault(kind=FaultKind.DRIP, seconds=30))
    started_s = time.monotonic()
    with pytest.raises(UnreachableError) as caught:
        http.get(exchange.addresses["ecb"] + "/stats/eurofxref/eurofxref-daily.xml")
    assert caught.value.reason == "time_out"
    assert time.monotonic() - started_s < 10


class _Canned(BaseHTTPRequestHandler):
    """Answers that are right but for one thing."""

    def do_GET(self) -> None:
        status, headers, body = {
            "/good": (200, {}, b"price"),
            "/moved": (302, {"Location": "/good"}, b""),
            "/gzip": (200, {"Content-Encoding": "gzip"}, gzip.compress(b"price")),
            "/largest": (200, {}, b" " * MAX_BODY_BYTES),
            "/large": (200, {}, b" " * (MAX_BODY_BYTES + 1)),
            "/endless": (200, {}, b" " * (MAX_BODY_BYTES * 50)),
            "/cut": (200, {"Content-Length": "500"}, b"price"),
        }[self.path]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(OSError):  # The caller has read enough.
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def canned() -> Iterator[str]:
    """Serve canned answers; return the base URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Canned)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_body_is_returned_as_it_came_up_to_the_limit(canned: str) -> None:
    assert RatesHttp().get(f"{canned}/good") == b"price"
    assert len(RatesHttp().get(f"{canned}/largest")) == MAX_BODY_BYTES


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/moved", "status_302"),
        ("/gzip", "encoded_body"),
        ("/large", "body_too_large"),
        ("/endless", "body_too_large"),
    ],
)
def test_a_redirect_a_compressed_and_a_large_body_are_refused(canned: str, path: str, reason: str) -> None:
    with pytest.raises(UnusableAnswerError) as caught:
        RatesHttp().get(canned + path)
    assert caught.value.reason == reason


def test_a_body_that_ends_too_early_is_refused(canned: str) -> None:
    with pytest.raises(UnreachableError):
        RatesHttp().get(f"{canned}/cut")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://[::1", "ftp://127.0.0.1/", "nonsense"])
def test_an_address_that_leads_nowhere_raises_nothing_foreign(http: RatesHttp, url: str) -> None:
    with pytest.raises(UnreachableError):
        http.get(url)


def test_a_proxy_in_the_environment_is_ignored(
    exchange: RunningExchange, http: RatesHttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    assert http.get(exchange.addresses["ecb"] + "/stats/eurofxref/eurofxref-daily.xml")
