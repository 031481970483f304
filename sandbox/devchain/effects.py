"""Reading a tx's keys, balances and memos around its execution."""

from collections.abc import Callable, Sequence

from solders.account import Account
from solders.litesvm import LiteSVM
from solders.message import Message, MessageV0, MessageV1
from solders.pubkey import Pubkey

from sandbox.devchain.layouts import TokenAccount, read_mint, read_token_account
from sandbox.devchain.programs import COMPUTE_BUDGET, LOOKUP_TABLE, MEMO_PROGRAMS
from sandbox.devchain.records import Effect, Keys, Rejected, TokenBalance

AnyMessage = Message | MessageV0 | MessageV1
_SET_LIMIT, _SET_PRICE = 2, 3
"""First bytes of the two ComputeBudget instructions that decide the priority fee."""
_TABLE_HEADER_BYTES = 56
"""Bytes before the addresses of a lookup table (``LOOKUP_TABLE_META_SIZE`` of the program)."""


def keys_of(message: AnyMessage, get_account: Callable[[Pubkey], Account | None]) -> Keys:
    """Return all keys of a message, those of its lookup tables read from the chain.

    Raises:
        Rejected: a table does not exist or is too short.
    """
    writable: list[Pubkey] = []
    readonly: list[Pubkey] = []
    for lookup in message.address_table_lookups if isinstance(message, MessageV0) else ():
        table = get_account(lookup.account_key)
        if table is None or table.owner != LOOKUP_TABLE:
            raise Rejected("AddressLookupTableNotFound")
        data = table.data
        writable += [_table_entry(data, index) for index in lookup.writable_indexes]
        readonly += [_table_entry(data, index) for index in lookup.readonly_indexes]
    header = message.header
    return Keys(
        static=list(message.account_keys),
        loaded_writable=writable,
        loaded_readonly=readonly,
        signers=header.num_required_signatures,
        readonly_signers=header.num_readonly_signed_accounts,
        readonly_others=header.num_readonly_unsigned_accounts,
    )


def observe(message: AnyMessage, keys: Keys, svm: LiteSVM) -> tuple[Effect, dict[Pubkey, Account | None]]:
    """Return the balances of all keys and the whole state of those that the tx may change.

    Programs called by the tx are only weighed, never read: their code is large and cannot be a token account.
    """
    programs = {instruction.program_id_index for instruction in message.instructions}
    lamports: list[int] = []
    tokens: list[TokenBalance] = []
    states: dict[Pubkey, Account | None] = {}
    for index, address in enumerate(keys.every):
        if index in programs:
            lamports.append(svm.get_balance(address) or 0)
            continue
        account = svm.get_account(address)
        lamports.append(account.lamports if account else 0)
        if keys.is_writable(index):
            states[address] = account
        if (token := read_token_account(account)) is not None:
            tokens.append(_balance(index, token, svm))
    return Effect(lamports=lamports, tokens=tokens), states


def memo_text(message: AnyMessage) -> str | None:
    """Return the top-level memos as nodes list them: ``[bytes] text``, joined by ``; ``; None without any."""
    memos: list[str] = []
    keys: Sequence[Pubkey] = message.account_keys
    for instruction in message.instructions:
        index = instruction.program_id_index
        if index < len(keys) and keys[index] in MEMO_PROGRAMS:
            text = bytes(instruction.data).decode(errors="replace")
            memos.append(f"[{len(instruction.data)}] {text}")
    return "; ".join(memos) or None


def _table_entry(data: bytes, index: int) -> Pubkey:
    start = _TABLE_HEADER_BYTES + 32 * index
    if start + 32 > len(data):
        raise Rejected("InvalidAddressLookupTableIndex")
    return Pubkey(data[start : start + 32])


def _balance(index: int, token: TokenAccount, svm: LiteSVM) -> TokenBalance:
    mint = read_mint(svm.get_account(token.mint))
    return TokenBalance(
        index=index,
        mint=token.mint,
        owner=token.owner,
        program=token.program,
        amount=token.amount,
        decimals=mint.decimals if mint else 0,
    )


def priority_of(message: AnyMessage) -> tuple[int, int | None]:
    """Return the compute price in micro-lamports and the compute limit that a message asks for, None for no limit."""
    price, limit = 0, None
    for instruction in message.instructions:
        index, data = instruction.program_id_index, bytes(instruction.data)
        if index >= len(message.account_keys) or message.account_keys[index] != COMPUTE_BUDGET or not data:
            continue
        if data[0] == _SET_LIMIT:
            limit = int.from_bytes(data[1:5], "little")
        elif data[0] == _SET_PRICE:
            price = int.from_bytes(data[1:9], "little")
    return price, limit


def table_addresses(data: bytes) -> list[Pubkey]:
    """Return the addresses that a lookup table holds."""
    return [Pubkey(data[at : at + 32]) for at in range(_TABLE_HEADER_BYTES, len(data) - 31, 32)]
