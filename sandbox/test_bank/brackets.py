"""Stripe's bracket form: `line_items[0][price_data][currency]=eur` becomes nested dictionaries of strings.

Lists stay dictionaries with their positions as keys; the schema decides later what is a list.
"""

import re
from typing import Any, Final
from urllib.parse import parse_qsl

from sandbox.test_bank.errors import ApiError

MAX_FIELDS: Final = 2_000
"""More fields than any honest request has; Stripe's own limit is of this order."""
MAX_DEPTH: Final = 12
_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_PART = re.compile(r"\[([^\[\]]*)\]")


def decode(text: str) -> dict[str, Any]:
    """Return the nested fields of a query or a form body.

    Raises:
        ApiError: there are too many fields, they are nested too deep, or one is both a value and an object.
    """
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except (ValueError, UnicodeDecodeError):
        raise ApiError("Invalid request body: it must be form-encoded UTF-8.") from None
    fields: dict[str, Any] = {}
    for name, value in pairs:
        _place(fields, name, value)
    return fields


def _place(fields: dict[str, Any], name: str, value: str) -> None:
    matched = _NAME.fullmatch(name)
    # A name that is no bracket form stays as it is: it is an unknown parameter, and says so later.
    parts = [matched[1], *_PART.findall(matched[2])] if matched else [name]
    if len(parts) > MAX_DEPTH:
        raise ApiError("Invalid object: it is nested too deep.", param=parts[0])
    for part in parts[:-1]:
        fields = _below(fields, _key(fields, part), parts[0])
    last = _key(fields, parts[-1])
    if isinstance(fields.get(last), dict):
        raise ApiError("Invalid object", param=parts[0])
    fields[last] = value


def _below(fields: dict[str, Any], key: str, param: str) -> dict[str, Any]:
    inner = fields.setdefault(key, {})
    if not isinstance(inner, dict):
        raise ApiError("Invalid object", param=param)
    return inner


def _key(fields: dict[str, Any], part: str) -> str:
    """Return the key of a part; an empty one, as in `expand[]=a`, means the next place of a list."""
    return part or str(len(fields))
