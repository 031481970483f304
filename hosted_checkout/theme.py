"""A merchant's colour, made legible: whatever he chose, text on it and links in it can be read.

Contrast as WCAG 2.2 defines it (https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio): text at least 4.5:1, edges of
controls at least 3:1, in the light and in the dark scheme. A colour that fails is moved towards black or white until it
passes; its hue stays as near as that allows.
"""

import hashlib
import re
from typing import Final

Rgb = tuple[int, int, int]

TEXT_RATIO: Final = 4.5
EDGE_RATIO: Final = 3.0
DEFAULT_COLOR: Final = "#173f8a"
# The surfaces of checkout.css on which brand colours stand: (card, page).
LIGHT_SURFACES: Final[tuple[Rgb, ...]] = ((255, 255, 255), (245, 244, 240))
DARK_SURFACES: Final[tuple[Rgb, ...]] = ((29, 31, 36), (18, 19, 22))
_WHITE: Final[Rgb] = (255, 255, 255)
_BLACK: Final[Rgb] = (0, 0, 0)
_STEPS: Final = 50  # 2 % each: finer than the eye, and an end
_HEX: Final = re.compile(r"#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})")


def parse_color(text: str | None) -> Rgb:
    """Return a colour's parts; what is no hexadecimal colour becomes the default."""
    matched = _HEX.fullmatch(text or "")
    digits = matched[1] if matched else DEFAULT_COLOR[1:]
    if len(digits) == len("abc"):
        digits = "".join(digit * 2 for digit in digits)
    return int(digits[0:2], 16), int(digits[2:4], 16), int(digits[4:6], 16)


def contrast(one: Rgb, other: Rgb) -> float:
    """Return the contrast ratio, 1 to 21."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def repaired(color: Rgb, surfaces: tuple[Rgb, ...], ratio: float, towards: Rgb) -> Rgb:
    """Return the nearest mix of `color` and `towards` that reaches `ratio` on every surface."""
    for step in range(_STEPS + 1):
        mixed = _mix(color, towards, step / _STEPS)
        if all(contrast(mixed, surface) >= ratio for surface in surfaces):
            return mixed
    raise AssertionError("black or white reaches every ratio on our own surfaces")


def on_color(fill: Rgb) -> Rgb:
    """Return white or black, whichever reads better on `fill`; one of them always passes 4.5:1."""
    return max(_WHITE, _BLACK, key=lambda ink: contrast(ink, fill))


def theme_css(brand_color: str | None) -> str:
    """Return the style sheet that sets the brand's variables in both schemes."""
    color = parse_color(brand_color)
    light = _variables(color, LIGHT_SURFACES, towards=(0, 0, 0))
    dark = _variables(color, DARK_SURFACES, towards=_WHITE)
    return f":root{{{light}}}@media(prefers-color-scheme:dark){{:root{{{dark}}}}}\n"


def theme_name(brand_color: str | None) -> str:
    """Return the file name: the colour, and letters that change with the style sheet."""
    digest = hashlib.sha256(theme_css(brand_color).encode()).hexdigest()[:8]
    return f"{_hex(parse_color(brand_color))[1:]}-{digest}.css"


def theme_of_name(name: str) -> str | None:
    """Return the style sheet that `theme_name` named, or None for any other name."""
    color = name.partition("-")[0]
    return theme_css(color) if _HEX.fullmatch(color) and theme_name(color) == name else None


def _variables(color: Rgb, surfaces: tuple[Rgb, ...], towards: Rgb) -> str:
    fill = repaired(color, surfaces, EDGE_RATIO, towards)
    link = repaired(color, surfaces, TEXT_RATIO, towards)
    return f"--brand:{_hex(fill)};--on-brand:{_hex(on_color(fill))};--link:{_hex(link)}"


def _luminance(color: Rgb) -> float:
    linear = [
        part / 255 / 12.92 if part / 255 <= 0.04045 else ((part / 255 + 0.055) / 1.055) ** 2.4  # noqa: PLR2004 - constants of the WCAG formula
        for part in color
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _mix(color: Rgb, towards: Rgb, share: float) -> Rgb:
    red, green, blue = (round(part + (goal - part) * share) for part, goal in zip(color, towards, strict=True))
    return red, green, blue


def _hex(color: Rgb) -> str:
    return "#{:02x}{:02x}{:02x}".format(*color)
