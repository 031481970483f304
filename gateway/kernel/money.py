"""Money: an exact number of atomic units of one currency.

No float and no rounding here; rounding lives in `domain/conversion.py`.
"""

import re
from dataclasses import dataclass
from typing import Final, Self

from gateway.kernel.currencies import currency, parse_currency
from gateway.kernel.errors import ErrorCode, InvalidRequestError

# DECIMAL(65,0) is the narrowest exact column among the three databases.
MAX_ATOMIC: Final = 10**65 - 1
_AMOUNT: Final = re.compile(r"(-?)([0-9]{1,66})(?:\.([0-9]{1,66}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in atomic units (cents, lamports, wei) of `currency`; may be negative in the ledger."""

    atomic: int
    currency: str

    def __post_init__(self) -> None:
        assert type(self.atomic) is int, "atomic units are whole"
        assert abs(self.atomic) <= MAX_ATOMIC, "amount exceeds every database column"

    @classmethod
    def zero(cls, code: str) -> Self:
        """Return nothing of `code`."""
        return cls(0, code)

    def __add__(self, other: "Money") -> "Money":
        return Money(self.atomic + self._same(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.atomic - self._same(other), self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.atomic, self.currency)

    def __lt__(self, other: "Money") -> bool:
        return self.atomic < self._same(other)

    def __le__(self, other: "Money") -> bool:
        return self.atomic <= self._same(other)

    def __gt__(self, other: "Money") -> bool:
        return self.atomic > self._same(other)

    def __ge__(self, other: "Money") -> bool:
        return self.atomic >= self._same(other)

    def __bool__(self) -> bool:
        return self.atomic != 0

    def __str__(self) -> str:
        return f"{self.major} {self.currency}"

    @property
    def major(self) -> str:
        """The amount as a decimal string in major units with every decimal of the currency: `"12.30"`, `"1000"`."""
        exponent = currency(self.currency).exponent
        digits = str(abs(self.atomic)).rjust(exponent + 1, "0")
        sign = "-" if self.atomic < 0 else ""
        whole, decimals = digits[: len(digits) - exponent], digits[len(digits) - exponent :]
        return f"{sign}{whole}.{decimals}" if exponent else f"{sign}{whole}"

    def _same(self, other: "Money") -> int:
        assert self.currency == other.currency, f"{self.currency} and {other.currency} do not mix"
        return other.atomic


def parse_money(amount: str, code: str, *, param: str = "/amount") -> Money:
    """Read a positive amount in major units, as callers send it.

    Args:
        amount: ASCII digits with an optional point: `"12.3"`, `"12.30"`, `"1000"`. No sign, exponent, space or group.
        code: a currency code from outside.
        param: the JSON pointer that an error names.

    Raises:
        InvalidRequestError: the amount is malformed, too precise for the currency, zero, negative or too large.
    """
    row = parse_currency(code)
    matched = _AMOUNT.fullmatch(amount)
    if matched is None:
        raise InvalidRequestError(
            ErrorCode.AMOUNT_INVALID,
            'Send the amount as a string of digits in major units, such as "12.30".',
            param=param,
        )
    sign, whole, decimals = matched[1], matched[2], matched[3] or ""
    if len(decimals) > row.exponent:
        raise InvalidRequestError(
            ErrorCode.AMOUNT_TOO_PRECISE,
            f"{row.code} has {row.exponent} decimals; send no more than that.",
            param=param,
        )
    atomic = int(whole + decimals.ljust(row.exponent, "0"))
    if sign or atomic == 0:
        raise InvalidRequestError(ErrorCode.AMOUNT_NOT_POSITIVE, "The amount must be greater than zero.", param=param)
    if atomic > MAX_ATOMIC:
        raise InvalidRequestError(
            ErrorCode.AMOUNT_TOO_LARGE, "The amount is larger than the gateway can book.", param=param
        )
    return Money(atomic, row.code)
