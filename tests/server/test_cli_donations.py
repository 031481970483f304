"""The commands that say what charities are owed, and the alarm that says it by itself."""

import logging
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import insert

from gateway.domain.postings import owed_account
from gateway.engine.donations.days import midnight
from gateway.engine.donations.records import CharityRecord
from gateway.kernel.clock import ManualClock, SystemClock
from gateway.kernel.ids import RandomIds
from gateway.kernel.money import Money
from gateway.ledger.entries import EntryDraft, Leg
from gateway.ledger.journal import Journal
from gateway.monitor.lease import TURN
from gateway.reporting.donations import CSV_HEAD, DonationReports
from gateway.settings import load_settings
from gateway.storage import schema
from gateway.storage.database import Database
from gateway.storage.statements import add_to_rows
from gateway.wiring import build_house
from gateway.workers.loops import all_loops
from tests.server.test_cli import Run, account, db, environment, run

__all__ = ["account", "db", "environment", "run"]  # fixtures

CLOCK = SystemClock()


def a_charity(db: Database, merchant_id: str, ages: Sequence[int]) -> CharityRecord:
    """Store a charity that is owed 10.00 USD since so many days each."""
    now, ids = CLOCK.now(), RandomIds(CLOCK)
    nothing: dict[str, Any] = dict.fromkeys(
        ("tax_id", "address", "country", "tax_statement", "website", "email", "solana_address", "archived_at")
    )
    charity = CharityRecord(
        id=ids.new("cha"), merchant_id=merchant_id, livemode=False, name="River Fund", legal_name="River Fund e.V.",
        receipt_prefix="RF", is_own=False, metadata={}, created_at=now, updated_at=now, **nothing,
    )  # fmt: skip
    journal = Journal(ids, CLOCK)
    db.write(lambda tx: tx.execute(insert(schema.charity), charity.row()))
    drafts = [owed(charity, ids.new("pay"), now - timedelta(days=days)) for days in ages]
    db.write(lambda tx: journal.post_many(tx, drafts))
    for days in ages:
        row = {"charity_id": charity.id, "currency": "USD", "day": midnight(now - timedelta(days=days))}
        row |= {"received": 1000, "reversed": 0, "owed": 1000, "version": 1}
        db.write(partial(add_to_rows, table=schema.charity_day, rows=[row], amounts=("received", "owed")))
    return charity


def owed(charity: CharityRecord, payment_id: str, at: datetime) -> EntryDraft:
    """Return an entry by which a charity is owed 10.00 USD."""
    ten = Money(1000, "USD")
    legs = (Leg("psp:stripe:clearing", ten), Leg(owed_account(charity.id, is_own=False), -ten))
    return EntryDraft(
        merchant_id=charity.merchant_id, livemode=False, kind="settlement", subject_id=payment_id, subject_version=1,
        legs=legs, effective_at=at,
    )  # fmt: skip


def test_what_has_been_owed_for_long_is_listed(run: Run, account: str, db: Database) -> None:
    assert run("donations", "owed").status == 0
    charity = a_charity(db, account, (100, 70, 40, 1))
    ended = run("donations", "owed")
    assert (ended.status, ended.out) == (1, f"{charity.id}  test  30.00 USD  River Fund\n")
    assert run("donations", "owed", "--older-than-days", "90").out == f"{charity.id}  test  10.00 USD  River Fund\n"
    assert run("donations", "owed", "--older-than-days", "0").out == f"{charity.id}  test  40.00 USD  River Fund\n"


def test_a_report_has_its_head_and_a_line_for_each_gift(run: Run, account: str, db: Database) -> None:
    charity = a_charity(db, account, ())
    now = CLOCK.now()
    row = {
        "id": "don_1", "merchant_id": account, "livemode": False, "charity_id": charity.id, "session_id": "cs_1",
        "payment_id": "pay_1", "kind": "round_up", "frequency": "once", "status": "received", "currency": "USD",
        "amount": 70, "fee_cover": 0, "amount_received": 70, "amount_reversed": 20, "received": {}, "reversed": {},
        "owed": {}, "is_anonymous": True, "on_wall": False, "sequence": 1,
        "created_at": now, "updated_at": now, "received_at": now,
    }  # fmt: skip
    waiting = row | {"id": "don_2", "payment_id": "pay_2", "status": "pending", "received_at": None}
    db.write(lambda tx: tx.execute(insert(schema.donation), [row, waiting]))
    head, line = run("donations", "report", charity.id).out.splitlines()
    assert head == ",".join(CSV_HEAD)
    assert line.split(",")[2:] == [
        "received", "round_up", "once", charity.id, "", "pay_1", "USD", "0.70", "0.00", "0.70", "0.20",
    ]  # fmt: skip


def test_the_alarm_says_once_a_day_who_has_waited_for_how_long(
    account: str, db: Database, caplog: pytest.LogCaptureFixture
) -> None:
    charity = a_charity(db, account, (70, 40, 1))
    caplog.set_level(logging.WARNING, "gateway.workers")  # the command that opened the account has set the log up
    clock = ManualClock(CLOCK.now())

    def said() -> list[Any]:
        """Let two workers look, each started anew, and return what they say."""
        caplog.clear()
        for _ in range(2):
            with closing(build_house(load_settings(), clock=clock)) as house:
                (loop,) = [one for one in all_loops(house.work) if one.name == "owed"]
                loop.turn()
                loop.turn()
        return [vars(one)["fields"] for one in caplog.records if one.getMessage() == "donations_overdue"]

    assert said() == [{"charity_id": charity.id, "amount": "20.00 USD", "oldest_days": 60}]
    assert said() == []
    clock.advance(timedelta(days=1))
    assert [one["charity_id"] for one in said()] == [charity.id]


def test_an_alarm_that_fails_comes_again(
    account: str, db: Database, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_charity(db, account, (70,))
    caplog.set_level(logging.WARNING, "gateway.workers")
    clock = ManualClock(CLOCK.now())
    with closing(build_house(load_settings(), clock=clock)) as house:
        (loop,) = [one for one in all_loops(house.work) if one.name == "owed"]
        with monkeypatch.context() as patch:
            patch.setattr(DonationReports, "overdue", away)
            with pytest.raises(OSError, match="the database is away"):
                loop.turn()
        clock.advance(TURN)
        loop.turn()
    assert [one.getMessage() for one in caplog.records] == ["donations_overdue"]


def away(*_: object, **__: object) -> None:
    """Fail as a database does that is away."""
    raise OSError("the database is away")
