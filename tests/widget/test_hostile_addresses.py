"""Whatever stands where an address has its token: there is no such page, on every database, and never a fault."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.widget.stage import Campaigns

TOKENS = {
    "nobodys": "A" * 43,
    "nul": "%00",
    "nul_within": "x%00" + "x" * 41,
    "overlong": "x" * 3000,
    "not_ascii": "%D9%A3" * 43,
    "not_utf8": "%FF%FE",
    "surrogate": "%ED%A0%80",
    "astral": "%F0%9F%92%9A" * 43,
    "line": "x" * 43 + "%0A",
    "quoted": "%27%20OR%20%271%27=%271",
}
HAS_TOKEN = re.compile(r"<(token|form|name)>")  # not the API's, which asks for a key first
# A form's token is signed, and one of another form has expired as far as anybody can tell.
NOT_FOUND = {"donations.form_status": 400}


JSON = {"account": "1" * 32, "payload": "AQAAAA==", "signature": "5" * 64}
FIELDS = {"gift": "round_up:1.00", "method": "sol"}


def addresses(shop: Campaigns, token: str) -> Iterator[tuple[str, str, str]]:
    """Yield each public address that has a token: endpoint, method, and the address with this one."""
    campaign = shop.add_campaign()
    for rule in shop.app.url_map.iter_rules():
        if HAS_TOKEN.search(rule.rule):
            path = re.sub("<campaign_id>(?=.)", campaign.id, rule.rule).replace("<int:year>", "2026")
            for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}:
                yield rule.endpoint, method, re.sub("<[^>]+>", token, path)


@pytest.mark.parametrize("name", TOKENS)
def test_an_address_with_a_token_of_another_form_is_not_found(shop: Campaigns, name: str) -> None:
    shop.open_doors()
    asked = {}
    for endpoint, method, path in addresses(shop, TOKENS[name]):
        takes_json = "wallet" in path or "solana" in path
        body: dict[str, Any] = (
            {"json" if takes_json else "data": JSON if takes_json else FIELDS} if method == "POST" else {}
        )
        asked[endpoint, method] = shop.client.open(path, method=method, **body).status_code
    assert len(asked) >= 20, "every public address with a token was asked"
    assert {one: status for one, status in asked.items() if status != NOT_FOUND.get(one[0], 404)} == {}
