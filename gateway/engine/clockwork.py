"""The test clock: time passes at a word, for a gateway that is for testing only.

Its steps stand in the database, so every server and worker follows within half a second, and after a restart. It goes
forward only. What the world outside measures stays real: signatures of webhooks and of providers' notifications, rates,
leases among workers, rate limits and the memory of idempotency keys; see docs/testing.md.
"""

from datetime import timedelta
from threading import Lock
from typing import Any, Final

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from gateway.engine.core import Core
from gateway.engine.idempotency import Intent, Reply, once
from gateway.kernel.canonical import canonical_json
from gateway.kernel.clock import MovedClock, Step, rfc3339
from gateway.kernel.errors import ConflictError, ErrorCode, NotFoundError
from gateway.outbox.claims import carry_failures, carry_leases
from gateway.storage import schema
from gateway.storage.database import Tx

OK: Final = 200
MAX_AHEAD: Final = timedelta(days=400)  # a year's subscription with its renewal; ids and dates stay far from their ends
MAX_STEPS: Final = 1000  # each of them is asked for every moment that a chain tells
_RACES: Final = 5  # advances at the same moment take the same number; the others take the next one

_table: Final = schema.test_clock_step


class Clockwork:
    """The verbs of the test clock."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._clock = core.clock if isinstance(core.clock, MovedClock) else None
        self._following = Lock()

    @property
    def is_offered(self) -> bool:
        """Whether the operator allows time to be moved."""
        return self._clock is not None

    def follow(self) -> None:
        """Take the steps that other processes made."""
        if self._clock is None:
            return
        with self._following:
            query = select(_table).where(_table.c.number > len(self._clock.steps)).order_by(_table.c.number)
            rows = self._core.db.read(lambda tx: tx.execute(query.limit(MAX_STEPS)).all())
            self._clock.follow([Step(moved_at=row.moved_at, by=timedelta(seconds=row.seconds)) for row in rows])

    def retrieve(self, *, livemode: bool) -> dict[str, Any]:
        """Return what time it is here.

        Raises:
            NotFoundError: `test_clock_off`: no test clock, or a live key.
        """
        clock = self._offered(livemode=livemode)
        return self._wire(clock, clock.ahead)

    def advance(self, intent: Intent, seconds: int) -> Reply:
        """Let time pass, for every process and at once for this one; the same key does so once.

        Raises:
            NotFoundError: `test_clock_off`: no test clock, or a live key.
            ConflictError: `test_clock_limit_reached`; nothing was moved.
        """
        clock = self._offered(livemode=intent.owner.livemode)
        by = timedelta(seconds=seconds)

        def verb(tx: Tx) -> Reply:
            steps = tx.execute(select(_table.c.seconds).limit(MAX_STEPS)).scalars().all()
            ahead = timedelta(seconds=sum(steps)) + by
            _refuse_too_far(len(steps) + 1, ahead)
            values = {"number": len(steps) + 1, "seconds": seconds, "moved_at": clock.real.now()}
            tx.execute(insert(_table), values)
            carry_leases(tx, by)
            carry_failures(tx, by)
            return Reply(status_code=OK, body=canonical_json(self._wire(clock, ahead)))

        reply = self._once(intent, verb)
        self.follow()
        self._core.wake_delivery()
        self._core.wake_inbox()
        return reply

    def _once(self, intent: Intent, verb: Any) -> Reply:
        for _ in range(_RACES):
            try:
                return once(self._core, intent, verb)
            except IntegrityError:  # somebody else took this number, and nothing was written
                continue
        return once(self._core, intent, verb)

    def _offered(self, *, livemode: bool) -> MovedClock:
        if self._clock is None or livemode:
            raise NotFoundError(
                ErrorCode.TEST_CLOCK_OFF,
                "There is no test clock here. It is for test keys of a gateway with STREAMPAY_TEST_CLOCK=yes.",
            )
        return self._clock

    def _wire(self, clock: MovedClock, ahead: timedelta) -> dict[str, Any]:
        return {
            "object": "test_clock",
            "now": rfc3339(clock.real.now() + ahead),
            "ahead_s": ahead // timedelta(seconds=1),
            "also_advance": [f"{url}/_sandbox/clock/advance" for url in self._core.bank_urls],
        }


def _refuse_too_far(steps: int, ahead: timedelta) -> None:
    if steps > MAX_STEPS or ahead > MAX_AHEAD:
        raise ConflictError(
            ErrorCode.TEST_CLOCK_LIMIT_REACHED,
            f"A test clock goes {MAX_AHEAD.days} days ahead at the most, in {MAX_STEPS:,} steps. Begin with an empty "
            "database.",
        )
