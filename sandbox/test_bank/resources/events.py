"""Events, as they are listed and read again; webhooks carry the same."""

from collections.abc import Mapping
from typing import Final

from sandbox.test_bank import paging
from sandbox.test_bank.store import Wire
from sandbox.test_bank.vault import Call, Handler, Vault


def retrieve(vault: Vault, call: Call) -> Wire:
    """Return an event."""
    return vault.shown_event(vault.get("event", call.identifier))


def list_all(vault: Vault, call: Call) -> Wire:
    """List events, by type or by a group such as `charge.*`."""
    wanted = list(call.params.get("types", []))
    if "type" in call.params:
        wanted.append(call.params["type"])

    def fits(event: Wire) -> bool:
        return not wanted or any(matches(pattern, event["type"]) for pattern in wanted)

    page = paging.listed(vault, call, "event", where=fits)
    return page | {"data": [vault.shown_event(event) for event in page["data"]]}


def matches(pattern: str, name: str) -> bool:
    """Return whether a type fits a pattern: the type itself, `charge.*`, or `*`."""
    return pattern in {name, "*"} or (pattern.endswith(".*") and name.startswith(pattern.removesuffix("*")))


OPERATIONS: Final[Mapping[str, Handler]] = {"events.retrieve": retrieve, "events.list": list_all}
TAKES: Final[Mapping[str, frozenset[str]]] = {
    "events.retrieve": frozenset(),
    "events.list": paging.PAGE | {"type", "types"},
}
