"""What staff sees of campaigns: sums, days, debts, comments and blocked attempts, of this merchant alone."""

import csv
import html
import io
import re
from datetime import UTC, datetime, timedelta

import pytest

from gateway.engine.donations.giving import Donor
from gateway.engine.donations.guard import Visitor
from gateway.engine.donations.records import CampaignRecord
from gateway.engine.paging import PageRequest
from gateway.kernel.money import Money
from hosted_checkout.dashboard.charts import HEIGHT, Point, bar_chart
from hosted_checkout.dashboard.presentation import every_day
from tests.dashboard.stage import Desk, words
from tests.widget.stage import Campaigns


@pytest.fixture
def inside(desk: Desk) -> Desk:
    desk.come_in()
    return desk


def comment(shop: Campaigns, campaign: CampaignRecord, name: str, words: str | None) -> None:
    """Give, with words for the wall, and pay."""
    donor = Donor(name=name, email="jo@example.com", comment=words)
    shop.pay(shop.give(campaign, donor=donor, on_wall=True))


def test_a_dashboard_without_anything_says_what_to_do(inside: Desk) -> None:
    page = inside.read()
    assert "There is no campaign yet" in page
    assert "No charity waits for money" in page
    assert "Nobody was stopped" in inside.read("/dashboard/donations/blocked")
    assert "No comment waits" in inside.read("/dashboard/donations/comments")


def test_the_list_sums_what_each_campaign_kept(inside: Desk) -> None:
    shop, now = inside.shop, inside.shop.shop.clock.now()
    full = shop.add_campaign(title="Wells", goal=Money(10_000, "USD"))
    shop.add_campaign(title="Forests")
    shop.add_gift(full, 2_500, now)
    shop.add_gift(full, 1_000, now - timedelta(days=200), gone=400)
    shop.add_gift(full, 9_999, None)
    page = inside.read()
    assert "Wells $31.00 2 31 % River Fund Open" in page
    assert "Forests $0.00 0 none River Fund Open" in page


def test_a_campaign_shows_its_days_as_bars_and_as_a_table(inside: Desk) -> None:
    shop, now = inside.shop, inside.shop.shop.clock.now()
    campaign = shop.add_campaign(title="Wells")
    shop.add_gift(campaign, 2_500, now)
    shop.add_gift(campaign, 1_000, now - timedelta(days=3), gone=1_000)
    shop.add_gift(campaign, 700, now - timedelta(days=60))
    page = inside.read(f"/dashboard/donations/{campaign.id}")
    assert "Given $42.00 Gifts 3 Gone back $10.00" in page
    assert f"{now:%Y-%m-%d} 1 $25.00 $0.00" in page
    assert f"{now - timedelta(days=3):%Y-%m-%d} 1 $10.00 $10.00" in page
    assert f"{now - timedelta(days=60):%Y-%m-%d}" not in page
    assert f"{now - timedelta(days=60):%Y-%m-%d} 1 $7.00" in inside.read(f"/dashboard/donations/{campaign.id}?span=90d")
    assert f"{now:%Y-%m} 2 $35.00" in inside.read(f"/dashboard/donations/{campaign.id}?span=12m") or now.day <= 3


def test_what_is_owed_stands_in_one_step_of_age_each(inside: Desk) -> None:
    shop = inside.shop
    shop.pay(shop.give(shop.add_campaign()))
    page = inside.read()
    assert "Owed Up to 30 days 30 to 60 days 60 to 90 days Over 90 days" in page
    assert "River Fund $25.00 $25.00 $0.00 $0.00 $0.00" in page


def test_a_campaign_shows_what_to_paste_into_a_site(inside: Desk) -> None:
    named = inside.shop.add_campaign(title='Wells "&" more', origins=["https://river.example"])
    page = inside.browser.get(f"/dashboard/donations/{named.id}").text
    (shown,) = re.findall(r"<pre[^>]*><code>(.*?)</code></pre>", page, re.DOTALL)
    snippet = html.unescape(shown)
    assert re.search(r'<script type="module" src="https?://[^/"]+/embed/v1\.js"></script>', snippet)
    assert f'<streampay-donate campaign="{named.id}" label="Wells &quot;&amp;&quot; more">' in snippet
    assert "Only pages of https://river.example may show the form" in words(page)
    nowhere = inside.shop.add_campaign(origins=[])
    assert "No site may show the form yet" in inside.read(f"/dashboard/donations/{nowhere.id}")


def test_a_campaign_without_gifts_has_no_chart_and_says_so(inside: Desk) -> None:
    campaign = inside.shop.add_campaign()
    assert "Nothing was given in the last 30 days" in inside.read(f"/dashboard/donations/{campaign.id}?span=nonsense")


def test_the_csv_has_every_gift(inside: Desk) -> None:
    campaign = inside.shop.add_campaign()
    inside.shop.add_gift(campaign, 2_500, inside.shop.shop.clock.now())
    answer = inside.browser.get(f"/dashboard/donations/{campaign.id}.csv")
    head, row = csv.reader(io.StringIO(answer.text))
    assert dict(zip(head, row, strict=True))["amount_received"] == "25.00"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{campaign.id}.csv"'


@pytest.mark.parametrize("suffix", ["", ".csv"])
def test_somebody_elses_campaign_is_not_there(inside: Desk, migrated_url: str, bank: object, suffix: str) -> None:
    from tests.widget.stage import campaigns

    with campaigns(migrated_url, bank) as other:  # type: ignore[arg-type]  # the fixture's own
        theirs = other.add_campaign(title="Theirs")
        answer = inside.browser.get(f"/dashboard/donations/{theirs.id}{suffix}")
    assert (answer.status_code, "Theirs" in answer.text) == (404, False)


def test_what_donors_and_merchants_wrote_is_text(inside: Desk) -> None:
    campaign = inside.shop.add_campaign(title="<script>alert(1)</script>", shows_wall=True)
    comment(inside.shop, campaign, "<b>Mallory</b>", "<img src=x onerror=alert(1)>")
    for path in ("", "/comments", f"/{campaign.id}"):
        page = inside.browser.get(f"/dashboard/donations{path}").text
        assert "<script>alert" not in page
        assert "<b>Mallory" not in page
        assert "<img src=x" not in page
    assert "<img src=x onerror=alert(1)>" in inside.read("/dashboard/donations/comments")


@pytest.mark.parametrize("choice", ["shown", "hidden", "nonsense"])
def test_a_comment_waits_until_staff_shows_it_or_keeps_it_hidden(inside: Desk, choice: str) -> None:
    campaign = inside.shop.add_campaign(title="Wells")
    comment(inside.shop, campaign, "Ada", "Keep it clean")
    assert "1 comment waits for you" in inside.read()
    assert "Wells · $25.00" in inside.read("/dashboard/donations/comments")
    (waiting,) = inside.shop.engine.comments.page(inside.shop.owner, PageRequest()).data
    assert inside.press(f"/dashboard/donations/comments/{waiting['id']}", status=choice).status_code == 303
    assert "No comment waits" in inside.read("/dashboard/donations/comments")
    wall = inside.shop.engine.showing.campaign(campaign.id).wall
    assert [entry.comment for entry in wall] == (["Keep it clean"] if choice == "shown" else [])


def test_a_decision_can_be_changed_in_its_list(inside: Desk) -> None:
    campaign = inside.shop.add_campaign(title="Wells")
    comment(inside.shop, campaign, "Ada", "Keep it clean")
    (waiting,) = inside.shop.engine.comments.page(inside.shop.owner, PageRequest()).data
    path, lists = f"/dashboard/donations/comments/{waiting['id']}", "/dashboard/donations/comments?status="
    inside.press(path, status="shown")
    assert "Ada Keep it clean Hide it from Ada" in inside.read(f"{lists}shown")
    answer = inside.press(f"{path}?status=shown", status="hidden")
    assert answer.headers["Location"].endswith("status=shown"), "one stays in the list that one looked at"
    assert "There is none" in inside.read(f"{lists}shown")
    assert "Ada Keep it clean Show it from Ada" in inside.read(f"{lists}hidden")


def test_words_to_staff_alone_are_read_and_not_shown(inside: Desk) -> None:
    tribute = {"kind": "memory", "name": "Grace"}
    donor = Donor(name="Ada", email="jo@example.com", comment="For you", tribute=tribute)
    inside.shop.pay(inside.shop.give(inside.shop.add_campaign(), donor=donor, on_wall=False))
    assert "For you" not in inside.read("/dashboard/donations/comments")
    page = inside.read("/dashboard/donations/comments?status=private")
    assert "Ada In memory of Grace For you" in page
    assert "Show it" not in page


def test_who_only_wants_to_be_named_is_shown_so(inside: Desk) -> None:
    comment(inside.shop, inside.shop.add_campaign(), "Ada", None)
    assert "Ada No words: only the name, on the wall." in inside.read("/dashboard/donations/comments")


def test_blocked_attempts_say_what_happened_and_not_to_whom(inside: Desk) -> None:
    shop = inside.shop
    campaign = shop.add_campaign(title="Wells")
    visitor = Visitor(address="203.0.113.7", email="mallory@evil.example")
    for _ in range(40):
        shop.engine.guard.admit(campaign, visitor)
    page = inside.read("/dashboard/donations/blocked")
    assert re.search(r"Wells Stopped: began too many gifts from one address or e-mail\. \d\d", page)
    assert "203.0.113.7" not in page
    assert "mallory" not in page


def test_bars_are_exact_and_never_hide_what_is_there() -> None:
    given = [(1, 10**20, 0), (1, 1, 0), (2, 6 * 10**19, 3 * 10**19), (0, 0, 0)]
    points = [
        Point(label=str(place), count=count, received=Money(came, "USD"), reversed_=Money(gone, "USD"))
        for place, (count, came, gone) in enumerate(given, start=1)
    ]
    chart = bar_chart(points, lambda amount: amount.major)
    assert chart is not None
    assert [(bar.kept, bar.gone) for bar in chart.bars] == [(HEIGHT, 0), (HEIGHT // 100, 0), (300, 300), (0, 0)]
    assert chart.labels == ["1", "3", "4"]
    assert "of it went back" in chart.bars[2].text
    assert bar_chart(points[3:], lambda amount: amount.major) is None


def test_every_day_is_there_once() -> None:
    first = datetime(2026, 2, 27, tzinfo=UTC).date()
    days = every_day({}, first, first + timedelta(days=3), "JPY")
    assert [day.label for day in days] == ["2026-02-27", "2026-02-28", "2026-03-01", "2026-03-02"]
