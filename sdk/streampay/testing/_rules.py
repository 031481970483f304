"""What the fake takes and refuses of a field: the gateway's rules, one function each."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from streampay.testing._events import catalogue

CONFLICT, TOO_MANY = 409, 429
MAX_ATOMIC = 10**65 - 1
_AMOUNT = re.compile(r"(-?)([0-9]{1,66})(?:\.([0-9]{1,66}))?", re.ASCII)
_URL = re.compile(
    r"https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?([/?#][!-~]*)?", re.ASCII | re.IGNORECASE
)
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+")
_LOOPBACK = re.compile(r"localhost|([a-z0-9-]+\.)+localhost|127(\.[0-9]{1,3}){3}|::1", re.ASCII)
_LONGEST_URL = 2048
_MAX_KEYS, _MAX_KEY, _MAX_TEXT = 50, 40, 500
Found = Mapping[str, Any]
Check = Callable[[Any, Found], Any]
Fields = Mapping[str, tuple[Check, object]]
_MISSING = object()


class Refusal(Exception):  # noqa: N818 - it becomes an answer, never an error of the test
    """An answer that says no."""

    def __init__(
        self, code: str, detail: str, *, status: int = 400, param: str | None = None, about: str | None = None
    ) -> None:
        super().__init__(detail)
        self.code, self.detail, self.status, self.param, self.about = code, detail, status, param, about
        self.retry_after_s = 1 if status == TOO_MANY or code == "idempotency_in_flight" else 0
        self.errors: list[dict[str, str]] = [] if param is None else [{"param": param, "code": code, "detail": detail}]


def refuse(detail: str, code: str = "parameter_invalid", at: str = "") -> Refusal:
    """Return what a check raises; `at` is a pointer below the field."""
    return Refusal(code, detail, param=at)


def taken(sent: object, fields: Fields) -> dict[str, Any]:
    """Return a body, or a query, as the gateway reads it: every field checked, defaults in place.

    Raises:
        Refusal: with all wrong fields at once, the first one speaking for them.
    """
    if not isinstance(sent, dict):
        raise Refusal("body_not_json", "The body must be one JSON object.")
    found: dict[str, Any] = {}
    errors: list[dict[str, str]] = []
    for name, (check, default) in fields.items():
        with _noting(errors, f"/{name}"):
            found[name] = _field(sent.get(name, _MISSING), check, default, found)
    unknown = [f"/{name}" for name in sent if name not in fields]
    errors += [{"param": param, "code": "parameter_unknown", "detail": "There is no such field."} for param in unknown]
    _raise(errors)
    return found


@contextmanager
def _noting(errors: list[dict[str, str]], place: str) -> Iterator[None]:
    """Note what a check refuses, at its place, and go on."""
    try:
        yield
    except Refusal as refusal:
        errors.append({"param": f"{place}{refusal.param or ''}", "code": refusal.code, "detail": refusal.detail})


def _raise(errors: list[dict[str, str]]) -> None:
    if errors:
        refusal = Refusal(errors[0]["code"], errors[0]["detail"], param=errors[0]["param"])
        refusal.errors = errors[:20]
        raise refusal


REQUIRED: Any = object()


class Where:
    """The default of a field that some modes of a session need, and others have no use for."""

    def __init__(self, *modes: str) -> None:
        self._modes = modes

    def field(self, value: object, check: Check, found: Mapping[str, Any]) -> object:
        """Return the field; a mode that is wrong itself is told of already."""
        is_given = value is not _MISSING and value is not None
        is_needed = found.get("mode", self._modes[0]) in self._modes
        if is_given and not is_needed:
            raise refuse(f"Leave this out with mode {found['mode']}.")
        if not is_given and is_needed and "mode" in found:
            raise refuse("This field is required.", "parameter_missing")
        return check(value, found) if is_given else None


def _field(value: object, check: Check, default: object, found: Mapping[str, Any]) -> object:
    if isinstance(default, Where):
        return default.field(value, check, found)
    if value is _MISSING:
        if default is REQUIRED:
            raise refuse("This field is required.", "parameter_missing")
        return default
    return None if value is None and default is None else check(value, found)


def text(longest: int, pattern: str = r"(?s).+", hint: str = "Send printable characters only.") -> Check:
    """Return a check of a printable text."""
    form = re.compile(pattern)

    def check(value: Any, _: Mapping[str, Any]) -> Any:
        if not isinstance(value, str) or len(value) > longest or not form.fullmatch(value) or not value.isprintable():
            raise refuse(hint)
        return value

    return check


def object_id(*prefixes: str) -> Check:
    """Return a check of an id."""
    form = rf"({'|'.join(prefixes)})_[0-7][0-9a-hjkmnp-tv-z]{{25}}"
    return text(40, form, f"Send an id that begins with {prefixes[0]}_, as the API gave it.")


def one_of(*words: str) -> Check:
    """Return a check of a word."""

    def check(value: Any, _: Mapping[str, Any]) -> Any:
        if value not in words or not isinstance(value, str):
            raise refuse(f"Send one of {', '.join(words)}.")
        return value

    return check


def whole(low: int, high: int) -> Check:
    """Return a check of a whole number."""

    def check(value: Any, _: Mapping[str, Any]) -> Any:
        number = int(value) if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value, re.ASCII) else value
        if type(number) is not int or not low <= number <= high:
            raise refuse(f"Send a whole number from {low} to {high}.")
        return number

    return check


def flag(value: Any, _: Mapping[str, Any]) -> Any:
    """Check a truth value."""
    if type(value) is not bool:
        raise refuse("Send true or false.")
    return value


def truth(value: Any, _: Mapping[str, Any]) -> Any:
    """Read a truth value of a query."""
    return flag({"true": True, "false": False}.get(value, value), _)


email = text(254, _EMAIL.pattern, "Send an address such as ada@example.com.")


def currency(value: Any, _: Mapping[str, Any]) -> Any:
    """Check a currency's code."""
    if not isinstance(value, str):
        raise refuse("Send text.")
    exponent(value)
    return value


def exponent(code: str) -> int:
    """Return the power of ten between a currency's units."""
    for digits, codes in catalogue()["exponents"].items():
        if code in codes.split():
            return int(digits)
    raise refuse("This currency is not supported.", "currency_unknown")


def atomic(amount: object, code: str | None) -> int:
    """Read an amount in major units; without a code only its form is checked.

    Raises:
        Refusal: it is malformed, too precise, not positive or too large.
    """
    matched = _AMOUNT.fullmatch(amount) if isinstance(amount, str) else None
    if matched is None:
        raise refuse('Send the amount as a string of digits in major units, such as "12.30".', "amount_invalid")
    if code is None:
        return 0
    digits, decimals = exponent(code), matched[3] or ""
    if len(decimals) > digits:
        raise refuse(f"{code} has {digits} decimals; send no more than that.", "amount_too_precise")
    found = int(matched[2] + decimals.ljust(digits, "0"))
    if matched[1] or found == 0:
        raise refuse("The amount must be greater than zero.", "amount_not_positive")
    if found > MAX_ATOMIC:
        raise refuse("The amount is larger than the gateway can book.", "amount_too_large")
    return found


def amount(value: Any, found: Mapping[str, Any]) -> Any:
    """Check an amount against the currency that stands before it."""
    atomic(value, found.get("currency"))
    return value


def major(number: int, code: str) -> str:
    """Return an amount with every decimal of its currency."""
    digits = exponent(code)
    figures = str(abs(number)).rjust(digits + 1, "0")
    sign = "-" if number < 0 else ""
    return sign + (f"{figures[:-digits]}.{figures[-digits:]}" if digits else figures)


def figure(shown: object) -> int:
    """Return the atomic units of an amount that `major` wrote."""
    return int(str(shown).replace(".", ""))


def return_url(origins: Iterable[str] | None) -> Check:
    """Return a check of where shoppers are sent; None for `origins` takes every one."""

    def check(value: Any, _: Mapping[str, Any]) -> Any:
        if not isinstance(value, str) or len(value) > _LONGEST_URL or not _URL.fullmatch(value):
            raise refuse("Send an absolute http or https URL.", "url_invalid")
        origin, host = _origin(value)
        if origin is None:
            raise refuse("The host or port of this URL is malformed.", "url_invalid")
        if origins is not None and not _LOOPBACK.fullmatch(host) and origin not in {_origin(one)[0] for one in origins}:
            raise refuse("The account does not list this URL's origin.", "url_origin_refused")
        return value

    return check


def check_endpoint_url(url: str) -> None:
    """Check where webhooks go: https on the public internet."""
    origin, host = _origin(url) if _URL.fullmatch(url) and "#" not in url else (None, "")
    if origin is None:
        raise Refusal("url_invalid", "Send a plain absolute URL.", param="/url")
    try:
        is_public = ipaddress.ip_address(host).is_global
    except ValueError:
        is_public = not f".{host}".endswith((".localhost", ".local", ".internal"))
    if not (is_public and origin.startswith("https:") and origin.endswith((":80", ":443", ":8443"))):
        raise Refusal("endpoint_url_refused", "Use https, port 443, 80 or 8443, and a public host.", param="/url")


def _origin(url: str) -> tuple[str | None, str]:
    try:
        parts = urlsplit(url)
        host, scheme = (parts.hostname or "").rstrip("."), parts.scheme.lower()
        return f"{scheme}://{host}:{parts.port or {'http': 80, 'https': 443}[scheme]}", host
    except (ValueError, KeyError):
        return None, ""


def metadata(value: Any, _: Mapping[str, Any]) -> Any:
    """Check texts of the merchant's own."""
    if not isinstance(value, dict) or len(value) > _MAX_KEYS:
        raise refuse("Send at most 50 keys.")
    for key, one in value.items():
        if not 1 <= len(key) <= _MAX_KEY or not key.isprintable() or not isinstance(one, str) or len(one) > _MAX_TEXT:
            raise refuse("Send keys of 1 to 40, values of at most 500 characters.")
    return value


def many(check: Check, longest: int, shortest: int = 1) -> Check:
    """Return a check of a list."""

    def look(value: Any, found: Mapping[str, Any]) -> Any:
        if not isinstance(value, list) or not shortest <= len(value) <= longest:
            raise refuse(f"Send a list of {shortest} to {longest}.")
        errors: list[dict[str, str]] = []
        for index, one in enumerate(value):
            with _noting(errors, f"/{index}"):
                check(one, found)
        _raise(errors[:1])
        return value

    return look


_WITHOUT_ORDER = ("subscription", "setup")


def capture_method(value: Any, found: Mapping[str, Any]) -> Any:
    """Check that only an order's payment is held."""
    word = one_of("automatic", "manual")(value, found)
    if word == "manual" and found.get("mode") in _WITHOUT_ORDER:
        raise refuse("Only an order's payment can be held. Subscriptions are collected at once.")
    return word


_LINE: Fields = {
    "name": (text(200), REQUIRED),
    "quantity": (whole(1, 1_000_000), 1),
    "amount": (lambda value, _: atomic(value, None) if value else atomic(None, None), REQUIRED),
}


def line_items(value: Any, found: Mapping[str, Any]) -> Any:
    """Check that an order's lines add up to its amount."""
    lines = many(lambda one, _: taken(one, _LINE), 100, 0)(value, found)
    if found.get("mode") in _WITHOUT_ORDER:
        raise refuse("Only an order has lines; a subscription's is its plan. Leave them out.")
    code, due = found.get("currency"), found.get("amount")
    if not lines or code is None:
        return lines
    total, errors = 0, list[dict[str, str]]()
    for index, line in enumerate(lines):
        with _noting(errors, f"/{index}/amount"):
            total += atomic(line["amount"], code)
    _raise(errors[:1])
    if due is not None and total != atomic(due, code):
        raise refuse("The lines do not add up to the amount.")
    return lines
