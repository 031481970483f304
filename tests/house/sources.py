"""The sources as house tests read them: what git tracks or would track, parsed once."""

import ast
import functools
import importlib
import io
import subprocess
import tokenize
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Rooms in which an amount is in somebody's hands.
MONEY_ROOMS = tuple(f"gateway/{room}" for room in ("kernel", "domain", "ledger", "engine", "rates", "processors"))


@functools.cache
def tracked(*suffixes: str) -> tuple[Path, ...]:
    """Return the files that git tracks or would track, relative to the root, by suffix; all of them without one."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    paths = (Path(name) for name in sorted(listed))
    return tuple(path for path in paths if (not suffixes or path.suffix in suffixes) and (ROOT / path).is_file())


def python_in(*folders: str) -> tuple[Path, ...]:
    """Return the Python files under some folders."""
    return tuple(path for path in tracked(".py") if path.as_posix().startswith(tuple(f"{name}/" for name in folders)))


@functools.cache
def text(path: Path) -> str:
    """Return a file's text."""
    return (ROOT / path).read_text(encoding="utf-8")


@functools.cache
def tree(path: Path) -> ast.Module:
    """Return a file's syntax tree."""
    return ast.parse(text(path), filename=str(path))


def comments(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and text of every comment; strings that look like comments are none."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def page(name: str) -> str:
    """Return a documentation page.

    Raises:
        AssertionError: there is none, which is what the test wants to say.
    """
    path = ROOT / "docs" / name
    assert path.is_file(), f"docs/{name} is missing: it must explain each of them"
    return path.read_text(encoding="utf-8")


def module(name: str) -> ModuleType:
    """Import what a test speaks of, or fail with its name."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        pytest.fail(f"{error.name} is missing, and this house rule is about it", pytrace=False)
