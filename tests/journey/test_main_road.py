"""The main road through the whole house, on every database: paid as asked, paid in two steps, paid without a name."""

from tests.journey.street import AVAILABLE, HOT, PENDING, SOL, SUSPENSE, Street


def test_an_order_in_dollars_is_paid_in_usdc_by_scanning_the_code(street_everywhere: Street) -> None:
    shop, shopper = street_everywhere.shop(), street_everywhere.shopper()
    order = shop.order("12.30")
    assert order.state == ("open", [], "chosen")
    signature = order.scan(shopper)
    street_everywhere.confirm()
    due = order.attempt.due.major.rstrip("0")
    assert order.state == ("confirming", [], "confirming")
    assert shop.books() == {(HOT, "USDC"): ("0", due), (PENDING, "USDC"): ("0", f"-{due}")}
    street_everywhere.settle()
    assert order.state == ("paid", [], "paid")
    assert order.payment["amount_received"] == "12.30"
    assert [(one["signature"], one["stage"], one["payer"]) for one in order.payment["transfers"]] == [
        (signature, "final", shopper.address)
    ]
    assert shop.books() == {(HOT, "USDC"): (due, "0"), (AVAILABLE, "USDC"): (f"-{due}", "0")}
    assert order.told == ["payment.processing", "payment.succeeded", "checkout.session.completed"]
    street_everywhere.assert_sound()


def test_an_underpaid_order_is_topped_up_at_the_kept_rate(street_everywhere: Street) -> None:
    street, shop, shopper = street_everywhere, street_everywhere.shop(), street_everywhere.shopper()
    order = shop.order("30.00", method="sol")
    due, part = order.due, order.due // 3
    order.pay(shopper, part)
    street.confirm()
    street.settle()
    assert order.state == ("underpaid", [], "underpaid")
    assert set(shop.books()) == {(HOT, "SOL"), (SUSPENSE, "SOL")}
    street.exchange.market.set_price("SOL", 400_000_000)  # the kept rate knows nothing of it
    street.pass_time(seconds=31)
    street.refresh_rates()
    attempt = order.attempt
    assert (attempt.due.atomic, attempt.received.atomic, attempt.rest.atomic) == (due, part, due - part)
    assert f"amount={attempt.rest.major.rstrip('0')}&" in attempt.pay_url
    assert shop.order("30.00", method="sol").due < due * 6 // 10, "a new order is priced at the new rate"
    order.scan(shopper)
    street.confirm()
    street.settle()
    assert order.state == ("paid", [], "paid")
    assert order.payment["amount_received"] == "30.00"
    assert set(shop.books()) == {(HOT, "SOL"), (AVAILABLE, "SOL")}
    assert order.told == [
        "payment.processing",
        "payment.partially_paid",
        "payment.processing",
        "payment.succeeded",
        "checkout.session.completed",
    ]
    street.assert_sound()


def test_money_without_a_reference_waits_in_suspense_until_it_is_matched_by_hand(street_everywhere: Street) -> None:
    street, shop, shopper = street_everywhere, street_everywhere.shop(), street_everywhere.shopper()
    order, other = shop.order("0.25", "SOL", method="sol"), shop.order("0.4", "SOL", method="sol")
    signature = shopper.pay_sol(shop.wallet.address, SOL // 4)
    street.settle()
    assert order.state == ("open", [], "chosen")
    assert shop.books() == {(HOT, "SOL"): ("0.25", "0"), (SUSPENSE, "SOL"): ("-0.25", "0")}
    (waiting,) = shop.unmatched()
    assert (waiting["signature"], waiting["reason"], waiting["payer"]) == (signature, "no_reference", shopper.address)
    assert waiting["suggestions"] == [order.payment_id]
    assert shop.told(waiting["id"]) == ["transfer.unmatched"]
    shop.match(waiting["id"], order.payment_id)
    assert order.state == ("paid", [], "paid")
    assert other.state == ("open", [], "chosen")
    assert shop.unmatched() == []
    assert shop.books() == {(HOT, "SOL"): ("0.25", "0"), (AVAILABLE, "SOL"): ("-0.25", "0")}
    assert order.told == ["payment.succeeded", "checkout.session.completed"]
    street.assert_sound()
