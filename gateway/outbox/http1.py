"""As much of HTTP/1.1 as a webhook needs: write a request's head, read an answer. No I/O of its own.

Source: RFC 9112. Whatever is longer than its limit, or not HTTP, is a `ProtocolError`; bodies are read up to 64 kB.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

MAX_HEAD: Final = 64 * 1024  # bytes of status line and headers
MAX_BODY: Final = 64 * 1024  # bytes of a body; the rest is cut off with its connection
MAX_INTERIM: Final = 8  # 1xx answers before the real one
_CHUNK: Final = 16 * 1024  # bytes asked for at once
_STATUS: Final = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: .*)?")
_FIELD_BREAKS: Final = re.compile(r"[\r\n\0]")
_DIGITS: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
_CHUNK_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;.*)?")
_BODILESS: Final = frozenset({204, 304})

Receive = Callable[[int], bytes]


class ProtocolError(Exception):
    """The answer is not HTTP, or longer than we read."""


class NoAnswerError(ProtocolError):
    """The connection ended before the first byte of an answer."""


def request_head(authority: str, target: str, headers: Mapping[str, str], length: int) -> bytes:
    """Return request line and headers of a POST of `length` bytes."""
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    assert not _FIELD_BREAKS.search(fields.replace("\r\n", "")), "header values are ours and have no line breaks"
    return f"POST {target} HTTP/1.1\r\nHost: {authority}\r\n{fields}Content-Length: {length}\r\n\r\n".encode("latin-1")


class Response:
    """One answer: its head is read at once, its body by `read_body`."""

    def __init__(self, receive: Receive) -> None:
        """Read the head.

        Raises:
            NoAnswerError: nothing came.
            ProtocolError: it is not HTTP, or too long.
        """
        self._receive = receive
        self._buffer = b""
        self.body = b""
        self.is_reusable = False
        for _ in range(MAX_INTERIM):
            version, self.status, self.headers = self._read_head()
            if self.status >= 200:  # noqa: PLR2004 - 1xx are interim
                break
        else:
            raise ProtocolError("too many interim answers")
        connection = self.headers.get("connection", "").lower()
        self._may_stay = version == b"1" and "close" not in connection

    def read_body(self) -> None:
        """Read the body up to its limit into `body`, and learn whether the connection can be used again.

        Raises:
            ProtocolError: it breaks off or is malformed; `body` holds what came.
        """
        if self.status in _BODILESS:
            self.is_reusable = self._may_stay and not self._buffer
        elif "transfer-encoding" in self.headers:
            self._read_chunks()
        else:
            self._read_counted()

    def _read_counted(self) -> None:
        length = self.headers.get("content-length", "")
        is_counted = _DIGITS.fullmatch(length) is not None
        wanted = min(int(length), MAX_BODY) if is_counted else MAX_BODY
        while len(self._buffer) < wanted:
            more = self._receive(_CHUNK)
            if not more:
                self.body = self._buffer
                return
            self._buffer += more
            self.body = self._buffer[:wanted]
        self.body = self._buffer[:wanted]
        is_whole = is_counted and len(self._buffer) == int(length)
        self.is_reusable = self._may_stay and is_whole

    def _read_chunks(self) -> None:
        while len(self.body) < MAX_BODY:
            matched = _CHUNK_SIZE.fullmatch(self._read_line())
            if matched is None:
                raise ProtocolError("a chunk has no size")
            size = int(matched[1], 16)
            if size == 0:
                while self._read_line():
                    pass
                self.is_reusable = self._may_stay and not self._buffer
                return
            self._fill(min(size, MAX_BODY) + 2)
            self.body = (self.body + self._buffer[: min(size, MAX_BODY)])[:MAX_BODY]
            if size > MAX_BODY:
                return
            self._buffer = self._buffer[size + 2 :]

    def _read_head(self) -> tuple[bytes, int, dict[str, str]]:
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            if len(self._buffer) > MAX_HEAD:
                raise ProtocolError("the head is too long")
            more = self._receive(_CHUNK)
            if not more:
                raise ProtocolError("the head breaks off") if self._buffer else NoAnswerError
            self._buffer += more
        head, self._buffer = self._buffer[:end], self._buffer[end + 4 :]
        first, *lines = head.split(b"\r\n")
        matched = _STATUS.fullmatch(first)
        if matched is None:
            raise ProtocolError("the status line is malformed")
        headers: dict[str, str] = {}
        for line in lines:
            name, colon, value = line.partition(b":")
            if not colon:
                raise ProtocolError("a header is malformed")
            headers[name.decode("latin-1").lower()] = value.strip().decode("latin-1")
        return matched[1], int(matched[2]), headers

    def _read_line(self) -> bytes:
        while (end := self._buffer.find(b"\r\n")) < 0:
            if len(self._buffer) > MAX_HEAD:
                raise ProtocolError("a line is too long")
            self._fill(len(self._buffer) + 1)
        line, self._buffer = self._buffer[:end], self._buffer[end + 2 :]
        return line

    def _fill(self, size: int) -> None:
        while len(self._buffer) < size:
            more = self._receive(_CHUNK)
            if not more:
                raise ProtocolError("the body breaks off")
            self._buffer += more
