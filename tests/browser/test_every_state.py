"""Each state of the page, in both schemes, widths and directions: accessible, within its window, one live region."""

from typing import TYPE_CHECKING, Any

import pytest

from hosted_checkout.checkout.samples import SAMPLE_NAMES, VARIANTS
from tests.browser.conftest import NewContext

if TYPE_CHECKING:
    from playwright.sync_api import Page

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RUN_AXE = """async (tags) => {
  const found = await axe.run(document, { runOnly: { type: "tag", values: tags }, iframes: false });
  const told = (results) => results.map((one) => `${one.id}: ${one.nodes[0].html.slice(0, 160)}`);
  return { violations: told(found.violations), incomplete: told(found.incomplete) };
}"""
MEASURE = """() => ({
  overflow: document.documentElement.scrollWidth - innerWidth,
  live: document.querySelectorAll("[role=status], [role=alert], [role=log], [role=timer], [aria-live], output").length,
  small: [...document.querySelectorAll("button, summary, a.button, .way-back, nav a")]
    .filter((one) => one.checkVisibility() && one.getBoundingClientRect().height < 44)
    .map((one) => one.outerHTML.slice(0, 120)),
  dir: document.documentElement.dir,
})"""
WINDOWS = [
    (1280, "light", "en"),
    (320, "dark", "ar"),
    (320, "light", "en"),
    (320, "light", "ar"),
    (320, "dark", "en"),
    (1280, "light", "ar"),
    (1280, "dark", "en"),
    (1280, "dark", "ar"),
]


def problems(page: "Page", axe_source: str) -> list[str]:
    """Return everything that is wrong with the page as it stands."""
    page.evaluate(axe_source)
    found: dict[str, Any] = page.evaluate(RUN_AXE, RULES)
    shape: dict[str, Any] = page.evaluate(MEASURE)
    wrong = [f"violation {one}" for one in found["violations"]] + [f"incomplete {one}" for one in found["incomplete"]]
    wrong += [f"target under 44 px: {one}" for one in shape["small"]]
    if shape["overflow"] > 0:
        wrong.append(f"{shape['overflow']} px wider than the window")
    if shape["live"] != 1:
        wrong.append(f"{shape['live']} live regions")
    return wrong


@pytest.mark.parametrize(
    ("width", "scheme", "language"),
    [
        # The first two show each width, scheme and direction once; the other ways to put them together are deep.
        pytest.param(*one, marks=pytest.mark.slow if number < 2 else pytest.mark.deep)
        for number, one in enumerate(WINDOWS)
    ],
)
def test_every_state_is_accessible_and_fits(
    width: int, scheme: str, language: str, *, origin: str, new_context: NewContext, axe_source: str
) -> None:
    context = new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce")
    page = context.new_page()
    wrong = []
    # Other words for a state have its colours, so they are measured in one scheme only.
    for name in (one for one in SAMPLE_NAMES if scheme == "light" or one not in VARIANTS):
        page.goto(f"{origin}/dev/states/{name}?lang={language}")
        wrong += [f"{name}: {problem}" for problem in problems(page, axe_source)]
        assert page.evaluate("document.documentElement.dir") == ("rtl" if language == "ar" else "ltr")
    assert wrong == []


def test_the_page_of_a_wrong_address_is_accessible(origin: str, new_context: NewContext, axe_source: str) -> None:
    page = new_context(viewport={"width": 320, "height": 700}).new_page()
    page.goto(f"{origin}/pay/nowhere")
    page.evaluate(axe_source)
    assert page.evaluate(RUN_AXE, RULES) == {"violations": [], "incomplete": []}


def test_a_broken_page_does_not_pass(origin: str, new_context: NewContext, axe_source: str) -> None:
    page = new_context(viewport={"width": 320, "height": 700}).new_page()
    page.goto(f"{origin}/dev/states/chosen")
    page.evaluate("""() => {
        document.querySelector(".logo").removeAttribute("aria-hidden");
        const button = document.createElement("button");
        const wide = document.createElement("p");
        wide.append("x".repeat(400));
        wide.setAttribute("role", "alert");
        document.querySelector("main").append(button, wide);
    }""")
    wrong = problems(page, axe_source)
    assert any("button-name" in one for one in wrong)
    assert any("wider than the window" in one for one in wrong)
    assert "2 live regions" in wrong


def test_without_script_the_page_holds_all_one_needs_to_pay(origin: str, new_context: NewContext) -> None:
    page = new_context(java_script_enabled=False, viewport={"width": 390, "height": 844}).new_page()
    page.goto(f"{origin}/pay/chosen")
    assert page.locator("svg.qr").is_visible()
    assert page.locator(".address").inner_text().replace(" ", "") == "7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU"
    assert page.locator("text=0.121543 SOL").first.is_visible()
    assert page.locator("noscript meta[http-equiv=refresh]").count() == 1
    assert page.locator(".needs-js >> visible=true").count() == 0


def test_without_script_a_method_is_chosen_by_its_button(origin: str, new_context: NewContext, gallery: Any) -> None:
    page = new_context(java_script_enabled=False).new_page()
    page.goto(f"{origin}/pay/open?lang=de")
    page.get_by_role("button", name="USD Coin").click()
    assert gallery.calls[-1] == ("choose_method", "open", "usdc")
    assert page.url == f"{origin}/pay/open?lang=de"


GOLDEN = """\
- banner:
  - paragraph: Test mode No real money moves here.
- main:
  - text: Northwind Outfitters shop.northwind.example
  - region "To pay €24.90":
    - heading "To pay €24.90" [level=1]
    - list:
      - listitem: 2 \u00d7 Wool socks, grey €15.90
      - listitem: Postage €9.00
    - paragraph: Order 1001
  - status: Waiting for your payment of \u20660.121543 SOL\u2069."""


def test_a_screen_reader_hears_test_mode_shop_price_and_status_in_this_order(
    origin: str, new_context: NewContext
) -> None:
    page = new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.goto(f"{origin}/dev/states/chosen")
    heard = page.locator("body").aria_snapshot().replace("\u00a0", " ")
    assert heard.startswith(GOLDEN), heard[:900]
