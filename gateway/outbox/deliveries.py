"""Deliveries as a merchant sees them: the log, sending again, and the test event."""

from typing import Final

from sqlalchemy import insert, select, update

from gateway.domain.events import Event, EventType
from gateway.kernel.clock import Clock
from gateway.kernel.errors import ConflictError, ErrorCode
from gateway.kernel.ids import Ids
from gateway.outbox import endpoints, events
from gateway.outbox.model import (
    Delivery,
    DeliveryOutcome,
    Endpoint,
    EndpointStatus,
    OutboxStatus,
    Page,
    StoredEvent,
)
from gateway.outbox.paging import newest_first
from gateway.storage.database import Tx
from gateway.storage.schema import delivery, event, outbox

_TYPE: Final = event.c.type.label("event_type")


def list_deliveries(
    tx: Tx,
    merchant_id: str,
    endpoint_id: str,
    *,
    livemode: bool,
    limit: int = 10,
    starting_after: str | None = None,
    ending_before: str | None = None,
) -> Page[Delivery]:
    """Return the tries of an endpoint, newest first.

    Raises:
        NotFoundError: no such endpoint of this merchant and mode.
        InvalidRequestError: `cursor_invalid`.
    """
    endpoints.retrieve(tx, merchant_id, endpoint_id, livemode=livemode)
    query = select(delivery, _TYPE).join(event, event.c.id == delivery.c.event_id)
    rows, has_more = newest_first(
        tx,
        query.where(delivery.c.endpoint_id == endpoint_id),
        delivery.c.id,
        prefix="dlv",
        limit=limit,
        starting_after=starting_after,
        ending_before=ending_before,
    )
    found = [{**row._asdict(), "outcome": DeliveryOutcome(row.outcome)} for row in rows]
    return Page(items=tuple(Delivery(**each) for each in found), has_more=has_more)


def resend(tx: Tx, merchant_id: str, endpoint_id: str, event_id: str, *, livemode: bool, clock: Clock) -> StoredEvent:
    """Make an event due now at one endpoint, with its full schedule, the same id and the same bytes.

    An endpoint that never subscribed to the event gets it as well: the merchant asked for it by name.

    Raises:
        NotFoundError: no such endpoint or event of this merchant and mode.
        ConflictError: the endpoint is disabled.
    """
    endpoint = endpoints.lock(tx, merchant_id, endpoint_id, livemode=livemode)
    _check_enabled(endpoint)
    stored = events.retrieve(tx, merchant_id, event_id, livemode=livemode)
    again = (
        update(outbox)
        .where(outbox.c.event_id == event_id, outbox.c.endpoint_id == endpoint_id)
        .values(status=OutboxStatus.PENDING.value, due_at=clock.now(), attempts=0, lease=None)
    )
    if tx.execute(again).rowcount == 0:
        _enqueue(tx, event_id, endpoint_id, clock)
    return stored


def send_test(tx: Tx, merchant_id: str, endpoint_id: str, *, livemode: bool, clock: Clock, ids: Ids) -> StoredEvent:
    """Send a `ping` event to one endpoint only; its object is the endpoint.

    Raises:
        NotFoundError: no such endpoint of this merchant and mode.
        ConflictError: the endpoint is disabled.
    """
    endpoint = endpoints.lock(tx, merchant_id, endpoint_id, livemode=livemode)
    _check_enabled(endpoint)
    ping = about_endpoint(tx, endpoint, EventType.PING, clock=clock, ids=ids)
    events.store(tx, ping)
    _enqueue(tx, ping.id, endpoint_id, clock)
    return events.retrieve(tx, merchant_id, ping.id, livemode=livemode)


def about_endpoint(tx: Tx, endpoint: Endpoint, kind: EventType, *, clock: Clock, ids: Ids) -> Event:
    """Return a new event whose object is an endpoint; the caller holds the endpoint's row."""
    return Event(
        id=ids.new("evt"),
        type=kind,
        merchant_id=endpoint.merchant_id,
        livemode=endpoint.livemode,
        object_id=endpoint.id,
        sequence=events.next_sequence(tx, endpoint.id),
        created_at=clock.now(),
        data=endpoint.wire(),
    )


def _check_enabled(endpoint: Endpoint) -> None:
    if endpoint.status is not EndpointStatus.ENABLED:
        raise ConflictError(
            ErrorCode.ENDPOINT_DISABLED, "The endpoint is disabled. Enable it first.", object_id=endpoint.id
        )


def _enqueue(tx: Tx, event_id: str, endpoint_id: str, clock: Clock) -> None:
    now = clock.now()
    tx.execute(
        insert(outbox).values(
            event_id=event_id,
            endpoint_id=endpoint_id,
            status=OutboxStatus.PENDING.value,
            due_at=now,
            attempts=0,
            created_at=now,
        )
    )
