"""Production: two server processes, two workers, one PostgreSQL or MariaDB; half of them die in the middle."""

import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from sandbox.devchain.wallet import TestWallet
from tests.crash.harness import _await_told
from tests.server.town import SOL, Process, Shop, Town, a_town, hook_of, link_of, until

ORDERS, SHOPPERS = 30, 8
MANY = {"STREAMPAY_PROCESSES": "2", "STREAMPAY_BACKGROUND": "no"}
WATCHED_S = 10
SUCCEEDED = "payment.succeeded"

pytestmark = [pytest.mark.serial, pytest.mark.deep]


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_nothing_is_lost_or_doubled_when_a_worker_and_a_server_process_die(
    tmp_path: Path, kind: str, create_database: Callable[[str], str], figure: Callable[[str, object, str], None]
) -> None:
    with a_town(tmp_path, create_database(kind)) as town:
        shop = town.open_shop()
        server = town.serve(**MANY)
        workers = {process.popen.pid: process for process in (town.start("worker"), town.start("worker"))}
        for process in workers.values():
            process.until_logged("worker_ready")
        shop.listen(hook_of(town))
        with ThreadPoolExecutor(SHOPPERS) as pool:
            bought = [pool.submit(_buy, town, shop, number) for number in range(ORDERS)]
            until(lambda: len(_told(town, SUCCEEDED)) >= ORDERS // 6)
            looking = _who_looks(town)
            workers.pop(looking).kill()
            os.kill(server.children()[0], signal.SIGKILL)
            orders = [future.result() for future in bought]
        until(lambda: len(_told(town, SUCCEEDED)) >= ORDERS)
        for order in orders:
            payment = shop.payment(order["payment"])
            assert (payment["status"], payment["exceptions"], len(payment["transfers"])) == ("paid", [], 1)
        assert sorted(_told(town, SUCCEEDED)) == sorted(order["payment"] for order in orders), "each is told, once"
        assert _await_told(town.url, shop.key, town.receiver) == [], "every event of the feed came by webhook"
        assert all(len(set(bodies)) == 1 for bodies in town.receiver.bodies.values()), "a repetition has the same bytes"
        assert len(server.children()) == 2, "a dead server process is replaced"
        until(lambda: {_who_looks(town)} == set(workers))  # the dead one's lease ends, the other worker takes over
        verified = town.command("ledger", "verify")
        assert verified.returncode == 0, verified.stderr
        for process in town.processes:
            _no_errors(process)
        deliveries = sum(len(bodies) for bodies in town.receiver.bodies.values())
        figure(f"production_{kind}_deliveries", deliveries, f"{len(town.receiver.bodies)} events, 0 lost")


def test_of_two_workers_one_asks_the_chain(tmp_path: Path, postgres_url: str) -> None:
    """The nodes' rations are not spent twice; an order that waits for money keeps the monitor looking every second."""
    with a_town(tmp_path, postgres_url) as town:
        shop = town.open_shop()
        town.serve(**MANY)
        wallet = TestWallet(town.chain_url)
        link_of(shop.order("waiting")["url"])
        workers = [town.start("worker"), town.start("worker")]
        for process in workers:
            process.until_logged("worker_ready")
        until(lambda: _asked(wallet) > 0)
        before = _asked(wallet)
        time.sleep(WATCHED_S)
        asked = _asked(wallet) - before
        assert WATCHED_S - 3 <= asked <= WATCHED_S * 3 // 2, "one monitor asks once a second; two would ask twice"
        first = _who_looks(town)
        (looking,) = [process for process in workers if process.popen.pid == first]
        assert looking.end()[0] == 0
        before = _asked(wallet)
        until(lambda: _asked(wallet) > before)
        assert _who_looks(town) != first


def _asked(wallet: TestWallet) -> int:
    return int(wallet.rpc("dev_calls")["methods"].get("getSignaturesForAddress", 0))


def _buy(town: Town, shop: Shop, number: int) -> dict[str, Any]:
    """Order and pay by the page's link, whatever dies meanwhile."""
    wallet = TestWallet(town.chain_url)
    wallet.wait(wallet.airdrop(SOL))
    order = shop.order(f"order-{number}")
    wallet.pay_link(link_of(order["url"]))
    return order


def _told(town: Town, kind: str) -> list[str]:
    return [event["data"]["object"]["id"] for event in town.receiver.events() if event["type"] == kind]


def _who_looks(town: Town) -> int:
    """Return the process that holds the lease of the network."""
    engine = create_engine(town.environment["STREAMPAY_DATABASE_URL"])
    with engine.connect() as connection:
        query = text("SELECT holder FROM network_lease WHERE network LIKE 'solana:%'")
        holder = str(connection.execute(query).scalar_one())
    engine.dispose()
    return int(holder.rpartition(":")[2])


def _no_errors(process: Process) -> None:
    """No process logged an error but the one that says that its neighbour was killed."""
    errors = [line for line in process.lines() if line["level"] in {"error", "critical"}]
    assert [line for line in errors if "Unexpected exit from worker" not in line["event"]] == []
