"""What the reference says, taken out of an OpenAPI document: groups of operations, objects, and events."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup, escape

from hosted_checkout.reference.samples import Sampler, Schema, body_of, curl, pretty, python

_SAID_ONCE: Final = "StreamPay-Version"  # every route takes it; the page begins with it
_OWN_ERRORS: Final = "\n\nIts own errors: "
_MAX_WORDS: Final = 12  # of an enumeration; longer ones (currencies) are told by their first


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A parameter, or a field of a body or object."""

    name: str
    type: str
    is_required: bool
    about: Markup
    object: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """An object with its fields; an id on the page, and a name for people."""

    id: str
    title: str
    about: Markup
    fields: Sequence[Field]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer: its status, what it is, and the object that it shows."""

    status: str
    about: Markup
    object: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One route."""

    id: str
    method: str
    path: str
    title: Markup
    about: Sequence[Markup]
    parameters: Sequence[Field]
    body: Sequence[Field]
    replies: Sequence[Reply]
    errors: Sequence[str]
    statuses: Sequence[str]
    curl: str
    python: str
    answer: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Operations about one thing."""

    id: str
    title: str
    operations: Sequence[Operation]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventKind:
    """One kind of event: when it comes, what it carries."""

    id: str
    type: str
    about: Markup
    object: str
    sample: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The whole page."""

    title: str
    version: str
    base_url: str
    about: Sequence[Markup]
    groups: Sequence[Group]
    events: Sequence[EventKind]
    shapes: Sequence[Shape]


def reference_of(document: Mapping[str, Any]) -> Reference:
    """Read a document of ours."""
    reader = _Reader(document)
    return Reference(
        title=document["info"]["title"],
        version=document["info"]["version"],
        base_url=reader.base_url,
        about=_paragraphs(document["info"]["description"]),
        groups=[reader.group(tag["name"]) for tag in document["tags"]],
        events=[reader.event(kind, about["post"]) for kind, about in document["webhooks"].items()],
        shapes=list(reader.shapes()),
    )


class _Reader:
    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._components: Mapping[str, Any] = document["components"]
        self._sampler = Sampler(self._components["schemas"])
        self._shapes = _answered(document)
        self.base_url: str = document["servers"][0]["url"]

    def group(self, tag: str) -> Group:
        """Return the operations that carry a tag."""
        found = [
            self._operation(method.upper(), path, methods[method])
            for path, methods in self._document["paths"].items()
            for method in methods
            if tag in methods[method]["tags"]
        ]
        return Group(id=f"about-{_slug(tag)}", title=tag, operations=found)

    def event(self, kind: str, about: Mapping[str, Any]) -> EventKind:
        """Return one kind of event."""
        schema = about["requestBody"]["content"]["application/json"]["schema"]
        sample = self._sampler.value(schema)
        sample["type"] = kind
        sample["data"]["previous"] = None
        shown = self._sampler.named(self._sampler.named(schema["allOf"][0])["properties"]["data"])
        carried = str(shown["properties"]["object"]["$ref"]).rpartition("/")[2]
        return EventKind(
            id=f"event-{_slug(kind)}", type=kind, about=rich(about["summary"]), object=carried, sample=pretty(sample)
        )

    def shapes(self) -> Iterator[Shape]:
        """Return the objects that answers show, each once; lists and events are told where they stand."""
        for name in sorted(self._shapes):
            schema = self._components["schemas"][name]
            fields = self._fields(schema, is_request=False)
            yield Shape(id=f"object-{name}", title=name, about=rich(schema.get("description", "")), fields=fields)

    def _operation(self, method: str, path: str, about: Mapping[str, Any]) -> Operation:
        parameters = [self._resolved(one) for one in about["parameters"]]
        body = about.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
        fields = [] if body is None else self._fields(self._sampler.named(body), is_request=True)
        sent = body_of(about["operationId"], body, self._sampler) if fields else None
        known = next((one for one in parameters if one["in"] == "path"), None)
        object_id = None if known is None else str(self._sampler.value(known["schema"]))
        needed = [one for one in parameters if one["in"] == "query" and one["required"]]
        query = {one["name"]: self._sampler.value(one["schema"]) for one in needed}
        words, _, codes = about["description"].partition(_OWN_ERRORS)
        asked = "&".join(f"{name}={value}" for name, value in query.items())
        url = path.replace("{id}", object_id or "")
        replies = [(status, one) for status, one in about["responses"].items() if "$ref" not in one]
        return Operation(
            id=about["operationId"],
            method=method,
            path=path,
            title=rich(about["summary"]),
            about=_paragraphs(words) if words.rstrip(".") != about["summary"] else (),
            parameters=[self._parameter(one) for one in parameters if one["name"] != _SAID_ONCE],
            body=fields,
            replies=[
                Reply(status=status, about=rich(one["description"]), object=self._shown(one)) for status, one in replies
            ],
            errors=re.findall(r"`(\w+)`", codes),
            statuses=[status for status, one in about["responses"].items() if "$ref" in one],
            curl=curl(method, f"{self.base_url}{url}{asked and f'?{asked}'}", sent),
            python=python(about["operationId"], method=method, path=url, object_id=object_id, query=query, body=sent),
            answer=self._answer(replies[0][1]),
        )

    def _resolved(self, parameter: Mapping[str, Any]) -> Mapping[str, Any]:
        if "$ref" not in parameter:
            return parameter
        found: Mapping[str, Any] = self._components["parameters"][parameter["$ref"].rpartition("/")[2]]
        return found

    def _parameter(self, one: Mapping[str, Any]) -> Field:
        kind = f"{one['in']}, {self._type(one['schema'])}"
        about = self._described({**one["schema"], "description": one.get("description", "")})
        return Field(name=one["name"], type=kind, is_required=bool(one.get("required")), about=rich(about))

    def _fields(self, schema: Schema, *, is_request: bool) -> list[Field]:
        needed = schema.get("required", ())
        return [
            Field(
                name=name,
                type=self._type(one),
                is_required=is_request and name in needed,
                about=rich(self._described(one)),
                object=self._object(one),
            )
            for name, one in schema.get("properties", {}).items()
        ]

    def _described(self, schema: Schema) -> str:
        """Return what is said of a field, and its words, where it is one of a few."""
        parts = [schema, *schema.get("anyOf", ())]
        parts += [self._sampler.named(one) for one in parts if "$ref" in one]
        about = next((str(one["description"]) for one in parts[:-1] or parts if "description" in one), "")
        words: Sequence[Any] = next((one["enum"] for one in parts if "enum" in one), [])
        if words and len(words) <= _MAX_WORDS:
            about = f"{about} {'One of' if len(words) > 1 else 'Always'} {', '.join(f'`{word}`' for word in words)}."
        if schema.get("default") is not None:
            about = f"{about} Default: `{pretty(schema['default'])}`."
        return about.strip()

    def _type(self, schema: Schema) -> str:
        """Return a type in a word or two."""
        if "$ref" in schema:
            found = self._sampler.named(schema)
            return "object" if "properties" in found else self._type(found)
        if "anyOf" in schema:
            names = list(dict.fromkeys(self._type(one) for one in schema["anyOf"]))
            return " or ".join(names)
        if "const" in schema:
            return f'"{schema["const"]}"'
        if schema.get("type") == "array":
            return f"list of {self._type(schema['items'])}s"
        if schema.get("format") == "date-time":
            return "time"
        return {"string": "text", "integer": "whole number", "boolean": "yes or no"}.get(
            str(schema.get("type")), str(schema.get("type", "text"))
        )

    def _object(self, schema: Schema) -> str | None:
        """Return the object of a field, or of each item of a list."""
        for one in (schema, schema.get("items", {}), *schema.get("anyOf", ())):
            name = str(one.get("$ref", "")).rpartition("/")[2]
            if name in self._shapes:
                return name
        return None

    def _shown(self, reply: Mapping[str, Any]) -> str | None:
        schema = reply["content"]["application/json"]["schema"]
        found = self._object(schema)
        if found is not None:
            return found
        items = self._sampler.named(schema).get("properties", {}).get("data", {}) if "$ref" in schema else {}
        return self._object(items)

    def _answer(self, reply: Mapping[str, Any]) -> str:
        return pretty(self._sampler.value(reply["content"]["application/json"]["schema"]))


def _answered(document: Mapping[str, Any]) -> frozenset[str]:
    """Return the names of all objects that an answer or an event shows; what only comes in is told with its route."""
    schemas = document["components"]["schemas"]
    found: set[str] = set()
    waiting: list[Any] = [document["components"]["responses"], document["webhooks"]]
    waiting += [one["responses"] for methods in document["paths"].values() for one in methods.values()]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Mapping):
            name = str(part.get("$ref", "")).rpartition("/schemas/")[2]
            if name in schemas and name not in found:
                found.add(name)
                waiting.append(schemas[name])
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
    is_wrapped = ("ListOf_", "Event_", "EventData_")
    return frozenset(name for name in found if "properties" in schemas[name] and not name.startswith(is_wrapped))


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _paragraphs(text: str) -> list[Markup]:
    return [rich(one) for one in text.strip().split("\n\n") if one.strip()]


def rich(text: str) -> Markup:
    """Write the little Markdown of our documents: code and bold; everything else is escaped."""
    safe = str(escape(" ".join(text.split())))
    safe = re.sub(r"`([^`]+)`", r"<code>\1</code>", safe)
    return Markup(re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", safe))  # noqa: S704 - escaped above
