"""A node that answers whatever a test says: for broken, slow, lying and refusing providers."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import requests

# Takes the request's parsed body; returns status, headers and body.
Script = Callable[[Any], tuple[int, dict[str, str], bytes]]


class ScriptedNode:
    """An HTTP server on loopback that follows a script; `seen` keeps the parsed requests."""

    def __init__(self, script: Script) -> None:
        self.seen: list[Any] = []
        node = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                node.seen.append(body)
                status, headers, answer = script(body)
                if status == 0:  # hang up without a word
                    self.close_connection = True
                    return
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def result(value: Any, number: Any = 0) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "result": value}


def says(answer: Any, status: int = 200, **headers: str) -> Script:
    """Return a script that always answers the same."""
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: (status, named, body)


def liar(url: str, twist: Callable[[str, Any], Any]) -> Script:
    """Return a script that asks an honest node and twists each result: `twist(method, result)`."""

    def script(body: Any) -> tuple[int, dict[str, str], bytes]:
        honest = requests.post(url, json=body, timeout=10).json()
        calls = body if isinstance(body, list) else [body]
        answers = honest if isinstance(honest, list) else [honest]
        methods = {call["id"]: call["method"] for call in calls}
        for answer in answers:
            if "result" in answer:
                answer["result"] = twist(methods[answer["id"]], answer["result"])
        return 200, {}, json.dumps(answers if isinstance(body, list) else answers[0]).encode()

    return script
