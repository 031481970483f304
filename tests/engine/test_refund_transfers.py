"""Refunds over a chain: reserved at once, signed by the merchant, landed exactly once, and the books with them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from gateway.domain.ports import SignatureState
from gateway.engine.refund_transfers import RefundTransfers
from gateway.kernel.errors import (
    ConflictError,
    DeclinedError,
    ErrorCode,
    GatewayError,
    InvalidRequestError,
    NotFoundError,
    TemporaryError,
    UnknownOutcomeError,
)
from gateway.storage.database import Database
from tests.engine.counter import CONFIRMED, DROPPED, FINAL, RECEIVED, Counter
from tests.engine.paper import NETWORK, Shop, signature_of

MINUTE = timedelta(minutes=1)
RACERS = 8
HOT = f"chain:{NETWORK}:hot"
DECLINED = DeclinedError(ErrorCode.PROVIDER_DECLINED, "Too little balance.")
TEMPORARY = TemporaryError(ErrorCode.PROVIDER_UNAVAILABLE, "The node is busy.")
UNKNOWN = UnknownOutcomeError(ErrorCode.OUTCOME_UNKNOWN, "No answer.")


@pytest.fixture
def counter(fresh: Callable[[], Database]) -> Counter:
    """Return a counter on SQLite, where a test takes a moment."""
    return Counter(Shop(fresh()))


@pytest.fixture
def counter_everywhere(shop: Shop) -> Counter:
    """Return a counter, once on every database."""
    return Counter(shop)


def code_of(attempt: Any, *args: Any, **more: Any) -> str:
    """Return the code that a call is refused with."""
    with pytest.raises(GatewayError) as refusal:
        attempt(*args, **more)
    return refusal.value.code.value


# --- the plain road ----------------------------------------------------------------------------------------------


def test_a_refund_waits_for_a_signature_is_sent_and_counts_when_it_is_final(counter_everywhere: Counter) -> None:
    counter = counter_everywhere
    refund = counter.ask("0.01")
    assert (refund["status"], refund["amount"], refund["currency"]) == ("requires_action", "0.010000000", "SOL")
    assert (refund["destination"], refund["network"]) == ("payer", NETWORK)
    assert counter.payment()["refunds"] == "pending"
    assert counter.books() == {HOT: ("0.06", "-0.01"), "merchant:available": ("-0.06", "0.01")}
    sent = counter.send(refund["id"])
    assert counter.status(refund["id"]) == "pending"
    counter.happen(sent, CONFIRMED)
    assert counter.status(refund["id"]) == "pending"
    assert counter.books() == {HOT: ("0.06", "-0.01"), "merchant:available": ("-0.06", "0.01")}
    counter.happen(sent)
    assert counter.status(refund["id"]) == "succeeded"
    assert counter.books() == {HOT: ("0.05", "0"), "merchant:available": ("-0.05", "0")}
    assert counter.row(refund["id"])["reference"] == sent.signature
    assert counter.operations(refund["id"]) == ["succeeded"]
    assert counter.payment()["refunds"] == "partial"
    assert counter.told(refund["id"]) == ["refund.created", "refund.succeeded"]
    account = f"{counter.shop.wallet}-SOL"
    assert counter.shop.engine.observations.explained(NETWORK, account) == RECEIVED - 10_000_000
    counter.prove()


def test_without_an_amount_all_that_is_left_goes_back_and_no_more(counter: Counter) -> None:
    counter.ask("0.02")
    assert code_of(counter.ask, "0.041") == "amount_too_large"
    rest = counter.ask()
    assert rest["amount"] == "0.040000000"
    assert code_of(counter.ask) == "nothing_to_refund"
    for refund_id in counter.refund_ids:
        counter.happen(counter.send(refund_id))
    assert counter.payment()["refunds"] == "full"
    assert counter.books() == {}
    counter.prove()


def test_what_is_built_names_payer_destination_amount_and_refund(counter: Counter) -> None:
    refund = counter.ask("0.01", destination="another wallet")
    built = counter.build(refund["id"])
    assert built == {
        "object": "refund_transfer", "refund": refund["id"], "network": NETWORK, "payer": counter.shop.wallet,
        "destination": "another wallet", "amount": "0.010000000", "currency": "SOL", "memo": refund["id"],
        "reference_key": counter.row(refund["id"])["reference_key"], "payload": built["payload"],
        "last_valid_height": 150,
    }  # fmt: skip


def test_the_same_key_and_the_same_bytes_are_one_refund(counter: Counter) -> None:
    refund_id = counter.ask()["id"]
    payload = counter.sign(refund_id)
    first = counter.submit(refund_id, payload, key="k")
    assert counter.submit(refund_id, payload, key="k") == first
    assert len(counter.broadcasts(refund_id)) == 1, "a replay asks nobody"
    assert counter.submit(refund_id, payload)["status"] == "pending"
    assert len(counter.broadcasts(refund_id)) == 2, "the same bytes may be sent again"
    assert counter.operations(refund_id) == ["submitted"]
    counter.happen(counter.sent[signature_of(payload)])
    assert counter.submit(refund_id, payload)["status"] == "succeeded"
    assert len(counter.broadcasts(refund_id)) == 2, "nothing is left to send"


# --- exactly once ------------------------------------------------------------------------------------------------


def test_other_bytes_wait_until_the_first_can_no_more_land(counter_everywhere: Counter) -> None:
    counter = counter_everywhere
    refund_id = counter.ask()["id"]
    other = counter.sign(refund_id)
    counter.send(refund_id)
    assert code_of(counter.build, refund_id) == "outcome_unknown"
    assert code_of(counter.submit, refund_id, other) == "outcome_unknown"
    counter.shop.processor.height = 150
    counter.shop.clock.advance(MINUTE)
    counter.shop.engine.sweep()
    assert counter.status(refund_id) == "pending", "at its last height it may still land"
    assert len(counter.broadcasts(refund_id)) == 2, "so it is sent again"
    counter.pass_time(2)
    assert counter.status(refund_id) == "requires_action"
    assert counter.operations(refund_id) == ["rejected"]
    counter.happen(counter.send(refund_id))
    assert counter.status(refund_id) == "succeeded"
    assert counter.operations(refund_id) == ["rejected", "succeeded"]


def test_what_a_fork_takes_back_may_land_again_and_blocks_other_bytes(counter: Counter) -> None:
    refund_id = counter.ask()["id"]
    sent = counter.send(refund_id)
    counter.happen(sent, CONFIRMED)
    counter.drop(sent)
    counter.report(sent)
    assert counter.status(refund_id) == "pending"
    assert code_of(counter.build, refund_id) == "outcome_unknown"
    assert code_of(counter.cancel, refund_id) == "refund_not_cancelable"
    counter.happen(sent)
    assert counter.status(refund_id) == "succeeded"
    assert counter.books() == {}
    counter.prove()


def test_a_final_refund_that_a_fork_takes_back_is_taken_back(counter: Counter) -> None:
    refund_id = counter.ask()["id"]
    sent = counter.send(refund_id)
    counter.happen(sent)
    sent.stage = DROPPED
    counter.shop.processor.states.pop(sent.signature)
    counter.report(sent)
    assert counter.status(refund_id) == "pending"
    assert counter.books() == {HOT: ("0.06", "-0.06"), "merchant:available": ("-0.06", "0.06")}
    assert counter.payment()["refunds"] == "pending"
    counter.pass_time(4)
    assert counter.status(refund_id) == "requires_action"
    counter.prove()


def test_a_transfer_that_failed_is_over_only_when_its_failure_is_final(counter: Counter) -> None:
    refund_id = counter.ask()["id"]
    sent = counter.send(refund_id)
    for stage, status in ((CONFIRMED, "pending"), (FINAL, "requires_action")):
        state = SignatureState(stage=stage, has_failed=True, finalized_height=0)
        counter.shop.processor.states[sent.signature] = state
        counter.shop.clock.advance(MINUTE)
        counter.shop.engine.sweep()
        assert counter.status(refund_id) == status


def test_what_the_chain_knows_is_never_given_up_because_the_monitor_lags(counter: Counter) -> None:
    refund_id = counter.ask()["id"]
    sent = counter.send(refund_id)
    counter.land(sent, FINAL)
    counter.pass_time(120)
    assert counter.status(refund_id) == "pending", "it landed; only nobody has read it yet"
    counter.report(sent)
    assert counter.status(refund_id) == "succeeded"


@pytest.mark.parametrize("failure", [DECLINED, TEMPORARY], ids=["declined", "temporary"])
def test_a_first_refusal_sends_nothing_and_the_merchant_may_sign_again(counter: Counter, failure: Exception) -> None:
    refund_id = counter.ask()["id"]
    payload = counter.sign(refund_id)
    counter.shop.processor.failure = failure
    with pytest.raises(type(failure)):
        counter.submit(refund_id, payload, key="k")
    assert (counter.status(refund_id), counter.operations(refund_id)) == ("requires_action", ["rejected"])
    counter.shop.processor.failure = None
    assert counter.submit(refund_id, payload, key="k")["status"] == "pending", "the same bytes and key, once more"
    assert counter.operations(refund_id) == ["submitted"]


def test_an_unknown_outcome_stays_pending_and_the_same_bytes_are_sent_again(counter: Counter) -> None:
    refund_id = counter.ask()["id"]
    counter.shop.processor.failure = UNKNOWN
    sent = counter.send(refund_id)
    assert counter.status(refund_id) == "pending"
    assert counter.payment()["exceptions"] == ["unknown_operation"]
    counter.shop.processor.failure = None
    counter.shop.clock.advance(MINUTE)
    counter.shop.engine.sweep()
    assert len(set(counter.broadcasts(refund_id))) == 1
    assert len(counter.broadcasts(refund_id)) == 2
    counter.happen(sent)
    assert (counter.status(refund_id), counter.payment()["exceptions"]) == ("succeeded", [])


def test_a_crash_between_commit_and_sending_loses_nothing(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    refund_id = counter.ask()["id"]
    payload = counter.sign(refund_id)

    class CrashError(BaseException):
        pass

    def crash(*_: object, **__: object) -> None:
        raise CrashError

    with monkeypatch.context() as patched:
        patched.setattr(RefundTransfers, "_send", crash)
        with pytest.raises(CrashError):
            counter.submit(refund_id, payload)
    assert (counter.status(refund_id), counter.broadcasts(refund_id)) == ("pending", [])
    counter.shop.clock.advance(MINUTE)
    counter.shop.engine.sweep()
    assert counter.broadcasts(refund_id) == [payload]


def test_of_racing_signatures_one_is_sent(counter_everywhere: Counter) -> None:
    counter = counter_everywhere
    refund_id = counter.ask()["id"]
    signed = [counter.sign(refund_id) for _ in range(RACERS)]

    def hand_in(payload: str) -> str:
        try:
            return str(counter.submit(refund_id, payload)["status"])
        except ConflictError as error:
            return error.code.value

    with ThreadPoolExecutor(RACERS) as pool:
        assert sorted(pool.map(hand_in, signed)) == ["outcome_unknown"] * (RACERS - 1) + ["pending"]
    assert len(counter.broadcasts(refund_id)) == 1


def test_racing_refunds_never_take_more_than_came(counter_everywhere: Counter) -> None:
    counter = counter_everywhere

    def ask(_: int) -> bool:
        try:
            counter.ask("0.01")
        except (ConflictError, InvalidRequestError):
            return False
        return True

    with ThreadPoolExecutor(RACERS) as pool:
        assert sum(pool.map(ask, range(2 * RACERS))) == 6
    assert code_of(counter.ask) == "nothing_to_refund"


# --- what the merchant sends by himself --------------------------------------------------------------------------


def test_a_transfer_of_another_tool_with_the_refunds_id_and_amount_counts_too(counter: Counter) -> None:
    refund_id = counter.ask("0.01")["id"]
    sent = counter.send_alone(refund_id)
    counter.happen(sent, CONFIRMED)
    assert counter.status(refund_id) == "pending"
    assert code_of(counter.build, refund_id) == "outcome_unknown"
    counter.happen(sent)
    assert counter.status(refund_id) == "succeeded"
    assert counter.books() == {HOT: ("0.05", "0"), "merchant:available": ("-0.05", "0")}
    counter.prove()


def test_a_dropped_transfer_of_another_tool_is_waited_for_and_then_given_up(counter_everywhere: Counter) -> None:
    counter = counter_everywhere
    refund_id = counter.ask()["id"]
    sent = counter.send_alone(refund_id)
    counter.happen(sent, CONFIRMED)
    counter.drop(sent)
    counter.report(sent)
    counter.pass_time(10)
    assert counter.status(refund_id) == "pending", "nobody knows how long its bytes live"
    counter.pass_time(12)
    assert counter.status(refund_id) == "requires_action"


def test_a_wrong_amount_pays_no_refund(counter: Counter) -> None:
    refund_id = counter.ask("0.01")["id"]
    counter.happen(counter.send_alone(refund_id, 9_999_999))
    assert counter.status(refund_id) == "requires_action"
    assert counter.books()["merchant:withdrawn"] == ("0.009999999", "0")
    counter.prove()


def test_the_second_of_two_transfers_is_money_that_the_merchant_moved(counter: Counter) -> None:
    refund_id = counter.ask("0.01")["id"]
    counter.happen(counter.send_alone(refund_id))
    counter.happen(counter.send_alone(refund_id))
    assert counter.status(refund_id) == "succeeded"
    assert counter.books() == {
        HOT: ("0.04", "0"), "merchant:available": ("-0.05", "0"), "merchant:withdrawn": ("0.01", "0"),
    }  # fmt: skip
    counter.prove()


def test_when_a_fork_drops_the_one_that_counted_the_other_one_counts(counter_everywhere: Counter) -> None:
    counter = counter_everywhere
    refund_id = counter.ask("0.01")["id"]
    first, second = counter.send_alone(refund_id), counter.send_alone(refund_id)
    counter.happen(first, CONFIRMED)
    counter.happen(second, CONFIRMED)
    counter.drop(first)
    counter.report(first)
    counter.happen(second)
    assert counter.row(refund_id)["reference"] == second.signature
    assert counter.books() == {HOT: ("0.05", "0"), "merchant:available": ("-0.05", "0")}
    counter.happen(first)
    assert counter.row(refund_id)["reference"] in {first.signature, second.signature}
    assert counter.books()[HOT] == ("0.04", "0")
    assert counter.books()["merchant:withdrawn"] == ("0.01", "0")
    counter.prove()


def test_an_outflow_that_names_two_refunds_pays_neither(counter: Counter) -> None:
    first, second = counter.ask("0.01")["id"], counter.ask("0.01")["id"]
    observed = counter.shop.observation(-10_000_000, parts=(), memo=f"{first}; {second}")
    counter.shop.engine.observations.observe([observed])
    assert {counter.status(first), counter.status(second)} == {"requires_action"}
    assert counter.books()["merchant:withdrawn"] == ("0.01", "0")


def test_money_that_comes_in_never_pays_a_refund(counter: Counter) -> None:
    refund_id = counter.ask("0.01")["id"]
    counter.shop.engine.observations.observe([counter.shop.observation(10_000_000, memo=refund_id)])
    assert counter.status(refund_id) == "requires_action"


def test_a_strangers_outflow_pays_no_refund_of_mine(counter: Counter) -> None:
    refund_id = counter.ask("0.01")["id"]
    stranger = Shop(counter.shop.db)
    stranger.engine.observations.observe([stranger.observation(-10_000_000, parts=(), memo=refund_id)])
    assert counter.status(refund_id) == "requires_action"


def test_the_payers_new_account_and_the_network_fee_are_expenses(counter: Counter) -> None:
    """A USDC refund is signed by the wallet that also holds SOL: fee and rent leave it there."""
    session = counter.shop.session("10.00")
    counter.shop.engine.attempts.choose(session, "usdc")
    attempt = counter.shop.engine.checkout.page(session.token).attempt
    assert attempt is not None
    paid = counter.shop.observation(attempt.due.atomic, attempt.reference_key, asset="USDC")
    counter.shop.engine.observations.observe([paid])
    refund_id = counter.ask(payment_id=session.payment_id)["id"]
    both = {"signature": f"sig-{refund_id}", "parts": (), "memo": refund_id}
    counter.shop.engine.observations.observe(
        [
            counter.shop.observation(-2_039_280, fee=5000, **both),
            counter.shop.observation(-attempt.due.atomic, asset="USDC", **both),
        ]
    )
    assert counter.status(refund_id) == "succeeded"
    assert counter.books()["expense:network_fee"] == ("0.00204428", "0")
    assert not [code for code in counter.shop.books() if "withdrawn" in code[0] or code[1] == "USDC"]
    counter.prove()


# --- what may go back, and where to ------------------------------------------------------------------------------


def test_underpaid_money_can_go_back(counter: Counter) -> None:
    counter.session = counter.receive(20_000_000)
    assert counter.payment()["status"] == "underpaid"
    refund_id = counter.ask()["id"]
    assert counter.books()["suspense:chain"] == ("-0.02", "0.02")
    counter.happen(counter.send(refund_id))
    assert "suspense:chain" not in counter.books()
    counter.prove()


def test_of_overpaid_money_the_excess_goes_back_first(counter: Counter) -> None:
    counter.session = counter.receive(100_000_000)
    assert counter.payment()["exceptions"] == ["overpaid"]
    counter.happen(counter.send(counter.ask("0.04")["id"]))
    assert counter.books() == {HOT: ("0.12", "0"), "merchant:available": ("-0.12", "0")}
    counter.prove()


def test_late_money_that_was_owed_back_can_go_back(counter: Counter) -> None:
    session = counter.shop.session("12.00")
    counter.shop.engine.attempts.choose(session, "sol")
    attempt = counter.shop.engine.checkout.page(session.token).attempt
    assert attempt is not None
    counter.shop.engine.sessions.expire(counter.shop.intent(), session.id)
    counter.shop.pass_time(minutes=40)
    counter.shop.engine.observations.observe([counter.shop.observation(RECEIVED, attempt.reference_key)])
    assert counter.books()["refund:payable"] == ("-0.06", "0")
    counter.session = session
    counter.happen(counter.send(counter.ask()["id"]))
    assert "refund:payable" not in counter.books()
    assert counter.payment()["status"] == "canceled"
    counter.prove()


def test_one_of_two_receipts_may_be_named(counter: Counter) -> None:
    session = counter.session = counter.receive(20_000_000)
    attempt = counter.shop.engine.checkout.page(session.token).attempt
    assert attempt is not None
    counter.shop.engine.observations.observe([counter.shop.observation(40_000_000, attempt.reference_key)])
    small, large = (one["id"] for one in counter.payment()["transfers"])
    assert counter.ask("0.001")["source"] == large, "the one with most left"
    named = counter.ask(source=small)
    assert (named["source"], named["amount"]) == (small, "0.020000000")
    assert code_of(counter.ask, source=small) == "nothing_to_refund"
    assert code_of(counter.ask, source="xfer_0") == "parameter_invalid"


@pytest.mark.parametrize("payer", [None, "vault of many"], ids=["unknown", "no single key"])
def test_money_whose_payer_cannot_be_told_needs_a_destination(counter: Counter, payer: str | None) -> None:
    session = counter.session = counter.shop.session("12.00")
    counter.shop.engine.attempts.choose(session, "sol")
    attempt = counter.shop.engine.checkout.page(session.token).attempt
    assert attempt is not None
    paid = counter.shop.observation(RECEIVED, attempt.reference_key, payer=payer)
    counter.shop.engine.observations.observe([paid])
    assert code_of(counter.ask) == "destination_required"
    assert counter.ask(destination="vault of many")["destination"] == "vault of many", (
        "named, it is the merchant's word"
    )


def test_nobody_refunds_himself(counter: Counter) -> None:
    assert code_of(counter.ask, destination=counter.shop.wallet) == "wallet_address_invalid"
    assert counter.payment()["refunds"] == "none"


def test_only_a_wallet_whose_outflows_are_seen_may_pay(counter: Counter) -> None:
    refund_id = counter.ask()["id"]
    with pytest.raises(InvalidRequestError) as refusal:
        counter.build(refund_id, payer="a cold wallet")
    assert refusal.value.param == "/payer"
    assert code_of(counter.submit, refund_id, f"stranger sends everything for {refund_id}") == "wallet_address_invalid"
    assert code_of(counter.submit, refund_id, f"{counter.shop.wallet} sends nothing") == "wallet_payload_refused"
    counter.shop.engine.merchants.set_wallet(counter.shop.owner, "solana", f"new-{counter.shop.wallet}")
    assert counter.build(refund_id)["payer"] == counter.shop.wallet, "where the money came"
    assert counter.build(refund_id, payer=f"new-{counter.shop.wallet}")["payer"] == f"new-{counter.shop.wallet}"


def test_a_strangers_refund_does_not_exist(counter: Counter) -> None:
    refund_id = counter.ask()["id"]
    stranger = Counter(Shop(counter.shop.db))
    for verb in (stranger.build, stranger.cancel):
        with pytest.raises(NotFoundError):
            verb(refund_id)
    with pytest.raises(NotFoundError):
        stranger.shop.engine.refund_transfers.submit(stranger.shop.intent(), refund_id, "bytes")


# --- calling it off ----------------------------------------------------------------------------------------------


def test_a_refund_that_waits_can_be_called_off_and_its_amount_is_free_again(counter: Counter) -> None:
    refund_id = counter.ask()["id"]
    assert counter.cancel(refund_id)["status"] == "canceled"
    assert counter.books() == {HOT: ("0.06", "0"), "merchant:available": ("-0.06", "0")}
    assert counter.told(refund_id) == ["refund.created", "refund.canceled"]
    assert code_of(counter.build, refund_id) == "refund_not_sendable"
    assert code_of(counter.cancel, refund_id) == "refund_not_cancelable"
    assert counter.ask()["amount"] == "0.060000000"


def test_a_refund_on_its_way_cannot_be_called_off(counter: Counter) -> None:
    refund_id = counter.ask()["id"]
    sent = counter.send(refund_id)
    with pytest.raises(ConflictError):
        counter.cancel(refund_id)
    counter.happen(sent)
    assert code_of(counter.cancel, refund_id) == "refund_not_cancelable"


def test_a_refund_that_was_called_off_but_paid_after_all_counts_if_it_still_fits(counter: Counter) -> None:
    refund_id = counter.ask("0.01")["id"]
    late = counter.send_alone(refund_id)
    counter.cancel(refund_id)
    counter.happen(late)
    assert counter.status(refund_id) == "succeeded"
    assert counter.told(refund_id) == ["refund.created", "refund.canceled", "refund.succeeded"]
    assert counter.books() == {HOT: ("0.05", "0"), "merchant:available": ("-0.05", "0")}
    counter.prove()


def test_a_refund_that_was_called_off_and_given_otherwise_never_counts_twice(counter_everywhere: Counter) -> None:
    counter = counter_everywhere
    refund_id = counter.ask()["id"]
    late = counter.send_alone(refund_id)
    counter.cancel(refund_id)
    counter.happen(counter.send(counter.ask()["id"]))
    for stage in (CONFIRMED, FINAL):
        counter.happen(late, stage)
        assert counter.status(refund_id) == "canceled"
    assert counter.books() == {HOT: ("-0.06", "0"), "merchant:withdrawn": ("0.06", "0")}
    counter.prove()
