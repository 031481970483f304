"""Verification by effect: every adversarial scenario of the Solana rail, on the dev chain."""

import base64
import json
from dataclasses import replace

import pytest
from solders.hash import Hash
from solders.instruction import Instruction
from solders.message import MessageV0
from solders.transaction import VersionedTransaction

from gateway.domain.words import TransferStage
from gateway.kernel.errors import ErrorCode, InvalidRequestError
from sandbox.devchain import programs
from sandbox.devchain.faucet import FEE_MINT, USDC_MINT
from sandbox.devchain.wallet import TestWallet, WalletError
from tests.processors.solana_stage import LOCALNET, SOL, USDC, Stage, key


def pay(stage: Stage, wallet: TestWallet, asset: str, amount: int, *references: str, memo: str | None = None) -> str:
    """Pay the merchant as a scanning wallet does."""
    if asset == "SOL":
        return wallet.pay_sol(stage.merchant, amount, references=references, memo=memo)
    mint = USDC_MINT if asset == "USDC" else FEE_MINT
    return wallet.pay_token(str(mint), stage.merchant, amount, references=references, memo=memo)


def usdc_step(stage: Stage, wallet: TestWallet, amount: int, *references: str) -> Instruction:
    """Return a bare token transfer to the merchant, for composing."""
    source = programs.token_address(wallet.public_key, USDC_MINT)
    destination = key(stage.receiving("USDC").account)
    keys = tuple(map(key, references))
    return programs.transfer_checked(
        source, USDC_MINT, destination, wallet.public_key, amount, decimals=6, references=keys
    )


def sol_step(stage: Stage, wallet: TestWallet, lamports: int, *references: str) -> Instruction:
    return programs.sol_transfer(wallet.public_key, key(stage.merchant), lamports, tuple(map(key, references)))


def send_both(wallet: TestWallet, other: TestWallet, steps: list[Instruction]) -> str:
    """Send instructions that two wallets sign; the first pays the fee."""
    blockhash = Hash.from_string(wallet.rpc("getLatestBlockhash")["value"]["blockhash"])
    message = MessageV0.try_compile(wallet.public_key, steps, [], blockhash)
    tx = VersionedTransaction(message, [wallet.keypair, other.keypair])
    return wallet.send(base64.b64encode(bytes(tx)).decode())


def test_plain_sol_is_seen_with_its_reference(stage: Stage) -> None:
    wallet, reference = stage.wallet(), stage.processor.new_reference()
    seen = stage.effect(pay(stage, wallet, "SOL", SOL // 3, reference))
    assert (seen.account, seen.asset, seen.net, seen.fee) == (stage.merchant, "SOL", SOL // 3, 0)
    assert [(part.path, part.amount, part.references) for part in seen.parts] == [("0", SOL // 3, (reference,))]
    assert (seen.references, seen.payer, seen.memo) == ((reference,), wallet.address, None)
    assert (seen.network, seen.stage) == (LOCALNET, TransferStage.CONFIRMED)
    assert seen.occurred_at is not None
    assert json.loads(seen.raw)["meta"]["err"] is None


def test_spl_with_memo_and_reference_is_seen(stage: Stage) -> None:
    wallet, reference = stage.wallet(usdc=50 * USDC), stage.processor.new_reference()
    pay(stage, wallet, "USDC", USDC)  # the account exists from here on
    seen = stage.effect(pay(stage, wallet, "USDC", 12_300_000, reference, memo="pay_1"))
    assert (seen.account, seen.asset, seen.net) == (stage.receiving("USDC").account, "USDC", 12_300_000)
    assert [(part.amount, part.references) for part in seen.parts] == [(12_300_000, (reference,))]
    assert (seen.payer, seen.memo) == (wallet.address, "pay_1")


def test_a_token_account_created_in_the_same_transfer_counts_from_zero(stage: Stage) -> None:
    wallet, reference = stage.wallet(usdc=50 * USDC), stage.processor.new_reference()
    seen = stage.effect(pay(stage, wallet, "USDC", 7 * USDC, reference))
    assert (seen.net, seen.references) == (7 * USDC, (reference,))


@pytest.mark.parametrize("asset", ["SOL", "USDC", "FEEUSD"])
@pytest.mark.parametrize("form", ["v0", "legacy"])
def test_wallet_inserted_instructions_before_and_after_do_not_matter(stage: Stage, asset: str, form: str) -> None:
    wallet = stage.wallet(usdc=50 * USDC, feeusd=50 * USDC)
    request = stage.request(5_000_000, asset)
    built = stage.processor.build(request, payer=wallet.address, legacy=form == "legacy")
    signed = stage.processor.check_signed(request, wallet.sign(built.payload, guards=wallet.phantom_guards()))
    stage.processor.broadcast(LOCALNET, signed.payload)
    seen = stage.effect(signed.signature)
    assert (seen.net, seen.references, seen.payer) == (5_000_000, (request.reference_key,), wallet.address)
    assert seen.memo == request.memo


def test_a_priority_fee_is_the_payers_and_does_not_change_what_we_gained(stage: Stage) -> None:
    wallet = stage.wallet()
    steps = [*wallet.phantom_guards().before, sol_step(stage, wallet, SOL)]
    seen = stage.effect(wallet.send_instructions(steps))
    assert (seen.net, seen.fee) == (SOL, 0)


def test_v0_with_a_lookup_table_is_read_through_its_loaded_keys(stage: Stage) -> None:
    wallet, reference = stage.wallet(usdc=50 * USDC), stage.processor.new_reference()
    pay(stage, wallet, "USDC", USDC)
    table = wallet.create_table([stage.receiving("USDC").account, reference, str(USDC_MINT)])
    stage.chain.tick(2)
    step = usdc_step(stage, wallet, 3 * USDC, reference)
    seen = stage.effect(wallet.send_instructions([step], tables=[table]))
    assert (seen.net, seen.references) == (3 * USDC, (reference,))
    assert set(json.loads(seen.raw)["meta"]["loadedAddresses"]["readonly"]) == {reference, str(USDC_MINT)}


def test_a_fake_mint_is_no_payment(stage: Stage) -> None:
    wallet, reference = stage.wallet(), stage.processor.new_reference()
    fake = wallet.rpc("dev_create_mint", {"symbol": "USDC", "decimals": 6})["mint"]
    wallet.airdrop_token(fake, 100 * USDC)
    assert stage.read(wallet.pay_token(fake, stage.merchant, 100 * USDC, references=[reference])) == ()


def test_money_for_somebody_else_is_no_payment_of_ours(stage: Stage) -> None:
    wallet, other, reference = stage.wallet(usdc=50 * USDC), stage.wallet(), stage.processor.new_reference()
    # It even names our accounts: as references.
    signature = wallet.pay_token(
        str(USDC_MINT), other.address, 5 * USDC, references=[reference, stage.receiving("USDC").account, stage.merchant]
    )
    assert stage.read(signature) == ()


def test_a_failed_transfer_with_our_reference_has_no_effect(stage: Stage) -> None:
    wallet, reference = stage.wallet(usdc=50 * USDC), stage.processor.new_reference()
    pay(stage, wallet, "USDC", USDC)
    step = usdc_step(stage, wallet, 500 * USDC, reference)
    signature = wallet.send_instructions([step], skip_preflight=True)
    assert stage.read(signature) == ()
    listed = stage.reader.signatures(stage.receiving("USDC").account, until=None, before=None, limit=10)
    assert [row.signature for row in listed if row.has_failed] == [signature]
    assert stage.reader.stages([signature]) == {signature: None}


def test_an_underpayment_and_its_top_up_are_two_facts_under_one_reference(stage: Stage) -> None:
    wallet, reference = stage.wallet(usdc=50 * USDC), stage.processor.new_reference()
    first = stage.effect(pay(stage, wallet, "USDC", 4 * USDC, reference))
    second = stage.effect(pay(stage, wallet, "USDC", 6 * USDC, reference))
    assert [(seen.net, seen.references) for seen in (first, second)] == [
        (4 * USDC, (reference,)),
        (6 * USDC, (reference,)),
    ]


def test_an_overpayment_is_seen_whole(stage: Stage) -> None:
    wallet, reference = stage.wallet(), stage.processor.new_reference()
    assert stage.effect(pay(stage, wallet, "SOL", 5 * SOL, reference)).net == 5 * SOL


def test_two_orders_in_one_transfer_are_two_parts(stage: Stage) -> None:
    wallet = stage.wallet(usdc=50 * USDC)
    pay(stage, wallet, "USDC", USDC)
    one, two = stage.processor.new_reference(), stage.processor.new_reference()
    steps = [usdc_step(stage, wallet, 2 * USDC, one), usdc_step(stage, wallet, 3 * USDC, two)]
    seen = stage.effect(wallet.send_instructions(steps))
    assert [(part.path, part.amount, part.references) for part in seen.parts] == [
        ("0", 2 * USDC, (one,)),
        ("1", 3 * USDC, (two,)),
    ]
    assert seen.net == sum(part.amount for part in seen.parts)
    assert seen.references == (one, two)


def test_one_transfer_with_two_references_is_one_part_that_names_both(stage: Stage) -> None:
    wallet = stage.wallet()
    one, two = stage.processor.new_reference(), stage.processor.new_reference()
    seen = stage.effect(pay(stage, wallet, "SOL", SOL, one, two))
    assert [(part.amount, part.references) for part in seen.parts] == [(SOL, (one, two))]


def test_in_and_out_counts_what_stayed(stage: Stage) -> None:
    wallet, reference = stage.wallet(), stage.processor.new_reference()
    merchant = TestWallet(stage.server.url, seed="merchant")
    back = programs.sol_transfer(merchant.public_key, wallet.public_key, SOL // 4)
    signature = send_both(wallet, merchant, [sol_step(stage, wallet, SOL, reference), back])
    seen = stage.effect(signature)
    assert seen.net == SOL - SOL // 4
    assert sum(part.amount for part in seen.parts) == SOL != seen.net
    assert seen.references == (reference,)


def test_in_and_out_of_the_same_amount_is_no_effect(stage: Stage) -> None:
    wallet, reference = stage.wallet(), stage.processor.new_reference()
    merchant = TestWallet(stage.server.url, seed="merchant")
    back = programs.sol_transfer(merchant.public_key, wallet.public_key, SOL)
    assert stage.read(send_both(wallet, merchant, [sol_step(stage, wallet, SOL, reference), back])) == ()


def test_a_token_2022_fee_is_withheld_and_the_net_counts(stage: Stage) -> None:
    wallet, reference = stage.wallet(feeusd=50 * USDC), stage.processor.new_reference()
    seen = stage.effect(pay(stage, wallet, "FEEUSD", 10_000_000, reference))
    assert (seen.asset, seen.net) == ("FEEUSD", 9_850_000)
    assert [(part.amount, part.references) for part in seen.parts] == [(9_850_000, (reference,))]


def test_a_token_2022_fee_over_several_orders_leaves_the_parts_gross_for_review(stage: Stage) -> None:
    wallet = stage.wallet(feeusd=50 * USDC)
    pay(stage, wallet, "FEEUSD", USDC)
    one, two = stage.processor.new_reference(), stage.processor.new_reference()
    source = programs.token_address(wallet.public_key, FEE_MINT, programs.TOKEN_2022)
    destination = key(stage.receiving("FEEUSD").account)
    steps = [
        programs.transfer_checked(
            source, FEE_MINT, destination, wallet.public_key, amount,
            decimals=6, program=programs.TOKEN_2022, references=(key(reference),),
        )
        for amount, reference in ((10_000_000, one), (20_000_000, two))
    ]  # fmt: skip
    seen = stage.effect(wallet.send_instructions(steps))
    assert seen.net == 29_550_000
    assert [part.amount for part in seen.parts] == [10_000_000, 20_000_000]
    assert seen.references == (one, two)


def test_money_without_a_reference_is_seen_with_its_payer(stage: Stage) -> None:
    wallet = stage.wallet(usdc=50 * USDC)
    for asset in ("SOL", "USDC"):
        seen = stage.effect(pay(stage, wallet, asset, 5_000_000))
        assert (seen.net, seen.references, seen.payer) == (5_000_000, (), wallet.address)
        assert [part.references for part in seen.parts] == [()]


def test_our_own_accounts_are_never_taken_for_references(stage: Stage) -> None:
    seen = stage.effect(pay(stage, stage.wallet(), "SOL", SOL, stage.receiving("USDC").account))
    assert (seen.net, seen.references, seen.parts[0].references) == (SOL, (), ())


def test_a_reference_beside_the_paying_instruction_is_still_found(stage: Stage) -> None:
    wallet, reference = stage.wallet(), stage.processor.new_reference()
    elsewhere = programs.sol_transfer(wallet.public_key, wallet.public_key, 0, (key(reference),))
    seen = stage.effect(wallet.send_instructions([sol_step(stage, wallet, SOL), elsewhere]))
    assert [part.references for part in seen.parts] == [()]
    assert seen.references == (reference,)


def test_tx_lag_makes_a_signature_unreadable_not_empty(stage: Stage) -> None:
    wallet = stage.wallet()
    signature = pay(stage, wallet, "SOL", SOL)
    wallet.rpc("dev_fault", {"tx_lag": 10})
    assert stage.read(signature) is None
    wallet.rpc("dev_fault", {"clear": True})
    assert stage.effect(signature).net == SOL


def test_substituted_bytes_are_not_authentic(stage: Stage) -> None:
    wallet = stage.wallet()
    small, large = pay(stage, wallet, "SOL", SOL // 10), pay(stage, wallet, "SOL", 5 * SOL)
    stage.confirm()
    wallet.rpc("dev_fault", {"substitute_transaction": {small: large}})
    assert stage.read(small) is None
    assert stage.effect(large).net == 5 * SOL


def test_our_own_outflow_gives_the_network_fee_back_and_reports_it(stage: Stage) -> None:
    merchant, friend = TestWallet(stage.server.url, seed="merchant"), stage.wallet()
    seen = stage.effect(merchant.pay_sol(friend.address, SOL // 10))
    assert (seen.net, seen.fee, seen.parts) == (-SOL // 10, 5000, ())
    assert seen.payer == stage.merchant
    fee_only = stage.effect(merchant.send_instructions([programs.memo("hello")]))
    assert (fee_only.net, fee_only.fee) == (0, 5000)


def test_a_fork_forgets_a_signature_and_landing_again_brings_it_back(stage: Stage) -> None:
    wallet = stage.wallet()
    signature = pay(stage, wallet, "SOL", SOL)
    assert stage.effect(signature).net == SOL
    wallet.rpc("dev_rollback", {"slots": 4})
    assert stage.read(signature) is None
    assert stage.reader.stages([signature]) == {signature: None}
    wallet.rpc("dev_reland")
    assert stage.effect(signature).net == SOL
    assert stage.reader.stages([signature]) == {signature: TransferStage.CONFIRMED}
    stage.finalize()
    assert stage.reader.stages([signature]) == {signature: TransferStage.FINAL}


def test_an_expired_block_hash_is_refused_in_words(stage: Stage) -> None:
    wallet, request = stage.wallet(), stage.request(SOL)
    signed = wallet.sign(stage.processor.build(request, payer=wallet.address).payload)
    stage.chain.tick(200)
    with pytest.raises(InvalidRequestError, match="took too long") as refusal:
        stage.processor.check_signed(request, signed)
    assert refusal.value.code is ErrorCode.WALLET_PAYLOAD_REFUSED
    with pytest.raises(WalletError, match="Blockhash not found"):
        wallet.send(signed)


def test_a_hostile_memo_reaches_no_database_as_a_null_character(stage: Stage) -> None:
    wallet = stage.wallet()
    seen = stage.effect(pay(stage, wallet, "SOL", SOL, memo="a\x00b" + "ü" * 250))
    assert seen.memo is not None
    assert "\x00" not in seen.memo
    assert "\x00" not in seen.raw
    assert seen.memo.startswith("a\ufffdb")


def test_both_accounts_paid_by_one_transfer_are_two_observations(stage: Stage) -> None:
    wallet, reference = stage.wallet(usdc=50 * USDC), stage.processor.new_reference()
    pay(stage, wallet, "USDC", USDC)
    steps = [sol_step(stage, wallet, SOL, reference), usdc_step(stage, wallet, 2 * USDC, reference)]
    found = stage.read(wallet.send_instructions(steps))
    assert found is not None
    assert {seen.asset: seen.net for seen in found} == {"SOL": SOL, "USDC": 2 * USDC}
    assert len({replace(seen, raw="").signature for seen in found}) == 1
