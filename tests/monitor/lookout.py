"""A lookout for monitor tests: a chain and a merchant, a real database, a recording sink, and the monitor between."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from sqlalchemy import select

from gateway.domain.chain import ChainObservation, StageChange
from gateway.domain.words import TransferStage
from gateway.kernel.clock import ManualClock
from gateway.monitor import Monitor, TickReport, watches
from gateway.monitor.watches import Watch
from gateway.storage.database import Database
from gateway.storage.schema import pending_signature
from tests.processors.solana_stage import LOCALNET, Stage

ORDER = {TransferStage.DROPPED: 0, TransferStage.SEEN: 1, TransferStage.CONFIRMED: 2, TransferStage.FINAL: 3}


@dataclass(slots=True)
class RecordingSink:
    """Keeps one fact for each signature and account, as the engine does; repeats change nothing."""

    facts: dict[tuple[str, str], ChainObservation] = field(default_factory=dict)
    stages: dict[tuple[str, str], TransferStage] = field(default_factory=dict)
    log: list[tuple[str, str, TransferStage]] = field(default_factory=list)
    fails: BaseException | None = None

    def observe(self, observations: Sequence[ChainObservation]) -> None:
        self._fail()
        for one in observations:
            key = (one.signature, one.account)
            self.facts.setdefault(key, one)
            self.log.append(("observe", one.signature, one.stage))
            if ORDER[one.stage] > ORDER[self.stages.get(key, TransferStage.DROPPED)]:
                self.stages[key] = one.stage

    def restage(self, changes: Sequence[StageChange]) -> None:
        self._fail()
        for one in changes:
            key = (one.signature, one.account)
            self.log.append(("restage", one.signature, one.stage))
            if key in self.facts:
                self.stages[key] = one.stage

    def _fail(self) -> None:
        if self.fails is not None:
            raise self.fails

    def stage_of(self, signature: str) -> TransferStage | None:
        found = {stage for (name, _), stage in self.stages.items() if name == signature}
        assert len(found) <= 1, found
        return found.pop() if found else None

    def explained(self, _network: str, account: str) -> int:
        """Return what final facts explain of an account, as the books would."""
        return sum(
            fact.net - fact.fee
            for (signature, owner), fact in self.facts.items()
            if owner == account and self.stages[signature, owner] is TransferStage.FINAL
        )

    def credited(self) -> dict[str, int]:
        """Return the sums of what stands, by asset."""
        sums: dict[str, int] = {}
        for key, fact in self.facts.items():
            if self.stages[key] is not TransferStage.DROPPED:
                sums[fact.asset] = sums.get(fact.asset, 0) + fact.net
        return sums


@dataclass(slots=True)
class Lookout:
    """What a test acts with."""

    stage: Stage
    db: Database
    clock: ManualClock
    sink: RecordingSink
    monitor: Monitor

    def watch_all(self) -> None:
        """Watch every account of the merchant, and take the baselines."""
        self.watch(*self.stage.accounts())
        self.tick()

    def watch(self, *accounts: str) -> None:
        assets = self.stage.accounts()
        for account in accounts:
            add = partial(self.monitor.add_watch, network=LOCALNET, account=account, asset=assets[account])
            self.db.write(add)

    def tick(self, times: int = 1) -> TickReport:
        """Tick, a second apart; return the last report."""
        report = TickReport()
        for _ in range(times):
            self.clock.advance(timedelta(seconds=1))
            report = self.monitor.tick(LOCALNET)
        return report

    def row(self, account: str | None = None) -> Watch:
        """Return the watch of an account, by default of the merchant's SOL."""
        found = [one for page in watches.pages(self.db, LOCALNET) for one in page]
        return next(one for one in found if one.account == (account or self.stage.merchant))

    def pending(self) -> dict[str, str]:
        """Return the remembered signatures with their stages."""
        query = select(pending_signature.c.signature, pending_signature.c.stage)
        return self.db.read(lambda tx: {row.signature: row.stage for row in tx.execute(query)})


def a_lookout(stage: Stage, clock: ManualClock, database: Database) -> Lookout:
    sink = RecordingSink()
    monitor = Monitor(database, {LOCALNET: stage.reader}, sink, clock)
    return Lookout(stage, database, clock, sink, monitor)
