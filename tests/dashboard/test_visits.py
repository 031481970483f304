"""Who is let in: a link works once and not for long, a visit ends, and nobody else sees or does anything."""

import re
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update

from gateway.engine.staff import IDLE, KEPT_FOR, LIFETIME, LINK_LIFETIME, Staff
from gateway.kernel.clock import real_clock
from gateway.storage import schema
from tests.dashboard.stage import Desk

PAGES = (
    "/dashboard",
    "/dashboard/donations",
    "/dashboard/donations/blocked",
    "/dashboard/donations/comments",
    "/dashboard/donations/cmp_01jd4k0000e008000000000000",
    "/dashboard/donations/cmp_01jd4k0000e008000000000000.csv",
)
FORMS = ("/dashboard/leave", "/dashboard/mode", "/dashboard/donations/comments/don_01jd4k0000e008000000000000")


def now(desk: Desk) -> datetime:
    return real_clock(desk.shop.engine.core.clock).now()


def age(desk: Desk, column: str, by: timedelta) -> None:
    """Make this merchant's links and visits that much older."""
    table = schema.staff_visit
    is_own = table.c.merchant_id == desk.shop.owner.merchant_id
    then = now(desk) - by
    desk.shop.db.write(lambda tx: tx.execute(update(table).where(is_own).values({column: then})))


@pytest.mark.parametrize("path", PAGES)
def test_a_stranger_reads_how_to_get_a_link_and_nothing_else(desk: Desk, path: str) -> None:
    desk.shop.add_campaign(title="Nobody's business")
    answer = desk.browser.get(path)
    assert answer.status_code == 401
    assert "streampay-server dashboard" in answer.text
    assert "Nobody's business" not in answer.text


@pytest.mark.parametrize("path", FORMS)
def test_a_stranger_changes_nothing(desk: Desk, path: str) -> None:
    assert desk.press(path, mode="live", status="shown").status_code == 401


def test_a_link_lets_in_once(desk: Desk) -> None:
    link = desk.link()
    assert desk.browser.get(link).status_code == 200, "looking does not use it up"
    assert desk.press(link).location == "/dashboard/donations"
    assert "Campaigns" in desk.read()
    again = Desk(desk.shop)
    assert again.press(link).status_code == 401
    assert again.browser.get("/dashboard/donations").status_code == 401


def test_a_link_is_good_for_ten_minutes(desk: Desk) -> None:
    link = desk.link()
    age(desk, "created_at", LINK_LIFETIME + timedelta(seconds=1))
    answer = desk.press(link)
    assert (answer.status_code, "does not work any more" in answer.text) == (401, True)
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("link", ["x", "%00", "é" * 43, "A" * 43, "A" * 5000])
def test_a_link_that_never_was(desk: Desk, link: str) -> None:
    assert desk.press(f"/dashboard/enter/{link}").status_code == 401


@pytest.mark.parametrize("cookie", ["x", "\\000", "A" * 43, "A" * 3000])
def test_a_cookie_that_never_was(desk: Desk, cookie: str) -> None:
    desk.browser.set_cookie("streampay-staff", cookie)
    assert desk.browser.get("/dashboard/donations").status_code == 401


@pytest.mark.parametrize(
    ("column", "by"),
    [("seen_at", IDLE), ("entered_at", LIFETIME), ("left_at", timedelta())],
    ids=["silence", "twelve hours", "left elsewhere"],
)
def test_a_visit_ends(desk: Desk, column: str, by: timedelta) -> None:
    desk.come_in()
    age(desk, column, by + timedelta(seconds=1))
    assert desk.browser.get("/dashboard/donations").status_code == 401


def test_looking_keeps_a_visit_alive(desk: Desk) -> None:
    desk.come_in()
    age(desk, "seen_at", IDLE - timedelta(minutes=1))
    desk.read()
    table = schema.staff_visit
    query = select(table.c.seen_at).where(table.c.merchant_id == desk.shop.owner.merchant_id)
    assert now(desk) - desk.shop.db.read(lambda tx: tx.execute(query).scalar_one()) < timedelta(minutes=1)


def test_leaving_ends_the_visit_on_the_server_too(desk: Desk) -> None:
    desk.come_in()
    cookie = desk.browser.get_cookie("streampay-staff")
    assert cookie is not None
    assert "You have left" in desk.press("/dashboard/leave").text
    desk.browser.set_cookie("streampay-staff", cookie.value)
    assert desk.browser.get("/dashboard/donations").status_code == 401


def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(desk: Desk) -> None:
    header = desk.press(desk.link()).headers["Set-Cookie"]
    assert re.search(r"; HttpOnly(;|$)", header)
    assert "; SameSite=Lax" in header


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}])
def test_another_site_presses_nothing(desk: Desk, headers: dict[str, str]) -> None:
    desk.come_in()
    assert desk.browser.post("/dashboard/leave", headers=headers).status_code == 403
    assert "Campaigns" in desk.read()


def test_neither_link_nor_visit_stands_in_the_database(desk: Desk) -> None:
    link = desk.link()
    desk.press(link)
    cookie = desk.browser.get_cookie("streampay-staff")
    assert cookie is not None
    rows = desk.shop.db.read(lambda tx: str(tx.execute(select(schema.staff_visit)).all()))
    assert link.rpartition("/")[2] not in rows
    assert cookie.value not in rows


def test_old_ones_are_forgotten(desk: Desk) -> None:
    desk.come_in()
    age(desk, "created_at", KEPT_FOR + timedelta(seconds=1))
    assert Staff(desk.shop.engine.core).prune() >= 1
    assert desk.browser.get("/dashboard/donations").status_code == 401


def test_staff_turns_from_test_money_to_real_money_and_back(desk: Desk) -> None:
    campaign = desk.shop.add_campaign(title="Only a test")
    desk.come_in()
    assert "Only a test" in desk.read()
    desk.press("/dashboard/mode", mode="live")
    assert "Only a test" not in desk.read()
    assert desk.browser.get(f"/dashboard/donations/{campaign.id}").status_code == 404
    desk.press("/dashboard/mode", mode="test")
    assert "Test mode" in desk.read()
