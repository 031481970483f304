"""The widget in Firefox and in WebKitGTK, the nearest to Safari on Linux: what could differ from Chromium."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NoReturn

import pytest

from donation_widget.embedding import integrity
from sandbox.demo.stage import Scene
from tests.browser.engines import ESCAPE, FIREFOX, WEBKIT_DRIVER, Engine, firefox, webkit
from tests.browser.stage import a_stage, eventually, merchant
from tests.widget.street import FORGED, WRONG_DIGEST, Street

pytestmark = pytest.mark.slow
ENGINES = {
    "Firefox": (firefox, (FIREFOX,), "firefox-esr"),
    "WebKitGTK": (webkit, (WEBKIT_DRIVER, Path("/usr/bin/Xvfb")), "webkit2gtk-driver xvfb"),
}
FRAME = "() => document.querySelector('streampay-donate').iframe"
PLACED = "() => document.querySelector('streampay-donate').shadowRoot !== null"
RECEIVED = "() => document.querySelector('#status').dataset.state === 'received'"
SEEN = """(selector, words) => [...document.querySelectorAll(selector)]
  .find((one) => one.checkVisibility() && one.textContent.includes(words))"""
FITS = "() => document.documentElement.scrollWidth <= innerWidth"
NARROWEST = 320
# No window here gets so narrow (Firefox stops at 500 px, WebKitGTK at 447); a page may have a column so narrow.
NARROW = f"() => void (document.querySelector('streampay-donate').style.inlineSize = '{NARROWEST + 2}px')"
READS_FROM_THE_RIGHT = "() => document.documentElement.lang === 'ar' && document.documentElement.dir === 'rtl'"
DIALOG = "[...document.querySelectorAll('div')].map((one) => one.shadowRoot?.querySelector('dialog')).find(Boolean)"
HAS_NO_STORAGE = """() => {
  document.cookie = "kept=yes; SameSite=None; Secure";
  try { localStorage.setItem("kept", "yes"); } catch { /* refused, as it should be */ }
  let kept = null;
  try { kept = localStorage.getItem("kept"); } catch { /* the same */ }
  return document.cookie === "" && kept === null;
}"""
IN_SHADOW = "(one) => document.querySelector('streampay-donate').shadowRoot.querySelector(one)"


StartEngine = Callable[..., AbstractContextManager[Engine]]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory, engine_missing: Callable[..., NoReturn]) -> StartEngine:
    """Return what starts a browser by its name, without something that browsers have."""

    def begin(name: str, *, without: str = "nothing") -> AbstractContextManager[Engine]:
        open_browser, needed, packages = ENGINES[name]
        if not all(one.exists() for one in needed):
            engine_missing(name, f"apt-get install --no-install-recommends {packages}")
        return open_browser(tmp_path_factory.mktemp("browser"), without)

    return begin


@pytest.fixture(scope="module", params=ENGINES)
def running(request: pytest.FixtureRequest, start: StartEngine) -> Iterator[Engine]:
    with start(request.param) as engine:
        yield engine


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Open the whole product, for what needs a chain."""
    with a_stage(tmp_path_factory.mktemp("engines") / "stage") as scene:
        yield scene


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


def reach(engine: Engine, address: str) -> None:
    """Wait until a page whose address begins so is there; its driver waits for the rest of it."""
    eventually("the page", lambda: engine.address().startswith(address), wanted=True)


def heard(engine: Engine, word: str) -> None:
    """Wait until the charity's page heard of something."""
    until(engine, "(word) => (document.documentElement.dataset.seen ?? '').split(' ').includes(word)", word)


def enter_form(engine: Engine) -> None:
    """Go into the frame, once the form in it stands and its script runs."""
    heard(engine, "ready")
    engine.enter(engine.run(FRAME))
    until(engine, "() => document.querySelector('html.js #send') !== null")


def click_on(engine: Engine, selector: str, words: str = "") -> None:
    """Click the first such element in sight that says these words, once it is there."""
    until(engine, f"(...asked) => ({SEEN})(...asked) !== undefined", selector, words)
    engine.click(engine.run(SEEN, selector, words))


def give_in_frame(engine: Engine, place: Street | Scene) -> str:
    """Send the form that we are in; go on at the checkout in the window that opens, and return the one before."""
    own = engine.windows()
    engine.click(engine.run("() => document.querySelector('#send')"))
    eventually("another window", lambda: len(engine.windows() - own), 1)
    engine.enter(None)
    heard(engine, "opened")
    (new,) = engine.windows() - own
    engine.look_at(new)
    until_at(engine, f"{gateway_of(place)}/pay/")
    (before,) = own
    return before


def gateway_of(place: Street | Scene) -> str:
    return place.gateway if isinstance(place, Street) else place.gateway_url


def pay_at_bank(engine: Engine, street: Street) -> None:
    """Go from the checkout to the bank, pay with a good card, and come back."""
    click_on(engine, "#method-card")
    until_at(engine, f"{street.shop.shop.bank_url}/c/pay/")
    click_on(engine, "a[data-card]", "Succeeds")
    click_on(engine, "#card-form button")
    until_at(engine, f"{street.gateway}/pay/")


def come_to_thanks(engine: Engine, place: Street | Scene) -> None:
    """Go from the checkout's page to the thanks, and wait until the gift has arrived."""
    click_on(engine, "#back a")
    until_at(engine, f"{gateway_of(place)}/donate/")
    assert "/thanks/" in engine.address()
    until(engine, RECEIVED)


def open_receipt(engine: Engine, place: Street | Scene, amount: str) -> None:
    """Follow the link to the receipt, and read the amount there."""
    click_on(engine, "#next a[href*='/donations/receipt/']")
    until_at(engine, f"{gateway_of(place)}/donations/receipt/")
    assert engine.run("(amount) => document.querySelector('.receipt').textContent.includes(amount)", amount)


# --- embedding -------------------------------------------------------------------------------------------------------


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


# --- giving ----------------------------------------------------------------------------------------------------------


def test_a_gift_by_card_from_the_frame_ends_with_thanks_in_both_windows(street: Street, engine: Engine) -> None:
    before = len(street.shop.donations())
    engine.open(f"{street.charity}/index.html")
    enter_form(engine)
    engine.click(engine.run("() => document.querySelector('#preset-2')"))
    charity = give_in_frame(engine, street)
    assert engine.run("() => document.body.textContent.includes('$25.00')")
    pay_at_bank(engine, street)
    come_to_thanks(engine, street)
    open_receipt(engine, street, "$25.00")
    engine.look_at(charity)
    heard(engine, "completed")
    engine.enter(engine.run(FRAME))
    until(engine, RECEIVED)
    assert [one.amount_received.major for one in street.shop.donations()[before:]] == ["25.00"]


def test_an_arabic_donor_gives_monthly_by_card_from_a_narrow_page(
    street: Street, engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    street.in_arabic(tmp_path, monkeypatch)
    before = len(street.shop.donations())
    engine.open(f"{street.charity}/index.html")
    engine.run(NARROW)
    enter_form(engine)
    until(engine, f"() => innerWidth === {NARROWEST}")
    assert engine.run(READS_FROM_THE_RIGHT)
    engine.click(engine.run("() => document.querySelector('#preset-1')"))
    engine.click(engine.run("() => document.querySelector('#frequency-monthly')"))
    engine.press(engine.run("() => document.querySelector('#repeat_email')"), "jo@example.com")
    assert engine.run(FITS), "nothing is wider than the frame"
    give_in_frame(engine, street)
    assert engine.run(READS_FROM_THE_RIGHT)
    pay_at_bank(engine, street)
    come_to_thanks(engine, street)
    assert engine.run(READS_FROM_THE_RIGHT)
    (gift,) = street.shop.donations()[before:]
    assert (gift.status, gift.frequency, gift.amount_received.major) == ("received", "monthly", "10.00")
    assert gift.subscription_id is not None


def test_a_gift_by_wallet_from_the_frame_ends_with_thanks(stage: Scene, engine: Engine) -> None:
    engine.open(stage.charity_url)
    enter_form(engine)
    engine.click(engine.run("() => document.querySelector('#preset-1')"))
    give_in_frame(engine, stage)
    click_on(engine, "#method-sol")
    click_on(engine, "button.wallet", "Test wallet")
    until(engine, f"() => {DIALOG} !== undefined")
    engine.click(engine.run(f"() => {DIALOG}.querySelector('.approve')"))
    until(engine, "() => document.querySelector('#status').dataset.state === 'paid'")
    come_to_thanks(engine, stage)
    open_receipt(engine, stage, "$10.00")
    gift = next(iter(merchant(stage).donations.list()))
    assert (gift.status, gift.kind, gift.amount_received) == ("received", "campaign", "10.00")


@pytest.mark.parametrize("name", ENGINES)
def test_without_storage_a_gift_is_made_all_the_same(street: Street, start: StartEngine, name: str) -> None:
    with start(name, without="storage") as engine:
        engine.open(f"{street.charity}/index.html")
        enter_form(engine)
        assert engine.run(HAS_NO_STORAGE)
        engine.click(engine.run("() => document.querySelector('#preset-1')"))
        give_in_frame(engine, street)
        pay_at_bank(engine, street)
        come_to_thanks(engine, street)


@pytest.mark.parametrize("name", ENGINES)
def test_without_script_the_link_leads_to_a_form_that_gives(street: Street, start: StartEngine, name: str) -> None:
    with start(name, without="script") as engine:
        engine.open(f"{street.charity}/index.html")
        engine.click(engine.find("//streampay-donate/a"))
        reach(engine, f"{street.gateway}/donate/{street.campaign.id}")
        engine.click(engine.find("//*[@id='preset-2']"))
        engine.click(engine.find("//*[@id='send']"))
        reach(engine, f"{street.gateway}/pay/")
        engine.click(engine.find("//*[@id='method-card']"))
        reach(engine, f"{street.shop.shop.bank_url}/c/pay/")
        engine.click(engine.find("//a[normalize-space()='Succeeds']"))
        eventually("the card", lambda: "card=" in engine.address(), wanted=True)
        engine.click(engine.find("//button[starts-with(normalize-space(), 'Pay ')]"))
        reach(engine, f"{street.gateway}/pay/")
        engine.click(engine.find("//*[@id='back']//a"))
        reach(engine, f"{street.gateway}/donate/{street.campaign.id}/thanks/")
        engine.find("//*[@id='status'][@data-state='received']")
        engine.find("//html[not(contains(@class, 'js'))]")


# --- a script that is not ours ---------------------------------------------------------------------------------------


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
