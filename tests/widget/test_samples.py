"""The samples of campaigns, gifts and papers: none is missing, and each can be looked at in every language."""

import itertools
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from donation_widget.presentation import gift_view
from gateway.domain.donations import DonationStatus
from gateway.domain.words import PaymentStatus
from hosted_checkout.checkout.samples import SAMPLE_TIME
from hosted_checkout.i18n import LANGUAGES
from tests.checkout.house import a_clock
from tests.widget.gallery import a_samples_app
from tests.widget.samples import ADDRESSES, GIFTS, sample_gift


@pytest.fixture(scope="module")
def visitor() -> Iterator[FlaskClient]:
    app = a_samples_app(a_clock())
    with app.test_request_context():
        yield app.test_client()


def test_every_state_of_a_gift_has_a_sample(visitor: FlaskClient) -> None:
    del visitor  # it speaks English here
    possible = {
        gift_view(sample_gift(SAMPLE_TIME, payment, status=status)).state
        for payment, status in itertools.product(PaymentStatus, DonationStatus)
    }
    assert {gift_view(make(SAMPLE_TIME)).state for make in GIFTS.values()} == possible


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("address", ADDRESSES)
def test_every_sample_is_a_page(visitor: FlaskClient, address: str, language: str) -> None:
    page = visitor.get(f"{address}?lang={language}")
    assert page.status_code == 200
    assert f'<html lang="{language}"' in page.text


def test_a_name_without_a_sample_is_not_found(visitor: FlaskClient) -> None:
    for address in ("/donate/none", "/donate/open/thanks/none", "/donations/receipt/none", "/donations/stop/none"):
        assert visitor.get(address).status_code == 404
