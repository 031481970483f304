"""`/v1/api_keys`: the keys of the account and mode of the key that asks."""

from datetime import timedelta
from typing import ClassVar

from pydantic import Field

from gateway.engine.api_keys import ROLL_GRACE, ROLL_GRACE_MAX
from gateway.kernel.errors import ErrorCode
from hosted_checkout.api.answers import ApiKey, IssuedApiKey, ListOf
from hosted_checkout.api.fields import Description
from hosted_checkout.api.layer import Answer, Call, Empty, Rooms, Routes, Strict, listed
from hosted_checkout.api.lists import PageQuery

routes = Routes("API keys")
_SECOND = timedelta(seconds=1)


class NewApiKey(Strict):
    """What the key is for."""

    description: Description | None = Field(default=None, description="For you: where the key is used.")


class Roll(Strict):
    """How the old key ends."""

    grace_s: int = Field(
        default=ROLL_GRACE // _SECOND,
        ge=0,
        le=ROLL_GRACE_MAX // _SECOND,
        description="Seconds for which the old key goes on working.",
    )
    force: bool = Field(default=False, description="Let a key that rolls itself end within less than a minute.")


class Revocation(Strict):
    """Whether you mean it."""

    force: bool = Field(default=False, description="Revoke the key that asks, or the last one that does not end.")


class KeyQuery(PageQuery):
    """The list has no filters."""

    cursor_prefix: ClassVar[str] = "key"


@routes.post(
    "/v1/api_keys",
    body=NewApiKey,
    answers={201: IssuedApiKey},
    errors=(ErrorCode.API_KEY_LIMIT_REACHED, ErrorCode.API_KEY_NOT_ACTIVE),
)
def create_api_key(rooms: Rooms, call: Call[NewApiKey, Empty]) -> Answer:
    """Make a key of the same account and mode.

    The answer, and no later one, shows the secret. A key that is ending makes none.
    """
    keys = rooms.engine.api_keys
    return Answer.reply(keys.create(call.intent, call.principal.key_id, call.body.description))


@routes.get("/v1/api_keys", query=KeyQuery, answers={200: ListOf[ApiKey]})
def list_api_keys(rooms: Rooms, call: Call[Empty, KeyQuery]) -> Answer:
    """List keys, newest first, those that have ended included."""
    return listed(rooms.engine.api_keys.page(call.owner, call.query.page()), call.path)


@routes.get("/v1/api_keys/{id}", prefix="key", answers={200: ApiKey})
def retrieve_api_key(rooms: Rooms, call: Call[Empty, Empty]) -> Answer:
    """Read a key: never its secret."""
    return Answer.of(rooms.engine.api_keys.retrieve(call.owner, call.id))


@routes.post(
    "/v1/api_keys/{id}/roll",
    prefix="key",
    body=Roll,
    answers={201: IssuedApiKey},
    errors=(ErrorCode.API_KEY_LIMIT_REACHED, ErrorCode.API_KEY_NEEDED, ErrorCode.API_KEY_NOT_ACTIVE),
)
def roll_api_key(rooms: Rooms, call: Call[Roll, Empty]) -> Answer:
    """Make a successor of a key.

    The answer shows the successor's secret, this once; the old key works for `grace_s` seconds more, a day unless you
    say otherwise. A key that rolls itself goes on for a minute at the least: if the answer is lost, the same request
    with the same idempotency key brings it again.
    """
    grace = timedelta(seconds=call.body.grace_s)
    keys, asking = rooms.engine.api_keys, call.principal.key_id
    return Answer.reply(keys.roll(call.intent, asking, call.id, grace=grace, is_forced=call.body.force))


@routes.post(
    "/v1/api_keys/{id}/revoke",
    prefix="key",
    body=Revocation,
    answers={200: ApiKey},
    errors=(ErrorCode.API_KEY_NEEDED, ErrorCode.API_KEY_NOT_ACTIVE),
)
def revoke_api_key(rooms: Rooms, call: Call[Revocation, Empty]) -> Answer:
    """End a key within a second.

    The key that asks, and the last key that does not end by itself, need `force`. Whoever has lost every key makes a
    new one with `streampay-server keys create`.
    """
    keys, asking = rooms.engine.api_keys, call.principal.key_id
    return Answer.reply(keys.revoke(call.intent, asking, call.id, is_forced=call.body.force))
