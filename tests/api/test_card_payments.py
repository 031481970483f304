"""Cards through the API: holds, captures, refunds, disputes, with the real Stripe room and the Test Bank behind it."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import select

from gateway.domain.declines import Decline, ProviderDeclinedError
from gateway.domain.events import EventType
from gateway.storage import schema
from hosted_checkout.api.answers import EVENT_OBJECTS, CheckoutSession, Event, Problem
from hosted_checkout.api.problems import problem
from sandbox.test_bank.server import RunningBank
from tests.api.conftest import Door, an_app, row_counter
from tests.cards.stage import CAPTURED_ONCE, DISPUTED, GOOD, REFUND_FAILS, REFUND_WAITS, CardShop, a_bank, a_card_shop
from tests.cards.test_unknown import sweep_twice

SESSIONS = "/v1/checkout/sessions"
Rows = Callable[[], dict[str, int]]


@pytest.fixture
def bank() -> Iterator[RunningBank]:
    """Serve a bank of this test's own."""
    with a_bank() as running:
        yield running


@pytest.fixture
def cards(migrated_sqlite: str, copy_database: Callable[[str], str], bank: RunningBank) -> Iterator[CardShop]:
    """Open a shop that takes cards."""
    with a_card_shop(copy_database(migrated_sqlite), bank) as shop:
        yield shop


@pytest.fixture
def door(cards: CardShop) -> Door:
    """Return its way into the API."""
    key = cards.engine.merchants.create_key(cards.owner.merchant_id, livemode=False)
    return Door(shop=cards, client=an_app(cards).test_client(), key=key)


@pytest.fixture
def rows(cards: CardShop) -> Rows:
    """Count the rows of every table."""
    return row_counter(cards.db)


def opened(door: Door, amount: str = "12.30", currency: str = "USD", **more: object) -> dict[str, Any]:
    """Open a session."""
    body = {
        "amount": amount,
        "currency": currency,
        "reference": f"order-{door.shop.clock.now().timestamp()}",
        "success_url": "http://localhost/thanks",
    }
    found: dict[str, Any] = door.post(SESSIONS, body | more).json
    return found


def paid(
    door: Door, amount: str = "12.30", currency: str = "USD", *, number: str = GOOD, **more: object
) -> dict[str, Any]:
    """Open a session, pay it by card, come back; return its payment."""
    session = opened(door, amount, currency, **more)
    shop: CardShop = door.shop
    record = shop.reload(session["url"].rpartition("/")[2])
    shop.pay_at_bank(shop.start(record), number)
    shop.engine.checkout.returned(record.token)
    found: dict[str, Any] = door.get(f"/v1/payments/{session['payment']}").json
    return found


def held(door: Door, amount: str = "12.30", currency: str = "USD", *, number: str = GOOD) -> dict[str, Any]:
    """Return a payment whose money a card holds."""
    payment = paid(door, amount, currency, number=number, capture_method="manual")
    assert (payment["status"], payment["amount_capturable"]) == ("authorized", amount)
    return payment


def refused(answer: Any) -> tuple[int, str, str | None]:
    """Return how a request was refused."""
    return answer.status_code, answer.json["code"], answer.json["param"]


# --- what a payment shows ----------------------------------------------------------------------------------------


def test_a_card_payment_shows_its_charge_and_no_more_of_the_card_than_a_receipt(door: Door) -> None:
    payment = paid(door)
    assert (payment["status"], payment["amount_received"], payment["refunds"]) == ("paid", "12.30", "none")
    (charge,) = payment["charges"]
    assert charge["instrument"] == {"type": "card", "brand": "visa", "last4": "4242", "country": "US"}
    (attempt,) = payment["attempts"]
    assert (attempt["stage"], attempt["receiving_address"], attempt["reference_key"]) == ("complete", None, None)
    assert attempt["provider_reference"].startswith("cs_test_")
    assert GOOD not in json.dumps(payment)
    assert door.get("/v1/payments").json["data"] == [payment]


@pytest.mark.parametrize(("amount", "currency"), [("1230", "JPY"), ("12.30", "EUR"), ("12.340", "KWD")])
def test_amounts_keep_their_decimals_on_the_way_out_and_back(door: Door, amount: str, currency: str) -> None:
    payment = paid(door, amount, currency)
    assert (payment["status"], payment["amount_received"]) == ("paid", amount)
    refund = door.post("/v1/refunds", {"payment": payment["id"]}).json
    assert (refund["amount"], refund["currency"], refund["status"]) == (amount, currency, "succeeded")


def test_the_card_is_listed_in_the_prices_own_currency(door: Door) -> None:
    (card,) = door.get("/v1/methods").json["data"]
    assert (card["id"], card["currency"], card["available"], card["reason"]) == ("card", None, True, None)


@pytest.mark.parametrize(
    ("amount", "currency", "is_available"),
    [("12.30", "USD", True), ("12.345", "KWD", False), ("0.01", "USD", False), ("9" * 20, "JPY", False)],
)
def test_a_price_that_the_provider_does_not_take_says_so(
    door: Door,
    amount: str,
    currency: str,
    is_available: bool,  # noqa: FBT001 - a test's parameter
) -> None:
    (card,) = door.get(f"/v1/methods?amount={amount}&currency={currency}").json["data"]
    assert (card["available"], card["reason"] is None) == (is_available, is_available)


# --- held money --------------------------------------------------------------------------------------------------


def test_held_money_is_captured_once(door: Door) -> None:
    payment = held(door)
    path = f"/v1/payments/{payment['id']}/capture"
    captured = door.post(path, key="c")
    assert (captured.json["status"], captured.json["amount_received"]) == ("paid", "12.30")
    again = door.post(path, key="c")
    assert (again.data, again.headers["Idempotent-Replayed"]) == (captured.data, "true")
    assert refused(door.post(path, {"amount": "1.00"}, key="c")) == (422, "idempotency_mismatch", None)
    assert refused(door.post(path, key="other")) == (409, "nothing_held", None)
    assert refused(door.post(f"/v1/payments/{payment['id']}/cancel")) == (409, "nothing_held", None)
    assert door.get(f"/v1/payments/{payment['id']}").json == captured.json
    door.shop.check()


def test_a_part_is_captured_and_the_rest_is_let_go(door: Door) -> None:
    payment = held(door)
    captured = door.post(f"/v1/payments/{payment['id']}/capture", {"amount": "10.3"}).json
    assert (captured["amount_received"], captured["amount_capturable"]) == ("10.30", "0.00")
    assert captured["charges"][0]["amount_captured"] == "10.30"
    door.shop.check()


def test_held_money_is_let_go_once(door: Door) -> None:
    payment = held(door)
    path = f"/v1/payments/{payment['id']}/cancel"
    canceled = door.post(path, key="v")
    assert (canceled.json["status"], canceled.json["amount_capturable"]) == ("canceled", "0.00")
    assert door.post(path, key="v").data == canceled.data
    assert refused(door.post(f"/v1/payments/{payment['id']}/capture")) == (409, "nothing_held", None)
    assert door.get(f"{SESSIONS}/{payment['session']}").json["status"] == "expired"


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"amount": "12.31"}, "amount_too_large", "/amount"),
        ({"amount": "12.3000"}, "amount_too_precise", "/amount"),
        ({"amount": "0"}, "amount_not_positive", "/amount"),
        ({"amount": "-1"}, "amount_not_positive", "/amount"),
        ({"amount": 12}, "amount_invalid", "/amount"),
        ({"amount": "1e1"}, "amount_invalid", "/amount"),
        ({"final_capture": "yes"}, "parameter_invalid", "/final_capture"),
        ({"final": True}, "parameter_unknown", "/final"),
    ],
)
def test_a_wrong_capture_takes_nothing(door: Door, rows: Rows, body: dict[str, object], code: str, param: str) -> None:
    payment = held(door)
    before = rows()
    assert refused(door.post(f"/v1/payments/{payment['id']}/capture", body, key="k")) == (400, code, param)
    assert rows() == before
    assert door.post(f"/v1/payments/{payment['id']}/capture", key="k").json["status"] == "paid"


def test_a_part_is_taken_and_the_rest_waits(door: Door) -> None:
    payment = held(door)
    path = f"/v1/payments/{payment['id']}/capture"
    part = door.post(path, {"amount": "1.00", "final_capture": False}).json
    assert (part["status"], part["amount_received"], part["amount_capturable"]) == ("authorized", "1.00", "11.30")
    rest = door.post(path, key="rest").json
    assert (rest["status"], rest["amount_received"], rest["amount_capturable"]) == ("paid", "12.30", "0.00")


def test_decimals_of_a_capture_are_the_currencys(door: Door) -> None:
    yen = held(door, "1230", "JPY")
    assert refused(door.post(f"/v1/payments/{yen['id']}/capture", {"amount": "12.3"}))[1] == "amount_too_precise"
    dinar = held(door, "12.300", "KWD")
    assert refused(door.post(f"/v1/payments/{dinar['id']}/capture", {"amount": "12.3001"}))[1] == "amount_too_precise"


def test_what_the_provider_refuses_says_why_and_takes_nothing(door: Door) -> None:
    """The Test Bank, as Stripe, keeps a rest only for cards that may be captured several times."""
    payment = held(door, number=CAPTURED_ONCE)
    path = f"/v1/payments/{payment['id']}/capture"
    answer = door.post(path, {"amount": "1.00", "final_capture": False}, key="k")
    assert refused(answer) == (402, "provider_declined", None)
    assert answer.json["decline_code"] == "request_refused"
    assert door.post(path, {"amount": "1.00", "final_capture": False}, key="k").status_code == 402
    assert door.get(f"/v1/payments/{payment['id']}").json["amount_capturable"] == "12.30"


def test_an_unknown_capture_is_never_sent_twice_and_is_found_out(door: Door) -> None:
    payment = held(door)
    path = f"/v1/payments/{payment['id']}/capture"
    (charge,) = payment["charges"]
    door.shop.fault("drop_before", f"POST /v1/payment_intents/{charge['reference']}/capture", times=9)
    answer = door.post(path, key="k")
    assert (answer.status_code, answer.json["code"], answer.json["retryable"]) == (503, "outcome_unknown", False)
    assert refused(door.post(path, key="another")) == (409, "outcome_unknown", None)
    assert "unknown_operation" in door.get(f"/v1/payments/{payment['id']}").json["exceptions"]
    door.shop.control("faults/clear")
    sweep_twice(door.shop)
    settled = door.get(f"/v1/payments/{payment['id']}").json
    assert (settled["status"], settled["amount_received"], settled["exceptions"]) == ("paid", "12.30", [])
    door.shop.check()


# --- refunds -----------------------------------------------------------------------------------------------------


def test_money_goes_back_in_parts_and_never_more_than_came(door: Door) -> None:
    payment = paid(door)
    body = {"payment": payment["id"], "amount": "2.30", "currency": "USD", "reason": "requested_by_customer"}
    first = door.post("/v1/refunds", {**body, "metadata": {"ticket": "7"}}, key="r")
    assert first.status_code == 201
    assert (first.json["status"], first.json["amount"], first.json["reason"]) == (
        "succeeded",
        "2.30",
        "requested_by_customer",
    )
    assert first.json["metadata"] == {"ticket": "7"}
    again = door.post("/v1/refunds", {**body, "metadata": {"ticket": "7"}}, key="r")
    assert (again.data, again.headers["Idempotent-Replayed"]) == (first.data, "true")
    assert refused(door.post("/v1/refunds", {"payment": payment["id"], "amount": "10.01"})) == (
        400,
        "amount_too_large",
        "/amount",
    )
    part = door.get(f"/v1/payments/{payment['id']}").json
    assert (part["refunds"], part["amount_refunded"]) == ("partial", "2.30")
    rest = door.post("/v1/refunds", {"payment": payment["id"]}).json
    assert rest["amount"] == "10.00"
    whole = door.get(f"/v1/payments/{payment['id']}").json
    assert (whole["status"], whole["refunds"], whole["amount_refunded"]) == ("paid", "full", "12.30")
    assert refused(door.post("/v1/refunds", {"payment": payment["id"]})) == (409, "nothing_to_refund", None)
    assert len(door.shop.at_bank("refund")) == 2
    assert door.get("/v1/refunds").json["data"] == [rest, first.json]
    assert door.get(f"/v1/refunds/{rest['id']}").json == rest
    door.shop.check()


def test_refunds_are_filtered_and_paged(door: Door) -> None:
    one, two = paid(door), paid(door)
    refunds = [door.post("/v1/refunds", {"payment": each["id"], "amount": "1.00"}).json for each in (one, two, two)]
    ids = [each["id"] for each in refunds]
    of_two = door.get(f"/v1/refunds?payment={two['id']}").json["data"]
    assert [each["id"] for each in of_two] == [ids[2], ids[1]]
    first = door.get("/v1/refunds?limit=2").json
    assert (first["has_more"], [each["id"] for each in first["data"]]) == (True, [ids[2], ids[1]])
    rest = door.get(f"/v1/refunds?limit=2&starting_after={ids[1]}").json
    assert (rest["has_more"], [each["id"] for each in rest["data"]]) == (False, [ids[0]])
    assert door.get("/v1/refunds?status=failed").json["data"] == []


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"amount": "12.31"}, "amount_too_large", "/amount"),
        ({"amount": "0.00"}, "amount_not_positive", "/amount"),
        ({"amount": "1.001"}, "amount_too_precise", "/amount"),
        ({"amount": 1}, "amount_invalid", "/amount"),
        ({"currency": "EUR", "amount": "1.00"}, "currency_mismatch", "/currency"),
        ({"currency": "JPY", "amount": "1.00"}, "amount_too_precise", "/amount"),
        ({"currency": "XXX"}, "currency_unknown", "/currency"),
        ({"reason": "regret"}, "parameter_invalid", "/reason"),
        ({"payment": "pay_1"}, "parameter_invalid", "/payment"),
        ({"payment": None}, "parameter_invalid", "/payment"),
        ({"metadata": {"k" * 41: "v"}}, "parameter_invalid", "/metadata"),
        ({"metadata": {"note": "card 4242 4242 4242 4242"}}, "parameter_invalid", "/metadata"),
        ({"charge": "ch_1"}, "parameter_unknown", "/charge"),
    ],
)
def test_a_wrong_refund_is_named_and_sends_nothing(
    door: Door, rows: Rows, body: dict[str, object], code: str, param: str
) -> None:
    payment = paid(door)
    before = rows()
    assert refused(door.post("/v1/refunds", {"payment": payment["id"], **body}, key="k")) == (400, code, param)
    assert rows() == before
    assert door.shop.at_bank("refund") == []


def test_the_currency_alone_is_checked_as_well(door: Door) -> None:
    payment = paid(door)
    answer = door.post("/v1/refunds", {"payment": payment["id"], "currency": "EUR"})
    assert refused(answer) == (400, "currency_mismatch", "/currency")
    assert door.shop.at_bank("refund") == []


def test_an_unpaid_payment_has_nothing_to_give_back(door: Door, rows: Rows) -> None:
    session = opened(door)
    before = rows()
    answer = door.post("/v1/refunds", {"payment": session["payment"]}, key="k")
    assert refused(answer) == (409, "nothing_to_refund", None)
    assert rows() == before


def test_a_refund_that_fails_later_leaves_the_money_with_the_merchant(door: Door) -> None:
    payment = paid(door, number=REFUND_FAILS)
    refund = door.post("/v1/refunds", {"payment": payment["id"]}).json
    door.shop.control(f"refunds/{refund['provider_reference']}/fail")
    door.shop.catch_up()
    found = door.get(f"/v1/refunds/{refund['id']}").json
    assert found["status"] == "failed"
    assert found["failure_code"] is not None
    assert door.get(f"/v1/payments/{payment['id']}").json["refunds"] == "failed"
    assert [each["id"] for each in door.get("/v1/refunds?status=failed").json["data"]] == [refund["id"]]


def test_a_pending_refund_cannot_be_called_off(door: Door) -> None:
    payment = paid(door, number=REFUND_WAITS)
    refund = door.post("/v1/refunds", {"payment": payment["id"]}).json
    assert refund["status"] == "pending"
    answer = door.post(f"/v1/refunds/{refund['id']}/cancel")
    assert refused(answer) == (409, "refund_not_cancelable", None)
    assert answer.json["object_id"] == refund["id"]


def test_an_unknown_refund_is_answered_as_pending_and_made_once(door: Door) -> None:
    payment = paid(door)
    door.shop.fault("drop_before", "POST /v1/refunds", times=9)
    answer = door.post("/v1/refunds", {"payment": payment["id"], "amount": "2.00"}, key="k")
    assert (answer.status_code, answer.json["status"]) == (201, "pending")
    door.shop.control("faults/clear")
    sweep_twice(door.shop)
    assert door.get(f"/v1/refunds/{answer.json['id']}").json["status"] == "succeeded"
    assert len(door.shop.at_bank("refund")) == 1


# --- disputes and events -----------------------------------------------------------------------------------------


def test_a_dispute_is_read_and_listed(door: Door) -> None:
    payment = paid(door, number=DISPUTED)
    door.shop.catch_up()
    (dispute,) = door.get(f"/v1/disputes?payment={payment['id']}").json["data"]
    assert (dispute["status"], dispute["amount"], dispute["amount_withdrawn"]) == ("needs_response", "12.30", "12.30")
    assert door.get(f"/v1/disputes/{dispute['id']}").json == dispute
    assert door.get("/v1/disputes?status=lost").json["data"] == []
    assert door.get(f"/v1/payments/{payment['id']}").json["dispute"] == "open"
    assert refused(door.post("/v1/refunds", {"payment": payment["id"]})) == (409, "nothing_to_refund", None)


def test_every_event_of_a_cards_life_keeps_to_the_schema_of_its_type(door: Door) -> None:
    door.post("/v1/refunds", {"payment": paid(door)["id"], "amount": "1.00"})
    door.post(f"/v1/payments/{held(door)['id']}/capture", {"amount": "2.00"})
    door.post(f"/v1/payments/{held(door)['id']}/cancel")
    paid(door, number=DISPUTED)
    door.shop.catch_up()
    table = schema.event
    query = select(table.c.body).where(table.c.merchant_id == door.shop.owner.merchant_id)
    seen = set()
    for body in door.shop.db.read(lambda tx: tx.scalars(query).all()):
        kind = EventType(json.loads(body)["type"])
        Event.__class_getitem__(EVENT_OBJECTS[kind]).model_validate_json(body, strict=False)  # type: ignore[union-attr]  # a class by now
        seen.add(kind)
    assert {EventType.REFUND_CREATED, EventType.REFUND_SUCCEEDED, EventType.PAYMENT_REFUNDED} < seen
    assert {EventType.PAYMENT_AUTHORIZED, EventType.PAYMENT_CAPTURED, EventType.PAYMENT_CANCELED} < seen
    assert {EventType.DISPUTE_OPENED, EventType.DISPUTE_FUNDS_WITHDRAWN} < seen
    for listed in door.get("/v1/events?limit=100").json["data"]:
        assert door.get(f"/v1/events/{listed['id']}").json == listed


@pytest.mark.parametrize("decline", list(Decline))
def test_every_decline_has_its_word_in_the_problem(decline: Decline) -> None:
    request_id = "req_01m7wd7tg0e00b88cadg50bd0m"
    shown = problem(ProviderDeclinedError(decline), request_id=request_id, base_url="http://gateway.test")
    assert Problem.model_validate(shown, strict=False).decline_code is decline


# --- sessions that only save a card ----------------------------------------------------------------------------------

SETUP = {"mode": "setup", "currency": "EUR", "reference": "member-7", "success_url": "http://localhost/thanks"}


def test_a_session_that_saves_a_card_needs_no_amount_and_shows_what_was_saved(door: Door) -> None:
    made = door.post("/v1/checkout/sessions", SETUP)
    assert made.status_code == 201
    CheckoutSession.model_validate(made.json)
    assert (made.json["payment"], made.json["payment_status"]) == (None, "no_payment_required")
    assert door.post("/v1/checkout/sessions", SETUP).json == made.json, "the same order is not opened twice"
    shop: CardShop = door.shop
    record = shop.reload(made.json["url"].rpartition("/")[2])
    shop.pay_at_bank(shop.start(record))
    shop.engine.checkout.returned(record.token)
    found = door.get(f"/v1/checkout/sessions/{made.json['id']}").json
    CheckoutSession.model_validate(found)
    assert (found["status"], found["saved_method"]["instrument"]["last4"]) == ("complete", "4242")
    assert door.get(f"/v1/customers/{found['customer']}").status_code == 200
    assert door.get("/v1/payments").json["data"] == []
    assert door.get(f"/v1/payments/{record.payment_id}").status_code == 404
    assert door.get("/api/v1/payment?ref=member-7").status_code == 404


@pytest.mark.parametrize(
    ("over", "param"),
    [
        ({"amount": "1.00"}, "/amount"),
        ({"plan": "plan_01jd0000000000000000000001"}, "/plan"),
        ({"currency": None}, "/currency"),
        ({"capture_method": "manual"}, "/capture_method"),
        ({"line_items": [{"name": "Tea", "amount": "1.00"}]}, "/line_items"),
    ],
)
def test_a_session_that_saves_a_card_has_no_price(door: Door, over: dict[str, object], param: str) -> None:
    refused = door.post("/v1/checkout/sessions", SETUP | over)
    assert (refused.status_code, refused.json["param"]) == (400, param)
