"""What the chain remembers: blocks, landed txs and what each changed.

Plain data: ``chain`` fills it, the RPC side prints it.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from solders.account import Account
from solders.hash import Hash
from solders.message import Message
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import TransactionMetadata


class Level(StrEnum):
    """Commitment levels, weakest first."""

    PROCESSED = "processed"
    CONFIRMED = "confirmed"
    FINALIZED = "finalized"


class Rejected(Exception):  # noqa: N818 -- it is an answer of the chain, not a defect
    """A tx that did not land; ``err`` is in the RPC's own shape, for example ``"BlockhashNotFound"``."""

    def __init__(self, err: Any, logs: list[str] | None = None) -> None:
        super().__init__(str(err))
        self.err = err
        self.logs = logs or []


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """All account keys of a tx in the order that indexes mean: static, then loaded writable, then loaded read-only."""

    static: list[Pubkey]
    loaded_writable: list[Pubkey]
    loaded_readonly: list[Pubkey]
    signers: int
    readonly_signers: int
    readonly_others: int

    @property
    def every(self) -> list[Pubkey]:
        """Return all keys."""
        return self.static + self.loaded_writable + self.loaded_readonly

    def is_signer(self, index: int) -> bool:
        """Tell whether the key at this index signs."""
        return index < self.signers

    def is_writable(self, index: int) -> bool:
        """Tell whether the tx may change the account at this index."""
        if index < self.signers:
            return index < self.signers - self.readonly_signers
        if index < len(self.static):
            return index < len(self.static) - self.readonly_others
        return index < len(self.static) + len(self.loaded_writable)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenBalance:
    """One token account's balance beside a tx; ``index`` is the account's place among the keys."""

    index: int
    mint: Pubkey
    owner: Pubkey
    program: Pubkey
    amount: int
    decimals: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """Balances of every key before or after a tx, lamports in key order."""

    lamports: list[int]
    tokens: list[TokenBalance]


@dataclass(frozen=True, slots=True, kw_only=True)
class TxRecord:
    """A landed tx, successful or failed; ``sequence`` never repeats, not even when a fork lands the same tx again."""

    sequence: int
    slot: int
    block_time: int
    tx: VersionedTransaction
    keys: Keys
    err: Any
    meta: TransactionMetadata
    before: Effect
    after: Effect
    memo: str | None

    @property
    def signature(self) -> Signature:
        """Return the tx's first signature, its name."""
        return self.tx.signatures[0]

    @property
    def is_legacy(self) -> bool:
        """Tell whether the tx has the format without a version."""
        return isinstance(self.tx.message, Message)


@dataclass(slots=True, kw_only=True)
class Block:
    """One produced slot; ``block_time`` in whole seconds since 1970."""

    slot: int
    height: int
    parent_slot: int
    blockhash: Hash
    block_time: int
    records: list[TxRecord] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """The result of running a tx without keeping its effects; ``accounts`` holds the state after it."""

    err: Any
    meta: TransactionMetadata
    keys: Keys
    accounts: dict[Pubkey, Account]
