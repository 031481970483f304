"""Subscriptions in time: begun, billed period after period, through trials and pauses, until they end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sandbox.test_bank import standing
from sandbox.test_bank.billing_dates import moved
from sandbox.test_bank.clock import DAY_S
from sandbox.test_bank.money import shown
from sandbox.test_bank.resources import invoices, test_clocks
from sandbox.test_bank.store import Wire
from sandbox.test_bank.vault import DueHandler, Vault

TRIAL_WILL_END_S: Final = 3 * DAY_S
START_LAPSES_AFTER_S: Final = 23 * 3_600
"""How long the first payment of a subscription may take."""
_RUNNING: Final = frozenset({"trialing", "active", "past_due", "unpaid"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Bought:
    """One price and how many of it."""

    price: Wire
    quantity: int = 1
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a subscription begins with; `extras` are sold once, with its first invoice."""

    items: Sequence[Bought]
    extras: Sequence[Bought] = ()
    trial_end: int | None = None
    trial_settings: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    description: str | None = None
    default_payment_method: str | None = None
    billing_mode: str = "flexible"


def begin(vault: Vault, customer: Wire, terms: Terms) -> tuple[Wire, Wire]:
    """Begin a subscription and draft its first invoice, and tell so; the caller sees to the money."""
    now = test_clocks.now(vault, customer)
    subscription = _made(vault, customer, terms, now)
    is_trial = terms.trial_end is not None
    rows = subscription["items"]["data"]
    lines = [_period_line(vault, subscription, row, is_free=is_trial) for row in rows]
    lines += [_extra_line(vault, subscription, bought, now) for bought in terms.extras]
    invoice = invoices.draft(vault, subscription, lines, reason="subscription_create")
    subscription["latest_invoice"] = invoice["id"]
    vault.emit("customer.subscription.created", subscription)
    vault.emit("invoice.created", invoice)
    plan_next(vault, subscription)
    return subscription, invoice


def _made(vault: Vault, customer: Wire, terms: Terms, now: int) -> Wire:
    trial_end = terms.trial_end
    subscription = vault.new(
        "subscription",
        notes={"next_period": 1 if trial_end is None else 0},
        billing_cycle_anchor=now if trial_end is None else trial_end,
        billing_mode=_billing_mode(terms.billing_mode),
        created=now,
        currency=terms.items[0].price["currency"],
        customer=customer["id"],
        default_payment_method=terms.default_payment_method,
        description=terms.description,
        metadata=dict(terms.metadata),
        start_date=now,
        status="incomplete" if trial_end is None else "trialing",
        test_clock=customer["test_clock"],
        trial_end=trial_end,
        trial_settings=_trial_settings(terms.trial_settings),
        trial_start=None if trial_end is None else now,
    )
    subscription["invoice_settings"]["issuer"] = {"type": "self"}
    subscription["cancellation_details"] = dict.fromkeys(("comment", "feedback", "feedback_option", "reason"))
    end = _period(subscription, terms.items[0].price, 0)[1] if trial_end is None else trial_end
    rows = [_item(vault, subscription, bought, now, end) for bought in terms.items]
    url = f"/v1/subscription_items?subscription={subscription['id']}"
    subscription["items"] = {"object": "list", "data": rows, "has_more": False, "url": url}
    vault.keep(subscription)
    return subscription


def plan_next(vault: Vault, subscription: Wire) -> None:
    """Let a subscription fall due at the end of its period, and its trial be announced three days before."""
    test_clocks.schedule(vault, subscription, period_end(subscription), "subscription_renews")
    if subscription["status"] == "trialing":
        now = test_clocks.now(vault, subscription)
        at = max(now, subscription["trial_end"] - TRIAL_WILL_END_S)
        test_clocks.schedule(vault, subscription, at, "trial_will_end")


def period_end(subscription: Wire) -> int:
    """Return when the current period ends; all items share it."""
    return int(subscription["items"]["data"][0]["current_period_end"])


def with_period(subscription: Wire, start: int, end: int) -> Wire:
    """Return a subscription's `items` as they are in another period."""
    period = {"current_period_start": start, "current_period_end": end}
    items: Wire = subscription["items"]
    return items | {"data": [row | period for row in items["data"]]}


def restart(vault: Vault, subscription: Wire, now: int) -> Wire:
    """Let the periods of a subscription begin now, and return its `items` in the first of them."""
    subscription["billing_cycle_anchor"] = now
    if subscription["trial_end"] is not None:
        subscription["trial_end"] = min(now, subscription["trial_end"])
    vault.notes(subscription["id"])["next_period"] = 0
    return _next_period(vault, subscription)


def catch_up(vault: Vault, subscription: Wire, now: int) -> Wire:
    """Return the `items` of a subscription in the period that holds a moment, those on the way unbilled."""
    items: Wire = subscription["items"]
    while items["data"][0]["current_period_end"] <= now:
        items = _next_period(vault, subscription)
    return items


# --- what falls due --------------------------------------------------------------------------------------------------


def renew(vault: Vault, identifier: str) -> None:
    """End a period: the subscription ends with it, or the next one begins and is billed."""
    subscription = vault.sure("subscription", identifier)
    now = test_clocks.now(vault, subscription)
    if subscription["status"] not in _RUNNING or period_end(subscription) > now:
        return
    if subscription["cancel_at"] is not None and subscription["cancel_at"] <= now:
        standing.end(vault, subscription, reason="cancellation_requested")
        return
    is_trial_over = subscription["status"] == "trialing"
    if is_trial_over and invoices.method_of(vault, subscription) is None and _ends_with_trial(vault, subscription):
        return
    bill(vault, subscription, items=_next_period(vault, subscription))


def bill(vault: Vault, subscription: Wire, *, items: Wire, reason: str = "subscription_cycle") -> Wire:
    """Enter a period: draft its invoice, tell of both, and let both go their way. Returns the invoice."""
    lines = [_period_line(vault, subscription, row, is_free=False) for row in items["data"]]
    invoice = invoices.draft(vault, subscription, lines, reason=reason)
    # As with Stripe, the invoice itself names the period that is over; its lines name the one that is paid for.
    invoice["period_start"] = subscription["items"]["data"][0]["current_period_start"]
    status = "active" if subscription["status"] in {"trialing", "paused"} else subscription["status"]
    standing.changed(vault, subscription, items=items, status=status, latest_invoice=invoice["id"])
    plan_next(vault, subscription)
    _let_invoice_go(vault, subscription, invoice)
    return invoice


def trial_will_end(vault: Vault, identifier: str) -> None:
    """Announce the end of a trial."""
    subscription = vault.sure("subscription", identifier)
    is_near = subscription["trial_end"] or 0
    now = test_clocks.now(vault, subscription)
    if subscription["status"] == "trialing" and is_near - TRIAL_WILL_END_S <= now < is_near:
        vault.emit("customer.subscription.trial_will_end", subscription)


def cancel_in_time(vault: Vault, identifier: str) -> None:
    """End a subscription at the moment that was chosen for it, if it still is."""
    subscription = vault.sure("subscription", identifier)
    at = subscription["cancel_at"]
    if at is not None and at <= test_clocks.now(vault, subscription) and subscription["status"] not in standing.OVER:
        standing.end(vault, subscription, reason="cancellation_requested")


def collection_resumes(vault: Vault, identifier: str) -> None:
    """Collect again after a pause of collection that had an end."""
    subscription = vault.sure("subscription", identifier)
    at = (subscription["pause_collection"] or {}).get("resumes_at")
    if at is not None and at <= test_clocks.now(vault, subscription):
        standing.changed(vault, subscription, pause_collection=None)


def start_lapses(vault: Vault, identifier: str) -> None:
    """Give a subscription up whose first payment never came."""
    subscription = vault.sure("subscription", identifier)
    if subscription["status"] == "incomplete":
        invoices.void(vault, vault.sure("invoice", subscription["latest_invoice"]))
        standing.end(vault, subscription, reason=None, status="incomplete_expired")


def pause(vault: Vault, subscription: Wire, *, reason: str) -> None:
    """Pause a subscription: no period begins and nothing is billed until it is resumed."""
    subscription["status_details"] = {
        "paused": {
            "subscription": {"type": reason},
            "transitioned_at": test_clocks.now(vault, subscription),
            "type": "subscription",
        }
    }
    standing.changed(vault, subscription, status="paused")
    vault.emit("customer.subscription.paused", subscription)


DUE: Final[Mapping[str, DueHandler]] = {
    "subscription_renews": renew,
    "subscription_cancels": cancel_in_time,
    "subscription_start_lapses": start_lapses,
    "collection_resumes": collection_resumes,
    "trial_will_end": trial_will_end,
}


def _ends_with_trial(vault: Vault, subscription: Wire) -> bool:
    """Do at the end of a trial without a payment method what was chosen for it; False to bill nevertheless."""
    match subscription["trial_settings"]["end_behavior"]["missing_payment_method"]:
        case "cancel":
            standing.end(vault, subscription, reason=None)
            return True
        case "pause":
            pause(vault, subscription, reason="trial_end_without_payment_method")
            return True
        case _:
            return False


def _let_invoice_go(vault: Vault, subscription: Wire, invoice: Wire) -> None:
    """Tell of a renewal's invoice, and let it be finalized in an hour unless collection is paused or given up."""
    behavior = (subscription["pause_collection"] or {}).get("behavior")
    if behavior is not None or subscription["status"] == "unpaid":
        invoice["auto_advance"] = False
        vault.emit("invoice.created", invoice)
        if behavior == "void":
            invoices.void(vault, invoice)
        elif behavior == "mark_uncollectible":
            invoices.finalize(vault, invoice)
            invoices.write_off(vault, invoice)
        return
    at = invoice["created"] + invoices.FINALIZED_AFTER_S
    invoice["automatically_finalizes_at"] = at
    vault.keep(invoice)
    vault.emit("invoice.created", invoice)
    test_clocks.schedule(vault, invoice, at, "invoice_finalizes")


def _next_period(vault: Vault, subscription: Wire) -> Wire:
    notes = vault.notes(subscription["id"])
    number = notes["next_period"]
    notes["next_period"] = number + 1
    vault.keep(subscription)
    start, end = _period(subscription, subscription["items"]["data"][0]["price"], number)
    return with_period(subscription, start, end)


def _period(subscription: Wire, price: Wire, number: int) -> tuple[int, int]:
    anchor, recurring = subscription["billing_cycle_anchor"], price["recurring"]
    return moved(anchor, recurring, number), moved(anchor, recurring, number + 1)


def _billing_mode(kind: str) -> Wire:
    return {"type": kind, "flexible": {"proration_discounts": "included"} if kind == "flexible" else None}


def _trial_settings(given: Mapping[str, Any]) -> Wire:
    chosen = {"billing_cycle_anchor": None, "missing_payment_method": "create_invoice"}
    return {"end_behavior": chosen | given.get("end_behavior", {})}


def _item(vault: Vault, subscription: Wire, bought: Bought, start: int, end: int) -> Wire:
    item = vault.spec.skeleton("subscription_item")
    return item | {
        "id": vault.new_id("subscription_item"),
        "created": start,
        "current_period_end": end,
        "current_period_start": start,
        "metadata": dict(bought.metadata),
        "plan": plan_of(vault, bought.price),
        "price": dict(bought.price),
        "quantity": bought.quantity,
        "subscription": subscription["id"],
    }


def plan_of(vault: Vault, price: Wire) -> Wire:
    """Return a recurring price as the plan that older clients read."""
    recurring = price["recurring"]
    same = ("id", "active", "billing_scheme", "created", "currency", "livemode", "metadata", "nickname", "product")
    return vault.spec.skeleton("plan") | {
        **{name: price[name] for name in same},
        "amount": price["unit_amount"],
        "amount_decimal": price["unit_amount_decimal"],
        "interval": recurring["interval"],
        "interval_count": recurring["interval_count"],
        "trial_period_days": recurring["trial_period_days"],
        "usage_type": recurring["usage_type"],
    }


def _period_line(vault: Vault, subscription: Wire, item: Wire, *, is_free: bool) -> Wire:
    price, quantity = item["price"], item["quantity"]
    product = vault.sure("product", price["product"])["name"]
    every = _every(price["recurring"])
    amount = 0 if is_free else price["unit_amount"] * quantity
    details = {"invoice_item": None, "proration": False, "proration_details": {"credited_items": None}}
    details |= {"subscription": subscription["id"], "subscription_item": item["id"]}
    cost = shown(price["unit_amount"], price["currency"])
    return _line(
        vault,
        price,
        amount=amount,
        description=f"Trial period for {product}" if is_free else f"{quantity} x {product} (at {cost} / {every})",
        metadata=dict(subscription["metadata"]),
        parent={
            "invoice_item_details": None,
            "subscription_item_details": details,
            "type": "subscription_item_details",
        },
        period={"start": item["current_period_start"], "end": item["current_period_end"]},
        quantity=quantity,
        subscription=subscription["id"],
    )


def _extra_line(vault: Vault, subscription: Wire, bought: Bought, now: int) -> Wire:
    details = {"invoice_item": vault.new_id("invoiceitem"), "proration": False, "subscription": subscription["id"]}
    details["proration_details"] = {"credited_items": None}
    return _line(
        vault,
        bought.price,
        amount=bought.price["unit_amount"] * bought.quantity,
        description=vault.sure("product", bought.price["product"])["name"],
        metadata={},
        parent={"invoice_item_details": details, "subscription_item_details": None, "type": "invoice_item_details"},
        period={"start": now, "end": now},
        quantity=bought.quantity,
        subscription=subscription["id"],
    )


def _line(vault: Vault, price: Wire, *, amount: int, **fields: Any) -> Wire:
    pricing = {
        "price_details": {"price": price["id"], "product": price["product"]},
        "type": "price_details",
        "unit_amount_decimal": price["unit_amount_decimal"],
    }
    line = vault.spec.skeleton("line_item")
    made: Wire = {"id": vault.new_id("line_item"), "amount": amount, "currency": price["currency"], "pricing": pricing}
    made |= {"discountable": True, "quantity_decimal": str(fields["quantity"]), "subtotal": amount}
    return line | made | fields


def _every(recurring: Mapping[str, Any]) -> str:
    count, interval = recurring["interval_count"], recurring["interval"]
    return str(interval) if count == 1 else f"every {count} {interval}s"
