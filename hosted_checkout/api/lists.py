"""What every list takes: how many, and from which object on."""

from typing import ClassVar

from pydantic import Field, ValidationInfo, field_validator

from gateway.engine.paging import DEFAULT_LIMIT, PageRequest
from gateway.kernel.errors import ErrorCode
from gateway.kernel.ids import is_id
from hosted_checkout.api.fields import PageLimit, refuse
from hosted_checkout.api.layer import Strict


class PageQuery(Strict):
    """A page of a list. A cursor is the id of an object of that list; `cursor_prefix` is what such ids begin with."""

    cursor_prefix: ClassVar[str] = ""

    limit: PageLimit = Field(default=DEFAULT_LIMIT, description="How many objects, 1 to 100.")
    starting_after: str | None = Field(default=None, description="Go on after this object, to older ones.")
    ending_before: str | None = Field(default=None, description="Go back before this object, to newer ones.")

    @field_validator("starting_after", "ending_before")
    @classmethod
    def _is_cursor(cls, cursor: str | None, info: ValidationInfo) -> str | None:
        if cursor is not None and not is_id(cursor, cls.cursor_prefix):
            raise refuse(
                ErrorCode.CURSOR_INVALID, f"A cursor is the id of an object of this list: {cls.cursor_prefix}_…"
            )
        if info.field_name == "ending_before" and cursor is not None and info.data.get("starting_after") is not None:
            raise refuse(ErrorCode.CURSOR_INVALID, "Send either starting_after or ending_before.")
        return cursor

    def page(self) -> PageRequest:
        """Return it as the engine takes it."""
        return PageRequest(limit=self.limit, starting_after=self.starting_after, ending_before=self.ending_before)
