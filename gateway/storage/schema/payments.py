"""Sessions, payments, attempts, quotes, operations."""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Text, UniqueConstraint

from gateway.storage.schema.base import table, tenant
from gateway.storage.types import Atomic, Id, Instant, Json, LongText

checkout_session = table(
    "checkout_session",
    "engine",
    Column("id", Id(), primary_key=True),
    *tenant(),
    Column("payment_id", Id(), nullable=False, unique=True),
    Column("token", String(43), nullable=False, unique=True),
    Column("status", String(12), nullable=False),
    # sha256 of reference, amount and currency while the session is open, else NULL: one open session per order.
    Column("open_key", String(64)),
    Column("reference", String(120), nullable=False),
    Column("amount", Atomic, nullable=False),
    Column("currency", String(12), nullable=False),
    Column("success_url", Text, nullable=False),
    Column("cancel_url", Text),
    Column("customer_email", String(254)),
    Column("locale", String(12)),
    Column("line_items", Json, nullable=False),
    Column("methods", Json),
    Column("mode", String(12), nullable=False),
    Column("capture_method", String(12), nullable=False),
    Column("customer_country", String(2)),
    # Of sessions that begin, or renew, a subscription.
    Column("customer_id", Id(), index=True),
    Column("plan_id", Id()),
    Column("subscription_id", Id()),
    # From then on no page asks for money: a trial began, a method was saved, or it renews and its provider collects.
    Column("page_over_at", Instant),
    # What a session of mode setup saved: the provider's ids, and what a receipt may show.
    Column("saved_method", Json),
    # The gift that is paid with it: donation, charity, kind, amount.
    Column("donation", Json),
    Column("metadata", Json, nullable=False),
    # The attempt that the page shows: what the shopper chose last.
    Column("attempt_id", Id()),
    # Counts the events of this session.
    Column("sequence", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    # The shopper may ask for more time once.
    Column("extended_at", Instant),
    Column("completed_at", Instant),
    UniqueConstraint("merchant_id", "livemode", "open_key"),
    Index(None, "merchant_id", "livemode", "id"),
    Index(None, "merchant_id", "livemode", "reference"),
)

payment = table(
    "payment",
    "engine",
    Column("id", Id(), primary_key=True),
    *tenant(),
    Column("session_id", Id(), nullable=False, unique=True),
    Column("kind", String(12), nullable=False),
    Column("status", String(20), nullable=False),
    Column("exceptions", Json, nullable=False),
    Column("reference", String(120), nullable=False),
    Column("amount", Atomic, nullable=False),
    Column("currency", String(12), nullable=False),
    Column("amount_received", Atomic, nullable=False),
    Column("amount_capturable", Atomic, nullable=False),
    Column("amount_refunded", Atomic, nullable=False),
    Column("refunds", String(12), nullable=False),
    Column("dispute", String(12), nullable=False),
    # Counts changes of the payment; every journal entry names the version that it belongs to.
    Column("version", Integer, nullable=False),
    # Counts the events of this payment.
    Column("sequence", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("closed_at", Instant),
    Column("canceled_at", Instant),
    Column("paid_at", Instant),
    # Whose gift is paid with it, and how much on top of the amount; with nothing on top, the amount itself is it.
    Column("charity_id", Id()),
    Column("gift_amount", Atomic, nullable=False),
    Column("metadata", Json, nullable=False),
    # The merchant's rules when the shopper first chose how to pay; NULL before.
    Column("rules", Json),
    Index(None, "merchant_id", "livemode", "id"),
    Index(None, "merchant_id", "livemode", "reference"),
    Index(None, "status", "expires_at"),
)

quote = table(
    "quote",
    "engine",
    Column("id", Id(), primary_key=True),
    *tenant(),
    Column("method", String(20), nullable=False),
    Column("amount", Atomic, nullable=False),
    Column("currency", String(12), nullable=False),
    Column("pay_amount", Atomic, nullable=False),
    Column("pay_currency", String(12), nullable=False),
    # One major unit of pay_currency costs rate_num / rate_den major units of currency: integers, exact.
    Column("rate_num", Atomic, nullable=False),
    Column("rate_den", Atomic, nullable=False),
    Column("evidence", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
)

attempt = table(
    "attempt",
    "engine",
    Column("id", Id(), primary_key=True),
    *tenant(),
    Column("payment_id", Id(), nullable=False, index=True),
    Column("processor", String(20), nullable=False),
    Column("method", String(20), nullable=False),
    Column("network", String(40), nullable=False),
    Column("pay_currency", String(12), nullable=False),
    Column("pay_amount", Atomic, nullable=False),
    # What is asked on top as a gift, and the charity's own address if it takes it there.
    Column("gift_amount", Atomic, nullable=False),
    Column("gift_wallet", String(90)),
    Column("gift_account", String(90)),
    # Both together, which is what a payer by hand sends.
    Column("asked_amount", Atomic, nullable=False),
    Column("quote_id", Id()),
    Column("reference_key", String(90), nullable=False),
    Column("wallet", String(90), nullable=False),
    Column("account", String(90), nullable=False),
    # Of attempts on a provider's page only: how far it came, the provider's id and address of it.
    Column("stage", String(12)),
    Column("provider_reference", String(120)),
    Column("redirect_url", Text),
    # Counts the reads of it at the provider that were stored, so that an older one never overwrites a newer one.
    Column("reads", Integer, nullable=False),
    Column("read_at", Instant),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    UniqueConstraint("network", "reference_key"),
    Index(None, "network", "provider_reference", unique=True),
    # What the sweep reads again, and what it closes.
    Index(None, "stage", "read_at"),
    # Whose order asks exactly this sum: asked for every transfer without a reference, dust included.
    Index(None, "account", "pay_amount"),
    Index(None, "account", "asked_amount"),
)

operation = table(
    "operation",
    "engine",
    Column("id", Id(), primary_key=True),
    *tenant(),
    Column("payment_id", Id(), nullable=False, index=True),
    Column("attempt_id", Id(), nullable=False),
    Column("refund_id", Id()),
    Column("kind", String(20), nullable=False),
    Column("status", String(12), nullable=False),
    Column("provider_reference", String(120)),
    # What must be sent again byte for byte, and until when that may help.
    Column("payload", LongText),
    Column("last_valid_height", BigInteger),
    Column("reason", String(200)),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    UniqueConstraint("kind", "provider_reference"),
    Index(None, "status", "updated_at"),
)
