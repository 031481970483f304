"""What every purchase of the demo has in common: a browser without a person, and steps printed with their time.

All of it goes over HTTP, as a shopper's browser does; nothing is read from inside the gateway.
"""

import re
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

import requests

from sandbox.demo.processes import DemoError
from sandbox.demo.stage import Scene

PAY_LIMIT_S: Final = 60.0  # finality on the dev chain takes about 13 s
POLL_S: Final = 0.25
HTTP_S: Final = 20
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """Where the shopper stands: the order's page in the shop, and the payment's page."""

    page_url: str
    order_url: str

    @property
    def order_id(self) -> str:
        """The shop's name for the order."""
        return self.order_url.rpartition("/")[2]


def step(words: str, act: Callable[[], Result]) -> Result:
    """Do one thing, and print it with the time that it took."""
    started = time.monotonic()
    result = act()
    sys.stdout.write(f"  {time.monotonic() - started:6.2f} s  {words}\n")
    sys.stdout.flush()
    return result


class Shopper:
    """A browser in which scripts are off."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._browser = requests.Session()

    def buy(self, product: str) -> Checkout:
        """Press Buy, and look at the checkout page to which that leads.

        Raises:
            DemoError: it leads elsewhere.
        """
        page_url = self.send(f"{self._scene.shop_url}/products/{product}/buy", {})
        if not page_url.startswith(f"{self._scene.gateway_url}/pay/"):
            raise DemoError(f"The shop leads to {page_url or 'nowhere'} instead of the checkout page.")
        found = re.search(rf"{re.escape(self._scene.shop_url)}/orders/[A-Za-z0-9_-]+", self.read(page_url))
        if found is None:
            raise DemoError("The checkout page shows no way back to the order.")
        return Checkout(page_url=page_url, order_url=found[0])

    def send(self, url: str, fields: Mapping[str, str]) -> str:
        """Send a form; return where it leads, or nothing if it leads nowhere."""
        answer = self._browser.post(url, data=fields, allow_redirects=False, timeout=HTTP_S)
        return answer.headers.get("Location", "")

    def read(self, url: str) -> str:
        """Open a page, follow where it leads, and return its text.

        Raises:
            DemoError: there is no such page.
        """
        page = self._browser.get(url, timeout=HTTP_S)
        if not page.ok:
            raise DemoError(f"{page.url} answered {page.status_code}.")
        return page.text

    def post(self, url: str, body: Mapping[str, str]) -> requests.Response:
        """Send what the page's script sends."""
        return self._browser.post(url, json=body, timeout=HTTP_S)

    def await_state(self, checkout: Checkout, state: str) -> None:
        """Wait until the checkout page is in a state."""
        url = f"{checkout.page_url}/status"
        self.await_words(f'"state": "{state}"', lambda: self.read(url))

    def await_shipped(self, checkout: Checkout) -> None:
        """Wait until the order's page says that the parcel is on its way."""
        self.await_words('data-shipped="yes"', lambda: self.read(checkout.order_url))

    def await_words(self, words: str, read: Callable[[], str]) -> None:
        """Wait until the words stand on a page."""
        self.await_truth(lambda: words in read(), lambda: f"Waited {PAY_LIMIT_S:.0f} s for {words!r} in vain.")

    def await_truth(self, is_so: Callable[[], bool], complain: Callable[[], str]) -> None:
        """Ask again and again until it is so.

        Raises:
            DemoError: it never is; `complain` says what that means.
        """
        deadline = time.monotonic() + PAY_LIMIT_S
        while not is_so():
            if time.monotonic() > deadline:
                raise DemoError(f"{complain()} The logs are in {self._scene.folder}.")
            time.sleep(POLL_S)
