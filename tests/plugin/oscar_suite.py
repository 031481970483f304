"""Run by test_adapters_shops.py inside oscar's own environment: the example's shop, from basket to refund."""

import os
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

os.environ |= {
    "DJANGO_SETTINGS_MODULE": "settings",
    "SANDBOX_DATABASE": str(Path(tempfile.mkdtemp()) / "sandbox.db"),
    "SANDBOX_MAIL": "django.core.mail.backends.locmem.EmailBackend",
}

import django

django.setup()

from django.core import mail  # noqa: E402 - the same
from django.core.management import call_command  # noqa: E402 - the same
from django.test import Client, override_settings  # noqa: E402 - the same
from django.test.utils import setup_test_environment  # noqa: E402 - the same
from oscar.core.loading import get_model  # noqa: E402 - the same
from oscar.test.factories import CountryFactory, ProductFactory, UserFactory  # noqa: E402 - the same

from streampay.adapters import oscar  # noqa: E402 - the same
from streampay.adapters.django import gateway, models  # noqa: E402 - the same
from streampay.errors import StreamPayError  # noqa: E402 - the same
from streampay.models import CheckoutSession  # noqa: E402 - the same
from tests.plugin.account import Account, Delivery, an_account  # noqa: E402 - the same

Order, Basket, StockRecord = (
    get_model("order", "Order"),
    get_model("basket", "Basket"),
    get_model("partner", "StockRecord"),
)
GUEST = "ada@example.org"
ADDRESS = {
    "first_name": "Ada", "last_name": "L", "line1": "1 Byron Street", "line4": "London", "postcode": "N1 7AA",
    "country": "GB",
}  # fmt: skip


@pytest.fixture(scope="session", autouse=True)
def shop() -> None:
    setup_test_environment()
    call_command("migrate", verbosity=0)
    CountryFactory(iso_3166_1_a2="GB", is_shipping_country=True)


@pytest.fixture
def account() -> Iterator[Account]:
    hooks = {"hooks": "streampay.adapters.oscar.hooks"}
    with an_account() as account, override_settings(STREAMPAY=account.settings | hooks):
        mail.outbox.clear()
        models.Order.objects.all().delete()
        yield account
        gateway().client.close()


def a_customer() -> Client:
    client = Client()
    client.force_login(UserFactory(), backend="oscar.apps.customer.auth_backends.EmailBackend")
    fill_basket(client)
    return client


def a_guest() -> Client:
    client = Client()
    fill_basket(client)
    told = client.post("/checkout/", {"username": GUEST, "options": "anonymous"})
    assert told["Location"] == "/checkout/shipping-address/"
    return client


def at_the_last_button(client: Client) -> Client:
    assert client.post("/checkout/shipping-address/", ADDRESS).status_code == 302
    assert client.get("/checkout/shipping-method/").status_code == 302
    return client


@pytest.fixture(params=[a_customer, a_guest])
def shopper(request: pytest.FixtureRequest) -> Client:
    """Walk a shopper with a mug in the basket to the last button."""
    return at_the_last_button(request.param())


def fill_basket(client: Client) -> None:
    product = ProductFactory(stockrecords__price=Decimal("12.30"), stockrecords__num_in_stock=5)
    assert client.post(f"/basket/add/{product.pk}/", {"quantity": 1}).status_code == 302


def press_the_button(client: Client) -> Any:
    return client.post("/checkout/preview/", {"action": "place_order"})


def deliver(*news: Delivery) -> set[int]:
    client = Client(enforce_csrf_checks=True)
    return {
        client.post("/streampay/webhook/", body, content_type="application/json", headers=headers).status_code
        for body, headers in news
    }


def newest(account: Account) -> CheckoutSession:
    return account.sessions()[0]


def path_of(url: str | None) -> str:
    return str(url).partition("testserver")[2]


def paid(account: Account) -> str:
    """Pay what was asked for last, let the shop hear of it, and return the order's number."""
    number = newest(account).reference
    account.pay(number)
    assert deliver(*account.news()) == {200}
    return number


def test_the_webhook_places_the_order_once_though_the_shopper_never_comes_back(
    account: Account, shopper: Client
) -> None:
    assert press_the_button(shopper)["Location"] == newest(account).url
    number = newest(account).reference
    assert not Order.objects.filter(number=number).exists()
    payment, news = account.pay(number), account.news()
    assert deliver(*news, *reversed(news)) == {200}
    order = Order.objects.get(number=number)
    assert (order.total_incl_tax, order.shipping_address.line1) == (Decimal("12.30"), "1 Byron Street")
    assert order.basket.status == "Submitted"
    source = order.sources.get()
    assert (source.amount_debited, source.reference) == (Decimal("12.30"), payment.id)
    assert [one.txn_type for one in source.transactions.all()] == ["Debit"]
    assert order.lines.get().stockrecord.num_allocated == 1
    assert [number in one.subject + one.body for one in mail.outbox] == [True]


def test_the_shopper_who_is_quicker_places_it_and_the_webhook_finds_it_done(account: Account, shopper: Client) -> None:
    press_the_button(shopper)
    number = newest(account).reference
    account.pay(number)
    back = shopper.get(path_of(newest(account).success_url))
    assert back["Location"] == "/checkout/thank-you/"
    assert shopper.get("/checkout/thank-you/").status_code == 200
    assert deliver(*account.news()) == {200}
    assert Order.objects.filter(number=number).count() == 1
    assert len(mail.outbox) == 1


def test_an_unpaid_return_places_nothing(account: Account, shopper: Client) -> None:
    press_the_button(shopper)
    assert shopper.get(path_of(newest(account).success_url))["Location"] == "/basket/"
    assert not Order.objects.filter(number=newest(account).reference).exists()
    assert shopper.get("/checkout/streampay/return/100001:forged/").status_code == 404


def test_giving_up_closes_the_page_and_gives_the_basket_back(account: Account, shopper: Client) -> None:
    press_the_button(shopper)
    assert shopper.get(path_of(newest(account).cancel_url))["Location"] == "/basket/"
    assert [one.status for one in account.sessions()] == ["expired"]
    assert shopper.get("/basket/").context["basket"].num_lines == 1
    assert press_the_button(shopper)["Location"] == newest(account).url
    assert [one.status for one in account.sessions()] == ["open", "expired"]


def test_giving_up_after_paying_shows_the_order(account: Account, shopper: Client) -> None:
    press_the_button(shopper)
    account.pay(newest(account).reference)
    back = shopper.get(path_of(newest(account).cancel_url), follow=True)
    assert back.redirect_chain[-1][0] == "/checkout/thank-you/"


def test_a_silent_gateway_charges_nothing_and_the_basket_stays(account: Account, shopper: Client) -> None:
    with account.silent():
        answer = press_the_button(shopper)
    assert "Nothing was charged" in answer.content.decode()
    assert shopper.get("/basket/").context["basket"].num_lines == 1


def test_a_price_that_changed_meanwhile_is_noted_and_the_total_is_what_was_paid(
    account: Account, shopper: Client
) -> None:
    press_the_button(shopper)
    StockRecord.objects.update(price=Decimal("99.00"))
    order = Order.objects.get(number=paid(account))
    assert order.total_incl_tax == Decimal("12.30")
    assert "99.00" in order.notes.get().message


def test_the_wrong_sum_places_nothing(account: Account, shopper: Client) -> None:
    press_the_button(shopper)
    number = newest(account).reference
    account.pay_wrongly(number, "1.23", "EUR")
    assert deliver(*account.news()) == {200}
    assert not Order.objects.filter(number=number).exists()
    assert models.Order.objects.get().status == "on_hold"


def test_refunds_in_parts_are_written_down_once(account: Account, shopper: Client) -> None:
    press_the_button(shopper)
    order = Order.objects.get(number=paid(account))
    oscar.refund(order, Decimal("2.30"))
    assert deliver(*account.news()) == {200}
    assert order.sources.get().amount_refunded == Decimal("2.30")
    oscar.refund(order)
    assert deliver(*account.news()) == {200}
    source = order.sources.get()
    assert (source.amount_refunded, source.amount_available_for_refund) == (Decimal("12.30"), 0)
    assert sorted(one.amount for one in source.transactions.filter(txn_type="Refund")) == [Decimal("2.30"), 10]
    assert sorted(one.amount for one in account.client.refunds.list()) == ["10.00", "2.30"]
    with pytest.raises(StreamPayError, match="left"):
        oscar.refund(order, Decimal("1.00"))


def test_a_guest_is_written_to_and_finds_the_order_again(account: Account) -> None:
    press_the_button(at_the_last_button(a_guest()))
    assert newest(account).customer_email == GUEST
    order = Order.objects.get(number=paid(account))
    assert (order.user, order.guest_email) == (None, GUEST)
    (written,) = mail.outbox
    assert written.to == [GUEST]
    page = f"/accounts/order-status/{order.number}/{order.verification_hash()}/"
    assert page in written.body


def test_what_was_put_into_another_basket_meanwhile_is_kept(account: Account, shopper: Client) -> None:
    """A second tab, while the first one stands at the payment page."""
    press_the_button(shopper)
    assert shopper.get("/basket/").context["basket"].num_lines == 0
    fill_basket(shopper)
    shopper.get(path_of(newest(account).cancel_url))
    assert shopper.get("/basket/").context["basket"].num_lines == 2
