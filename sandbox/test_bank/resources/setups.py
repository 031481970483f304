"""Setup intents: a payment method saved for later without a payment."""

from collections.abc import Mapping
from typing import Any, Final

from sandbox.test_bank import paging
from sandbox.test_bank.cards import CardEffect
from sandbox.test_bank.errors import CARD_ERROR, ApiError, missing
from sandbox.test_bank.resources import intents, methods
from sandbox.test_bank.store import Wire
from sandbox.test_bank.vault import Call, Handler, Vault, merged_metadata

_CONFIRMABLE: Final = ("requires_payment_method", "requires_confirmation", "requires_action")
_CHALLENGES: Final = frozenset(
    {CardEffect.CHALLENGE, CardEffect.CHALLENGE_THEN_DECLINE, CardEffect.CHALLENGE_UNLESS_SET_UP}
)
_DECLINES: Final = frozenset({CardEffect.DECLINE, CardEffect.BLOCKED, CardEffect.CHALLENGE_THEN_DECLINE})


def make(vault: Vault, *, notes: Wire | None = None, **fields: Any) -> Wire:
    """Make a setup intent and tell so."""
    fields = {"payment_method_types": ["card"], "usage": "off_session"} | fields
    setup = vault.new("setup_intent", notes=notes, **fields)
    setup |= {"client_secret": f"{setup['id']}_secret_test", "status": "requires_payment_method"}
    vault.keep(setup)
    vault.emit("setup_intent.created", setup)
    return setup


def confirm(vault: Vault, setup: Wire, method: Wire, *, return_url: str | None = None) -> None:
    """Try to save a payment method.

    Raises:
        ApiError: the card was declined, as a 402.
    """
    setup |= {"payment_method": method["id"], "last_setup_error": None, "next_action": None}
    card = methods.card_of(vault, method["id"])
    if card is None or card.effect not in _CHALLENGES:
        finish(vault, setup, method)
        return
    challenge_id = intents.open_challenge(vault, setup, method)
    target = {"url": f"{vault.base_url}/3ds/{challenge_id}", "return_url": return_url}
    setup |= {"status": "requires_action", "next_action": {"type": "redirect_to_url", "redirect_to_url": target}}
    vault.keep(setup)
    vault.emit("setup_intent.requires_action", setup)


def finish(vault: Vault, setup: Wire, method: Wire) -> None:
    """Save a payment method that needs no challenge, or has passed it.

    Raises:
        ApiError: declined.
    """
    card = methods.card_of(vault, method["id"])
    if card is not None and card.effect in _DECLINES:
        error = methods.card_error(card.message, code=card.code or "card_declined", decline_code=card.decline_code)
        raise fail(vault, setup, error)
    vault.notes(method["id"])["set_up"] = True
    vault.keep(method)
    setup |= {"status": "succeeded", "next_action": None}
    vault.keep(setup)
    if setup["customer"] is not None:
        methods.attach(vault, method, setup["customer"])
    vault.emit("setup_intent.succeeded", setup)


def fail(vault: Vault, setup: Wire, error: ApiError | None = None) -> ApiError:
    """Record that a setup failed, by default because a challenge was not passed, and return the refusal."""
    error = error or ApiError(
        "We are unable to authenticate your payment method. Please choose a different payment method and try again.",
        status=402,
        kind=CARD_ERROR,
        code="setup_intent_authentication_failure",
    )
    shown = error.body("")["error"]
    shown.pop("request_log_url")
    setup |= {
        "status": "requires_payment_method",
        "payment_method": None,
        "next_action": None,
        "last_setup_error": shown,
    }
    vault.keep(setup)
    vault.emit("setup_intent.setup_failed", setup)
    error.facts["setup_intent"] = dict(setup)
    return error


def create(vault: Vault, call: Call) -> Wire:
    """Make a setup intent, and confirm it at once when asked."""
    params = call.params
    if "customer" in params:
        vault.get("customer", params["customer"], param="customer")
    setup = make(
        vault,
        metadata=merged_metadata({}, params.get("metadata", {})),
        **{name: params[name] for name in ("customer", "description", "usage") if name in params},
    )
    if "payment_method" in params:
        method = methods.named(vault, params["payment_method"])
        setup |= {"payment_method": method["id"], "status": "requires_confirmation"}
        vault.keep(setup)
    if params.get("confirm"):
        _confirm(vault, setup, params)
    return setup


def retrieve(vault: Vault, call: Call) -> Wire:
    """Return a setup intent."""
    return vault.get("setup_intent", call.identifier)


def update(vault: Vault, call: Call) -> Wire:
    """Change a setup intent that is not over."""
    setup = vault.get("setup_intent", call.identifier)
    metadata = merged_metadata(setup["metadata"], call.params.get("metadata", {}))
    if "payment_method" in call.params:
        _check_open(setup, "updated")
        setup["payment_method"] = methods.named(vault, call.params["payment_method"])["id"]
        setup["status"] = "requires_confirmation"
    for name in ("customer", "description"):
        if name in call.params:
            setup[name] = call.params[name]
    setup["metadata"] = metadata
    vault.keep(setup)
    return setup


def confirm_by_api(vault: Vault, call: Call) -> Wire:
    """Answer `setupIntents.confirm`."""
    setup = vault.get("setup_intent", call.identifier)
    _check_open(setup, "confirmed")
    _confirm(vault, setup, call.params)
    return setup


def cancel(vault: Vault, call: Call) -> Wire:
    """Cancel a setup intent."""
    setup = vault.get("setup_intent", call.identifier)
    _check_open(setup, "canceled")
    end(vault, setup, call.params.get("cancellation_reason"))
    return setup


def end(vault: Vault, setup: Wire, reason: str | None) -> None:
    """Cancel a setup intent for a reason."""
    setup |= {"status": "canceled", "cancellation_reason": reason, "next_action": None}
    vault.keep(setup)
    vault.emit("setup_intent.canceled", setup)


def list_all(vault: Vault, call: Call) -> Wire:
    """List setup intents."""
    return paging.listed(vault, call, "setup_intent", "customer", "payment_method")


OPERATIONS: Final[Mapping[str, Handler]] = {
    "setupIntents.create": create,
    "setupIntents.retrieve": retrieve,
    "setupIntents.update": update,
    "setupIntents.confirm": confirm_by_api,
    "setupIntents.cancel": cancel,
    "setupIntents.list": list_all,
}
TAKES: Final[Mapping[str, frozenset[str]]] = {
    "setupIntents.create": frozenset(
        {
            "customer",
            "description",
            "usage",
            "metadata",
            "payment_method",
            "confirm",
            "return_url",
            "use_stripe_sdk",
            "automatic_payment_methods",
        }
    ),
    "setupIntents.retrieve": frozenset({"client_secret"}),
    "setupIntents.update": frozenset({"metadata", "payment_method", "customer", "description"}),
    "setupIntents.confirm": frozenset({"payment_method", "return_url", "use_stripe_sdk"}),
    "setupIntents.cancel": frozenset({"cancellation_reason"}),
    "setupIntents.list": paging.PAGE | {"customer", "payment_method"},
}


def _confirm(vault: Vault, setup: Wire, params: Mapping[str, Any]) -> None:
    if "payment_method" in params and setup["payment_method"] is None:
        setup["payment_method"] = methods.named(vault, params["payment_method"])["id"]
    if setup["payment_method"] is None:
        raise missing("payment_method")
    method = vault.sure("payment_method", setup["payment_method"])
    confirm(vault, setup, method, return_url=params.get("return_url"))


def _check_open(setup: Wire, verb: str) -> None:
    if setup["status"] not in _CONFIRMABLE:
        raise ApiError(
            f"This SetupIntent could not be {verb} because it has a status of {setup['status']}.",
            code="setup_intent_unexpected_state",
            facts={"setup_intent": dict(setup)},
        )
