"""How a subscription stands: what its status becomes when an invoice is paid, fails or is given up, and its end.

Invoices tell it, and it knows nothing of how they are collected.
"""

from typing import Any, Final

from sandbox.test_bank.resources import test_clocks
from sandbox.test_bank.store import Wire
from sandbox.test_bank.vault import Vault

OVER: Final = frozenset({"canceled", "incomplete_expired"})
GIVEN_UP: Final = ("cancel", "unpaid", "past_due")
"""What becomes of a subscription when the last retry has failed; an account's setting, which control changes."""
_SETTING: Final = "dunning_outcome"


def changed(vault: Vault, subscription: Wire, **fields: Any) -> None:
    """Change a subscription and tell so, with what was before; nothing is told when nothing changed."""
    previous = {name: subscription[name] for name, value in fields.items() if subscription[name] != value}
    if not previous:
        return
    subscription |= fields
    vault.keep(subscription)
    vault.emit("customer.subscription.updated", subscription, previous=previous)


def paid(vault: Vault, subscription: Wire, invoice: Wire) -> None:
    """Let a subscription follow a paid invoice: the newest one decides, as with Stripe."""
    is_newest = subscription["latest_invoice"] == invoice["id"]
    if is_newest and subscription["status"] in {"incomplete", "past_due", "unpaid"}:
        changed(vault, subscription, status="active")


def failed(vault: Vault, subscription: Wire) -> None:
    """Let a subscription follow a failed renewal; one that never began stays `incomplete`."""
    if subscription["status"] in {"active", "trialing"}:
        changed(vault, subscription, status="past_due")


def given_up(vault: Vault, subscription: Wire) -> None:
    """Let a subscription follow an invoice whose last retry has failed."""
    outcome = vault.store.setting(_SETTING, default=GIVEN_UP[0])
    if subscription["status"] in OVER:
        return
    if outcome == "cancel":
        end(vault, subscription, reason="payment_failed")
    elif outcome == "unpaid":
        changed(vault, subscription, status="unpaid")


def choose_outcome(vault: Vault, outcome: str) -> None:
    """Choose what becomes of subscriptions whose last retry fails."""
    assert outcome in GIVEN_UP, outcome
    vault.store.set(_SETTING, value=outcome)


def end(vault: Vault, subscription: Wire, *, reason: str | None, status: str = "canceled") -> None:
    """End a subscription now: its open invoices stay, and nobody goes on collecting them."""
    now = test_clocks.now(vault, subscription)
    subscription |= {
        "status": status,
        "ended_at": now,
        "canceled_at": subscription["canceled_at"] or now,
        "pause_collection": None,
        "cancellation_details": (subscription["cancellation_details"] or {}) | {"reason": reason},
    }
    subscription.pop("status_details", None)
    vault.keep(subscription)
    for invoice in invoices_of(vault, subscription):
        if invoice["status"] in {"draft", "open"}:
            invoice |= {"auto_advance": False, "automatically_finalizes_at": None, "next_payment_attempt": None}
            vault.keep(invoice)
    if status == "canceled":
        vault.emit("customer.subscription.deleted", subscription)
    else:
        vault.emit("customer.subscription.updated", subscription, previous={"status": "incomplete"})


def invoices_of(vault: Vault, subscription: Wire) -> list[Wire]:
    """Return a subscription's invoices, the newest first."""
    return [one for one in vault.every("invoice") if subscription_id(one) == subscription["id"]]


def subscription_id(invoice: Wire) -> str:
    """Return which subscription an invoice belongs to: in this bank each belongs to one."""
    return str(invoice["parent"]["subscription_details"]["subscription"])


def subscription_of(vault: Vault, invoice: Wire) -> Wire:
    """Return the subscription of an invoice."""
    return vault.sure("subscription", subscription_id(invoice))
