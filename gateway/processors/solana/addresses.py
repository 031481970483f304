"""Addresses that come from outside."""

from typing import Final

from solders.pubkey import Pubkey

from gateway.kernel.errors import ErrorCode, InvalidRequestError
from gateway.processors.solana.programs import MACHINERY

MAX_ADDRESS: Final = 44  # characters of 32 bytes in base 58


def parse_wallet(text: str, *, param: str) -> Pubkey:
    """Read a wallet's address.

    Raises:
        InvalidRequestError: `wallet_address_invalid`: not base 58 of 32 bytes, or a program that nobody can spend from.
    """
    try:
        key = Pubkey.from_string(text) if len(text) <= MAX_ADDRESS else None
    except ValueError:
        key = None
    if key is None or key in MACHINERY:
        raise _invalid("This is not a Solana wallet address. Copy it from the wallet again.", param)
    return key


def parse_payer(text: str) -> Pubkey:
    """Read the address of a wallet that is to sign.

    Raises:
        InvalidRequestError: `wallet_address_invalid`: also for an address that no key can sign for.
    """
    key = parse_wallet(text, param="/payer")
    if not key.is_on_curve():
        raise _invalid("This address cannot sign by itself. Connect a wallet that holds its own key.", "/payer")
    return key


def _invalid(message: str, param: str) -> InvalidRequestError:
    return InvalidRequestError(ErrorCode.WALLET_ADDRESS_INVALID, message, param=param)
