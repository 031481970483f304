"""The example charity's site: its pages, its strict policy, and its command; tests/browser embeds it for real."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

EXAMPLE = Path(__file__).parents[2] / "examples" / "charity_page"
GATEWAY = "https://pay.example.com"


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """Start the example as its README says, on a free port, and return its address."""
    command = [sys.executable, "charity.py", "--gateway", f"{GATEWAY}/", "--campaign", "cmp_one", "--port", "0"]
    with subprocess.Popen(command, cwd=EXAMPLE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


@pytest.mark.parametrize("name", ["", "index.html", "modal.html", "button.html", "plain.html"])
def test_every_page_leads_to_the_campaign_without_script(site: str, name: str) -> None:
    answer = requests.get(f"{site}/{name}", timeout=10)
    assert answer.status_code == 200
    assert f'href="{GATEWAY}/donate/cmp_one' in answer.text
    assert "$GATEWAY" not in answer.text


def test_the_policy_allows_nothing_inline_and_the_gateway_alone(site: str) -> None:
    policy = requests.get(site, timeout=10).headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert f"script-src 'self' {GATEWAY};" in policy
    assert f"frame-src {GATEWAY};" in policy
    assert set(re.findall(r"https?://[^ ;]+", policy)) == {GATEWAY}


@pytest.mark.parametrize("path", ["../charity.py", "charity.py", "%2e%2e/charity.py", "pages/index.html", "nothing"])
def test_nothing_but_its_pages_is_served(site: str, path: str) -> None:
    assert requests.get(f"{site}/{path}", timeout=10).status_code == 404
