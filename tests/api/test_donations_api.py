"""Charities, campaigns, gifts at checkout, donations and payouts, as merchants meet them at the API."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from gateway.domain.donations import GiftKind
from gateway.engine.donations.giving import NewGift
from gateway.engine.donations.records import own_campaign
from gateway.engine.records import SessionRecord
from gateway.kernel.money import parse_money
from gateway.ledger.proof import verify
from gateway.storage.database import Database
from tests.api.conftest import Door, an_order

WALLET = "7S3P4HxJpyyigGzodYwHtCxZyUQe9JiBMHyRWXArAaKv"
A_CHARITY = {"name": "River Fund", "legal_name": "River Fund e.V.", "receipt_prefix": "RF"}


@pytest.fixture
def db(every_db: Database) -> Database:
    """Run on all three databases."""
    return every_db


def a_charity(door: Door, **more: object) -> str:
    """Make a charity."""
    return str(door.post("/v1/charities", A_CHARITY | more).json["id"])


def a_campaign(door: Door, charity: str, **more: object) -> dict[str, Any]:
    """Make a campaign."""
    body = {"charity": charity, "title": "Clean rivers", "currency": "USD", "min_amount": "1", "max_amount": "500"}
    found: dict[str, Any] = door.post("/v1/donation_campaigns", body | more).json
    return found


def offered(door: Door, charity: str, **more: object) -> Any:
    """Let the checkout offer gifts."""
    body = {"charity": charity, "currency": "USD", "mode": "round_up", "unit": "1", "cap": "5", "disclosure": "All."}
    return door.post("/v1/donation_configs", body | more)


def a_payout(charity: str, amount: str, **more: object) -> dict[str, object]:
    """Return what is sent to write a payout down."""
    proof = {"paid_at": "2026-11-20T11:00:00Z", "reference": "SEPA 1", "evidence": "a letter"}
    return {"charity": charity, "amount": amount, "currency": "SOL", **proof, **more}


def pay(door: Door, session: SessionRecord) -> None:
    """Pay a session in SOL."""
    attempt = door.shop.engine.attempts.choose(session, "sol")
    asked = (attempt.due + attempt.gift).atomic
    door.shop.engine.observations.observe([door.shop.observation(asked, attempt.reference_key)])
    door.shop.clock.advance(timedelta(milliseconds=1))


def given_by_wallet(door: Door, charity: str) -> dict[str, Any]:
    """Round an order of 12.00 up by 1.00 and pay it in SOL: 0.005 of it are the charity's."""
    if door.get("/v1/donation_configs?is_active=true").json["data"] == []:
        offered(door, charity)
    shop = door.shop
    made = door.post("/v1/checkout/sessions", an_order(amount="12.00", reference=shop.ids.new("order"))).json
    session = shop.reload(made["url"].rpartition("/")[2])
    shop.engine.gifts.choose(session, GiftKind.ROUND_UP, parse_money("1", "USD"))
    pay(door, shop.reload(session.token))
    found: dict[str, Any] = door.get("/v1/donations").json["data"][0]
    assert found["session"] == session.id
    return found


def test_a_charity_lives_through_all_its_verbs(door: Door) -> None:
    body = A_CHARITY | {
        "tax_id": "12/345", "address": "River Road 1\n10115 Berlin", "country": "DE", "tax_statement": "Exempt.",
        "website": "https://river.example/", "email": "mail@river.example", "solana_address": WALLET, "is_own": False,
        "metadata": {"crm": "7"},
    }  # fmt: skip
    made = door.post("/v1/charities", body, key="k").json
    assert {name: made[name] for name in body} == body
    assert door.post("/v1/charities", body, key="k").json == made
    path = f"/v1/charities/{made['id']}"
    assert door.get(path).json == made
    changed = door.send("PATCH", path, json={"name": "River Trust", "tax_id": None, "legal_name": None}).json
    assert (changed["name"], changed["tax_id"], changed["legal_name"]) == ("River Trust", None, "River Fund e.V.")
    assert door.get("/v1/charities?is_active=true").json["data"] == [changed]
    assert door.post(f"{path}/archive").json["is_active"] is False
    assert door.get("/v1/charities?is_active=true").json["data"] == []
    assert len(door.get("/v1/charities?is_active=false").json["data"]) == 1


@pytest.mark.parametrize(
    ("change", "param", "code"),
    [
        ({"name": "River\u202eFund"}, "/name", "parameter_invalid"),
        ({"name": "River\nFund"}, "/name", "parameter_invalid"),
        ({"name": "x" * 121}, "/name", "parameter_invalid"),
        ({"address": "Road 1\r\nBcc: all@example.com"}, "/address", "parameter_invalid"),
        ({"tax_statement": "a\u2028b"}, "/tax_statement", "parameter_invalid"),
        ({"receipt_prefix": "rf"}, "/receipt_prefix", "parameter_invalid"),
        ({"email": "mail@river.example\nBcc: x@y.example"}, "/email", "parameter_invalid"),
        ({"website": "javascript:alert(1)"}, "/website", "url_invalid"),
        ({"solana_address": ""}, "/solana_address", "parameter_invalid"),
        ({"solana_address": "no-wallet"}, "/solana_address", "parameter_invalid"),
        ({"solana_address": None, "is_own": "yes"}, "/is_own", "parameter_invalid"),
    ],
)
def test_a_charity_is_refused_with_the_field_that_is_wrong(door: Door, change: Any, param: str, code: str) -> None:
    answer = door.post("/v1/charities", A_CHARITY | change)
    assert (answer.status_code, answer.json["param"], answer.json["code"]) == (400, param, code)
    assert door.get("/v1/charities").json["data"] == []


def test_whose_money_it_is_and_the_series_of_receipts_never_change(door: Door) -> None:
    path = f"/v1/charities/{a_charity(door)}"
    for change in ({"is_own": True}, {"receipt_prefix": "XX"}):
        assert door.send("PATCH", path, json=change).json["code"] == "parameter_unknown"


def test_a_campaign_lives_through_all_its_verbs(door: Door) -> None:
    charity = a_charity(door)
    body = {
        "story": "Clean water.\n\nFor all.", "presets": ["10", "25", "10.00"], "frequencies": ["once", "monthly"],
        "goal": "5000", "offers_fee_cover": True, "fee_bps": 290, "fee_fixed": "0.30", "offers_tribute": True,
        "offers_comment": True, "shows_wall": True, "locales": ["de", "en"], "origins": ["https://river.example"],
        "ends_at": "2026-12-31T23:00:00Z", "metadata": {"a": "b"},
    }  # fmt: skip
    made = a_campaign(door, charity, **body)
    assert (made["presets"], made["goal"], made["fee_fixed"]) == (["10.00", "25.00"], "5000.00", "0.30")
    assert (made["url"], made["is_open"]) == (f"http://gateway.test/donate/{made['id']}", True)
    assert made["ends_at"] == "2026-12-31T23:00:00.000Z"
    path = f"/v1/donation_campaigns/{made['id']}"
    assert door.get(path).json == made
    changes: dict[str, Any] = {
        "title": "Rivers",
        "goal": None,
        "presets": [],
        "min_amount": "2",
        "ends_at": None,
        "fee_fixed": None,
    }
    changed = door.send("PATCH", path, json=changes).json
    assert (changed["title"], changed["goal"], changed["presets"], changed["min_amount"]) == (
        "Rivers",
        None,
        [],
        "2.00",
    )
    assert (changed["ends_at"], changed["fee_fixed"], changed["fee_bps"]) == (None, "0.00", 290)
    assert door.get(f"/v1/donation_campaigns?charity={charity}&is_open=true").json["data"] == [changed]
    closed = door.post(f"{path}/close").json
    assert (closed["is_open"], closed["closed_at"] is not None) == (False, True)
    assert door.get("/v1/donation_campaigns?is_open=true").json["data"] == []
    assert door.get("/v1/donation_campaigns?is_open=false").json["data"] == [closed]


@pytest.mark.parametrize(
    ("change", "param", "code"),
    [
        ({"min_amount": "600"}, "/max_amount", "parameter_invalid"),
        ({"presets": ["0.50"]}, "/presets/0", "parameter_invalid"),
        ({"presets": ["5", "1.001"]}, "/presets/1", "amount_too_precise"),
        ({"goal": "-1"}, "/goal", "amount_not_positive"),
        ({"frequencies": ["daily"]}, "/frequencies/0", "parameter_invalid"),
        ({"frequencies": []}, "/frequencies", "parameter_invalid"),
        ({"origins": ["https://river.example/path"]}, "/origins/0", "parameter_invalid"),
        ({"origins": ["*"]}, "/origins/0", "parameter_invalid"),
        ({"story": "x" * 5001}, "/story", "parameter_invalid"),
        ({"story": "a\x00b"}, "/story", "parameter_invalid"),
        ({"ends_at": "2026-13-01T00:00:00Z"}, "/ends_at", "parameter_invalid"),
        ({"ends_at": "2026-12-01"}, "/ends_at", "parameter_invalid"),
        ({"fee_bps": 2001}, "/fee_bps", "parameter_invalid"),
        ({"locales": ["fr"]}, "/locales/0", "parameter_invalid"),
    ],
)
def test_a_campaign_is_refused_with_the_field_that_is_wrong(door: Door, change: Any, param: str, code: str) -> None:
    charity = a_charity(door)
    refused = a_campaign(door, charity, **change)
    assert (refused["status"], refused["param"], refused["code"]) == (400, param, code)
    path = f"/v1/donation_campaigns/{a_campaign(door, charity)['id']}"
    before = door.get(path).json
    answer = door.send("PATCH", path, json=change)
    assert (answer.status_code, answer.json["param"], answer.json["code"]) == (400, param, code)
    assert door.get(path).json == before


def test_a_campaigns_currency_and_charity_never_change(door: Door) -> None:
    path = f"/v1/donation_campaigns/{a_campaign(door, a_charity(door))['id']}"
    for change in ({"currency": "EUR"}, {"charity": a_charity(door)}):
        assert door.send("PATCH", path, json=change).json["code"] == "parameter_unknown"


def test_an_archived_charity_collects_nothing_new(door: Door) -> None:
    charity = a_charity(door)
    campaign = a_campaign(door, charity)
    offered(door, charity)
    door.post(f"/v1/charities/{charity}/archive")
    assert door.get(f"/v1/donation_campaigns/{campaign['id']}").json["is_open"] is False
    assert door.get("/v1/donation_configs/active?amount=1&currency=USD").status_code == 404
    assert a_campaign(door, charity)["code"] == "charity_archived"
    answer = offered(door, charity)
    assert (answer.status_code, answer.json["object_id"]) == (409, charity)


def test_the_offer_follows_from_config_amount_and_time(door: Door) -> None:
    charity = a_charity(door)
    config = offered(door, charity, mode="both", amounts=["2", "4"], ends_at="2026-11-21T00:00:00Z").json
    offer = door.get("/v1/donation_configs/active?amount=12.30&currency=USD").json
    assert (offer["donation_config"], offer["charity_name"], offer["disclosure"]) == (
        config["id"],
        "River Fund",
        "All.",
    )
    assert [(one["kind"], one["amount"], one["total"]) for one in offer["options"]] == [
        ("round_up", "0.70", "13.00"), ("fixed", "2.00", "14.30"), ("fixed", "4.00", "16.30"),
    ]  # fmt: skip
    assert door.get("/v1/donation_configs/active?amount=12.30&currency=EUR").status_code == 404
    assert door.get("/v1/donation_configs?is_active=true").json["data"] == [config]
    newer = offered(door, charity, unit="5").json
    assert door.get("/v1/donation_configs/active?amount=12.30&currency=USD").json["options"][0]["amount"] == "2.70"
    assert door.post(f"/v1/donation_configs/{newer['id']}/archive").json["is_active"] is False
    door.shop.clock.advance(timedelta(days=1))
    assert door.get("/v1/donation_configs/active?amount=12.30&currency=USD").status_code == 404


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"mode": "fixed"}, "/amounts"),
        ({"amounts": ["2"]}, "/amounts"),
        ({"mode": "both", "amounts": ["6"]}, "/amounts/0"),
        ({"mode": "both", "amounts": ["1", "2", "3", "4"]}, "/amounts"),
        ({"starts_at": "2026-12-01T00:00:00Z", "ends_at": "2026-12-01T00:00:00Z"}, "/ends_at"),
        ({"ends_at": "2020-01-01T00:00:00Z"}, "/ends_at"),
        ({"unit": "0"}, "/unit"),
        ({"disclosure": ""}, "/disclosure"),
    ],
)
def test_a_config_is_refused_with_the_field_that_is_wrong(door: Door, change: Any, param: str) -> None:
    answer = offered(door, a_charity(door), **change)
    assert (answer.status_code, answer.json["param"]) == (400, param)


def test_donations_are_listed_without_the_person(door: Door) -> None:
    charity = a_charity(door)
    donation = given_by_wallet(door, charity)
    assert (donation["status"], donation["amount"], donation["kind"]) == ("received", "1.00", "round_up")
    assert door.get(f"/v1/donations/{donation['id']}").json == donation
    for query, count in ((f"charity={charity}", 1), ("status=received", 1), ("status=reversed", 0)):
        assert len(door.get(f"/v1/donations?{query}").json["data"]) == count
    assert door.get("/v1/donations?campaign=cmp_00000000000000000000000000").json["data"] == []
    session = door.get(f"/v1/checkout/sessions/{donation['session']}").json
    assert (session["amount"], session["donation"]["amount"], session["donation"]["id"]) == (
        "12.00", "1.00", donation["id"],
    )  # fmt: skip
    payment = door.get(f"/v1/payments/{donation['payment']}").json
    assert (payment["charity"], payment["gift_amount"], payment["amount_received"]) == (charity, "1.00", "12.00")


def test_a_payout_moves_what_is_owed_once(door: Door) -> None:
    charity = a_charity(door)
    given_by_wallet(door, charity)
    made = door.post("/v1/donation_payouts", a_payout(charity, "0.003"), key="p")
    assert (made.status_code, made.json["amount"]) == (201, "0.003000000")
    assert door.post("/v1/donation_payouts", a_payout(charity, "0.003"), key="p").json == made.json
    assert door.get(f"/v1/donation_payouts/{made.json['id']}").json == made.json
    assert door.get(f"/v1/donation_payouts?charity={charity}").json["data"] == [made.json]
    answer = door.post("/v1/donation_payouts", a_payout(charity, "0.002000001"))
    assert (answer.status_code, answer.json["code"], answer.json["object_id"]) == (409, "payout_exceeds_owed", charity)
    assert "0.002000000 SOL" in answer.json["detail"]
    (standing,) = door.get(f"/v1/charities/{charity}/statement").json["standings"]
    names = ("currency", "gifts", "reversed", "paid_out", "paid_at_source", "kept", "owed")
    assert [standing[name] for name in names] == [
        "SOL", "0.005000000", "0.000000000", "0.003000000", "0.000000000", "0.000000000", "0.002000000",
    ]  # fmt: skip
    balances = {row["account"]: row["posted"] for row in door.get("/v1/balances").json["data"]}
    assert balances[f"donation:charity:{charity}:payable"] == "-0.002000000"
    assert balances[f"donation:charity:{charity}:paid_out"] == "-0.003000000"
    types = [event["type"] for event in door.get("/v1/events?limit=100").json["data"]]
    assert types.count("donation.payout_recorded") == 1
    assert door.post("/v1/donation_payouts", a_payout(charity, "0.002")).status_code == 201


def test_a_payout_lies_in_the_past_and_in_a_currency_that_is_owed(door: Door) -> None:
    charity = a_charity(door)
    given_by_wallet(door, charity)
    answer = door.post("/v1/donation_payouts", a_payout(charity, "0.001", paid_at="2026-11-21T00:00:00Z"))
    assert (answer.status_code, answer.json["param"]) == (400, "/paid_at")
    answer = door.post("/v1/donation_payouts", a_payout(charity, "0.01", currency="USD"))
    assert (answer.status_code, answer.json["code"]) == (409, "payout_exceeds_owed")
    assert "0.00 USD" in answer.json["detail"]


def test_payouts_that_race_never_exceed_what_is_owed(door: Door) -> None:
    charity = a_charity(door)
    given_by_wallet(door, charity)

    def pay(number: int) -> int:
        client = door.client.application.test_client()
        racer = Door(shop=door.shop, client=client, key=door.key)
        body = a_payout(charity, "0.002", reference=f"SEPA {number}")
        return int(racer.send("POST", "/v1/donation_payouts", json=body).status_code)

    with ThreadPoolExecutor(6) as racers:
        assert sorted(racers.map(pay, range(6))) == [201, 201, 409, 409, 409, 409]
    (standing,) = door.get(f"/v1/charities/{charity}/statement").json["standings"]
    assert (standing["paid_out"], standing["owed"]) == ("0.004000000", "0.001000000")


def test_a_payout_that_was_a_mistake_is_canceled_by_a_reversing_entry(door: Door) -> None:
    charity = a_charity(door)
    given_by_wallet(door, charity)
    path = f"/v1/donation_payouts/{door.post('/v1/donation_payouts', a_payout(charity, '0.003')).json['id']}"
    canceled = door.post(f"{path}/cancel", {"reason": "Written down twice."}, key="c")
    assert (canceled.status_code, canceled.json["cancellation_reason"]) == (200, "Written down twice.")
    assert canceled.json["canceled_at"] is not None
    assert door.post(f"{path}/cancel", {"reason": "Written down twice."}, key="c").json == canceled.json
    door.shop.clock.advance(timedelta(days=1))
    assert door.post(f"{path}/cancel", {"reason": "Another."}).json == canceled.json, "as it was canceled first"
    assert door.get(path).json == canceled.json
    assert door.get(f"/v1/donation_payouts?charity={charity}").json["data"] == [canceled.json]
    entries = door.get("/v1/ledger_entries").json["data"][:2]
    assert [entry["kind"] for entry in entries] == ["donation_payout_canceled", "donation_payout"]
    events = [event for event in door.get("/v1/events?limit=100").json["data"] if "payout" in event["type"]]
    assert [(event["type"], event["sequence"], event["data"]["previous"]) for event in events] == [
        ("donation.payout_canceled", 2, {"canceled_at": None}), ("donation.payout_recorded", 1, None),
    ]  # fmt: skip
    (standing,) = door.get(f"/v1/charities/{charity}/statement").json["standings"]
    names = ("gifts", "reversed", "paid_out", "payouts_canceled", "paid_at_source", "kept", "owed")
    assert [standing[name] for name in names] == [
        "0.005000000", "0.000000000", "0.000000000", "0.003000000", "0.000000000", "0.000000000", "0.005000000",
    ]  # fmt: skip
    assert door.post("/v1/donation_payouts", a_payout(charity, "0.005")).status_code == 201
    assert not door.shop.db.snapshot(verify).problems


def test_what_is_owed_again_is_owed_since_its_gifts_came(door: Door) -> None:
    charity = a_charity(door)
    for days in (40, 51):
        given_by_wallet(door, charity)
        door.shop.clock.advance(timedelta(days=days))
    statement = f"/v1/charities/{charity}/statement"
    before = door.get(statement).json["standings"][0]["ages"]
    assert [one["amount"] for one in before] == ["0.000000000", "0.005000000", "0.000000000", "0.005000000"]
    payout = door.post("/v1/donation_payouts", a_payout(charity, "0.007")).json["id"]
    ages = door.get(statement).json["standings"][0]["ages"]
    assert [one["amount"] for one in ages] == ["0.000000000", "0.003000000", "0.000000000", "0.000000000"]
    door.post(f"/v1/donation_payouts/{payout}/cancel", {"reason": "It never left."})
    assert door.get(statement).json["standings"][0]["ages"] == before


@pytest.mark.parametrize("reason", ["", "x" * 501, "a\u202eb", None])
def test_a_cancellation_says_why(door: Door, reason: str | None) -> None:
    charity = a_charity(door)
    given_by_wallet(door, charity)
    path = f"/v1/donation_payouts/{door.post('/v1/donation_payouts', a_payout(charity, '0.003')).json['id']}"
    answer = door.post(f"{path}/cancel", {"reason": reason})
    assert (answer.status_code, answer.json["param"]) == (400, "/reason")
    assert door.get(path).json["canceled_at"] is None


def test_a_payout_is_canceled_once_however_many_do_it_while_others_pay_out(door: Door) -> None:
    charity = a_charity(door)
    given_by_wallet(door, charity)
    whole = door.post("/v1/donation_payouts", a_payout(charity, "0.005")).json["id"]
    cancel = (f"/v1/donation_payouts/{whole}/cancel", {"reason": "Twice."})
    again = ("/v1/donation_payouts", a_payout(charity, "0.005", reference="SEPA 2"))

    def race(sent: tuple[str, dict[str, object]]) -> int:
        client = door.client.application.test_client()
        racer = Door(shop=door.shop, client=client, key=door.key)
        return int(racer.send("POST", sent[0], json=sent[1]).status_code)

    with ThreadPoolExecutor(8) as racers:
        answers = list(racers.map(race, [cancel, again] * 4))
    assert answers[::2] == [200] * 4
    assert answers[1::2].count(201) <= 1
    assert set(answers[1::2]) <= {201, 409}
    types = [event["type"] for event in door.get("/v1/events?limit=100").json["data"]]
    assert types.count("donation.payout_canceled") == 1
    (standing,) = door.get(f"/v1/charities/{charity}/statement").json["standings"]
    paid = "0.005000000" if 201 in answers else "0.000000000"
    left = "0.000000000" if 201 in answers else "0.005000000"
    assert (standing["paid_out"], standing["owed"], standing["payouts_canceled"]) == (paid, left, "0.005000000")
    assert not door.shop.db.snapshot(verify).problems


def test_a_statement_tells_how_long_a_charity_has_waited(door: Door) -> None:
    charity = a_charity(door)
    for days in (40, 30, 21, 0):
        given_by_wallet(door, charity)
        door.shop.clock.advance(timedelta(days=days))
    door.post("/v1/donation_payouts", a_payout(charity, "0.003"))
    (standing,) = door.get(f"/v1/charities/{charity}/statement").json["standings"]
    assert [(one["from_days"], one["to_days"], one["amount"]) for one in standing["ages"]] == [
        (0, 30, "0.010000000"), (30, 60, "0.005000000"), (60, 90, "0.000000000"), (90, None, "0.002000000"),
    ]  # fmt: skip
    assert standing["owed"] == "0.017000000"


def test_a_campaigns_report_adds_its_gifts_up_by_month(door: Door) -> None:
    charity = a_charity(door)
    campaign = a_campaign(door, charity, goal="1000")
    engine, shop = door.shop.engine, door.shop
    for days, amount in ((5, "10"), (25, "20"), (0, "40")):
        found = shop.db.read(lambda tx: own_campaign(tx, shop.owner, campaign["id"]))
        pay(door, engine.giving.give(found, NewGift(amount=parse_money(amount, "USD"), form_id=shop.ids.new("form"))))
        shop.clock.advance(timedelta(days=days))
    engine.giving.give(found, NewGift(amount=parse_money("5", "USD"), form_id=shop.ids.new("form")))  # never paid
    report = door.get(f"/v1/donation_campaigns/{campaign['id']}/report").json
    assert (report["gift_count"], report["amount_raised"], report["goal"]) == (3, "70.00", "1000.00")
    assert [(one["month"], one["amount_raised"]) for one in report["months"]] == [
        ("2026-11", "30.00"), ("2026-12", "40.00"),
    ]  # fmt: skip
