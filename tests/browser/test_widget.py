"""The widget on a charity's page of another origin, under a strict policy, in a real Chromium: from form to thanks."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from donation_widget.embedding import integrity
from tests.browser.conftest import NewContext
from tests.browser.stage import eventually
from tests.browser.test_giving_states import problems
from tests.conftest import chromium_arguments, chromium_path
from tests.widget.street import FORGED, FORM_LIMIT, LOADER_LIMIT, SHIFT_LIMIT, SHIFTS, WRONG_DIGEST, Street, weights
from tests.widget.test_protection import attack

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Frame, Page, Request

pytestmark = pytest.mark.slow
EXAMPLE = Path(__file__).parents[2] / "examples" / "charity_page" / "charity.py"
DESK = {"viewport": {"width": 1280, "height": 900}}
BLOCK = 2  # what Chromium calls the owner's "no" in its settings
STEPS_LIMIT = 3
MONTH = timedelta(days=31)
PHONE = {"viewport": {"width": 320, "height": 720}, "has_touch": True, "is_mobile": True}


@pytest.fixture
def visit(street: Street, new_context: NewContext) -> Iterator[Callable[..., "Page"]]:
    """Return a maker of visits to the charity; nothing may trouble the console of its page."""
    troubles: list[str] = []

    def come(path: str = "index.html", **options: Any) -> "Page":
        page = new_context(**(DESK | options)).new_page()
        page.on("console", lambda said: troubles.append(said.text) if said.type in {"error", "warning"} else None)
        page.goto(f"{street.charity}/{path}")
        return page

    come.troubles = troubles  # type: ignore[attr-defined]  # a test that causes one takes it away
    yield come
    assert troubles == []


def form_of(page: "Page") -> "Frame":
    """Return the frame with the form, once it stands and its script runs."""
    page.frame_locator("iframe").locator("html.js").locator("#send, #closed").first.wait_for()
    frame = next(one for one in page.frames if "/donate/" in one.url)
    assert isinstance(frame.url, str)
    return frame


def height(page: "Page") -> float:
    return float(page.evaluate("document.querySelector('streampay-donate').iframe.getBoundingClientRect().height"))


def seen(page: "Page", word: str) -> None:
    """Wait until the page around heard of something."""
    expect(page.locator("html")).to_have_attribute("data-seen", re.compile(rf"\b{word}\b"))


def sent_by(context: "BrowserContext") -> list[str]:
    """Return a list that grows by the address of each form that a person sends in any window."""
    sent: list[str] = []

    def note(request: "Request") -> None:
        if request.is_navigation_request() and request.method == "POST":
            sent.append(request.url)

    context.on("request", note)
    return sent


def pay_at_bank(window: "Page", street: Street) -> None:
    """Go from the checkout to the bank, and pay with a good card."""
    window.locator("#method-card").click()
    window.wait_for_url(f"{street.shop.shop.bank_url}/c/pay/*")
    window.get_by_role("link", name="Succeeds", exact=True).first.click()
    window.get_by_role("button", name=re.compile("^(Pay|Subscribe)")).click()
    window.wait_for_url(f"{street.gateway}/pay/*")


def give_in_frame(page: "Page", frame: "Frame") -> "Page":
    """Send the form as it stands; return the window that opens."""
    with page.expect_popup() as opened:
        frame.locator("#send").click()
    return opened.value


# --- giving ----------------------------------------------------------------------------------------------------------


def test_a_gift_by_card_from_the_frame_ends_with_thanks_in_both_windows(
    street: Street, visit: Any, figure: Any
) -> None:
    page = visit()
    steps = sent_by(page.context)
    frame = form_of(page)
    frame.get_by_label("$25.00").check()
    frame.get_by_label(re.compile("Add the payment fees")).check()
    expect(frame.locator(".sum-2")).to_be_visible()
    assert frame.locator(".sum-2").inner_text().strip("+\u2060") == "$1.06"
    expect(frame.locator("#send")).to_have_text("Give $26.06")
    window = give_in_frame(page, frame)
    expect(window.get_by_text("$26.06").first).to_be_visible()
    expect(page.frame_locator("iframe").get_by_role("status")).to_be_visible()
    seen(page, "opened")
    pay_at_bank(window, street)
    figure("widget: steps to give", len(steps), f"<= {STEPS_LIMIT}")
    assert 0 < len(steps) <= STEPS_LIMIT
    thanks = "Thank you! Your gift to River Fund has arrived."
    expect(page.frame_locator("iframe").get_by_role("status")).to_have_text(re.compile(thanks), timeout=20_000)
    seen(page, "completed")
    window.locator("#back a").first.click()
    expect(window.get_by_role("status")).to_have_text(re.compile(thanks))
    assert "/thanks/" in window.url
    assert street.shop.donations()[-1].fee_cover.major == "1.06"
    window.get_by_role("link", name="Your receipt").click()
    expect(window.get_by_role("heading", name="Donation receipt")).to_be_visible()
    expect(window.get_by_text("$26.06")).to_be_visible()


def test_a_monthly_gift_by_card_from_the_frame_is_collected_again_and_receipted(street: Street, visit: Any) -> None:
    before = len(street.shop.donations())
    page = visit()
    frame = form_of(page)
    frame.get_by_label("$10.00", exact=True).check()
    frame.get_by_label("Monthly").check()
    frame.get_by_label("Your e-mail address").fill("jo@example.com")
    window = give_in_frame(page, frame)
    expect(window.get_by_text("$10.00").first).to_be_visible()
    pay_at_bank(window, street)
    window.locator("#back a").first.click()
    expect(window.locator("#status")).to_have_attribute("data-state", "received")
    expect(window.get_by_text("It is collected from your card again each time.")).to_be_visible()
    expect(window.get_by_text("Monthly")).to_be_visible()
    expect(page.frame_locator("iframe").locator("#status")).to_have_attribute("data-state", "received", timeout=20_000)
    window.get_by_role("link", name="Your receipt").click()
    expect(window.get_by_text("$10.00")).to_be_visible()
    street.shop.shop.pass_time(MONTH)
    street.shop.shop.catch_up()
    street.shop.engine.sweep()
    given = street.shop.donations()[before:]
    assert [(one.status, one.amount_received.major) for one in given] == [("received", "10.00")] * 2
    first, second = (street.shop.engine.receipts.by_payment(one.payment_id) for one in given)
    assert first is not None
    assert second is not None
    assert second.receipt.number == first.receipt.number + 1
    with street.sdk() as merchant:
        (subscription,) = {merchant.donations.retrieve(one.id).subscription for one in given}
        assert merchant.subscriptions.retrieve(str(subscription)).status == "active"
    street.shop.check()


@pytest.mark.parametrize(
    "typed", ["12,50", "12.5", "0.01", "999999999999999999.99", "33", "7.77", "\u0661\u0662\u066b\u0665"]
)
def test_the_script_computes_the_servers_fees_to_the_cent(street: Street, new_context: NewContext, typed: str) -> None:
    page = new_context(**DESK).new_page()
    street.set(min_amount=1, max_amount=10**20)
    try:
        page.goto(f"{street.gateway}/donate/{street.campaign.id}?lang=en")
        page.get_by_label("Other").check()
        page.locator("#amount").fill(typed)
        page.locator("#covers_fees").check()
        shown = page.locator("#sum-other").inner_text().strip("+\u2060$").replace(",", "")
        token = page.locator("[name=form]").input_value()
        answer = street.shop.send(street.campaign, form=token, preset="other", amount=typed, covers_fees="yes")
        assert answer.status_code == 303
        assert shown == street.shop.donations()[-1].fee_cover.major
    finally:
        street.set(min_amount=100, max_amount=100_000)


def test_a_changed_mind_gives_another_gift_with_everything_kept(street: Street, visit: Any) -> None:
    page = visit()
    frame = form_of(page)
    page.route("**/forms/*", lambda route: route.fulfill(json={"page": None}))  # the news has not come
    before = len(street.shop.donations())
    frame.get_by_label("$10.00", exact=True).check()
    first = give_in_frame(page, frame)
    expect(first.get_by_text("$10.00").first).to_be_visible()
    first.close()
    frame.get_by_role("link", name="Change the gift").click()
    expect(frame.get_by_label("$10.00", exact=True)).to_be_checked()
    frame.get_by_label("$25.00").check()
    expect(give_in_frame(page, frame).get_by_text("$25.00").first).to_be_visible()
    assert [one.amount.major for one in street.shop.donations()[before:]] == ["10.00", "25.00"]


def test_what_is_missing_is_told_before_a_window_opens(street: Street, visit: Any) -> None:
    del street
    page = visit()
    frame = form_of(page)
    frame.locator("#send").click()
    assert frame.evaluate("document.querySelector('#give').matches(':invalid')")
    assert len(page.context.pages) == 1
    assert frame.locator("[name=preset]").first.evaluate("one => one.validationMessage") == "Choose how much you give."


def test_under_attack_the_browser_does_the_work_and_goes_on_by_itself(street: Street, new_context: NewContext) -> None:
    campaign = street.shop.add_campaign()
    attack(street.shop, campaign)
    page = new_context(**DESK).new_page()
    page.goto(f"{street.gateway}/donate/{campaign.id}?lang=en")
    page.get_by_label("$25.00").check()
    with page.expect_response(lambda answer: answer.status == 429):
        page.locator("#send").click()
    page.wait_for_url(f"{street.gateway}/pay/*", timeout=30_000)


# --- embedding -------------------------------------------------------------------------------------------------------


TALL = {"viewport": {"width": 1280, "height": 2000}}  # what follows the form is in sight


@pytest.mark.parametrize("window", [DESK, PHONE, TALL])
def test_the_frame_takes_its_height_from_what_is_in_it_and_moves_nothing(
    visit: Any, figure: Any, window: dict[str, Any]
) -> None:
    page = visit(**window)
    frame = form_of(page)
    seen(page, "resize")
    shift = page.evaluate(SHIFTS)
    figure(f"widget: layout_shift at {window['viewport']}", round(shift, 4), f"<= {SHIFT_LIMIT}")
    assert shift <= SHIFT_LIMIT
    before = height(page)
    assert before >= frame.evaluate("document.body.getBoundingClientRect().height")
    frame.locator("#more-words summary").click()
    frame.locator("#more-person summary").click()
    eventually("the frame's growth", lambda: height(page) > before, wanted=True)


def test_forged_messages_change_nothing_and_true_ones_are_clamped(street: Street, visit: Any) -> None:
    page = visit()
    form_of(page)
    seen(page, "resize")
    before = page.evaluate("document.querySelector('streampay-donate').iframe.style.height")
    assert page.evaluate(FORGED, street.gateway) == [before, "4000px", "120px"]


def test_a_window_over_the_page_closes_by_escape_from_both_sides_and_gives_the_focus_back(visit: Any) -> None:
    page = visit("modal.html")
    opener = page.get_by_role("button", name="Give now")
    for close in ("frame", "page", "button"):
        opener.click()
        dialog = page.get_by_role("dialog", name="Give now")
        expect(dialog).to_be_visible()
        frame = form_of(page)
        if close == "frame":
            frame.locator("#preset-1").focus()
            page.keyboard.press("Escape")
        elif close == "page":
            page.get_by_role("button", name="Close").focus()
            page.keyboard.press("Escape")
        else:
            page.get_by_role("button", name="Close").click()
        expect(dialog).to_be_hidden()
        expect(opener).to_be_focused()
    seen(page, "close")


def test_the_keyboard_goes_through_the_window_in_order(visit: Any) -> None:
    page = visit("modal.html")
    page.get_by_role("button", name="Give now").focus()
    page.keyboard.press("Enter")
    frame = form_of(page)
    expect(page.get_by_role("button", name="Close")).to_be_focused()
    page.keyboard.press("Tab")
    eventually("the focus", lambda: frame.evaluate("document.activeElement.name"), "preset")
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    eventually("the focus", lambda: frame.evaluate("document.activeElement.id"), "frequency-once")
    for _ in range(4):
        page.keyboard.press("Tab")
    eventually("the focus", lambda: frame.evaluate("document.activeElement.id"), "send")


def test_a_button_leads_to_the_campaigns_own_page(street: Street, visit: Any) -> None:
    page = visit("button.html")
    page.get_by_role("link", name="Give now").click()
    page.wait_for_url(f"{street.gateway}/donate/{street.campaign.id}?lang=en")
    expect(page.get_by_text("Boat by boat.")).to_be_visible()


@pytest.mark.parametrize("has_script", [True, False])
def test_a_site_without_script_uses_a_form_or_a_link(
    street: Street, new_context: NewContext, *, has_script: bool
) -> None:
    page = new_context(**DESK, java_script_enabled=has_script).new_page()
    page.goto(f"{street.charity}/plain.html")
    assert (
        page.get_by_alt_text("Code that leads to the campaign").evaluate("one => one.naturalWidth") > 0
        or not has_script
    )
    page.get_by_label("Amount in US dollars").fill("12.50")
    page.get_by_role("button", name="Give").click()
    expect(page.locator("#amount")).to_have_value("12.50")
    page.get_by_role("button", name="Give").click()
    expect(page.get_by_text("$12.50").first).to_be_visible()
    assert "/pay/" in page.url
    page.goto(f"{street.charity}/plain.html")
    page.get_by_role("link", name="Give $10 a month").click()
    expect(page.locator("#frequency-monthly")).to_be_checked()
    expect(page.locator("#preset-1")).to_be_checked()


def test_without_script_the_link_is_there_and_gives(street: Street, new_context: NewContext) -> None:
    page = new_context(**DESK, java_script_enabled=False).new_page()
    page.goto(f"{street.charity}/index.html")
    page.get_by_role("link", name="Give on a page of its own").click()
    page.locator("#preset-2").check()
    page.locator("#send").click()
    assert "/pay/" in page.url


@pytest.mark.parametrize("digest", ["good", "bad"])
def test_a_script_that_is_not_the_printed_one_leaves_the_link(
    street: Street, visit: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, digest: str
) -> None:
    street.pin(integrity() if digest == "good" else WRONG_DIGEST, tmp_path, monkeypatch)
    page = visit()
    if digest == "good":
        form_of(page)
        return
    expect(page.get_by_role("link", name="Give on a page of its own")).to_be_visible()
    assert page.locator("iframe").count() == 0
    assert any("integrity" in one for one in visit.troubles)
    visit.troubles.clear()


def test_a_site_that_is_not_registered_may_not_frame_and_has_the_link(street: Street, visit: Any) -> None:
    street.set(origins=["https://other.example"])
    try:
        page = visit()
        expect(page.get_by_role("link", name="Give on a page of its own")).to_be_visible()
        street.reports += 1
        eventually("the report", lambda: street.shop.app.extensions["csp_reports"].count, street.reports)
        # Playwright takes in what a console said only while it is called.
        eventually(
            "the word", lambda: page.evaluate("0") == 0 and "frame-ancestors" in str(visit.troubles), wanted=True
        )
        assert page.frame_locator("iframe").locator("#send").count() == 0
        visit.troubles.clear()
    finally:
        street.set(origins=[street.charity])


def test_the_frame_keeps_no_cookie_and_no_storage(visit: Any) -> None:
    page = visit()
    frame = form_of(page)
    frame.get_by_label("$10.00", exact=True).check()
    give_in_frame(page, frame).close()
    assert page.context.cookies() == []
    state = page.context.storage_state()
    assert state["origins"] == []


@pytest.fixture
def forgetful(chromium: "Browser", tmp_path: Path) -> Iterator["BrowserContext"]:
    """Start a Chromium whose owner forbids every cookie and all storage."""
    settings = tmp_path / "Default" / "Preferences"
    settings.parent.mkdir()
    settings.write_text(json.dumps({"profile": {"default_content_setting_values": {"cookies": BLOCK}}}))
    context = chromium.browser_type.launch_persistent_context(
        tmp_path, executable_path=chromium_path(), args=chromium_arguments()
    )
    yield context
    context.close()


def test_with_storage_blocked_a_gift_is_made_all_the_same(street: Street, forgetful: "BrowserContext") -> None:
    page = forgetful.new_page()
    page.goto(f"{street.charity}/index.html")
    frame = form_of(page)
    refused = "() => { try { return String(localStorage.length); } catch (error) { return error.name; } }"
    assert frame.evaluate(refused) == page.evaluate(refused) == "SecurityError"
    frame.get_by_label("$10.00", exact=True).check()
    window = give_in_frame(page, frame)
    pay_at_bank(window, street)
    window.locator("#back a").first.click()
    expect(window.locator("#status")).to_have_attribute("data-state", "received")
    expect(page.frame_locator("iframe").locator("#status")).to_have_attribute("data-state", "received", timeout=20_000)
    assert forgetful.cookies() == []


def test_an_arabic_site_has_an_arabic_form_that_fits(
    street: Street, visit: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    street.in_arabic(tmp_path, monkeypatch)
    page = visit(**PHONE)
    frame = form_of(page)
    assert frame.evaluate("[document.documentElement.lang, document.documentElement.dir]") == ["ar", "rtl"]
    frame.locator("#frequency-monthly").check()
    for summary in frame.locator("summary").all():
        summary.click()
    for place in (page, frame):
        assert place.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_framed_form_and_the_loader_are_light(street: Street, new_context: NewContext, figure: Any) -> None:
    loader, form = weights(new_context(**DESK).new_page(), street)
    figure("widget: loader_gz_bytes", loader, f"<= {LOADER_LIMIT}")
    figure("widget: form_gz_bytes", form, f"<= {FORM_LIMIT}")
    assert 500 < loader <= LOADER_LIMIT
    assert 5000 < form <= FORM_LIMIT


# --- accessibility ---------------------------------------------------------------------------------------------------


def test_the_charitys_pages_are_accessible_around_the_frame(visit: Any, axe_source: str) -> None:
    for path in ("index.html", "modal.html", "button.html", "plain.html"):
        page = visit(path, **PHONE)
        if path == "index.html":
            form_of(page)
        # The form inside is looked at by itself, from within: axe does not cross into another origin.
        assert [one for one in problems(page, axe_source) if "frame-tested" not in one] == [], path


def test_the_form_asks_for_four_things_at_the_most(street: Street, new_context: NewContext) -> None:
    page = new_context(**DESK).new_page()
    page.goto(f"{street.gateway}/donate/{street.campaign.id}?lang=en&embed=1")
    page.locator("#preset-other").check()
    visible = page.evaluate(
        """() => new Set([...document.querySelectorAll("#give input, #give textarea, #give select")]
          .filter((one) => one.type !== "hidden" && one.checkVisibility()).map((one) => one.name)).size"""
    )
    assert visible <= 4
    ticked = page.locator("#give :checked").evaluate_all("all => all.map((one) => one.value)")
    assert ticked == ["other", "once", "card", ""], "only what was chosen, once, and what is out of sight"
