"""The client for asyncio: the same calls, to await. `pip install "streampay[async]"` brings httpx for it."""

from __future__ import annotations

from contextlib import suppress
from types import TracebackType

from streampay._api import Json, RawResponse
from streampay._async import AsyncApi
from streampay._async_surface import AsyncSurface
from streampay._http import AsyncTransport
from streampay.client import BaseClient, TimeoutS, checked_options
from streampay.errors import ConfigurationError

_HTTPX: type[AsyncTransport] | None = None
with suppress(ModuleNotFoundError):
    from streampay._httpx import HttpxTransport

    _HTTPX = HttpxTransport


class AsyncStreamPay(BaseClient[AsyncApi], AsyncSurface):
    """`StreamPay` for asyncio: every method is awaited, every list awaited or gone through by `async for`.

    Tasks may share it, and so may event loops: each has its own connections. Leave the `async with`, or await
    `close()`, in each loop that used it.

    Args:
        api_key: `sk_test_…` or `sk_live_…`; default: the environment's STREAMPAY_API_KEY.
        base_url: the gateway's address without `/v1`, such as `https://pay.shop.example`; default: STREAMPAY_BASE_URL.
        api_version: the dated version of the API; default: the one that this SDK was made for.
        timeout_s: seconds to connect and to have the whole answer, or one figure for both.
        max_retries: how often a failed request is sent again, 0 to 10.
        transport: carries single requests; default: `httpx`.
        app_info: your plugin's name and version, for the User-Agent: `"my-shop/1.2"`.

    Raises:
        ConfigurationError: one of these is missing or malformed, or httpx is not installed.
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        api_version: str | None = None,
        timeout_s: TimeoutS = (3, 20),
        max_retries: int = 2,
        transport: AsyncTransport | None = None,
        app_info: str | None = None,
    ) -> None:
        options = checked_options(api_key, base_url, api_version, timeout_s, max_retries, app_info)
        self._open(AsyncApi(options, _httpx_transport() if transport is None else transport))

    def _open(self, api: AsyncApi) -> None:
        super()._open(api)
        AsyncSurface.__init__(self, api)

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        params: Json | None = None,
        idempotency_key: str | None = None,
    ) -> RawResponse:
        """Call what this version has no method for; see `StreamPay.request`.

        Raises:
            StreamPayError: see `streampay.errors`.
        """
        steps = self._api.sending(method, path, body=json, query=params, idempotency_key=idempotency_key)
        return await self._api.run(steps)

    async def close(self) -> None:
        """Close this event loop's idle connections, also those of clients made by `with_options`."""
        await self._api.transport.close()

    async def __aenter__(self) -> AsyncStreamPay:  # noqa: PYI034 - typing.Self came with Python 3.11
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def _httpx_transport() -> AsyncTransport:
    if _HTTPX is None:
        raise ConfigurationError(
            'the async client needs httpx: pip install "streampay[async]", or pass a transport of your own',
            code="httpx_missing",
        )
    return _HTTPX()
