"""Lives of card payments: what shopper, merchant and bank do to one payment, act by act.

A life yields its session after every act, which is when the bank's post may come: late, twice, in any order, or not
yet. Acts of the merchant need what the gateway knows by then; the shopper's return, which reads, tells it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from gateway.domain.words import CaptureMethod, PaymentStatus
from gateway.engine.records import SessionRecord
from tests.cards.stage import CHALLENGED, DECLINED, DISPUTED, REFUND_FAILS, REFUND_WAITS, WARNED, CardShop

P = PaymentStatus
Acts = Callable[[CardShop], Iterator[SessionRecord]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """One life, and where it ends: the payment's status, and what the merchant has of it in cents."""

    acts: Acts
    status: PaymentStatus
    credited: int

    @property
    def name(self) -> str:
        """How it is called."""
        return self.acts.__name__


def bought(shop: CardShop) -> Iterator[SessionRecord]:
    session = shop.open("12.30")
    page = shop.start(session)
    yield session
    shop.pay_at_bank(page)
    yield session


def declined_and_tried_again(shop: CardShop) -> Iterator[SessionRecord]:
    session = shop.open("12.30")
    page = shop.start(session)
    for number in (DECLINED, DECLINED):
        shop.pay_at_bank(page, number)
        yield session
    shop.pay_at_bank(page)
    yield session


def challenged_twice(shop: CardShop) -> Iterator[SessionRecord]:
    session = shop.open("12.30")
    page = shop.start(session)
    for is_passed in (False, True):
        asked = shop.pay_at_bank(page, CHALLENGED)
        yield session
        assert asked.redirect_url is not None, "a challenge has an address"
        shop.bank.answer_challenge(asked.redirect_url.rsplit("/", 1)[1], passed=is_passed)
        yield session


def called_off(shop: CardShop) -> Iterator[SessionRecord]:
    session = shop.open("12.30")
    shop.pay_at_bank(shop.start(session), DECLINED)
    yield session
    shop.engine.sessions.expire(shop.intent(), session.id)
    yield session


def held_and_taken_in_part(shop: CardShop) -> Iterator[SessionRecord]:
    session = shop.open("100.00", capture=CaptureMethod.MANUAL)
    shop.pay_at_bank(shop.start(session))
    yield session
    shop.engine.checkout.returned(session.token)
    shop.engine.charges.capture(shop.intent(), session.payment_id, amount="30.00", is_final=True)
    yield session
    shop.refund(session, "10.00")
    yield session


def held_and_let_go(shop: CardShop) -> Iterator[SessionRecord]:
    session = shop.open("100.00", capture=CaptureMethod.MANUAL)
    shop.pay_at_bank(shop.start(session))
    yield session
    shop.engine.checkout.returned(session.token)
    shop.engine.charges.cancel(shop.intent(), session.payment_id)
    yield session


def refunded_and_one_failed_later(shop: CardShop) -> Iterator[SessionRecord]:
    session = shop.buy("100.00")
    yield session
    first = shop.refund(session, "30.00")
    yield session
    shop.refund(session, "40.00")
    yield session
    shop.control(f"refunds/{first['provider_reference']}/fail")
    yield session
    shop.refund(session, "20.00")
    yield session


def refunded_in_full_and_failed(shop: CardShop) -> Iterator[SessionRecord]:
    session = shop.buy("12.30", number=REFUND_FAILS)
    yield session
    refund = shop.refund(session)
    yield session
    shop.control(f"refunds/{refund['provider_reference']}/fail")
    yield session


def refunded_after_a_wait(shop: CardShop) -> Iterator[SessionRecord]:
    session = shop.buy("12.30", number=REFUND_WAITS)
    yield session
    refund = shop.refund(session, "2.30")
    yield session
    shop.control(f"refunds/{refund['provider_reference']}/succeed")
    yield session


def refunded_at_the_bank(shop: CardShop) -> Iterator[SessionRecord]:
    session = shop.buy("12.30")
    yield session
    shop.refund_at_bank(charge_of(shop, session)["payment_intent"], 200)
    yield session
    shop.refund(session, "0.30")
    yield session


def disputed_and_won(shop: CardShop) -> Iterator[SessionRecord]:
    yield from _disputed(shop, "won")


def disputed_and_lost(shop: CardShop) -> Iterator[SessionRecord]:
    yield from _disputed(shop, "lost")


def asked_about(shop: CardShop) -> Iterator[SessionRecord]:
    session = shop.buy("12.30")
    yield session
    inquiry = shop.control("disputes", charge=charge_of(shop, session)["id"], kind="inquiry")
    yield session
    shop.control(f"disputes/{inquiry['id']}/close", outcome="won")
    yield session


def warned_of(shop: CardShop) -> Iterator[SessionRecord]:
    session = shop.open("12.30")
    shop.pay_at_bank(shop.start(session), WARNED)
    yield session


def paid_days_later(shop: CardShop) -> Iterator[SessionRecord]:
    session = shop.open("12.30")
    shop.bank.pay_by_bank(shop.start(session), outcome="succeed")
    yield session
    shop.control("settle_delayed")
    yield session


def failed_days_later_and_paid_by_card(shop: CardShop) -> Iterator[SessionRecord]:
    session = shop.open("12.30")
    shop.bank.pay_by_bank(shop.start(session), outcome="fail")
    yield session
    shop.control("settle_delayed")
    yield session
    shop.engine.checkout.returned(session.token)
    shop.pay_at_bank(shop.start(session))
    yield session


def _disputed(shop: CardShop, outcome: str) -> Iterator[SessionRecord]:
    session = shop.open("12.30")
    shop.pay_at_bank(shop.start(session), DISPUTED)
    yield session
    dispute = charge_of(shop, session)["dispute"]
    shop.control(f"disputes/{dispute}/close", outcome=outcome)
    yield session


def charge_of(shop: CardShop, session: SessionRecord) -> dict[str, Any]:
    """Return the bank's one charge of a session that took money, with the id of its dispute."""
    (charge,) = (
        one for one in shop.bank.newest("charge", limit=100)
        if one["metadata"].get("sp_payment") == session.payment_id and one["status"] == "succeeded"
    )  # fmt: skip
    dispute = next((one for one in shop.bank.newest("dispute", limit=100) if one["charge"] == charge["id"]), None)
    return charge | {"dispute": dispute and dispute["id"]}


LIVES = (
    Life(acts=bought, status=P.PAID, credited=1230),
    Life(acts=declined_and_tried_again, status=P.PAID, credited=1230),
    Life(acts=challenged_twice, status=P.PAID, credited=1230),
    Life(acts=called_off, status=P.CANCELED, credited=0),
    Life(acts=held_and_taken_in_part, status=P.PAID, credited=2000),
    Life(acts=held_and_let_go, status=P.CANCELED, credited=0),
    Life(acts=refunded_and_one_failed_later, status=P.PAID, credited=4000),
    Life(acts=refunded_in_full_and_failed, status=P.PAID, credited=1230),
    Life(acts=refunded_after_a_wait, status=P.PAID, credited=1000),
    Life(acts=refunded_at_the_bank, status=P.PAID, credited=1000),
    Life(acts=disputed_and_won, status=P.PAID, credited=1230),
    Life(acts=disputed_and_lost, status=P.PAID, credited=0),
    Life(acts=asked_about, status=P.PAID, credited=1230),
    Life(acts=warned_of, status=P.PAID, credited=1230),
    Life(acts=paid_days_later, status=P.PAID, credited=1230),
    Life(acts=failed_days_later_and_paid_by_card, status=P.PAID, credited=1230),
)
