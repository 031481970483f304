"""The networks and tokens of the Solana family: parameters only, one row each.

A network's name is its Wallet Standard chain id (`solana:mainnet`), so pages, wallets and attempts speak of the same
thing. Any endpoint may be put in place of the default RPC, which public clusters throttle hard.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from gateway.kernel.money import Money
from gateway.processors.solana.programs import TokenProgram

SOL: Final = "SOL"
SOL_DECIMALS: Final = 9
_NO_THRESHOLDS: Final[Mapping[str, int]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token that the merchant accepts: known by mint address, program and decimals, never by its symbol alone."""

    code: str
    title: str
    mint: str
    decimals: int
    program: TokenProgram = TokenProgram.SPL


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """One cluster; `name` is also its Wallet Standard chain id, `explorer` the page of a signature, if any."""

    name: str
    default_rpc_url: str
    default_tokens: tuple[Token, ...]
    explorer: str | None


def _usdc(mint: str) -> Token:
    return Token(code="USDC", title="USD Coin", mint=mint, decimals=6)


# Circle's own mints: https://developers.circle.com/stablecoins/usdc-contract-addresses
_NETWORKS: Final = (
    Network(
        name="solana:mainnet",
        default_rpc_url="https://api.mainnet-beta.solana.com",
        default_tokens=(_usdc("EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"),),
        explorer="https://explorer.solana.com/tx/{signature}",
    ),
    Network(
        name="solana:devnet",
        default_rpc_url="https://api.devnet.solana.com",
        default_tokens=(_usdc("4zMMC9srt5Ri5X14GAgXhaHii3GnPAEERYPJgZJDZDnU"),),
        explorer="https://explorer.solana.com/tx/{signature}?cluster=devnet",
    ),
    Network(name="solana:localnet", default_rpc_url="http://127.0.0.1:8899", default_tokens=(), explorer=None),
)
NETWORKS: Final[Mapping[str, Network]] = MappingProxyType({network.name: network for network in _NETWORKS})


def localnet_usdc(mint: str) -> Token:
    """Return the USDC of a local chain, whose mint is another on every chain that is not ours."""
    return _usdc(mint)


@dataclass(frozen=True, slots=True, kw_only=True)
class SolanaConfig:
    """What one mode of a gateway accepts on one network.

    Attributes:
        network: a key of `NETWORKS`.
        rpc_urls: endpoints in order of preference; empty means the network's default.
        tokens: allow-listed tokens; None means the network's default.
        accepts_sol: whether SOL itself is a method.
        priority_micro_lamports: price offered for each compute unit, so that a busy cluster takes the transfer.
        second_opinion_url: another provider's endpoint, asked as well before a large amount counts.
        second_opinion_above: atomic units by asset; a gain of at least this much needs both to agree.
    """

    network: str
    rpc_urls: tuple[str, ...] = ()
    tokens: tuple[Token, ...] | None = None
    accepts_sol: bool = True
    priority_micro_lamports: int = 10_000
    second_opinion_url: str | None = None
    second_opinion_above: Mapping[str, int] = field(default_factory=lambda: _NO_THRESHOLDS)

    def __post_init__(self) -> None:
        assert self.network in NETWORKS, f"{self.network} is not a Solana network"
        codes = [token.code for token in self.accepted_tokens]
        assert len(set(codes)) == len(codes), "a token code stands for one mint"
        assert SOL not in codes, "SOL is not a token"
        assert set(self.second_opinion_above) <= {SOL, *codes}, "thresholds name accepted assets"

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The RPC endpoints to use, at least one."""
        return self.rpc_urls or (NETWORKS[self.network].default_rpc_url,)

    @property
    def accepted_tokens(self) -> tuple[Token, ...]:
        """The allow-list of tokens."""
        return NETWORKS[self.network].default_tokens if self.tokens is None else self.tokens

    def token(self, asset: str) -> Token | None:
        """Return the token of an accepted asset; None for SOL.

        Raises:
            KeyError: the asset is not accepted, which only a programmer can cause.
        """
        if asset == SOL:
            return None
        return {token.code: token for token in self.accepted_tokens}[asset]


def user_units(due: Money) -> str:
    """Return an amount in major units without an exponent or idle zeros, as Solana Pay writes it."""
    whole, point, decimals = due.major.partition(".")
    decimals = decimals.rstrip("0")
    return f"{whole}{point}{decimals}" if decimals else whole
