"""The market behind the test exchange: prices that are a pure function of seed and time, until somebody sets them.

All integers: a price is a number of micro-dollars (10⁻⁶ USD) for one coin.
"""

import threading
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

MICROS = 10**6
SOURCES = ("kraken", "coinbase", "bitstamp", "ecb")
# One coin in micro-dollars, around which its price drifts, and how far in parts per million.
_COINS = {
    "SOL": (200_000_000, 5_000),
    "USDC": (1_000_000, 100),
    "USDT": (999_800, 150),
    "EURC": (1_085_000, 200),
    "PYUSD": (999_900, 150),
}
# One euro in each currency, in millionths, as in the ECB's table.
_EURO_IN = {
    "USD": 1_085_000,
    "JPY": 162_340_000,
    "CZK": 25_025_000,
    "DKK": 7_457_500,
    "GBP": 846_380,
    "HUF": 395_100_000,
    "PLN": 4_309_000,
    "RON": 4_977_300,
    "SEK": 11_359_500,
    "CHF": 963_400,
    "ISK": 148_900_000,
    "NOK": 11_396_500,
    "TRY": 35_186_800,
    "AUD": 1_607_900,
    "BRL": 5_891_500,
    "CAD": 1_467_000,
    "CNY": 7_774_800,
    "HKD": 8_359_400,
    "IDR": 17_487_210_000,
    "ILS": 4_020_000,
    "INR": 89_249_500,
    "KRW": 1_474_860_000,
    "MXN": 19_565_400,
    "MYR": 5_050_100,
    "NZD": 1_760_100,
    "PHP": 62_560_000,
    "SGD": 1_451_300,
    "THB": 39_319_000,
    "ZAR": 19_497_000,
}
# A whole swing takes two hours, so a price moves by less than a hundredth of a percent between two ticks of a worker.
_PERIOD_S = 7_200
# Exchanges never agree to the cent: parts per million beside the market.
_HABIT_PPM = {"kraken": 0, "coinbase": 150, "bitstamp": -120, "ecb": 0}
HALF_SPREAD_PPM = 100
_PPM = 10**6
_SATURDAY = 5


class FaultKind(StrEnum):
    """What can be wrong with one source."""

    STATUS = "status"
    HANG = "hang"
    DRIP = "drip"
    BODY = "body"
    SKEW = "skew"
    AGE = "age"
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One source's fault; only the field of its kind matters.

    Attributes:
        kind: what is wrong.
        status: the HTTP status that is answered instead.
        seconds: how long an answer hangs or drips, or how old the stated time is.
        body: the bytes, as text, that are answered instead.
        skew_bps: how far the price lies beside the market, in hundredths of a percent.
    """

    kind: FaultKind
    status: int = 503
    seconds: int = 600
    body: str = "<html>maintenance</html>"
    skew_bps: int = 0


class Market:
    """Prices, the clock and the faults; safe among threads."""

    def __init__(self, *, seed: int = 1, now: Callable[[], datetime] | None = None) -> None:
        self.stopping = threading.Event()
        self._seed = seed
        self._now = now or (lambda: datetime.now(UTC))
        self._lock = threading.Lock()
        self._fixed: dict[str, int] = {}
        self._euro_fixed: dict[str, int] = {}
        self._faults: dict[str, Fault] = {}
        self._frozen_at: datetime | None = None

    def now(self) -> datetime:
        """Return the exchange's time; it stands still while frozen."""
        with self._lock:
            return self._frozen_at or self._now()

    def coins(self) -> tuple[str, ...]:
        """Return the coins that have a price."""
        return tuple(_COINS)

    def currencies(self) -> tuple[str, ...]:
        """Return the currencies of the daily table, without EUR."""
        return tuple(_EURO_IN)

    def price(self, source: str, coin: str, fiat: str) -> int:
        """Return one coin in millionths of a fiat currency, as this source sees it."""
        dollars = self._dollars(coin)
        if fiat != "USD":
            dollars = dollars * self.euro_in(fiat) // self.euro_in("USD")
        fault = self.fault(source)
        skew_bps = fault.skew_bps if fault and fault.kind is FaultKind.SKEW else 0
        return dollars * (_PPM + _HABIT_PPM[source] + 100 * skew_bps) // _PPM

    def euro_in(self, currency: str) -> int:
        """Return one euro in millionths of a currency: fixed or, day by day, a little different."""
        if currency == "EUR":
            return MICROS
        with self._lock:
            fixed = self._euro_fixed.get(currency)
        return fixed or _EURO_IN[currency] * (10_000 + self.reference_day().toordinal() % 11 - 5) // 10_000

    def reference_day(self) -> date:
        """Return the last working day whose rates are out, at 15:00 UTC: 16:00 in Frankfurt in winter."""
        day = (self.now() - timedelta(hours=15)).date()
        return day - timedelta(days=max(0, day.weekday() - _SATURDAY + 1))

    def stated_time(self, source: str) -> datetime:
        """Return the time that a source puts beside its price."""
        fault = self.fault(source)
        age_s = fault.seconds if fault and fault.kind is FaultKind.AGE else 0
        return self.now() - timedelta(seconds=age_s)

    def fault(self, source: str) -> Fault | None:
        """Return what is wrong with a source."""
        with self._lock:
            return self._faults.get(source)

    def set_price(self, coin: str, micros: int) -> None:
        """Fix a coin's price in micro-dollars."""
        with self._lock:
            self._fixed[coin] = micros

    def set_euro(self, currency: str, micros: int) -> None:
        """Fix what one euro costs in a currency, in millionths."""
        with self._lock:
            self._euro_fixed[currency] = micros

    def set_fault(self, source: str, fault: Fault | None) -> None:
        """Break or mend one source."""
        with self._lock:
            if fault is None:
                self._faults.pop(source, None)
            else:
                self._faults[source] = fault

    def freeze(self, *, is_frozen: bool) -> None:
        """Stop or restart the exchange's time: frozen, every stated time and price grows stale."""
        with self._lock:
            self._frozen_at = self._now() if is_frozen else None

    def reset(self) -> None:
        """Return to the drifting market without faults."""
        with self._lock:
            self._fixed.clear()
            self._euro_fixed.clear()
            self._faults.clear()
            self._frozen_at = None

    def _dollars(self, coin: str) -> int:
        with self._lock:
            fixed = self._fixed.get(coin)
        if fixed is not None:
            return fixed
        centre, swing_ppm = _COINS[coin]
        start = zlib.crc32(f"{self._seed}:{coin}".encode()) % _PERIOD_S
        place = (int(self.now().timestamp()) + start) % _PERIOD_S
        # A triangle from -swing to +swing and back.
        offset_ppm = abs(2 * place - _PERIOD_S) * 2 * swing_ppm // _PERIOD_S - swing_ppm
        return centre * (_PPM + offset_ppm) // _PPM
