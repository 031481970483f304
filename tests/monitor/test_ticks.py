"""Ticks: what they cost, what they tell, and how far the cursor goes."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.kernel.clock import ManualClock, to_micros
from gateway.kernel.errors import TemporaryError
from gateway.monitor import scan, watches
from gateway.storage.database import open_database
from sandbox.devchain import programs
from sandbox.devchain.faucet import USDC_MINT
from tests.monitor.lookout import Lookout, a_lookout
from tests.processors.solana_stage import LOCALNET, SOL, USDC, a_stage, key


def calls(lookout: Lookout) -> dict[str, int]:
    """Return the chain's own count of calls since the last question."""
    found = lookout.stage.wallet(sol=0).rpc("dev_calls", {"reset": True})["methods"]
    return {name: count for name, count in found.items() if count}


def test_a_payment_is_told_when_confirmed_and_again_when_final(lookout: Lookout) -> None:
    lookout.watch_all()
    history = lookout.row().cursor
    signature = lookout.stage.wallet().pay_sol(lookout.stage.merchant, SOL)
    assert lookout.tick().listed == 0  # processed only
    lookout.stage.confirm()
    report = lookout.tick()
    assert (report.listed, report.read, report.final) == (1, 1, 0)
    assert lookout.sink.stage_of(signature) == "confirmed"
    assert lookout.pending() == {signature: "confirmed"}
    assert lookout.row().cursor == history
    lookout.stage.finalize()
    report = lookout.tick()
    assert (report.read, report.final) == (0, 1)
    assert lookout.sink.stage_of(signature) == "final"
    assert (lookout.row().cursor, lookout.pending()) == (signature, {})
    assert lookout.sink.credited() == {"SOL": SOL}


def test_an_idle_tick_costs_one_call_for_each_account(lookout: Lookout) -> None:
    lookout.watch_all()
    calls(lookout)
    report = lookout.tick()
    assert report.calls == 3
    assert calls(lookout) == {"getSignaturesForAddress": 3}


def test_a_new_transfer_costs_one_call_more_and_only_once(lookout: Lookout) -> None:
    lookout.watch_all()
    wallet = lookout.stage.wallet(usdc=50 * USDC)
    for _ in range(3):
        wallet.pay_sol(lookout.stage.merchant, SOL // 10)
        lookout.stage.chain.tick()
    lookout.stage.confirm()
    calls(lookout)
    assert lookout.tick().calls == 3 + 3
    assert calls(lookout) == {"getSignaturesForAddress": 3, "getTransaction": 3}
    assert lookout.tick().calls == 3
    lookout.stage.finalize()
    assert lookout.tick().calls == 3
    assert lookout.tick().calls == 3


def test_a_signature_that_touches_two_accounts_is_read_once(lookout: Lookout) -> None:
    lookout.watch_all()
    wallet = lookout.stage.wallet(usdc=50 * USDC)
    # Creating the merchant's token account names his wallet, too.
    wallet.pay_token(str(USDC_MINT), lookout.stage.merchant, 5 * USDC)
    lookout.stage.confirm()
    calls(lookout)
    lookout.tick()
    assert calls(lookout)["getTransaction"] == 1
    assert lookout.sink.credited() == {"USDC": 5 * USDC}


def test_failed_signatures_are_skipped_unread(lookout: Lookout) -> None:
    lookout.watch_all()
    wallet = lookout.stage.wallet(usdc=5 * USDC)
    wallet.pay_token(str(USDC_MINT), lookout.stage.merchant, USDC)
    lookout.stage.finalize()
    lookout.tick()
    step = programs.sol_transfer(wallet.public_key, wallet.public_key, 10**15)
    paying = programs.sol_transfer(wallet.public_key, key(lookout.stage.merchant), SOL)
    failed = wallet.send_instructions([paying, step], skip_preflight=True)
    lookout.stage.finalize()
    calls(lookout)
    report = lookout.tick()
    assert (report.listed, report.read) == (1, 0)
    assert "getTransaction" not in calls(lookout)
    assert lookout.row().cursor == failed
    assert lookout.sink.credited() == {"USDC": USDC}


def test_history_before_the_watch_is_not_replayed(lookout: Lookout) -> None:
    wallet = lookout.stage.wallet()
    newest = ""
    for _ in range(3):
        newest = wallet.pay_sol(lookout.stage.merchant, SOL)
        lookout.stage.finalize()
    lookout.clock.advance(timedelta(minutes=5))
    lookout.watch_all()
    lookout.tick(2)
    assert lookout.sink.facts == {}
    assert (lookout.row().cursor, lookout.row().opening) == (newest, SOL + 3 * SOL)


def test_an_account_without_history_opens_at_nothing_with_no_cursor(lookout: Lookout) -> None:
    lookout.watch_all()
    account = lookout.stage.receiving("USDC").account
    assert (lookout.row(account).cursor, lookout.row(account).opening) == (None, 0)
    signature = lookout.stage.wallet(usdc=USDC).pay_token(str(USDC_MINT), lookout.stage.merchant, USDC)
    lookout.stage.finalize()
    lookout.tick()
    assert lookout.row(account).cursor == signature
    assert lookout.sink.credited() == {"USDC": USDC}


def test_a_payment_between_watching_and_the_first_tick_is_not_history(lookout: Lookout) -> None:
    lookout.watch(lookout.stage.merchant)
    signature = lookout.stage.wallet().pay_sol(lookout.stage.merchant, SOL)
    lookout.stage.finalize()
    lookout.tick()
    assert lookout.sink.stage_of(signature) == "final"
    assert lookout.row().opening == SOL  # what the merchant had before
    assert lookout.monitor.audit(LOCALNET, lookout.sink.explained).gaps == ()


def test_a_baseline_that_cannot_be_read_waits_and_loses_nothing(lookout: Lookout) -> None:
    lookout.watch(lookout.stage.merchant)
    wallet = lookout.stage.wallet()
    signature = wallet.pay_sol(lookout.stage.merchant, SOL)
    lookout.stage.finalize()
    wallet.rpc("dev_fault", {"tx_lag": 1000})
    lookout.tick()
    assert (lookout.row().opening, lookout.row().scanned_until) == (None, None)
    wallet.rpc("dev_fault", {"clear": True})
    lookout.tick()
    assert (lookout.row().opening, lookout.sink.stage_of(signature)) == (SOL, "final")


def test_more_news_than_one_page_is_walked_backwards(lookout: Lookout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.monitor.monitor.PAGE_LIMIT", 4)
    lookout.watch_all()
    wallet = lookout.stage.wallet()
    paid = [wallet.pay_sol(lookout.stage.merchant, SOL // 100 + number) for number in range(10)]
    lookout.stage.finalize()
    report = lookout.tick()
    assert (report.listed, report.read, report.calls) == (10, 10, 3 + 2 + 10)
    assert set(paid) == {signature for signature, _ in lookout.sink.facts}
    assert lookout.row().cursor == paid[-1]


def test_dust_beyond_the_cap_waits_and_nothing_is_lost(lookout: Lookout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "MAX_READS", 4)
    monkeypatch.setattr(scan, "MIN_READS", 4)
    lookout.watch_all()
    before = lookout.row().scanned_until
    wallet = lookout.stage.wallet()
    paid = [wallet.pay_sol(lookout.stage.merchant, SOL // 100 + number) for number in range(10)]
    lookout.stage.finalize()
    assert [lookout.tick().read for _ in range(3)] == [4, 4, 2]
    assert set(paid) == {signature for signature, _ in lookout.sink.facts}
    assert lookout.row().cursor == paid[-1]
    assert before is not None
    assert lookout.row().scanned_until == lookout.clock.now()


def test_the_scan_time_stands_still_while_anything_waits(lookout: Lookout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "MAX_READS", 1)
    monkeypatch.setattr(scan, "MIN_READS", 1)
    lookout.watch_all()
    before = lookout.row().scanned_until
    wallet = lookout.stage.wallet()
    for number in range(3):
        wallet.pay_sol(lookout.stage.merchant, SOL // 100 + number)
    lookout.stage.finalize()
    lookout.tick(2)
    assert lookout.row().scanned_until == before
    lookout.tick()
    assert lookout.row().scanned_until == lookout.clock.now()


def test_a_backlog_longer_than_memory_is_taken_oldest_first(lookout: Lookout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.monitor.monitor.PAGE_LIMIT", 2)
    monkeypatch.setattr("gateway.monitor.monitor.MAX_LISTED", 3)
    lookout.watch_all()
    wallet = lookout.stage.wallet()
    paid = [wallet.pay_sol(lookout.stage.merchant, SOL // 100 + number) for number in range(7)]
    lookout.stage.finalize()
    cursors = [(lookout.tick(), lookout.row().cursor)[1] for _ in range(3)]
    assert cursors == [paid[2], paid[5], paid[6]]


def test_a_node_that_is_down_is_a_temporary_error_and_loses_nothing(lookout: Lookout) -> None:
    lookout.watch_all()
    wallet = lookout.stage.wallet()
    signature = wallet.pay_sol(lookout.stage.merchant, SOL)
    lookout.stage.confirm()
    wallet.rpc("dev_fault", {"http_status": 503, "calls": 3})
    with pytest.raises(TemporaryError):
        lookout.tick()
    lookout.tick()
    assert lookout.sink.stage_of(signature) == "confirmed"


def test_one_account_that_cannot_be_listed_does_not_hold_up_the_others(lookout: Lookout) -> None:
    lookout.watch_all()
    wallet = lookout.stage.wallet(usdc=5 * USDC)
    wallet.pay_sol(lookout.stage.merchant, SOL)
    wallet.pay_token(str(USDC_MINT), lookout.stage.merchant, USDC)
    lookout.stage.confirm()
    wallet.rpc("dev_fault", {"http_status": 500, "calls": 1})
    report = lookout.tick()
    assert report.failed == 1
    assert len(lookout.sink.credited()) >= 1
    lookout.tick()
    assert lookout.sink.credited() == {"SOL": SOL, "USDC": USDC}


def test_a_sink_that_fails_is_told_again_and_the_cursor_waits(lookout: Lookout) -> None:
    lookout.watch_all()
    history = lookout.row().cursor
    signature = lookout.stage.wallet().pay_sol(lookout.stage.merchant, SOL)
    lookout.stage.finalize()
    lookout.sink.fails = RuntimeError("the disk is full")
    assert lookout.tick().failed == 1
    assert (lookout.row().cursor, lookout.sink.facts) == (history, {})
    lookout.sink.fails = None
    lookout.tick()
    assert (lookout.row().cursor, lookout.sink.credited()) == (signature, {"SOL": SOL})


def test_a_crash_between_sink_and_cursor_repeats_harmlessly(lookout: Lookout, monkeypatch: pytest.MonkeyPatch) -> None:
    lookout.watch_all()
    signature = lookout.stage.wallet().pay_sol(lookout.stage.merchant, SOL)
    lookout.stage.finalize()
    with monkeypatch.context() as crash:
        crash.setattr("gateway.monitor.watches.save", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            lookout.tick()
    assert lookout.sink.credited() == {"SOL": SOL}  # the sink has it, the cursor does not know
    lookout.tick()
    assert [entry[:2] for entry in lookout.sink.log] == [("observe", signature)] * 2
    assert (lookout.row().cursor, lookout.sink.credited()) == (signature, {"SOL": SOL})


def test_two_monitors_credit_once_and_never_move_a_cursor_back(lookout: Lookout) -> None:
    lookout.watch_all()
    wallet = lookout.stage.wallet()
    first = wallet.pay_sol(lookout.stage.merchant, SOL)
    lookout.stage.finalize()
    stale = lookout.row()
    lookout.tick()
    second = wallet.pay_sol(lookout.stage.merchant, SOL)
    lookout.stage.finalize()
    lookout.tick()
    late = watches.Progress(watch=stale, keep=(), forget=(), cursor=(first, 1), is_clean=False)
    lookout.db.write(lambda tx: watches.save(tx, [late], known={stale.account: {}}, now=lookout.clock.now()))
    assert lookout.row().cursor == second


def test_a_local_chain_that_began_again_is_watched_on(lookout: Lookout) -> None:
    lookout.watch_all()
    lookout.stage.wallet().pay_sol(lookout.stage.merchant, SOL)
    lookout.stage.chain.tick(500)
    lookout.tick()
    clock = lookout.clock
    clock.advance(timedelta(hours=1))
    fresh = a_stage(clock=lambda: to_micros(clock.now()) // 1000)
    restarted = replace(lookout.monitor, readers={LOCALNET: fresh.reader})
    clock.advance(timedelta(minutes=1))
    signature = fresh.wallet().pay_sol(lookout.stage.merchant, 2 * SOL)
    fresh.finalize()
    restarted.tick(LOCALNET)
    assert lookout.sink.stage_of(signature) == "final"
    assert lookout.row().cursor == signature
    fresh.processor.close()
    fresh.server.close()


def test_an_asset_taken_off_the_list_waits_and_holds_up_nothing(lookout: Lookout) -> None:
    lookout.watch_all()
    wallet = lookout.stage.wallet(usdc=5 * USDC)
    wallet.pay_token(str(USDC_MINT), lookout.stage.merchant, USDC)
    wallet.pay_sol(lookout.stage.merchant, SOL)
    lookout.stage.finalize()
    reader = lookout.stage.reader
    narrow = replace(reader, config=replace(reader.config, tokens=()))
    reduced = replace(lookout.monitor, readers={LOCALNET: narrow})
    reduced.tick(LOCALNET)
    assert lookout.sink.credited() == {"SOL": SOL}
    assert reduced.audit(LOCALNET, lookout.sink.explained).gaps == ()
    lookout.tick()
    assert lookout.sink.credited() == {"SOL": SOL, "USDC": USDC}


def test_where_confirmed_is_final_a_payment_is_final_in_one_tick(
    empty_sqlite: str, copy_database: Callable[[str], str]
) -> None:
    clock = ManualClock()
    fast = a_stage(clock=lambda: to_micros(clock.now()) // 1000, alpenglow=True)
    database = open_database(copy_database(empty_sqlite))
    lookout = a_lookout(fast, clock, database)
    clock.advance(timedelta(hours=1))
    lookout.watch_all()
    signature = fast.wallet().pay_sol(fast.merchant, SOL)
    fast.chain.tick(2)
    assert lookout.tick().final == 1
    assert (lookout.sink.stage_of(signature), lookout.pending()) == ("final", {})
    database.close()
    fast.processor.close()
    fast.server.close()
