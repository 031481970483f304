"""Webhooks: deliveries per second through the dispatcher beside a bare HTTP loop that posts the same bytes.

Both use 16 threads and kept-alive connections to one raw asyncio sink in a process of its own, and take turns. The
dispatcher also claims, signs, guards, logs and completes every delivery in a durable database; the bare loop is urllib3
without any of that.
"""

import asyncio
import contextlib
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import urllib3  # noqa: E402 - the project's root must be on the path first

from bench.harness import Meter, Table, client_cpu_s, interleaved_best, parser, postgres_cpu_s  # noqa: E402 - the same as above
from gateway.domain.events import Event, EventType  # noqa: E402 - the same as above
from gateway.kernel.clock import SystemClock  # noqa: E402 - the same as above
from gateway.kernel.ids import RandomIds  # noqa: E402 - the same as above
from gateway.keys.secrets import SecretBox  # noqa: E402 - the same as above
from gateway.keys.tokens import new_webhook_secret  # noqa: E402 - the same as above
from gateway.outbox import events  # noqa: E402 - the same as above
from gateway.outbox.delivery import Dispatcher, DispatchPolicy  # noqa: E402 - the same as above
from gateway.outbox.endpoints import Endpoints  # noqa: E402 - the same as above
from gateway.outbox.guard import OutboundPolicy  # noqa: E402 - the same as above
from gateway.outbox.http import GuardedHttp  # noqa: E402 - the same as above
from gateway.storage.database import Database, Tx, open_database  # noqa: E402 - the same as above
from gateway.storage.migrate import upgrade  # noqa: E402 - the same as above
from tests.databases import POSTGRESQL, SQLITE, DatabaseServers, EngineMissingError  # noqa: E402 - the same as above

THREADS = 16
ENDPOINTS = 4
EVENTS = 15_000  # a row each for every endpoint: more than the windows can use up
SEED_BATCH = 500
DRAIN = 1000  # rows a drain: many in a window, so that its end is sharp
ROUNDS = 5
GOAL = 0.70
MERCHANT = "mer_01jd4k0000e008000000000001"


class Sink(asyncio.Protocol):
    """Answers every complete request with 204 and reads nothing of it but its length."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        """Answer as soon as head and body are there."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
            if len(self._buffer) < end + 4 + length:
                return
            self._buffer = self._buffer[end + 4 + length :]
            self._transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")


async def serve_sink() -> None:
    """Serve on a free port, print it, and stay until killed."""
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", 0, backlog=256)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextlib.contextmanager
def sink() -> Iterator[int]:
    """Run the sink as a process of its own; yield its port."""
    with subprocess.Popen([sys.executable, __file__, "--sink"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


def a_payment(ids: RandomIds, clock: SystemClock) -> Event:
    """Return an event of an ordinary size, about one kilobyte."""
    return Event(
        id=ids.new("evt"),
        type=EventType.PAYMENT_SUCCEEDED,
        merchant_id=MERCHANT,
        livemode=False,
        object_id=ids.new("pay"),
        sequence=1,
        created_at=clock.now(),
        data={"object": "payment", "status": "paid", "amount": "12.30", "currency": "USD", "note": "x" * 700},
    )


class Outgoing:
    """A database full of due events, and the dispatcher that sends them to the sink."""

    def __init__(self, db: Database, port: int) -> None:
        self.db, self._clock = db, SystemClock()
        self._ids, box = RandomIds(self._clock), SecretBox(bytes(32))
        outbound = OutboundPolicy(allowed=frozenset({f"127.0.0.1:{port}"}))
        self._endpoints = Endpoints(
            box=box, clock=self._clock, ids=self._ids, new_secret=new_webhook_secret, policy=outbound
        )
        self._http = GuardedHttp(outbound)
        policy = DispatchPolicy(threads=THREADS, per_endpoint=THREADS)
        self._dispatcher = Dispatcher(db, box, self._clock, self._ids, http=self._http, policy=policy)
        self._port = port

    def seed(self) -> bytes:
        """Fill the outbox; return the body of one event for the bare loop."""
        for number in range(ENDPOINTS):
            url = f"http://127.0.0.1:{self._port}/hook/{number}"
            self.db.write(lambda tx, url=url: self._endpoints.create(tx, MERCHANT, livemode=False, url=url))  # type: ignore[misc]  # mypy infers no lambda defaults
        for _ in range(EVENTS // SEED_BATCH):
            self.db.write(self._append_batch)
        return a_payment(self._ids, self._clock).body().encode()

    def _append_batch(self, tx: Tx) -> None:
        for _ in range(SEED_BATCH):
            events.append(tx, a_payment(self._ids, self._clock))

    def deliver(self, window_s: float) -> int:
        """Drain for about `window_s` seconds; return how many deliveries were recorded as succeeded."""
        done, ends_at = 0, time.perf_counter() + window_s
        while time.perf_counter() < ends_at:
            report = self._dispatcher.drain(DRAIN)
            done += report.succeeded
            assert report.failed == 0, "the sink takes everything"
            assert report.claimed, "the outbox ran dry: seed more events"
        return done

    def close(self) -> None:
        """Stop the threads and close the connections."""
        self._dispatcher.close()
        self._http.close()


def bare_loop(port: int, body: bytes) -> Callable[[float], int]:
    """Return a workload that posts `body` from 16 threads with urllib3 and nothing else."""
    pool = urllib3.HTTPConnectionPool("127.0.0.1", port, maxsize=THREADS)
    headers = {"content-type": "application/json", "user-agent": "bare"}

    def post_until(ends_at: float, counts: list[int]) -> None:
        done = 0
        while time.perf_counter() < ends_at:
            response = pool.urlopen("POST", "/hook/0", body=body, headers=headers, retries=False)
            assert response.status == 204
            done += 1
        counts.append(done)

    def workload(window_s: float) -> int:
        counts: list[int] = []
        ends_at = time.perf_counter() + window_s
        threads = [threading.Thread(target=post_until, args=(ends_at, counts)) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(counts)

    return workload


def fresh_database(servers: DatabaseServers) -> tuple[str, Database]:
    """Return the kind and a migrated database: PostgreSQL where one answers, else SQLite."""
    try:
        kind, url = POSTGRESQL, servers.create(POSTGRESQL)
    except EngineMissingError:
        kind, url = SQLITE, servers.create(SQLITE)
    db = open_database(url)
    upgrade(db)
    return kind, db


def measure(kind: str, outgoing: Outgoing, port: int, body: bytes) -> Table:
    """Let both take turns and return the table."""
    meters: dict[str, dict[str, Meter]] = {"outbox": {"process": client_cpu_s}, "bare": {"process": client_cpu_s}}
    if kind == POSTGRESQL:
        meters["outbox"]["database"] = postgres_cpu_s
    workloads = {"outbox": outgoing.deliver, "bare": bare_loop(port, body)}
    best = interleaved_best(workloads, rounds=ROUNDS, meters=meters)
    ours, bare = best["outbox"], best["bare"]
    table = Table("webhooks")
    table.add(f"outbox on {kind}", ours.per_s, "deliveries/s", beside=f"{THREADS} threads, {ENDPOINTS} endpoints")
    table.add("bare urllib3 loop", bare.per_s, "posts/s", beside=f"{THREADS} threads, no database, no signature")
    table.add("outbox / bare", ours.per_s / bare.per_s, "", beside=f">= {GOAL}", key="ratio_bare")
    table.add("CPU per delivery", ours.cpu_us(), "us", beside=f"bare: {bare.cpu_us():,.0f} us", key="cpu_us_delivery")
    return table


def main() -> int:
    """Run the bench."""
    command = parser(__doc__)
    command.add_argument("--sink", action="store_true", help="be the sink")
    arguments = command.parse_args()
    if arguments.sink:
        asyncio.run(serve_sink())
        return 0
    with tempfile.TemporaryDirectory() as folder, sink() as port:
        servers = DatabaseServers(Path(folder))
        kind, db = fresh_database(servers)
        outgoing = Outgoing(db, port)
        try:
            measure(kind, outgoing, port, outgoing.seed()).print(as_json=arguments.json)
        finally:
            outgoing.close()
            db.close()
            servers.drop_all()
    return 0


if __name__ == "__main__":
    sys.exit(main())
