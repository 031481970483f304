"""The bench harness measures what it says and ends with one line of JSON."""

import json
import os
import subprocess
import sys
import time

import pytest
import sqlalchemy as sa

from bench.harness import Table, Window, client_cpu_s, interleaved_best, percentile, postgres_cpu_s, process_tree_cpu_s


def test_the_last_line_is_one_object_with_the_figures(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("page")
    table.add("checkout page, compressed", 29_000, "bytes", beside="limit 30,720", key="total_gz_bytes")
    table.add("ratio to a bare loop", 0.73456, "", beside=">= 0.7", key="ratio_bare")
    table.add("pgbench alone", 1234.5, "tps", beside="the peer")
    table.print(as_json=True)
    *human, last = capsys.readouterr().out.splitlines()
    assert json.loads(last) == {"bench": "page", "figures": {"total_gz_bytes": 29_000, "ratio_bare": 0.7346}}
    assert "29,000 bytes" in human[2]
    assert human[2].endswith("limit 30,720")
    assert "1,234 tps" in human[4]


def test_a_figure_is_measured_once() -> None:
    table = Table("page")
    table.add("requests", 5, "", beside="limit 6", key="requests")
    with pytest.raises(AssertionError, match="requests was measured already"):
        table.add("requests", 6, "", beside="limit 6", key="requests")


def test_variants_take_turns_and_the_fastest_window_counts() -> None:
    calls: list[str] = []
    speeds = {"ours": iter([1, 9_000, 3]), "peer": iter([5_000, 2, 4])}

    def workload(name: str) -> int:
        calls.append(name)
        time.sleep(0.01)
        return next(speeds[name])

    best = interleaved_best(
        {"ours": lambda _s: workload("ours"), "peer": lambda _s: workload("peer")},
        rounds=3,
        window_s=0.01,
        meters={"ours": {"client": client_cpu_s}},
    )
    assert calls == ["ours", "peer"] * 3
    assert (best["ours"].operations, best["peer"].operations) == (9_000, 5_000)
    assert set(best["ours"].cpu_s) == {"client"}


def test_cpu_per_operation_is_in_microseconds() -> None:
    window = Window(operations=1000, elapsed_s=2, cpu_s={"server": 0.5, "database": 0.25})
    assert window.per_s == 500
    assert window.cpu_us("server") == 500
    assert window.cpu_us() == 750


def test_the_cpu_of_a_child_counts_in_its_tree() -> None:
    burn = "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True)\ninput()"
    with subprocess.Popen([sys.executable, "-c", burn], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert process_tree_cpu_s(child.pid) >= 0.25
        assert process_tree_cpu_s(os.getpid()) >= process_tree_cpu_s(child.pid)
        child.communicate(b"\n")


@pytest.mark.serial
def test_postgres_cpu_counts_what_a_backend_burns(postgres_url: str) -> None:
    engine = sa.create_engine(postgres_url)
    with engine.connect() as connection:  # held open: the account of a backend that ends is gone
        before = postgres_cpu_s()
        connection.execute(sa.text("SELECT count(*) FROM generate_series(1, 3000000)"))
        burnt_s = postgres_cpu_s() - before
    engine.dispose()
    assert burnt_s > 0.05


@pytest.mark.parametrize(("percent", "expected"), [(50, 50), (99, 99), (100, 100), (0, 1), (99.5, 100)])
def test_a_percentile_is_the_nearest_rank(percent: float, expected: float) -> None:
    assert percentile(list(range(100, 0, -1)), percent) == expected


def test_nothing_measured_has_no_percentile() -> None:
    with pytest.raises(ValueError, match="nothing was measured"):
        percentile([], 99)
