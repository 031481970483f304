"""What Stripe sends, read: every known word, words of next year, and shapes that are none of Stripe's."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.declines import Decline
from gateway.domain.provider import ProviderSnapshot
from gateway.domain.words import AttemptStage, ChargeStatus, DisputeStatus, RefundStatus
from gateway.kernel.errors import GatewayError, TemporaryError
from gateway.kernel.money import Money
from gateway.processors.stripe import snapshots
from gateway.processors.stripe.wire import Json, read
from tests.processors.stripe_stage import (
    Answer,
    ScriptedStripe,
    a_bank_stage,
    a_processor,
    a_refund,
    charge_of,
    says,
)

EXPAND = [f"payment_intent.{name}" for name in ("latest_charge.balance_transaction", "latest_charge.refunds")]


@pytest.fixture(scope="module")
def wires() -> Iterator[Mapping[str, Any]]:
    """Yield what a bank really sends: a paid session in full, a refund, a dispute."""
    with a_bank_stage() as bank:
        snapshot = bank.paid(Money(10_000, "EUR"))
        bank.processor.refund(a_refund(snapshot, Money(100, "EUR")))
        bank.control("disputes", charge=bank.charge_id(charge_of(snapshot).reference))
        api = bank.processor._apis[False]
        yield {
            "session": api.get(f"/v1/checkout/sessions/{snapshot.reference}", expand=EXPAND),
            "refund": next(api.listed("/v1/refunds", max_pages=1)),
            "dispute": next(api.listed("/v1/disputes", max_pages=1)),
        }


def changed(wire: Json, path: str, value: Any) -> Json:
    """Return a copy in which one field, named by dots, is another."""
    grown: Any = copy.deepcopy(dict(wire))
    *parents, name = path.split(".")
    inner = grown
    for parent in parents:
        inner = inner[parent]
    inner[name] = value
    return dict(grown)


def page(session: Json, *, disputes: tuple[Json, ...] = ()) -> ProviderSnapshot:
    after = snapshots.Aftermath(disputes=disputes)
    return snapshots.page_snapshot(session, intent=session["payment_intent"], after=after)


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("requires_payment_method", ChargeStatus.OPEN),
        ("requires_confirmation", ChargeStatus.OPEN),
        ("requires_action", ChargeStatus.REQUIRES_ACTION),
        ("processing", ChargeStatus.PROCESSING),
        ("requires_capture", ChargeStatus.AUTHORIZED),
        ("succeeded", ChargeStatus.SUCCEEDED),
        ("canceled", ChargeStatus.CANCELED),
        ("requires_telepathy", ChargeStatus.PROCESSING),
    ],
)
def test_every_state_of_a_payment_intent_has_its_reading(
    wires: Mapping[str, Json], word: str, status: ChargeStatus
) -> None:
    assert charge_of(page(changed(wires["session"], "payment_intent.status", word))).status is status


@pytest.mark.parametrize(
    ("word", "stage"),
    [
        ("open", AttemptStage.OPEN),
        ("complete", AttemptStage.COMPLETE),
        ("expired", AttemptStage.EXPIRED),
        ("hibernating", AttemptStage.OPEN),
        (None, AttemptStage.OPEN),
    ],
)
def test_every_state_of_a_session_has_its_reading(
    wires: Mapping[str, Json], word: str | None, stage: AttemptStage
) -> None:
    assert page(changed(wires["session"], "status", word)).stage is stage


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("warning_needs_response", DisputeStatus.INQUIRY),
        ("warning_under_review", DisputeStatus.INQUIRY),
        ("warning_closed", DisputeStatus.INQUIRY_CLOSED),
        ("needs_response", DisputeStatus.NEEDS_RESPONSE),
        ("under_review", DisputeStatus.UNDER_REVIEW),
        ("appeal_needs_response", DisputeStatus.NEEDS_RESPONSE),
        ("appeal_under_review", DisputeStatus.UNDER_REVIEW),
        ("won", DisputeStatus.WON),
        ("prevented", DisputeStatus.WON),
        ("lost", DisputeStatus.LOST),
        ("in_orbit", DisputeStatus.NEEDS_RESPONSE),
    ],
)
def test_every_state_of_a_dispute_has_its_reading(wires: Mapping[str, Json], word: str, status: DisputeStatus) -> None:
    (found,) = page(wires["session"], disputes=(changed(wires["dispute"], "status", word),)).disputes
    assert found.status is status


@pytest.mark.parametrize(
    ("word", "flag", "is_refundable"),
    [
        ("needs_response", False, False),
        ("under_review", False, False),
        ("lost", False, False),
        ("prevented", False, False),
        ("won", False, True),
        ("won", True, True),
        ("warning_needs_response", True, True),
    ],
)
def test_a_charge_is_refundable_while_no_dispute_makes_that_a_second_loss(
    wires: Mapping[str, Json], word: str, *, flag: bool, is_refundable: bool
) -> None:
    dispute = changed(changed(wires["dispute"], "status", word), "is_charge_refundable", flag)
    found = page(wires["session"], disputes=(dispute,)).charge
    assert found is not None
    assert found.is_refundable is is_refundable


@pytest.mark.parametrize(
    ("word", "status"),
    [
        *[(status.value, status) for status in RefundStatus],
        ("lost_in_post", RefundStatus.PENDING),
        (None, RefundStatus.PENDING),
    ],
)
def test_every_state_of_a_refund_has_its_reading(
    wires: Mapping[str, Json], word: str | None, status: RefundStatus
) -> None:
    assert snapshots.provider_refund(changed(wires["refund"], "status", word)).status is status


def test_a_failed_delayed_payment_is_over_and_a_declined_card_is_not(wires: Mapping[str, Json]) -> None:
    unpaid = changed(wires["session"], "payment_intent.status", "requires_payment_method")
    declined = changed(unpaid, "payment_intent.last_payment_error", {"code": "card_declined", "decline_code": None})
    for stage, status in (
        ("complete", ChargeStatus.FAILED),
        ("expired", ChargeStatus.FAILED),
        ("open", ChargeStatus.OPEN),
    ):
        found = charge_of(page(changed(declined, "status", stage)))
        assert (found.status, found.failure_code, found.decline) == (status, "card_declined", Decline.CARD_REFUSED)


def test_pitfall_30_a_changed_total_is_read_as_it_is(wires: Mapping[str, Json]) -> None:
    assert page(changed(wires["session"], "amount_total", 12_000)).total == Money(12_000, "EUR")
    assert page(changed(wires["session"], "currency", "usd")).total == Money(10_000, "USD")


def test_a_fraud_report_of_stripes_is_a_warning(wires: Mapping[str, Json]) -> None:
    report = changed(wires["session"], "payment_intent.latest_charge.fraud_details", {"stripe_report": "fraudulent"})
    assert charge_of(page(report)).has_fraud_warning
    assert not charge_of(page(wires["session"])).has_fraud_warning


def test_a_method_that_nobody_knows_is_named(wires: Mapping[str, Json]) -> None:
    path = "payment_intent.latest_charge.payment_method_details"
    instrument = charge_of(page(changed(wires["session"], path, {"type": "seashells", "seashells": {}}))).instrument
    assert instrument is not None
    assert (instrument.type, instrument.brand, instrument.last4) == ("seashells", None, None)
    assert charge_of(page(changed(wires["session"], path, None))).instrument is None


def test_a_charge_that_is_not_booked_yet_has_no_line(wires: Mapping[str, Json]) -> None:
    """Pitfall 25: the balance transaction is null at first, and may be a bare id."""
    for value in (None, "txn_1"):
        assert page(changed(wires["session"], "payment_intent.latest_charge.balance_transaction", value)).lines == ()


def test_somebody_elses_session_has_no_attempt_of_ours(wires: Mapping[str, Json]) -> None:
    for metadata in (None, {}, {"other": "x"}):
        assert page(changed(wires["session"], "metadata", metadata)).attempt_id is None


def _paths(value: Any, prefix: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield f"{prefix}{name}"
            yield from _paths(inner, f"{prefix}{name}.")


HUGE = st.sampled_from([10**n for n in (10, 14, 17, 18, 19, 30, 70)])
JUNK: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(), HUGE, st.floats(), st.text(max_size=5), st.just([]), st.just({})
)


def test_a_dispute_that_is_booked_in_two_currencies_is_none_of_stripes(wires: Mapping[str, Json]) -> None:
    (line,) = wires["dispute"]["balance_transactions"]
    mixed = changed(wires["dispute"], "balance_transactions", [line, dict(line) | {"currency": "usd"}])
    with pytest.raises(TemporaryError):
        read(lambda: page(wires["session"], disputes=(mixed,)))


@given(st.data())
def test_whatever_stripe_sends_is_read_or_temporary(wires: Mapping[str, Json], data: st.DataObject) -> None:
    session, dispute = wires["session"], wires["dispute"]
    path = data.draw(st.sampled_from(sorted(_paths(session))))
    junk = data.draw(JUNK)
    _read_or_temporary(lambda: page(changed(session, path, junk), disputes=(dispute,)))
    path = data.draw(st.sampled_from(sorted(_paths(dispute))))
    _read_or_temporary(lambda: page(session, disputes=(changed(dispute, path, junk),)))


def _read_or_temporary(parse: Any) -> None:
    try:
        assert isinstance(read(parse), ProviderSnapshot)
    except GatewayError as failure:
        assert isinstance(failure, TemporaryError)  # noqa: PT017 - either ending is right


# --- subscriptions ---------------------------------------------------------------------------------------------------


def subscribed(wires: Mapping[str, Json], *payments: Json) -> tuple[Answer, ...]:
    """Return what Stripe answers when the first invoice of a subscription is looked up."""
    session = dict(wires["session"]) | {
        "mode": "subscription", "subscription": "sub_1", "invoice": "in_1", "payment_intent": None, "customer": "cus_1",
    }  # fmt: skip
    intent = dict(wires["session"]["payment_intent"])
    charge = dict(intent["latest_charge"]) | {"refunds": None, "amount_refunded": 0, "disputed": False}
    return (
        says(session),
        says({"object": "list", "data": list(payments), "has_more": False}),
        says(intent | {"latest_charge": charge}),
    )


def payment(reference: str, *, status: str = "paid", is_default: bool = True) -> Json:
    return {
        "id": f"inpay_{reference}",
        "status": status,
        "is_default": is_default,
        "payment": {"type": "payment_intent", "payment_intent": reference},
    }


def test_the_charge_of_a_subscription_is_its_first_invoices(wires: Mapping[str, Json]) -> None:
    tried = payment("pi_tried", status="open")
    with ScriptedStripe(*subscribed(wires, tried, payment("pi_paid", is_default=False))) as stripe:
        processor = a_processor(stripe.url)
        snapshot = processor.retrieve("cs_test_1", livemode=False)
        processor.close()
        assert [one.path for one in stripe.asked][1:] == ["/v1/invoice_payments", "/v1/payment_intents/pi_paid"]
        assert stripe.asked[1].form["invoice"] == "in_1"
    assert (snapshot.subscription, snapshot.customer) == ("sub_1", "cus_1")
    assert charge_of(snapshot).captured == Money(10_000, "EUR")


@pytest.mark.parametrize(
    "payments", [(), ({"id": "i", "status": "open", "is_default": True, "payment": {"type": "charge"}},)]
)
def test_a_trial_has_a_subscription_and_no_charge(wires: Mapping[str, Json], payments: tuple[Json, ...]) -> None:
    with ScriptedStripe(*subscribed(wires, *payments)) as stripe:
        processor = a_processor(stripe.url)
        snapshot = processor.retrieve("cs_test_1", livemode=False)
        processor.close()
    assert (snapshot.stage, snapshot.subscription, snapshot.charge) == (AttemptStage.COMPLETE, "sub_1", None)


def test_a_renewal_has_no_page(wires: Mapping[str, Json]) -> None:
    intent = dict(wires["session"]["payment_intent"])
    charge = dict(intent["latest_charge"]) | {"refunds": None, "amount_refunded": 0, "disputed": False}
    with ScriptedStripe(says(intent | {"latest_charge": charge, "metadata": {}})) as stripe:
        processor = a_processor(stripe.url)
        snapshot = processor.retrieve(intent["id"], livemode=False)
        processor.close()
        assert len(stripe.asked) == 1
    assert (snapshot.reference, snapshot.url, snapshot.attempt_id) == (intent["id"], None, None)
    assert (snapshot.stage, charge_of(snapshot).captured) == (AttemptStage.COMPLETE, Money(10_000, "EUR"))
