"""The small payment API: order in, address out; state; expire. The same keys, errors and guarantees as everywhere."""

import pytest

from tests.api.conftest import ORIGIN, Door, row_counter
from tests.api.test_routes import paid

PAYMENT, EXPIRE = "/api/v1/payment", "/api/v1/payment/expire"


def an_order(**over: object) -> dict[str, object]:
    """Return the body of an order."""
    body: dict[str, object] = {
        "amount": "12.30",
        "currency": "USD",
        "reference": "order-1001",
        "return_url": f"{ORIGIN}/thanks",
    }
    return {name: value for name, value in {**body, **over}.items() if value is not ...}


def test_an_order_becomes_a_payment_with_an_address(door: Door) -> None:
    answer = door.post(PAYMENT, an_order(description="T-shirt", kind="SALE", metadata={"cart": "7"}))
    assert answer.status_code == 201
    assert set(answer.json) == {"id", "url", "reference", "state"}
    assert (answer.json["reference"], answer.json["state"]) == ("order-1001", "open")
    assert answer.json["url"].startswith("http://gateway.test/pay/")
    payment = door.get(f"/v1/payments/{answer.json['id']}").json
    session = door.get(f"/v1/checkout/sessions/{payment['session']}").json
    assert session["line_items"] == [{"name": "T-shirt", "quantity": 1, "amount": "12.30"}]
    assert (session["url"], session["metadata"]) == (answer.json["url"], {"cart": "7"})


def test_the_state_is_read_by_id_and_by_reference(door: Door) -> None:
    made = door.post(PAYMENT, an_order()).json
    for ref in (made["id"], "order-1001"):
        assert door.get(f"{PAYMENT}?ref={ref}").json == made
    session = paid(door, "order-1002")
    assert door.get(f"{PAYMENT}?ref=order-1002").json["state"] == "paid"
    assert door.get(f"{PAYMENT}?ref={session['payment']}").json["state"] == "paid"


def test_a_reference_means_its_newest_payment(door: Door) -> None:
    first = door.post(PAYMENT, an_order()).json
    assert door.post(PAYMENT, an_order()).json == first, "the order is still open"
    assert door.post(f"{EXPIRE}?ref=order-1001").json == first | {"state": "canceled"}
    second = door.post(PAYMENT, an_order()).json
    assert second["id"] != first["id"]
    assert door.get(f"{PAYMENT}?ref=order-1001").json["id"] == second["id"]
    assert door.get(f"{PAYMENT}?ref={first['id']}").json["state"] == "canceled"


def test_a_key_is_replayed_and_bound_to_body_and_query(door: Door) -> None:
    first = door.post(PAYMENT, an_order(), key="k")
    again = door.post(PAYMENT, an_order(), key="k")
    assert (again.data, again.headers["Idempotent-Replayed"]) == (first.data, "true")
    assert door.post(PAYMENT, an_order(amount="1.00"), key="k").json["code"] == "idempotency_mismatch"
    door.post(PAYMENT, an_order(reference="order-1002"))
    gone = door.post(f"{EXPIRE}?ref=order-1001", key="e")
    assert door.post(f"{EXPIRE}?ref=order-1001", key="e").data == gone.data
    assert door.post(f"{EXPIRE}?ref=order-1002", key="e").json["code"] == "idempotency_mismatch"
    assert door.get(f"{PAYMENT}?ref=order-1002").json["state"] == "open"


def test_only_an_open_payment_is_called_off(door: Door) -> None:
    paid(door, "order-1002")
    answer = door.post(f"{EXPIRE}?ref=order-1002")
    assert (answer.status_code, answer.json["code"]) == (409, "session_not_open")


@pytest.mark.parametrize("path", [PAYMENT, EXPIRE])
@pytest.mark.parametrize("ref", ["order-9", "pay_00000000000000000000000000", "cs_00000000000000000000000000"])
def test_a_payment_that_is_not_there_is_not_found(door: Door, path: str, ref: str) -> None:
    answer = door.send("GET" if path == PAYMENT else "POST", f"{path}?ref={ref}")
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")


def test_methods_are_filtered(door: Door) -> None:
    made = door.post(PAYMENT, an_order(method="APM")).json
    session = door.get(f"/v1/payments/{made['id']}").json["session"]
    assert door.get(f"/v1/checkout/sessions/{session}").json["methods"] == ["sol", "usdc"]
    answer = door.post(PAYMENT, an_order(reference="another", method="CARD"))
    assert (answer.status_code, answer.json["code"], answer.json["param"]) == (400, "method_unavailable", "/method")


@pytest.mark.parametrize(
    ("over", "code", "param"),
    [
        ({"kind": "RECC"}, "parameter_missing", "/plan"),
        ({"kind": "LOAN"}, "parameter_invalid", "/kind"),
        ({"plan": "plan_01jd0000000000000000000001"}, "parameter_invalid", "/plan"),
        ({"kind": "sale"}, "parameter_invalid", "/kind"),
        ({"method": "card"}, "parameter_invalid", "/method"),
        ({"amount": 12.3}, "amount_invalid", "/amount"),
        ({"amount": ...}, "parameter_missing", "/amount"),
        ({"reference": ...}, "parameter_missing", "/reference"),
        ({"return_url": "https://evil.example/"}, "url_origin_refused", "/return_url"),
        ({"success_url": ORIGIN}, "parameter_unknown", "/success_url"),
        ({"description": "4242 4242 4242 4242"}, "parameter_invalid", "/description"),
        ({"reference": "378282246310005"}, "parameter_invalid", "/reference"),
    ],
)
def test_a_wrong_order_is_named_and_changes_nothing(door: Door, over: dict[str, object], code: str, param: str) -> None:
    before = row_counter(door.shop.db)()
    answer = door.post(PAYMENT, an_order(**over), key="k")
    assert (answer.status_code, answer.json["code"], answer.json["param"]) == (400, code, param)
    assert row_counter(door.shop.db)() == before


def test_a_recurring_order_opens_a_session_that_begins_a_subscription(door: Door) -> None:
    body = {"name": "Tea club", "amount": "10.00", "currency": "USD", "interval": "month"}
    plan = door.post("/v1/plans", body).json["id"]
    order = an_order(kind="RECC", plan=plan, amount=..., currency=...)
    answer = door.post(PAYMENT, order)
    assert answer.status_code == 201
    payment = door.get(f"/v1/payments/{answer.json['id']}").json
    assert (payment["kind"], payment["amount"]) == ("recurring", "10.00")
    session = door.get(f"/v1/checkout/sessions/{payment['session']}").json
    assert (session["mode"], session["plan"], session["methods"]) == ("subscription", plan, None)
    for field, value in {"description": "Tea", "method": "CARD", "amount": "10.00"}.items():
        refused = door.post(PAYMENT, order | {field: value})
        assert (refused.status_code, refused.json["param"]) == (400, f"/{field}")


@pytest.mark.parametrize(
    ("path", "param", "code"),
    [
        (PAYMENT, "/ref", "parameter_missing"),
        (f"{PAYMENT}?ref=", "/ref", "parameter_invalid"),
        (f"{PAYMENT}?ref=a&ref=b", "/ref", "parameter_invalid"),
        (f"{PAYMENT}?id=a", "/ref", "parameter_missing"),
    ],
)
def test_a_wrong_query_is_named(door: Door, path: str, param: str, code: str) -> None:
    answer = door.get(path)
    assert (answer.status_code, answer.json["param"], answer.json["code"]) == (400, param, code)


@pytest.mark.parametrize("path", ["/api/v1", "/api/v1/", "/api/v1/payments", "/api/v1//payment", "/api/v1/payment/"])
def test_what_is_not_there_is_a_problem_and_never_a_page(door: Door, path: str) -> None:
    answer = door.get(path)
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")


def test_a_wrong_method_names_the_right_ones(door: Door) -> None:
    answer = door.send("DELETE", PAYMENT)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD, POST")


def test_without_a_key_nobody_comes_in(door: Door) -> None:
    door.key = "sk_test_wrong"
    assert door.post(PAYMENT, an_order()).status_code == 401
