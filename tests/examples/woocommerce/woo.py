"""A WooCommerce shop for tests: the plugin in real PHP processes, on a stand-in of WordPress with one SQLite file."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from tests.sdk.objects import EVENT, PAYMENT, SECRET, but, signed_headers
from tests.sdk.scripted_gateway import TEST_KEY

HERE = Path(__file__).parent
PLUGIN = HERE.parents[2] / "examples" / "woocommerce" / "streampay-for-woocommerce"
PATIENCE_S = 60
WORKERS = 6  # processes of the shop's web server
HOME = "https://shop.example"


@dataclass(slots=True)
class WooShop:
    """A shop; each command runs in a process of its own, as each request of a site does."""

    php: str
    folder: Path
    references: dict[int, str] = field(default_factory=dict)

    def run(self, *commands: list[Any], **changes: str) -> list[Any]:
        """Run commands in one process; return what each returned."""
        done = subprocess.run(
            [self.php, "-d", "error_reporting=-1", "-d", "display_errors=stderr", str(HERE / "shop.php")],
            input=json.dumps(commands), env=self._environment(changes), capture_output=True, text=True, check=False,
            timeout=PATIENCE_S,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, ""), done.stderr or done.stdout
        answers: list[Any] = json.loads(done.stdout)
        return answers

    def do(self, name: str, *arguments: Any, **changes: str) -> Any:
        """Run one command."""
        return self.run([name, *arguments], **changes)[0]

    def start(self, *commands: list[Any], **changes: str) -> subprocess.Popen[str]:
        """Start commands, and do not wait for their end."""
        process = subprocess.Popen(
            [self.php, str(HERE / "shop.php")], env=self._environment(changes), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        assert process.stdin is not None
        process.stdin.write(json.dumps(commands))
        process.stdin.close()
        process.stdin = None  # `communicate` would write to it
        return process

    def set_up(self, base_url: str, *, key: str = TEST_KEY, secrets: str = SECRET, **more: str) -> None:
        """Store settings as their page does."""
        settings = {
            "enabled": "yes", "title": "Card or crypto", "description": "Pay.", "testmode": "yes", "base_url": base_url,
            "test_key": key, "test_secrets": secrets,
        }  # fmt: skip
        self.do("options", {"home": HOME, "woocommerce_streampay_settings": settings | more})

    def state(self, order_id: int) -> "State":
        """Return everything that there is to know about an order."""
        return State(**self.do("state", order_id))

    def deliver(self, event: dict[str, Any], **changes: str) -> tuple[int, str]:
        """Deliver an event, signed, in a process of its own; return status and word."""
        status, word = self.do("deliver", *request_of(event), **changes)
        return status, word

    def ordered(self, *, session: str = "cs_1", payment: str = "pay_1", **fields: Any) -> int:
        """Place an order whose page is open at the gateway."""
        facts = {"mode": "test", "session": session, "payments": [payment]}
        kept = {f"_streampay_{name}": value for name, value in facts.items()}
        order_id, self.references[order_id] = self.do("opened", fields, kept)
        return int(order_id)

    def event(self, order_id: int, version: int, status: str, **changes: Any) -> dict[str, Any]:
        """Return an event about a payment of the order; `kind` is its type, `event_id` its id."""
        kind = changes.pop("kind", f"payment.{KINDS[status]}")
        facts = {"id": "pay_1", "session": "cs_1", "reference": self.references[order_id]}
        payment = but(PAYMENT, **({**facts, "status": status, "version": version} | changes))
        event_id = f"evt_{payment['id']}_{version}_{status}"
        return but(EVENT, id=event_id, type=kind, sequence=version, data={"object": payment, "previous": None})

    @contextmanager
    def serving(self, **changes: str) -> Iterator[str]:
        """Serve the shop from several processes; yield its address."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        process = subprocess.Popen(
            [self.php, "-S", f"127.0.0.1:{port}", str(HERE / "stand_in" / "router.php")],
            env=self._environment({"PHP_CLI_SERVER_WORKERS": str(WORKERS), **changes}), start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            url = f"http://127.0.0.1:{port}"
            until_answering(url)
            yield url
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _environment(self, changes: Mapping[str, str]) -> dict[str, str]:
        own: dict[str, str] = {
            "PATH": os.environ["PATH"],
            "STAND_IN_DATABASE": str(self.folder / "shop.db"),
            "STAND_IN_TEMP": str(self.folder),
            "STAND_IN_PLUGIN": str(PLUGIN),
        }
        return {**own, **changes}


KINDS = {
    "open": "failed",
    "requires_action": "requires_action",
    "processing": "processing",
    "confirming": "processing",
    "authorized": "authorized",
    "underpaid": "partially_paid",
    "paid": "succeeded",
    "expired": "canceled",
    "canceled": "canceled",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """An order as the shop has it."""

    status: str
    transaction: str
    url: str
    refundable: bool
    meta: dict[str, Any]
    refunds: list[list[str]]
    notes: list[str]
    happened: list[str]

    def count(self, what: str) -> int:
        """Count what happened."""
        return sum(one.startswith(what) for one in self.happened)

    def noted(self, words: str) -> int:
        """Count the notes that say this."""
        return sum(words in note for note in self.notes)

    def assert_paid_once(self) -> None:
        """One completion, one mail, one piece out of stock."""
        assert self.status == "processing"
        assert self.count("payment_complete") == 1
        assert self.count("mail") == 1
        assert self.count("stock -1") - self.count("stock +1") == 1


def request_of(event: dict[str, Any], **signing: Any) -> tuple[str, dict[str, str]]:
    """Return body and headers of the webhook that carries an event."""
    body = json.dumps(event, separators=(",", ":"))
    return body, signed_headers(body.encode(), **signing)


def until_answering(url: str, patience_s: int = PATIENCE_S) -> None:
    """Wait for a server that was just started."""
    deadline = time.monotonic() + patience_s
    while True:
        with suppress(requests.ConnectionError):
            requests.get(url, timeout=5)
            return
        assert time.monotonic() < deadline, "the shop does not start"
        time.sleep(0.05)
