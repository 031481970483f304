"""The wire: keys, versions, what is refused and in which words, idempotency, pages, expansion, identifiers."""

import contextlib
import itertools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import stripe
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.test_bank import Bank, brackets, serve
from sandbox.test_bank.errors import ApiError
from sandbox.test_bank.store import Store
from tests.sandbox.test_bank_stage import KEY, HandClock, Stage, raw, response_pointer, staged

SESSION = {
    "mode": "payment",
    "success_url": "http://shop.test/ok",
    "line_items[0][quantity]": "1",
    "line_items[0][price_data][currency]": "eur",
    "line_items[0][price_data][unit_amount]": "1200",
    "line_items[0][price_data][product_data][name]": "T-shirt",
}


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with staged() as made:
        yield made


def refusal(answer: requests.Response) -> tuple[int, str | None, str | None]:
    error = answer.json()["error"]
    return answer.status_code, error.get("code"), error.get("param")


# --- the door --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["sk_live_x", "rk_live_x", "pk_test_x", "", "Bearer"])
def test_anything_but_a_secret_test_key_is_refused(stage: Stage, key: str) -> None:
    answer = requests.get(f"{stage.running.url}/v1/charges", headers={"Authorization": f"Bearer {key}"}, timeout=5)
    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_a_live_key_is_told_where_it_went(stage: Stage) -> None:
    with pytest.raises(stripe.AuthenticationError, match="refuses live keys"):
        stripe.StripeClient("sk_live_x", base_addresses={"api": stage.running.url}).v1.charges.list()


def test_a_basic_authorization_that_cannot_be_read_is_refused(stage: Stage) -> None:
    odd = requests.get(f"{stage.running.url}/v1/charges", headers={"Authorization": "Basic !!"}, timeout=5)
    assert odd.status_code == 401


def test_another_version_and_connected_accounts_are_refused_rather_than_ignored(stage: Stage) -> None:
    assert raw(stage, "GET", "/v1/charges", Stripe_Version="2020-08-27").status_code == 400
    assert raw(stage, "GET", "/v1/charges", Stripe_Account="acct_1").status_code == 501
    assert raw(stage, "GET", "/v1/charges").headers["Stripe-Version"] == "2026-10-28.endive"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/transfers"),
        ("GET", "/v1/charges/search"),
        ("GET", "/v1/charges/search?query=x"),
        ("POST", "/v1/charges"),
        ("DELETE", "/v1/payouts/po_1"),
        ("GET", "/v1/nonesuch"),
        ("GET", "/v2/core/events"),
    ],
)
def test_what_is_not_emulated_says_so(stage: Stage, method: str, path: str) -> None:
    answer = raw(stage, method, path)
    assert answer.status_code == 501
    assert answer.json()["error"]["type"] == "api_error"
    assert "not emulated" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("path", "fields", "param"),
    [
        ("/v1/checkout/sessions", {"automatic_tax[enabled]": "true"}, "automatic_tax"),
        ("/v1/payment_intents", {"amount": "500", "currency": "eur", "on_behalf_of": "acct_1"}, "on_behalf_of"),
        ("/v1/refunds", {"charge": "ch_1", "reverse_transfer": "true"}, "reverse_transfer"),
    ],
)
def test_a_parameter_that_would_be_ignored_is_refused(
    stage: Stage, path: str, fields: dict[str, str], param: str
) -> None:
    answer = raw(stage, "POST", path, fields)
    assert (answer.status_code, answer.json()["error"]["param"]) == (501, param)


def test_every_described_operation_is_done_or_answers_501(stage: Stage) -> None:
    spec = stage.bank.vault.spec
    for operation in spec.operations():
        if not stage.bank.is_emulated(operation.name):
            path = operation.template.replace("{id}", "some_1")
            assert response_pointer(operation.method, path)[0] == operation.name
            assert raw(stage, operation.method, path).status_code == 501, operation.name


def test_the_bank_listens_on_loopback_only() -> None:
    with pytest.raises(ValueError, match="loopback"):
        serve(host="0.0.0.0")  # noqa: S104 - it must be refused


# --- requests --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "code", "param"),
    [
        ({"amonut": "5"}, "parameter_unknown", "amonut"),
        ({"line_items[0][qantity]": "1"}, "parameter_unknown", "line_items[0][qantity]"),
        ({"line_items[0][quantity]": "one"}, "parameter_invalid_integer", "line_items[0][quantity]"),
        ({"line_items[0][quantity]": ""}, "parameter_invalid_integer", "line_items[0][quantity]"),
        ({"line_items[0][quantity]": "\u0661"}, "parameter_invalid_integer", "line_items[0][quantity]"),
        ({"line_items[0][quantity]": "0"}, "parameter_invalid_integer", "line_items[0][quantity]"),
        ({"line_items[0][quantity]": None}, "parameter_missing", "line_items[0][quantity]"),
        (
            {"line_items[0][price_data][product_data][name]": None},
            "parameter_missing",
            "line_items[0][price_data][product]",
        ),
        ({"line_items[0][price_data][currency]": None}, "parameter_missing", "line_items[0][price_data][currency]"),
        ({"line_items[0][price_data][currency]": "xyz"}, None, "line_items[0][price_data][currency]"),
        ({"line_items[0][price_data][unit_amount]": "49"}, "amount_too_small", "line_items"),
        ({"line_items[0][price_data][unit_amount]": "100000000"}, "parameter_invalid_integer", None),
        ({"mode": "gift"}, None, "mode"),
        ({"mode": None}, "parameter_missing", "mode"),
        ({"success_url": None}, "parameter_missing", "success_url"),
        ({"success_url": ""}, "parameter_invalid_empty", "success_url"),
        ({"success_url": "h" * 5001}, None, "success_url"),
        ({"customer": "cus_none"}, "resource_missing", "customer"),
        ({"line_items": "x"}, None, "line_items"),
        ({"metadata[a][b]": "x"}, None, "metadata[a]"),
        ({"metadata": "x"}, None, "metadata"),
        ({f"metadata[{'k' * 41}]": "x"}, None, f"metadata[{'k' * 40}]"),
        ({"metadata[k]": "v" * 501}, None, "metadata[k]"),
        ({"payment_method_types[0]": "card"}, "parameter_unknown", "payment_method_types"),
        ({"expand[0]": "nonsense"}, None, "expand"),
        ({"expires_at": "1"}, None, "expires_at"),
        ({"payment_intent_data[capture_method]": "later"}, None, "payment_intent_data[capture_method]"),
    ],
)
def test_a_wrong_session_is_refused_in_stripes_words(
    stage: Stage, change: dict[str, str | None], code: str | None, param: str | None
) -> None:
    before = stage.bank.vault.store.size("checkout.session")
    fields = {name: value for name, value in (SESSION | change).items() if value is not None}
    status, found_code, found_param = refusal(raw(stage, "POST", "/v1/checkout/sessions", fields))
    assert (status, found_code) == (400, code)
    assert param is None or found_param == param
    assert stage.bank.vault.store.size("checkout.session") == before


def test_an_identifier_of_another_kind_is_404_too(stage: Stage) -> None:
    assert refusal(raw(stage, "GET", "/v1/refunds/re_none")) == (404, "resource_missing", "id")
    assert refusal(raw(stage, "GET", "/v1/refunds/cs_test_1")) == (404, "resource_missing", "id")


@pytest.mark.parametrize(
    "body", [b"a[b=1&c]d=2", b"[0]=1", b"a=%ff", b"a=1&a[b]=2", b"a[b]=2&a=1", b"&".join([b"a=1"] * 2_001), b"\xff\xfe"]
)
def test_hostile_bodies_are_refused(stage: Stage, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/x-www-form-urlencoded"}
    answer = requests.post(f"{stage.running.url}/v1/refunds", data=body, headers=headers, timeout=5)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_a_json_body_and_a_huge_one_are_refused(stage: Stage) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    url = f"{stage.running.url}/v1/refunds"
    assert requests.post(url, json={"amount": 1}, headers=headers, timeout=5).status_code == 400
    assert requests.post(url, data={"amount": "1" * 2_000_000}, headers=headers, timeout=5).status_code == 413


_NAMES = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=6)
_TREES = st.recursive(
    st.text(max_size=8), lambda inner: st.dictionaries(_NAMES, inner, min_size=1, max_size=3), max_leaves=8
)


@settings(deadline=None)
@given(st.dictionaries(_NAMES, _TREES, max_size=4))
def test_brackets_decode_what_was_encoded(tree: dict[str, Any]) -> None:
    from urllib.parse import urlencode

    def flat(prefix: str, value: Any) -> Iterator[tuple[str, str]]:
        if isinstance(value, str):
            yield prefix, value
            return
        for name, inner in value.items():
            yield from flat(f"{prefix}[{name}]", inner)

    pairs = list(itertools.chain.from_iterable(flat(name, value) for name, value in tree.items()))
    assert brackets.decode(urlencode(pairs)) == tree


@settings(deadline=None)
@given(st.text(max_size=60))
def test_no_text_breaks_the_decoder(text: str) -> None:
    with contextlib.suppress(ApiError):
        brackets.decode(text)


def test_a_list_may_be_given_without_positions(stage: Stage) -> None:
    fields = [
        ("enabled_events[]", "charge.succeeded"),
        ("enabled_events[]", "refund.created"),
        ("url", "http://x.test/"),
    ]
    made = raw(stage, "POST", "/v1/webhook_endpoints", fields).json()
    assert made["enabled_events"] == ["charge.succeeded", "refund.created"]
    stage.v1.webhook_endpoints.delete(made["id"])


# --- idempotency -----------------------------------------------------------------------------------------------------


def test_an_error_of_a_call_that_began_is_the_answer_for_good(stage: Stage) -> None:
    fields = {"payment_intent": "pi_none"}
    first, again = (raw(stage, "POST", "/v1/refunds", fields, Idempotency_Key="three") for _ in range(2))
    assert first.status_code == again.status_code == 400
    assert again.headers["Idempotent-Replayed"] == "true"


def test_what_a_call_itself_finds_missing_may_be_mended_too(stage: Stage) -> None:
    short = {name: value for name, value in SESSION.items() if name != "success_url"}
    assert raw(stage, "POST", "/v1/checkout/sessions", short, Idempotency_Key="five").status_code == 400
    assert raw(stage, "POST", "/v1/checkout/sessions", SESSION, Idempotency_Key="five").status_code == 200


def test_a_key_is_forgotten_after_a_day_to_the_second() -> None:
    clock = HandClock()
    with staged(Bank(seed="keys", real_time_s=clock)) as stage:

        def made() -> str:
            answer = raw(stage, "POST", "/v1/customers", {"name": "A"}, Idempotency_Key="kept")
            return str(answer.json()["id"])

        first = made()
        clock.moment += 86_399
        assert made() == first
        clock.moment += 1
        assert made() != first


def test_a_key_in_use_is_409_and_worth_a_retry(stage: Stage) -> None:
    stage.order("faults", {"on": "POST /v1/customers", "kind": "timeout_before", "seconds": 30})
    began = threading.Event()

    def hang() -> None:
        began.set()
        with pytest.raises(requests.ConnectionError):
            raw(stage, "POST", "/v1/customers", {"name": "A"}, Idempotency_Key="six")

    thread = threading.Thread(target=hang)
    thread.start()
    began.wait(5)
    while not stage.bank.keys._running:
        began.wait(0.01)
    answer = raw(stage, "POST", "/v1/customers", {"name": "A"}, Idempotency_Key="six")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "idempotency_key_in_use")
    assert answer.headers["Stripe-Should-Retry"] == "true"
    stage.bank.stopping.set()
    thread.join(10)
    stage.bank.stopping.clear()
    assert raw(stage, "POST", "/v1/customers", {"name": "A"}, Idempotency_Key="six").status_code == 200


# --- pages and expansion ---------------------------------------------------------------------------------------------


def test_lists_filter_by_time() -> None:
    clock = HandClock()
    with staged(Bank(seed="time", real_time_s=clock)) as stage:
        made = []
        for _ in range(3):
            made.append(stage.v1.customers.create({}))
            clock.moment += 10
        middle = made[1].created
        for window, expected in (({"gt": middle}, [2]), ({"gte": middle}, [2, 1]), ({"lt": middle}, [0])):
            page = stage.v1.customers.list({"created": window})
            assert [customer.id for customer in page.data] == [made[place].id for place in expected]
        assert [customer.id for customer in stage.v1.customers.list({"created": middle}).data] == [made[1].id]


def test_expansion_goes_four_levels_deep_and_only_where_it_leads_somewhere(stage: Stage) -> None:
    paid = stage.paid()
    stage.v1.refunds.create({"charge": paid.payment_intent.latest_charge.id, "amount": 100})
    deep = "data.payment_intent.latest_charge.balance_transaction.source"
    session = stage.v1.checkout.sessions.list({"limit": 1, "expand": [deep]}).data[0]
    assert session.payment_intent.latest_charge.balance_transaction.source.id == paid.payment_intent.latest_charge.id
    for path in ("nonsense", "status", "payment_intent.status", "payment_intent.latest_charge.customer.x", "a.b.c.d.e"):
        with pytest.raises(stripe.InvalidRequestError) as caught:
            stage.v1.checkout.sessions.retrieve(session.id, {"expand": [path]})
        assert caught.value.param == "expand"


def test_expansion_never_leaks_into_what_is_stored(stage: Stage) -> None:
    paid = stage.paid()
    plain = stage.v1.checkout.sessions.retrieve(paid.id)
    assert plain.payment_intent == paid.payment_intent.id
    assert "line_items" not in plain


# --- determinism and restart -----------------------------------------------------------------------------------------


def _lived(seed: str) -> list[str]:
    with staged(Bank(seed=seed, real_time_s=HandClock())) as stage:
        paid = stage.paid()
        stage.v1.refunds.create({"payment_intent": paid.payment_intent.id})
        return [event["id"] for event in stage.events()] + [paid.id, paid.payment_intent.id]


def test_the_same_calls_give_the_same_identifiers_by_seed_alone() -> None:
    first, same, other = _lived("a"), _lived("a"), _lived("b")
    assert first == same
    assert not set(first) & set(other)


def test_a_bank_with_a_file_lives_on_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "bank.sqlite"
    with staged(Bank(path=path, seed="file")) as stage:
        open_session = stage.session()
        paid = stage.paid()
        raw(stage, "POST", "/v1/customers", {"name": "A"}, Idempotency_Key="kept")
        stage.bank.advance(60)
        before = [event["id"] for event in stage.events()]
        moment = stage.bank.vault.now()
        to_come = sorted(stage.bank.vault.store._tasks)
    assert sorted(Store(path)._tasks) == to_come
    with staged(Bank(path=path, seed="ignored")) as stage:
        assert [event["id"] for event in stage.events()] == before
        assert stage.full(paid).payment_intent.latest_charge.balance_transaction is not None
        replayed = raw(stage, "POST", "/v1/customers", {"name": "A"}, Idempotency_Key="kept")
        assert replayed.headers["Idempotent-Replayed"] == "true"
        assert stage.bank.vault.now() >= moment
        assert stage.session().id not in {paid.id, open_session.id}
        stage.bank.advance(86_400)
        assert stage.v1.checkout.sessions.retrieve(open_session.id).status == "expired"
