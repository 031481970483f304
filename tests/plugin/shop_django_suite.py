"""Run by test_adapters_shops.py in a process of its own: the example shop in Django, over its own pages."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ |= {
    "DJANGO_SETTINGS_MODULE": "shop.settings",
    "SHOP_DATABASE": str(Path(tempfile.mkdtemp()) / "shop.db"),
    "SHOP_BASE_URL": "http://testserver",
    "SHOP_HOSTS": "testserver",
}

import django

django.setup()

from django.conf import settings  # noqa: E402 - the same
from django.core.management import call_command  # noqa: E402 - the same
from django.test import Client, override_settings  # noqa: E402 - the same
from shop.models import Purchase, Shipment  # noqa: E402 - the same

from streampay.adapters.django import gateway  # noqa: E402 - the same
from tests.plugin.account import Account, an_account  # noqa: E402 - the same


@pytest.fixture(scope="module", autouse=True)
def tables() -> None:
    call_command("migrate", verbosity=0)
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)


@pytest.fixture
def account() -> Iterator[Account]:
    with an_account() as account, override_settings(STREAMPAY=settings.STREAMPAY | account.settings):
        yield account
        gateway().client.close()


def buy(client: Client) -> Purchase:
    assert "mug, 12.30 USD" in client.get("/").content.decode()
    assert client.post("/buy/", {"product": "mug"}).status_code == 302
    return Purchase.objects.last()


def test_a_mug_is_bought_shipped_once_and_given_back(account: Account) -> None:
    call_command("check")
    client = Client()
    purchase = buy(client)
    (session,) = account.sessions(purchase.pk)
    paid, news = account.pay(purchase.pk), account.news()
    for _ in range(2):
        assert "paid" in client.get(str(session.success_url).partition("testserver")[2]).content.decode()
        for body, headers in news:
            hook = client.post("/streampay/webhook/", body, content_type="application/json", headers=headers)
            assert hook.status_code == 200
    assert Shipment.objects.get().payment_id == paid.id
    gateway().refund(purchase.pk, "2.30")
    assert [one.amount for one in account.client.refunds.list(payment=paid.id)] == ["2.30"]
    page = client.get(purchase.get_absolute_url()).content.decode()
    assert "partly_refunded" in page
    assert "2.30 USD went back" in page


def test_a_silent_gateway_charges_nothing_and_the_order_can_be_paid_later(account: Account) -> None:
    client = Client()
    with account.silent():
        answer = client.post("/buy/", {"product": "tee"})
    assert answer.status_code == 503
    assert "Nothing was charged" in answer.content.decode()
    purchase = Purchase.objects.get(product="tee")
    location = client.post(f"{purchase.get_absolute_url()}pay/")["Location"]
    assert [one.url for one in account.sessions()] == [location]
    assert client.get("/orders/nobody/").status_code == 404
