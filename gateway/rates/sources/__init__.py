"""Sources: one module for each, in its own wire format. A parser takes bytes and knows nothing of HTTP.

A source asks only for the markets listed in its module. A symbol alone proves nothing: the operator's own token may
carry the ticker of somebody else's coin, and would be priced as that.
"""

from collections.abc import Mapping
from typing import Final

from gateway.rates.sources.bitstamp import Bitstamp
from gateway.rates.sources.coinbase import Coinbase
from gateway.rates.sources.ecb import EuropeanCentralBank
from gateway.rates.sources.kraken import Kraken
from gateway.rates.sources.wire import Pair, Question, Source, UnusableAnswerError

__all__ = [
    "LIVE_ADDRESSES",
    "Bitstamp",
    "Coinbase",
    "EuropeanCentralBank",
    "Kraken",
    "Pair",
    "Question",
    "Source",
    "UnusableAnswerError",
    "all_sources",
]

LIVE_ADDRESSES: Final = {
    "kraken": "https://api.kraken.com",
    "coinbase": "https://api.exchange.coinbase.com",
    "bitstamp": "https://www.bitstamp.net",
    "ecb": "https://www.ecb.europa.eu",
}


def all_sources(addresses: Mapping[str, str] = LIVE_ADDRESSES) -> tuple[Source, ...]:
    """Return every source we know, each at its address without a trailing slash; one without an address is left out."""
    kinds: dict[str, type[Kraken | Coinbase | Bitstamp | EuropeanCentralBank]] = {
        "kraken": Kraken,
        "coinbase": Coinbase,
        "bitstamp": Bitstamp,
        "ecb": EuropeanCentralBank,
    }
    unknown = set(addresses) - set(kinds)
    if unknown:
        raise ValueError(f"there is no rate source called {', '.join(sorted(unknown))}")
    return tuple(kinds[name](address=address.rstrip("/")) for name, address in addresses.items())
