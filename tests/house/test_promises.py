"""What the papers promise exists: commands, versions, links, conformance of every processor."""

import contextlib
import functools
import io
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import dev
from hosted_checkout import cli
from sandbox.demo.settings import SHOP_PORTS
from tests.house.sources import ROOT, module, text, tracked

PAPERS = tuple(path for path in tracked(".md") if path.parts[0] not in {"sandbox", "tests"})
LINK = re.compile(r"\[[^\]]*\]\((?!https?:|mailto:|#)(?P<target>[^)#\s]+)[^)]*\)")


@functools.cache
def help_of(*command: str) -> str:
    """Return what a command's ``--help`` prints; empty when there is no such command."""
    done = subprocess.run([sys.executable, *command, "--help"], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""


def has_help(command: str) -> bool:
    """Say whether ``streampay-server`` knows a command; asked in this process, because there are many."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            cli.main([command, "--help"])
        except SystemExit as end:
            return end.code == 0
    return False


def dev_commands(paper: str) -> set[tuple[str, ...]]:
    """Return the ``dev.py`` commands a paper shows: the command, and for ``bench`` its name."""
    shown = re.findall(r"\bdev\.py +([a-z]+)(?: +([a-z_]+))?", paper)
    return {(command, name) if command == "bench" and name else (command,) for command, name in shown}


def server_commands(paper: str) -> set[str]:
    """Return the ``streampay-server`` commands that a paper shows in code form."""
    code = re.findall(r"```.*?```|`[^`\n]+`", paper, re.DOTALL)
    return {name for block in code for name in re.findall(r"\bstreampay-server +([a-z][a-z-]*)", block)}


def test_every_dev_command_in_the_papers_exists() -> None:
    shown = {command for path in PAPERS for command in dev_commands(text(path))}
    assert sorted(command for command, *_ in shown if not help_of("dev.py", command)) == []
    benches = {name for command, *names in shown if command == "bench" for name in names}
    assert sorted(benches - set(dev.bench_names())) == []


def test_every_server_command_in_the_papers_exists() -> None:
    shown = {command for path in PAPERS for command in server_commands(text(path))}
    assert sorted(command for command in shown if not has_help(command)) == []


def test_every_extra_in_the_papers_exists() -> None:
    offered = tomllib.loads(text(Path("sdk/pyproject.toml")))["project"]["optional-dependencies"].keys()
    sources = (*PAPERS, *tracked(".txt"), *(path for path in tracked(".py") if path.parts[0] == "sdk"))
    shown = {name for path in sources for name in re.findall(r"\bstreampay\[([^\]]+)\]", text(path))}
    assert {"cli", "flask"} <= shown <= offered


def test_every_link_between_the_papers_leads_somewhere() -> None:
    broken = [
        f"{path}: {match['target']}"
        for path in PAPERS
        for match in LINK.finditer(text(path))
        if not (ROOT / path.parent / match["target"]).exists()
    ]
    assert broken == []


def test_all_distributions_carry_one_version() -> None:
    import gateway
    from streampay import _version

    core, extras = (tomllib.loads(text(Path(name))) for name in ("sdk/pyproject.toml", "sdk/extras/pyproject.toml"))
    needs = {need for extra in core["project"]["optional-dependencies"].values() for need in extra}
    pins = {need for need in (*needs, *extras["project"]["dependencies"]) if need.startswith("streampay")}
    assert gateway.__version__ == _version.__version__ == extras["project"]["version"]
    assert pins == {f"streampay-extras=={_version.__version__}", f"streampay=={_version.__version__}"}
    assert extras["project"]["requires-python"] == core["project"]["requires-python"]
    assert re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc)\d+|\.dev\d+)?", gateway.__version__)


def test_the_demo_sends_webhooks_to_every_address_that_the_papers_tell_merchants_to_add() -> None:
    told = {int(port) for path in PAPERS for port in re.findall(r"127\.0\.0\.1:(\d+)/[a-z/]*webhook", text(path))}
    assert told == set(SHOP_PORTS)


def test_the_changelog_knows_the_version_or_is_unreleased() -> None:
    import gateway

    headings = re.findall(r"^## \[([^\]]+)\]", text(Path("CHANGELOG.md")), re.MULTILINE)
    assert headings[0] == "Unreleased" or headings[0] == gateway.__version__


def test_every_processor_stands_in_the_conformance_suite() -> None:
    folders = {path.parts[2] for path in tracked(".py") if path.parts[:2] == ("gateway", "processors")} - {
        "__init__.py"
    }
    conformance = module("tests.processors.conformance")
    assert folders == {*conformance.PROCESSORS, *conformance.HOSTED}


def test_node_packages_are_locked() -> None:
    unlocked = [path for path in tracked(".json") if path.name == "package.json"]
    assert [str(path) for path in unlocked if not (ROOT / path).with_name("package-lock.json").is_file()] == []


def test_the_license_is_apache_2() -> None:
    license_text = text(Path("LICENSE"))
    assert "Apache License" in license_text
    assert "END OF TERMS AND CONDITIONS" in license_text


def test_continuous_integration_ends_with_the_whole_suite() -> None:
    lines = [line for line in text(Path(".ci/run")).splitlines() if line.startswith("python3 dev.py")]
    assert lines == ["python3 dev.py check", "python3 dev.py build", "python3 dev.py test --all"]
    assert "set -euo pipefail" in text(Path(".ci/run"))


@pytest.mark.parametrize(
    ("paper", "commands"),
    [
        ("python3 dev.py demo", {("demo",)}),
        ("run `dev.py bench create --json`", {("bench", "create")}),
        ("`python3 dev.py test --all`", {("test",)}),
    ],
)
def test_a_dev_command_is_found(paper: str, commands: set[tuple[str, ...]]) -> None:
    assert dev_commands(paper) == commands


def test_a_server_command_is_found_in_code_alone() -> None:
    assert server_commands("`streampay-server ledger verify` checks what streampay-server keeps") == {"ledger"}


def test_a_missing_command_has_no_help() -> None:
    assert help_of("dev.py", "dance") == ""
