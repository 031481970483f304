"""Cards on the page: the way to the provider and back, every outcome in words, receipts, refunds."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from gateway.domain.words import (
    AttemptStage,
    ChargeStatus,
    LatePolicy,
    PaymentException,
    PaymentStatus,
    RefundStatus,
    SessionStatus,
)
from gateway.engine.page import CheckoutPage, PageRefund
from gateway.kernel.errors import (
    ConflictError,
    DeclinedError,
    ErrorCode,
    GatewayError,
    NotFoundError,
    RateLimitedError,
    TemporaryError,
    UnknownOutcomeError,
)
from gateway.kernel.money import Money
from gateway.settings import Settings
from hosted_checkout.app import STRIPE_PAGES, provider_origins
from hosted_checkout.checkout.presentation import PageView, view_of
from hosted_checkout.checkout.samples import (
    CARD_METHOD,
    SAMPLE_TIME,
    SERVER_SAMPLES,
    sample,
    sample_attempt,
    sample_page,
    sample_refund,
    sample_visit,
)
from hosted_checkout.checkout.states import CHOOSABLE, DONE, FINAL, RESUMABLE, PageState, state_of
from tests.checkout.house import StatesGallery, a_checkout_app, a_clock

NOW = SAMPLE_TIME
BANK = "https://bank.example"
VISA = {"type": "card", "brand": "visa", "last4": "4242", "country": "DE"}


@pytest.fixture
def verbs() -> StatesGallery:
    return StatesGallery(a_clock())


@pytest.fixture
def client(verbs: StatesGallery) -> FlaskClient:
    return a_checkout_app(verbs, form_action=(BANK,)).test_client()


def seen(page: CheckoutPage) -> PageView:
    """Return what the page prints in English."""
    with a_checkout_app(StatesGallery(a_clock())).test_request_context("/?lang=en"):
        return view_of(page, NOW, "https://pay.example/pay/x")


# --- the way there and back --------------------------------------------------------------------------------------


def test_a_card_leads_straight_to_the_providers_page(verbs: StatesGallery, client: FlaskClient) -> None:
    answer = client.post("/pay/open/method", data={"method": "card"})
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{BANK}/c/pay/cs_test_1")
    assert verbs.calls == [("redirect", "open", "card")]
    assert f"form-action 'self' {BANK};" in client.get("/pay/open").headers["Content-Security-Policy"]


def test_a_page_at_an_address_that_the_policy_does_not_know_is_reached_by_a_page_in_between(
    verbs: StatesGallery, client: FlaskClient
) -> None:
    """Pitfall 33: a policy that names no such target of a form stops the redirect in the browser."""
    verbs.provider_url = 'https://cards.shop.example/p?a=1&b="x'
    answer = client.post("/pay/open/method?lang=de", data={"method": "card"})
    assert answer.status_code == 200
    assert 'content="0; url=https://cards.shop.example/p?a=1&amp;b=&#34;x"' in answer.text
    assert 'href="https://cards.shop.example/p?a=1&amp;b=&#34;x" rel="noreferrer">Weiter zu cards.shop.example<' in (
        answer.text
    )


def test_a_coin_is_still_chosen_here(verbs: StatesGallery, client: FlaskClient) -> None:
    answer = client.post("/pay/page_open/method", data={"method": "sol"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/pay/page_open")
    assert verbs.calls == [("choose_method", "page_open", "sol")]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            TemporaryError(ErrorCode.PROVIDER_UNAVAILABLE, "away"),
            "The card provider does not answer right now. Try again in a moment.",
        ),
        (
            UnknownOutcomeError(ErrorCode.OUTCOME_UNKNOWN, "lost"),
            "The card provider&#39;s answer was lost. Try again: you get the same page.",
        ),
        (
            DeclinedError(ErrorCode.PROVIDER_DECLINED, "no"),
            "The card provider does not take this payment. Nothing was charged. Choose another way to pay.",
        ),
        (
            ConflictError(ErrorCode.OUTCOME_UNKNOWN, "waits"),
            "An earlier step of this payment is still being cleared up. Try again in a minute.",
        ),
        (ConflictError(ErrorCode.PAYMENT_NOT_PAYABLE, "over"), "This payment does not take money any more."),
        (RateLimitedError(ErrorCode.RATE_LIMITED, "slow"), "Too many requests. Please wait a moment."),
    ],
)
def test_a_provider_that_opens_no_page_is_explained_where_one_can_try_again(
    verbs: StatesGallery, client: FlaskClient, error: GatewayError, words: str
) -> None:
    verbs.failures["redirect"] = error
    answer = client.post("/pay/open/method", data={"method": "card"}, follow_redirects=True)
    assert answer.status_code == 200
    assert f'<span id="note">{words}</span>' in answer.text
    assert 'value="card"' in answer.text


def test_a_refusal_that_the_page_shows_is_not_told_twice(client: FlaskClient) -> None:
    text = client.get("/pay/page_refused?problem=page_refused").text
    assert '<span id="note"></span>' in text
    assert "The card provider does not take this payment. Nothing was charged." in text


def test_a_method_clicked_in_a_tab_that_is_out_of_date_leads_back_to_the_truth(
    verbs: StatesGallery, client: FlaskClient
) -> None:
    paid = client.post("/pay/card_paid/method", data={"method": "card"}, follow_redirects=True)
    strange = client.post("/pay/open/method", data={"method": "shells"}, follow_redirects=True)
    assert "Paid. Thank you." in paid.text
    assert "This payment does not take money any more." in paid.text
    assert "This way to pay is not on offer right now." in strange.text
    assert verbs.calls == []


@pytest.mark.parametrize("query", ["", "?session_id=cs_test_other&redirect_status=succeeded&paid=1"])
def test_whoever_comes_back_sees_what_the_provider_says_and_not_the_address(
    verbs: StatesGallery, client: FlaskClient, query: str
) -> None:
    answer = client.get(f"/pay/declined/return{query}", headers={"Sec-Fetch-Site": "cross-site"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/pay/declined")
    assert verbs.calls == [("returned", "declined")]


@pytest.mark.parametrize(
    "error",
    [
        RateLimitedError(ErrorCode.RATE_LIMITED, "slow", retry_after_s=9),
        TemporaryError(ErrorCode.PROVIDER_UNAVAILABLE, "away"),
    ],
)
def test_a_provider_that_cannot_be_asked_keeps_nobody_from_coming_back(
    verbs: StatesGallery, client: FlaskClient, error: GatewayError
) -> None:
    verbs.failures["returned"] = error
    answer = client.get("/pay/page_open/return")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/pay/page_open")


def test_a_return_to_a_payment_that_is_not_ours_is_not_found(verbs: StatesGallery, client: FlaskClient) -> None:
    verbs.failures["returned"] = NotFoundError(ErrorCode.NOT_FOUND, "none")
    assert client.get("/pay/nowhere/return").status_code == 404
    assert client.post("/pay/nowhere/method", data={"method": "card"}).status_code == 404


def test_a_page_that_does_not_close_keeps_the_payment_open_and_says_so(
    verbs: StatesGallery, client: FlaskClient
) -> None:
    verbs.failures["cancel"] = UnknownOutcomeError(ErrorCode.OUTCOME_UNKNOWN, "silent")
    answer = client.post("/pay/page_open/cancel", follow_redirects=True)
    assert "The card page could not be closed, so this payment stays open." in answer.text


@pytest.mark.parametrize(
    ("settings", "origins"),
    [
        ({}, ()),
        ({"stripe_test_key": "sk_test_1"}, (STRIPE_PAGES,)),
        (
            {"stripe_test_key": "sk_test_1", "stripe_test_base_url": "http://127.0.0.1:8090"},
            ("http://127.0.0.1:8090",),
        ),
        (
            {
                "stripe_test_key": "sk_test_1",
                "stripe_test_base_url": "http://127.0.0.1:8090/x",
                "stripe_live_key": "sk_live_1",
            },
            ("http://127.0.0.1:8090", STRIPE_PAGES),
        ),
        ({"stripe_test_key": "sk_test_1", "stripe_live_key": "sk_live_1"}, (STRIPE_PAGES,)),
    ],
)
def test_forms_may_lead_to_the_pages_of_the_providers_that_are_configured_alone(
    settings: Mapping[str, Any], origins: tuple[str, ...]
) -> None:
    assert provider_origins(Settings(**settings)) == origins


# --- the picker --------------------------------------------------------------------------------------------------


def test_the_card_stands_first_whatever_the_order_of_the_methods() -> None:
    page = sample_page(NOW)
    view = seen(replace(page, methods=tuple(reversed(page.methods))))
    assert [(one.id, one.title) for one in view.methods] == [
        ("card", "Card"),
        ("usdc", "USD Coin"),
        ("sol", "Solana"),
    ]
    assert view.way_on is None


def test_where_the_card_is_the_only_way_there_is_nothing_to_choose() -> None:
    view = seen(sample_page(NOW, methods=(CARD_METHOD,)))
    assert view.way_on is not None
    assert view.way_on.label == "Pay €24.90 by card"
    assert view.methods == ()
    assert view.status.sentence == "Ready for your payment."


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("page_open", "Continue to card payment"),
        ("unconfirmed", "Continue to card payment"),
        ("page_opening", "Try again by card"),
        ("page_closed", "Try again by card"),
        ("declined", "Try again by card"),
        ("debit_failed", "Try again by card"),
    ],
)
def test_a_visit_that_paid_nothing_goes_on_by_one_button_beside_the_other_ways(name: str, label: str) -> None:
    view = seen(sample(name, NOW)[0])
    assert view.way_on is not None
    assert (view.way_on.method, view.way_on.label) == ("card", label)
    assert [one.id for one in view.methods] == ["sol", "usdc"]
    assert view.can_cancel


def test_a_card_that_is_not_on_offer_any_more_has_no_button() -> None:
    page, _ = sample("page_open", NOW)
    assert seen(replace(page, methods=page.methods[1:])).way_on is None


def test_a_coin_that_was_chosen_since_comes_before_the_visit() -> None:
    page = replace(sample("declined", NOW)[0], attempt=sample_attempt(NOW))
    view = seen(page)
    assert state_of(page, NOW) is PageState.CHOSEN
    assert [one.id for one in view.methods] == ["card", "usdc"]


def test_every_state_without_money_but_the_end_leaves_a_way_to_pay() -> None:
    for name in SERVER_SAMPLES:
        page, _ = sample(name, NOW)
        if state_of(page, NOW) in RESUMABLE | {PageState.PAGE_REFUSED}:
            view = seen(page)
            assert view.way_on or any(one.is_available for one in view.methods), name


def test_nobody_who_is_done_is_asked_again_and_the_shop_hears_of_success() -> None:
    assert not DONE & CHOOSABLE
    for name in SERVER_SAMPLES:
        view = seen(sample(name, NOW)[0])
        if view.status.state in DONE:
            assert view.way_on is None
            assert view.back_url == "https://shop.northwind.example/orders/1001", name
            assert view.is_way_out, name


# --- the words of each outcome -----------------------------------------------------------------------------------


def visited(status: PaymentStatus = PaymentStatus.OPEN, **visit: Any) -> CheckoutPage:
    return sample_page(NOW, payment_status=status, hosted=sample_visit(**visit))


@pytest.mark.parametrize(
    ("visit", "state"),
    [
        ({"stage": AttemptStage.REGISTERING}, PageState.PAGE_OPENING),
        ({"stage": AttemptStage.REFUSED}, PageState.PAGE_REFUSED),
        ({"stage": AttemptStage.EXPIRED}, PageState.PAGE_CLOSED),
        ({"stage": AttemptStage.EXPIRED, "failure_code": "generic_decline"}, PageState.PAGE_CLOSED),
        ({}, PageState.PAGE_OPEN),
        ({"charge_status": ChargeStatus.OPEN}, PageState.PAGE_OPEN),
        ({"charge_status": ChargeStatus.OPEN, "failure_code": "expired_card"}, PageState.DECLINED),
        ({"charge_status": ChargeStatus.REQUIRES_ACTION}, PageState.UNCONFIRMED),
        ({"stage": AttemptStage.COMPLETE, "charge_status": ChargeStatus.FAILED}, PageState.DECLINED),
        ({"stage": AttemptStage.COMPLETE, "charge_status": ChargeStatus.CANCELED}, PageState.PAGE_CLOSED),
    ],
)
def test_an_unpaid_visit_is_told_as_the_provider_left_it(visit: Mapping[str, Any], state: PageState) -> None:
    assert state_of(visited(**visit), NOW) is state


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("insufficient_funds", "There is not enough money on the card."),
        ("expired_card", "The card has expired."),
        ("incorrect_cvc", "The card's details are not right."),
        ("payment_intent_authentication_failure", "Your bank could not confirm that it is you."),
        ("processing_error", "The payment could not be processed."),
        ("generic_decline", "The card was declined."),
        ("lost_card", "The card was declined."),
        ("stolen_card", "The card was declined."),
        ("fraudulent", "The card was declined."),
        ("a_code_of_tomorrow", "The card was declined."),
        ("%(amount)s", "The card was declined."),
    ],
)
def test_a_decline_says_what_helps_and_nothing_to_a_thief(code: str, words: str) -> None:
    told = seen(visited(charge_status=ChargeStatus.OPEN, failure_code=code, instrument=VISA)).status
    assert told.sentence == f"{words} No money was taken."
    assert "choose another way to pay." in told.detail


def test_a_debit_that_fails_is_no_declined_card() -> None:
    view = seen(sample("debit_failed", NOW)[0])
    assert view.status.sentence == "The bank debit did not go through. No money was taken."
    late = seen(sample("debit_failed_late", NOW)[0])
    assert late.status.sentence == "The bank debit did not go through. No money was taken."
    assert late.status.detail == "The time for this order is over. Start again at Northwind Outfitters."


def test_while_nothing_was_read_no_page_claims_that_nothing_was_taken() -> None:
    for name in ("page_open", "card_closing"):
        told = seen(sample(name, NOW)[0]).status
        assert "o money was" not in told.sentence + told.detail
        assert "If you have just paid" in told.detail


def test_a_bank_that_takes_days_keeps_nobody_waiting() -> None:
    view = seen(sample("processing", NOW)[0])
    assert view.status.sentence == "Your bank is confirming the payment."
    assert "you need not stay" in view.status.detail
    assert (view.amount_label, view.receipt) == ("Amount", (("Paying with", "Bank debit •••• 3204"),))
    assert not view.is_final


def test_held_money_is_called_reserved_and_never_paid() -> None:
    view = seen(sample("authorized", NOW)[0])
    assert view.status.sentence == "Thank you. The amount is reserved."
    assert view.receipt == (("Reserved on", "Visa •••• 4242"),)
    assert view.amount_label == "Reserved"
    assert "Paid" not in repr(view)


def test_a_hold_of_which_a_part_was_taken_shows_the_part() -> None:
    page = sample("authorized", NOW)[0]
    assert page.hosted is not None
    part = replace(page, hosted=replace(page.hosted, amount=Money(1000, "EUR")))
    assert seen(part).receipt == (("Reserved on", "Visa •••• 4242"), ("Taken", "€10.00"))


def test_a_smaller_capture_shows_what_was_taken_of_what() -> None:
    view = seen(sample("card_paid_in_part", NOW)[0])
    assert view.status.detail == (
        "Northwind Outfitters took €15.90 of the €24.90 that was reserved. The rest stays yours."
    )
    assert ("Taken", "€15.90") in view.receipt


def test_a_card_that_paid_all_is_simply_paid() -> None:
    view = seen(sample("card_paid", NOW)[0])
    assert (view.status.sentence, view.status.detail) == (
        "Paid. Thank you.",
        "Northwind Outfitters can see your payment now.",
    )


def test_a_released_hold_says_whose_the_money_is() -> None:
    assert seen(sample("released", NOW)[0]).status.detail == (
        "What was reserved is yours again; your bank may take some days to show it."
    )
    unpaid = visited(PaymentStatus.CANCELED, stage=AttemptStage.EXPIRED, charge_status=ChargeStatus.CANCELED)
    assert seen(unpaid).status.detail == ""
    assert unpaid.hosted is not None
    tried = replace(unpaid.hosted, stage=AttemptStage.COMPLETE, failure_code="expired_card", instrument=VISA)
    assert seen(replace(unpaid, hosted=tried)).status.detail == ""


@pytest.mark.parametrize(
    ("instrument", "words"),
    [
        (VISA, "Visa •••• 4242"),
        ({"type": "card", "brand": "amex", "last4": "0005", "country": None}, "American Express •••• 0005"),
        ({"type": "card", "brand": "brand_of_tomorrow", "last4": "1111", "country": None}, "Card •••• 1111"),
        ({"type": "card", "brand": None, "last4": None, "country": None}, "Card"),
        ({"type": "sepa_debit", "brand": None, "last4": "3204", "country": "AT"}, "Bank debit •••• 3204"),
        ({"type": "wallet_of_tomorrow", "brand": None, "last4": None, "country": None}, "Card"),
        (None, "Card"),
    ],
)
def test_a_receipt_names_what_was_paid_with(instrument: Mapping[str, str | None] | None, words: str) -> None:
    page = sample("card_paid", NOW)[0]
    assert page.hosted is not None
    view = seen(replace(page, hosted=replace(page.hosted, instrument=instrument)))
    assert view.receipt == (("Paid with", words), ("Paid on", "November 20, 2026, 09:29 UTC"))


# --- refunds -----------------------------------------------------------------------------------------------------

SUCCEEDED, PENDING, FAILED = RefundStatus.SUCCEEDED, RefundStatus.PENDING, RefundStatus.FAILED


@pytest.mark.parametrize(
    ("refunds", "state"),
    [
        ([], PageState.PAID),
        ([(2490, FAILED)], PageState.PAID),
        ([(2490, RefundStatus.CANCELED)], PageState.PAID),
        ([(1, SUCCEEDED)], PageState.PARTLY_REFUNDED),
        ([(2489, SUCCEEDED), (1, FAILED)], PageState.PARTLY_REFUNDED),
        ([(2489, SUCCEEDED), (1, SUCCEEDED)], PageState.REFUNDED),
        ([(2489, SUCCEEDED), (1, PENDING)], PageState.REFUND_PENDING),
        ([(1, RefundStatus.REQUIRES_ACTION)], PageState.REFUND_PENDING),
    ],
)
def test_refunds_add_up(refunds: list[tuple[int, RefundStatus]], state: PageState) -> None:
    page = sample("card_paid", NOW)[0]
    paid = replace(page, refunds=tuple(sample_refund(NOW, cents, status) for cents, status in refunds))
    assert state_of(paid, NOW) is state
    assert state in FINAL


def test_what_goes_back_is_told_to_the_cent() -> None:
    pending, partly, fully = (seen(sample(name, NOW)[0]) for name in ("refund_pending", "partly_refunded", "refunded"))
    assert pending.status.sentence == "A refund of €10.00 is on its way to you."
    assert pending.status.detail == "€5.00 was given back before."
    assert pending.receipt[2:] == (("Refunded on November 20, 2026", "€5.00"), ("Refund on its way", "€10.00"))
    assert partly.status.sentence == "Paid. €10.00 of it was given back."
    assert partly.receipt[3] == ("Refund failed; ask the shop", "€1.00")
    assert fully.status.sentence == "Refunded. €24.90 was given back."


def test_one_of_two_payments_given_back_is_no_full_refund() -> None:
    page = replace(
        sample("card_paid", NOW)[0],
        exceptions=frozenset({PaymentException.DOUBLE_PAYMENT}),
        refunds=(sample_refund(NOW, 2490),),
    )
    assert seen(page).status.sentence == "Paid. €24.90 of it was given back."


def test_late_money_that_was_given_back_says_so() -> None:
    page = replace(
        sample("card_paid", NOW)[0],
        session_status=SessionStatus.EXPIRED,
        payment_status=PaymentStatus.EXPIRED,
        exceptions=frozenset({PaymentException.LATE}),
        late_policy=LatePolicy.REFUND,
        refunds=(sample_refund(NOW, 2490),),
    )
    assert state_of(page, NOW) is PageState.REFUNDED


def test_refunds_in_two_currencies_are_never_added() -> None:
    coins = PageRefund(amount=Money(5, "SOL"), status=SUCCEEDED, created_at=NOW - timedelta(days=1))
    page = replace(sample("card_paid", NOW)[0], refunds=(sample_refund(NOW, 2490), coins))
    assert seen(page).status.sentence == "Paid. A part of it was given back."
    pending = replace(page, refunds=(replace(coins, status=PENDING), sample_refund(NOW, 1, PENDING)))
    assert seen(pending).status.sentence == "Refunds are on their way to you."


def test_a_page_changes_its_fingerprint_with_every_step_of_a_card_payment() -> None:
    names = ("open", "page_open", "declined", "unconfirmed", "processing", "authorized", "card_paid", "refunded")
    assert len({seen(sample(name, NOW)[0]).fingerprint for name in names}) == len(names)
