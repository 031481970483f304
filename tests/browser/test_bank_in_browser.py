"""The Test Bank's pages in a real Chromium: the way back to another origin, keyboard, reflow, accessibility."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask, Response
from playwright.sync_api import expect

from sandbox.test_bank.app import create_app
from sandbox.test_bank.bank import Bank
from tests.browser.conftest import NewContext
from tests.browser.test_every_state import RULES, RUN_AXE
from tests.checkout.house import serving

if TYPE_CHECKING:
    from playwright.sync_api import Page

UNLISTED = "4539 5787 6362 1486"  # Luhn-valid, and no test card
KEY = {"Authorization": "Bearer sk_test_pages"}
MEASURE = """() => ({
  overflow: document.documentElement.scrollWidth - innerWidth,
  small: [...document.querySelectorAll("button, summary, .button, .chip, nav a, .cards a, input, select")]
    .filter((one) => one.checkVisibility() && one.type !== "hidden" && !one.closest(".choice"))
    .filter((one) => one.getBoundingClientRect().height < 44)
    .map((one) => one.outerHTML.slice(0, 120)),
})"""


@pytest.fixture(scope="module")
def bank_app() -> Flask:
    return create_app(Bank(seed="browser"))


@pytest.fixture(scope="module")
def bank_origin(bank_app: Flask) -> Iterator[str]:
    with serving(bank_app) as address:
        yield address


@pytest.fixture(scope="module")
def shop_origin() -> Iterator[str]:
    shop = Flask("shop")
    shop.add_url_rule("/<path:path>", "page", lambda path: Response(f"<title>{path}</title>"))
    with serving(shop) as address:
        yield address


@pytest.fixture
def open_session(bank_app: Flask, shop_origin: str) -> Any:
    def make(**params: str) -> str:
        given = {
            "mode": "payment",
            "success_url": shop_origin + "/thanks?cs={CHECKOUT_SESSION_ID}",
            "cancel_url": shop_origin + "/cart",
            "line_items[0][price_data][currency]": "eur",
            "line_items[0][price_data][unit_amount]": "2490",
            "line_items[0][price_data][product_data][name]": "Wool socks",
            "line_items[0][quantity]": "1",
            "allowed_payment_method_types[0]": "card",
            "allowed_payment_method_types[1]": "sepa_debit",
        } | params
        answer = bank_app.test_client().post("/v1/checkout/sessions", data=given, headers=KEY)
        assert answer.status_code == 200, answer.text
        return str(answer.get_json()["id"])

    return make


def watched(page: "Page") -> list[str]:
    """Return the list in which the browser's complaints about a page's policy will stand."""
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None)
    return complaints


@pytest.mark.parametrize("has_script", [True, False])
def test_a_decline_a_challenge_and_the_way_back_to_another_origin(
    bank_origin: str, shop_origin: str, open_session: Any, new_context: NewContext, *, has_script: bool
) -> None:
    page = new_context(java_script_enabled=has_script, viewport={"width": 390, "height": 844}).new_page()
    complaints, session = watched(page), open_session()
    page.goto(f"{bank_origin}/c/pay/{session}")
    page.get_by_role("link", name="No funds").click()
    page.get_by_role("button", name="Pay €24.90").click()
    page.wait_for_url("**declined=insufficient_funds")
    expect(page.locator("#problems")).to_be_focused()
    expect(page.locator("#problems")).to_contain_text("insufficient funds")
    page.get_by_role("link", name="3-D Secure").first.click()
    page.get_by_role("button", name="Pay €24.90").click()
    page.get_by_role("button", name="Complete").click()
    page.wait_for_url(f"{shop_origin}/thanks?cs={session}")
    assert complaints == []


def test_a_form_that_redirected_straight_to_the_shop_would_be_stopped(
    bank_origin: str, shop_origin: str, open_session: Any, new_context: NewContext
) -> None:
    """The reason for the page in between: without it, the policy stops Chromium on the last step."""
    page = new_context().new_page()
    page.goto(f"{bank_origin}/c/pay/{open_session()}")
    page.route(
        "**/c/pay/*",
        lambda route: (
            route.fulfill(status=303, headers={"Location": f"{shop_origin}/thanks"})
            if route.request.method == "POST"
            else route.continue_()
        ),
    )
    page.get_by_role("link", name="Succeeds").first.click()
    with page.expect_console_message(lambda said: "form-action" in said.text):
        page.get_by_role("button", name="Pay €24.90").click()
    expect(page).to_have_title(re.compile("Pay"))


def test_a_number_outside_the_list_never_leaves_the_browser(
    bank_origin: str, open_session: Any, new_context: NewContext
) -> None:
    page = new_context().new_page()
    page.goto(f"{bank_origin}/c/pay/{open_session()}")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    page.get_by_role("link", name="Succeeds").first.click()
    page.get_by_label("Card number").fill(UNLISTED)
    page.get_by_role("button", name="Pay €24.90").click()
    expect(page.get_by_text("This page takes no real card.")).to_be_visible()
    expect(page.get_by_label("Card number")).to_be_focused()
    expect(page.get_by_label("Card number")).to_have_value("")
    assert sent == []


def test_the_form_is_filled_by_the_keyboard_alone_as_it_is_printed_on_the_card(
    bank_origin: str, shop_origin: str, open_session: Any, new_context: NewContext
) -> None:
    page = new_context().new_page()
    session = open_session()
    page.goto(f"{bank_origin}/c/pay/{session}")
    page.get_by_label("E-mail").focus()
    for typed in ("ada@example.com", "378282246310005", "1234", "1234", "Ada"):
        page.keyboard.type(typed)
        page.keyboard.press("Tab")
    assert page.get_by_label("Card number").input_value() == "3782 822463 10005"
    assert page.get_by_label("Expires").input_value() == "12 / 34"
    expect(page.locator("#brand")).to_have_text("American Express")
    expect(page.get_by_role("button", name="Pay €24.90")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url(f"{shop_origin}/thanks?cs={session}")


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_every_page_of_the_bank_is_accessible_and_fits(
    width: int, scheme: str, *, bank_origin: str, open_session: Any, new_context: NewContext, axe_source: str
) -> None:
    page = new_context(viewport={"width": width, "height": 900}, color_scheme=scheme).new_page()
    session, done = open_session(), open_session(submit_type="donate")
    post = page.request.post
    post(f"{bank_origin}/c/pay/{done}", form={"method": "debit", "outcome": "succeed"})
    paths = [
        "/",
        "/control?done=1",
        "/c/expired",
        "/c/pay/none",
        f"/c/pay/{session}",
        f"/c/pay/{session}?method=debit",
        f"/c/pay/{session}?declined=expired_card&card=0069",
        f"/c/pay/{session}?left=1",
        f"/c/pay/{done}",
    ]
    wrong = []
    for path in paths:
        page.goto(bank_origin + path)
        wrong += [f"{path}: {problem}" for problem in problems(page, axe_source)]
    page.goto(f"{bank_origin}/c/pay/{session}")
    page.get_by_text("All test cards").click()
    page.get_by_role("link", name="Succeeds (Visa)").click()
    page.get_by_label("Security code").fill("1")
    page.get_by_role("button", name="Pay €24.90").click()
    expect(page.locator("#problems")).to_be_focused()
    wrong += [f"problems: {problem}" for problem in problems(page, axe_source)]
    page.get_by_role("link", name="3-D Secure").first.click()
    page.get_by_role("button", name="Pay €24.90").click()
    page.wait_for_url("**/3ds/*")
    wrong += [f"challenge: {problem}" for problem in problems(page, axe_source)]
    assert wrong == []


def problems(page: "Page", axe_source: str) -> list[str]:
    """Return everything that is wrong with the page as it stands."""
    page.evaluate(axe_source)
    found: dict[str, Any] = page.evaluate(RUN_AXE, RULES)
    shape: dict[str, Any] = page.evaluate(MEASURE)
    wrong = [f"violation {one}" for one in found["violations"]] + [f"incomplete {one}" for one in found["incomplete"]]
    wrong += [f"target under 44 px: {one}" for one in shape["small"]]
    return wrong + ([f"{shape['overflow']} px wider than the window"] if shape["overflow"] > 0 else [])
