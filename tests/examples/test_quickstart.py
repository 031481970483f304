"""The quickstart's code runs as it stands there."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.plugin.street import a_street
from tests.sdk.objects import ENDPOINT, REFUND, SECRET, SESSION, but
from tests.sdk.scripted_gateway import TEST_KEY, Answer, ScriptedGateway

PAGE = Path(__file__).parents[2] / "docs" / "quickstart.md"
MAX_MERCHANT_LINES = 15
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.fixture(autouse=True)
def environment(gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in for the demo."""
    monkeypatch.setenv("STREAMPAY_API_KEY", TEST_KEY)
    monkeypatch.setenv("STREAMPAY_BASE_URL", gateway.base_url)
    monkeypatch.setenv("STREAMPAY_WEBHOOK_SECRET", SECRET)


def test_the_first_steps_run(gateway: ScriptedGateway, capsys: pytest.CaptureFixture[str]) -> None:
    complete = but(SESSION, status="complete", payment_status="paid")
    made = [Answer(status=201, body=body) for body in (SESSION, REFUND, ENDPOINT)]
    gateway.says(made[0], Answer(body=complete), made[1], made[2])
    create, wait, refund, _, endpoint = BLOCKS
    names: dict[str, Any] = {}
    for block in (create, wait, refund, endpoint):
        exec(block, names)  # noqa: S102 - our own page
    names["client"].close()
    assert capsys.readouterr().out.splitlines() == [SESSION["url"], "complete paid", "succeeded", SECRET]


def test_the_merchants_lines_sell_and_ship_with_the_real_gateway(
    tmp_path: Path, create_database: Callable[[str], str], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    with a_street(tmp_path, create_database) as street:
        for name, value in street.environment.items():
            monkeypatch.setenv(name, value)
        names: dict[str, Any] = {"__name__": "merchant"}
        exec(BLOCKS[3], names)  # noqa: S102 - our own page
        shop = names["app"].test_client()
        address = shop.post("/buy/order-1001").location
        assert shop.post("/buy/order-1001").location == address
        street.pay(address)
        sent = street.carry()
        answers = [shop.post("/webhooks/streampay", data=body, headers=head).status_code for body, head in sent * 2]
        assert (set(answers), len(answers) > 2) == ({200}, True)
        assert shop.post("/webhooks/streampay", data=sent[0][0] + b" ", headers=sent[0][1]).status_code == 400
        names["gateway"].client.close()
    assert capsys.readouterr().out == "ship order-1001\n"


def test_the_readme_shows_the_same_lines() -> None:
    merchant = BLOCKS[3].removeprefix("# merchant.py\n")
    assert f"```python\n{merchant}```" in PAGE.parents[1].joinpath("README.md").read_text(encoding="utf-8")


def test_the_merchants_lines_are_few() -> None:
    lines = [line for line in BLOCKS[3].splitlines() if line.strip() and not line.startswith("#")]
    assert len(lines) <= MAX_MERCHANT_LINES
