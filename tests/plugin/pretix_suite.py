"""Run by test_adapters_shops.py inside pretix's own environment: the plugin in the real pretix."""

import itertools
import os
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

os.environ["DJANGO_SETTINGS_MODULE"] = "pretix.testutils.settings"

import django

django.setup()

from django.conf import settings  # noqa: E402 - the same
from django.core.management import call_command  # noqa: E402 - the same
from django.db.transaction import atomic  # noqa: E402 - the same
from django.test import Client  # noqa: E402 - the same
from django.utils.timezone import now  # noqa: E402 - the same
from django_scopes import scope, scopes_disabled  # noqa: E402 - the same
from pretix.base.models import Event, Order, OrderPayment, OrderRefund, Organizer  # noqa: E402 - the same
from pretix.base.payment import PaymentException  # noqa: E402 - the same

from streampay.adapters.pretix.payment import StreamPayProvider  # noqa: E402 - the same
from tests.plugin.account import Account, Delivery, an_account  # noqa: E402 - the same

_numbers = itertools.count(1)


@pytest.fixture(scope="session", autouse=True)
def tables() -> None:
    settings.ALLOW_HTTP_TO_PRIVATE_NETWORKS = True
    call_command("migrate", run_syncdb=True, verbosity=0)


@pytest.fixture
def account() -> Iterator[Account]:
    with an_account() as opened:
        yield opened


@pytest.fixture
def event(account: Account) -> Iterator[Event]:
    """Announce an event that uses the plugin."""
    with scopes_disabled():
        organizer = Organizer.objects.create(name="Dummy", slug=f"dummy{next(_numbers)}")
        event = Event.objects.create(
            organizer=organizer, name="Show", slug="show", date_from=now(), currency="EUR", live=True,
            plugins="streampay.adapters.pretix",
        )  # fmt: skip
        (secret,) = account.settings["webhook_secrets"]
        for name, value in (account.settings | {"webhook_secrets": secret, "_enabled": True}).items():
            event.settings.set(f"payment_streampay_{name}", value)
    with scope(organizer=organizer):
        yield event


@pytest.fixture
def payment(event: Event) -> OrderPayment:
    """Place an order."""
    with atomic():
        order = Order.objects.create(
            code="FOO42", event=event, email="dummy@dummy.test", status=Order.STATUS_PENDING, datetime=now(),
            expires=now() + timedelta(days=10), total=Decimal("13.37"), locale="en",
            sales_channel=event.organizer.sales_channels.get(identifier="web"),
        )  # fmt: skip
        order.create_transactions()
    return order.payments.create(provider="streampay", amount=order.total, state=OrderPayment.PAYMENT_STATE_CREATED)


def reference(payment: OrderPayment) -> str:
    return f"{payment.order.event.organizer.slug}-show-{payment.full_id}"


def provider(payment: OrderPayment) -> Any:
    found = payment.order.event.get_payment_providers()["streampay"]
    assert isinstance(found, StreamPayProvider)
    return found


def begin(payment: OrderPayment) -> str:
    return str(provider(payment).execute_payment(None, payment))


def deliver(*news: Delivery) -> set[int]:
    """Post as the gateway does, to the event that was announced last."""
    with scopes_disabled():
        path = f"/{Organizer.objects.latest('pk').slug}/show/streampay/webhook/"
    client = Client(enforce_csrf_checks=True)
    return {
        client.post(path, body, content_type="application/json", headers=headers).status_code for body, headers in news
    }


def stands(payment: OrderPayment) -> tuple[str, str]:
    payment = OrderPayment.objects.get(pk=payment.pk)
    return payment.state, payment.order.status


def pay(account: Account, payment: OrderPayment) -> OrderPayment:
    begin(payment)
    account.pay(reference(payment))
    assert deliver(*account.news()) == {200}
    return OrderPayment.objects.get(pk=payment.pk)


def sent_back(account: Account) -> list[tuple[str, str]]:
    """Return the refunds that the gateway knows of, oldest first."""
    return [(one.amount, one.status) for one in account.client.refunds.list()][::-1]


def a_refund(payment: OrderPayment, amount: str) -> OrderRefund:
    return payment.order.refunds.create(
        payment=payment, source=OrderRefund.REFUND_SOURCE_ADMIN, state=OrderRefund.REFUND_STATE_CREATED,
        amount=Decimal(amount), provider="streampay",
    )  # fmt: skip


def test_pretix_finds_the_plugin(event: Event) -> None:
    assert "streampay.adapters.pretix" in [one.module for one in event.get_available_plugins().values()]
    fields = event.get_payment_providers()["streampay"].settings_form_fields
    assert {"_enabled", "base_url", "api_key", "webhook_secrets"} <= fields.keys()
    shown = event.get_payment_providers()["streampay"].settings_content_render(None)
    assert f"/{event.organizer.slug}/show/streampay/webhook/" in shown
    assert "no money moves" in event.get_payment_providers()["streampay"].test_mode_message


def test_an_order_is_paid_once_whatever_comes_twice(account: Account, payment: OrderPayment) -> None:
    assert begin(payment) == begin(payment) == account.sessions(reference(payment))[0].url
    paid, news = account.pay(reference(payment)), account.news()
    assert deliver(*news, *reversed(news)) == {200}
    assert stands(payment) == ("confirmed", "p")
    confirmed = payment.order.all_logentries().filter(action_type="pretix.event.order.payment.confirmed")
    assert confirmed.count() == 1
    assert provider(payment).matching_id(OrderPayment.objects.get(pk=payment.pk)) == paid.id


def test_a_crash_between_our_commit_and_pretixs_is_mended_by_the_next_delivery(
    account: Account, payment: OrderPayment, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(payment)
    account.pay(reference(payment))
    news = account.news()

    def stumble(*_: object, **__: object) -> None:
        raise OSError("the machine stumbles")

    with monkeypatch.context() as patch:
        patch.setattr(OrderPayment, "confirm", stumble)
        with pytest.raises(OSError, match="stumbles"):
            deliver(*news)
    assert stands(payment) == ("created", "n")
    assert deliver(*news) == {200}
    assert stands(payment) == ("confirmed", "p")


def test_the_customer_who_is_quicker_than_the_webhook_sees_a_paid_order(
    account: Account, payment: OrderPayment
) -> None:
    begin(payment)
    account.pay(reference(payment))
    path = "/dummy" + str(account.sessions()[0].success_url).partition("/dummy")[2]
    back = Client().get(path)
    assert back["Location"].endswith("?paid=yes")
    assert payment.order.secret in back["Location"]
    assert payment.order.secret not in path, "the gateway never learns the order's secret"
    assert stands(payment) == ("confirmed", "p")
    assert Client().get(path.replace("P-1", "P-2")).status_code == 404


@pytest.mark.parametrize("spoil", [lambda body: body + b" ", lambda body: body.replace(b"13.37", b"99.99")])
def test_a_forged_delivery_is_refused(account: Account, payment: OrderPayment, spoil: Any) -> None:
    begin(payment)
    account.pay(reference(payment))
    assert deliver(*((spoil(body), headers) for body, headers in account.news())) == {400}
    assert stands(payment) == ("created", "n")


def test_the_wrong_sum_is_for_a_person(account: Account, payment: OrderPayment) -> None:
    begin(payment)
    account.pay_wrongly(reference(payment), "1.37", "EUR")
    assert deliver(*account.news()) == {200}
    assert stands(payment) == ("pending", "n")
    kept = OrderPayment.objects.get(pk=payment.pk)
    assert "amount_mismatch" in provider(payment).payment_control_render(None, kept)
    assert provider(payment).api_payment_details(kept)["reviews"]


def test_a_page_that_is_closed_fails_the_payment_and_another_one_still_pays(
    account: Account, payment: OrderPayment
) -> None:
    begin(payment)
    account.client.checkout.sessions.expire(account.sessions()[0].id)
    assert deliver(*account.news()) == {200}
    assert stands(payment) == ("failed", "n")
    pay(account, payment)
    assert stands(payment) == ("confirmed", "p")


def test_cancelling_closes_the_page_but_not_over_money(account: Account, payment: OrderPayment) -> None:
    begin(payment)
    provider(payment).cancel_payment(payment)
    assert stands(payment) == ("canceled", "n")
    assert [one.status for one in account.sessions()] == ["expired"]
    other = payment.order.payments.create(provider="streampay", amount=payment.amount, state="created")
    begin(other)
    with account.silent(), pytest.raises(PaymentException, match="does not answer"):
        provider(other).cancel_payment(other)
    account.pay(reference(other))
    with pytest.raises(PaymentException, match="Money came"):
        provider(other).cancel_payment(other)


def test_refunds_in_parts(account: Account, payment: OrderPayment) -> None:
    paid = pay(account, payment)
    assert provider(paid).payment_refund_supported(paid)
    assert provider(paid).payment_partial_refund_supported(paid)
    for amount in ("3.37", "5.00", "5.00"):
        refund = a_refund(paid, amount)
        provider(paid).execute_refund(refund)
        assert refund.state == OrderRefund.REFUND_STATE_DONE
        assert provider(paid).refund_matching_id(refund).startswith("re_")
    assert sent_back(account) == [("3.37", "succeeded"), ("5.00", "succeeded"), ("5.00", "succeeded")]
    assert deliver(*account.news()) == {200}
    assert payment.order.refunds.count() == 3, "nothing is noted as another hand's"
    assert stands(payment)[0] == "refunded"
    with pytest.raises(PaymentException, match="left"):
        provider(paid).execute_refund(a_refund(paid, "1.00"))


@pytest.mark.parametrize("took_it", [False, True])
def test_a_refund_without_an_answer_is_in_transit_and_found_again_never_sent_twice(
    account: Account, payment: OrderPayment, *, took_it: bool
) -> None:
    paid = pay(account, payment)
    refund = a_refund(paid, "3.37")
    if took_it:  # and the answer got lost
        key = f"{payment.order.event.organizer.slug}-show-{refund.full_id}"
        known, named = provider(paid).matching_id(paid), {"pretix_refund": refund.full_id}
        account.client.refunds.create(payment=known, amount="3.37", metadata=named, idempotency_key=key)
    with account.silent(503):
        provider(paid).execute_refund(refund)
    assert refund.state == OrderRefund.REFUND_STATE_TRANSIT
    account.pay_wrongly(reference(payment), "1.00", "EUR")  # whatever is heard of the order next
    assert deliver(*account.news()) == {200}
    refund.refresh_from_db()
    assert refund.state == OrderRefund.REFUND_STATE_DONE
    assert sent_back(account) == [("3.37", "succeeded")]
    assert payment.order.refunds.count() == 1


def test_money_that_went_back_by_another_hand_is_noted_once(account: Account, payment: OrderPayment) -> None:
    paid = pay(account, payment)
    account.client.refunds.create(payment=provider(paid).matching_id(paid), amount="3.00")
    news = account.news()
    assert deliver(*news, *news) == {200}
    assert [(one.amount, one.source) for one in payment.order.refunds.all()] == [(Decimal("3.00"), "external")]


def test_a_refund_that_fails_weeks_later_is_failed_here_as_well(account: Account, payment: OrderPayment) -> None:
    paid = pay(account, payment)
    refund = a_refund(paid, "13.37")
    provider(paid).execute_refund(refund)
    assert deliver(*account.news()) == {200}
    assert stands(payment)[0] == "refunded"
    account.fail_refund(provider(paid).refund_matching_id(refund))
    assert deliver(*account.news()) == {200}
    refund.refresh_from_db()
    assert refund.state == OrderRefund.REFUND_STATE_FAILED
    assert stands(payment)[0] == "confirmed"


def test_shredding_forgets_the_page_and_keeps_the_books(account: Account, payment: OrderPayment) -> None:
    paid = pay(account, payment)
    page = account.sessions()[0].url
    assert page in paid.info
    provider(paid).shred_payment_info(paid)
    kept = OrderPayment.objects.get(pk=payment.pk)
    assert page not in kept.info
    assert provider(paid).matching_id(kept) == account.payment(reference(payment)).id


def test_a_silent_gateway_says_that_nothing_was_charged(account: Account, payment: OrderPayment) -> None:
    with account.silent(), pytest.raises(PaymentException, match="Nothing was charged"):
        begin(payment)
    assert begin(payment) == account.sessions()[0].url


def test_a_gateway_at_a_private_address_is_refused_by_pretix_itself_and_charges_nothing(
    payment: OrderPayment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "ALLOW_HTTP_TO_PRIVATE_NETWORKS", False)
    with pytest.raises(PaymentException, match="Nothing was charged"):
        begin(payment)
