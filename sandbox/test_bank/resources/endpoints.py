"""Webhook endpoints: where events go, which ones, and the secret that signs them."""

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from sandbox.test_bank import ids, paging
from sandbox.test_bank.errors import ApiError
from sandbox.test_bank.resources.events import matches
from sandbox.test_bank.store import Wire
from sandbox.test_bank.vault import Call, Handler, Vault, merged_metadata

MAX_ENDPOINTS: Final = 16
"""Stripe's limit for an account in test mode."""


def make(vault: Vault, *, url: str, secret: str | None = None, events: Sequence[str] = ("*",)) -> Wire:
    """Make an endpoint; without a secret of the caller's own it gets one.

    Raises:
        ApiError: the address is none, an event is unknown, or there are too many endpoints.
    """
    _check(vault, url, events)
    if vault.store.size("webhook_endpoint") >= MAX_ENDPOINTS:
        raise ApiError(
            f"You have reached the maximum of {MAX_ENDPOINTS} test webhook endpoints.", code="resource_limit"
        )
    endpoint = vault.new(
        "webhook_endpoint",
        enabled_events=list(events),
        status="enabled",
        url=url,
        api_version=vault.spec.version,
    )
    vault.notes(endpoint["id"])["secret"] = secret or "whsec_" + ids.token(
        vault.seed, f"secret/{endpoint['id']}", length=32
    )
    return endpoint


def secret_of(vault: Vault, endpoint_id: str) -> str:
    """Return the secret that signs what an endpoint is sent."""
    return str(vault.notes(endpoint_id)["secret"])


def create(vault: Vault, call: Call) -> Wire:
    """Make an endpoint; this answer alone shows its secret."""
    version = call.params.get("api_version", vault.spec.version)
    if version != vault.spec.version:
        raise ApiError(f"StreamPay Test Bank speaks {vault.spec.version} alone.", param="api_version")
    metadata = merged_metadata({}, call.params.get("metadata", {}))
    endpoint = make(vault, url=call.params["url"], events=call.params["enabled_events"])
    endpoint |= {"metadata": metadata, "description": call.params.get("description") or None}
    return endpoint | {"secret": secret_of(vault, endpoint["id"])}


def retrieve(vault: Vault, call: Call) -> Wire:
    """Return an endpoint."""
    return vault.get("webhook_endpoint", call.identifier)


def update(vault: Vault, call: Call) -> Wire:
    """Change an endpoint."""
    endpoint = vault.get("webhook_endpoint", call.identifier)
    params = call.params
    url, events = params.get("url", endpoint["url"]), params.get("enabled_events", endpoint["enabled_events"])
    _check(vault, url, events)
    endpoint |= {"url": url, "enabled_events": list(events)}
    endpoint["metadata"] = merged_metadata(endpoint["metadata"], params.get("metadata", {}))
    if "description" in params:
        endpoint["description"] = params["description"] or None
    if "disabled" in params:
        endpoint["status"] = "disabled" if params["disabled"] else "enabled"
    vault.keep(endpoint)
    return endpoint


def delete(vault: Vault, call: Call) -> Wire:
    """Delete an endpoint; what was on its way there is lost."""
    endpoint = vault.get("webhook_endpoint", call.identifier)
    vault.store.remove(endpoint["id"])
    return {"id": endpoint["id"], "object": "webhook_endpoint", "deleted": True}


def list_all(vault: Vault, call: Call) -> Wire:
    """List endpoints."""
    return paging.listed(vault, call, "webhook_endpoint")


OPERATIONS: Final[Mapping[str, Handler]] = {
    "webhookEndpoints.create": create,
    "webhookEndpoints.retrieve": retrieve,
    "webhookEndpoints.update": update,
    "webhookEndpoints.del": delete,
    "webhookEndpoints.list": list_all,
}
TAKES: Final[Mapping[str, frozenset[str]]] = {
    "webhookEndpoints.create": frozenset({"url", "enabled_events", "api_version", "description", "metadata"}),
    "webhookEndpoints.retrieve": frozenset(),
    "webhookEndpoints.update": frozenset({"url", "enabled_events", "description", "metadata", "disabled"}),
    "webhookEndpoints.del": frozenset(),
    "webhookEndpoints.list": paging.PAGE,
}


def _check(vault: Vault, url: str, events: Sequence[str]) -> None:
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        is_address = False
    if not is_address:
        raise ApiError(
            "Invalid URL: An explicit scheme (such as https) must be provided.", code="url_invalid", param="url"
        )
    known = vault.spec.schemas["event"]["properties"]["type"]["enum"]
    for place, pattern in enumerate(events):
        if not any(matches(pattern, name) for name in known):
            raise ApiError(f"Invalid enabled_events[{place}]: no event is called so", param=f"enabled_events[{place}]")
