"""The OpenAPI document: valid, complete, written for people, and as long as the routes."""

import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # comes without types
from openapi_spec_validator import OpenAPIV31SpecValidator

from gateway.domain.events import EventType
from gateway.kernel.currencies import all_currencies
from gateway.kernel.errors import ErrorCode
from hosted_checkout.api.blueprint import ROUTES
from hosted_checkout.api.meanings import MEANINGS
from tests.api.conftest import Door, an_order
from tests.house.sources import page


@pytest.fixture
def document(door: Door) -> dict[str, Any]:
    found: dict[str, Any] = door.client.get("/openapi.json").json
    return found


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the operations by `METHOD path`."""
    return {
        f"{method.upper()} {path}": about
        for path, methods in document["paths"].items()
        for method, about in methods.items()
    }


def test_the_document_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_every_route_is_in_it_under_a_name_of_its_own(document: dict[str, Any]) -> None:
    found = operations(document)
    assert set(found) == {route.scope for route in ROUTES}
    names = [about["operationId"] for about in found.values()]
    assert len(set(names)) == len(names)


def test_every_operation_says_what_it_does_and_how_it_fails(document: dict[str, Any]) -> None:
    for name, about in operations(document).items():
        assert about["summary"], name
        assert len(about["tags"]) == 1, name
        assert {"400", "401", "429", "500"} <= set(about["responses"]), name


def test_every_event_has_its_own_schema(document: dict[str, Any]) -> None:
    assert set(document["webhooks"]) == {kind.value for kind in EventType}
    body = document["webhooks"]["payment.succeeded"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["allOf"][1]["properties"]["type"]["const"] == "payment.succeeded"
    assert body["allOf"][0]["$ref"].rpartition("/")[2] in document["components"]["schemas"]


def test_an_event_fits_the_schema_of_its_webhook_and_no_other(door: Door, document: dict[str, Any]) -> None:
    door.post("/v1/checkout/sessions", an_order())
    event = door.get("/v1/events").json["data"][0]

    def fits(kind: str) -> bool:
        schema = document["webhooks"][kind]["post"]["requestBody"]["content"]["application/json"]["schema"]
        validator = Draft202012Validator({**schema, "components": document["components"]})
        return bool(validator.is_valid(event))

    assert fits("checkout.session.created")
    assert not fits("checkout.session.expired")
    assert not fits("payment.succeeded")


def test_every_schema_is_json_schema(document: dict[str, Any]) -> None:
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_currencies_and_codes_are_listed(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    shown = schemas["NewCheckoutSession"]["properties"]["currency"]["enum"]
    assert shown == [row.code for row in all_currencies()]
    assert set(schemas["ErrorCode"]["enum"]) == {code.value for code in ErrorCode}


def test_every_field_of_a_body_has_an_example_or_a_plain_type(document: dict[str, Any]) -> None:
    properties = document["components"]["schemas"]["NewCheckoutSession"]["properties"]
    assert properties["amount"]["examples"] == ["12.30"]
    assert properties["success_url"]["examples"]
    assert "number" not in str(properties["amount"]["type"])


def test_the_papers_name_every_route_with_its_method() -> None:
    text = page("routes.md")
    assert [route.scope for route in ROUTES if f"`{route.scope}`" not in text] == []


def test_the_papers_and_the_served_page_explain_every_code_in_the_same_words() -> None:
    text = page("errors.md")
    sections = re.split(r"^### `([a-z_]+)`$", text, flags=re.MULTILINE)[1:]
    written = {
        code: " ".join(body.partition("\n## ")[0].split())
        for code, body in zip(sections[::2], sections[1::2], strict=True)
    }
    assert written == {code.value: meaning for code, meaning in MEANINGS.items()}
    assert set(MEANINGS) == set(ErrorCode)


def test_a_problem_links_to_its_own_explanation(door: Door) -> None:
    problem = door.get("/v1/nothing").json
    assert problem["doc_url"] == problem["type"] == "http://gateway.test/docs/errors#not_found"
