"""A gateway with a campaign, and a charity's site of another origin that embeds it: for browsers."""

import importlib.util
import re
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import update

from gateway.engine.donations.records import CampaignRecord
from gateway.kernel.money import parse_money
from gateway.storage import schema
from gateway.storage.database import open_database
from gateway.storage.migrate import upgrade
from streampay import StreamPay
from tests.cards.stage import a_bank
from tests.checkout.house import serving
from tests.widget.stage import Campaigns, campaigns

if TYPE_CHECKING:
    import pytest
    from playwright.sync_api import Page

EXAMPLE: Final = Path(__file__).parents[2] / "examples" / "charity_page" / "charity.py"
WRONG_DIGEST: Final = "sha384-" + "A" * 64
LOADER_LIMIT: Final = 3 * 1024
FORM_LIMIT: Final = 25 * 1024
SHIFT_LIMIT: Final = 0.02
# How far a page's content has moved without its reader's doing (https://web.dev/articles/cls).
SHIFTS: Final = """() => new Promise((resolve) => {
  let sum = 0;
  const add = (entries) => entries.forEach((one) => { sum += one.hadRecentInput ? 0 : one.value; });
  const observer = new PerformanceObserver((list) => add(list.getEntries()));
  observer.observe({ type: "layout-shift", buffered: true });
  requestAnimationFrame(() => requestAnimationFrame(() => { add(observer.takeRecords()); resolve(sum); }));
})"""
# What a stranger may send; returns the frame's height before, and after true messages of too much and too little.
FORGED: Final = """(origin) => {
  const frame = document.querySelector("streampay-donate").iframe;
  const send = (data, more) => window.dispatchEvent(new MessageEvent("message", { data, ...more }));
  const good = { origin, source: frame.contentWindow };
  const message = { v: 1, type: "streampay:resize", height: 333 };
  send(message, { ...good, origin: "https://evil.example" });
  send(message, { ...good, origin: origin + ".evil.example" });
  send(message, { ...good, source: window });
  send({ ...message, v: 2 }, good);
  send({ ...message, type: "resize; x" }, good);
  send({ ...message, height: "333" }, good);
  send({ ...message, height: Infinity }, good);
  send(null, good);
  window.postMessage(message, "*");
  const before = frame.style.height;
  send({ ...message, height: 1e9 }, good);
  const most = frame.style.height;
  send({ ...message, height: -5 }, good);
  return [before, most, frame.style.height];
}"""


@dataclass
class Street:
    """The gateway, the bank, and the charity's site; `localhost` and `127.0.0.1` are two sites to a browser."""

    shop: Campaigns
    gateway: str
    module: ModuleType
    site: Any
    campaign: CampaignRecord
    reports: int = 0  # of broken policies that tests caused on purpose

    @property
    def charity(self) -> str:
        return f"http://localhost:{self.site.server_port}"

    def set(self, **values: Any) -> None:
        """Change the campaign."""
        table = schema.campaign
        change = update(table).where(table.c.id == self.campaign.id).values(**values)
        self.shop.shop.db.write(lambda tx: tx.execute(change))

    def pin(self, digest: str, folder: Path, monkeypatch: "pytest.MonkeyPatch") -> None:
        """Let the charity's first page take the script of one version, by this hash."""
        tag = f'<script type="module" crossorigin integrity="{digest}" src="{self.gateway}/embed/v1.0.0.js"></script>'
        self.rewrite(r'<script type="module" src=".GATEWAY[^>]*></script>', tag, folder, monkeypatch)

    def rewrite(self, pattern: str, text: str, folder: Path, monkeypatch: "pytest.MonkeyPatch") -> None:
        """Let the charity's first page say something else in one place."""
        pages = Path(shutil.copytree(self.module.PAGES, folder / "pages"))
        home = pages / "index.html"
        written, times = re.subn(pattern, text, home.read_text())
        assert times == 1, f"{pattern} stands there {times} times"
        home.write_text(written)
        monkeypatch.setattr(self.module, "PAGES", pages)

    def in_arabic(self, folder: Path, monkeypatch: "pytest.MonkeyPatch") -> None:
        """Let the charity's first page be an Arabic one."""
        self.rewrite('<html lang="en">', '<html lang="ar" dir="rtl">', folder, monkeypatch)

    @contextmanager
    def sdk(self) -> Iterator[StreamPay]:
        """Let the merchant look at his gateway, from outside."""
        merchant_id = self.shop.shop.owner.merchant_id
        key = self.shop.engine.merchants.create_key(merchant_id, livemode=False)
        with StreamPay(key, base_url=self.gateway) as client:
            yield client


@contextmanager
def a_street(url: str) -> Iterator[Street]:
    """Open everything on an empty database."""
    database = open_database(url)
    upgrade(database)
    database.close()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]  # the gateway must know its address: the bank sends donors back to it
    settings = {"STREAMPAY_BASE_URL": f"http://127.0.0.1:{port}"}
    with a_bank() as bank, campaigns(url, bank, settings) as shop, serving(shop.app, port=port) as gateway:
        module = _charity_module()
        site = module.Site(("127.0.0.1", 0), gateway=gateway, campaign="")
        thread = threading.Thread(target=site.serve_forever, daemon=True)
        thread.start()
        origin = f"http://localhost:{site.server_port}"
        goal = parse_money("5000", "USD")
        campaign = shop.add_campaign(origins=(origin,), goal=goal, story="We clean rivers.\n\nBoat by boat.")
        site.words["CAMPAIGN"] = campaign.id
        try:
            yield Street(shop=shop, gateway=gateway, module=module, site=site, campaign=campaign)
        finally:
            site.shutdown()
            site.server_close()
            thread.join(timeout=5)


def weights(page: "Page", street: Street) -> tuple[int, int]:
    """Return what the loader weighs, and the framed form with all that it loads: bytes as they travel."""
    sizes: dict[str, int] = {}
    page.on("requestfinished", lambda one: sizes.update({one.url: one.sizes()["responseBodySize"]}))
    page.goto(f"{street.charity}/index.html")
    page.frame_locator("iframe").locator("#send").wait_for()
    page.wait_for_load_state("networkidle")
    loader = next(size for url, size in sizes.items() if "/embed/" in url)
    return loader, sum(size for url, size in sizes.items() if url.startswith(street.gateway)) - loader


def _charity_module() -> ModuleType:
    """Return the example's one module; its folder is no package."""
    spec = importlib.util.spec_from_file_location("charity_site", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found
