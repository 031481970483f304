"""Merchants: their own moves on the chain, new receiving addresses, and walls between one and the other."""

import pytest

from gateway.kernel.errors import ConflictError, NotFoundError
from gateway.workers.loops import IDLE_TURNS
from sandbox.devchain import programs
from tests.journey.street import (
    AVAILABLE,
    HOT,
    LOCALNET,
    MINTS,
    NETWORK_FEE,
    SOL,
    SUSPENSE,
    USDC,
    WITHDRAWN,
    Shop,
    Street,
)

PAID: tuple[str, list[str], str] = ("paid", [], "paid")
FEE = "0.000005"  # SOL a signature costs


def test_what_the_merchant_sends_away_and_its_fee_are_explained(street: Street, shop: Shop) -> None:
    order = shop.order("2", "SOL", method="sol")
    order.scan(street.shopper())
    street.settle()
    shop.wallet.pay_sol(street.wallet(sol=SOL).address, SOL)
    street.settle()
    assert shop.books() == {
        (HOT, "SOL"): ("0.999995", "0"),
        (AVAILABLE, "SOL"): ("-2", "0"),
        (WITHDRAWN, "SOL"): ("1", "0"),
        (NETWORK_FEE, "SOL"): (FEE, "0"),
    }
    assert shop.unmatched() == []
    assert "transfer.unmatched" not in shop.told()
    assert order.state == PAID
    assert street.audit() == {}
    street.assert_sound()


def test_a_token_that_the_merchant_sends_costs_him_a_fee_in_sol(street: Street, shop: Shop) -> None:
    order = shop.order("5.00", "USDC")
    order.scan(street.shopper())
    street.settle()
    shop.wallet.pay_token(str(MINTS["USDC"]), street.shopper().address, 2 * USDC)
    street.settle()
    assert shop.books() == {
        (HOT, "USDC"): ("3", "0"),
        (AVAILABLE, "USDC"): ("-5", "0"),
        (WITHDRAWN, "USDC"): ("2", "0"),
        (HOT, "SOL"): (f"-{FEE}", "0"),
        (NETWORK_FEE, "SOL"): (FEE, "0"),
    }
    street.assert_sound()


def test_a_fee_for_nothing_but_a_memo_is_explained(street: Street, shop: Shop) -> None:
    shop.wallet.send_instructions([programs.memo("good morning")])
    street.settle()
    assert shop.books() == {(HOT, "SOL"): (f"-{FEE}", "0"), (NETWORK_FEE, "SOL"): (FEE, "0")}
    street.assert_sound()


def test_money_that_comes_while_nobody_orders_is_found_and_kept(street: Street, shop: Shop) -> None:
    street.shopper().pay_sol(shop.wallet.address, SOL)
    street.settle()
    assert shop.books() == {(HOT, "SOL"): ("1", "0"), (SUSPENSE, "SOL"): ("-1", "0")}
    assert [row["reason"] for row in shop.unmatched()] == ["no_reference"]
    street.assert_sound()


@pytest.mark.parametrize("method", ["sol", "usdc"])
def test_an_address_that_changed_while_a_payment_was_open_is_still_credited(
    street: Street, shop: Shop, method: str
) -> None:
    before, old = shop.order("10.00", method=method), shop.wallet.address
    new = street.wallet(sol=SOL, usdc=1)
    street.chain.tick(40)
    street.pass_time(minutes=1)  # what the new wallet holds so far is history
    shop.receive_at(new)
    after = shop.order("10.00", method=method)
    assert (before.attempt.wallet, after.attempt.wallet) == (old, new.address)
    for order in (before, after):
        order.pay(street.shopper(), order.due)
    street.settle()
    assert after.state == PAID
    assert before.payment["status"] == "paid"
    street.assert_sound()


def test_an_idle_monitor_looks_rarely_and_an_awaited_payment_at_once(street: Street, shop: Shop) -> None:
    turn = street.turns[f"monitor-{LOCALNET}"]
    turn()
    street.shopper().pay_sol(shop.wallet.address, SOL)
    street.chain.tick(32)
    turn()
    assert shop.books() == {}, "nobody is paying, so far as we know"
    for _ in range(IDLE_TURNS):
        turn()
    assert shop.books() == {(HOT, "SOL"): ("1", "0"), (SUSPENSE, "SOL"): ("-1", "0")}
    order = shop.order("2", "SOL", method="sol")
    order.scan(street.shopper())
    street.chain.tick(32)
    turn()
    assert order.state == PAID
    street.assert_sound()


def test_two_merchants_of_one_gateway_do_not_mix(street: Street) -> None:
    left, right = street.shop("Left"), street.shop("Right")
    one, two = left.order("10.00", "USDC"), right.order("10.00", "USDC")
    one.scan(street.shopper())
    street.settle()
    assert one.state == PAID
    assert two.state == ("open", [], "chosen")
    assert left.books() == {(HOT, "USDC"): ("10", "0"), (AVAILABLE, "USDC"): ("-10", "0")}
    assert right.books() == {}
    assert "payment.succeeded" not in right.told()
    payments = street.house.engine.payments
    with pytest.raises(NotFoundError):
        payments.retrieve(right.owner, one.payment_id)
    two.scan(street.shopper())
    street.settle()
    assert two.state == PAID
    assert right.books() == left.books()
    street.assert_sound()


def test_two_merchants_paid_in_one_transfer_are_each_paid(street: Street) -> None:
    left, right = street.shop("Left"), street.shop("Right")
    one, two, shopper = left.order("2", "SOL", method="sol"), right.order("3", "SOL", method="sol"), street.shopper()
    shopper.send_instructions([one.step(shopper, 2 * SOL), two.step(shopper, 3 * SOL)])
    street.settle()
    assert (one.state, two.state) == (PAID, PAID)
    assert left.books() == {(HOT, "SOL"): ("2", "0"), (AVAILABLE, "SOL"): ("-2", "0")}
    assert right.books() == {(HOT, "SOL"): ("3", "0"), (AVAILABLE, "SOL"): ("-3", "0")}
    street.assert_sound()


def test_money_for_one_merchant_with_the_reference_of_another_stays_with_the_first(street: Street) -> None:
    left, right = street.shop("Left"), street.shop("Right")
    mine, foreign = left.order("4", "SOL", method="sol"), right.order("3", "SOL", method="sol")
    street.shopper().pay_sol(left.wallet.address, 3 * SOL, references=[foreign.reference])
    street.settle()
    assert [mine.state, foreign.state] == [("open", [], "chosen")] * 2
    (waiting,) = left.unmatched()
    assert (waiting["reason"], waiting["suggestions"]) == ("unknown_reference", [])
    assert right.unmatched() == []
    assert right.books() == {}
    with pytest.raises(NotFoundError):
        left.match(waiting["id"], foreign.payment_id)
    with pytest.raises(NotFoundError):
        right.match(waiting["id"], foreign.payment_id)
    street.assert_sound()


def test_two_merchants_never_share_a_receiving_address(street: Street) -> None:
    left, right = street.shop("Left"), street.shop("Right")
    with pytest.raises(ConflictError):
        right.receive_at(left.wallet)
    order = right.order("1", "SOL", method="sol")
    assert order.attempt.wallet == right.wallet.address != left.wallet.address


def test_a_merchant_who_never_took_a_token_before_is_paid_from_the_first_transfer(street: Street) -> None:
    shop = street.shop(has_usdc=False)
    street.shopper().pay_token(str(MINTS["USDC"]), shop.wallet.address, USDC)
    street.settle()
    assert shop.books()[SUSPENSE, "USDC"] == ("-1", "0")
    assert street.audit() == {}
    street.assert_sound()


def test_ten_orders_at_once_cost_one_look_at_each_account(street: Street, shop: Shop) -> None:
    orders = [shop.order("0.1", "SOL", method="sol") for _ in range(10)]
    street.look()
    idle = street.house.work.monitor.tick(LOCALNET).calls
    assert idle == len({"SOL", "USDC", "FEEUSD"})
    for order in orders:
        order.scan(street.shopper())
    street.chain.tick(32)
    busy = street.house.work.monitor.tick(LOCALNET)
    assert (busy.calls, busy.read) == (idle + len(orders), len(orders))
    assert all(order.state == PAID for order in orders)
    street.assert_sound()
