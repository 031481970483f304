"""A merchant's account at the real gateway, as a shop's suite has it in whatever environment that shop needs.

Standard library and SDK alone; door.py is the other side.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.request import Request, urlopen

from streampay import StreamPay, models

DOOR = "STREAMPAY_TEST_DOOR"  # the environment's word for the door's address
GOOD_CARD = "4242424242424242"
Delivery = tuple[bytes, dict[str, str]]


@dataclass(frozen=True, slots=True)
class Account:
    """An account of one test's own; `settings` is what a shop is told of it."""

    door: str
    carried_to: str
    client: StreamPay
    settings: dict[str, Any] = field(repr=False)

    @property
    def base_url(self) -> str:
        """Where the gateway answers."""
        return str(self.settings["base_url"])

    def sessions(self, reference: str | None = None) -> list[models.CheckoutSession]:
        """Return the account's sessions, or an order's, newest first."""
        return list(self.client.checkout.sessions.list(reference=reference))

    def payments(self, reference: str | None = None) -> list[models.Payment]:
        """Return the account's payments, or an order's, newest first."""
        return list(self.client.payments.list(reference=reference))

    def payment(self, reference: str) -> models.Payment:
        """Return the newest payment of an order."""
        return self.payments(reference)[0]

    def pay(self, reference: str) -> models.Payment:
        """Pay the newest session of an order by card at the bank, and come back to the gateway."""
        _ask(f"{self.door}/pay", {"url": self.sessions(reference)[0].url, "card": GOOD_CARD})
        return self.payment(reference)

    def pay_wrongly(self, reference: str, amount: str, currency: str) -> models.Payment:
        """Pay another sum in the name of an order: another tool of the account asked for it."""
        self.client.checkout.sessions.create(
            amount=amount, currency=currency, reference=reference, success_url="https://shop.example/elsewhere"
        )
        return self.pay(reference)

    def news(self) -> list[Delivery]:
        """Return what the gateway has delivered since the last time, as it came over the wire."""
        return [(one["body"].encode(), one["headers"]) for one in _ask(self.carried_to)]

    def fail_refund(self, refund_id: str) -> None:
        """Let a refund that went well fail at the bank after all, and the gateway hear of it."""
        found = self.client.refunds.retrieve(refund_id).provider_reference
        _ask(f"{self.door}/bank/refunds/{found}/fail", {})

    @contextmanager
    def silent(self, status: int = 500) -> Iterator[None]:
        """Let the gateway answer everything with this status until the block ends."""
        _ask(f"{self.door}/walls", [status])
        try:
            yield
        finally:
            _ask(f"{self.door}/walls", [])


@contextmanager
def an_account(door: str | None = None) -> Iterator[Account]:
    """Open an account with a webhook endpoint whose deliveries a test carries to its shop by hand."""
    door = door or os.environ[DOOR]
    made = _ask(f"{door}/accounts", {})
    with StreamPay(made["api_key"], base_url=made["base_url"]) as client:
        secret = client.webhook_endpoints.create(url=made["carried_to"]).secret
        settings = {name: made[name] for name in ("base_url", "api_key")} | {"webhook_secrets": [secret]}
        yield Account(door, made["carried_to"], client, settings)


def _ask(url: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = Request(url, data, {"Content-Type": "application/json"})  # noqa: S310 - the door's, on loopback
    with urlopen(request, timeout=60) as answer:  # noqa: S310 - the same
        text = answer.read()
    return json.loads(text) if text else None
