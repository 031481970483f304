"""The example shop: it tells the truth and ships exactly once, whatever comes, however often, in whatever order."""

import json
import os
import random
import re
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask
from orders import SHOWN, Orders, shown
from werkzeug.test import TestResponse

from streampay.gateway import OrderRecord, OrderStatus, PaymentReading
from tests.examples.conftest import SHOP
from tests.sdk.objects import EVENT, OTHER_SECRET, PAYMENT, REFUND, SECRET, SESSION, but, listing, signed_headers
from tests.sdk.scripted_gateway import TEST_KEY, Answer, ScriptedGateway, problem

STORMS = 4
THREADS = 12


def session_of(order_id: str, **changes: Any) -> dict[str, Any]:
    """Return the open session of an order for the mug."""
    return but(SESSION, **({"reference": order_id, "id": "cs_1", "payment": "pay_1"} | changes))


def payment(order_id: str, version: int, status: str, **changes: Any) -> dict[str, Any]:
    """Return the order's payment as the gateway shows it."""
    facts = {"id": "pay_1", "session": "cs_1", "reference": order_id, "status": status, "version": version} | changes
    return but(PAYMENT, **facts)


def event(order_id: str, version: int, kind: str, status: str, **changes: Any) -> dict[str, Any]:
    """Return an event about the order's payment."""
    about = payment(order_id, version, status, **changes)
    return but(EVENT, id=f"evt_{about['id']}_{version}", type=kind, sequence=version, data={"object": about})


def story(order_id: str) -> list[dict[str, Any]]:
    """Return what the gateway tells about an ordinary purchase."""
    return [
        event(order_id, 2, "payment.processing", "confirming"),
        event(order_id, 3, "payment.partially_paid", "underpaid"),
        event(order_id, 4, "payment.processing", "confirming"),
        event(order_id, 5, "payment.succeeded", "paid"),
        event(order_id, 6, "payment.refunded", "paid", refunds="partial", amount_refunded="6.15"),
    ]


def deliver(app: Flask, wire: dict[str, Any], *, secret: str = SECRET) -> int:
    """Send an event as the gateway does; return the shop's answer."""
    body = json.dumps(wire).encode()
    headers = signed_headers(body, secret=secret)
    return app.test_client().post("/webhooks/streampay", data=body, headers=headers).status_code


def buy(app: Flask, gateway: ScriptedGateway) -> str:
    """Press Buy; return the order's id."""
    gateway.says(Answer(status=201, body=session_of("")))
    answer = app.test_client().post("/products/mug/buy")
    assert (answer.status_code, answer.location) == (303, SESSION["url"])
    order_id: str = gateway.last.json["reference"]
    gateway.says(problem(500, "nobody_said"))
    return order_id


def pay_again(app: Flask, gateway: ScriptedGateway, order_id: str, *said: dict[str, Any], **new: Any) -> str:
    """Press the button on the order's page, while the gateway says this of its payments; return where it leads."""
    gone = session_of(order_id, status="expired", payment_status="expired")
    answers = [Answer(body=gone), Answer(body=listing(*said)), Answer(status=201, body=session_of(order_id, **new))]
    gateway.says(*answers, problem(500, "nobody_said"))
    return str(app.test_client().post(f"/orders/{order_id}/pay").location)


def come_back(app: Flask, gateway: ScriptedGateway, order_id: str, *said: dict[str, Any]) -> str:
    """Return from the payment page, while the gateway says this of the order's payments; return the order's page."""
    gateway.says(Answer(body=listing(*said)))
    back = app.test_client().get(f"/streampay/return/{order_id}")
    assert (back.status_code, back.location) == (303, f"/orders/{order_id}")
    return page(app, order_id)


def page(app: Flask, order_id: str) -> str:
    """Return the order's page."""
    answer = app.test_client().get(f"/orders/{order_id}")
    assert answer.status_code == 200
    return answer.text


def status_on(text: str) -> tuple[str, str]:
    """Return what a page says: status and whether it shipped."""
    found = re.search(r'data-status="(\w+)" data-shipped="(\w+)"', text)
    assert found is not None
    return found[1], found[2]


def refunded_on(text: str) -> str:
    """Return how much the page says went back."""
    found = re.search(r'data-refunded="([^"]*)"', text)
    assert found is not None
    return found[1]


def shipments() -> int:
    """Count what the warehouse has to send."""
    with sqlite3.connect(os.environ["SHOP_DATABASE"]) as db:
        count: int = db.execute("SELECT count(*) FROM shipments").fetchone()[0]
    db.close()
    return count


# --- buying ------------------------------------------------------------------------------------------------------


def test_buying_writes_the_order_and_leads_to_the_hosted_page(shop_app: Flask, gateway: ScriptedGateway) -> None:
    order_id = buy(shop_app, gateway)
    assert gateway.last.json == {
        "amount": "12.30",
        "currency": "USD",
        "reference": order_id,
        "success_url": f"https://shop.example/streampay/return/{order_id}",
        "cancel_url": f"https://shop.example/orders/{order_id}",
        "line_items": [{"name": "Finality mug", "quantity": 1, "amount": "12.30"}],
    }
    text = page(shop_app, order_id)
    assert status_on(text) == ("pending", "no")
    assert 'http-equiv="refresh"' in text


def test_an_unreachable_gateway_leaves_an_order_that_can_be_paid_later(
    shop_app: Flask, gateway: ScriptedGateway
) -> None:
    gateway.says(problem(400, "url_origin_refused"))
    answer = shop_app.test_client().post("/products/mug/buy")
    assert answer.status_code == 503
    assert "Nothing was charged" in answer.text
    assert status_on(answer.text) == ("pending", "no")
    order_id, key = gateway.last.json["reference"], gateway.last.headers["idempotency-key"]
    gateway.says(Answer(status=201, body=SESSION))
    again = shop_app.test_client().post(f"/orders/{order_id}/pay")
    assert again.location == SESSION["url"]
    assert gateway.last.headers["idempotency-key"] == key  # the same try


def test_an_expired_window_can_be_followed_by_another(shop_app: Flask, gateway: ScriptedGateway) -> None:
    order_id = buy(shop_app, gateway)
    assert deliver(shop_app, event(order_id, 2, "checkout.session.expired", "expired")) == 200
    assert status_on(page(shop_app, order_id)) == ("expired", "no")
    leads = pay_again(shop_app, gateway, order_id, payment(order_id, 2, "expired"), id="cs_2", payment="pay_2")
    assert leads == SESSION["url"]
    assert status_on(page(shop_app, order_id)) == ("pending", "no")
    # News about the old window may pay the order, but not close it.
    deliver(shop_app, event(order_id, 3, "payment.canceled", "expired"))
    assert status_on(page(shop_app, order_id)) == ("pending", "no")
    deliver(shop_app, event(order_id, 4, "payment.late", "paid"))
    assert status_on(page(shop_app, order_id)) == ("paid", "yes")
    asked = len(gateway.received)
    assert shop_app.test_client().post(f"/orders/{order_id}/pay").location.endswith(f"/orders/{order_id}")
    assert len(gateway.received) == asked
    assert gateway.last.target == "/v1/checkout/sessions/cs_2/expire", "nobody shall pay in the newer window, too"


# --- the webhook -------------------------------------------------------------------------------------------------


def test_a_paid_order_ships(shop_app: Flask, gateway: ScriptedGateway) -> None:
    order_id = buy(shop_app, gateway)
    for wire in story(order_id):
        assert deliver(shop_app, wire) == 200
    text = page(shop_app, order_id)
    assert status_on(text) == ("paid", "yes")
    assert "Paid. Shipped." in text
    assert 'http-equiv="refresh"' not in text


def test_what_is_not_from_the_gateway_is_answered_400_and_changes_nothing(
    shop_app: Flask, gateway: ScriptedGateway
) -> None:
    order_id = buy(shop_app, gateway)
    paid = event(order_id, 4, "payment.succeeded", "paid")
    assert deliver(shop_app, paid, secret=OTHER_SECRET) == 400
    assert (
        shop_app.test_client().post("/webhooks/streampay", data=b"\xff", headers={"webhook-id": "x"}).status_code == 400
    )
    assert shop_app.test_client().post("/webhooks/streampay").status_code == 400
    assert status_on(page(shop_app, order_id)) == ("pending", "no")


def test_a_huge_body_is_refused(shop_app: Flask) -> None:
    assert shop_app.test_client().post("/webhooks/streampay", data=b"x" * (2 << 20)).status_code == 413


def test_an_unknown_order_is_404_so_that_the_gateway_tries_again(shop_app: Flask) -> None:
    assert deliver(shop_app, event("nobody", 1, "payment.succeeded", "paid")) == 404


@pytest.mark.parametrize("kind", ["ping", "transfer.unmatched", "comet.seen"])
def test_events_that_are_about_no_order_are_taken(kind: str, shop_app: Flask) -> None:
    assert deliver(shop_app, but(EVENT, type=kind, data={"object": {"object": "comet"}})) == 200


@pytest.mark.parametrize("changes", [{"amount": "1.23"}, {"currency": "EUR"}])
def test_a_payment_of_another_amount_is_for_a_person_to_look_at(
    changes: dict[str, str], shop_app: Flask, gateway: ScriptedGateway
) -> None:
    order_id = buy(shop_app, gateway)
    deliver(shop_app, event(order_id, 1, "payment.succeeded", "paid", **changes))
    assert status_on(page(shop_app, order_id)) == ("review", "no")
    deliver(shop_app, event(order_id, 2, "payment.processing", "confirming"))
    assert status_on(page(shop_app, order_id)) == ("review", "no")


def test_the_same_amount_may_be_written_with_fewer_zeros(shop_app: Flask, gateway: ScriptedGateway) -> None:
    order_id = buy(shop_app, gateway)
    deliver(shop_app, event(order_id, 1, "payment.succeeded", "paid", amount="12.3"))
    assert status_on(page(shop_app, order_id)) == ("paid", "yes")


def test_a_reversed_payment_is_for_a_person_and_a_second_landing_ships_no_second_parcel(
    shop_app: Flask, gateway: ScriptedGateway
) -> None:
    order_id = buy(shop_app, gateway)
    deliver(shop_app, event(order_id, 4, "payment.succeeded", "paid"))
    deliver(shop_app, event(order_id, 5, "payment.reversed", "confirming"))
    assert status_on(page(shop_app, order_id)) == ("review", "yes")
    deliver(shop_app, event(order_id, 6, "payment.succeeded", "paid"))
    assert status_on(page(shop_app, order_id)) == ("paid", "yes")
    assert shipments() == 1


def test_stale_news_changes_nothing(shop_app: Flask, gateway: ScriptedGateway) -> None:
    order_id = buy(shop_app, gateway)
    deliver(shop_app, event(order_id, 5, "payment.processing", "confirming"))
    deliver(shop_app, event(order_id, 4, "payment.partially_paid", "underpaid"))
    assert status_on(page(shop_app, order_id)) == ("confirming", "no")


@pytest.mark.parametrize("seed", range(STORMS))
def test_a_storm_of_duplicate_shuffled_and_stale_deliveries_ships_once(
    seed: int, shop_app: Flask, gateway: ScriptedGateway
) -> None:
    rng = random.Random(seed)
    order_id = buy(shop_app, gateway)
    storm = story(order_id) * 12
    rng.shuffle(storm)
    with ThreadPoolExecutor(THREADS) as threads:
        answers = list(threads.map(lambda wire: deliver(shop_app, wire), storm))
    assert set(answers) == {200}
    assert status_on(page(shop_app, order_id)) == ("paid", "yes")
    assert refunded_on(page(shop_app, order_id)) == "6.15"
    assert shipments() == 1


# --- money that goes back ----------------------------------------------------------------------------------------


def refunded(order_id: str, sequence: int, amount: str, refunds: str, **changes: Any) -> dict[str, Any]:
    """Return an event about a paid payment of which this much went back."""
    facts = {"amount_refunded": amount, "refunds": refunds} | changes
    return event(order_id, sequence, "payment.refunded", "paid", **facts)


def test_the_page_says_what_went_back_until_the_refund_fails(shop_app: Flask, gateway: ScriptedGateway) -> None:
    order_id = buy(shop_app, gateway)
    deliver(shop_app, event(order_id, 4, "payment.succeeded", "paid", amount_refunded="0.00"))
    assert "Given back" not in page(shop_app, order_id)
    deliver(shop_app, refunded(order_id, 5, "6.15", "partial"))
    text = page(shop_app, order_id)
    assert (status_on(text), refunded_on(text)) == (("paid", "yes"), "6.15")
    assert "Given back" in text
    deliver(shop_app, refunded(order_id, 6, "8.15", "partial"))
    assert refunded_on(page(shop_app, order_id)) == "8.15"
    deliver(shop_app, refunded(order_id, 7, "0.00", "failed"))
    text = page(shop_app, order_id)
    assert (status_on(text), refunded_on(text)) == (("review", "yes"), "")


def test_what_was_given_back_before_it_shipped_is_not_shipped(shop_app: Flask, gateway: ScriptedGateway) -> None:
    order_id = buy(shop_app, gateway)
    deliver(shop_app, refunded(order_id, 5, "12.30", "full"))
    deliver(shop_app, event(order_id, 4, "payment.succeeded", "paid"))
    given = payment(order_id, 5, "paid", amount_refunded="12.30", refunds="full")
    assert status_on(come_back(shop_app, gateway, order_id, given)) == ("refunded", "no")
    assert shop_app.test_client().post(f"/orders/{order_id}/pay").location.endswith(f"/orders/{order_id}")


def test_a_full_refund_that_fails_is_for_a_person_to_look_at(shop_app: Flask, gateway: ScriptedGateway) -> None:
    order_id = buy(shop_app, gateway)
    deliver(shop_app, event(order_id, 4, "payment.succeeded", "paid"))
    deliver(shop_app, refunded(order_id, 5, "12.30", "full"))
    assert status_on(page(shop_app, order_id)) == ("refunded", "yes")
    deliver(shop_app, refunded(order_id, 6, "0.00", "failed"))
    assert status_on(page(shop_app, order_id)) == ("review", "yes")


def test_what_an_older_window_paid_can_be_given_back(shop_app: Flask, gateway: ScriptedGateway) -> None:
    order_id = buy(shop_app, gateway)
    deliver(shop_app, event(order_id, 4, "payment.late", "paid", id="pay_0", session="cs_0"))
    deliver(shop_app, refunded(order_id, 5, "12.30", "full", id="pay_0", session="cs_0"))
    assert status_on(page(shop_app, order_id)) == ("refunded", "yes")


def test_an_order_that_was_paid_twice_stays_paid_when_one_payment_is_given_back(
    shop_app: Flask, gateway: ScriptedGateway
) -> None:
    order_id = buy(shop_app, gateway)
    deliver(shop_app, event(order_id, 4, "payment.succeeded", "paid"))
    deliver(shop_app, refunded(order_id, 9, "12.30", "full", id="pay_2", session="cs_2"))
    text = page(shop_app, order_id)
    assert (status_on(text), refunded_on(text)) == (("paid", "yes"), "")


def test_news_of_another_window_does_not_hide_what_went_back(shop_app: Flask, gateway: ScriptedGateway) -> None:
    order_id = buy(shop_app, gateway)
    deliver(shop_app, event(order_id, 4, "payment.succeeded", "paid"))
    deliver(shop_app, refunded(order_id, 5, "6.15", "partial"))
    deliver(shop_app, event(order_id, 1, "payment.canceled", "expired", id="pay_0", amount_refunded="0.00"))
    text = page(shop_app, order_id)
    assert (status_on(text), refunded_on(text)) == (("paid", "yes"), "6.15")


def paid_order(app: Flask, gateway: ScriptedGateway) -> str:
    """Buy, and pay; return the order's id."""
    order_id = buy(app, gateway)
    assert deliver(app, event(order_id, 4, "payment.succeeded", "paid")) == 200
    return order_id


def test_the_refund_command_gives_back_what_it_is_told_and_the_page_says_so(
    shop_app: Flask, gateway: ScriptedGateway
) -> None:
    order_id = paid_order(shop_app, gateway)
    given = payment(order_id, 5, "paid", refunds="partial", amount_refunded="6.15")
    gateway.says(Answer(status=201, body=but(REFUND, amount="6.15")), Answer(body=listing(given)))
    done = shop_app.test_cli_runner().invoke(args=["refund", order_id, "6.15"])
    assert (done.exit_code, done.output) == (0, "6.15 USD: succeeded\n")
    asked = gateway.received[-2]
    assert (asked.target, asked.json) == ("/v1/refunds", {"payment": "pay_1", "amount": "6.15"})
    assert refunded_on(page(shop_app, order_id)) == "6.15"


def test_the_refund_command_without_an_amount_gives_all_back(shop_app: Flask, gateway: ScriptedGateway) -> None:
    order_id = paid_order(shop_app, gateway)
    gateway.says(Answer(status=201, body=REFUND), Answer(body=listing()))
    assert shop_app.test_cli_runner().invoke(args=["refund", order_id]).exit_code == 0
    assert gateway.received[-2].json == {"payment": "pay_1"}


def test_the_refund_command_says_why_nothing_went_back(shop_app: Flask, gateway: ScriptedGateway) -> None:
    order_id = buy(shop_app, gateway)
    unpaid = shop_app.test_cli_runner().invoke(args=["refund", order_id, "6.15"])
    assert (unpaid.exit_code, "not paid here" in unpaid.output) == (1, True)
    deliver(shop_app, event(order_id, 4, "payment.succeeded", "paid"))
    gateway.says(problem(409, "nothing_to_refund"))
    refused = shop_app.test_cli_runner().invoke(args=["refund", order_id, "6.15"])
    assert refused.exit_code == 1
    assert "nothing_to_refund" in refused.output
    unknown = shop_app.test_cli_runner().invoke(args=["refund", "nobody"])
    assert (unknown.exit_code, unknown.output) == (1, "Error: There is no such order.\n")


def test_what_could_not_be_shipped_is_shipped_by_the_command_later(
    shop_app: Flask, gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = buy(shop_app, gateway)
    store = shop_app.extensions["shop"].gateway.store
    with sqlite3.connect(os.environ["SHOP_DATABASE"]) as db:
        db.execute("ALTER TABLE shipments RENAME TO closed")
    assert deliver(shop_app, event(order_id, 4, "payment.succeeded", "paid")) == 200
    db.execute("ALTER TABLE closed RENAME TO shipments")
    db.close()
    text = page(shop_app, order_id)
    assert (status_on(text), "being packed" in text, 'http-equiv="refresh"' in text) == (("paid", "no"), True, True)
    monkeypatch.setattr(store, "_clock", lambda: time.time() + 60)
    assert shop_app.test_cli_runner().invoke(args=["run-hooks"]).output == "1\n"
    assert status_on(page(shop_app, order_id)) == ("paid", "yes")


# --- the return page ---------------------------------------------------------------------------------------------


def test_a_shopper_quicker_than_the_webhook_sees_the_truth(shop_app: Flask, gateway: ScriptedGateway) -> None:
    order_id = buy(shop_app, gateway)
    asked = len(gateway.received)
    assert status_on(page(shop_app, order_id)) == ("pending", "no")
    assert len(gateway.received) == asked, "the plain page asks nobody"
    assert status_on(come_back(shop_app, gateway, order_id, payment(order_id, 5, "paid"))) == ("paid", "yes")
    assert gateway.last.target == f"/v1/payments?reference={order_id}"
    for wire in story(order_id):  # the webhooks tell of earlier states now
        assert deliver(shop_app, wire) == 200
        assert status_on(page(shop_app, order_id)) == ("paid", "yes")
    assert shipments() == 1


def test_the_return_page_racing_the_webhook_ships_once(shop_app: Flask, gateway: ScriptedGateway) -> None:
    order_id = buy(shop_app, gateway)
    gateway.says(Answer(body=listing(payment(order_id, 5, "paid"))))
    barrier = threading.Barrier(THREADS)
    paid = event(order_id, 5, "payment.succeeded", "paid")

    def door(number: int) -> int:
        barrier.wait()
        if number % 2:
            return deliver(shop_app, paid)
        return shop_app.test_client().get(f"/streampay/return/{order_id}").status_code

    with ThreadPoolExecutor(THREADS) as threads:
        assert set(threads.map(door, range(THREADS))) == {200, 303}
    assert status_on(page(shop_app, order_id)) == ("paid", "yes")
    assert shipments() == 1


def test_a_silent_gateway_does_not_keep_the_order_page_from_showing(shop_app: Flask, gateway: ScriptedGateway) -> None:
    order_id = buy(shop_app, gateway)
    gateway.says(Answer(drops=True))
    assert shop_app.test_client().get(f"/streampay/return/{order_id}").status_code == 303
    assert status_on(page(shop_app, order_id)) == ("pending", "no")


# --- pages -------------------------------------------------------------------------------------------------------


def reading(**facts: Any) -> PaymentReading:
    """Return what was said of a payment."""
    return replace(PaymentReading("pay_1", 2, "paid", "12.30", "USD"), **facts)


@pytest.mark.parametrize(
    ("status", "said", "word"),
    [
        *((status, None, word) for status, word in SHOWN.items()),
        (OrderStatus.ON_HOLD, reading(status="underpaid"), "underpaid"),
        (OrderStatus.ON_HOLD, reading(amount="1.23", was_paid=True), "review"),
    ],
)
def test_every_state_has_words(
    status: OrderStatus, said: PaymentReading | None, word: str, shop_app: Flask, gateway: ScriptedGateway
) -> None:
    order_id = buy(shop_app, gateway)
    with shop_app.extensions["shop"].gateway.store.locked(order_id) as tx:
        record: OrderRecord = replace(tx.record, status=status, readings={} if said is None else {said.id: said})
        tx.save(record)
    assert shown(record) == word
    text = page(shop_app, order_id)
    assert (status_on(text), "badge" in text) == ((word, "no"), True)


@pytest.mark.parametrize(
    "path", ["/", "/products/tee", "/static/shop.css", "/nowhere", "/orders/nobody", "/products/none"]
)
def test_every_answer_forbids_scripts_and_frames(path: str, shop_app: Flask, gateway: ScriptedGateway) -> None:
    answer: TestResponse = shop_app.test_client().get(path)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert f"form-action 'self' {gateway.base_url}" in policy
    assert "<script" not in answer.text
    assert "style=" not in answer.text
    assert answer.status_code == (404 if path in ("/nowhere", "/orders/nobody", "/products/none") else 200)
    answer.close()  # a static file stays open otherwise


def test_what_is_shown_is_escaped(shop_app: Flask) -> None:
    orders: Orders = shop_app.extensions["shop"].orders
    order = orders.place("mug", "<b>12</b>", "<i>")
    assert "<b>12" not in page(shop_app, order.id)
    assert "&lt;b&gt;12" in page(shop_app, order.id)


def test_the_shop_runs_as_the_command_that_its_first_lines_show(
    gateway: ScriptedGateway, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "STREAMPAY_API_KEY": TEST_KEY,
        "STREAMPAY_BASE_URL": gateway.base_url,
        "STREAMPAY_WEBHOOK_SECRET": SECRET,
        "SHOP_DATABASE": str(tmp_path / "shop.db"),
    }
    with subprocess.Popen(
        [sys.executable, str(SHOP / "app.py"), "--port", str(port)],
        env=environment,
        cwd=tmp_path,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    ) as process:
        try:
            assert "Things that balance" in first_answer(f"http://127.0.0.1:{port}/")
        finally:
            process.terminate()


def first_answer(url: str, *, within_s: float = 15) -> str:
    """Ask until a starting server answers."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            return requests.get(url, timeout=5).text
        except requests.ConnectionError:
            assert time.monotonic() < deadline, "the shop does not start"
            time.sleep(0.1)


def test_without_its_settings_the_shop_says_what_is_missing(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "STREAMPAY_API_KEY": TEST_KEY, "STREAMPAY_BASE_URL": "http://127.0.0.1"}
    command = [sys.executable, str(SHOP / "app.py")]
    ended = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode != 0
    assert "STREAMPAY_WEBHOOK_SECRET" in ended.stderr
