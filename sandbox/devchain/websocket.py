"""The WebSocket side of the dev chain: one thread with an event loop asks every subscription for news."""

import asyncio
import json
import threading
from itertools import count
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed

from sandbox.devchain.chain import DevChain
from sandbox.devchain.errors import RpcError
from sandbox.devchain.params import Params
from sandbox.devchain.subscriptions import KINDS, Subscription, open_subscription, subscription_id

POLL_S = 0.02
"""Pause between two looks at the chain; far below a slot."""
MAX_SUBSCRIPTIONS = 1_000
"""Of one connection."""
MAX_MESSAGE_BYTES = 100_000
_START_S = 10
_JOIN_S = 5


class SubscriptionServer:
    """Serves subscriptions until ``close``; raises OSError when the port is taken."""

    def __init__(self, chain: DevChain, host: str, port: int) -> None:
        self._chain = chain
        self._ids = count(1)
        self._open: dict[ServerConnection, dict[int, Subscription]] = {}
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._started = threading.Event()
        self._failure: OSError | None = None
        self.port = port
        self._thread = threading.Thread(target=self._run, args=(host, port), name="devchain-websocket", daemon=True)
        self._thread.start()
        assert self._started.wait(_START_S), "the event loop starts at once or fails"
        self._raise_failure()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            self._thread.join(_JOIN_S)
            raise self._failure

    def close(self) -> None:
        """Close every connection and free the port."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_JOIN_S)

    def _run(self, host: str, port: int) -> None:
        try:
            self._loop.run_until_complete(self._serve(host, port))
        finally:
            self._loop.close()

    async def _serve(self, host: str, port: int) -> None:
        try:
            server: Server = await serve(self._talk, host, port, max_size=MAX_MESSAGE_BYTES, compression=None)
        except OSError as error:
            self._failure = error
            self._started.set()
            return
        async with server:
            self.port = next(iter(server.sockets)).getsockname()[1]
            self._started.set()
            while not self._stop.is_set():
                self._tell_news()
                await asyncio.sleep(POLL_S)

    async def _talk(self, connection: ServerConnection) -> None:
        self._open[connection] = {}
        try:
            async for message in connection:
                await connection.send(json.dumps(self._answer(connection, message)))
        except ConnectionClosed:
            pass  # the browser tab was closed: nobody is left to tell
        finally:
            del self._open[connection]

    def _answer(self, connection: ServerConnection, message: str | bytes) -> dict[str, Any]:
        ident = None
        try:
            call = _read_call(message)
            ident = call.get("id")
            return {"jsonrpc": "2.0", "result": self._act(connection, call), "id": ident}
        except ValueError:
            return {"jsonrpc": "2.0", "error": RpcError(-32700, "Parse error").as_json(), "id": ident}
        except RpcError as error:
            return {"jsonrpc": "2.0", "error": error.as_json(), "id": ident}

    def _act(self, connection: ServerConnection, call: dict[str, Any]) -> int | bool:
        mine, method, params = self._open[connection], call["method"], Params(call.get("params"))
        self._chain.faults.calls[method] += 1
        if method.removesuffix("Unsubscribe") in KINDS and method.endswith("Unsubscribe"):
            if mine.pop(subscription_id(params), None) is None:
                raise RpcError(-32602, "Invalid subscription id.")
            return True
        if method.removesuffix("Subscribe") not in KINDS or not method.endswith("Subscribe"):
            raise RpcError(-32601, "Method not found")
        if len(mine) >= MAX_SUBSCRIPTIONS:
            raise RpcError(-32603, f"Internal error: more than {MAX_SUBSCRIPTIONS} subscriptions")
        ident = next(self._ids)
        mine[ident] = open_subscription(self._chain, method.removesuffix("Subscribe"), params)
        return ident

    def _tell_news(self) -> None:
        for connection, mine in list(self._open.items()):
            for ident, subscription in list(mine.items()):
                with self._chain.lock:
                    results = subscription.news(self._chain)
                for result in results:
                    notification = {"result": result, "subscription": ident}
                    body = {"jsonrpc": "2.0", "method": subscription.name, "params": notification}
                    broadcast([connection], json.dumps(body))
                if subscription.is_done:
                    mine.pop(ident, None)


def _read_call(message: str | bytes) -> dict[str, Any]:
    call = json.loads(message)
    if not isinstance(call, dict) or not isinstance(call.get("method"), str):
        raise RpcError(-32600, "Invalid request")
    return call
