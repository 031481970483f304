"""The book of rates: what every source said last, in memory, and what may be quoted from it.

`refresh()` asks the sources, each in a thread of its own; `rate()` answers from memory and never waits. Nothing is
persisted: a rate is good for two minutes, and whoever makes a quote stores its evidence. When too few fresh sources
agree there is no rate, and the reason says so: a guessed rate sells goods for nothing.
"""

import threading
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from gateway.domain.ports import Rate, SourceRate
from gateway.kernel.clock import Clock
from gateway.rates.consensus import Consensus, Policy
from gateway.rates.desk import Desk
from gateway.rates.http import RatesHttp
from gateway.rates.prices import PIVOTS, Prices
from gateway.rates.sources import Pair, Source

MAX_AGE_S: Final = 120
# The longest closure is Easter: Thursday's rates stand until Tuesday's are published, five days and two hours later.
MAX_REFERENCE_AGE: Final = timedelta(days=5, hours=6)
MIN_SOURCES: Final = 2
MAX_DEVIATION_BPS: Final = 300
# How long a refresh waits for answers; a slower one is taken in when it comes.
ROUND_WAIT_S: Final = 5.0


class RateBook:
    """Rates from several sources; safe among threads. Implements `domain.ports.Rates`.

    `assets` are the coins that are offered: only their markets are asked for.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        clock: Clock,
        *,
        assets: Sequence[str] = ("SOL", "USDC"),
        max_age_s: int = MAX_AGE_S,
        max_reference_age: timedelta = MAX_REFERENCE_AGE,
        min_sources: int = MIN_SOURCES,
        max_deviation_bps: int = MAX_DEVIATION_BPS,
        http: RatesHttp | None = None,
        round_wait_s: float = ROUND_WAIT_S,
    ) -> None:
        assert len({source.name for source in sources}) == len(sources), "a source counts once"
        self._clock = clock
        self._policy = Policy(
            max_age=timedelta(seconds=max_age_s), min_sources=min_sources, max_deviation_bps=max_deviation_bps
        )
        self._max_reference_age = max_reference_age
        self._wanted = frozenset(Pair(base=asset, quote=pivot) for asset in assets for pivot in PIVOTS)
        self._round_wait_s = round_wait_s
        self._lock = threading.Lock()
        self._markets: dict[Pair, dict[str, SourceRate]] = {}
        self._references: dict[str, SourceRate] = {}
        connection = http or RatesHttp()
        self._desks = [Desk(source, connection, clock, self._take) for source in sources]

    def refresh(self) -> None:
        """Ask every source that is due, and wait a few seconds at most for their answers; called by a worker's loop.

        Calling it more often than sources are due costs nothing. It raises nothing: what fails is logged, and shows as
        a rate that is not there.
        """
        rounds = [desk.start_round(self._wanted) for desk in self._desks]
        deadline_s = time.monotonic() + self._round_wait_s
        for thread in rounds:
            if thread is not None:
                thread.join(max(0, deadline_s - time.monotonic()))

    def rate(self, base: str, quote: str) -> Rate:
        """Return the price of one major unit of `base` in `quote`, from memory; never waits for the network.

        Raises:
            TemporaryError: `rate_unavailable`, with a reason that a shopper may read.
        """
        prices = self._prices()
        leg = prices.leg(base, quote)
        return Rate(
            base=base,
            quote=quote,
            num=leg.price.numerator,
            den=leg.price.denominator,
            as_of=min((said.as_of for said in leg.words), default=prices.now),
            sources=leg.words,
        )

    def judge(self, base: str, quote: str) -> Consensus:
        """Return the judgement on one direct market, with what was refused and why; for the doctor and the log."""
        return self._prices().judge(base, quote)

    def _prices(self) -> Prices:
        with self._lock:
            markets = {pair: tuple(words[name] for name in sorted(words)) for pair, words in self._markets.items()}
            references = dict(self._references)
        return Prices(
            markets=markets,
            references=references,
            policy=self._policy,
            max_reference_age=self._max_reference_age,
            now=self._clock.now(),
        )

    def _take(self, source: Source, words: Sequence[SourceRate]) -> None:
        with self._lock:
            if source.is_reference:
                # The newest table is the whole truth: a currency that left it has no rate any more.
                self._references = {said.quote: said for said in words}
                return
            for said in words:
                self._markets.setdefault(Pair(base=said.base, quote=said.quote), {})[source.name] = said
