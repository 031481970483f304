"""A gift at checkout as a shopper makes it, in a real Chromium on the whole product: left out, and split at source."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from sandbox.demo.charity import NAME, SEED
from sandbox.demo.stage import Scene
from sandbox.devchain.wallet import TestWallet
from tests.browser.conftest import NewContext
from tests.browser.stage import Shopper, a_stage, eventually, policy_reports

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with a_stage(tmp_path_factory.mktemp("demo") / "stage") as scene:
        yield scene


@pytest.fixture
def shopper(stage: Scene, new_context: NewContext) -> Iterator[Shopper]:
    """Return a shopper on a phone; no error in a console, no third party and no breach of the policy passes."""
    person = Shopper(stage, new_context(viewport={"width": 390, "height": 844}).new_page())
    yield person
    assert person.troubles == []
    assert policy_reports(stage) == 0


def asked(stage: Scene, path: str, **query: str) -> Any:
    """Ask the gateway as the merchant."""
    key = stage.shop_environment["STREAMPAY_API_KEY"]
    headers = {"Authorization": f"Bearer {key}"}
    return requests.get(f"{stage.gateway_url}{path}", params=query, headers=headers, timeout=20).json()


def donation(stage: Scene, shopper: Shopper) -> dict[str, Any]:
    """Return the gift of the shopper's payment."""
    return next(one for one in asked(stage, "/v1/donations")["data"] if one["payment"] == shopper.payment().id)


def test_no_gift_is_added_unless_it_is_chosen(shopper: Shopper) -> None:
    shopper.buy("mug")
    page = shopper.page
    assert page.get_by_role("button", name="No, thank you").get_attribute("aria-pressed") == "true"
    page.get_by_role("button", name="Round up").click()
    assert page.get_by_role("button", name="Round up").get_attribute("aria-pressed") == "true"
    assert page.locator(".lines").get_by_text(NAME).count() == 1
    page.get_by_role("button", name="No, thank you").click()
    assert page.locator(".lines").get_by_text(NAME).count() == 0
    assert shopper.payment().charity is None


def test_a_wallet_pays_shop_and_charity_in_one_transfer(stage: Scene, shopper: Shopper) -> None:
    charity = TestWallet(stage.chain_url, seed=SEED)
    before = charity.lamports()
    shopper.buy("mug")
    shopper.page.get_by_role("button", name="Give $2.00").click()
    shopper.choose("sol")
    shopper.ask_wallet()
    shopper.approve()
    shopper.expect_paid()
    assert shopper.page.locator(".lines").get_by_text(NAME).count() == 1, "on the receipt, too"
    shopper.expect_shipped()
    eventually("the gift", lambda: donation(stage, shopper)["status"], "received")
    assert donation(stage, shopper)["amount_received"] == "2.00"
    assert charity.lamports() > before
    assert len(shopper.transfers()) == 1, "one signature paid both"
