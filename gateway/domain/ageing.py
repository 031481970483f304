"""How long a charity has waited for what it is owed: what is paid out takes the oldest gifts first. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

EDGES: Final = (30, 60, 90)  # days at which a debt to a charity becomes older, as laws on collecting count


@dataclass(frozen=True, slots=True, kw_only=True)
class GiftsOfDay:
    """What the gifts of one day of UTC come to, less what of them went back; `amount` in atomic units."""

    day: date
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """What is owed since more than `from_days` and at most `to_days`, None for no end; `amount` in atomic units."""

    from_days: int
    to_days: int | None
    amount: int


def ageing(days: Iterable[GiftsOfDay], owed: int, today: date) -> Sequence[Bucket]:
    """Share what is owed out over its age in days.

    What is left after the oldest gifts were paid out is owed for the newest ones, so this reads from the newest back
    and stops as soon as it knows. Where more was paid out than is owed, nothing is. What no day explains is new.

    Args:
        days: those on which gifts came, newest first, without payouts; read no further than is needed.
        owed: the balance, in atomic units.
        today: the day to count from.
    """
    amounts = [0] * (len(EDGES) + 1)
    rest = max(0, owed)
    for one in days if rest else ():
        part = min(max(0, one.amount), rest)
        amounts[_place((today - one.day).days)] += part
        rest -= part
        if not rest:
            break
    amounts[0] += rest
    starts = (0, *EDGES)
    ends = (*EDGES, None)
    return tuple(
        Bucket(from_days=start, to_days=end, amount=amount)
        for start, end, amount in zip(starts, ends, amounts, strict=True)
    )


def _place(age_days: int) -> int:
    """Return which bucket an age belongs to."""
    return sum(age_days > edge for edge in EDGES)
