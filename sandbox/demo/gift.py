"""Two gifts by themselves, over HTTP: from a wallet to the campaign, and rounded up at the checkout of the shop."""

import re
from typing import Any, Final

import requests

from sandbox.demo.processes import DemoError
from sandbox.demo.purse import Purse
from sandbox.demo.shopper import Shopper, step
from sandbox.demo.stage import Scene, dashboard_link

HTTP_S: Final = 20
AMOUNT: Final = "10.00"
DONOR_SEED: Final = "the demo's donor"
ROUND_UP: Final = "1.00"  # from the tee's 24 dollars to the next whole one


class WalletGift:
    """Gives to the campaign from a wallet, and prints each step with its time."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._donor = Shopper(scene)
        self._purse = Purse(scene, self._donor, DONOR_SEED)

    def run(self) -> None:
        """Fill in the form, pay, and look whether the campaign has the gift.

        Raises:
            DemoError: a step did not end as it must.
        """
        step("the charity's page embeds the campaign", self._look)
        page_url = step("a donor gives 10.00 and is led to the payment page", self._give)
        self._purse.fill()
        self._purse.choose_sol(page_url)
        self._purse.pay(page_url)
        step("the gift arrives from a wallet", lambda: await_gift(self._scene, self._donor, "campaign", AMOUNT))
        step("staff sees the gift in the dashboard", self._look_as_staff)

    def _look(self) -> None:
        if "streampay-donate" not in self._donor.read(self._scene.charity_url):
            raise DemoError("The charity's page shows no donation form.")

    def _look_as_staff(self) -> None:
        staff, campaign_id = Shopper(self._scene), self._scene.campaign_url.rpartition("/")[2]
        staff.send(dashboard_link(self._scene), {})
        page = staff.read(f"{self._scene.gateway_url}/dashboard/donations/{campaign_id}")
        if f"<dd>${AMOUNT}</dd>" not in page:
            raise DemoError("The dashboard does not show the gift.")

    def _give(self) -> str:
        found = re.search(r'name="form" value="([^"]+)"', self._donor.read(self._scene.campaign_url))
        if found is None:
            raise DemoError("The campaign's page shows no form.")
        form = {"form": found[1], "preset": AMOUNT, "frequency": "once", "name": "Dana Demo"}
        page_url = self._donor.send(self._scene.campaign_url, form)
        if "/pay/" not in page_url:
            raise DemoError(f"The form leads to {page_url or 'nowhere'} instead of the payment page.")
        return f"{self._scene.gateway_url}{page_url.partition('?')[0]}"


def await_gift(scene: Scene, shopper: Shopper, kind: str, amount: str) -> None:
    """Wait until the gateway lists a received gift of this kind and amount.

    Raises:
        DemoError: it never does.
    """
    shopper.await_truth(
        lambda: any((one["kind"], one["amount_received"]) == (kind, amount) for one in _gifts(scene)),
        lambda: f"No gift of {amount} was received.",
    )


def _gifts(scene: Scene) -> list[dict[str, Any]]:
    answer = requests.get(
        f"{scene.gateway_url}/v1/donations",
        params={"status": "received"},
        headers={"Authorization": f"Bearer {scene.shop_environment['STREAMPAY_API_KEY']}"},
        timeout=HTTP_S,
    )
    found: list[dict[str, Any]] = answer.json()["data"]
    return found
