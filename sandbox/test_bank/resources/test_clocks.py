"""Test clocks: a time of their own for some customers, so that a year passes for these alone.

What bills (subscriptions and invoices) lives by its customer's clock. Payments, charges and events carry the bank's
time, whatever the clock says.
"""

from collections.abc import Mapping
from typing import Final

from sandbox.test_bank import paging
from sandbox.test_bank.clock import DAY_S
from sandbox.test_bank.errors import ApiError
from sandbox.test_bank.resources import customers
from sandbox.test_bank.store import Wire
from sandbox.test_bank.vault import Call, DueHandler, Handler, Vault

_KIND: Final = "test_helpers.test_clock"
DELETED_AFTER_S: Final = 30 * DAY_S
LONGEST_ADVANCE_S: Final = 2 * 366 * DAY_S
"""Stripe allows two billing periods at a time; of the longest, a year, that is this."""


def now(vault: Vault, owner: Wire) -> int:
    """Return the time of what may be bound to a clock: a customer, a subscription, an invoice.

    What outlived its clock lives by the bank's.
    """
    clock = vault.find(_KIND, owner["test_clock"])
    return vault.now() if clock is None else int(clock["frozen_time"])


def schedule(vault: Vault, owner: Wire, at: int, what: str) -> None:
    """Let something fall due for such an owner, by its clock."""
    clock = vault.find(_KIND, owner["test_clock"])
    if clock is None:
        vault.store.schedule(at, what, owner["id"])
        return
    waiting = vault.notes(clock["id"]).setdefault("tasks", [])
    waiting.append([at, vault.store.count("clock_task"), what, owner["id"]])
    vault.keep(clock)


# --- advancing -------------------------------------------------------------------------------------------------------


def step(vault: Vault, identifier: str) -> None:
    """Live through the next thing that falls due on the way of an advancing clock, or arrive.

    One thing at a time, each through the bank's own queue: what one brings about comes before the next.
    """
    clock = vault.find(_KIND, identifier)
    if clock is None or clock["status"] != "advancing":
        return
    target = vault.notes(identifier)["target"]
    waiting = vault.notes(identifier).get("tasks", [])
    task = min(waiting, default=None)
    if task is None or task[0] > target:
        clock |= {"frozen_time": target, "status": "ready", "status_details": {}}
        vault.keep(clock)
        vault.emit("test_helpers.test_clock.ready", clock)
        return
    waiting.remove(task)
    at, _, what, subject = task
    clock["frozen_time"] = max(at, clock["frozen_time"])
    vault.keep(clock)
    vault.later(0, what, subject)
    vault.later(0, "test_clock_steps", identifier)


def advance(vault: Vault, call: Call) -> Wire:
    """Set a clock going; it is `ready` again when everything on the way has happened."""
    clock = vault.get(_KIND, call.identifier)
    target = call.params["frozen_time"]
    if clock["status"] != "ready":
        raise ApiError(f"Test clock {clock['id']} is {clock['status']}: wait until it is ready.")
    if target <= clock["frozen_time"]:
        raise ApiError(
            "The new frozen time must be later than the current frozen time of the test clock.", param="frozen_time"
        )
    if target > clock["frozen_time"] + LONGEST_ADVANCE_S:
        raise ApiError("A test clock cannot be advanced by more than two years at a time.", param="frozen_time")
    clock |= {"status": "advancing", "status_details": {"advancing": {"target_frozen_time": target}}}
    vault.notes(clock["id"])["target"] = target
    vault.keep(clock)
    vault.emit("test_helpers.test_clock.advancing", clock)
    vault.later(0, "test_clock_steps", clock["id"])
    return clock


# --- the API ---------------------------------------------------------------------------------------------------------


def create(vault: Vault, call: Call) -> Wire:
    """Make a clock."""
    clock = vault.new(
        _KIND,
        deletes_after=vault.now() + DELETED_AFTER_S,
        frozen_time=call.params["frozen_time"],
        name=call.params.get("name"),
        status="ready",
        status_details={},
    )
    vault.emit("test_helpers.test_clock.created", clock)
    return clock


def retrieve(vault: Vault, call: Call) -> Wire:
    """Return a clock."""
    return vault.get(_KIND, call.identifier)


def delete(vault: Vault, call: Call) -> Wire:
    """Delete a clock with its customers, whose subscriptions end."""
    clock = vault.get(_KIND, call.identifier)
    for customer in list(vault.every("customer")):
        if customer["test_clock"] == clock["id"] and not vault.notes(customer["id"]).get("deleted"):
            customers.remove(vault, customer)
    vault.store.remove(clock["id"])
    vault.emit("test_helpers.test_clock.deleted", clock)
    return {"id": clock["id"], "object": _KIND, "deleted": True}


def list_all(vault: Vault, call: Call) -> Wire:
    """List clocks."""
    return paging.listed(vault, call, _KIND)


OPERATIONS: Final[Mapping[str, Handler]] = {
    "testHelpers.testClocks.create": create,
    "testHelpers.testClocks.retrieve": retrieve,
    "testHelpers.testClocks.advance": advance,
    "testHelpers.testClocks.del": delete,
    "testHelpers.testClocks.list": list_all,
}
TAKES: Final[Mapping[str, frozenset[str]]] = {
    "testHelpers.testClocks.create": frozenset({"frozen_time", "name"}),
    "testHelpers.testClocks.retrieve": frozenset(),
    "testHelpers.testClocks.advance": frozenset({"frozen_time"}),
    "testHelpers.testClocks.del": frozenset(),
    "testHelpers.testClocks.list": paging.PAGE,
}
DUE: Final[Mapping[str, DueHandler]] = {"test_clock_steps": step}
