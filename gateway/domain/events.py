"""Events: facts told to merchants. One type, one meaning; `docs/webhooks.md` is the catalogue."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from gateway.kernel.canonical import canonical_json
from gateway.kernel.clock import rfc3339

API_VERSION: Final = "2026-11-20"


class EventType(StrEnum):
    """Every event that the gateway sends."""

    SESSION_CREATED = "checkout.session.created"
    SESSION_COMPLETED = "checkout.session.completed"
    SESSION_EXPIRED = "checkout.session.expired"
    PAYMENT_REQUIRES_ACTION = "payment.requires_action"
    PAYMENT_PROCESSING = "payment.processing"
    PAYMENT_AUTHORIZED = "payment.authorized"
    PAYMENT_CAPTURED = "payment.captured"
    PAYMENT_FAILED = "payment.failed"
    PAYMENT_SUCCEEDED = "payment.succeeded"
    PAYMENT_PARTIALLY_PAID = "payment.partially_paid"
    PAYMENT_OVERPAID = "payment.overpaid"
    PAYMENT_LATE = "payment.late"
    PAYMENT_REVERSED = "payment.reversed"
    PAYMENT_CANCELED = "payment.canceled"
    PAYMENT_REFUNDED = "payment.refunded"
    PAYMENT_AMOUNT_MISMATCH = "payment.amount_mismatch"
    PAYMENT_FRAUD_WARNING = "payment.fraud_warning"
    REFUND_CREATED = "refund.created"
    REFUND_SUCCEEDED = "refund.succeeded"
    REFUND_FAILED = "refund.failed"
    REFUND_CANCELED = "refund.canceled"
    DISPUTE_OPENED = "dispute.opened"
    DISPUTE_UPDATED = "dispute.updated"
    DISPUTE_FUNDS_WITHDRAWN = "dispute.funds_withdrawn"
    DISPUTE_FUNDS_REINSTATED = "dispute.funds_reinstated"
    DISPUTE_CLOSED = "dispute.closed"
    PAYOUT_SETTLED = "payout.settled"
    SUBSCRIPTION_CREATED = "subscription.created"
    SUBSCRIPTION_RENEWED = "subscription.renewed"
    SUBSCRIPTION_PAST_DUE = "subscription.past_due"
    SUBSCRIPTION_PAUSED = "subscription.paused"
    SUBSCRIPTION_RESUMED = "subscription.resumed"
    SUBSCRIPTION_CANCELED = "subscription.canceled"
    SUBSCRIPTION_UPDATED = "subscription.updated"
    SUBSCRIPTION_TRIAL_WILL_END = "subscription.trial_will_end"
    DONATION_RECEIVED = "donation.received"
    DONATION_REFUNDED = "donation.refunded"
    DONATION_PAYOUT_RECORDED = "donation.payout_recorded"
    DONATION_PAYOUT_CANCELED = "donation.payout_canceled"
    TRANSFER_UNMATCHED = "transfer.unmatched"
    ENDPOINT_DISABLED = "webhook_endpoint.disabled"
    PING = "ping"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One fact, ready to be stored, signed and sent.

    Attributes:
        sequence: counts the events of one object from 1, so that a receiver can drop stale ones.
        data: the object as the API shows it at that moment.
        previous: the fields that changed, with their former values; None for a first event.
    """

    id: str
    type: EventType
    merchant_id: str
    livemode: bool
    object_id: str
    sequence: int
    created_at: datetime
    data: dict[str, Any]
    previous: dict[str, Any] | None = None

    def body(self) -> str:
        """Return the exact text that is stored, signed and sent."""
        return canonical_json(
            {
                "id": self.id,
                "object": "event",
                "type": self.type.value,
                "timestamp": rfc3339(self.created_at),
                "api_version": API_VERSION,
                "livemode": self.livemode,
                "sequence": self.sequence,
                "data": {"object": self.data, "previous": self.previous},
            }
        )
