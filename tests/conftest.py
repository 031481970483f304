"""What every suite shares: outside engines, fresh databases, a browser, and walls against the network.

An outside engine (a browser, PostgreSQL, MariaDB, Node, PHP) that is missing skips its tests with one line that says
how to get it; under ``--all`` (or ``STREAMPAY_TEST_ALL=1``) it fails them instead. Tests marked ``serial`` hold a lock
that no other test may share, so timings stay honest under xdist.
"""

import fcntl
import gc
import ipaddress
import logging
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from tests.databases import KINDS, DatabaseServers, EngineMissingError

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHROMIUM_PATHS = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")
# A browser that looks for updates on a machine without network, or lives off a small /dev/shm, stalls under load.
QUIET_CHROMIUM = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--disable-gpu",
)
ALL_VARIABLE = "STREAMPAY_TEST_ALL"
LOCK_VARIABLE = "STREAMPAY_TEST_LOCK"
DEEP_VARIABLE = "PYTEST_STREAMPAY_DEEP"
STRIPE_KEY_VARIABLE = "STRIPE_TEST_KEY"  # with it, the contract of the Test Bank is asked of Stripe's test mode too
STRIPE_HOST = "api.stripe.com"
MARKERS = {
    "serial": "never runs beside another test: it measures time, or needs the whole machine",
    "slow": "takes more than five seconds",
    "deep": "takes more than twenty: runs with --all, or when its file is named",
    "browser": "drives a real Chromium; runs after every other test",
}
# Browsers and other people's shops fail now and then on a busy machine. Under --all they may try once more, and the
# summary names who did: look at each, for it may be ours. Nothing else gets a second chance: a race is a fault.
SHOPS = Path(__file__).parent / "plugin"
# Playwright's synchronous API leaves an event loop running in its thread until its module is over, and asyncio.run()
# refuses to start in it. Browser tests therefore come last in their file; files with browser or serial tests come last.
_LAST = {"serial": 1, "browser": 2}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--all``: a missing outside engine fails its tests."""
    parser.addoption("--all", action="store_true", help="fail, instead of skip, tests whose outside engine is missing")


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers and raise the walls."""
    for name, meaning in MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")
    if config.getoption("--all"):
        os.environ[ALL_VARIABLE] = "1"  # xdist workers and the servers that tests start inherit it
    if not _is_xdist_worker(config):
        is_named = config.args_source is not pytest.Config.ArgsSource.TESTPATHS
        if is_named or config.getoption("--all"):
            os.environ[DEEP_VARIABLE] = "1"
        handle, os.environ[LOCK_VARIABLE] = tempfile.mkstemp(prefix="streampay-tests-")
        os.close(handle)
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost,::1"
    if os.environ.get(STRIPE_KEY_VARIABLE):
        _open_the_wall_for_stripe()
    sys.addaudithook(_refuse_outside_world)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what uses the browser and bring tests into an order in which they do not disturb each other."""
    _leave_out_deep(config, items)
    for item in items:
        if "chromium" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")
        if config.getoption("--all") and (item.get_closest_marker("browser") or item.path.parent == SHOPS):
            item.add_marker(pytest.mark.flaky(reruns=1))
    ranks = {
        item: max((rank for name, rank in _LAST.items() if item.get_closest_marker(name)), default=0) for item in items
    }
    file_ranks: dict[Path, int] = {}
    for item, rank in ranks.items():
        file_ranks[item.path] = max(rank, file_ranks.get(item.path, 0))
    positions = {path: position for position, path in enumerate(file_ranks)}
    items.sort(key=lambda item: (file_ranks[item.path], positions[item.path], ranks[item]))


def pytest_collection_finish() -> None:
    """Keep what collecting left behind out of sight of the garbage collector, whose full turns look at everything."""
    gc.collect()
    gc.freeze()


def _leave_out_deep(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the longest tests to ``--all``, unless somebody asks for them by name: ten minutes are the limit."""
    if DEEP_VARIABLE in os.environ:
        return
    deep = [item for item in items if item.get_closest_marker("deep")]
    if deep:
        config.hook.pytest_deselected(items=deep)
        items[:] = [item for item in items if item not in deep]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Give a ``serial`` test the machine for itself: it holds exclusively the lock that all the others share."""
    with Path(os.environ[LOCK_VARIABLE]).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX if item.get_closest_marker("serial") else fcntl.LOCK_SH)
        return (yield)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the lock file of this run."""
    if not _is_xdist_worker(config):
        Path(os.environ[LOCK_VARIABLE]).unlink(missing_ok=True)


def _is_xdist_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures that tests measured, each beside its limit."""
    reports = terminalreporter.stats.get("passed", []) + terminalreporter.stats.get("failed", [])
    figures = [value for report in reports for name, value in report.user_properties if name == "figure"]
    if figures:
        terminalreporter.section("figures")
        for line in figures:
            terminalreporter.write_line(line)


@pytest.fixture(autouse=True)
def root_logger() -> Iterator[logging.Logger]:
    """Give the root logger back as it was: a command that runs in this process takes it over for good."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield root
    root.setLevel(level)
    for handler in [one for one in root.handlers if one not in handlers]:
        root.removeHandler(handler)


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Callable[[str, object, str], None]:
    """Print a measured figure in the run's summary: ``figure("p99_ms", 14, "<= 30")``."""

    def record(name: str, value: object, limit: str) -> None:
        record_property("figure", f"{name} = {value} (limit {limit})")

    return record


# --- outside engines ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def engine_missing() -> Callable[[str, str], NoReturn]:
    """Return ``(what, how_to_get) -> NoReturn``: skips the test with one line, or fails it under ``--all``."""

    def missing(what: str, how_to_get: str) -> NoReturn:
        reason = f"{what} is missing: {how_to_get}"
        if os.environ.get(ALL_VARIABLE) == "1":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)

    return missing


@pytest.fixture(scope="session")
def node(engine_missing: Callable[[str, str], NoReturn]) -> str:
    """Return the path of Node."""
    return shutil.which("node") or engine_missing("Node", "apt-get install nodejs npm")


@pytest.fixture(scope="session")
def php(engine_missing: Callable[[str, str], NoReturn]) -> str:
    """Return the path of PHP; the plugin's tests need it with curl, mbstring and sqlite."""
    return shutil.which("php") or engine_missing("PHP", "apt-get install php-cli php-curl php-mbstring php-sqlite3")


def chromium_path() -> str | None:
    """Return where Chromium is; None where it is not installed."""
    return next((path for path in CHROMIUM_PATHS if Path(path).exists()), None)


def chromium_arguments() -> list[str]:
    """Return what it is started with; its sandbox refuses to run as root."""
    return [*(["--no-sandbox"] if os.geteuid() == 0 else []), *QUIET_CHROMIUM]


@pytest.fixture(scope="module")
def chromium(engine_missing: Callable[[str, str], NoReturn]) -> Iterator["Browser"]:
    """Start one real Chromium for a module; each test opens its own context in it."""
    path = chromium_path()
    if path is None:
        engine_missing("Chromium", "apt-get install --no-install-recommends chromium fonts-dejavu-core fonts-noto-core")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=chromium_arguments())
        yield browser
        browser.close()


# --- databases ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def database_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabaseServers]:
    """Own every database that this process creates, and drop them all at the end."""
    servers = DatabaseServers(tmp_path_factory.mktemp("sqlite"))
    yield servers
    servers.drop_all()


@pytest.fixture(scope="session")
def create_database(
    database_servers: DatabaseServers, engine_missing: Callable[[str, str], NoReturn]
) -> Callable[[str], str]:
    """Return ``(kind) -> url`` of a fresh empty database; kinds: ``sqlite``, ``postgresql``, ``mariadb``."""

    def create(kind: str) -> str:
        try:
            return database_servers.create(kind)
        except EngineMissingError as error:
            engine_missing(error.what, error.how_to_get)

    return create


@pytest.fixture(scope="session")
def copy_database(database_servers: DatabaseServers) -> Callable[[str], str]:
    """Return ``(url) -> url`` of a fresh copy: schema and rows, far quicker than migrating again.

    Nobody may be connected to the source while it is copied; dispose its engine first.
    """
    return database_servers.copy


@pytest.fixture(scope="session", params=KINDS)
def database_kind(request: pytest.FixtureRequest) -> str:
    """Run the test once for every database we support."""
    kind: str = request.param
    return kind


@pytest.fixture(scope="module")
def database_url(database_kind: str, create_database: Callable[[str], str]) -> str:
    """Return the URL of an empty database of this kind, one for each test module."""
    return create_database(database_kind)


@pytest.fixture
def fresh_database_url(database_kind: str, create_database: Callable[[str], str]) -> str:
    """Return the URL of an empty database of this kind, one for each test."""
    return create_database(database_kind)


@pytest.fixture
def sqlite_url(create_database: Callable[[str], str]) -> str:
    """Return the URL of an empty SQLite file, one for each test."""
    return create_database("sqlite")


@pytest.fixture
def postgres_url(create_database: Callable[[str], str]) -> str:
    """Return the URL of an empty PostgreSQL database, one for each test."""
    return create_database("postgresql")


@pytest.fixture
def mariadb_url(create_database: Callable[[str], str]) -> str:
    """Return the URL of an empty MariaDB database, one for each test."""
    return create_database("mariadb")


# --- no network --------------------------------------------------------------------------------------------------


class OutsideWorldError(RuntimeError):
    """A test tried to reach beyond this machine."""


def _is_loopback(host: str) -> bool:
    if host in {"", "localhost"} or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


_stripe_addresses: set[str] = set()  # those that Stripe's name led to; empty without a key


def _open_the_wall_for_stripe() -> None:
    """Remember where Stripe's name leads, so that connections to these addresses alone may leave."""
    resolve = socket.getaddrinfo

    def remember(host: bytes | str | None, *options: Any, **named: Any) -> list[Any]:
        found = resolve(host, *options, **named)
        if host == STRIPE_HOST:
            _stripe_addresses.update(str(address[0]) for *_, address in found)
        return found

    socket.getaddrinfo = remember


def _may_resolve(host: str) -> bool:
    is_stripe = host == STRIPE_HOST and bool(os.environ.get(STRIPE_KEY_VARIABLE))
    return is_stripe or _is_loopback(host) or _is_address(host)


def _refuse_outside_world(event: str, arguments: tuple[object, ...]) -> None:
    """Audit hook: connections leave only to loopback; names resolve only there, as on a machine without network."""
    match event, arguments:
        case (("socket.connect" | "socket.sendto"), (_, (str(host), *_))) if not (
            _is_loopback(host) or host in _stripe_addresses
        ):
            raise OutsideWorldError(f"tests talk to loopback only, and this one tried {host}")
        case "socket.getaddrinfo", (str() | bytes() as name, *_):
            host = name.decode("ascii", "replace") if isinstance(name, bytes) else name
            if not _may_resolve(host):
                raise socket.gaierror(
                    socket.EAI_NONAME, f"tests resolve loopback names only, and this one asked {host}"
                )
