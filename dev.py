#!/usr/bin/env python3
"""Everything a developer runs: demo, test, check, bench, build.

Needs Python 3.11 and the standard library alone. It makes ``.venv`` by itself, installs what a command needs, installs
again when a manifest changes, and prints each command that it runs.
"""

from __future__ import annotations

import sys

if sys.version_info < (3, 11):
    sys.exit(
        f"StreamPay needs Python 3.11 or newer, and this is {sys.version.split()[0]}.\n"
        "On Debian 12: apt-get install python3 python3-venv, then run this with /usr/bin/python3."
    )

import argparse
import ast
import contextlib
import getpass
import hashlib
import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import time
import venv
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
STAMP = VENV / "streampay-stamp.json"
MANIFESTS = ("setup.cfg", "pyproject.toml", "sdk/pyproject.toml", "sdk/extras/pyproject.toml")
SERVER_PACKAGES = ("gateway", "hosted_checkout", "donation_widget", "sandbox")
SDK_PACKAGE = "streampay"
# What is built as a distribution of its own, streampay-extras.
EXTRAS = (
    "streampay/_async.py",
    "streampay/_async_surface.py",
    "streampay/_async_surface.pyi",
    "streampay/_httpx.py",
    "streampay/adapters",
    "streampay/async_client.py",
    "streampay/cli",
    "streampay/gateway/sqlalchemy.py",
    "streampay/testing",
)
SCRIPTS = ("dev.py", "sdk/extras/hatch_build.py", "sdk/missing", "tests", "bench", "examples")

DEBIAN_PACKAGES = {  # command or file that proves presence -> packages that bring it
    "chromium": ("chromium", "fonts-dejavu-core", "fonts-noto-core"),
    "firefox-esr": ("firefox-esr",),
    "WebKitWebDriver": ("webkit2gtk-driver",),
    "Xvfb": ("xvfb",),
    "node": ("nodejs",),
    "npm": ("npm",),
    "pg_ctlcluster": ("postgresql",),
    "mariadbd": ("mariadb-server",),
    "php": ("php-cli", "php-curl", "php-mbstring", "php-sqlite3"),
}
SERVER_START_TIMEOUT_S = 60  # a first start initialises its files; a minute is ten times what it takes
BUILD_TOOLS = "build"


class CommandFailedError(Exception):
    """A command that dev.py ran did not succeed; carries its exit status."""

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


# --- running ---------------------------------------------------------------------------------------------------------


def say(text: str) -> None:
    """Print at once, so that our lines stand before those of the command they announce."""
    print(text, flush=True)


def announce(command: Sequence[str | Path]) -> list[str]:
    """Print a command as one could type it, and return its words."""
    words = [str(word) for word in command]
    say("$ " + shlex.join(word.replace(f"{ROOT}/", "") for word in words))
    return words


def status_of(command: Sequence[str | Path], *, cwd: Path = ROOT, env: dict[str, str] | None = None) -> int:
    """Run a command in full view and return its exit status."""
    words = announce(command)
    return subprocess.run(words, cwd=cwd, env={**os.environ, **(env or {})}, check=False).returncode


def run(command: Sequence[str | Path], *, cwd: Path = ROOT, env: dict[str, str] | None = None) -> None:
    """Run a command in full view.

    Raises:
        CommandFailedError: it ended with another status than 0.
    """
    status = status_of(command, cwd=cwd, env=env)
    if status != 0:
        raise CommandFailedError(f"that command failed with status {status}", status)


def output_of(command: Sequence[str | Path], *, cwd: Path = ROOT) -> str:
    """Run a quick question and return its answer; empty when the command failed or is not there."""
    try:
        done = subprocess.run([str(word) for word in command], cwd=cwd, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def become(command: Sequence[str | Path]) -> None:
    """Replace this process: signals, terminal and exit status then belong to the command alone."""
    words = announce(command)
    os.chdir(ROOT)
    os.execv(words[0], words)  # noqa: S606 - no shell is wanted


# --- the environment -------------------------------------------------------------------------------------------------


def venv_command(name: str) -> Path:
    """Return the path of a program inside the environment."""
    return VENV / "bin" / name


def manifest_digest(root: Path = ROOT) -> str:
    """Return one hash over the manifests: when it changes, dependencies may have."""
    digest = hashlib.sha256()
    for name in MANIFESTS:
        digest.update((root / name).read_bytes())
        digest.update(b"\0")
    return digest.hexdigest()


def read_stamp(stamp: Path = STAMP) -> tuple[str, set[str]]:
    """Return the manifest digest and the extras of the last installation; nothing when there was none."""
    try:
        content = json.loads(stamp.read_text())
        return str(content["digest"]), {str(extra) for extra in content["extras"]}
    except (OSError, ValueError, KeyError, TypeError):
        return "", set()


def missing_extras(wanted: Iterable[str], digest: str, stamp: Path = STAMP) -> set[str] | None:
    """Return the extras to install, those of earlier commands among them, or None when all is in place."""
    stamped, installed = read_stamp(stamp)
    if stamped == digest and set(wanted) <= installed:
        return None
    return installed | set(wanted)


def ensure_environment(*extras: str) -> None:
    """Make ``.venv`` when it is missing and install when a manifest changed or a command needs more."""
    if not output_of([venv_command("python"), "-c", "import pip; print(1)"]):
        create_environment(VENV)
    digest = manifest_digest()
    to_install = missing_extras(extras, digest)
    if to_install is None:
        return
    say("Installing what this command needs into .venv; the first time takes a minute or two.")
    target = f".[{','.join(sorted(to_install))}]" if to_install else "."
    pip_install(VENV, "--editable", target, "--editable", "./sdk", "--editable", "./sdk/extras")
    STAMP.write_text(json.dumps({"digest": digest, "extras": sorted(to_install)}))


def create_environment(folder: Path) -> None:
    """Make a virtual environment, or say what to install for it.

    Raises:
        CommandFailedError: this Python has no ensurepip (Debian packs it apart).
    """
    if importlib.util.find_spec("ensurepip") is None:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise CommandFailedError(
            "this Python cannot make a virtual environment: its ensurepip is missing.\n"
            f"Run: apt-get install python3-venv   (or python{version}-venv), then this command again."
        )
    announce([sys.executable, "-m", "venv", folder])
    venv.create(folder, with_pip=True, clear=folder.exists(), symlinks=True)


def pip_install(folder: Path, *what: str | Path, cwd: Path = ROOT) -> None:
    """Install into an environment; pip's own lines are the progress."""
    run([folder / "bin/python", "-m", "pip", "install", "--disable-pip-version-check", *what], cwd=cwd)


# --- test ------------------------------------------------------------------------------------------------------------


def test(arguments: argparse.Namespace, passed_on: list[str]) -> int:
    """Run the suites; with ``--all`` fetch the outside engines first and fail, instead of skip, without them."""
    ensure_environment("test", "check")
    options = ["--all"] if arguments.all else []
    if arguments.all:
        for step in (install_debian_packages, install_npm_packages, start_postgresql, start_mariadb):
            try:
                step()
            except CommandFailedError as error:
                say(f"{error}; the tests that need it will say so.")
    # One file stays on one worker, so its module fixtures are built once; `serial` tests lock the others out.
    spread = [] if passed_on else ["-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"]
    return status_of([venv_command("python"), "-m", "pytest", *spread, *options, *passed_on])


def as_root() -> list[str] | None:
    """Return the prefix that makes a command root's, or None when we may not."""
    if os.geteuid() == 0:
        return []
    if (
        shutil.which("sudo")
        and subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0
    ):
        return ["sudo", "-n"]
    return None


def has_program(name: str) -> bool:
    """Say whether a program is there, also where only root's PATH looks."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/local/sbin") is not None


def install_debian_packages() -> None:
    """Install the outside engines that are missing; without rights or apt, say what is missing and go on."""
    wanted = [name for name in DEBIAN_PACKAGES if not has_program(name) and not overridden(name)]
    packages = [package for name in wanted for package in DEBIAN_PACKAGES[name]]
    if not packages:
        return
    prefix = as_root()
    if prefix is None or shutil.which("apt-get") is None:
        say(f"Missing, and this user may not install it: apt-get install {' '.join(packages)}")
        return
    quiet = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y"]
    status_of([*quiet, "update"])  # one broken source must not hold up the others; the installation decides
    run([*quiet, "install", "--no-install-recommends", *packages])


def overridden(program: str) -> bool:
    """Say whether an environment variable points at a server elsewhere, so that none is needed here."""
    variable = {"pg_ctlcluster": "STREAMPAY_TEST_POSTGRES_URL", "mariadbd": "STREAMPAY_TEST_MARIADB_URL"}.get(program)
    return variable is not None and variable in os.environ


def npm_folders() -> list[Path]:
    """Return the folders under tests/ whose Node packages a lock file fixes."""
    locks = sorted((ROOT / "tests").rglob("package-lock.json"))
    return [lock.parent for lock in locks if "node_modules" not in lock.parts]


def install_npm_packages() -> None:
    """Run ``npm ci`` where a lock file changed since the last time."""
    for folder in npm_folders():
        digest = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
        stamp = folder / "node_modules" / ".streampay-stamp"
        if stamp.exists() and stamp.read_text() == digest:
            continue
        if shutil.which("npm") is None:
            say(f"Missing: npm, for {folder.relative_to(ROOT)}: apt-get install nodejs npm")
            continue
        if status_of(["npm", "ci", "--no-audit", "--no-fund"], cwd=folder) != 0:
            say(
                f"npm could not fetch the packages of {folder.relative_to(ROOT)}; the tests that need them will say so."
            )
            continue
        stamp.parent.mkdir(exist_ok=True)
        stamp.write_text(digest)


def server_answers(kind: str) -> bool:
    """Ask the suite's own search for a database server, so that both agree on where to look."""
    question = f"from tests.databases import server_url; print(server_url({kind!r}))"
    return bool(output_of([venv_command("python"), "-c", question]))


def wait_for_server(kind: str) -> None:
    """Wait until a database server that was just started answers the suite.

    Raises:
        CommandFailedError: it does not within SERVER_START_TIMEOUT_S.
    """
    deadline = time.monotonic() + SERVER_START_TIMEOUT_S
    while not server_answers(kind):
        if time.monotonic() > deadline:
            raise CommandFailedError(f"{kind} was started, but does not answer this user")
        time.sleep(1)
    say(f"{kind} answers; it stays up for the next run.")


def start_postgresql() -> None:
    """Start Debian's PostgreSQL cluster, make one when there is none, and let this user in; only when none answers."""
    prefix = as_root()
    if (
        server_answers("postgresql")
        or overridden("pg_ctlcluster")
        or prefix is None
        or not has_program("pg_ctlcluster")
    ):
        return
    version, name, state = postgresql_cluster(prefix)
    if state != "online":
        run([*prefix, "pg_ctlcluster", version, name, "start"])
    if not server_answers("postgresql"):
        # The socket knows a Unix user by his name (peer authentication): he only needs a role.
        make_role = ["createuser", "--superuser", getpass.getuser()]
        run([*prefix, "setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", *make_role], cwd=Path("/"))
    wait_for_server("postgresql")


def postgresql_cluster(prefix: list[str]) -> tuple[str, str, str]:
    """Return version, name and state of the first cluster; make one when there is none."""
    listed = output_of(["pg_lsclusters", "--no-header"])
    if not listed:
        version = max((path.name for path in Path("/usr/lib/postgresql").iterdir()), key=int)
        run([*prefix, "pg_createcluster", version, "main"])
        listed = output_of(["pg_lsclusters", "--no-header"])
    version, name, _port, state, *_ = listed.splitlines()[0].split()
    return version, name, state


def start_mariadb() -> None:
    """Start MariaDB and let this user in; only when none answers."""
    prefix = as_root()
    if server_answers("mariadb") or overridden("mariadbd") or prefix is None or not has_program("mariadbd"):
        return
    if not Path("/run/mysqld/mysqld.sock").exists():
        run([*prefix, "install", "-d", "-o", "mysql", "-g", "mysql", "/run/mysqld"])
        run(
            [
                *prefix,
                "start-stop-daemon",
                "--start",
                "--background",
                "--chuid",
                "mysql",
                "--exec",
                "/usr/sbin/mariadbd",
            ]
        )
    if os.geteuid() != 0:
        allow = f"GRANT ALL ON *.* TO '{getpass.getuser()}'@'localhost' IDENTIFIED VIA unix_socket"
        ready = ["mariadb-admin", "--wait=30", "--connect-timeout=2", "ping"]
        run([*prefix, *ready])
        run([*prefix, "mariadb", "-e", allow])
    wait_for_server("mariadb")


# --- check -----------------------------------------------------------------------------------------------------------


def checks() -> dict[str, list[str | Path]]:
    """Return every check by name."""
    typed = [name for name in (*SERVER_PACKAGES, f"sdk/{SDK_PACKAGE}", *SCRIPTS) if has_python(ROOT / name)]
    mypy = venv_command("mypy")
    return {
        "ruff check": [venv_command("ruff"), "check", "."],
        "ruff format": [venv_command("ruff"), "format", "--check", "."],
        "mypy": [mypy, "--strict", *typed],
        "mypy of the SDK on 3.10": [mypy, "--strict", "--python-version", "3.10", f"sdk/{SDK_PACKAGE}"],
        "lint-imports": [venv_command("lint-imports")],
    }


def has_python(path: Path) -> bool:
    """Say whether there is anything to check: mypy refuses an empty folder."""
    return path.is_file() or any(path.rglob("*.py"))


def check(_arguments: argparse.Namespace, _passed_on: list[str]) -> int:
    """Run every check, also after one failed, and report them all."""
    ensure_environment("test", "check")
    results = {}
    for name, command in checks().items():
        began = time.monotonic()
        results[name] = (status_of(command) == 0, time.monotonic() - began)
    say("")
    for name, (passed, took_s) in results.items():
        say(f"{'ok    ' if passed else 'FAILED'}  {name} ({took_s:.0f} s)")
    return 0 if all(passed for passed, _ in results.values()) else 1


# --- bench -----------------------------------------------------------------------------------------------------------


def bench_names(root: Path = ROOT) -> dict[str, str]:
    """Return every bench with the first line of its docstring."""
    found = {}
    for path in sorted((root / "bench").glob("*.py")):
        if path.stem not in {"__init__", "harness"}:
            documented = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
            found[path.stem.replace("_", "-")] = documented.partition("\n")[0]
    return found


def bench(arguments: argparse.Namespace, passed_on: list[str]) -> int:
    """List the benches, or run one."""
    names = bench_names()
    if arguments.name is None:
        for name, line in names.items():
            say(f"{name:12} {line}")
        return 0
    if arguments.name not in names:
        raise CommandFailedError(f"there is no bench {arguments.name}; there are: {', '.join(names) or 'none yet'}", 2)
    ensure_environment("test", "bench")
    flags = ["--json"] if arguments.json else []
    become([venv_command("python"), "-m", f"bench.{arguments.name.replace('-', '_')}", *flags, *passed_on])
    return 0


# --- build -----------------------------------------------------------------------------------------------------------


def build(_arguments: argparse.Namespace, _passed_on: list[str]) -> int:
    """Build the three distributions into dist/, install them into clean environments and verify them there."""
    ensure_environment(BUILD_TOOLS)
    dist = ROOT / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    for source in (ROOT, ROOT / "sdk", ROOT / "sdk" / "extras"):
        # The wheel is built out of the source archive, so the archive is proved to be whole as well.
        run([venv_command("python"), "-m", "build", "--outdir", dist, source])
    names = ("streampay_server", "streampay", "streampay_extras")
    server, sdk, extras = (next(dist.glob(f"{name}-*.whl")) for name in names)
    problems = wheel_problems(server, source_files(ROOT, SERVER_PACKAGES))
    problems += wheel_problems(sdk, sdk_files())
    problems += wheel_problems(extras, source_files(ROOT / "sdk", EXTRAS))
    problems += sdk_dependency_problems(sdk)
    problems += install_problems([server], SERVER_PACKAGES, ["bin/streampay-server", "--help"])
    problems += install_problems([sdk], ["streampay.client", "streampay.gateway"], ["bin/pip", "check"])
    # pip refuses these two together, unless each is the version that the other asks for.
    beside = [part.removesuffix(".py").replace("/", ".") for part in EXTRAS if not part.endswith(".pyi")]
    problems += install_problems([f"{sdk}[async,cli,sqlalchemy]", extras], beside, ["bin/streampay", "--help"])
    for problem in problems:
        say(f"build: {problem}")
    built = f"{server.name}, {sdk.name} and {extras.name}"
    say("build: FAILED" if problems else f"build: ok, {built} are in dist/")
    return 1 if problems else 0


def source_files(root: Path, paths: Iterable[str]) -> set[str]:
    """Return what belongs into a wheel: files that git tracks or would track, by its pathspecs (``:!`` leaves out)."""
    listed = output_of(["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *paths], cwd=root)
    if not listed:
        raise CommandFailedError("git does not list the sources, so nothing can be compared with the wheels")
    return {name for name in listed.splitlines() if (root / name).is_file()}


def sdk_files() -> set[str]:
    """Return what belongs into the SDK's wheel: its tree without the extras, and what stands in for them."""
    own = source_files(ROOT / "sdk", (SDK_PACKAGE, *(f":!{part}" for part in EXTRAS)))
    return own | {f"{SDK_PACKAGE}/{name}" for name in source_files(ROOT / "sdk" / "missing", ["."])}


def wheel_problems(wheel: Path, sources: set[str]) -> list[str]:
    """Compare a wheel with its sources: nothing missing, nothing that belongs elsewhere."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
    shipped = {name for name in names if ".dist-info/" not in name}
    problems = [f"{wheel.name} lacks {name}" for name in sorted(sources - shipped)]
    return problems + [f"{wheel.name} holds {name}, which is not its own" for name in sorted(shipped - sources)]


def sdk_dependency_problems(wheel: Path) -> list[str]:
    """Hold the SDK to its promise: a merchant who asks for no extra gets requests, and nothing else."""
    with zipfile.ZipFile(wheel) as archive:
        metadata = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        lines = archive.read(metadata).decode().splitlines()
    required = [line.removeprefix("Requires-Dist: ") for line in lines if line.startswith("Requires-Dist: ")]
    required = [requirement for requirement in required if "extra ==" not in requirement]  # those come when asked for
    if [re.split(r"[^A-Za-z0-9._-]", requirement)[0] for requirement in required] == ["requests"]:
        return []
    return [f"{wheel.name} must depend on requests alone, and depends on {required}"]


def install_problems(wheels: Sequence[str | Path], packages: Sequence[str], command: Sequence[str]) -> list[str]:
    """Install wheels into a clean temporary environment, import packages there and run one command of theirs."""
    imports = f"import {', '.join(packages)}; print({packages[0]}.__file__)"
    with temporary_folder() as folder:
        clean = folder / "venv"
        create_environment(clean)
        pip_install(clean, "--quiet", *wheels, cwd=folder)
        statuses = [
            status_of([clean / "bin/python", "-c", imports], cwd=folder),
            status_of([clean / command[0], *command[1:]], cwd=folder),
        ]
    installed = " and ".join(Path(wheel).name for wheel in wheels)
    failed = [f"the import of {', '.join(packages)}", Path(command[0]).name]
    return [
        f"{installed}: {what} failed once installed" for what, status in zip(failed, statuses, strict=True) if status
    ]


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """Lend a folder far from the sources, so that nothing is imported from them by accident."""
    with tempfile.TemporaryDirectory(prefix="streampay-build-") as name:
        yield Path(name)


# --- demo ------------------------------------------------------------------------------------------------------------


def demo(arguments: argparse.Namespace, passed_on: list[str]) -> int:
    """Start the whole street on this machine; needs no network once installed, no keys, no account."""
    ensure_environment()
    flags = ["--check"] if arguments.check else []
    flags += ["--port-base", arguments.port_base] if arguments.port_base else []
    become([venv_command("python"), "-m", "sandbox.demo", *flags, *passed_on])
    return 0


# --- the command line ------------------------------------------------------------------------------------------------


def parser() -> argparse.ArgumentParser:
    """Return the command line: five commands, each with its help."""
    top = argparse.ArgumentParser(prog="dev.py", description=__doc__, allow_abbrev=False)
    commands = top.add_subparsers(dest="command", required=True, metavar="demo | test | check | bench | build")

    def add(name: str, function: Callable[[argparse.Namespace, list[str]], int], text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        command.set_defaults(function=function, takes_more=False)
        return command

    command = add("demo", demo, "start gateway, shop, dev chain, Test Bank and test exchange, and print one link")
    command.add_argument(
        "--check", action="store_true", help="buy by card and by wallet by itself over HTTP, verify it, and end"
    )
    command.add_argument(
        "--port-base", metavar="N", help="shift every port, to run beside another demo (then in .demo-N)"
    )
    command.set_defaults(takes_more=True)
    command = add("test", test, "run the suites; other arguments go to pytest")
    command.add_argument(
        "--all",
        action="store_true",
        help="install missing engines from Debian and npm where allowed; fail, instead of skip, without them",
    )
    command.set_defaults(takes_more=True)
    add("check", check, "run ruff, mypy --strict and the import contracts")
    command = add("bench", bench, "measure one thing beside its peer or limit; without a name, list the benches")
    command.add_argument("name", nargs="?", metavar="NAME", help="the bench to run")
    command.add_argument("--json", action="store_true", help="end with one line of JSON: {bench, figures}")
    command.set_defaults(takes_more=True)
    add("build", build, "build the three wheels and prove each in a clean environment")
    return top


def main(words: Sequence[str]) -> int:
    """Run one command and return its exit status."""
    top = parser()
    arguments, passed_on = top.parse_known_args(words)
    if passed_on and not arguments.takes_more:
        top.error(f"{arguments.command} does not know {' '.join(passed_on)}")
    try:
        status: int = arguments.function(arguments, passed_on)
    except CommandFailedError as error:
        print(f"dev.py {arguments.command}: {error}", file=sys.stderr)
        return error.status
    except KeyboardInterrupt:
        return 130
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
