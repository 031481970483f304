"""One HTTP exchange by httpx, with the manners of `RequestsTransport`.

Below httpx's client, which would follow cookies and log each URL with its query. Proxies and certificates are looked up
as requests does it, so that both clients of a shop find the same way out.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from pathlib import Path

import httpx
import requests
from requests.utils import DEFAULT_CA_BUNDLE_PATH, select_proxy

from streampay._http import HttpRequest, HttpResponse, take, timed_out, tls_failed, unreachable, unusable
from streampay.errors import ConfigurationError, ConnectionFailed

MAX_AT_ONCE = 100  # requests of one event loop; further ones wait for a place, and their time-out with them
_IDLE = httpx.Limits(max_connections=None, max_keepalive_connections=20, keepalive_expiry=30)


class HttpxTransport:
    """`httpx` with pooled connections. Each event loop, and a forked child, has connections of its own."""

    def __init__(self) -> None:
        self._places: dict[tuple[int, asyncio.AbstractEventLoop], _Place] = {}
        self._trusted: dict[str, ssl.SSLContext] = {}
        self._settings = requests.Session()  # it is never asked to send anything

    async def send(self, request: HttpRequest) -> HttpResponse:
        """Send one request; see `Transport.send`."""
        failure: ConnectionFailed | ConfigurationError
        try:
            return await self._send(request)
        except (httpx.TimeoutException, asyncio.TimeoutError):
            failure = timed_out()
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError, ImportError):
            failure = unusable()  # ImportError: a SOCKS proxy, whose package is not there
        except (httpx.HTTPError, httpx.StreamError, OSError, ValueError, RuntimeError) as error:
            failure = tls_failed() if _is_about_tls(error) else unreachable(error)
        raise failure  # outside the handler, so that no httpx object with the key hangs on the error

    async def close(self) -> None:
        """Close the idle connections of the running event loop; a later request opens new ones."""
        place = self._places.pop((os.getpid(), asyncio.get_running_loop()), None)
        if place is not None:
            for pool in place.pools.values():
                await pool.aclose()

    async def _send(self, request: HttpRequest) -> HttpResponse:
        place = self._place()
        async with place.turns:
            return await asyncio.wait_for(self._exchange(place, request), sum(request.timeout_s))

    async def _exchange(self, place: _Place, request: HttpRequest) -> HttpResponse:
        connect_s, read_s = request.timeout_s
        timeout = httpx.Timeout(read_s, connect=connect_s, pool=None)
        sent = httpx.Request(
            request.method,
            request.url,
            headers=dict(request.headers),
            content=request.body,
            extensions={"timeout": timeout.as_dict()},
        )
        answer = await self._pool(place, request.url).handle_async_request(sent)
        try:
            body = bytearray()
            async for chunk in answer.aiter_raw():
                take(chunk, body)
        finally:
            await answer.aclose()
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return HttpResponse(status=answer.status_code, headers=headers, body=bytes(body))

    def _place(self) -> _Place:
        loop = asyncio.get_running_loop()
        found = self._places.get((os.getpid(), loop))
        if found is None:
            for key in list(self._places):  # what is left of loops that ended, and of a parent process
                if key[1].is_closed() or key[0] != os.getpid():
                    self._places.pop(key, None)
            found = self._places[os.getpid(), loop] = _Place()
        return found

    def _pool(self, place: _Place, url: str) -> httpx.AsyncHTTPTransport:
        way = self._settings.merge_environment_settings(url, {}, None, None, None)
        proxy = select_proxy(url, way["proxies"])
        trusted = DEFAULT_CA_BUNDLE_PATH if way["verify"] is True else str(way["verify"])
        if proxy is None and url.startswith("http:"):
            trusted = ""
        pool = place.pools.get((proxy, trusted))
        if pool is None:
            pool = place.pools[proxy, trusted] = httpx.AsyncHTTPTransport(
                verify=self._context(trusted),
                trust_env=False,
                limits=_IDLE,
                proxy=proxy if proxy is None or "://" in proxy else f"http://{proxy}",
            )
        return pool

    def _context(self, trusted: str) -> ssl.SSLContext:
        if not trusted:  # no TLS on this way: reading certificates would cost every start 20 ms
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if trusted not in self._trusted:
            file, folder = (None, trusted) if Path(trusted).is_dir() else (trusted, None)
            self._trusted[trusted] = ssl.create_default_context(cafile=file, capath=folder)
        return self._trusted[trusted]


class _Place:
    """What one event loop has: its connections by the way they take, and how many requests may be on theirs."""

    def __init__(self) -> None:
        self.pools: dict[tuple[str | None, str], httpx.AsyncHTTPTransport] = {}
        self.turns = asyncio.Semaphore(MAX_AT_ONCE)


def _is_about_tls(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False
