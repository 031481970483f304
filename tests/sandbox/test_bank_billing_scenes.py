"""Scenes of billing: every operation on subscriptions, invoices, portal sessions and test clocks, once.

The conformance suite plays them beside the others, and checks every answer and event against the description.
"""

from datetime import UTC, datetime
from typing import Any

import pytest
import stripe

from tests.sandbox.test_bank_stage import CHALLENGED, OK, Stage, event_complaints

DAY_S = 86_400
HOUR_S = 3_600
JANUARY_31 = int(datetime(2026, 1, 31, 12, tzinfo=UTC).timestamp())
ATTACHES_THEN_FAILS = "4000000000000341"


def monthly(amount: int = 1_000, **more: Any) -> dict[str, Any]:
    """Return `price_data` of a price that comes back every month."""
    return {
        "currency": "eur",
        "unit_amount": amount,
        "product_data": {"name": "Coffee"},
        "recurring": {"interval": "month"},
    } | more


def signup(stage: Stage, **more: Any) -> Any:
    """Open a checkout session for a subscription to one coffee a month."""
    given = {"mode": "subscription", "success_url": "http://shop.test/ok?cs={CHECKOUT_SESSION_ID}"}
    return stage.v1.checkout.sessions.create(
        {
            **given,
            "line_items": [{"quantity": 1, "price_data": monthly()}],
            "subscription_data": {"metadata": {"sp_op": "op_1"}},
        }
        | more
    )


def subscribed(stage: Stage, number: str = OK, **more: Any) -> Any:
    """Return the subscription of a session that was paid, with its newest invoice."""
    session = signup(stage, **more)
    assert stage.pay(session, number, email="jenny@example.com").kind == "paid"
    paid = stage.v1.checkout.sessions.retrieve(session.id)
    return stage.v1.subscriptions.retrieve(paid.subscription, {"expand": ["latest_invoice"]})


def member(stage: Stage, number: str = OK, **more: Any) -> Any:
    """Return a customer whose invoices are paid with a card."""
    customer = stage.v1.customers.create({"name": "Jenny Rosen", "email": "jenny@example.com"} | more)
    typed = {"number": number, "exp_month": 12, "exp_year": 2040, "cvc": "123"}
    method = stage.v1.payment_methods.create({"type": "card", "card": typed})
    stage.v1.payment_methods.attach(method.id, {"customer": customer.id})
    return stage.v1.customers.update(customer.id, {"invoice_settings": {"default_payment_method": method.id}})


def recurring_price(stage: Stage, amount: int = 1_000, **recurring: Any) -> Any:
    """Return a price that comes back, every month unless told otherwise."""
    product = stage.v1.products.create({"name": "Coffee"})
    rhythm = {"interval": "month"} | recurring
    return stage.v1.prices.create(
        {"currency": "eur", "unit_amount": amount, "product": product.id, "recurring": rhythm}
    )


class News:
    """The billing events since the last look, money's own left out."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._seen = len(stage.events())

    def names(self) -> list[str]:
        """Return the types of the fresh events."""
        return [event["type"] for event in self.events()]

    def events(self) -> list[dict[str, Any]]:
        """Return the fresh events, each found to fit the description."""
        made = self._stage.events()
        fresh, self._seen = made[self._seen :], len(made)
        assert [found for event in fresh if (found := event_complaints(event))] == []
        kept = ("customer.subscription", "invoice", "checkout", "test_helpers")
        return [event for event in fresh if event["type"].startswith(kept)]


def read(stage: Stage, subscription: Any) -> Any:
    """Read a subscription again, with its newest invoice and what pays it."""
    return stage.v1.subscriptions.retrieve(subscription.id, {"expand": ["latest_invoice.payments"]})


def invoices_of(stage: Stage, subscription: Any, **more: Any) -> list[Any]:
    """Return the invoices of a subscription, the first first."""
    found = stage.v1.invoices.list({"subscription": subscription.id, "limit": 100, **more}).data
    return list(reversed(found))


def period_of(subscription: Any) -> tuple[int, int]:
    """Return when the current period begins and ends."""
    row = subscription["items"].data[0]
    return row.current_period_start, row.current_period_end


def begun(stage: Stage, number: str = OK, **more: Any) -> Any:
    """Return a subscription begun by the API, of a customer with a card."""
    customer = member(stage, number)
    return stage.v1.subscriptions.create(
        {"customer": customer.id, "items": [{"price": recurring_price(stage).id}]} | more
    )


def use_card(stage: Stage, customer_id: str, number: str) -> None:
    """Save another card, and pay by it from now on."""
    typed = {"number": number, "exp_month": 12, "exp_year": 2040, "cvc": "123"}
    method = stage.v1.payment_methods.create({"type": "card", "card": typed})
    stage.v1.payment_methods.attach(method.id, {"customer": customer_id})
    stage.v1.customers.update(customer_id, {"invoice_settings": {"default_payment_method": method.id}})


def on_page(stage: Stage) -> None:
    """Begin subscriptions on the checkout page, at once, with a challenge, and with a trial."""
    plain = subscribed(stage)
    stage.bank.advance(32 * DAY_S)
    stage.v1.subscriptions.retrieve(plain.id, {"expand": ["latest_invoice.payments", "customer"]})
    challenged = signup(stage)
    stage.bank.answer_challenge(str(stage.pay(challenged, CHALLENGED).redirect_url).rpartition("/")[2], passed=True)
    stage.v1.checkout.sessions.retrieve(challenged.id, {"expand": ["subscription", "invoice.confirmation_secret"]})
    subscribed(stage, ATTACHES_THEN_FAILS, subscription_data={"trial_period_days": 7})
    stage.bank.advance(25 * DAY_S)


def by_api(stage: Stage) -> None:
    """Begin, change, pause, resume, list and cancel a subscription."""
    subscriptions, items = stage.v1.subscriptions, stage.v1.subscription_items
    customer, price = member(stage), recurring_price(stage)
    made = subscriptions.create(
        {
            "customer": customer.id,
            "items": [{"price": price.id, "quantity": 2}],
            "metadata": {"a": "b"},
            "cancel_at": stage.bank.vault.now() + 400 * DAY_S,
        }
    )
    row = items.list({"subscription": made.id}).data[0]
    items.retrieve(row.id)
    subscriptions.update(
        made.id,
        {
            "items": [{"id": row.id, "quantity": 3}],
            "proration_behavior": "none",
            "cancel_at_period_end": True,
            "pause_collection": {"behavior": "void"},
            "description": "Coffee",
        },
    )
    subscriptions.update(made.id, {"pause_collection": "", "cancel_at_period_end": False})
    subscriptions.pause(made.id, {"type": "subscription"})
    stage.bank.advance(40 * DAY_S)
    subscriptions.resume(made.id, {"billing_cycle_anchor": {"type": "now"}})
    subscriptions.list({"customer": customer.id, "status": "all", "price": price.id})
    subscriptions.cancel(made.id, {"cancellation_details": {"comment": "no more coffee", "feedback": "too_expensive"}})
    with pytest.raises(stripe.InvalidRequestError):
        subscriptions.update(made.id, {"description": "again"})


def by_invoice(stage: Stage) -> None:
    """Finalize, pay, write off and void invoices, and read what paid them."""
    invoices, customer = stage.v1.invoices, member(stage)
    begun = {"customer": customer.id, "items": [{"price": recurring_price(stage).id}]}
    made = stage.v1.subscriptions.create({**begun, "payment_behavior": "default_incomplete"})
    first = invoices.retrieve(made.latest_invoice, {"expand": ["payments", "confirmation_secret"]})
    invoices.pay(first.id)
    stage.v1.subscriptions.update(made.id, {"pause_collection": {"behavior": "keep_as_draft"}})
    stage.bank.advance(65 * DAY_S)
    newest, older = invoices.list({"subscription": made.id, "status": "draft"}).data
    invoices.finalize_invoice(older.id, {"auto_advance": False})
    invoices.mark_uncollectible(older.id)
    invoices.void_invoice(older.id)
    invoices.pay(newest.id)
    invoices.line_items.list(newest.id)
    payment = stage.v1.invoice_payments.list({"invoice": newest.id}).data[0]
    stage.v1.invoice_payments.retrieve(payment.id, {"expand": ["payment.payment_intent", "invoice"]})


def by_clock(stage: Stage) -> None:
    """Let a clock of its own pass for one customer, and look at the portal."""
    clocks = stage.v1.test_helpers.test_clocks
    clock = clocks.create({"frozen_time": 1_800_000_000, "name": "a year ahead"})
    customer = member(stage, test_clock=clock.id)
    stage.v1.subscriptions.create({"customer": customer.id, "items": [{"price": recurring_price(stage).id}]})
    clocks.advance(clock.id, {"frozen_time": 1_800_000_000 + 60 * DAY_S})
    clocks.retrieve(clock.id)
    clocks.list()
    stage.v1.billing_portal.sessions.create({"customer": customer.id, "return_url": "http://shop.test/account"})
    clocks.delete(clock.id)


SCENES = (on_page, by_api, by_invoice, by_clock)
