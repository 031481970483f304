"""JSON-RPC: shapes and errors as a node gives them, over objects and over HTTP."""

import base64
import json
import os
import signal
import subprocess
import sys
from typing import Any

import pytest
import requests
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from sandbox.devchain import programs
from sandbox.devchain.chain import DevChain
from sandbox.devchain.faucet import USDC_MINT
from sandbox.devchain.rpc import answer_body
from sandbox.devchain.server import RunningServer, serve
from tests.sandbox.conftest import SOL, Chain, LocalWallet

KEY = str(Keypair.from_seed(bytes(range(32))).pubkey())  # the same in every worker: it names tests
CONFIRMED = {"commitment": "confirmed", "maxSupportedTransactionVersion": 0}


@pytest.mark.parametrize(
    ("method", "params", "code", "message"),
    [
        ("getNothing", [], -32601, "Method not found"),
        ("getBalance", [], -32602, "should have at least 1"),
        ("getBalance", ["0OIl"], -32602, "Invalid param: "),
        ("getBalance", [KEY + KEY], -32602, "Invalid param: "),
        ("getBalance", [7], -32602, "expected a string"),
        ("getBalance", [KEY, {"commitment": "rooted"}], -32602, "unknown variant `rooted`"),
        ("getBalance", [KEY, {"minContextSlot": 10**9}], -32016, "Minimum context slot"),
        ("getTransaction", [str(Signature.default()), {"commitment": "processed"}], -32602, "below `confirmed`"),
        ("getSignaturesForAddress", [KEY, {"commitment": "processed"}], -32602, "below `confirmed`"),
        ("getSignaturesForAddress", [KEY, {"limit": 1001}], -32602, "Invalid limit; max 1000"),
        ("getSignaturesForAddress", [KEY, {"limit": 0}], -32602, "Invalid limit; max 1000"),
        ("getSignatureStatuses", [[str(Signature.default())] * 257], -32602, "max 256"),
        ("getMultipleAccounts", [[KEY] * 101], -32602, "max 100"),
        ("getTokenAccountBalance", [KEY], -32602, "could not find account"),
        ("getTokenAccountBalance", [str(USDC_MINT)], -32602, "not a Token account"),
        ("getTokenSupply", [str(programs.SYSTEM)], -32602, "not a Token mint"),
        ("getTokenAccountsByOwner", [KEY, {}], -32602, "mint"),
        ("getTokenAccountsByOwner", [KEY, {"mint": KEY}], -32602, "could not find mint"),
        ("getTokenAccountsByOwner", [KEY, {"programId": KEY}], -32602, "unrecognized Token program"),
        ("sendTransaction", ["!!", {"encoding": "base64"}], -32602, "invalid base64 encoding"),
        ("sendTransaction", ["AAAA", {"encoding": "base64"}], -32602, "failed to deserialize"),
        ("sendTransaction", [base64.b64encode(bytes(1233)).decode(), {"encoding": "base64"}], -32602, "too large"),
        ("getBlock", [10**6], -32004, "Block not available"),
        ("getAccountInfo", [str(USDC_MINT), {"encoding": "xml"}], -32602, "unknown variant `xml`"),
        ("getProgramAccounts", [KEY, {"filters": [{"nope": 1}]}], -32602, "filters"),
        ("dev_tick", [{"slots": 0}], -32602, "slots"),
    ],
)
def test_a_bad_call_gets_the_error_of_a_node(
    chain: Chain, method: str, params: list[Any], code: int, message: str
) -> None:
    error = chain.refuse(method, *params)
    assert error["code"] == code
    assert message in error["message"]


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"{", -32700), (b"[]", -32600), (b"7", -32600), (b'{"id":1}', -32600), (b'{"method":7,"id":1}', -32600)],
)
def test_a_broken_body_is_answered_as_json_rpc_asks(chain: Chain, body: bytes, code: int) -> None:
    assert json.loads(answer_body(chain.core, body).body)["error"]["code"] == code


def test_a_batch_is_answered_in_order_with_its_ids(chain: Chain) -> None:
    calls = [{"jsonrpc": "2.0", "id": f"call {at}", "method": name} for at, name in enumerate(["getSlot", "nope"])]
    answers = json.loads(answer_body(chain.core, json.dumps(calls).encode()).body)
    assert [answer["id"] for answer in answers] == ["call 0", "call 1"]
    assert ["result" in answer for answer in answers] == [True, False]


def test_a_failed_preflight_carries_error_and_logs(chain: Chain, payer: LocalWallet) -> None:
    step = programs.sol_transfer(payer.public_key, Keypair().pubkey(), 99 * SOL)
    blockhash, _ = chain.core.latest_blockhash()
    tx = VersionedTransaction(MessageV0.try_compile(payer.public_key, [step], [], blockhash), [payer.keypair])
    error = chain.refuse("sendTransaction", base64.b64encode(bytes(tx)).decode(), {"encoding": "base64"})
    assert error["code"] == -32002
    assert error["message"].endswith("Error processing Instruction 0: custom program error: 0x1")
    assert error["data"]["err"] == {"InstructionError": [0, {"Custom": 1}]}
    assert any("insufficient lamports" in line for line in error["data"]["logs"])


def test_a_forged_signature_is_refused(chain: Chain, payer: LocalWallet) -> None:
    blockhash, _ = chain.core.latest_blockhash()
    step = programs.sol_transfer(payer.public_key, Keypair().pubkey(), SOL)
    message = MessageV0.try_compile(payer.public_key, [step], [], blockhash)
    forged = VersionedTransaction.populate(message, [Keypair().sign_message(b"something else")])
    error = chain.refuse("sendTransaction", base64.b64encode(bytes(forged)).decode(), {"encoding": "base64"})
    assert (error["code"], error["message"]) == (-32003, "Transaction signature verification failure")


def test_a_v0_tx_is_refused_to_a_client_that_cannot_read_it(chain: Chain, payer: LocalWallet) -> None:
    signature = payer.pay_sol(KEY, SOL)
    chain.tick(2)
    assert chain.refuse("getTransaction", signature, {"commitment": "confirmed"})["code"] == -32015


def test_signatures_are_paged_newest_first_with_memo(chain: Chain, payer: LocalWallet) -> None:
    shop = str(Keypair().pubkey())
    sent = [payer.pay_sol(shop, SOL, memo=f"order {number}") for number in range(4)][::-1]
    chain.tick(2)

    def page(**config: Any) -> list[str]:
        found = chain.ask("getSignaturesForAddress", shop, {"commitment": "confirmed", **config})
        return [each["signature"] for each in found]

    assert page() == sent
    assert page(limit=2) == sent[:2]
    assert page(before=sent[1]) == sent[2:]
    assert page(until=sent[2]) == sent[:2], "until itself is left out"
    assert page(before=str(Signature.default())) == []
    assert chain.ask("getSignaturesForAddress", shop, CONFIRMED)[0]["memo"] == "[7] order 3"


def test_references_make_a_node_print_a_multisig(chain: Chain, payer: LocalWallet) -> None:
    payer.airdrop_token(str(USDC_MINT), 100)
    reference = str(Keypair().pubkey())
    signature = payer.pay_token(str(USDC_MINT), KEY, 100, references=[reference], memo="äöü")
    chain.tick(2)
    found = chain.ask("getTransaction", signature, {**CONFIRMED, "encoding": "jsonParsed"})
    memo, transfer = found["transaction"]["message"]["instructions"][1:]
    assert (memo["program"], memo["parsed"]) == ("spl-memo", "äöü")
    info = transfer["parsed"]["info"]
    assert (info["multisigAuthority"], info["signers"]) == (payer.address, [reference])
    assert info["tokenAmount"]["amount"] == "100"


def test_an_unknown_instruction_stays_raw(chain: Chain, payer: LocalWallet) -> None:
    signature = payer.send_instructions(payer.phantom_guards().before)
    chain.tick(2)
    found = chain.ask("getTransaction", signature, {**CONFIRMED, "encoding": "jsonParsed"})
    limit = found["transaction"]["message"]["instructions"][0]
    assert set(limit) == {"accounts", "data", "programId", "stackHeight"}


@pytest.mark.parametrize("details", ["full", "signatures", "none"])
def test_a_block_shows_its_txs_as_asked(chain: Chain, payer: LocalWallet, details: str) -> None:
    signature = payer.pay_sol(KEY, SOL)
    slot = chain.core.slot()
    chain.tick(2)
    block = chain.ask("getBlock", slot, {**CONFIRMED, "transactionDetails": details, "rewards": False})
    named = [each["transaction"]["signatures"][0] for each in block.get("transactions", [])]
    assert {"full": named, "signatures": block.get("signatures"), "none": [signature]}[details] == [signature]
    assert ("transactions" in block, "signatures" in block) == (details == "full", details == "signatures")
    assert chain.ask("getBlockTime", slot) == block["blockTime"]


def test_a_slot_that_a_fork_dropped_is_skipped(chain: Chain) -> None:
    slot = chain.core.slot()
    chain.ask("dev_rollback", {"slots": 1})
    chain.tick(2)
    assert chain.refuse("getBlock", slot, CONFIRMED)["code"] == -32009


def test_program_accounts_are_filtered_by_size_and_bytes(chain: Chain, payer: LocalWallet) -> None:
    payer.airdrop_token(str(USDC_MINT), 5)
    filters = [{"dataSize": 165}, {"memcmp": {"offset": 32, "bytes": payer.address}}]
    config = {"commitment": "processed", "filters": filters, "encoding": "base64"}
    (found,) = chain.ask("getProgramAccounts", str(programs.TOKEN), config)
    assert found["pubkey"] == str(programs.token_address(payer.public_key, USDC_MINT))


def test_the_fee_of_a_message_counts_signatures_and_priority(chain: Chain, payer: LocalWallet) -> None:
    limit, price = payer.phantom_guards().before[:2]
    blockhash, _ = chain.core.latest_blockhash()
    message = MessageV0.try_compile(payer.public_key, [limit, price], [], blockhash)
    wire = base64.b64encode(b"\x80" + bytes(message) if bytes(message)[0] != 0x80 else bytes(message)).decode()
    before = payer.lamports()
    fee = chain.ask("getFeeForMessage", wire, {"commitment": "processed"})["value"]
    payer.send_instructions([limit, price])
    assert fee == 5000 + 300 == before - payer.lamports()


def test_the_server_answers_browsers_of_every_origin(served: RunningServer) -> None:
    preflight = requests.options(served.url, headers={"Origin": "https://shop.example"}, timeout=5)
    assert preflight.headers["Access-Control-Allow-Origin"] == "*"
    answer = requests.post(served.url, json={"jsonrpc": "2.0", "id": 1, "method": "getHealth"}, timeout=5)
    assert answer.json()["result"] == "ok"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_the_server_sends_the_http_faults_that_were_ordered(served: RunningServer) -> None:
    call = {"jsonrpc": "2.0", "id": 1, "method": "dev_fault", "params": [{"http_status": 503}]}
    requests.post(served.url, json=call, timeout=5)
    health = {"jsonrpc": "2.0", "id": 1, "method": "getHealth"}
    assert [requests.post(served.url, json=health, timeout=5).status_code for _ in range(2)] == [503, 200]


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "chain.example"])  # noqa: S104 - must be refused
def test_the_server_refuses_to_listen_where_others_reach_it(host: str) -> None:
    with pytest.raises(ValueError, match="loopback only"):
        serve(DevChain(auto=False), host=host)


@pytest.mark.parametrize("port", [65_535, 70_000, -1])
def test_a_port_that_cannot_be_is_refused(port: int) -> None:
    with pytest.raises(ValueError, match="must lie in"):
        serve(DevChain(auto=False), port=port)


def test_a_taken_port_is_an_oserror(served: RunningServer) -> None:
    taken = int(served.url.rpartition(":")[2])
    with pytest.raises(OSError, match="in use"):
        serve(DevChain(auto=False), port=taken)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_says_when_it_is_ready_and_ends_on_a_signal(number: signal.Signals) -> None:
    with serve(DevChain(auto=False)) as finder:
        port = int(finder.url.rpartition(":")[2])
    command = [sys.executable, "-m", "sandbox.devchain", "--port", str(port), "--manual"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ)) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        assert (ready["event"], ready["url"]) == ("devchain_ready", f"http://127.0.0.1:{port}")
        assert ready["usdc_mint"] == str(USDC_MINT)
        process.send_signal(number)
        assert process.wait(10) == 0
