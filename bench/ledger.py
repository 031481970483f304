"""Settles and postings per second on PostgreSQL, beside pgbench's TPC-B and django-hordak on the same server.

A settle is one durable database tx: a payment's row updated, one entry with four postings over three hot accounts and a
cold one through `Journal.post`, their four balances, one event's row. A batch settles fifty payments in one tx through
`Journal.post_many`. pgbench runs `-M prepared` at scale 10 with as many clients; django-hordak books the same entry
(bulk legs, no cached balances) and is compared with our entry alone, balances kept.
"""

import argparse
import itertools
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import sqlalchemy as sa

from bench.harness import (
    Meter,
    Table,
    Window,
    Workload,
    client_cpu_s,
    interleaved_best,
    parser,
    postgres_cpu_s,
    process_tree_cpu_s,
)
from gateway.kernel.clock import SystemClock
from gateway.kernel.ids import RandomIds, id_at
from gateway.kernel.money import Money
from gateway.ledger.entries import EntryDraft, Leg
from gateway.ledger.journal import Journal
from gateway.ledger.proof import verify
from gateway.storage.database import Database, Tx, open_database
from gateway.storage.migrate import upgrade
from tests.databases import POSTGRESQL, DatabaseServers, EngineMissingError

if TYPE_CHECKING:
    from hordak.models import Account

CLIENTS: Final = 4
BATCH: Final = 50
LEGS: Final = 4
SCALE: Final = 10  # pgbench's branches: more than clients, so that its branch row is no bottleneck of its own making
PAYMENTS: Final = 10_000  # as the statement below makes
COLD_ACCOUNTS: Final = 1000
SLOTS: Final = 16
WINDOW_S: Final = 1.0
WARM_UP: Final = 20
MOVES: Final = (("chain:bench:hot", 1000), ("merchant:available", -900), ("income:fee", -60))
PGBENCH_PATHS: Final = ("/usr/lib/postgresql/15/bin/pgbench", "/usr/lib/postgresql/16/bin/pgbench")
NOW: Final = datetime(2026, 11, 20, tzinfo=UTC)

TABLES: Final = """
CREATE TABLE bench_payment (id text PRIMARY KEY, status text NOT NULL, version int NOT NULL) WITH (fillfactor = 50);
CREATE TABLE bench_event (id text PRIMARY KEY, payment_id text NOT NULL, body text NOT NULL);
INSERT INTO bench_payment SELECT 'pay_' || n, 'open', 1 FROM generate_series(0, 9999) AS n;
"""
PAY_ONE: Final = "UPDATE bench_payment SET status = 'paid', version = version + 1 WHERE id = %s"
PAY_MANY: Final = "UPDATE bench_payment SET status = 'paid', version = version + 1 WHERE id = ANY(%s)"
TELL_ONE: Final = "INSERT INTO bench_event (id, payment_id, body) VALUES (%s, %s, %s)"
TELL_MANY: Final = """
INSERT INTO bench_event SELECT * FROM json_to_recordset(%s::json) AS event (id text, payment_id text, body text)
"""
EVENT: Final = json.dumps({"type": "payment.paid", "data": {"amount": "10.00", "currency": "USD"}})


class Settles:
    """The measured work over one database; every call settles payments that no call has settled in this version."""

    def __init__(self, db: Database, *, slots: int = 1) -> None:
        clock = SystemClock()
        self._db = db
        self._ids = RandomIds(clock)
        self._merchant = id_at("mer", clock.now(), entropy=slots)
        self._journal = Journal(self._ids, clock, slots={code: slots for code, _ in MOVES})
        self._numbers = itertools.count(1)
        for first in range(0, COLD_ACCOUNTS, 200):  # accounts are opened once in their life, not in every settle
            drafts = [self._draft(number) for number in range(first, first + 200)]
            db.write(partial(self._journal.post_many, drafts=drafts))

    def one(self) -> int:
        """Settle one payment."""
        draft = self._draft()

        def verb(tx: Tx) -> None:
            tx.exec_driver_sql(PAY_ONE, (f"pay_{draft.subject_version % PAYMENTS}",))
            tx.exec_driver_sql(TELL_ONE, (self._ids.new("evt"), draft.subject_id, EVENT))
            self._journal.post(tx, draft)  # last: it locks the hot balances until the commit

        self._db.write(verb)
        return 1

    def many(self) -> int:
        """Settle fifty payments in one tx."""
        drafts = [self._draft() for _ in range(BATCH)]
        # Sorted, so that two batches never wait for each other crosswise.
        payments = sorted(f"pay_{draft.subject_version % PAYMENTS}" for draft in drafts)

        def verb(tx: Tx) -> None:
            tx.exec_driver_sql(PAY_MANY, (payments,))
            events = [{"id": self._ids.new("evt"), "payment_id": one.subject_id, "body": EVENT} for one in drafts]
            tx.exec_driver_sql(TELL_MANY, (json.dumps(events),))
            self._journal.post_many(tx, drafts)

        self._db.write(verb)
        return BATCH

    def entry(self) -> int:
        """Book the entry alone."""
        draft = self._draft()
        self._db.write(lambda tx: self._journal.post(tx, draft))
        return 1

    def entries(self) -> int:
        """Book fifty entries in one tx."""
        drafts = [self._draft() for _ in range(BATCH)]
        self._db.write(lambda tx: self._journal.post_many(tx, drafts))
        return BATCH

    def _draft(self, cold: int | None = None) -> EntryDraft:
        number = next(self._numbers)
        legs = [Leg(code, Money(amount, "USD")) for code, amount in MOVES]
        legs.append(Leg(f"customer:{number % COLD_ACCOUNTS if cold is None else cold}", Money(-40, "USD")))
        return EntryDraft(
            merchant_id=self._merchant,
            livemode=False,
            kind="settlement",
            subject_id=f"pay_{number}",
            subject_version=number,
            legs=tuple(legs),
            effective_at=NOW,
        )


def in_threads(operation: Callable[[], int], clients: int = CLIENTS) -> Workload:
    """Return a workload in which `clients` threads repeat an operation."""

    def run(seconds: float) -> int:
        ends = time.perf_counter() + seconds

        def client() -> int:
            done = 0
            while time.perf_counter() < ends:
                done += operation()
            return done

        with ThreadPoolExecutor(clients) as threads:
            return sum(one.result() for one in [threads.submit(client) for _ in range(clients)])

    for _ in range(WARM_UP):
        operation()
    return run


# --- peers ---------------------------------------------------------------------------------------------------------


def pgbench(url: str) -> Workload:
    """Return pgbench's TPC-B as a workload; its own start-up is not counted.

    Raises:
        EngineMissingError: the server's package did not bring the program.
    """
    program = shutil.which("pgbench") or next((path for path in PGBENCH_PATHS if Path(path).exists()), None)
    if program is None:
        raise EngineMissingError("pgbench", "apt-get install postgresql")
    subprocess.run([program, "-i", "-q", "-s", str(SCALE), url], check=True, capture_output=True)

    def run(seconds: float) -> int:
        began = time.perf_counter()
        flags = ["-n", "-M", "prepared", "-j", "2", "-c", str(CLIENTS), "-T", str(max(1, round(seconds)))]
        told = subprocess.run([program, *flags, url], check=True, capture_output=True, text=True).stdout
        rate = re.search(r"tps = ([0-9.]+)", told)
        assert rate is not None, f"pgbench said no rate: {told}"
        return round(float(rate[1]) * (time.perf_counter() - began))

    return run


class HordakPeer:
    """django-hordak in a process of its own, told over its standard input how long to work."""

    def __init__(self, url: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "bench.ledger", "--hordak", url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answer()  # it is migrated and warm

    def run(self, seconds: float) -> int:
        """Book entries for so long and return how many."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{seconds}\n")
        self._process.stdin.flush()
        return int(self._answer())

    def cpu_s(self) -> float:
        """Return the peer's CPU seconds."""
        return process_tree_cpu_s(self._process.pid)

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "django-hordak's process ended early"
        return line

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=30)


def serve_hordak(url: str) -> None:
    """Be the peer: set Django up, migrate, then work whenever a number of seconds comes in."""
    accounts = _hordak_accounts(url)
    work = in_threads(lambda: _book_with_hordak(accounts))
    print("ready", flush=True)
    for line in sys.stdin:
        print(work(float(line)), flush=True)


def _hordak_accounts(url: str) -> "list[Account]":
    import django  # noqa: PLC0415 - settings must stand before its models are imported
    from django.conf import settings  # noqa: PLC0415 - as above

    parsed = sa.make_url(url)
    settings.configure(
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "mptt", "hordak"],
        DATABASES={"default": {
            "ENGINE": "django.db.backends.postgresql", "NAME": parsed.database, "USER": parsed.username or "",
            "PASSWORD": parsed.password or "", "HOST": parsed.host or parsed.query.get("host", ""),
            "PORT": parsed.port or "", "CONN_MAX_AGE": None,
        }},
        DEFAULT_CURRENCY="USD", CURRENCIES=["USD"], HORDAK_DECIMAL_PLACES=2, USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    )  # fmt: skip
    django.setup()
    from django.core.management import call_command  # noqa: PLC0415 - as above
    from hordak.models import Account, AccountType  # noqa: PLC0415 - as above

    call_command("migrate", verbosity=0)
    codes = [*(code for code, _ in MOVES), "customer"]
    return [
        Account.objects.create(name=code, code=str(number), type=AccountType.asset, currencies=["USD"])
        for number, code in enumerate(codes, 1)
    ]


def _book_with_hordak(accounts: "list[Account]") -> int:
    from django.db.transaction import atomic  # noqa: PLC0415 - as above
    from hordak.models import Leg as HordakLeg  # noqa: PLC0415 - as above
    from hordak.models import Transaction as HordakEntry  # noqa: PLC0415 - as above
    from moneyed import Money as HordakMoney  # noqa: PLC0415 - as above

    with atomic():
        entry = HordakEntry.objects.create(date=NOW.date(), description="settlement")
        amounts = [*(amount for _, amount in MOVES), -40]
        legs = []
        for account, amount in zip(accounts, amounts, strict=True):
            side = "debit" if amount > 0 else "credit"
            names: dict[str, Any] = {"transaction": entry, side: HordakMoney(abs(amount), "USD")}
            legs.append(HordakLeg(account=account, **names))
        HordakLeg.objects.bulk_create(legs)
    return 1


# --- the run -------------------------------------------------------------------------------------------------------


def main() -> int:
    """Run everything, print the table."""
    command = parser(__doc__)
    command.add_argument("--hordak", metavar="URL", help=argparse.SUPPRESS)
    arguments = command.parse_args()
    if arguments.hordak:
        serve_hordak(arguments.hordak)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        servers = DatabaseServers(Path(folder))
        try:
            best = _measure(*(servers.create(POSTGRESQL) for _ in range(3)))
        except EngineMissingError as error:
            print(f"bench ledger: skipped, {error}")
            return 0
        finally:
            servers.drop_all()
    _table(best).print(as_json=arguments.json)
    return 0


def _measure(ours: str, theirs: str, hordaks: str) -> dict[str, Window]:
    db = open_database(ours)
    upgrade(db)
    db.write(lambda tx: [tx.exec_driver_sql(line) for line in TABLES.split(";") if line.strip()])
    plain, spread = Settles(db), Settles(db, slots=SLOTS)
    pgbench_url = sa.make_url(theirs).set(drivername="postgresql").render_as_string(hide_password=False)
    with HordakPeer(hordaks) as hordak:
        workloads: dict[str, Workload] = {
            "pgbench": pgbench(pgbench_url),
            "single": in_threads(plain.one),
            "slots": in_threads(spread.one),
            "batch": in_threads(plain.many),
            "batch_one": in_threads(plain.many, 1),
            "entry": in_threads(plain.entry),
            "entries": in_threads(plain.entries),
            "hordak": hordak.run,
        }
        own: Mapping[str, Meter] = {"client": client_cpu_s, "server": postgres_cpu_s}
        meters = {name: own for name in workloads if name not in {"pgbench", "hordak"}}
        meters["hordak"] = {"client": hordak.cpu_s, "server": postgres_cpu_s}
        best = interleaved_best(workloads, window_s=WINDOW_S, meters=meters)
    report = db.snapshot(verify)
    assert report.is_clean, f"the books do not balance after the bench: {report.problems[:3]}"
    db.close()
    return best


def _table(best: Mapping[str, Window]) -> Table:
    table = Table("ledger")
    tps, hordak = best["pgbench"].per_s, best["hordak"].per_s
    beside = f"pgbench TPC-B, -M prepared -j2 -c{CLIENTS} -s{SCALE}: {tps:,.0f}/s"
    rows = [
        ("single", "settles, one a tx, 4 threads", beside),
        ("slots", f"settles, one a tx, hot accounts in {SLOTS} slots", beside),
        ("batch", f"settles, {BATCH} a tx, 4 threads", beside),
        ("batch_one", f"settles, {BATCH} a tx, 1 thread", beside),
        ("entry", "entries alone, one a tx, 4 threads", f"django-hordak: {hordak:,.0f}/s, without balances"),
        ("entries", f"entries alone, {BATCH} a tx, 4 threads", f"django-hordak: {hordak:,.0f}/s, without balances"),
    ]
    for name, label, peer in rows:
        window = best[name]
        table.add(label, window.per_s, "/s", beside=peer)
        table.add("  postings", window.per_s * LEGS, "/s", beside="")
        table.add("  client CPU", window.cpu_us("client"), "us", beside=f"server {window.cpu_us('server'):,.0f} us")
    table.add("django-hordak postings", hordak * LEGS, "/s", beside="")
    table.add("  client CPU", best["hordak"].cpu_us("client"), "us", beside="")
    batch = max(best["batch"].per_s, best["batch_one"].per_s)
    table.add("single / pgbench", best["single"].per_s / tps, "", beside="goal 0.7", key="ratio_pgbench_single")
    table.add("batch / pgbench", batch / tps, "", beside="goal 2.5", key="ratio_pgbench_batch")
    table.add("entry / hordak", best["entry"].per_s / hordak, "", beside="goal 2", key="ratio_hordak")
    table.add("entries / hordak", best["entries"].per_s / hordak, "", beside="goal 10", key="ratio_hordak_batch")
    table.add("client CPU of a settle", best["single"].cpu_us("client"), "us", beside="", key="cpu_us_single")
    table.add("client CPU in a batch", best["batch"].cpu_us("client"), "us", beside="", key="cpu_us_batch")
    return table


if __name__ == "__main__":
    sys.exit(main())
