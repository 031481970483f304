"""The dispatcher: sends what is due, remembers how it went, and lets no endpoint delay another.

`drain()` claims due rows and feeds a pool of threads through lanes (see `lanes.py`); results are recorded in batches.
It waits for its own rows only for a moment: a try that hangs stays behind in its slot, and the next `drain()` goes on
with everybody else. Delivery is at least once, with the same id and the same bytes on every try.
"""

import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from gateway import __version__
from gateway.domain.events import EventType
from gateway.kernel.clock import Clock, real_clock
from gateway.kernel.errors import NotFoundError
from gateway.kernel.ids import Ids, secret_token
from gateway.kernel.log import Log
from gateway.outbox import claims, deliveries, endpoints, events
from gateway.outbox.claims import Job, Result
from gateway.outbox.http import DEADLINE_S, Answer, DeliveryError, GuardedHttp
from gateway.outbox.lanes import Lanes
from gateway.outbox.model import DeliveryOutcome, EndpointStatus, SecretBox
from gateway.outbox.schedule import DISABLE_AFTER, next_try, parse_retry_after
from gateway.outbox.signing import signed_headers
from gateway.storage.database import Database, Tx

CLAIM_BATCH: Final = 500  # rows a claim: milliseconds of work for the database
AHEAD: Final = 400  # rows claimed ahead of the threads, so that none waits for the database
RECORD_BATCH: Final = 500
RECORD_EVERY_S: Final = 0.05  # results gather this long: one durable commit for many
DRAIN_S: Final = 5.0  # a drain under steady load comes back to its loop, which may be asked to stop
WATCH_S: Final = 0.01  # how soon a drain sees that the threads want more
POLL_S: Final = 1.0  # the longest sleep: events of another process arrive without a nudge
OPENED_SECRETS: Final = 1024
_MARGIN: Final = timedelta(seconds=DEADLINE_S + 2)  # a try must end, and be recorded, within its lease
_GONE: Final = 410
_LOG: Final = Log("outbox")


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchPolicy:
    """How much at once; `patience_s` is how long a drain waits for stragglers before it leaves them behind."""

    threads: int = 32
    per_endpoint: int = 8
    patience_s: float = POLL_S


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainReport:
    """What a drain did. `in_flight` tries go on; `next_due_at` None means that nothing waits."""

    claimed: int
    succeeded: int
    failed: int
    in_flight: int
    next_due_at: datetime | None


class Dispatcher:
    """Delivers the outbox of one database from one process; several processes may do so at once."""

    def __init__(
        self,
        db: Database,
        box: SecretBox,
        clock: Clock,
        ids: Ids,
        *,
        http: GuardedHttp,
        policy: DispatchPolicy | None = None,
    ) -> None:
        self._db = db
        self._box = box
        self._clock = clock
        self._ids = ids
        self._http = http
        self._policy = policy or DispatchPolicy()
        self._lanes: Lanes[Job] = Lanes(self._policy.threads, cap=self._policy.per_endpoint)
        self._threads: list[threading.Thread] = []
        self._state = threading.Condition()
        self._results: list[Result] = []
        self._returned: list[Job] = []
        self._outstanding = 0
        self._succeeded = 0
        self._failed = 0
        self._is_closing = False
        self._last_turn = ""
        self._opened: dict[str, str] = {}
        self._nudge = threading.Event()

    def wake(self) -> None:
        """Ask for a drain at once; called after a commit that appended events. Cheap, from any thread."""
        self._nudge.set()
        with self._state:
            self._state.notify_all()

    def drain(self, limit: int = 1000) -> DrainReport:
        """Deliver what is due; return when it is done, only stragglers are left, or `limit` rows were claimed.

        A nudge while it waits makes it claim again, so that what was just committed goes out at once.
        """
        self._start()
        with self._state:
            succeeded, failed = self._succeeded, self._failed
        claimed = self._pump(limit)
        next_due_at = self._db.read(claims.next_due)
        with self._state:
            return DrainReport(
                claimed=claimed,
                succeeded=self._succeeded - succeeded,
                failed=self._failed - failed,
                in_flight=self._outstanding,
                next_due_at=next_due_at,
            )

    def idle(self, report: DrainReport) -> None:
        """Sleep until something is due, a nudge, or a second has passed; not at all after a drain that found work."""
        if report.claimed:
            return
        wait_s = POLL_S
        if report.next_due_at is not None:
            left_s = (report.next_due_at - self._clock.now()).total_seconds()
            wait_s = min(left_s, POLL_S) if left_s > 0 else POLL_S  # overdue: its lane is full and will nudge
        self._nudge.wait(wait_s)

    def close(self) -> None:
        """Give untried rows back, let running tries end, record them."""
        untried = self._lanes.close()
        for thread in self._threads[1:]:
            thread.join()
        with self._state:
            self._returned += untried
            self._is_closing = True
            self._state.notify_all()
        for thread in self._threads[:1]:
            thread.join()
        self._threads.clear()

    # --- claiming ------------------------------------------------------------------------------------------------

    def _pump(self, limit: int) -> int:
        """Claim and wait in turns until nothing is due, the limit is reached, or patience ends."""
        claimed, is_dry = 0, False
        began = progress = time.monotonic()
        while True:
            if self._nudge.is_set():
                self._nudge.clear()
                is_dry = False
            has_room = self._lanes.ready() < AHEAD
            if claimed >= limit and has_room:
                return claimed  # the threads are still busy: the next drain claims before they run dry
            if has_room and not is_dry:
                count = self._claim(min(limit - claimed, CLAIM_BATCH))
                claimed += count
                is_dry = count == 0
                progress = time.monotonic() if count else progress
                continue
            if self._outstanding == 0 and is_dry and not self._nudge.is_set():
                return claimed
            now = time.monotonic()
            if now - progress > self._policy.patience_s or now - began > DRAIN_S:
                return claimed
            with self._state:
                if self._outstanding and not self._nudge.is_set():
                    self._state.wait(WATCH_S)

    def _claim(self, limit: int) -> int:
        lease, now = secret_token(), self._clock.now()
        full, after = self._lanes.full(), self._last_turn

        def verb(tx: Tx) -> list[Job]:
            return claims.claim(tx, now, lease=lease, limit=limit, full=full, after=after, room=self._lanes.room)

        jobs = self._db.write(verb)
        if jobs:
            self._last_turn = jobs[-1].endpoint_id
        with self._state:
            self._outstanding += len(jobs)
        for job in jobs:
            self._lanes.put(job.endpoint_id, job)
        return len(jobs)

    # --- sending -------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        """Start the threads at first use: servers fork before they serve, and threads do not survive a fork."""
        with self._state:
            while len(self._threads) <= self._policy.threads:
                number = len(self._threads)
                job = self._work if number else self._record_all
                thread = threading.Thread(target=job, name=f"outbox-{number}", daemon=True)
                self._threads.append(thread)
                thread.start()

    def _work(self) -> None:
        while (taken := self._lanes.take()) is not None:
            key, job = taken
            began = time.monotonic()
            result = self._try(job)
            if self._lanes.done(key, time.monotonic() - began):
                self._nudge.set()
            self._finish(job, result)

    def _try(self, job: Job) -> Result | None:
        """Send once; None when the lease is too short to send within it."""
        at = self._clock.now()
        if job.lease_until - at < _MARGIN:
            return None
        began = time.monotonic()
        answer: Answer | None = None
        error: str | None = None
        try:
            answer = self._send(job)
        except DeliveryError as refusal:
            error = refusal.reason
        except Exception:  # noqa: BLE001 - the door of a thread: it is logged, and the try counts as failed
            _LOG.exception("delivery_broke", event_id=job.event_id, endpoint_id=job.endpoint_id)
            error = "The delivery could not be prepared."
        return self._result(job, answer, error, latency_ms=int((time.monotonic() - began) * 1000))

    def _send(self, job: Job) -> Answer:
        aad = endpoints.secret_aad(job.merchant_id, job.endpoint_id)
        secrets = [self._open(sealed, aad) for sealed in job.sealed_secrets]
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"StreamPay/{__version__}",
            **signed_headers(job.event_id, int(real_clock(self._clock).now().timestamp()), job.body, secrets),
        }
        return self._http.post(job.url, job.body, headers, livemode=job.livemode)

    def _open(self, sealed: str, aad: str) -> str:
        """Open a secret; the few that are in use are kept open, for each delivery needs them."""
        secret = self._opened.get(sealed)
        if secret is None:
            if len(self._opened) >= OPENED_SECRETS:
                self._opened.clear()
            secret = self._opened[sealed] = self._box.open(sealed, aad=aad)
        return secret

    def _result(self, job: Job, answer: Answer | None, error: str | None, *, latency_ms: int) -> Result:
        now = self._clock.now()
        is_success = answer is not None and answer.status // 100 == 2  # noqa: PLR2004 - any status 2xx
        next_at = None
        if not is_success and not (answer is not None and answer.status == _GONE):
            retry_after_s = parse_retry_after(answer.retry_after, real_clock(self._clock).now()) if answer else 0
            next_at = next_try(
                job.attempt,
                now,
                livemode=job.livemode,
                spread=random.randint(-1000, 1000),  # noqa: S311 - jitter, not a secret
                retry_after_s=retry_after_s,
            )
        return Result(
            job=job,
            delivery_id=self._ids.new("dlv"),
            at=now,
            outcome=DeliveryOutcome.SUCCEEDED if is_success else DeliveryOutcome.FAILED,
            status_code=answer.status if answer else None,
            error=error or (None if is_success or answer is None else f"The receiver answered {answer.status}."),
            latency_ms=latency_ms,
            excerpt=answer.excerpt if answer else None,
            next_at=next_at,
        )

    # --- recording -----------------------------------------------------------------------------------------------

    def _finish(self, job: Job, result: Result | None) -> None:
        """Hand a result to the thread that records."""
        with self._state:
            if result is None:
                self._returned.append(job)
            else:
                self._results.append(result)
            if self._gathered() in {1, RECORD_BATCH, self._outstanding}:
                self._state.notify_all()

    def _record_all(self) -> None:
        """Record what is gathered, in batches, until the dispatcher closes and everything is recorded."""
        while True:
            with self._state:
                while not self._gathered() and not self._is_closing:
                    self._state.wait()
                if self._gathered() < min(RECORD_BATCH, self._outstanding):
                    self._state.wait(RECORD_EVERY_S)
                batch, self._results = self._results[:RECORD_BATCH], self._results[RECORD_BATCH:]
                returned, self._returned = self._returned, []
            if batch or returned:
                self._record(batch, returned)
            elif self._is_closing:
                return

    def _gathered(self) -> int:
        return len(self._results) + len(self._returned)

    def _record(self, batch: Sequence[Result], returned: Sequence[Job]) -> None:
        now = self._clock.now()

        def verb(tx: Tx) -> None:
            claims.release(tx, returned, now)
            if batch:
                claims.record(tx, batch)
                self._disable_hopeless(tx, batch)

        try:
            self._db.write(verb)
        except Exception:  # noqa: BLE001 - the loop goes on: the leases end by themselves and the events go out again
            _LOG.exception("deliveries_not_recorded", count=len(batch))
        succeeded = sum(each.is_success for each in batch)
        with self._state:
            self._outstanding -= len(batch) + len(returned)
            self._succeeded += succeeded
            self._failed += len(batch) - succeeded
            self._state.notify_all()

    def _disable_hopeless(self, tx: Tx, batch: Sequence[Result]) -> None:
        """Disable endpoints that are gone, or failed for days without one success, and tell the merchant's others."""
        reasons: dict[str, tuple[Job, str]] = {}
        for each in batch:
            if each.status_code == _GONE:
                reasons[each.job.endpoint_id] = (each.job, "The endpoint answered 410 Gone.")
        failing = {each.job.endpoint_id: each.job for each in batch if not each.is_success}
        for endpoint_id in claims.failing_since_before(tx, sorted(failing), self._clock.now() - DISABLE_AFTER):
            reasons.setdefault(endpoint_id, (failing[endpoint_id], "Every delivery failed for five days."))
        for endpoint_id in sorted(reasons):
            self._disable(tx, *reasons[endpoint_id])

    def _disable(self, tx: Tx, job: Job, reason: str) -> None:
        try:
            endpoint = endpoints.lock(tx, job.merchant_id, job.endpoint_id, livemode=job.livemode)
        except NotFoundError:
            return  # deleted meanwhile
        if endpoint.status is not EndpointStatus.ENABLED:
            return
        endpoints.switch_off(tx, job.endpoint_id, reason)
        disabled = endpoints.retrieve(tx, job.merchant_id, job.endpoint_id, livemode=job.livemode)
        kind = EventType.ENDPOINT_DISABLED
        events.append(tx, deliveries.about_endpoint(tx, disabled, kind, clock=self._clock, ids=self._ids))
        _LOG.warning("webhook_endpoint_disabled", endpoint_id=job.endpoint_id, reason=reason)
