"""The dev chain on two loopback ports: JSON-RPC over HTTP, and subscriptions over WebSocket one port above.

The servers are small threaded ones: right for a sandbox, wrong for anything that faces a network, which is why other
than loopback addresses are refused.
"""

import ipaddress
import socket
import threading
from types import TracebackType
from typing import Self

from flask import Flask, Response, request
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from sandbox.devchain.chain import DevChain
from sandbox.devchain.rpc import MAX_BODY_BYTES, answer_body
from sandbox.devchain.websocket import SubscriptionServer

_IDLE_S = 30
"""A kept connection is closed after this many silent seconds."""
_JOIN_S = 5
_HIGHEST_PORT = 65_535
_STOP_POLL_S = 0.05
"""Longest time until ``close`` is noticed."""


class _QuietHandler(WSGIRequestHandler):
    """Keeps connections open, as nodes do, and writes no access log."""

    protocol_version = "HTTP/1.1"
    timeout = _IDLE_S

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 -- the base class names it so
        """Say nothing: a wallet page polls every second."""


def create_app(chain: DevChain) -> Flask:
    """Return the WSGI application: POST / for calls, GET /health as nodes have it."""
    app = Flask("sandbox.devchain")
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES

    @app.post("/")
    def call() -> Response:
        reply = answer_body(chain, request.get_data())
        kind = "application/json" if reply.status < 400 else "text/plain"  # noqa: PLR2004 -- HTTP's border
        return Response(reply.body, status=reply.status, content_type=kind)

    @app.get("/health")
    def health() -> Response:
        return Response("ok", content_type="text/plain")

    @app.route("/", methods=["OPTIONS"], provide_automatic_options=False)
    def preflight() -> Response:
        return Response(status=204)

    @app.after_request
    def allow_every_origin(response: Response) -> Response:
        # Wallets and checkout pages of any origin call a node from the browser; public RPC nodes answer the same.
        response.headers["Access-Control-Allow-Origin"] = "*"
        response.headers["Access-Control-Allow-Headers"] = "*"
        response.headers["Access-Control-Allow-Methods"] = "POST, GET, OPTIONS"
        response.headers["Access-Control-Allow-Private-Network"] = "true"
        response.headers["Access-Control-Max-Age"] = "86400"
        return response

    return app


class RunningServer:
    """A dev chain being served; close it, or use it as a context manager.

    Attributes:
        chain: the core, for tests in the same process.
        url: the JSON-RPC address.
        ws_url: the WebSocket address.
    """

    def __init__(self, chain: DevChain, http: BaseWSGIServer, subscriptions: SubscriptionServer, host: str) -> None:
        self.chain = chain
        self._http = http
        self._subscriptions = subscriptions
        self.url = f"http://{_in_url(host)}:{http.port}"
        self.ws_url = f"ws://{_in_url(host)}:{subscriptions.port}"
        self._thread = threading.Thread(
            target=http.serve_forever, args=(_STOP_POLL_S,), name="devchain-http", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop both servers and free the ports."""
        self._subscriptions.close()
        self._http.shutdown()
        self._thread.join(_JOIN_S)
        self._http.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def serve(chain: DevChain, *, host: str = "127.0.0.1", port: int = 0, ws_port: int | None = None) -> RunningServer:
    """Serve a chain until ``close``.

    Args:
        chain: the chain.
        host: a loopback address.
        port: the HTTP port; 0 lets the system choose both ports, one above the other.
        ws_port: the WebSocket port; by default the HTTP port + 1, where Solana clients look for it.

    Raises:
        ValueError: the host is not a loopback address, or a port does not exist.
        OSError: a port is taken.
    """
    require_loopback(host)
    port = port or free_port_pair(host)
    ws_port = port + 1 if ws_port is None else ws_port
    if not (0 < port <= _HIGHEST_PORT and 0 <= ws_port <= _HIGHEST_PORT):
        raise ValueError(f"ports {port} and {ws_port} must lie in 1..{_HIGHEST_PORT}")
    subscriptions = SubscriptionServer(chain, host, ws_port)
    try:
        http = _bind_http(chain, host, port)
    except OSError:
        subscriptions.close()
        raise
    chain.ws_port = subscriptions.port
    return RunningServer(chain, http, subscriptions, host)


def require_loopback(host: str) -> None:
    """Refuse every address that another machine could reach.

    Raises:
        ValueError: as said.
    """
    if host == "localhost":
        return
    try:
        if ipaddress.ip_address(host).is_loopback:
            return
    except ValueError:
        pass
    raise ValueError(f"the dev chain listens on loopback only, not on {host}: its money is free for everybody")


def free_port_pair(host: str, *, tries: int = 50) -> int:
    """Return a free port whose successor is free too.

    Raises:
        OSError: none was found.
    """
    for _ in range(tries):
        with socket.socket() as first, socket.socket() as second:
            first.bind((host, 0))
            port = int(first.getsockname()[1])
            try:
                second.bind((host, port + 1))
            except (OSError, OverflowError):
                continue
            return port
    raise OSError("no two neighbouring free ports; name one with port=")


def _bind_http(chain: DevChain, host: str, port: int) -> BaseWSGIServer:
    # werkzeug exits the process when a port is taken; binding here gives the caller an OSError that he can name.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
        return make_server(
            host, port, create_app(chain), threaded=True, request_handler=_QuietHandler, fd=listener.fileno()
        )
    finally:
        listener.close()


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
