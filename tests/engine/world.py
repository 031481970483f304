"""A small world: one merchant, his shoppers, a chain that a test moves at will, and what must hold in it at any time.

`World` keeps its own record of what truly happened on the chain. `check` compares the gateway with that record by rules
written a second time and in another way than in `gateway.domain`, so that a fault there cannot excuse itself here.
"""

import json
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import Any

from sqlalchemy import select

from gateway.domain.chain import ChainObservation, StageChange
from gateway.domain.words import LatePolicy, TransferStage
from gateway.engine.records import SessionRecord
from gateway.kernel.errors import ConflictError, InvalidRequestError
from gateway.ledger.proof import verify
from gateway.storage import schema
from gateway.storage.database import Database
from tests.engine.paper import NETWORK, Shop, reply_field

GRACE = timedelta(seconds=60)
_RANK = {TransferStage.SEEN: 1, TransferStage.CONFIRMED: 2, TransferStage.FINAL: 3}
LIVING = tuple(_RANK)


@dataclass
class Landed:
    """What truly stands on the chain: a signature's newest observation, and whether a fork has taken it away."""

    what: ChainObservation

    @property
    def is_alive(self) -> bool:
        return self.what.stage is not TransferStage.DROPPED

    @property
    def is_final(self) -> bool:
        return self.what.stage is TransferStage.FINAL


class World:
    """A shop with a true record of its chain."""

    def __init__(self, db: Database, shop: Shop) -> None:
        self.db = db
        self.shop = shop
        self.sessions: list[SessionRecord] = []
        self.chain: list[Landed] = []

    # --- what people do ----------------------------------------------------------------------------------------

    def open(self, amount: str = "12.30") -> SessionRecord:
        token = reply_field(self.shop.open(amount), "url").rsplit("/", 1)[1]
        self.sessions.append(self.shop.reload(token))
        return self.sessions[-1]

    def now_open(self, session: SessionRecord) -> SessionRecord:
        return self.shop.reload(session.token)

    def choose(self, session: SessionRecord, method: str = "sol") -> bool:
        try:
            self.shop.engine.attempts.choose(self.now_open(session), method)
        except ConflictError:
            return False
        return True

    def pay(
        self, session: SessionRecord, share: Fraction = Fraction(1), stage: TransferStage = TransferStage.FINAL
    ) -> Landed | None:
        """Send a share of what the shown attempt asks; None when nothing is shown."""
        shown = self.shop.engine.checkout.page(session.token).attempt
        if shown is None:
            return None
        amount = max(1, int(shown.due.atomic * share))
        what = self.shop.observation(amount, shown.reference_key, asset=shown.due.currency, stage=stage)
        return self.land(what)

    def stray(self, amount: int, stage: TransferStage = TransferStage.FINAL, *references: str) -> Landed:
        """Send money that names nobody."""
        return self.land(self.shop.observation(amount, *references, stage=stage))

    def land(self, what: ChainObservation) -> Landed:
        landed = Landed(what)
        self.chain.append(landed)
        self.shop.engine.observations.observe([what])
        return landed

    def repeat(self, landed: Landed) -> None:
        """Report the same thing once more, by both ways."""
        if landed.is_alive:
            self.shop.engine.observations.observe([landed.what, landed.what])
        self._restage(landed, landed.what.stage)

    def report_stale(self, landed: Landed, stage: TransferStage) -> None:
        """Report an earlier stage than the chain has reached, as a slow node does."""
        if landed.is_alive and _RANK[stage] <= _RANK[landed.what.stage]:
            self._restage(landed, stage)

    def move_on(self, landed: Landed, stage: TransferStage) -> None:
        """Let a living transfer confirm, or one that a fork dropped land again."""
        if landed.is_final or (landed.is_alive and _RANK[stage] <= _RANK[landed.what.stage]):
            return
        landed.what = replace(landed.what, stage=stage)
        self._restage(landed, stage)

    def drop(self, landed: Landed) -> None:
        """Let a fork take away what is not final."""
        if landed.is_alive and not landed.is_final:
            landed.what = replace(landed.what, stage=TransferStage.DROPPED)
            self._restage(landed, TransferStage.DROPPED)

    def call_off(self, session: SessionRecord) -> bool:
        try:
            self.shop.engine.sessions.expire(self.shop.intent(), session.id)
        except ConflictError:
            return False
        return True

    def extend(self, session: SessionRecord) -> bool:
        try:
            self.shop.engine.sessions.extend(self.now_open(session))
        except ConflictError:
            return False
        return True

    def match(self, landed: Landed, session: SessionRecord) -> bool:
        transfers = self.rows(schema.chain_transfer, signature=landed.what.signature)
        try:
            for row in transfers:
                self.shop.engine.unmatched.match(self.shop.intent(), row["id"], session.payment_id)
        except (ConflictError, InvalidRequestError):
            return False
        return True

    def pass_time(self, minutes: int, *, is_scanned: bool = True) -> None:
        self.shop.clock.advance(timedelta(minutes=minutes))
        if is_scanned:
            self.shop.scanned()

    def sweep(self) -> None:
        self.shop.engine.sweep()

    def _restage(self, landed: Landed, stage: TransferStage) -> None:
        what = landed.what
        change = StageChange(
            network=what.network, signature=what.signature, account=what.account, stage=stage, slot=what.slot
        )
        self.shop.engine.observations.restage([change])

    # --- what must hold ----------------------------------------------------------------------------------------

    def rows(self, table: Any, **where: object) -> list[dict[str, Any]]:
        query = select(table).where(*(table.c[name] == value for name, value in where.items()))
        return self.db.read(lambda tx: [dict(row) for row in tx.execute(query).mappings()])

    def check(self) -> None:
        """Hold the gateway against the truth."""
        mine = {"merchant_id": self.shop.merchant.id}
        transfers = self.rows(schema.chain_transfer, **mine)
        self._check_credits(transfers)
        sessions = {row["payment_id"]: row for row in self.rows(schema.checkout_session, **mine)}
        self._check_payments(transfers, sessions)
        self._check_unmatched(transfers)
        self._check_books()
        self._check_events(sessions)

    def prove(self) -> None:
        """Check everything, and prove the books."""
        self.check()
        assert self.db.snapshot(verify).problems == ()

    def _check_credits(self, transfers: list[dict[str, Any]]) -> None:
        """Each signature is credited once, with what the chain says, at the stage where it stands."""
        by_signature: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in transfers:
            by_signature[row["signature"]].append(row)
        assert set(by_signature) == {one.what.signature for one in self.chain if one.what.net}, (
            "credits and chain differ"
        )
        for landed in self.chain:
            rows = by_signature[landed.what.signature]
            assert sum(row["amount"] for row in rows) == landed.what.net, "credited once"
            assert {row["stage"] for row in rows} == {landed.what.stage.value}, "the stage is the chain's"

    def _check_payments(self, transfers: list[dict[str, Any]], sessions: dict[str, dict[str, Any]]) -> None:
        settings = self.shop.merchant.settings
        for payment in self.rows(schema.payment, merchant_id=self.shop.merchant.id):
            attempts = {row["id"]: row for row in self.rows(schema.attempt, payment_id=payment["id"])}
            mine = [row for row in transfers if row["payment_id"] == payment["id"]]
            wanted = Judged.of(payment, attempts, mine, settings)
            found = (payment["status"], payment["amount_received"])
            assert found == (wanted.status, wanted.received), f"{payment['id']} stands otherwise"
            assert ("late" in payment["exceptions"]) is wanted.is_late
            self._check_position(payment["id"], wanted.books)
            _check_session(payment, sessions[payment["id"]])

    def _check_unmatched(self, transfers: list[dict[str, Any]]) -> None:
        for row in transfers:
            expected: dict[tuple[str, str, str], int] = {}
            if row["payment_id"] is None and row["stage"] != "dropped":
                layer = "posted" if row["stage"] == "final" else "pending"
                other = "suspense:chain" if row["amount"] > 0 else "merchant:withdrawn"
                other = "expense:network_fee" if row["path"] == "fee" else other
                expected[f"chain:{NETWORK}:hot", row["asset"], layer] = row["amount"]
                expected[other, row["asset"], layer] = -row["amount"]
            self._check_position(row["id"], expected)

    def _check_position(self, subject: str, expected: dict[tuple[str, str, str], int]) -> None:
        position = self.db.read(lambda tx: self.shop.core.journal.position(tx, subject))
        found = {(code, currency, layer.value): amount for (code, currency, layer), amount in position.items()}
        assert found == expected, f"the books of {subject} stand elsewhere"

    def _check_books(self) -> None:
        """Every asset sums to zero, and the receiving account holds exactly what the chain shows."""
        rows = self.db.read(
            lambda tx: self.shop.core.journal.balances(tx, self.shop.owner.merchant_id, self.shop.owner.livemode)
        )
        sums: dict[tuple[str, str], int] = defaultdict(int)
        hot: dict[str, int] = defaultdict(int)
        for row in rows:
            sums[row.currency, "posted"] += row.posted.atomic
            sums[row.currency, "pending"] += row.pending.atomic
            if row.account == f"chain:{NETWORK}:hot":
                hot[row.currency] += row.posted.atomic + row.pending.atomic
        assert not any(sums.values())
        true: dict[str, int] = defaultdict(int)
        for landed in self.chain:
            true[landed.what.asset] += landed.what.net if landed.is_alive else 0
        assert {code: amount for code, amount in hot.items() if amount} == {c: a for c, a in true.items() if a}

    def _check_events(self, sessions: dict[str, dict[str, Any]]) -> None:
        by_object: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in sorted(self.rows(schema.event, merchant_id=self.shop.merchant.id), key=lambda row: row["sequence"]):
            by_object[row["object_id"]].append(row)
        for object_id, events in by_object.items():
            assert [row["sequence"] for row in events] == list(range(1, len(events) + 1)), f"a gap at {object_id}"
            _check_news(events)
        for payment in self.rows(schema.payment, merchant_id=self.shop.merchant.id):
            events = by_object.get(payment["id"], [])
            assert payment["sequence"] == len(events), "an event without its change, or a change without its event"
            turns = [row["type"] for row in events if row["type"] in {"payment.succeeded", "payment.reversed"}]
            assert turns == [("payment.succeeded", "payment.reversed")[place % 2] for place in range(len(turns))]
            assert (len(turns) % 2 == 1) is (payment["status"] == "paid"), "told what it is"
            if events:
                assert json.loads(events[-1]["body"])["data"]["object"]["id"] == payment["id"]
            session = sessions[payment["id"]]
            assert session["sequence"] == len(by_object[session["id"]])


def _check_news(events: list[dict[str, Any]]) -> None:
    """No event repeats the one before it."""
    bodies = [json.loads(row["body"]) for row in events]
    for one, other in pairwise(bodies):
        assert (one["type"], one["data"]) != (other["type"], other["data"]), "an event without its change"


def _check_session(payment: dict[str, Any], session: dict[str, Any]) -> None:
    is_over = payment["closed_at"] is not None or payment["canceled_at"] is not None
    wanted = "complete" if payment["status"] == "paid" else "expired" if is_over else "open"
    assert session["status"] == wanted, "the session follows its payment"
    assert session["status"] == "open" or session["open_key"] is None, "only an open session keeps its order's place"
    assert (session["completed_at"] is not None) is (wanted == "complete")


@dataclass
class Judged:
    """A payment judged by other rules than its own: by shares of the price, transfer after transfer."""

    status: str
    received: int
    is_late: bool
    books: dict[tuple[str, str, str], int]

    @classmethod
    def of(cls, payment: Any, attempts: dict[str, Any], transfers: list[Any], settings: Any) -> "Judged":
        covered, waiting = Fraction(0), False
        is_late = False
        books: dict[tuple[str, str, str], int] = defaultdict(int)
        counted = []
        for row in sorted(transfers, key=lambda row: (row["slot"], row["signature"], row["path"])):
            if row["stage"] == "dropped":
                continue
            late = _came_late(payment, attempts[row["attempt_id"]], row)
            is_late = is_late or late
            refused = (
                late
                and not row["is_accepted_by_hand"]
                and (payment["canceled_at"] is not None or settings.late_policy is LatePolicy.REFUND)
            )
            if row["stage"] != "final":
                waiting = waiting or not refused
                _book(books, row, "merchant:pending", row["amount"], "pending")
            elif refused:
                _book(books, row, "refund:payable", row["amount"], "posted")
            else:
                counted.append(row)
                covered += Fraction(row["amount"], attempts[row["attempt_id"]]["pay_amount"])
        is_paid = covered * 10_000 >= 10_000 - settings.tolerance_bps and covered > 0
        _place(books, counted, attempts, is_paid=is_paid)
        if is_paid:
            status = "paid"
        elif waiting:
            status = "confirming"
        elif covered:
            status = "underpaid"
        elif payment["canceled_at"]:
            status = "canceled"
        else:
            status = "expired" if payment["closed_at"] else "open"
        received = int(payment["amount"] * covered)
        return cls(status, received, is_late, {spot: amount for spot, amount in books.items() if amount})


def _came_late(payment: Any, attempt: Any, row: Any) -> bool:
    when: datetime = row["occurred_at"] or row["first_seen_at"]
    ends = [attempt["expires_at"]] + ([payment["canceled_at"]] if payment["canceled_at"] else [])
    return bool(when > min(ends) + GRACE)


def _place(
    books: dict[tuple[str, str, str], int], counted: list[Any], attempts: dict[str, Any], *, is_paid: bool
) -> None:
    """Fill the price transfer by transfer; what no price is left for is excess."""
    left = Fraction(1)
    for row in counted:
        due = attempts[row["attempt_id"]]["pay_amount"]
        keep = 0
        if is_paid and left > 0:
            keep = min(row["amount"], -(-left.numerator * due // left.denominator))
        left -= Fraction(row["amount"], due)
        _book(books, row, "merchant:available", keep, "posted")
        _book(books, row, "suspense:chain", row["amount"] - keep, "posted")


def _book(books: dict[tuple[str, str, str], int], row: Any, account: str, amount: int, layer: str) -> None:
    books[f"chain:{row['network']}:hot", row["asset"], layer] += amount
    books[account, row["asset"], layer] -= amount
