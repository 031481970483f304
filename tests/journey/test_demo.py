"""The demo as a visitor starts it: it buys by itself, ends cleanly, and names the port that is in its way."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sandbox.demo import __main__ as demo_main
from sandbox.demo.ports import Ports
from sandbox.demo.stage import Scene

ROOT = Path(__file__).parents[2]
MARK = "JOURNEY_DEMO"  # an environment variable that every process of one demo inherits
HIGHEST_BASE = 28_000  # below the ports that the system hands out by itself
LIMIT_S = 150
POLL_S = 0.1
CHECKED = (
    "the bank declines 4000 0000 0000 0002, nothing is sold",
    "the bank takes 4242 4242 4242 4242 and leads back",
    "the shopper rounds up for the charity",
    "the gift is owed to the charity",
    "the shop gives half back, its page says so",
    "bank and books agree to the cent",
    "the wallet signs, the gateway checks and sends",
    "the webhook reaches the shop, the shop ships once",
    "the books say so, too",
    "reconciliation has no question",
    "the charity's page embeds the campaign",
    "the gift arrives from a wallet",
    "the ledger verifies",
)

pytestmark = [pytest.mark.slow, pytest.mark.serial]


class Visit:
    """One demo, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.base = _free_base()
        self.mark = uuid.uuid4().hex

    def command(self, *flags: str) -> list[str]:
        return [sys.executable, "-m", "sandbox.demo", "--port-base", str(self.base), *flags]

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {"PYTHONPATH": str(ROOT), MARK: self.mark}

    def run(self, *flags: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*flags),
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_S,
        )

    def told(self) -> list[str]:
        """Return what a person must be told: the shop, a card that works, and the bank's control panel."""
        ports = Ports.from_base(self.base)
        return [ports.shop_url, ports.charity_url, "4242 4242 4242 4242", f"{ports.bank_url}/control"]

    def leftovers(self) -> list[str]:
        """Return the command lines of processes that still carry this demo's mark."""
        wanted = f"{MARK}={self.mark}".encode()
        return [path.parent.name for path in Path("/proc").glob("[0-9]*/environ") if wanted in _read(path)]

    def assert_gone(self) -> None:
        """Nothing of the demo runs, and every port is free again."""
        assert self.leftovers() == []
        assert [port for port in Ports.from_base(self.base).names().values() if not _is_free(port)] == []


@pytest.fixture
def visit(tmp_path: Path) -> Visit:
    """Return a visit with free ports."""
    return Visit(tmp_path)


def test_the_demo_buys_by_itself_and_leaves_nothing_running(visit: Visit) -> None:
    done = visit.run("--check")
    assert done.returncode == 0, done.stdout + done.stderr
    steps, last = done.stdout.splitlines()[:-1], done.stdout.splitlines()[-1]
    assert re.fullmatch(r"demo: ok, paid in [0-9]+\.[0-9] s", last)
    assert all(re.fullmatch(r" +[0-9]+\.[0-9]{2} s  .+", step) for step in steps)
    assert [words for words in CHECKED if words not in done.stdout] == []
    visit.assert_gone()


def test_a_busy_port_is_named_and_nothing_is_started(visit: Visit) -> None:
    ports = Ports.from_base(visit.base)
    with _holding([ports.sandbox, ports.chain_socket]):
        done = visit.run("--check")
    assert done.returncode == 1
    assert f"{ports.sandbox} (sandbox services)" in done.stderr
    assert f"{ports.chain_socket} (dev chain's WebSocket)" in done.stderr
    assert "--port-base" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (visit.folder / ".demo").exists()
    visit.assert_gone()


def test_ctrl_c_ends_everything(visit: Visit) -> None:
    output = visit.folder / "output"
    with output.open("w") as file:
        demo = subprocess.Popen(
            visit.command(),
            env=visit.environment,
            cwd=visit.folder,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
        try:
            _await_words(demo, output, "Ctrl-C ends everything")
            assert len(visit.leftovers()) > len(["gateway", "shop", "dev chain", "bank and exchange"])
            told = output.read_text()
            assert [words for words in visit.told() if words not in told] == []
            assert f"{Ports.from_base(visit.base).gateway_url}/dashboard/enter/" in _in_a_second_terminal(told)
            demo.send_signal(signal.SIGINT)
            _await_end(demo, output)
        finally:
            demo.kill()
            demo.wait()
    assert "Traceback" not in output.read_text()
    visit.assert_gone()


def test_an_interrupt_that_python_swallows_still_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception in a finalizer goes no further, and an HTTP client has finalizers in every request."""
    ending = demo_main.Ending()

    def interrupted(_scene: Scene) -> None:
        with suppress(KeyboardInterrupt):
            ending(signal.SIGINT, None)

    monkeypatch.setattr(demo_main, "_keep_time", interrupted)
    monkeypatch.setattr(demo_main, "dashboard_link", lambda _scene: "")
    fields: dict[str, Any] = {**dict.fromkeys(Scene.__slots__, ""), "processes": [SimpleNamespace(is_alive=True)]}
    scene = Scene(**fields)
    with pytest.raises(KeyboardInterrupt):
        demo_main.show(scene, ending)
    ending(signal.SIGINT, None)  # the second does not disturb the taking down


def _in_a_second_terminal(told: str) -> str:
    """Run the command that lets staff in once more, as it was printed."""
    (command,) = (line.strip() for line in told.splitlines() if line.endswith("streampay-server dashboard"))
    clean = {name: value for name, value in os.environ.items() if not name.startswith("STREAMPAY_")}
    shell = ["sh", "-c", command]
    done = subprocess.run(shell, env=clean, capture_output=True, text=True, check=False, timeout=LIMIT_S)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _await_words(demo: subprocess.Popen[bytes], output: Path, words: str) -> None:
    deadline = time.monotonic() + LIMIT_S
    while words not in output.read_text():
        assert demo.poll() is None, output.read_text()
        assert time.monotonic() < deadline, output.read_text()
        time.sleep(POLL_S)


def _await_end(demo: subprocess.Popen[bytes], output: Path) -> None:
    try:
        assert demo.wait(LIMIT_S) == 0
    except subprocess.TimeoutExpired:
        pytest.fail(f"the demo does not end; its output:\n{output.read_text()}")


def _free_base() -> int:
    """Return a base whose every port is free."""
    for base in range(20_000 + os.getpid() % 5_000, HIGHEST_BASE, 7):
        if all(_is_free(port) for port in Ports.from_base(base).names().values()):
            return base
    raise AssertionError("no free ports")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@contextmanager
def _holding(ports: Sequence[int]) -> Iterator[None]:
    """Listen on ports that the demo wants."""
    sockets = [socket.create_server(("127.0.0.1", port)) for port in ports]
    try:
        yield
    finally:
        for each in sockets:
            each.close()


def _read(path: Path) -> bytes:
    """Return a process's environment; nothing if it ended in this moment or is not ours."""
    try:
        return path.read_bytes()
    except OSError:
        return b""
