"""What tests of the processor `stripe` share: registrations, a Stripe that follows a script, and the Test Bank."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

import pytest
import stripe

from gateway.domain.provider import (
    Command,
    ProviderCharge,
    ProviderSnapshot,
    RefundCommand,
    Registration,
    RegistrationLine,
)
from gateway.domain.words import CaptureMethod, SessionMode
from gateway.kernel.clock import SystemClock
from gateway.kernel.ids import RandomIds
from gateway.kernel.money import Money
from gateway.processors.stripe import StripeConfig, StripeProcessor
from sandbox.test_bank.bank import Bank
from sandbox.test_bank.checkout import PayResult
from sandbox.test_bank.control import command
from sandbox.test_bank.faults import Fault, FaultKind
from sandbox.test_bank.server import RunningBank, serve

KEY = "sk_test_stage"
WEBHOOK_SECRET = "whsec_stage"
IDS = RandomIds(SystemClock())


def a_processor(url: str, *, name: str = "stripe") -> StripeProcessor:
    """Return a processor in test mode whose Stripe is at `url`."""
    config = StripeConfig(livemode=False, secret_key=KEY, webhook_secrets=(WEBHOOK_SECRET,), base_url=url)
    return StripeProcessor(name, {False: config})


def a_registration(amount: Money | None = None, **changed: Any) -> Registration:
    """Return a registration of now for so much, EUR 12.30 by default, under a fresh operation."""
    now = datetime.now(UTC)
    fields: dict[str, Any] = {
        "operation_id": IDS.new("op"),
        "attempt_id": IDS.new("att"),
        "payment_id": IDS.new("pay"),
        "livemode": False,
        "mode": SessionMode.PAYMENT,
        "amount": Money(1_230, "EUR") if amount is None else amount,
        "capture_method": CaptureMethod.AUTOMATIC,
        "lines": (),
        "reference": "order-1",
        "merchant_name": "The Shop",
        "customer_email": None,
        "customer": None,
        "locale": None,
        "success_url": "http://shop.example/return?token=a%2Fb",
        "cancel_url": "http://shop.example/cart",
        "created_at": now,
        "expires_at": now + timedelta(hours=1),
    }
    return Registration(**(fields | changed))


def a_line(name: str, quantity: int, amount: Money) -> RegistrationLine:
    """Return a line of an order; the amount is for the whole quantity."""
    return RegistrationLine(name=name, quantity=quantity, amount=amount)


def signed_now(body: bytes) -> dict[str, str]:
    """Return the headers under which Stripe would send a body now."""
    return {"Stripe-Signature": stripe.WebhookSignature.generate_signature_header(body.decode(), WEBHOOK_SECRET)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request as the scripted Stripe got it."""

    method: str
    path: str
    headers: Mapping[str, str]
    form: Mapping[str, str]
    raw: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the scripted Stripe does: answer, hang up without a word, or never answer."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] | None = None
    hangs_up: bool = False
    never_ends: bool = False


def says(value: Any, status: int = 200, **headers: str) -> Answer:
    """Return an answer in JSON, or of raw bytes."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return Answer(status=status, body=body, headers={name.replace("_", "-"): text for name, text in headers.items()})


def fails(status: int, kind: str, code: str | None = None, **more: str) -> Answer:
    """Return an error in Stripe's form; `more` are fields of the error object."""
    return says({"error": {"type": kind, "code": code, "message": "jane@example.org was declined"} | more}, status)


OPENED_SESSION: Mapping[str, Any] = {
    "id": "cs_test_1", "object": "checkout.session", "status": "open", "url": "http://bank/c/pay/cs_test_1",
    "expires_at": 1_763_640_000, "livemode": False, "metadata": {"sp_attempt": "att_1"}, "amount_total": 1_230,
    "currency": "eur", "customer": None, "subscription": None, "payment_intent": None, "invoice": None,
    "mode": "payment",
}  # fmt: skip
HANGS_UP = Answer(hangs_up=True)
NEVER_ENDS = Answer(never_ends=True)


class ScriptedStripe:
    """An HTTP server on loopback that gives these answers in turn, the last one for ever; `asked` keeps requests."""

    def __init__(self, *answers: Answer) -> None:
        self.asked: list[Asked] = []
        self._answers = list(answers)
        self._over = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def keys(self) -> Sequence[str | None]:
        """The idempotency keys of the requests, in order."""
        return [one.headers.get("idempotency-key") for one in self.asked]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        scripted = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                scripted._serve(self, b"")

            def do_POST(self) -> None:
                scripted._serve(self, self.rfile.read(int(self.headers.get("Content-Length") or 0)))

            def do_DELETE(self) -> None:
                scripted._serve(self, b"")

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
                pass

        return Handler

    def _serve(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        query = body.decode() or urlsplit(handler.path).query
        headers = {name.lower(): value for name, value in handler.headers.items()}
        form = dict(parse_qsl(query, keep_blank_values=True))
        path = urlsplit(handler.path).path
        self.asked.append(Asked(method=handler.command, path=path, headers=headers, form=form, raw=query))
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if answer.never_ends:
            self._over.wait(30)
        if answer.hangs_up or answer.never_ends:
            handler.close_connection = True
            return
        handler.send_response(answer.status)
        for name, value in (answer.headers or {}).items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(answer.body)))
        handler.end_headers()
        handler.wfile.write(answer.body)


# --- the Test Bank -----------------------------------------------------------------------------------------------

QUICK_TIMEOUT_S = 0.2
CARD = "4242424242424242"
DECLINED_CARD = "4000000000000002"


@dataclass(frozen=True, slots=True, kw_only=True)
class BankStage:
    """A processor whose Stripe is a Test Bank on loopback, with hands to play the shopper and the world."""

    processor: StripeProcessor
    running: RunningBank

    @property
    def bank(self) -> Bank:
        """The bank's own verbs."""
        return self.running.bank

    def open(self, amount: Money | None = None, **changed: Any) -> ProviderSnapshot:
        """Register a page."""
        return self.processor.register(a_registration(amount, **(self._times() | changed)))

    def paid(self, amount: Money | None = None, *, card: str = CARD, **changed: Any) -> ProviderSnapshot:
        """Register a page, pay on it by card, and read what became of it."""
        page = self.open(amount, **changed)
        assert self.pay(page.reference, card).kind == "paid"
        return self.read(page.reference)

    def pay(self, reference: str, card: str = CARD) -> PayResult:
        """Type a card into the page."""
        return self.bank.pay_by_card(reference, number=card, exp_month=12, exp_year=2040, cvc="123", name="Jane Roe")

    def read(self, reference: str) -> ProviderSnapshot:
        """Read a page or a charge."""
        return self.processor.retrieve(reference, livemode=False)

    def fault(self, kind: str, on: str, times: int = 1) -> None:
        """Let the next call fail; a time-out outlasts `QUICK_TIMEOUT_S` by little, and then its key is free again."""
        with self.bank.lock:
            self.bank.faults.add(Fault(on=on, kind=FaultKind(kind), times=times, seconds=2 * QUICK_TIMEOUT_S))

    def control(self, path: str, **body: Any) -> Any:
        """Carry out a command of the bank's control."""
        return command(self.bank, path, body)

    def _times(self) -> dict[str, datetime]:
        """Return when a registration of now is made and ends, by the bank's clock, which may run ahead."""
        with self.bank.lock:
            now = datetime.fromtimestamp(self.bank.vault.now(), UTC)
        return {"created_at": now, "expires_at": now + timedelta(hours=1)}

    def charge_id(self, intent: str) -> str:
        """Return the newest charge of a payment intent."""
        with self.bank.lock:
            return str(self.bank.vault.get("payment_intent", intent)["latest_charge"])

    def count(self, kind: str) -> int:
        """Return how many objects of a kind the bank has."""
        with self.bank.lock:
            return self.bank.vault.store.size(kind)


@contextmanager
def a_bank_stage() -> Iterator[BankStage]:
    """Serve a fresh bank with a processor before it."""
    with serve() as running:
        processor = a_processor(running.url)
        try:
            yield BankStage(processor=processor, running=running)
        finally:
            processor.close()


def a_command(snapshot: ProviderSnapshot, reference: str | None = None) -> Command:
    """Return a command of a fresh operation for the page of a snapshot, or for another object of it."""
    return Command(
        operation_id=IDS.new("op"),
        attempt_id=snapshot.attempt_id or "",
        payment_id=IDS.new("pay"),
        livemode=False,
        reference=reference or snapshot.reference,
    )


def charge_of(snapshot: ProviderSnapshot) -> ProviderCharge:
    """Return the charge that a snapshot must have."""
    assert snapshot.charge is not None
    return snapshot.charge


def charge_command(snapshot: ProviderSnapshot) -> Command:
    """Return a command of a fresh operation for the charge of a snapshot."""
    return a_command(snapshot, charge_of(snapshot).reference)


def a_refund(snapshot: ProviderSnapshot, amount: Money, **changed: Any) -> RefundCommand:
    """Return a refund of a fresh operation for the charge of a snapshot."""
    fields: dict[str, Any] = {
        "operation_id": IDS.new("op"),
        "refund_id": IDS.new("re"),
        "attempt_id": snapshot.attempt_id,
        "payment_id": IDS.new("pay"),
        "livemode": False,
        "reference": charge_of(snapshot).reference,
        "amount": amount,
        "reason": "requested_by_customer",
        "created_at": datetime.now(UTC),
    }
    return RefundCommand(**(fields | changed))


def calls_during(bank: BankStage, work: Callable[[], object], patch: pytest.MonkeyPatch) -> list[str]:
    """Return the paths that Stripe is asked for while `work` runs."""
    api = bank.processor._apis[False]
    asked: list[str] = []
    once = api._once

    def counted(method: str, path: str, params: Any, **more: Any) -> Any:
        asked.append(path)
        return once(method, path, params, **more)

    patch.setattr(api, "_once", counted)
    work()
    patch.undo()
    return asked
