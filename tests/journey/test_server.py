"""The real server process, met over HTTP and by its command line: a shop's program, a page, a wallet, a webhook."""

import html
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import requests

from gateway.ledger.sealing import InclusionProof, check_proof
from sandbox.devchain.chain import DevChain
from sandbox.devchain.faucet import USDC_MINT
from sandbox.devchain.server import serve
from sandbox.devchain.wallet import TestWallet
from sandbox.exchange import server as exchange_server
from sandbox.exchange.market import Market
from streampay import StreamPay
from streampay.models import CheckoutSession, Event, Payment
from streampay.webhooks import Webhook
from tests.crash.harness import REAL, Server, free_port
from tests.journey.street import LOCALNET, SOL, TOKENS, USDC

SLOT_MS = 50  # a payment is final after 1.6 s instead of 13
PATIENCE_S = 30
HTTP_S = 10
ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


@dataclass(slots=True)
class Mailbox:
    """The shop's webhook endpoint: what came, as it came."""

    url: str = ""
    letters: list[tuple[bytes, dict[str, str]]] = field(default_factory=list)

    def open(self, secret: str) -> dict[str, Event]:
        """Verify every delivery as a shop does; return the events by id."""
        events = [Webhook(secret).verify(body, headers) for body, headers in self.letters]
        return {event.id: event for event in events}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A running gateway and the shop that uses it."""

    url: str
    client: StreamPay
    chain_url: str
    environment: Mapping[str, str]
    mailbox: Mailbox
    secret: str

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `streampay-server` beside the running server."""
        return _run(self.environment, *arguments)

    def order(self, reference: str, amount: str = "12.30", currency: str = "USD") -> CheckoutSession:
        return self.client.checkout.sessions.create(
            amount=amount, currency=currency, reference=reference, success_url="http://127.0.0.1/thanks"
        )

    def shopper(self) -> TestWallet:
        """Return a wallet with money that is confirmed."""
        wallet = TestWallet(self.chain_url)
        wallet.airdrop(10 * SOL)
        wallet.wait(wallet.airdrop_token(str(USDC_MINT), 500 * USDC))
        return wallet

    def choose(self, session: CheckoutSession, method: str) -> None:
        """Press the button of a method, as a page without scripts does; the first rates may still be on their way."""

        def press() -> bool:
            answer = requests.post(f"{session.url}/method", data={"method": method}, timeout=HTTP_S)
            assert answer.ok, answer.text
            return "solana:" in answer.text

        until(press)

    def link(self, session: CheckoutSession) -> str:
        """Return the `solana:` link that the page's HTML holds."""
        page = requests.get(session.url, timeout=HTTP_S)
        found = re.search(r'href="(solana:[^"]+)"', page.text)
        assert found is not None, page.text
        return html.unescape(found[1])

    def payment(self, session: CheckoutSession) -> Payment:
        """Return the payment as the shop's program reads it."""
        assert session.payment is not None, "every session has a payment"
        return self.client.payments.retrieve(session.payment)

    def state(self, session: CheckoutSession) -> str:
        """Return what the page's status says."""
        return str(requests.get(f"{session.url}/status", timeout=HTTP_S).json()["state"])


def until(is_so: Callable[[], bool]) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Run the real server on a chain and an exchange of its own."""
    folder, mailbox = tmp_path_factory.mktemp("server"), Mailbox()
    with serve(DevChain(slot_ms=SLOT_MS)) as chain, exchange_server.serve(Market()) as exchange, _listening(mailbox):
        environment = _settings(folder, chain.url, exchange.url, mailbox)
        key = _open_account(environment, TestWallet(chain.url, seed="journey merchant"))
        server = Server(REAL, environment, folder)
        try:
            server.start()
            client = StreamPay(key, base_url=server.url)
            secret = client.webhook_endpoints.create(url=mailbox.url).secret
            assert secret is not None
            yield Gateway(
                url=server.url,
                client=client,
                chain_url=chain.url,
                environment=environment,
                mailbox=mailbox,
                secret=secret,
            )
        finally:
            server.close()


def test_an_order_is_paid_from_the_link_of_a_page_without_javascript(gateway: Gateway) -> None:
    session = gateway.order("order-1")
    gateway.choose(session, "usdc")
    assert gateway.state(session) == "chosen"
    signature = gateway.shopper().pay_link(gateway.link(session))
    until(lambda: gateway.state(session) == "paid")

    payment = gateway.payment(session)
    assert (payment.status, payment.exceptions, str(payment.amount_received)) == ("paid", (), "12.30")
    assert [transfer.signature for transfer in payment.transfers] == [signature]
    assert gateway.client.checkout.sessions.retrieve(session.id).status == "complete"

    story = ["checkout.session.created", "payment.processing", "payment.succeeded", "checkout.session.completed"]
    until(lambda: sorted(_story(gateway.mailbox.open(gateway.secret).values(), session)) == sorted(story))
    until(lambda: _story(gateway.client.events.list(after="start"), session) == story)  # in the order of commits
    polled = list(gateway.client.events.list(after="start"))
    delivered = gateway.mailbox.open(gateway.secret)
    assert {event.id: event for event in polled if event.id in delivered} == delivered
    after_first = list(gateway.client.events.list(after=polled[0].id))
    assert after_first == polled[1:]

    page = requests.get(session.url, timeout=HTTP_S).text
    assert "solana:" not in page, "nothing asks for money any more"
    assert "order-1" in page


def test_a_wallet_that_asks_our_server_for_the_transfer_pays(gateway: Gateway) -> None:
    session = gateway.order("order-2", "0.25", "SOL")
    gateway.choose(session, "sol")
    request_url = session.url.replace("/pay/", "/solana/")
    about = requests.get(request_url, timeout=HTTP_S)
    assert about.json()["label"] == "Journey & Sons"
    assert about.headers["Access-Control-Allow-Origin"] == "*"
    signature = gateway.shopper().pay_link(f"solana:{request_url}")
    until(lambda: gateway.state(session) == "paid")
    payment = gateway.payment(session)
    assert [transfer.signature for transfer in payment.transfers] == [signature]


def test_an_underpaid_page_asks_for_exactly_the_rest(gateway: Gateway) -> None:
    session, shopper = gateway.order("order-3", "0.4", "SOL"), gateway.shopper()
    gateway.choose(session, "sol")
    (attempt,) = gateway.payment(session).attempts
    assert attempt.receiving_address is not None
    assert attempt.reference_key is not None
    shopper.pay_sol(attempt.receiving_address, SOL // 10, references=[attempt.reference_key])
    until(lambda: gateway.state(session) == "underpaid")
    assert "amount=0.3&" in gateway.link(session)
    shopper.pay_link(gateway.link(session))
    until(lambda: gateway.state(session) == "paid")
    payment = gateway.payment(session)
    assert (payment.exceptions, len(payment.transfers)) == ((), 2)


def test_the_books_of_a_running_server_verify_and_prove_each_payment(gateway: Gateway) -> None:
    session = gateway.order("order-4", "0.05", "SOL")
    gateway.choose(session, "sol")
    gateway.shopper().pay_link(gateway.link(session))
    until(lambda: gateway.state(session) == "paid")
    verified = gateway.command("ledger", "verify")
    assert verified.returncode == 0, verified.stderr
    until(
        lambda: gateway.command("ledger", "prove", gateway.payment(session).id).returncode == 0
    )  # sealing comes every ten seconds
    proofs = [
        InclusionProof.from_json(json.dumps(one))
        for one in json.loads(gateway.command("ledger", "prove", gateway.payment(session).id).stdout)
    ]
    assert proofs
    assert all(check_proof(proof) for proof in proofs)
    unknown = gateway.command("ledger", "prove", "pay_00000000000000000000000000")
    assert unknown.returncode == 1


def test_the_doctor_finds_nothing_wrong(gateway: Gateway) -> None:
    found = gateway.command("doctor")
    assert found.returncode == 0, found.stdout + found.stderr
    assert "FAIL" not in found.stdout


def _story(events: Any, session: CheckoutSession) -> list[str]:
    """Return the types of the events about one order, as they come."""
    return [event.type for event in events if {session.id, session.payment} & {event.data.object.id}]


def _settings(folder: Path, chain_url: str, exchange_url: str, mailbox: Mailbox) -> dict[str, str]:
    port = free_port()
    return {
        "STREAMPAY_DATABASE_URL": f"sqlite:///{folder / 'gateway.db'}",
        "STREAMPAY_BASE_URL": f"http://127.0.0.1:{port}",
        "STREAMPAY_PORT": str(port),
        "STREAMPAY_SOLANA_TEST_NETWORK": LOCALNET,
        "STREAMPAY_SOLANA_TEST_RPC_URLS": chain_url,
        "STREAMPAY_SOLANA_TEST_TOKENS": json.dumps(TOKENS[:1]),
        "STREAMPAY_SOLANA_LIVE_NETWORK": "",
        "STREAMPAY_RATES_BASE_URL": exchange_url,
        "STREAMPAY_WEBHOOK_ALLOWED_HOSTS": mailbox.url.removeprefix("http://"),
    }


def _open_account(environment: Mapping[str, str], merchant: TestWallet) -> str:
    """Open the account with the commands of the README; return its key."""
    merchant.airdrop(SOL)
    _run(environment, "account", "create", "--name", "Journey & Sons").check_returncode()
    _run(environment, "account", "set", "--solana-test-address", merchant.address).check_returncode()
    return _run(environment, "keys", "create").stdout.strip()


def _run(environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hosted_checkout.cli", *arguments]
    return subprocess.run(
        command, env=os.environ | dict(environment), cwd=ROOT, capture_output=True, text=True, check=False
    )


@contextmanager
def _listening(mailbox: Mailbox) -> Iterator[None]:
    """Serve a mailbox on loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            mailbox.letters.append((body, dict(self.headers.items())))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    mailbox.url = f"http://127.0.0.1:{httpd.server_port}"
    thread = Thread(target=httpd.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()
