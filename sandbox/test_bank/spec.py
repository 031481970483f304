"""Stripe's API description, put to work: which operation a path is, what it takes, and what its objects look like.

Requests are coerced from form strings by schema type and checked with Stripe's own error codes and spelling of `param`.
Objects begin as skeletons with every required field, so a response is complete by construction. The validator knows
only the schema words that this description uses; an independent one checks it in the tests.
"""

import difflib
import functools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sandbox.test_bank.errors import ApiError, missing

Schema = Mapping[str, Any]

_FILE: Final = Path(__file__).parent / "schema" / "stripe-openapi.json"
_REF: Final = "#/components/schemas/"
_FORM: Final = "application/x-www-form-urlencoded"
_INTEGER = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,12})?", re.ASCII)
_BOOLEANS: Final = {"true": True, "false": False}
_FIRST: Final[Mapping[str, Any]] = {"string": "", "integer": 0, "number": 0, "boolean": False}
MAX_TEXT: Final = 5_000
"""Stripe's own limit of a text without a narrower one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One verb on one path, with the schema of what it takes and of what it answers."""

    name: str
    method: str
    template: str
    pattern: re.Pattern[str]
    takes: Schema
    answers: Schema


class Spec:
    """The description, indexed."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.version: str = document["info"]["version"]
        self.schemas: Mapping[str, Schema] = document["components"]["schemas"]
        self.events: Mapping[str, Schema] = document["x-stripeEvents"]
        self._operations = sorted(_operations(document), key=lambda operation: operation.template.count("{"))
        self._skeletons: dict[str, str] = {}

    def operations(self) -> Iterator[Operation]:
        """Yield every operation of the description."""
        yield from self._operations

    def route(self, method: str, path: str) -> tuple[Operation, dict[str, str]] | None:
        """Return the operation of a request and what its path names; None for a path that is not described."""
        for operation in self._operations:
            if operation.method == method and (matched := operation.pattern.fullmatch(path)):
                return operation, matched.groupdict()
        return None

    def resolve(self, schema: Schema) -> Schema:
        """Follow references to the schema itself."""
        while "$ref" in schema:
            schema = self.schemas[schema["$ref"].removeprefix(_REF)]
        return schema

    def alternatives(self, schema: Schema) -> Iterator[Schema]:
        """Yield the schemas of which a value may fit one, nested choices flattened."""
        schema = self.resolve(schema)
        if "anyOf" not in schema:
            yield schema
        for choice in schema.get("anyOf", ()):
            yield from self.alternatives(choice)

    # --- objects -----------------------------------------------------------------------------------------------------

    def skeleton(self, resource: str) -> dict[str, Any]:
        """Return a fresh object with every required field: null where null is allowed, else the first value."""
        if resource not in self._skeletons:
            self._skeletons[resource] = json.dumps(self._first(self.schemas[resource]))
        made: dict[str, Any] = json.loads(self._skeletons[resource])
        return made

    def has_field(self, resource: str, name: str) -> bool:
        """Return whether a resource has a field at all."""
        return name in self.schemas[resource]["properties"]

    def completed(self, resource: str, name: str, given: Any) -> Any:
        """Return what a request gave for a field, with every field that an answer must have beside it."""
        return self._completed(self.schemas[resource]["properties"][name], given)

    def _completed(self, schema: Schema, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return None if given == "" else given
        choice = next(choice for choice in self.alternatives(schema) if "properties" in choice)
        known = choice["properties"]
        made = {name: self._first(known[name]) for name in choice.get("required", ())}
        return made | {name: self._completed(known[name], value) for name, value in given.items() if name in known}

    def _first(self, schema: Schema) -> Any:
        choices = list(self.alternatives(schema))
        if any(_is_nullable(choice) for choice in choices):
            return None
        chosen = choices[0]
        if "enum" in chosen:
            return chosen["enum"][0]
        kind = chosen.get("type")
        if kind == "object":
            return {name: self._first(chosen["properties"][name]) for name in chosen.get("required", ())}
        return [] if kind == "array" else _FIRST.get(str(kind))

    # --- requests ----------------------------------------------------------------------------------------------------

    def checked(self, operation: Operation, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return what was sent, coerced to the types of the schema.

        Raises:
            ApiError: `parameter_unknown`, `parameter_missing` or `parameter_invalid_*`, naming the parameter.
        """
        return self._object(operation.takes, given, "")

    def _value(self, schema: Schema, value: Any, name: str, *, may_be_empty: bool = False) -> Any:
        choices = [choice for choice in self.alternatives(schema) if _suits(choice, value)]
        if not choices:
            raise _misshapen(list(self.alternatives(schema)), value, name)
        refusals: list[ApiError] = []
        for choice in choices:
            try:
                return self._one(choice, value, name, may_be_empty=may_be_empty)
            except ApiError as refusal:
                refusals.append(refusal)
        raise refusals[0]

    def _one(self, schema: Schema, value: Any, name: str, *, may_be_empty: bool) -> Any:
        kind = schema.get("type")
        if isinstance(value, dict):
            return self._list(schema, value, name) if kind == "array" else self._object(schema, value, name)
        return _scalar(schema, value, name, may_be_empty=may_be_empty)

    def _list(self, schema: Schema, value: Mapping[str, Any], name: str) -> list[Any]:
        if not all(key.isascii() and key.isdigit() for key in value):
            raise ApiError("Invalid array", param=name)
        places = sorted(value, key=int)
        return [self._value(schema["items"], value[place], f"{name}[{place}]") for place in places]

    def _object(self, schema: Schema, value: Mapping[str, Any], name: str) -> dict[str, Any]:
        known = schema.get("properties", {})
        others = schema.get("additionalProperties")
        if (
            not isinstance(others, Mapping)
            and others is not True
            and (strange := [key for key in value if key not in known])
        ):
            raise _unknown(strange, known, name)
        if absent := next((key for key in schema.get("required", ()) if key not in value), None):
            raise missing(_inside(name, absent))
        made = {}
        for key, inner in value.items():
            inner_schema = known.get(key, others if isinstance(others, Mapping) else {"type": "string"})
            made[key] = self._value(inner_schema, inner, _inside(name, key), may_be_empty=key not in known)
        return made


@functools.cache
def load() -> Spec:
    """Return the description that ships with the bank, read once."""
    return Spec(json.loads(_FILE.read_text(encoding="utf-8")))


def _operations(document: Mapping[str, Any]) -> Iterator[Operation]:
    for template, verbs in document["paths"].items():
        pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template))
        for verb, described in verbs.items():
            yield Operation(
                name=described["operationId"],
                method=verb.upper(),
                template=template,
                pattern=pattern,
                takes=_takes(document, described),
                answers=described["responses"]["200"]["content"]["application/json"]["schema"],
            )


def _takes(document: Mapping[str, Any], described: Mapping[str, Any]) -> Schema:
    """Return query and body as the one object that they are on Stripe's wire."""
    queried = {item["name"]: item for item in described["parameters"] if item["in"] == "query"}
    body = described.get("requestBody", {}).get("content", {}).get(_FORM, {}).get("schema", {})
    while "$ref" in body:
        body = document["components"]["schemas"][body["$ref"].removeprefix(_REF)]
    required = [name for name, item in queried.items() if item["required"]]
    return {
        "type": "object",
        "properties": {name: item["schema"] for name, item in queried.items()} | body.get("properties", {}),
        "required": [*required, *body.get("required", ())],
        "additionalProperties": False,
    }


def _is_nullable(schema: Schema) -> bool:
    kind = schema.get("type")
    return kind == "null" or (isinstance(kind, list) and "null" in kind) or None in schema.get("enum", ())


def _suits(schema: Schema, value: Any) -> bool:
    """Return whether a schema is for values of this shape at all: objects and lists, or single values."""
    return (schema.get("type") in {"object", "array"}) == isinstance(value, dict)


def _misshapen(schemas: Iterable[Schema], value: Any, name: str) -> ApiError:
    if isinstance(value, dict):
        return ApiError("Invalid string: it was given as an object.", param=name)
    expects_list = any(schema.get("type") == "array" for schema in schemas)
    return ApiError("Invalid array" if expects_list else "Invalid object", param=name)


def _scalar(schema: Schema, value: str, name: str, *, may_be_empty: bool) -> Any:
    kind = schema.get("type")
    match kind:
        case "integer":
            if not _INTEGER.fullmatch(value):
                raise ApiError(f"Invalid integer: {value[:40]}", code="parameter_invalid_integer", param=name)
            return int(value)
        case "boolean":
            if value not in _BOOLEANS:
                raise ApiError(f"Invalid boolean: {value[:40]}", param=name)
            return _BOOLEANS[value]
        case "number":
            if not _NUMBER.fullmatch(value):
                raise ApiError(f"Invalid decimal: {value[:40]}", param=name)
            return value
    return _text(schema, value, name, may_be_empty=may_be_empty)


def _text(schema: Schema, value: str, name: str, *, may_be_empty: bool) -> str:
    words = schema.get("enum")
    if words is not None:
        if value not in words:
            listed = ", ".join(words[:-1]) + f", or {words[-1]}" if len(words) > 1 else words[0]
            raise ApiError(f"Invalid {name}: must be one of {listed}", param=name)
        return value
    if not value and not may_be_empty:
        raise ApiError(
            f"You passed an empty string for '{name}'. We assume empty values are an attempt to unset a parameter; "
            f"however '{name}' cannot be unset. You should remove '{name}' from your request or supply a non-empty "
            "value.",
            code="parameter_invalid_empty",
            param=name,
        )
    limit = schema.get("maxLength", MAX_TEXT)
    if len(value) > limit:
        raise ApiError(f"Invalid string: must be at most {limit} characters", param=name)
    return value


def _unknown(strange: list[str], known: Iterable[str], name: str) -> ApiError:
    spelled = [_inside(name, key) for key in strange]
    plural = "s" if len(spelled) > 1 else ""
    close = difflib.get_close_matches(strange[0], list(known), n=1)
    hint = f". Did you mean {_inside(name, close[0])}?" if close else ""
    listed = ", ".join(text[:80] for text in spelled[:5])
    return ApiError(
        f"Received unknown parameter{plural}: {listed}{hint}", code="parameter_unknown", param=spelled[0][:200]
    )


def _inside(name: str, key: str) -> str:
    return f"{name}[{key}]" if name else key
