"""Solana Pay links as a wallet reads them (https://docs.solanapay.com/spec, version 1)."""

import re
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import parse_qsl, unquote, urlsplit

from solders.pubkey import Pubkey

_SCHEME = "solana:"
_AMOUNT = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferLink:
    """A transfer request; ``amount`` in user units, never an exponent; ``references`` in the link's order."""

    recipient: Pubkey
    amount: str
    mint: Pubkey | None
    references: tuple[Pubkey, ...]
    label: str | None
    message: str | None
    memo: str | None

    def atomic(self, decimals: int) -> int:
        """Return the amount in atomic units.

        Raises:
            ValueError: it has more decimals than the token.
        """
        scaled = Decimal(self.amount).scaleb(decimals)
        if scaled != scaled.to_integral_value():
            raise ValueError(f"{self.amount} has more than {decimals} decimals")
        return int(scaled)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLink:
    """A link whose server builds the transfer: GET describes it, POST of the payer's account returns it."""

    url: str


def read_pay_link(link: str) -> TransferLink | RequestLink:
    """Read a ``solana:`` link.

    Raises:
        ValueError: the link breaks the specification; the message says where.
    """
    if not link.startswith(_SCHEME):
        raise ValueError("a Solana Pay link starts with solana:")
    target = link.removeprefix(_SCHEME)
    if unquote(target).startswith(("https://", "http://")):
        return RequestLink(url=unquote(target) if "://" not in target else target)
    parts = urlsplit(target)
    fields = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    single = dict(reversed(fields))
    return TransferLink(
        recipient=Pubkey.from_string(parts.path),
        amount=_amount(single.get("amount", "")),
        mint=Pubkey.from_string(single["spl-token"]) if "spl-token" in single else None,
        references=tuple(Pubkey.from_string(value) for name, value in fields if name == "reference"),
        label=single.get("label"),
        message=single.get("message"),
        memo=single.get("memo"),
    )


def _amount(text: str) -> str:
    if not _AMOUNT.fullmatch(text):
        raise ValueError(f"amount must be plain digits with an optional fraction, not {text!r}")
    return text
