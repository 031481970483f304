"""The page follows the server in place: calm, aloud once, and without losing the reader's place."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from gateway.domain.words import LatePolicy
from gateway.kernel.clock import ManualClock
from gateway.kernel.errors import ErrorCode, TemporaryError
from hosted_checkout.checkout.samples import SAMPLE_TIME, sample, sample_attempt, sample_page
from tests.browser.conftest import NewContext
from tests.checkout.house import StatesGallery, a_checkout_app, a_clock, serving

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

NOW = SAMPLE_TIME
# Count what the one live region says, as a screen reader would read it out.
LISTEN = """() => {
  window.heard = [];
  const region = document.querySelector("[role=status]");
  new MutationObserver(() => {
    window.heard.push(region.innerText.trim());
  }).observe(region, { childList: true, subtree: true, characterData: true });
  window.region = region;
}"""


@dataclass
class Live:
    """A served page whose state the test moves."""

    url: str
    origin: str
    verbs: StatesGallery
    clock: ManualClock

    def show(self, name: str) -> None:
        self.verbs.pages["x"] = sample(name, self.clock.now())[0]


@pytest.fixture
def live() -> Iterator[Live]:
    clock = a_clock()
    verbs = StatesGallery(clock)
    app = a_checkout_app(verbs)
    with serving(app) as origin:
        shown = Live(f"{origin}/pay/x", origin, verbs, clock)
        shown.show("chosen")
        yield shown
    assert app.extensions["csp_reports"].count == 0


def test_each_step_is_said_once_in_the_same_region_without_a_reload(live: Live, new_context: NewContext) -> None:
    page = new_context().new_page()
    page.goto(live.url)
    page.evaluate(LISTEN)
    steps = {
        "seen": "Payment seen. Waiting for the first confirmation.",
        "confirming": "Payment seen. Confirming, 12 of 32.",
        "paid": "Paid. Thank you.",
    }
    for name, words in steps.items():
        live.show(name)
        expect(page.get_by_role("status")).to_have_text(words)
    assert page.evaluate("window.heard") == list(steps.values())
    assert page.evaluate("window.region.isConnected")
    assert page.title() == "Paid. Thank you. · Northwind Outfitters"
    assert "icon-good" in (page.locator("#icon").get_attribute("href") or "")
    expect(page.locator("svg.qr")).to_have_count(0)
    expect(page.locator("#amount")).to_contain_text("Paid")
    expect(page.get_by_role("link", name="Back to shop.northwind.example")).to_have_attribute(
        "href", "https://shop.northwind.example/orders/1001"
    )


def test_news_that_leave_the_sentence_alone_are_not_read_out_again(live: Live, new_context: NewContext) -> None:
    page = new_context().new_page()
    page.goto(live.url)
    page.evaluate(LISTEN)
    live.verbs.pages["x"] = replace(live.verbs.pages["x"], methods=())
    expect(page.get_by_role("button", name="USD Coin")).to_have_count(0)
    assert page.evaluate("window.heard") == []


def test_a_final_page_asks_no_more(live: Live, new_context: NewContext) -> None:
    live.show("paid")
    page = new_context().new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(live.url)
    page.wait_for_timeout(2500)
    assert [url for url in asked if "/status" in url] == []


def test_an_unchanged_page_costs_304_and_fetches_nothing_else(live: Live, new_context: NewContext) -> None:
    page = new_context().new_page()
    answers: list[tuple[str, int]] = []
    page.on("response", lambda answer: answers.append((answer.url.removeprefix(live.origin), answer.status)))
    page.goto(live.url)
    page.wait_for_timeout(5500)
    polls = [status for path, status in answers if "/status" in path]
    assert [path for path, _ in answers].count("/pay/x") == 1
    assert not [path for path, _ in answers if path.startswith("/pay/x?")]
    assert polls[0] == 200
    assert set(polls[1:]) == {304}
    assert 2 <= len(polls) <= 5


def test_a_busy_server_is_left_alone_as_long_as_it_asks(live: Live, new_context: NewContext) -> None:
    page = new_context().new_page()
    asked: list[str] = []

    def refuse(route: "Route") -> None:
        asked.append(route.request.url)
        route.fulfill(status=429, headers={"Retry-After": "30"}, body="")

    page.route("**/status*", refuse)
    page.goto(live.url)
    page.wait_for_timeout(5000)
    assert len(asked) == 1
    expect(page.get_by_role("status")).to_contain_text("Waiting for your payment")


def test_a_problem_is_told_once_and_goes_with_the_next_news(live: Live, new_context: NewContext) -> None:
    page = new_context().new_page()
    live.verbs.failures["choose_method"] = TemporaryError(ErrorCode.RATE_UNAVAILABLE, "no rate")
    page.goto(f"{live.url}?lang=en")
    page.get_by_role("button", name="USD Coin").click()
    expect(page.get_by_role("status")).to_contain_text("There is no fresh price for this currency right now")
    assert page.url == f"{live.url}?lang=en"
    live.show("seen")
    expect(page.get_by_role("status")).to_have_text("Payment seen. Waiting for the first confirmation.")


def test_focus_and_open_questions_survive_news(live: Live, new_context: NewContext) -> None:
    live.show("underpaid")
    page = new_context().new_page()
    page.goto(live.url)
    page.get_by_text("What if I am late?").click()
    page.get_by_role("button", name="Copy address").focus()
    moved = sample_attempt(NOW, rest=sample_attempt(NOW).due)
    live.verbs.pages["x"] = replace(live.verbs.pages["x"], attempt=moved, late_policy=LatePolicy.REFUND)
    expect(page.get_by_role("heading", name="Send \u20660.121543")).to_be_visible()
    expect(page.get_by_role("button", name="Copy address")).to_be_focused()
    expect(page.get_by_text("Northwind Outfitters returns it; ask the shop.")).to_be_visible()


def test_focus_on_what_is_gone_moves_to_the_status(live: Live, new_context: NewContext) -> None:
    page = new_context().new_page()
    page.goto(live.url)
    page.get_by_role("button", name="Copy address").focus()
    live.show("seen")
    expect(page.get_by_role("status")).to_contain_text("Payment seen.")
    expect(page.locator("#status")).to_be_focused()


def test_a_lost_connection_is_said_and_its_return_too(live: Live, new_context: NewContext) -> None:
    context = new_context()
    page = context.new_page()
    page.goto(live.url)
    context.set_offline(True)
    expect(page.get_by_role("status")).to_have_text(
        "No connection. What you see may be out of date; this page keeps trying."
    )
    live.show("seen")
    context.set_offline(False)
    expect(page.get_by_role("status")).to_contain_text("Payment seen.")


def open_at(new_context: NewContext, live: Live, left: timedelta) -> "Page":
    """Open the page with so much time left, and a browser clock that the test moves."""
    live.verbs.pages["x"] = sample_page(
        live.clock.now(), attempt=sample_attempt(live.clock.now(), expires_at=live.clock.now() + left)
    )
    page = new_context().new_page()
    page.clock.install(time=live.clock.now())
    page.goto(live.url)
    page.evaluate(LISTEN)
    return page


def test_the_clock_is_hidden_until_three_minutes_and_said_at_two_and_at_half_a_minute(
    live: Live, new_context: NewContext
) -> None:
    page = open_at(new_context, live, timedelta(minutes=4))
    box = page.locator(".deadline")
    expect(box).to_be_hidden()
    page.clock.run_for(61_000)
    expect(box).to_be_visible()
    expect(page.locator(".clock")).to_have_text("2:59")
    expect(page.get_by_role("button", name="I need more time")).to_be_visible()
    assert page.evaluate("window.heard") == []
    page.clock.run_for(60_000)
    assert page.evaluate("window.heard")[0].endswith("2 minutes left.")
    page.clock.run_for(90_000)
    assert [one for one in page.evaluate("window.heard") if "left" in one][-1].endswith("30 seconds left.")
    assert len([one for one in page.evaluate("window.heard") if "left" in one]) == 2


def test_a_copy_button_copies_plain_text_and_says_what(live: Live, new_context: NewContext) -> None:
    context = new_context()
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(f"{live.url}?lang=de")
    page.get_by_role("button", name="Betrag kopieren").click()
    expect(page.get_by_role("status")).to_contain_text("Betrag kopiert.")
    expect(page.locator("#copy-amount")).to_have_text("Betrag kopiert.")  # where a phone's owner looks
    expect(page.locator("#copy-amount")).to_have_text("Betrag kopieren")
    assert page.evaluate("navigator.clipboard.readText()") == "0.121543"
    page.get_by_role("button", name="Adresse kopieren").click()
    expect(page.get_by_role("status")).to_contain_text("Adresse kopiert.")
    assert page.evaluate("navigator.clipboard.readText()") == "7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU"


def test_a_form_is_sent_once_however_often_it_is_clicked(live: Live, new_context: NewContext) -> None:
    page = new_context().new_page()
    page.goto(live.url)
    page.get_by_role("button", name="USD Coin").evaluate("(one) => { one.click(); one.click(); }")
    page.wait_for_load_state()
    page.wait_for_timeout(200)
    assert live.verbs.calls == [("choose_method", "x", "usdc")]


def test_string_sinks_are_closed_on_the_page_and_a_try_is_reported(new_context: NewContext) -> None:
    app = a_checkout_app(StatesGallery(a_clock()))
    with serving(app) as origin:
        page = new_context().new_page()
        page.goto(f"{origin}/pay/paid")
        with page.expect_request(f"{origin}/csp"):
            refused = page.evaluate("""() => {
                try { document.body.innerHTML = "<p>x"; return "allowed"; } catch (error) { return error.name; }
            }""")
        page.wait_for_timeout(200)
    assert refused == "TypeError"
    assert app.extensions["csp_reports"].count == 1


def test_the_language_switch_keeps_the_page_and_speaks(live: Live, new_context: NewContext) -> None:
    page = new_context().new_page()
    page.goto(live.url)
    page.get_by_role("link", name="العربية").click()
    expect(page.locator("html")).to_have_attribute("dir", "rtl")
    live.show("paid")
    expect(page.get_by_role("status")).to_have_text("تم الدفع. شكرًا لك.")
