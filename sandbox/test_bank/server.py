"""The bank on a loopback port, for tests and for the demo.

A small threaded HTTP/1.1 server that keeps connections open: a storm of ten thousand calls would else spend its time on
opening them. Right for a sandbox, wrong for anything that faces a network.
"""

import contextlib
import ipaddress
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import unquote_to_bytes

from werkzeug.wsgi import ClosingIterator

from sandbox.test_bank.app import DROPPED, MAX_BODY_BYTES, create_app
from sandbox.test_bank.bank import Bank

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_IDLE_S: Final = 30
"""A connection that says nothing for so long is closed."""
_STOP_POLL_S: Final = 0.05
_JOIN_S: Final = 5
_DRAINED_BYTES: Final = 16_000_000
_BACKLOG: Final = 512
"""Connections that wait to be taken: a storm opens hundreds at once."""


@dataclass(slots=True)
class _Started:
    """What an application says before the body."""

    status: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)


class _Server(ThreadingHTTPServer):
    """Serves one WSGI application, and can end the connections that are open."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = _BACKLOG

    def __init__(self, host: str, port: int) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.app: WSGIApplication | None = None
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__((host, port), _Handler)

    def opened(self, connection: socket.socket) -> None:
        """Remember a connection."""
        with self._lock:
            self._connections.add(connection)

    def closed(self, connection: socket.socket) -> None:
        """Forget a connection."""
        with self._lock:
            self._connections.discard(connection)

    def hang_up(self) -> None:
        """End every connection."""
        with self._lock:
            for connection in self._connections:
                _shut(connection)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of callers who went away in the middle: storms do that on purpose."""


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    timeout = _IDLE_S
    # An answer that waits for the last one's receipt would take 40 ms (Nagle's algorithm and delayed receipts).
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        """Begin."""
        super().setup()
        self.server.opened(self.connection)

    def finish(self) -> None:
        """End."""
        self.server.closed(self.connection)
        super().finish()

    def answer(self) -> None:
        """Answer one request by the application."""
        length = self.headers.get("Content-Length", "0")
        if not (length.isascii() and length.isdigit()) or "Transfer-Encoding" in self.headers:
            self.close_connection = True
            self.send_error(HTTPStatus.LENGTH_REQUIRED)
            return
        if int(length) > MAX_BODY_BYTES:
            self._refuse_body(int(length))
            return
        environ = self._environ(self.rfile.read(int(length)))
        assert self.server.app is not None, "it serves one"
        started, body = _run(self.server.app, environ)
        if environ.get(DROPPED):
            self.close_connection = True
            _shut(self.connection)
            return
        self._send(started, body)

    def _refuse_body(self, length: int) -> None:
        # A caller who is cut off while he sends never reads the refusal, so some of the body is read and forgotten.
        self.rfile.read(min(length, _DRAINED_BYTES))
        self.close_connection = True
        self.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)

    do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = do_HEAD = do_OPTIONS = answer  # noqa: N815 - http.server's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Say nothing."""

    def _send(self, started: _Started, body: bytes) -> None:
        lines = [f"HTTP/1.1 {started.status}", *(f"{name}: {value}" for name, value in started.headers)]
        if self.close_connection:
            lines.append("Connection: close")
        self.wfile.write("\r\n".join([*lines, "", ""]).encode("latin-1") + (b"" if self.command == "HEAD" else body))

    def _environ(self, body: bytes) -> dict[str, Any]:
        path, _, query = self.path.partition("?")
        host, port = self.server.server_address[:2]
        environ: dict[str, Any] = {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "SERVER_NAME": str(host),
            "SERVER_PORT": str(port),
            "SERVER_PROTOCOL": self.request_version,
            "REMOTE_ADDR": str(self.client_address[0]),
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name, value in self.headers.items():
            if "_" not in name:  # a header with an underscore could pass for one with a dash
                environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
        return environ


def _run(app: "WSGIApplication", environ: dict[str, Any]) -> tuple[_Started, bytes]:
    """Return an application's whole answer (PEP 3333; nothing here streams)."""
    started = _Started()

    def start(status: str, headers: list[tuple[str, str]], _: object = None, /) -> Callable[[bytes], object]:
        started.status, started.headers = status, headers
        return lambda _: None

    chunks = app(environ, start)
    try:
        return started, b"".join(chunks)
    finally:
        if isinstance(chunks, ClosingIterator):
            chunks.close()


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


class RunningBank:
    """A bank that is being served; close it, or use it as a context manager.

    Attributes:
        bank: the bank, for tests in the same process.
        url: its address, for `base_addresses` and for people.
    """

    def __init__(self, bank: Bank, http: _Server, url: str) -> None:
        self.bank = bank
        self.url = url
        self._http = http
        self._thread = threading.Thread(
            target=http.serve_forever, args=(_STOP_POLL_S,), name="test-bank-http", daemon=True
        )
        self._thread.start()
        bank.start()

    def close(self) -> None:
        """Stop serving, free the port and close the bank."""
        self.bank.stopping.set()
        self._http.shutdown()
        self._thread.join(_JOIN_S)
        self._http.server_close()
        self._http.hang_up()
        self.bank.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def serve(
    bank: Bank | None = None, *, app: "WSGIApplication | None" = None, host: str = "127.0.0.1", port: int = 0
) -> RunningBank:
    """Serve a bank in threads of this process.

    Args:
        bank: the bank; by default a fresh one that forgets.
        app: an application that serves the bank among others; by default the bank's own.
        host: a loopback address.
        port: 0 takes a free one.

    Raises:
        ValueError: the host is not a loopback address: anybody may take what he likes from this bank.
        OSError: the port is taken.
    """
    if not ipaddress.ip_address(host).is_loopback:
        raise ValueError("the test bank is served on a loopback address only")
    bank = bank or Bank()
    http = _Server(host, port)
    url = f"http://{f'[{host}]' if ':' in host else host}:{http.server_address[1]}"
    bank.vault.base_url = bank.vault.base_url or url
    http.app = app or create_app(bank)
    return RunningBank(bank, http, url)
