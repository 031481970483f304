"""What the shopper does on the bank's pages: pay by card, pay from a bank account, answer a challenge."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from sandbox.test_bank.errors import ApiError
from sandbox.test_bank.resources import intents, methods, sessions, setups
from sandbox.test_bank.store import Wire
from sandbox.test_bank.vault import Vault

Outcome = Literal["paid", "challenge", "declined", "closed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PayResult:
    """What came of a try to pay.

    Attributes:
        kind: `paid` (the session is complete, even if it settles later), `challenge`, `declined`, or `closed`.
        redirect_url: where the shopper goes next.
        message: what to tell the shopper.
        decline_code: Stripe's reason of a decline.
        param: the field at fault.
    """

    kind: Outcome
    redirect_url: str | None = None
    message: str | None = None
    decline_code: str | None = None
    param: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shopper:
    """Who stands at the page."""

    name: str | None
    email: str | None


Payer = Callable[[Vault, Wire, Wire], str]
"""Tries to complete a session of one mode with a payment method; returns the status of what it tried."""

NOTHING_DUE: Final = "nothing_due"
"""What a payer returns, beside a payment intent's status, when there was nothing to pay."""
CLOSED: Final = "This checkout is closed."


def pay(vault: Vault, session: Wire, shopper: Shopper, make_method: Callable[[], Wire], payer: Payer) -> PayResult:
    """Try to complete a session with a payment method that is made only if the session is open."""
    if session["status"] != "open":
        return PayResult(kind="closed", message=CLOSED, redirect_url=_left_for(session))
    try:
        method = make_method()
        sessions.ensure_customer(vault, session, name=shopper.name, email=shopper.email)
        vault.notes(session["id"])["shopper"] = {"name": shopper.name, "email": shopper.email}
        vault.keep(session)
        status = payer(vault, session, method)
    except ApiError as error:
        return _declined(error)
    return _after(vault, session, status)


def answer(vault: Vault, challenge: Wire, *, passed: bool) -> PayResult:
    """Take the answer to a 3-D Secure challenge, in Checkout or outside of it."""
    kind = "setup_intent" if vault.find("setup_intent", challenge["intent"]) else "payment_intent"
    intent = vault.sure(kind, challenge["intent"])
    session = vault.find("checkout.session", vault.notes(intent["id"]).get("session"))
    if status_of(vault, challenge) != "open":
        url = None if session is None else _left_for(session)
        return PayResult(kind="closed", message="This challenge was answered already.", redirect_url=url)
    challenge["status"] = "passed" if passed else "failed"
    vault.keep(challenge)
    method = vault.sure("payment_method", challenge["method"])
    back = ((intent["next_action"] or {}).get("redirect_to_url") or {}).get("return_url")
    try:
        _resume(vault, intent, method, passed=passed)
    except ApiError as error:
        return _declined(error, redirect_url=back if session is None else session["url"])
    if session is None:
        return PayResult(kind="paid", redirect_url=back)
    return _after(vault, session, intent["status"])


def status_of(vault: Vault, challenge: Wire) -> str:
    """Return where a challenge stands; one whose intent went another way meanwhile has failed."""
    if challenge["status"] != "open":
        return str(challenge["status"])
    record = vault.store.find(challenge["intent"])
    assert record is not None, challenge["intent"]
    is_current = record.notes.get("challenge") == challenge["id"]
    return "open" if is_current and record.body["status"] == "requires_action" else "failed"


def returning(session: Wire) -> str | None:
    """Return where a paid session leads: its success address, the literal placeholder replaced as Stripe does."""
    url = session["success_url"]
    return None if url is None else url.replace("{CHECKOUT_SESSION_ID}", session["id"])


def _resume(vault: Vault, intent: Wire, method: Wire, *, passed: bool) -> None:
    if intent["object"] == "setup_intent":
        if not passed:
            raise setups.fail(vault, intent)
        setups.finish(vault, intent, method)
        return
    if not passed:
        raise intents.fail_authentication(vault, intent)
    card = methods.card_of(vault, method["id"])
    assert card is not None, method["id"]
    intents.attempt(vault, intent, method, card, is_authenticated=True)


def _after(vault: Vault, session: Wire, status: str) -> PayResult:
    if status == "requires_action":
        challenge_id = vault.notes(session["id"])["challenge"]
        return PayResult(kind="challenge", redirect_url=f"{vault.base_url}/3ds/{challenge_id}")
    notes = vault.notes(session["id"])
    notes["is_delayed"] = status == "processing"
    if status == "succeeded" and session["payment_status"] == "unpaid":
        session["payment_status"] = "paid"
    sessions.complete(vault, session, details=notes["shopper"])
    return PayResult(kind="paid", redirect_url=returning(session))


def _pay_once(vault: Vault, session: Wire, method: Wire) -> str:
    if session["amount_total"] == 0:
        return NOTHING_DUE
    intent = sessions.intent_of(vault, session)
    intent["customer"] = session["customer"]
    intents.confirm(vault, intent, method, return_url=returning(session))
    return str(intent["status"])


def _set_up(vault: Vault, session: Wire, method: Wire) -> str:
    setup = vault.find("setup_intent", session["setup_intent"])
    if setup is None:
        given: Mapping[str, Any] = vault.notes(session["id"])["setup_intent_data"]
        setup = setups.make(
            vault,
            notes={"session": session["id"]},
            customer=session["customer"],
            description=given.get("description"),
            metadata=dict(given.get("metadata", {})),
        )
        session["setup_intent"] = setup["id"]
        vault.keep(session)
    setups.confirm(vault, setup, method, return_url=returning(session))
    return str(setup["status"])


PAYERS: Final[Mapping[str, Payer]] = {"payment": _pay_once, "setup": _set_up}
"""How a session of each mode is paid; a desk that knows another mode has its own."""


def _declined(error: ApiError, *, redirect_url: str | None = None) -> PayResult:
    return PayResult(
        kind="declined",
        message=error.message,
        decline_code=error.facts.get("decline_code"),
        param=error.param,
        redirect_url=redirect_url,
    )


def _left_for(session: Wire) -> str | None:
    return returning(session) if session["status"] == "complete" else session["cancel_url"]
