"""Checkout sessions created per second over HTTP, durable, beside a raw psycopg loop that runs the same statements.

The server is the real one (`streampay-server serve`), on PostgreSQL and on SQLite; sixteen keep-alive connections send
unique orders with idempotency keys. The raw loop repeats, one by one and with four clients, the very inserts that a
create of the engine was heard to consist of, in one tx. Both share this machine's cores.
"""

import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from unittest import mock

import psycopg
import requests
import sqlalchemy as sa

from bench.harness import (
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
from gateway.settings import load_settings
from gateway.storage import together
from gateway.storage.database import open_database
from gateway.storage.migrate import upgrade
from gateway.wiring import House, build_house
from hosted_checkout.app import create_app
from tests.databases import POSTGRESQL, SQLITE, DatabaseServers, EngineMissingError

CONNECTIONS: Final = 16
RAW_CLIENTS: Final = 4
ROUNDS: Final = 5
WINDOW_S: Final = 2.0
WARM_UP_S: Final = 1.0
ADDRESS: Final = "127.0.0.1"


@dataclass(slots=True)
class Load:
    """Sixteen connections that create sessions; remembers every latency of the window before."""

    port: int
    key: str
    latencies_ms: list[float] = field(default_factory=list)

    def __call__(self, window_s: float) -> int:
        """Create for `window_s` seconds; return how many were acknowledged."""
        self.latencies_ms = []
        asyncio.run(self._run(window_s))
        return len(self.latencies_ms)

    async def _run(self, window_s: float) -> None:
        deadline = time.perf_counter() + window_s
        await asyncio.gather(*(self._client(deadline) for _ in range(CONNECTIONS)))

    async def _client(self, deadline: float) -> None:
        reader, writer = await asyncio.open_connection(ADDRESS, self.port)
        while time.perf_counter() < deadline:
            began = time.perf_counter()
            writer.write(self._request())
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
            assert length is not None, head
            body = await reader.readexactly(int(length[1]))
            assert head.startswith(b"HTTP/1.1 201"), head + body
            self.latencies_ms.append((time.perf_counter() - began) * 1000)
        writer.close()

    def _request(self) -> bytes:
        reference = uuid.uuid4().hex
        body = json.dumps(
            {
                "amount": "12.30",
                "currency": "USD",
                "reference": reference,
                "success_url": "http://127.0.0.1/thanks",
                "line_items": [{"name": "T-shirt", "quantity": 1, "amount": "12.30"}],
                "metadata": {"order": reference},
            }
        ).encode()
        head = (
            f"POST /v1/checkout/sessions HTTP/1.1\r\nHost: {ADDRESS}\r\nAuthorization: Bearer {self.key}\r\n"
            f"Idempotency-Key: {reference}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A running server on one database."""

    load: Load
    pid: int


@contextmanager
def serving(url: str, folder: Path, port: int) -> Iterator[Served]:
    """Run the real server on an empty database."""
    environment = _environment(url, port)
    with open_house(environment) as house:
        upgrade(house.db)
        merchant = house.engine.merchants.create("Bench", MerchantSettings())
        key = house.engine.merchants.create_key(merchant.id, livemode=False)
    log = (folder / f"server-{port}.log").open("wb")
    command = [sys.executable, "-m", "hosted_checkout.cli", "serve"]
    process = subprocess.Popen(command, env=os.environ | environment, stdout=log, stderr=log)
    try:
        _await_ready(process, port)
        yield Served(load=Load(port=port, key=key), pid=process.pid)
    finally:
        process.terminate()
        process.wait(20)
        log.close()


@contextmanager
def open_house(environment: Mapping[str, str]) -> Iterator[House]:
    """Open the gateway of this environment in this process."""
    house = build_house(load_settings(environment))
    try:
        yield house
    finally:
        house.close()


def _environment(url: str, port: int) -> dict[str, str]:
    return {
        "STREAMPAY_DATABASE_URL": url,
        "STREAMPAY_BASE_URL": f"http://{ADDRESS}:{port}",
        "STREAMPAY_PORT": str(port),
        "STREAMPAY_BACKGROUND": "no",
        "STREAMPAY_LOG_LEVEL": "WARNING",
        "STREAMPAY_SECRET_KEYS": "A" * 43 + "=",
        "STREAMPAY_API_WRITES_PER_MINUTE": "10000000",
    }


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One statement of a create, with its parameters."""

    sql: str
    parameters: Mapping[str, Any]


def heard_create(url: str) -> list[Heard]:
    """Return the statements that one create is made of, by listening to one; the engine sends them as one."""
    heard: list[Heard] = []
    send = together.Together.execute

    def listen(self: together.Together, tx: sa.Connection, *rows: Mapping[str, Any]) -> None:
        heard.extend(Heard(sql=part.sql, parameters=part.bind(rows)) for part in self.parts(tx.dialect))
        send(self, tx, *rows)

    with open_house(_environment(url, 1)) as house, mock.patch.object(together.Together, "execute", listen):
        merchant = house.engine.merchants.create("Raw", MerchantSettings())
        key = house.engine.merchants.create_key(merchant.id, livemode=False)
        order = {"amount": "12.30", "currency": "USD", "success_url": "http://127.0.0.1/thanks", "reference": "heard"}
        headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": "heard"}
        answer = create_app(house).test_client().post("/v1/checkout/sessions", json=order, headers=headers)
        assert answer.status_code == 201, answer.text
    return heard


class RawLoop:
    """Four psycopg clients that repeat the heard statements with fresh ids, one by one."""

    def __init__(self, url: str, heard: Sequence[Heard]) -> None:
        self._dsn = sa.make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._heard = heard
        self._ids = sorted(
            {text for one in heard for text in _texts(one.parameters) if re.fullmatch(r"(cs|pay|evt)_\w{26}", text)}
        )

    def __call__(self, window_s: float) -> int:
        """Create for `window_s` seconds; return how many committed."""
        deadline = time.perf_counter() + window_s
        with ThreadPoolExecutor(RAW_CLIENTS) as pool:
            return sum(pool.map(lambda _: self._client(deadline), range(RAW_CLIENTS)))

    def _client(self, deadline: float) -> int:
        done = 0
        with psycopg.connect(self._dsn, prepare_threshold=2, autocommit=True) as connection:
            while time.perf_counter() < deadline:
                self._create(connection)
                done += 1
        return done

    def _create(self, connection: psycopg.Connection[Any]) -> None:
        fresh = {old: f"{old.split('_')[0]}_{uuid.uuid4().hex[:26]}" for old in self._ids}
        unique = uuid.uuid4().hex
        with connection.transaction():
            for one in self._heard:
                connection.execute(one.sql, _renewed(one.parameters, fresh, unique))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _texts(part)


def _renewed(parameters: Any, fresh: Mapping[str, str], unique: str) -> Any:
    """Return the parameters with fresh ids, and fresh text where a unique key asks for it."""
    renewed = {}
    for name, value in parameters.items():
        text = fresh.get(value, value) if isinstance(value, str) else value
        bare = name.partition("_")[2]  # together's parameters are named after their place: p0_token
        renewed[name] = unique.ljust(43, "x")[:43] if bare in {"token", "open_key", "key"} else text
    return renewed


# --- the table ------------------------------------------------------------------------------------------------------


def main() -> int:
    """Run the bench."""
    options = parser(__doc__).parse_args()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        servers = DatabaseServers(folder)
        stack.callback(servers.drop_all)
        try:
            postgres_url = servers.create(POSTGRESQL)
        except EngineMissingError as error:
            print(f"{error.what} is missing: {error.how_to_get}")
            return 1
        postgres = stack.enter_context(serving(postgres_url, folder, 18480))
        sqlite = stack.enter_context(serving(servers.create(SQLITE), folder, 18481))
        raw_url = servers.create(POSTGRESQL)
        database = open_database(raw_url)
        upgrade(database)
        database.close()
        heard = heard_create(raw_url)
        measure(postgres, sqlite, RawLoop(raw_url, heard), len(heard)).print(as_json=options.json)
    return 0


def measure(postgres: Served, sqlite: Served, raw: RawLoop, statements: int) -> Table:
    """Let the three take turns, and return their table."""
    workloads: dict[str, Workload] = {"raw": raw, "postgres": postgres.load, "sqlite": sqlite.load}
    for workload in workloads.values():
        workload(WARM_UP_S)
    tails: list[float] = []

    def sqlite_window(window_s: float) -> int:
        done = sqlite.load(window_s)
        tails.append(percentile(sqlite.load.latencies_ms, 99))
        return done

    best = interleaved_best(
        workloads | {"sqlite": sqlite_window},
        rounds=ROUNDS,
        window_s=WINDOW_S,
        meters={
            "raw": {"client": client_cpu_s, "database": postgres_cpu_s},
            "postgres": {"server": lambda: process_tree_cpu_s(postgres.pid), "database": postgres_cpu_s},
            "sqlite": {"server": lambda: process_tree_cpu_s(sqlite.pid)},
        },
    )
    limit = best["raw"].per_s
    table = Table("create")
    table.add("raw psycopg loop", limit, "/s", beside=f"the limit: {statements} statements, {RAW_CLIENTS} clients")
    table.add("its CPU", best["raw"].cpu_us(), "µs", beside="client and PostgreSQL")
    for name, title in (("postgres", "HTTP on PostgreSQL"), ("sqlite", "HTTP on SQLite")):
        window = best[name]
        table.add(title, window.per_s, "/s", beside=f"{CONNECTIONS} connections, durable")
        table.add(f"{title}, of raw", window.per_s / limit, "", beside=">= 0.30", key=f"ratio_raw_{name}")
        table.add(f"{title}, CPU", window.cpu_us(), "µs", beside="server and database", key=f"cpu_us_{name}")
    table.add("HTTP on SQLite, p99", min(tails), "ms", beside="<= 30", key="p99_ms_sqlite")
    return table


if __name__ == "__main__":
    sys.exit(main())
