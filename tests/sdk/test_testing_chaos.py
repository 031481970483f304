"""The storm against shops of all kinds: a careful one stands it, each careless one is told what it did."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from streampay import ConfigurationError, Event, SignatureVerificationError, StreamPay, Webhook
from streampay.testing import FakeStreamPay, SampleEvent, StormError, chaos

SECRET = "whsec_c3RyZWFtcGF5LXRlc3Rpbmctc2VjcmV0"


class Shop:
    """A shop in memory that ships once an order is paid; its defects are its subclasses."""

    def __init__(self) -> None:
        self.fake = FakeStreamPay()
        self.client = StreamPay("sk_test_storm_shop", base_url="http://fake.example", transport=self.fake)
        self.lock = threading.Lock()
        self.shipped: dict[str, int] = {}
        self.newest: dict[str, int] = {}
        self.answers = 0

    def orders(self, number: int) -> list[SampleEvent]:
        """Sell three things, of which two are paid, and return what happened."""
        told = len(self.fake.events)
        for name in ("a", "b", "c"):
            session = self.client.checkout.sessions.create(
                amount="12.30", currency="USD", reference=f"{name}-{number}", success_url="http://localhost/"
            )
            self.fake.process(session)
            if name != "c":
                self.fake.pay(session)
        return list(self.fake.events[told:])

    def hook(self, body: bytes, headers: dict[str, str]) -> int:
        try:
            event = Webhook(SECRET).verify(body, headers)
        except SignatureVerificationError:
            return self.strange(body)
        return self.take(event)

    def strange(self, _body: bytes) -> int:
        return 400

    def take(self, event: Event) -> int:
        with self.lock:
            self.answers += 1
            if self.answers % 5 == 0:
                raise OSError("the database is away")  # a 500: the gateway comes again
            payment = event.payment
            if payment and payment.is_paid and payment.reference not in self.shipped:
                self.shipped[payment.reference] = 1
        return 204


class ShipsTwice(Shop):
    def take(self, event: Event) -> int:
        if event.payment and event.payment.is_paid:
            with self.lock:
                self.shipped[event.payment.reference] = self.shipped.get(event.payment.reference, 0) + 1
        return 204


class ShipsTooEarly(Shop):
    def take(self, event: Event) -> int:
        if event.payment:
            self.shipped[event.payment.reference] = 1
        return 204


class Forgets(Shop):
    """Answers 2xx first and crashes afterwards: nobody comes again."""

    def take(self, _event: Event) -> int:
        return 204


class Believes(Shop):
    """Answers 204 to a bad signature, as a famous plugin does."""

    def strange(self, _body: bytes) -> int:
        return 204


def storm(shop: Shop, **over: Any) -> Any:
    return chaos(shop.hook, shop.orders, count=lambda: dict(shop.shipped), secret=SECRET, **over)


def test_a_careful_shop_stands_it() -> None:
    report = storm(Shop(), rounds=4, seed=7)
    assert (report.rounds, report.due, report.shipped) == (4, 8, 8)
    assert report.deliveries == report.accepted + report.refused >= 4 * 10 * 4
    assert report.refused > 0
    assert report.forgeries == 4 * 10 * 4


def test_what_was_refused_once_comes_again_until_it_is_taken() -> None:
    class RefusesFirst(Shop):
        """Is never ready for an event when it comes first."""

        def take(self, event: Event) -> int:
            self.newest[event.id] = self.newest.get(event.id, 0) + 1
            self.answers = 0
            return 503 if self.newest[event.id] == 1 else super().take(event)

    assert storm(RefusesFirst(), duplicates=1, stale=False).shipped == 2


def test_one_sum_is_enough_to_count() -> None:
    shop = Shop()
    report = chaos(shop.hook, shop.orders(0), count=lambda: sum(shop.shipped.values()), secret=SECRET)
    assert report.shipped == 2


@pytest.mark.parametrize(
    ("kind", "story"),
    [
        (ShipsTwice, "a-0 was paid once, and goods were shipped"),
        (ShipsTooEarly, "c-0 was paid never, and goods were shipped once"),
        (Forgets, "a-0 was paid once, and goods were shipped never"),
        (Believes, "signed with another secret was answered 204"),
    ],
)
def test_a_careless_shop_is_told_its_story(kind: Callable[[], Shop], story: str) -> None:
    with pytest.raises(StormError) as caught:
        storm(kind(), seed=3)
    assert story in str(caught.value)
    assert "seed=3" in str(caught.value)
    assert "-> 204" in str(caught.value) or kind is Believes


def test_a_shop_that_only_counts_is_told_the_sum() -> None:
    shop = ShipsTwice()
    with pytest.raises(StormError, match="2 orders were paid, and goods were shipped"):
        chaos(shop.hook, shop.orders(0), count=lambda: sum(shop.shipped.values()), secret=SECRET)


def test_a_shop_that_trusts_the_order_of_events_is_found() -> None:
    class TrustsOrder(Shop):
        """Takes an event for the newest state of its payment, whatever its number."""

        def take(self, event: Event) -> int:
            if event.payment:
                with self.lock:
                    key, before = event.payment.reference, self.newest.get(event.payment.reference)
                    now = int(event.payment.is_paid)
                    self.newest[key] = now
                    if now and not before:
                        self.shipped[key] = self.shipped.get(key, 0) + 1
            return 204

    with pytest.raises(StormError):
        storm(TrustsOrder(), duplicates=5)


def test_the_same_seed_makes_the_same_storm() -> None:
    def sent(seed: int) -> list[bytes]:
        shop, bodies = Shop(), list[bytes]()
        events = shop.orders(0)
        names = {one.body: number for number, one in enumerate(events)}

        def hook(body: bytes, headers: dict[str, str]) -> int:
            bodies.append(bytes([names[body]]) + (b"!" if Shop.hook(shop, body, headers) == 400 else b""))
            return 204 if bodies[-1][1:] == b"" else 400

        shop.take = lambda event: Shop.take(shop, event) if False else 204  # type: ignore[method-assign]  # no faults here
        chaos(
            hook,
            events,
            count=lambda: {"a-0": 0, "b-0": 0} if len(bodies) < 1 else {"a-0": 1, "b-0": 1},
            secret=SECRET,
            threads=1,
            seed=seed,
        )
        return bodies

    assert sent(1) == sent(1) != sent(2)


def test_several_rounds_need_new_orders() -> None:
    shop = Shop()
    with pytest.raises(ConfigurationError):
        chaos(shop.hook, shop.orders(0), count=lambda: 0, secret=SECRET, rounds=2)
