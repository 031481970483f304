"""Keyset pages: ids sort by time, so a cursor is an id and no page ever scans what came before it."""

from typing import Any, Final

from sqlalchemy import Column, Select

from gateway.kernel.errors import ErrorCode, InvalidRequestError
from gateway.kernel.ids import is_id
from gateway.storage.database import Tx

MAX_LIMIT: Final = 100  # the wire contract's; a larger page only delays its first row


def newest_first(
    tx: Tx,
    query: Select[Any],
    key: Column[Any],
    *,
    prefix: str,
    limit: int,
    starting_after: str | None,
    ending_before: str | None,
) -> tuple[list[Any], bool]:
    """Run `query` for one page; return its rows, newest first, and whether there are more in that direction.

    Raises:
        InvalidRequestError: `cursor_invalid`: not an id of this kind, or both cursors at once.
    """
    assert 1 <= limit <= MAX_LIMIT, "doors check the limit"
    _check(starting_after, prefix, "/starting_after")
    _check(ending_before, prefix, "/ending_before")
    if starting_after is not None and ending_before is not None:
        raise InvalidRequestError(
            ErrorCode.CURSOR_INVALID, "Send either starting_after or ending_before.", param="/ending_before"
        )
    if ending_before is not None:
        rows = tx.execute(query.where(key > ending_before).order_by(key).limit(limit + 1)).all()
        return list(reversed(rows[:limit])), len(rows) > limit
    if starting_after is not None:
        query = query.where(key < starting_after)
    rows = tx.execute(query.order_by(key.desc()).limit(limit + 1)).all()
    return list(rows[:limit]), len(rows) > limit


def _check(cursor: str | None, prefix: str, param: str) -> None:
    if cursor is not None and not is_id(cursor, prefix):
        raise InvalidRequestError(
            ErrorCode.CURSOR_INVALID, f"A cursor is the id of an object of this list: {prefix}_…", param=param
        )
