"""A refund counter: one paid order, refunds of it, and a chain that a test moves at will.

`Counter` keeps its own record of what truly landed. Bytes live for 150 blocks; until then they may land, be dropped by
a fork and land again, and nothing but the finalized height ends that.
"""

import itertools
import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from gateway.domain.chain import ChainObservation
from gateway.domain.ports import SignatureState
from gateway.domain.words import TransferStage
from gateway.engine.paging import PageRequest
from gateway.engine.records import SessionRecord
from gateway.engine.refunds import NewRefund
from gateway.ledger.proof import verify
from gateway.storage import schema
from tests.engine.paper import NETWORK, Shop, lamports, signature_of

LIFETIME = 150  # blocks that signed bytes live
BLOCKS_A_HALF_MINUTE = 75
RECEIVED = lamports("0.06")
FINAL, CONFIRMED, DROPPED = TransferStage.FINAL, TransferStage.CONFIRMED, TransferStage.DROPPED


@dataclass
class Sent:
    """Bytes that some node has, and where they truly stand: `stage` None before they land."""

    signature: str
    refund_id: str
    amount: int
    valid_until: int
    is_ours: bool
    reference_key: str | None = None
    stage: TransferStage | None = None
    reported: ChainObservation | None = None

    @property
    def is_alive(self) -> bool:
        return self.stage in {CONFIRMED, FINAL}


@dataclass
class Counter:
    """A shop with one order that is paid in full, in SOL."""

    shop: Shop
    sent: dict[str, Sent] = field(default_factory=dict)
    refund_ids: list[str] = field(default_factory=list)
    told_stage: dict[str, TransferStage] = field(default_factory=dict)
    fee: int = 0
    _tags: Any = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.session = self.receive(RECEIVED)

    @property
    def height(self) -> int:
        return self.shop.processor.height

    def receive(self, amount: int, *, price: str = "12.00") -> SessionRecord:
        """Open an order and let it be paid with so many lamports, for good."""
        session = self.shop.session(price)
        self.shop.engine.attempts.choose(session, "sol")
        attempt = self.shop.engine.checkout.page(session.token).attempt
        assert attempt is not None
        self.shop.engine.observations.observe([self.shop.observation(amount, attempt.reference_key)])
        return self.shop.reload(session.token)

    # --- what the merchant does --------------------------------------------------------------------------------

    def ask(self, amount: str | None = None, **more: Any) -> dict[str, Any]:
        """Ask for a refund."""
        more = {"payment_id": self.session.payment_id, "amount": amount} | more
        reply = self.shop.engine.refunds.create(self.shop.intent(), NewRefund(**more))
        refund = dict(json.loads(reply.body))
        self.refund_ids.append(refund["id"])
        return refund

    def build(self, refund_id: str, **more: Any) -> dict[str, Any]:
        """Ask for what is to be signed."""
        return self.shop.engine.refund_transfers.build(self.shop.owner, refund_id, **more)

    def sign(self, refund_id: str) -> str:
        """Have a transfer built, and sign it; no two signatures are alike."""
        return f"{self.build(refund_id)['payload']} #{next(self._tags)}"

    def submit(self, refund_id: str, payload: str, *, key: str | None = None) -> dict[str, Any]:
        """Hand signed bytes over; from now on they may land, unless the node is sure not to have taken them."""
        before = len(self.broadcasts(refund_id))
        reply = self.shop.engine.refund_transfers.submit(self.shop.intent(key), refund_id, payload)
        if len(self.broadcasts(refund_id)) > before:
            self.note(refund_id, signature_of(payload), is_ours=True)
        return dict(json.loads(reply.body))

    def send(self, refund_id: str) -> Sent:
        """Have a transfer built, sign it, hand it over."""
        payload = self.sign(refund_id)
        self.submit(refund_id, payload)
        return self.sent[signature_of(payload)]

    def send_alone(self, refund_id: str, amount: int | None = None) -> Sent:
        """Send with another tool, with the refund's id in the memo and no reference key."""
        return self.note(refund_id, f"alone-{refund_id}-{next(self._tags)}", is_ours=False, amount=amount)

    def note(self, refund_id: str, signature: str, *, is_ours: bool, amount: int | None = None) -> Sent:
        known = self.sent.get(signature)
        if known is None:
            exact = int(self.row(refund_id)["amount"])
            until = self.height + LIFETIME
            known = Sent(signature, refund_id, exact if amount is None else amount, until, is_ours)
            self.sent[signature] = known
        return known

    def cancel(self, refund_id: str) -> dict[str, Any]:
        return dict(json.loads(self.shop.engine.refunds.cancel(self.shop.intent(), refund_id).body))

    # --- what the chain does -----------------------------------------------------------------------------------

    def land(self, one: Sent, stage: TransferStage = CONFIRMED) -> bool:
        """Let bytes land, or what has landed become final, if they can; the node knows it at once."""
        if one.stage is FINAL or (not one.is_alive and self.height > one.valid_until):
            return False
        one.stage = stage
        self._tell_node(one)
        return True

    def drop(self, one: Sent) -> bool:
        """Let a fork take away what is not final."""
        if one.stage is not CONFIRMED:
            return False
        one.stage = DROPPED
        self._tell_node(one)
        return True

    def _tell_node(self, one: Sent) -> None:
        states = self.shop.processor.states
        if one.is_alive:
            states[one.signature] = SignatureState(stage=one.stage, has_failed=False, finalized_height=self.height)
        else:
            states.pop(one.signature, None)

    def report(self, one: Sent) -> None:
        """Let the monitor see where bytes stand."""
        if one.reported is None and one.is_alive:
            one.reported = self.shop.observation(
                -one.amount,
                signature=one.signature,
                stage=one.stage or CONFIRMED,
                parts=(),
                fee=self.fee,
                memo=one.refund_id,
                payer=self.shop.wallet,
            )
            self.shop.engine.observations.observe([one.reported])
        elif one.reported is not None and one.stage is not None:
            self.shop.stage(one.reported, one.stage)
        if one.reported is not None and one.stage is not None:
            self.told_stage[one.signature] = one.stage

    def happen(self, one: Sent, stage: TransferStage = FINAL) -> None:
        """Let bytes land, and be seen."""
        assert self.land(one, stage)
        self.report(one)

    def pass_time(self, half_minutes: int) -> None:
        """Let blocks and minutes go by, then sweep."""
        self.shop.processor.height += half_minutes * BLOCKS_A_HALF_MINUTE
        self.shop.clock.advance(timedelta(seconds=30 * half_minutes))
        self.shop.scanned()
        self.shop.engine.sweep()

    # --- what can be read --------------------------------------------------------------------------------------

    def row(self, refund_id: str) -> dict[str, Any]:
        table = schema.refund
        return self.shop.db.read(
            lambda tx: dict(tx.execute(select(table).where(table.c.id == refund_id)).mappings().one())
        )

    def status(self, refund_id: str) -> str:
        return str(self.shop.engine.refunds.retrieve(self.shop.owner, refund_id)["status"])

    def payment(self) -> dict[str, Any]:
        return self.shop.engine.payments.retrieve(self.shop.owner, self.session.payment_id)

    def operations(self, refund_id: str) -> list[str]:
        table = schema.operation
        query = select(table.c.status).where(table.c.refund_id == refund_id).order_by(table.c.id)
        return self.shop.db.read(lambda tx: list(tx.scalars(query)))

    def broadcasts(self, refund_id: str) -> list[str]:
        """Return what went to the node for a refund; other tests share the database, and so the sweep."""
        return [one for one in self.shop.processor.broadcasts if refund_id in one]

    def told(self, refund_id: str) -> list[str]:
        """Return the events of a refund, oldest first."""
        page = self.shop.engine.events.page(self.shop.owner, PageRequest(limit=100))
        mine = [one for one in page.data if one["data"]["object"]["id"] == refund_id]
        return [one["type"] for one in sorted(mine, key=lambda one: one["sequence"])]

    def books(self) -> dict[str, tuple[str, str]]:
        """Return the SOL balances by account, as (posted, pending)."""
        return {code: _plain(row) for (code, currency), row in self.shop.books().items() if currency == "SOL"}

    def prove(self) -> None:
        report = self.shop.db.snapshot(verify)
        assert report.problems == ()


def _plain(row: tuple[str, str]) -> tuple[str, str]:
    """Return major units without idle zeros."""
    posted, pending = (text.rstrip("0").rstrip(".") for text in row)
    return posted, pending


__all__ = ["CONFIRMED", "DROPPED", "FINAL", "NETWORK", "RECEIVED", "Counter", "Sent"]
