"""Who asks to be forgotten is forgotten everywhere; gifts, receipt numbers and books stay whole."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import requests
from sqlalchemy import String, Text, cast, func, select

from gateway.domain.donations import Frequency
from gateway.engine.donations.giving import Donor
from gateway.engine.donations.mails import MailStatus
from gateway.engine.donations.receipts import ReceiptView
from gateway.engine.records import Owner
from gateway.kernel.errors import ConflictError, NotFoundError, WorldError
from gateway.storage import schema
from gateway.storage.database import Tx
from tests.donations.post import mails_of
from tests.donations.stage import GivingShop

DAY = timedelta(days=1)
PERSON = Donor(
    name="Zuleika Quillfeather",
    email="Zuleika@Quillfeather.example",
    address="Larkspur Lane 7",
    comment="For Bartholomew, with love",
    tribute={"kind": "memory", "name": "Bartholomew Quillfeather"},
)
TRACES = ("quillfeather", "zuleika", "larkspur", "bartholomew")


def scalar(query: Any, tx: Tx) -> Any:
    return tx.scalar(query)


def traces(shop: GivingShop) -> Iterator[str]:
    """Yield every column of every table in which something of the person stands, whatever its type."""
    for table in schema.metadata.sorted_tables:
        for column in table.columns:
            kind = String(4000) if shop.shop.db.dialect == "mariadb" else Text()
            text = func.lower(cast(column, kind))
            for word in TRACES:
                query = select(func.count()).select_from(table).where(text.contains(word))
                if shop.shop.db.read(partial(scalar, query)):
                    yield f"{table.name}.{column.name}: {word}"


def everywhere(shop: GivingShop) -> list[str]:
    """Let the person give once, once from a wallet's promise, and monthly by card for two months."""
    campaign = shop.add_campaign()
    shop.pay(shop.give(campaign, "25", donor=PERSON))
    shop.pay(shop.give(campaign, "10", donor=PERSON, frequency=Frequency.MONTHLY, by_wallet=True))
    shop.pay(shop.give(campaign, "5", donor=PERSON, frequency=Frequency.MONTHLY))
    shop.give(campaign, "7", donor=PERSON)
    shop.shop.pass_time(32 * DAY)
    shop.engine.sweep()
    shop.shop.catch_up()
    shop.engine.pledges.remind()
    return [one.id for one in shop.donations()]


def views(shop: GivingShop) -> list[ReceiptView]:
    """Return the receipts of all gifts that were received."""
    owner = shop.shop.owner
    return [shop.engine.receipts.retrieve(owner, one.id) for one in shop.donations() if one.received_at is not None]


def test_no_table_knows_the_person_any_more_and_the_books_do_not_notice(shop: GivingShop) -> None:
    donations = everywhere(shop)
    assert {trace.partition(".")[0] for trace in traces(shop)} >= {"donor", "pledge", "mail", "checkout_session"}
    before = shop.shop.balances()
    receipts = [view.receipt for view in views(shop)]
    assert (len(donations), len(receipts)) == (5, 4)

    erased = shop.engine.donors.erase(shop.shop.owner, "zuleika@quillfeather.EXAMPLE")
    assert erased == {"object": "donor_erasure", "donations": 5, "pledges": 2}
    assert list(traces(shop)) == []
    assert shop.shop.balances() == before
    shop.check()
    assert [view.receipt for view in views(shop)] == receipts
    assert {view.donor_name for view in views(shop)} == {None}
    assert {mail.status for mail in mails_of(shop)} == {MailStatus.DROPPED}


def test_nothing_is_collected_or_asked_of_who_was_forgotten(shop: GivingShop) -> None:
    everywhere(shop)
    shop.engine.donors.erase(shop.shop.owner, str(PERSON.email))
    count = len(shop.donations())
    shop.shop.pass_time(70 * DAY)
    shop.engine.sweep()
    shop.shop.catch_up()
    shop.engine.pledges.remind()
    assert len(shop.donations()) == count
    assert list(traces(shop)) == []
    (customer,) = [one for one in shop.shop.bank.newest("customer", limit=100) if one["email"] == PERSON.email]
    answer = requests.get(f"{shop.shop.bank_url}/v1/customers/{customer['id']}", auth=("sk_test_stage", ""), timeout=20)
    assert answer.json().get("deleted") is True, "the provider forgot as well"


def test_an_erasure_may_be_asked_for_twice(shop: GivingShop) -> None:
    everywhere(shop)
    shop.engine.donors.erase(shop.shop.owner, str(PERSON.email))
    again = shop.engine.donors.erase(shop.shop.owner, str(PERSON.email))
    assert (again["donations"], again["pledges"]) == (0, 0)


def test_an_erasure_that_fails_halfway_is_finished_when_it_is_asked_for_again(shop: GivingShop) -> None:
    everywhere(shop)
    shop.shop.fault("500_before", times=4)
    with pytest.raises((WorldError, ConflictError)):
        shop.engine.donors.erase(shop.shop.owner, str(PERSON.email))
    shop.shop.control("faults/clear")
    shop.shop.clock.advance(shop.shop.patience)
    shop.engine.sweep()
    shop.engine.donors.erase(shop.shop.owner, str(PERSON.email))
    assert list(traces(shop)) == []


def test_others_and_strangers_keep_what_is_theirs(shop: GivingShop) -> None:
    campaign = shop.add_campaign()
    shop.pay(shop.give(campaign, "25", donor=PERSON))
    shop.pay(shop.give(campaign, "30", donor=Donor(name="Jo Doe", email="jo@example.com")))
    stranger = Owner(merchant_id=shop.shop.owner.merchant_id, livemode=True)
    assert shop.engine.donors.erase(stranger, str(PERSON.email))["donations"] == 0
    shop.engine.donors.erase(shop.shop.owner, str(PERSON.email))
    names = [shop.engine.receipts.retrieve(shop.shop.owner, one.id).donor_name for one in shop.donations()]
    assert names == [None, "Jo Doe"]


def test_a_statement_of_who_was_forgotten_opens_no_more(shop: GivingShop) -> None:
    shop.pay(shop.give(shop.add_campaign(), "25", donor=PERSON))
    donors, (donation,) = schema.donor, shop.donations()
    query = select(donors.c.statement_token).where(donors.c.donation_id == donation.id)
    token = shop.shop.db.read(lambda tx: tx.scalar(query))
    year = shop.shop.clock.now().year
    assert shop.engine.receipts.statement(str(token), year).lines
    shop.engine.donors.erase(shop.shop.owner, str(PERSON.email))
    with pytest.raises(NotFoundError):
        shop.engine.receipts.statement(str(token), year)
