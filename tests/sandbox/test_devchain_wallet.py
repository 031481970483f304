"""The test wallet: pays links, signs what servers built, and adds guards as Phantom does."""

import base64
from typing import Any

import pytest
import responses
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import Message, MessageV0
from solders.null_signer import NullSigner
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from sandbox.devchain import programs
from sandbox.devchain.faucet import FEE_MINT, USDC_MINT
from sandbox.devchain.paylink import RequestLink, TransferLink, read_pay_link
from sandbox.devchain.wallet import TestWallet, WalletError
from tests.sandbox.conftest import SOL, Chain, LocalWallet

KEY = str(Keypair.from_seed(bytes(range(32))).pubkey())  # the same in every worker: it names tests


def unsigned(message: Message | MessageV0, payer: Pubkey) -> str:
    return base64.b64encode(bytes(VersionedTransaction(message, [NullSigner(payer)]))).decode()


def programs_of(chain: Chain, signature: str) -> list[str]:
    chain.tick(2)
    config = {"commitment": "confirmed", "maxSupportedTransactionVersion": 0, "encoding": "jsonParsed"}
    steps = chain.ask("getTransaction", signature, config)["transaction"]["message"]["instructions"]
    return [each.get("program", each["programId"][:13]) for each in steps]


@pytest.mark.parametrize("mint", [USDC_MINT, FEE_MINT])
def test_a_token_link_is_paid_into_a_fresh_account_of_the_mints_own_program(
    chain: Chain, payer: LocalWallet, mint: Pubkey
) -> None:
    payer.airdrop_token(str(mint), 2_000_000)
    shop = LocalWallet(chain)
    signature = payer.pay_link(f"solana:{shop.address}?amount=1.5&spl-token={mint}&reference={KEY}&memo=order%201")
    assert payer.token_amount(str(mint)) == 500_000
    assert shop.token_amount(str(mint)) == (1_500_000 if mint == USDC_MINT else 1_477_500)
    token = "spl-token" if mint == USDC_MINT else "spl-token-2022"
    assert programs_of(chain, signature) == ["spl-associated-token-account", "spl-memo", token]
    assert [each["signature"] for each in chain.ask("getSignaturesForAddress", KEY, {"commitment": "confirmed"})] == [
        signature
    ]


def test_a_sol_link_is_paid_in_lamports(chain: Chain, payer: LocalWallet) -> None:
    shop = LocalWallet(chain)
    payer.pay_link(f"solana:{shop.address}?amount=0.123456789&reference={KEY}")
    assert shop.lamports() == 123_456_789


def test_references_keep_their_order() -> None:
    keys = [str(Keypair().pubkey()) for _ in range(3)]
    link = read_pay_link(f"solana:{KEY}?amount=1&" + "&".join(f"reference={key}" for key in keys))
    assert isinstance(link, TransferLink)
    assert list(map(str, link.references)) == keys


@pytest.mark.parametrize(
    "link",
    [
        f"bitcoin:{KEY}?amount=1",
        f"solana:{KEY}",
        f"solana:{KEY}?amount=1e3",
        f"solana:{KEY}?amount=-1",
        f"solana:{KEY}?amount=.5",
        f"solana:{KEY}?amount=٣",
        f"solana:{KEY}?amount=1&spl-token=nonsense",
        "solana:nonsense?amount=1",
    ],
)
def test_a_link_that_breaks_the_specification_is_refused(link: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_pay_link(link)


def test_an_amount_with_too_many_decimals_is_refused(payer: LocalWallet) -> None:
    with pytest.raises(ValueError, match="more than 6 decimals"):
        payer.pay_link(f"solana:{KEY}?amount=0.0000001&spl-token={USDC_MINT}")


@pytest.mark.parametrize("encoded", ["https://shop.example/pay?o=1", "https%3A%2F%2Fshop.example%2Fpay%3Fo%3D1"])
def test_a_transaction_request_link_is_read_either_way(encoded: str) -> None:
    assert read_pay_link(f"solana:{encoded}") == RequestLink(url="https://shop.example/pay?o=1")


@responses.activate
def test_a_transaction_request_is_fetched_signed_and_sent(chain: Chain, payer: LocalWallet) -> None:
    step = programs.sol_transfer(payer.public_key, Pubkey.from_string(KEY), SOL)
    message = Message.new_with_blockhash([step], payer.public_key, Hash.default())
    offer = {"transaction": unsigned(message, payer.public_key)}
    call = responses.post("https://shop.example/pay", json=offer)
    payer.pay_link("solana:https://shop.example/pay")
    assert call.calls[0].request.body == f'{{"account": "{payer.address}"}}'.encode()
    assert chain.ask("getBalance", KEY, {"commitment": "processed"})["value"] == SOL


@pytest.mark.parametrize("version", ["legacy", "v0", "v0 with table"])
@pytest.mark.parametrize("guarded", [True, False])
def test_what_a_server_built_is_signed_with_and_without_guards(
    chain: Chain,
    payer: LocalWallet,
    version: str,
    guarded: bool,  # noqa: FBT001 - a table's column
) -> None:
    shop = Keypair().pubkey()
    table = payer.create_table([str(shop)])
    chain.tick(1)
    blockhash, _ = chain.core.latest_blockhash()
    step = programs.sol_transfer(payer.public_key, shop, SOL)
    tables = {"v0": [], "v0 with table": [table]}
    message: Message | MessageV0 = (
        Message.new_with_blockhash([step], payer.public_key, blockhash)
        if version == "legacy"
        else MessageV0.try_compile(payer.public_key, [step], tables[version], blockhash)
    )
    guards = payer.phantom_guards() if guarded else None
    signature = payer.send(payer.sign(unsigned(message, payer.public_key), guards=guards))
    assert chain.ask("getBalance", str(shop), {"commitment": "processed"})["value"] == SOL
    budget = ["ComputeBudget"] * 2
    expected = [*budget, "system", "system", "system", "system", "system"] if guarded else ["system"]
    assert programs_of(chain, signature) == expected


def test_guards_keep_the_limit_that_the_server_chose(chain: Chain, payer: LocalWallet) -> None:
    limit, price = payer.phantom_guards().before[:2]
    blockhash, _ = chain.core.latest_blockhash()
    step = programs.sol_transfer(payer.public_key, Pubkey.from_string(KEY), SOL)
    message = MessageV0.try_compile(payer.public_key, [limit, price, step], [], blockhash)
    signed = payer.sign(unsigned(message, payer.public_key), guards=payer.phantom_guards())
    assert programs_of(chain, payer.send(signed)).count("ComputeBudget") == 2


def test_signing_keeps_the_signatures_of_others(chain: Chain, payer: LocalWallet) -> None:
    other = chain.funded()
    blockhash, _ = chain.core.latest_blockhash()
    step = programs.sol_transfer(payer.public_key, Pubkey.from_string(KEY), SOL)
    message = MessageV0.try_compile(other.pubkey(), [step], [], blockhash)
    half = VersionedTransaction(message, [other, NullSigner(payer.public_key)])
    payer.send(payer.sign(base64.b64encode(bytes(half)).decode()))
    assert payer.lamports() == 9 * SOL, "the other one paid the fee"


def test_a_tx_of_somebody_else_is_not_signed(chain: Chain, payer: LocalWallet) -> None:
    other, (blockhash, _) = Keypair().pubkey(), chain.core.latest_blockhash()
    message = MessageV0.try_compile(other, [programs.memo("not yours")], [], blockhash)
    with pytest.raises(WalletError, match="not a signer"):
        payer.sign(unsigned(message, other))


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        ({"status": 429, "body": "slow down"}, "getSlot"),
        ({"json": {"jsonrpc": "2.0", "error": {"code": -32601, "message": "Method not found"}}}, "Method not found"),
        ({"json": ["unexpected"]}, "without result"),
    ],
)
@responses.activate
def test_a_node_that_refuses_is_a_wallet_error(answer: dict[str, Any], complaint: str) -> None:
    responses.post("http://node.example", **answer)
    with pytest.raises(WalletError, match=complaint):
        TestWallet("http://node.example").rpc("getSlot")


def test_the_same_seed_gives_the_same_wallet() -> None:
    first, second, other = (TestWallet("http://unused", seed=seed).address for seed in ("alice", "alice", "bob"))
    assert first == second != other
