"""What a stranger with a few cents can send any number of: each must cost us little, and hide nobody's money."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from gateway.domain.words import TransferStage
from gateway.engine import observations
from gateway.engine.paging import PageRequest
from gateway.ledger.proof import verify
from gateway.storage.database import Database
from tests.engine.paper import NETWORK, Shop

CRUMB = 7


def dust(shop: Shop, reference: str, count: int) -> None:
    shop.engine.observations.observe([shop.observation(CRUMB, reference) for _ in range(count)])


def test_crumbs_beyond_the_limit_wait_in_the_queue_and_the_rest_still_pays(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observations, "MAX_DUST", 3)
    session = shop.session("10.00")
    attempt = shop.engine.attempts.choose(session, "sol")
    dust(shop, attempt.reference_key, 5)
    assert len(shop.payment(session)["transfers"]) == 3  # type: ignore[arg-type]  # wire JSON
    waiting = shop.engine.unmatched.page(shop.owner, PageRequest(), status="unmatched").data
    assert [row["reason"] for row in waiting] == ["dust", "dust"]
    assert waiting[0]["suggestions"] == [session.payment_id]
    assert "transfer.unmatched" not in shop.event_types()
    shop.engine.observations.observe([shop.observation(attempt.due.atomic - 3 * CRUMB, attempt.reference_key)])
    assert shop.payment(session)["status"] == "paid"
    assert shop.db.snapshot(verify).problems == ()


def test_staff_may_still_match_a_crumb_by_hand(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observations, "MAX_DUST", 1)
    session = shop.session("10.00")
    attempt = shop.engine.attempts.choose(session, "sol")
    dust(shop, attempt.reference_key, 2)
    (waiting,) = shop.engine.unmatched.page(shop.owner, PageRequest(), status="unmatched").data
    shop.engine.unmatched.match(shop.intent(), waiting["id"], session.payment_id)
    assert len(shop.payment(session)["transfers"]) == 2  # type: ignore[arg-type]  # wire JSON


def test_a_flood_of_unmatched_transfers_is_told_up_to_a_limit_an_hour(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observations, "MAX_TOLD_PER_HOUR", 3)
    shop.engine.observations.observe([shop.observation(CRUMB) for _ in range(9)])
    assert shop.event_types() == ["transfer.unmatched"] * 3
    assert len(shop.engine.unmatched.page(shop.owner, PageRequest(limit=20), status="unmatched").data) == 9
    shop.clock.advance(timedelta(hours=1, seconds=1))
    shop.engine.observations.observe([shop.observation(CRUMB)])
    assert shop.event_types() == ["transfer.unmatched"] * 4


def test_no_question_of_the_monitor_reads_a_whole_table(fresh: Callable[[], Database]) -> None:
    """SQLite says its plan in words; the indexes are the same on the others."""
    db = fresh()
    shop = Shop(db)
    asked: list[tuple[str, Any]] = []

    def note(_one: object, _two: object, statement: str, parameters: object, *_more: object) -> None:
        if statement.lstrip().startswith(("SELECT", "UPDATE")):
            asked.append((statement, parameters))

    session = shop.session()
    attempt = shop.engine.attempts.choose(session, "sol")
    event.listen(db.engine, "before_cursor_execute", note)
    seen = shop.observation(5, attempt.reference_key, stage=TransferStage.CONFIRMED)
    shop.engine.observations.observe([seen, shop.observation(6), shop.observation(-6)])
    shop.stage(seen, TransferStage.FINAL)
    shop.engine.observations.explained(NETWORK, attempt.account)
    shop.engine.unmatched.page(shop.owner, PageRequest(), status="unmatched")
    event.remove(db.engine, "before_cursor_execute", note)
    with db.engine.connect() as tx:
        plans = {
            (row[3], statement)
            for statement, parameters in asked
            for row in tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        }
    assert any("SEARCH attempt" in plan for plan, _ in plans)
    growing = ("attempt", "operation", "chain_transfer", "payment", "posting", "journal_entry", "event", "outbox")
    assert [plan for plan in sorted(plans) if plan[0] in {f"SCAN {table}" for table in growing}] == []
