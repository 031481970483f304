"""Time and money: what an extension moves, and what a session that is over may still hold."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.domain.merchants import MerchantSettings
from gateway.domain.words import LatePolicy, TransferStage
from gateway.engine.records import SessionRecord
from gateway.storage.database import Database
from tests.engine.paper import START, Shop, a_session, reply_field


def a_long_session(shop: Shop) -> SessionRecord:
    """Return a session that is open for a week."""
    week = replace(a_session("10.00", "USD", f"week of {shop.merchant.id}"), expires_in=timedelta(days=7))
    reply = shop.engine.sessions.create(shop.intent(), week)
    return shop.reload(reply_field(reply, "url").rsplit("/", 1)[1])


def test_an_extension_does_not_keep_a_rate_for_a_week(shop: Shop) -> None:
    session = a_long_session(shop)
    quoted = shop.engine.attempts.choose(session, "sol")
    shop.engine.sessions.extend(session)
    assert shop.engine.attempts.choose(shop.reload(session.token), "sol").expires_at == quoted.expires_at
    shop.clock.advance(timedelta(hours=1))
    shop.rates.prices["SOL", "USD"] = (100, 1)
    assert shop.engine.attempts.choose(shop.reload(session.token), "sol").due.major == "0.100000000"


def test_a_rate_that_would_have_ended_with_the_session_goes_along(shop: Shop) -> None:
    session = shop.session("10.00")
    quoted = shop.engine.attempts.choose(session, "sol")
    shop.engine.sessions.extend(session)
    again = shop.engine.attempts.choose(shop.reload(session.token), "sol")
    assert (again.id, again.expires_at) == (quoted.id, quoted.expires_at + timedelta(minutes=15))


def test_a_session_extended_hours_after_its_end_gets_no_old_rate_back(shop: Shop) -> None:
    session = shop.session("10.00")
    quoted = shop.engine.attempts.choose(session, "sol")
    shop.clock.advance(timedelta(hours=5))  # the chain's node was away, so the window could not close
    shop.engine.sessions.extend(session)
    again = shop.engine.attempts.choose(shop.reload(session.token), "sol")
    assert again.id != quoted.id
    assert again.expires_at == shop.clock.now() + timedelta(minutes=15)


def test_an_extension_makes_late_money_count_at_once(db: Database) -> None:
    shop = Shop(db, settings=MerchantSettings(late_policy=LatePolicy.REFUND))
    session = shop.session("5.000000", "USDC")
    attempt = shop.engine.attempts.choose(session, "usdc")
    shop.clock.advance(timedelta(minutes=33))
    shop.engine.observations.observe([shop.observation(attempt.due.atomic, attempt.reference_key, asset="USDC")])
    assert (shop.payment(session)["status"], shop.payment(session)["exceptions"]) == ("open", ["late"])
    shop.engine.sessions.extend(session)
    assert (shop.payment(session)["status"], shop.payment(session)["exceptions"]) == ("paid", [])
    assert shop.books()["merchant:available", "USDC"] == ("-5.000000", "0.000000")
    assert "payment.succeeded" in shop.event_types()


def test_an_order_whose_session_is_over_gets_a_new_one_although_the_scanner_stands_still(shop: Shop) -> None:
    first = shop.open("10.00", reference=f"again {shop.merchant.id}")
    shop.clock.advance(timedelta(minutes=32))
    second = shop.open("10.00", reference=f"again {shop.merchant.id}")
    assert (second.status_code, reply_field(second, "id") != reply_field(first, "id")) == (201, True)
    third = shop.open("10.00", reference=f"again {shop.merchant.id}")
    assert reply_field(third, "id") == reply_field(second, "id")


def test_an_order_whose_money_is_confirming_keeps_its_session_whatever_the_time(shop: Shop) -> None:
    reference = f"confirming {shop.merchant.id}"
    first = shop.reload(reply_field(shop.open("10.00", reference=reference), "url").rsplit("/", 1)[1])
    attempt = shop.engine.attempts.choose(first, "sol")
    seen = shop.observation(attempt.due.atomic, attempt.reference_key, stage=TransferStage.CONFIRMED)
    shop.engine.observations.observe([seen])
    shop.clock.advance(timedelta(minutes=32))
    assert reply_field(shop.open("10.00", reference=reference), "id") == first.id


@pytest.mark.parametrize("is_money_seen", [True, False])
def test_a_session_that_lost_its_place_still_ends_as_it_should(shop: Shop, *, is_money_seen: bool) -> None:
    reference = f"ends {shop.merchant.id}"
    first = shop.reload(reply_field(shop.open("10.00", reference=reference), "url").rsplit("/", 1)[1])
    attempt = shop.engine.attempts.choose(first, "sol")
    shop.clock.advance(timedelta(minutes=32))
    shop.open("10.00", reference=reference)
    if is_money_seen:
        in_time = START + timedelta(minutes=29)
        paid = shop.observation(attempt.due.atomic, attempt.reference_key, occurred_at=in_time)
        shop.engine.observations.observe([paid])
    shop.pass_time(minutes=5)
    shop.engine.sweep()
    assert shop.payment(first)["status"] == ("paid" if is_money_seen else "expired")
