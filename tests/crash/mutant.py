"""A server with a hole: it acknowledges before the commit. A harness that does not find it is worthless."""

import time
from concurrent.futures import Future
from typing import Any

from flask import Flask
from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels
from sqlalchemy import Connection

from gateway.settings import load_settings
from gateway.storage import sqlite
from hosted_checkout import server

LAZY_S = 0.05  # how long the commit trails behind the answer


def application() -> Flask:
    """Break the writer, then build the real app."""
    sqlite._commit_group = _acknowledge_first  # the hole
    return server.application()


def _acknowledge_first(connection: Connection, group: list[tuple[Any, Future[Any]]]) -> None:
    with connection.begin():
        for verb, future in group:
            result, failure = sqlite._in_savepoint(connection, verb)
            if failure is None:
                future.set_result(result)
            else:
                future.set_exception(failure)
        time.sleep(LAZY_S)


def main() -> None:
    """Serve as `streampay-server serve` does, but for the hole."""
    settings = load_settings()
    Granian(
        "tests.crash.mutant:application",
        factory=True,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=settings.serving_threads,
        log_level=LogLevels.warning,
    ).serve()


if __name__ == "__main__":
    main()
