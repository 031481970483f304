"""Kraken: `GET /0/public/Ticker?pair=SOLUSD`.

The answer is HTTP 200 even for errors: `{"error": ["EQuery:Unknown asset pair"]}`. The key of the result is Kraken's
own name of the market, which is not always the one that was asked: `USDTUSD` is answered as `USDTZUSD`. There is no
time in a ticker, so a price is as old as the question. Source: docs.kraken.com, Get Ticker Information.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from gateway.domain.ports import SourceRate
from gateway.rates.sources.wire import Pair, Question, expect_object, middle, read_json, refuse, word

# (base, quote) -> the name to ask and the name in the answer.
_MARKETS: Final = {
    ("SOL", "USD"): ("SOLUSD", "SOLUSD"),
    ("SOL", "EUR"): ("SOLEUR", "SOLEUR"),
    ("USDC", "USD"): ("USDCUSD", "USDCUSD"),
    ("USDC", "EUR"): ("USDCEUR", "USDCEUR"),
    ("USDT", "USD"): ("USDTUSD", "USDTZUSD"),
    ("USDT", "EUR"): ("USDTEUR", "USDTEUR"),
    ("EURC", "USD"): ("EURCUSD", "EURCUSD"),
    ("EURC", "EUR"): ("EURCEUR", "EURCEUR"),
    ("PYUSD", "USD"): ("PYUSDUSD", "PYUSDUSD"),
    ("PYUSD", "EUR"): ("PYUSDEUR", "PYUSDEUR"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kraken:
    """Kraken's spot markets."""

    name: ClassVar[str] = "kraken"
    is_reference: ClassVar[bool] = False
    every: ClassVar[timedelta] = timedelta(seconds=30)
    address: str

    def questions(self, wanted: AbstractSet[Pair]) -> tuple[Question, ...]:
        """Ask one market at a time: one unknown name in a list would cost the whole answer."""
        return tuple(
            Question(url=f"{self.address}/0/public/Ticker?pair={asked}", pair=pair)
            for (base, quote), (asked, _) in _MARKETS.items()
            if (pair := Pair(base=base, quote=quote)) in wanted
        )

    def parse(self, body: bytes, question: Question, asked_at: datetime) -> tuple[SourceRate, ...]:
        """Read the best bid and ask of the one market that was asked for."""
        assert question.pair is not None, "Kraken is asked for one market"
        answer = read_json(body)
        if answer.get("error") != []:
            refuse("source_reports_error")
        result = expect_object(answer.get("result"))
        if set(result) != {_MARKETS[question.pair.base, question.pair.quote][1]}:
            refuse("another_market")
        ticker = expect_object(next(iter(result.values())))
        price = middle(_first(ticker.get("b")), _first(ticker.get("a")))
        return (word(self.name, question.pair, price, asked_at),)


def _first(side: Any) -> Any:
    """Return the price of `[price, whole lot volume, lot volume]`."""
    if not isinstance(side, list) or not side:
        refuse("no_price")
    return side[0]
