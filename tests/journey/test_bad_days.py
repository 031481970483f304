"""Bad days: forks, lag, hidden and substituted signatures, nodes that drop, refuse or fall silent."""

from datetime import timedelta

import pytest

from gateway.domain.words import OperationKind, OperationStatus
from gateway.engine.page import WalletState
from gateway.kernel.errors import ErrorCode, InvalidRequestError, TemporaryError
from sandbox.devchain.wallet import TestWallet
from tests.journey.street import AVAILABLE, HOT, PENDING, SOL, SUSPENSE, USDC, Order, Shop, Street

PAID: tuple[str, list[str], str] = ("paid", [], "paid")
MISSES = 5  # ticks without a trace before a signature counts as dropped


def assert_paid_once(order: Order, street: Street) -> None:
    """Exactly one transfer pays exactly this, and the shop was told once."""
    assert order.payment["status"] == "paid"
    assert [row["stage"] for row in order.payment["transfers"]] == ["final"]
    assert order.told.count("payment.succeeded") == 1
    street.assert_sound()


def test_a_fork_takes_a_payment_back_and_landing_again_pays_once(street: Street, shop: Shop) -> None:
    order = shop.order("0.5", "SOL", method="sol")
    signature = order.scan(street.shopper())
    street.confirm()
    assert order.state == ("confirming", [], "confirming")
    street.chain.rollback(4)
    street.look(MISSES)
    assert order.state == ("open", [], "chosen")
    assert shop.books() == {}
    assert street.chain.reland() == 1
    street.confirm()
    assert order.state == ("confirming", [], "confirming")
    street.settle()
    assert order.state == PAID
    assert [row["signature"] for row in order.payment["transfers"]] == [signature]
    assert shop.books() == {(HOT, "SOL"): ("0.5", "0"), (AVAILABLE, "SOL"): ("-0.5", "0")}
    assert_paid_once(order, street)


def test_a_fork_of_money_that_the_merchant_trusted_early_is_reversed_with_an_alarm(street: Street) -> None:
    shop = street.shop(accept_confirmed_below={"SOL": 10 * SOL})
    order = shop.order("0.5", "SOL", method="sol")
    order.scan(street.shopper())
    street.confirm()
    assert order.state == PAID
    street.chain.rollback(4, keep=True)
    street.look(MISSES)
    assert order.state == ("open", ["reorg"], "reorg")
    assert shop.books() == {}
    assert order.told == ["payment.succeeded", "checkout.session.completed", "payment.reversed"]
    street.chain.reland()
    street.confirm()
    street.settle()
    assert order.payment["status"] == "paid"
    assert shop.books() == {(HOT, "SOL"): ("0.5", "0"), (AVAILABLE, "SOL"): ("-0.5", "0")}
    street.assert_sound()


def test_a_fork_that_lets_another_transfer_land_first_credits_each_once(street: Street, shop: Shop) -> None:
    order = shop.order("0.5", "SOL", method="sol")
    order.scan(street.shopper())
    street.confirm()
    street.chain.rollback(4)
    order.pay(street.shopper(), SOL // 4)
    street.chain.reland()
    street.settle()
    street.look(MISSES)
    assert order.state == ("paid", ["overpaid"], "overpaid")
    assert shop.books()[SUSPENSE, "SOL"] == ("-0.25", "0")
    street.assert_sound()


def test_an_index_that_lags_delays_a_payment_and_loses_nothing(street: Street, shop: Shop) -> None:
    order = shop.order("0.5", "SOL", method="sol")
    street.fault(index_lag=40)
    order.scan(street.shopper())
    street.settle()
    assert order.state == ("open", [], "chosen")
    street.settle()
    assert order.state == PAID
    street.mend()
    assert_paid_once(order, street)


def test_a_transfer_that_is_listed_but_not_readable_yet_is_asked_for_again(street: Street, shop: Shop) -> None:
    order = shop.order("0.5", "SOL", method="sol")
    street.fault(tx_lag=100)
    order.scan(street.shopper())
    street.settle()
    street.look(3)
    assert order.state == ("open", [], "chosen")
    street.mend()
    street.look()
    assert order.state == PAID
    assert_paid_once(order, street)


def test_an_unreadable_transfer_keeps_its_order_open_past_the_deadline(street: Street, shop: Shop) -> None:
    order = shop.order("0.5", "SOL", method="sol")
    order.scan(street.shopper())
    street.fault(tx_lag=100_000)
    street.chain.tick(32)
    street.clock.advance(timedelta(hours=2))
    street.look(2)
    street.sweep()
    assert order.state == ("open", [], "closing")
    street.mend()
    street.look()
    assert order.state == PAID
    assert_paid_once(order, street)


def test_a_hidden_signature_shows_in_the_audit_and_pays_when_it_reappears(street: Street, shop: Shop) -> None:
    order = shop.order("0.5", "SOL", method="sol")
    signature = order.scan(street.shopper())
    street.fault(hide_signature=signature)
    street.settle()
    assert order.state == ("open", [], "chosen")
    assert street.audit() == {"SOL": SOL // 2}
    street.mend()
    street.look()
    assert order.state == PAID
    assert street.audit() == {}
    assert_paid_once(order, street)


def test_a_hidden_signature_that_the_page_names_is_read_by_its_name(street: Street, shop: Shop) -> None:
    order = shop.order("0.5", "SOL", method="sol")
    signature = order.scan(street.shopper())
    street.fault(hide_signature=signature)
    order.hint(signature)
    street.settle()
    street.look()
    assert order.state == PAID
    assert_paid_once(order, street)


def test_a_gap_below_the_cursor_is_closed_by_the_references_of_open_orders(street: Street, shop: Shop) -> None:
    """The index hid a payment until the cursor had passed it: no scan will ever list it again."""
    order, other = shop.order("0.5", "SOL", method="sol"), shop.order("0.25", "SOL", method="sol")
    signature = order.scan(street.shopper())
    street.fault(hide_signature=signature)
    street.settle()
    other.scan(street.shopper())
    street.settle()
    assert other.state == PAID
    street.mend()
    street.look(3)
    assert order.state == ("open", [], "chosen")
    assert street.audit() == {"SOL": SOL // 2}, "the audit finds the gap, and looks for it by references"
    street.look()
    assert order.state == PAID
    assert street.audit() == {}
    assert_paid_once(order, street)


def test_bytes_of_another_transfer_are_never_credited(street: Street, shop: Shop) -> None:
    order, small = shop.order("0.5", "SOL", method="sol"), shop.order("0.001", "SOL", method="sol")
    rich = shop.order("2", "SOL", method="sol")
    cheap = order.pay(street.shopper(), SOL // 1000)
    dear = rich.scan(street.shopper())
    street.fault(substitute_transaction={cheap: dear})
    street.settle()
    street.look(2)
    assert rich.state == PAID
    assert order.state == ("open", [], "chosen")
    assert small.payment["transfers"] == []
    street.mend()
    street.look()
    assert order.state == ("underpaid", [], "underpaid")
    assert order.attempt.received.atomic == SOL // 1000
    street.assert_sound()


def test_an_expired_block_hash_is_refused_in_words_and_the_shopper_pays_again(street: Street, shop: Shop) -> None:
    order, shopper = shop.order("0.5", "SOL", method="sol"), street.shopper()
    slow = shopper.sign(order.build(shopper))
    street.chain.tick(200)
    with pytest.raises(InvalidRequestError, match="took too long") as refusal:
        order.submit(slow)
    assert refusal.value.code is ErrorCode.WALLET_PAYLOAD_REFUSED
    assert order.operations == []
    order.approve(shopper)
    street.settle()
    assert_paid_once(order, street)


def test_a_broadcast_that_never_landed_ends_rejected_and_the_shopper_pays_again(street: Street, shop: Shop) -> None:
    order, shopper = shop.order("0.5", "SOL", method="sol"), street.shopper()
    street.fault(drop_sends=1000)
    order.approve(shopper)
    assert (order.page.wallet_state, order.shown) == (WalletState.WAITING, "waiting")
    street.pass_time(seconds=50)
    street.sweep()
    assert order.shown == "waiting", "the same bytes may still land: nobody should pay again"
    street.chain.tick(200)
    street.pass_time(seconds=11)
    street.sweep()
    assert [(one.kind, one.status, one.reason) for one in order.operations] == [
        (OperationKind.BROADCAST, OperationStatus.REJECTED, "never_seen")
    ]
    assert order.state == ("open", [], "chosen")
    street.mend()
    order.approve(shopper)
    street.settle()
    assert order.state == PAID
    assert [one.status for one in order.operations] == [OperationStatus.REJECTED, OperationStatus.SUCCEEDED]
    assert_paid_once(order, street)


def test_dropped_sends_are_sent_again_byte_for_byte_and_paid_once(street: Street, shop: Shop) -> None:
    order, shopper = shop.order("0.5", "SOL", method="sol"), street.shopper()
    street.fault(drop_sends=3)
    signature = order.approve(shopper)
    for _ in range(3):
        street.pass_time(seconds=11)
        street.sweep()
    street.settle()
    assert order.state == PAID
    assert [row["signature"] for row in order.payment["transfers"]] == [signature]
    assert [(one.provider_reference, one.status) for one in order.operations] == [
        (signature, OperationStatus.SUCCEEDED)
    ]
    assert shopper.lamports() == 10 * SOL - SOL // 2 - _fee_of(shopper, signature)
    assert_paid_once(order, street)


def _fee_of(shopper: TestWallet, signature: str) -> int:
    options = {"encoding": "json", "commitment": "finalized", "maxSupportedTransactionVersion": 0}
    return int(shopper.rpc("getTransaction", signature, options)["meta"]["fee"])


def test_a_node_that_holds_a_send_back_pays_once_however_often_it_is_repeated(street: Street, shop: Shop) -> None:
    order, shopper = shop.order("0.5", "SOL", method="sol"), street.shopper()
    street.fault(hold=True)
    order.approve(shopper)
    for _ in range(4):
        street.pass_time(seconds=11)
        street.sweep()
    assert order.shown == "waiting"
    street.fault(hold=False)
    street.settle()
    assert order.state == PAID
    assert len(order.operations) == 1
    assert_paid_once(order, street)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_node_that_refuses_fails_softly_and_is_caught_up(street: Street, shop: Shop, status: int) -> None:
    order = shop.order("0.5", "SOL", method="sol")
    order.scan(street.shopper())
    street.chain.tick(32)
    street.fault(http_status=status, calls=1000)
    for _ in range(3):
        with pytest.raises(TemporaryError):
            street.look()
        street.sweep()
    assert order.state == ("open", [], "chosen")
    street.mend()
    street.look()
    assert order.state == PAID
    assert_paid_once(order, street)


def test_a_node_that_fails_now_and_then_loses_nothing(street: Street, shop: Shop) -> None:
    orders = [shop.order("0.5", "SOL", method="sol") for _ in range(3)]
    for order in orders:
        order.scan(street.shopper())
        street.chain.tick(12)
        street.fault(http_status=503, calls=2)  # of the accounts of one look, some are answered and some are not
        try:
            street.look()
        except TemporaryError:
            continue
    street.mend()
    street.settle()
    for order in orders:
        assert_paid_once(order, street)


def test_a_wallet_whose_send_gets_no_answer_is_told_to_wait_and_pays_once(street: Street, shop: Shop) -> None:
    """The node takes the bytes and dies before it answers: the outcome is unknown until the chain tells."""
    order, shopper = shop.order("0.5", "SOL", method="sol"), street.shopper()
    payload = shopper.sign(order.build(shopper))
    order.submit(payload)
    (operation,) = order.operations
    assert (operation.payload, operation.status) == (payload, OperationStatus.SUBMITTED)
    street.fault(http_status=503, calls=1000)
    street.pass_time_blind(seconds=60)
    street.sweep()
    assert order.shown == "waiting"
    street.mend()
    street.settle()
    assert order.state == PAID
    assert_paid_once(order, street)


def test_a_window_closes_only_after_the_scanner_has_passed_the_deadline(street: Street, shop: Shop) -> None:
    """The node is down across the deadline; money that came in time is found, and nobody said expired before."""
    paid, unpaid = shop.order("0.5", "SOL", method="sol"), shop.order("0.25", "SOL", method="sol")
    paid.scan(street.shopper())
    street.chain.tick(2)
    street.fault(http_status=503, calls=100_000)
    for _ in range(4):
        street.pass_time_blind(minutes=20)
        street.sweep()
    assert [paid.state, unpaid.state] == [("open", [], "closing")] * 2
    assert unpaid.told == []
    street.mend()
    street.settle()
    street.sweep()
    assert paid.state == PAID
    assert unpaid.state == ("expired", [], "expired")
    assert unpaid.told == ["checkout.session.expired"]
    street.assert_sound()


def test_a_slow_node_that_lags_behind_the_wallet_shows_first_then_pays(street: Street, shop: Shop) -> None:
    order = shop.order("10.00", "USDC")
    order.scan(street.shopper())
    street.look()  # landed, but not even confirmed
    assert order.state == ("open", [], "chosen")
    street.confirm()
    assert order.payment["transfers"][0]["stage"] == "confirmed"
    street.settle()
    assert order.payment["amount_received"] == "10.000000"
    assert shop.books()[AVAILABLE, "USDC"] == (f"-{10 * USDC // USDC}", "0")
    assert_paid_once(order, street)


def test_a_fork_takes_back_what_was_matched_by_hand_too(street: Street, shop: Shop) -> None:
    order = shop.order("0.5", "SOL", method="sol")
    street.shopper().pay_sol(shop.wallet.address, SOL // 2)
    street.confirm()
    (waiting,) = shop.unmatched()
    shop.match(waiting["id"], order.payment_id)
    assert order.state == ("confirming", [], "confirming")
    assert shop.books() == {(HOT, "SOL"): ("0", "0.5"), (PENDING, "SOL"): ("0", "-0.5")}
    street.chain.rollback(4)
    street.look(MISSES)
    assert order.state == ("open", [], "chosen")
    assert shop.books() == {}
    assert shop.unmatched() == []
    street.chain.reland()
    street.settle()
    assert order.state == PAID
    assert_paid_once(order, street)


def test_money_in_suspense_that_a_fork_drops_leaves_the_queue_and_the_books(street: Street, shop: Shop) -> None:
    street.shopper().pay_sol(shop.wallet.address, SOL // 2)
    street.confirm()
    assert len(shop.unmatched()) == 1
    street.chain.rollback(4)
    street.look(MISSES)
    assert shop.books() == {}
    assert shop.unmatched() == [], "there is nothing to match"
    assert shop.told() == [], "nobody was told of money that is not there"
    street.chain.reland()
    street.settle()
    assert [row["stage"] for row in shop.unmatched()] == ["final"]
    assert shop.told() == ["transfer.unmatched"]
    street.assert_sound()


def test_one_transfer_that_pays_in_both_coins_is_counted_in_both(street: Street, shop: Shop) -> None:
    order, shopper = shop.order("20.00", method="sol"), street.shopper()
    sol = order.step(shopper, order.due // 2)
    street.house.engine.checkout.choose_method(order.token, "usdc")
    usdc = order.step(shopper, order.attempt.due.atomic // 2 + 1)
    shopper.send_instructions([sol, usdc])
    street.settle()
    assert order.payment["status"] == "paid"
    assert {row["currency"] for row in order.payment["transfers"]} == {"SOL", "USDC"}
    assert order.payment["amount_received"] == "20.00"
    street.assert_sound()


def test_a_gateway_that_slept_for_hours_catches_up_with_everything(street: Street, shop: Shop) -> None:
    orders = [shop.order("0.1", "SOL", method="sol") for _ in range(5)]
    for order in orders[:4]:
        order.scan(street.shopper())
        street.chain.tick(10)
    street.shopper().pay_sol(shop.wallet.address, SOL)
    shop.wallet.pay_sol(street.wallet(sol=SOL).address, SOL // 10)
    street.chain.tick(400)
    street.clock.advance(timedelta(hours=9))
    street.sweep()
    street.settle()
    street.sweep()
    assert [order.state for order in orders[:4]] == [PAID] * 4
    assert orders[4].state == ("expired", [], "expired")
    assert [row["reason"] for row in shop.unmatched()] == ["no_reference"]
    street.assert_sound()
