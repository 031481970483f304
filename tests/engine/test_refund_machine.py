"""Refunds in any order: ask, sign, lose, land, fork, re-land, expire, call off, repeat; checked after every step.

What must hold is written a second time here, from what truly happened on the chain: of the bytes that the gateway sent
for one refund, two never stand on the chain at once.
"""

import shutil
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from gateway.kernel.errors import ErrorCode, GatewayError, TemporaryError, UnknownOutcomeError
from gateway.storage.database import open_database
from tests.engine.counter import CONFIRMED, FINAL, RECEIVED, Counter, Sent
from tests.engine.paper import NETWORK, Shop

EXAMPLES, STEPS = 30, 30
PLACE = st.integers(0, 3)
SEEN = st.sampled_from([True, True, True, False])
NODE = st.sampled_from([None, None, "unknown", "busy"])
HOT = f"chain:{NETWORK}:hot"
FAILURES = {
    "unknown": UnknownOutcomeError(ErrorCode.OUTCOME_UNKNOWN, "No answer."),
    "busy": TemporaryError(ErrorCode.PROVIDER_UNAVAILABLE, "Busy."),
}


def atoms(major: str) -> int:
    """Return SOL of the books in lamports."""
    return int(Decimal(major or "0") * 10**9)


class Machine(RuleBasedStateMachine):
    """One paid order, at most three refunds of it, and a chain that forks."""

    template: Path

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="streampay-refunds-"))
        self.db = open_database(f"sqlite:///{shutil.copy(self.template, self.folder / 'counter.db')}")
        self.counter = Counter(Shop(self.db))
        self.signed: list[tuple[str, str, int]] = []

    def teardown(self) -> None:
        self.counter.prove()
        self.db.close()
        shutil.rmtree(self.folder)

    @property
    def sent(self) -> list[Sent]:
        """What some node has, and so may land."""
        return list(self.counter.sent.values())

    def refund(self, place: int) -> str:
        return self.counter.refund_ids[place % len(self.counter.refund_ids)]

    # --- the merchant ------------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.counter.refund_ids) < 3)
    @rule(amount=st.sampled_from(["0.02", "0.03", None]))
    def ask(self, amount: str | None) -> None:
        self.refused(self.counter.ask, amount)

    @precondition(lambda self: self.counter.refund_ids)
    @rule(place=PLACE, node=NODE)
    def send(self, place: int, node: str | None) -> None:
        """Sign what is built now and hand it in, if anything is built."""
        refund_id = self.refund(place)
        payload = self.refused(self.counter.sign, refund_id)
        if payload is not None:
            self.signed.append((refund_id, payload, self.counter.height))
            self.submit(len(self.signed) - 1, node)

    @precondition(lambda self: self.signed)
    @rule(place=PLACE, node=NODE)
    def send_again(self, place: int, node: str | None) -> None:
        self.submit(place, node)

    def submit(self, place: int, node: str | None) -> None:
        """Hand in bytes; the real check refuses those that have expired."""
        refund_id, payload, signed_at = self.signed[place % len(self.signed)]
        if self.counter.height - signed_at > 150:
            return
        self.counter.shop.processor.failure = None if node is None else FAILURES[node]
        self.refused(self.counter.submit, refund_id, payload)
        self.counter.shop.processor.failure = None

    @precondition(lambda self: self.counter.refund_ids)
    @rule(place=PLACE, is_exact=st.booleans())
    def send_alone(self, place: int, *, is_exact: bool) -> None:
        if sum(not one.is_ours for one in self.sent) < 2:
            self.counter.send_alone(self.refund(place), None if is_exact else 7)

    @precondition(lambda self: self.counter.refund_ids)
    @rule(place=PLACE)
    def call_off(self, place: int) -> None:
        self.refused(self.counter.cancel, self.refund(place))

    # --- the chain ---------------------------------------------------------------------------------------------

    @precondition(lambda self: self.counter.sent)
    @rule(place=PLACE, stage=st.sampled_from([CONFIRMED, CONFIRMED, FINAL]), is_seen=SEEN)
    def land(self, place: int, stage: Any, *, is_seen: bool) -> None:
        one = self.sent[place % len(self.sent)]
        if self.counter.land(one, stage) and is_seen:
            self.counter.report(one)

    @precondition(lambda self: self.counter.sent)
    @rule(place=PLACE, is_seen=SEEN)
    def drop(self, place: int, *, is_seen: bool) -> None:
        one = self.sent[place % len(self.sent)]
        if self.counter.drop(one) and is_seen:
            self.counter.report(one)

    @rule(half_minutes=st.sampled_from([1, 1, 3, 24]))
    def pass_time(self, half_minutes: int) -> None:
        self.counter.pass_time(half_minutes)

    @rule()
    def see_everything(self) -> None:
        for one in self.sent:
            self.counter.report(one)
            self.counter.report(one)

    # --- what must hold ----------------------------------------------------------------------------------------

    def refused(self, verb: Any, *args: Any) -> Any:
        """Call a verb; what the gateway refuses is none of the chain's business."""
        try:
            return verb(*args)
        except GatewayError:
            return None

    @invariant()
    def what_was_sent_here_stands_there_once(self) -> None:
        for refund_id in self.counter.refund_ids:
            standing = [one for one in self.sent if one.refund_id == refund_id and one.is_ours and one.is_alive]
            assert len(standing) <= 1, "paid twice"

    @invariant()
    def status_and_books_follow_what_was_seen(self) -> None:
        rows = {refund_id: self.counter.row(refund_id) for refund_id in self.counter.refund_ids}
        seen = [(one, self.seen(one)) for one in self.sent]
        final = sum(one.amount for one, stage in seen if stage is FINAL)
        given = 0
        for refund_id, row in rows.items():
            fitting = {s for one, s in seen if one.refund_id == refund_id and one.amount == row["amount"]}
            if row["status"] == "succeeded":
                assert FINAL in fitting
                given += row["amount"]
            elif row["status"] != "canceled":
                assert FINAL not in fitting
                assert row["status"] == "pending" or CONFIRMED not in fitting
        kept = sum(row["amount"] for row in rows.values() if row["status"] != "canceled")
        assert kept <= RECEIVED, "more is reserved than came"
        posted = {code: atoms(row[0]) for code, row in self.counter.books().items()}
        assert posted.get(HOT, 0) == RECEIVED - final
        assert posted.get("merchant:withdrawn", 0) == final - given
        assert posted.get("merchant:available", 0) == given - RECEIVED

    def seen(self, one: Sent) -> Any:
        """Return the stage that the monitor reported last."""
        return self.counter.told_stage.get(one.signature)


@pytest.mark.slow
def test_whatever_happens_a_refund_is_paid_once_and_booked(template: Path) -> None:
    run_state_machine_as_test(
        type("Drawn", (Machine,), {"template": template}),
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
            database=None,
            derandomize=True,
        ),
    )
