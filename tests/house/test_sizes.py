"""Nothing grows past what one can read: files, functions, argument lists."""

import ast
from collections.abc import Iterator

from tests.house.sources import text, tracked, tree

FILE_LINES = 600
FUNCTION_LINES = 60
POSITIONAL_ARGUMENTS = 6  # keyword-only ones document themselves


def functions(module: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(module) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def long_functions(module: ast.Module) -> list[str]:
    sizes = ((node.name, node.lineno, (node.end_lineno or node.lineno) - node.lineno + 1) for node in functions(module))
    return [f"{line}: {name} has {size} lines" for name, line, size in sizes if size > FUNCTION_LINES]


def crowded_signatures(module: ast.Module) -> list[str]:
    crowded = []
    for node in functions(module):
        names = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
        count = len([name for name in names if name not in {"self", "cls"}])
        if count > POSITIONAL_ARGUMENTS and not node.name.startswith("test_"):  # pytest fixtures arrive by name
            crowded.append(f"{node.lineno}: {node.name} takes {count} positional arguments")
    return crowded


def test_no_file_is_longer_than_600_lines() -> None:
    sizes = {path: text(path).count("\n") for path in tracked(".py", ".js", ".css", ".html")}
    assert {str(path): size for path, size in sizes.items() if size > FILE_LINES} == {}


def test_no_function_is_longer_than_60_lines() -> None:
    assert [f"{path}:{found}" for path in tracked(".py") for found in long_functions(tree(path))] == []


def test_no_function_takes_more_than_six_positional_arguments() -> None:
    assert [f"{path}:{found}" for path in tracked(".py") for found in crowded_signatures(tree(path))] == []


def test_a_function_of_61_lines_is_found() -> None:
    body = "    pass\n" * 59
    assert long_functions(ast.parse(f"def f():\n{body}")) == []
    assert long_functions(ast.parse(f"async def f():\n{body}    pass\n")) == ["1: f has 61 lines"]


def test_seven_positional_arguments_are_found() -> None:
    assert crowded_signatures(ast.parse("def f(self, a, b, c, d, e, f, *, g): ...")) == []
    assert crowded_signatures(ast.parse("def f(a, b, c, d, e, f, g): ...")) == ["1: f takes 7 positional arguments"]
