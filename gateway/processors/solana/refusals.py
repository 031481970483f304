"""What a node's refusal means to the person who pays, in sentences."""

from typing import Any, Final

from gateway.kernel.errors import DeclinedError, ErrorCode, TemporaryError, WorldError

# Custom codes of the token programs: https://github.com/solana-program/token/blob/main/interface/src/error.rs
_INSUFFICIENT: Final = 1
_FROZEN: Final = 17
_TOO_SLOW: Final = "The network moved on before the transfer was ready. Try again."


def explain(err: Any, *, asset: str) -> WorldError:
    """Return the error for a simulation or preflight that failed with `err`."""
    match err:
        case "BlockhashNotFound":
            return TemporaryError(ErrorCode.PROVIDER_UNAVAILABLE, _TOO_SLOW)
        case "AccountNotFound" | "InsufficientFundsForFee" | "InvalidAccountForFee":
            return no_sol_for_fee()
        case {"InsufficientFundsForRent": {"account_index": 0}}:
            sentence = "The wallet would be left with too little SOL to exist. Pay a little less or add some SOL."
        case {"InsufficientFundsForRent": _}:
            sentence = "The amount is below the least that a new Solana account can hold. Choose another way to pay."
        case {"InstructionError": [_, {"Custom": code}]} if code == _INSUFFICIENT:
            sentence = f"The wallet does not hold enough {asset}. Add some, or pay from another wallet."
        case {"InstructionError": [_, {"Custom": code}]} if code == _FROZEN:
            return is_frozen(asset)
        case _:
            sentence = "The network refused this transfer in a test run. Try another wallet or another way to pay."
    return _declined(sentence)


def no_sol_for_fee() -> DeclinedError:
    """Return the refusal of a wallet that cannot pay the network fee."""
    return _declined("The wallet does not hold enough SOL for the network fee. Add a little SOL and try again.")


def not_enough(asset: str, *, holds: str, needs: str) -> DeclinedError:
    """Return the refusal of a wallet that holds too little; amounts are in user units."""
    return _declined(f"The wallet holds {holds} {asset}, and {needs} {asset} are due. Add some, or use another wallet.")


def holds_none(asset: str) -> DeclinedError:
    """Return the refusal of a wallet without an account for the token."""
    return _declined(f"This wallet holds no {asset}. Pay from another wallet or choose another way to pay.")


def is_frozen(asset: str) -> DeclinedError:
    """Return the refusal of a wallet whose token account is frozen."""
    return _declined(f"The {asset} in this wallet is frozen by its issuer. Pay from another wallet.")


def _declined(message: str) -> DeclinedError:
    return DeclinedError(ErrorCode.PROVIDER_DECLINED, message)
