"""Thousands of answers that never came: nothing is done twice, and two sweeps find out what became of each command."""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any, Protocol

import pytest
from sqlalchemy import func, select

from gateway.domain.words import CaptureMethod, PaymentException, PaymentStatus, RefundsStatus
from gateway.engine.operations import OPEN
from gateway.engine.records import SessionRecord
from gateway.kernel.errors import ConflictError, TemporaryError, UnknownOutcomeError
from gateway.processors.stripe.pages import ATTEMPT, OPERATION, PAYMENT
from gateway.storage import schema
from gateway.storage.database import open_database
from gateway.storage.migrate import upgrade
from sandbox.test_bank.server import RunningBank
from tests.cards.stage import CardShop, a_card_shop
from tests.cards.wire import Loss, ShortWire, join

UNKNOWN_OUTCOMES = 10_000
OVER_SOCKETS = 200
PRICE, PART = "100.00", "7.00"
EACH, PARTS, REFUNDS = 16, 3, 12  # payments of a kind a day; parts of one hold; refunds of one payment
APART = timedelta(seconds=11)  # so that a lost page is looked for among few, and nothing counts as fresh
LOSSES = list(Loss)
READS_LOST = 0.2  # of the commands
TIMES_A_CALL = 2  # the room sends a broken call once more


class Storm(Protocol):
    """Loses answers."""

    def strike(self, on: str) -> None:
        """Let the next command go wrong, and the room's own second try of it; `on` is the call it makes."""

    def rumble(self) -> None:
        """Let whatever is sent again go wrong as well, until it is calm."""

    def calm(self) -> None:
        """Let everything pass."""


class ShortStorm:
    """A storm over a short wire."""

    def __init__(self, wire: ShortWire, seed: int) -> None:
        self._dice = random.Random(seed)
        self._planned: list[Loss] = []
        self._is_rumbling = self._is_deaf = False
        wire.decide = self._decide

    def strike(self, on: str) -> None:
        """Plan it; now and then the command gets through, and what is read afterwards does not."""
        assert on.startswith("POST "), "only a command has an outcome"
        self._planned = [self._dice.choice(LOSSES) for _ in range(TIMES_A_CALL)]
        if self._dice.random() < READS_LOST:
            self._planned, self._is_deaf = [], True

    def rumble(self) -> None:
        """Lose them all."""
        self._planned, self._is_rumbling = [], True

    def calm(self) -> None:
        """Lose none."""
        self._planned, self._is_rumbling, self._is_deaf = [], False, False

    def _decide(self, method: str, _path: str) -> Loss | None:
        if method != "POST":
            return Loss.TIMEOUT_AFTER if self._is_deaf else None
        if self._planned:
            return self._planned.pop()
        return self._dice.choice(LOSSES) if self._is_rumbling else None


class SocketStorm:
    """A storm of the bank's own faults, over HTTP. Time-outs are left to the other: they would take their time."""

    KINDS = (
        ("drop_after", "drop_before"),
        ("drop_before", "drop_after"),
        ("drop_before", "500_before"),
        ("500_before", "500_before"),
        ("500_after", "drop_before"),
    )

    def __init__(self, shop: CardShop, seed: int) -> None:
        self._shop = shop
        self._dice = random.Random(seed)

    def strike(self, on: str) -> None:
        """Plan it at the bank."""
        self.calm()
        for kind in self._dice.choice(self.KINDS):
            self._shop.fault(kind, on)

    def rumble(self) -> None:
        """The second sweep of this storm is as calm as the first."""
        self.calm()

    def calm(self) -> None:
        """Plan nothing."""
        self._shop.control("faults/clear")


class Weather:
    """A shop under a storm: sends commands whose answers get lost, and lets the janitor find out."""

    def __init__(self, shop: CardShop, storm: Storm) -> None:
        self._shop = shop
        self._storm = storm
        self.unknown = 0
        self.by_kind: Counter[str] = Counter()

    def command(self, on: str, send: Callable[..., Any], *given: Any, **named: Any) -> None:
        """Send one command into the storm; whoever is told that nothing happened sends it again."""
        self._storm.strike(on)
        with suppress(UnknownOutcomeError):
            try:
                send(*given, **named)
            except TemporaryError:
                self._storm.calm()
                send(*given, **named)
        self._storm.calm()
        self._shop.pass_time(APART)

    def clear_up(self) -> None:
        """Sweep twice, the first time with every command still lost; nothing may be open after it."""
        self._count()
        self._storm.rumble()
        self._shop.engine.sweep()
        self._storm.calm()
        self._count()
        self._shop.pass_time(self._shop.patience)
        self._shop.engine.sweep()
        assert not self._open(), "two sweeps leave nothing open"

    def _count(self) -> None:
        found = self._open()
        self.unknown += sum(found.values())
        self.by_kind.update(found)

    def _open(self) -> Counter[str]:
        table = schema.operation
        is_open = table.c.status.in_(OPEN) & (table.c.merchant_id == self._shop.owner.merchant_id)
        query = select(table.c.kind, func.count()).where(is_open).group_by(table.c.kind)
        return Counter(dict(self._shop.db.read(lambda tx: [tuple(row) for row in tx.execute(query)])))


def live_a_day(shop: CardShop, weather: Weather, *, each: int = EACH) -> None:
    """Open pages, call some off, take holds or let them go, refund; every command's answer is lost."""
    taken, holds, sold, left = (
        [shop.open(PRICE, capture=capture, minutes=23 * 60) for _ in range(each)]
        for capture in (CaptureMethod.MANUAL, CaptureMethod.MANUAL, CaptureMethod.AUTOMATIC, CaptureMethod.AUTOMATIC)
    )
    open_pages(shop, weather, [*taken, *holds, *sold, *left])
    pay(shop, [*taken, *holds, *sold])
    call_off(shop, weather, left)
    for number in range(1, PARTS + 1):
        take(shop, weather, taken, is_final=number == PARTS)
    let_go(shop, weather, holds)
    for _ in range(REFUNDS):
        refund(shop, weather, sold)


def open_pages(shop: CardShop, weather: Weather, sessions: Iterable[SessionRecord]) -> None:
    for session in sessions:
        weather.command("POST /v1/checkout/sessions", shop.start, session)
    weather.clear_up()


def pay(shop: CardShop, sessions: Iterable[SessionRecord]) -> None:
    for session in sessions:
        assert shop.pay_at_bank(page_of(shop, session)).kind == "paid"
        shop.engine.checkout.returned(session.token)


def call_off(shop: CardShop, weather: Weather, sessions: list[SessionRecord]) -> None:
    for session in sessions:
        on = f"POST /v1/checkout/sessions/{page_of(shop, session)}/expire"
        weather.command(on, shop.engine.sessions.expire, shop.intent(), session.id)
    weather.clear_up()
    for session in sessions:
        with suppress(ConflictError):  # a failure that the bank keeps is looked through at once, and it is over
            shop.engine.sessions.expire(shop.intent(), session.id)
        assert shop.payment(session).status is PaymentStatus.CANCELED


def take(shop: CardShop, weather: Weather, sessions: Iterable[SessionRecord], *, is_final: bool) -> None:
    capture = shop.engine.charges.capture
    for session in sessions:
        on = f"POST /v1/payment_intents/{intent_of(shop, session)}/capture"
        weather.command(on, capture, shop.intent(), session.payment_id, amount=PART, is_final=is_final)
    weather.clear_up()


def let_go(shop: CardShop, weather: Weather, sessions: Iterable[SessionRecord]) -> None:
    for session in sessions:
        on = f"POST /v1/payment_intents/{intent_of(shop, session)}/cancel"
        weather.command(on, shop.engine.charges.cancel, shop.intent(), session.payment_id)
    weather.clear_up()


def refund(shop: CardShop, weather: Weather, sessions: Iterable[SessionRecord]) -> None:
    for session in sessions:
        weather.command("POST /v1/refunds", shop.refund, session, PART)
    weather.clear_up()


def page_of(shop: CardShop, session: SessionRecord) -> str:
    """Return the bank's id of the one page of a session."""
    table = schema.attempt
    query = select(table.c.provider_reference).where(table.c.payment_id == session.payment_id)
    return shop.db.read(lambda tx: str(tx.scalars(query).one()))


def intent_of(shop: CardShop, session: SessionRecord) -> str:
    """Return the bank's id of what a session is paid by."""
    table = schema.charge
    query = select(table.c.reference).where(table.c.payment_id == session.payment_id)
    return shop.db.read(lambda tx: str(tx.scalars(query).one()))


def check(shop: CardShop, days: int, *, each: int = EACH) -> None:
    """Nothing was done twice, nothing is missing, and both sides agree to the cent."""
    pages = Counter(one["metadata"][ATTEMPT] for one in shop.at_bank("checkout.session"))
    assert (len(pages), set(pages.values())) == (days * each * 4, {1}), "one page for each attempt"
    charges = [one for one in shop.at_bank("charge") if one["status"] == "succeeded"]
    per_payment = Counter(one["metadata"][PAYMENT] for one in charges)
    assert (len(per_payment), set(per_payment.values())) == (days * each * 3, {1}), "one charge for each payment"
    taken = Counter(one["amount_captured"] for one in charges if one["captured"])
    assert taken == {10_000: days * each, PARTS * 700: days * each}, "each part once"
    refunds = shop.at_bank("refund")
    assert {one["amount"] for one in refunds} == {700}
    assert len({one["metadata"][OPERATION] for one in refunds}) == len(refunds) == days * each * REFUNDS
    found = payments(shop)
    assert not any(PaymentException.UNKNOWN_OPERATION.value in one["exceptions"] for one in found)
    given = [one["amount_refunded"] for one in found if one["refunds"] == RefundsStatus.PARTIAL.value]
    assert Counter(given) == {REFUNDS * 700: days * each}
    shop.check()


def payments(shop: CardShop) -> list[Any]:
    table = schema.payment
    query = select(table).where(table.c.merchant_id == shop.owner.merchant_id)
    return shop.db.read(lambda tx: list(tx.execute(query).mappings()))


@pytest.fixture
def sqlite_shop(sqlite_url: str, bank: RunningBank) -> Iterator[CardShop]:
    """Return a merchant alone in a database file."""
    database = open_database(sqlite_url)
    upgrade(database)
    database.close()
    with a_card_shop(sqlite_url, bank) as opened:
        yield opened


@pytest.mark.deep
def test_answers_lost_on_real_sockets_double_nothing(sqlite_shop: CardShop) -> None:
    weather, days = Weather(sqlite_shop, SocketStorm(sqlite_shop, seed=5)), 0
    while weather.unknown < OVER_SOCKETS:
        live_a_day(sqlite_shop, weather, each=2)
        days += 1
    check(sqlite_shop, days, each=2)


def test_a_day_of_lost_answers_ends_well_on_every_database(shop: CardShop) -> None:
    weather = Weather(shop, ShortStorm(join(shop.house.stripes[0], shop.bank), seed=3))
    live_a_day(shop, weather, each=1)
    check(shop, 1, each=1)
    assert weather.by_kind.keys() == {"register", "expire", "capture", "void", "refund"}


@pytest.mark.deep
def test_ten_thousand_unknown_outcomes_double_nothing(
    sqlite_shop: CardShop, figure: Callable[[str, object, str], None]
) -> None:
    weather, days = Weather(sqlite_shop, ShortStorm(join(sqlite_shop.house.stripes[0], sqlite_shop.bank), seed=1)), 0
    while weather.unknown < UNKNOWN_OUTCOMES:
        live_a_day(sqlite_shop, weather)
        days += 1
    check(sqlite_shop, days)
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(weather.by_kind.items()))
    figure(
        "card_unknown_outcomes", weather.unknown, f">= {UNKNOWN_OUTCOMES}: 0 doubled, 0 open after 2 sweeps; {kinds}"
    )


def test_a_part_that_was_taken_but_could_not_be_read_is_not_taken_again(sqlite_shop: CardShop) -> None:
    """To say that nothing happened would have the merchant send it again, and a hold gives many parts."""
    wire = join(sqlite_shop.house.stripes[0], sqlite_shop.bank)
    session = sqlite_shop.hold(PRICE)
    wire.decide = lambda method, _path: Loss.TIMEOUT_AFTER if method == "GET" else None
    with pytest.raises(UnknownOutcomeError):
        sqlite_shop.engine.charges.capture(sqlite_shop.intent(), session.payment_id, amount=PART, is_final=False)
    wire.decide = lambda _method, _path: None
    with pytest.raises(ConflictError):
        sqlite_shop.engine.charges.capture(sqlite_shop.intent(), session.payment_id, amount=PART, is_final=False)
    sqlite_shop.pass_time(sqlite_shop.patience)
    sqlite_shop.engine.sweep()
    assert [one["amount_captured"] for one in sqlite_shop.at_bank("charge")] == [700]
    assert sqlite_shop.payment(session).amount_received.atomic == 700
