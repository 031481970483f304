"""Every state of a payment has its page state, its tone and its words, in each language."""

import itertools
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.domain.words import (
    AttemptStage,
    ChargeStatus,
    LatePolicy,
    PaymentException,
    PaymentStatus,
    RefundStatus,
    SessionStatus,
)
from gateway.engine.page import CheckoutPage, WalletState
from hosted_checkout.checkout.presentation import view_of
from hosted_checkout.checkout.samples import (
    SAMPLE_TIME,
    SERVER_SAMPLES,
    VARIANTS,
    sample,
    sample_attempt,
    sample_page,
    sample_refund,
    sample_visit,
)
from hosted_checkout.checkout.sentences import client_status
from hosted_checkout.checkout.states import (
    CHOOSABLE,
    CLIENT_TONES,
    FINAL,
    PAYABLE,
    TONES,
    ClientState,
    PageState,
    Tone,
    state_of,
)
from hosted_checkout.i18n import LANGUAGES
from tests.checkout.house import StatesGallery, a_checkout_app, a_clock

NOW = SAMPLE_TIME


@pytest.mark.parametrize("name", SERVER_SAMPLES)
def test_each_sample_is_in_the_state_it_is_named_after(name: str) -> None:
    page, _ = sample(name, NOW)
    assert state_of(page, NOW) is VARIANTS.get(name, PageState(name) if name not in VARIANTS else None)


def test_every_state_has_a_sample() -> None:
    shown = {state_of(sample(name, NOW)[0], NOW) for name in SERVER_SAMPLES}
    assert shown == set(PageState)


def test_every_state_has_a_tone() -> None:
    assert set(TONES) == set(PageState)
    assert set(CLIENT_TONES) == set(ClientState)


def any_page(
    status: PaymentStatus, exception: PaymentException | None, wallet: WalletState, session: SessionStatus
) -> CheckoutPage:
    return sample_page(
        NOW,
        payment_status=status,
        exceptions=frozenset({exception} if exception else ()),
        wallet_state=wallet,
        session_status=session,
        attempt=sample_attempt(NOW),
    )


def a_visited_page(
    status: PaymentStatus,
    stage: AttemptStage,
    charge: ChargeStatus | None,
    refund: RefundStatus | None,
) -> CheckoutPage:
    return sample_page(
        NOW,
        payment_status=status,
        hosted=sample_visit(stage=stage, charge_status=charge),
        refunds=(sample_refund(NOW, 2490, refund),) if refund else (),
    )


def test_the_whole_product_of_facts_has_a_state_with_words_in_every_language() -> None:
    app = a_checkout_app(StatesGallery(a_clock()))
    product = itertools.product(PaymentStatus, [None, *PaymentException], WalletState, SessionStatus, LatePolicy)
    pages = [replace(any_page(*facts), late_policy=policy) for *facts, policy in product]
    pages += [replace(page, attempt=None) for page in pages]  # money matched by hand needs no attempt
    visits = itertools.product(PaymentStatus, AttemptStage, [None, *ChargeStatus], [None, *RefundStatus])
    pages += [a_visited_page(*facts) for facts in visits]
    for language in LANGUAGES:
        with app.test_request_context(f"/?lang={language}"):
            for page in pages:
                assert view_of(page, NOW, "https://pay.example/pay/x").status.sentence, page
            assert all(client_status(state).sentence for state in ClientState)


@pytest.mark.parametrize("status", sorted(set(PaymentStatus) - {PaymentStatus.PAID, PaymentStatus.AUTHORIZED}))
def test_only_money_that_arrived_is_called_paid(status: PaymentStatus) -> None:
    for exception, wallet, session in itertools.product([None, *PaymentException], WalletState, SessionStatus):
        state = state_of(any_page(status, exception, wallet, session), NOW)
        assert TONES[state] is not Tone.GOOD, (status, exception, wallet, session)


@pytest.mark.parametrize(
    ("changed", "state"),
    [
        ({}, PageState.CHOSEN),
        ({"wallet_state": WalletState.WAITING}, PageState.WAITING),
        ({"wallet_state": WalletState.UNKNOWN}, PageState.UNKNOWN),
        ({"expires_at": NOW}, PageState.CLOSING),
        ({"expires_at": NOW, "wallet_state": WalletState.WAITING}, PageState.WAITING),
        ({"expires_at": NOW + timedelta(seconds=1)}, PageState.CHOSEN),
        ({"session_status": SessionStatus.EXPIRED}, PageState.CLOSING),
        ({"attempt": sample_attempt(NOW, expires_at=NOW)}, PageState.RENEW),
        ({"attempt": sample_attempt(NOW, is_quote_expired=True)}, PageState.RENEW),
        ({"attempt": None}, PageState.OPEN),
        ({"attempt": None, "methods": ()}, PageState.UNAVAILABLE),
        ({"exceptions": frozenset({PaymentException.REORG})}, PageState.REORG),
    ],
)
def test_an_unpaid_page_says_what_may_happen_next(changed: dict[str, object], state: PageState) -> None:
    page = replace(sample_page(NOW, attempt=sample_attempt(NOW)), **changed)  # type: ignore[arg-type]  # a table of fields
    assert state_of(page, NOW) is state


@pytest.mark.parametrize("name", ["seen", "confirming"])
def test_nobody_is_sent_away_while_only_a_part_came(name: str) -> None:
    page, _ = sample(name, NOW)
    part = replace(page, attempt=sample_attempt(NOW))  # whose rest is not zero
    with a_checkout_app(StatesGallery(a_clock())).test_request_context("/"):
        assert "close this page" in view_of(page, NOW, "https://pay.example/pay/x").status.detail
        assert view_of(part, NOW, "https://pay.example/pay/x").status.detail == ""


def test_nothing_asks_for_money_after_the_end() -> None:
    assert not (FINAL | {PageState.EXPIRED, PageState.CLOSING, PageState.WAITING}) & (PAYABLE | CHOOSABLE)


def test_nobody_is_asked_to_pay_while_a_payment_may_be_on_its_way() -> None:
    busy = {state for state, tone in TONES.items() if tone is Tone.BUSY}
    assert not busy & (PAYABLE | CHOOSABLE)
    assert PageState.REORG not in PAYABLE | CHOOSABLE


@pytest.mark.parametrize("status", [PaymentStatus.OPEN, PaymentStatus.REQUIRES_ACTION])
def test_a_session_that_is_complete_before_its_payment_asks_for_nothing(status: PaymentStatus) -> None:
    """A subscription's trial has begun, or a renewal is collected: nobody can pay here, or twice."""
    state = state_of(any_page(status, None, WalletState.NONE, SessionStatus.COMPLETE), NOW)
    assert state is PageState.BEGUN
    assert state in FINAL
    assert state not in PAYABLE | CHOOSABLE


def test_a_subscription_says_how_it_repeats_before_anybody_agrees() -> None:
    page, _ = sample("subscribing", NOW)
    with a_checkout_app(StatesGallery(a_clock())).test_request_context("/?lang=en"):
        view = view_of(page, NOW, "https://pay.example/pay/x")
        nothing = view_of(sample_page(NOW), NOW, "https://pay.example/pay/x").terms
    told = view.terms
    assert (view.amount_label, view.amount) == ("To pay now", "€0.00"), "its first days are free"
    assert told is not None
    assert "14 days are free" in told
    assert "every 3 months" in told
    assert nothing is None
