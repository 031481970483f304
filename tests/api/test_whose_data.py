"""What belongs to somebody else, or to the other mode, is not found, and does not change."""

from typing import Any

import pytest

from gateway.domain.words import RefundStatus
from gateway.engine.donations.giving import Donor, NewGift
from gateway.engine.reading import refund_row
from gateway.engine.records import RefundRecord
from gateway.kernel.money import Money
from gateway.storage import schema
from gateway.storage.database import Database
from hosted_checkout.api.blueprint import ROUTES
from tests.api.conftest import ORIGIN, Door
from tests.api.test_routes import ENDPOINTS, SESSIONS, paid
from tests.donations.stage import Charities
from tests.engine.paper import lamports

PROOF = {"reference": "SEPA 1", "evidence": "a letter"}


@pytest.fixture
def db(every_db: Database) -> Database:
    """Run on all three databases."""
    return every_db


def foreign_requests(owner: Door) -> dict[str, tuple[str, str, dict[str, object] | None]]:
    """Return a request for every id of a merchant, by the name of its route."""
    session = paid(owner)
    endpoint = owner.post(ENDPOINTS, {"url": "https://hooks.example/in"}).json["id"]
    event = owner.get("/v1/events").json["data"][0]["id"]
    owner.shop.engine.observations.observe([owner.shop.observation(lamports("1"))])
    transfer = owner.get("/v1/chain_transfers?status=unmatched").json["data"][0]["id"]
    key = owner.get("/v1/api_keys").json["data"][0]["id"]
    return {
        "retrieve_api_key": ("GET", f"/v1/api_keys/{key}", None),
        **{f"{verb}_api_key": ("POST", f"/v1/api_keys/{key}/{verb}", {"force": True}) for verb in ("roll", "revoke")},
        "retrieve_checkout_session": ("GET", f"{SESSIONS}/{session['id']}", None),
        "expire_checkout_session": ("POST", f"{SESSIONS}/{session['id']}/expire", {}),
        "retrieve_payment": ("GET", f"/v1/payments/{session['payment']}", None),
        "retrieve_event": ("GET", f"/v1/events/{event}", None),
        "retrieve_webhook_endpoint": ("GET", f"{ENDPOINTS}/{endpoint}", None),
        "update_webhook_endpoint": ("PATCH", f"{ENDPOINTS}/{endpoint}", {"status": "disabled"}),
        "delete_webhook_endpoint": ("DELETE", f"{ENDPOINTS}/{endpoint}", None),
        "rotate_webhook_secret": ("POST", f"{ENDPOINTS}/{endpoint}/rotate_secret", {}),
        "send_test_event": ("POST", f"{ENDPOINTS}/{endpoint}/test", {}),
        "resend_event": ("POST", f"{ENDPOINTS}/{endpoint}/resend", {"event": event}),
        "list_deliveries": ("GET", f"{ENDPOINTS}/{endpoint}/deliveries", None),
        "capture_payment": ("POST", f"/v1/payments/{session['payment']}/capture", {}),
        "cancel_payment": ("POST", f"/v1/payments/{session['payment']}/cancel", {}),
        "retrieve_refund": ("GET", f"/v1/refunds/{a_refund(owner, session['payment'])}", None),
        "cancel_refund": ("POST", f"/v1/refunds/{a_refund(owner, session['payment'])}/cancel", {}),
        "build_refund_transfer": ("GET", f"/v1/refunds/{a_refund(owner, session['payment'])}/transfer", None),
        "submit_refund_transfer": (
            "POST",
            f"/v1/refunds/{a_refund(owner, session['payment'])}/transfer",
            {"payload": "AAAA"},
        ),
        "retrieve_dispute": ("GET", f"/v1/disputes/{a_dispute(owner, session['payment'])}", None),
        "retrieve_payout": ("GET", f"/v1/payouts/{a_payout(owner)}", None),
        "retrieve_settlement": ("GET", f"/v1/payouts/{a_payout(owner)}/settlement", None),
        **{
            f"{verb}_subscription": ("POST", f"/v1/subscriptions/{a_subscription(owner, session)}/{verb}", {})
            for verb in ("pause", "resume", "cancel")
        },
        "retrieve_subscription": ("GET", f"/v1/subscriptions/{a_subscription(owner, session)}", None),
        "retrieve_donation_receipt": ("GET", f"/v1/donations/{a_donation(owner, session)}/receipt", None),
        "resend_donation_receipt": (
            "POST",
            f"/v1/donations/{a_donation(owner, session)}/resend_receipt",
            {"email": "eve@example.com"},
        ),
        "retrieve_plan": ("GET", f"/v1/plans/{a_plan(owner)}", None),
        "archive_plan": ("POST", f"/v1/plans/{a_plan(owner)}/archive", {}),
        "retrieve_customer": ("GET", f"/v1/customers/{a_customer(owner)}", None),
        "update_customer": ("PATCH", f"/v1/customers/{a_customer(owner)}", {"name": "Eve"}),
        "delete_customer": ("DELETE", f"/v1/customers/{a_customer(owner)}", None),
        "create_portal_session": (
            "POST",
            f"/v1/customers/{a_customer(owner)}/portal_session",
            {"return_url": f"{ORIGIN}/club"},
        ),
        "match_chain_transfer": ("POST", f"/v1/chain_transfers/{transfer}/match", {"payment": session["payment"]}),
        **foreign_gifts(owner),
    }


def foreign_gifts(owner: Door) -> dict[str, tuple[str, str, dict[str, object] | None]]:
    """Return a request for every id of what a merchant collects."""
    charities = Charities(owner.shop.engine, owner.shop.owner)
    charity = f"/v1/charities/{charities.charity.id}"
    campaign = charities.add_campaign()
    config = f"/v1/donation_configs/{charities.offer().id}"
    donor = Donor(name="Jo Doe", comment="Between us")
    gift = NewGift(amount=Money(1000, "USD"), form_id=owner.shop.ids.new("form"), on_wall=True, donor=donor)
    owner.shop.engine.giving.give(campaign, gift)
    donation = charities.donations()[-1]
    page = f"/v1/donation_campaigns/{campaign.id}"
    payout = f"/v1/donation_payouts/{a_donation_payout(owner, charities)}"
    return {
        "retrieve_charity": ("GET", charity, None),
        "update_charity": ("PATCH", charity, {"name": "Eve"}),
        "archive_charity": ("POST", f"{charity}/archive", {}),
        "retrieve_charity_statement": ("GET", f"{charity}/statement", None),
        "retrieve_donation_campaign": ("GET", page, None),
        "update_donation_campaign": ("PATCH", page, {"title": "Eve"}),
        "close_donation_campaign": ("POST", f"{page}/close", {}),
        "retrieve_campaign_report": ("GET", f"{page}/report", None),
        "retrieve_donation_config": ("GET", config, None),
        "archive_donation_config": ("POST", f"{config}/archive", {}),
        "retrieve_donation": ("GET", f"/v1/donations/{donation.id}", None),
        "retrieve_donation_comment": ("GET", f"/v1/donations/{donation.id}/comment", None),
        "moderate_donation_comment": ("POST", f"/v1/donations/{donation.id}/comment", {"status": "shown"}),
        "retrieve_donation_payout": ("GET", payout, None),
        "cancel_donation_payout": ("POST", f"{payout}/cancel", {"reason": "Eve"}),
    }


def a_donation_payout(owner: Door, charities: Charities) -> str:
    """Store a payout to a charity."""
    now, payout_id = owner.shop.clock.now(), str(owner.shop.ids.new("dpo"))
    row = {
        "id": payout_id, "merchant_id": owner.shop.merchant.id, "livemode": False, "charity_id": charities.charity.id,
        "currency": "USD", "amount": 100, "paid_at": now, "reference": "SEPA 1", "evidence": "a letter",
        "created_at": now,
    }  # fmt: skip
    owner.shop.db.write(lambda tx: tx.execute(schema.donation_payout.insert(), row))
    return payout_id


def a_plan(owner: Door) -> str:
    """Make a plan."""
    body = {"name": "Tea club", "amount": "10.00", "currency": "USD", "interval": "month"}
    return str(owner.post("/v1/plans", body).json["id"])


def a_customer(owner: Door) -> str:
    """Make a customer."""
    return str(owner.post("/v1/customers", {"email": "ada@example.com"}).json["id"])


def a_subscription(owner: Door, session: dict[str, Any]) -> str:
    """Store a subscription as its provider might report it."""
    now, subscription_id = owner.shop.clock.now(), str(owner.shop.ids.new("sub"))
    row = {
        "id": subscription_id, "merchant_id": owner.shop.merchant.id, "livemode": False,
        "customer_id": a_customer(owner), "plan_id": a_plan(owner), "session_id": session["id"],
        "payment_id": session["payment"], "attempt_id": owner.shop.ids.new("att"), "network": "stripe:test",
        "reference": subscription_id, "customer_reference": "cus_1", "status": "active", "metadata": {}, "reads": 1,
        "hints": 0, "due_at": None, "sequence": 1, "created_at": now, "updated_at": now,
    }  # fmt: skip
    owner.shop.db.write(lambda tx: tx.execute(schema.subscription.insert(), row))
    return subscription_id


def a_donation(owner: Door, session: dict[str, Any]) -> str:
    """Store a gift with its receipt."""
    now, donation_id = owner.shop.clock.now(), str(owner.shop.ids.new("don"))
    common = {"merchant_id": owner.shop.merchant.id, "livemode": False, "charity_id": owner.shop.ids.new("cha")}
    row = common | {
        "id": donation_id, "session_id": session["id"], "payment_id": owner.shop.ids.new("pay"), "kind": "campaign",
        "frequency": "once", "status": "received", "currency": "USD", "amount": 100, "fee_cover": 0,
        "amount_received": 100, "amount_reversed": 0, "received": {}, "reversed": {}, "owed": {},
        "is_anonymous": False, "on_wall": False, "sequence": 0,
        "created_at": now, "updated_at": now, "received_at": now,
    }  # fmt: skip
    receipt = common | {
        "id": owner.shop.ids.new("rcp"), "donation_id": donation_id, "token": donation_id, "year": 2026, "number": 1,
        "currency": "USD", "amount": 100, "issuer": {}, "issued_at": now,
    }  # fmt: skip
    owner.shop.db.write(lambda tx: tx.execute(schema.donation.insert(), row))
    owner.shop.db.write(lambda tx: tx.execute(schema.donation_receipt.insert(), receipt))
    return donation_id


def a_refund(owner: Door, payment_id: str) -> str:
    """Store a refund as its provider might report it."""
    now = owner.shop.clock.now()
    refund = RefundRecord(
        id=owner.shop.ids.new("re"), merchant_id=owner.shop.merchant.id, livemode=False, payment_id=payment_id,
        source_id=owner.shop.ids.new("ch"), operation_id=None, network="stripe:test",
        reference=owner.shop.ids.new("re"), status=RefundStatus.REQUIRES_ACTION, amount=Money(100, "USD"),
        gift=Money(0, "USD"), reason=None, failure_code=None, destination=None, metadata={}, sequence=1,
        created_at=now, updated_at=now,
    )  # fmt: skip
    owner.shop.db.write(lambda tx: tx.execute(schema.refund.insert(), refund_row(refund)))
    return refund.id


def a_dispute(owner: Door, payment_id: str) -> str:
    """Store a dispute as its provider might report it."""
    now, dispute_id = owner.shop.clock.now(), str(owner.shop.ids.new("dsp"))
    row = {
        "id": dispute_id, "merchant_id": owner.shop.merchant.id, "livemode": False, "payment_id": payment_id,
        "charge_id": owner.shop.ids.new("ch"), "network": "stripe:test", "reference": dispute_id,
        "status": "needs_response", "currency": "USD", "amount": 100, "withdrawn": 100, "reinstated": 0,
        "reason": "fraudulent", "evidence_due_by": None, "sequence": 1, "created_at": now, "updated_at": now,
    }  # fmt: skip
    owner.shop.db.write(lambda tx: tx.execute(schema.dispute.insert(), row))
    return dispute_id


def a_payout(owner: Door) -> str:
    """Store a payout as its provider might report it."""
    now, payout_id = owner.shop.clock.now(), str(owner.shop.ids.new("po"))
    row = {
        "id": payout_id, "merchant_id": owner.shop.merchant.id, "livemode": False, "network": "stripe:test",
        "reference": payout_id, "status": "paid", "currency": "USD", "amount": 100, "is_automatic": True,
        "arrives_on": now, "settled_at": None, "created_at": now,
    }  # fmt: skip
    owner.shop.db.write(lambda tx: tx.execute(schema.payout.insert(), row))
    return payout_id


@pytest.mark.parametrize("is_same_merchant", [False, True], ids=["another merchant", "the other mode"])
def test_what_is_not_yours_is_not_found_and_does_not_change(door: Door, rows: Any, is_same_merchant: bool) -> None:  # noqa: FBT001 - a test's parameter
    wanted = foreign_requests(door)
    assert set(wanted) == {route.name for route in ROUTES if route.prefix is not None}
    merchants = door.shop.engine.merchants
    owner_id = door.shop.merchant.id if is_same_merchant else merchants.create("B", door.shop.merchant.settings).id
    stranger = Door(shop=door.shop, client=door.client, key=merchants.create_key(owner_id, livemode=is_same_merchant))
    before = rows()
    answers = {name: stranger.send(method, path, json=body) for name, (method, path, body) in wanted.items()}
    assert {name: (each.status_code, each.json["code"]) for name, each in answers.items()} == dict.fromkeys(
        wanted, (404, "not_found")
    )
    assert rows() == before


def test_a_strangers_objects_in_bodies_are_not_found(door: Door) -> None:
    wanted = foreign_requests(door)
    merchants = door.shop.engine.merchants
    other = merchants.create("B", door.shop.merchant.settings)
    stranger = Door(shop=door.shop, client=door.client, key=merchants.create_key(other.id, livemode=False))
    endpoint = stranger.post(ENDPOINTS, {"url": "https://hooks.example/in"}).json["id"]
    event = wanted["resend_event"][2]
    assert stranger.post(f"{ENDPOINTS}/{endpoint}/resend", event).status_code == 404
    payment = wanted["retrieve_payment"][1].rpartition("/")[2]
    assert stranger.post("/v1/refunds", {"payment": payment}).status_code == 404
    charity = wanted["retrieve_charity"][1].rpartition("/")[2]
    for path, more in (
        ("donation_campaigns", {"title": "x", "currency": "USD", "min_amount": "1", "max_amount": "2"}),
        ("donation_configs", {"currency": "USD", "mode": "round_up", "unit": "1", "cap": "5", "disclosure": "x"}),
        ("donation_payouts", {"currency": "USD", "amount": "1", "paid_at": "2026-11-20T11:00:00Z", **PROOF}),
    ):
        assert stranger.post(f"/v1/{path}", {"charity": charity, **more}).status_code == 404
    given = ("charities", "donations", "donation_campaigns", "donation_configs", "donation_payouts")
    paid_for = ("payments", "refunds", "disputes", "events", "ledger_entries", "balances", "chain_transfers")
    for path in (*given, *paid_for):
        assert stranger.get(f"/v1/{path}").json["data"] == []
    assert stranger.get(SESSIONS).json["data"] == []
    for ref in (payment, "order-1001"):
        assert stranger.get(f"/api/v1/payment?ref={ref}").status_code == 404
        assert stranger.post(f"/api/v1/payment/expire?ref={ref}").status_code == 404


@pytest.mark.parametrize(
    "path", ["cs_1", "pay_00000000000000000000000000", "CS_00000000000000000000000000", "%00", "'"]
)
def test_an_id_of_another_form_is_not_found(door: Door, path: str) -> None:
    answer = door.get(f"{SESSIONS}/{path}")
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")
