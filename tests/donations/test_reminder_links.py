"""The link in a reminder: what is given there keeps the promise, and nobody is asked again for what was given."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update
from werkzeug.test import TestResponse

from donation_widget import Scribe
from gateway.domain.donations import Frequency, is_given_already, last_dues
from gateway.engine.donations.mails import MailKind, MailStatus
from gateway.engine.donations.pledges import LINK_LIFETIME, PledgeRecord, reminder_link
from gateway.engine.donations.records import CampaignRecord, DonationRecord
from gateway.engine.paging import PageRequest
from gateway.kernel.money import Money
from gateway.storage import schema
from hosted_checkout.app import create_app
from tests.donations.post import PostOffice, a_mailroom, a_post_office, mails_of, part
from tests.donations.stage import GivingShop
from tests.donations.test_pledges import DAY, MONTHLY, QUARTERLY, YEARLY, pledge, reminders

PROMISE = "This gift keeps your promise"


@pytest.fixture(autouse=True)
def _alone(shop: GivingShop) -> None:
    """Let the pledges of other tests rest."""
    shop.shop.db.write(lambda tx: tx.execute(update(schema.pledge).values(next_at=None)))


@pytest.fixture
def office() -> Iterator[PostOffice]:
    with a_post_office() as opened:
        yield opened


class Donor:
    """Somebody who promised ten dollars a month from a wallet, and reads what comes of it."""

    def __init__(self, shop: GivingShop, office: PostOffice) -> None:
        self.shop = shop
        self.office = office
        self.client: FlaskClient = create_app(shop.shop.house).test_client()
        self.campaign: CampaignRecord = shop.add_campaign(frequencies=(MONTHLY,))
        shop.pay(shop.give(self.campaign, "10", frequency=MONTHLY, by_wallet=True, locale="de"))

    @property
    def pledge(self) -> PledgeRecord:
        return pledge(self.shop)

    def wait(self) -> None:
        """Let time pass until the next date has come, and the worker look."""
        due = self.pledge.next_at
        assert due is not None
        self.shop.shop.pass_time(due - self.shop.shop.clock.now())
        self.shop.engine.pledges.remind()

    def deliver(self) -> None:
        """Let the mail room send what waits."""
        a_mailroom(self.shop, self.office, Scribe()).deliver()

    def link(self) -> str:
        """Return the path of the link in the newest mail."""
        self.deliver()
        url = re.search(r"http://127\.0\.0\.1:8080(/donate/\S+)", part(self.office.messages[-1], "plain"))
        assert url is not None
        return url[1]

    def open(self, link: str) -> dict[str, str]:
        """Open a link, and return what the form's hidden fields hold, with the amount."""
        page = self.client.get(link).text
        hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
        return hidden | {"preset": "10.00"}

    def send(self, fields: dict[str, str]) -> TestResponse:
        return self.client.post(f"/donate/{self.campaign.id}?lang=en", data=fields)

    def give(self, link: str) -> DonationRecord:
        """Give what the link asks for."""
        answer = self.send(self.open(link))
        assert answer.status_code == 303, answer.text
        session = self.shop.shop.reload(answer.headers["Location"].partition("/pay/")[2].partition("?")[0])
        self.shop.pay(session)
        donation = self.shop.donation(session)
        assert donation is not None
        return donation


@pytest.fixture
def donor(shop: GivingShop, office: PostOffice) -> Donor:
    return Donor(shop, office)


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# --- which dates are given for ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "frequency", "now", "due", "before"),
    [
        ("2026-01-31", MONTHLY, "2026-01-31", "2026-01-31", "2026-01-31"),
        ("2026-01-31", MONTHLY, "2026-02-27", "2026-01-31", "2026-01-31"),
        ("2026-01-31", MONTHLY, "2026-02-28", "2026-02-28", "2026-01-31"),
        ("2026-01-31", MONTHLY, "2026-04-30", "2026-04-30", "2026-03-31"),
        ("2026-11-30", QUARTERLY, "2027-05-29", "2027-02-28", "2026-11-30"),
        ("2028-02-29", YEARLY, "2032-02-28", "2031-02-28", "2030-02-28"),
        ("2028-02-29", YEARLY, "2032-02-29", "2032-02-29", "2031-02-28"),
    ],
)
def test_the_dates_that_have_come_are_counted_as_those_that_will(
    start: str, frequency: Frequency, now: str, due: str, before: str
) -> None:
    assert last_dues(day(start), frequency, day(now)) == (day(due), day(before))


@pytest.mark.parametrize(
    ("received", "is_given"),
    [
        ([], False),
        (["2026-02-20"], True),
        (["2026-03-01"], True),
        (["2026-01-20"], False),
        (["2026-02-19"], False),
        (["2026-01-20", "2026-02-19"], True),
        (["2026-01-19", "2026-02-19"], False),
        (["2025-12-20", "2025-12-21"], False),
    ],
)
def test_a_date_is_given_for_after_it_or_by_a_second_gift_before_it(received: list[str], *, is_given: bool) -> None:
    dues = (day("2026-02-20"), day("2026-01-20"))
    assert is_given_already([day(one) for one in received], dues) is is_given


# --- a life ----------------------------------------------------------------------------------------------------------


def test_what_is_given_at_the_link_keeps_the_promise_and_makes_no_second_one(donor: Donor) -> None:
    """A campaign that is given to every month and never once: its reminder's form made a promise each time."""
    donor.wait()
    given = donor.give(donor.link())
    assert (given.pledge_id, given.frequency, given.status) == (donor.pledge.id, MONTHLY, "received")
    assert donor.pledge.frequency is MONTHLY, "there is one promise"
    assert donor.shop.engine.pledges.by_token(donor.pledge.token).given == Money(2000, "USD")
    assert "20,00" in donor.client.get(f"/donations/stop/{donor.pledge.token}").text
    mail = [one for one in mails_of(donor.shop) if one.kind is MailKind.RECURRING][-1]
    assert mail.recipient == "jo@example.com", "the receipt goes where the promise was made, with the link that ends it"


def test_the_mail_and_its_page_speak_the_donors_language(donor: Donor) -> None:
    donor.wait()
    link = donor.link()
    assert parse_qs(urlsplit(link).query).keys() == {"amount", "pledge", "lang"}
    page = donor.client.get(link).text
    assert "Mit dieser Spende halten Sie Ihr Versprechen" in page
    assert 'name="way"' not in page, "how it is given was said when it was promised"


def test_nothing_in_the_link_says_who_the_donor_is_or_ends_the_promise(donor: Donor) -> None:
    donor.wait()
    link = donor.link()
    page = donor.client.get(link).text
    for secret in ("jo@example.com", "Jo Doe", donor.pledge.token):
        assert secret not in link
        assert secret not in page
    answer = donor.send(donor.open(link))
    session = donor.shop.shop.reload(answer.headers["Location"].partition("/pay/")[2].partition("?")[0])
    assert session.customer_email is None, "the provider's page would show it to whom the mail was passed on"


def test_a_form_that_is_sent_twice_gives_once(donor: Donor) -> None:
    donor.wait()
    fields = donor.open(donor.link())
    first, second = donor.send(fields), donor.send(fields)
    assert (first.status_code, first.headers["Location"]) == (303, second.headers["Location"])
    assert len(donor.shop.donations()) == 2


def test_a_form_that_makes_a_promise_and_is_sent_twice_makes_one(donor: Donor) -> None:
    fields = donor.open(f"/donate/{donor.campaign.id}") | {"frequency": "monthly", "way": "wallet"}
    fields["repeat_email"] = "ann@example.com"
    first, second = donor.send(fields), donor.send(fields)
    assert (first.status_code, first.headers["Location"]) == (303, second.headers.get("Location"))


# --- nobody is asked twice -------------------------------------------------------------------------------------------


def test_the_next_date_is_asked_for_after_one_gift_and_not_after_two(donor: Donor) -> None:
    donor.wait()
    link = donor.link()
    donor.give(link)
    donor.wait()
    assert reminders(donor.shop) == 2
    link = donor.link()
    donor.give(link)
    donor.shop.shop.pass_time(timedelta(days=20))
    donor.give(link)
    donor.wait()
    assert (reminders(donor.shop), donor.pledge.reminders) == (2, 2)
    donor.wait()
    assert reminders(donor.shop) == 3, "the promise goes on"


def test_a_worker_that_comes_late_does_not_ask_for_what_was_given(donor: Donor) -> None:
    donor.wait()
    link = donor.link()
    donor.shop.shop.pass_time(timedelta(days=35))
    donor.give(link)
    donor.shop.engine.pledges.remind()
    assert reminders(donor.shop) == 1
    assert donor.pledge.next_at is not None


def test_a_mail_that_waited_does_not_ask_for_what_was_given_meanwhile(donor: Donor) -> None:
    donor.wait()
    link = donor.link()
    donor.wait()
    donor.shop.shop.pass_time(timedelta(hours=1))
    donor.give(link)
    donor.deliver()
    waiting = [one for one in mails_of(donor.shop) if one.kind is MailKind.REMINDER][-1]
    assert (waiting.status, waiting.failure) == (MailStatus.FAILED, "It was given before.")


def test_a_mail_that_waited_asks_for_nothing_when_the_campaign_is_over(donor: Donor) -> None:
    donor.wait()
    table, now = schema.campaign, donor.shop.shop.clock.now()
    donor.shop.shop.db.write(
        lambda tx: tx.execute(update(table).where(table.c.id == donor.campaign.id).values(closed_at=now))
    )
    donor.deliver()
    waiting = [one for one in mails_of(donor.shop) if one.kind is MailKind.REMINDER][-1]
    assert (waiting.status, waiting.failure) == (MailStatus.FAILED, "The campaign is over.")


def test_a_gift_that_went_back_is_asked_for(donor: Donor) -> None:
    donor.wait()
    link = donor.link()
    donor.shop.shop.pass_time(timedelta(days=35))
    given = donor.give(link)
    table = schema.donation
    donor.shop.shop.db.write(
        lambda tx: tx.execute(update(table).where(table.c.id == given.id).values(status="reversed"))
    )
    donor.shop.engine.pledges.remind()
    assert reminders(donor.shop) == 2


# --- links that are not good -----------------------------------------------------------------------------------------


def spoiled(donor: Donor) -> dict[str, str]:
    """Return links that are not good, by what is wrong with them."""
    now, good = donor.shop.shop.clock.now(), donor.pledge
    link = reminder_link(good, now)
    named, _, signature = link.rpartition(".")
    return {
        "another signature": f"{named}.{'A' * 43}",
        "another time": f"{good.id}.{int(now.timestamp()) + 1}.{signature}",
        "another pledge": link.replace(good.id, "plg_01jd4k00000000000000000000"),
        "too old": reminder_link(good, now - LINK_LIFETIME - timedelta(seconds=1)),
        "cut off": link[:-1],
        "two of them": link + link,
        "the stop link's": good.token,
        "a time beyond all calendars": f"{good.id}.{'9' * 11}.{signature}",
        "script": '"><script>alert(1)</script>',
        "digits of another script": link.replace(".1", ".\u0661"),
    }


@pytest.mark.parametrize(
    "wrong",
    [
        "another signature", "another time", "another pledge", "too old", "cut off", "two of them", "the stop link's",
        "a time beyond all calendars", "script", "digits of another script",
    ],
)  # fmt: skip
def test_a_link_that_is_not_good_opens_the_form_as_it_is_for_anybody(donor: Donor, wrong: str) -> None:
    link = spoiled(donor)[wrong]
    answer = donor.client.get(f"/donate/{donor.campaign.id}", query_string={"pledge": link, "lang": "en"})
    assert answer.status_code == 200
    assert PROMISE not in answer.text
    assert 'name="pledge"' not in answer.text
    assert "<script>alert" not in answer.text
    fields = donor.open(f"/donate/{donor.campaign.id}") | {"pledge": link, "frequency": "monthly", "way": "wallet"}
    assert donor.send(fields | {"repeat_email": "eve@example.com"}).status_code == 303
    assert donor.shop.donations()[-1].pledge_id not in {None, donor.shop.donations()[0].pledge_id}


def test_the_link_of_a_promise_that_ended_or_of_another_campaign_names_nothing(donor: Donor) -> None:
    link, other = reminder_link(donor.pledge, donor.shop.shop.clock.now()), donor.shop.add_campaign()
    by_link = donor.shop.engine.pledges.by_link
    assert by_link(link, donor.campaign.id) == donor.pledge
    assert by_link(link, other.id) is None
    donor.shop.engine.stopping.stop(donor.pledge.token)
    assert by_link(link, donor.campaign.id) is None


def test_a_link_lives_until_its_last_second(donor: Donor) -> None:
    link = reminder_link(donor.pledge, donor.shop.shop.clock.now())
    donor.shop.shop.pass_time(LINK_LIFETIME - DAY)
    assert donor.shop.engine.pledges.by_link(link, donor.campaign.id) == donor.pledge
    donor.shop.shop.pass_time(DAY + timedelta(seconds=1))
    assert donor.shop.engine.pledges.by_link(link, donor.campaign.id) is None


def test_a_card_that_is_charged_has_no_such_link(shop: GivingShop) -> None:
    shop.pay(shop.give(shop.add_campaign(), "10", frequency=MONTHLY))
    found = pledge(shop)
    link = reminder_link(found, shop.shop.clock.now())
    assert shop.engine.pledges.by_link(link, found.campaign_id) is None


def test_what_came_of_a_promise_is_listed(donor: Donor) -> None:
    donor.shop.pay(donor.shop.give(donor.shop.add_campaign(), "5"))
    donor.wait()
    given = donor.give(donor.link())
    page = donor.shop.engine.donations.page(donor.shop.owner, PageRequest(), pledge_id=donor.pledge.id)
    assert [one["id"] for one in page.data] == [given.id, donor.shop.donations()[0].id]
    assert {one["pledge"] for one in page.data} == {donor.pledge.id}
