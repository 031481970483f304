"""Over a socket, from many threads: what a test client cannot show."""

import http.client
import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
import requests

from tests.api.conftest import Door, an_app, an_order
from tests.api.live import serving


@pytest.fixture
def base_url(door: Door) -> Iterator[str]:
    with serving(an_app(door.shop)) as url:
        yield url


def test_sixteen_threads_with_one_key_open_one_session(door: Door, base_url: str) -> None:
    def create(_: int) -> tuple[int, str]:
        answer = requests.post(
            f"{base_url}/v1/checkout/sessions",
            json=an_order(),
            headers={"Authorization": f"Bearer {door.key}", "Idempotency-Key": "k"},
            timeout=10,
        )
        return answer.status_code, answer.json().get("id", "")

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(create, range(32)))
    assert {status for status, _ in answers} <= {201, 409}
    assert len({session for status, session in answers if status == 201}) == 1
    assert len(door.get("/v1/payments").json["data"]) == 1


def test_a_body_in_chunks_is_limited_too(door: Door, base_url: str) -> None:
    def chunks(size: int) -> Iterator[bytes]:
        yield b'{"padding": "'
        for _ in range(size):
            yield b"x" * 1024
        yield b'"}'

    headers = {"Authorization": f"Bearer {door.key}", "Content-Type": "application/json"}
    url = f"{base_url}/v1/quotes"
    small = requests.post(url, data=chunks(1), headers=headers, timeout=10)
    assert (small.status_code, small.json()["code"]) == (400, "parameter_missing")
    assert requests.post(url, data=chunks(70), headers=headers, timeout=10).json()["code"] == "body_too_large"


def test_a_body_that_breaks_off_is_refused_and_changes_nothing(door: Door, base_url: str) -> None:
    raw = json.dumps(an_order()).encode()
    address = urlsplit(base_url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(
            b"POST /v1/checkout/sessions HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n"
            b"Authorization: Bearer %s\r\nContent-Length: %d\r\n\r\n" % (door.key.encode(), len(raw)) + raw[:-20]
        )
        connection.shutdown(socket.SHUT_WR)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert (answer.status, json.loads(answer.read())["code"]) == (400, "body_not_json")
    assert door.get("/v1/checkout/sessions").json["data"] == []
