"""Shoppers with wallets: they pay SOL on a dev chain, and tell the page about it several times over."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import requests

from gateway.engine.records import Owner
from gateway.wiring import House
from sandbox.devchain.chain import DevChain
from sandbox.devchain.server import RunningServer, serve
from sandbox.devchain.wallet import TestWallet
from tests.crash.shopping import HTTP_S, Json, Order, Shopper

AMOUNT = "0.002"
LAMPORTS = 2_000_000
SHOPPERS = 4
SLOT_MS = 50  # a payment is final after 1.6 s instead of 13


class WalletShopper(Shopper):
    """Chooses SOL, pays from his wallet, hints at the signature."""

    wallet: TestWallet

    @property
    def price(self) -> Mapping[str, str]:
        """In SOL, so that no rate matters."""
        return {"amount": AMOUNT, "currency": "SOL"}

    def pay(self, order: Order) -> None:
        """Pay on the chain."""
        chosen = self.until(lambda: self._choose(order), lambda answer: answer.ok and bool(answer.json()["attempts"]))
        if chosen is None:
            return
        attempt = chosen.json()["attempts"][0]
        signature = self.wallet.pay_sol(
            attempt["receiving_address"], LAMPORTS, references=[attempt["reference_key"]], memo=order.payment_id
        )
        order.is_paid = True
        for _ in range(self.dice.choice((1, 1, 2, 3))):
            self.try_once(lambda: self._hint(order, str(signature)))

    def _choose(self, order: Order) -> requests.Response:
        requests.post(f"{order.page}/method", data={"method": "sol"}, allow_redirects=False, timeout=HTTP_S)
        return self.get(f"payments/{order.payment_id}")

    def _hint(self, order: Order, signature: str) -> requests.Response:
        return requests.post(f"{order.page}/wallet/hint", json={"signature": signature}, timeout=HTTP_S)


class WalletTraffic:
    """A dev chain and those who pay on it."""

    def __init__(self, chain: RunningServer) -> None:
        self._url = chain.url

    @property
    def settings(self) -> Mapping[str, str]:
        """What the gateway is told of the chain."""
        return {
            "STREAMPAY_SOLANA_TEST_NETWORK": "solana:localnet",
            "STREAMPAY_SOLANA_TEST_RPC_URLS": self._url,
            "STREAMPAY_SOLANA_TEST_TOKENS": "[]",
            "STREAMPAY_SOLANA_LIVE_NETWORK": "",
        }

    def meet(self, _url: str, house: House, merchant_id: str) -> None:
        """Name a wallet that is empty: money from before would be news that no endpoint could be told yet."""
        address = TestWallet(self._url, seed="crash merchant").address
        house.engine.merchants.set_wallet(Owner(merchant_id=merchant_id, livemode=False), "solana", address)

    def shoppers(self, url: str, key: str, stop: threading.Event) -> Sequence[WalletShopper]:
        """Return four, each with money."""
        made = [WalletShopper(url, key, stop, number) for number in range(SHOPPERS)]
        for one in made:
            one.wallet = TestWallet(self._url, seed=f"shopper {one.number}")
            one.wallet.airdrop(100_000_000_000)
        return made

    def is_settled(self, payment: Json) -> bool:
        """Paid by one transfer, without a but."""
        return payment["status"] == "paid" and len(payment["transfers"]) == 1 and not payment["exceptions"]

    def come_to_rest(self) -> None:
        """Nothing: the chain goes on by itself."""


@contextmanager
def wallet_traffic() -> Iterator[WalletTraffic]:
    """Run a quick chain."""
    with serve(DevChain(slot_ms=SLOT_MS)) as chain:
        yield WalletTraffic(chain)
