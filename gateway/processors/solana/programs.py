"""Addresses of Solana programs and the few instructions that a payment needs, built by hand.

Layouts are little endian; sources: solana-program/system, /token, /token-2022, /associated-token-account, /memo and
Agave's compute-budget-interface on GitHub.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.token.associated import get_associated_token_address

SYSTEM: Final = Pubkey.from_string("11111111111111111111111111111111")
TOKEN: Final = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
TOKEN_2022: Final = Pubkey.from_string("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb")
ASSOCIATED_TOKEN: Final = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")
MEMO: Final = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")
MEMO_V1: Final = Pubkey.from_string("Memo1UhkJRfHyvLMcVucJwxXeuD728EqVDDwQDxFMNo")
COMPUTE_BUDGET: Final = Pubkey.from_string("ComputeBudget111111111111111111111111111111")
RENT_SYSVAR: Final = Pubkey.from_string("SysvarRent111111111111111111111111111111111")
INSTRUCTIONS_SYSVAR: Final = Pubkey.from_string("Sysvar1nstructions1111111111111111111111111")

MEMO_PROGRAMS: Final = frozenset({MEMO, MEMO_V1})
# Keys that stand in chain transfers as machinery and are never anybody's reference.
MACHINERY: Final = frozenset(
    {
        SYSTEM,
        TOKEN,
        TOKEN_2022,
        ASSOCIATED_TOKEN,
        MEMO,
        MEMO_V1,
        COMPUTE_BUDGET,
        RENT_SYSVAR,
        INSTRUCTIONS_SYSVAR,
    }
)


class TokenProgram(StrEnum):
    """Which program keeps a token's books."""

    SPL = "spl-token"
    SPL_2022 = "token-2022"

    @property
    def address(self) -> Pubkey:
        """The program's address."""
        match self:
            case TokenProgram.SPL:
                return TOKEN
            case TokenProgram.SPL_2022:
                return TOKEN_2022


def token_account(owner: Pubkey, mint: Pubkey, program: Pubkey) -> Pubkey:
    """Return the associated token account: where a wallet holds this token by convention."""
    return get_associated_token_address(owner, mint, program)


def compute_limit(units: int) -> Instruction:
    """Build SetComputeUnitLimit."""
    return Instruction(COMPUTE_BUDGET, bytes([2]) + units.to_bytes(4, "little"), [])


def compute_price(micro_lamports: int) -> Instruction:
    """Build SetComputeUnitPrice: millionths of a lamport for each unit of the limit."""
    return Instruction(COMPUTE_BUDGET, bytes([3]) + micro_lamports.to_bytes(8, "little"), [])


def memo(text: str) -> Instruction:
    """Build a memo that nobody has to sign."""
    return Instruction(MEMO, text.encode(), [])


def sol_transfer(source: Pubkey, destination: Pubkey, lamports: int, *, references: Sequence[Pubkey]) -> Instruction:
    """Build a System transfer; references follow read-only, in order, as Solana Pay asks."""
    keys = [_signer(source, is_writable=True), _writable(destination), *map(_read_only, references)]
    return Instruction(SYSTEM, (2).to_bytes(4, "little") + lamports.to_bytes(8, "little"), keys)


def create_token_account(payer: Pubkey, owner: Pubkey, mint: Pubkey, *, program: Pubkey) -> Instruction:
    """Build the idempotent creation of the owner's associated token account; `payer` pays its rent."""
    account = token_account(owner, mint, program)
    keys = [_signer(payer, is_writable=True), _writable(account), *map(_read_only, (owner, mint, SYSTEM, program))]
    return Instruction(ASSOCIATED_TOKEN, bytes([1]), keys)


def transfer_checked(
    *,
    payer: Pubkey,
    source: Pubkey,
    mint: Pubkey,
    destination: Pubkey,
    amount: int,
    decimals: int,
    program: Pubkey,
    references: Sequence[Pubkey],
) -> Instruction:
    """Build TransferChecked from the payer's token account; references follow read-only, in order."""
    keys = [
        _writable(source),
        _read_only(mint),
        _writable(destination),
        _signer(payer, is_writable=False),
        *map(_read_only, references),
    ]
    return Instruction(program, bytes([12]) + amount.to_bytes(8, "little") + bytes([decimals]), keys)


def _signer(key: Pubkey, *, is_writable: bool) -> AccountMeta:
    return AccountMeta(key, is_signer=True, is_writable=is_writable)


def _writable(key: Pubkey) -> AccountMeta:
    return AccountMeta(key, is_signer=False, is_writable=True)


def _read_only(key: Pubkey) -> AccountMeta:
    return AccountMeta(key, is_signer=False, is_writable=False)
