"""The bank's pages as a browser without script meets them: every outcome, every wording, and hostile input."""

import html
import logging
import re
from dataclasses import dataclass
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from sandbox.test_bank.app import create_app
from sandbox.test_bank.bank import Bank
from sandbox.test_bank.cards import ALL, CardEffect
from sandbox.test_bank.page_forms import MISTYPED, NOT_LISTED

KEY = {"Authorization": "Bearer sk_test_pages"}
SHOP = "https://shop.example/orders/1001"
UNLISTED = "4539578763621486"  # Luhn-valid, and no test card
CARD = {"number": "4242 4242 4242 4242", "expiry": "12 / 34", "cvc": "123", "name": "Ada", "email": "ada@example.com"}


@dataclass
class Stage:
    """A bank, and somebody in front of its pages."""

    bank: Bank
    client: FlaskClient

    def session(self, **params: str) -> str:
        """Open a session as a shop does, and return its identifier."""
        given = {
            "mode": "payment",
            "success_url": SHOP + "?cs={CHECKOUT_SESSION_ID}",
            "cancel_url": SHOP,
            "line_items[0][price_data][currency]": "eur",
            "line_items[0][price_data][unit_amount]": "1245",
            "line_items[0][price_data][product_data][name]": "Wool socks, grey",
            "line_items[0][quantity]": "2",
        } | params
        answer = self.client.post("/v1/checkout/sessions", data={k: v for k, v in given.items() if v}, headers=KEY)
        assert answer.status_code == 200, answer.text
        return str(answer.get_json()["id"])

    def wire(self, path: str) -> Any:
        """Read an object from the API."""
        return self.client.get(path, headers=KEY).get_json()

    def page(self, path: str) -> str:
        """Read a page's text."""
        answer = self.client.get(path)
        assert answer.status_code == 200, answer.text
        return shown(answer)

    def pay(self, session: str, **changes: str) -> TestResponse:
        """Send the card form."""
        return self.client.post(f"/c/pay/{session}", data=CARD | changes)

    def status(self, session: str) -> tuple[str, str]:
        """Return the session's and its payment's status from the API."""
        wire = self.wire(f"/v1/checkout/sessions/{session}")
        return wire["status"], wire["payment_status"]


def shown(answer: TestResponse) -> str:
    """Return a page's words as a person reads them."""
    text = re.sub(r"<(style|script|title)\b.*?</\1>|<[^>]*>", " ", answer.text, flags=re.DOTALL)
    return " ".join(html.unescape(text).split())


@pytest.fixture
def stage() -> Stage:
    bank = Bank(seed="pages")
    return Stage(bank, create_app(bank).test_client())


# --- paying ------------------------------------------------------------------------------------------------------


def test_a_good_card_pays_and_leads_back_to_the_shop(stage: Stage) -> None:
    session = stage.session()
    answer = stage.pay(session)
    assert (answer.status_code, answer.location) == (303, f"/c/pay/{session}/return")
    assert stage.status(session) == ("complete", "paid")
    back = stage.client.get(answer.location)
    assert f'content="0; url={SHOP}?cs={session}"' in back.text
    assert f'id="continue" href="{SHOP}?cs={session}"' in back.text


@pytest.mark.parametrize("card", ALL, ids=lambda card: card.last4)
def test_every_test_card_does_on_the_page_what_the_list_says(card: Any, stage: Stage) -> None:
    session = stage.session()
    answer = stage.pay(session, number=card.number, cvc="1234" if card.brand == "amex" else "123")
    assert answer.status_code == 303
    if "challenge" in card.effect:
        assert answer.location.startswith("/3ds/")
        assert stage.status(session) == ("open", "unpaid")
        answer = stage.client.post(answer.location, data={"answer": "complete"})
    if card.code is None:
        assert answer.location.endswith("/return")
        assert stage.status(session) == ("complete", "paid")
    else:
        assert answer.location == f"/c/pay/{session}?declined={card.decline_code or card.code}"
        assert card.message in stage.page(answer.location)
        assert stage.status(session) == ("open", "unpaid")


def test_after_a_decline_another_card_pays_on_the_same_page(stage: Stage) -> None:
    session = stage.session()
    declined = stage.pay(session, number="4000000000009995")
    page = stage.client.get(declined.location).text
    assert 'id="problems" tabindex="-1" autofocus' in page
    assert "Nothing was paid." in page
    assert stage.pay(session).location.endswith("/return")
    assert stage.status(session) == ("complete", "paid")


def test_a_challenge_that_fails_leads_back_to_the_form_and_pays_nothing(stage: Stage) -> None:
    session = stage.session()
    challenge = stage.pay(session, number="4000000000003220").location
    assert "€24.90" in stage.page(challenge)
    assert "Visa ending in 3220" in stage.page(challenge)
    answer = stage.client.post(challenge, data={"answer": "fail"})
    assert answer.location == f"/c/pay/{session}?declined=challenge_failed"
    assert "could not confirm" in stage.page(answer.location)
    assert stage.status(session) == ("open", "unpaid")


def test_a_challenge_that_is_left_stays_open_and_the_form_says_so(stage: Stage) -> None:
    session = stage.session()
    challenge = stage.pay(session, number="4000000000003220").location
    left = re.search(r'href="(/c/pay/[^"]+left=1)"', stage.client.get(challenge).text)
    assert left
    assert "You left the check" in stage.page(html.unescape(left[1]))
    assert stage.status(session) == ("open", "unpaid")
    assert stage.client.post(challenge, data={"answer": "complete"}).location.endswith("/return")
    assert stage.status(session) == ("complete", "paid")


def test_a_challenge_is_answered_once(stage: Stage) -> None:
    session = stage.session()
    challenge = stage.pay(session, number="4000000000003220").location
    stage.client.post(challenge, data={"answer": "complete"})
    assert "You confirmed this payment" in stage.page(challenge)
    stage.client.post(challenge, data={"answer": "fail"})
    assert stage.status(session) == ("complete", "paid")


def test_an_answer_that_is_none_changes_nothing(stage: Stage) -> None:
    session = stage.session()
    challenge = stage.pay(session, number="4000000000003220").location
    assert stage.client.post(challenge, data={"answer": "maybe"}).location == challenge
    assert "Is it you who pays" in stage.page(challenge)


def test_a_session_is_paid_once_however_often_the_form_is_sent(stage: Stage) -> None:
    session = stage.session()
    assert [stage.pay(session).location for _ in range(3)] == [f"/c/pay/{session}/return"] * 3
    assert len(stage.wire("/v1/charges")["data"]) == 1


@pytest.mark.parametrize(("outcome", "told"), [("succeed", "This is paid"), ("fail", "The bank debit failed")])
def test_a_bank_debit_completes_the_session_and_is_decided_later(outcome: str, told: str, stage: Stage) -> None:
    session = stage.session(
        **{"allowed_payment_method_types[0]": "card", "allowed_payment_method_types[1]": "sepa_debit"}
    )
    assert "money comes, or does not, days later" in stage.page(f"/c/pay/{session}?method=debit")
    answer = stage.client.post(f"/c/pay/{session}", data={"method": "debit", "outcome": outcome})
    assert answer.location.endswith("/return")
    assert stage.status(session) == ("complete", "unpaid")
    assert "on its way" in stage.page(f"/c/pay/{session}")
    stage.client.post("/control", data={"order": "settle"})
    assert told in stage.page(f"/c/pay/{session}")


def test_a_session_for_cards_alone_takes_no_bank_debit(stage: Stage) -> None:
    session = stage.session(**{"allowed_payment_method_types[0]": "card"})
    assert "Bank debit" not in stage.page(f"/c/pay/{session}")
    assert stage.client.post(f"/c/pay/{session}", data={"method": "debit", "outcome": "succeed"}).status_code == 422
    assert stage.status(session) == ("open", "unpaid")


def test_a_hold_is_told_as_a_hold(stage: Stage) -> None:
    session = stage.session(**{"payment_intent_data[capture_method]": "manual"})
    stage.pay(session)
    assert "The amount is reserved" in stage.page(f"/c/pay/{session}")


# --- wording -----------------------------------------------------------------------------------------------------


def test_the_page_shows_the_order_as_the_shop_gave_it(stage: Stage) -> None:
    page = stage.page(f"/c/pay/{stage.session(client_reference_id='1001')}")
    for words in (
        "TEST MODE: no money moves",
        "Pay €24.90",
        "2 \u00d7 Wool socks, grey",
        "Order 1001",
        "Back to shop.example",
    ):
        assert words in page


@pytest.mark.parametrize(
    ("currency", "amount", "words"),
    [("jpy", "1200", "Pay ¥2,400"), ("kwd", "1500", "Pay KWD 3.000"), ("usd", "50", "Pay $1.00")],
)
def test_the_button_names_the_amount_in_the_decimals_of_the_currency(
    currency: str, amount: str, words: str, stage: Stage
) -> None:
    item = "line_items[0][price_data]"
    session = stage.session(**{f"{item}[currency]": currency, f"{item}[unit_amount]": amount})
    assert words in stage.page(f"/c/pay/{session}")


@pytest.mark.parametrize(
    ("kind", "words"), [("donate", "Donate €24.90"), ("book", "Book for €24.90"), ("pay", "Pay €24.90")]
)
def test_the_button_says_what_the_shop_asked_for(kind: str, words: str, stage: Stage) -> None:
    assert words in stage.page(f"/c/pay/{stage.session(submit_type=kind)}")


def test_saving_a_card_charges_nothing_and_says_so(stage: Stage) -> None:
    items = {
        f"line_items[0]{name}": ""
        for name in (
            "[price_data][currency]",
            "[price_data][unit_amount]",
            "[price_data][product_data][name]",
            "[quantity]",
        )
    }
    session = stage.session(mode="setup", currency="eur", **items)
    assert "Nothing is charged now." in stage.page(f"/c/pay/{session}")
    stage.pay(session)
    assert "The card is saved" in stage.page(f"/c/pay/{session}")
    assert stage.wire("/v1/charges")["data"] == []


def test_a_known_email_is_shown_and_not_asked_for(stage: Stage) -> None:
    session = stage.session(customer_email="known@example.com")
    page = stage.client.get(f"/c/pay/{session}").text
    assert "known@example.com" in page
    assert 'name="email"' not in page
    assert stage.pay(session, email="").location.endswith("/return")


def test_an_expired_session_says_that_nothing_can_be_paid(stage: Stage) -> None:
    session = stage.session()
    stage.client.post("/control", data={"order": "advance", "seconds": "691200"})
    assert "This checkout has expired" in stage.page(f"/c/pay/{session}")
    answer = stage.pay(session)
    assert stage.client.get(answer.location).location == f"/c/pay/{session}"
    assert stage.status(session) == ("expired", "unpaid")


def test_an_expired_session_by_the_api_is_closed_on_the_page(stage: Stage) -> None:
    session = stage.session()
    stage.client.post(f"/v1/checkout/sessions/{session}/expire", headers=KEY)
    assert "Nothing was paid" in stage.page(f"/c/pay/{session}")
    assert "Nothing was paid" in stage.page("/c/expired")


def test_the_way_back_is_shown_only_for_what_is_complete(stage: Stage) -> None:
    session = stage.session()
    assert stage.client.get(f"/c/pay/{session}/return").location == f"/c/pay/{session}"


def test_a_test_card_is_filled_in_without_script(stage: Stage) -> None:
    page = stage.client.get(f"/c/pay/{stage.session()}?card=0005").text
    assert 'value="3782 822463 10005"' in page
    assert 'value="1234"' in page


# --- hostile -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["number", "name", "expiry", "email"])
def test_a_number_outside_the_list_is_refused_and_neither_shown_nor_logged_nor_stored(
    field: str, stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    session = stage.session()
    answer = stage.pay(session, **{field: UNLISTED})
    assert answer.status_code == 422
    assert (f'<a href="#number">{NOT_LISTED}' in answer.text) == (field == "number")
    assert UNLISTED not in answer.text.replace(" ", "")
    assert UNLISTED not in caplog.text
    assert UNLISTED not in repr(stage.wire("/v1/events"))
    assert stage.status(session) == ("open", "unpaid")


def test_no_test_card_s_number_is_kept_beyond_its_last_four_digits(stage: Stage) -> None:
    for card in ALL:
        stage.pay(stage.session(), number=card.number, cvc="1234" if card.brand == "amex" else "123")
    kept = repr(
        [
            (record.body, record.notes)
            for kind in list(stage.bank.vault.store._kinds)
            for record in stage.bank.vault.store.newest_first(kind)
        ]
    )
    assert [card.number for card in ALL if card.number in kept] == []


def test_a_form_with_problems_names_each_field_and_keeps_what_is_no_secret(stage: Stage) -> None:
    answer = stage.pay(stage.session(), number="4242 4242 4242 4243", cvc="1", expiry="01/20")
    assert answer.status_code == 422
    assert re.findall(r'<a href="#([a-z]+)">', answer.text) == ["number", "expiry", "cvc"]
    assert answer.text.count('aria-invalid="true"') == 3
    assert MISTYPED in answer.text
    assert 'value="ada@example.com"' in answer.text
    assert 'id="cvc" name="cvc" type="text" value=""' in answer.text


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}", "';--"])
def test_text_of_a_stranger_is_text(text: str, stage: Stage) -> None:
    session = stage.session(
        **{"line_items[0][price_data][product_data][name]": text, "client_reference_id": text, "customer_email": ""}
    )
    for answer in (
        stage.client.get(f"/c/pay/{session}?declined={text}&card={text}&method={text}"),
        stage.pay(session, cvc=text, name=text),
    ):
        assert "<script>alert" not in answer.text
        assert "<img src=x" not in answer.text
        assert " 49 " not in shown(answer)
    assert text in shown(stage.client.get(f"/c/pay/{session}"))


@pytest.mark.parametrize(
    "path", ["/c/pay/cs_test_none", "/c/pay/cs_test_none/return", "/3ds/tds_none", "/c/pay/%00", "/c/pay/<b>"]
)
def test_an_address_that_leads_nowhere_is_a_page_and_names_nothing(path: str, stage: Stage) -> None:
    answer = stage.client.get(path)
    assert answer.status_code == 404
    assert "There is nothing at this address" in answer.text
    assert "<b>" not in answer.text
    assert stage.client.post(path, data=CARD).status_code in {404, 405}


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
def test_another_site_s_form_is_refused(headers: dict[str, str], stage: Stage) -> None:
    session = stage.session()
    assert stage.client.post(f"/c/pay/{session}", data=CARD, headers=headers).status_code == 403
    assert stage.client.post("/control", data={"order": "payout"}, headers=headers).status_code == 403
    assert stage.status(session) == ("open", "unpaid")


def test_a_form_that_is_too_large_is_refused(stage: Stage) -> None:
    assert stage.pay(stage.session(), name="x" * 20_000).status_code == 413


def test_every_page_carries_the_strict_policy_and_no_inline_code(stage: Stage) -> None:
    session = stage.session()
    challenge = stage.pay(stage.session(), number="4000000000003220").location
    for path in ("/", "/control", "/c/expired", "/c/pay/none", f"/c/pay/{session}", challenge):
        answer = stage.client.get(path)
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "form-action 'self'" in policy
        assert answer.headers["Cache-Control"] == "no-store"
        assert re.search(r"<style|style=|<script(?![^>]*src=)|\son\w+=|https?://(?!shop\.example)", answer.text) is None


def test_static_files_are_kept_for_ever_under_their_own_version(stage: Stage) -> None:
    address = re.search(r'href="(/page-assets/\w+/test_bank\.css)"', stage.client.get("/").text)
    assert address
    answer = stage.client.get(address[1])
    assert (answer.status_code, answer.mimetype) == (200, "text/css")
    assert "immutable" in answer.headers["Cache-Control"]
    assert stage.client.get("/page-assets/older/test_bank.css").status_code == 404
    assert stage.client.get(address[1].replace("test_bank.css", "..%2fpages.py")).status_code == 404


# --- the hall ----------------------------------------------------------------------------------------------------


def test_the_front_page_lists_sessions_events_and_cards(stage: Stage) -> None:
    session = stage.session()
    stage.pay(session)
    page = stage.page("/")
    for words in (
        session,
        "complete, paid",
        "checkout.session.completed",
        "charge.succeeded",
        "ch_",
        "4242 4242 4242 4242",
    ):
        assert words in page


def order(stage: Stage, **form: str) -> str:
    """Give an order at the control panel and return the panel's words."""
    answer = stage.client.post("/control", data=form)
    assert answer.status_code == 303, answer.text
    return stage.page(answer.location)


def test_a_dispute_is_opened_and_lost_at_the_panel(stage: Stage) -> None:
    stage.pay(stage.session())
    (charge,) = stage.wire("/v1/charges")["data"]
    assert "needs response" in order(stage, order="dispute", subject=charge["id"], kind="dispute", reason="fraudulent")
    (dispute,) = stage.wire("/v1/disputes")["data"]
    assert "lost" in order(stage, order="lost", subject=dispute["id"])
    assert stage.wire(f"/v1/disputes/{dispute['id']}")["status"] == "lost"


def test_a_refund_is_failed_at_the_panel(stage: Stage) -> None:
    stage.pay(stage.session())
    (charge,) = stage.wire("/v1/charges")["data"]
    refund = stage.client.post("/v1/refunds", data={"charge": charge["id"]}, headers=KEY).get_json()
    assert "failed" in order(stage, order="fail", subject=refund["id"])
    assert stage.wire(f"/v1/refunds/{refund['id']}")["status"] == "failed"


def test_the_next_call_is_broken_once_at_the_panel(stage: Stage) -> None:
    order(stage, order="fault", on="any", kind="500_before")
    assert [stage.client.get("/v1/balance", headers=KEY).status_code for _ in range(2)] == [500, 200]


@pytest.mark.parametrize("kind", ["delay", "duplicate", "reorder", "lose", "bad_signature", "stale"])
def test_every_webhook_fault_of_the_panel_is_taken(kind: str, stage: Stage) -> None:
    assert "Done." in order(stage, order="webhook_fault", kind=kind)


@pytest.mark.parametrize(
    "kind", ["500_before", "500_after", "timeout_before", "timeout_after", "drop_before", "drop_after", "429"]
)
def test_every_fault_of_the_panel_is_taken(kind: str, stage: Stage) -> None:
    assert "Done." in order(stage, order="fault", on="POST /v1/refunds", kind=kind)


def test_the_clock_and_payouts_are_moved_at_the_panel(stage: Stage) -> None:
    before = stage.bank.clock.now()
    order(stage, order="advance", seconds="86400")
    assert stage.bank.clock.now() - before >= 86_400
    assert "Done." in order(stage, order="payout")


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"order": "rob"},
        {"order": "advance", "seconds": "-1"},
        {"order": "advance", "seconds": "٣"},
        {"order": "advance", "seconds": "9" * 40},
        {"order": "won", "subject": "../faults"},
        {"order": "won", "subject": "du_none"},
        {"order": "dispute", "subject": "ch_none", "kind": "dispute", "reason": "fraudulent"},
        {"order": "fault", "on": "any", "kind": "<b>"},
        {"order": "webhook_fault", "kind": "x"},
    ],
)
def test_a_wrong_order_is_refused_with_a_sentence(form: dict[str, str], stage: Stage) -> None:
    answer = stage.client.post("/control", data=form)
    assert answer.status_code in {400, 404}
    assert "<b>" not in re.sub(r"TEST MODE.*?</p>", "", answer.text)
    assert "<main" in answer.text


def test_every_effect_has_its_card() -> None:
    assert {card.effect for card in ALL} == set(CardEffect)
