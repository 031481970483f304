"""The OpenAPI 3.1 document, written from the routes and models that serve the API.

JSON Schema 2020-12 is what pydantic writes and what OpenAPI 3.1 takes, so nothing is translated.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from gateway import __version__
from gateway.domain.events import API_VERSION, EventType
from gateway.kernel.errors import ErrorCode
from hosted_checkout.api.answers import EVENT_OBJECTS, Event, Problem
from hosted_checkout.api.fields import currency_schema, id_schema
from hosted_checkout.api.layer import KEY_PATTERN, Empty, Route, Strict
from hosted_checkout.api.problems import MEDIA_TYPE, TITLES

_REF: Final = "#/components/schemas/{model}"
_PREFIX_WORDS: Final = {
    "cs": "checkout session",
    "pay": "payment",
    "evt": "event",
    "we": "webhook endpoint",
    "xfer": "chain transfer",
    "re": "refund",
    "dsp": "dispute",
    "cus": "customer",
    "plan": "plan",
    "sub": "subscription",
    "po": "payout",
    "key": "API key",
    "cha": "charity",
    "cmp": "campaign",
    "dcf": "donation config",
    "don": "donation",
    "dpo": "donation payout",
}
_EVENT_WORDS: Final = {
    EventType.SESSION_CREATED: "A session was opened.",
    EventType.SESSION_COMPLETED: "A session is paid in full, or its trial has begun.",
    EventType.SESSION_EXPIRED: "A session's time is over, or it was called off.",
    EventType.PAYMENT_REQUIRES_ACTION: "The shopper must do something at the bank: 3-D Secure, a voucher.",
    EventType.PAYMENT_PROCESSING: "The money is on its way, and not final yet.",
    EventType.PAYMENT_AUTHORIZED: "A card hold stands: capture it in time, or cancel the payment.",
    EventType.PAYMENT_CAPTURED: "Held money was taken, in whole or in part.",
    EventType.PAYMENT_FAILED: "A delayed method failed in the end; the session is open again.",
    EventType.PAYMENT_SUCCEEDED: "All the money is here and final: ship.",
    EventType.PAYMENT_PARTIALLY_PAID: "Less came than is due.",
    EventType.PAYMENT_OVERPAID: "More came than is due.",
    EventType.PAYMENT_LATE: "Money came after the deadline.",
    EventType.PAYMENT_REVERSED: "A settled payment was taken back: stop what you can.",
    EventType.PAYMENT_CANCELED: "The payment was given up before anything was paid.",
    EventType.PAYMENT_REFUNDED: "Money went back, in part or in full.",
    EventType.PAYMENT_AMOUNT_MISMATCH: "The provider charged another sum than was asked: look before you ship.",
    EventType.PAYMENT_FRAUD_WARNING: "The card's network warns of a likely fraud.",
    EventType.REFUND_CREATED: "A refund was asked for, here or at the provider.",
    EventType.REFUND_SUCCEEDED: "A refund is done, as far as the provider knows today.",
    EventType.REFUND_FAILED: "A refund failed, perhaps weeks after it succeeded: the money is back with you.",
    EventType.REFUND_CANCELED: "A refund was called off.",
    EventType.DISPUTE_OPENED: "A customer's bank asks about a charge, or contests it.",
    EventType.DISPUTE_UPDATED: "A dispute moved on.",
    EventType.DISPUTE_FUNDS_WITHDRAWN: "The provider took the contested sum.",
    EventType.DISPUTE_FUNDS_REINSTATED: "The provider gave the contested sum back.",
    EventType.DISPUTE_CLOSED: "A dispute is won or lost, or an inquiry came to nothing.",
    EventType.PAYOUT_SETTLED: "A payout of the provider is booked with every line of it.",
    EventType.SUBSCRIPTION_CREATED: "A subscription began, perhaps with a trial.",
    EventType.SUBSCRIPTION_RENEWED: "A further period is paid: serve until `access_until`.",
    EventType.SUBSCRIPTION_PAST_DUE: "A renewal failed; the provider tries again.",
    EventType.SUBSCRIPTION_PAUSED: "A subscription is not billed until it is resumed.",
    EventType.SUBSCRIPTION_RESUMED: "A subscription is billed again.",
    EventType.SUBSCRIPTION_CANCELED: "A subscription ended.",
    EventType.SUBSCRIPTION_UPDATED: "The end of a subscription was set or lifted: `cancels_at`.",
    EventType.SUBSCRIPTION_TRIAL_WILL_END: "The first charge comes within three days.",
    EventType.DONATION_RECEIVED: "A gift is here and final; it is owed to its charity.",
    EventType.DONATION_REFUNDED: "A gift went back, in part or in full, by a refund or a lost dispute.",
    EventType.DONATION_PAYOUT_RECORDED: "Money that was sent to a charity was written down.",
    EventType.DONATION_PAYOUT_CANCELED: "A payout to a charity was canceled: what it was owed, it is owed again.",
    EventType.TRANSFER_UNMATCHED: "Money came that nobody could be credited with.",
    EventType.ENDPOINT_DISABLED: "Another endpoint failed for days and was switched off.",
    EventType.PING: "You asked for a test.",
}
_DESCRIPTION: Final = """\
Collect money through a hosted checkout page, follow payments, and receive signed webhooks.

**Keys.** `Authorization: Bearer sk_test_…` or `sk_live_…`. The key chooses the account and the mode; objects of
another account or mode are not found.

**Money** is a string in major units with its currency beside it: `"12.30"`, `"USD"`. Never a number.

**Doing something once.** Send an `Idempotency-Key` with every POST; repeat a request that got no answer with the same
key, and it happens once. See docs/idempotency.md.

**Errors** are problem documents (RFC 9457) with a stable `code`; `/docs/errors` explains each.

**Lists** are newest first. Go on with `starting_after`, the id of the last object you have.
"""
_HEADERS: Final = {
    "Request-Id": {"description": "Names this request in our log.", "schema": id_schema("req")},
    "StreamPay-Version": {"description": "The version that answered.", "schema": {"type": "string"}},
    "RateLimit-Policy": {"description": "Quota and window of the bucket.", "schema": {"type": "string"}},
    "RateLimit": {"description": "What is left of the quota.", "schema": {"type": "string"}},
}
_REPLAYED: Final = {
    "description": "`true` when the key was known and this is the first answer again.",
    "schema": {"type": "string", "const": "true"},
}
_COMMON_ERRORS: Final = (400, 401, 429, 500, 503)
_PRICED: Final = (
    "NewCampaign",
    "NewCheckoutSession",
    "NewDonationConfig",
    "NewDonationPayout",
    "NewOrder",
    "NewPlan",
    "NewQuote",
    "NewRefund",
)
_OWN_STATUSES: Final = {
    ErrorCode.PROVIDER_DECLINED: 402,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.TEST_CLOCK_OFF: 404,
    ErrorCode.API_KEY_NOT_ACTIVE: 403,
}


def document(routes: Sequence[Route], *, base_url: str) -> dict[str, Any]:
    """Return the whole document."""
    schemas = _Schemas(_models(routes))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "StreamPay",
            "version": API_VERSION,
            "summary": f"Payment gateway, server {__version__}",
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": base_url}],
        "security": [{"secret_key": []}],
        "tags": [{"name": tag} for tag in dict.fromkeys(route.tag for route in routes)],
        "paths": _paths(routes, schemas),
        "webhooks": {kind.value: _webhook(kind, schemas) for kind in EVENT_OBJECTS},
        "components": {
            "schemas": schemas.definitions,
            "securitySchemes": {
                "secret_key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A secret key of the account: `sk_test_…` or `sk_live_…`.",
                }
            },
            "headers": _HEADERS,
            "parameters": _PARAMETERS,
            "responses": {_problem_name(status): _problem(title) for status, title in TITLES.items()},
        },
    }


_PARAMETERS: Final = {
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "Your name for this intent. The same key and body get the same answer, for seven days.",
        "schema": {"type": "string", "pattern": f"^({KEY_PATTERN})$", "examples": ["order-1001-try-1"]},
    },
    "Version": {
        "name": "StreamPay-Version",
        "in": "header",
        "description": "The version that you were written for.",
        "schema": {"type": "string", "enum": [API_VERSION]},
    },
}


class _Schemas:
    """The models' schemas, and references to them."""

    def __init__(self, models: Sequence[type[BaseModel]]) -> None:
        pairs: list[tuple[type[BaseModel], JsonSchemaMode]] = [
            (model, "validation" if issubclass(model, Strict) else "serialization") for model in models
        ]
        refs, found = models_json_schema(pairs, ref_template=_REF)
        self.definitions: dict[str, Any] = found["$defs"]
        self._refs = {model: ref for (model, _mode), ref in refs.items()}
        _name_currencies(self.definitions)

    def ref(self, model: type[BaseModel]) -> dict[str, Any]:
        """Return a reference to a model."""
        return dict(self._refs[model])

    def resolve(self, model: type[BaseModel]) -> dict[str, Any]:
        """Return the schema itself."""
        found: dict[str, Any] = self.definitions[self._refs[model]["$ref"].rpartition("/")[2]]
        return found


def _name_currencies(definitions: dict[str, Any]) -> None:
    """Let the document list the currencies that this installation knows, tokens of the operator included."""
    for name in _PRICED:
        about = definitions[name]["properties"]["currency"]
        about.get("anyOf", [about])[0].update(currency_schema())  # of an optional one, what it is when it is not null


def _models(routes: Sequence[Route]) -> list[type[BaseModel]]:
    models: dict[type[BaseModel], None] = {Problem: None}
    for route in routes:
        models |= dict.fromkeys(route.answers.values())
        models |= {route.query: None}
        if route.body is not None:
            models |= {route.body: None}
    models |= {_event_model(kind): None for kind in EVENT_OBJECTS}
    return list(models)


def _event_model(kind: EventType) -> type[BaseModel]:
    model = Event.__class_getitem__(EVENT_OBJECTS[kind])
    assert isinstance(model, type), "pydantic made the class, because its parameter is one"
    return model


def _paths(routes: Sequence[Route], schemas: _Schemas) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    return paths


def _operation(route: Route, schemas: _Schemas) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name,
        "tags": [route.tag],
        "summary": route.summary,
        "description": _description(route),
        "parameters": list(_parameters(route, schemas)),
        "responses": _responses(route, schemas),
    }
    if route.body is not None:
        operation["requestBody"] = {
            "required": bool(schemas.resolve(route.body).get("required")),
            "content": {"application/json": {"schema": schemas.ref(route.body)}},
        }
    return operation


def _description(route: Route) -> str:
    codes = ", ".join(f"`{code.value}`" for code in dict.fromkeys(route.errors))
    return f"{route.description or route.summary + '.'}" + (f"\n\nIts own errors: {codes}." if codes else "")


def _parameters(route: Route, schemas: _Schemas) -> Iterator[dict[str, Any]]:
    if route.prefix is not None:
        yield {
            "name": "id",
            "in": "path",
            "required": True,
            "description": f"The id of a {_PREFIX_WORDS[route.prefix]}.",
            "schema": id_schema(route.prefix),
        }
    if route.query is not Empty:
        yield from _query_parameters(route.query, schemas.resolve(route.query))
    if route.method == "POST":
        yield {"$ref": "#/components/parameters/IdempotencyKey"}
    yield {"$ref": "#/components/parameters/Version"}


def _query_parameters(query: type[Strict], schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    prefix = getattr(query, "cursor_prefix", "")
    for name, about in schema["properties"].items():
        shown = _without_null(about)
        if name in {"starting_after", "ending_before"}:
            shown |= id_schema(prefix)
        if name in {"currency", "base", "quote"}:
            shown |= currency_schema()
        yield {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", ()),
            "description": shown.pop("description", f"Only those with this {name}."),
            "schema": shown,
        }


def _without_null(about: dict[str, Any]) -> dict[str, Any]:
    """Return a parameter's schema: in a query, what is left out is not null."""
    shown = {key: value for key, value in about.items() if key not in {"anyOf", "default", "title"}}
    for each in about.get("anyOf", ()):
        if each.get("type") != "null":
            shown |= each
    if about.get("default") is not None:
        shown["default"] = about["default"]
    return shown


def _responses(route: Route, schemas: _Schemas) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, model in route.answers.items():
        headers = {name: {"$ref": f"#/components/headers/{name}"} for name in _HEADERS}
        responses[str(status)] = {
            "description": _first_sentence(model),
            "headers": headers | ({"Idempotent-Replayed": _REPLAYED} if route.method == "POST" else {}),
            "content": {"application/json": {"schema": schemas.ref(model)}},
        }
    for status in _error_statuses(route):
        responses[str(status)] = {"$ref": f"#/components/responses/{_problem_name(status)}"}
    return responses


def _error_statuses(route: Route) -> list[int]:
    statuses = {*_COMMON_ERRORS, *(_OWN_STATUSES[code] for code in route.errors if code in _OWN_STATUSES)}
    if route.prefix is not None:
        statuses.add(404)
    if route.method == "POST":
        statuses |= {409, 422}
    if route.body is not None:
        statuses |= {413, 415}
    return sorted(statuses)


def _first_sentence(model: type[BaseModel]) -> str:
    return re.split(r"(?<=\.)\s", (model.__doc__ or "A page of a list.").strip(), maxsplit=1)[0]


def _problem_name(status: int) -> str:
    return f"Problem{status}"


def _problem(title: str) -> dict[str, Any]:
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in _HEADERS}
    schema = {"$ref": _REF.format(model="Problem")}
    return {"description": f"{title}.", "headers": headers, "content": {MEDIA_TYPE: {"schema": schema}}}


def _webhook(kind: EventType, schemas: _Schemas) -> dict[str, Any]:
    schema = {"allOf": [schemas.ref(_event_model(kind)), {"properties": {"type": {"const": kind.value}}}]}
    return {
        "post": {
            "operationId": f"on_{kind.value.replace('.', '_')}",
            "summary": _EVENT_WORDS[kind],
            "description": "Verify the Standard Webhooks signature over the raw body; answer 2xx within 20 seconds.",
            "security": [],
            "parameters": [
                {"name": name, "in": "header", "required": True, "schema": {"type": "string"}}
                for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
            ],
            "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
            "responses": {"2XX": {"description": "Received; anything else is sent again."}},
        }
    }
