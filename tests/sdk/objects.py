"""Objects of the wire contract, as the gateway writes them."""

import copy
import time
from typing import Any

from streampay.webhooks import sign

SECRET = "whsec_" + "c3RyZWFtcGF5LXRlc3Qtc2VjcmV0LW51bWJlci0wMSE="
OTHER_SECRET = "whsec_" + "c3RyZWFtcGF5LXRlc3Qtc2VjcmV0LW51bWJlci0wMiE="
_T = "2026-11-20T10:00:00.000Z"

SESSION: dict[str, Any] = {
    "id": "cs_01jd0000000000000000000001",
    "object": "checkout.session",
    "livemode": False,
    "url": "http://127.0.0.1:8080/pay/token",
    "status": "open",
    "payment_status": "open",
    "payment": "pay_01jd0000000000000000000001",
    "amount": "12.30",
    "currency": "USD",
    "reference": "order-1001",
    "success_url": "https://shop.example/orders/1001",
    "cancel_url": None,
    "customer_email": None,
    "customer_country": None,
    "locale": None,
    "line_items": [{"name": "T-shirt", "quantity": 1, "amount": "12.30"}],
    "methods": None,
    "mode": "payment",
    "plan": None,
    "customer": None,
    "subscription": None,
    "saved_method": None,
    "donation": None,
    "capture_method": "automatic",
    "metadata": {"cart": "7"},
    "created_at": _T,
    "expires_at": "2026-11-20T10:30:00.000Z",
    "completed_at": None,
}
TRANSFER: dict[str, Any] = {
    "object": "chain_transfer",
    "id": "xfer_01jd0000000000000000000001",
    "network": "solana:localnet",
    "signature": "5VERv8NMvzbJMEkV8xnrLkEaWRtSz9CosKDYjCJjBRnb",
    "currency": "SOL",
    "amount": "0.061500000",
    "stage": "final",
    "payer": None,
    "slot": 12,
    "occurred_at": _T,
    "status": "unmatched",
    "payment": None,
    "suggestions": ["pay_01jd0000000000000000000001"],
}
PAYMENT: dict[str, Any] = {
    "id": "pay_01jd0000000000000000000001",
    "object": "payment",
    "livemode": False,
    "session": SESSION["id"],
    "kind": "sale",
    "version": 1,
    "status": "paid",
    "exceptions": [],
    "refunds": "none",
    "dispute": "none",
    "amount": "12.30",
    "currency": "USD",
    "amount_received": "12.30",
    "amount_capturable": "0.00",
    "amount_refunded": "0.00",
    "reference": "order-1001",
    "metadata": {},
    "attempts": [
        {
            "id": "att_01jd0000000000000000000001",
            "processor": "solana",
            "method": "sol",
            "amount": "0.061500000",
            "currency": "SOL",
            "network": "solana:localnet",
            "receiving_address": "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM",
            "reference_key": "7dQsxFyUiYWKyZp1u1MkKeFNP42skyjqc9mbEK2JqkLf",
            "quote": "quo_01jd0000000000000000000001",
            "stage": None,
            "provider_reference": None,
            "expires_at": _T,
            "created_at": _T,
        }
    ],
    "transfers": [{k: v for k, v in TRANSFER.items() if k not in ("object", "status", "payment", "suggestions")}],
    "charges": [
        {
            "id": "ch_01jd0000000000000000000001",
            "attempt": "att_01jd0000000000000000000002",
            "reference": "pi_1",
            "status": "succeeded",
            "amount": "12.30",
            "amount_captured": "12.30",
            "amount_capturable": "0.00",
            "currency": "USD",
            "capture_before": None,
            "failure_code": None,
            "instrument": {"type": "card", "brand": "visa", "last4": "4242", "country": "US"},
            "risk_level": "normal",
            "authorized_at": _T,
        }
    ],
    "created_at": _T,
    "expires_at": _T,
    "paid_at": _T,
}
REFUND: dict[str, Any] = {
    "id": "re_01jd0000000000000000000001",
    "object": "refund",
    "livemode": False,
    "payment": PAYMENT["id"],
    "source": "ch_01jd0000000000000000000001",
    "status": "succeeded",
    "amount": "2.30",
    "currency": "USD",
    "reason": "requested_by_customer",
    "failure_code": None,
    "destination": None,
    "network": "stripe:test",
    "provider_reference": "re_1",
    "metadata": {"ticket": "7"},
    "created_at": _T,
    "updated_at": _T,
}
DISPUTE: dict[str, Any] = {
    "id": "dsp_01jd0000000000000000000001",
    "object": "dispute",
    "livemode": False,
    "payment": PAYMENT["id"],
    "charge": "ch_01jd0000000000000000000001",
    "status": "needs_response",
    "amount": "12.30",
    "currency": "USD",
    "amount_withdrawn": "12.30",
    "amount_reinstated": "0.00",
    "reason": "fraudulent",
    "provider_reference": "du_1",
    "evidence_due_by": _T,
    "created_at": _T,
    "updated_at": _T,
}
ENDPOINT: dict[str, Any] = {
    "id": "we_01jd0000000000000000000001",
    "object": "webhook_endpoint",
    "livemode": False,
    "url": "https://shop.example/webhooks/streampay",
    "description": None,
    "enabled_events": ["*"],
    "status": "enabled",
    "disabled_reason": None,
    "created_at": _T,
    "secret": SECRET,
}
EVENT: dict[str, Any] = {
    "id": "evt_01jd0000000000000000000001",
    "object": "event",
    "type": "payment.succeeded",
    "timestamp": _T,
    "api_version": "2026-11-20",
    "livemode": False,
    "sequence": 3,
    "data": {"object": PAYMENT, "previous": {"status": "confirming"}},
}
DELIVERY: dict[str, Any] = {
    "id": "dlv_01jd0000000000000000000001",
    "object": "delivery",
    "event": EVENT["id"],
    "event_type": "payment.succeeded",
    "endpoint": ENDPOINT["id"],
    "attempt": 1,
    "outcome": "failed",
    "status_code": 500,
    "error": None,
    "latency_ms": 12,
    "response_excerpt": "oops",
    "created_at": _T,
    "next_attempt_at": _T,
}
BALANCE = {
    "object": "balance",
    "account": "merchant:available",
    "currency": "SOL",
    "posted": "1.5",
    "pending": "0.2",
}
ENTRY = {
    "id": "je_01jd0000000000000000000001",
    "object": "ledger_entry",
    "livemode": False,
    "kind": "settle",
    "subject": PAYMENT["id"],
    "reverses": None,
    "effective_at": _T,
    "recorded_at": _T,
    "postings": [{"account": "merchant:available", "currency": "SOL", "amount": "-1.50", "layer": "posted"}],
}
RATE = {
    "object": "rate",
    "base": "SOL",
    "quote": "USD",
    "rate": "200.13",
    "sources": [{"name": "kraken", "rate": "200.13", "as_of": _T}],
    "as_of": _T,
}
QUOTE = {
    "id": "quo_01jd0000000000000000000001",
    "object": "quote",
    "method": "sol",
    "amount": "12.30",
    "currency": "USD",
    "pay_amount": "0.0615",
    "pay_currency": "SOL",
    "rate": "200",
    "expires_at": _T,
    "evidence": {"sources": [1, {"deep": [None]}]},
}
METHOD = {
    "object": "method",
    "id": "sol",
    "title": "Solana",
    "currency": "SOL",
    "processor": "solana",
    "network": "solana:localnet",
    "available": False,
    "reason": "no fresh rate",
}
ACCOUNT = {
    "id": "mer_01jd0000000000000000000001",
    "object": "account",
    "name": "Shop",
    "livemode": False,
    "origins": ["https://shop.example"],
    "receiving_addresses": [{"network": "solana:localnet", "address": "9WzD"}],
    "brand_color": "#0a7",
    "logo_url": None,
    "late_policy": "accept",
    "tolerance_bps": 50,
}

PAYOUT = {
    "object": "payout",
    "id": "po_01jd0000000000000000000001",
    "livemode": False,
    "network": "stripe:test",
    "provider_reference": "po_1",
    "status": "paid",
    "amount": "11.64",
    "currency": "USD",
    "automatic": True,
    "arrives_on": _T,
    "settled_at": None,
    "created_at": _T,
}
_BOOKED = {"type": "charge", "amount": "12.30", "fee": "0.66", "net": "11.64"}
SETTLEMENT = {
    "object": "settlement",
    "payout": PAYOUT,
    "currency": "USD",
    "totals": [_BOOKED | {"count": 1}],
    "lines": [_BOOKED | {"provider_reference": "txn_1", "payment": None, "created_at": _T}],
    "line_count": 1,
    "gap": "0.00",
}

ORDER: dict[str, Any] = {
    "amount": "12.30",
    "currency": "USD",
    "reference": "order-1001",
    "success_url": "https://shop.example/orders/1001",
}


def but(wire: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a deep copy with changes."""
    return {**copy.deepcopy(wire), **changes}


def listing(*items: dict[str, Any], has_more: bool = False) -> dict[str, Any]:
    """Return a page of a list."""
    return {"object": "list", "data": list(items), "has_more": has_more, "url": "/v1/things"}


def signed_headers(
    body: bytes, *, secret: str = SECRET, at: int | None = None, message_id: str = "evt_01jd0000000000000000000001"
) -> dict[str, str]:
    """Return the headers of a genuine webhook, sent now unless `at` says otherwise."""
    timestamp = int(time.time()) if at is None else at
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(secret, message_id, timestamp, body),
    }
