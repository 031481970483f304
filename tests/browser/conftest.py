"""A live checkout page, a page in a real Chromium, and the accessibility engine."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from flask import Flask

from tests.checkout.house import StatesGallery, a_checkout_app, a_clock, serving
from tests.widget.street import Street, a_street

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

AXE = Path(__file__).parent / "node" / "node_modules" / "axe-core" / "axe.min.js"
RPC_URL = "http://127.0.0.1:8899"  # named in the policy; these pages never call it
NewContext = Callable[..., "BrowserContext"]


@pytest.fixture(scope="session")
def axe_source(engine_missing: Callable[[str, str], NoReturn]) -> str:
    """Return axe-core's source; pages get it by evaluation, because the policy refuses foreign script tags."""
    if not AXE.exists():
        engine_missing("axe-core", "npm ci --prefix tests/browser/node")
    return AXE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def gallery() -> StatesGallery:
    return StatesGallery(a_clock())


@pytest.fixture(scope="module")
def app(gallery: StatesGallery) -> Flask:
    return a_checkout_app(gallery, sandbox_rpc_url=RPC_URL)


@pytest.fixture(scope="module")
def origin(app: Flask) -> Iterator[str]:
    """Serve the gallery, and prove at the end that no browser reported a violation of the policy."""
    with serving(app) as address:
        yield address
    assert app.extensions["csp_reports"].count == 0


@pytest.fixture(scope="module")
def street(create_database: Callable[[str], str]) -> Iterator[Street]:
    """Open everything, and prove at the end that no page of ours broke its policy."""
    with a_street(create_database("sqlite")) as opened:
        yield opened
        assert opened.shop.app.extensions["csp_reports"].count == opened.reports


@pytest.fixture
def new_context(chromium: "Browser") -> Iterator[NewContext]:
    """Return a maker of browser contexts; an error in a page of theirs fails the test."""
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def make(**options: Any) -> "BrowserContext":
        context = chromium.new_context(**options)
        context.set_default_timeout(10_000)
        context.on("weberror", lambda error: errors.append(str(error.error)))
        contexts.append(context)
        return context

    yield make
    for context in contexts:
        context.close()
    assert errors == []
