"""Write `docs/events.md`: every event with when it comes, the fields of its object, and a whole sample.

    .venv/bin/python -m tests.sdk.make_events

Nothing is said here: the words and fields are those of the server's OpenAPI document, the samples those that
`streampay.testing` makes events from. A test compares the page with what this makes now.
"""

import html
import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from hosted_checkout.api.blueprint import ROUTES
from hosted_checkout.api.openapi import document
from hosted_checkout.reference.content import EventKind, Field, Shape, reference_of
from streampay import API_VERSION
from streampay.testing._events import catalogue

FILE: Final = Path(__file__).parents[2] / "docs/events.md"
_WIDTH: Final = 110
_OPEN_LEVELS: Final = 2  # of a sample: the event, its `data` and the object stand a field a line
_HEAD: Final = """\
# Events

Every event that the gateway sends: when it comes, what it carries, and a whole sample. How events are signed, sent,
tried again and polled is told in [Webhooks](webhooks.md). As JSON Schema: `webhooks` in `/openapi.json` of your
gateway. In a shop's own tests, `streampay.testing.event("payment.succeeded")` makes a signed one of any kind:
[Testing](testing.md).

A sample is indented here; what is sent is minified, with sorted keys. Its ids are of one pattern, real ones are not.
Fields and types may be added at any time: pass over what you do not know.

This page is written by `.venv/bin/python -m tests.sdk.make_events`.
"""


def text() -> str:
    """Return the page."""
    reference = reference_of(document(ROUTES, base_url="http://127.0.0.1:8080"))
    shapes = {shape.title: shape for shape in reference.shapes}
    carried = list(dict.fromkeys(event.object for event in reference.events))
    parts = [_HEAD, _contents(reference.events)]
    for name in carried:
        about = [event for event in reference.events if event.object == name]
        parts.append(_chapter(shapes[name], about))
    parts.append("## What objects hold\n\n" + "\n".join(_part(shapes[name]) for name in _held(shapes, carried)))
    return "\n".join(parts)


def _contents(events: Sequence[EventKind]) -> str:
    rows = [f"| [`{event.type}`](#{_anchor(event.type)}) | {_plain(event.about)} |" for event in events]
    return "\n".join(["| event | when |", "|---|---|", *rows, ""])


def _chapter(shape: Shape, events: Sequence[EventKind]) -> str:
    """Return an object with its fields, and each event that carries it."""
    lines = [f"## {_words(shape.title)}", "", _plain(shape.about), ""]
    lines += _folded(f"Fields of a {_words(shape.title).lower()}", _table(shape.fields))
    for event in events:
        sample = _sample(event.type)
        lines += [f"### `{event.type}`", "", _plain(event.about), ""]
        lines += [*_changes(sample), *_folded("Sample", ["```json", *_laid_out(sample), "```"])]
    return "\n".join(lines)


def _part(shape: Shape) -> str:
    lines = [f"### {_words(shape.title)}", "", *([_plain(shape.about), ""] if shape.about else [])]
    return "\n".join([*lines, *_table(shape.fields), ""])


def _held(shapes: dict[str, Shape], carried: Sequence[str]) -> list[str]:
    """Return what the carried objects hold, and what that holds."""
    found, waiting = list[str](), list(carried)
    while waiting:
        inside = [field.object for field in shapes[waiting.pop(0)].fields if field.object is not None]
        new = [name for name in dict.fromkeys(inside) if name not in {*found, *carried}]
        found += new
        waiting += new
    return sorted(found)


def _table(fields: Sequence[Field]) -> list[str]:
    rows = [f"| `{field.name}` | {_type(field)} | {_plain(field.about) or '-'} |" for field in fields]
    return ["| field | type | about |", "|---|---|---|", *rows]


def _type(field: Field) -> str:
    if field.object is None:
        return field.type
    named = f"[{_words(field.object).lower()}](#{_anchor(_words(field.object))})"
    return field.type.replace("object", named, 1)


def _folded(title: str, lines: Sequence[str]) -> list[str]:
    return ["<details>", f"<summary>{title}</summary>", "", *lines, "", "</details>", ""]


def _changes(sample: dict[str, Any]) -> list[str]:
    """Return a line that says what was different before."""
    previous = sample["data"]["previous"]
    if previous is None:
        return []
    now = sample["data"]["object"]
    told = [f"`{name}` from `{json.dumps(was)}` to `{json.dumps(now[name])}`" for name, was in previous.items()]
    return [f"In the sample: {', '.join(told)}.", ""]


def _sample(kind: str) -> dict[str, Any]:
    name, changes, previous = catalogue()["events"][kind]
    return {
        "id": "evt_01jd4k00000000000000000000",
        "object": "event",
        "type": kind,
        "timestamp": "2026-11-20T09:00:00.000Z",
        "api_version": API_VERSION,
        "livemode": False,
        "sequence": 1 if previous is None else 2,
        "data": {"object": {**catalogue()["objects"][name], **changes}, "previous": previous},
    }


def _laid_out(value: Any, *, level: int = 0, before: str = "", after: str = "") -> Iterator[str]:
    """Yield the lines of JSON: what fits into a line stands in one, but for what is to be seen first."""
    indent, line = "  " * level, json.dumps(value, ensure_ascii=False)
    is_open = isinstance(value, dict) and level <= _OPEN_LEVELS and bool(value) and "previous" not in before
    if not isinstance(value, (dict, list)) or not (is_open or len(indent + before + line) > _WIDTH):
        yield f"{indent}{before}{line}{after}"
        return
    opening, closing = ("{", "}") if isinstance(value, dict) else ("[", "]")
    named = value.items() if isinstance(value, dict) else (("", one) for one in value)
    pairs = [(f'"{key}": ' if key else "", one) for key, one in named]
    yield f"{indent}{before}{opening}"
    for number, (name, one) in enumerate(pairs, 1):
        yield from _laid_out(one, level=level + 1, before=name, after="," if number < len(pairs) else "")
    yield f"{indent}{closing}{after}"


def _words(name: str) -> str:
    """Return a model's name as people write it: `CheckoutSession` is a checkout session."""
    return re.sub(r"(?<=[a-z])([A-Z])", lambda found: f" {found[1].lower()}", name)


def _anchor(heading: str) -> str:
    return re.sub(r"[^a-z0-9_ -]", "", heading.lower()).replace(" ", "-")


def _plain(about: str) -> str:
    """Return the reference's words as Markdown again."""
    marked = re.sub(r"</?code>", "`", str(about))
    return html.unescape(re.sub(r"</?strong>", "**", marked)).replace("|", "\\|")


if __name__ == "__main__":
    made = text()
    if sys.argv[1:] == ["--print"]:
        sys.stdout.write(made)
    else:
        FILE.write_text(made)
