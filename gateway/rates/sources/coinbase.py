"""Coinbase Exchange: `GET /products/SOL-USD/ticker`.

Chosen over `/v2/exchange-rates`, which states no time and fills gaps with derived prices: the ticker carries the time
of its last trade, so a halted market shows. USDC has no dollar market here, because Coinbase treats both as one.
Source: docs.cdp.coinbase.com, Exchange API, Get product ticker.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Final

from gateway.domain.ports import SourceRate
from gateway.rates.sources.wire import Pair, Question, middle, read_instant, read_json, word

_MARKETS: Final = (
    Pair(base="SOL", quote="USD"),
    Pair(base="SOL", quote="EUR"),
    Pair(base="USDC", quote="EUR"),
    Pair(base="USDT", quote="USD"),
    Pair(base="USDT", quote="EUR"),
    Pair(base="EURC", quote="EUR"),
    Pair(base="PYUSD", quote="USD"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coinbase:
    """Coinbase's spot markets."""

    name: ClassVar[str] = "coinbase"
    is_reference: ClassVar[bool] = False
    every: ClassVar[timedelta] = timedelta(seconds=30)
    address: str

    def questions(self, wanted: AbstractSet[Pair]) -> tuple[Question, ...]:
        """Ask for each market that is wanted and listed."""
        return tuple(
            Question(url=f"{self.address}/products/{pair.base}-{pair.quote}/ticker", pair=pair)
            for pair in _MARKETS
            if pair in wanted
        )

    def parse(self, body: bytes, question: Question, asked_at: datetime) -> tuple[SourceRate, ...]:
        """Read the best bid and ask, and the time of the last trade."""
        assert question.pair is not None, "Coinbase is asked for one market"
        del asked_at  # Coinbase states its own time.
        ticker = read_json(body)
        price = middle(ticker.get("bid"), ticker.get("ask"))
        return (word(self.name, question.pair, price, read_instant(ticker.get("time"))),)
