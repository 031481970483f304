"""What a campaign collected, exact to the unit and to the microsecond: by day, by month, gift by gift."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from gateway.kernel.errors import InvalidRequestError, NotFoundError
from gateway.reporting import donations
from gateway.reporting.donations import CSV_HEAD, DonationReports
from tests.donations.stage import GivingShop

DAY = date(2026, 11, 20)
MIDNIGHT = datetime(2026, 11, 20, tzinfo=UTC)
HUGE = 10**30  # wei of a whale: more than 64 bits hold


def test_a_campaigns_days_begin_and_end_at_midnight_of_utc(shop: GivingShop) -> None:
    campaign = shop.add_campaign()
    last_moment = MIDNIGHT + timedelta(days=1) - timedelta(microseconds=1)
    for moment in (MIDNIGHT - timedelta(microseconds=1), MIDNIGHT, last_moment, MIDNIGHT + timedelta(days=3)):
        shop.add_gift(campaign, 500, moment, gone=200)
    shop.add_gift(campaign, 700, None)
    shop.add_gift(shop.add_campaign(), 900, MIDNIGHT)
    found = shop.engine.campaigns.by_day(shop.owner, campaign.id, DAY, DAY + timedelta(days=3))
    assert [(one.day.day, one.count, one.received.major, one.reversed_.major) for one in found] == [
        (20, 2, "10.00", "4.00"), (23, 1, "5.00", "2.00"),
    ]  # fmt: skip


def test_the_sums_of_a_day_are_exact_beyond_sixty_four_bits(shop: GivingShop) -> None:
    campaign = shop.add_campaign()
    for units in (HUGE, HUGE + 1):
        shop.add_gift(campaign, units, MIDNIGHT, gone=units - 1)
    (day,) = shop.engine.campaigns.by_day(shop.owner, campaign.id, DAY, DAY)
    assert (day.received.atomic, day.reversed_.atomic) == (2 * HUGE + 1, 2 * HUGE - 1)


@pytest.mark.parametrize("until", [DAY - timedelta(days=1), DAY + timedelta(days=3_660)])
def test_days_run_forwards_and_not_for_ever(shop: GivingShop, until: date) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        shop.engine.campaigns.by_day(shop.owner, shop.add_campaign().id, DAY, until)
    assert refused.value.param == "/until"


def test_the_days_of_a_strangers_campaign_are_not_found(shop: GivingShop) -> None:
    campaign = shop.add_campaign()
    for stranger in (replace(shop.owner, merchant_id="mer_other"), replace(shop.owner, livemode=True)):
        with pytest.raises(NotFoundError):
            shop.engine.campaigns.by_day(stranger, campaign.id, DAY, DAY)


def test_a_campaigns_months_and_its_page_add_up_its_days(shop: GivingShop) -> None:
    campaign = shop.add_campaign()
    for days, units, gone in ((0, HUGE, 0), (1, 700, 200), (1, 300, 300), (40, 1, 0)):
        shop.add_gift(campaign, units, MIDNIGHT + timedelta(days=days), gone=gone)
    report = reports_of(shop).campaign(campaign.id)
    assert (report.whole.count, report.whole.received.atomic, report.whole.reversed_.atomic) == (4, HUGE + 1001, 500)
    assert [(one.name, one.sums.count, one.sums.received.atomic) for one in report.months] == [
        ("2026-11", 3, HUGE + 1000), ("2026-12", 1, 1),
    ]  # fmt: skip
    page = shop.engine.showing.campaign(campaign.id)
    assert (page.raised.atomic, page.gifts) == (HUGE + 501, 3)
    assert reports_of(shop).campaigns(shop.owner.merchant_id, livemode=False)[campaign.id] == report.whole


def test_every_gift_is_a_row_once_however_the_chunks_are_cut(shop: GivingShop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(donations, "CHUNK", 3)
    campaign = shop.add_campaign()
    for place in range(8):  # four moments, two gifts each: a chunk ends between two of one moment
        shop.add_gift(campaign, 100 + place, MIDNIGHT + timedelta(seconds=place // 2))
    shop.add_gift(campaign, 999, None)
    amounts = [row[CSV_HEAD.index("amount")] for row in reports_of(shop).rows(campaign_id=campaign.id)]
    assert sorted(amounts) == [f"1.0{place}" for place in range(8)]


def reports_of(shop: GivingShop) -> DonationReports:
    return DonationReports(shop.db, shop.engine.core.journal)
