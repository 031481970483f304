"""Sample events: whole, as the gateway's own description wants them, and signed as it signs."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # comes without types

from streampay import ConfigurationError, SignatureVerificationError, Webhook, models
from streampay.testing import event, event_types, sign_headers
from tests.sdk import make_samples
from tests.sdk.live_gateway import LiveGateway

ROOT = Path(__file__).parents[2]
SECRET = "whsec_c3RyZWFtcGF5LXRlc3Rpbmctc2VjcmV0"


@pytest.fixture(scope="module")
def document(live_gateway: LiveGateway) -> dict[str, Any]:
    """Return the description that the real server serves."""
    found: dict[str, Any] = requests.get(f"{live_gateway.base_url}/openapi.json", timeout=10).json()
    return found


def test_the_samples_are_what_the_server_describes_today() -> None:
    """Made by a process of their own: in this one other tests may have made coins known."""
    command = [sys.executable, "-m", "tests.sdk.make_samples", "--print"]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert make_samples.FILE.read_text() == made, "run: .venv/bin/python -m tests.sdk.make_samples"


def test_every_event_of_the_catalogue_fits_its_schema(document: dict[str, Any]) -> None:
    assert set(event_types()) == set(document["webhooks"])
    for kind, about in document["webhooks"].items():
        schema = about["post"]["requestBody"]["content"]["application/json"]["schema"]
        validator = Draft202012Validator({**schema, "components": document["components"]})
        for made in (event(kind), event(kind, event_id="evt_01jd4k00000000000000000000", sequence=9)):
            assert [error.message for error in validator.iter_errors(json.loads(made.body))] == [], kind
            assert made.event.extra == {}
            assert made.event.data.object.extra == {}


def test_a_sample_is_verified_like_a_real_event() -> None:
    """stripe-python #1697: there was no public way to sign an event for a shop's own tests."""
    made = event("payment.succeeded", reference="order-7", amount="5.00", metadata={"cart": "7"})
    found = Webhook(SECRET).verify(made.body, made.headers(SECRET))
    assert found == made.event
    assert found.payment is not None
    assert (found.payment.reference, found.payment.amount_received, found.payment.metadata) == (
        "order-7",
        "5.00",
        {"cart": "7"},
    )
    assert [found.payment.charges[0].amount, found.payment.attempts[0].amount] == ["5.00", "5.00"]
    assert found.payment.is_paid


def test_two_samples_are_two_events_of_two_payments() -> None:
    one, other = event("payment.succeeded"), event("payment.succeeded")
    assert one.event.id < other.event.id
    assert one.event.payment is not None
    assert other.event.payment is not None
    assert one.event.payment.id != other.event.payment.id
    assert one.event.payment.charges[0].attempt == one.event.payment.attempts[0].id
    again = event("payment.refunded", id=one.event.payment.id, at=datetime(2026, 1, 2, tzinfo=UTC)).event
    assert again.payment is not None
    assert (again.payment.id, again.timestamp.year, again.sequence) == (one.event.payment.id, 2026, 2)
    assert isinstance(event("refund.created", amount=Decimal("1.10")).event.data.object, models.Refund)


def test_a_signature_may_be_old_or_foreign() -> None:
    made = event("ping")
    stale = sign_headers(made.body, SECRET, message_id=made.event.id, at=datetime.now(UTC) - timedelta(hours=1))
    assert set(stale) == {"webhook-id", "webhook-timestamp", "webhook-signature"}
    for headers, code in ((stale, "timestamp_too_old"), (made.headers("whsec_" + "A" * 32), "signature_mismatch")):
        with pytest.raises(SignatureVerificationError) as caught:
            Webhook(SECRET).verify(made.body, headers)
        assert caught.value.code == code


def test_what_no_event_has_is_refused() -> None:
    for kind, over, code in (
        ("payment.succeded", {}, "event_unknown"),
        ("payment.succeeded", {"colour": "red"}, "field_unknown"),
        ("payment.succeeded", {"amount": 12}, "amount_invalid"),
        ("payment.succeeded", {"amount": 12.3}, "amount_invalid"),
        ("payment.succeeded", {"status": 7}, "field_invalid"),
    ):
        with pytest.raises(ConfigurationError) as caught:
            event(kind, **over)
        assert caught.value.code == code
    with pytest.raises(ConfigurationError):
        sign_headers(b"{}", SECRET, message_id="evt_1", at=datetime(2026, 1, 1))  # noqa: DTZ001 - the point of the test
