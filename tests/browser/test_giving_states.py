"""Each page of the widget's door in a real Chromium: accessible in both schemes, and no wider than its window."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import NewContext
from tests.browser.test_every_state import MEASURE, RULES, RUN_AXE
from tests.checkout.house import a_clock, serving
from tests.widget.gallery import a_samples_app
from tests.widget.samples import ADDRESSES

if TYPE_CHECKING:
    from playwright.sync_api import Frame, Page

THANKS = tuple(one for one in ADDRESSES if "/thanks/" in one)
FRAMED = tuple(f"{one}?embed=1" for one in ("/donate/open", "/donate/bare", "/donate/long", "/donate/closed", *THANKS))
PROMISED = "/donate/open?pledge=collected"
GONE = ("/donate/none", "/donate/open/thanks/none", "/donations/receipt/none", "/donations/stop/none")
GOOD = {"preset": "25.00", "frequency": "once"}
WRONG = {
    "preset": "other", "amount": "0.001", "frequency": "weekly", "name": "4242 4242 4242 4242", "email": "nobody",
    "tribute": "honor", "comment": "x" * 2000,
}  # fmt: skip
REFUSED: dict[str, tuple[str, dict[str, str]]] = {  # by what is wrong: where it is sent, and what
    "everything": ("/donate/open", WRONG),
    "no address to collect from": ("/donate/open", GOOD | {"frequency": "monthly"}),
    "framed": ("/donate/open?embed=1", WRONG),
    "an old form": ("/donate/open", GOOD | {"form": "old"}),
    "too many tries": ("/donate/paused", GOOD),
    "work to be done": ("/donate/attacked", GOOD),
}
SEND = """([address, fields]) => {
  const token = document.querySelector("#give [name=form]")?.value ?? "";
  const form = Object.assign(document.createElement("form"), { method: "post", action: address });
  for (const [name, value] of Object.entries({ form: token, ...fields })) {
    form.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
  }
  document.body.append(form);
  form.submit();
}"""
CONTRAST = """async () => (await axe.run(document, { runOnly: ["color-contrast"], iframes: false }))
  .violations.flatMap((one) => one.nodes.map((node) => `in the dark: ${node.html.slice(0, 160)}`))"""
TARGETS = """() => [...document.querySelectorAll("label.tile, label.tick, .files a, .field input, .problems a")]
  .filter((one) => one.checkVisibility() && one.getBoundingClientRect().height < 44)
  .map((one) => one.outerHTML.slice(0, 120))"""
PUSHED = """() => [...document.querySelectorAll(".wide")].filter((one) => one.scrollWidth > one.clientWidth)
  .map((one) => `${one.scrollWidth - one.clientWidth} px of a table are out of sight`)"""
LOOKS = [
    # The first two show each end of width, direction and length of words; phones with German words are deep.
    pytest.param("en", 1280, marks=pytest.mark.slow),
    pytest.param("ar", 320, marks=pytest.mark.slow),
    pytest.param("de", 390, marks=pytest.mark.deep),
]


@pytest.fixture(scope="module")
def samples() -> Iterator[str]:
    """Serve the samples, and prove at the end that no page of them broke its policy."""
    app = a_samples_app(a_clock())
    with serving(app) as origin:
        yield origin
    assert app.extensions["csp_reports"].count == 0


@pytest.fixture
def page(new_context: NewContext, language: str, width: int) -> "Page":
    window = {"width": width, "height": 900}
    return new_context(viewport=window, locale=language, color_scheme="light", reduced_motion="reduce").new_page()


def problems(place: "Page | Frame", axe_source: str) -> list[str]:
    """Return everything that is wrong with a page, or with what is in a frame, as it stands."""
    place.evaluate(axe_source)
    found: dict[str, Any] = place.evaluate(RUN_AXE, RULES)
    shape: dict[str, Any] = place.evaluate(MEASURE)
    wrong = [f"violation {one}" for one in found["violations"]] + [f"incomplete {one}" for one in found["incomplete"]]
    wrong += [f"target under 44 px: {one}" for one in shape["small"] + place.evaluate(TARGETS)]
    wrong += place.evaluate(PUSHED)
    return wrong + ([f"{shape['overflow']} px wider than the window"] if shape["overflow"] > 0 else [])


def problems_by_day_and_night(page: "Page", axe_source: str) -> list[str]:
    """Return what is wrong in the light; in the dark, where only colours change, what cannot be read."""
    wrong = problems(page, axe_source)
    page.emulate_media(color_scheme="dark")
    wrong += page.evaluate(CONTRAST)
    page.emulate_media(color_scheme="light")
    return wrong


def send(page: "Page", address: str, fields: dict[str, str]) -> None:
    """Send a form from its page, as a browser without our script would."""
    page.goto(address)
    with page.expect_navigation():
        page.evaluate(SEND, [address, fields])


@pytest.mark.parametrize(("language", "width"), LOOKS)
def test_every_page_is_accessible_and_fits(samples: str, page: "Page", axe_source: str, language: str) -> None:
    wrong = []
    for address in (*ADDRESSES, *FRAMED, PROMISED, *GONE):
        page.goto(samples + address)
        assert page.evaluate("document.documentElement.dir") == ("rtl" if language == "ar" else "ltr")
        wrong += [f"{address}: {problem}" for problem in problems_by_day_and_night(page, axe_source)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(("language", "width"), LOOKS)
def test_a_form_that_is_filled_in_or_refused_is_accessible_and_fits(
    samples: str, page: "Page", axe_source: str
) -> None:
    wrong = {}
    for address in ("/donate/open", "/donate/open?embed=1"):
        page.goto(samples + address)
        page.locator("#preset-other").check()
        page.locator("#frequency-monthly").check()
        page.locator("#covers_fees").check()
        for summary in page.locator("summary").all():
            summary.click()
        wrong[f"open {address}"] = problems_by_day_and_night(page, axe_source)
    page.evaluate("document.querySelector('#give').dispatchEvent(new Event('submit'))")
    expect(page.locator("#away")).to_be_visible()
    wrong["paying elsewhere"] = problems_by_day_and_night(page, axe_source)
    for name, (address, fields) in REFUSED.items():
        send(page, samples + address, fields)
        expect(page.locator("#problems")).to_be_focused()
        wrong[name] = problems_by_day_and_night(page, axe_source)
    send(page, f"{samples}/donations/stop/collected", {})
    wrong["not stopped"] = problems_by_day_and_night(page, axe_source)
    assert {state: found for state, found in wrong.items() if found} == {}


@pytest.mark.slow
@pytest.mark.parametrize(("language", "width"), [("en", 390)])
def test_a_broken_page_does_not_pass(samples: str, page: "Page", axe_source: str) -> None:
    page.goto(f"{samples}/donations/receipt/issued")
    page.evaluate("""() => {
        const style = document.createElement("p");
        style.append("x".repeat(400));
        const link = document.querySelector(".files a");
        link.style.color = "#333";
        link.style.display = "inline";
        document.querySelector("main").append(style, document.createElement("button"));
    }""")
    wrong = problems_by_day_and_night(page, axe_source)
    assert any("button-name" in one for one in wrong)
    assert any("wider than the window" in one for one in wrong)
    assert any("target under 44 px" in one for one in wrong)
    assert any("in the dark" in one for one in wrong)
