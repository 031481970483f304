"""Amounts as Stripe takes them: whole numbers in a currency's smallest unit, with its limits and its fee.

The fee is 2.9 % + 30 of the smallest unit, rounded half up in whole numbers. Stripe's own fee depends on country, card
and contract; this one is simple and the same everywhere, so that a test can foretell it.
"""

from typing import Final

from sandbox.test_bank.errors import ApiError


def _codes(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


ZERO_DECIMAL: Final = _codes("bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf")
"""https://docs.stripe.com/currencies#zero-decimal"""
THREE_DECIMAL: Final = _codes("bhd jod kwd omr tnd")
"""https://docs.stripe.com/currencies#three-decimal: amounts end in 0."""
WHOLE_UNITS_OF_TWO: Final = _codes("isk ugx")
"""Zero-decimal for everybody else; Stripe keeps two decimals, which must be 00."""
_OTHERS: Final = _codes(
    "aed afn all amd aoa ars aud awg azn bam bbd bdt bgn bmd bnd bob brl bsd bwp byn bzd cad cdf chf cny cop crc cve "
    "czk dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gtq gyd hkd hnl htg huf idr ils inr jmd kes kgs khr kyd kzt "
    "lak lbp lkr lrd lsl mad mdl mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd pab pen pgk php pkr "
    "pln qar ron rsd rub sar sbd scr sek sgd shp sle sos srd std szl thb tjs top try ttd twd tzs uah usd uyu uzs wst "
    "xcd yer zar zmw"
)
CURRENCIES: Final = ZERO_DECIMAL | THREE_DECIMAL | WHOLE_UNITS_OF_TWO | _OTHERS

MAX_AMOUNT: Final = 99_999_999
"""Eight digits, Stripe's limit for a charge."""
_MINIMA: Final = {"aud": 50, "cad": 50, "chf": 50, "dkk": 250, "eur": 50, "gbp": 30, "jpy": 50, "nok": 300, "sek": 300}
_MINIMUM: Final = 50
"""Stripe states 0.50 USD; a currency without a figure of its own is held to the same number of its units."""

FEE_PER_MILLE: Final = 29
FEE_FIXED: Final = 30
DISPUTE_FEE: Final = 1_500


def exponent(currency: str) -> int:
    """Return how many decimals an amount of this currency carries on Stripe's wire."""
    if currency in ZERO_DECIMAL:
        return 0
    return 3 if currency in THREE_DECIMAL else 2


def shown(amount: int, currency: str) -> str:
    """Return an amount as people read it, such as `12.30 USD`."""
    places = exponent(currency)
    digits = str(abs(amount)).rjust(places + 1, "0")
    whole, part = (digits[:-places], f".{digits[-places:]}") if places else (digits, "")
    return f"{'-' if amount < 0 else ''}{whole}{part} {currency.upper()}"


def fee_of(amount: int) -> int:
    """Return the fee on a charge."""
    return (amount * FEE_PER_MILLE + 500) // 1_000 + FEE_FIXED


def checked_currency(currency: str, *, param: str = "currency") -> str:
    """Return a currency in Stripe's spelling.

    Raises:
        ApiError: it is none that Stripe takes.
    """
    if currency.lower() not in CURRENCIES:
        raise ApiError(
            f"Invalid currency: {currency[:10]}. Stripe currently supports these currencies: usd, eur, …", param=param
        )
    return currency.lower()


def check_amount(amount: int, currency: str, *, param: str = "amount") -> None:
    """Refuse an amount that cannot be charged.

    Raises:
        ApiError: too small, too large, or finer than the currency.
    """
    least = _MINIMA.get(currency, _MINIMUM)
    if amount < 1:
        raise ApiError("This value must be greater than or equal to 1.", code="parameter_invalid_integer", param=param)
    if amount < least:
        raise ApiError(f"Amount must be at least {shown(least, currency)}", code="amount_too_small", param=param)
    if amount > MAX_AMOUNT:
        raise ApiError(
            f"Amount must be no more than {shown(MAX_AMOUNT, currency)}", code="amount_too_large", param=param
        )
    grain = 10 if currency in THREE_DECIMAL else 100 if currency in WHOLE_UNITS_OF_TWO else 1
    if amount % grain:
        raise ApiError(f"Invalid amount: in {currency.upper()} it must be a multiple of {grain}.", param=param)
