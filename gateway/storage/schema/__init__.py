"""Every table of the gateway, a page a subject, each with the room that owns it: only the owner writes it.

`merchant_id` and `livemode` stand in every key that a merchant can reach, so that merchants can be sharded and test
data never meets live data. Rows of `event`, `journal_entry` and `posting` are never updated or deleted; triggers refuse
it.
"""

from typing import Final

from gateway.storage.schema.base import metadata
from gateway.storage.schema.books import account, balance, journal_entry, posting, seal_block, sealed_entry
from gateway.storage.schema.chains import (
    balance_audit,
    chain_evidence,
    chain_transfer,
    network_lease,
    pending_signature,
    watch,
)
from gateway.storage.schema.donations import (
    campaign,
    campaign_day,
    charity,
    charity_day,
    donation,
    donation_config,
    donation_payout,
    donation_receipt,
    donor,
    giving_signal,
    mail,
    pledge,
    receipt_counter,
)
from gateway.storage.schema.events import (
    delivery,
    event,
    event_feed,
    outbox,
    webhook_endpoint,
    webhook_secret,
    webhook_subscription,
)
from gateway.storage.schema.merchants import (
    api_key,
    idempotency,
    merchant,
    receiving_account,
    staff_visit,
    test_clock_step,
)
from gateway.storage.schema.payments import attempt, checkout_session, operation, payment, quote
from gateway.storage.schema.providers import balance_line, charge, dispute, notification, payout, refund
from gateway.storage.schema.subscriptions import (
    customer,
    customer_reference,
    plan,
    subscription,
    subscription_period,
)

APPEND_ONLY: Final = ("event", "journal_entry", "posting")

__all__ = [
    "APPEND_ONLY",
    "account",
    "api_key",
    "attempt",
    "balance",
    "balance_audit",
    "balance_line",
    "campaign",
    "campaign_day",
    "chain_evidence",
    "chain_transfer",
    "charge",
    "charity",
    "charity_day",
    "checkout_session",
    "customer",
    "customer_reference",
    "delivery",
    "dispute",
    "donation",
    "donation_config",
    "donation_payout",
    "donation_receipt",
    "donor",
    "event",
    "event_feed",
    "giving_signal",
    "idempotency",
    "journal_entry",
    "mail",
    "merchant",
    "metadata",
    "network_lease",
    "notification",
    "operation",
    "outbox",
    "payment",
    "payout",
    "pending_signature",
    "plan",
    "pledge",
    "posting",
    "quote",
    "receipt_counter",
    "receiving_account",
    "refund",
    "seal_block",
    "sealed_entry",
    "staff_visit",
    "subscription",
    "subscription_period",
    "test_clock_step",
    "watch",
    "webhook_endpoint",
    "webhook_secret",
    "webhook_subscription",
]
