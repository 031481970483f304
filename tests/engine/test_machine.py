"""Anything in any order: a machine that draws what people and chains do, and checks the world after every step."""

import shutil
import tempfile
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from gateway.domain.merchants import MerchantSettings
from gateway.domain.words import LatePolicy, TransferStage
from gateway.storage.database import open_database
from tests.engine.paper import Shop
from tests.engine.world import LIVING, Landed, World

EXAMPLES, STEPS = 40, 25
SHARES = [Fraction(1), Fraction(1, 2), Fraction(1, 3), Fraction(3, 2), Fraction(1, 10**9)]
PLACE = st.integers(0, 10**6)
STAGE = st.sampled_from(LIVING)


class Machine(RuleBasedStateMachine):
    """One merchant, at most four orders, a chain that forks; small numbers, so that things collide."""

    template: Path
    late_policy: LatePolicy

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="streampay-machine-"))
        file = shutil.copy(self.template, self.folder / "world.db")
        self.db = open_database(f"sqlite:///{file}")
        self.world = World(self.db, Shop(self.db, settings=MerchantSettings(late_policy=self.late_policy)))
        self.world.open()

    def teardown(self) -> None:
        self.world.prove()
        self.db.close()
        shutil.rmtree(self.folder)

    def landed(self, place: int) -> Landed:
        return self.world.chain[place % len(self.world.chain)]

    @precondition(lambda self: len(self.world.sessions) < 4)
    @rule(amount=st.sampled_from(["12.30", "10.00", "0.01"]))
    def open(self, amount: str) -> None:
        self.world.open(amount)

    @rule(place=PLACE, method=st.sampled_from(["sol", "usdc"]))
    def choose(self, place: int, method: str) -> None:
        self.world.choose(self.world.sessions[place % len(self.world.sessions)], method)

    @rule(place=PLACE, share=st.sampled_from(SHARES), stage=STAGE)
    def pay(self, place: int, share: Fraction, stage: TransferStage) -> None:
        self.world.pay(self.world.sessions[place % len(self.world.sessions)], share, stage)

    @rule(amount=st.sampled_from([-5, 7, 61_500_000]), stage=STAGE)
    def stray(self, amount: int, stage: TransferStage) -> None:
        self.world.stray(amount, stage)

    @precondition(lambda self: self.world.chain)
    @rule(place=PLACE, stage=STAGE)
    def move_on(self, place: int, stage: TransferStage) -> None:
        self.world.move_on(self.landed(place), stage)

    @precondition(lambda self: self.world.chain)
    @rule(place=PLACE)
    def drop(self, place: int) -> None:
        self.world.drop(self.landed(place))

    @precondition(lambda self: self.world.chain)
    @rule(place=PLACE, stage=STAGE)
    def report_again(self, place: int, stage: TransferStage) -> None:
        self.world.repeat(self.landed(place))
        self.world.report_stale(self.landed(place), stage)

    @precondition(lambda self: self.world.chain)
    @rule(place=PLACE, order=PLACE)
    def match(self, place: int, order: int) -> None:
        self.world.match(self.landed(place), self.world.sessions[order % len(self.world.sessions)])

    @rule(minutes=st.sampled_from([1, 14, 40]), is_scanned=st.booleans())
    def pass_time(self, minutes: int, *, is_scanned: bool) -> None:
        self.world.pass_time(minutes, is_scanned=is_scanned)
        self.world.sweep()

    @rule(place=PLACE)
    def extend(self, place: int) -> None:
        self.world.extend(self.world.sessions[place % len(self.world.sessions)])

    @rule(place=PLACE)
    def call_off(self, place: int) -> None:
        self.world.call_off(self.world.sessions[place % len(self.world.sessions)])

    @invariant()
    def holds(self) -> None:
        self.world.check()


@pytest.mark.slow
@pytest.mark.parametrize("late_policy", LatePolicy)
def test_whatever_happens_state_books_and_events_agree(template: Path, late_policy: LatePolicy) -> None:
    machine = type("Drawn", (Machine,), {"template": template, "late_policy": late_policy})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES // 2,
            stateful_step_count=STEPS,
            deadline=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
            database=None,
            derandomize=True,
        ),
    )
