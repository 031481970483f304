"""No floating point stands in a room where money is.

Durations may be floats, because sockets and threads ask for them: their names end in ``_s`` or ``_ms``. To *refuse* a
float is welcome: ``isinstance(value, float)``. Anything else needs a line in ALLOWED, with its reason.
"""

import ast
from collections.abc import Iterator

import pytest

from tests.house.sources import MONEY_ROOMS, python_in, tree

DURATION_ENDINGS = ("_s", "_ms")

# (file, enclosing function or "module") -> why a float is right there.
ALLOWED: dict[tuple[str, str], str] = {}


def _names_a_duration(name: str) -> bool:
    return name.lower().endswith(DURATION_ENDINGS)


def _excused(node: ast.AST) -> list[ast.AST]:
    """Return the subtrees of a node in which a float is right: durations, and tests that refuse floats."""
    match node:
        case (
            ast.AnnAssign(target=ast.Name(id=name) | ast.Attribute(attr=name))
            | ast.Assign(targets=[ast.Name(id=name) | ast.Attribute(attr=name)])
            | ast.arg(arg=name)
            | ast.keyword(arg=str(name))
        ) if _names_a_duration(name):
            return [node]
        case ast.FunctionDef(name=name, returns=ast.AST() as returns) if _names_a_duration(name):
            return [returns]
        case ast.Call(func=ast.Name(id="isinstance"), args=[_, kind]):
            return [kind]
        case ast.arguments():
            return _duration_defaults(node)
        case _:
            return []


def _duration_defaults(arguments: ast.arguments) -> list[ast.AST]:
    positional = [*arguments.posonlyargs, *arguments.args]
    pairs: list[tuple[ast.arg, ast.expr | None]] = list(
        zip(positional[len(positional) - len(arguments.defaults) :], arguments.defaults, strict=True)
    )
    pairs += list(zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True))
    return [default for argument, default in pairs if default is not None and _names_a_duration(argument.arg)]


def floats(node: ast.AST, place: str = "module") -> Iterator[tuple[int, str]]:
    """Yield line and place of each float literal, and of each use of the name ``float``."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        place = node.name
    if isinstance(node, ast.Constant) and isinstance(node.value, float | complex):
        yield node.lineno, place
    if isinstance(node, ast.Name) and node.id == "float":
        yield node.lineno, place
    excused = _excused(node)
    if node in excused:
        return
    for child in ast.iter_child_nodes(node):
        if child not in excused:
            yield from floats(child, place)


def test_no_float_stands_in_a_money_room() -> None:
    found = {(str(path), place): line for path in python_in(*MONEY_ROOMS) for line, place in floats(tree(path))}
    assert {
        f"{path}:{line} in {place}" for (path, place), line in found.items() if (path, place) not in ALLOWED
    } == set()
    assert set(ALLOWED) <= set(found), "an exception is no longer needed: take it away"


@pytest.mark.parametrize(
    "source",
    [
        "fee = 0.01",
        "amount = float(text)",
        "def f(amount: float) -> int: ...",
        "def f() -> float: ...",
        "rates: dict[str, float] = {}",
        "json.loads(body, parse_float=float)",
        "def f(rate=1.5, *, timeout_s=2): ...",
        "price = 1e3",
    ],
)
def test_a_float_is_found(source: str) -> None:
    assert len(list(floats(ast.parse(source)))) == 1


@pytest.mark.parametrize(
    "source",
    [
        "TIMEOUT_S: float = 1.5",
        "self.timeout_s = 2.5",
        "def f(*, timeout_s: float = 0.5) -> None: ...",
        "def elapsed_s() -> float: ...",
        "get(url, timeout_s=3.5)",
        "if isinstance(value, float): refuse()",
        "fee = 1",
    ],
)
def test_a_duration_and_a_refusal_are_no_offence(source: str) -> None:
    assert list(floats(ast.parse(source))) == []
