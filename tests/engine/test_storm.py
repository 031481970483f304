"""Storms: many racers for one thing, on every database, through two engines with pools of their own."""

import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from sqlalchemy import func, select

from gateway.domain.chain import StageChange
from gateway.domain.words import TransferStage
from gateway.engine import idempotency, observations
from gateway.engine.engine import Engine
from gateway.engine.idempotency import Intent, Reply, _InFlight
from gateway.engine.sessions import NewSession
from gateway.kernel.errors import ConflictError, IdempotencyMismatchError, InFlightError, InvalidRequestError
from gateway.ledger.journal import Journal
from gateway.storage import schema
from gateway.storage.database import Tx, open_database
from tests.databases import MARIADB, POSTGRESQL
from tests.engine.paper import Shop, a_session
from tests.engine.world import Landed, World

RACERS, KEYS = 32, 200
PATIENCE_S = 30  # a racer that is told "in flight" asks again, for so long


class Processes(_InFlight):
    """What each process knows to be in flight, where threads stand for processes."""

    def __init__(self) -> None:
        super().__init__()
        self.mine = threading.local()

    @contextmanager
    def hold(self, intent: Intent) -> Iterator[None]:
        """Hold an intent in the memory of the process that this thread stands for."""
        memory: _InFlight = self.mine.memory
        with memory.hold(intent):
            yield


@pytest.fixture
def engines(shop: Shop, migrated_url: str) -> Iterator[list[Engine]]:
    """Return two engines that share nothing but the database; on SQLite one, for a file has one server process."""
    if shop.db.dialect == "sqlite":
        yield [shop.engine]
        return
    other = open_database(migrated_url)
    core = replace(shop.core, db=other, journal=Journal(shop.ids, shop.clock))
    yield [shop.engine, Engine(core, shop.endpoints)]
    other.close()


def persist(engine: Engine, shop: Shop, key: str, new: NewSession, body: str = "one") -> Reply:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        try:
            return engine.sessions.create(shop.intent(key, body), new)
        except InFlightError:
            time.sleep(0.002)
    raise AssertionError("it was in flight for ever")


@pytest.mark.slow
def test_thirty_two_racers_for_two_hundred_keys_make_two_hundred_payments(
    shop: Shop, engines: list[Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each engine stands for a process: what it holds in memory is its own."""
    processes, memories = Processes(), [_InFlight() for _ in engines]
    monkeypatch.setattr(idempotency, "_in_flight", processes)
    orders = {f"key-{number}": a_session("12.30", "USD", f"order-{number}") for number in range(KEYS)}
    answers: dict[str, Counter[str]] = defaultdict(Counter)
    fresh: Counter[str] = Counter()
    lock, start = threading.Lock(), threading.Barrier(RACERS)

    def race(racer: int) -> None:
        processes.mine.memory = memories[racer % len(engines)]
        keys = list(orders)
        random.Random(racer // 8).shuffle(keys)  # groups of eight run after the same key at the same time
        start.wait()
        for key in keys:
            reply = persist(engines[racer % len(engines)], shop, key, orders[key])
            with lock:
                answers[key][reply.body] += 1
                fresh[key] += not reply.is_replay

    with ThreadPoolExecutor(RACERS) as pool:
        list(pool.map(race, range(RACERS)))
    assert {len(bodies) for bodies in answers.values()} == {1}, "one answer a key"
    assert set(fresh.values()) == {1}, "one racer a key was the first"
    count = select(func.count()).select_from(schema.payment).where(schema.payment.c.merchant_id == shop.merchant.id)
    assert shop.db.read(lambda tx: tx.scalar(count)) == KEYS
    assert shop.event_types() == ["checkout.session.created"] * KEYS
    processes.mine.memory = memories[0]
    for engine in engines:
        with pytest.raises(IdempotencyMismatchError):
            persist(engine, shop, "key-7", orders["key-7"], body="another body")


def test_racers_without_keys_for_one_order_share_one_session(shop: Shop, engines: list[Engine]) -> None:
    new = a_session("12.30", "USD", "one order")
    start = threading.Barrier(16)

    def race(racer: int) -> Reply:
        start.wait()
        return engines[racer % len(engines)].sessions.create(shop.intent(), new)

    with ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(race, range(16)))
    assert sorted(reply.status_code for reply in replies) == [200] * 15 + [201]
    assert len({reply.body for reply in replies}) == 1


@pytest.mark.slow
def test_eight_threads_that_repeat_and_reorder_facts_credit_each_once(shop: Shop, engines: list[Engine]) -> None:
    world = World(shop.db, shop)
    sessions = [world.open() for _ in range(6)]
    attempts = [shop.engine.attempts.choose(session, "sol") for session in sessions]
    seen = [shop.observation(one.due.atomic, one.reference_key, stage=TransferStage.SEEN) for one in attempts]
    seen += [shop.observation(7, stage=TransferStage.SEEN) for _ in range(2)]
    facts = [
        (what, stage)
        for what in seen
        for stage in (TransferStage.SEEN, TransferStage.CONFIRMED, TransferStage.FINAL, TransferStage.CONFIRMED)
    ]
    start = threading.Barrier(8)

    def report(number: int) -> None:
        engine, mine = engines[number % len(engines)], list(facts)
        random.Random(number).shuffle(mine)
        start.wait()
        for what, stage in mine:
            engine.observations.observe([replace(what, stage=stage)])
            change = StageChange(
                network=what.network, signature=what.signature, account=what.account, stage=stage, slot=what.slot
            )
            engine.observations.restage([change])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(report, range(8)))
    world.chain = [Landed(replace(what, stage=TransferStage.FINAL)) for what in seen]
    assert [shop.payment(session)["status"] for session in sessions] == ["paid"] * 6
    world.prove()


@pytest.mark.slow
def test_verbs_of_one_order_at_once_leave_one_truth(shop: Shop, engines: list[Engine]) -> None:
    """Pay, expire, extend, sweep and match the same orders from eight threads; whatever came first, all agrees."""
    world = World(shop.db, shop)
    sessions = [world.open() for _ in range(4)]
    for session in sessions:
        world.choose(session)
    start = threading.Barrier(8)

    def live(number: int) -> None:
        draw, engine = random.Random(number), engines[number % len(engines)]
        start.wait()
        for _ in range(12):
            session = draw.choice(sessions)
            verbs: list[Callable[[], object]] = [
                partial(world.pay, session),
                partial(engine.sessions.expire, shop.intent(), session.id),
                partial(engine.sessions.extend, shop.reload(session.token)),
                partial(engine.attempts.choose, shop.reload(session.token), "usdc"),
                engine.sweep,
            ]
            if world.chain:
                verbs.append(partial(world.match, draw.choice(world.chain), session))
            try:
                draw.choice(verbs)()
            except (ConflictError, InvalidRequestError):
                continue

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(live, range(8)))
    world.prove()


@pytest.mark.parametrize("database_kind", [POSTGRESQL, MARIADB], scope="session")  # SQLite: nobody overtakes
def test_a_slow_report_does_not_set_back_what_was_final_meanwhile(
    shop: Shop, engines: list[Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(shop.db, shop)
    session = world.open()
    world.choose(session)
    landed = world.pay(session, stage=TransferStage.SEEN)
    assert landed is not None
    decided, overtaken = threading.Event(), threading.Event()
    advance = observations._advance

    def slowly(tx: Tx, known: Any, stage: TransferStage, slot: int, at: Any) -> Any:
        if stage is TransferStage.CONFIRMED:
            decided.set()
            overtaken.wait(0.5)  # with the row locked nobody overtakes, and this wait ends by itself
        return advance(tx, known, stage, slot, at)

    monkeypatch.setattr(observations, "_advance", slowly)

    def report(engine: Engine, stage: TransferStage) -> None:
        what = landed.what
        change = StageChange(
            network=what.network, signature=what.signature, account=what.account, stage=stage, slot=what.slot
        )
        engine.observations.restage([change])

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(report, engines[0], TransferStage.CONFIRMED)
        assert decided.wait(PATIENCE_S)
        report(engines[1], TransferStage.FINAL)
        overtaken.set()
        slow.result(PATIENCE_S)
    landed.what = replace(landed.what, stage=TransferStage.FINAL)
    world.prove()
