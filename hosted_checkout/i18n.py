"""Languages: which one a page speaks, in which direction, and how it writes money, numbers and times.

The shopper's own choice (`?lang=`) comes first, then the session's locale, then the browser's `Accept-Language`, then
English. Catalogues are complete or not offered; forms and directions come from CLDR through Babel.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final
from unicodedata import bidirectional

from babel import Locale
from babel.dates import format_date, format_time
from babel.numbers import format_currency, format_decimal
from babel.units import format_unit
from flask import Flask, g, has_request_context, request
from flask_babel import Babel, get_locale, refresh
from flask_babel import gettext as _translate
from jinja2 import StrictUndefined

from gateway.kernel.currencies import CurrencyKind, currency
from gateway.kernel.money import Money

LANGUAGES: Final = ("en", "de", "ar")
CATALOGUES: Final = Path(__file__).parent / "translations"
# Marks that keep a left-to-right run (an amount, an address) whole inside right-to-left text (Unicode UAX 9).
_ISOLATE, _POP_ISOLATE = "\u2066", "\u2069"
_RIGHT_TO_LEFT_MARK: Final = "\u200f"
_NO_BREAK: Final = "\u00a0"  # an amount and its unit stay on one line
_MAX_DECIMALS: Final = 18  # no chain has more


def install_i18n(app: Flask, *folders: Path) -> None:
    """Give the app its languages, with other doors' catalogues, and make a template's undefined name an error."""
    app.jinja_env.undefined = StrictUndefined
    Babel(
        app,
        default_locale="en",
        default_translation_directories=";".join(str(folder) for folder in (CATALOGUES, *folders)),
        locale_selector=_selected,
        default_timezone="UTC",
    )


def gettext(message: str, **values: object) -> str:
    """Return a text in the page's language; `%(name)s` in it is filled from `values`."""
    return str(_translate(message, **values))


def marked(message: str) -> str:
    """Return the text as it is: marks it for the catalogues where it stands, to be translated where it is used."""
    return message


def use_session_locale(locale: str | None, *, offered: tuple[str, ...] = LANGUAGES) -> None:
    """Make this request speak the session's language, unless the shopper asked for another that is offered."""
    g.session_locale, g.offered_languages = locale, offered
    refresh()


def asked_language() -> str | None:
    """Return the language in the address, if it is one that this page is offered in."""
    tag = known_language(request.args.get("lang"))
    return tag if tag in g.get("offered_languages", LANGUAGES) else None


def known_language(tag: str | None) -> str | None:
    """Return the language of ours that a tag such as `de-AT` names; None if there is none."""
    primary = (tag or "").replace("_", "-").partition("-")[0].lower()
    return primary if primary in LANGUAGES else None


def locale() -> Locale:
    """Return the locale in use."""
    found = get_locale()
    assert isinstance(found, Locale), "pages are rendered within a request"
    return found


def direction() -> str:
    """Return `ltr` or `rtl`, as CLDR says."""
    return locale().text_direction


def language_names() -> Iterable[tuple[str, str]]:
    """Yield each language's tag and its name in itself."""
    for tag in LANGUAGES:
        yield tag, Locale(tag).get_display_name(tag) or tag


def money_text(money: Money) -> str:
    """Write an amount as people of this locale do: `12,30 €`, `0.0615 SOL`; never rounded."""
    row = currency(money.currency)
    amount = Decimal(money.major)
    if row.kind is CurrencyKind.FIAT:
        return _kept_whole(format_currency(amount, row.code, locale=locale()))
    return f"{_ISOLATE}{decimal_text(amount)}{_NO_BREAK}{row.code}{_POP_ISOLATE}"


def _kept_whole(text: str) -> str:
    """Keep a Latin sign together in right-to-left text, where `US$` would be torn into `$US`."""
    bare = text.replace(_RIGHT_TO_LEFT_MARK, "")
    is_latin = not any(bidirectional(letter) in {"R", "AL"} for letter in bare)
    return f"{_ISOLATE}{bare}{_POP_ISOLATE}" if is_latin and direction() == "rtl" else text


def decimal_text(number: Decimal) -> str:
    """Write a number with every digit that it has, and no zeros behind them."""
    return format_decimal(number, format=f"#,##0.{'#' * _MAX_DECIMALS}", locale=locale(), decimal_quantization=False)


def rate_text(num: int, den: int, code: str) -> str:
    """Write a price for reading, rounded to the currency's own decimals; books use the exact fraction."""
    return money_of_decimal(Decimal(num) / Decimal(den), code)


def money_of_decimal(amount: Decimal, code: str) -> str:
    """Write an exact or rounded decimal in a currency, fiat or coin."""
    row = currency(code)
    if row.kind is CurrencyKind.FIAT:
        return _kept_whole(format_currency(amount, code, locale=locale()))
    return f"{_ISOLATE}{decimal_text(round(amount, row.exponent))}{_NO_BREAK}{code}{_POP_ISOLATE}"


def span_text(unit: str, count: int) -> str:
    """Write a span of days, weeks, months or years: `3 months`."""
    return format_unit(count, f"duration-{unit}", locale=locale())


def time_text(instant: datetime) -> str:
    """Write a time of day in UTC, with its zone: the page cannot know the shopper's without script."""
    return f"{format_time(instant.astimezone(UTC), 'HH:mm', locale=locale())} UTC"


def date_time_text(instant: datetime) -> str:
    """Write date and time in UTC, with the zone."""
    return f"{date_text(instant)}, {time_text(instant)}"


def date_text(instant: datetime) -> str:
    """Write a date, as UTC has it, the way this language writes one in full."""
    return format_date(instant.astimezone(UTC), "long", locale=locale())


def _selected() -> str:
    if not has_request_context():
        return "en"
    session_locale: str | None = g.get("session_locale")
    asked = asked_language() or known_language(session_locale)
    return asked or request.accept_languages.best_match(LANGUAGES, "en") or "en"
