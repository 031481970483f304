"""Which pitfalls of cards the tests name: by `test_pitfall_19_…`, or by a docstring that begins with their numbers."""

import ast
import re
from collections.abc import Iterator
from typing import Final

from tests.house.sources import page, python_in, tree

PITFALLS: Final = frozenset(range(1, 34))
PAGE: Final = "stripe.md"
_NAMED: Final = re.compile(r"test_pitfall_(\d+)_")
_SAID: Final = re.compile(r"Pitfalls? (\d+(?:(?:, | and )\d+)*)[:.,]")
_ROW: Final = re.compile(r"^\| (?P<number>\d+) \| [^|]+ \| [^|]+ \| `(?P<test>test_\w+)` \|$", re.MULTILINE)


def named_by(test: ast.FunctionDef) -> set[int]:
    """Return the pitfalls that a test names."""
    said = _SAID.match(ast.get_docstring(test) or "")
    numbers = re.findall(r"\d+", said[1]) if said else []
    return {int(one) for one in [*_NAMED.findall(test.name), *numbers]}


def pitfalls_by_test() -> dict[str, set[int]]:
    """Return every test that names a pitfall, and which ones it names."""
    found: dict[str, set[int]] = {}
    for test in _tests():
        found.setdefault(test.name, set()).update(named_by(test))
    return {name: named for name, named in found.items() if named}


def pitfalls_of_page() -> dict[int, str]:
    """Return the table of the page on Stripe: the pitfall's number and its test."""
    rows = [(int(row["number"]), row["test"]) for row in _ROW.finditer(page(PAGE))]
    assert len(dict(rows)) == len(rows), "a pitfall stands in the table once"
    return dict(rows)


def _tests() -> Iterator[ast.FunctionDef]:
    for path in python_in("tests"):
        for node in tree(path).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield node
