"""Payment methods: a test card or a bank account, remembered by what may be shown of it."""

import time
from collections.abc import Mapping
from typing import Any, Final

from sandbox.test_bank import cards, ids, paging
from sandbox.test_bank.cards import CardEffect, TestCard
from sandbox.test_bank.errors import CARD_ERROR, ApiError, missing
from sandbox.test_bank.store import Wire
from sandbox.test_bank.vault import Call, Handler, Vault, merged_metadata

# Stripe's ready-made payment methods and tokens, by the number that they stand for.
_TOKENS: Final[Mapping[str, str]] = {
    "visa": "4242424242424242",
    "mastercard": "5555555555554444",
    "amex": "378282246310005",
    "chargeDeclined": "4000000000000002",
    "visa_chargeDeclined": "4000000000000002",
    "chargeDeclinedInsufficientFunds": "4000000000009995",
    "visa_chargeDeclinedInsufficientFunds": "4000000000009995",
    "chargeCustomerFail": "4000000000000341",
    "authenticationRequired": "4000002500003155",
    "threeDSecureRequired": "4000000000003220",
    "threeDSecure2Required": "4000000000003220",
    "bypassPending": "4000000000000077",
    "createDispute": "4000000000000259",
    "refundFail": "4000000000005126",
    "pendingRefund": "4000000000007726",
}
_READY_EXPIRY: Final = (12, 2034)
_LAST_MONTH: Final = 12
_FAR_FUTURE_YEARS: Final = 50
_CVC_LENGTHS: Final = {"amex": 4}
BANK_LAST4: Final = "6789"


def card_of(vault: Vault, method_id: str) -> TestCard | None:
    """Return the test card behind a payment method; None for a bank account."""
    known = vault.notes(method_id).get("card")
    return next((card for card in cards.ALL if card_key(card) == known), None)


def card_key(card: TestCard) -> str:
    """Return what is stored of a number: its first six and last four, which name one card of the list."""
    return f"{card.number[:6]}{card.last4}"


def typed_card(vault: Vault, *, number: str, exp_month: int, exp_year: int, cvc: str | None) -> TestCard:
    """Return the test card that somebody typed.

    Raises:
        ApiError: a `card_error`; the number is in no list, or a field makes no sense.
    """
    card = cards.find(number)
    if card is None:
        raise card_error(
            "This bank takes its listed test cards alone; never type the number of a real card here.",
            code="incorrect_number",
            param="number",
        )
    if card.code == "incorrect_number":
        raise card_error(card.message, code="incorrect_number", param="number")
    today = _month_of(vault.now())
    if not 1 <= exp_month <= _LAST_MONTH:
        raise card_error("Your card's expiration month is invalid.", code="invalid_expiry_month", param="exp_month")
    if not today <= (exp_year, exp_month) <= (today[0] + _FAR_FUTURE_YEARS, _LAST_MONTH):
        raise card_error("Your card's expiration year is invalid.", code="invalid_expiry_year", param="exp_year")
    if cvc is not None and not (cvc.isascii() and cvc.isdigit() and len(cvc) == _CVC_LENGTHS.get(card.brand, 3)):
        raise card_error("Your card's security code is invalid.", code="invalid_cvc", param="cvc")
    return card


def make_card(
    vault: Vault,
    card: TestCard,
    *,
    exp_month: int,
    exp_year: int,
    cvc: str | None = "123",
    billing: Mapping[str, Any] | None = None,
    **fields: Any,
) -> Wire:
    """Keep a card as a payment method."""
    checked = None if cvc is None else "fail" if card.code == "incorrect_cvc" else "pass"
    return vault.new(
        "payment_method",
        notes={"card": card_key(card)},
        type="card",
        billing_details=_billing(vault, billing or {}),
        card={
            "brand": card.brand,
            "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": checked},
            "country": card.country,
            "display_brand": card.brand,
            "exp_month": exp_month,
            "exp_year": exp_year,
            "fingerprint": ids.token(vault.seed, f"fingerprint/{card_key(card)}", length=16),
            "funding": card.funding,
            "generated_from": None,
            "last4": card.last4,
            "networks": {"available": [card.brand], "preferred": None},
            "regulated_status": "unregulated",
            "three_d_secure_usage": {"supported": True},
            "wallet": None,
        },
        **fields,
    )


def make_bank_account(vault: Vault, *, currency: str, billing: Mapping[str, Any]) -> Wire:
    """Keep a bank account as a payment method: SEPA for the euro, a US account for the rest."""
    fingerprint = ids.token(vault.seed, "fingerprint/bank", length=16)
    if currency == "eur":
        account: Wire = {"bank_code": "19043", "branch_code": "", "country": "AT", "fingerprint": fingerprint}
        account |= {"generated_from": None, "last4": BANK_LAST4}
        return vault.new(
            "payment_method", type="sepa_debit", sepa_debit=account, billing_details=_billing(vault, billing)
        )
    account = {
        "account_holder_type": "individual",
        "account_type": "checking",
        "bank_name": "STREAMPAY TEST BANK",
        "financial_connections_account": None,
        "fingerprint": fingerprint,
        "last4": BANK_LAST4,
        "networks": {"preferred": "ach", "supported": ["ach"]},
        "routing_number": "110000000",
        "status_details": None,
    }
    billing_details = _billing(vault, billing)
    return vault.new("payment_method", type="us_bank_account", us_bank_account=account, billing_details=billing_details)


def named(vault: Vault, name: str, *, param: str = "payment_method") -> Wire:
    """Return the payment method that a request names; a ready-made `pm_card_…` becomes one.

    Raises:
        ApiError: `resource_missing`.
    """
    number = _TOKENS.get(name.removeprefix("pm_card_")) if name.startswith("pm_card_") else None
    if number is None:
        return vault.get("payment_method", name, param=param)
    card = cards.find(number)
    assert card is not None, number
    return make_card(vault, card, exp_month=_READY_EXPIRY[0], exp_year=_READY_EXPIRY[1])


def attach(vault: Vault, method: Wire, customer_id: str) -> None:
    """Save a payment method to a customer.

    Raises:
        ApiError: it belongs to another, or the card is one that cannot be saved.
    """
    if method["customer"] == customer_id:
        return
    if method["customer"] is not None:
        raise ApiError(
            "The payment method you provided has already been attached to a customer.", param="payment_method"
        )
    card = card_of(vault, method["id"])
    if card is not None and card.effect in {CardEffect.DECLINE, CardEffect.BLOCKED}:
        raise card_error(card.message, code=card.code or "card_declined", decline_code=card.decline_code)
    method["customer"] = customer_id
    vault.keep(method)
    vault.emit("payment_method.attached", method)


def create(vault: Vault, call: Call) -> Wire:
    """Make a payment method of a listed test card or of a token."""
    if call.params.get("type", "card") != "card" or "card" not in call.params:
        raise ApiError(
            "StreamPay Test Bank makes payment methods of type card here; others come from its page.", param="type"
        )
    typed = call.params["card"]
    billing = call.params.get("billing_details", {})
    metadata = merged_metadata({}, call.params.get("metadata", {}))
    if "token" in typed:
        number = _TOKENS.get(typed["token"].removeprefix("tok_"))
        if number is None:
            raise ApiError(f"No such token: '{typed['token'][:80]}'", code="resource_missing", param="card[token]")
        month, year, cvc = *_READY_EXPIRY, "123"
    else:
        for name in ("number", "exp_month", "exp_year"):
            if name not in typed:
                raise missing(f"card[{name}]")
        number, month, year, cvc = typed["number"], typed["exp_month"], typed["exp_year"], typed.get("cvc")
    card = typed_card(vault, number=number, exp_month=month, exp_year=year, cvc=None if "token" in typed else cvc)
    return make_card(vault, card, exp_month=month, exp_year=year, cvc=cvc, billing=billing, metadata=metadata)


def retrieve(vault: Vault, call: Call) -> Wire:
    """Return a payment method; one of the ready-made names becomes one first."""
    if call.identifier.removeprefix("pm_card_") in _TOKENS:
        return named(vault, call.identifier)
    return vault.get("payment_method", call.identifier)


def update(vault: Vault, call: Call) -> Wire:
    """Change expiry, billing details and metadata of a saved payment method."""
    method = vault.get("payment_method", call.identifier)
    if method["customer"] is None:
        raise ApiError("You must save this PaymentMethod to a customer before you can update it.")
    method["metadata"] = merged_metadata(method["metadata"], call.params.get("metadata", {}))
    method["billing_details"] = _billing(vault, method["billing_details"] | call.params.get("billing_details", {}))
    for name in ("exp_month", "exp_year"):
        if name in call.params.get("card", {}):
            method["card"][name] = call.params["card"][name]
    vault.keep(method)
    vault.emit("payment_method.updated", method)
    return method


def attach_one(vault: Vault, call: Call) -> Wire:
    """Answer `paymentMethods.attach`."""
    if "customer" not in call.params:
        raise missing("customer")
    customer = vault.get("customer", call.params["customer"], param="customer")
    method = named(vault, call.identifier)
    attach(vault, method, customer["id"])
    return method


def detach(vault: Vault, call: Call) -> Wire:
    """Answer `paymentMethods.detach`."""
    method = vault.get("payment_method", call.identifier)
    if method["customer"] is None:
        raise ApiError("The payment method you provided is not attached to a customer so detachment is impossible.")
    previous, method["customer"] = method["customer"], None
    vault.keep(method)
    vault.emit("payment_method.detached", method, previous={"customer": previous})
    return method


def list_all(vault: Vault, call: Call) -> Wire:
    """List payment methods; Stripe lists none without a customer."""
    if "customer" not in call.params:
        return paging.page(call, [], "payment_method")
    return paging.listed(vault, call, "payment_method", "customer", "type")


OPERATIONS: Final[Mapping[str, Handler]] = {
    "paymentMethods.create": create,
    "paymentMethods.retrieve": retrieve,
    "paymentMethods.update": update,
    "paymentMethods.attach": attach_one,
    "paymentMethods.detach": detach,
    "paymentMethods.list": list_all,
}
TAKES: Final[Mapping[str, frozenset[str]]] = {
    "paymentMethods.create": frozenset({"type", "card", "billing_details", "metadata"}),
    "paymentMethods.retrieve": frozenset(),
    "paymentMethods.update": frozenset({"metadata", "billing_details", "card"}),
    "paymentMethods.attach": frozenset({"customer"}),
    "paymentMethods.detach": frozenset(),
    "paymentMethods.list": paging.PAGE | {"customer", "type"},
}


def _billing(vault: Vault, given: Mapping[str, Any]) -> Wire:
    made: Wire = vault.spec.completed("payment_method", "billing_details", given)
    return made


def _month_of(moment: int) -> tuple[int, int]:
    when = time.gmtime(moment)
    return when.tm_year, when.tm_mon


def card_error(message: str, *, code: str, param: str | None = None, decline_code: str | None = None) -> ApiError:
    """Return Stripe's 402 about a card."""
    facts = {} if decline_code is None else {"decline_code": decline_code}
    return ApiError(message, status=402, kind=CARD_ERROR, code=code, param=param, facts=facts)
