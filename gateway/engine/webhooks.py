"""Webhook endpoints as merchants manage them: the outbox's verbs, each once per idempotency key."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gateway.engine.core import Core
from gateway.engine.idempotency import Intent, Reply, once
from gateway.engine.paging import Page, PageRequest
from gateway.engine.records import Owner
from gateway.kernel.canonical import canonical_json
from gateway.outbox import deliveries, endpoints
from gateway.outbox.endpoints import Endpoints
from gateway.outbox.model import EndpointChanges, IssuedEndpoint
from gateway.storage.database import Tx

CREATED = 201
OK = 200
ACCEPTED = 202


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEndpoint:
    """Where a merchant wants which events."""

    url: str
    enabled_events: tuple[str, ...]
    description: str | None


class Webhooks:
    """The verbs and reads of endpoints and their deliveries.

    A reply that shows a signing secret is remembered with the secret sealed, so that a repeated request still gets it
    while the database never holds it in the clear.
    """

    def __init__(self, core: Core, outbox: Endpoints) -> None:
        self._core = core
        self._outbox = outbox

    def create(self, intent: Intent, new: NewEndpoint) -> Reply:
        """Add an endpoint and show its secret, this once.

        Raises:
            InvalidRequestError: URL, events or description are refused.
            ConflictError: `endpoint_limit_reached`.
        """
        owner = intent.owner

        def verb(tx: Tx) -> IssuedEndpoint:
            return self._outbox.create(
                tx,
                owner.merchant_id,
                livemode=owner.livemode,
                url=new.url,
                enabled_events=new.enabled_events,
                description=new.description,
            )

        return self._issue(intent, CREATED, verb)

    def retrieve(self, owner: Owner, endpoint_id: str) -> dict[str, Any]:
        """Return an endpoint of this owner.

        Raises:
            NotFoundError: there is none, or it is somebody else's.
        """
        return self._core.db.read(
            lambda tx: endpoints.retrieve(tx, owner.merchant_id, endpoint_id, livemode=owner.livemode).wire()
        )

    def page(self, owner: Owner, request: PageRequest) -> Page:
        """Return a page of this owner's endpoints, newest first.

        Raises:
            InvalidRequestError: `cursor_invalid`.
        """
        found = self._core.db.read(
            lambda tx: endpoints.list_endpoints(
                tx,
                owner.merchant_id,
                livemode=owner.livemode,
                limit=request.limit,
                starting_after=request.starting_after,
                ending_before=request.ending_before,
            )
        )
        return Page(data=[each.wire() for each in found.items], has_more=found.has_more)

    def update(self, owner: Owner, endpoint_id: str, changes: EndpointChanges) -> dict[str, Any]:
        """Change what `changes` names; an endpoint that is enabled again gets at once what waited for it.

        Raises:
            NotFoundError: there is none, or it is somebody else's.
            InvalidRequestError: URL, events or description are refused.
        """
        changed = self._core.db.write(
            lambda tx: self._outbox.update(
                tx, owner.merchant_id, endpoint_id, livemode=owner.livemode, changes=changes
            ).wire()
        )
        self._core.wake_delivery()
        return changed

    def delete(self, owner: Owner, endpoint_id: str) -> None:
        """Delete an endpoint; its deliveries stay in the log.

        Raises:
            NotFoundError: there is none, or it is somebody else's.
        """
        self._core.db.write(lambda tx: self._outbox.delete(tx, owner.merchant_id, endpoint_id, livemode=owner.livemode))

    def rotate_secret(self, intent: Intent, endpoint_id: str, *, grace_s: int) -> Reply:
        """Issue a new secret and show it, this once; the old one signs beside it for `grace_s` seconds.

        Raises:
            NotFoundError: there is none, or it is somebody else's.
            InvalidRequestError: the grace is out of range.
        """
        owner = intent.owner

        def verb(tx: Tx) -> IssuedEndpoint:
            return self._outbox.rotate_secret(
                tx, owner.merchant_id, endpoint_id, livemode=owner.livemode, grace_s=grace_s
            )

        return self._issue(intent, OK, verb)

    def send_test(self, intent: Intent, endpoint_id: str) -> Reply:
        """Send a `ping` event to one endpoint and return the event.

        Raises:
            NotFoundError: there is none, or it is somebody else's.
            ConflictError: the endpoint is disabled.
        """
        owner = intent.owner

        def verb(tx: Tx) -> Reply:
            sent = deliveries.send_test(
                tx,
                owner.merchant_id,
                endpoint_id,
                livemode=owner.livemode,
                clock=self._core.clock,
                ids=self._core.ids,
            )
            return Reply(status_code=ACCEPTED, body=sent.body)

        return self._deliver(intent, verb)

    def resend(self, intent: Intent, endpoint_id: str, event_id: str) -> Reply:
        """Send an event to one endpoint again, the same bytes under the same id, and return it.

        Raises:
            NotFoundError: no such endpoint or event of this owner.
            ConflictError: the endpoint is disabled.
        """
        owner = intent.owner

        def verb(tx: Tx) -> Reply:
            sent = deliveries.resend(
                tx, owner.merchant_id, endpoint_id, event_id, livemode=owner.livemode, clock=self._core.clock
            )
            return Reply(status_code=ACCEPTED, body=sent.body)

        return self._deliver(intent, verb)

    def deliveries(self, owner: Owner, endpoint_id: str, request: PageRequest) -> Page:
        """Return a page of the tries of one endpoint, newest first.

        Raises:
            NotFoundError: there is no such endpoint, or it is somebody else's.
            InvalidRequestError: `cursor_invalid`.
        """
        found = self._core.db.read(
            lambda tx: deliveries.list_deliveries(
                tx,
                owner.merchant_id,
                endpoint_id,
                livemode=owner.livemode,
                limit=request.limit,
                starting_after=request.starting_after,
                ending_before=request.ending_before,
            )
        )
        return Page(data=[each.wire() for each in found.items], has_more=found.has_more)

    def _deliver(self, intent: Intent, verb: Callable[[Tx], Reply]) -> Reply:
        reply = once(self._core, intent, verb)
        self._core.wake_delivery()
        return reply

    def _issue(self, intent: Intent, status_code: int, verb: Callable[[Tx], IssuedEndpoint]) -> Reply:
        box = self._outbox.box

        def sealing(tx: Tx) -> Reply:
            issued = verb(tx)
            shown = issued.endpoint.wire()
            shown["secret"] = box.seal(issued.secret, aad=_reply_aad(intent.owner, shown["id"]))
            return Reply(status_code=status_code, body=canonical_json(shown))

        reply = once(self._core, intent, sealing)
        shown = json.loads(reply.body)
        shown["secret"] = box.open(shown["secret"], aad=_reply_aad(intent.owner, shown["id"]))
        return Reply(status_code=reply.status_code, body=canonical_json(shown), is_replay=reply.is_replay)


def _reply_aad(owner: Owner, endpoint_id: str) -> str:
    return f"{owner.merchant_id}:{endpoint_id}|idempotency.response"
