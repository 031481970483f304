"""A plugin's settings: typed fields with help texts, checked, and drawn as a plain HTML form."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from html import escape
from typing import Any

from streampay.client import check_base_url
from streampay.errors import ConfigurationError
from streampay.webhooks import Webhook

_KEY = re.compile(r"sk_(test|live)_[A-Za-z0-9_\-]{8,200}", re.ASCII)
_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?", re.ASCII)


class SettingsError(ValueError):
    """Settings that cannot be used; `errors` says why, by field."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {error}" for name, error in errors.items()))
        self.errors = dict(errors)

    def __reduce__(self) -> tuple[type[SettingsError], tuple[dict[str, str]]]:
        return type(self), (self.errors,)


@dataclass(frozen=True)
class Field:
    """One setting: a line of text.

    Attributes:
        name: of the value, and of the form's input.
        label, help: for the person who fills it in.
        default: what stands when nothing is given.
        required: nothing given and no default is an error.
    """

    name: str
    label: str
    help: str = ""
    default: Any = ""
    required: bool = False

    kind = "text"

    def clean(self, value: Any) -> Any:
        """Return a given value as the plugin uses it.

        Raises:
            ValueError: it cannot be used; the text says why and never repeats the value.
        """
        return str(value).strip()

    def input_html(self, value: Any) -> str:
        """Return the input that edits a value."""
        text = escape("" if value is None else str(value))
        required = " required" if self.required else ""
        return f'<input{self._named()} type="{self.kind}" value="{text}"{required} autocomplete="off">'

    def _named(self) -> str:
        described = f' aria-describedby="streampay-{self.name}-help"' if self.help else ""
        return f' id="streampay-{self.name}" name="{self.name}"{described}'


class Amount(Field):
    """An amount in major units; empty for none."""

    def clean(self, value: Any) -> Decimal | None:
        """Return it as a Decimal."""
        text = format(value, "f") if isinstance(value, Decimal) else value
        if text is None or (isinstance(text, str) and not text.strip()):
            return None
        if not isinstance(text, str) or _AMOUNT.fullmatch(text.strip()) is None:
            raise ValueError("write an amount such as 12.30")
        return Decimal(text.strip())


class Url(Field):
    """The address of a server."""

    kind = "url"

    def clean(self, value: Any) -> str:
        """Return it without a slash at its end."""
        text = str(value).strip()
        try:
            return text and check_base_url(text)
        except ConfigurationError as error:
            raise ValueError(f"write an address such as https://pay.shop.example; {error.message}") from None


class Secret(Field):
    """Something that is never shown again: an empty input keeps what is known."""

    kind = "password"

    def clean(self, value: Any) -> Any:
        """Return it."""
        text = str(value).strip()
        if text and _KEY.fullmatch(text) is None:
            raise ValueError("it begins with sk_test_… or sk_live_…")
        return text

    def input_html(self, value: Any) -> str:
        """Return an empty input."""
        return super().input_html("").replace(" required", "" if value else " required")


class Secrets(Secret):
    """Webhook secrets: several while one is being rotated, with blanks between them."""

    def clean(self, value: Any) -> tuple[str, ...]:
        """Return each of them."""
        texts = tuple(value.split() if isinstance(value, str) else value)
        if texts:
            try:
                Webhook(*texts)
            except ConfigurationError as error:
                raise ValueError(error.message) from None
        return texts


class Switch(Field):
    """Yes or no."""

    kind = "checkbox"

    def clean(self, value: Any) -> bool:
        """Return whether it is on; a form leaves out what is off."""
        return str(value).lower() in ("1", "true", "yes", "on")

    def input_html(self, value: Any) -> str:
        """Return a box."""
        checked = " checked" if value else ""
        return f'<input{self._named()} type="checkbox" value="yes"{checked}>'


@dataclass(frozen=True)
class Choice(Field):
    """One of a few words; `options` maps each to what people read."""

    options: tuple[tuple[str, str], ...] = ()

    def clean(self, value: Any) -> str:
        """Return the word."""
        if value not in dict(self.options):
            raise ValueError(f"choose one of {', '.join(name for name, _ in self.options)}")
        return str(value)

    def input_html(self, value: Any) -> str:
        """Return a list."""
        drawn = "".join(
            f'<option value="{escape(name)}"{" selected" if name == value else ""}>{escape(text)}</option>'
            for name, text in self.options
        )
        return f"<select{self._named()}>{drawn}</select>"


@dataclass(frozen=True)
class WordMap(Field):
    """Words of the plugin in the shop's own words: a mapping, or lines of `ours = theirs`."""

    words: tuple[str, ...] = ()

    def clean(self, value: Any) -> dict[str, str]:
        """Return the mapping; a word that is not named stays as it is."""
        lines = [] if isinstance(value, Mapping) else [line for line in str(value).splitlines() if line.strip()]
        pairs = value if isinstance(value, Mapping) else dict(map(_pair, lines))
        strange = sorted(set(map(str, pairs)) - set(self.words))
        if strange:
            raise ValueError(f"there is no status {strange[0]!r}; there are {', '.join(self.words)}")
        return {str(name): str(word) for name, word in pairs.items()}

    def input_html(self, value: Any) -> str:
        """Return one line for each word."""
        text = "\n".join(f"{name} = {value.get(name, name)}" for name in self.words)
        return f'<textarea{self._named()} rows="{len(self.words)}">{escape(text)}</textarea>'


def _pair(line: str) -> tuple[str, str]:
    name, sign, word = line.partition("=")
    if not sign or not word.strip():
        raise ValueError("write one line for each status: paid = processing")
    return name.strip(), word.strip()


def cleaned(fields: Sequence[Field], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that were given, checked, with the defaults of the others.

    Raises:
        SettingsError: some of them cannot be used; all of those are named.
    """
    values: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for field in fields:
        value = given.get(field.name)
        is_empty = value is None or (isinstance(value, (str, tuple)) and not value)
        try:
            values[field.name] = field.clean(field.default if is_empty else value)
        except ValueError as error:
            errors[field.name] = str(error)
        except TypeError:  # a list where a word is expected
            errors[field.name] = "this cannot be read"
        else:
            if field.required and not values[field.name]:
                errors[field.name] = "this is needed"
    if errors:
        raise SettingsError(errors)
    return values


def read_form(fields: Sequence[Field], form: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that a sent form asks for, checked: a box that it leaves out is off, an empty secret is kept.

    Raises:
        SettingsError: some of them cannot be used; all of those are named.
    """
    given = {field.name: form.get(field.name) for field in fields}
    for field in fields:
        if isinstance(field, Switch):
            given[field.name] = given[field.name] or "no"
        elif isinstance(field, Secret) and not str(given[field.name] or "").strip():
            given[field.name] = known.get(field.name)
    return cleaned(fields, given)


def form_html(fields: Sequence[Field], values: Mapping[str, Any], errors: Mapping[str, str]) -> str:
    """Return the fields of a form, each with label, help and what is wrong with it; the shop adds form and button."""
    return "\n".join(_field_html(field, values, errors.get(field.name)) for field in fields)


def _field_html(field: Field, values: Mapping[str, Any], error: str | None) -> str:
    name = f"streampay-{field.name}"
    lines = [
        f'<label for="{name}">{escape(field.label)}</label>',
        field.input_html(values.get(field.name, field.default)),
    ]
    if field.help:
        lines.append(f'<small id="{name}-help">{escape(field.help)}</small>')
    if error:
        lines.append(f'<strong role="alert">{escape(error)}</strong>')
    return f'<div class="streampay-field">{"".join(lines)}</div>'
