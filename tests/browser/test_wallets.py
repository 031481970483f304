"""Paying from a wallet: the test wallet on a real Solana VM, and what other wallets may answer."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from solders.signature import Signature

from gateway.domain.chain import ChainObservation
from gateway.domain.ports import TransferRequest
from gateway.engine.page import UnsignedTransfer
from gateway.kernel.errors import DeclinedError, ErrorCode
from gateway.processors.solana import SolanaProcessor
from hosted_checkout.checkout.samples import SAMPLE_TIME, sample_attempt, sample_page
from sandbox.devchain.chain import DevChain
from sandbox.devchain.faucet import USDC_MINT
from sandbox.devchain.server import serve as serve_chain
from sandbox.devchain.wallet import TestWallet
from tests.browser.conftest import NewContext
from tests.checkout.house import StatesGallery, a_checkout_app, a_clock, serving
from tests.processors.solana_stage import SOL, Stage, localnet

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

DOUBLE = (Path(__file__).parent / "wallet_double.js").read_text(encoding="utf-8")
NOW = SAMPLE_TIME
LAMPORTS = 121_543_000
WALLET_BUTTON = "Pay with Test wallet"


@dataclass
class ChainVerbs(StatesGallery):
    """The gallery with the real processor behind the wallet's calls; `landed` keeps what the chain took."""

    stage: Stage | None = None
    landed: list[str] = field(default_factory=list)
    asset: str = "SOL"

    def build_transfer(self, token: str, payer: str, *, legacy: bool) -> UnsignedTransfer:
        super().build_transfer(token, payer, legacy=legacy)
        assert self.stage is not None
        built = self.stage.processor.build(self._request(), payer=payer, legacy=legacy)
        return UnsignedTransfer(
            payload=built.payload, chain="solana:localnet", last_valid_height=built.last_valid_height
        )

    def submit_signed(self, token: str, payload: str) -> str:
        super().submit_signed(token, payload)
        assert self.stage is not None
        signed = self.stage.processor.check_signed(self._request(), payload)
        self.stage.processor.broadcast("solana:localnet", payload)
        self.landed.append(signed.signature)
        self.pages[token] = self.page("paid")
        return signed.signature

    def _request(self) -> TransferRequest:
        assert self.stage is not None
        return self.stage.request(LAMPORTS, self.asset, reference="82ZJ7nbGpixjeDCmEhUcmwXYfvurzAgGdtSMuHnUgyny")


@dataclass
class Shop:
    """A served page whose wallet pays on a chain of its own."""

    url: str
    verbs: ChainVerbs
    stage: Stage
    reports: Callable[[], int]


def a_running_stage() -> Stage:
    """Return a stage whose chain makes slots by itself, ten times as fast as Solana, as a browser's wallet expects."""
    server = serve_chain(DevChain(auto=True, slot_ms=40))
    merchant = TestWallet(server.url, seed="merchant")
    merchant.airdrop(SOL)
    return Stage(server, SolanaProcessor({False: localnet(server.url)}), merchant.address)


@pytest.fixture
def shop() -> Iterator[Shop]:
    stage = a_running_stage()
    verbs = ChainVerbs(a_clock(), stage=stage)
    verbs.pages["x"] = sample_page(NOW, attempt=sample_attempt(NOW))
    app = a_checkout_app(verbs, sandbox_rpc_url=stage.server.url, mints={"USDC": str(USDC_MINT)})
    with serving(app) as origin:
        yield Shop(f"{origin}/pay/x", verbs, stage, lambda: app.extensions["csp_reports"].count)
    stage.processor.close()
    stage.server.close()
    assert app.extensions["csp_reports"].count == 0


def effect_of(shop: Shop, signature: str) -> ChainObservation:
    """Return the one effect of a signature on the merchant, once the chain has confirmed it."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        found = shop.stage.reader.read([signature], shop.stage.accounts())[signature]
        if found:
            (effect,) = found
            return effect
        time.sleep(0.05)
    raise AssertionError("the chain did not confirm")


def sentence(page: "Page") -> "Locator":
    return page.get_by_role("status")


def test_approve_in_the_test_wallet_pays_on_a_real_chain(shop: Shop, new_context: NewContext) -> None:
    page = new_context().new_page()
    page.goto(shop.url)
    page.get_by_role("button", name=WALLET_BUTTON).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("TEST WALLET")
    expect(dialog).to_contain_text("Send 0.121543 SOL to ")
    expect(sentence(page)).to_have_text("Please confirm in your wallet.")
    dialog.get_by_role("button", name="Approve").click()
    expect(sentence(page)).to_have_text("Paid. Thank you.")
    (signature,) = shop.verbs.landed
    assert effect_of(shop, signature).net == LAMPORTS


def test_the_test_wallet_pays_in_dollar_coins_too(shop: Shop, new_context: NewContext) -> None:
    shop.verbs.asset = "USDC"
    page = new_context().new_page()
    page.goto(shop.url)
    page.get_by_role("button", name=WALLET_BUTTON).click()
    expect(page.get_by_role("dialog")).to_contain_text("Send 121.543 USDC to ")
    expect(page.get_by_role("dialog")).to_contain_text("1000 USDC")
    page.get_by_role("button", name="Approve").click()
    expect(sentence(page)).to_have_text("Paid. Thank you.")
    effect = effect_of(shop, shop.verbs.landed[0])
    assert (effect.asset, effect.net) == ("USDC", LAMPORTS)


def test_guard_instructions_of_the_wallet_do_not_stand_in_the_way(shop: Shop, new_context: NewContext) -> None:
    page = new_context().new_page()
    page.goto(shop.url)
    page.get_by_role("button", name=WALLET_BUTTON).click()
    page.get_by_role("checkbox", name="Add guard instructions, as Phantom does").check()
    page.get_by_role("button", name="Approve").click()
    expect(sentence(page)).to_have_text("Paid. Thank you.")
    effect = effect_of(shop, shop.verbs.landed[0])
    assert effect.net == LAMPORTS
    assert "guard before" in (effect.memo or "") + effect.raw


def test_reject_says_that_nothing_was_sent_and_a_retry_pays(shop: Shop, new_context: NewContext) -> None:
    page = new_context().new_page()
    page.goto(shop.url)
    page.get_by_role("button", name=WALLET_BUTTON).click()
    page.get_by_role("button", name="Reject").click()
    expect(sentence(page)).to_have_text("You cancelled in the wallet. Nothing was sent.")
    assert shop.verbs.landed == []
    page.get_by_role("button", name=WALLET_BUTTON).click()
    page.get_by_role("button", name="Approve").click()
    expect(sentence(page)).to_have_text("Paid. Thank you.")
    assert len(shop.verbs.landed) == 1


def test_keyboard_alone_pays(shop: Shop, new_context: NewContext) -> None:
    page = new_context().new_page()
    page.goto(shop.url)
    button = page.get_by_role("button", name=WALLET_BUTTON)
    expect(button).to_be_visible()
    for _ in range(10):
        page.keyboard.press("Tab")
        if button.evaluate("one => one === document.activeElement"):
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Approve")).to_be_focused()
    page.keyboard.press("Enter")
    expect(sentence(page)).to_have_text("Paid. Thank you.")


def test_the_test_wallets_faucet_gives_test_money(shop: Shop, new_context: NewContext) -> None:
    page = new_context().new_page()
    page.goto(shop.url)
    page.get_by_role("button", name=WALLET_BUTTON).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Get test money from the faucet").click()
    expect(dialog).to_contain_text("SOL")
    page.keyboard.press("Escape")
    expect(sentence(page)).to_have_text("You cancelled in the wallet. Nothing was sent.")


# --- other wallets, by a double ------------------------------------------------------------------------------------


@pytest.fixture
def on_devnet() -> Iterator[tuple[str, StatesGallery]]:
    verbs = StatesGallery(a_clock(), chain="solana:devnet")
    verbs.pages["x"] = sample_page(NOW, attempt=sample_attempt(NOW, network="solana:devnet"))
    app = a_checkout_app(verbs)
    with serving(app) as origin:
        yield f"{origin}/pay/x", verbs
    assert app.extensions["csp_reports"].count == 0


def open_with_double(new_context: NewContext, url: str, plan: str = "[]") -> "Page":
    context = new_context()
    context.add_init_script(DOUBLE + f"window.plan = {plan};")
    page = context.new_page()
    page.goto(url)
    return page


def test_on_a_real_cluster_the_wallet_sends_and_its_signature_is_a_hint(
    on_devnet: tuple[str, StatesGallery], new_context: NewContext
) -> None:
    url, verbs = on_devnet
    page = open_with_double(new_context, url)
    with page.expect_response("**/wallet/hint*"):
        page.get_by_role("button", name="Pay with Double").click()
    expect(sentence(page)).to_contain_text("Waiting for your payment")  # a hint is not a payment
    assert verbs.calls[-1] == ("hint", "x", str(Signature(bytes([7] * 64))))
    assert [one["name"] for one in page.evaluate("asked")] == ["connect", "send"]
    assert page.evaluate("asked")[1]["chain"] == "solana:devnet"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("{code: 4001}", "You cancelled in the wallet. Nothing was sent."),
        ('{message: "User rejected the request."}', "You cancelled in the wallet. Nothing was sent."),
        ("{code: -32002}", "Your wallet is still showing an earlier request."),
        ("{code: 4100}", "Your wallet did not let this page connect."),
        ("{code: 4900}", "Your wallet has no connection to this network."),
        ("{code: -32603}", "Your wallet reported an error."),
        ("{code: -32003}", "Your wallet reported an error."),
    ],
)
def test_each_error_of_a_wallet_has_its_sentence(
    error: str, words: str, on_devnet: tuple[str, StatesGallery], new_context: NewContext
) -> None:
    url, verbs = on_devnet
    page = open_with_double(new_context, url, f'["ok", {error}]')
    page.get_by_role("button", name="Pay with Double").click()
    expect(sentence(page)).to_contain_text(words)
    assert [call[0] for call in verbs.calls] == ["build_transfer"]  # after an error nothing else is tried by itself
    assert page.locator("#status").get_attribute("data-tone") in {"warn", "bad"}


def test_a_wallet_that_cannot_send_signs_instead(on_devnet: tuple[str, StatesGallery], new_context: NewContext) -> None:
    url, verbs = on_devnet
    page = open_with_double(new_context, url, '["ok", {code: -32601}, "ok"]')
    with page.expect_response("**/wallet/submit*"):
        page.get_by_role("button", name="Pay with Double").click()
    assert verbs.calls[-1] == ("submit_signed", "x", "AQID")


def test_a_double_click_asks_the_wallet_once(on_devnet: tuple[str, StatesGallery], new_context: NewContext) -> None:
    url, verbs = on_devnet
    page = open_with_double(new_context, url, '["ok", "hang"]')
    button = page.get_by_role("button", name="Pay with Double")
    button.dblclick()
    expect(sentence(page)).to_have_text("Please confirm in your wallet.")
    button.click(force=True)
    page.wait_for_timeout(300)
    assert [one["name"] for one in page.evaluate("asked")] == ["connect", "send"]
    assert [call[0] for call in verbs.calls] == ["build_transfer"]
    assert button.get_attribute("aria-disabled") == "true"


def test_a_refusal_of_the_server_is_shown_in_its_words(
    on_devnet: tuple[str, StatesGallery], new_context: NewContext
) -> None:
    url, verbs = on_devnet
    verbs.failures["build_transfer"] = DeclinedError(ErrorCode.PROVIDER_DECLINED, "insufficient lamports")
    page = open_with_double(new_context, f"{url}?lang=de")
    page.get_by_role("button", name="Mit Double zahlen").click()
    expect(sentence(page)).to_contain_text("Das Netzwerk würde diese Zahlung ablehnen.")
    assert [one["name"] for one in page.evaluate("asked")] == ["connect"]


def test_a_wallet_that_arrives_late_is_offered_too(
    on_devnet: tuple[str, StatesGallery], new_context: NewContext
) -> None:
    page = open_with_double(new_context, on_devnet[0])
    page.evaluate("lateWallet()")
    expect(page.get_by_role("button", name="Pay with Late")).to_be_visible()
    expect(page.get_by_role("button", name="Pay with Double")).to_be_visible()


def test_an_old_phantom_without_the_standard_is_offered_where_no_other_is(
    on_devnet: tuple[str, StatesGallery], new_context: NewContext
) -> None:
    context = new_context()
    context.add_init_script("""window.phantom = { solana: { isPhantom: true,
        connect: async () => ({ publicKey: "HAgk14JpMQLgt6rVgv7cBQFJWFto5Dqxi472uT3DKpqk" }),
        request: async ({ method, params }) => ({ signature: "5".repeat(88), method, params }) } };""")
    page = context.new_page()
    page.goto(on_devnet[0])
    with page.expect_response("**/wallet/hint*"):
        page.get_by_role("button", name="Pay with Phantom").click()
    assert on_devnet[1].calls[-1] == ("hint", "x", "5" * 88)


def test_a_browser_without_a_wallet_is_told_so_and_the_code_stays(
    on_devnet: tuple[str, StatesGallery], new_context: NewContext
) -> None:
    page = new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.goto(on_devnet[0])
    expect(page.get_by_text("No Solana wallet was found in this browser.")).to_be_visible()
    expect(page.locator("svg.qr")).to_be_visible()


def test_a_phone_is_offered_its_wallet_apps(on_devnet: tuple[str, StatesGallery], new_context: NewContext) -> None:
    page = new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True).new_page()
    page.goto(on_devnet[0])
    link = page.get_by_role("link", name="Open in Phantom")
    expect(link).to_be_visible()
    assert (link.get_attribute("href") or "").startswith("https://phantom.app/ul/browse/http%3A%2F%2F127.0.0.1")
    expect(page.get_by_role("link", name="Open in another wallet app")).to_be_visible()


def test_the_page_of_an_order_in_dollar_coins_asks_for_them(new_context: NewContext) -> None:
    verbs = StatesGallery(a_clock())
    attempt = sample_attempt(NOW, method="usdc", title="USD Coin")
    verbs.pages["x"] = replace(sample_page(NOW), attempt=attempt)
    with serving(a_checkout_app(verbs)) as origin:
        page = new_context().new_page()
        page.goto(f"{origin}/pay/x")
        expect(page.get_by_text("USD Coin · Solana (local test chain)")).to_be_visible()


def test_inside_a_wallets_own_browser_no_link_leads_there_again(
    on_devnet: tuple[str, StatesGallery], new_context: NewContext
) -> None:
    context = new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    context.add_init_script(DOUBLE)
    page = context.new_page()
    page.goto(on_devnet[0])
    expect(page.get_by_role("button", name="Pay with Double")).to_be_visible()
    expect(page.get_by_role("link", name="Open in Phantom")).to_be_hidden()
