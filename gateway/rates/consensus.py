"""Consensus: which words of several sources agree, and their median. Pure, exact, and refusing rather than guessing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from fractions import Fraction
from typing import Final

from gateway.domain.conversion import BPS, exact
from gateway.domain.ports import SourceRate

# How far a source's clock may be ahead of ours before its time means nothing.
MAX_AHEAD: Final = timedelta(seconds=30)
_TWO: Final = 2


class Refusal(StrEnum):
    """Why a source's word was not used."""

    STALE = "stale"
    FROM_THE_FUTURE = "from_the_future"
    OUTLIER = "outlier"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """When words of sources become a rate.

    Attributes:
        max_age: older words are stale.
        min_sources: how many fresh words must agree; a rate of one source is that source's to set.
        max_deviation_bps: how far from the median a word may lie, in hundredths of a percent.
    """

    max_age: timedelta
    min_sources: int
    max_deviation_bps: int

    def __post_init__(self) -> None:
        assert self.min_sources >= 1, "a rate needs a source"
        assert 0 < self.max_deviation_bps < BPS, "a deviation is more than nothing and less than everything"


@dataclass(frozen=True, slots=True, kw_only=True)
class Consensus:
    """The judgement on one market: `price` is None when too few words agree.

    Attributes:
        price: the median of the words used.
        used: the words that agree.
        refused: the others, each with the reason.
        fresh: how many words were fresh, agreeing or not.
    """

    price: Fraction | None
    used: tuple[SourceRate, ...]
    refused: tuple[tuple[SourceRate, Refusal], ...]
    fresh: int


def agree(words: Sequence[SourceRate], policy: Policy, now: datetime) -> Consensus:
    """Judge one market's words: drop what is stale or dated ahead, then what is far from the median of the rest."""
    refused = [(said, refusal) for said in words if (refusal := _age_refusal(said, policy, now)) is not None]
    fresh = [said for said in words if _age_refusal(said, policy, now) is None]
    used = _without_outliers(fresh, policy)
    refused += [(said, Refusal.OUTLIER) for said in fresh if said not in used]
    return Consensus(
        price=median(used) if len(used) >= policy.min_sources else None,
        used=tuple(used),
        refused=tuple(refused),
        fresh=len(fresh),
    )


def median(words: Sequence[SourceRate]) -> Fraction:
    """Return the median price; of an even count the exact mean of the two in the middle."""
    prices = sorted(exact(said) for said in words)
    half = len(prices) // 2
    return prices[half] if len(prices) % 2 else (prices[half - 1] + prices[half]) / 2


def _age_refusal(said: SourceRate, policy: Policy, now: datetime) -> Refusal | None:
    if said.as_of - now > MAX_AHEAD:
        return Refusal.FROM_THE_FUTURE
    return Refusal.STALE if now - said.as_of > policy.max_age else None


def _without_outliers(fresh: Sequence[SourceRate], policy: Policy) -> list[SourceRate]:
    if not fresh:
        return []
    centre = median(fresh)
    limit = centre * policy.max_deviation_bps / BPS
    kept = [said for said in fresh if abs(exact(said) - centre) <= limit]
    if len(kept) == _TWO:
        # Between two words stands only their mean, from which each is half as far as from the other.
        first, second = (exact(said) for said in kept)
        if abs(first - second) > limit:
            return []
    return kept
