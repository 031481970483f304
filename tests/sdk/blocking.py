"""Drives the async client from tests that were written for the sync one, so that both pass the very same tests."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self, cast

from streampay import AsyncStreamPay, StreamPay
from streampay._pages import AsyncPage, AsyncPages
from streampay._resources import Resource

KINDS = ("sync", "async")
_END = object()


class EventLoop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def run(self, awaitable: Awaitable[Any]) -> Any:
        """Wait for what comes of it."""

        async def awaited() -> Any:
            return await awaitable

        return asyncio.run_coroutine_threadsafe(awaited(), self._loop).result()

    def close(self) -> None:
        """Stop."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Driven:
    """An async client, or a resource of it, whose calls block."""

    def __init__(self, target: object, loop: EventLoop) -> None:
        self._target = target
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        return self._settled(getattr(self._target, name))

    def __repr__(self) -> str:
        return repr(self._target)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _settled(self, value: Any) -> Any:
        if isinstance(value, (Resource, AsyncStreamPay)):
            return Driven(value, self._loop)
        if isinstance(value, AsyncPages):
            return DrivenPage(self._loop.run(value), self._loop)
        if asyncio.iscoroutine(value):
            return self._loop.run(value)
        if callable(value) and hasattr(value, "__self__"):
            return lambda *args, **kwargs: self._settled(value(*args, **kwargs))
        return value


class DrivenPage:
    """An `AsyncPage` that `for` goes through."""

    def __init__(self, target: AsyncPage[Any], loop: EventLoop) -> None:
        self._target = target
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target, name)

    def __iter__(self) -> Iterator[Any]:
        objects: AsyncIterator[Any] = self._target.__aiter__()
        while (each := self._loop.run(anext(objects, _END))) is not _END:
            yield each

    def next_page(self) -> "DrivenPage | None":
        """Fetch the following page."""
        following = self._loop.run(self._target.next_page())
        return None if following is None else DrivenPage(following, self._loop)


@contextmanager
def a_client(
    kind: str, *args: Any, sleep: Callable[[float], None] | None = None, **options: Any
) -> Iterator[StreamPay]:
    """Make a client of either kind; `sleep` takes its pauses."""
    if kind == "sync":
        with StreamPay(*args, **options) as plain:
            if sleep is not None:
                plain._api.sleep = sleep
            yield plain
        return
    loop = EventLoop()
    try:
        client = AsyncStreamPay(*args, **options)
        if sleep is not None:
            client._api.sleep = _awaited(sleep)
        with Driven(client, loop) as driven:
            yield cast("StreamPay", driven)
    finally:
        loop.close()


def _awaited(sleep: Callable[[float], None]) -> Callable[[float], Awaitable[None]]:
    async def pause(seconds: float) -> None:
        sleep(seconds)

    return pause
