"""A node that forgets, or is behind, takes nobody's money back."""

from datetime import UTC, datetime

import pytest

from gateway.domain.words import TransferStage
from gateway.monitor.scan import MAX_MISSES, Findings, Listing, conclude
from gateway.monitor.watches import Pending, Watch
from tests.monitor.lookout import Lookout
from tests.processors.solana_stage import SOL

S = TransferStage
NOTHING_LISTED = Listing(rows=(), is_complete=True)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
WATCH = Watch(
    network="solana:localnet", account="shop", asset="SOL", cursor=None, cursor_slot=None, opening=0,
    scanned_until=NOON, created_at=NOON,
)  # fmt: skip


def after_silence(stage: TransferStage, stages: dict[str, TransferStage | None]) -> Findings:
    """Return what one more tick concludes of a signature that was missed to the limit."""
    known = Pending(account="shop", signature="sig", slot=100, stage=stage, misses=MAX_MISSES - 1)
    return conclude(WATCH, NOTHING_LISTED, pending={"sig": known}, stages=stages, reads={})


@pytest.mark.parametrize(
    ("stage", "stages", "changes", "is_clean"),
    [
        (S.CONFIRMED, {"sig": None}, [S.DROPPED], True),
        (S.CONFIRMED, {}, [], False),
        (S.FINAL, {"sig": None}, [], True),
        (S.FINAL, {}, [], False),
    ],
    ids=["lost on a fork", "a node that is behind", "a node that forgot", "behind, and final"],
)
def test_silence_takes_back_only_what_is_not_final_and_only_from_a_node_that_came_so_far(
    stage: TransferStage, stages: dict[str, TransferStage | None], changes: list[TransferStage], *, is_clean: bool
) -> None:
    findings = after_silence(stage, stages)
    assert [change.stage for change in findings.changes] == changes
    assert findings.progress(WATCH).is_clean is is_clean


def test_a_node_says_nothing_of_what_it_does_not_know_before_it_has_come_so_far(lookout: Lookout) -> None:
    signature = lookout.stage.wallet().pay_sol(lookout.stage.merchant, SOL)
    lookout.stage.confirm()
    strange = "5" * 87
    reader = lookout.stage.reader
    assert reader.stages([strange, signature]) == {strange: None, signature: S.CONFIRMED}
    assert reader.stages([strange, signature], reached=10**12) == {signature: S.CONFIRMED}
