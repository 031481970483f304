"""How landed txs, accounts and failures look on the wire; the shapes of Agave's JSON-RPC, without I/O."""

from typing import Any

from solders.account import Account
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.transaction_metadata import TransactionMetadata

from sandbox.devchain.errors import RpcError, invalid_params
from sandbox.devchain.instructions import parsed_instruction
from sandbox.devchain.layouts import b58encode, b64, parsed_account, ui_amount
from sandbox.devchain.programs import TOKEN_PROGRAMS
from sandbox.devchain.records import Effect, Keys, TxRecord

U64_MAX = 2**64 - 1
BASE58_ACCOUNT_BYTES = 128
_STACK_TOP = 1

Json = dict[str, Any]

_TX_ERRORS = {
    "AccountNotFound": "Attempt to debit an account but found no record of a prior credit.",
    "AddressLookupTableNotFound": "Transaction loads an address table account that doesn't exist",
    "AlreadyProcessed": "This transaction has already been processed",
    "BlockhashNotFound": "Blockhash not found",
    "ClusterMaintenance": "Transactions are currently disabled due to cluster maintenance",
    "InsufficientFundsForFee": "Insufficient funds for fee",
    "InvalidAccountForFee": "This account may not be used to pay transaction fees",
    "InvalidAddressLookupTableIndex": "Transaction address table lookup uses an invalid index",
    "ProgramAccountNotFound": "Attempt to load a program that does not exist",
    "SignatureFailure": "Transaction did not pass signature verification",
}
_INSTRUCTION_ERRORS = {
    "InsufficientFunds": "insufficient funds for instruction",
    "InvalidAccountData": "invalid account data for instruction",
    "InvalidArgument": "invalid program argument",
    "InvalidInstructionData": "invalid instruction data",
    "MissingRequiredSignature": "missing required signature for instruction",
    "IncorrectProgramId": "incorrect program id for instruction",
    "ComputationalBudgetExceeded": "Computational budget exceeded",
}


def error_text(err: Any) -> str:
    """Return an execution error as the sentence that nodes put into messages."""
    match err:
        case {"InstructionError": [index, {"Custom": code}]}:
            return f"Error processing Instruction {index}: custom program error: {code:#x}"
        case {"InstructionError": [index, reason]}:
            return f"Error processing Instruction {index}: {_INSTRUCTION_ERRORS.get(str(reason), str(reason))}"
        case {"InsufficientFundsForRent": {"account_index": index}}:
            return f"Transaction results in an account ({index}) with insufficient funds for rent"
        case _:
            return _TX_ERRORS.get(str(err), str(err))


def status_of(err: Any) -> Json:
    """Return the old ``status`` form beside ``err``."""
    return {"Ok": None} if err is None else {"Err": err}


def tx_version(record: TxRecord) -> str | int:
    """Return ``"legacy"`` or the version's number."""
    return "legacy" if record.is_legacy else 0


def tx_answer(record: TxRecord, encoding: str, max_version: int | None) -> Json:
    """Return the ``transaction``, ``meta`` and ``version`` members of getTransaction and getBlock.

    Raises:
        RpcError: the caller did not say that it can read this version (-32015), or the encoding is unknown.
    """
    if not record.is_legacy and max_version is None:
        message = (
            "Transaction version (0) is not supported by the requesting client. "
            "Please try the request again with the following configuration parameter: "
            '"maxSupportedTransactionVersion": 0'
        )
        raise RpcError(-32015, message)
    answer: Json = {"transaction": _encoded(record, encoding), "meta": _meta(record, encoding)}
    if max_version is not None:
        answer["version"] = tx_version(record)
    return answer


def account_answer(
    account: Account | None, encoding: str | None, decimals: int | None, cut: Json | None
) -> Json | None:
    """Return an account; ``cut`` is the caller's ``dataSlice`` and ``decimals`` those of a token account's mint."""
    if account is None:
        return None
    return {
        "data": _account_data(account, encoding, decimals, cut),
        "executable": account.executable,
        "lamports": account.lamports,
        "owner": str(account.owner),
        "rentEpoch": U64_MAX,
        "space": len(account.data),
    }


def return_data(meta: TransactionMetadata) -> Json | None:
    """Return what the last program handed back, None for nothing."""
    given = meta.return_data()
    return {"programId": str(given.program_id), "data": [b64(bytes(given.data)), "base64"]} if given.data else None


def _account_data(account: Account, encoding: str | None, decimals: int | None, cut: Json | None) -> Any:
    data = account.data
    if encoding == "jsonParsed":
        parsed = parsed_account(account, decimals)
        return parsed if parsed is not None else [b64(_sliced(data, cut)), "base64"]
    data = _sliced(data, cut)
    if encoding == "base64":
        return [b64(data), "base64"]
    if encoding in (None, "binary", "base58"):
        if len(data) > BASE58_ACCOUNT_BYTES:
            limit = "Encoded binary (base 58) data should be less than 128 bytes, please use Base64 encoding."
            raise RpcError(-32600, limit)
        return b58encode(data) if encoding != "base58" else [b58encode(data), "base58"]
    raise invalid_params(f"unknown variant `{encoding}`, expected one of `base58`, `base64`, `jsonParsed`")


def _sliced(data: bytes, cut: Json | None) -> bytes:
    return data if cut is None else data[int(cut["offset"]) :][: int(cut["length"])]


def _encoded(record: TxRecord, encoding: str) -> Any:
    match encoding:
        case "json":
            return {"message": _raw_message(record), "signatures": [str(each) for each in record.tx.signatures]}
        case "jsonParsed":
            return {"message": _parsed_message(record), "signatures": [str(each) for each in record.tx.signatures]}
        case "base64":
            return [b64(bytes(record.tx)), "base64"]
        case "base58":
            return [b58encode(bytes(record.tx)), "base58"]
        case "binary":
            return b58encode(bytes(record.tx))
        case _:
            known = "`binary`, `base64`, `base58`, `json`, `jsonParsed`"
            raise invalid_params(f"unknown variant `{encoding}`, expected one of {known}")


def _raw_message(record: TxRecord) -> Json:
    message = record.tx.message
    header = message.header
    answer: Json = {
        "header": {
            "numRequiredSignatures": header.num_required_signatures,
            "numReadonlySignedAccounts": header.num_readonly_signed_accounts,
            "numReadonlyUnsignedAccounts": header.num_readonly_unsigned_accounts,
        },
        "accountKeys": [str(key) for key in message.account_keys],
        "recentBlockhash": str(message.recent_blockhash),
        "instructions": [_raw_instruction(each, _STACK_TOP) for each in message.instructions],
    }
    if isinstance(message, MessageV0):
        answer["addressTableLookups"] = _lookups(message)
    return answer


def _parsed_message(record: TxRecord) -> Json:
    message, keys = record.tx.message, record.keys
    answer: Json = {
        "accountKeys": [_parsed_key(keys, index, key) for index, key in enumerate(keys.every)],
        "recentBlockhash": str(message.recent_blockhash),
        "instructions": [_parsed(each, keys, _STACK_TOP) for each in message.instructions],
    }
    if isinstance(message, MessageV0):
        answer["addressTableLookups"] = _lookups(message)
    return answer


def _parsed_key(keys: Keys, index: int, key: Pubkey) -> Json:
    return {
        "pubkey": str(key),
        "signer": keys.is_signer(index),
        "source": "transaction" if index < len(keys.static) else "lookupTable",
        "writable": keys.is_writable(index),
    }


def _lookups(message: MessageV0) -> list[Json]:
    return [
        {
            "accountKey": str(lookup.account_key),
            "writableIndexes": list(lookup.writable_indexes),
            "readonlyIndexes": list(lookup.readonly_indexes),
        }
        for lookup in message.address_table_lookups
    ]


def _raw_instruction(instruction: Any, stack_height: int | None) -> Json:
    return {
        "programIdIndex": instruction.program_id_index,
        "accounts": list(instruction.accounts),
        "data": b58encode(bytes(instruction.data)),
        "stackHeight": stack_height,
    }


def _parsed(instruction: Any, keys: Keys, stack_height: int | None) -> Json:
    every = keys.every
    accounts = [every[index] for index in instruction.accounts]
    return parsed_instruction(every[instruction.program_id_index], bytes(instruction.data), accounts, stack_height)


def _meta(record: TxRecord, encoding: str) -> Json:
    meta = record.meta
    answer: Json = {
        "err": record.err,
        "status": status_of(record.err),
        "fee": meta.fee(),
        "preBalances": record.before.lamports,
        "postBalances": record.after.lamports,
        "innerInstructions": inner_answer(meta, record.keys, is_parsed=encoding == "jsonParsed"),
        "logMessages": meta.logs(),
        "preTokenBalances": _token_balances(record.before),
        "postTokenBalances": _token_balances(record.after),
        "rewards": [],
        "computeUnitsConsumed": meta.compute_units_consumed(),
    }
    if encoding != "jsonParsed":
        keys = record.keys
        loaded = {"writable": keys.loaded_writable, "readonly": keys.loaded_readonly}
        answer["loadedAddresses"] = {role: [str(key) for key in found] for role, found in loaded.items()}
    if (given := return_data(meta)) is not None:
        answer["returnData"] = given
    return answer


def inner_answer(meta: TransactionMetadata, keys: Keys, *, is_parsed: bool) -> list[Json]:
    """Return the instructions that programs called, by the top-level instruction that caused them."""
    groups = []
    for index, group in enumerate(meta.inner_instructions()):
        printed = [
            _parsed(inner.instruction(), keys, inner.stack_height())
            if is_parsed
            else _raw_instruction(inner.instruction(), inner.stack_height())
            for inner in group
        ]
        if printed:
            groups.append({"index": index, "instructions": printed})
    return groups


def _token_balances(effect: Effect) -> list[Json]:
    assert all(balance.program in TOKEN_PROGRAMS for balance in effect.tokens), (
        "only token programs keep token balances"
    )
    return [
        {
            "accountIndex": balance.index,
            "mint": str(balance.mint),
            "owner": str(balance.owner),
            "programId": str(balance.program),
            "uiTokenAmount": ui_amount(balance.amount, balance.decimals),
        }
        for balance in effect.tokens
    ]
