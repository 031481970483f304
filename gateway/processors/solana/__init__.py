"""The processor `solana`: SOL, SPL tokens and Token-2022, paid from any Solana wallet.

It builds chain transfers for wallets to sign, checks what they return, broadcasts, and reads the chain by effect.
"""

from gateway.processors.solana.mints import MintReport, Verdict
from gateway.processors.solana.networks import NETWORKS, SolanaConfig, Token, localnet_usdc
from gateway.processors.solana.pay_links import phantom_browse_link, server_request_link
from gateway.processors.solana.processor import SolanaProcessor
from gateway.processors.solana.programs import TokenProgram
from gateway.processors.solana.reader import SolanaReader

__all__ = [
    "NETWORKS",
    "MintReport",
    "SolanaConfig",
    "SolanaProcessor",
    "SolanaReader",
    "Token",
    "TokenProgram",
    "Verdict",
    "localnet_usdc",
    "phantom_browse_link",
    "server_request_link",
]
