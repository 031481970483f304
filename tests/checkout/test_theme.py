"""A bad brand colour is repaired, not obeyed."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hosted_checkout.assets import FOLDER
from hosted_checkout.theme import (
    DARK_SURFACES,
    DEFAULT_COLOR,
    EDGE_RATIO,
    LIGHT_SURFACES,
    TEXT_RATIO,
    contrast,
    parse_color,
    theme_css,
    theme_name,
    theme_of_name,
)
from tests.checkout.house import StatesGallery, a_checkout_app, a_clock

VARIABLE = re.compile(r"--([a-z-]+):(#[0-9a-f]{6})")


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [("#000", "#fff", 21.0), ("#fff", "#fff", 1.0), ("#777777", "#ffffff", 4.48), ("#0000ff", "#ffffff", 8.59)],
)
def test_contrast_is_the_one_of_wcag(one: str, other: str, ratio: float) -> None:
    assert contrast(parse_color(one), parse_color(other)) == pytest.approx(ratio, abs=0.005)


@settings(max_examples=150, deadline=None)
@given(
    color=st.one_of(
        st.sampled_from(["#ffffff", "#000000", "#ffff00", "#808080"]), st.from_regex(r"#[0-9a-f]{6}", fullmatch=True)
    )
)
def test_every_colour_is_legible_in_both_schemes(color: str) -> None:
    light, dark = (dict(VARIABLE.findall(part)) for part in theme_css(color).split("@media"))
    for variables, surfaces in ((light, LIGHT_SURFACES), (dark, DARK_SURFACES)):
        brand, ink, link = (parse_color(variables[name]) for name in ("brand", "on-brand", "link"))
        assert contrast(ink, brand) >= TEXT_RATIO
        assert all(contrast(brand, surface) >= EDGE_RATIO for surface in surfaces)
        assert all(contrast(link, surface) >= TEXT_RATIO for surface in surfaces)


def test_a_good_colour_stays_as_it_is() -> None:
    assert "--brand:#0f766e" in theme_css("#0f766e")


@pytest.mark.parametrize("color", [None, "", "red", "#12345", "#1234567", "url(x)", "#fff;}body{}", "#٣٣٣"])
def test_what_is_no_colour_becomes_the_default(color: str | None) -> None:
    assert parse_color(color) == parse_color(DEFAULT_COLOR)


@pytest.mark.parametrize("name", ["x.css", "0f766e-00000000.css", "..%2f..%2fetc", "0f766e.css"])
def test_only_the_address_of_a_style_sheet_that_we_made_is_answered(name: str) -> None:
    assert theme_of_name(name) is None


def test_a_style_sheet_may_be_kept_for_ever() -> None:
    answer = a_checkout_app(StatesGallery(a_clock())).test_client().get(f"/theme/{theme_name('#c00')}")
    assert answer.status_code == 200
    assert answer.text == theme_css("#c00")
    assert "immutable" in answer.headers["Cache-Control"]


def test_the_surfaces_are_those_of_the_style_sheet() -> None:
    css = (FOLDER / "checkout.css").read_text(encoding="utf-8")
    light, dark = css.split("prefers-color-scheme: dark", 1)
    for part, (card, page) in ((light, LIGHT_SURFACES), (dark, DARK_SURFACES)):
        assert re.findall(r"--(?:page|card): (#[0-9a-f]+);", part)[:2] == [short_hex(page), short_hex(card)]


def short_hex(color: tuple[int, int, int]) -> str:
    text = "#{:02x}{:02x}{:02x}".format(*color)
    return "#fff" if text == "#ffffff" else text
