"""Refunds on a real chain: built here, signed by the merchant's wallet, landed once, and booked to the last atom."""

import json
from dataclasses import dataclass
from typing import Any

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from gateway.engine.refunds import NewRefund
from gateway.kernel.errors import ConflictError, InvalidRequestError
from sandbox.devchain import programs
from sandbox.devchain.faucet import FEE_MINT, USDC_MINT
from sandbox.devchain.wallet import TestWallet
from tests.journey.street import AVAILABLE, HOT, NETWORK_FEE, SOL, USDC, WITHDRAWN, Order, Shop, Street, signed


@dataclass
class Desk:
    """Where a shop refunds an order."""

    shop: Shop
    order: Order

    @property
    def engine(self) -> Any:
        return self.shop.street.house.engine

    def ask(self, amount: str | None = None, **more: Any) -> str:
        new = NewRefund(payment_id=self.order.payment_id, amount=amount, **more)
        return str(json.loads(self.engine.refunds.create(self.shop.intent("refund"), new).body)["id"])

    def build(self, refund_id: str) -> str:
        return str(self.engine.refund_transfers.build(self.shop.owner, refund_id)["payload"])

    def submit(self, refund_id: str, payload: str) -> str:
        reply = self.engine.refund_transfers.submit(self.shop.intent("submit"), refund_id, payload)
        return str(json.loads(reply.body)["status"])

    def approve(self, refund_id: str) -> str:
        return self.submit(refund_id, self.shop.wallet.sign(self.build(refund_id)))

    def read(self, refund_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.engine.refunds.retrieve(self.shop.owner, refund_id)
        return found

    def status(self, refund_id: str) -> str:
        return str(self.read(refund_id)["status"])


def a_desk(street: Street, method: str, price: str = "10.00") -> tuple[Desk, TestWallet]:
    """Return the desk of an order that a shopper has paid for good."""
    shop, shopper = street.shop(), street.shopper()
    order = shop.order(price, "FEEUSD" if method == "feeusd" else "USD", method=method)
    order.approve(shopper)
    street.settle()
    assert order.payment["status"] == "paid"
    return Desk(shop, order), shopper


def test_a_sol_payment_goes_back_in_two_parts(street_everywhere: Street) -> None:
    street = street_everywhere
    desk, shopper = a_desk(street, "sol")
    before, due = shopper.lamports("finalized"), desk.order.due
    first = desk.ask("0.01")
    assert desk.status(first) == "requires_action"
    assert desk.approve(first) == "pending"
    street.confirm()
    assert desk.status(first) == "pending"
    street.settle()
    assert desk.status(first) == "succeeded"
    assert shopper.lamports("finalized") - before == SOL // 100
    second = desk.ask()
    desk.submit(second, desk.shop.wallet.sign(desk.build(second), guards=desk.shop.wallet.phantom_guards()))
    street.settle()
    assert (desk.status(second), desk.order.payment["refunds"]) == ("succeeded", "full")
    assert shopper.lamports("finalized") - before == due
    assert {code for code, _ in desk.shop.books()} == {HOT, NETWORK_FEE}, "only network fees are left"
    for refund_id in (first, second):
        assert sorted(desk.shop.told(refund_id)) == ["refund.created", "refund.succeeded"]
    street.assert_sound()


@pytest.mark.parametrize(("method", "mint"), [("usdc", USDC_MINT), ("feeusd", FEE_MINT)])
def test_a_token_payment_goes_back_to_a_wallet_that_never_held_the_token(
    street: Street, method: str, mint: Pubkey
) -> None:
    desk, _ = a_desk(street, method)
    new = street.wallet()
    refund_id = desk.ask("4.00", destination=new.address)
    assert desk.approve(refund_id) == "pending"
    street.settle()
    assert desk.status(refund_id) == "succeeded"
    arrived = new.token_amount(str(mint), "finalized")
    assert arrived == 4 * USDC if mint == USDC_MINT else 0 < arrived < 4 * USDC
    books, code = desk.shop.books(), method.upper()
    assert books[HOT, code][0] == f"-{books[AVAILABLE, code][0]}".replace("--", ""), "exactly the refund has left"
    rent_and_fee = books[NETWORK_FEE, "SOL"][0]
    assert books[HOT, "SOL"][0] == f"-{rent_and_fee}"
    assert (WITHDRAWN, "SOL") not in books
    street.assert_sound()


def test_an_expired_signature_is_refused_and_a_fresh_one_taken(street: Street) -> None:
    desk, _ = a_desk(street, "usdc")
    refund_id = desk.ask()
    late = desk.shop.wallet.sign(desk.build(refund_id))
    street.chain.tick(200)
    with pytest.raises(InvalidRequestError, match="signed too late"):
        desk.submit(refund_id, late)
    assert desk.approve(refund_id) == "pending"
    street.settle()
    assert desk.status(refund_id) == "succeeded"
    street.assert_sound()


def test_a_lost_sending_is_repeated_and_a_fork_survived(street: Street) -> None:
    desk, shopper = a_desk(street, "usdc")
    held = shopper.token_amount(str(USDC_MINT), "finalized")
    refund_id = desk.ask("1.00")
    street.fault(drop_sends=1)
    assert desk.approve(refund_id) == "pending"
    street.mend()
    with pytest.raises(ConflictError):
        desk.build(refund_id)
    street.pass_time(seconds=11)
    street.sweep()
    street.confirm()
    assert desk.read(refund_id)["provider_reference"] is not None
    street.chain.rollback(2)
    street.look(3)
    assert desk.status(refund_id) == "pending"
    street.pass_time(seconds=11)
    street.sweep()
    street.settle()
    assert desk.status(refund_id) == "succeeded"
    assert shopper.token_amount(str(USDC_MINT), "finalized") - held == USDC
    street.assert_sound()


def test_bytes_that_never_land_free_the_refund_after_their_last_block(street: Street) -> None:
    desk, _ = a_desk(street, "sol")
    refund_id = desk.ask()
    street.fault(drop_sends=10**6)
    desk.approve(refund_id)
    for _ in range(5):
        street.chain.tick(50)
        street.pass_time(seconds=11)
        street.sweep()
    assert desk.status(refund_id) == "requires_action"
    street.mend()
    assert desk.approve(refund_id) == "pending"
    street.settle()
    assert desk.status(refund_id) == "succeeded"
    street.assert_sound()


def test_another_tool_may_pay_with_the_refunds_id_in_the_memo(street: Street) -> None:
    desk, shopper = a_desk(street, "usdc")
    refund_id = desk.ask("2.50")
    for _ in range(2):
        desk.shop.wallet.pay_token(str(USDC_MINT), shopper.address, 2_500_000, memo=refund_id)
        street.settle()
    assert desk.status(refund_id) == "succeeded"
    assert desk.shop.books()[WITHDRAWN, "USDC"] == ("2.5", "0"), "the second time, he gave it of his own"
    street.assert_sound()


@pytest.mark.parametrize("trick", ["more", "elsewhere", "extra", "memo", "other wallet", "approve"])
def test_bytes_that_do_anything_else_are_refused(street: Street, trick: str) -> None:
    desk, shopper = a_desk(street, "sol")
    refund_id = desk.ask("0.01")
    mine, thief = desk.shop.wallet, street.wallet()
    lamports = SOL // 100 + (trick == "more")
    target = thief if trick == "elsewhere" else shopper
    wallet = street.wallet(sol=SOL) if trick == "other wallet" else mine
    steps = [
        programs.memo("re_of_somebody_else" if trick == "memo" else refund_id),
        programs.sol_transfer(wallet.public_key, target.public_key, lamports),
    ]
    if trick == "extra":
        steps.append(programs.sol_transfer(mine.public_key, thief.public_key, 1))
    if trick == "approve":
        steps.append(_approve(mine, thief))
    street.chain.tick(2)
    with pytest.raises(InvalidRequestError):
        desk.submit(refund_id, signed(steps, wallet))
    assert desk.status(refund_id) == "requires_action"
    assert desk.submit(refund_id, signed([programs.memo(refund_id), *_plain(mine, shopper)], mine)) == "pending"


def _plain(payer: TestWallet, to: TestWallet) -> list[Any]:
    return [programs.sol_transfer(payer.public_key, to.public_key, SOL // 100)]


def _approve(owner: TestWallet, delegate: TestWallet) -> Any:
    """Return the instruction that lets somebody else spend the merchant's tokens."""
    account = programs.token_address(owner.public_key, USDC_MINT, programs.TOKEN)
    keys = [
        AccountMeta(account, is_signer=False, is_writable=True),
        AccountMeta(delegate.public_key, is_signer=False, is_writable=False),
        AccountMeta(owner.public_key, is_signer=True, is_writable=False),
    ]
    return Instruction(programs.TOKEN, bytes([4]) + (10**9).to_bytes(8, "little"), keys)


def test_a_token_account_is_no_destination(street: Street) -> None:
    desk, shopper = a_desk(street, "usdc")
    account = programs.token_address(shopper.public_key, USDC_MINT, programs.TOKEN)
    refund_id = desk.ask(destination=str(account))
    with pytest.raises(InvalidRequestError, match="token account"):
        desk.build(refund_id)
    desk.engine.refunds.cancel(desk.shop.intent("cancel"), refund_id)
    assert desk.ask(destination=shopper.address).startswith("re_")
