"""How a service of the sandbox waits for its end."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

ENDINGS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def endings_held() -> Iterator[Callable[[], object]]:
    """Hold the signals that end a process back, and give the call that waits for one; enter before any thread starts.

    They are waited for, never handled: a handler that sets an Event can find the main thread inside that Event's lock.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDINGS)
    try:
        yield lambda: signal.sigwait(ENDINGS)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
