"""Which outflow pays a refund, what an outflow names, and where the refund stands."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.attribution import RENT_PATH, Credit, NamedRefund, attribute, named_refunds
from gateway.domain.postings import Spot, Target, entry_kind
from gateway.domain.returns import OutflowFact, paying_outflow, transfer_refund_status
from gateway.domain.words import RefundStatus, TransferStage, UnmatchedReason
from gateway.kernel.money import Money
from tests.unit.test_attribution import seen

ONE, TWO = "re_01jd4k00000000000000000000", "re_01jd4k00000000000000000001"
DUE = Money(100, "SOL")


@pytest.mark.parametrize(
    ("memo", "named"),
    [
        (None, set()), ("", set()), (ONE, {ONE}), (f"{ONE}; thanks", {ONE}), (f"{ONE}; {TWO}", {ONE, TWO}),
        (f"{ONE}; {ONE}", {ONE}), (f"p{ONE}", set()), (f"{ONE}0", set()), (ONE.upper(), set()),
        ("re_81jd4k00000000000000000000", set()), ("re_01jd4k0000000000000000000u", set()),
    ],
)  # fmt: skip
def test_a_memo_names_refunds_by_whole_ids(memo: str | None, named: set[str]) -> None:
    assert named_refunds(memo) == named


def test_what_leaves_is_a_refund_its_rent_or_the_merchants_own() -> None:
    refund = NamedRefund(refund_id=ONE, asset="SOL")
    other = replace(refund, asset="USDC")
    left = UnmatchedReason.OUTFLOW
    fee = Credit(path="fee", amount=-5, unmatched_reason=left)
    assert attribute(seen(-100, fee=5), {}, refund) == (
        Credit(path="net", amount=-100, refund_id=ONE, unmatched_reason=left), fee,
    )  # fmt: skip
    assert attribute(seen(-100, fee=5), {}, other) == (
        Credit(path=RENT_PATH, amount=-100, unmatched_reason=left), fee,
    )  # fmt: skip
    assert attribute(seen(-100), {}, other) == (Credit(path="net", amount=-100, unmatched_reason=left),)
    assert attribute(seen(-100), {}) == (Credit(path="net", amount=-100, unmatched_reason=left),)
    assert attribute(seen(100), {}, refund)[0].refund_id is None, "what comes in pays no refund"


OUTFLOWS = st.lists(
    st.builds(
        OutflowFact,
        id=st.uuids().map(str),
        amount=st.sampled_from([DUE, Money(99, "SOL"), Money(100, "USDC")]),
        stage=st.sampled_from(TransferStage),
        slot=st.integers(0, 3),
        signature=st.sampled_from("abc"),
    ),
    max_size=5,
)


@given(OUTFLOWS, st.randoms(use_true_random=False))
def test_the_paying_outflow_is_exact_alive_and_the_same_in_every_order(
    outflows: list[OutflowFact], random: object
) -> None:
    paying = paying_outflow(DUE, outflows)
    shuffled = list(outflows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a `Random`
    assert paying_outflow(DUE, shuffled) == paying
    fitting = [one for one in outflows if one.amount == DUE and one.stage is not TransferStage.DROPPED]
    assert (paying is None) == (not fitting)
    if paying is not None:
        assert paying in fitting
        assert paying.stage is TransferStage.FINAL or all(one.stage is not TransferStage.FINAL for one in fitting)


P, R, S, C = RefundStatus.PENDING, RefundStatus.REQUIRES_ACTION, RefundStatus.SUCCEEDED, RefundStatus.CANCELED


@pytest.mark.parametrize("before", [P, R, S, C])
@pytest.mark.parametrize("is_sent", [False, True])
@pytest.mark.parametrize("stage", [None, TransferStage.SEEN, TransferStage.CONFIRMED, TransferStage.FINAL])
def test_a_refund_stands_where_its_transfer_does(
    before: RefundStatus, stage: TransferStage | None, *, is_sent: bool
) -> None:
    paying = None if stage is None else OutflowFact(id="x", amount=DUE, stage=stage, slot=1, signature="s")
    rest = C if before is C else R
    wanted = S if stage is TransferStage.FINAL else P if stage is not None or is_sent else rest
    assert transfer_refund_status(before, paying, is_sent=is_sent) is wanted


@pytest.mark.parametrize(
    ("legs", "kind"),
    [
        ({"chain:n:hot": -5, "merchant:available": 5}, "return"),
        ({"chain:n:hot": -5, "refund:payable": 5}, "return"),
        ({"chain:n:hot": -5, "suspense:chain": 5}, "return"),
        ({"psp:stripe:clearing": -5, "suspense:psp": 5}, "return"),
        ({"chain:n:hot": -5, "merchant:withdrawn": 5}, "receipt"),
        ({"chain:n:hot": 5, "suspense:chain": -5}, "receipt"),
        ({"suspense:chain": 5, "refund:payable": -5}, "receipt"),
        ({"suspense:chain": 5, "merchant:available": -5}, "settlement"),
    ],
)
def test_money_that_leaves_for_its_payer_is_a_return(legs: dict[str, int], kind: str) -> None:
    gap: Target = {Spot(account, "SOL", "posted"): amount for account, amount in legs.items()}
    assert entry_kind(gap) == kind
