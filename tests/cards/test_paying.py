"""A card payment from the page to the books, with every outcome that a shopper can meet."""

from datetime import timedelta

import pytest

from gateway.domain.words import AttemptStage, PaymentStatus, SessionStatus
from gateway.engine.records import SessionRecord
from gateway.kernel.errors import ConflictError, DeclinedError
from tests.cards.stage import CAPTURED_ONCE, CHALLENGED, DECLINED, CardShop

P = PaymentStatus


def test_a_card_payment_is_paid_once_the_shopper_is_back(shop: CardShop) -> None:
    session = shop.buy()
    payment = shop.payment(session)
    assert (payment.status, payment.amount_received.major) == (P.PAID, "12.30")
    assert shop.reload(session.token).status is SessionStatus.COMPLETE
    (charge,) = shop.shown(session)["charges"]
    assert charge["instrument"] == {"type": "card", "brand": "visa", "last4": "4242", "country": "US"}
    assert shop.events("checkout") == ["checkout.session.created", "checkout.session.completed"]
    assert shop.events("payment") == ["payment.succeeded"]
    assert shop.posted("merchant:available") == -1230
    shop.check()


def test_webhook_and_return_page_settle_once_whoever_comes_first(shop: CardShop) -> None:
    """Pitfalls 1 and 6."""
    session = shop.open()
    shop.pay_at_bank(shop.start(session))
    news = shop.post_from_bank()
    shop.deliver(news)
    shop.engine.checkout.returned(session.token)
    shop.deliver([*news, *reversed(news)])
    assert shop.events("payment") == ["payment.succeeded"]
    assert shop.payment(session).status is P.PAID
    shop.check()


def test_a_declined_card_leaves_the_session_open_and_the_next_try_pays_it(shop: CardShop) -> None:
    """Pitfall 11: the second try is not blocked by the key of the first."""
    session = shop.open()
    page = shop.start(session)
    assert shop.pay_at_bank(page, DECLINED).kind == "declined"
    shop.catch_up()
    seen = shop.engine.checkout.page(session.token)
    assert seen.payment_status is P.OPEN
    assert seen.hosted is not None
    assert seen.hosted.failure_code is not None
    assert shop.start(session) == page, "the provider's page is still the same"
    assert shop.pay_at_bank(page).kind == "paid"
    shop.catch_up()
    assert shop.payment(session).status is P.PAID
    assert len(shop.at_bank("checkout.session")) == 1


def test_an_abandoned_challenge_is_no_payment_and_no_end(shop: CardShop) -> None:
    session = shop.open()
    page = shop.start(session)
    asked = shop.pay_at_bank(page, CHALLENGED)
    assert asked.kind == "challenge"
    shop.engine.checkout.returned(session.token)
    assert shop.payment(session).status in {P.OPEN, P.REQUIRES_ACTION}
    assert shop.pay_at_bank(page).kind == "paid"
    shop.catch_up()
    assert shop.payment(session).status is P.PAID


@pytest.mark.parametrize(("outcome", "end"), [("succeed", P.PAID), ("fail", P.OPEN)])
def test_completed_but_unpaid_is_processing_and_never_the_end(shop: CardShop, outcome: str, end: PaymentStatus) -> None:
    """Pitfalls 2 and 3: a bank debit is complete at once and paid, or not, days later."""
    session = shop.open("12.30", "EUR", minutes=24 * 60)
    shop.bank.pay_by_bank(shop.start(session), outcome=outcome)
    shop.catch_up()
    assert shop.payment(session).status is P.PROCESSING
    assert shop.reload(session.token).status is SessionStatus.OPEN
    shop.engine.sweep()
    assert shop.payment(session).status is P.PROCESSING
    shop.control("settle_delayed")
    shop.catch_up()
    assert shop.payment(session).status is end
    told = ["payment.processing", "payment.succeeded" if end is P.PAID else "payment.failed"]
    assert shop.events("payment") == told
    if end is P.OPEN:
        shop.pay_at_bank(shop.start(session))
        shop.catch_up()
        assert shop.payment(session).status is P.PAID, "another try may pay it"
    shop.check()


def test_a_page_that_the_shopper_left_open_is_closed_with_the_session(shop: CardShop) -> None:
    """Pitfalls 15 and 16: nobody can pay an order that is over."""
    session = shop.open(minutes=40)
    page = shop.start(session)
    shop.pass_time(timedelta(minutes=42))
    shop.engine.sweep()
    assert shop.payment(session).status is P.EXPIRED
    assert shop.bank.checkout_session(page)["status"] == "expired"
    assert shop.pay_at_bank(page).kind == "closed"


def test_money_that_came_while_the_page_was_being_closed_is_kept_and_counts(shop: CardShop) -> None:
    """Pitfall 16: closing a page races with the shopper; the provider decides, and reading it says how."""
    session = shop.open(minutes=40)
    shop.pay_at_bank(shop.start(session))
    shop.pass_time(timedelta(minutes=42))
    shop.engine.sweep()
    assert shop.payment(session).status is P.PAID
    shop.check()


def test_calling_a_session_off_closes_the_providers_page_first(shop: CardShop) -> None:
    session = shop.open()
    page = shop.start(session)
    shop.engine.sessions.expire(shop.intent(), session.id)
    assert shop.bank.checkout_session(page)["status"] == "expired"
    assert shop.payment(session).status is P.CANCELED
    paid = shop.open()
    shop.pay_at_bank(shop.start(paid))
    with pytest.raises(ConflictError):
        shop.engine.sessions.expire(shop.intent(), paid.id)
    assert shop.payment(paid).status is P.PAID, "the refusal has noticed the money"


def test_a_silent_page_is_read_by_the_sweep(shop: CardShop) -> None:
    """Pitfall 4: the webhook is lost and the shopper never comes back."""
    session = shop.open()
    shop.pay_at_bank(shop.start(session))
    shop.engine.sweep()
    assert shop.payment(session).status is P.OPEN
    shop.pass_time(timedelta(minutes=16))
    shop.engine.sweep()
    assert shop.payment(session).status is P.PAID


def test_every_click_leads_to_the_same_page(shop: CardShop) -> None:
    session = shop.open()
    assert len({shop.start(session) for _ in range(5)}) == 1
    (attempt,) = shop.shown(session)["attempts"]
    assert attempt["stage"] == AttemptStage.OPEN
    assert len(shop.at_bank("checkout.session")) == 1


def test_a_hold_is_taken_in_parts_and_the_rest_is_let_go(shop: CardShop) -> None:
    """Pitfall 19."""
    session = shop.hold("100.00")
    assert (shop.payment(session).status, shop.payment(session).amount_capturable.major) == (P.AUTHORIZED, "100.00")
    assert shop.balances()["psp:stripe:clearing", "USD"] == (0, 10_000), "held is not had"
    shop.engine.charges.capture(shop.intent(), session.payment_id, amount="30.00", is_final=True)
    payment = shop.payment(session)
    assert (payment.status, payment.amount_received.major, payment.amount_capturable.major) == (P.PAID, "30.00", "0.00")
    with pytest.raises(ConflictError, match="holds no money"):
        shop.engine.charges.capture(shop.intent(), session.payment_id, amount="1.00", is_final=True)
    assert shop.events("payment") == ["payment.authorized", "payment.captured", "payment.succeeded"]
    shop.check()


def sums(shop: CardShop, session: SessionRecord) -> tuple[PaymentStatus, str, str]:
    """Return a payment's status, what was received, and what may still be captured."""
    payment = shop.payment(session)
    return payment.status, payment.amount_received.major, payment.amount_capturable.major


def test_a_hold_is_taken_in_parts_and_the_rest_waits(shop: CardShop) -> None:
    """Pitfall 19: the rest is kept only when that is asked for."""
    session = shop.hold("100.00")
    shop.engine.charges.capture(shop.intent(), session.payment_id, amount="30.00", is_final=False)
    assert sums(shop, session) == (P.AUTHORIZED, "30.00", "70.00")
    assert shop.events("payment") == ["payment.authorized", "payment.captured"]
    assert shop.balances()["psp:stripe:clearing", "USD"] == (3_000, 7_000), "a part is had, the rest is held"
    shop.check()
    shop.catch_up()
    shop.refund(session, "5.00")
    assert sums(shop, session)[0] is P.AUTHORIZED, "the part can be given back while the rest waits"
    shop.engine.charges.capture(shop.intent(), session.payment_id, amount="20.00", is_final=True)
    assert sums(shop, session) == (P.PAID, "50.00", "0.00")
    assert shop.events("payment")[-2:] == ["payment.captured", "payment.succeeded"]
    shop.pass_time(timedelta(seconds=2))
    shop.catch_up()
    assert shop.posted("expense:psp_fee") == (87 + 30) + (58 + 30), "each capture has its fee"
    shop.check()


@pytest.mark.parametrize("lapses", [False, True])
def test_letting_the_rest_go_leaves_the_part_that_was_taken(shop: CardShop, *, lapses: bool) -> None:
    session = shop.hold("100.00")
    shop.engine.charges.capture(shop.intent(), session.payment_id, amount="30.00", is_final=False)
    if lapses:
        shop.pass_time(timedelta(days=8))
    else:
        shop.engine.charges.cancel(shop.intent(), session.payment_id)
    shop.catch_up()
    assert sums(shop, session) == (P.PAID, "30.00", "0.00")
    assert shop.events("payment") == ["payment.authorized", "payment.captured", "payment.succeeded"]
    shop.check()


def test_a_card_that_is_captured_once_keeps_its_hold(shop: CardShop) -> None:
    session = shop.hold("100.00", number=CAPTURED_ONCE)
    with pytest.raises(DeclinedError):
        shop.engine.charges.capture(shop.intent(), session.payment_id, amount="30.00", is_final=False)
    assert sums(shop, session) == (P.AUTHORIZED, "0.00", "100.00")
    shop.engine.charges.capture(shop.intent(), session.payment_id, amount="30.00", is_final=True)
    assert sums(shop, session) == (P.PAID, "30.00", "0.00")
    shop.check()


def test_a_released_hold_leaves_nothing(shop: CardShop) -> None:
    session = shop.hold()
    shop.engine.charges.cancel(shop.intent(), session.payment_id)
    assert shop.payment(session).amount_capturable.atomic == 0
    assert shop.balances() == {}
    assert shop.payment(session).status is P.CANCELED
    assert shop.events("payment") == ["payment.authorized", "payment.canceled"]


def test_a_hold_that_lapses_is_noticed(shop: CardShop) -> None:
    session = shop.hold()
    shop.pass_time(timedelta(days=8))
    shop.catch_up()
    assert (shop.payment(session).status, shop.payment(session).amount_capturable.atomic) == (P.CANCELED, 0)
    assert shop.balances() == {}
