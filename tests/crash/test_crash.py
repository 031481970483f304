"""kill -9, fifty times, while shoppers pay from wallets and by card: what was acknowledged is there at the end, once.

The dev chain, the Test Bank and the books agree to the last unit, and the merchants were told everything.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import select

from gateway.engine.operations import OPEN
from gateway.ledger.proof import verify
from gateway.settings import load_settings
from gateway.storage import schema
from gateway.wiring import House, build_house
from sandbox.test_bank.bank import Bank
from tests.crash.cards import CENTS, REFUND_CENTS, card_traffic
from tests.crash.harness import MUTANT, Outcome, Part, run
from tests.crash.wallets import LAMPORTS, wallet_traffic

KILLS = 50
MUTANT_KILLS, MUTANT_ROUNDS = 6, 4
AT_BANK = 100_000  # objects: all of them

pytestmark = pytest.mark.deep
Figure = Callable[[str, object, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm:
    """A run that is over, and the worlds in which it took place."""

    outcome: Outcome
    wallets: Part
    cards: Part
    bank: Bank
    house: House


@pytest.fixture(scope="module")
def storm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storm]:
    """Run once for all that is to be looked at."""
    with wallet_traffic() as wallets, card_traffic() as cards:
        outcome = run(tmp_path_factory.mktemp("crash"), wallets, cards, kills=KILLS)
        house = build_house(load_settings(outcome.environment))
        try:
            by_wallet, by_card = outcome.parts
            yield Storm(outcome=outcome, wallets=by_wallet, cards=by_card, bank=cards.bank.bank, house=house)
        finally:
            house.close()


def test_fifty_kills_lose_nothing_that_was_acknowledged(storm: Storm, figure: Figure) -> None:
    for part in (storm.wallets, storm.cards):
        assert len(part.paid) > KILLS, "the load was too thin to prove anything"
        assert part.lost_sessions == []
        assert part.unpaid == []
    sessions = len(storm.wallets.orders) + len(storm.cards.orders)
    figure("crash_kills", storm.outcome.kills, ">= 50")
    figure("crash_acknowledged_sessions", sessions, "0 lost")


def test_every_event_is_told_and_its_bytes_never_change(storm: Storm, figure: Figure) -> None:
    assert (storm.wallets.untold, storm.cards.untold) == ([], [])
    told = storm.outcome.receiver.bodies
    for bodies in told.values():
        assert len(set(bodies)) == 1, "a redelivery changed its bytes"
    events = select(schema.event.c.id)
    assert set(storm.house.db.read(lambda tx: tx.scalars(events).all())) == set(told)
    deliveries = sum(len(bodies) for bodies in told.values())
    figure("crash_webhook_deliveries", deliveries, f"{len(told)} events, 0 lost")


def test_the_books_balance_and_nothing_is_left_open(storm: Storm) -> None:
    assert not storm.house.db.snapshot(verify).problems
    table = schema.operation
    query = select(table.c.kind, table.c.status).where(table.c.status.in_(OPEN))
    assert [tuple(row) for row in storm.house.db.read(lambda tx: tx.execute(query).all())] == []


def test_every_transfer_of_a_wallet_is_booked_once(storm: Storm, figure: Figure) -> None:
    paid = len(storm.wallets.paid)
    assert settlements(storm, storm.wallets) == paid
    assert available(storm, storm.wallets) == paid * LAMPORTS
    figure("crash_wallet_payments", paid, "0 lost, 0 doubled")


def test_every_card_is_charged_once_and_the_bank_agrees_to_the_cent(storm: Storm, figure: Figure) -> None:
    paid = storm.cards.paid
    pages = Counter(one["metadata"]["sp_attempt"] for one in storm.bank.newest("checkout.session", limit=AT_BANK))
    assert set(pages.values()) == {1}, "one page for each attempt"
    charges = [one for one in storm.bank.newest("charge", limit=AT_BANK) if one["status"] == "succeeded"]
    charged = Counter(one["metadata"]["sp_payment"] for one in charges)
    assert charged == dict.fromkeys((order.payment_id for order in paid), 1)
    assert settlements(storm, storm.cards) == len(paid)
    taken = sum(one["amount_captured"] for one in charges)
    given = sum(one["amount"] for one in storm.bank.newest("refund", limit=AT_BANK))
    assert (taken, available(storm, storm.cards)) == (len(paid) * CENTS, taken - given)
    figure("crash_card_payments", len(paid), "0 lost, 0 doubled, bank and books agree")


def test_every_refund_is_given_once(storm: Storm, figure: Figure) -> None:
    wanted = [order.refund_id for order in storm.cards.paid if order.refund_id is not None]
    assert len(wanted) >= KILLS // 10, "the load was too thin to prove anything"
    table = schema.refund
    query = select(table.c.id, table.c.status)
    found = storm.house.db.read(lambda tx: {row.id: row.status for row in tx.execute(query)})
    assert set(wanted) <= found.keys(), "what was acknowledged is there"
    assert set(found.values()) == {"succeeded"}
    given = storm.bank.newest("refund", limit=AT_BANK)
    assert len(given) == len(found)
    assert {(one["amount"], one["status"]) for one in given} == {(REFUND_CENTS, "succeeded")}
    assert set(Counter(one["payment_intent"] for one in given).values()) == {1}, "nobody wanted it twice"
    figure("crash_card_refunds", len(given), "0 lost, 0 doubled")


def test_a_server_that_acknowledges_before_the_commit_is_caught(tmp_path: Path) -> None:
    """A kill must fall between the answer and the commit, and dice decide: so there is more than one round."""

    def loses(number: int) -> bool:
        folder = tmp_path / str(number)
        folder.mkdir()
        with wallet_traffic() as traffic:
            outcome = run(folder, traffic, kills=MUTANT_KILLS, command=MUTANT, settle=False)
        return outcome.parts[0].lost_sessions != []

    assert any(loses(number) for number in range(MUTANT_ROUNDS))


def settlements(storm: Storm, part: Part) -> int:
    """Return how many entries of this merchant say that money became his."""
    table = schema.journal_entry
    is_his = (table.c.kind == "settlement") & (table.c.merchant_id == part.account.merchant_id)
    return len(storm.house.db.read(lambda tx: tx.execute(select(table.c.id).where(is_his)).all()))


def available(storm: Storm, part: Part) -> int:
    """Return what the merchant has, in atomic units of the one currency he takes."""
    journal, merchant_id = storm.house.engine.core.journal, part.account.merchant_id
    balances = storm.house.db.read(lambda tx: journal.balances(tx, merchant_id, livemode=False))
    (amount,) = (row.posted.atomic for row in balances if row.account == "merchant:available")
    return -amount
