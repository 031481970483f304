"""What shoppers are offered: exact for any total and currency, and never above the cap."""

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.domain.ageing import Bucket, GiftsOfDay, ageing
from gateway.domain.donations import ConfigMode, GiftKind, GiftOffer, GiftTerms, WholeTotals, gift_offers
from gateway.kernel.money import Money, parse_money

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
CURRENCIES = {"JPY": 0, "KRW": 0, "USD": 2, "EUR": 2, "BHD": 3, "KWD": 3}
TOTALS = 100_000


def terms(code: str = "USD", unit: str = "1", cap: str = "5", **more: Any) -> GiftTerms:
    """Return terms that round up."""
    known: dict[str, Any] = {"mode": ConfigMode.ROUND_UP} | more
    return GiftTerms(unit=parse_money(unit, code), cap=parse_money(cap, code), **known)


def test_a_hundred_thousand_totals_are_rounded_up_exactly_and_within_the_cap() -> None:
    draw = random.Random(5)
    offered, hidden = 0, 0
    for _ in range(TOTALS):
        code = draw.choice(list(CURRENCIES))
        scale = 10 ** CURRENCIES[code]
        unit = draw.choice((1, 5, 10, 100)) * scale
        cap = draw.randint(1, 2 * unit)
        price = draw.choice((draw.randint(1, 50 * unit), draw.randint(1, 10**18), unit * draw.randint(1, 9)))
        whole = draw.choice(list(WholeTotals))
        asked = GiftTerms(mode=ConfigMode.ROUND_UP, unit=Money(unit, code), cap=Money(cap, code), whole_totals=whole)
        found = gift_offers(asked, Money(price, code), NOW)
        # By another way than the code's own: step by step to the next multiple.
        next_multiple = (price // unit + 1) * unit
        is_whole = next_multiple - unit == price
        wanted = next_multiple - price
        if wanted > cap or (is_whole and whole is WholeTotals.HIDE):
            assert found == ()
            hidden += 1
            continue
        (offer,) = found
        assert (offer.kind, offer.amount, offer.total) == (
            GiftKind.ROUND_UP, Money(wanted, code), Money(next_multiple, code),
        )  # fmt: skip
        assert 0 < offer.amount.atomic <= cap
        assert offer.total.atomic % unit == 0
        offered += 1
    assert min(offered, hidden) > TOTALS // 10, "both are drawn often"


@pytest.mark.parametrize(
    ("price", "code", "unit", "amount"),
    [("12.30", "USD", "1", "0.70"), ("12.30", "USD", "5", "2.70"), ("12.01", "USD", "10", "7.99"),
     ("980", "JPY", "100", "20"), ("1.234", "BHD", "1", "0.766"), ("0.01", "USD", "1", "0.99")],
)  # fmt: skip
def test_totals_of_every_day(price: str, code: str, unit: str, amount: str) -> None:
    (offer,) = gift_offers(terms(code, unit, "100"), parse_money(price, code), NOW)
    assert (offer.amount.major, offer.total) == (amount, parse_money(price, code) + parse_money(amount, code))


def test_a_whole_total_is_offered_the_next_unit_or_nothing() -> None:
    price = parse_money("12", "USD")
    assert [one.amount.major for one in gift_offers(terms(), price, NOW)] == ["1.00"]
    assert gift_offers(terms(whole_totals=WholeTotals.HIDE), price, NOW) == ()


def test_fixed_amounts_come_after_rounding_up_in_their_order_and_under_the_cap() -> None:
    amounts = tuple(parse_money(one, "USD") for one in ("4", "2", "6"))
    found = gift_offers(terms(mode=ConfigMode.BOTH, amounts=amounts), parse_money("12.30", "USD"), NOW)
    assert found == tuple(
        GiftOffer(kind=kind, amount=parse_money(amount, "USD"), total=parse_money(total, "USD"))
        for kind, amount, total in (
            (GiftKind.ROUND_UP, "0.70", "13.00"), (GiftKind.FIXED, "4", "16.30"), (GiftKind.FIXED, "2", "14.30"),
        )
    )  # fmt: skip
    only = gift_offers(terms(mode=ConfigMode.FIXED, amounts=amounts), parse_money("12.30", "USD"), NOW)
    assert [one.kind for one in only] == [GiftKind.FIXED] * 2


def test_nothing_is_offered_too_early_too_late_in_another_currency_or_on_nothing() -> None:
    price = parse_money("12.30", "USD")
    second = timedelta(seconds=1)
    assert gift_offers(terms(starts_at=NOW, ends_at=NOW + second), price, NOW)
    assert gift_offers(terms(starts_at=NOW + second), price, NOW) == ()
    assert gift_offers(terms(ends_at=NOW), price, NOW) == ()
    assert gift_offers(terms("EUR"), price, NOW) == ()
    assert gift_offers(terms(), Money.zero("USD"), NOW) == ()


# --- how long a charity has waited --------------------------------------------------------------------------------


def given(amount: int, days: int) -> GiftsOfDay:
    """Return what came so many days ago."""
    return GiftsOfDay(day=NOW.date() - timedelta(days=days), amount=amount)


def amounts(found: Sequence[Bucket]) -> list[int]:
    """Return the amounts of the buckets, the youngest first."""
    return [bucket.amount for bucket in found]


@pytest.mark.parametrize(("days", "place"), [(0, 0), (30, 0), (31, 1), (60, 1), (61, 2), (90, 2), (91, 3), (4000, 3)])
def test_a_debt_grows_older_at_thirty_sixty_and_ninety_days(days: int, place: int) -> None:
    found = ageing([given(7, days)], 7, NOW.date())
    assert amounts(found) == [7 if one == place else 0 for one in range(4)]
    assert [(one.from_days, one.to_days) for one in found] == [(0, 30), (30, 60), (60, 90), (90, None)]


def test_payouts_count_against_the_oldest_gifts() -> None:
    days = [given(10, 1), given(20, 40), given(30, 70), given(40, 100)]
    assert amounts(ageing(days, 100, NOW.date())) == [10, 20, 30, 40]
    assert amounts(ageing(days, 55, NOW.date())) == [10, 20, 25, 0]
    assert amounts(ageing(days, 0, NOW.date())) == [0, 0, 0, 0]
    assert amounts(ageing(days, -5, NOW.date())) == [0, 0, 0, 0]


def test_what_no_day_explains_is_new() -> None:
    assert amounts(ageing([given(10, 40)], 12, NOW.date())) == [2, 10, 0, 0]


def test_the_days_are_read_no_further_than_is_needed() -> None:
    def forever() -> Iterator[GiftsOfDay]:
        yield given(10, 1)
        raise AssertionError("more is read than is owed")

    assert amounts(ageing(forever(), 10, NOW.date())) == [10, 0, 0, 0]
