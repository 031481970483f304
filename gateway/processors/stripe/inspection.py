"""What an operator should know before the first shopper comes: is the key good, is the webhook endpoint complete."""

from collections.abc import Iterator, Sequence
from typing import Final

from gateway.domain.ports import Inspection
from gateway.processors.stripe.wire import API_VERSION, Json, StripeApi, optional_text, read, text

# Without these money is missed or goods are shipped too early: docs/stripe.md says which pitfall each one closes.
MANDATORY_EVENTS: Final = (
    "charge.dispute.closed",
    "charge.dispute.created",
    "charge.dispute.funds_reinstated",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.updated",
    "charge.refunded",
    "charge.updated",
    "checkout.session.async_payment_failed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.completed",
    "checkout.session.expired",
    "customer.subscription.deleted",
    "customer.subscription.paused",
    "customer.subscription.resumed",
    "customer.subscription.trial_will_end",
    "customer.subscription.updated",
    "invoice.paid",
    "invoice.payment_action_required",
    "invoice.payment_failed",
    "payment_intent.amount_capturable_updated",
    "payment_intent.canceled",
    "payment_intent.payment_failed",
    "payment_intent.processing",
    "payment_intent.requires_action",
    "payment_intent.succeeded",
    "payout.failed",
    "payout.paid",
    "payout.reconciliation_completed",
    "radar.early_fraud_warning.created",
    "refund.created",
    "refund.failed",
    "refund.updated",
)
_ALL_EVENTS: Final = "*"
_MAX_PAGES: Final = 1  # Stripe allows 16 endpoints


def inspect_account(api: StripeApi, *, account: str, url: str) -> Sequence[Inspection]:
    """Look at a key, and at the webhook endpoint that should call `url`.

    Raises:
        TemporaryError: Stripe does not answer, or the key is wrong or may not read endpoints; the log says which.
    """
    subject = f"webhook endpoint of {account}"
    listed = list(api.listed("/v1/webhook_endpoints", max_pages=_MAX_PAGES))
    ours = read(lambda: [list(_doubts(one)) for one in listed if text(one["url"]) == url])
    if not ours:
        return (Inspection(subject=subject, is_fit=False, detail=f"No endpoint at Stripe calls {url}."),)
    doubts = min(ours, key=len)  # of several endpoints with one address, a good one is enough
    return (Inspection(subject=subject, is_fit=not doubts, detail=" ".join(doubts) or "complete"),)


def _doubts(endpoint: Json) -> Iterator[str]:
    if text(endpoint["status"]) != "enabled":
        yield "The endpoint is disabled."
    version = optional_text(endpoint["api_version"])
    if version != API_VERSION:
        yield f"Its API version is {version or 'the account default'}; make it anew with {API_VERSION}."
    enabled = {text(name) for name in endpoint["enabled_events"]}
    missing = sorted(set(MANDATORY_EVENTS) - enabled) if _ALL_EVENTS not in enabled else []
    if missing:
        yield f"It lacks {', '.join(missing)}."
