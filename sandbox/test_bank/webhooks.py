"""Webhooks: every event to every endpoint that wants it, signed at each try, retried on the bank's clock.

Stripe tries a sandbox endpoint three more times over a few hours; so does this. Faults make the deliveries late,
double, out of order, lost, badly signed or stale, which is what receivers must live with.
"""

import hashlib
import hmac
import json
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import requests

from sandbox.test_bank.resources import endpoints
from sandbox.test_bank.resources.events import matches
from sandbox.test_bank.store import Wire
from sandbox.test_bank.vault import DueHandler, Vault

RETRIES_AFTER_S: Final = (60, 1_800, 7_200)
ANSWER_WITHIN_S: Final = 10
"""How long an endpoint may take; Stripe's page waits as long before it sends the shopper on."""
IDLE_LOOK_S: Final = 0.25
"""How often the courier looks at the clock when nothing wakes it."""


class WebhookFaultKind(StrEnum):
    """What happens to a delivery."""

    DELAY = "delay"
    DUPLICATE = "duplicate"
    REORDER = "reorder"
    LOSE = "lose"
    BAD_SIGNATURE = "bad_signature"
    STALE = "stale"


@dataclass(slots=True, kw_only=True)
class WebhookFault:
    """A fault for the next `times` deliveries of the events that fit `on`; `seconds` is a delay."""

    kind: WebhookFaultKind
    times: int = 1
    seconds: int = 60
    on: str = "*"


def signed(secret: str, payload: str, moment: int) -> str:
    """Return the `Stripe-Signature` header (https://docs.stripe.com/webhooks#verify-manually)."""
    digest = hmac.digest(secret.encode(), f"{moment}.{payload}".encode(), hashlib.sha256)
    return f"t={moment},v1={digest.hex()}"


class Courier:
    """Plans deliveries under the bank's lock, and carries them out in a thread of its own, without it."""

    def __init__(self, vault: Vault, lock: threading.RLock, settle: Callable[[], None]) -> None:
        self._vault = vault
        self._lock = lock
        self._settle = settle
        self._ready: deque[str] = deque()
        self._held: list[str] = []
        self._faults: list[WebhookFault] = []
        self._random = random.Random(vault.seed)  # noqa: S311 - disorder must be reproducible, not secret
        # One carrier at a time: the first of the queue stays there until its try is recorded.
        self._carrying = threading.Lock()
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._http = requests.Session()
        self._http.trust_env = False
        self.counts: Counter[str] = Counter()
        vault.announce.append(self.plan)

    # --- planning; the caller holds the lock -------------------------------------------------------------------------

    def due_handlers(self) -> dict[str, DueHandler]:
        """Return what to do when a delivery falls due."""
        return {"deliver": lambda _, identifier: self._hand_over(identifier)}

    def plan(self, event: Wire) -> None:
        """Plan the deliveries of an event."""
        for endpoint in self._vault.every("webhook_endpoint"):
            wants = any(matches(pattern, event["type"]) for pattern in endpoint["enabled_events"])
            if endpoint["status"] == "enabled" and wants:
                event["pending_webhooks"] += 1
                self._plan_one(event, endpoint)

    def add_fault(self, fault: WebhookFault) -> None:
        """Plan a fault."""
        self._faults.append(fault)

    def clear_faults(self) -> None:
        """Plan no faults any more, and let go of what was held back."""
        self._faults.clear()
        self._release()

    def planned_faults(self) -> list[dict[str, object]]:
        """Return the faults to come as control shows them."""
        return [{"kind": fault.kind.value, "times": fault.times, "on": fault.on} for fault in self._faults]

    def redeliver(self, event: Wire) -> int:
        """Deliver an event once more to every endpoint, and return to how many."""
        targets = [endpoint for endpoint in self._vault.every("webhook_endpoint") if endpoint["status"] == "enabled"]
        for endpoint in targets:
            self._ready.append(self._delivery(event, endpoint))
        self.wake()
        return len(targets)

    def _plan_one(self, event: Wire, endpoint: Wire) -> None:
        fault = self._fault_for(event)
        kind = None if fault is None else fault.kind
        identifier = self._delivery(event, endpoint, is_badly_signed=kind is WebhookFaultKind.BAD_SIGNATURE)
        match kind:
            case WebhookFaultKind.LOSE:
                self._vault.store.remove(identifier)
                self.counts["lost"] += 1
            case WebhookFaultKind.DELAY:
                assert fault is not None, "it has a kind"
                self._vault.later(fault.seconds, "deliver", identifier)
            case WebhookFaultKind.REORDER:
                self._held.append(identifier)
            case WebhookFaultKind.DUPLICATE:
                self._ready.extend((identifier, self._delivery(event, endpoint)))
            case WebhookFaultKind.STALE:
                self._ready.append(identifier)
                self._ready.append(self._delivery(self._older(event), endpoint))
            case WebhookFaultKind.BAD_SIGNATURE | None:
                self._ready.append(identifier)
        if self._held and not any(fault.kind is WebhookFaultKind.REORDER for fault in self._faults):
            self._release()

    def _fault_for(self, event: Wire) -> WebhookFault | None:
        fault = next((fault for fault in self._faults if matches(fault.on, event["type"])), None)
        if fault is not None:
            fault.times -= 1
            if fault.times <= 0:
                self._faults.remove(fault)
        return fault

    def _delivery(self, event: Wire, endpoint: Wire, *, is_badly_signed: bool = False) -> str:
        identifier = self._vault.new_id("delivery")
        planned = {"id": identifier, "event": event["id"], "endpoint": endpoint["id"], "attempt": 0}
        self._vault.store.add("delivery", planned, {"is_badly_signed": is_badly_signed})
        return identifier

    def _older(self, event: Wire) -> Wire:
        """Return an event of the past, the seed's choice among the last hundred."""
        past = [other for other, _ in zip(self._vault.every("event"), range(100), strict=False)]
        return self._random.choice(past) if past else event

    def _release(self) -> None:
        """Let go of what was held back for disorder, in an order of the seed's choice."""
        self._random.shuffle(self._held)
        self._ready.extend(self._held)
        self._held.clear()

    def _hand_over(self, identifier: str) -> None:
        if self._vault.store.find(identifier) is not None:
            self._ready.append(identifier)

    # --- carrying ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start to carry; what was on its way when the bank last stopped goes first."""
        with self._lock:
            waiting = {task.subject for task in self._vault.store.waiting("deliver")} | set(self._ready)
            known = [record.body["id"] for record in self._vault.store.newest_first("delivery")]
            self._ready.extend(identifier for identifier in reversed(known) if identifier not in waiting)
        self._thread = threading.Thread(target=self._run, name="test-bank-courier", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop; what is not delivered stays planned."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(ANSWER_WITHIN_S + 1)
        self._http.close()

    def wake(self) -> None:
        """Let the courier look now."""
        self._wake.set()

    def waiting(self) -> int:
        """Return how many deliveries are neither done nor given up."""
        return self._vault.store.size("delivery")

    def ready(self) -> int:
        """Return how many deliveries could go now."""
        return len(self._ready)

    def carry_out(self) -> int:
        """Carry out what is ready, and return how many tries were made."""
        tries = 0
        with self._carrying:
            while (parcel := self._next()) is not None:
                identifier, url, payload, signature = parcel
                self._record(identifier, is_taken=self._post(url, payload, signature))
                tries += 1
        return tries

    def _run(self) -> None:
        while not self._stop.is_set():
            self._settle()
            if not self.carry_out():
                self._wake.wait(IDLE_LOOK_S)
                self._wake.clear()

    def _next(self) -> tuple[str, str, str, str] | None:
        with self._lock:
            while self._ready and not self._stop.is_set():
                identifier = self._ready[0]
                record = self._vault.store.find(identifier)
                endpoint = None if record is None else self._vault.find("webhook_endpoint", record.body["endpoint"])
                if record is None or endpoint is None:
                    self._ready.popleft()
                    if record is not None:
                        self._vault.store.remove(identifier)
                    continue
                payload = json.dumps(self._vault.shown_event(self._vault.sure("event", record.body["event"])))
                secret = endpoints.secret_of(self._vault, endpoint["id"])
                if record.notes.pop("is_badly_signed", False):
                    secret += "-forged"
                # Receivers compare with their own clock, so this is real time, whatever the bank's clock says.
                return identifier, endpoint["url"], payload, signed(secret, payload, int(time.time()))
            return None

    def _post(self, url: str, payload: str, signature: str) -> bool:
        headers = {"Content-Type": "application/json; charset=utf-8", "Stripe-Signature": signature}
        headers["User-Agent"] = "Stripe/1.0 (+https://stripe.com/docs/webhooks)"
        try:
            answer = self._http.post(
                url, data=payload.encode(), headers=headers, timeout=ANSWER_WITHIN_S, allow_redirects=False
            )
        except requests.RequestException:
            return False
        return answer.status_code // 100 == 2  # noqa: PLR2004 - HTTP's success, and nothing else: no redirect is followed

    def _record(self, identifier: str, *, is_taken: bool) -> None:
        with self._lock:
            self._ready.popleft()
            record = self._vault.store.find(identifier)
            if record is None:
                return
            event = self._vault.sure("event", record.body["event"])
            attempt = record.body["attempt"]
            self.counts["taken" if is_taken else "refused"] += 1
            if not is_taken and attempt < len(RETRIES_AFTER_S):
                record.body["attempt"] += 1
                self._vault.store.touch(identifier)
                self._vault.later(RETRIES_AFTER_S[attempt], "deliver", identifier)
            else:
                self._vault.store.remove(identifier)
                event["pending_webhooks"] = max(0, event["pending_webhooks"] - int(is_taken))
                self._vault.keep(event)
            self._vault.store.commit()
