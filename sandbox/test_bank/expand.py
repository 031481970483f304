"""`expand[]`: identifiers replaced by the objects they name, as deep as asked, and only where the schema allows it."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from sandbox.test_bank.errors import ApiError
from sandbox.test_bank.spec import Schema, Spec
from sandbox.test_bank.store import Wire
from sandbox.test_bank.vault import Vault

MAX_EXPANSIONS: Final = 20
MAX_DEPTH: Final = 4
"""Stripe's limit, counted without a leading `data`."""

Includable = Callable[[Vault, Wire], Wire]


def check_paths(
    spec: Spec, schema: Schema, paths: Sequence[str], includable: Mapping[tuple[str, str], Includable]
) -> None:
    """Refuse paths that lead nowhere, before anything is done.

    Args:
        spec: the description of the API.
        schema: what the operation answers.
        paths: such as `payment_intent.latest_charge` or `data.source`.
        includable: (resource, field) -> its value, for fields that are absent unless asked for.

    Raises:
        ApiError: a path leads to something that cannot be expanded, or there are too many.
    """
    if len(paths) > MAX_EXPANSIONS:
        raise ApiError(f"You can expand at most {MAX_EXPANSIONS} properties.", param="expand")
    for path in paths:
        parts = path.split(".")
        if len([part for part in parts if part != "data"]) > MAX_DEPTH:
            raise ApiError("You cannot expand more than 4 levels of a property.", param="expand")
        if not _leads_somewhere(spec, [schema], parts, includable):
            raise ApiError(f"This property cannot be expanded ({path[:200]}).", param="expand")


def expanded(vault: Vault, body: Wire, paths: Sequence[str], includable: Mapping[tuple[str, str], Includable]) -> Wire:
    """Return a copy of a response with what was asked for in full; the paths have been checked."""
    grown = copy.deepcopy(body)
    for path in paths:
        _grow(vault, grown, path.split("."), includable)
    return grown


def _leads_somewhere(
    spec: Spec,
    schemas: Sequence[Schema],
    parts: Sequence[str],
    includable: Mapping[tuple[str, str], Includable],
) -> bool:
    choices = [choice for schema in schemas for choice in _things(spec, schema)]
    below = [choice["properties"][parts[0]] for choice in choices if parts[0] in choice.get("properties", {})]
    if len(parts) > 1:
        return bool(below) and _leads_somewhere(spec, below, parts[1:], includable)
    is_included = any((choice.get("x-resourceId", ""), parts[0]) in includable for choice in choices)
    return is_included or any(_names_objects(spec, schema) for schema in below)


def _things(spec: Spec, schema: Schema) -> Iterator[Schema]:
    """Yield what a value may be, the items of a list in place of the list."""
    for choice in spec.alternatives(schema):
        if choice.get("type") == "array":
            yield from _things(spec, choice["items"])
        else:
            yield choice


def _names_objects(spec: Spec, schema: Schema) -> bool:
    """Return whether a schema allows an identifier as well as the object itself."""
    choices = list(_things(spec, schema))
    takes_id = any(choice.get("type") == "string" and "enum" not in choice for choice in choices)
    return takes_id and any("object" in choice.get("properties", {}) for choice in choices)


def _grow(vault: Vault, owner: Any, parts: Sequence[str], includable: Mapping[tuple[str, str], Includable]) -> None:
    if isinstance(owner, list):
        for item in owner:
            _grow(vault, item, parts, includable)
    if not isinstance(owner, dict):
        return
    name = parts[0]
    include = includable.get((str(owner.get("object")), name))
    if include is not None and owner.get(name) is None:
        owner[name] = copy.deepcopy(include(vault, owner))
    else:
        owner[name] = _full(vault, owner.get(name))
    if len(parts) > 1:
        _grow(vault, owner[name], parts[1:], includable)


def _full(vault: Vault, value: Any) -> Any:
    """Return the object in place of its identifier; what is no identifier stays."""
    if isinstance(value, list):
        return [_full(vault, item) for item in value]
    record = vault.store.find(value) if isinstance(value, str) else None
    return value if record is None else copy.deepcopy(record.body)
