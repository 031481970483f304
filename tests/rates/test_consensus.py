"""Words of sources become a price only when enough fresh ones agree."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.conversion import exact
from gateway.domain.ports import SourceRate
from gateway.rates.consensus import Policy, Refusal, agree, median

NOW = datetime(2026, 11, 18, 16, 30, tzinfo=UTC)
POLICY = Policy(max_age=timedelta(seconds=120), min_sources=2, max_deviation_bps=300)


def _said(price: str | Fraction, *, age_s: int = 0, source: str = "s") -> SourceRate:
    value = Fraction(price)
    return SourceRate(
        source=source,
        base="SOL",
        quote="USD",
        num=value.numerator,
        den=value.denominator,
        as_of=NOW - timedelta(seconds=age_s),
    )


@pytest.mark.parametrize(
    ("prices", "price"),
    [
        ([], None),
        (["200"], None),  # one source alone is never believed
        (["200", "202"], "201"),
        (["200", "206"], "203"),  # 2.96 % of their mean apart
        (["200", "206.10"], None),  # further apart than 3 %: nobody knows who is right
        (["1", "10"], None),
        (["200", "201", "203"], "201"),
        (["200", "201", "2010"], "200.5"),  # the outlier is dropped
        (["20", "200", "201"], "200.5"),
        (["100", "103.2", "110"], None),  # only one word lies near the median
        (["100", "200", "300"], None),
        (["100", "100", "120", "120"], None),  # two against two
        (["100", "101", "102", "103"], "101.5"),
        (["100", "101", "102", "999"], "101"),
    ],
)
def test_the_price_is_the_median_of_words_that_agree(prices: list[str], price: str | None) -> None:
    words = [_said(text, source=str(number)) for number, text in enumerate(prices)]
    assert agree(words, POLICY, NOW).price == (None if price is None else Fraction(price))


@pytest.mark.parametrize(
    ("age_s", "refusal"),
    [
        (0, None),
        (120, None),
        (121, Refusal.STALE),
        (10**6, Refusal.STALE),
        (-30, None),
        (-31, Refusal.FROM_THE_FUTURE),
    ],
)
def test_a_word_counts_until_it_is_two_minutes_old_and_not_before_it_was_said(
    age_s: int, refusal: Refusal | None
) -> None:
    judged = agree([_said("200", age_s=age_s)], POLICY, NOW)
    assert [why for _, why in judged.refused] == ([refusal] if refusal else [])
    assert judged.fresh == (0 if refusal else 1)


def test_a_stale_word_cannot_outvote_fresh_ones() -> None:
    words = [
        _said("100", age_s=500, source="a"),
        _said("100", age_s=500, source="b"),
        _said("200", source="c"),
        _said("201", source="d"),
    ]
    judged = agree(words, POLICY, NOW)
    assert judged.price == Fraction("200.5")
    assert [said.source for said in judged.used] == ["c", "d"]


def test_the_words_refused_are_kept_with_their_reason() -> None:
    words = [_said("200", source="a"), _said("201", source="b"), _said("900", source="c"), _said("1", age_s=999)]
    judged = agree(words, POLICY, NOW)
    assert {said.source: why for said, why in judged.refused} == {"c": Refusal.OUTLIER, "s": Refusal.STALE}


PRICES = st.lists(st.fractions(Fraction(1, 10**6), 10**6).filter(lambda value: value > 0), min_size=1, max_size=7)


@settings(deadline=None)
@given(prices=PRICES)
def test_the_median_lies_within_what_was_said(prices: list[Fraction]) -> None:
    assert min(prices) <= median([_said(price) for price in prices]) <= max(prices)


@settings(deadline=None)
@given(prices=PRICES)
def test_a_price_stands_on_two_words_or_more_that_lie_near_each_other(prices: list[Fraction]) -> None:
    judged = agree([_said(price, source=str(number)) for number, price in enumerate(prices)], POLICY, NOW)
    assert len(judged.used) + len(judged.refused) == len(prices)
    if judged.price is not None:
        used = [exact(said) for said in judged.used]
        assert len(used) >= 2
        assert max(used) - min(used) <= median([_said(price) for price in prices]) * 6 / 100


@settings(deadline=None)
@given(truth=st.integers(1, 10**9), lie=st.fractions(0, 10**12).filter(lambda value: value > 0))
def test_one_liar_among_three_moves_the_price_by_the_limit_at_most(truth: int, lie: Fraction) -> None:
    words = [_said(Fraction(truth), source="a"), _said(Fraction(truth), source="b"), _said(lie, source="c")]
    assert agree(words, POLICY, NOW).price == truth
