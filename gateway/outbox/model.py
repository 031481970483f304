"""The room's nouns: endpoints, deliveries, stored events, pages; and what it asks of the key room."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Generic, Protocol, TypeVar

from gateway.kernel.clock import rfc3339

Item = TypeVar("Item")
ALL_EVENTS: Final = "*"


class SecretBox(Protocol):
    """Seals and opens small secrets for an owner and field; `gateway.keys.secrets.SecretBox` is one."""

    def seal(self, secret: str, *, aad: str) -> str:
        """Return the secret sealed."""
        ...

    def open(self, sealed: str, *, aad: str) -> str:
        """Return the secret; fails with the box's own error when the owner or the key is another."""
        ...

    def digest(self, text: str, *, purpose: str) -> str:
        """Return 64 hex digits that are the same for the same text and purpose, and tell nothing without the key."""
        ...


class EndpointStatus(StrEnum):
    """Whether an endpoint receives events."""

    ENABLED = "enabled"
    DISABLED = "disabled"


class OutboxStatus(StrEnum):
    """Life of one event on its way to one endpoint; `parked` waits for the endpoint to be enabled again."""

    PENDING = "pending"
    PARKED = "parked"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    DROPPED = "dropped"


class DeliveryOutcome(StrEnum):
    """How one try ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[Item]):
    """One page of a list, newest first; `has_more` in the direction of the cursor."""

    items: tuple[Item, ...]
    has_more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvent:
    """An event as it was stored; `body` is the exact JSON text that is signed, sent and shown."""

    id: str
    type: str
    object_id: str
    body: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A merchant's URL; `enabled_events` holds event types, or `*` alone."""

    id: str
    merchant_id: str
    livemode: bool
    url: str
    description: str | None
    enabled_events: tuple[str, ...]
    status: EndpointStatus
    disabled_reason: str | None
    created_at: datetime

    def wire(self) -> dict[str, Any]:
        """Return the endpoint as the API and events show it, without its secret."""
        return {
            "id": self.id,
            "object": "webhook_endpoint",
            "livemode": self.livemode,
            "url": self.url,
            "description": self.description,
            "enabled_events": list(self.enabled_events),
            "status": self.status.value,
            "disabled_reason": self.disabled_reason,
            "created_at": rfc3339(self.created_at),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedEndpoint:
    """An endpoint with a secret that is shown this once."""

    endpoint: Endpoint
    secret: str

    def __repr__(self) -> str:
        return f"IssuedEndpoint(endpoint={self.endpoint!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointChanges:
    """What an update changes; None leaves a field as it is, an empty description removes it."""

    url: str | None = None
    enabled_events: tuple[str, ...] | None = None
    description: str | None = None
    status: EndpointStatus | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One try to send one event to one endpoint; `latency_ms` counts from the start of the connection."""

    id: str
    event_id: str
    event_type: str
    endpoint_id: str
    attempt: int
    outcome: DeliveryOutcome
    status_code: int | None
    error: str | None
    latency_ms: int
    response_excerpt: str | None
    created_at: datetime
    next_attempt_at: datetime | None

    def wire(self) -> dict[str, Any]:
        """Return the delivery as the API shows it."""
        return {
            "id": self.id,
            "object": "delivery",
            "event": self.event_id,
            "event_type": self.event_type,
            "endpoint": self.endpoint_id,
            "attempt": self.attempt,
            "outcome": self.outcome.value,
            "status_code": self.status_code,
            "error": self.error,
            "latency_ms": self.latency_ms,
            "response_excerpt": self.response_excerpt,
            "created_at": rfc3339(self.created_at),
            "next_attempt_at": rfc3339(self.next_attempt_at) if self.next_attempt_at else None,
        }
