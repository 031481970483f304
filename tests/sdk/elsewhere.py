"""The SDK's tests on another Python: those that need no gateway, and what they use, in an environment of its own.

They are written for Python 3.11; two names that came with it are lent to an older one. Under --all the environments are
made under `.venv/pythons`.
"""

import ast
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PYTHONS = ROOT / ".venv" / "pythons"
SUITES = {f"test_{name}" for name in ("client", "configuration", "failures", "hostile", "testing_chaos", "webhooks")}
FIXTURES = {"gateway", "sleeps", "make_client", "client"}
NEEDS = [
    "pytest",
    "requests>=2.32",
    "httpx",
    "typing_extensions",
    "hypothesis",
    "standardwebhooks",
    "cryptography",
    "flask",
]
INSTALL_TIMEOUT_S = 600
RUN_TIMEOUT_S = 900  # two minutes on a machine that has nothing else to do
CONFTEST = """
import datetime
import typing
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import typing_extensions

datetime.UTC, typing.Self = datetime.timezone.utc, typing_extensions.Self

from streampay import StreamPay
from tests.sdk.blocking import KINDS, a_client
from tests.sdk.scripted_gateway import TEST_KEY, ScriptedGateway, running


@pytest.fixture
def figure():
    return lambda name, value, limit: None
"""


def python_for_tests(version: str, path: str, engine_missing: Callable[[str, str], NoReturn]) -> Path:
    """Return a Python like the one at `path` that has what the tests need; it is made for --all."""
    room = PYTHONS / version
    python = room / "bin" / "python"
    if (room / "ready").exists():
        return python
    if os.environ.get("STREAMPAY_TEST_ALL") != "1":
        engine_missing(f"an environment for Python {version}", "run with --all")
    subprocess.run([path, "-m", "venv", "--clear", str(room)], check=True, timeout=INSTALL_TIMEOUT_S)
    install = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *NEEDS]
    if subprocess.run(install, check=False, timeout=INSTALL_TIMEOUT_S).returncode != 0:
        engine_missing(f"an environment for Python {version}", "pip could not install it")
    (room / "ready").touch()
    return python


def lay_out_tests(folder: Path) -> None:
    """Copy the suites, what they import, and the fixtures that they use."""
    target = folder / "tests" / "sdk"
    target.mkdir(parents=True)
    for path in HERE.glob("*.py"):
        if path.stem in SUITES or not path.stem.startswith(("test_", "conftest")):
            shutil.copy(path, target)
    (target / "conftest.py").write_text(CONFTEST + _fixtures((HERE / "conftest.py").read_text(encoding="utf-8")))
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n slow: long\n serial: alone\n deep: longest\n")


def _fixtures(source: str) -> str:
    lines = source.splitlines(keepends=True)
    found = [each for each in ast.parse(source).body if isinstance(each, ast.FunctionDef) and each.name in FIXTURES]
    return "".join("\n\n" + "".join(lines[each.decorator_list[0].lineno - 1 : each.end_lineno]) for each in found)


def run_tests(python: Path, folder: Path) -> tuple[int, str]:
    """Run what was laid out; return the exit status, and the end of what pytest said."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("STREAMPAY_", "PYTEST_"))}
    environment = kept | {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT / 'sdk'}", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=RUN_TIMEOUT_S
    )
    return done.returncode, done.stdout[-4_000:]
