"""Cards: webhooks taken in at the door and payments settled from them, beside raw verification and one INSERT.

The door is the real server's (`streampay-server serve`); the payments are read over HTTP at a Test Bank in a process of
its own. The raw loop verifies the same bodies and repeats, with four clients, the very INSERT that one notification was
heard to be. All take turns and share this machine's cores. The time to answer is measured at 200 webhooks a second,
from the moment each was due, with the server's background work on.
"""

import asyncio
import contextlib
import hashlib
import hmac
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import requests
import sqlalchemy as sa

from bench.harness import (
    Meter,
    Table,
    Workload,
    client_cpu_s,
    interleaved_best,
    parser,
    percentile,
    postgres_cpu_s,
    process_tree_cpu_s,
)
from gateway.domain.merchants import MerchantSettings
from gateway.domain.words import PaymentStatus
from gateway.engine.idempotency import Intent
from gateway.engine.records import Owner
from gateway.engine.sessions import NewSession
from gateway.kernel.money import parse_money
from gateway.settings import load_settings
from gateway.storage import schema
from gateway.storage.database import open_database
from gateway.storage.migrate import upgrade
from gateway.wiring import House, build_house
from sandbox.test_bank import Bank, serve
from tests.databases import POSTGRESQL, SQLITE, DatabaseServers, EngineMissingError

ADDRESS: Final = "127.0.0.1"
SECRET: Final = "whsec_bench"  # noqa: S105 - it signs what this bench makes up
CONNECTIONS: Final = 16
RAW_CLIENTS: Final = 4
ROUNDS: Final = 5
WINDOW_S: Final = 1.5
WARM_UP_S: Final = 1.0
PACE_PER_S: Final = 200
PACED_S: Final = 5.0
PACED_ROUNDS: Final = 3
SETTLED_A_ROUND: Final = 50
GOOD_CARD: Final = "4242424242424242"

Event = dict[str, Any]


# --- the bank -------------------------------------------------------------------------------------------------------


def be_the_bank() -> None:
    """Serve a bank, print its address, and pay every page that standard input names."""
    with serve(Bank(seed=uuid.uuid4().hex)) as running:
        print(running.url, flush=True)
        for line in sys.stdin:
            paid = running.bank.pay_by_card(
                line.strip(), number=GOOD_CARD, exp_month=12, exp_year=2034, cvc="123", name="Jo Bench"
            )
            print(paid.kind, flush=True)


class BankNextDoor:
    """A bank in a process of its own: its work is not ours, and must not be counted as such."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "bench.stripe", "--bank"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = self._answer()

    def pay(self, page: str) -> None:
        """Let a shopper pay a page by a good card."""
        assert self._process.stdin is not None, "it is a pipe"
        self._process.stdin.write(f"{page}\n")
        self._process.stdin.flush()
        assert self._answer() == "paid"

    def completed(self) -> list[Event]:
        """Return the event of every completed page, newest first."""
        query, found, has_more = {"limit": "100", "type": "checkout.session.completed"}, list[Event](), True
        while has_more:
            page = requests.get(f"{self.url}/v1/events", params=query, auth=("sk_test_bench", ""), timeout=20).json()
            found += page["data"]
            has_more = page["has_more"]
            query["starting_after"] = found[-1]["id"] if found else ""
        return found

    def close(self) -> None:
        """Close it."""
        self._process.kill()
        self._process.communicate()

    def _answer(self) -> str:
        assert self._process.stdout is not None, "it is a pipe"
        return self._process.stdout.readline().strip()


def signature_of(body: bytes) -> str:
    """Return the header under which Stripe would send a body now."""
    stamp = str(int(time.time()))
    return f"t={stamp},v1={hmac.digest(SECRET.encode(), stamp.encode() + b'.' + body, hashlib.sha256).hex()}"


class Fresh:
    """Makes events of other people's objects: as large as ours, each new, and not worth a call to the bank."""

    def __init__(self, example: Event) -> None:
        text = json.dumps(example, indent=2)
        self._text = re.sub(r"\b(att|pay|op|cs_test|pi)_\w+", "other", text).replace(example["id"], "{unique}")
        self._numbers = itertools.count()
        self._run = uuid.uuid4().hex[:12]

    def body(self) -> bytes:
        """Return one that never was before."""
        return self._text.replace("{unique}", f"evt_{self._run}{next(self._numbers)}").encode()


# --- the door -------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Door:
    """The server's door, and connections that send webhooks to it."""

    port: int
    pid: int
    fresh: Fresh
    latencies_ms: list[float] = field(default_factory=list)

    def __call__(self, window_s: float) -> int:
        """Send as fast as it answers; return how many were taken."""
        self.latencies_ms = []
        asyncio.run(self._hurry(time.perf_counter() + window_s))
        return len(self.latencies_ms)

    def paced(self, seconds: float) -> list[float]:
        """Send 200 a second, whether or not it keeps up; return how long after its due time each was answered."""
        self.latencies_ms = []
        asyncio.run(self._keep_pace(seconds))
        return self.latencies_ms

    async def _hurry(self, deadline: float) -> None:
        async def send() -> None:
            async with _connected(self.port) as (reader, writer):
                while time.perf_counter() < deadline:
                    await self._exchange(reader, writer, due_at=time.perf_counter())

        await asyncio.gather(*(send() for _ in range(CONNECTIONS)))

    async def _keep_pace(self, seconds: float) -> None:
        began, numbers = time.perf_counter(), iter(range(int(seconds * PACE_PER_S)))

        async def send() -> None:
            async with _connected(self.port) as (reader, writer):
                for number in numbers:
                    due_at = began + number / PACE_PER_S
                    await asyncio.sleep(max(0.0, due_at - time.perf_counter()))
                    await self._exchange(reader, writer, due_at=due_at)

        await asyncio.gather(*(send() for _ in range(CONNECTIONS)))

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, due_at: float) -> None:
        body = self.fresh.body()
        head = (
            f"POST /inbound/stripe HTTP/1.1\r\nHost: {ADDRESS}\r\nContent-Type: application/json\r\n"
            f"Stripe-Signature: {signature_of(body)}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", answer, re.IGNORECASE)
        assert length is not None, answer
        await reader.readexactly(int(length[1]))
        assert answer.startswith(b"HTTP/1.1 200"), answer
        self.latencies_ms.append((time.perf_counter() - due_at) * 1000)


@contextlib.asynccontextmanager
async def _connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(ADDRESS, port)
    try:
        yield reader, writer
    finally:
        writer.close()


@contextlib.contextmanager
def serving(environment: Mapping[str, str], folder: Path, fresh: Fresh) -> Iterator[Door]:
    """Run the real server on an empty database."""
    port = int(environment["STREAMPAY_PORT"])
    with (folder / f"server-{port}.log").open("wb") as log:
        command = [sys.executable, "-m", "hosted_checkout.cli", "serve"]
        process = subprocess.Popen(command, env=os.environ | environment, stdout=log, stderr=log)
        try:
            _await_ready(process, port)
            yield Door(port=port, pid=process.pid, fresh=fresh)
        finally:
            process.terminate()
            process.wait(20)


def _await_ready(process: subprocess.Popen[bytes], port: int) -> None:
    for _ in range(300):
        assert process.poll() is None, "the server did not start"
        try:
            requests.get(f"http://{ADDRESS}:{port}/readyz", timeout=1).raise_for_status()
        except requests.RequestException:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError("the server did not answer within 30 s")


# --- the raw loop ---------------------------------------------------------------------------------------------------


class RawLoop:
    """Verifies a body and repeats the INSERT that a notification was heard to be; nothing else."""

    def __init__(self, house: House, fresh: Fresh) -> None:
        self._engine = house.db.engine
        self._fresh = fresh
        self._clients = RAW_CLIENTS if house.db.dialect == "postgresql" else 1  # SQLite has one writer
        body = fresh.body()
        self._event_id = json.loads(body)["id"]
        self._statement, self._row = _heard(house, body)
        values = self._row.values() if isinstance(self._row, Mapping) else self._row
        self._row_id = next(value for value in values if str(value).startswith("ntf_"))

    def __call__(self, window_s: float) -> int:
        """Take in for `window_s` seconds; return how many committed."""
        deadline = time.perf_counter() + window_s
        with ThreadPoolExecutor(self._clients) as pool:
            return sum(pool.map(lambda _: self._client(deadline), range(self._clients)))

    def _client(self, deadline: float) -> int:
        done = 0
        with contextlib.closing(self._engine.raw_connection()) as connection:
            cursor = connection.cursor()
            while time.perf_counter() < deadline:
                event_id = self._verified()
                cursor.execute(self._statement, self._renewed(event_id))
                connection.commit()
                done += 1
        return done

    def _verified(self) -> str:
        body = self._fresh.body()
        header = signature_of(body)
        stamp, signature = (part.partition("=")[2] for part in header.split(","))
        expected = hmac.digest(SECRET.encode(), stamp.encode() + b"." + body, hashlib.sha256).hex()
        assert hmac.compare_digest(expected, signature)
        return str(json.loads(body)["id"])

    def _renewed(self, event_id: str) -> Any:
        """Return the parameters with fresh ids; drivers take them by name or by place."""
        fresh = {self._event_id: event_id, self._row_id: f"ntf_{uuid.uuid4().hex[:26]}"}
        if isinstance(self._row, Mapping):
            return {name: _fresh_or_same(fresh, value) for name, value in self._row.items()}
        return tuple(_fresh_or_same(fresh, value) for value in self._row)


def _fresh_or_same(fresh: Mapping[str, str], value: Any) -> Any:
    return fresh.get(value, value) if isinstance(value, str) else value


def _heard(house: House, body: bytes) -> tuple[str, Any]:
    """Return the INSERT and its parameters as the driver got them, by listening to one notification."""
    heard: list[tuple[str, Any]] = []

    def listen(*event: Any) -> None:
        heard.append((event[2], event[3]))

    sa.event.listen(house.db.engine, "before_cursor_execute", listen)
    house.engine.inbound.accept("stripe", body, {"Stripe-Signature": signature_of(body)})
    sa.event.remove(house.db.engine, "before_cursor_execute", listen)
    return next(one for one in heard if "notification" in one[0] and one[0].startswith("INSERT"))


# --- payments -------------------------------------------------------------------------------------------------------


class Till:
    """A merchant whose shoppers have paid at the bank; notifications settle their payments here."""

    def __init__(self, house: House, bank: BankNextDoor) -> None:
        self._house = house
        merchant = house.engine.merchants.create("Bench", MerchantSettings())
        self._owner = Owner(merchant_id=merchant.id, livemode=False)
        self._bank = bank
        self._waiting: list[Event] = []
        self.settled = 0

    def fill(self, count: int) -> None:
        """Let so many shoppers pay; the gateway has not heard of it."""
        for number in range(count):
            self._bank.pay(self._page(number))
        self._waiting = self._bank.completed()
        assert len(self._waiting) == count

    def example(self) -> Event:
        """Return one event of the bank's."""
        return self._waiting[0]

    def notify(self, _: float) -> int:
        """Take in the notifications of one round."""
        due, self._waiting = self._waiting[:SETTLED_A_ROUND], self._waiting[SETTLED_A_ROUND:]
        for event in due:
            body = json.dumps(event, indent=2).encode()
            self._house.engine.inbound.accept("stripe", body, {"Stripe-Signature": signature_of(body)})
        return len(due)

    def settle(self, _: float) -> int:
        """Work on what came: read at the bank, store, derive, post, tell."""
        table = schema.payment
        done = self._house.engine.inbound.drain()
        query = sa.select(sa.func.count()).where(table.c.status == PaymentStatus.PAID.value)
        before, self.settled = self.settled, self._house.db.read(lambda tx: int(tx.scalar(query) or 0))
        assert self.settled - before == done, "each of them is paid now"
        return done

    def _page(self, number: int) -> str:
        new = NewSession(
            amount=parse_money("12.30", "USD"), reference=f"order-{number}", success_url="https://shop.example/ok",
            cancel_url=None, customer_email=None, locale=None, line_items=[], methods=None,
            expires_in=timedelta(hours=1), metadata={},
        )  # fmt: skip
        engine = self._house.engine
        intent = Intent(owner=self._owner, route="bench", key=None, request_hash="")
        token = json.loads(engine.sessions.create(intent, new).body)["url"].rsplit("/", 1)[1]
        return engine.checkout.redirect(token, "card").rsplit("/", 1)[1].partition("#")[0]


# --- the table ------------------------------------------------------------------------------------------------------


def environment_of(url: str, bank: BankNextDoor, port: int, *, background: bool) -> dict[str, str]:
    """Return what a gateway on this database is told."""
    return {
        "STREAMPAY_DATABASE_URL": url,
        "STREAMPAY_BASE_URL": f"http://{ADDRESS}:{port}",
        "STREAMPAY_PORT": str(port),
        "STREAMPAY_BACKGROUND": "yes" if background else "no",
        "STREAMPAY_LOG_LEVEL": "WARNING",
        "STREAMPAY_SECRET_KEYS": "A" * 43 + "=",
        "STREAMPAY_STRIPE_TEST_KEY": "sk_test_bench",
        "STREAMPAY_STRIPE_TEST_WEBHOOK_SECRETS": SECRET,
        "STREAMPAY_STRIPE_TEST_BASE_URL": bank.url,
        "STREAMPAY_SOLANA_TEST_NETWORK": "",
        "STREAMPAY_SOLANA_LIVE_NETWORK": "",
    }


@contextlib.contextmanager
def open_house(url: str, bank: BankNextDoor) -> Iterator[House]:
    """Open a gateway in this process."""
    house = build_house(load_settings(environment_of(url, bank, 1, background=False)))
    try:
        yield house
    finally:
        house.close()


def fresh_databases(servers: DatabaseServers) -> tuple[str, list[str]]:
    """Return the kind and four migrated databases: PostgreSQL where one answers, else SQLite."""
    try:
        kind, urls = POSTGRESQL, [servers.create(POSTGRESQL)]
    except EngineMissingError:
        kind, urls = SQLITE, [servers.create(SQLITE)]
    urls += [servers.create(kind) for _ in range(3)]
    for url in urls:
        database = open_database(url)
        upgrade(database)
        database.close()
    return kind, urls


def main() -> int:
    """Run the bench."""
    command = parser(__doc__)
    command.add_argument("--bank", action="store_true", help="be the bank")
    options = command.parse_args()
    if options.bank:
        be_the_bank()
        return 0
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder, bank = Path(name), BankNextDoor()
        stack.callback(bank.close)
        servers = DatabaseServers(folder)
        stack.callback(servers.drop_all)
        kind, (door_url, paced_url, raw_url, till_url) = fresh_databases(servers)
        raw_house, till_house = (stack.enter_context(open_house(url, bank)) for url in (raw_url, till_url))
        till = Till(till_house, bank)
        till.fill(SETTLED_A_ROUND * (ROUNDS + 1))
        fresh = Fresh(till.example())
        door = stack.enter_context(serving(environment_of(door_url, bank, 18490, background=False), folder, fresh))
        table = measure(kind, door, RawLoop(raw_house, fresh), till)
        paced = stack.enter_context(serving(environment_of(paced_url, bank, 18491, background=True), folder, fresh))
        add_pace(table, paced)
        table.print(as_json=options.json)
    return 0


def measure(kind: str, door: Door, raw: RawLoop, till: Till) -> Table:
    """Let them take turns, and return their table."""
    workloads: dict[str, Workload] = {"raw": raw, "door": door, "notify": till.notify, "settle": till.settle}
    for workload in workloads.values():
        workload(WARM_UP_S)
    ours: dict[str, Meter] = {"client": client_cpu_s}
    database: dict[str, Meter] = {"database": postgres_cpu_s} if kind == POSTGRESQL else {}
    best = interleaved_best(
        workloads,
        rounds=ROUNDS,
        window_s=WINDOW_S,
        meters={
            "raw": ours | database,
            "door": {"server": lambda: process_tree_cpu_s(door.pid)} | database,
            "settle": ours | database,
        },
    )
    table = Table("stripe")
    clients = f"{RAW_CLIENTS} clients" if kind == POSTGRESQL else "one writer"
    table.add(f"raw verification and INSERT, {kind}", best["raw"].per_s, "/s", beside=f"the limit: {clients}")
    table.add("its CPU", best["raw"].cpu_us(), "µs", beside="it signs as well; client and database")
    table.add("webhooks taken in", best["door"].per_s, "/s", beside=f"{CONNECTIONS} connections, durable")
    table.add("of raw", best["door"].per_s / best["raw"].per_s, "", beside="in the same run", key="ratio_raw")
    table.add("CPU a webhook", best["door"].cpu_us(), "µs", beside="server and database", key="cpu_us_webhook")
    table.add("payments settled", best["settle"].per_s, "/s", beside="read at the bank; 12/s is a million a day")
    table.add("CPU a payment", best["settle"].cpu_us(), "µs", beside="ours and the database's", key="cpu_us_settle")
    return table


def add_pace(table: Table, door: Door) -> None:
    """Measure the time to answer at the asked pace; the best of a few rounds, as everywhere."""
    door.paced(WARM_UP_S)
    tails = [percentile(door.paced(PACED_S), 99) for _ in range(PACED_ROUNDS)]
    table.add(f"p99 at {PACE_PER_S} webhooks/s", min(tails), "ms", beside="<= 50, background on", key="p99_ms_at_200")


if __name__ == "__main__":
    sys.exit(main())
