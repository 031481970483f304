"""The whole product for browser tests: the demo's stage, a person in front of it, and a Phantom in the browser.

Everything is real but the person: gateway, shop, dev chain and exchange are processes of their own, reached over HTTP.
"""

import base64
import random
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from playwright.sync_api import expect
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction
from sqlalchemy import update

from gateway.kernel.clock import SystemClock
from gateway.storage import schema
from gateway.storage.database import open_database
from sandbox.demo.stage import DemoError, Ports, Scene, open_stage, refuse_busy_ports
from sandbox.devchain.wallet import TestWallet
from streampay import Payment, StreamPay

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Page, Request

SLOT_MS: Final = 80  # final after 2.6 s instead of 13, and still long enough for the page to see it confirm
PORTS: Final = range(20_000, 31_000)  # below those that systems give to whoever asks for any
PORT_TRIES: Final = 20
WAIT_S: Final = 20.0
PHANTOM_SCRIPT: Final = (Path(__file__).parent / "phantom.js").read_text(encoding="utf-8")
NOWHERE: Final = bytes(range(64))  # a signature that no chain knows
LOCAL: Final = ("http://127.0.0.1:", "data:")


@contextmanager
def a_stage(folder: Path) -> Iterator[Scene]:
    """Open the demo's stage on free ports, with a quick chain."""
    with open_stage(_free_ports(), folder, slot_ms=SLOT_MS) as scene:
        yield scene


def _free_ports() -> Ports:
    for base in random.sample(PORTS, PORT_TRIES):
        ports = Ports.from_base(base)
        try:
            refuse_busy_ports(ports)
        except DemoError:
            continue
        return ports
    raise AssertionError(f"no free ports in {PORT_TRIES} tries")


def merchant(scene: Scene) -> StreamPay:
    """Return the SDK with the shop's own key."""
    settings = dict(re.findall(r"export (\w+)=(.*)", (scene.folder / "env").read_text()))
    return StreamPay(settings["STREAMPAY_API_KEY"], base_url=scene.gateway_url)


def policy_reports(scene: Scene) -> int:
    """Return how often a browser reported that a page broke its policy."""
    return (scene.folder / "gateway.log").read_text(errors="replace").count("csp_violation")


def let_time_pass(scene: Scene, token: str, **delta: int) -> None:
    """Make a session, its offer and what wallets said about it that much older, as if the shopper had been away."""
    sessions, payments, attempts, operations = (
        schema.checkout_session,
        schema.payment,
        schema.attempt,
        schema.operation,
    )
    back, now = timedelta(**delta), SystemClock().now()
    database = open_database(str(scene.environment["STREAMPAY_DATABASE_URL"]))

    def verb(tx: Any) -> None:
        row = tx.execute(sessions.select().where(sessions.c.token == token)).mappings().one()
        deadline = now + timedelta(minutes=30) - back
        tx.execute(update(sessions).where(sessions.c.id == row["id"]).values(expires_at=deadline))
        tx.execute(update(payments).where(payments.c.id == row["payment_id"]).values(expires_at=deadline))
        tx.execute(update(attempts).where(attempts.c.payment_id == row["payment_id"]).values(expires_at=deadline))
        told = update(operations).where(operations.c.payment_id == row["payment_id"])
        tx.execute(told.values(created_at=now - back))

    database.write(verb)
    database.close()


@dataclass
class Phantom:
    """Phantom's inside: a real key, and what it does with the next request (`mood`)."""

    wallet: TestWallet
    victim: str
    thief: Pubkey = field(default_factory=Pubkey.new_unique)
    mood: str = "approve"
    asked: list[str] = field(default_factory=list)

    def install(self, context: "BrowserContext") -> None:
        """Put it into every page of a browser."""
        context.expose_function("phantomAsks", self.answer)
        context.add_init_script(PHANTOM_SCRIPT)

    def answer(self, what: str, payload: str) -> dict[str, object]:
        """Do what the page's half of the wallet asks for."""
        self.asked.append(what)
        if what == "connect":
            key = base64.b64encode(bytes(self.wallet.public_key)).decode()
            return {"value": f"{self.wallet.address} {key}"}
        match self.mood:
            case "reject":
                return {"error": {"code": 4001, "message": "User rejected the request."}}
            case "guards":
                return {"value": self.wallet.sign(payload, guards=self.wallet.phantom_guards())}
            case "robbed":
                return {"value": self._pay_somebody_else(payload)}
            case "approve" if what == "sign":
                return {"value": self.wallet.sign(payload)}
            case _:
                return {"value": base64.b64encode(NOWHERE).decode()}

    def _pay_somebody_else(self, payload: str) -> str:
        """Keep all of the order, its reference too, but for the receiver."""
        message = VersionedTransaction.from_bytes(base64.b64decode(payload)).message
        assert isinstance(message, MessageV0), "the page knows that this wallet reads version 0"
        keys = [self.thief if str(key) == self.victim else key for key in message.account_keys]
        assert self.thief in keys, "the order pays the merchant's own address"
        lookups = message.address_table_lookups
        changed = MessageV0(message.header, keys, message.recent_blockhash, message.instructions, lookups)
        return self.wallet.sign(
            base64.b64encode(bytes(VersionedTransaction.populate(changed, [Signature.default()]))).decode()
        )


@dataclass  # without slots: Playwright leaves marks on the object whose methods it calls
class Shopper:
    """A person with a browser tab; `troubles` keeps what no visitor may cause or see."""

    scene: Scene
    page: "Page"
    troubles: list[str] = field(default_factory=list)
    order_url: str = ""
    pay_url: str = ""

    def __post_init__(self) -> None:
        self.watch(self.page)

    def watch(self, page: "Page") -> None:
        """Note errors in a tab's console, and every request beyond this machine."""
        page.on("console", self._hear)
        page.on("request", self._see)

    def _hear(self, message: "ConsoleMessage") -> None:
        if message.type in {"error", "warning"}:
            self.troubles.append(message.text)

    def _see(self, request: "Request") -> None:
        if not request.url.startswith(LOCAL):
            self.troubles.append(f"asked {request.url}")

    def forgive(self, words: str) -> None:
        """Take a trouble that the test caused on purpose off the list; it must have come."""
        assert any(words in trouble for trouble in self.troubles), (words, self.troubles)
        self.troubles = [trouble for trouble in self.troubles if words not in trouble]

    # Walking.

    def buy(self, product: str = "mug") -> None:
        """Go to a product of the shop, and through its Buy button to the payment page."""
        self.page.goto(f"{self.scene.shop_url}/products/{product}")
        self.page.get_by_role("button", name="Buy").click()
        self.arrive()

    def arrive(self) -> None:
        """Remember where the payment page and the order's page are."""
        self.page.wait_for_url(f"{self.scene.gateway_url}/pay/*")
        self.pay_url = self.page.url.partition("?")[0]
        back = self.page.locator("#back a").get_attribute("href") or ""
        assert back.startswith(f"{self.scene.shop_url}/orders/"), back
        self.order_url = back

    def choose(self, method: str) -> None:
        """Choose how to pay; the first rates may still be on their way from the exchanges."""
        self.page.locator(f"#method-{method}").click()
        expect(self.page.locator("svg.qr")).to_be_visible()

    def ask_wallet(self, button: str = "Pay with Test wallet") -> "Locator":
        """Press the wallet's button and return its dialog."""
        self.page.get_by_role("button", name=button).click()
        return self.page.get_by_role("dialog")

    def approve(self) -> None:
        """Say yes in the test wallet."""
        self.page.get_by_role("button", name="Approve").click()

    # Looking.

    @property
    def token(self) -> str:
        return self.pay_url.rpartition("/")[2]

    @property
    def reference(self) -> str:
        return self.order_url.rpartition("/")[2]

    @property
    def status(self) -> "Locator":
        """The page's one live region."""
        return self.page.get_by_role("status")

    def link(self) -> str:
        """Return the payment link as the page's HTML carries it; the QR code holds the same."""
        return self.page.locator('a[href^="solana:"]').first.get_attribute("href") or ""

    def payment(self) -> Payment:
        """Return what the merchant's API says of this order."""
        client = merchant(self.scene)
        (session,) = client.checkout.sessions.list(reference=self.reference)
        return client.payments.retrieve(session.payment or "")

    def transfers(self) -> list[str]:
        """Return the signatures on the chain that carry this order's reference, from the chain itself."""
        keys = [one.reference_key for one in self.payment().attempts]
        wallet = TestWallet(self.scene.chain_url)
        options = {"commitment": "confirmed"}
        return [row["signature"] for key in keys for row in wallet.rpc("getSignaturesForAddress", key, options)]

    def expect_paid(self, words: str = "Paid. Thank you.") -> None:
        expect(self.page.locator("#status")).to_have_attribute("data-tone", "good", timeout=WAIT_S * 1000)
        expect(self.status).to_contain_text(said(words))

    def expect_shipped(self) -> None:
        """Walk back to the shop by the page's button, and read there that the parcel is on its way."""
        self.page.locator("#back a").click()
        self.page.wait_for_url(f"{self.order_url}*")
        expect(self.page.locator("article")).to_have_attribute("data-shipped", "yes", timeout=WAIT_S * 1000)
        expect(self.page.get_by_text("Paid. Shipped.")).to_be_visible()


def said(words: str) -> re.Pattern[str]:
    """Match words on the page, which puts invisible marks around amounts so that they read rightly in every script."""
    letters = (r"\s" if letter == " " else re.escape(letter) for letter in words)  # amounts do not break in two
    return re.compile("[\u2066\u2069]?".join(letters))


def a_full_wallet(scene: Scene, seed: str) -> TestWallet:
    """Return a wallet with 10 SOL and 1,000 USDC."""
    wallet = TestWallet(scene.chain_url, seed=seed)
    wallet.airdrop(10**10)
    wallet.wait(wallet.airdrop_token(scene.usdc_mint, 10**9))
    return wallet


def eventually(what: str, read: Any, wanted: object) -> None:
    """Wait until `read` returns what is wanted."""
    deadline = time.monotonic() + WAIT_S
    while (found := read()) != wanted:
        assert time.monotonic() < deadline, f"{what} stayed {found}"
        time.sleep(0.1)
