"""Who shops while the server dies: what every shopper does, and what a kind of traffic brings along."""

import random
import threading
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import requests

from gateway.wiring import House

HTTP_S = 10
AGAIN_S = 0.02

Json = dict[str, Any]


@dataclass(slots=True, kw_only=True)
class Order:
    """What the gateway acknowledged, and what became of it outside.

    Attributes:
        is_paid: the money has left the shopper, certainly.
        refund_id: of the refund that the gateway acknowledged.
    """

    reference: str
    session_id: str
    payment_id: str
    page: str
    is_paid: bool = False
    refund_id: str | None = None


class Traffic(Protocol):
    """A world outside and those who shop in it; open until its context ends."""

    @property
    def settings(self) -> Mapping[str, str]:
        """What the gateway's environment says of this world."""

    def meet(self, url: str, house: House, merchant_id: str) -> None:
        """Introduce merchant and world to each other, before the server starts at `url`."""

    def shoppers(self, url: str, key: str, stop: threading.Event) -> Sequence["Shopper"]:
        """Return those who will buy."""

    def is_settled(self, payment: Json) -> bool:
        """Tell whether a paid order looks as it should in the end."""

    def come_to_rest(self) -> None:
        """Let the world say what it could not say while nobody listened."""


@dataclass(slots=True)
class Shopper(ABC):
    """One thread that buys until it is told to stop; every request is repeated until it is answered."""

    url: str
    key: str
    stop: threading.Event
    number: int
    orders: list[Order] = field(default_factory=list)
    dice: random.Random = field(init=False)

    def __post_init__(self) -> None:
        """Give each shopper a mind of his own."""
        self.dice = random.Random(self.number)

    def run(self) -> None:
        """Buy again and again."""
        while not self.stop.is_set():
            order = self._open()
            if order is not None:
                self.orders.append(order)
                self.pay(order)

    @property
    @abstractmethod
    def price(self) -> Mapping[str, str]:
        """Amount and currency of whatever this shopper buys."""

    @abstractmethod
    def pay(self, order: Order) -> None:
        """Pay an order, or fail at it as shoppers do."""

    def post(self, path: str, body: Json, key: str) -> requests.Response:
        """Send a command to the API under an idempotency key."""
        headers = self._headers() | {"Idempotency-Key": key}
        return requests.post(f"{self.url}/v1/{path}", json=body, headers=headers, timeout=HTTP_S)

    def get(self, path: str) -> requests.Response:
        """Read from the API."""
        return requests.get(f"{self.url}/v1/{path}", headers=self._headers(), timeout=HTTP_S)

    def until(
        self, ask: Callable[[], requests.Response], is_good: Callable[[requests.Response], bool] = lambda one: one.ok
    ) -> requests.Response | None:
        """Repeat a request until its answer is good, or the shopper goes home."""
        while True:
            try:
                answer = ask()
                if is_good(answer):
                    return answer
            except requests.RequestException:
                pass
            if self.stop.is_set():
                return None
            time.sleep(AGAIN_S)

    def try_once(self, ask: Callable[[], requests.Response]) -> None:
        """Send what may be lost: a hint, a return."""
        try:
            ask()
        except requests.RequestException:
            return  # the money may not

    def _open(self) -> Order | None:
        reference = uuid.uuid4().hex
        body = {**self.price, "reference": reference, "success_url": "http://127.0.0.1/ok"}
        answer = self.until(lambda: self.post("checkout/sessions", body, reference))
        if answer is None:
            return None
        session = answer.json()
        return Order(reference=reference, session_id=session["id"], payment_id=session["payment"], page=session["url"])

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}
