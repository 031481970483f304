"""The bank's clock: real time plus an offset that control advances, so a month passes in a moment."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

DAY_S = 86_400


class BankClock:
    """Whole seconds since 1970, as all times on Stripe's wire are."""

    def __init__(self, real_time_s: Callable[[], float] = time.time, *, offset_s: int = 0) -> None:
        self._real_time_s = real_time_s
        self._pinned: int | None = None
        self.offset_s = offset_s

    def now(self) -> int:
        """Return the bank's time, or the moment at which a task that fell due is being lived through."""
        return int(self._real_time_s()) + self.offset_s if self._pinned is None else self._pinned

    def advance(self, seconds: int) -> None:
        """Move the clock forward; it never goes back."""
        assert seconds >= 0, "time does not go back"
        self.offset_s += seconds

    @contextmanager
    def at(self, moment: int) -> Iterator[None]:
        """Live a task through at the moment when it fell due, so its objects carry that time."""
        outer, self._pinned = self._pinned, moment
        try:
            yield
        finally:
            self._pinned = outer


def next_midnight(moment: int) -> int:
    """Return the first midnight UTC after a moment."""
    return moment - moment % DAY_S + DAY_S
