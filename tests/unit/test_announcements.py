"""Which events a change of a payment is worth: the whole table of changes."""

import itertools

import pytest

from gateway.domain.announcements import DisputeStanding, Standing, dispute_events, payment_events, refund_events
from gateway.domain.events import EventType as E
from gateway.domain.words import (
    DisputeStatus,
    PaymentException,
    PaymentStatus,
    RefundsStatus,
    RefundStatus,
)
from gateway.kernel.money import Money

P, X = PaymentStatus, PaymentException
TOLD = {
    P.REQUIRES_ACTION: E.PAYMENT_REQUIRES_ACTION,
    P.PROCESSING: E.PAYMENT_PROCESSING,
    P.AUTHORIZED: E.PAYMENT_AUTHORIZED,
    P.CONFIRMING: E.PAYMENT_PROCESSING,
    P.UNDERPAID: E.PAYMENT_PARTIALLY_PAID,
    P.PAID: E.PAYMENT_SUCCEEDED,
    P.CANCELED: E.PAYMENT_CANCELED,
}


def a_standing(
    status: PaymentStatus = P.PAID, *exceptions: PaymentException, received: int = 0, refunded: int = 0,
    refunds: RefundsStatus = RefundsStatus.NONE,
) -> Standing:  # fmt: skip
    return Standing(
        status=status, exceptions=frozenset(exceptions), amount_received=Money(received, "EUR"),
        amount_refunded=Money(refunded, "EUR"), refunds=refunds,
    )  # fmt: skip


@pytest.mark.parametrize("before", P)
@pytest.mark.parametrize("after", P)
def test_a_change_of_status_is_told_once_and_a_lost_payment_first_of_all(
    before: PaymentStatus, after: PaymentStatus
) -> None:
    found = list(payment_events(a_standing(before), a_standing(after)))
    lost: list[E] = [E.PAYMENT_REVERSED] if before is P.PAID and after is not P.PAID else []
    lost += [E.PAYMENT_FAILED] if before is P.PROCESSING and after is P.OPEN else []
    news = [TOLD[after]] if after in TOLD and after is not before else []
    assert found == lost + news


def test_only_exceptions_that_appeared_are_told_in_a_fixed_order() -> None:
    words = {
        X.OVERPAID: E.PAYMENT_OVERPAID, X.LATE: E.PAYMENT_LATE, X.AMOUNT_MISMATCH: E.PAYMENT_AMOUNT_MISMATCH,
        X.EARLY_FRAUD_WARNING: E.PAYMENT_FRAUD_WARNING,
    }  # fmt: skip
    subsets = [set(some) for size in range(5) for some in itertools.combinations(words, size)]
    for old, new in itertools.product(subsets, subsets):
        found = list(payment_events(a_standing(P.PAID, *old), a_standing(P.PAID, *new)))
        assert found == [event for one, event in words.items() if one in new - old]


def test_late_and_too_much_at_once_are_three_events() -> None:
    found = payment_events(a_standing(P.EXPIRED), a_standing(P.PAID, X.LATE, X.OVERPAID))
    assert list(found) == [E.PAYMENT_SUCCEEDED, E.PAYMENT_OVERPAID, E.PAYMENT_LATE]


def test_what_is_taken_of_a_hold_and_what_goes_back_are_told() -> None:
    held, part, paid = a_standing(P.AUTHORIZED), a_standing(P.AUTHORIZED, received=4), a_standing(received=9)
    assert list(payment_events(held, part)) == [E.PAYMENT_CAPTURED]
    assert list(payment_events(part, paid)) == [E.PAYMENT_CAPTURED, E.PAYMENT_SUCCEEDED]
    some = a_standing(received=9, refunded=3, refunds=RefundsStatus.PARTIAL)
    assert list(payment_events(paid, some)) == [E.PAYMENT_REFUNDED]
    assert list(payment_events(some, a_standing(received=9, refunds=RefundsStatus.FAILED))) == [], (
        "refund.failed says it"
    )


@pytest.mark.parametrize("before", [None, *RefundStatus])
@pytest.mark.parametrize("after", RefundStatus)
def test_a_refund_tells_its_beginning_and_each_end(before: RefundStatus | None, after: RefundStatus) -> None:
    ends = {
        RefundStatus.SUCCEEDED: E.REFUND_SUCCEEDED, RefundStatus.FAILED: E.REFUND_FAILED,
        RefundStatus.CANCELED: E.REFUND_CANCELED,
    }  # fmt: skip
    expected: list[E] = [E.REFUND_CREATED] if before is None else []
    expected += [ends[after]] if after in ends and before is not after else []
    assert list(refund_events(before, after)) == expected


def test_a_dispute_tells_its_money_apart_from_its_words() -> None:
    def stands(status: DisputeStatus, withdrawn: int = 0, reinstated: int = 0) -> DisputeStanding:
        return DisputeStanding(status=status, withdrawn=Money(withdrawn, "EUR"), reinstated=Money(reinstated, "EUR"))

    inquiry, lost = stands(DisputeStatus.INQUIRY), stands(DisputeStatus.LOST, 9)
    opened, won = stands(DisputeStatus.NEEDS_RESPONSE, 9), stands(DisputeStatus.WON, 9, 9)
    assert list(dispute_events(None, inquiry)) == [E.DISPUTE_OPENED]
    assert list(dispute_events(None, opened)) == [E.DISPUTE_OPENED, E.DISPUTE_FUNDS_WITHDRAWN]
    assert list(dispute_events(inquiry, opened)) == [E.DISPUTE_UPDATED, E.DISPUTE_FUNDS_WITHDRAWN]
    assert list(dispute_events(opened, won)) == [E.DISPUTE_FUNDS_REINSTATED, E.DISPUTE_CLOSED]
    assert list(dispute_events(opened, lost)) == [E.DISPUTE_CLOSED]
    assert list(dispute_events(None, lost)) == [E.DISPUTE_OPENED, E.DISPUTE_FUNDS_WITHDRAWN, E.DISPUTE_CLOSED]
    assert list(dispute_events(won, won)) == []
