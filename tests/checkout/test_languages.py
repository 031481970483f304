"""Every language is complete, keeps its placeholders, and writes money as its people do."""

import io
import re
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po

import donation_widget
from gateway.kernel.money import Money
from hosted_checkout.i18n import (
    CATALOGUES,
    LANGUAGES,
    date_time_text,
    decimal_text,
    direction,
    known_language,
    locale,
    money_text,
    rate_text,
    use_session_locale,
)
from tests.checkout.house import StatesGallery, a_checkout_app, a_clock

TRANSLATED = [language for language in LANGUAGES if language != "en"]
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|\{\w+\}")
DOORS = [CATALOGUES, donation_widget.CATALOGUES]
EVERY_CATALOGUE = [
    pytest.param(folder, language, id=f"{folder.parent.name}-{language}") for folder in DOORS for language in TRANSLATED
]


def source_texts(package: Path) -> set[str]:
    """Return every text that templates and code of a package mark for translation."""
    methods = [("**.py", "python"), ("templates/**.html", "jinja2")]
    keywords = {"_": None, "gettext": None, "marked": None}
    found = extract_from_dir(str(package), methods, keywords=keywords)
    return {text for _, _, text, *_ in found if isinstance(text, str)}


def catalogue(folder: Path, language: str) -> Catalog:
    with (folder / language / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return read_po(file, locale=language)


@pytest.mark.parametrize(("folder", "language"), EVERY_CATALOGUE)
def test_a_catalogue_has_every_text_and_no_other(folder: Path, language: str) -> None:
    texts = {str(message.id): message for message in catalogue(folder, language) if message.id}
    assert set(texts) == source_texts(folder.parent)
    assert [text for text, message in texts.items() if not message.string or message.fuzzy] == []


@pytest.mark.parametrize(("folder", "language"), EVERY_CATALOGUE)
def test_a_translation_keeps_the_placeholders(folder: Path, language: str) -> None:
    for message in catalogue(folder, language):
        assert sorted(PLACEHOLDER.findall(str(message.string))) == sorted(PLACEHOLDER.findall(str(message.id)))


@pytest.mark.parametrize(("folder", "language"), EVERY_CATALOGUE)
def test_the_compiled_catalogue_is_that_of_the_readable_one(folder: Path, language: str) -> None:
    compiled = io.BytesIO()
    write_mo(compiled, catalogue(folder, language))
    compiled.seek(0)
    with (folder / language / "LC_MESSAGES" / "messages.mo").open("rb") as file:
        kept = {message.id: message.string for message in read_mo(file) if message.id}
    assert kept == {message.id: message.string for message in read_mo(compiled) if message.id}


@pytest.mark.parametrize("folder", DOORS, ids=lambda folder: folder.parent.name)
def test_a_language_on_offer_has_its_catalogue(folder: Path) -> None:
    folders = {path.name for path in folder.iterdir() if path.is_dir()}
    assert folders == set(TRANSLATED)


@pytest.mark.parametrize(
    ("query", "session_locale", "accepted", "language"),
    [
        ("", None, "", "en"),
        ("", None, "de-AT,de;q=0.9,en;q=0.8", "de"),
        ("", None, "fr,es;q=0.5", "en"),
        ("", "ar", "de", "ar"),
        ("?lang=en", "ar", "de", "en"),
        ("?lang=xx", "ar", "de", "ar"),
        ("", "de-CH", "ar", "de"),
        ("", "xx", "ar", "ar"),
    ],
)
def test_the_shoppers_choice_comes_before_the_sessions_and_the_browsers(
    query: str, session_locale: str | None, accepted: str, language: str
) -> None:
    app = a_checkout_app(StatesGallery(a_clock()))
    with app.test_request_context(f"/{query}", headers={"Accept-Language": accepted}):
        use_session_locale(session_locale)
        assert locale().language == language


@pytest.mark.parametrize(
    ("language", "money", "text"),
    [
        ("en", Money(2490, "EUR"), "€24.90"),
        ("de", Money(123_456_790, "EUR"), "1.234.567,90 €"),
        ("en", Money(1000, "JPY"), "¥1,000"),
        ("en", Money(121_543_000, "SOL"), "\u20660.121543 SOL\u2069"),
        ("de", Money(1, "SOL"), "\u20660,000000001 SOL\u2069"),
        ("en", Money(123_456_789_123_456_789, "SOL"), "\u2066123,456,789.123456789 SOL\u2069"),
        ("ar", Money(24_900_000, "USDC"), "\u206624.9 USDC\u2069"),
        ("ar", Money(2_606, "USD"), "\u206626.06 US$\u2069"),
        ("ar", Money(26_000, "KWD"), "\u200f26.000 د.ك.\u200f"),
    ],
)
def test_money_is_written_in_full_as_its_people_write_it(language: str, money: Money, text: str) -> None:
    with a_checkout_app(StatesGallery(a_clock())).test_request_context(f"/?lang={language}"):
        assert money_text(money).replace("\u00a0", " ") == text


def test_arabic_runs_from_right_to_left_with_western_digits() -> None:
    with a_checkout_app(StatesGallery(a_clock())).test_request_context("/?lang=ar"):
        assert direction() == "rtl"
        assert decimal_text(Decimal("1234.5")) == "1,234.5"


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "November 20, 2026, 23:30 UTC"),
        ("de", "20. November 2026, 23:30 UTC"),
        ("ar", "20 نوفمبر 2026, 23:30 UTC"),
    ],
)
def test_a_date_is_written_as_its_people_write_it(language: str, text: str) -> None:
    instant = datetime(2026, 11, 21, 0, 30, tzinfo=timezone(timedelta(hours=1)))
    with a_checkout_app(StatesGallery(a_clock())).test_request_context(f"/?lang={language}"):
        assert date_time_text(instant).replace("\u200f", "") == text


def test_a_rate_is_rounded_for_reading_only() -> None:
    with a_checkout_app(StatesGallery(a_clock())).test_request_context("/"):
        assert rate_text(20_487_123, 100_000, "EUR") == "€204.87"
        assert rate_text(1, 3, "SOL").replace("\u00a0", " ") == "\u20660.333333333 SOL\u2069"


@pytest.mark.parametrize("tag", ["", None, "xx", "EN-us-x", "../de", "d", "\u0661"])
def test_a_strange_tag_is_a_known_language_or_none(tag: str | None) -> None:
    assert known_language(tag) in {"en", None}
