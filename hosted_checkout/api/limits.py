"""Rate limits: a token bucket per key and kind of work, in the memory of this process.

Headers follow draft-ietf-httpapi-ratelimit-headers-11. With n processes a key may do n times as much; the limits guard
the machine, they are not a price list.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from gateway.kernel.clock import Clock, real_clock, to_micros

MAX_BUCKETS: Final = 10_000  # about 3 MB; the bucket unused for longest is forgotten, which only ever favours a caller
_MICROS: Final = 1_000_000


class Kind(StrEnum):
    """What a request counts as; each kind has its own bucket."""

    READ = "read"
    WRITE = "write"
    TEST = "test"
    ANONYMOUS = "anonymous"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """`quota` requests at once; an empty bucket is full again after `window_s` seconds."""

    quota: int
    window_s: int

    def __post_init__(self) -> None:
        assert self.quota > 0, "a limit lets something through"
        assert self.window_s > 0, "a bucket fills in time"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of one key: reads and writes in live mode, anything in test mode; and of an address without a key."""

    read: Limit = field(default=Limit(quota=6000, window_s=60))
    write: Limit = field(default=Limit(quota=3000, window_s=60))
    test: Limit = field(default=Limit(quota=3000, window_s=60))
    anonymous: Limit = field(default=Limit(quota=300, window_s=60))

    def of(self, kind: Kind) -> Limit:
        """Return the limit of a kind."""
        match kind:
            case Kind.READ:
                return self.read
            case Kind.WRITE:
                return self.write
            case Kind.TEST:
                return self.test
            case Kind.ANONYMOUS:
                return self.anonymous


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What a bucket said: `remaining` requests now; the next one in `retry_after_s`, 0 if it may come at once."""

    kind: Kind
    limit: Limit
    is_granted: bool
    remaining: int
    full_in_s: int
    retry_after_s: int

    def headers(self) -> dict[str, str]:
        """Return the two headers of the draft."""
        return {
            "RateLimit-Policy": f'"{self.kind}";q={self.limit.quota};w={self.limit.window_s}',
            "RateLimit": f'"{self.kind}";r={self.remaining};t={self.full_in_s}',
        }


class RateLimiter:
    """Buckets by (kind, name); safe among threads."""

    def __init__(self, limits: Limits, clock: Clock) -> None:
        self._limits = limits
        self._clock = real_clock(clock)
        self._lock = threading.Lock()
        # Level in millionths of a token times the window, so that whole numbers stay exact: quota*window_us is full.
        self._buckets: OrderedDict[tuple[Kind, str], tuple[int, int]] = OrderedDict()

    def take(self, kind: Kind, name: str) -> Allowance:
        """Take one token from the bucket of `name`, if there is one."""
        limit = self._limits.of(kind)
        window_us = limit.window_s * _MICROS
        full = limit.quota * window_us
        now = to_micros(self._clock.now())
        with self._lock:
            level, then = self._buckets.pop((kind, name), (full, now))
            level = min(full, level + max(0, now - then) * limit.quota)
            is_granted = level >= window_us
            level -= window_us if is_granted else 0
            self._buckets[kind, name] = level, now
            if len(self._buckets) > MAX_BUCKETS:
                self._buckets.popitem(last=False)
        return Allowance(
            kind=kind,
            limit=limit,
            is_granted=is_granted,
            remaining=level // window_us,
            full_in_s=_seconds(full - level, limit.quota),
            retry_after_s=_seconds(max(0, window_us - level), limit.quota),
        )


def _seconds(missing: int, quota: int) -> int:
    """Return in how many whole seconds a bucket gains `missing`, rounded up."""
    return -(-missing // (quota * _MICROS))
