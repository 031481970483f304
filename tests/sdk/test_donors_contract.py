"""The real SDK against the real server: receipts, statements, comments, and people who want to be forgotten."""

from collections.abc import Iterator
from typing import Any

import pytest

import streampay
from gateway.engine.donations.giving import Donor
from hosted_checkout.app import create_app
from streampay import StreamPay, models
from tests.api.live import serving
from tests.cards.stage import CardShop
from tests.donations.stage import GivingShop
from tests.sdk.blocking import KINDS, a_client

JO = "jo@example.com"


@pytest.fixture(scope="module", params=KINDS)
def client(request: pytest.FixtureRequest, cards: CardShop) -> Iterator[StreamPay]:
    """Return a client of its gateway, a sync one and then an async one."""
    key = cards.engine.merchants.create_key(cards.owner.merchant_id, livemode=False)
    with serving(create_app(cards.house)) as url, a_client(request.param, key, base_url=url) as found:
        yield found


@pytest.fixture
def shop(cards: CardShop) -> GivingShop:
    """Return the shop with a charity of this test's own."""
    return GivingShop(cards)


def a_gift(shop: GivingShop, *, on_wall: bool = True) -> str:
    """Give to a campaign, with some words, and pay; return the donation's id."""
    tribute = {"kind": "honor", "name": "Ann"}
    donor = Donor(name="Jo Doe", email=JO, comment="Go on", tribute=tribute)
    session = shop.give(shop.add_campaign(), on_wall=on_wall, donor=donor)
    shop.pay(session)
    donation = shop.donation(session)
    assert donation is not None
    return donation.id


def assert_nothing_unknown(*objects: models.Model) -> None:
    """Fail when the server sent a field that the SDK has no name for."""
    assert [each.extra for each in objects] == [{} for _ in objects]


def test_a_receipt_is_read_and_sent_again(client: StreamPay, shop: GivingShop) -> None:
    donation_id = a_gift(shop)
    receipt = client.donations.receipt(donation_id)
    assert (receipt.donation, receipt.status, receipt.amount_that_counts) == (donation_id, "issued", "25.00")
    assert (receipt.issuer.legal_name, receipt.url is None) == ("River Fund e.V.", False)
    sent = client.donations.resend_receipt(donation_id, email="jo@new.example", idempotency_key=donation_id)
    assert (sent.receipt, sent.status) == (receipt.number, "waiting")
    again = client.donations.resend_receipt(donation_id, email="jo@new.example", idempotency_key=donation_id)
    assert again.response is not None
    assert again.response.replayed
    assert_nothing_unknown(receipt, receipt.issuer, sent)


def test_a_year_is_read_by_the_donors_address(client: StreamPay, shop: GivingShop) -> None:
    donation_id, year = a_gift(shop), shop.shop.clock.now().year
    statement = client.donations.statement(charity=shop.charity.id, email="JO@example.com", year=year)
    assert [one.donation for one in statement.receipts] == [donation_id]
    assert [(one.amount, one.currency) for one in statement.totals] == [("25.00", "USD")]
    with pytest.raises(streampay.NotFound):
        client.donations.statement(charity=shop.charity.id, email=JO, year=2001)
    assert_nothing_unknown(statement, statement.issuer, *statement.receipts, *statement.totals)


def test_words_are_listed_shown_and_hidden(client: StreamPay, shop: GivingShop) -> None:
    comments, donation_id = client.donations.comments, a_gift(shop)
    waiting = comments.list(status="pending").page[0]
    assert (waiting.id, waiting.name, waiting.text, waiting.status) == (donation_id, "Jo Doe", "Go on", "pending")
    assert waiting.tribute == models.Tribute(kind="honor", name="Ann")
    shown = comments.moderate(donation_id, status="shown")
    assert (shown.status, comments.retrieve(donation_id)) == ("shown", shown)
    assert comments.moderate(donation_id, status="hidden").status == "hidden"
    with pytest.raises(streampay.Conflict) as refused:
        comments.moderate(a_gift(shop, on_wall=False), status="shown")
    assert refused.value.code == "comment_private"
    assert_nothing_unknown(waiting, shown)


def test_lists_of_words_go_on_from_page_to_page(client: StreamPay, shop: GivingShop) -> None:
    gifts = [a_gift(shop) for _ in range(3)]
    found = [one.id for one, _ in zip(client.donations.comments.list(limit=1), gifts, strict=False)]
    assert found == gifts[::-1]


def test_a_person_is_forgotten(client: StreamPay, shop: GivingShop) -> None:
    donation_id = a_gift(shop)
    erasure = client.donations.erase(email=JO)
    assert (erasure.donations >= 1, erasure.pledges) == (True, 0)
    assert client.donations.erase(email=JO).donations == 0
    with pytest.raises(streampay.NotFound):
        client.donations.comments.retrieve(donation_id)
    with pytest.raises(streampay.InvalidRequest) as refused:
        client.donations.resend_receipt(donation_id)
    assert refused.value.code == "parameter_missing"
    assert_nothing_unknown(erasure)


def test_none_empties_what_may_be_empty_and_what_is_left_out_stays(client: StreamPay) -> None:
    full: dict[str, Any] = {
        "tax_id": "12/345", "address": "River Road 1", "country": "DE", "tax_statement": "Exempt.",
        "website": "https://river.example/", "email": "mail@river.example",
        "solana_address": "7S3P4HxJpyyigGzodYwHtCxZyUQe9JiBMHyRWXArAaKv",
    }  # fmt: skip
    made = client.charities.create(name="River Fund", legal_name="River Fund e.V.", receipt_prefix="RF", **full)
    renamed = client.charities.update(made.id, name="River Trust")
    assert {name: getattr(renamed, name) for name in full} == full
    emptied = client.charities.update(
        made.id, tax_id=None, address=None, country=None, tax_statement=None, website=None, email=None,
        solana_address=None,
    )  # fmt: skip
    assert {getattr(emptied, name) for name in full} == {None}
    assert emptied.name == "River Trust"


def test_a_campaigns_goal_fee_and_end_are_removed_by_none(client: StreamPay, shop: GivingShop) -> None:
    campaigns = client.donations.campaigns
    made = campaigns.create(
        charity=shop.charity.id, title="Rivers", currency="EUR", min_amount="1", max_amount="9", goal="100",
        fee_fixed="0.25", ends_at="2027-01-31T23:00:00Z", presets=["2"],
    )  # fmt: skip
    kept = campaigns.update(made.id, title="Clean rivers")
    assert (kept.goal, kept.fee_fixed, kept.ends_at, kept.presets) == ("100.00", "0.25", made.ends_at, ("2.00",))
    emptied = campaigns.update(made.id, goal=None, fee_fixed=None, ends_at=None)
    assert (emptied.goal, emptied.fee_fixed, emptied.ends_at, emptied.title) == (None, "0.00", None, "Clean rivers")


def test_a_customers_name_and_address_are_emptied_by_none(client: StreamPay) -> None:
    made = client.customers.create(email=JO, name="Jo Doe", metadata={"a": "b"})
    assert client.customers.update(made.id, name="Jo").email == JO
    emptied = client.customers.update(made.id, email=None, name=None)
    assert (emptied.email, emptied.name, emptied.metadata) == (None, None, {"a": "b"})
