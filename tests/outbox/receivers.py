"""A merchant's web server on loopback, on threads, that behaves as badly as its paths say."""

import contextlib
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One request as it came: `path` tells the endpoint, `headers` in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float


@dataclass(slots=True)
class Receiver:
    """Remembers every request, in order; `answers` maps a path to a status, a name of a misdeed, or a list of them."""

    port: int = 0
    received: list[Received] = field(default_factory=list)
    answers: dict[str, Any] = field(default_factory=dict)
    connections: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def authority(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, path: str) -> str:
        return f"http://{self.authority}{path}"

    def at(self, path: str) -> list[Received]:
        with self.lock:
            return [each for each in self.received if each.path == path]

    def note(self, request: Received) -> Any:
        """Remember a request and return how it shall be answered."""
        with self.lock:
            self.received.append(request)
            answer = self.answers.get(request.path, 204)
            if isinstance(answer, list):
                return answer.pop(0) if len(answer) > 1 else answer[0]
            return answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Contexts of a server whose certificate says `localhost`, and of a client that trusts its authority."""

    server: ssl.SSLContext
    client: ssl.SSLContext

    @classmethod
    def make(cls, folder: Path) -> "Tls":
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "StreamPay tests")])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        pem = folder / "localhost.pem"
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        pem.write_bytes(private + certificate.public_bytes(Encoding.PEM))
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(pem)
        return cls(server=server, client=ssl.create_default_context(cafile=str(pem)))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    receiver: Receiver
    timeout = 30

    def setup(self) -> None:
        with self.receiver.lock:
            self.receiver.connections += 1
        super().setup()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.receiver.note(Received(path=self.path, headers=headers, body=body, at=time.monotonic()))
        if isinstance(answer, tuple):
            status, extra, content = answer
            self._say(status, content, extra)
        elif isinstance(answer, int):
            self._say(answer, b"" if answer == 204 else b"said %d" % answer, {})
        else:
            getattr(self, f"_{answer}")()

    def _say(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _hang(self) -> None:
        self.receiver.released.wait(30)
        self.close_connection = True

    def _answer_late(self) -> None:
        self.receiver.released.wait(30)
        self._say(200, b"at last", {})

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.connection.close()
        self.close_connection = True

    def _drip_head(self) -> None:
        """Send a byte of the status line every 50 ms, for ever."""
        with contextlib.suppress(OSError):
            for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 600:
                self.wfile.write(bytes([byte]))
                if self.receiver.released.wait(0.05):
                    break
        self.close_connection = True

    def _drip_body(self) -> None:
        with contextlib.suppress(OSError):
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            for _ in range(1000):
                self.wfile.write(b"x")
                if self.receiver.released.wait(0.05):
                    break
        self.close_connection = True

    def _huge(self) -> None:
        with contextlib.suppress(OSError):
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
            for _ in range(1000):
                self.wfile.write(b"x" * 1_000_000)
        self.close_connection = True

    def _huge_head(self) -> None:
        with contextlib.suppress(OSError):
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            for number in range(100_000):
                self.wfile.write(b"X-%d: %s\r\n" % (number, b"y" * 1000))
        self.close_connection = True

    def _garbage(self) -> None:
        self.wfile.write(b"\x16\x03\x01 this is not HTTP\r\n\r\n")
        self.close_connection = True

    def _hang_up_later(self) -> None:
        """Answer well, then close the kept-alive connection without a word."""
        self._say(200, b"ok", {})
        self.close_connection = True

    def _last(self) -> None:
        self._say(200, b"goodbye", {"Connection": "close"})
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Stay silent."""


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: object) -> None:
        """Stay silent: senders that hang up are part of the play."""


@contextlib.contextmanager
def receiving(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """Run a receiver on a free loopback port."""
    receiver = Receiver()
    handler = type("Handler", (_Handler,), {"receiver": receiver})
    with _Server(("127.0.0.1", 0), handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        receiver.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield receiver
        receiver.released.set()
        server.shutdown()
        thread.join()
