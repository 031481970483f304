"""The package as merchants get it: light to import, typed, small, with nothing of the server in it."""

import configparser
import dataclasses
import importlib
import subprocess
import sys
import typing
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePath

import pytest

import streampay
from streampay import errors, models

ROOT = Path(__file__).parents[2]
SDK = ROOT / "sdk"
MAX_WHEEL_BYTES = {"streampay": 80_000, "streampay_extras": 110_000}  # the first is what every shop's server carries
BESIDE = ("adapters", "cli", "testing")  # packages of streampay-extras
BESIDE_FILES = {  # and files of its own
    "streampay/_async.py",
    "streampay/_async_surface.py",
    "streampay/_async_surface.pyi",
    "streampay/_httpx.py",
    "streampay/async_client.py",
    "streampay/gateway/sqlalchemy.py",
}


def modules_after(statement: str) -> set[str]:
    """Return what a bare interpreter has loaded after a statement, beyond what it starts with."""
    before = f"import sys; sys.path.insert(0, {str(SDK)!r}); before = set(sys.modules)"
    program = f"{before}; {statement}; print(*(set(sys.modules) - before))"
    # -S: without `site`, so that nothing which an editable installation loads hides what we load
    return set(subprocess.check_output([sys.executable, "-S", "-c", program], text=True).split())


def test_importing_the_package_loads_nothing_else() -> None:
    """stripe-python #1427: an import of 186 ms, in every start of every small function."""
    assert modules_after("import streampay") == {"streampay", "streampay._version"}


def test_webhooks_need_the_standard_library_only() -> None:
    """stripe-python #1799: whoever only checks a signature had to load a whole client."""
    loaded = {name.partition(".")[0] for name in modules_after("import streampay.webhooks")}
    assert loaded - set(sys.stdlib_module_names) == {"streampay"}
    assert "requests" not in loaded


def test_webhooks_make_the_classes_of_what_an_event_is_about_and_no_others() -> None:
    ours = {name for name in modules_after("import streampay.webhooks") if name.startswith("streampay.")}
    assert ours == {f"streampay.{name}" for name in ("_decoding", "_events", "_version", "errors", "webhooks")}
    decoding = "import streampay.webhooks; from streampay._events import decode_object; decode_object({wire})"
    about = "'id': 'cus_1', 'object': 'a_word_of_next_year'"
    assert not modules_after(decoding.format(wire=f"{{{about}}}")) & {"streampay.models", "streampay._payments"}
    about = "'object': 'payout', 'id': 'po_1', 'livemode': False, 'network': 'n', 'provider_reference': 'r', "
    about += "'status': 'paid', 'amount': '1.00', 'currency': 'USD', 'automatic': True, "
    about += "'arrives_on': '2026-11-20T09:00:00Z', 'created_at': '2026-11-20T09:00:00Z'"
    loaded = modules_after(decoding.format(wire=f"{{{about}}}"))
    assert "streampay._books" in loaded
    assert not loaded & {"streampay.models", "streampay._payments", "streampay._subscribers", "streampay._account"}


def test_the_annotations_of_every_object_can_be_resolved() -> None:
    """As frameworks do that look at types at run time."""
    kinds = [kind for kind in vars(models).values() if isinstance(kind, type) and issubclass(kind, models.Model)]
    assert len(kinds) > 30
    for kind in kinds:
        assert typing.get_type_hints(kind).keys() >= {field.name for field in dataclasses.fields(kind)}
    assert typing.get_type_hints(models.EventData)["object"] == models.EventObject


def test_the_client_loads_requests_at_once_and_no_pydantic() -> None:
    program = "import sys, streampay.client; print(*sys.modules)"
    loaded = set(subprocess.check_output([sys.executable, "-c", program], text=True).split())
    assert "requests" in loaded
    assert not {name for name in loaded if name.startswith(("pydantic", "flask", "gateway", "hosted_checkout"))}


def test_the_sync_client_loads_no_httpx_and_webhooks_no_asyncio() -> None:
    program = "import sys; from streampay import StreamPay; StreamPay('sk_test_12345678', base_url='http://h'); "
    loaded = set(subprocess.check_output([sys.executable, "-c", program + "print(*sys.modules)"], text=True).split())
    assert {"streampay.client"} == {"streampay.client", "httpx", "streampay._httpx"} & loaded
    assert "asyncio" not in modules_after("import streampay.webhooks")


def test_the_client_needs_nothing_that_requests_does_not_bring() -> None:
    program = "import sys; sys.modules['typing_extensions'] = None; import streampay.client, streampay.gateway"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_every_public_name_is_there_and_listed() -> None:
    for name in streampay.__all__:
        assert getattr(streampay, name) is not None
    assert set(streampay.__all__) <= set(dir(streampay))
    with pytest.raises(AttributeError, match="no attribute 'StreamPal'"):
        _ = streampay.StreamPal  # type: ignore[attr-defined]  # the point of the test
    fresh = importlib.import_module("streampay")
    assert fresh.webhooks.Webhook is streampay.Webhook


def test_every_error_is_a_streampay_error_and_drawn_in_the_tree() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert len(kinds) == 15
    for kind in kinds:
        assert issubclass(kind, errors.StreamPayError)
        assert kind.__name__ in (errors.__doc__ or "")
        assert kind.__name__ in streampay.__all__


@dataclass(frozen=True)
class Wheel:
    """A built wheel, its size in bytes, the names of its files, its METADATA by lines, and its entry points."""

    path: Path
    size: int
    names: frozenset[str]
    metadata: list[str]
    entry_points: str

    @property
    def requires(self) -> list[str]:
        """Return what it needs without an extra."""
        return [line for line in self.metadata if line.startswith("Requires-Dist") and "extra ==" not in line]


def opened(path: Path) -> Wheel:
    """Read a wheel."""
    with zipfile.ZipFile(path) as archive:
        about = {
            PurePath(name).name: archive.read(name).decode() for name in archive.namelist() if ".dist-info/" in name
        }
        names = frozenset(name for name in archive.namelist() if ".dist-info/" not in name)
    points = about.get("entry_points.txt", "")
    return Wheel(path, path.stat().st_size, names, about["METADATA"].splitlines(), points)


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Wheel]:
    """Build both wheels from the tree; `dev.py build` builds them from their source archives."""
    folder = tmp_path_factory.mktemp("wheels")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-w", str(folder)]
    built = subprocess.run([*command, str(SDK), str(SDK / "extras")], check=False, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    return {path.name.partition("-")[0]: opened(path) for path in folder.glob("*.whl")}


@pytest.mark.slow
def test_each_wheel_is_small(wheels: dict[str, Wheel]) -> None:
    assert wheels.keys() == MAX_WHEEL_BYTES.keys()
    assert {name: wheel.size for name, wheel in wheels.items() if wheel.size >= MAX_WHEEL_BYTES[name]} == {}


@pytest.mark.slow
def test_the_core_is_typed_and_needs_requests_alone(wheels: dict[str, Wheel]) -> None:
    core = wheels["streampay"]
    assert core.requires == ["Requires-Dist: requests<3,>=2.32"]
    assert {name.partition("/")[0] for name in core.names} == {"streampay"}
    assert "streampay/py.typed" in core.names
    assert not [name for name in core.names if name.startswith(tuple(f"streampay/{package}/" for package in BESIDE))]
    assert core.entry_points == ""


@pytest.mark.slow
def test_the_extras_bring_the_command_and_both_plugins(wheels: dict[str, Wheel]) -> None:
    extras = wheels["streampay_extras"]
    assert {name.split("/")[1] for name in extras.names - BESIDE_FILES} == set(BESIDE)
    assert {*BESIDE_FILES, "streampay/testing/samples.json"} <= extras.names
    points = configparser.ConfigParser()
    points.read_string(extras.entry_points)
    assert {group: points[group]["streampay"] for group in points.sections()} == {
        "console_scripts": "streampay.cli:main",
        "pytest11": "streampay.testing.plugin",
        "pretix.plugin": "streampay.adapters.pretix",
    }


@pytest.mark.slow
def test_no_file_is_in_both_wheels(wheels: dict[str, Wheel]) -> None:
    assert wheels["streampay"].names & wheels["streampay_extras"].names == frozenset()


@pytest.mark.slow
def test_every_extra_brings_what_it_stands_for_in_the_same_version(wheels: dict[str, Wheel]) -> None:
    metadata = wheels["streampay"].metadata
    offered = {line.removeprefix("Provides-Extra: ") for line in metadata if line.startswith("Provides-Extra")}
    prefix = f"Requires-Dist: streampay-extras=={streampay.__version__}; extra == "
    brought = {line.removeprefix(prefix).strip("'\"") for line in metadata if line.startswith(prefix)}
    assert brought == offered
    assert wheels["streampay_extras"].requires == [f"Requires-Dist: streampay=={streampay.__version__}"]


@pytest.mark.slow
def test_an_editable_installation_of_the_extras_copies_nothing(tmp_path: Path) -> None:
    """A copy would hide the sources that a developer changes."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel:editable", "-d", str(tmp_path)]
    subprocess.run(command, cwd=SDK / "extras", check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    assert {PurePath(name).suffix for name in opened(wheel).names} == {".pth"}


@pytest.mark.slow
def test_each_distribution_goes_without_harm_to_the_other(wheels: dict[str, Wheel], tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    core, extras = wheels["streampay"].path, wheels["streampay_extras"].path

    def python(*words: str | Path) -> str:
        done = subprocess.run([tmp_path / "venv/bin/python", "-I", *words], capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else done.stderr.strip().rpartition("\n")[2]

    def pip(*words: str | Path) -> None:
        python("-m", "pip", "-q", "--disable-pip-version-check", *words)

    works = "import streampay.webhooks, streampay.testing as t; print(t.event('payment.succeeded').event.type)"
    pip("install", "--no-deps", core, extras)
    assert python("-c", works) == "payment.succeeded"
    pip("uninstall", "-y", "streampay-extras")
    assert python("-c", "import streampay.webhooks as w; print(w.__name__)") == "streampay.webhooks"
    answer = python("-c", "from streampay import AsyncStreamPay")
    assert answer == 'ModuleNotFoundError: AsyncStreamPay comes with an extra: pip install "streampay[async]"'
    for package, extra in zip(BESIDE, ("flask", "cli", "testing"), strict=True):
        for words in (f"import streampay.{package}.anything", f"from streampay import {package}"):
            answer = python("-c", words)
            assert answer.startswith(f"ModuleNotFoundError: streampay.{package} comes with "), answer
            assert answer.endswith(f'pip install "streampay[{extra}]"')
    pip("install", "--no-deps", extras)
    pip("uninstall", "-y", "streampay")
    pip("install", "--no-deps", core)
    assert python("-c", works) == "payment.succeeded"
