"""The fake's rate limits: a bucket for each key and one for strangers, with the headers of the gateway."""

from __future__ import annotations

from time import monotonic

WINDOW_S = 60
ANONYMOUS = 300  # requests a window without a good key


class Bucket:
    """Lets `quota` requests through at once; an empty one is full again after a minute."""

    def __init__(self, kind: str, quota: int) -> None:
        self._kind = kind
        self._quota = quota
        self._level = float(quota)
        self._then = monotonic()

    def take(self) -> tuple[dict[str, str], int]:
        """Return the headers of an answer, and in how many seconds the next request may come: 0 if this one may."""
        now = monotonic()
        self._level = min(self._quota, self._level + (now - self._then) * self._quota / WINDOW_S)
        self._then = now
        is_granted = self._level >= 1
        self._level -= is_granted
        headers = {
            "ratelimit-policy": f'"{self._kind}";q={self._quota};w={WINDOW_S}',
            "ratelimit": f'"{self._kind}";r={int(self._level)};t={self._seconds(self._quota - self._level)}',
        }
        return headers, 0 if is_granted else self._seconds(1 - self._level)

    def _seconds(self, missing: float) -> int:
        """Return in how many whole seconds so much comes in, rounded up."""
        return -int(-missing * WINDOW_S // self._quota)
