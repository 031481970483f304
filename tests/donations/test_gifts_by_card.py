"""Gifts by card: on top of an order and to a campaign; in the books, in the events, when they go back."""

from datetime import timedelta

import pytest

from gateway.domain.donations import DonationStatus, Frequency, GiftKind
from gateway.domain.words import GiftRefund, PaymentStatus, RefundsStatus
from gateway.kernel.errors import ConflictError, ErrorCode, InvalidRequestError
from gateway.kernel.money import Money, parse_money
from tests.cards.stage import DISPUTED
from tests.donations.stage import GivingShop


def test_a_rounded_up_order_is_one_charge_and_two_owners(shop: GivingShop) -> None:
    shop.offer()
    session = shop.buy("12.30", "0.70")
    (charge,) = shop.shop.at_bank("charge")
    assert charge["amount"] == 1300
    payment = shop.shop.payment(session)
    assert (payment.status, payment.amount_received.major, payment.exceptions) == (PaymentStatus.PAID, "12.30", ())
    assert (shop.shop.posted("merchant:available"), shop.owed()) == (-1230, 70)
    donation = shop.donation(session)
    assert donation is not None
    assert (donation.status, donation.amount_received.major) == (DonationStatus.RECEIVED, "0.70")
    assert shop.shop.events("donation") == ["donation.received"]
    shop.check()


def test_the_gift_stays_given_unless_the_refund_asks_for_it(shop: GivingShop) -> None:
    shop.offer()
    session = shop.buy("12.30", "0.70")
    first = shop.shop.refund(session)
    assert (first["amount"], first["gift_amount"]) == ("12.30", "0.00")
    payment = shop.shop.payment(session)
    assert (payment.refunds, payment.amount_refunded.major) == (RefundsStatus.FULL, "12.30")
    assert (shop.shop.posted("merchant:available"), shop.owed()) == (0, 70)
    with pytest.raises(ConflictError):
        shop.shop.refund(session)
    second = shop.shop.refund(session, donation=GiftRefund.ONLY)
    assert (second["amount"], second["gift_amount"]) == ("0.70", "0.70")
    donation = shop.donation(session)
    assert donation is not None
    assert (donation.status, donation.amount_reversed.major) == (DonationStatus.REVERSED, "0.70")
    assert shop.owed() == 0
    assert shop.shop.payment(session).amount_refunded.major == "12.30", "the order's part alone"
    assert shop.shop.events("donation") == ["donation.received", "donation.refunded"]
    shop.check()


def test_a_refund_that_includes_the_gift_takes_the_order_first(shop: GivingShop) -> None:
    shop.offer()
    session = shop.buy("12.30", "0.70")
    assert shop.shop.refund(session, "2.30", donation=GiftRefund.INCLUDE)["gift_amount"] == "0.00"
    rest = shop.shop.refund(session, donation=GiftRefund.INCLUDE)
    assert (rest["amount"], rest["gift_amount"]) == ("10.70", "0.70")
    assert shop.shop.balances() == {}
    shop.check()


def test_a_refund_at_the_provider_takes_the_order_first(shop: GivingShop) -> None:
    shop.offer()
    session = shop.buy("12.30", "0.70")
    (intent,) = shop.shop.at_bank("payment_intent")
    shop.shop.refund_at_bank(intent["id"], 1250)
    shop.shop.catch_up()
    assert (shop.shop.posted("merchant:available"), shop.owed()) == (0, 50)
    donation = shop.donation(session)
    assert donation is not None
    assert donation.amount_reversed.major == "0.20"
    shop.check()


@pytest.mark.parametrize(
    ("donation", "amounts", "left"),
    [
        (GiftRefund.KEEP, ("12.30", "0.00"), (0, 70)),
        (GiftRefund.INCLUDE, ("13.00", "0.70"), (0, 0)),
        (GiftRefund.ONLY, ("0.70", "0.70"), (-1230, 0)),
    ],
)
def test_after_a_won_dispute_order_and_gift_may_go_back(
    shop: GivingShop, donation: GiftRefund, amounts: tuple[str, str], left: tuple[int, int]
) -> None:
    shop.offer()
    session = shop.buy("12.30", "0.70", number=DISPUTED)
    with pytest.raises(ConflictError) as refused:
        shop.shop.refund(session, donation=donation)
    assert refused.value.code is ErrorCode.NOTHING_TO_REFUND, "contested"
    (dispute,) = shop.shop.bank.newest("dispute", limit=1)
    shop.shop.control(f"disputes/{dispute['id']}/close", outcome="won")
    shop.shop.catch_up()
    refund = shop.shop.refund(session, donation=donation)
    assert (refund["amount"], refund["gift_amount"]) == amounts
    assert (shop.shop.posted("merchant:available"), shop.owed()) == left
    shop.check()


def test_a_lost_dispute_takes_the_gift_back(shop: GivingShop) -> None:
    shop.offer()
    session = shop.buy("12.30", "0.70", number=DISPUTED)
    (dispute,) = shop.shop.bank.newest("dispute", limit=1)
    assert shop.owed() == 70, "contested money is the provider's until it is decided"
    shop.shop.control(f"disputes/{dispute['id']}/close", outcome="lost")
    shop.shop.catch_up()
    assert (shop.shop.posted("merchant:available"), shop.owed()) == (0, 0)
    donation = shop.donation(session)
    assert donation is not None
    assert donation.status is DonationStatus.REVERSED
    shop.check()


def test_only_what_is_offered_now_can_be_chosen(shop: GivingShop) -> None:
    shop.offer()
    session = shop.shop.open("12.30")
    for kind, amount in ((GiftKind.ROUND_UP, "0.71"), (GiftKind.FIXED, "0.70"), (GiftKind.FIXED, "500")):
        with pytest.raises(InvalidRequestError) as refused:
            shop.choose(session, kind, amount)
        assert refused.value.code is ErrorCode.GIFT_NOT_OFFERED
    assert shop.shop.payment(session).gift == Money.zero("USD")


def test_a_choice_may_change_until_money_moves(shop: GivingShop) -> None:
    shop.offer()
    session = shop.choose(shop.shop.open("12.30"), GiftKind.ROUND_UP, "0.70")
    shop.shop.start(session)  # a page at the bank that asks for 13.00: it is closed
    session = shop.choose(session, GiftKind.FIXED, "2")
    shop.engine.gifts.drop(session)
    session = shop.shop.reload(session.token)
    assert (session.donation, shop.donations()) == (None, [])
    session = shop.choose(session, GiftKind.FIXED, "2")
    shop.pay(session)
    assert [one["amount"] for one in shop.shop.at_bank("charge")] == [1430]
    with pytest.raises(ConflictError) as refused:
        shop.engine.gifts.drop(shop.shop.reload(session.token))
    assert refused.value.code is ErrorCode.GIFT_NOT_CHANGEABLE
    assert shop.owed() == 200
    shop.check()


def test_a_campaigns_gift_is_owed_as_a_whole(shop: GivingShop) -> None:
    campaign = shop.add_campaign()
    session = shop.give(campaign, "25", covers_fees=True)
    assert session.amount == parse_money("26.06", "USD"), "(25.00 + 0.30) / (1 - 2.9 %), rounded up"
    shop.pay(session)
    donation = shop.donation(session)
    assert donation is not None
    assert (donation.status, donation.amount.major, donation.fee_cover.major) == ("received", "26.06", "1.06")
    assert (shop.owed(), shop.shop.posted("merchant:available")) == (2606, 0)
    refund = shop.shop.refund(session, "6.06")
    assert refund["amount"] == "6.06"
    donation = shop.donation(session)
    assert donation is not None
    assert (donation.status, donation.amount_reversed.major, shop.owed()) == ("received", "6.06", 2000)
    shop.check()


def test_a_form_that_is_sent_twice_gives_once(shop: GivingShop) -> None:
    campaign = shop.add_campaign()
    first, second = (shop.give(campaign, form_id=f"{campaign.id}-one") for _ in range(2))
    assert first.token == second.token
    assert len(shop.donations()) == 1


@pytest.mark.parametrize(
    ("more", "code"),
    [({"amount": "0.99"}, ErrorCode.AMOUNT_OUT_OF_BOUNDS), ({"amount": "1000.01"}, ErrorCode.AMOUNT_OUT_OF_BOUNDS),
     ({"frequency": Frequency.MONTHLY}, ErrorCode.PARAMETER_INVALID),
     ({"covers_fees": True}, ErrorCode.PARAMETER_INVALID)],
)  # fmt: skip
def test_a_campaign_takes_only_what_it_offers(shop: GivingShop, more: dict[str, object], code: ErrorCode) -> None:
    campaign = shop.add_campaign(frequencies=(Frequency.ONCE,), offers_fee_cover=False)
    with pytest.raises(InvalidRequestError) as refused:
        shop.give(campaign, **more)  # type: ignore[arg-type]  # a row of the table
    assert refused.value.code is code
    assert shop.donations() == []


def test_a_campaign_that_is_over_takes_nothing(shop: GivingShop) -> None:
    for ended in ("ends_at", "closed_at"):
        with pytest.raises(ConflictError) as refused:
            shop.give(shop.add_campaign(None, "USD", **{ended: shop.shop.clock.now()}))
        assert refused.value.code is ErrorCode.CAMPAIGN_CLOSED


def test_the_account_holders_own_charity_is_owed_nothing(shop: GivingShop) -> None:
    own = shop.add_charity(is_own=True)
    shop.pay(shop.give(shop.add_campaign(own)))
    assert shop.shop.posted(f"donation:charity:{own.id}:own") == -2500
    assert shop.shop.posted(f"donation:charity:{own.id}:payable") == 0
    shop.check()


def test_a_monthly_gift_is_collected_and_owed_each_month(shop: GivingShop) -> None:
    campaign = shop.add_campaign()
    session = shop.give(campaign, "10", frequency=Frequency.MONTHLY)
    shop.pay(session)
    for _ in range(2):
        shop.shop.pass_time(timedelta(days=31))
        shop.shop.catch_up()
        shop.engine.sweep()
    given = shop.donations()
    assert [one.status for one in given] == [DonationStatus.RECEIVED] * 3
    assert {one.frequency for one in given} == {Frequency.MONTHLY}
    assert len({one.payment_id for one in given}) == len({one.id for one in given}) == 3
    assert len({one.subscription_id for one in given}) == 1
    assert None not in {one.subscription_id for one in given}
    assert (shop.owed(), shop.shop.posted("merchant:available")) == (3000, 0)
    shop.check()
