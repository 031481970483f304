"""Unmodified stripe-python drives every operation; every answer and event fits Stripe's description, strictly."""

import copy
import random
from collections.abc import Iterator
from typing import Any

import pytest
import stripe

from sandbox.test_bank import Bank
from tests.sandbox.test_bank_billing_scenes import SCENES
from tests.sandbox.test_bank_stage import (
    CHALLENGED,
    DECLINED,
    OK,
    Stage,
    Taken,
    choices_at,
    complaints,
    event_complaints,
    object_words,
    response_pointer,
    staged,
)

DAY_S = 86_400
# What renews by itself has a suite of its own, which drives these.
BILLING = ("subscription", "invoice", "testHelpers.", "billingPortal.", "coupons.")


def _checkout(stage: Stage) -> None:
    sessions = stage.v1.checkout.sessions
    session = stage.session(client_reference_id="pay_1", metadata={"sp_op": "op_1"}, customer_creation="always")
    stage.pay(session, DECLINED)
    stage.pay(session)
    sessions.retrieve(session.id, {"expand": ["line_items", "payment_intent.latest_charge.balance_transaction"]})
    sessions.list({"limit": 3, "expand": ["data.customer"]})
    sessions.line_items.list(session.id)
    sessions.update(session.id, {"metadata": {"more": "1"}})
    sessions.expire(stage.session().id)
    challenged = stage.session()
    stage.bank.answer_challenge(str(stage.pay(challenged, CHALLENGED).redirect_url).rpartition("/")[2], passed=True)
    failed = stage.session()
    stage.bank.answer_challenge(str(stage.pay(failed, CHALLENGED).redirect_url).rpartition("/")[2], passed=False)
    sessions.retrieve(failed.id, {"expand": ["payment_intent"]})
    for outcome, currency in (("succeed", "eur"), ("fail", "usd")):
        stage.bank.pay_by_bank(stage.session(currency=currency).id, outcome=outcome)
    stage.order("settle_delayed")


def _setup(stage: Stage) -> None:
    customer = stage.v1.customers.create({"email": "jenny@example.com"})
    session = stage.v1.checkout.sessions.create(
        {"mode": "setup", "success_url": "http://shop.test/ok", "customer": customer.id, "currency": "eur"}
    )
    stage.pay(session, "4000002500003155")
    setups = stage.v1.setup_intents
    made = setups.create({"customer": customer.id, "payment_method": "pm_card_visa"})
    setups.update(made.id, {"metadata": {"a": "b"}})
    setups.confirm(made.id)
    setups.retrieve(made.id, {"expand": ["payment_method", "customer"]})
    setups.cancel(setups.create({}).id)
    setups.list({"customer": customer.id})
    with pytest.raises(stripe.CardError):
        setups.create({"payment_method": "pm_card_chargeDeclined", "confirm": True})


def _intents(stage: Stage) -> None:
    intents = stage.v1.payment_intents
    held = intents.create(
        {
            "amount": 5_000,
            "currency": "usd",
            "capture_method": "manual",
            "payment_method": "pm_card_visa",
            "confirm": True,
        }
    )
    intents.update(held.id, {"metadata": {"a": "b"}, "description": "T-shirt"})
    intents.capture(held.id, {"amount_to_capture": 3_000})
    other = intents.create({"amount": 700, "currency": "jpy"})
    intents.confirm(other.id, {"payment_method": "pm_card_mastercard"})
    intents.cancel(intents.create({"amount": 700, "currency": "jpy"}).id, {"cancellation_reason": "duplicate"})
    intents.retrieve(held.id, {"expand": ["latest_charge.refunds", "payment_method"]})
    intents.list({"limit": 2})
    with pytest.raises(stripe.CardError):
        intents.create({"amount": 999, "currency": "usd", "payment_method": "pm_card_chargeDeclined", "confirm": True})
    intents.create(
        {"amount": 999, "currency": "usd", "payment_method": "pm_card_threeDSecureRequired", "confirm": True}
    )


def _money_back(stage: Stage) -> None:
    refunds, charges = stage.v1.refunds, stage.v1.charges
    paid = stage.paid()
    refund = refunds.create({"payment_intent": paid.payment_intent.id, "amount": 500, "reason": "duplicate"})
    refunds.retrieve(refund.id, {"expand": ["charge", "balance_transaction", "payment_intent"]})
    refunds.update(refund.id, {"metadata": {"a": "b"}})
    refunds.list({"payment_intent": paid.payment_intent.id})
    charges.retrieve(paid.payment_intent.latest_charge.id, {"expand": ["refunds"]})
    charges.update(paid.payment_intent.latest_charge.id, {"description": "changed"})
    charges.list({"limit": 5})
    pending = refunds.create({"payment_intent": stage.paid("4000000000007726").payment_intent.id})
    with pytest.raises(stripe.InvalidRequestError):
        refunds.cancel(pending.id)
    refunds.create({"payment_intent": stage.paid("4000000000005126").payment_intent.id})
    for number in ("4000000000000259", "4000000000002685", "4000000000001976", "4000000000005423"):
        stage.paid(number)
    stage.bank.settle()
    first, second, third = stage.v1.disputes.list({"limit": 3, "expand": ["data.charge"]}).data
    stage.v1.disputes.update(first.id, {"evidence": {"uncategorized_text": "it was sent"}})
    stage.v1.disputes.update(second.id, {"evidence": {"uncategorized_text": "winning_evidence"}})
    stage.v1.disputes.close(third.id)
    stage.v1.disputes.retrieve(third.id)
    stage.bank.advance(DAY_S)


def _catalogue(stage: Stage) -> None:
    products, prices = stage.v1.products, stage.v1.prices
    product = products.create({"name": "Club", "default_price_data": {"currency": "eur", "unit_amount": 900}})
    products.retrieve(product.id, {"expand": ["default_price"]})
    products.update(product.id, {"description": "A club", "metadata": {"a": "b"}})
    products.list({"active": True})
    products.delete(products.create({"name": "Mistake"}).id)
    price = prices.create(
        {"currency": "eur", "unit_amount": 900, "product": product.id, "recurring": {"interval": "month"}}
    )
    prices.retrieve(price.id, {"expand": ["product"]})
    prices.update(price.id, {"nickname": "monthly"})
    prices.list({"product": product.id})


def _customers(stage: Stage) -> None:
    customers, methods = stage.v1.customers, stage.v1.payment_methods
    customer = customers.create({"name": "Jenny", "metadata": {"a": "b"}, "address": {"city": "Wien", "country": "AT"}})
    customers.update(customer.id, {"phone": "+43 1 0"})
    customers.list({"limit": 1})
    method = methods.create({"type": "card", "card": {"number": OK, "exp_month": 1, "exp_year": 2040, "cvc": "123"}})
    methods.attach(method.id, {"customer": customer.id})
    methods.update(method.id, {"metadata": {"a": "b"}})
    customers.update(customer.id, {"invoice_settings": {"default_payment_method": method.id}})
    customers.retrieve(customer.id, {"expand": ["invoice_settings.default_payment_method"]})
    customers.payment_methods.list(customer.id)
    methods.list({"customer": customer.id})
    methods.retrieve(method.id, {"expand": ["customer"]})
    methods.detach(method.id)
    customers.delete(customer.id)
    customers.retrieve(customer.id)


def _ledger(stage: Stage) -> None:
    stage.paid("4000000000000077", amount=50_000)
    stage.bank.advance(60)
    stage.v1.balance.retrieve()
    by_hand = stage.v1.payouts.create({"amount": 100, "currency": "eur", "metadata": {"a": "b"}})
    stage.v1.payouts.update(by_hand.id, {"metadata": {"a": "c"}})
    stage.v1.payouts.cancel(by_hand.id)
    stage.bank.advance(9 * DAY_S)
    automatic = next(payout for payout in stage.v1.payouts.list().data if payout.automatic)
    stage.v1.payouts.retrieve(automatic.id, {"expand": ["balance_transaction"]})
    entries = stage.v1.balance_transactions.list({"payout": automatic.id, "expand": ["data.source"]}).data
    stage.v1.balance_transactions.retrieve(entries[0].id)


def _notices(stage: Stage) -> None:
    endpoints = stage.v1.webhook_endpoints
    made = endpoints.create({"url": "http://127.0.0.1:9/hook", "enabled_events": ["charge.succeeded"]})
    endpoints.update(made.id, {"enabled_events": ["*"], "disabled": True})
    endpoints.retrieve(made.id)
    endpoints.list()
    endpoints.delete(made.id)
    latest = stage.v1.events.list({"types": ["charge.succeeded", "refund.created"]}).data[0]
    stage.v1.events.retrieve(latest.id)


@pytest.fixture(scope="module")
def played() -> Iterator[Stage]:
    """Play every operation once; the tests look at what crossed the wire."""
    with staged() as stage:
        for scene in (_checkout, _setup, _intents, _money_back, _catalogue, _customers, _ledger, _notices, *SCENES):
            scene(stage)
        yield stage


def test_every_operation_of_the_bank_was_driven(played: Stage) -> None:
    driven = {response_pointer(taken.method, taken.path)[0] for taken in played.taken}
    ours = {name for name in played.bank._operations if not name.startswith(BILLING)}
    assert ours - driven == set()


def test_every_answer_fits_the_description(played: Stage) -> None:
    wrong = {}
    for taken in played.taken:
        if found := _complaints(taken):
            wrong[f"{taken.method} {taken.path}"] = found
    assert wrong == {}


def test_every_event_fits_the_description(played: Stage) -> None:
    events = played.events()
    assert {event["type"]: found for event in events if (found := event_complaints(event))} == {}
    assert len({event["type"] for event in events}) >= 45


def test_every_event_names_the_request_that_caused_it_or_none(played: Stage) -> None:
    caused = [event["request"] for event in played.events() if event["type"] == "refund.created"]
    assert all(cause["id"].startswith("req_") and cause["idempotency_key"] for cause in caused)
    paid_on_the_page = next(event for event in played.events() if event["type"] == "checkout.session.completed")
    assert paid_on_the_page["request"] == {"id": None, "idempotency_key": None}


def test_the_description_is_that_of_the_library(played: Stage) -> None:
    assert played.bank.vault.spec.version == stripe._api_version._ApiVersion.CURRENT


# --- the checker itself ----------------------------------------------------------------------------------------------


def _complaints(taken: Taken) -> list[str]:
    if taken.status != 200:
        return complaints(taken.body, "/components/schemas/error")
    return complaints(taken.body, response_pointer(taken.method, taken.path)[1])


def _mutants(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield copies of an answer, each broken in one place: a field away, of a wrong type, or unknown."""
    for name in value:
        for what, change in (("without", None), ("wrong", [[["wrong"]]])):
            mutant = copy.deepcopy(value)
            if change is None:
                del mutant[name]
            else:
                mutant[name] = change
            yield f"{what} {name}", mutant
    yield "unknown field", {**copy.deepcopy(value), "bogus": 1}


def test_the_checker_catches_every_mutated_answer(played: Stage) -> None:
    drawn = random.Random(7)
    good = [taken for taken in played.taken if taken.status == 200 and "deleted" not in taken.body]
    missed = []
    for taken in drawn.sample(good, 8):
        pointer = response_pointer(taken.method, taken.path)[1]
        required = _required(pointer, taken.body)
        assert {"object"} <= required
        for what, mutant in _mutants(taken.body):
            is_optional = what.startswith("without ") and what.removeprefix("without ") not in required
            if not is_optional and not complaints(mutant, pointer):
                missed.append(f"{taken.method} {taken.path}: {what}")
    assert missed == []


def test_the_checker_catches_a_mutated_event(played: Stage) -> None:
    event = next(event for event in played.events() if event["type"] == "charge.succeeded")
    assert event_complaints(event) == []
    for name in ("amount", "outcome", "payment_method_details", "status"):
        mutant = copy.deepcopy(event)
        del mutant["data"]["object"][name]
        assert event_complaints(mutant) != [], name
    assert event_complaints({**event, "type": "charge.exploded"}) != []


def _required(pointer: str, body: dict[str, Any]) -> set[str]:
    """Return the fields that the description requires of an answer."""
    shapes = [shape for shape in choices_at(pointer) if body["object"] in object_words(shape)]
    return {name for shape in shapes for name in shape.get("required", ())}


# --- requests --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", ["payment_intent", "charge", "checkout.session", "refund", "customer", "payout", "price"]
)
def test_a_skeleton_is_complete_by_construction(kind: str) -> None:
    skeleton = Bank().vault.spec.skeleton(kind)
    assert complaints(skeleton, f"/components/schemas/{kind}") == []
