"""The dev chain's core: levels, block hashes, the index, forks and faults."""

import base64
import json

import pytest
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from sandbox.devchain import programs
from sandbox.devchain.chain import BLOCKHASH_LIFE, DevChain
from sandbox.devchain.faucet import FEE_MINT, USDC_MINT
from sandbox.devchain.records import Level
from sandbox.devchain.rpc import answer_body
from tests.sandbox.conftest import SOL, Chain, LocalWallet

PROCESSED = {"commitment": "processed"}
CONFIRMED = {"commitment": "confirmed"}


def status(chain: Chain, signature: str) -> dict[str, object] | None:
    found: dict[str, object] | None = chain.ask("getSignatureStatuses", [signature])["value"][0]
    return found


@pytest.mark.parametrize(
    ("slots", "level", "confirmations"),
    [(0, "processed", 0), (1, "processed", 1), (2, "confirmed", 2), (31, "confirmed", 31), (32, "finalized", None)],
)
def test_a_transfer_climbs_the_commitment_ladder(
    chain: Chain, payer: LocalWallet, slots: int, level: str, confirmations: int | None
) -> None:
    signature = payer.pay_sol(str(Keypair().pubkey()), SOL)
    if slots:
        chain.tick(slots)
    found = status(chain, signature)
    assert found is not None
    assert (found["confirmationStatus"], found["confirmations"]) == (level, confirmations)


def test_under_alpenglow_confirmed_is_final() -> None:
    chain = Chain(DevChain(auto=False, alpenglow=True))
    signature = chain.ask("requestAirdrop", str(Keypair().pubkey()), SOL)
    chain.tick(1)
    assert (status(chain, signature) or {})["confirmationStatus"] == "processed"
    chain.tick(1)
    assert (status(chain, signature) or {})["confirmationStatus"] == "finalized"


def test_balances_are_read_at_the_level_that_is_asked_for(chain: Chain, payer: LocalWallet) -> None:
    target = Keypair().pubkey()
    seen = []
    payer.pay_sol(str(target), SOL)
    for slots in (0, 2, 30):
        if slots:
            chain.tick(slots)
        seen.append([chain.ask("getBalance", str(target), {"commitment": level})["value"] for level in Level])
    assert seen == [[SOL, 0, 0], [SOL, SOL, 0], [SOL, SOL, SOL]]


def test_several_block_hashes_are_valid_and_each_expires_after_150_blocks(chain: Chain, payer: LocalWallet) -> None:
    old, last_height = chain.core.latest_blockhash(Level.PROCESSED)
    chain.tick(BLOCKHASH_LIFE)
    assert chain.core.block_height() == last_height
    step = programs.sol_transfer(payer.public_key, Keypair().pubkey(), SOL)
    tx = VersionedTransaction(MessageV0.try_compile(payer.public_key, [step], [], old), [payer.keypair])
    chain.core.simulate(tx)
    chain.tick(1)
    assert chain.ask("isBlockhashValid", str(old), PROCESSED)["value"] is False
    error = chain.refuse("sendTransaction", text(tx), {"encoding": "base64"})
    assert (error["code"], error["data"]["err"]) == (-32002, "BlockhashNotFound")


def test_the_same_bytes_land_once(chain: Chain, payer: LocalWallet) -> None:
    blockhash, _ = chain.core.latest_blockhash()
    step = programs.sol_transfer(payer.public_key, Keypair().pubkey(), SOL)
    wire = text(VersionedTransaction(MessageV0.try_compile(payer.public_key, [step], [], blockhash), [payer.keypair]))
    name = chain.ask("sendTransaction", wire, {"encoding": "base64"})
    before = payer.lamports()
    error = chain.refuse("sendTransaction", wire, {"encoding": "base64"})
    assert error["data"]["err"] == "AlreadyProcessed"
    assert chain.ask("sendTransaction", wire, {"encoding": "base64", "skipPreflight": True}) == name
    assert payer.lamports() == before


def test_a_fork_undoes_balances_exactly_and_forgets_the_index(chain: Chain, payer: LocalWallet) -> None:
    payer.airdrop_token(str(USDC_MINT), 1_000_000)
    chain.tick(3)
    shop = Keypair().pubkey()
    account = programs.token_address(shop, USDC_MINT)
    watched = [payer.public_key, shop, account, programs.token_address(payer.public_key, USDC_MINT)]
    before = [chain.core.account(key) for key in watched]
    signature = payer.pay_token(str(USDC_MINT), str(shop), 400_000, memo="order 1")
    chain.tick(1)
    payer.pay_sol(str(shop), SOL)
    chain.tick(1)
    height = chain.core.block_height()
    assert [chain.core.account(key) for key in watched] != before

    dropped = chain.ask("dev_rollback", {"slots": 3})["dropped"]

    assert dropped[0] == signature
    assert len(dropped) == 2
    assert [chain.core.account(key) for key in watched] == before
    assert status(chain, signature) is None
    assert chain.ask("getSignaturesForAddress", str(account), CONFIRMED) == []
    assert chain.core.block_height() == height - 2, "three blocks are gone, the fork's first is there"


def test_a_dropped_transfer_lands_again_in_a_later_slot(chain: Chain, payer: LocalWallet) -> None:
    shop = str(Keypair().pubkey())
    signature = payer.pay_sol(shop, SOL)
    first = (status(chain, signature) or {})["slot"]
    chain.tick(2)
    chain.ask("dev_rollback", {"slots": 3})
    chain.tick(5)
    assert chain.ask("dev_reland") == {"landed": 1, "slot": chain.core.slot()}
    found = status(chain, signature)
    assert found is not None
    assert found["slot"] > first  # type: ignore[operator]  # JSON values are objects to mypy
    assert chain.ask("getBalance", shop, PROCESSED)["value"] == SOL
    assert chain.ask("dev_reland")["landed"] == 0


def test_a_fork_that_takes_the_block_hash_along_kills_the_transfer(chain: Chain, payer: LocalWallet) -> None:
    chain.tick(3)
    blockhash, _ = chain.core.latest_blockhash(Level.PROCESSED)
    step = programs.sol_transfer(payer.public_key, Keypair().pubkey(), SOL)
    chain.core.submit(
        VersionedTransaction(MessageV0.try_compile(payer.public_key, [step], [], blockhash), [payer.keypair])
    )
    chain.tick(1)
    chain.ask("dev_rollback", {"slots": 2, "fork_blockhashes": True})
    assert chain.ask("dev_reland")["landed"] == 0


@pytest.mark.parametrize("kept", [True, False])
def test_a_fork_keeps_what_it_dropped_only_when_asked(chain: Chain, payer: LocalWallet, kept: bool) -> None:  # noqa: FBT001 - a table's column
    payer.pay_sol(str(Keypair().pubkey()), SOL)
    chain.ask("dev_rollback", {"slots": 1, "keep": kept})
    assert chain.ask("dev_reland")["landed"] == int(kept)


def test_a_failed_transfer_pays_its_fee_and_is_listed_with_its_error(chain: Chain, payer: LocalWallet) -> None:
    reference = str(Keypair().pubkey())
    step = programs.sol_transfer(payer.public_key, Keypair().pubkey(), 99 * SOL, (Pubkey.from_string(reference),))
    before = payer.lamports()
    payer.send_instructions([step], skip_preflight=True)
    assert payer.lamports() == before - 5000
    chain.tick(2)
    (entry,) = chain.ask("getSignaturesForAddress", reference, CONFIRMED)
    assert entry["err"] == {"InstructionError": [0, {"Custom": 1}]}


def test_what_cannot_pay_its_fee_is_accepted_without_preflight_and_never_heard_of_again(chain: Chain) -> None:
    pauper = LocalWallet(chain)
    signature = pauper.send_instructions(
        [programs.sol_transfer(pauper.public_key, Keypair().pubkey(), 1)], skip_preflight=True
    )
    chain.tick(40)
    assert status(chain, signature) is None


def test_the_transfer_fee_of_token_2022_is_withheld_from_the_receiver(chain: Chain, payer: LocalWallet) -> None:
    payer.airdrop_token(str(FEE_MINT), 10_000_000)
    shop = LocalWallet(chain)
    signature = payer.pay_token(str(FEE_MINT), shop.address, 10_000_000)
    assert shop.token_amount(str(FEE_MINT)) == 9_850_000
    chain.tick(2)
    meta = chain.ask("getTransaction", signature, {**CONFIRMED, "maxSupportedTransactionVersion": 0})["meta"]
    (received,) = [each for each in meta["postTokenBalances"] if each["owner"] == shop.address]
    assert received["uiTokenAmount"]["amount"] == "9850000"
    assert received["programId"] == str(programs.TOKEN_2022)


def test_keys_loaded_from_a_lookup_table_are_indexed(chain: Chain, payer: LocalWallet) -> None:
    shop = Keypair().pubkey()
    table = payer.create_table([str(shop)])
    chain.tick(1)
    blockhash, _ = chain.core.latest_blockhash()
    step = programs.sol_transfer(payer.public_key, shop, SOL)
    message = MessageV0.try_compile(payer.public_key, [step], [table], blockhash)
    assert shop not in message.account_keys
    name = chain.ask("sendTransaction", text(VersionedTransaction(message, [payer.keypair])), {"encoding": "base64"})
    chain.tick(2)
    assert [each["signature"] for each in chain.ask("getSignaturesForAddress", str(shop), CONFIRMED)] == [name]
    config = {**CONFIRMED, "maxSupportedTransactionVersion": 0}
    found = chain.ask("getTransaction", name, config)
    assert found["meta"]["loadedAddresses"] == {"writable": [str(shop)], "readonly": []}
    assert found["meta"]["postBalances"][2] == SOL
    parsed = chain.ask("getTransaction", name, {**config, "encoding": "jsonParsed"})["transaction"]["message"]
    assert parsed["accountKeys"][2] == {
        "pubkey": str(shop), "signer": False, "source": "lookupTable", "writable": True
    }  # fmt: skip


class TestFaults:
    def test_index_lag_hides_new_signatures_and_nothing_else(self, chain: Chain, payer: LocalWallet) -> None:
        chain.ask("dev_fault", {"index_lag": 10})
        shop = str(Keypair().pubkey())
        signature = payer.pay_sol(shop, SOL)
        chain.tick(9)
        assert chain.ask("getSignaturesForAddress", shop, CONFIRMED) == []
        assert chain.ask("getTransaction", signature, {**CONFIRMED, "maxSupportedTransactionVersion": 0})
        chain.tick(1)
        assert len(chain.ask("getSignaturesForAddress", shop, CONFIRMED)) == 1

    def test_tx_lag_answers_null_for_an_indexed_signature(self, chain: Chain, payer: LocalWallet) -> None:
        chain.ask("dev_fault", {"tx_lag": 10})
        shop = str(Keypair().pubkey())
        signature = payer.pay_sol(shop, SOL)
        chain.tick(9)
        assert len(chain.ask("getSignaturesForAddress", shop, CONFIRMED)) == 1
        config = {**CONFIRMED, "maxSupportedTransactionVersion": 0}
        assert chain.ask("getTransaction", signature, config) is None
        chain.tick(1)
        assert chain.ask("getTransaction", signature, config)["slot"] > 0

    def test_a_hidden_signature_moves_money_but_is_never_listed(self, chain: Chain, payer: LocalWallet) -> None:
        shop = str(Keypair().pubkey())
        signature = payer.pay_sol(shop, SOL)
        chain.ask("dev_fault", {"hide_signature": signature})
        chain.tick(40)
        assert chain.ask("getSignaturesForAddress", shop) == []
        assert chain.ask("getBalance", shop)["value"] == SOL

    def test_dropped_sends_are_answered_and_lost(self, chain: Chain, payer: LocalWallet) -> None:
        chain.ask("dev_fault", {"drop_sends": 1})
        shop = str(Keypair().pubkey())
        assert status(chain, payer.pay_sol(shop, SOL)) is None
        assert status(chain, payer.pay_sol(shop, 2 * SOL)) is not None

    def test_held_sends_land_when_the_fault_ends(self, chain: Chain, payer: LocalWallet) -> None:
        chain.ask("dev_fault", {"hold": True})
        signature = payer.pay_sol(str(Keypair().pubkey()), SOL)
        chain.tick(5)
        assert status(chain, signature) is None
        chain.ask("dev_fault", {"hold": False})
        assert (status(chain, signature) or {})["slot"] == chain.core.slot()

    def test_another_tx_can_be_substituted(self, chain: Chain, payer: LocalWallet) -> None:
        asked, given = payer.pay_sol(str(Keypair().pubkey()), SOL), payer.pay_sol(str(Keypair().pubkey()), SOL)
        chain.ask("dev_fault", {"substitute_transaction": {asked: given}})
        chain.tick(2)
        found = chain.ask("getTransaction", asked, {**CONFIRMED, "maxSupportedTransactionVersion": 0})
        assert found["transaction"]["signatures"] == [given]

    def test_the_next_calls_get_an_http_error_and_controls_never_do(self, chain: Chain) -> None:
        chain.ask("dev_fault", {"http_status": 429, "calls": 2})
        call = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "getSlot"}).encode()
        control = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "dev_info"}).encode()
        statuses = [answer_body(chain.core, body).status for body in (call, control, call, call)]
        assert statuses == [429, 200, 429, 200]

    def test_clear_switches_every_fault_off(self, chain: Chain) -> None:
        healthy = chain.ask("dev_fault")
        chain.ask("dev_fault", {"index_lag": 3, "tx_lag": 3, "hold": True, "drop_sends": 5, "latency_ms": 10})
        assert chain.ask("dev_fault", {"clear": True}) == healthy

    @pytest.mark.parametrize("bad", [{"htp_status": 429}, {"http_status": 200}, {"index_lag": -1}, {"hold": "yes"}])
    def test_a_bad_fault_is_refused(self, chain: Chain, bad: dict[str, object]) -> None:
        assert chain.refuse("dev_fault", bad)["code"] == -32602


def test_calls_are_counted_until_reset(chain: Chain) -> None:
    chain.ask("getSlot")
    chain.ask("getSlot")
    assert chain.ask("dev_calls", {"reset": True})["methods"] == {"getSlot": 2}
    assert chain.ask("dev_calls")["methods"] == {}


def test_slots_follow_the_clock_in_auto_mode() -> None:
    now = [1_700_000_000_000]
    chain = DevChain(clock=lambda: now[0], slot_ms=400)
    start = chain.slot()
    now[0] += 4_000
    assert chain.slot() == start + 10
    block = chain.block(start + 10)
    assert block is not None
    assert block.block_time == 1_700_000_004


def test_every_chain_has_the_same_two_mints() -> None:
    first, second = (Chain(DevChain(auto=False)).ask("dev_info") for _ in range(2))
    assert first["usdc_mint"] == second["usdc_mint"] == str(USDC_MINT)
    assert [mint["transfer_fee_bps"] for mint in first["mints"]] == [0, 150]


def test_a_new_mint_can_be_created_and_given_out(chain: Chain) -> None:
    owner = str(Keypair().pubkey())
    mint = chain.ask("dev_create_mint", {"symbol": "PYUSD", "decimals": 2, "transfer_fee_bps": 100})
    assert mint["program"] == "spl-token-2022"
    account = chain.ask("dev_airdrop_token", {"mint": mint["mint"], "owner": owner, "amount": 250})["account"]
    assert chain.ask("getTokenAccountBalance", account, PROCESSED)["value"]["uiAmountString"] == "2.5"


def text(tx: VersionedTransaction) -> str:
    return base64.b64encode(bytes(tx)).decode()
