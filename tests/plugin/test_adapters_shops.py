"""The example in Django and the heavy shops, each in a process of its own; oscar and pretix in a venv of their own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from tests.plugin.account import DOOR
from tests.plugin.environments import ROOT, lay_out_sdk, python_with

SUITE_TIMEOUT_S = 500


def run_suite(python: str | Path, name: str, *paths: Path, door: str) -> None:
    """Run a suite against the real gateway behind the door, and show what it printed if it fails."""
    wanted = {"PYTHONPATH": os.pathsep.join(map(str, [ROOT, *paths])), "PATH": os.environ["PATH"], DOOR: door}
    secrets = {"STREAMPAY_API_KEY": "sk_test_0123456789abcdef", "STREAMPAY_BASE_URL": "http://127.0.0.1:1"}
    options = ["-q", "-p", "no:cacheprovider", "--noconftest", "--import-mode=importlib", "-W", "ignore"]
    options += ["-c", os.devnull, "--rootdir", str(ROOT)]
    command = [str(python), "-m", "pytest", *options, str(ROOT / "tests" / "plugin" / name)]
    done = subprocess.run(
        command, env=wanted | secrets, capture_output=True, text=True, check=False, timeout=SUITE_TIMEOUT_S
    )
    assert done.returncode == 0, done.stdout[-8_000:] + done.stderr[-2_000:]


@pytest.mark.slow
def test_the_shop_in_django_sells_ships_once_and_gives_back(door: str) -> None:
    run_suite(sys.executable, "shop_django_suite.py", ROOT / "sdk", ROOT / "examples" / "shop_django", door=door)


@pytest.mark.deep
def test_oscars_checkout(engine_missing: Callable[[str, str], NoReturn], door: str) -> None:
    python = python_with("oscar", engine_missing)
    run_suite(python, "oscar_suite.py", ROOT / "sdk", ROOT / "examples" / "oscar_sandbox", door=door)


@pytest.mark.deep
def test_the_plugin_for_pretix(engine_missing: Callable[[str, str], NoReturn], tmp_path: Path, door: str) -> None:
    python = python_with("pretix", engine_missing)
    run_suite(python, "pretix_suite.py", lay_out_sdk(tmp_path), door=door)
