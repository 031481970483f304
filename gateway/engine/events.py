"""Events as merchants read them: one, a page, or the feed that replaces webhooks for those who poll."""

import json
from collections.abc import Sequence

from gateway.engine.core import Core
from gateway.engine.paging import Page, PageRequest
from gateway.engine.records import Owner
from gateway.outbox import events
from gateway.outbox.model import Page as OutboxPage
from gateway.outbox.model import StoredEvent


class Events:
    """Reads of events; each body is the very text that webhooks carry."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def retrieve(self, owner: Owner, event_id: str) -> str:
        """Return the JSON text of an event.

        Raises:
            NotFoundError: there is none, or it is somebody else's.
        """
        return self._core.db.read(
            lambda tx: events.retrieve(tx, owner.merchant_id, event_id, livemode=owner.livemode).body
        )

    def page(self, owner: Owner, request: PageRequest, *, types: Sequence[str] = ()) -> Page:
        """Return a page of this owner's events, newest first.

        Raises:
            InvalidRequestError: `cursor_invalid`.
        """
        return self._core.db.read(
            lambda tx: _page(
                events.list_events(
                    tx,
                    owner.merchant_id,
                    livemode=owner.livemode,
                    types=types,
                    limit=request.limit,
                    starting_after=request.starting_after,
                    ending_before=request.ending_before,
                )
            )
        )

    def feed(self, owner: Owner, *, after: str | None, types: Sequence[str] = (), limit: int) -> Page:
        """Return what was published after an event (None: from the start), oldest first; nothing is skipped.

        Raises:
            InvalidRequestError: `cursor_invalid`: the cursor is no event of this owner.
        """
        return self._core.db.read(
            lambda tx: _page(
                events.feed(
                    tx, owner.merchant_id, livemode=owner.livemode, after_event_id=after, types=types, limit=limit
                )
            )
        )


def _page(found: OutboxPage[StoredEvent]) -> Page:
    return Page(data=[json.loads(each.body) for each in found.items], has_more=found.has_more)
