"""Writes `sdk/streampay/_async_surface.pyi`, the types of the async client's resources, from the resources themselves.

    .venv/bin/python -m tests.sdk.async_surface

The resources are written once. On the async way their methods return awaitables, and a type checker cannot follow that
by itself: what is `def f(…) -> Payment` in the source is `async def` here, and a `Page` is `AsyncPages`.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

SDK = Path(__file__).parents[2] / "sdk" / "streampay"
TARGET = SDK / "_async_surface.pyi"
HEADER = '''\
"""The async client's resources. Written by tests/sdk/async_surface.py: change the resources, and run that."""
'''
ALWAYS = ["from streampay._async import AsyncApi", "from streampay._pages import AsyncPages"]


def parsed(module: str) -> ast.Module:
    """Return a module of the SDK as a tree."""
    return ast.parse((SDK / f"{module}.py").read_text())


def resource_modules(surface: ast.Module) -> dict[str, str]:
    """Return the modules that the surface imports resources from, by the name under which it knows them."""
    aliases = (
        alias
        for node in surface.body
        if isinstance(node, ast.ImportFrom) and node.module == "streampay"
        for alias in node.names
    )
    return {alias.asname or alias.name: alias.name for alias in aliases}


def attributes(kind: ast.ClassDef) -> Iterator[str]:
    """Yield the resources that a class makes for itself, as annotations of their async forms."""
    for node in ast.walk(kind):
        match node:
            case ast.Assign(
                targets=[ast.Attribute(value=ast.Name(id="self"), attr=name)],
                value=ast.Call(func=ast.Attribute(attr=made) | ast.Name(id=made)),
            ):
                yield f"{name}: Async{made}"
            case _:
                pass


def async_form(method: ast.FunctionDef) -> str:
    """Return a method's async signature. Docstrings stay with the resources: the wheel is small."""
    assert method.returns is not None, f"{method.name} says what it returns"
    returned = ast.unparse(method.returns)
    is_list = returned.startswith("Page[")
    word, result = ("def", f"Async{returned.replace('Page[', 'Pages[', 1)}") if is_list else ("async def", returned)
    method.args.kw_defaults = [_plain(each) for each in method.args.kw_defaults]
    return f"{word} {method.name}({ast.unparse(method.args)}) -> {result}: ..."


def _plain(default: ast.expr | None) -> ast.expr | None:
    """Return a default as stubs may have one: what a name stands for is the source's business."""
    return ast.Constant(...) if isinstance(default, ast.Name) else default


def async_class(kind: ast.ClassDef) -> str:
    """Return the async form of a resource's class."""
    methods = [node for node in kind.body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")]
    members = [*attributes(kind), "def __init__(self, api: AsyncApi) -> None: ..."]
    lines = "\n".join([*members, *map(async_form, methods)]).splitlines()
    return "\n".join([f"class Async{kind.name}:", *(f"    {line}" for line in lines)])


def imports(modules: list[ast.Module], body: str) -> list[str]:
    """Return the imports of the resources' modules that their signatures need."""
    used = {node.id for node in ast.walk(ast.parse(body)) if isinstance(node, ast.Name)}
    lines = {
        f"from {node.module} import {alias.name}"
        for module in modules
        for node in module.body
        if isinstance(node, ast.ImportFrom) and node.module != "__future__"
        for alias in node.names
        if alias.name in used and not alias.name.startswith("_")
    }
    return sorted(lines | set(ALWAYS))


def written() -> str:
    """Return the file as it should be."""
    surface = parsed("_surface")
    modules = [parsed(name) for name in resource_modules(surface).values()]
    kinds = [
        node
        for module in [*modules, surface]
        for node in module.body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and node.name != "Resource"
    ]
    body = "\n\n".join(map(async_class, kinds))
    source = "\n".join([HEADER, *imports(modules, body), "", body])
    for command in (["check", "--select", "I", "--fix"], ["format"]):
        words = [sys.executable, "-m", "ruff", *command, "--quiet", "--stdin-filename", str(TARGET), "-"]
        source = subprocess.run(words, input=source, capture_output=True, text=True, check=True).stdout
    return source


def returned_untouched(method: ast.FunctionDef) -> bool:
    """Tell whether a method returns what a call of the way, or of another method, returns, and looks at nothing."""
    match method.body[-1]:
        case ast.Return(value=ast.Call(func=ast.Attribute(value=owner))):
            return ast.unparse(owner) in {"self", "self._api"}
        case _:
            return False


def careless_methods() -> list[str]:
    """Return the methods of resources that do not return their call untouched, and so cannot serve both clients."""
    return [
        f"{kind.name}.{method.name}"
        for name in resource_modules(parsed("_surface")).values()
        for kind in parsed(name).body
        if isinstance(kind, ast.ClassDef)
        for method in kind.body
        if isinstance(method, ast.FunctionDef) and method.name != "__init__" and not returned_untouched(method)
    ]


if __name__ == "__main__":
    TARGET.write_text(written())
