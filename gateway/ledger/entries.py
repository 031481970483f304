"""What the ledger takes and gives: drafts of entries, entries as they stand in the journal, balances.

Debits are positive, credits negative. An entry sums to zero per currency in each layer, from its construction on.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from gateway.kernel.money import Money

MIN_LEGS: Final = 2  # money comes from somewhere and goes somewhere


class Layer(StrEnum):
    """Which of an account's two running totals a posting moves."""

    POSTED = "posted"
    PENDING = "pending"


@dataclass(frozen=True, slots=True)
class Leg:
    """One line of a draft: `money` moves on `account`, a code such as `merchant:available`; never zero."""

    account: str
    money: Money
    layer: Layer = Layer.POSTED

    def __post_init__(self) -> None:
        assert self.account, "a leg names its account"
        assert self.money.atomic != 0, "a leg moves something"


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryDraft:
    """A balanced set of legs that waits to be posted.

    Attributes:
        kind: what happened, as the caller names it; at most 30 characters.
        subject_id: what it happened to; its postings can be asked for together.
        subject_version: which change of the subject this is. (merchant, kind, subject, version) is posted at most once.
        effective_at: when it happened; when it was written down is the journal's own word.
        reverses_id: the entry that this one takes back, wholly; an entry is taken back at most once.
        rates: evidence of the rates used, JSON-able, amounts as text.
    """

    merchant_id: str
    livemode: bool
    kind: str
    subject_id: str
    subject_version: int
    legs: tuple[Leg, ...]
    effective_at: datetime
    reverses_id: str | None = None
    rates: object | None = None

    def __post_init__(self) -> None:
        assert len(self.legs) >= MIN_LEGS, "an entry has at least two legs"
        assert self.effective_at.tzinfo is not None, "instants are aware"
        assert not any(_sums(self.legs).values()), "an entry sums to zero per currency in each layer"


@dataclass(frozen=True, slots=True, kw_only=True)
class PostedLeg:
    """One posting as it stands in the journal; `account` is the code, `account_id` the account's own id."""

    account_id: str
    account: str
    money: Money
    layer: Layer


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A journal entry with its postings in their order."""

    id: str
    merchant_id: str
    livemode: bool
    kind: str
    subject_id: str
    subject_version: int
    reverses_id: str | None
    rates: object | None
    effective_at: datetime
    recorded_at: datetime
    legs: tuple[PostedLeg, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What stands on one account: debits less credits, in each layer."""

    account: str
    currency: str
    posted: Money
    pending: Money


def _sums(legs: Iterable[Leg]) -> dict[tuple[str, Layer], int]:
    sums: dict[tuple[str, Layer], int] = defaultdict(int)
    for leg in legs:
        sums[leg.money.currency, leg.layer] += leg.money.atomic
    return sums
