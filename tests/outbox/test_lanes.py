"""Lanes share threads fairly: quick ones widen, slow ones narrow, and half the threads are always for the proven."""

from gateway.outbox.lanes import START_WINDOW, Lanes


def take(lanes: Lanes[int]) -> str | None:
    """Take without waiting."""
    key = lanes._next()
    if key is None:
        return None
    lanes._start(key)
    return key


def filled(threads: int = 8, cap: int = 4, **queues: int) -> Lanes[int]:
    lanes: Lanes[int] = Lanes(threads, cap=cap)
    for key, count in queues.items():
        for number in range(count):
            lanes.put(key, number)
    return lanes


def test_lanes_take_turns() -> None:
    lanes = filled(a=10, b=10, c=1)
    assert [take(lanes) for _ in range(4)] == ["a", "b", "c", "a"]


def test_a_new_lane_holds_two_slots_and_widens_to_its_cap_with_quick_answers() -> None:
    lanes = filled(a=50)
    assert [take(lanes) for _ in range(3)] == ["a", "a", None]
    for _ in range(START_WINDOW):
        lanes.done("a", 0.01)
    running = 0
    while take(lanes):
        running += 1
    assert running == 4


def test_a_slow_answer_closes_a_lane_to_one_slot_and_a_quick_one_opens_it_again() -> None:
    lanes = filled(a=50)
    take(lanes)
    lanes.done("a", 20)
    assert [take(lanes), take(lanes)] == ["a", None]
    lanes.done("a", 0.01)
    assert [take(lanes), take(lanes), take(lanes)] == ["a", "a", None]


def test_unproven_lanes_together_hold_at_most_half_of_the_threads() -> None:
    lanes = filled(threads=8, good=20, **{f"hanging{number}": 5 for number in range(20)})
    assert take(lanes) == "good"
    lanes.done("good", 0.01)
    held = list(iter(lambda: take(lanes), None))
    assert sum(key.startswith("hanging") for key in held) == 4
    assert held.count("good") == START_WINDOW + 1


def test_room_ahead_depends_on_how_quick_a_lane_is() -> None:
    lanes: Lanes[int] = filled(quick=1, slow=1)
    for key, took_s in (("quick", 0.001), ("slow", 1.5)):
        for number in range(20):
            lanes.put(key, number)
            lanes._start(key)
            lanes.done(key, took_s)
    assert lanes.room("new") == START_WINDOW
    assert lanes.room("slow") <= 4
    assert lanes.room("quick") > 20


def test_a_lane_that_gets_room_again_says_so() -> None:
    lanes = filled(a=2)
    assert lanes.full() == ["a"]
    take(lanes)
    assert lanes.full() == ["a"]
    assert lanes.done("a", 0.01)
    assert lanes.full() == []


def test_closing_returns_what_nobody_started() -> None:
    lanes = filled(a=5)
    take(lanes)
    assert lanes.close() == [1, 2, 3, 4]
    assert lanes.take() is None
    lanes.done("a", 0.1)
