"""The one way out: POST a webhook over HTTP/1.1 through the guard, with a deadline that nothing outlasts.

A client of our own, because only that connects to exactly the addresses that were checked, cuts off drips and floods,
and costs half of what the usual ones do. No proxy and no `.netrc` is ever asked, redirects are answers like any other,
and connections are kept alive per host and port. The answers' syntax is in `http1.py`.
"""

import contextlib
import select
import socket
import ssl
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import certifi

from gateway.kernel.cards import mask_card_numbers
from gateway.kernel.log import mask_secrets
from gateway.outbox import http1
from gateway.outbox.guard import (
    Destination,
    DestinationRefusedError,
    OutboundPolicy,
    Resolver,
    check_destination,
    resolve,
    split_url,
)

DEADLINE_S: Final = 20  # from the first packet to the end of the answer's head
CONNECT_S: Final = 5  # an address; a healthy server answers within one round trip
BODY_S: Final = 5  # the status is known by then: the body is only for the log
EXCERPT_CHARACTERS: Final = 1000  # below 1 kB of ASCII; longer encodings are cut to as many bytes
IDLE_S: Final = 15  # kept-alive connections older than this are closed: servers hang up without a word
IDLE_PER_HOST: Final = 16
IDLE_HOSTS: Final = 256
_STALE: Final = (http1.NoAnswerError, ConnectionResetError, BrokenPipeError, ConnectionAbortedError)
_TIMEOUT_STEP_S: Final = 0.25  # a socket's time-out is set anew when it is off by more: each setting is a system call


class DeliveryError(Exception):
    """No answer came; `reason` is a short sentence for the merchant's delivery log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the receiver said; `excerpt` is the start of its body, made printable, without anything like a secret."""

    status: int
    retry_after: str | None
    excerpt: str


@dataclass(slots=True)
class _Deadline:
    """A point in monotonic time."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> "_Deadline":
        return cls(time.monotonic() + seconds)

    def left_s(self) -> float:
        """Return the seconds that are left.

        Raises:
            TimeoutError: none are.
        """
        left = self.at - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class _Connection:
    """A connection to a checked address, bound to the deadline of its current try."""

    def __init__(self, destination: Destination, sock: socket.socket) -> None:
        self.destination = destination
        self.idle_since = 0.0
        self._sock = sock
        self._deadline = _Deadline.after(0)
        self._timeout_s = 0.0
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN | select.POLLHUP | select.POLLERR)

    def exchange(self, head: bytes, body: bytes, deadline: _Deadline) -> http1.Response:
        """Send one request and read the head of its answer."""
        self._deadline, self._timeout_s = deadline, 0.0
        self._limit_wait()
        self._sock.sendall(head + body)
        return http1.Response(self.receive)

    def receive(self, size: int) -> bytes:
        """Return what arrives next, within what is left of the deadline: no drip outlasts it."""
        self._limit_wait()
        return self._sock.recv(size)

    def cut(self, seconds: float) -> None:
        """Bring the deadline forward to `seconds` from now."""
        self._deadline.at = min(self._deadline.at, time.monotonic() + seconds)

    def is_usable(self) -> bool:
        """Tell whether an idle connection still stands: it neither ended nor said anything unasked."""
        try:
            return not self._poll.poll(0)
        except (OSError, ValueError):
            return False

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()

    def _limit_wait(self) -> None:
        left_s = self._deadline.left_s()
        if abs(left_s - self._timeout_s) > _TIMEOUT_STEP_S or left_s < _TIMEOUT_STEP_S:
            self._sock.settimeout(left_s)
            self._timeout_s = left_s


def _connect_first(addresses: tuple[tuple[int, tuple[Any, ...]], ...], deadline: _Deadline) -> socket.socket:
    """Return a socket to the first address that answers."""
    failure: OSError = TimeoutError()
    for family, sockaddr in addresses:
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(min(CONNECT_S, deadline.left_s()))
            sock.connect(sockaddr)
        except OSError as error:
            sock.close()
            failure = error
        else:
            return sock
    raise failure


class GuardedHttp:
    """Posts webhooks; safe among threads. One for a process, `close()` at the end."""

    def __init__(
        self,
        policy: OutboundPolicy,
        *,
        tls: ssl.SSLContext | None = None,
        resolver: Resolver = socket.getaddrinfo,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self.policy = policy
        self.tls = tls or ssl.create_default_context(cafile=certifi.where())
        self.resolver = resolver
        self.deadline_s = deadline_s
        self._idle: OrderedDict[tuple[str, str, int], deque[_Connection]] = OrderedDict()
        self._lock = threading.Lock()

    def post(self, url: str, body: bytes, headers: Mapping[str, str], *, livemode: bool) -> Answer:
        """Send `body` once and return the answer, whatever its status.

        A kept-alive connection that turns out to be dead is replaced once: nobody answered on it.

        Raises:
            DeliveryError: refused by the guard, no connection, no answer in time, or none that is HTTP.
        """
        deadline = _Deadline.after(self.deadline_s)
        try:
            destination = split_url(url)
            check_destination(destination, livemode=livemode, policy=self.policy)
            head = http1.request_head(destination.authority, destination.target, headers, len(body))
            connection = self._take_idle(destination)
            if connection is not None:
                with contextlib.suppress(*_STALE):
                    return self._exchange(connection, destination, head, body, deadline)
            return self._exchange(None, destination, head, body, deadline)
        except DestinationRefusedError as error:
            raise DeliveryError(str(error)) from None
        except (OSError, http1.ProtocolError) as error:
            raise DeliveryError(_reason(error)) from None

    def close(self) -> None:
        """Close every idle connection."""
        with self._lock:
            connections = [each for waiting in self._idle.values() for each in waiting]
            self._idle.clear()
        for connection in connections:
            connection.close()

    def _exchange(
        self, connection: _Connection | None, destination: Destination, head: bytes, body: bytes, deadline: _Deadline
    ) -> Answer:
        connection = connection or self._open(destination, deadline)
        try:
            response = connection.exchange(head, body, deadline)
        except BaseException:
            connection.close()
            raise
        connection.cut(BODY_S)
        with contextlib.suppress(OSError, http1.ProtocolError):
            response.read_body()  # the status is said: a body that breaks off does not undo it
        if response.is_reusable:
            self._give_idle(connection)
        else:
            connection.close()
        return Answer(
            status=response.status, retry_after=response.headers.get("retry-after"), excerpt=make_excerpt(response.body)
        )

    def _open(self, destination: Destination, deadline: _Deadline) -> _Connection:
        """Resolve, check, connect and, for https, shake hands."""
        addresses = resolve(destination, self.policy, self.resolver)
        sock = _connect_first(addresses, deadline)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if destination.is_tls:
                sock.settimeout(deadline.left_s())
                sock = self.tls.wrap_socket(sock, server_hostname=destination.host)
            return _Connection(destination, sock)
        except BaseException:
            sock.close()
            raise

    def _take_idle(self, destination: Destination) -> _Connection | None:
        while True:
            with self._lock:
                waiting = self._idle.get(_pool(destination))
                connection = waiting.pop() if waiting else None
            if connection is None:
                return None
            if time.monotonic() - connection.idle_since < IDLE_S and connection.is_usable():
                return connection
            connection.close()

    def _give_idle(self, connection: _Connection) -> None:
        connection.idle_since = time.monotonic()
        key = _pool(connection.destination)
        surplus: list[_Connection] = []
        with self._lock:
            waiting = self._idle.setdefault(key, deque())
            self._idle.move_to_end(key)
            waiting.append(connection)
            if len(waiting) > IDLE_PER_HOST:
                surplus.append(waiting.popleft())
            if len(self._idle) > IDLE_HOSTS:
                surplus.extend(self._idle.popitem(last=False)[1])
        for each in surplus:
            each.close()


def _pool(destination: Destination) -> tuple[str, str, int]:
    return destination.scheme, destination.host, destination.port


def make_excerpt(content: bytes) -> str:
    """Return the start of a body as printable text of at most 1,000 bytes; what looks like a secret is masked."""
    text = content[: 4 * EXCERPT_CHARACTERS].decode("utf-8", "replace")
    printable = "".join(each if each.isprintable() else " " for each in text)
    masked = mask_card_numbers(mask_secrets(printable))[:EXCERPT_CHARACTERS]
    return masked.encode()[:EXCERPT_CHARACTERS].decode("utf-8", "ignore").strip()


def _reason(error: Exception) -> str:
    """Return why no answer came, in words that show nothing of our network."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"The TLS certificate was refused: {error.verify_message}."[:200]
    return next((sentence for kind, sentence in _REASONS if isinstance(error, kind)), "The answer is not HTTP.")


# The first that fits: later ones are its parents.
_REASONS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (TimeoutError, "The receiver did not answer in time."),
    (ssl.SSLError, "The TLS handshake failed."),
    (socket.gaierror, "The host name does not resolve."),
    (ConnectionRefusedError, "The connection was refused."),
    (ConnectionError, "The connection was closed without an answer."),
    (http1.NoAnswerError, "The connection was closed without an answer."),
    (OSError, "The connection failed."),
)
