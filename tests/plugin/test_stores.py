"""What every store must keep: locks, claims, and each hook once, in its order, with its own writes."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from streampay.gateway import Hook, HookCall, OrderStatus
from tests.plugin.shop import ORDER, STORES, Shop, payment

PAY = payment()["id"]


def queue(shop: Shop, *calls: tuple[Hook, str]) -> None:
    with shop.store.locked(ORDER.id) as tx:
        tx.queue(HookCall(ORDER.id, hook, subject) for hook, subject in calls)


def test_an_order_is_made_known_once_and_stays_as_it_is(shop: Shop) -> None:
    assert shop.store.load(ORDER.id) is None
    first = shop.store.add(ORDER)
    again = shop.store.add(replace(ORDER, amount="99.00"))
    assert first == again == shop.store.load(ORDER.id)
    assert first.status is OrderStatus.NEW


def test_orders_whose_ids_differ_in_case_alone_are_two(shop: Shop) -> None:
    """MariaDB compares text without regard to case unless it is told otherwise."""
    shop.store.add(replace(ORDER, id="order-aB"))
    assert shop.store.load("order-Ab") is None
    assert shop.store.add(replace(ORDER, id="order-Ab", amount="99.00")).amount == "99.00"
    with shop.store.locked("order-aB") as tx:
        assert tx.record is not None
        assert (tx.record.id, tx.record.amount) == ("order-aB", "12.30")


def test_racers_make_one_order(shop: Shop) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: shop.store.add(ORDER), range(16)))
    assert len({record.id for record in made}) == 1


def test_an_unknown_order_has_no_record_and_claims_nothing_for_others(shop: Shop) -> None:
    with shop.store.locked("nobody") as tx:
        assert tx.record is None
    with shop.store.locked("nobody") as tx:
        assert tx.record is None


def test_an_event_is_claimed_once_and_an_undone_claim_is_none(shop: Shop) -> None:
    shop.store.add(ORDER)

    def fail() -> None:
        with shop.store.locked(ORDER.id) as tx:
            assert tx.claim("evt_1")
            raise OSError("the machine stumbles")

    with pytest.raises(OSError, match="stumbles"):
        fail()
    with shop.store.locked(ORDER.id) as tx:
        assert tx.claim("evt_1")
    with shop.store.locked(ORDER.id) as tx:
        assert not tx.claim("evt_1")


def test_the_lock_lets_no_change_be_lost(shop: Shop) -> None:
    shop.store.add(ORDER)

    def count(_: int) -> None:
        with shop.store.locked(ORDER.id) as tx:
            assert tx.record is not None
            tx.save(replace(tx.record, tries=tx.record.tries + 1))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count, range(40)))
    record = shop.store.load(ORDER.id)
    assert record is not None
    assert record.tries == 40


def test_a_call_is_queued_and_run_once(shop: Shop) -> None:
    shop.store.add(ORDER)
    for _ in range(3):
        queue(shop, (Hook.PAID, "pay_1"), (Hook.REVIEW, "pay_1:late"))
    assert shop.plugin.run_hooks() == 2
    queue(shop, (Hook.PAID, "pay_1"))
    assert shop.plugin.run_hooks() == 0
    assert shop.told.names() == ["paid/pay_1", "review/pay_1:late"]


def test_many_workers_run_each_call_once(shop: Shop) -> None:
    shop.store.add(ORDER)
    queue(shop, *((Hook.REFUNDED, f"pay_1:{number}") for number in range(20)))
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: shop.plugin.run_hooks(), range(12)))
    shop.plugin.run_hooks(limit=50)
    assert shop.told.names() == [f"refunded/pay_1:{number}" for number in range(20)]


def test_a_hook_that_fails_takes_its_writes_back_holds_its_order_and_comes_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1_000_000.0]
    monkeypatch.setattr(shop.store, "_clock", lambda: clock[0])
    failing = threading.Event()
    failing.set()
    write = shop.plugin.hooks.on_paid
    assert write is not None

    def paid(call: HookCall) -> None:
        write(call)
        if failing.is_set():
            raise OSError("the warehouse is closed")

    shop.plugin.hooks = replace(shop.plugin.hooks, on_paid=paid)
    shop.store.add(ORDER)
    queue(shop, (Hook.PAID, "pay_1"), (Hook.REVIEW, "pay_1:late"))
    assert shop.plugin.run_hooks() == 0
    assert shop.told.names() == []
    failing.clear()
    assert shop.plugin.run_hooks() == 0, "it waits for its time, and the order's next call for it"
    clock[0] += 11
    assert shop.plugin.run_hooks() == 2
    assert shop.told.names() == ["paid/pay_1", "review/pay_1:late"]


def test_nobody_hears_that_a_paid_order_has_expired(shop: Shop) -> None:
    shop.store.add(ORDER)
    queue(shop, (Hook.EXPIRED, "pay_1"))
    with shop.store.locked(ORDER.id) as tx:
        assert tx.record is not None
        tx.save(replace(tx.record, status=OrderStatus.PAID))
    assert shop.plugin.run_hooks() == 1
    assert shop.told.names() == []


def test_nothing_is_shipped_while_the_money_is_disputed_and_once_when_the_dispute_is_won(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(_: HookCall) -> None:
        raise OSError("the warehouse is closed")

    shop.expect()
    with monkeypatch.context() as closed:
        closed.setattr(shop.plugin, "hooks", replace(shop.plugin.hooks, on_paid=stumble))
        assert shop.hear(payment(2, "paid"), number=1) == 200
    monkeypatch.setattr(shop.store, "_clock", lambda: time.time() + 11)  # its next try is due
    assert shop.hear(payment(3, "paid", dispute="open"), number=2) == 200
    assert shop.plugin.run_hooks() == 0
    assert shop.told.names() == [f"disputed/{PAY}:open"], "the call to ship waits, and the next one passes it"
    shop.hear(payment(4, "paid", dispute="won"), number=3)
    shop.plugin.run_hooks()
    assert sorted(shop.told.names()) == sorted([f"disputed/{PAY}:open", f"paid/{PAY}", f"disputed/{PAY}:won"])


def test_a_lost_dispute_ships_nothing_and_a_full_refund_ends_the_wait(shop: Shop) -> None:
    shop.expect()
    queue(shop, (Hook.PAID, PAY))
    shop.hear(payment(3, "paid", dispute="lost"), number=1)
    assert shop.told.names() == [f"disputed/{PAY}:lost"]
    shop.hear(payment(4, "paid", dispute="lost", refunds="full", amount_refunded="12.30"), number=2)
    shop.hear(payment(5, "paid", dispute="won", refunds="failed", amount_refunded="0.00"), number=3)
    assert "paid" not in shop.told.kinds(), "what was given back before it shipped is for a person"


@pytest.mark.parametrize("shop", STORES[1:], indirect=True)  # the first finds and runs a call in one transaction
def test_a_dispute_that_opens_while_a_call_is_taken_holds_it_back(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process commits the dispute after the call was found to be due."""
    shop.expect()
    queue(shop, (Hook.PAID, PAY))
    store: Any = shop.store  # each of these has `_due`
    due = store._due
    found: list[int] = []

    def disputed_meanwhile(limit: int) -> list[int]:
        numbers = due(limit)
        if numbers and not found:
            found.extend(numbers)
            with shop.store.locked(ORDER.id) as tx:
                assert tx.record is not None
                tx.save(replace(tx.record, status=OrderStatus.DISPUTED))
        return numbers

    monkeypatch.setattr(store, "_due", disputed_meanwhile)
    assert shop.plugin.run_hooks() == 0
    assert (len(found), shop.told.names()) == (1, [])
    with shop.store.locked(ORDER.id) as tx:
        assert tx.record is not None
        tx.save(replace(tx.record, status=OrderStatus.PAID))
    assert shop.plugin.run_hooks() == 1
    assert shop.told.names() == [f"paid/{PAY}"]
