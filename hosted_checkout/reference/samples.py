"""Samples: a value for every schema, and each operation as curl and in Python."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

Schema = Mapping[str, Any]
_ID_BODY: Final = "01m7wd7tg0e00b88cadg50bd0m"
_MAX_DEPTH: Final = 20  # objects that name themselves end here
_WIDTH: Final = 76
_SIMPLE: Final[Mapping[str, Any]] = {"integer": 1, "number": 1, "boolean": False, "null": None, "object": {}}

# Bodies of which the required fields alone would be no example: what is needed depends on other fields.
_BODIES: Final[Mapping[str, Mapping[str, Any]]] = {
    "create_checkout_session": {
        "amount": "12.30",
        "currency": "USD",
        "reference": "order-1001",
        "success_url": "https://shop.example/thanks",
    },
    "create_order_payment": {
        "reference": "order-1001",
        "amount": "12.30",
        "currency": "USD",
        "return_url": "https://shop.example/thanks",
    },
    "create_refund": {"payment": f"pay_{_ID_BODY}", "amount": "5.00"},
    "create_customer": {"email": "ada@example.com"},
    "update_customer": {"name": "Ada Lovelace"},
    "create_webhook_endpoint": {"url": "https://shop.example/webhooks", "enabled_events": ["payment.succeeded"]},
    "update_webhook_endpoint": {"status": "disabled"},
    "capture_payment": {"amount": "10.00"},
    "create_api_key": {"description": "Warehouse"},
    "roll_api_key": {"grace_s": 86400},
    "rotate_webhook_secret": {"grace_s": 86400},
}
# Where the SDK has an operation; what is not here goes through `client.request`.
SDK: Final[Mapping[str, str]] = {
    "create_checkout_session": "checkout.sessions.create",
    "list_checkout_sessions": "checkout.sessions.list",
    "retrieve_checkout_session": "checkout.sessions.retrieve",
    "expire_checkout_session": "checkout.sessions.expire",
    **{f"{verb}_payment": f"payments.{verb}" for verb in ("retrieve", "capture", "cancel")},
    "list_payments": "payments.list",
    **{f"{verb}_refund": f"refunds.{verb}" for verb in ("create", "retrieve", "cancel")},
    "list_refunds": "refunds.list",
    "build_refund_transfer": "refunds.transfer",
    "submit_refund_transfer": "refunds.submit",
    "list_disputes": "disputes.list",
    "retrieve_dispute": "disputes.retrieve",
    "list_payouts": "payouts.list",
    "retrieve_payout": "payouts.retrieve",
    "retrieve_settlement": "payouts.settlement",
    **{f"{verb}_customer": f"customers.{verb}" for verb in ("create", "retrieve", "update", "delete")},
    "list_customers": "customers.list",
    "create_portal_session": "customers.create_portal_session",
    **{f"{verb}_plan": f"plans.{verb}" for verb in ("create", "retrieve", "archive")},
    "list_plans": "plans.list",
    **{f"{verb}_subscription": f"subscriptions.{verb}" for verb in ("retrieve", "pause", "resume", "cancel")},
    "list_subscriptions": "subscriptions.list",
    **{f"{verb}_charity": f"charities.{verb}" for verb in ("create", "retrieve", "update", "archive")},
    "list_charities": "charities.list",
    "retrieve_charity_statement": "charities.statement",
    **{
        f"{verb}_donation_campaign": f"donations.campaigns.{verb}" for verb in ("create", "retrieve", "update", "close")
    },
    "list_donation_campaigns": "donations.campaigns.list",
    "retrieve_campaign_report": "donations.campaigns.report",
    **{f"{verb}_donation_config": f"donation_configs.{verb}" for verb in ("create", "retrieve", "archive")},
    "list_donation_configs": "donation_configs.list",
    "retrieve_active_donation_config": "donation_configs.active",
    "list_donations": "donations.list",
    "retrieve_donation": "donations.retrieve",
    "retrieve_donation_receipt": "donations.receipt",
    "resend_donation_receipt": "donations.resend_receipt",
    "ask_donation_statement": "donations.statement",
    "erase_donor": "donations.erase",
    **{f"{verb}_donation_comment": f"donations.comments.{verb}" for verb in ("retrieve", "moderate")},
    "list_donation_comments": "donations.comments.list",
    **{f"{verb}_donation_payout": f"donations.payouts.{verb}" for verb in ("record", "retrieve", "cancel")},
    "list_donation_payouts": "donations.payouts.list",
    "list_events": "events.list",
    "retrieve_event": "events.retrieve",
    **{f"{verb}_webhook_endpoint": f"webhook_endpoints.{verb}" for verb in ("create", "retrieve", "update", "delete")},
    "list_webhook_endpoints": "webhook_endpoints.list",
    "rotate_webhook_secret": "webhook_endpoints.rotate_secret",
    "send_test_event": "webhook_endpoints.test",
    "resend_event": "webhook_endpoints.resend",
    "list_deliveries": "webhook_endpoints.deliveries.list",
    "list_balances": "balances.list",
    "list_ledger_entries": "ledger_entries.list",
    "retrieve_rate": "rates.retrieve",
    "create_quote": "quotes.create",
    "list_methods": "methods.list",
    "list_chain_transfers": "chain_transfers.list",
    "match_chain_transfer": "chain_transfers.match",
    "retrieve_account": "account.retrieve",
    **{f"{verb}_api_key": f"api_keys.{verb}" for verb in ("create", "retrieve", "roll", "revoke")},
    "list_api_keys": "api_keys.list",
    "retrieve_test_clock": "test_clock.retrieve",
    "advance_test_clock": "test_clock.advance",
}
_POSITIONAL: Final[Mapping[str, str]] = {"submit_refund_transfer": "payload", "advance_test_clock": "seconds"}


class Sampler:
    """Makes samples of the schemas of one document."""

    def __init__(self, schemas: Mapping[str, Schema]) -> None:
        self._schemas = schemas

    def value(self, schema: Schema, *, name: str = "", is_request: bool = False, depth: int = 0) -> Any:
        """Return a value that fits a schema: of a request what is required, of an answer everything."""
        if "$ref" in schema:
            return self.value(self.named(schema), name=name, is_request=is_request, depth=depth + 1)
        if "allOf" in schema:
            whole: dict[str, Any] = {}
            for part in schema["allOf"]:
                whole |= self.value(part, name=name, is_request=is_request, depth=depth)
            return whole
        for word in ("examples", "enum", "const", "default"):
            if word in schema:
                found = schema[word]
                return found[0] if word in {"examples", "enum"} else found
        if "anyOf" in schema:
            return self.value(_chosen(schema["anyOf"], depth), name=name, is_request=is_request, depth=depth + 1)
        return self._plain(schema, name=name, is_request=is_request, depth=depth)

    def named(self, schema: Schema) -> Schema:
        """Return what a reference leads to."""
        return self._schemas[schema["$ref"].rpartition("/")[2]]

    def _plain(self, schema: Schema, *, name: str, is_request: bool, depth: int) -> Any:
        if "properties" in schema:
            return self._object(schema, is_request=is_request, depth=depth)
        if schema.get("type") == "array":
            is_deep = depth > _MAX_DEPTH
            return [] if is_deep else [self.value(schema["items"], is_request=is_request, depth=depth + 1)]
        if schema.get("type") in _SIMPLE:
            return schema.get("minimum", _SIMPLE[schema["type"]])
        return _text(schema, name)

    def _object(self, schema: Schema, *, is_request: bool, depth: int) -> dict[str, Any]:
        wanted = schema.get("required", ()) if is_request else schema["properties"]
        if depth > _MAX_DEPTH:
            return {}
        return {
            key: self.value(schema["properties"][key], name=key, is_request=is_request, depth=depth + 1)
            for key in wanted
        }


def _chosen(options: Sequence[Schema], depth: int) -> Schema:
    """Prefer what is there to null, until it gets deep."""
    nothing = [one for one in options if one.get("type") == "null"]
    return nothing[0] if nothing and depth > _MAX_DEPTH else next(one for one in options if one not in nothing)


def _text(schema: Schema, name: str) -> str:
    pattern = str(schema.get("pattern", ""))
    if pattern.startswith("^whsec_"):
        return "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    if pattern.startswith("^sk_"):
        return "sk_test_" + "x" * 49
    if pattern.startswith("^") and "_[0-7]" in pattern:
        return f"{pattern[1:].partition('_')[0]}_{_ID_BODY}"
    return {"url": "https://pay.example/", "payload": "AQAB", "country": "DE"}.get(name, "text")


def body_of(operation_id: str, schema: Schema, sampler: Sampler) -> dict[str, Any]:
    """Return a body to send: a chosen one, or what is required."""
    chosen = _BODIES.get(operation_id)
    found: dict[str, Any] = dict(chosen) if chosen is not None else sampler.value(schema, is_request=True)
    return found


def pretty(value: object) -> str:
    """Write JSON for reading."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def curl(method: str, url: str, body: Mapping[str, Any] | None) -> str:
    """Return a call as a shell command; POST carries an idempotency key."""
    lines = [f'curl -X {method} "{url}"' if method != "GET" else f'curl "{url}"']
    lines.append('-H "Authorization: Bearer $STREAMPAY_API_KEY"')
    if method == "POST":
        lines.append('-H "Idempotency-Key: $(uuidgen)"')
    if body is not None:
        lines += ['-H "Content-Type: application/json"', f"-d '{pretty(body)}'"]
    return " \\\n  ".join(lines)


def python(
    operation_id: str,
    *,
    method: str,
    path: str,
    object_id: str | None,
    query: Mapping[str, Any],
    body: Mapping[str, Any] | None,
) -> str:
    """Return a call as the SDK makes it."""
    where = SDK.get(operation_id)
    if where is None:
        more = [f'"{method}"', f'"{path}"']
        more += [f"params={_literal(query)}"] if query else []
        more += [f"json={_literal(body)}"] if body else []
        return f"{_called('client.request', more)}.json"
    given = {**query, **(body or {})}
    arguments = [] if object_id is None else [_literal(object_id)]
    if operation_id in _POSITIONAL:
        arguments.append(_literal(given.pop(_POSITIONAL[operation_id])))
    arguments += [f"{name}={_literal(value)}" for name, value in given.items()]
    result = "page" if operation_id.startswith("list_") else operation_id.partition("_")[2].rpartition("_")[2]
    return f"{result} = {_called(f'client.{where}', arguments)}"


def _literal(value: object) -> str:
    """Write a value as formatted Python does, with double quotes."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_literal(key)}: {_literal(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_literal, value)) + "]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _called(name: str, arguments: Sequence[str]) -> str:
    line = f"{name}({', '.join(arguments)})"
    if len(line) <= _WIDTH:
        return line
    return f"{name}(\n" + "".join(f"    {one},\n" for one in arguments) + ")"
