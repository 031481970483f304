"""dev.py decides rightly when to install, what to fetch, and what a wheel must hold."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import dev
from tests.house.sources import ROOT


def write_manifests(root: Path) -> None:
    for name in dev.MANIFESTS:
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(f"# {name}\n")


def write_wheel(path: Path, names: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in names.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("manifest", dev.MANIFESTS)
def test_a_change_in_any_manifest_changes_the_digest(tmp_path: Path, manifest: str) -> None:
    write_manifests(tmp_path)
    before = dev.manifest_digest(tmp_path)
    assert dev.manifest_digest(tmp_path) == before
    (tmp_path / manifest).write_text("# changed\n")
    assert dev.manifest_digest(tmp_path) != before


@pytest.mark.parametrize(
    ("stamp", "wanted", "expected"),
    [
        (None, [], set()),
        (None, ["test"], {"test"}),
        ({"digest": "d", "extras": ["test"]}, ["test"], None),
        ({"digest": "d", "extras": ["test", "check"]}, [], None),
        ({"digest": "d", "extras": ["test"]}, ["bench"], {"test", "bench"}),
        ({"digest": "old", "extras": ["test"]}, [], {"test"}),
        ("not json", ["check"], {"check"}),
        ({"digest": "d"}, [], set()),
        ([], [], set()),
    ],
)
def test_only_what_is_missing_or_outdated_is_installed(
    tmp_path: Path, stamp: object, wanted: list[str], expected: set[str] | None
) -> None:
    path = tmp_path / "stamp.json"
    if stamp is not None:
        path.write_text(stamp if isinstance(stamp, str) else json.dumps(stamp))
    assert dev.missing_extras(wanted, "d", path) == expected


def test_a_python_without_ensurepip_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    with pytest.raises(dev.CommandFailedError, match="apt-get install python3-venv"):
        dev.create_environment(tmp_path / "venv")
    assert not (tmp_path / "venv").exists()


def test_a_command_is_printed_before_it_runs_and_its_failure_carries_the_status(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(dev.CommandFailedError) as failed:
        dev.run([sys.executable, "-c", "raise SystemExit(7)"])
    assert failed.value.status == 7
    assert capsys.readouterr().out.startswith("$ ")


def test_a_wheel_without_a_template_is_found(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / "shop/templates").mkdir(parents=True)
    (tmp_path / "shop/__init__.py").touch()
    (tmp_path / "shop/templates/page.html").touch()
    whole = {"shop/__init__.py": "", "shop/templates/page.html": "", "shop-1.dist-info/METADATA": ""}
    sources = dev.source_files(tmp_path, ["shop"])
    assert dev.wheel_problems(write_wheel(tmp_path / "whole.whl", whole), sources) == []
    without = write_wheel(tmp_path / "without.whl", {"shop/__init__.py": "", "tests/test_x.py": ""})
    assert dev.wheel_problems(without, sources) == [
        "without.whl lacks shop/templates/page.html",
        "without.whl holds tests/test_x.py, which is not its own",
    ]


def test_no_file_of_the_sdk_belongs_into_both_of_its_wheels() -> None:
    whole = dev.source_files(ROOT / "sdk", [dev.SDK_PACKAGE])
    extras = dev.source_files(ROOT / "sdk", dev.EXTRAS)
    stand_ins = {f"{part}.py" for part in dev.EXTRAS if not part.endswith((".py", ".pyi"))}
    assert dev.sdk_files() & extras == set()
    assert dev.sdk_files() | extras == whole | stand_ins


@pytest.mark.parametrize(
    ("required", "is_right"),
    [
        (["requests<3,>=2.32"], True),
        (["requests<3,>=2.32", "pydantic>=2"], False),
        (["httpx"], False),
        ([], False),
        (["requests-oauthlib"], False),
    ],
)
def test_the_sdk_may_depend_on_requests_alone(tmp_path: Path, required: list[str], *, is_right: bool) -> None:
    metadata = "".join(f"Requires-Dist: {name}\n" for name in required)
    wheel = write_wheel(tmp_path / "sdk.whl", {"streampay-1.dist-info/METADATA": metadata})
    assert (dev.sdk_dependency_problems(wheel) == []) is is_right


def test_benches_are_listed_with_the_first_line_of_their_docstring(tmp_path: Path) -> None:
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench/create.py").write_text('"""Creates per second.\n\nMore."""\n')
    (tmp_path / "bench/harness.py").write_text('"""Shared."""\n')
    assert dev.bench_names(tmp_path) == {"create": "Creates per second."}


def test_a_server_named_by_a_variable_is_not_installed_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMPAY_TEST_POSTGRES_URL", "postgresql+psycopg://db/x")
    assert dev.overridden("pg_ctlcluster")
    assert not dev.overridden("chromium")


@pytest.mark.parametrize(("words", "status"), [(["dance"], 2), (["check", "--fast"], 2), ([], 2), (["bench", "no"], 2)])
def test_a_wrong_command_line_ends_with_status_2(words: list[str], status: int) -> None:
    done = subprocess.run([sys.executable, "dev.py", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == status
    assert done.stderr
