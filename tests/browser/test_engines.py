"""The widget in Firefox and in WebKitGTK, the nearest to Safari on Linux: what could differ from Chromium."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from donation_widget.embedding import integrity
from tests.browser.engines import ESCAPE, FIREFOX, WEBKIT_DRIVER, Engine, firefox, webkit
from tests.browser.stage import eventually
from tests.widget.street import FORGED, WRONG_DIGEST, Street

pytestmark = pytest.mark.slow
ENGINES = {
    "Firefox": (firefox, (FIREFOX,), "firefox-esr"),
    "WebKitGTK": (webkit, (WEBKIT_DRIVER, Path("/usr/bin/Xvfb")), "webkit2gtk-driver xvfb"),
}
FRAME = "() => document.querySelector('streampay-donate').iframe"
PLACED = "() => document.querySelector('streampay-donate').shadowRoot !== null"
IN_SHADOW = "(one) => document.querySelector('streampay-donate').shadowRoot.querySelector(one)"


@pytest.fixture(scope="module", params=ENGINES)
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, engine_missing: Callable[..., NoReturn]
) -> Iterator[Engine]:
    start, needed, packages = ENGINES[request.param]
    if not all(one.exists() for one in needed):
        engine_missing(request.param, f"apt-get install --no-install-recommends {packages}")
    with start(tmp_path_factory.mktemp("browser")) as engine:
        yield engine


@pytest.fixture
def engine(running: Engine) -> Iterator[Engine]:
    """Return the browser; the windows that a test opened are closed after it."""
    (first,) = running.windows()
    yield running
    for window in running.windows() - {first}:
        running.look_at(window)
        running.close()
    running.look_at(first)


def until(engine: Engine, fact: str, *arguments: object) -> None:
    """Wait until a function in the page returns true."""
    eventually(fact, lambda: engine.run(fact, *arguments), wanted=True)


def until_at(engine: Engine, address: str) -> None:
    """Wait until a page whose address begins so is there, read to its end."""
    eventually("the page", lambda: engine.address().startswith(address), wanted=True)
    until(engine, "() => document.readyState === 'complete'")


def heard(engine: Engine, word: str) -> None:
    """Wait until the charity's page heard of something."""
    until(engine, "(word) => (document.documentElement.dataset.seen ?? '').split(' ').includes(word)", word)


def enter_form(engine: Engine) -> None:
    """Go into the frame, once the form in it stands and its script runs."""
    heard(engine, "ready")
    engine.enter(engine.run(FRAME))
    until(engine, "() => document.querySelector('html.js #send') !== null")


def test_the_form_places_itself_and_takes_the_height_of_what_is_in_it(street: Street, engine: Engine) -> None:
    engine.open(f"{street.charity}/index.html")
    heard(engine, "resize")
    height = "() => document.querySelector('streampay-donate').iframe.getBoundingClientRect().height"
    before = engine.run(height)
    enter_form(engine)
    assert before >= engine.run("() => document.body.getBoundingClientRect().height")
    engine.click(engine.run("() => document.querySelector('#more-person summary')"))
    engine.enter(None)
    eventually("the frame's growth", lambda: engine.run(height) > before, wanted=True)
    assert engine.run("() => document.documentElement.scrollWidth <= innerWidth")


def test_a_window_over_the_page_closes_by_escape_in_the_frame_and_gives_the_focus_back(
    street: Street, engine: Engine
) -> None:
    engine.open(f"{street.charity}/modal.html")
    until(engine, PLACED)
    engine.click(engine.run(IN_SHADOW, "button"))
    assert engine.run(IN_SHADOW + "?.open", "dialog")
    enter_form(engine)
    preset = engine.run("() => document.querySelector('#preset-1')")
    engine.click(preset)
    engine.press(preset, ESCAPE)
    engine.enter(None)
    heard(engine, "close")
    assert (
        engine.run("() => document.querySelector('streampay-donate').shadowRoot.activeElement.textContent")
        == "Give now"
    )


def test_a_button_leads_to_the_campaigns_own_page(street: Street, engine: Engine) -> None:
    engine.open(f"{street.charity}/button.html")
    until(engine, PLACED)
    engine.click(engine.run(IN_SHADOW, "a"))
    until_at(engine, f"{street.gateway}/donate/{street.campaign.id}?lang=en")
    assert engine.run("() => document.querySelector('#send') !== null")


def test_a_gift_from_the_frame_goes_on_at_the_checkout_in_a_window_of_its_own(street: Street, engine: Engine) -> None:
    before = len(street.shop.donations())
    engine.open(f"{street.charity}/index.html")
    enter_form(engine)
    engine.click(engine.run("() => document.querySelector('#preset-2')"))
    own = engine.windows()
    engine.click(engine.run("() => document.querySelector('#send')"))
    eventually("another window", lambda: len(engine.windows() - own), 1)
    engine.enter(None)
    heard(engine, "opened")
    engine.look_at(*(engine.windows() - own))
    until_at(engine, f"{street.gateway}/pay/")
    assert engine.run("() => document.body.textContent.includes('$25.00')")
    assert [one.amount.major for one in street.shop.donations()[before:]] == ["25.00"]


def test_a_script_with_the_printed_hash_runs(
    street: Street, engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    street.pin(integrity(), tmp_path, monkeypatch)
    engine.open(f"{street.charity}/index.html")
    enter_form(engine)


def test_a_script_with_a_wrong_hash_leaves_the_link(
    street: Street, engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    street.pin(WRONG_DIGEST, tmp_path, monkeypatch)
    engine.open(f"{street.charity}/index.html")
    assert not engine.run(PLACED)
    engine.click(engine.run("() => document.querySelector('streampay-donate a')"))
    until_at(engine, f"{street.gateway}/donate/{street.campaign.id}")


def test_forged_messages_change_nothing_and_true_ones_are_clamped(street: Street, engine: Engine) -> None:
    engine.open(f"{street.charity}/index.html")
    heard(engine, "resize")
    before = engine.run("() => document.querySelector('streampay-donate').iframe.style.height")
    assert engine.run(FORGED, street.gateway) == [before, "4000px", "120px"]
