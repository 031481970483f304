"""API keys and webhook secrets: made here, shown once, recognisable by scanners.

An API key is `sk_test_` or `sk_live_`, 43 URL-safe characters of 256 random bits, and six characters of CRC-32 in base
62 over everything before. The checksum is no protection: it lets a secret scanner and a typing error be told apart from
a key without asking the database. Only the SHA-256 of a key is stored; 256 random bits need no slow hash.
"""

import base64
import hashlib
import re
import secrets
import zlib
from typing import Final

_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHECKSUM_LENGTH: Final = 6  # 62^6 > 2^32
_WEBHOOK_SECRET_BYTES: Final = 32
_HINT_CHARACTERS: Final = 3
_KEY: Final = re.compile(r"(sk_(?:test|live)_)([A-Za-z0-9_-]{43})([A-Za-z0-9]{6})", re.ASCII)


def new_api_key(*, livemode: bool) -> str:
    """Return a fresh secret key; store its `digest` and `hint`, show the key once."""
    body = f"sk_{'live' if livemode else 'test'}_{secrets.token_urlsafe(32)}"
    return body + _checksum(body)


def is_well_formed(key: str) -> bool:
    """Tell whether `key` has our form and its checksum agrees; says nothing of whether it is known."""
    matched = _KEY.fullmatch(key)
    return matched is not None and _checksum(matched[1] + matched[2]) == matched[3]


def is_live(key: str) -> bool:
    """Tell the mode of a well-formed key by its prefix."""
    return key.startswith("sk_live_")


def digest(key: str) -> str:
    """Return the SHA-256 of a key in hexadecimal: what the database stores and looks up."""
    return hashlib.sha256(key.encode()).hexdigest()


def hint(key: str) -> str:
    """Return what may be shown again: `sk_test_…9f3`."""
    assert is_well_formed(key), "hints are made of our own keys"
    return f"{key[:8]}…{key[-_HINT_CHARACTERS:]}"


def new_webhook_secret() -> str:
    """Return a fresh signing secret, `whsec_` and 32 random bytes in base 64 (Standard Webhooks)."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(_WEBHOOK_SECRET_BYTES)).decode()


def _checksum(body: str) -> str:
    number = zlib.crc32(body.encode())
    digits = []
    for _ in range(_CHECKSUM_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
