"""Parsers read the four wire formats exactly, and refuse everything else with one error."""

import json
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.conversion import exact
from gateway.rates.sources import (
    LIVE_ADDRESSES,
    Bitstamp,
    Coinbase,
    EuropeanCentralBank,
    Kraken,
    Pair,
    Source,
    UnusableAnswerError,
    all_sources,
)

ASKED_AT = datetime(2026, 11, 18, 16, 30, tzinfo=UTC)
SOL_USD = Pair(base="SOL", quote="USD")
KRAKEN = Kraken(address="http://k")
COINBASE = Coinbase(address="http://c")
BITSTAMP = Bitstamp(address="http://b")
ECB = EuropeanCentralBank(address="http://e")

# As the real ones answer.
KRAKEN_BODY = b"""{"error":[],"result":{"SOLUSD":{"a":["200.12000","12","12.000"],"b":["200.10000","7","7.000"],
"c":["200.11000","0.25000000"],"v":["15023.11","98754.20"],"p":["199.9","200.1"],"t":[3021,20417],
"l":["195.1","194.0"],"h":["203.0","203.0"],"o":"198.55000"}}}"""
COINBASE_BODY = b"""{"ask":"200.12","bid":"200.1","volume":"812345.1123","trade_id":241983321,"price":"200.11",
"size":"1.25","time":"2026-11-18T16:29:58.123456789Z","rfq_volume":"12033.41"}"""
BITSTAMP_BODY = b"""{"timestamp":"1795019398","open":"198.55","high":"203.00","low":"194.00","last":"200.11",
"volume":"80312.3301","vwap":"199.91","bid":"200.10","ask":"200.12","side":"0","open_24":"198.40",
"percent_change_24":"0.86"}"""
ECB_BODY = b"""<?xml version="1.0" encoding="UTF-8"?>
<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01"
 xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">
  <gesmes:subject>Reference rates</gesmes:subject>
  <gesmes:Sender><gesmes:name>European Central Bank</gesmes:name></gesmes:Sender>
  <Cube><Cube time='2026-11-18'>
    <Cube currency='USD' rate='1.0705'/><Cube currency='JPY' rate='171.94'/><Cube currency='IDR' rate='17487.21'/>
  </Cube></Cube>
</gesmes:Envelope>"""
GOOD: list[tuple[Source, bytes]] = [
    (KRAKEN, KRAKEN_BODY),
    (COINBASE, COINBASE_BODY),
    (BITSTAMP, BITSTAMP_BODY),
    (ECB, ECB_BODY),
]


def _parse(source: Source, body: bytes) -> Any:
    (question,) = source.questions({SOL_USD})
    return source.parse(body, question, ASKED_AT)


@pytest.mark.parametrize(
    ("source", "body", "as_of"),
    [
        (KRAKEN, KRAKEN_BODY, ASKED_AT),
        (COINBASE, COINBASE_BODY, datetime(2026, 11, 18, 16, 29, 58, 123456, tzinfo=UTC)),
        (BITSTAMP, BITSTAMP_BODY, datetime(2026, 11, 18, 16, 29, 58, tzinfo=UTC)),
    ],
)
def test_an_exchange_gives_the_exact_middle_of_its_book_and_its_time(
    source: Source, body: bytes, as_of: datetime
) -> None:
    (said,) = _parse(source, body)
    assert (said.source, said.base, said.quote, said.as_of) == (source.name, "SOL", "USD", as_of)
    assert exact(said) == Fraction(20011, 100)


def test_the_central_bank_gives_the_euro_in_each_currency_as_of_the_hour_they_were_set() -> None:
    words = _parse(ECB, ECB_BODY)
    assert {said.quote: (said.num, said.den) for said in words} == {
        "USD": (2141, 2000),
        "JPY": (8597, 50),
        "IDR": (1748721, 100),
    }
    assert {(said.source, said.base, said.as_of) for said in words} == {
        ("ecb", "EUR", datetime(2026, 11, 18, 13, 15, tzinfo=UTC))
    }


def test_krakens_own_name_of_a_market_is_understood_and_another_market_is_not() -> None:
    (question,) = KRAKEN.questions({Pair(base="USDT", quote="USD")})
    body = KRAKEN_BODY.replace(b"SOLUSD", b"USDTZUSD").replace(b"200.1", b"1.0")
    assert question.url == "http://k/0/public/Ticker?pair=USDTUSD"
    assert KRAKEN.parse(body, question, ASKED_AT)[0].base == "USDT"
    with pytest.raises(UnusableAnswerError) as caught:
        KRAKEN.parse(KRAKEN_BODY, question, ASKED_AT)
    assert caught.value.reason == "another_market"


def test_only_listed_markets_are_asked_for() -> None:
    wanted = {SOL_USD, Pair(base="USDC", quote="USD"), Pair(base="SHOP", quote="USD")}
    asked = {source.name: [question.url for question in source.questions(wanted)] for source in all_sources()}
    assert asked == {
        "kraken": [
            "https://api.kraken.com/0/public/Ticker?pair=SOLUSD",
            "https://api.kraken.com/0/public/Ticker?pair=USDCUSD",
        ],
        "coinbase": ["https://api.exchange.coinbase.com/products/SOL-USD/ticker"],
        "bitstamp": [
            "https://www.bitstamp.net/api/v2/ticker/solusd/",
            "https://www.bitstamp.net/api/v2/ticker/usdcusd/",
        ],
        "ecb": ["https://www.ecb.europa.eu/stats/eurofxref/eurofxref-daily.xml"],
    }


def test_a_source_without_an_address_is_left_out_and_an_unknown_one_is_refused() -> None:
    assert [source.name for source in all_sources({"kraken": "http://k/", "ecb": "http://e"})] == ["kraken", "ecb"]
    with pytest.raises(ValueError, match="mtgox"):
        all_sources({**LIVE_ADDRESSES, "mtgox": "http://m"})


HOSTILE_PRICES = [
    ("0", "zero_price"),
    ("0.000", "zero_price"),
    ("-200.1", "not_a_decimal"),
    ("+200.1", "not_a_decimal"),
    ("NaN", "not_a_decimal"),
    ("Infinity", "not_a_decimal"),
    ("1e2", "not_a_decimal"),
    ("1_000", "not_a_decimal"),
    ("1,000", "not_a_decimal"),
    (" 200.1", "not_a_decimal"),
    ("200.1\\n", "not_a_decimal"),
    (".5", "not_a_decimal"),
    ("5.", "not_a_decimal"),
    ("", "not_a_decimal"),
    ("٢٠٠", "not_a_decimal"),  # Arabic digits
    ("1234567890123", "not_a_decimal"),  # absurdly large
    ("0.0000000000001", "not_a_decimal"),  # absurdly small
    ("9" * 5_000, "not_a_decimal"),
    ("201.00", "bid_above_ask"),
    ("150.00", "book_too_thin"),
]


@pytest.mark.parametrize(("text", "reason"), HOSTILE_PRICES)
@pytest.mark.parametrize(
    ("source", "body"),
    [
        (KRAKEN, KRAKEN_BODY.replace(b'"b":["200.10000"', b'"b":["@"')),
        (COINBASE, COINBASE_BODY.replace(b'"bid":"200.1"', b'"bid":"@"')),
        (BITSTAMP, BITSTAMP_BODY.replace(b'"bid":"200.10"', b'"bid":"@"')),
    ],
)
def test_a_hostile_price_is_refused_by_every_exchange(source: Source, body: bytes, text: str, reason: str) -> None:
    assert b"@" in body
    with pytest.raises(UnusableAnswerError) as caught:
        _parse(source, body.replace(b"@", text.encode()))
    assert caught.value.reason == reason


@pytest.mark.parametrize("text", ["0", "-1.07", "NaN", "1e3", "1,07", "٢", "", "9" * 13])
def test_a_hostile_reference_rate_is_refused(text: str) -> None:
    with pytest.raises(UnusableAnswerError):
        _parse(ECB, ECB_BODY.replace(b"1.0705", text.encode()))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-11-18",
        "2026-11-18T16:29:58",
        "2026-13-18T16:29:58Z",
        "2026-11-18T16:29:60Z",
        "٢٠٢٦-11-18T16:29:58Z",
    ],
)
def test_a_hostile_time_is_refused(text: str) -> None:
    with pytest.raises(UnusableAnswerError) as caught:
        _parse(COINBASE, COINBASE_BODY.replace(b"2026-11-18T16:29:58.123456789Z", text.encode()))
    assert caught.value.reason == "not_a_time"
    with pytest.raises(UnusableAnswerError):
        _parse(BITSTAMP, BITSTAMP_BODY.replace(b"1795019398", text.encode()))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"error":["EQuery:Unknown asset pair"]}', "source_reports_error"),
        (b'{"error":["EService:Unavailable"],"result":{}}', "source_reports_error"),
        (b'{"result":{}}', "source_reports_error"),
        (b'{"error":[],"result":{}}', "another_market"),
        (b'{"error":[],"result":[]}', "not_an_object"),
        (b'{"error":[],"result":{"SOLUSD":{}}}', "no_price"),
        (b'{"error":[],"result":{"SOLUSD":{"a":[],"b":[]}}}', "no_price"),
        (b'{"error":[],"result":{"SOLUSD":{"a":"200","b":"200"}}}', "no_price"),
        (b'{"error":[],"error":[],"result":{}}', "duplicate_key"),
        (b'{"error":[],"result":NaN}', "not_a_number"),
    ],
)
def test_kraken_errors_come_with_status_200_and_are_refused(body: bytes, reason: str) -> None:
    with pytest.raises(UnusableAnswerError) as caught:
        _parse(KRAKEN, body)
    assert caught.value.reason == reason


HOSTILE_BODIES = [
    b"",
    b"null",
    b"[]",
    b'"200"',
    b"{",
    b"{}",
    b"<html>maintenance</html>",
    b"\xff\xfe\x00",
    b"\x00" * 100,
    b"[" * 60_000,
    b'{"a":' * 10_000,
    b"<a>" * 10_000,
    b"9" * 10_000,
    b'{"bid":200.1,"ask":null}',
    '{"bid":"200"}'.encode("utf-16"),
]


@pytest.mark.parametrize("body", HOSTILE_BODIES, ids=range(len(HOSTILE_BODIES)))
@pytest.mark.parametrize("source", [KRAKEN, COINBASE, BITSTAMP, ECB], ids=lambda source: source.name)
def test_a_hostile_body_is_refused_and_raises_nothing_foreign(source: Source, body: bytes) -> None:
    with pytest.raises(UnusableAnswerError):
        _parse(source, body)


BOMB = b'<!DOCTYPE x [<!ENTITY a "1"><!ENTITY b "&a;&a;&a;&a;">]>'
CUBE = b"<Cube currency='USD' rate='1.0705'/>"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (ECB_BODY.replace(b"<gesmes:Envelope", BOMB + b"<gesmes:Envelope", 1), "doctype"),
        (ECB_BODY.replace(b'eurofxref">', b'something">'), "no_rates"),
        (ECB_BODY.replace(b" time='2026-11-18'", b""), "unexpected_currency"),
        (ECB_BODY.replace(b"2026-11-18", b"2026-02-30"), "not_xml"),
        (ECB_BODY.replace(b"2026-11-18", b"18.11.2026"), "not_a_day"),
        (ECB_BODY.replace(CUBE, CUBE + CUBE), "unexpected_currency"),
        (ECB_BODY.replace(CUBE, CUBE.replace(b"USD", b"EUR")), "unexpected_currency"),
        (ECB_BODY.replace(CUBE, CUBE.replace(b"USD", b"usd")), "unexpected_currency"),
        (ECB_BODY.replace(CUBE, b"<Cube currency='USD'/>"), "unknown_cube"),
        (ECB_BODY.replace(CUBE, CUBE + b"<Cube time='2026-11-17'/>"), "two_days"),
        (ECB_BODY.replace(CUBE, b""), None),
        (ECB_BODY[:-20], "not_xml"),
        (ECB_BODY.replace(b"UTF-8", b"no-such-encoding"), None),
    ],
)
def test_a_reference_table_is_read_strictly(body: bytes, reason: str | None) -> None:
    if reason is None:
        assert _parse(ECB, body)
        return
    with pytest.raises(UnusableAnswerError) as caught:
        _parse(ECB, body)
    assert caught.value.reason == reason


def test_a_table_of_hundreds_of_currencies_is_refused() -> None:
    codes = [f"{a}{b}X" for a in "ABCDEFGHIJKL" for b in "ABCDEFGHIJKL"]
    cubes = "".join(f"<Cube currency='{code}' rate='1.5'/>" for code in codes).encode()
    with pytest.raises(UnusableAnswerError) as caught:
        _parse(ECB, ECB_BODY.replace(CUBE, cubes))
    assert caught.value.reason == "too_many_currencies"


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("200.1"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
TICKERS = st.fixed_dictionaries({}, optional=dict.fromkeys(("a", "b", "bid", "ask", "time", "timestamp"), JSON_VALUES))


def _only_known_errors(source: Source, body: bytes) -> None:
    try:
        words = _parse(source, body)
    except UnusableAnswerError:
        return
    assert all(said.num > 0 and said.den > 0 and said.as_of.tzinfo is not None for said in words)


@settings(max_examples=150, deadline=None)
@given(body=st.binary(max_size=200), place=st.integers(0, 400))
def test_random_bytes_anywhere_in_an_answer_raise_nothing_foreign(body: bytes, place: int) -> None:
    for source, good in GOOD:
        _only_known_errors(source, body)
        _only_known_errors(source, good[:place] + body + good[place:])
        _only_known_errors(source, good[:place] + body + good[place + len(body) :])


@settings(max_examples=150, deadline=None)
@given(ticker=TICKERS, outer=JSON_VALUES)
def test_random_json_raises_nothing_foreign(ticker: Any, outer: Any) -> None:
    for source in (KRAKEN, COINBASE, BITSTAMP):
        for value in (ticker, outer, {"error": [], "result": {"SOLUSD": ticker}}, {"error": [], "result": outer}):
            _only_known_errors(source, json.dumps(value).encode())
