"""From facts to state: a table of every small state, and the laws that hold for all facts."""

import itertools
import math
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.merchants import MerchantSettings
from gateway.domain.payments import (
    LATE_GRACE,
    AttemptFact,
    PaymentState,
    PaymentTerms,
    Place,
    TransferFact,
    derive,
)
from gateway.domain.postings import payment_target
from gateway.domain.words import LatePolicy, PaymentException, PaymentStatus, TransferStage
from gateway.kernel.money import Money

START = datetime(2026, 11, 20, 12, tzinfo=UTC)
DEADLINE = START + timedelta(minutes=30)
S, X, P = TransferStage, PaymentException, PaymentStatus


def the_terms(
    *, late: LatePolicy = LatePolicy.ACCEPT, closed: bool = False, canceled: bool = False, tolerance_bps: int = 0,
    instant_below: int = 0,
) -> PaymentTerms:  # fmt: skip
    return PaymentTerms(
        amount=Money(1000, "USD"),
        expires_at=DEADLINE,
        closed_at=DEADLINE + LATE_GRACE if closed else None,
        canceled_at=START + timedelta(minutes=1) if canceled else None,
        settings=MerchantSettings(
            late_policy=late, tolerance_bps=tolerance_bps, accept_confirmed_below={"SOL": instant_below}
        ),
    )


def an_attempt(name: str = "att_1", due: Money = Money(10_000, "SOL")) -> AttemptFact:  # noqa: B008 - it is frozen
    return AttemptFact(id=name, due=due, expires_at=DEADLINE)


def a_transfer(
    amount: int, stage: TransferStage = S.FINAL, *, at: datetime = START, highest: TransferStage | None = None,
    attempt: AttemptFact | None = None, by_hand: bool = False, place: int = 1,
) -> TransferFact:  # fmt: skip
    offer = attempt or an_attempt()
    return TransferFact(
        id=f"xfer_{place}", attempt_id=offer.id, amount=Money(amount, offer.due.currency), stage=stage,
        highest_stage=highest or stage, slot=place, signature=f"sig-{place}", path="0", happened_at=at,
        is_accepted_by_hand=by_hand,
    )  # fmt: skip


class Row(NamedTuple):
    """What one transfer makes of a payment: status, exceptions, and the places of its money."""

    status: PaymentStatus
    exceptions: set[PaymentException]
    places: dict[Place, int]


def expected(  # noqa: PLR0911 - the table of the design, written a second time and in another way
    stage: TransferStage, size: str, *, is_late: bool, late: LatePolicy, canceled: bool, closed: bool, tolerance: bool
) -> Row:
    amount = {"short": 9_900, "exact": 10_000, "over": 10_200, "dust": 1}[size]
    rest = P.CANCELED if canceled else P.EXPIRED if closed else P.OPEN
    if stage is S.DROPPED:
        return Row(rest, set(), {})
    exceptions = {X.LATE} if is_late else set()
    refused = is_late and (canceled or late is LatePolicy.REFUND)
    if stage is not S.FINAL:
        return Row(rest if refused else P.CONFIRMING, exceptions, {Place.PENDING: amount})
    if refused:
        return Row(rest, exceptions, {Place.REFUND_PAYABLE: amount})
    match size:
        case "exact":
            return Row(P.PAID, exceptions, {Place.AVAILABLE: amount})
        case "short" if tolerance:
            return Row(P.PAID, exceptions, {Place.AVAILABLE: amount})
        case "over":
            return Row(P.PAID, exceptions | {X.OVERPAID}, {Place.AVAILABLE: 10_000, Place.SUSPENSE: 200})
        case _:
            return Row(P.UNDERPAID, exceptions, {Place.SUSPENSE: amount})


PRODUCT = list(
    itertools.product(
        S, ("dust", "short", "exact", "over"), (False, True), LatePolicy, (False, True), (False, True), (False, True)
    )
)


def test_the_product_of_small_states_is_whole() -> None:
    assert len(PRODUCT) == 4 * 4 * 2 * 2 * 2 * 2 * 2


@pytest.mark.parametrize("stage", S)
def test_one_transfer_in_every_small_state(stage: TransferStage) -> None:
    for _, size, is_late, late, canceled, closed, tolerance in (row for row in PRODUCT if row[0] is stage):
        wanted = expected(
            stage, size, is_late=is_late, late=late, canceled=canceled, closed=closed, tolerance=tolerance
        )
        terms = the_terms(late=late, canceled=canceled, closed=closed, tolerance_bps=100 if tolerance else 0)
        amount = {"short": 9_900, "exact": 10_000, "over": 10_200, "dust": 1}[size]
        at = DEADLINE + LATE_GRACE + timedelta(microseconds=1) if is_late else START
        state = derive(terms, [an_attempt()], [a_transfer(amount, stage, at=at)])
        found = Row(state.status, set(state.exceptions), dict(places(state)))
        assert found == wanted, (stage, size, is_late, late, canceled, closed, tolerance)


def places(state: PaymentState) -> Counter[Place]:
    total: Counter[Place] = Counter()
    for one in state.allocations:
        total[one.place] += one.money.atomic
    return total


@pytest.mark.parametrize(
    ("closed", "canceled", "status"),
    [(False, False, P.OPEN), (True, False, P.EXPIRED), (False, True, P.CANCELED), (True, True, P.CANCELED)],
)
def test_without_any_money_only_time_and_will_decide(closed: bool, canceled: bool, status: PaymentStatus) -> None:  # noqa: FBT001 - rows of a table
    state = derive(the_terms(closed=closed, canceled=canceled), [an_attempt()], [])
    assert (state.status, state.exceptions, state.allocations) == (status, frozenset(), ())
    assert derive(the_terms(closed=closed, canceled=canceled), [], [], has_unknown_operation=True).exceptions == {
        X.UNKNOWN_OPERATION
    }


# (seconds after the deadline, is it late)
@pytest.mark.parametrize(("seconds", "is_late"), [(-1, False), (0, False), (60, False), (61, True)])
def test_the_grace_after_the_deadline_is_sixty_seconds(seconds: int, is_late: bool) -> None:  # noqa: FBT001 - rows of a table
    state = derive(the_terms(), [an_attempt()], [a_transfer(10_000, at=DEADLINE + timedelta(seconds=seconds))])
    assert (X.LATE in state.exceptions) is is_late
    assert state.status is P.PAID


def test_what_staff_accept_counts_whatever_the_rule() -> None:
    late = a_transfer(10_000, at=DEADLINE + timedelta(days=3), by_hand=True)
    for terms in (the_terms(late=LatePolicy.REFUND, closed=True), the_terms(canceled=True)):
        state = derive(terms, [an_attempt()], [late])
        assert (state.status, set(state.exceptions)) == (P.PAID, {X.LATE})


def test_money_sent_before_the_order_was_called_off_still_pays_it() -> None:
    state = derive(the_terms(canceled=True), [an_attempt()], [a_transfer(10_000, at=START)])
    assert state.status is P.PAID


@pytest.mark.parametrize(
    ("stage", "amount", "limit", "status"),
    [(S.CONFIRMED, 10_000, 10_001, P.PAID), (S.CONFIRMED, 9_999, 10_001, P.UNDERPAID),
     (S.CONFIRMED, 10_001, 10_001, P.CONFIRMING), (S.CONFIRMED, 10_000, 10_000, P.CONFIRMING),
     (S.SEEN, 10_000, 10_001, P.CONFIRMING), (S.FINAL, 10_000, 0, P.PAID)],
)  # fmt: skip
def test_a_confirmed_transfer_settles_only_below_the_merchants_limit(
    stage: TransferStage, amount: int, limit: int, status: PaymentStatus
) -> None:
    assert derive(the_terms(instant_below=limit), [an_attempt()], [a_transfer(amount, stage)]).status is status


def test_an_order_above_the_merchants_limit_waits_for_finality_however_small_its_parts() -> None:
    parts = [a_transfer(100, S.CONFIRMED, place=place) for place in range(1, 101)]
    state = derive(the_terms(instant_below=5_000), [an_attempt()], parts)
    assert (state.status, state.amount_received) == (P.CONFIRMING, Money(0, "USD"))
    assert places(state) == {Place.PENDING: 10_000}


@pytest.mark.parametrize(
    ("highest", "instant_below", "is_alarm"),
    [(S.SEEN, 0, False), (S.CONFIRMED, 0, False), (S.CONFIRMED, 20_000, True), (S.FINAL, 0, True)],
)
def test_only_the_loss_of_settled_money_is_an_alarm(highest: TransferStage, instant_below: int, is_alarm: bool) -> None:  # noqa: FBT001 - rows of a table
    lost = a_transfer(10_000, S.DROPPED, highest=highest)
    state = derive(the_terms(instant_below=instant_below), [an_attempt()], [lost])
    assert (X.REORG in state.exceptions) is is_alarm
    assert (state.status, state.allocations) == (P.OPEN, ())


def test_a_second_full_payment_is_a_double_one_and_all_of_it_waits() -> None:
    facts = [a_transfer(10_000, place=place) for place in (1, 2)]
    state = derive(the_terms(), [an_attempt()], facts)
    assert state.exceptions == {X.DOUBLE_PAYMENT, X.OVERPAID}
    assert places(state) == {Place.AVAILABLE: 10_000, Place.SUSPENSE: 10_000}


def test_an_excess_within_the_tolerance_counts_as_exact() -> None:
    state = derive(the_terms(tolerance_bps=100), [an_attempt()], [a_transfer(10_050)])
    assert (state.status, state.exceptions) == (P.PAID, frozenset())
    assert places(state) == {Place.AVAILABLE: 10_050}


@given(st.integers(1, 99_999), st.integers(1, 1000), st.integers(1, 1000))
def test_paying_the_rest_as_asked_in_another_currency_is_never_overpaid(first: int, due_a: int, due_b: int) -> None:
    """The rest is rounded up, so the two parts may cover a hair more than the price; that is nobody's mistake."""
    one = an_attempt("att_1", Money(due_a + 1, "SOL"))
    other = an_attempt("att_2", Money(due_b + 1, "USDC"))
    part = first % due_a + 1
    before = derive(the_terms(), [one, other], [a_transfer(part, attempt=one)])
    rest = math.ceil(other.due.atomic * (1 - before.announced))
    state = derive(the_terms(), [one, other], [a_transfer(part, attempt=one), a_transfer(rest, attempt=other, place=2)])
    assert (state.status, state.exceptions) == (P.PAID, frozenset())
    assert set(places(state)) == {Place.AVAILABLE}


# --- laws --------------------------------------------------------------------------------------------------------

ATTEMPTS = [
    an_attempt("att_1", Money(10_000, "SOL")),
    an_attempt("att_2", Money(7_777, "SOL")),
    an_attempt("att_3", Money(3_001, "USDC")),
]
MOMENTS = st.sampled_from([START, DEADLINE, DEADLINE + timedelta(minutes=2), START + timedelta(minutes=10)])
TERMS = st.builds(
    the_terms,
    late=st.sampled_from(LatePolicy),
    closed=st.booleans(),
    canceled=st.booleans(),
    tolerance_bps=st.sampled_from([0, 1, 100]),
    instant_below=st.sampled_from([0, 5_000, 10**9]),
)


def _facts(drawn: list[tuple[int, int, TransferStage, TransferStage, datetime, bool]]) -> list[TransferFact]:
    return [
        a_transfer(amount, stage, at=at, highest=highest, attempt=ATTEMPTS[offer], by_hand=by_hand, place=place)
        for place, (offer, amount, stage, highest, at, by_hand) in enumerate(drawn)
    ]


FACTS = st.lists(
    st.tuples(
        st.integers(0, 2), st.sampled_from([1, 1_500, 3_001, 5_000, 7_777, 10_000, 25_000]), st.sampled_from(S),
        st.sampled_from(S), MOMENTS, st.booleans(),
    ),
    max_size=6,
).map(_facts)  # fmt: skip


@given(TERMS, FACTS, st.randoms())
def test_the_order_of_facts_never_changes_the_state(
    terms: PaymentTerms, facts: list[TransferFact], random: object
) -> None:
    shuffled = list(facts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    assert derive(terms, ATTEMPTS, facts) == derive(terms, ATTEMPTS[::-1], shuffled)


@given(TERMS, FACTS)
def test_every_living_unit_has_exactly_one_place(terms: PaymentTerms, facts: list[TransferFact]) -> None:
    state = derive(terms, ATTEMPTS, facts)
    living, placed = Counter[str](), Counter[str]()
    for fact in facts:
        if fact.stage is not S.DROPPED:
            living[fact.id] += fact.amount.atomic
    for one in state.allocations:
        assert one.money.atomic > 0
        placed[one.source_id] += one.money.atomic
    assert placed == living


@given(TERMS, FACTS)
def test_the_books_of_any_state_sum_to_zero_per_asset_and_layer(terms: PaymentTerms, facts: list[TransferFact]) -> None:
    state = derive(terms, ATTEMPTS, facts)
    sums: dict[tuple[str, str], int] = defaultdict(int)
    for spot, amount in payment_target(
        {fact.id: f"chain-{fact.slot % 2}" for fact in facts}, state.allocations
    ).items():
        sums[spot.currency, spot.layer] += amount
    assert not any(sums.values())


@given(TERMS, FACTS)
def test_status_exceptions_and_places_agree(terms: PaymentTerms, facts: list[TransferFact]) -> None:
    state = derive(terms, ATTEMPTS, facts)
    kept = places(state)
    is_paid = state.status is P.PAID
    assert (X.OVERPAID in state.exceptions) is (is_paid and Place.SUSPENSE in kept), "overpaid means: an excess waits"
    assert (Place.AVAILABLE in kept) is is_paid, "money is the merchant's when the order is paid, and only then"
    if state.status in {P.PAID, P.UNDERPAID}:
        assert state.covered > 0
    assert state.announced >= state.covered >= 0
    assert state.amount_received.atomic == math.floor(terms.amount.atomic * state.covered)
    if state.status is P.CONFIRMING:
        assert Place.PENDING in kept
    if state.status in {P.OPEN, P.EXPIRED, P.CANCELED}:
        assert state.covered == 0


@given(TERMS, FACTS, st.sampled_from(ATTEMPTS), st.integers(1, 30_000))
def test_one_more_settled_transfer_never_lowers_what_is_covered(
    terms: PaymentTerms, facts: list[TransferFact], offer: AttemptFact, amount: int
) -> None:
    more = a_transfer(amount, S.FINAL, attempt=offer, by_hand=True, place=99)
    before, after = derive(terms, ATTEMPTS, facts), derive(terms, ATTEMPTS, [*facts, more])
    assert after.covered == before.covered + Fraction(amount, offer.due.atomic)
    assert after.announced > before.announced
    if before.status is P.PAID:
        assert after.status is P.PAID


@given(TERMS, FACTS)
def test_a_fact_that_moves_on_never_takes_money_away(terms: PaymentTerms, facts: list[TransferFact]) -> None:
    moved = [fact if fact.stage is S.DROPPED else replace(fact, stage=S.FINAL) for fact in facts]
    before, after = derive(terms, ATTEMPTS, facts), derive(terms, ATTEMPTS, moved)
    assert after.covered >= before.covered
    assert after.announced == before.announced == after.covered
