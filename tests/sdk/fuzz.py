"""Hostile webhooks by the hundred thousand, and an independent opinion on which of them are genuine."""

import base64
import hashlib
import hmac
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from streampay.errors import SignatureVerificationError
from streampay.webhooks import DEFAULT_TOLERANCE_S, SECRET_PREFIX, Webhook
from tests.sdk.objects import EVENT, OTHER_SECRET, SECRET, signed_headers

NOW = 1_795_168_800
BODY = json.dumps(EVENT, separators=(",", ":")).encode()
WORDS: list[Any] = [
    None, 0, -1, 1.5, True, "", "v1,", "\ud800", "é", b"\xff", b"evt_1", [], {}, (), "evt_1", str(NOW), "9" * 99,
]  # fmt: skip


@dataclass(slots=True)
class Found:
    """What a storm has shown: names of exceptions that are not the verifier's own, and forgeries that it believed."""

    inputs: int = 0
    accepted: int = 0
    foreign: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def storm(count: int, *, seed: int) -> Found:
    """Hand a verifier so many inputs."""
    rng, found = random.Random(seed), Found()
    webhook = Webhook(SECRET, OTHER_SECRET, clock=lambda: NOW)
    for _ in range(count):
        body, headers = fuzzed(rng)
        found.inputs += 1
        try:
            webhook.verify(body, headers)
        except SignatureVerificationError:
            continue
        except Exception as error:  # noqa: BLE001 - to find out which is what this is for
            found.foreign.append(type(error).__name__)
            continue
        found.accepted += 1
        if not is_genuine(body, headers):
            found.wrong.append(repr((body, headers)))
    return found


def is_genuine(body: Any, headers: Any) -> bool:
    """Tell by other means than the verifier's whether a delivery is signed with one of the secrets, just now."""
    if not isinstance(body, bytes) or not isinstance(headers, Mapping | list):
        return False
    given = dict(headers)
    parts: list[Any] = [given.get(f"webhook-{name}") for name in ("id", "timestamp", "signature")]
    if not all(isinstance(part, str) and part.isascii() for part in parts):
        return False
    message_id, timestamp, signatures = parts
    if not timestamp.isdecimal() or abs(int(timestamp) - NOW) > DEFAULT_TOLERANCE_S:
        return False
    signed = f"{message_id}.{timestamp}.".encode() + body
    keys = (base64.b64decode(secret.removeprefix(SECRET_PREFIX)) for secret in (SECRET, OTHER_SECRET))
    right = {base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode() for key in keys}
    return any(
        version == "v1" and mac in right for version, _, mac in (one.partition(",") for one in signatures.split(" "))
    )


def fuzzed(rng: random.Random) -> tuple[Any, Any]:
    """Return a body and headers: genuine, genuine with a wound, or nonsense; half of the wounded bodies are signed."""
    body: Any = wounded(rng, BODY) if rng.random() < 0.7 else BODY
    headers: Any = signed_headers(body if rng.random() < 0.7 else BODY, at=NOW)
    choice = rng.random()
    if choice < 0.3:
        name = rng.choice(list(headers))
        headers[name] = wounded_text(rng, headers[name]) if rng.random() < 0.6 else rng.choice(WORDS)
    elif choice < 0.4:
        headers = rng.choice(
            [rng.choice(WORDS), list(headers.items())[: rng.randrange(4)], {rng.choice("ab"): headers}]
        )
    elif choice < 0.5:
        body = rng.choice(WORDS)
    return body, headers


def wounded(rng: random.Random, body: bytes) -> bytes:
    """Return the body with a piece cut out, repeated, flipped, or replaced by a word of JSON."""
    start = rng.randrange(len(body))
    end = start + rng.choice([1, 2, 5, 30])
    words = [b"", b"null", b"{}", b"[]", b"1e999", b'"\\ud800"', b"[" * 2_000, b"\xff", b"-0", b'"', rng.randbytes(3)]
    return body[:start] + rng.choice([*words, body[start:end] * 2]) + body[end:]


def wounded_text(rng: random.Random, text: str) -> str:
    """Return a header with one letter replaced by something that a parser may stumble over."""
    start = rng.randrange(len(text))
    return text[:start] + rng.choice(["", " ", ",", ".", "\x00", "ÿ", "٣", "\ud800", "=" * 9]) + text[start + 1 :]
