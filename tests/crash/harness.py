"""The crash harness: a real server, killed again and again while shoppers pay in the worlds outside.

Whatever was acknowledged must be there at the end, once. What shoppers do stands in `wallets` and `cards`; they share
the kills, because most of a run's time is spent on starting the server again.
"""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import requests

from gateway.domain.merchants import MerchantSettings
from gateway.settings import load_settings
from gateway.storage.migrate import upgrade
from gateway.wiring import build_house
from tests.crash.shopping import HTTP_S, Order, Shopper, Traffic

REAL = ("-m", "hosted_checkout.cli", "serve")
MUTANT = ("-m", "tests.crash.mutant")
READY_LIMIT_S = 30
SETTLE_LIMIT_S = 90
BETWEEN_KILLS_LIMIT_S = 10


@dataclass(slots=True)
class Receiver:
    """The shop's webhook endpoint: remembers the bytes of every delivery by id."""

    bodies: dict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, event_id: str, body: bytes) -> None:
        """Remember one delivery."""
        with self.lock:
            self.bodies[event_id].append(body)

    def events(self) -> list[dict[str, Any]]:
        """Return each event once."""
        with self.lock:
            return [json.loads(bodies[0]) for bodies in self.bodies.values()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A merchant, as the API knows him."""

    merchant_id: str
    key: str
    url: str

    def get(self, http: requests.Session, path: str, **query: str) -> dict[str, Any]:
        """Read from the API."""
        headers = {"Authorization": f"Bearer {self.key}"}
        answer = http.get(f"{self.url}/v1/{path}", params=query, headers=headers, timeout=HTTP_S)
        found: dict[str, Any] = answer.json()
        return found


@dataclass(slots=True, kw_only=True)
class Part:
    """One kind of traffic in a run: its merchant, what was acknowledged to him, and what was found missing."""

    traffic: Traffic
    account: Account
    orders: list[Order] = field(default_factory=list)
    lost_sessions: list[str] = field(default_factory=list)
    unpaid: list[str] = field(default_factory=list)
    untold: list[str] = field(default_factory=list)

    @property
    def paid(self) -> list[Order]:
        """The orders whose money has left the shopper."""
        return [order for order in self.orders if order.is_paid]


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What a run ended in; its parts in the order in which their traffic was given."""

    kills: int
    receiver: Receiver
    environment: dict[str, str]
    parts: list[Part]


class Server:
    """The gateway as a process group that can be killed and started again."""

    def __init__(self, command: tuple[str, ...], environment: Mapping[str, str], folder: Path) -> None:
        self._command = (sys.executable, *command)
        self._environment = os.environ | dict(environment)
        self._log = (folder / "server.log").open("ab")
        self.url = environment["STREAMPAY_BASE_URL"]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start and wait until it answers."""
        self._process = subprocess.Popen(
            self._command, env=self._environment, stdout=self._log, stderr=self._log, start_new_session=True
        )
        deadline = time.monotonic() + READY_LIMIT_S
        while time.monotonic() < deadline:
            assert self._process.poll() is None, "the server ended by itself"
            try:
                if requests.get(f"{self.url}/healthz", timeout=1).ok:
                    return
            except requests.RequestException:
                time.sleep(0.02)
        raise TimeoutError("the server did not start")

    def kill(self) -> None:
        """End the whole group at once, as a power switch does."""
        assert self._process is not None, "it was started"
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        """Kill it if it lives."""
        if self._process is not None and self._process.poll() is None:
            self.kill()
        self._log.close()


def run(folder: Path, *traffics: Traffic, kills: int, command: tuple[str, ...] = REAL, settle: bool = True) -> Outcome:
    """Let shoppers pay while the server is killed `kills` times; return what was acknowledged and what was found."""
    receiver = Receiver()
    with _listening(receiver) as hook_port:
        environment = _environment(folder, traffics, hook_port)
        parts = _open_accounts(environment, traffics)
        server = Server(command, environment, folder)
        try:
            server.start()
            for part in parts:
                _listen_for_events(part.account, hook_port)
            _shop_while_it_dies(server, parts, kills)
            for part in parts:
                part.lost_sessions = _lost(part)
            if settle:
                _settle(parts, receiver)
        finally:
            server.close()
    return Outcome(kills=kills, receiver=receiver, environment=environment, parts=parts)


def _settle(parts: Sequence[Part], receiver: Receiver) -> None:
    """Wait until everything is paid and told, or patience ends."""
    for part in parts:
        part.traffic.come_to_rest()
    for part in parts:
        part.unpaid = _await_paid(part, receiver)
        part.untold = _await_told(part.account.url, part.account.key, receiver)


def _shop_while_it_dies(server: Server, parts: Sequence[Part], kills: int) -> None:
    """Let everybody shop, and remember every order that was acknowledged."""
    stop = threading.Event()
    crowd = [(part, one) for part in parts for one in part.traffic.shoppers(server.url, part.account.key, stop)]
    with ThreadPoolExecutor(len(crowd)) as pool:
        futures = [pool.submit(shopper.run) for _, shopper in crowd]
        try:
            _kill_again_and_again(server, kills, lambda: _rarest(parts, crowd))
        finally:
            stop.set()
        for future in futures:
            future.result(HTTP_S * 4)
    for part, shopper in crowd:
        part.orders += shopper.orders


def _rarest(parts: Sequence[Part], crowd: Sequence[tuple[Part, Shopper]]) -> int:
    """Return how many orders are paid in the part that has the fewest."""
    return min(
        sum(order.is_paid for one, shopper in crowd if one is part for order in shopper.orders) for part in parts
    )


def _kill_again_and_again(server: Server, kills: int, paid: Callable[[], int]) -> None:
    """Kill at any moment, but not before each kind of shopper has paid once for every kill: slow machines count too."""
    moment = random.Random(7)
    for number in range(1, kills + 1):
        time.sleep(moment.uniform(0.1, 0.5))
        deadline = time.monotonic() + BETWEEN_KILLS_LIMIT_S
        while paid() <= number and time.monotonic() < deadline:
            time.sleep(0.02)
        server.kill()
        server.start()


def _lost(part: Part) -> list[str]:
    """Return the references whose acknowledged session is not there, or not alone."""
    lost = []
    with requests.Session() as http:
        for order in part.orders:
            found = part.account.get(http, "checkout/sessions", reference=order.reference)["data"]
            if [one["id"] for one in found] != [order.session_id]:
                lost.append(order.reference)
    return lost


def _await_paid(part: Part, receiver: Receiver) -> list[str]:
    """Wait until every order that was paid outside is paid here and told by webhook; return what never was."""
    open_orders = {order.payment_id for order in part.paid}
    deadline = time.monotonic() + SETTLE_LIMIT_S
    with requests.Session() as http:
        while open_orders and time.monotonic() < deadline:
            told = {
                event["data"]["object"]["id"] for event in receiver.events() if event["type"] == "payment.succeeded"
            }
            for payment_id in sorted(open_orders & told):
                if part.traffic.is_settled(part.account.get(http, f"payments/{payment_id}")):
                    open_orders.discard(payment_id)
            time.sleep(0.2)
    return sorted(open_orders)


def _await_told(url: str, key: str, receiver: Receiver) -> list[str]:
    """Wait until every event of the polling feed has come by webhook too; return those that never did."""
    deadline = time.monotonic() + SETTLE_LIMIT_S  # a try that a kill interrupted comes again after its lease
    published: list[str] = []
    while True:
        before, published = published, [str(event["id"]) for event in _feed(url, key)]
        untold = [one for one in published if one not in receiver.bodies]
        if (before == published and not untold) or time.monotonic() > deadline:
            return untold
        time.sleep(1)  # longer than the feed may lag


def _feed(url: str, key: str) -> Iterator[dict[str, Any]]:
    """Yield every event, oldest first, as a shop without a public address polls them."""
    after, has_more = "start", True
    with requests.Session() as http:
        http.headers["Authorization"] = f"Bearer {key}"
        while has_more:
            page = http.get(f"{url}/v1/events", params={"after": after, "limit": "100"}, timeout=HTTP_S).json()
            yield from page["data"]
            has_more = page["has_more"]
            after = page["data"][-1]["id"] if page["data"] else after


def _listen_for_events(account: Account, hook_port: int) -> None:
    hook = {"url": f"http://127.0.0.1:{hook_port}/hook"}
    headers = {"Authorization": f"Bearer {account.key}"}
    requests.post(f"{account.url}/v1/webhook_endpoints", json=hook, headers=headers, timeout=HTTP_S).raise_for_status()


def _open_accounts(environment: Mapping[str, str], traffics: Sequence[Traffic]) -> list[Part]:
    """Open the database, and an account for each kind of traffic."""
    url, parts = environment["STREAMPAY_BASE_URL"], []
    house = build_house(load_settings(environment))
    try:
        upgrade(house.db)
        for traffic in traffics:
            merchant = house.engine.merchants.create(type(traffic).__name__, MerchantSettings())
            key = house.engine.merchants.create_key(merchant.id, livemode=False)
            traffic.meet(url, house, merchant.id)
            parts.append(Part(traffic=traffic, account=Account(merchant_id=merchant.id, key=key, url=url)))
        return parts
    finally:
        house.close()


def _environment(folder: Path, traffics: Sequence[Traffic], hook_port: int) -> dict[str, str]:
    port = free_port()
    environment = {
        "STREAMPAY_DATABASE_URL": f"sqlite:///{folder / 'gateway.db'}",
        "STREAMPAY_BASE_URL": f"http://127.0.0.1:{port}",
        "STREAMPAY_PORT": str(port),
        "STREAMPAY_LOG_LEVEL": "WARNING",
        "STREAMPAY_SOLANA_TEST_NETWORK": "",
        "STREAMPAY_SOLANA_LIVE_NETWORK": "",
        "STREAMPAY_RATES_BASE_URL": f"http://127.0.0.1:{free_port()}",  # nobody there: no amount needs a rate
        "STREAMPAY_WEBHOOK_ALLOWED_HOSTS": f"127.0.0.1:{hook_port}",
        "STREAMPAY_API_READS_PER_MINUTE": "10000000",
        "STREAMPAY_API_WRITES_PER_MINUTE": "10000000",
    }
    for traffic in traffics:
        environment |= traffic.settings
    return environment


def free_port() -> int:
    """Return a port that nobody holds now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    try:
        yield httpd.server_address[1]
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()
