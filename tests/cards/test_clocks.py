"""Whose clock says that card money is late: ours when the bank's is ahead, and the bank's when the shopper was."""

from datetime import timedelta

import pytest

from gateway.domain.words import LatePolicy, PaymentException, PaymentStatus
from tests.cards.stage import CardShop


@pytest.mark.parametrize("ahead", [timedelta(hours=1), timedelta(days=32)])
def test_a_bank_that_is_ahead_makes_no_money_late(shop: CardShop, ahead: timedelta) -> None:
    shop.bank.advance(int(ahead.total_seconds()))
    session = shop.buy()
    shop.catch_up()
    payment = shop.payment(session)
    assert (payment.status, payment.exceptions) == (PaymentStatus.PAID, ())
    shop.clock.advance(ahead * 2)  # what is read again later was still in time
    shop.refund(session)
    shop.catch_up()
    assert shop.payment(session).exceptions == ()
    shop.check()


@pytest.mark.parametrize("policy", LatePolicy)
def test_card_money_that_is_late_is_told_on_the_page(shop: CardShop, policy: LatePolicy) -> None:
    shop.engine.merchants.configure(shop.owner.merchant_id, late_policy=policy)
    shop.bank.advance(60 * 60)
    session = shop.open(minutes=45)
    shop.pay_at_bank(shop.start(session))
    shop.clock.advance(timedelta(hours=2))  # no webhook comes, and the shopper is back late
    shop.engine.checkout.returned(session.token)
    assert PaymentException.LATE in shop.payment(session).exceptions
    assert shop.engine.checkout.page(session.token).late_policy is policy
