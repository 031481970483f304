"""Addresses of the Solana programs that the dev chain ships, and builders for what a wallet or faucet needs of them.

Layouts are little endian, as in the programs' own sources (https://github.com/solana-program/token, .../token-2022,
.../memo).
"""

from solders.address_lookup_table_account import derive_lookup_table_address
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.token.associated import get_associated_token_address

SYSTEM = Pubkey.from_string("11111111111111111111111111111111")
TOKEN = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
TOKEN_2022 = Pubkey.from_string("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb")
ASSOCIATED_TOKEN = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")
MEMO_V1 = Pubkey.from_string("Memo1UhkJRfHyvLMcVucJwxXeuD728EqVDDwQDxFMNo")
MEMO = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")
COMPUTE_BUDGET = Pubkey.from_string("ComputeBudget111111111111111111111111111111")
LOOKUP_TABLE = Pubkey.from_string("AddressLookupTab1e1111111111111111111111111")

TOKEN_PROGRAMS = {TOKEN: "spl-token", TOKEN_2022: "spl-token-2022"}
"""Both token programs and the names that ``jsonParsed`` answers give them."""

MEMO_PROGRAMS = (MEMO_V1, MEMO)


def token_address(owner: Pubkey, mint: Pubkey, program: Pubkey = TOKEN) -> Pubkey:
    """Return the associated token account of a wallet for a mint."""
    return get_associated_token_address(owner, mint, program)


def sol_transfer(
    source: Pubkey, destination: Pubkey, lamports: int, references: tuple[Pubkey, ...] = ()
) -> Instruction:
    """Build a System transfer; references follow as read-only keys, as Solana Pay asks."""
    keys = [
        AccountMeta(source, is_signer=True, is_writable=True),
        AccountMeta(destination, is_signer=False, is_writable=True),
    ]
    return Instruction(
        SYSTEM, (2).to_bytes(4, "little") + lamports.to_bytes(8, "little"), keys + _read_only(references)
    )


def create_account(payer: Pubkey, new: Pubkey, lamports: int, *, space: int, owner: Pubkey) -> Instruction:
    """Build a System createAccount; both the payer and the new key must sign."""
    data = bytes(4) + lamports.to_bytes(8, "little") + space.to_bytes(8, "little") + bytes(owner)
    return Instruction(SYSTEM, data, [AccountMeta(key, is_signer=True, is_writable=True) for key in (payer, new)])


def create_token_account(payer: Pubkey, owner: Pubkey, mint: Pubkey, program: Pubkey = TOKEN) -> Instruction:
    """Build an idempotent creation of the owner's associated token account, paid by ``payer``."""
    keys = [
        AccountMeta(payer, is_signer=True, is_writable=True),
        AccountMeta(token_address(owner, mint, program), is_signer=False, is_writable=True),
        *_read_only((owner, mint, SYSTEM, program)),
    ]
    return Instruction(ASSOCIATED_TOKEN, b"\x01", keys)


def transfer_checked(
    source: Pubkey,
    mint: Pubkey,
    destination: Pubkey,
    owner: Pubkey,
    amount_atomic: int,
    *,
    decimals: int,
    program: Pubkey = TOKEN,
    references: tuple[Pubkey, ...] = (),
) -> Instruction:
    """Build a TransferChecked between two token accounts; references follow as read-only keys."""
    keys = [
        AccountMeta(source, is_signer=False, is_writable=True),
        AccountMeta(mint, is_signer=False, is_writable=False),
        AccountMeta(destination, is_signer=False, is_writable=True),
        AccountMeta(owner, is_signer=True, is_writable=False),
    ]
    data = bytes([12]) + amount_atomic.to_bytes(8, "little") + bytes([decimals])
    return Instruction(program, data, keys + _read_only(references))


def mint_to_checked(
    mint: Pubkey, destination: Pubkey, authority: Pubkey, amount_atomic: int, *, decimals: int, program: Pubkey = TOKEN
) -> Instruction:
    """Build a MintToChecked, signed by the mint's authority."""
    keys = [
        AccountMeta(mint, is_signer=False, is_writable=True),
        AccountMeta(destination, is_signer=False, is_writable=True),
        AccountMeta(authority, is_signer=True, is_writable=False),
    ]
    return Instruction(program, bytes([14]) + amount_atomic.to_bytes(8, "little") + bytes([decimals]), keys)


def initialize_mint(mint: Pubkey, authority: Pubkey, *, decimals: int, program: Pubkey = TOKEN) -> Instruction:
    """Build an InitializeMint2 without a freeze authority."""
    data = bytes([20, decimals]) + bytes(authority) + bytes([0])
    return Instruction(program, data, [AccountMeta(mint, is_signer=False, is_writable=True)])


def initialize_transfer_fee(mint: Pubkey, authority: Pubkey, *, fee_bps: int, max_fee_atomic: int) -> Instruction:
    """Build the Token-2022 transfer-fee extension's set-up; it must come before InitializeMint2."""
    option = bytes([1]) + bytes(authority)
    data = bytes([26, 0]) + option + option + fee_bps.to_bytes(2, "little") + max_fee_atomic.to_bytes(8, "little")
    return Instruction(TOKEN_2022, data, [AccountMeta(mint, is_signer=False, is_writable=True)])


def create_table(owner: Pubkey, recent_slot: int) -> tuple[Instruction, Pubkey]:
    """Build the creation of a lookup table, owned and paid by ``owner``; return it with the table's address."""
    table, bump = derive_lookup_table_address(owner, recent_slot)
    data = bytes(4) + recent_slot.to_bytes(8, "little") + bytes([bump])
    return Instruction(LOOKUP_TABLE, data, _table_keys(table, owner)), table


def extend_table(table: Pubkey, owner: Pubkey, addresses: tuple[Pubkey, ...]) -> Instruction:
    """Build the addition of addresses to a lookup table; they can be used from the next slot on."""
    data = (2).to_bytes(4, "little") + len(addresses).to_bytes(8, "little") + b"".join(map(bytes, addresses))
    return Instruction(LOOKUP_TABLE, data, _table_keys(table, owner))


def memo(text: str) -> Instruction:
    """Build an unsigned memo."""
    return Instruction(MEMO, text.encode(), [])


def _table_keys(table: Pubkey, owner: Pubkey) -> list[AccountMeta]:
    return [
        AccountMeta(table, is_signer=False, is_writable=True),
        AccountMeta(owner, is_signer=True, is_writable=False),
        AccountMeta(owner, is_signer=True, is_writable=True),
        *_read_only((SYSTEM,)),
    ]


def _read_only(keys: tuple[Pubkey, ...]) -> list[AccountMeta]:
    return [AccountMeta(key, is_signer=False, is_writable=False) for key in keys]
