"""The pages of receipts, statements and stop links, as browsers, mail programs and curious strangers meet them."""

import io
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from pypdf import PdfReader
from sqlalchemy import select, update

from gateway.domain.donations import Frequency
from gateway.engine.donations.giving import Donor
from gateway.storage import schema
from hosted_checkout.app import create_app
from tests.donations.stage import GivingShop
from tests.donations.test_pledges import pledge

EVIL = Donor(
    name="<script>alert(1)</script>", email="jo@example.com", address="{{ 7*7 }}\n<img src=x onerror=alert(2)>"
)


@pytest.fixture
def browser(shop: GivingShop) -> FlaskClient:
    return create_app(shop.shop.house).test_client()


def printed(browser: FlaskClient, path: str) -> str:
    """Return the words of a PDF's first page."""
    return " ".join(PdfReader(io.BytesIO(browser.get(path).data)).pages[0].extract_text().split())


def receipt_path(shop: GivingShop, donor: Donor | None = None, **more: object) -> str:
    """Give, pay, and return where the receipt stands."""
    session = shop.give(shop.add_campaign(), "25", donor=donor or Donor(name="Jo Doe", email="jo@example.com"), **more)
    shop.pay(session)
    view = shop.engine.receipts.by_payment(session.payment_id)
    assert view is not None
    return f"/donations/receipt/{view.receipt.token}"


def test_a_receipt_is_a_page_a_pdf_and_json(shop: GivingShop, browser: FlaskClient) -> None:
    path = receipt_path(shop)
    page = browser.get(path)
    assert page.status_code == 200
    for words in ("Donation receipt", "Jo Doe", "$25.00", "River Fund e.V.", "12/345/67890", f"{path}.pdf"):
        assert words in page.text
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["X-Robots-Tag"] == "noindex"
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    pdf = browser.get(f"{path}.pdf")
    assert pdf.mimetype == "application/pdf"
    words = printed(browser, f"{path}.pdf")
    assert "Jo Doe" in words
    assert "$25.00" in words
    assert browser.get(f"{path}.pdf").data == pdf.data, "the same bytes always"
    shown = browser.get(f"{path}.json").get_json()
    assert (shown["amount"], shown["donor"]["name"], shown["status"]) == ("25.00", "Jo Doe", "issued")


def test_the_thanks_page_leads_to_the_receipt_once_there_is_one(shop: GivingShop, browser: FlaskClient) -> None:
    campaign = shop.add_campaign()
    session = shop.give(campaign, "25", donor=Donor())
    thanks = f"/donate/{campaign.id}/thanks/{session.token}"
    assert "/donations/receipt/" not in browser.get(thanks).text
    shop.pay(session)
    view = shop.engine.receipts.by_payment(session.payment_id)
    assert view is not None
    assert f'href="/donations/receipt/{view.receipt.token}"' in browser.get(thanks).text


def test_names_of_three_scripts_stand_in_the_pdf(shop: GivingShop, browser: FlaskClient) -> None:
    path = receipt_path(shop, Donor(name="Łucja Müßig-Ångström", email="a@example.com"))
    words = printed(browser, f"{path}.pdf")
    assert "Łucja Müßig-Ångström" in words
    path = receipt_path(shop, Donor(name="محمد الفقيه", email="b@example.com"), locale="ar")
    words = printed(browser, f"{path}.pdf")
    assert "محمد الفقيه" in words
    assert "إيصال تبرع" in words


@pytest.mark.parametrize(
    ("locale", "title", "direction"),
    [("de", "Spendenbeleg", "ltr"), ("ar", "إيصال تبرع", "rtl"), ("en", "Donation receipt", "ltr")],
)
def test_a_receipt_speaks_the_language_of_its_gift(
    shop: GivingShop, browser: FlaskClient, locale: str, title: str, direction: str
) -> None:
    page = browser.get(receipt_path(shop, locale=locale)).text
    assert title in page
    assert f'dir="{direction}"' in page


def test_what_a_donor_wrote_stays_text_on_every_paper(shop: GivingShop, browser: FlaskClient) -> None:
    path = receipt_path(shop, EVIL)
    page = browser.get(path).text
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<img" not in page
    assert "{{ 7*7 }}" in page
    words = printed(browser, f"{path}.pdf")
    assert "<script>alert(1)</script>" in words
    assert browser.get(f"{path}.json").get_json()["donor"]["name"] == EVIL.name


def test_a_receipt_of_what_went_back_says_so(shop: GivingShop, browser: FlaskClient) -> None:
    session = shop.give(shop.add_campaign(), "25")
    shop.pay(session)
    shop.shop.refund(session)
    view = shop.engine.receipts.by_payment(session.payment_id)
    assert view is not None
    path = f"/donations/receipt/{view.receipt.token}"
    assert "no longer counts" in browser.get(path).text
    assert "no longer counts" in printed(browser, f"{path}.pdf")
    assert browser.get(f"{path}.json").get_json()["status"] == "canceled"


def statement_path(shop: GivingShop) -> str:
    donors, donation = schema.donor, shop.donations()[-1]
    query = select(donors.c.statement_token).where(donors.c.donation_id == donation.id)
    token = shop.shop.db.read(lambda tx: tx.scalar(query))
    return f"/donations/statement/{token}/{shop.shop.clock.now().year}"


def test_a_statement_is_a_page_and_a_pdf(shop: GivingShop, browser: FlaskClient) -> None:
    receipt_path(shop)
    receipt_path(shop)
    path = statement_path(shop)
    page = browser.get(path)
    assert page.status_code == 200
    assert page.text.count("$25.00") == 4
    assert "$50.00" in page.text
    pdf = browser.get(f"{path}.pdf")
    assert "$50.00" in printed(browser, f"{path}.pdf")
    assert pdf.data == browser.get(f"{path}.pdf").data


@pytest.mark.parametrize(
    "path",
    [
        "/donations/receipt/nothing",
        "/donations/receipt/nothing.pdf",
        "/donations/receipt/nothing.json",
        "/donations/statement/nothing/2026",
        "/donations/statement/nothing/2026.pdf",
        "/donations/stop/nothing",
        "/donations/receipt/%00",
        "/donations/receipt/" + "x" * 3000,
        "/donations/statement/x/99999999999999999999",
    ],
)
def test_a_guessed_address_opens_nothing(browser: FlaskClient, path: str) -> None:
    assert browser.get(path).status_code == 404


def test_looking_at_a_stop_link_stops_nothing_and_its_button_does(shop: GivingShop, browser: FlaskClient) -> None:
    receipt_path(shop, frequency=Frequency.MONTHLY, by_wallet=True)
    path = f"/donations/stop/{pledge(shop).token}"
    for method in (browser.get, browser.head):
        assert method(path).status_code == 200
    assert pledge(shop).stopped_at is None
    assert '<form method="post">' in browser.get(path).text
    done = browser.post(path)
    assert done.status_code == 200
    assert "is stopped" in done.text
    assert "<form" not in done.text
    first = pledge(shop)
    assert first.stopped_at is not None
    assert browser.post(path).status_code == 200
    assert pledge(shop) == first


def test_a_mail_programs_one_click_stops_it(shop: GivingShop, browser: FlaskClient) -> None:
    """RFC 8058: a POST with one field, from nobody's page, without a cookie."""
    receipt_path(shop, frequency=Frequency.MONTHLY, by_wallet=True)
    found = pledge(shop)
    answer = browser.post(f"/donations/stop/{found.token}", data={"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200
    assert pledge(shop).stopped_at is not None


def test_a_stop_that_the_provider_does_not_confirm_says_so(shop: GivingShop, browser: FlaskClient) -> None:
    receipt_path(shop, frequency=Frequency.MONTHLY)
    path = f"/donations/stop/{pledge(shop).token}"
    shop.shop.fault("500_before", times=9)
    answer = browser.post(path)
    assert answer.status_code == 503
    assert "could not be stopped now" in answer.text
    assert '<form method="post">' in answer.text
    assert pledge(shop).stopped_at is None


@pytest.fixture(autouse=True)
def _quiet(shop: GivingShop) -> Iterator[None]:
    """Let nobody look after this test's subscriptions: their bank is closed."""
    yield
    shop.shop.db.write(lambda tx: tx.execute(update(schema.subscription).values(due_at=None)))
