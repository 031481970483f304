"""Identifiers in Stripe's spelling, decided by the seed alone: the same calls give the same identifiers."""

import base64
import hashlib
import hmac
from typing import Final

_LENGTH: Final = 24

PREFIXES: Final = {
    "balance_transaction": "txn_",
    "billing_portal.session": "bps_",
    "challenge": "tds_",
    "charge": "ch_",
    "checkout.session": "cs_test_",
    "customer": "cus_",
    "delivery": "dlv_",
    "dispute": "du_",
    "event": "evt_",
    "invoice": "in_",
    "invoice_payment": "inpay_",
    "invoiceitem": "ii_",
    "item": "li_",
    "line_item": "il_",
    "mandate": "mandate_",
    "payment_intent": "pi_",
    "payment_method": "pm_",
    "payout": "po_",
    "price": "price_",
    "product": "prod_",
    "radar.early_fraud_warning": "issfr_",
    "refund": "re_",
    "request": "req_",
    "setup_attempt": "setatt_",
    "setup_intent": "seti_",
    "subscription": "sub_",
    "subscription_item": "si_",
    "test_helpers.test_clock": "clock_",
    "webhook_endpoint": "we_",
}


def spelled(seed: str, kind: str, number: int) -> str:
    """Return the identifier of the number-th object of a kind."""
    return PREFIXES[kind] + token(seed, f"{kind}/{number}")


def token(seed: str, name: str, *, length: int = _LENGTH) -> str:
    """Return up to 43 letters and digits that follow from seed and name."""
    digest = hmac.digest(seed.encode(), name.encode(), hashlib.sha256)
    return base64.b64encode(digest, altchars=b"Zz").decode()[:length]
