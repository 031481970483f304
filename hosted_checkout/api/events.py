"""`/v1/events`: what happened, and the polling transport."""

import re
from typing import Annotated, ClassVar, Final

from pydantic import Field, ValidationInfo, field_validator

from gateway.domain.events import EventType
from gateway.kernel.errors import ErrorCode
from gateway.kernel.ids import is_id
from hosted_checkout.api.answers import AnyEvent, ListOf
from hosted_checkout.api.fields import invalid, refuse
from hosted_checkout.api.layer import Answer, Call, Empty, Rooms, Routes, listed
from hosted_checkout.api.lists import PageQuery

routes = Routes("Events")
FROM_START: Final = "start"
_TYPES = frozenset(each.value for each in EventType)
_ONE = "|".join(re.escape(each) for each in sorted(_TYPES))


class EventQuery(PageQuery):
    """Filters of the list."""

    cursor_prefix: ClassVar[str] = "evt"

    types: Annotated[str, Field(max_length=1000)] | None = Field(
        default=None,
        description="Event types with commas between.",
        json_schema_extra={"pattern": f"^({_ONE})(,({_ONE}))*$"},
    )
    after: str | None = Field(
        default=None,
        description="Poll: events published after this one, or from the `start`, oldest first. Not with a cursor.",
        json_schema_extra={"pattern": "^(start|evt_[0-7][0-9a-hjkmnp-tv-z]{25})$"},
    )

    @field_validator("types")
    @classmethod
    def _are_known(cls, types: str | None) -> str | None:
        if types is not None and not set(types.split(",")) <= _TYPES:
            raise invalid("Send event types of the catalogue with commas between.")
        return types

    @field_validator("after")
    @classmethod
    def _is_event(cls, after: str | None, info: ValidationInfo) -> str | None:
        if after is None:
            return after
        if after != FROM_START and not is_id(after, "evt"):
            raise refuse(ErrorCode.CURSOR_INVALID, "Send the id of an event of yours, or start.")
        if info.data.get("starting_after") is not None or info.data.get("ending_before") is not None:
            raise refuse(ErrorCode.CURSOR_INVALID, "Send either after, or a cursor of the list.")
        return after


@routes.get("/v1/events", query=EventQuery, answers={200: ListOf[AnyEvent]})
def list_events(rooms: Rooms, call: Call[Empty, EventQuery]) -> Answer:
    """List events, newest first, or poll for new ones.

    With `after`, the events published after that one come oldest first, in the order of their publication; what commits
    late is never skipped. Begin with `start`, and go on with the last id of the answer.
    """
    query = call.query
    types = query.types.split(",") if query.types else ()
    if query.after is not None:
        after = None if query.after == FROM_START else query.after
        page = rooms.engine.events.feed(call.owner, after=after, types=types, limit=query.limit)
    else:
        page = rooms.engine.events.page(call.owner, query.page(), types=types)
    return listed(page, call.path)


@routes.get("/v1/events/{id}", prefix="evt", answers={200: AnyEvent})
def retrieve_event(rooms: Rooms, call: Call[Empty, Empty]) -> Answer:
    """Read an event: the very text that webhooks carry."""
    return Answer(body=rooms.engine.events.retrieve(call.owner, call.id))
