"""Ends and bad days of whole processes: signals, busy ports, and a database that goes away and comes back."""

import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

import pytest
import requests
from sqlalchemy import make_url

from tests.server.town import HTTP_S, Shop, Town, a_town, is_ready, until

SOON_S = 8  # service managers kill after ten
COLD_START_S = 10
MAX_RSS_MB = 250

pytestmark = pytest.mark.slow


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """Return a town whose gateway is embedded."""
    with a_town(tmp_path, f"sqlite:///{tmp_path / 'gateway.db'}") as found:
        yield found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("command", ["serve", "worker"])
def test_a_signal_ends_it_soon_and_in_order(town: Town, command: str, number: int) -> None:
    town.open_shop()
    process = town.serve() if command == "serve" else town.start("worker")
    process.until_logged("server_ready" if command == "serve" else "worker_ready")
    status, took_s = process.end(number)
    assert status == 0
    assert took_s < SOON_S
    assert [line for line in process.lines() if line["level"] in {"error", "critical"}] == []
    if command == "serve":
        assert process.lines()[-1]["event"] == "server_ended"
        with pytest.raises(requests.ConnectionError):
            requests.get(f"{town.url}/healthz", timeout=2)


def test_requests_that_are_under_way_are_answered(town: Town) -> None:
    shop = town.open_shop()
    process = town.serve()
    order = shop.order("before")
    stop = threading.Event()

    def ask() -> list[int]:
        """Ask until nobody listens; a connection that is refused was never under way."""
        seen = []
        while not stop.is_set():
            with suppress(requests.exceptions.ConnectionError):
                answer = requests.get(
                    f"{town.url}/v1/payments/{order['payment']}", headers=shop.headers, timeout=HTTP_S
                )
                assert answer.json()["id"] == order["payment"], "an answer is whole"
                seen.append(answer.status_code)
        return seen

    with ThreadPoolExecutor(4) as pool, _slow_body(town, shop) as finish:
        asking = [pool.submit(ask) for _ in range(4)]
        time.sleep(0.5)
        process.popen.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        answer = finish()
        assert process.popen.wait(SOON_S) == 0
        stop.set()
        assert all(set(future.result()) == {200} for future in asking)
    assert answer.startswith(b"HTTP/1.1 201"), answer


@contextmanager
def _slow_body(town: Town, shop: Shop) -> Iterator[Callable[[], bytes]]:
    """Begin a request whose body comes in two parts, so that it is under way when the signal comes."""
    host, port = town.url.removeprefix("http://").split(":")
    body = b'{"amount": "3.00", "currency": "USD", "reference": "slow", "success_url": "http://127.0.0.1/ok"}'
    head = (
        f"POST /v1/checkout/sessions HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {shop.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=HTTP_S) as connection:
        connection.sendall(head.encode() + body[:20])

        def finish() -> bytes:
            connection.sendall(body[20:])
            return connection.recv(65536)

        yield finish


def test_a_busy_port_is_one_line(town: Town) -> None:
    first = town.serve()
    second = town.command("serve")
    assert (second.returncode, second.stdout) == (1, "")
    port = town.environment["STREAMPAY_PORT"]
    assert second.stderr == (
        f"Cannot listen on 127.0.0.1:{port}: Address already in use. "
        "STREAMPAY_HOST and STREAMPAY_PORT choose another address.\n"
    )
    assert is_ready(town.url)
    assert first.popen.poll() is None


def test_a_cold_start_is_quick_and_light(town: Town, figure: Callable[[str, object, str], None]) -> None:
    town.open_shop()
    started_s = time.monotonic()
    process = town.serve()
    took_s = time.monotonic() - started_s
    sizes = [_rss_mb(pid) for pid in (process.popen.pid, *process.children())]
    figure("cold_start_s", round(took_s, 2), f"<= {COLD_START_S}")
    figure("rss_mb_server_and_its_process", " + ".join(str(size) for size in sizes), f"<= {MAX_RSS_MB} each")
    assert took_s <= COLD_START_S
    assert max(sizes) <= MAX_RSS_MB


def _rss_mb(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) // 1024
    raise AssertionError("a living process has a size")


# --- the database goes away ------------------------------------------------------------------------------


class Cable:
    """A TCP cable to a database server that can be cut, as a restart or a failing switch does."""

    def __init__(self, target: tuple[str, int] | str) -> None:
        self._target = target
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._is_cut = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Break every connection, and refuse new ones."""
        with self._lock:
            self._is_cut = True
            for one in self._open:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()
            self._open.clear()

    def mend(self) -> None:
        """Let connections through again."""
        with self._lock:
            self._is_cut = False

    def close(self) -> None:
        """Take it down."""
        self.cut()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return  # taken down
            try:
                self._connect(near)
            except OSError:
                near.close()

    def _connect(self, near: socket.socket) -> None:
        with self._lock:
            if self._is_cut:
                near.close()
                return
            far = _dial(self._target)
            self._open += [near, far]
        for source, sink in ((near, far), (far, near)):
            threading.Thread(target=_pump, args=(source, sink), daemon=True).start()


def _dial(target: tuple[str, int] | str) -> socket.socket:
    if isinstance(target, str):
        far = socket.socket(socket.AF_UNIX)
        far.connect(target)
        return far
    return socket.create_connection(target)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(65536):
            sink.sendall(chunk)
        sink.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_a_database_that_restarts_costs_a_503_and_no_restart_of_ours(
    tmp_path: Path,
    kind: str,
    create_database: Callable[[str], str],
    engine_missing: Callable[[str, str], NoReturn],
) -> None:
    url = make_url(create_database(kind))
    if url.host is None or url.query:
        engine_missing(f"{kind} on TCP", "a socket has no cable to cut: let it listen on 127.0.0.1")
    cable = Cable((url.host, url.port or {"postgresql": 5432, "mariadb": 3306}[kind]))
    through = url.set(host="127.0.0.1", port=cable.port).render_as_string(hide_password=False)
    try:
        with a_town(tmp_path, through) as town:
            shop = town.open_shop()
            process = town.serve()
            before = shop.order("before")
            assert is_ready(town.url)
            cable.cut()
            _sees_503(shop, before)
            assert not is_ready(town.url)
            assert requests.get(f"{town.url}/healthz", timeout=HTTP_S).ok, "the process lives"
            page = requests.get(before["url"], timeout=HTTP_S)
            assert (page.status_code, page.headers["Content-Type"]) == (503, "text/html; charset=utf-8")
            time.sleep(1.5)  # every loop meets the gap
            cable.mend()
            until(lambda: is_ready(town.url))
            assert shop.payment(before["payment"])["status"] == "open"
            assert shop.order("after")["status"] == "open"
            assert process.popen.poll() is None
            _speaks_of_the_gap_without_tracebacks(process.log)
            assert process.end()[0] == 0
    finally:
        cable.close()


def _sees_503(shop: Shop, order: dict[str, str]) -> None:
    url = f"{shop.url}/v1/payments/{order['payment']}"
    for answer in (
        requests.get(url, headers=shop.headers, timeout=HTTP_S),
        requests.post(
            f"{shop.url}/v1/checkout/sessions",
            json={"amount": "1.00", "currency": "USD", "reference": "x", "success_url": "http://127.0.0.1/ok"},
            headers=shop.headers | {"Idempotency-Key": "gap"},
            timeout=HTTP_S,
        ),
    ):
        assert (answer.status_code, answer.headers["Content-Type"]) == (503, "application/problem+json")
        problem = answer.json()
        assert problem["retryable"] is True
        assert problem["detail"] == "The gateway is busy. Send the same request again."
        assert answer.headers["Retry-After"] == "1"


def _speaks_of_the_gap_without_tracebacks(log: Path) -> None:
    text = log.read_text()
    assert '"event": "database_unavailable"' in text
    assert "Traceback" not in text
