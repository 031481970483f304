"""The script that charities embed: its addresses, its hash, its weight, and the code for print."""

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from donation_widget.embedding import FOLDER, NEWEST, integrity
from gateway.storage.database import open_database
from gateway.storage.migrate import upgrade
from sandbox.test_bank.server import RunningBank
from tests.widget.stage import Campaigns, campaigns

DOCUMENT = Path(__file__).parents[2] / "docs" / "widget.md"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, bank: RunningBank) -> Iterator[Campaigns]:
    url = f"sqlite:///{tmp_path_factory.mktemp('embed') / 'widget.db'}"
    database = open_database(url)
    upgrade(database)
    database.close()
    with campaigns(url, bank) as opened:
        yield opened


@pytest.fixture(scope="module")
def client(shop: Campaigns) -> FlaskClient:
    return shop.client


def test_the_script_has_an_address_that_changes_and_one_that_never_does(client: FlaskClient) -> None:
    evergreen, pinned = client.get("/embed/v1.js"), client.get(f"/embed/{NEWEST}")
    assert evergreen.data == pinned.data == (FOLDER / NEWEST).read_bytes()
    assert evergreen.headers["Cache-Control"] == "public, max-age=600"
    assert "immutable" in pinned.headers["Cache-Control"]


@pytest.mark.parametrize("name", ["v1.js", NEWEST])
def test_every_site_may_load_the_script_as_a_module(client: FlaskClient, name: str) -> None:
    answer = client.get(f"/embed/{name}", headers={"Origin": "https://charity.example"})
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert answer.mimetype == "text/javascript"


@pytest.mark.parametrize("name", ["v2.js", "v1.0.1.js", "../donate.js", "donate.js"])
def test_there_is_no_other_script(client: FlaskClient, name: str) -> None:
    assert client.get(f"/embed/{name}").status_code == 404


def test_the_printed_hash_is_that_of_the_script_that_never_changes() -> None:
    printed = set(re.findall(r"sha384-[A-Za-z0-9+/=]{64}", DOCUMENT.read_text(encoding="utf-8")))
    assert printed == {integrity()}


def test_the_script_is_light() -> None:
    assert len(gzip.compress((FOLDER / NEWEST).read_bytes(), 9)) <= 3072


def test_a_code_for_print_leads_to_the_campaign(shop: Campaigns) -> None:
    campaign = shop.add_campaign(title="A <b> & c")
    answer = shop.client.get(f"/donate/{campaign.id}/qr.svg")
    assert answer.mimetype == "image/svg+xml"
    assert "A &lt;b&gt; &amp; c" in answer.text
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert shop.client.get("/donate/cmp_nothing/qr.svg").status_code == 404
