"""The API reference in a real browser: accessible, within its window, searched by words, whole without script."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

import hosted_checkout
from hosted_checkout.api.blueprint import ROUTES
from hosted_checkout.api.meanings import MEANINGS
from hosted_checkout.api.openapi import document
from hosted_checkout.assets import assets_blueprint
from hosted_checkout.reference import reference_blueprint
from hosted_checkout.security import install_security
from tests.browser.conftest import NewContext
from tests.browser.test_every_state import RULES, RUN_AXE
from tests.checkout.house import serving


@pytest.fixture(scope="module")
def docs() -> Iterator[str]:
    """Serve the page under the strict policy, and prove at the end that nothing broke it."""
    app = Flask("hosted_checkout", root_path=str(Path(hosted_checkout.__file__).parent), static_folder=None)
    install_security(app, sandbox_wallet=False)
    app.register_blueprint(assets_blueprint())
    app.register_blueprint(reference_blueprint(document(ROUTES, base_url="https://pay.example"), MEANINGS))
    with serving(app) as address:
        yield f"{address}/docs"
    assert app.extensions["csp_reports"].count == 0


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_reference_is_accessible_and_fits(
    width: int, scheme: str, *, docs: str, new_context: NewContext, axe_source: str
) -> None:
    page = new_context(viewport={"width": width, "height": 900}, color_scheme=scheme).new_page()
    page.set_default_timeout(60_000)
    page.goto(docs)
    page.evaluate(axe_source)
    found: dict[str, Any] = page.evaluate(RUN_AXE, RULES)
    assert found == {"violations": [], "incomplete": []}
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_what_is_looked_for_is_found_by_words_and_by_keyboard(docs: str, new_context: NewContext) -> None:
    page = new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.goto(docs)
    page.keyboard.press("/")
    page.keyboard.type("refund post")
    shown = page.locator(".contents [data-words] >> visible=true")
    assert {"Give money back, in part or in full"} <= set(shown.all_inner_texts())
    assert page.locator("[role=status]").inner_text().startswith(f"{shown.count()} of ")
    page.get_by_role("link", name="Give money back, in part or in full").first.click()
    assert page.url.endswith("#create_refund")
    page.locator("#filter").press("Escape")
    assert page.locator("[role=status]").inner_text() == ""


def test_on_a_phone_the_contents_open_at_a_touch_and_close_after_a_choice(docs: str, new_context: NewContext) -> None:
    page = new_context(viewport={"width": 390, "height": 844}).new_page()
    page.goto(docs)
    contents = page.locator(".contents a[href='#create_checkout_session']")
    assert not contents.is_visible()
    page.get_by_text("Contents", exact=True).click()
    contents.click()
    assert not contents.is_visible()
    assert page.locator("#create_checkout_session").is_visible()


def test_without_script_everything_is_there(docs: str, new_context: NewContext) -> None:
    page = new_context(java_script_enabled=False, viewport={"width": 390, "height": 844}).new_page()
    page.goto(docs)
    assert page.locator("article").count() > len(ROUTES)
    assert page.locator("#filter").is_hidden()
    page.get_by_role("link", name="payment.succeeded", exact=True).first.click()
    assert page.url.endswith("#event-payment-succeeded")
