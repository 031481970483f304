"""Currencies: codes, exponents and kinds, one row each.

Fiat exponents follow ISO 4217 (list one, 2026). A new coin of a known family is one row here and its parameters in
`processors/<family>/networks.py`.
"""

from dataclasses import dataclass
from enum import StrEnum

from gateway.kernel.errors import ErrorCode, InvalidRequestError


class CurrencyKind(StrEnum):
    """What backs a currency."""

    FIAT = "fiat"
    CRYPTO = "crypto"


@dataclass(frozen=True, slots=True, kw_only=True)
class Currency:
    """One currency; `exponent` is the power of ten between the major and the atomic unit."""

    code: str
    exponent: int
    kind: CurrencyKind
    name: str


_FIAT_EXPONENT_2 = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BWP BYN BZD CAD CDF CHF CNY COP CRC CVE "
    "CZK DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR JMD KES KGS KHR KYD KZT "
    "LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP "
    "PKR PLN QAR RON RSD SAR SBD SCR SEK SGD SHP SLE SOS SRD SZL THB TJS TOP TRY TTD TWD TZS UAH USD UYU UZS WST XCD "
    "XCG YER ZAR ZMW"
)
_FIAT_EXPONENT_0 = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_FIAT_EXPONENT_3 = "BHD JOD KWD OMR TND"
_CRYPTO = {
    "SOL": (9, "Solana"),
    "USDC": (6, "USD Coin"),
    "USDT": (6, "Tether USD"),
    "EURC": (6, "Euro Coin"),
    "PYUSD": (6, "PayPal USD"),
}


def _rows() -> dict[str, Currency]:
    rows = {}
    for exponent, codes in ((2, _FIAT_EXPONENT_2), (0, _FIAT_EXPONENT_0), (3, _FIAT_EXPONENT_3)):
        for code in codes.split():
            rows[code] = Currency(code=code, exponent=exponent, kind=CurrencyKind.FIAT, name=code)
    for code, (exponent, name) in _CRYPTO.items():
        rows[code] = Currency(code=code, exponent=exponent, kind=CurrencyKind.CRYPTO, name=name)
    return rows


_CURRENCIES = _rows()


def currency(code: str) -> Currency:
    """Return the row of a code that our own code or database names.

    Raises:
        KeyError: the code is unknown, which is a programmer's error; callers' codes go through `parse_currency`.
    """
    return _CURRENCIES[code]


def parse_currency(code: str, *, param: str = "/currency") -> Currency:
    """Return the row of a code that came from outside.

    Raises:
        InvalidRequestError: `currency_unknown`, naming the parameter.
    """
    row = _CURRENCIES.get(code)
    if row is None:
        raise InvalidRequestError(
            ErrorCode.CURRENCY_UNKNOWN,
            "This currency is not supported. Use an upper-case ISO 4217 code such as USD, or a coin such as SOL.",
            param=param,
        )
    return row


def register_token(token: Currency) -> None:
    """Add a token that the operator allow-listed; called once by the wiring, before any request.

    Raises:
        ValueError: the code exists with another exponent, so amounts would change their meaning.
    """
    known = _CURRENCIES.setdefault(token.code, token)
    if known.exponent != token.exponent:
        raise ValueError(f"{token.code} is known with exponent {known.exponent}, not {token.exponent}")


def all_currencies() -> tuple[Currency, ...]:
    """Return every known currency, ordered by code."""
    return tuple(_CURRENCIES[code] for code in sorted(_CURRENCIES))
