"""Problem documents (RFC 9457): what went wrong, where, and what to do. Never the caller's input."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from gateway.domain.declines import ProviderDeclinedError
from gateway.kernel.errors import ErrorCode, GatewayError, InvalidRequestError

MEDIA_TYPE: Final = "application/problem+json"
MAX_FIELD_ERRORS: Final = 20  # more help nobody, and the answer stays small
_MAX_NAME: Final = 64  # of a field that the caller invented
_MONEY_FIELDS: Final = frozenset({"amount"})

TITLES: Final = {
    400: "The request is wrong",
    401: "The key is missing or not valid",
    402: "Declined",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "The object's state forbids it",
    413: "The body is too large",
    415: "The body is not JSON",
    422: "One key, two bodies",
    429: "Too many requests",
    500: "Our fault",
    503: "Something outside does not answer",
}


class NoSuchRouteError(GatewayError):
    """No route has this path."""

    status = 404


class MethodNotAllowedError(GatewayError):
    """The path is known, with other methods."""

    status = 405


class InternalError(GatewayError):
    """Our fault; the log has the request's id."""

    status = 500
    retryable = True


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldError:
    """One wrong field: `param` is its JSON pointer in the body, or `/name` of a query parameter."""

    param: str
    code: ErrorCode
    detail: str

    def wire(self) -> dict[str, str]:
        """Return it as the document shows it."""
        return {"param": self.param, "code": self.code.value, "detail": self.detail}


class FieldsError(InvalidRequestError):
    """Several fields are wrong at once; the first one speaks for the document."""

    def __init__(self, fields: Sequence[FieldError]) -> None:
        first = fields[0]
        super().__init__(first.code, first.detail, param=first.param)
        self.fields: Final = tuple(fields)


def problem(error: GatewayError, *, request_id: str, base_url: str) -> dict[str, Any]:
    """Return the document of an error."""
    doc_url = f"{base_url}/docs/errors#{error.code.value}"
    fields = error.fields if isinstance(error, FieldsError) else ()
    if not fields and error.param is not None:
        fields = (FieldError(param=error.param, code=error.code, detail=error.message),)
    document: dict[str, Any] = {
        "type": doc_url,
        "title": TITLES[error.status],
        "status": error.status,
        "detail": error.message,
        "code": error.code.value,
        "param": error.param,
        "errors": [field.wire() for field in fields],
        "request_id": request_id,
        "doc_url": doc_url,
        "retryable": error.retryable,
    }
    if isinstance(error, ProviderDeclinedError):
        document["decline_code"] = error.decline.value
    return document if error.object_id is None else document | {"object_id": error.object_id}


def of_validation(error: ValidationError) -> InvalidRequestError:
    """Turn what pydantic found into our words."""
    found = error.errors(include_url=False, include_input=False)
    first = found[0]
    if first["type"] == "json_invalid":
        return InvalidRequestError(ErrorCode.BODY_NOT_JSON, "The body is not valid JSON (RFC 8259), in UTF-8.")
    if not first["loc"]:
        return InvalidRequestError(ErrorCode.BODY_NOT_JSON, "The body must be one JSON object.")
    return FieldsError([_field(each) for each in found[:MAX_FIELD_ERRORS]])


def _field(found: Any) -> FieldError:
    kind, location = str(found["type"]), found["loc"]
    param = pointer(location)
    match kind:
        case "missing":
            return FieldError(param=param, code=ErrorCode.PARAMETER_MISSING, detail="This field is required.")
        case "extra_forbidden":
            detail = "There is no such field. Check its spelling, or leave it out."
            return FieldError(param=param, code=ErrorCode.PARAMETER_UNKNOWN, detail=detail)
        case _ if kind in _CODES:
            param += found.get("ctx", {}).get("at", "")
            return FieldError(param=param, code=ErrorCode(kind), detail=str(found["msg"]))
        case "string_type" if location[-1] in _MONEY_FIELDS:
            detail = 'Send the amount as a string of digits in major units, such as "12.30".'
            return FieldError(param=param, code=ErrorCode.AMOUNT_INVALID, detail=detail)
        case _:
            return FieldError(param=param, code=ErrorCode.PARAMETER_INVALID, detail=_sentence(str(found["msg"])))


_CODES: Final = frozenset(code.value for code in ErrorCode)


def pointer(location: Sequence[int | str]) -> str:
    """Return the JSON pointer (RFC 6901) of a place; names from outside are cut and cleaned."""
    return "".join(f"/{_name(part)}" for part in location if part != "[key]")


def _name(part: int | str) -> str:
    text = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in str(part))
    cut = text if len(text) <= _MAX_NAME else f"{text[:_MAX_NAME]}…"
    return cut.replace("~", "~0").replace("/", "~1")


def _sentence(message: str) -> str:
    return message if message.endswith(".") else f"{message}."
