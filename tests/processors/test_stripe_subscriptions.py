"""Stripe's subscriptions read and commanded: on what a bank really sends, and on shapes that are none of Stripe's."""

import copy
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.provider import RecurringTerms
from gateway.domain.subscriptions import PeriodStatus, ProviderSubscription, SubscriptionStatus
from gateway.domain.words import SessionMode
from gateway.kernel.errors import DeclinedError, GatewayError, NotFoundError, TemporaryError, UnknownOutcomeError
from gateway.kernel.money import Money
from gateway.processors.stripe.subscriptions import provider_subscription
from gateway.processors.stripe.wire import Json, read
from tests.processors.stripe_stage import (
    HANGS_UP,
    BankStage,
    ScriptedStripe,
    a_bank_stage,
    a_command,
    a_processor,
    fails,
    says,
)

S, P = SubscriptionStatus, PeriodStatus
MONTHLY = RecurringTerms(interval="month", interval_count=1, trial_days=0)
DAY_S = 86_400
MISSING = fails(404, "invalid_request_error", "resource_missing")


@pytest.fixture(scope="module")
def bank() -> Iterator[BankStage]:
    """Serve a bank with one subscription that was renewed once."""
    with a_bank_stage() as stage:
        yield stage


@pytest.fixture(scope="module")
def member(bank: BankStage) -> str:
    """Return a subscription that was renewed once."""
    page = bank.paid(Money(1_000, "EUR"), mode=SessionMode.SUBSCRIPTION, recurring=MONTHLY)
    assert page.subscription is not None
    bank.bank.advance(32 * DAY_S)
    return page.subscription


@pytest.fixture(scope="module")
def wires(bank: BankStage, member: str) -> Mapping[str, Any]:
    """Return what the bank really sends of it."""
    api = bank.processor._apis[False]
    listed = api.listed("/v1/invoices", max_pages=1, subscription=member, expand=["data.payments"])
    return {"subscription": api.get(f"/v1/subscriptions/{member}"), "invoices": list(listed)}


def changed(wire: Json, path: str, value: Any) -> dict[str, Any]:
    """Return a copy in which one field, named by dots and places, is another."""
    grown: Any = copy.deepcopy(dict(wire))
    *parents, name = (int(part) if part.isdigit() else part for part in path.split("."))
    inner = grown
    for parent in parents:
        inner = inner[parent]
    inner[name] = value
    return dict(grown)


def shown(wires: Mapping[str, Any], path: str | None = None, value: Any = None) -> ProviderSubscription:
    wire = wires["subscription"] if path is None else changed(wires["subscription"], path, value)
    return provider_subscription(wire, wires["invoices"])


def test_a_subscription_is_read_with_its_bills_oldest_first(bank: BankStage, member: str) -> None:
    found = bank.processor.subscriptions.retrieve(member, livemode=False, since=None)
    first, renewal = found.invoices
    assert (found.status, found.is_held, found.cancels_at) == (S.ACTIVE, False, None)
    assert (first.is_first, renewal.is_first) == (True, False)
    assert {one.status for one in found.invoices} == {P.PAID}
    assert {one.amount for one in found.invoices} == {Money(1_000, "EUR")}
    assert all(len(one.charges) == 1 and one.charges[0].startswith("pi_") for one in found.invoices)
    assert (renewal.period_start, renewal.period_end) == (found.period_start, found.period_end)
    assert first.period_end == renewal.period_start


def test_the_period_of_a_bill_is_that_of_its_lines(wires: Mapping[str, Any]) -> None:
    """`invoice.period_start` and `period_end` are about the period before."""
    newest = wires["invoices"][0]
    assert newest["period_end"] <= newest["lines"]["data"][0]["period"]["start"]
    (*_, renewal) = shown(wires).invoices
    assert int(renewal.period_start.timestamp()) == newest["lines"]["data"][0]["period"]["start"]


def test_what_is_settled_is_not_listed_again(bank: BankStage, member: str) -> None:
    with bank.bank.lock:
        now = datetime.fromtimestamp(bank.bank.vault.now(), UTC)
    found = bank.processor.subscriptions.retrieve(member, livemode=False, since=now - timedelta(days=20))
    assert [one.is_first for one in found.invoices] == [False]


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("incomplete", S.INCOMPLETE),
        ("incomplete_expired", S.CANCELED),
        ("trialing", S.TRIALING),
        ("active", S.ACTIVE),
        ("past_due", S.PAST_DUE),
        ("unpaid", S.PAST_DUE),
        ("paused", S.PAUSED),
        ("canceled", S.CANCELED),
        ("on_holiday", S.PAST_DUE),
    ],
)
def test_every_state_of_a_subscription_has_its_reading(
    wires: Mapping[str, Any], word: str, status: SubscriptionStatus
) -> None:
    assert shown(wires, "status", word).status is status


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("draft", P.OPEN),
        ("open", P.OPEN),
        ("paid", P.PAID),
        ("uncollectible", P.UNCOLLECTIBLE),
        ("void", P.VOID),
        (None, P.OPEN),
        ("framed", P.OPEN),
    ],
)
def test_every_state_of_a_bill_has_its_reading(
    wires: Mapping[str, Any], word: str | None, status: PeriodStatus
) -> None:
    bill = changed(wires["invoices"][0], "status", word)
    assert provider_subscription(wires["subscription"], [bill]).invoices[0].status is status


@pytest.mark.parametrize(("standing", "status"), [("active", P.OPEN), ("past_due", P.FAILED), ("unpaid", P.FAILED)])
def test_a_bill_that_was_tried_has_failed_only_where_something_is_overdue(
    wires: Mapping[str, Any], standing: str, status: PeriodStatus
) -> None:
    """A bank debit on its way leaves its bill tried and open as well."""
    bill = changed(changed(wires["invoices"][0], "status", "open"), "attempt_count", 1)
    found = provider_subscription(changed(wires["subscription"], "status", standing), [bill])
    assert found.invoices[0].status is status


def test_a_change_of_plan_does_not_stretch_the_period_of_its_bill(wires: Mapping[str, Any]) -> None:
    bill = copy.deepcopy(dict(wires["invoices"][0]))
    (line,) = bill["lines"]["data"]
    credit = changed(line, "period", {"start": line["period"]["start"] - 9 * DAY_S, "end": line["period"]["start"]})
    credit["parent"] = {"subscription_item_details": {"proration": True}}
    bill["lines"]["data"] = [credit, line]
    (found,) = provider_subscription(wires["subscription"], [bill]).invoices
    assert int(found.period_start.timestamp()) == line["period"]["start"]


def test_the_charge_that_paid_stands_first_and_dead_ones_are_left_out(wires: Mapping[str, Any]) -> None:
    (paid,) = wires["invoices"][0]["payments"]["data"]
    tried = paid | {"status": "open", "payment": {"type": "payment_intent", "payment_intent": "pi_tried"}}
    dead = paid | {"status": "canceled", "payment": {"type": "payment_intent", "payment_intent": "pi_dead"}}
    bill = changed(wires["invoices"][0], "payments.data", [dead, tried, paid])
    (found,) = provider_subscription(wires["subscription"], [bill]).invoices
    assert found.charges == (paid["payment"]["payment_intent"], "pi_tried")


def _paths(wire: Any, before: str = "") -> Iterator[str]:
    rows = wire.items() if isinstance(wire, dict) else enumerate(wire) if isinstance(wire, list) else ()
    for name, value in rows:
        yield f"{before}{name}"
        yield from _paths(value, f"{before}{name}.")


@given(data=st.data())
def test_whatever_stripe_sends_is_read_or_refused(wires: Mapping[str, Any], data: st.DataObject) -> None:
    junk: Any = data.draw(st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.just([]) | st.just({}))
    which = data.draw(st.sampled_from(["subscription", "bill"]))
    wire, bill = wires["subscription"], wires["invoices"][0]
    if which == "subscription":
        wire = changed(wire, data.draw(st.sampled_from(sorted(_paths(wire)))), junk)
    else:
        bill = changed(bill, data.draw(st.sampled_from(sorted(_paths(bill)))), junk)
    try:
        assert isinstance(read(lambda: provider_subscription(wire, [bill])), ProviderSubscription)
    except GatewayError as failure:
        assert isinstance(failure, TemporaryError | DeclinedError)  # noqa: PT017 - either ending is right


def test_commands_carry_their_operation_as_the_key(bank: BankStage) -> None:
    command = a_command(bank.open(), "sub_1")
    with ScriptedStripe(says({"id": "sub_1"})) as stripe:
        subscriptions = a_processor(stripe.url).subscriptions
        subscriptions.pause(command)
        subscriptions.resume(command)
        subscriptions.cancel(command, at_period_end=True)
        subscriptions.cancel(command, at_period_end=False)
    assert stripe.keys == [command.operation_id] * 4
    assert [(one.method, one.path) for one in stripe.asked] == [
        ("POST", "/v1/subscriptions/sub_1"),
        ("POST", "/v1/subscriptions/sub_1"),
        ("POST", "/v1/subscriptions/sub_1"),
        ("DELETE", "/v1/subscriptions/sub_1"),
    ]
    assert [dict(one.form) for one in stripe.asked[:3]] == [
        {"pause_collection[behavior]": "void"},
        {"pause_collection": "", "cancel_at_period_end": "false"},
        {"cancel_at_period_end": "true"},
    ]


def test_a_command_whose_answer_is_lost_is_unknown(bank: BankStage) -> None:
    command = a_command(bank.open(), "sub_1")
    with ScriptedStripe(HANGS_UP) as stripe:
        subscriptions = a_processor(stripe.url).subscriptions
        with pytest.raises(UnknownOutcomeError):
            subscriptions.cancel(command, at_period_end=False)
        with pytest.raises(UnknownOutcomeError):
            subscriptions.pause(command)


@pytest.mark.parametrize("reference", ["sub_1/../../v1/refunds", "cus_1", "", "sub_ü"])
def test_a_reference_of_another_kind_reaches_no_path(bank: BankStage, reference: str) -> None:
    subscriptions = bank.processor.subscriptions
    with pytest.raises(NotFoundError):
        subscriptions.retrieve(reference, livemode=False, since=None)
    with pytest.raises(DeclinedError):
        subscriptions.pause(a_command(bank.open(), reference or "x"))
    with pytest.raises(DeclinedError):
        subscriptions.portal_url(reference or "x", livemode=False, key="op_1", return_url="https://shop.example/")


@pytest.mark.parametrize("answers", [(MISSING,), (says({"id": "cus_1", "object": "customer", "deleted": True}),)])
def test_a_customer_who_is_gone_is_forgotten_already(answers: tuple[Any, ...]) -> None:
    with ScriptedStripe(*answers) as stripe:
        a_processor(stripe.url).subscriptions.forget_customer("cus_1", livemode=False, key="op_1")
    assert [one.method for one in stripe.asked] == ["GET"]
