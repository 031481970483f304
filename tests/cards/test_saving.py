"""Sessions of mode setup: a card is saved with the customer, and no money is ever spoken of."""

from datetime import timedelta
from typing import Any

import pytest
import requests
from sqlalchemy import func, select

from gateway.domain.words import AttemptStage, SessionMode, SessionStatus
from gateway.engine.records import SessionRecord, load_attempts
from gateway.engine.sessions import NewSession
from gateway.kernel.errors import ConflictError, InvalidRequestError, NotFoundError
from gateway.kernel.money import Money
from gateway.storage import schema
from tests.cards.stage import CHALLENGED, DECLINED, GOOD, CardShop, field


def opened(shop: CardShop, **over: Any) -> SessionRecord:
    """Return a session that only saves a card."""
    asked: dict[str, Any] = {
        "amount": Money.zero("EUR"), "reference": "member-7", "success_url": "https://shop.example/ok",
        "cancel_url": None, "customer_email": "jo@example.com", "locale": None, "line_items": [], "methods": None,
        "expires_in": timedelta(hours=1), "metadata": {}, "mode": SessionMode.SETUP,
    }  # fmt: skip
    reply = shop.engine.sessions.create(shop.intent(), NewSession(**(asked | over)))
    return shop.reload(field(reply, "url").rsplit("/", 1)[1])


def saved(shop: CardShop, **over: Any) -> dict[str, Any]:
    """Return a session on whose page a card was saved, as the API shows it."""
    session = opened(shop, **over)
    shop.pay_at_bank(shop.start(session))
    shop.engine.checkout.returned(session.token)
    return shop.engine.sessions.retrieve(shop.owner, session.id)


def count(shop: CardShop, table: Any) -> int:
    query = select(func.count()).select_from(table).where(table.c.merchant_id == shop.owner.merchant_id)
    return shop.db.read(lambda tx: int(tx.execute(query).scalar_one()))


def test_a_saved_card_belongs_to_a_customer_and_nothing_is_charged(shop: CardShop) -> None:
    found = saved(shop)
    assert (found["status"], found["payment_status"], found["payment"]) == ("complete", "no_payment_required", None)
    assert (found["amount"], found["currency"]) == ("0.00", "EUR")
    method = found["saved_method"]
    (setup,) = [
        one for one in shop.bank.newest("setup_intent", limit=100) if one["payment_method"] == method["reference"]
    ]
    assert setup["customer"] == method["customer_reference"]
    assert method["network"] == "stripe:test"
    assert method["instrument"] == {"type": "card", "brand": "visa", "last4": "4242", "country": "US"}
    customer = shop.engine.customers.retrieve(shop.owner, found["customer"])
    assert customer["email"] == "jo@example.com"
    assert shop.at_bank("charge") == []
    assert shop.balances() == {}


def test_only_the_session_is_told_of(shop: CardShop) -> None:
    saved(shop)
    assert shop.events() == ["checkout.session.created", "checkout.session.completed"]


@pytest.mark.parametrize("times", [1, 3])
def test_the_webhook_alone_completes_it_however_often_it_comes(shop: CardShop, times: int) -> None:
    session = opened(shop)
    shop.pay_at_bank(shop.start(session))
    told = shop.post_from_bank()
    shop.deliver(list(reversed(told)) * times)
    assert shop.reload(session.token).status is SessionStatus.COMPLETE
    assert shop.events("checkout.session.completed") == ["checkout.session.completed"]
    assert count(shop, schema.customer) == 1


def test_the_sweep_completes_it_when_nobody_tells(shop: CardShop) -> None:
    session = opened(shop)
    shop.pay_at_bank(shop.start(session))
    shop.pass_time(timedelta(minutes=16))
    shop.engine.sweep()
    assert shop.reload(session.token).status is SessionStatus.COMPLETE


def test_a_known_customer_is_named_to_the_provider_and_stays_one(shop: CardShop) -> None:
    first = saved(shop)
    second = saved(shop, reference="member-7-again", customer_id=first["customer"])
    assert second["customer"] == first["customer"]
    assert second["saved_method"]["customer_reference"] == first["saved_method"]["customer_reference"]
    assert second["saved_method"]["reference"] != first["saved_method"]["reference"]
    assert count(shop, schema.customer) == 1


def test_a_refused_card_saves_nothing_and_the_next_one_may(shop: CardShop) -> None:
    session = opened(shop)
    page = shop.start(session)
    shop.pay_at_bank(page, DECLINED)
    shop.engine.checkout.returned(session.token)
    assert shop.reload(session.token).status is SessionStatus.OPEN
    assert shop.start(session) == page
    shop.pay_at_bank(page, GOOD)
    shop.engine.checkout.returned(session.token)
    found = shop.reload(session.token)
    assert found.saved_method is not None
    assert found.saved_method["instrument"]["last4"] == "4242"


def test_an_unanswered_challenge_saves_nothing(shop: CardShop) -> None:
    session = opened(shop)
    shop.pay_at_bank(shop.start(session), CHALLENGED)
    shop.engine.checkout.returned(session.token)
    found = shop.reload(session.token)
    assert (found.status, found.saved_method, found.customer_id) == (SessionStatus.OPEN, None, None)


def test_a_lost_answer_opens_one_page(shop: CardShop) -> None:
    session = opened(shop)
    shop.fault("drop_after", "POST /v1/checkout/sessions")
    page = shop.start(session)
    assert [one["id"] for one in shop.bank.newest("checkout.session", limit=100) if one["mode"] == "setup"] == [page]


def test_its_end_is_told_as_its_own_and_not_as_a_payments(shop: CardShop) -> None:
    session = opened(shop)
    shop.start(session)
    shop.pass_time(timedelta(hours=2))
    shop.engine.sweep()
    shop.engine.close_windows()
    assert shop.reload(session.token).status is SessionStatus.EXPIRED
    assert shop.events() == ["checkout.session.created", "checkout.session.expired"]


def test_calling_it_off_closes_the_providers_page(shop: CardShop) -> None:
    session = opened(shop)
    shop.start(session)
    shop.engine.checkout.cancel(session.token)
    (attempt,) = shop.db.read(lambda tx: load_attempts(tx, session.payment_id))
    assert attempt.stage is AttemptStage.EXPIRED
    assert shop.events() == ["checkout.session.created", "checkout.session.expired"]


def test_what_is_done_cannot_be_begun_extended_or_called_off_again(shop: CardShop) -> None:
    session = opened(shop)
    shop.pay_at_bank(shop.start(session))
    shop.engine.checkout.returned(session.token)
    assert shop.engine.checkout.page(session.token).methods == ()
    for verb in (
        lambda: shop.start(session),
        lambda: shop.engine.checkout.extend(session.token),
        lambda: shop.engine.checkout.cancel(session.token),
    ):
        with pytest.raises((ConflictError, InvalidRequestError)):
            verb()
    shop.pass_time(timedelta(days=2))
    shop.engine.sweep()
    shop.engine.close_windows()
    assert shop.reload(session.token).status is SessionStatus.COMPLETE


def test_there_is_no_payment_to_be_found(shop: CardShop) -> None:
    session = opened(shop)
    with pytest.raises(NotFoundError):
        shop.engine.payments.retrieve(shop.owner, session.payment_id)
    with pytest.raises(NotFoundError):
        shop.refund(session, "1.00")


def test_only_cards_are_offered_and_none_is_too_small(shop: CardShop) -> None:
    for currency in ("EUR", "KWD", "JPY"):
        page = shop.engine.checkout.page(opened(shop, amount=Money.zero(currency), reference=currency).token)
        assert [(method.id, method.available) for method in page.methods] == [("card", True)]
    nothing = opened(shop, methods=["sol"], reference="by wallet")
    assert shop.engine.checkout.page(nothing.token).methods == ()
    with pytest.raises(InvalidRequestError):
        shop.start(nothing)


def test_an_erased_customer_takes_the_saved_card_along(shop: CardShop) -> None:
    found = saved(shop)
    shop.engine.customers.delete(shop.owner, found["customer"])
    assert shop.engine.sessions.retrieve(shop.owner, found["id"])["saved_method"] is None
    url = f"{shop.bank_url}/v1/customers/{found['saved_method']['customer_reference']}"
    assert requests.get(url, auth=("sk_test_stage", ""), timeout=20).json()["deleted"] is True
