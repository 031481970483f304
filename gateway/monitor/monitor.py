"""The monitor itself: ticks, hints, the search by reference, and the audit.

What it saw goes to the sink first, then its own progress is written: a crash between the two repeats, and repeating is
harmless because the sink credits each fact once.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from gateway.domain.chain import ListedSignature
from gateway.domain.ports import ChainReader, ObservationSink
from gateway.domain.words import TransferStage
from gateway.kernel.clock import Clock
from gateway.kernel.errors import WorldError
from gateway.kernel.log import Log
from gateway.monitor import audit, scan, watches
from gateway.monitor.audit import AuditReport, Explained, Gap
from gateway.monitor.baseline import CallCount, take_baseline
from gateway.monitor.scan import Findings, Listing
from gateway.monitor.watches import Pending, Watch
from gateway.storage.database import Database, Tx

PAGE_LIMIT: Final = 1000  # signatures in one listing call, the most that nodes give
MAX_LISTED: Final = 50_000  # signatures of one account held at once; the oldest come first, the rest in later ticks
MAX_PAGES: Final = 1000  # a million signatures behind: then somebody must look
MAX_STAGES: Final = 256  # signatures in one call for stages
MAX_REFERENCED: Final = 100  # signatures looked at for one reference key

log: Final = Log("monitor")


@dataclass(frozen=True, slots=True, kw_only=True)
class TickReport:
    """What one tick cost and found.

    Attributes:
        calls: RPC calls made, batched ones counted one by one.
        listed: signatures listed above the cursors.
        read: signatures read.
        unreadable: signatures that could not be read and will be asked for again.
        final: facts that became final.
        dropped: facts that a fork took back.
        failed: accounts that could not be worked on; nothing about them is lost.
    """

    calls: int = 0
    listed: int = 0
    read: int = 0
    unreadable: int = 0
    final: int = 0
    dropped: int = 0
    failed: int = 0


@dataclass(slots=True)
class _Tally(CallCount):
    listed: int = 0
    read: int = 0
    unreadable: int = 0
    final: int = 0
    dropped: int = 0
    failed: int = 0
    worked: int = 0
    last_error: WorldError | None = None

    def add(self, findings: Findings) -> None:
        stages = [one.stage for one in findings.observations] + [one.stage for one in findings.changes]
        self.unreadable += findings.unreadable
        self.final += stages.count(TransferStage.FINAL)
        self.dropped += stages.count(TransferStage.DROPPED)

    def report(self) -> TickReport:
        return TickReport(
            calls=self.calls,
            listed=self.listed,
            read=self.read,
            unreadable=self.unreadable,
            final=self.final,
            dropped=self.dropped,
            failed=self.failed,
        )


@dataclass(frozen=True, slots=True)
class Monitor:
    """Watches the receiving accounts of every network that has a reader.

    Several may run at once: facts are credited once, and a cursor moves only from where its mover found it.
    """

    db: Database
    readers: Mapping[str, ChainReader]
    sink: ObservationSink
    clock: Clock

    def add_watch(self, tx: Tx, *, network: str, account: str, asset: str) -> bool:
        """Begin to watch an account from now on; return False if it is watched already."""
        assert network in self.readers, f"{network} has no reader"
        return watches.add_watch(tx, network=network, account=account, asset=asset, now=self.clock.now())

    def tick(self, network: str) -> TickReport:
        """Look once at every watched account of a network, and tell the sink what is new.

        Raises:
            TemporaryError: the node answered for no account at all; nothing is lost, try again later.
        """
        tally = _Tally()
        for page in self._pages(network):
            self._scan(self.readers[network], page, tally)
        if tally.last_error is not None and not tally.worked:
            raise tally.last_error
        return tally.report()

    def hint(self, network: str, *signatures: str) -> bool:
        """Read signatures now, because somebody says that they pay; return whether any touched our accounts.

        It proves nothing by itself: what counts is what the chain says of it.

        Raises:
            TemporaryError: the node does not answer.
        """
        return self._tell(network, signatures) > 0

    def find_by_reference(self, network: str, reference_key: str) -> int:
        """Look for one payment by its reference key, in case the index of its account hides it.

        Costs one call, and one for each signature found. Returns how many of them touched our accounts.

        Raises:
            TemporaryError: the node does not answer.
        """
        rows = self.readers[network].signatures(reference_key, until=None, before=None, limit=MAX_REFERENCED)
        good = [row.signature for row in rows if not row.has_failed]
        return self._tell(network, good) if good else 0

    def audit(self, network: str, explained: Explained) -> AuditReport:
        """Compare every account's final balance with its opening balance and what the books explain.

        Raises:
            TemporaryError: the node does not answer.
        """
        audited, unsettled = 0, 0
        gaps: list[Gap] = []
        for page in self._pages(network):
            findings, left_out = audit.compare(self.readers[network], page, explained)
            found = self.db.write(partial(audit.record_all, findings=findings, now=self.clock.now()))
            audited, unsettled = audited + len(findings), unsettled + left_out
            gaps += found
        for gap in gaps:
            audit.report_gap(gap)
        return AuditReport(audited=audited, unsettled=unsettled, gaps=tuple(gaps))

    def _pages(self, network: str) -> Iterator[list[Watch]]:
        """Yield watched accounts whose asset the reader knows; others wait where they are until it does again."""
        reader = self.readers[network]
        for page in watches.pages(self.db, network):
            known = [watch for watch in page if reader.accepts(watch.asset)]
            if len(known) < len(page):
                log.warning("assets_not_accepted", network=network, accounts=len(page) - len(known))
            if known:
                yield known

    def _scan(self, reader: ChainReader, page: Sequence[Watch], tally: _Tally) -> None:
        began = self.clock.now()
        known = self.db.read(lambda tx: watches.load_pending(tx, reader.network, [one.account for one in page]))
        listings = self._listings(reader, page, tally)
        stages = _stages(reader, listings, known, tally)
        reads = _reads(reader, listings, known, stages, tally)
        told = []
        for watch, listing in listings:
            findings = scan.conclude(watch, listing, pending=known[watch.account], stages=stages, reads=reads)
            if self._deliver(watch, findings):
                told.append(findings.progress(watch))
                tally.add(findings)
            else:
                tally.failed += 1
        if told:
            self.db.write(lambda tx: watches.save(tx, told, known=known, now=began))

    def _listings(self, reader: ChainReader, page: Sequence[Watch], tally: _Tally) -> list[tuple[Watch, Listing]]:
        """List every account of a page; one that fails is left to the next tick and does not hold up the others."""
        found = []
        for watch in page:
            try:
                started = watch if watch.opening is not None else self._start(reader, watch, tally)
                listing = None if started is None else _list(reader, started, tally)
            except WorldError as error:
                log.warning("account_not_listed", network=watch.network, account=watch.account, code=error.code)
                tally.failed, tally.last_error = tally.failed + 1, error
                continue
            tally.worked += 1
            if started is not None and listing is not None:
                tally.listed += len(listing.rows)
                found.append((started, listing))
        return found

    def _start(self, reader: ChainReader, watch: Watch, tally: _Tally) -> Watch | None:
        """Take the baseline of a new watch; None if it must wait."""
        baseline = take_baseline(reader, watch, tally)
        if baseline is None:
            return None
        self.db.write(lambda tx: watches.set_baseline(tx, watch, opening=baseline.opening, cursor=baseline.cursor))
        signature, slot = baseline.cursor or (None, None)
        return replace(watch, opening=baseline.opening, cursor=signature, cursor_slot=slot)

    def _deliver(self, watch: Watch, findings: Findings) -> bool:
        """Give findings to the sink; return False if it failed, so that they come again."""
        try:
            if findings.observations:
                self.sink.observe(findings.observations)
            if findings.changes:
                self.sink.restage(findings.changes)
        except Exception:  # a loop over accounts: one poisoned fact must not stop the others' money
            log.exception("sink_failed", network=watch.network, account=watch.account)
            return False
        return True

    def _tell(self, network: str, signatures: Sequence[str]) -> int:
        """Read signatures by name, tell what they did to our accounts, and remember them until they are final."""
        watched = {watch.account: watch for page in self._pages(network) for watch in page}
        assets = {account: watch.asset for account, watch in watched.items()}
        reads = self.readers[network].read(signatures, assets)
        effects = [
            effect
            for found in reads.values()
            for effect in found or ()
            if not scan.is_history(watched[effect.account], effect)
        ]
        if not effects:
            return 0
        self.sink.observe(effects)
        now = self.clock.now()

        def remember(tx: Tx) -> None:
            for effect in effects:
                pending = Pending(
                    account=effect.account, signature=effect.signature, slot=effect.slot, stage=effect.stage
                )
                watches.remember(tx, network, pending, now=now)

        self.db.write(remember)
        return len({effect.signature for effect in effects})


def _list(reader: ChainReader, watch: Watch, tally: CallCount) -> Listing | None:
    """Return what is above the cursor, oldest first; None if the cursor cannot be reached."""
    rows: deque[ListedSignature] = deque(maxlen=MAX_LISTED)
    before: str | None = None
    count = 0
    for _ in range(MAX_PAGES):
        page = reader.signatures(watch.account, until=watch.cursor, before=before, limit=PAGE_LIMIT)
        tally.calls += 1
        news = [row for row in page if scan.is_above_cursor(watch, row)]
        rows.extend(news)
        count += len(news)
        if len(page) < PAGE_LIMIT or not news:
            return Listing(rows=tuple(reversed(rows)), is_complete=count == len(rows))
        before = page[-1].signature
    log.error("backlog_too_deep", network=watch.network, account=watch.account)
    return None


def _stages(
    reader: ChainReader,
    listings: Sequence[tuple[Watch, Listing]],
    known: Mapping[str, Mapping[str, Pending]],
    tally: CallCount,
) -> dict[str, TransferStage | None]:
    """Ask for remembered signatures that the lists do not show."""
    lost = {
        signature: known[watch.account][signature].slot
        for watch, listing in listings
        for signature in scan.missing(listing, known[watch.account])
    }
    names = list(lost)
    stages: dict[str, TransferStage | None] = {}
    for start in range(0, len(names), MAX_STAGES):
        some = names[start : start + MAX_STAGES]
        stages |= reader.stages(some, reached=max(lost[signature] for signature in some))
        tally.calls += 1
    return stages


def _reads(
    reader: ChainReader,
    listings: Sequence[tuple[Watch, Listing]],
    known: Mapping[str, Mapping[str, Pending]],
    stages: Mapping[str, TransferStage | None],
    tally: _Tally,
) -> scan.Reads:
    """Read what is new, each signature once, however many of our accounts it touches."""
    limit = scan.fair_share([listing for _, listing in listings])
    wanted = dict.fromkeys(
        signature
        for watch, listing in listings
        for signature in scan.to_read(listing, known[watch.account], stages, limit=limit)
    )
    if not wanted:
        return {}
    reads = reader.read(list(wanted), {watch.account: watch.asset for watch, _ in listings})
    tally.calls += len(wanted)
    tally.read += sum(effects is not None for effects in reads.values())
    return reads
