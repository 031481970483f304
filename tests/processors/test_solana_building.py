"""Building, checking and sending: what a wallet is asked to sign, and what it may not return."""

import base64
from collections.abc import Callable
from dataclasses import replace

import pytest
from solders.keypair import Keypair
from solders.message import Message, MessageV0
from solders.transaction import VersionedTransaction

from gateway.domain.ports import GiftRequest, TransferRequest
from gateway.domain.words import TransferStage
from gateway.kernel.errors import (
    DeclinedError,
    ErrorCode,
    InvalidRequestError,
    TemporaryError,
    UnknownOutcomeError,
)
from gateway.kernel.money import Money
from gateway.processors.solana import SolanaProcessor
from gateway.processors.solana.programs import COMPUTE_BUDGET, MEMO, SYSTEM
from sandbox.devchain import programs
from sandbox.devchain.faucet import USDC_MINT
from sandbox.devchain.wallet import TestWallet
from tests.processors.http_node import ScriptedNode, says
from tests.processors.solana_stage import LOCALNET, SOL, USDC, Stage, key, localnet


def decoded(payload: str) -> VersionedTransaction:
    return VersionedTransaction.from_bytes(base64.b64decode(payload))


def test_the_wallet_is_the_only_signer_and_the_transfer_stands_last_behind_its_memo(stage: Stage) -> None:
    wallet, request = stage.wallet(), stage.request(SOL)
    built = stage.processor.build(request, payer=wallet.address)
    message = decoded(built.payload).message
    assert isinstance(message, MessageV0)
    assert message.header.num_required_signatures == 1
    assert message.account_keys[0] == wallet.public_key
    called = [message.account_keys[step.program_id_index] for step in message.instructions]
    assert called == [COMPUTE_BUDGET, COMPUTE_BUDGET, MEMO, SYSTEM]
    assert bytes(message.instructions[2].data).decode() == request.memo
    reference = message.account_keys.index(key(request.reference_key))
    assert message.instructions[3].accounts[-1] == reference
    assert not message.is_maybe_writable(reference)
    assert not message.is_signer(reference)
    assert len(base64.b64decode(built.payload)) <= 1232


def test_the_block_hash_is_fresh_and_its_last_height_is_told(stage: Stage) -> None:
    wallet = stage.wallet()
    built = stage.processor.build(stage.request(SOL), payer=wallet.address)
    latest = wallet.rpc("getLatestBlockhash", {"commitment": "confirmed"})["value"]
    assert str(decoded(built.payload).message.recent_blockhash) == latest["blockhash"]
    assert built.last_valid_height == latest["lastValidBlockHeight"]


def test_legacy_is_built_for_old_readers(stage: Stage) -> None:
    built = stage.processor.build(stage.request(SOL), payer=stage.wallet().address, legacy=True)
    assert isinstance(decoded(built.payload).message, Message)


def test_the_merchants_token_account_is_created_only_when_it_is_missing(stage: Stage) -> None:
    wallet = stage.wallet(usdc=10 * USDC)
    first = stage.processor.build(stage.request(USDC, "USDC"), payer=wallet.address)
    stage.processor.broadcast(LOCALNET, wallet.sign(first.payload))
    stage.confirm()
    second = stage.processor.build(stage.request(USDC, "USDC"), payer=wallet.address)
    assert [len(decoded(built.payload).message.instructions) for built in (first, second)] == [5, 4]


@pytest.mark.parametrize(
    ("sol", "usdc", "asset", "due", "sentence"),
    [
        (0, 0, "SOL", SOL, "not hold enough SOL for the network fee"),
        (SOL // 2, 0, "SOL", SOL, "holds 0.5 SOL, and 1 SOL are due"),
        (SOL, 0, "SOL", SOL, "not hold enough SOL for the network fee"),
        (SOL, 0, "SOL", SOL - 10_000, "too little SOL to exist"),
        (0, 5 * USDC, "USDC", USDC, "not hold enough SOL for the network fee"),
        (SOL // 1000, 5 * USDC, "USDC", USDC, "not hold enough SOL for the network fee"),
        (SOL, 0, "USDC", USDC, "holds no USDC"),
        (SOL, 5 * USDC, "USDC", 12_345_600, "holds 5 USDC, and 12.3456 USDC are due"),
    ],
)
def test_a_wallet_that_cannot_pay_is_told_why(
    stage: Stage, sol: int, usdc: int, asset: str, due: int, sentence: str
) -> None:
    wallet = stage.wallet(sol=sol, usdc=usdc)
    with pytest.raises(DeclinedError, match=sentence) as refusal:
        stage.processor.build(stage.request(due, asset), payer=wallet.address)
    assert refusal.value.code is ErrorCode.PROVIDER_DECLINED


def test_an_amount_below_what_a_new_account_must_hold_is_told(stage: Stage) -> None:
    stage.merchant = TestWallet(stage.server.url, seed="a merchant without any SOL").address
    with pytest.raises(DeclinedError, match="least that a new Solana account can hold"):
        stage.processor.build(stage.request(1000), payer=stage.wallet().address)


@pytest.mark.parametrize(
    "payer",
    [
        "",
        "0",
        "x" * 44,
        "1" * 45,
        "9" * 10_000,
        str(SYSTEM),
        "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA",
        "ü",
        "\x00",
    ],
)
def test_an_address_that_is_no_wallet_is_refused(stage: Stage, payer: str) -> None:
    with pytest.raises(InvalidRequestError) as refusal:
        stage.processor.build(stage.request(SOL), payer=payer)
    assert refusal.value.code is ErrorCode.WALLET_ADDRESS_INVALID
    assert payer not in refusal.value.message or not payer
    with pytest.raises(InvalidRequestError):
        stage.processor.receiving_accounts(payer, livemode=False)


def test_an_address_that_cannot_sign_is_no_payer(stage: Stage) -> None:
    with pytest.raises(InvalidRequestError, match="cannot sign by itself"):
        stage.processor.build(stage.request(SOL), payer=stage.receiving("USDC").account)


def test_a_checked_payload_names_signature_payer_and_a_safe_height(stage: Stage) -> None:
    wallet, request = stage.wallet(), stage.request(SOL)
    built = stage.processor.build(request, payer=wallet.address)
    stage.chain.tick(5)
    signed = stage.processor.check_signed(request, wallet.sign(built.payload))
    assert signed.payer == wallet.address
    assert signed.signature == str(decoded(signed.payload).signatures[0])
    assert signed.last_valid_height > built.last_valid_height


def _unsigned(stage: Stage, wallet: TestWallet) -> str:
    return stage.processor.build(stage.request(SOL), payer=wallet.address).payload


def _for_another_order(stage: Stage, wallet: TestWallet) -> str:
    return wallet.sign(_unsigned(stage, wallet))


HOSTILE: dict[str, Callable[[Stage, TestWallet], str]] = {
    "empty": lambda _stage, _wallet: "",
    "not base64": lambda _stage, _wallet: "!!!",
    "not ascii": lambda _stage, _wallet: "ü" * 40,
    "noise": lambda _stage, _wallet: base64.b64encode(bytes(range(200))).decode(),
    "zeros": lambda _stage, _wallet: base64.b64encode(bytes(300)).decode(),
    "too long": lambda _stage, _wallet: "A" * 100_000,
    "for another order": _for_another_order,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_payload_is_refused(stage: Stage, name: str) -> None:
    payload = HOSTILE[name](stage, stage.wallet())
    with pytest.raises(InvalidRequestError) as refusal:
        stage.processor.check_signed(stage.request(SOL), payload)
    assert (refusal.value.code, refusal.value.param) == (ErrorCode.WALLET_PAYLOAD_REFUSED, "/payload")


def test_an_unsigned_payload_is_refused(stage: Stage) -> None:
    request = stage.request(SOL)
    payload = stage.processor.build(request, payer=stage.wallet().address).payload
    with pytest.raises(InvalidRequestError, match="did not sign"):
        stage.processor.check_signed(request, payload)


def test_a_payload_that_pays_less_is_refused(stage: Stage) -> None:
    wallet, request = stage.wallet(), stage.request(SOL)
    cheaper = stage.request(SOL - 1, reference=request.reference_key)
    payload = wallet.sign(stage.processor.build(cheaper, payer=wallet.address).payload)
    with pytest.raises(InvalidRequestError, match="does not pay this order"):
        stage.processor.check_signed(request, payload)
    stage.processor.check_signed(cheaper, payload)


def test_a_payload_that_pays_somebody_else_is_refused(stage: Stage) -> None:
    wallet, thief, request = stage.wallet(), stage.wallet(), stage.request(SOL)
    stolen = programs.sol_transfer(wallet.public_key, thief.public_key, SOL, (key(request.reference_key),))
    built = decoded(stage.processor.build(request, payer=wallet.address).payload).message
    message = MessageV0.try_compile(wallet.public_key, [stolen], [], built.recent_blockhash)
    payload = base64.b64encode(bytes(VersionedTransaction(message, [wallet.keypair]))).decode()
    with pytest.raises(InvalidRequestError, match="does not pay this order"):
        stage.processor.check_signed(request, payload)


def test_a_payload_with_a_second_signer_is_refused(stage: Stage) -> None:
    wallet, second, request = stage.wallet(), Keypair(), stage.request(SOL)
    built = decoded(stage.processor.build(request, payer=wallet.address).payload).message
    step = programs.sol_transfer(wallet.public_key, key(stage.merchant), SOL, (key(request.reference_key),))
    also = programs.sol_transfer(second.pubkey(), second.pubkey(), 0)
    message = MessageV0.try_compile(wallet.public_key, [step, also], [], built.recent_blockhash)
    payload = base64.b64encode(bytes(VersionedTransaction(message, [wallet.keypair, second]))).decode()
    with pytest.raises(InvalidRequestError, match="signatures of others"):
        stage.processor.check_signed(request, payload)


def test_a_payload_that_the_wallet_sent_itself_meanwhile_still_passes(stage: Stage) -> None:
    wallet, request = stage.wallet(), stage.request(SOL)
    payload = wallet.sign(stage.processor.build(request, payer=wallet.address).payload)
    wallet.send(payload)
    signed = stage.processor.check_signed(request, payload)
    stage.processor.broadcast(LOCALNET, signed.payload)
    assert stage.effect(signed.signature).net == SOL


def test_a_paying_wallet_that_emptied_itself_meanwhile_is_told(stage: Stage) -> None:
    wallet, request = stage.wallet(usdc=5 * USDC), stage.request(5 * USDC, "USDC")
    payload = wallet.sign(stage.processor.build(request, payer=wallet.address).payload)
    wallet.pay_token(str(USDC_MINT), stage.wallet().address, USDC)
    with pytest.raises(InvalidRequestError, match="not hold enough USDC"):
        stage.processor.check_signed(request, payload)


def test_sending_the_same_bytes_again_is_harmless(stage: Stage) -> None:
    wallet, request = stage.wallet(), stage.request(SOL)
    payload = wallet.sign(stage.processor.build(request, payer=wallet.address).payload)
    for _ in range(3):
        stage.processor.broadcast(LOCALNET, payload)
    stage.confirm()
    assert stage.reader.balances(stage.accounts())[0].amount == SOL  # finalized: not yet
    stage.finalize()
    assert stage.reader.balances(stage.accounts())[0].amount == 2 * SOL


def test_expired_bytes_are_an_unknown_outcome_because_they_may_have_landed(stage: Stage) -> None:
    wallet, request = stage.wallet(), stage.request(SOL)
    payload = wallet.sign(stage.processor.build(request, payer=wallet.address).payload)
    stage.processor.broadcast(LOCALNET, payload)
    stage.chain.tick(200)
    with pytest.raises(UnknownOutcomeError):
        stage.processor.broadcast(LOCALNET, payload)


def test_bytes_that_must_fail_are_declined(stage: Stage) -> None:
    wallet, request = stage.wallet(), stage.request(SOL)
    payload = wallet.sign(stage.processor.build(request, payer=wallet.address).payload)
    wallet.pay_sol(stage.merchant, 9 * SOL + SOL // 2)
    with pytest.raises(DeclinedError):
        stage.processor.broadcast(LOCALNET, payload)


def test_a_dead_node_takes_nothing_and_a_silent_one_may_have(stage: Stage) -> None:
    payload = stage.processor.build(stage.request(SOL), payer=stage.wallet().address).payload
    for status, expected in ((429, TemporaryError), (502, UnknownOutcomeError)):
        with ScriptedNode(says(b"", status)) as node:
            processor = SolanaProcessor({False: localnet(node.url)})
            with pytest.raises(expected):
                processor.broadcast(LOCALNET, payload)
            processor.close()


def test_a_signatures_life_is_told_until_it_can_no_longer_land(stage: Stage) -> None:
    wallet, request = stage.wallet(), stage.request(SOL)
    payload = wallet.sign(stage.processor.build(request, payer=wallet.address).payload)
    wallet.rpc("dev_fault", {"drop_sends": 1})
    signed = stage.processor.check_signed(request, payload)
    stage.processor.broadcast(LOCALNET, payload)  # answered, and lost
    state = stage.processor.signature_state(LOCALNET, signed.signature)
    assert (state.stage, state.has_failed) == (None, False)
    assert state.finalized_height < signed.last_valid_height
    stage.processor.broadcast(LOCALNET, payload)
    stages = []
    for slots in (2, 30):
        stages.append(stage.processor.signature_state(LOCALNET, signed.signature).stage)
        stage.chain.tick(slots)
    stages.append(stage.processor.signature_state(LOCALNET, signed.signature).stage)
    assert stages == [TransferStage.SEEN, TransferStage.CONFIRMED, TransferStage.FINAL]
    stage.chain.tick(200)
    assert stage.processor.signature_state(LOCALNET, signed.signature).finalized_height > signed.last_valid_height


def test_an_address_that_is_no_ordinary_wallet_is_doubted(stage: Stage) -> None:
    def doubt(address: str) -> str | None:
        return stage.processor.inspect_wallet(address, livemode=False)

    wallet, token_account = stage.wallet(usdc=USDC), stage.receiving("USDC").account
    assert doubt(stage.merchant) is None
    assert doubt(str(Keypair().pubkey())) is None  # nobody has used it yet
    assert "No single key" in (doubt(token_account) or "")  # not created yet
    wallet.pay_token(str(USDC_MINT), stage.merchant, USDC)
    stage.confirm()
    assert "not a wallet" in (doubt(token_account) or "")
    assert "not a wallet" in (doubt(str(USDC_MINT)) or "")
    assert "belongs to a program" in (doubt("SysvarC1ock11111111111111111111111111111111") or "")
    assert stage.processor.inspect_wallet(stage.merchant, livemode=True) is None


# --- gifts -------------------------------------------------------------------------------------------------------


def with_gift(stage: Stage, asset: str, due: int, gift: int) -> tuple[TransferRequest, TestWallet]:
    """Return a request with a gift to a charity's own address, and that charity's wallet, which is empty."""
    charity = TestWallet(stage.server.url)
    accounts = stage.processor.receiving_accounts(charity.address, livemode=False)
    account = next(one.account for one in accounts if one.asset == asset)
    asked = GiftRequest(amount=Money(gift, asset), wallet=charity.address, account=account)
    return replace(stage.request(due, asset), gift=asked), charity


def send_signed(stage: Stage, wallet: TestWallet, request: TransferRequest) -> str:
    """Let a wallet sign what is built for it, check that, and send it; return the signature."""
    built = stage.processor.build(request, payer=wallet.address)
    signed = stage.processor.check_signed(request, wallet.sign(built.payload))
    stage.processor.broadcast(LOCALNET, signed.payload)
    return signed.signature


@pytest.mark.parametrize(("asset", "due", "gift"), [("SOL", SOL, SOL // 100), ("USDC", 5 * USDC, USDC // 2)])
def test_a_gift_goes_to_the_charitys_own_account_in_the_same_transfer(
    stage: Stage, asset: str, due: int, gift: int
) -> None:
    wallet = stage.wallet(usdc=10 * USDC)
    request, charity = with_gift(stage, asset, due, gift)
    assert request.gift is not None
    charity.airdrop(SOL)
    if asset == "USDC":
        charity.airdrop_token(str(USDC_MINT), 1)
    stage.finalize()
    seen = stage.effect(send_signed(stage, wallet, request))
    assert (seen.net, seen.references) == (due, (request.reference_key,))
    assert seen.beside == {request.gift.account: gift}


@pytest.mark.parametrize(("asset", "due", "gift"), [("SOL", SOL, SOL // 100), ("USDC", 5 * USDC, USDC // 2)])
def test_a_gift_to_a_charity_without_an_account_comes_to_the_shop(
    stage: Stage, asset: str, due: int, gift: int
) -> None:
    """To open one would cost the payer more than most gifts."""
    wallet = stage.wallet(usdc=10 * USDC)
    request, _ = with_gift(stage, asset, due, gift)
    seen = stage.effect(send_signed(stage, wallet, request))
    assert (seen.net, seen.beside) == (due + gift, {})


def test_a_payload_that_leaves_the_gift_out_is_refused(stage: Stage) -> None:
    wallet = stage.wallet()
    request, charity = with_gift(stage, "SOL", SOL, SOL // 100)
    charity.airdrop(SOL)
    stage.finalize()
    built = stage.processor.build(replace(request, gift=None), payer=wallet.address)
    with pytest.raises(InvalidRequestError, match="does not pay this order"):
        stage.processor.check_signed(request, wallet.sign(built.payload))


def test_a_payload_that_gives_but_does_not_pay_is_refused(stage: Stage) -> None:
    wallet = stage.wallet()
    request, charity = with_gift(stage, "SOL", SOL, SOL // 100)
    charity.airdrop(SOL)
    stage.finalize()
    assert request.gift is not None
    thief = replace(request, due=Money(SOL // 100, "SOL"), gift=replace(request.gift, amount=Money(SOL, "SOL")))
    built = stage.processor.build(thief, payer=wallet.address)
    with pytest.raises(InvalidRequestError, match="does not pay this order"):
        stage.processor.check_signed(request, wallet.sign(built.payload))


def test_the_link_for_any_wallet_asks_for_order_and_gift(stage: Stage) -> None:
    """It knows one recipient, so the shop takes both and owes the gift."""
    request, _ = with_gift(stage, "SOL", SOL, SOL // 100)
    assert "amount=1.01&" in stage.processor.pay_url(request)
