"""Event bodies: the same bytes for ever."""

from datetime import UTC, datetime
from typing import Any

from gateway.domain.events import API_VERSION, Event, EventType

FACT: dict[str, Any] = {
    "id": "evt_01",
    "type": EventType.PAYMENT_SUCCEEDED,
    "merchant_id": "mer_01",
    "livemode": False,
    "object_id": "pay_01",
    "sequence": 3,
    "created_at": datetime(2026, 11, 20, 9, 21, 0, 123_456, tzinfo=UTC),
}


def test_the_body_is_these_bytes() -> None:
    """What merchants' programs parse and sign over; a change here needs a new API version."""
    event = Event(**FACT, data={"object": "payment", "id": "pay_01", "amount": "12.30"}, previous={"status": "open"})
    assert event.body() == (
        '{"api_version":"2026-11-20","data":{"object":{"amount":"12.30","id":"pay_01","object":"payment"},'
        '"previous":{"status":"open"}},"id":"evt_01","livemode":false,"object":"event","sequence":3,'
        '"timestamp":"2026-11-20T09:21:00.123Z","type":"payment.succeeded"}'
    )
    assert API_VERSION == "2026-11-20"


def test_the_order_in_which_data_was_built_does_not_change_the_bytes() -> None:
    one = Event(**FACT, data={"a": 1, "b": {"c": 2, "d": 3}})
    other = Event(**FACT, data={"b": {"d": 3, "c": 2}, "a": 1})
    assert one.body() == other.body()


def test_the_merchants_id_is_not_told_to_the_outside() -> None:
    assert "mer_01" not in Event(**FACT, data={}).body()


def test_types_are_dotted_words_and_unique() -> None:
    values = [kind.value for kind in EventType]
    assert len(set(values)) == len(values)
    assert all(value.replace(".", "").replace("_", "").islower() and len(value) <= 60 for value in values)
