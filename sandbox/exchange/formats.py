"""The four wire formats, as the real ones answer: names, nesting, strings and error shapes included."""

from datetime import datetime

from sandbox.exchange.market import HALF_SPREAD_PPM, MICROS, Market

# Market -> the coin, the currency, and Kraken's own name of it in the answer.
KRAKEN_MARKETS = {
    "SOLUSD": ("SOL", "USD", "SOLUSD"),
    "SOLEUR": ("SOL", "EUR", "SOLEUR"),
    "USDCUSD": ("USDC", "USD", "USDCUSD"),
    "USDCEUR": ("USDC", "EUR", "USDCEUR"),
    "USDTUSD": ("USDT", "USD", "USDTZUSD"),
    "USDTEUR": ("USDT", "EUR", "USDTEUR"),
    "EURCUSD": ("EURC", "USD", "EURCUSD"),
    "EURCEUR": ("EURC", "EUR", "EURCEUR"),
    "PYUSDUSD": ("PYUSD", "USD", "PYUSDUSD"),
    "PYUSDEUR": ("PYUSD", "EUR", "PYUSDEUR"),
}
# Coinbase treats USDC and USD as one, so there is no USDC-USD.
COINBASE_MARKETS = {"SOL-USD", "SOL-EUR", "USDC-EUR", "USDT-USD", "USDT-EUR", "EURC-EUR", "PYUSD-USD"}
BITSTAMP_MARKETS = {
    "solusd": ("SOL", "USD"),
    "soleur": ("SOL", "EUR"),
    "usdcusd": ("USDC", "USD"),
    "usdceur": ("USDC", "EUR"),
    "usdtusd": ("USDT", "USD"),
    "usdteur": ("USDT", "EUR"),
    "eurceur": ("EURC", "EUR"),
    "pyusdusd": ("PYUSD", "USD"),
}


def decimal(micros: int) -> str:
    """Return millionths as a decimal string."""
    return f"{micros // MICROS}.{micros % MICROS:06d}"


def book(micros: int) -> tuple[str, str]:
    """Return best bid and best ask around a price."""
    half = micros * HALF_SPREAD_PPM // 10**6
    return decimal(micros - half), decimal(micros + half)


def kraken_ticker(market: Market, names: list[str]) -> dict[str, object]:
    """Answer `/0/public/Ticker`; one unknown name costs the whole answer, with HTTP 200."""
    if not names or any(name not in KRAKEN_MARKETS for name in names):
        return {"error": ["EQuery:Unknown asset pair"]}
    result = {}
    for name in names:
        coin, fiat, key = KRAKEN_MARKETS[name]
        price = market.price("kraken", coin, fiat)
        bid, ask = book(price)
        last = decimal(price)
        result[key] = {
            "a": [ask, "12", "12.000"],
            "b": [bid, "7", "7.000"],
            "c": [last, "0.25000000"],
            "v": ["15023.11", "98754.20"],
            "p": [last, last],
            "t": [3021, 20417],
            "l": [bid, bid],
            "h": [ask, ask],
            "o": last,
        }
    return {"error": [], "result": result}


def coinbase_ticker(market: Market, product: str) -> dict[str, object]:
    """Answer `/products/{id}/ticker`."""
    coin, fiat = product.split("-")
    price = market.price("coinbase", coin, fiat)
    bid, ask = book(price)
    return {
        "ask": ask,
        "bid": bid,
        "volume": "812345.11230000",
        "trade_id": 241983321,
        "price": decimal(price),
        "size": "1.25000000",
        "time": _nanoseconds(market.stated_time("coinbase")),
        "rfq_volume": "12033.410000",
    }


def bitstamp_ticker(market: Market, name: str) -> dict[str, object]:
    """Answer `/api/v2/ticker/{pair}/`."""
    coin, fiat = BITSTAMP_MARKETS[name]
    price = market.price("bitstamp", coin, fiat)
    bid, ask = book(price)
    last = decimal(price)
    return {
        "timestamp": str(int(market.stated_time("bitstamp").timestamp())),
        "open": last,
        "high": ask,
        "low": bid,
        "last": last,
        "volume": "80312.33010000",
        "vwap": last,
        "bid": bid,
        "ask": ask,
        "side": "0",
        "open_24": last,
        "percent_change_24": "0.00",
    }


def ecb_table(market: Market) -> str:
    """Answer `eurofxref-daily.xml`."""
    rows = "".join(
        f"\t\t\t<Cube currency='{code}' rate='{decimal(market.euro_in(code)).rstrip('0').rstrip('.')}'/>\n"
        for code in market.currencies()
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01" '
        'xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">\n'
        "\t<gesmes:subject>Reference rates</gesmes:subject>\n"
        "\t<gesmes:Sender>\n\t\t<gesmes:name>European Central Bank</gesmes:name>\n\t</gesmes:Sender>\n"
        f"\t<Cube>\n\t\t<Cube time='{market.reference_day().isoformat()}'>\n{rows}\t\t</Cube>\n\t</Cube>\n"
        "</gesmes:Envelope>\n"
    )


def _nanoseconds(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%S.%f") + "789Z"
