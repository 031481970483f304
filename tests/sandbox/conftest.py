"""Chains for sandbox tests: served on loopback, manual so that nothing depends on the clock."""

from collections.abc import Iterator
from typing import Any

import pytest
from solders.keypair import Keypair

from sandbox.devchain.chain import DevChain
from sandbox.devchain.rpc import answer_call
from sandbox.devchain.server import RunningServer, serve
from sandbox.devchain.wallet import TestWallet

SOL = 10**9


class Chain:
    """A chain in this process, asked through JSON-RPC objects without a socket."""

    def __init__(self, chain: DevChain) -> None:
        self.core = chain

    def answer(self, method: str, *params: Any) -> dict[str, Any]:
        return answer_call(self.core, {"jsonrpc": "2.0", "id": 7, "method": method, "params": list(params)})

    def ask(self, method: str, *params: Any) -> Any:
        answer = self.answer(method, *params)
        assert "error" not in answer, answer
        return answer["result"]

    def refuse(self, method: str, *params: Any) -> dict[str, Any]:
        answer = self.answer(method, *params)
        assert "result" not in answer, answer
        error: dict[str, Any] = answer["error"]
        return error

    def tick(self, slots: int = 1) -> None:
        self.core.tick(slots)

    def funded(self, lamports: int = 10 * SOL) -> Keypair:
        key = Keypair()
        self.ask("requestAirdrop", str(key.pubkey()), lamports)
        return key


class LocalWallet(TestWallet):
    """The test wallet over a chain in this process."""

    def __init__(self, chain: Chain, *, keypair: Keypair | None = None) -> None:
        super().__init__("in-process", keypair=keypair)
        self._chain = chain

    def rpc(self, method: str, *params: Any) -> Any:
        return self._chain.ask(method, *params)


@pytest.fixture
def chain() -> Chain:
    return Chain(DevChain(auto=False))


@pytest.fixture
def payer(chain: Chain) -> LocalWallet:
    """Return a wallet with 10 SOL that everybody has confirmed."""
    wallet = LocalWallet(chain)
    wallet.airdrop(10 * SOL)
    chain.tick(32)
    return wallet


@pytest.fixture
def served() -> Iterator[RunningServer]:
    """Serve a chain with quick slots, so that foreign clients that wait for finality do not wait long."""
    with serve(DevChain(slot_ms=10)) as server:
        yield server
