"""Nobody looked for weeks: the gateway was away, or clocks were moved. Afterwards bank and books agree to the cent."""

import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta

import pytest

from gateway.domain.subscriptions import Interval
from gateway.domain.words import PaymentStatus
from gateway.ledger.proof import verify
from gateway.reporting.reconciliation import cases
from gateway.storage.database import open_database
from gateway.storage.migrate import upgrade
from sandbox.test_bank import control
from sandbox.test_bank.server import RunningBank
from tests.cards.stage import DISPUTED, REFUND_FAILS, REFUND_WAITS, CardShop, a_card_shop
from tests.cards.subscribers import FAILS_LATER, Club

CLEARING = "psp:stripe:clearing"
FORTY_DAYS = timedelta(days=40)
LONGER_THAN_ANY_PATIENCE = timedelta(days=11)


@pytest.fixture(scope="module")
def untouched_url(database_kind: str, create_database: Callable[[str], str]) -> str:
    """Return a migrated database of this kind, to be copied."""
    url = create_database(database_kind)
    database = open_database(url)
    upgrade(database)
    database.close()
    return url


@pytest.fixture
def shop(untouched_url: str, copy_database: Callable[[str], str], bank: RunningBank) -> Iterator[CardShop]:
    """Open a shop alone in its database: how far back payouts are read depends on those that are known there."""
    with a_card_shop(copy_database(untouched_url), bank) as opened:
        yield opened


def owed_by_bank(shop: CardShop) -> int:
    """Return what the bank itself says that it owes, in cents."""
    balance = control.describe(shop.bank)["balance"]
    return sum(int(holdings.get("usd", 0)) for holdings in balance.values())


def check(shop: CardShop) -> None:
    """Everything was paid out, and the books say so of each payment."""
    assert not shop.db.snapshot(verify).problems
    assert (shop.posted(CLEARING), owed_by_bank(shop)) == (0, 0)
    assert cases(shop.db, shop.clock.now() + LONGER_THAN_ANY_PATIENCE) == []


def catch_up(shop: CardShop, order: str) -> None:
    """Do the work of every loop once, and the sweep again, in this order."""
    turns: Mapping[str, Callable[[], object]] = {
        "inbox": shop.catch_up,
        "payouts": shop.engine.payouts.settle,
        "sweep": shop.engine.sweep,
    }
    for name in order.split():
        turns[name]()
    shop.engine.sweep()


def live_all_at_once(shop: CardShop) -> None:
    """Leave under way whatever can be under way."""
    shop.refund(shop.buy("100.00"), "40.00")
    shop.refund(shop.buy("100.00", number=REFUND_WAITS), "40.00")
    shop.refund(shop.buy("100.00", number=REFUND_FAILS), "40.00")
    shop.buy("50.00", number=DISPUTED)
    shop.hold("70.00")
    shop.start(shop.open("5.00"))
    shop.pay_at_bank(shop.start(shop.open("20.00")))  # and never came back
    for outcome in ("succeed", "fail"):
        shop.bank.pay_by_bank(shop.start(shop.open("30.00")), outcome=outcome)
    club = Club(shop)
    club.join(amount="10.00")
    club.join(amount="3.00", interval=Interval.WEEK)
    club.join(amount="4.00", trial_days=14)
    club.join(FAILS_LATER, amount="6.00", trial_days=3)


@pytest.mark.slow
@pytest.mark.parametrize("order", ["payouts inbox sweep", "inbox payouts sweep", "sweep payouts inbox"])
def test_whatever_was_under_way_bank_and_books_agree_after_forty_days(shop: CardShop, order: str) -> None:
    live_all_at_once(shop)
    shop.pass_time(FORTY_DAYS)
    catch_up(shop, order)
    check(shop)


@pytest.mark.slow
@pytest.mark.parametrize("turn", ["payouts", "sweep"])
def test_a_bank_that_follows_a_moment_later_changes_nothing(shop: CardShop, turn: str) -> None:
    live_all_at_once(shop)
    shop.clock.advance(FORTY_DAYS)
    catch_up(shop, turn)
    shop.bank.advance(int(FORTY_DAYS.total_seconds()))
    catch_up(shop, "inbox payouts sweep")
    check(shop)


def test_a_hold_that_lapsed_meanwhile_is_no_money(shop: CardShop) -> None:
    held = shop.hold("70.00")
    shop.pass_time(FORTY_DAYS)
    catch_up(shop, "inbox payouts sweep")
    assert shop.payment(held).status is PaymentStatus.CANCELED
    assert shop.balances() == {}


@pytest.mark.parametrize("days", [40, 399])
def test_a_payout_is_booked_however_long_nobody_looked(shop: CardShop, days: int) -> None:
    shop.buy("100.00")
    shop.pass_time(timedelta(days=days))
    catch_up(shop, "payouts inbox")
    assert shop.posted("psp:stripe:paid_out") == 9_680
    check(shop)


def test_a_payout_that_is_read_before_its_charge_is_the_charges_all_the_same(shop: CardShop) -> None:
    session = shop.open("100.00")
    shop.pay_at_bank(shop.start(session))
    shop.pass_time(timedelta(days=5))
    catch_up(shop, "payouts inbox")
    assert shop.payment(session).status is PaymentStatus.PAID
    assert (shop.posted("psp:stripe:paid_out"), shop.posted("expense:psp_fee")) == (9_680, 320)
    check(shop)


def test_payouts_are_gone_on_with_where_a_fault_broke_them_off(shop: CardShop) -> None:
    for _ in range(3):
        shop.buy("100.00")
        shop.pass_time(timedelta(days=5))
    shop.pass_time(FORTY_DAYS)
    shop.fault("500_before", on="GET /v1/balance_transactions", times=2)  # each call is repeated once
    assert shop.engine.payouts.settle() == 0
    assert shop.engine.payouts.settle() == 3
    shop.catch_up()
    check(shop)


def test_a_payout_and_its_charges_may_be_read_at_the_same_moment(shop: CardShop) -> None:
    for _ in range(8):
        shop.pay_at_bank(shop.start(shop.open("100.00")))
    shop.pass_time(FORTY_DAYS)
    news = shop.post_from_bank()
    barrier = threading.Barrier(2)
    failures: list[BaseException] = []

    def run(turn: Callable[[], object]) -> None:
        barrier.wait()
        try:
            turn()
        except BaseException as failure:  # noqa: BLE001 - a thread's failure must reach the test
            failures.append(failure)

    racers = [
        threading.Thread(target=run, args=(turn,)) for turn in (shop.engine.payouts.settle, lambda: shop.deliver(news))
    ]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(60)
    assert failures == []
    check(shop)
