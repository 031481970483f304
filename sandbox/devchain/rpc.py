"""JSON-RPC 2.0 over the dev chain, bytes in and bytes out; the HTTP server and in-process tests share it."""

import json
from dataclasses import dataclass
from typing import Any

from sandbox.devchain import controls, reads, txs
from sandbox.devchain.chain import DevChain
from sandbox.devchain.errors import RpcError
from sandbox.devchain.params import Params
from sandbox.devchain.reads import Handler

MAX_BODY_BYTES = 1_000_000
MAX_BATCH = 1_000
"""Calls in one array; more than any public provider takes."""

METHODS: dict[str, Handler] = {**reads.METHODS, **txs.METHODS, **controls.METHODS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An HTTP answer; ``body`` is JSON except beside a faulty status."""

    status: int
    body: bytes


def answer_body(chain: DevChain, body: bytes) -> Reply:
    """Answer one HTTP request: a call or an array of calls. Faults of the transport are applied here."""
    try:
        request = json.loads(body)
    except ValueError:
        return _reply(_error(None, RpcError(-32700, "Parse error")))
    calls = request if isinstance(request, list) else [request]
    if not any(_is_control(call) for call in calls):
        chain.faults.wait()
        with chain.lock:
            chain.faults.http_requests += 1
            status = chain.faults.take_http_fault()
        if status is not None:
            return Reply(status=status, body=f"the dev chain was asked to answer {status}".encode())
    if not isinstance(request, list):
        return _reply(answer_call(chain, request))
    if not request:
        return _reply(_error(None, RpcError(-32600, "Invalid request")))
    if len(request) > MAX_BATCH:
        return _reply(_error(None, RpcError(-32600, f"Batch of more than {MAX_BATCH} calls")))
    return _reply([answer_call(chain, call) for call in request])


def answer_call(chain: DevChain, call: Any) -> dict[str, Any]:
    """Answer one call, always with a JSON-RPC object."""
    if not isinstance(call, dict) or not isinstance(call.get("method"), str):
        return _error(None, RpcError(-32600, "Invalid request"))
    method, ident = call["method"], call.get("id")
    handler = METHODS.get(method)
    if handler is None:
        return _error(ident, RpcError(-32601, "Method not found"))
    # One lock around the whole method: the slot in its context and the value beside it are from the same moment.
    with chain.lock:
        if not _is_control(call):
            chain.faults.calls[method] += 1
        try:
            return {"jsonrpc": "2.0", "result": handler(chain, Params(call.get("params"))), "id": ident}
        except RpcError as error:
            return _error(ident, error)


def _is_control(call: Any) -> bool:
    return isinstance(call, dict) and str(call.get("method", "")).startswith("dev_")


def _error(ident: Any, error: RpcError) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "error": error.as_json(), "id": ident}


def _reply(answer: Any) -> Reply:
    return Reply(status=200, body=json.dumps(answer, separators=(",", ":")).encode())
