"""Token accounts and mints as bytes, and the judgement whether a mint may be accepted at all.

Layouts: SPL Token `state.rs` (mint 82 bytes, account 165), Token-2022 `extension/mod.rs`: byte 165 is the kind, from
166 on type (u16), length (u16), value, little endian.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final

from solders.pubkey import Pubkey

from gateway.processors.solana.networks import Token

_MINT_BYTES: Final = 82
_ACCOUNT_BYTES: Final = 165
_DECIMALS_AT: Final = 44
_INITIALIZED_AT: Final = 45
_AMOUNT_AT: Final = 64
_KIND_AT: Final = 165
_KIND_MINT: Final = 1
_EXTENSIONS_AT: Final = 166
_HEADER_BYTES: Final = 4
_FROZEN: Final = 2
_BPS: Final = 10_000
_FEE_CONFIG_BYTES: Final = 108
_NO_KEY: Final = bytes(32)


class Extension(IntEnum):
    """The Token-2022 mint extensions that change who can move or see a shopper's money."""

    TRANSFER_FEE = 1
    DEFAULT_STATE = 6
    NON_TRANSFERABLE = 9
    PERMANENT_DELEGATE = 12
    TRANSFER_HOOK = 14
    SCALED_UI_AMOUNT = 25
    PAUSABLE = 26


_WARNINGS: Final[Mapping[int, str]] = {
    Extension.TRANSFER_HOOK: "The issuer can change which program runs in every transfer.",
    Extension.PERMANENT_DELEGATE: "The issuer can take tokens out of any account, yours included.",
    Extension.PAUSABLE: "The issuer can pause every transfer.",
    Extension.TRANSFER_FEE: "The token may keep a fee of each transfer; what arrives is what counts.",
    Extension.SCALED_UI_AMOUNT: "Wallets show another amount than the chain counts.",
}


class Verdict(StrEnum):
    """May the token be accepted?"""

    ACCEPTED = "accepted"
    WARNED = "warned"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class MintReport:
    """What was found about a mint; `reasons` are sentences for the operator."""

    mint: str
    verdict: Verdict
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferFee:
    """Token-2022's fee of one epoch: `bps` hundredths of a percent of what is sent, at most `maximum`."""

    bps: int
    maximum: int

    def of(self, amount: int) -> int:
        """Return the fee withheld from `amount`, rounded up as the program does."""
        return min(-(-amount * self.bps // _BPS), self.maximum)

    def gross(self, due: int) -> int:
        """Return the least amount to send so that at least `due` arrives.

        Raises:
            ValueError: the whole amount would be kept.
        """
        if due + self.maximum <= due * _BPS // max(_BPS - self.bps, 1):
            return due + self.maximum
        if self.bps >= _BPS:
            raise ValueError("this token keeps everything that is sent")
        amount = -(-due * _BPS // (_BPS - self.bps))
        while amount > due and amount - 1 - self.of(amount - 1) >= due:
            amount -= 1
        return amount


NO_FEE: Final = TransferFee(bps=0, maximum=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenBalance:
    """What a token account holds, and whose it is."""

    mint: Pubkey
    owner: Pubkey
    amount: int
    is_frozen: bool


def read_balance(data: bytes) -> TokenBalance | None:
    """Return a token account's content; None when the bytes are no token account."""
    if len(data) < _ACCOUNT_BYTES or (len(data) > _ACCOUNT_BYTES and data[_KIND_AT] == _KIND_MINT):
        return None
    return TokenBalance(
        mint=Pubkey(data[0:32]),
        owner=Pubkey(data[32:64]),
        amount=int.from_bytes(data[_AMOUNT_AT : _AMOUNT_AT + 8], "little"),
        is_frozen=data[108] == _FROZEN,
    )


def extensions(mint: bytes) -> Mapping[int, bytes]:
    """Return a Token-2022 mint's extensions by type; none for a plain mint."""
    return dict(_walk(mint))


def fee_in_epoch(mint: bytes, epoch: int) -> TransferFee:
    """Return the transfer fee that a mint's bytes ask for in an epoch.

    Source: `TransferFeeConfig`: two optional keys, withheld u64, then the older and the newer fee, each epoch u64,
    maximum u64, basis points u16.
    """
    config = extensions(mint).get(Extension.TRANSFER_FEE)
    if config is None or len(config) < _FEE_CONFIG_BYTES:
        return NO_FEE
    older, newer = config[72:90], config[90:108]
    current = newer if int.from_bytes(newer[:8], "little") <= epoch else older
    return TransferFee(bps=int.from_bytes(current[16:18], "little"), maximum=int.from_bytes(current[8:16], "little"))


def judge(token: Token, *, owner: str | None, data: bytes) -> MintReport:
    """Compare a mint's account with what the operator allow-listed, and name what its issuer could do.

    Args:
        token: the row of the allow-list.
        owner: the program that owns the account; None when there is no such account.
        data: the account's bytes.
    """
    refused = _mismatch(token, owner, data)
    warned: str | None = None
    reasons = [refused] if refused else []
    if refused is None:
        for kind, value in _walk(data):
            refusal, warning = _refusal(kind, value), _warning(kind, value)
            reasons += [reason for reason in (refusal, warning) if reason]
            refused, warned = refused or refusal, warned or warning
    verdict = Verdict.REFUSED if refused else Verdict.WARNED if warned else Verdict.ACCEPTED
    return MintReport(mint=token.mint, verdict=verdict, reasons=tuple(reasons))


def _mismatch(token: Token, owner: str | None, data: bytes) -> str | None:
    if owner is None:
        return "There is no such mint on this network."
    if owner != str(token.program.address):
        return f"The mint does not belong to the program {token.program}."
    if len(data) < _MINT_BYTES or (len(data) > _MINT_BYTES and data[_KIND_AT : _KIND_AT + 1] != bytes([_KIND_MINT])):
        return "The address is not a mint."
    if not data[_INITIALIZED_AT]:
        return "The mint is not initialised."
    if data[_DECIMALS_AT] != token.decimals:
        return f"The mint has {data[_DECIMALS_AT]} decimals, not {token.decimals}."
    return None


def _refusal(kind: int, value: bytes) -> str | None:
    """Return why an extension rules the token out."""
    match kind:
        case Extension.NON_TRANSFERABLE:
            return "The token cannot be transferred."
        case Extension.DEFAULT_STATE if value[:1] == bytes([_FROZEN]):
            return "New accounts of this token are frozen until its issuer thaws them."
        case Extension.TRANSFER_HOOK if value[32:64] != _NO_KEY:
            return "A program of the issuer runs in every transfer and may refuse it."
        case _:
            return None


def _warning(kind: int, value: bytes) -> str | None:
    """Return what the operator should know about an extension: the key that may use it stands first in its bytes."""
    text = _WARNINGS.get(kind)
    needs_key = kind not in {Extension.TRANSFER_FEE, Extension.SCALED_UI_AMOUNT}
    return None if needs_key and value[:32] == _NO_KEY else text


def _walk(mint: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield type and value of each extension; stops at the end or at bytes that make no sense."""
    at = _EXTENSIONS_AT
    while len(mint) > _MINT_BYTES and at + _HEADER_BYTES <= len(mint):
        kind = int.from_bytes(mint[at : at + 2], "little")
        length = int.from_bytes(mint[at + 2 : at + 4], "little")
        start = at + _HEADER_BYTES
        if kind == 0 or start + length > len(mint):
            return
        yield kind, mint[start : start + length]
        at = start + length
