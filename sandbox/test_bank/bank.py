"""The bank: all its state behind one lock, its verbs for the API, the pages and control. It knows no HTTP server."""

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from sandbox.test_bank import checkout, spec
from sandbox.test_bank.checkout import PayResult, Shopper
from sandbox.test_bank.clock import BankClock
from sandbox.test_bank.errors import ApiError, not_emulated
from sandbox.test_bank.expand import Includable, check_paths, expanded
from sandbox.test_bank.faults import FaultPlan
from sandbox.test_bank.idempotency import IdempotencyKeys
from sandbox.test_bank.resources import (
    balance,
    catalogue,
    charges,
    customers,
    disputes,
    endpoints,
    events,
    intents,
    invoices,
    methods,
    payouts,
    portal_sessions,
    refunds,
    renewals,
    sessions,
    setups,
    signups,
    subscriptions,
    test_clocks,
)
from sandbox.test_bank.store import Store, Wire
from sandbox.test_bank.vault import Call, DueHandler, Handler, Vault
from sandbox.test_bank.webhooks import Courier

DESKS: Final[tuple[ModuleType, ...]] = (
    balance,
    catalogue,
    charges,
    customers,
    disputes,
    endpoints,
    events,
    intents,
    invoices,
    methods,
    payouts,
    portal_sessions,
    refunds,
    renewals,
    sessions,
    setups,
    signups,
    subscriptions,
    test_clocks,
)
"""Every file of `resources` that answers operations, or does what falls due. To add one: write it, and name it here."""
DEFAULT_SEED: Final = "1"
MAX_TASKS_AT_ONCE: Final = 100_000
"""More tasks than one advance of the clock may ever run through: a loop would be a defect."""


class Bank:
    """One bank.

    Attributes:
        lock: held by everything that reads or changes state.
        vault: the state; only with the lock.
        faults: faults for the next calls; only with the lock.
        keys: idempotency keys; only with the lock.
        courier: carries webhooks.
        stopping: set when the bank closes, so that nobody goes on waiting.
    """

    def __init__(
        self,
        *,
        path: Path | None = None,
        seed: str = DEFAULT_SEED,
        base_url: str = "",
        real_time_s: Callable[[], float] = time.time,
    ) -> None:
        self.lock = threading.RLock()
        self.stopping = threading.Event()
        self.faults = FaultPlan()
        store = Store(path)
        # A bank that is restarted goes on with the seed of its file, or it would make the same identifiers again.
        seed = store.setting("seed", default=seed)
        store.set("seed", value=seed)
        clock = BankClock(real_time_s, offset_s=store.setting("offset_s", default=0))
        self.vault = Vault(store=store, clock=clock, spec=spec.load(), seed=seed, base_url=base_url)
        self.vault.follow.extend(_gathered(DESKS, "follow_intent"))
        self.vault.begin.extend(_gathered(DESKS, "begin_session"))
        self.vault.leave.extend(_gathered(DESKS, "leave_customer"))
        self.keys = IdempotencyKeys(self.vault)
        self.courier = Courier(self.vault, self.lock, self.settle)
        self._operations: Mapping[str, Handler] = _merged(DESKS, "OPERATIONS")
        self._takes: Mapping[str, frozenset[str]] = _merged(DESKS, "TAKES")
        assert self._takes.keys() == self._operations.keys(), "each operation says what it acts upon"
        self._includable: Mapping[tuple[str, str], Includable] = _merged(DESKS, "INCLUDABLE")
        self._payers: Mapping[str, checkout.Payer] = _merged((checkout, *DESKS), "PAYERS")
        self._due: Mapping[str, DueHandler] = _merged(DESKS, "DUE") | self.courier.due_handlers()

    def start(self) -> None:
        """Start to deliver webhooks and to let time pass."""
        self.courier.start()

    def close(self) -> None:
        """Stop everything and close the file."""
        self.stopping.set()
        self.courier.close()
        with self.lock:
            self.vault.store.close()

    # --- the API -----------------------------------------------------------------------------------------------------

    def is_emulated(self, operation: str) -> bool:
        """Return whether this bank does an operation of Stripe's."""
        return operation in self._operations

    def execute(self, call: Call) -> str:
        """Do one call, and return its answer as JSON.

        Raises:
            ApiError: whatever Stripe would answer instead; what had happened until then stays.
        """
        handler = self._operations.get(call.operation.name)
        if handler is None:
            raise not_emulated(call.operation.name)
        beyond = min(call.params.keys() - self._takes[call.operation.name] - {"expand"}, default=None)
        if beyond is not None:
            # To take a parameter and ignore it would be a success that means something else than with Stripe.
            raise not_emulated(f"{beyond} of {call.operation.name}", param=beyond)
        paths = call.params.get("expand", ())
        check_paths(self.vault.spec, call.operation.answers, paths, self._includable)
        with self.lock:
            self._catch_up()
            self.vault.call = call
            try:
                body = handler(self.vault, call)
                if paths:
                    body = expanded(self.vault, body, paths, self._includable)
                return json.dumps(body)
            finally:
                self.vault.call = None
                self._finish()

    def request_id(self) -> str:
        """Return an identifier for a request."""
        with self.lock:
            return self.vault.new_id("request")

    # --- the pages ---------------------------------------------------------------------------------------------------

    def checkout_session(self, session_id: str) -> Wire:
        """Return a session with its `line_items`, and its `payment_intent` as an object once there is one.

        Raises:
            ApiError: 404, there is no such session.
        """
        with self.lock:
            self.settle()
            session = self.vault.get("checkout.session", session_id)
            intent = self.vault.find("payment_intent", session["payment_intent"])
            inside = {"line_items": sessions.lines_of(self.vault, session), "payment_intent": intent}
            shown: Wire = _copied(session | inside)
            return shown

    def pay_by_card(
        self,
        session_id: str,
        *,
        number: str,
        exp_month: int,
        exp_year: int,
        cvc: str,
        name: str,
        email: str | None = None,
    ) -> PayResult:
        """Try to complete a session with a test card; a number outside the list is declined and not kept.

        Raises:
            LookupError: there is no such session.
        """
        shopper = Shopper(name=name or None, email=email or None)

        def make_method() -> Wire:
            card = methods.typed_card(self.vault, number=number, exp_month=exp_month, exp_year=exp_year, cvc=cvc)
            billing = {"name": shopper.name, "email": shopper.email}
            return methods.make_card(self.vault, card, exp_month=exp_month, exp_year=exp_year, cvc=cvc, billing=billing)

        return self._pay(session_id, shopper, make_method)

    def pay_by_bank(
        self, session_id: str, *, outcome: str, name: str | None = None, email: str | None = None
    ) -> PayResult:
        """Complete a session by a bank debit that takes days: it is unpaid until then.

        Raises:
            LookupError: there is no such session.
        """
        if outcome not in {"succeed", "fail"}:
            raise ApiError("outcome is succeed or fail.", param="outcome")
        shopper = Shopper(name=name or "Jenny Rosen", email=email or "jenny.rosen@example.com")

        def make_method() -> Wire:
            session = self.vault.get("checkout.session", session_id)
            billing = {"name": shopper.name, "email": shopper.email}
            method = methods.make_bank_account(self.vault, currency=session["currency"] or "usd", billing=billing)
            self.vault.notes(method["id"])["outcome"] = outcome
            return method

        return self._pay(session_id, shopper, make_method)

    @property
    def clock(self) -> BankClock:
        """The bank's clock."""
        return self.vault.clock

    def newest(self, kind: str, *, limit: int) -> list[Wire]:
        """Return the objects of a kind that were made last, the newest first."""
        with self.lock:
            self.settle()
            made = list(itertools.islice(self.vault.every(kind), limit))
            if kind == "event":
                made = [self.vault.shown_event(event) for event in made]
            copies: list[Wire] = _copied(made)
            return copies

    def challenge(self, challenge_id: str) -> Wire:
        """Return `id`, `session`, `status` (open, passed, failed), `amount`, `currency`, `brand` and `last4`.

        Raises:
            LookupError: there is no such challenge.
        """
        with self.lock:
            self.settle()
            challenge = self.vault.get("challenge", challenge_id)
            intent = self.vault.notes(challenge["intent"])
            status = checkout.status_of(self.vault, challenge)
            shown: Wire = _copied(challenge | {"session": intent.get("session"), "status": status})
            return shown

    def answer_challenge(self, challenge_id: str, *, passed: bool) -> PayResult:
        """Answer an open challenge.

        Raises:
            LookupError: there is no such challenge.
        """
        with self.lock:
            self._catch_up()
            try:
                challenge = self.vault.get("challenge", challenge_id)
                return checkout.answer(self.vault, challenge, passed=passed)
            finally:
                self._finish()

    def _pay(self, session_id: str, shopper: Shopper, make_method: Callable[[], Wire]) -> PayResult:
        with self.lock:
            self._catch_up()
            try:
                session = self.vault.get("checkout.session", session_id)
                payer = self._payers.get(session["mode"])
                if payer is None:
                    raise not_emulated(f"paying a session in {session['mode']} mode")
                return checkout.pay(self.vault, session, shopper, make_method, payer)
            finally:
                self._finish()

    # --- time --------------------------------------------------------------------------------------------------------

    def advance(self, seconds: int) -> int:
        """Let time pass: everything that falls due happens at its moment. Returns the new time."""
        with self.lock:
            self.vault.clock.advance(seconds)
            self.vault.store.set("offset_s", value=self.vault.clock.offset_s)
            self._finish()
            return self.vault.now()

    def settle(self) -> None:
        """Let happen what fell due meanwhile."""
        with self.lock:
            due_at = self.vault.store.next_at()
            if due_at is not None and due_at <= self.vault.now():
                self._finish()

    def change(self, work: Callable[[Vault], Any]) -> Any:
        """Do something to the state as one verb; for control."""
        with self.lock:
            self._catch_up()
            try:
                return _copied(work(self.vault))
            finally:
                self._finish()

    def _finish(self) -> None:
        self._catch_up()
        self.vault.store.commit()
        if self.courier.ready():
            self.courier.wake()

    def _catch_up(self) -> None:
        now = self.vault.clock.now()
        for _ in range(MAX_TASKS_AT_ONCE):
            task = self.vault.store.due(now)
            if task is None:
                return
            with self.vault.clock.at(task.at):
                self._due[task.what](self.vault, task.subject)
        raise AssertionError("tasks that make tasks without end")


def _gathered(desks: Iterable[ModuleType], name: str) -> list[Any]:
    return [getattr(desk, name) for desk in desks if hasattr(desk, name)]


def _merged(desks: Iterable[ModuleType], name: str) -> dict[Any, Any]:
    merged: dict[Any, Any] = {}
    for table in _gathered(desks, name):
        assert not merged.keys() & table.keys(), "two desks claim one name"
        merged |= table
    return merged


def _copied(value: Any) -> Any:
    """Return a copy that may leave the lock."""
    return json.loads(json.dumps(value))
