"""A payment's whole life, on every database."""

from datetime import timedelta

import pytest

from gateway.domain.chain import StageChange
from gateway.domain.merchants import MerchantSettings
from gateway.domain.words import LatePolicy, TransferStage
from gateway.kernel.errors import ConflictError, IdempotencyMismatchError, InvalidRequestError
from gateway.ledger.proof import verify
from gateway.storage.database import Database
from tests.engine.paper import NETWORK, Shop, a_session, lamports, reply_field

HOT = f"chain:{NETWORK}:hot"


def test_an_order_is_paid_from_a_wallet_and_the_books_balance(shop: Shop) -> None:
    session = shop.session("12.30")
    attempt = shop.engine.attempts.choose(session, "sol")
    assert attempt.due.major == "0.061500000"

    shop.engine.observations.observe([shop.observation(attempt.due.atomic, attempt.reference_key)])

    payment = shop.payment(session)
    assert (payment["status"], payment["amount_received"], payment["exceptions"]) == ("paid", "12.30", [])
    assert shop.reload(session.token).status == "complete"
    assert shop.books() == {
        (HOT, "SOL"): ("0.061500000", "0.000000000"),
        ("merchant:available", "SOL"): ("-0.061500000", "0.000000000"),
    }
    assert shop.event_types() == ["checkout.session.completed", "checkout.session.created", "payment.succeeded"]
    assert not shop.db.snapshot(verify).problems


def test_a_transfer_is_announced_pending_and_settles_when_final(shop: Shop) -> None:
    session = shop.session()
    attempt = shop.engine.attempts.choose(session, "sol")
    seen = shop.observation(attempt.due.atomic, attempt.reference_key, stage=TransferStage.CONFIRMED)
    shop.engine.observations.observe([seen, seen])
    assert shop.payment(session)["status"] == "confirming"
    assert shop.books()["merchant:pending", "SOL"] == ("0.000000000", "-0.061500000")

    change = StageChange(
        network=NETWORK, signature=seen.signature, account=seen.account, stage=TransferStage.FINAL, slot=seen.slot
    )
    shop.engine.observations.restage([change, change])
    assert shop.payment(session)["status"] == "paid"
    assert shop.books()["merchant:available", "SOL"] == ("-0.061500000", "0.000000000")
    assert ("merchant:pending", "SOL") not in shop.books()


def test_a_reorg_unconfirms_and_landing_again_pays_once(shop: Shop) -> None:
    session = shop.session()
    attempt = shop.engine.attempts.choose(session, "sol")
    seen = shop.observation(attempt.due.atomic, attempt.reference_key, stage=TransferStage.CONFIRMED, signature=None)
    shop.engine.observations.observe([seen])
    dropped = StageChange(
        network=NETWORK, signature=seen.signature, account=seen.account, stage=TransferStage.DROPPED, slot=seen.slot
    )
    shop.engine.observations.restage([dropped])
    assert shop.payment(session)["status"] == "open"
    assert shop.books() == {}

    again = shop.observation(attempt.due.atomic, attempt.reference_key, signature=seen.signature)
    shop.engine.observations.observe([again, again])
    assert shop.payment(session)["status"] == "paid"
    assert shop.books()["merchant:available", "SOL"] == ("-0.061500000", "0.000000000")


def test_a_reorg_of_settled_money_raises_the_alarm(db: Database) -> None:
    shop = Shop(db, settings=MerchantSettings(accept_confirmed_below={"SOL": lamports("1")}))
    session = shop.session()
    attempt = shop.engine.attempts.choose(session, "sol")
    seen = shop.observation(attempt.due.atomic, attempt.reference_key, stage=TransferStage.CONFIRMED)
    shop.engine.observations.observe([seen])
    assert shop.payment(session)["status"] == "paid"
    shop.engine.observations.restage(
        [
            StageChange(
                network=NETWORK, signature=seen.signature, account=seen.account, stage=TransferStage.DROPPED, slot=1
            )
        ]
    )
    payment = shop.payment(session)
    assert (payment["status"], payment["exceptions"]) == ("open", ["reorg"])
    assert shop.books() == {}
    assert "payment.reversed" in shop.event_types()


def test_an_underpaid_order_waits_in_suspense_and_a_top_up_completes_it(shop: Shop) -> None:
    session = shop.session()
    attempt = shop.engine.attempts.choose(session, "sol")
    shop.engine.observations.observe([shop.observation(lamports("0.06"), attempt.reference_key)])
    page = shop.engine.checkout.page(session.token)
    assert page.payment_status == "underpaid"
    assert page.attempt is not None
    assert page.attempt.rest.major == "0.001500000"
    assert shop.books()["suspense:chain", "SOL"] == ("-0.060000000", "0.000000000")

    shop.engine.observations.observe([shop.observation(page.attempt.rest.atomic, attempt.reference_key)])
    assert shop.payment(session)["status"] == "paid"
    assert shop.books()["merchant:available", "SOL"] == ("-0.061500000", "0.000000000")
    assert ("suspense:chain", "SOL") not in shop.books()


def test_an_overpaid_order_is_paid_and_the_excess_waits(shop: Shop) -> None:
    session = shop.session()
    attempt = shop.engine.attempts.choose(session, "sol")
    shop.engine.observations.observe([shop.observation(lamports("0.1"), attempt.reference_key)])
    payment = shop.payment(session)
    assert (payment["status"], payment["exceptions"], payment["amount_received"]) == ("paid", ["overpaid"], "20.00")
    assert shop.books()["suspense:chain", "SOL"] == ("-0.038500000", "0.000000000")
    page = shop.engine.checkout.page(session.token)
    assert page.attempt is not None
    assert page.attempt.overpaid.major == "0.038500000"


def test_two_full_payments_are_a_double_payment(shop: Shop) -> None:
    session = shop.session()
    attempt = shop.engine.attempts.choose(session, "sol")
    for _ in range(2):
        shop.engine.observations.observe([shop.observation(attempt.due.atomic, attempt.reference_key)])
    assert shop.payment(session)["exceptions"] == ["double_payment", "overpaid"]


def test_half_in_sol_and_half_in_usdc_pays_the_order(shop: Shop) -> None:
    session = shop.session("10.00")
    sol = shop.engine.attempts.choose(session, "sol")
    shop.engine.observations.observe([shop.observation(sol.due.atomic // 2, sol.reference_key)])
    usdc = shop.engine.attempts.choose(session, "usdc")
    request = shop.engine.wallets.request(shop.reload(session.token))
    assert request.due.major == "5.000000"
    shop.engine.observations.observe([shop.observation(request.due.atomic, usdc.reference_key, asset="USDC")])
    assert shop.payment(session)["status"] == "paid"


def test_late_money_is_accepted_at_the_kept_rate(shop: Shop) -> None:
    session = shop.session()
    attempt = shop.engine.attempts.choose(session, "sol")
    shop.pass_time(minutes=40)
    shop.engine.sweep()
    assert shop.payment(session)["status"] == "expired"
    shop.engine.observations.observe([shop.observation(attempt.due.atomic, attempt.reference_key)])
    payment = shop.payment(session)
    assert (payment["status"], payment["exceptions"]) == ("paid", ["late"])
    assert shop.reload(session.token).status == "complete"
    assert "payment.late" in shop.event_types()


def test_late_money_is_owed_back_where_the_merchant_says_so(db: Database) -> None:
    shop = Shop(db, settings=MerchantSettings(late_policy=LatePolicy.REFUND))
    session = shop.session()
    attempt = shop.engine.attempts.choose(session, "sol")
    shop.pass_time(minutes=40)
    shop.engine.sweep()
    shop.engine.observations.observe([shop.observation(attempt.due.atomic, attempt.reference_key)])
    payment = shop.payment(session)
    assert (payment["status"], payment["exceptions"]) == ("expired", ["late"])
    assert shop.books()["refund:payable", "SOL"] == ("-0.061500000", "0.000000000")

    transfer_id = shop.engine.payments.retrieve(shop.owner, session.payment_id)["transfers"][0]["id"]
    shop.engine.unmatched.match(shop.intent(), transfer_id, session.payment_id)
    assert shop.payment(session)["status"] == "paid"
    assert ("refund:payable", "SOL") not in shop.books()


def test_a_payment_expires_only_after_the_scanner_has_passed_the_deadline(shop: Shop) -> None:
    session = shop.session()
    shop.engine.attempts.choose(session, "sol")
    shop.scanned()
    shop.clock.advance(timedelta(minutes=40))
    shop.engine.sweep()
    assert shop.payment(session)["status"] == "open"
    shop.scanned()
    shop.engine.sweep()
    assert shop.payment(session)["status"] == "expired"
    assert "checkout.session.expired" in shop.event_types()


def test_money_after_a_merchant_called_the_order_off_is_owed_back(shop: Shop) -> None:
    session = shop.session()
    attempt = shop.engine.attempts.choose(session, "sol")
    shop.engine.sessions.expire(shop.intent(), session.id)
    shop.pass_time(minutes=5)
    shop.engine.observations.observe([shop.observation(attempt.due.atomic, attempt.reference_key)])
    payment = shop.payment(session)
    assert (payment["status"], payment["exceptions"]) == ("canceled", ["late"])
    assert shop.books()["refund:payable", "SOL"] == ("-0.061500000", "0.000000000")


def test_an_order_in_progress_cannot_be_called_off(shop: Shop) -> None:
    session = shop.session()
    attempt = shop.engine.attempts.choose(session, "sol")
    shop.engine.observations.observe([shop.observation(1, attempt.reference_key, stage=TransferStage.CONFIRMED)])
    with pytest.raises(ConflictError):
        shop.engine.sessions.expire(shop.intent(), session.id)


def test_money_without_a_reference_waits_unmatched_until_staff_match_it(shop: Shop) -> None:
    session = shop.session()
    attempt = shop.engine.attempts.choose(session, "sol")
    shop.engine.observations.observe([shop.observation(attempt.due.atomic)])
    assert shop.payment(session)["status"] == "open"
    assert shop.books()["suspense:chain", "SOL"] == ("-0.061500000", "0.000000000")
    assert "transfer.unmatched" in shop.event_types()

    from gateway.engine.paging import PageRequest

    (waiting,) = shop.engine.unmatched.page(shop.owner, PageRequest(), status="unmatched").data
    assert (waiting["status"], waiting["suggestions"]) == ("unmatched", [session.payment_id])
    shop.engine.unmatched.match(shop.intent(), waiting["id"], session.payment_id)
    assert shop.payment(session)["status"] == "paid"
    assert shop.books()["merchant:available", "SOL"] == ("-0.061500000", "0.000000000")
    assert ("suspense:chain", "SOL") not in shop.books()


def test_the_only_open_payment_of_that_sum_is_paid_where_the_merchant_wants_it(db: Database) -> None:
    shop = Shop(db, settings=MerchantSettings(match_by_exact_amount=True))
    one, other = shop.session("10.00"), shop.session("11.00")
    attempt = shop.engine.attempts.choose(one, "sol")
    shop.engine.attempts.choose(other, "sol")
    shop.engine.observations.observe([shop.observation(attempt.due.atomic)])
    assert [shop.payment(session)["status"] for session in (one, other)] == ["paid", "open"]


def test_two_open_payments_of_that_sum_pay_nobody(db: Database) -> None:
    shop = Shop(db, settings=MerchantSettings(match_by_exact_amount=True))
    sessions = [shop.session("10.00"), shop.session("10.00")]
    attempts = [shop.engine.attempts.choose(session, "sol") for session in sessions]
    shop.engine.observations.observe([shop.observation(attempts[0].due.atomic)])
    assert [shop.payment(session)["status"] for session in sessions] == ["open", "open"]


def test_an_outflow_and_its_fee_are_booked_as_the_merchants_own(shop: Shop) -> None:
    shop.engine.observations.observe([shop.observation(-lamports("1"), fee=5000, parts=())])
    assert shop.books() == {
        (HOT, "SOL"): ("-1.000005000", "0.000000000"),
        ("merchant:withdrawn", "SOL"): ("1.000000000", "0.000000000"),
        ("expense:network_fee", "SOL"): ("0.000005000", "0.000000000"),
    }


def test_a_price_in_the_asset_itself_needs_no_rate(shop: Shop) -> None:
    shop.rates.prices.clear()
    session = shop.session("1.5", "SOL")
    attempt = shop.engine.attempts.choose(session, "sol")
    assert (attempt.due.major, attempt.quote_id) == ("1.500000000", None)


def test_a_method_without_a_rate_is_shown_with_its_reason(shop: Shop) -> None:
    del shop.rates.prices["SOL", "USD"]
    page = shop.engine.checkout.page(shop.session().token)
    assert [(method.id, method.available, method.reason) for method in page.methods] == [
        ("sol", False, "rate_unavailable"),
        ("usdc", True, None),
    ]


def test_the_same_key_and_body_give_the_same_answer(shop: Shop) -> None:
    first = shop.open(reference="order-1", key="k1")
    second = shop.open(reference="order-1", key="k1")
    assert (first.status_code, second.status_code, first.body) == (201, 201, second.body)
    assert (first.is_replay, second.is_replay) == (False, True)


def test_the_same_key_with_another_body_is_refused(shop: Shop) -> None:
    shop.engine.sessions.create(shop.intent("k", "one"), a_session("1.00", "USD", "order-1"))
    with pytest.raises(IdempotencyMismatchError):
        shop.engine.sessions.create(shop.intent("k", "two"), a_session("2.00", "USD", "order-2"))


def test_an_order_with_an_open_session_gets_that_session(shop: Shop) -> None:
    first, second = shop.open(reference="order-1"), shop.open(reference="order-1")
    assert (first.status_code, second.status_code) == (201, 200)
    assert reply_field(first, "id") == reply_field(second, "id")
    shop.engine.sessions.expire(shop.intent(), reply_field(first, "id"))
    assert shop.open(reference="order-1").status_code == 201


def test_a_refused_command_is_not_remembered_and_a_done_one_is(shop: Shop) -> None:
    session = shop.session()
    done = shop.engine.sessions.expire(shop.intent("expire-1"), session.id)
    again = shop.engine.sessions.expire(shop.intent("expire-1"), session.id)
    assert (again.body, again.is_replay) == (done.body, True)
    with pytest.raises(ConflictError):
        shop.engine.sessions.expire(shop.intent("expire-2"), session.id)


def test_a_method_that_the_session_does_not_offer_is_refused(shop: Shop) -> None:
    with pytest.raises(InvalidRequestError):
        shop.engine.attempts.choose(shop.session(), "btc")


def test_a_quote_that_ran_out_is_renewed_at_the_new_rate(shop: Shop) -> None:
    session = shop.session()
    first = shop.engine.attempts.choose(session, "sol")
    assert shop.engine.attempts.choose(session, "sol") == first
    shop.engine.sessions.extend(session)
    shop.clock.advance(timedelta(minutes=35))
    shop.rates.prices["SOL", "USD"] = (100, 1)
    with pytest.raises(ConflictError):
        shop.engine.sessions.extend(session)
    renewed = shop.engine.attempts.choose(shop.reload(session.token), "sol")
    assert renewed.due.major in {"0.061500000", "0.123000000"}


@pytest.mark.parametrize(
    ("days", "status", "account"), [(2, "paid", "merchant:available"), (4, "expired", "refund:payable")]
)
def test_a_kept_rate_is_no_option_for_ever(shop: Shop, days: int, status: str, account: str) -> None:
    session = shop.session()
    attempt = shop.engine.attempts.choose(session, "sol")
    shop.pass_time(days=days)
    shop.engine.sweep()
    shop.engine.observations.observe([shop.observation(attempt.due.atomic, attempt.reference_key)])
    payment = shop.payment(session)
    assert (payment["status"], payment["exceptions"]) == (status, ["late"])
    assert shop.books()[account, "SOL"] == ("-0.061500000", "0.000000000")
    assert shop.engine.checkout.page(session.token).late_policy == ("accept" if status == "paid" else "refund")
