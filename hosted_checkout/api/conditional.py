"""Fields that one kind of request needs and the other has no use for: a plan says price and currency itself."""

from enum import StrEnum
from typing import Any, Final

from pydantic import BeforeValidator, Field, ValidationInfo

from gateway.kernel.errors import ErrorCode
from hosted_checkout.api.fields import invalid, refuse

ABSENT: Final[dict[str, Any]] = {"not": {}}


def needed_where(name: str, *words: StrEnum) -> BeforeValidator:
    """Ask for a field where the field `name`, which stands before it, is one of `words`; refuse it elsewhere."""

    def check(field: object, info: ValidationInfo) -> object:
        found = info.data.get(name, words[0])  # a word that is wrong itself is told of already
        if found in words and field is None and name in info.data:
            raise refuse(ErrorCode.PARAMETER_MISSING, "This field is required.")
        if found not in words and field is not None:
            raise invalid(f"Leave this out with {name} {found}.")
        return field

    return BeforeValidator(check)


def conditional(description: str | None = None) -> Any:
    """Return the rest of such a field: left out by default, and judged even then."""
    return Field(default=None, validate_default=True, description=description, json_schema_extra=_without_null)


def _without_null(schema: dict[str, Any]) -> None:
    """Show the field as it is where it is needed; whether it is follows from the other one."""
    del schema["default"]
    schema.update(schema.pop("anyOf")[0])
