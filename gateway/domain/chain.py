"""What a chain reports, in one shape for every chain family: effects on our own accounts.

An observation is a fact about one account and one signature. Which payment it belongs to is not said here; that is
decided by `domain.attribution`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from gateway.domain.words import TransferStage


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainPart:
    """One instruction that paid the account: `path` is its place (`"3"`, inner `"3.1"`), amount net, atomic units."""

    path: str
    amount: int
    references: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainObservation:
    """The effect of one on-chain signature on one receiving account.

    Attributes:
        net: change of the account in atomic units, with a network fee that the account itself paid added back; negative
            for an outflow.
        fee: network fee that this very account paid, in atomic units of the same asset; 0 elsewhere.
        parts: the paying instructions; they need not add up to `net` (in-and-out, transfer fees unknown per part).
        references: every reference key found anywhere in the chain transfer, in order of appearance.
        occurred_at: block time as the chain tells it; None while unknown.
        raw: the evidence as canonical JSON text: encoded bytes and meta.
        beside: what accounts of others gained of the same asset that its instructions paid, too.
    """

    network: str
    signature: str
    account: str
    asset: str
    net: int
    fee: int
    parts: tuple[ChainPart, ...]
    references: tuple[str, ...]
    stage: TransferStage
    slot: int
    occurred_at: datetime | None
    payer: str | None
    memo: str | None
    raw: str
    beside: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StageChange:
    """A signature that was observed before has moved on, or was dropped by a reorg."""

    network: str
    signature: str
    account: str
    stage: TransferStage
    slot: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedSignature:
    """One row of an account's signature list, newest first as the chain gives it."""

    signature: str
    slot: int
    stage: TransferStage
    has_failed: bool
    occurred_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountBalance:
    """The finalized balance of a receiving account in atomic units; 0 for an account that does not exist yet."""

    account: str
    amount: int
    slot: int
