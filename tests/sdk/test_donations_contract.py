"""The real SDK against the real server: charities, campaigns, offers, donations, payouts, statements."""

import itertools
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

import streampay
from gateway.domain.donations import GiftKind
from gateway.kernel.money import parse_money
from hosted_checkout.app import create_app
from streampay import StreamPay, models
from tests.api.live import serving
from tests.cards.stage import CardShop
from tests.sdk.blocking import KINDS, a_client

_numbers = itertools.count(1)


@pytest.fixture(scope="module", params=KINDS)
def client(request: pytest.FixtureRequest, cards: CardShop) -> Iterator[StreamPay]:
    """Return a client of its gateway, a sync one and then an async one."""
    key = cards.engine.merchants.create_key(cards.owner.merchant_id, livemode=False)
    with serving(create_app(cards.house)) as url, a_client(request.param, key, base_url=url) as found:
        yield found


@pytest.fixture
def charity(client: StreamPay) -> models.Charity:
    """Return a charity of this test's own."""
    return client.charities.create(name="River Fund", legal_name="River Fund e.V.", receipt_prefix="RF", country="DE")


def rounded_up(client: StreamPay, cards: CardShop, charity: models.Charity) -> models.CheckoutSession:
    """Round an order of 12.30 up by 0.70, pay it by card and come back."""
    cards.pass_time(timedelta(seconds=1))  # so that this config is the newest
    config = client.donation_configs.create(
        charity=charity.id, currency="USD", mode="round_up", unit="1", cap="5", disclosure="All of it."
    )
    session = client.checkout.sessions.create(
        amount="12.30", currency="USD", reference=f"gift-{next(_numbers)}", success_url="http://localhost/thanks"
    )
    cards.engine.gifts.choose(
        cards.reload(session.url.rpartition("/")[2]), GiftKind.ROUND_UP, parse_money("0.70", "USD")
    )
    record = cards.reload(session.url.rpartition("/")[2])
    cards.pay_at_bank(cards.start(record))
    cards.engine.checkout.returned(record.token)
    client.donation_configs.archive(config.id)
    return client.checkout.sessions.retrieve(session.id)


def assert_nothing_unknown(*objects: models.Model) -> None:
    """Fail when the server sent a field that the SDK has no name for."""
    assert [each.extra for each in objects] == [{} for _ in objects]


def test_a_gift_at_checkout_is_typed_throughout(client: StreamPay, cards: CardShop, charity: models.Charity) -> None:
    session = rounded_up(client, cards, charity)
    assert session.donation is not None
    assert (session.amount, session.donation.amount, session.donation.kind) == ("12.30", "0.70", "round_up")
    payment = client.payments.retrieve(str(session.payment))
    assert (payment.charity, payment.gift_amount, payment.amount_received) == (charity.id, "0.70", "12.30")
    donation = client.donations.retrieve(session.donation.id)
    assert (donation.status, donation.amount_received, donation.payment) == ("received", "0.70", payment.id)
    assert client.donations.list(charity=charity.id, status="received").page == (donation,)
    (event,) = [one for one in client.events.list(types=["donation.received"]) if one.data.object == donation]
    assert_nothing_unknown(charity, session.donation, payment, donation, event)


def test_a_refund_keeps_the_gift_unless_it_is_asked_for(
    client: StreamPay, cards: CardShop, charity: models.Charity
) -> None:
    payment = str(rounded_up(client, cards, charity).payment)
    order = client.refunds.create(payment=payment)
    assert (order.amount, order.gift_amount) == ("12.30", "0.00")
    with pytest.raises(streampay.Conflict) as refused:
        client.refunds.create(payment=payment)
    assert refused.value.code == "nothing_to_refund"
    gift = client.refunds.create(payment=payment, donation="only")
    assert (gift.amount, gift.gift_amount) == ("0.70", "0.70")
    (standing,) = client.charities.statement(charity.id).standings
    assert (standing.gifts, standing.reversed, standing.owed) == ("0.70", "0.70", "0.00")


def test_a_payout_and_a_statement(client: StreamPay, cards: CardShop, charity: models.Charity) -> None:
    rounded_up(client, cards, charity)
    terms: dict[str, Any] = {"charity": charity.id, "currency": "USD", "paid_at": cards.clock.now()}
    terms |= {"reference": "SEPA 1", "evidence": "a letter"}
    payout = client.donations.payouts.record(amount="0.50", idempotency_key=charity.id, **terms)
    assert client.donations.payouts.retrieve(payout.id) == payout
    assert client.donations.payouts.list(charity=charity.id).page == (payout,)
    with pytest.raises(streampay.Conflict) as refused:
        client.donations.payouts.record(amount="0.21", **terms)
    assert (refused.value.code, refused.value.object_id) == ("payout_exceeds_owed", charity.id)
    statement = client.charities.statement(charity.id)
    (standing,) = statement.standings
    assert (standing.gifts, standing.paid_out, standing.owed) == ("0.70", "0.50", "0.20")
    assert [(age.to_days, age.amount) for age in standing.ages][:2] == [(30, "0.20"), (60, "0.00")]
    assert_nothing_unknown(payout, statement, standing, *standing.ages)


def test_a_payout_is_canceled(client: StreamPay, cards: CardShop, charity: models.Charity) -> None:
    rounded_up(client, cards, charity)
    terms: dict[str, Any] = {"charity": charity.id, "currency": "USD", "paid_at": cards.clock.now()}
    made = client.donations.payouts.record(amount="0.50", reference="SEPA 1", evidence="a letter", **terms)
    canceled = client.donations.payouts.cancel(made.id, reason="Written down twice.", idempotency_key=made.id)
    assert (canceled.cancellation_reason, canceled.canceled_at is not None) == ("Written down twice.", True)
    assert client.donations.payouts.cancel(made.id, reason="Another.") == canceled
    assert client.donations.payouts.retrieve(made.id) == canceled
    (standing,) = client.charities.statement(charity.id).standings
    assert (standing.paid_out, standing.payouts_canceled, standing.owed) == ("0.00", "0.50", "0.70")
    (event,) = [one for one in client.events.list(types=["donation.payout_canceled"]) if one.data.object == canceled]
    assert_nothing_unknown(canceled, standing, event)


def test_a_campaign_is_made_changed_read_and_closed(client: StreamPay, charity: models.Charity) -> None:
    campaigns = client.donations.campaigns
    made = campaigns.create(
        charity=charity.id, title="Clean rivers", currency="EUR", min_amount="2", max_amount="500",
        presets=["10", "25"], frequencies=["once", "monthly"], origins=["https://river.example"],
        ends_at="2027-01-31T23:00:00Z",
    )  # fmt: skip
    assert (made.presets, made.frequencies, made.is_open) == (("10.00", "25.00"), ("once", "monthly"), True)
    changed = campaigns.update(made.id, title="Rivers", goal="1000", presets=[])
    assert (changed.title, changed.goal, changed.presets) == ("Rivers", "1000.00", ())
    report = campaigns.report(made.id)
    assert (report.gift_count, report.amount_raised, report.goal, report.months) == (0, "0.00", "1000.00", ())
    closed = campaigns.close(made.id)
    assert (closed.is_open, campaigns.retrieve(made.id)) == (False, closed)
    assert campaigns.list(charity=charity.id, is_open=False).page == (closed,)
    assert_nothing_unknown(made, report)


def test_offers_are_made_read_and_archived(client: StreamPay, cards: CardShop, charity: models.Charity) -> None:
    cards.pass_time(timedelta(seconds=1))
    config = client.donation_configs.create(
        charity=charity.id, currency="EUR", mode="both", unit="1", cap="5", amounts=["2"], disclosure="All of it."
    )
    offer = client.donation_configs.active(amount="12.30", currency="EUR")
    assert [(one.kind, one.amount) for one in offer.options] == [("round_up", "0.70"), ("fixed", "2.00")]
    assert client.donation_configs.retrieve(config.id) == config
    assert client.donation_configs.list(charity=charity.id, is_active=True).page == (config,)
    assert client.donation_configs.archive(config.id).is_active is False
    assert_nothing_unknown(config, offer, *offer.options)


def test_a_charity_is_changed_and_archived(client: StreamPay, charity: models.Charity) -> None:
    changed = client.charities.update(charity.id, name="River Trust")
    assert client.charities.retrieve(charity.id) == changed
    assert client.charities.archive(charity.id).is_active is False
    assert changed.id not in [one.id for one in client.charities.list(is_active=True)]
    with pytest.raises(streampay.Conflict) as refused:
        client.donations.campaigns.create(charity=charity.id, title="x", currency="EUR", min_amount="1", max_amount="2")
    assert refused.value.code == "charity_archived"
