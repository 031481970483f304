"""A merchant and his rules."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

from gateway.domain.words import LatePolicy
from gateway.kernel.errors import ErrorCode, InvalidRequestError

_COLOR: Final = re.compile(r"#[0-9a-fA-F]{6}", re.ASCII)
MAX_LOGO_BYTES: Final = 24 * 1024  # it travels with every checkout page
_LOGO: Final = re.compile(r"data:image/(png|jpeg|webp|svg\+xml);base64,[A-Za-z0-9+/]+={0,2}", re.ASCII)
_ORIGIN: Final = re.compile(r"https?://([a-z0-9-]+(\.[a-z0-9-]+)*|\[[0-9a-f:]+\])(:[0-9]{1,5})?", re.ASCII)
_RULES: Final = frozenset({"late_policy", "tolerance_bps", "accept_confirmed_below"})
MAX_BPS: Final = 2_000  # a tolerance or spread beyond a fifth is a slip of the finger


@dataclass(frozen=True, slots=True, kw_only=True)
class MerchantSettings:
    """What a merchant decides.

    Attributes:
        logo_url: the logo as a `data:` address: checkout pages load nothing from elsewhere.
        origins: where `success_url` and `cancel_url` may lead, as `https://host[:port]`; loopback too in test mode.
        late_policy: money after the deadline counts at the kept rate (for three days), or is owed back.
        tolerance_bps: how much less or more than due still counts as exact, in hundredths of a percent.
        spread_bps: our margin on a quoted rate, in hundredths of a percent, paid by the shopper.
        accept_confirmed_below: per currency, the atomic amount below which money settles when it is confirmed: both
            what came and what was asked must be less.
        match_by_exact_amount: a transfer without reference is credited to the only open payment that asks exactly its
            sum, with the gift on top or without it. Off by default: whoever opens many checkouts could otherwise catch
            a stranger's transfer.
    """

    brand_color: str | None = None
    logo_url: str | None = None
    origins: tuple[str, ...] = ()
    late_policy: LatePolicy = LatePolicy.ACCEPT
    tolerance_bps: int = 0
    spread_bps: int = 0
    accept_confirmed_below: Mapping[str, int] | None = None
    match_by_exact_amount: bool = False

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote; fields that did not exist then take their defaults."""
        known = dict(stored)
        known["origins"] = tuple(known.get("origins", ()))
        known["late_policy"] = LatePolicy(known.get("late_policy", LatePolicy.ACCEPT))
        return cls(**known)

    def to_json(self) -> dict[str, Any]:
        """Return what the database keeps."""
        return asdict(self)

    def rules(self) -> dict[str, Any]:
        """Return what decides how money counts, as a payment keeps it: later changes are for later payments."""
        return {name: value for name, value in self.to_json().items() if name in _RULES}

    def under(self, rules: Mapping[str, Any] | None) -> Self:
        """Return these settings with the rules that a payment has kept; None keeps none."""
        return self if rules is None else self.from_json({**self.to_json(), **rules})


@dataclass(frozen=True, slots=True, kw_only=True)
class Merchant:
    """Who is paid."""

    id: str
    name: str
    settings: MerchantSettings


def check_settings(settings: MerchantSettings) -> None:
    """Refuse rules that make no sense.

    Raises:
        InvalidRequestError: naming the field.
    """
    if settings.brand_color is not None and not _COLOR.fullmatch(settings.brand_color):
        raise _refused("brand_color", "Write the colour as #rrggbb.")
    if settings.logo_url is not None and not _is_logo(settings.logo_url):
        raise _refused("logo_url", f"Give a PNG, JPEG, WebP or SVG image of at most {MAX_LOGO_BYTES // 1024} KiB.")
    if not all(is_origin(origin) for origin in settings.origins):
        raise _refused("origins", "Give origins such as https://shop.example, without a path.")
    for name in ("tolerance_bps", "spread_bps"):
        if not 0 <= getattr(settings, name) <= MAX_BPS:
            raise _refused(name, f"Give hundredths of a percent, from 0 to {MAX_BPS}.")


def _is_logo(url: str) -> bool:
    """The page loads nothing from elsewhere, so a logo stands in its own address."""
    return _LOGO.fullmatch(url) is not None and len(url) * 3 // 4 <= MAX_LOGO_BYTES + 64


def is_origin(text: str) -> bool:
    """Tell whether a text is an origin, as `https://shop.example`, without a path."""
    return _ORIGIN.fullmatch(text) is not None


def _refused(field: str, message: str) -> InvalidRequestError:
    return InvalidRequestError(ErrorCode.PARAMETER_INVALID, message, param=f"/{field}")
