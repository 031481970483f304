"""Wake-ups: a page's hint nudges the monitor, a webhook the inbox. Losing one costs a poll, never a payment."""

import itertools
import threading
from collections import defaultdict
from typing import Final

HINT_LIMIT: Final = 1000  # different hints waiting for one network; more are left to the scan
HINTS_A_TURN: Final = 50  # read in one batch before the scan; a stranger's hints must not keep it waiting


class Wakeups:
    """Signals between the doors and the loops of one process; never blocks."""

    def __init__(self) -> None:
        self.inbox = threading.Event()  # set when a provider's notification was stored
        self.payouts = threading.Event()  # set when it was about a payout
        self._lock = threading.Lock()
        self._events: dict[str, threading.Event] = defaultdict(threading.Event)
        # Keys in the order of arrival: a hint that is given a hundred times is followed once.
        self._hints: dict[str, dict[str, None]] = defaultdict(dict)

    def monitor(self, network: str) -> threading.Event:
        """Return the event that wakes this network's monitor, and no other's."""
        with self._lock:
            return self._events[network]

    def wake_monitor(self, network: str, signature: str) -> None:
        """Say that this signature may have landed."""
        with self._lock:
            if len(self._hints[network]) < HINT_LIMIT:
                self._hints[network][signature] = None
            self._events[network].set()

    def take_hints(self, network: str) -> list[str]:
        """Return up to `HINTS_A_TURN` signatures to look at first; each is returned once, the others next time."""
        with self._lock:
            waiting = self._hints[network]
            hints = list(itertools.islice(waiting, HINTS_A_TURN))
            for signature in hints:
                del waiting[signature]
            return hints
