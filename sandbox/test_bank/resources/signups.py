"""Subscriptions begun on the checkout page: the first payment or, for a trial, the card saved; then the subscription.

The subscription is made when the page has been paid, as Stripe does since 2025: a declined card leaves none behind.
"""

from collections.abc import Mapping
from typing import Any, Final

from sandbox.test_bank.checkout import Payer, returning
from sandbox.test_bank.errors import ApiError
from sandbox.test_bank.resources import intents, invoices, renewals, setups, subscriptions, test_clocks
from sandbox.test_bank.resources.renewals import Bought, Terms
from sandbox.test_bank.store import Wire
from sandbox.test_bank.vault import Vault, merged_metadata


def pay(vault: Vault, session: Wire, method: Wire) -> str:
    """Try the first payment of a subscription; with nothing due yet, save the card.

    Raises:
        ApiError: declined.
    """
    if method["type"] != "card":
        raise ApiError("StreamPay Test Bank: subscriptions are paid by card.", param="payment_method")
    if session["amount_total"] == 0:
        setup = _setup_of(vault, session)
        setups.confirm(vault, setup, method, return_url=returning(session))
        return str(setup["status"])
    intent = _intent_of(vault, session)
    intents.confirm(vault, intent, method, return_url=returning(session))
    return str(intent["status"])


def begin_session(vault: Vault, session: Wire) -> None:
    """Begin the subscription of a session that was paid, with its first invoice."""
    if session["mode"] != "subscription":
        return
    notes = vault.notes(session["id"])
    setup = vault.find("setup_intent", notes["intent"])
    intent = None if setup is not None else vault.sure("payment_intent", notes["intent"])
    method_id = (setup or intent or {})["payment_method"]
    customer = vault.sure("customer", session["customer"])
    terms = _terms(test_clocks.now(vault, customer), notes, method_id)
    subscription, invoice = renewals.begin(vault, customer, terms)
    invoices.finalize(vault, invoice, intent=intent)
    if intent is not None:
        vault.notes(intent["id"])["is_in_open_session"] = False
        invoice["attempt_count"] = 1
        invoices.settle(vault, invoice)
    session |= {"subscription": subscription["id"], "invoice": invoice["id"]}
    vault.keep(session)


PAYERS: Final[Mapping[str, Payer]] = {"subscription": pay}


def _terms(now: int, notes: Mapping[str, Any], method_id: str) -> Terms:
    given = notes["subscription_data"]
    bought = [
        Bought(price=line["price"], quantity=line["quantity"], metadata=line["metadata"]) for line in notes["lines"]
    ]
    return Terms(
        items=[one for one in bought if one.price["type"] == "recurring"],
        extras=[one for one in bought if one.price["type"] != "recurring"],
        trial_end=subscriptions.trial_end_of(now, given),
        trial_settings=given.get("trial_settings", {}),
        metadata=merged_metadata({}, given.get("metadata", {})),
        description=given.get("description"),
        default_payment_method=method_id,
        billing_mode=given.get("billing_mode", {}).get("type", "flexible"),
    )


def _intent_of(vault: Vault, session: Wire) -> Wire:
    notes = vault.notes(session["id"])
    intent = vault.find("payment_intent", notes.get("intent"))
    if intent is None:
        intent = intents.make(
            vault,
            amount=session["amount_total"],
            currency=session["currency"],
            customer=session["customer"],
            description="Subscription creation",
            notes={"session": session["id"], "is_in_open_session": True},
            payment_method_types=session["payment_method_types"],
            setup_future_usage="off_session",
        )
        notes["intent"] = intent["id"]
        vault.keep(session)
    return intent


def _setup_of(vault: Vault, session: Wire) -> Wire:
    notes = vault.notes(session["id"])
    setup = vault.find("setup_intent", notes.get("intent"))
    if setup is None:
        setup = setups.make(vault, notes={"session": session["id"]}, customer=session["customer"])
        notes["intent"] = setup["id"]
        vault.keep(session)
    return setup
