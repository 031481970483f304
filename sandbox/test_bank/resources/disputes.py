"""Disputes, inquiries and early fraud warnings: the bank takes money back, and now and then returns it."""

from collections.abc import Mapping
from typing import Final

from sandbox.test_bank import paging
from sandbox.test_bank.cards import CardEffect
from sandbox.test_bank.clock import DAY_S
from sandbox.test_bank.errors import ApiError
from sandbox.test_bank.money import DISPUTE_FEE
from sandbox.test_bank.resources import balance, charges
from sandbox.test_bank.store import Wire
from sandbox.test_bank.vault import Call, DueHandler, Handler, Vault, merged_metadata

RESPONSE_WITHIN_S: Final = 7 * DAY_S
_OPEN: Final = ("warning_needs_response", "warning_under_review", "needs_response", "under_review")
_REASON_CODES: Final = {"fraudulent": "10.4", "product_not_received": "13.1"}
# Stripe's words in `evidence[uncategorized_text]` that decide a dispute in test mode.
_WINNING: Final = "winning_evidence"
_LOSING: Final = "losing_evidence"


def open_one(vault: Vault, charge: Wire, *, reason: str, is_inquiry: bool = False) -> Wire:
    """Open a dispute, which takes amount and fee at once, or an inquiry, which takes nothing.

    Raises:
        ApiError: the charge took no money, or is in dispute already.
    """
    if charge["status"] != "succeeded" or not charge["captured"]:
        raise ApiError("Only a captured charge can be disputed.", param="charge")
    if any(dispute["charge"] == charge["id"] and dispute["status"] in _OPEN for dispute in vault.every("dispute")):
        raise ApiError(f"Charge {charge['id']} is in dispute already.", param="charge")
    charges.booked(vault, charge["id"])
    dispute = _make(vault, charge, reason=reason, is_inquiry=is_inquiry)
    charge["disputed"] = True
    vault.keep(charge)
    vault.emit("charge.dispute.created", dispute)
    if not is_inquiry:
        _withdraw(vault, dispute)
    return dispute


def close_as(vault: Vault, dispute: Wire, *, is_won: bool) -> None:
    """Decide an open dispute; a won one gives the amount back, not the fee.

    Raises:
        ApiError: it is closed already.
    """
    if dispute["status"] not in _OPEN:
        raise ApiError("This dispute is already closed", code="dispute_already_closed", status=400)
    previous = dispute["status"]
    if previous.startswith("warning_"):
        dispute["status"] = "warning_closed"
    else:
        dispute["status"] = "won" if is_won else "lost"
    vault.keep(dispute)
    vault.emit("charge.dispute.closed", dispute, previous={"status": previous})
    if dispute["status"] == "won":
        _book(vault, dispute, dispute["amount"], fee=0, category="dispute_reversal")
        vault.emit("charge.dispute.funds_reinstated", dispute)


def retrieve(vault: Vault, call: Call) -> Wire:
    """Return a dispute."""
    return vault.get("dispute", call.identifier)


def update(vault: Vault, call: Call) -> Wire:
    """Take evidence; submitted, it decides by Stripe's magic words or waits for the bank."""
    dispute = vault.get("dispute", call.identifier)
    metadata = merged_metadata(dispute["metadata"], call.params.get("metadata", {}))
    if dispute["status"] not in _OPEN:
        raise ApiError("This dispute is already closed", code="dispute_already_closed")
    evidence = {name: value or None for name, value in call.params.get("evidence", {}).items()}
    dispute["metadata"] = metadata
    dispute["evidence"] |= evidence
    dispute["evidence_details"]["has_evidence"] = any(isinstance(value, str) for value in dispute["evidence"].values())
    if call.params.get("submit", True) and evidence:
        dispute["evidence_details"] |= {
            "submission_count": dispute["evidence_details"]["submission_count"] + 1,
            "submission_method": "manual",
        }
        is_warning = dispute["status"].startswith("warning_")
        dispute["status"] = "warning_under_review" if is_warning else "under_review"
    vault.keep(dispute)
    vault.emit("charge.dispute.updated", dispute)
    if dispute["status"].endswith("under_review"):
        _decide(vault, dispute)
    return dispute


def close(vault: Vault, call: Call) -> Wire:
    """Accept a dispute: it is lost."""
    dispute = vault.get("dispute", call.identifier)
    close_as(vault, dispute, is_won=False)
    return dispute


def list_all(vault: Vault, call: Call) -> Wire:
    """List disputes."""
    return paging.listed(vault, call, "dispute", "charge", "payment_intent")


def warn(vault: Vault, charge: Wire) -> Wire:
    """Record an early fraud warning, which moves no money."""
    warning = vault.new(
        "radar.early_fraud_warning",
        actionable=True,
        charge=charge["id"],
        fraud_type="made_with_stolen_card",
        payment_intent=charge["payment_intent"],
    )
    vault.emit("radar.early_fraud_warning.created", warning)
    return warning


def follow_card(vault: Vault, charge_id: str) -> None:
    """Let happen what the test card of a captured charge is for."""
    charge = vault.sure("charge", charge_id)
    match vault.notes(charge_id)["aftermath"]:
        case CardEffect.DISPUTE_FRAUD:
            open_one(vault, charge, reason="fraudulent")
        case CardEffect.DISPUTE_NOT_RECEIVED:
            open_one(vault, charge, reason="product_not_received")
        case CardEffect.INQUIRY:
            open_one(vault, charge, reason="fraudulent", is_inquiry=True)
        case CardEffect.EARLY_FRAUD_WARNING:
            warn(vault, charge)


OPERATIONS: Final[Mapping[str, Handler]] = {
    "disputes.retrieve": retrieve,
    "disputes.update": update,
    "disputes.close": close,
    "disputes.list": list_all,
}
TAKES: Final[Mapping[str, frozenset[str]]] = {
    "disputes.retrieve": frozenset(),
    "disputes.update": frozenset({"evidence", "metadata", "submit"}),
    "disputes.close": frozenset(),
    "disputes.list": paging.PAGE | {"charge", "payment_intent"},
}
DUE: Final[Mapping[str, DueHandler]] = {"aftermath": follow_card}


def _make(vault: Vault, charge: Wire, *, reason: str, is_inquiry: bool) -> Wire:
    brand = (charge["payment_method_details"].get("card") or {}).get("brand", "visa")
    code = _REASON_CODES.get(reason)
    dispute = vault.new(
        "dispute",
        amount=charge["amount_captured"] - charge["amount_refunded"],
        charge=charge["id"],
        currency=charge["currency"],
        is_charge_refundable=is_inquiry,
        network_reason_code=code,
        payment_intent=charge["payment_intent"],
        payment_method_details={
            "type": "card",
            "card": {
                "brand": brand,
                "case_type": "inquiry" if is_inquiry else "chargeback",
                "network": brand,
                "network_reason_code": code,
            },
        },
        reason=reason,
        status="warning_needs_response" if is_inquiry else "needs_response",
    )
    dispute["evidence_details"] |= {"due_by": vault.now() + RESPONSE_WITHIN_S, "submission_method": "not_submitted"}
    return dispute


def _withdraw(vault: Vault, dispute: Wire) -> None:
    _book(vault, dispute, -dispute["amount"], fee=DISPUTE_FEE, category="dispute")
    vault.emit("charge.dispute.funds_withdrawn", dispute)


def _book(vault: Vault, dispute: Wire, amount: int, *, fee: int, category: str) -> None:
    entry = balance.book(
        vault,
        source=dispute["id"],
        amount=amount,
        currency=dispute["currency"],
        kind="adjustment",
        fee=fee,
        category=category,
        description=f"Chargeback {'withdrawal' if amount < 0 else 'reversal'} for {dispute['charge']}",
    )
    dispute["balance_transactions"].append(dict(entry))
    vault.keep(dispute)


def _decide(vault: Vault, dispute: Wire) -> None:
    words = dispute["evidence"]["uncategorized_text"]
    if words in {_WINNING, _LOSING}:
        close_as(vault, dispute, is_won=words == _WINNING)
