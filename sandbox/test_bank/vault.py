"""What every desk of the bank works with: objects, time, tasks and events. Whoever calls holds the bank's lock."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from sandbox.test_bank import ids
from sandbox.test_bank.clock import BankClock
from sandbox.test_bank.errors import ApiError, no_such
from sandbox.test_bank.spec import Operation, Spec
from sandbox.test_bank.store import Store, Wire

_PATH_PARAMS: Final = {"payment_intent": "intent", "checkout.session": "session"}
"""What Stripe calls the parameter of a path where it is not `id`."""
MAX_METADATA: Final = 50
MAX_METADATA_KEY: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request of the API after the door: checked, and its types those of the schema."""

    operation: Operation
    path: str
    params: Mapping[str, Any]
    identifier: str = ""
    request_id: str | None = None
    idempotency_key: str | None = None
    base_url: str = ""


class Ending(StrEnum):
    """How a payment intent ended, for now."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


Handler = Callable[["Vault", Call], Wire]
DueHandler = Callable[["Vault", str], None]


@dataclass(slots=True)
class Vault:
    """Objects and how they change.

    Attributes:
        store: where objects are.
        clock: what time it is.
        spec: what objects look like.
        seed: from which identifiers follow.
        base_url: where the bank's own pages are.
        call: the request in progress, which events name as their cause.
        announce: told of every event.
        follow: told when a payment intent came to an end, or failed: what hangs on it follows.
        begin: told when a checkout session was paid, before it says so: what was bought begins.
        leave: told when a customer was deleted: what was his ends.
    """

    store: Store
    clock: BankClock
    spec: Spec
    seed: str
    base_url: str = ""
    call: Call | None = None
    announce: list[Callable[[Wire], None]] = field(default_factory=list)
    follow: list[Callable[["Vault", Wire, "Ending"], None]] = field(default_factory=list)
    begin: list[Callable[["Vault", Wire], None]] = field(default_factory=list)
    leave: list[Callable[["Vault", Wire], None]] = field(default_factory=list)

    # --- objects -----------------------------------------------------------------------------------------------------

    def new_id(self, kind: str) -> str:
        """Return the next identifier of a kind."""
        return ids.spelled(self.seed, kind, self.store.count(f"id/{kind}"))

    def new(self, kind: str, *, notes: Wire | None = None, **fields: Any) -> Wire:
        """Make an object: complete by its schema, with these fields, and kept."""
        made = self.spec.skeleton(kind)
        made["id"] = self.new_id(kind)
        if "created" in made:
            made["created"] = self.clock.now()
        for name in ("metadata",):
            if self.spec.has_field(kind, name):
                made[name] = {}
        made |= fields
        self.store.add(kind, made, notes)
        return made

    def keep(self, thing: Wire) -> None:
        """Remember that an object changed."""
        self.store.touch(thing["id"])

    def notes(self, identifier: str) -> Wire:
        """Return the bank's own notes on an object; `keep` the object after a change."""
        record = self.store.find(identifier)
        assert record is not None, identifier
        return record.notes

    def find(self, kind: str, identifier: str | None) -> Wire | None:
        """Return an object, or None."""
        record = self.store.find(identifier or "")
        return record.body if record is not None and record.kind == kind else None

    def get(self, kind: str, identifier: str, *, param: str | None = None) -> Wire:
        """Return an object that a request names, in its path or, by `param`, in its body.

        Raises:
            ApiError: `resource_missing`.
        """
        found = self.find(kind, identifier)
        if found is not None:
            return found
        if param is None:
            raise no_such(kind, identifier[:80], param=_PATH_PARAMS.get(kind, "id"))
        raise no_such(kind, identifier[:80], param=param, status=400)

    def sure(self, kind: str, identifier: str | None) -> Wire:
        """Return an object that must exist, because the bank itself wrote the reference."""
        found = self.find(kind, identifier)
        assert found is not None, f"{kind} {identifier}"
        return found

    def every(self, kind: str) -> Iterator[Wire]:
        """Yield the objects of a kind, the last made first."""
        return (record.body for record in self.store.newest_first(kind))

    # --- time --------------------------------------------------------------------------------------------------------

    def now(self) -> int:
        """Return the bank's time."""
        return self.clock.now()

    def later(self, after_s: int, what: str, subject: str) -> None:
        """Let something fall due after some seconds."""
        self.store.schedule(self.now() + after_s, what, subject)

    def ended(self, intent: Wire, ending: Ending) -> None:
        """Tell everything that hangs on a payment intent how it ended."""
        for follower in self.follow:
            follower(self, intent, ending)

    # --- events ------------------------------------------------------------------------------------------------------

    def emit(self, name: str, thing: Wire, *, previous: Wire | None = None) -> None:
        """Record an event with the object as it is now, and announce it."""
        assert name in self.spec.events, f"{name} is no event"
        data: Wire = {"object": thing} if previous is None else {"object": thing, "previous_attributes": previous}
        cause: Wire = {"id": None, "idempotency_key": None}
        if self.call is not None:
            cause = {"id": self.call.request_id, "idempotency_key": self.call.idempotency_key}
        event = self.new(
            "event",
            # Kept as text: most of the bank's memory is events, and text is a third of the size.
            notes={"data": json.dumps(data)},
            type=name,
            api_version=self.spec.version,
            request=cause,
            data={"object": {}},
            pending_webhooks=0,
        )
        for told in self.announce:
            told(event)

    def shown_event(self, event: Wire) -> Wire:
        """Return an event with its object."""
        return event | {"data": json.loads(self.notes(event["id"])["data"])}


def merged_metadata(before: Mapping[str, str] | None, given: Any) -> dict[str, str]:
    """Return metadata after a change: an empty value removes a key, an empty whole removes all.

    Raises:
        ApiError: more or longer keys than Stripe takes.
    """
    if given == "":
        return {}
    merged = {key: value for key, value in ({**(before or {}), **given}).items() if value != ""}
    long = next((key for key in merged if len(key) > MAX_METADATA_KEY), None)
    if long is not None:
        raise ApiError(
            f"Metadata keys can be at most {MAX_METADATA_KEY} characters.", param=f"metadata[{long[:MAX_METADATA_KEY]}]"
        )
    if len(merged) > MAX_METADATA:
        raise ApiError(f"You can have at most {MAX_METADATA} metadata keys on an object.", param="metadata")
    return merged
