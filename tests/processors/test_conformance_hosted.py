"""What every hosted processor promises the engine, run for each of them, and for the real provider with a key."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.domain.provider import Command, ProviderCharge, ProviderSnapshot, RefundCommand
from gateway.domain.words import AttemptStage, CaptureMethod, ChargeStatus, RefundStatus
from gateway.kernel.errors import (
    ConflictError,
    DeclinedError,
    ErrorCode,
    InvalidRequestError,
    NotFoundError,
    TemporaryError,
)
from gateway.kernel.money import Money
from tests.processors.conformance import HOSTED, IS_REAL_RUN, REAL_STRIPE_KEY, HostedSubject, Shopper, real_stripe
from tests.processors.stripe_stage import IDS

SUBJECTS = {"real_stripe": real_stripe} if os.environ.get(IS_REAL_RUN) else HOSTED
PRICE = Money(1_230, "EUR")


@pytest.fixture(params=sorted(SUBJECTS))
def subject(request: pytest.FixtureRequest) -> Iterator[HostedSubject]:
    with SUBJECTS[request.param]() as subject:
        yield subject


@pytest.fixture
def shopper(subject: HostedSubject) -> Shopper:
    if subject.shopper is None:
        pytest.skip("only a person can pay on the real provider's page")
    return subject.shopper


def read(subject: HostedSubject, snapshot: ProviderSnapshot) -> ProviderSnapshot:
    return subject.processor.retrieve(snapshot.reference, livemode=False)


def charge(snapshot: ProviderSnapshot) -> ProviderCharge:
    assert snapshot.charge is not None
    return snapshot.charge


def command(reference: str) -> Command:
    return Command(
        operation_id=IDS.new("op"),
        attempt_id=IDS.new("att"),
        payment_id=IDS.new("pay"),
        livemode=False,
        reference=reference,
    )


def refund_command(reference: str, amount: Money) -> RefundCommand:
    return RefundCommand(
        operation_id=IDS.new("op"),
        refund_id=IDS.new("re"),
        attempt_id=IDS.new("att"),
        payment_id=IDS.new("pay"),
        livemode=False,
        reference=reference,
        amount=amount,
        reason=None,
        created_at=datetime.now(UTC),
    )


def paid(subject: HostedSubject, shopper: Shopper, **changed: object) -> ProviderSnapshot:
    page = subject.processor.register(subject.register(PRICE, **changed))
    shopper.pay(page.reference)
    return read(subject, page)


def test_a_mode_without_configuration_offers_nothing(subject: HostedSubject) -> None:
    assert subject.processor.methods(livemode=True) == ()
    assert not subject.processor.accepts(PRICE, livemode=True)


def test_methods_are_named_alike_everywhere(subject: HostedSubject) -> None:
    found = subject.processor.methods(livemode=False)
    assert found
    for method in found:
        assert method.processor == subject.processor.name
        assert method.id == method.id.lower()
        assert method.title
    assert timedelta(hours=1) <= subject.processor.key_lifetime < timedelta(days=1)


def test_a_registration_opens_one_page_however_often_it_is_sent(subject: HostedSubject) -> None:
    registration = subject.register(PRICE)
    pages = [subject.processor.register(registration) for _ in range(3)]
    assert len({page.reference for page in pages}) == 1
    assert len({page.url for page in pages}) == 1
    assert pages[0].url is not None
    assert (pages[0].stage, pages[0].attempt_id) == (AttemptStage.OPEN, registration.attempt_id)
    assert (pages[0].is_livemode, pages[0].total) == (False, PRICE)


def test_two_registrations_open_two_pages(subject: HostedSubject) -> None:
    pages = [subject.processor.register(subject.register(PRICE)) for _ in range(2)]
    assert pages[0].reference != pages[1].reference


def test_a_registration_whose_answer_was_lost_is_found(subject: HostedSubject) -> None:
    registration = subject.register(PRICE)
    page = subject.processor.register(registration)
    found = subject.processor.find_registration(registration)
    assert found is not None
    assert (found.reference, found.url, found.attempt_id) == (page.reference, page.url, registration.attempt_id)


def test_a_registration_that_never_arrived_is_not_found(subject: HostedSubject) -> None:
    subject.processor.register(subject.register(PRICE))
    assert subject.processor.find_registration(subject.register(PRICE)) is None


def test_a_page_nobody_has_used_is_open_and_owes_everything(subject: HostedSubject) -> None:
    snapshot = read(subject, subject.processor.register(subject.register(PRICE)))
    assert (snapshot.stage, snapshot.total) == (AttemptStage.OPEN, PRICE)
    assert snapshot.charge is None or not snapshot.charge.captured
    assert (snapshot.refunds, snapshot.disputes, snapshot.lines) == ((), (), ())


def test_an_expired_page_stays_expired(subject: HostedSubject) -> None:
    page = subject.processor.register(subject.register(PRICE))
    order = command(page.reference)
    subject.processor.expire(order)
    subject.processor.expire(order)
    snapshot = read(subject, page)
    assert (snapshot.stage, snapshot.url) == (AttemptStage.EXPIRED, None)
    with pytest.raises(ConflictError):
        subject.processor.expire(command(page.reference))


def test_an_object_nobody_knows_is_not_found(subject: HostedSubject) -> None:
    for reference in ("cs_test_nobody", "pi_nobody", "", "../x", "x" * 5_000):
        with pytest.raises(NotFoundError):
            subject.processor.retrieve(reference, livemode=False)


@pytest.mark.parametrize("amount", [Money(1_230, "EUR"), Money(500, "JPY"), Money(5_120, "KWD"), Money(700, "ISK")])
def test_an_amount_comes_back_as_it_was_sent(subject: HostedSubject, amount: Money) -> None:
    assert subject.processor.accepts(amount, livemode=False)
    page = subject.processor.register(subject.register(amount))
    assert read(subject, page).total == amount


@pytest.mark.parametrize("amount", [Money(1, "EUR"), Money(10**9, "EUR"), Money(5_121, "KWD"), Money(10**9, "SOL")])
def test_an_amount_that_is_not_accepted_is_declined(subject: HostedSubject, amount: Money) -> None:
    assert not subject.processor.accepts(amount, livemode=False)
    with pytest.raises(DeclinedError):
        subject.processor.register(subject.register(amount))


def test_a_provider_that_does_not_answer_is_temporary(subject: HostedSubject) -> None:
    dead, registration = subject.unreachable, subject.register(PRICE)
    for question in (
        lambda: dead.register(registration),
        lambda: dead.find_registration(registration),
        lambda: dead.retrieve("cs_test_1", livemode=False),
        lambda: dead.expire(command("cs_test_1")),
        lambda: dead.capture(command("pi_1"), PRICE, is_final=True),
        lambda: dead.void(command("pi_1")),
        lambda: dead.refund(refund_command("pi_1", PRICE)),
        lambda: dead.find_refund(refund_command("pi_1", PRICE)),
        lambda: dead.cancel_refund(command("re_1")),
        lambda: dead.payouts(livemode=False, since=datetime.now(UTC)),
        lambda: dead.payout_lines("po_1", livemode=False),
    ):
        with pytest.raises(TemporaryError) as failure:
            question()
        assert failure.value.retryable


def test_what_needs_no_provider_asks_none(subject: HostedSubject) -> None:
    assert subject.unreachable.methods(livemode=False)
    assert subject.unreachable.accepts(PRICE, livemode=False)
    subject.unreachable.dashboard_url("pi_1", livemode=False)


def test_a_notification_is_taken_as_it_was_signed_and_refused_otherwise(subject: HostedSubject) -> None:
    body = json.dumps(
        {"id": "evt_1", "object": "event", "type": "x.y", "livemode": False, "created": 1, "data": {"object": {}}}
    ).encode()
    headers, now = subject.sign(body), datetime.now(UTC)
    assert subject.processor.read_notification(body, headers, now=now).event_id == "evt_1"
    for forged, under, when in (
        (body + b" ", headers, now),
        (body, {}, now),
        (body, headers, now + timedelta(hours=1)),
        (body, headers, now - timedelta(hours=1)),
    ):
        with pytest.raises(InvalidRequestError) as refusal:
            subject.processor.read_notification(forged, under, now=when)
        assert refusal.value.code is ErrorCode.NOTIFICATION_REFUSED


def test_a_paid_page_is_complete_and_its_charge_has_the_money(subject: HostedSubject, shopper: Shopper) -> None:
    snapshot = paid(subject, shopper)
    assert (snapshot.stage, snapshot.url) == (AttemptStage.COMPLETE, None)
    found = charge(snapshot)
    assert (found.status, found.amount, found.captured) == (ChargeStatus.SUCCEEDED, PRICE, PRICE)
    assert not found.capturable
    assert found.authorized_at is not None
    assert found.instrument is not None
    assert len(found.instrument.last4 or "") == 4
    assert subject.processor.retrieve(found.reference, livemode=False).charge == found


def test_a_page_that_was_paid_cannot_be_closed(subject: HostedSubject, shopper: Shopper) -> None:
    snapshot = paid(subject, shopper)
    with pytest.raises(ConflictError):
        subject.processor.expire(command(snapshot.reference))


def test_a_declined_card_leaves_the_page_open_for_another(subject: HostedSubject, shopper: Shopper) -> None:
    page = subject.processor.register(subject.register(PRICE))
    shopper.be_declined(page.reference)
    snapshot = read(subject, page)
    assert (snapshot.stage, snapshot.url) == (AttemptStage.OPEN, page.url)
    assert charge(snapshot).status is ChargeStatus.OPEN
    assert charge(snapshot).failure_code is not None
    assert charge(snapshot).decline is not None
    shopper.pay(page.reference)
    assert charge(read(subject, page)).status is ChargeStatus.SUCCEEDED


@pytest.mark.parametrize(("succeeds", "ending"), [(True, ChargeStatus.SUCCEEDED), (False, ChargeStatus.FAILED)])
def test_a_delayed_method_is_processing_until_it_settles(
    subject: HostedSubject,
    shopper: Shopper,
    succeeds: bool,  # noqa: FBT001 - a column of the table
    ending: ChargeStatus,
) -> None:
    page = subject.processor.register(subject.register(PRICE))
    shopper.pay_later(page.reference, succeeds)
    waiting = read(subject, page)
    assert (waiting.stage, charge(waiting).status) == (AttemptStage.COMPLETE, ChargeStatus.PROCESSING)
    assert not charge(waiting).captured
    shopper.let_settle()
    settled = read(subject, page)
    assert (settled.stage, charge(settled).status) == (AttemptStage.COMPLETE, ending)


def held(subject: HostedSubject, shopper: Shopper) -> ProviderSnapshot:
    snapshot = paid(subject, shopper, capture_method=CaptureMethod.MANUAL)
    assert charge(snapshot).status is ChargeStatus.AUTHORIZED
    return snapshot


def test_a_hold_has_no_money_until_it_is_captured(subject: HostedSubject, shopper: Shopper) -> None:
    snapshot = held(subject, shopper)
    assert not charge(snapshot).captured
    assert charge(snapshot).capturable == PRICE
    lapses_at = charge(snapshot).capture_before
    assert lapses_at is not None
    assert lapses_at > datetime.now(UTC)
    order = command(charge(snapshot).reference)
    subject.processor.capture(order, Money(1_000, "EUR"), is_final=True)
    subject.processor.capture(order, Money(1_000, "EUR"), is_final=True)
    taken = charge(read(subject, snapshot))
    assert (taken.status, taken.captured, taken.capturable) == (
        ChargeStatus.SUCCEEDED,
        Money(1_000, "EUR"),
        Money(0, "EUR"),
    )
    with pytest.raises(ConflictError):
        subject.processor.capture(command(charge(snapshot).reference), Money(1, "EUR"), is_final=True)
    with pytest.raises(ConflictError):
        subject.processor.void(command(charge(snapshot).reference))


def test_more_than_the_hold_is_not_captured(subject: HostedSubject, shopper: Shopper) -> None:
    snapshot = held(subject, shopper)
    with pytest.raises(DeclinedError):
        subject.processor.capture(command(charge(snapshot).reference), Money(1_231, "EUR"), is_final=True)
    assert charge(read(subject, snapshot)).status is ChargeStatus.AUTHORIZED


def test_a_voided_hold_is_canceled(subject: HostedSubject, shopper: Shopper) -> None:
    snapshot = held(subject, shopper)
    subject.processor.void(command(charge(snapshot).reference))
    assert charge(read(subject, snapshot)).status is ChargeStatus.CANCELED
    with pytest.raises(ConflictError):
        subject.processor.capture(command(charge(snapshot).reference), PRICE, is_final=True)


def test_a_refund_is_made_once_and_read_back(subject: HostedSubject, shopper: Shopper) -> None:
    snapshot = paid(subject, shopper)
    order = refund_command(charge(snapshot).reference, Money(1_000, "EUR"))
    assert subject.processor.find_refund(order) is None
    first, again = subject.processor.refund(order), subject.processor.refund(order)
    assert first.reference == again.reference
    assert (first.status, first.amount, first.operation_id) == (
        RefundStatus.SUCCEEDED,
        Money(1_000, "EUR"),
        order.operation_id,
    )
    assert subject.processor.find_refund(order) == first
    (listed,) = read(subject, snapshot).refunds
    assert listed == first


def test_a_refund_beyond_the_rest_is_declined(subject: HostedSubject, shopper: Shopper) -> None:
    snapshot = paid(subject, shopper)
    subject.processor.refund(refund_command(charge(snapshot).reference, Money(1_000, "EUR")))
    for amount in (Money(231, "EUR"), Money(10**8, "EUR")):
        with pytest.raises(DeclinedError):
            subject.processor.refund(refund_command(charge(snapshot).reference, amount))
    assert len(read(subject, snapshot).refunds) == 1


def test_a_refund_that_is_done_cannot_be_called_off(subject: HostedSubject, shopper: Shopper) -> None:
    snapshot = paid(subject, shopper)
    refund = subject.processor.refund(refund_command(charge(snapshot).reference, PRICE))
    with pytest.raises(ConflictError):
        subject.processor.cancel_refund(command(refund.reference))


@pytest.mark.skipif(not os.environ.get(REAL_STRIPE_KEY), reason=f"set {REAL_STRIPE_KEY} to ask Stripe itself")
@pytest.mark.skipif(bool(os.environ.get(IS_REAL_RUN)), reason="this is that run")
def test_stripe_itself_keeps_the_same_promises() -> None:
    """In a process of its own, because this one may not leave loopback."""
    options = ("-q", "-p", "no:cacheprovider", "--noconftest", "-W", "error")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(Path(__file__))],
        env={**os.environ, IS_REAL_RUN: "1"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4_000:]
