"""Gifts from a wallet: split at source where the charity has an address, through the merchant where it has none."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from gateway.domain.chain import ChainObservation
from gateway.domain.donations import DonationStatus, GiftKind
from gateway.domain.words import PaymentStatus, TransferStage
from gateway.engine.donations.giving import NewGift
from gateway.engine.paging import PageRequest
from gateway.engine.records import SessionRecord, load_payment
from gateway.kernel.money import Money, parse_money
from gateway.storage.database import open_database
from tests.donations.stage import Charities
from tests.engine.paper import Shop, lamports

THERE = "charity-wallet-SOL"  # where the paper chain keeps the charity's SOL
ORDER, GIFT = lamports("0.06"), lamports("0.005")  # 12.00 and 1.00 USD at 200 USD a SOL


class WalletShop(Charities):
    """A merchant on the paper chain, with a charity that may have an address of its own."""

    def __init__(self, shop: Shop) -> None:
        super().__init__(shop.engine, shop.owner)
        self.shop = shop

    def match_by_exact_amount(self) -> None:
        """Let the merchant credit sums without a reference."""
        self.engine.merchants.configure(self.owner.merchant_id, match_by_exact_amount=True)

    def order(self, *, has_address: bool = True) -> SessionRecord:
        """Open an order of 12.00, add a gift of 1.00, choose SOL."""
        self.offer(self.add_charity(solana_address="charity-wallet" if has_address else None))
        session = self.shop.session("12.00")
        self.engine.gifts.choose(session, GiftKind.ROUND_UP, parse_money("1", "USD"))
        session = self.shop.reload(session.token)
        self.engine.attempts.choose(session, "sol")
        return self.shop.reload(session.token)

    def pays(self, session: SessionRecord, amount: int, gift: int = 0, **more: Any) -> ChainObservation:
        """Let the chain show a transfer of so much to the merchant, and so much beside it to the charity."""
        attempt = self.engine.checkout.page(session.token).attempt
        assert attempt is not None
        beside = {THERE: gift} if gift else {}
        seen = self.shop.observation(amount, attempt.reference_key, beside=beside, **more)
        self.engine.observations.observe([seen])
        return seen

    def standing(self, session: SessionRecord) -> tuple[str, str, DonationStatus]:
        """Return status and sum of the payment, and status of its gift."""
        payment = self.db.read(lambda tx: load_payment(tx, session.payment_id))
        donation = self.donation(session)
        assert donation is not None
        return payment.status.value, payment.amount_received.major, donation.status

    def charity_of(self, session: SessionRecord) -> str:
        donation = self.donation(session)
        assert donation is not None
        return donation.charity_id

    def sums(self, session: SessionRecord) -> dict[str, int]:
        """Return what stands on the accounts that such a payment touches, in lamports; zeros left out."""
        charity = f"donation:charity:{self.charity_of(session)}"
        names = {
            "hot": "chain:solana:localnet:hot", "own": "merchant:available", "owed": f"{charity}:payable",
            "paid": f"{charity}:paid_out", "there": f"{charity}:at_source", "suspense": "suspense:chain",
        }  # fmt: skip
        found = {name: self.posted(account, "SOL") for name, account in names.items()}
        return {name: units for name, units in found.items() if units}


@pytest.fixture
def shop(migrated_url: str) -> Iterator[WalletShop]:
    """Return a merchant nobody else has."""
    database = open_database(migrated_url)
    yield WalletShop(Shop(database))
    database.close()


def test_a_split_payment_pays_shop_and_charity_at_once(shop: WalletShop) -> None:
    session = shop.order()
    request = shop.engine.wallets.request(session)
    assert request.gift is not None
    assert (request.due, request.gift.amount) == (Money(ORDER, "SOL"), Money(GIFT, "SOL"))
    assert (request.gift.wallet, request.gift.account) == ("charity-wallet", THERE)
    shop.pays(session, ORDER, GIFT)
    assert shop.standing(session) == ("paid", "12.00", DonationStatus.RECEIVED)
    assert shop.sums(session) == {"hot": ORDER, "own": -ORDER, "there": GIFT, "paid": -GIFT}
    assert shop.shop.payment(session)["exceptions"] == []
    transfers = shop.shop.payment(session)["transfers"]
    assert isinstance(transfers, list)
    assert len(transfers) == 1, "the shop's own part"
    (shown,) = shop.engine.checkout.page(session.token).transfers
    assert (shown.amount, shown.given) == (Money(ORDER, "SOL"), Money(GIFT, "SOL"))
    assert shop.engine.observations.explained("solana:localnet", f"{shop.shop.wallet}-SOL") == ORDER
    shop.check()


@pytest.mark.parametrize("has_address", [True, False])
def test_by_hand_the_gift_comes_through_the_shop_and_is_owed(shop: WalletShop, *, has_address: bool) -> None:
    session = shop.order(has_address=has_address)
    shop.pays(session, ORDER + GIFT)
    assert shop.standing(session) == ("paid", "12.00", DonationStatus.RECEIVED)
    assert shop.sums(session) == {"hot": ORDER + GIFT, "own": -ORDER, "owed": -GIFT}
    shop.check()


def test_the_order_ships_although_the_gift_was_left_out(shop: WalletShop) -> None:
    session = shop.order()
    shop.pays(session, ORDER)
    assert shop.standing(session) == ("paid", "12.00", DonationStatus.PENDING)
    assert shop.sums(session) == {"hot": ORDER, "own": -ORDER}
    shop.check()


def test_parts_fill_the_order_first_and_then_the_gift(shop: WalletShop) -> None:
    session = shop.order(has_address=False)
    shop.pays(session, ORDER - 1000)
    page = shop.engine.checkout.page(session.token)
    assert page.payment_status is PaymentStatus.UNDERPAID
    assert page.attempt is not None
    assert page.attempt.rest == Money(1000 + GIFT, "SOL")
    shop.pays(session, 1000 + GIFT)
    assert shop.standing(session) == ("paid", "12.00", DonationStatus.RECEIVED)
    assert shop.sums(session) == {"hot": ORDER + GIFT, "own": -ORDER, "owed": -GIFT}
    shop.check()


def test_what_is_more_than_order_and_gift_is_excess(shop: WalletShop) -> None:
    session = shop.order(has_address=False)
    shop.pays(session, ORDER + GIFT + 7_000_000)
    assert shop.shop.payment(session)["exceptions"] == ["overpaid"]
    assert shop.sums(session)["suspense"] == -7_000_000
    shop.check()


def test_a_fork_takes_the_gift_back_with_the_order(shop: WalletShop) -> None:
    session = shop.order()
    seen = shop.pays(session, ORDER, GIFT, stage=TransferStage.CONFIRMED)
    assert shop.standing(session)[2] is DonationStatus.PENDING, "not before it is final"
    shop.shop.drop(seen)
    assert shop.sums(session) == {}
    shop.shop.stage(seen, TransferStage.FINAL)
    assert shop.standing(session) == ("paid", "12.00", DonationStatus.RECEIVED)
    shop.shop.stage(seen, TransferStage.FINAL)
    assert shop.sums(session) == {"hot": ORDER, "own": -ORDER, "there": GIFT, "paid": -GIFT}
    shop.check()


def test_a_stranger_who_pays_the_charity_beside_an_order_of_another_gives_nothing_here(shop: WalletShop) -> None:
    session = shop.order()
    seen = shop.shop.observation(ORDER, "unknown", beside={THERE: GIFT})
    shop.engine.observations.observe([seen])
    assert shop.standing(session) == ("open", "0.00", DonationStatus.PENDING)
    assert shop.sums(session) == {"hot": ORDER, "suspense": -ORDER}


def test_gifts_that_come_at_once_are_all_counted(shop: WalletShop) -> None:
    campaign = shop.add_campaign(shop.add_charity(solana_address="charity-wallet"))
    seen = []
    for _ in range(8):
        gift = NewGift(amount=parse_money("20", "USD"), form_id=shop.shop.ids.new("form"))
        attempt = shop.engine.attempts.choose(shop.engine.giving.give(campaign, gift), "sol")
        seen.append(shop.shop.observation(attempt.due.atomic, attempt.reference_key))
    with ThreadPoolExecutor(8) as racers:
        list(racers.map(lambda one: shop.engine.observations.observe([one]), seen))
    page = shop.engine.showing.campaign(campaign.id)
    assert (page.gifts, page.raised.major) == (8, "160.00")
    shop.check()


@pytest.mark.parametrize("has_address", [True, False])
def test_order_and_gift_in_one_sum_without_a_reference_pay_both(shop: WalletShop, *, has_address: bool) -> None:
    shop.match_by_exact_amount()
    session = shop.order(has_address=has_address)
    seen = shop.shop.observation(ORDER + GIFT, stage=TransferStage.CONFIRMED)
    shop.engine.observations.observe([seen])
    shop.engine.observations.observe([replace(seen, stage=TransferStage.FINAL)])
    assert shop.standing(session) == ("paid", "12.00", DonationStatus.RECEIVED)
    assert shop.sums(session) == {"hot": ORDER + GIFT, "own": -ORDER, "owed": -GIFT}
    shop.check()


def test_a_split_payment_without_a_reference_pays_shop_and_charity(shop: WalletShop) -> None:
    shop.match_by_exact_amount()
    session = shop.order()
    seen = shop.shop.observation(ORDER, stage=TransferStage.CONFIRMED, beside={THERE: GIFT})
    shop.engine.observations.observe([seen])
    assert shop.standing(session)[2] is DonationStatus.PENDING, "not before it is final"
    final = replace(seen, stage=TransferStage.FINAL)
    for _ in range(2):
        shop.engine.observations.observe([final])
        assert shop.standing(session) == ("paid", "12.00", DonationStatus.RECEIVED)
        assert shop.sums(session) == {"hot": ORDER, "own": -ORDER, "there": GIFT, "paid": -GIFT}
    shop.check()


def test_the_order_alone_without_a_reference_ships_it(shop: WalletShop) -> None:
    shop.match_by_exact_amount()
    session = shop.order()
    shop.engine.observations.observe([shop.shop.observation(ORDER)])
    assert shop.standing(session) == ("paid", "12.00", DonationStatus.PENDING)
    shop.check()


def test_a_sum_that_one_order_asks_with_its_gift_and_another_without_one_pays_nobody(shop: WalletShop) -> None:
    shop.match_by_exact_amount()
    session, other = shop.order(), shop.shop.session("13.00")
    assert shop.engine.attempts.choose(other, "sol").due == Money(ORDER + GIFT, "SOL")
    shop.engine.observations.observe([shop.shop.observation(ORDER + GIFT)])
    assert shop.standing(session)[0] == "open"
    (waiting,) = shop.engine.unmatched.page(shop.owner, PageRequest(), status="unmatched").data
    assert sorted(waiting["suggestions"]) == sorted([session.payment_id, other.payment_id])


@pytest.mark.parametrize("amount", [ORDER, ORDER + GIFT])
def test_staff_are_told_the_order_with_its_gift_and_without_it(shop: WalletShop, amount: int) -> None:
    session = shop.order()
    shop.engine.observations.observe([shop.shop.observation(amount), shop.shop.observation(GIFT)])
    nothing, waiting = shop.engine.unmatched.page(shop.owner, PageRequest(), status="unmatched").data
    assert (waiting["suggestions"], nothing["suggestions"]) == ([session.payment_id], [])


def test_a_new_choice_asks_for_a_new_attempt(shop: WalletShop) -> None:
    session = shop.order()
    first = shop.engine.checkout.page(session.token).attempt
    shop.engine.gifts.drop(session)
    session = shop.shop.reload(session.token)
    shop.engine.attempts.choose(session, "sol")
    second = shop.engine.checkout.page(session.token).attempt
    assert first is not None
    assert second is not None
    assert (first.due, second.due) == (Money(ORDER + GIFT, "SOL"), Money(ORDER, "SOL"))
    assert first.reference_key != second.reference_key
