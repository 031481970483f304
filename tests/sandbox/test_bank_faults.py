"""Webhooks and faults: what is signed, retried, doubled, lost, and what a caller never learns about his own call."""

import hashlib
import hmac
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
import stripe

from sandbox.test_bank import Bank, serve
from tests.sandbox.test_bank_stage import HandClock, Receiver, Stage, raw, receiving, staged

SECRET = "whsec_stage"
PAID = ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded", "checkout.session.completed"]


@pytest.fixture
def stage() -> Iterator[Stage]:
    with staged(Bank(seed="faults", real_time_s=HandClock())) as made:
        yield made


@pytest.fixture
def receiver(stage: Stage) -> Iterator[Receiver]:
    """Receive whatever concerns payments."""
    with receiving() as made:
        events = [
            "payment_intent.created",
            "payment_intent.succeeded",
            "charge.succeeded",
            "checkout.session.completed",
        ]
        endpoint = {"url": made.url, "secret": SECRET, "enabled_events": events}
        assert stage.order("webhook_endpoints", endpoint)["secret"] == SECRET
        yield made


def until(is_so: Callable[[], bool]) -> None:
    """Wait for the courier; a minute is for ever."""
    for _ in range(6_000):
        if is_so():
            return
        time.sleep(0.01)
    raise AssertionError("it never came")


def flushed(stage: Stage) -> None:
    """Wait until nothing is ready to be carried."""
    stage.order("webhooks/flush")
    until(lambda: stage.bank.courier.ready() == 0)


# --- webhooks --------------------------------------------------------------------------------------------------------


def test_every_event_arrives_signed_and_in_order(stage: Stage, receiver: Receiver) -> None:
    stage.paid()
    flushed(stage)
    assert receiver.names() == PAID
    for body, signature in zip(receiver.bodies, receiver.signatures, strict=True):
        event = stripe.Webhook.construct_event(body, signature, SECRET)
        read_again = stage.v1.events.retrieve(event.id)
        assert read_again.data.object.to_dict() == json.loads(body)["data"]["object"]
        assert json.loads(body)["pending_webhooks"] == 1
        assert read_again.pending_webhooks == 0


def test_the_signature_is_the_documented_one(stage: Stage, receiver: Receiver) -> None:
    stage.paid()
    flushed(stage)
    moment, digest = (part.partition("=")[2] for part in receiver.signatures[0].split(","))
    expected = hmac.new(SECRET.encode(), f"{moment}.".encode() + receiver.bodies[0], hashlib.sha256).hexdigest()
    assert digest == expected
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(receiver.bodies[0], receiver.signatures[0], "whsec_other")


def test_an_endpoint_made_by_the_api_shows_its_secret_once_and_gets_what_it_asked_for(stage: Stage) -> None:
    with receiving() as receiver:
        made = stage.v1.webhook_endpoints.create({"url": receiver.url, "enabled_events": ["charge.succeeded"]})
        assert "secret" not in stage.v1.webhook_endpoints.retrieve(made.id)
        stage.paid()
        flushed(stage)
        assert receiver.names() == ["charge.succeeded"]
        stripe.Webhook.construct_event(receiver.bodies[0], receiver.signatures[0], made.secret)
        stage.v1.webhook_endpoints.update(made.id, {"disabled": True})
        stage.paid()
        flushed(stage)
        assert len(receiver.bodies) == 1


def test_a_refused_delivery_is_tried_three_more_times_on_the_banks_clock(stage: Stage) -> None:
    with receiving() as receiver:
        stage.order("webhook_endpoints", {"url": receiver.url, "enabled_events": ["charge.succeeded"]})
        receiver.answers = [500, 302, 404, 503]
        stage.paid()
        for tries, wait_s in ((1, 60), (2, 1_800), (3, 7_200), (4, 86_400)):
            flushed(stage)
            assert len(receiver.bodies) == tries
            stage.order("clock/advance", {"seconds": wait_s})
        flushed(stage)
        assert len(receiver.bodies) == 4
        assert len(set(receiver.bodies)) == 1
        assert stage.bank.courier.waiting() == 0


def test_an_endpoint_that_is_down_gets_its_events_when_it_is_back(stage: Stage) -> None:
    with receiving() as gone:
        url = gone.url
    stage.order("webhook_endpoints", {"url": url, "enabled_events": ["charge.succeeded"]})
    stage.paid()
    flushed(stage)
    assert stage.order("webhooks/flush")["waiting"] == 1
    assert stage.v1.events.list({"type": "charge.succeeded"}).data[0].pending_webhooks == 1


def test_a_lost_delivery_never_comes(stage: Stage, receiver: Receiver) -> None:
    stage.order("webhook_faults", {"kind": "lose", "times": 3})
    stage.paid()
    flushed(stage)
    assert receiver.names() == PAID[3:]
    assert len(stage.events()) >= 4


def test_a_duplicate_comes_twice_with_one_identifier(stage: Stage, receiver: Receiver) -> None:
    stage.order("webhook_faults", {"kind": "duplicate", "on": "charge.*"})
    stage.paid()
    flushed(stage)
    assert receiver.names() == [PAID[0], PAID[1], PAID[1], *PAID[2:]]
    first, second = (json.loads(body) for body in receiver.bodies[1:3])
    assert first["id"] == second["id"]


def test_disorder_brings_everything_once_in_an_order_of_the_seeds_choice(stage: Stage, receiver: Receiver) -> None:
    stage.order("webhook_faults", {"kind": "reorder", "times": 12})
    for _ in range(3):
        stage.paid()
    flushed(stage)
    assert sorted(receiver.names()) == sorted(PAID * 3)
    assert receiver.names() != PAID * 3
    assert len(set(receiver.bodies)) == 12


def test_what_disorder_holds_back_comes_when_the_fault_is_cleared(stage: Stage, receiver: Receiver) -> None:
    stage.order("webhook_faults", {"kind": "reorder", "times": 100})
    stage.paid()
    flushed(stage)
    assert receiver.names() == []
    stage.order("webhook_faults/clear")
    flushed(stage)
    assert sorted(receiver.names()) == sorted(PAID)


def test_a_late_delivery_waits_for_the_banks_clock(stage: Stage, receiver: Receiver) -> None:
    stage.order("webhook_faults", {"kind": "delay", "times": 4, "seconds": 900})
    stage.paid()
    flushed(stage)
    assert receiver.names() == []
    stage.order("clock/advance", {"seconds": 900})
    flushed(stage)
    assert receiver.names() == PAID


def test_a_bad_signature_is_followed_by_a_good_one_at_the_retry(stage: Stage, receiver: Receiver) -> None:
    stage.order("webhook_faults", {"kind": "bad_signature", "on": "charge.succeeded"})
    receiver.answers = [200, 400]
    stage.paid()
    flushed(stage)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(receiver.bodies[1], receiver.signatures[1], SECRET)
    stage.order("clock/advance", {"seconds": 60})
    flushed(stage)
    assert receiver.bodies[-1] == receiver.bodies[1]
    stripe.Webhook.construct_event(receiver.bodies[-1], receiver.signatures[-1], SECRET)


def test_a_stale_delivery_brings_an_old_event_again(stage: Stage, receiver: Receiver) -> None:
    stage.paid()
    flushed(stage)
    stage.order("webhook_faults", {"kind": "stale", "on": "checkout.session.completed"})
    stage.paid()
    flushed(stage)
    assert len(receiver.bodies) == 9
    stale = json.loads(receiver.bodies[-1])
    assert stale["created"] <= json.loads(receiver.bodies[-2])["created"]
    assert stale["id"] in {event["id"] for event in stage.events()}


def test_an_event_is_delivered_again_on_request(stage: Stage, receiver: Receiver) -> None:
    stage.paid()
    flushed(stage)
    first = json.loads(receiver.bodies[0])["id"]
    assert stage.order(f"events/{first}/redeliver") == {"endpoints": 1}
    flushed(stage)
    assert json.loads(receiver.bodies[-1])["id"] == first
    stage.order("events/evt_none/redeliver", status=404)


# --- faults of calls -------------------------------------------------------------------------------------------------


def made(stage: Stage) -> int:
    return stage.bank.vault.store.size("customer")


@pytest.mark.parametrize(
    ("kind", "is_done"),
    [
        ("timeout_before", False),
        ("timeout_after", True),
        ("drop_before", False),
        ("drop_after", True),
        ("500_before", False),
        ("500_after", True),
        ("429", False),
    ],
)
def test_a_fault_hits_once_before_or_after_the_effect(stage: Stage, kind: str, *, is_done: bool) -> None:
    stage.order("faults", {"on": "POST /v1/customers", "kind": kind, "seconds": 0})
    stage.v1.charges.list()
    with pytest.raises(stripe.StripeError) as caught:
        stage.v1.customers.create({}, {"idempotency_key": "one"})
    assert isinstance(caught.value, _error_of(kind))
    assert made(stage) == int(is_done)
    if kind == "500_after":
        with pytest.raises(stripe.APIError):
            stage.v1.customers.create({}, {"idempotency_key": "one"})
    else:
        stage.v1.customers.create({}, {"idempotency_key": "one"})
    assert made(stage) == 1


def _error_of(kind: str) -> type[stripe.StripeError]:
    if kind == "429":
        return stripe.RateLimitError
    return stripe.APIError if kind.startswith("500") else stripe.APIConnectionError


def test_a_timeout_outlasts_the_caller_and_ends_with_the_bank(stage: Stage) -> None:
    stage.order("faults", {"kind": "timeout_after", "seconds": 600})
    with pytest.raises(requests.ReadTimeout):
        requests.post(f"{stage.running.url}/v1/customers", headers={"Authorization": "Bearer sk_test_1"}, timeout=0.3)
    assert made(stage) == 1


def test_stripes_own_retries_find_the_first_answer_after_a_dropped_reply() -> None:
    with staged(Bank(seed="retry"), retries=2) as stage:
        stage.order("faults", {"on": "POST /v1/customers", "kind": "drop_after", "times": 2})
        customer = stage.v1.customers.create({"name": "A"})
        assert made(stage) == 1
        assert stage.taken[-1].headers["Idempotent-Replayed"] == "true"
        assert customer.name == "A"


def test_a_fault_may_name_a_path_by_its_template_and_can_be_cleared(stage: Stage) -> None:
    customer = stage.v1.customers.create({})
    stage.order("faults", {"on": "GET /v1/customers/{id}", "kind": "500_before", "times": 2})
    assert raw(stage, "GET", f"/v1/customers/{customer.id}").status_code == 500
    assert stage.order("faults/clear") == {"faults": []}
    assert raw(stage, "GET", f"/v1/customers/{customer.id}").status_code == 200


# --- control ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("clock/advance", {}),
        ("clock/advance", {"seconds": -1}),
        ("clock/advance", {"seconds": 1.5}),
        ("clock/advance", {"seconds": True}),
        ("clock/advance", {"seconds": 10**12}),
        ("clock/advance", []),
        ("faults", {}),
        ("faults", {"kind": "fire"}),
        ("faults", {"kind": "500_before", "times": 0}),
        ("faults", {"kind": ["500_before"]}),
        ("webhook_faults", {"kind": "fire"}),
        ("webhook_endpoints", {}),
        ("webhook_endpoints", {"url": "not an address"}),
        ("webhook_endpoints", {"url": "file:///etc/passwd"}),
        ("webhook_endpoints", {"url": "http://127.0.0.1:1/", "enabled_events": "*"}),
        ("webhook_endpoints", {"url": "http://127.0.0.1:1/", "enabled_events": ["charge.exploded"]}),
        ("disputes", {"charge": "ch_none"}),
        ("disputes", {"charge": "ch_none", "kind": "war"}),
        ("disputes/du_none/close", {}),
    ],
)
def test_a_wrong_order_is_refused_and_changes_nothing(stage: Stage, path: str, body: Any) -> None:
    def state() -> Any:
        return {name: value for name, value in _state(stage).items() if name != "deliveries"}

    before = state()
    answer = requests.post(f"{stage.running.url}/_sandbox/{path}", json=body, timeout=5)
    assert answer.status_code == 400, answer.text
    assert state() == before


def test_an_unknown_order_is_404(stage: Stage) -> None:
    stage.order("explode", status=404)
    stage.order("refunds/re_none/fail", status=404)


def test_the_state_shows_what_there_is(stage: Stage) -> None:
    stage.paid()
    stage.order("faults", {"kind": "429", "times": 3})
    stage.order("webhook_faults", {"kind": "lose"})
    stage.bank.advance(60)
    state = _state(stage)
    assert state["counts"]["charge"] == 1
    assert state["faults"] == [{"on": "any", "kind": "429", "times": 3}]
    assert state["webhook_faults"] == [{"kind": "lose", "times": 1, "on": "*"}]
    assert state["balance"] == {"available": {}, "pending": {"eur": 2_883}}
    assert (state["offset_s"], state["seed"]) == (60, "faults")


def _state(stage: Stage) -> dict[str, Any]:
    state: dict[str, Any] = requests.get(f"{stage.running.url}/_sandbox", timeout=5).json()
    return state


# --- the command -----------------------------------------------------------------------------------------------------


def test_the_command_says_where_it_listens_keeps_its_file_and_ends_when_told(tmp_path: Any) -> None:
    command = [sys.executable, "-m", "sandbox.test_bank", "--port", "0", "--seed", "7"]
    for _ in range(2):
        with subprocess.Popen(
            [*command, "--database", str(tmp_path / "bank.sqlite")], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            assert (ready["event"], ready["seed"]) == ("test_bank_ready", "7")
            client = stripe.StripeClient("sk_test_1", base_addresses={"api": ready["url"]})
            made_id = client.v1.customers.create({}).id
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
    with staged(Bank(path=tmp_path / "bank.sqlite")) as stage:
        assert made(stage) == 2
        assert stage.v1.customers.list().data[0].id == made_id


def test_a_taken_port_is_an_error() -> None:
    with serve() as running, pytest.raises(OSError, match="in use"):
        serve(port=int(running.url.rpartition(":")[2]))
