"""The example shops of the Django family as their READMEs start them: a purchase, its webhook, money that goes back."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NoReturn
from urllib.parse import urljoin

import pytest

from tests.plugin.environments import lay_out_sdk, python_with
from tests.plugin.example_shop import Example, ExampleShop, running

SHOP = Example(name="shop_django", hook="/streampay/webhook/", told={"SHOP_BASE_URL": "http://{host}"})
CHARITY = Example(name="charity_django_payments", hook="/payments/process/streampay/", told={"CHARITY_HOST": "{host}"})
BOX_OFFICE = Example(
    name="pretix_sandbox", hook="/theatre/show/streampay/webhook/", told={"PRETIX_PRETIX_URL": "http://{host}"}
)


def give_back(shop: ExampleShop, payment_id: str, amount: str) -> None:
    """Give money back from the dashboard, and let the shop hear of it."""
    shop.account.client.refunds.create(payment=payment_id, amount=amount)
    shop.hear()


@pytest.mark.slow
def test_the_shop_in_django(tmp_path: Path, create_database: Callable[[str], str]) -> None:
    with running(SHOP, tmp_path, create_database) as shop:
        paid = shop.pay(shop.press("/", "/buy/", product="mug"))
        order = f"/orders/{paid.reference}/"
        assert "<strong>paid</strong>, shipped" in shop.page(order)
        give_back(shop, paid.id, "2.30")
        assert "2.30 USD went back to you" in shop.page(order)


@pytest.mark.slow
def test_the_charity_with_django_payments(tmp_path: Path, create_database: Callable[[str], str]) -> None:
    with running(CHARITY, tmp_path, create_database) as charity:
        paid = charity.pay(charity.press("/", "/give/", amount="25.00"))
        gift = f"/gifts/{paid.reference.removeprefix('gift-')}/"
        assert "<strong>confirmed</strong>, with a receipt" in charity.page(gift)
        (session,) = charity.account.sessions()
        assert "Thank you. 25.00 USD plant trees." in charity.page(str(session.success_url))
        give_back(charity, paid.id, "5.00")
        assert "Thank you. 20.00 USD plant trees." in charity.page(gift)
        give_back(charity, paid.id, "20.00")
        assert "<strong>refunded</strong>" in charity.page(gift)


@pytest.mark.slow
def test_a_charity_whose_gateway_is_silent_charges_nothing(
    tmp_path: Path, create_database: Callable[[str], str]
) -> None:
    with running(CHARITY, tmp_path, create_database) as charity:
        with charity.account.silent():
            answer = charity.send("/", "/give/", amount="25.00")
        assert (answer.status_code, "Nothing was charged" in answer.text) == (503, True)
        assert charity.send("/", "/give/", amount="0.50").status_code == 400
        assert charity.account.sessions() == []


@pytest.mark.deep
def test_the_box_office_in_pretix(
    tmp_path: Path, create_database: Callable[[str], str], engine_missing: Callable[[str, str], NoReturn]
) -> None:
    """A visitor puts a seat into the cart, and walks through pretix's own checkout."""
    python, sdk = python_with("pretix", engine_missing), lay_out_sdk(tmp_path / "sdk")
    with running(replace(BOX_OFFICE, python=python, sdk=sdk), tmp_path, create_database) as office:
        office.press("/theatre/show/", "cart/add", item_1="1")
        step = "/theatre/show/checkout/questions/"
        for fields in ({"email": "ada@example.org"}, {"payment": "streampay"}, {}):
            step = office.press(step, "", **fields)
        answer = office.browser.get(urljoin(office.url, step), allow_redirects=False, timeout=60)
        paid = office.pay(answer.headers["Location"])
        (session,) = office.account.sessions()
        shown = office.page(str(session.success_url))
        assert "Paid" in shown
        assert paid.reference.partition("-P-")[0].rpartition("-")[2] in shown
        give_back(office, paid.id, "2.30")
