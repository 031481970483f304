"""The page stays light: what a first load costs in a real Chromium, against the limits that we promise."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from bench.page import JS_LIMIT, REQUESTS_LIMIT, TOTAL_LIMIT, Load, measure, third_party

if TYPE_CHECKING:
    from playwright.sync_api import Browser

Figure = Callable[[str, object, str], None]


@pytest.mark.serial
def test_a_first_load_is_light_and_asks_nobody_else(chromium: "Browser", figure: Figure) -> None:
    origin, loads, reports = measure(chromium, sandbox_rpc_url=None)
    total = sum(one.body_bytes for one in loads)
    script = sum(one.body_bytes for one in loads if one.kind == "script")
    figure("page: total_gz_bytes", total, f"<= {TOTAL_LIMIT}")
    figure("page: js_gz_bytes", script, f"<= {JS_LIMIT}")
    figure("page: requests", len(loads), f"<= {REQUESTS_LIMIT}")
    assert 5_000 < total <= TOTAL_LIMIT
    assert 2_000 < script <= JS_LIMIT
    assert 4 < len(loads) <= REQUESTS_LIMIT
    assert third_party(loads, origin) == 0
    assert reports == 0


def test_another_host_counts_as_a_third_party() -> None:
    def a_load(url: str) -> Load:
        return Load(url=url, kind="script", body_bytes=1, header_bytes=1)

    loads = [a_load("http://127.0.0.1:8080/x"), a_load("http://127.0.0.1:8081/x"), a_load("data:image/png;base64,")]
    assert third_party(loads, "http://127.0.0.1:8080") == 1
