"""Answers are read as RFC 9112 says, in pieces of any size, and nothing hostile gets through or hangs."""

import random

import pytest

from gateway.outbox.http1 import MAX_BODY, NoAnswerError, ProtocolError, Response, request_head


def read(raw: bytes, piece: int = 1 << 20) -> Response:
    source = iter([raw[at : at + piece] for at in range(0, len(raw), piece)])
    response = Response(lambda _size: next(source, b""))
    response.read_body()
    return response


@pytest.mark.parametrize("piece", [1, 2, 7, 1 << 20])
@pytest.mark.parametrize(
    ("raw", "status", "body", "is_reusable"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, b"ok", True),
        (b"HTTP/1.1 200 \r\ncontent-length:0\r\n\r\n", 200, b"", True),
        (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200, b"", True),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", 200, b"ok", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, b"ok", False),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", 200, b"until the end", False),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
            200,
            b"abcde",
            True,
        ),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nTrailer: x\r\n\r\n", 200, b"", True),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", 500, b"", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", 200, b"ab", False),
    ],
)
def test_an_answer_is_read_in_pieces_of_any_size(
    raw: bytes,
    status: int,
    body: bytes,
    is_reusable: bool,  # noqa: FBT001 - it is a column of a table
    piece: int,
) -> None:
    response = read(raw, piece)
    assert (response.status, response.body, response.is_reusable) == (status, body, is_reusable)


@pytest.mark.parametrize(
    "raw",
    [
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 0x1 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nbreaks off",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 20,
        b"x" * 100_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nab",
    ],
)
def test_what_is_not_http_is_a_protocol_error(raw: bytes) -> None:
    with pytest.raises(ProtocolError):
        read(raw)


def test_no_byte_at_all_is_told_apart() -> None:
    with pytest.raises(NoAnswerError):
        read(b"")


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 1000000000",
        b"Content-Length: 99999999999999999999999",
        b"Connection: close",
        b"Transfer-Encoding: chunked\r\n\r\nfffffff\r\n",
    ],
)
def test_a_flood_is_cut_at_64_kb_and_its_connection_dropped(head: bytes) -> None:
    asked = 0
    pieces = [b"HTTP/1.1 200 OK\r\n" + head + (b"" if head.endswith(b"\n") else b"\r\n\r\n")]

    def flood(size: int) -> bytes:
        nonlocal asked
        asked += size
        return pieces.pop() if pieces else b"x" * size

    response = Response(flood)
    response.read_body()
    assert len(response.body) == MAX_BODY
    assert asked < 4 * MAX_BODY
    assert not response.is_reusable


def test_random_answers_raise_our_error_or_none() -> None:
    dice = random.Random(7)
    seed = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    for _ in range(20_000):
        raw = bytearray(seed)
        for _ in range(dice.randrange(1, 6)):
            raw[dice.randrange(len(raw))] = dice.randrange(256)
        try:
            read(bytes(raw[: dice.randrange(len(raw) + 1)]), dice.randrange(1, 50))
        except ProtocolError:
            continue


def test_a_request_head_is_complete_and_refuses_line_breaks() -> None:
    head = request_head("shop.example", "/hook?a=1", {"webhook-id": "evt_1"}, 7)
    assert head == (b"POST /hook?a=1 HTTP/1.1\r\nHost: shop.example\r\nwebhook-id: evt_1\r\nContent-Length: 7\r\n\r\n")
    with pytest.raises(AssertionError):
        request_head("shop.example", "/", {"x": "a\nb: c"}, 0)
