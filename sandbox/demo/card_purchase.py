"""One purchase by card by itself, over HTTP: declined once, paid, half given back; then bank and books compared."""

import re
import sys
from html import unescape
from typing import Final
from urllib.parse import urljoin

from sandbox.demo.books import owed_by_bank, owed_by_books
from sandbox.demo.charity import NAME
from sandbox.demo.gift import ROUND_UP, await_gift
from sandbox.demo.processes import DemoError, run
from sandbox.demo.shopper import Checkout, Shopper, step
from sandbox.demo.stage import SHOP, Scene

GOOD_CARD: Final = "4242 4242 4242 4242"
DECLINED_CARD: Final = "4000 0000 0000 0002"
HALF: Final = "12.00"  # of the tee's 24 dollars


class CardPurchase:
    """Buys one thing by card, and prints each step with its time."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._shopper = Shopper(scene)

    def run(self) -> None:
        """Buy, be declined, pay, be refunded, and look at every place where it must show.

        Raises:
            DemoError: a step did not end as it must.
        """
        shopper = self._shopper
        checkout = step("the shop opens a checkout session", lambda: shopper.buy("tee"))
        step("the shopper rounds up for the charity", lambda: self._round_up(checkout))
        page_url = step("the shopper chooses the card and is led to the bank", lambda: self._choose(checkout))
        step(f"the bank declines {DECLINED_CARD}, nothing is sold", lambda: self._be_declined(page_url, checkout))
        step(f"the bank takes {GOOD_CARD} and leads back", lambda: self._pay(page_url, checkout))
        step("the webhook reaches the shop, the shop ships once", lambda: shopper.await_shipped(checkout))
        step("the gift is owed to the charity", lambda: await_gift(self._scene, shopper, "round_up", ROUND_UP))
        step("the shop gives half back, its page says so", lambda: self._refund(checkout))
        step("bank and books agree to the cent", self._compare)

    def _round_up(self, checkout: Checkout) -> None:
        self._shopper.send(f"{checkout.page_url}/gift", {"gift": f"round_up:{ROUND_UP}"})
        if NAME not in self._shopper.read(checkout.page_url).partition('<ul class="lines">')[2].partition("</ul>")[0]:
            raise DemoError("The checkout page shows no line for the gift.")

    def _choose(self, checkout: Checkout) -> str:
        page_url = self._shopper.send(f"{checkout.page_url}/method", {"method": "card"})
        if not page_url.startswith(f"{self._scene.bank_url}/c/pay/"):
            raise DemoError(f"The card leads to {page_url or 'nowhere'} instead of the bank's page.")
        self._shopper.read(page_url)
        return page_url

    def _be_declined(self, page_url: str, checkout: Checkout) -> None:
        declined_url = self._type_card(page_url, DECLINED_CARD)
        if "declined=" not in declined_url:
            raise DemoError(f"The bank answered a card that it declines by leading to {declined_url}.")
        self._shopper.read(declined_url)
        self._shopper.await_state(checkout, "declined")
        if 'data-shipped="no"' not in self._shopper.read(checkout.order_url):
            raise DemoError("The shop ships an order whose card was declined.")

    def _pay(self, page_url: str, checkout: Checkout) -> None:
        last_page = self._shopper.read(self._type_card(page_url, GOOD_CARD))
        found = re.search(r'id="continue" href="([^"]+)"', last_page)
        if found is None:
            raise DemoError("The bank's page shows no way back after a card that it takes.")
        self._shopper.read(unescape(found[1]))
        self._shopper.await_state(checkout, "paid")

    def _type_card(self, page_url: str, number: str) -> str:
        """Send the card form; return where it leads, which is the same page if it leads nowhere."""
        form = {"number": number, "expiry": "12 / 34", "cvc": "123", "name": "Dana Demo", "email": "dana@example.com"}
        return urljoin(page_url, self._shopper.send(page_url, form))

    def _refund(self, checkout: Checkout) -> None:
        command = [sys.executable, "-m", "flask", "--app", str(SHOP), "refund", checkout.order_id, HALF]
        run(command, self._scene.shop_environment)
        order_page = f'data-refunded="{HALF}"'
        self._shopper.await_words(order_page, lambda: self._shopper.read(checkout.order_url))
        self._shopper.await_state(checkout, "partly_refunded")

    def _compare(self) -> None:
        """Wait until the books hold what the bank owes: it tells its fee a moment after the payment."""
        scene = self._scene
        self._shopper.await_truth(
            lambda: owed_by_books(scene) == owed_by_bank(scene) > 0,
            lambda: f"The books say {owed_by_books(scene)} USD, the bank {owed_by_bank(scene)} USD.",
        )
