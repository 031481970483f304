"""A gateway that says what the test wrote down: a real HTTP/1.1 server on loopback, one thread for each connection."""

import json
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TEST_KEY = "sk_test_4eC39HqLyjWDarjtT1zdp7d9f3"  # gitleaks:allow - made up


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer; `drops` closes the connection instead, `delay_s` waits before it."""

    status: int = 200
    body: object = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    drops: bool = False
    delay_s: float = 0

    @property
    def content(self) -> bytes:
        """The body's bytes; everything but bytes is written as JSON."""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One request as it arrived; header names in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The parsed body."""
        return json.loads(self.body)


class ScriptedGateway:
    """Answers with `script` in order; the last answer stays for all that follow."""

    def __init__(self) -> None:
        self.script: deque[Answer] = deque([Answer()])
        self.received: list[Received] = []
        self.base_url = ""
        self._lock = threading.Lock()

    def says(self, *answers: Answer) -> None:
        """Write down what comes next."""
        self.script = deque(answers)

    def take(self, received: Received) -> Answer:
        """Note a request and return its answer."""
        with self._lock:
            self.received.append(received)
            return self.script.popleft() if len(self.script) > 1 else self.script[0]

    @property
    def last(self) -> Received:
        """The request that came last."""
        return self.received[-1]


def problem(status: int, code: str, **facts: object) -> Answer:
    """Return a problem document as the gateway writes it."""
    body = {
        "type": f"http://127.0.0.1/docs/errors#{code}",
        "title": code.replace("_", " "),
        "status": status,
        "detail": "A sentence that says what to do.",
        "code": code,
        "param": None,
        "errors": [],
        "request_id": "req_body",
        "doc_url": f"http://127.0.0.1/docs/errors#{code}",
        "retryable": False,
        **facts,
    }
    return Answer(status=status, body=body, headers={"Content-Type": "application/problem+json"})


@contextmanager
def running() -> Iterator[ScriptedGateway]:
    """Serve on a free port of loopback."""
    gateway = ScriptedGateway()
    server = _Server(("127.0.0.1", 0), _handler(gateway))
    gateway.base_url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield gateway
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512
    block_on_close = False  # a connection that a client keeps open must not keep the test

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that hung up is what some tests are about."""


def _handler(gateway: ScriptedGateway) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = gateway.take(Received(method=self.command, target=self.path, headers=headers, body=body))
            time.sleep(answer.delay_s)
            if answer.drops:
                self.close_connection = True
                return
            self.send_response(answer.status)
            content = answer.content
            all_headers = {"Content-Type": "application/json", "Request-Id": "req_head", **answer.headers}
            for name, value in {"Content-Length": str(len(content)), **all_headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815 - names of http.server

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
