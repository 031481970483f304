"""What a merchant or operator meets has a page: settings, error codes, events, routes."""

import ast
import dataclasses
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.house.sources import ROOT, module, page, python_in, tree

ROUTE_CALLS = {"route", "get", "post", "put", "patch", "delete", "add_url_rule"}


def undocumented(names: Iterable[str], text: str) -> list[str]:
    """Return the names that a page does not show in code form."""
    shown = set(re.findall(r"`([^`\n]+)`", text))
    return sorted(name for name in names if name not in shown)


def enum_values(module_name: str, enum: str) -> list[str]:
    """Return the public words of an enum."""
    return [str(word.value) for word in getattr(module(module_name), enum)]


def setting_variables() -> list[str]:
    """Return the environment variable of each setting."""
    settings = module("gateway.settings")
    return [f"STREAMPAY_{field.name.upper()}" for field in dataclasses.fields(settings.Settings)]


def routes_of(syntax: ast.Module) -> Iterator[str]:
    """Yield the paths that a module's decorators and registrations name, without their blueprint's prefix."""
    for node in ast.walk(syntax):
        match node:
            case ast.Call(func=ast.Attribute(attr=name), args=[ast.Constant(value=str(path)), *_]) if (
                name in ROUTE_CALLS and path.startswith("/")
            ):
                yield path
            case _:
                pass


def canonical(path: str) -> str:
    """Write Flask's ``<uuid:id>`` and OpenAPI's ``{id}`` alike."""
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", path)


def test_every_setting_is_documented() -> None:
    assert undocumented(setting_variables(), page("settings.md")) == []


def test_every_documented_setting_exists() -> None:
    shown = set(re.findall(r"`(STREAMPAY_[A-Z0-9_]+)`", page("settings.md")))
    assert sorted(name for name in shown - set(setting_variables()) if not name.startswith("STREAMPAY_TEST_")) == []


def test_every_error_code_is_documented() -> None:
    assert undocumented(enum_values("gateway.kernel.errors", "ErrorCode"), page("errors.md")) == []


def test_every_event_is_documented() -> None:
    assert undocumented(enum_values("gateway.domain.events", "EventType"), page("webhooks.md")) == []


def test_the_page_of_all_events_is_what_the_server_describes_today() -> None:
    """Made by a process of its own: in this one other tests may have made coins known."""
    command = [sys.executable, "-m", "tests.sdk.make_events", "--print"]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert page("events.md") == made, "run: .venv/bin/python -m tests.sdk.make_events"


def test_every_event_has_its_schema_and_sample_and_the_catalogue_leads_there() -> None:
    events = enum_values("gateway.domain.events", "EventType")
    chapters = dict(re.findall(r"^### `([^`]+)`\n(.*?)(?=^##)", page("events.md"), re.DOTALL | re.MULTILINE))
    samples = {
        kind: json.loads(chapter.partition("```json\n")[2].partition("```")[0]) for kind, chapter in chapters.items()
    }
    assert sorted(samples) == sorted(events)
    assert [kind for kind, sample in samples.items() if sample["type"] != kind or not sample["data"]["object"]] == []
    links = dict(re.findall(r"^\| \[`([^`]+)`\]\(events\.md#([\w-]+)\)", page("webhooks.md"), re.MULTILINE))
    assert links == {kind: kind.replace(".", "") for kind in events}, "an anchor is the heading without its dots"


def test_every_route_is_documented() -> None:
    shown = [canonical(line) for line in re.findall(r"`(?:[A-Z]+ )?(/[^`\s]*)`", page("routes.md"))]
    found: dict[str, Path] = {}
    for path in python_in("hosted_checkout", "donation_widget"):
        found |= {canonical(route): path for route in routes_of(tree(path))}
    assert found, "no routes were found, so the search looks in the wrong place"
    missing = {route: str(path) for route, path in found.items() if not any(line.endswith(route) for line in shown)}
    assert missing == {}


def test_a_name_outside_code_form_is_not_documented() -> None:
    assert undocumented(["not_found"], "| not_found | no such object |") == ["not_found"]
    assert undocumented(["not_found"], "| `not_found` | no such object |") == []


@pytest.mark.parametrize(
    ("source", "paths"),
    [
        ("@pages.get('/c/<token>')\ndef show(): ...", ["/c/<token>"]),
        ("app.add_url_rule('/health', view_func=f)", ["/health"]),
        ("settings.get('name')", []),
    ],
)
def test_a_route_is_found(source: str, paths: list[str]) -> None:
    assert list(routes_of(ast.parse(source))) == paths


def test_placeholders_of_flask_and_openapi_are_alike() -> None:
    assert canonical("/v1/payments/<string:id>") == canonical("/v1/payments/{id}") == canonical("/v1/payments/<id>")
