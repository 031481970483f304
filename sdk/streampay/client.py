"""The client: a merchant's way to the gateway."""

from __future__ import annotations

import ipaddress
import math
import os
import re
from dataclasses import replace
from types import TracebackType
from typing import Any, Final, Generic, TypeVar
from urllib.parse import urlsplit

from streampay._api import Api, Json, Options, RawResponse, SyncApi
from streampay._http import RequestsTransport, Transport
from streampay._surface import Surface
from streampay._version import API_VERSION
from streampay.errors import ConfigurationError

MAX_RETRIES: Final = 10
MAX_TIMEOUT_S: Final = 600.0
_API_KEY = re.compile(r"sk_(test|live)_[A-Za-z0-9_\-]{8,200}", re.ASCII)
_VERSION = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_APP = re.compile(r"[ -~]{1,100}", re.ASCII)

TimeoutS = float | tuple[float, float]
A = TypeVar("A", bound=Api)
C = TypeVar("C", bound="BaseClient[Any]")


class BaseClient(Generic[A]):
    """What both clients share: how they are configured and shown."""

    _api: A

    def _open(self, api: A) -> None:
        """Begin to use a way to the gateway; a client of either kind sets its resources, too."""
        self._api = api

    @property
    def livemode(self) -> bool:
        """The key moves real money."""
        return self._api.options.api_key.startswith("sk_live_")

    @property
    def base_url(self) -> str:
        """The gateway's address, without a slash at its end."""
        return self._api.options.base_url

    def with_options(  # noqa: PYI019 - typing.Self came with Python 3.11
        self: C,
        *,
        api_key: str | None = None,
        api_version: str | None = None,
        timeout_s: TimeoutS | None = None,
        max_retries: int | None = None,
    ) -> C:
        """Return a client that differs in what is given and shares the connections: `client.with_options(…).payments`.

        Raises:
            ConfigurationError: one of these is malformed.
        """
        options = self._api.options
        if api_key is not None:
            key = _checked_key(api_key)
            options = replace(options, api_key=key, base_url=_checked_base_url(options.base_url, key))
        if api_version is not None:
            options = replace(options, api_version=_checked(_VERSION, api_version, "api_version"))
        if timeout_s is not None:
            options = replace(options, timeout_s=_checked_timeout_s(timeout_s))
        if max_retries is not None:
            options = replace(options, max_retries=_checked_retries(max_retries))
        other = object.__new__(type(self))
        other._open(self._api.with_options(options))
        return other

    def __repr__(self) -> str:
        if not hasattr(self, "_api"):  # refused while it was made: a report of the error shows this
            return f"{type(self).__name__}(not configured)"
        key = self._api.options.api_key
        return f"{type(self).__name__}({key[: len('sk_test_')]}…{key[-3:]}, base_url={self.base_url!r})"


class StreamPay(BaseClient[SyncApi], Surface):
    """A client of one gateway with one key. Threads may share it; make one and keep it.

    Args:
        api_key: `sk_test_…` or `sk_live_…`; default: the environment's STREAMPAY_API_KEY.
        base_url: the gateway's address without `/v1`, such as `https://pay.shop.example`; default: STREAMPAY_BASE_URL.
        api_version: the dated version of the API; default: the one that this SDK was made for.
        timeout_s: seconds to connect and to have the whole answer, or one figure for both.
        max_retries: how often a failed request is sent again, 0 to 10.
        transport: carries single requests; default: `requests`.
        app_info: your plugin's name and version, for the User-Agent: `"my-shop/1.2"`.

    Raises:
        ConfigurationError: one of these is missing or malformed.
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        api_version: str | None = None,
        timeout_s: TimeoutS = (3, 20),
        max_retries: int = 2,
        transport: Transport | None = None,
        app_info: str | None = None,
    ) -> None:
        options = checked_options(api_key, base_url, api_version, timeout_s, max_retries, app_info)
        self._open(SyncApi(options, RequestsTransport() if transport is None else transport))

    def _open(self, api: SyncApi) -> None:
        super()._open(api)
        Surface.__init__(self, api)

    def request(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        params: Json | None = None,
        idempotency_key: str | None = None,
    ) -> RawResponse:
        """Call what this version has no method for: `client.request("GET", "/v1/payments", params={"limit": 1}).json`.

        Retries, idempotency keys and errors are the same as everywhere.

        Raises:
            StreamPayError: see `streampay.errors`.
        """
        steps = self._api.sending(method, path, body=json, query=params, idempotency_key=idempotency_key)
        return self._api.run(steps)

    def close(self) -> None:
        """Close idle connections, also those of clients made by `with_options`."""
        self._api.transport.close()

    def __enter__(self) -> StreamPay:  # noqa: PYI034 - typing.Self came with Python 3.11
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def checked_options(
    api_key: object,
    base_url: object,
    api_version: object,
    timeout_s: object,
    max_retries: object,
    app_info: object,
) -> Options:
    """Return what a client is configured with; the environment is read now.

    Raises:
        ConfigurationError: something is missing or malformed.
    """
    key = _checked_key(os.environ.get("STREAMPAY_API_KEY") if api_key is None else api_key)
    return Options(
        api_key=key,
        base_url=_checked_base_url(os.environ.get("STREAMPAY_BASE_URL") if base_url is None else base_url, key),
        api_version=_checked(_VERSION, API_VERSION if api_version is None else api_version, "api_version"),
        timeout_s=_checked_timeout_s(timeout_s),
        max_retries=_checked_retries(max_retries),
        app_info=None if app_info is None else _checked(_APP, app_info, "app_info"),
    )


def _checked_key(key: object) -> str:
    if key is None or key == "":
        raise ConfigurationError("set STREAMPAY_API_KEY or pass api_key", code="api_key_missing")
    if isinstance(key, str) and key.startswith("pk_"):
        raise ConfigurationError("this is a publishable key; the server needs sk_…", code="api_key_invalid")
    return _checked(_API_KEY, key, "api_key")


def _checked(pattern: re.Pattern[str], value: object, name: str) -> str:
    if not isinstance(value, str) or pattern.fullmatch(value) is None:
        hints = {"api_key": "sk_test_… or sk_live_…", "api_version": "a date such as 2026-11-20"}
        raise ConfigurationError(f"{name} must be {hints.get(name, 'printable ASCII')}", code=f"{name}_invalid")
    return value


def _checked_base_url(url: object, key: str) -> str:
    checked = check_base_url(url)
    parts = urlsplit(checked)
    if parts.scheme == "http" and key.startswith("sk_live_") and not _is_near(parts.hostname or ""):
        raise _bad_base_url("a live key must not cross the internet without TLS: use https")
    return checked


def check_base_url(url: object) -> str:
    """Return a gateway's address without a slash at its end.

    Raises:
        ConfigurationError: it cannot be one.
    """
    if url is None or url == "":
        raise ConfigurationError("set STREAMPAY_BASE_URL or pass base_url", code="base_url_missing")
    if not isinstance(url, str) or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise _bad_base_url("it is no URL")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https"):
        raise _bad_base_url("it begins with https:// and a host")
    if "@" in parts.netloc or parts.query or parts.fragment or "?" in url or "#" in url:
        raise _bad_base_url("it holds no user, query or fragment")
    if parts.path.rstrip("/").endswith("/v1"):
        raise _bad_base_url("leave out /v1")
    return url.rstrip("/")


def _bad_base_url(reason: str) -> ConfigurationError:
    return ConfigurationError(f"base_url cannot be used: {reason}", code="base_url_invalid")


def _is_near(host: str) -> bool:
    """Tell whether a host is this machine or a private network, by its form alone."""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith((".localhost", ".internal", ".local"))


def _checked_timeout_s(timeout_s: object) -> tuple[float, float]:
    both = timeout_s if isinstance(timeout_s, (tuple, list)) else (timeout_s, timeout_s)
    if len(both) != 2 or not all(_is_timeout(value) for value in both):  # noqa: PLR2004 - to connect, to answer
        raise ConfigurationError(
            f"timeout_s is seconds, or (connect, read), above 0 and at most {MAX_TIMEOUT_S:.0f}",
            code="timeout_invalid",
        )
    return float(both[0]), float(both[1])


def _is_timeout(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and 0 < value <= MAX_TIMEOUT_S  # type: ignore[arg-type,operator]  # just checked


def _checked_retries(count: object) -> int:
    if type(count) is not int or not 0 <= count <= MAX_RETRIES:
        raise ConfigurationError(f"max_retries is 0 to {MAX_RETRIES}", code="max_retries_invalid")
    return count
