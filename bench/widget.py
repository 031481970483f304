"""widget: what a charity's page pays for the donation form, in a real Chromium: bytes of script and form, layout shift.

The page is the example's, of another origin than the gateway and under a strict policy; the form is inline. Sizes are
bodies as they travel, compressed by the server as for any browser. Layout shift is what Chromium itself counts, on a
phone and on a desk, until the form stands and nothing moved for a second.
"""

import sys
import tempfile
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Request, sync_playwright

from bench.harness import Table, parser
from tests.conftest import CHROMIUM_PATHS
from tests.widget.street import FORM_LIMIT, LOADER_LIMIT, SHIFT_LIMIT, a_street

QUIET_MS: Final = 1000
SCREENS: Final = ({"width": 390, "height": 844}, {"width": 1280, "height": 900})
# What a hosted peer's button sends as script, measured in July 2026 (Every.org's donate button 0.4).
PEER_BYTES: Final = 49 * 1024
COUNT_SHIFTS: Final = """
window.shift = 0;
new PerformanceObserver((list) => { for (const one of list.getEntries()) window.shift += one.value; })
  .observe({ type: "layout-shift", buffered: true });
"""


def visit(browser: Browser, page_url: str, screen: dict[str, int]) -> tuple[dict[str, int], float]:
    """Open the charity's page; return the compressed bytes of every request by address, and the layout shift."""
    context = browser.new_context(viewport={"width": screen["width"], "height": screen["height"]})
    context.add_init_script(COUNT_SHIFTS)
    page = context.new_page()
    finished: list[Request] = []
    page.on("requestfinished", lambda request: finished.append(request))  # noqa: PLW0108 - Playwright marks what it calls
    page.goto(page_url)
    page.frame_locator("iframe").locator("#send").wait_for()
    page.wait_for_timeout(QUIET_MS)
    sizes = {one.url: one.sizes()["responseBodySize"] for one in finished}
    shift = float(page.evaluate("window.shift"))
    context.close()
    return sizes, shift


def main(arguments: list[str] | None = None) -> int:
    """Run the bench; 1 when a limit is broken or there is no browser."""
    options = parser(__doc__).parse_args(arguments)
    path = next((path for path in CHROMIUM_PATHS if Path(path).exists()), None)
    if path is None:
        sys.stderr.write("Chromium is missing: apt-get install --no-install-recommends chromium\n")
        return 1
    with (
        tempfile.TemporaryDirectory() as folder,
        a_street(f"sqlite:///{Path(folder) / 'bench.db'}") as street,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        visits = [visit(browser, street.charity, screen) for screen in SCREENS]
        browser.close()
    return report(street.gateway, visits, as_json=options.json)


def report(gateway: str, visits: list[tuple[dict[str, int], float]], *, as_json: bool) -> int:
    """Print the table and return the exit status."""
    sizes, shift = visits[0][0], max(shift for _, shift in visits)
    ours = {url: size for url, size in sizes.items() if url.startswith(gateway)}
    loader = sum(size for url, size in ours.items() if "/embed/" in url)
    form = sum(ours.values()) - loader
    table = Table("widget")
    table.add(
        "loader", loader, "bytes", beside=f"limit {LOADER_LIMIT:,}; Every.org {PEER_BYTES:,}", key="loader_gz_bytes"
    )
    table.add("framed form, all of it", form, "bytes", beside=f"limit {FORM_LIMIT:,}", key="form_gz_bytes")
    table.add("layout shift, phone and desk", shift, "", beside=f"limit {SHIFT_LIMIT}", key="layout_shift")
    for url, size in sorted(ours.items(), key=lambda one: -one[1]):
        table.add(f"  {urlsplit(url).path.rpartition('/')[2]}", size, "bytes", beside="")
    table.print(as_json=as_json)
    return 1 if loader > LOADER_LIMIT or form > FORM_LIMIT or shift > SHIFT_LIMIT else 0


if __name__ == "__main__":
    sys.exit(main())
