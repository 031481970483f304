"""The loops: monitor, delivery, inbox, sweeps, mails, rates, feed, sealing; each a thread of a server or worker."""

import itertools
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.domain.ageing import EDGES
from gateway.domain.ports import ChainReader
from gateway.engine.engine import Engine
from gateway.kernel.clock import Clock
from gateway.kernel.errors import WorldError
from gateway.kernel.log import Log
from gateway.ledger.sealing import seal
from gateway.monitor.lease import DayLease, NetworkLease
from gateway.monitor.monitor import Monitor
from gateway.outbox.delivery import Dispatcher
from gateway.outbox.events import publish
from gateway.rates.book import RateBook
from gateway.reporting.donations import DonationReports
from gateway.storage.database import Database
from gateway.workers.wakeups import Wakeups

log = Log("workers")

TICK_S: Final = 1.0  # a shopper waits at the page: the chain is asked about once a second
PAUSE_S: Final = 0.2  # between two turns of a monitor, however many hints wake it: nodes count calls
IDLE_TURNS: Final = 10  # with nobody paying, every tenth turn
SWEEP_S: Final = 2.0
INBOX_S: Final = 1.0  # a notification wakes it; what was put off comes in its time
INBOX_PAUSE_S: Final = (
    0.05  # between two turns: under load many notifications share one, and an event's five are one read
)
PAYOUTS_S: Final = 900.0  # providers pay out once a day; their lists need not be read more often
FEED_S: Final = 0.5  # the polling transport lags by no more than this
CLOCK_S: Final = 0.5  # all processes follow a test clock within a second
RATES_S: Final = 10.0  # sources say themselves how often they may be asked
SEAL_S: Final = 10.0
MAILS_S: Final = 5.0  # a donor looks for his receipt within a minute
REMINDERS_S: Final = 60.0
AUDIT_S: Final = 60.0
OWED_S: Final = 600.0  # what charities are owed for too long is said once a day; who died over it is followed in time
FAILED_PAUSE_S: Final = 1.0  # after a failure: a database that is away must not be asked a thousand times a second
STOP_S: Final = 6.0  # all loops together; service managers kill after ten seconds, and nothing is lost even then


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """The parts whose work comes again and again."""

    db: Database
    clock: Clock
    engine: Engine
    readers: Mapping[str, ChainReader]
    monitor: Monitor
    rates: RateBook
    dispatcher: Dispatcher
    wakeups: Wakeups


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """One piece of recurring work: `turn` is run every `every_s`, or at once when `wake` is set; then `at_end`.

    `pause_s` lies between two turns even then.
    """

    name: str
    every_s: float
    turn: Callable[[], object]
    wake: threading.Event
    at_end: Callable[[], object] | None = None
    pause_s: float = 0


class Workers:
    """Runs loops in threads until told to stop; a turn that fails is logged and comes again."""

    def __init__(self, loops: list[Loop]) -> None:
        self._loops = loops
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(loop,), name=f"worker-{loop.name}", daemon=True) for loop in loops
        ]

    def start(self) -> None:
        """Start every loop."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End every loop after the turn it is in; a turn that takes too long ends with the process."""
        self._stop.set()
        for loop in self._loops:
            loop.wake.set()
        deadline_s = time.monotonic() + STOP_S
        for thread in self._threads:
            thread.join(max(0.0, deadline_s - time.monotonic()))
            if thread.is_alive():
                log.warning("loop_cut_short", loop=thread.name)

    def _run(self, loop: Loop) -> None:
        while not self._stop.is_set():
            loop.wake.clear()
            if not _turn(loop.name, loop.turn):
                self._stop.wait(FAILED_PAUSE_S)
            if not self._stop.is_set():  # else the wake-up that `stop` set may have been cleared before the turn
                self._stop.wait(loop.pause_s)
                loop.wake.wait(loop.every_s - loop.pause_s)
        if loop.at_end is not None:
            _turn(loop.name, loop.at_end)


def _turn(name: str, turn: Callable[[], object]) -> bool:
    """Run a turn; return False if it failed."""
    try:
        turn()
    except WorldError as error:  # the world's failures pass by themselves, and a traceback of ours explains nothing
        log.warning("turn_failed", loop=name, code=error.code, reason=error.message)
    except Exception:  # the loop's door: log, and come again
        log.exception("turn_failed", loop=name)
    else:
        return True
    return False


def all_loops(work: Work) -> list[Loop]:
    """Return the loops of a whole gateway."""
    loops = [
        *serving_loops(work),
        _timed("delivery", 0, lambda: work.dispatcher.idle(work.dispatcher.drain())),
        Loop(
            name="inbox",
            every_s=INBOX_S,
            turn=work.engine.inbound.drain,
            wake=work.wakeups.inbox,
            pause_s=INBOX_PAUSE_S,
        ),
        # Three loops: whoever waits for a provider or a node keeps nobody else waiting.
        _timed("windows", SWEEP_S, work.engine.close_windows),
        _timed("wallets", SWEEP_S, work.engine.ask_chains),
        _timed("mails", MAILS_S, work.engine.mailroom.deliver),
        _timed("reminders", REMINDERS_S, work.engine.pledges.remind),
        _timed("feed", FEED_S, lambda: publish(work.db, work.clock)),
        _timed("sealing", SEAL_S, lambda: seal(work.db, work.clock)),
        _timed("owed", OWED_S, _owed_turn(work)),
    ]
    if work.engine.core.hosted:
        loops += [
            _leased(work, "providers", SWEEP_S, work.engine.ask_providers),
            _leased(work, "payouts", PAYOUTS_S, work.engine.payouts.settle, wake=work.wakeups.payouts),
        ]
    for network in work.readers:
        lease = NetworkLease(work.db, work.clock, network)
        loops.append(
            Loop(
                name=f"monitor-{network}",
                every_s=TICK_S,
                turn=_monitor_turn(work, network, lease),
                wake=work.wakeups.monitor(network),
                pause_s=PAUSE_S,
                at_end=lease.release,
            )
        )
        loops.append(_timed(f"audit-{network}", AUDIT_S, _audit_turn(work, network)))
    return loops


def serving_loops(work: Work) -> list[Loop]:
    """Return what every server process needs itself: rates are quoted from its own memory."""
    loops = [_timed("rates", RATES_S, work.rates.refresh)]
    if work.engine.clockwork.is_offered:
        loops.append(_timed("clock", CLOCK_S, work.engine.clockwork.follow))
    return loops


def _timed(name: str, every_s: float, turn: Callable[[], object]) -> Loop:
    return Loop(name=name, every_s=every_s, turn=turn, wake=threading.Event())


def _leased(
    work: Work, name: str, every_s: float, turn: Callable[[], object], *, wake: threading.Event | None = None
) -> Loop:
    """Return a loop of which one worker at a time takes the turns: providers count calls."""
    lease = NetworkLease(work.db, work.clock, name)

    def take() -> None:
        if lease.hold():
            turn()

    return Loop(name=name, every_s=every_s, turn=take, wake=wake or threading.Event(), at_end=lease.release)


def _monitor_turn(work: Work, network: str, lease: NetworkLease) -> Callable[[], None]:
    """Look once a second while a shopper may be paying, and rarely otherwise: nodes ration their answers.

    Of several workers one looks; a hint is followed by whoever has it.
    """
    idle_turns = itertools.cycle(range(IDLE_TURNS))

    def turn() -> None:
        hints = work.wakeups.take_hints(network)
        if hints:
            work.monitor.hint(network, *hints)
        if not lease.hold():
            return
        if next(idle_turns) == 0 or hints or work.engine.payments.is_money_awaited(network):
            work.monitor.tick(network)

    return turn


def _owed_turn(work: Work) -> Callable[[], None]:
    """Say which charities have waited for longer than the first step of ages: once a day, whoever of the workers."""
    reports, lease = DonationReports(work.db, work.engine.core.journal), DayLease(work.db, work.clock, "owed")

    def turn() -> None:
        if not lease.take():
            return
        for one in reports.overdue(work.clock.now(), older_than_days=EDGES[0]):
            log.warning(
                "donations_overdue",
                charity_id=one.charity_id,
                amount=str(one.amount),
                oldest_days=max(age.from_days for age in one.ages if age.amount),
            )
        lease.finish()

    return turn


def _audit_turn(work: Work, network: str) -> Callable[[], None]:
    """Compare the chain with the books; money that nothing explains is looked for by the references of open orders."""

    def turn() -> None:
        report = work.monitor.audit(network, work.engine.observations.explained)
        for account in (gap.account for gap in report.gaps if gap.amount > 0):
            for reference_key in work.engine.observations.unpaid_references(network, account):
                work.monitor.find_by_reference(network, reference_key)

    return turn
