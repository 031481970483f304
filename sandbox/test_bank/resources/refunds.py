"""Refunds: made, pending, succeeded, and sometimes failed weeks after they succeeded."""

from collections.abc import Mapping
from typing import Final

from sandbox.test_bank import money, paging
from sandbox.test_bank.cards import CardEffect
from sandbox.test_bank.errors import ApiError
from sandbox.test_bank.resources import balance, charges, methods
from sandbox.test_bank.store import Wire
from sandbox.test_bank.vault import Call, DueHandler, Handler, Vault, merged_metadata

TURNS_AFTER_S: Final = 3_600
"""When a pending refund succeeds, or a succeeded one of the failing card fails."""


def create(vault: Vault, call: Call) -> Wire:
    """Return captured money, all of it or part."""
    charge = _charge_of(vault, call)
    remaining = charge["amount_captured"] - charge["amount_refunded"]
    amount = call.params.get("amount", remaining)
    _check(vault, charge, amount, remaining)
    metadata = merged_metadata({}, call.params.get("metadata", {}))
    card = methods.card_of(vault, charge["payment_method"])
    is_pending = card is None or card.effect is CardEffect.REFUND_PENDING_OK
    # A refund takes from what the charge brought, so the charge stands in the balance first.
    charges.booked(vault, charge["id"])
    refund = vault.new(
        "refund",
        amount=amount,
        charge=charge["id"],
        currency=charge["currency"],
        customer=charge["customer"],
        metadata=metadata,
        payment_intent=charge["payment_intent"],
        payment_method=charge["payment_method"],
        reason=call.params.get("reason"),
        status="pending" if is_pending else "succeeded",
        **({"pending_reason": "processing"} if is_pending else _destination(charge)),
    )
    refund["balance_transaction"] = _book(vault, refund, -amount, "refund" if card else "payment_refund")
    _count(charge, amount)
    vault.keep(refund)
    vault.keep(charge)
    vault.emit("refund.created", refund)
    vault.emit("charge.refunded", charge, previous={"amount_refunded": charge["amount_refunded"] - amount})
    if is_pending or (card is not None and card.effect is CardEffect.REFUND_FAILS):
        vault.later(TURNS_AFTER_S, "refund_succeeds" if is_pending else "refund_fails", refund["id"])
    return refund


def retrieve(vault: Vault, call: Call) -> Wire:
    """Return a refund."""
    return vault.get("refund", call.identifier)


def update(vault: Vault, call: Call) -> Wire:
    """Change a refund's metadata."""
    refund = vault.get("refund", call.identifier)
    refund["metadata"] = merged_metadata(refund["metadata"], call.params.get("metadata", {}))
    vault.keep(refund)
    _tell(vault, refund)
    return refund


def cancel(vault: Vault, call: Call) -> Wire:
    """Cancel a refund that waits for the customer; card refunds never do, so Stripe refuses them, and so do we."""
    refund = vault.get("refund", call.identifier)
    if refund["status"] != "requires_action":
        raise ApiError(
            f"This refund could not be canceled because its status is {refund['status']}; only refunds that require "
            "action can be canceled."
        )
    _end(vault, refund, status="canceled", reason=None)
    return refund


def list_all(vault: Vault, call: Call) -> Wire:
    """List refunds."""
    return paging.listed(vault, call, "refund", "charge", "payment_intent")


def succeed(vault: Vault, identifier: str) -> None:
    """Let a pending refund succeed."""
    refund = vault.get("refund", identifier)
    if refund["status"] not in {"pending", "requires_action"}:
        return
    refund["status"] = "succeeded"
    refund.pop("pending_reason", None)
    vault.keep(refund)
    _tell(vault, refund)


def fail(vault: Vault, identifier: str) -> None:
    """Let a refund fail, even one that had succeeded: the money is back in the balance."""
    refund = vault.get("refund", identifier)
    if refund["status"] in {"pending", "requires_action", "succeeded"}:
        _end(vault, refund, status="failed", reason="expired_or_canceled_card")


OPERATIONS: Final[Mapping[str, Handler]] = {
    "refunds.create": create,
    "refunds.retrieve": retrieve,
    "refunds.update": update,
    "refunds.cancel": cancel,
    "refunds.list": list_all,
}
TAKES: Final[Mapping[str, frozenset[str]]] = {
    "refunds.create": frozenset({"amount", "charge", "payment_intent", "reason", "metadata"}),
    "refunds.retrieve": frozenset(),
    "refunds.update": frozenset({"metadata"}),
    "refunds.cancel": frozenset(),
    "refunds.list": paging.PAGE | {"charge", "payment_intent"},
}
DUE: Final[Mapping[str, DueHandler]] = {"refund_succeeds": succeed, "refund_fails": fail}


def _charge_of(vault: Vault, call: Call) -> Wire:
    params = call.params
    if "charge" in params and "payment_intent" in params:
        raise ApiError(
            "You may only specify one of these parameters: charge, payment_intent.", code="parameters_exclusive"
        )
    if "charge" in params:
        charge = vault.get("charge", params["charge"], param="charge")
    elif "payment_intent" in params:
        intent = vault.get("payment_intent", params["payment_intent"], param="payment_intent")
        charge = vault.find("charge", intent["latest_charge"]) or {}
    else:
        raise ApiError(
            "One of the following params should be provided for this request: payment_intent or charge.",
            code="parameter_missing",
        )
    if charge.get("status") != "succeeded" or not charge["captured"]:
        named = params.get("payment_intent") or params.get("charge")
        raise ApiError(
            f"{named} does not have a successful charge to refund.",
            param=next(iter({"charge", "payment_intent"} & set(params))),
        )
    return charge


def _check(vault: Vault, charge: Wire, amount: int, remaining: int) -> None:
    if charge["disputed"] and not _is_refundable(vault, charge):
        raise ApiError(f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed")
    if remaining == 0:
        raise ApiError(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    if amount < 1:
        raise ApiError("Invalid positive integer", code="parameter_invalid_integer", param="amount")
    if amount > remaining:
        currency = charge["currency"]
        raise ApiError(
            f"Refund amount ({money.shown(amount, currency)}) is greater than unrefunded amount on charge "
            f"({money.shown(remaining, currency)})",
            param="amount",
        )


def _is_refundable(vault: Vault, charge: Wire) -> bool:
    disputes = (dispute for dispute in vault.every("dispute") if dispute["charge"] == charge["id"])
    return all(dispute["is_charge_refundable"] or dispute["status"] == "won" for dispute in disputes)


def _destination(charge: Wire) -> Wire:
    kind = charge["payment_method_details"]["type"]
    if kind != "card":
        return {}
    card = {"reference_status": "pending", "reference_type": "acquirer_reference_number", "type": "refund"}
    return {"destination_details": {"type": "card", "card": card}}


def _book(vault: Vault, refund: Wire, amount: int, kind: str) -> str:
    entry = balance.book(
        vault,
        source=refund["id"],
        amount=amount,
        currency=refund["currency"],
        kind=kind,
        category="refund" if amount < 0 else "refund_failure",
        description="REFUND FOR CHARGE" if amount < 0 else "REFUND FAILURE",
    )
    return str(entry["id"])


def _count(charge: Wire, amount: int) -> None:
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] >= charge["amount_captured"]


def _end(vault: Vault, refund: Wire, *, status: str, reason: str | None) -> None:
    refund["status"] = status
    refund.pop("pending_reason", None)
    refund["failure_balance_transaction"] = _book(vault, refund, refund["amount"], "refund_failure")
    if reason is not None:
        refund["failure_reason"] = reason
    charge = vault.sure("charge", refund["charge"])
    _count(charge, -refund["amount"])
    vault.keep(refund)
    vault.keep(charge)
    _tell(vault, refund)
    if status == "failed":
        vault.emit("refund.failed", refund)
    vault.emit("charge.updated", charge)


def _tell(vault: Vault, refund: Wire) -> None:
    vault.emit("refund.updated", refund)
    vault.emit("charge.refund.updated", refund)
