"""Whose money is it: every scenario of one signature, as a table."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.attribution import Candidate, Credit, attribute
from gateway.domain.chain import ChainObservation, ChainPart
from gateway.domain.words import TransferStage, UnmatchedReason

OURS, ELSEWHERE = "shop-SOL", "other-SOL"


def part(amount: int, *references: str, path: str = "0") -> ChainPart:
    return ChainPart(path=path, amount=amount, references=references)


def seen(net: int, *parts: ChainPart, loose: tuple[str, ...] = (), fee: int = 0) -> ChainObservation:
    """Return one signature's effect; `loose` are references that stand outside of the paying instructions."""
    named = tuple(dict.fromkeys([*(key for one in parts for key in one.references), *loose]))
    return ChainObservation(
        network="solana:localnet", signature="sig", account=OURS, asset="SOL", net=net, fee=fee, parts=parts,
        references=named, stage=TransferStage.FINAL, slot=1, occurred_at=None, payer="payer", memo=None, raw="{}",
    )  # fmt: skip


def order(name: str, due: int, *, account: str = OURS, asset: str = "SOL") -> Candidate:
    return Candidate(
        attempt_id=f"att_{name}", payment_id=f"pay_{name}", reference_key=name, account=account, asset=asset, due=due
    )


KNOWN = {
    one.reference_key: one
    for one in (
        order("A", 100), order("B", 50), order("U", 100, account="shop-USDC", asset="USDC"),
        order("X", 100, account=ELSEWHERE),
    )
}  # fmt: skip


def paid(name: str, amount: int, path: str = "0") -> Credit:
    return Credit(path=path, amount=amount, attempt_id=f"att_{name}", payment_id=f"pay_{name}")


def waits(amount: int, reason: UnmatchedReason, path: str = "0", meant_for: str | None = None) -> Credit:
    attempt_id = None if meant_for is None else f"att_{meant_for}"
    return Credit(path=path, amount=amount, attempt_id=attempt_id, unmatched_reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    name: str
    what: ChainObservation
    credits: tuple[Credit, ...]


R = UnmatchedReason
SCENARIOS = [
    Scenario(name="one order, exactly", what=seen(100, part(100, "A")), credits=(paid("A", 100),)),
    Scenario(name="one order, too little", what=seen(1, part(1, "A")), credits=(paid("A", 1),)),
    Scenario(name="one order, too much", what=seen(999, part(999, "A")), credits=(paid("A", 999),)),
    Scenario(
        name="guards of a wallet add instructions and keys of their own",
        what=seen(100, part(100, "A", path="4"), loose=("guard-1", "guard-2")),
        credits=(paid("A", 100, "4"),),
    ),
    Scenario(
        name="a payment by a program: the reference stands on the outer instruction",
        what=seen(100, part(100, path="2.1"), loose=("A",)),
        credits=(paid("A", 100, "2.1"),),
    ),
    Scenario(
        name="two orders in one signature, in either order",
        what=seen(150, part(50, "B", path="0"), part(100, "A", path="1")),
        credits=(paid("B", 50, "0"), paid("A", 100, "1")),
    ),
    Scenario(
        name="two instructions for one order",
        what=seen(100, part(60, "A", path="0"), part(40, "A", path="1")),
        credits=(paid("A", 60, "0"), paid("A", 40, "1")),
    ),
    Scenario(
        name="one order and a tip without reference",
        what=seen(107, part(100, "A", path="0"), part(7, path="1")),
        credits=(paid("A", 100, "0"), waits(7, R.UNKNOWN_REFERENCE, "1")),
    ),
    Scenario(
        name="one transfer with two references pays the order that asks exactly this",
        what=seen(50, part(50, "A", "B")),
        credits=(paid("B", 50),),
    ),
    Scenario(
        name="one transfer with two references and neither sum pays the first named",
        what=seen(70, part(70, "B", "A")),
        credits=(paid("B", 70),),
    ),
    Scenario(
        name="the same reference twice is one order",
        what=seen(100, part(100, "A", "A"), loose=("A",)),
        credits=(paid("A", 100),),
    ),
    Scenario(name="in and out at once", what=seen(0, part(100, "A"), loose=("A",)), credits=()),
    Scenario(
        name="in and partly out: only what stayed, by the only reference",
        what=seen(30, part(100, "A")),
        credits=(paid("A", 30, "net"),),
    ),
    Scenario(
        name="a transfer fee that no part knows: the net counts",
        what=seen(97, part(100, "A")),
        credits=(paid("A", 97, "net"),),
    ),
    Scenario(
        name="a transfer fee and two orders cannot be split beyond doubt",
        what=seen(145, part(100, "A", path="0"), part(50, "B", path="1")),
        credits=(waits(145, R.AMBIGUOUS, "net"),),
    ),
    Scenario(
        name="effects without any paying instruction that we understand",
        what=seen(100, loose=("A",)),
        credits=(paid("A", 100, "net"),),
    ),
    Scenario(
        name="a part of nothing is not trusted to split the rest",
        what=seen(100, part(100, "A", path="0"), part(0, "B", path="1")),
        credits=(waits(100, R.AMBIGUOUS, "net"),),
    ),
    Scenario(name="no reference", what=seen(100, part(100)), credits=(waits(100, R.NO_REFERENCE),)),
    Scenario(
        name="a reference that we never gave",
        what=seen(100, part(100, "Z")),
        credits=(waits(100, R.UNKNOWN_REFERENCE),),
    ),
    Scenario(
        name="foreign references beside ours", what=seen(100, part(100, "Z", "A", "Y")), credits=(paid("A", 100),)
    ),
    Scenario(
        name="the wrong asset keeps the attempt that it was meant for",
        what=seen(100, part(100, "U")),
        credits=(waits(100, R.WRONG_ASSET, meant_for="U"),),
    ),
    Scenario(
        name="a reference of another account does not hide the one that fits",
        what=seen(70, part(70, "X", "A")),
        credits=(paid("A", 70),),
    ),
    Scenario(
        name="two orders in two currencies, their references loose",
        what=seen(70, part(70), loose=("U", "A")),
        credits=(paid("A", 70),),
    ),
    Scenario(
        name="the same without instructions",
        what=seen(70, loose=("U", "A")),
        credits=(paid("A", 70, "net"),),
    ),
    Scenario(
        name="the merchant spends and pays the network fee",
        what=seen(-500, fee=5),
        credits=(waits(-500, R.OUTFLOW, "net"), waits(-5, R.OUTFLOW, "fee")),
    ),
    Scenario(
        name="the merchant only pays a network fee", what=seen(0, fee=5), credits=(waits(-5, R.OUTFLOW, "fee"),)
    ),
    Scenario(
        name="the merchant pays an order to himself and the fee",
        what=seen(100, part(100, "A"), fee=5),
        credits=(paid("A", 100), waits(-5, R.OUTFLOW, "fee")),
    ),
    Scenario(
        name="money that goes out carries a reference of ours",
        what=seen(-100, loose=("A",)),
        credits=(waits(-100, R.OUTFLOW, "net"),),
    ),
]  # fmt: skip


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_each_scenario_credits_exactly(scenario: Scenario) -> None:
    assert attribute(scenario.what, KNOWN) == scenario.credits


DRAWN = st.lists(st.tuples(st.integers(-5, 200), st.lists(st.sampled_from("ABUXYZ"), max_size=3)), max_size=4)
PARTS = DRAWN.map(
    lambda drawn: tuple(part(amount, *keys, path=str(place)) for place, (amount, keys) in enumerate(drawn))
)


@given(PARTS, st.integers(-300, 600), st.integers(0, 9), st.booleans())
def test_credits_add_up_to_the_change_and_no_path_is_used_twice(
    parts: tuple[ChainPart, ...],
    net: int,
    fee: int,
    adds_up: bool,  # noqa: FBT001 - drawn by hypothesis
) -> None:
    total = sum(one.amount for one in parts) if adds_up else net
    found = attribute(seen(total, *parts, fee=fee), KNOWN)
    assert sum(credit.amount for credit in found) == total - fee
    assert len({credit.path for credit in found}) == len(found)
    for credit in found:
        assert credit.amount != 0
        assert (credit.payment_id is None) is (credit.unmatched_reason is not None)
        assert credit.payment_id in {None, "pay_A", "pay_B"}, "only orders that ask for SOL on this account"
