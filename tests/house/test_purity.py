"""The domain decides from what it is handed: it asks no clock. Imports are watched by .importlinter."""

import ast
from collections.abc import Iterator

import pytest

from tests.house.sources import python_in, tree

CLOCK_CALLS = {"now", "utcnow", "today", "time", "monotonic", "perf_counter", "time_ns"}


def clock_readings(module: ast.Module) -> Iterator[str]:
    """Yield each place that names a clock or asks one."""
    for node in ast.walk(module):
        match node:
            case ast.Call(func=ast.Attribute(attr=name)) if name in CLOCK_CALLS:
                yield f"{node.lineno}: .{name}()"
            case ast.ImportFrom(names=names):
                yield from (f"{node.lineno}: {alias.name}" for alias in names if alias.name.endswith("Clock"))
            case _:
                pass


def test_the_domain_asks_no_clock() -> None:
    assert [f"{path}:{found}" for path in python_in("gateway/domain") for found in clock_readings(tree(path))] == []


@pytest.mark.parametrize(
    "source", ["datetime.now(UTC)", "date.today()", "from gateway.kernel.clock import Clock", "clock.now()"]
)
def test_a_clock_is_found(source: str) -> None:
    assert len(list(clock_readings(ast.parse(source)))) == 1


def test_pure_functions_about_time_are_no_clock() -> None:
    source = "from gateway.kernel.clock import rfc3339, to_micros\nrfc3339(created_at)"
    assert list(clock_readings(ast.parse(source))) == []
