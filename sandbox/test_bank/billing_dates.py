"""Billing periods: calendar arithmetic in UTC, anchored so that the 31st comes back after every short month."""

import calendar
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

_DAYS: Final = {"day": 1, "week": 7}
_MONTHS: Final = {"month": 1, "year": 12}


def moved(anchor: int, recurring: Mapping[str, Any], periods: int) -> int:
    """Return the moment that many billing periods after an anchor.

    Always counted from the anchor: one step from another would lose the 31st in February and never find it again.

    Args:
        anchor: the moment at which the periods begin.
        recurring: a price's `interval` and `interval_count`.
        periods: how many.
    """
    count = periods * recurring["interval_count"]
    start = datetime.fromtimestamp(anchor, UTC)
    if recurring["interval"] in _DAYS:
        return int((start + timedelta(days=count * _DAYS[recurring["interval"]])).timestamp())
    months = start.month - 1 + count * _MONTHS[recurring["interval"]]
    year, month = start.year + months // 12, months % 12 + 1
    day = min(start.day, calendar.monthrange(year, month)[1])
    return int(start.replace(year=year, month=month, day=day).timestamp())
