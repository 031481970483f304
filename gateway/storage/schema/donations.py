"""Charities, campaigns, gifts at checkout, donations, receipts, payouts, mails, and who tries too often."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Text, UniqueConstraint

from gateway.storage.schema.base import table, tenant
from gateway.storage.types import Atomic, Id, Instant, Json

charity = table(
    "charity",
    "engine",
    Column("id", Id(), primary_key=True),
    *tenant(),
    Column("name", String(120), nullable=False),
    # What a receipt must say of it.
    Column("legal_name", String(200), nullable=False),
    Column("tax_id", String(60)),
    Column("address", String(500)),
    Column("country", String(2)),
    Column("tax_statement", Text),
    Column("website", String(300)),
    Column("email", String(254)),
    # Before the numbers of its receipts: `DE-2026-000001`.
    Column("receipt_prefix", String(12), nullable=False),
    # Where its part of a wallet's payment goes at once; without one the gift is owed.
    Column("solana_address", String(90)),
    # The account holder himself is this charity: gifts are his own money, and nothing is owed.
    Column("is_own", Boolean(create_constraint=False), nullable=False),
    Column("metadata", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("archived_at", Instant),
    Index(None, "merchant_id", "livemode", "id"),
)

campaign = table(
    "campaign",
    "engine",
    Column("id", Id(), primary_key=True),
    *tenant(),
    Column("charity_id", Id(), nullable=False, index=True),
    Column("title", String(120), nullable=False),
    Column("story", Text, nullable=False),
    Column("currency", String(12), nullable=False),
    # Amounts as decimal strings in major units, as the API shows them.
    Column("presets", Json, nullable=False),
    Column("min_amount", Atomic, nullable=False),
    Column("max_amount", Atomic, nullable=False),
    Column("frequencies", Json, nullable=False),
    Column("goal", Atomic),
    # What a donor who covers the fees adds: hundredths of a percent of the whole, and a fixed part.
    Column("offers_fee_cover", Boolean(create_constraint=False), nullable=False),
    Column("fee_bps", Integer, nullable=False),
    Column("fee_fixed", Atomic, nullable=False),
    Column("offers_tribute", Boolean(create_constraint=False), nullable=False),
    Column("offers_comment", Boolean(create_constraint=False), nullable=False),
    Column("shows_wall", Boolean(create_constraint=False), nullable=False),
    # Languages that the form offers; empty for all.
    Column("locales", Json, nullable=False),
    # Sites that may frame the form.
    Column("origins", Json, nullable=False),
    Column("metadata", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("ends_at", Instant),
    Column("closed_at", Instant),
    Index(None, "merchant_id", "livemode", "id"),
)

# What shoppers are offered at checkout. It never changes, except that it is archived: shoppers agreed to its terms.
donation_config = table(
    "donation_config",
    "engine",
    Column("id", Id(), primary_key=True),
    *tenant(),
    Column("charity_id", Id(), nullable=False, index=True),
    Column("currency", String(12), nullable=False),
    Column("mode", String(12), nullable=False),
    Column("unit", Atomic, nullable=False),
    Column("cap", Atomic, nullable=False),
    Column("amounts", Json, nullable=False),
    # What a total that is whole already is offered: the next unit, or nothing.
    Column("whole_totals", String(8), nullable=False),
    Column("disclosure", String(500), nullable=False),
    Column("payout_terms", String(500), nullable=False),
    Column("starts_at", Instant),
    Column("ends_at", Instant),
    Column("created_at", Instant, nullable=False),
    Column("archived_at", Instant),
    Index(None, "merchant_id", "livemode", "currency", "id"),
    Index(None, "merchant_id", "livemode", "id"),
)

# One gift of one payment. What it is worth in the books is derived with its payment, in the same tx.
donation = table(
    "donation",
    "engine",
    Column("id", Id(), primary_key=True),
    *tenant(),
    Column("charity_id", Id(), nullable=False),
    Column("campaign_id", Id()),
    Column("config_id", Id()),
    Column("session_id", Id(), nullable=False, index=True),
    Column("payment_id", Id(), nullable=False, unique=True),
    Column("subscription_id", Id(), index=True),
    Column("pledge_id", Id(), index=True),
    # `campaign`, `round_up` or `fixed`.
    Column("kind", String(12), nullable=False),
    Column("frequency", String(12), nullable=False),
    Column("status", String(12), nullable=False),
    Column("currency", String(12), nullable=False),
    Column("amount", Atomic, nullable=False),
    # The part of the amount that covers fees.
    Column("fee_cover", Atomic, nullable=False),
    Column("amount_received", Atomic, nullable=False),
    Column("amount_reversed", Atomic, nullable=False),
    # The same as it lies in the books, by the currency that came: atomic units as text.
    Column("received", Json, nullable=False),
    Column("reversed", Json, nullable=False),
    # What of it the merchant holds for the charity: neither there at once, nor gone back.
    Column("owed", Json, nullable=False),
    Column("is_anonymous", Boolean(create_constraint=False), nullable=False),
    Column("on_wall", Boolean(create_constraint=False), nullable=False),
    Column("locale", String(12)),
    # The form that it was given with: sent twice, it gives once.
    Column("form_id", String(64), unique=True),
    # Counts the events of this donation.
    Column("sequence", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("received_at", Instant),
    Index(None, "merchant_id", "livemode", "id"),
    Index(None, "campaign_id", "received_at"),
    # The donor wall: a page that everybody opens must not pass by those who do not wish to stand there.
    Index(None, "campaign_id", "on_wall", "received_at"),
    Index(None, "charity_id", "received_at"),
)

# What gifts to a campaign add up to, by the day of UTC on which they came. Written with each gift, in its tx.
campaign_day = table(
    "campaign_day",
    "engine",
    Column("campaign_id", Id(), primary_key=True),
    Column("day", Instant, primary_key=True, autoincrement=False),
    # How many came, and how many of them did not go back as a whole.
    Column("gifts", BigInteger, nullable=False),
    Column("stayed", BigInteger, nullable=False),
    Column("received", Atomic, nullable=False),
    Column("reversed", Atomic, nullable=False),
    Column("fee_cover", Atomic, nullable=False),
    Column("version", BigInteger, nullable=False),
)

# The same for a charity, in each currency that came, and what it is owed of that if nothing was paid out.
charity_day = table(
    "charity_day",
    "engine",
    Column("charity_id", Id(), primary_key=True),
    Column("currency", String(12), primary_key=True),
    Column("day", Instant, primary_key=True, autoincrement=False),
    Column("received", Atomic, nullable=False),
    Column("reversed", Atomic, nullable=False),
    Column("owed", Atomic, nullable=False),
    Column("version", BigInteger, nullable=False),
)

# What is known of the person. Erased on request: the row goes, the donation and the books stay.
donor = table(
    "donor",
    "engine",
    Column("donation_id", Id(), primary_key=True),
    *tenant(),
    Column("charity_id", Id(), nullable=False),
    Column("name", String(200)),
    Column("email", String(254)),
    Column("address", String(500)),
    Column("comment", Text),
    # `pending`, `shown` or `hidden`: nothing that a donor wrote is public before somebody has read it.
    Column("comment_status", String(8), nullable=False),
    Column("tribute", Json),
    # Opens the year's statement. Only mails to the address above carry it: whoever names a stranger's address sees
    # nothing of the stranger's gifts.
    Column("statement_token", String(43), nullable=False, unique=True),
    Index(None, "merchant_id", "livemode", "email"),
)

# A promise to give again. By card its subscription collects; by wallet it reminds. Its token stops it.
pledge = table(
    "pledge",
    "engine",
    Column("id", Id(), primary_key=True),
    *tenant(),
    Column("charity_id", Id(), nullable=False),
    Column("campaign_id", Id(), nullable=False, index=True),
    Column("subscription_id", Id(), unique=True),
    Column("token", String(43), nullable=False, unique=True),
    Column("frequency", String(12), nullable=False),
    Column("currency", String(12), nullable=False),
    Column("amount", Atomic, nullable=False),
    Column("email", String(254)),
    Column("name", String(200)),
    Column("locale", String(12)),
    # When to remind next; NULL where a provider collects, and once it is stopped.
    Column("next_at", Instant, index=True),
    Column("reminders", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("stopped_at", Instant),
    Index(None, "merchant_id", "livemode", "email"),
)

# The last number of a charity's year. Whoever issues a receipt holds this row, so no number is left out.
receipt_counter = table(
    "receipt_counter",
    "engine",
    Column("charity_id", Id(), primary_key=True),
    Column("year", Integer, primary_key=True, autoincrement=False),
    Column("last", Integer, nullable=False),
)

donation_receipt = table(
    "donation_receipt",
    "engine",
    Column("id", Id(), primary_key=True),
    *tenant(),
    Column("donation_id", Id(), nullable=False, unique=True),
    Column("charity_id", Id(), nullable=False),
    Column("token", String(43), nullable=False, unique=True),
    Column("year", Integer, nullable=False),
    Column("number", Integer, nullable=False),
    Column("currency", String(12), nullable=False),
    Column("amount", Atomic, nullable=False),
    # What the charity was called and which tax data it had then.
    Column("issuer", Json, nullable=False),
    Column("issued_at", Instant, nullable=False),
    # The gift went back: the receipt stands in its series, and no longer counts.
    Column("canceled_at", Instant),
    UniqueConstraint("charity_id", "year", "number"),
    Index(None, "merchant_id", "livemode", "id"),
)

# Money that was sent to a charity, with what proves it. It never changes, except that it is canceled, once.
donation_payout = table(
    "donation_payout",
    "engine",
    Column("id", Id(), primary_key=True),
    *tenant(),
    Column("charity_id", Id(), nullable=False, index=True),
    Column("currency", String(12), nullable=False),
    Column("amount", Atomic, nullable=False),
    Column("paid_at", Instant, nullable=False),
    Column("reference", String(120), nullable=False),
    Column("evidence", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("canceled_at", Instant),
    Column("cancellation_reason", String(500)),
    Index(None, "merchant_id", "livemode", "id"),
)

# Mails that wait, went out, or were given up. What they say is made when they go; whom they went to is forgotten then.
mail = table(
    "mail",
    "engine",
    Column("id", Id(), primary_key=True),
    *tenant(),
    # `receipt`, `recurring` or `reminder`, and what about: a receipt or a pledge.
    Column("kind", String(24), nullable=False),
    Column("subject_id", Id(), nullable=False, index=True),
    Column("recipient", String(254)),
    Column("locale", String(12)),
    Column("details", Json, nullable=False),
    # Names the mail, so that it is written once.
    Column("dedup_key", String(120), nullable=False, unique=True),
    Column("status", String(8), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("failure", String(200)),
    Column("created_at", Instant, nullable=False),
    Column("sent_at", Instant),
    Index(None, "status", "due_at"),
)

# Who gave, was refused by his bank, or was stopped here: what limits count. Addresses and e-mails only as keyed hashes.
giving_signal = table(
    "giving_signal",
    "engine",
    Column("id", Id(), primary_key=True),
    *tenant(),
    Column("campaign_id", Id()),
    Column("payment_id", Id()),
    # `given`, `declined` or `blocked`.
    Column("kind", String(8), nullable=False),
    Column("reason", String(40)),
    Column("address_hash", String(64)),
    Column("email_hash", String(64)),
    Column("card_hash", String(64)),
    # The provider's id of a refusal, so that it counts once.
    Column("reference", String(120), unique=True),
    Column("occurred_at", Instant, nullable=False),
    Index(None, "merchant_id", "livemode", "id"),
    Index(None, "campaign_id", "kind", "occurred_at"),
    Index(None, "payment_id", "kind"),
    Index(None, "address_hash", "occurred_at"),
    Index(None, "email_hash", "occurred_at"),
    Index(None, "card_hash", "occurred_at"),
)
