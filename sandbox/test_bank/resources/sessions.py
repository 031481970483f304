"""Checkout Sessions: opened with lines and addresses, completed on the bank's page, or expired."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sandbox.test_bank import money, paging
from sandbox.test_bank.clock import DAY_S
from sandbox.test_bank.errors import ApiError, missing, not_emulated
from sandbox.test_bank.paging import DEFAULT_LIMIT
from sandbox.test_bank.resources import catalogue, customers, intents, setups, subscriptions, test_clocks
from sandbox.test_bank.resources.renewals import Bought
from sandbox.test_bank.store import Wire
from sandbox.test_bank.vault import Call, DueHandler, Ending, Handler, Vault, merged_metadata

SHORTEST_S: Final = 1_800
LONGEST_S: Final = DAY_S
SHORTEST_TRIAL_S: Final = 2 * DAY_S
"""Of a trial that ends at a named moment: longer than a session may be open, or it might be over before it begins."""
MAX_LINES: Final = 100
METHODS: Final = ("card", "sepa_debit", "us_bank_account")
_VERBATIM: Final = (
    "allow_promotion_codes",
    "billing_address_collection",
    "cancel_url",
    "client_reference_id",
    "customer",
    "customer_creation",
    "customer_email",
    "locale",
    "origin_context",
    "payment_method_collection",
    "submit_type",
    "success_url",
)
_SHAPE_ONLY: Final = (
    "after_expiration",
    "branding_settings",
    "consent_collection",
    "custom_text",
    "name_collection",
    "payment_method_options",
    "permissions",
    "phone_number_collection",
    "saved_payment_method_options",
    "wallet_options",
)
"""What is shown as it was given, and changes nothing on the bank's page."""
_TAKEN: Final = frozenset(
    {
        *_VERBATIM,
        *_SHAPE_ONLY,
        "adaptive_pricing",
        "allowed_payment_method_types",
        "currency",
        "expires_at",
        "line_items",
        "metadata",
        "mode",
        "payment_intent_data",
        "setup_intent_data",
        "subscription_data",
        "ui_mode",
    }
)


def create(vault: Vault, call: Call) -> Wire:
    """Open a session."""
    params = call.params
    mode = params.get("mode")
    if mode is None:
        raise missing("mode")
    _check_shape(vault, call, mode)
    expires_at = _expiry(vault, params.get("expires_at"))
    metadata = merged_metadata({}, params.get("metadata", {}))
    lines = _lines(vault, params, mode)
    due = _due_now(vault, params, lines) if mode == "subscription" else lines
    total = sum(line["amount_total"] for line in due)
    currency = lines[0]["currency"] if lines else _setup_currency(params)
    if total:
        assert currency is not None, "lines have a currency"
        money.check_amount(total, currency, param="line_items")
    session = vault.new(
        "checkout.session",
        amount_subtotal=total if lines else None,
        amount_total=total if lines else None,
        currency=currency,
        expires_at=expires_at,
        mode=mode,
        payment_method_types=_methods(params, mode, currency),
        payment_status="unpaid" if mode != "setup" and total else "no_payment_required",
        status="open",
        ui_mode="hosted_page",
        **{name: params[name] for name in _VERBATIM if name in params},
    )
    _complete_skeleton(vault, session, call)
    session["metadata"] = metadata
    notes = vault.notes(session["id"])
    notes["lines"] = lines
    for name in ("payment_intent_data", "payment_method_options", "setup_intent_data", "subscription_data"):
        notes[name] = params.get(name, {})
    vault.store.schedule(expires_at, "session_expires", session["id"])
    return session


def retrieve(vault: Vault, call: Call) -> Wire:
    """Return a session."""
    return vault.get("checkout.session", call.identifier)


def update(vault: Vault, call: Call) -> Wire:
    """Change a session's metadata."""
    session = vault.get("checkout.session", call.identifier)
    session["metadata"] = merged_metadata(session["metadata"], call.params.get("metadata", {}))
    vault.keep(session)
    return session


def expire(vault: Vault, call: Call) -> Wire:
    """Close an open session."""
    session = vault.get("checkout.session", call.identifier)
    if session["status"] != "open":
        raise ApiError(
            'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session has a status of '
            f"`{session['status']}`."
        )
    _expire(vault, session)
    return session


def list_all(vault: Vault, call: Call) -> Wire:
    """List sessions."""
    email = call.params.get("customer_details", {}).get("email")

    def fits(session: Wire) -> bool:
        return email is None or (session["customer_details"] or {}).get("email") == email

    return paging.listed(
        vault, call, "checkout.session", "customer", "payment_intent", "status", "subscription", where=fits
    )


def list_lines(vault: Vault, call: Call) -> Wire:
    """List a session's lines, in the order in which they were given."""
    session = vault.get("checkout.session", call.identifier)
    return paging.page(call, vault.notes(session["id"])["lines"], "item")


def lines_of(vault: Vault, session: Wire) -> Wire:
    """Return the first lines of a session, as `expand[]=line_items` shows them."""
    lines = vault.notes(session["id"])["lines"]
    url = f"/v1/checkout/sessions/{session['id']}/line_items"
    return {"object": "list", "data": lines[:DEFAULT_LIMIT], "has_more": len(lines) > DEFAULT_LIMIT, "url": url}


# --- life ------------------------------------------------------------------------------------------------------------


def intent_of(vault: Vault, session: Wire) -> Wire:
    """Return the payment intent of a session, made at the first try to pay, as Stripe does since 2022."""
    if session["payment_intent"] is not None:
        return vault.sure("payment_intent", session["payment_intent"])
    notes = vault.notes(session["id"])
    given, options = notes["payment_intent_data"], notes["payment_method_options"]
    taken = ("capture_method", "description", "receipt_email", "setup_future_usage", "statement_descriptor")
    intent = intents.make(
        vault,
        amount=session["amount_total"],
        currency=session["currency"],
        customer=session["customer"],
        metadata=merged_metadata({}, given.get("metadata", {})),
        payment_method_types=session["payment_method_types"],
        payment_method_options=vault.spec.completed("payment_intent", "payment_method_options", options or None),
        notes={"session": session["id"], "is_in_open_session": True},
        **{name: given[name] for name in (*taken, "statement_descriptor_suffix") if name in given},
    )
    session["payment_intent"] = intent["id"]
    vault.keep(session)
    return intent


def complete(vault: Vault, session: Wire, *, details: Mapping[str, Any]) -> None:
    """Close a session with success: the shopper is done, whether or not the money is there."""
    for begin in vault.begin:
        begin(vault, session)
    session |= {"status": "complete", "url": None}
    session["customer_details"] = _details_of(vault, session, details)
    if session["payment_intent"] is not None:
        vault.notes(session["payment_intent"])["is_in_open_session"] = False
        vault.store.touch(session["payment_intent"])
    vault.keep(session)
    vault.emit("checkout.session.completed", session)


def ensure_customer(vault: Vault, session: Wire, *, name: str | None, email: str | None) -> None:
    """Make the customer that the session asks for, once."""
    is_wanted = session["customer_creation"] == "always" or session["mode"] == "subscription"
    if session["customer"] is None and is_wanted:
        known = {"name": name, "email": email or session["customer_email"]}
        session["customer"] = customers.make(vault, **known)["id"]
        vault.keep(session)


def follow_intent(vault: Vault, intent: Wire, ending: Ending) -> None:
    """Let a complete session follow its payment intent: a capture, or a delayed method that settles."""
    session = vault.find("checkout.session", vault.notes(intent["id"]).get("session"))
    if session is None or session["status"] != "complete":
        return
    is_delayed = vault.notes(session["id"]).get("is_delayed", False)
    match ending:
        case Ending.SUCCEEDED:
            session["payment_status"] = "paid"
            vault.keep(session)
            if is_delayed:
                vault.emit("checkout.session.async_payment_succeeded", session)
        case Ending.FAILED if is_delayed:
            vault.emit("checkout.session.async_payment_failed", session)
        case _:
            pass


def time_is_over(vault: Vault, identifier: str) -> None:
    """Expire a session that is still open at the end of its time."""
    session = vault.sure("checkout.session", identifier)
    if session["status"] == "open":
        _expire(vault, session)


OPERATIONS: Final[Mapping[str, Handler]] = {
    "checkout.sessions.create": create,
    "checkout.sessions.retrieve": retrieve,
    "checkout.sessions.update": update,
    "checkout.sessions.expire": expire,
    "checkout.sessions.list": list_all,
    "checkout.sessions.listLineItems": list_lines,
}
TAKES: Final[Mapping[str, frozenset[str]]] = {
    "checkout.sessions.create": _TAKEN,
    "checkout.sessions.retrieve": frozenset(),
    "checkout.sessions.update": frozenset({"metadata"}),
    "checkout.sessions.expire": frozenset(),
    "checkout.sessions.list": paging.PAGE
    | {"customer", "payment_intent", "status", "subscription", "customer_details"},
    "checkout.sessions.listLineItems": paging.PAGE,
}
DUE: Final[Mapping[str, DueHandler]] = {"session_expires": time_is_over}
INCLUDABLE: Final[Mapping[tuple[str, str], Any]] = {("checkout.session", "line_items"): lines_of}


def _expire(vault: Vault, session: Wire) -> None:
    session |= {"status": "expired", "url": None}
    vault.keep(session)
    # What a subscription begins with is not shown on the session, so it stands in the notes.
    tried = session["payment_intent"] or session["setup_intent"] or vault.notes(session["id"]).get("intent")
    intent, setup = vault.find("payment_intent", tried), vault.find("setup_intent", tried)
    if intent is not None and intent["status"] not in {"succeeded", "canceled"}:
        intents.end(vault, intent, "expired")
    if setup is not None and setup["status"] not in {"succeeded", "canceled"}:
        setups.end(vault, setup, "abandoned")
    vault.emit("checkout.session.expired", session)


def _details_of(vault: Vault, session: Wire, given: Mapping[str, Any]) -> Wire:
    customer = vault.find("customer", session["customer"]) or {}
    return {
        "address": None,
        "business_name": None,
        "email": given.get("email") or session["customer_email"] or customer.get("email"),
        "individual_name": None,
        "name": given.get("name") or customer.get("name"),
        "phone": None,
        "tax_exempt": "none",
        "tax_ids": [],
    }


# --- opening ---------------------------------------------------------------------------------------------------------


def _check_shape(vault: Vault, call: Call, mode: str) -> None:
    params = call.params
    if params.get("ui_mode", "hosted_page") != "hosted_page":
        raise ApiError(
            "StreamPay Test Bank: ui_mode other than hosted_page is not emulated.", status=501, kind="api_error"
        )
    if "success_url" not in params:
        raise missing("success_url")
    if mode == "setup" and "line_items" in params:
        raise ApiError("You can not pass `line_items` in `setup` mode.", param="line_items")
    if mode != "setup" and not params.get("line_items"):
        raise missing("line_items")
    for name, wanted in (
        ("payment_intent_data", "payment"),
        ("subscription_data", "subscription"),
        ("setup_intent_data", "setup"),
    ):
        if name in params and mode != wanted:
            raise ApiError(f"You can not pass `{name}` in `{mode}` mode.", param=name)
    if "customer" in params and "customer_email" in params:
        raise ApiError(
            "You may only specify one of these parameters: customer, customer_email.",
            code="parameters_exclusive",
            param="customer_email",
        )
    if "customer" in params:
        vault.get("customer", params["customer"], param="customer")


def _expiry(vault: Vault, wanted: int | None) -> int:
    now, ahead_s = vault.now(), vault.clock.offset_s
    if wanted is None:
        return now + LONGEST_S
    if wanted < now + SHORTEST_S <= wanted + ahead_s:
        # The caller's clock stayed behind when the bank's was advanced: he gets as long a time as he asks for.
        wanted += ahead_s
    if wanted < now + SHORTEST_S:
        raise ApiError(
            "The `expires_at` timestamp must be at least 30 minutes from Checkout Session creation.", param="expires_at"
        )
    if wanted > now + LONGEST_S:
        raise ApiError(
            "The `expires_at` timestamp must be less than 24 hours from Checkout Session creation.", param="expires_at"
        )
    return wanted


def _lines(vault: Vault, params: Mapping[str, Any], mode: str) -> list[Wire]:
    given = params.get("line_items", [])
    if len(given) > MAX_LINES:
        raise ApiError(f"You can have at most {MAX_LINES} line items.", param="line_items")
    priced = [_price_of(vault, line, f"line_items[{place}]") for place, line in enumerate(given)]
    for place, (line, price) in enumerate(zip(given, priced, strict=True)):
        _check_line(line, price, mode, f"line_items[{place}]")
    currencies = {price["currency"] for price in priced}
    if len(currencies) > 1:
        raise ApiError("All line items must have the same currency.", param="line_items")
    if mode == "subscription" and not any(price["type"] == "recurring" for price in priced):
        raise ApiError(
            "You must provide at least one recurring price in `subscription` mode when using prices.",
            param="line_items",
        )
    return [_item(vault, line, price) for line, price in zip(given, priced, strict=True)]


def _due_now(vault: Vault, params: Mapping[str, Any], lines: Sequence[Wire]) -> list[Wire]:
    """Return the lines of a subscription that are paid on the page; in a trial what recurs is paid after it."""
    given = params.get("subscription_data", {})
    beyond = min(given.keys() - subscriptions.SIGNUP_TAKES, default=None)
    if beyond is not None:
        raise not_emulated(f"subscription_data[{beyond}]", param=f"subscription_data[{beyond}]")
    recurring = [line for line in lines if line["price"]["type"] == "recurring"]
    subscriptions.check_items([Bought(price=line["price"]) for line in recurring], param="line_items")
    customer = vault.find("customer", params.get("customer"))
    now = vault.now() if customer is None else test_clocks.now(vault, customer)
    trial_end = subscriptions.trial_end_of(now, given)
    if trial_end is None:
        return list(lines)
    if "trial_end" in given and trial_end < now + SHORTEST_TRIAL_S:
        raise ApiError(
            "The `trial_end` date has to be at least 2 days in the future.", param="subscription_data[trial_end]"
        )
    return [line for line in lines if line["price"]["type"] != "recurring"]


def _price_of(vault: Vault, line: Mapping[str, Any], name: str) -> Wire:
    if "price_data" in line:
        # Prices made on the way are inactive, so that they cannot be bought again.
        return catalogue.make_price(vault, line["price_data"], param=f"{name}[price_data]", is_active=False)
    if "price" in line:
        return vault.get("price", line["price"], param=f"{name}[price]")
    raise missing(f"{name}[price_data]")


def _check_line(line: Mapping[str, Any], price: Wire, mode: str, name: str) -> None:
    if mode == "payment" and price["type"] == "recurring":
        raise ApiError(
            "You specified `payment` mode but passed a recurring price. Either switch to `subscription` mode or use "
            "only one-time prices.",
            param="line_items",
        )
    if "quantity" not in line:
        raise missing(f"{name}[quantity]")
    if line["quantity"] < 1:
        raise ApiError(
            "This value must be greater than or equal to 1.",
            code="parameter_invalid_integer",
            param=f"{name}[quantity]",
        )


def _item(vault: Vault, line: Mapping[str, Any], price: Wire) -> Wire:
    total = price["unit_amount"] * line["quantity"]
    item = vault.spec.skeleton("item")
    return item | {
        "id": vault.new_id("item"),
        "amount_subtotal": total,
        "amount_total": total,
        "currency": price["currency"],
        "description": vault.sure("product", price["product"])["name"],
        "metadata": dict(line.get("metadata", {})),
        "price": dict(price),
        "quantity": line["quantity"],
    }


def _setup_currency(params: Mapping[str, Any]) -> str | None:
    return money.checked_currency(params["currency"]) if "currency" in params else None


def _methods(params: Mapping[str, Any], mode: str, currency: str | None) -> list[str]:
    wanted = params.get("allowed_payment_method_types")
    if wanted is None:
        bank = "sepa_debit" if currency == "eur" else "us_bank_account" if currency == "usd" else None
        return ["card", bank] if mode == "payment" and bank else ["card"]
    strange = next((name for name in wanted if name not in METHODS), None)
    if strange is not None:
        raise ApiError(
            f"StreamPay Test Bank: payment method {strange} is not emulated.",
            status=501,
            kind="api_error",
            param="allowed_payment_method_types",
        )
    return list(wanted)


def _complete_skeleton(vault: Vault, session: Wire, call: Call) -> None:
    """Fill what follows from the session itself."""
    base_url = vault.base_url or call.base_url
    defaults = {
        "adaptive_pricing": {"enabled": False} if session["mode"] == "payment" else None,
        "allowed_payment_method_types": call.params.get("allowed_payment_method_types"),
        "customer_creation": "always" if session["mode"] == "subscription" else "if_required",
        "payment_method_collection": "always" if session["mode"] == "subscription" else "if_required",
        "url": f"{base_url}/c/pay/{session['id']}",
    }
    if session["customer"] is not None:
        defaults["customer_creation"] = None
    session |= {name: value for name, value in defaults.items() if session[name] is None}
    given = {name: call.params[name] for name in _SHAPE_ONLY if name in call.params}
    session |= {name: vault.spec.completed("checkout.session", name, value) for name, value in given.items()}
    if session["mode"] != "setup":
        session["total_details"] = {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0}
    vault.keep(session)
