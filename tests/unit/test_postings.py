"""From state to books: targets, differences, and what an unmatched transfer owes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.payments import Allocation, Place
from gateway.domain.postings import Spot, difference, payment_target, unmatched_target
from gateway.domain.words import TransferStage, UnmatchedReason
from gateway.kernel.money import Money

HOT = "chain:net:hot"
SPOTS = st.builds(
    Spot, st.sampled_from([HOT, "merchant:available", "suspense:chain"]), st.sampled_from(["SOL", "USDC"]),
    st.sampled_from(["posted", "pending"]),
)  # fmt: skip
BOOKS = st.dictionaries(SPOTS, st.integers(-(10**64), 10**64), max_size=8)


@given(BOOKS, BOOKS)
def test_posting_the_difference_leads_to_the_target_and_then_to_rest(
    target: dict[Spot, int], position: dict[Spot, int]
) -> None:
    gap = difference(target, position)
    assert all(gap.values()), "no leg of nothing"
    assert list(gap) == sorted(gap), "one order of accounts everywhere"
    reached = {spot: position.get(spot, 0) + gap.get(spot, 0) for spot in {*position, *gap}}
    assert difference(target, reached) == {}


@pytest.mark.parametrize(
    ("place", "account", "layer"),
    [(Place.PENDING, "merchant:pending", "pending"), (Place.AVAILABLE, "merchant:available", "posted"),
     (Place.SUSPENSE, "suspense:chain", "posted"), (Place.REFUND_PAYABLE, "refund:payable", "posted")],
)  # fmt: skip
def test_each_place_has_its_account_and_layer(place: Place, account: str, layer: str) -> None:
    part = Allocation(source_id="xfer_1", money=Money(7, "SOL"), place=place)
    assert payment_target({"xfer_1": HOT}, [part, part]) == {
        Spot(HOT, "SOL", layer): 14, Spot(account, "SOL", layer): -14,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("stage", "layer"),
    [(TransferStage.SEEN, "pending"), (TransferStage.CONFIRMED, "pending"), (TransferStage.FINAL, "posted")],
)
@pytest.mark.parametrize(
    ("amount", "reason", "account"),
    [
        (5, UnmatchedReason.NO_REFERENCE, "suspense:chain"),
        (5, UnmatchedReason.AMBIGUOUS, "suspense:chain"),
        (5, UnmatchedReason.UNKNOWN_REFERENCE, "suspense:chain"),
        (5, UnmatchedReason.WRONG_ASSET, "suspense:chain"),
        (-5, UnmatchedReason.OUTFLOW, "merchant:withdrawn"),
        (-5, UnmatchedReason.OUTFLOW, "expense:network_fee"),
    ],
)
def test_unmatched_money_stands_in_suspense_or_with_whoever_moved_it(
    stage: TransferStage, layer: str, amount: int, reason: UnmatchedReason, account: str
) -> None:
    is_fee = account == "expense:network_fee"
    assert unmatched_target("net", Money(amount, "SOL"), stage, reason, is_fee=is_fee) == {
        Spot(HOT, "SOL", layer): amount, Spot(account, "SOL", layer): -amount,
    }  # fmt: skip


@pytest.mark.parametrize("reason", UnmatchedReason)
def test_what_a_reorg_removed_stands_nowhere(reason: UnmatchedReason) -> None:
    assert unmatched_target("net", Money(5, "SOL"), TransferStage.DROPPED, reason, is_fee=False) == {}
