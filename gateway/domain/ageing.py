"""How long a charity has waited for what it is owed: what is paid out takes the oldest gifts first. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

EDGES: Final = (30, 60, 90)  # days at which a debt to a charity becomes older, as laws on collecting count


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """A change of what is owed for one gift: `amount` in atomic units, negative where it went back."""

    subject: str
    amount: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """What is owed since more than `from_days` and at most `to_days`, None for no end; `amount` in atomic units."""

    from_days: int
    to_days: int | None
    amount: int


def ageing(movements: Iterable[Movement], owed: int, now: datetime) -> Sequence[Bucket]:
    """Share what is owed out over its age.

    What is left after the oldest gifts were paid out is owed for the newest ones, so this reads from the newest back
    and stops as soon as it knows. Where more was paid out than is owed, nothing is.

    Args:
        movements: of gifts, newest first, without payouts; read no further than is needed.
        owed: the balance, in atomic units.
        now: the time to count from.
    """
    amounts = [0] * (len(EDGES) + 1)
    gone: dict[str, int] = defaultdict(int)
    rest = max(0, owed)
    for one in movements if rest else ():
        if one.amount < 0:
            gone[one.subject] -= one.amount
            continue
        back = min(one.amount, gone[one.subject])
        gone[one.subject] -= back
        part = min(one.amount - back, rest)
        amounts[_place(now - one.at)] += part
        rest -= part
        if not rest:
            break
    starts = (0, *EDGES)
    ends = (*EDGES, None)
    return tuple(
        Bucket(from_days=start, to_days=end, amount=amount)
        for start, end, amount in zip(starts, ends, amounts, strict=True)
    )


def _place(age: timedelta) -> int:
    """Return which bucket an age belongs to."""
    return sum(age > timedelta(days=edge) for edge in EDGES)
