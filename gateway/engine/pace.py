"""Pace: how often one checkout page may ask for work that costs calls to a chain's node.

A page's address is a credential that a shopper may share. Nodes ration their answers, and what one page spends is
missing to the monitor. Counted in the memory of this process: with n processes a page may do n times as much.
"""

import threading
from collections import OrderedDict, deque
from datetime import datetime, timedelta
from typing import Final

from gateway.kernel.clock import Clock
from gateway.kernel.errors import ErrorCode, RateLimitedError

PACE_LIMIT: Final = 30  # requests a minute; a shopper who tries three wallets makes ten
WINDOW: Final = timedelta(minutes=1)
MAX_PAGES: Final = 10_000  # about 5 MB; the page unused for longest is forgotten, which only ever favours a caller


class Pace:
    """Counts what each page asked for in the last minute; safe among threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._asked: OrderedDict[str, deque[datetime]] = OrderedDict()

    def take(self, session_id: str) -> None:
        """Count one request of a session's page.

        Raises:
            RateLimitedError: it has had its share of this minute.
        """
        now = self._clock.now()
        with self._lock:
            asked = self._asked.setdefault(session_id, deque())
            self._asked.move_to_end(session_id)
            if len(self._asked) > MAX_PAGES:
                self._asked.popitem(last=False)
            while asked and now - asked[0] >= WINDOW:
                asked.popleft()
            if len(asked) >= PACE_LIMIT:
                wait_s = -(-(WINDOW - (now - asked[0])) // timedelta(seconds=1))
                raise RateLimitedError(
                    ErrorCode.RATE_LIMITED, "This page asks too often. Wait a moment.", retry_after_s=max(1, wait_s)
                )
            asked.append(now)
