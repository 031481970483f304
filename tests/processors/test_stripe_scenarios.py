"""Card life against the Test Bank: what each pitfall of Stripe's does to us; docs/stripe.md has their numbers."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from gateway.domain.declines import Decline, ProviderDeclinedError
from gateway.domain.provider import Command, ProviderSnapshot
from gateway.domain.words import AttemptStage, CaptureMethod, ChargeStatus, DisputeStatus, RefundStatus, SessionMode
from gateway.kernel.errors import (
    ConflictError,
    GatewayError,
    RepeatedFailureError,
    TemporaryError,
    UnknownOutcomeError,
)
from gateway.kernel.money import Money
from gateway.processors.stripe import StripeConfig, StripeProcessor, wire
from tests.processors.stripe_stage import (
    QUICK_TIMEOUT_S,
    BankStage,
    a_bank_stage,
    a_command,
    a_refund,
    a_registration,
    calls_during,
    charge_command,
    charge_of,
)

PRICE = Money(10_000, "EUR")
HELD = {"capture_method": CaptureMethod.MANUAL}


@pytest.fixture
def bank() -> Iterator[BankStage]:
    with a_bank_stage() as stage:
        yield stage


def eur(cents: int) -> Money:
    return Money(cents, "EUR")


# --- unknown outcomes (pitfalls 10, 12, 13) --------------------------------------------------------------------------

# How a fault that strikes twice ends. A reply that is lost once is mended by our own second try, and so is a lost
# one that the bank replays; a stored 500 is replayed for ever, so that key is used up.
FAULTS: dict[str, type[GatewayError] | None] = {
    "timeout_before": UnknownOutcomeError,
    "timeout_after": UnknownOutcomeError,
    "drop_before": UnknownOutcomeError,
    "drop_after": None,
    "500_before": UnknownOutcomeError,
    "500_after": RepeatedFailureError,
    "429": TemporaryError,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """A command: what it needs, how it is sent, and how often its effect is there."""

    path: str
    prepare: Callable[[BankStage], Any]
    send: Callable[[BankStage, Any], object]
    effects: Callable[[BankStage, Any], int]


def _held(bank: BankStage) -> Command:
    return charge_command(bank.paid(PRICE, **HELD))


def _is(bank: BankStage, order: Command, *wanted: AttemptStage | ChargeStatus) -> int:
    snapshot = bank.read(order.reference)
    found = {snapshot.stage} | ({snapshot.charge.status} if snapshot.charge else set())
    return int(found >= set(wanted))


VERBS = {
    "register": Verb(
        path="POST /v1/checkout/sessions",
        prepare=lambda _: a_registration(PRICE),
        send=lambda bank, order: bank.processor.register(order),
        effects=lambda bank, _: bank.count("checkout.session"),
    ),
    "refund": Verb(
        path="POST /v1/refunds",
        prepare=lambda bank: a_refund(bank.paid(PRICE), eur(1_000)),
        send=lambda bank, order: bank.processor.refund(order),
        effects=lambda bank, _: bank.count("refund"),
    ),
    "capture": Verb(
        path="POST /v1/payment_intents/{id}/capture",
        prepare=_held,
        send=lambda bank, order: bank.processor.capture(order, PRICE, is_final=True),
        effects=lambda bank, order: _is(bank, order, ChargeStatus.SUCCEEDED),
    ),
    "void": Verb(
        path="POST /v1/payment_intents/{id}/cancel",
        prepare=_held,
        send=lambda bank, order: bank.processor.void(order),
        effects=lambda bank, order: _is(bank, order, ChargeStatus.CANCELED),
    ),
    "expire": Verb(
        path="POST /v1/checkout/sessions/{id}/expire",
        prepare=lambda bank: a_command(bank.open(PRICE)),
        send=lambda bank, order: bank.processor.expire(order),
        effects=lambda bank, order: _is(bank, order, AttemptStage.EXPIRED),
    ),
}


@pytest.fixture
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make processors that are built from here on wait for a moment only."""
    monkeypatch.setattr(wire, "READ_TIMEOUT_S", QUICK_TIMEOUT_S)


def ending_of(send: Callable[[], object]) -> type[GatewayError] | None:
    try:
        send()
    except GatewayError as failure:
        return type(failure)
    return None


def insist(send: Callable[[], object]) -> None:
    """Send until the outcome is known, as the janitor does: the bank may still be at work under the key."""
    for _ in range(100):
        if ending_of(send) is None:
            return
        time.sleep(0.02)
    raise AssertionError("the bank is at work for ever")


@pytest.mark.usefixtures("impatience")
@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("name", VERBS)
def test_pitfall_12_a_fault_is_unknown_and_the_same_key_again_has_one_effect(name: str, kind: str) -> None:
    verb = VERBS[name]
    with a_bank_stage() as bank:
        order = verb.prepare(bank)
        bank.fault(kind, verb.path, times=2)
        assert ending_of(lambda: verb.send(bank, order)) is FAULTS[kind]
        assert verb.effects(bank, order) == int(kind.endswith("_after"))
        bank.control("faults/clear")
        if kind == "500_after":
            assert ending_of(lambda: verb.send(bank, order)) is RepeatedFailureError
        else:
            insist(lambda: verb.send(bank, order))
        assert verb.effects(bank, order) == 1


@pytest.mark.usefixtures("impatience")
@pytest.mark.parametrize("kind", FAULTS)
def test_pitfall_13_a_lost_registration_is_found_by_list_and_its_absence_is_certain(kind: str) -> None:
    with a_bank_stage() as bank:
        registration = a_registration(PRICE)
        bank.fault(kind, "POST /v1/checkout/sessions", times=2)
        ending_of(lambda: bank.processor.register(registration))
        found = bank.processor.find_registration(registration)
        assert (found is not None) == kind.endswith("_after")
        if found is not None:
            assert (found.stage, found.attempt_id) == (AttemptStage.OPEN, registration.attempt_id)
            assert found.url is not None


@pytest.mark.usefixtures("impatience")
@pytest.mark.parametrize("kind", ["timeout_after", "500_after"])
def test_a_lost_refund_is_found(kind: str) -> None:
    with a_bank_stage() as bank:
        order = a_refund(bank.paid(PRICE), eur(1_000))
        bank.fault(kind, "POST /v1/refunds", times=2)
        with pytest.raises(UnknownOutcomeError):
            bank.processor.refund(order)
        found = bank.processor.find_refund(order)
    assert found is not None
    assert (found.operation_id, found.amount, found.status) == (order.operation_id, eur(1_000), RefundStatus.SUCCEEDED)


def test_one_dropped_answer_is_mended_at_once(bank: BankStage) -> None:
    for kind in ("drop_before", "drop_after", "500_before"):
        before = bank.count("checkout.session")
        bank.fault(kind, "POST /v1/checkout/sessions")
        assert bank.open(PRICE).url is not None
        assert bank.count("checkout.session") == before + 1


def test_pitfall_10_another_body_under_a_used_key_is_never_executed(bank: BankStage) -> None:
    registration = a_registration(PRICE)
    bank.processor.register(registration)
    changed = a_registration(eur(20_000), operation_id=registration.operation_id)
    with pytest.raises(RepeatedFailureError):
        bank.processor.register(changed)
    assert bank.count("checkout.session") == 1


def test_pitfall_11_a_second_attempt_has_a_key_of_its_own(bank: BankStage) -> None:
    first = a_registration(PRICE)
    second = a_registration(PRICE, payment_id=first.payment_id)
    assert bank.processor.register(first).reference != bank.processor.register(second).reference


def test_a_registration_among_hundreds_is_found_page_by_page(bank: BankStage) -> None:
    ours = a_registration(PRICE)
    bank.processor.register(ours)
    for _ in range(120):
        bank.open(PRICE)
    found = bank.processor.find_registration(ours)
    assert found is not None
    assert found.attempt_id == ours.attempt_id


def test_a_list_that_is_too_long_to_read_is_no_proof_of_absence(
    bank: BankStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.processors.stripe.processor._MAX_SESSION_PAGES", 1)
    for _ in range(101):
        bank.open(PRICE)
    with pytest.raises(TemporaryError):
        bank.processor.find_registration(a_registration(PRICE))


# --- pages (pitfalls 2, 15, 16, 18, 30) ------------------------------------------------------------------------------


def test_pitfall_2_complete_and_unpaid_is_processing_and_never_terminal(bank: BankStage) -> None:
    page = bank.open(PRICE)
    bank.bank.pay_by_bank(page.reference, outcome="succeed")
    waiting = bank.read(page.reference)
    assert (waiting.stage, charge_of(waiting).status) == (AttemptStage.COMPLETE, ChargeStatus.PROCESSING)
    assert charge_of(waiting).authorized_at is not None
    bank.control("clock/advance", seconds=10 * 86_400)
    settled = charge_of(bank.read(page.reference))
    assert (settled.status, settled.captured) == (ChargeStatus.SUCCEEDED, PRICE)
    assert settled.authorized_at == charge_of(waiting).authorized_at


def test_pitfall_16_expire_that_loses_the_race_is_a_conflict_and_the_next_read_says_paid(bank: BankStage) -> None:
    page = bank.open(PRICE)
    bank.pay(page.reference)
    with pytest.raises(ConflictError):
        bank.processor.expire(a_command(page))
    assert charge_of(bank.read(page.reference)).captured == PRICE


def test_pitfall_18_there_is_an_address_only_while_the_page_is_open(bank: BankStage) -> None:
    page = bank.open(PRICE)
    assert page.url == bank.read(page.reference).url is not None
    bank.pay(page.reference)
    assert bank.read(page.reference).url is None


def test_a_page_expires_by_itself(bank: BankStage) -> None:
    page = bank.open(PRICE)
    assert page.expires_at is not None
    bank.control("clock/advance", seconds=2 * 3_600)
    assert bank.read(page.reference).stage is AttemptStage.EXPIRED


def test_a_challenge_leads_on_or_back_to_the_page(bank: BankStage) -> None:
    page = bank.open(PRICE)
    challenge = bank.pay(page.reference, "4000000000003220")
    assert challenge.redirect_url is not None
    waiting = bank.read(page.reference)
    assert (waiting.stage, charge_of(waiting).status) == (AttemptStage.OPEN, ChargeStatus.REQUIRES_ACTION)
    bank.bank.answer_challenge(challenge.redirect_url.rpartition("/")[2], passed=False)
    failed = charge_of(bank.read(page.reference))
    assert (failed.status, failed.decline) == (ChargeStatus.OPEN, Decline.AUTHENTICATION_FAILED)
    again = bank.pay(page.reference, "4000000000003220")
    assert again.redirect_url is not None
    bank.bank.answer_challenge(again.redirect_url.rpartition("/")[2], passed=True)
    assert charge_of(bank.read(page.reference)).status is ChargeStatus.SUCCEEDED


@pytest.mark.parametrize(
    ("card", "word", "decline"),
    [
        ("4000000000000002", "generic_decline", Decline.CARD_REFUSED),
        ("4000000000009995", "insufficient_funds", Decline.INSUFFICIENT_FUNDS),
        ("4000000000009987", "lost_card", Decline.CARD_LOST_OR_STOLEN),
        ("4000000000000069", "expired_card", Decline.CARD_EXPIRED),
        ("4000000000000127", "incorrect_cvc", Decline.DETAILS_INCORRECT),
        ("4000000000000119", "processing_error", Decline.PROCESSING_ERROR),
        ("4100000000000019", "fraudulent", Decline.FRAUD_SUSPECTED),
    ],
)
def test_a_refusal_keeps_stripes_word_and_ours(bank: BankStage, card: str, word: str, decline: Decline) -> None:
    page = bank.open(PRICE)
    bank.pay(page.reference, card)
    found = charge_of(bank.read(page.reference))
    assert (found.failure_code, found.decline, found.status) == (word, decline, ChargeStatus.OPEN)


def test_a_page_that_only_saves_a_card_charges_nothing(bank: BankStage) -> None:
    page = bank.open(PRICE, mode=SessionMode.SETUP)
    bank.pay(page.reference)
    page_read = bank.read(page.reference)
    assert (page_read.stage, page_read.charge, page_read.total) == (AttemptStage.COMPLETE, None, None)
    assert page_read.saved is not None
    assert (page_read.saved.instrument.type, page_read.saved.instrument.last4) == ("card", "4242")


def test_only_a_page_that_saves_a_card_asks_for_setup_intents(bank: BankStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A restricted key that may not read them still serves every payment."""
    for mode, asks in ((SessionMode.SETUP, [True]), (SessionMode.PAYMENT, [])):
        page = bank.open(PRICE, mode=mode)
        bank.pay(page.reference)
        calls = calls_during(bank, partial(bank.read, page.reference), monkeypatch)
        assert ["/setup_intents/" in call for call in calls if "/checkout/sessions/" not in call] == asks


def test_risk_and_card_are_read(bank: BankStage) -> None:
    found = charge_of(bank.paid(PRICE, card="4000000000009235"))
    assert found.risk_level == "elevated"
    assert found.instrument is not None
    assert (found.instrument.type, found.instrument.brand, found.instrument.last4) == ("card", "visa", "9235")


# --- refunds (pitfalls 20, 21, 22) -----------------------------------------------------------------------------------


def test_pitfall_20_a_refund_that_fails_weeks_later_is_still_read(
    bank: BankStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The charge's refunded amount falls back to nothing, so it alone would hide the refund."""
    snapshot = bank.paid(PRICE, card="4000000000005126")
    refund = bank.processor.refund(a_refund(snapshot, PRICE))
    assert refund.status is RefundStatus.SUCCEEDED
    bank.control("clock/advance", seconds=20 * 86_400)
    found: list[ProviderSnapshot] = []
    calls = calls_during(bank, lambda: found.append(bank.read(snapshot.reference)), monkeypatch)
    (failed,) = found[0].refunds
    assert (failed.status, failed.reference, failed.amount) == (RefundStatus.FAILED, refund.reference, PRICE)
    assert failed.failure_code == "expired_or_canceled_card"
    assert len(calls) == 2
    assert sum(line.amount.atomic for line in found[0].lines) == PRICE.atomic


def test_a_pending_refund_succeeds_later(bank: BankStage) -> None:
    snapshot = bank.paid(PRICE, card="4000000000007726")
    assert bank.processor.refund(a_refund(snapshot, PRICE)).status is RefundStatus.PENDING
    bank.control("clock/advance", seconds=86_400)
    assert [one.status for one in bank.read(snapshot.reference).refunds] == [RefundStatus.SUCCEEDED]


def test_pitfall_21_every_refund_is_listed_not_only_the_last(bank: BankStage) -> None:
    snapshot = bank.paid(PRICE)
    orders = [a_refund(snapshot, eur(100)) for _ in range(12)]
    for order in orders:
        bank.processor.refund(order)
    found = bank.read(snapshot.reference).refunds
    assert {one.operation_id for one in found} == {order.operation_id for order in orders}
    assert len(found) == 12


def test_pitfall_22_what_was_refunded_in_full_is_refused_with_its_reason(bank: BankStage) -> None:
    snapshot = bank.paid(PRICE)
    bank.processor.refund(a_refund(snapshot, PRICE))
    with pytest.raises(ProviderDeclinedError) as refusal:
        bank.processor.refund(a_refund(snapshot, eur(1)))
    assert refusal.value.decline is Decline.REFUNDED_ALREADY


def test_a_refund_too_large_is_refused_for_its_amount(bank: BankStage) -> None:
    with pytest.raises(ProviderDeclinedError) as refusal:
        bank.processor.refund(a_refund(bank.paid(PRICE), eur(10_001)))
    assert refusal.value.decline is Decline.AMOUNT_REFUSED


def test_a_reason_of_ours_that_stripe_does_not_know_is_left_out(bank: BankStage) -> None:
    snapshot = bank.paid(PRICE)
    for reason, told in (("wrong size", None), (None, None), ("duplicate", "duplicate")):
        assert bank.processor.refund(a_refund(snapshot, eur(100), reason=reason)).reason == told


def test_a_refund_made_in_stripes_dashboard_is_read_without_an_operation(bank: BankStage) -> None:
    snapshot = bank.paid(PRICE)
    charge = charge_of(snapshot).reference
    bank.processor._apis[False].post("/v1/refunds", key="dashboard", params={"payment_intent": charge, "amount": 100})
    (found,) = bank.read(snapshot.reference).refunds
    assert (found.operation_id, found.amount) == (None, eur(100))


# --- disputes (pitfall 23) -------------------------------------------------------------------------------------------


def disputed(bank: BankStage, kind: str) -> tuple[ProviderSnapshot, str]:
    snapshot = bank.paid(PRICE)
    opened = bank.control("disputes", charge=bank.charge_id(charge_of(snapshot).reference), kind=kind)
    return bank.read(snapshot.reference), opened["id"]


def test_pitfall_23_a_dispute_takes_the_money_and_a_fee_at_once(bank: BankStage) -> None:
    snapshot, _ = disputed(bank, "dispute")
    (found,) = snapshot.disputes
    assert (found.status, found.withdrawn, found.reinstated) == (DisputeStatus.NEEDS_RESPONSE, PRICE, eur(0))
    assert (found.amount, found.reason) == (PRICE, "fraudulent")
    assert found.evidence_due_by is not None
    assert not charge_of(snapshot).is_refundable
    line = next(line for line in snapshot.lines if line.amount.atomic < 0)
    assert (line.source, line.net) == (charge_of(snapshot).reference, line.amount - line.fee)
    assert line.fee > eur(0)


def test_pitfall_23_a_refund_during_a_dispute_is_refused(bank: BankStage) -> None:
    snapshot, _ = disputed(bank, "dispute")
    with pytest.raises(ProviderDeclinedError) as refusal:
        bank.processor.refund(a_refund(snapshot, PRICE))
    assert refusal.value.decline is Decline.CHARGE_DISPUTED


def test_pitfall_23_an_inquiry_takes_nothing(bank: BankStage) -> None:
    snapshot, _ = disputed(bank, "inquiry")
    (found,) = snapshot.disputes
    assert (found.status, found.withdrawn) == (DisputeStatus.INQUIRY, eur(0))


@pytest.mark.parametrize(
    ("outcome", "status", "reinstated"), [("won", DisputeStatus.WON, 10_000), ("lost", DisputeStatus.LOST, 0)]
)
def test_pitfall_23_a_dispute_ends(bank: BankStage, outcome: str, status: DisputeStatus, reinstated: int) -> None:
    snapshot, identifier = disputed(bank, "dispute")
    bank.control(f"disputes/{identifier}/close", outcome=outcome)
    (found,) = bank.read(snapshot.reference).disputes
    assert (found.status, found.withdrawn, found.reinstated) == (status, PRICE, eur(reinstated))


# --- the account (pitfalls 24, 25) -----------------------------------------------------------------------------------


def test_pitfall_25_the_fee_comes_with_the_balance_line_when_stripe_has_booked_it(bank: BankStage) -> None:
    snapshot = bank.paid(PRICE)
    bank.control("clock/advance", seconds=60)
    (line,) = bank.read(snapshot.reference).lines
    assert (line.type, line.amount, line.net) == ("charge", PRICE, PRICE - line.fee)
    assert line.fee == eur(320)
    assert (line.source, line.payout) == (charge_of(snapshot).reference, None)


def test_pitfall_24_a_payout_lists_its_lines_only_when_it_is_reconciled(bank: BankStage) -> None:
    kept, returned = bank.paid(PRICE), bank.paid(PRICE)
    bank.processor.refund(a_refund(returned, eur(2_500)))
    bank.control("clock/advance", seconds=9 * 86_400)
    (payout,) = bank.processor.payouts(livemode=False, since=datetime.now(UTC) - timedelta(days=1))
    assert (payout.is_automatic, payout.is_reconciled) == (True, True)
    lines = bank.processor.payout_lines(payout.reference, livemode=False)
    assert sum(line.net.atomic for line in lines) == payout.amount.atomic
    assert {line.payout for line in lines} == {payout.reference}
    assert sorted((line.type, line.source) for line in lines) == sorted(
        [
            ("charge", charge_of(kept).reference),
            ("charge", charge_of(returned).reference),
            ("refund", charge_of(returned).reference),
        ]
    )


def test_pitfall_24_before_that_it_is_too_early_to_ask(bank: BankStage) -> None:
    bank.paid(PRICE)
    for _ in range(10 * 48):
        bank.control("clock/advance", seconds=1_800)
        listed = bank.processor.payouts(livemode=False, since=datetime.now(UTC) - timedelta(days=1))
        if listed:
            break
    (payout,) = listed
    assert not payout.is_reconciled
    with pytest.raises(TemporaryError):
        bank.processor.payout_lines(payout.reference, livemode=False)


def test_pitfall_24_a_payout_by_hand_has_no_lines(bank: BankStage) -> None:
    bank.paid(PRICE, card="4000000000000077")
    bank.control("clock/advance", seconds=60)
    api = bank.processor._apis[False]
    made = api.post("/v1/payouts", key="by-hand", params={"amount": 5_000, "currency": "eur"})
    with pytest.raises(ProviderDeclinedError):
        bank.processor.payout_lines(made["id"], livemode=False)


def test_payouts_come_oldest_first_and_in_any_number(bank: BankStage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "PAGE_SIZE", 2)
    for _ in range(5):
        bank.paid(PRICE)
        bank.control("clock/advance", seconds=3 * 86_400)
    listed = bank.processor.payouts(livemode=False, since=datetime.now(UTC) - timedelta(days=1))
    assert len(listed) >= 3
    assert [one.arrives_on for one in listed] == sorted(one.arrives_on for one in listed)


# --- economy, modes --------------------------------------------------------------------------------------------------


def test_an_ordinary_payment_is_read_in_one_call(bank: BankStage, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = bank.paid(PRICE)
    assert len(calls_during(bank, lambda: bank.read(snapshot.reference), monkeypatch)) == 1
    bank.processor.refund(a_refund(snapshot, eur(100)))
    assert len(calls_during(bank, lambda: bank.read(snapshot.reference), monkeypatch)) == 2


def test_a_lost_registration_is_usually_found_in_two_calls(bank: BankStage, monkeypatch: pytest.MonkeyPatch) -> None:
    registration = a_registration(PRICE)
    bank.processor.register(registration)
    assert len(calls_during(bank, lambda: bank.processor.find_registration(registration), monkeypatch)) == 2


@pytest.mark.parametrize(
    ("livemode", "key"),
    [(False, "sk_live_x"), (True, "sk_test_x"), (False, "pk_test_x"), (False, ""), (True, "rk_test_x"), (False, "x")],
)
def test_pitfall_29_a_key_of_the_other_mode_cannot_be_configured(
    livemode: bool,  # noqa: FBT001 - a column of the table
    key: str,
) -> None:
    with pytest.raises(AssertionError):
        StripeConfig(livemode=livemode, secret_key=key)


def test_pitfall_29_a_live_key_goes_to_nobody_but_stripe() -> None:
    for base_url in ("http://127.0.0.1:1", "https://bank.example"):
        with pytest.raises(AssertionError):
            StripeConfig(livemode=True, secret_key="sk_live_x", base_url=base_url)


@pytest.mark.parametrize("base_url", ["", "127.0.0.1:1", "ftp://bank", "http://", "http://bank/"])
def test_a_base_address_is_an_address(base_url: str) -> None:
    with pytest.raises(AssertionError):
        StripeConfig(livemode=False, secret_key="sk_test_x", base_url=base_url)


def test_a_configuration_under_the_wrong_mode_is_a_programmers_error() -> None:
    with pytest.raises(AssertionError):
        StripeProcessor("stripe", {True: StripeConfig(livemode=False, secret_key="sk_test_x")})


def test_a_configuration_shows_no_secret() -> None:
    shown = repr(StripeConfig(livemode=False, secret_key="sk_test_very", webhook_secrets=("whsec_very",)))
    assert "very" not in shown


def test_a_charge_has_a_page_in_stripes_dashboard_and_none_in_the_bank(bank: BankStage) -> None:
    configs = {
        livemode: StripeConfig(livemode=livemode, secret_key=key)
        for livemode, key in ((False, "sk_test_x"), (True, "sk_live_x"))
    }
    real = StripeProcessor("stripe", configs)
    assert real.dashboard_url("pi_1", livemode=False) == "https://dashboard.stripe.com/test/payments/pi_1"
    assert real.dashboard_url("pi_1", livemode=True) == "https://dashboard.stripe.com/payments/pi_1"
    assert real.dashboard_url("cs_1", livemode=True) is None
    assert bank.processor.dashboard_url("pi_1", livemode=False) is None
    real.close()
