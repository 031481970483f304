"""The monitor's memory on SQLite, PostgreSQL and MariaDB: the same walk through a bad week."""

from datetime import timedelta
from functools import partial

from sqlalchemy import select

from gateway.domain.words import TransferStage
from gateway.monitor import scan, watches
from gateway.monitor.watches import Pending
from gateway.storage.database import Tx
from gateway.storage.schema import balance_audit
from sandbox.devchain.faucet import USDC_MINT
from tests.monitor.lookout import Lookout
from tests.processors.solana_stage import LOCALNET, SOL, USDC


def test_a_bad_week_ends_with_every_payment_credited_once(lookout_everywhere: Lookout) -> None:
    lookout = lookout_everywhere
    lookout.watch_all()
    lookout.watch(lookout.stage.merchant)  # again: changes nothing
    wallet = lookout.stage.wallet(usdc=50 * USDC)
    forked = wallet.pay_sol(lookout.stage.merchant, SOL)
    lookout.stage.confirm()
    lookout.tick()
    wallet.rpc("dev_rollback", {"slots": 3})
    lookout.tick(scan.MAX_MISSES)
    assert lookout.sink.stage_of(forked) == "dropped"
    wallet.rpc("dev_reland")
    token = wallet.pay_token(str(USDC_MINT), lookout.stage.merchant, 5 * USDC)
    wallet.rpc("dev_fault", {"tx_lag": 100})
    lookout.stage.confirm()
    assert lookout.tick().unreadable == 3  # the token payment names both of his accounts
    wallet.rpc("dev_fault", {"clear": True})
    lookout.tick()
    assert lookout.pending() == {forked: "confirmed", token: "confirmed"}
    lookout.stage.finalize()
    lookout.tick()
    assert lookout.pending() == {}
    assert lookout.sink.credited() == {"SOL": SOL, "USDC": 5 * USDC}
    assert {lookout.row(account).cursor for account in lookout.stage.accounts()} == {token, None}
    assert lookout.row().scanned_until == lookout.clock.now()


def at_least(amount: int, _network: str, _account: str) -> int:
    """Explain the same amount of every account."""
    return amount


def test_openings_and_audits_are_exact_for_any_amount(lookout_everywhere: Lookout) -> None:
    lookout = lookout_everywhere
    lookout.stage.wallet(sol=0).rpc("requestAirdrop", lookout.stage.merchant, 10**13)
    lookout.stage.finalize()
    lookout.clock.advance(timedelta(minutes=5))
    lookout.watch_all()
    assert lookout.row().opening == 10**13 + SOL
    for explained, gap in ((-7, 7), (-9, 9), (0, 0), (5, -5)):
        report = lookout.monitor.audit(LOCALNET, partial(at_least, explained))
        assert {one.amount for one in report.gaps} == ({gap} if gap else set())
    query = select(balance_audit.c.gap).where(balance_audit.c.account == lookout.stage.merchant)
    assert lookout.db.read(lambda tx: tx.execute(query).scalars().all()) == [-5]


def test_a_hint_beside_a_tick_is_no_conflict(lookout_everywhere: Lookout) -> None:
    lookout = lookout_everywhere
    lookout.watch_all()
    signature = lookout.stage.wallet().pay_sol(lookout.stage.merchant, SOL)
    lookout.stage.confirm()
    known = {lookout.stage.merchant: dict[str, Pending]()}  # loaded by the tick before the hint wrote its row
    assert lookout.monitor.hint(LOCALNET, signature)
    assert lookout.monitor.hint(LOCALNET, signature)
    row = Pending(account=lookout.stage.merchant, signature=signature, slot=9, stage=TransferStage.CONFIRMED, misses=2)
    late = watches.Progress(watch=lookout.row(), keep=[row], forget=(), cursor=None, is_clean=True)
    lookout.db.write(lambda tx: watches.save(tx, [late], known=known, now=lookout.clock.now()))
    found = lookout.db.read(lambda tx: watches.load_pending(tx, LOCALNET, [lookout.stage.merchant]))
    assert found == {lookout.stage.merchant: {signature: row}}


def test_many_accounts_are_paged_and_forgotten_signatures_go_in_portions(lookout_everywhere: Lookout) -> None:
    lookout = lookout_everywhere
    count = 2 * watches.PAGE + 7
    accounts = [lookout.stage.processor.new_reference() for _ in range(count)]

    def fill(tx: Tx) -> None:
        for account in accounts:
            watches.add_watch(tx, network=LOCALNET, account=account, asset="SOL", now=lookout.clock.now())
        for number in range(1100):
            pending = Pending(account=accounts[0], signature=f"s{number}", slot=1, stage=None)
            watches.remember(tx, LOCALNET, pending, now=lookout.clock.now())

    lookout.db.write(fill)
    found = [one.account for page in watches.pages(lookout.db, LOCALNET) for one in page]
    assert sorted(found) == sorted(accounts)
    one = next(one for page in watches.pages(lookout.db, LOCALNET) for one in page if one.account == accounts[0])
    names = [f"s{number}" for number in range(1100)]
    gone = watches.Progress(watch=one, keep=(), forget=names, cursor=("c", 3), is_clean=False)
    lookout.db.write(lambda tx: watches.save(tx, [gone], known={accounts[0]: {}}, now=lookout.clock.now()))
    assert lookout.pending() == {}
    assert lookout.row(accounts[0]).cursor == "c"
