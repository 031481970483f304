"""What nobody knows: resets, errors after the effect, crashes between any two commits. One truth in the end."""

import itertools
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from gateway.domain.words import AttemptStage, OperationStatus, PaymentException, PaymentStatus, RefundsStatus
from gateway.kernel.errors import ConflictError, TemporaryError, UnknownOutcomeError, WorldError
from gateway.storage import schema
from tests.cards.stage import CardShop

P = PaymentStatus
AFTER_THE_EFFECT = ("drop_after", "500_after")
BEFORE_IT = ("drop_before", "500_before", "429")


class CrashError(BaseException):
    """The process dies here; a test may go on with what it left."""


def crash_at(shop: CardShop, nth: int) -> None:
    """Let the engine's process die right after its nth commit from now."""
    commits = itertools.count(1)
    write = shop.db.write

    def dying(verb: Callable[..., Any]) -> Any:
        result = write(verb)
        if next(commits) == nth:
            raise CrashError
        return result

    object.__setattr__(shop.engine.core, "db", _Dying(shop.db, dying))


class _Dying:
    """A database whose user dies after a commit."""

    def __init__(self, real: Any, write: Callable[..., Any]) -> None:
        self._real = real
        self.write = write

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def restart(shop: CardShop) -> None:
    object.__setattr__(shop.engine.core, "db", shop.db)


def lose_the_answer(shop: CardShop, kind: str, on: str) -> None:
    """Let a call go wrong, and the client's own second try of it as well."""
    shop.fault(kind, on)
    shop.fault(kind if kind in BEFORE_IT else "drop_before", on)


def operations(shop: CardShop) -> list[tuple[str, str]]:
    """Return kind and status of this merchant's operations, oldest first."""
    table = schema.operation
    own = table.c.merchant_id == shop.owner.merchant_id
    query = select(table.c.kind, table.c.status).where(own).order_by(table.c.id)
    return shop.db.read(lambda tx: [(row.kind, row.status) for row in tx.execute(query)])


def sweep_twice(shop: CardShop) -> None:
    for _ in range(2):
        shop.clock.advance(shop.patience)
        shop.engine.sweep()


def assert_nothing_is_open(shop: CardShop) -> None:
    open_ones = {OperationStatus.RESERVED, OperationStatus.SUBMITTED, OperationStatus.UNKNOWN}
    assert not [one for one in operations(shop) if one[1] in open_ones]


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_a_crash_while_the_page_is_opened_ends_in_one_page(shop: CardShop, nth: int) -> None:
    """Pitfalls 12 and 18: reserved, answered, stored, redirected; whoever dies in between finds the same page."""
    session = shop.open()
    crash_at(shop, nth)
    with suppress(CrashError):
        shop.start(session)
    restart(shop)
    sweep_twice(shop)
    page = shop.start(session)
    assert [one["id"] for one in shop.at_bank("checkout.session")] == [page]
    assert len(shop.shown(session)["attempts"]) == 1
    shop.pay_at_bank(page)
    shop.catch_up()
    assert shop.payment(session).status is P.PAID
    assert_nothing_is_open(shop)
    shop.check()


def test_a_crash_between_the_answer_and_its_commit_ends_in_one_page(
    shop: CardShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = shop.open()
    room = shop.engine.core.hosted["stripe"]
    register = room.register

    def dying(registration: Any) -> Any:
        register(registration)
        raise CrashError

    monkeypatch.setattr(room, "register", dying)
    with pytest.raises(CrashError):
        shop.start(session)
    monkeypatch.setattr(room, "register", register)
    assert shop.engine.checkout.page(session.token).hosted is not None
    sweep_twice(shop)
    assert [one["id"] for one in shop.at_bank("checkout.session")] == [shop.start(session)]


@pytest.mark.parametrize("kind", AFTER_THE_EFFECT)
def test_an_unknown_page_blocks_nothing_for_long_and_is_found(shop: CardShop, kind: str) -> None:
    session = shop.open()
    lose_the_answer(shop, kind, "POST /v1/checkout/sessions")
    with suppress(UnknownOutcomeError):  # an error that the provider keeps is looked through at once
        shop.start(session)
    sweep_twice(shop)
    assert_nothing_is_open(shop)
    page = shop.start(session)
    assert [one["id"] for one in shop.at_bank("checkout.session")] == [page]
    shop.pay_at_bank(page)
    shop.catch_up()
    assert shop.payment(session).status is P.PAID
    assert PaymentException.UNKNOWN_OPERATION not in shop.payment(session).exceptions


@pytest.mark.parametrize("kind", BEFORE_IT)
def test_a_page_that_was_never_opened_is_opened_by_the_next_click(shop: CardShop, kind: str) -> None:
    session = shop.open()
    shop.fault(kind, "POST /v1/checkout/sessions", times=2)
    with pytest.raises((TemporaryError, UnknownOutcomeError)):
        shop.start(session)
    shop.control("faults/clear")
    sweep_twice(shop)
    assert_nothing_is_open(shop)
    page = shop.start(session)
    shop.pay_at_bank(page)
    shop.catch_up()
    assert shop.payment(session).status is P.PAID
    assert len([one for one in shop.at_bank("checkout.session") if one["status"] == "complete"]) == 1


def test_a_key_that_is_a_day_old_is_not_sent_again(shop: CardShop) -> None:
    """Pitfall 10: the provider may have forgotten it, and would open a second page."""
    session = shop.open(minutes=3 * 24 * 60)
    shop.fault("drop_before", "POST /v1/checkout/sessions", times=2)
    with pytest.raises(UnknownOutcomeError):
        shop.start(session)
    shop.pass_time(timedelta(hours=24))
    shop.engine.sweep()
    assert operations(shop) == [("register", "rejected")]
    assert shop.shown(session)["attempts"][0]["stage"] == AttemptStage.REFUSED
    assert shop.at_bank("checkout.session") == []


@pytest.mark.parametrize("kind", [*AFTER_THE_EFFECT, *BEFORE_IT])
def test_a_refund_of_unknown_outcome_is_made_once(shop: CardShop, kind: str) -> None:
    session = shop.buy()
    lose_the_answer(shop, kind, "POST /v1/refunds")
    assert shop.refund(session)["status"] in {"pending", "succeeded"}
    with pytest.raises(ConflictError):
        shop.refund(session)
    sweep_twice(shop)
    assert_nothing_is_open(shop)
    refunds = shop.at_bank("refund")
    if kind == "500_before":
        assert shop.payment(session).refunds in {RefundsStatus.FULL, RefundsStatus.FAILED}
        assert len(refunds) <= 1
    else:
        assert [one["amount"] for one in refunds] == [1230]
        assert shop.payment(session).refunds is RefundsStatus.FULL
    shop.catch_up()
    shop.check()


@pytest.mark.parametrize("kind", [*AFTER_THE_EFFECT, *BEFORE_IT])
def test_a_capture_of_unknown_outcome_takes_the_money_once(shop: CardShop, kind: str) -> None:
    session = shop.hold()
    (intent,) = shop.at_bank("payment_intent")
    lose_the_answer(shop, kind, f"POST /v1/payment_intents/{intent['id']}/capture")
    try:
        shop.engine.charges.capture(shop.intent(), session.payment_id, amount=None, is_final=True)
    except UnknownOutcomeError:
        with pytest.raises(ConflictError):
            shop.engine.charges.cancel(shop.intent(), session.payment_id)
    except TemporaryError:
        assert ("capture", "rejected") in operations(shop), "nothing happened, and it may be sent again"
    shop.control("faults/clear")
    sweep_twice(shop)
    assert_nothing_is_open(shop)
    if shop.payment(session).status is P.AUTHORIZED:
        shop.engine.charges.capture(shop.intent(), session.payment_id, amount=None, is_final=True)
    assert shop.payment(session).status is P.PAID
    assert [one["amount_captured"] for one in shop.at_bank("charge")] == [1230]
    shop.catch_up()
    shop.check()


def test_another_way_to_pay_waits_until_the_page_is_closed_or_known(shop: CardShop) -> None:
    """An attempt of unknown outcome blocks the next: else both could be paid."""
    session = shop.open()
    shop.fault("drop_before", "POST /v1/checkout/sessions", times=2)
    with pytest.raises(UnknownOutcomeError):
        shop.start(session)
    assert PaymentException.UNKNOWN_OPERATION in shop.payment(session).exceptions
    with pytest.raises(ConflictError):
        shop.engine.charges.cancel(shop.intent(), session.payment_id)
    sweep_twice(shop)
    assert PaymentException.UNKNOWN_OPERATION not in shop.payment(session).exceptions


def test_a_shopper_who_comes_back_to_the_card_finds_a_page_that_stays(shop: CardShop) -> None:
    """Card while the bank is down, then a coin, then card again: the page that opens is the one that he chose last."""
    session = shop.open()
    shop.fault("drop_before", "POST /v1/checkout/sessions", times=2)
    with pytest.raises(UnknownOutcomeError):
        shop.start(session)
    table = schema.checkout_session
    is_it = table.c.id == session.id
    shop.db.write(lambda tx: tx.execute(update(table).where(is_it).values(attempt_id="att_of_a_coin")))
    page = shop.start(session)
    shop.clock.advance(shop.patience)
    shop.engine.sweep()
    assert shop.bank.checkout_session(page)["status"] == "open"


def test_a_close_that_was_sent_and_cannot_be_read_back_is_unknown_and_then_known(shop: CardShop) -> None:
    session = shop.open()
    page = shop.start(session)
    shop.fault("drop_before", f"GET /v1/checkout/sessions/{page}", times=8)
    with pytest.raises(WorldError):
        shop.engine.sessions.expire(shop.intent(), session.id)
    assert operations(shop)[-1] == ("expire", "unknown")
    shop.control("faults/clear")
    sweep_twice(shop)
    assert operations(shop)[-1] == ("expire", "succeeded")
    shop.engine.sessions.expire(shop.intent(), session.id)
    assert shop.payment(session).status is P.CANCELED
