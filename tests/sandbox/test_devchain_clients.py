"""Foreign clients work unmodified: ``solana`` for Python here, web3.js, spl-token and Solana Pay through Node."""

import asyncio
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Confirmed, Finalized
from solana.rpc.core import RPCException
from solana.rpc.models import TokenAccountOpts, TxOpts
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.rpc.errors import SendTransactionPreflightFailureMessage
from solders.transaction import VersionedTransaction
from solders.transaction_status import TransactionConfirmationStatus

from sandbox.devchain import programs
from sandbox.devchain.faucet import USDC_MINT
from sandbox.devchain.server import RunningServer
from sandbox.devchain.wallet import TestWallet
from tests.sandbox.conftest import SOL

NODE_FOLDER = Path(__file__).parent / "node"


def transfer_tx(payer: Keypair, to: Pubkey, lamports: int, blockhash: Hash) -> VersionedTransaction:
    step = programs.sol_transfer(payer.pubkey(), to, lamports)
    return VersionedTransaction(MessageV0.try_compile(payer.pubkey(), [step], [], blockhash), [payer])


def run_with_client(url: str, story: Callable[[AsyncClient], Any]) -> None:
    async def run() -> None:
        async with AsyncClient(url, commitment=Confirmed) as client:
            await story(client)

    asyncio.run(run())


def test_solana_py_airdrops_confirms_and_sends(served: RunningServer) -> None:
    payer, shop = Keypair(), Keypair().pubkey()

    async def story(client: AsyncClient) -> None:
        assert await client.is_connected()
        airdrop = (await client.request_airdrop(payer.pubkey(), 5 * SOL)).value
        await client.confirm_transaction(airdrop, Confirmed, sleep_seconds=0.02)
        assert (await client.get_balance(payer.pubkey())).value == 5 * SOL
        latest = (await client.get_latest_blockhash()).value
        tx = transfer_tx(payer, shop, SOL, latest.blockhash)
        simulated = (await client.simulate_transaction(tx, sig_verify=True)).value
        assert simulated.err is None
        assert simulated.units_consumed == 150
        signature = (await client.send_transaction(tx)).value
        await client.confirm_transaction(signature, Finalized, sleep_seconds=0.02)
        (status,) = (await client.get_signature_statuses([signature])).value
        assert status is not None
        assert status.confirmation_status == TransactionConfirmationStatus.Finalized
        assert status.confirmations is None
        assert (await client.get_balance(shop)).value == SOL

    run_with_client(served.url, story)


@pytest.mark.parametrize("encoding", ["json", "jsonParsed", "base64"])
def test_solana_py_lists_and_reads_what_was_sent(served: RunningServer, encoding: str) -> None:
    wallet, shop = TestWallet(served.url), Keypair().pubkey()
    wallet.wait(wallet.airdrop(5 * SOL))
    signature = wallet.pay_sol(str(shop), SOL, memo="order 7")
    wallet.wait(signature, "finalized")

    async def story(client: AsyncClient) -> None:
        (entry,) = (await client.get_signatures_for_address(shop)).value
        assert str(entry.signature) == signature
        assert entry.memo == "[7] order 7"
        found = (await client.get_transaction(entry.signature, encoding, max_supported_transaction_version=0)).value
        assert found is not None
        assert found.transaction.meta is not None
        assert found.transaction.meta.post_balances[1] == SOL
        assert found.block_time is not None

    run_with_client(served.url, story)


def test_solana_py_understands_a_failed_preflight(served: RunningServer) -> None:
    payer = Keypair()

    async def story(client: AsyncClient) -> None:
        await client.confirm_transaction((await client.request_airdrop(payer.pubkey(), SOL)).value, sleep_seconds=0.02)
        latest = (await client.get_latest_blockhash()).value
        tx = transfer_tx(payer, Keypair().pubkey(), 9 * SOL, latest.blockhash)
        with pytest.raises(RPCException) as failure:
            await client.send_transaction(tx, TxOpts(preflight_commitment=Confirmed))
        assert isinstance(failure.value.args[0], SendTransactionPreflightFailureMessage)
        assert "custom program error: 0x1" in failure.value.args[0].message

    run_with_client(served.url, story)


def test_solana_py_reads_tokens_and_the_cluster(served: RunningServer) -> None:
    owner = Keypair().pubkey()
    wallet = TestWallet(served.url)
    call = {"mint": str(USDC_MINT), "owner": str(owner), "amount": 2_500_000}
    wallet.wait(wallet.rpc("dev_airdrop_token", call)["signature"])
    account = programs.token_address(owner, USDC_MINT)

    async def story(client: AsyncClient) -> None:
        assert (await client.get_token_account_balance(account)).value.ui_amount_string == "2.5"
        assert (await client.get_token_supply(USDC_MINT)).value.decimals == 6
        held = (await client.get_token_accounts_by_owner(owner, TokenAccountOpts(mint=USDC_MINT))).value
        assert [each.pubkey for each in held] == [account]
        parsed = await client.get_token_accounts_by_owner_json_parsed(owner, TokenAccountOpts(mint=USDC_MINT))
        info: Any = parsed.value[0].account.data.parsed
        assert info["info"]["tokenAmount"]["amount"] == "2500000"
        assert len((await client.get_multiple_accounts([account, owner])).value) == 2
        assert (await client.get_account_info(account)).value is not None
        assert (await client.get_minimum_balance_for_rent_exemption(165)).value == 2_039_280
        assert (await client.get_epoch_info()).value.absolute_slot > 0
        assert (await client.get_block_height()).value > 0
        assert (await client.get_slot()).value > 0
        assert (await client.get_version()).value.solana_core
        assert (await client.get_genesis_hash()).value == served.chain.genesis_hash
        block = (await client.get_block((await client.get_slot()).value, max_supported_transaction_version=0)).value
        assert block is not None

    run_with_client(served.url, story)


@pytest.fixture
def run_node(node: str, engine_missing: Callable[[str, str], NoReturn], served: RunningServer) -> Callable[[str], Any]:
    """Return ``(script) -> its last line of output as JSON``; the script gets both URLs of a served chain."""
    if not (NODE_FOLDER / "node_modules" / "@solana").is_dir():
        engine_missing("node packages", "npm ci --prefix tests/sandbox/node")

    def run(script: str) -> Any:
        environment = {**os.environ, "RPC_URL": served.url, "WS_URL": served.ws_url}
        done = subprocess.run(
            [node, script], cwd=NODE_FOLDER, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout.splitlines()[-1])

    return run


def test_web3_js_and_spl_token_mint_send_and_read(run_node: Callable[[str], Any]) -> None:
    assert run_node("web3.mjs") == {
        "balance": "750000",
        "parsed": ["spl-token", "transferChecked", "250000"],
        "held": ["750000"],
        "refused": True,
        "subscribed": ["account", "logs", "slot"],
    }


def test_solana_pay_creates_finds_and_validates_a_transfer(run_node: Callable[[str], Any]) -> None:
    assert run_node("pay.mjs") == {"sol": "validated", "token": "validated", "wrong_amount": "amount not transferred"}


def test_solana_pay_validates_what_the_test_wallet_paid(run_node: Callable[[str], Any], served: RunningServer) -> None:
    link = run_node("link.mjs")
    wallet = TestWallet(served.url)
    wallet.wait(wallet.airdrop(5 * SOL))
    wallet.wait(wallet.airdrop_token(str(USDC_MINT), 20_000_000))
    signature = wallet.pay_link(link["url"])
    wallet.wait(signature, "finalized")
    config = {"maxSupportedTransactionVersion": 0, "encoding": "jsonParsed"}
    steps = wallet.rpc("getTransaction", signature, config)["transaction"]["message"]["instructions"]
    assert steps[-2]["parsed"] == "Bestellung #7 & mehr"
    assert steps[-1]["parsed"]["info"]["signers"] == link["references"]
    assert steps[-1]["parsed"]["info"]["tokenAmount"]["amount"] == "12345678"
