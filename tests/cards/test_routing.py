"""Two accounts at two banks: failover when nothing happened for certain, and never while an outcome is unknown."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from gateway.domain.words import PaymentStatus
from gateway.kernel.errors import ConflictError, UnknownOutcomeError
from sandbox.test_bank import control
from sandbox.test_bank.server import RunningBank
from tests.cards.stage import CardShop, a_bank, a_card_shop

PAGES = "POST /v1/checkout/sessions"


@contextmanager
def two_accounts(url: str, first: RunningBank, second: RunningBank) -> Iterator[CardShop]:
    account = {
        "name": "stripe_eu", "key": "sk_test_second", "webhook_secrets": ["whsec_second"], "base_url": second.url,
    }  # fmt: skip
    routes = [{"processors": ["stripe_eu", "stripe"], "currencies": ["EUR"]}]
    more = {"STREAMPAY_STRIPE_ACCOUNTS": json.dumps([account]), "STREAMPAY_ROUTES": json.dumps(routes)}
    with a_card_shop(url, first, more) as shop:
        yield shop


@pytest.fixture
def second() -> Iterator[RunningBank]:
    with a_bank() as running:
        yield running


@pytest.fixture
def routed(migrated_url: str, bank: RunningBank, second: RunningBank) -> Iterator[CardShop]:
    with two_accounts(migrated_url, bank, second) as shop:
        yield shop


def where(shop: CardShop, url: str) -> str:
    return "first" if url.startswith(shop.bank_url) else "second"


def test_a_route_chooses_the_account(routed: CardShop) -> None:
    in_euros, in_dollars = routed.open("10.00", "EUR"), routed.open("10.00", "USD")
    assert where(routed, routed.engine.checkout.redirect(in_euros.token, "card")) == "second"
    assert where(routed, routed.engine.checkout.redirect(in_dollars.token, "card")) == "first"
    offered = [one.id for one in routed.engine.checkout.page(in_euros.token).methods]
    assert offered.count("card") == 1, "the shopper sees one card, whoever takes it"


def test_the_next_account_is_tried_when_the_first_certainly_did_nothing(routed: CardShop, second: RunningBank) -> None:
    session = routed.open("10.00", "EUR")
    second.close()
    assert where(routed, routed.engine.checkout.redirect(session.token, "card")) == "first"
    stages = {one["processor"]: one["stage"] for one in routed.shown(session)["attempts"]}
    assert stages == {"stripe_eu": "refused", "stripe": "open"}


def test_nobody_else_is_tried_while_an_outcome_is_unknown(routed: CardShop, second: RunningBank) -> None:
    session = routed.open("10.00", "EUR")
    fault(second, "drop_before", 2)
    with pytest.raises(UnknownOutcomeError):
        routed.engine.checkout.redirect(session.token, "card")
    fault(second, "drop_before", 2)
    with pytest.raises((UnknownOutcomeError, ConflictError)):
        routed.engine.checkout.redirect(session.token, "card")
    assert routed.at_bank("checkout.session") == [], "the first bank was never asked"
    for _ in range(2):
        routed.clock.advance(routed.patience)
        routed.engine.sweep()
    assert where(routed, routed.engine.checkout.redirect(session.token, "card")) == "second"
    assert routed.payment(session).status is PaymentStatus.OPEN


def fault(bank: RunningBank, kind: str, times: int) -> None:
    control.command(bank.bank, "faults", {"kind": kind, "on": PAGES, "times": times})


def test_an_account_that_was_taken_out_keeps_nobody_waiting(migrated_url: str, routed: CardShop) -> None:
    session = routed.open("10.00", "EUR", minutes=40)
    routed.engine.checkout.redirect(session.token, "card")
    with a_bank() as other, a_card_shop(migrated_url, other) as shop:
        mine = shop.open(minutes=40)
        page = shop.start(mine)
        assert shop.engine.checkout.page(session.token).hosted is not None, "its page is still shown"
        shop.pass_time(timedelta(minutes=42))
        shop.engine.sweep()
        assert shop.bank.checkout_session(page)["status"] == "expired"
        assert shop.payment(mine).status is PaymentStatus.EXPIRED
    assert routed.payment(session).status is PaymentStatus.OPEN, "it waits until its account is back"
