"""What the Test Bank and Stripe both answer: the same tests, asked of the bank and, with a key, of Stripe's test mode.

Nothing here needs a page, a clock or a control, so whatever passes for the bank must pass for Stripe. With
``STRIPE_TEST_KEY`` set it is asked at ``https://api.stripe.com``, or at ``STRIPE_TEST_URL`` where something stands in.
"""

import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests
import stripe

from sandbox.test_bank import Bank, serve
from tests.conftest import STRIPE_HOST, STRIPE_KEY_VARIABLE
from tests.sandbox.test_bank_stage import KEY, complaints, response_pointer

STRIPE_KEY = os.environ.get(STRIPE_KEY_VARIABLE, "")
URL_VARIABLE = "STRIPE_TEST_URL"
VERSION = "2026-10-28.endive"
TIMEOUT_S = 20
PAGE = "http://shop.test/ok"
SESSION = {
    "mode": "payment",
    "success_url": PAGE,
    "line_items[0][quantity]": "1",
    "line_items[0][price_data][currency]": "eur",
    "line_items[0][price_data][unit_amount]": "1200",
    "line_items[0][price_data][product_data][name]": "T-shirt",
}
WITHOUT_A_PAGE = {"automatic_payment_methods[enabled]": "true", "automatic_payment_methods[allow_redirects]": "never"}
INTENT = {"amount": "1200", "currency": "eur"} | WITHOUT_A_PAGE
PAYMENT = INTENT | {"payment_method": "pm_card_visa", "confirm": "true"}


@dataclass(frozen=True, slots=True)
class Wire:
    """One who answers Stripe's API, and a key that he takes."""

    url: str
    key: str
    http: requests.Session

    @property
    def v1(self) -> Any:
        """The services of an unmodified stripe-python, untyped: tests hand over what no type allows."""
        http = stripe.RequestsClient(timeout=TIMEOUT_S, session=self.http)
        return stripe.StripeClient(self.key, base_addresses={"api": self.url}, http_client=http).v1

    def ask(self, method: str, path: str, fields: Any = None, **headers: str) -> requests.Response:
        """Send a request as no library would let one."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {"Authorization": f"Bearer {self.key}", "Stripe-Version": VERSION} | named
        place = {"params": fields} if method == "GET" else {"data": fields}
        return self.http.request(method, self.url + path, headers=sent, timeout=TIMEOUT_S, **place)

    def made(self, path: str, fields: Any) -> dict[str, Any]:
        """Make an object that must fit its description, and return it."""
        return fitting("POST", path, self.ask("POST", path, fields))


@pytest.fixture(scope="module", params=["test bank", "stripe"] if STRIPE_KEY else ["test bank"])
def wire(request: pytest.FixtureRequest) -> Iterator[Wire]:
    """Return the bank, and then Stripe itself where there is a key."""
    with requests.Session() as http:
        if request.param == "test bank":
            http.trust_env = False
            with serve(Bank(seed="contract")) as running:
                yield Wire(running.url, KEY, http)
            return
        assert STRIPE_KEY.startswith(("sk_test_", "rk_test_")), "the contract is for test mode: no money may move"
        yield Wire(os.environ.get(URL_VARIABLE, f"https://{STRIPE_HOST}"), STRIPE_KEY, http)


@pytest.fixture
def once() -> str:
    """Return a word that nobody has used: Stripe remembers keys for a day, and customers for longer."""
    return uuid.uuid4().hex


def refusal(answer: requests.Response) -> tuple[int, str | None, str | None]:
    error = answer.json()["error"]
    return answer.status_code, error.get("code"), error.get("param")


def fitting(method: str, path: str, answer: requests.Response) -> dict[str, Any]:
    """Return the object of an answer, after a look whether it is what the description says."""
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    assert complaints(body, response_pointer(method, path)[1]) == []
    return body


@pytest.mark.skipif(not STRIPE_KEY, reason=f"set {STRIPE_KEY_VARIABLE} to ask Stripe itself")
def test_stripe_takes_the_key(wire: Wire) -> None:
    assert wire.v1.customers.list({"limit": 1}).object == "list"


# --- the door --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["", "pk_test_x", "Bearer"])
def test_a_wrong_key_is_401(wire: Wire, key: str) -> None:
    answer = wire.ask("GET", "/v1/charges", Authorization=f"Bearer {key}")
    assert (answer.status_code, answer.json()["error"]["type"]) == (401, "invalid_request_error")


def test_a_key_may_come_as_basic_authorization(wire: Wire) -> None:
    answered = wire.http.get(f"{wire.url}/v1/charges", auth=(wire.key, ""), timeout=TIMEOUT_S)
    assert answered.status_code == 200


def test_every_answer_says_its_version_and_a_request_of_its_own(wire: Wire) -> None:
    first, second = wire.ask("GET", "/v1/charges"), wire.ask("GET", "/v1/charges")
    assert first.headers["Stripe-Version"] == VERSION
    assert first.headers["Request-Id"] != second.headers["Request-Id"]


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "code", "param"),
    [
        ({"amonut": "5"}, "parameter_unknown", "amonut"),
        ({"line_items[0][quantity]": "one"}, "parameter_invalid_integer", "line_items[0][quantity]"),
        ({"line_items[0][price_data][currency]": None}, "parameter_missing", "line_items[0][price_data][currency]"),
        ({"customer": "cus_none"}, "resource_missing", "customer"),
        ({"metadata": "x"}, None, "metadata"),
    ],
)
def test_a_wrong_session_is_refused_in_stripes_words(
    wire: Wire, change: dict[str, str | None], code: str | None, param: str
) -> None:
    fields = {name: value for name, value in (SESSION | change).items() if value is not None}
    assert refusal(wire.ask("POST", "/v1/checkout/sessions", fields)) == (400, code, param)


def test_an_unknown_parameter_comes_with_a_guess(wire: Wire) -> None:
    answer = wire.ask("POST", "/v1/refunds", {"amonut": "5"})
    assert answer.json()["error"]["message"] == "Received unknown parameter: amonut. Did you mean amount?"


@pytest.mark.parametrize("fields", [{"limit": "0"}, {"limit": "101"}, {"starting_after": "ch_none"}, {"limit": "ten"}])
def test_a_wrong_page_is_refused(wire: Wire, fields: dict[str, str]) -> None:
    status, _, param = refusal(wire.ask("GET", "/v1/charges", fields))
    assert (status, param) == (400, next(iter(fields)))


def test_an_unknown_identifier_is_404(wire: Wire) -> None:
    assert refusal(wire.ask("GET", "/v1/payment_intents/pi_none")) == (404, "resource_missing", "intent")
    with pytest.raises(stripe.InvalidRequestError) as caught:
        wire.v1.payment_intents.retrieve("pi_none")
    assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")


# --- idempotency -----------------------------------------------------------------------------------------------------


def test_one_key_makes_one_object_and_says_so(wire: Wire, once: str) -> None:
    first, again = (wire.ask("POST", "/v1/checkout/sessions", SESSION, Idempotency_Key=once) for _ in range(2))
    assert first.json() == again.json()
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["Original-Request"] == first.headers["Request-Id"] != again.headers["Request-Id"]


def test_one_key_with_other_parameters_or_another_path_is_an_error(wire: Wire, once: str) -> None:
    wire.ask("POST", "/v1/customers", {"name": "A"}, Idempotency_Key=once)
    for path, fields in (("/v1/customers", {"name": "B"}), ("/v1/products", {"name": "A"})):
        answer = wire.ask("POST", path, fields, Idempotency_Key=once)
        assert (answer.status_code, answer.json()["error"]["type"]) == (400, "idempotency_error")
    with pytest.raises(stripe.IdempotencyError):
        wire.v1.customers.create({"name": "C"}, {"idempotency_key": once})


def test_a_request_that_failed_validation_may_be_mended_under_its_key(wire: Wire, once: str) -> None:
    assert wire.ask("POST", "/v1/customers", {"nmae": "A"}, Idempotency_Key=once).status_code == 400
    assert wire.ask("POST", "/v1/customers", {"name": "A"}, Idempotency_Key=once).status_code == 200


def test_a_long_key_is_refused(wire: Wire) -> None:
    assert wire.ask("POST", "/v1/customers", {"name": "A"}, Idempotency_Key="k" * 256).status_code == 400


# --- pages and expansion ---------------------------------------------------------------------------------------------


def test_pages_walk_forward_and_backward_without_gap_or_double(wire: Wire, once: str) -> None:
    email, customers = f"{once}@example.com", wire.v1.customers
    made = [customers.create({"email": email}).id for _ in range(7)]
    assert [one.id for one in customers.list({"email": email, "limit": 3}).auto_paging_iter()] == made[::-1]
    assert not customers.list({"email": email, "limit": 7}).has_more
    assert customers.list({"email": email, "limit": 6}).has_more
    before = customers.list({"email": email, "limit": 2, "ending_before": made[2]})
    assert [customer.id for customer in before.data] == [made[4], made[3]]
    assert before.has_more
    first = customers.list({"email": email, "limit": 5, "ending_before": made[4]})
    assert ([customer.id for customer in first.data], first.has_more) == ([made[6], made[5]], False)


def test_expansion_goes_where_it_leads_somewhere_and_is_not_stored(wire: Wire) -> None:
    paid = wire.made("/v1/payment_intents", PAYMENT)
    path = f"/v1/payment_intents/{paid['id']}"
    full = fitting("GET", path, wire.ask("GET", path, {"expand[]": "latest_charge.payment_intent"}))
    assert (full["latest_charge"]["id"], full["latest_charge"]["payment_intent"]["id"]) == (
        paid["latest_charge"],
        paid["id"],
    )
    assert fitting("GET", path, wire.ask("GET", path))["latest_charge"] == paid["latest_charge"]
    for wrong in ("nonsense", "status", "a.b.c.d.e"):
        assert wire.ask("GET", path, {"expand[]": wrong}).status_code == 400


# --- objects ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/v1/customers", {"email": "jenny@example.com", "metadata[order]": "7"}),
        ("/v1/products", {"name": "T-shirt"}),
        ("/v1/prices", {"currency": "eur", "unit_amount": "1200", "product_data[name]": "T-shirt"}),
        ("/v1/checkout/sessions", SESSION),
        ("/v1/setup_intents", WITHOUT_A_PAGE),
        ("/v1/payment_intents", INTENT),
    ],
)
def test_what_is_made_fits_the_description_and_is_read_back_as_it_was(
    wire: Wire, path: str, fields: dict[str, str]
) -> None:
    made = wire.made(path, fields)
    here = f"{path}/{made['id']}"
    assert fitting("GET", here, wire.ask("GET", here))["id"] == made["id"]


def test_a_session_is_open_until_it_is_expired_by_hand(wire: Wire) -> None:
    opened = wire.made("/v1/checkout/sessions", SESSION)
    assert (opened["status"], opened["payment_status"], opened["amount_total"]) == ("open", "unpaid", 1_200)
    expire = f"/v1/checkout/sessions/{opened['id']}/expire"
    assert wire.made(expire, {})["status"] == "expired"
    assert wire.ask("POST", expire).status_code == 400


def test_a_confirmed_intent_pays_and_gives_back_no_more_than_it_took(wire: Wire) -> None:
    paid = wire.made("/v1/payment_intents", PAYMENT)
    assert (paid["status"], paid["amount_received"]) == ("succeeded", 1_200)
    assert wire.made("/v1/refunds", {"payment_intent": paid["id"], "amount": "700"})["amount"] == 700
    assert wire.ask("POST", "/v1/refunds", {"payment_intent": paid["id"], "amount": "501"}).status_code == 400
    assert wire.made("/v1/refunds", {"payment_intent": paid["id"]})["amount"] == 500
    status, code, _ = refusal(wire.ask("POST", "/v1/refunds", {"payment_intent": paid["id"]}))
    assert (status, code) == (400, "charge_already_refunded")


def test_a_declined_card_is_402(wire: Wire) -> None:
    answer = wire.ask("POST", "/v1/payment_intents", PAYMENT | {"payment_method": "pm_card_visa_chargeDeclined"})
    assert (answer.status_code, answer.json()["error"]["type"]) == (402, "card_error")
    assert answer.json()["error"]["code"] == "card_declined"


def test_a_hold_is_captured_in_part_and_another_is_let_go(wire: Wire) -> None:
    held, loose = (wire.made("/v1/payment_intents", PAYMENT | {"capture_method": "manual"}) for _ in range(2))
    assert (held["status"], held["amount_capturable"]) == ("requires_capture", 1_200)
    taken = wire.made(f"/v1/payment_intents/{held['id']}/capture", {"amount_to_capture": "700"})
    assert (taken["status"], taken["amount_received"]) == ("succeeded", 700)
    assert wire.made(f"/v1/payment_intents/{loose['id']}/cancel", {})["status"] == "canceled"
    late = wire.ask("POST", f"/v1/payment_intents/{loose['id']}/capture")
    assert (late.status_code, late.json()["error"]["code"]) == (400, "payment_intent_unexpected_state")
