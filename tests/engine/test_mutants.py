"""Standing mutants: take one guard away, and the world's checker must notice. A checker without teeth fails here."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from sqlalchemy import true

from gateway.domain import payments
from gateway.domain.postings import difference
from gateway.domain.words import TransferStage
from gateway.engine import expiry, idempotency, observations, posting, refresh, sessions
from gateway.engine.core import Core
from gateway.engine.idempotency import Intent, Reply
from gateway.kernel.ids import secret_token
from gateway.storage import schema
from gateway.storage.database import Database
from gateway.storage.statements import insert_new
from tests.engine.paper import Shop
from tests.engine.world import World

S = TransferStage


def live(world: World) -> None:
    """Lead a life in which every guard is needed once, and check the world after each step."""
    for step in (_pays_slowly, _pays_twice, _is_called_off, _forks, _is_matched, _waits_for_the_scanner, _asks_again):
        step(world)
        world.prove()


def _chosen(world: World, amount: str = "12.30") -> Any:
    session = world.open(amount)
    assert world.choose(session)
    return session


def _pays_slowly(world: World) -> None:
    landed = world.pay(_chosen(world), stage=S.SEEN)
    assert landed is not None
    for stage in (S.CONFIRMED, S.FINAL):
        world.check()
        world.repeat(landed)
        world.move_on(landed, stage)
        world.report_stale(landed, S.SEEN)


def _pays_twice(world: World) -> None:
    session = _chosen(world)
    world.pay(session, Fraction(1, 2))
    world.check()
    world.pay(session, Fraction(1))


def _is_called_off(world: World) -> None:
    session = _chosen(world)
    assert world.call_off(session)
    world.pass_time(5)
    world.pay(session)


def _forks(world: World) -> None:
    landed = world.pay(_chosen(world), stage=S.CONFIRMED)
    assert landed is not None
    world.check()
    world.drop(landed)
    world.check()
    world.move_on(landed, S.FINAL)


def _is_matched(world: World) -> None:
    session = _chosen(world, "10.00")
    landed = world.stray(50_000_000, S.CONFIRMED)
    world.move_on(landed, S.FINAL)
    world.check()
    assert world.match(landed, session)


def _waits_for_the_scanner(world: World) -> None:
    session = _chosen(world)
    world.pass_time(0)
    world.pass_time(40, is_scanned=False)
    world.sweep()
    assert world.shop.payment(session)["status"] == "open", "nobody has read what came before the deadline"
    world.pass_time(1)
    world.sweep()
    assert world.shop.payment(session)["status"] == "expired"


def _asks_again(world: World) -> None:
    first = world.shop.open("3.00", reference="asked twice", key="the same key")
    world.shop.engine.sessions.expire(
        world.shop.intent(), world.rows(schema.checkout_session, reference="asked twice")[0]["id"]
    )
    again = world.shop.open("3.00", reference="asked twice", key="the same key")
    assert again.body == first.body, "one key, one answer"


class _AlwaysNewer(int):
    """A rank that is above every other."""

    def __gt__(self, other: object) -> bool:
        return True


_numbers = itertools.count()


def _credit_twice(tx: Any, table: Any, values: dict[str, Any]) -> bool:
    if table is schema.chain_transfer:
        number = next(_numbers)
        insert_new(tx, table, {**values, "id": f"{values['id'][:-6]}{number:06}", "path": f"{values['path']}-{number}"})
    return insert_new(tx, table, values)


def _never_correct(target: Any, position: Any) -> Any:
    return {} if position else difference(target, position)


def _allocate_twice(*args: Any, **kwargs: Any) -> Any:
    return _plain_allocate(*args, **kwargs) * 2


def _under_another_key(core: Core, intent: Intent, reply: Reply) -> dict[str, Any]:
    return idempotency.memory(core, replace(intent, key=secret_token()), reply)


_plain_allocate = payments._allocate

# (guard that is gone, where it stood, what stands there instead)
MUTANTS: list[tuple[str, Any, str, Any]] = [
    ("each signature is credited once", observations, "insert_new", _credit_twice),
    ("an older report does not win", observations, "_ORDER", {stage: _AlwaysNewer() for stage in S}),
    ("a fork takes the books back", posting, "difference", _never_correct),
    ("each unit has one place", payments, "_allocate", _allocate_twice),
    ("an excess is nobody's income", payments, "_has_excess", lambda *_, **__: False),
    ("late money waits for a rule", payments, "is_late", lambda *_: False),
    ("unsettled money is no income", payments, "is_settled", lambda *_: True),
    ("a payment is paid in full or not", payments, "_is_full", lambda *_: True),
    ("a window closes behind the scanner", expiry, "_is_scanned", true),
    ("an answer is remembered", sessions, "memory", _under_another_key),
    ("a change is told", refresh, "append", lambda *_: None),
    ("the session follows its payment", refresh, "_follow", lambda *_: None),
    ("the row says what was derived", refresh, "_store", lambda *_: None),
    ("unmatched money is booked", observations, "book_unmatched", lambda *_: None),
    ("unmatched money is told of without gaps", observations, "next_sequence", lambda *_: 7),
]


def test_a_life_with_every_guard_in_place_is_sound(fresh: Callable[[], Database]) -> None:
    db = fresh()
    live(World(db, Shop(db)))


@pytest.mark.parametrize(("where", "name", "mutant"), [row[1:] for row in MUTANTS], ids=[row[0] for row in MUTANTS])
def test_a_missing_guard_is_noticed(
    fresh: Callable[[], Database], monkeypatch: pytest.MonkeyPatch, where: Any, name: str, mutant: Any
) -> None:
    db = fresh()
    world = World(db, Shop(db))
    assert hasattr(where, name), "the guard has moved: move its mutant"
    monkeypatch.setattr(where, name, mutant)
    with pytest.raises(AssertionError):
        live(world)
