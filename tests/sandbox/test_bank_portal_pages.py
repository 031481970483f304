"""The customer portal, in front of a desk of paper: what is shown, what is asked of the bank, what is refused."""

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from sandbox.test_bank import pages
from sandbox.test_bank.bank import Bank
from sandbox.test_bank.checkout import PayResult
from sandbox.test_bank.clock import BankClock
from sandbox.test_bank.errors import no_such

CARD = {"number": "4242424242424242", "expiry": "12/34", "cvc": "123", "name": "Ada"}
HOME = "/p/session/bps_1"
PERIOD_END = 1_800_000_000  # 15 January 2027


def a_subscription(**changes: Any) -> dict[str, Any]:
    price = {"unit_amount": 1_000, "nickname": None, "recurring": {"interval": "month", "interval_count": 3}}
    return {
        "id": "sub_1",
        "status": "active",
        "currency": "eur",
        "description": "Coffee",
        "ended_at": None,
        "cancel_at_period_end": False,
        "default_payment_method": {"card": {"brand": "amex", "last4": "0005"}},
        "items": {"data": [{"quantity": 2, "current_period_end": PERIOD_END, "price": price}]},
    } | changes


@dataclass
class PaperPortal:
    """Keeps what the pages asked for; knows one customer."""

    subscriptions: list[dict[str, Any]] = field(default_factory=lambda: [a_subscription()])
    answer: PayResult = field(default_factory=lambda: PayResult(kind="paid"))
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    clock: BankClock = field(default_factory=BankClock)
    return_url: str = "https://shop.example/account"

    def portal_session(self, portal_id: str) -> Mapping[str, Any]:
        if portal_id != "bps_1":
            raise no_such("billing_portal.session", portal_id, param="id")
        return {"id": portal_id, "customer": "cus_1", "return_url": self.return_url}

    def portal_subscriptions(self, portal_id: str) -> Sequence[Mapping[str, Any]]:
        self.portal_session(portal_id)
        return self.subscriptions

    def portal_cancel(self, portal_id: str, subscription_id: str) -> None:
        self._change(portal_id, subscription_id, is_ending=True)

    def portal_resume(self, portal_id: str, subscription_id: str) -> None:
        self._change(portal_id, subscription_id, is_ending=False)

    def portal_update_card(
        self, portal_id: str, *, number: str, exp_month: int, exp_year: int, cvc: str, name: str
    ) -> PayResult:
        self.portal_session(portal_id)
        self.asked.append((number, exp_month, exp_year, cvc, name))
        return self.answer

    def _change(self, portal_id: str, subscription_id: str, *, is_ending: bool) -> None:
        self.portal_session(portal_id)
        found = [one for one in self.subscriptions if one["id"] == subscription_id]
        if not found:
            raise no_such("subscription", subscription_id, param="subscription")
        found[0]["cancel_at_period_end"] = is_ending


@pytest.fixture
def portal() -> PaperPortal:
    return PaperPortal()


@pytest.fixture
def client(portal: PaperPortal) -> FlaskClient:
    app = Flask("portal")
    app.register_blueprint(pages.build(Bank(seed="portal"), portal=portal))
    return app.test_client()


def words(client: FlaskClient, path: str = HOME) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", answer.text)).split())


def test_a_subscription_is_shown_with_its_price_rhythm_date_and_card(client: FlaskClient) -> None:
    page = words(client)
    for told in ("Coffee", "€20.00 every 3 months", "Renews on 15 January 2027", "American Express ending in 0005"):
        assert told in page


def test_a_subscription_is_ended_with_its_period_and_kept_again(client: FlaskClient) -> None:
    ended = client.post(f"{HOME}/cancel", data={"subscription": "sub_1"})
    assert (ended.status_code, ended.location) == (303, f"{HOME}?done=ending")
    assert "Ends on 15 January 2027, no further payment" in words(client, ended.location)
    kept = client.post(f"{HOME}/resume", data={"subscription": "sub_1"})
    assert "The subscription goes on." in words(client, kept.location)
    assert "Renews on" in words(client)


def test_a_subscription_that_ended_has_no_button(client: FlaskClient, portal: PaperPortal) -> None:
    portal.subscriptions = [a_subscription(status="canceled", ended_at=PERIOD_END)]
    page = client.get(HOME).text
    assert "Ended on 15 January 2027" in page
    assert "<button" not in page


def test_a_status_that_nobody_knows_yet_is_no_error(client: FlaskClient, portal: PaperPortal) -> None:
    portal.subscriptions = [a_subscription(status="frozen", default_payment_method=None)]
    assert "Unknown" in words(client)


def test_nobody_without_subscriptions_is_left_alone(client: FlaskClient, portal: PaperPortal) -> None:
    portal.subscriptions = []
    assert "You have no subscriptions." in words(client)


def test_a_card_is_changed(client: FlaskClient, portal: PaperPortal) -> None:
    answer = client.post(f"{HOME}/card", data=CARD)
    assert answer.location == f"{HOME}?done=card"
    assert portal.asked == [("4242424242424242", 12, 2034, "123", "Ada")]


def test_a_declined_card_is_not_taken(client: FlaskClient, portal: PaperPortal) -> None:
    portal.answer = PayResult(kind="declined", decline_code="lost_card")
    answer = client.post(f"{HOME}/card", data=CARD)
    assert answer.location == f"{HOME}/card?declined=lost_card"
    assert "The card was not changed." in words(client, answer.location)


def test_a_number_outside_the_list_does_not_reach_the_bank(client: FlaskClient, portal: PaperPortal) -> None:
    answer = client.post(f"{HOME}/card", data=CARD | {"number": "4539578763621486"})
    assert answer.status_code == 422
    assert "4539" not in answer.text
    assert portal.asked == []


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/p/session/bps_2/cancel", {"subscription": "sub_1"}),
        ("/p/session/bps_2/card", CARD),
        (f"{HOME}/cancel", {"subscription": "sub_2"}),
        (f"{HOME}/resume", {}),
    ],
)
def test_what_belongs_to_another_customer_is_not_found(
    path: str, form: dict[str, str], client: FlaskClient, portal: PaperPortal
) -> None:
    assert client.post(path, data=form).status_code == 404
    assert portal.asked == []
    assert not portal.subscriptions[0]["cancel_at_period_end"]


def test_another_site_s_form_is_refused(client: FlaskClient, portal: PaperPortal) -> None:
    headers = {"Sec-Fetch-Site": "cross-site"}
    assert client.post(f"{HOME}/cancel", data={"subscription": "sub_1"}, headers=headers).status_code == 403
    assert not portal.subscriptions[0]["cancel_at_period_end"]


def test_a_return_address_that_is_no_web_address_is_no_link(client: FlaskClient, portal: PaperPortal) -> None:
    portal.return_url = "javascript:alert(1)"
    assert "javascript" not in client.get(HOME).text


def test_without_a_portal_there_is_none() -> None:
    app = Flask("no portal")
    app.register_blueprint(pages.build(Bank(seed="portal")))
    assert app.test_client().get(HOME).status_code == 404
    assert app.test_client().get("/control").status_code == 404
