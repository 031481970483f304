"""The dashboard in a real browser: every page accessible, within its window, in both schemes; used by keyboard."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from gateway.engine.donations.giving import Donor
from gateway.engine.donations.guard import Visitor
from gateway.kernel.money import Money
from gateway.storage.database import open_database
from gateway.storage.migrate import upgrade
from tests.browser.conftest import NewContext
from tests.browser.test_every_state import RULES, RUN_AXE
from tests.cards.stage import a_bank
from tests.checkout.house import serving
from tests.dashboard.stage import Desk
from tests.widget.stage import Campaigns, campaigns

SMALL = """() => [...document.querySelectorAll("button, summary, nav a")]
  .filter((one) => one.checkVisibility() && one.getBoundingClientRect().height < 40)
  .map((one) => one.outerHTML.slice(0, 120))"""


@pytest.fixture(scope="module")
def shop(create_database: Callable[[str], str]) -> Iterator[Campaigns]:
    """Return a merchant with a busy year behind him."""
    url = create_database("sqlite")
    database = open_database(url)
    upgrade(database)
    database.close()
    with a_bank() as bank, campaigns(url, bank) as opened:
        yield opened


@pytest.fixture(scope="module")
def busy(shop: Campaigns) -> dict[str, str]:
    """Fill the dashboard; return its pages by name."""
    now = shop.shop.clock.now()
    river = shop.add_campaign(title="Clean rivers for the whole valley", goal=Money(250_000, "USD"))
    quiet = shop.add_campaign(title="Night buses")
    for day in range(0, 300, 3):
        shop.add_gift(river, 1_000 + day * 37 % 4_000, now - timedelta(days=day), gone=500 if day % 9 == 0 else 0)
    donor = Donor(name="Ada Lovelace", email="ada@example.org", comment="For the otters.\nAnd for the herons.")
    shop.pay(shop.give(river, donor=donor, on_wall=True))
    for _ in range(30):
        shop.engine.guard.admit(river, Visitor(address="203.0.113.7"))
    return {
        "donations": "/donations",
        "campaign": f"/donations/{river.id}",
        "year": f"/donations/{river.id}?span=12m",
        "quiet": f"/donations/{quiet.id}",
        "comments": "/donations/comments",
        "blocked": "/donations/blocked",
        "gone": "/donations/cmp_01jd4k0000e008000000000000",
    }


@pytest.fixture(scope="module")
def origin(shop: Campaigns) -> Iterator[str]:
    """Serve the dashboard, and prove at the end that no page of it broke its policy."""
    with serving(shop.app) as address:
        yield address
    assert shop.app.extensions["csp_reports"].count == 0


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_every_page_is_accessible_and_fits(
    width: int,
    scheme: str,
    *,
    shop: Campaigns,
    busy: dict[str, str],
    origin: str,
    new_context: NewContext,
    axe_source: str,
) -> None:
    page = new_context(viewport={"width": width, "height": 900}, color_scheme=scheme).new_page()
    wrong: list[Any] = []

    def judge(name: str) -> None:
        page.evaluate(axe_source)
        found = page.evaluate(RUN_AXE, RULES)
        wrong.extend((name, one) for one in (*found["violations"], *found["incomplete"], *page.evaluate(SMALL)))
        if (over := page.evaluate("document.documentElement.scrollWidth - innerWidth")) > 0:
            wrong.append((name, f"{over} px too wide"))

    page.goto(f"{origin}/dashboard")
    judge("outside")
    page.goto(f"{origin}{Desk(shop).link()}")
    judge("enter")
    page.get_by_role("button", name="Open the dashboard").click()
    for name, path in busy.items():
        page.goto(f"{origin}/dashboard{path}")
        for details in page.locator("details").all():
            details.evaluate("one => { one.open = true; }")
        judge(name)
    assert wrong == []


def test_staff_shows_a_comment_by_keyboard_and_leaves(
    shop: Campaigns, busy: dict[str, str], origin: str, new_context: NewContext
) -> None:
    page = new_context(viewport={"width": 1280, "height": 900}, java_script_enabled=False).new_page()
    page.goto(f"{origin}{Desk(shop).link()}")
    page.get_by_role("button", name="Open the dashboard").press("Enter")
    page.get_by_role("link", name="1 comment waits for you").press("Enter")
    page.get_by_role("button", name="Show it from Ada Lovelace").press("Enter")
    page.get_by_text("No comment waits.").wait_for()
    page.get_by_role("link", name="Donations").press("Enter")
    page.get_by_role("link", name="Clean rivers").press("Enter")
    page.get_by_text("The same as a table").press("Enter")
    assert page.url.endswith(busy["campaign"])
    page.get_by_role("button", name="Leave").press("Enter")
    page.get_by_role("heading", name="You have left the dashboard").wait_for()
    page.goto(f"{origin}/dashboard/donations")
    page.get_by_role("heading", name="The dashboard is for staff").wait_for()
