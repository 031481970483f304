"""JSON-RPC methods that send, simulate and look up txs."""

from typing import Any

from solders.message import from_bytes_versioned
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from sandbox.devchain import effects
from sandbox.devchain.answers import Json, error_text, inner_answer, return_data, status_of, tx_answer
from sandbox.devchain.chain import DevChain
from sandbox.devchain.errors import RpcError, invalid_params
from sandbox.devchain.params import Config, Params, read_key, read_signature, read_tx, read_wire
from sandbox.devchain.reads import Handler, checked_level, print_account, with_context
from sandbox.devchain.records import Block, Level, Rejected, Simulation, TxRecord

MAX_STATUSES = 256
MAX_SIGNATURES = 1000
_DEFAULT_UNITS = 200_000
_LAMPORTS_PER_SIGNATURE = 5000


def _send(chain: DevChain, params: Params) -> str:
    config = params.config(1)
    tx = read_tx(params.need(0), config.encoding())
    name = str(tx.signatures[0])
    is_checked = not config.flag("skipPreflight")
    if is_checked:
        checked_level(chain, config, "preflightCommitment")
        _preflight(chain, tx)
    if chain.faults.take_drop():
        return name
    try:
        chain.submit(tx)
    except Rejected as refusal:
        # Without preflight a node takes anything that looks like a tx; what cannot land is never heard of again.
        if is_checked:
            raise _preflight_error(refusal.err, refusal.logs, None) from None
    return name


def _preflight(chain: DevChain, tx: VersionedTransaction) -> None:
    if not all(tx.verify_with_results()):
        raise RpcError(-32003, "Transaction signature verification failure")
    try:
        done = chain.simulate(tx)
    except Rejected as refusal:
        raise _preflight_error(refusal.err, refusal.logs, None) from None
    if done.err is not None:
        raise _preflight_error(done.err, done.meta.logs(), done)


def _preflight_error(err: Any, logs: list[str], done: Simulation | None) -> RpcError:
    data = {
        "accounts": None,
        "err": err,
        "innerInstructions": None,
        "logs": logs,
        "replacementBlockhash": None,
        "returnData": return_data(done.meta) if done else None,
        "unitsConsumed": done.meta.compute_units_consumed() if done else 0,
    }
    return RpcError(-32002, f"Transaction simulation failed: {error_text(err)}", data)


def _simulate(chain: DevChain, params: Params) -> Json:
    config = params.config(1)
    level = checked_level(chain, config)
    tx = read_tx(params.need(0), config.encoding())
    verify, replace = config.flag("sigVerify"), config.flag("replaceRecentBlockhash")
    if verify and replace:
        raise RpcError(-32602, "Invalid params: sigVerify may not be used with replaceRecentBlockhash.")
    if verify and not all(tx.verify_with_results()):
        raise RpcError(-32003, "Transaction signature verification failure")
    try:
        done = chain.simulate(tx, verify=verify, check_blockhash=not replace)
    except Rejected as refusal:
        return with_context(chain, level, _simulation_answer(refusal.err, refusal.logs, None))
    answer = _simulation_answer(done.err, done.meta.logs(), done)
    answer["accounts"] = _simulated_accounts(chain, config, done)
    if config.flag("innerInstructions"):
        answer["innerInstructions"] = inner_answer(done.meta, done.keys, is_parsed=True)
    if replace:
        blockhash, last_height = chain.latest_blockhash(level)
        answer["replacementBlockhash"] = {"blockhash": str(blockhash), "lastValidBlockHeight": last_height}
    return with_context(chain, level, answer)


def _simulation_answer(err: Any, logs: list[str], done: Simulation | None) -> Json:
    return {
        "accounts": None,
        "err": err,
        "innerInstructions": None,
        "logs": logs,
        "replacementBlockhash": None,
        "returnData": return_data(done.meta) if done else None,
        "unitsConsumed": done.meta.compute_units_consumed() if done else 0,
    }


def _simulated_accounts(chain: DevChain, config: Config, done: Simulation) -> list[Json | None] | None:
    wanted = config.table("accounts")
    if wanted is None:
        return None
    keys = [read_key(each) for each in wanted.get("addresses", [])]
    shape = Config({"encoding": wanted.get("encoding", "base64")})
    return [print_account(chain, done.accounts.get(key) or chain.account(key), shape) for key in keys]


def _statuses(chain: DevChain, params: Params) -> Json:
    wanted, config = params.need(0), params.config(1)
    if not isinstance(wanted, list):
        raise invalid_params("expected an array of signatures")
    if len(wanted) > MAX_STATUSES:
        raise RpcError(-32602, f"Too many inputs provided; max {MAX_STATUSES}")
    assert config.flag("searchTransactionHistory") in (True, False), "accepted; the whole history is in memory anyway"
    records = [chain.record(read_signature(each)) for each in wanted]
    return with_context(chain, Level.PROCESSED, [_status(chain, record) for record in records])


def _status(chain: DevChain, record: TxRecord | None) -> Json | None:
    if record is None:
        return None
    level = chain.level_of(record.slot)
    return {
        "slot": record.slot,
        "confirmations": None if level is Level.FINALIZED else chain.slot() - record.slot,
        "err": record.err,
        "status": status_of(record.err),
        "confirmationStatus": level.value,
    }


def _signatures_for(chain: DevChain, params: Params) -> list[Json]:
    address, config = params.key(0), params.config(1)
    level = _history_level(chain, config)
    limit = config.number("limit", default=MAX_SIGNATURES)
    if limit is None or not 0 < limit <= MAX_SIGNATURES:
        raise RpcError(-32602, f"Invalid limit; max {MAX_SIGNATURES}")
    visible = _visible(chain, address, level)
    before, until = config.text("before"), config.text("until")
    if before is not None:
        visible = _older_than(visible, before)
    if until is not None:
        visible = _newer_than(visible, until)
    return [_signature_entry(chain, record) for record in visible[:limit]]


def _visible(chain: DevChain, address: Pubkey, level: Level) -> list[TxRecord]:
    """Return what the index shows at this level, newest first, with its faults."""
    last = min(chain.slot(level), chain.slot() - chain.faults.index_lag)
    hidden = chain.faults.hidden
    return [
        record
        for record in reversed(chain.records_of(address))
        if record.slot <= last and record.signature not in hidden
    ]


def _older_than(records: list[TxRecord], text: str) -> list[TxRecord]:
    wanted = read_signature(text)
    places = [place for place, record in enumerate(records) if record.signature == wanted]
    return records[places[0] + 1 :] if places else []


def _newer_than(records: list[TxRecord], text: str) -> list[TxRecord]:
    wanted = read_signature(text)
    places = [place for place, record in enumerate(records) if record.signature == wanted]
    return records[: places[0]] if places else records


def _signature_entry(chain: DevChain, record: TxRecord) -> Json:
    return {
        "signature": str(record.signature),
        "slot": record.slot,
        "err": record.err,
        "memo": record.memo,
        "blockTime": record.block_time,
        "confirmationStatus": chain.level_of(record.slot).value,
    }


def _history_level(chain: DevChain, config: Config) -> Level:
    level = checked_level(chain, config)
    if level is Level.PROCESSED:
        raise RpcError(-32602, "Method does not support commitment below `confirmed`")
    return level


def _tx(chain: DevChain, params: Params) -> Json | None:
    signature, config = params.signature(0), params.config(1)
    level = _history_level(chain, config)
    record = chain.record(chain.faults.substitutes.get(signature, signature))
    if record is None or record.slot > min(chain.slot(level), chain.slot() - chain.faults.tx_lag):
        return None
    answer = tx_answer(record, config.encoding() or "json", config.number("maxSupportedTransactionVersion"))
    return {"slot": record.slot, "blockTime": record.block_time, **answer}


def _block(chain: DevChain, params: Params) -> Json:
    slot, config = params.number(0), params.config(1)
    level = _history_level(chain, config)
    if slot > chain.slot(level):
        raise RpcError(-32004, f"Block not available for slot {slot}")
    block = chain.block(slot)
    if block is None:
        raise RpcError(-32009, f"Slot {slot} was skipped, or missing in long-term storage")
    parent = chain.block(block.parent_slot)
    answer: Json = {
        "blockHeight": block.height,
        "blockTime": block.block_time,
        "blockhash": str(block.blockhash),
        "parentSlot": block.parent_slot,
        "previousBlockhash": str(parent.blockhash if parent else block.blockhash),
    }
    if config.flag("rewards", default=True):
        answer["rewards"] = []
    return {**answer, **_block_txs(block, config)}


def _block_txs(block: Block, config: Config) -> Json:
    match config.text("transactionDetails") or "full":
        case "none":
            return {}
        case "signatures":
            return {"signatures": [str(record.signature) for record in block.records]}
        case "full":
            encoding, version = config.encoding() or "json", config.number("maxSupportedTransactionVersion")
            return {"transactions": [tx_answer(record, encoding, version) for record in block.records]}
        case other:
            raise invalid_params(f"unknown variant `{other}`, expected one of `full`, `signatures`, `none`")


def _block_time(chain: DevChain, params: Params) -> int:
    slot = params.number(0)
    block = chain.block(slot)
    if block is None:
        raise RpcError(-32004, f"Block not available for slot {slot}")
    return block.block_time


def _fee(chain: DevChain, params: Params) -> Json:
    """Answer getFeeForMessage: signatures and the priority that the message itself asks for."""
    level = checked_level(chain, params.config(1))
    try:
        message = from_bytes_versioned(read_wire(params.need(0), "base64"))
    except ValueError as error:
        raise RpcError(-32602, f"failed to deserialize message: {error}") from None
    if not chain.is_blockhash_valid(message.recent_blockhash):
        return with_context(chain, level, None)
    price, limit = effects.priority_of(message)
    units = _DEFAULT_UNITS * len(message.instructions) if limit is None else limit
    base = _LAMPORTS_PER_SIGNATURE * message.header.num_required_signatures
    return with_context(chain, level, base + -(-price * units // 1_000_000))


METHODS: dict[str, Handler] = {
    "sendTransaction": _send,
    "simulateTransaction": _simulate,
    "getSignatureStatuses": _statuses,
    "getSignaturesForAddress": _signatures_for,
    "getTransaction": _tx,
    "getBlock": _block,
    "getBlockTime": _block_time,
    "getFeeForMessage": _fee,
}
