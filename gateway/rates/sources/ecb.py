"""European Central Bank: the euro's daily reference rates, `GET /stats/eurofxref/eurofxref-daily.xml`.

`<Cube time='2026-11-20'><Cube currency='USD' rate='1.0705'/>…`: one EUR costs `rate` of the currency. The rates are set
at about 14:15 and published at about 16:00 Central European Time on TARGET working days; they are for information, and
the only fiat crosses that are free, keyless and official.
Source: ecb.europa.eu, Euro foreign exchange reference rates.
"""

import io
import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Final
from xml.parsers import expat

from gateway.domain.ports import SourceRate
from gateway.rates.sources.wire import Pair, Question, UnusableAnswerError, read_decimal, refuse, word

_CUBE: Final = "http://www.ecb.int/vocabulary/2002-08-01/eurofxref Cube"
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_CODE: Final = re.compile(r"[A-Z]{3}", re.ASCII)
# About 30 currencies are listed; many more means that this is not the daily table.
_MAX_CURRENCIES: Final = 100
# 13:15 UTC is 14:15 in Frankfurt in winter, when the rates are set, and always before they are published.
_SET_AT: Final = timedelta(hours=13, minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class EuropeanCentralBank:
    """The euro's daily reference rates."""

    name: ClassVar[str] = "ecb"
    is_reference: ClassVar[bool] = True
    every: ClassVar[timedelta] = timedelta(hours=1)
    address: str

    def questions(self, wanted: AbstractSet[Pair]) -> tuple[Question, ...]:
        """Ask for the whole table, whatever is wanted."""
        del wanted
        return (Question(url=f"{self.address}/stats/eurofxref/eurofxref-daily.xml", pair=None),)

    def parse(self, body: bytes, question: Question, asked_at: datetime) -> tuple[SourceRate, ...]:
        """Read the table: one word for each currency, base EUR."""
        del question, asked_at  # One table, which states its own day.
        table = _Table()
        try:
            _parser(table).ParseFile(io.BytesIO(body))
        except (expat.ExpatError, ValueError):
            refuse("not_xml")
        if table.as_of is None or not table.rates:
            refuse("no_rates")
        return tuple(
            word(self.name, Pair(base="EUR", quote=code), read_decimal(rate), table.as_of)
            for code, rate in table.rates.items()
        )


class _Table:
    """What the parser collects."""

    def __init__(self) -> None:
        self.as_of: datetime | None = None
        self.rates: dict[str, str] = {}

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Take in one element; other elements than Cube hold only words."""
        if name != _CUBE or not attributes:
            return
        if set(attributes) == {"time"}:
            self._open_day(attributes["time"])
        elif set(attributes) == {"currency", "rate"}:
            self._add(attributes["currency"], attributes["rate"])
        else:
            refuse("unknown_cube")

    def _open_day(self, day: str) -> None:
        if self.as_of is not None:
            refuse("two_days")
        if _DAY.fullmatch(day) is None:
            refuse("not_a_day")
        self.as_of = datetime.fromisoformat(day).replace(tzinfo=UTC) + _SET_AT

    def _add(self, code: str, rate: str) -> None:
        if self.as_of is None or code == "EUR" or code in self.rates or _CODE.fullmatch(code) is None:
            refuse("unexpected_currency")
        if len(self.rates) == _MAX_CURRENCIES:
            refuse("too_many_currencies")
        self.rates[code] = rate


def _parser(table: _Table) -> expat.XMLParserType:
    parser = expat.ParserCreate("utf-8", " ")
    parser.StartElementHandler = table.start
    # A document type could define entities that explode or reach for files; the table has none.
    parser.StartDoctypeDeclHandler = _refuse_doctype
    return parser


def _refuse_doctype(*_: object) -> None:
    raise UnusableAnswerError("doctype")
