"""What wallets do on the way: guards, lookup tables, fresh accounts, other coins, other people, other bytes."""

import base64

import pytest
from solders.instruction import Instruction

from gateway.domain.words import OperationKind, OperationStatus
from gateway.engine.page import WalletState
from gateway.kernel.errors import ErrorCode, InvalidRequestError
from sandbox.devchain import programs
from sandbox.devchain.faucet import USDC_MINT
from sandbox.devchain.wallet import Guards, TestWallet
from tests.journey.street import AVAILABLE, HOT, MINTS, SOL, SUSPENSE, USDC, Order, Shop, Street, sign_and_send, signed

PAID: tuple[str, list[str], str] = ("paid", [], "paid")
STORY = ["payment.processing", "payment.succeeded", "checkout.session.completed"]


def assert_paid(order: Order, street: Street) -> None:
    """The order is paid once and exactly, the shop was told once, and the books agree with the chain."""
    assert order.state == PAID
    assert len(order.payment["transfers"]) == 1
    code = order.attempt.due.currency
    assert set(order.shop.books()) == {(HOT, code), (AVAILABLE, code)}
    assert order.told[-2:] == STORY[-2:]
    street.assert_sound()


def assert_untouched(order: Order, shop: Shop) -> None:
    """Nothing arrived for the order, the shop heard nothing, and no book moved."""
    assert order.state == ("open", [], "chosen")
    assert order.payment["transfers"] == []
    assert order.told == []
    assert shop.books() == {}
    assert shop.unmatched() == []


def test_plain_sol_pays(street: Street, shop: Shop) -> None:
    order = shop.order("0.5", "SOL", method="sol")
    order.scan(street.shopper())
    street.confirm()
    street.settle()
    assert order.told == STORY
    assert shop.books() == {(HOT, "SOL"): ("0.5", "0"), (AVAILABLE, "SOL"): ("-0.5", "0")}
    assert_paid(order, street)


def test_spl_with_memo_and_reference_pays(street: Street, shop: Shop) -> None:
    order = shop.order("10.00", "USDC")
    order.pay(street.shopper(), 10 * USDC)
    street.settle()
    (row,) = shop.street.house.engine.payments.retrieve(shop.owner, order.payment_id)["transfers"]
    assert row["amount"] == "10.000000"
    assert_paid(order, street)


def test_a_token_account_made_in_the_same_transfer_counts_from_zero(street: Street) -> None:
    shop = street.shop(has_usdc=False)
    order = shop.order("7.00", "USDC")
    order.scan(street.shopper())
    street.settle()
    assert_paid(order, street)


@pytest.mark.parametrize("method", ["sol", "usdc"])
def test_guards_that_a_wallet_puts_before_and_after_do_not_matter(street: Street, shop: Shop, method: str) -> None:
    order, shopper = shop.order("10.00", method=method), street.shopper()
    order.submit(shopper.sign(order.build(shopper), guards=shopper.phantom_guards()))
    street.confirm()
    street.settle()
    assert [(one.kind, one.status) for one in order.operations] == [
        (OperationKind.BROADCAST, OperationStatus.SUCCEEDED)
    ]
    assert_paid(order, street)


def test_guards_around_a_scanned_payment_do_not_matter(street: Street, shop: Shop) -> None:
    order, shopper = shop.order("0.5", "SOL", method="sol"), street.shopper()
    guards = shopper.phantom_guards()
    shopper.send_instructions([*guards.before, order.step(shopper, SOL // 2), programs.memo("x"), *guards.after])
    street.settle()
    assert_paid(order, street)


def test_v0_with_a_lookup_table_pays(street: Street, shop: Shop) -> None:
    order, shopper = shop.order("3.00", "USDC"), street.shopper()
    table = shopper.create_table([shop.account("USDC"), order.reference, str(USDC_MINT)])
    street.chain.tick(2)
    shopper.send_instructions([order.step(shopper, 3 * USDC)], tables=[table])
    street.settle()
    assert_paid(order, street)


def test_a_fake_mint_pays_nothing(street: Street, shop: Shop) -> None:
    order, shopper = shop.order("10.00", "USDC"), street.shopper()
    fake = shopper.rpc("dev_create_mint", {"symbol": "USDC", "decimals": 6})["mint"]
    shopper.airdrop_token(fake, 100 * USDC)
    shopper.pay_token(fake, shop.wallet.address, 10 * USDC, references=[order.reference], memo=order.payment_id)
    street.settle()
    assert_untouched(order, shop)
    street.assert_sound()


def test_paying_somebody_else_with_our_reference_pays_nothing(street: Street, shop: Shop) -> None:
    order, shopper = shop.order("10.00", "USDC"), street.shopper()
    names = [order.reference, shop.account("USDC"), shop.wallet.address]
    shopper.pay_token(str(USDC_MINT), street.wallet(sol=SOL).address, 10 * USDC, references=names)
    street.settle()
    assert_untouched(order, shop)
    street.assert_sound()


def test_a_failed_transfer_with_our_reference_does_not_stand_before_the_good_one(street: Street, shop: Shop) -> None:
    order, shopper = shop.order("10.00", "USDC"), street.shopper()
    shopper.send_instructions([order.step(shopper, 10_000 * USDC)], skip_preflight=True)
    street.settle()
    assert_untouched(order, shop)
    order.scan(shopper)
    street.settle()
    assert_paid(order, street)


def test_a_dust_transfer_with_our_reference_does_not_stand_before_the_good_one(street: Street, shop: Shop) -> None:
    order = shop.order("10.00", "USDC")
    order.pay(street.shopper(), 1)
    street.settle()
    assert order.state == ("underpaid", [], "underpaid")
    assert order.attempt.rest.atomic == 10 * USDC - 1
    order.scan(street.shopper())
    street.settle()
    assert order.state == PAID
    street.assert_sound()


def pays_less(order: Order, wallet: TestWallet) -> list[Instruction]:
    return [order.step(wallet, order.due - 1)]


def pays_somebody_else(order: Order, wallet: TestWallet) -> list[Instruction]:
    other = order.shop.street.wallet(sol=SOL).public_key
    aside = programs.sol_transfer(wallet.public_key, other, order.due)
    nothing = order.step(wallet, 0)
    return [aside, nothing]


def pays_and_takes_another_reference(order: Order, wallet: TestWallet) -> list[Instruction]:
    return [order.step(wallet, order.due, order.shop.order("1", "SOL", method="sol").reference)]


@pytest.mark.parametrize("steps", [pays_less, pays_somebody_else, pays_and_takes_another_reference])
def test_a_changed_transfer_that_pays_otherwise_is_refused_and_nothing_is_sent(
    street: Street, shop: Shop, steps: object
) -> None:
    assert callable(steps)
    order, shopper = shop.order("0.5", "SOL", method="sol"), street.shopper()
    before = shopper.lamports()
    payload = signed(steps(order, shopper), shopper)
    with pytest.raises(InvalidRequestError) as refusal:
        order.submit(payload)
    assert refusal.value.code is ErrorCode.WALLET_PAYLOAD_REFUSED
    assert order.operations == []
    street.settle()
    assert shopper.lamports() == before
    assert_untouched(order, shop)
    order.approve(shopper)
    street.settle()
    assert_paid(order, street)


def test_a_wallet_that_takes_the_money_back_in_the_same_transfer_is_refused(street: Street, shop: Shop) -> None:
    order, shopper = shop.order("0.5", "SOL", method="sol"), street.shopper()
    back = programs.sol_transfer(shop.wallet.public_key, shopper.public_key, SOL // 2)
    payload = signed([order.step(shopper, SOL // 2), back], shopper, shop.wallet)
    with pytest.raises(InvalidRequestError) as refusal:
        order.submit(payload)
    assert refusal.value.code is ErrorCode.WALLET_PAYLOAD_REFUSED
    assert_untouched(order, shop)


def test_bytes_that_nobody_signed_are_refused(street: Street, shop: Shop) -> None:
    order, shopper = shop.order("0.5", "SOL", method="sol"), street.shopper()
    for payload in (order.build(shopper), base64.b64encode(b"no transfer at all").decode()):
        with pytest.raises(InvalidRequestError) as refusal:
            order.submit(payload)
        assert refusal.value.code is ErrorCode.WALLET_PAYLOAD_REFUSED
    assert_untouched(order, shop)


def test_a_wallet_that_also_sends_by_itself_pays_once(street: Street, shop: Shop) -> None:
    order, shopper = shop.order("0.5", "SOL", method="sol"), street.shopper()
    payload = shopper.sign(order.build(shopper))
    signature = shopper.send(payload)
    assert order.submit(payload) == order.submit(payload) == signature
    street.settle()
    assert len(order.operations) == 1
    assert_paid(order, street)


def test_a_hint_finds_the_payment_but_an_unknown_signature_is_never_proof(street: Street, shop: Shop) -> None:
    order, shopper = shop.order("0.5", "SOL", method="sol"), street.shopper()
    elsewhere = TestWallet(street.server.url)
    nowhere = str(elsewhere.keypair.sign_message(b"sent on another network"))
    order.hint(nowhere)
    street.look()
    assert (order.page.wallet_state, order.state) == (WalletState.WAITING, ("open", [], "waiting"))
    street.pass_time(seconds=46)
    street.sweep()
    assert (order.page.wallet_state, order.state) == (WalletState.UNKNOWN, ("open", [], "unknown"))
    street.pass_time(minutes=11)
    street.sweep()
    assert [(one.status, one.reason) for one in order.operations] == [(OperationStatus.REJECTED, "never_seen")]
    assert order.state == ("open", [], "unknown")
    assert shop.books() == {}
    order.hint(order.scan(shopper))
    street.confirm()
    assert order.state == ("confirming", [], "confirming")
    street.settle()
    assert_paid(order, street)


def test_a_hint_of_somebody_elses_payment_pays_nothing(street: Street, shop: Shop) -> None:
    order, other, shopper = (
        shop.order("0.5", "SOL", method="sol"),
        shop.order("0.5", "SOL", method="sol"),
        street.shopper(),
    )
    order.hint(other.scan(shopper))
    street.settle()
    assert other.state == PAID
    assert order.payment["status"] == "open"
    assert order.payment["transfers"] == []
    street.assert_sound()


def test_a_guard_that_fails_leaves_the_order_payable(street: Street, shop: Shop) -> None:
    """Phantom's guards may make its own transfer fail on the chain: the gateway refuses it before it is sent."""
    order, shopper = shop.order("0.5", "SOL", method="sol"), street.shopper()
    too_much = programs.sol_transfer(shopper.public_key, TestWallet(street.server.url).public_key, 10_000 * SOL)
    with pytest.raises(InvalidRequestError) as refusal:
        order.submit(shopper.sign(order.build(shopper), guards=Guards(after=(too_much,))))
    assert refusal.value.code is ErrorCode.WALLET_PAYLOAD_REFUSED
    assert_untouched(order, shop)
    order.approve(shopper)
    street.settle()
    assert_paid(order, street)


def test_two_orders_in_one_transfer_are_both_paid(street: Street, shop: Shop) -> None:
    one, two, shopper = shop.order("2.00", "USDC"), shop.order("3.00", "USDC"), street.shopper()
    shopper.send_instructions([one.step(shopper, 2 * USDC), two.step(shopper, 3 * USDC)])
    street.settle()
    for order, amount in ((one, "2.000000"), (two, "3.000000")):
        assert order.state == PAID
        assert [row["amount"] for row in order.payment["transfers"]] == [amount]
        assert order.told == STORY[1:]
    assert shop.books() == {(HOT, "USDC"): ("5", "0"), (AVAILABLE, "USDC"): ("-5", "0")}
    street.assert_sound()


def test_one_transfer_with_two_references_pays_the_order_that_asks_exactly_this(street: Street, shop: Shop) -> None:
    one, two = shop.order("2.00", "USDC"), shop.order("3.00", "USDC")
    two.pay(street.shopper(), 3 * USDC, one.reference, two.reference)
    street.settle()
    assert one.state == ("open", [], "chosen")
    assert two.state == PAID
    assert shop.books() == {(HOT, "USDC"): ("3", "0"), (AVAILABLE, "USDC"): ("-3", "0")}
    street.assert_sound()


def test_one_transfer_with_two_references_of_equal_orders_pays_only_one(street: Street, shop: Shop) -> None:
    one, two = shop.order("2.00", "USDC"), shop.order("2.00", "USDC")
    one.pay(street.shopper(), 2 * USDC, one.reference, two.reference)
    street.settle()
    assert (one.state, two.state) == (PAID, ("open", [], "chosen"))
    street.assert_sound()


def test_in_and_out_in_one_signature_counts_what_stayed(street: Street, shop: Shop) -> None:
    order, shopper = shop.order("1", "SOL", method="sol"), street.shopper()
    back = programs.sol_transfer(shop.wallet.public_key, shopper.public_key, SOL // 4)
    sign_and_send([order.step(shopper, SOL), back], shopper, shop.wallet)
    street.settle()
    assert order.state == ("underpaid", [], "underpaid")
    assert order.attempt.rest.major.rstrip("0") == "0.25"
    assert shop.books() == {(HOT, "SOL"): ("0.75", "0"), (SUSPENSE, "SOL"): ("-0.75", "0")}
    street.assert_sound()


def test_in_and_out_of_everything_is_no_payment(street: Street, shop: Shop) -> None:
    order, shopper = shop.order("1", "SOL", method="sol"), street.shopper()
    back = programs.sol_transfer(shop.wallet.public_key, shopper.public_key, SOL)
    sign_and_send([order.step(shopper, SOL), back], shopper, shop.wallet)
    street.settle()
    assert_untouched(order, shop)
    street.assert_sound()


def test_a_token_2022_fee_leaves_the_order_underpaid_until_it_is_topped_up(street: Street, shop: Shop) -> None:
    order, shopper = shop.order("10.00", "FEEUSD", method="feeusd"), street.shopper()
    order.scan(shopper)
    street.settle()
    assert order.state == ("underpaid", [], "underpaid")
    assert (order.attempt.received.major, order.attempt.rest.major) == ("9.850000", "0.150000")
    assert shop.books() == {(HOT, "FEEUSD"): ("9.85", "0"), (SUSPENSE, "FEEUSD"): ("-9.85", "0")}
    order.pay(shopper, 152_285)  # of which 1.5 %, rounded up, stay with the issuer
    street.settle()
    assert order.state == PAID
    assert shop.books() == {(HOT, "FEEUSD"): ("10", "0"), (AVAILABLE, "FEEUSD"): ("-10", "0")}
    street.assert_sound()


def test_a_token_2022_fee_is_added_when_the_gateway_builds_the_transfer(street: Street, shop: Shop) -> None:
    order = shop.order("10.00", "FEEUSD", method="feeusd")
    order.approve(street.shopper())
    street.settle()
    assert order.state == PAID
    street.assert_sound()


def test_a_token_2022_fee_over_two_orders_in_one_transfer_goes_to_review(street: Street, shop: Shop) -> None:
    one, two = (shop.order("10.00", "FEEUSD", method="feeusd") for _ in range(2))
    shopper = street.shopper()
    shopper.pay_token(str(MINTS["FEEUSD"]), shop.wallet.address, USDC)  # the account exists from here on
    shopper.send_instructions([one.step(shopper, 10 * USDC), two.step(shopper, 10 * USDC)])
    street.settle()
    assert [one.state, two.state] == [("open", [], "chosen")] * 2
    assert {(row["amount"], row["reason"]) for row in shop.unmatched()} == {
        ("19.700000", "ambiguous"),
        ("0.985000", "no_reference"),
    }
    assert shop.books()[SUSPENSE, "FEEUSD"] == ("-20.685", "0")
    street.assert_sound()
