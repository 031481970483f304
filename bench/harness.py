"""What every bench shares: windows that alternate, CPU accounts, and a table that ends as one line of JSON.

Method: variants take turns in short windows and the best window of each counts, so that a noisy machine disturbs all of
them alike; peers run in the same process and the same run. Absolute numbers are never a gate; ratios are.
"""

import argparse
import contextlib
import json
import math
import os
import resource
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

ROUNDS = 5  # best of five
WINDOW_S = 1.5  # one to two seconds: long enough to reach a steady state, short enough to alternate
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")

# A workload runs for about the given number of seconds and returns how many operations it completed.
Workload = Callable[[float], int]
# A meter returns CPU seconds used so far by whatever it watches.
Meter = Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One measured window of one variant."""

    operations: int
    elapsed_s: float
    cpu_s: Mapping[str, float] = field(default_factory=dict)

    @property
    def per_s(self) -> float:
        """Return completed operations per second."""
        return self.operations / self.elapsed_s

    def cpu_us(self, meter: str | None = None) -> float:
        """Return CPU microseconds per operation: of one meter, or of all of them together."""
        used_s = sum(self.cpu_s.values()) if meter is None else self.cpu_s[meter]
        return used_s / max(self.operations, 1) * 1e6


def interleaved_best(
    workloads: Mapping[str, Workload],
    *,
    rounds: int = ROUNDS,
    window_s: float = WINDOW_S,
    meters: Mapping[str, Mapping[str, Meter]] | None = None,
) -> dict[str, Window]:
    """Run the variants in turn, round after round, and return the fastest window of each.

    ``meters`` names, for each variant, the CPU accounts to read around its windows.
    """
    best: dict[str, Window] = {}
    for _ in range(rounds):
        for name, workload in workloads.items():
            window = _measure(workload, window_s, (meters or {}).get(name, {}))
            if name not in best or window.per_s > best[name].per_s:
                best[name] = window
    return best


def _measure(workload: Workload, window_s: float, meters: Mapping[str, Meter]) -> Window:
    before = {name: meter() for name, meter in meters.items()}
    began = perf_counter()
    operations = workload(window_s)
    elapsed_s = perf_counter() - began
    used = {name: meter() - before[name] for name, meter in meters.items()}
    return Window(operations=operations, elapsed_s=elapsed_s, cpu_s=used)


def client_cpu_s() -> float:
    """Return the CPU seconds of this process, all threads, user and system."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def process_tree_cpu_s(pid: int) -> float:
    """Return the CPU seconds of a process and its living descendants; what ended before is not seen."""
    processes = _processes()
    tree, grown = {pid}, True
    while grown:
        children = {child for child, process in processes.items() if process.parent in tree}
        grown = not children <= tree
        tree |= children
    return sum(processes[member].cpu_s for member in tree if member in processes)


def postgres_cpu_s() -> float:
    """Return the CPU seconds of every PostgreSQL process on this machine."""
    return sum(process.cpu_s for process in _processes().values() if process.command == "postgres")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Process:
    command: str
    parent: int
    cpu_s: float


def _processes() -> dict[int, _Process]:
    """Read /proc once; see proc(5): fields 4, 14 and 15 of ``stat`` after the parenthesised command."""
    found = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it ended while we looked
            head, _, tail = (folder / "stat").read_text().rpartition(")")
            fields = tail.split()
            cpu_s = (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
            command = head.partition("(")[2]
            found[int(folder.name)] = _Process(command=command, parent=int(fields[1]), cpu_s=cpu_s)
    return found


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the nearest-rank percentile; ``percent`` in 0..100.

    Raises:
        ValueError: there are no values, so nothing was measured.
    """
    if not values:
        raise ValueError("nothing was measured")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table: a figure, and the peer or limit that gives it meaning."""

    label: str
    figure: str
    beside: str


class Table:
    """Collects figures; prints them for a person and, when asked, as one JSON object on the last line."""

    def __init__(self, bench: str) -> None:
        self._bench = bench
        self._rows: list[Row] = []
        self._figures: dict[str, int | float] = {}

    def add(self, label: str, value: float, unit: str, *, beside: str, key: str | None = None) -> None:
        """Add a figure; ``beside`` states its peer or limit, ``key`` its name in the JSON object."""
        self._rows.append(Row(label=label, figure=f"{_readable(value)} {unit}".rstrip(), beside=beside))
        if key is not None:
            assert key not in self._figures, f"{key} was measured already"
            self._figures[key] = value if isinstance(value, int) else round(value, 4)

    def render(self) -> str:
        """Return the table as text, its columns aligned."""
        rows = [Row(label=self._bench, figure="figure", beside="peer or limit"), *self._rows]
        label_width = max(len(row.label) for row in rows)
        figure_width = max(len(row.figure) for row in rows)
        lines = [f"{row.label:<{label_width}}  {row.figure:>{figure_width}}  {row.beside}".rstrip() for row in rows]
        return "\n".join([lines[0], "-" * max(len(line) for line in lines), *lines[1:]])

    def json_line(self) -> str:
        """Return the one object that machines read."""
        return json.dumps({"bench": self._bench, "figures": self._figures})

    def print(self, *, as_json: bool) -> None:
        """Print the table; with ``as_json`` the object follows as the last line."""
        print(self.render(), flush=True)
        if as_json:
            print(self.json_line(), flush=True)


def _readable(value: float) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.3g}"


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return the command line that every bench understands; a bench may add options of its own."""
    command = argparse.ArgumentParser(description=description)
    command.add_argument("--json", action="store_true", help="end with one line of JSON: {bench, figures}")
    return command
