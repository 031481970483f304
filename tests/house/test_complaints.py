"""Every complaint on the plugin's page has the test that the page names, and the test's docstring names the report."""

import ast
import re
from typing import Final

from tests.house.sources import page, python_in, tree

_ROW: Final = re.compile(r"^\| (?P<whose>[a-z-]+) (?P<number>#\d+) \| [^|]+ \| `(?P<test>test_\w+)` \|$", re.MULTILINE)
LEAST: Final = 28  # so that a table whose form has changed is not taken for one without faults


def docstrings() -> dict[str, str]:
    """Return what each test says of itself; tests of one name are read together."""
    found: dict[str, str] = {}
    for path in python_in("tests"):
        for node in tree(path).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                found[node.name] = f"{found.get(node.name, '')} {ast.get_docstring(node) or ''}".lower()
    return found


def test_every_complaint_has_a_test_that_names_it() -> None:
    said, rows = docstrings(), list(_ROW.finditer(page("plugin.md")))
    unnamed = [
        f"{row['whose']} {row['number']}: {row['test']}"
        for row in rows
        if row["whose"] not in said.get(row["test"], "") or not re.search(rf"{row['number']}\b", said[row["test"]])
    ]
    assert unnamed == []
    assert len(rows) >= LEAST
