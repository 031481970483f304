"""Subscriptions by the API: begun, changed, paused, resumed, canceled, listed. Their life in time is in `renewals`.

Prorations are not emulated: what would need one is refused, and `proration_behavior=none` says that none is wanted.
"""

from collections.abc import Mapping
from typing import Any, Final

from sandbox.test_bank import money, paging, standing
from sandbox.test_bank.clock import DAY_S
from sandbox.test_bank.errors import ApiError, missing, no_such, not_emulated
from sandbox.test_bank.resources import catalogue, customers, invoices, renewals, test_clocks
from sandbox.test_bank.resources.renewals import Bought, Terms
from sandbox.test_bank.store import Wire
from sandbox.test_bank.vault import Call, Handler, Vault, merged_metadata

MAX_ITEMS: Final = 20
LONGEST_TRIAL_DAYS: Final = 730
_UPDATES_WHEN_OVER: Final = frozenset({"cancellation_details", "metadata", "expand"})
_NO_METHOD: Final = (
    "This customer has no attached payment source or default payment method. Please consider adding a default payment "
    "method."
)


def create(vault: Vault, call: Call) -> Wire:
    """Begin a subscription, and try its first payment unless the merchant's page is to."""
    params = call.params
    if "customer" not in params:
        raise missing("customer")
    customer = customers.living(vault, params["customer"], param="customer")
    behavior = params.get("payment_behavior", "allow_incomplete")
    if behavior not in {"allow_incomplete", "default_incomplete"}:
        raise not_emulated(f"payment_behavior {behavior}", param="payment_behavior")
    _check_end(test_clocks.now(vault, customer), params)
    terms = _terms(vault, customer, params)
    due = sum(bought.price["unit_amount"] * bought.quantity for bought in terms.items)
    if due:
        money.check_amount(due, terms.items[0].price["currency"], param="items")
    has_method = terms.default_payment_method or customer["invoice_settings"]["default_payment_method"]
    if due and terms.trial_end is None and not has_method and behavior == "allow_incomplete":
        raise ApiError(_NO_METHOD, code="resource_missing")
    subscription, invoice = renewals.begin(vault, customer, terms)
    _plan_end(vault, subscription, params)
    invoices.finalize(vault, invoice)
    if invoice["status"] == "open" and behavior == "allow_incomplete":
        invoices.collect(vault, invoice)
    if subscription["status"] == "incomplete":
        at = subscription["created"] + renewals.START_LAPSES_AFTER_S
        test_clocks.schedule(vault, subscription, at, "subscription_start_lapses")
    return subscription


def retrieve(vault: Vault, call: Call) -> Wire:
    """Return a subscription."""
    return vault.get("subscription", call.identifier)


def update(vault: Vault, call: Call) -> Wire:
    """Change a subscription; one that is over keeps all but its metadata and its reasons."""
    params = call.params
    subscription = vault.get("subscription", call.identifier)
    if subscription["status"] in standing.OVER and not set(params) <= _UPDATES_WHEN_OVER:
        raise ApiError("A canceled subscription can only update its cancellation_details and metadata.")
    _check_end(test_clocks.now(vault, subscription), params)
    _check_trial(vault, subscription, params)
    fields: Wire = {name: params[name] or None for name in ("description",) if name in params}
    fields["metadata"] = merged_metadata(subscription["metadata"], params.get("metadata", {}))
    if "default_payment_method" in params:
        customer = vault.sure("customer", subscription["customer"])
        fields["default_payment_method"] = _owned(vault, customer, params["default_payment_method"])
    if "cancellation_details" in params:
        said = {name: value or None for name, value in params["cancellation_details"].items()}
        fields["cancellation_details"] = subscription["cancellation_details"] | said
    if "trial_settings" in params:
        ends = params["trial_settings"]["end_behavior"]
        fields["trial_settings"] = {"end_behavior": subscription["trial_settings"]["end_behavior"] | ends}
    fields |= _item_fields(vault, subscription, params) | _pause_fields(vault, subscription, params)
    standing.changed(vault, subscription, **fields)
    _plan_end(vault, subscription, params)
    if "trial_end" in params:
        _move_trial(vault, subscription, params["trial_end"])
    return subscription


def cancel(vault: Vault, call: Call) -> Wire:
    """End a subscription now; one that never began has lapsed, and its invoice is void."""
    subscription = vault.get("subscription", call.identifier)
    if subscription["status"] in standing.OVER:
        raise no_such("subscription", call.identifier, param="id")
    for name in ("invoice_now", "prorate"):
        if call.params.get(name):
            raise not_emulated(name, param=name)
    said = {name: value or None for name, value in call.params.get("cancellation_details", {}).items()}
    subscription["cancellation_details"] = subscription["cancellation_details"] | said
    if subscription["status"] == "incomplete":
        invoices.void(vault, vault.sure("invoice", subscription["latest_invoice"]))
        standing.end(vault, subscription, reason="cancellation_requested", status="incomplete_expired")
    else:
        standing.end(vault, subscription, reason="cancellation_requested")
    return subscription


def pause(vault: Vault, call: Call) -> Wire:
    """Pause a subscription itself, not only its collection."""
    subscription = vault.get("subscription", call.identifier)
    wanted = call.params.get("bill_for", {}).values()
    if any(part["type"] != "none" for part in wanted):
        raise not_emulated("billing for a part of a period", param="bill_for")
    if subscription["status"] not in {"active", "trialing"}:
        raise ApiError(f"Only active subscriptions can be paused; this one is `{subscription['status']}`.")
    renewals.pause(vault, subscription, reason="pause_requested")
    return subscription


def resume(vault: Vault, call: Call) -> Wire:
    """Resume a paused subscription: a new period begins and is billed now, or the old rhythm goes on unbilled."""
    subscription = vault.get("subscription", call.identifier)
    if subscription["status"] != "paused":
        raise ApiError(f"Only paused subscriptions can be resumed; this one is `{subscription['status']}`.")
    now = test_clocks.now(vault, subscription)
    is_restart = call.params.get("billing_cycle_anchor", {}).get("type", "now") == "now"
    if is_restart and renewals.period_end(subscription) > now and call.params.get("proration_behavior") != "none":
        raise not_emulated(
            "crediting a period that is paid already; pass proration_behavior=none", param="proration_behavior"
        )
    subscription.pop("status_details", None)
    if is_restart:
        items = renewals.restart(vault, subscription, now)
        invoice = renewals.bill(vault, subscription, items=items, reason="subscription_update")
        invoices.finalize_in_time(vault, invoice["id"])
    else:
        is_trial = subscription["trial_end"] is not None and subscription["trial_end"] > now
        items = renewals.catch_up(vault, subscription, now)
        standing.changed(vault, subscription, status="trialing" if is_trial else "active", items=items)
        renewals.plan_next(vault, subscription)
    vault.emit("customer.subscription.resumed", subscription)
    return subscription


def list_all(vault: Vault, call: Call) -> Wire:
    """List subscriptions, without those that are over unless asked for."""
    status = call.params.get("status")
    wanted = call.params.get("price", call.params.get("plan"))

    def fits(subscription: Wire) -> bool:
        bought = {row["price"]["id"] for row in subscription["items"]["data"]}
        return _has_status(subscription, status) and (wanted is None or wanted in bought)

    return paging.listed(vault, call, "subscription", "customer", "collection_method", "test_clock", where=fits)


def list_items(vault: Vault, call: Call) -> Wire:
    """List the items of a subscription."""
    subscription = vault.get("subscription", call.params["subscription"], param="subscription")
    return paging.page(call, subscription["items"]["data"], "subscription_item")


def retrieve_item(vault: Vault, call: Call) -> Wire:
    """Return an item; it lives in its subscription."""
    rows = (row for subscription in vault.every("subscription") for row in subscription["items"]["data"])
    found: Wire | None = next((row for row in rows if row["id"] == call.identifier), None)
    if found is None:
        raise no_such("subscription_item", call.identifier[:80], param="id")
    return found


def leave_customer(vault: Vault, customer: Wire) -> None:
    """End the subscriptions of a customer who was deleted."""
    for subscription in vault.every("subscription"):
        if subscription["customer"] == customer["id"] and subscription["status"] not in standing.OVER:
            standing.end(vault, subscription, reason="cancellation_requested")


OPERATIONS: Final[Mapping[str, Handler]] = {
    "subscriptions.create": create,
    "subscriptions.retrieve": retrieve,
    "subscriptions.update": update,
    "subscriptions.cancel": cancel,
    "subscriptions.pause": pause,
    "subscriptions.resume": resume,
    "subscriptions.list": list_all,
    "subscriptionItems.list": list_items,
    "subscriptionItems.retrieve": retrieve_item,
}
TAKES: Final[Mapping[str, frozenset[str]]] = {
    "subscriptions.create": frozenset(
        {
            "billing_mode",
            "cancel_at",
            "cancel_at_period_end",
            "collection_method",
            "customer",
            "default_payment_method",
            "description",
            "items",
            "metadata",
            "off_session",
            "payment_behavior",
            "proration_behavior",
            "trial_end",
            "trial_period_days",
            "trial_settings",
        }
    ),
    "subscriptions.retrieve": frozenset(),
    "subscriptions.update": frozenset(
        {
            "cancel_at",
            "cancel_at_period_end",
            "cancellation_details",
            "default_payment_method",
            "description",
            "items",
            "metadata",
            "off_session",
            "pause_collection",
            "proration_behavior",
            "trial_end",
            "trial_settings",
        }
    ),
    "subscriptions.cancel": frozenset({"cancellation_details", "invoice_now", "prorate"}),
    "subscriptions.pause": frozenset({"bill_for", "invoicing_behavior", "type"}),
    "subscriptions.resume": frozenset({"billing_cycle_anchor", "proration_behavior"}),
    "subscriptions.list": paging.PAGE | {"collection_method", "customer", "plan", "price", "status", "test_clock"},
    "subscriptionItems.list": paging.PAGE | {"subscription"},
    "subscriptionItems.retrieve": frozenset(),
}
SIGNUP_TAKES: Final = frozenset(
    {
        "billing_mode",
        "description",
        "metadata",
        "proration_behavior",
        "trial_end",
        "trial_period_days",
        "trial_settings",
    }
)
"""What the checkout page acts upon in `subscription_data`."""


# --- what a subscription begins with ---------------------------------------------------------------------------------


def trial_end_of(now: int, params: Mapping[str, Any]) -> int | None:
    """Return when a trial ends that a request asks for, by day count or by moment.

    Raises:
        ApiError: both, too long, or in the past.
    """
    days, moment = params.get("trial_period_days"), params.get("trial_end")
    if days is not None and moment is not None:
        raise ApiError(
            "You may only specify one of these parameters: trial_end, trial_period_days.",
            code="parameters_exclusive",
            param="trial_period_days",
        )
    if moment == "now" or (days is None and moment is None):
        return None
    at = int(moment or 0) if days is None else now + days * DAY_S
    if not now < at <= now + LONGEST_TRIAL_DAYS * DAY_S:
        name = "trial_end" if days is None else "trial_period_days"
        raise ApiError(f"Invalid {name}: a trial ends in the future, within two years.", param=name)
    return at


def check_items(items: list[Bought], *, param: str) -> None:
    """Refuse prices that one subscription cannot hold together here.

    Raises:
        ApiError: no or too many items, several currencies, or several rhythms.
    """
    if not 1 <= len(items) <= MAX_ITEMS:
        raise ApiError(f"A subscription has from 1 to {MAX_ITEMS} items.", param=param)
    if len({bought.price["currency"] for bought in items}) > 1:
        raise ApiError("All prices on a subscription must have the same currency.", param=param)
    rhythms = {(bought.price["recurring"]["interval"], bought.price["recurring"]["interval_count"]) for bought in items}
    if len(rhythms) > 1:
        raise not_emulated("one subscription with several billing intervals", param=param)


def _terms(vault: Vault, customer: Wire, params: Mapping[str, Any]) -> Terms:
    given = params.get("items", [])
    items = [_bought(vault, row, f"items[{place}]") for place, row in enumerate(given)]
    check_items(items, param="items")
    named = params.get("default_payment_method")
    if params.get("collection_method", "charge_automatically") != "charge_automatically":
        raise not_emulated("collection_method send_invoice", param="collection_method")
    return Terms(
        items=items,
        trial_end=trial_end_of(test_clocks.now(vault, customer), params),
        trial_settings=params.get("trial_settings", {}),
        metadata=merged_metadata({}, params.get("metadata", {})),
        description=params.get("description"),
        default_payment_method=None if named is None else _owned(vault, customer, named),
        billing_mode=params.get("billing_mode", {}).get("type", "flexible"),
    )


def _bought(vault: Vault, row: Mapping[str, Any], param: str) -> Bought:
    refused = sorted(set(row) - {"price", "price_data", "quantity", "metadata", "id"})
    if refused:
        raise not_emulated(refused[0], param=f"{param}[{refused[0]}]")
    if "price_data" in row:
        price = catalogue.make_price(vault, row["price_data"], param=f"{param}[price_data]", is_active=False)
    elif "price" in row:
        price = vault.get("price", row["price"], param=f"{param}[price]")
    else:
        raise missing(f"{param}[price]")
    if price["type"] != "recurring":
        raise ApiError("The price specified is set to `type=one_time` but this field only accepts recurring prices.")
    quantity = row.get("quantity", 1)
    if quantity < 1:
        raise ApiError(
            "This value must be greater than or equal to 1.",
            code="parameter_invalid_integer",
            param=f"{param}[quantity]",
        )
    return Bought(price=price, quantity=quantity, metadata=merged_metadata({}, row.get("metadata", {})))


def _owned(vault: Vault, customer: Wire, name: str) -> str:
    method = vault.get("payment_method", name, param="default_payment_method")
    if method["customer"] != customer["id"]:
        raise ApiError(
            "The customer does not have a payment method with this ID. The payment method must be attached first.",
            code="resource_missing",
            param="default_payment_method",
        )
    return str(method["id"])


# --- changes ---------------------------------------------------------------------------------------------------------


def end_with_period(vault: Vault, subscription: Wire, *, is_ending: bool) -> None:
    """Let a subscription end with its current period, or take that back."""
    details = subscription["cancellation_details"] | {"reason": "cancellation_requested" if is_ending else None}
    at = renewals.period_end(subscription) if is_ending else None
    if at is not None:
        # The period's end sees to it by itself, but not that of a subscription that is paused.
        test_clocks.schedule(vault, subscription, at, "subscription_cancels")
    standing.changed(
        vault,
        subscription,
        cancel_at_period_end=is_ending,
        cancel_at=at,
        canceled_at=test_clocks.now(vault, subscription) if is_ending else None,
        cancellation_details=details,
    )


def _check_end(now: int, params: Mapping[str, Any]) -> None:
    """Refuse an end that cannot be planned, before anything is done."""
    at = params.get("cancel_at", "")
    if at == "":
        return
    if params.get("cancel_at_period_end"):
        raise ApiError(
            "You may only specify one of these parameters: cancel_at, cancel_at_period_end.",
            code="parameters_exclusive",
            param="cancel_at",
        )
    if not isinstance(at, int):
        raise not_emulated(f"cancel_at {at}", param="cancel_at")
    if at <= now:
        raise ApiError("Invalid timestamp: must be in the future.", param="cancel_at")


def _plan_end(vault: Vault, subscription: Wire, params: Mapping[str, Any]) -> None:
    if "cancel_at_period_end" in params and params["cancel_at_period_end"] != subscription["cancel_at_period_end"]:
        end_with_period(vault, subscription, is_ending=params["cancel_at_period_end"])
    if "cancel_at" not in params:
        return
    at = params["cancel_at"]
    now = test_clocks.now(vault, subscription)
    if at == "":
        end_with_period(vault, subscription, is_ending=False)
        return
    standing.changed(vault, subscription, cancel_at=at, cancel_at_period_end=False, canceled_at=now)
    test_clocks.schedule(vault, subscription, at, "subscription_cancels")


def _pause_fields(vault: Vault, subscription: Wire, params: Mapping[str, Any]) -> Wire:
    if "pause_collection" not in params:
        return {}
    given = params["pause_collection"]
    if given == "":
        return {"pause_collection": None}
    at = given.get("resumes_at")
    if at is not None:
        if at <= test_clocks.now(vault, subscription):
            raise ApiError("Invalid timestamp: must be in the future.", param="pause_collection[resumes_at]")
        test_clocks.schedule(vault, subscription, at, "collection_resumes")
    return {"pause_collection": {"behavior": given["behavior"], "resumes_at": at}}


def _item_fields(vault: Vault, subscription: Wire, params: Mapping[str, Any]) -> Wire:
    """Return the `items` that a request asks for: other prices and quantities, from the next invoice on."""
    if "items" not in params:
        return {}
    if params.get("proration_behavior") != "none":
        raise not_emulated("changing items with prorations; pass proration_behavior=none", param="items")
    rows = {row["id"]: row for row in subscription["items"]["data"]}
    for place, given in enumerate(params["items"]):
        if given.get("id") not in rows:
            raise not_emulated("adding an item to a subscription", param=f"items[{place}][id]")
        row = rows[given["id"]]
        chosen = given if {"price", "price_data"} & set(given) else {**given, "price": row["price"]["id"]}
        bought = _bought(vault, {"quantity": row["quantity"], **chosen}, f"items[{place}]")
        changed = {"price": dict(bought.price), "quantity": bought.quantity}
        changed |= {"plan": renewals.plan_of(vault, bought.price)}
        changed |= {"metadata": merged_metadata(row["metadata"], given.get("metadata", {}))}
        rows[given["id"]] = row | changed
    check_items([Bought(price=row["price"]) for row in rows.values()], param="items")
    _check_rhythm(subscription, rows)
    return {"items": subscription["items"] | {"data": list(rows.values())}}


def _check_rhythm(subscription: Wire, rows: Mapping[str, Wire]) -> None:
    before = subscription["items"]["data"][0]["price"]["recurring"]
    after = next(iter(rows.values()))["price"]["recurring"]
    if any(before[name] != after[name] for name in ("interval", "interval_count")):
        raise not_emulated("changing the billing interval", param="items")


def _check_trial(vault: Vault, subscription: Wire, params: Mapping[str, Any]) -> None:
    if "trial_end" not in params:
        return
    if subscription["status"] != "trialing":
        raise not_emulated("giving a trial to a subscription that runs", param="trial_end")
    trial_end_of(test_clocks.now(vault, subscription), params)


def _move_trial(vault: Vault, subscription: Wire, wanted: int | str) -> None:
    """Let a trial end now, with an invoice that is due at once, or at another moment."""
    now = test_clocks.now(vault, subscription)
    at = now if wanted == "now" else int(wanted)
    start = subscription["items"]["data"][0]["current_period_start"]
    items = renewals.with_period(subscription, start, at)
    standing.changed(vault, subscription, trial_end=at, billing_cycle_anchor=at, items=items)
    if subscription["cancel_at_period_end"]:
        standing.changed(vault, subscription, cancel_at=at)
    if wanted != "now":
        renewals.plan_next(vault, subscription)
        return
    renewals.renew(vault, subscription["id"])
    if subscription["latest_invoice"] is not None and subscription["status"] == "active":
        invoices.finalize_in_time(vault, subscription["latest_invoice"])


def _has_status(subscription: Wire, wanted: str | None) -> bool:
    match wanted:
        case "all":
            return True
        case "ended":
            return subscription["status"] in standing.OVER
        case None:
            return bool(subscription["status"] != "canceled")
        case _:
            return bool(subscription["status"] == wanted)
