"""The WooCommerce plugin against the real gateway and the Test Bank: checkout, webhooks, refunds, lost webhooks."""

import time
from collections.abc import Callable

import requests

from tests.examples.woocommerce.conftest import Live
from tests.examples.woocommerce.woo import State

LIMIT_S = 30


def until(found: Callable[[], State], is_there: Callable[[State], bool]) -> State:
    """Wait until the shop has heard."""
    deadline = time.monotonic() + LIMIT_S
    while True:
        state = found()
        if is_there(state):
            return state
        assert time.monotonic() < deadline, state
        time.sleep(0.1)


def ordered(live: Live, **fields: object) -> tuple[int, str]:
    """Place an order and press Pay; return its id and where that leads."""
    order_id = int(live.woo.do("order", fields))
    answer = live.woo.do("pay", order_id)
    assert answer["result"] == "success", (answer, live.woo.do("log"))
    return order_id, answer["redirect"]


def paid(live: Live) -> int:
    """Return an order that was paid by card and has heard of it."""
    order_id, url = ordered(live)
    live.pay_at_bank(url)
    until(lambda: live.woo.state(order_id), lambda one: one.status == "processing")
    return order_id


def test_an_order_is_paid_by_card_once(live: Live) -> None:
    order_id, url = ordered(
        live, items=[{"name": "Mug <b>&amp;</b> lid", "quantity": 2, "total": "10.00", "tax": "2.30"}]
    )
    reference = live.woo.do("reference", order_id)
    (session,) = live.client.checkout.sessions.list(reference=reference)
    assert (session.url, session.amount, session.currency) == (url, "12.30", "USD")
    assert (session.customer_email, session.customer_country, session.locale) == ("ada@example.com", "DE", "de")
    assert str(session.success_url).startswith(f"{live.url}/checkout/order-received/{order_id}/?key=wc_order_")
    assert "/order-pay/" in str(session.cancel_url), "going back changes nothing"
    assert [(line.name, line.quantity, line.amount) for line in session.line_items] == [("Mug & lid", 2, "12.30")]
    assert session.metadata == {"woocommerce_order": str(order_id)}
    live.pay_at_bank(url)
    state = until(lambda: live.woo.state(order_id), lambda one: one.status == "processing")
    state.assert_paid_once()
    assert (state.transaction, state.url) == (session.payment, url)


def test_a_second_click_leads_to_the_same_session(live: Live) -> None:
    order_id, url = ordered(live)
    assert live.woo.do("pay", order_id)["redirect"] == url
    live.woo.do("meta", order_id, {"_streampay_session": ""})  # the process died before it could store the answer
    assert live.woo.do("pay", order_id)["redirect"] == url
    both = [live.woo.start(["pay", order_id]) for _ in range(2)]
    assert all(url.replace("/", "\\/") in process.communicate()[0] for process in both)
    assert len(list(live.client.checkout.sessions.list(reference=live.woo.do("reference", order_id)))) == 1


def test_two_tabs_that_open_an_order_at_once_get_one_session(live: Live) -> None:
    order_id = live.woo.do("order", {})
    tabs = [live.woo.start(["pay", order_id]) for _ in range(4)]
    answers = {process.communicate()[0] for process in tabs}
    assert len(answers) == 1, answers
    assert len(list(live.client.checkout.sessions.list(reference=live.woo.do("reference", order_id)))) == 1


def test_an_order_that_was_changed_closes_its_old_session_before_a_new_one_opens(live: Live) -> None:
    order_id, old = ordered(live)
    live.woo.do("edit", order_id, {"total": "15.00"})
    new = live.woo.do("pay", order_id)["redirect"]
    sessions = live.client.checkout.sessions.list(reference=live.woo.do("reference", order_id))
    assert [(one.url, one.status, one.amount) for one in sessions] == [
        (new, "open", "15.00"), (old, "expired", "12.30"),
    ]  # fmt: skip
    state = live.woo.state(order_id)
    assert state.status == "pending", "the old try does not close the order"


def test_a_try_that_is_over_gives_place_to_another(live: Live) -> None:
    order_id, old = ordered(live)
    (session,) = live.client.checkout.sessions.list(reference=live.woo.do("reference", order_id))
    live.woo.do("meta", order_id, {"_streampay_session": ""})
    live.client.checkout.sessions.expire(session.id)
    new = live.woo.do("pay", order_id)["redirect"]
    assert new != old, "the stored answer to the first try names a page that is closed"
    live.pay_at_bank(new)
    until(lambda: live.woo.state(order_id), lambda one: one.status == "processing").assert_paid_once()


def test_what_only_decorates_is_left_out_when_the_gateway_refuses_it(live: Live) -> None:
    items = [{"name": "Card 4242 4242 4242 4242", "quantity": 1, "total": "12.30"}]
    order_id, _ = ordered(live, items=items, email="jo@intranet.example")
    (session,) = live.client.checkout.sessions.list(reference=live.woo.do("reference", order_id))
    assert session.line_items == ()


def test_lines_that_do_not_add_up_are_left_out(live: Live) -> None:
    order_id, _ = ordered(live, items=[{"name": "Mug", "quantity": 1, "total": "12.29"}])
    (session,) = live.client.checkout.sessions.list(reference=live.woo.do("reference", order_id))
    assert session.line_items == ()


def test_a_total_that_a_filter_made_a_number_is_still_exact(live: Live) -> None:
    order_id = live.woo.do("order", {"total": "1234567.10"})
    url = live.woo.do("pay", order_id, STAND_IN_FLOAT_TOTAL="yes")["redirect"]
    (session,) = live.client.checkout.sessions.list(reference=live.woo.do("reference", order_id))
    assert (session.url, session.amount) == (url, "1234567.10")


def test_a_currency_without_cents_is_paid_without_cents(live: Live) -> None:
    order_id, _ = ordered(live, total="1200.00", currency="JPY")
    (session,) = live.client.checkout.sessions.list(reference=live.woo.do("reference", order_id))
    assert (session.amount, session.currency) == ("1200", "JPY")


def test_a_total_that_cannot_be_paid_exactly_is_not_rounded(live: Live) -> None:
    answer = live.woo.do("pay", live.woo.do("order", {"total": "12.345"}))
    assert (answer["result"], len(answer["notices"])) == ("failure", 1)
    assert any("amount_too_precise" in line for line in live.woo.do("log"))


def test_a_gateway_that_is_away_charges_nothing_and_says_so(live: Live) -> None:
    live.woo.set_up("http://127.0.0.1:9", key=live.key)
    answer = live.woo.do("pay", live.woo.do("order", {}))
    assert answer["result"] == "failure"
    assert "Nothing was charged" in answer["notices"][0]


# --- money that goes back --------------------------------------------------------------------------------------------


def test_refunds_from_woocommerce_reach_the_bank_once_each(live: Live) -> None:
    order_id = paid(live)
    payment = live.woo.state(order_id).transaction
    assert live.woo.do("refund", order_id, "2.30") is None
    assert live.woo.do("refund", order_id, "2.30") is None, "a second one of the same amount is another refund"
    assert [one.amount for one in live.client.refunds.list(payment=payment)] == ["2.30", "2.30"]
    assert live.woo.do("refund", order_id, "7.70") is None
    live.woo.do("hour")
    state = until(lambda: live.woo.state(order_id), lambda one: len(one.meta["_streampay_events"]) >= 4)
    assert (state.status, [amount for amount, _ in state.refunds]) == ("refunded", ["2.30", "2.30", "7.70"])
    assert {refund for _, refund in state.refunds} == {one.id for one in live.client.refunds.list(payment=payment)}
    assert live.woo.do("refund", order_id, "1.00") == "error: Invalid refund amount."


def test_a_refund_that_cannot_be_made_says_why_and_is_not_written(live: Live) -> None:
    order_id = paid(live)
    live.client.refunds.create(payment=live.woo.state(order_id).transaction, amount="10.00")
    state = until(lambda: live.woo.state(order_id), lambda one: len(one.refunds) == 1)
    live.woo.do("edit", order_id, {"total": "20.00"})  # somebody edits the order, so that WooCommerce lets it pass
    why = live.woo.do("refund", order_id, "5.00")
    assert "amount_too_large" in why
    assert len(live.woo.state(order_id).refunds) == len(state.refunds)


def test_a_refund_made_at_the_gateway_appears_exactly_once(live: Live) -> None:
    order_id = paid(live)
    payment = live.woo.state(order_id).transaction
    made = live.client.refunds.create(payment=payment, amount="2.30")
    until(lambda: live.woo.state(order_id), lambda one: len(one.refunds) == 1)
    live.client.refunds.create(payment=payment)
    until(lambda: live.woo.state(order_id), lambda one: one.status == "refunded")
    for _ in range(2):
        live.woo.do("hour")
    state = live.woo.state(order_id)
    assert [amount for amount, _ in state.refunds] == ["2.30", "10.00"]
    assert state.refunds[0][1] == made.id
    assert state.count("stock +1") == 0


def test_a_lost_answer_to_a_refund_does_not_give_back_twice(live: Live) -> None:
    order_id = paid(live)
    state = live.woo.state(order_id)
    live.disconnect()
    key = f"{live.woo.do('reference', order_id)}-refund-0-2.3"
    metadata = {"woocommerce_order": str(order_id), "refund_key": key}
    # The gateway took the first request, and the process that asked died before it heard.
    made = live.client.refunds.create(
        payment=state.transaction, amount="2.3", currency="USD", metadata=metadata, idempotency_key=key
    )
    assert live.woo.do("refund", order_id, "2.30") is None
    assert [one.id for one in live.client.refunds.list(payment=state.transaction)] == [made.id]
    assert live.woo.state(order_id).refunds == [["2.30", made.id]]


def test_a_refund_that_fails_weeks_later_is_taken_out_again(live: Live) -> None:
    order_id, url = ordered(live)
    live.pay_at_bank(url)
    until(lambda: live.woo.state(order_id), lambda one: one.status == "processing")
    assert live.woo.do("refund", order_id, "12.30") is None
    state = live.woo.state(order_id)
    assert state.status == "refunded"
    made = live.client.refunds.retrieve(state.refunds[0][1])
    live.cards.control(f"refunds/{made.provider_reference}/fail")
    live.cards.catch_up()
    state = until(lambda: live.woo.state(order_id), lambda one: one.refunds == [])
    assert state.status == "on-hold"
    assert state.noted("the customer did not get the money") == 1
    state = live.woo.state(order_id)
    assert state.count("mail") == 1


# --- webhooks that never come ----------------------------------------------------------------------------------------


def test_the_return_page_needs_no_webhook(live: Live) -> None:
    live.disconnect()
    order_id, url = ordered(live)
    live.pay_at_bank(url)
    (session,) = live.client.checkout.sessions.list(reference=live.woo.do("reference", order_id))
    assert requests.get(str(session.success_url).replace("key=wc", "key=no"), timeout=20).text == "status=pending"
    assert requests.get(str(session.success_url), timeout=20).text == "status=processing"
    live.woo.state(order_id).assert_paid_once()


def test_mollie_1060_an_order_that_was_paid_is_not_cancelled_for_a_lost_webhook(live: Live) -> None:
    live.disconnect()
    order_id, url = ordered(live)
    live.pay_at_bank(url)
    assert live.woo.do("cancel_unpaid", order_id) is False
    live.woo.state(order_id).assert_paid_once()


def test_an_unpaid_order_is_cancelled_only_after_its_page_was_closed(live: Live) -> None:
    live.disconnect()
    order_id, _ = ordered(live)
    live.woo.do("cancel_unpaid", order_id)
    (session,) = live.client.checkout.sessions.list(reference=live.woo.do("reference", order_id))
    assert (session.status, live.woo.state(order_id).status) == ("expired", "cancelled")


def test_while_the_gateway_cannot_be_asked_no_order_is_cancelled(live: Live) -> None:
    order_id, _ = ordered(live)
    live.woo.set_up("http://127.0.0.1:9", key=live.key)
    assert live.woo.do("cancel_unpaid", order_id) is False
    assert live.woo.state(order_id).status == "pending"


def test_the_hour_finds_what_was_lost(live: Live) -> None:
    live.disconnect()
    order_id, url = ordered(live)
    live.pay_at_bank(url)
    live.woo.do("hour")
    live.woo.state(order_id).assert_paid_once()


def test_held_money_is_no_payment_until_it_is_captured(live: Live) -> None:
    live.woo.set_up(live.base_url, key=live.key, secrets=live.secret, capture_method="manual")
    live.woo.do("options", {"home": live.url})
    order_id, url = ordered(live)
    live.pay_at_bank(url)
    state = until(lambda: live.woo.state(order_id), lambda one: one.status == "on-hold")
    assert state.count("payment_complete") == 0
    live.client.payments.capture(state.meta["_streampay_payments"][0])
    until(lambda: live.woo.state(order_id), lambda one: one.status == "processing").assert_paid_once()


# --- the self-test ---------------------------------------------------------------------------------------------------


def press(live: Live, *, nonce: str = "", admin: str = "yes") -> requests.Response:
    """Press the button."""
    button = live.woo.do("presented")["button"]
    known = button.partition('data-nonce="')[2].partition('"')[0]
    form = {"action": "streampay_self_test", "_ajax_nonce": nonce or known}
    return requests.post(f"{live.url}/wp-admin/admin-ajax.php", data=form, headers={"X-Test-Admin": admin}, timeout=60)


def found(live: Live) -> dict[str, list[str]]:
    """Return what the self-test says, by result."""
    checks: list[dict[str, str]] = press(live).json()["data"]
    return {word: [one["text"] for one in checks if one["result"] == word] for word in ("ok", "warn", "fail")}


def test_the_self_test_sends_an_event_there_and_back(live: Live) -> None:
    said = found(live)
    assert (said["fail"], said["warn"]) == ([], [])
    assert any("was verified here" in text for text in said["ok"])
    assert any("Card shop" in text for text in said["ok"])


def test_the_self_test_is_for_the_shops_administrators(live: Live) -> None:
    assert press(live, nonce="0000000000").status_code == 403
    assert press(live, admin="no").status_code == 403


def test_the_self_test_names_a_wrong_secret(live: Live) -> None:
    live.woo.set_up(live.base_url, key=live.key)
    live.woo.do("options", {"home": live.url})
    (text,) = found(live)["fail"]
    assert "Status: 400" in text
    assert "signature_mismatch" in text


def test_woo_stripe_5691_the_self_test_names_an_endpoint_at_the_old_address(live: Live) -> None:
    (endpoint,) = live.client.webhook_endpoints.list()
    live.client.webhook_endpoints.update(endpoint.id, url=f"{live.url}/staging/?wc-api=streampay")
    (text,) = found(live)["fail"]
    assert "/staging/" in text


def test_the_self_test_names_a_wrong_key_and_a_foreign_origin(live: Live) -> None:
    live.woo.do("options", {"home": "https://moved.example"})
    assert any("https://moved.example" in text for text in found_here(live))
    live.woo.set_up(live.base_url, key="sk_test_00000000000000000000000000")
    assert any("api_key_invalid" in text for text in found_here(live))


def found_here(live: Live) -> list[str]:
    """Return what the self-test finds wrong, without the shop's web server."""
    return [one["text"] for one in live.woo.do("self_test") if one["result"] == "fail"]
