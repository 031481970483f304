"""The ``dev_*`` methods: what a test may do to the chain and no real cluster allows. README.md lists them for users."""

from typing import Any

from solders.pubkey import Pubkey

from sandbox.devchain.answers import Json
from sandbox.devchain.chain import MAX_TICK, DevChain
from sandbox.devchain.errors import RpcError, invalid_params
from sandbox.devchain.faucet import FEE_MINT, USDC_MINT
from sandbox.devchain.faults import HTTP_FAULTS, MAX_LATENCY_MS
from sandbox.devchain.params import Config, Params, read_key, read_signature
from sandbox.devchain.programs import TOKEN, TOKEN_2022, token_address
from sandbox.devchain.reads import Handler
from sandbox.devchain.records import Level, Rejected

MAX_DECIMALS = 18
MAX_FEE_BPS = 10_000
_FAULT_NAMES = {
    "index_lag", "tx_lag", "hide_signature", "drop_sends", "hold", "http_status", "calls", "latency_ms",
    "substitute_transaction", "clear",
}  # fmt: skip


def _tick(chain: DevChain, params: Params) -> Json:
    slots = _number(params.config(0), "slots", 1, highest=MAX_TICK, least=1)
    return {"slot": chain.tick(slots)}


def _rollback(chain: DevChain, params: Params) -> Json:
    config = params.config(0)
    slots = _number(config, "slots", 1, highest=chain.slot(), least=1)
    keep = config.flag("keep", default=True)
    dropped = chain.rollback(slots, keep=keep, fork_blockhashes=config.flag("fork_blockhashes"))
    return {"slot": chain.slot(), "dropped": [str(record.signature) for record in dropped]}


def _reland(chain: DevChain, _params: Params) -> Json:
    return {"landed": chain.reland(), "slot": chain.slot()}


def _fault(chain: DevChain, params: Params) -> Json:
    config, faults = params.config(0), chain.faults
    if unknown := sorted(set(config.raw) - _FAULT_NAMES):
        raise invalid_params(f"unknown fault `{unknown[0]}`, expected one of {', '.join(sorted(_FAULT_NAMES))}")
    if config.flag("clear"):
        faults.clear()
    faults.index_lag = _number(config, "index_lag", faults.index_lag)
    faults.tx_lag = _number(config, "tx_lag", faults.tx_lag)
    faults.drop_sends = _number(config, "drop_sends", faults.drop_sends)
    faults.latency_ms = _number(config, "latency_ms", faults.latency_ms, highest=MAX_LATENCY_MS)
    faults.hold = config.flag("hold", default=faults.hold)
    if not faults.hold:
        chain.flush_held()
    _hide(chain, config)
    _substitute(chain, config)
    _http_fault(chain, config)
    return faults.as_json()


def _hide(chain: DevChain, config: Config) -> None:
    raw = config.raw.get("hide_signature")
    if raw is not None:
        chain.faults.hidden |= {read_signature(each) for each in (raw if isinstance(raw, list) else [raw])}


def _substitute(chain: DevChain, config: Config) -> None:
    for asked, given in (config.table("substitute_transaction") or {}).items():
        chain.faults.substitutes[read_signature(asked)] = read_signature(given)


def _http_fault(chain: DevChain, config: Config) -> None:
    if "http_status" not in config.raw:
        return
    status = _number(config, "http_status", 0)
    if status not in HTTP_FAULTS:
        raise invalid_params(f"`http_status` must be one of {', '.join(map(str, HTTP_FAULTS))}")
    chain.faults.http_status = status
    chain.faults.http_calls = _number(config, "calls", 1)


def _calls(chain: DevChain, params: Params) -> Json:
    faults = chain.faults
    answer = {"methods": dict(faults.calls), "http_requests": faults.http_requests}
    if params.config(0).flag("reset"):
        faults.calls.clear()
        faults.http_requests = 0
    return answer


def _airdrop_token(chain: DevChain, params: Params) -> Json:
    raw = params.config(0).raw
    mint, owner = read_key(raw.get("mint", str(USDC_MINT))), read_key(raw.get("owner"))
    amount = _number(params.config(0), "amount", 0, least=1)
    try:
        signature = chain.faucet.airdrop_token(mint, owner, amount)
    except Rejected as refusal:
        raise RpcError(-32602, f"the faucet cannot mint {mint}: {refusal.logs or refusal.err}") from None
    account = chain.account(mint)
    assert account is not None, "the faucet has just minted it"
    return {"signature": str(signature), "account": str(token_address(owner, mint, account.owner))}


def _create_mint(chain: DevChain, params: Params) -> Json:
    config = params.config(0)
    fee_bps = _number(config, "transfer_fee_bps", 0, highest=MAX_FEE_BPS)
    mint = chain.faucet.create_mint(
        symbol=config.text("symbol") or "TEST",
        decimals=_number(config, "decimals", 6, highest=MAX_DECIMALS),
        program=_program(config.text("program"), fee_bps),
        fee_bps=fee_bps,
    )
    return dict(mint.as_json())


def _program(name: str | None, fee_bps: int) -> Pubkey:
    known = {
        None: TOKEN_2022 if fee_bps else TOKEN,
        "spl-token": TOKEN,
        "token-2022": TOKEN_2022,
        "spl-token-2022": TOKEN_2022,
    }
    if name not in known:
        raise invalid_params("`program` is spl-token or token-2022")
    if fee_bps and known[name] != TOKEN_2022:
        raise invalid_params("only token-2022 knows `transfer_fee_bps`")
    return known[name]


def _info(chain: DevChain, _params: Params) -> Json:
    return {
        "genesis_hash": str(chain.genesis_hash),
        "slot": chain.slot(),
        "slots": {level.value: chain.slot(level) for level in Level},
        "slot_ms": chain.slot_ms,
        "auto": chain.auto,
        "ws_port": chain.ws_port,
        "usdc_mint": str(USDC_MINT),
        "fee_mint": str(FEE_MINT),
        "faucet": str(chain.faucet.address),
        "mints": [mint.as_json() for mint in chain.faucet.mints.values()],
        "faults": chain.faults.as_json(),
    }


def _number(config: Config, name: str, default: int, *, highest: int = 2**64 - 1, least: int = 0) -> int:
    value: Any = config.number(name, default=default)
    if not least <= value <= highest:
        raise invalid_params(f"`{name}` must be {least}..{highest}")
    return int(value)


METHODS: dict[str, Handler] = {
    "dev_info": _info,
    "dev_tick": _tick,
    "dev_rollback": _rollback,
    "dev_reland": _reland,
    "dev_fault": _fault,
    "dev_calls": _calls,
    "dev_airdrop_token": _airdrop_token,
    "dev_create_mint": _create_mint,
}
