"""The ``jsonParsed`` forms of instructions, as Agave prints them; the rest stays raw, as on a node.

Known: System transfer and createAccount; SPL Token and Token-2022 transfer, transferChecked, transferCheckedWithFee,
mintTo, mintToChecked, approveChecked, revoke, closeAccount, initializeMint2, initializeAccount3,
initializeImmutableOwner and getAccountDataSize; memos; creation of associated token accounts.

A trap kept on purpose: Solana Pay references follow the signer, and nodes then print ``multisigAuthority`` and
``signers`` instead of ``authority``.
"""

from collections.abc import Callable
from typing import Any

from solders.pubkey import Pubkey

from sandbox.devchain.layouts import b58encode, ui_amount
from sandbox.devchain.programs import ASSOCIATED_TOKEN, MEMO, MEMO_PROGRAMS, SYSTEM, TOKEN_PROGRAMS

Parsed = dict[str, Any]
Parser = Callable[[bytes, list[str]], Parsed]


class _Unknown(Exception):  # noqa: N818 -- control flow of this module: print it raw
    pass


def parsed_instruction(program: Pubkey, data: bytes, accounts: list[Pubkey], stack_height: int | None) -> Parsed:
    """Return one instruction as ``jsonParsed`` shows it: parsed when known, else with base58 data."""
    names = [str(account) for account in accounts]
    try:
        label, parsed = _parse(program, data, names)
    except (_Unknown, IndexError, UnicodeDecodeError):
        raw = {"accounts": names, "data": b58encode(data), "programId": str(program)}
        return {**raw, "stackHeight": stack_height}
    return {"parsed": parsed, "program": label, "programId": str(program), "stackHeight": stack_height}


def _parse(program: Pubkey, data: bytes, names: list[str]) -> tuple[str, Any]:
    if program in MEMO_PROGRAMS:
        return "spl-memo" if program == MEMO else "spl-memo-v1", data.decode()
    if program == SYSTEM:
        return "system", _form(_SYSTEM_FORMS, _int(data, 0, 4), data[4:], names)
    if program in TOKEN_PROGRAMS:
        if data[:2] == bytes([26, 1]):
            return TOKEN_PROGRAMS[program], _transfer_with_fee(data[2:], names)
        return TOKEN_PROGRAMS[program], _form(_TOKEN_FORMS, data[0], data[1:], names)
    if program == ASSOCIATED_TOKEN:
        return "spl-associated-token-account", _create_associated(data, names)
    raise _Unknown


def _form(forms: dict[int, tuple[str, Parser]], kind: int, body: bytes, names: list[str]) -> Parsed:
    if kind not in forms:
        raise _Unknown
    name, parser = forms[kind]
    return {"type": name, "info": parser(body, names)}


def _int(data: bytes, at: int, size: int) -> int:
    if len(data) < at + size:
        raise _Unknown
    return int.from_bytes(data[at : at + size], "little")


def _authority(names: list[str], last: int, role: str = "authority") -> Parsed:
    """Print the signer at ``last``; keys after it make a node believe in a multisig."""
    if len(names) > last + 1:
        multisig = "multisig" + role[0].upper() + role[1:]
        return {multisig: names[last], "signers": names[last + 1 :]}
    return {role: names[last]}


def _system_transfer(body: bytes, names: list[str]) -> Parsed:
    return {"source": names[0], "destination": names[1], "lamports": _int(body, 0, 8)}


def _system_create(body: bytes, names: list[str]) -> Parsed:
    owner = str(Pubkey(body[16:48]))
    return {
        "source": names[0],
        "newAccount": names[1],
        "lamports": _int(body, 0, 8),
        "space": _int(body, 8, 8),
        "owner": owner,
    }


def _transfer(body: bytes, names: list[str]) -> Parsed:
    return {
        "source": names[0],
        "destination": names[1],
        "amount": str(_int(body, 0, 8)),
        **_authority(names, 2),
    }


def _transfer_checked(body: bytes, names: list[str]) -> Parsed:
    amount = ui_amount(_int(body, 0, 8), _int(body, 8, 1))
    keys = {"source": names[0], "mint": names[1], "destination": names[2]}
    return {**keys, "tokenAmount": amount, **_authority(names, 3)}


def _transfer_with_fee(body: bytes, names: list[str]) -> Parsed:
    decimals = _int(body, 8, 1)
    info = _transfer_checked(body, names)
    return {"type": "transferCheckedWithFee", "info": {**info, "feeAmount": ui_amount(_int(body, 9, 8), decimals)}}


def _mint_to(body: bytes, names: list[str]) -> Parsed:
    info = {"mint": names[0], "account": names[1], "amount": str(_int(body, 0, 8))}
    return {**info, **_authority(names, 2, "mintAuthority")}


def _mint_to_checked(body: bytes, names: list[str]) -> Parsed:
    amount = ui_amount(_int(body, 0, 8), _int(body, 8, 1))
    info = {"mint": names[0], "account": names[1], "tokenAmount": amount}
    return {**info, **_authority(names, 2, "mintAuthority")}


def _approve_checked(body: bytes, names: list[str]) -> Parsed:
    amount = ui_amount(_int(body, 0, 8), _int(body, 8, 1))
    keys = {"source": names[0], "mint": names[1], "delegate": names[2]}
    return {**keys, "tokenAmount": amount, **_authority(names, 3, "owner")}


def _revoke(_body: bytes, names: list[str]) -> Parsed:
    return {"source": names[0], **_authority(names, 1, "owner")}


def _close(_body: bytes, names: list[str]) -> Parsed:
    return {"account": names[0], "destination": names[1], **_authority(names, 2, "owner")}


def _initialize_mint2(body: bytes, names: list[str]) -> Parsed:
    info = {"mint": names[0], "decimals": _int(body, 0, 1), "mintAuthority": str(Pubkey(body[1:33]))}
    if _int(body, 33, 1):
        info["freezeAuthority"] = str(Pubkey(body[34:66]))
    return info


def _initialize_account3(body: bytes, names: list[str]) -> Parsed:
    return {"account": names[0], "mint": names[1], "owner": str(Pubkey(body[:32]))}


def _immutable_owner(_body: bytes, names: list[str]) -> Parsed:
    return {"account": names[0]}


def _account_data_size(body: bytes, names: list[str]) -> Parsed:
    info: Parsed = {"mint": names[0]}
    kinds = {7: "immutableOwner", 2: "transferFeeAmount"}
    extensions = [kinds.get(_int(body, at, 2), "unparseableExtension") for at in range(0, len(body), 2)]
    return {**info, "extensionTypes": extensions} if extensions else info


def _create_associated(data: bytes, names: list[str]) -> Parsed:
    kinds = {b"": "create", b"\x00": "create", b"\x01": "createIdempotent"}
    if data not in kinds:
        raise _Unknown
    roles = ("source", "account", "wallet", "mint", "systemProgram", "tokenProgram")
    return {"type": kinds[data], "info": {role: names[place] for place, role in enumerate(roles)}}


_SYSTEM_FORMS: dict[int, tuple[str, Parser]] = {
    0: ("createAccount", _system_create),
    2: ("transfer", _system_transfer),
}
_TOKEN_FORMS: dict[int, tuple[str, Parser]] = {
    3: ("transfer", _transfer),
    5: ("revoke", _revoke),
    7: ("mintTo", _mint_to),
    9: ("closeAccount", _close),
    12: ("transferChecked", _transfer_checked),
    13: ("approveChecked", _approve_checked),
    14: ("mintToChecked", _mint_to_checked),
    18: ("initializeAccount3", _initialize_account3),
    20: ("initializeMint2", _initialize_mint2),
    21: ("getAccountDataSize", _account_data_size),
    22: ("initializeImmutableOwner", _immutable_owner),
}
