"""What an event is. The object inside it is made known when the first event about such an object comes.

So `streampay.webhooks` makes the few classes that a shop's events need, and not every one that the API has.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, ClassVar, cast

from streampay._decoding import READERS, Model, WireError, decode, one

if TYPE_CHECKING:
    from streampay.models import CheckoutSession, EventObject, Payment

_HOMES = {  # of what an event is about, by its own word
    "checkout.session": ("_payments", "CheckoutSession"),
    "payment": ("_payments", "Payment"),
    "refund": ("_payments", "Refund"),
    "dispute": ("_payments", "Dispute"),
    "payout": ("_books", "Payout"),
    "subscription": ("_subscribers", "Subscription"),
    "donation": ("_giving", "Donation"),
    "donation_payout": ("_giving", "DonationPayout"),
    "chain_transfer": ("_payments", "ChainTransfer"),
    "transfer": ("_payments", "ChainTransfer"),
    "webhook_endpoint": ("_account", "WebhookEndpoint"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownObject(Model):
    """An object of a kind that this version does not know; everything it says is in `extra`."""

    object: str = "unknown"
    id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventData(Model):
    """The object as it was when the event happened, and the former values of what changed."""

    object: EventObject
    previous: dict[str, object] | None = field(default=None, hash=False)  # type: ignore[valid-type]  # the builtin


@dataclass(frozen=True, slots=True, kw_only=True)
class Event(Model):
    """Something happened. `sequence` counts the events of one object: a lower one than the last seen is stale."""

    OBJECT: ClassVar[str | None] = "event"

    id: str
    type: str
    timestamp: datetime
    api_version: str | None = None
    livemode: bool
    sequence: int = 0
    data: EventData

    @property
    def payment(self) -> Payment | None:
        """The payment, if the event is about one."""
        about = self.data.object
        return cast("Payment", about) if about.OBJECT == "payment" else None

    @property
    def session(self) -> CheckoutSession | None:
        """The checkout session, if the event is about one."""
        about = self.data.object
        return cast("CheckoutSession", about) if about.OBJECT == "checkout.session" else None


def decode_object(wire: object) -> EventObject:
    """Build the object that an event carries, by its own word; an unknown kind is an `UnknownObject`."""
    if not isinstance(wire, dict):
        raise WireError("the event's object is not an object")
    name = wire.get("object")
    return decode(_kind(name) if isinstance(name, str) and name in _HOMES else UnknownObject, wire)


@cache
def _kind(name: str) -> type[EventObject]:
    home, kind = _HOMES[name]
    found: type[EventObject] = getattr(import_module(f"streampay.{home}"), kind)
    return found


READERS.update({"EventData": one(EventData), "EventObject": decode_object})
