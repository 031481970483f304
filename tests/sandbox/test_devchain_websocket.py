"""Subscriptions over a real socket, each at its own commitment level."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from solders.keypair import Keypair
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from sandbox.devchain.chain import DevChain
from sandbox.devchain.server import RunningServer, serve
from sandbox.devchain.wallet import TestWallet
from tests.sandbox.conftest import SOL

QUIET_S = 0.15


@pytest.fixture
def manual() -> Iterator[RunningServer]:
    with serve(DevChain(auto=False)) as server:
        yield server


class Client:
    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self._waiting: list[dict[str, Any]] = []

    def call(self, method: str, *params: Any) -> Any:
        self.connection.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}))
        while "id" not in (answer := json.loads(self.connection.recv(timeout=5))):
            self._waiting.append(answer)
        return answer.get("result", answer.get("error"))

    def next(self, timeout_s: float = 5) -> dict[str, Any]:
        note = self._waiting.pop(0) if self._waiting else json.loads(self.connection.recv(timeout=timeout_s))
        return {"method": note["method"], **note["params"]}

    def is_quiet(self) -> bool:
        try:
            self.next(QUIET_S)
        except TimeoutError:
            return True
        return False


@pytest.fixture
def client(manual: RunningServer) -> Iterator[Client]:
    with connect(manual.ws_url) as connection:
        yield Client(connection)


@pytest.fixture
def payer(manual: RunningServer) -> TestWallet:
    wallet = TestWallet(manual.url)
    wallet.airdrop(10 * SOL)
    manual.chain.tick(32)
    return wallet


def test_a_signature_is_told_once_when_it_reaches_its_level(
    manual: RunningServer, client: Client, payer: TestWallet
) -> None:
    signature = payer.pay_sol(str(Keypair().pubkey()), SOL)
    ident = client.call("signatureSubscribe", signature, {"commitment": "confirmed"})
    manual.chain.tick(1)
    assert client.is_quiet()
    manual.chain.tick(1)
    note = client.next()
    assert (note["method"], note["subscription"]) == ("signatureNotification", ident)
    assert note["result"]["value"] == {"err": None}
    manual.chain.tick(5)
    assert client.is_quiet()
    assert client.call("signatureUnsubscribe", ident)["code"] == -32602, "it has ended by itself"


def test_a_signature_can_be_acknowledged_on_receipt(manual: RunningServer, client: Client, payer: TestWallet) -> None:
    signature = payer.pay_sol(str(Keypair().pubkey()), SOL)
    client.call("signatureSubscribe", signature, {"commitment": "finalized", "enableReceivedNotification": True})
    assert client.next()["result"]["value"] == "receivedSignature"
    manual.chain.tick(32)
    assert client.next()["result"]["value"] == {"err": None}


def test_logs_come_for_the_mentioned_address_only_and_again_after_a_fork(
    manual: RunningServer, client: Client, payer: TestWallet
) -> None:
    shop, other = str(Keypair().pubkey()), str(Keypair().pubkey())
    client.call("logsSubscribe", {"mentions": [shop]}, {"commitment": "processed"})
    payer.pay_sol(other, SOL)
    signature = payer.pay_sol(shop, SOL)
    first = client.next()
    assert first["result"]["value"]["signature"] == signature
    assert first["result"]["value"]["logs"]
    manual.chain.rollback(1)
    manual.chain.reland()
    assert client.next()["result"]["value"]["signature"] == signature
    assert client.is_quiet()


def test_slots_and_roots_are_counted(manual: RunningServer, client: Client) -> None:
    start = manual.chain.slot()
    slots, roots = client.call("slotSubscribe"), client.call("rootSubscribe")
    manual.chain.tick(2)
    notes = [client.next() for _ in range(4)]
    told = {ident: [note["result"] for note in notes if note["subscription"] == ident] for ident in (slots, roots)}
    assert [each["slot"] for each in told[slots]] == [start + 1, start + 2]
    assert told[slots][1]["parent"] == start + 1
    assert told[roots] == [start - 31, start - 30]


def test_an_account_is_told_when_it_changes_at_its_level(
    manual: RunningServer, client: Client, payer: TestWallet
) -> None:
    shop = str(Keypair().pubkey())
    client.call("accountSubscribe", shop, {"commitment": "confirmed", "encoding": "base64"})
    payer.pay_sol(shop, SOL)
    assert client.is_quiet()
    manual.chain.tick(2)
    note = client.next()
    assert (note["method"], note["result"]["value"]["lamports"]) == ("accountNotification", SOL)
    manual.chain.rollback(3)
    assert client.next()["result"]["value"]["lamports"] == 0


def test_after_unsubscribing_nothing_comes(manual: RunningServer, client: Client) -> None:
    ident = client.call("slotSubscribe")
    assert client.call("slotUnsubscribe", ident) is True
    manual.chain.tick(3)
    assert client.is_quiet()


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("blockSubscribe", ["all"], -32601),
        ("getSlot", [], -32601),
        ("slotUnsubscribe", [99], -32602),
        ("logsSubscribe", [{"mentions": []}], -32602),
        ("accountSubscribe", ["nonsense"], -32602),
    ],
)
def test_a_bad_subscription_is_refused(client: Client, method: str, params: list[Any], code: int) -> None:
    assert client.call(method, *params)["code"] == code


def test_closing_the_server_closes_its_connections(client: Client, manual: RunningServer) -> None:
    manual.close()
    with pytest.raises(ConnectionClosed):
        client.connection.recv(timeout=5)
