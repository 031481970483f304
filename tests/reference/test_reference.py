"""The API reference: whole, without loose ends, and every sample does what it says."""

import ast
import inspect
import json
import re
from html.parser import HTMLParser
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # comes without types

import hosted_checkout
from gateway.domain.events import EventType
from gateway.kernel.errors import ErrorCode
from hosted_checkout.api.blueprint import ROUTES
from hosted_checkout.api.meanings import MEANINGS
from hosted_checkout.api.openapi import document
from hosted_checkout.assets import assets_blueprint
from hosted_checkout.reference import reference_blueprint
from hosted_checkout.reference.content import Operation, Reference, reference_of
from hosted_checkout.reference.samples import SDK, Sampler, body_of
from streampay import StreamPay

DOCUMENT = document(ROUTES, base_url="https://pay.example")
LEGACY = {"create_order_payment", "retrieve_order_payment", "expire_order_payment"}


@pytest.fixture(scope="module")
def reference() -> Reference:
    return reference_of(DOCUMENT)


def served(path: str) -> str:
    """Return a page as it is served."""
    app = Flask("hosted_checkout", root_path=str(Path(hosted_checkout.__file__).parent), static_folder=None)
    app.register_blueprint(assets_blueprint())
    app.register_blueprint(reference_blueprint(DOCUMENT, MEANINGS))
    answer = app.test_client().get(path)
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    return answer.text


@pytest.fixture(scope="module")
def page() -> str:
    return served("/docs")


class _Tags(HTMLParser):
    """Collects every start tag with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def operations(reference: Reference) -> list[Operation]:
    """Return all of them."""
    return [one for group in reference.groups for one in group.operations]


def validator(schema: dict[str, Any]) -> Any:
    """Return what holds a sample to a schema of the document."""
    return Draft202012Validator({**schema, "components": DOCUMENT["components"]})


def test_every_route_event_and_object_is_on_the_page(reference: Reference) -> None:
    assert {(one.method, one.path) for one in operations(reference)} == {(one.method, one.path) for one in ROUTES}
    assert {one.type for one in reference.events} == {kind.value for kind in EventType}
    shown = {shape.title for shape in reference.shapes}
    assert {"Account", "ApiKey", "CheckoutSession", "Payment", "Refund", "Subscription", "Problem"} <= shown
    assert not {name for name in shown if name.startswith(("New", "ListOf", "Event"))}
    assert all(one.about and one.object in shown for one in reference.events)


def test_every_link_leads_somewhere_and_every_name_is_there_once(page: str) -> None:
    tags = _Tags(page).tags
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(set(ids)) == len(ids)
    links = {str(attributes["href"]) for tag, attributes in tags if tag == "a"}
    assert {link for link in links if link.startswith("#")} <= {f"#{name}" for name in ids}
    codes = {code.value for code in ErrorCode}
    others = {link for link in links if not link.startswith("#")} - {"/openapi.json", "/docs/errors"}
    assert {link.partition("/docs/errors#")[2] for link in others} <= codes


def test_every_field_of_a_request_has_a_sentence(reference: Reference) -> None:
    taken = [(one.id, field.name, field.about) for one in operations(reference) for field in one.body]
    assert [(operation, name) for operation, name, about in taken if not about] == []
    assert taken


def test_the_page_behind_every_problem_explains_each_code_in_the_look_of_the_reference(page: str) -> None:
    tags, others = _Tags(served("/docs/errors")).tags, _Tags(page).tags
    assert [one["id"] for tag, one in tags if tag == "article"] == [code.value for code in MEANINGS]
    styles = [[one["href"] for tag, one in each if tag == "link"] for each in (tags, others)]
    assert styles[0] == styles[1] != []
    assert "<code>detail</code> says how much" in served("/docs/errors")


def test_nothing_comes_from_elsewhere_and_nothing_stands_in_line(page: str) -> None:
    tags = _Tags(page).tags
    loaded = [attributes.get("src") or attributes.get("href") for tag, attributes in tags if tag in {"script", "link"}]
    assert all(str(address).startswith("/assets/") for address in loaded)
    assert not [name for _, attributes in tags for name in attributes if name == "style" or name.startswith("on")]
    assert not {"style", "img", "iframe", "form"} & {tag for tag, _ in tags}
    assert re.findall(r"<script[^>]*>\s*\S", page) == re.findall(r"<script[^>]*>\s*<", page)


def test_every_body_that_is_shown_would_be_taken(reference: Reference) -> None:
    sampler = Sampler(DOCUMENT["components"]["schemas"])
    for path, methods in DOCUMENT["paths"].items():
        for method, about in methods.items():
            if "requestBody" in about:
                schema = about["requestBody"]["content"]["application/json"]["schema"]
                body = body_of(about["operationId"], schema, sampler)
                assert [error.message for error in validator(schema).iter_errors(body)] == [], (method, path)
    assert all(one.body or "-d '" not in one.curl for one in operations(reference))


def test_every_answer_and_event_that_is_shown_has_its_schema(reference: Reference) -> None:
    wrong = []
    for one in operations(reference):
        replies = DOCUMENT["paths"][one.path][one.method.lower()]["responses"]
        schema = next(iter(replies.values()))["content"]["application/json"]["schema"]
        wrong += [f"{one.id}: {error.message}" for error in validator(schema).iter_errors(json.loads(one.answer or ""))]
    for kind in reference.events:
        post = DOCUMENT["webhooks"][kind.type]["post"]
        schema = post["requestBody"]["content"]["application/json"]["schema"]
        wrong += [f"{kind.type}: {error.message}" for error in validator(schema).iter_errors(json.loads(kind.sample))]
    assert wrong == []


def test_every_python_sample_is_a_call_that_the_sdk_takes(reference: Reference) -> None:
    client = StreamPay("sk_test_" + "x" * 20, base_url="https://pay.example")
    assert {one.id for one in operations(reference)} - set(SDK) == LEGACY
    for one in operations(reference):
        call = next(node for node in ast.walk(ast.parse(one.python)) if isinstance(node, ast.Call))
        method = attrgetter(ast.unparse(call.func).removeprefix("client."))(client)
        given = {str(each.arg): ast.literal_eval(each.value) for each in call.keywords}
        inspect.signature(method).bind(*map(ast.literal_eval, call.args), **given)


def test_a_text_of_ours_cannot_become_markup() -> None:
    hostile = json.loads(json.dumps(DOCUMENT).replace("Read a payment", "<b>`<i>`</b>"))
    (found,) = [one for one in operations(reference_of(hostile)) if one.id == "retrieve_payment"]
    assert found.title == "&lt;b&gt;<code>&lt;i&gt;</code>&lt;/b&gt;"
