"""Canonical JSON: one text per value, for hashes, signatures and stored evidence."""

import hashlib
import json
from typing import Any, Final

# Made once: `json.dumps` with options makes an encoder for every call.
_ENCODER: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical_json(value: Any) -> str:
    """Return the value as minified JSON with sorted keys; numbers that count money must already be strings."""
    return _ENCODER.encode(value)


def sha256_hex(data: bytes) -> str:
    """Return the SHA-256 of `data` in hexadecimal."""
    return hashlib.sha256(data).hexdigest()
