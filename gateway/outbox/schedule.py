"""When a failed delivery is tried again. Pure.

Eleven tries over some 3.2 days in live mode, three within about a minute in test mode; each wait is spread by a fifth
so that a shop that comes back is not met by everything at once.
"""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

# Seconds before each try; the first goes at once.
WAITS_S: Final = (0, 5, 60, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
TEST_TRIES: Final = 3
JITTER_PERCENT: Final = 20
RETRY_AFTER_MAX_S: Final = 86_400
DISABLE_AFTER: Final = timedelta(days=5)
_DIGITS_MAX: Final = 9  # more digits than this are decades: the cap decides


def max_tries(*, livemode: bool) -> int:
    """Return how often an event is tried before it counts as failed."""
    return len(WAITS_S) if livemode else TEST_TRIES


def next_try(attempt: int, now: datetime, *, livemode: bool, spread: int, retry_after_s: int = 0) -> datetime | None:
    """Return when to try again after try number `attempt` (from 1) failed; None when it was the last.

    Args:
        attempt: the try that just failed.
        now: when it failed.
        livemode: test mode gives up sooner.
        spread: the jitter, in thousandths of the permitted one: -1000 to 1000.
        retry_after_s: the receiver's own wish; it may lengthen the wait up to a day, never shorten it.
    """
    assert -1000 <= spread <= 1000, "jitter is bounded"  # noqa: PLR2004 - thousandths
    if attempt >= max_tries(livemode=livemode):
        return None
    wait_ms = WAITS_S[attempt] * (100_000 + JITTER_PERCENT * spread) // 100
    return now + max(timedelta(milliseconds=wait_ms), timedelta(seconds=min(retry_after_s, RETRY_AFTER_MAX_S)))


def parse_retry_after(value: str | None, now: datetime) -> int:
    """Return the seconds that a `Retry-After` header asks for; 0 for none or nonsense (RFC 9110, section 10.2.3)."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return min(int(text[:_DIGITS_MAX]), RETRY_AFTER_MAX_S)
    try:
        instant = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError, IndexError):
        return 0
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    return max(0, min(int((instant - now).total_seconds()), RETRY_AFTER_MAX_S))
