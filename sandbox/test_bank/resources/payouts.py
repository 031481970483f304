"""Payouts: each midnight the bank pays out what is available, one payout a currency; others are made by hand."""

from collections.abc import Mapping
from typing import Final

from sandbox.test_bank import money, paging
from sandbox.test_bank.clock import DAY_S, next_midnight
from sandbox.test_bank.errors import ApiError
from sandbox.test_bank.resources import balance
from sandbox.test_bank.store import Wire
from sandbox.test_bank.vault import Call, DueHandler, Handler, Vault, merged_metadata

RECONCILED_AFTER_S: Final = 3_600
ARRIVES_AFTER_S: Final = DAY_S
_BANK_ACCOUNT: Final = "ba_streampaytestbank"


def pay_out_day(vault: Vault, _: str) -> None:
    """Pay out what became available, and come back next midnight while anything waits."""
    vault.store.set("payouts_armed", value=False)
    waiting = [entry for entry in vault.every("balance_transaction") if _is_unpaid(vault, entry)]
    available = [entry for entry in waiting if entry["available_on"] <= vault.now()]
    if available:
        vault.emit("balance.available", balance.balance(vault))
    paid_out = 0
    for currency in sorted({entry["currency"] for entry in available}):
        entries = [entry for entry in available if entry["currency"] == currency]
        # A negative balance is not collected from the merchant: it waits for charges that make up for it.
        if sum(entry["net"] for entry in entries) > 0:
            _pay_out(vault, entries, currency)
            paid_out += len(entries)
    if paid_out < len(waiting):
        balance.arm_payouts(vault)


def create_by_hand(
    vault: Vault, *, amount: int, currency: str, metadata: Mapping[str, str], description: str | None = None
) -> Wire:
    """Pay out an amount that the merchant names; its entries are not listed, as with Stripe.

    Raises:
        ApiError: `balance_insufficient`.
    """
    if amount < 1:
        raise ApiError(
            "This value must be greater than or equal to 1.", code="parameter_invalid_integer", param="amount"
        )
    available = balance.holdings(vault, "available")[currency]
    if amount > available:
        raise ApiError(
            "You have insufficient funds in your Test Bank account for this payout. Your available balance is "
            f"{money.shown(available, currency)}.",
            code="balance_insufficient",
            param="amount",
        )
    payout = _make(vault, amount, currency, is_automatic=False)
    payout |= {"metadata": dict(metadata), "description": description or payout["description"]}
    vault.keep(payout)
    vault.emit("payout.created", payout)
    return payout


def create(vault: Vault, call: Call) -> Wire:
    """Answer `payouts.create`."""
    return create_by_hand(
        vault,
        amount=call.params["amount"],
        currency=money.checked_currency(call.params["currency"]),
        metadata=merged_metadata({}, call.params.get("metadata", {})),
        description=call.params.get("description"),
    )


def retrieve(vault: Vault, call: Call) -> Wire:
    """Return a payout."""
    return vault.get("payout", call.identifier)


def update(vault: Vault, call: Call) -> Wire:
    """Change a payout's metadata."""
    payout = vault.get("payout", call.identifier)
    payout["metadata"] = merged_metadata(payout["metadata"], call.params.get("metadata", {}))
    vault.keep(payout)
    vault.emit("payout.updated", payout)
    return payout


def cancel(vault: Vault, call: Call) -> Wire:
    """Take a payout back that was made by hand and has not left."""
    payout = vault.get("payout", call.identifier)
    if payout["automatic"] or payout["status"] not in {"pending", "in_transit"}:
        raise ApiError("Payouts can be canceled only if they are manual and still pending.", code="payout_not_pending")
    return _take_back(vault, payout, "canceled", kind="payout_cancel")


def fail(vault: Vault, identifier: str) -> Wire:
    """Let the merchant's bank send a payout back, also one that had arrived; the next payout brings the money again.

    Raises:
        ApiError: it failed already, or was canceled.
    """
    payout = vault.get("payout", identifier)
    if payout["status"] in {"failed", "canceled"}:
        raise ApiError("This payout was sent back already.", code="payout_not_pending")
    payout |= {"failure_code": "account_closed", "failure_message": "The bank account has been closed."}
    return _take_back(vault, payout, "failed", kind="payout_failure")


def list_all(vault: Vault, call: Call) -> Wire:
    """List payouts."""
    arrival = call.params.get("arrival_date")

    def arrives(payout: Wire) -> bool:
        return arrival is None or paging.in_range(payout["arrival_date"], arrival)

    return paging.listed(vault, call, "payout", "status", "destination", where=arrives)


def reconcile(vault: Vault, identifier: str) -> None:
    """Declare the entries of an automatic payout complete."""
    payout = vault.sure("payout", identifier)
    payout["reconciliation_status"] = "completed"
    vault.keep(payout)
    vault.emit("payout.reconciliation_completed", payout)


def arrive(vault: Vault, identifier: str) -> None:
    """Let a payout reach the merchant's bank account."""
    payout = vault.sure("payout", identifier)
    if payout["status"] == "in_transit":
        payout["status"] = "paid"
        vault.keep(payout)
        vault.emit("payout.paid", payout)


OPERATIONS: Final[Mapping[str, Handler]] = {
    "payouts.create": create,
    "payouts.retrieve": retrieve,
    "payouts.update": update,
    "payouts.cancel": cancel,
    "payouts.list": list_all,
}
TAKES: Final[Mapping[str, frozenset[str]]] = {
    "payouts.create": frozenset({"amount", "currency", "metadata", "description", "method"}),
    "payouts.retrieve": frozenset(),
    "payouts.update": frozenset({"metadata"}),
    "payouts.cancel": frozenset(),
    "payouts.list": paging.PAGE | {"status", "destination", "arrival_date"},
}
DUE: Final[Mapping[str, DueHandler]] = {
    "payouts": pay_out_day,
    "payout_reconciled": reconcile,
    "payout_arrives": arrive,
}


def _is_unpaid(vault: Vault, entry: Wire) -> bool:
    # A payout by hand is no exception: it takes from what the next automatic one has to pay.
    return "payout" not in vault.notes(entry["id"])


def _pay_out(vault: Vault, entries: list[Wire], currency: str) -> None:
    payout = _make(vault, sum(entry["net"] for entry in entries), currency, is_automatic=True)
    for entry in (*entries, vault.sure("balance_transaction", payout["balance_transaction"])):
        vault.notes(entry["id"])["payout"] = payout["id"]
        vault.keep(entry)
    vault.emit("payout.created", payout)
    vault.later(RECONCILED_AFTER_S, "payout_reconciled", payout["id"])


def _take_back(vault: Vault, payout: Wire, status: str, *, kind: str) -> Wire:
    entry = balance.book(
        vault,
        source=payout["id"],
        amount=payout["amount"],
        currency=payout["currency"],
        kind=kind,
        category="payout_reversal",
    )
    payout |= {"status": status, "failure_balance_transaction": entry["id"]}
    vault.keep(payout)
    vault.emit(f"payout.{status}", payout)
    return payout


def _make(vault: Vault, amount: int, currency: str, *, is_automatic: bool) -> Wire:
    payout = vault.new(
        "payout",
        amount=amount,
        arrival_date=next_midnight(vault.now()),
        automatic=is_automatic,
        currency=currency,
        description="STREAMPAY TEST BANK PAYOUT",
        destination=_BANK_ACCOUNT,
        method="standard",
        reconciliation_status="in_progress" if is_automatic else "not_applicable",
        source_type="card",
        status="in_transit",
        type="bank_account",
    )
    entry = balance.book(vault, source=payout["id"], amount=-amount, currency=currency, kind="payout")
    payout["balance_transaction"] = entry["id"]
    vault.keep(payout)
    vault.later(ARRIVES_AFTER_S, "payout_arrives", payout["id"])
    return payout
