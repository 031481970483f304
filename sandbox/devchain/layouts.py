"""Token account and mint layouts, amounts and base58, as nodes read and print them.

Sources: spl-token ``state.rs`` (account 165 bytes, mint 82), Token-2022 extensions (type byte at 165, then
type-length-value from 166), and Agave's ``account-decoder`` for the ``jsonParsed`` forms.
"""

import base64
from dataclasses import dataclass
from typing import Any

from solders.account import Account
from solders.pubkey import Pubkey

from sandbox.devchain.programs import TOKEN_2022, TOKEN_PROGRAMS

ACCOUNT_BYTES = 165
MINT_BYTES = 82
_KIND_OFFSET = 165
_KIND_MINT, _KIND_ACCOUNT = 1, 2
_STATES = ("uninitialized", "initialized", "frozen")
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenAccount:
    """What an SPL token account says; amounts in atomic units."""

    mint: Pubkey
    owner: Pubkey
    amount: int
    delegate: Pubkey | None
    state: str
    native_reserve: int | None
    delegated_amount: int
    close_authority: Pubkey | None
    program: Pubkey
    extensions: list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mint:
    """What an SPL mint says; the supply in atomic units."""

    authority: Pubkey | None
    supply: int
    decimals: int
    freeze_authority: Pubkey | None
    program: Pubkey
    extensions: list[dict[str, Any]]


def read_token_account(account: Account | None) -> TokenAccount | None:
    """Return the token account, or None when these bytes are not one."""
    if account is None or account.owner not in TOKEN_PROGRAMS:
        return None
    data = account.data
    if not _is_kind(account.owner, data, ACCOUNT_BYTES, _KIND_ACCOUNT) or data[108] == 0:
        return None
    return TokenAccount(
        mint=Pubkey(data[0:32]),
        owner=Pubkey(data[32:64]),
        amount=_u64(data, 64),
        delegate=_optional_key(data, 72),
        state=_STATES[data[108]] if data[108] < len(_STATES) else "uninitialized",
        native_reserve=_u64(data, 113) if _u32(data, 109) else None,
        delegated_amount=_u64(data, 121),
        close_authority=_optional_key(data, 129),
        program=account.owner,
        extensions=_extensions(data),
    )


def read_mint(account: Account | None) -> Mint | None:
    """Return the mint, or None when these bytes are not an initialised one."""
    if account is None or account.owner not in TOKEN_PROGRAMS:
        return None
    data = account.data
    if not _is_kind(account.owner, data, MINT_BYTES, _KIND_MINT) or data[45] != 1:
        return None
    return Mint(
        authority=_optional_key(data, 0),
        supply=_u64(data, 36),
        decimals=data[44],
        freeze_authority=_optional_key(data, 46),
        program=account.owner,
        extensions=_extensions(data),
    )


def ui_amount(atomic: int, decimals: int) -> dict[str, Any]:
    """Print an amount as nodes do; ``uiAmount`` is a lossy JSON number and for display only."""
    whole, rest = divmod(atomic, 10**decimals)
    text = f"{whole}.{rest:0{decimals}d}".rstrip("0").rstrip(".") if decimals else str(whole)
    return {"amount": str(atomic), "decimals": decimals, "uiAmount": atomic / 10**decimals, "uiAmountString": text}


def parsed_account(account: Account, decimals: int | None) -> dict[str, Any] | None:
    """Return the ``jsonParsed`` form of a token account or mint, or None when a node would answer with base64.

    Args:
        account: the account to print.
        decimals: those of the token account's mint; None when the mint is unknown.
    """
    if (mint := read_mint(account)) is not None:
        info, kind, program = _mint_form(mint), "mint", mint.program
        extensions = mint.extensions
    elif (token := read_token_account(account)) is not None and decimals is not None:
        info, kind, program = _token_form(token, decimals), "account", token.program
        extensions = token.extensions
    else:
        return None
    if extensions:
        info["extensions"] = extensions
    return {"program": TOKEN_PROGRAMS[program], "parsed": {"type": kind, "info": info}, "space": len(account.data)}


def b58encode(raw: bytes) -> str:
    """Return raw bytes in Bitcoin's base58 alphabet."""
    number, text = int.from_bytes(raw, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = _BASE58[digit] + text
    return "1" * (len(raw) - len(raw.lstrip(b"\0"))) + text


def b58decode(text: str) -> bytes:
    """Return the bytes of a base58 text.

    Raises:
        ValueError: when a character is outside the alphabet.
    """
    number = 0
    for char in text:
        number = number * 58 + _BASE58.index(char)
    return bytes(len(text) - len(text.lstrip("1"))) + number.to_bytes((number.bit_length() + 7) // 8, "big")


def b64(raw: bytes) -> str:
    """Return raw bytes as base64 text."""
    return base64.b64encode(raw).decode()


def key_text(key: Pubkey | None) -> str | None:
    """Return an address as text, None for none."""
    return None if key is None else str(key)


def _token_form(token: TokenAccount, decimals: int) -> dict[str, Any]:
    info: dict[str, Any] = {
        "isNative": token.native_reserve is not None,
        "mint": str(token.mint),
        "owner": str(token.owner),
        "state": token.state,
        "tokenAmount": ui_amount(token.amount, decimals),
    }
    if token.delegate is not None:
        info |= {"delegate": str(token.delegate), "delegatedAmount": ui_amount(token.delegated_amount, decimals)}
    if token.native_reserve is not None:
        info["rentExemptReserve"] = ui_amount(token.native_reserve, 9)
    if token.close_authority is not None:
        info["closeAuthority"] = str(token.close_authority)
    return info


def _mint_form(mint: Mint) -> dict[str, Any]:
    return {
        "decimals": mint.decimals,
        "freezeAuthority": key_text(mint.freeze_authority),
        "isInitialized": True,
        "mintAuthority": key_text(mint.authority),
        "supply": str(mint.supply),
    }


def _is_kind(program: Pubkey, data: bytes, plain_bytes: int, kind: int) -> bool:
    if len(data) == plain_bytes:
        return True
    return program == TOKEN_2022 and len(data) > _KIND_OFFSET and data[_KIND_OFFSET] == kind


def _extensions(data: bytes) -> list[dict[str, Any]]:
    """Return the Token-2022 extensions, those without a form of ours as ``unparseableExtension``."""
    found: list[dict[str, Any]] = []
    at = _KIND_OFFSET + 1
    while at + 4 <= len(data):
        kind, size = int.from_bytes(data[at : at + 2], "little"), int.from_bytes(data[at + 2 : at + 4], "little")
        if kind == 0:
            break
        found.append(_extension_form(kind, data[at + 4 : at + 4 + size]))
        at += 4 + size
    return found


def _extension_form(kind: int, body: bytes) -> dict[str, Any]:
    if kind == 1:
        fee = {"olderTransferFee": _fee_form(body, 72), "newerTransferFee": _fee_form(body, 90)}
        keys = {
            "transferFeeConfigAuthority": _nonzero_key(body, 0),
            "withdrawWithheldAuthority": _nonzero_key(body, 32),
        }
        return {"extension": "transferFeeConfig", "state": {**keys, "withheldAmount": _u64(body, 64), **fee}}
    if kind == 2:  # noqa: PLR2004 -- ExtensionType::TransferFeeAmount
        return {"extension": "transferFeeAmount", "state": {"withheldAmount": _u64(body, 0)}}
    if kind == 7:  # noqa: PLR2004 -- ExtensionType::ImmutableOwner
        return {"extension": "immutableOwner"}
    return {"extension": "unparseableExtension"}


def _fee_form(body: bytes, at: int) -> dict[str, int]:
    bps = int.from_bytes(body[at + 16 : at + 18], "little")
    return {"epoch": _u64(body, at), "maximumFee": _u64(body, at + 8), "transferFeeBasisPoints": bps}


def _nonzero_key(body: bytes, at: int) -> str | None:
    raw = body[at : at + 32]
    return str(Pubkey(raw)) if any(raw) else None


def _u32(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")


def _u64(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 8], "little")


def _optional_key(data: bytes, at: int) -> Pubkey | None:
    return Pubkey(data[at + 4 : at + 36]) if _u32(data, at) else None
