"""Bad days of a chain and its providers: forks, lag, hidden signatures, lies."""

from datetime import timedelta

import pytest

from gateway.monitor import scan
from sandbox.devchain.wallet import TestWallet
from tests.monitor.lookout import Lookout
from tests.processors.solana_stage import LOCALNET, SOL


def fault(lookout: Lookout, **faults: object) -> None:
    lookout.stage.wallet(sol=0).rpc("dev_fault", faults)


def test_a_fork_drops_a_payment_and_landing_again_revives_it(lookout: Lookout) -> None:
    lookout.watch_all()
    history = lookout.row().cursor
    wallet = lookout.stage.wallet()
    lookout.stage.finalize()
    signature = wallet.pay_sol(lookout.stage.merchant, SOL)
    lookout.stage.confirm()
    lookout.tick()
    assert lookout.sink.stage_of(signature) == "confirmed"
    wallet.rpc("dev_rollback", {"slots": 3})
    lookout.stage.confirm()
    lookout.tick(scan.MAX_MISSES - 1)
    assert lookout.sink.stage_of(signature) == "confirmed"  # a lagging node is no fork
    assert lookout.tick().dropped == 1
    assert lookout.sink.stage_of(signature) == "dropped"
    assert (lookout.row().cursor, lookout.pending()) == (history, {})
    wallet.rpc("dev_reland")
    lookout.stage.finalize()
    lookout.tick()
    assert lookout.sink.stage_of(signature) == "final"
    assert lookout.row().cursor == signature
    assert lookout.sink.credited() == {"SOL": SOL}


def test_a_fork_that_lands_again_at_once_is_read_again_and_never_dropped(lookout: Lookout) -> None:
    lookout.watch_all()
    wallet = lookout.stage.wallet()
    lookout.stage.finalize()
    signature = wallet.pay_sol(lookout.stage.merchant, SOL)
    lookout.stage.confirm()
    lookout.tick()
    wallet.rpc("dev_rollback", {"slots": 3})
    wallet.rpc("dev_reland")
    lookout.stage.confirm()
    assert lookout.tick().read == 1
    assert "dropped" not in {stage for _, _, stage in lookout.sink.log}
    lookout.stage.finalize()
    lookout.tick()
    assert (lookout.sink.stage_of(signature), lookout.row().cursor) == ("final", signature)


def test_a_payment_that_lands_again_and_fails_is_dropped(lookout: Lookout) -> None:
    lookout.watch_all()
    wallet = lookout.stage.wallet(sol=3 * SOL)
    lookout.stage.finalize()
    signature = wallet.pay_sol(lookout.stage.merchant, 2 * SOL)
    lookout.stage.confirm()
    lookout.tick()
    assert lookout.sink.stage_of(signature) == "confirmed"
    wallet.rpc("dev_rollback", {"slots": 3})
    wallet.pay_sol(lookout.stage.wallet().address, 2 * SOL)  # the money goes elsewhere this time
    wallet.rpc("dev_reland")
    lookout.stage.finalize()
    assert lookout.tick().dropped == 1
    assert lookout.sink.stage_of(signature) == "dropped"
    assert lookout.row().cursor == signature  # failed and final: settled
    assert lookout.monitor.audit(LOCALNET, lookout.sink.explained).gaps == ()


def test_an_indexed_signature_that_cannot_be_read_is_retried_and_holds_the_cursor(lookout: Lookout) -> None:
    lookout.watch_all()
    history, clean = lookout.row().cursor, lookout.row().scanned_until
    wallet = lookout.stage.wallet()
    first = wallet.pay_sol(lookout.stage.merchant, SOL)
    lookout.stage.finalize()
    fault(lookout, tx_lag=10_000)
    for _ in range(3):
        report = lookout.tick()
        assert (report.read, report.unreadable) == (0, 1)
    assert (lookout.row().cursor, lookout.row().scanned_until) == (history, clean)
    assert lookout.pending() == {first: "unread"}
    fault(lookout, clear=True)
    second = wallet.pay_sol(lookout.stage.merchant, SOL)
    lookout.stage.finalize()
    assert lookout.tick().read == 2
    assert (lookout.row().cursor, lookout.pending()) == (second, {})
    assert lookout.sink.credited() == {"SOL": 2 * SOL}


def test_what_can_be_read_is_told_though_an_older_one_cannot_and_only_once(lookout: Lookout) -> None:
    lookout.watch_all()
    wallet = lookout.stage.wallet()
    older = wallet.pay_sol(lookout.stage.merchant, SOL)
    lookout.stage.chain.tick()
    newer = wallet.pay_sol(lookout.stage.merchant, 2 * SOL)
    lookout.stage.finalize()
    fault(lookout, substitute_transaction={older: newer})
    lookout.tick(3)
    assert lookout.sink.credited() == {"SOL": 2 * SOL}
    assert [entry[1] for entry in lookout.sink.log] == [newer]  # not read again and again
    assert lookout.pending() == {older: "unread", newer: "final"}
    fault(lookout, clear=True)
    lookout.stage.wallet(sol=0)
    lookout.tick()
    assert lookout.sink.credited() == {"SOL": 3 * SOL}
    assert (lookout.row().cursor, lookout.pending()) == (newer, {})


def test_substituted_bytes_are_never_told(lookout: Lookout) -> None:
    lookout.watch_all()
    wallet = lookout.stage.wallet()
    small = wallet.pay_sol(lookout.stage.merchant, SOL // 100)
    large = wallet.pay_sol(lookout.stage.wallet().address, 5 * SOL)
    lookout.stage.confirm()
    fault(lookout, substitute_transaction={small: large})
    assert lookout.tick().unreadable == 1
    assert lookout.sink.facts == {}


def test_index_lag_delays_and_loses_nothing(lookout: Lookout) -> None:
    lookout.watch_all()
    fault(lookout, index_lag=50)
    signature = lookout.stage.wallet().pay_sol(lookout.stage.merchant, SOL)
    lookout.stage.finalize()
    assert lookout.tick().listed == 0
    lookout.stage.chain.tick(20)
    lookout.tick()
    assert lookout.sink.stage_of(signature) == "final"


def test_a_late_payment_is_told_with_the_time_it_landed(lookout: Lookout) -> None:
    lookout.watch_all()
    landing = lookout.clock.advance(timedelta(days=3))
    lookout.stage.chain.tick()
    signature = lookout.stage.wallet().pay_sol(lookout.stage.merchant, SOL)
    lookout.stage.confirm()
    lookout.clock.advance(timedelta(days=1))
    lookout.tick()
    fact = lookout.sink.facts[signature, lookout.stage.merchant]
    assert fact.occurred_at == landing


def test_a_signature_that_vanishes_from_the_index_is_asked_for_by_name(lookout: Lookout) -> None:
    lookout.watch_all()
    signature = lookout.stage.wallet().pay_sol(lookout.stage.merchant, SOL)
    lookout.stage.confirm()
    lookout.tick()
    fault(lookout, hide_signature=signature)
    lookout.tick(scan.MAX_MISSES + 2)
    assert lookout.sink.stage_of(signature) == "confirmed"
    lookout.stage.finalize()
    lookout.tick()
    assert (lookout.sink.stage_of(signature), lookout.pending()) == ("final", {})


def test_a_hidden_signature_shows_as_a_gap_and_a_hint_closes_it(lookout: Lookout) -> None:
    lookout.watch_all()
    wallet = lookout.stage.wallet()
    hidden = wallet.pay_sol(lookout.stage.merchant, SOL)
    fault(lookout, hide_signature=hidden)
    seen = wallet.pay_sol(lookout.stage.merchant, SOL // 2)
    lookout.stage.finalize()
    lookout.tick()
    assert (lookout.row().cursor, lookout.sink.credited()) == (seen, {"SOL": SOL // 2})
    (gap,) = lookout.monitor.audit(LOCALNET, lookout.sink.explained).gaps
    assert (gap.account, gap.asset, gap.amount) == (lookout.stage.merchant, "SOL", SOL)
    assert gap.since == lookout.clock.now()
    lookout.tick()
    (again,) = lookout.monitor.audit(LOCALNET, lookout.sink.explained).gaps
    assert again.since == gap.since
    assert lookout.monitor.hint(LOCALNET, hidden)
    lookout.tick()
    assert lookout.sink.stage_of(hidden) == "final"
    assert lookout.monitor.audit(LOCALNET, lookout.sink.explained).gaps == ()
    assert lookout.sink.credited() == {"SOL": SOL + SOL // 2}


def test_an_account_with_final_news_is_not_judged_yet(lookout: Lookout) -> None:
    lookout.watch_all()
    lookout.stage.wallet().pay_sol(lookout.stage.merchant, SOL)
    lookout.stage.finalize()
    report = lookout.monitor.audit(LOCALNET, lookout.sink.explained)
    assert (report.gaps, report.unsettled, report.audited) == ((), 1, 2)
    lookout.tick()
    report = lookout.monitor.audit(LOCALNET, lookout.sink.explained)
    assert (report.gaps, report.unsettled, report.audited) == ((), 0, 3)


def test_a_gap_is_said_aloud(lookout: Lookout, caplog: pytest.LogCaptureFixture) -> None:
    lookout.watch_all()
    with caplog.at_level("ERROR", logger="gateway.monitor"):
        lookout.monitor.audit(LOCALNET, lambda _network, _account: 5)
    assert [record.getMessage() for record in caplog.records] == ["balance_gap"] * 3


def test_outflows_and_their_fees_are_explained(lookout: Lookout) -> None:
    lookout.watch_all()
    merchant = TestWallet(lookout.stage.server.url, seed="merchant")
    merchant.pay_sol(lookout.stage.wallet().address, SOL // 4)
    lookout.stage.finalize()
    lookout.tick()
    assert lookout.sink.credited() == {"SOL": -SOL // 4}
    assert lookout.monitor.audit(LOCALNET, lookout.sink.explained).gaps == ()


def test_a_hint_is_read_before_the_list_knows_it(lookout: Lookout) -> None:
    lookout.watch_all()
    fault(lookout, index_lag=20)
    signature = lookout.stage.wallet().pay_sol(lookout.stage.merchant, SOL)
    lookout.stage.confirm()
    assert lookout.monitor.hint(LOCALNET, signature)
    assert lookout.sink.stage_of(signature) == "confirmed"
    lookout.tick()
    lookout.stage.finalize()
    lookout.tick()
    assert (lookout.sink.stage_of(signature), lookout.sink.credited()) == ("final", {"SOL": SOL})


@pytest.mark.parametrize("signature", ["", "garbage", "5" * 87, "1" * 64, "ü" * 88, "9" * 10_000])
def test_a_hint_of_nothing_is_nothing(lookout: Lookout, signature: str) -> None:
    lookout.watch_all()
    assert not lookout.monitor.hint(LOCALNET, signature)
    assert (lookout.sink.log, lookout.pending()) == ([], {})


def test_a_hint_of_strangers_business_or_of_history_is_nothing(lookout: Lookout) -> None:
    wallet = lookout.stage.wallet()
    history = wallet.pay_sol(lookout.stage.merchant, SOL)
    lookout.stage.finalize()
    lookout.clock.advance(timedelta(minutes=5))
    lookout.watch_all()
    elsewhere = wallet.pay_sol(lookout.stage.wallet().address, SOL)
    lookout.stage.finalize()
    assert not lookout.monitor.hint(LOCALNET, history)
    assert not lookout.monitor.hint(LOCALNET, elsewhere)
    assert lookout.sink.log == []


def test_a_payment_hidden_from_its_account_is_found_by_its_reference(lookout: Lookout) -> None:
    lookout.watch_all()
    reference = lookout.stage.processor.new_reference()
    wallet = lookout.stage.wallet()
    signature = wallet.pay_sol(lookout.stage.merchant, SOL, references=[reference])
    lookout.stage.confirm()
    calls = lookout.stage.processor.calls(LOCALNET)
    assert lookout.monitor.find_by_reference(LOCALNET, reference) == 1
    assert lookout.stage.processor.calls(LOCALNET) == calls + 2
    assert lookout.sink.stage_of(signature) == "confirmed"
    assert lookout.monitor.find_by_reference(LOCALNET, lookout.stage.processor.new_reference()) == 0
