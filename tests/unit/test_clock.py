"""Time: aware, exact to the microsecond, in one spelling."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.kernel.clock import ManualClock, SystemClock, from_micros, rfc3339, to_micros


@given(st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999))
def test_microseconds_survive_the_round_trip(micros: int) -> None:
    assert to_micros(from_micros(micros)) == micros


def test_a_naive_time_is_a_programmers_error() -> None:
    with pytest.raises(AssertionError, match="aware"):
        to_micros(datetime(2026, 1, 1))  # noqa: DTZ001 - this is the mistake


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 11, 20, 9, 21, 0, 123_999, tzinfo=UTC), "2026-11-20T09:21:00.123Z"),
        (datetime(2026, 11, 20, 9, 21, tzinfo=UTC), "2026-11-20T09:21:00.000Z"),
        (datetime(2026, 1, 1, 1, 30, tzinfo=timezone(timedelta(hours=5, minutes=30))), "2025-12-31T20:00:00.000Z"),
    ],
)
def test_an_instant_is_spelled_in_utc_with_milliseconds(moment: datetime, text: str) -> None:
    assert rfc3339(moment) == text


def test_a_time_of_another_zone_is_the_same_instant() -> None:
    moment = datetime(2026, 6, 1, 12, tzinfo=UTC)
    assert to_micros(moment.astimezone(timezone(timedelta(hours=-7)))) == to_micros(moment)


def test_the_manual_clock_moves_only_when_told() -> None:
    clock = ManualClock()
    assert clock.now() == clock.now()
    before = clock.now()
    assert clock.advance(timedelta(hours=1)) == before + timedelta(hours=1) == clock.now()


def test_the_systems_clock_is_aware() -> None:
    assert SystemClock().now().utcoffset() == timedelta(0)
