"""The reducer: each rule alone, and what no order of arrival can change."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streampay.gateway import OrderRecord, OrderStatus, PaymentReading, reduce
from streampay.gateway.orders import SETTLED
from streampay.models import Payment, decode
from tests.plugin.shop import ORDER, payment

S = OrderStatus
NEWEST = 2  # the try that the shopper is in; 1 is an older one


def a_record() -> OrderRecord:
    """Return the order with two tries, of which the second is the newest."""
    newest = payment(number=NEWEST)
    return replace(
        OrderRecord.new(ORDER), tries=NEWEST, session_id=newest["session"], payment_id=newest["id"], status=S.PENDING
    )


def reading(version: int, status: str, *, number: int = NEWEST, **over: Any) -> PaymentReading:
    return PaymentReading.of(decode(Payment, payment(version, status, number=number, **over)))


def told(*readings: PaymentReading) -> tuple[OrderRecord, list[str]]:
    """Return what the order became, and every call that was made, once."""
    record = a_record()
    calls: dict[str, None] = {}
    for one in readings:
        record, due = reduce(record, one)
        calls |= {f"{call.hook}/{call.subject.partition(':')[2] or call.subject[-1]}": None for call in due}
    return record, list(calls)


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        ("open", S.PENDING),
        ("requires_action", S.PENDING),
        ("processing", S.ON_HOLD),
        ("confirming", S.ON_HOLD),
        ("underpaid", S.ON_HOLD),
        ("authorized", S.AUTHORIZED),
        ("paid", S.PAID),
        ("expired", S.EXPIRED),
        ("canceled", S.FAILED),
        ("a_word_of_next_year", S.PENDING),
    ],
)
def test_each_word_of_the_gateway_has_its_meaning(status: str, meaning: OrderStatus) -> None:
    assert told(reading(2, status))[0].status is meaning


def test_a_paid_order_is_shipped_once_whatever_is_said_afterwards() -> None:
    record, calls = told(*(reading(version, word) for version, word in enumerate(
        ("paid", "confirming", "expired", "canceled", "open", "paid"), start=2)))  # fmt: skip
    assert record.status is S.PAID
    assert calls.count("paid/2") == 1
    assert not {call.partition("/")[0] for call in calls} & {"failed", "expired", "pending"}


def test_the_expiry_of_an_old_try_cancels_nothing() -> None:
    """Mollie #1159: the late news of an older attempt cancelled an order."""
    record, calls = told(reading(2, "open"), reading(5, "expired", number=1))
    assert (record.status, calls) == (S.PENDING, [])


def test_an_old_try_may_still_pay() -> None:
    record, calls = told(reading(3, "expired"), reading(5, "paid", number=1))
    assert (record.status, calls) == (S.PAID, ["expired/2", "paid/1"])


@pytest.mark.parametrize("over", [{"amount": "12.29"}, {"amount": "123.0"}, {"currency": "EUR"}])
def test_another_sum_or_currency_is_held_for_a_person(over: dict[str, Any]) -> None:
    record, calls = told(reading(2, "paid", **over))
    assert (record.status, calls) == (S.ON_HOLD, ["review/amount_mismatch"])


def test_another_sum_stays_another_sum_whatever_a_later_reading_names() -> None:
    for said in ([2, 3], [3, 2]):
        readings = {2: reading(2, "paid", amount="1.23"), 3: reading(3, "confirming")}
        record, calls = told(*(readings[version] for version in said))
        assert (record.status, "paid/2" in calls) == (S.ON_HOLD, False)


def test_the_same_sum_in_other_words_is_the_same_sum() -> None:
    assert told(reading(2, "paid", amount="12.3"))[0].status is S.PAID


def test_a_second_payment_is_for_a_person_and_ships_nothing() -> None:
    """The double charge of woo-stripe #489 and #3220."""
    record, calls = told(reading(2, "paid", number=1), reading(2, "paid"))
    assert (record.status, record.paid_by) == (S.PAID, payment(number=1)["id"])
    assert calls == ["paid/1", "review/paid_twice"]


def test_money_on_its_way_is_not_money() -> None:
    """btcpay-woo #65: unconfirmed money is on hold, and may be taken back."""
    record, calls = told(reading(2, "confirming"), reading(3, "open"))
    assert (record.status, calls) == (S.PENDING, ["pending/2"])


def test_a_paid_order_whose_chain_turned_back_is_for_a_person() -> None:
    record, calls = told(reading(2, "paid"), reading(3, "open", exceptions=["reorg"]))
    assert (record.status, calls) == (S.PAID, ["paid/2", "review/reorg"])


def test_refunds_and_their_failure_are_followed() -> None:
    part = reading(3, "paid", refunds="partial", amount_refunded="2.30")
    full = reading(4, "paid", refunds="full", amount_refunded="12.30")
    failed = reading(5, "paid", refunds="failed")
    assert [told(reading(2, "paid"), *more)[0].status for more in ([part], [part, full], [part, full, failed])] == [
        S.PARTLY_REFUNDED, S.REFUNDED, S.PAID,
    ]  # fmt: skip
    assert told(reading(2, "paid"), part, full, failed)[1] == [
        "paid/2", "refunded/2.30", "refunded/12.30", "review/refund_failed",
    ]  # fmt: skip


def test_what_was_given_back_before_anybody_heard_of_it_is_not_shipped() -> None:
    record, calls = told(reading(4, "paid", refunds="full", amount_refunded="12.30"), reading(2, "paid"))
    assert (record.status, calls) == (S.REFUNDED, ["refunded/12.30"])


def test_a_dispute_is_told_and_a_won_one_leaves_the_order_paid() -> None:
    record, calls = told(reading(2, "paid"), reading(3, "paid", dispute="open"), reading(4, "paid", dispute="won"))
    assert (record.status, calls) == (S.PAID, ["paid/2", "disputed/open", "disputed/won"])
    assert told(reading(2, "paid"), reading(3, "paid", dispute="inquiry"))[1] == ["paid/2"]


def test_a_likely_fraud_is_for_a_person() -> None:
    assert told(reading(2, "paid", exceptions=["early_fraud_warning"]))[1] == ["paid/2", "review/early_fraud_warning"]


def test_a_record_comes_back_from_json_as_it_was() -> None:
    record, _ = told(reading(2, "paid"), reading(2, "paid", number=1), reading(4, "paid", refunds="partial"))
    assert OrderRecord.from_dict(record.to_dict()) == record


def test_an_order_that_was_kept_before_its_pages_were_is_read() -> None:
    kept = replace(a_record(), url="https://pay.example/c/new", paid_by="pay_1").to_dict()
    del kept["pages"]
    assert OrderRecord.from_dict(kept).receipt_url == "https://pay.example/c/new"


_STATES = st.sampled_from(
    ["open", "processing", "confirming", "authorized", "underpaid", "paid", "expired", "canceled"]
)
_REFUNDS = st.sampled_from([("none", "0.00"), ("partial", "2.30"), ("full", "12.30"), ("failed", "0.00")])


@st.composite
def _lives(draw: st.DrawFn) -> list[PaymentReading]:
    """Make what the gateway says of two tries, in the order in which it happened."""
    said = []
    for number in (1, NEWEST):
        amount = draw(st.sampled_from(["12.30", "12.30", "1.00"]))
        for version, status in enumerate(draw(st.lists(_STATES, max_size=4)), start=2):
            refunds, back = draw(_REFUNDS) if status == "paid" else ("none", "0.00")
            money = {"refunds": refunds, "amount_refunded": back, "amount": amount}
            said.append(PaymentReading.of(decode(Payment, payment(version, status, number=number, **money))))
    return said


@given(_lives(), st.randoms(use_true_random=False))
def test_order_and_repetition_change_nothing_but_which_of_two_payments_came_first(
    life: list[PaymentReading], dice: Any
) -> None:
    shuffled = life * 3
    dice.shuffle(shuffled)
    straight, mixed = told(*life)[0], told(*shuffled)[0]
    assert mixed.readings == straight.readings
    assert (mixed.paid_by is None) == (straight.paid_by is None)
    if mixed.paid_by == straight.paid_by:
        assert mixed.status is straight.status


@given(_lives(), st.randoms(use_true_random=False))
def test_whatever_comes_an_order_is_shipped_at_most_once_and_only_for_its_own_sum(
    life: list[PaymentReading], dice: Any
) -> None:
    dice.shuffle(life)
    record, shipped = a_record(), set()
    for one in life:
        was = record.status
        record, due = reduce(record, one)
        assert was not in SETTLED or record.status in SETTLED
        shipped |= {call.subject for call in due if call.hook == "paid"}
    assert len(shipped) <= 1
    assert all(record.readings[name].amount == "12.30" and record.readings[name].was_paid for name in shipped)
