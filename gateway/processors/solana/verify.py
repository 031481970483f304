"""Verification by effect: what a landed chain transfer did to our own accounts. Pure.

An account's gain is its balance after minus its balance before, whatever instructions stood around the paying one and
whoever put them there. Tokens count only if mint, owner and token program of the balance entry are ours. Reference keys
are looked for on the paying instructions first, then anywhere.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from solders.pubkey import Pubkey

from gateway.domain.chain import ChainObservation, ChainPart
from gateway.domain.words import TransferStage
from gateway.kernel.canonical import canonical_json
from gateway.processors.solana.landed import Landed, TokenEntry, read_landed
from gateway.processors.solana.networks import Token
from gateway.processors.solana.paying import Payment, memo_of, payments_of
from gateway.processors.solana.programs import MACHINERY, TokenProgram, token_account

MAX_EVIDENCE: Final = 65_536  # characters kept whole; an ordinary payment has 2,000 to 6,000
_CHATTER: Final = frozenset({"logMessages", "innerInstructions", "returnData"})
_YEAR_9999_S: Final = 253_402_300_799


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnAccount:
    """One of our accounts: a wallet that receives SOL (`token` None), or an associated token account."""

    address: str
    asset: str
    token: Token | None


def observe(
    network: str, signature: str, answer: Mapping[str, Any], *, accounts: Mapping[str, OwnAccount]
) -> tuple[ChainObservation, ...]:
    """Return the effects of a `getTransaction` answer on our accounts; none if it failed or did not change them.

    Args:
        network: the network's name.
        signature: the one that was asked for.
        answer: the `result` member, encoding base64, read at `confirmed` or `finalized`.
        accounts: our accounts by address; those that do not occur are ignored.

    Raises:
        MalformedError: the answer is not authentic or contradicts itself.
    """
    landed = read_landed(signature, answer)
    if landed.has_failed:
        return ()
    payments = tuple(payments_of(landed.steps))
    references = _references(landed, payments, accounts)
    found = []
    for key in landed.keys:
        own = accounts.get(str(key))
        effect = None if own is None else _effect(landed, own)
        if own is None or effect is None or effect == (0, 0):
            continue
        net, fee = effect
        parts, payer = _parts(own, net, payments, references=set(references))
        found.append(
            ChainObservation(
                network=network,
                signature=signature,
                account=own.address,
                asset=own.asset,
                net=net,
                fee=fee,
                parts=parts,
                references=references,
                stage=TransferStage.CONFIRMED,
                slot=landed.slot,
                occurred_at=_instant(landed.block_time),
                payer=_owner(landed, payer) if payer else landed.fee_payer,
                memo=memo_of(landed.steps),
                raw=evidence(answer),
                beside=_beside(landed, own, payments, accounts),
            )
        )
    return tuple(found)


def evidence(answer: Mapping[str, Any]) -> str:
    """Return the node's answer as canonical JSON that every database takes: lone surrogates stay escaped.

    Logs and inner instructions are left out of an overlong one, because strangers choose their length; the signed bytes
    and all balances stay.
    """
    text = canonical_json(answer)
    if len(text) > MAX_EVIDENCE:
        meta = {name: value for name, value in answer["meta"].items() if name not in _CHATTER}
        text = canonical_json({**answer, "meta": {**meta, "leftOut": sorted(_CHATTER)}})
    return text.encode(errors="backslashreplace").decode()


def _effect(landed: Landed, own: OwnAccount) -> tuple[int, int] | None:
    """Return net change and own network fee of one account; None if it is not what we hold it for."""
    if own.token is None:
        before, after = landed.lamports[own.address]
        fee = landed.fee if landed.fee_payer == own.address else 0
        return after - before + fee, fee
    before_entry, after_entry = landed.tokens_before.get(own.address), landed.tokens_after.get(own.address)
    entries = [entry for entry in (before_entry, after_entry) if entry is not None]
    if not entries or not all(_is_ours(own.address, own.token, entry) for entry in entries):
        return None
    return _amount(after_entry) - _amount(before_entry), 0


def _beside(
    landed: Landed, own: OwnAccount, payments: Sequence[Payment], accounts: Mapping[str, OwnAccount]
) -> dict[str, int]:
    """Return what accounts of others that were paid, too, gained of the same asset; by effect, as our own."""
    found = {}
    for address in dict.fromkeys(one.destination for one in payments if one.destination not in accounts):
        gain = _gain(landed, address, own.token)
        if gain > 0:
            found[address] = gain
    return found


def _gain(landed: Landed, address: str, token: Token | None) -> int:
    """Return by how much an account grew in SOL, or in a token of ours; 0 if it holds something else."""
    if token is None:
        before, after = landed.lamports[address]
        return after - before
    entries = landed.tokens_before.get(address), landed.tokens_after.get(address)
    is_other = any(one is not None and (one.mint, one.program) != _kind(token) for one in entries)
    return 0 if is_other else _amount(entries[1]) - _amount(entries[0])


def _kind(token: Token) -> tuple[str, str]:
    return token.mint, str(token.program.address)


def _is_ours(address: str, token: Token, entry: TokenEntry) -> bool:
    """Tell whether a balance entry has our mint, its program, and the owner from whom the address derives."""
    program = token.program.address
    if entry.mint != token.mint or entry.program != str(program):
        return False
    try:
        owner = Pubkey.from_string(entry.owner)
    except ValueError:
        return False
    return str(token_account(owner, Pubkey.from_string(token.mint), program)) == address


def _amount(entry: TokenEntry | None) -> int:
    return 0 if entry is None else entry.amount


def _parts(
    own: OwnAccount, net: int, payments: Sequence[Payment], *, references: set[str]
) -> tuple[tuple[ChainPart, ...], Payment | None]:
    """Return the instructions that paid the account, and the first of them."""
    paying = [one for one in payments if one.destination == own.address != one.source and one.amount > 0]
    parts = [ChainPart(path=one.path, amount=one.amount, references=_named(one.extra, references)) for one in paying]
    if len(parts) == 1 and 0 < net < parts[0].amount and _may_keep_a_fee(own):
        # Token-2022 withheld a fee: what arrived is what counts. With several parts nobody can say whose it was.
        parts = [replace(parts[0], amount=net)]
    return tuple(parts), paying[0] if paying else None


def _may_keep_a_fee(own: OwnAccount) -> bool:
    return own.token is not None and own.token.program is TokenProgram.SPL_2022


def _named(keys: Sequence[Pubkey], references: set[str]) -> tuple[str, ...]:
    return tuple(text for text in map(str, keys) if text in references)


def _references(landed: Landed, payments: Sequence[Payment], accounts: Mapping[str, OwnAccount]) -> tuple[str, ...]:
    """Return the keys that have no task in the chain transfer, in order of appearance: only those can be references."""
    tasks = {str(key) for one in payments for key in one.roles} | {str(step.program) for step in landed.steps}
    tasks |= {str(key) for key in (*MACHINERY, *landed.keys[: landed.signers])}
    for entries in (landed.tokens_before, landed.tokens_after):
        tasks |= (
            entries.keys() | {entry.owner for entry in entries.values()} | {entry.mint for entry in entries.values()}
        )
    named = (str(key) for step in landed.steps for key in step.accounts)
    seen = dict.fromkeys((*named, *map(str, landed.keys)))
    return tuple(key for key in seen if key not in tasks and key not in accounts)


def _owner(landed: Landed, payment: Payment) -> str:
    """Return whose money it was: the owner of the paying token account, else who allowed the transfer."""
    entry = landed.tokens_before.get(payment.source)
    return entry.owner if entry is not None else payment.authority


def _instant(block_time_s: int | None) -> datetime | None:
    if block_time_s is None or block_time_s > _YEAR_9999_S:
        return None
    return datetime.fromtimestamp(block_time_s, UTC)
