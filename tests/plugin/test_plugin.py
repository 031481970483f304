"""`PaymentGateway` against the real gateway and the Test Bank: what a shop does in its whole life, and its bad days."""

import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from streampay import Conflict, InvalidRequest, StreamPay, models
from streampay.cli import main as command_line
from streampay.gateway import Order, PaymentGateway, SettingsError
from tests.cards.stage import DISPUTED
from tests.plugin.shop import KEY
from tests.plugin.street import Street, a_street, hooks
from tests.sdk.objects import OTHER_SECRET, SECRET

SDK = Path(__file__).parents[2] / "sdk"


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory, create_database: Callable[[str], str]) -> Iterator[Street]:
    """Open one street for all tests; each has its own orders."""
    with a_street(tmp_path_factory.mktemp("street"), create_database) as opened:
        yield opened


def another(street: Street, **more: Any) -> PaymentGateway:
    """Return a second plugin of the same shop, with other settings."""
    return PaymentGateway(street.client, street.plugin.store, secrets=[SECRET], hooks=hooks(), **more)


def paid(street: Street, amount: str = "12.30") -> Order:
    order = street.order(amount)
    street.pay(street.start(order).url)
    street.deliver()
    assert street.status(order) == "paid"
    return order


# --- paying ----------------------------------------------------------------------------------------------------------


def test_an_order_is_paid_by_a_real_webhook_and_told_once(street: Street) -> None:
    order = street.order()
    street.pay(street.start(order).url)
    assert street.status(order) == "pending"
    street.deliver()
    assert (street.status(order), street.told(order)) == ("paid", ["paid"])
    street.plugin.reconcile(order.id)
    assert street.app.test_client().get(f"/streampay/return/{order.id}").status_code == 303
    assert street.told(order) == ["paid"]


def test_an_order_is_paid_without_any_webhook(street: Street) -> None:
    """Firewalls swallow webhooks (btcpay-doc #1203, payfast #11): asking is enough."""
    order = street.order()
    street.pay(street.start(order).url)
    assert street.plugin.reconcile(order.id).code == "processed"
    assert (street.status(order), street.told(order)) == ("paid", ["paid"])
    street.deliver()
    assert street.told(order) == ["paid"]


def test_many_clicks_lead_to_one_session(street: Street) -> None:
    """woo-stripe #489 and #3220: one order was charged twice."""
    order = street.order()
    barrier = threading.Barrier(6)

    def click(_: int) -> str:
        barrier.wait()
        return street.start(order).url

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(click, range(6)))) == 1
    assert street.start(order).url == street.record(order).url
    assert (len(street.sessions(order)), street.record(order).tries) == (1, 1)


def test_a_crash_between_creating_and_keeping_a_session_leads_back_to_it(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = street.order()

    def die(*_: object) -> None:
        raise OSError("the machine stops")

    with monkeypatch.context() as patched:
        patched.setattr(street.plugin, "_attach", die)
        with pytest.raises(OSError, match="stops"):
            street.start(order)
    assert street.record(order).session_id is None
    (lost,) = street.sessions(order)
    assert street.start(order).session_id == lost.id


def test_what_was_paid_before_the_crash_was_mended_is_not_asked_again(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = street.order()
    with monkeypatch.context() as patched:
        patched.setattr(street.plugin, "_attach", lambda *_: street.record(order))
        street.pay(street.start(order).url)
    street.deliver()
    assert (street.status(order), street.start(order).is_done) == ("paid", True)
    assert len(street.sessions(order)) == 1


def test_a_changed_basket_closes_the_old_page_and_calls_it_no_failure(street: Street) -> None:
    order = street.order()
    old = street.start(order)
    dearer = replace(order, amount="15.00")
    new = street.start(dearer)
    assert old.session_id != new.session_id
    assert {one.id: one.status for one in street.sessions(order)} == {old.session_id: "expired", new.session_id: "open"}
    street.pay(new.url)
    street.deliver()
    assert (street.status(order), street.told(order)) == ("paid", ["paid"])


def test_after_an_expiry_the_order_is_told_of_and_paid_in_another_session(street: Street) -> None:
    order = street.order()
    first = street.start(order)
    street.client.checkout.sessions.expire(str(first.session_id))
    street.deliver()
    assert street.status(order) in ("expired", "failed")
    ended = street.told(order)
    assert ended in (["expired"], ["failed"])
    second = street.start(order)
    assert (second.session_id != first.session_id, street.status(order)) == (True, "pending")
    street.pay(second.url)
    street.deliver()
    assert street.told(order) == [*ended, "paid"]


def test_a_paid_order_opens_no_other_session(street: Street) -> None:
    order = paid(street)
    again = street.start(order)
    assert (again.is_done, again.url, len(street.sessions(order))) == (True, "http://localhost/thanks", 1)


def test_a_held_order_opens_no_other_session(street: Street) -> None:
    held = another(street, settings={"capture_method": "manual"})
    order = street.order()
    street.pay(held.start(order, success_url="http://localhost/thanks").url)
    street.deliver()
    assert (street.status(order), street.told(order)) == ("authorized", ["pending"])
    assert held.start(order, success_url="http://localhost/thanks").is_done
    assert len(street.sessions(order)) == 1
    street.client.payments.capture(str(street.record(order).payment_id))
    street.deliver()
    assert (street.status(order), street.told(order)) == ("paid", ["pending", "paid"])


def test_an_older_try_that_pays_closes_the_newer_page(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    """woo-stripe #489 and #3220: the shopper had two pages, and paid both."""
    order = street.order()
    old = street.start(order)
    with monkeypatch.context() as patched:  # the gateway is away for the moment in which the old page is closed
        patched.setattr(street.plugin, "_close", lambda _: None)
        new = street.start(replace(order, amount="15.00"))
    assert street.plugin.transaction_url(order.id) == new.url, "nobody has paid yet"
    with street.plugin.store.locked(order.id) as tx:  # the newer try is for the order's sum, too
        tx.save(replace(street.record(order), amount="12.30"))
    street.pay(old.url)
    street.deliver()
    assert (street.status(order), street.told(order)) == ("paid", ["paid"])
    assert street.client.checkout.sessions.retrieve(str(new.session_id)).status == "expired"
    assert street.record(order).reviews == ()
    assert street.plugin.transaction_url(order.id) == old.url, "the receipt is where it was paid"


def test_a_try_that_is_paid_while_a_new_page_is_made_ends_in_the_shop(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    order, create = street.order(), street.plugin._create
    made: list[models.CheckoutSession] = []
    old = street.start(order)

    def pay_meanwhile(*wanted: Any, **more: Any) -> models.CheckoutSession:
        made.append(create(*wanted, **more))
        street.pay(old.url)
        assert street.plugin.reconcile(order.id).order is not None
        patched.undo()
        return made[0]

    with monkeypatch.context() as patched:
        patched.setattr(street.plugin, "_close", lambda _: None)
        patched.setattr(street.plugin, "_create", pay_meanwhile)
        ended = street.start(replace(order, amount="15.00"))
    assert (ended.is_done, ended.url, street.status(order)) == (True, "http://localhost/thanks", "paid")
    assert street.client.checkout.sessions.retrieve(made[0].id).status == "expired", "nobody shall pay there"


# --- money back ------------------------------------------------------------------------------------------------------


def test_money_goes_back_from_the_shop_in_part_and_then_all_that_is_left(street: Street) -> None:
    """btcpay-woo #52 and btcpay #890: giving money back took the shopper's help."""
    order = paid(street)
    assert street.plugin.refund(order.id, "2.30").amount == "2.30"
    assert street.status(order) == "partly_refunded"
    assert street.plugin.refund(order.id, reason="requested_by_customer").amount == "10.00"
    assert street.status(order) == "refunded"
    assert street.told(order) == ["paid", "refunded", "refunded"]
    with pytest.raises(Conflict) as nothing:
        street.plugin.refund(order.id)
    assert nothing.value.code == "nothing_to_refund"
    street.deliver()
    assert street.told(order) == ["paid", "refunded", "refunded"]


def test_two_clicks_at_once_give_one_refund(street: Street) -> None:
    order = paid(street)
    barrier = threading.Barrier(2)
    load = street.plugin.store.load

    def both_at_once(order_id: str) -> Any:
        found = load(order_id)
        barrier.wait(timeout=10)
        return found

    street.plugin.store.load = both_at_once  # type: ignore[method-assign]  # both read before either is done
    try:
        with ThreadPoolExecutor(2) as pool:
            ids = {one.id for one in pool.map(lambda _: street.plugin.refund(order.id, "2.30"), range(2))}
    finally:
        street.plugin.store.load = load  # type: ignore[method-assign]  # as above
    assert len(ids) == 1
    assert [one.amount for one in street.client.refunds.list(payment=street.record(order).paid_by)] == ["2.30"]


def test_a_late_second_click_with_the_forms_own_key_gives_the_same_refund(street: Street) -> None:
    order = paid(street)
    first, second = (street.plugin.refund(order.id, "2.30", key="form-7") for _ in range(2))
    other = street.plugin.refund(order.id, "2.30", key="form-8")
    assert (first.id == second.id, first.id == other.id) == (True, False)
    assert len(list(street.client.refunds.list(payment=street.record(order).paid_by))) == 2


def test_what_was_never_paid_gives_nothing_back(street: Street) -> None:
    order = street.order()
    street.start(order)
    for order_id in (order.id, "nobody"):
        with pytest.raises(InvalidRequest) as refused:
            street.plugin.refund(order_id)
        assert refused.value.code == "nothing_to_refund"


def test_more_than_was_paid_is_refused_with_the_place_that_is_wrong(street: Street) -> None:
    """Btcpay #6418: a refund failed with a 422 that said nothing."""
    with pytest.raises(InvalidRequest) as refused:
        street.plugin.refund(paid(street).id, "12.31")
    assert (refused.value.code, refused.value.param) == ("amount_too_large", "/amount")


def test_a_dispute_is_told_and_what_was_not_shipped_before_it_is_not_shipped(street: Street) -> None:
    order = street.order()
    street.pay(street.start(order).url, DISPUTED)
    street.cards.catch_up()
    street.deliver()
    assert (street.status(order), street.told(order)) == ("disputed", ["disputed"])


# --- what the shop asks ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "amount", "reasons"),
    [
        ({}, "12.30", ()),
        ({"enabled": "no"}, "12.30", ("disabled",)),
        ({"min_amount": "20"}, "12.30", ("amount_too_small",)),
        ({"max_amount": "10.00"}, "12.30", ("amount_too_large",)),
        ({}, "0.00", ("nothing_to_pay",)),
        ({}, "12.301", ("amount_too_precise",)),
    ],
)
def test_an_order_that_cannot_be_paid_here_says_why(
    settings: dict[str, str], amount: str, reasons: tuple[str, ...], street: Street
) -> None:
    found = another(street, settings=settings).available(street.order(amount))
    assert (found.reasons, bool(found)) == (reasons, not reasons)


def test_a_gateway_that_is_away_is_a_reason_and_no_error(street: Street) -> None:
    with StreamPay(KEY, base_url="http://127.0.0.1:9") as nowhere:
        away = PaymentGateway(nowhere, street.plugin.store, secrets=[SECRET])
        assert away.available(street.order()).reasons == ("unreachable",)


@pytest.mark.parametrize("amount", [12.3, 1230, "12,30", "-1", "", "1e3", "٣", ".5", Decimal("NaN")])
def test_an_amount_that_is_no_decimal_text_is_refused_before_anything_is_kept(amount: Any, street: Street) -> None:
    order = replace(street.order(), amount=amount)
    with pytest.raises(InvalidRequest) as refused:
        street.start(order)
    assert (refused.value.code, street.plugin.store.load(order.id)) == ("amount_invalid", None)


def test_filters_change_a_session_but_never_its_reference(street: Street) -> None:
    plugin = another(street, prefix="b-")

    @plugin.filter_session
    def change(order: Order, params: dict[str, Any]) -> dict[str, Any]:
        return params | {"reference": "stolen", "metadata": {"cart": order.id}, "locale": "de"}

    order = street.order()
    made = plugin.start(order, success_url="http://localhost/thanks")
    session = street.client.checkout.sessions.retrieve(str(made.session_id))
    assert (session.reference, session.metadata, session.locale) == (f"b-{order.id}", {"cart": order.id}, "de")


def test_statuses_are_told_in_the_shops_own_words(street: Street) -> None:
    heard: list[str] = []
    order = street.order()
    own = another(street, settings={"status_map": "paid = processing"})
    own.hooks = replace(own.hooks, on_paid=lambda call: heard.append(call.status))
    street.pay(street.start(order).url)
    own.reconcile(order.id)
    assert heard == ["processing"]


def test_the_receipt_of_an_order_has_an_address(street: Street) -> None:
    order = street.order()
    assert street.plugin.transaction_url(order.id) is None
    assert street.start(order).url == street.plugin.transaction_url(order.id)


# --- the self-test ---------------------------------------------------------------------------------------------------


@contextmanager
def working(street: Street) -> Iterator[None]:
    """Let the gateway's worker run beside the block."""
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.1):
            street.deliver()

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    try:
        yield
    finally:
        stop.set()
        worker.join(timeout=30)


def test_a_self_test_sends_an_event_there_and_back(street: Street) -> None:
    with working(street):
        report = street.plugin.self_test()
    assert {one.name: one.ok for one in report.checks} == dict.fromkeys(("key", "methods", "clock", "webhooks"), True)
    assert "answered with 200" in str(report)


def test_a_self_test_names_an_endpoint_of_another_address(street: Street) -> None:
    """woo-stripe #5691: the endpoint still pointed at the old staging domain, and orders stayed pending."""
    moved = another(street, webhook_url="http://shop.example/webhooks/streampay")
    report = moved.self_test()
    assert (bool(report), report.checks[-1].name) == (False, "webhooks")
    assert "no endpoint for http://shop.example/webhooks/streampay" in str(report)


def test_a_self_test_names_what_stands_in_the_way(street: Street) -> None:
    """btcpay-doc #1133 and payfast #130: a firewall answered for the shop, and nobody said so."""
    street.walls.append(403)
    try:
        with working(street):
            report = street.plugin.self_test()
    finally:
        street.walls.clear()
    assert not report
    assert "answered with 403. Something before the plugin stands in the way." in str(report)


def test_the_doctor_sends_an_event_there_and_back_and_names_what_stands_in_the_way(
    street: Street, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in street.environment.items():
        monkeypatch.setenv(name, value)

    def told() -> tuple[int, str]:
        with working(street):
            status = command_line(["doctor", "--json"])
        return status, capsys.readouterr().out

    assert told()[0] == 0
    street.walls.append(403)
    try:
        status, findings = told()
    finally:
        street.walls.clear()
    assert status == 1
    assert "/webhooks/streampay: a test event failed: 403" in findings
    assert "A firewall" in findings


def test_a_self_test_names_a_key_that_is_not_known(street: Street) -> None:
    with StreamPay(KEY, base_url=street.client.base_url) as stranger:
        report = PaymentGateway(stranger, street.plugin.store, secrets=[SECRET]).self_test()
    assert [(one.name, one.ok) for one in report.checks] == [("key", False)]


# --- settings --------------------------------------------------------------------------------------------------------


def test_a_form_escapes_what_it_shows_and_never_shows_a_secret() -> None:
    values = {
        "title": '"><script>',
        "api_key": KEY,
        "webhook_secrets": (SECRET,),
        "status_map": {"paid": "</textarea>"},
    }
    html = PaymentGateway.settings_form(values, {"title": "<b>"})
    assert "<script>" not in html
    assert html.count("</textarea>") == 1
    assert '<strong role="alert">&lt;b&gt;</strong>' in html
    assert KEY not in html
    assert SECRET not in html


def test_wrong_settings_are_named_all_at_once_without_their_values() -> None:
    wrong = {
        "api_key": "sk_live_" + "ü" * 9, "webhook_secrets": "whsec_short", "base_url": "ftp://x", "min_amount": "1,5",
        "capture_method": "later", "status_map": "shipped = sent",
    }  # fmt: skip
    with pytest.raises(SettingsError) as refused:
        PaymentGateway.read_form(wrong)
    assert refused.value.errors.keys() == wrong.keys()
    assert not [value for value in wrong.values() if len(value) > 6 and value in str(refused.value)]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("webhook_secrets", "whsec_" + "A" * 33),  # no base64
        ("webhook_secrets", 5),
        ("base_url", "https://pay.shop.example/v1"),
        ("base_url", "http://["),
        ("min_amount", 5),
        ("min_amount", 0.5),
        ("capture_method", ["manual"]),
    ],
)
def test_what_the_plugin_could_not_work_with_is_refused_by_the_form(name: str, value: Any) -> None:
    with pytest.raises(SettingsError) as refused:
        PaymentGateway.read_form({name: value})
    assert refused.value.errors.keys() == {name}


def test_every_field_is_bound_to_its_help() -> None:
    html = PaymentGateway.settings_form({})
    for field in PaymentGateway.fields:
        assert re.search(rf'<(input|select|textarea) [^>]*aria-describedby="streampay-{field.name}-help"', html)
        assert html.count(f'id="streampay-{field.name}-help"') == 1


def test_a_sent_form_switches_off_and_keeps_the_secrets_that_it_leaves_empty() -> None:
    known = {"api_key": KEY, "webhook_secrets": (SECRET, OTHER_SECRET)}
    form = {
        "title": "Card",
        "capture_method": "manual",
        "api_key": "",
        "webhook_secrets": " ",
        "max_amount": "0.0000001",
    }
    values = PaymentGateway.read_form(form, known)
    assert (values["enabled"], values["title"], values["api_key"]) == (False, "Card", KEY)
    assert values["webhook_secrets"] == (SECRET, OTHER_SECRET)
    assert PaymentGateway.read_form(form | {"enabled": "yes"}, known)["enabled"] is True
    again = PaymentGateway.from_settings(values | {"base_url": "http://127.0.0.1:1"}, _no_store())
    assert (again.settings["max_amount"], again.title) == (Decimal("0.0000001"), "Card")


def _no_store() -> Any:
    return object()


MERCHANT = """
from streampay import StreamPay
from streampay.gateway import HookCall, Hooks, Order, OrderLine, OrderStatus, PaymentGateway, SqliteOrderStore

def ship(call: HookCall) -> None:
    order = call.order
    if order is not None and order.status is OrderStatus.PAID:
        name: str = call.key

gateway = PaymentGateway(StreamPay(), SqliteOrderStore("orders.db"), hooks=Hooks(on_paid=ship))
order = Order("1001", "12.30", "EUR", lines=(OrderLine("Mug", "12.30"),))
url: str = gateway.start(order, success_url="https://shop.example/1001").url
if not gateway.available(order):
    reasons: tuple[str, ...] = gateway.available(order).reasons
status: int = gateway.handle_webhook(b"", {"webhook-id": "evt_1"}).status_code
amount: str = gateway.refund("1001", "2.30", key="form-7").amount
"""
MISTAKES = (
    MERCHANT + 'gateway.refund("1001", 2.30)\nOrder("1", 12.3, "EUR")\ngateway.start(order)\nHooks(on_payed=ship)\n'
)


@pytest.mark.slow
def test_a_merchants_type_checker_is_content_with_the_plugin_and_finds_mistakes(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.py", tmp_path / "bad.py"
    good.write_text(MERCHANT)
    bad.write_text(MISTAKES)
    (tmp_path / "mypy.ini").write_text(f"[mypy]\nmypy_path = {SDK}\n")
    command = [sys.executable, "-m", "mypy", "--strict", "--python-version", "3.10", "--config-file", "mypy.ini"]
    told = [
        subprocess.run([*command, str(path)], cwd=tmp_path, capture_output=True, text=True, check=False).stdout
        for path in (good, bad)
    ]
    mine = [[line for line in text.splitlines() if ": error:" in line] for text in told]
    assert mine[0] == []
    assert len({line.split(":")[1] for line in mine[1]}) == 4
