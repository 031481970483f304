"""JSON-RPC methods that read the cluster and its accounts."""

from collections.abc import Callable
from typing import Any

from solders.account import Account
from solders.pubkey import Pubkey

from sandbox.devchain.answers import Json, account_answer
from sandbox.devchain.chain import SLOTS_PER_EPOCH, DevChain
from sandbox.devchain.errors import RpcError, invalid_params
from sandbox.devchain.faucet import MAX_AIRDROP_LAMPORTS
from sandbox.devchain.layouts import read_mint, read_token_account, ui_amount
from sandbox.devchain.params import Config, Params, read_hash, read_key, read_wire
from sandbox.devchain.programs import TOKEN_PROGRAMS
from sandbox.devchain.records import Level, Rejected

API_VERSION = "4.1.2"
"""The Agave release whose crates LiteSVM is built from."""
FEATURE_SET = 3_294_202_862
MAX_ACCOUNTS = 100
MAX_FILTERS = 4
_NOT_A_TOKEN_ACCOUNT = "Invalid param: not a Token account"  # noqa: S105 -- an answer, not a secret

Handler = Callable[[DevChain, Params], Any]


def with_context(chain: DevChain, level: Level, value: Any) -> Json:
    """Wrap a value in the context that nodes add."""
    return {"context": {"apiVersion": API_VERSION, "slot": chain.slot(level)}, "value": value}


def checked_level(chain: DevChain, config: Config, name: str = "commitment") -> Level:
    """Return the commitment level, after ``minContextSlot`` has been honoured."""
    level = config.level(name)
    least = config.number("minContextSlot")
    if least is not None and chain.slot(level) < least:
        slot = chain.slot(level)
        raise RpcError(-32016, "Minimum context slot has not been reached", {"contextSlot": slot})
    return level


def print_account(
    chain: DevChain, account: Account | None, config: Config, *, default: str | None = None
) -> Json | None:
    """Print an account in the encoding that the caller asks for."""
    token = read_token_account(account)
    mint = read_mint(chain.account(token.mint)) if token else None
    decimals = mint.decimals if mint else None
    return account_answer(account, config.encoding() or default, decimals, config.data_slice())


def _version(_chain: DevChain, _params: Params) -> Json:
    return {"solana-core": API_VERSION, "feature-set": FEATURE_SET}


def _health(_chain: DevChain, _params: Params) -> str:
    return "ok"


def _identity(chain: DevChain, _params: Params) -> Json:
    return {"identity": str(chain.faucet.address)}


def _genesis_hash(chain: DevChain, _params: Params) -> str:
    return str(chain.genesis_hash)


def _slot(chain: DevChain, params: Params) -> int:
    return chain.slot(checked_level(chain, params.config(0)))


def _block_height(chain: DevChain, params: Params) -> int:
    return chain.block_height(checked_level(chain, params.config(0)))


def _epoch(chain: DevChain, params: Params) -> Json:
    level = checked_level(chain, params.config(0))
    slot = chain.slot(level)
    return {
        "absoluteSlot": slot,
        "blockHeight": chain.block_height(level),
        "epoch": slot // SLOTS_PER_EPOCH,
        "slotIndex": slot % SLOTS_PER_EPOCH,
        "slotsInEpoch": SLOTS_PER_EPOCH,
        "transactionCount": chain.newest_sequence,
    }


def _latest_blockhash(chain: DevChain, params: Params) -> Json:
    level = checked_level(chain, params.config(0))
    blockhash, last_height = chain.latest_blockhash(level)
    return with_context(chain, level, {"blockhash": str(blockhash), "lastValidBlockHeight": last_height})


def _blockhash_valid(chain: DevChain, params: Params) -> Json:
    level = checked_level(chain, params.config(1))
    return with_context(chain, level, chain.is_blockhash_valid(read_hash(params.need(0)), level))


def _rent(chain: DevChain, params: Params) -> int:
    return chain.rent_exempt_lamports(params.number(0))


def _prioritization(chain: DevChain, _params: Params) -> list[Json]:
    slot = chain.slot()
    return [{"slot": each, "prioritizationFee": 0} for each in range(max(slot - 149, 0), slot + 1)]


def _balance(chain: DevChain, params: Params) -> Json:
    level = checked_level(chain, params.config(1))
    account = chain.account(params.key(0), level)
    return with_context(chain, level, account.lamports if account else 0)


def _account(chain: DevChain, params: Params) -> Json:
    config = params.config(1)
    level = checked_level(chain, config)
    return with_context(chain, level, print_account(chain, chain.account(params.key(0), level), config))


def _accounts(chain: DevChain, params: Params) -> Json:
    config, wanted = params.config(1), params.need(0)
    level = checked_level(chain, config)
    if not isinstance(wanted, list):
        raise invalid_params("expected an array of addresses")
    if len(wanted) > MAX_ACCOUNTS:
        raise RpcError(-32602, f"Too many inputs provided; max {MAX_ACCOUNTS}")
    found = [chain.account(read_key(each), level) for each in wanted]
    return with_context(chain, level, [print_account(chain, each, config, default="base64") for each in found])


def _token_balance(chain: DevChain, params: Params) -> Json:
    level = checked_level(chain, params.config(1))
    account = chain.account(params.key(0), level)
    if account is None:
        raise RpcError(-32602, "Invalid param: could not find account")
    token = read_token_account(account)
    mint = read_mint(chain.account(token.mint, level)) if token else None
    if token is None or mint is None:
        raise RpcError(-32602, _NOT_A_TOKEN_ACCOUNT)
    return with_context(chain, level, ui_amount(token.amount, mint.decimals))


def _token_supply(chain: DevChain, params: Params) -> Json:
    level = checked_level(chain, params.config(1))
    account = chain.account(params.key(0), level)
    if account is None:
        raise RpcError(-32602, "Invalid param: could not find account")
    mint = read_mint(account)
    if mint is None:
        raise RpcError(-32602, "Invalid param: not a Token mint")
    return with_context(chain, level, ui_amount(mint.supply, mint.decimals))


def _token_accounts(chain: DevChain, params: Params) -> Json:
    owner, choice, config = params.key(0), params.config(1), params.config(2)
    level = checked_level(chain, config)
    mint, program = choice.text("mint"), choice.text("programId")
    if (mint is None) == (program is None):
        raise invalid_params("expected either `mint` or `programId`")
    programs = [read_key(program)] if program else [_program_of_mint(chain, read_key(mint))]
    if programs[0] not in TOKEN_PROGRAMS:
        raise RpcError(-32602, "Invalid param: unrecognized Token program id")
    wanted = read_key(mint) if mint else None
    found = []
    for address, account in chain.program_accounts(programs[0], level).items():
        token = read_token_account(account)
        if token is not None and token.owner == owner and wanted in (None, token.mint):
            found.append({"pubkey": str(address), "account": print_account(chain, account, config)})
    return with_context(chain, level, found)


def _program_of_mint(chain: DevChain, mint: Pubkey) -> Pubkey:
    account = chain.account(mint)
    if account is None:
        raise RpcError(-32602, "Invalid param: could not find mint")
    if read_mint(account) is None:
        raise RpcError(-32602, "Invalid param: not a Token mint")
    return account.owner


def _program_accounts(chain: DevChain, params: Params) -> Any:
    program, config = params.key(0), params.config(1)
    level = checked_level(chain, config)
    filters = config.raw.get("filters") or []
    if not isinstance(filters, list) or len(filters) > MAX_FILTERS:
        raise RpcError(-32602, f"Too many filters provided; max {MAX_FILTERS}")
    tests = [_filter(each) for each in filters]
    answer = [
        {"pubkey": str(address), "account": print_account(chain, account, config)}
        for address, account in chain.program_accounts(program, level).items()
        if all(test(account.data) for test in tests)
    ]
    return with_context(chain, level, answer) if config.flag("withContext") else answer


def _filter(raw: Any) -> Callable[[bytes], bool]:
    match raw:
        case {"dataSize": int(size)}:
            return lambda data: len(data) == size
        case {"memcmp": {"offset": int(offset), "bytes": str(text)}}:
            wanted = read_wire(text, Config(raw["memcmp"]).encoding())
            return lambda data: data[offset : offset + len(wanted)] == wanted
        case _:
            raise invalid_params("filters are `dataSize` and `memcmp`")


def _airdrop(chain: DevChain, params: Params) -> str:
    lamports = params.number(1)
    if lamports > MAX_AIRDROP_LAMPORTS:
        raise RpcError(-32602, f"Invalid request: the faucet gives at most {MAX_AIRDROP_LAMPORTS} lamports at once")
    try:
        return str(chain.faucet.airdrop(params.key(0), lamports))
    except Rejected as refusal:
        raise RpcError(-32603, f"Internal error: airdrop failed: {refusal.err}") from None


METHODS: dict[str, Handler] = {
    "getVersion": _version,
    "getHealth": _health,
    "getIdentity": _identity,
    "getGenesisHash": _genesis_hash,
    "getSlot": _slot,
    "getBlockHeight": _block_height,
    "getEpochInfo": _epoch,
    "getLatestBlockhash": _latest_blockhash,
    "isBlockhashValid": _blockhash_valid,
    "getMinimumBalanceForRentExemption": _rent,
    "getRecentPrioritizationFees": _prioritization,
    "getBalance": _balance,
    "getAccountInfo": _account,
    "getMultipleAccounts": _accounts,
    "getTokenAccountBalance": _token_balance,
    "getTokenSupply": _token_supply,
    "getTokenAccountsByOwner": _token_accounts,
    "getProgramAccounts": _program_accounts,
    "requestAirdrop": _airdrop,
}
