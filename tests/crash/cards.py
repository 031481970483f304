"""Shoppers with cards: led to the Test Bank's page, declined, challenged and paid; and some want it back."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import requests

from gateway.wiring import House
from sandbox.test_bank import control
from sandbox.test_bank.bank import Bank
from sandbox.test_bank.server import RunningBank, serve
from tests.crash.shopping import HTTP_S, Json, Order, Shopper

AMOUNT, REFUND = "12.30", "2.30"
CENTS, REFUND_CENTS = 1230, 230
SHOPPERS = 4
GOOD, DECLINED, CHALLENGED = "4242424242424242", "4000000000000002", "4000000000003220"
SECRET = "whsec_crash"
LONGEST_RETRY_S = 7_201
DOUBLED = 1_000_000  # deliveries: all of them


class CardShopper(Shopper):
    """Chooses the card, pays at the bank, sometimes comes back, sometimes wants a part of it back."""

    bank: RunningBank

    @property
    def price(self) -> Mapping[str, str]:
        """In dollars."""
        return {"amount": AMOUNT, "currency": "USD"}

    def pay(self, order: Order) -> None:
        """Pay on the bank's page."""
        chosen = self.until(lambda: self._choose(order), self._leads_to_bank)
        if chosen is None:
            return
        page = chosen.headers["Location"].rsplit("/", 1)[1].partition("#")[0]
        self._pay_at_bank(page)
        order.is_paid = True
        if self.dice.random() < 0.7:
            self.try_once(lambda: self._return(order))
        if self.dice.random() < 0.3:
            self._want_back(order)

    def _choose(self, order: Order) -> requests.Response:
        return requests.post(f"{order.page}/method", data={"method": "card"}, allow_redirects=False, timeout=HTTP_S)

    def _leads_to_bank(self, answer: requests.Response) -> bool:
        return answer.headers.get("Location", "").startswith(self.bank.url)

    def _pay_at_bank(self, page: str) -> None:
        """Pay with a good card at last."""
        weather = self.dice.random()
        if weather < 0.2:
            assert self._enter(page, DECLINED) == ("declined", None)
        if weather > 0.8:
            kind, challenge = self._enter(page, CHALLENGED)
            assert (kind, challenge is not None) == ("challenge", True)
            result = self.bank.bank.answer_challenge(str(challenge).rsplit("/", 1)[1], passed=True)
            assert result.kind == "paid"
        else:
            assert self._enter(page, GOOD)[0] == "paid"

    def _enter(self, page: str, number: str) -> tuple[str, str | None]:
        result = self.bank.bank.pay_by_card(
            page, number=number, exp_month=12, exp_year=2034, cvc="123", name=f"Shopper {self.number}"
        )
        return result.kind, result.redirect_url

    def _return(self, order: Order) -> requests.Response:
        return requests.get(f"{order.page}/return", allow_redirects=False, timeout=HTTP_S)

    def _want_back(self, order: Order) -> None:
        """Wait, as merchants do, until the payment is there, and give a part of it back."""

        def look() -> requests.Response:
            self._return(order)
            return self.get(f"payments/{order.payment_id}")

        if self.until(look, lambda answer: answer.ok and answer.json()["status"] == "paid") is None:
            return
        body: Json = {"payment": order.payment_id, "amount": REFUND}
        answer = self.until(lambda: self.post("refunds", body, f"refund {order.reference}"))
        if answer is not None:
            order.refund_id = answer.json()["id"]


class CardTraffic:
    """A Test Bank and those who pay there; it doubles every webhook about a charge."""

    def __init__(self, bank: RunningBank) -> None:
        self.bank = bank

    @property
    def settings(self) -> Mapping[str, str]:
        """What the gateway is told of the bank."""
        return {
            "STREAMPAY_STRIPE_TEST_KEY": "sk_test_crash",
            "STREAMPAY_STRIPE_TEST_WEBHOOK_SECRETS": SECRET,
            "STREAMPAY_STRIPE_TEST_BASE_URL": self.bank.url,
        }

    def meet(self, url: str, _house: House, _merchant_id: str) -> None:
        """Let the bank call the gateway."""
        control.command(self.bank.bank, "webhook_endpoints", {"url": f"{url}/inbound/stripe", "secret": SECRET})
        fault: Json = {"kind": "duplicate", "on": "charge.*", "times": DOUBLED}
        control.command(self.bank.bank, "webhook_faults", fault)

    def shoppers(self, url: str, key: str, stop: threading.Event) -> Sequence[CardShopper]:
        """Return four."""
        made = [CardShopper(url, key, stop, number) for number in range(SHOPPERS)]
        for one in made:
            one.bank = self.bank
        return made

    def is_settled(self, payment: Json) -> bool:
        """Paid, without a but, and no refund under way."""
        return payment["status"] == "paid" and not payment["exceptions"] and payment["refunds"] in {"none", "partial"}

    def come_to_rest(self) -> None:
        """Let hours pass at the bank, so that it tries again whatever a dead server did not take."""
        control.command(self.bank.bank, "clock/advance", {"seconds": LONGEST_RETRY_S})
        control.command(self.bank.bank, "webhooks/flush", {})


@contextmanager
def card_traffic() -> Iterator[CardTraffic]:
    """Run a bank."""
    with serve(Bank(seed="crash")) as bank:
        yield CardTraffic(bank)
