"""A wallet that pays on a checkout page without a person: chooses SOL, signs what is built for it, sends it."""

from typing import Final

from sandbox.demo.processes import DemoError
from sandbox.demo.shopper import Shopper
from sandbox.demo.stage import Scene
from sandbox.devchain.wallet import TestWallet

LAMPORTS: Final = 10_000_000_000


class Purse:
    """A test wallet of its own, and the browser in which it is asked."""

    def __init__(self, scene: Scene, shopper: Shopper, seed: str) -> None:
        self._shopper = shopper
        self._wallet = TestWallet(scene.chain_url, seed=seed)

    def fill(self) -> None:
        """Let the faucet fill it."""
        self._wallet.wait(self._wallet.airdrop(LAMPORTS))

    def choose_sol(self, page_url: str) -> None:
        """Choose SOL, as soon as there is a rate.

        Raises:
            DemoError: there never is one.
        """

        def is_offered() -> bool:
            self._shopper.send(f"{page_url}/method", {"method": "sol"})
            return "solana:" in self._shopper.read(page_url)

        # The first rates may still be on their way from the exchanges.
        never = "The checkout page never offered SOL: is the test exchange running?"
        self._shopper.await_truth(is_offered, lambda: never)

    def pay(self, page_url: str) -> str:
        """Sign what the page asks for, and hand it over; return the signed bytes.

        Raises:
            DemoError: the gateway refuses it.
        """
        built = self._post(f"{page_url}/wallet/build", {"account": self._wallet.address})
        signed = self._wallet.sign(built["payload"])
        self._post(f"{page_url}/wallet/submit", {"payload": signed})
        return signed

    def _post(self, url: str, body: dict[str, str]) -> dict[str, str]:
        answer = self._shopper.post(url, body)
        if not answer.ok:
            raise DemoError(f"{url.rsplit('/', 1)[-1]} was refused: {answer.text}")
        fields: dict[str, str] = answer.json()
        return fields
