"""What the API answers of money that has settled: payouts, settlements, the ledger; see `answers`."""

from typing import Literal

from pydantic import Field

from gateway.ledger.entries import Layer
from hosted_checkout.api.shown import Currency, EntryId, Instant, MajorUnits, PaymentId, PayoutId, Shown


class Payout(Shown):
    """Money that a provider sent to the merchant's bank, with every line of it booked."""

    id: PayoutId
    object: Literal["payout"]
    livemode: bool
    network: str
    provider_reference: str
    status: str = Field(description="The provider's word.")
    amount: MajorUnits
    currency: Currency
    automatic: bool
    arrives_on: Instant
    settled_at: Instant | None
    created_at: Instant


class SettlementTotal(Shown):
    """All lines of one type in one payout: `net` is `amount` less `fee`."""

    type: str = Field(description="The provider's word.")
    count: int
    amount: MajorUnits
    fee: MajorUnits
    net: MajorUnits


class SettlementLine(Shown):
    """One booking on the provider's account that a payout paid out."""

    provider_reference: str
    type: str = Field(description="The provider's word.")
    payment: PaymentId | None = Field(description="Null for what is about none of our payments, such as account fees.")
    amount: MajorUnits
    fee: MajorUnits
    net: MajorUnits
    created_at: Instant


class Settlement(Shown):
    """What a payout consists of, with fees and net; `gap` is what its lines do not explain, and should be zero."""

    object: Literal["settlement"]
    payout: Payout
    currency: Currency
    totals: list[SettlementTotal]
    lines: list[SettlementLine] = Field(description="The first 1,000; the command `settlement` writes all of them.")
    line_count: int
    gap: MajorUnits


class Balance(Shown):
    """What stands on one ledger account: debits less credits, settled (`posted`) and on its way (`pending`)."""

    object: Literal["balance"]
    account: str
    currency: Currency
    posted: MajorUnits
    pending: MajorUnits


class Posting(Shown):
    """One leg of a journal entry; debits are positive."""

    account: str
    currency: Currency
    amount: MajorUnits
    layer: Layer


class LedgerEntry(Shown):
    """A balanced, append-only journal entry; a correction names the entry that it `reverses`."""

    id: EntryId
    object: Literal["ledger_entry"]
    livemode: bool
    kind: str
    subject: str = Field(description="The payment or chain transfer that it books.")
    reverses: EntryId | None
    effective_at: Instant
    recorded_at: Instant
    postings: list[Posting]
