"""The async way to the gateway: the same steps as the sync one, carried out by awaiting."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from streampay import errors
from streampay._api import Api, Done, Json, Options, R, Steps
from streampay._http import AsyncTransport, HttpRequest
from streampay._pages import AsyncPage, AsyncPages
from streampay.models import M


class AsyncApi(Api):
    """Carries calls out in the running event loop.

    What `run` and `page` return differs from what `Api` says, and so the resources' methods return awaitables on this
    way. `_async_surface.pyi` says the types that result; it is written by a script, and a test sees that it is current.

    Args:
        options: the configuration.
        transport: carries single requests.
        sleep: waits for seconds.
    """

    def __init__(
        self,
        options: Options,
        transport: AsyncTransport,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        super().__init__(options)
        self.transport = transport
        self.sleep = sleep

    async def run(self, steps: Steps[R]) -> R:  # type: ignore[override]  # the point of this class, see above
        """Carry out the steps of a call and return its result."""
        done: Done = None
        while True:
            try:
                step = steps.send(done)
            except StopIteration as end:
                result: R = end.value
                return result
            done = await self._do(step)

    def page(self, kind: type[M], path: str, query: Json) -> AsyncPages[M]:  # type: ignore[override]  # as above
        """Name a list; it is read when it is awaited or gone through."""
        return AsyncPages(partial(self._page, kind, path, query))

    async def _page(self, kind: type[M], path: str, query: Json) -> AsyncPage[M]:
        found = await self.run(self._finding(kind, path, query))
        following = partial(self.page, kind, path, found.following)
        return AsyncPage(found.objects, found.has_more, found.response, following, found.is_reversed)

    async def _do(self, step: HttpRequest | float) -> Done:
        if not isinstance(step, HttpRequest):
            await self.sleep(step)
            return None
        try:
            return await self.transport.send(step)
        except errors.ConnectionFailed as error:
            return error
