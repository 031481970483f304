"""Promises to give again: reminded of once for each date, stopped by one link, whoever collects."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from donation_widget import Scribe
from gateway.domain.donations import Frequency, next_due
from gateway.domain.subscriptions import SubscriptionStatus
from gateway.engine.donations import pledges as pledges_module
from gateway.engine.donations.giving import Donor
from gateway.engine.donations.mails import MailKind, MailStatus
from gateway.engine.donations.pledges import PledgeRecord
from gateway.kernel.errors import NotFoundError, WorldError
from gateway.storage import schema
from tests.donations.post import PostOffice, a_mailroom, a_post_office, mails_of, part
from tests.donations.stage import GivingShop

DAY = timedelta(days=1)
MONTHLY, QUARTERLY, YEARLY = Frequency.MONTHLY, Frequency.QUARTERLY, Frequency.YEARLY


class CrashError(BaseException):
    """The process dies here."""


@pytest.fixture
def office() -> Iterator[PostOffice]:
    with a_post_office() as opened:
        yield opened


@pytest.fixture(autouse=True)
def _alone(shop: GivingShop) -> None:
    """Let the pledges of other tests rest."""
    table = schema.pledge
    shop.shop.db.write(lambda tx: tx.execute(update(table).values(next_at=None)))


def pledge(shop: GivingShop) -> PledgeRecord:
    table = schema.pledge
    query = select(table).where(table.c.merchant_id == shop.shop.owner.merchant_id)
    return shop.shop.db.read(lambda tx: PledgeRecord.of(tx.execute(query).mappings().one()))


def reminders(shop: GivingShop) -> int:
    return len([mail for mail in mails_of(shop) if mail.kind is MailKind.REMINDER])


def promise(shop: GivingShop, frequency: Frequency = MONTHLY, **more: object) -> PledgeRecord:
    """Give from a wallet's promise once, and pay."""
    shop.pay(shop.give(shop.add_campaign(), "10", frequency=frequency, by_wallet=True, **more))
    return pledge(shop)


@pytest.mark.parametrize(
    ("start", "frequency", "now", "due"),
    [
        ("2026-01-31", MONTHLY, "2026-01-31", "2026-02-28"),
        ("2026-01-31", MONTHLY, "2026-02-28", "2026-03-31"),
        ("2028-01-31", MONTHLY, "2028-02-01", "2028-02-29"),
        ("2026-01-31", MONTHLY, "2026-04-30", "2026-05-31"),
        ("2026-11-30", QUARTERLY, "2026-11-30", "2027-02-28"),
        ("2026-11-30", QUARTERLY, "2027-02-28", "2027-05-30"),
        ("2028-02-29", YEARLY, "2028-02-29", "2029-02-28"),
        ("2028-02-29", YEARLY, "2031-12-31", "2032-02-29"),
        ("2026-11-20", MONTHLY, "2027-11-19", "2027-11-20"),
        ("2026-11-20", MONTHLY, "2027-11-20", "2027-12-20"),
    ],
)
def test_a_due_date_is_the_same_day_of_a_later_month_or_its_last(
    start: str, frequency: Frequency, now: str, due: str
) -> None:
    day = [datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (start, now, due)]
    assert next_due(day[0], frequency, day[1]) == day[2]


def test_nobody_is_reminded_before_the_first_gift_has_come(shop: GivingShop) -> None:
    session = shop.give(shop.add_campaign(), "10", frequency=MONTHLY, by_wallet=True)
    assert pledge(shop).next_at is None
    shop.pay(session)
    found = pledge(shop)
    assert found.next_at == next_due(found.created_at, MONTHLY, shop.shop.clock.now())


def test_a_card_that_is_charged_needs_no_reminder(shop: GivingShop) -> None:
    shop.pay(shop.give(shop.add_campaign(), "10", frequency=MONTHLY))
    found = pledge(shop)
    assert found.subscription_id is not None
    assert found.next_at is None


def test_a_promise_without_an_address_is_not_reminded_of(shop: GivingShop) -> None:
    assert promise(shop, donor=Donor(name="Jo")).next_at is None


def test_each_date_is_reminded_of_once(shop: GivingShop, office: PostOffice) -> None:
    before = promise(shop)
    assert before.next_at is not None
    shop.engine.pledges.remind()
    assert reminders(shop) == 0
    for turn in range(1, 4):
        due = pledge(shop).next_at
        assert due is not None
        shop.shop.clock.advance(due - shop.shop.clock.now())
        shop.engine.pledges.remind()
        shop.engine.pledges.remind()
        assert reminders(shop) == turn
    assert pledge(shop).reminders == 3
    a_mailroom(shop, office, Scribe()).deliver()
    mail = office.messages[-1]
    for kind in ("plain", "html"):
        words = part(mail, kind)
        assert "every month" in words
        assert "$10.00" in words
        assert f"/donate/{before.campaign_id}?amount=10.00" in words
        assert f"/donations/stop/{before.token}" in words
    assert mail["List-Unsubscribe"] == f"<http://127.0.0.1:8080/donations/stop/{before.token}>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_dates_that_passed_while_nobody_looked_are_one_reminder(shop: GivingShop) -> None:
    found = promise(shop)
    shop.shop.clock.advance(200 * DAY)
    shop.engine.pledges.remind()
    assert reminders(shop) == 1
    assert pledge(shop).next_at == next_due(found.created_at, MONTHLY, shop.shop.clock.now())


def test_two_workers_remind_once(shop: GivingShop) -> None:
    promise(shop)
    shop.shop.clock.advance(32 * DAY)
    with ThreadPoolExecutor(max_workers=4) as racers:
        for future in [racers.submit(shop.engine.pledges.remind) for _ in range(4)]:
            future.result()
    assert (reminders(shop), pledge(shop).reminders) == (1, 1)


def test_a_crash_before_the_commit_reminds_later_and_once(shop: GivingShop, monkeypatch: pytest.MonkeyPatch) -> None:
    before = promise(shop)
    shop.shop.clock.advance(32 * DAY)

    def crash(*_: object) -> None:
        raise CrashError

    with monkeypatch.context() as patch:
        patch.setattr(pledges_module, "queue_mail", crash)
        with pytest.raises(CrashError):
            shop.engine.pledges.remind()
    assert (reminders(shop), pledge(shop)) == (0, before)
    shop.engine.pledges.remind()
    shop.engine.pledges.remind()
    assert reminders(shop) == 1


def test_a_campaign_that_is_over_reminds_nobody(shop: GivingShop) -> None:
    promise(shop)
    table = schema.campaign
    shop.shop.db.write(lambda tx: tx.execute(update(table).values(closed_at=shop.shop.clock.now())))
    shop.shop.clock.advance(32 * DAY)
    shop.engine.pledges.remind()
    assert (reminders(shop), pledge(shop).next_at) == (0, None)


def test_a_stop_link_ends_reminders_and_works_twice(shop: GivingShop) -> None:
    token = promise(shop).token
    shop.shop.clock.advance(32 * DAY)
    assert shop.engine.stopping.stop(token).pledge.stopped_at == shop.shop.clock.now()
    stopped = pledge(shop)
    shop.shop.clock.advance(DAY)
    assert shop.engine.stopping.stop(token).pledge == stopped
    shop.engine.pledges.remind()
    assert reminders(shop) == 0
    with pytest.raises(NotFoundError):
        shop.engine.stopping.stop("guessed")


def test_a_reminder_that_waits_does_not_go_out_after_the_stop(shop: GivingShop, office: PostOffice) -> None:
    token = promise(shop).token
    shop.shop.clock.advance(32 * DAY)
    shop.engine.pledges.remind()
    shop.engine.stopping.stop(token)
    a_mailroom(shop, office, Scribe()).deliver()
    (mail,) = [mail for mail in mails_of(shop) if mail.kind is MailKind.REMINDER]
    assert mail.status is MailStatus.FAILED
    assert not [
        message for message in office.messages if "List-Unsubscribe" in message and "again" in message["Subject"]
    ]


def test_a_gift_that_comes_after_the_stop_starts_nothing_again(shop: GivingShop) -> None:
    session = shop.give(shop.add_campaign(), "10", frequency=MONTHLY, by_wallet=True)
    shop.engine.stopping.stop(pledge(shop).token)
    shop.pay(session)
    assert pledge(shop).next_at is None


def test_a_stop_link_cancels_the_cards_subscription_at_its_provider(shop: GivingShop) -> None:
    shop.pay(shop.give(shop.add_campaign(), "10", frequency=MONTHLY))
    found = pledge(shop)
    shop.engine.stopping.stop(found.token)
    shop.engine.stopping.stop(found.token)
    (at_bank,) = [one for one in shop.shop.bank.newest("subscription", limit=10) if one["status"] != "incomplete"]
    assert at_bank["status"] == "canceled"
    shown = shop.engine.subscriptions.retrieve(shop.shop.owner, str(found.subscription_id))
    assert shown["status"] == SubscriptionStatus.CANCELED.value
    assert pledge(shop).stopped_at is not None
    shop.shop.pass_time(70 * DAY)
    shop.engine.sweep()
    shop.shop.catch_up()
    assert len(shop.donations()) == 1, "nothing is charged after it"


def test_a_provider_that_does_not_confirm_leaves_the_promise_standing(shop: GivingShop) -> None:
    shop.pay(shop.give(shop.add_campaign(), "10", frequency=MONTHLY))
    found = pledge(shop)
    shop.shop.fault("500_before", times=9)
    with pytest.raises(WorldError):
        shop.engine.stopping.stop(found.token)
    assert pledge(shop).stopped_at is None
