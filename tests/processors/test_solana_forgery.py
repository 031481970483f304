"""A node that lies: what the signed bytes prove, what only a second provider can prove, and what never crashes."""

import base64
import copy
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import MessageV0, MessageV1
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from gateway.processors.solana import SolanaProcessor, localnet_usdc
from gateway.processors.solana.landed import MalformedError
from gateway.processors.solana.programs import SYSTEM, TOKEN, sol_transfer, token_account, transfer_checked
from gateway.processors.solana.verify import OwnAccount, observe
from sandbox.devchain.faucet import USDC_MINT
from tests.processors.http_node import ScriptedNode, liar
from tests.processors.solana_stage import LOCALNET, SOL, USDC, Stage, localnet

Answer = dict[str, Any]


@pytest.fixture
def landed(stage: Stage) -> tuple[str, Answer, dict[str, OwnAccount]]:
    """Return an honest answer about a USDC payment, with the merchant's accounts."""
    wallet = stage.wallet(usdc=50 * USDC)
    reference = stage.processor.new_reference()
    signature = wallet.pay_token(str(USDC_MINT), stage.merchant, 5 * USDC, references=[reference], memo="pay_1")
    seen = stage.effect(signature)
    token = localnet_usdc(str(USDC_MINT))
    accounts = {
        stage.merchant: OwnAccount(address=stage.merchant, asset="SOL", token=None),
        seen.account: OwnAccount(address=seen.account, asset="USDC", token=token),
    }
    return signature, json.loads(seen.raw), accounts


def resigned(answer: Answer, _: str) -> None:
    """Flip one bit of the amount: the signature no longer fits."""
    raw = bytearray(base64.b64decode(answer["transaction"][0]))
    raw[-5] ^= 1
    answer["transaction"][0] = base64.b64encode(bytes(raw)).decode()


def set_meta(name: str, value: Any) -> Callable[[Answer, str], None]:
    def forge(answer: Answer, _: str) -> None:
        answer["meta"][name] = value

    return forge


def set_owner(answer: Answer, _: str) -> None:
    for side in ("preTokenBalances", "postTokenBalances"):
        for entry in answer["meta"][side]:
            entry["owner"] = str(Keypair().pubkey())


def set_entry(name: str, value: Any) -> Callable[[Answer, str], None]:
    def forge(answer: Answer, _: str) -> None:
        for entry in answer["meta"]["postTokenBalances"]:
            entry[name] = value

    return forge


NOT_AUTHENTIC: dict[str, Callable[[Answer, str], None]] = {
    "changed bytes": resigned,
    "no bytes": lambda answer, _: answer.update(transaction=["", "base64"]),
    "another encoding": lambda answer, _: answer["transaction"].__setitem__(1, "base58"),
    "json instead of bytes": lambda answer, _: answer.update(transaction={"message": {}}),
    "no meta": lambda answer, _: answer.update(meta=None),
    "too few balances": set_meta("preBalances", [1]),
    "a negative balance": set_meta("postBalances", [-1] * 9),
    "a fee as text": set_meta("fee", "5000"),
    "a fee as truth": set_meta("fee", value=True),
    "keys loaded that the bytes do not load": set_meta("loadedAddresses", {"writable": [str(SYSTEM)], "readonly": []}),
    "inner instructions of nothing": set_meta("innerInstructions", [{"index": 77, "instructions": []}]),
    "an entry for a key that is not there": set_entry("accountIndex", 99),
    "an amount that is no number": set_entry("uiTokenAmount", {"amount": "1e9"}),
    "an amount in other digits": set_entry("uiTokenAmount", {"amount": "٣"}),
    "no slot": lambda answer, _: answer.pop("slot"),
}


@pytest.mark.parametrize("name", NOT_AUTHENTIC)
def test_an_answer_that_contradicts_the_signed_bytes_is_not_authentic(
    landed: tuple[str, Answer, dict[str, OwnAccount]], name: str
) -> None:
    signature, honest, accounts = landed
    forged = copy.deepcopy(honest)
    NOT_AUTHENTIC[name](forged, signature)
    with pytest.raises(MalformedError):
        observe(LOCALNET, signature, forged, accounts=accounts)
    assert [seen.net for seen in observe(LOCALNET, signature, honest, accounts=accounts)] == [5 * USDC]


NOT_OURS: dict[str, Callable[[Answer, str], None]] = {
    "another owner": set_owner,
    "another mint": set_entry("mint", str(SYSTEM)),
    "another token program": set_entry("programId", str(SYSTEM)),
    "no owner": set_entry("owner", None),
    "it failed": set_meta("err", {"InstructionError": [0, {"Custom": 1}]}),
}


@pytest.mark.parametrize("name", NOT_OURS)
def test_an_entry_that_is_not_ours_has_no_effect(landed: tuple[str, Answer, dict[str, OwnAccount]], name: str) -> None:
    signature, answer, accounts = landed
    NOT_OURS[name](answer, signature)
    assert observe(LOCALNET, signature, answer, accounts=accounts) == ()


def test_random_damage_never_leaves_as_a_foreign_exception(
    landed: tuple[str, Answer, dict[str, OwnAccount]],
) -> None:
    signature, honest, accounts = landed
    dice = random.Random(7)
    junk = [None, -1, 2**70, "", "x", [], {}, True, [None], {"amount": None}, "\ud800"]
    outcomes = {"read": 0, "refused": 0}
    for _ in range(1500):
        damaged = copy.deepcopy(honest)
        *way, last = dice.choice(list(_places(damaged)))
        spot = damaged
        for step in way:
            spot = spot[step]
        spot[last] = dice.choice(junk)
        try:
            for seen in observe(LOCALNET, signature, damaged, accounts=accounts):
                seen.raw.encode()  # every database takes it
            outcomes["read"] += 1
        except MalformedError:
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 100, outcomes


def _places(value: Any, *way: Any) -> Iterator[tuple[Any, ...]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in pairs:
        yield (*way, name)
        yield from _places(inner, *way, name)


def test_a_forged_meta_needs_a_second_opinion_above_the_threshold(stage: Stage) -> None:
    wallet = stage.wallet()
    signature = wallet.pay_sol(stage.merchant, SOL // 1000)
    stage.confirm()

    def inflate(method: str, result: Any) -> Any:
        if method == "getTransaction" and result:
            result["meta"]["postBalances"][1] += 900 * SOL
        return result

    with ScriptedNode(liar(stage.server.url, inflate)) as lying:
        believing = SolanaProcessor({False: localnet(lying.url)})
        doubting = SolanaProcessor(
            {False: localnet(lying.url, second_opinion_url=stage.server.url, second_opinion_above={"SOL": SOL})}
        )
        found = believing.reader(LOCALNET).read([signature], stage.accounts())[signature]
        assert found is not None
        assert found[0].net > 900 * SOL  # one node's word: bytes are proven, balances are not
        assert found[0].net != sum(part.amount for part in found[0].parts)  # and it shows
        assert doubting.reader(LOCALNET).read([signature], stage.accounts())[signature] is None
        believing.close()
        doubting.close()


def test_a_large_gain_counts_when_both_providers_agree_and_waits_while_one_is_silent(stage: Stage) -> None:
    wallet = stage.wallet()
    large, small = wallet.pay_sol(stage.merchant, 5 * SOL), wallet.pay_sol(stage.merchant, SOL // 2)
    stage.confirm()
    results = []
    with ScriptedNode(liar(stage.server.url, lambda _, result: result)) as second:
        for url in (second.url, "http://127.0.0.1:9"):
            config = localnet(stage.server.url, second_opinion_url=url, second_opinion_above={"SOL": SOL})
            processor = SolanaProcessor({False: config})
            found = processor.reader(LOCALNET).read([large, small], stage.accounts())
            results.append([None if effects is None else effects[0].net for effects in found.values()])
            processor.close()
        assert [len(body) for body in second.seen if isinstance(body, list)] == []  # only the large one was asked
    assert results == [[5 * SOL, SOL // 2], [None, SOL // 2]]


def a_router_payment(*, reference: Pubkey) -> tuple[str, Answer, dict[str, OwnAccount]]:
    """Return a payment that a foreign program makes for the payer: by CPI, its reference on the outer call."""
    payer, merchant, router = Keypair(), Keypair().pubkey(), Keypair().pubkey()
    mint = Keypair().pubkey()
    source, ours = token_account(payer.pubkey(), mint, TOKEN), token_account(merchant, mint, TOKEN)
    keys = [source, ours, mint, payer.pubkey(), TOKEN, reference]
    metas = [AccountMeta(one, one == payer.pubkey(), one in {source, ours}) for one in keys]
    outer = Instruction(router, b"swap and pay", metas)
    message = MessageV0.try_compile(payer.pubkey(), [outer], [], Hash.new_unique())
    tx = VersionedTransaction(message, [payer])
    at = {one: number for number, one in enumerate(message.account_keys)}
    inner = transfer_checked(
        payer=payer.pubkey(), source=source, mint=mint, destination=ours, amount=700,
        decimals=6, program=TOKEN, references=[],
    )  # fmt: skip
    balances = [10**9] * len(at)
    raw = {
        "slot": 5,
        "blockTime": 1_700_000_000,
        "transaction": [base64.b64encode(bytes(tx)).decode(), "base64"],
        "meta": {
            "err": None,
            "fee": 5000,
            "preBalances": balances,
            "postBalances": [10**9 - 5000, *balances[1:]],
            "preTokenBalances": [_entry(at[source], mint, payer.pubkey(), 1000)],
            "postTokenBalances": [_entry(at[source], mint, payer.pubkey(), 300), _entry(at[ours], mint, merchant, 700)],
            "innerInstructions": [{"index": 0, "instructions": [_inner(inner, at)]}],
        },
    }
    own = OwnAccount(address=str(ours), asset="USDC", token=localnet_usdc(str(mint)))
    return str(tx.signatures[0]), raw, {str(ours): own}


def _entry(index: int, mint: Pubkey, owner: Pubkey, amount: int) -> Answer:
    amounts = {"amount": str(amount), "decimals": 6}
    return {
        "accountIndex": index,
        "mint": str(mint),
        "owner": str(owner),
        "programId": str(TOKEN),
        "uiTokenAmount": amounts,
    }


def _inner(instruction: Instruction, at: dict[Pubkey, int]) -> Answer:
    from sandbox.devchain.layouts import b58encode

    return {
        "programIdIndex": at[instruction.program_id],
        "accounts": [at[meta.pubkey] for meta in instruction.accounts],
        "data": b58encode(bytes(instruction.data)),
        "stackHeight": 2,
    }


def test_a_payment_by_cpi_inherits_the_references_of_the_outer_call() -> None:
    reference = Keypair().pubkey()
    signature, answer, accounts = a_router_payment(reference=reference)
    (seen,) = observe(LOCALNET, signature, answer, accounts=accounts)
    assert seen.net == 700
    assert [(part.path, part.amount, part.references) for part in seen.parts] == [("0.0", 700, (str(reference),))]
    assert seen.references == (str(reference),)


def test_a_payment_by_cpi_without_its_inner_instructions_still_counts_by_effect() -> None:
    reference = Keypair().pubkey()
    signature, answer, accounts = a_router_payment(reference=reference)
    answer["meta"]["innerInstructions"] = None
    (seen,) = observe(LOCALNET, signature, answer, accounts=accounts)
    assert (seen.net, seen.parts, seen.references) == (700, (), (str(reference),))


def test_a_foreign_programs_overlong_inner_data_does_not_stop_us() -> None:
    signature, answer, accounts = a_router_payment(reference=Keypair().pubkey())
    message = VersionedTransaction.from_bytes(base64.b64decode(answer["transaction"][0])).message
    router = len(message.account_keys) - 1
    for index in range(len(message.account_keys)):
        noise = {"programIdIndex": index, "accounts": [], "data": "z" * 14_000}
        answer["meta"]["innerInstructions"][0]["instructions"].append(noise)
    assert router > 0
    (seen,) = observe(LOCALNET, signature, answer, accounts=accounts)
    assert [part.amount for part in seen.parts] == [700]


def test_a_version_1_message_is_read_as_well() -> None:
    payer, merchant, reference = Keypair(), Keypair().pubkey(), Keypair().pubkey()
    step = sol_transfer(payer.pubkey(), merchant, 700, references=[reference])
    tx = VersionedTransaction(MessageV1.try_compile(payer.pubkey(), [step], Hash.new_unique()), [payer])
    keys = tx.message.account_keys
    before = [10**9 if one == payer.pubkey() else 0 for one in keys]
    after = [10**9 - 5700 if one == payer.pubkey() else 700 if one == merchant else 0 for one in keys]
    answer = {
        "slot": 5,
        "transaction": [base64.b64encode(bytes(tx)).decode(), "base64"],
        "meta": {"err": None, "fee": 5000, "preBalances": before, "postBalances": after},
    }
    own = {str(merchant): OwnAccount(address=str(merchant), asset="SOL", token=None)}
    (seen,) = observe(LOCALNET, str(tx.signatures[0]), answer, accounts=own)
    assert (seen.net, seen.references, seen.occurred_at) == (700, (str(reference),), None)


def test_a_strangers_noise_does_not_swell_our_evidence() -> None:
    signature, answer, accounts = a_router_payment(reference=Keypair().pubkey())
    answer["meta"]["logMessages"] = ["Program log: " + "x" * 10_000] * 100
    (seen,) = observe(LOCALNET, signature, answer, accounts=accounts)
    kept = json.loads(seen.raw)
    assert len(seen.raw) < 65_536
    assert kept["transaction"] == answer["transaction"]
    assert kept["meta"]["postTokenBalances"] == answer["meta"]["postTokenBalances"]
    assert kept["meta"]["leftOut"] == ["innerInstructions", "logMessages", "returnData"]
