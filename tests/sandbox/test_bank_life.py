"""The life of money in the bank: paid, declined, held, refunded, disputed, paid out, each with its events."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
import stripe
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.test_bank import Bank, cards, money
from sandbox.test_bank.errors import ApiError
from tests.sandbox.test_bank_stage import CHALLENGED, DECLINED, OK, HandClock, Stage, pay, staged

DAY_S = 86_400
REFUND_PENDS = "4000000000007726"
REFUND_FAILS = "4000000000005126"
CAPTURED_ONCE = "3566002020360505"


@pytest.fixture
def stage() -> Iterator[Stage]:
    with staged(Bank(seed="life", real_time_s=HandClock())) as made:
        yield made


def last(stage: Stage, count: int) -> list[str]:
    return stage.names()[-count:]


def challenge_of(stage: Stage, session: Any, number: str = CHALLENGED) -> str:
    result = stage.pay(session, number)
    assert result.kind == "challenge"
    assert result.redirect_url is not None
    assert result.redirect_url.startswith(f"{stage.running.url}/3ds/")
    return result.redirect_url.rpartition("/")[2]


# --- checkout --------------------------------------------------------------------------------------------------------


def test_a_paid_session_tells_the_whole_story(stage: Stage) -> None:
    session = stage.session(metadata={"order": "7"}, payment_intent_data={"metadata": {"sp_op": "op_1"}})
    assert (session.status, session.payment_status, session.payment_intent) == ("open", "unpaid", None)
    assert session.url == f"{stage.running.url}/c/pay/{session.id}"
    result = stage.pay(session, email="jenny@example.com")
    assert (result.kind, result.redirect_url) == ("paid", f"http://shop.test/paid?cs={session.id}")
    stage.bank.advance(1)
    assert stage.names() == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "checkout.session.completed",
        "charge.updated",
    ]
    full = stage.full(session)
    assert (full.status, full.payment_status, full.url) == ("complete", "paid", None)
    assert full.customer_details.email == "jenny@example.com"
    assert full.metadata.to_dict() == {"order": "7"}
    assert full.payment_intent.metadata.to_dict() == {"sp_op": "op_1"}
    assert full.payment_intent.amount_received == full.amount_total == 3_000


def test_a_decline_leaves_the_session_open_and_the_next_card_pays_it(stage: Stage) -> None:
    session = stage.session()
    result = stage.pay(session, DECLINED)
    assert (result.kind, result.decline_code) == ("declined", "generic_decline")
    assert stage.names() == ["payment_intent.created", "charge.failed", "payment_intent.payment_failed"]
    intent = stage.full(session).payment_intent
    assert (intent.status, intent.last_payment_error.code) == ("requires_payment_method", "card_declined")
    assert stage.full(session).status == "open"
    assert stage.pay(session).kind == "paid"
    assert stage.full(session).payment_intent.id == intent.id
    assert len(stage.v1.charges.list({"payment_intent": intent.id}).data) == 2


@pytest.mark.parametrize(
    ("typed", "param"),
    [
        ({"number": "4111111111111111"}, "number"),
        ({"number": "4242424242424241"}, "number"),
        ({"number": "not a number"}, "number"),
        ({"exp_month": 13}, "exp_month"),
        ({"exp_year": 2020}, "exp_year"),
        ({"exp_year": 2999}, "exp_year"),
        ({"cvc": "12"}, "cvc"),
        ({"cvc": "١٢٣"}, "cvc"),
    ],
)
def test_what_is_typed_wrongly_is_refused_before_anything_is_tried(
    stage: Stage, typed: dict[str, Any], param: str
) -> None:
    session = stage.session()
    result = pay(stage.bank, session.id, **typed)
    assert (result.kind, result.param) == ("declined", param)
    assert stage.names() == []


def test_a_number_outside_the_list_is_kept_nowhere(stage: Stage) -> None:
    number = "4111111111111111"
    session = stage.session()
    assert number not in str(stage.pay(session, number))
    with pytest.raises(stripe.CardError) as caught:
        stage.v1.payment_methods.create(
            {"type": "card", "card": {"number": number, "exp_month": 1, "exp_year": 2040, "cvc": "123"}}
        )
    assert number not in str(caught.value)
    records = [stage.bank.vault.store.find(key) for key in stage.bank.vault.store._records]
    assert number not in repr(records)


@pytest.mark.parametrize("card", cards.ALL, ids=lambda card: card.number)
def test_every_test_card_does_what_it_is_for(stage: Stage, card: cards.TestCard) -> None:
    session = stage.session()
    cvc = "1234" if card.brand == "amex" else "123"
    result = stage.pay(session, card.number, cvc=cvc)
    if "challenge" in card.effect:
        assert result.kind == "challenge"
        result = stage.bank.answer_challenge(str(result.redirect_url).rpartition("/")[2], passed=True)
    assert result.kind == ("paid" if card.code is None else "declined")
    assert result.decline_code == card.decline_code
    if card.code is None:
        charge = stage.full(session).payment_intent.latest_charge
        assert charge.outcome.risk_level == card.risk
        assert (charge.payment_method_details.card.last4, charge.payment_method_details.card.brand) == (
            card.last4,
            card.brand,
        )


def test_a_blocked_card_never_reaches_the_network(stage: Stage) -> None:
    session = stage.session()
    stage.pay(session, "4100000000000019")
    outcome = stage.full(session).payment_intent.latest_charge.outcome
    assert (outcome.type, outcome.network_status, outcome.risk_level) == ("blocked", "not_sent_to_network", "highest")


def test_a_passed_challenge_pays(stage: Stage) -> None:
    session = stage.session()
    identifier = challenge_of(stage, session)
    assert stage.full(session).payment_intent.status == "requires_action"
    shown = stage.bank.challenge(identifier)
    assert (shown["session"], shown["status"], shown["amount"], shown["last4"]) == (session.id, "open", 3_000, "3220")
    assert stage.bank.answer_challenge(identifier, passed=True).kind == "paid"
    charge = stage.full(session).payment_intent.latest_charge
    assert charge.payment_method_details.card.three_d_secure.result == "authenticated"
    assert stage.bank.answer_challenge(identifier, passed=True).kind == "closed"
    assert stage.names() == [
        "payment_intent.created",
        "payment_intent.requires_action",
        "charge.succeeded",
        "payment_intent.succeeded",
        "checkout.session.completed",
    ]


def test_a_failed_challenge_leads_back_to_the_page(stage: Stage) -> None:
    session = stage.session()
    result = stage.bank.answer_challenge(challenge_of(stage, session), passed=False)
    assert (result.kind, result.redirect_url) == ("declined", session.url)
    assert last(stage, 1) == ["payment_intent.payment_failed"]
    assert stage.pay(session).kind == "paid"


def test_a_challenge_left_alone_fails_when_another_card_pays(stage: Stage) -> None:
    session = stage.session()
    identifier = challenge_of(stage, session)
    assert stage.pay(session).kind == "paid"
    assert stage.bank.challenge(identifier)["status"] == "failed"
    assert stage.bank.answer_challenge(identifier, passed=True).kind == "closed"
    assert len([name for name in stage.names() if name == "charge.succeeded"]) == 1


def test_a_second_challenge_takes_the_place_of_the_first(stage: Stage) -> None:
    session = stage.session()
    first, second = challenge_of(stage, session), challenge_of(stage, session)
    assert stage.bank.answer_challenge(first, passed=True).kind == "closed"
    assert stage.bank.answer_challenge(second, passed=True).kind == "paid"
    assert len(stage.v1.charges.list().data) == 1


def test_a_challenge_after_the_session_expired_pays_nothing(stage: Stage) -> None:
    session = stage.session()
    identifier = challenge_of(stage, session)
    stage.v1.checkout.sessions.expire(session.id)
    assert stage.bank.answer_challenge(identifier, passed=True).kind == "closed"
    assert stage.full(session).payment_intent.status == "canceled"


def test_a_card_set_up_before_is_not_challenged_again(stage: Stage) -> None:
    customer = stage.v1.customers.create({})
    session = stage.v1.checkout.sessions.create(
        {"mode": "setup", "success_url": "http://shop.test/ok", "customer": customer.id, "currency": "eur"}
    )
    stage.bank.answer_challenge(challenge_of(stage, session, "4000002500003155"), passed=True)
    setup = stage.v1.setup_intents.retrieve(stage.v1.checkout.sessions.retrieve(session.id).setup_intent)
    assert setup.status == "succeeded"
    again = {"amount": 900, "currency": "eur", "customer": customer.id, "confirm": True, "off_session": True}
    intent = stage.v1.payment_intents.create({**again, "payment_method": setup.payment_method})
    assert intent.status == "succeeded"
    with pytest.raises(stripe.CardError, match="requires authentication"):
        stage.v1.payment_intents.create({**again, "payment_method": "pm_card_authenticationRequired"})


@pytest.mark.parametrize(
    ("outcome", "currency", "kind"), [("succeed", "eur", "sepa_debit"), ("fail", "usd", "us_bank_account")]
)
def test_a_bank_debit_is_complete_but_unpaid_until_it_settles(
    stage: Stage, outcome: str, currency: str, kind: str
) -> None:
    session = stage.session(currency=currency)
    assert stage.bank.pay_by_bank(session.id, outcome=outcome).kind == "paid"
    full = stage.full(session)
    assert (full.status, full.payment_status, full.payment_intent.status) == ("complete", "unpaid", "processing")
    assert full.payment_intent.latest_charge.payment_method_details.type == kind
    stage.bank.advance(3 * DAY_S + 1)
    ends = {"succeed": ("paid", "succeeded"), "fail": ("unpaid", "requires_payment_method")}
    full = stage.full(session)
    assert (full.payment_status, full.payment_intent.status) == ends[outcome]
    told = {"succeed": "checkout.session.async_payment_succeeded", "fail": "checkout.session.async_payment_failed"}
    assert told[outcome] in stage.names()
    assert "charge.pending" in stage.names()


def test_a_session_expires_by_the_clock_or_by_hand_and_then_takes_no_money(stage: Stage) -> None:
    by_clock, by_hand = stage.session(), stage.session()
    stage.v1.checkout.sessions.expire(by_hand.id)
    stage.bank.advance(DAY_S)
    for session in (by_clock, by_hand):
        assert stage.full(session).status == "expired"
        assert stage.full(session).url is None
        assert stage.pay(session).kind == "closed"
    with pytest.raises(stripe.InvalidRequestError, match="Only Checkout Sessions with a status in"):
        stage.v1.checkout.sessions.expire(by_clock.id)
    assert stage.names() == ["checkout.session.expired"] * 2


def test_expiry_must_lie_between_30_minutes_and_a_day(stage: Stage) -> None:
    now = stage.bank.vault.now()
    for seconds, is_fine in ((1_799, False), (1_800, True), (DAY_S, True), (DAY_S + 1, False)):
        if is_fine:
            assert stage.session(expires_at=now + seconds).expires_at == now + seconds
            continue
        with pytest.raises(stripe.InvalidRequestError) as caught:
            stage.session(expires_at=now + seconds)
        assert caught.value.param == "expires_at"


def test_a_session_of_nothing_needs_no_payment(stage: Stage) -> None:
    session = stage.session(amount=0)
    assert session.payment_status == "no_payment_required"
    assert stage.pay(session).kind == "paid"
    assert stage.full(session).payment_intent is None
    assert stage.full(session).payment_status == "no_payment_required"


def test_a_placeholder_that_was_encoded_is_left_alone(stage: Stage) -> None:
    session = stage.session(success_url="http://shop.test/ok?cs=%7BCHECKOUT_SESSION_ID%7D")
    assert stage.pay(session).redirect_url == "http://shop.test/ok?cs=%7BCHECKOUT_SESSION_ID%7D"


def test_the_intent_of_an_open_session_is_the_pages_alone(stage: Stage) -> None:
    session = stage.session()
    stage.pay(session, DECLINED)
    intent = stage.full(session).payment_intent.id
    with pytest.raises(stripe.InvalidRequestError, match="Checkout"):
        stage.v1.payment_intents.cancel(intent)
    with pytest.raises(stripe.InvalidRequestError, match="Checkout"):
        stage.v1.payment_intents.confirm(intent, {"payment_method": "pm_card_visa"})


# --- hold, capture, release ------------------------------------------------------------------------------------------


def held(stage: Stage) -> Any:
    return stage.paid(payment_intent_data={"capture_method": "manual"})


def test_a_hold_is_complete_and_unpaid_until_it_is_captured(stage: Stage) -> None:
    session = held(stage)
    assert (session.status, session.payment_status) == ("complete", "unpaid")
    assert (session.payment_intent.status, session.payment_intent.amount_capturable) == ("requires_capture", 3_000)
    assert session.payment_intent.latest_charge.captured is False
    assert "payment_intent.amount_capturable_updated" in stage.names()
    captured = stage.v1.payment_intents.capture(session.payment_intent.id)
    assert (captured.status, captured.amount_received) == ("succeeded", 3_000)
    assert stage.full(session).payment_status == "paid"
    assert last(stage, 2) == ["charge.captured", "payment_intent.succeeded"]
    with pytest.raises(stripe.InvalidRequestError) as caught:
        stage.v1.payment_intents.capture(session.payment_intent.id)
    assert caught.value.code == "payment_intent_unexpected_state"
    body: Any = caught.value.json_body
    assert body["error"]["payment_intent"]["status"] == "succeeded"


def test_a_partial_capture_releases_the_rest(stage: Stage) -> None:
    session = held(stage)
    captured = stage.v1.payment_intents.capture(session.payment_intent.id, {"amount_to_capture": 1_000})
    assert (captured.amount_received, captured.amount_capturable) == (1_000, 0)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        stage.v1.refunds.create({"payment_intent": session.payment_intent.id, "amount": 1_001})
    assert caught.value.param == "amount"
    stage.v1.refunds.create({"payment_intent": session.payment_intent.id, "amount": 1_000})


IN_PARTS: dict[str, Any] = {"payment_method_options": {"card": {"request_multicapture": "if_available"}}}


@pytest.mark.parametrize(("number", "options"), [(OK, {}), (CAPTURED_ONCE, IN_PARTS)])
def test_several_captures_need_a_card_that_was_asked_for_them(
    stage: Stage, number: str, options: dict[str, Any]
) -> None:
    single = stage.paid(number, payment_intent_data={"capture_method": "manual"}, **options)
    assert single.payment_intent.latest_charge.payment_method_details.card.multicapture.status == "unavailable"
    with pytest.raises(stripe.InvalidRequestError, match="multicapture"):
        stage.v1.payment_intents.capture(single.payment_intent.id, {"amount_to_capture": 1_000, "final_capture": False})


def test_a_page_may_ask_for_several_captures(stage: Stage) -> None:
    intent = stage.paid(payment_intent_data={"capture_method": "manual"}, **IN_PARTS).payment_intent
    assert intent.payment_method_options.card.request_multicapture == "if_available"
    first = stage.v1.payment_intents.capture(intent.id, {"amount_to_capture": 1_000, "final_capture": False})
    assert (first.status, first.amount_capturable, first.amount_received) == ("requires_capture", 2_000, 1_000)
    assert last(stage, 2) == ["charge.captured", "payment_intent.amount_capturable_updated"]
    with pytest.raises(stripe.InvalidRequestError) as caught:
        stage.v1.payment_intents.capture(intent.id, {"amount_to_capture": 2_001})
    assert caught.value.code == "amount_too_large"
    second = stage.v1.payment_intents.capture(intent.id)
    assert (second.status, second.amount_received) == ("succeeded", 3_000)
    assert last(stage, 2) == ["charge.updated", "payment_intent.succeeded"]
    stage.bank.advance(1)
    charge = stage.v1.charges.retrieve(intent.latest_charge.id)
    assert (charge.amount_captured, charge.amount_refunded) == (3_000, 0)
    entries = stage.v1.balance_transactions.list({"source": charge.id}).data
    assert sorted(entry.amount for entry in entries) == [1_000, 2_000]


def test_canceling_after_a_part_leaves_the_part(stage: Stage) -> None:
    session = stage.paid(payment_intent_data={"capture_method": "manual"}, **IN_PARTS)
    intent = session.payment_intent
    stage.v1.payment_intents.capture(intent.id, {"amount_to_capture": 1_000, "final_capture": False})
    ended = stage.v1.payment_intents.cancel(intent.id)
    assert (ended.status, ended.amount_received, ended.amount_capturable) == ("succeeded", 1_000, 0)
    assert last(stage, 1) == ["payment_intent.succeeded"]
    assert stage.full(session).payment_status == "paid"


def test_a_void_releases_the_hold(stage: Stage) -> None:
    session = held(stage)
    canceled = stage.v1.payment_intents.cancel(session.payment_intent.id, {"cancellation_reason": "abandoned"})
    assert (canceled.status, canceled.cancellation_reason, canceled.amount_capturable) == ("canceled", "abandoned", 0)
    assert last(stage, 2) == ["charge.refunded", "payment_intent.canceled"]
    with pytest.raises(stripe.InvalidRequestError):
        stage.v1.payment_intents.capture(session.payment_intent.id)


def test_a_hold_lapses_after_a_week(stage: Stage) -> None:
    session = held(stage)
    stage.bank.advance(7 * DAY_S)
    intent = stage.full(session).payment_intent
    assert (intent.status, intent.cancellation_reason) == ("canceled", "automatic")
    assert "charge.expired" in stage.names()
    assert stage.full(session).payment_status == "unpaid"


# --- refunds ---------------------------------------------------------------------------------------------------------


def test_refunds_never_exceed_what_was_captured(stage: Stage) -> None:
    intent = stage.paid().payment_intent.id
    first = stage.v1.refunds.create({"payment_intent": intent, "amount": 1_000})
    assert first.status == "succeeded"
    assert last(stage, 2) == ["refund.created", "charge.refunded"]
    with pytest.raises(stripe.InvalidRequestError) as caught:
        stage.v1.refunds.create({"payment_intent": intent, "amount": 2_001})
    assert caught.value.param == "amount"
    stage.v1.refunds.create({"payment_intent": intent})
    with pytest.raises(stripe.InvalidRequestError) as caught:
        stage.v1.refunds.create({"payment_intent": intent})
    assert caught.value.code == "charge_already_refunded"


def test_a_refund_can_be_pending_and_then_succeed(stage: Stage) -> None:
    refund = stage.v1.refunds.create({"payment_intent": stage.paid(REFUND_PENDS).payment_intent.id})
    assert (refund.status, refund.pending_reason) == ("pending", "processing")
    stage.bank.advance(3_600)
    assert stage.v1.refunds.retrieve(refund.id).status == "succeeded"
    assert {"refund.updated", "charge.refund.updated"} <= set(stage.names())


def test_a_succeeded_refund_can_fail_and_gives_the_money_back(stage: Stage) -> None:
    paid = stage.paid(REFUND_FAILS)
    refund = stage.v1.refunds.create({"payment_intent": paid.payment_intent.id, "amount": 1_000})
    assert refund.status == "succeeded"
    before = net_of(stage)
    stage.bank.advance(3_600)
    failed = stage.v1.refunds.retrieve(refund.id, {"expand": ["failure_balance_transaction"]})
    assert (failed.status, failed.failure_balance_transaction.type) == ("failed", "refund_failure")
    assert net_of(stage) == before + 1_000
    assert stage.full(paid).payment_intent.latest_charge.amount_refunded == 0
    assert "refund.failed" in stage.names()


def test_control_fails_any_refund(stage: Stage) -> None:
    refund = stage.v1.refunds.create({"payment_intent": stage.paid().payment_intent.id})
    assert stage.order(f"refunds/{refund.id}/fail")["status"] == "failed"
    again = stage.v1.refunds.create({"payment_intent": refund.payment_intent})
    assert again.status == "succeeded"


def test_what_was_never_paid_cannot_be_refunded(stage: Stage) -> None:
    session = stage.session()
    stage.pay(session, DECLINED)
    for intent in (stage.full(session).payment_intent.id, held(stage).payment_intent.id):
        with pytest.raises(stripe.InvalidRequestError, match="does not have a successful charge"):
            stage.v1.refunds.create({"payment_intent": intent})


# --- disputes --------------------------------------------------------------------------------------------------------


def test_a_dispute_takes_amount_and_fee_and_bars_refunds(stage: Stage) -> None:
    paid = stage.paid("4000000000000259")
    (dispute,) = stage.v1.disputes.list({"payment_intent": paid.payment_intent.id}).data
    assert (dispute.status, dispute.reason, dispute.is_charge_refundable) == ("needs_response", "fraudulent", False)
    assert [entry.net for entry in dispute.balance_transactions] == [-4_500]
    assert last(stage, 3) == ["charge.updated", "charge.dispute.created", "charge.dispute.funds_withdrawn"]
    with pytest.raises(stripe.InvalidRequestError) as caught:
        stage.v1.refunds.create({"payment_intent": paid.payment_intent.id})
    assert caught.value.code == "charge_disputed"


def test_an_inquiry_takes_nothing_and_leaves_refunds_open(stage: Stage) -> None:
    paid = stage.paid("4000000000001976")
    (dispute,) = stage.v1.disputes.list({"charge": paid.payment_intent.latest_charge.id}).data
    assert (dispute.status, dispute.balance_transactions) == ("warning_needs_response", [])
    assert "charge.dispute.funds_withdrawn" not in stage.names()
    stage.v1.refunds.create({"payment_intent": paid.payment_intent.id, "amount": 100})
    assert stage.order(f"disputes/{dispute.id}/close", {"outcome": "won"})["status"] == "warning_closed"


@pytest.mark.parametrize("outcome", ["won", "lost"])
def test_a_dispute_ends_won_or_lost(stage: Stage, outcome: str) -> None:
    charge = stage.paid().payment_intent.latest_charge.id
    dispute = stage.order("disputes", {"charge": charge, "reason": "product_not_received"})
    before = net_of(stage)
    assert stage.order(f"disputes/{dispute['id']}/close", {"outcome": outcome})["status"] == outcome
    assert net_of(stage) == before + (3_000 if outcome == "won" else 0)
    assert ("charge.dispute.funds_reinstated" in stage.names()) is (outcome == "won")
    stage.order(f"disputes/{dispute['id']}/close", {"outcome": outcome}, status=400)
    with pytest.raises(stripe.InvalidRequestError):
        stage.v1.disputes.close(dispute["id"])


def test_evidence_with_stripes_words_decides(stage: Stage) -> None:
    for words, status in (("winning_evidence", "won"), ("losing_evidence", "lost"), ("a letter", "under_review")):
        charge = stage.paid().payment_intent.latest_charge.id
        dispute = stage.order("disputes", {"charge": charge})
        updated = stage.v1.disputes.update(dispute["id"], {"evidence": {"uncategorized_text": words}})
        assert updated.status == status


def test_an_early_fraud_warning_moves_no_money(stage: Stage) -> None:
    stage.paid("4000000000005423")
    assert last(stage, 1) == ["radar.early_fraud_warning.created"]
    assert stage.v1.disputes.list().data == []


# --- the balance -----------------------------------------------------------------------------------------------------


def net_of(stage: Stage) -> int:
    balance = stage.v1.balance.retrieve()
    return sum(entry.amount for entry in (*balance.available, *balance.pending) if entry.currency == "eur")


def test_a_charge_enters_the_balance_a_moment_later_with_its_fee(stage: Stage) -> None:
    paid = stage.paid()
    assert paid.payment_intent.latest_charge.balance_transaction is None
    stage.bank.advance(1)
    assert last(stage, 1) == ["charge.updated"]
    entry = stage.v1.balance_transactions.retrieve(stage.full(paid).payment_intent.latest_charge.balance_transaction)
    assert (entry.amount, entry.fee, entry.net, entry.status) == (3_000, 117, 2_883, "pending")
    stage.bank.advance(2 * DAY_S)
    assert stage.v1.balance_transactions.retrieve(entry.id).status == "available"


def test_the_payout_lists_exactly_what_it_pays(stage: Stage) -> None:
    for amount in (3_000, 5_000):
        stage.paid(amount=amount)
    refunded = stage.paid(amount=7_000)
    stage.bank.advance(1)
    stage.v1.refunds.create({"payment_intent": refunded.payment_intent.id, "amount": 700})
    stage.bank.advance(4 * DAY_S)
    payouts = stage.v1.payouts.list().data
    listed = [
        entry
        for payout in payouts
        for entry in stage.v1.balance_transactions.list({"payout": payout.id, "limit": 100}).data
    ]
    assert sorted(entry.type for entry in listed) == ["charge"] * 3 + ["payout"] * len(payouts) + ["refund"]
    assert sum(entry.net for entry in listed) == 0
    assert sum(payout.amount for payout in payouts) == 15_000 - 700 - sum(map(money.fee_of, (3_000, 5_000, 7_000)))
    assert all(payout.status == "paid" and payout.reconciliation_status == "completed" for payout in payouts)
    told = [name for name in stage.names() if name.startswith("payout.")]
    assert told[:3] == ["payout.created", "payout.reconciliation_completed", "payout.paid"]
    assert net_of(stage) == 0


def test_a_balance_below_nothing_is_not_collected_but_made_up_for(stage: Stage) -> None:
    stage.paid("4000000000000259", amount=1_000)  # charged, disputed, and the fee of the dispute besides
    stage.bank.advance(5 * DAY_S)
    owed = net_of(stage)
    assert owed < 0
    assert stage.v1.payouts.list().data == []
    stage.paid(amount=50_000)
    stage.bank.advance(5 * DAY_S)
    (payout,) = stage.v1.payouts.list().data
    assert payout.amount == owed + 50_000 - money.fee_of(50_000)


def test_a_payout_by_hand_lists_nothing_and_needs_money(stage: Stage) -> None:
    stage.paid("4000000000000077")
    stage.bank.advance(1)
    payout = stage.v1.payouts.create({"amount": 500, "currency": "eur"})
    assert payout.reconciliation_status == "not_applicable"
    with pytest.raises(stripe.InvalidRequestError, match="automatic transfers"):
        stage.v1.balance_transactions.list({"payout": payout.id})
    with pytest.raises(stripe.InvalidRequestError) as caught:
        stage.v1.payouts.create({"amount": 50_000, "currency": "eur"})
    assert caught.value.code == "balance_insufficient"


def test_control_pays_out_at_once_what_is_available(stage: Stage) -> None:
    stage.paid("4000000000000077")
    stage.bank.advance(1)
    assert stage.order("payouts") == {"payouts": 1}
    assert stage.v1.payouts.list().data[0].automatic


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("pay"), st.integers(50, 9_000)),
        st.tuples(st.just("refund"), st.integers(1, 9_000)),
        st.tuples(st.just("dispute"), st.booleans()),
        st.tuples(st.just("fail"), st.just(0)),
        st.tuples(st.just("advance"), st.integers(1, 5 * DAY_S)),
    ),
    max_size=12,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(_STEPS)
def test_the_balance_is_always_the_sum_of_its_entries_less_the_payouts(steps: list[tuple[str, Any]]) -> None:
    bank = Bank(seed="books", real_time_s=HandClock())
    for name, value in steps:
        _step(bank, name, value)
    bank.advance(10 * DAY_S)
    entries = list(bank.vault.every("balance_transaction"))
    charges = list(bank.vault.every("charge"))
    assert all(entry["net"] == entry["amount"] - entry["fee"] for entry in entries)
    assert sum(charge["amount_captured"] for charge in charges) == sum(
        entry["amount"] for entry in entries if entry["type"] == "charge"
    )
    returned = sum(entry["amount"] for entry in entries if entry["type"] in {"refund", "refund_failure"})
    assert -returned == sum(charge["amount_refunded"] for charge in charges)
    assert all(0 <= charge["amount_refunded"] <= charge["amount_captured"] for charge in charges)
    for payout in bank.vault.every("payout"):
        listed = [entry["net"] for entry in entries if bank.vault.notes(entry["id"]).get("payout") == payout["id"]]
        assert sum(listed) == 0


def _step(bank: Bank, name: str, value: Any) -> None:
    """Do one random thing to the newest charge, the way the API and control do; a refusal is fine."""
    from sandbox.test_bank.resources import disputes, intents, methods, refunds
    from sandbox.test_bank.vault import Call, Vault

    def work(vault: Vault) -> Any:
        charge = next(vault.every("charge"), None)
        if name == "pay":
            intent = intents.make(vault, amount=value, currency="eur")
            intents.confirm(vault, intent, methods.named(vault, "pm_card_visa"))
        elif charge is not None and name == "refund":
            operation = next(known for known in vault.spec.operations() if known.name == "refunds.create")
            params = {"charge": charge["id"], "amount": value}
            refunds.create(vault, Call(operation=operation, path="", params=params))
        elif charge is not None and name == "dispute":
            made = disputes.open_one(vault, charge, reason="fraudulent")
            disputes.close_as(vault, made, is_won=value)
        elif name == "fail" and (refund := next(vault.every("refund"), None)):
            refunds.fail(vault, refund["id"])

    if name == "advance":
        bank.advance(value)
        return
    with contextlib.suppress(ApiError):
        bank.change(work)
