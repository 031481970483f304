"""What staff do when a donor asks: over the API, and on the server."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from pypdf import PdfReader
from werkzeug.test import TestResponse

from donation_widget import Scribe
from gateway.engine.records import load_merchant
from hosted_checkout import cli
from hosted_checkout.app import create_app
from hosted_checkout.cli import donations as cli_donations
from hosted_checkout.cli import house as cli_house
from hosted_checkout.doctor import _mail
from tests.donations.post import a_mailroom, a_post_office, mails_of
from tests.donations.stage import GivingShop


class Desk:
    """A clerk with a test key."""

    def __init__(self, shop: GivingShop) -> None:
        self.shop = shop
        self.client: FlaskClient = create_app(shop.shop.house).test_client()
        key = shop.engine.merchants.create_key(shop.shop.owner.merchant_id, livemode=False)
        self.headers = {"Authorization": f"Bearer {key}"}

    def get(self, path: str) -> TestResponse:
        return self.client.get(path, headers=self.headers)

    def post(self, path: str, body: dict[str, Any], key: str | None = None) -> TestResponse:
        more = {} if key is None else {"Idempotency-Key": key}
        return self.client.post(path, json=body, headers=self.headers | more)


@pytest.fixture
def desk(shop: GivingShop) -> Desk:
    return Desk(shop)


def a_gift(shop: GivingShop) -> str:
    """Give and pay; return the donation's id."""
    session = shop.give(shop.add_campaign(), "25")
    shop.pay(session)
    donation = shop.donation(session)
    assert donation is not None
    return donation.id


def test_a_receipt_is_read_with_its_address(shop: GivingShop, desk: Desk) -> None:
    donation_id = a_gift(shop)
    shown = desk.get(f"/v1/donations/{donation_id}/receipt").get_json()
    assert (shown["amount"], shown["amount_that_counts"], shown["status"]) == ("25.00", "25.00", "issued")
    assert shown["issuer"]["legal_name"] == "River Fund e.V."
    assert "jo@example.com" not in json.dumps(shown)
    assert desk.client.get(shown["url"].partition(":8080")[2]).status_code == 200


def test_a_receipt_is_sent_again_once_for_a_key(shop: GivingShop, desk: Desk) -> None:
    path = f"/v1/donations/{a_gift(shop)}/resend_receipt"
    answers = [desk.post(path, {}, key="again-1") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert desk.post(path, {"email": "new@example.com"}).status_code == 202
    assert [mail.recipient for mail in mails_of(shop)] == ["jo@example.com", "jo@example.com", "new@example.com"]
    bad = desk.post(path, {"email": "a@example.com\r\nBcc: b@example.com"})
    assert (bad.status_code, bad.get_json()["param"]) == (400, "/email")


def test_a_years_statement_is_read(shop: GivingShop, desk: Desk) -> None:
    a_gift(shop)
    a_gift(shop)
    asked = {"charity": shop.charity.id, "email": "JO@example.com", "year": shop.shop.clock.now().year}
    shown = desk.post("/v1/donations/statement", asked).get_json()
    assert shown["totals"] == [{"amount": "50.00", "currency": "USD"}]
    assert len(shown["receipts"]) == 2
    for wrong in ({"year": 2001}, {"email": "nobody@example.com"}, {"charity": "cha_01jd4k00000000000000000000"}):
        assert desk.post("/v1/donations/statement", asked | wrong).status_code == 404
    assert desk.post("/v1/donations/statement", asked | {"charity": "everyone"}).status_code == 400


def test_a_person_is_forgotten_over_the_api(shop: GivingShop, desk: Desk) -> None:
    donation_id = a_gift(shop)
    answer = desk.post("/v1/donations/erase", {"email": "jo@example.com"})
    assert answer.get_json() == {"object": "donor_erasure", "donations": 1, "pledges": 0}
    assert desk.get(f"/v1/donations/{donation_id}/receipt").status_code == 200
    refused = desk.post(f"/v1/donations/{donation_id}/resend_receipt", {})
    assert (refused.status_code, refused.get_json()["code"]) == (400, "parameter_missing")


@pytest.fixture
def server(shop: GivingShop, monkeypatch: pytest.MonkeyPatch) -> GivingShop:
    """Let commands find this shop's database, and its merchant as their own."""
    monkeypatch.setattr(cli_house, "built", lambda _settings: _Borrowed(shop))
    merchant = shop.shop.db.read(lambda tx: load_merchant(tx, shop.shop.owner.merchant_id))
    for module in (cli_house, cli_donations):
        monkeypatch.setattr(module, "the_merchant", lambda _house: merchant)
    monkeypatch.setenv("STREAMPAY_DATABASE_URL", shop.shop.url)
    monkeypatch.setenv("STREAMPAY_SECRET_KEYS", "A" * 43 + "=")
    return shop


class _Borrowed:
    """A house that stays open when a command is done with it."""

    def __init__(self, shop: GivingShop) -> None:
        self._house = shop.shop.house

    def __getattr__(self, name: str) -> Any:
        return getattr(self._house, name)

    def close(self) -> None:
        """The test closes it."""


def test_the_server_prints_a_statement_and_forgets(
    server: GivingShop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    donation_id = a_gift(server)
    year = str(server.shop.clock.now().year)
    asked = ["donations", "statement", server.charity.id, "jo@example.com", year, "--test"]
    assert cli.main(asked) == cli.OK
    assert json.loads(capsys.readouterr().out)["totals"] == [{"amount": "25.00", "currency": "USD"}]
    file = tmp_path / "year.pdf"
    assert cli.main([*asked, "--pdf", str(file), "--locale", "de"]) == cli.OK
    assert "Spendenübersicht" in PdfReader(io.BytesIO(file.read_bytes())).pages[0].extract_text()
    assert cli.main(["donations", "resend", donation_id, "--test"]) == cli.FAILED
    assert "STREAMPAY_SMTP_URL" in capsys.readouterr().err
    assert len(mails_of(server)) == 2
    assert cli.main(["donations", "erase", "jo@example.com", "--test"]) == cli.OK
    assert "1 donations are nameless now" in capsys.readouterr().out
    assert cli.main(asked) == cli.FAILED


def test_the_doctor_says_what_keeps_mails_from_going_out(shop: GivingShop, monkeypatch: pytest.MonkeyPatch) -> None:
    a_gift(shop)
    (finding,) = _mail(shop.shop.house)
    assert (finding.subject, finding.is_ok) == ("mail", False)
    assert "set STREAMPAY_SMTP_URL" in finding.detail
    with a_post_office() as office:
        monkeypatch.setattr(shop.engine, "mailroom", a_mailroom(shop, office, Scribe()))
        (finding,) = _mail(shop.shop.house)
        assert (finding.is_ok, finding.detail) == (True, "the server answers, 1 wait")
    (finding,) = _mail(shop.shop.house)
    assert not finding.is_ok
    assert "ConnectionRefusedError" in finding.detail
