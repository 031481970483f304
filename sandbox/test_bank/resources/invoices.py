"""Invoices of subscriptions: drafted, finalized an hour later, collected, retried, paid, voided.

The payments behind an invoice hang on it by `invoice_payment`; in this version of the API neither knows the other
directly.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sandbox.test_bank import paging, standing
from sandbox.test_bank.clock import DAY_S
from sandbox.test_bank.errors import CARD_ERROR, ApiError
from sandbox.test_bank.paging import DEFAULT_LIMIT
from sandbox.test_bank.resources import intents, test_clocks
from sandbox.test_bank.store import Wire
from sandbox.test_bank.vault import Call, DueHandler, Ending, Handler, Vault

FINALIZED_AFTER_S: Final = 3_600
"""How long a renewal's invoice stays a draft that can be changed."""
RETRIES_AFTER_S: Final = (3 * DAY_S, 5 * DAY_S, 7 * DAY_S)
"""The retries of a failed renewal, each counted from the try before it."""
_NEEDS_ACTION: Final = (
    "Payment for this invoice requires additional user action before it can be completed successfully. Payment can be "
    "completed using the PaymentIntent associated with the invoice."
)
_NO_METHOD: Final = (
    "There is no `default_payment_method` set on this Customer or Invoice. Please set either field to a PaymentMethod "
    "ID or pass one to pay this Invoice."
)


def draft(vault: Vault, subscription: Wire, lines: Sequence[Wire], *, reason: str) -> Wire:
    """Draft an invoice over lines, as yet without a word to anybody: the caller tells in the right order."""
    customer = vault.sure("customer", subscription["customer"])
    customer["currency"] = customer["currency"] or subscription["currency"]
    now, total = test_clocks.now(vault, subscription), sum(line["amount"] for line in lines)
    details = {"metadata": dict(subscription["metadata"]), "subscription": subscription["id"]}
    invoice = vault.new(
        "invoice",
        account_country="US",
        account_name="StreamPay Test Bank",
        amount_due=total,
        amount_remaining=total,
        auto_advance=True,
        billing_reason=reason,
        created=now,
        currency=subscription["currency"],
        customer=customer["id"],
        default_payment_method=None,
        issuer={"type": "self"},
        parent={"quote_details": None, "subscription_details": details, "type": "subscription_details"},
        period_start=now,
        period_end=now,
        status="draft",
        subtotal=total,
        subtotal_excluding_tax=total,
        test_clock=subscription["test_clock"],
        total=total,
        total_excluding_tax=total,
        webhooks_delivered_at=now,
        **_customer_fields(customer),
    )
    for line in lines:
        line["invoice"] = invoice["id"]
    url = f"/v1/invoices/{invoice['id']}/lines"
    invoice["lines"] = {"object": "list", "data": list(lines), "has_more": False, "url": url}
    vault.keep(invoice)
    vault.keep(customer)
    return invoice


def finalize(vault: Vault, invoice: Wire, *, intent: Wire | None = None) -> None:
    """Close a draft to changes and make what it is paid with; nothing due is paid by that.

    Args:
        vault: the state.
        invoice: the draft.
        intent: the payment that has been made for it already, where there is one.
    """
    now = test_clocks.now(vault, invoice)
    customer = vault.sure("customer", invoice["customer"])
    number = customer["next_invoice_sequence"]
    customer["next_invoice_sequence"] = number + 1
    vault.keep(customer)
    invoice |= {
        "status": "open",
        "number": f"{customer['invoice_prefix']}-{number:04}",
        "automatically_finalizes_at": None,
        "effective_at": now,
        "ending_balance": 0,
    }
    invoice["status_transitions"] |= {"finalized_at": now}
    # The metadata of the moment: what changes on the subscription later is not copied to what was billed before.
    metadata = standing.subscription_of(vault, invoice)["metadata"]
    invoice["parent"]["subscription_details"]["metadata"] = dict(metadata)
    vault.keep(invoice)
    if invoice["amount_due"]:
        _link(vault, invoice, intent or _make_intent(vault, invoice))
    vault.emit("invoice.finalized", invoice)
    if not invoice["amount_due"]:
        invoice["attempted"] = True
        settle(vault, invoice)


def settle(vault: Vault, invoice: Wire) -> None:
    """Mark an invoice paid, and let its subscription follow."""
    now = test_clocks.now(vault, invoice)
    invoice |= {
        "status": "paid",
        "amount_paid": invoice["amount_due"],
        "amount_remaining": 0,
        "attempted": True,
        "auto_advance": False,
        "next_payment_attempt": None,
    }
    invoice["status_transitions"] |= {"paid_at": now}
    vault.keep(invoice)
    payment = payment_of(vault, invoice)
    if payment is not None:
        payment |= {"status": "paid", "amount_paid": invoice["amount_due"]}
        payment["status_transitions"] |= {"paid_at": now}
        vault.keep(payment)
        vault.emit("invoice_payment.paid", payment)
    vault.emit("invoice.paid", invoice)
    if not invoice.get("amount_paid_off_stripe"):
        vault.emit("invoice.payment_succeeded", invoice)
    _mark_delinquent(vault, invoice, is_delinquent=False)
    standing.paid(vault, standing.subscription_of(vault, invoice), invoice)


def collect(vault: Vault, invoice: Wire) -> None:
    """Try to collect an open invoice by itself; a failure is retried on schedule."""
    subscription = standing.subscription_of(vault, invoice)
    invoice |= {"attempted": True, "attempt_count": invoice["attempt_count"] + 1, "next_payment_attempt": None}
    vault.keep(invoice)
    method = method_of(vault, subscription)
    intent = intent_of(vault, invoice)
    assert intent is not None, "an open invoice has something to be paid with"
    if method is None:
        _failed(vault, invoice, subscription, event="invoice.payment_failed")
        return
    try:
        intents.confirm(vault, intent, method)
    except ApiError:
        _failed(vault, invoice, subscription, event="invoice.payment_failed")
        return
    if intent["status"] == "requires_action":
        _failed(vault, invoice, subscription, event="invoice.payment_action_required")


def void(vault: Vault, invoice: Wire) -> None:
    """Void an invoice: nobody owes it any more."""
    _drop_payment(vault, invoice, "void_invoice")
    invoice |= {"status": "void", "auto_advance": False, "automatically_finalizes_at": None}
    invoice["next_payment_attempt"] = None
    invoice["status_transitions"] |= {"voided_at": test_clocks.now(vault, invoice)}
    vault.keep(invoice)
    vault.emit("invoice.voided", invoice)


def write_off(vault: Vault, invoice: Wire) -> None:
    """Mark an invoice uncollectible: it may still be paid, and nobody tries to collect it."""
    invoice |= {"status": "uncollectible", "auto_advance": False, "next_payment_attempt": None}
    invoice["status_transitions"] |= {"marked_uncollectible_at": test_clocks.now(vault, invoice)}
    vault.keep(invoice)
    vault.emit("invoice.marked_uncollectible", invoice)


def method_of(vault: Vault, subscription: Wire) -> Wire | None:
    """Return what a subscription is paid with: its own payment method, else the customer's."""
    customer = vault.sure("customer", subscription["customer"])
    chosen = (subscription["default_payment_method"], customer["invoice_settings"]["default_payment_method"])
    found = (vault.find("payment_method", identifier) for identifier in chosen)
    return next((method for method in found if method is not None and method["customer"] == customer["id"]), None)


def intent_of(vault: Vault, invoice: Wire) -> Wire | None:
    """Return the payment intent behind a finalized invoice; None when nothing was due."""
    payment = payment_of(vault, invoice)
    return None if payment is None else vault.sure("payment_intent", payment["payment"]["payment_intent"])


def payment_of(vault: Vault, invoice: Wire) -> Wire | None:
    """Return the payment of an invoice; each has one at most."""
    return vault.find("invoice_payment", vault.notes(invoice["id"]).get("payment"))


# --- what falls due, and what follows --------------------------------------------------------------------------------


def finalize_in_time(vault: Vault, identifier: str) -> None:
    """Finalize and collect a renewal's draft at the end of its hour."""
    invoice = vault.sure("invoice", identifier)
    if invoice["status"] != "draft" or not invoice["auto_advance"]:
        return
    finalize(vault, invoice)
    if invoice["status"] == "open":
        collect(vault, invoice)


def retry(vault: Vault, identifier: str) -> None:
    """Try once more to collect an invoice, unless it was settled or given up meanwhile."""
    invoice = vault.sure("invoice", identifier)
    due_at = invoice["next_payment_attempt"]
    if invoice["status"] == "open" and due_at is not None and due_at <= test_clocks.now(vault, invoice):
        collect(vault, invoice)


def follow_intent(vault: Vault, intent: Wire, ending: Ending) -> None:
    """Let an invoice follow the payment intent behind it, however that came to be paid."""
    invoice = vault.find("invoice", vault.notes(intent["id"]).get("invoice"))
    if invoice is not None and ending is Ending.SUCCEEDED:
        assert invoice["status"] in {"open", "uncollectible"}, "whatever else closes an invoice cancels its payment"
        settle(vault, invoice)


# --- the API ---------------------------------------------------------------------------------------------------------


def retrieve(vault: Vault, call: Call) -> Wire:
    """Return an invoice."""
    return vault.get("invoice", call.identifier)


def list_all(vault: Vault, call: Call) -> Wire:
    """List invoices, by customer, subscription and status."""
    wanted = call.params.get("subscription")

    def fits(invoice: Wire) -> bool:
        return wanted is None or standing.subscription_id(invoice) == wanted

    return paging.listed(vault, call, "invoice", "customer", "status", "collection_method", where=fits)


def list_lines(vault: Vault, call: Call) -> Wire:
    """List the lines of an invoice."""
    invoice = vault.get("invoice", call.identifier)
    return paging.page(call, invoice["lines"]["data"], "line_item")


def finalize_by_api(vault: Vault, call: Call) -> Wire:
    """Answer `invoices.finalizeInvoice`: collected too, when `auto_advance` says so."""
    invoice = vault.get("invoice", call.identifier)
    _check(invoice, ("draft",), "finalized")
    invoice["auto_advance"] = call.params.get("auto_advance", invoice["auto_advance"])
    finalize(vault, invoice)
    if invoice["status"] == "open" and invoice["auto_advance"]:
        collect(vault, invoice)
    return invoice


def pay(vault: Vault, call: Call) -> Wire:
    """Answer `invoices.pay`: a try that does not change the schedule of the retries.

    Raises:
        ApiError: declined, as a 402; or there is nothing to pay, or nothing to pay with.
    """
    invoice = vault.get("invoice", call.identifier)
    _check(invoice, ("draft", "open", "uncollectible"), "paid")
    if invoice["status"] == "draft":
        finalize(vault, invoice)
    if invoice["status"] != "paid":
        _pay(vault, invoice, call.params)
    return invoice


def void_by_api(vault: Vault, call: Call) -> Wire:
    """Answer `invoices.voidInvoice`; a subscription whose first invoice is voided never begins."""
    invoice = vault.get("invoice", call.identifier)
    _check(invoice, ("open", "uncollectible"), "voided")
    void(vault, invoice)
    subscription = standing.subscription_of(vault, invoice)
    if subscription["status"] == "incomplete":
        standing.end(vault, subscription, reason=None, status="incomplete_expired")
    return invoice


def write_off_by_api(vault: Vault, call: Call) -> Wire:
    """Answer `invoices.markUncollectible`."""
    invoice = vault.get("invoice", call.identifier)
    _check(invoice, ("open",), "marked uncollectible")
    write_off(vault, invoice)
    return invoice


def retrieve_payment(vault: Vault, call: Call) -> Wire:
    """Return an invoice payment."""
    return vault.get("invoice_payment", call.identifier)


def list_payments(vault: Vault, call: Call) -> Wire:
    """List invoice payments: those of an invoice, or the one behind a payment intent."""
    intent_id = call.params.get("payment", {}).get("payment_intent")

    def fits(payment: Wire) -> bool:
        return intent_id is None or payment["payment"]["payment_intent"] == intent_id

    return paging.listed(vault, call, "invoice_payment", "invoice", "status", where=fits)


def payments_of(vault: Vault, invoice: Wire) -> Wire:
    """Return the payments of an invoice, as `expand[]=payments` shows them."""
    payment = payment_of(vault, invoice)
    made = [] if payment is None else [payment]
    assert len(made) <= DEFAULT_LIMIT, "all fit the first page"
    return {"object": "list", "data": made, "has_more": False, "url": f"/v1/invoices/{invoice['id']}/payments"}


def secret_of(vault: Vault, invoice: Wire) -> Wire | None:
    """Return what a page of the merchant's confirms the payment with, as `expand[]=confirmation_secret` shows it."""
    intent = intent_of(vault, invoice)
    return None if intent is None else {"client_secret": intent["client_secret"], "type": "payment_intent"}


OPERATIONS: Final[Mapping[str, Handler]] = {
    "invoices.retrieve": retrieve,
    "invoices.list": list_all,
    "invoices.listLineItems": list_lines,
    "invoices.finalizeInvoice": finalize_by_api,
    "invoices.pay": pay,
    "invoices.voidInvoice": void_by_api,
    "invoices.markUncollectible": write_off_by_api,
    "invoicePayments.retrieve": retrieve_payment,
    "invoicePayments.list": list_payments,
}
TAKES: Final[Mapping[str, frozenset[str]]] = {
    "invoices.retrieve": frozenset(),
    "invoices.list": paging.PAGE | {"customer", "subscription", "status", "collection_method"},
    "invoices.listLineItems": paging.PAGE,
    "invoices.finalizeInvoice": frozenset({"auto_advance"}),
    "invoices.pay": frozenset({"off_session", "paid_out_of_band", "payment_method"}),
    "invoices.voidInvoice": frozenset(),
    "invoices.markUncollectible": frozenset(),
    "invoicePayments.retrieve": frozenset(),
    "invoicePayments.list": paging.PAGE | {"invoice", "payment", "status"},
}
DUE: Final[Mapping[str, DueHandler]] = {"invoice_finalizes": finalize_in_time, "invoice_retries": retry}
INCLUDABLE: Final[Mapping[tuple[str, str], Any]] = {
    ("invoice", "payments"): payments_of,
    ("invoice", "confirmation_secret"): secret_of,
}


def _customer_fields(customer: Wire) -> Wire:
    return {
        "customer_address": customer["address"],
        "customer_email": customer["email"],
        "customer_name": customer["name"],
        "customer_phone": customer["phone"],
        "customer_shipping": customer["shipping"],
        "customer_tax_exempt": customer["tax_exempt"],
    }


def _make_intent(vault: Vault, invoice: Wire) -> Wire:
    is_first = invoice["billing_reason"] == "subscription_create"
    return intents.make(
        vault,
        amount=invoice["amount_due"],
        currency=invoice["currency"],
        customer=invoice["customer"],
        description="Subscription creation" if is_first else "Subscription update",
        setup_future_usage="off_session" if is_first else None,
    )


def _link(vault: Vault, invoice: Wire, intent: Wire) -> None:
    payment = vault.new(
        "invoice_payment",
        amount_paid=None,
        amount_requested=invoice["amount_due"],
        created=test_clocks.now(vault, invoice),
        currency=invoice["currency"],
        invoice=invoice["id"],
        is_default=True,
        payment={"type": "payment_intent", "payment_intent": intent["id"]},
        status="open",
    )
    vault.notes(intent["id"])["invoice"] = invoice["id"]
    vault.notes(invoice["id"])["payment"] = payment["id"]
    vault.keep(intent)
    vault.keep(invoice)


def _drop_payment(vault: Vault, invoice: Wire, reason: str) -> None:
    payment, intent = payment_of(vault, invoice), intent_of(vault, invoice)
    if payment is None or intent is None or payment["status"] != "open":
        return
    payment["status"] = "canceled"
    payment["status_transitions"] |= {"canceled_at": test_clocks.now(vault, invoice)}
    vault.keep(payment)
    if intent["status"] not in {"succeeded", "canceled"}:
        intents.end(vault, intent, reason)


def _failed(vault: Vault, invoice: Wire, subscription: Wire, *, event: str) -> None:
    """Record a failed try, plan the next, and let the subscription follow."""
    tries = invoice["attempt_count"]
    is_first = subscription["status"] == "incomplete"
    retries_at = None
    if not is_first and tries <= len(RETRIES_AFTER_S):
        retries_at = test_clocks.now(vault, invoice) + RETRIES_AFTER_S[tries - 1]
        test_clocks.schedule(vault, invoice, retries_at, "invoice_retries")
    invoice |= {"next_payment_attempt": retries_at, "auto_advance": retries_at is not None}
    vault.keep(invoice)
    vault.emit(event, invoice)
    _mark_delinquent(vault, invoice, is_delinquent=True)
    standing.failed(vault, subscription)
    if retries_at is None and not is_first:
        standing.given_up(vault, subscription)


def _mark_delinquent(vault: Vault, invoice: Wire, *, is_delinquent: bool) -> None:
    customer = vault.sure("customer", invoice["customer"])
    if customer["delinquent"] != is_delinquent:
        customer["delinquent"] = is_delinquent
        vault.keep(customer)
        vault.emit("customer.updated", customer, previous={"delinquent": not is_delinquent})


def _pay(vault: Vault, invoice: Wire, params: Mapping[str, Any]) -> None:
    if params.get("paid_out_of_band"):
        _drop_payment(vault, invoice, "abandoned")
        vault.notes(invoice["id"]).pop("payment", None)
        invoice["amount_paid_off_stripe"] = invoice["amount_due"]
        settle(vault, invoice)
        return
    subscription, intent = standing.subscription_of(vault, invoice), intent_of(vault, invoice)
    assert intent is not None, "an open invoice has something to be paid with"
    named = params.get("payment_method")
    method = method_of(vault, subscription) if named is None else _owned(vault, invoice, named)
    if method is None:
        raise ApiError(_NO_METHOD)
    invoice["attempted"] = True
    vault.keep(invoice)
    try:
        intents.confirm(vault, intent, method)
    except ApiError:
        vault.emit("invoice.payment_failed", invoice)
        standing.failed(vault, subscription)
        raise
    if intent["status"] == "requires_action":
        vault.emit("invoice.payment_action_required", invoice)
        standing.failed(vault, subscription)
        raise ApiError(_NEEDS_ACTION, status=402, kind=CARD_ERROR, code="invoice_payment_intent_requires_action")


def _owned(vault: Vault, invoice: Wire, name: str) -> Wire:
    method = vault.get("payment_method", name, param="payment_method")
    if method["customer"] != invoice["customer"]:
        raise ApiError(
            "The customer does not have a payment method with this ID. The payment method must be attached first.",
            code="resource_missing",
            param="payment_method",
        )
    return method


def _check(invoice: Wire, statuses: Sequence[str], verb: str) -> None:
    if invoice["status"] == "paid" and verb == "paid":
        raise ApiError("Invoice is already paid")
    if invoice["status"] not in statuses:
        raise ApiError(
            f"This invoice cannot be {verb} because it has a status of `{invoice['status']}`: only invoices with a "
            f"status of {', '.join(statuses)} can.",
            code="invoice_not_editable",
        )
