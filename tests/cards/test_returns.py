"""Money that goes back: refunds, disputes, warnings; in the books, in the status, and at the bank."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.domain.merchants import MerchantSettings
from gateway.domain.words import DisputesStatus, PaymentException, PaymentStatus, RefundReason, RefundsStatus
from gateway.engine.paging import PageRequest
from gateway.kernel.errors import ConflictError, GatewayError, InvalidRequestError, NotFoundError
from tests.cards.stage import DISPUTED, REFUND_FAILS, REFUND_WAITS, WARNED, CardShop

RACERS = 64


def test_a_part_and_then_the_rest_go_back(shop: CardShop) -> None:
    session = shop.buy("100.00")
    first = shop.refund(session, "30.00", reason=RefundReason.REQUESTED_BY_CUSTOMER, metadata={"ticket": "7"})
    assert (first["status"], first["amount"], first["metadata"]) == ("succeeded", "30.00", {"ticket": "7"})
    payment = shop.payment(session)
    assert (payment.refunds, payment.amount_refunded.major) == (RefundsStatus.PARTIAL, "30.00")
    assert shop.refund(session)["amount"] == "70.00", "without an amount, all that is left"
    payment = shop.payment(session)
    assert (payment.status, payment.refunds) == (PaymentStatus.PAID, RefundsStatus.FULL)
    assert shop.events("payment") == ["payment.succeeded", "payment.refunded", "payment.refunded"]
    assert shop.events("refund") == ["refund.created", "refund.succeeded"] * 2
    assert shop.posted("merchant:available") == 0
    shop.catch_up()
    shop.check()


def test_more_than_is_left_is_refused_and_nothing_is_asked(shop: CardShop) -> None:
    session = shop.buy("10.00")
    shop.refund(session, "9.00")
    with pytest.raises(InvalidRequestError, match=r"At most 1\.00 USD"):
        shop.refund(session, "1.01")
    with pytest.raises(InvalidRequestError, match="received in USD"):
        shop.refund(session, "1.00", currency="EUR")
    shop.refund(session, "1.00")
    with pytest.raises(ConflictError):
        shop.refund(session, "0.01")
    assert len(shop.at_bank("refund")) == 2


def test_an_unpaid_payment_and_a_strangers_have_nothing_to_give_back(shop: CardShop) -> None:
    with pytest.raises(ConflictError):
        shop.refund(shop.open())
    stranger = shop.engine.merchants.create("Stranger", MerchantSettings())
    session = shop.buy()
    shop.owner, mine = type(shop.owner)(merchant_id=stranger.id, livemode=False), shop.owner
    with pytest.raises(NotFoundError):
        shop.refund(session)
    shop.owner = mine
    assert shop.at_bank("refund") == []


def test_a_repeated_request_is_one_refund_with_one_answer(shop: CardShop) -> None:
    session = shop.buy()
    assert shop.refund(session, "1.00", key="again") == shop.refund(session, "1.00", key="again")
    assert len(shop.at_bank("refund")) == 1


def test_64_racing_refunds_never_give_back_more_than_came(shop: CardShop) -> None:
    """Pitfall 22."""
    session = shop.buy("10.00")
    ready = threading.Barrier(RACERS)

    def race(_: int) -> str:
        ready.wait()
        try:
            return str(shop.refund(session, "0.37")["status"])
        except (GatewayError, ConflictError) as error:
            return error.code.value

    with ThreadPoolExecutor(RACERS) as pool:
        ends = list(pool.map(race, range(RACERS)))
    for _ in range(3):
        shop.clock.advance(shop.patience)
        shop.engine.sweep()
    given = sum(one["amount"] for one in shop.at_bank("refund") if one["status"] == "succeeded")
    assert given == 27 * 37, ends
    assert shop.payment(session).amount_refunded.atomic == given
    shop.catch_up()
    shop.check()


def test_a_refund_that_waits_is_pending_and_then_done(shop: CardShop) -> None:
    """Pitfall 20."""
    session = shop.buy(number=REFUND_WAITS)
    refund = shop.refund(session)
    assert refund["status"] == "pending"
    assert shop.payment(session).refunds is RefundsStatus.PENDING
    assert shop.posted("merchant:available") == -1230, "nothing has gone yet"
    shop.control(f"refunds/{refund['provider_reference']}/succeed")
    shop.catch_up()
    assert shop.payment(session).refunds is RefundsStatus.FULL
    shop.check()


def test_a_refund_that_fails_weeks_later_gives_the_money_back_to_the_merchant(shop: CardShop) -> None:
    """Pitfall 20: failed outranks succeeded, and the sum may be refunded again."""
    session = shop.buy(number=REFUND_FAILS)
    refund = shop.refund(session)
    assert refund["status"] == "succeeded"
    shop.control(f"refunds/{refund['provider_reference']}/fail")
    shop.catch_up()
    assert shop.engine.refunds.retrieve(shop.owner, refund["id"])["status"] == "failed"
    assert shop.payment(session).refunds is RefundsStatus.FAILED
    assert shop.posted("merchant:available") == -1230
    assert shop.events("refund") == ["refund.created", "refund.succeeded", "refund.failed"]
    assert shop.refund(session)["id"] != refund["id"]


def test_two_refunds_are_told_apart(shop: CardShop) -> None:
    """Pitfall 21."""
    session = shop.buy("10.00")
    ids = [shop.refund(session, "1.00")["id"] for _ in range(3)]
    shop.catch_up()
    listed = shop.engine.refunds.page(shop.owner, PageRequest(limit=10), payment_id=session.payment_id, status=None)
    assert sorted(one["id"] for one in listed.data) == sorted(ids)


def test_a_refund_that_was_made_at_the_provider_is_taken_in(shop: CardShop) -> None:
    session = shop.buy("10.00")
    (intent,) = shop.at_bank("payment_intent")
    shop.refund_at_bank(intent["id"], 400)
    shop.catch_up()
    payment = shop.payment(session)
    assert (payment.refunds, payment.amount_refunded.major) == (RefundsStatus.PARTIAL, "4.00")
    with pytest.raises(InvalidRequestError):
        shop.refund(session, "6.01")
    shop.check()


def test_a_dispute_takes_the_money_and_forbids_a_second_loss(shop: CardShop) -> None:
    """Pitfall 23."""
    session = shop.buy(number=DISPUTED)
    shop.catch_up()
    assert shop.payment(session).dispute is DisputesStatus.OPEN
    assert shop.posted("dispute:reserve") == 1230
    with pytest.raises(ConflictError):
        shop.refund(session)
    (dispute,) = shop.bank.newest("dispute", limit=1)
    shop.control(f"disputes/{dispute['id']}/close", outcome="won")
    shop.catch_up()
    assert shop.payment(session).dispute is DisputesStatus.WON
    assert shop.posted("dispute:reserve") == 0
    assert shop.events("dispute") == [
        "dispute.opened", "dispute.funds_withdrawn", "dispute.funds_reinstated", "dispute.closed",
    ]  # fmt: skip
    assert shop.posted("merchant:available") == -1230


def test_after_a_won_dispute_the_money_may_be_given_back(shop: CardShop) -> None:
    session = shop.buy(number=DISPUTED)
    shop.catch_up()
    (dispute,) = shop.bank.newest("dispute", limit=1)
    shop.control(f"disputes/{dispute['id']}/close", outcome="won")
    shop.catch_up()
    assert shop.refund(session)["amount"] == "12.30"
    payment = shop.payment(session)
    assert (payment.refunds, payment.dispute) == (RefundsStatus.FULL, DisputesStatus.WON)
    assert (shop.posted("merchant:available"), shop.posted("dispute:reserve")) == (0, 0)
    shop.check()


def test_a_lost_dispute_is_the_merchants_loss(shop: CardShop) -> None:
    session = shop.buy(number=DISPUTED)
    shop.catch_up()
    (dispute,) = shop.bank.newest("dispute", limit=1)
    shop.control(f"disputes/{dispute['id']}/close", outcome="lost")
    shop.catch_up()
    assert shop.payment(session).dispute is DisputesStatus.LOST
    assert (shop.posted("merchant:available"), shop.posted("dispute:reserve")) == (0, 0)


def test_an_early_fraud_warning_is_told_and_stays(shop: CardShop) -> None:
    session = shop.buy(number=WARNED)
    shop.catch_up()
    assert PaymentException.EARLY_FRAUD_WARNING in shop.payment(session).exceptions
    assert "payment.fraud_warning" in shop.events("payment")
    shop.engine.reading.read(shop.shown(session)["attempts"][0]["id"])
    assert PaymentException.EARLY_FRAUD_WARNING in shop.payment(session).exceptions
