"""Signatures both ways with the reference library of Standard Webhooks as JavaScript shops have it (npm)."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from streampay.errors import SignatureVerificationError
from streampay.webhooks import Webhook, sign
from tests.sdk.objects import EVENT, OTHER_SECRET, SECRET, signed_headers

NODE = Path(__file__).parent / "node"
TEXTS = ["{}", '{"name":"Größe 42 \N{SNOWMAN}"}', json.dumps(EVENT)]


@pytest.fixture
def ask(node: str, engine_missing: Callable[[str, str], NoReturn]) -> Callable[[list[dict[str, Any]]], list[Any]]:
    """Return a way to let the reference library sign (without headers) or verify."""
    if not (NODE / "node_modules" / "standardwebhooks").is_dir():
        engine_missing("standardwebhooks of npm", "npm ci in tests/sdk/node")

    def run(requests: list[dict[str, Any]]) -> list[Any]:
        command = [node, str(NODE / "webhooks.mjs")]
        done = subprocess.run(command, input=json.dumps(requests), capture_output=True, text=True, check=True)
        answers: list[Any] = json.loads(done.stdout)
        return answers

    return run


def test_what_the_reference_library_signs_verifies_here(ask: Callable[[list[dict[str, Any]]], list[Any]]) -> None:
    now = int(time.time())
    asked = [{"secret": SECRET, "id": "evt_1", "timestamp": now, "body": text, "headers": None} for text in TEXTS]
    for text, signature in zip(TEXTS, ask(asked), strict=True):
        assert signature == sign(SECRET, "evt_1", now, text)
    headers = {"webhook-id": "evt_1", "webhook-timestamp": str(now), "webhook-signature": ask(asked[-1:])[0]}
    assert Webhook(OTHER_SECRET, SECRET).verify(TEXTS[-1].encode(), headers).id == EVENT["id"]
    with pytest.raises(SignatureVerificationError):
        Webhook(OTHER_SECRET).verify(TEXTS[-1].encode(), headers)


def test_what_is_signed_here_verifies_in_the_reference_library(
    ask: Callable[[list[dict[str, Any]]], list[Any]],
) -> None:
    def request(text: str, secret: str, signed: str) -> dict[str, Any]:
        headers = signed_headers(signed.encode(), message_id="evt_1")
        return {"secret": secret, "id": "", "timestamp": 0, "body": text, "headers": headers}

    good = ask([request(text, SECRET, text) for text in TEXTS])
    assert good == [json.loads(text) for text in TEXTS]
    assert ask([request("{}", OTHER_SECRET, "{}"), request("{} ", SECRET, "{}")]) == ["No matching signature found"] * 2
