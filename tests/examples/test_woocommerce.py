"""The WooCommerce plugin: whatever comes, however often, in whatever order, an order is paid once or not at all."""

import random
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.examples.woocommerce.woo import WooShop, request_of
from tests.sdk.objects import DISPUTE, EVENT, OTHER_SECRET, PAYMENT, REFUND, SESSION, but
from tests.sdk.scripted_gateway import Answer, ScriptedGateway, problem

SLOW_US = "4000"  # a save takes as long, so that processes meet inside of each other
DOORS = 12


# --- the door ------------------------------------------------------------------------------------------------------


def test_woo_stripe_5691_a_bad_signature_is_never_answered_2xx(woo: WooShop) -> None:
    order_id = woo.ordered()
    body, headers = request_of(woo.event(order_id, 3, "paid"), secret=OTHER_SECRET)
    with woo.serving() as url:
        door = f"{url}/?wc-api=streampay"
        assert [
            requests.post(door, data=body, headers=headers, timeout=20).status_code,
            requests.post(door, data=body, timeout=20).status_code,
            requests.post(door, data=b"x" * (1 << 21), headers=headers, timeout=20).status_code,
            requests.get(door, timeout=20).status_code,
        ] == [400, 400, 413, 405]  # fmt: skip
        answer = requests.post(door, data=body, headers=headers, timeout=20)
    assert answer.text == "signature_mismatch"
    assert woo.state(order_id).status == "pending"
    assert len([line for line in woo.do("log") if "webhook_refused" in line]) == 1, "strangers do not fill the log"


def test_a_genuine_webhook_over_http_pays(woo: WooShop) -> None:
    order_id = woo.ordered()
    body, headers = request_of(woo.event(order_id, 3, "paid"))
    with woo.serving() as url:
        answer = requests.post(f"{url}/?wc-api=StreamPay", data=body.encode(), headers=headers, timeout=20)
    assert (answer.status_code, answer.text) == (200, "pay")
    woo.state(order_id).assert_paid_once()


def test_an_unknown_order_is_404_so_that_the_gateway_tries_again(woo: WooShop) -> None:
    reference = woo.do("reference", 4711)
    told = but(EVENT, data={"object": but(PAYMENT, reference=reference)})
    assert woo.deliver(told) == (404, "unknown_order")


def test_another_shops_order_on_the_same_account_is_none_of_our_business(woo: WooShop) -> None:
    order_id = woo.ordered()
    for reference in ("order-1001", f"wc-0123456789-{order_id}", f"wc-0123456789-{order_id}\n", str(order_id)):
        told = but(EVENT, type="payment.succeeded", data={"object": but(PAYMENT, reference=reference)})
        assert woo.deliver(told) == (200, "not_ours")
    assert woo.state(order_id).status == "pending"


def test_a_copy_of_the_shop_on_another_address_names_its_orders_otherwise(woo: WooShop) -> None:
    order_id = woo.ordered()
    told = woo.event(order_id, 3, "paid")
    own = woo.do("reference", order_id)
    woo.do("options", {"home": "https://staging.example"})
    assert woo.do("reference", order_id) != own
    assert woo.deliver(told) == (200, "pay"), "a shop that moved still knows the orders of its old address"


@pytest.mark.parametrize(
    "kind", ["transfer.unmatched", "payout.settled", "comet.seen", "checkout.session.created", "ping"]
)
def test_events_that_are_about_no_order_are_taken(kind: str, woo: WooShop) -> None:
    assert woo.deliver(but(EVENT, type=kind, data={"object": {"object": "comet"}}))[0] == 200


def test_an_event_whose_payment_lacks_fields_is_told_again(woo: WooShop) -> None:
    order_id = woo.ordered()
    told = woo.event(order_id, 3, "paid")
    for name in ("version", "livemode", "amount", "exceptions", "reference"):
        broken = {key: value for key, value in told["data"]["object"].items() if key != name}
        assert woo.deliver(but(told, data={"object": broken})) == (500, "answer_malformed")
    assert woo.state(order_id).status == "pending"


def test_what_could_not_be_stored_is_not_answered_2xx_and_is_done_the_next_time(woo: WooShop) -> None:
    order_id = woo.ordered()
    told = woo.event(order_id, 3, "paid")
    assert woo.deliver(told, STAND_IN_BROKEN_SAVE="yes") == (500, "not_stored")
    assert woo.state(order_id).status == "pending"
    assert woo.deliver(told) == (200, "pay")
    state = woo.state(order_id)
    assert (state.status, state.count("mail"), state.count("stock -1")) == ("processing", 1, 1)
    waiting = woo.ordered()
    assert woo.deliver(woo.event(waiting, 2, "confirming"), STAND_IN_BROKEN_SAVE="yes") == (500, "not_stored")


def test_events_about_other_objects_read_the_payment_again(woo: WooShop, gateway: ScriptedGateway) -> None:
    woo.set_up(gateway.base_url)
    objects = {"checkout.session.completed": SESSION, "refund.failed": REFUND, "dispute.opened": DISPUTE}
    for kind, wire in objects.items():
        order_id = woo.ordered()
        payment = woo.event(order_id, 7, "paid")["data"]["object"]
        gateway.says(Answer(body=payment))
        told = but(EVENT, id=f"evt_{order_id}", type=kind, data={"object": but(wire, payment="pay_1")})
        assert woo.deliver(told) == (200, "pay")
        assert gateway.last.target == "/v1/payments/pay_1"
        woo.state(order_id).assert_paid_once()


def test_a_gateway_that_cannot_be_asked_is_503(woo: WooShop, gateway: ScriptedGateway) -> None:
    woo.set_up(gateway.base_url)
    told = but(EVENT, type="refund.succeeded", data={"object": REFUND})
    gateway.says(problem(503, "provider_unavailable", retryable=True))
    assert woo.deliver(told) == (503, "provider_unavailable")
    gateway.says(Answer(drops=True))
    assert woo.deliver(told) == (503, "connection_failed")


# --- what becomes of an order --------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["processing", "confirming", "authorized", "underpaid"])
def test_btcpay_woo_65_money_on_its_way_is_on_hold_and_never_paid(word: str, woo: WooShop) -> None:
    order_id = woo.ordered()
    woo.deliver(woo.event(order_id, 2, word))
    state = woo.state(order_id)
    assert (state.status, state.count("payment_complete")) == ("on-hold", 0)
    woo.deliver(woo.event(order_id, 3, "open"))  # a reorg took it back for good: the invalidation is let through
    assert woo.state(order_id).status == "pending"
    woo.deliver(woo.event(order_id, 4, "paid"))
    woo.state(order_id).assert_paid_once()


@pytest.mark.parametrize("word", ["open", "requires_action"])
def test_nothing_is_said_before_money_moves(word: str, woo: WooShop) -> None:
    order_id = woo.ordered()
    woo.deliver(woo.event(order_id, 2, word))
    state = woo.state(order_id)
    assert (state.status, state.notes) == ("pending", [])


def test_a_word_of_tomorrow_changes_nothing(woo: WooShop) -> None:
    order_id = woo.ordered()
    told = woo.event(order_id, 2, "open")
    told["data"]["object"]["status"] = "levitating"
    assert woo.deliver(told) == (200, "nothing")
    assert woo.state(order_id).status == "pending"


@pytest.mark.parametrize("word", ["open", "processing", "confirming", "underpaid", "expired", "canceled"])
def test_a_paid_order_is_never_left_for_later_news(word: str, woo: WooShop) -> None:
    order_id = woo.ordered()
    woo.deliver(woo.event(order_id, 3, "paid"))
    woo.deliver(woo.event(order_id, 4, word))
    state = woo.state(order_id)
    state.assert_paid_once()
    assert state.noted("the network has taken it back") == 1, "a person has to know"


def test_stale_news_changes_nothing(woo: WooShop) -> None:
    order_id = woo.ordered()
    woo.deliver(woo.event(order_id, 5, "confirming"))
    assert woo.deliver(woo.event(order_id, 4, "expired")) == (200, "stale")
    assert woo.deliver(woo.event(order_id, 3, "underpaid")) == (200, "stale")
    assert woo.state(order_id).status == "on-hold"


@pytest.mark.parametrize("word", ["expired", "canceled"])
def test_the_current_try_closes_the_order(word: str, woo: WooShop) -> None:
    order_id = woo.ordered()
    woo.deliver(woo.event(order_id, 2, word))
    assert woo.state(order_id).status == "cancelled"


@pytest.mark.parametrize("choice", ["failed", "pending", "processing"])
def test_the_merchant_chooses_among_harmless_states_alone(choice: str, woo: WooShop) -> None:
    woo.set_up("http://127.0.0.1:9", state_expired=choice, state_unconfirmed=choice)
    order_id = woo.ordered()
    woo.deliver(woo.event(order_id, 2, "confirming"))
    assert woo.state(order_id).status == ("pending" if choice == "pending" else "on-hold")
    woo.deliver(woo.event(order_id, 3, "expired"))
    assert woo.state(order_id).status == (choice if choice != "processing" else "cancelled")


def test_mollie_1159_an_expired_earlier_try_neither_fails_nor_cancels(woo: WooShop) -> None:
    order_id = woo.ordered(session="cs_2", payment="pay_2")
    woo.deliver(woo.event(order_id, 9, "expired"))
    assert woo.state(order_id).status == "pending"
    woo.deliver(woo.event(order_id, 3, "paid", id="pay_2", session="cs_2"))
    woo.deliver(woo.event(order_id, 10, "canceled"))
    woo.state(order_id).assert_paid_once()


def test_any_try_may_pay_the_order(woo: WooShop) -> None:
    order_id = woo.ordered(session="cs_2", payment="pay_2")
    woo.deliver(woo.event(order_id, 9, "paid", exceptions=["late"]))
    state = woo.state(order_id)
    state.assert_paid_once()
    assert (state.transaction, state.noted("after its deadline")) == ("pay_1", 1)


@pytest.mark.parametrize("status", ["cancelled", "failed", "on-hold"])
def test_money_that_comes_after_all_pays_whatever_the_order_was(status: str, woo: WooShop) -> None:
    order_id = woo.ordered()
    woo.do("move", order_id, status)
    woo.deliver(woo.event(order_id, 9, "paid"))
    woo.state(order_id).assert_paid_once()


def test_an_order_that_takes_no_payment_any_more_is_for_a_person(woo: WooShop) -> None:
    order_id = woo.ordered()
    woo.do("move", order_id, "trash")
    assert woo.deliver(woo.event(order_id, 9, "paid"))[0] == 200
    state = woo.state(order_id)
    assert (state.status, state.noted("takes no payment")) == ("trash", 1)


def test_an_order_that_a_merchant_holds_is_not_closed(woo: WooShop) -> None:
    order_id = woo.ordered()
    woo.do("move", order_id, "on-hold")
    woo.deliver(woo.event(order_id, 2, "confirming"))
    woo.deliver(woo.event(order_id, 3, "expired"))
    assert woo.state(order_id).status == "on-hold"


def test_an_order_that_is_paid_otherwise_now_is_not_closed_by_our_old_page(woo: WooShop) -> None:
    order_id = woo.ordered(payment_method="bacs")
    woo.deliver(woo.event(order_id, 3, "expired"))
    assert woo.state(order_id).status == "pending"


@pytest.mark.parametrize("changes", [{"amount": "1.23"}, {"currency": "EUR"}, {"exceptions": ["amount_mismatch"]}])
def test_another_sum_is_on_hold_with_a_note(changes: dict[str, Any], woo: WooShop) -> None:
    order_id = woo.ordered()
    for version in (3, 3, 4):
        woo.deliver(woo.event(order_id, version, "paid", **changes) | {"id": f"evt_{version}_{time.monotonic_ns()}"})
    woo.deliver(woo.event(order_id, 5, "confirming", **changes))
    state = woo.state(order_id)
    assert (state.status, state.count("payment_complete"), state.noted("does not fit the order")) == ("on-hold", 0, 1)


@pytest.mark.parametrize("amount", ["12.3", "12.300", "012.30"])
def test_the_same_sum_may_be_written_otherwise(amount: str, woo: WooShop) -> None:
    order_id = woo.ordered()
    woo.deliver(woo.event(order_id, 3, "paid", amount=amount))
    woo.state(order_id).assert_paid_once()


def test_woo_stripe_489_a_second_payment_is_noted_and_doubles_nothing(woo: WooShop) -> None:
    order_id = woo.ordered()
    woo.deliver(woo.event(order_id, 3, "paid"))
    for version in (3, 4):
        woo.deliver(woo.event(order_id, version, "paid", id="pay_2", session="cs_2"))
    state = woo.state(order_id)
    state.assert_paid_once()
    assert (state.transaction, state.noted("Paid twice")) == ("pay_1", 1)


def test_an_order_that_was_paid_by_hand_is_not_completed_again(woo: WooShop) -> None:
    order_id = woo.ordered()
    woo.do("move", order_id, "processing")
    woo.deliver(woo.event(order_id, 3, "paid"))
    state = woo.state(order_id)
    assert (state.count("payment_complete"), state.noted("Paid twice")) == (0, 1)


def test_test_money_pays_no_live_order(woo: WooShop) -> None:
    order_id = woo.ordered()
    woo.do("meta", order_id, {"_streampay_mode": "live"})
    assert woo.deliver(woo.event(order_id, 3, "paid")) == (200, "other_mode")
    assert woo.state(order_id).status == "pending"


def test_warnings_and_disputes_are_noted_once(woo: WooShop) -> None:
    order_id = woo.ordered()
    trouble = {"exceptions": ["early_fraud_warning", "overpaid", "double_payment"], "dispute": "open"}
    for version in (3, 4, 5):
        woo.deliver(woo.event(order_id, version, "paid", **trouble))
    woo.deliver(woo.event(order_id, 6, "paid", **(trouble | {"dispute": "lost"})))
    state = woo.state(order_id)
    state.assert_paid_once()
    said = [state.noted(words) for words in ("likely fraud", "More than due", "Paid twice", "Dispute on payment")]
    assert said == [1, 1, 1, 2]


def test_what_was_given_back_before_it_shipped_is_not_shipped(woo: WooShop, gateway: ScriptedGateway) -> None:
    woo.set_up(gateway.base_url)
    order_id = woo.ordered()
    gateway.says(Answer(body={"data": [but(REFUND, payment="pay_1", amount="12.30")]}))
    woo.deliver(woo.event(order_id, 7, "paid", refunds="full", kind="payment.refunded"))
    woo.deliver(woo.event(order_id, 4, "paid"))
    state = woo.state(order_id)
    assert (state.status, state.count("payment_complete"), len(state.refunds)) == ("refunded", 0, 1)


def test_a_refund_of_the_other_of_two_payments_leaves_the_order_paid(woo: WooShop, gateway: ScriptedGateway) -> None:
    woo.set_up(gateway.base_url)
    order_id = woo.ordered()
    woo.deliver(woo.event(order_id, 3, "paid"))
    gateway.says(Answer(body={"data": [but(REFUND, payment="pay_2", amount="12.30")]}))
    woo.deliver(woo.event(order_id, 7, "paid", id="pay_2", session="cs_2", refunds="full"))
    state = woo.state(order_id)
    state.assert_paid_once()
    assert state.refunds == []


def test_a_refund_in_a_coin_is_written_in_when_all_went_back(woo: WooShop, gateway: ScriptedGateway) -> None:
    woo.set_up(gateway.base_url)
    order_id = woo.ordered()
    woo.deliver(woo.event(order_id, 3, "paid"))
    part = but(REFUND, id="re_1", payment="pay_1", amount="0.01", currency="SOL")
    gateway.says(Answer(body={"data": [part]}))
    woo.deliver(woo.event(order_id, 4, "paid", refunds="partial"))
    state = woo.state(order_id)
    assert (state.refunds, state.noted("another currency")) == ([], 1)
    gateway.says(Answer(body={"data": [but(part, id="re_2", amount="0.05"), part]}))
    woo.deliver(woo.event(order_id, 5, "paid", refunds="full"))
    state = woo.state(order_id)
    assert (state.status, state.refunds) == ("refunded", [["12.30", "re_2"]])


def test_a_refund_that_was_written_in_by_hand_is_not_doubled(woo: WooShop, gateway: ScriptedGateway) -> None:
    woo.set_up(gateway.base_url)
    order_id = woo.ordered()
    woo.deliver(woo.event(order_id, 3, "paid"))
    assert woo.do("refund_by_hand", order_id, "12.30") is None
    gateway.says(Answer(body={"data": [but(REFUND, payment="pay_1", amount="12.30")]}))
    for version in (4, 5):
        woo.deliver(woo.event(order_id, version, "paid", refunds="full"))
    state = woo.state(order_id)
    assert (len(state.refunds), state.noted("by hand?")) == (1, 1)


def test_a_refund_whose_process_died_is_found_again_and_not_written_in_twice(
    woo: WooShop, gateway: ScriptedGateway
) -> None:
    woo.set_up(gateway.base_url)
    order_id = woo.ordered()
    woo.deliver(woo.event(order_id, 3, "paid"))
    gateway.says(Answer(delay_s=30))
    asking = woo.start(["refund", order_id, "2.30"])
    while not gateway.received:
        time.sleep(0.02)
    asking.kill()  # the gateway has taken it, and WooCommerce has its refund, but neither knows of the other
    asking.communicate()
    assert woo.state(order_id).refunds == [["2.30", ""]]
    made = but(REFUND, payment="pay_1", amount="2.30", metadata=gateway.last.json["metadata"])
    gateway.says(Answer(body={"data": [made]}))
    woo.deliver(woo.event(order_id, 4, "paid", refunds="partial"))
    assert woo.state(order_id).refunds == [["2.30", made["id"]]]


def test_btcpay_52_a_refund_over_a_chain_is_one_click_and_says_that_a_wallet_must_sign(
    woo: WooShop, gateway: ScriptedGateway
) -> None:
    woo.set_up(gateway.base_url)
    order_id = woo.ordered()
    woo.deliver(woo.event(order_id, 3, "paid"))
    waits = but(REFUND, status="requires_action", amount="0.061500000", currency="SOL")
    gateway.says(problem(400, "currency_mismatch"), Answer(status=201, body=waits))
    assert woo.do("refund", order_id, "12.30") is None
    assert "amount" not in gateway.last.json
    assert woo.state(order_id).noted("waits for your wallet") == 1


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        (problem(400, "destination_required"), "streampay_destination_required", "Ask the customer"),
        (problem(400, "currency_mismatch"), "streampay_currency_mismatch", "another currency"),
        (problem(409, "nothing_to_refund"), "streampay_nothing_to_refund", "nothing_to_refund"),
        (problem(503, "outcome_unknown"), "streampay_outcome_unknown", "may have happened"),
        (Answer(status=201, body=but(REFUND, status="failed", failure_code="expired_or_canceled_card")),
         "streampay_refund_failed", "expired_or_canceled_card"),
    ],
)  # fmt: skip
def test_btcpay_6418_a_refund_that_fails_names_its_reason(
    answer: Answer, code: str, words: str, woo: WooShop, gateway: ScriptedGateway
) -> None:
    woo.set_up(gateway.base_url)
    order_id = woo.ordered()
    woo.deliver(woo.event(order_id, 3, "paid"))
    gateway.says(answer)
    said = woo.do("refund", order_id, "2.30")
    assert said.startswith(code)
    assert words in said
    assert woo.state(order_id).refunds == []


def test_an_order_without_a_payment_has_nothing_to_give_back(woo: WooShop) -> None:
    order_id = woo.ordered()
    assert woo.state(order_id).refundable is False
    assert woo.do("process_refund", order_id, "1.00") == "streampay_no_payment"
    assert woo.do("process_refund", 4711, "1.00") == "streampay_no_order"
    woo.deliver(woo.event(order_id, 3, "paid"))
    assert [woo.do("process_refund", order_id, amount) for amount in ("0", "-1", "1,5", "")] == ["streampay_amount"] * 4


# --- many at once --------------------------------------------------------------------------------------------------


def story(woo: WooShop, order_id: int) -> list[dict[str, Any]]:
    """Return what the gateway tells about a purchase with an earlier try, each with ids of its own."""
    return [
        woo.event(order_id, 2, "confirming"),
        woo.event(order_id, 3, "open"),
        woo.event(order_id, 4, "confirming"),
        woo.event(order_id, 5, "paid"),
        woo.event(order_id, 6, "paid", exceptions=["overpaid"]),
        woo.event(order_id, 2, "expired", id="pay_0", session="cs_0"),
    ]


@pytest.mark.parametrize("locks", ["mysql", "sqlite"])
def test_woo_stripe_3327_a_storm_of_duplicate_and_stale_deliveries_pays_once(locks: str, woo: WooShop) -> None:
    rng = random.Random(locks)
    orders = [woo.ordered() for _ in range(3)]
    storm = [request_of(one) for order_id in orders for one in story(woo, order_id)] * 6
    rng.shuffle(storm)
    with woo.serving(STAND_IN_LOCKS=locks, STAND_IN_SLOW_US=SLOW_US) as url, ThreadPoolExecutor(DOORS) as doors:

        def post(request: tuple[str, dict[str, str]]) -> int:
            return requests.post(
                f"{url}/?wc-api=streampay", data=request[0], headers=request[1], timeout=60
            ).status_code

        statuses = list(doors.map(post, storm))
    assert set(statuses) == {200}
    for order_id in orders:
        state = woo.state(order_id)
        state.assert_paid_once()
        assert (state.meta["_streampay_versions"]["pay_1"], state.noted("More than due")) == (6, 1)


def test_woo_stripe_3327_the_return_page_racing_the_webhook_completes_once(
    woo: WooShop, gateway: ScriptedGateway
) -> None:
    woo.set_up(gateway.base_url)
    order_id = woo.ordered(key="wc_order_race")
    told = woo.event(order_id, 5, "paid")
    gateway.says(Answer(body=told["data"]["object"]))
    request = request_of(told)
    with woo.serving(STAND_IN_SLOW_US=SLOW_US) as url, ThreadPoolExecutor(DOORS) as doors:

        def door(number: int) -> str:
            if number % 2:
                page = f"{url}/checkout/order-received/{order_id}/?key=wc_order_race"
                return requests.get(page, timeout=60).text
            return requests.post(f"{url}/?wc-api=streampay", data=request[0], headers=request[1], timeout=60).text

        said = list(doors.map(door, range(DOORS)))
    assert {one for one in said if one.startswith("status=")} == {"status=processing"}
    assert sum(one == "pay" for one in said) <= 1
    woo.state(order_id).assert_paid_once()


def test_mollie_1282_the_return_page_shows_the_current_try(woo: WooShop, gateway: ScriptedGateway) -> None:
    woo.set_up(gateway.base_url)
    order_id = woo.ordered(session="cs_2", payment="pay_2", key="wc_order_two")
    woo.do("meta", order_id, {"_streampay_payments": ["pay_1", "pay_2"]})
    failed = woo.event(order_id, 4, "canceled")["data"]["object"]
    waits = woo.event(order_id, 2, "confirming", id="pay_2", session="cs_2")["data"]["object"]
    gateway.says(Answer(body=failed), Answer(body=waits))
    with woo.serving() as url:
        page = requests.get(f"{url}/checkout/order-received/{order_id}/?key=wc_order_two", timeout=60)
    assert page.text == "status=on-hold"


def test_one_process_at_a_time_works_on_an_order_and_others_are_told_to_come_again(woo: WooShop) -> None:
    order_id, other = woo.ordered(), woo.ordered()
    flag = woo.folder / "held"
    for locks in ("mysql", "sqlite"):
        holder = woo.start(["hold", order_id, str(flag), 1500], STAND_IN_LOCKS=locks)
        while not flag.exists():
            time.sleep(0.02)
        told = woo.event(order_id, 2, "confirming")
        if locks == "mysql":
            assert woo.deliver(told, STAND_IN_WAIT_S="0.2") == (503, "order_busy")
            assert woo.deliver(woo.event(other, 2, "confirming"))[0] == 200, "another order does not wait"
        began = time.monotonic()
        assert woo.deliver(told, STAND_IN_LOCKS=locks)[0] == 200
        assert time.monotonic() - began > 0.2
        assert holder.communicate()[0] == '["held"]'
        flag.unlink()


@pytest.mark.parametrize("locks", ["mysql", "sqlite"])
def test_a_process_that_dies_leaves_nothing_locked(locks: str, woo: WooShop) -> None:
    order_id = woo.ordered()
    dead = woo.start(["die_holding", order_id], STAND_IN_LOCKS=locks)
    dead.communicate()
    assert dead.returncode < 0
    assert woo.deliver(woo.event(order_id, 3, "paid"), STAND_IN_LOCKS=locks, STAND_IN_WAIT_S="1") == (200, "pay")


def test_without_any_lock_nothing_is_done(woo: WooShop) -> None:
    order_id = woo.ordered()
    nowhere = str(woo.folder / "missing")
    answer = woo.start(
        ["deliver", *request_of(woo.event(order_id, 3, "paid"))], STAND_IN_LOCKS="sqlite", STAND_IN_TEMP=nowhere
    )
    assert '[[503,"no_lock"]]' in answer.communicate()[0]
    assert woo.state(order_id).status == "pending"
