"""The SDK on every Python of this machine that it promises to run on."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest

from tests.sdk.elsewhere import lay_out_tests, python_for_tests, run_tests

SDK = Path(__file__).parents[2] / "sdk"
VERSIONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
SMOKE = """
import json, pickle, sys, time, types
sys.path.insert(0, sys.argv[1])

import streampay
assert set(sys.modules) & {"requests", "httpx"} == set()
from streampay import SignatureVerificationError, Webhook, errors, models, order_key
from streampay.webhooks import sign

secret = "whsec_" + "c3RyZWFtcGF5LXRlc3Qtc2VjcmV0LW51bWJlci0wMSE="
payment = {
    "id": "pay_1", "object": "payment", "livemode": False, "status": "paid", "amount": "12.30", "currency": "USD",
    "amount_received": "12.30", "reference": "o-1", "created_at": "2026-11-20T10:00:00.000Z", "aura": 7,
}
body = json.dumps({
    "id": "evt_1", "object": "event", "type": "payment.succeeded", "timestamp": "2026-11-20T10:00:00.123456Z",
    "livemode": False, "sequence": 3, "data": {"object": payment, "previous": None},
}).encode()
now = int(time.time())
headers = {
    "webhook-id": "evt_1", "webhook-timestamp": str(now), "webhook-signature": sign(secret, "evt_1", now, body)
}
event = Webhook(secret).verify(body, headers)
assert event.payment is not None and event.payment.is_paid and event.payment.extra == {"aura": 7}
assert pickle.loads(pickle.dumps(event)) == event
assert event.payment.to_dict()["created_at"] == payment["created_at"]
try:
    event.payment.status = "open"
except (AttributeError, TypeError):
    pass
else:
    raise AssertionError("models are frozen")
for wrong in (b"x" + body, b"", bytes(70000)):
    try:
        Webhook(secret).verify(wrong, headers)
    except SignatureVerificationError as error:
        assert pickle.loads(pickle.dumps(error)).code == error.code
    else:
        raise AssertionError("a forged webhook was believed")
assert order_key("o-1", 2) == order_key("o-1", 2) != order_key("o-1")
assert not {name for name in sys.modules if name.partition(".")[0] in {"requests", "httpx", "urllib3"}}

# The rest needs libraries that this interpreter may lack: it is compiled, and run as far as it goes.
import compileall, pathlib
for path in pathlib.Path(sys.argv[1], "streampay").rglob("*.py"):
    compile(path.read_text(encoding="utf-8"), str(path), "exec")
for name in ("streampay.client", "streampay.async_client"):
    try:
        __import__(name)
    except ModuleNotFoundError as error:
        assert not error.name.startswith("streampay"), error
print("fine", *sys.version_info[:2])
"""


@cache
def interpreters() -> dict[str, str]:
    """Return the interpreters that are here, by version: on the PATH, or where pyenv keeps them."""
    places = [*os.environ.get("PATH", "").split(os.pathsep)]
    places += map(str, sorted(Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob("versions/*/bin")))
    found = {}
    for place in places:
        for version in VERSIONS:
            path = shutil.which(f"python{version}", path=place)
            if path is not None and version not in found and answered(path, "import ssl; print('yes')") == "yes":
                found[version] = path
    return found


def answered(path: str, program: str, *arguments: str) -> str:
    """Return what a program says; nothing when it cannot run, as the shims of pyenv cannot that stand for nothing."""
    command = [path, "-I", "-B", "-W", "error", "-c", program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return (done.stdout if done.returncode == 0 else done.stderr).strip()


def test_every_python_of_this_machine_imports_verifies_and_pickles(
    figure: Callable[[str, object, str], None],
) -> None:
    found = interpreters()
    for version, path in found.items():
        assert answered(path, SMOKE, str(SDK)) == f"fine {version.replace('.', ' ')}", path
    figure("pythons_of_the_sdk", " ".join(found), "3.10 and newer")
    if set(found) <= {f"{sys.version_info[0]}.{sys.version_info[1]}"}:
        pytest.skip("a second Python is missing: install another one of 3.10 to 3.13, for instance by pyenv")


@pytest.mark.deep
def test_the_sdks_tests_run_on_every_other_python_of_this_machine(
    tmp_path: Path, engine_missing: Callable[[str, str], NoReturn]
) -> None:
    others = {version: path for version, path in interpreters().items() if version != "{}.{}".format(*sys.version_info)}
    if not others:
        pytest.skip("a second Python is missing: install another one of 3.10 to 3.13, for instance by pyenv")
    lay_out_tests(tmp_path)
    for version, path in others.items():
        status, told = run_tests(python_for_tests(version, path, engine_missing), tmp_path)
        assert status == 0, f"Python {version}\n{told}"


def test_the_promise_is_the_one_that_is_tested() -> None:
    manifest = (SDK / "pyproject.toml").read_text()
    promised = re.findall(r"Python :: (3\.[0-9]+)", manifest)
    assert set(promised) <= set(VERSIONS)
    assert f'requires-python = ">={promised[0]}"' in manifest
