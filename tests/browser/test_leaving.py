"""The step from our page to a provider's, in a real Chromium: at once where the policy allows it, never stopped."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from flask import Flask
from playwright.sync_api import expect

from tests.browser.conftest import NewContext
from tests.checkout.house import StatesGallery, a_checkout_app, a_clock, serving

if TYPE_CHECKING:
    from playwright.sync_api import Page

LISTEN = """() => {
  const region = document.querySelector("[role=status]");
  const listener = new MutationObserver(() => window.hear(region.innerText.trim()));
  listener.observe(region, { childList: true, subtree: true, characterData: true });
}"""
PATIENCE_S = 5.0  # a test that fails must not wait for ever


@dataclass
class SlowProvider(StatesGallery):
    """A gallery whose provider answers only when it is told to."""

    may_answer: threading.Event = field(default_factory=threading.Event)

    def redirect(self, token: str, method: str) -> str:
        url = super().redirect(token, method)
        self.may_answer.wait(PATIENCE_S)
        return url


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """Serve a provider's page at an origin of its own."""
    app = Flask("provider")
    app.add_url_rule("/c/pay", "pay", lambda: "<title>The provider's page</title>")
    app.add_url_rule("/favicon.ico", "icon", lambda: ("", 204))
    with serving(app) as origin:
        yield origin


@pytest.fixture
def verbs(provider: str) -> SlowProvider:
    return SlowProvider(a_clock(), provider_url=f"{provider}/c/pay")


def visited(page: "Page") -> list[str]:
    """Return the list in which the paths of the pages will stand that this tab was answered with."""
    paths: list[str] = []
    page.on(
        "response",
        lambda answer: (
            paths.append(f"{answer.status} {answer.url}") if answer.request.is_navigation_request() else None
        ),
    )
    return paths


@pytest.mark.parametrize("has_script", [True, False])
@pytest.mark.parametrize("is_known", [True, False])
def test_the_card_button_arrives_at_the_provider_whatever_its_address(
    provider: str, verbs: SlowProvider, new_context: NewContext, *, is_known: bool, has_script: bool
) -> None:
    verbs.may_answer.set()
    app = a_checkout_app(verbs, form_action=(provider,) if is_known else ())
    with serving(app) as origin:
        page = new_context(java_script_enabled=has_script).new_page()
        paths = visited(page)
        page.goto(f"{origin}/pay/open")
        page.get_by_role("button", name="Card").click()
        expect(page).to_have_title("The provider's page")
    chosen = 303 if is_known else 200
    assert paths[1:] == [f"{chosen} {origin}/pay/open/method", f"200 {provider}/c/pay"]
    assert app.extensions["csp_reports"].count == 0


def test_without_its_origin_in_the_policy_a_redirect_would_be_stopped(
    provider: str, verbs: SlowProvider, new_context: NewContext
) -> None:
    """Pitfall 33: the reason for the page in between."""
    with serving(a_checkout_app(verbs)) as origin:
        page = new_context().new_page()
        page.goto(f"{origin}/pay/open")
        page.route("**/method", lambda route: route.fulfill(status=303, headers={"Location": f"{provider}/c/pay"}))
        with page.expect_console_message(lambda said: "form-action" in said.text):
            page.get_by_role("button", name="Card").click()


def test_a_slow_provider_is_waited_for_aloud_and_asked_once(
    provider: str, verbs: SlowProvider, new_context: NewContext
) -> None:
    heard: list[str] = []

    def hear(words: str) -> None:
        heard.append(words)
        verbs.may_answer.set()

    with serving(a_checkout_app(verbs, form_action=(provider,))) as origin:
        page = new_context().new_page()
        page.expose_function("hear", hear)
        page.goto(f"{origin}/pay/declined")
        page.evaluate(LISTEN)
        page.get_by_role("button", name="Try again by card").evaluate("(one) => { one.click(); one.click(); }")
        expect(page).to_have_title("The provider's page")
    assert heard == ["Opening the card page…"]
    assert verbs.calls == [("redirect", "declined", "card")]


def test_whoever_comes_back_by_the_back_button_can_go_on(
    provider: str, verbs: SlowProvider, new_context: NewContext
) -> None:
    verbs.may_answer.set()
    with serving(a_checkout_app(verbs, form_action=(provider,))) as origin:
        page = new_context().new_page()
        page.goto(f"{origin}/pay/page_open")
        for _ in range(2):
            page.get_by_role("button", name="Continue to card payment").click()
            expect(page).to_have_title("The provider's page")
            page.go_back()
            expect(page.get_by_role("status")).to_have_text("No card payment has arrived yet.")
    assert len(verbs.calls) == 2
