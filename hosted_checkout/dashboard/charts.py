"""Bars as numbers: heights in parts of a thousand, words beside them. A template draws them; no script takes part."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.kernel.money import Money

HEIGHT: Final = 1000
_STEPS: Final = (1, 2, 5)  # of each power of ten: where an axis may end


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One bar to be: what came, and what of it went back."""

    label: str
    count: int
    received: Money
    reversed_: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar: `kept` and `gone` above it, in parts of `HEIGHT`; `text` says it in words."""

    kept: int
    gone: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BarChart:
    """A chart with its table: the axis ends at `top`; `rows` are label, gifts, received, gone back."""

    top: str
    bars: Sequence[Bar]
    labels: Sequence[str]
    rows: Sequence[tuple[str, str, str, str]]


def bar_chart(points: Sequence[Point], text: Callable[[Money], str]) -> BarChart | None:
    """Return the chart of some points, at least one; None when nothing came.

    Args:
        points: the oldest first, all in one currency.
        text: writes an amount for reading.
    """
    most = max(point.received.atomic for point in points)
    if most <= 0:
        return None
    top = _round_end(most)
    rows = [(point.label, str(point.count), text(point.received), text(point.reversed_)) for point in points]
    return BarChart(
        top=text(Money(top, points[0].received.currency)),
        bars=[_bar(point, top, row) for point, row in zip(points, rows, strict=True)],
        labels=[points[place].label for place in sorted({0, len(points) // 2, len(points) - 1})],
        rows=rows,
    )


def _bar(point: Point, top: int, row: tuple[str, str, str, str]) -> Bar:
    label, count, received, gone = row
    whole = point.received.atomic * HEIGHT // top
    lost = min(whole, point.reversed_.atomic * HEIGHT // top)
    words = f"{label}: {received} in {count} {'gift' if point.count == 1 else 'gifts'}"
    return Bar(
        kept=_seen(whole - lost, point.received.atomic - point.reversed_.atomic),
        gone=lost,
        text=f"{words}, {gone} of it went back" if point.reversed_ else words,
    )


def _seen(height: int, amount: int) -> int:
    """Return a height that shows: what is there is never drawn as nothing."""
    return max(height, HEIGHT // 100) if amount > 0 else 0


def _round_end(most: int) -> int:
    """Return the smallest of 1, 2 or 5 times a power of ten that is not below."""
    power = int("1" + "0" * (len(str(most)) - 1))
    return next(end for step in (*_STEPS, 10) if (end := step * power) >= most)
