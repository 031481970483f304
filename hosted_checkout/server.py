"""What a server process runs: the app, and the background work in threads when the settings say so."""

from multiprocessing.util import Finalize
from typing import Final

from flask import Flask

from donation_widget import Scribe
from gateway.kernel.log import Log, configure_logging
from gateway.settings import load_settings
from gateway.storage.database import DatabaseUnavailableError
from gateway.wiring import House, build_house
from gateway.workers.loops import Workers, all_loops, serving_loops
from hosted_checkout.app import create_app

_LAST: Final = 0  # priority among what a process does at its end; lower ones than ours have nothing of ours
log = Log("server")


def application() -> Flask:
    """Build the app inside the server process: threads do not survive a fork, and none is started at import."""
    settings = load_settings()
    configure_logging(settings.log_level)
    house = build_house(settings, composer=Scribe())
    _follow_clock(house)
    workers = Workers((all_loops if settings.background else serving_loops)(house.work))
    workers.start()
    # Not `atexit`: a forked process leaves without it. This runs in any process, after the last request is answered.
    Finalize(None, _end, (workers, house), exitpriority=_LAST)
    log.info("server_ready", base_url=settings.base_url, database=house.db.dialect, background=settings.background)
    return create_app(house)


def _follow_clock(house: House) -> None:
    """Know a test clock's time before the first request; with the database away, its loop learns it later."""
    try:
        house.engine.clockwork.follow()
    except DatabaseUnavailableError as error:
        log.warning("test_clock_not_read", reason=error.reason)


def _end(workers: Workers, house: House) -> None:
    workers.stop()
    house.close()
    log.info("server_ended")
