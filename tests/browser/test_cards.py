"""A card payment as a person makes it, in a real Chromium: our page, the bank's page, and back, in every weather."""

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
import requests
from playwright.sync_api import expect

from sandbox.demo.stage import Scene
from tests.browser.conftest import NewContext
from tests.browser.stage import WAIT_S, Shopper, a_stage, eventually, let_time_pass, policy_reports

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow
DESK = {"viewport": {"width": 1280, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
DAYS_4 = 4 * 86_400
NewShopper = Callable[..., Shopper]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with a_stage(tmp_path_factory.mktemp("cards") / "stage") as scene:
        yield scene


@pytest.fixture
def shopper(stage: Scene, new_context: NewContext) -> Iterator[NewShopper]:
    """Return a maker of shoppers; no error in a console, no third party and no breach of the policy passes."""
    people: list[Shopper] = []

    def come(**options: object) -> Shopper:
        person = Shopper(stage, new_context(**(DESK | options)).new_page())
        people.append(person)
        return person

    yield come
    assert [person.troubles for person in people if person.troubles] == []
    assert policy_reports(stage) == 0


def control(scene: Scene, path: str, **body: object) -> dict[str, Any]:
    """Give an order to the bank."""
    answer = requests.post(f"{scene.bank_url}/_sandbox/{path}", json=body, timeout=10)
    assert answer.ok, answer.text
    return dict(answer.json())


def key(scene: Scene) -> dict[str, str]:
    """Return the header that opens the merchant's API."""
    return {"Authorization": f"Bearer {scene.shop_environment['STREAMPAY_API_KEY']}"}


def bank_session(scene: Scene, page_url: str, *, close: bool = False) -> str:
    """Return the state of a page at the bank, as the merchant's account there shows it; `close` ends it first."""
    url = f"{scene.bank_url}/v1/checkout/sessions/{page_url.rpartition('/')[2]}"
    headers = {"Authorization": f"Bearer {scene.environment['STREAMPAY_STRIPE_TEST_KEY']}"}
    if close:
        answer = requests.post(f"{url}/expire", headers=headers, timeout=10)
        assert answer.ok, answer.text
    return str(requests.get(url, headers=headers, timeout=10).json()["status"])


def go_to_bank(person: Shopper) -> str:
    """Choose the card, arrive at the bank's page, and return its address."""
    person.page.locator("#method-card").click()
    person.page.wait_for_url(f"{person.scene.bank_url}/c/pay/*")
    return person.page.url


def type_card(page: "Page", words: str) -> None:
    """Fill in the test card that these words name, and pay."""
    page.get_by_role("link", name=words, exact=True).first.click()
    page.get_by_role("button", name=re.compile("^Pay ")).click()


def come_back(person: Shopper) -> None:
    """Arrive at our page again."""
    person.page.wait_for_url(re.compile(f"^{re.escape(person.pay_url)}(\\?.*)?$"))


def expect_card_receipt(person: Shopper, words: str = "Visa •••• 4242") -> None:
    expect(person.page.locator("#progress .rows")).to_contain_text(words)


# --- the main road ---------------------------------------------------------------------------------------------------


def test_a_mug_is_bought_by_card_and_shipped(shopper: NewShopper) -> None:
    person = shopper()
    person.buy()
    expect(person.page.locator(".method").first).to_contain_text("Card")
    go_to_bank(person)
    expect(person.page.get_by_text("TEST MODE").first).to_be_visible()
    type_card(person.page, "Succeeds")
    come_back(person)
    person.expect_paid()
    expect_card_receipt(person)
    payment = person.payment()
    assert (payment.status, payment.exceptions) == ("paid", ())
    person.expect_shipped()
    person.page.goto(person.pay_url)
    person.expect_paid()
    expect_card_receipt(person)


@pytest.mark.parametrize("has_script", [True, False])
def test_a_declined_card_is_told_kindly_and_the_next_one_pays(shopper: NewShopper, *, has_script: bool) -> None:
    person = shopper(java_script_enabled=has_script, **PHONE)
    person.buy()
    first = go_to_bank(person)
    type_card(person.page, "Declined")
    expect(person.page.locator("#problems")).to_contain_text("declined")
    person.page.get_by_role("link", name=re.compile("^Back to ")).click()
    come_back(person)
    expect(person.status).to_contain_text("The card was declined. No money was taken.")
    expect(person.page.locator("#status")).to_have_attribute("data-tone", "bad")
    assert person.page.evaluate("document.documentElement.scrollWidth <= innerWidth") if has_script else True
    assert person.payment().status == "open"
    person.page.get_by_role("button", name="Try again by card").click()
    person.page.wait_for_url(first)  # the same page of the bank: nothing was opened twice
    type_card(person.page, "Succeeds")
    come_back(person)
    person.expect_paid()
    expect_card_receipt(person)
    assert len(person.payment().attempts) == 1
    person.expect_shipped()


def test_a_challenge_that_is_answered_pays(shopper: NewShopper) -> None:
    person = shopper()
    person.buy()
    go_to_bank(person)
    type_card(person.page, "3-D Secure")
    person.page.get_by_role("button", name="Complete: it is me").click()
    come_back(person)
    person.expect_paid()
    expect_card_receipt(person, "Visa •••• 3220")
    person.expect_shipped()


def test_a_challenge_left_alone_is_told_and_taken_up_again(shopper: NewShopper) -> None:
    person = shopper()
    person.buy()
    go_to_bank(person)
    type_card(person.page, "3-D Secure")
    person.page.wait_for_url("**/3ds/*")
    person.page.goto(f"{person.pay_url}/return")  # as by the link of an e-mail, hours later
    come_back(person)
    expect(person.status).to_contain_text("Your bank is still waiting for your confirmation. No money was taken.")
    assert person.payment().status == "requires_action"
    person.page.get_by_role("button", name="Continue to card payment").click()
    person.page.wait_for_url(f"{person.scene.bank_url}/c/pay/*")
    type_card(person.page, "3-D Secure")
    person.page.get_by_role("button", name="Complete: it is me").click()
    come_back(person)
    person.expect_paid()


def test_a_challenge_that_fails_takes_nothing_and_another_card_pays(shopper: NewShopper) -> None:
    person = shopper()
    person.buy()
    go_to_bank(person)
    type_card(person.page, "3-D Secure")
    person.page.get_by_role("button", name="Fail: the bank says no").click()
    person.page.get_by_role("link", name=re.compile("^Back to ")).click()
    come_back(person)
    expect(person.status).to_contain_text("Your bank could not confirm that it is you. No money was taken.")
    go_to_bank(person)
    type_card(person.page, "Succeeds")
    come_back(person)
    person.expect_paid()


# --- wandering about -------------------------------------------------------------------------------------------------


def test_the_back_button_leads_to_a_page_that_goes_on(shopper: NewShopper) -> None:
    person = shopper()
    person.buy()
    first = go_to_bank(person)
    person.page.go_back()
    come_back(person)
    expect(person.status).to_have_text("No card payment has arrived yet.")
    person.page.get_by_role("button", name="Continue to card payment").click()
    person.page.wait_for_url(first)
    type_card(person.page, "Succeeds")
    come_back(person)
    person.expect_paid()
    person.page.go_back()  # to the bank, where nothing is left to pay
    expect(person.page.get_by_role("button", name=re.compile("^Pay "))).to_have_count(0)
    person.page.goto(person.pay_url)
    person.expect_paid()


def test_whoever_pays_and_never_comes_back_has_paid(shopper: NewShopper) -> None:
    person = shopper()
    person.buy()
    watching = Shopper(person.scene, person.page.context.new_page(), troubles=person.troubles)
    watching.page.goto(person.pay_url)
    go_to_bank(person)
    expect(watching.page.get_by_role("button", name="Continue to card payment")).to_be_visible()
    person.page.route(f"{person.scene.gateway_url}/**", lambda route: route.abort())
    type_card(person.page, "Succeeds")
    watching.expect_paid()  # by the bank's notification alone


def test_a_coin_instead_closes_the_card_page(shopper: NewShopper) -> None:
    person = shopper()
    person.buy()
    bank_page = go_to_bank(person)
    person.page.go_back()
    come_back(person)
    person.choose("sol")
    expect(person.page.locator("#method-card")).to_be_visible()
    eventually("the bank's page", lambda: bank_session(person.scene, bank_page), "expired")
    person.ask_wallet()
    person.approve()
    person.expect_paid()
    assert person.payment().exceptions == ()


def test_time_that_runs_out_at_the_bank_is_told_at_the_bank_and_here(shopper: NewShopper) -> None:
    person = shopper()
    person.buy()
    bank_page = go_to_bank(person)
    let_time_pass(person.scene, person.token, hours=2)
    watching = Shopper(person.scene, person.page.context.new_page(), troubles=person.troubles)
    watching.page.goto(person.pay_url)
    expect(watching.status).to_have_text("Time is up. No payment arrived.", timeout=WAIT_S * 1000)
    expect(watching.page.locator("#detail")).to_contain_text("The card page is closed and no money was taken.")
    person.page.goto(bank_page)
    expect(person.page.get_by_role("heading", name=re.compile("expired|over|closed", re.IGNORECASE))).to_be_visible()


def test_a_page_that_closed_while_one_was_away_opens_again(shopper: NewShopper) -> None:
    person = shopper()
    person.buy()
    first = go_to_bank(person)
    assert bank_session(person.scene, first, close=True) == "expired"
    person.page.goto(f"{person.pay_url}/return")
    expect(person.status).to_have_text("The card page has closed. No money was taken.")
    assert go_to_bank(person) != first
    type_card(person.page, "Succeeds")
    come_back(person)
    person.expect_paid()


@pytest.mark.parametrize("has_script", [True, False])
def test_a_bank_that_fails_is_no_dead_end(shopper: NewShopper, *, has_script: bool) -> None:
    person = shopper(java_script_enabled=has_script)
    person.buy()
    control(person.scene, "faults", on="POST /v1/checkout/sessions", kind="500_before", times=20)
    person.page.locator("#method-card").click()
    come_back(person)
    expect(person.status).to_contain_text("The card page is not open yet. Nothing was charged.")
    control(person.scene, "faults/clear")
    retry(person)
    type_card(person.page, "Succeeds")
    come_back(person)
    person.expect_paid()
    assert person.payment().exceptions == ()


def retry(person: Shopper) -> None:
    """Ask for the bank's page until it is there: what is not known yet is cleared up by the sweep meanwhile."""
    for _ in range(20):
        person.page.get_by_role("button", name="Try again by card").click()
        person.page.wait_for_load_state()
        if person.page.url.startswith(person.scene.bank_url):
            return
        person.page.wait_for_timeout(500)
    raise AssertionError("the bank's page never opened")


def test_a_refund_shows_on_the_receipt(shopper: NewShopper) -> None:
    person = shopper()
    person.buy()
    go_to_bank(person)
    type_card(person.page, "Succeeds")
    come_back(person)
    person.expect_paid()
    refund = {"payment": person.payment().id, "amount": "2.30"}
    answer = requests.post(f"{person.scene.gateway_url}/v1/refunds", json=refund, headers=key(person.scene), timeout=20)
    assert answer.ok, answer.text
    person.page.goto(person.pay_url)
    expect(person.status).to_have_text("Paid. $2.30 of it was given back.")


# --- a bank that takes its time --------------------------------------------------------------------------------------


def pay_by_debit(person: Shopper, outcome: str) -> None:
    """Order a bank debit, and come back to a page that waits for it."""
    go_to_bank(person)
    person.page.get_by_role("link", name="Bank debit").click()
    person.page.get_by_label(re.compile(outcome)).check()
    person.page.get_by_role("button", name=re.compile("by bank debit$")).click()
    come_back(person)
    expect(person.status).to_have_text("Your bank is confirming the payment.")
    expect_card_receipt(person, "Bank debit")
    assert person.payment().status == "processing"
    expect(person.page.locator("#methods button")).to_have_count(0)


def test_a_debit_that_fails_later_is_told_and_a_card_pays(shopper: NewShopper) -> None:
    person = shopper()
    person.buy()
    pay_by_debit(person, "Fails later")
    control(person.scene, "settle_delayed")
    words = "The bank debit did not go through. No money was taken."
    expect(person.status).to_have_text(words, timeout=WAIT_S * 1000)
    go_to_bank(person)
    type_card(person.page, "Succeeds")
    come_back(person)
    person.expect_paid()


def test_a_debit_is_paid_when_the_banks_clock_has_come_to_it(shopper: NewShopper) -> None:
    """The last one here: a bank that is days ahead opens no more pages, since they would be over by its clock."""
    person = shopper()
    person.buy()
    pay_by_debit(person, "Succeeds later")
    control(person.scene, "clock/advance", seconds=DAYS_4)
    person.expect_paid()  # the page hears of it by itself
    person.expect_shipped()
