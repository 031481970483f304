"""Customers, plans and subscriptions through the API, with the real Stripe room and the Test Bank behind it."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from gateway.domain.events import EventType
from hosted_checkout.api.answers import EVENT_OBJECTS, Event
from hosted_checkout.api.answers_recurring import Customer, Plan, Subscription
from sandbox.test_bank.server import RunningBank
from tests.api.conftest import Door, an_app
from tests.cards.stage import CardShop, a_bank, a_card_shop

A_PLAN = {"name": "Tea club", "amount": "10.00", "currency": "USD", "interval": "month"}
NOBODY = "cus_01jd0000000000000000000001"


@pytest.fixture
def bank() -> Iterator[RunningBank]:
    """Serve a bank of this test's own."""
    with a_bank() as running:
        yield running


@pytest.fixture
def club(migrated_sqlite: str, copy_database: Callable[[str], str], bank: RunningBank) -> Iterator[CardShop]:
    """Open a shop that takes cards."""
    with a_card_shop(copy_database(migrated_sqlite), bank) as shop:
        yield shop


@pytest.fixture
def door(club: CardShop) -> Door:
    """Return its way into the API."""
    key = club.engine.merchants.create_key(club.owner.merchant_id, livemode=False)
    return Door(shop=club, client=an_app(club).test_client(), key=key)


def a_plan(door: Door, **over: object) -> str:
    return str(door.post("/v1/plans", A_PLAN | over).json["id"])


def opened(door: Door, plan: str, **over: object) -> Any:
    body = {"mode": "subscription", "plan": plan, "reference": "member-7", "success_url": "http://localhost/welcome"}
    return door.post("/v1/checkout/sessions", body | over)


def joined(door: Door, **terms: object) -> dict[str, Any]:
    """Return the subscription of somebody who paid on the bank's page."""
    session = opened(door, a_plan(door, **terms)).json
    shop: CardShop = door.shop
    record = shop.reload(session["url"].rpartition("/")[2])
    shop.pay_at_bank(shop.start(record))
    shop.engine.checkout.returned(record.token)
    shop.engine.sweep()
    session = door.get(f"/v1/checkout/sessions/{session['id']}").json
    found: dict[str, Any] = door.get(f"/v1/subscriptions/{session['subscription']}").json
    return found


def test_a_plan_comes_back_as_it_was_sent_and_can_be_archived(door: Door) -> None:
    made = door.post("/v1/plans", A_PLAN | {"trial_days": 14, "metadata": {"tea": "green"}})
    assert made.status_code == 201
    Plan.model_validate(made.json)
    assert {name: made.json[name] for name in A_PLAN} == A_PLAN
    assert door.get(f"/v1/plans/{made.json['id']}").json == made.json
    assert door.post(f"/v1/plans/{made.json['id']}/archive").json["is_active"] is False
    assert door.get("/v1/plans?is_active=true").json["data"] == []
    assert len(door.get("/v1/plans?is_active=false").json["data"]) == 1
    refused = opened(door, made.json["id"])
    assert (refused.status_code, refused.json["code"]) == (409, "plan_archived")


@pytest.mark.parametrize(
    ("over", "param"),
    [
        ({"amount": "10.001"}, "/amount"),
        ({"amount": "0"}, "/amount"),
        ({"interval": "decade"}, "/interval"),
        ({"interval_count": 0}, "/interval_count"),
        ({"interval": "month", "interval_count": 37}, "/interval_count"),
        ({"interval": "year", "interval_count": 4}, "/interval_count"),
        ({"trial_days": -1}, "/trial_days"),
        ({"trial_days": 731}, "/trial_days"),
        ({"grace_days": 61}, "/grace_days"),
        ({"name": "4242 4242 4242 4242"}, "/name"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(door: Door, over: dict[str, object], param: str) -> None:
    answer = door.post("/v1/plans", A_PLAN | over)
    assert (answer.status_code, answer.json["param"]) == (400, param)
    assert door.get("/v1/plans").json["data"] == []


def test_a_customer_is_kept_changed_found_and_erased(door: Door) -> None:
    made = door.post("/v1/customers", {"email": "ada@example.com", "name": "Ada", "metadata": {"shoe": "41"}})
    assert made.status_code == 201
    Customer.model_validate(made.json)
    path = f"/v1/customers/{made.json['id']}"
    changed = door.send("PATCH", path, json={"name": None}).json
    assert (changed["email"], changed["name"], changed["metadata"]) == ("ada@example.com", None, {"shoe": "41"})
    assert [one["id"] for one in door.get("/v1/customers?email=ada@example.com").json["data"]] == [made.json["id"]]
    assert door.send("DELETE", path).json == {"id": made.json["id"], "object": "customer", "deleted": True}
    assert door.get(path).status_code == 404
    assert door.send("DELETE", path).status_code == 404
    assert door.get("/v1/customers").json["data"] == []


def test_a_session_takes_price_and_name_from_its_plan(door: Door) -> None:
    session = opened(door, a_plan(door)).json
    assert (session["mode"], session["amount"], session["currency"]) == ("subscription", "10.00", "USD")
    assert session["line_items"] == [{"name": "Tea club", "quantity": 1, "amount": "10.00"}]
    assert (session["subscription"], session["payment_status"]) == (None, "open")


def test_the_same_member_is_not_opened_twice_but_another_plan_is_another_session(door: Door) -> None:
    plan = a_plan(door)
    first, again, other = opened(door, plan), opened(door, plan), opened(door, a_plan(door))
    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 201)
    assert first.json["id"] == again.json["id"] != other.json["id"]


def test_a_session_for_nobody_or_for_no_plan_is_not_found(door: Door) -> None:
    assert opened(door, a_plan(door), customer=NOBODY).status_code == 404
    assert opened(door, NOBODY.replace("cus", "plan")).status_code == 404


def test_a_subscription_is_shown_listed_paused_resumed_and_ended(door: Door) -> None:
    member = joined(door)
    Subscription.model_validate(member)
    assert (member["status"], member["amount"], len(member["periods"])) == ("active", "10.00", 1)
    assert member["periods"][0]["payment"] is not None
    path = f"/v1/subscriptions/{member['id']}"
    for query in (f"customer={member['customer']}", f"plan={member['plan']}", "status=active"):
        assert [one["id"] for one in door.get(f"/v1/subscriptions?{query}").json["data"]] == [member["id"]]
    assert door.get("/v1/subscriptions?status=paused").json["data"] == []
    assert door.post(f"{path}/pause").json["status"] == "paused"
    assert door.post(f"{path}/resume").json["status"] == "active"
    ending = door.post(f"{path}/cancel", key="end")
    assert ending.json["cancels_at"] == member["period_end"]
    assert door.post(f"{path}/cancel", key="end").data == ending.data
    assert door.post(f"{path}/cancel", {"at_period_end": False}).json["status"] == "canceled"
    refused = door.post(f"{path}/pause")
    assert (refused.status_code, refused.json["code"]) == (409, "subscription_ended")


def test_a_customer_with_a_subscription_has_a_portal_and_is_not_erased(door: Door) -> None:
    member = joined(door)
    path = f"/v1/customers/{member['customer']}"
    link = door.post(f"{path}/portal_session", {"return_url": "http://localhost/club"})
    assert (link.status_code, link.json["object"]) == (201, "portal_session")
    assert link.json["url"].startswith(door.shop.bank_url)
    refused = door.send("DELETE", path)
    assert (refused.status_code, refused.json["code"]) == (409, "customer_in_use")
    stranger = door.post("/v1/customers", {}).json["id"]
    assert door.post(f"/v1/customers/{stranger}/portal_session", {"return_url": "http://localhost/"}).status_code == 404


def test_every_event_of_a_subscription_is_as_the_document_says(door: Door) -> None:
    member = joined(door)
    shop: CardShop = door.shop
    shop.pass_time(timedelta(days=31))
    shop.engine.sweep()
    door.post(f"/v1/subscriptions/{member['id']}/pause")
    told = [one for one in door.get("/v1/events?limit=100").json["data"] if one["type"].startswith("subscription.")]
    # The shop's clock stands still between two verbs, so their ids tell no order: the sequence does.
    assert [(one["sequence"], one["type"]) for one in sorted(told, key=lambda one: one["sequence"])] == [
        (1, "subscription.created"), (2, "subscription.renewed"), (3, "subscription.paused"),
    ]  # fmt: skip
    for one in told:
        Event[EVENT_OBJECTS[EventType(one["type"])]].model_validate(one)  # type: ignore[misc]  # a model made at run time
