"""Receipts: one for each gift to a campaign, numbered without a gap whatever happens at once or in between."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import select, update

from gateway.domain.donations import DonationStatus, Frequency
from gateway.domain.merchants import MerchantSettings
from gateway.engine.donations import booking
from gateway.engine.donations.giving import Donor
from gateway.engine.donations.receipts import ReceiptRecord, follow_receipt, receipt_object
from gateway.engine.records import Owner, SessionRecord
from gateway.kernel.errors import InvalidRequestError, NotFoundError
from gateway.storage import schema
from tests.cards.stage import REFUND_FAILS
from tests.donations.stage import GivingShop

DAY = timedelta(days=1)


class CrashError(BaseException):
    """The process dies here."""


def receipts(shop: GivingShop, charity_id: str | None = None) -> list[ReceiptRecord]:
    """Return every receipt of a charity in the order of their numbers."""
    table = schema.donation_receipt
    query = select(table).where(table.c.charity_id == (charity_id or shop.charity.id))
    query = query.order_by(table.c.year, table.c.number)
    return shop.shop.db.read(lambda tx: [ReceiptRecord.of(row) for row in tx.execute(query).mappings()])


def mails(shop: GivingShop) -> list[tuple[str, str, str | None]]:
    """Return kind, status and recipient of this merchant's mails, oldest first."""
    table = schema.mail
    query = select(table.c.kind, table.c.status, table.c.recipient)
    query = query.where(table.c.merchant_id == shop.shop.owner.merchant_id).order_by(table.c.id)
    return shop.shop.db.read(lambda tx: [tuple(row) for row in tx.execute(query)])


def given(shop: GivingShop, amount: str = "25", **more: object) -> SessionRecord:
    """Give and pay."""
    session = shop.give(shop.add_campaign(), amount, **more)
    shop.pay(session)
    return session


def test_a_gift_that_is_received_has_its_receipt_and_its_mail_at_once(shop: GivingShop) -> None:
    session = shop.give(shop.add_campaign(), "25", donor=Donor(name="Jo Doe", email="jo@example.com", address="Rome"))
    assert receipts(shop) == []
    shop.pay(session)
    (receipt,) = receipts(shop)
    year = shop.shop.clock.now().year
    assert (receipt.name, receipt.amount.major) == (f"RF-{year}-000001", "25.00")
    assert mails(shop) == [("receipt", "waiting", "jo@example.com")]
    view = shop.engine.receipts.by_token(receipt.token)
    assert (view.donor_name, view.donor_address, view.campaign_title) == ("Jo Doe", "Rome", "Clean rivers")
    assert view.counts_for.major == "25.00"
    assert view == shop.engine.receipts.by_payment(session.payment_id)
    shown = receipt_object(view)
    assert "Jo Doe" not in json.dumps(shown)
    assert (shown["number"], shown["status"], shown["issuer"]["tax_id"]) == (receipt.name, "issued", "12/345/67890")


def test_the_charitys_tax_data_stay_as_they_were(shop: GivingShop) -> None:
    given(shop)
    table = schema.charity
    moved = (
        update(table).where(table.c.id == shop.charity.id).values(tax_id="99", legal_name="Other", address="Elsewhere")
    )
    shop.shop.db.write(lambda tx: tx.execute(moved))
    given(shop)
    first, second = receipts(shop)
    assert (first.issuer["tax_id"], first.issuer["legal_name"]) == ("12/345/67890", "River Fund e.V.")
    assert (second.issuer["tax_id"], second.issuer["legal_name"], second.issuer["address"]) == (
        "99",
        "Other",
        "Elsewhere",
    )


def test_a_gift_at_checkout_has_no_receipt_of_its_own(shop: GivingShop) -> None:
    shop.offer()
    shop.buy("12.30", "0.70")
    assert receipts(shop) == []
    assert mails(shop) == []


def test_a_donor_without_an_address_has_a_receipt_and_no_mail(shop: GivingShop) -> None:
    given(shop, donor=Donor(name="Jo"))
    assert (len(receipts(shop)), mails(shop)) == (1, [])


def test_each_charity_counts_for_itself_and_each_year_from_one(shop: GivingShop) -> None:
    other = shop.add_charity(receipt_prefix="SF")
    given(shop)
    shop.pay(shop.give(shop.add_campaign(other)))
    shop.shop.pass_time(366 * DAY)
    given(shop)
    year = receipts(shop)[0].year
    assert [one.name for one in receipts(shop)] == [f"RF-{year}-000001", f"RF-{year + 1}-000001"]
    assert [one.name for one in receipts(shop, other.id)] == [f"SF-{year}-000001"]


def test_a_part_that_goes_back_is_said_and_the_whole_cancels(shop: GivingShop) -> None:
    session = given(shop, "25")
    shop.shop.refund(session, "5.00")
    (receipt,) = receipts(shop)
    view = shop.engine.receipts.by_token(receipt.token)
    assert (receipt.canceled_at, receipt.amount.major, view.counts_for.major) == (None, "25.00", "20.00")
    shop.shop.refund(session)
    (receipt,) = receipts(shop)
    view = shop.engine.receipts.by_token(receipt.token)
    assert receipt.canceled_at == shop.shop.clock.now()
    assert (receipt.number, receipt.amount.major, view.counts_for.major) == (1, "25.00", "0.00")
    assert receipt_object(view)["status"] == "canceled"
    given(shop)
    assert [one.number for one in receipts(shop)] == [1, 2], "a canceled receipt stands in its series"
    assert len(mails(shop)) == 2, "one mail for each receipt, none for what becomes of it"


def test_money_that_comes_back_after_all_brings_its_receipt_back(shop: GivingShop) -> None:
    session = shop.give(shop.add_campaign(), "25")
    shop.pay(session, number=REFUND_FAILS)
    refund = shop.shop.refund(session)
    (receipt,) = receipts(shop)
    assert receipt.canceled_at is not None
    shop.shop.control(f"refunds/{refund['provider_reference']}/fail")
    shop.shop.catch_up()
    (receipt,) = receipts(shop)
    assert (receipt.number, receipt.canceled_at, receipt.amount.major) == (1, None, "25.00")


def test_receipts_that_are_issued_in_the_same_moment_wait_for_each_others_number(shop: GivingShop) -> None:
    """The storm itself: nothing but the counter lies between these gifts."""
    campaign, count, core = shop.add_campaign(), 32, shop.engine.core
    for _ in range(count):
        shop.give(campaign)
    drafts = [replace(one, status=DonationStatus.RECEIVED, amount_received=one.amount) for one in shop.donations()]
    start = threading.Barrier(8)

    def issue(share: int) -> None:
        start.wait()
        for donation in drafts[share::8]:
            shop.shop.db.write(partial(follow_receipt, core, donation=donation))

    with ThreadPoolExecutor(max_workers=8) as racers:
        list(racers.map(issue, range(8)))
    assert [one.number for one in receipts(shop)] == list(range(1, count + 1))


def test_many_gifts_at_once_are_numbered_without_a_gap_or_a_double(shop: GivingShop) -> None:
    campaign, count = shop.add_campaign(), 16
    sessions = [shop.give(campaign, str(1 + place)) for place in range(count)]
    for session in sessions:
        shop.shop.pay_at_bank(shop.shop.start(session))
    with ThreadPoolExecutor(max_workers=8) as racers:
        # Each comes back twice: the shopper's browser, and a reload of it.
        list(racers.map(lambda session: shop.engine.checkout.returned(session.token), sessions * 2))
    shop.shop.catch_up()
    assert [one.number for one in receipts(shop)] == list(range(1, count + 1))
    assert len({one.donation_id for one in receipts(shop)}) == count
    assert len(mails(shop)) == count


def test_a_crash_after_the_number_was_taken_leaves_no_gap(shop: GivingShop, monkeypatch: pytest.MonkeyPatch) -> None:
    campaign = shop.add_campaign()
    dies, lives = shop.give(campaign, "5"), shop.give(campaign, "6")
    shop.shop.pay_at_bank(shop.shop.start(dies))

    def crash(*_: object) -> None:
        raise CrashError

    with monkeypatch.context() as patch:
        patch.setattr(booking, "follow_pledge", crash)
        with pytest.raises(CrashError):
            shop.engine.checkout.returned(dies.token)
    assert receipts(shop) == []
    shop.pay(lives)
    shop.shop.catch_up()
    shop.engine.checkout.returned(dies.token)
    assert [(one.number, one.amount.major) for one in receipts(shop)] == [(1, "6.00"), (2, "5.00")]


def test_a_gift_that_repeats_has_a_receipt_each_time(shop: GivingShop) -> None:
    given(shop, "10", frequency=Frequency.MONTHLY)
    shop.shop.pass_time(32 * DAY)
    shop.engine.sweep()
    shop.shop.catch_up()
    assert [(one.number, one.amount.major) for one in receipts(shop)] == [(1, "10.00"), (2, "10.00")]
    assert mails(shop) == [("recurring", "waiting", "jo@example.com")] * 2


def test_a_receipt_is_sent_again_to_the_donor_or_where_he_asks(shop: GivingShop) -> None:
    session = given(shop)
    donation = shop.donation(session)
    assert donation is not None
    intent = shop.shop.intent("again-1")
    first = shop.engine.receipts.resend(intent, donation.id)
    assert first.status_code == 202
    assert shop.engine.receipts.resend(intent, donation.id).is_replay
    shop.engine.receipts.resend(shop.shop.intent(), donation.id, email="new@example.com")
    assert [recipient for _, _, recipient in mails(shop)] == ["jo@example.com", "jo@example.com", "new@example.com"]
    assert "example.com" not in first.body


def test_what_has_no_receipt_or_no_address_is_not_sent(shop: GivingShop) -> None:
    pending = shop.donation(shop.give(shop.add_campaign()))
    assert pending is not None
    with pytest.raises(NotFoundError):
        shop.engine.receipts.resend(shop.shop.intent(), pending.id)
    nameless = shop.donation(given(shop, donor=Donor()))
    assert nameless is not None
    with pytest.raises(InvalidRequestError) as refusal:
        shop.engine.receipts.resend(shop.shop.intent(), nameless.id)
    assert refusal.value.param == "/email"
    shop.engine.receipts.resend(shop.shop.intent(), nameless.id, email="late@example.com")
    assert mails(shop) == [("receipt", "waiting", "late@example.com")]


def statement_token(shop: GivingShop, session: SessionRecord) -> str:
    donation, table = shop.donation(session), schema.donor
    assert donation is not None
    query = select(table.c.statement_token).where(table.c.donation_id == donation.id)
    return str(shop.shop.db.read(lambda tx: tx.scalar(query)))


def test_the_years_statement_adds_up_what_one_donor_gave_to_one_charity(shop: GivingShop) -> None:
    first = given(shop, "25")
    shop.shop.refund(given(shop, "10", donor=Donor(name="Jo Doe", email="JO@example.com")), "4.00")
    shop.shop.refund(given(shop, "7"))
    given(shop, "99", donor=Donor(name="Somebody else", email="else@example.com"))
    shop.pay(shop.give(shop.add_campaign(shop.add_charity()), "50"))
    year = shop.shop.clock.now().year
    for view in (
        shop.engine.receipts.statement(statement_token(shop, first), year),
        shop.engine.receipts.statement_of(shop.shop.owner, shop.charity.id, "jo@EXAMPLE.com", year),
    ):
        assert [line.counts_for.major for line in view.lines] == ["25.00", "6.00", "0.00"]
        assert [total.major for total in view.totals] == ["31.00"]
        assert view.donor_name == "Jo Doe"
    with pytest.raises(NotFoundError):
        shop.engine.receipts.statement(statement_token(shop, first), year - 1)
    with pytest.raises(NotFoundError):
        shop.engine.receipts.statement("guessed", year)


def test_a_receipts_own_link_does_not_open_the_statement(shop: GivingShop) -> None:
    """Whoever gives under a stranger's address sees that receipt, and nothing else of the stranger's."""
    given(shop)
    (receipt,) = receipts(shop)
    with pytest.raises(NotFoundError):
        shop.engine.receipts.statement(receipt.token, receipt.year)


def test_a_nameless_donors_statement_is_of_his_gift_alone(shop: GivingShop) -> None:
    first = given(shop, "25", donor=Donor())
    given(shop, "10", donor=Donor())
    view = shop.engine.receipts.statement(statement_token(shop, first), shop.shop.clock.now().year)
    assert [line.counts_for.major for line in view.lines] == ["25.00"]


def test_a_strangers_donation_has_no_receipt_for_us(shop: GivingShop) -> None:
    donation = shop.donation(given(shop))
    assert donation is not None
    stranger = shop.engine.merchants.create("Stranger", MerchantSettings())
    owner = Owner(merchant_id=stranger.id, livemode=False)
    with pytest.raises(NotFoundError):
        shop.engine.receipts.retrieve(owner, donation.id)
    with pytest.raises(NotFoundError):
        shop.engine.receipts.statement_of(owner, shop.charity.id, "jo@example.com", 2026)
