"""A storm for the merchant's own webhook view: what a gateway, a proxy and the network do to it on a bad day."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from streampay.errors import ConfigurationError
from streampay.testing._deliver import status_of
from streampay.testing._events import SampleEvent, sign_headers

MAX_LINES = 40  # of the story
MAX_RETRIES = 12  # how often an event is brought again that was not answered with 2xx
_PAID = "payment.succeeded"
_FOREIGN = "whsec_bm90LXRoZS1zZWNyZXQtb2YteW91ci1zaG9w"
Deliver = Callable[[bytes, dict[str, str]], object]
Count = Callable[[], int | Mapping[str, int]]


class StormError(AssertionError):
    """The shop did not stand the storm; the text says what happened, and with which seed it happens again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StormReport:
    """What a storm did: deliveries sent, answered 2xx and refused, forgeries sent, goods due and shipped."""

    rounds: int
    deliveries: int
    accepted: int
    refused: int
    forgeries: int
    due: int
    shipped: int


@dataclass(frozen=True, slots=True)
class _Bolt:
    """One delivery: an event as it is sent; a forged one must not be accepted."""

    one: SampleEvent
    headers: dict[str, str] = field(repr=False)
    forged: str = ""


@dataclass(slots=True)
class _Log:
    """What was answered, in order."""

    lines: list[tuple[_Bolt, int]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, bolt: _Bolt, status: int) -> None:
        with self.lock:
            self.lines.append((bolt, status))


def chaos(
    deliver: Deliver,
    events: Callable[[int], Iterable[SampleEvent]] | Sequence[SampleEvent],
    *,
    count: Count,
    secret: str,
    duplicates: int = 3,
    shuffle: bool = True,
    stale: bool = True,
    threads: int = 12,
    rounds: int = 1,
    seed: int = 0,
) -> StormReport:
    """Deliver events again and again, shuffled, stale, forged and from many threads; check that each order ships once.

    Args:
        deliver: your webhook view: takes body and headers, returns its status; see `streampay.testing.receiver`.
        events: the events of some orders that your shop knows, or a function of the round that makes such orders.
        count: how often your shop has shipped until now: one sum, or a figure for each order's reference.
        secret: the secret that your shop verifies with.
        duplicates: how often each event comes.
        shuffle: deliver in any order.
        stale: bring old events again once everything is over, and some that are signed too long ago.
        threads: how many deliver at once.
        rounds: how many storms; each needs new orders, so `events` must be a function for more than one.
        seed: chooses the order; the same seed makes the same storm.

    Raises:
        StormError: something was shipped twice or never, or a forgery was answered with 2xx.
        ConfigurationError: several rounds without a function that makes their orders.
    """
    if rounds > 1 and not callable(events):
        raise ConfigurationError(
            "for several rounds, events is a function that makes new orders", code="events_invalid"
        )
    dice = random.Random(seed)  # noqa: S311 - a storm is reproducible, not secret
    storm = _Storm(deliver, secret, max(1, duplicates), threads, dice)
    before, due = _figures(count()), 0
    for number in range(rounds):
        made = list(events(number) if callable(events) else events)
        orders = {one.event.payment.reference for one in made if one.event.type == _PAID and one.event.payment}
        due += len(orders)
        storm.rage(made, is_shuffled=shuffle, has_stale=stale)
        after = _figures(count())
        story = f"round {number + 1} of {rounds}, seed={seed} threads={threads} duplicates={duplicates}"
        _judge(storm.log, before, after, orders, story)
        before = after
    return storm.report(rounds, due)


@dataclass(slots=True)
class _Storm:
    """The weather of one call."""

    deliver: Deliver
    secret: str
    duplicates: int
    threads: int
    dice: random.Random
    log: _Log = field(default_factory=_Log)

    def rage(self, made: Sequence[SampleEvent], *, is_shuffled: bool, has_stale: bool) -> None:
        """Deliver everything often, between forgeries; then what was not accepted; then everything once more."""
        bolts = [_signed(one, self.secret) for one in made for _ in range(self.duplicates)]
        bolts += [forgery for one in made for forgery in _forgeries(one, self.secret)]
        if is_shuffled:
            self.dice.shuffle(bolts)
        _strike(self.deliver, bolts, self.threads, self.log)
        _retry(self.deliver, made, self.secret, self.log)
        if has_stale:
            late = [_signed(one, self.secret) for one in made]
            self.dice.shuffle(late)
            _strike(self.deliver, late, self.threads, self.log)

    def report(self, rounds: int, due: int) -> StormReport:
        """Return what it did; a shop that got here has shipped what was due."""
        good = [status for bolt, status in self.log.lines if not bolt.forged]
        accepted = sum(is_taken(status) for status in good)
        forgeries, refused = len(self.log.lines) - len(good), len(good) - accepted
        return StormReport(
            rounds=rounds,
            deliveries=len(good),
            accepted=accepted,
            refused=refused,
            forgeries=forgeries,
            due=due,
            shipped=due,
        )


def is_taken(status: int) -> bool:
    """Tell whether an answer says that the event is processed."""
    return 200 <= status < 300  # noqa: PLR2004 - HTTP's own figures


def _signed(one: SampleEvent, secret: str, age_s: float = 0) -> _Bolt:
    return _Bolt(one, one.headers(secret, time.time() - age_s))


def _forgeries(one: SampleEvent, secret: str) -> list[_Bolt]:
    """Return what must be refused: a foreign secret, an old signature, a changed body, no signature."""
    changed = one.body.replace(b'"livemode":false', b'"livemode":true ')
    elsewhere = sign_headers(changed + b" ", secret, message_id=one.event.id)
    return [
        _Bolt(one, one.headers(_FOREIGN), "signed with another secret"),
        _Bolt(one, one.headers(secret, time.time() - 7200), "signed two hours ago"),
        _Bolt(one, elsewhere, "signed for another body"),
        _Bolt(one, {}, "not signed"),
    ]


def _strike(deliver: Deliver, bolts: Sequence[_Bolt], threads: int, log: _Log) -> None:
    """Deliver from many threads at once."""

    def work(mine: Sequence[_Bolt]) -> None:
        barrier.wait()
        for bolt in mine:
            log.note(bolt, _answer(deliver, bolt))

    shares = [share for share in (bolts[start::threads] for start in range(threads)) if share]
    barrier = threading.Barrier(max(1, len(shares)))
    crew = [threading.Thread(target=work, args=(share,)) for share in shares]
    for one in crew:
        one.start()
    for one in crew:
        one.join()


def _answer(deliver: Deliver, bolt: _Bolt) -> int:
    """Return the status; a view that raises is what a web server would make a 500 of."""
    try:
        return status_of(deliver(bolt.one.body, dict(bolt.headers)))
    except Exception:  # noqa: BLE001 - whatever the shop raises, its server answers 500
        return 500


def _retry(deliver: Deliver, made: Sequence[SampleEvent], secret: str, log: _Log) -> None:
    """Bring again what was never accepted, as the gateway does."""
    for _ in range(MAX_RETRIES):
        taken = {bolt.one.event.id for bolt, status in log.lines if not bolt.forged and is_taken(status)}
        waiting = [one for one in made if one.event.id not in taken]
        if not waiting:
            return
        _strike(deliver, [_signed(one, secret) for one in waiting], 1, log)


def _figures(shipped: int | Mapping[str, int]) -> Mapping[str, int]:
    return {"": shipped} if isinstance(shipped, int) else dict(shipped)


def _judge(log: _Log, before: Mapping[str, int], after: Mapping[str, int], orders: set[str], story: str) -> None:
    """Hold the shop to its orders.

    Raises:
        StormError: it shipped one of them twice or never, or believed a forgery.
    """
    forged = {
        (bolt.one.event.type, bolt.forged, status) for bolt, status in log.lines if bolt.forged and is_taken(status)
    }
    wrong = [
        f"- {kind} {how} was answered {status}: answer 400, or strangers get your goods" for kind, how, status in forged
    ]
    names = orders | set(after) if "" not in after else {""}
    for name in sorted(names):
        shipped, due = after.get(name, 0) - before.get(name, 0), int(name in orders) if name else len(orders)
        if shipped != due:
            what = f"{name} was paid {_times(due)}" if name else f"{due} orders were paid"
            wrong += [f"- {what}, and goods were shipped {_times(shipped)}", *_tale(log, name)]
    if wrong:
        raise StormError(f"the shop did not stand the storm ({story}):\n" + "\n".join(wrong[:MAX_LINES]))


def _times(count: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(count, f"{count} times")


def _tale(log: _Log, order: str) -> list[str]:
    """Return what came for an order, and what was answered."""
    mine = [(bolt, status) for bolt, status in log.lines if order and f'"{order}"'.encode() in bolt.one.body]
    return [
        f"    {bolt.one.event.type} #{bolt.one.event.sequence} {bolt.forged or 'signed'} -> {status}"
        for bolt, status in mine
    ]
