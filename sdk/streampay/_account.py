"""What the gateway answers of the account and of itself: keys, endpoints, deliveries, time. `models` names them all."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from streampay._decoding import READERS, Model, many, one


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey(Model):
    """A secret key: `status` is active, ending (rolled, works until `expires_at`), ended or revoked.

    `secret` comes with `create` and `roll` only: store it then. `hint` is its beginning and its end.
    """

    OBJECT: ClassVar[str | None] = "api_key"

    id: str
    livemode: bool
    description: str | None = None
    hint: str
    status: str
    replaced_by: str | None = None
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayTime(Model):
    """What time it is at a gateway with a test clock, `ahead_s` seconds before the real time.

    `also_advance` names the clocks that must be moved as well, by the same body: those of Test Banks.
    """

    OBJECT: ClassVar[str | None] = "test_clock"

    now: datetime
    ahead_s: int
    also_advance: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEndpoint(Model):
    """Events go to an enabled one and not to a disabled one. `create` and `rotate_secret` alone bring its `secret`."""

    OBJECT: ClassVar[str | None] = "webhook_endpoint"

    id: str
    livemode: bool
    url: str
    description: str | None = None
    enabled_events: tuple[str, ...]
    status: str
    disabled_reason: str | None = None
    created_at: datetime
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery(Model):
    """One try to deliver one event to one endpoint; `outcome` is succeeded or failed."""

    OBJECT: ClassVar[str | None] = "delivery"

    id: str
    event: str
    event_type: str
    endpoint: str
    attempt: int
    outcome: str
    status_code: int | None = None
    error: str | None = None
    latency_ms: int | None = None
    response_excerpt: str | None = None
    created_at: datetime
    next_attempt_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivingAddress(Model):
    """Where the merchant is paid on one network."""

    network: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Account(Model):
    """The merchant to whom the key belongs; `late_policy` is accept or refund."""

    OBJECT: ClassVar[str | None] = "account"

    id: str
    name: str
    livemode: bool
    origins: tuple[str, ...] = ()
    receiving_addresses: tuple[ReceivingAddress, ...] = ()
    brand_color: str | None = None
    logo_url: str | None = None
    late_policy: str | None = None
    tolerance_bps: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletedObject(Model):
    """What is left of a deleted object."""

    id: str
    object: str
    deleted: bool


READERS["tuple[ReceivingAddress, ...]"] = many(one(ReceivingAddress))
