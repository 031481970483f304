"""A town for whole processes: a chain, an exchange and a shop's mailbox on loopback, and the commands of the server.

Nothing is imported from the gateway: everything goes through its command line and its sockets, as in production.
"""

import base64
import html
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import requests

from sandbox.devchain.chain import DevChain
from sandbox.devchain.server import serve
from sandbox.devchain.wallet import TestWallet
from sandbox.exchange import server as exchange_server
from sandbox.exchange.market import Market
from tests.crash.harness import Receiver, free_port

SOL = 1_000_000_000
SLOT_MS = 50  # a payment is final after 1.6 s instead of 13
PATIENCE_S = 45
HTTP_S = 10
ROOT = Path(__file__).parents[2]
LINK = re.compile(r'href="(solana:[^"]+)"')


@dataclass(slots=True)
class Process:
    """One `streampay-server` process group with its output in a file."""

    popen: subprocess.Popen[bytes]
    log: Path

    def end(self, number: int = signal.SIGTERM) -> tuple[int, float]:
        """Ask it to end as a service manager does; return its status and the seconds it took."""
        started_s = time.monotonic()
        self.popen.send_signal(number)
        status = self.popen.wait(PATIENCE_S)
        return status, time.monotonic() - started_s

    def kill(self) -> None:
        """End the whole group at once."""
        if self.popen.poll() is None:
            os.killpg(self.popen.pid, signal.SIGKILL)
            self.popen.wait()

    def children(self) -> list[int]:
        """Return the ids of the processes that it started."""
        own = Path(f"/proc/{self.popen.pid}/task/{self.popen.pid}/children")
        return [int(word) for word in own.read_text().split()]

    def lines(self) -> list[dict[str, Any]]:
        """Return its log; every line is JSON."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def until_logged(self, event: str) -> None:
        """Wait for a line of its log."""
        until(lambda: self.popen.poll() is not None or f'"event": "{event}"' in self.log.read_text())
        assert self.popen.poll() is None, self.log.read_text()


@dataclass(slots=True, kw_only=True)
class Town:
    """Everything outside the gateway, and the environment that leads the gateway there."""

    folder: Path
    chain_url: str
    receiver: Receiver
    environment: dict[str, str]
    processes: list[Process] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.environment["STREAMPAY_BASE_URL"]

    def command(self, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        """Run one command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "hosted_checkout.cli", *arguments],
            env=_environment(self.environment | changes), cwd=ROOT, capture_output=True, text=True, check=False,
            timeout=PATIENCE_S,
        )  # fmt: skip

    def start(self, *arguments: str, **changes: str) -> Process:
        """Start a command that stays."""
        log = self.folder / f"{arguments[0]}-{len(self.processes)}.log"
        with log.open("wb") as output:
            popen = subprocess.Popen(
                [sys.executable, "-m", "hosted_checkout.cli", *arguments],
                env=_environment(self.environment | changes), cwd=ROOT, stdout=output, stderr=output,
                start_new_session=True,
            )  # fmt: skip
        self.processes.append(Process(popen, log))
        return self.processes[-1]

    def serve(self, **changes: str) -> Process:
        """Start a server and wait until it is ready."""
        process = self.start("serve", **changes)
        until(lambda: process.popen.poll() is not None or is_ready(self.url))
        assert process.popen.poll() is None, process.log.read_text()
        return process

    def open_shop(self) -> "Shop":
        """Open an account with the commands of the README, on a migrated database."""
        merchant = TestWallet(self.chain_url, seed="town merchant")
        for arguments in (
            ("migrate",),
            ("account", "create", "--name", "Town & Sons"),
            ("account", "set", "--solana-test-address", merchant.address),
        ):
            done = self.command(*arguments)
            assert done.returncode == 0, done.stderr
        return Shop(url=self.url, key=self.command("keys", "create").stdout.strip())


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """The shop's program: bare HTTP, and every request repeated until it is answered."""

    url: str
    key: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    def order(self, reference: str, **more: object) -> dict[str, Any]:
        """Create a session; the reference is its idempotency key."""
        body = {"amount": "3.00", "currency": "USD", "reference": reference, "success_url": "http://127.0.0.1/ok"}
        headers = self.headers | {"Idempotency-Key": reference}
        url = f"{self.url}/v1/checkout/sessions"
        return answered(lambda: requests.post(url, json=body | more, headers=headers, timeout=HTTP_S))

    def payment(self, payment_id: str) -> dict[str, Any]:
        url = f"{self.url}/v1/payments/{payment_id}"
        return answered(lambda: requests.get(url, headers=self.headers, timeout=HTTP_S))

    def listen(self, hook: str) -> str:
        """Register the shop's endpoint; return its secret."""
        answer = requests.post(
            f"{self.url}/v1/webhook_endpoints", json={"url": hook}, headers=self.headers, timeout=HTTP_S
        )
        return str(answer.json()["secret"])


def link_of(page_url: str) -> str:
    """Choose SOL on the page until it offers the link; the first rates may still be on their way."""
    found: list[str] = []

    def press() -> bool:
        try:
            answer = requests.post(f"{page_url}/method", data={"method": "sol"}, timeout=HTTP_S)
        except requests.RequestException:
            return False
        matched = LINK.search(answer.text)
        found.extend([html.unescape(matched[1])] if matched else [])
        return bool(found)

    until(press)
    return found[0]


def answered(ask: Callable[[], requests.Response]) -> dict[str, Any]:
    """Repeat a request until it succeeds, as a patient program does."""
    found: list[dict[str, Any]] = []

    def once() -> bool:
        try:
            answer = ask()
        except requests.RequestException:
            return False
        assert answer.ok or answer.status_code >= 500, answer.text
        found.extend([answer.json()] if answer.ok else [])
        return bool(found)

    until(once)
    return found[0]


def until(is_so: Callable[[], bool]) -> None:
    """Wait for something to become true."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline_s, "waited in vain"
        time.sleep(0.05)


def is_ready(url: str) -> bool:
    try:
        return requests.get(f"{url}/readyz", timeout=2).ok
    except requests.RequestException:
        return False


@contextmanager
def a_town(folder: Path, database_url: str) -> Iterator[Town]:
    """Open the town; every process that was started in it is gone at the end."""
    receiver = Receiver()
    with (
        serve(DevChain(slot_ms=SLOT_MS)) as chain,
        exchange_server.serve(Market()) as exchange,
        _listening(receiver) as hook_port,
    ):
        port = free_port()
        environment = {
            "STREAMPAY_DATABASE_URL": database_url,
            "STREAMPAY_SECRET_KEYS": base64.b64encode(b"k" * 32).decode(),
            "STREAMPAY_BASE_URL": f"http://127.0.0.1:{port}",
            "STREAMPAY_PORT": str(port),
            "STREAMPAY_SOLANA_TEST_NETWORK": "solana:localnet",
            "STREAMPAY_SOLANA_TEST_RPC_URLS": chain.url,
            "STREAMPAY_SOLANA_TEST_TOKENS": "[]",
            "STREAMPAY_SOLANA_LIVE_NETWORK": "",
            "STREAMPAY_RATES_BASE_URL": exchange.url,
            "STREAMPAY_WEBHOOK_ALLOWED_HOSTS": f"127.0.0.1:{hook_port}",
        }
        town = Town(folder=folder, chain_url=chain.url, receiver=receiver, environment=environment)
        try:
            yield town
        finally:
            for process in town.processes:
                process.kill()


def hook_of(town: Town) -> str:
    """Return the address of the shop's mailbox."""
    return f"http://{town.environment['STREAMPAY_WEBHOOK_ALLOWED_HOSTS']}/hook"


def _environment(values: Mapping[str, str]) -> dict[str, str]:
    """Return our environment without settings that somebody exported for another gateway."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STREAMPAY_")}
    return kept | dict(values) | {"PYTHONUNBUFFERED": "1"}


@contextmanager
def _listening(receiver: Receiver) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            receiver.take(self.headers["webhook-id"], body)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield httpd.server_address[1]
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()
