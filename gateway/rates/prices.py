"""Prices at one moment: markets that agree, crossed through the reference rates where there is no market. Pure.

The direct market comes first. Where too few sources speak of it, a price is crossed through USD or EUR with the
central bank's rate, and every leg's words stand in the evidence. Where they speak and disagree there is no price at
all: another way round would only hide that. Whatever cannot be had is a `TemporaryError` with a reason that a shopper
may read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Final

from gateway.domain.conversion import exact
from gateway.domain.ports import SourceRate
from gateway.kernel.currencies import CurrencyKind, currency
from gateway.kernel.errors import ErrorCode, TemporaryError
from gateway.rates.consensus import Consensus, Policy, agree
from gateway.rates.sources import Pair

# Fiat currencies in which coins have markets, in the order in which a cross is tried.
PIVOTS: Final = ("USD", "EUR")
_EURO: Final = "EUR"


class _MissingPriceError(TemporaryError):
    """Nobody, or too few, speak of this price; another way round may still lead to it."""

    def __init__(self, reason: str) -> None:
        super().__init__(ErrorCode.RATE_UNAVAILABLE, reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One price and the words it stands on; legs multiply into crosses."""

    price: Fraction
    words: tuple[SourceRate, ...]

    def then(self, other: "Leg") -> "Leg":
        """Chain A in B and B in C to A in C."""
        return Leg(price=self.price * other.price, words=self.words + other.words)

    def inverse(self) -> "Leg":
        """Turn A in B into B in A."""
        return Leg(price=1 / self.price, words=self.words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """What all sources said last, judged as of `now`.

    Attributes:
        markets: the last word of each source on each market.
        references: currency -> the central bank's last word on EUR in that currency.
        policy: when words of a market agree.
        max_reference_age: how long a reference rate stands.
        now: the moment of judgement.
    """

    markets: Mapping[Pair, Sequence[SourceRate]]
    references: Mapping[str, SourceRate]
    policy: Policy
    max_reference_age: timedelta
    now: datetime

    def leg(self, base: str, quote: str) -> Leg:
        """Return the price of one `base` in `quote`.

        Raises:
            TemporaryError: `rate_unavailable`.
        """
        if base == quote:
            return Leg(price=Fraction(1), words=())
        match _is_fiat(base), _is_fiat(quote):
            case True, True:
                return self._reference(base, quote)
            case True, False:
                return self.leg(quote, base).inverse()
            case False, True:
                return self._coin_in_fiat(base, quote)
            case _:
                return self._coin_in_coin(base, quote)

    def judge(self, base: str, quote: str) -> Consensus:
        """Return the judgement on one market, with the words that were refused."""
        return agree(self.markets.get(Pair(base=base, quote=quote), ()), self.policy, self.now)

    def _coin_in_fiat(self, coin: str, fiat: str) -> Leg:
        failures = []
        for pivot in sorted(PIVOTS, key=lambda pivot: pivot != fiat):  # the direct market first
            try:
                return self._market(coin, pivot).then(self.leg(pivot, fiat))
            except _MissingPriceError as failure:
                failures.append(failure)
        raise failures[0]

    def _coin_in_coin(self, base: str, quote: str) -> Leg:
        failures = []
        for pivot in PIVOTS:
            try:
                return self._market(base, pivot).then(self._market(quote, pivot).inverse())
            except _MissingPriceError as failure:
                failures.append(failure)
        raise failures[0]

    def _market(self, coin: str, pivot: str) -> Leg:
        consensus = self.judge(coin, pivot)
        if consensus.price is None:
            raise _no_price(consensus, self.policy, Pair(base=coin, quote=pivot))
        return Leg(price=consensus.price, words=consensus.used)

    def _reference(self, base: str, quote: str) -> Leg:
        return self._euro_in(base).inverse().then(self._euro_in(quote))

    def _euro_in(self, fiat: str) -> Leg:
        if fiat == _EURO:
            return Leg(price=Fraction(1), words=())
        said = self.references.get(fiat)
        if said is None:
            raise _MissingPriceError(f"There is no reference exchange rate for {fiat}. Pay in another way.")
        # A table dated ahead is as wrong as an old one.
        if not timedelta() <= self.now - said.as_of <= self.max_reference_age:
            raise _MissingPriceError(f"The reference exchange rate for {fiat} is out of date. Pay in another way.")
        return Leg(price=exact(said), words=(said,))


def _is_fiat(code: str) -> bool:
    return currency(code).kind is CurrencyKind.FIAT


def _no_price(consensus: Consensus, policy: Policy, pair: Pair) -> TemporaryError:
    market = f"{pair.base} in {pair.quote}"
    advice = "Try again in a minute, or pay in another way."
    if consensus.fresh >= policy.min_sources:
        return TemporaryError(
            ErrorCode.RATE_UNAVAILABLE, f"The exchanges disagree about the price of {market} at the moment. {advice}"
        )
    if consensus.fresh:
        return _MissingPriceError(
            f"Too few exchanges have a fresh price of {market} at the moment: "
            f"{consensus.fresh} of at least {policy.min_sources}. {advice}"
        )
    return _MissingPriceError(f"No exchange has a fresh price of {market} at the moment. {advice}")
