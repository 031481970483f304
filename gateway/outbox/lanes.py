"""Fair shares of a bounded pool: one lane an endpoint, so that a dead or slow one takes only its own slots.

A lane's window, how many of its jobs may run at once, grows with every quick answer and falls to one after a slow one.
Lanes that have not proved themselves quick share half of the threads; the other half is always there for the rest.
Lanes take turns; a backlog of one endpoint delays nobody.
"""

import threading
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

Job = TypeVar("Job")

START_WINDOW: Final = 2
QUICK_S: Final = 2.0  # an answer within this widens the window
SLOW_S: Final = 5.0  # one beyond this closes it to a single slot
AHEAD_S: Final = 0.2  # claimed ahead by a proven lane: what its slots do in this time, so that no lease runs out
AHEAD_MAX: Final = 32  # jobs a slot
MAX_LANES: Final = 10_000  # remembered; the longest unused is forgotten first


@dataclass(slots=True)
class _Lane(Generic[Job]):
    window: int = START_WINDOW
    running: int = 0
    is_proven: bool = False
    took_s: float = QUICK_S  # a moving average
    queue: deque[Job] = field(default_factory=deque)


class Lanes(Generic[Job]):
    """Queues of jobs by key, shared fairly among threads."""

    def __init__(self, threads: int, *, cap: int) -> None:
        self._cap = cap
        self._unproven_limit = max(1, threads // 2)
        self._unproven_running = 0
        self._proven_queued = 0
        self._lanes: dict[str, _Lane[Job]] = {}
        self._ready: OrderedDict[str, None] = OrderedDict()  # lanes with waiting jobs, in the order of their turns
        self._is_closed = False
        self._changed = threading.Condition()

    def room(self, key: str) -> int:
        """Return how many more jobs a lane takes in now."""
        with self._changed:
            lane = self._lanes.get(key)
            return START_WINDOW if lane is None else self._room(lane)

    def full(self) -> list[str]:
        """Return the lanes that take in nothing now."""
        with self._changed:
            return [key for key, lane in self._lanes.items() if self._room(lane) <= 0]

    def ready(self) -> int:
        """Return how many jobs wait in proven lanes: work that is certain to move on."""
        with self._changed:
            return self._proven_queued

    def put(self, key: str, job: Job) -> None:
        """Queue a job in its lane."""
        with self._changed:
            lane = self._lanes.setdefault(key, _Lane())
            lane.queue.append(job)
            self._proven_queued += lane.is_proven
            self._ready.setdefault(key)
            self._changed.notify()
            self._forget()

    def take(self) -> tuple[str, Job] | None:
        """Wait for the next job whose turn it is; None once the lanes are closed."""
        with self._changed:
            while not self._is_closed:
                key = self._next()
                if key is not None:
                    return key, self._start(key)
                self._changed.wait()
            return None

    def done(self, key: str, took_s: float) -> bool:
        """Give a slot back and learn from the time it was held; return whether the lane has room that it lacked."""
        with self._changed:
            lane = self._lanes[key]
            had_room = self._room(lane) > 0
            lane.running -= 1
            self._unproven_running -= not lane.is_proven
            self._judge(lane, took_s)
            self._changed.notify()
            return not had_room and self._room(lane) > 0

    def close(self) -> list[Job]:
        """Let every waiting thread go and return the jobs that nobody started."""
        with self._changed:
            self._is_closed = True
            left = [job for lane in self._lanes.values() for job in lane.queue]
            for lane in self._lanes.values():
                lane.queue.clear()
            self._ready.clear()
            self._changed.notify_all()
            return left

    def _next(self) -> str | None:
        may_start_unproven = self._unproven_running < self._unproven_limit
        for key in self._ready:
            lane = self._lanes[key]
            if lane.running < lane.window and (lane.is_proven or may_start_unproven):
                return key
        return None

    def _start(self, key: str) -> Job:
        lane = self._lanes[key]
        job = lane.queue.popleft()
        self._proven_queued -= lane.is_proven
        lane.running += 1
        self._unproven_running += not lane.is_proven
        if lane.queue:
            self._ready.move_to_end(key)
        else:
            del self._ready[key]
        return job

    def _judge(self, lane: _Lane[Job], took_s: float) -> None:
        was_proven = lane.is_proven
        lane.took_s += (took_s - lane.took_s) / 4
        if took_s <= QUICK_S:
            lane.window, lane.is_proven = min(self._cap, lane.window + 1), True
        elif took_s >= SLOW_S:
            lane.window, lane.is_proven = 1, False
        if lane.is_proven != was_proven:  # its other running jobs change sides with it
            self._unproven_running += -lane.running if lane.is_proven else lane.running
            self._proven_queued += len(lane.queue) if lane.is_proven else -len(lane.queue)

    def _room(self, lane: _Lane[Job]) -> int:
        if not lane.is_proven:
            return lane.window - lane.running - len(lane.queue)
        ahead = min(AHEAD_MAX, max(1, int(AHEAD_S / max(lane.took_s, 0.001))))
        return lane.window * ahead - len(lane.queue)

    def _forget(self) -> None:
        if len(self._lanes) > MAX_LANES:
            idle = (key for key, lane in self._lanes.items() if not lane.running and not lane.queue)
            oldest = next(idle, None)
            if oldest is not None:
                del self._lanes[oldest]
