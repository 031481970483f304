"""The two pages about tools: every command and every example in them is run."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from streampay.testing import event
from tests.api.live import serving
from tests.sdk.live_gateway import LiveGateway
from tests.sdk.test_cli_commands import SECRET, LocalShop, Run, cli, in_background

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/cli.md").read_text()
COMMANDS = [
    line
    for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("streampay ")
]
FOREVER = ("listen", "logs")
__all__ = ["cli"]  # the fixture


def test_the_page_shows_every_command() -> None:
    shown = {" ".join(word for word in line.split()[1:3] if word.isalpha()) for line in COMMANDS}
    assert shown >= {
        "listen",
        "events list",
        "events resend",
        "webhooks verify",
        "logs tail",
        "doctor",
        "clock advance",
    }
    assert any(line.startswith("streampay trigger ") for line in COMMANDS)


@pytest.mark.parametrize("command", [line for line in COMMANDS if line.split()[1] not in FOREVER])
def test_each_command_of_the_page_runs(cli: Run, command: str) -> None:
    shop, made = LocalShop(), event("payment.succeeded")
    head = "\n".join(f"{name}: {value}" for name, value in made.headers(SECRET).items())
    with serving(shop.app) as url:
        words = shlex.split(
            command.replace("http://localhost:5000/webhooks/streampay", f"{url}/hook").partition(" < ")[0]
        )
        stdin = f"POST /hook HTTP/1.1\n{head}\n\n".encode() + made.body if " < " in command else b""
        done = cli(*words[1:], stdin=stdin, **({} if "verify" in words else {"STREAMPAY_WEBHOOK_SECRET": SECRET}))
    # An endpoint of the reader's own, and a clock that not every server has.
    missing = ("no endpoint is enabled", "no test clock")
    assert done.returncode == 0 or any(word in done.stderr for word in missing), done.stderr


@pytest.mark.parametrize("command", [line for line in COMMANDS if line.split()[1] in FOREVER])
def test_each_command_that_goes_on_says_what_it_does_and_stops(live_gateway: LiveGateway, command: str) -> None:
    with in_background(live_gateway, *shlex.split(command)[1:]) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(("Forwarding to", "Following"))


def test_the_examples_of_the_testing_page_are_a_test_file_that_passes(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/testing.md").read_text(), re.DOTALL)
    assert len(blocks) == 5
    (tmp_path / "test_shop.py").write_text("\n\n".join(blocks))
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "sdk"), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "streampay.testing.plugin", "-W", "error", "test_shop.py"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert "5 passed" in done.stdout, done.stdout + done.stderr
