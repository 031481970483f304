"""The SDK against the OpenAPI document, field by field, so that neither can drift away from the other.

Every method of every resource is called with all its arguments on a way that notes what it is asked for; every answer
of the document is made up, once full and once bare, and read by the SDK's models.
"""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest

from hosted_checkout.api.blueprint import ROUTES
from hosted_checkout.api.openapi import document
from streampay import models
from streampay._api import Api, Options
from streampay._resources import Resource
from streampay._surface import Surface

Json = dict[str, Any]

# Each exception has its reason.
NO_METHOD = {
    "POST /api/v1/payment": "the small payment API is for plugins without this SDK",
    "GET /api/v1/payment": "the same",
    "POST /api/v1/payment/expire": "the same",
}
READS = {"/v1/donations/statement"}  # whose question names a person, and so stands in the body
UNMENTIONED = {
    "CheckoutSession.payment_status": "the payment's words: Payment names them",
    "CheckoutSession.locale": "the language that the shop itself asked for",
    "Event.type": "docs/webhooks.md names every event, and new ones come",
    "Delivery.event_type": "the same",
    "WebhookEndpoint.enabled_events": "the same",
}
NAMED_ELSEWHERE = {  # arguments whose words their method does not repeat
    "status": "of a list: the model names them",
    "enabled_events": "docs/webhooks.md names every event",
    "currency": "the operator's list, which GET /openapi.json tells",
    "base": "the same",
    "quote": "the same",
}


@cache
def api() -> Json:
    """Return the document as the gateway serves it."""
    return document(ROUTES, base_url="http://127.0.0.1:8080")


@dataclass(frozen=True, slots=True)
class Call:
    """What one method of the SDK asks for."""

    name: str
    method: Callable[..., Any]
    operation: str
    kind: type[models.Model]
    sent: Mapping[str, Any]


class Noting(Api):
    """A way that goes nowhere and notes what it is asked for."""

    def __init__(self) -> None:
        super().__init__(Options(api_key="", base_url=""))
        self.asked: list[tuple[str, str, type[models.Model], Any]] = []

    def run(self, steps: Any) -> Any:
        """Do nothing."""

    def _note(self, method: str, kind: type[models.Model], path: str, sent: Any = None) -> Any:
        self.asked.append((method, path.replace("/THE-ID", "/{id}"), kind, sent or {}))

    def get(self, kind: Any, path: str, query: Any = None) -> Any:
        return self._note("GET", kind, path, query)

    def post(self, kind: Any, path: str, body: Any, idempotency_key: str | None) -> Any:
        assert idempotency_key == "x" or path in READS, "the method keeps the caller's key to itself"
        return self._note("POST", kind, path, body)

    def patch(self, kind: Any, path: str, body: Any) -> Any:
        return self._note("PATCH", kind, path, body)

    def delete(self, kind: Any, path: str) -> Any:
        return self._note("DELETE", kind, path)

    def page(self, kind: Any, path: str, query: Any) -> Any:
        return self._note("GET", kind, path, query)


ARGUMENTS: dict[str, Any] = {  # by the annotation
    "str": "x",
    "str | None": "x",
    "str | Decimal": "1.00",
    "str | Decimal | None": "1.00",
    "int": 1,
    "int | None": 1,
    "bool | None": True,
    "Iterable[str] | None": ["x"],
    "Iterable[str | Decimal] | None": ["1.00"],
    "datetime | str": datetime(2026, 12, 31, 23, tzinfo=UTC),
    "datetime | str | None": datetime(2026, 12, 31, 23, tzinfo=UTC),
    "Mapping[str, str] | None": {"key": "value"},
    "str | Unchanged": "x",
    "str | Unchanged | None": "x",
    "str | Decimal | Unchanged": "1.00",
    "str | Decimal | Unchanged | None": "1.00",
    "int | Unchanged": 1,
    "bool | Unchanged": True,
    "Iterable[str] | Unchanged": ["x"],
    "Iterable[str | Decimal] | Unchanged": ["1.00"],
    "datetime | str | Unchanged | None": datetime(2026, 12, 31, 23, tzinfo=UTC),
    "Mapping[str, str] | Unchanged": {"key": "value"},
    "Iterable[models.LineItem | Mapping[str, object]]": [models.LineItem(name="x", amount="1.00")],
}


def methods_of(owner: object, name: str) -> Iterator[tuple[str, Any]]:
    """Yield every public method of a resource and of those inside it."""
    for word, value in vars(owner).items():
        if isinstance(value, Resource):
            yield from methods_of(value, f"{name}.{word}" if name else word)
    for word, _ in inspect.getmembers(type(owner), inspect.isfunction):
        if not word.startswith("_") and isinstance(owner, Resource):
            yield f"{name}.{word}", getattr(owner, word)


@cache
def calls() -> tuple[Call, ...]:
    """Call every method with every argument."""
    way = Noting()
    found = []
    for name, method in methods_of(Surface(way), ""):
        if name == "checkout.sessions.wait":  # many retrieves
            continue
        positional, named = [], {}
        for each in inspect.signature(method).parameters.values():
            if each.kind is each.POSITIONAL_OR_KEYWORD:
                positional.append("THE-ID" if each.name.endswith("_id") else ARGUMENTS[each.annotation])
            else:
                named[each.name] = ARGUMENTS[each.annotation]
        method(*positional, **named)
        verb, path, kind, sent = way.asked.pop()
        assert way.asked == [], name
        found.append(Call(name, method, f"{verb} {path}", kind, sent))
    return tuple(found)


@cache
def operations() -> dict[str, Json]:
    return {
        f"{method.upper()} {path}": about
        for path, methods in api()["paths"].items()
        for method, about in methods.items()
    }


def resolved(schema: Json) -> Json:
    """Follow a reference."""
    while "$ref" in schema:
        schema = api()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def choices(schema: Json) -> list[Json]:
    """Return what a value may be, each resolved."""
    schema = resolved(schema)
    several: list[Json] = schema.get("anyOf") or schema.get("oneOf") or []
    return [one for each in several for one in choices(each)] or [schema]


def parameters_of(about: Json) -> dict[str, tuple[Json, bool]]:
    """Return what an operation takes in its query or body: schema, and whether it must be there."""
    taken = {
        each["name"]: (each["schema"], each["required"]) for each in about["parameters"] if each.get("in") == "query"
    }
    if "requestBody" in about:
        body = resolved(about["requestBody"]["content"]["application/json"]["schema"])
        taken |= {name: (each, name in body.get("required", ())) for name, each in body["properties"].items()}
    return taken


# --- routes and arguments --------------------------------------------------------------------------------------------


def test_every_route_has_exactly_one_method_and_every_method_a_route() -> None:
    asked = [call.operation for call in calls()]
    assert len(set(asked)) == len(asked)
    assert set(asked) | set(NO_METHOD) == set(operations())
    assert not set(asked) & set(NO_METHOD)


@pytest.mark.parametrize("call", calls(), ids=lambda call: call.name)
def test_the_arguments_are_the_fields_of_the_route(call: Call) -> None:
    taken = parameters_of(operations()[call.operation])
    assert set(call.sent) == set(taken)
    arguments = {
        each.name: each.default is each.empty
        for each in inspect.signature(call.method).parameters.values()
        if not (each.name.endswith("_id") and each.kind is not each.KEYWORD_ONLY) and each.name != "idempotency_key"
    }
    assert set(arguments) == set(taken)
    for name, (schema, is_required) in taken.items():
        assert arguments[name] == is_required, f"{name} is required on one side only"
        assert any(fits(call.sent[name], each) for each in choices(schema)), f"{name} is sent as another type"


def fits(value: object, schema: Json) -> bool:
    kinds: dict[str, type] = {"string": str, "integer": int, "boolean": bool, "array": list, "object": dict}
    words = schema.get("type", "string")
    return type(value) is kinds.get(words) or (words == "boolean" and value in {"true", "false"})


# --- answers ---------------------------------------------------------------------------------------------------------


def sample(schema: Json, *, is_full: bool) -> Any:
    """Make a value up: full with everything that may be there, or bare with nothing that may be missing or null."""
    options = choices(schema)
    if not is_full and {"type": "null"} in options:
        return None
    return sample_of(next(each for each in options if each != {"type": "null"}), is_full=is_full)


def sample_of(schema: Json, *, is_full: bool) -> Any:
    match schema:
        case {"const": value} | {"enum": [value, *_]}:
            return value
        case {"type": "object", "properties": _}:
            return sample_object(schema, is_full=is_full)
        case {"type": "object"}:
            return {"key": "value"} if is_full else {}
        case {"type": "array", "items": items}:
            return [sample(items, is_full=is_full)] if is_full else []
        case {"type": "string"}:
            return (schema.get("examples") or ["2026-11-20T10:00:00.000Z" if "format" in schema else "x"])[0]
        case _:
            return {"integer": 7, "boolean": True}[schema["type"]]


def sample_object(schema: Json, *, is_full: bool) -> Json:
    required = schema.get("required", ())
    return {
        name: sample(each, is_full=is_full)
        for name, each in schema["properties"].items()
        if is_full or name in required
    }


def answers() -> Iterator[tuple[str, type[models.Model], Json]]:
    """Yield each answer of the document with the model that reads it: of lists, an item; of webhooks, the event."""
    for call in calls():
        for status, about in operations()[call.operation]["responses"].items():
            if status.startswith("2"):
                schema = resolved(about["content"]["application/json"]["schema"])
                if "has_more" in schema["properties"]:
                    schema = resolved(schema["properties"]["data"]["items"])
                yield f"{call.name} {status}", call.kind, schema
    for name, about in api()["webhooks"].items():
        body = about["post"]["requestBody"]["content"]["application/json"]["schema"]
        yield f"webhook {name}", models.Event, resolved(body["allOf"][0])


ANSWERS = list(answers())


def pairs(read: object, wire: object) -> Iterator[tuple[models.Model, Json]]:
    """Yield every object that was read, beside what it was read from."""
    if isinstance(read, models.Model) and isinstance(wire, dict):
        yield read, wire
        for name in wire:
            yield from pairs(getattr(read, name, None), wire[name])
    elif isinstance(read, tuple) and isinstance(wire, list):
        for mine, theirs in zip(read, wire, strict=True):
            yield from pairs(mine, theirs)


@pytest.mark.parametrize(("name", "kind", "schema"), ANSWERS, ids=[name for name, _, _ in ANSWERS])
@pytest.mark.parametrize("is_full", [True, False], ids=["full", "bare"])
def test_every_answer_is_read_and_no_field_is_unknown(
    name: str, kind: type[models.Model], schema: Json, *, is_full: bool
) -> None:
    wire = sample_object(schema, is_full=is_full)
    read = models.decode(kind, wire)
    for mine, theirs in pairs(read, wire):
        assert not isinstance(mine, models.UnknownObject), name
        assert mine.extra == {}, f"{type(mine).__name__} does not know them"
        for field, value in theirs.items():
            if value is None:
                assert getattr(mine, field) is None or getattr(mine, field) == (), f"{type(mine).__name__}.{field}"
    assert set(wire) <= set(read.to_dict())


@cache
def fields_of_document() -> dict[str, set[str]]:
    """Return the fields that the document gives each model, wherever it occurs."""
    found: dict[str, set[str]] = {}
    for _, kind, schema in ANSWERS:
        wire = sample_object(schema, is_full=True)
        for mine, theirs in pairs(models.decode(kind, wire), wire):
            found.setdefault(type(mine).__name__, set()).update(theirs)
    return found


def test_no_model_has_a_field_that_the_gateway_never_sends() -> None:
    invented = {
        f"{kind}.{field.name}"
        for kind, known in fields_of_document().items()
        for field in fields(getattr(models, kind))
        if field.name not in known | {"extra", "response"}
    }
    assert invented == set()


def test_every_model_is_read_from_some_answer() -> None:
    kinds = {
        name
        for name, kind in vars(models).items()
        if isinstance(kind, type) and issubclass(kind, models.Model) and kind is not models.Model
    }
    assert kinds - set(fields_of_document()) == {"UnknownObject"}  # for what a newer gateway sends


# --- words -----------------------------------------------------------------------------------------------------------


def words_in(schema: Json) -> Iterator[str]:
    for each in choices(schema):
        if each.get("type") == "array":
            yield from words_in(each["items"])
        yield from each.get("enum", ())


def unmentioned(schema: Json, about: str | None) -> list[str]:
    """Return the words of a schema that a docstring does not have."""
    return [word for word in words_in(schema) if not re.search(rf"\b{re.escape(word)}\b", about or "")]


def fields_with_words() -> Iterator[tuple[type[models.Model], str, Json]]:
    """Yield every field of every model for which the document has a list of words."""
    for _, kind, top in ANSWERS:
        for read, schema in zip_schemas(models.decode(kind, sample_object(top, is_full=True)), top):
            for name, each in schema["properties"].items():
                if any(words_in(each)):
                    yield type(read), name, each


def test_every_word_is_open_to_new_ones() -> None:
    for kind, name, _ in fields_with_words():
        annotation = next(str(field.type) for field in fields(kind) if field.name == name)
        assert annotation in {"str", "str | None", "tuple[str, ...]"}, f"{kind.__name__}.{name}"


def test_every_word_is_mentioned_by_its_model() -> None:
    missing = {
        f"{kind.__name__}.{name}": unmentioned(each, kind.__doc__)
        for kind, name, each in fields_with_words()
        if unmentioned(each, kind.__doc__)
    }
    assert {name: words for name, words in missing.items() if name not in UNMENTIONED} == {}
    assert set(UNMENTIONED) <= set(missing), "an exception is not needed any more"


def zip_schemas(read: object, schema: Json) -> Iterator[tuple[models.Model, Json]]:
    """Yield every object that was read, beside its schema."""
    options = [each for each in choices(schema) if each.get("type") != "null"]
    if isinstance(read, models.Model):
        yield read, options[0]
        for name, each in options[0]["properties"].items():
            yield from zip_schemas(getattr(read, name, None), each)
    elif isinstance(read, tuple):
        for each in read:
            yield from zip_schemas(each, options[0]["items"])


def test_words_that_a_call_takes_are_mentioned_by_its_method() -> None:
    missing = [
        f"{call.name}({name}): {words}"
        for call in calls()
        for name, (schema, _) in parameters_of(operations()[call.operation]).items()
        if name not in NAMED_ELSEWHERE and (words := unmentioned(schema, call.method.__doc__))
    ]
    assert missing == []
