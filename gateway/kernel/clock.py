"""Time: aware UTC datetimes from an injected clock."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What everything asks instead of the system."""

    def now(self) -> datetime:
        """Return the time now, aware, in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the machine's time in UTC."""
        return datetime.now(UTC)


class ManualClock:
    """A clock that stands still until it is told to move; for tests and test mode. Safe among threads."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._now = start
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """Return the time it was set to."""
        with self._lock:
            return self._now

    def advance(self, step: timedelta) -> datetime:
        """Move on by `step` and return the new time."""
        with self._lock:
            self._now += step
            return self._now


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One move of a clock: how far, and when by the real time."""

    moved_at: datetime
    by: timedelta


class MovedClock:
    """A real clock, moved forward in steps: what a gateway for testing lives by. Safe among threads.

    Each real moment has one moved time, `of`, and later moments have later times: what another clock tells (a chain) is
    brought in through it, and stays in order with what happened here.
    """

    def __init__(self, real: Clock) -> None:
        self.real = real
        self._steps: tuple[Step, ...] = ()
        self._ahead = timedelta(0)

    @property
    def steps(self) -> Sequence[Step]:
        """Every move so far, oldest first."""
        return self._steps

    @property
    def ahead(self) -> timedelta:
        """How far it is before the real time."""
        return self._ahead

    def now(self) -> datetime:
        """Return the moved time."""
        return self.real.now() + self._ahead

    def of(self, moment: datetime) -> datetime:
        """Return the moved time of a real moment."""
        return moment + _sum([step for step in self._steps if step.moved_at <= moment])

    def moved_within(self, span: timedelta) -> timedelta:
        """Return how far it was moved in the last `span` of real time."""
        since = self.real.now() - span
        return _sum([step for step in self._steps if step.moved_at >= since])

    def follow(self, more: Sequence[Step]) -> None:
        """Take further steps; one thread at a time does."""
        self._steps = (*self._steps, *more)
        self._ahead = _sum(self._steps)


def _sum(steps: Sequence[Step]) -> timedelta:
    return sum((step.by for step in steps), timedelta(0))


def real_clock(clock: Clock) -> Clock:
    """Return the clock by which everybody else lives: that of networks, receivers, leases and limits."""
    return clock.real if isinstance(clock, MovedClock) else clock


def to_micros(instant: datetime) -> int:
    """Return microseconds since 1970, exactly."""
    assert instant.tzinfo is not None, "instants are aware"
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def from_micros(micros: int) -> datetime:
    """Return the aware UTC datetime of microseconds since 1970, exactly."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)


def rfc3339(instant: datetime) -> str:
    """Return `2026-11-20T09:21:00.123Z`: UTC, milliseconds, as every answer and event carries it."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
