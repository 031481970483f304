"""Lists as they come: page by page, and through all pages while they are iterated."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from streampay.models import Model, ResponseMeta

T = TypeVar("T", bound=Model)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list. Iterating over it goes on through all following pages; `page` holds this one only."""

    page: tuple[T, ...]
    has_more: bool
    response: ResponseMeta
    _next: Callable[[], Page[T]] = field(repr=False, compare=False)
    _is_reversed: bool = field(default=False, repr=False)

    def __iter__(self) -> Iterator[T]:
        current: Page[T] | None = self
        while current is not None:
            yield from reversed(current.page) if self._is_reversed else current.page
            current = current.next_page()

    def next_page(self) -> Page[T] | None:
        """Fetch the following page; None when this was the last."""
        return self._next() if self.has_more and self.page else None


@dataclass(frozen=True, slots=True)
class AsyncPage(Generic[T]):
    """One page of a list. `async for` goes on through all following pages; `page` holds this one only."""

    page: tuple[T, ...]
    has_more: bool
    response: ResponseMeta
    _next: Callable[[], AsyncPages[T]] = field(repr=False, compare=False)
    _is_reversed: bool = field(default=False, repr=False)

    async def __aiter__(self) -> AsyncIterator[T]:
        current: AsyncPage[T] | None = self
        while current is not None:
            for each in reversed(current.page) if self._is_reversed else current.page:
                yield each
            current = await current.next_page()

    async def next_page(self) -> AsyncPage[T] | None:
        """Fetch the following page; None when this was the last."""
        return await self._next() if self.has_more and self.page else None


class AsyncPages(Generic[T]):
    """A list that nobody has asked for yet: `await` it for its first page, or go through all of it by `async for`."""

    __slots__ = ("_fetch",)

    def __init__(self, fetch: Callable[[], Coroutine[Any, Any, AsyncPage[T]]]) -> None:
        self._fetch = fetch

    def __await__(self) -> Generator[Any, Any, AsyncPage[T]]:
        return self._fetch().__await__()

    async def __aiter__(self) -> AsyncIterator[T]:
        async for each in await self:
            yield each
