"""The provider inside the real django-payments: its URLs, its payment model, its signal."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.plugin import django_project
from tests.plugin.account import Account, Delivery, an_account

django_project.set_up()

from django.core.management import call_command  # noqa: E402 - models need the project
from django.test import Client, override_settings  # noqa: E402 - the same
from payments import PaymentError, RedirectNeeded  # noqa: E402 - the same
from payments.core import PROVIDER_CACHE  # noqa: E402 - the same
from payments.signals import status_changed  # noqa: E402 - the same

from tests.plugin.donations.models import Gift  # noqa: E402 - the same

PROVIDER = "streampay.adapters.django_payments.StreamPayProvider"
STATIC = "/payments/process/streampay/"


@pytest.fixture(scope="module")
def migrated(create_database: Callable[[str], str]) -> str:
    """Make the database that each test gets a copy of."""
    url = create_database("sqlite")
    with django_project.a_database(url) as alias, django_project.only(alias):
        call_command("migrate", "donations", database=alias, verbosity=0, run_syncdb=True)
        return url


@pytest.fixture
def account(door: str, migrated: str, copy_database: Callable[[str], str]) -> Iterator[Account]:
    """Open a charity, and its account at the real gateway."""
    with (
        an_account(door) as account,
        django_project.a_database(copy_database(migrated)) as alias,
        django_project.only(alias),
    ):
        given = account.settings | {"prefix": "gift-"}
        variants = {"streampay": (PROVIDER, given), "held": (PROVIDER, given | {"capture": False})}
        with override_settings(PAYMENT_VARIANTS=variants):
            yield account
            for provider in PROVIDER_CACHE.values():
                provider.plugin.client.close()
        PROVIDER_CACHE.clear()


@pytest.fixture
def heard() -> Iterator[list[str]]:
    """Listen to the library's signal."""
    statuses: list[str] = []

    def hear(instance: Gift, **_: Any) -> None:
        statuses.append(instance.status)

    status_changed.connect(hear)
    yield statuses
    status_changed.disconnect(hear)


def a_gift(total: str = "12.30", **over: Any) -> Gift:
    gift: Gift = Gift.objects.create(
        **{"variant": "streampay", "total": Decimal(total), "currency": "EUR", "description": "A tree"} | over
    )
    return gift


def begin(gift: Gift) -> str:
    with pytest.raises(RedirectNeeded) as redirect:
        gift.get_form()
    return str(redirect.value)


def reference(gift: Gift) -> str:
    return f"gift-{gift.token}"


def deliver(*news: Delivery, path: str = STATIC) -> set[int]:
    """Post as the gateway does; return what was answered."""
    return {
        Client().post(path, body, content_type="application/json", headers=headers).status_code
        for body, headers in news
    }


def given(account: Account, **over: Any) -> Gift:
    """Make a gift that is paid, and heard of."""
    gift = a_gift(**over)
    begin(gift)
    account.pay(reference(gift))
    assert deliver(*account.news()) == {200}
    gift.refresh_from_db()
    return gift


def test_a_gift_is_confirmed_once_whatever_comes_twice(account: Account, heard: list[str]) -> None:
    gift = a_gift()
    assert begin(gift) == begin(gift) == account.sessions(reference(gift))[0].url
    paid = account.pay(reference(gift))
    news = account.news()
    assert deliver(*news, *news) == deliver(*news, path=gift.get_process_url()) == {200}
    back = Client().get(gift.get_process_url())
    assert (back.status_code, back["Location"]) == (302, "https://shop.example/thanks")
    gift.refresh_from_db()
    assert (gift.status, gift.captured_amount) == ("confirmed", Decimal("12.30"))
    assert gift.transaction_id == paid.id
    assert heard == ["input", "confirmed"]


def test_the_donor_who_is_quicker_than_the_webhook_sees_thanks(account: Account) -> None:
    gift = a_gift()
    begin(gift)
    assert Client().get(gift.get_process_url())["Location"] == "https://shop.example/sorry"
    account.pay(reference(gift))
    assert Client().get(gift.get_process_url())["Location"] == "https://shop.example/thanks"


def test_whole_amounts_of_a_currency_without_decimals_are_understood(account: Account) -> None:
    gift = given(account, total="1200.00", currency="JPY")
    assert [one.amount for one in account.payments()] == ["1200"]
    assert gift.captured_amount == 1200


@pytest.mark.parametrize("spoil", [lambda body, headers: (body + b" ", headers), lambda body, _: (body, {})])
def test_a_forged_delivery_is_refused(account: Account, spoil: Callable[[bytes, dict[str, str]], Delivery]) -> None:
    gift = a_gift()
    begin(gift)
    account.pay(reference(gift))
    forged = [spoil(*one) for one in account.news()]
    assert deliver(*forged) == deliver(*forged, path=gift.get_process_url()) == {400}
    gift.refresh_from_db()
    assert gift.status == "input"


def test_others_deliveries_are_taken_and_unknown_gifts_asked_for_again(account: Account) -> None:
    gift = a_gift()
    begin(gift)
    account.pay_wrongly("another-shop-7", "5.00", "EUR")
    assert deliver(*account.news()) == {200}
    account.pay(reference(gift))
    Gift.objects.all().delete()
    assert deliver(*account.news()) == {404}


def test_the_wrong_sum_waits_for_a_person(account: Account) -> None:
    gift = a_gift()
    begin(gift)
    account.pay_wrongly(reference(gift), "1.23", "EUR")
    assert deliver(*account.news()) == {200}
    gift.refresh_from_db()
    assert gift.status == "waiting"
    assert "amount_mismatch" in gift.message
    assert not gift.captured_amount


def test_refunds_in_parts_leave_the_books_right(account: Account, heard: list[str]) -> None:
    gift = given(account)
    gift.refund(Decimal("2.30"))
    assert deliver(*account.news()) == {200}
    gift.refresh_from_db()
    assert (gift.status, gift.captured_amount) == ("confirmed", Decimal("10.00"))
    gift.refund()
    gift.refresh_from_db()
    assert (gift.status, gift.captured_amount) == ("refunded", Decimal("0.00"))
    assert deliver(*account.news()) == {200}
    assert heard == ["input", "confirmed", "refunded"]
    refunds = account.client.refunds.list(payment=gift.transaction_id)
    assert sorted((one.amount, one.status) for one in refunds) == [("10.00", "succeeded"), ("2.30", "succeeded")]


def test_a_refund_that_the_gateway_refuses_changes_nothing(account: Account) -> None:
    gift = given(account)
    account.client.refunds.create(payment=gift.transaction_id)  # from the dashboard, unheard
    with pytest.raises(PaymentError, match="left"):
        gift.refund(Decimal("2.30"))
    assert [one.amount for one in account.client.refunds.list(payment=gift.transaction_id)] == ["12.30"]


@pytest.mark.parametrize(("verb", "after"), [("capture", "confirmed"), ("release", "refunded")])
def test_held_money_is_taken_or_let_go(account: Account, verb: str, after: str) -> None:
    gift = a_gift(variant="held")
    begin(gift)
    path = "/payments/process/held/"
    account.pay(reference(gift))
    assert deliver(*account.news(), path=path) == {200}
    gift.refresh_from_db()
    assert gift.status == "preauth"
    getattr(gift, verb)()
    assert deliver(*account.news(), path=path) == {200}
    gift.refresh_from_db()
    assert gift.status == after


def test_cancelling_closes_the_page_but_not_over_money(account: Account) -> None:
    gift = a_gift()
    begin(gift)
    gift.cancel()
    assert [one.status for one in account.sessions()] == ["expired"]
    assert deliver(*account.news()) == {200}
    gift.refresh_from_db()
    assert gift.status == "cancelled"
    other = a_gift()
    begin(other)
    account.pay(reference(other))
    with pytest.raises(PaymentError, match="Money came"):
        other.cancel()
    assert other.status == "confirmed"


def test_a_silent_gateway_is_an_error_of_the_library_and_the_donor_may_try_again(account: Account) -> None:
    gift = a_gift()
    with account.silent(), pytest.raises(PaymentError):
        gift.get_form()
    assert begin(gift) == account.sessions(reference(gift))[0].url
