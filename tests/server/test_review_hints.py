"""Hints come from strangers: they may bring the monitor forward, never hold it up."""

import threading
import time

from gateway.workers.loops import Loop, Workers
from gateway.workers.wakeups import HINT_LIMIT, HINTS_A_TURN, Wakeups

NETWORK = "solana:localnet"


def test_a_hint_that_is_repeated_is_followed_once() -> None:
    wakeups = Wakeups()
    for _ in range(500):
        wakeups.wake_monitor(NETWORK, "the same")
    wakeups.wake_monitor(NETWORK, "another")
    assert wakeups.take_hints(NETWORK) == ["the same", "another"]
    assert wakeups.take_hints(NETWORK) == []


def test_a_flood_of_hints_is_taken_in_small_turns_and_bounded() -> None:
    wakeups = Wakeups()
    for number in range(HINT_LIMIT + 10):
        wakeups.wake_monitor(NETWORK, str(number))
    turns = []
    while hints := wakeups.take_hints(NETWORK):
        turns.append(hints)
    assert {len(hints) for hints in turns} == {HINTS_A_TURN}
    assert [hint for hints in turns for hint in hints] == [str(number) for number in range(HINT_LIMIT)]


def test_a_loop_that_is_woken_without_end_still_pauses_between_turns() -> None:
    turns: list[float] = []
    wake = threading.Event()

    def turn() -> None:
        turns.append(time.monotonic())
        wake.set()

    workers = Workers([Loop(name="hinted", every_s=5, turn=turn, wake=wake, pause_s=0.05)])
    workers.start()
    time.sleep(0.4)
    workers.stop()
    assert 2 <= len(turns) <= 10
