"""A stage for Solana tests: a served dev chain, our processor on it, a merchant, and wallets that pay him."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from solders.pubkey import Pubkey

from gateway.domain.chain import ChainObservation
from gateway.domain.ports import ReceivingAccount, TransferRequest
from gateway.kernel.currencies import Currency, CurrencyKind, register_token
from gateway.kernel.money import Money
from gateway.processors.solana import SolanaConfig, SolanaProcessor, SolanaReader, Token, TokenProgram, localnet_usdc
from sandbox.devchain.chain import DevChain
from sandbox.devchain.faucet import FEE_MINT, USDC_MINT
from sandbox.devchain.server import RunningServer, serve
from sandbox.devchain.wallet import TestWallet

LOCALNET = "solana:localnet"
SOL = 10**9
USDC = 10**6
FEEUSD = Token(code="FEEUSD", title="Fee dollar", mint=str(FEE_MINT), decimals=6, program=TokenProgram.SPL_2022)


def localnet(url: str, **changes: Any) -> SolanaConfig:
    """Return the configuration for a dev chain."""
    register_token(Currency(code="FEEUSD", exponent=6, kind=CurrencyKind.CRYPTO, name="Fee dollar"))
    tokens = (localnet_usdc(str(USDC_MINT)), FEEUSD)
    return SolanaConfig(network=LOCALNET, rpc_urls=(url,), tokens=tokens, **changes)


@dataclass(slots=True)
class Stage:
    """What a test acts with; slots move only when it says so."""

    server: RunningServer
    processor: SolanaProcessor
    merchant: str

    @property
    def chain(self) -> DevChain:
        return self.server.chain

    @property
    def reader(self) -> SolanaReader:
        return self.processor.reader(LOCALNET)

    def accounts(self) -> dict[str, str]:
        """Return the merchant's accounts with their assets."""
        found = self.processor.receiving_accounts(self.merchant, livemode=False)
        return {receiving.account: receiving.asset for receiving in found}

    def receiving(self, asset: str) -> ReceivingAccount:
        found = self.processor.receiving_accounts(self.merchant, livemode=False)
        return next(receiving for receiving in found if receiving.asset == asset)

    def wallet(self, *, sol: int = 10 * SOL, usdc: int = 0, feeusd: int = 0) -> TestWallet:
        """Return a funded wallet; its money is confirmed."""
        wallet = TestWallet(self.server.url)
        if sol:
            wallet.airdrop(sol)
        for mint, amount in ((USDC_MINT, usdc), (FEE_MINT, feeusd)):
            if amount:
                wallet.airdrop_token(str(mint), amount)
        self.chain.tick(2)
        return wallet

    def request(self, amount: int, asset: str = "SOL", *, reference: str | None = None) -> TransferRequest:
        receiving = self.receiving(asset)
        return TransferRequest(
            network=LOCALNET,
            wallet=receiving.wallet,
            account=receiving.account,
            due=Money(amount, asset),
            reference_key=reference or self.processor.new_reference(),
            label="Blumenladen & Söhne",
            message="Order #1001",
            memo="pay_01jd4k0000000000000000test",
        )

    def confirm(self) -> None:
        self.chain.tick(2)

    def finalize(self) -> None:
        self.chain.tick(32)

    def read(self, signature: str) -> Sequence[ChainObservation] | None:
        """Confirm and read one signature."""
        self.confirm()
        return self.reader.read([signature], self.accounts())[signature]

    def effect(self, signature: str) -> ChainObservation:
        """Confirm, read, and return the one effect."""
        found = self.read(signature)
        assert found is not None, "not readable"
        assert len(found) == 1, found
        return found[0]


def a_stage(**changes: Any) -> Stage:
    """Return a stage with a merchant whose wallet exists; close its server and processor at the end."""
    server = serve(DevChain(auto=False, **changes))
    processor = SolanaProcessor({False: localnet(server.url)})
    merchant = TestWallet(server.url, seed="merchant")
    merchant.airdrop(SOL)
    server.chain.tick(40)
    return Stage(server, processor, merchant.address)


def key(text: str) -> Pubkey:
    """Return a public key."""
    return Pubkey.from_string(text)
