"""Charges: one try each to take money, its entry in the balance, and what a test card makes of it afterwards."""

from collections.abc import Mapping
from typing import Any, Final

from sandbox.test_bank import paging
from sandbox.test_bank.cards import CardEffect, TestCard
from sandbox.test_bank.clock import DAY_S
from sandbox.test_bank.money import fee_of
from sandbox.test_bank.paging import DEFAULT_LIMIT
from sandbox.test_bank.resources import balance, methods
from sandbox.test_bank.store import Wire
from sandbox.test_bank.vault import Call, DueHandler, Handler, Vault, merged_metadata

BOOKED_AFTER_S: Final = 1
"""With `automatic_async`, Stripe's default, the entry in the balance follows the charge and `charge.updated` tells."""
AUTHORIZATION_LASTS_S: Final = 7 * DAY_S
_AFTERMATHS: Final = frozenset(
    {
        CardEffect.DISPUTE_FRAUD,
        CardEffect.DISPUTE_NOT_RECEIVED,
        CardEffect.INQUIRY,
        CardEffect.EARLY_FRAUD_WARNING,
    }
)
_TAKEN_IN_PARTS: Final = frozenset({"amex", "cartes_bancaires", "discover", "mastercard", "visa"})
"""The brands of which a hold may be captured several times, https://docs.stripe.com/payments/multicapture."""
_RECEIPT: Final = "{base}/receipts/{id}"


def make(vault: Vault, intent: Wire, method: Wire, *, is_authenticated: bool = False) -> Wire:
    """Make a charge of a payment intent, as yet without an outcome."""
    charge = vault.new(
        "charge",
        amount=intent["amount"],
        billing_details=method["billing_details"],
        calculated_statement_descriptor="STREAMPAY TEST BANK",
        currency=intent["currency"],
        customer=intent["customer"],
        description=intent["description"],
        fraud_details={},
        metadata=dict(intent["metadata"]),
        payment_intent=intent["id"],
        payment_method=method["id"],
        payment_method_details=_details(vault, intent, method, is_authenticated=is_authenticated),
        receipt_email=intent["receipt_email"],
        statement_descriptor=intent["statement_descriptor"],
        statement_descriptor_suffix=intent["statement_descriptor_suffix"],
        status="pending",
    )
    intent["latest_charge"] = charge["id"]
    vault.keep(intent)
    return charge


def fail(vault: Vault, charge: Wire, *, code: str, message: str, outcome: Wire) -> None:
    """Let a charge fail."""
    charge |= {"status": "failed", "failure_code": code, "failure_message": message, "outcome": outcome}
    vault.keep(charge)
    vault.emit("charge.failed", charge)


def succeed(vault: Vault, charge: Wire, *, card: TestCard | None, is_captured: bool) -> None:
    """Let a charge succeed: captured at once, or as an authorization that waits for capture."""
    charge |= {
        "status": "succeeded",
        "paid": True,
        "outcome": approval(card),
        "receipt_url": _RECEIPT.format(base=vault.base_url, id=charge["id"]),
        "captured": is_captured,
        "amount_captured": charge["amount"] if is_captured else 0,
    }
    if not is_captured and charge["payment_method_details"]["type"] == "card":
        charge["payment_method_details"]["card"]["capture_before"] = vault.now() + AUTHORIZATION_LASTS_S
    vault.keep(charge)
    vault.emit("charge.succeeded", charge)
    if is_captured:
        after_capture(vault, charge, charge["amount"])


def after_capture(vault: Vault, charge: Wire, amount: int) -> None:
    """Let the balance follow a capture, and happen what the test card is for."""
    notes = vault.notes(charge["id"])
    notes.setdefault("unbooked", []).append(amount)
    vault.keep(charge)
    vault.later(BOOKED_AFTER_S, "charge_booked", charge["id"])
    card = methods.card_of(vault, charge["payment_method"])
    if card is not None and card.effect in _AFTERMATHS and "aftermath" not in notes:
        notes["aftermath"] = card.effect.value
        vault.later(0, "aftermath", charge["id"])


def booked(vault: Vault, identifier: str) -> None:
    """Write what was captured into the balance; nothing when a refund needed it there sooner."""
    charge = vault.sure("charge", identifier)
    amounts = vault.notes(identifier).pop("unbooked", [])
    for amount in amounts:
        charge["balance_transaction"] = _book(vault, charge, amount)["id"]
    vault.keep(charge)
    if amounts:
        vault.emit("charge.updated", charge, previous={"balance_transaction": None})


def is_multicapture(charge: Wire) -> bool:
    """Return whether a hold may be captured several times."""
    card = charge["payment_method_details"].get("card") or {}
    return bool(card and card["multicapture"]["status"] == "available")


def approval(card: TestCard | None) -> Wire:
    """Return the `outcome` of a charge that went through."""
    return _outcome(
        card, kind="authorized", network_status="approved_by_network", reason=None, seller_message="Payment complete."
    )


def refusal(card: TestCard | None, reason: str | None, *, is_blocked: bool) -> Wire:
    """Return the `outcome` of a charge that did not."""
    if is_blocked:
        return _outcome(
            card,
            kind="blocked",
            network_status="not_sent_to_network",
            reason="highest_risk_level",
            seller_message="Test Bank blocked this payment as too risky.",
        )
    return _outcome(
        card,
        kind="issuer_declined",
        network_status="declined_by_network",
        reason=reason,
        seller_message="The bank declined the payment.",
    )


def retrieve(vault: Vault, call: Call) -> Wire:
    """Return a charge."""
    return vault.get("charge", call.identifier)


def update(vault: Vault, call: Call) -> Wire:
    """Change what a merchant may change: description, metadata, receipt address, fraud report."""
    charge = vault.get("charge", call.identifier)
    for name in ("description", "receipt_email", "fraud_details", "transfer_group"):
        if name in call.params:
            charge[name] = call.params[name]
    charge["metadata"] = merged_metadata(charge["metadata"], call.params.get("metadata", {}))
    vault.keep(charge)
    vault.emit("charge.updated", charge)
    return charge


def list_all(vault: Vault, call: Call) -> Wire:
    """List charges."""
    return paging.listed(vault, call, "charge", "customer", "payment_intent", "transfer_group")


def refunds_of(vault: Vault, charge: Wire) -> Wire:
    """Return the list of a charge's refunds, newest first, as `expand[]=refunds` shows it."""
    made = [refund for refund in vault.every("refund") if refund["charge"] == charge["id"]]
    url = f"/v1/charges/{charge['id']}/refunds"
    return {"object": "list", "data": made[:DEFAULT_LIMIT], "has_more": len(made) > DEFAULT_LIMIT, "url": url}


OPERATIONS: Final[Mapping[str, Handler]] = {
    "charges.retrieve": retrieve,
    "charges.update": update,
    "charges.list": list_all,
}
TAKES: Final[Mapping[str, frozenset[str]]] = {
    "charges.retrieve": frozenset(),
    "charges.update": frozenset({"description", "receipt_email", "fraud_details", "transfer_group", "metadata"}),
    "charges.list": paging.PAGE | {"customer", "payment_intent", "transfer_group"},
}
DUE: Final[Mapping[str, DueHandler]] = {"charge_booked": booked}
INCLUDABLE: Final[Mapping[tuple[str, str], Any]] = {("charge", "refunds"): refunds_of}


def _book(vault: Vault, charge: Wire, amount: int) -> Wire:
    card = methods.card_of(vault, charge["payment_method"])
    is_card = charge["payment_method_details"]["type"] == "card"
    at_once = card is not None and card.effect is CardEffect.AVAILABLE_AT_ONCE
    return balance.book(
        vault,
        source=charge["id"],
        amount=amount,
        currency=charge["currency"],
        kind="charge" if is_card else "payment",
        fee=fee_of(amount),
        days=0 if at_once else balance.AVAILABLE_AFTER_DAYS,
        description=charge["description"],
    )


def _outcome(card: TestCard | None, *, kind: str, network_status: str, reason: str | None, seller_message: str) -> Wire:
    outcome: Wire = {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": network_status,
        "reason": reason,
        "risk_level": "not_assessed" if card is None else card.risk.value,
        "seller_message": seller_message,
        "type": kind,
    }
    return outcome if card is None else outcome | {"risk_score": card.risk_score}


def _details(vault: Vault, intent: Wire, method: Wire, *, is_authenticated: bool) -> Wire:
    kind = method["type"]
    if kind == "sepa_debit":
        account = {name: method[kind][name] for name in ("bank_code", "branch_code", "country", "fingerprint", "last4")}
        return {"type": kind, kind: account | {"mandate": None}}
    if kind == "us_bank_account":
        names = ("account_holder_type", "account_type", "bank_name", "fingerprint", "last4", "routing_number")
        return {"type": kind, kind: {name: method[kind][name] for name in names} | {"payment_reference": None}}
    shown = (
        "brand",
        "checks",
        "country",
        "exp_month",
        "exp_year",
        "fingerprint",
        "funding",
        "last4",
        "regulated_status",
    )
    authenticated = {
        "authentication_flow": "challenge",
        "electronic_commerce_indicator": "05",
        "exemption_indicator": None,
        "result": "authenticated",
        "result_reason": None,
        "transaction_id": None,
        "version": "2.2.0",
    }
    known: Wire = vault.spec.schemas["charge"]["properties"]["payment_method_details"]["properties"]["card"]
    card: Wire = dict.fromkeys(known["required"])
    card |= {name: method["card"][name] for name in shown} | {"network": method["card"]["brand"]}
    card["three_d_secure"] = authenticated if is_authenticated else None
    card["multicapture"] = {"status": "available" if _may_be_multicapture(intent, method) else "unavailable"}
    return {"type": "card", "card": card}


def _may_be_multicapture(intent: Wire, method: Wire) -> bool:
    """Return whether several captures were asked for, and the card's brand allows them."""
    options = (intent["payment_method_options"] or {}).get("card", {})
    is_asked = options.get("request_multicapture") == "if_available" and intent["capture_method"] == "manual"
    return is_asked and method["card"]["brand"] in _TAKEN_IN_PARTS
