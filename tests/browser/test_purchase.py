"""A purchase as a person makes it, in a real Chromium on the whole product: shop, page, wallet, chain, parcel."""

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from sandbox.demo.stage import MERCHANT_SEED, Scene
from sandbox.devchain.paylink import TransferLink, read_pay_link
from sandbox.devchain.wallet import TestWallet
from tests.browser.conftest import NewContext
from tests.browser.stage import (
    WAIT_S,
    Phantom,
    Shopper,
    a_full_wallet,
    a_stage,
    eventually,
    let_time_pass,
    policy_reports,
    said,
)

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = pytest.mark.slow
SOL = 10**9
DESK = {"viewport": {"width": 1280, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
LISTEN = """() => {
  window.heard = [];
  const region = document.querySelector("[role=status]");
  const listener = new MutationObserver(() => window.heard.push(region.innerText.trim()));
  listener.observe(region, { childList: true, subtree: true, characterData: true });
}"""
FOCUS = """() => {
  let one = document.activeElement;
  while (one.shadowRoot?.activeElement) one = one.shadowRoot.activeElement;
  const { outlineStyle, outlineWidth } = getComputedStyle(one);
  return { text: one.innerText ?? "", isVisible: outlineStyle !== "none" && parseFloat(outlineWidth) >= 2 };
}"""
POST_HINT = """async (signature) => {
  const body = JSON.stringify({ signature });
  const headers = { "Content-Type": "application/json" };
  return (await fetch(location.pathname + "/wallet/hint", { method: "POST", headers, body })).status;
}"""
NewShopper = Callable[..., Shopper]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with a_stage(tmp_path_factory.mktemp("demo") / "stage") as scene:
        yield scene


@pytest.fixture(scope="module")
def payer(stage: Scene) -> TestWallet:
    """Return a wallet far from the browser, as on a phone that scans the code."""
    return a_full_wallet(stage, "the phone's wallet")


@pytest.fixture
def shopper(stage: Scene, new_context: NewContext) -> Iterator[NewShopper]:
    """Return a maker of shoppers; no error in a console, no third party and no breach of the policy passes."""
    people: list[Shopper] = []

    def come(**options: object) -> Shopper:
        person = Shopper(stage, new_context(**(DESK | options)).new_page())
        people.append(person)
        return person

    yield come
    assert [person.troubles for person in people if person.troubles] == []
    assert policy_reports(stage) == 0


def merchant_address(stage: Scene) -> str:
    return TestWallet(stage.chain_url, seed=MERCHANT_SEED).address


def transfer_of(link: str) -> TransferLink:
    """Read a payment link that must be a transfer request."""
    read = read_pay_link(link)
    assert isinstance(read, TransferLink)
    return read


def short(address: str) -> str:
    """Return an address as the test wallet writes it."""
    return f"{address[:4]}…{address[-4:]}"


def sol_text(lamports: int) -> str:
    """Return lamports as the page writes them."""
    return f"{(Decimal(lamports) / SOL).normalize():f} SOL"


# --- the main road ---------------------------------------------------------------------------------------------------


def test_a_mug_is_bought_with_sol_and_shipped(shopper: NewShopper) -> None:
    person = shopper()
    person.page.goto(person.scene.shop_url)
    person.page.get_by_role("link", name="Finality mug").click()
    person.page.get_by_role("button", name="Buy").click()
    person.arrive()
    expect(person.page.locator("#amount")).to_contain_text("$12.30")
    expect(person.status).to_have_text("Choose how to pay.")
    person.choose("sol")
    due = sol_text(transfer_of(person.link()).atomic(9))
    expect(person.status).to_have_text(said(f"Waiting for your payment of {due}."))
    person.page.evaluate(LISTEN)
    expect(person.ask_wallet()).to_contain_text(f"Send {due} to {short(merchant_address(person.scene))}")
    person.approve()
    person.expect_paid()
    heard = person.page.evaluate("heard")
    assert heard[:3] == [
        "Preparing your payment…",
        "Please confirm in your wallet.",
        "Your wallet has signed. Sending your payment…",
    ]
    assert any(words.startswith("Payment seen.") for words in heard)
    assert heard[-1] == "Paid. Thank you."
    assert len(heard) == len(set(heard)), "each sentence is said once"
    receipt = person.page.locator(".rows").all_inner_texts()
    assert said(due).search(receipt[0])
    person.expect_shipped()
    person.page.goto(person.pay_url)
    person.expect_paid()
    assert person.page.locator(".rows").all_inner_texts() == receipt
    assert len(person.transfers()) == 1


def test_an_arabic_phone_buys_stickers_with_dollar_coins(shopper: NewShopper) -> None:
    person = shopper(**PHONE, locale="ar")
    person.buy("stickers")
    page = person.page
    expect(page.locator("html")).to_have_attribute("dir", "rtl")
    page.locator("#method-usdc").tap()
    due = transfer_of(person.link())
    assert str(due.mint) == person.scene.usdc_mint
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing is wider than the phone"
    page.locator("#wallets button").tap()
    expect(page.get_by_role("dialog")).to_contain_text(f"Send {due.amount} USDC to {short(str(due.recipient))}")
    page.get_by_role("button", name="Approve").tap()
    person.expect_paid("تم الدفع. شكرًا لك.")
    person.expect_shipped()


def test_no_in_the_wallet_sends_nothing_and_a_second_try_pays(shopper: NewShopper) -> None:
    person = shopper()
    person.buy()
    person.choose("sol")
    dialog = person.ask_wallet()
    dialog.get_by_role("button", name="Reject").click()
    expect(person.status).to_have_text("You cancelled in the wallet. Nothing was sent.")
    assert person.transfers() == []
    expect(person.page.get_by_role("button", name="Pay with Test wallet")).to_be_focused()
    person.ask_wallet()
    person.approve()
    person.expect_paid()
    assert len(person.transfers()) == 1


def test_a_keyboard_is_enough(shopper: NewShopper) -> None:
    person = shopper()
    page = person.page
    page.goto(f"{person.scene.shop_url}/products/tee")
    tab_to(page, "Buy")
    page.keyboard.press("Enter")
    person.arrive()
    tab_to(page, "Solana")
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Pay with Test wallet")).to_be_visible()
    tab_to(page, "Pay with Test wallet")
    page.keyboard.press("Enter")
    approve = page.get_by_role("button", name="Approve")
    expect(approve).to_be_focused()
    assert page.evaluate(FOCUS)["isVisible"]
    page.keyboard.press("Space")
    person.expect_paid()
    tab_to(page, "Back to ")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Paid. Shipped.")).to_be_visible(timeout=WAIT_S * 1000)


def tab_to(page: "Page", words: str) -> None:
    """Press Tab until something with these words has the focus; wherever it rests on the way, one must see it."""
    for _ in range(25):
        page.keyboard.press("Tab")
        focus = page.evaluate(FOCUS)
        assert focus["isVisible"], focus
        if words in focus["text"]:
            return
    raise AssertionError(f"Tab never came to {words!r}")


def test_without_scripts_a_scanned_code_pays(shopper: NewShopper, payer: TestWallet) -> None:
    person = shopper(java_script_enabled=False)
    person.buy()
    person.choose("sol")
    expect(person.page.locator("#wallets")).to_be_hidden()
    payer.pay_link(person.link())
    person.expect_paid()  # the page reloads itself
    person.expect_shipped()
    assert len(person.transfers()) == 1


# --- another wallet --------------------------------------------------------------------------------------------------


@pytest.fixture
def phantom(stage: Scene) -> Phantom:
    return Phantom(a_full_wallet(stage, "Phantom"), victim=merchant_address(stage))


def with_phantom(person: Shopper, phantom: Phantom) -> "Locator":
    """Give the browser a Phantom, buy with it up to the payment, and return its button."""
    phantom.install(person.page.context)
    person.buy()
    person.choose("sol")
    expect(person.page.locator("#wallets button")).to_have_count(2)  # it stands beside the test wallet
    return person.page.get_by_role("button", name="Pay with Phantom")


def test_phantom_signs_for_the_local_chain_and_adds_its_guards(shopper: NewShopper, phantom: Phantom) -> None:
    person = shopper()
    phantom.mood = "guards"
    with_phantom(person, phantom).click()
    person.expect_paid()
    assert phantom.asked == ["connect", "sign"]  # what it would send itself would go to another network
    (signature,) = person.transfers()
    landed = phantom.wallet.rpc("getTransaction", signature, {"maxSupportedTransactionVersion": 0})
    assert len(landed["transaction"]["message"]["instructions"]) > len(phantom.wallet.phantom_guards().after) + 4
    person.expect_shipped()


def test_a_wallet_that_pays_somebody_else_is_refused_and_may_try_again(shopper: NewShopper, phantom: Phantom) -> None:
    person = shopper()
    phantom.mood = "robbed"
    button = with_phantom(person, phantom)
    button.click()
    expect(person.status).to_have_text("Your wallet returned something else than this payment, so it was not sent.")
    person.forgive("Failed to load resource")
    assert person.transfers() == []
    assert TestWallet(person.scene.chain_url).rpc("getBalance", str(phantom.thief))["value"] == 0
    phantom.mood = "reject"
    button.click()
    expect(person.status).to_have_text("You cancelled in the wallet. Nothing was sent.")
    phantom.mood = "approve"
    button.click()
    person.expect_paid()
    assert len(person.transfers()) == 1


def test_an_empty_wallet_is_told_why_before_it_is_asked(shopper: NewShopper, stage: Scene) -> None:
    person = shopper()
    phantom = Phantom(TestWallet(stage.chain_url, seed="nothing in it"), victim=merchant_address(stage))
    with_phantom(person, phantom).click()
    expect(person.status).to_have_text(
        "The network would refuse this payment. Does your wallet hold enough for amount and network fee?"
    )
    person.forgive("Failed to load resource")
    assert phantom.asked == ["connect"]


def test_a_signature_of_another_network_never_pays_and_is_explained(shopper: NewShopper) -> None:
    person = shopper()
    person.buy()
    person.choose("sol")
    assert person.page.evaluate(POST_HINT, "5" * 87) == 204
    expect(person.status).to_contain_text("Your wallet has sent the payment. Looking for it on the network…")
    let_time_pass(person.scene, person.token, minutes=1)
    expect(person.status).to_have_text("Your wallet says it paid, but the payment is not on this network.")
    expect(person.page.get_by_text("Your wallet may be on another network.")).to_be_visible()
    assert person.payment().status == "open"
    person.ask_wallet()
    person.approve()
    person.expect_paid()


# --- accidents -------------------------------------------------------------------------------------------------------


def test_too_little_is_topped_up_with_exactly_the_rest(shopper: NewShopper, payer: TestWallet) -> None:
    person = shopper()
    person.buy()
    person.choose("sol")
    link, part = transfer_of(person.link()), 20_000_000
    due = link.atomic(9)
    code = person.page.locator("svg.qr").inner_html()
    payer.pay_sol(str(link.recipient), part, references=[str(key) for key in link.references])
    words = f"{sol_text(part)} arrived. {sol_text(due - part)} is still missing."
    expect(person.status).to_have_text(said(words), timeout=WAIT_S * 1000)
    assert person.page.locator("svg.qr").inner_html() != code
    assert transfer_of(person.link()).atomic(9) == due - part
    expect(person.ask_wallet()).to_contain_text(f"Send {sol_text(due - part)} to ")
    person.approve()
    person.expect_paid()
    assert len(person.transfers()) == 2
    assert person.payment().exceptions == ()
    person.expect_shipped()


def test_too_much_is_paid_and_the_excess_is_named(shopper: NewShopper, payer: TestWallet) -> None:
    person = shopper()
    person.buy()
    person.choose("sol")
    link = transfer_of(person.link())
    payer.pay_sol(str(link.recipient), link.atomic(9) + SOL, references=[str(key) for key in link.references])
    person.expect_paid("Paid. You sent 1 SOL too much.")
    assert person.payment().exceptions == ("overpaid",)
    person.expect_shipped()


def test_time_that_runs_out_says_so_and_the_shop_opens_another_window(shopper: NewShopper) -> None:
    person = shopper()
    person.buy()
    person.choose("sol")
    let_time_pass(person.scene, person.token, hours=2)
    expect(person.status).to_have_text("Time is up. No payment arrived.", timeout=WAIT_S * 1000)
    expect(person.page.locator("svg.qr")).to_have_count(0)
    first = person.pay_url
    person.page.locator("#back a").click()
    person.page.get_by_role("button", name="Pay again").click(timeout=WAIT_S * 1000)
    person.arrive()
    assert person.pay_url != first
    person.choose("sol")
    person.ask_wallet()
    person.approve()
    person.expect_paid()
    person.expect_shipped()


def test_two_tabs_and_double_clicks_pay_once(shopper: NewShopper) -> None:
    person = shopper()
    person.buy()
    person.choose("sol")
    other = Shopper(person.scene, person.page.context.new_page(), troubles=person.troubles)
    other.page.goto(person.pay_url)
    for tab in (person, other):
        tab.page.get_by_role("button", name="Pay with Test wallet").dblclick()
        expect(tab.page.get_by_role("dialog")).to_have_count(1)
    person.page.get_by_role("button", name="Approve").dblclick()
    expect(person.page.locator("#status")).not_to_have_attribute("data-state", "asking")
    other.approve()
    # The first payment is still under way, or was quicker than the second tab.
    expect(other.status).to_have_text(re.compile("Please wait here and do not pay again|does not take money any more"))
    person.forgive("status of 409")
    person.expect_paid()
    other.expect_paid()
    assert len(person.transfers()) == 1
    assert person.payment().exceptions == ()


def test_a_lost_connection_is_said_and_what_happened_meanwhile_shows(shopper: NewShopper, payer: TestWallet) -> None:
    person = shopper()
    person.buy()
    person.choose("sol")
    person.page.context.set_offline(True)
    expect(person.status).to_contain_text("No connection. What you see may be out of date")
    payer.pay_link(person.link())
    eventually("the payment", lambda: person.payment().status, "paid")
    expect(person.status).to_contain_text("No connection.")
    person.page.context.set_offline(False)
    person.expect_paid()
    person.forgive("ERR_INTERNET_DISCONNECTED")
