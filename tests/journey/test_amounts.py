"""Too much, too late, without a name: money that is not what was agreed ends on the page and in the books."""

from datetime import timedelta

import pytest

from gateway.domain.words import LatePolicy
from gateway.kernel.errors import ConflictError, ErrorCode, InvalidRequestError
from sandbox.devchain.faucet import USDC_MINT
from tests.journey.street import AVAILABLE, HOT, REFUND_PAYABLE, SOL, SUSPENSE, USDC, Order, Shop, Street


def test_an_overpaid_order_is_paid_and_the_excess_waits_in_suspense(street: Street, shop: Shop) -> None:
    order = shop.order("10.00", "USDC")
    order.pay(street.shopper(), 50 * USDC)
    street.confirm()
    street.settle()
    assert order.state == ("paid", ["overpaid"], "overpaid")
    assert order.attempt.overpaid.major == "40.000000"
    assert order.payment["amount_received"] == "50.000000"
    assert shop.books() == {
        (HOT, "USDC"): ("50", "0"),
        (AVAILABLE, "USDC"): ("-10", "0"),
        (SUSPENSE, "USDC"): ("-40", "0"),
    }
    assert order.told == [
        "payment.processing",
        "payment.succeeded",
        "payment.overpaid",
        "checkout.session.completed",
    ]
    street.assert_sound()


def test_an_order_paid_twice_says_so_and_owes_the_second_payment(street: Street, shop: Shop) -> None:
    order = shop.order("10.00", "USDC")
    for wallet in (street.shopper(), street.shopper()):
        order.pay(wallet, 10 * USDC)
    street.settle()
    assert order.state == ("paid", ["double_payment", "overpaid"], "overpaid")
    assert shop.books()[SUSPENSE, "USDC"] == ("-10", "0")
    street.assert_sound()


def test_a_hair_less_than_due_is_exact_where_the_merchant_tolerates_it(street: Street) -> None:
    shop = street.shop(tolerance_bps=50)
    order, short = shop.order("10.00", "USDC"), shop.order("10.00", "USDC")
    order.pay(street.shopper(), 9_950_000)
    short.pay(street.shopper(), 9_949_999)
    street.settle()
    assert order.state == ("paid", [], "paid")
    assert short.state == ("underpaid", [], "underpaid")
    street.assert_sound()


def test_half_in_sol_and_half_in_usdc_is_one_payment(street: Street, shop: Shop) -> None:
    order = shop.order("20.00", method="sol")
    order.pay(street.shopper(), order.due // 2)
    street.settle()
    shop.street.house.engine.checkout.choose_method(order.token, "usdc")
    assert order.attempt.rest.atomic == -(-order.due // 2), "rounded up, so that paying it always completes"
    order.scan(street.shopper())
    street.settle()
    assert order.state == ("paid", [], "paid")
    assert order.payment["amount_received"] == "20.00"
    assert set(shop.books()) == {(HOT, "SOL"), (HOT, "USDC"), (AVAILABLE, "SOL"), (AVAILABLE, "USDC")}
    street.assert_sound()


def test_a_quote_that_ran_out_is_renewed_at_the_new_price(street: Street, shop: Shop) -> None:
    order = shop.order("20.00", method="sol")
    checkout, before = street.house.engine.checkout, order.due
    street.pass_time(minutes=29)
    checkout.extend(order.token)  # the kept rate goes along
    assert order.due == before
    street.exchange.market.set_price("SOL", 100_000_000)
    street.refresh_rates()
    checkout.renew_quote(order.token)
    assert order.due == before, "a quote that still stands is not replaced"
    order.scan(street.shopper())
    street.settle()
    assert order.state == ("paid", [], "paid")
    street.assert_sound()


def test_no_price_is_no_offer_and_the_page_says_why(street: Street, shop: Shop) -> None:
    order = shop.order("20.00", method=None)
    street.exchange.market.freeze(is_frozen=True)
    street.pass_time(minutes=5)
    street.refresh_rates()
    assert order.shown == "unavailable"
    assert all(not one.available and one.reason for one in order.page.methods if one.id in {"sol", "usdc"})
    street.exchange.market.freeze(is_frozen=False)
    street.pass_time(seconds=31)
    street.refresh_rates()
    assert order.shown == "open"


def let_expire(street: Street) -> None:
    """Let the window close, with the scanner past the deadline."""
    street.pass_time(minutes=32)
    street.look()
    street.sweep()


def pay_old_code(order: Order, street: Street) -> None:
    """Pay a QR code that was photographed in time, long after."""
    order.pay(street.shopper(), order.due)
    street.confirm()
    street.settle()


def test_a_late_payment_is_accepted_where_the_merchant_says_so(street: Street) -> None:
    shop = street.shop(late_policy=LatePolicy.ACCEPT)
    order = shop.order("10.00", "USDC")
    let_expire(street)
    assert order.state == ("expired", [], "expired")
    pay_old_code(order, street)
    assert order.state == ("paid", ["late"], "late")
    assert shop.books() == {(HOT, "USDC"): ("10", "0"), (AVAILABLE, "USDC"): ("-10", "0")}
    assert order.told == [
        "checkout.session.expired",
        "payment.processing",
        "payment.late",
        "payment.succeeded",
        "checkout.session.completed",
    ]
    street.assert_sound()


def test_a_late_payment_is_owed_back_where_the_merchant_refuses_it(street: Street) -> None:
    shop = street.shop(late_policy=LatePolicy.REFUND)
    order = shop.order("10.00", "USDC")
    let_expire(street)
    pay_old_code(order, street)
    assert order.payment["status"] == "expired"
    assert order.payment["exceptions"] == ["late"]
    assert order.shown == "late_refund"
    assert shop.books() == {(HOT, "USDC"): ("10", "0"), (REFUND_PAYABLE, "USDC"): ("-10", "0")}
    assert order.told == ["checkout.session.expired", "payment.late"]
    street.assert_sound()


def test_a_refused_late_payment_can_be_accepted_by_hand(street: Street) -> None:
    shop = street.shop(late_policy=LatePolicy.REFUND)
    order = shop.order("10.00", "USDC")
    let_expire(street)
    pay_old_code(order, street)
    shop.match(order.payment["transfers"][0]["id"], order.payment_id)
    assert order.state == ("paid", ["late"], "paid")
    assert shop.books() == {(HOT, "USDC"): ("10", "0"), (AVAILABLE, "USDC"): ("-10", "0")}
    street.assert_sound()


def test_money_for_a_called_off_order_is_owed_back_whatever_the_rule(street: Street, shop: Shop) -> None:
    order = shop.order("10.00", "USDC")
    street.house.engine.checkout.cancel(order.token)
    assert order.state == ("canceled", [], "canceled")
    street.pass_time(minutes=2)
    pay_old_code(order, street)
    assert order.payment["status"] == "canceled"
    assert order.payment["exceptions"] == ["late"]
    assert order.shown == "late_refund"
    assert shop.books() == {(HOT, "USDC"): ("10", "0"), (REFUND_PAYABLE, "USDC"): ("-10", "0")}
    street.assert_sound()


def test_a_top_up_that_comes_late_completes_the_payment_by_the_merchants_rule(street: Street) -> None:
    shop = street.shop(late_policy=LatePolicy.ACCEPT)
    order = shop.order("10.00", "USDC")
    order.pay(street.shopper(), 6 * USDC)
    street.settle()
    let_expire(street)
    assert order.state == ("underpaid", [], "underpaid")
    assert order.told[-1] == "checkout.session.expired"
    order.pay(street.shopper(), 4 * USDC)
    street.settle()
    assert order.state == ("paid", ["late"], "late")
    street.assert_sound()


def test_a_late_top_up_that_is_refused_leaves_a_page_that_says_refundable(street: Street) -> None:
    shop = street.shop(late_policy=LatePolicy.REFUND)
    order = shop.order("10.00", "USDC")
    order.pay(street.shopper(), 6 * USDC)
    street.settle()
    let_expire(street)
    assert order.state == ("underpaid", [], "late_refund")
    order.pay(street.shopper(), 4 * USDC)
    street.settle()
    assert order.state == ("underpaid", ["late"], "late_refund")
    assert shop.books() == {
        (HOT, "USDC"): ("10", "0"),
        (SUSPENSE, "USDC"): ("-6", "0"),
        (REFUND_PAYABLE, "USDC"): ("-4", "0"),
    }
    street.assert_sound()


def test_a_rest_is_never_asked_for_at_a_rate_at_which_it_would_be_refused(street: Street) -> None:
    shop = street.shop(late_policy=LatePolicy.REFUND)
    order = shop.order("20.00", method="sol", minutes=120)
    order.pay(street.shopper(), order.due // 2)
    street.settle()
    assert order.state == ("underpaid", [], "underpaid")
    street.pass_time(minutes=40)
    street.exchange.market.set_price("SOL", 100_000_000)
    street.refresh_rates()
    assert order.state == ("underpaid", [], "renew")
    before = order.due
    street.house.engine.checkout.renew_quote(order.token)
    assert order.due > before * 19 // 10
    assert order.attempt.rest.atomic == -(-order.due // 2), "what came stays worth what it was worth then"
    order.scan(street.shopper())
    street.settle()
    assert order.state == ("paid", [], "paid")
    street.assert_sound()


def test_the_rest_of_a_late_order_is_paid_from_the_browser_where_late_money_counts(street: Street) -> None:
    shop = street.shop(late_policy=LatePolicy.ACCEPT)
    order = shop.order("10.00", "USDC")
    order.pay(street.shopper(), 6 * USDC)
    street.settle()
    let_expire(street)
    assert order.state == ("underpaid", [], "underpaid")
    order.approve(street.shopper())
    assert order.shown == "waiting", "nobody is asked to pay again while this is on its way"
    street.settle()
    assert order.state == ("paid", ["late"], "late")
    street.assert_sound()


def test_an_underpaid_order_whose_time_is_over_asks_for_nothing_until_the_scanner_has_passed(street: Street) -> None:
    shop = street.shop(late_policy=LatePolicy.REFUND)
    order = shop.order("10.00", "USDC")
    order.pay(street.shopper(), 6 * USDC)
    street.settle()
    street.pass_time(minutes=30)
    assert order.state == ("underpaid", [], "closing")
    let_expire(street)
    assert order.state == ("underpaid", [], "late_refund")
    street.assert_sound()


def test_money_without_a_reference_is_credited_by_exact_amount_where_the_merchant_says_so(street: Street) -> None:
    shop = street.shop(match_by_exact_amount=True)
    order, other = shop.order("10.00", "USDC"), shop.order("11.00", "USDC")
    street.shopper().pay_token(str(USDC_MINT), shop.wallet.address, 10 * USDC)
    street.settle()
    assert order.state == ("paid", [], "paid")
    assert other.state == ("open", [], "chosen")
    assert shop.unmatched() == []
    assert shop.books() == {(HOT, "USDC"): ("10", "0"), (AVAILABLE, "USDC"): ("-10", "0")}
    street.assert_sound()


def test_an_amount_that_two_open_orders_ask_is_credited_to_neither(street: Street) -> None:
    shop = street.shop(match_by_exact_amount=True)
    one, two = shop.order("10.00", "USDC"), shop.order("10.00", "USDC")
    street.shopper().pay_token(str(USDC_MINT), shop.wallet.address, 10 * USDC)
    street.settle()
    assert [one.payment["status"], two.payment["status"]] == ["open", "open"]
    (waiting,) = shop.unmatched()
    assert sorted(waiting["suggestions"]) == sorted([one.payment_id, two.payment_id])
    shop.match(waiting["id"], two.payment_id)
    assert [one.payment["status"], two.payment["status"]] == ["open", "paid"]
    with pytest.raises(ConflictError) as refusal:
        shop.match(waiting["id"], one.payment_id)
    assert refusal.value.code is ErrorCode.TRANSFER_ALREADY_MATCHED
    street.assert_sound()


def test_the_wrong_asset_waits_for_a_person_and_names_the_payment_it_was_meant_for(street: Street, shop: Shop) -> None:
    order = shop.order("0.5", "SOL", method="sol")
    street.shopper().pay_token(str(USDC_MINT), shop.wallet.address, 100 * USDC, references=[order.reference])
    street.settle()
    (waiting,) = shop.unmatched()
    assert (waiting["reason"], waiting["suggestions"]) == ("wrong_asset", [order.payment_id])
    assert shop.books() == {(HOT, "USDC"): ("100", "0"), (SUSPENSE, "USDC"): ("-100", "0")}
    with pytest.raises(InvalidRequestError) as refusal:
        shop.match(waiting["id"], order.payment_id)
    assert refusal.value.code is ErrorCode.PAYMENT_NOT_PAYABLE
    assert order.state == ("open", [], "chosen")
    street.assert_sound()


def test_a_payment_in_time_counts_although_it_is_seen_after_the_deadline(street: Street, shop: Shop) -> None:
    order = shop.order("0.5", "SOL", method="sol")
    street.clock.advance(timedelta(minutes=29))
    street.chain.tick(1)
    order.scan(street.shopper())
    street.chain.tick(2)
    street.clock.advance(timedelta(minutes=5))  # the monitor slept
    street.sweep()
    assert order.state == ("open", [], "closing")
    street.settle()
    street.sweep()
    assert order.state == ("paid", [], "paid")
    assert order.told == ["payment.succeeded", "checkout.session.completed"]
    street.assert_sound()


def test_money_below_the_merchants_own_limit_settles_when_it_is_confirmed(street: Street) -> None:
    shop = street.shop(accept_confirmed_below={"SOL": SOL})
    small, large = shop.order("0.5", "SOL", method="sol"), shop.order("2", "SOL", method="sol")
    for order in (small, large):
        order.scan(street.shopper())
    street.confirm()
    assert small.state == ("paid", [], "paid")
    assert large.state == ("confirming", [], "confirming")
    street.settle()
    assert large.state == ("paid", [], "paid")
    street.assert_sound()
