"""The checkout door: the hosted payment page, its wallet calls, and Solana Pay."""

from hosted_checkout.checkout.blueprint import checkout_blueprint
from hosted_checkout.checkout.rendering import SandboxWallet

__all__ = ["SandboxWallet", "checkout_blueprint"]
