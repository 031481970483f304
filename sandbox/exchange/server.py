"""The test exchange on a loopback port, for tests and for the demo."""

import ipaddress
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from werkzeug.serving import WSGIRequestHandler, make_server

from sandbox.exchange.app import addresses, create_app
from sandbox.exchange.market import Market


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningExchange:
    """A test exchange that is being served at `url`; `addresses` are its sources' addresses by name."""

    url: str
    addresses: dict[str, str]
    market: Market


class _QuietHandler(WSGIRequestHandler):
    """A test's output is no access log."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


@contextmanager
def serve(market: Market | None = None, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[RunningExchange]:
    """Serve an exchange in threads of this process until the block ends; port 0 takes a free one.

    Raises:
        ValueError: the host is not a loopback address: prices that anybody may set are for this machine only.
        OSError: the port is taken.
    """
    if not ipaddress.ip_address(host).is_loopback:
        raise ValueError("the test exchange is served on a loopback address only")
    exchange = market or Market()
    # Bound here, because a taken port makes werkzeug end the whole process.
    listener = socket.create_server((host, port))
    server = make_server(
        host, port, create_app(exchange), threaded=True, request_handler=_QuietHandler, fd=listener.fileno()
    )
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="exchange", daemon=True)
    thread.start()
    url = f"http://{host}:{listener.getsockname()[1]}"
    try:
        yield RunningExchange(url=url, addresses=addresses(url), market=exchange)
    finally:
        exchange.stopping.set()
        server.shutdown()
        server.server_close()
        listener.close()
        thread.join()
