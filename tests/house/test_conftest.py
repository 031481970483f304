"""The walls and the databases that conftest promises to every suite."""

import itertools
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests import conftest
from tests.conftest import OutsideWorldError
from tests.house.sources import ROOT

# The inner suites use none of these, and half of a short run would go into loading them.
UNUSED = ("schemathesis", "hypothesispytest", "anyio")
WITHOUT = (word for name in UNUSED for word in ("-p", f"no:{name}"))
PYTEST = (sys.executable, "-m", "pytest", "-p", "tests.conftest", *WITHOUT)
TIMED_SUITE = """
import time
from pathlib import Path

import pytest

@pytest.mark.parametrize("number", range(4))
MARKER
def test_for_a_while(number):
    began = time.monotonic()
    time.sleep(0.1)
    Path(__file__).with_suffix(f".{number}.log").write_text(f"{began} {time.monotonic()}")
"""


@pytest.mark.parametrize("host", ["1.1.1.1", "10.0.0.7", "2606:4700::1111", "169.254.169.254"])
def test_a_connection_beyond_this_machine_is_refused(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as outward, pytest.raises(OutsideWorldError, match=host):
        outward.connect((host, 443))


def test_a_foreign_name_does_not_resolve() -> None:
    with pytest.raises(socket.gaierror, match="loopback names only"):
        socket.getaddrinfo("shop.example", 443)


def test_stripe_alone_is_let_through_and_only_with_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    def lead(*_: object, **__: object) -> list[object]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 443))]

    ask, connect = ("socket.getaddrinfo", (conftest.STRIPE_HOST,)), ("socket.connect", (None, ("192.0.2.1", 443)))
    monkeypatch.setattr(socket, "getaddrinfo", lead)
    monkeypatch.setattr(conftest, "_stripe_addresses", set())
    monkeypatch.delenv(conftest.STRIPE_KEY_VARIABLE, raising=False)
    with pytest.raises(socket.gaierror, match="loopback names only"):
        conftest._refuse_outside_world(*ask)
    with pytest.raises(OutsideWorldError):
        conftest._refuse_outside_world(*connect)

    monkeypatch.setenv(conftest.STRIPE_KEY_VARIABLE, "sk_test_x")
    conftest._open_the_wall_for_stripe()
    conftest._refuse_outside_world(*ask)
    socket.getaddrinfo(conftest.STRIPE_HOST, 443)
    conftest._refuse_outside_world(*connect)
    with pytest.raises(socket.gaierror, match="loopback names only"):
        conftest._refuse_outside_world("socket.getaddrinfo", ("files.stripe.com",))
    with pytest.raises(OutsideWorldError):
        conftest._refuse_outside_world("socket.connect", (None, ("192.0.2.2", 443)))


def test_loopback_is_reachable_by_address_and_by_name() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
        socket.create_connection(("localhost", port), timeout=2).close()


def test_every_kind_of_database_is_fresh_and_can_be_copied(
    fresh_database_url: str, copy_database: Callable[[str], str]
) -> None:
    engine = sa.create_engine(fresh_database_url, poolclass=sa.pool.NullPool)
    assert sa.inspect(engine).get_table_names() == []
    with engine.begin() as tx:
        tx.exec_driver_sql("CREATE TABLE coin (id INTEGER PRIMARY KEY, name VARCHAR(20))")
        tx.exec_driver_sql("INSERT INTO coin VALUES (1, 'ħalf ₿')")
    copy = sa.create_engine(copy_database(fresh_database_url), poolclass=sa.pool.NullPool)
    with copy.begin() as tx:
        assert tx.exec_driver_sql("SELECT id, name FROM coin").all() == [(1, "ħalf ₿")]
        tx.exec_driver_sql("DELETE FROM coin")
    with engine.begin() as tx:
        assert tx.exec_driver_sql("SELECT count(*) FROM coin").scalar_one() == 1


def test_a_missing_engine_skips_with_one_line_or_fails_under_all(
    engine_missing: Callable[[str, str], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STREAMPAY_TEST_ALL", raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"^Abacus is missing: apt-get install abacus$"):
        engine_missing("Abacus", "apt-get install abacus")
    monkeypatch.setenv("STREAMPAY_TEST_ALL", "1")
    with pytest.raises(pytest.fail.Exception, match=r"^Abacus is missing"):
        engine_missing("Abacus", "apt-get install abacus")


def run_suite(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a suite of its own under our conftest and settings."""
    command = [*PYTEST, "-c", str(ROOT / "pyproject.toml"), *options]
    ours = ("STREAMPAY_TEST_", "PYTEST_")  # this run's own state must not leak into the inner one
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return subprocess.run(
        [*command, str(folder)], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def intervals(folder: Path, stem: str) -> list[tuple[float, float]]:
    """Return when each test of a suite file began and ended."""
    pairs = (path.read_text().split() for path in sorted(folder.glob(f"{stem}.*.log")))
    return [(float(began), float(ended)) for began, ended in pairs]


@pytest.mark.slow
def test_a_serial_test_never_runs_beside_another(tmp_path: Path) -> None:
    (tmp_path / "test_a_timed.py").write_text(TIMED_SUITE.replace("MARKER", "@pytest.mark.serial"))
    (tmp_path / "test_b_plain.py").write_text(TIMED_SUITE.replace("MARKER", ""))
    (tmp_path / "test_c_plain.py").write_text(TIMED_SUITE.replace("MARKER", ""))
    done = run_suite(tmp_path, "-n", "3", "--dist", "loadfile")
    assert done.returncode == 0, done.stdout + done.stderr
    serial = intervals(tmp_path, "test_a_timed")
    plain = intervals(tmp_path, "test_b_plain") + intervals(tmp_path, "test_c_plain")
    overlaps = [
        (one, other) for one, other in itertools.product(serial, plain) if one[0] < other[1] and other[0] < one[1]
    ]
    assert (len(serial), len(plain), overlaps) == (4, 8, [])


@pytest.mark.slow
def test_a_missing_engine_is_one_line_of_the_summary_and_a_failure_under_all(tmp_path: Path) -> None:
    (tmp_path / "test_one.py").write_text(
        "def test_one(engine_missing):\n    engine_missing('Abacus', 'apt-get install abacus')\n"
        "def test_two(engine_missing):\n    engine_missing('Abacus', 'apt-get install abacus')\n"
    )
    skipped = run_suite(tmp_path)
    assert skipped.stdout.count("Abacus is missing: apt-get install abacus") == 1
    assert "2 skipped" in skipped.stdout.splitlines()[-1]
    assert "2 failed" in run_suite(tmp_path, "--all").stdout.splitlines()[-1]


@pytest.mark.slow
def test_the_longest_tests_are_left_to_all_unless_they_are_named(tmp_path: Path) -> None:
    (tmp_path / "test_deep.py").write_text(
        "import pytest\n@pytest.mark.deep\ndef test_one():\n    pass\ndef test_two():\n    pass\n"
    )
    everything = ("-c", str(tmp_path / "pytest.ini"), "--rootdir", str(tmp_path), "-n", "2")
    (tmp_path / "pytest.ini").write_text(f"[pytest]\ntestpaths = {tmp_path}\npythonpath = {ROOT}\n")
    assert "1 passed" in run_by_testpaths(tmp_path, *everything)
    assert "2 passed" in run_by_testpaths(tmp_path, *everything, "--all")
    assert "2 passed" in run_suite(tmp_path).stdout.splitlines()[-1], "a folder that is named is run whole"


def run_by_testpaths(folder: Path, *options: str) -> str:
    """Run pytest as ``dev.py test`` does, without naming anything; return its last line."""
    ours = ("STREAMPAY_TEST_", "PYTEST_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    command = [*PYTEST, *options]
    done = subprocess.run(
        command, cwd=folder, env=environment | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    return done.stdout.splitlines()[-1]


def test_a_measured_figure_is_printed_beside_its_limit(tmp_path: Path) -> None:
    (tmp_path / "test_figure.py").write_text("def test_one(figure):\n    figure('p99_ms', 14, '<= 30')\n")
    assert "p99_ms = 14 (limit <= 30)" in run_suite(tmp_path).stdout
