"""Bitstamp: `GET /api/v2/ticker/solusd/`.

Source: bitstamp.net/api, Ticker; `timestamp` is a string of seconds since 1970.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Final

from gateway.domain.ports import SourceRate
from gateway.rates.sources.wire import Pair, Question, middle, read_json, read_seconds, word

_MARKETS: Final = (
    Pair(base="SOL", quote="USD"),
    Pair(base="SOL", quote="EUR"),
    Pair(base="USDC", quote="USD"),
    Pair(base="USDC", quote="EUR"),
    Pair(base="USDT", quote="USD"),
    Pair(base="USDT", quote="EUR"),
    Pair(base="EURC", quote="EUR"),
    Pair(base="PYUSD", quote="USD"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bitstamp:
    """Bitstamp's spot markets."""

    name: ClassVar[str] = "bitstamp"
    is_reference: ClassVar[bool] = False
    every: ClassVar[timedelta] = timedelta(seconds=30)
    address: str

    def questions(self, wanted: AbstractSet[Pair]) -> tuple[Question, ...]:
        """Ask for each market that is wanted and listed."""
        return tuple(
            Question(url=f"{self.address}/api/v2/ticker/{pair.base.lower()}{pair.quote.lower()}/", pair=pair)
            for pair in _MARKETS
            if pair in wanted
        )

    def parse(self, body: bytes, question: Question, asked_at: datetime) -> tuple[SourceRate, ...]:
        """Read the best bid and ask, and the time of the ticker."""
        assert question.pair is not None, "Bitstamp is asked for one market"
        del asked_at  # Bitstamp states its own time.
        ticker = read_json(body)
        price = middle(ticker.get("bid"), ticker.get("ask"))
        return (word(self.name, question.pair, price, read_seconds(ticker.get("timestamp"))),)
