"""Signatures of webhooks, as Standard Webhooks 1.0 defines them. Pure.

The MAC covers `id.timestamp.body` with HMAC-SHA256 under the bytes behind `whsec_`. During a rotation every valid
secret signs, newest first, so a receiver verifies with the old or the new one.
Source: github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from typing import Final

_PREFIX: Final = "whsec_"


def signature_header(event_id: str, timestamp: int, body: bytes, secrets: Sequence[str]) -> str:
    """Return `v1,<base64> [v1,<base64>…]`, one signature for each secret."""
    assert secrets, "an endpoint always has a secret"
    message = b"%s.%d.%s" % (event_id.encode(), timestamp, body)
    return " ".join(f"v1,{_mac(secret, message)}" for secret in secrets)


def _mac(secret: str, message: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    return base64.b64encode(hmac.digest(key, message, hashlib.sha256)).decode()


def signed_headers(event_id: str, timestamp: int, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """Return the three headers that a receiver verifies."""
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature_header(event_id, timestamp, body, secrets),
    }
