"""From charges to state: holds, captures, delayed methods; alone, and beside chain transfers."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.merchants import MerchantSettings
from gateway.domain.payments import LATE_GRACE, AttemptFact, ChargeFact, PaymentTerms, Place, TransferFact, derive
from gateway.domain.postings import LineFact, Returns, clearing_account, payment_target
from gateway.domain.returns import DisputeFact, RefundFact, Source, refundable, refunded, refunds_status
from gateway.domain.words import (
    ChargeStatus,
    DisputeStatus,
    PaymentException,
    PaymentStatus,
    RefundsStatus,
    RefundStatus,
    TransferStage,
)
from gateway.kernel.money import Money

START = datetime(2026, 11, 20, 12, tzinfo=UTC)
DEADLINE = START + timedelta(minutes=30)
DUE = 1_000
C, P, X = ChargeStatus, PaymentStatus, PaymentException


def usd(atomic: int) -> Money:
    return Money(atomic, "USD")


def the_terms(*, closed: bool = False, canceled: bool = False) -> PaymentTerms:
    return PaymentTerms(
        amount=usd(DUE), expires_at=DEADLINE, closed_at=DEADLINE + LATE_GRACE if closed else None,
        canceled_at=START if canceled else None, settings=MerchantSettings(),
    )  # fmt: skip


def an_attempt(name: str = "att_card", code: str = "USD", due: int = DUE) -> AttemptFact:
    return AttemptFact(id=name, due=Money(due, code), expires_at=DEADLINE)


def a_charge(
    status: ChargeStatus, *, captured: int = 0, capturable: int = 0, amount: int = DUE, code: str = "USD",
    at: datetime = START, held: bool = False, warned: bool = False, name: str = "ch_1",
) -> ChargeFact:  # fmt: skip
    return ChargeFact(
        id=name, attempt_id="att_card", status=status, amount=Money(amount, code), captured=Money(captured, code),
        capturable=Money(capturable, code), happened_at=at, was_held=held, has_fraud_warning=warned,
    )  # fmt: skip


PAID = a_charge(C.SUCCEEDED, captured=DUE)
HELD = a_charge(C.AUTHORIZED, capturable=DUE)


@pytest.mark.parametrize(
    ("charge", "status", "received", "capturable"),
    [
        (a_charge(C.OPEN), P.OPEN, 0, 0),
        (a_charge(C.REQUIRES_ACTION), P.REQUIRES_ACTION, 0, 0),
        (a_charge(C.PROCESSING), P.PROCESSING, 0, 0),
        (a_charge(C.FAILED), P.OPEN, 0, 0),
        (a_charge(C.CANCELED), P.OPEN, 0, 0),
        (a_charge(C.CANCELED, held=True), P.CANCELED, 0, 0),
        (HELD, P.AUTHORIZED, 0, DUE),
        (a_charge(C.AUTHORIZED, captured=300, capturable=700), P.AUTHORIZED, 300, 700),
        (a_charge(C.SUCCEEDED, captured=300), P.PAID, 300, 0),
        (PAID, P.PAID, DUE, 0),
    ],
)
def test_every_status_of_a_charge_has_its_payment(
    charge: ChargeFact, status: PaymentStatus, received: int, capturable: int
) -> None:
    state = derive(the_terms(), [an_attempt()], [], [charge])
    assert (state.status, state.amount_received, state.amount_capturable) == (status, usd(received), usd(capturable))
    assert not state.exceptions


@pytest.mark.parametrize("end", ["closed", "canceled"])
def test_money_in_time_outweighs_the_end_of_the_window(end: str) -> None:
    terms = the_terms(closed=end == "closed", canceled=end == "canceled")
    assert derive(terms, [an_attempt()], [], [PAID]).status is P.PAID
    assert derive(terms, [an_attempt()], [], [a_charge(C.PROCESSING)]).status is P.PROCESSING
    over = P.EXPIRED if end == "closed" else P.CANCELED
    assert derive(terms, [an_attempt()], [], [a_charge(C.REQUIRES_ACTION)]).status is over


def test_a_charge_after_the_cancelation_is_late_and_owed_back() -> None:
    late = a_charge(C.SUCCEEDED, captured=DUE, at=START + timedelta(minutes=2))
    state = derive(the_terms(canceled=True), [an_attempt()], [], [late])
    assert (state.status, set(state.exceptions)) == (P.CANCELED, {X.LATE})
    assert [one.place for one in state.allocations] == [Place.REFUND_PAYABLE]


def test_another_sum_or_currency_than_was_asked_is_never_taken_for_the_price() -> None:
    """Pitfall 30."""
    less = derive(the_terms(), [an_attempt()], [], [a_charge(C.SUCCEEDED, amount=900, captured=900)])
    assert (less.status, set(less.exceptions)) == (P.UNDERPAID, {X.AMOUNT_MISMATCH})
    more = derive(the_terms(), [an_attempt()], [], [a_charge(C.SUCCEEDED, amount=1_200, captured=1_200)])
    assert (more.status, set(more.exceptions)) == (P.PAID, {X.AMOUNT_MISMATCH, X.OVERPAID})
    assert {one.place: one.money for one in more.allocations} == {Place.AVAILABLE: usd(DUE), Place.SUSPENSE: usd(200)}
    other = derive(the_terms(), [an_attempt()], [], [a_charge(C.SUCCEEDED, code="EUR", captured=DUE)])
    assert (other.status, set(other.exceptions)) == (P.OPEN, {X.AMOUNT_MISMATCH})
    assert [(one.place, one.money.currency) for one in other.allocations] == [(Place.SUSPENSE, "EUR")]


def test_card_and_wallet_at_once_are_a_double_payment() -> None:
    wallet = AttemptFact(id="att_sol", due=Money(50_000, "SOL"), expires_at=DEADLINE)
    transfer = TransferFact(
        id="xfer_1", attempt_id="att_sol", amount=Money(50_000, "SOL"), stage=TransferStage.FINAL,
        highest_stage=TransferStage.FINAL, slot=1, signature="sig", path="0", happened_at=START,
        is_accepted_by_hand=False,
    )  # fmt: skip
    state = derive(the_terms(), [an_attempt(), wallet], [transfer], [PAID])
    assert (state.status, set(state.exceptions)) == (P.PAID, {X.DOUBLE_PAYMENT, X.OVERPAID})
    places = {(one.source_id, one.place) for one in state.allocations}
    assert places == {("xfer_1", Place.AVAILABLE), ("ch_1", Place.SUSPENSE)}


def test_a_fraud_warning_is_an_exception_of_a_paid_payment() -> None:
    state = derive(the_terms(), [an_attempt()], [], [a_charge(C.SUCCEEDED, captured=DUE, warned=True)])
    assert (state.status, set(state.exceptions)) == (P.PAID, {X.EARLY_FRAUD_WARNING})


CHARGES = st.builds(
    lambda status, captured, rest, at: a_charge(
        status,
        captured=captured if status in {C.SUCCEEDED, C.AUTHORIZED} else 0,
        capturable=rest if status is C.AUTHORIZED else 0,
        amount=max(captured + rest, 1),
        at=START + timedelta(minutes=at),
    ),
    st.sampled_from(C), st.integers(0, 2_000), st.integers(0, 2_000), st.integers(-5, 60),
)  # fmt: skip


@given(CHARGES, st.booleans(), st.booleans())
def test_every_captured_unit_has_one_place(charge: ChargeFact, closed: bool, canceled: bool) -> None:  # noqa: FBT001 - drawn by hypothesis
    state = derive(the_terms(closed=closed, canceled=canceled), [an_attempt()], [], [charge])
    settled = sum(one.money.atomic for one in state.allocations if one.place is not Place.PENDING)
    pending = sum(one.money.atomic for one in state.allocations if one.place is Place.PENDING)
    assert settled == charge.captured.atomic
    in_work = charge.amount.atomic - charge.captured.atomic if charge.status is C.PROCESSING else 0
    assert pending == charge.capturable.atomic + in_work


# --- what goes back --------------------------------------------------------------------------------------------


SOURCE = Source(id="ch_1", received=usd(DUE), is_refundable=True)
REFUNDS = st.lists(
    st.builds(
        lambda status, atomic, number: RefundFact(
            id=f"re_{number}", source_id="ch_1", status=status, amount=usd(atomic)
        ),
        st.sampled_from(RefundStatus), st.integers(1, 400), st.integers(0, 99),
    ),
    max_size=5,
)  # fmt: skip


@given(REFUNDS)
def test_what_is_left_and_what_went_or_is_going_add_up_to_what_came(refunds: list[RefundFact]) -> None:
    gone = {RefundStatus.SUCCEEDED, RefundStatus.PENDING, RefundStatus.REQUIRES_ACTION}
    spoken_for = sum(one.amount.atomic for one in refunds if one.status in gone)
    assert refundable(SOURCE, refunds, []).atomic == max(0, DUE - spoken_for)


def test_nothing_may_go_back_while_a_dispute_holds_it() -> None:
    held = DisputeFact(id="dsp_1", source_id="ch_1", status=DisputeStatus.NEEDS_RESPONSE, held=usd(600))
    assert refundable(SOURCE, [], [held]) == usd(400)
    forbidden = Source(id="ch_1", received=usd(DUE), is_refundable=False)
    assert refundable(forbidden, [], []) == usd(0)


@pytest.mark.parametrize(
    ("statuses", "word"),
    [
        ([], RefundsStatus.NONE),
        ([RefundStatus.PENDING], RefundsStatus.PENDING),
        ([RefundStatus.FAILED], RefundsStatus.FAILED),
        ([RefundStatus.CANCELED], RefundsStatus.NONE),
        ([RefundStatus.SUCCEEDED], RefundsStatus.PARTIAL),
        ([RefundStatus.SUCCEEDED, RefundStatus.FAILED], RefundsStatus.PARTIAL),
        ([RefundStatus.SUCCEEDED] * 2, RefundsStatus.FULL),
        ([RefundStatus.SUCCEEDED, RefundStatus.PENDING], RefundsStatus.PARTIAL),
    ],
)
def test_all_refunds_together_have_one_word(statuses: list[RefundStatus], word: RefundsStatus) -> None:
    refunds = [
        RefundFact(id=f"re_{place}", source_id="ch_1", status=status, amount=usd(DUE // 2))
        for place, status in enumerate(statuses)
    ]
    assert refunds_status([SOURCE], refunds) is word


@given(CHARGES, REFUNDS, st.integers(0, 500), st.sampled_from(DisputeStatus))
def test_the_books_of_a_card_payment_sum_to_zero_and_hold_what_the_provider_has(
    charge: ChargeFact, refunds: list[RefundFact], held: int, word: DisputeStatus
) -> None:
    state = derive(the_terms(), [an_attempt()], [], [charge])
    disputes = [DisputeFact(id="dsp_1", source_id="ch_1", status=word, held=usd(held))]
    target = payment_target(
        {"ch_1": clearing_account("stripe")}, state.allocations, Returns(refunds=refunds, disputes=disputes)
    )
    for layer in ("posted", "pending"):
        assert sum(amount for spot, amount in target.items() if spot.layer == layer) == 0
    cleared = sum(
        amount for spot, amount in target.items() if spot.account == "psp:stripe:clearing" and spot.layer == "posted"
    )
    assert cleared == charge.captured.atomic - refunded(refunds, "USD").atomic - held


def test_a_refund_is_taken_from_what_is_owed_back_before_the_merchants_own() -> None:
    more = a_charge(C.SUCCEEDED, amount=1_200, captured=1_200)
    state = derive(the_terms(), [an_attempt()], [], [more])
    refund = RefundFact(id="re_1", source_id="ch_1", status=RefundStatus.SUCCEEDED, amount=usd(300))
    target = payment_target({"ch_1": clearing_account("stripe")}, state.allocations, Returns(refunds=[refund]))
    posted = {spot.account: amount for spot, amount in target.items()}
    assert posted == {"psp:stripe:clearing": 900, "merchant:available": -900}, "the excess went first"


def test_a_payout_in_another_currency_clears_both() -> None:
    euros = a_charge(C.SUCCEEDED, code="EUR", captured=DUE)
    state = derive(
        PaymentTerms(
            amount=Money(DUE, "EUR"), expires_at=DEADLINE, closed_at=None, canceled_at=None, settings=MerchantSettings()
        ),
        [an_attempt(code="EUR")], [], [euros],
    )  # fmt: skip
    refund = RefundFact(id="re_1", source_id="ch_1", status=RefundStatus.SUCCEEDED, amount=Money(400, "EUR"))
    lines = [
        LineFact(source_id="ch_1", amount=usd(1_100), fee=usd(62), is_paid_out=True),
        LineFact(source_id="ch_1", amount=usd(-437), fee=usd(0), is_paid_out=True),
    ]
    target = payment_target(
        {"ch_1": clearing_account("stripe")}, state.allocations, Returns(refunds=[refund], lines=lines)
    )
    posted = {(spot.account, spot.currency): amount for spot, amount in target.items()}
    assert posted == {
        ("merchant:available", "EUR"): -600, ("trading:EUR", "EUR"): 600,
        ("trading:USD", "USD"): -663, ("expense:psp_fee", "USD"): 62, ("psp:stripe:paid_out", "USD"): 601,
    }, "nothing is left at the provider, in either currency"  # fmt: skip


def test_a_dispute_that_is_held_in_another_currency_forbids_refunds() -> None:
    held = DisputeFact(id="dsp_1", source_id="ch_1", status=DisputeStatus.NEEDS_RESPONSE, held=Money(600, "EUR"))
    assert refundable(SOURCE, [], [held]) == usd(0)


def test_the_order_of_charges_does_not_matter() -> None:
    charges = [
        a_charge(C.SUCCEEDED, captured=DUE, name="ch_1"),
        a_charge(C.SUCCEEDED, captured=DUE, name="ch_2", at=START + timedelta(minutes=1)),
        a_charge(C.FAILED, name="ch_3"),
    ]
    states = [derive(the_terms(), [an_attempt()], [], order) for order in itertools.permutations(charges)]
    assert all(state == states[0] for state in states)
    assert X.DOUBLE_PAYMENT in states[0].exceptions
