"""Each import contract is broken once on purpose, in a copy of the house, and must be seen red by its own name."""

import configparser
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.sources import ROOT, tracked

FOLDERS = ("gateway", "hosted_checkout", "donation_widget", "sandbox", "sdk")
PREFIX = "importlinter:contract:"

# contract -> (file that gets one more line, the line)
OFFENCES = {
    "floors": [
        ("gateway/domain/__init__.py", "import gateway.storage"),
        ("gateway/ledger/__init__.py", "import gateway.rates"),
        ("gateway/engine/__init__.py", "import gateway.workers"),
        ("gateway/reporting/__init__.py", "import gateway.engine"),
        ("gateway/outbox/__init__.py", "import gateway.settings"),
        ("gateway/attic.py", "# a folder without a floor"),
    ],
    "house": [
        ("gateway/engine/__init__.py", "import hosted_checkout"),
        ("gateway/wiring.py", "import donation_widget"),
    ],
    "shell": [
        ("hosted_checkout/i18n.py", "import donation_widget"),
        ("hosted_checkout/security.py", "import hosted_checkout.checkout"),
        ("donation_widget/__init__.py", "import hosted_checkout.app"),
    ],
    "doors": [
        ("hosted_checkout/api/__init__.py", "import hosted_checkout.checkout"),
        ("hosted_checkout/inbound/__init__.py", "import hosted_checkout.api"),
        ("donation_widget/__init__.py", "import hosted_checkout.api"),
    ],
    "porch": [("hosted_checkout/api/__init__.py", "import gateway.settings")],
    "sandbox-imports-nobody": [
        ("sandbox/__init__.py", "import gateway.kernel"),
        ("sandbox/__init__.py", "import streampay"),
    ],
    "nobody-imports-sandbox": [("gateway/wiring.py", "import sandbox")],
    "sdk-imports-nobody": [("sdk/streampay/__init__.py", "import gateway.kernel")],
    "nobody-imports-sdk": [("hosted_checkout/api/__init__.py", "import streampay")],
    "sdk-extras": [
        ("sdk/streampay/gateway/health.py", "import streampay.testing"),
        ("sdk/streampay/_http.py", "import streampay.gateway"),
        ("sdk/streampay/testing/_gate.py", "import streampay.cli"),
    ],
    "sdk-libraries": [
        ("sdk/streampay/__init__.py", "import pydantic"),
        ("sdk/streampay/async_client.py", "import httpx"),
    ],
    "flask": [("gateway/wiring.py", "import flask")],
    "windows": [
        ("gateway/keys/__init__.py", "import requests"),
        ("gateway/keys/__init__.py", "from urllib.request import urlopen"),
        ("gateway/keys/__init__.py", "import http.client"),
        ("gateway/keys/__init__.py", "import socket"),
    ],
    "ground": [("gateway/kernel/__init__.py", "import sqlalchemy"), ("gateway/domain/__init__.py", "import requests")],
    "pure": [("gateway/domain/__init__.py", "import time"), ("gateway/domain/__init__.py", "import random")],
    "processors-storage": [
        ("gateway/processors/solana/__init__.py", "import gateway.storage"),
        ("gateway/processors/solana/__init__.py", "import sqlalchemy"),
    ],
    "processors-apart": [
        ("gateway/processors/solana/__init__.py", "import gateway.processors.neighbour"),
        ("gateway/processors/stripe/__init__.py", "import gateway.processors.solana"),
    ],
    "stripe-library": [
        ("gateway/engine/__init__.py", "import stripe"),
        ("gateway/processors/solana/__init__.py", "import stripe"),
        ("hosted_checkout/api/__init__.py", "import stripe"),
    ],
    "processors-by-port": [
        ("gateway/engine/__init__.py", "import gateway.processors.solana"),
        ("hosted_checkout/checkout/__init__.py", "import gateway.processors.solana"),
    ],
}


def contract_names() -> dict[str, str]:
    """Return the names of the contracts by their identifiers."""
    config = configparser.ConfigParser()
    config.read(ROOT / ".importlinter")
    sections = (section for section in config.sections() if section.startswith(PREFIX))
    return {section.removeprefix(PREFIX): config[section]["name"] for section in sections}


def verdicts(house: Path) -> dict[str, str]:
    """Run lint-imports over a house and return KEPT or BROKEN for each contract's name."""
    # COLUMNS: a name must not be wrapped. PYTHONPATH: the copy, not the installed house, is examined.
    environment = {**os.environ, "COLUMNS": "200", "PYTHONPATH": f"{house}{os.pathsep}{house / 'sdk'}"}
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-logo", "--cache-dir", str(house / ".cache")]
    done = subprocess.run(command, cwd=house, env=environment, capture_output=True, text=True, check=False)
    found = dict(re.findall(r"^(.+?) (KEPT|BROKEN)\b.*$", done.stdout, re.MULTILINE))
    if not found:
        pytest.fail(f"lint-imports did not get as far as the contracts: {done.stdout.strip()}", pytrace=False)
    return found


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy what the contracts speak of, and give the one processor a neighbour."""
    copy = tmp_path_factory.mktemp("house")
    for path in (Path(".importlinter"), *tracked(".py")):
        if path.parts[0] in {".importlinter", *FOLDERS}:
            (copy / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / path, copy / path)
    neighbour = copy / "gateway/processors/neighbour/__init__.py"
    neighbour.parent.mkdir(parents=True, exist_ok=True)
    neighbour.write_text('"""A second family, so that independence can be broken."""\n')
    assert set(verdicts(copy).values()) == {"KEPT"}, "the house as it stands breaks its contracts: run lint-imports"
    return copy


def test_every_contract_has_an_offence_that_breaks_it() -> None:
    assert set(contract_names()) == set(OFFENCES)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("contract", "file", "line"), [(name, *offence) for name, offences in OFFENCES.items() for offence in offences]
)
def test_one_offending_import_turns_its_contract_red(house: Path, contract: str, file: str, line: str) -> None:
    path = house / file
    assert path.exists() or contract == "floors", f"{file} is missing"
    before = path.read_text() if path.exists() else None
    path.parent.mkdir(exist_ok=True)
    try:
        path.write_text(f"{before or ''}\n{line}\n")
        assert verdicts(house)[contract_names()[contract]] == "BROKEN"
    finally:
        if before is None:
            path.unlink()
        else:
            path.write_text(before)
