"""One purchase from a wallet by itself, over HTTP, as a shopper with SOL makes it."""

from typing import Final

import requests

from sandbox.demo.processes import DemoError
from sandbox.demo.purse import Purse
from sandbox.demo.shopper import Checkout, Shopper, step
from sandbox.demo.stage import Scene

SHOPPER_SEED: Final = "the demo's shopper"


class WalletPurchase:
    """Buys one thing from a wallet, and prints each step with its time."""

    def __init__(self, scene: Scene) -> None:
        self._shopper = Shopper(scene)
        self._purse = Purse(scene, self._shopper, SHOPPER_SEED)
        self._signed = ""

    def run(self) -> None:
        """Buy, pay, and look at every place where it must show.

        Raises:
            DemoError: a step did not end as it must.
        """
        step("the faucet fills the shopper's wallet", self._purse.fill)
        checkout = step("the shop opens a checkout session", lambda: self._shopper.buy("mug"))
        step("the shopper chooses SOL at a locked rate", lambda: self._purse.choose_sol(checkout.page_url))
        step("the wallet signs, the gateway checks and sends", lambda: self._sign(checkout))
        step("the chain confirms, the monitor sees it", lambda: self._shopper.await_state(checkout, "paid"))
        step("the webhook reaches the shop, the shop ships once", lambda: self._shopper.await_shipped(checkout))
        step("the same bytes sent again change nothing", lambda: self._repeat(checkout))

    def _sign(self, checkout: Checkout) -> None:
        self._signed = self._purse.pay(checkout.page_url)

    def _repeat(self, checkout: Checkout) -> None:
        answer = self._shopper.post(f"{checkout.page_url}/wallet/submit", {"payload": self._signed})
        if answer.status_code != requests.codes.conflict:
            raise DemoError(f"A paid session answered {answer.status_code} to the same bytes: {answer.text}")
        self._shopper.await_shipped(checkout)
