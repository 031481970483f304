"""Payment intents: confirmed with a payment method, challenged, declined, held, captured, canceled."""

from collections.abc import Mapping
from typing import Any, Final

from sandbox.test_bank import money, paging
from sandbox.test_bank.cards import CardEffect, TestCard
from sandbox.test_bank.clock import DAY_S
from sandbox.test_bank.errors import CARD_ERROR, ApiError, missing
from sandbox.test_bank.resources import charges, methods
from sandbox.test_bank.store import Wire
from sandbox.test_bank.vault import Call, DueHandler, Ending, Handler, Vault, merged_metadata

DEBIT_SETTLES_AFTER_S: Final = 3 * DAY_S
"""How long a delayed bank method takes."""
_CONFIRMABLE: Final = ("requires_payment_method", "requires_confirmation", "requires_action")
_CANCELABLE: Final = (*_CONFIRMABLE, "requires_capture")
_CHALLENGES: Final = frozenset({CardEffect.CHALLENGE, CardEffect.CHALLENGE_THEN_DECLINE})


def make(vault: Vault, *, amount: int, currency: str, **fields: Any) -> Wire:
    """Make a payment intent and tell so."""
    fields = {"capture_method": "automatic_async", "payment_method_types": ["card"]} | fields
    intent = vault.new("payment_intent", amount=amount, currency=currency, **fields)
    intent |= {"client_secret": f"{intent['id']}_secret_test", "status": "requires_payment_method"}
    vault.keep(intent)
    vault.emit("payment_intent.created", intent)
    return intent


# --- confirming ------------------------------------------------------------------------------------------------------


def confirm(
    vault: Vault, intent: Wire, method: Wire, *, return_url: str | None = None, is_off_session: bool = False
) -> None:
    """Try to pay an intent with a payment method; the intent's status says what came of it.

    Raises:
        ApiError: the card was declined, as a 402 with the intent inside; the failure has been recorded.
    """
    intent |= {"payment_method": method["id"], "last_payment_error": None, "next_action": None}
    if method["type"] != "card":
        _debit(vault, intent, method)
        return
    card = methods.card_of(vault, method["id"])
    assert card is not None, method["id"]
    if not _needs_challenge(vault, card, method):
        attempt(vault, intent, method, card)
    elif is_off_session:
        _decline(vault, intent, method, card, code="authentication_required", decline_code="authentication_required")
    else:
        _challenge(vault, intent, method, return_url=return_url)


def attempt(vault: Vault, intent: Wire, method: Wire, card: TestCard, *, is_authenticated: bool = False) -> None:
    """Charge a card that needs no challenge, or has passed it.

    Raises:
        ApiError: declined.
    """
    if card.code is not None:
        _decline(vault, intent, method, card, code=card.code, decline_code=card.decline_code)
    charge = charges.make(vault, intent, method, is_authenticated=is_authenticated)
    is_held = intent["capture_method"] == "manual"
    intent["next_action"] = None
    if is_held:
        intent |= {"status": "requires_capture", "amount_capturable": intent["amount"]}
    else:
        intent |= {"status": "succeeded", "amount_received": intent["amount"]}
    charges.succeed(vault, charge, card=card, is_captured=not is_held)
    vault.keep(intent)
    if intent["setup_future_usage"] is not None:
        _save(vault, intent, method)
    if is_held:
        vault.emit("payment_intent.amount_capturable_updated", intent)
        vault.later(charges.AUTHORIZATION_LASTS_S, "authorization_lapses", intent["id"])
        return
    _succeeded(vault, intent)


def _save(vault: Vault, intent: Wire, method: Wire) -> None:
    """Keep a card that paid for later payments, as `setup_future_usage` asks."""
    vault.notes(method["id"])["set_up"] = True
    vault.keep(method)
    if intent["customer"] is not None:
        methods.attach(vault, method, intent["customer"])


def fail_authentication(vault: Vault, intent: Wire) -> ApiError:
    """Record that a challenge was not passed, and return the refusal."""
    error = ApiError(
        "We are unable to authenticate your payment method. Please choose a different payment method and try again.",
        status=402,
        kind=CARD_ERROR,
        code="payment_intent_authentication_failure",
    )
    _back_to_start(vault, intent, error, intent["payment_method"])
    return error


def settle_debit(vault: Vault, charge_id: str) -> None:
    """Let a delayed debit succeed or fail, as was chosen when it was made."""
    charge = vault.sure("charge", charge_id)
    intent = vault.sure("payment_intent", charge["payment_intent"])
    if charge["status"] != "pending" or intent["status"] != "processing":
        return
    if vault.notes(charge_id)["outcome"] == "succeed":
        intent |= {"status": "succeeded", "amount_received": intent["amount"], "processing": None}
        charges.succeed(vault, charge, card=None, is_captured=True)
        vault.keep(intent)
        _succeeded(vault, intent)
        return
    error = ApiError(
        "The customer's bank account could not be debited.", status=402, code="payment_method_provider_decline"
    )
    outcome = charges.refusal(None, "insufficient_funds", is_blocked=False)
    charges.fail(vault, charge, code=error.code or "", message=error.message, outcome=outcome)
    intent["processing"] = None
    _back_to_start(vault, intent, error, intent["payment_method"])
    vault.ended(intent, Ending.FAILED)


def _debit(vault: Vault, intent: Wire, method: Wire) -> None:
    charge = charges.make(vault, intent, method)
    vault.notes(charge["id"])["outcome"] = vault.notes(method["id"]).get("outcome", "succeed")
    intent["status"] = "processing"
    vault.keep(intent)
    vault.emit("charge.pending", charge)
    vault.emit("payment_intent.processing", intent)
    vault.later(DEBIT_SETTLES_AFTER_S, "debit_settles", charge["id"])


def _needs_challenge(vault: Vault, card: TestCard, method: Wire) -> bool:
    if card.effect is CardEffect.CHALLENGE_UNLESS_SET_UP:
        return not vault.notes(method["id"]).get("set_up", False)
    return card.effect in _CHALLENGES


def _challenge(vault: Vault, intent: Wire, method: Wire, *, return_url: str | None) -> None:
    challenge_id = open_challenge(vault, intent, method)
    intent |= {
        "status": "requires_action",
        "next_action": {
            "type": "redirect_to_url",
            "redirect_to_url": {"url": f"{vault.base_url}/3ds/{challenge_id}", "return_url": return_url},
        },
    }
    vault.keep(intent)
    vault.emit("payment_intent.requires_action", intent)


def open_challenge(vault: Vault, intent: Wire, method: Wire) -> str:
    """Open a 3-D Secure challenge for a payment or setup intent, and return its identifier."""
    challenge = {
        "id": vault.new_id("challenge"),
        "intent": intent["id"],
        "method": method["id"],
        "status": "open",
        "amount": intent.get("amount"),
        "currency": intent.get("currency"),
        "brand": method["card"]["brand"],
        "last4": method["card"]["last4"],
    }
    vault.store.add("challenge", challenge)
    notes = vault.notes(intent["id"])
    notes["challenge"] = challenge["id"]
    if "session" in notes:
        vault.notes(notes["session"])["challenge"] = challenge["id"]
        vault.store.touch(notes["session"])
    return str(challenge["id"])


def _decline(vault: Vault, intent: Wire, method: Wire, card: TestCard, *, code: str, decline_code: str | None) -> None:
    charge = charges.make(vault, intent, method)
    is_blocked = card.effect is CardEffect.BLOCKED
    outcome = charges.refusal(card, decline_code, is_blocked=is_blocked)
    message = "This payment requires authentication." if code == "authentication_required" else card.message
    charges.fail(vault, charge, code=code, message=message, outcome=outcome)
    facts: Wire = {"charge": charge["id"]} | ({} if decline_code is None else {"decline_code": decline_code})
    error = ApiError(message, status=402, kind=CARD_ERROR, code=code, facts=facts)
    _back_to_start(vault, intent, error, method["id"])
    error.facts |= {"payment_intent": dict(intent), "payment_method": dict(method)}
    raise error


def _back_to_start(vault: Vault, intent: Wire, error: ApiError, method_id: str | None) -> None:
    method = vault.find("payment_method", method_id)
    shown = error.body("")["error"]
    shown.pop("request_log_url")
    shown |= {} if method is None else {"payment_method": dict(method)}
    intent |= {
        "status": "requires_payment_method",
        "payment_method": None,
        "next_action": None,
        "last_payment_error": shown,
    }
    vault.keep(intent)
    vault.emit("payment_intent.payment_failed", intent)


def _succeeded(vault: Vault, intent: Wire) -> None:
    vault.emit("payment_intent.succeeded", intent)
    vault.ended(intent, Ending.SUCCEEDED)


# --- capture and cancel ----------------------------------------------------------------------------------------------


def capture(vault: Vault, call: Call) -> Wire:
    """Take held money, all or part; without `final_capture=false` the rest is released."""
    intent = vault.get("payment_intent", call.identifier)
    if intent["status"] != "requires_capture":
        raise unexpected(
            intent,
            f"could not be captured because it has a status of {intent['status']}. Only a PaymentIntent with one of "
            "the following statuses may be captured: requires_capture.",
        )
    amount = call.params.get("amount_to_capture", intent["amount_capturable"])
    if amount < 1:
        raise ApiError(
            "This value must be greater than or equal to 1.",
            code="parameter_invalid_integer",
            param="amount_to_capture",
        )
    if amount > intent["amount_capturable"]:
        raise ApiError(
            "The requested capture amount is greater than the amount you can capture for this charge.",
            code="amount_too_large",
            param="amount_to_capture",
        )
    is_final = call.params.get("final_capture", True)
    if not is_final and not charges.is_multicapture(vault.sure("charge", intent["latest_charge"])):
        raise ApiError("This PaymentIntent does not support multicapture.", param="final_capture")
    intent["metadata"] = merged_metadata(intent["metadata"], call.params.get("metadata", {}))
    _take(vault, intent, amount, is_final=is_final)
    return intent


def _take(vault: Vault, intent: Wire, amount: int, *, is_final: bool) -> None:
    charge = vault.sure("charge", intent["latest_charge"])
    before = charge["amount_captured"]
    charge |= {"captured": True, "amount_captured": before + amount}
    intent["amount_received"] += amount
    intent["amount_capturable"] = 0 if is_final else intent["amount_capturable"] - amount
    is_over = intent["amount_capturable"] == 0
    intent["status"] = "succeeded" if is_over else "requires_capture"
    vault.keep(charge)
    vault.keep(intent)
    if before:
        vault.emit("charge.updated", charge, previous={"amount_captured": before})
    else:
        vault.emit("charge.captured", charge)
    charges.after_capture(vault, charge, amount)
    if is_over:
        _succeeded(vault, intent)
    else:
        vault.emit("payment_intent.amount_capturable_updated", intent)


def cancel(vault: Vault, call: Call) -> Wire:
    """Cancel an intent; a hold is released."""
    intent = vault.get("payment_intent", call.identifier)
    if intent["status"] not in _CANCELABLE:
        raise unexpected(
            intent,
            f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}. Only a PaymentIntent "
            f"with one of the following statuses may be canceled: {', '.join(_CANCELABLE)}.",
            is_sentence=True,
        )
    if "invoice" in vault.notes(intent["id"]):
        raise ApiError(
            "You cannot cancel PaymentIntents that were created by an invoice. Void the invoice instead.",
            code="payment_intent_unexpected_state",
        )
    if vault.notes(intent["id"]).get("is_in_open_session"):
        raise ApiError(
            "You cannot cancel PaymentIntents created by Checkout. Expire the Checkout Session instead.",
            code="payment_intent_unexpected_state",
        )
    end(vault, intent, call.params.get("cancellation_reason"))
    return intent


def end(vault: Vault, intent: Wire, reason: str | None) -> None:
    """Cancel an intent for a reason; what was captured of it stays captured, and then that is what was paid."""
    if intent["amount_received"]:
        intent |= {"status": "succeeded", "amount_capturable": 0}
        vault.keep(intent)
        _succeeded(vault, intent)
        return
    is_held = intent["status"] == "requires_capture"
    intent |= {
        "status": "canceled",
        "canceled_at": vault.now(),
        "cancellation_reason": reason,
        "amount_capturable": 0,
        "next_action": None,
    }
    vault.keep(intent)
    if is_held:
        charge = vault.sure("charge", intent["latest_charge"])
        charge |= {"refunded": True, "amount_refunded": charge["amount"]}
        vault.keep(charge)
        vault.emit("charge.expired" if reason == "automatic" else "charge.refunded", charge)
    vault.emit("payment_intent.canceled", intent)
    vault.ended(intent, Ending.CANCELED)


def lapse(vault: Vault, identifier: str) -> None:
    """Release a hold that nobody captured in time."""
    intent = vault.sure("payment_intent", identifier)
    if intent["status"] == "requires_capture":
        end(vault, intent, "automatic")


def unexpected(intent: Wire, message: str, *, is_sentence: bool = False) -> ApiError:
    """Return the refusal of a verb that the intent's status does not allow, with the intent inside."""
    text = message if is_sentence else f"This PaymentIntent {message}"
    return ApiError(text, code="payment_intent_unexpected_state", facts={"payment_intent": dict(intent)})


# --- the API ---------------------------------------------------------------------------------------------------------


def create(vault: Vault, call: Call) -> Wire:
    """Make an intent, and confirm it at once when asked."""
    params = call.params
    currency = money.checked_currency(params["currency"])
    money.check_amount(params["amount"], currency)
    if "customer" in params:
        vault.get("customer", params["customer"], param="customer")
    taken = ("capture_method", "customer", "description", "receipt_email", "setup_future_usage", "statement_descriptor")
    fields = {
        name: params[name] for name in (*taken, "statement_descriptor_suffix", "transfer_group") if name in params
    }
    intent = make(
        vault,
        amount=params["amount"],
        currency=currency,
        metadata=merged_metadata({}, params.get("metadata", {})),
        payment_method_types=params.get("allowed_payment_method_types", ["card"]),
        payment_method_options=_options(params.get("payment_method_options")),
        **fields,
    )
    if "payment_method" in params:
        method = methods.named(vault, params["payment_method"])
        intent |= {"payment_method": method["id"], "status": "requires_confirmation"}
        vault.keep(intent)
    if params.get("confirm"):
        _confirm_by_api(vault, intent, params)
    return intent


def retrieve(vault: Vault, call: Call) -> Wire:
    """Return an intent."""
    return vault.get("payment_intent", call.identifier)


def update(vault: Vault, call: Call) -> Wire:
    """Change an intent that is not over: metadata and description always, amount and currency before it is paid."""
    intent = vault.get("payment_intent", call.identifier)
    params = call.params
    if ("amount" in params or "currency" in params) and intent["status"] not in _CONFIRMABLE:
        raise unexpected(intent, f"could not be updated because it has a status of {intent['status']}.")
    currency = money.checked_currency(params.get("currency", intent["currency"]))
    amount = params.get("amount", intent["amount"])
    money.check_amount(amount, currency)
    metadata = merged_metadata(intent["metadata"], params.get("metadata", {}))
    if "payment_method" in params:
        intent["payment_method"] = methods.named(vault, params["payment_method"])["id"]
        intent["status"] = "requires_confirmation" if intent["status"] in _CONFIRMABLE else intent["status"]
    for name in ("description", "receipt_email", "setup_future_usage", "customer"):
        if name in params:
            intent[name] = params[name] or None
    intent |= {"amount": amount, "currency": currency, "metadata": metadata}
    vault.keep(intent)
    return intent


def confirm_by_api(vault: Vault, call: Call) -> Wire:
    """Answer `paymentIntents.confirm`."""
    intent = vault.get("payment_intent", call.identifier)
    if vault.notes(intent["id"]).get("is_in_open_session"):
        raise unexpected(intent, "was created by Checkout and is confirmed on its page alone.")
    if intent["status"] not in _CONFIRMABLE:
        raise unexpected(intent, f"could not be confirmed because it has a status of {intent['status']}.")
    _confirm_by_api(vault, intent, call.params)
    return intent


def _confirm_by_api(vault: Vault, intent: Wire, params: Mapping[str, Any]) -> None:
    if "payment_method" in params and intent["payment_method"] is None:
        intent["payment_method"] = methods.named(vault, params["payment_method"])["id"]
    if intent["payment_method"] is None:
        raise missing("payment_method")
    is_off_session = params.get("off_session") not in {None, False, "false"}
    method = vault.sure("payment_method", intent["payment_method"])
    confirm(vault, intent, method, return_url=params.get("return_url"), is_off_session=is_off_session)


def list_all(vault: Vault, call: Call) -> Wire:
    """List intents."""
    return paging.listed(vault, call, "payment_intent", "customer")


def _options(given: Mapping[str, Any] | None) -> Wire | None:
    if given is None:
        return None
    card = {"installments": None, "mandate_options": None, "network": None, "request_three_d_secure": "automatic"}
    return {**given, "card": card | given.get("card", {})} if "card" in given else dict(given)


OPERATIONS: Final[Mapping[str, Handler]] = {
    "paymentIntents.create": create,
    "paymentIntents.retrieve": retrieve,
    "paymentIntents.update": update,
    "paymentIntents.confirm": confirm_by_api,
    "paymentIntents.capture": capture,
    "paymentIntents.cancel": cancel,
    "paymentIntents.list": list_all,
}
TAKES: Final[Mapping[str, frozenset[str]]] = {
    "paymentIntents.create": frozenset(
        {
            "amount",
            "currency",
            "customer",
            "capture_method",
            "description",
            "receipt_email",
            "setup_future_usage",
            "statement_descriptor",
            "statement_descriptor_suffix",
            "transfer_group",
            "metadata",
            "allowed_payment_method_types",
            "payment_method_options",
            "payment_method",
            "confirm",
            "return_url",
            "off_session",
            "use_stripe_sdk",
            "confirmation_method",
            "automatic_payment_methods",
        }
    ),
    "paymentIntents.retrieve": frozenset({"client_secret"}),
    "paymentIntents.update": frozenset(
        {
            "amount",
            "currency",
            "metadata",
            "payment_method",
            "description",
            "receipt_email",
            "setup_future_usage",
            "customer",
        }
    ),
    "paymentIntents.confirm": frozenset(
        {"payment_method", "return_url", "off_session", "use_stripe_sdk", "setup_future_usage", "receipt_email"}
    ),
    "paymentIntents.capture": frozenset(
        {"amount_to_capture", "final_capture", "metadata", "statement_descriptor", "statement_descriptor_suffix"}
    ),
    "paymentIntents.cancel": frozenset({"cancellation_reason"}),
    "paymentIntents.list": paging.PAGE | {"customer"},
}
DUE: Final[Mapping[str, DueHandler]] = {"debit_settles": settle_debit, "authorization_lapses": lapse}
