"""The Django app in a real project: webhook, admin, commands, settings, hooks that write through the ORM."""

from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

import pytest

from streampay import ServerError
from streampay.gateway import HookCall, Order
from tests.plugin import django_project
from tests.plugin.account import Account, Delivery, an_account
from tests.sdk.objects import OTHER_SECRET, signed_headers

django_project.set_up()

from django.contrib.auth.models import Permission, User  # noqa: E402 - models need the project
from django.core.exceptions import ImproperlyConfigured  # noqa: E402 - the same
from django.core.management import CommandError, call_command  # noqa: E402 - the same
from django.db.transaction import atomic  # noqa: E402 - the same
from django.test import Client, override_settings  # noqa: E402 - the same

from streampay.adapters.django import gateway, models  # noqa: E402 - the same
from streampay.adapters.django.views import MAX_BODY_BYTES  # noqa: E402 - the same

ORDER = Order("1001", "12.30", "EUR")
BACK = "https://shop.example/orders/1001"
WEBHOOK = "/streampay/webhook/"


@pytest.fixture
def account(door: str) -> Iterator[Account]:
    """Open an account at the real gateway."""
    with an_account(door) as opened:
        yield opened


@pytest.fixture(scope="module")
def migrated(create_database: Callable[[str], str]) -> str:
    """Make the database that each test gets a copy of."""
    url = create_database("sqlite")
    with django_project.a_database(url, "streampay", "auth", "sessions", "admin"):
        return url


@pytest.fixture
def project(account: Account, migrated: str, copy_database: Callable[[str], str]) -> Iterator[dict[str, Any]]:
    """Open the project on a fresh database, and let each hook write a note through the ORM."""
    with django_project.a_database(copy_database(migrated)) as alias:
        hooks = {"on_paid": note, "on_refunded": note, "on_review": note}
        over = account.settings | {"using": alias, "hooks": hooks}
        with django_project.only(alias), override_settings(STREAMPAY=over):
            yield over
            gateway().client.close()
        gateway.cache_clear()


def note(call: HookCall) -> None:
    User.objects.create(username=call.key[:150])


def notes() -> list[str]:
    return list(User.objects.order_by("id").values_list("username", flat=True))


def deliver(*news: Delivery) -> set[int]:
    """Post as the gateway does, to a server that insists on CSRF tokens elsewhere; return what it answered."""
    client = Client(enforce_csrf_checks=True)
    return {
        client.post(WEBHOOK, body, content_type="application/json", headers=headers).status_code
        for body, headers in news
    }


@pytest.mark.usefixtures("project")
def test_an_order_is_paid_by_webhook_once_and_its_hook_writes_through_the_orm(account: Account) -> None:
    assert gateway().start(ORDER, success_url=BACK).url == account.sessions("1001")[0].url
    assert models.Order.objects.get().status == "pending"
    paid = account.pay("1001")
    news = account.news()
    assert deliver(*news, *reversed(news)) == {200}
    assert models.Order.objects.get().status == "paid"
    assert notes() == [f"1001/paid/{paid.id}"]
    assert gateway().start(ORDER, success_url=BACK).is_done


@pytest.mark.usefixtures("project")
def test_a_hook_that_fails_takes_its_rows_back_and_the_command_runs_it_again(account: Account) -> None:
    gateway().start(ORDER, success_url=BACK)
    paid = account.pay("1001")
    User.objects.create(username=f"1001/paid/{paid.id}")  # the name is taken: the hook's INSERT fails
    assert deliver(*account.news()) == {200}
    hook = models.Hook.objects.get()
    assert (hook.done_at, hook.failures, hook.error) == (None, 1, "IntegrityError")
    User.objects.all().delete()
    models.Hook.objects.update(due_at=0)
    call_command("streampay_hooks", stdout=(out := StringIO()))
    assert out.getvalue() == "1 hooks were run.\n"
    assert len(notes()) == 1


@pytest.mark.usefixtures("project")
def test_what_is_not_the_gateways_changes_nothing(account: Account) -> None:
    gateway().start(ORDER, success_url=BACK)
    account.pay("1001")
    body, headers = account.news()[-1]
    assert deliver((body + b" ", headers), (body, {}), (body, signed_headers(body, secret=OTHER_SECRET))) == {400}
    assert deliver((b"x" * (MAX_BODY_BYTES + 1), headers)) == {413}
    assert Client().get(WEBHOOK).status_code == 405
    assert models.Order.objects.get().status == "pending"


@pytest.mark.usefixtures("project")
def test_an_order_that_is_not_known_yet_is_asked_for_again(account: Account) -> None:
    gateway().start(ORDER, success_url=BACK)
    models.Order.objects.all().delete()
    account.pay("1001")
    assert 404 in deliver(*account.news())
    assert not models.Order.objects.exists()


def test_orders_are_not_written_inside_a_block_that_may_roll_back(project: dict[str, Any]) -> None:
    """A crash after the gateway heard of an order that was not committed would lose it."""
    with pytest.raises(RuntimeError, match="durable"), atomic(project["using"]):
        gateway().start(ORDER, success_url=BACK)


@pytest.mark.usefixtures("project")
def test_reconcile_finds_what_no_webhook_told_and_says_when_the_gateway_is_silent(account: Account) -> None:
    gateway().start(ORDER, success_url=BACK)
    account.pay("1001")
    call_command("streampay_reconcile", stdout=StringIO())
    assert models.Order.objects.get().status == "pending", "it is younger than ten minutes"
    with account.silent(), pytest.raises(CommandError, match="Cancel nothing"):
        call_command("streampay_reconcile", "--older-than", "0", stdout=StringIO())
    call_command("streampay_reconcile", "--older-than", "0", stdout=(out := StringIO()))
    assert out.getvalue() == "1001: paid\n"
    assert len(notes()) == 1


@pytest.mark.usefixtures("project")
def test_money_goes_back_once_for_a_doubled_click(account: Account) -> None:
    gateway().start(ORDER, success_url=BACK)
    paid = account.pay("1001")
    deliver(*account.news())
    with account.silent(), pytest.raises(ServerError, match="fails"):
        gateway().refund("1001", "2.30")
    made = gateway().refund("1001", "2.30")
    assert models.Order.objects.get().status == "partly_refunded"
    assert [(one.id, one.amount) for one in account.client.refunds.list(payment=paid.id)] == [(made.id, "2.30")]
    assert deliver(*account.news()) == {200}
    assert notes() == [f"1001/paid/{paid.id}", f"1001/refunded/{paid.id}:2.30"]


@pytest.mark.usefixtures("project")
def test_an_abandoned_order_closes_its_page_unless_it_was_paid(account: Account) -> None:
    gateway().start(ORDER, success_url=BACK)
    closed = gateway().abandon("1001")
    assert closed is not None
    assert closed.status.value == "failed"
    assert [one.status for one in account.sessions()] == ["expired"]
    gateway().start(ORDER, success_url=BACK)
    account.pay("1001")
    paid = gateway().abandon("1001")
    assert paid is not None
    assert paid.is_settled


@pytest.mark.usefixtures("project")
def test_staff_read_orders_and_ask_again_but_type_nothing_in(account: Account) -> None:
    gateway().start(ORDER, success_url=BACK)
    account.pay_wrongly("1001", "99.00", "EUR")
    User.objects.create_superuser("boss", password="x")
    client = Client()
    assert client.login(username="boss", password="x")
    asked = client.post("/admin/streampay/order/", {"action": "read_again", "_selected_action": ["1001"]})
    assert asked.status_code == 302
    listed = client.get("/admin/streampay/order/").content.decode()
    assert "amount_mismatch:pay_" in listed
    assert "1 read at the gateway." in listed
    page = client.get("/admin/streampay/order/1001/change/").content.decode()
    assert "99.00 EUR" in page
    assert "review" in page
    assert 'name="_save"' not in page
    assert client.get("/admin/streampay/order/add/").status_code == 403
    assert client.post("/admin/streampay/order/1001/delete/", {"post": "yes"}).status_code == 403


@pytest.mark.usefixtures("project")
def test_who_may_only_look_cannot_ask_again(account: Account) -> None:
    gateway().start(ORDER, success_url=BACK)
    clerk = User.objects.create_user("clerk", password="x", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_order"))
    client = Client()
    assert client.login(username="clerk", password="x")
    account.pay("1001")
    client.post("/admin/streampay/order/", {"action": "read_again", "_selected_action": ["1001"]})
    assert models.Order.objects.get().status == "pending"


def test_the_self_test_names_the_blocker(project: dict[str, Any]) -> None:
    wrong = project["api_key"][:-4] + "0000"
    with override_settings(STREAMPAY=project | {"api_key": wrong}):
        with pytest.raises(CommandError, match="Something must be done"):
            call_command("streampay_test", stdout=(out := StringIO()))
        gateway().client.close()
    assert out.getvalue().startswith("FAILED  key:")
    assert wrong not in out.getvalue()


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ({"colour": "red"}, "knows no colour"),
        ({"api_key": "pk_test_0123456789"}, "api_key"),
        ({"hooks": "no.such.module"}, "no"),
        ({"hooks": {"on_sunday": print}}, "on_sunday"),
        ({"hooks": 7}, "hooks is a"),
    ],
)
def test_wrong_settings_are_named_by_the_check(over: dict[str, Any], said: str, project: dict[str, Any]) -> None:
    from streampay.adapters.django.conf import check_settings

    assert check_settings() == []
    with override_settings(STREAMPAY=project | over):
        with pytest.raises(ImproperlyConfigured, match=said):
            gateway()
        assert [one.id for one in check_settings()] == ["streampay.E001"]
    assert gateway().prefix == ""


@pytest.mark.usefixtures("project")
def test_the_migrations_hold_the_models() -> None:
    call_command("makemigrations", "streampay", "--check", "--dry-run", verbosity=0)
