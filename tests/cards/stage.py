"""A shop that takes cards: the real engine and the real Stripe room, with the Test Bank across the street.

Webhooks are carried by hand: a test decides what arrives, how often, in which order, and what gets lost.
"""

import itertools
import json
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
import stripe
from sqlalchemy import select

from gateway.domain.merchants import MerchantSettings
from gateway.domain.words import CaptureMethod
from gateway.engine.commands import PATIENCE
from gateway.engine.idempotency import Intent, Reply
from gateway.engine.records import Owner, PaymentRecord, SessionRecord, load_payment
from gateway.engine.refunds import NewRefund
from gateway.engine.sessions import NewSession, session_by_token
from gateway.kernel.clock import ManualClock
from gateway.kernel.money import parse_money
from gateway.ledger.proof import verify
from gateway.settings import load_settings
from gateway.storage import schema
from gateway.wiring import House, build_house
from sandbox.test_bank import control
from sandbox.test_bank.bank import Bank
from sandbox.test_bank.checkout import PayResult
from sandbox.test_bank.server import RunningBank, serve

SECRET = "whsec_cards_stage"
GOOD, DECLINED, CHALLENGED = "4242424242424242", "4000000000000002", "4000000000003220"
DISPUTED, REFUND_FAILS, REFUND_WAITS = "4000000000000259", "4000000000005126", "4000000000007726"
WARNED, CAPTURED_ONCE = "4000000000005423", "3566002020360505"


class CardShop:
    """One merchant, his gateway, and the bank that it believes to be Stripe."""

    patience = PATIENCE + timedelta(seconds=1)

    def __init__(self, house: House, bank: RunningBank, clock: ManualClock) -> None:
        self.house = house
        self.engine = house.engine
        self.db = house.db
        self.bank = bank.bank
        self.bank_url = bank.url
        self.url = house.settings.database_url
        self.clock = clock
        merchant = house.engine.merchants.create("Card shop", MerchantSettings())
        self.owner = Owner(merchant_id=merchant.id, livemode=False)
        self._numbers = itertools.count()
        self._newest = ""

    # --- what people do ----------------------------------------------------------------------------------------

    def intent(self, key: str | None = None, route: str = "test") -> Intent:
        return Intent(owner=self.owner, route=route, key=key, request_hash="same")

    def open(
        self, amount: str = "12.30", currency: str = "USD", *, capture: CaptureMethod = CaptureMethod.AUTOMATIC,
        minutes: int = 60,
    ) -> SessionRecord:  # fmt: skip
        new = NewSession(
            amount=parse_money(amount, currency), reference=f"order-{next(self._numbers)}",
            success_url="https://shop.example/ok", cancel_url=None, customer_email=None, locale=None, line_items=[],
            methods=None, expires_in=timedelta(minutes=minutes), metadata={}, capture_method=capture,
        )  # fmt: skip
        reply = self.engine.sessions.create(self.intent(), new)
        return self.reload(field(reply, "url").rsplit("/", 1)[1])

    def reload(self, token: str) -> SessionRecord:
        return self.db.read(lambda tx: session_by_token(tx, token))

    def start(self, session: SessionRecord) -> str:
        """Choose the card; return the id of the page at the bank."""
        return self.engine.checkout.redirect(session.token, "card").rsplit("/", 1)[1].split("#")[0]

    def pay_at_bank(self, page: str, number: str = GOOD) -> PayResult:
        return self.bank.pay_by_card(page, number=number, exp_month=12, exp_year=2034, cvc="123", name="Jo Doe")

    def buy(self, amount: str = "12.30", currency: str = "USD", *, number: str = GOOD) -> SessionRecord:
        """Open, pay with a good card, and come back."""
        session = self.open(amount, currency)
        self.pay_at_bank(self.start(session), number)
        self.engine.checkout.returned(session.token)
        return session

    def hold(self, amount: str = "12.30", *, number: str = GOOD) -> SessionRecord:
        session = self.open(amount, capture=CaptureMethod.MANUAL)
        self.pay_at_bank(self.start(session), number)
        self.engine.checkout.returned(session.token)
        return session

    def refund(self, session: SessionRecord, amount: str | None = None, **more: Any) -> dict[str, Any]:
        reply = self.engine.refunds.create(
            self.intent(more.pop("key", None)), NewRefund(payment_id=session.payment_id, amount=amount, **more)
        )
        return dict(json.loads(reply.body))

    def pass_time(self, step: timedelta) -> None:
        """Let time pass on both sides of the street."""
        self.clock.advance(step)
        self.bank.advance(int(step.total_seconds()))

    def control(self, command: str, **body: Any) -> dict[str, Any]:
        """Do to the bank what its control panel can."""
        return dict(control.command(self.bank, command, body))

    def fault(self, kind: str, on: str = "any", times: int = 1) -> None:
        """Let the bank's next calls go wrong. Time-outs are left to the room's own tests: they take their time."""
        self.control("faults", kind=kind, on=on, times=times)

    def refund_at_bank(self, intent: str, amount: int) -> None:
        """Refund at the provider itself, behind the gateway's back."""
        client = stripe.StripeClient("sk_test_stage", base_addresses={"api": self.bank_url})
        client.v1.refunds.create({"payment_intent": intent, "amount": amount})

    # --- the postman -------------------------------------------------------------------------------------------

    def post_from_bank(self) -> list[dict[str, Any]]:
        """Return what the bank has to tell since the last time, oldest first."""
        news = list(itertools.takewhile(lambda event: event["id"] != self._newest, self._told_by_bank()))
        self._newest = news[0]["id"] if news else self._newest
        return list(reversed(news))

    def _told_by_bank(self) -> Iterator[dict[str, Any]]:
        """Yield the bank's events, newest first."""
        query, has_more = {"limit": "100"}, True
        while has_more:
            page = requests.get(
                f"{self.bank_url}/v1/events", params=query, auth=("sk_test_stage", ""), timeout=20
            ).json()
            yield from page["data"]
            has_more = page["has_more"]
            query["starting_after"] = page["data"][-1]["id"] if page["data"] else ""

    def deliver(self, events: Sequence[dict[str, Any]]) -> None:
        """Bring events to the inbox, in this order, and let it be worked on."""
        for event in events:
            body = json.dumps(event)
            now_s = int(self.clock.now().timestamp())
            header = stripe.WebhookSignature.generate_signature_header(payload=body, secret=SECRET, timestamp=now_s)
            self.engine.inbound.accept("stripe", body.encode(), {"Stripe-Signature": header})
        self.engine.inbound.drain()

    def catch_up(self) -> None:
        """Deliver everything once, in order."""
        self.deliver(self.post_from_bank())

    # --- what must hold ----------------------------------------------------------------------------------------

    def payment(self, session: SessionRecord) -> PaymentRecord:
        return self.db.read(lambda tx: load_payment(tx, session.payment_id))

    def shown(self, session: SessionRecord) -> dict[str, Any]:
        return self.engine.payments.retrieve(self.owner, session.payment_id)

    def balances(self) -> dict[tuple[str, str], tuple[int, int]]:
        """Return the posted and pending sum of every account that is not empty."""
        owner = self.owner
        rows = self.db.read(lambda tx: self.engine.core.journal.balances(tx, owner.merchant_id, livemode=False))
        sums = {(row.account, row.posted.currency): (row.posted.atomic, row.pending.atomic) for row in rows}
        return {name: sums[name] for name in sums if any(sums[name])}

    def posted(self, account: str, currency: str = "USD") -> int:
        return self.balances().get((account, currency), (0, 0))[0]

    def events(self, *types: str) -> list[str]:
        """Return the types of this merchant's events; those of one object oldest first."""
        table = schema.event
        query = (
            select(table.c.type)
            .where(table.c.merchant_id == self.owner.merchant_id)
            .order_by(table.c.object_id, table.c.sequence)
        )
        found = self.db.read(lambda tx: list(tx.scalars(query)))
        return [one for one in found if not types or one.startswith(types)]

    def at_bank(self, kind: str) -> list[dict[str, Any]]:
        """Return the bank's objects of a kind that carry this merchant's payments, oldest first."""
        table = schema.payment
        mine = set(
            self.db.read(lambda tx: tx.scalars(select(table.c.id).where(table.c.merchant_id == self.owner.merchant_id)))
        )
        everything = self.bank.newest(kind, limit=10_000)
        if kind == "refund":
            intents = {one["id"] for one in self.at_bank("payment_intent")}
            return [one for one in reversed(everything) if one["payment_intent"] in intents]
        return [one for one in reversed(everything) if one["metadata"].get("sp_payment") in mine]

    def check(self) -> None:
        """The books balance, and hold exactly what the bank says of this merchant's charges."""
        assert not self.db.snapshot(verify).problems
        truth: Counter[str] = Counter()
        for charge in self.at_bank("charge"):
            if charge["captured"] and charge["status"] == "succeeded":
                truth[charge["currency"].upper()] += charge["amount_captured"]
        assert len(truth) <= 1, "the checks below are for one currency"
        for currency, captured in truth.items():
            credited = -sum(
                posted for (account, code), (posted, _) in self.balances().items()
                if code == currency and account in {"merchant:available", "refund:payable", "suspense:psp"}
            )  # fmt: skip
            refunded = sum(
                one["amount"] for one in self.at_bank("refund")
                if one["status"] == "succeeded"
            )  # fmt: skip
            assert credited == captured - refunded


def field(reply: Reply, name: str) -> Any:
    """Return a field of a reply's body."""
    return json.loads(reply.body)[name]


@contextmanager
def a_card_shop(url: str, bank: RunningBank, more: Mapping[str, str] | None = None) -> Iterator[CardShop]:
    """Open a gateway on a migrated database, connected to a bank; the clocks of both agree."""
    clock = ManualClock(datetime.fromtimestamp(bank.bank.clock.now(), UTC))
    house = build_house(load_settings(settings_of(url, bank.url) | dict(more or {})), clock=clock)
    try:
        yield CardShop(house, bank, clock)
    finally:
        house.close()


def settings_of(url: str, bank_url: str) -> dict[str, str]:
    """Return the environment of such a gateway."""
    return {
        "STREAMPAY_DATABASE_URL": url,
        "STREAMPAY_SECRET_KEYS": "A" * 43 + "=",
        "STREAMPAY_STRIPE_TEST_KEY": "sk_test_stage",
        "STREAMPAY_STRIPE_TEST_WEBHOOK_SECRETS": SECRET,
        "STREAMPAY_STRIPE_TEST_BASE_URL": bank_url,
        "STREAMPAY_SOLANA_TEST_NETWORK": "",
        "STREAMPAY_SOLANA_LIVE_NETWORK": "",
    }


def a_bank() -> RunningBank:
    """Serve a bank whose clock stands still unless it is told to advance."""
    stands_at = datetime.now(UTC).timestamp()
    # A seed of its own: banks share the databases of the suite, where a provider names each thing once.
    return serve(Bank(real_time_s=lambda: stands_at, seed=secrets.token_hex(8)))
