"""Gifts in a real Chromium on the whole product: at checkout, left out or split; on a charity's own page, owed."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import requests
from playwright.sync_api import expect

from sandbox.demo.charity import NAME, SEED
from sandbox.demo.stage import Scene
from sandbox.devchain.wallet import TestWallet
from streampay import StreamPay
from tests.browser.conftest import NewContext
from tests.browser.stage import WAIT_S, Shopper, a_stage, eventually, merchant, policy_reports

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


def owed(client: StreamPay, charity: str) -> Decimal:
    """Return the SOL that the books owe a charity."""
    standings = client.charities.statement(charity).standings
    return sum((Decimal(one.owed) for one in standings if one.currency == "SOL"), Decimal())


def test_a_gift_from_a_wallet_on_the_charitys_page_is_thanked_for_receipted_and_owed(
    stage: Scene, shopper: Shopper
) -> None:
    client = merchant(stage)
    campaign = client.donations.campaigns.retrieve(stage.campaign_url.rpartition("/")[2])
    before = owed(client, campaign.charity)
    shopper.page.goto(stage.charity_url)
    framed = shopper.page.frame_locator("iframe")
    framed.locator("html.js #send").wait_for()
    framed.get_by_label("$10.00", exact=True).check()
    with shopper.page.expect_popup() as opened:
        framed.locator("#send").click()
    donor = Shopper(stage, opened.value, troubles=shopper.troubles)
    donor.page.wait_for_url(f"{stage.gateway_url}/pay/*")
    donor.choose("sol")
    donor.ask_wallet()
    donor.approve()
    expect(donor.page.locator("#status")).to_have_attribute("data-state", "paid", timeout=WAIT_S * 1000)
    donor.page.locator("#back a").click()
    donor.page.wait_for_url(f"{stage.campaign_url}/thanks/*")
    for place in (donor.page, framed):
        expect(place.locator("#status")).to_have_attribute("data-state", "received", timeout=WAIT_S * 1000)
    donor.page.get_by_role("link", name="Your receipt").click()
    expect(donor.page.get_by_role("heading", name="Donation receipt")).to_be_visible()
    expect(donor.page.get_by_text("$10.00")).to_be_visible()
    gift = next(iter(client.donations.list(campaign=campaign.id)))
    assert (gift.status, gift.amount_received, gift.frequency) == ("received", "10.00", "once")
    (attempt,) = client.payments.retrieve(gift.payment).attempts
    assert owed(client, campaign.charity) - before == Decimal(attempt.amount)
    chain = TestWallet(stage.chain_url)
    assert len(chain.rpc("getSignaturesForAddress", attempt.reference_key, {"commitment": "confirmed"})) == 1
