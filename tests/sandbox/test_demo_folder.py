"""The demo's folder: empty when a demo begins, and nobody else's while it runs."""

import contextlib
import os
from pathlib import Path

import pytest

from sandbox.demo.folder import claimed
from sandbox.demo.ports import Ports, refuse_busy_ports
from sandbox.demo.processes import DemoError
from sandbox.demo.stage import open_stage


def test_what_an_earlier_demo_left_is_gone(tmp_path: Path) -> None:
    usual, elsewhere = tmp_path / ".demo", tmp_path / "elsewhere"
    (usual / "deep" / "deeper").mkdir(parents=True)
    (usual / "gateway.db").write_text("of another version")
    elsewhere.mkdir()
    (elsewhere / "kept").touch()
    (usual / "link").symlink_to(elsewhere, target_is_directory=True)
    with claimed(usual, beside=tmp_path / "beside") as folder:
        assert folder == usual
        assert list(folder.iterdir()) == []
    assert (elsewhere / "kept").exists()


def test_a_second_demo_leaves_the_first_ones_folder_alone(tmp_path: Path) -> None:
    usual, beside = tmp_path / ".demo", tmp_path / ".demo-18080"
    with claimed(usual, beside=beside) as first:
        (first / "gateway.db").touch()
        with claimed(usual, beside=beside) as second:
            assert second == beside
            assert (first / "gateway.db").exists()


def test_a_folder_is_free_again_when_its_demo_ends(tmp_path: Path) -> None:
    for _ in range(2):
        with claimed(tmp_path / ".demo", beside=tmp_path / "beside") as folder:
            assert folder.name == ".demo"


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / ".demo").write_text("a file in its place")
    wanted = pytest.raises(DemoError, match=r"\.demo: .+\. Delete it by hand\.")
    with wanted, open_stage(free_ports(), tmp_path / ".demo"):
        pass


def free_ports() -> Ports:
    """Return ports that nobody holds now."""
    for base in range(20_000 + os.getpid() % 5_000, 28_000, 7):
        ports = Ports.from_base(base)
        with contextlib.suppress(DemoError):
            refuse_busy_ports(ports)
            return ports
    raise AssertionError("no free ports")
