"""A gateway that lies, drips and floods, or another server in its place: both clients end in time, with our errors."""

import gzip
import json
import socket
import socketserver
import ssl
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from streampay import StreamPay, errors
from streampay._http import MAX_ANSWER_BYTES
from tests.sdk import objects
from tests.sdk.scripted_gateway import TEST_KEY, Answer, ScriptedGateway

Talk = Callable[[socket.socket], None]
MakeClient = Callable[..., StreamPay]
ACCOUNT = json.dumps(objects.ACCOUNT).encode()
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
READ_S = 0.5
IN_TIME_S = 4.0  # READ_S, and what a busy machine may add


@contextmanager
def talking(talk: Talk) -> Iterator[int]:
    """Answer each connection by a function, once its request has come; yield the port."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            connection: socket.socket = self.request
            try:
                while b"\r\n\r\n" not in connection.recv(65536):
                    pass
                talk(connection)
            except OSError:
                pass  # the client hung up: that is what these tests want

    server = _Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True


def asked(make_client: MakeClient, talk: Talk, **options: Any) -> Any:
    """Ask for the account and return what came of it: the account or the error."""
    with talking(talk) as port:
        client = make_client(TEST_KEY, base_url=f"http://127.0.0.1:{port}", max_retries=0, **options)
        try:
            return client.account.retrieve()
        except errors.StreamPayError as error:
            return error


def dripping(first: bytes, drop: bytes) -> Talk:
    """Send the beginning at once and then a drop every fiftieth of a second, each well within any time-out."""

    def talk(connection: socket.socket) -> None:
        connection.sendall(first)
        for _ in range(1000):
            connection.sendall(drop)
            time.sleep(0.02)

    return talk


@pytest.mark.parametrize(
    "talk",
    [
        dripping(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        dripping(b"HTTP/1.1 200 OK\r\nX: ", b"y"),
        dripping(HEAD + b"Content-Length: 100000\r\n\r\n", b" "),
        dripping(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        dripping(HEAD + b"Transfer-Encoding: chunked\r\n\r\nffff\r\n", b" "),
        dripping(HEAD + b"\r\n", b" "),
        dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        lambda _connection: time.sleep(2),
    ],
    ids=["headers", "one header", "body", "chunks", "one chunk", "until closed", "continue", "silence"],
)
def test_a_dripping_answer_ends_with_the_timeout(talk: Talk, make_client: MakeClient) -> None:
    began = time.monotonic()
    error = asked(make_client, talk, timeout_s=(READ_S, READ_S))
    assert isinstance(error, errors.Timeout), error
    assert error.should_retry
    assert READ_S * 0.9 <= time.monotonic() - began < IN_TIME_S


def test_a_slow_answer_within_the_timeout_is_read(make_client: MakeClient) -> None:
    def talk(connection: socket.socket) -> None:
        connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(ACCOUNT))
        for each in ACCOUNT:
            connection.sendall(bytes([each]))
            time.sleep(0.001)

    assert asked(make_client, talk, timeout_s=10).name == "Shop"


@pytest.mark.parametrize("head", [b"Content-Length: 1073741824\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"])
def test_a_gigabyte_is_cut_off_early(head: bytes, make_client: MakeClient) -> None:
    sent = 0
    chunk = b" " * (1 << 20)
    piece = b"%x\r\n%s\r\n" % (len(chunk), chunk) if b"chunked" in head else chunk

    def talk(connection: socket.socket) -> None:
        nonlocal sent
        connection.sendall(HEAD + head)
        for _ in range(1024):
            connection.sendall(piece)
            sent += len(chunk)

    error = asked(make_client, talk, timeout_s=20)
    assert isinstance(error, errors.ConnectionFailed)
    assert (error.code, error.should_retry) == ("answer_too_large", False)
    assert sent < 3 * MAX_ANSWER_BYTES


def test_what_is_packed_is_not_unpacked(make_client: MakeClient, gateway: ScriptedGateway) -> None:
    bomb = gzip.compress(b" " * (64 << 20))
    gateway.says(Answer(body=bomb, headers={"Content-Encoding": "gzip"}))
    client = make_client(TEST_KEY, base_url=gateway.base_url, timeout_s=20)
    with pytest.raises(errors.ServerError) as caught:
        client.account.retrieve()
    assert caught.value.code == "answer_invalid"
    assert gateway.last.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    ("answer", "codes"),
    [
        (b"", {"connection_failed"}),
        (b"SSH-2.0-OpenSSH_9.2\r\n", {"connection_failed"}),
        (b"HTTP/1.1 200 OK\r\n", {"connection_failed", "answer_invalid"}),
        (b"HTTP/1.1 two OK\r\n\r\n", {"connection_failed"}),
        (b"HTTP/9.9 200 OK\r\n\r\n", {"connection_failed", "answer_invalid"}),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000 + b"\r\n", {"connection_failed"}),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1_000_000 + b"\r\n\r\n", {"connection_failed"}),
        (HEAD + b"Content-Length: -1\r\n\r\n{}", {"connection_failed", "answer_invalid"}),
        (HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", {"connection_failed"}),
        (HEAD + b"Content-Length: 500\r\n\r\n" + ACCOUNT[:100], {"connection_failed"}),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", {"connection_failed"}),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab", {"connection_failed"}),
        (b"HTTP/1.1 500 Oops\r\nContent-Type: text/html\r\n\r\n<html>Traceback", {"http_500"}),
        (b"HTTP/1.1 302 Found\r\nLocation: http://evil.example/\r\n\r\n", {"base_url_redirects"}),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", {"answer_invalid", "connection_failed"}),
        (b"HTTP/1.1 304 Not Modified\r\n\r\n", {"base_url_redirects"}),
        (b"HTTP/1.1 204 No Content\r\n\r\n", {"answer_invalid"}),
        (HEAD + b"Content-Length: 6\r\n\r\n<html>", {"answer_invalid"}),
        (HEAD + b"Content-Length: 2\r\n\r\n{}", {"answer_invalid"}),
    ],
)
def test_nonsense_is_an_error_of_ours(answer: bytes, codes: set[str], make_client: MakeClient) -> None:
    def talk(connection: socket.socket) -> None:
        connection.sendall(answer)

    error = asked(make_client, talk, timeout_s=5)
    assert isinstance(error, errors.StreamPayError)
    assert error.code in codes
    assert "base_url" in error.message  # a sentence that says what to do
    shown = "".join(traceback.format_exception(error)) + repr(vars(error)) + repr(error.__context__)
    assert TEST_KEY not in shown
    assert error.__context__ is None
    assert error.__cause__ is None


def test_frames_of_an_error_hold_no_key_beyond_our_own(make_client: MakeClient) -> None:
    def talk(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 500 Oops\r\n\r\n")

    error = asked(make_client, talk, timeout_s=5)
    for frame, _line in traceback.walk_tb(error.__traceback__):
        assert TEST_KEY not in repr({name: each for name, each in frame.f_locals.items() if name != "args"})


# --- TLS -------------------------------------------------------------------------------------------------------------


def _issued(folder: Path, name: str) -> tuple[Path, Path]:
    """Write a self-signed certificate for a name, and its key."""
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    where = folder / f"{name}.pem", folder / f"{name}.key"
    where[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    no_password = serialization.NoEncryption()
    where[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, no_password))
    return where


@contextmanager
def talking_tls(certificate: Path, key: Path) -> Iterator[int]:
    """Answer with the account over TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            try:
                with context.wrap_socket(self.request, server_side=True) as connection:
                    connection.recv(65536)
                    connection.sendall(
                        HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(ACCOUNT) + ACCOUNT
                    )
            except OSError:
                pass  # the client does not trust us

    with _Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def test_a_certificate_that_nobody_vouches_for_ends_it(make_client: MakeClient, tmp_path: Path) -> None:
    with talking_tls(*_issued(tmp_path, "localhost")) as port:
        client = make_client(TEST_KEY, base_url=f"https://localhost:{port}", max_retries=2)
        with pytest.raises(errors.ConnectionFailed) as caught:
            client.account.retrieve()
    assert (caught.value.code, caught.value.should_retry, caught.value.__context__) == ("tls_failed", False, None)


def test_a_shops_own_authority_is_found_where_requests_finds_it(
    make_client: MakeClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = _issued(tmp_path, "localhost")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with talking_tls(certificate, key) as port:
        assert make_client(TEST_KEY, base_url=f"https://localhost:{port}").account.retrieve().name == "Shop"
        other = make_client(TEST_KEY, base_url=f"https://127.0.0.1:{port}", max_retries=0)
        with pytest.raises(errors.ConnectionFailed) as caught:
            other.account.retrieve()
    assert caught.value.code == "tls_failed"  # the name is checked as well


def test_a_server_without_tls_is_no_gateway(make_client: MakeClient, gateway: ScriptedGateway) -> None:
    client = make_client(TEST_KEY, base_url=gateway.base_url.replace("http:", "https:"), max_retries=0)
    with pytest.raises(errors.ConnectionFailed) as caught:
        client.account.retrieve()
    assert caught.value.code == "tls_failed"


# --- the way out -----------------------------------------------------------------------------------------------------


def test_a_proxy_of_the_environment_is_used_and_no_proxy_is_heard(
    make_client: MakeClient, gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.says(Answer(body=objects.ACCOUNT))
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", gateway.base_url.removeprefix("http://"))
    make_client(TEST_KEY, base_url="http://gateway.internal:8080").account.retrieve()
    assert gateway.last.target == "http://gateway.internal:8080/v1/account"
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    make_client(TEST_KEY, base_url=gateway.base_url).account.retrieve()
    assert gateway.last.target == "/v1/account"


def test_a_proxy_that_cannot_be_is_an_error_of_ours(make_client: MakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for proxy in ("socks5://127.0.0.1:9", "gopher://127.0.0.1:9", "http://:::"):
        monkeypatch.setenv("http_proxy", proxy)
        with pytest.raises(errors.StreamPayError):
            make_client(TEST_KEY, base_url="http://gateway.internal:8080", max_retries=0).account.retrieve()
