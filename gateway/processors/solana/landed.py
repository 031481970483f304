"""One landed chain transfer, from a node's answer to typed parts, after proof that the node gave us the right bytes.

The signatures are checked here, with ed25519 over the message: a node cannot hand out other bytes than those that were
signed under the signature we asked for. It can still lie about balances, errors and inner instructions; large amounts
therefore ask a second provider (`reader`).
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from gateway.processors.solana.answers import whole
from gateway.processors.solana.base58 import MAX_DIGITS, b58decode
from gateway.processors.solana.programs import MACHINERY

MAX_TX_BYTES: Final = 4096  # 1232 today, 4096 for version 1 messages (SIMD-0296)


class MalformedError(Exception):
    """A node's answer contradicts itself or the bytes that were signed; never leaves this folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One instruction as it ran: `path` is `"3"` or, called by another, `"3.1"`; `outer` the keys of the caller."""

    path: str
    program: Pubkey
    accounts: tuple[Pubkey, ...]
    data: bytes
    outer: tuple[Pubkey, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenEntry:
    """A token account's balance on one side of the chain transfer."""

    mint: str
    owner: str
    program: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed:
    """A landed chain transfer; balances are by account, before and after.

    Attributes:
        keys: every key in index order: static, loaded writable, loaded read-only.
        signers: how many of them, from the first, signed.
    """

    keys: tuple[Pubkey, ...]
    signers: int
    steps: tuple[Step, ...]
    has_failed: bool
    fee: int
    lamports: Mapping[str, tuple[int, int]]
    tokens_before: Mapping[str, TokenEntry]
    tokens_after: Mapping[str, TokenEntry]
    slot: int
    block_time: int | None

    @property
    def fee_payer(self) -> str:
        """Who paid the network fee: always the first key."""
        return str(self.keys[0])


def read_landed(signature: str, answer: Any) -> Landed:
    """Read a `getTransaction` answer (base64) and prove that it is the one asked for.

    Raises:
        MalformedError: other bytes, a bad signature, or an answer that contradicts itself.
    """
    try:
        tx = _authentic(signature, answer["transaction"])
        return _landed(tx, answer)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise MalformedError(type(error).__name__) from error


def decode_tx(payload: str) -> VersionedTransaction:
    """Read base64 of a chain transfer.

    Raises:
        ValueError: it is not base64, or no chain transfer.
    """
    if len(payload) > MAX_TX_BYTES * 2:
        raise ValueError("longer than any chain transfer")
    try:
        return VersionedTransaction.from_bytes(base64.b64decode(payload, validate=True))
    except binascii.Error as error:
        raise ValueError("not base64") from error


def steps_of(tx: VersionedTransaction, keys: Sequence[Pubkey]) -> tuple[Step, ...]:
    """Return the instructions that the signed bytes name, in order.

    Raises:
        IndexError: an instruction names a key that is not there.
    """
    return tuple(
        Step(
            path=str(number),
            program=keys[instruction.program_id_index],
            accounts=tuple(keys[index] for index in instruction.accounts),
            data=bytes(instruction.data),
        )
        for number, instruction in enumerate(tx.message.instructions)
    )


def _authentic(signature: str, encoded: Any) -> VersionedTransaction:
    payload, encoding = encoded
    if encoding != "base64":
        raise MalformedError("encoding")
    tx = decode_tx(payload)
    if not tx.signatures or tx.signatures[0] != Signature.from_string(signature):
        raise MalformedError("other_signature")
    if len(tx.signatures) != tx.message.header.num_required_signatures or not all(tx.verify_with_results()):
        raise MalformedError("signature_does_not_verify")
    return tx


def _landed(tx: VersionedTransaction, answer: Mapping[str, Any]) -> Landed:
    meta = answer["meta"]
    keys = _every_key(tx, meta)
    before, after = meta["preBalances"], meta["postBalances"]
    if not len(keys) == len(before) == len(after):
        raise MalformedError("balances")
    return Landed(
        keys=keys,
        signers=tx.message.header.num_required_signatures,
        steps=_with_inner(steps_of(tx, keys), keys, meta.get("innerInstructions") or []),
        has_failed=meta["err"] is not None,
        fee=whole(meta["fee"]),
        lamports={str(key): (whole(before[at]), whole(after[at])) for at, key in enumerate(keys)},
        tokens_before=_token_entries(keys, meta.get("preTokenBalances") or []),
        tokens_after=_token_entries(keys, meta.get("postTokenBalances") or []),
        slot=whole(answer["slot"]),
        block_time=None if answer.get("blockTime") is None else whole(answer["blockTime"]),
    )


def _every_key(tx: VersionedTransaction, meta: Mapping[str, Any]) -> tuple[Pubkey, ...]:
    """Return static and loaded keys; how many are loaded, and where, the signed bytes say."""
    lookups = getattr(tx.message, "address_table_lookups", ())
    loaded = meta.get("loadedAddresses") or {"writable": [], "readonly": []}
    if len(loaded["writable"]) != sum(len(lookup.writable_indexes) for lookup in lookups):
        raise MalformedError("loaded_writable")
    if len(loaded["readonly"]) != sum(len(lookup.readonly_indexes) for lookup in lookups):
        raise MalformedError("loaded_readonly")
    found = [Pubkey.from_string(text) for text in (*loaded["writable"], *loaded["readonly"])]
    return (*tx.message.account_keys, *found)


def _with_inner(top: Sequence[Step], keys: Sequence[Pubkey], groups: Sequence[Mapping[str, Any]]) -> tuple[Step, ...]:
    inner = {whole(group["index"]): group["instructions"] for group in groups}
    if not inner.keys() <= set(range(len(top))):
        raise MalformedError("inner_index")
    steps: list[Step] = []
    for number, step in enumerate(top):
        steps.append(step)
        for place, raw in enumerate(inner.get(number, ())):
            steps.append(_inner_step(raw, keys, path=f"{number}.{place}", outer=step.accounts))
    return tuple(steps)


def _inner_step(raw: Mapping[str, Any], keys: Sequence[Pubkey], *, path: str, outer: tuple[Pubkey, ...]) -> Step:
    return Step(
        path=path,
        program=keys[whole(raw["programIdIndex"])],
        accounts=tuple(keys[whole(index)] for index in raw["accounts"]),
        data=_data(raw["data"]) if keys[whole(raw["programIdIndex"])] in MACHINERY else b"",
        outer=outer,
    )


def _data(text: str) -> bytes:
    """Decode what a program we understand was told; what is too long for a transfer or a memo is none."""
    return b58decode(text) if len(text) <= MAX_DIGITS else b""


def _token_entries(keys: Sequence[Pubkey], raw: Sequence[Mapping[str, Any]]) -> dict[str, TokenEntry]:
    return {
        str(keys[whole(entry["accountIndex"])]): TokenEntry(
            mint=str(entry["mint"]),
            owner=str(entry.get("owner")),
            program=str(entry.get("programId")),
            amount=_digits(entry["uiTokenAmount"]["amount"]),
        )
        for entry in raw
    }


def _digits(value: Any) -> int:
    if not isinstance(value, str) or not value.isascii() or not value.isdigit() or len(value) > len(str(2**64)):
        raise MalformedError("amount")
    return int(value)
