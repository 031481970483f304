"""The ledger: accounts, journal, balances, seals."""

from sqlalchemy import BigInteger, Column, Index, Integer, String, UniqueConstraint

from gateway.storage.schema.base import table, tenant
from gateway.storage.types import Atomic, Id, Instant, Json

account = table(
    "account",
    "ledger",
    Column("id", Id(), primary_key=True),
    *tenant(),
    Column("code", String(80), nullable=False),
    Column("currency", String(12), nullable=False),
    Column("slots", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("merchant_id", "livemode", "code", "currency"),
)

journal_entry = table(
    "journal_entry",
    "ledger",
    Column("id", Id(), primary_key=True),
    *tenant(),
    Column("kind", String(30), nullable=False),
    # What the entry is about (a payment, an unmatched transfer) and which version of it: one posting per fact.
    Column("subject_id", Id(), nullable=False),
    Column("subject_version", Integer, nullable=False),
    # An entry is taken back at most once.
    Column("reverses_id", Id(), unique=True),
    Column("rates", Json),
    Column("effective_at", Instant, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    UniqueConstraint("merchant_id", "kind", "subject_id", "subject_version"),
    Index(None, "merchant_id", "livemode", "id"),
    Index(None, "subject_id"),
)

posting = table(
    "posting",
    "ledger",
    Column("entry_id", Id(), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("account_id", Id(), nullable=False, index=True),
    # Signed atomic units: debits positive, credits negative.
    Column("amount", Atomic, nullable=False),
    Column("layer", String(8), nullable=False),
    Column("subject_id", Id(), nullable=False, index=True),
)

balance = table(
    "balance",
    "ledger",
    Column("account_id", Id(), primary_key=True),
    Column("slot", Integer, primary_key=True, autoincrement=False),
    Column("debits_posted", Atomic, nullable=False),
    Column("credits_posted", Atomic, nullable=False),
    Column("debits_pending", Atomic, nullable=False),
    Column("credits_pending", Atomic, nullable=False),
    Column("version", BigInteger, nullable=False),
    # Half of each page stays free for new versions of its rows, so that changes need not touch the index.
    postgresql_with={"fillfactor": 50},
)

seal_block = table(
    "seal_block",
    "ledger",
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("leaf_count", Integer, nullable=False),
    # Postings in this block and all before it: tells without a search whether anything is left to seal.
    Column("posting_total", BigInteger, nullable=False),
    Column("root", String(64), nullable=False),
    Column("previous_head", String(64), nullable=False),
    Column("head", String(64), nullable=False, unique=True),
    Column("sealed_at", Instant, nullable=False),
)

sealed_entry = table(
    "sealed_entry",
    "ledger",
    Column("entry_id", Id(), primary_key=True),
    Column("block", BigInteger, nullable=False),
    Column("leaf", Integer, nullable=False),
    # The leaf's hash when it was sealed, in hexadecimal: names the entry that was changed, and makes proofs cheap.
    Column("digest", String(64), nullable=False),
    UniqueConstraint("block", "leaf"),
)
