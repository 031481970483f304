"""One HTTP exchange: sends bytes, returns bytes. Retries and meaning live in `_api`."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from http.client import HTTPResponse as WireAnswer
from http.cookiejar import DefaultCookiePolicy
from io import BufferedReader, RawIOBase
from typing import Any, Protocol

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from requests.models import PreparedRequest
from urllib3 import exceptions as urllib3_exceptions

from streampay.errors import ConfigurationError, ConnectionFailed, Timeout

MAX_ANSWER_BYTES = 16 << 20  # a page of 100 payments is well below 1 MB
CHUNK_BYTES = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """What goes out. Headers and body stay out of `repr`: they hold the key.

    `timeout_s` is (to connect, to have the whole answer).
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(default=None, repr=False)
    timeout_s: tuple[float, float] = (3, 20)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpResponse:
    """What came back; header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class Transport(Protocol):
    """Carries one request. Replace it to use another HTTP library or a recording."""

    def send(self, request: HttpRequest) -> HttpResponse:
        """Return the answer, whatever its status, without following redirects.

        Raises:
            ConnectionFailed: no whole answer came.
        """
        ...

    def close(self) -> None:
        """Close idle connections."""
        ...


class AsyncTransport(Protocol):
    """The same for the async client."""

    async def send(self, request: HttpRequest) -> HttpResponse:
        """Return the answer; see `Transport.send`."""
        ...

    async def close(self) -> None:
        """Close idle connections."""
        ...


class _HeadersStand(AuthBase):
    """Leaves the headers alone: without an auth object, requests would let ~/.netrc replace our Authorization."""

    def __call__(self, r: PreparedRequest) -> PreparedRequest:
        return r


class RequestsTransport:
    """`requests` with pooled connections. Threads may share it; a forked child opens its own connections."""

    def __init__(self) -> None:
        self._session = _session()
        self._pid = os.getpid()

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send one request; see `Transport.send`."""
        failure: ConnectionFailed | ConfigurationError
        try:
            return self._send(request)
        except (requests.exceptions.Timeout, urllib3_exceptions.TimeoutError):
            failure = timed_out()
        except (requests.exceptions.SSLError, urllib3_exceptions.SSLError):
            failure = tls_failed()
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema):
            failure = unusable()
        except (requests.exceptions.RequestException, urllib3_exceptions.HTTPError, OSError, ValueError) as error:
            failure = unreachable(error)
        raise failure  # outside the handler, so that no requests object with the key hangs on the error

    def close(self) -> None:
        """Close idle connections; a later request opens new ones."""
        self._session.close()

    def _send(self, request: HttpRequest) -> HttpResponse:
        if self._pid != os.getpid():  # sockets shared with a parent process would mix two conversations
            self._session, self._pid = _session(), os.getpid()
        with self._session.request(
            request.method,
            request.url,
            headers=dict(request.headers),
            data=request.body,
            timeout=request.timeout_s,
            auth=_HeadersStand(),
            allow_redirects=False,
            stream=True,
        ) as answer:
            headers = {name.lower(): value for name, value in answer.headers.items()}
            body = bytearray()
            for chunk in answer.raw.stream(CHUNK_BYTES, decode_content=False):
                take(chunk, body)
            return HttpResponse(status=answer.status_code, headers=headers, body=bytes(body))


def take(chunk: bytes, body: bytearray) -> None:
    """Append what came.

    Raises:
        ConnectionFailed: it is too much.
    """
    body += chunk
    if len(body) > MAX_ANSWER_BYTES:
        raise ConnectionFailed(
            "the answer is too large: does base_url point at the gateway?", code="answer_too_large", should_retry=False
        )


def timed_out() -> Timeout:
    message = "the gateway did not answer in time: try again with the same idempotency key, or allow more by timeout_s"
    return Timeout(message, code="timeout")


def tls_failed() -> ConnectionFailed:
    message = "the gateway's TLS certificate cannot be verified: check base_url, this clock and REQUESTS_CA_BUNDLE"
    return ConnectionFailed(message, code="tls_failed", should_retry=False)


def unusable() -> ConfigurationError:
    return ConfigurationError("base_url cannot be used", code="base_url_invalid")


def unreachable(error: Exception) -> ConnectionFailed:
    """Return the failure of whatever else went wrong. Only the class is told: the text may hold headers."""
    what = "check base_url and the network, then try again with the same idempotency key"
    return ConnectionFailed(f"the gateway cannot be reached ({type(error).__name__}): {what}", code="connection_failed")


# --- one deadline for the whole answer ---------------------------------------------------------------------------


class _UntilDeadline(RawIOBase):
    """Reads from a socket until an instant. Its own time-out is for each read: a byte now and then goes on for ever."""

    def __init__(self, raw: RawIOBase, sock: Any, timeout_s: float) -> None:
        super().__init__()
        self._raw = raw
        self._sock = sock
        self._deadline = time.monotonic() + timeout_s

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        rest_s = self._deadline - time.monotonic()
        if rest_s <= 0:
            raise TimeoutError("timed out")
        self._sock.settimeout(rest_s)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Answer(WireAnswer):
    """The standard library's answer with one deadline for head and body; `sock` has the time-out for reading."""

    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        timeout_s = sock.gettimeout()
        if timeout_s is not None:
            self.fp = BufferedReader(_UntilDeadline(self.fp.detach(), sock, timeout_s))


@cache
def _timed(connection: type) -> type:
    """Return a kind of connection with our answers. It stays what it was: a host may have put a wall into it."""
    return type(connection.__name__, (connection,), {"response_class": _Answer})


class _Adapter(HTTPAdapter):
    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        if pool.ConnectionCls.response_class is not _Answer:
            pool.ConnectionCls = _timed(pool.ConnectionCls)
        return pool


def _session() -> requests.Session:
    session = requests.Session()
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # no state between requests or threads
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter())
    return session
