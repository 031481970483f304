"""Processes of the demo: started with a log of their own, waited for, and ended kindly first."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Final

import requests

ROOT: Final = Path(__file__).resolve().parents[2]
START_LIMIT_S: Final = 60.0  # a slow machine under load still starts everything within this
STOP_LIMIT_S: Final = 10.0


class DemoError(Exception):
    """The demo cannot go on; the message says why and what to do."""


class Process:
    """One process of the demo; its output goes to a file."""

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.log = log
        self._file: IO[bytes] = log.open("wb")
        # A group of its own: Ctrl-C reaches the demo alone, which then ends everything in order.
        self._process = subprocess.Popen(  # noqa: S603 - our own commands
            command,
            env=dict(environment),
            cwd=ROOT,
            stdout=self._file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def stop(self) -> None:
        """End it and its children, kindly first."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, number)
                self._process.wait(STOP_LIMIT_S)
                break
            except ProcessLookupError:
                break
            except subprocess.TimeoutExpired:
                continue
        self._process.poll()
        self._file.close()

    def complaint(self) -> str:
        """Return the last lines of its output."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])


def run(command: Sequence[str], environment: Mapping[str, str]) -> str:
    """Run one of our own commands to its end; return what it printed.

    Raises:
        DemoError: it failed.
    """
    done = subprocess.run(  # noqa: S603 - our own command
        command, env=dict(environment), cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise DemoError(f"{' '.join(command[2:])} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def await_answer(process: Process, url: str) -> None:
    """Wait until `url` answers anything below 500."""
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline:
        if not process.is_alive:
            raise DemoError(f"{process.name} did not start:\n{process.complaint()}")
        try:
            if requests.get(url, timeout=2).status_code < requests.codes.server_error:
                return
        except requests.RequestException:
            time.sleep(0.05)
    raise DemoError(f"{process.name} did not answer within {START_LIMIT_S:.0f} s:\n{process.complaint()}")
