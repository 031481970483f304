"""An example as its README starts it: its commands, a server on a socket, and the real gateway that delivers to it."""

import re
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urljoin

import requests

from streampay import models
from tests.examples.woocommerce.woo import until_answering
from tests.plugin.account import Account, an_account
from tests.plugin.door import a_gateway
from tests.plugin.environments import ROOT

COMMAND_TIMEOUT_S = 600  # pretix migrates for two minutes, and longer where others work as well
MAX_SENDINGS = 10
SERVE = "runserver"
LEFT_BEHIND = shutil.ignore_patterns("*.db", "data")  # by a developer's own run


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """Which one, and what it needs.

    Attributes:
        name: of its folder.
        hook: path of its webhook.
        told: what its environment says beside its README; `{host}` stands for its address.
        python: that has its framework.
        sdk: where that finds the SDK.
    """

    name: str
    hook: str
    told: Mapping[str, str]
    python: Path = Path(sys.executable)
    sdk: Path = ROOT / "sdk"


@dataclass(frozen=True, slots=True)
class Readme:
    """What an example's README has one type."""

    exports: dict[str, str]
    commands: list[list[str]]

    @classmethod
    def read(cls, folder: Path) -> "Readme":
        """Read the first block; what is told of the gateway in it is a sample."""
        _, block, *_ = (folder / "README.md").read_text().split("```")
        lines = [shlex.split(line) for line in block.splitlines() if line]
        exports = dict(word.split("=", 1) for line in lines if line[0] == "export" for word in line[1:])
        return cls(exports, [line for line in lines if line[0] == "python"])


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs the commands of an example's README in a copy of its folder."""

    folder: Path
    python: Path
    environment: Mapping[str, str]

    def start(self, command: Sequence[str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(self.python), *command[1:]], cwd=self.folder, env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def run(self, command: Sequence[str], meanwhile: Callable[[], object] = lambda: None) -> None:
        """Run a command to its good end; `meanwhile` is called now and then."""
        process, written = self.start(command), None
        for _ in range(COMMAND_TIMEOUT_S):
            with suppress(subprocess.TimeoutExpired):
                written, _ = process.communicate(timeout=1)
                break
            meanwhile()
        process.kill()
        assert process.returncode == 0, written

    @contextmanager
    def serving(self, command: Sequence[str], url: str) -> Iterator[None]:
        """Run the server until the block ends."""
        address = url.partition("://")[2].strip("/")
        process = subprocess.Popen(
            [str(self.python), *command[1:], "--noreload", address], cwd=self.folder, env=self.environment,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            until_answering(url, COMMAND_TIMEOUT_S)
            yield
        finally:
            process.kill()
            process.wait()


@dataclass(frozen=True, slots=True)
class ExampleShop:
    """The shop, its account at the gateway, and the shopper's browser."""

    url: str
    account: Account
    endpoint: str
    browser: requests.Session = field(default_factory=requests.Session)

    def page(self, address: str) -> str:
        """Return a page's text."""
        answer = self.browser.get(urljoin(self.url, address), timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.text

    def send(self, address: str, action: str, **fields: str) -> requests.Response:
        """Send a form of a page; return the answer as it is."""
        page = urljoin(self.url, address)
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self.page(page))
        assert token is not None
        form, headers = {"csrfmiddlewaretoken": token[1]} | fields, {"Referer": page}
        return self.browser.post(urljoin(page, action), form, headers=headers, allow_redirects=False, timeout=60)

    def press(self, address: str, action: str, **fields: str) -> str:
        """Send a form of a page; return where it leads."""
        answer = self.send(address, action, **fields)
        assert answer.status_code == 302, answer.text
        return answer.headers["Location"]

    def pay(self, url: str) -> models.Payment:
        """Pay at the page that the shop sent us to, and let the gateway tell the shop."""
        (session,) = self.account.sessions()
        assert url == session.url
        paid = self.account.pay(session.reference)
        self.hear()
        return paid

    def hear(self) -> None:
        """Let the gateway deliver everything; what a busy machine did not answer in time is sent again."""
        endpoints = self.account.client.webhook_endpoints
        for _ in range(MAX_SENDINGS):
            self.account.news()
            tried = list(endpoints.deliveries.list(self.endpoint))
            assert {one.status_code for one in tried} <= {200, None}, tried
            unheard = {one.event for one in tried} - {one.event for one in tried if one.outcome == "succeeded"}
            if not unheard:
                return
            for event in unheard:
                endpoints.resend(self.endpoint, event=event)
        raise AssertionError("the shop answers no delivery")


@contextmanager
def running(example: Example, folder: Path, create_database: Callable[[str], str]) -> Iterator[ExampleShop]:
    """Start an example from a copy in an empty folder, with an endpoint of its own at the gateway."""
    host = _free_host()
    with a_gateway(create_database, host) as door, an_account(door) as account:
        endpoint = account.client.webhook_endpoints.create(url=f"http://{host}{example.hook}")
        shop = ExampleShop(f"http://{host}/", account, endpoint.id)
        copy = shutil.copytree(ROOT / "examples" / example.name, folder / example.name, ignore=LEFT_BEHIND)
        readme = Readme.read(copy)
        keys = {
            "STREAMPAY_API_KEY": account.settings["api_key"],
            "STREAMPAY_BASE_URL": account.base_url,
            "STREAMPAY_WEBHOOK_SECRET": str(endpoint.secret),
        }
        told = {name: value.format(host=host) for name, value in example.told.items()}
        runner = Runner(copy, example.python, readme.exports | told | keys | {"PYTHONPATH": str(example.sdk)})
        with _in_order(runner, readme.commands, shop), shop.browser:
            yield shop


@contextmanager
def _in_order(runner: Runner, commands: list[list[str]], shop: ExampleShop) -> Iterator[None]:
    """Run the commands before the server's, then the server, and those after it while it runs."""
    (number,) = (number for number, command in enumerate(commands) if SERVE in command)
    for command in commands[:number]:
        runner.run(command)
    with runner.serving(commands[number], shop.url):
        for command in commands[number + 1 :]:
            runner.run(command, meanwhile=shop.account.news)
        yield


def _free_host() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"
