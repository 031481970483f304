"""page: what the first load of the checkout page costs, in a real Chromium.

The page measured is the heaviest first one: a method is chosen, so address, QR code and brand theme are there. Sizes
are bodies as they travel, compressed by the server as for any browser; headers are counted beside. Whatever the page
asks for within LISTEN_S counts, the first status poll included.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Request, sync_playwright

from bench.harness import Table, parser
from hosted_checkout.checkout.samples import SAMPLE_TIME, sample_attempt, sample_page
from tests.checkout.house import StatesGallery, a_checkout_app, a_clock, serving
from tests.conftest import CHROMIUM_PATHS

LISTEN_S: Final = 2.0  # the first poll comes after 1.2 to 1.8 s, the second after 2.4 s at the earliest
TOTAL_LIMIT: Final = 30 * 1024
JS_LIMIT: Final = 12 * 1024
REQUESTS_LIMIT: Final = 6
# What a self-hosted peer sends for the same page, measured in July 2026 (BTCPay Server checkout v2, without its fonts).
PEER_BYTES: Final = 172 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One request of a page load; sizes in bytes as they travelled."""

    url: str
    kind: str
    body_bytes: int
    header_bytes: int


def load(browser: Browser, url: str) -> list[Load]:
    """Open a page in a fresh context and return everything it asked for."""
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    finished: list[Request] = []

    def keep(request: Request) -> None:
        finished.append(request)

    page.on("requestfinished", keep)
    page.goto(url)
    page.wait_for_timeout(LISTEN_S * 1000)
    loads = [_measured(request) for request in finished]
    context.close()
    return loads


def _measured(request: Request) -> Load:
    sizes = request.sizes()
    return Load(
        url=request.url,
        kind=request.resource_type,
        body_bytes=sizes["responseBodySize"],
        header_bytes=sizes["responseHeadersSize"],
    )


def measure(browser: Browser, *, sandbox_rpc_url: str | None) -> tuple[str, list[Load], int]:
    """Serve one page, load it, and return its origin, its requests and how often the policy was violated."""
    verbs = StatesGallery(a_clock())
    page = sample_page(SAMPLE_TIME, attempt=sample_attempt(SAMPLE_TIME))
    verbs.pages["order"] = replace(page, livemode=sandbox_rpc_url is None)
    app = a_checkout_app(verbs, sandbox_rpc_url=sandbox_rpc_url)
    with serving(app) as origin:
        loads = load(browser, f"{origin}/pay/order")
    return origin, loads, app.extensions["csp_reports"].count


def third_party(loads: Sequence[Load], origin: str) -> int:
    """Count what went anywhere but to the page's own origin."""
    own = urlsplit(origin).netloc
    return sum(1 for one in loads if urlsplit(one.url).netloc not in {own, ""})


def main(arguments: list[str] | None = None) -> int:
    """Run the bench; 1 when a limit is broken or there is no browser."""
    options = parser(__doc__).parse_args(arguments)
    path = next((path for path in CHROMIUM_PATHS if Path(path).exists()), None)
    if path is None:
        sys.stderr.write("Chromium is missing: apt-get install --no-install-recommends chromium\n")
        return 1
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        origin, loads, reports = measure(browser, sandbox_rpc_url=None)
        _, in_sandbox, _ = measure(browser, sandbox_rpc_url="http://127.0.0.1:8899")
        browser.close()
    return report(origin, loads, in_sandbox, reports, as_json=options.json)


def report(origin: str, loads: list[Load], in_sandbox: list[Load], reports: int, *, as_json: bool) -> int:
    """Print the table and return the exit status."""
    total = sum(one.body_bytes for one in loads)
    script = sum(one.body_bytes for one in loads if one.kind == "script")
    foreign = third_party(loads, origin)
    table = Table("page")
    peer = f"limit {TOTAL_LIMIT:,}; BTCPay {PEER_BYTES:,}"
    table.add("first load, compressed", total, "bytes", beside=peer, key="total_gz_bytes")
    table.add("of it JavaScript", script, "bytes", beside=f"limit {JS_LIMIT:,}", key="js_gz_bytes")
    table.add("requests", len(loads), "", beside=f"limit {REQUESTS_LIMIT}, with icon and first poll", key="requests")
    table.add("to third parties", foreign, "", beside="limit 0", key="third_party_requests")
    table.add("violations of the policy", reports, "", beside="limit 0", key="csp_reports")
    table.add("response headers", sum(one.header_bytes for one in loads), "bytes", beside="beside the above")
    sandbox_total = sum(one.body_bytes for one in in_sandbox)
    table.add("the same with the test wallet", sandbox_total, "bytes", beside="test mode only")
    for one in sorted(loads, key=lambda one: -one.body_bytes):
        table.add(f"  {urlsplit(one.url).path.rpartition('/')[2]}", one.body_bytes, "bytes", beside=one.kind)
    table.print(as_json=as_json)
    is_broken = total > TOTAL_LIMIT or script > JS_LIMIT or len(loads) > REQUESTS_LIMIT or foreign or reports
    return 1 if is_broken else 0


if __name__ == "__main__":
    sys.exit(main())
