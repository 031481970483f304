"""The balance and its entries: what each charge, refund, dispute and payout adds, takes and costs."""

from collections import Counter
from collections.abc import Mapping
from typing import Final

from sandbox.test_bank import paging
from sandbox.test_bank.clock import DAY_S, next_midnight
from sandbox.test_bank.errors import ApiError
from sandbox.test_bank.store import Wire
from sandbox.test_bank.vault import Call, DueHandler, Handler, Vault

AVAILABLE_AFTER_DAYS: Final = 2
"""Stripe's T+2; the funds count from the beginning of the day."""
_CATEGORIES: Final = {
    "payment": "charge",
    "payment_refund": "refund",
    "payment_failure_refund": "charge_failure",
}


def book(
    vault: Vault,
    *,
    source: str,
    amount: int,
    currency: str,
    kind: str,
    fee: int = 0,
    days: int = 0,
    category: str | None = None,
    description: str | None = None,
) -> Wire:
    """Add an entry to the balance: `amount` is signed, `fee` is what the bank keeps of it."""
    now = vault.now()
    available_on = now if days == 0 else now - now % DAY_S + days * DAY_S
    details = [
        {"amount": fee, "application": None, "currency": currency, "description": "Test Bank fee", "type": "stripe_fee"}
    ]
    entry = vault.new(
        "balance_transaction",
        amount=amount,
        available_on=available_on,
        balance_type="payments",
        currency=currency,
        description=description,
        fee=fee,
        fee_details=details if fee else [],
        net=amount - fee,
        reporting_category=category or _CATEGORIES.get(kind, kind),
        source=source,
        status="available" if available_on <= now else "pending",
        type=kind,
    )
    if available_on > now:
        vault.store.schedule(available_on, "available", entry["id"])
    if kind != "payout":
        arm_payouts(vault)
    return entry


def arm_payouts(vault: Vault) -> None:
    """Let the next midnight look what can be paid out, unless it will anyway."""
    if not vault.store.setting("payouts_armed", default=False):
        vault.store.set("payouts_armed", value=True)
        vault.store.schedule(next_midnight(vault.now()), "payouts", "")


def holdings(vault: Vault, status: str) -> Counter[str]:
    """Return the net sum by currency of the entries that are available or pending."""
    sums: Counter[str] = Counter()
    for entry in vault.every("balance_transaction"):
        if entry["status"] == status:
            sums[entry["currency"]] += entry["net"]
    return sums


def balance(vault: Vault) -> Wire:
    """Return the balance as an object."""
    available, pending = holdings(vault, "available"), holdings(vault, "pending")
    currencies = sorted({"usd", *available, *pending})

    def amounts(sums: Counter[str]) -> list[Wire]:
        return [{"amount": sums[code], "currency": code, "source_types": {"card": sums[code]}} for code in currencies]

    return vault.spec.skeleton("balance") | {"available": amounts(available), "pending": amounts(pending)}


def retrieve_balance(vault: Vault, _: Call) -> Wire:
    """Answer `balance.retrieve`."""
    return balance(vault)


def retrieve(vault: Vault, call: Call) -> Wire:
    """Return one entry."""
    return vault.get("balance_transaction", call.identifier)


def list_all(vault: Vault, call: Call) -> Wire:
    """List entries; those of a payout are known for automatic payouts only."""
    payout_id = call.params.get("payout")
    if payout_id is None:
        return paging.listed(vault, call, "balance_transaction", "currency", "source", "type")
    payout = vault.get("payout", payout_id, param="payout")
    if not payout["automatic"]:
        raise ApiError(
            "Balance transaction history can only be filtered on automatic transfers, not manual.", param="payout"
        )

    def is_in_payout(entry: Wire) -> bool:
        return bool(vault.notes(entry["id"]).get("payout") == payout_id)

    return paging.listed(vault, call, "balance_transaction", "currency", "source", "type", where=is_in_payout)


def become_available(vault: Vault, identifier: str) -> None:
    """Let an entry's money count as available."""
    entry = vault.sure("balance_transaction", identifier)
    entry["status"] = "available"
    vault.keep(entry)


OPERATIONS: Final[Mapping[str, Handler]] = {
    "balance.retrieve": retrieve_balance,
    "balanceTransactions.retrieve": retrieve,
    "balanceTransactions.list": list_all,
}
TAKES: Final[Mapping[str, frozenset[str]]] = {
    "balance.retrieve": frozenset(),
    "balanceTransactions.retrieve": frozenset(),
    "balanceTransactions.list": paging.PAGE | {"currency", "source", "type", "payout"},
}
DUE: Final[Mapping[str, DueHandler]] = {"available": become_available}
