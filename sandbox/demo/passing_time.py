"""Forty days pass in a moment: the bank pays out on the way, and the gateway's books must follow it."""

from typing import Final

import requests

from sandbox.demo import clock
from sandbox.demo.books import owed_by_bank, owed_by_books, reconcile
from sandbox.demo.shopper import Shopper, step
from sandbox.demo.stage import Scene

HTTP_S: Final = 20
FORTY_DAYS_S: Final = 40 * 86_400  # longer than anything is looked back for


def let_time_pass(scene: Scene) -> None:
    """Move both clocks; wait until the bank's payout is in the books, and nothing is left to ask.

    Raises:
        DemoError: bank and books do not agree.
    """
    step("forty days pass, the bank pays out", lambda: _advance(scene))
    step("the books say so, too", lambda: _compare(scene))
    step("reconciliation has no question", lambda: reconcile(scene))


def _advance(scene: Scene) -> None:
    key = scene.shop_environment["STREAMPAY_API_KEY"]
    moved = requests.post(
        f"{scene.gateway_url}/v1/test/clock/advance",
        json={"seconds": FORTY_DAYS_S},
        headers={"Authorization": f"Bearer {key}"},
        timeout=HTTP_S,
    )
    moved.raise_for_status()
    clock.follow(scene.gateway_url, scene.bank_url, key)


def _compare(scene: Scene) -> None:
    Shopper(scene).await_truth(
        lambda: owed_by_books(scene) == owed_by_bank(scene) == 0,
        lambda: f"Paid out, but the books say {owed_by_books(scene)} USD, the bank {owed_by_bank(scene)} USD.",
    )
