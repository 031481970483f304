"""The bank's post in any order, doubled, late and stale: every life ends as it does when the post comes in order."""

import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import select

from gateway.domain.words import PaymentException, PaymentStatus, RefundsStatus
from gateway.engine.records import SessionRecord, load_attempts, load_disputes, load_refunds
from gateway.ledger.proof import verify
from gateway.storage import schema
from gateway.storage.database import Tx, open_database
from gateway.storage.migrate import upgrade
from sandbox.test_bank.server import RunningBank
from tests.cards.lives import LIVES, Life
from tests.cards.stage import WARNED, CardShop, a_card_shop
from tests.cards.wire import join

DELIVERIES = 5_000
CARRIERS = 3  # postmen at once
LINGER_S = 0.02  # an answer of the bank's is on its way for so long at the most
PATIENCE_S = 20  # for another thread
NEWS_LIMIT = 60  # more events than one act ever makes
# Lives in which one read can overtake another to some effect; the others are lived on one database alone.
RICH = [life for life in LIVES if life.name in {"refunded_and_one_failed_later", "disputed_and_won", "warned_of"}]
Post = list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a payment ended, without ids and times; `told` are the types of the merchant's events."""

    payment: tuple[Any, ...]
    session: str
    attempts: Sequence[str]
    refunds: Sequence[tuple[Any, ...]]
    disputes: Sequence[tuple[Any, ...]]
    books: dict[tuple[str, str, str], int]
    bank_lines: Sequence[tuple[Any, ...]]


class Postman:
    """Collects the bank's news, and brings them as badly as he may."""

    def __init__(self, shop: CardShop, dice: random.Random) -> None:
        self._shop = shop
        self._dice = dice
        self._bag: Post = []
        self._past: Post = []
        self._numbers = itertools.count()
        self.delivered = 0
        shop.post_from_bank()

    def bring_some(self) -> None:
        """Take the news; deliver a few from the bag, and some that came long ago, in any order and any batches."""
        news = news_of(self._shop)
        self._bag += news
        self._past += news
        self._dice.shuffle(self._bag)
        count = self._dice.randint(0, len(self._bag))
        brought, self._bag = self._bag[:count], self._bag[count:]
        self._deliver(brought + self._again(at_most=3))

    def bring_the_rest(self) -> None:
        """Deliver whatever was held back, with everything once more."""
        brought, self._bag = self._bag, []
        self._deliver(brought + self._again(at_most=len(self._past)))

    def _again(self, *, at_most: int) -> Post:
        count = self._dice.randint(0, min(at_most, len(self._past)))
        return [self._stale(one) if self._dice.random() < 0.2 else one for one in self._dice.sample(self._past, count)]

    def _stale(self, event: dict[str, Any]) -> dict[str, Any]:
        """Return an old state under a new id: what a replayed or resent event of another endpoint looks like."""
        return event | {"id": f"{event['id']}stale{next(self._numbers)}"}

    def _deliver(self, events: Post) -> None:
        self._dice.shuffle(events)
        self.delivered += len(events)
        while events:
            count = self._dice.randint(1, len(events))
            self._shop.deliver(events[:count])
            events = events[count:]


def news_of(shop: CardShop) -> Post:
    """Return what the bank has to tell since the last time, oldest first; quicker than over HTTP."""
    newest = shop.bank.newest("event", limit=NEWS_LIMIT)
    news = list(itertools.takewhile(lambda event: event["id"] != shop._newest, newest))
    assert len(news) < NEWS_LIMIT, "an act made more events than are looked at"
    shop._newest = news[0]["id"] if news else shop._newest
    return list(reversed(news))


def live(shop: CardShop, life: Life, after_each: Callable[[], object]) -> SessionRecord:
    """Live a life act by act; return its session."""
    sessions = []
    for session in life.acts(shop):
        sessions.append(session)
        after_each()
    return sessions[-1]


def look_again(shop: CardShop) -> None:
    """Let come again what somebody was too early, or too slow, for."""
    shop.clock.advance(shop.patience)
    shop.engine.inbound.drain()


def live_in_order(shop: CardShop, life: Life) -> SessionRecord:
    """Live a life; each event comes at once, once, in order."""
    news_of(shop)
    session = live(shop, life, lambda: shop.deliver(news_of(shop)))
    look_again(shop)
    return session


def live_in_disorder(shop: CardShop, life: Life, seed: int) -> tuple[SessionRecord, int]:
    """Live a life with the worst of postmen; return its session and how much he delivered."""
    postman = Postman(shop, random.Random(seed))
    session = live(shop, life, postman.bring_some)
    postman.bring_the_rest()
    look_again(shop)
    return session, postman.delivered


def end_of(shop: CardShop, session: SessionRecord) -> End:
    """Return how it ended."""
    payment = shop.payment(session)

    def query(tx: Tx) -> End:
        line = schema.balance_line
        lines = tx.execute(select(line).where(line.c.payment_id == payment.id)).mappings().all()
        position = shop.engine.core.journal.position(tx, payment.id)
        return End(
            payment=(
                payment.status, payment.exceptions, payment.amount_received, payment.amount_capturable,
                payment.amount_refunded, payment.refunds, payment.dispute,
            ),
            session=shop.reload(session.token).status,
            attempts=sorted(str(one.stage) for one in load_attempts(tx, payment.id)),
            refunds=sorted((one.amount.atomic, one.status, one.failure_code) for one in load_refunds(tx, payment.id)),
            disputes=sorted(
                (one.status, one.amount.atomic, one.withdrawn.atomic, one.reinstated.atomic)
                for one in load_disputes(tx, payment.id)
            ),
            books={spot: amount for spot, amount in position.items() if amount},
            bank_lines=sorted((one["type"], one["amount"], one["fee"], one["net"]) for one in lines),
        )  # fmt: skip

    return shop.db.read(query)


def told_of(shop: CardShop, session: SessionRecord) -> list[tuple[str, int, str]]:
    """Return object, sequence and type of everything that the merchant was told of a payment."""
    table = schema.event

    def query(tx: Tx) -> list[tuple[str, int, str]]:
        refunds = [one.id for one in load_refunds(tx, session.payment_id)]
        disputes = [one.id for one in load_disputes(tx, session.payment_id)]
        ids = [session.id, session.payment_id, *refunds, *disputes]
        rows = tx.execute(select(table.c.object_id, table.c.sequence, table.c.type).where(table.c.object_id.in_(ids)))
        return [(row.object_id, row.sequence, row.type) for row in rows]

    return shop.db.read(query)


def types_of(told: list[tuple[str, int, str]]) -> Counter[str]:
    return Counter(kind for _, _, kind in told)


def assert_same_end(shop: CardShop, session: SessionRecord, model: SessionRecord, hint: str) -> None:
    """The same end, and nothing told that the ordered life did not tell; what followed at once may stand as one."""
    assert end_of(shop, session) == end_of(shop, model), hint
    told = told_of(shop, session)
    assert types_of(told) <= types_of(told_of(shop, model)), hint
    assert len({(one[0], one[1]) for one in told}) == len(told), f"{hint}: one place, two events"


def credited(shop: CardShop, session: SessionRecord) -> int:
    """Return what the merchant has of a payment."""
    position = shop.db.read(lambda tx: shop.engine.core.journal.position(tx, session.payment_id))
    accounts = {"merchant:available", "refund:payable"}
    return -sum(amount for (account, _, layer), amount in position.items() if account in accounts and layer == "posted")


@pytest.fixture
def sqlite_shop(sqlite_url: str, bank: RunningBank) -> Iterator[CardShop]:
    """Return a merchant alone in a database file, with a short wire to the bank."""
    database = open_database(sqlite_url)
    upgrade(database)
    database.close()
    with a_card_shop(sqlite_url, bank) as opened:
        join(opened.house.stripes[0], opened.bank)
        yield opened


@pytest.mark.parametrize("life", LIVES, ids=lambda life: life.name)
def test_a_life_in_order_ends_where_it_should(sqlite_shop: CardShop, life: Life) -> None:
    session = live_in_order(sqlite_shop, life)
    assert sqlite_shop.payment(session).status is life.status
    assert credited(sqlite_shop, session) == life.credited


def test_a_warning_that_comes_before_its_charge_was_read_is_kept(sqlite_shop: CardShop) -> None:
    """Reading a charge does not show the warning, so nothing would tell of it again."""
    session = sqlite_shop.open()
    sqlite_shop.pay_at_bank(sqlite_shop.start(session), WARNED)
    sqlite_shop.deliver([event for event in news_of(sqlite_shop) if event["type"].startswith("radar.")])
    assert sqlite_shop.payment(session).status is PaymentStatus.OPEN
    sqlite_shop.engine.checkout.returned(session.token)
    look_again(sqlite_shop)
    assert PaymentException.EARLY_FRAUD_WARNING in sqlite_shop.payment(session).exceptions


def test_a_read_that_arrives_late_does_not_undo_a_newer_one(shop: CardShop) -> None:
    wire = join(shop.house.stripes[0], shop.bank)
    session = shop.buy()
    refund = shop.refund(session)
    attempt_id = shop.shown(session)["attempts"][0]["id"]
    is_answered, may_arrive, waiting = threading.Event(), threading.Event(), iter([True])

    def hold_the_first(path: str) -> None:
        if path == "/v1/refunds" and next(waiting, False):
            is_answered.set()
            assert may_arrive.wait(PATIENCE_S)

    wire.linger = hold_the_first
    with ThreadPoolExecutor(1) as slow:
        late = slow.submit(shop.engine.reading.read, attempt_id)
        assert is_answered.wait(PATIENCE_S)
        shop.control(f"refunds/{refund['provider_reference']}/fail")
        shop.catch_up()
        may_arrive.set()
        late.result()
    assert shop.payment(session).refunds is RefundsStatus.FAILED
    assert shop.events("refund") == ["refund.created", "refund.succeeded", "refund.failed"]


@pytest.mark.deep
def test_five_thousand_deliveries_in_any_order_end_as_those_in_order(
    sqlite_shop: CardShop, figure: Callable[[str, object, str], None]
) -> None:
    models = {life.name: live_in_order(sqlite_shop, life) for life in LIVES}
    lived = delivered = 0
    while delivered < DELIVERIES:
        life = LIVES[lived % len(LIVES)]
        session, count = live_in_disorder(sqlite_shop, life, seed=lived)
        assert_same_end(sqlite_shop, session, models[life.name], f"{life.name}, seed {lived}")
        lived, delivered = lived + 1, delivered + count
    assert not sqlite_shop.db.snapshot(verify).problems
    figure("card_deliveries_shuffled", delivered, f">= {DELIVERIES}, {lived} lives, {len(LIVES)} ends")


@pytest.mark.parametrize("life", RICH, ids=lambda life: life.name)
def test_every_database_ends_a_shuffled_life_as_one_in_order(shop: CardShop, life: Life) -> None:
    join(shop.house.stripes[0], shop.bank)
    model = live_in_order(shop, life)
    session, _ = live_in_disorder(shop, life, seed=1)
    assert_same_end(shop, session, model, life.name)


@pytest.mark.parametrize("life", RICH, ids=lambda life: life.name)
def test_postmen_who_come_at_once_and_answers_that_grow_old_change_no_end(shop: CardShop, life: Life) -> None:
    """A read that began before an act may arrive after one that began later; it must not count."""
    wire, dice = join(shop.house.stripes[0], shop.bank), random.Random(1)
    model = live_in_order(shop, life)
    wire.linger = lambda _path: time.sleep(dice.uniform(0, LINGER_S))
    with ThreadPoolExecutor(CARRIERS) as postmen:
        session = _live_with_many(shop, life, postmen, dice)
    assert_same_end(shop, session, model, life.name)
    assert not shop.db.snapshot(verify).problems


def _live_with_many(shop: CardShop, life: Life, postmen: ThreadPoolExecutor, dice: random.Random) -> SessionRecord:
    """Live a life while several bring all that ever happened, at any time, each in an order of his own."""
    past: Post = []
    rounds: list[Future[None]] = []

    def send_all() -> None:
        past.extend(news_of(shop))
        resent = [event | {"id": f"{event['id']}again{len(rounds)}"} for event in past]
        rounds.extend(postmen.submit(shop.deliver, dice.sample(resent, len(resent))) for _ in range(CARRIERS))

    session = live(shop, life, send_all)
    for one in rounds:
        one.result()
    look_again(shop)
    return session
