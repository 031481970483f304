"""Lists as Stripe pages them: newest first, `limit`, `starting_after`, `ending_before`, and filters on `created`."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from sandbox.test_bank.errors import ApiError, no_such
from sandbox.test_bank.store import Wire
from sandbox.test_bank.vault import Call, Vault

DEFAULT_LIMIT: Final = 10
PAGE: Final = frozenset({"limit", "starting_after", "ending_before", "created"})
"""The parameters that every list takes; which of them one has, its schema says."""
MAX_LIMIT: Final = 100
_COMPARE: Final[Mapping[str, Callable[[int, int], bool]]] = {
    "gt": lambda value, bound: value > bound,
    "gte": lambda value, bound: value >= bound,
    "lt": lambda value, bound: value < bound,
    "lte": lambda value, bound: value <= bound,
}


def listed(vault: Vault, call: Call, kind: str, *equal: str, where: Callable[[Wire], bool] | None = None) -> Wire:
    """Return one page of a kind, filtered by equality of some fields, by `created`, and by a condition."""
    wanted = {name: call.params[name] for name in equal if name in call.params}

    def fits(thing: Wire) -> bool:
        return (
            all(thing.get(name) == value for name, value in wanted.items())
            and ("created" not in call.params or in_range(thing["created"], call.params["created"]))
            and (where is None or where(thing))
        )

    return page(call, filter(fits, vault.every(kind)), kind, exists=lambda key: vault.find(kind, key) is not None)


def page(call: Call, things: Iterable[Wire], kind: str, *, exists: Callable[[str], bool] | None = None) -> Wire:
    """Cut one page out of things that come newest first.

    Raises:
        ApiError: the limit is out of range, both cursors are given, or a cursor is unknown.
    """
    limit = _limit(call.params)
    after, before = call.params.get("starting_after"), call.params.get("ending_before")
    if after and before:
        raise ApiError("You cannot parameterize both starting_after and ending_before.", code="parameters_exclusive")
    for name, cursor in (("starting_after", after), ("ending_before", before)):
        if cursor and exists is not None and not exists(cursor):
            raise no_such(kind, cursor[:80], param=name, status=400)
    if before:
        # The page just before a cursor is the last `limit` of those that come ahead of it.
        ahead = list(itertools.takewhile(lambda thing: thing["id"] != before, things))
        cut, has_more = ahead[-limit:], len(ahead) > limit
    else:
        found = list(itertools.islice(_after(things, after), limit + 1))
        cut, has_more = found[:limit], len(found) > limit
    return {"object": "list", "data": cut, "has_more": has_more, "url": call.path}


def in_range(value: int, wanted: Any) -> bool:
    """Return whether a time fits a filter: one moment, or bounds."""
    if isinstance(wanted, int):
        return value == wanted
    return all(_COMPARE[name](value, bound) for name, bound in wanted.items())


def _limit(params: Mapping[str, Any]) -> int:
    limit: int = params.get("limit", DEFAULT_LIMIT)
    if not 1 <= limit <= MAX_LIMIT:
        relation, bound = ("greater", 1) if limit < 1 else ("less", MAX_LIMIT)
        raise ApiError(
            f"This value must be {relation} than or equal to {bound} (it currently is `{limit}`).",
            code="parameter_invalid_integer",
            param="limit",
        )
    return limit


def _after(things: Iterable[Wire], cursor: str | None) -> Iterator[Wire]:
    remaining = iter(things)
    if cursor:
        for thing in remaining:
            if thing["id"] == cursor:
                break
    return remaining
