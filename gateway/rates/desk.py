"""A desk: one source, asked in a thread of its own, so that a dead or hanging source delays nobody but itself."""

import threading
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import Final

from gateway.domain.ports import SourceRate
from gateway.kernel.clock import Clock
from gateway.kernel.log import Log
from gateway.rates.http import RatesHttp, UnreachableError
from gateway.rates.sources import Pair, Question, Source, UnusableAnswerError

log = Log("rates")

# A source that failed is asked again after half a minute, then after a minute, and so on up to this.
FIRST_RETRY: Final = timedelta(seconds=30)
MAX_BACK_OFF: Final = timedelta(minutes=5)
_MAX_DOUBLINGS: Final = 8

Take = Callable[[Source, Sequence[SourceRate]], None]


class Desk:
    """Asks one source when it is due, and hands what it said to `take`; safe among threads."""

    def __init__(self, source: Source, http: RatesHttp, clock: Clock, take: Take) -> None:
        self._source = source
        self._http = http
        self._clock = clock
        self._take = take
        self._lock = threading.Lock()
        self._is_asking = False
        self._due_at: datetime | None = None
        self._failures = 0
        self._troubles: dict[str, str] = {}

    def start_round(self, wanted: AbstractSet[Pair]) -> threading.Thread | None:
        """Ask everything in a new thread if it is time and the last round is over; return the thread."""
        now = self._clock.now()
        with self._lock:
            if self._is_asking or (self._due_at is not None and now < self._due_at):
                return None
            self._is_asking = True
        thread = threading.Thread(
            target=self._round,
            args=(self._source.questions(wanted), now),
            name=f"rates-{self._source.name}",
            daemon=True,
        )
        thread.start()
        return thread

    def _round(self, questions: Sequence[Question], started_at: datetime) -> None:
        has_answered = not questions
        try:
            for question in questions:
                try:
                    self._ask(question)
                except UnusableAnswerError as error:
                    self._note(question, error.reason)
                except UnreachableError as error:
                    self._note(question, error.reason)
                    break  # The next question would only wait as long.
                else:
                    has_answered = True
                    self._note(question, None)
        finally:
            self._end_round(started_at, has_answered=has_answered)

    def _ask(self, question: Question) -> None:
        asked_at = self._clock.now()
        body = self._http.get(question.url)
        self._take(self._source, self._source.parse(body, question, asked_at))

    def _end_round(self, started_at: datetime, *, has_answered: bool) -> None:
        with self._lock:
            self._is_asking = False
            self._failures = 0 if has_answered else self._failures + 1
            self._due_at = started_at + self._pause()

    def _pause(self) -> timedelta:
        """Return how long to leave the source alone: one that publishes hourly is retried sooner after a failure."""
        if not self._failures:
            return self._source.every
        return min(FIRST_RETRY * (1 << min(self._failures - 1, _MAX_DOUBLINGS)), MAX_BACK_OFF)

    def _note(self, question: Question, reason: str | None) -> None:
        """Log what changed, not every repetition; never a body."""
        market = str(question.pair or "table")
        if self._troubles.get(market) == reason:
            return
        if reason is None:
            del self._troubles[market]
            log.info("rate_source_recovered", source=self._source.name, market=market)
        else:
            self._troubles[market] = reason
            log.warning("rate_source_failed", source=self._source.name, market=market, reason=reason)
