"""The thin typed layer between HTTP and handlers: routes, what a handler is given, and how input becomes typed.

A handler is a function of the engine and a `Call`. Its route names the models of its body and query, so that the same
declaration validates the request, and writes the OpenAPI document.
"""

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Protocol, TypeVar

from flask import Request
from pydantic import BaseModel, ConfigDict, ValidationError
from werkzeug.exceptions import RequestEntityTooLarge

from gateway.engine.engine import Engine
from gateway.engine.idempotency import Intent, Reply
from gateway.engine.merchants import Principal
from gateway.engine.records import Owner
from gateway.kernel.canonical import canonical_json, sha256_hex
from gateway.kernel.cards import has_card_number
from gateway.kernel.errors import (
    ErrorCode,
    InvalidRequestError,
    NotFoundError,
    PayloadTooLargeError,
    UnsupportedMediaError,
)
from gateway.kernel.ids import is_id
from gateway.reporting.books import Books
from gateway.reporting.donations import DonationReports
from gateway.reporting.settlements import Settlements
from hosted_checkout.api.problems import of_validation

MAX_BODY_BYTES: Final = 65_536  # the largest honest session is below 40 kB
MAX_QUERY_BYTES: Final = 4096
OK: Final = 200

# An sf-string of RFC 9651, or the same without its quotes.
KEY_PATTERN: Final = r'"[\x20\x21\x23-\x5b\x5d-\x7e]{1,255}"|[\x21\x23-\x7e]([\x20-\x7e]{0,253}[\x21-\x7e])?'
_KEY: Final = re.compile(KEY_PATTERN, re.ASCII)


class Strict(BaseModel):
    """What every input is: exact types, no unknown fields, no change after validation."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Empty(Strict):
    """Nothing."""


Body = TypeVar("Body", bound=Strict)
Query = TypeVar("Query", bound=Strict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What goes back: a status, JSON text, and whether an idempotency key replayed it."""

    status: int = OK
    body: str
    is_replay: bool = False

    @classmethod
    def of(cls, shown: Mapping[str, Any], status: int = OK) -> "Answer":
        """Return an object as an answer."""
        return cls(status=status, body=canonical_json(shown))

    @classmethod
    def reply(cls, reply: Reply) -> "Answer":
        """Return an engine's reply as an answer."""
        return cls(status=reply.status_code, body=reply.body, is_replay=reply.is_replay)


class Listing(Protocol):
    """A page of objects, whichever room it comes from."""

    @property
    def data(self) -> Sequence[dict[str, Any]]:
        """The objects, in order."""
        ...

    @property
    def has_more(self) -> bool:
        """Whether more follow in the direction that was asked."""
        ...


def listed(page: Listing, url: str) -> Answer:
    """Return a page as the API lists it."""
    return Answer.of({"object": "list", "data": list(page.data), "has_more": page.has_more, "url": url})


def changes_of(body: Strict, *, emptied_by_null: Collection[str]) -> dict[str, Any]:
    """Return the fields that a change names; null leaves a field as it is, unless it is one that null empties."""
    sent = {name: getattr(body, name) for name in body.model_fields_set}
    return {name: value for name, value in sent.items() if value is not None or name in emptied_by_null}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rooms:
    """What handlers may call."""

    engine: Engine
    books: Books
    settlements: Settlements
    donations: DonationReports


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[Body, Query]):
    """One authenticated request: who asks, for which object, with what.

    Attributes:
        id: the object in the path; empty when the path names none.
        path: the path as it was asked, for the `url` of lists.
        intent: owner and idempotency key, for verbs that must happen once.
    """

    principal: Principal
    intent: Intent
    path: str
    id: str
    body: Body
    query: Query

    @property
    def owner(self) -> Owner:
        """Whose data this call may see."""
        return self.principal.owner


Handler = Callable[[Rooms, Call[Any, Any]], Answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method of one path, with everything that the document says about it.

    Attributes:
        prefix: of the id in the path; a path with an id of another form is not found.
        answers: the model of each successful status.
        errors: codes that this verb may answer with, besides those that every route has.
    """

    method: str
    path: str
    handler: Handler
    tag: str
    summary: str
    description: str
    prefix: str | None = None
    body: type[Strict] | None = None
    query: type[Strict] = Empty
    answers: Mapping[int, type[BaseModel]] = field(default_factory=dict)
    errors: Sequence[ErrorCode] = ()

    @property
    def name(self) -> str:
        """The operation's name: its handler's."""
        return self.handler.__name__

    @property
    def scope(self) -> str:
        """What an idempotency key is bound to, besides merchant and mode."""
        return f"{self.method} {self.path}"


class Routes:
    """A resource's routes, registered by decorators."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.all: list[Route] = []

    def get(self, path: str, **about: Any) -> Callable[[Handler], Handler]:
        """Register a read."""
        return self._register("GET", path, about)

    def post(self, path: str, **about: Any) -> Callable[[Handler], Handler]:
        """Register a verb that takes an idempotency key."""
        return self._register("POST", path, {"body": Empty, **about})

    def patch(self, path: str, **about: Any) -> Callable[[Handler], Handler]:
        """Register a change."""
        return self._register("PATCH", path, about)

    def delete(self, path: str, **about: Any) -> Callable[[Handler], Handler]:
        """Register a removal."""
        return self._register("DELETE", path, about)

    def _register(self, method: str, path: str, about: dict[str, Any]) -> Callable[[Handler], Handler]:
        def remember(handler: Handler) -> Handler:
            summary, _, rest = (handler.__doc__ or "").strip().partition("\n\n")
            description = " ".join(rest.split())
            self.all.append(
                Route(
                    method=method,
                    path=path,
                    handler=handler,
                    tag=self.tag,
                    summary=summary.rstrip("."),
                    description=description,
                    **about,
                )
            )
            return handler

        return remember


def read_call(rooms: Rooms, route: Route, object_id: str, request: Request, principal: Principal) -> Call[Any, Any]:
    """Turn a request into a call.

    Raises:
        CallerError: with every wrong field named at once.
    """
    if route.prefix is not None and not is_id(object_id, route.prefix):
        raise NotFoundError(ErrorCode.NOT_FOUND, "There is no such object in this account and mode.")
    key = _idempotency_key(request) if route.method == "POST" else None
    context = {"principal": principal, "rooms": rooms}
    query = _query(route, request, context)
    raw = b"" if route.body is None else _raw_body(request)
    body: Strict = Empty()
    if route.body is not None:
        try:
            body = route.body.model_validate_json(raw or b"{}", context=context)
        except ValidationError as error:
            raise of_validation(error) from None
    intent = Intent(
        owner=principal.owner,
        route=route.scope,
        key=key,
        request_hash=_fingerprint(request, raw) if key is not None else "",
    )
    return Call(principal=principal, intent=intent, path=request.path, id=object_id, body=body, query=query)


def _fingerprint(request: Request, raw: bytes) -> str:
    """Return what tells two requests apart: path, query, and the meaning of the body rather than its spelling."""
    parts = [request.path, json.loads(raw or b"{}")] + ([request.args.to_dict()] if request.args else [])
    return sha256_hex(canonical_json(parts).encode("utf-8", "surrogatepass"))


def _idempotency_key(request: Request) -> str | None:
    sent = request.headers.get("Idempotency-Key")
    if sent is None:
        return None
    if _KEY.fullmatch(sent) is None:
        raise InvalidRequestError(
            ErrorCode.IDEMPOTENCY_KEY_INVALID, "Send an Idempotency-Key of 1 to 255 printable ASCII characters."
        )
    if has_card_number(sent):
        raise InvalidRequestError(
            ErrorCode.IDEMPOTENCY_KEY_INVALID, "The Idempotency-Key holds what reads as a card number. Send another."
        )
    return sent.strip('"') if sent.startswith('"') else sent


def _query(route: Route, request: Request, context: dict[str, Any]) -> Strict:
    if len(request.query_string) > MAX_QUERY_BYTES:
        raise InvalidRequestError(ErrorCode.PARAMETER_INVALID, "The query is longer than 4,096 bytes.")
    for name, values in request.args.lists():
        if len(values) > 1:
            known = name if name in route.query.model_fields else "?"
            raise InvalidRequestError(ErrorCode.PARAMETER_INVALID, "Send each query parameter once.", param=f"/{known}")
    try:
        return route.query.model_validate(request.args.to_dict(), context=context)
    except ValidationError as error:
        raise of_validation(error) from None


def _raw_body(request: Request) -> bytes:
    """Read the body as it was sent.

    Raises:
        PayloadTooLargeError: it is longer than 64 KiB.
        UnsupportedMediaError: it is not JSON by its own word.
    """
    request.max_content_length = MAX_BODY_BYTES + 1  # Werkzeug cuts a chunked body at its limit without a word
    try:
        raw = request.stream.read()
    except RequestEntityTooLarge:
        raise _too_large() from None
    if len(raw) > MAX_BODY_BYTES:
        raise _too_large()
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    if raw and (request.mimetype != "application/json" or charset != "utf-8"):
        raise UnsupportedMediaError(
            ErrorCode.CONTENT_TYPE_UNSUPPORTED, "Send JSON in UTF-8 with the header Content-Type: application/json."
        )
    return raw


def _too_large() -> PayloadTooLargeError:
    return PayloadTooLargeError(ErrorCode.BODY_TOO_LARGE, "Send at most 65,536 bytes.")
