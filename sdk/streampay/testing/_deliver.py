"""Bring a signed event to a shop: a callable, a WSGI or ASGI app, or a test client."""

from __future__ import annotations

import asyncio
import inspect
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from streampay.errors import ConfigurationError
from streampay.models import Event

Send = Callable[[bytes, dict[str, str]], int]
_DEFAULT_PATH = "/webhooks/streampay"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """One delivery: the event, and the HTTP status that the shop answered."""

    event: Event
    status: int

    @property
    def is_accepted(self) -> bool:
        """The shop took it: any 2xx."""
        return 200 <= self.status < 300  # noqa: PLR2004 - HTTP's own figures


def receiver(target: Any, path: str | None = None) -> Send:
    """Return a function that posts a body with headers to a shop, and returns the status of its answer.

    Args:
        target: a Flask app or test client, a Django test client, any WSGI or ASGI app; or, without a `path`, a callable
            of body and headers that returns a status, an object with `status_code`, or None for 204.
        path: of the webhook in the app; default `/webhooks/streampay`.

    Raises:
        ConfigurationError: it is none of these.
    """
    where = path or _DEFAULT_PATH
    if hasattr(target, "generic") and hasattr(target, "post"):  # Django's test client
        return lambda body, headers: int(
            target.generic("POST", where, body, content_type="application/json", **_meta(headers)).status_code
        )
    if hasattr(target, "post") and hasattr(target, "open"):  # Flask's and Werkzeug's test client
        return lambda body, headers: int(target.post(where, data=body, headers=_typed(headers)).status_code)
    if hasattr(target, "wsgi_app"):
        return lambda body, headers: _wsgi(target.wsgi_app, where, body, headers)
    if inspect.iscoroutinefunction(target) or inspect.iscoroutinefunction(getattr(target, "__call__", None)):  # noqa: B004 - what it is, not whether
        return lambda body, headers: asyncio.run(_asgi(target, where, body, headers))
    if not callable(target):
        raise ConfigurationError("deliver to a callable, a WSGI or ASGI app, or a test client", code="target_invalid")
    if path is not None:
        return lambda body, headers: _wsgi(target, where, body, headers)
    return lambda body, headers: status_of(target(body, _typed(headers)))


def status_of(answer: object) -> int:
    """Return the HTTP status of what a callable answered."""
    if answer is None:
        return 204
    found = getattr(answer, "status_code", answer)
    if type(found) is not int:
        raise ConfigurationError("the callable returns an HTTP status, a response, or None", code="target_invalid")
    return found


def _typed(headers: dict[str, str]) -> dict[str, str]:
    return {"content-type": "application/json", **headers}


def _meta(headers: dict[str, str]) -> dict[str, str]:
    return {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}


def _wsgi(app: Any, path: str, body: bytes, headers: dict[str, str]) -> int:
    statuses: list[str] = []
    environ = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        **_meta(headers),
    }
    answer = app(environ, lambda status, *_: statuses.append(status))
    for _ in answer:
        pass
    if hasattr(answer, "close"):
        answer.close()
    return int(statuses[-1].split()[0])


async def _asgi(app: Any, path: str, body: bytes, headers: dict[str, str]) -> int:
    statuses: list[int] = []
    sent = [(name.encode(), value.encode()) for name, value in _typed(headers).items()]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"localhost"), (b"content-length", str(len(body)).encode()), *sent],
        "client": ("127.0.0.1", 0),
        "server": ("localhost", 80),
    }

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(int(message["status"]))

    await app(scope, receive, send)
    return statuses[-1]
