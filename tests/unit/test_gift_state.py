"""Gifts on top of an order: laws that hold for all receipts, and what is offered for all totals."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.conversion import fee_cover
from gateway.domain.donations import (
    ConfigMode,
    DonationStatus,
    GiftKind,
    GiftTerms,
    WholeTotals,
    donation_status,
    gift_offers,
)
from gateway.domain.merchants import MerchantSettings
from gateway.domain.payments import AttemptFact, PaymentState, PaymentTerms, Place, TransferFact, derive
from gateway.domain.words import LatePolicy, PaymentException, PaymentStatus, TransferStage
from gateway.kernel.money import Money

START = datetime(2026, 11, 20, 12, tzinfo=UTC)
DEADLINE = START + timedelta(minutes=30)
DUE, GIFT = 10_000, 700
OFFER = AttemptFact(id="att_1", due=Money(DUE, "SOL"), gift=Money(GIFT, "SOL"), expires_at=DEADLINE)
TERMS = PaymentTerms(
    amount=Money(1000, "USD"), gift=Money(70, "USD"), expires_at=DEADLINE, closed_at=None, canceled_at=None,
    settings=MerchantSettings(late_policy=LatePolicy.REFUND),
)  # fmt: skip


def a_transfer(
    place: int, amount: int, *, to_charity: bool = False, stage: TransferStage = TransferStage.FINAL, late: bool = False
) -> TransferFact:
    return TransferFact(
        id=f"xfer_{place}", attempt_id=OFFER.id, amount=Money(amount, "SOL"), stage=stage, highest_stage=stage,
        slot=place, signature=f"sig-{place}", path="gift" if to_charity else "0",
        happened_at=DEADLINE + timedelta(hours=1) if late else START, is_accepted_by_hand=False,
        is_to_charity=to_charity,
    )  # fmt: skip


receipts = st.lists(
    st.tuples(
        st.one_of(st.integers(1, 25_000), st.sampled_from([GIFT, DUE - 1, DUE, DUE + GIFT, DUE + GIFT + 1])),
        st.booleans(), st.sampled_from(TransferStage), st.booleans(),
    ), max_size=5,
).map(
    lambda rows: [a_transfer(n, a, to_charity=c, stage=s, late=late) for n, (a, c, s, late) in enumerate(rows)]
)  # fmt: skip


def placed(state: PaymentState, place: Place) -> int:
    return sum(one.money.atomic for one in state.allocations if one.place is place)


@given(receipts, st.randoms(use_true_random=False))
def test_no_order_of_facts_matters_and_no_unit_is_lost(facts: list[TransferFact], dice: object) -> None:
    state = derive(TERMS, [OFFER], facts)
    shuffled = [*facts, *facts[:1]][: len(facts)]
    dice.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis' own random
    assert derive(TERMS, [OFFER], shuffled) == state
    living = [one for one in facts if one.stage is not TransferStage.DROPPED]
    ours = sum(one.amount.atomic for one in living if not one.is_to_charity)
    theirs = sum(one.amount.atomic for one in living if one.is_to_charity and one.stage is TransferStage.FINAL)
    assert sum(one.money.atomic for one in state.allocations) == ours + theirs


@given(receipts)
def test_the_order_comes_first_and_the_gift_takes_no_more_than_was_asked(facts: list[TransferFact]) -> None:
    state = derive(TERMS, [OFFER], facts)
    there = sum(one.amount.atomic for one in facts if one.is_to_charity and one.stage is TransferStage.FINAL)
    through_us = placed(state, Place.GIFT) - there
    assert 0 <= through_us <= max(0, GIFT - there)
    if through_us:
        assert state.status is PaymentStatus.PAID
        assert placed(state, Place.AVAILABLE) >= DUE
    assert Money(0, "USD") <= state.gift_received <= Money(70, "USD")
    if state.status is PaymentStatus.PAID:
        assert placed(state, Place.AVAILABLE) == DUE


@pytest.mark.parametrize(
    ("amount", "places", "is_over"),
    [(DUE, {Place.AVAILABLE: DUE}, False), (DUE + 1, {Place.AVAILABLE: DUE, Place.GIFT: 1}, False),
     (DUE + GIFT, {Place.AVAILABLE: DUE, Place.GIFT: GIFT}, False),
     (DUE + GIFT + 5, {Place.AVAILABLE: DUE, Place.GIFT: GIFT, Place.SUSPENSE: 5}, True),
     (DUE - 1, {Place.SUSPENSE: DUE - 1}, False)],
)  # fmt: skip
def test_one_transfer_fills_order_gift_and_excess(amount: int, places: dict[Place, int], is_over: bool) -> None:  # noqa: FBT001 - a row of a table
    state = derive(TERMS, [OFFER], [a_transfer(1, amount)])
    assert {one.place: one.money.atomic for one in state.allocations} == places
    assert (PaymentException.OVERPAID in state.exceptions) is is_over


def test_a_gift_that_comes_too_late_for_the_order_is_given_all_the_same() -> None:
    state = derive(TERMS, [OFFER], [a_transfer(1, DUE, late=True), a_transfer(2, GIFT, to_charity=True, late=True)])
    assert (placed(state, Place.REFUND_PAYABLE), placed(state, Place.GIFT)) == (DUE, GIFT)
    assert state.gift_received == Money(70, "USD")


def the_offer(price: int, code: str, unit: int, **more: Any) -> list[int]:
    values: dict[str, Any] = {"mode": ConfigMode.ROUND_UP, "unit": Money(unit, code), "cap": Money(10**9, code)}
    terms = GiftTerms(**(values | more))
    return [one.amount.atomic for one in gift_offers(terms, Money(price, code), START)]


@pytest.mark.parametrize(
    ("price", "code", "unit", "gift"),
    [(1230, "USD", 100, 70), (1200, "USD", 100, 100), (1, "USD", 1000, 999), (1234, "JPY", 10, 6),
     (12_345, "KWD", 1000, 655)],
)  # fmt: skip
def test_totals_are_rounded_up_to_the_unit(price: int, code: str, unit: int, gift: int) -> None:
    assert the_offer(price, code, unit) == [gift]


def test_a_whole_total_may_be_let_be_and_nothing_is_above_the_cap() -> None:
    assert the_offer(1200, "USD", 100, whole_totals=WholeTotals.HIDE) == []
    assert the_offer(1201, "USD", 100, cap=Money(98, "USD")) == []
    fixed = {"mode": ConfigMode.FIXED, "amounts": (Money(100, "USD"), Money(500, "USD")), "cap": Money(499, "USD")}
    assert the_offer(1230, "USD", 100, **fixed) == [100]


def test_nothing_is_offered_before_its_time_after_it_or_in_another_currency() -> None:
    assert the_offer(1230, "USD", 100, starts_at=START, ends_at=START + timedelta(seconds=1)) == [70]
    assert the_offer(1230, "USD", 100, starts_at=START + timedelta(seconds=1)) == []
    assert the_offer(1230, "USD", 100, ends_at=START) == []
    terms = GiftTerms(mode=ConfigMode.BOTH, unit=Money(100, "USD"), cap=Money(500, "USD"))
    assert gift_offers(terms, Money(1230, "EUR"), START) == ()
    assert [one.kind for one in gift_offers(terms, Money(1230, "USD"), START)] == [GiftKind.ROUND_UP]


@given(st.integers(1, 10**18), st.integers(0, 9_999), st.integers(0, 10**6))
def test_the_cover_leaves_the_whole_gift_and_not_a_unit_more_than_needed(gift: int, bps: int, fixed: int) -> None:
    cover = fee_cover(Money(gift, "USD"), fee_bps=bps, fee_fixed=Money(fixed, "USD")).atomic

    def left(charged: int) -> Fraction:
        return charged - Fraction(charged * bps, 10_000) - fixed

    assert left(gift + cover) >= gift
    assert cover == 0 or left(gift + cover - 1) < gift


def test_the_status_of_a_gift() -> None:
    nothing, some, more = Money(0, "USD"), Money(70, "USD"), Money(71, "USD")
    assert donation_status(received=nothing, gone=nothing, is_over=False) is DonationStatus.PENDING
    assert donation_status(received=nothing, gone=nothing, is_over=True) is DonationStatus.CANCELED
    assert donation_status(received=more, gone=some, is_over=True) is DonationStatus.RECEIVED
    assert donation_status(received=some, gone=some, is_over=False) is DonationStatus.REVERSED


def test_what_the_charity_has_already_is_not_taken_from_the_payer_again() -> None:
    """By hand he sent order and gift to the shop, and his wallet had sent a part to the charity as well."""
    state = derive(TERMS, [OFFER], [a_transfer(1, DUE + GIFT), a_transfer(2, 100, to_charity=True)])
    assert (placed(state, Place.AVAILABLE), placed(state, Place.GIFT)) == (DUE, GIFT)
    assert (placed(state, Place.SUSPENSE), state.gift_received) == (100, Money(70, "USD"))
