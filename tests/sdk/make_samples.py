"""Write `sdk/streampay/testing/samples.json` from the server's own OpenAPI document.

    .venv/bin/python -m tests.sdk.make_samples

The schema says which fields an object has, so that a new field appears in the samples by itself; what is written below
only says what a plausible object holds. A test compares the file with what this makes now.
"""

import json
import sys
from pathlib import Path
from typing import Any, Final

from gateway.domain.events import EventType
from gateway.kernel.canonical import canonical_json
from gateway.kernel.currencies import all_currencies
from hosted_checkout.api.answers import EVENT_OBJECTS
from hosted_checkout.api.blueprint import ROUTES
from hosted_checkout.api.openapi import document

FILE: Final = Path(__file__).parents[2] / "sdk/streampay/testing/samples.json"
_ID: Final = "_01jd4k00000000000000000000"
_AT: Final = "2026-11-20T09:00:00.000Z"
_CARD: Final = {"type": "card", "brand": "visa", "last4": "4242", "country": "US"}
_ANYWHERE: Final[dict[str, Any]] = {
    "livemode": False,
    "amount": "12.30",
    "currency": "USD",
    "reference": "order-1001",
    "created_at": _AT,
    "updated_at": _AT,
    "network": "stripe:test",
    "metadata": {},
    "session": f"cs{_ID}",
    "payment": f"pay{_ID}",
    "charge": f"ch{_ID}",
    "attempt": f"att{_ID}",
    "source": f"ch{_ID}",
    "amount_refunded": "0.00",
    "amount_capturable": "0.00",
    "gift_amount": "0.00",
    "charity": f"cha{_ID}",
}
_ATTEMPT: Final = {
    "id": f"att{_ID}",
    "processor": "stripe",
    "method": "card",
    "stage": "complete",
    "provider_reference": "cs_test_sample",
    "expires_at": "2026-11-20T09:30:00.000Z",
}
_CHARGE: Final = {
    "id": f"ch{_ID}",
    "reference": "pi_sample",
    "status": "succeeded",
    "amount_captured": "12.30",
    "instrument": _CARD,
    "risk_level": "normal",
    "authorized_at": _AT,
}
_OF: Final[dict[str, dict[str, Any]]] = {
    "CheckoutSession": {
        "id": f"cs{_ID}",
        "url": "http://127.0.0.1:8080/c/sample",
        "status": "open",
        "payment_status": "open",
        "mode": "payment",
        "capture_method": "automatic",
        "success_url": "http://localhost:5000/thanks",
        "line_items": [],
        "expires_at": "2026-11-20T09:30:00.000Z",
    },
    "Payment": {
        "id": f"pay{_ID}",
        "kind": "sale",
        "version": 2,
        "status": "open",
        "exceptions": [],
        "refunds": "none",
        "dispute": "none",
        "amount_received": "0.00",
        "attempts": [],
        "transfers": [],
        "charges": [],
        "charity": None,
        "expires_at": "2026-11-20T09:30:00.000Z",
    },
    "Refund": {"id": f"re{_ID}", "amount": "2.30", "status": "pending", "provider_reference": "re_sample"},
    "Dispute": {
        "id": f"dsp{_ID}",
        "status": "needs_response",
        "amount_withdrawn": "0.00",
        "amount_reinstated": "0.00",
        "reason": "fraudulent",
        "provider_reference": "du_sample",
        "evidence_due_by": "2026-11-29T09:00:00.000Z",
    },
    "Payout": {
        "id": f"po{_ID}",
        "amount": "11.64",
        "provider_reference": "po_sample",
        "status": "paid",
        "automatic": True,
        "arrives_on": _AT,
        "settled_at": _AT,
    },
    "Subscription": {
        "id": f"sub{_ID}",
        "status": "active",
        "customer": f"cus{_ID}",
        "plan": f"plan{_ID}",
        "period_start": _AT,
        "period_end": "2026-12-20T09:00:00.000Z",
        "paid_until": "2026-12-20T09:00:00.000Z",
        "access_until": "2026-12-20T09:00:00.000Z",
        "provider_reference": "sub_sample",
        "periods": [],
    },
    "Donation": {
        "id": f"don{_ID}",
        "status": "received",
        "kind": "round_up",
        "amount": "0.70",
        "fee_cover": "0.00",
        "amount_received": "0.70",
        "amount_reversed": "0.00",
        "anonymous": True,
        "donation_config": f"dcf{_ID}",
        "received_at": _AT,
    },
    "DonationPayout": {
        "id": f"dpo{_ID}",
        "amount": "120.50",
        "paid_at": _AT,
        "reference": "SEPA 2026-11-20 RIVER FUND",
        "evidence": "https://bank.example/statements/2026-11",
    },
    "ChainTransfer": {
        "id": f"xfer{_ID}",
        "network": "solana:devnet",
        "signature": "5" * 64,
        "currency": "USDC",
        "amount": "12.300000",
        "stage": "final",
        "payer": "7S3P4HxJpyyigGzodYwHtCxZyUQe9JiBMHyRWXArAaKv",
        "slot": 1,
        "occurred_at": _AT,
        "status": "unmatched",
        "reason": "no_reference",
        "payment": None,
        "suggestions": [],
    },
    "WebhookEndpoint": {
        "id": f"we{_ID}",
        "url": "https://shop.example/webhooks/streampay",
        "enabled_events": ["*"],
        "status": "enabled",
    },
    "Customer": {"id": f"cus{_ID}"},
    "Plan": {
        "id": f"plan{_ID}",
        "name": "Tea club",
        "interval": "month",
        "interval_count": 1,
        "trial_days": 0,
        "grace_days": 3,
        "is_active": True,
    },
    "Attempt": _ATTEMPT,
    "Charge": _CHARGE,
}
_PAID: Final = {"status": "paid", "amount_received": "12.30", "paid_at": _AT}
_WAS_OPEN: Final = {"amount_received": "0.00", "status": "open"}
_HELD: Final = {"status": "authorized", "amount_captured": "0.00", "amount_capturable": "12.30"}
_ENDED: Final = {"status": "canceled", "canceled_at": _AT, "ended_at": _AT}
_ON_CHAIN: Final[dict[str, Any]] = {"charges": [], "attempts": []}
# What differs from the object above, and what stood there before; `charge` changes the charge.
_EVENTS: Final[dict[str, tuple[dict[str, Any], dict[str, Any] | None]]] = {
    "checkout.session.completed": (
        {"status": "complete", "payment_status": "paid", "completed_at": _AT},
        {"status": "open"},
    ),
    "checkout.session.expired": ({"status": "expired", "payment_status": "expired"}, {"status": "open"}),
    "payment.requires_action": (
        {"status": "requires_action", "charge": {"status": "requires_action", "amount_captured": "0.00"}},
        {"status": "open"},
    ),
    "payment.processing": (
        {"status": "processing", "charge": {"status": "processing", "amount_captured": "0.00"}},
        {"status": "open"},
    ),
    "payment.authorized": (
        {"status": "authorized", "amount_capturable": "12.30", "charge": _HELD},
        {"amount_capturable": "0.00", "status": "open"},
    ),
    "payment.captured": (
        {**_PAID, "version": 3},
        {"amount_capturable": "12.30", "amount_received": "0.00", "status": "authorized"},
    ),
    "payment.failed": (
        {"version": 3, "charge": {"status": "failed", "amount_captured": "0.00", "failure_code": "generic_decline"}},
        {"status": "processing"},
    ),
    "payment.succeeded": (_PAID, _WAS_OPEN),
    "payment.partially_paid": ({**_ON_CHAIN, "status": "underpaid", "amount_received": "5.00"}, _WAS_OPEN),
    "payment.overpaid": (
        {**_ON_CHAIN, **_PAID, "amount_received": "15.00", "exceptions": ["overpaid"]},
        {**_WAS_OPEN, "exceptions": []},
    ),
    "payment.late": ({**_ON_CHAIN, **_PAID, "exceptions": ["late"]}, {**_WAS_OPEN, "exceptions": []}),
    "payment.reversed": (
        {**_ON_CHAIN, "version": 3, "exceptions": ["reorg"]},
        {"amount_received": "12.30", "exceptions": [], "status": "paid"},
    ),
    "payment.canceled": ({**_ON_CHAIN, "status": "canceled"}, {"status": "open"}),
    "payment.refunded": (
        {**_PAID, "version": 4, "refunds": "partial", "amount_refunded": "2.30"},
        {"amount_refunded": "0.00", "refunds": "pending"},
    ),
    "payment.amount_mismatch": (
        {**_PAID, "exceptions": ["amount_mismatch"]},
        {**_WAS_OPEN, "exceptions": []},
    ),
    "payment.fraud_warning": ({**_PAID, "version": 3, "exceptions": ["early_fraud_warning"]}, {"exceptions": []}),
    "refund.succeeded": ({"status": "succeeded"}, None),
    "refund.failed": ({"status": "failed", "failure_code": "expired_or_canceled_card"}, None),
    "refund.canceled": ({"status": "canceled"}, None),
    "dispute.updated": ({"status": "under_review", "amount_withdrawn": "12.30"}, None),
    "dispute.funds_withdrawn": ({"amount_withdrawn": "12.30"}, None),
    "dispute.funds_reinstated": (
        {"status": "won", "amount_withdrawn": "12.30", "amount_reinstated": "12.30"},
        None,
    ),
    "dispute.closed": ({"status": "lost", "amount_withdrawn": "12.30"}, None),
    "subscription.past_due": ({"status": "past_due"}, None),
    "subscription.paused": ({"status": "paused"}, None),
    "subscription.canceled": (_ENDED, None),
    "subscription.updated": ({"cancels_at": "2026-12-20T09:00:00.000Z"}, None),
    "subscription.trial_will_end": (
        {
            "status": "trialing",
            "trial_ends_at": "2026-11-23T09:00:00.000Z",
            "period_end": "2026-11-23T09:00:00.000Z",
            "paid_until": None,
        },
        None,
    ),
    "donation.refunded": (
        {"status": "reversed", "amount_reversed": "0.70"},
        {"amount_reversed": "0.00", "status": "received"},
    ),
    "donation.payout_canceled": (
        {"canceled_at": _AT, "cancellation_reason": "Written down twice."},
        {"canceled_at": None},
    ),
    "webhook_endpoint.disabled": (
        {"status": "disabled", "disabled_reason": "Nothing but failures for five days."},
        None,
    ),
}


def samples(schemas: dict[str, Any]) -> dict[str, Any]:
    """Return the content of the file: an object of each kind, the events as differences, and the currencies."""
    models = {kind: model.__name__ for kind, model in EVENT_OBJECTS.items()}
    objects = {name: _object(schemas, name) for name in sorted(set(models.values()))}
    objects["Payment"] |= {"attempts": [_object(schemas, "Attempt")], "charges": [_object(schemas, "Charge")]}
    objects |= {
        name: _object(schemas, name) for name in ("Attempt", "Charge", "Customer", "Plan")
    }  # the fake makes such
    events = {}
    for kind in EventType:
        over, previous = _EVENTS.get(kind.value, ({}, None))
        changes = dict(over)
        if (charge := changes.pop("charge", None)) is not None:
            changes["charges"] = [objects["Payment"]["charges"][0] | charge]
        events[kind.value] = [models[kind], changes, previous]
    currencies: dict[int, list[str]] = {}
    for row in all_currencies():
        currencies.setdefault(row.exponent, []).append(row.code)
    return {
        "objects": objects,
        "events": events,
        "exponents": {str(exponent): " ".join(codes) for exponent, codes in sorted(currencies.items())},
    }


def _object(schemas: dict[str, Any], name: str) -> dict[str, Any]:
    schema, own = schemas[name], _OF[name]
    assert not set(own) - set(schema["properties"]), f"{name} has no such fields any more"
    return {field: _value(about, field, own, schemas) for field, about in schema["properties"].items()}


def _value(about: dict[str, Any], field: str, own: dict[str, Any], schemas: dict[str, Any]) -> Any:
    if field in own:
        return own[field]
    if "const" in about:
        return about["const"]
    if field in _ANYWHERE:
        return _ANYWHERE[field]
    if any(one.get("type") == "null" for one in about.get("anyOf", [])):
        return None
    if "$ref" in about:
        return schemas[about["$ref"].rpartition("/")[2]]["enum"][0]
    raise AssertionError(f"say above what a plausible {field} is")


def text(schemas: dict[str, Any]) -> str:
    """Return the file's text."""
    return canonical_json(samples(schemas)) + "\n"


if __name__ == "__main__":
    found = document(ROUTES, base_url="http://127.0.0.1:8080")
    made = text(json.loads(canonical_json(found))["components"]["schemas"])
    if sys.argv[1:] == ["--print"]:
        sys.stdout.write(made)
    else:
        FILE.write_text(made)
