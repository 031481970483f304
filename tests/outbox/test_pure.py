"""The schedule and the signature, by tables."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.outbox.schedule import WAITS_S, max_tries, next_try, parse_retry_after
from gateway.outbox.signing import signature_header

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


def test_the_schedule_is_the_published_one() -> None:
    assert WAITS_S == (0, 5, 60, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
    assert (max_tries(livemode=True), max_tries(livemode=False)) == (11, 3)
    assert timedelta(days=3) < timedelta(seconds=sum(WAITS_S)) < timedelta(days=3.3)


@pytest.mark.parametrize(("spread", "percent"), [(-1000, 80), (-500, 90), (0, 100), (1000, 120)])
def test_jitter_spreads_each_wait_by_a_fifth(spread: int, percent: int) -> None:
    for attempt in range(1, 11):
        due = next_try(attempt, NOW, livemode=True, spread=spread)
        assert due is not None
        assert due - NOW == timedelta(seconds=WAITS_S[attempt]) * percent / 100


def test_after_the_last_try_there_is_none_whatever_the_receiver_asks() -> None:
    assert next_try(11, NOW, livemode=True, spread=0, retry_after_s=5) is None
    assert next_try(3, NOW, livemode=False, spread=0) is None


def test_retry_after_lengthens_up_to_a_day_and_never_shortens() -> None:
    def wait_s(retry_after_s: int) -> float:
        due = next_try(2, NOW, livemode=True, spread=0, retry_after_s=retry_after_s)
        assert due is not None
        return (due - NOW).total_seconds()

    assert [wait_s(asked) for asked in (0, 1, 61, 3600, 10**9)] == [60, 60, 61, 3600, 86_400]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("120", 120),
        (" 7 ", 7),
        ("99999999999999999999", 86_400),
        ("-5", 0),
        ("1.5", 0),
        ("٣", 0),
        ("soon", 0),
        ("Fri, 20 Nov 2026 09:10:00 GMT", 600),
        ("Fri, 20 Nov 2026 08:00:00 GMT", 0),
        ("Fri, 20 Nov 2099 09:10:00 GMT", 86_400),
        ("Fri, 99 Nov 2026 99:99:99 GMT", 0),
        ("\0", 0),
    ],
)
def test_retry_after_is_read_as_seconds_or_a_date_and_nonsense_is_none(header: str | None, seconds: int) -> None:
    assert parse_retry_after(header, NOW) == seconds


def test_the_signature_is_that_of_the_specification() -> None:
    """The vector of the Standard Webhooks reference libraries."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    header = signature_header("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', [secret])
    assert header == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    both = signature_header("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', [secret, secret])
    assert both == f"{header} {header}"
    with pytest.raises(AssertionError):
        signature_header("evt_1", 0, b"", [])
