"""What the gateway answers of money that has settled: books, payouts, settlements. `models` names them all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from streampay._decoding import READERS, Model, many, one


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance(Model):
    """What one ledger account holds in one currency."""

    OBJECT: ClassVar[str | None] = "balance"

    account: str
    currency: str
    posted: str
    pending: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting(Model):
    """One leg of a journal entry; `amount` is signed, `layer` is posted or pending."""

    account: str
    currency: str
    amount: str
    layer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry(Model):
    """A balanced, append-only journal entry about `subject`; a correction names what it `reverses`."""

    OBJECT: ClassVar[str | None] = "ledger_entry"

    id: str
    livemode: bool
    kind: str
    subject: str | None = None
    reverses: str | None = None
    effective_at: datetime
    recorded_at: datetime
    postings: tuple[Posting, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Payout(Model):
    """Money that a card provider sent to the merchant's bank; `settled_at` says that every line of it is booked."""

    OBJECT: ClassVar[str | None] = "payout"

    id: str
    livemode: bool
    network: str
    provider_reference: str
    status: str
    amount: str
    currency: str
    automatic: bool
    arrives_on: datetime
    settled_at: datetime | None = None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementTotal(Model):
    """All lines of one type in one payout: `net` is `amount` less `fee`."""

    type: str
    count: int
    amount: str
    fee: str
    net: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementLine(Model):
    """One booking on the provider's account; `payment` is None for what is about none of yours, such as its fees."""

    provider_reference: str
    type: str
    payment: str | None = None
    amount: str
    fee: str
    net: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement(Model):
    """What a payout consists of; `gap` is what its lines do not explain, and should be zero.

    `lines` holds the first thousand of `line_count`; the gateway's command `settlement` writes all of them.
    """

    OBJECT: ClassVar[str | None] = "settlement"

    payout: Payout
    currency: str
    totals: tuple[SettlementTotal, ...]
    lines: tuple[SettlementLine, ...]
    line_count: int
    gap: str


READERS.update(
    {
        "Payout": one(Payout),
        "tuple[Posting, ...]": many(one(Posting)),
        "tuple[SettlementLine, ...]": many(one(SettlementLine)),
        "tuple[SettlementTotal, ...]": many(one(SettlementTotal)),
    }
)
