"""What a tick of the monitor costs: calls and time at 100, 1,000 and 10,000 open payments, and with 1,000 new ones.

A served dev chain in this process, asked over HTTP; a merchant with two receiving accounts (SOL and USDC); open
payments are rows of payments and attempts, each with a reference key of its own. Calls are counted by the chain, not
by us. Beside each figure stands what a watcher of references must ask: one call for every open payment.
"""

import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import sqlalchemy as sa
from solders.hash import Hash
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from bench.harness import Table, parser
from gateway.domain.chain import ChainObservation, StageChange
from gateway.kernel.clock import SystemClock
from gateway.kernel.ids import RandomIds
from gateway.monitor import Monitor, TickReport
from gateway.processors.solana import SolanaConfig, SolanaProcessor, localnet_usdc
from gateway.storage import schema
from gateway.storage.database import Database, Tx, open_database
from gateway.storage.migrate import upgrade
from gateway.storage.types import Atomic
from sandbox.devchain import programs
from sandbox.devchain.chain import DevChain
from sandbox.devchain.faucet import USDC_MINT
from sandbox.devchain.records import Level
from sandbox.devchain.server import serve
from sandbox.devchain.wallet import TestWallet

NETWORK: Final = "solana:localnet"
OPEN_PAYMENTS: Final = (100, 1_000, 10_000)
NEW_TRANSFERS: Final = 1_000
TICKS: Final = 25
SOL: Final = 10**9


@dataclass(slots=True)
class Counting:
    """A sink that counts, so that the figures are the monitor's alone."""

    observed: int = 0
    final: int = 0
    signatures: set[str] = field(default_factory=set)

    def observe(self, observations: Sequence[ChainObservation]) -> None:
        """Count facts."""
        self.observed += len(observations)
        self.signatures.update(one.signature for one in observations)

    def restage(self, changes: Sequence[StageChange]) -> None:
        """Count facts that moved on."""
        self.final += len(changes)


@dataclass(slots=True)
class Yard:
    """Chain, database, monitor."""

    chain: DevChain
    url: str
    db: Database
    processor: SolanaProcessor
    merchant: TestWallet
    sink: Counting
    monitor: Monitor

    def calls(self) -> dict[str, int]:
        """Return the chain's count of calls since the last question."""
        found = self.merchant.rpc("dev_calls", {"reset": True})
        return {"methods": sum(found["methods"].values()), "http": found["http_requests"]}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    options = parser(__doc__).parse_args(arguments)
    table = Table("monitor")
    with tempfile.TemporaryDirectory() as folder, serve(DevChain(auto=False)) as server:
        db = open_database(f"sqlite:///{Path(folder) / 'bench.db'}")
        upgrade(db)
        config = SolanaConfig(network=NETWORK, rpc_urls=(server.url,), tokens=(localnet_usdc(str(USDC_MINT)),))
        processor, sink = SolanaProcessor({False: config}), Counting()
        monitor = Monitor(db, {NETWORK: processor.reader(NETWORK)}, sink, SystemClock())
        merchant = TestWallet(server.url, seed="merchant")
        yard = Yard(server.chain, server.url, db, processor, merchant, sink, monitor)
        _open_shop(yard)
        _idle_ticks(yard, table)
        _busy_tick(yard, table)
        processor.close()
        db.close()
    table.print(as_json=options.json)


def _open_shop(yard: Yard) -> None:
    yard.merchant.airdrop(SOL)
    yard.chain.tick(40)

    def watch(tx: Tx) -> None:
        for one in yard.processor.receiving_accounts(yard.merchant.address, livemode=False):
            yard.monitor.add_watch(tx, network=NETWORK, account=one.account, asset=one.asset)

    yard.db.write(watch)
    yard.monitor.tick(NETWORK)


def _idle_ticks(yard: Yard, table: Table) -> None:
    opened = 0
    for count in OPEN_PAYMENTS:
        _open_payments(yard, count - opened)
        opened = count
        yard.calls()
        times_ms = [_timed_tick(yard)[1] for _ in range(TICKS)]
        calls = yard.calls()["methods"] // TICKS
        label = f"{count:,} open payments"
        table.add(f"calls a tick, {label}", calls, "", beside=f"{count:,} by reference", key=f"calls_{count}")
        key = f"tick_ms_{count}" if count == OPEN_PAYMENTS[-1] else None
        table.add(f"time a tick, {label}", statistics.median(times_ms), "ms", beside="constant", key=key)


def _busy_tick(yard: Yard, table: Table) -> None:
    yard.sink.signatures.clear()
    _pay(yard, NEW_TRANSFERS)
    yard.chain.tick(2)
    yard.calls()
    report, elapsed_ms = _timed_tick(yard)
    calls = yard.calls()
    assert len(yard.sink.signatures) == report.read == NEW_TRANSFERS, (report, len(yard.sink.signatures))
    label = f"{NEW_TRANSFERS:,} new transfers"
    beside = f"{NEW_TRANSFERS + 2:,} = one an account, one a transfer; a full page costs one more"
    table.add(f"calls of a tick with {label}", calls["methods"], "", beside=beside, key="calls_1000_new")
    table.add("HTTP requests of that tick", calls["http"], "", beside="batches of 50", key="requests_1000_new")
    table.add(
        "time of that tick, verified", elapsed_ms, "ms", beside="70-410 ms for the reads alone", key="tick_ms_1000_new"
    )
    yard.chain.tick(40)
    assert yard.chain.slot(Level.FINALIZED) > 0
    report, elapsed_ms = _timed_tick(yard)
    assert report.final == NEW_TRANSFERS, report
    table.add("time until all are told final", elapsed_ms, "ms", beside=f"{yard.calls()['methods']} calls")


def _timed_tick(yard: Yard) -> tuple[TickReport, float]:
    began = perf_counter()
    report = yard.monitor.tick(NETWORK)
    return report, (perf_counter() - began) * 1000


def _open_payments(yard: Yard, count: int) -> None:
    """Insert open payments with their attempts, as the engine leaves them where a tick could care."""
    ids, now = RandomIds(SystemClock()), datetime.now(UTC)
    payments: list[dict[str, Any]] = []
    attempts: list[dict[str, Any]] = []
    for _ in range(count):
        common = {"merchant_id": "mer_bench", "livemode": False, "created_at": now, "expires_at": now}
        payment = common | {"id": ids.new("pay"), "session_id": ids.new("cs"), "status": "open"}
        payments.append(_filled(schema.payment, payment))
        attempt = common | {"id": ids.new("att"), "payment_id": payment["id"], "network": NETWORK}
        attempt |= {"reference_key": yard.processor.new_reference(), "account": yard.merchant.address}
        attempts.append(_filled(schema.attempt, attempt))

    def insert(tx: Tx) -> None:
        tx.execute(schema.payment.insert(), payments)
        tx.execute(schema.attempt.insert(), attempts)

    yard.db.write(insert)


def _filled(table: sa.Table, row: dict[str, Any]) -> dict[str, Any]:
    """Return a row whose other required columns hold something: a tick reads none of them."""
    required = [column for column in table.columns if not column.nullable and column.name not in row]
    return row | {column.name: 1 if _counts(column) else "x" for column in required}


def _counts(column: sa.Column[Any]) -> bool:
    return isinstance(column.type, sa.Integer | Atomic | sa.Boolean)


def _pay(yard: Yard, count: int) -> None:
    """Land transfers to the merchant, each with a reference of its own."""
    payer = TestWallet(yard.url)
    payer.airdrop(100 * SOL)
    blockhash = Hash.from_string(payer.rpc("getLatestBlockhash")["value"]["blockhash"])
    for number in range(count):
        reference = Pubkey.from_string(yard.processor.new_reference())
        step = programs.sol_transfer(payer.public_key, yard.merchant.public_key, 1000 + number, (reference,))
        message = MessageV0.try_compile(payer.public_key, [step], [], blockhash)
        yard.chain.submit(VersionedTransaction(message, [payer.keypair]))


if __name__ == "__main__":
    main()
